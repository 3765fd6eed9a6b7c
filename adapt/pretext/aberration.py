"""Colours that do not tell where in a picture a patch lay.

A lens focuses colours at slightly different magnifications, so the shift between the channels of a patch points at the picture's
centre. Doersch, Gupta and Efros (ICCV 2015) found networks that read it instead of the content, and took colour away from them.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""
PROJECTION = (
    (5 / 6, 2 / 6, -1 / 6),
    (2 / 6, 2 / 6, 2 / 6),
    (-1 / 6, 2 / 6, 5 / 6),
)
"""1 - a a^T / (a^T a) for a = (-1, 2, -1), the axis from magenta to green (Doersch et al., section 3.1)."""


def colour_matrices(
    *, grey: Tensor, projected: Tensor, like: Float[Tensor, "..."]
) -> Float[Tensor, "n 3 3"]:
    """Return what each picture's colours are multiplied by: grey where it is so, else projected where it is so, else left.

    Args:
        grey: Bool n.
        projected: Bool n.
        like: Says type and device.
    """
    luma = like.new_tensor([LUMA] * 3)
    projection = like.new_tensor(PROJECTION)
    left = torch.eye(3, dtype=like.dtype, device=like.device)
    other = torch.where(projected[:, None, None], projection, left)
    return torch.where(grey[:, None, None], luma, other)


def mix_colours(
    pictures: Float[Tensor, "n *p 3 h w"], matrices: Float[Tensor, "n *#p 3 3"]
) -> Float[Tensor, "n *p 3 h w"]:
    """Multiply every pixel's colour by its picture's matrix."""
    return (matrices @ pictures.flatten(-2)).view(pictures.shape)


def shift_channels(
    shares: Float[Tensor, "n p 6"], *, most_px: int, still: Tensor
) -> Int64[Tensor, "n p 3 2"]:
    """Return how far each channel of a patch is moved, down and right, from -most to most; nothing where `still` (Bool n)."""
    moved = (shares * (2 * most_px + 1)).long() - most_px
    axes: Tensor = moved.unflatten(2, (3, 2))
    return axes * (~still)[:, None, None, None]
