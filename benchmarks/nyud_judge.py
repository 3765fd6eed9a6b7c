"""What is true of a frame of NYU Depth v2, what is said of it, and how far apart they are; whoever says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.heads import Heads
from scenelift.adapt.pictures import (
    Pictures,
    depth_error,
    draw_depth,
    draw_error,
    draw_grid,
    draw_image,
    draw_normal,
    normal_error_deg,
    side_by_side,
    write_png,
)
from scenelift.benchmarks.metrics.depth import (
    DepthSums,
    align_median,
    depth_metrics,
    depth_sums,
    join_depth_sums,
)
from scenelift.benchmarks.metrics.normals import (
    NormalSums,
    join_normal_sums,
    normal_metrics,
    normal_sums,
)
from scenelift.benchmarks.metrics.segmentation import (
    SegmentationSums,
    join_segmentation_sums,
    segmentation_metrics,
    segmentation_sums,
)
from scenelift.benchmarks.squares import through_squares
from scenelift.datasets.nyud import INSIDE, NyudSource

_DRAWS = 1000
_MAX_LOG_DEPTH = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """A frame within its white frame."""

    image: UInt8[np.ndarray, "h w 3"]
    z_depth_m: Float32[np.ndarray, "h w"]
    """0 unknown."""
    normal: Float32[np.ndarray, "h w 3"] | None
    """Camera frame, (0, 0, 0) unknown; None: not asked for."""
    classes: Mapping[int, UInt8[np.ndarray, "h w"]]
    """Class ids by number of classes, 0 unknown; empty: not asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is said about a frame; None, or no such key: nothing."""

    z_depth_m: Float32[np.ndarray, "h w"] | None = None
    relative_depth: Float32[np.ndarray, "h w"] | None = None
    """What is judged after alignment of scale; usually `z_depth_m` again."""
    normal: Float32[np.ndarray, "h w 3"] | None = None
    """Unit, camera frame."""
    classes: Mapping[int, Int64[np.ndarray, "h w"]] | None = None
    """Class ids from 1 on by number of classes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """The errors of one side in one or more frames; None, or no such key: it says nothing of it."""

    normal: NormalSums | None
    aligned: DepthSums | None
    metric: DepthSums | None
    classes: Mapping[int, SegmentationSums]


def read_truth(frames: NyudSource, index: int, *, normal: bool = True) -> Truth:
    """Read image, depth and normals of a frame; no classes.

    Raises:
        NyudError: if it cannot be read.
    """
    return Truth(
        image=frames.image(index)[INSIDE],
        z_depth_m=frames.z_depth_m(index)[INSIDE],
        normal=frames.normal(index)[INSIDE] if normal else None,
        classes={},
    )


def answer_maps(
    backbone: Backbone,
    heads: Heads,
    *,
    inputs: Float32[Tensor, "n 3 h w"],
    side: int | None,
    tasks: Sequence[str] | None = None,
) -> dict[str, Float32[Tensor, "n _c h w"]]:
    """Run networks over pictures as they saw them in training.

    Args:
        backbone: In evaluation mode.
        heads: The same.
        inputs: What the backbone reads.
        side: Of the squares that they learnt from; None: they learnt from whole pictures.
        tasks: The ones to answer; None for all.
    """

    def answer(part: Float32[Tensor, "n 3 h2 w2"]) -> dict[str, Tensor]:
        height, width = part.shape[-2:]
        return dict(heads(backbone(part), width=width, height=height, tasks=tasks))

    answers = answer(inputs) if side is None else through_squares(answer, inputs, side=side)
    return {name: answer.float() for name, answer in answers.items()}


def to_depth(log_depth: Float32[Tensor, "n 1 h w"]) -> Float32[np.ndarray, "n h w"]:
    """Turn ln metres into metres."""
    clamped = log_depth.clamp(-_MAX_LOG_DEPTH, _MAX_LOG_DEPTH).exp()[:, 0]
    return np.asarray(clamped.cpu().numpy(), np.float32)


def to_normals(normal: Float32[Tensor, "n 3 h w"]) -> Float32[np.ndarray, "n h w 3"]:
    """Bring normals to unit length, channels last."""
    unit = F.normalize(normal, dim=1).permute(0, 2, 3, 1).contiguous()
    return np.asarray(unit.cpu().numpy(), np.float32)


