"""A training run from its configuration to its folder: data, method, loop, weights, report."""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import PartialState

from scenelift.adapt.backbones import Backbone, BackboneError
from scenelift.adapt.checkpoint import (
    CheckpointError,
    differences,
    list_checkpoints,
    load_checkpoint,
)
from scenelift.adapt.config import RunError, TrainConfig, TrainContent
from scenelift.adapt.diagnosis import diagnose_after, diagnose_before
from scenelift.adapt.ema import WeightAverage
from scenelift.adapt.feature_alignment import FeatureAlignment, FeatureAlignmentSettings
from scenelift.adapt.method import Adapts, Method, PictureSizeError
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.networks import Facts
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.plain import from_plain, to_plain
from scenelift.adapt.precision import resolve_precision
from scenelift.adapt.pretext.initialised import Initialised, InitialisedSettings
from scenelift.adapt.pretext.method import Pretext, PretextSettings
from scenelift.adapt.report import write_report
from scenelift.adapt.run_data import RunData, open_data, open_stream, validation_batches
from scenelift.adapt.run_folder import prepare_folder
from scenelift.adapt.tasks import LabelError
from scenelift.adapt.train import Observer, Pace, RunState, TrainingError, recalibrate, train
from scenelift.adapt.weights import (
    WeightsError,
    export_onnx,
    load_weights,
    load_weights_into,
    save_weights,
)
from scenelift.datasets.dense import DenseError
from scenelift.datasets.labelled import LabelError as BadLabelsError
from scenelift.datasets.loaders import Source, fixed_batches
from scenelift.datasets.nyud import NyudError
from scenelift.datasets.photo_files import PhotoError
from scenelift.datasets.store import StoreError
from scenelift.datasets.tar_index import TarError

INPUT_FAULTS = (
    RunError, BackboneError, CheckpointError, WeightsError, LabelError, BadLabelsError, PictureSizeError, PhotoError, TarError, StoreError, DenseError, NyudError,
    TrainingError, OSError, ImportError,
)  # fmt: skip
"""What is told in one line. Anything else is a bug, and keeps its traceback."""


def train_run(config: TrainConfig, *, observer: Observer) -> Path:
    """Train as configured, and write weights and report.

    Returns:
        The report.

    Raises:
        RunError, PhotoError, StoreError, CheckpointError: if the input cannot be used; one line each.
        TrainingError: if a loss is not finite.
        OSError: if the disk is full.
    """
    execution = config.execution
    process = PartialState(cpu=execution.device == "cpu" or not torch.cuda.is_available())
    device = _device(execution.device, default=torch.device(str(process.device)))
    precision = resolve_precision(config.content.precision, device=device)
    content = replace(config.content, precision=precision)
    config = replace(config, content=content)
    if content.batch_size % process.num_processes:
        raise RunError(
            f"batch_size {content.batch_size} does not divide among {process.num_processes} processes"
        )
    chief = process.is_main_process
    data = open_data(content, skip_bad_photos=execution.skip_bad_photos)
    try:
        method = build_method(content, data, device=device, rank=process.process_index)
    except ValueError as error:
        raise RunError(str(error)) from error
    average = (
        WeightAverage(
            {name: n for name, n in method.networks().items() if name in ("backbone", "heads")},
            decay=content.average,
        )
        if content.average is not None
        else None
    )
    folder = execution.out
    if chief:
        prepare_folder(config)
    process.wait_for_everyone()
    state = _resumed(method, average, config) if execution.resume else RunState(average=average)
    validation = validation_batches(content, data, method.streams, device=device)
    if chief and state.start == 0 and isinstance(method, Adapts):
        diagnose_before(config, data, method, device=device)
    with ExitStack() as stack:
        streams = {
            name: stack.enter_context(
                open_stream(
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


def build_method(
    content: TrainContent, data: RunData, *, device: torch.device, rank: int = 0
) -> Method:
    """Build what learns.

    Raises:
        ValueError: if a layer, a backbone or a choice is unknown.
    """
    half = content.precision == "bf16"
    match content.method:
        case FeatureAlignmentSettings():
            return FeatureAlignment(
                content.method, seed=content.seed, device=device, half=half, rank=rank
            )
        case PretextSettings():
            return Pretext(
                content.method, seed=content.seed, device=device, half=half, classes=data.classes
            )
        case MgmSettings():
            return Mgm(
                content.method,
                facts=Facts(
                    scenes=data.classes,
                    semantic_classes=data.semantic_classes,
                    size_px=content.geometry.crop_px,
                ),
                seed=content.seed,
                device=device,
                half=half,
                rank=rank,
                steps=content.steps,
            )
        case InitialisedSettings():
            return Initialised(content.method, seed=content.seed, device=device)


def load_method(folder: Path, *, device: torch.device) -> FeatureAlignment:
    """Build the method of a run of feature alignment: its last heads (averaged, if it averages), and the backbone it exported.

    Raises:
        RunError: if the folder holds no such run.
        CheckpointError: if its checkpoint is damaged.
    """
    found = list_checkpoints(folder / "checkpoints") if folder.is_dir() else []
    if not found:
        raise RunError(f"{folder}: holds no checkpoint; name the folder of a training run")
    state = load_checkpoint(found[-1])
    content = from_plain(TrainContent, state["config"])
    if not isinstance(content.method, FeatureAlignmentSettings):
        raise RunError(
            f"{folder}: trained by {content.method.kind}, which has no heads for depth and normals"
        )
    method = FeatureAlignment(content.method, seed=content.seed, device=device)
    method.load_state_dict(state["method"])
    if state["average"]:
        method.heads.load_state_dict(state["average"]["networks"]["heads"])
    if (folder / "weights.safetensors").is_file():
        load_weights_into(folder / "weights.safetensors", method.backbone)
        method.backbone.to(device)
    return method


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


def _device(name: str, *, default: torch.device) -> torch.device:
    if name == "auto":
        return default
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        cause = " ".join(str(error).split())[:120]
        raise RunError(f"device {name!r} cannot be used: {cause}") from error
    return device


def _resumed(method: Method, average: WeightAverage | None, config: TrainConfig) -> RunState:
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


def _export(
    config: TrainConfig,
    data: RunData,
    method: Method,
    average: WeightAverage | None,
    *,
    device: torch.device,
) -> None:
    """Choose the weights, estimate their statistics on photos if that is asked for, and write them."""
    content, folder = config.content, config.execution.out
    backbone = method.networks()["backbone"]
    if content.select == "best" and (folder / "checkpoints" / "best.pt").is_file():
        best = load_checkpoint(folder / "checkpoints" / "best.pt")
        backbone.load_state_dict(best["backbone"])
    elif average is not None:
        backbone.load_state_dict(average.networks["backbone"].state_dict())
    if isinstance(method, Adapts):
        if method.real_statistics and content.recalibrate_batches and "real" in data.train:
            _recalibrate(content, data.train["real"], method, device=device)
        diagnose_after(config, data, method, device=device)
    if not isinstance(backbone, Backbone):
        raise TypeError(f"the network named backbone is a {type(backbone).__name__}")
    path = folder / "weights.safetensors"
    save_weights(
        path, backbone, input_normalisation=method.input_normalisation, config=to_plain(content)
    )
    if config.execution.onnx:
        export_onnx(
            folder / "backbone.onnx",
            load_weights(path).backbone,
            width=content.geometry.crop_px,
            height=content.geometry.crop_px,
            input_normalisation=method.input_normalisation,
        )


def _recalibrate(
    content: TrainContent, photos: Source, method: Adapts, *, device: torch.device
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

    recalibrate(method.networks()["backbone"], forward=forward)
