"""Frames whose labels lie in a file each beside the picture, decoded with every size checked first."""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int64, Shaped

from scenelift.datasets.dense_frames import (
    UNKNOWN_SCENE,
    DenseError,
    fit_labels,
    pack_normals,
)
from scenelift.datasets.geometry import Frame
from scenelift.datasets.label_lists import Tree
from scenelift.datasets.photo_files import MAX_FILE_BYTES, PhotoError, PhotoFiles
from scenelift.datasets.photos import MAX_PIXELS, decode_photo

_PNG = b"\x89PNG\r\n\x1a\n"
_MAX_LIST_BYTES = 2**26
_COMPARED = 6
_LEAST_AGREEMENT = 0.1

Decoder = Callable[[bytes, str], Shaped[np.ndarray, "*shape"]]
"""From a file's bytes and its name to its values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelFiles:
    """One modality."""

    files: PhotoFiles
    decode: Decoder

    def read(self, index: int) -> Shaped[np.ndarray, "*shape"]:
        """Decode a file.

        Raises:
            DenseError: if it cannot be used.
        """
        try:
            return self.decode(self.files.read(index), self.files.name(index))
        except PhotoError as error:
            raise DenseError(str(error)) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class FileDense:
    """Frames in files; a `DenseFrames`."""

    names: Sequence[str]
    images: PhotoFiles
    semantic: LabelFiles
    """uint8, 0 unknown."""
    depth: LabelFiles
    """float32 metres, 0 unknown."""
    normal: LabelFiles
    """Components from -1 to 1 along the file's own axes."""
    mask: LabelFiles | None
    """Where depth and normals count: not 0."""
    signs: tuple[int, int, int] = (1, 1, 1)
    """What turns the file's axes to x right, y up, z to the viewer."""
    scenes: Int64[np.ndarray, " n"] | None = None
    scene_files: LabelFiles | None = None
    """A score for each class in a file each, where `scenes` is not known."""

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Return the frame's name below the root."""
        return self.names[index]

    def frame(self, index: int) -> Frame:
        """Decode a frame.

        Raises:
            DenseError: if a file cannot be used.
        """
        try:
            image = decode_photo(self.images.read(index), name=self.images.name(index))
        except PhotoError as error:
            raise DenseError(str(error)) from error
        height, width = image.shape[:2]

        def fitted(labels: LabelFiles) -> np.ndarray:
            return fit_labels(
                labels.read(index), height=height, width=width, name=labels.files.name(index)
            )

        semantic, depth = fitted(self.semantic), fitted(self.depth)
        normal = fitted(self.normal) * np.array(self.signs, np.float32)
        known = depth > 0 if self.mask is None else fitted(self.mask) != 0
        return {
            "image": image,
            "semantic": semantic,
            "depth": np.where(known, depth, np.float32(0)),
            "normal": pack_normals(np.where(known[..., None], normal, 0)),
        }

    def scene(self, index: int) -> int:
        """Return the scene's number.

        Raises:
            DenseError: if its file cannot be used.
        """
        if self.scenes is not None:
            return int(self.scenes[index])
        if self.scene_files is not None:
            return int(self.scene_files.read(index).argmax())
        return UNKNOWN_SCENE


def find_signs(frames: FileDense) -> tuple[int, int, int]:
    """Tell which way the axes of normal files point, since releases differ: as depth says.

    Where 1/z rises to the right, a surface looks to the left; where it rises downwards, up; and whatever is seen looks at the viewer.
    An axis that depth says nothing of is left as it is.

    Raises:
        DenseError: if a file cannot be used.
    """
    agreement, size = np.zeros(3), np.zeros(3)
    for index in range(min(len(frames), _COMPARED)):
        depth, normal = frames.depth.read(index), frames.normal.read(index)
        if depth.shape != normal.shape[:2]:
            continue
        inverse = np.where(depth > 0, 1 / np.where(depth > 0, depth, 1), np.nan)
        right, down = np.gradient(inverse, axis=1), np.gradient(inverse, axis=0)
        expected = np.stack([-right, down, np.ones_like(down)], axis=-1)
        # Steps at the edges of things would outweigh all surfaces.
        steep = np.nanquantile(np.abs(expected), 0.95, axis=(0, 1)) if depth.any() else np.zeros(3)
        expected = np.clip(np.nan_to_num(expected), -steep, steep)
        agreement += (expected * normal).sum(axis=(0, 1))
        size += np.sqrt((expected**2).sum(axis=(0, 1)) * (normal**2).sum(axis=(0, 1)))
    share = agreement / np.where(size > 0, size, 1)
    x, y, z = (-1 if value < -_LEAST_AGREEMENT else 1 for value in share.tolist())
    return x, y, z


