"""What a pretext task is: the seam between `Pretext` (or a hybrid) and the comparison systems."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import InputNormalisation

Pictures = UInt8[Tensor, "n h w 3"]


class PretextTask(nn.Module):
    """Heads, targets and loss of one system; the backbone is lent to it at each call and is no part of it.

    A subclass is built as `System(settings, backbone, generator=...)`, draws its weights from `generator` alone, and may prepare the
    backbone there (`alters_backbone` then says so). Every random decision about a sample is `uniform(batch["sample_seed"], salt=...)`
    (`adapt/colour.py`), so that a sample becomes the same input in any batch, on any rank and device. Nothing is kept between steps
    but in parameters and buffers, so that a run resumes to the same bits.
    """

    normalisation: InputNormalisation
    """What the backbone is fed; written beside the weights."""
    alters_backbone: bool = False
    """Whether the backbone is changed beyond its weights' values, so that no other task can share it."""

    captions: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    """What stands above the columns of `show`, by the same names."""

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that play against the others; none by default."""
        yield from ()

    def own_parameters(self) -> Iterator[nn.Parameter]:
        """Yield the parameters that learn with the backbone: all that require a gradient and are not the critic's."""
        critic = {id(parameter) for parameter in self.critic_parameters()}
        yield from (p for p in self.parameters() if p.requires_grad and id(p) not in critic)

    def critic_loss(self, backbone: Backbone, batch: Batch) -> Float[Tensor, ""] | None:
        """Return the critic's loss, or None; called before `loss` in each step. Its gradients must reach the critic alone."""
        return None

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the loss of backbone and own parameters, and detached scalars to log (`accuracy/...`, `loss/PART`, ...)."""
        raise NotImplementedError

    def after_step(self, backbone: Backbone, *, clock: Clock) -> None:
        """Do what follows an update: a slow copy of the backbone, or nothing."""

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return figures on held-out pictures, each beside that of who knows nothing.

        `accuracy/x` beside `chance/x`, `error/x` (lower is better) or `quality/x` (higher) beside `baseline/x`; and `loss/task`.
        """
        raise NotImplementedError

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show what the network saw and answered: rows of pictures by name."""
        raise NotImplementedError
