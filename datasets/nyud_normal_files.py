"""True normals of NYU Depth v2 from files, instead of those derived from depth.

Two families exist and never compare: GT1 (Silberman's and Eigen's, as Zhang et al., CVPR 2017, use them) and GT2 (Ladicky et
al., ECCV 2014). A folder holds one file a frame, whose last number is the frame's in the release: pictures (components from
0 to the greatest value stand for -1 to 1) or MATLAB files of version 5 (`nx`, `ny`, `nz` and perhaps `depthValid`, or one array
h w 3). Their axes differ from release to release, so they are found: of the 48 ways to name and turn three axes, the one that
agrees best with normals from depth.
"""

import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from jaxtyping import Float, Float32, UInt8

from scenelift.datasets.nyud import HEIGHT, INSIDE, WIDTH, NyudError, NyudSource
from scenelift.datasets.nyud_normals import Pinhole
from scenelift.datasets.photo_files import FolderPhotos, Names, PhotoError

_SUFFIXES = (".png", ".mat")
_MAX_FILES = 100_000
_MAX_BYTES = 2**25
_NUMBER = re.compile(r"(\d{1,9})\D*$")
_COMPARED = 6
_LEAST_COSINE = 0.7
_LEAST_LENGTH = 0.5
"""Shorter vectors are no normals: what is unknown is black or grey in pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NyudWithNormals:
    """Frames whose normals come from files; all else as it is. A `NyudSource`."""

    frames: NyudSource
    photos: FolderPhotos
    """The files, in the frames' order."""
    axes: tuple[int, int, int]
    """Which component of a file is x, y and z of the camera frame, from 1; negative: turned round."""

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def pinhole(self) -> Pinhole:
        """Intrinsics."""
        return self.frames.pinhole

    @property
    def nyu40_to_13(self) -> tuple[int, ...]:
        """The 13-class id of each NYU40 id."""
        return self.frames.nyu40_to_13

    def name(self, index: int) -> str:
        """Return a frame's id."""
        return self.frames.name(index)

    def image(self, index: int) -> UInt8[np.ndarray, "240 320 3"]:
        """Return a photo."""
        return self.frames.image(index)

    def z_depth_m(self, index: int) -> Float32[np.ndarray, "240 320"]:
        """Return depth."""
        return self.frames.z_depth_m(index)

    def semantic(self, index: int) -> UInt8[np.ndarray, "240 320"]:
        """Return NYU40 ids."""
        return self.frames.semantic(index)

    def normal(self, index: int) -> Float32[np.ndarray, "240 320 3"]:
        """Read unit normals, camera frame (x right, y up, z to the viewer), (0, 0, 0) where unknown.

        Raises:
            NyudError: if the file cannot be used.
        """
        return _turned(read_normals(self.photos, index), axes=self.axes)

    def files(self) -> list[tuple[str, int]]:
        """Return the frames' files, and those of the normals."""
        read = [len(_bytes(self.photos, index)) for index in range(len(self))]
        return self.frames.files() + [(f"normal/{self.name(i)}", n) for i, n in enumerate(read)]


def with_normals(frames: NyudSource, folder: Path) -> NyudWithNormals:
    """Take normals from a folder.

    Raises:
        NyudError: if a frame has no file or several, or no naming of axes fits the depth.
    """
    if not folder.is_dir():
        raise NyudError(f"{folder}: is no folder of normals")
    by_number: dict[int, str] = {}
    for count, entry in enumerate(sorted(folder.iterdir())):
        if count >= _MAX_FILES:
            raise NyudError(f"{folder}: holds more than {_MAX_FILES} files")
        found = _NUMBER.search(entry.stem)
        if entry.suffix.lower() not in _SUFFIXES or found is None:
            continue
        number = int(found[1])
        if number in by_number:
            raise NyudError(
                f"{folder}: both {by_number[number]} and {entry.name} are frame {number}"
            )
        by_number[number] = entry.name
    names = []
    for index in range(len(frames)):
        digits = _NUMBER.search(frames.name(index))
        name = by_number.get(int(digits[1])) if digits is not None else None
        if name is None:
            raise NyudError(
                f"{folder}: no normals of frame {frames.name(index)}; looked for a .png or .mat with that number"
            )
        names.append(name)
    photos = FolderPhotos(root=folder.resolve(), names=Names(names))
    return NyudWithNormals(
        frames=frames, photos=photos, axes=_find_axes(frames, photos, source=str(folder))
    )


