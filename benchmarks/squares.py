"""Pictures of any shape shown to a network as it saw them in training: squares of one side that overlap.

A convolutional network learns from its zero padding where the borders of its squares are, and what lies there: floors below,
ceilings above. Shown a picture of another shape, or one that was enlarged by a mirrored margin, it takes what is not a border
for one and the reverse; on NYU Depth v2 that costs normals 5 to 10 degrees.
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Maps = dict[str, Float[Tensor, "n _ h w"]]


def square_starts(length: int, *, side: int) -> list[int]:
    """Place as few squares as cover a length, evenly.

    Raises:
        ValueError: if the length is shorter than a side.

    >>> square_starts(150, side=112)
    [0, 38]
    >>> square_starts(112, side=112)
    [0]
    """
    if length < side:
        raise ValueError(f"a length of {length} pixels holds no square of {side}")
    count = math.ceil(length / side)
    return [round(place * (length - side) / max(count - 1, 1)) for place in range(count)]


def through_squares(
    answer: Callable[[Float[Tensor, "n c s s"]], Maps],
    inputs: Float[Tensor, "n c h w"],
    *,
    side: int,
) -> Maps:
    """Answer squares that cover the pictures, and blend them linearly where they overlap.

    Args:
        answer: From squares to maps of their size, by name.
        inputs: What the network reads; neither side shorter than a square's.
        side: Of a square, in pixels.

    Returns:
        Maps of the pictures' size.

    Raises:
        ValueError: if a picture is smaller than a square.
    """
    height, width = inputs.shape[-2:]
    weight = _tent(side, device=inputs.device)
    weight = weight[:, None] * weight[None]
    total = torch.zeros(height, width, device=inputs.device)
    joined: Maps = {}
    for top in square_starts(height, side=side):
        for left in square_starts(width, side=side):
            window = (..., slice(top, top + side), slice(left, left + side))
            total[window] += weight
            for name, part in answer(inputs[window]).items():
                if name not in joined:
                    joined[name] = part.new_zeros((*part.shape[:2], height, width))
                joined[name][window] += weight * part
    return {name: map_ / total for name, map_ in joined.items()}


def _tent(side: int, *, device: torch.device) -> Float[Tensor, " side"]:
    """Return weights that fall from the middle of a square to its borders, and stay positive."""
    centre = torch.arange(side, device=device) + 0.5
    return torch.minimum(centre, side - centre)
