"""Kernel and Frechet distance: by hand, against torch-fidelity's on the same features, and what they must be blind or alert to."""

from pathlib import Path

import numpy as np
import pytest
import torch

from scenelift.benchmarks.metrics.distribution import frechet_distance, kernel_distance
from scenelift.benchmarks.network import open_network
from scenelift.benchmarks.picture_features import inception_features, network_features


def features(*, count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float32) + shift


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_kernel_distance_by_hand() -> None:
    """Two pictures a side, features of one number: kernel (a b + 1)^3."""
    x, y = np.array([[0.0], [1.0]]), np.array([[1.0], [2.0]])
    within_x, within_y, across = 1.0, 27.0, (1 + 1 + 8 + 27) / 4
    found = kernel_distance(x, y, subsets=3, rng=rng())
    assert found.mean == pytest.approx(within_x + within_y - 2 * across)
    assert found.std == pytest.approx(0)


def test_both_agree_with_torch_fidelity() -> None:
    kid = pytest.importorskip("torch_fidelity.metric_kid")
    fid = pytest.importorskip("torch_fidelity.metric_fid")
    x, y = features(count=80, seed=0), features(count=80, seed=1, shift=0.3)
    theirs = kid.kid_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), kid_subsets=4, kid_subset_size=80, verbose=False
    )
    ours = kernel_distance(x, y, subsets=4, subset_size=80, rng=rng())
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-4)
    statistics = [fid.fid_features_to_statistics(torch.from_numpy(v).double()) for v in (x, y)]
    theirs = fid.fid_statistics_to_metric(*statistics, verbose=False)
    assert frechet_distance(x, y) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)


def test_kernel_distance_has_no_bias() -> None:
    """Over many pairs of sets from one distribution its mean is nothing beside what a shift makes of it."""
    same = [
        kernel_distance(
            features(count=40, seed=2 * s), features(count=40, seed=2 * s + 1), subsets=1, rng=rng()
        ).mean
        for s in range(100)
    ]
    apart = kernel_distance(
        features(count=40, seed=0), features(count=40, seed=1, shift=0.5), subsets=1, rng=rng()
    )
    assert abs(np.mean(same)) < 3 * np.std(same) / 10
    assert apart.mean > 5 * np.std(same)


def test_frechet_distance_of_normals() -> None:
    """The closed form: squared shift, and the squared difference of standard deviations."""
    base = np.random.default_rng(0).normal(size=(4000, 1))
    base = (base - base.mean()) / base.std(ddof=1)
    assert frechet_distance(base, 3 * base + 2) == pytest.approx(4 + 4)
    assert frechet_distance(base, base[::-1]) == pytest.approx(0, abs=1e-9)


def test_bad_features_end_in_one_line() -> None:
    good = features(count=4, seed=0)
    with pytest.raises(ValueError, match="two pictures of each"):
        kernel_distance(good, good[:1], rng=rng())
    with pytest.raises(ValueError, match="needs two pictures"):
        frechet_distance(good, good[:1])
    for distance in (
        lambda x: kernel_distance(x, good, rng=rng()),
        lambda x: frechet_distance(x, good),
    ):
        with pytest.raises(ValueError, match="NaN"):
            distance(good * np.nan)


def test_names_say_whose_features() -> None:
    network = open_network("random", backbone="alexnet-small", seed=0, device=torch.device("cpu"))
    ours = network_features(network, name="alexnet-small, random")
    images = torch.randint(256, (3, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    vectors = ours.of(images.to(torch.uint8))
    assert (vectors.shape, ours.kernel_name) == (
        (3, 128),
        "kernel distance (alexnet-small, random)",
    )
    torch.testing.assert_close(vectors[1:2], ours.of(images[1:2].to(torch.uint8)))


def test_inception_comes_from_a_file_alone(tmp_path: Path) -> None:
    pytest.importorskip("torch_fidelity")
    cpu = torch.device("cpu")
    with pytest.raises(ValueError, match="no such file; it is pt_inception"):
        inception_features(tmp_path / "none.pth", device=cpu)
    torch.save({"x": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match=r"other.pth: does not hold the weights"):
        inception_features(tmp_path / "other.pth", device=cpu)
    torch.save(Path("an object"), tmp_path / "evil.pth")
    with pytest.raises(ValueError, match=r"evil.pth: does not hold the weights"):
        inception_features(tmp_path / "evil.pth", device=cpu)


def test_sets_may_differ_in_size() -> None:
    few, many = features(count=40, seed=0), features(count=400, seed=1)
    assert 0 < frechet_distance(few, many) < frechet_distance(few + 2, many)
    assert (
        kernel_distance(few, many, rng=rng()).mean < kernel_distance(few + 2, many, rng=rng()).mean
    )
