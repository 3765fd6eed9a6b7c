"""Which class is told for which, pooled over the labelled pixels of all frames."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64, Integer


@dataclass(frozen=True, kw_only=True, slots=True)
class SegmentationSums:
    """The confusions of one or more frames."""

    confusion: Int64[np.ndarray, "n classes classes"]
    """Pixels by true class (row) and told class (column); class 1 comes first, 0 is no class."""


def segmentation_sums(
    predicted: Integer[np.ndarray, "h w"], true: Integer[np.ndarray, "h w"], *, num_classes: int
) -> SegmentationSums:
    """Count a frame.

    Args:
        predicted: Classes from 1 on; what is told where the truth is 0 does not count.
        true: The same; 0 unknown.
        num_classes: How many there are.

    Raises:
        ValueError: if a class that counts lies outside 1 to `num_classes`.

    >>> told, true = np.array([[1, 2, 2, 1]]), np.array([[1, 1, 2, 0]])
    >>> segmentation_sums(told, true, num_classes=2).confusion[0].tolist()
    [[1, 1], [0, 1]]
    """
    known = true != 0
    rows, columns = true[known].astype(np.int64), predicted[known].astype(np.int64)
    for name, values in (("true", rows), ("predicted", columns)):
        if values.size and not 1 <= values.min() <= values.max() <= num_classes:
            raise ValueError(
                f"{name} classes must be from 1 to {num_classes} where they count, "
                f"got {values.min()} to {values.max()}"
            )
    counts = np.bincount((rows - 1) * num_classes + columns - 1, minlength=num_classes**2)
    return SegmentationSums(confusion=counts.reshape(1, num_classes, num_classes).astype(np.int64))


def join_segmentation_sums(parts: list[SegmentationSums]) -> SegmentationSums:
    """Put frames together, in order."""
    return SegmentationSums(confusion=np.concatenate([part.confusion for part in parts]))


def class_iou(
    sums: SegmentationSums, weights: Float64[np.ndarray, "draws n"]
) -> Float64[np.ndarray, "draws classes"]:
    """Return intersection over union of each class in per cent; NaN for a class in neither truth nor prediction."""
    hit, true, told = _totals(sums, weights)
    union = true + told - hit
    return 100 * hit / np.where(union > 0, union, np.nan)


def segmentation_metrics(
    sums: SegmentationSums, weights: Float64[np.ndarray, "draws n"]
) -> dict[str, Float64[np.ndarray, " draws"]]:
    """Pool frames.

    Args:
        sums: Of each frame.
        weights: How often each frame counts, a row a draw; ones for the plain figures.

    Returns:
        In per cent: `pixel_accuracy`; `mean_accuracy`, the mean over the classes that are in the truth; `miou`, the mean of
        intersection over union over the classes that are in truth or prediction; NaN where no pixel is labelled.
    """
    hit, true, _ = _totals(sums, weights)
    count = true.sum(axis=1)
    return {
        "pixel_accuracy": 100 * hit.sum(axis=1) / np.where(count > 0, count, np.nan),
        "mean_accuracy": _mean_of_known(100 * hit / np.where(true > 0, true, np.nan)),
        "miou": _mean_of_known(class_iou(sums, weights)),
    }


def _totals(
    sums: SegmentationSums, weights: Float64[np.ndarray, "draws n"]
) -> tuple[
    Float64[np.ndarray, "draws classes"],
    Float64[np.ndarray, "draws classes"],
    Float64[np.ndarray, "draws classes"],
]:
    """Return the pixels of each class that are hit, true and told."""
    confusion = sums.confusion.astype(np.float64)
    hit = np.diagonal(confusion, axis1=1, axis2=2)
    return weights @ hit, weights @ confusion.sum(axis=2), weights @ confusion.sum(axis=1)


def _mean_of_known(
    values: Float64[np.ndarray, "draws classes"],
) -> Float64[np.ndarray, " draws"]:
    """Average the classes that are not NaN."""
    known = ~np.isnan(values)
    count = known.sum(axis=1)
    sums = np.where(known, values, 0).sum(axis=1)
    return np.asarray(sums / np.where(count > 0, count, np.nan))
