"""Pictures with dense labels and a scene class for training: NYU Depth v2, Taskonomy, the MGM release's folders, rendered files.

The layout is told by what lies there. `semantic` is uint8 (0 unknown), `depth` float32 in metres (0 unknown), `normal` int16 times
32767 in the camera frame (x right, y up, z to the viewer; 0 unknown). A share of a split is the first part of a seeded permutation, so
that the quarter lies inside the half.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from scenelift.datasets.dense_folders import open_release
from scenelift.datasets.dense_frames import (
    UNKNOWN_SCENE,
    DenseError,
    DenseLayout,
    DenseSplit,
    NoSplitError,
    chosen_share,
)
from scenelift.datasets.dense_nyud import open_nyud_layout
from scenelift.datasets.dense_prepared import is_prepared, open_prepared
from scenelift.datasets.dense_rendered import open_rendered
from scenelift.datasets.dense_taskonomy import open_taskonomy
from scenelift.datasets.geometry import Frame
from scenelift.datasets.label_lists import LabelError, Tree, open_tree
from scenelift.datasets.photo_files import PhotoError

__all__ = ["UNKNOWN_SCENE", "DenseError", "DenseSource", "DenseSplit", "NoSplitError", "open_dense"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_WANTED = (
    "looked for meta.json beside image/, depth/ and label40/ (NYU Depth v2), rgb/ beside depth_zbuffer/, normal/ and "
    "segment_semantic/ (Taskonomy), rgb/ beside ss/, de/ and nm/ or sn/ (the MGM release), frames.json beside .npy (prepared), or a "
    "file of render-scenes"
)


class DenseSource:
    """Frames of a split by number: a `ClassifiedSource` whose class is the scene's."""

    def __init__(self, layout: DenseLayout, *, chosen: Int64[np.ndarray, " n"]) -> None:
        """Take what `open_dense` found.

        Args:
            layout: All frames of the split.
            chosen: Which of them.
        """
        self._layout = layout
        self._chosen = chosen

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def title(self) -> str:
        """What the data set calls itself."""
        return self._layout.title

    @property
    def scenes(self) -> tuple[str, ...]:
        """Names of the scene classes; empty: nobody says, and every label is `UNKNOWN_SCENE`."""
        return self._layout.scenes

    @property
    def semantic_classes(self) -> tuple[str, ...]:
        """Names of the ids 1, 2, ... of `semantic`; 0 is unknown."""
        return self._layout.semantic_classes

    @property
    def pseudo_scenes(self) -> bool:
        """Whether the scene labels are another network's answers."""
        return self._layout.pseudo

    @property
    def chosen(self) -> Int64[np.ndarray, " n"]:
        """Numbers of the frames within the whole split."""
        return self._chosen

    def name(self, index: int) -> str:
        """Return what the data set calls a frame."""
        return self._layout.frames.name(int(self._chosen[index]))

    def frame(self, index: int) -> Frame:
        """Read a frame.

        Raises:
            IndexError: if there are not so many.
            ValueError: if a file cannot be used; `DenseError`, `NyudError` and `StoreError` say which.
        """
        return self._layout.frames.frame(int(self._chosen[index]))

    def label(self, index: int) -> int:
        """Return a frame's scene class, `UNKNOWN_SCENE` where nobody says."""
        return self._layout.frames.scene(int(self._chosen[index]))


def open_dense(
    path: Path,
    *,
    split: DenseSplit,
    share: float = 1.0,
    seed: int = 0,
    scene_labels: Path | None = None,
    scenes: Sequence[str] = (),
    first_class: int = 1,
) -> DenseSource:
    """Find the frames of a split.

    Args:
        path: An archive, a folder, or a file that `render-scenes` wrote.
        split: Which frames. NYU Depth v2 has `train` (795) and `test` (654).
        share: How much of them.
        seed: Of the permutation whose first part is the share.
        scene_labels: The file that `scene_labels.write_scene_labels` left, for data without scene classes of its own.
        scenes: Names to count the scene classes by, for data that names its own (rendered files): other rooms are unknown.
        first_class: The id of the first class in the MGM release's folders: 1 (0 is unknown), or 0 (255 is unknown).

    Raises:
        DenseError: if nothing is found, a modality is missing, or labels do not fit; names the file looked for.
        NoSplitError: if the layout lacks the split.
        ValueError: if the layout is known but damaged; `NyudError` and `StoreError` say how.
    """
    layout = _recognise(
        path, split=split, scene_labels=scene_labels, scenes=scenes, first_class=first_class
    )
    return DenseSource(layout, chosen=chosen_share(len(layout.frames), share=share, seed=seed))


def _recognise(
    path: Path,
    *,
    split: DenseSplit,
    scene_labels: Path | None,
    scenes: Sequence[str],
    first_class: int,
) -> DenseLayout:
    if not path.exists():
        raise DenseError(f"{path}: does not exist; name a folder or archive of labelled frames")
    if path.is_dir() and is_prepared(path):
        return open_prepared(path, split=split)
    if path.is_file() and _starts_with(path, _HDF5):
        return open_rendered((path,), split=split, scenes=scenes)
    try:
        tree = open_tree(path)
    except (LabelError, PhotoError) as error:
        raise DenseError(str(error)) from error
    folders = _folders(tree)
    if "meta.json" in folders and "label40" in folders:
        return open_nyud_layout(path, split=split, scene_labels=scene_labels)
    if folders & {"depth_zbuffer", "segment_semantic"}:
        return open_taskonomy(tree, split=split, scene_labels=scene_labels)
    if "rgb" in folders and folders & {"ss", "de", "nm", "sn"}:
        return open_release(tree, split=split, scene_labels=scene_labels, first_class=first_class)
    raise DenseError(f"{path}: no labelled frames in a layout that is known; {_WANTED}")


def _folders(tree: Tree) -> set[str]:
    """Return the names of the first three parts of every path."""
    return {part for name in tree.sizes_bytes for part in name.split("/", 3)[:3]}


def _starts_with(path: Path, magic: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError as error:
        raise DenseError(f"{path}: cannot be read: {error.strerror or error}") from error
