"""Boxes relative to others, as regressors answer them."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

MAX_LOG_GROWTH = math.log(1000 / 16)
"""A decoded side grows at most so much: an untrained regressor cannot overflow (Detectron's bound)."""


def encode(
    corners: Float[Tensor, "n 4"], *, reference: Float[Tensor, "n 4"]
) -> Float[Tensor, "n 4"]:
    """Say boxes relative to others: shift of the centre in sides, logarithm of the ratio of sides (Girshick et al., CVPR 2014).

    The numbers do not change when both are resized by axis. Boxes are not empty.
    """
    centre, side = _centre_and_side(corners)
    centre_0, side_0 = _centre_and_side(reference)
    return torch.cat([(centre - centre_0) / side_0, torch.log(side / side_0)], dim=1)


def decode(
    offsets: Float[Tensor, "n 4"], *, reference: Float[Tensor, "n 4"]
) -> Float[Tensor, "n 4"]:
    """Undo `encode`; growth of a side is bounded by `MAX_LOG_GROWTH`."""
    centre_0, side_0 = _centre_and_side(reference)
    centre = centre_0 + offsets[:, :2] * side_0
    half = side_0 * torch.exp(offsets[:, 2:].clamp(max=MAX_LOG_GROWTH)) / 2
    return torch.cat([centre - half, centre + half], dim=1)


def _centre_and_side(
    corners: Float[Tensor, "n 4"],
) -> tuple[Float[Tensor, "n 2"], Float[Tensor, "n 2"]]:
    side = corners[:, 2:] - corners[:, :2]
    return corners[:, :2] + side / 2, side
