"""The data of a run: what is learnt from, what is held out, and the streams and batches of both."""

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from accelerate import PartialState

from scenelift.adapt.config import RunError, TrainConfig, TrainContent
from scenelift.adapt.method import Batch, StreamName
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.mgm.sources import open_further, open_labelled_frames
from scenelift.datasets.labelled import open_labelled_splits
from scenelift.datasets.loaders import Source, Stream, fixed_batches
from scenelift.datasets.photo_files import PhotoError
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.places import open_photos
from scenelift.datasets.store import Channel, StoreError
from scenelift.datasets.synthetic import SyntheticDataset, min_edge_pixels

_CHANNELS: tuple[Channel, ...] = ("image", "depth", "normal", "edge", "instance")
_MISSING: Mapping[StreamName, str] = {
    "synthetic": "no rendered pictures: give --synthetic FILE (`render-scenes --out synth.h5` makes one)",
    "real": "no photos: give --real DIR (feature alignment alone does without, with --method.align.method none)",
    "labelled": "no labelled pictures: give --labelled DIR (folders of classes or a tar archive of them; frames with dense labels for mgm)",
    "images": "no further pictures: give --images FILE.h5... of render-scenes, or a folder of classes or photos",
}
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunData:
    """The sources of a run: what is learnt from, and what is held out."""

    train: Mapping[StreamName, Source]
    held_out: Mapping[StreamName, Source]
    classes: tuple[str, ...] = ()
    """Names of the labels of `labelled`, if it was named: classes of pictures, or scenes of frames with dense labels."""
    semantic_classes: tuple[str, ...] = ()
    """Names of the ids 1, 2, ... of dense labels, if there are any."""


def open_data(content: TrainContent, *, skip_bad_photos: bool = False) -> RunData:
    """Open what the configuration names.

    Raises:
        RunError: if a source is missing.
        PhotoError, StoreError, LabelError, OSError: if one cannot be used.
    """
    missing = [name for name in content.method.sources if not getattr(content, name)]
    if missing:
        raise RunError(_MISSING[missing[0]])
    if isinstance(content.method, MgmSettings):
        return _dense(content, content.method)
    train_sources: dict[StreamName, Source] = {}
    held_out: dict[StreamName, Source] = {}
    classes: tuple[str, ...] = ()
    if content.synthetic:
        train_sources["synthetic"], held_out["synthetic"] = _rendered(content)
    if content.real is not None:
        photos = PhotoDataset(open_photos(content.real), skip_bad=skip_bad_photos)
        train_sources["real"] = photos
        held_out["real"] = _held_out_photos(content.real, photos, skip_bad=skip_bad_photos)
    if content.labelled is not None:
        splits = open_labelled_splits(content.labelled)
        learnt = splits.get("train") or next(iter(splits.values()))
        train_sources["labelled"] = learnt
        held_out["labelled"] = splits.get("val") or splits.get("test") or learnt
        classes = learnt.classes
        if held_out["labelled"] is learnt:
            _logger.warning("%s has one split: validation sees its training", content.labelled)
    return RunData(train=train_sources, held_out=held_out, classes=classes)


def _dense(content: TrainContent, settings: MgmSettings) -> RunData:
    """Open frames with dense labels, and further pictures where the method asks for them."""
    learnt, held_out = open_labelled_frames(content, settings)
    train_sources: dict[StreamName, Source] = {"labelled": learnt}
    held_out_sources: dict[StreamName, Source] = {"labelled": held_out}
    if "images" in settings.sources:
        train_sources["images"], held_out_sources["images"] = open_further(
            content, settings, scenes=learnt.scenes
        )
    return RunData(
        train=train_sources,
        held_out=held_out_sources,
        classes=learnt.scenes,
        semantic_classes=learnt.semantic_classes,
    )


def _rendered(content: TrainContent) -> tuple[SyntheticDataset, SyntheticDataset]:
    """Open the frames that are learnt from, and the held-out ones."""
    limits = {}
    if content.min_edge_pixels:
        least = _scaled_edge_pixels(content)
        limits = {"edge_pixels": (least, float("inf"))}

    def opened(split: Literal["train", "val"]) -> SyntheticDataset:
        return SyntheticDataset(
            content.synthetic,
            channels=_CHANNELS if content.method.reads_labels else ("image",),
            split=split,
            limits=limits,
            edge_bits=content.edge_kinds,
        )

    learnt = opened("train")
    try:
        return learnt, opened("val")
    except StoreError:
        _logger.warning(
            "no rendered picture is in the split val: validation sees training pictures"
        )
        return learnt, learnt


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


def _scaled_edge_pixels(content: TrainContent) -> int:
    header = SyntheticDataset(content.synthetic, channels=_CHANNELS).header
    full = min_edge_pixels(width=header.width, height=header.height)
    return round(full * content.min_edge_pixels / 350)


def open_stream(
    config: TrainConfig,
    source: Source,
    *,
    name: StreamName,
    start: int,
    device: torch.device,
    process: PartialState,
) -> Stream:
    """Open the stream of one source for this process, from batch number `start` on."""
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


def validation_batches(
    content: TrainContent,
    data: RunData,
    names: Sequence[StreamName],
    *,
    device: torch.device,
) -> dict[StreamName, list[Batch]]:
    """Return the held-out batches of the streams of these names, and of photos if there are any: always the same."""
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
