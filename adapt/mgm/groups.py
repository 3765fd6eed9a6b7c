"""Networks by name with one optimiser each, and gradients that reach exactly the networks that are named."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.method import Clock, NonFiniteLossError
from scenelift.adapt.optimise import OptimiserSettings, make_optimiser, set_rate
from scenelift.adapt.ranks import average_gradients

Group = Literal[
    "encoder",
    "decoders",
    "refinement",
    "contrast",
    "middle",
    "generator",
    "discriminator",
    "critic",
]


class Groups:
    """What learns."""

    def __init__(
        self,
        networks: Mapping[Group, nn.Module],
        *,
        settings: Mapping[Group, OptimiserSettings],
    ) -> None:
        """Make the optimisers.

        Args:
            networks: On their device; a network without a parameter that learns is left out.
            settings: How each learns.
        """
        self._parameters: dict[Group, list[nn.Parameter]] = {
            group: [p for p in network.parameters() if p.requires_grad]
            for group, network in networks.items()
        }
        self._settings = {group: settings[group] for group in networks}
        self._optimisers: dict[Group, torch.optim.Optimizer] = {
            group: make_optimiser(parameters, settings=settings[group])
            for group, parameters in self._parameters.items()
            if parameters
        }

    def __contains__(self, group: Group) -> bool:
        return group in self._optimisers

    @property
    def all(self) -> tuple[Group, ...]:
        """What learns."""
        return tuple(self._optimisers)

    def parameters(self, group: Group) -> list[nn.Parameter]:
        """Return what the optimiser of a network owns."""
        return list(self._parameters[group])

    def set_rates(self, clock: Clock) -> None:
        """Give every optimiser the rate that its schedule has now."""
        for group, optimiser in self._optimisers.items():
            set_rate(optimiser, self._settings[group].rate(clock))

    def gather(self, loss: Float[Tensor, ""], groups: Collection[Group], *, name: str) -> None:
        """Add the gradients of a loss to the parameters of some networks and to nothing else.

        Args:
            loss: What they minimise; its graph is freed.
            groups: Networks that it may teach; those that do not learn in this run are passed over.
            name: What a message calls it.

        Raises:
            NonFiniteLossError: if the loss is not a number; no gradient is added.
        """
        if not loss.isfinite():
            raise NonFiniteLossError(f"the loss of {name} is {loss.item()}")
        parameters = [p for g in groups if g in self for p in self._parameters[g]]
        if not parameters or not loss.requires_grad:
            return
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                known = parameter.grad
                parameter.grad = gradient if known is None else known + gradient

    def step(self, groups: Collection[Group]) -> None:
        """Let some networks follow what was gathered for them, and forget it."""
        for group in groups:
            if group in self:
                average_gradients(self._parameters[group])
                self._optimisers[group].step()
                self._optimisers[group].zero_grad(set_to_none=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the optimisers."""
        return {group: optimiser.state_dict() for group, optimiser in self._optimisers.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            KeyError, ValueError: if it belongs to other networks.
        """
        if state.keys() != self._optimisers.keys():
            raise ValueError(
                f"optimisers of {', '.join(state)}, wanted those of {', '.join(self._optimisers)}"
            )
        for group, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state[group])
