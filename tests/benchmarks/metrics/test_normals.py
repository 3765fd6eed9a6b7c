"""Angles of normals: closed forms, and the pooled figures against plain numpy."""

import numpy as np
import pytest

from scenelift.benchmarks.metrics.normals import (
    angles_deg,
    join_normal_sums,
    normal_metrics,
    normal_sums,
)


def test_known_angles_and_lengths_do_not_matter() -> None:
    true = np.array([0.0, 0.0, 1.0])
    for degrees in (0.0, 1e-4, 11.25, 90.0, 180.0):
        turned = 7 * np.array([np.sin(np.radians(degrees)), 0.0, np.cos(np.radians(degrees))])
        assert angles_deg(turned, 0.1 * true) == pytest.approx(degrees, abs=1e-9)
    assert angles_deg(np.zeros(3), true) == 90


def test_pooled_figures_are_those_of_all_pixels_together() -> None:
    rng = np.random.default_rng(0)
    parts, angles = [], []
    for _ in range(5):
        true, said = rng.normal(size=(2, 30, 40, 3))
        said = true + 0.5 * said
        valid = rng.random((30, 40)) < 0.6
        parts.append(normal_sums(said, true, valid=valid))
        unit = [v[valid] / np.linalg.norm(v[valid], axis=-1, keepdims=True) for v in (said, true)]
        angles.append(np.degrees(np.arccos((unit[0] * unit[1]).sum(-1).clip(-1, 1))))
    sums = join_normal_sums(parts)
    weights = np.array([[1.0, 1, 1, 1, 1], [0, 2, 0, 1, 0]])
    found = normal_metrics(sums, weights)
    for draw, chosen in enumerate(([0, 1, 2, 3, 4], [1, 1, 3])):
        pooled = np.concatenate([angles[index] for index in chosen])
        assert found["mean"][draw] == pytest.approx(pooled.mean())
        assert found["rmse"][draw] == pytest.approx(np.sqrt(np.square(pooled).mean()))
        assert found["median"][draw] == pytest.approx(np.median(pooled), abs=0.1)
        for threshold in (11.25, 22.5, 30):
            share = 100 * (pooled < threshold).mean()
            assert found[f"below_{threshold:g}"][draw] == pytest.approx(share)


def test_nothing_valid_is_nan_and_what_is_not_finite_is_refused() -> None:
    normals = np.zeros((2, 2, 3))
    none = normal_sums(normals, normals, valid=np.zeros((2, 2), bool))
    assert all(np.isnan(value[0]) for value in normal_metrics(none, np.ones((1, 1))).values())
    bad = np.full((2, 2, 3), np.nan)
    normal_sums(bad, normals, valid=np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match="NaN"):
        normal_sums(bad, normals, valid=np.ones((2, 2), bool))


def test_opposite_normals_are_counted() -> None:
    true = np.zeros((1, 4, 3))
    true[..., 2] = 1
    found = normal_metrics(normal_sums(-true, true, valid=np.ones((1, 4), bool)), np.ones((1, 1)))
    assert found["mean"][0] == 180
    assert found["median"][0] == pytest.approx(180, abs=0.05)
    assert found["below_30"][0] == 0
