"""A run's depth and normals on the test frames of NYU Depth v2, beside the best constant maps.

`python -m scenelift.benchmarks.nyud_geometry RUN --data nyuv2.tar` writes `evaluation.json` and pictures into the run folder.
Nothing is trained here. Pictures are seen without their white frame, through two overlapping squares of the training's size
(`benchmarks/squares.py`). Both sides are judged on the same pixels, those of all frames pooled; true normals are derived from depth of 8 bits (`datasets/nyud_normals.py`), so no
published figure compares.
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
from jaxtyping import Float32, UInt8
from torch.nn import functional as F

from scenelift.adapt.checkpoint import CheckpointError
from scenelift.adapt.colour import to_input
from scenelift.adapt.config import RunError
from scenelift.adapt.feature_alignment import FeatureAlignment
from scenelift.adapt.job import load_method
from scenelift.adapt.report import write_report
from scenelift.benchmarks.nyud_constants import ConstantMaps, learn_constants
from scenelift.benchmarks.nyud_judge import (
    Answer,
    Sums,
    answer_maps,
    bootstrap_weights,
    draw_geometry,
    join_sums,
    judge,
    pooled_figures,
    read_truth,
    to_depth,
    to_normals,
)
from scenelift.datasets.geometry import resize_frame
from scenelift.datasets.nyud import NyudError, NyudSource, open_nyud

_BATCH = 8
_MAX_CONFIG_BYTES = 2**24
_SHOWN = 6
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
class Answers:
    """What is said about one or more pictures; None: nothing."""

    z_depth_m: Float32[np.ndarray, "n h w"] | None
    normal: Float32[np.ndarray, "n h w 3"] | None
    """Unit, camera frame."""


@torch.no_grad()
def predict(
    method: FeatureAlignment, images: UInt8[np.ndarray, "n h w 3"], *, side: int
) -> Answers:
    """Answer depth and normals of pictures at their own size, without jitter.

    A network that was trained on single channels sees the green one, so that nothing is drawn.

    Args:
        method: A trained one; it is put in evaluation mode.
        images: sRGB, all of one size.
        side: Of the squares through which the network sees them, and the length that their shorter side is brought to.
    """
    device = next(method.backbone.parameters()).device
    method.backbone.eval()
    method.heads.eval()
    small = [resize_frame({"image": image}, resize_px=side)["image"] for image in images]
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
    answers = answer_maps(method.backbone, method.heads, inputs=inputs, side=side, tasks=tasks)
    size = (images.shape[1], images.shape[2])
    full = {
        name: F.interpolate(answer, size=size, mode="bilinear", align_corners=False)
        for name, answer in answers.items()
    }
    return Answers(
        z_depth_m=to_depth(full["depth"]) if "depth" in full else None,
        normal=to_normals(full["normal"]) if "normal" in full else None,
    )


def evaluate(
    method: FeatureAlignment,
    *,
    frames: NyudSource,
    constants: ConstantMaps,
    side: int,
    indices: Sequence[int],
    pictures: Path | None = None,
) -> list[Row]:
    """Judge a method and the constants on the same pixels.

    Args:
        method: A trained one.
        frames: The test split.
        constants: From the training split.
        side: As for `predict`.
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
            truths = list(pool.map(lambda index: read_truth(frames, index), part))
            answers = predict(method, np.stack([truth.image for truth in truths]), side=side)
            for place, truth in enumerate(truths):
                answer = _one(answers, place)
                ours.append(judge(answer, truth))
                theirs.append(judge(_constant(constants, like=answer), truth))
                if pictures is not None and part[place] in shown:
                    pictures.mkdir(parents=True, exist_ok=True)
                    path = pictures / f"nyud-{frames.name(part[place])}.png"
                    draw_geometry(answer, truth, path=path)
    return _rows(join_sums(ours), join_sums(theirs), num=len(indices))


def _one(answers: Answers, place: int) -> Answer:
    depth = None if answers.z_depth_m is None else answers.z_depth_m[place]
    return Answer(
        z_depth_m=depth,
        relative_depth=depth,
        normal=None if answers.normal is None else answers.normal[place],
    )


def _constant(constants: ConstantMaps, *, like: Answer) -> Answer:
    """Say of constants what a network says."""
    has_depth = like.z_depth_m is not None
    return Answer(
        z_depth_m=constants.z_depth_m if has_depth else None,
        relative_depth=constants.relative_depth if has_depth else None,
        normal=constants.normal if like.normal is not None else None,
    )


def _rows(ours: Sums, theirs: Sums, *, num: int) -> list[Row]:
    """Pool the frames, and draw them anew for the intervals, both sides the same."""
    weights = bootstrap_weights(num)
    values, baselines = pooled_figures(ours, weights), pooled_figures(theirs, weights)
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


def evaluate_run(
    run: Path,
    *,
    data: Path,
    device: torch.device,
    limit: int | None,
) -> list[Row]:
    """Judge a run folder; leave `evaluation.json` and `pictures/evaluation/` in it, and show both in its report.

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
    training, test = open_nyud(data, split="train"), open_nyud(data, split="test")
    side = _read_crop_px(run)
    constants = learn_constants(training, indices=_spread(len(training), limit=limit))
    indices = _spread(len(test), limit=limit)
    rows = evaluate(
        method,
        frames=test,
        constants=constants,
        side=side,
        indices=indices,
        pictures=run / "pictures" / "evaluation",
    )
    _write(run / "evaluation.json", rows, num=len(indices), side=side)
    write_report(run)
    return rows


def _spread(count: int, *, limit: int | None) -> list[int]:
    """Return all numbers below a count, or some of them at even distances.

    >>> _spread(10, limit=3)
    [0, 3, 6]
    """
    if limit is None or limit >= count:
        return list(range(count))
    return [index * count // limit for index in range(limit)]


def _read_crop_px(run: Path) -> int:
    path = run / "config.json"
    try:
        with path.open("rb") as file:
            side = json.loads(file.read(_MAX_CONFIG_BYTES))["content"]["geometry"]["crop_px"]
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunError(f"{path}: holds no content.geometry.crop_px") from error
    if not isinstance(side, int) or not 16 <= side <= 4096:
        raise RunError(f"{path}: content.geometry.crop_px must be from 16 to 4096, got {side!r}")
    return side


def _write(path: Path, rows: Sequence[Row], *, num: int, side: int) -> None:
    told = "; ".join(
        f"{row.name}: {row.difference_low:+.3g} to {row.difference_high:+.3g}{row.unit}"
        for row in rows
        if row.name.endswith(("mean error", "relative error"))
    )
    note = (
        f"{num} test frames through overlapping squares of {side} pixels, all valid pixels pooled. Baseline: the best constant map, "
        "each pixel's mean normal and its depth of least relative error over the training frames. To scale: the medians of "
        "prediction and truth are made equal in each frame. True normals are fitted to depth of 8 bits where it is locally flat, "
        "so no published figure compares. "
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
            given.run,
            data=given.data,
            device=torch.device(given.device),
            limit=given.limit,
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


if __name__ == "__main__":
    sys.exit(main())
