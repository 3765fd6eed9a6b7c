"""The convolutional part of a network under test, made fit for regions: batch norm at rest, and positions where boxes expect them.

Region pooling divides pixels by the stride, so it takes the centre of position i to lie at pixel `stride * i`. The published
Fast R-CNN pads within its layers to that end; a trunk pads the normalised picture with zeros instead, by what its first
position lies inside the picture (15 pixels for AlexNet, whose own layers leave that border unseen), and regions are shifted by
the rest.
"""

import copy
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.backbones.alexnet import AlexNet, StandardAlexNet
from scenelift.adapt.fold import fold_batch_norm
from scenelift.adapt.rescale import rescale
from scenelift.benchmarks.task import BenchError

_PROBES = 4


class Trunk(nn.Module):
    """A backbone up to one layer; in evaluation mode for good."""

    def __init__(self, backbone: Backbone, *, layer: str, frozen: tuple[str, ...]) -> None:
        """Take a backbone as one's own.

        Args:
            backbone: A copy that nobody else uses.
            layer: What regions are pooled from.
            frozen: Beginnings of names of parameters that stay as they are; norms that could not be folded stay anyway.

        Raises:
            BenchError: if there is no such layer, or nothing of such a name.
        """
        super().__init__()
        try:
            found = backbone.layer(layer)
        except ValueError as error:
            raise BenchError(str(error)) from error
        self.backbone = backbone.eval()
        self.layer = found.name
        self.stride = found.stride
        self.out_channels = found.channels
        centre_px = first_centre_px(backbone, layer=found.name)
        self.pad_px = max(0, math.floor(centre_px - 0.5))
        self.shift_px = centre_px - 0.5 - self.pad_px
        """Where position 0 lies in the picture, in pixels counted from 0, once it is padded."""
        self._freeze(frozen)

    def train(self, mode: bool = True) -> "Trunk":
        """Stay in evaluation mode: norms keep their statistics."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h2 w2"]:
        """Return the map of normalised pictures, after its ReLU."""
        pad = self.pad_px
        features = self.backbone(F.pad(image, (pad, pad, pad, pad)), until=self.layer)[self.layer]
        return torch.relu(features) if self.backbone.taps == "pre" else features

    def _freeze(self, frozen: tuple[str, ...]) -> None:
        names = [name for name, _ in self.backbone.named_parameters()]
        for start in frozen:
            if not any(name.startswith(start) for name in names):
                raise BenchError(
                    f"backbone {self.backbone.name} has no parameter that begins with {start!r}; its first is {names[0]}"
                )
        for part in self.backbone.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.requires_grad_(False)
        for name, parameter in self.backbone.named_parameters():
            if name.startswith(frozen):
                parameter.requires_grad_(False)


def detection_layer(backbone: Backbone) -> str:
    """Return the layer that regions are pooled from where nobody says: conv5 of an AlexNet, else the last."""
    return "conv5" if isinstance(backbone, AlexNet | StandardAlexNet) else backbone.output_layer


def prepared_backbone(
    backbone: Backbone, *, calibration: Float[Tensor, "n 3 h w"] | None
) -> Backbone:
    """Return a copy with batch norm folded into convolutions.

    Args:
        backbone: Left as it is.
        calibration: Normalised pictures on which batch norms measure their statistics anew before; None keeps theirs.
    """
    own = copy.deepcopy(backbone).eval()
    if calibration is not None:
        recalibrate(own, calibration)
    if not own.folded:
        own = fold_batch_norm(own)
    if isinstance(own, StandardAlexNet):
        own.min_size_px = 31  # its linear layers want 223, but run on pooled regions here
    return own


def rescaled_backbone(
    backbone: Backbone, *, pictures: Float[Tensor, "n 3 h w"], seed: int
) -> tuple[Backbone, str]:
    """Return the network with all layers brought to one rate of learning, and a sentence on it.

    A network that is no chain of layers, or has batch norm left, stays as it is, and the sentence says so.
    """
    generator = torch.Generator().manual_seed(seed)
    try:
        own = rescale(backbone, pictures=pictures, generator=generator)
    except ValueError as error:
        return backbone, f"Layers are not rescaled: {error}."
    own.min_size_px = backbone.min_size_px
    return (
        own,
        "Layers are rescaled to one rate of learning before they are trained (Krähenbühl et al., ICLR 2016).",
    )


@torch.no_grad()
def recalibrate(backbone: Backbone, pictures: Float[Tensor, "n 3 h w"]) -> None:
    """Let batch norms measure mean and variance over pictures, layer after layer, in one pass."""
    norms = [
        part
        for part in backbone.modules()
        if isinstance(part, nn.BatchNorm2d) and part.track_running_stats
    ]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
        norm.train()
    backbone(pictures)
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
        norm.eval()


def first_centre_px(backbone: Backbone, *, layer: str) -> float:
    """Measure where the centre of a map's first position lies, in pixels from the picture's edge (continuous).

    It is the middle of what a position far from every edge depends on, found by gradients to pictures of noise, less its
    number times the stride.

    Raises:
        BenchError: if a position sees the whole picture, so that it has no middle.
    """
    stride = backbone.layer(layer).stride
    like = next(backbone.parameters())
    for cells in (24, 48):
        side = max(cells * stride, backbone.min_size_px)
        low, high, place = _seen(backbone, layer=layer, side=side, like=like)
        if low > 0 and high < side - 1:
            return (low + high + 1) / 2 - place * stride
    raise BenchError(
        f"layer {layer} of {backbone.name} sees {side} pixels and more: regions cannot be pooled from it; choose another layer"
    )


def _seen(backbone: Backbone, *, layer: str, side: int, like: Tensor) -> tuple[int, int, int]:
    """Return the first and last pixel that the middle position depends on, and that position."""
    generator = torch.Generator().manual_seed(0)
    touched = torch.zeros(side, dtype=torch.bool)
    place = 0
    for _ in range(_PROBES):
        picture = torch.randn(1, 3, side, side, generator=generator).to(like).requires_grad_()
        features = backbone(picture, until=layer)[layer]
        place = features.shape[-1] // 2
        (gradient,) = torch.autograd.grad(features[0, :, place, place].sum(), picture)
        seen = gradient[0].abs().amax(dim=0) > 0
        touched |= (seen.any(dim=0) | seen.any(dim=1)).cpu()
    where = torch.nonzero(touched).flatten()
    if not len(where):
        raise BenchError(f"layer {layer} of {backbone.name} answers nothing to any picture")
    return int(where[0]), int(where[-1]), place
