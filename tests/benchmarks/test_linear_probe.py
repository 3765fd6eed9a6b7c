"""Probes learn what is planted and nothing from noise, their features are the published ones, and how they are computed shows nowhere."""

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from jaxtyping import Float16, Int64
from labelled_trees import class_folders
from photo_trees import write_tar
from small_networks import lived_in_backbone
from torch.nn import functional as F

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.network_input import InputNormalisation
from scenelift.benchmarks.card import NetworkFacts, Outcome
from scenelift.benchmarks.features import (
    CENTRE,
    MIRRORED,
    TEN_CROPS,
    FeatureSettings,
    Resize,
    cut_views,
    extract_features,
    grid_side,
    layer_grids,
    measure_scales,
    resize_map,
)
from scenelift.benchmarks.linear_heads import (
    Candidate,
    HeadSettings,
    fit_heads,
    measure_moments,
    score_rows,
)
from scenelift.benchmarks.linear_probe import ProbeTask, desk, paper
from scenelift.benchmarks.metrics.top_k import ranks_of_truth, wilson_interval
from scenelift.benchmarks.nearest import nearest, vote
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.probe_data import open_probe_data
from scenelift.benchmarks.streamed_heads import Schedule, fit_streamed
from scenelift.benchmarks.task import BenchError, Job, Task
from scenelift.datasets.labelled import open_labelled

CPU = torch.device("cpu")
SMALL = FeatureSettings(resize_px=40, crop_px=36, dimensions=600)
QUICK = ProbeTask(
    features=SMALL, heads=HeadSettings(epochs=6, batch_size=16), learning_rates=(1e-2, 3e-2)
)


def network_of(name: str = "alexnet-small") -> Network:
    return Network(
        backbone=lived_in_backbone(name),
        normalisation=InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD),
        facts=NetworkFacts(label="small", backbone=name, weights="random", sha256=""),
    )


def job_of(path: Path, *, out: Path, seed: int = 0, final: bool = False) -> Job:
    return Job(data=path, out=out, seed=seed, final=final, progress=lambda what, done, total: None)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tar(tmp_path_factory.mktemp("planted") / "a.tar", class_folders(train=20, val=8))


def run(task: ProbeTask, path: Path, out: Path, *, final: bool = True) -> Outcome:
    return task.run(network_of(), job=job_of(path, out=out, final=final))


def values(outcome: Outcome) -> dict[tuple[str, str], float]:
    return {(figure.layer, figure.name): figure.value for figure in outcome.figures}


def normal_table(n: int, d: int, *, seed: int = 0) -> Float16[np.ndarray, "n d"]:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float16)


# Features


def test_published_dimensions_of_alexnet() -> None:
    network = replace(
        network_of(),
        backbone=build_backbone("alexnet", generator=torch.Generator().manual_seed(0)).eval(),
    )
    grids = layer_grids(network, settings=paper().features)
    assert [c * h * w for c, h, w in grids.values()] == [9600, 9216, 9600, 9600, 9216]
    assert [h for _, h, _ in grids.values()] == [10, 6, 5, 5, 6]
    assert list(grids) == ["conv1", "conv2", "conv3", "conv4", "conv5"]


@pytest.mark.parametrize("channels", [1, 32, 64, 100, 512, 2048, 20_000])
def test_no_other_grid_comes_nearer(channels: int) -> None:
    side = grid_side(channels=channels, height=200, width=200, dimensions=9600)
    away = [abs(channels * other * other - 9600) for other in range(1, 201)]
    assert away[side - 1] == min(away)


def test_no_grid_is_finer_than_its_map() -> None:
    assert grid_side(channels=64, height=7, width=7, dimensions=9600) == 7
    tokens = torch.randn(2, 16, 1, 9)
    assert resize_map(tokens, dimensions=9600, resize="bilinear").equal(
        tokens.permute(0, 2, 3, 1).flatten(1)
    )


@pytest.mark.parametrize("resize", ["bilinear", "adaptive-average", "adaptive-max"])
def test_resizing_keeps_a_constant_and_means(resize: str) -> None:
    how = cast("Resize", resize)
    constant = torch.full((1, 6, 12, 12), 3.5)
    small = resize_map(constant, dimensions=96, resize=how)
    assert small.shape == (1, 96)
    assert bool((small == 3.5).all())
    ramp = torch.arange(12.0).expand(1, 6, 12, 12)
    rows = resize_map(ramp, dimensions=96, resize=how).reshape(4, 4, 6)[0, :, 0]
    # Cells of three: bilinear reads the middle one, as the mean is; the greatest is the last.
    expected = [1, 4, 7, 10] if resize != "adaptive-max" else [2, 5, 8, 11]
    assert rows.tolist() == expected


