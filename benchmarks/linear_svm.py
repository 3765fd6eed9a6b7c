"""Linear support vector machines, one against the rest, with the squared hinge: exact, and fast where features outnumber pictures.

What scikit-learn's `LinearSVC(loss="squared_hinge", intercept_scaling=1)` minimises, in its kernel form: for each class, Newton's
method on the pictures within the margin (Chapelle, Neural Computation 2007) ends after a few linear systems, and those of a
larger C start where a smaller one ended.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64
from scipy.linalg import cho_factor, cho_solve

from scenelift.benchmarks.metrics.average_precision import average_precision, rank_curve

PUBLISHED_COSTS = (0.01, 0.1, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 50.0, 100.0, 1000.0)
"""The list of FAIR's self-supervision benchmark and VISSL."""

_MAX_STEPS = 100
_MAX_COST = 1e4
"""Beyond it, inner products in single precision do not tell pictures apart."""
_WORKERS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class SvmSettings:
    """How machines are chosen."""

    costs: tuple[float, ...] = PUBLISHED_COSTS
    """Values of C, rising; the best by cross-validation is kept for each class."""
    folds: int = 3
    positive_weight: float = 2.0
    """How much more a positive counts, as published."""

    def __post_init__(self) -> None:
        if not self.costs or min(self.costs) <= 0 or sorted(set(self.costs)) != list(self.costs):
            raise ValueError(f"costs must be positive and rise, got {self.costs}")
        if self.costs[-1] > _MAX_COST:
            raise ValueError(f"costs must not exceed {_MAX_COST:g}, got {self.costs[-1]:g}")
        if self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}")
        if self.positive_weight <= 0:
            raise ValueError(f"positive_weight must be positive, got {self.positive_weight}")


@dataclass(frozen=True, kw_only=True, slots=True)
class SvmScores:
    """What the machines of all classes say."""

    scores: Float32[np.ndarray, "m c"]
    """Distance from the decision plane times the normal's length; 0 for a class that cannot be learnt."""
    costs: Float64[np.ndarray, " c"]
    """The C of each class; NaN for a class that cannot be learnt."""


def one_vs_rest(
    learn: Float32[np.ndarray, "n d"],
    judge: Float32[np.ndarray, "m d"],
    *,
    labels: Int8[np.ndarray, "n c"],
    names: Sequence[str],
    seed: int,
    settings: SvmSettings,
) -> SvmScores:
    """Learn a machine for each class from some pictures, and score others.

    Args:
        learn: Features of the pictures that are learnt from.
        judge: Features of the pictures that are scored.
        labels: 1, 0, or -1: the picture is left out for that class.
        names: Of the pictures that are learnt from; they decide the folds.
        seed: Of the folds.
        settings: C, folds, weight.
    """
    # The intercept is one more weight, on a feature that is 1 everywhere.
    kernel = (learn @ learn.T).astype(np.float64) + 1
    across = (judge @ learn.T).astype(np.float64) + 1
    order = _order(names, seed=seed)

    def one(column: int) -> tuple[Float64[np.ndarray, " m"], float]:
        known = np.flatnonzero(labels[:, column] >= 0)
        positive = labels[known, column] == 1
        if not 0 < positive.sum() < len(positive):
            return np.zeros(len(judge)), float("nan")
        gram = kernel[np.ix_(known, known)]
        cost = choose_cost(gram, positive, order=order[known], settings=settings)
        path = [value for value in settings.costs if value <= cost]
        dual = _path(gram, positive, costs=path, positive_weight=settings.positive_weight)[-1]
        return across[:, known] @ dual, cost

    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(one, range(labels.shape[1])))
    return SvmScores(
        scores=np.stack([scores for scores, _ in found], axis=1).astype(np.float32),
        costs=np.array([cost for _, cost in found]),
    )


