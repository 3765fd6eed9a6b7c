"""Proposals in files: `.npz` of this project, and the `.mat` in which Girshick published selective search boxes.

`.npz`: `names` (unicode), `counts` (int64, boxes a picture), `boxes` (float32, all pictures' below each other, xmin, ymin,
xmax, ymax in pixels counted from 1, both ends included) and, where the file is a cache, `key` (what the boxes depend on).
`.mat` (version 5 to 7): cells `images` (names) and `boxes` (ymin, xmin, ymax, xmax, counted from 1). Pickles are not read: they
run code. Convert a published `.pkl` once, where you trust it.
"""

import io
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import scipy.io
from jaxtyping import Float32, Float64, Shaped

from scenelift.benchmarks.task import BenchError

Proposals = Mapping[str, Float32[np.ndarray, "n 4"]]
"""Corners by picture's name, the most promising first."""

_MAX_BYTES = 2**32
"""Of a file once unpacked."""
_MAX_BOXES = 100_000
_CHUNK_BYTES = 2**20
_COMPRESSED = 15
_ORDER = ("names.npy", "counts.npy", "boxes.npy")
_MAX_MEMBER_BYTES = 2**31
_WANTED = "wanted: .npz with names, counts and boxes, or Girshick's .mat with images and boxes"


def write_proposals(path: Path, proposals: Proposals, *, key: str = "") -> None:
    """Write an `.npz`; it appears whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    boxes = [np.zeros((0, 4), np.float32), *proposals.values()]
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("wb") as file:
        np.savez(
            file,
            names=np.array(list(proposals), np.str_),
            counts=np.array([len(each) for each in proposals.values()], np.int64),
            boxes=np.concatenate(boxes) + np.array([1, 1, 0, 0], np.float32),
            key=np.array(key, np.str_),
        )
    part.replace(path)


def read_proposals(path: Path) -> tuple[dict[str, Float32[np.ndarray, "n 4"]], str]:
    """Read proposals of any number of pictures.

    Returns:
        Corners by name, and the file's key; empty where it has none.

    Raises:
        BenchError: if the file is none of the two kinds, damaged or too large; one line.
        OSError: if it cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return _read_npz(path)
    if suffix == ".mat":
        return _read_mat(path), ""
    if suffix in {".pkl", ".pickle"}:
        raise BenchError(
            f"{path}: a pickle runs code when it is read and is never opened; {_WANTED}"
        )
    raise BenchError(f"{path}: of no known kind; {_WANTED}")


def _read_npz(path: Path) -> tuple[dict[str, Float32[np.ndarray, "n 4"]], str]:
    try:
        with zipfile.ZipFile(path) as archive:
            there = {member.filename: member for member in archive.infolist()}
            if not there.keys() >= set(_ORDER):
                held = ", ".join(sorted(there))[:120] or "nothing"
                raise BenchError(f"{path}: holds {held}; {_WANTED}")
            names, counts, boxes, key = (
                _read_member(archive, there[name], path=path) if name in there else np.zeros(0)
                for name in (*_ORDER, "key.npy")
            )
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BenchError(f"{path}: damaged: {' '.join(str(error).split())[:120]}") from error
    fits = (
        names.ndim == counts.ndim == 1
        and names.dtype.kind == "U"
        and counts.dtype.kind in "iu"
        and boxes.dtype.kind in "fiu"
        and boxes.shape == (len(boxes), 4)
        and len(names) == len(counts)
        and not ((counts < 0) | (counts > _MAX_BOXES)).any()
        and int(counts.sum()) == len(boxes)
    )
    if not fits:
        raise BenchError(
            f"{path}: names {names.shape}, counts {counts.shape} and boxes {boxes.shape} do not belong together; {_WANTED}"
        )
    parts = (
        np.split(boxes.astype(np.float64), np.cumsum(counts)[:-1].tolist()) if len(names) else []
    )
    is_text = key.dtype.kind == "U" and key.size == 1
    return _by_name(path, [str(name) for name in names], parts), str(key.ravel()[0])[
        :4096
    ] if is_text else ""


def _read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, *, path: Path
) -> Shaped[np.ndarray, "*s"]:
    """Read an array once its header has been held against its size."""
    if member.file_size > _MAX_MEMBER_BYTES:
        raise BenchError(f"{path}: {member.filename} has {member.file_size} bytes, too many")
    with archive.open(member) as file:
        data = io.BytesIO(file.read(member.file_size))
    try:
        version = np.lib.format.read_magic(data)
        if version == (1, 0):
            shape, by_columns, dtype = np.lib.format.read_array_header_1_0(data)
        else:
            shape, by_columns, dtype = np.lib.format.read_array_header_2_0(data)
    except (ValueError, SyntaxError, TypeError, RecursionError) as error:
        text = " ".join(str(error).split())[:120]
        raise BenchError(f"{path}: {member.filename} is no array: {text}") from error
    body = data.getbuffer()[data.tell() :]
    if dtype.hasobject or by_columns or math.prod(shape) * dtype.itemsize != len(body):
        raise BenchError(
            f"{path}: {member.filename} is no plain array: {dtype} of shape {shape} in {len(body)} bytes"
        )
    return np.frombuffer(body, dtype).reshape(shape)


