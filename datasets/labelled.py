"""Pictures with one label each, told by what lies there: ImageNet and any folders of classes, Tiny-ImageNet-200, Places365, MiniPlaces.

Known are `train/CLASS/...` and `val/CLASS/...` (ImageNet; `val/` may be flat beside Caffe's `val.txt` or Kaggle's
`LOC_val_solution.csv`), `train.txt` and `val.txt` with a path and a number a line (MiniPlaces, with `categories.txt`), Tiny-ImageNet's
`val/val_annotations.txt`, and Places365's lists beside its folders. A folder or a tar archive that stays packed; the layout lies at
its top or one folder down. Pictures come in the order of their names, whatever the order of a list.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8

from scenelift.datasets.geometry import Frame
from scenelift.datasets.label_lists import (
    LabelError,
    Listed,
    NoLabelsError,
    Tree,
    open_tree,
    read_layout,
)
from scenelift.datasets.photo_files import PhotoError, PhotoFiles
from scenelift.datasets.photos import decode_photo

__all__ = [
    "LabelError",
    "LabelledImages",
    "LabelledSplit",
    "NoLabelsError",
    "fingerprint",
    "open_labelled",
    "open_labelled_splits",
]

LabelledSplit = Literal["train", "val", "test"]


class LabelledImages:
    """The pictures of a split, by number."""

    def __init__(
        self,
        *,
        title: str,
        files: PhotoFiles,
        names: Sequence[str],
        sizes_bytes: Int64[np.ndarray, " n"],
        labels: Int64[np.ndarray, " n"],
        classes: Sequence[str],
    ) -> None:
        """Take what `open_labelled` found."""
        self._files = files
        self._names = tuple(names)
        self.title = title
        """What the data set calls itself: `Tiny-ImageNet-200`, or the name of its folder."""
        self.sizes_bytes = sizes_bytes
        """Of the encoded files."""
        self.labels = labels
        self.classes = tuple(classes)
        """The name of each label, the same for every split."""

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """Return a picture's path below the layout's top."""
        return self._names[index]

    def label(self, index: int) -> int:
        """Return a picture's class."""
        return int(self.labels[index])

    def frame(self, index: int) -> Frame:
        """Return a picture as a stream reads it; its class is `label`'s to tell.

        Raises:
            LabelError: if it cannot be read or decoded.
        """
        return {"image": self.image(index)}

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a picture, sRGB.

        Raises:
            LabelError: if it cannot be read or decoded.
        """
        try:
            return decode_photo(self._files.read(index), name=self._files.name(index))
        except PhotoError as error:
            raise LabelError(str(error)) from error


def open_labelled(path: Path, *, split: LabelledSplit) -> LabelledImages:
    """Find the pictures of a split and their labels.

    Args:
        path: A folder, or a tar archive that is not compressed.
        split: Which pictures.

    Raises:
        LabelError: if there are none, or a list does not fit the files; says what was looked for.
    """
    splits = open_labelled_splits(path)
    if split not in splits:
        raise LabelError(f"{path}: no labelled split {split}; there are {', '.join(splits)}")
    return splits[split]


def open_labelled_splits(path: Path) -> dict[LabelledSplit, LabelledImages]:
    """Find every split that has labels, listing the files once.

    Raises:
        NoLabelsError: if there is no layout with labels.
        LabelError: as `open_labelled` does.
    """
    try:
        tree = open_tree(path)
        layout = read_layout(tree)
        splits: dict[LabelledSplit, LabelledImages] = {}
        for split in ("train", "val", "test"):
            if layout.splits.get(split):
                splits[split] = _images(tree, layout.splits[split], layout=layout)
    except PhotoError as error:
        raise LabelError(str(error)) from error
    return splits


def fingerprint(splits: Iterable[LabelledImages]) -> str:
    """Return the SHA-256 over names and sizes in bytes of all pictures, in the order of names."""
    lines = sorted(
        f"{images.name(index)}\t{images.sizes_bytes[index]}\n"
        for images in splits
        for index in range(len(images))
    )
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _images(tree: Tree, listed: Mapping[str, int], *, layout: Listed) -> LabelledImages:
    names = sorted(listed)
    paths = [layout.top + name for name in names]
    return LabelledImages(
        title=layout.title,
        files=tree.photos(paths),
        names=names,
        sizes_bytes=np.array([tree.sizes_bytes[path] for path in paths], np.int64),
        labels=np.array([listed[name] for name in names], np.int64),
        classes=layout.classes,
    )
