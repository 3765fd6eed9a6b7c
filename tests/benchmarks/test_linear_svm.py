"""Linear support vector machines: the optimum, its invariances, and what they can and cannot learn."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from scenelift.benchmarks.linear_svm import SvmSettings, _order, choose_cost, fit, one_vs_rest
from scenelift.benchmarks.metrics.average_precision import average_precision, rank_curve

SETTINGS = SvmSettings(costs=(0.01, 1.0, 100.0))


def blobs(*, count: int, dimensions: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features of length 1, and signs that a planted direction decides up to noise."""
    rng = np.random.default_rng(seed)
    features = np.abs(rng.normal(size=(count, dimensions))).astype(np.float32)
    positive = np.arange(count) % 5 == 0
    features[positive, : dimensions // 10] += gap
    return features / np.linalg.norm(features, axis=1, keepdims=True), positive


def ap(scores: np.ndarray, positive: np.ndarray) -> float:
    return average_precision(rank_curve(scores, positive), definition="step")


@pytest.mark.parametrize("cost", [0.01, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize(("count", "dimensions"), [(60, 200), (200, 30)])
def test_the_optimum_is_that_of_scikit_learn(cost: float, count: int, dimensions: int) -> None:
    features, positive = blobs(count=count, dimensions=dimensions, gap=0.3, seed=1)
    signs = np.where(positive, 1.0, -1.0)
    costs = cost * np.where(positive, 2.0, 1.0)
    kernel = features.astype(np.float64) @ features.T + 1
    dual = fit(kernel, signs, costs=costs, start=np.zeros(count))
    machine = LinearSVC(
        C=cost, class_weight={1: 2.0, -1: 1.0}, dual="auto", tol=1e-8, max_iter=10_000
    ).fit(features.astype(np.float64), signs)
    np.testing.assert_allclose(
        kernel @ dual,
        machine.decision_function(features),
        atol=2e-4 * max(1, np.abs(kernel @ dual).max()),
    )
    # The published solver, which stops earlier, comes near.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        near = LinearSVC(C=cost, class_weight={1: 2.0, -1: 1.0}, random_state=0, max_iter=2000)
        near.fit(features, signs)
    assert np.corrcoef(near.decision_function(features), kernel @ dual)[0, 1] > 0.999


def test_the_start_does_not_matter() -> None:
    features, positive = blobs(count=80, dimensions=100, gap=0.2, seed=2)
    signs, costs = np.where(positive, 1.0, -1.0), np.full(80, 5.0)
    kernel = features.astype(np.float64) @ features.T + 1
    one = fit(kernel, signs, costs=costs, start=np.zeros(80))
    other = fit(kernel, signs, costs=costs, start=np.random.default_rng(0).normal(size=80) * 10)
    np.testing.assert_allclose(one, other, atol=1e-6)


def test_planted_features_are_learnt_and_noise_stays_at_chance() -> None:
    features, positive = blobs(count=300, dimensions=100, gap=2.0, seed=3)
    noise = np.random.default_rng(4).permutation(positive)
    labels = np.stack([positive, noise], axis=1).astype(np.int8)
    names = [f"{i}" for i in range(200)]
    found = one_vs_rest(
        features[:200], features[200:], labels=labels[:200], names=names, seed=0, settings=SETTINGS
    )
    assert ap(found.scores[:, 0], positive[200:]) == 1
    assert ap(found.scores[:, 1], noise[200:]) < 0.35  # a fifth is positive


def test_ignored_pictures_have_no_say_and_empty_classes_no_machine() -> None:
    features, positive = blobs(count=60, dimensions=50, gap=0.3, seed=5)
    labels = np.stack([positive, positive, np.zeros(60), -np.ones(60)], axis=1).astype(np.int8)
    labels[:10, 1] = -1
    changed = features.copy()
    changed[:10] = features[10:20]
    names = [f"{i}" for i in range(60)]
    one, other = (
        one_vs_rest(part, features[30:], labels=labels, names=names, seed=0, settings=SETTINGS)
        for part in (features, changed)
    )
    assert not np.allclose(one.scores[:, 0], other.scores[:, 0])
    np.testing.assert_allclose(one.scores[:, 1], other.scores[:, 1], atol=1e-6)
    assert not one.scores[:, 2:].any()
    assert np.isnan(one.costs).tolist() == [False, False, True, True]


def test_the_order_of_pictures_does_not_matter() -> None:
    features, positive = blobs(count=90, dimensions=50, gap=0.2, seed=6)
    labels = positive[:, None].astype(np.int8)
    names = [f"{i:06d}" for i in range(90)]
    order = np.random.default_rng(0).permutation(90)
    ranks, again = _order(names, seed=7), _order([names[i] for i in order], seed=7)
    assert np.array_equal(ranks[order], again)
    assert len(set(ranks)) == 90
    assert not np.array_equal(ranks, _order(names, seed=8))
    one = one_vs_rest(
        features, features[:20], labels=labels, names=names, seed=7, settings=SETTINGS
    )
    other = one_vs_rest(
        features[order],
        features[:20],
        labels=labels[order],
        names=[names[i] for i in order],
        seed=7,
        settings=SETTINGS,
    )
    assert one.costs == other.costs
    np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)


def test_c_is_the_best_over_the_folds() -> None:
    features, positive = blobs(count=90, dimensions=40, gap=0.4, seed=8)
    kernel = features.astype(np.float64) @ features.T + 1
    folds = np.zeros(90, np.int64)
    for side in (positive, ~positive):
        folds[side] = np.arange(side.sum()) % 3
    means = []
    for cost in SETTINGS.costs:
        parts = []
        for fold in range(3):
            learn, judge = folds != fold, folds == fold
            machine = LinearSVC(C=cost, class_weight={True: 2.0, False: 1.0}, dual="auto", tol=1e-8)
            machine.fit(features[learn].astype(np.float64), positive[learn])
            parts.append(ap(machine.decision_function(features[judge]), positive[judge]))
        means.append(np.mean(parts))
    assert max(means) - min(means) > 0.005
    best = SETTINGS.costs[int(np.argmax(means))]
    assert choose_cost(kernel, positive, order=np.arange(90), settings=SETTINGS) == best


def test_c_is_the_smallest_of_equals() -> None:
    features, positive = blobs(count=90, dimensions=40, gap=3.0, seed=8)
    kernel = features.astype(np.float64) @ features.T + 1
    # Any C separates these, so the smallest is best.
    assert choose_cost(kernel, positive, order=np.arange(90), settings=SETTINGS) == 0.01
    # One positive cannot be in every fold; what is left decides.
    lonely = np.arange(90) == 0
    assert choose_cost(kernel, lonely, order=np.arange(90), settings=SETTINGS) == 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"costs": ()}, "costs must be positive and rise"),
        ({"costs": (1.0, 0.1)}, "costs must be positive and rise"),
        ({"costs": (0.0, 0.1)}, "costs must be positive and rise"),
        ({"costs": (1.0, 1e6)}, "costs must not exceed 10000"),
        ({"folds": 1}, "folds must be at least 2"),
        ({"positive_weight": 0.0}, "positive_weight must be positive"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SvmSettings(**settings)  # type: ignore[arg-type]
