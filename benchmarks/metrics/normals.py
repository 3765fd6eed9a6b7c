"""Angles between predicted and true normals, pooled over the valid pixels of all frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

BINS_PER_DEG = 20
"""The thresholds of the field (11.25, 22.5, 30) are edges of bins, so shares are exact and the median is to 0.05 degrees."""
THRESHOLDS_DEG = (11.25, 22.5, 30.0)

_NUM_BINS = 180 * BINS_PER_DEG + 1


@dataclass(frozen=True, kw_only=True, slots=True)
class NormalSums:
    """The angles of one or more frames, a row each."""

    histogram: Int64[np.ndarray, "n bins"]
    """Pixels by angle."""
    sum_deg: Float64[np.ndarray, " n"]
    sum_deg2: Float64[np.ndarray, " n"]


def angles_deg(
    predicted: Float[np.ndarray, "*pixels 3"], true: Float[np.ndarray, "*pixels 3"]
) -> Float64[np.ndarray, "*pixels"]:
    """Return angles in degrees, 0 to 180; 90 where a vector is (0, 0, 0).

    >>> angles_deg(np.array([0.0, 2.0, 2.0]), np.array([0.0, 0.0, 1.0])).round(3).item()
    45.0
    """
    predicted, true = predicted.astype(np.float64), true.astype(np.float64)
    sine = np.linalg.norm(np.cross(predicted, true), axis=-1)
    cosine = (predicted * true).sum(axis=-1)
    # arctan2 keeps small angles, which the arc cosine loses.
    angle = np.degrees(np.arctan2(sine, cosine))
    return np.where((sine == 0) & (cosine == 0), 90.0, angle)


def normal_sums(
    predicted: Float[np.ndarray, "h w 3"],
    true: Float[np.ndarray, "h w 3"],
    *,
    valid: Bool[np.ndarray, "h w"],
) -> NormalSums:
    """Sum up a frame.

    Args:
        predicted: Normals of any length, camera frame.
        true: The same.
        valid: Pixels that count.

    Raises:
        ValueError: if a prediction that counts is not finite.
    """
    if not np.isfinite(predicted[valid]).all():
        raise ValueError("predicted normals hold NaN or infinity")
    angle = angles_deg(predicted[valid], true[valid])
    bins = np.bincount((angle * BINS_PER_DEG).astype(np.int64), minlength=_NUM_BINS)
    return NormalSums(
        histogram=bins.astype(np.int64)[None],
        sum_deg=np.array([angle.sum()]),
        sum_deg2=np.array([np.square(angle).sum()]),
    )


def join_normal_sums(parts: list[NormalSums]) -> NormalSums:
    """Put frames together, in order."""
    return NormalSums(
        histogram=np.concatenate([part.histogram for part in parts]),
        sum_deg=np.concatenate([part.sum_deg for part in parts]),
        sum_deg2=np.concatenate([part.sum_deg2 for part in parts]),
    )


def normal_metrics(
    sums: NormalSums, weights: Float64[np.ndarray, "draws n"]
) -> dict[str, Float64[np.ndarray, " draws"]]:
    """Pool frames.

    Args:
        sums: Of each frame.
        weights: How often each frame counts, a row a draw; ones for the plain figures.

    Returns:
        `mean`, `median` and `rmse` in degrees and `below_11.25`, ... in per cent; NaN where no pixel is valid.
    """
    pooled = weights @ sums.histogram.astype(np.float64)
    count = pooled.sum(axis=1)
    count[count == 0] = np.nan
    below = np.cumsum(pooled, axis=1)
    found = {
        "mean": weights @ sums.sum_deg / count,
        "rmse": np.sqrt(weights @ sums.sum_deg2 / count),
        "median": np.array([_median(row) for row in below]),
    }
    for threshold in THRESHOLDS_DEG:
        last = round(threshold * BINS_PER_DEG) - 1
        found[f"below_{threshold:g}"] = 100 * below[:, last] / count
    return found


def _median(below: Float64[np.ndarray, " bins"]) -> float:
    """Return the angle that half of the pixels stay below, by a straight line within its bin."""
    if below[-1] == 0:
        return float("nan")
    half = below[-1] / 2
    index = int(np.searchsorted(below, half))
    before = below[index - 1] if index else 0.0
    return float((index + (half - before) / (below[index] - before)) / BINS_PER_DEG)
