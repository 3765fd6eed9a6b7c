"""A training run from its configuration to its folder: data, method, loop, weights, report."""

import json
import logging
import os
import platform
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch import nn

from scenelift import __version__
from scenelift.adapt.audit import audit_shortcuts, write_audit
from scenelift.adapt.checkpoint import (
    CheckpointError,
    differences,
    list_checkpoints,
    load_checkpoint,
)
from scenelift.adapt.config import TrainConfig, TrainContent
from scenelift.adapt.ema import WeightAverage
from scenelift.adapt.feature_alignment import FeatureAlignment
from scenelift.adapt.health import ADistance, a_distances, pool_features, write_health
from scenelift.adapt.method import Batch, StreamName
from scenelift.adapt.plain import from_plain, to_plain
from scenelift.adapt.report import write_report
from scenelift.adapt.train import Observer, Pace, RunState, recalibrate, train
from scenelift.adapt.weights import InputNormalisation, load_weights_into, save_weights
from scenelift.datasets.loaders import Source, Stream, fixed_batches
from scenelift.datasets.photo_files import PhotoError
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.places import open_photos
from scenelift.datasets.store import Channel, StoreError
from scenelift.datasets.synthetic import SyntheticDataset, min_edge_pixels

_CHANNELS: tuple[Channel, ...] = ("image", "depth", "normal", "edge", "instance")
_DIAGNOSED = 512
"""Pictures of each domain that the audit and the A-distance look at."""
_logger = logging.getLogger(__name__)


class RunError(ValueError):
    """A run that cannot start: the message says what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunData:
    """The sources of a run: what is learnt from, and what is held out."""

    train: Mapping[StreamName, Source]
    held_out: Mapping[StreamName, Source]


def train_run(config: TrainConfig, *, observer: Observer) -> Path:
    """Train as configured, and write weights and report.

    Returns:
        The report.

    Raises:
        RunError, PhotoError, StoreError, CheckpointError: if the input cannot be used; one line each.
        TrainingError: if a loss is not finite.
        OSError: if the disk is full.
    """
    content, execution = config.content, config.execution
    process = PartialState(cpu=execution.device == "cpu" or not torch.cuda.is_available())
    device = torch.device(str(process.device) if execution.device == "auto" else execution.device)
    if content.batch_size % process.num_processes:
        raise RunError(
            f"batch_size {content.batch_size} does not divide among {process.num_processes} processes"
        )
    chief = process.is_main_process
    data = open_data(content, skip_bad_photos=execution.skip_bad_photos)
    method = FeatureAlignment(
        content.method,
        seed=content.seed,
        device=device,
        half=content.precision == "bf16",
        rank=process.process_index,
    )
    average = (
        WeightAverage({"backbone": method.backbone, "heads": method.heads}, decay=content.average)
        if content.average is not None
        else None
    )
    folder = execution.out
    if chief:
        _prepare_folder(config)
    process.wait_for_everyone()
    state = _resumed(method, average, config) if execution.resume else RunState(average=average)
    validation = _validation(content, data, method.streams, device=device)
    if chief and state.start == 0:
        _diagnose_before(config, data, method, device=device)
    with ExitStack() as stack:
        streams = {
            name: stack.enter_context(
                _stream(
                    config,
                    data.train[name],
                    name=name,
                    start=state.start,
                    device=device,
                    process=process,
                )
            )
            for name in method.streams
        }
        train(
            method,
            streams=streams,
            validation=validation,
            folder=folder,
            pace=_pace(config),
            state=state,
            config=to_plain(content),
            observer=observer,
            chief=chief,
            tensorboard=execution.tensorboard,
        )
    if chief:
        _export(config, data, method, average, device=device)
    process.wait_for_everyone()
    return write_report(folder) if chief else folder


def open_data(content: TrainContent, *, skip_bad_photos: bool = False) -> RunData:
    """Open what the configuration names.

    Raises:
        RunError: if a source is missing.
        PhotoError, StoreError, OSError: if one cannot be used.
    """
    if not content.synthetic:
        raise RunError(
            "no rendered pictures: give --synthetic FILE (`render-scenes --out synth.h5` makes one)"
        )
    limits = {}
    if content.min_edge_pixels:
        least = _scaled_edge_pixels(content)
        limits = {"edge_pixels": (least, float("inf"))}

    def rendered(split: str) -> SyntheticDataset:
        return SyntheticDataset(
            content.synthetic,
            channels=_CHANNELS,
            split="train" if split == "train" else "val",
            limits=limits,
            edge_bits=content.edge_kinds,
        )

    train_sources: dict[StreamName, Source] = {"synthetic": rendered("train")}
    held_out: dict[StreamName, Source] = {}
    try:
        held_out["synthetic"] = rendered("val")
    except StoreError:
        _logger.warning(
            "no rendered picture is in the split val: validation sees training pictures"
        )
        held_out["synthetic"] = train_sources["synthetic"]
    if content.real is not None:
        photos = PhotoDataset(open_photos(content.real), skip_bad=skip_bad_photos)
        train_sources["real"] = photos
        held_out["real"] = _held_out_photos(content.real, photos, skip_bad=skip_bad_photos)
    elif content.method.align.method != "none":
        raise RunError(
            f"alignment {content.method.align.method} wants photos: give --real DIR, or --method.align.method none"
        )
    return RunData(train=train_sources, held_out=held_out)


def _held_out_photos(path: Path, photos: PhotoDataset, *, skip_bad: bool) -> PhotoDataset:
    """Open the photos that nothing is learnt from: the layout's own, else, with a warning, the same ones."""
    try:
        held_out = PhotoDataset(open_photos(path, split="val"), skip_bad=skip_bad)
    except PhotoError as error:
        _logger.warning("validation sees the photos of training: %s", error)
        return photos
    if len(held_out) == len(photos) and held_out.name(0) == photos.name(0):
        _logger.warning("%s has no split: validation sees the photos of training", path)
    return held_out


