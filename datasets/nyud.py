"""NYU Depth v2 at 320 x 240: the 1,449 labelled frames with the official split, as a tar archive that stays packed or a folder.

`image/ID.jpg`; `depth/ID.png`, 8 bits, in-painted, metres = (v + 0.5) / 25.5; `label40/ID.png`, NYU40 ids; `train.txt` and
`test.txt` with an id a line; `meta.json` with the intrinsics of the 640 x 480 original, of which depth and labels keep the even
pixels (Silberman et al., ECCV 2012). Normals are derived from depth, so figures compare with each other and no published ones.
"""

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, UInt8

from scenelift.datasets.nyu40 import NYU40_TO_13
from scenelift.datasets.nyud_normals import Pinhole, normals_from_depth
from scenelift.datasets.photo_files import (
    FolderPhotos,
    Names,
    PhotoError,
    PhotoFiles,
    TarPhotos,
    list_tar,
)
from scenelift.datasets.photos import decode_photo
from scenelift.datasets.tar_index import TarMember

WIDTH, HEIGHT = 320, 240
BORDER_PX = 8
"""A white frame of up to 8 pixels surrounds the photos: nothing is known there."""
STEPS_PER_M = 25.5
QUANTUM_M = 1 / STEPS_PER_M

_MAX_TEXT_BYTES = 2**20
_MAX_FRAMES = 100_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Split = Literal["train", "test"]


class NyudError(ValueError):
    """NYU Depth v2 that cannot be found, read or decoded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NyudFrame:
    """One frame."""

    name: str
    """Its id."""
    image: UInt8[np.ndarray, "240 320 3"]
    """sRGB, with the white frame."""
    z_depth_m: Float32[np.ndarray, "240 320"]
    """0 where unknown: in the white frame, and beyond the greatest depth that the files can hold."""
    semantic: UInt8[np.ndarray, "240 320"]
    """NYU40 id, 0 unknown."""


INSIDE = (slice(BORDER_PX, HEIGHT - BORDER_PX), slice(BORDER_PX, WIDTH - BORDER_PX))
"""Rows and columns within the white frame."""


@runtime_checkable
class NyudSource(Protocol):
    """The frames of a split by number, wherever they come from; arrays as `NyudFrames` gives them."""

    @property
    def pinhole(self) -> Pinhole:
        """Intrinsics at 320 x 240."""
        ...

    @property
    def nyu40_to_13(self) -> tuple[int, ...]:
        """The 13-class id of each NYU40 id."""
        ...

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return a frame's id."""
        ...

    def image(self, index: int) -> UInt8[np.ndarray, "240 320 3"]:
        """Return a photo, sRGB."""
        ...

    def z_depth_m(self, index: int) -> Float32[np.ndarray, "240 320"]:
        """Return depth in metres, 0 unknown."""
        ...

    def semantic(self, index: int) -> UInt8[np.ndarray, "240 320"]:
        """Return NYU40 ids, 0 unknown."""
        ...

    def normal(self, index: int) -> Float32[np.ndarray, "240 320 3"]:
        """Return unit normals, camera frame, (0, 0, 0) unknown."""
        ...

    def files(self) -> list[tuple[str, int]]:
        """Return names and sizes in bytes of the files in use."""
        ...