def test_ten_crops() -> None:
    class Numbered:
        def __len__(self) -> int:
            return 1

        def name(self, index: int) -> str:
            return str(index)

        def image(self, index: int) -> np.ndarray:
            y, x = np.mgrid[:8, :10]
            return np.stack([y, x, 0 * x], axis=-1).astype(np.uint8)

    settings = FeatureSettings(resize_px=8, crop_px=4)
    cuts = cut_views(Numbered(), 0, views=TEN_CROPS, settings=settings)
    corners = [tuple(cut[0, 0, :2].tolist()) for cut in cuts[:5]]
    assert corners == [(2, 3), (0, 0), (0, 6), (4, 0), (4, 6)]
    np.testing.assert_array_equal(cuts[5:], cuts[:5, :, ::-1])


def extracted(path: Path, out: Path, *, settings: FeatureSettings = SMALL) -> dict[str, np.ndarray]:
    images, network = open_labelled(path, split="val"), network_of()
    indices = list(range(len(images)))
    scales = measure_scales(network, images, indices=indices, settings=settings)
    tables = extract_features(
        network,
        images,
        indices=indices,
        views=MIRRORED,
        scales=scales,
        settings=settings,
        folder=out,
    )
    return {name: table.grid / table.scale for name, table in tables.items()}


def test_features_are_those_of_the_network(planted: Path, tmp_path: Path) -> None:
    images, network = open_labelled(planted, split="val"), network_of()
    found = extracted(planted, tmp_path)
    pixels = torch.from_numpy(images.image(5)[2:38, 2:38].copy()).permute(2, 0, 1).float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    for view, x in enumerate((pixels, pixels.flip(2))):
        with torch.no_grad():
            maps = network.backbone(((x - mean) / std)[None])
        for name, table in found.items():
            side = grid_side(
                channels=maps[name].shape[1], height=maps[name].shape[2],
                width=maps[name].shape[3], dimensions=600,
            )  # fmt: skip
            grid = F.interpolate(maps[name], size=(side, side), mode="bilinear")[0]
            grid = grid.permute(1, 2, 0).flatten()
            np.testing.assert_allclose(
                table[5, view], grid.numpy(), rtol=2e-3, atol=1e-3 * float(grid.abs().max())
            )


def test_features_do_not_depend_on_how_they_are_computed(planted: Path, tmp_path: Path) -> None:
    base = extracted(planted, tmp_path / "a")
    for settings in (
        replace(SMALL, workers=0),
        replace(SMALL, workers=3),
        replace(SMALL, memory_bytes=0),
        replace(SMALL, layers=("conv2", "conv5")),
    ):
        for name, table in extracted(planted, tmp_path / "b", settings=settings).items():
            np.testing.assert_array_equal(table, base[name])
    for name, table in extracted(
        planted, tmp_path / "c", settings=replace(SMALL, batch_size=7)
    ).items():
        np.testing.assert_allclose(table, base[name], rtol=2e-3, atol=1e-3 * np.abs(table).max())


def test_faint_and_loud_features_keep_their_precision(planted: Path, tmp_path: Path) -> None:
    images = open_labelled(planted, split="val")
    tables = []
    for factor in (1.0, 2.0**-30, 2.0**30):
        network = network_of()
        bn5 = network.backbone.get_submodule("bn5")
        with torch.no_grad():
            for parameter in bn5.parameters():
                parameter.mul_(factor)
        settings = replace(SMALL, layers=("conv5",))
        scales = measure_scales(network, images, indices=[0, 1, 2], settings=settings)
        table = extract_features(
            network, images, indices=[0, 1, 2], views=CENTRE, scales=scales, settings=settings,
            folder=tmp_path,
        )["conv5"]  # fmt: skip
        stored = table.grid.astype(np.float64)
        assert 1 / 64 < np.sqrt(np.square(stored).mean()) < 64
        tables.append(stored / table.scale / factor)
    for other in tables[1:]:
        np.testing.assert_allclose(other, tables[0], rtol=1e-3, atol=1e-5 * tables[0].max())


