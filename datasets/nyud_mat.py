"""The official release of NYU Depth v2, `nyu_depth_v2_labeled.mat` with `splits.mat`, as the frames that `nyud.py` reads.

MATLAB's arrays lie column by column, so HDF5 shows them turned round: images (1449, 3, 640, 480), depths and labels
(1449, 640, 480). Frames are brought to 320 x 240: photos by area, depth and labels at the even pixels. The release names 894
classes; which of the 40 each belongs to is Gupta's (CVPR 2013) and not in it: `classMapping40.mat` must lie beside.
"""

from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
from jaxtyping import Float32, Int64, Shaped, UInt8

from scenelift.datasets.mat_v5 import MatError, read_mat
from scenelift.datasets.nyu40 import NYU40_TO_13
from scenelift.datasets.nyud import (
    HEIGHT,
    INSIDE,
    WIDTH,
    NyudError,
    NyudSource,
    Split,
    open_nyud,
)
from scenelift.datasets.nyud_normals import Pinhole, normals_from_depth

RELEASE = "nyu_depth_v2_labeled.mat"
SPLITS = "splits.mat"
MAPPING = "classMapping40.mat"

_QUANTUM_M = 1e-3
"""Depth is in-painted floating point; Kinect's own steps are part of the noise that planes allow for."""
_PINHOLE = Pinhole(
    fx_px=518.857901 / 2, fy_px=519.469611 / 2, cx_px=325.582449 / 2, cy_px=253.736166 / 2
)
"""Of the colour camera, from the release's toolbox, halved."""
_MAX_FRAMES = 100_000
_MAX_SMALL_BYTES = 2**18
_MAX_CLASSES = 65_536
_MAX_DEPTH_M = 100.0


class NyudMatFrames:
    """The frames of a split of the release, by number; a `NyudSource`."""

    def __init__(
        self,
        path: Path,
        *,
        file: Any,
        numbers: Int64[np.ndarray, " n"],
        to_40: UInt8[np.ndarray, " classes"] | None,
    ) -> None:
        """Take what `open_nyud_mat` checked; `numbers` count from 0."""
        self._path, self._file = path, file
        self._numbers, self._to_40 = numbers, to_40
        self.pinhole = _PINHOLE
        self.nyu40_to_13: tuple[int, ...] = NYU40_TO_13

    def __len__(self) -> int:
        return len(self._numbers)

    def name(self, index: int) -> str:
        """Return a frame's number in the release, counted from 1."""
        return f"{self._numbers[index] + 1:04d}"

    def image(self, index: int) -> UInt8[np.ndarray, "240 320 3"]:
        """Read a photo, sRGB.

        Raises:
            NyudError: if the file is damaged.
        """
        full = np.ascontiguousarray(self._read("images", index).transpose(2, 1, 0))
        return np.asarray(cv2.resize(full, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA))

    def z_depth_m(self, index: int) -> Float32[np.ndarray, "240 320"]:
        """Read in-painted depth in metres; 0 where unknown and in the white frame.

        Raises:
            NyudError: if the file is damaged.
        """
        depth = self._read("depths", index).T[::2, ::2].astype(np.float32)
        known = np.zeros(depth.shape, bool)
        known[INSIDE] = True
        with np.errstate(invalid="ignore"):
            known &= np.isfinite(depth) & (depth > 0) & (depth < _MAX_DEPTH_M)
        return np.where(known, depth, np.float32(0))

    def semantic(self, index: int) -> UInt8[np.ndarray, "240 320"]:
        """Read NYU40 ids; 0 where unknown and in the white frame.

        Raises:
            NyudError: if the file is damaged, or nothing tells the 40 classes.
        """
        if self._to_40 is None:
            raise NyudError(
                f"{self._path}: holds classes of its own; put Gupta's {MAPPING} (mapClass) beside it for the 40"
            )
        labels = self._read("labels", index).T[::2, ::2].astype(np.int64)
        if labels.max() >= len(self._to_40):
            raise NyudError(
                f"{self._path}: frame {self.name(index)} holds class {labels.max()}, where {MAPPING} ends at "
                f"{len(self._to_40) - 1}"
            )
        inside = np.zeros((HEIGHT, WIDTH), np.uint8)
        inside[INSIDE] = self._to_40[labels][INSIDE]
        return inside

    def normal(self, index: int) -> Float32[np.ndarray, "240 320 3"]:
        """Derive unit normals from depth; camera frame, (0, 0, 0) where unknown."""
        return normals_from_depth(self.z_depth_m(index), pinhole=self.pinhole, quantum_m=_QUANTUM_M)

    def files(self) -> list[tuple[str, int]]:
        """Return the release's name and size."""
        return [(self._path.name, self._path.stat().st_size)]

    def _read(self, name: str, index: int) -> Shaped[np.ndarray, "..."]:
        try:
            return np.asarray(self._file[name][int(self._numbers[index])])
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            told = " ".join(str(error).split())[:120]
            raise NyudError(f"{self._path}: {name} of a frame cannot be read ({told})") from error