def read_npy(data: bytes, name: str) -> Shaped[np.ndarray, "..."]:
    """Read a `.npy` of plain numbers whose header says no more than the file holds; nothing is unpickled.

    Raises:
        DenseError: if it is something else.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise DenseError(f"{name}: a .npy of version {version}, where 1.0 or 2.0 is wanted")
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
    except ValueError as error:
        if isinstance(error, DenseError):
            raise
        raise DenseError(f"{name}: is no .npy file") from error
    if dtype.hasobject or dtype.kind not in "biuf":
        raise DenseError(f"{name}: holds {dtype}, where plain numbers are wanted")
    rest = data[file.tell() :]
    if len(shape) > 4 or math.prod(shape) * dtype.itemsize != len(rest):
        raise DenseError(
            f"{name}: {len(rest)} bytes, where an array {shape} of {dtype} is announced"
        )
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran else "C")


def read_plane(data: bytes, name: str) -> Shaped[np.ndarray, "h w"]:
    """Read a `.npy` of one value a pixel; an axis of length 1 may come first or last.

    Raises:
        DenseError: if it is something else.
    """
    array = read_npy(data, name)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[-1]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    if array.ndim != 2 or not array.size:
        raise DenseError(f"{name}: an array {array.shape}, where height and width are wanted")
    return array


def read_png(data: bytes, name: str, *, bits: int, channels: int) -> Shaped[np.ndarray, "h w *c"]:
    """Decode a PNG of one kind without any conversion; colours come red first.

    Raises:
        DenseError: if it is something else, damaged or too large.
    """
    colour = {1: b"\x00", 3: b"\x02"}[channels]
    if len(data) > MAX_FILE_BYTES or data[:8] != _PNG or data[24:26] != bytes([bits]) + colour:
        kind = "grey" if channels == 1 else "colour"
        raise DenseError(f"{name}: is no PNG of {bits} bits of {kind}")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if not 0 < width * height <= MAX_PIXELS:
        raise DenseError(f"{name}: {width} x {height} pixels, where 1 to {MAX_PIXELS} are allowed")
    try:
        values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DenseError(f"{name}: cannot be decoded: {str(error).strip()}") from error
    if values is None:
        raise DenseError(f"{name}: damaged or cut off")
    return np.asarray(values if channels == 1 else values[..., ::-1])


def to_unit_range(normal: Float[np.ndarray, "h w 3"], *, name: str) -> Float[np.ndarray, "h w 3"]:
    """Bring components to -1 to 1, from 0 to 1 if no one is negative.

    Raises:
        DenseError: if a component lies beyond.
    """
    least, greatest = float(normal.min()), float(normal.max())
    if not (math.isfinite(least) and -1.01 <= least <= greatest <= 1.01):
        raise DenseError(
            f"{name}: normals from {least:.4g} to {greatest:.4g}, where 0 to 1 or -1 to 1 is wanted"
        )
    return normal if least < -0.01 else 2 * normal - 1


def semantic_ids(
    values: Shaped[np.ndarray, "h w"], *, classes: Sequence[str], first_class: int, name: str
) -> Shaped[np.ndarray, "h w"]:
    """Check class ids and bring them to 1, 2, ...; 0 unknown.

    Args:
        values: As the file holds them.
        classes: Names of the classes.
        first_class: The id of the first: 1 (0 is unknown) or 0 (255 and -1 are).
        name: Of the file.

    Raises:
        DenseError: if an id is none.
    """
    whole = values.astype(np.int64)
    if (whole != values).any():
        raise DenseError(f"{name}: holds fractions, where class ids are wanted")
    unknown = (whole == 0) if first_class == 1 else (whole == 255) | (whole == -1)
    last = first_class + len(classes) - 1
    strange = ~unknown & ((whole < first_class) | (whole > last))
    if strange.any():
        raise DenseError(
            f"{name}: holds the id {whole[strange][0]}, where {len(classes)} classes go from {first_class} to {last}"
        )
    return np.where(unknown, 0, whole - first_class + 1).astype(np.uint8)


def complete_frames(
    wanted: Mapping[str, Mapping[str, str]], *, present: Mapping[str, int], source: str
) -> list[str]:
    """Return the frames all of whose files are there.

    Args:
        wanted: Path by modality, by name of frame.
        present: Sizes in bytes by path.
        source: What messages call the root.

    Raises:
        DenseError: if there is none, naming the first file that is missing; or a file is too large.
    """
    complete = sorted(
        name for name, paths in wanted.items() if all(path in present for path in paths.values())
    )
    if not complete:
        first = wanted[min(wanted)]
        kind, path = next((k, p) for k, p in first.items() if p not in present)
        raise DenseError(f"{source}: no frame has all its labels; looked for {kind} in {path}")
    for name in complete:
        large = next((p for p in wanted[name].values() if present[p] > MAX_FILE_BYTES), None)
        if large is not None:
            raise DenseError(f"{source}: {large} has {present[large]} bytes, too many for a frame")
    return complete


def read_lines(tree: Tree, path: str) -> list[str]:
    """Return the lines of a list that say something.

    Raises:
        DenseError: if it cannot be read or is too large.
    """
    if tree.sizes_bytes[path] > _MAX_LIST_BYTES:
        raise DenseError(
            f"{tree.source}: {path} has {tree.sizes_bytes[path]} bytes, too many for a list"
        )
    try:
        text = tree.read(path).decode()
    except (OSError, ValueError) as error:
        raise DenseError(f"{tree.source}: {path} cannot be read as text") from error
    return [line.strip() for line in text.splitlines() if line.strip()]
