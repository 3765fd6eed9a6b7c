"""A running average of a network's weights."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class WeightAverage:
    """The exponential moving average of a network's parameters and buffers; counters are copied."""

    def __init__(self, network: nn.Module, *, decay: float) -> None:
        """Begin with the network as it is.

        Args:
            network: What is followed.
            decay: Share of the old average that stays at each step; early steps forget faster.

        Raises:
            ValueError: if `decay` is not within 0 to 1.
        """
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, got {decay}")
        self.network = copy.deepcopy(network).requires_grad_(False)
        self._decay = decay
        self._steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """Take in the weights of one more step."""
        self._steps += 1
        keep = min(self._decay, (1 + self._steps) / (10 + self._steps))
        for mine, theirs in zip(
            self.network.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - keep)
            else:
                mine.copy_(theirs)

    def state_dict(self) -> dict[str, Any]:
        """Return the average and how many steps it has seen."""
        return {"network": self.network.state_dict(), "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self._steps = int(state["steps"])
