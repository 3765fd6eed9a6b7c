"""Boundaries as the Berkeley benchmark judges them: ODS, OIS and AP (Martin et al., PAMI 2004; Arbelaez et al., PAMI 2011).

A map of strengths is cut at each threshold and thinned; its pixels are matched one to one with those that each person drew, no
further away than 0.0075 of the picture's diagonal. Precision: the share of predicted pixels that any person's drawing matches.
Recall: the share of drawn pixels that are matched, all people together. The matching is a largest one (Hopcroft and Karp). The
published tool also seeks the shortest of the largest, approximately and with links drawn at random: that moves no recall, and
precision only where people differ, by about one pixel in a thousand.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from skimage.morphology import thin

MAX_DISTANCE = 0.0075
"""Of the picture's diagonal."""
NUM_THRESHOLDS = 99

_INTERPOLATED = 100
"""Points between two thresholds at which the best F is looked for, as the published tool does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeCounts:
    """Matched and all pixels of a picture, a column a threshold, from the lowest threshold on."""

    matched_true: Int64[np.ndarray, " t"]
    num_true: Int64[np.ndarray, " t"]
    """Drawn by all people together."""
    matched_predicted: Int64[np.ndarray, " t"]
    num_predicted: Int64[np.ndarray, " t"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeScores:
    """The figures of many pictures, each from 0 to 1."""

    ods: float
    """The best F of precision and recall over all pictures, at one threshold for all."""
    ods_threshold: float
    ois: float
    """F with the best threshold of each picture."""
    ap: float
    """Sum of precision at recall 0, 0.01, ..., 1 over 100, along straight lines; 0 outside the recalls that were measured, hence 0
    for maps of one strength."""
    precision: Float64[np.ndarray, " t"]
    recall: Float64[np.ndarray, " t"]


def thresholds(count: int = NUM_THRESHOLDS) -> Float64[np.ndarray, " t"]:
    """Return evenly spaced thresholds between 0 and 1, both left out.

    >>> thresholds(3).tolist()
    [0.25, 0.5, 0.75]
    """
    return np.arange(1, count + 1) / (count + 1)


def edge_counts(
    strength: Float[np.ndarray, "h w"],
    drawn: Bool[np.ndarray, "k h w"],
    *,
    num_thresholds: int = NUM_THRESHOLDS,
    max_distance: float = MAX_DISTANCE,
    thinned: bool = True,
) -> EdgeCounts:
    """Match a picture's predicted boundaries with those that people drew, at each threshold.

    Args:
        strength: 0 to 1, higher: rather a boundary.
        drawn: Of each person.
        num_thresholds: See `thresholds`.
        max_distance: How far matched pixels may lie apart, as a share of the diagonal.
        thinned: Thin what lies above each threshold to lines of a pixel.

    Raises:
        ValueError: if a strength is not from 0 to 1.
    """
    if not ((strength >= 0) & (strength <= 1)).all():
        raise ValueError("strengths of boundaries hold NaN or values outside 0 to 1")
    radius_px = max_distance * float(np.hypot(*strength.shape))
    columns: list[tuple[int, int, int]] = []
    column = (0, 0, 0)
    before: Bool[np.ndarray, "h w"] | None = None
    for threshold in thresholds(num_thresholds):
        above = strength >= threshold
        # Neighbouring thresholds often cut alike; thinning and matching then need no repeat.
        if before is None or not np.array_equal(above, before):
            line = thin(above) if thinned else above
            column = _match_all(line, drawn, radius_px=radius_px)
        columns.append(column)
        before = above
    true, predicted, num_predicted = np.array(columns, np.int64).reshape(-1, 3).T
    return EdgeCounts(
        matched_true=true,
        num_true=np.full(len(columns), drawn.sum(), np.int64),
        matched_predicted=predicted,
        num_predicted=num_predicted,
    )


def match_pixels(
    predicted: Bool[np.ndarray, "h w"], true: Bool[np.ndarray, "h w"], *, radius_px: float
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Pair off as many pixels as can be, none further apart than a radius.

    Returns:
        The predicted and the true pixels that have a partner; equally many.
    """
    rows, columns = np.nonzero(predicted)
    num_true = int(true.sum())
    found = (np.zeros_like(predicted), np.zeros_like(true))
    if not len(rows) or not num_true:
        return found
    reach = int(radius_px)
    number = np.full(np.array(true.shape) + 2 * reach, -1, np.int64)
    number[reach : reach + true.shape[0], reach : reach + true.shape[1]][true] = np.arange(num_true)
    pairs = []
    for down, right in _offsets(radius_px):
        partner = number[rows + reach + down, columns + reach + right]
        near = np.flatnonzero(partner >= 0)
        pairs.append(np.stack([near, partner[near]]))
    left, right_of = np.concatenate(pairs, axis=1)
    graph = csr_matrix((np.ones(len(left), np.int8), (left, right_of)), shape=(len(rows), num_true))
    partner = maximum_bipartite_matching(graph, perm_type="column")
    found[0][rows[partner >= 0], columns[partner >= 0]] = True
    places = np.flatnonzero(true)
    found[1].flat[places[partner[partner >= 0]]] = True
    return found


