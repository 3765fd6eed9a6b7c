"""Answers of a coarse map on the finer grid of their targets, each where it belongs in the picture."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone, Layer
from scenelift.adapt.method import PictureSizeError


def pooled(values: Float[Tensor, "n c h w"], *, stride: int) -> Float[Tensor, "n c _ _"]:
    """Return the mean over squares of `stride` pixels; what is left at the right and lower edge is dropped.

    Raises:
        ValueError: if no square fits.
    """
    height, width = values.shape[-2:]
    if min(height, width) < stride:
        raise PictureSizeError(
            f"target_stride {stride} needs pictures of at least that many pixels, got {width} x {height}"
        )
    return F.avg_pool2d(values, stride)


def on_grid(
    answers: Float[Tensor, "n c h w"],
    *,
    backbone: Backbone,
    layer: Layer,
    target_stride: int,
    size: tuple[int, int],
) -> Float32[Tensor, "n c _ _"]:
    """Interpolate a map's answers linearly at the centres of squares of `target_stride` pixels; beyond its ends they stay.

    A position of the map lies in the middle of the `stride` pixels that it stands for, or half a stride further where the
    network has an unseen border (`Backbone.unseen_border`).

    Args:
        answers: One position every `layer.stride` pixels.
        backbone: Where the map comes from.
        layer: The map.
        target_stride: Pixels of the picture from one target to the next.
        size: Height and width of the grid.
    """
    first = layer.stride * (1.0 if backbone.unseen_border else 0.5)
    rows, columns = (
        _hats(count, length, first=first, stride=layer.stride, target_stride=target_stride)
        for count, length in zip(size, answers.shape[-2:], strict=True)
    )
    with torch.autocast(answers.device.type, enabled=False):
        across = answers.float() @ columns.T.to(answers.device)
        return rows.to(answers.device) @ across


def _hats(
    count: int, length: int, *, first: float, stride: int, target_stride: int
) -> Float32[Tensor, "count length"]:
    """Return the weight of each position of the map (columns) at each target (rows)."""
    centres = (torch.arange(count) + 0.5) * target_stride
    places = ((centres - first) / stride).clamp(0, length - 1)
    return (1 - (places[:, None] - torch.arange(length)).abs()).clamp(min=0)
