"""Which part of a picture is hidden, and what one who only looks at its border would put there."""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.colour import uniform
from scenelift.adapt.pretext.hashed import uniforms

_BISECTIONS = 18
"""Halvings of the range of the noise, until less than a pixel lies between."""


def irregular_masks(
    sample_seed: Int64[Tensor, " n"],
    *,
    side_px: int,
    cells: int,
    area: tuple[float, float],
    salt: int,
) -> Bool[Tensor, "n 1 {side_px} {side_px}"]:
    """Hide islands of any shape: where coarse noise, enlarged smoothly, is lowest.

    Args:
        sample_seed: What decides, one a sample.
        side_px: Side of the picture.
        cells: Side of the noise; more cells give more and smaller islands.
        area: Least and greatest share of the picture that is hidden; each sample has its own between them.
        salt: The first of `1 + cells * cells` salts.
    """
    noise = uniforms(sample_seed, count=cells * cells, salt=salt + 1)
    smooth = F.interpolate(
        noise.view(-1, 1, cells, cells), size=(side_px, side_px), mode="bicubic"
    ).flatten(1)
    share = area[0] + (area[1] - area[0]) * uniform(sample_seed, salt=salt)
    lowest, highest = smooth.amin(dim=1), smooth.amax(dim=1)
    for _ in range(_BISECTIONS):  # a sort takes longer than the network's forward pass
        threshold = (lowest + highest) / 2
        too_low = (smooth < threshold[:, None]).float().mean(dim=1) < share
        lowest = torch.where(too_low, threshold, lowest)
        highest = torch.where(too_low, highest, threshold)
    return (smooth < highest[:, None]).view(-1, 1, side_px, side_px)


def central_square(
    *, side_px: int, square_px: int, device: torch.device | None = None
) -> Bool[Tensor, "1 1 {side_px} {side_px}"]:
    """Hide the square in the middle.

    >>> central_square(side_px=4, square_px=2)[0, 0].int().tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    before = (side_px - square_px) // 2
    place = torch.arange(side_px, device=device)
    within = (place >= before) & (place < before + square_px)
    return (within[:, None] & within)[None, None]


def fill_from_border(
    colours: Float[Tensor, "n c h w"], hidden: Bool[Tensor, "n 1 h w"]
) -> Float[Tensor, "n c h w"]:
    """Fill what is hidden smoothly from what surrounds it (pull-push; Gortler et al., SIGGRAPH 1996).

    Each level halves the picture, averaging over what is seen, until nothing is hidden; then holes are filled from the level
    below. 0 where all of a picture is hidden.

    >>> row = torch.tensor([[[[0.25, 9.0, 0.75, 0.75]]]])
    >>> fill_from_border(row, torch.tensor([[[[False, True, False, False]]]])).tolist()
    [[[[0.25, 0.375, 0.75, 0.75]]]]
    """
    height, width = colours.shape[2:]
    seen = (~hidden).to(colours.dtype)
    if max(height, width) == 1:
        return colours * seen
    weight = F.avg_pool2d(seen, 2, ceil_mode=True)
    sums = F.avg_pool2d(colours * seen, 2, ceil_mode=True)
    coarse = sums / torch.where(weight > 0, weight, 1)
    coarse = fill_from_border(coarse, weight == 0)
    enlarged = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return torch.where(hidden, enlarged, colours)
