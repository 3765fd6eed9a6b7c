"""Saved scores, from which every definition can be computed again: `scores.npz` of a classifier, `detections.npz` of a detector.

A classifier's file holds `names`, `classes`, `scores` and `labels`; a detector's `names`, `classes`, `detection_image`,
`detection_class`, `detection_score`, `detection_box`, `truth_image`, `truth_class`, `truth_box` and `truth_difficult`; both
`format_version`. `numpy.load` reads them. Files are hostile: an array is read only after its header has been held against its size.
"""

import io
import math
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from scenelift.benchmarks.metrics.scores import (
    ClassificationScores,
    Detections,
    GroundTruthBoxes,
    ScoresError,
    check_detections,
)

FORMAT_VERSION = 1
MAX_ARRAY_BYTES = 2**29
"""Of one array, unpacked."""

_MAX_MEMBERS = 32
_MAX_HEADER_BYTES = 4096
_LAST_CODE = 0x10FFFF
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Arrays = dict[str, np.ndarray]


def write_classification(path: Path, scores: ClassificationScores) -> None:
    """Write a classifier's scores; the file appears whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    _write(
        path,
        {
            "names": _text(scores.names),
            "classes": _text(scores.classes),
            "scores": scores.scores,
            "labels": scores.labels,
        },
    )


def write_detections(path: Path, detections: Detections, *, truth: GroundTruthBoxes) -> None:
    """Write detections and the truth that they are judged by; the file appears whole or not at all.

    Raises:
        OSError: if it cannot be written.
    """
    _write(
        path,
        {
            "names": _text(truth.names),
            "classes": _text(truth.classes),
            "detection_image": detections.image_index,
            "detection_class": detections.class_index,
            "detection_score": detections.scores,
            "detection_box": detections.boxes,
            "truth_image": truth.image_index,
            "truth_class": truth.class_index,
            "truth_box": truth.boxes,
            "truth_difficult": truth.difficult,
        },
    )


def read_classification(path: Path) -> ClassificationScores:
    """Read a classifier's scores.

    Raises:
        ScoresError: if the file holds none that fit together; one line.
        OSError: if it cannot be read.
    """
    return _classification(path, _read(path))


def read_detections(path: Path) -> tuple[Detections, GroundTruthBoxes]:
    """Read detections and the truth beside them.

    Raises:
        ScoresError: if the file holds none that fit together; one line.
        OSError: if it cannot be read.
    """
    return _detections(path, _read(path))


def read_scores(path: Path) -> ClassificationScores | tuple[Detections, GroundTruthBoxes]:
    """Read a file of either kind.

    Raises:
        ScoresError: if it is neither; one line.
        OSError: if it cannot be read.
    """
    arrays = _read(path)
    return _classification(path, arrays) if "scores" in arrays else _detections(path, arrays)


def _classification(path: Path, arrays: Arrays) -> ClassificationScores:
    names, classes = _texts(path, arrays, "names"), _texts(path, arrays, "classes")
    scores = _array(path, arrays, "scores", dtype=np.float32, ndim=2)
    labels = _array(path, arrays, "labels", dtype=np.int8, ndim=2)
    if scores.shape != labels.shape:
        raise ScoresError(f"{path}: scores have the shape {scores.shape}, labels {labels.shape}")
    try:
        return ClassificationScores(names=names, classes=classes, scores=scores, labels=labels)
    except ScoresError as error:
        raise ScoresError(f"{path}: {error}") from error


def _detections(path: Path, arrays: Arrays) -> tuple[Detections, GroundTruthBoxes]:
    names, classes = _texts(path, arrays, "names"), _texts(path, arrays, "classes")
    integers = {
        name: _array(path, arrays, name, dtype=np.int64, ndim=1)
        for name in ("detection_image", "detection_class", "truth_image", "truth_class")
    }
    score = _array(path, arrays, "detection_score", dtype=np.float32, ndim=1)
    boxes = {
        name: _array(path, arrays, name, dtype=np.float64, ndim=2)
        for name in ("detection_box", "truth_box")
    }
    difficult = _array(path, arrays, "truth_difficult", dtype=np.bool_, ndim=1)
    for name, box in boxes.items():
        if box.shape[1] != 4:
            raise ScoresError(f"{path}: {name} has {box.shape[1]} columns, where a box has 4")
    found_rows = (integers["detection_image"], integers["detection_class"], score)
    truth_rows = (integers["truth_image"], integers["truth_class"], difficult)
    for name, rows in (("detection_box", found_rows), ("truth_box", truth_rows)):
        lengths = {len(column) for column in (boxes[name], *rows)}
        if len(lengths) > 1:
            raise ScoresError(
                f"{path}: {name} and what belongs to it differ in number: {sorted(lengths)}"
            )
    try:
        found = Detections(
            image_index=integers["detection_image"],
            class_index=integers["detection_class"],
            scores=score,
            boxes=boxes["detection_box"],
        )
        truth = GroundTruthBoxes(
            names=names,
            classes=classes,
            image_index=integers["truth_image"],
            class_index=integers["truth_class"],
            boxes=boxes["truth_box"],
            difficult=difficult,
        )
        check_detections(found, truth)
    except ScoresError as error:
        raise ScoresError(f"{path}: {error}") from error
    return found, truth


def _write(path: Path, arrays: Arrays) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        np.savez_compressed(
            file, allow_pickle=False, format_version=np.int64(FORMAT_VERSION), **arrays
        )
    part.replace(path)


def _read(path: Path) -> Arrays:
    """Return all arrays of a file, none of them of objects."""
    if path.exists() and not path.is_file():
        raise ScoresError(f"{path}: is not a plain file")
    try:
        arrays = _unpack(path)
    except ScoresError:
        raise
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        RuntimeError,
        ValueError,
    ) as error:
        said = " ".join(str(error).split())[:120]
        raise ScoresError(f"{path}: no file of scores (.npz), or damaged: {said}") from error
    version = arrays.get("format_version")
    if version is None or version.shape != () or version.dtype != np.int64:
        raise ScoresError(f"{path}: no file of scores: holds no format_version")
    if version != FORMAT_VERSION:
        raise ScoresError(f"{path}: format version {version}, where {FORMAT_VERSION} is known")
    return arrays


def _unpack(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > _MAX_MEMBERS:
            raise ScoresError(f"{path}: holds {len(members)} arrays, more than any file of scores")
        return {
            member.filename.removesuffix(".npy"): _read_member(path, archive, member)
            for member in members
        }


def _read_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    where = f"{path}: {member.filename[:80]!r}"
    if member.compress_type not in _METHODS:
        raise ScoresError(f"{where} is packed by a method that numpy never uses")
    if member.file_size > MAX_ARRAY_BYTES:
        raise ScoresError(f"{where} has {member.file_size} bytes, more than {MAX_ARRAY_BYTES}")
    with archive.open(member) as stream:
        data = stream.read(member.file_size)
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        reads = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        shape, fortran, dtype = reads[version](file, max_header_size=_MAX_HEADER_BYTES)
    except (ValueError, KeyError, SyntaxError, TypeError) as error:
        raise ScoresError(f"{where} is no array of numpy's") from error
    content = memoryview(data)[file.tell() :]
    if (
        dtype.hasobject
        or dtype.itemsize == 0
        or dtype.names is not None
        or min(shape, default=1) < 0
    ):
        raise ScoresError(
            f"{where} is an array of {str(dtype)[:80]}, which no file of scores holds"
        )
    if math.prod(shape) * dtype.itemsize != len(content):
        raise ScoresError(
            f"{where} has {len(content)} bytes, where its shape {shape} says another number"
        )
    flat = np.frombuffer(content, dtype=dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _array(
    path: Path, arrays: Arrays, name: str, *, dtype: type[np.generic], ndim: int
) -> np.ndarray:
    if name not in arrays:
        raise ScoresError(f"{path}: holds no {name}, but {', '.join(sorted(arrays))[:200]}")
    array = arrays[name]
    if array.dtype != dtype or array.ndim != ndim:
        raise ScoresError(
            f"{path}: {name} is {array.dtype} of {array.ndim} dimensions, "
            f"where {np.dtype(dtype)} of {ndim} is wanted"
        )
    return np.ascontiguousarray(array)


def _text(names: tuple[str, ...]) -> np.ndarray:
    return np.array(names, dtype=np.str_) if names else np.zeros(0, "U1")


def _texts(path: Path, arrays: Arrays, name: str) -> tuple[str, ...]:
    array = arrays.get(name)
    if array is None or array.dtype.kind != "U" or array.ndim != 1:
        raise ScoresError(f"{path}: holds no list of {name}")
    # Numpy makes text of any numbers, and Python of it an error of its own.
    codes = array.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
    if ((codes > _LAST_CODE) | ((codes >= 0xD800) & (codes < 0xE000))).any():
        raise ScoresError(f"{path}: {name} holds what is no text")
    return tuple(array.tolist())