def test_broken_weights_are_one_line(planted: Path, tmp_path: Path) -> None:
    network = network_of()
    with torch.no_grad():
        next(iter(network.backbone.get_submodule("conv3").parameters())).fill_(torch.nan)
    with pytest.raises(BenchError, match="layer conv3: features are not finite"):
        QUICK.run(network, job=job_of(planted, out=tmp_path))


# Classifiers


def test_moments_are_exact() -> None:
    table = (normal_table(1000, 7) * np.float16(3) + np.arange(7)).astype(np.float16)
    table[:, 6] = 5
    rows = np.arange(0, 1000, 3)
    found = measure_moments(table, rows=rows)
    exact = table[rows].astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(axis=0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.inverse_std[:6], 1 / exact[:, :6].std(axis=0), rtol=1e-6)
    assert np.isfinite(found.inverse_std).all()


def fitted_hits(
    table: Float16[np.ndarray, "n d"],
    labels: Int64[np.ndarray, " n"],
    *,
    train: int,
    rates: tuple[float, ...] = (0.03,),
) -> int:
    heads = fit_heads(
        table,
        rows=np.arange(train),
        labels=labels,
        num_classes=int(labels.max()) + 1,
        candidates=[Candidate(learning_rate=rate, weight_decay=5e-4) for rate in rates],
        settings=HeadSettings(epochs=10, batch_size=32),
        seed=0,
        device=CPU,
    )
    scores = score_rows(heads, table, rows=np.arange(train, len(table)))
    return int((ranks_of_truth(scores[0], labels[train:]) == 0).sum())


def test_planted_features_reach_all_and_noise_stays_at_chance() -> None:
    labels = np.random.default_rng(1).integers(0, 5, 1000)
    noise = normal_table(1000, 40)
    low, high = wilson_interval(fitted_hits(noise, labels, train=500), count=500)
    assert low < 20 < high
    planted = noise.copy()
    planted[np.arange(1000), labels] += 12
    assert fitted_hits(planted, labels, train=500) == 500


def test_a_step_is_that_of_torch() -> None:
    table, labels = normal_table(24, 6), np.arange(24) % 3
    settings = HeadSettings(epochs=2, batch_size=12, drops=(0.5,))
    heads = fit_heads(
        table, rows=np.arange(24), labels=labels, num_classes=3,
        candidates=[Candidate(learning_rate=0.1, weight_decay=0.0), Candidate(learning_rate=0.02, weight_decay=0.3)],
        settings=settings, seed=4, device=CPU,
    )  # fmt: skip
    x = torch.from_numpy(table).double()
    x = (x - x.mean(dim=0)) / x.std(dim=0, correction=0)
    linear = torch.nn.Linear(6, 3).double()
    torch.nn.init.zeros_(linear.weight)
    torch.nn.init.zeros_(linear.bias)
    optimiser = torch.optim.SGD(
        [{"params": [linear.weight], "weight_decay": 0.3}, {"params": [linear.bias], "lr": 0.04}],
        lr=0.02,
        momentum=0.9,
    )
    rng = np.random.default_rng(4)
    for epoch in range(2):
        for group in optimiser.param_groups:
            group["lr"] *= 0.1**epoch
        for batch in np.array_split(rng.permutation(24), 2):
            loss = F.cross_entropy(linear(x[batch]), torch.from_numpy(labels[batch]))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    torch.testing.assert_close(
        heads.weight[1].double(), linear.weight.detach(), rtol=1e-4, atol=1e-6
    )
    torch.testing.assert_close(heads.bias[1].double(), linear.bias.detach(), rtol=1e-4, atol=1e-6)


def test_candidates_do_not_see_each_other() -> None:
    table, labels = normal_table(60, 8), np.arange(60) % 4
    both = [Candidate(learning_rate=r, weight_decay=w) for r, w in ((0.1, 0.0), (0.01, 0.1))]

    def fit(candidates: list[Candidate]) -> torch.Tensor:
        return fit_heads(
            table, rows=np.arange(60), labels=labels, num_classes=4, candidates=candidates,
            settings=HeadSettings(epochs=3, batch_size=20), seed=0, device=CPU,
        ).weight  # fmt: skip

    torch.testing.assert_close(fit(both)[1], fit(both[1:])[0], rtol=1e-5, atol=1e-7)


# Neighbours and ranks