def judge(answer: Answer, truth: Truth) -> Sums:
    """Sum up the errors of one frame.

    Raises:
        ValueError: if an answer holds NaN.
    """
    valid = truth.z_depth_m > 0
    normal = aligned = metric = None
    if answer.normal is not None and truth.normal is not None:
        known = (truth.normal != 0).any(axis=-1)
        normal = normal_sums(answer.normal, truth.normal, valid=known)
    if answer.z_depth_m is not None:
        metric = depth_sums(answer.z_depth_m, truth.z_depth_m, valid=valid)
    if answer.relative_depth is not None:
        scaled = align_median(answer.relative_depth, truth.z_depth_m, valid=valid)
        aligned = depth_sums(scaled, truth.z_depth_m, valid=valid)
    classes = {
        number: segmentation_sums(told, truth.classes[number], num_classes=number)
        for number, told in (answer.classes or {}).items()
    }
    return Sums(normal=normal, aligned=aligned, metric=metric, classes=classes)


def join_sums(parts: Sequence[Sums]) -> Sums:
    """Put frames together, in order; all say the same things."""
    normal = [part.normal for part in parts if part.normal is not None]
    aligned = [part.aligned for part in parts if part.aligned is not None]
    metric = [part.metric for part in parts if part.metric is not None]
    return Sums(
        normal=join_normal_sums(normal) if normal else None,
        aligned=join_depth_sums(aligned) if aligned else None,
        metric=join_depth_sums(metric) if metric else None,
        classes={
            number: join_segmentation_sums([part.classes[number] for part in parts])
            for number in (parts[0].classes if parts else {})
        },
    )


def pooled_figures(
    sums: Sums, weights: Float64[np.ndarray, "draws n"]
) -> dict[str, Float64[np.ndarray, " draws"]]:
    """Return `normal/...`, `aligned/...`, `metric/...` and `classes40/...` as the metrics' modules name them."""
    found: dict[str, Float64[np.ndarray, " draws"]] = {}
    if sums.normal is not None:
        found |= {f"normal/{k}": v for k, v in normal_metrics(sums.normal, weights).items()}
    for name, part in (("aligned", sums.aligned), ("metric", sums.metric)):
        if part is not None:
            found |= {f"{name}/{k}": v for k, v in depth_metrics(part, weights).items()}
    for number, confusion in sums.classes.items():
        metrics = segmentation_metrics(confusion, weights)
        found |= {f"classes{number}/{k}": v for k, v in metrics.items()}
    return found


def bootstrap_weights(num: int) -> Float64[np.ndarray, "draws n"]:
    """Return how often each of `num` frames counts: once in the first row, drawn with replacement in the others.

    The same draws every time, so that two sides judged on the same frames can be subtracted.
    """
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(num, np.full(num, 1 / num), size=_DRAWS).astype(np.float64)
    return np.concatenate([np.ones((1, num)), drawn])


def draw_geometry(answer: Answer, truth: Truth, *, path: Path) -> None:
    """Draw picture, truth, answer and error, a row for depth (to scale) and one for normals."""
    write_png(
        path,
        draw_grid(
            torch.cat(geometry_rows(answer, truth)),
            captions=("picture", "true", "predicted", "error"),
        ),
    )


def geometry_rows(answer: Answer, truth: Truth) -> list[Pictures]:
    """Return those rows."""
    image = draw_image(torch.from_numpy(truth.image).permute(2, 0, 1)[None])
    rows = []
    if answer.z_depth_m is not None:
        scaled = align_median(answer.z_depth_m, truth.z_depth_m, valid=truth.z_depth_m > 0)
        true_m, said_m = (
            torch.from_numpy(d.astype(np.float32))[None, None] for d in (truth.z_depth_m, scaled)
        )
        error = draw_error(depth_error(said_m, true_m), worst=0.5)
        rows.append(side_by_side(image, draw_depth(true_m), draw_depth(said_m), error))
    if answer.normal is not None and truth.normal is not None:
        true, said = (
            torch.from_numpy(n).permute(2, 0, 1)[None] for n in (truth.normal, answer.normal)
        )
        error = draw_error(normal_error_deg(said, true), worst=60.0)
        rows.append(side_by_side(image, draw_normal(true), draw_normal(said), error))
    return rows
