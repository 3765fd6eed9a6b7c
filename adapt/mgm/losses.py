"""What the dense tasks and the scene minimise; sums and counts are global (`ranks.py`).

As released with Bao, Hebert and Wang (ICML 2022) but for the masks: there, pixels without a label counted as a class, as depth 0
and as the normal (0, 0, 0). Values under a mask never matter, not even NaN.
"""

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.losses import normal_loss as cosine_loss
from scenelift.adapt.ranks import totals

__all__ = [
    "cosine_loss",
    "depth_l1",
    "normal_l1",
    "scene_loss",
    "segmentation_loss",
]


def segmentation_loss(
    logits: Float[Tensor, "n c h w"], semantic: Int64[Tensor, "n h w"]
) -> Float[Tensor, ""]:
    """Average the cross entropy over the pixels whose class is known.

    Args:
        logits: Channel k is of class k + 1.
        semantic: The class, 0 unknown; classes beyond the channels are unknown too.

    Returns:
        At least 0; 0 with zero gradient where no class is known.

    >>> round(segmentation_loss(torch.zeros(1, 4, 1, 2), torch.tensor([[[3, 0]]])).item(), 4)
    1.3863
    """
    known = (semantic > 0) & (semantic <= logits.shape[1])
    target = torch.where(known, semantic - 1, -1)
    # One row a pixel: several times faster than over the channels of a map, where these lie side by side in memory.
    rows = logits.float().permute(0, 2, 3, 1).flatten(0, 2)
    value = F.cross_entropy(rows, target.flatten(), ignore_index=-1, reduction="sum")
    value, count = totals(value, known.sum().to(value.dtype))
    return value / count.clamp(min=1)


def depth_l1(
    predicted_m: Float[Tensor, "n 1 h w"],
    z_depth_m: Float[Tensor, "n 1 h w"],
    *,
    valid: Bool[Tensor, "n 1 h w"],
) -> Float[Tensor, ""]:
    """Average the absolute error of depth in metres over the pixels where it is known: valid, positive and finite."""
    known = valid & (z_depth_m > 0) & z_depth_m.isfinite()
    error = torch.where(known, predicted_m.float(), 0) - torch.where(known, z_depth_m, 0)
    return _mean(error.abs(), where=known)


def normal_l1(
    predicted: Float[Tensor, "n 3 h w"],
    normal: Float[Tensor, "n 3 h w"],
    *,
    valid: Bool[Tensor, "n 1 h w"],
) -> Float[Tensor, ""]:
    """Average the absolute error of the normals' three components over the pixels where they are known.

    Args:
        predicted: As the network answers, not brought to unit length.
        normal: Unit normals, camera frame; (0, 0, 0) where unknown.
        valid: Where a surface is seen.
    """
    known = valid & (normal != 0).any(dim=1, keepdim=True)
    error = torch.where(known, predicted.float(), 0) - torch.where(known, normal, 0)
    return _mean(error.abs().mean(dim=1, keepdim=True), where=known)


def scene_loss(logits: Float[Tensor, "n c"], scene: Int64[Tensor, " n"]) -> Float[Tensor, ""]:
    """Average the cross entropy over the pictures whose scene is known; -1 is unknown."""
    known = scene >= 0
    target = torch.where(known, scene, -1)
    each = F.cross_entropy(logits.float(), target, ignore_index=-1, reduction="none")
    return _mean(each, where=known)


def _mean(values: Float[Tensor, "*shape"], *, where: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Average over the chosen elements of all ranks; 0 where none is chosen."""
    value, count = totals(torch.where(where, values, 0).sum(), where.sum().to(values.dtype))
    return value / count.clamp(min=1)