def choose_cost(
    kernel: Float64[np.ndarray, "n n"],
    positive: Bool[np.ndarray, " n"],
    *,
    order: Int64[np.ndarray, " n"],
    settings: SvmSettings,
) -> float:
    """Choose C by the mean average precision over folds; the smallest of the best.

    Folds are stratified: positives and negatives go round, each in the order given. A fold without positives says nothing.
    """
    folds = np.zeros(len(positive), np.int64)
    for side in (positive, ~positive):
        places = np.flatnonzero(side)
        folds[places[np.argsort(order[places])]] = np.arange(len(places)) % settings.folds
    totals = np.zeros(len(settings.costs))
    for fold in range(settings.folds):
        learn, judge = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not positive[learn].any() or not positive[judge].any():
            continue
        duals = _path(
            kernel[np.ix_(learn, learn)],
            positive[learn],
            costs=settings.costs,
            positive_weight=settings.positive_weight,
        )
        for place, dual in enumerate(duals):
            scores = kernel[np.ix_(judge, learn)] @ dual
            curve = rank_curve(scores, positive[judge])
            totals[place] += average_precision(curve, definition="step")
    return settings.costs[int(totals.argmax())]


def fit(
    kernel: Float64[np.ndarray, "n n"],
    signs: Float64[np.ndarray, " n"],
    *,
    costs: Float64[np.ndarray, " n"],
    start: Float64[np.ndarray, " n"],
) -> Float64[np.ndarray, " n"]:
    """Minimise half of |w|^2 plus the sum of cost * max(0, 1 - sign * f)^2, where f = kernel @ dual.

    Args:
        kernel: Inner products of the pictures.
        signs: 1 or -1.
        costs: Of each picture, positive.
        start: Dual coefficients to start from.

    Returns:
        Dual coefficients; zero beyond the margin.
    """
    dual = np.asarray(start)
    scores = kernel @ dual
    value = _objective(dual, scores, signs=signs, costs=costs)
    for _ in range(_MAX_STEPS):
        inside = np.flatnonzero(signs * scores < 1)
        system = kernel[np.ix_(inside, inside)]
        system[np.diag_indices(len(inside))] += 0.5 / costs[inside]
        target = np.zeros(len(signs))
        factor = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
        target[inside] = cho_solve(factor, signs[inside], check_finite=False)
        target_scores = kernel[:, inside] @ target[inside]
        if np.array_equal(np.flatnonzero(signs * target_scores < 1), inside):
            return np.asarray(target)
        share = 1.0
        while True:
            tried = dual + share * (target - dual)
            tried_scores = scores + share * (target_scores - scores)
            tried_value = _objective(tried, tried_scores, signs=signs, costs=costs)
            if tried_value < value:
                break
            share /= 2
            if share < 1e-6:
                return dual
        gain = value - tried_value
        dual, scores, value = np.asarray(tried), tried_scores, tried_value
        if gain <= 1e-9 * value:
            return dual
    return dual


def _path(
    kernel: Float64[np.ndarray, "n n"],
    positive: Bool[np.ndarray, " n"],
    *,
    costs: Sequence[float],
    positive_weight: float,
) -> list[Float64[np.ndarray, " n"]]:
    """Fit one machine after the other, C rising."""
    signs = np.where(positive, 1.0, -1.0)
    weights = np.where(positive, positive_weight, 1.0)
    dual = np.zeros(len(positive))
    duals = []
    for cost in costs:
        dual = fit(kernel, signs, costs=cost * weights, start=dual)
        duals.append(dual)
    return duals


def _objective(
    dual: Float64[np.ndarray, " n"],
    scores: Float64[np.ndarray, " n"],
    *,
    signs: Float64[np.ndarray, " n"],
    costs: Float64[np.ndarray, " n"],
) -> float:
    slack = np.maximum(0, 1 - signs * scores)
    return float(0.5 * dual @ scores + (costs * slack**2).sum())


def _order(names: Sequence[str], *, seed: int) -> Int64[np.ndarray, " n"]:
    """Draw a number for each picture from its name alone."""
    digests = [hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=7).digest() for name in names]
    return np.array([int.from_bytes(digest, "big") for digest in digests], np.int64)
