"""The detection benchmark as a whole, on planted squares and, where they are, a few real photos."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from detection_trees import job_of, plant, small_network

from scenelift.benchmarks.card import Card, read_card, write_card
from scenelift.benchmarks.detection.fast_training import FastSettings
from scenelift.benchmarks.detection.faster_rcnn import FasterSettings
from scenelift.benchmarks.detection.proposal_file import read_proposals
from scenelift.benchmarks.detection.proposals import ProposalSettings
from scenelift.benchmarks.detection.sampling import RegionSampling
from scenelift.benchmarks.detection.training import Schedule, Sizes, picture_order
from scenelift.benchmarks.metrics.scores_file import read_detections
from scenelift.benchmarks.task import BenchError, Task
from scenelift.benchmarks.voc_detection import VocDetectionTask, desk, paper

NAMES = ("bird", "bus")
TINY = replace(
    desk(),
    proposals=ProposalSettings(mode="light", max_boxes=40),
    fast=FastSettings(sampling=RegionSampling(regions=16)),
    faster=FasterSettings(
        anchor_sides_px=(24, 48), hidden=16, train_proposals=50, test_proposals=20
    ),
    sizes=Sizes(train_short_px=(64,), train_longest_px=128, test_short_px=64, test_longest_px=128),
    schedule=Schedule(steps=3, learning_rate=1e-3, milestones=(2,), clip_norm=10.0),
    workers=0,
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return plant(tmp_path / "voc", {"train": 10, "val": 4}, names=NAMES)


def test_both_recipes_are_tasks() -> None:
    for task in (desk(), paper(), desk(track="faster"), paper(convention="krahenbuhl")):
        assert isinstance(task, Task)
        assert task.name == "voc-detection"


def test_the_published_numbers_stand() -> None:
    """Fast R-CNN for CaffeNet as released."""
    task = paper()
    sampling = task.fast.sampling
    assert (sampling.pictures, sampling.regions, sampling.foreground_share) == (2, 128, 0.25)
    assert (sampling.foreground_iou, sampling.background_iou) == (0.5, (0.1, 0.5))
    assert (task.sizes.test_short_px, task.sizes.test_longest_px) == (600, 1000)
    assert (task.keeping.nms_iou, task.frozen, task.fast.pooling) == (0.3, ("conv1",), "pool")
    schedule = task.schedule
    assert (schedule.steps, schedule.momentum, schedule.weight_decay) == (40_000, 0.9, 5e-4)
    assert [schedule.rate(step) for step in (0, 29_999, 30_000)] == pytest.approx(
        [1e-3, 1e-3, 1e-4]
    )
    assert not task.unverified
    convention = paper(convention="krahenbuhl")
    assert convention.unverified
    assert convention.sizes.train_short_px == (480, 576, 688, 864, 1200)
    assert convention.schedule.rate(50_000) == pytest.approx(2e-4)


def test_the_rate_rises_before_it_falls() -> None:
    schedule = Schedule(steps=20, learning_rate=1.0, milestones=(15,), warm_up=4)
    assert [schedule.rate(step) for step in (0, 1, 3, 4, 15)] == [0.25, 0.5, 1, 1, 0.1]


def test_each_picture_is_seen_once_in_an_epoch() -> None:
    order = np.concatenate([picture_order(7, seed=3, step=s, pictures=2) for s in range(7)])
    assert sorted(order[:7]) == sorted(order[7:]) == list(range(7))
    assert order[:7].tolist() != order[7:].tolist()


def test_same_seed_same_figures_whatever_the_workers(tmp_path: Path, data: Path) -> None:
    network = small_network()
    before = torch.get_rng_state()
    outcomes = [
        replace(TINY, workers=workers).run(network, job=job_of(data, tmp_path / str(workers)))
        for workers in (0, 2)
    ]
    assert outcomes[0] == outcomes[1]
    assert torch.equal(torch.get_rng_state(), before)
    found, truth = read_detections(tmp_path / "0" / "detections.npz")
    again, _ = read_detections(tmp_path / "2" / "detections.npz")
    assert np.array_equal(found.scores, again.scores)
    assert np.array_equal(found.boxes, again.boxes)
    assert len(truth.names) == 2
    assert outcomes[0].figures[0].name == "mAP (11-point)"
    names = {figure.name for figure in outcomes[0].figures}
    assert {"mAP (area)", "AP (COCO)", "AP50 (COCO)", "AP", "proposal recall"} < names
    assert "a seeded fifth" in outcomes[0].data.note
    card = Card(
        task=TINY.name,
        network=network.facts,
        split="selection",
        seed=0,
        seconds=1.0,
        outcome=outcomes[0],
    )
    write_card(tmp_path / "card.json", card)
    assert read_card(tmp_path / "card.json").outcome.figures == outcomes[0].figures


def test_another_seed_gives_other_detections(tmp_path: Path, data: Path) -> None:
    for seed in (0, 1):
        job = job_of(data, tmp_path / str(seed), seed=seed, final=True)
        TINY.run(small_network(), job=job)
    found = [read_detections(tmp_path / str(seed) / "detections.npz")[0] for seed in (0, 1)]
    assert not np.array_equal(found[0].scores, found[1].scores)


def test_the_test_split_is_locked_until_the_end(tmp_path: Path, data: Path) -> None:
    job = job_of(data, tmp_path / "final", final=True)
    outcome = TINY.run(small_network(), job=job)
    assert outcome.data.splits == {"train": 10, "test": 4}
    _, truth = read_detections(job.out / "detections.npz")
    assert truth.names == tuple((data / "VOC2007/ImageSets/Main/val.txt").read_text().split())


def test_proposals_may_come_from_a_file(tmp_path: Path, data: Path) -> None:
    job = job_of(data, tmp_path / "computed")
    wanted = TINY.run(small_network(), job=job)
    (kept,) = job.out.glob("proposals-*.npz")
    task = replace(TINY, proposal_file=kept)
    found = task.run(small_network(), job=job_of(data, tmp_path / "read"))
    assert found.figures == wanted.figures
    assert not list((tmp_path / "read").glob("proposals-*"))
    assert len(read_proposals(kept)[0]) == 10


def test_the_modern_track_runs_the_same_way_twice(tmp_path: Path, data: Path) -> None:
    task = replace(TINY, track="faster")
    before = torch.get_rng_state()
    outcomes = [
        task.run(small_network(), job=job_of(data, tmp_path / out)) for out in ("one", "two")
    ]
    assert outcomes[0] == outcomes[1]
    assert torch.equal(torch.get_rng_state(), before)
    assert not any(figure.name == "proposal recall" for figure in outcomes[0].figures)
    assert outcomes[0].protocol["loss_first"] > 0


def test_other_networks_get_a_head_that_the_card_names(tmp_path: Path, data: Path) -> None:
    task = replace(TINY, layer="layer2", fast=replace(TINY.fast, hidden=16))
    outcome = task.run(small_network(name="resnet18"), job=job_of(data, tmp_path / "out"))
    assert any("two new hidden layers of 16 units" in note for note in outcome.notes)
    assert outcome.protocol["layer"] == "layer2"


def test_work_grows_with_steps(tmp_path: Path, data: Path) -> None:
    job = job_of(data, tmp_path / "out")
    work = TINY.work(small_network(), job=job)
    twice = replace(TINY, schedule=replace(TINY.schedule, steps=6)).work(small_network(), job=job)
    assert work.trained_px == 3 * 2 * 64 * 85
    assert twice.trained_px == 2 * work.trained_px
    assert work.forward_px == 2 * 64 * 85
    assert work.other_s > 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"layer": "conv9"}, "no layer 'conv9'; its layers are conv1"),
        ({"frozen": ("stem",)}, "begins with 'stem'"),
        ({"year": 2012}, "2012"),
        ({"proposal_file": Path("boxes.pkl")}, "a pickle runs code"),
    ],
)
def test_bad_settings_end_in_one_line(
    tmp_path: Path, data: Path, changed: dict[str, object], said: str
) -> None:
    task = replace(TINY, **changed)  # type: ignore[arg-type]
    with pytest.raises(BenchError, match=said) as caught:
        task.run(small_network(), job=job_of(data, tmp_path / "out"))
    assert "\n" not in str(caught.value)


def test_a_bad_annotation_ends_in_one_line(tmp_path: Path, data: Path) -> None:
    path = data / "VOC2007/Annotations/000003.xml"
    path.write_text(path.read_text().replace("<xmax>", "<xmax>9"))
    with pytest.raises(BenchError, match="000003"):
        TINY.run(small_network(), job=job_of(data, tmp_path / "out", final=True))


def test_pictures_that_are_learnt_from_are_not_judged(tmp_path: Path, data: Path) -> None:
    lists = data / "VOC2007/ImageSets/Main"
    (lists / "val.txt").write_text((lists / "train.txt").read_text())
    with pytest.raises(BenchError, match="is to be learnt from and judged; splits overlap"):
        TINY.run(small_network(), job=job_of(data, tmp_path / "out", final=True))


VOC = Path(os.environ.get("SCENELIFT_DATA", "/nowhere")) / "images/voc2007.tar"


@pytest.mark.skipif(not VOC.is_file(), reason="no voc2007.tar in SCENELIFT_DATA")
def test_real_photos_run(tmp_path: Path) -> None:
    task: VocDetectionTask = replace(TINY, learn_limit=12, judge_limit=8)
    outcome = task.run(small_network(), job=job_of(VOC, tmp_path / "out"))
    assert outcome.data.splits == {"train": 12, "selection": 8}
    recalls = [f.value for f in outcome.figures if f.name == "proposal recall"]
    assert 20 < recalls[-1] <= 100
