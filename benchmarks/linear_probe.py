"""Linear probes: how well a linear classifier on each layer of a frozen network tells classes apart, and its nearest neighbours.

The published protocol (Zhang, Isola and Efros, ECCV 2016, in the schedule of Goyal et al., ICCV 2019) trains on random crops and their
mirror images for 140,000 steps: `paper()`. `desk()` keeps its features, batch norm and classifiers, but looks once at the middle of
each picture and its mirror image, and trains on the table of features.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Int64

from scenelift.adapt.plain import to_plain
from scenelift.benchmarks.card import Figure, Outcome
from scenelift.benchmarks.features import (
    CENTRE,
    MIRRORED,
    TEN_CROPS,
    FeatureSettings,
    LayerTable,
    View,
    extract_features,
    layer_grids,
    measure_scales,
)
from scenelift.benchmarks.linear_heads import Candidate, Heads, HeadSettings, fit_heads, score_rows
from scenelift.benchmarks.metrics.top_k import ranks_of_truth, wilson_interval, within_percent
from scenelift.benchmarks.nearest import nearest, vote
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.probe_data import ProbeData, open_probe_data
from scenelift.benchmarks.streamed_heads import Schedule, fit_streamed, score_streamed
from scenelift.benchmarks.task import BenchError, Job, Work

_FLOPS = 6e10
"""Of one core at products of matrices, and the time to decode a picture, for estimates."""
_DECODE_S = 2e-4
_TOP = 5
_TABLES = "features"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeTask:
    """Linear classifiers and nearest neighbours at every layer."""

    features: FeatureSettings = field(default_factory=FeatureSettings)
    heads: HeadSettings = field(default_factory=HeadSettings)
    learning_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2)
    """Tried for each layer; the best on the pictures held out for selection is used."""
    weight_decay: float = 5e-4
    """Of weights; biases do not decay."""
    mirrored: bool = True
    """Whether mirror images are learnt from too."""
    schedule: Schedule | None = None
    """Train on random crops as published; then `heads`, `learning_rates`, `weight_decay` and `mirrored` are not used."""
    test_crops: Literal[1, 10] = 1
    """The middle, or the mean probabilities of middle, corners and mirror images, which add one to three points."""
    neighbours: int = 20
    """That vote, beside the nearest alone; 0: no neighbours."""
    temperature: float = 0.07
    """A neighbour's vote is exp(cosine / temperature)."""

    def __post_init__(self) -> None:
        if not self.learning_rates or not all(rate > 0 for rate in self.learning_rates):
            raise ValueError(f"learning_rates must be positive, got {self.learning_rates}")
        if self.neighbours < 0 or not self.temperature > 0:
            raise ValueError(
                f"neighbours ({self.neighbours}) must not be negative, temperature ({self.temperature}) must be positive"
            )
        if self.schedule is not None and self.neighbours:
            raise ValueError(
                "neighbours need tables of features: with a schedule set neighbours to 0"
            )

    def judges_apart(self, *, final: bool) -> bool:
        """Tell whether the judged pictures need features beside those that settings are selected with."""
        return final or self.test_crops > 1

    @property
    def name(self) -> str:
        """What the command calls it."""
        return "probe"

    def work(self, network: Network, *, job: Job) -> Work:
        """Say how much there is to do.

        Raises:
            BenchError: if the data or a layer cannot be used.
        """
        data = open_probe_data(job.data, seed=job.seed)
        sizes = layer_grids(network, settings=self.features).values()
        products = 4.0 * sum(c * h * w for c, h, w in sizes) * len(data.classes)
        judged = len(data.judged(final=job.final)) * self.test_crops
        if self.schedule is not None:
            learnt = seen = self.schedule.steps * self.schedule.batch_size
            seen += judged
        else:
            rows = (1 + self.mirrored) * np.array([len(data.train), len(data.selection)])
            learnt = int(rows[0]) * len(self.learning_rates) + job.final * int(rows.sum())
            learnt *= self.heads.epochs
            seen = int(rows.sum()) + (judged if self.judges_apart(final=job.final) else 0)
        return Work(
            forward_px=float(seen * self.features.crop_px**2),
            trained_px=0.0,
            other_s=products * learnt / _FLOPS + seen * _DECODE_S,
        )

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Measure.

        Raises:
            BenchError: if the data or a layer cannot be used; one line.
            OSError: if something cannot be read or written.
        """
        data = open_probe_data(job.data, seed=job.seed)
        grids = layer_grids(network, settings=self.features)
        judged = data.judged(final=job.final)
        try:
            if self.schedule is None:
                answers = _judge_tables(self, network, data=data, job=job)
            else:
                answers = _judge_streamed(self, self.schedule, network, data=data, job=job)
        finally:
            shutil.rmtree(job.out / _TABLES, ignore_errors=True)
        _save(answers, data=data, job=job)
        return Outcome(
            protocol={
                **to_plain(self),
                "grids": {name: list(size) for name, size in grids.items()},
            },
            data=data.facts,
            figures=tuple(
                figure
                for answer in answers
                for figure in _figures(
                    answer,
                    what=f"the {len(judged)} pictures {_part(data, final=job.final)}",
                    num_classes=len(data.classes),
                )
            ),
            notes=_notes(self, answers, final=job.final),
        )


def desk() -> ProbeTask:
    """Features once, of the middle of each picture and its mirror image; minutes on two cores for 10,000 small pictures."""
    return ProbeTask()


def paper() -> ProbeTask:
    """The published schedule on pictures of 256 pixels, cut to 227: for ImageNet and Places365 and a GPU."""
    features = FeatureSettings(resize_px=256, crop_px=227, batch_size=256, workers=8)
    return ProbeTask(features=features, schedule=Schedule(), neighbours=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What one way of answering says about the judged pictures, in their order."""

    way: str
    """`linear`, `20-NN`, `1-NN`."""
    layer: str
    ranks: Int64[np.ndarray, " n"]
    """Of the true class; 0 is a hit."""
    top: Int64[np.ndarray, "n k"]
    """The classes that score highest, up to five."""
    told: str
    """How it answers, for a footnote."""
    learning_rate: float | None = None
    """The one that was selected."""