def read_normals(photos: FolderPhotos, index: int) -> Float32[np.ndarray, "240 320 3"]:
    """Read a file's unit vectors with its own axes; (0, 0, 0) where unknown and in the white frame.

    Raises:
        NyudError: if it cannot be read, or is neither 640 x 480 nor 320 x 240.
    """
    name = photos.name(index)
    data = _bytes(photos, index)
    vectors = (
        _from_mat(data, name=name) if name.lower().endswith(".mat") else _from_png(data, name=name)
    )
    height, width = vectors.shape[:2]
    if (height, width) not in ((HEIGHT, WIDTH), (2 * HEIGHT, 2 * WIDTH)):
        raise NyudError(
            f"{name}: {width} x {height} pixels, where {WIDTH} x {HEIGHT} or twice that are wanted"
        )
    vectors = vectors[:: height // HEIGHT, :: width // WIDTH].astype(np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length > _LEAST_LENGTH)
    unit = np.where(known, vectors, 0) / np.where(known, length, 1)
    inside = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    inside[INSIDE] = unit[INSIDE]
    return inside


def _bytes(photos: FolderPhotos, index: int) -> bytes:
    try:
        data = photos.read(index)
    except PhotoError as error:
        raise NyudError(str(error)) from error
    if len(data) > _MAX_BYTES:
        raise NyudError(f"{photos.name(index)}: has {len(data)} bytes, more than {_MAX_BYTES}")
    return data


def _from_png(data: bytes, *, name: str) -> Float[np.ndarray, "h w 3"]:
    # Width and height of a PNG's header: nothing larger is unpacked.
    size = (int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big"))
    if data[:8] != b"\x89PNG\r\n\x1a\n" or size not in ((WIDTH, HEIGHT), (2 * WIDTH, 2 * HEIGHT)):
        raise NyudError(f"{name}: is no PNG of {WIDTH} x {HEIGHT} or {2 * WIDTH} x {2 * HEIGHT}")
    blue_first = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if blue_first is None or blue_first.ndim != 3 or blue_first.shape[2] != 3:
        raise NyudError(f"{name}: is damaged, or has no three components")
    components = blue_first[..., ::-1].astype(np.float64)
    most = 65535 if blue_first.dtype == np.uint16 else 255
    return np.where((components > 0).any(axis=-1, keepdims=True), 2 * components / most - 1, 0)


def _from_mat(data: bytes, *, name: str) -> Float[np.ndarray, "h w 3"]:
    try:
        shapes = {found: shape for found, shape, _ in scipy.io.whosmat(io.BytesIO(data))}
        wanted = [n for n in ("nx", "ny", "nz", "depthValid") if n in shapes]
        whole = [n for n, shape in shapes.items() if len(shape) == 3 and shape[2] == 3]
        chosen = wanted if {"nx", "ny", "nz"} <= set(wanted) else whole[:1]
        if not chosen or any(np.prod(shapes[n], dtype=float) > 12 * WIDTH * HEIGHT for n in chosen):
            arrays = {}
        else:
            arrays = scipy.io.loadmat(io.BytesIO(data), variable_names=chosen)
        parts = [np.asarray(arrays[n], np.float64) for n in chosen if n in arrays]
    except Exception as error:
        told = " ".join(str(error).split())[:120]
        raise NyudError(f"{name}: no MATLAB file of version 5 ({told})") from error
    shape = parts[0].shape if parts else ()
    if not parts or len(shape) < 2 or any(part.shape != shape for part in parts):
        raise NyudError(
            f"{name}: holds neither nx, ny and nz nor an array h w 3 of at most 640 x 480"
        )
    vectors = np.stack(parts[:3], axis=-1) if len(parts) >= 3 else parts[0]
    return np.where(parts[3][..., None] > 0, vectors, 0) if len(parts) == 4 else vectors


def _turned(
    vectors: Float32[np.ndarray, "h w 3"], *, axes: Sequence[int]
) -> Float32[np.ndarray, "h w 3"]:
    order = [abs(axis) - 1 for axis in axes]
    return (vectors[..., order] * np.sign(axes)).astype(np.float32)


def _find_axes(frames: NyudSource, photos: FolderPhotos, *, source: str) -> tuple[int, int, int]:
    """Name the axes that agree best with normals derived from depth in some frames."""
    together, count = np.zeros((3, 3)), 0
    for index in range(0, len(frames), max(1, len(frames) // _COMPARED)):
        said, true = read_normals(photos, index), frames.normal(index)
        both = (said != 0).any(axis=-1) & (true != 0).any(axis=-1)
        together += said[both].astype(np.float64).T @ true[both]
        count += int(both.sum())
    best = max(
        itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)),
        key=lambda way: sum(
            s * together[a, to] for to, (a, s) in enumerate(zip(*way, strict=True))
        ),
    )
    order, signs = best
    cosine = sum(s * together[a, to] for to, (a, s) in enumerate(zip(order, signs, strict=True)))
    if not count or cosine / count < _LEAST_COSINE:
        raise NyudError(
            f"{source}: do not fit the depth: at best a mean cosine of {cosine / max(count, 1):.2f} to normals "
            "derived from it; are these the frames' normals?"
        )
    x, y, z = (s * (a + 1) for a, s in zip(order, signs, strict=True))
    return x, y, z