def load_method(folder: Path, *, device: torch.device) -> FeatureAlignment:
    """Build the method of a finished or running training run: its last heads (averaged, if it averages), and the backbone it exported.

    Raises:
        RunError: if the folder holds no run.
        CheckpointError: if its checkpoint is damaged.
    """
    found = list_checkpoints(folder / "checkpoints") if folder.is_dir() else []
    if not found:
        raise RunError(f"{folder}: holds no checkpoint; name the folder of a training run")
    state = load_checkpoint(found[-1])
    content = from_plain(TrainContent, state["config"])
    method = FeatureAlignment(content.method, seed=content.seed, device=device)
    method.load_state_dict(state["method"])
    if state["average"]:
        method.heads.load_state_dict(state["average"]["networks"]["heads"])
    if (folder / "weights.safetensors").is_file():
        load_weights_into(folder / "weights.safetensors", method.backbone)
        method.backbone.to(device)
    return method


def _scaled_edge_pixels(content: TrainContent) -> int:
    header = SyntheticDataset(content.synthetic, channels=_CHANNELS).header
    full = min_edge_pixels(width=header.width, height=header.height)
    return round(full * content.min_edge_pixels / 350)


def _pace(config: TrainConfig) -> Pace:
    content, execution = config.content, config.execution
    return Pace(
        steps=content.steps,
        log_every=execution.log_every,
        validate_every=content.validate_every,
        checkpoint_every=execution.checkpoint_every,
        pictures_every=execution.pictures_every,
        keep_checkpoints=execution.keep_checkpoints,
    )


def _stream(
    config: TrainConfig,
    source: Source,
    *,
    name: StreamName,
    start: int,
    device: torch.device,
    process: PartialState,
) -> Stream:
    content, execution = config.content, config.execution
    workers = execution.workers
    if workers is None:
        workers = 4 if device.type == "cuda" else 0 if (os.cpu_count() or 1) < 4 else 1
    return Stream(
        source,
        name=name,
        batch_size=content.batch_size // process.num_processes,
        geometry=content.geometry,
        seed=content.seed,
        start=start,
        rank=process.process_index,
        world_size=process.num_processes,
        workers=workers,
        device=device,
        cache_bytes=execution.cache_mib << 20,
    )


def _validation(
    content: TrainContent,
    data: RunData,
    names: Sequence[StreamName],
    *,
    device: torch.device,
) -> dict[StreamName, list[Batch]]:
    wanted = [name for name in data.held_out if name in names or name == "real"]
    return {
        name: list(
            fixed_batches(
                data.held_out[name],
                name=name,
                batch_size=min(content.batch_size, 32),
                num_batches=content.validation_batches,
                geometry=content.geometry,
                seed=content.seed,
                device=device,
            )
        )
        for name in wanted
    }


def _prepare_folder(config: TrainConfig) -> None:
    """Make the run folder, or see that it is the one to go on with."""
    execution = config.execution
    folder = execution.out
    used = folder.exists() and any(folder.iterdir())
    if used and not (execution.resume or execution.overwrite):
        raise RunError(
            f"{folder}: is not empty; give --resume to go on, or --overwrite to start anew"
        )
    if used and execution.overwrite:
        _clear(folder)
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {
            "content": to_plain(config.content),
            "execution": to_plain(execution),
            "versions": _versions(),
        },
        indent=1,
    )
    part = folder / "config.json.part"
    part.write_text(text, encoding="utf-8")
    part.replace(folder / "config.json")


_OF_A_RUN = (
    "config.json", "metrics.jsonl", "audit.json", "health.json", "evaluation.json", "weights.safetensors", "report.html",
    "pictures", "checkpoints", "tensorboard",
)  # fmt: skip


