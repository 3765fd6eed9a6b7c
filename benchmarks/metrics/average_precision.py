"""Average precision from scores and labels, by each of the definitions that published tables use."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from scenelift.benchmarks.metrics.scores import ClassificationScores

Definition = Literal["voc07", "area", "step", "trapezoid"]
Ties = Literal["grouped", "philkr", "listed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class RankCurve:
    """Right and wrong answers above each threshold, from the strictest threshold on."""

    true_positives: Int64[np.ndarray, " t"]
    false_positives: Int64[np.ndarray, " t"]
    num_positives: int
    """How many there are to find, found or not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassAverages:
    """Average precision by class and their mean, each from 0 to 1."""

    per_class: Float64[np.ndarray, " c"]
    """NaN for a class without positives."""
    mean: float
    """Over the classes that have positives; NaN if none has."""
    left_out: tuple[str, ...]
    """Classes without positives."""


def rank_curve(
    scores: Float[np.ndarray, " n"],
    positive: Bool[np.ndarray, " n"],
    *,
    num_positives: int | None = None,
    ties: Ties = "grouped",
) -> RankCurve:
    """Count right and wrong answers as the threshold falls."""
    raise NotImplementedError


def average_precision(curve: RankCurve, *, definition: Definition) -> float:
    """Return average precision, 0 to 1; NaN if there is nothing to find."""
    raise NotImplementedError


def classification_averages(
    scores: ClassificationScores, *, definition: Definition, ties: Ties = "grouped"
) -> ClassAverages:
    """Return average precision by class, ignored pictures left out."""
    raise NotImplementedError
