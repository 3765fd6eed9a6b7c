import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from scenelift.adapt.health import a_distance, a_distances, pool_features, write_health


def test_domains_wholly_apart_are_two_and_alike_are_about_nought() -> None:
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 200, 16)).astype(np.float32)
    alike, apart = a_distance(left, right, seed=0), a_distance(left, right + 5, seed=0)
    assert alike.low == 0
    assert alike.value < 0.3
    assert apart.value == pytest.approx(2.0, abs=0.03)


def test_it_is_two_minus_four_times_the_error() -> None:
    # Domains on two points; of real samples 1 in 4 lies on the synthetic point, so the least error is 1/8.
    left = np.zeros((400, 1))
    right = (np.arange(400) % 4 > 0)[:, None].astype(float)
    assert a_distance(left, right, seed=0).value == pytest.approx(2 - 4 / 8, abs=1e-9)


def test_it_grows_with_the_distance() -> None:
    rng = np.random.default_rng(1)
    left, right = rng.normal(size=(2, 150, 8))
    values = [a_distance(left, right + shift, seed=0).value for shift in (0.0, 0.3, 0.6, 1.5)]
    assert values == sorted(values)
    assert values[-1] > values[0] + 1


def test_worse_than_chance_counts_as_nought() -> None:
    left = np.tile([[0.0], [1.0]], (10, 1))
    distance = a_distance(left, left[::-1].copy(), seed=0)
    assert distance.low == 0
    assert 0 <= distance.value <= distance.high


def test_more_features_than_samples_are_no_trouble() -> None:
    rng = np.random.default_rng(2)
    left, right = rng.normal(size=(2, 60, 1000))
    assert a_distance(left, right, seed=0).low < 0.4


def test_too_few_samples_are_not_measured() -> None:
    distance = a_distance(np.zeros((3, 2)), np.ones((3, 2)), seed=0)
    assert math.isnan(distance.value)
    assert (distance.low, distance.high, distance.num_each) == (0.0, 2.0, 0)


def test_pooling_averages_over_the_picture() -> None:
    features = torch.arange(24.0, requires_grad=True).reshape(2, 3, 2, 2)
    np.testing.assert_allclose(pool_features(features), [[1.5, 5.5, 9.5], [13.5, 17.5, 21.5]])
    assert pool_features(torch.zeros(0, 3, 2, 2)).shape == (0, 3)


def test_layers_must_agree() -> None:
    with pytest.raises(ValueError, match="layers differ"):
        a_distances({"conv1": np.zeros((10, 2))}, {"conv2": np.zeros((10, 2))}, seed=0)


def test_the_file_keeps_the_order_of_layers_and_has_null_for_what_was_not_measured(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    features = {layer: rng.normal(size=(20, 2)) for layer in ("conv2", "conv10", "conv1")}
    features["tiny"] = np.zeros((3, 2))
    before = a_distances(features, features, seed=0)
    path = tmp_path / "health.json"
    write_health(path, before=before, aligned_layers=("conv10",))
    layers = json.loads(path.read_text(), parse_constant=pytest.fail)["layers"]
    assert [entry["layer"] for entry in layers] == ["conv2", "conv10", "conv1", "tiny"]
    assert [entry["aligned"] for entry in layers] == [False, True, False, False]
    assert (layers[0]["after"], layers[3]["before"]["value"]) == (None, None)
    assert layers[0]["before"]["num_each"] == 20
