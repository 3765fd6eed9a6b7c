"""Boundaries as a task: it learns, keeps the network as it is, repeats itself, and refuses what it cannot use."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bsds_trees import write_bsds

from scenelift.benchmarks.card import Outcome
from scenelift.benchmarks.edges import EdgesTask, desk, paper
from scenelift.benchmarks.network import Network, open_network
from scenelift.benchmarks.task import BenchError, Job, Task

SMALL = EdgesTask(steps=2, batch_size=2, crop_px=48, thresholds=3)


def network(seed: int = 0) -> Network:
    return open_network("random", backbone="alexnet-small", seed=seed, device=torch.device("cpu"))


def job(data: Path, out: Path, *, seed: int = 0, final: bool = False) -> Job:
    out.mkdir(exist_ok=True)
    return Job(data=data, out=out, seed=seed, final=final, progress=lambda _what, _done, _all: None)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_bsds(tmp_path / "bsds")


def values(outcome: Outcome) -> dict[str, float]:
    return {figure.name: figure.value for figure in outcome.figures}


def test_recipes_are_tasks() -> None:
    for task in (desk(), paper()):
        assert isinstance(task, Task)
        assert task.name == "edges"
    assert paper().thresholds == 99
    assert paper().max_judged is None
    for field in ("steps", "thresholds", "max_judged", "max_distance"):
        with pytest.raises(ValueError, match=field):
            replace(desk(), **{field: 0})  # type: ignore[arg-type]


def test_training_finds_walls(tmp_path: Path) -> None:
    """Two hundred steps on twelve pictures of plain tiles leave two steps far behind."""
    root = write_bsds(tmp_path / "bsds", counts={"train": 12, "val": 3})
    task = EdgesTask(
        steps=200,
        fine_tune=True,
        batch_size=8,
        crop_px=64,
        head_rate=1e-2,
        backbone_rate=3e-3,
        thresholds=9,
        max_distance=0.03,
    )
    # Without a split test, val is the locked one.
    before = values(
        replace(task, steps=2).run(network(), job=job(root, tmp_path / "a", final=True))
    )
    after = values(task.run(network(), job=job(root, tmp_path / "b", final=True)))
    assert after["ODS"] > before["ODS"] + 0.15
    assert set(after) == {"ODS", "OIS", "AP"}


@pytest.mark.parametrize("fine_tune", [False, True])
def test_same_seed_same_figures_and_the_network_stays(
    root: Path, tmp_path: Path, fine_tune: bool
) -> None:
    net = network()
    before = {name: value.clone() for name, value in net.backbone.state_dict().items()}
    task = replace(SMALL, fine_tune=fine_tune)
    state = torch.get_rng_state()
    one = task.run(net, job=job(root, tmp_path / "a"))
    two = task.run(net, job=job(root, tmp_path / "b"))
    assert one == two
    other = task.run(net, job=job(root, tmp_path / "c", seed=1))
    assert values(other) != values(one)
    for name, value in net.backbone.state_dict().items():
        assert torch.equal(value, before[name])
    assert torch.equal(torch.get_rng_state(), state)
    with np.load(tmp_path / "a" / "edge_counts.npz") as saved:
        assert saved["names"].tolist() == ["val/val00", "val/val01"]
        assert saved["num_true"].shape == (2, 3)


def test_the_test_split_is_locked(root: Path, tmp_path: Path) -> None:
    chosen = SMALL.run(network(), job=job(root, tmp_path / "a"))
    final = SMALL.run(network(), job=job(root, tmp_path / "b", final=True))
    assert chosen.data.splits == {"train": 4, "selection": 2}
    assert final.data.splits == {"train": 6, "test": 2}
    assert chosen.data.sha256 != final.data.sha256
    bare = write_bsds(tmp_path / "bare", counts={"train": 10, "test": 2})
    held = SMALL.run(network(), job=job(bare, tmp_path / "c"))
    assert held.data.splits == {"train": 8, "selection": 2}
    assert "fifth" in held.data.note


def test_work_and_notes(root: Path, tmp_path: Path) -> None:
    work = SMALL.work(network(), job=job(root, tmp_path / "a"))
    assert work.forward_px == 2 * 2 * 48**2 + 2 * 80 * 64
    assert (work.trained_px, work.other_s > 0) == (0, True)
    tuned = replace(SMALL, fine_tune=True, max_judged=1)
    assert tuned.work(network(), job=job(root, tmp_path / "a")).trained_px == 2 * 2 * 48**2
    notes = tuned.run(network(), job=job(root, tmp_path / "b")).notes
    assert "1 of 2 pictures judged, spread evenly" in notes
    assert "3 thresholds, where 99 are published" in notes


def test_bad_data_is_one_line(root: Path, tmp_path: Path) -> None:
    net = network()
    with pytest.raises(BenchError, match="not in the layout of BSDS500"):
        SMALL.work(net, job=job(tmp_path, tmp_path / "a"))
    with pytest.raises(BenchError, match="80 x 64 pixels, less than crop_px, which is 70"):
        replace(SMALL, crop_px=70).run(net, job=job(root, tmp_path / "a"))
    (root / "groundTruth" / "val" / "val00.mat").write_bytes(b"hello")
    with pytest.raises(BenchError, match=r"val00.mat: is no MATLAB file"):
        SMALL.run(net, job=job(root, tmp_path / "a"))
    with pytest.raises(BenchError, match="training diverged at step"):
        replace(SMALL, steps=20, head_rate=1e30).run(net, job=job(root, tmp_path / "a"))
