"""NYU Depth v2: surface normals, depth and segmentation by fine-tuning, judged on all valid pixels of the test frames pooled."""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from scenelift.adapt.plain import to_plain
from scenelift.benchmarks.card import DataFingerprint, Outcome
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.nyud_draw import draw_frame
from scenelift.benchmarks.nyud_figures import Judged, make_figures
from scenelift.benchmarks.nyud_finetune import (
    CHANNELS,
    FineTuned,
    FineTuning,
    NyudTaskName,
    answer_frames,
    fine_tune,
)
from scenelift.benchmarks.nyud_frames import Constants, read_all_truth, read_lessons
from scenelift.benchmarks.nyud_judge import Answer, Sums, join_sums, judge
from scenelift.benchmarks.splits import hold_out
from scenelift.benchmarks.task import BenchError, Job, Progress, Work
from scenelift.datasets.nyud import (
    BORDER_PX,
    HEIGHT,
    INSIDE,
    WIDTH,
    NyudError,
    NyudSource,
)
from scenelift.datasets.nyud_mat import open_nyud_data
from scenelift.datasets.nyud_normal_files import with_normals

ALL: tuple[NyudTaskName, ...] = ("normals", "depth", "segmentation40", "segmentation13")
_SHOWN = 6
_NORMAL_S = 0.06
"""Processor seconds to derive the normals of a frame."""
_READ_S = 0.02
"""The same to read one and judge it."""
_RESOLUTION = f"at {WIDTH} x {HEIGHT} within the white frame of {BORDER_PX} pixels"