class NyudFrames:
    """The frames of a split, by number."""

    def __init__(
        self,
        *,
        ids: Sequence[str],
        pinhole: Pinhole,
        nyu40_to_13: tuple[int, ...],
        images: PhotoFiles,
        depths: PhotoFiles,
        labels: PhotoFiles,
    ) -> None:
        """Take what `open_nyud` found."""
        self._ids = tuple(ids)
        self._images, self._depths, self._labels = images, depths, labels
        self.pinhole = pinhole
        self.nyu40_to_13 = nyu40_to_13

    def __len__(self) -> int:
        return len(self._ids)

    def name(self, index: int) -> str:
        """Return a frame's id."""
        return self._ids[index]

    def image(self, index: int) -> UInt8[np.ndarray, "240 320 3"]:
        """Decode a photo, sRGB, with its white frame.

        Raises:
            NyudError: if it cannot be read or has another size.
        """
        return _sized(_decode(self._images, index), name=self._images.name(index))

    def z_depth_m(self, index: int) -> Float32[np.ndarray, "240 320"]:
        """Decode depth in metres; 0 where unknown: in the white frame and at both ends of the 8 bits.

        Raises:
            NyudError: if it cannot be read or is not an 8-bit grey PNG of the right size.
        """
        values = _decode_grey(self._depths, index)
        known = np.zeros((HEIGHT, WIDTH), bool)
        known[INSIDE] = True
        known &= (values > 0) & (values < 255)
        return np.where(known, (values + np.float32(0.5)) / np.float32(STEPS_PER_M), 0).astype(
            np.float32
        )

    def semantic(self, index: int) -> UInt8[np.ndarray, "240 320"]:
        """Decode NYU40 ids; 0 where unknown and in the white frame.

        Raises:
            NyudError: if they cannot be read, are not an 8-bit grey PNG of the right size, or exceed 40.
        """
        values = _decode_grey(self._labels, index)
        if values.max() > 40:
            raise NyudError(
                f"{self._labels.name(index)}: holds the id {values.max()}, where NYU40 ends at 40"
            )
        inside = np.zeros_like(values)
        inside[INSIDE] = values[INSIDE]
        return inside

    def files(self) -> list[tuple[str, int]]:
        """Return ids and sizes in bytes of the photos, depths and labels.

        Raises:
            NyudError: if one cannot be read.
        """
        kinds = {"image": self._images, "depth": self._depths, "label40": self._labels}
        try:
            return [
                (f"{kind}/{self.name(index)}", len(files.read(index)))
                for kind, files in kinds.items()
                for index in range(len(self))
            ]
        except PhotoError as error:
            raise NyudError(str(error)) from error

    def normal(self, index: int) -> Float32[np.ndarray, "240 320 3"]:
        """Derive unit normals from depth; camera frame (x right, y up, z to the viewer), (0, 0, 0) where unknown."""
        return normals_from_depth(self.z_depth_m(index), pinhole=self.pinhole, quantum_m=QUANTUM_M)

    def __getitem__(self, index: int) -> NyudFrame:
        """Decode a frame.

        Raises:
            IndexError: if there are not so many.
            NyudError: if a file cannot be used.
        """
        if not 0 <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        return NyudFrame(
            name=self.name(index),
            image=self.image(index),
            z_depth_m=self.z_depth_m(index),
            semantic=self.semantic(index),
        )


def open_nyud(path: Path, *, split: Split) -> NyudFrames:
    """Find the frames of a split.

    Args:
        path: The archive, not compressed, or a folder; what is looked for lies at its top or one folder down.
        split: The official one.

    Raises:
        NyudError: if something is missing or damaged; says what.
    """
    try:
        files = _Folder(path) if path.is_dir() else _Archive(path)
        ids = _read_ids(files, f"{split}.txt")
        meta = _read_meta(files)
        return NyudFrames(
            ids=ids,
            pinhole=_read_pinhole(meta, source=files.source),
            nyu40_to_13=_read_classes(meta, source=files.source),
            images=files.many([f"image/{name}.jpg" for name in ids]),
            depths=files.many([f"depth/{name}.png" for name in ids]),
            labels=files.many([f"label40/{name}.png" for name in ids]),
        )
    except PhotoError as error:
        raise NyudError(str(error)) from error
    except OSError as error:
        raise NyudError(f"{path}: cannot be read: {error.strerror or error}") from error


class _Folder:
    """The layout as files."""

    def __init__(self, path: Path) -> None:
        tops = [path, *sorted(entry for entry in path.iterdir() if entry.is_dir())]
        top = next((folder for folder in tops if (folder / "meta.json").is_file()), None)
        if top is None:
            raise NyudError(f"{path}: no meta.json here or one folder down; {_WANTED}")
        self.source = str(top)
        self._root = top.resolve()

    def many(self, names: Sequence[str]) -> PhotoFiles:
        missing = next((name for name in names if not os.path.lexists(self._root / name)), None)
        if missing is not None:
            raise NyudError(f"{self.source}: {missing} is missing; {_WANTED}")
        return FolderPhotos(root=self._root, names=Names(names))


