"""What the three tasks minimise: edges, log depth, normals.

Every sum and count is global (`ranks.py`). `masked` is what this package trains with: values under the mask never matter, not
even NaN. `released` is what the code released with the paper computes, without masks (Ren and Lee, CVPR 2018). Depth is
`z_depth_m`; normals are unit, camera frame. Half precision is widened first: a log or a cosine of bfloat16 is noise.
"""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.ranks import total, totals

Variant = Literal["masked", "released"]

SHORTEST_NORMAL = 1e-6
"""A predicted normal shorter than this is not stretched to unit length: bounds the gradient where a network answers zeros."""


def edge_loss(
    logits: Float[Tensor, "n 1 h w"],
    edge: Bool[Tensor, "n 1 h w"],
    *,
    valid: Bool[Tensor, "n 1 h w"],
    variant: Variant = "masked",
) -> Float[Tensor, ""]:
    """Cross entropy of edge pixels against the rest.

    `masked` weighs the classes as HED does (Xie and Tu, ICCV 2015), beta from the counts of the whole batch, and divides by the
    sum of the weights: the mean of the mean over edges and the mean over the rest, ln 2 for a network that knows nothing.
    `released` weighs all pixels of an image by (area - edges) / edges, so it rescales images and balances no class; it
    counted the edges before the crop, this function after it, and takes one edge for an image that has none.

    Args:
        logits: Of being an edge.
        edge: The truth.
        valid: Where it is known; `released` looks at all pixels.
        variant: With masks and balanced, or as released.

    Returns:
        At least 0; 0 with zero gradient where the valid pixels are not of both classes.

    >>> edge = torch.tensor([[[[True, False, False, False]]]])
    >>> loss = edge_loss(torch.zeros(1, 1, 1, 4), edge, valid=torch.ones_like(edge))
    >>> round(loss.item(), 4)
    0.6931
    """
    logits = _widened(logits)
    if variant == "released":
        num_edge = edge.flatten(1).sum(1).clamp(min=1).to(logits.dtype)
        weight = (edge[0].numel() - num_edge) / num_edge
        each = F.binary_cross_entropy_with_logits(logits, edge.to(logits.dtype), reduction="none")
        return _mean(
            weight * each.flatten(1).sum(1), count=torch.full_like(num_edge, edge[0].numel())
        )
    logits = torch.where(valid, logits, 0)
    positive, negative = edge & valid, ~edge & valid
    sum_positive, num_positive, sum_negative, num_negative = totals(
        torch.where(positive, F.softplus(-logits), 0).sum(),
        positive.sum().to(logits.dtype),
        torch.where(negative, F.softplus(logits), 0).sum(),
        negative.sum().to(logits.dtype),
    )
    both = (num_positive > 0) & (num_negative > 0)
    balanced = sum_positive / num_positive.clamp(min=1) + sum_negative / num_negative.clamp(min=1)
    return torch.where(both, balanced / 2, 0)


def depth_loss(
    log_depth: Float[Tensor, "n 1 h w"],
    z_depth_m: Float[Tensor, "n 1 h w"],
    *,
    valid: Bool[Tensor, "n 1 h w"],
    variant: Variant = "masked",
    scale_invariance: float = 0.5,
) -> Float[Tensor, ""]:
    """Squared error of the log of depth, part of an image's common error forgiven (Eigen et al., NIPS 2014).

    With d the error of ln metres, an image's loss is mean(d^2) - scale_invariance * mean(d)^2, averaged over the images that
    have a valid pixel. `released` is half of mean(d^2) + 0.5 * mean(d)^2 over the batch, against ln(z_depth_m + 1e-8): the sign
    is turned round, so that a batch's common error costs more, and missing depth counts as -18.4.

    Args:
        log_depth: Prediction of ln metres.
        z_depth_m: The truth along the optical axis; 0 or less, or not finite: unknown.
        valid: Where it is known; `released` looks at all pixels.
        variant: With masks and by image, or as released.
        scale_invariance: Eigen's lambda: 0 the plain mean square, 1 blind to scale; `masked` only.

    Returns:
        At least 0; 0 with zero gradient where no pixel is valid.

    >>> z_depth_m = torch.full((1, 1, 2, 2), 3.0)
    >>> args = z_depth_m.log() + 2, z_depth_m
    >>> valid = z_depth_m > 0
    >>> [round(depth_loss(*args, valid=valid, variant=v).item(), 3) for v in ("masked", "released")]
    [2.0, 3.0]
    """
    log_depth, z_depth_m = _widened(log_depth), _widened(z_depth_m)
    if variant == "released":
        d = log_depth - (z_depth_m.clamp(min=0) + 1e-8).log()
        sum_d, sum_d2, num = totals(d.sum(), d.square().sum(), d.new_full((), d.numel()))
        return (sum_d2 / num + 0.5 * (sum_d / num).square()) / 2
    known = valid & (z_depth_m > 0) & z_depth_m.isfinite()
    d = torch.where(known, log_depth - torch.where(known, z_depth_m, 1).log(), 0).flatten(1)
    num = known.flatten(1).sum(1).to(d.dtype)
    mean = d.sum(1) / num.clamp(min=1)
    mean_square = d.square().sum(1) / num.clamp(min=1)
    return _mean(mean_square - scale_invariance * mean.square(), count=(num > 0).to(d.dtype))


def normal_loss(
    predicted: Float[Tensor, "n 3 h w"],
    normal: Float[Tensor, "n 3 h w"],
    *,
    valid: Bool[Tensor, "n 1 h w"],
    variant: Variant = "masked",
) -> Float[Tensor, ""]:
    """One minus the cosine between predicted and true surface normals, averaged over the batch's pixels.

    `released` looks at all pixels; an unknown normal, black in its files, is decoded to (-1, -1, -1) there.

    Args:
        predicted: Normals of any length, camera frame; they are normalised here.
        normal: Unit normals, camera frame; (0, 0, 0) where unknown.
        valid: Where a surface is seen; `released` looks at all pixels.
        variant: With masks, or as released.

    Returns:
        A scalar in [0, 2]; 0 with zero gradient where no pixel is valid.

    >>> up = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    >>> side = torch.tensor([5.0, 0.0, 0.0]).view(1, 3, 1, 1)
    >>> normal_loss(side, up, valid=torch.ones(1, 1, 1, 1, dtype=torch.bool)).item()
    1.0
    """
    predicted, normal = _widened(predicted), _widened(normal)
    known = (normal != 0).any(dim=1, keepdim=True)
    if variant == "released":
        normal = F.normalize(torch.where(known, normal, -1), dim=1)
        known = torch.ones_like(known)
    else:
        known = known & valid
        normal = torch.where(known, normal, 0)
    predicted = torch.where(known, predicted, 0)
    # Twice as fast as `F.normalize`, whose norm over channels is slow on processors.
    square = predicted.square().sum(dim=1, keepdim=True).clamp(min=SHORTEST_NORMAL**2)
    cosine = (predicted * normal).sum(dim=1, keepdim=True) * square.rsqrt()
    return _mean(torch.where(known, 1 - cosine, 0), count=known.to(cosine.dtype))


def _widened(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return x.float() if x.dtype in {torch.float16, torch.bfloat16} else x


def _mean(x: Float[Tensor, "*shape"], *, count: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Divide the sum over all elements of all ranks by the sum of their counts; 0 where that is 0."""
    sum_x, num = total(torch.stack([x.sum(), count.sum()])).unbind()
    return sum_x / num.clamp(min=1)
