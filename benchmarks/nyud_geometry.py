"""A run's depth and normals on the test frames of NYU Depth v2, beside the best constant maps.

`python -m scenelift.benchmarks.nyud_geometry RUN --data nyuv2.tar` writes `evaluation.json` and pictures into the run folder.
Nothing is trained here. Pictures are resized as in training and seen whole, without their white frame; Kinect's field of view
(63 degrees across) stays as it is, whatever the rendered views had. Both sides are judged on the same pixels, those of all frames
pooled; true normals are derived from depth of 8 bits (`datasets/nyud_normals.py`), so no published figure compares.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.checkpoint import CheckpointError
from scenelift.adapt.colour import to_input
from scenelift.adapt.config import RunError
from scenelift.adapt.feature_alignment import FeatureAlignment
from scenelift.adapt.job import load_method
from scenelift.adapt.pictures import (
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
from scenelift.benchmarks.nyud_constants import ConstantMaps, learn_constants
from scenelift.datasets.geometry import resize_frame
from scenelift.datasets.nyud import INSIDE, NyudError, NyudFrames, open_nyud

_BATCH = 8
_DRAWS = 1000
_SHOWN = 6
_MAX_CONFIG_BYTES = 2**24
_METRICS: dict[str, tuple[str, str, Literal["lower", "higher"]]] = {
    "normal/mean": ("Normals, mean error", "°", "lower"),
    "normal/median": ("Normals, median error", "°", "lower"),
    "normal/below_11.25": ("Normals within 11.25°", "%", "higher"),
    "normal/below_22.5": ("Normals within 22.5°", "%", "higher"),
    "normal/below_30": ("Normals within 30°", "%", "higher"),
    "aligned/abs_rel": ("Depth to scale, relative error", "", "lower"),
    "aligned/rmse": ("Depth to scale, RMSE", "m", "lower"),
    "aligned/log_rmse": ("Depth to scale, RMSE of ln", "", "lower"),
    "aligned/log10": ("Depth to scale, error of log10", "", "lower"),
    "aligned/delta1": ("Depth to scale within a factor of 1.25", "%", "higher"),
    "aligned/delta2": ("Depth to scale within 1.25²", "%", "higher"),
    "aligned/delta3": ("Depth to scale within 1.25³", "%", "higher"),
    "metric/abs_rel": ("Depth in metres, relative error", "", "lower"),
    "metric/rmse": ("Depth in metres, RMSE", "m", "lower"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure beside its baseline."""

    name: str
    value: float
    unit: str
    baseline: float
    better: Literal["lower", "higher"]
    difference_low: float
    """Lower end of the 95 % interval of value - baseline over frames."""
    difference_high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """The errors of one side in one or more frames; None: there is no head for it."""

    normal: NormalSums | None
    aligned: DepthSums | None
    metric: DepthSums | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Answers:
    """What is said about one or more pictures; None: nothing."""

    z_depth_m: Float32[np.ndarray, "n h w"] | None
    normal: Float32[np.ndarray, "n h w 3"] | None
    """Unit, camera frame."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Truth:
    """A test frame within its white frame."""

    image: UInt8[np.ndarray, "h w 3"]
    z_depth_m: Float32[np.ndarray, "h w"]
    normal: Float32[np.ndarray, "h w 3"]


@torch.no_grad()
def predict(
    method: FeatureAlignment, images: UInt8[np.ndarray, "n h w 3"], *, resize_px: int
) -> Answers:
    """Answer depth and normals of pictures at their own size, by one forward pass without jitter.

    A network that was trained on single channels sees the green one, so that nothing is drawn.

    Args:
        method: A trained one; it is put in evaluation mode.
        images: sRGB, all of one size.
        resize_px: Shorter side at which the network sees them.
    """
    device = next(method.backbone.parameters()).device
    method.backbone.eval()
    method.heads.eval()
    small = [resize_frame({"image": image}, resize_px=resize_px)["image"] for image in images]
    pixels = torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).to(device)
    colour = method.settings.colour
    if colour.grey != "none":
        pixels = pixels[:, 1:2].expand(-1, 3, -1, -1)
    still = replace(colour, brightness=0.0, contrast=0.0, saturation=0.0, blur_probability=0.0)
    inputs = to_input(
        pixels.contiguous(),
        torch.zeros(len(pixels), dtype=torch.int64, device=device),
        settings=still,
    )
    tasks = [task for task in ("depth", "normal") if task in method.heads.tasks]
    height, width = pixels.shape[-2:]
    # Heads repeat their last row and column where they end before the picture does: let that fall outside.
    margin = min(2 * max(layer.stride for layer in method.backbone.layers), height - 1, width - 1)
    inputs = F.pad(inputs, (0, margin, 0, margin), mode="reflect")
    answers = {
        name: answer[..., :height, :width]
        for name, answer in method.heads(
            method.backbone(inputs), width=width + margin, height=height + margin, tasks=tasks
        ).items()
    }
    size = (images.shape[1], images.shape[2])
    full = {
        name: F.interpolate(answer.float(), size=size, mode="bilinear", align_corners=False).cpu()
        for name, answer in answers.items()
    }
    return Answers(
        z_depth_m=full["depth"].clamp(-10, 10).exp()[:, 0].numpy() if "depth" in full else None,
        normal=_unit(full["normal"]) if "normal" in full else None,
    )


def evaluate(
    method: FeatureAlignment,
    *,
    frames: NyudFrames,
    constants: ConstantMaps,
    resize_px: int,
    indices: Sequence[int],
    pictures: Path | None = None,
) -> list[Row]:
    """Judge a method and the constants on the same pixels.

    Args:
        method: A trained one.
        frames: The test split.
        constants: From the training split.
        resize_px: As for `predict`.
        indices: Which frames.
        pictures: Folder for a few of them.

    Raises:
        NyudError: if a frame cannot be read.
    """
    ours: list[Sums] = []
    theirs: list[Sums] = []
    shown = set(indices[:: max(1, -(-len(indices) // _SHOWN))])
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(indices), _BATCH):
            part = indices[start : start + _BATCH]
            truths = list(pool.map(lambda index: _truth(frames, index), part))
            answers = predict(
                method, np.stack([truth.image for truth in truths]), resize_px=resize_px
            )
            for place, truth in enumerate(truths):
                answer = _one(answers, place)
                ours.append(_sum(answer, truth, relative=answer.z_depth_m))
                constant = Answers(
                    z_depth_m=constants.z_depth_m[None] if answer.z_depth_m is not None else None,
                    normal=constants.normal[None] if answer.normal is not None else None,
                )
                relative = constants.relative_depth[None] if answer.z_depth_m is not None else None
                theirs.append(_sum(constant, truth, relative=relative))
                if pictures is not None and part[place] in shown:
                    pictures.mkdir(parents=True, exist_ok=True)
                    _draw(answer, truth, path=pictures / f"nyud-{frames.name(part[place])}.png")
    return _rows(_join(ours), _join(theirs), num=len(indices))


def _truth(frames: NyudFrames, index: int) -> _Truth:
    return _Truth(
        image=frames.image(index)[INSIDE],
        z_depth_m=frames.z_depth_m(index)[INSIDE],
        normal=frames.normal(index)[INSIDE],
    )


def _one(answers: Answers, place: int) -> Answers:
    part = slice(place, place + 1)
    return Answers(
        z_depth_m=None if answers.z_depth_m is None else answers.z_depth_m[part],
        normal=None if answers.normal is None else answers.normal[part],
    )


def _sum(answer: Answers, truth: _Truth, *, relative: Float32[np.ndarray, "1 h w"] | None) -> Sums:
    """Sum up one frame; `relative` is the depth that is aligned in scale first."""
    valid = truth.z_depth_m > 0
    normal = aligned = metric = None
    if answer.normal is not None:
        known = (truth.normal != 0).any(axis=-1)
        normal = normal_sums(answer.normal[0], truth.normal, valid=known)
    if answer.z_depth_m is not None and relative is not None:
        metric = depth_sums(answer.z_depth_m[0], truth.z_depth_m, valid=valid)
        scaled = align_median(relative[0], truth.z_depth_m, valid=valid)
        aligned = depth_sums(scaled, truth.z_depth_m, valid=valid)
    return Sums(normal=normal, aligned=aligned, metric=metric)


def _join(parts: Sequence[Sums]) -> Sums:
    normal = [part.normal for part in parts if part.normal is not None]
    aligned = [part.aligned for part in parts if part.aligned is not None]
    metric = [part.metric for part in parts if part.metric is not None]
    return Sums(
        normal=join_normal_sums(normal) if normal else None,
        aligned=join_depth_sums(aligned) if aligned else None,
        metric=join_depth_sums(metric) if metric else None,
    )


def _figures(
    sums: Sums, weights: Float64[np.ndarray, "draws n"]
) -> dict[str, Float64[np.ndarray, " draws"]]:
    found: dict[str, Float64[np.ndarray, " draws"]] = {}
    if sums.normal is not None:
        found |= {f"normal/{k}": v for k, v in normal_metrics(sums.normal, weights).items()}
    for name, part in (("aligned", sums.aligned), ("metric", sums.metric)):
        if part is not None:
            found |= {f"{name}/{k}": v for k, v in depth_metrics(part, weights).items()}
    return found


def _rows(ours: Sums, theirs: Sums, *, num: int) -> list[Row]:
    """Pool the frames, and draw them anew for the intervals, both sides the same."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(num, np.full(num, 1 / num), size=_DRAWS).astype(np.float64)
    weights = np.concatenate([np.ones((1, num)), drawn])
    values, baselines = _figures(ours, weights), _figures(theirs, weights)
    rows = []
    for key, (name, unit, better) in _METRICS.items():
        if key not in values:
            continue
        differences = (values[key] - baselines[key])[1:]
        low, high = np.quantile(differences, (0.025, 0.975))
        rows.append(
            Row(
                name=name,
                value=float(values[key][0]),
                unit=unit,
                baseline=float(baselines[key][0]),
                better=better,
                difference_low=float(low),
                difference_high=float(high),
            )
        )
    return rows


