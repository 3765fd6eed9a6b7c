"""NYU Depth v2 for training: the official split without the white frame, normals derived from depth, scene labels from a file."""

from pathlib import Path

import numpy as np
from jaxtyping import Int64

from scenelift.datasets.dense_frames import (
    NYU40_CLASSES,
    UNKNOWN_SCENE,
    DenseLayout,
    DenseSplit,
    NoSplitError,
    pack_normals,
)
from scenelift.datasets.geometry import Frame
from scenelift.datasets.nyud import INSIDE, NyudFrames, open_nyud
from scenelift.datasets.scene_labels import read_scene_labels


class NyudDense:
    """Frames of 304 x 224 pixels, within the white frame."""

    def __init__(self, frames: NyudFrames, *, scenes: Int64[np.ndarray, " n"] | None) -> None:
        """Take what `open_nyud` found, and the scene of each frame if somebody says."""
        self._frames = frames
        self._scenes = scenes

    def __len__(self) -> int:
        return len(self._frames)

    def name(self, index: int) -> str:
        """Return a frame's id."""
        return self._frames.name(index)

    def frame(self, index: int) -> Frame:
        """Decode a frame and derive its normals, which takes a tenth of a second: a prepared folder spares it.

        Raises:
            NyudError: if a file cannot be used.
        """
        return {
            "image": self._frames.image(index)[INSIDE],
            "depth": self._frames.z_depth_m(index)[INSIDE],
            "normal": pack_normals(self._frames.normal(index)[INSIDE]),
            "semantic": self._frames.semantic(index)[INSIDE],
        }

    def scene(self, index: int) -> int:
        """Return the scene's number."""
        return UNKNOWN_SCENE if self._scenes is None else int(self._scenes[index])


def open_nyud_layout(path: Path, *, split: DenseSplit, scene_labels: Path | None) -> DenseLayout:
    """Find the frames of an official split.

    Raises:
        NoSplitError: if it is `val`.
        NyudError: if something is missing or damaged.
        DenseError: if the scene labels do not fit.
    """
    if split == "val":
        raise NoSplitError(f"{path}: NYU Depth v2 has the splits train and test, not val")
    frames = open_nyud(path, split=split)
    labels = None if scene_labels is None else read_scene_labels(scene_labels)
    names = [frames.name(index) for index in range(len(frames))]
    return DenseLayout(
        title="NYU Depth v2",
        frames=NyudDense(frames, scenes=None if labels is None else labels.numbers(names)),
        scenes=() if labels is None else labels.classes,
        semantic_classes=NYU40_CLASSES,
        pseudo=labels is not None,
    )
