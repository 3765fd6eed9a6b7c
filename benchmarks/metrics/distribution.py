"""How far two sets of pictures are apart, from features of both: kernel distance and Frechet distance."""

import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
from jaxtyping import Float, Float64


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelDistance:
    """Squared maximum mean discrepancy, averaged over subsets."""

    mean: float
    """0 for equal distributions; an estimate without bias, so it may be slightly negative."""
    std: float
    """Of the subsets."""


def kernel_distance(
    first: Float[np.ndarray, "n d"],
    second: Float[np.ndarray, "m d"],
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    rng: np.random.Generator,
) -> KernelDistance:
    """Compare features by the cubic kernel (x . y / d + 1)^3 without bias (Binkowski et al., ICLR 2018, eq. 4: KID).

    Args:
        first: Features of one set.
        second: Of the other.
        subsets: How many pairs of subsets are averaged.
        subset_size: Pictures in each; at most as many as the smaller set has are taken.
        rng: Draws the subsets.

    Raises:
        ValueError: if a set has fewer than two pictures, or a feature is not finite.

    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> kernel_distance(x, x + 5, subsets=1, rng=np.random.default_rng(0)).mean > 100
    True
    """
    size = min(subset_size, len(first), len(second))
    if size < 2 or subsets < 1:
        raise ValueError(
            f"kernel distance needs two pictures of each set and a subset, got {len(first)}, {len(second)} and {subsets}"
        )
    _check_finite(first, second)
    x, y = first.astype(np.float64), second.astype(np.float64)
    values = [
        _squared_mmd(
            x[rng.choice(len(x), size, replace=False)], y[rng.choice(len(y), size, replace=False)]
        )
        for _ in range(subsets)
    ]
    return KernelDistance(mean=float(np.mean(values)), std=float(np.std(values)))


def frechet_distance(first: Float[np.ndarray, "n d"], second: Float[np.ndarray, "m d"]) -> float:
    """Compare features as if both were normal: squared Wasserstein distance (Heusel et al., NeurIPS 2017, eq. 6: FID).

    It is biased: with fewer pictures it is larger, so compare only figures from equal numbers.

    Raises:
        ValueError: if a set has fewer than two pictures, or a feature is not finite.

    >>> x = np.array([[0.0], [2.0]])
    >>> round(frechet_distance(x, x + 3), 6)
    9.0
    """
    if min(len(first), len(second)) < 2:
        raise ValueError(f"a covariance needs two pictures, got {len(first)} and {len(second)}")
    _check_finite(first, second)
    x, y = first.astype(np.float64), second.astype(np.float64)
    covariances = [np.atleast_2d(np.cov(values, rowvar=False)) for values in (x, y)]
    # The trace of the root of S T is the sum of the roots of its eigenvalues, which are those of a positive matrix.
    root = _root(covariances[0])
    middle = np.linalg.eigvalsh(root @ covariances[1] @ root)
    cross = np.sqrt(np.maximum(middle, 0)).sum()
    shift = float(np.square(x.mean(axis=0) - y.mean(axis=0)).sum())
    return shift + float(np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * cross)


def _squared_mmd(x: Float64[np.ndarray, "s d"], y: Float64[np.ndarray, "s d"]) -> float:
    size = len(x)

    def kernel(
        a: Float64[np.ndarray, "s d"], b: Float64[np.ndarray, "s d"]
    ) -> Float64[np.ndarray, "s s"]:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)

    within = [k.sum() - np.trace(k) for k in (kernel(x, x), kernel(y, y))]
    return float(sum(within) / (size * (size - 1)) - 2 * kernel(x, y).mean())


def _root(matrix: Float64[np.ndarray, "d d"]) -> Float64[np.ndarray, "d d"]:
    values, vectors = scipy.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _check_finite(*arrays: Float[np.ndarray, "_n d"]) -> None:
    if not all(math.isfinite(float(np.abs(array).sum())) for array in arrays):
        raise ValueError("features hold NaN or infinity")
