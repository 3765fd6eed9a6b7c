import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ttest_1samp, ttest_rel

from scenelift.benchmarks.statistics import mean_with_interval, paired_difference

NUMBERS = st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=8)


def test_two_values_give_the_interval_of_the_books() -> None:
    # t(0.975, 1) = 12.7062; the standard error of 1 and 3 is 1
    mean = mean_with_interval([1.0, 3.0])
    assert mean.value == 2.0
    assert mean.half_width == pytest.approx(12.7062047, rel=1e-8)


def test_three_values_give_the_interval_of_the_books() -> None:
    # t(0.975, 2) = 4.30265; the standard deviation of 1, 2 and 3 is 1
    assert mean_with_interval([1.0, 2.0, 3.0]).half_width == pytest.approx(
        4.30265273 / math.sqrt(3)
    )


@settings(max_examples=30, deadline=None)
@given(NUMBERS)
def test_it_is_the_interval_of_the_t_test(values: list[float]) -> None:
    if np.std(values) < 1e-6:
        return
    mean = mean_with_interval(values)
    low, high = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert mean.value - mean.half_width == pytest.approx(low, rel=1e-6, abs=1e-6)
    assert mean.value + mean.half_width == pytest.approx(high, rel=1e-6, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.floats(-100, 100), st.floats(0.1, 10))
def test_it_follows_shift_and_scale(values: list[float], shift: float, scale: float) -> None:
    mean, moved = (
        mean_with_interval(values),
        mean_with_interval([scale * v + shift for v in values]),
    )
    assert moved.value == pytest.approx(scale * mean.value + shift, abs=1e-6)
    assert moved.half_width == pytest.approx(scale * mean.half_width, abs=1e-5)


def test_one_value_tells_nothing_about_spread() -> None:
    mean = mean_with_interval([5.0])
    assert math.isnan(mean.half_width)
    assert not mean.excludes_zero
    with pytest.raises(ValueError, match="no value"):
        mean_with_interval([])


def test_a_paired_difference_cancels_what_a_seed_does_to_both() -> None:
    seeds = {0: 10.0, 1: 50.0, 2: 90.0}
    better = {seed: value + 1.0 + 0.01 * seed for seed, value in seeds.items()}
    difference = paired_difference(better, seeds)
    assert difference is not None
    assert difference.value == pytest.approx(1.01)
    assert difference.excludes_zero
    low, _ = ttest_rel(list(better.values()), list(seeds.values())).confidence_interval(0.95)
    assert difference.value - difference.half_width == pytest.approx(low)
    apart = mean_with_interval(list(better.values()))
    assert apart.half_width > 50


def test_a_paired_difference_takes_shared_seeds_alone() -> None:
    difference = paired_difference({0: 1.0, 1: 5.0, 7: 100.0}, {1: 2.0, 0: 1.0, 8: 0.0})
    assert difference is not None
    assert (difference.value, difference.count) == (1.5, 2)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None
    one, other = {0: 1.0, 1: 4.0}, {0: 2.0, 1: 2.0}
    forwards, backwards = paired_difference(one, other), paired_difference(other, one)
    assert forwards is not None
    assert backwards is not None
    assert forwards.value == -backwards.value
    assert forwards.half_width == backwards.half_width