def _draw(answer: Answers, truth: _Truth, *, path: Path) -> None:
    """Draw picture, truth, answer and error, a row for depth (to scale) and one for normals."""
    image = draw_image(torch.from_numpy(truth.image).permute(2, 0, 1)[None])
    rows = []
    if answer.z_depth_m is not None:
        scaled = align_median(
            answer.z_depth_m[0], truth.z_depth_m, valid=truth.z_depth_m > 0
        ).astype(np.float32)
        true_m, said_m = (torch.from_numpy(d)[None, None] for d in (truth.z_depth_m, scaled))
        error = draw_error(depth_error(said_m, true_m), worst=0.5)
        rows.append(side_by_side(image, draw_depth(true_m), draw_depth(said_m), error))
    if answer.normal is not None:
        true, said = (
            torch.from_numpy(n).permute(2, 0, 1)[None] for n in (truth.normal, answer.normal[0])
        )
        error = draw_error(normal_error_deg(said, true), worst=60.0)
        rows.append(side_by_side(image, draw_normal(true), draw_normal(said), error))
    captions = ("picture", "true", "predicted", "error")
    write_png(path, draw_grid(torch.cat(rows), captions=captions))


def evaluate_run(run: Path, *, data: Path, device: torch.device, limit: int | None) -> list[Row]:
    """Judge a run folder, and leave `evaluation.json` and `pictures/evaluation/` in it.

    Args:
        run: The folder.
        data: NYU Depth v2: archive or folder.
        device: Where the network runs.
        limit: Number of frames of either split, evenly spread; None: all.

    Raises:
        RunError, CheckpointError: if the folder holds no run that can be judged.
        NyudError: if the data cannot be used.
        OSError: if the folder cannot be written.
    """
    method = load_method(run, device=device)
    if not {"depth", "normal"} & set(method.heads.tasks):
        raise RunError(f"{run}: was trained for neither depth nor normals: nothing to judge")
    resize_px = _read_resize_px(run)
    training, test = open_nyud(data, split="train"), open_nyud(data, split="test")
    constants = learn_constants(training, indices=_spread(len(training), limit=limit))
    indices = _spread(len(test), limit=limit)
    rows = evaluate(
        method,
        frames=test,
        constants=constants,
        resize_px=resize_px,
        indices=indices,
        pictures=run / "pictures" / "evaluation",
    )
    _write(run / "evaluation.json", rows, num=len(indices), resize_px=resize_px)
    return rows


