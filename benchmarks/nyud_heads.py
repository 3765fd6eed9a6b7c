"""What is put on a backbone for NYU Depth v2: the package's heads for normals and depth, and coarse ones for many classes.

A head of 40 logits a pixel costs more than the backbone. Classes are answered at twice the resolution of the map, enlarged
linearly to half of the picture's, and learnt there.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone, Layer
from scenelift.adapt.heads import ChainHead, Heads, build_heads
from scenelift.adapt.initialise import initialise, without_weights
from scenelift.benchmarks.nyud_judge import mirror_margin
from scenelift.benchmarks.task import BenchError

CLASS_STRIDE = 2
"""Pixels of the picture to a position of the answered classes."""
_MAX_MAP_STRIDE = 64
_WIDTH = 64


class DenseHeads(nn.Module):
    """Heads at the picture's resolution, and heads of classes at half of it."""

    def __init__(self, *, full: Heads | None, classes: Heads | None) -> None:
        super().__init__()
        self.full = full
        self.classes = classes

    def forward(
        self, features: dict[str, Float[Tensor, "n _c _h _w"]], *, width: int, height: int
    ) -> dict[str, Float[Tensor, "n _c _h _w"]]:
        """Answer at the picture's size, and classes at half of it, rounded down."""
        answers: dict[str, Float[Tensor, "n _c _h _w"]] = {}
        if self.full is not None:
            answers |= self.full(features, width=width, height=height)
        if self.classes is not None:
            size = {"width": width // CLASS_STRIDE, "height": height // CLASS_STRIDE}
            answers |= self.classes(features, **size)
        return answers


def build_dense_heads(
    backbone: Backbone,
    *,
    generator: torch.Generator,
    full: Mapping[str, int],
    classes: Mapping[str, int],
) -> DenseHeads:
    """Build heads on the CPU.

    Args:
        backbone: What they read.
        generator: Where weights are drawn from.
        full: Channels by task at the picture's resolution.
        classes: Number of classes by task.

    Raises:
        BenchError: if the backbone's last layer is no map.
    """
    layer = backbone.layers[-1]
    if layer.stride > _MAX_MAP_STRIDE:
        raise BenchError(
            f"{backbone.name} ends in linear layers, which give no map; take the same network with dilated ones"
        )
    dense = DenseHeads(
        full=build_heads(backbone, generator=generator, tasks=full) if full else None,
        classes=without_weights(
            lambda: Heads(
                shared=None,
                by_task={
                    task: class_head(layer, border=backbone.unseen_border, out=number)
                    for task, number in classes.items()
                },
                layers=(layer.name,),
                after_relu=backbone.taps == "post",
            )
        )
        if classes
        else None,
    )
    if dense.classes is not None:
        initialise(dense.classes, init="default", generator=generator)
    return dense


def class_head(layer: Layer, *, border: bool, out: int) -> ChainHead:
    """Narrow a map, double it, and answer there; then enlarge to half of the picture.

    Args:
        layer: The map that is read.
        border: Whether the map ends half a position before the picture does; then the doubling adds that much.
        out: Number of classes.
    """
    return ChainHead(
        nn.Conv2d(layer.channels, _WIDTH, 1, bias=False),
        nn.BatchNorm2d(_WIDTH),
        nn.ReLU(inplace=True),
        nn.ConvTranspose2d(_WIDTH, _WIDTH, 4, stride=2, padding=0 if border else 1, bias=False),
        nn.BatchNorm2d(_WIDTH),
        nn.ReLU(inplace=True),
        nn.Conv2d(_WIDTH, out, 3, padding=1),
        nn.Upsample(
            scale_factor=max(1.0, layer.stride / 2 / CLASS_STRIDE),
            mode="bilinear",
            align_corners=False,
        ),
    )


def answer_whole(
    backbone: Backbone, heads: DenseHeads, *, inputs: Float[Tensor, "n 3 h w"]
) -> dict[str, Float[Tensor, "n _c h w"]]:
    """Answer whole pictures at their own size; what heads would repeat at the right and below falls outside."""
    height, width = inputs.shape[-2:]
    margin = mirror_margin(backbone, height=height, width=width)
    padded = F.pad(inputs, (0, margin, 0, margin), mode="reflect")
    answers = heads(backbone(padded), width=width + margin, height=height + margin)
    found = {}
    for name, answer in answers.items():
        if answer.shape[-2:] != padded.shape[-2:]:
            enlarged = F.interpolate(
                answer, scale_factor=CLASS_STRIDE, mode="bilinear", align_corners=False
            )
        else:
            enlarged = answer
        found[name] = enlarged[..., :height, :width].float()
    return found