def open_nyud_data(path: Path, *, split: Split) -> NyudSource:
    """Open the release (its file, or a folder that holds it), or the layout of `open_nyud`.

    Raises:
        NyudError: if something is missing or damaged; says what.
    """
    release = path / RELEASE if path.is_dir() else path
    if release.suffix == ".mat" and (release.is_file() or not path.is_dir()):
        return open_nyud_mat(release, split=split)
    return open_nyud(path, split=split)


def open_nyud_mat(path: Path, *, split: Split) -> NyudMatFrames:
    """Open the release; `splits.mat`, and `classMapping40.mat` if there is one, lie beside it.

    Raises:
        NyudError: if a file is missing or damaged; says what.
    """
    if not path.is_file():
        raise NyudError(f"{path}: does not exist; name {RELEASE} of the official release")
    try:
        file = h5py.File(path, "r", locking=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise NyudError(
            f"{path}: no MATLAB file of version 7.3 (HDF5); download {RELEASE} again"
        ) from error
    try:
        count, num_classes = _check(file, path=path)
        numbers = _read_split(path.with_name(SPLITS), split=split, count=count)
        mapping = path.with_name(MAPPING)
        to_40 = _read_mapping(mapping, num_classes=num_classes) if mapping.is_file() else None
    except NyudError:
        file.close()
        raise
    except (OSError, RuntimeError, ValueError, KeyError, AttributeError) as error:
        file.close()
        told = " ".join(str(error).split())[:120]
        raise NyudError(f"{path}: damaged ({told}); download {RELEASE} again") from error
    return NyudMatFrames(path, file=file, numbers=numbers, to_40=to_40)


def _check(file: Any, *, path: Path) -> tuple[int, int]:
    """Check the arrays; return the numbers of frames and of classes."""
    count = file["depths"].shape[0]
    wanted: dict[str, tuple[tuple[int, ...], str]] = {
        "images": ((count, 3, 2 * WIDTH, 2 * HEIGHT), "u"),
        "depths": ((count, 2 * WIDTH, 2 * HEIGHT), "f"),
        "labels": ((count, 2 * WIDTH, 2 * HEIGHT), "u"),
    }
    if not 1 <= count <= _MAX_FRAMES:
        raise NyudError(f"{path}: holds {count} frames")
    for name, (shape, kind) in wanted.items():
        data = file[name]
        # A link or a piece elsewhere would be read from another file.
        if (
            file.get(name, getlink=True).__class__ is not h5py.HardLink
            or data.is_virtual
            or data.external
        ):
            raise NyudError(f"{path}: {name} lies in another file; copy the release whole")
        if data.shape != shape or data.dtype.kind != kind or data.dtype.itemsize > 8:
            raise NyudError(
                f"{path}: {name} is {data.dtype} {data.shape}, where {shape} is wanted; "
                "MATLAB's order, last axis first"
            )
    if file["images"].dtype != np.uint8:
        raise NyudError(f"{path}: images are {file['images'].dtype}, where uint8 is wanted")
    return count, int(np.prod(file["names"].shape)) if "names" in file else 0


def _read_split(path: Path, *, split: Split, count: int) -> Int64[np.ndarray, " n"]:
    name = {"train": "trainNdxs", "test": "testNdxs"}[split]
    numbers = read_small_mat(path, name=name).ravel()
    if not (
        numbers.dtype.kind in "uif"
        and 1 <= numbers.size <= count
        and (numbers == np.round(numbers)).all()
        and numbers.min() >= 1
        and numbers.max() <= count
        and len(np.unique(numbers)) == numbers.size
    ):
        raise NyudError(f"{path}: {name} must hold different numbers from 1 to {count}")
    return np.sort(numbers.astype(np.int64)) - 1


def _read_mapping(path: Path, *, num_classes: int) -> UInt8[np.ndarray, " classes"]:
    values = read_small_mat(path, name="mapClass").ravel()
    if not (
        values.dtype.kind in "uif"
        and 1 <= values.size <= _MAX_CLASSES
        and (values == np.round(values)).all()
        and values.min() >= 0
        and values.max() <= 40
        and num_classes in (0, values.size)
    ):
        raise NyudError(
            f"{path}: mapClass must hold an id from 0 to 40 for each of the release's {num_classes} classes, "
            f"got {values.size} values"
        )
    return np.concatenate([[0], values]).astype(np.uint8)


def read_small_mat(path: Path, *, name: str) -> Shaped[np.ndarray, "..."]:
    """Read one numeric array of a small MATLAB file (version 5).

    Raises:
        NyudError: if the file is missing, large or damaged, or holds no such array of numbers.
    """
    if not path.is_file():
        raise NyudError(f"{path}: does not exist; it is part of the release of NYU Depth v2")
    if path.stat().st_size > _MAX_SMALL_BYTES:
        raise NyudError(f"{path}: has {path.stat().st_size} bytes, more than {_MAX_SMALL_BYTES}")
    try:
        value = read_mat(path.read_bytes(), name=str(path), variable=name)
    except MatError as error:
        raise NyudError(f"{error}; wanted: numbers {name}") from error
    if not isinstance(value, np.ndarray) or value.size > _MAX_CLASSES:
        raise NyudError(f"{path}: {name} must be an array of at most {_MAX_CLASSES} numbers")
    return value
