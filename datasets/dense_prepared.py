"""Frames brought to one size once and for all: `frames.json` and one `.npy` for each kind of array, a folder for each split.

Decoding and, for NYU Depth v2, deriving normals takes a tenth of a second a frame; from here it is a read from memory.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import numpy as np
from jaxtyping import Int64, Shaped

from scenelift.datasets.dense_frames import (
    UNKNOWN_SCENE,
    DenseError,
    DenseFrames,
    DenseLayout,
    DenseSplit,
    NoSplitError,
)
from scenelift.datasets.geometry import Frame, resize_frame
from scenelift.datasets.store_schema import Channel

_ARRAYS: dict[Channel, str] = {"image": "|u1", "semantic": "|u1", "depth": "<f4", "normal": "<i2"}
_MAX_JSON_BYTES = 2**28
_FORMAT = "scenelift prepared frames"


class PreparedFrames:
    """Frames of one size, mapped into memory; a `DenseFrames`."""

    def __init__(
        self,
        folder: Path,
        *,
        names: tuple[str, ...],
        scenes: Int64[np.ndarray, " n"],
        shape: tuple[int, int],
    ) -> None:
        """Take what `open_prepared` found."""
        self._folder = folder
        self._names = names
        self._scenes = scenes
        self._shape = shape
        self._arrays: dict[Channel, Shaped[np.ndarray, "n h w *c"]] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_arrays": {}}

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """Return a frame's name."""
        return self._names[index]

    def scene(self, index: int) -> int:
        """Return the scene's number."""
        return int(self._scenes[index])

    def frame(self, index: int) -> Frame:
        """Copy a frame.

        Raises:
            DenseError: if an array is missing or has another shape.
        """
        if not self._arrays:
            self._arrays = {name: self._open(name) for name in _ARRAYS}
        return {name: np.array(array[index]) for name, array in self._arrays.items()}

    def _open(self, name: Channel) -> Shaped[np.ndarray, "n h w *c"]:
        path = self._folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DenseError(f"{path}: cannot be read; prepare the folder again") from error
        components = (3,) if name in ("image", "normal") else ()
        shape = (len(self._names), *self._shape, *components)
        if array.shape != shape or array.dtype != np.dtype(_ARRAYS[name]):
            raise DenseError(
                f"{path}: {array.dtype} {array.shape}, where {_ARRAYS[name]} {shape} is wanted; prepare the folder again"
            )
        return np.asarray(array)


def is_prepared(path: Path) -> bool:
    """Tell whether a folder holds prepared splits."""
    return any((path / split / "frames.json").is_file() for split in ("train", "val", "test"))


def write_prepared(
    folder: Path,
    layout: DenseLayout,
    *,
    split: DenseSplit,
    resize_px: int,
    progress: Callable[[int], None],
) -> None:
    """Write the frames of a split, their shorter side brought to a size; `frames.json` comes last.

    Args:
        folder: Of all splits.
        layout: The frames, all of one size.
        split: Their name.
        resize_px: The shorter side.
        progress: Called with how many frames are done.

    Raises:
        DenseError: if frames differ in size.
        ValueError: if one cannot be read.
    """
    target = folder / split
    target.mkdir(parents=True, exist_ok=True)
    count = len(layout.frames)
    first = _sized(layout.frames, 0, resize_px=resize_px)
    arrays: dict[Channel, np.memmap] = {
        name: np.lib.format.open_memmap(
            target / f"{name}.npy", mode="w+", dtype=dtype, shape=(count, *first[name].shape)
        )
        for name, dtype in _ARRAYS.items()
    }
    for index in range(count):
        frame = _sized(layout.frames, index, resize_px=resize_px)
        if frame["image"].shape != first["image"].shape:
            raise DenseError(
                f"{layout.frames.name(index)}: {frame['image'].shape} after {first['image'].shape}: only frames of one shape can be prepared"
            )
        for name, array in arrays.items():
            array[index] = frame[name]
        progress(index + 1)
    for array in arrays.values():
        array.flush()
    height, width = first["image"].shape[:2]
    facts = {
        "format": _FORMAT,
        "title": layout.title,
        "height": height,
        "width": width,
        "pseudo": layout.pseudo,
        "classes": list(layout.semantic_classes),
        "scene_classes": list(layout.scenes),
        "names": [layout.frames.name(index) for index in range(count)],
        "scenes": [layout.frames.scene(index) for index in range(count)],
    }
    (target / "frames.json").write_text(json.dumps(facts), encoding="utf-8")


def open_prepared(folder: Path, *, split: DenseSplit) -> DenseLayout:
    """Find the frames of a split that `write_prepared` wrote.

    Raises:
        NoSplitError: if there is none.
        DenseError: if it is damaged.
    """
    path = folder / split / "frames.json"
    if not path.is_file():
        raise NoSplitError(f"{path}: does not exist, so there is no split {split}")
    try:
        if path.stat().st_size > _MAX_JSON_BYTES:
            raise DenseError(f"{path}: too large")
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DenseError):
            raise
        raise DenseError(f"{path}: cannot be read; prepare the folder again") from error
    if not isinstance(facts, dict) or not _is_sound(facts):
        raise DenseError(f"{path}: is not what it should be; prepare the folder again")
    return DenseLayout(
        title=str(facts["title"]),
        frames=PreparedFrames(
            folder / split,
            names=tuple(facts["names"]),
            scenes=np.array(facts["scenes"], np.int64),
            shape=(facts["height"], facts["width"]),
        ),
        scenes=tuple(facts["scene_classes"]),
        semantic_classes=tuple(facts["classes"]),
        pseudo=bool(facts["pseudo"]),
    )


def _is_sound(facts: Mapping[str, object]) -> bool:
    names, scenes = facts.get("names"), facts.get("scenes")
    texts = [facts.get(key) for key in ("names", "classes", "scene_classes")]
    lists = all(isinstance(t, list) and all(isinstance(name, str) for name in t) for t in texts)
    if not lists or facts.get("format") != _FORMAT or not isinstance(scenes, list) or not scenes:
        return False
    last = len(cast("list[str]", facts["scene_classes"])) - 1
    return (
        len(cast("list[str]", names)) == len(scenes)
        and all(type(number) is int and UNKNOWN_SCENE <= number <= last for number in scenes)
        and all(
            type(facts.get(k)) is int and cast("int", facts[k]) > 0 for k in ("height", "width")
        )
        and {"title", "pseudo"} <= facts.keys()
    )


def _sized(frames: DenseFrames, index: int, *, resize_px: int) -> Frame:
    frame = resize_frame(frames.frame(index), resize_px=resize_px)
    missing = [name for name in _ARRAYS if name not in frame]
    if missing:
        raise DenseError(f"{frames.name(index)}: no {', '.join(missing)}")
    return frame