def _judge_streamed(
    task: ProbeTask, schedule: Schedule, network: Network, *, data: ProbeData, job: Job
) -> list[Answers]:
    heads = fit_streamed(
        network,
        data.pictures,
        rows=data.learnt(final=job.final),
        labels=data.labels,
        num_classes=len(data.classes),
        settings=task.features,
        schedule=schedule,
        seed=job.seed,
        progress=lambda done, total: job.progress("classifiers", done, total),
    )
    judged = data.judged(final=job.final)
    found: dict[str, list[Answers]] = {}
    done = 0
    for batch in score_streamed(
        heads, network, data.pictures, indices=judged.tolist(), views=_test_views(task),
        settings=task.features,
    ):  # fmt: skip
        count = len(next(iter(batch.values())))
        labels = data.labels[judged[done : done + count]]
        for layer, scores in batch.items():
            told = f"a linear classifier on {layer}, trained on random crops and mirror images"
            answer = _answer(scores.cpu().numpy(), labels, way="linear", layer=layer, told=told)
            found.setdefault(layer, []).append(answer)
        done += count
        job.progress("pictures judged", done, len(judged))
    return [_joined(parts) for parts in found.values()]


def _judge_tables(task: ProbeTask, network: Network, *, data: ProbeData, job: Job) -> list[Answers]:
    scales = measure_scales(
        network, data.pictures, indices=data.train.tolist(), settings=task.features
    )

    def extract(
        rows: Int64[np.ndarray, " m"], *, views: Sequence[View], what: str
    ) -> dict[str, LayerTable]:
        return extract_features(
            network,
            data.pictures,
            indices=rows.tolist(),
            views=views,
            scales=scales,
            settings=task.features,
            folder=job.out / _TABLES / what,
            progress=lambda done, total: job.progress(f"features, {what}", done, total),
        )

    known = extract(
        data.learnt(final=True), views=MIRRORED if task.mirrored else CENTRE, what="known"
    )
    apart: dict[str, LayerTable] = {}
    if task.judges_apart(final=job.final):
        apart = extract(data.judged(final=job.final), views=_test_views(task), what="judged")
    answers: list[Answers] = []
    for layer, table in known.items():
        answers.append(
            _fit_layer(
                task, layer, table, judged=apart.get(layer), data=data, job=job, network=network
            )
        )
    for layer, table in known.items():
        answers += _neighbours(
            task, layer, table, judged=apart.get(layer), data=data, final=job.final
        )
    return answers


