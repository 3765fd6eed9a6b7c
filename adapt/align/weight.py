"""How much the alignment term counts: a ramp over the run, a hold on the gradients' ratio, a guard of the game."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.ranks import num_ranks, total

Ramp = Literal["dann", "constant"]


def ramp_weight(progress: float, *, ramp: Ramp) -> float:
    """Return the share of the full weight at a point of the run.

    `dann` is 2 / (1 + e^(-10 p)) - 1 (Ganin et al., JMLR 2016): from 0 to nearly 1, half of it after 11 % of the run.

    >>> [round(ramp_weight(p, ramp="dann"), 3) for p in (0, 0.11, 1)], ramp_weight(0, ramp="constant")
    ([0.0, 0.501, 1.0], 1.0)
    """
    return 1.0 if ramp == "constant" else 2 / (1 + math.exp(-10 * progress)) - 1


def gradient_norm(
    loss: Float[Tensor, ""], *, at: Iterable[Float[Tensor, "..."]]
) -> Float[Tensor, ""]:
    """Measure how strongly a loss pulls at feature maps, over all ranks; the graph stays.

    Args:
        loss: Global (`ranks.py`).
        at: Feature maps of this rank.

    Returns:
        The Euclidean norm, detached; 0 where the loss does not depend on them.
    """
    if not loss.requires_grad:
        return loss.new_zeros(())
    gradients = torch.autograd.grad(loss, list(at), retain_graph=True, allow_unused=True)
    squares = [g.float().square().sum() for g in gradients if g is not None]
    return (total(sum(squares, loss.new_zeros((), dtype=torch.float32)))).sqrt() / num_ranks()


class RatioHold:
    """Moves a factor of the weight so that norm(alignment) / norm(tasks) at the aligned layer stays near a target."""

    def __init__(self, *, target: float, rate: float = 0.1, limit: float = 100.0) -> None:
        """Start with a factor of 1.

        Args:
            target: The ratio to hold.
            rate: Share of the error, in logarithms, that one observation takes away.
            limit: The factor stays between 1 / limit and limit.

        Raises:
            ValueError: if a value is out of range.
        """
        if not (target > 0 and 0 < rate <= 1 and limit >= 1):
            raise ValueError(
                f"target must be positive, rate in (0, 1] and limit at least 1, got {target}, {rate} and {limit}"
            )
        self._target, self._rate, self._limit = target, rate, limit
        self.factor = 1.0

    def observe(self, ratio: float) -> None:
        """Take note of the ratio that the present factor gave; one that is 0 or not finite says nothing."""
        if ratio > 0 and math.isfinite(ratio):
            moved = self.factor * (self._target / ratio) ** self._rate
            self.factor = min(max(moved, 1 / self._limit), self._limit)

    def state_dict(self) -> dict[str, Any]:
        """Return what decides the factors to come."""
        return {"factor": self.factor}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state."""
        self.factor = float(state["factor"])


class GameGuard:
    """Decides from the critic's accuracy whether its gradient reaches the backbone, and whether it learns.

    A critic that is nearly always right gives a gradient that says little but pulls hard: it is cut off until the accuracy
    falls again. A critic at chance may be held still, yet never before it has once been better than chance, and never for more
    than `patience` steps in a row: a frozen critic lets the backbone run past it, and would stay frozen.
    """

    def __init__(
        self, *, stop_above: float | None, freeze_below: float | None, patience: int
    ) -> None:
        """Start open.

        Args:
            stop_above: The backbone is spared once the accuracy has been above this for `patience` steps; None: never.
            freeze_below: The critic rests while its accuracy is below this; None: never.
            patience: Steps.
        """
        self._stop_above, self._freeze_below, self._patience = stop_above, freeze_below, patience
        self._num_above = 0
        self._num_frozen = 0
        self._armed = False

    @property
    def watches(self) -> bool:
        """Whether accuracies matter at all; asking for one makes the host wait for the device."""
        return self._stop_above is not None or self._freeze_below is not None

    @property
    def feeds_backbone(self) -> bool:
        """Whether the critic's gradient may reach the backbone."""
        return self._stop_above is None or self._num_above < self._patience

    @property
    def trains_critic(self) -> bool:
        """Whether the critic learns."""
        return self._num_frozen == 0

    def observe(self, accuracy: float) -> None:
        """Take note of the critic's accuracy over both domains at this step."""
        if self._stop_above is not None:
            self._num_above = self._num_above + 1 if accuracy > self._stop_above else 0
        if self._freeze_below is not None:
            self._armed = self._armed or accuracy >= self._freeze_below
            tired = self._num_frozen >= self._patience
            frozen = self._armed and accuracy < self._freeze_below and not tired
            self._armed = self._armed and not tired
            self._num_frozen = self._num_frozen + 1 if frozen else 0

    def state_dict(self) -> dict[str, Any]:
        """Return what decides what follows."""
        return {
            "num_above": self._num_above,
            "num_frozen": self._num_frozen,
            "armed": self._armed,
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state."""
        self._num_above = int(state["num_above"])
        self._num_frozen = int(state["num_frozen"])
        self._armed = bool(state["armed"])
