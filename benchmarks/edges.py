"""Boundaries on BSDS500 or any folder in its layout: a head is trained on a network's features and judged as Berkeley does.

Truth for training: a pixel that half of the people or more drew is a boundary, one that nobody drew is none, and the others do not
count (Liu et al., CVPR 2017). Loss: cross entropy with both classes at equal weight (Xie and Tu, ICCV 2015). The backbone's batch
norms keep their statistics, whether it learns or not. Whole pictures are judged, at their own size, in one pass.
"""

import copy
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.heads import Heads, build_heads
from scenelift.adapt.losses import edge_loss
from scenelift.adapt.method import Features
from scenelift.adapt.network_input import network_input
from scenelift.benchmarks.card import DataFingerprint, Figure, Outcome
from scenelift.benchmarks.metrics.edges import (
    MAX_DISTANCE,
    NUM_THRESHOLDS,
    EdgeCounts,
    EdgeScores,
    edge_counts,
    edge_scores,
)
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.splits import Roles, assign_roles, hold_out
from scenelift.benchmarks.task import BenchError, Job, Work
from scenelift.datasets.bsds import BsdsError, BsdsPictures, bsds_splits, open_bsds

_THRESHOLD_S = 0.09
"""Seconds of thinning and matching a picture of 481 x 321 pixels with five drawings at one threshold, on a core."""
_NAMES = {"ods": "ODS", "ois": "OIS", "ap": "AP"}
_DEFINED = {
    "ods": "Best F of precision and recall of boundary pixels over all pictures, one threshold for all",
    "ois": "F of precision and recall of boundary pixels, each picture at its own best threshold",
    "ap": "Sum of precision at recall 0, 0.01, ..., 1 over 100, along straight lines, 0 outside the measured recalls",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgesTask:
    """Boundaries: a head learns on training pictures, and is judged by ODS, OIS and AP."""

    steps: int
    """Of training."""
    fine_tune: bool = False
    """Let the backbone learn too; else only the head does."""
    batch_size: int = 8
    crop_px: int = 224
    """Side of the random crops that are learnt from, half of them mirrored."""
    head_rate: float = 1e-3
    """Learning rate of Adam, falling to 0 along a straight line."""
    backbone_rate: float = 1e-4
    weight_decay: float = 1e-4
    thresholds: int = NUM_THRESHOLDS
    max_distance: float = MAX_DISTANCE
    """How far matched pixels may lie apart, as a share of the diagonal."""
    max_judged: int | None = None
    """Judge so many pictures, spread evenly over the split; None: all."""

    def __post_init__(self) -> None:
        """Refuse what cannot be run."""
        for name in ("steps", "batch_size", "crop_px", "thresholds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.max_judged is not None and self.max_judged < 1:
            raise ValueError(f"max_judged must be at least 1, got {self.max_judged}")
        if not 0 < self.max_distance < 1:
            raise ValueError(f"max_distance must lie between 0 and 1, got {self.max_distance}")

    @property
    def name(self) -> str:
        """What the command calls it."""
        return "edges"

    def work(self, network: Network, *, job: Job) -> Work:
        """Say how much there is to do.

        Raises:
            BenchError: if the data cannot be used.
        """
        parts = _open(self, job)
        height, width = parts.judged[0].image().shape[:2]
        learnt_px = float(self.steps * self.batch_size * self.crop_px**2)
        judged_px = float(len(parts.judged) * width * height)
        share = width * height / (481 * 321)
        return Work(
            forward_px=judged_px + (0.0 if self.fine_tune else learnt_px),
            trained_px=learnt_px if self.fine_tune else 0.0,
            other_s=len(parts.judged) * self.thresholds * _THRESHOLD_S * share,
        )

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Train a head and judge it.

        Raises:
            BenchError: if the data cannot be used, or training diverges.
            OSError: if the counts cannot be written.
        """
        parts = _open(self, job)
        try:
            backbone, heads = _train(self, network, job=job, pictures=parts.learnt)
            counts = list(_judge(self, network, (backbone, heads), job=job, judged=parts.judged))
        except BsdsError as error:
            raise BenchError(str(error)) from error
        _write_counts(job.out / "edge_counts.npz", counts, names=[p.name for p in parts.judged])
        return Outcome(
            protocol={**asdict(self), "definitions": dict(_DEFINED)},
            data=_fingerprint(parts, job=job),
            figures=_figures(edge_scores(counts), task=self),
            notes=_notes(self, parts),
        )


def desk() -> EdgesTask:
    """Return a recipe of minutes: a head on frozen features, 19 thresholds, 40 pictures judged."""
    return EdgesTask(steps=300, batch_size=4, crop_px=160, thresholds=19, max_judged=40)


def paper() -> EdgesTask:
    """Return the recipe to report: the backbone learns too, 99 thresholds, all pictures."""
    return EdgesTask(steps=10_000, fine_tune=True, batch_size=10, crop_px=320)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Picture:
    """One picture of a split."""

    pictures: BsdsPictures
    index: int

    @property
    def name(self) -> str:
        return f"{self.pictures.split}/{self.pictures.name(self.index)}"

    def image(self) -> UInt8[np.ndarray, "h w 3"]:
        try:
            return self.pictures.image(self.index)
        except BsdsError as error:
            raise BenchError(str(error)) from error

    def drawn(self, image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "k h w"]:
        height, width = image.shape[:2]
        return self.pictures.boundaries(self.index, width=width, height=height)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    """What is learnt from and what is judged."""

    learnt: Sequence[_Picture]
    judged: Sequence[_Picture]
    of: int
    """Pictures there are to judge."""
    roles: Roles


def _open(task: EdgesTask, job: Job) -> _Parts:
    try:
        roles = assign_roles(bsds_splits(job.data))
        train = _pictures(job.data, roles.train)
        if job.final:
            selection = _pictures(job.data, roles.selection) if roles.selection else []
            learnt, judged = [*train, *selection], _pictures(job.data, roles.test)
        elif roles.selection:
            learnt, judged = train, _pictures(job.data, roles.selection)
        else:
            by_name = {picture.name: picture for picture in train}
            kept, held = hold_out(list(by_name), seed=job.seed)
            learnt, judged = [by_name[n] for n in kept], [by_name[n] for n in held]
    except BsdsError as error:
        raise BenchError(str(error)) from error
    if not learnt or not judged:
        raise BenchError(
            f"{job.data}: {len(learnt)} pictures to learn from, {len(judged)} to judge"
        )
    count = len(judged)
    shown = min(count, task.max_judged or count)
    chosen = [judged[place * count // shown] for place in range(shown)]
    return _Parts(learnt=learnt, judged=chosen, of=count, roles=roles)


def _pictures(path: Path, split: str) -> list[_Picture]:
    pictures = open_bsds(path, split=split)
    return [_Picture(pictures=pictures, index=index) for index in range(len(pictures))]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sample:
    """A picture to learn from."""

    image: UInt8[np.ndarray, "h w 3"]
    edge: Bool[np.ndarray, "h w"]
    valid: Bool[np.ndarray, "h w"]


def _load(task: EdgesTask, picture: _Picture) -> _Sample:
    image = picture.image()
    height, width = image.shape[:2]
    if min(height, width) < task.crop_px:
        raise BenchError(
            f"{picture.name} has {width} x {height} pixels, less than crop_px, which is {task.crop_px}"
        )
    share = picture.drawn(image).mean(axis=0)
    return _Sample(image=image, edge=share >= 0.5, valid=(share >= 0.5) | (share == 0))


def _train(
    task: EdgesTask, network: Network, *, job: Job, pictures: Sequence[_Picture]
) -> tuple[Backbone, Heads]:
    """Return a backbone, a copy if it learns, and a trained head, both in evaluation mode."""
    samples = [_load(task, picture) for picture in pictures]
    if not any(sample.edge.any() for sample in samples):
        raise BenchError(f"{job.data}: no pixel to learn from that half of the people drew")
    rng = np.random.default_rng(job.seed)
    backbone = copy.deepcopy(network.backbone) if task.fine_tune else network.backbone
    generator = torch.Generator().manual_seed(job.seed)
    heads = build_heads(backbone, generator=generator, tasks={"edge": 1}).to(network.device)
    groups = [{"params": list(heads.parameters()), "lr": task.head_rate}]
    if task.fine_tune:
        backbone.requires_grad_(True)
        groups.append({"params": list(backbone.parameters()), "lr": task.backbone_rate})
    optimiser = torch.optim.AdamW(groups, weight_decay=task.weight_decay)
    falling = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 1 - step / task.steps)
    heads.train()
    for step in range(task.steps):
        images, edge, valid = _batch(task, samples, rng=rng, device=network.device)
        pixels = network_input(images, normalisation=network.normalisation)
        with torch.set_grad_enabled(task.fine_tune):
            features = backbone.eval()(pixels)
        logits = heads(features, width=task.crop_px, height=task.crop_px)["edge"]
        loss = edge_loss(logits, edge, valid=valid)
        if not torch.isfinite(loss):
            raise BenchError(f"training diverged at step {step}: the loss is {loss.item()}")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        falling.step()
        job.progress("training", step + 1, task.steps)
    return backbone.eval(), heads.eval()


def _batch(
    task: EdgesTask, samples: Sequence[_Sample], *, rng: np.random.Generator, device: torch.device
) -> tuple[UInt8[Tensor, "n 3 h w"], Bool[Tensor, "n 1 h w"], Bool[Tensor, "n 1 h w"]]:
    """Draw crops, half of them mirrored."""
    images, edges, valids = [], [], []
    for _ in range(task.batch_size):
        sample = samples[int(rng.integers(len(samples)))]
        height, width = sample.edge.shape
        top = int(rng.integers(height - task.crop_px + 1))
        left = int(rng.integers(width - task.crop_px + 1))
        turn = -1 if rng.random() < 0.5 else 1
        window = (slice(top, top + task.crop_px), slice(left, left + task.crop_px))
        images.append(sample.image[window][:, ::turn].transpose(2, 0, 1))
        edges.append(sample.edge[window][None, :, ::turn])
        valids.append(sample.valid[window][None, :, ::turn])
    stacked = (torch.from_numpy(np.stack(part)).to(device) for part in (images, edges, valids))
    image, edge, valid = stacked
    return image, edge, valid


def _judge(
    task: EdgesTask,
    network: Network,
    trained: tuple[Backbone, Heads],
    *,
    job: Job,
    judged: Sequence[_Picture],
) -> Iterator[EdgeCounts]:
    for number, picture in enumerate(judged):
        image = picture.image()
        strength = _predict(network, trained, image=image)
        if not np.isfinite(strength).all():
            raise BenchError(f"{picture.name}: the network answers NaN")
        yield edge_counts(
            strength,
            picture.drawn(image),
            num_thresholds=task.thresholds,
            max_distance=task.max_distance,
        )
        job.progress("matching boundaries", number + 1, len(judged))


@torch.inference_mode()
def _predict(
    network: Network, trained: tuple[Backbone, Heads], *, image: UInt8[np.ndarray, "h w 3"]
) -> Float32[np.ndarray, "h w"]:
    """Answer a whole picture at its own size."""
    backbone, heads = trained
    height, width = image.shape[:2]
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous().to(network.device)
    inputs = network_input(pixels, normalisation=network.normalisation)
    # Heads repeat their last row and column where they end before the picture does: let that fall outside.
    margin = min(2 * max(layer.stride for layer in backbone.layers), height - 1, width - 1)
    inputs = F.pad(inputs, (0, margin, 0, margin), mode="reflect")
    try:
        features: Features = backbone(inputs)
    except ValueError as error:
        raise BenchError(str(error)) from error
    logits = heads(features, width=width + margin, height=height + margin)["edge"]
    strength: Tensor = torch.sigmoid(logits[0, 0, :height, :width])
    return np.asarray(strength.cpu().numpy(), np.float32)


def _figures(scores: EdgeScores, *, task: EdgesTask) -> tuple[Figure, ...]:
    values = {"ods": scores.ods, "ois": scores.ois, "ap": scores.ap}
    matched = f"pixels thinned and matched one to one within {task.max_distance:g} of the diagonal, {task.thresholds} thresholds"
    return tuple(
        Figure(
            name=_NAMES[key],
            value=value,
            unit="",
            better="higher",
            definition=f"{_DEFINED[key]}; {matched}.",
        )
        for key, value in values.items()
    )


def _notes(task: EdgesTask, parts: _Parts) -> tuple[str, ...]:
    notes = [
        "the backbone learns too"
        if task.fine_tune
        else "only the head learns; the network is frozen",
        "batch norms of the backbone keep their statistics",
        "the largest matching is exact; which of equally many predicted pixels is matched is not settled by distance",
    ]
    if task.thresholds != NUM_THRESHOLDS:
        notes.append(f"{task.thresholds} thresholds, where {NUM_THRESHOLDS} are published")
    if len(parts.judged) < parts.of:
        notes.append(f"{len(parts.judged)} of {parts.of} pictures judged, spread evenly")
    return tuple(notes)


def _fingerprint(parts: _Parts, *, job: Job) -> DataFingerprint:
    used = sorted((*parts.learnt, *parts.judged), key=lambda picture: picture.name)
    digest = hashlib.sha256()
    for picture in used:
        for path in picture.pictures.paths(picture.index):
            digest.update(f"{picture.name}{path.suffix} {path.stat().st_size}\n".encode())
    return DataFingerprint(
        name=job.data.resolve().name,
        splits={
            "train": len(parts.learnt),
            "test" if job.final else "selection": len(parts.judged),
        },
        sha256=digest.hexdigest(),
        note=parts.roles.note,
    )


def _write_counts(path: Path, counts: Sequence[EdgeCounts], *, names: Sequence[str]) -> None:
    """Keep what all figures come from: matched and all pixels, a row a picture, a column a threshold."""
    fields = ("matched_true", "num_true", "matched_predicted", "num_predicted")
    arrays: dict[str, Int64[np.ndarray, "n t"]] = {
        field: np.stack([getattr(count, field) for count in counts]) for field in fields
    }
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, names=np.array(names), **arrays)
    part.replace(path)
