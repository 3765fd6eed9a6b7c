"""Patch discriminators on a backbone's feature map: one logit of "real" a patch.

The body is that of Ren and Lee's released code: convolutions of stride 2 down to a thirty-second of the picture, then 1 x 1.
They normalise with batch norm, which lets the logit of a picture depend on its batch; by default spectral norm stands in
its place (Miyato et al., ICLR 2018).
"""

from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone, Layer
from scenelift.adapt.initialise import Init, initialise, without_weights

Norm = Literal["spectral", "batch", "none"]
NORMS: tuple[Norm, ...] = ("spectral", "batch", "none")
LEAK = 0.2
SMALL_MAP = 7
"""A 3 x 3 convolution halves maps of at least this many positions a side (7 gives 3); smaller ones keep their size."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One convolution of a discriminator's body."""

    channels: int
    kernel: int = 1
    stride: int = 1


def _half(channels: int, *, kernel: int = 3) -> Step:
    return Step(channels=channels, kernel=kernel, stride=2)


RELEASED: dict[tuple[str, str], tuple[Step, ...]] = {
    ("alexnet", "conv1"): (_half(192), _half(384), _half(512)),
    ("alexnet", "conv2"): (_half(512), _half(640)),
    ("alexnet", "conv3"): (_half(512), Step(channels=512)),
    ("alexnet", "conv4"): (_half(512), Step(channels=512)),
    ("alexnet", "conv5"): (_half(512), Step(channels=512)),
    ("alexnet", "fc6"): (_half(512), Step(channels=256)),
    ("vgg16", "conv4"): (_half(1024, kernel=4), _half(1024, kernel=2)),
    ("vgg16", "conv5"): (_half(1024, kernel=4), Step(channels=1024)),
}
"""The released bodies, by backbone and layer; a last 1 x 1 convolution to one channel follows."""


def body_for(layer: Layer) -> tuple[Step, ...]:
    """Shape a body by the released ones' rule: halve down to stride 32, doubling channels up to 512, in two steps at least.

    >>> [step.channels for step in body_for(Layer(name="layer1", channels=64, stride=4))]
    [128, 256, 512]
    >>> [(step.channels, step.kernel) for step in body_for(Layer(name="conv5", channels=64, stride=16))]
    [(128, 3), (128, 1)]
    """
    steps: list[Step] = []
    channels, stride = layer.channels, layer.stride
    while stride < 32 or not steps:
        channels = min(2 * channels, 512)
        steps.append(_half(channels))
        stride *= 2
    if len(steps) == 1:
        steps.append(Step(channels=channels))
    return tuple(steps)


class SpectralConv2d(nn.Conv2d):
    """A convolution divided by the largest singular value of its weight as a matrix (out, in x k x k).

    One power iteration in each training call follows that value; its left vector is the buffer `left`. All of it is computed
    in the weight's own precision, whatever the autocast.
    """

    left: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride=stride)
        self.register_buffer("left", torch.zeros(outputs))

    @torch.no_grad()
    def start(self, *, generator: torch.Generator) -> None:
        """Draw the first left vector and follow it until it hardly moves."""
        self.left.normal_(generator=generator)
        for _ in range(15):
            self._iterate()

    @torch.no_grad()
    def _iterate(self) -> None:
        matrix = self.weight.flatten(1)
        right = F.normalize(matrix.mT @ self.left, dim=0, eps=1e-12)
        self.left.copy_(F.normalize(matrix @ right, dim=0, eps=1e-12))

    def normalised_weight(self) -> Float[Tensor, "o i k k"]:
        """Return the weight over its largest singular value, through which gradients pass."""
        with torch.autocast(self.weight.device.type, enabled=False):
            if self.training:
                self._iterate()
            left = self.left.clone()  # a later call's iteration must not reach this call's graph
            matrix = self.weight.flatten(1)
            right = F.normalize(matrix.detach().mT @ left, dim=0, eps=1e-12)
            largest = left @ (matrix @ right)
            return self.weight / largest.clamp(min=1e-12)


class PatchDiscriminator(nn.Module):
    """Convolutions with leaky ReLUs, from a feature map to a map of logits."""

    def __init__(self, layer: Layer, *, body: tuple[Step, ...], norm: Norm) -> None:
        """Build the body.

        Args:
            layer: The feature map that is read.
            body: The convolutions before the last one.
            norm: Batch norm follows every convolution but the last; spectral norm holds all of them.

        Raises:
            ValueError: if there is no such norm.
        """
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
        self.layer = layer
        convolution = SpectralConv2d if norm == "spectral" else nn.Conv2d
        inputs = (layer.channels, *(step.channels for step in body))
        self.convolutions = nn.ModuleList(
            convolution(channels, step.channels, step.kernel, stride=step.stride)
            for channels, step in zip(inputs, body, strict=False)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(step.channels) if norm == "batch" else nn.Identity() for step in body
        )
        channels = inputs[-1]
        self.last = convolution(channels, 1, 1)

    def forward(self, feature: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 h2 w2"]:
        """Return logits of "real", one a patch; at least 3 x 3 of them where the map has so many."""
        logits = _convolve(self.last, self.hidden(feature)[-1])
        return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits

    def hidden(self, feature: Float[Tensor, "n c h w"]) -> list[Float[Tensor, "n _ _ _"]]:
        """Return what each convolution but the last one gives, after its leaky ReLU."""
        maps: list[Tensor] = []
        x = feature
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.leaky_relu(norm(_convolve(cast("nn.Conv2d", convolution), x)), LEAK)
            maps.append(x)
        return maps


def _convolve(layer: nn.Conv2d, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
    """Convolve, keeping the size of a map that is too small to be halved."""
    weight = layer.normalised_weight() if isinstance(layer, SpectralConv2d) else layer.weight
    kernel, stride = layer.kernel_size[0], layer.stride[0]
    if kernel > 1 and min(x.shape[-2:]) < SMALL_MAP:
        before, after = (kernel - 1) // 2, kernel // 2
        x, stride = F.pad(x, (before, after, before, after)), 1
    return F.conv2d(x, weight, layer.bias, stride=stride)


def build_discriminator(
    backbone: Backbone,
    layer: str,
    *,
    generator: torch.Generator,
    norm: Norm = "spectral",
    init: Init = "default",
) -> PatchDiscriminator:
    """Build the discriminator of one layer, on the CPU: the released body where there is one, else one by its rule.

    Args:
        backbone: Whose features are judged.
        layer: The name of the feature map.
        generator: Where weights are drawn from.
        norm: `batch` is the released choice.
        init: How weights are drawn; `released` is the released choice.

    Raises:
        ValueError: if the backbone has no such layer, or there is no such norm or initialisation.
    """
    read = backbone.layer(layer)
    body = RELEASED.get((backbone.name, read.name)) or body_for(read)
    discriminator = without_weights(lambda: PatchDiscriminator(read, body=body, norm=norm))
    initialise(discriminator, init=init, generator=generator)
    for part in discriminator.modules():
        if isinstance(part, SpectralConv2d):
            part.start(generator=generator)
    return discriminator
