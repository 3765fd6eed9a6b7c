"""Average precision from scores and labels, by each of the definitions that published tables use.

All start from the same curve: right and wrong answers above each threshold. **Ties.** Answers of equal score share one threshold,
so they enter the curve together and no figure depends on the order of pictures (`grouped`). The devkits sort instead, and at
equal scores count in whatever order the file has; that is `listed`, for comparison only. `philkr` is the rule of the published
fine-tuning code: 1e-5 is taken from the score of every positive, which puts positives last among equals, and behind whatever lies
less than 1e-5 below them.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64

from scenelift.benchmarks.metrics.scores import ClassificationScores, ScoresError

Definition = Literal["voc07", "area", "step", "trapezoid", "coco"]
"""`voc07`: the mean over recall 0, 0.1, ..., 1 of the best precision at that recall or more (the devkits of 2007 to 2009).
`area`: the area below that same envelope (the devkits from 2010 on, VISSL). `step`: the sum of precision times the recall gained,
without an envelope (scikit-learn from 0.19 on). `trapezoid`: the area below straight lines between the points of the curve, from
precision 1 at recall 0 on (scikit-learn before 0.19). `coco`: like `voc07` at 101 recalls."""
DEFINITIONS: tuple[Definition, ...] = ("voc07", "area", "step", "trapezoid", "coco")

Ties = Literal["grouped", "philkr", "listed"]

PHILKR_STEP = 1e-5

_COCO_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, kw_only=True, slots=True)
class RankCurve:
    """Right and wrong answers above each threshold, from the strictest threshold on; neither count ever falls."""

    true_positives: Int64[np.ndarray, " t"]
    false_positives: Int64[np.ndarray, " t"]
    num_positives: int
    """How many there are to find, found or not."""

    @property
    def precision(self) -> Float64[np.ndarray, " t"]:
        """The share of right answers above each threshold."""
        return np.asarray(self.true_positives / (self.true_positives + self.false_positives))

    @property
    def recall(self) -> Float64[np.ndarray, " t"]:
        """The share of positives found above each threshold; there must be one to find."""
        return np.asarray(self.true_positives / self.num_positives)


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
    """Count right and wrong answers as the threshold falls.

    Args:
        scores: Of each answer, finite; higher ranks first. Those not counted (`difficult`) must be left out before.
        positive: Which answers are right.
        num_positives: How many there are to find; None: as many as are right (a classifier answers for every picture).
        ties: What happens at equal scores; see the head of this module.

    Raises:
        ScoresError: if a score is not finite, or more answers are right than there are to find.

    >>> curve = rank_curve(np.array([0.9, 0.5, 0.5]), np.array([True, True, False]))
    >>> curve.true_positives.tolist(), curve.false_positives.tolist()
    ([1, 2], [0, 1])
    """
    exact = scores.astype(np.float64)
    if not np.isfinite(exact).all():
        raise ScoresError(f"{(~np.isfinite(exact)).sum()} of {len(exact)} scores are not finite")
    found = int(positive.sum())
    if num_positives is None:
        num_positives = found
    if found > num_positives:
        raise ScoresError(f"{found} answers are right, but only {num_positives} are to be found")
    if ties == "philkr":
        exact = exact - PHILKR_STEP * positive
    order = np.argsort(-exact, kind="stable")
    right = np.cumsum(positive[order], dtype=np.int64)
    last = np.arange(len(order))
    if ties != "listed":
        ranked = exact[order]
        last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) if len(order) else last
    return RankCurve(
        true_positives=right[last],
        false_positives=last + 1 - right[last],
        num_positives=num_positives,
    )


def average_precision(curve: RankCurve, *, definition: Definition) -> float:
    """Return average precision, 0 to 1; NaN if there is nothing to find.

    Recall is compared with 0.1, 0.2, ... in whole numbers, so that 3 of 10 reach 0.3; in doubles 3 * 0.1 lies above 0.3, which
    costs some ports of the devkit a level. `coco` compares in doubles as its own tool does.

    >>> curve = rank_curve(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]))
    >>> {d: round(average_precision(curve, definition=d), 4) for d in DEFINITIONS}
    {'voc07': 0.8485, 'area': 0.8333, 'step': 0.8333, 'trapezoid': 0.7917, 'coco': 0.835}
    """
    if curve.num_positives == 0:
        return float("nan")
    if len(curve.true_positives) == 0:
        return 0.0
    if definition == "voc07":
        levels = np.arange(11) * curve.num_positives
        return _mean_of_best(curve, np.searchsorted(10 * curve.true_positives, levels))
    if definition == "coco":
        return _mean_of_best(curve, np.searchsorted(curve.recall, _COCO_RECALLS))
    gained = np.diff(curve.recall, prepend=0.0)
    if definition == "area":
        return float((gained * _envelope(curve)).sum())
    if definition == "step":
        return float((gained * curve.precision).sum())
    before = np.append(1.0, curve.precision[:-1])
    return float((gained * (curve.precision + before) / 2).sum())


def classification_averages(
    scores: ClassificationScores, *, definition: Definition, ties: Ties = "grouped"
) -> ClassAverages:
    """Return average precision by class, ignored pictures left out.

    Args:
        scores: Of all judged pictures, in any order.
        definition: Which average precision.
        ties: What happens at equal scores.

    Returns:
        The averages; a class without positives is NaN, is left out of the mean and is named.
    """
    per_class = [
        average_precision(
            rank_curve(column[label >= 0], label[label >= 0] == 1, ties=ties), definition=definition
        )
        for column, label in zip(scores.scores.T, scores.labels.T, strict=True)
    ]
    return class_averages(per_class, classes=scores.classes)


def class_averages(per_class: list[float], *, classes: tuple[str, ...]) -> ClassAverages:
    """Take the mean over the classes that have positives.

    >>> class_averages([0.5, float("nan")], classes=("cat", "dog"))
    ClassAverages(per_class=array([0.5, nan]), mean=0.5, left_out=('dog',))
    """
    values = np.array(per_class, np.float64)
    known = np.isfinite(values)
    return ClassAverages(
        per_class=values,
        mean=float(values[known].mean()) if known.any() else float("nan"),
        left_out=tuple(name for name, has in zip(classes, known, strict=True) if not has),
    )


def _envelope(curve: RankCurve) -> Float64[np.ndarray, " t"]:
    """Return the best precision at each recall or more."""
    return np.asarray(np.maximum.accumulate(curve.precision[::-1])[::-1])


def _mean_of_best(curve: RankCurve, first: Int64[np.ndarray, " levels"]) -> float:
    """Average the envelope over levels of recall, given the first point that reaches each; 0 where none does."""
    return float(np.append(_envelope(curve), 0.0)[first].mean())
