"""Errors of depth, pooled over the valid pixels of all frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

_NAMES: tuple[str, ...] = (
    "count",
    "relative",
    "square_relative",
    "square",
    "log_square",
    "log10",
    "delta1",
    "delta2",
    "delta3",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DepthSums:
    """The errors of one or more frames, a row each, in the order of the module's names."""

    sums: Float64[np.ndarray, "n 9"]


def align_median(
    predicted_m: Float[np.ndarray, "h w"],
    true_m: Float[np.ndarray, "h w"],
    *,
    valid: Bool[np.ndarray, "h w"],
) -> Float[np.ndarray, "h w"]:
    """Scale a prediction so that its median over the valid pixels is the truth's; as it is where none is valid.

    >>> predicted_m, true_m = np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 3.0, 8.0]])
    >>> align_median(predicted_m, true_m, valid=true_m > 0).tolist()
    [[1.5, 3.0, 4.5]]
    """
    if not valid.any():
        return predicted_m
    scale = np.median(true_m[valid]) / np.median(predicted_m[valid])
    return np.asarray(predicted_m * scale)


def depth_sums(
    predicted_m: Float[np.ndarray, "h w"],
    true_m: Float[np.ndarray, "h w"],
    *,
    valid: Bool[np.ndarray, "h w"],
) -> DepthSums:
    """Sum up a frame.

    Args:
        predicted_m: Depth along the optical axis.
        true_m: The truth, positive where valid.
        valid: Pixels that count.

    Raises:
        ValueError: if a depth that counts is not positive and finite.
    """
    predicted, true = predicted_m[valid].astype(np.float64), true_m[valid].astype(np.float64)
    for name, values in (("predicted", predicted), ("true", true)):
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError(f"{name} depth must be positive and finite where it counts")
    log = np.log(predicted / true)
    ratio = np.exp(np.abs(log))
    sums = [
        float(predicted.size),
        (np.abs(predicted - true) / true).sum(),
        (np.square(predicted - true) / true).sum(),
        np.square(predicted - true).sum(),
        np.square(log).sum(),
        np.abs(log).sum() / np.log(10),
        *((ratio < 1.25**power).sum() for power in (1, 2, 3)),
    ]
    return DepthSums(sums=np.array([sums], np.float64))


def join_depth_sums(parts: list[DepthSums]) -> DepthSums:
    """Put frames together, in order."""
    return DepthSums(sums=np.concatenate([part.sums for part in parts]))


def depth_metrics(
    sums: DepthSums, weights: Float64[np.ndarray, "draws n"]
) -> dict[str, Float64[np.ndarray, " draws"]]:
    """Pool frames.

    Args:
        sums: Of each frame.
        weights: How often each frame counts, a row a draw; ones for the plain figures.

    Returns:
        `abs_rel`; `sq_rel`, the squared error over the truth, in metres; `rmse` in metres; `log_rmse` of natural logarithms; `log10`; `delta1` to `delta3` in per cent (ratio below
        1.25, its square and cube); NaN where no pixel is valid.
    """
    pooled = weights @ sums.sums
    count = np.where(pooled[:, :1] > 0, pooled[:, :1], np.nan)
    mean: dict[str, Float64[np.ndarray, " draws"]] = dict(
        zip(_NAMES, (pooled / count).T, strict=True)
    )
    return {
        "abs_rel": mean["relative"],
        "sq_rel": mean["square_relative"],
        "rmse": np.sqrt(mean["square"]),
        "log_rmse": np.sqrt(mean["log_square"]),
        "log10": mean["log10"],
        **{f"delta{power}": 100 * mean[f"delta{power}"] for power in (1, 2, 3)},
    }
