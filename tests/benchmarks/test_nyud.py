"""The task on NYU Depth v2 from end to end on frames made by hand, and what its parts promise."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from nyud_runs import nyud_files, png
from photo_trees import write_tar

from scenelift.benchmarks.card import Card, Outcome, read_card, write_card
from scenelift.benchmarks.network import RANDOM, Network, open_network
from scenelift.benchmarks.nyud import NyudTask, desk, paper
from scenelift.benchmarks.nyud_figures import make_figures
from scenelift.benchmarks.nyud_finetune import (
    FineTuned,
    FineTuning,
    answer_frames,
    class_loss,
    draw_batch,
)
from scenelift.benchmarks.nyud_finetune import fine_tune as teach
from scenelift.benchmarks.nyud_frames import Lessons, read_lessons
from scenelift.benchmarks.nyud_judge import Answer, Truth, join_sums, judge
from scenelift.benchmarks.task import BenchError, Job, Task
from scenelift.datasets.nyu40 import NYU40_TO_13
from scenelift.datasets.nyud import INSIDE, open_nyud

TINY = FineTuning(
    steps=2,
    batch_size=2,
    resize_px=64,
    crop_px=56,
    flip=True,
    jitter=0.2,
    optimiser="adamw",
    learning_rate=3e-3,
    backbone_rate=3e-3,
    schedule="cosine",
)
TASK = NyudTask(training=TINY, joint=True)


def labelled_files(*, train: int = 5, test: int = 2) -> dict[str, bytes]:
    """Frames whose upper half is wall (1) and whose lower half is floor (2) or chair (5)."""
    files = nyud_files(train=train, test=test)
    for index in range(train + test):
        labels = np.full((240, 320), 1, np.uint8)
        labels[120:] = 2 if index % 3 else 5
        files[f"label40/{index:04d}.png"] = png(labels)
    return files


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tar(tmp_path_factory.mktemp("nyud") / "nyuv2.tar", labelled_files())


@pytest.fixture(scope="module")
def network() -> Network:
    return random_network("alexnet-small")


def random_network(backbone: str) -> Network:
    return open_network(RANDOM, backbone=backbone, seed=0, device=torch.device("cpu"))


def job_of(data: Path, out: Path, *, final: bool = True, seed: int = 0) -> Job:
    out.mkdir(exist_ok=True)
    return Job(data=data, out=out, seed=seed, final=final, progress=lambda what, done, total: None)


def values_of(outcome: Outcome) -> dict[tuple[str, str], float]:
    return {(figure.group, figure.name): figure.value for figure in outcome.figures}


def test_a_run_leaves_figures_with_definitions_scores_and_pictures(
    archive: Path, network: Network, tmp_path: Path
) -> None:
    assert isinstance(TASK, Task)
    before = {name: value.clone() for name, value in network.backbone.state_dict().items()}
    outcome = TASK.run(network, job=job_of(archive, tmp_path / "out", final=False))
    assert all(torch.equal(value, before[n]) for n, value in network.backbone.state_dict().items())
    assert outcome.data.splits == {"train": 4, "selection": 1}
    values = values_of(outcome)
    groups = {group for group, _ in values}
    ours = {
        "normals (derived)",
        "depth",
        "depth to scale",
        "segmentation, 40 classes",
        "segmentation, 13 classes",
    }
    assert groups == ours | {f"{group}, constant" for group in ours}
    assert len(values) == len(outcome.figures) == 2 * (6 + 7 + 7 + 3 + 3)
    assert all("pooled" in figure.definition for figure in outcome.figures)
    assert values["normals (derived), constant", "mean error"] < 10
    intervals = json.loads((tmp_path / "out" / "intervals.json").read_text())
    assert len(intervals) == len(values) // 2
    with np.load(tmp_path / "out" / "scores.npz", allow_pickle=False) as scores:
        assert scores["confusion40"].shape == (1, 40, 40)
        assert scores["confusion40"].sum() == 224 * 304
    assert len(list((tmp_path / "out" / "pictures").glob("*.png"))) == 1
    card = Card(
        task=TASK.name,
        network=network.facts,
        split="selection",
        seed=0,
        seconds=1.0,
        outcome=outcome,
    )
    write_card(tmp_path / "card.json", card)
    assert read_card(tmp_path / "card.json").outcome.figures == outcome.figures


def test_figures_stay_under_repetition_batch_size_and_order(
    archive: Path, network: Network, tmp_path: Path
) -> None:
    first = values_of(TASK.run(network, job=job_of(archive, tmp_path / "a")))
    assert values_of(TASK.run(network, job=job_of(archive, tmp_path / "b"))) == first
    files = labelled_files()
    files["test.txt"] = b"\n".join(reversed(files["test.txt"].split()))
    reversed_archive = write_tar(tmp_path / "reversed.tar", files)
    alone = dataclasses.replace(TASK, judge_batch=1)
    other = values_of(alone.run(network, job=job_of(reversed_archive, tmp_path / "c")))
    assert other.keys() == first.keys()
    for key, value in first.items():
        assert other[key] == pytest.approx(value, rel=1e-3, abs=0.02), key
    seeded = values_of(TASK.run(network, job=job_of(archive, tmp_path / "d", seed=1)))
    assert seeded["depth", "AbsRel"] != first["depth", "AbsRel"]


def test_each_task_alone_says_what_it_is_asked(
    archive: Path, network: Network, tmp_path: Path
) -> None:
    task = NyudTask(training=TINY, tasks=("depth", "segmentation13"), limit=3)
    outcome = task.run(network, job=job_of(archive, tmp_path / "out"))
    assert {figure.group.removesuffix(", constant") for figure in outcome.figures} == {
        "depth",
        "depth to scale",
        "segmentation, 13 classes",
    }
    assert outcome.data.splits == {"train": 3, "test": 2}
    assert not any("at once" in note for note in outcome.notes)


def test_classes_that_no_lesson_shows_do_not_count(network: Network, tmp_path: Path) -> None:
    # Every frame of these shows one class that no other shows.
    data = write_tar(tmp_path / "nyuv2.tar", nyud_files(train=4, test=2))
    outcome = TASK.run(network, job=job_of(data, tmp_path / "out"))
    assert not any("segmentation" in figure.group for figure in outcome.figures)
    assert any("do not count" in note for note in outcome.notes)


def test_what_cannot_be_run_is_told_in_one_line(
    archive: Path, network: Network, tmp_path: Path
) -> None:
    for data in (tmp_path / "none.tar", tmp_path):
        for call in (TASK.run, TASK.work):
            with pytest.raises(BenchError) as caught:
                call(network, job=job_of(data, tmp_path / "out"))
            assert "\n" not in str(caught.value)
    with pytest.raises(BenchError, match="linear layers"):
        TASK.run(random_network("alexnet-small-standard"), job=job_of(archive, tmp_path / "out"))
    diverging = dataclasses.replace(TINY, optimiser="rmsprop", learning_rate=1e30, steps=5)
    with pytest.raises(BenchError, match="lower the learning rate"):
        dataclasses.replace(TASK, training=diverging).run(
            network, job=job_of(archive, tmp_path / "out")
        )
    with pytest.raises(BenchError, match="tasks must be"):
        NyudTask(training=TINY, tasks=())
    with pytest.raises(ValueError, match="crop_px"):
        dataclasses.replace(TINY, crop_px=65)


def test_kinds_of_true_normals_are_kept_apart_by_name(
    archive: Path, network: Network, tmp_path: Path
) -> None:
    folder = tmp_path / "normals"
    folder.mkdir()
    for split in ("train", "test"):
        frames = open_nyud(archive, split=split)
        for index in range(len(frames)):
            coded = np.round((frames.normal(index) + 1) / 2 * 255).astype(np.uint8)
            (folder / f"{frames.name(index)}.png").write_bytes(png(coded))
    task = NyudTask(training=TINY, tasks=("normals",), normals=folder, normals_kind="GT1")
    outcome = task.run(network, job=job_of(archive, tmp_path / "out"))
    assert {figure.group for figure in outcome.figures} == {
        "normals (GT1)",
        "normals (GT1), constant",
    }
    assert all("GT1" in figure.definition for figure in outcome.figures)
    assert any("GT1" in note for note in outcome.notes)
    assert outcome.protocol["normals_kind"] == "GT1"
    with pytest.raises(BenchError, match="go together"):
        dataclasses.replace(task, normals_kind="derived")
    with pytest.raises(BenchError, match="no folder"):
        dataclasses.replace(task, normals=tmp_path / "none").work(
            network, job=job_of(archive, tmp_path / "out")
        )


def test_work_counts_pixels(archive: Path, network: Network, tmp_path: Path) -> None:
    job = job_of(archive, tmp_path / "out")
    work = TASK.work(network, job=job)
    assert work.trained_px == 2 * 2 * 56 * 56
    assert work.forward_px == pytest.approx(2 * 64 * 64 * 304 / 224)
    apart = dataclasses.replace(TASK, joint=False).work(network, job=job)
    assert apart.trained_px == 4 * work.trained_px
    frozen = dataclasses.replace(TASK, training=dataclasses.replace(TINY, frozen=True))
    assert frozen.work(network, job=job).trained_px == 0
    for recipe in (desk(), paper()):
        assert recipe.work(network, job=job).trained_px > 1e6


def planted(count: int, *, seed: int) -> tuple[Lessons, torch.Tensor]:
    """Squares of two colours that tell depth, normal and class; and which is where."""
    rng = np.random.default_rng(seed)
    where = torch.from_numpy(rng.integers(0, 2, (count, 2, 3))).repeat_interleave(32, dim=1)
    where = where.repeat_interleave(32, dim=2)
    image = torch.where(where[:, None] == 1, torch.tensor([220, 60, 40]).view(1, 3, 1, 1), 120)
    normal = torch.zeros(count, 3, 64, 96)
    normal[:, 2] = (where == 0).float()
    normal[:, 1] = (where == 1).float()
    lessons = Lessons(
        image=image.to(torch.uint8),
        z_depth_m=(1.5 + 2.0 * where[:, None]).half(),
        normal=normal.half(),
        semantic=torch.where(where == 1, 5, 1).to(torch.uint8),
    )
    return lessons, where


def taught(network: Network, lessons: Lessons, settings: FineTuning) -> FineTuned:
    return teach(
        network,
        lessons,
        tasks=("normals", "depth", "segmentation40", "segmentation13"),
        nyu40_to_13=NYU40_TO_13,
        settings=settings,
        seed=0,
        progress=lambda done: None,
    )


def test_it_learns_what_is_planted(network: Network) -> None:
    lessons, where = planted(6, seed=0)
    settings = dataclasses.replace(
        TINY, steps=70, batch_size=6, crop_px=None, flip=False, jitter=0.0
    )
    model = taught(network, lessons, settings)
    answers = answer_frames(model, lessons.image.permute(0, 2, 3, 1).contiguous().numpy())
    shares = []
    for answer, is_chair in zip(answers, where.numpy() == 1, strict=True):
        assert answer.classes is not None
        assert answer.z_depth_m is not None
        assert answer.normal is not None
        shares.append(answer.classes[40] == np.where(is_chair, 5, 1))
        shares.append(answer.classes[13] == np.where(is_chair, 4, 12))
        shares.append((answer.z_depth_m > 2.3) == is_chair)
        shares.append((answer.normal[..., 1] > answer.normal[..., 2]) == is_chair)
    assert min(np.mean(shares[kind::4]) for kind in range(4)) > 0.7


def test_a_frozen_backbone_stays_and_heads_learn(network: Network) -> None:
    lessons, _ = planted(2, seed=0)
    for frozen in (True, False):
        model = taught(network, lessons, dataclasses.replace(TINY, frozen=frozen))
        pairs = zip(
            model.backbone.state_dict().values(),
            network.backbone.state_dict().values(),
            strict=True,
        )
        assert all(torch.equal(mine, its) for mine, its in pairs) == frozen


def test_a_mirrored_crop_shows_the_mirrored_world() -> None:
    lessons, _ = planted(1, seed=2)
    normal = torch.zeros(1, 3, 64, 96)
    normal[:, 0] = torch.linspace(-1, 1, 96)
    lessons = dataclasses.replace(lessons, normal=normal.half())
    settings = dataclasses.replace(TINY, crop_px=None)
    batch = draw_batch(lessons, [0] * 16, settings=settings, rng=np.random.default_rng(0))
    plain = (batch.image == lessons.image).flatten(1).all(1)
    assert 0 < plain.sum() < 16
    assert batch.normal is not None
    mirrored_normal = normal.half().float().flip(-1) * torch.tensor([-1.0, 1, 1]).view(1, 3, 1, 1)
    for place, same in enumerate(plain.tolist()):
        expected = normal.half().float()[0] if same else mirrored_normal[0]
        assert torch.equal(batch.normal[place], expected)
        semantic = lessons.semantic[0] if same else lessons.semantic[0].flip(-1)
        assert torch.equal(batch.semantic[place], semantic.long())
    still = draw_batch(
        lessons,
        [0] * 16,
        settings=dataclasses.replace(settings, flip=False),
        rng=np.random.default_rng(0),
    )
    assert (still.image == lessons.image).all()


def test_crops_of_picture_and_labels_lie_together() -> None:
    lessons, _ = planted(3, seed=3)
    codes = torch.arange(64 * 96).reshape(64, 96)
    image = torch.stack([codes % 251, codes // 251, codes * 0])[None].repeat(3, 1, 1, 1)
    depth = (image[:, :1].float() + 1).half()
    lessons = dataclasses.replace(lessons, image=image.to(torch.uint8), z_depth_m=depth)
    batch = draw_batch(lessons, [2, 0, 1, 1], settings=TINY, rng=np.random.default_rng(0))
    assert batch.image.shape == (4, 3, 56, 56)
    assert torch.equal(batch.image[:, :1].float() + 1, batch.z_depth_m)
    assert len({crop.numpy().tobytes() for crop in batch.image}) == 4


@pytest.mark.parametrize("number", [13, 40])
def test_knowing_nothing_costs_the_logarithm_of_the_classes(number: int) -> None:
    rng = np.random.default_rng(0)
    true = torch.from_numpy(rng.integers(0, number + 1, (2, 5, 6)))
    logits = torch.zeros(2, number, 5, 6, requires_grad=True)
    assert class_loss(logits, true).item() == pytest.approx(math.log(number), rel=1e-6)
    sure = 50.0 * torch.nn.functional.one_hot((true - 1).clamp(min=0), number).permute(0, 3, 1, 2)
    assert class_loss(sure, true).item() < 1e-6
    nothing = class_loss(logits, torch.zeros_like(true))
    nothing.backward()
    assert nothing.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_schedules() -> None:
    assert [TINY.rate_factor(step) for step in (0, 1)] == pytest.approx([1, 0.5])
    fifths = dataclasses.replace(TINY, schedule="fifths", fifth_every=10)
    assert [fifths.rate_factor(step) for step in (0, 9, 10, 25)] == pytest.approx([1, 1, 0.2, 0.04])


def test_the_truth_is_perfect_and_no_constant_is(archive: Path) -> None:
    frames = open_nyud(archive, split="train")
    _, constants = read_lessons(
        frames,
        indices=range(4),
        resize_px=64,
        normal=True,
        classes=True,
        progress=lambda done: None,
    )
    upper = np.zeros((224, 304), bool)
    upper[:112] = True
    assert (constants.classes[40][upper] == 1).all()
    assert set(np.unique(constants.classes[40][~upper])) <= {2, 5}
    assert np.flatnonzero(constants.taught).tolist() == [1, 2, 5]
    ours, theirs = [], []
    for index in range(4):
        normal = frames.normal(index)[INSIDE]
        depth = frames.z_depth_m(index)[INSIDE]
        semantic = frames.semantic(index)[INSIDE]
        truth = Truth(
            image=frames.image(index)[INSIDE],
            z_depth_m=depth,
            normal=normal,
            classes={40: semantic},
        )
        said = Answer(
            z_depth_m=np.where(depth > 0, depth, 1),
            relative_depth=np.where(depth > 0, 3 * depth, 1),
            normal=normal,
            classes={40: semantic.astype(np.int64)},
        )
        ours.append(judge(said, truth))
        theirs.append(judge(constants.answer(like=said), truth))
    judged = make_figures(
        join_sums(ours), join_sums(theirs), num=4, normals="derived", resolution=""
    )
    values = {(figure.group, figure.name): figure for figure in judged.figures}
    for (group, _), figure in values.items():
        if not group.endswith("constant"):
            perfect = 100.0 if figure.unit == "%" else 0.0
            assert figure.value == pytest.approx(perfect, abs=0.03)
    worse = values["depth, constant", "AbsRel"].value
    assert worse > 0.02
    low, high = judged.intervals["depth: AbsRel"]["difference"]
    assert low <= -worse <= high