@dataclass(frozen=True, kw_only=True, slots=True)
class NyudTask:
    """Normals, depth and classes of NYU Depth v2."""

    training: FineTuning
    tasks: tuple[NyudTaskName, ...] = ALL
    joint: bool = False
    """One network with a head for each task, taught at once; else each task has a copy of the network of its own."""
    normals: Path | None = None
    """Folder of true normals (`datasets/nyud_normal_files.py`); None: derived from depth."""
    normals_kind: Literal["derived", "GT1", "GT2"] = "derived"
    """Which they are: GT1 Silberman's and Eigen's, as Zhang et al. use them; GT2 Ladicky's. Figures bear it; they never compare."""
    limit: int | None = None
    """Frames of either part, evenly spread, for a quick look; None: all."""
    judge_batch: int = 8
    """Frames answered at once; no figure depends on it."""

    def __post_init__(self) -> None:
        unknown = [task for task in self.tasks if task not in CHANNELS]
        if unknown or not self.tasks or len(set(self.tasks)) < len(self.tasks):
            raise BenchError(
                f"tasks must be some of {', '.join(CHANNELS)}, each once; got {self.tasks}"
            )
        if (self.normals is None) != (self.normals_kind == "derived"):
            raise BenchError(
                "normals and normals_kind go together: a folder with GT1 or GT2, or neither and derived"
            )
        if self.judge_batch < 1 or (self.limit is not None and self.limit < 2):
            raise BenchError("judge_batch must be at least 1, limit at least 2")

    @property
    def name(self) -> str:
        """What the command calls it."""
        return "nyud"

    def work(self, network: Network, *, job: Job) -> Work:
        """Say how much there is to do.

        Raises:
            BenchError: if the data cannot be used.
        """
        data = self._open(job)
        settings = self.training
        height, width = (part.stop - part.start for part in INSIDE)
        whole = settings.resize_px**2 * max(height, width) / min(height, width)
        seen = whole if settings.crop_px is None else settings.crop_px**2
        times = 1 if self.joint else len(self.tasks)
        taught = float(settings.steps * settings.batch_size * seen * times)
        judged = len(data.judged) * whole * times
        frames = len(data.taught) + len(data.judged)
        each_s = _READ_S + (_NORMAL_S if "normals" in self.tasks else 0.0)
        return Work(
            forward_px=judged + (taught if settings.frozen else 0.0),
            trained_px=0.0 if settings.frozen else taught,
            other_s=frames * each_s,
        )

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Fine-tune and judge; leaves `scores.npz`, `intervals.json` and pictures in the task's folder.

        Raises:
            BenchError: if the data or the network cannot be used; one line.
            OSError: if something cannot be written.
        """
        data = self._open(job)
        try:
            constants, models = self._teach(network, data, job=job)
            ours, theirs = self._judge(models, data, constants, job=job)
        except NyudError as error:
            raise BenchError(str(error)) from error
        _save(job.out / "scores.npz", ours, names=[data.test.name(i) for i in data.judged])
        judged = make_figures(
            ours, theirs, num=len(data.judged), normals=self.normals_kind, resolution=_RESOLUTION
        )
        _write_intervals(job.out / "intervals.json", judged)
        return Outcome(
            protocol={**to_plain(self), "judged": _RESOLUTION},
            data=_fingerprint(data, final=job.final),
            figures=judged.figures,
            notes=self._notes(constants),
        )

    def _open(self, job: Job) -> "_Data":
        try:
            train: NyudSource = open_nyud_data(job.data, split="train")
            test: NyudSource = open_nyud_data(job.data, split="test") if job.final else train
            if self.normals is not None and "normals" in self.tasks:
                train = with_normals(train, self.normals)
                test = with_normals(test, self.normals) if job.final else train
        except NyudError as error:
            raise BenchError(str(error)) from error
        taught = list(range(len(train)))
        judged = list(range(len(test)))
        if not job.final:
            kept, held = hold_out([str(i) for i in taught], seed=job.seed)
            taught, judged = [int(i) for i in kept], [int(i) for i in held]
        if not taught:
            raise BenchError(f"{job.data}: too few training frames to hold a fifth out")
        return _Data(
            train=train,
            taught=spread(taught, self.limit),
            test=test,
            judged=spread(judged, self.limit),
        )

    @property
    def _classes(self) -> bool:
        return any(task.startswith("segmentation") for task in self.tasks)

    def _teach(
        self, network: Network, data: "_Data", *, job: Job
    ) -> tuple[Constants, list[FineTuned]]:
        lessons, constants = read_lessons(
            data.train,
            indices=data.taught,
            resize_px=self.training.resize_px,
            normal="normals" in self.tasks,
            classes=self._classes,
            progress=lambda done: job.progress("reading frames", done, len(data.taught)),
        )
        groups: list[tuple[NyudTaskName, ...]]
        groups = [self.tasks] if self.joint else [(task,) for task in self.tasks]
        models = []
        for tasks in groups:
            what = f"fine-tuning {', '.join(tasks)}"
            models.append(
                fine_tune(
                    network,
                    lessons,
                    tasks=tasks,
                    nyu40_to_13=data.train.nyu40_to_13,
                    settings=self.training,
                    seed=job.seed,
                    progress=partial(_tell, job.progress, what, self.training.steps),
                )
            )
        return constants, models

    def _judge(
        self, models: Sequence[FineTuned], data: "_Data", constants: Constants, *, job: Job
    ) -> tuple[Sums, Sums]:
        ours: list[Sums] = []
        theirs: list[Sums] = []
        shown = set(data.judged[:: max(1, -(-len(data.judged) // _SHOWN))])
        with ThreadPoolExecutor(2) as pool:
            for start in range(0, len(data.judged), self.judge_batch):
                part = data.judged[start : start + self.judge_batch]
                truths = list(
                    pool.map(
                        lambda i: read_all_truth(
                            data.test,
                            i,
                            normal="normals" in self.tasks,
                            classes=self._classes,
                            constants=constants,
                        ),
                        part,
                    )
                )
                images = np.stack([truth.image for truth in truths])
                said = [answer_frames(model, images) for model in models]
                for place, truth in enumerate(truths):
                    answer = _join([answers[place] for answers in said])
                    ours.append(judge(answer, truth))
                    theirs.append(judge(constants.answer(like=answer), truth))
                    if part[place] in shown:
                        name = data.test.name(part[place])
                        draw_frame(answer, truth, path=job.out / "pictures" / f"{name}.png")
                job.progress("judging", start + len(part), len(data.judged))
        return join_sums(ours), join_sums(theirs)

    def _notes(self, constants: Constants) -> tuple[str, ...]:
        notes = []
        if "normals" in self.tasks and self.normals is not None:
            notes.append(
                f"true normals are {self.normals_kind}, from files; their axes are those that agree best with depth"
            )
        elif "normals" in self.tasks:
            notes.append(
                "true normals are derived from depth, with 3 to 4 degrees of noise: no published figure compares"
            )
        untaught = [number for number in range(1, 41) if not constants.taught[number]]
        if untaught and self._classes:
            notes.append(
                f"NYU40 classes without a labelled pixel in the training frames: {', '.join(map(str, untaught))}; "
                "their pixels do not count in segmentation"
            )
        if self.joint and len(self.tasks) > 1:
            notes.append(f"one network is taught {', '.join(self.tasks)} at once, a head each")
        if self.training.frozen:
            notes.append("the backbone is frozen, heads learn; batch norms are fixed")
        elif self.training.batch_norm == "learnt":
            notes.append("batch norms learn while fine-tuning, and are fixed when judged")
        return tuple(notes)


def desk() -> NyudTask:
    """Return the task for two cores and minutes: small pictures, one network for all."""
    return NyudTask(
        joint=True,
        training=FineTuning(
            steps=1500,
            batch_size=16,
            resize_px=112,
            crop_px=112,
            flip=True,
            jitter=0.3,
            optimiser="adamw",
            learning_rate=2e-3,
            backbone_rate=1e-3,
            schedule="cosine",
            weight_decay=1e-4,
            normals_weight=4.0,
            depth_weight=4.0,
        ),
    )


def paper() -> NyudTask:
    """Return Zhang et al.'s training (CVPR 2017): RMSprop, a fifth of the rate each 150,000 steps, 10 pictures at 320 x 240.

    A network for each task. Heads learn at the rate of training from nothing, 1e-3, the backbone at that of fine-tuning, 1e-4.
    """
    return NyudTask(
        training=FineTuning(
            steps=60_000,
            batch_size=10,
            resize_px=HEIGHT - 2 * BORDER_PX,
            crop_px=None,
            flip=False,
            jitter=0.0,
            optimiser="rmsprop",
            learning_rate=1e-3,
            backbone_rate=1e-4,
            schedule="fifths",
        )
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Data:
    """Frames to learn from and frames to judge on."""

    train: NyudSource
    taught: list[int]
    test: NyudSource
    judged: list[int]


def spread(indices: Sequence[int], limit: int | None) -> list[int]:
    """Return all of some numbers, or so many of them at even distances.

    >>> spread(range(10), 3)
    [0, 3, 6]
    """
    if limit is None or limit >= len(indices):
        return list(indices)
    return [indices[place * len(indices) // limit] for place in range(limit)]


def _tell(progress: Progress, what: str, total: int, done: int) -> None:
    progress(what, done, total)


def _join(answers: Sequence[Answer]) -> Answer:
    """Put together what networks of one task each say."""
    depth = next((a.z_depth_m for a in answers if a.z_depth_m is not None), None)
    return Answer(
        z_depth_m=depth,
        relative_depth=depth,
        normal=next((a.normal for a in answers if a.normal is not None), None),
        classes={n: told for a in answers for n, told in (a.classes or {}).items()},
    )


def _fingerprint(data: _Data, *, final: bool) -> DataFingerprint:
    files = data.train.files() + (data.test.files() if final else [])
    digest = hashlib.sha256()
    for name, size in sorted(files):
        digest.update(f"{name}\t{size}\n".encode())
    role = "test" if final else "selection"
    note = "" if final else "a seeded fifth of train serves for selection"
    return DataFingerprint(
        name="NYU Depth v2",
        splits={"train": len(data.taught), role: len(data.judged)},
        sha256=digest.hexdigest(),
        note=note,
    )


def _save(path: Path, sums: Sums, *, names: Sequence[str]) -> None:
    """Save the sums of each frame, from which every figure comes."""
    arrays: dict[str, np.ndarray] = {"names": np.array(names)}
    if sums.normal is not None:
        arrays["normal_histogram"] = sums.normal.histogram.astype(np.int32)
        arrays["normal_sum_deg"] = sums.normal.sum_deg
        arrays["normal_sum_deg2"] = sums.normal.sum_deg2
    if sums.metric is not None and sums.aligned is not None:
        arrays["depth"], arrays["depth_to_scale"] = sums.metric.sums, sums.aligned.sums
    for number, part in sums.classes.items():
        arrays[f"confusion{number}"] = part.confusion.astype(np.int32)
    part_path = path.with_name("scores.part.npz")
    np.savez_compressed(part_path, **arrays)  # type: ignore[arg-type]
    part_path.replace(path)


def _write_intervals(path: Path, judged: Judged) -> None:
    text = json.dumps(judged.intervals, indent=1, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