def test_votes_are_weighted_as_published() -> None:
    gallery = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 5.0], [-1.0, 0.0]])
    similarity, places = nearest(torch.tensor([[3.0, 0.0]]), gallery, k=3)
    assert places.tolist() == [[0, 1, 2]]
    torch.testing.assert_close(similarity, torch.tensor([[1.0, 0.8, 0.0]]))
    votes = vote(similarity, torch.tensor([[1, 0, 0]]), num_classes=3, temperature=0.5)
    expected = torch.exp(torch.tensor([[0.8, 1.0, -torch.inf]]) / 0.5)
    expected[0, 0] += 1
    torch.testing.assert_close(votes / votes.sum(), expected / expected.sum())


def test_distances_and_ties() -> None:
    gallery = torch.tensor([[0.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
    similarity, places = nearest(torch.tensor([[1.0, 0.0]]), gallery, k=9, metric="l2")
    assert places.tolist() == [[1, 2, 0]]
    torch.testing.assert_close(similarity, -torch.tensor([[1.0, 1.0, 5**0.5]]))


def test_ties_and_nan_are_no_hits() -> None:
    labels = np.array([0, 1])
    assert ranks_of_truth(np.zeros((2, 4)), labels).tolist() == [3, 3]
    with pytest.raises(ValueError, match="row 1"):
        ranks_of_truth(np.array([[0.0, 1.0], [0.0, np.nan]]), labels)


def test_wilson_against_its_definition() -> None:
    for hits, count in ((0, 10), (3, 40), (40, 40)):
        for end in wilson_interval(hits, count=count):
            p = end / 100
            away = abs(hits / count - p)
            assert away == pytest.approx(1.959963984540054 * np.sqrt(p * (1 - p) / count), abs=1e-9)


# The task


def test_task_learns_colours(planted: Path, tmp_path: Path) -> None:
    outcome = run(QUICK, planted, tmp_path)
    assert isinstance(QUICK, Task)
    found = values(outcome)
    assert found[("conv1", "top-1")] == 100
    assert found[("conv1", "20-NN")] == 100
    assert {layer for layer, _ in found} == {f"conv{i}" for i in range(1, 6)}
    assert outcome.data.splits == {"train": 48, "selection": 12, "test": 24}
    assert not (tmp_path / "features").exists()


def test_task_stays_at_chance_on_noise(tmp_path: Path) -> None:
    files = class_folders(train=40, val=60, planted=False)
    outcome = run(QUICK, write_tar(tmp_path / "a.tar", files), tmp_path)
    hits = [figure.value * 1.8 for figure in outcome.figures if figure.name == "top-1"]
    low, high = wilson_interval(round(float(np.mean(hits))), count=180)
    assert low < 100 / 3 < high


def test_same_again_and_whatever_the_order_workers_and_batches(
    planted: Path, tmp_path: Path
) -> None:
    base = run(QUICK, planted, tmp_path / "a")
    files = class_folders(train=20, val=8)
    turned = write_tar(tmp_path / "turned.tar", dict(reversed(files.items())))
    assert run(QUICK, turned, tmp_path / "b").figures == base.figures
    for settings in (
        replace(SMALL, workers=0),
        replace(SMALL, workers=2),
        replace(SMALL, batch_size=5),
        replace(SMALL, memory_bytes=0),
    ):
        task = replace(QUICK, features=settings)
        assert run(task, planted, tmp_path / "c").figures == base.figures


def test_one_pass_equals_separate_passes(planted: Path, tmp_path: Path) -> None:
    together = values(run(QUICK, planted, tmp_path))
    for layer in ("conv2", "conv5"):
        task = replace(QUICK, features=replace(SMALL, layers=(layer,)))
        alone = values(run(task, planted, tmp_path))
        assert alone == {key: value for key, value in together.items() if key[0] == layer}


def test_test_split_stays_locked(tmp_path: Path) -> None:
    files = class_folders(train=20, val=8)
    open_path = write_tar(tmp_path / "a.tar", files)
    locked = {name: b"damaged" if "/val/" in name else data for name, data in files.items()}
    locked_path = write_tar(tmp_path / "b.tar", locked)
    seen = run(QUICK, open_path, tmp_path, final=False)
    assert values(run(QUICK, locked_path, tmp_path, final=False)) == values(seen)
    with pytest.raises(BenchError, match="val/class"):
        run(QUICK, locked_path, tmp_path, final=True)


def test_selection_is_a_seeded_fifth(planted: Path) -> None:
    data, other = (open_probe_data(planted, seed=seed) for seed in (0, 1))
    assert len(data.selection) == 12
    assert set(data.train) | set(data.selection) == set(other.train) | set(other.selection)
    assert set(data.selection) != set(other.selection)
    assert not set(data.test) & (set(data.train) | set(data.selection))
    assert all(data.pictures.name(int(row)).startswith("val/") for row in data.test)


def test_ten_crops_are_named(planted: Path, tmp_path: Path) -> None:
    outcome = run(replace(QUICK, test_crops=10), planted, tmp_path, final=False)
    assert any("Ten crops" in note for note in outcome.notes)
    assert values(outcome)[("conv1", "top-1")] == 100


def test_scores_are_saved_without_pickle(planted: Path, tmp_path: Path) -> None:
    outcome = run(QUICK, planted, tmp_path)
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as saved:
        ranks, top = saved["linear/conv4/ranks"], saved["linear/conv4/top"]
        labels = saved["labels"]
        assert len(saved["names"]) == 24
    assert values(outcome)[("conv4", "top-1")] == pytest.approx(100 * (ranks == 0).mean())
    np.testing.assert_array_equal(top[:, 0] == labels, ranks == 0)


def test_layer_that_does_not_exist(planted: Path, tmp_path: Path) -> None:
    task = replace(QUICK, features=replace(SMALL, layers=("conv9",)))
    with pytest.raises(BenchError, match="no layer 'conv9'; its layers are conv1, conv2"):
        run(task, planted, tmp_path)


def test_work_is_told(planted: Path, tmp_path: Path) -> None:
    job = job_of(planted, out=tmp_path)
    work = QUICK.work(network_of(), job=job)
    assert work.forward_px == 60 * 2 * 36**2
    assert QUICK.work(network_of(), job=replace(job, final=True)).other_s > work.other_s
    with pytest.raises(BenchError, match="does not exist"):
        desk().work(network_of(), job=replace(job, data=tmp_path / "none"))


# The published schedule

STREAMED = ProbeTask(
    features=SMALL,
    schedule=Schedule(steps=30, batch_size=24, learning_rate=0.02, drop_every=20),
    neighbours=0,
)


def test_streamed_task_learns_colours(planted: Path, tmp_path: Path) -> None:
    outcome = run(STREAMED, planted, tmp_path)
    assert values(outcome)[("conv1", "top-1")] == 100
    assert STREAMED.work(network_of(), job=job_of(planted, out=tmp_path)).forward_px == (
        (30 * 24 + 12) * 36**2
    )


def streamed_weights(
    planted: Path, *, layers: tuple[str, ...] = (), workers: int = 1
) -> dict[str, torch.Tensor]:
    images = open_labelled(planted, split="train")
    heads = fit_streamed(
        network_of(),
        images,
        rows=np.arange(len(images)),
        labels=images.labels,
        num_classes=3,
        settings=replace(SMALL, layers=layers, workers=workers),
        schedule=Schedule(steps=4, batch_size=24),
        seed=0,
    )
    return dict(heads.state_dict())


def test_layers_trained_together_are_those_trained_alone(planted: Path) -> None:
    together = streamed_weights(planted)
    alone = streamed_weights(planted, layers=("conv3",), workers=0)
    for name, tensor in alone.items():
        torch.testing.assert_close(tensor, together[name], rtol=0, atol=0)
    assert bool((together["linears.conv3.weight"] != 0).any())


def test_published_numbers() -> None:
    task = paper()
    assert task.schedule == Schedule(
        steps=140_000, batch_size=256, learning_rate=0.01, drop_every=40_000, momentum=0.9,
        weight_decay=5e-4,
    )  # fmt: skip
    assert (task.features.resize_px, task.features.crop_px, task.test_crops) == (256, 227, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(SMALL, crop_px=41), "crop_px must be from 1 to resize_px"),
        (lambda: replace(SMALL, batch_size=0), "batch_size must be at least 1"),
        (lambda: replace(QUICK, learning_rates=()), "learning_rates"),
        (lambda: replace(STREAMED, neighbours=5), "neighbours need tables"),
        (lambda: Schedule(steps=0), "steps"),
        (lambda: HeadSettings(epochs=0), "epochs"),
    ],
)
def test_settings_out_of_range(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
