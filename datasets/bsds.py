"""Photos with boundaries drawn by several people, in the layout of the Berkeley segmentation data set (BSDS500).

`images/SPLIT/ID.jpg` beside `groundTruth/SPLIT/ID.mat`, at the folder given or where the release has it (`BSDS500/data`,
`BSR/BSDS500/data`). A `.mat` holds a cell `groundTruth` with a struct for each person, whose `Boundaries` is 1 on a boundary, of the
photo's size (Arbelaez et al., PAMI 2011).
"""

import os
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from scenelift.datasets.mat_v5 import Cell, MatError, Struct, read_mat
from scenelift.datasets.photo_files import FolderPhotos, Names, PhotoError
from scenelift.datasets.photos import decode_photo

SPLITS = ("train", "val", "test")
MAX_PEOPLE = 64

_TOPS = ("", "data", "BSDS500/data", "BSR/BSDS500/data")
_WANTED = "looked for images/train, images/val, images/test and groundTruth beside images"


class BsdsError(ValueError):
    """A folder in this layout that cannot be found, read or decoded."""


class BsdsPictures:
    """The photos of a split with their boundaries, by number, in the order of their names."""

    def __init__(self, *, root: Path, split: str, names: list[str]) -> None:
        """Take what `open_bsds` found."""
        self.split = split
        self._names = tuple(names)
        resolved = root.resolve()
        self._photos = FolderPhotos(
            root=resolved, names=Names(f"images/{split}/{name}.jpg" for name in names)
        )
        self._truths = FolderPhotos(
            root=resolved, names=Names(f"groundTruth/{split}/{name}.mat" for name in names)
        )

    def __len__(self) -> int:
        return len(self._names)

    def name(self, index: int) -> str:
        """Return a photo's name without its ending."""
        return self._names[index]

    def paths(self, index: int) -> tuple[Path, Path]:
        """Return where a photo and its boundaries lie."""
        return Path(self._photos.name(index)), Path(self._truths.name(index))

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a photo, sRGB.

        Raises:
            BsdsError: if it cannot be read.
        """
        try:
            return decode_photo(self._photos.read(index), name=self._photos.name(index))
        except PhotoError as error:
            raise BsdsError(str(error)) from error

    def boundaries(self, index: int, *, width: int, height: int) -> Bool[np.ndarray, "k h w"]:
        """Read what each person drew.

        Args:
            index: Which photo.
            width: Of the photo, in pixels.
            height: Of the photo, in pixels.

        Raises:
            BsdsError: if it cannot be read, or the sizes differ.
        """
        name = self._truths.name(index)
        try:
            value = read_mat(self._truths.read(index), name=name, variable="groundTruth")
        except (PhotoError, MatError) as error:
            raise BsdsError(str(error)) from error
        people = value.items if isinstance(value, Cell) else (value,)
        drawn = [each for person in people for each in _drawn(person, name=name)]
        if not 1 <= len(drawn) <= MAX_PEOPLE:
            raise BsdsError(f"{name}: {len(drawn)} people drew, where 1 to {MAX_PEOPLE} can be")
        for one in drawn:
            if one.shape != (height, width):
                raise BsdsError(
                    f"{name}: Boundaries are {' x '.join(map(str, one.shape[::-1]))} pixels, the photo {width} x {height}"
                )
        return np.stack(drawn)


def open_bsds(path: Path, *, split: str) -> BsdsPictures:
    """Find the photos of a split.

    Raises:
        BsdsError: if there is no such folder, no photo, or a photo without boundaries.
    """
    root = _root(path)
    folder = root / "images" / split
    names = _stems(folder, suffix=".jpg")
    if not names:
        raise BsdsError(f"{folder}: no photo (*.jpg) in it")
    drawn = set(_stems(root / "groundTruth" / split, suffix=".mat"))
    missing = [name for name in names if name not in drawn]
    if missing:
        raise BsdsError(
            f"{folder}: {missing[0]}.jpg has no groundTruth/{split}/{missing[0]}.mat; "
            f"{len(missing)} of {len(names)} photos have none"
        )
    return BsdsPictures(root=root, split=split, names=names)


def bsds_splits(path: Path) -> tuple[str, ...]:
    """Return the splits that a folder has.

    Raises:
        BsdsError: if it is not in this layout.
    """
    root = _root(path)
    return tuple(split for split in SPLITS if (root / "images" / split).is_dir())


def _root(path: Path) -> Path:
    for top in _TOPS:
        if (path / top / "images").is_dir() and (path / top / "groundTruth").is_dir():
            return path / top
    raise BsdsError(f"{path}: not in the layout of BSDS500; {_WANTED}")


def _stems(folder: Path, *, suffix: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError as error:
        raise BsdsError(f"{folder}: cannot be listed: {error.strerror or error}") from error
    return sorted(
        name.removesuffix(suffix)
        for name in names
        if name.endswith(suffix) and not name.startswith(".")
    )


def _drawn(person: object, *, name: str) -> list[Bool[np.ndarray, "h w"]]:
    """Return the boundaries of a person: those of a struct, or of each struct of an array."""
    if not isinstance(person, Struct) or "Boundaries" not in person.fields:
        raise BsdsError(f"{name}: groundTruth holds what is no struct with Boundaries")
    drawn = []
    for value in person.fields["Boundaries"]:
        if not isinstance(value, np.ndarray) or value.ndim != 2:
            raise BsdsError(f"{name}: Boundaries is no array of numbers of two dimensions")
        drawn.append(value > 0)
    return drawn
