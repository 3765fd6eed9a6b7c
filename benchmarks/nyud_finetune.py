"""Fine-tuning a backbone with a head for each task on frames of NYU Depth v2."""

import copy
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.colour import ColourSettings, to_input
from scenelift.adapt.heads import Heads, at_stride, build_heads
from scenelift.adapt.losses import depth_loss, normal_loss
from scenelift.adapt.network_input import network_input
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.nyud_frames import Lessons
from scenelift.benchmarks.nyud_judge import Answer, answer_maps, to_depth, to_normals
from scenelift.benchmarks.task import BenchError
from scenelift.datasets.geometry import resize_frame

NyudTaskName = Literal["normals", "depth", "segmentation40", "segmentation13"]
CHANNELS: Mapping[NyudTaskName, int] = {
    "normals": 3,
    "depth": 1,
    "segmentation40": 40,
    "segmentation13": 13,
}
_MAX_MAP_STRIDE = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuning:
    """How weights follow the labels."""

    steps: int
    batch_size: int
    resize_px: int
    """Shorter side, within the white frame, at which the network sees pictures."""
    crop_px: int | None
    """Side of a random square of each training picture; None: the whole picture."""
    flip: bool
    """Mirror half of the training pictures."""
    jitter: float
    """Brightness, contrast and saturation change by up to this share."""
    optimiser: Literal["rmsprop", "adamw"]
    learning_rate: float
    """Of the heads, which are drawn anew."""
    backbone_rate: float
    """Of the backbone."""
    schedule: Literal["cosine", "fifths"]
    """cosine: down to nothing; fifths: a fifth of it after each `fifth_every` steps."""
    fifth_every: int = 150_000
    weight_decay: float = 0.0
    """Of AdamW, on weights of two dimensions and more."""
    batch_norm: Literal["learnt", "fixed"] = "learnt"
    """Whether the backbone's batch norms take their statistics from the batches; a frozen backbone's are fixed."""
    frozen: bool = False
    """The backbone stays as it is; heads learn."""
    normals_weight: float = 1.0
    depth_weight: float = 1.0
    segmentation40_weight: float = 1.0
    segmentation13_weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "resize_px", "fifth_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.crop_px is not None and not 1 <= self.crop_px <= self.resize_px:
            raise ValueError(
                f"crop_px must be from 1 to resize_px ({self.resize_px}), got {self.crop_px}"
            )

    def weight(self, task: NyudTaskName) -> float:
        """Return what a task's loss is multiplied by."""
        return {
            "normals": self.normals_weight,
            "depth": self.depth_weight,
            "segmentation40": self.segmentation40_weight,
            "segmentation13": self.segmentation13_weight,
        }[task]

    def rate_factor(self, step: int) -> float:
        """Return what learning rates are multiplied by at a step, counted from 0."""
        if self.schedule == "cosine":
            return 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return float(0.2 ** (step // self.fifth_every))


@dataclass(frozen=True, kw_only=True, slots=True)
class FineTuned:
    """A network with its heads."""

    backbone: Backbone
    heads: Heads
    network: Network
    """What it came from; its normalisation holds."""
    resize_px: int
    crop_px: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Crops with their labels."""

    image: UInt8[Tensor, "n 3 h w"]
    z_depth_m: Float[Tensor, "n 1 h w"]
    normal: Float[Tensor, "n 3 h w"] | None
    semantic: Int64[Tensor, "n h w"]
    sample_seed: Int64[Tensor, " n"]


def fine_tune(
    network: Network,
    lessons: Lessons,
    *,
    tasks: Collection[NyudTaskName],
    nyu40_to_13: Sequence[int],
    settings: FineTuning,
    seed: int,
    progress: Callable[[int], None],
) -> FineTuned:
    """Teach a copy of a network.

    Args:
        network: It stays as it is.
        lessons: At `settings.resize_px`.
        tasks: Which heads it gets.
        nyu40_to_13: The 13-class id of each NYU40 id.
        settings: How.
        seed: Of heads, order, crops and jitter.
        progress: Called with how many steps are done.

    Raises:
        BenchError: if the backbone gives no maps that heads can read, or the loss becomes NaN.
    """
    device = network.device
    backbone = copy.deepcopy(network.backbone)
    heads = _build_heads(backbone, tasks=tasks, seed=seed).to(device)
    optimiser = _optimiser(backbone, heads, settings=settings)
    colour = ColourSettings(
        grey="none",
        brightness=settings.jitter,
        contrast=settings.jitter,
        saturation=settings.jitter,
        space=network.normalisation.space,
        mean=network.normalisation.mean,
        std=network.normalisation.std,
    )
    to_13 = torch.tensor(nyu40_to_13, device=device)
    _set_modes(backbone, heads, settings=settings)
    rng = np.random.default_rng([seed, 1])
    order = _Order(len(lessons.image), rng=rng)
    for step in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = group["initial"] * settings.rate_factor(step)
        batch = draw_batch(lessons, order.take(settings.batch_size), settings=settings, rng=rng)
        inputs = to_input(batch.image.to(device), batch.sample_seed.to(device), settings=colour)
        with torch.set_grad_enabled(not settings.frozen):
            features = backbone(inputs)
        height, width = inputs.shape[-2:]
        answers = heads.answer(features, width=width, height=height)
        loss = _loss(answers, batch, strides=heads.strides, to_13=to_13, settings=settings)
        if not bool(torch.isfinite(loss)):
            raise BenchError(
                f"the loss is {loss.item()} at step {step + 1}; lower the learning rate"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        progress(step + 1)
    return FineTuned(
        backbone=backbone.eval(),
        heads=heads.eval(),
        network=network,
        resize_px=settings.resize_px,
        crop_px=settings.crop_px,
    )


@torch.inference_mode()
def answer_frames(model: FineTuned, images: UInt8[np.ndarray, "n h w 3"]) -> list[Answer]:
    """Answer whole pictures at their own size.

    Maps are enlarged linearly from the size at which the network sees them; a class is the greatest of the enlarged logits.
    """
    small = [resize_frame({"image": image}, resize_px=model.resize_px)["image"] for image in images]
    pixels = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).to(model.network.device)
    inputs = network_input(pixels, normalisation=model.network.normalisation)
    size = (images.shape[1], images.shape[2])
    answers = answer_maps(model.backbone, model.heads, inputs=inputs, side=model.crop_px)
    full = {
        name: F.interpolate(answer, size=size, mode="bilinear", align_corners=False)
        for name, answer in answers.items()
    }
    depths = to_depth(full["depth"]) if "depth" in full else None
    normals = to_normals(full["normals"]) if "normals" in full else None
    classes = {
        number: (full[f"segmentation{number}"].argmax(dim=1) + 1).cpu().numpy()
        for number in (40, 13)
        if f"segmentation{number}" in full
    }
    return [
        Answer(
            z_depth_m=None if depths is None else depths[i],
            relative_depth=None if depths is None else depths[i],
            normal=None if normals is None else normals[i],
            classes={number: told[i] for number, told in classes.items()},
        )
        for i in range(len(images))
    ]


class _Order:
    """All frames in random order, again and again."""

    def __init__(self, count: int, *, rng: np.random.Generator) -> None:
        self._count, self._rng = count, rng
        self._left: list[int] = []

    def take(self, number: int) -> list[int]:
        while len(self._left) < number:
            self._left += self._rng.permutation(self._count).tolist()
        taken, self._left = self._left[:number], self._left[number:]
        return taken


def _build_heads(backbone: Backbone, *, tasks: Collection[NyudTaskName], seed: int) -> Heads:
    if backbone.layers[-1].stride > _MAX_MAP_STRIDE:
        raise BenchError(
            f"{backbone.name} ends in linear layers, which give no map; take the same network with dilated ones"
        )
    channels: dict[str, int] = {task: CHANNELS[task] for task in CHANNELS if task in tasks}
    return build_heads(backbone, generator=torch.Generator().manual_seed(seed), tasks=channels)


def _optimiser(backbone: Backbone, heads: Heads, *, settings: FineTuning) -> torch.optim.Optimizer:
    groups = []
    parts: list[tuple[nn.Module, float]] = [(heads, settings.learning_rate)]
    if not settings.frozen:
        parts.append((backbone, settings.backbone_rate))
    for module, rate in parts:
        for decays in (True, False):
            parameters = [p for p in module.parameters() if (p.dim() >= 2) == decays]
            if parameters:
                decay = settings.weight_decay if decays else 0.0
                groups.append({"params": parameters, "initial": rate, "weight_decay": decay})
    if settings.optimiser == "rmsprop":
        return torch.optim.RMSprop(groups, lr=settings.learning_rate)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)


def _set_modes(backbone: Backbone, heads: Heads, *, settings: FineTuning) -> None:
    heads.train()
    backbone.requires_grad_(not settings.frozen)
    backbone.train(settings.batch_norm == "learnt" and not settings.frozen)


def draw_batch(
    lessons: Lessons, indices: Sequence[int], *, settings: FineTuning, rng: np.random.Generator
) -> Batch:
    """Cut a batch out of the frames.

    Args:
        lessons: The frames.
        indices: Which of them.
        settings: Size of the crops, and whether half of them are mirrored.
        rng: Where crops, mirrors and seeds of jitter come from.
    """
    height, width = lessons.image.shape[-2:]
    side = settings.crop_px
    rows, columns = (height, width) if side is None else (side, side)
    tops = rng.integers(0, height - rows + 1, len(indices))
    lefts = rng.integers(0, width - columns + 1, len(indices))
    mirrored = torch.from_numpy(rng.random(len(indices)) < 0.5) & settings.flip
    seeds = torch.from_numpy(rng.integers(0, 2**62, len(indices)))

    def cut(maps: Tensor) -> Tensor:
        taken = torch.stack(
            [
                maps[i, ..., t : t + rows, left : left + columns]
                for i, t, left in zip(indices, tops, lefts, strict=True)
            ]
        )
        where = mirrored.view(-1, *[1] * (taken.dim() - 1))
        return torch.where(where, taken.flip(-1), taken)

    normal = None
    if lessons.normal is not None:
        # A mirrored view shows the mirrored world.
        sign = torch.tensor([-1.0, 1.0, 1.0]).view(1, 3, 1, 1)
        normal = cut(lessons.normal).float()
        normal = torch.where(mirrored.view(-1, 1, 1, 1), normal * sign, normal)
    return Batch(
        image=cut(lessons.image),
        z_depth_m=cut(lessons.z_depth_m).float(),
        normal=normal,
        semantic=cut(lessons.semantic).long(),
        sample_seed=seeds,
    )


def _loss(
    answers: Mapping[str, Float[Tensor, "n _c _h _w"]],
    batch: Batch,
    *,
    strides: Mapping[str, int],
    to_13: Int64[Tensor, " 41"],
    settings: FineTuning,
) -> Float[Tensor, ""]:
    """Add the tasks' losses up, each taken where its head answers."""
    device = to_13.device
    semantic = batch.semantic[:, None].to(device)
    losses: dict[NyudTaskName, Float[Tensor, ""]] = {}
    if "depth" in answers:
        z_depth_m = at_stride(batch.z_depth_m.to(device), stride=strides["depth"])
        losses["depth"] = depth_loss(answers["depth"], z_depth_m, valid=z_depth_m > 0)
    if "normals" in answers and batch.normal is not None:
        normal = at_stride(batch.normal.to(device), stride=strides["normals"])
        known: Bool[Tensor, "n 1 h w"] = (normal != 0).any(dim=1, keepdim=True)
        losses["normals"] = normal_loss(answers["normals"], normal, valid=known)
    if "segmentation40" in answers:
        true = at_stride(semantic, stride=strides["segmentation40"])[:, 0]
        losses["segmentation40"] = class_loss(answers["segmentation40"], true)
    if "segmentation13" in answers:
        true = at_stride(semantic, stride=strides["segmentation13"])[:, 0]
        losses["segmentation13"] = class_loss(answers["segmentation13"], to_13[true])
    return torch.stack([settings.weight(task) * loss for task, loss in losses.items()]).sum()


def class_loss(logits: Float[Tensor, "n c h w"], true: Int64[Tensor, "n h w"]) -> Float[Tensor, ""]:
    """Return the mean cross-entropy over the pixels whose class (from 1 on) is known; 0 where none is."""
    total = F.cross_entropy(logits, true - 1, ignore_index=-1, reduction="sum")
    return total / (true > 0).sum().clamp(min=1)