def _fit_layer(
    task: ProbeTask,
    layer: str,
    table: LayerTable,
    *,
    judged: LayerTable | None,
    data: ProbeData,
    job: Job,
    network: Network,
) -> Answers:
    """Select the learning rate of one layer, learn from all pictures if this is final, and judge."""
    num_views = table.grid.shape[1]
    flat = table.grid.reshape(-1, table.grid.shape[2])
    num_train = len(data.train)
    labels = np.repeat(data.labels[data.learnt(final=True)], num_views)

    def fit(rates: Sequence[float], *, count: int) -> Heads:
        return fit_heads(
            flat,
            rows=np.arange(count * num_views),
            labels=labels,
            num_classes=len(data.classes),
            candidates=[
                Candidate(learning_rate=rate, weight_decay=task.weight_decay) for rate in rates
            ],
            settings=task.heads,
            seed=job.seed,
            device=network.device,
            progress=lambda done, total: job.progress(f"classifiers of {layer}", done, total),
        )

    heads = fit(task.learning_rates, count=num_train)
    middles = np.arange(num_train * num_views, len(flat), num_views)
    selected = score_rows(heads, flat, rows=middles)
    truth = data.labels[data.selection]
    hits = [int((ranks_of_truth(scores, truth) == 0).sum()) for scores in selected]
    best = int(np.argmax(hits))
    rate = task.learning_rates[best]
    scores: Float32[np.ndarray, "n views c"] = selected[best][:, None]
    if judged is not None:
        rows = judged.grid.reshape(-1, judged.grid.shape[2])
        if job.final:
            heads, best = fit((rate,), count=len(table.grid)), 0
        found = score_rows(heads, rows, rows=np.arange(len(rows)))[best]
        scores = found.reshape(*judged.grid.shape[:2], -1)
    return _answer(
        scores,
        data.labels[data.judged(final=job.final)],
        way="linear",
        layer=layer,
        told=f"a linear classifier on {layer} ({table.grid.shape[2]} dimensions, learning rate {rate:g})",
        learning_rate=rate,
    )


def _neighbours(
    task: ProbeTask,
    layer: str,
    table: LayerTable,
    *,
    judged: LayerTable | None,
    data: ProbeData,
    final: bool,
) -> list[Answers]:
    """Let the nearest pictures vote, by the mean of each map."""
    if not task.neighbours:
        return []
    learnt = data.learnt(final=final)
    pooled = torch.from_numpy(table.pooled[:, 0])
    queries = pooled[len(data.train) :] if judged is None else torch.from_numpy(judged.pooled[:, 0])
    similarity, places = nearest(queries, pooled[: len(learnt)], k=task.neighbours)
    labels = torch.from_numpy(data.labels[learnt])[places]
    answers = []
    for k in sorted({1, task.neighbours}, reverse=True):
        votes = vote(
            similarity[:, :k],
            labels[:, :k],
            num_classes=len(data.classes),
            temperature=task.temperature,
        )
        told = f"the nearest picture by the cosine of {layer}'s mean over the map"
        if k > 1:
            told = told.replace("nearest picture", f"{k} nearest pictures")
            told += f", votes weighted by exp(cosine / {task.temperature:g})"
        answers.append(
            _answer(
                votes[:, None].numpy(),
                data.labels[data.judged(final=final)],
                way=f"{k}-NN",
                layer=layer,
                told=told,
            )
        )
    return answers


def _answer(
    scores: Float32[np.ndarray, "n views c"],
    labels: Int64[np.ndarray, " n"],
    *,
    way: str,
    layer: str,
    told: str,
    learning_rate: float | None = None,
) -> Answers:
    """Rank classes by their scores, or by their mean probabilities over several views."""
    if scores.shape[1] > 1:
        scores = torch.softmax(torch.from_numpy(scores), dim=2).numpy()
    one = scores.mean(axis=1)
    try:
        ranks = ranks_of_truth(one, labels)
    except ValueError as error:
        raise BenchError(f"layer {layer}: {error}") from error
    top = np.argsort(-one, axis=1, kind="stable")[:, :_TOP]
    return Answers(
        way=way, layer=layer, ranks=ranks, top=top, told=told, learning_rate=learning_rate
    )


def _joined(parts: Sequence[Answers]) -> Answers:
    return replace(
        parts[0],
        ranks=np.concatenate([part.ranks for part in parts]),
        top=np.concatenate([part.top for part in parts]),
    )


