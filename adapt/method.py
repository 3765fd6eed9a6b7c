"""What the training loop asks of a method: the seam between the loop and everything that is trained by it.

The loop (`train.py`) owns data streams, clock, checkpoint and log; a method owns networks, optimisers and random state.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scenelift.adapt.network_input import InputNormalisation

StreamName = str
"""synthetic, real, labelled or images."""
Batch = dict[str, Tensor]
"""One batch of a stream on the training device: `image` (UInt8 n 3 h w, sRGB), `sample_seed` (Int64 n: what random decisions on
the device are made from) and, where the stream has labels, `z_depth_m` (Float32 n 1 h w), `normal` (Float32 n 3 h w), `edge`
(Bool n 1 h w), `valid` (Bool n 1 h w), `semantic` (Int64 n h w), or `label` (Int64 n: the class of the whole picture)."""


class NonFiniteLossError(ArithmeticError):
    """A loss is not a number."""


class PictureSizeError(ValueError):
    """Pictures do not have the size that a network or a task needs: the message says which."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """Where a run stands."""

    step: int
    """Steps done before this one."""
    steps: int
    """Steps of the whole run."""

    @property
    def progress(self) -> float:
        """Share of the run that is done, from 0 to 1."""
        return self.step / max(self.steps, 1)


@runtime_checkable
class Method(Protocol):
    """Something that learns from batches."""

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """The streams that `step` wants a batch of."""
        ...

    @property
    def input_normalisation(self) -> InputNormalisation:
        """What the backbone is fed; written beside its weights."""
        ...

    def step(self, batches: Mapping[StreamName, Batch], *, clock: Clock) -> dict[str, Tensor]:
        """Learn from one batch of each stream.

        Returns:
            Scalars to log, detached, on the device: the loop decides when to fetch them. Names as in `docs/design.md`.
        """
        ...

    def validate(self, batches: Mapping[StreamName, Batch]) -> dict[str, Tensor]:
        """Return the scalars of one validation batch of each stream, without learning."""
        ...

    def pictures(self, batches: Mapping[StreamName, Batch]) -> dict[str, UInt8[Tensor, "n h w 3"]]:
        """Show what the networks answer: rows of pictures by name, such as `synthetic/edge`."""
        ...

    @property
    def captions(self) -> Mapping[str, tuple[str, ...]]:
        """What stands above the columns of `pictures`, by the same names; where a name is missing, nothing does."""
        ...

    def networks(self) -> Mapping[str, nn.Module]:
        """The trained networks by name; `backbone` is the one that is exported."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that decides how training goes on: tensors, numbers, strings, lists and dicts of these."""
        ...

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it belongs to another configuration.
        """
        ...


Features = dict[str, Float[Tensor, "..."]]
"""Feature maps by layer name, in order of depth, each n c h w (tokens: n c 1 t)."""


@runtime_checkable
class Adapts(Method, Protocol):
    """A method that brings the features of two domains together, so that one may ask how far they are apart."""

    @property
    def aligned_layers(self) -> tuple[str, ...]:
        """Where."""
        ...

    @property
    def real_statistics(self) -> bool:
        """Whether the exported batch norms are to hold the statistics of photos."""
        ...

    def features(self, batch: Batch) -> Features:
        """Return the feature maps of a batch by the backbone as it is, in evaluation mode."""
        ...

    def see(self, batch: Batch) -> Features:
        """Return the feature maps of a batch by the backbone in the mode it is in."""
        ...