def _spread(count: int, *, limit: int | None) -> list[int]:
    """Return all numbers below a count, or some of them at even distances.

    >>> _spread(10, limit=3)
    [0, 3, 6]
    """
    if limit is None or limit >= count:
        return list(range(count))
    return [index * count // limit for index in range(limit)]


def _read_resize_px(run: Path) -> int:
    path = run / "config.json"
    try:
        with path.open("rb") as file:
            config = json.loads(file.read(_MAX_CONFIG_BYTES))
        size = config["content"]["geometry"]["resize_px"]
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError(f"{path}: holds no content.geometry.resize_px") from error
    if not isinstance(size, int) or not 16 <= size <= 4096:
        raise RunError(f"{path}: content.geometry.resize_px must be from 16 to 4096, got {size!r}")
    return size


def _write(path: Path, rows: Sequence[Row], *, num: int, resize_px: int) -> None:
    told = "; ".join(
        f"{row.name}: {row.difference_low:+.3g} to {row.difference_high:+.3g}{row.unit}"
        for row in rows
        if row.name.endswith(("mean error", "relative error"))
    )
    note = (
        f"{num} test frames at a shorter side of {resize_px} pixels, all valid pixels pooled. Baseline: the best constant map, "
        "each pixel's mean normal and its depth of least relative error over the training frames. To scale: the medians of "
        "prediction and truth are made equal in each frame. True normals are fitted to depth of 8 bits where it is locally flat, "
        "so no published figure compares; the field of view is Kinect's, 63 degrees, not that of training. "
        f"95 % intervals of the difference to the baseline over frames: {told}."
    )
    content = {
        "title": "NYU Depth v2: depth and normals without training on it",
        "rows": [asdict(row) for row in rows],
        "note": note,
    }
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def table(rows: Sequence[Row]) -> str:
    """Return the figures as text."""
    lines = [f"{'':42}{'run':>10}{'constant':>10}   difference, 95 %"]
    lines += [
        f"{row.name:42}{row.value:10.4g}{row.baseline:10.4g}   "
        f"{row.difference_low:+.3g} to {row.difference_high:+.3g} {row.unit}".rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scenelift.benchmarks.nyud_geometry",
        description="Judge a run's depth and normals on NYU Depth v2.",
    )
    parser.add_argument("run", type=Path, help="run folder of adapt-train")
    parser.add_argument("--data", type=Path, required=True, help="nyuv2.tar or the folder")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, ...")
    parser.add_argument("--limit", type=_positive, default=None, help="frames, for a quick look")
    given = parser.parse_args(arguments)
    try:
        rows = evaluate_run(
            given.run, data=given.data, device=torch.device(given.device), limit=given.limit
        )
    except (RunError, CheckpointError, NyudError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(table(rows) + "\n")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


def _unit(normal: Float[Tensor, "n 3 h w"]) -> Float32[np.ndarray, "n h w 3"]:
    """Bring normals to unit length, channels last."""
    unit = F.normalize(normal, dim=1).permute(0, 2, 3, 1).contiguous()
    return np.asarray(unit.numpy(), np.float32)


if __name__ == "__main__":
    sys.exit(main())
