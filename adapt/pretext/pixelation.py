"""Patches brought to few pixels and back, each to another number, all at once."""

import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor


def pixelate(
    patches: Float[Tensor, "n p 3 t t"],
    *,
    chosen: Bool[Tensor, "n p"],
    share: Float[Tensor, "n p"],
    least_pixels: float,
) -> Float[Tensor, "n p 3 t t"]:
    """Bring chosen patches to fewer pixels by area, and back linearly.

    Args:
        patches: Square.
        chosen: Which; the others stay bit for bit.
        share: Numbers in [0, 1): where between the least number of pixels and a row less than all.
        least_pixels: As a share of all.
    """
    side = patches.shape[-1]
    greatest = ((side - 1) / side) ** 2
    pixels = least_pixels + share * max(greatest - least_pixels, 0.0)
    fewer = (pixels.sqrt() * side).round().long().clamp(1, side)
    maps = resampling(fewer.flatten(), side=side).view(*fewer.shape, 1, side, side)
    coarse = maps @ patches @ maps.mT
    return torch.where(chosen[..., None, None, None], coarse, patches)


def resampling(fewer: Int64[Tensor, " m"], *, side: int) -> Float32[Tensor, "m side side"]:
    """Return the matrices that bring a row of `side` pixels to fewer, by area, and back, linearly between their centres.

    >>> resampling(torch.tensor([1]), side=2).tolist()
    [[[0.5, 0.5], [0.5, 0.5]]]
    """
    pixels = torch.arange(side, dtype=torch.float32, device=fewer.device)
    size = side / fewer.float()[:, None, None]  # of a coarse pixel
    start = pixels[:, None] * size  # m coarse 1
    covered = (torch.minimum(pixels + 1, start + size) - torch.maximum(pixels, start)).clamp(min=0)
    there = pixels < fewer[:, None]
    down = covered / size * there[..., None]
    last = (fewer - 1).float()[:, None]
    place = ((pixels + 0.5) / size[:, 0] - 0.5).clamp(min=0).minimum(last)
    up = (1 - (place[..., None] - pixels).abs()).clamp(min=0) * there[:, None]
    return up @ down