def _clear(folder: Path) -> None:
    """Remove what a run writes, and nothing else."""
    for name in _OF_A_RUN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    return {"scenelift": __version__, "python": platform.python_version(), **packages}


def _resumed(
    method: FeatureAlignment, average: WeightAverage | None, config: TrainConfig
) -> RunState:
    found = list_checkpoints(config.execution.out / "checkpoints")
    if not found:
        return RunState(average=average)
    state = load_checkpoint(found[-1])
    changed = differences(state["config"], to_plain(config.content))
    if changed:
        raise CheckpointError(
            f"{found[-1]}: belongs to another configuration: {'; '.join(changed[:8])}"
        )
    method.load_state_dict(state["method"])
    if average is not None:
        average.load_state_dict(state["average"])
    return RunState(
        average=average,
        start=int(state["step"]),
        time_s=float(state["time_s"]),
        best_score=float(state["best_score"]),
    )


def _diagnosed(
    content: TrainContent, source: Source, *, name: StreamName, device: torch.device
) -> list[Batch]:
    return list(
        fixed_batches(
            source,
            name=f"{name} diagnosis",
            batch_size=32,
            num_batches=_DIAGNOSED // 32,
            geometry=content.geometry,
            seed=content.seed,
            device=device,
        )
    )


def _distances(
    config: TrainConfig, data: RunData, method: FeatureAlignment, *, device: torch.device
) -> dict[str, ADistance]:
    pooled: dict[str, dict[str, Any]] = {}
    for name in ("synthetic", "real"):
        batches = _diagnosed(config.content, data.held_out[name], name=name, device=device)
        maps = [method.features(batch) for batch in batches]
        pooled[name] = {
            layer: torch.cat([torch.from_numpy(pool_features(m[layer])) for m in maps]).numpy()
            for layer in maps[0]
        }
    return a_distances(pooled["synthetic"], pooled["real"], seed=config.content.seed)


def _diagnose_before(
    config: TrainConfig, data: RunData, method: FeatureAlignment, *, device: torch.device
) -> None:
    if not config.execution.audit or "real" not in data.held_out:
        return
    images = {
        name: torch.cat(
            [
                batch["image"].cpu()
                for batch in _diagnosed(config.content, source, name=name, device=device)
            ]
        )
        for name, source in data.held_out.items()
    }
    folder, content = config.execution.out, config.content
    write_audit(
        audit_shortcuts(images["synthetic"], images["real"], seed=content.seed),
        path=folder / "audit.json",
    )
    write_health(
        folder / "health.json",
        before=_distances(config, data, method, device=device),
        aligned_layers=content.method.align.layers,
    )


def _export(
    config: TrainConfig,
    data: RunData,
    method: FeatureAlignment,
    average: WeightAverage | None,
    *,
    device: torch.device,
) -> None:
    """Choose the weights, estimate their statistics on photos if that is asked for, and write them."""
    content, folder = config.content, config.execution.out
    if content.select == "best" and (folder / "checkpoints" / "best.pt").is_file():
        best = load_checkpoint(folder / "checkpoints" / "best.pt")
        method.backbone.load_state_dict(best["backbone"])
    elif average is not None:
        method.backbone.load_state_dict(average.networks["backbone"].state_dict())
    if (
        method.alignment.statistics == "real"
        and content.recalibrate_batches
        and "real" in data.train
    ):
        _recalibrate(content, data.train["real"], method, device=device)
    if config.execution.audit and "real" in data.held_out:
        before = _read_before(folder / "health.json")
        write_health(
            folder / "health.json",
            before=before,
            after=_distances(config, data, method, device=device),
            aligned_layers=content.method.align.layers,
        )
    colour = content.method.colour
    save_weights(
        folder / "weights.safetensors",
        method.backbone,
        input_normalisation=InputNormalisation(mean=colour.mean, std=colour.std),
        config=to_plain(content),
    )


def _recalibrate(
    content: TrainContent, photos: Source, method: FeatureAlignment, *, device: torch.device
) -> None:
    def forward() -> None:
        for batch in fixed_batches(
            photos,
            name="recalibration",
            batch_size=content.batch_size,
            num_batches=content.recalibrate_batches,
            geometry=content.geometry,
            seed=content.seed,
            device=device,
        ):
            method.see(batch)

    network: nn.Module = method.backbone
    recalibrate(network, forward=forward)


def _read_before(path: Path) -> dict[str, ADistance]:
    """Read the distances that were measured before training; none if they were not."""
    if not path.is_file():
        return {}
    layers = json.loads(path.read_text(encoding="utf-8"))["layers"]
    return {
        entry["layer"]: ADistance(
            value=_number(entry["before"]["value"]),
            low=_number(entry["before"]["low"]),
            high=_number(entry["before"]["high"]),
            num_each=int(entry["before"]["num_each"]),
        )
        for entry in layers
        if entry["before"]
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
