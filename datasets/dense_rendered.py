"""Files of `render-scenes` for training: perfect labels, and the kind of the room that the camera stands in as scene class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from scenelift.datasets.dense_frames import (
    NYU40_CLASSES,
    UNKNOWN_SCENE,
    DenseLayout,
    DenseSplit,
    NoSplitError,
    named_scene,
)
from scenelift.datasets.geometry import Frame
from scenelift.datasets.store import SPLITS, Reader
from scenelift.datasets.synthetic import SyntheticDataset


class RenderedDense:
    """Rendered frames and their rooms."""

    def __init__(self, frames: SyntheticDataset, *, scenes: Int64[np.ndarray, " n"]) -> None:
        """Take an open data set and the scene of each of its frames."""
        self._frames = frames
        self._scenes = scenes

    def __len__(self) -> int:
        return len(self._frames)

    def name(self, index: int) -> str:
        """Return the position of a view in its files."""
        return f"view {self._frames.indices[index]}"

    def frame(self, index: int) -> Frame:
        """Read a view.

        Raises:
            StoreError: if it is damaged.
        """
        return self._frames.frame(index)

    def scene(self, index: int) -> int:
        """Return the room's number."""
        return int(self._scenes[index])


def open_rendered(
    paths: Sequence[Path], *, split: DenseSplit, scenes: Sequence[str] = ()
) -> DenseLayout:
    """Find the views of a split.

    Args:
        paths: Files of one image size.
        split: Which views.
        scenes: Names to count rooms by; a room that is none of them is unknown. None given: the rooms' own, in order.

    Raises:
        NoSplitError: if no view is in the split.
        StoreError: if a file is not sound.
    """
    reader = Reader(tuple(paths))
    try:
        if not (reader.views("split") == SPLITS.index(split)).any():
            raise NoSplitError(f"{paths[0]}: no view is in the split {split}")
        kinds = _rooms(reader)
    finally:
        reader.close()
    frames = SyntheticDataset(
        tuple(paths), channels=("image", "depth", "normal", "semantic"), split=split
    )
    names = tuple(scenes) or tuple(sorted({kind for kind in kinds if kind}))
    number = {kind: named_scene(kind, names) if kind else UNKNOWN_SCENE for kind in set(kinds)}
    numbers = np.array([number[kinds[index]] for index in frames.indices], np.int64)
    return DenseLayout(
        title="rendered frames",
        frames=RenderedDense(frames, scenes=numbers),
        scenes=names,
        semantic_classes=NYU40_CLASSES,
    )


def _rooms(reader: Reader) -> list[str]:
    """Return the kind of each view's room in all files; empty where it is unknown."""
    rooms = [reader.scene(index).rooms for index in range(reader.num_scenes)]
    scene = reader.views("scene")
    room = reader.views("room") if "room" in reader.columns else np.zeros(len(scene), np.int64)
    return [
        rooms[s][r] if 0 <= r < len(rooms[s]) else ""
        for s, r in zip(scene.tolist(), room.tolist(), strict=True)
    ]
