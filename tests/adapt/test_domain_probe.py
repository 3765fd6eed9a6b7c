import numpy as np
import pytest

from scenelift.adapt.domain_probe import UNMEASURED, separability, wilson_interval


def gaussians(
    shift: float, *, count: int, width: int = 4, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(2, count, width))
    right[:, 0] += shift
    return left, right


def test_equal_domains_are_at_chance_within_the_interval_nineteen_times_in_twenty() -> None:
    results = [separability(*gaussians(0.0, count=120, seed=seed), seed=seed) for seed in range(40)]
    covered = sum(r.low <= 0.5 <= r.high for r in results)
    assert covered >= 34
    assert abs(np.mean([r.accuracy for r in results]) - 0.5) < 0.03


def test_two_gaussians_are_told_apart_as_well_as_the_best_cut_can() -> None:
    # Of unit deviation and 2 apart, the best cut is right with the probability that a normal number is below 1.
    measured = separability(*gaussians(2.0, count=1500), seed=0)
    assert measured.low < 0.8413 < measured.high
    assert measured.high - measured.low < 0.045


def test_the_interval_is_wilsons_half_as_wide_again() -> None:
    left = np.zeros((400, 1))
    right = (np.arange(400) % 4 > 0)[:, None].astype(float)  # 1 in 8 of all cannot be told
    measured = separability(left, right, seed=0)
    assert measured.accuracy == 7 / 8
    width = 2 * 1.959964 * np.sqrt(7 / 64 / 800)
    assert measured.high - measured.low == pytest.approx(1.5 * width, rel=0.01)


def test_it_is_judged_on_samples_that_it_was_not_fitted_on() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 40, 500))  # a probe can learn these by heart
    assert separability(left, right, seed=0).accuracy < 0.7


def test_chance_is_one_half_whatever_the_numbers() -> None:
    left, right = gaussians(0.0, count=400)
    measured = separability(left[:30], right, seed=0)
    assert measured.num_each == 30
    assert 0.3 < measured.accuracy < 0.7


def test_scale_and_place_of_a_feature_do_not_matter() -> None:
    left, right = gaussians(1.0, count=100)
    stretch, move = np.array([1e6, 1.0, 1e-6, 3.0]), np.array([0.0, 1e3, 5.0, -2.0])
    plain = separability(left, right, seed=1)
    assert separability(left * stretch + move, right * stretch + move, seed=1) == plain


def test_the_same_seed_gives_the_same_and_features_are_left_alone() -> None:
    left, right = gaussians(0.5, count=60)
    before = left.copy()
    assert separability(left, right, seed=3) == separability(left, right, seed=3)
    assert separability(left, right, seed=3) != separability(left, right, seed=4)
    np.testing.assert_array_equal(left, before)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_too_few_samples_measure_nothing(count: int) -> None:
    assert separability(np.zeros((count, 3)), np.ones((50, 3)), seed=0) is UNMEASURED


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf, 1e308])
def test_features_that_say_nothing_are_at_chance(value: float) -> None:
    left, right = np.full((2, 20, 3), value)
    assert separability(left, right, seed=0).accuracy == 0.5


def test_some_features_that_are_not_finite_do_not_hide_the_others() -> None:
    left, right = gaussians(8.0, count=40)
    left[::3, 1], right[::4, 1], left[:, 2] = np.nan, np.inf, np.nan
    assert separability(left, right, seed=0).accuracy > 0.95


@pytest.mark.parametrize(("successes", "total"), [(0, 10), (5, 10), (10, 10), (37, 40)])
def test_wilsons_interval_holds_the_shares_whose_test_does_not_refuse(
    successes: int, total: int
) -> None:
    # Its ends solve |share - p| = z sqrt(p (1 - p) / n).
    low, high = wilson_interval(successes, total=total)
    share = successes / total
    for end in {low, high} - {0.0, 1.0}:
        assert abs(share - end) == pytest.approx(1.959964 * np.sqrt(end * (1 - end) / total))
    assert low <= share + 1e-12
    assert share - 1e-12 <= high
