"""A running average of networks' weights."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class WeightAverage:
    """The exponential moving average of networks' parameters and buffers; counters are copied."""

    def __init__(self, networks: Mapping[str, nn.Module], *, decay: float) -> None:
        """Begin with the networks as they are.

        Args:
            networks: What is followed, by name.
            decay: Share of the old average that stays at each step; early steps forget faster.

        Raises:
            ValueError: if `decay` is not within 0 to 1.
        """
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, got {decay}")
        self.networks: dict[str, nn.Module] = {
            name: copy.deepcopy(network).requires_grad_(False) for name, network in networks.items()
        }
        self._decay = decay
        self._steps = 0

    @torch.no_grad()
    def update(self, networks: Mapping[str, nn.Module]) -> None:
        """Take in the weights of one more step; networks that are not followed are left alone."""
        self._steps += 1
        keep = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for name, network in self.networks.items():
            theirs = networks[name].state_dict()
            for key, mine in network.state_dict().items():
                if mine.is_floating_point():
                    mine.lerp_(theirs[key], 1 - keep)
                else:
                    mine.copy_(theirs[key])

    def state_dict(self) -> dict[str, Any]:
        """Return the averages and how many steps they have seen."""
        networks = {name: network.state_dict() for name, network in self.networks.items()}
        return {"networks": networks, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        for name, network in self.networks.items():
            network.load_state_dict(state["networks"][name])
        self._steps = int(state["steps"])
