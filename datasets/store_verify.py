"""Whether a file is whole: every dataset, attribute, chunk and reference in its place."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scenelift.datasets.store_chunk import Frames
from scenelift.datasets.store_open import Summary, opened, read_table, translating
from scenelift.datasets.store_schema import CHANNEL_SPECS, CHANNELS, SPLITS, StoreError
from scenelift.datasets.store_write import VIEW_ATTRIBUTES

MAX_CLASS = 40
"""The last NYU40 id."""

_WHOLE = (
    "view/scene",
    "view/split",
    "scenes/split",
    "scenes/instance_start",
    "scenes/instance_count",
)
"""Columns that point somewhere."""


def verify(path: Path) -> tuple[str, ...]:
    """Check the structure of a file; decode no frame.

    Returns:
        One line for each fault; none if the file is whole.

    Raises:
        StoreError: if it cannot be opened as such a file at all.
    """
    with opened(path) as (file, summary), translating(path):
        return tuple(_faults(file, summary=summary, path=path))


def _faults(file: Any, *, summary: Summary, path: Path) -> Iterator[str]:
    yield from _channel_faults(file, summary=summary)
    tables: dict[str, Any] = {}
    for name, length, row_shape in _expected_tables(file, summary):
        try:
            table = read_table(file, name, length=length, path=path)
        except StoreError as error:
            yield str(error).removeprefix(f"{path}: ")
            continue
        if table.shape[1:] != row_shape:
            yield f"{name} has {table.shape[1:]} a row, expected {row_shape}"
        elif name in _WHOLE and table.dtype.kind not in "iu":
            yield f"{name} holds {table.dtype}, expected whole numbers"
        else:
            tables[name] = table
    for name in ("scenes/name", "scenes/source", "scenes/licence", "instances/name"):
        length = summary.scenes if name.startswith("scenes") else summary.instances
        if name not in file or file[name].shape != (length,):
            yield f"{name} is missing or has not {length} rows"
    yield from _reference_faults(tables, summary=summary)
    yield from _json_faults(file)


def _channel_faults(file: Any, *, summary: Summary) -> Iterator[str]:
    for channel in CHANNELS:
        try:
            Frames(file[channel])
        except StoreError as error:
            yield str(error)
        count = file[channel].id.get_num_chunks()
        if count != summary.frames:
            yield f"{channel} has {count} stored frames of {summary.frames}"
        for name, expected in CHANNEL_SPECS[channel].attributes.items():
            found = file[channel].attrs.get(name)
            if found != expected:
                yield f"{channel} has the attribute {name} = {found!r}, expected {expected!r}"


def _expected_tables(file: Any, summary: Summary) -> Iterator[tuple[str, int, tuple[int, ...]]]:
    yield "camera/K", summary.frames, (3, 3)
    yield "camera/T_world_camera", summary.frames, (4, 4)
    for name in sorted({*VIEW_ATTRIBUTES, *file["view"]}):
        yield f"view/{name}", summary.frames, ()
    for name in ("split", "instance_start", "instance_count"):
        yield f"scenes/{name}", summary.scenes, ()
    for name in ("semantic", "room", "glass", "mirror"):
        yield f"instances/{name}", summary.instances, ()


def _reference_faults(tables: dict[str, Any], *, summary: Summary) -> Iterator[str]:
    scene, split = tables.get("view/scene"), tables.get("scenes/split")
    if scene is not None and len(scene):
        if scene.min() < 0 or scene.max() >= summary.scenes:
            bad = int(np.argmax((scene < 0) | (scene >= summary.scenes)))
            yield f"view {bad} names scene {scene[bad]} of {summary.scenes}"
        elif split is not None and "view/split" in tables:
            wrong = np.flatnonzero(tables["view/split"] != split[scene])
            if len(wrong):
                yield f"view {wrong[0]} is in another split than its scene"
    if split is not None and len(split) and split.max() >= len(SPLITS):
        yield f"scene {int(np.argmax(split))} has the unknown split {split.max()}"
    start, count = tables.get("scenes/instance_start"), tables.get("scenes/instance_count")
    if start is not None and count is not None:
        ends = np.cumsum(count.astype(np.int64))
        if len(ends) and (ends[-1] != summary.instances or (ends - count != start).any()):
            yield "scenes/instance_start and instance_count do not divide the table of instances"
    semantic = tables.get("instances/semantic")
    if semantic is not None and len(semantic) and semantic.max() > MAX_CLASS:
        yield f"instance {int(np.argmax(semantic))} has class {semantic.max()}, NYU40 ends at {MAX_CLASS}"


def _json_faults(file: Any) -> Iterator[str]:
    for name, kind in (("rooms", list), ("rejections", dict), ("warnings", list)):
        if f"scenes/{name}" not in file:
            yield f"scenes/{name} is missing"
            continue
        for row, text in enumerate(file[f"scenes/{name}"].asstr()[...]):
            try:
                sound = isinstance(json.loads(text), kind)
            except (ValueError, RecursionError):
                sound = False
            if not sound:
                yield f"scene {row}: {name} is not a JSON {kind.__name__}"
