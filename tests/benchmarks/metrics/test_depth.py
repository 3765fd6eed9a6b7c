"""Errors of depth: closed forms, and the pooled figures against plain numpy."""

import numpy as np
import pytest

from scenelift.benchmarks.metrics.depth import (
    align_median,
    depth_metrics,
    depth_sums,
    join_depth_sums,
)


def test_a_common_factor() -> None:
    true = np.random.default_rng(0).uniform(1, 5, (20, 30))
    valid = true > 1.5
    found = depth_metrics(depth_sums(1.3 * true, true, valid=valid), np.ones((1, 1)))
    assert found["abs_rel"][0] == pytest.approx(0.3)
    assert found["log_rmse"][0] == pytest.approx(np.log(1.3))
    assert found["log10"][0] == pytest.approx(np.log10(1.3))
    assert (found["delta1"][0], found["delta2"][0]) == (0, 100)
    aligned = align_median(1.3 * true, true, valid=valid)
    np.testing.assert_allclose(aligned, true)


def test_pooled_figures_are_those_of_all_pixels_together() -> None:
    rng = np.random.default_rng(0)
    parts, pairs = [], []
    for _ in range(3):
        true = rng.uniform(1, 5, (20, 30))
        said = true * np.exp(rng.normal(0, 0.3, true.shape))
        valid = rng.random(true.shape) < 0.5
        parts.append(depth_sums(said, true, valid=valid))
        pairs.append((said[valid], true[valid]))
    found = depth_metrics(join_depth_sums(parts), np.array([[1.0, 0, 2]]))
    said, true = (np.concatenate([pairs[i][side] for i in (0, 2, 2)]) for side in (0, 1))
    assert found["abs_rel"][0] == pytest.approx((np.abs(said - true) / true).mean())
    assert found["rmse"][0] == pytest.approx(np.sqrt(((said - true) ** 2).mean()))
    ratio = np.maximum(said / true, true / said)
    for power in (1, 2, 3):
        share = 100 * (ratio < 1.25**power).mean()
        assert found[f"delta{power}"][0] == pytest.approx(share)


def test_nothing_valid_is_nan_and_what_is_not_positive_is_refused() -> None:
    true, none = np.ones((2, 2)), np.zeros((2, 2), bool)
    found = depth_metrics(depth_sums(true, true, valid=none), np.ones((1, 1)))
    assert all(np.isnan(value[0]) for value in found.values())
    assert align_median(true, true, valid=none) is true
    for bad in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="positive and finite"):
            depth_sums(np.full((2, 2), bad), true, valid=~none)