class _Archive:
    """The layout in a tar archive."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise NyudError(f"{path}: does not exist; name the archive or folder of NYU Depth v2")
        self.source = str(path)
        self._path = path
        self._members: Mapping[str, TarMember] = {m.name: m for m in list_tar(path)}
        tops = [name for name in self._members if name.rpartition("/")[2] == "meta.json"]
        shallow = sorted((n for n in tops if n.count("/") <= 1), key=lambda n: (n.count("/"), n))
        if not shallow:
            raise NyudError(f"{path}: no meta.json at its top or one folder down; {_WANTED}")
        self._top = shallow[0].removesuffix("meta.json")

    def many(self, names: Sequence[str]) -> PhotoFiles:
        missing = next((name for name in names if self._top + name not in self._members), None)
        if missing is not None:
            raise NyudError(f"{self.source}: {self._top}{missing} is missing; {_WANTED}")
        members = [self._members[self._top + name] for name in names]
        return TarPhotos(
            self._path,
            names=Names(member.name for member in members),
            offsets=np.array([member.offset for member in members], np.int64),
            sizes=np.array([member.size for member in members], np.int64),
        )


_WANTED = "looked for train.txt, test.txt, meta.json, image/ID.jpg, depth/ID.png and label40/ID.png"


def _read_text(files: _Folder | _Archive, name: str) -> str:
    data = files.many([name]).read(0)
    if len(data) > _MAX_TEXT_BYTES:
        raise NyudError(f"{files.source}: {name} has {len(data)} bytes, too many")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise NyudError(f"{files.source}: {name} is no text") from error


def _read_ids(files: _Folder | _Archive, name: str) -> list[str]:
    ids = _read_text(files, name).split()
    bad = next((text for text in ids if not _ID.fullmatch(text)), None)
    if bad is not None:
        raise NyudError(f"{files.source}: {name} holds {bad[:80]!r}, which is no frame's id")
    if not 1 <= len(ids) <= _MAX_FRAMES:
        raise NyudError(f"{files.source}: {name} names {len(ids)} frames")
    return ids


def _read_meta(files: _Folder | _Archive) -> dict[str, object]:
    text = _read_text(files, "meta.json")
    try:
        meta = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NyudError(f"{files.source}: meta.json is no JSON") from error
    return meta if isinstance(meta, dict) else {}


def _read_classes(meta: Mapping[str, object], *, source: str) -> tuple[int, ...]:
    """Read the 13-class id of each NYU40 id; the usual ones where the file says nothing."""
    values = meta.get("nyu40_to_13", NYU40_TO_13)
    if not (
        isinstance(values, list | tuple)
        and len(values) == len(NYU40_TO_13)
        and all(type(value) is int and 0 <= value <= 13 for value in values)
        and values[0] == 0
    ):
        raise NyudError(
            f"{source}: meta.json's nyu40_to_13 is no list of 41 ids from 0 to 13, the first 0"
        )
    return tuple(values)


def _read_pinhole(meta: Mapping[str, object], *, source: str) -> Pinhole:
    """Read the intrinsics of the original and halve them.

    They count pixel centres from 1. Even pixel 2 j counts as 2 j + 1 there, so it lies at (2 j + 1) / 2 = j + 0.5 once all is
    halved: at the centre of pixel j, as it should.
    """
    values = meta.get("intrinsics_640x480")
    if not (
        isinstance(values, list)
        and len(values) == 4
        and all(isinstance(v, int | float) and math.isfinite(v) and 0 < v < 1e6 for v in values)
    ):
        raise NyudError(
            f"{source}: meta.json holds no intrinsics_640x480 of four positive numbers (fx, fy, cx, cy)"
        )
    fx, fy, cx, cy = (value / 2 for value in values)
    return Pinhole(fx_px=fx, fy_px=fy, cx_px=cx, cy_px=cy)


def _decode(files: PhotoFiles, index: int) -> UInt8[np.ndarray, "h w 3"]:
    try:
        return decode_photo(files.read(index), name=files.name(index))
    except PhotoError as error:
        raise NyudError(str(error)) from error


def _decode_grey(files: PhotoFiles, index: int) -> UInt8[np.ndarray, "240 320"]:
    name = files.name(index)
    try:
        data = files.read(index)
        # Depth and colour type of a PNG's header: other kinds would be converted without a word.
        if data[24:26] != b"\x08\x00":
            raise NyudError(f"{name}: is no PNG of 8 bits of grey")
        return _sized(decode_photo(data, name=name), name=name)[..., 0]
    except PhotoError as error:
        raise NyudError(str(error)) from error


def _sized(picture: UInt8[np.ndarray, "h w 3"], *, name: str) -> UInt8[np.ndarray, "240 320 3"]:
    height, width = picture.shape[:2]
    if (height, width) != (HEIGHT, WIDTH):
        raise NyudError(f"{name}: {width} x {height} pixels, where {WIDTH} x {HEIGHT} are wanted")
    return picture