def _figures(answers: Answers, *, what: str, num_classes: int) -> list[Figure]:
    """Count hits; the best five are of interest where there are more classes."""
    figures = []
    for k in (1, _TOP) if answers.way == "linear" and num_classes > _TOP else (1,):
        hits, count = int((answers.ranks < k).sum()), len(answers.ranks)
        low, high = wilson_interval(hits, count=count)
        among = "highest" if k == 1 else f"among the {k} highest"
        figures.append(
            Figure(
                name=f"top-{k}" if answers.way == "linear" else answers.way,
                value=within_percent(answers.ranks, k=k),
                unit="%",
                better="higher",
                definition=(
                    f"Share of {what} whose class is scored {among} by {answers.told}; {num_classes} classes; "
                    f"95 % interval {low:.1f} to {high:.1f} (Wilson)."
                ),
                layer=answers.layer,
            )
        )
    return figures


def _definitions(task: ProbeTask) -> dict[str, str]:
    how = (
        "the statistics of the whole training table; a variance below 1e-5 of the layer's mean variance counts as that"
        if task.schedule is None
        else "those of the batch while training, running averages in the test"
    )
    return {
        "grid": f"a layer's map after its ReLU, resized ({task.features.resize}) to the square whose cells times channels come nearest "
        f"to {task.features.dimensions}, never finer than the map",
        "standardisation": f"batch norm without scale and shift: {how}",
        "classifier": "linear, started from zero, cross-entropy, SGD with momentum; biases at twice the rate and without decay",
        "top-k": "the true class is among the k that score highest; a tie counts against it",
        "k-NN": "votes exp(cosine / temperature) of the k nearest pictures that were learnt from, by a map's mean",
    }


def _notes(task: ProbeTask, answers: Sequence[Answers], *, final: bool) -> tuple[str, ...]:
    notes = []
    if task.schedule is None and not final and len(task.learning_rates) > 1:
        notes.append(
            "The learning rate was selected on the very pictures that are judged here, which flatters slightly; the locked test is not."
        )
    if task.features.resize == "bilinear":
        notes.append(
            "The published layer that resizes maps is taken to be bilinear, which is not verified."
        )
    if task.schedule is None:
        notes.append(
            "Classifiers are trained on features of the middle of each picture"
            + (" and its mirror image" if task.mirrored else "")
            + f" for {task.heads.epochs} epochs from zero, at the best of {len(task.learning_rates)} learning rates on the pictures "
            "held out for selection; the published protocol draws random crops for 140,000 steps at a rate of 0.01."
        )
    ends = set(task.learning_rates[:1] + task.learning_rates[-1:])
    at_end = [answer.layer for answer in answers if answer.learning_rate in ends]
    if at_end and len(task.learning_rates) > 1:
        notes.append(f"The best learning rate lies at the end of the list for {', '.join(at_end)}.")
    else:
        notes.append(
            f"Maps are resized by {task.features.resize} pooling, the published protocol resizes them bilinearly."
        )
    if task.test_crops > 1:
        notes.append("Ten crops are judged together, which adds one to three points.")
    return tuple(notes)


def _save(answers: Sequence[Answers], *, data: ProbeData, job: Job) -> None:
    """Write `scores.npz`: names and labels of the judged pictures, and what each way answered; nothing in it is pickled."""
    judged = data.judged(final=job.final)
    arrays = {
        "names": np.array([data.pictures.name(int(index)) for index in judged]),
        "labels": data.labels[judged],
        "classes": np.array(data.classes),
    }
    for answer in answers:
        arrays[f"{answer.way}/{answer.layer}/ranks"] = answer.ranks.astype(np.int32)
        arrays[f"{answer.way}/{answer.layer}/top"] = answer.top.astype(np.int32)
    job.out.mkdir(parents=True, exist_ok=True)
    part = job.out / "scores.npz.part"
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType] no such name
    part.replace(job.out / "scores.npz")


def _test_views(task: ProbeTask) -> tuple[View, ...]:
    return TEN_CROPS if task.test_crops == 10 else CENTRE


def _part(data: ProbeData, *, final: bool) -> str:
    return (
        f"of the test split of {data.facts.name}"
        if final
        else f"of {data.facts.name} held out for selection"
    )