def _read_mat(path: Path) -> dict[str, Float32[np.ndarray, "n 4"]]:
    with path.open("rb") as file:
        _check_expansion(file, path=path)
        file.seek(0)
        try:
            content = scipy.io.loadmat(file, variable_names=("images", "boxes"))
        # A damaged file makes this reader fail in all these ways.
        except (
            *(ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError),
            *(NotImplementedError, MemoryError, zlib.error, EOFError, struct.error, OSError),
        ) as error:
            text = " ".join(str(error).split())[:120]
            raise BenchError(f"{path}: no .mat of version 5 to 7: {text}; {_WANTED}") from error
    cells = [content.get(name) for name in ("images", "boxes")]
    if not all(isinstance(cell, np.ndarray) and cell.dtype == object for cell in cells):
        raise BenchError(f"{path}: lacks the cells images and boxes; {_WANTED}")
    images, boxes = (np.asarray(cell).ravel() for cell in cells)
    if len(images) != len(boxes):
        raise BenchError(f"{path}: {len(images)} images, but boxes of {len(boxes)}")
    names = [str(np.asarray(name).ravel()[0]) if np.size(name) else "" for name in images]
    parts = []
    for name, part in zip(names, boxes, strict=True):
        array = np.asarray(part)
        if array.dtype.kind not in "fiu" or (array.size and array.shape[-1:] != (4,)):
            raise BenchError(f"{path}: boxes of {name[:80]!r} are no rows of four numbers")
        parts.append(array.reshape(-1, 4)[:, [1, 0, 3, 2]].astype(np.float64))
    return _by_name(path, names, parts)


def _check_expansion(file: BinaryIO, *, path: Path) -> None:
    """Refuse a `.mat` whose compressed parts unpack to more than fits, without unpacking them into memory."""
    header = file.read(128)
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None:
        raise BenchError(f"{path}: no .mat of version 5 to 7; {_WANTED}")
    total = 0
    while tag := file.read(8):
        if len(tag) < 8:
            raise BenchError(f"{path}: ends within an element; fetch the file again")
        kind, size = struct.unpack(f"{order}II", tag)
        if kind != _COMPRESSED:
            total += size
            file.seek(size, 1)
        else:
            total += sum(_unpacked_sizes(file, size=size, path=path))
        if total > _MAX_BYTES:
            raise BenchError(f"{path}: more than {_MAX_BYTES} bytes unpacked, too many")


def _unpacked_sizes(file: BinaryIO, *, size: int, path: Path) -> Iterator[int]:
    """Yield how many bytes each piece of a compressed element unpacks to; ends early once there are too many."""
    unpack, total = zlib.decompressobj(), 0
    while size > 0 and total <= _MAX_BYTES:
        piece = file.read(min(size, _CHUNK_BYTES // 16))
        if not piece:
            raise BenchError(f"{path}: ends within an element; fetch the file again")
        size -= len(piece)
        try:
            count = len(unpack.decompress(piece))
        except zlib.error as error:
            raise BenchError(f"{path}: damaged: {error}") from error
        total += count
        yield count
    file.seek(size, 1)


def _by_name(
    path: Path, names: list[str], parts: list[Float64[np.ndarray, "_ 4"]]
) -> dict[str, Float32[np.ndarray, "n 4"]]:
    """Turn pixels into corners and refuse what is no box."""
    done: dict[str, Float32[np.ndarray, "n 4"]] = {}
    for name, part in zip(names, parts, strict=True):
        if name in done:
            raise BenchError(f"{path}: names {name[:80]!r} twice")
        if len(part) > _MAX_BOXES:
            raise BenchError(f"{path}: {len(part)} boxes of {name[:80]!r}, too many")
        bad = ~np.isfinite(part).all(axis=1) | (part[:, 2:] < part[:, :2]).any(axis=1)
        if bad.any():
            place = int(np.flatnonzero(bad)[0])
            raise BenchError(
                f"{path}: box {place + 1} of {name[:80]!r} is {part[place].tolist()}: inverted or not finite"
            )
        done[name] = (part - np.array([1.0, 1.0, 0.0, 0.0])).astype(np.float32)
    return done