def edge_scores(counts: Sequence[EdgeCounts]) -> EdgeScores:
    """Put pictures together.

    Args:
        counts: Of each picture, all of the same thresholds.

    Raises:
        ValueError: if there is no picture.
    """
    if not counts:
        raise ValueError("no picture to judge boundaries on")
    table = np.array(
        [[c.matched_true, c.num_true, c.matched_predicted, c.num_predicted] for c in counts],
        np.float64,
    )
    recall, precision = _rates(table.sum(axis=0))
    steps = thresholds(table.shape[-1])
    ods, at = _best_f(recall, precision, steps)
    single = np.stack([_f(*_rates(picture)) for picture in table])
    # Of equals the highest threshold, as the published tool takes.
    best = single.shape[1] - 1 - single[:, ::-1].argmax(axis=1)
    chosen = table[np.arange(len(table)), :, best].sum(axis=0)
    return EdgeScores(
        ods=ods,
        ods_threshold=at,
        ois=float(_f(*_rates(chosen[:, None]))[0]),
        ap=_average_precision(recall, precision),
        precision=precision,
        recall=recall,
    )


def _match_all(
    line: Bool[np.ndarray, "h w"], drawn: Bool[np.ndarray, "k h w"], *, radius_px: float
) -> tuple[int, int, int]:
    """Return matched true pixels of all people, predicted ones that any matched, and all predicted ones."""
    matched = 0
    any_matched = np.zeros_like(line)
    for true in drawn:
        predicted, recalled = match_pixels(line, true, radius_px=radius_px)
        matched += int(recalled.sum())
        any_matched |= predicted
    return matched, int(any_matched.sum()), int(line.sum())


def _offsets(radius_px: float) -> list[tuple[int, int]]:
    """List the steps from a pixel to those within a radius, the nearest first."""
    reach = int(radius_px)
    span = range(-reach, reach + 1)
    steps = [(y, x) for y in span for x in span if y * y + x * x <= radius_px**2]
    return sorted(steps, key=lambda step: (step[0] ** 2 + step[1] ** 2, step))


def _rates(
    sums: Float64[np.ndarray, "4 t"],
) -> tuple[Float64[np.ndarray, " t"], Float64[np.ndarray, " t"]]:
    """Return recall and precision; 0 where nothing was drawn or predicted."""
    matched_true, num_true, matched_predicted, num_predicted = sums
    return matched_true / np.maximum(num_true, 1), matched_predicted / np.maximum(num_predicted, 1)


def _f(recall: Float[np.ndarray, "..."], precision: Float[np.ndarray, "..."]) -> np.ndarray:
    both = recall + precision
    return np.asarray(2 * recall * precision / np.where(both > 0, both, 1))


def _best_f(
    recall: Float64[np.ndarray, " t"],
    precision: Float64[np.ndarray, " t"],
    steps: Float64[np.ndarray, " t"],
) -> tuple[float, float]:
    """Return the best F along straight lines between thresholds, and its threshold."""
    place = np.arange(len(steps))
    fine = np.unique(
        np.concatenate([place, *(a + np.linspace(0, 1, _INTERPOLATED) for a in place[:-1])])
    )
    f = _f(np.interp(fine, place, recall), np.interp(fine, place, precision))
    best = int(f.argmax())
    return float(f[best]), float(np.interp(fine[best], place, steps))


def _average_precision(
    recall: Float64[np.ndarray, " t"], precision: Float64[np.ndarray, " t"]
) -> float:
    levels, first = np.unique(recall, return_index=True)
    if len(levels) < 2:
        return 0.0
    asked = np.arange(101) / 100
    return float(np.interp(asked, levels, precision[first], left=0, right=0).sum() / 100)
