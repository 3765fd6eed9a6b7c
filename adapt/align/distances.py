"""Distances between the distributions of two sets of samples, over the samples of all ranks; 0 for equal sets."""

import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.align.config import Samples
from scenelift.adapt.ranks import gather, total

KERNEL_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Squared widths of the kernels of `mmd`, as multiples of the median squared distance."""


def samples_of(features: Float[Tensor, "n c h w"], *, samples: Samples) -> Float[Tensor, "m c"]:
    """Turn feature maps into samples: each position, or each map's mean."""
    features = features.float()
    if samples == "pooled":
        return features.mean(dim=(2, 3))
    return features.permute(0, 2, 3, 1).flatten(0, 2)


def coral(a: Float[Tensor, "n c"], b: Float[Tensor, "m c"]) -> Float[Tensor, ""]:
    """Compare covariances: squared Frobenius distance over 4 c^2 (Sun and Saenko, 2016).

    It does not see means. Only sums are sent between ranks: c^2 numbers.

    >>> a = torch.tensor([[-1.0], [1.0]])
    >>> coral(a, 2 * a).item()  # variances 2 and 8
    9.0
    """
    return (_covariance(a) - _covariance(b)).square().sum() / (4 * a.shape[1] ** 2)


def mmd(a: Float[Tensor, "n c"], b: Float[Tensor, "m c"]) -> Float[Tensor, ""]:
    """Compare mean embeddings in a mixture of Gaussian kernels (Gretton et al., 2012; Long et al., 2015).

    Squared maximum mean discrepancy, the biased estimate, which is never negative. The kernels' widths follow the median of
    the squared distances, which passes no gradient. Samples are gathered from all ranks: take few.

    >>> a = torch.tensor([[0.0], [1.0]])
    >>> mmd(a, a).item(), mmd(a, a + 9).item() > 0.5
    (0.0, True)
    """
    a, b = gather(a), gather(b)
    both = torch.cat([a, b])
    with (
        torch.no_grad()
    ):  # the median cares for no rounding; torch.cdist's own gradient is unbounded at 0
        apart = torch.pdist(both).square()
        median = apart.median().clamp(min=torch.finfo(both.dtype).tiny)
    centred = both - both.mean(dim=0)
    squares = centred.square().sum(dim=1)
    distance2 = (squares[:, None] + squares[None, :] - 2 * centred @ centred.T).clamp(min=0)
    kernel = torch.stack([(-distance2 / (2 * width * median)).exp() for width in KERNEL_WIDTHS])
    sign = torch.cat([a.new_full((len(a),), 1 / len(a)), a.new_full((len(b),), -1 / len(b))])
    return (sign @ kernel.mean(dim=0) @ sign).clamp(min=0)


def sliced_wasserstein(
    a: Float[Tensor, "n c"],
    b: Float[Tensor, "m c"],
    *,
    num_projections: int,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Average the squared 2-Wasserstein distance over random directions (Rabin et al., 2011; Lee et al., CVPR 2019).

    Projections are gathered from all ranks and sorted; sets of unequal size are compared at the quantiles of the smaller one.

    Args:
        a: Samples of one domain.
        b: Samples of the other.
        num_projections: Directions.
        generator: On the CPU, in the same state on all ranks.
    """
    directions = torch.randn(num_projections, a.shape[1], generator=generator)
    directions = (directions / directions.norm(dim=1, keepdim=True)).to(a, non_blocking=True)
    sorted_a = gather(a @ directions.T).sort(dim=0).values
    sorted_b = gather(b @ directions.T).sort(dim=0).values
    num = min(len(sorted_a), len(sorted_b))
    return (_quantiles(sorted_a, num=num) - _quantiles(sorted_b, num=num)).square().mean()


def _covariance(x: Float[Tensor, "n c"]) -> Float[Tensor, "c c"]:
    num = total(x.new_full((), len(x)))
    # No gradient by way of the mean: it would be 0, as what is centred sums to 0 over all ranks (though not over one).
    centred = x - total(x.detach().sum(dim=0)) / num
    return total(centred.T @ centred) / (num - 1).clamp(min=1)


def _quantiles(x: Float[Tensor, "n k"], *, num: int) -> Float[Tensor, "num k"]:
    """Interpolate sorted columns at the middles of `num` equal shares."""
    if len(x) == num:
        return x
    place = ((torch.arange(num, device=x.device) + 0.5) * len(x) / num - 0.5).clamp(0, len(x) - 1)
    low = place.floor().long()
    share = (place - low)[:, None].to(x.dtype)
    return x[low] * (1 - share) + x[(low + 1).clamp(max=len(x) - 1)] * share
