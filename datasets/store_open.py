"""Opening a file that may be anything: every fault is one line that says what to do."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters
import numpy as np

from scenelift.datasets.store_chunk import require_known_filters
from scenelift.datasets.store_schema import (
    CHANNEL_SPECS,
    CHANNELS,
    FORMAT,
    SCHEMA_VERSION,
    Header,
    StoreError,
    frame_shape,
)

MAX_ROW_VALUES = 64
"""A column with more numbers a row is no column."""

MAX_TEXT_BYTES = 64 * 2**20
"""A longer attribute is taken for damage."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """The root of a file, read and checked."""

    header: Header
    frames: int
    scenes: int
    instances: int


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Summary]]:
    """Open a file for reading and check its root and the shape of its channels.

    Raises:
        StoreError: if it is missing, is not HDF5, is damaged, or has another or a newer layout.
    """
    file = open_hdf5(path)
    try:
        with translating(path):
            summary = read_summary(file, path=path)
            check_channels(file, summary=summary, path=path)
        yield file, summary
    finally:
        file.close()


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file for reading, without a lock, so that many may read.

    Raises:
        StoreError: if that fails.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise StoreError(f"{path}: {what}; name a file that render-scenes wrote")
    with path.open("rb") as raw:
        signature = raw.read(8)
    if signature != b"\x89HDF\r\n\x1a\n":
        raise StoreError(f"{path}: not an HDF5 file; name a file that render-scenes wrote")
    try:
        # No chunk cache: a frame is one chunk, and read once.
        return h5py.File(path, "r", locking=False, rdcc_nbytes=0)
    except (OSError, RuntimeError, ValueError) as error:
        raise StoreError(
            f"{path}: damaged or cut off ({one_line(error)}); copy or render it again"
        ) from error


@contextlib.contextmanager
def translating(path: Path) -> Iterator[None]:
    """Turn what h5py raises on a damaged file into a `StoreError`; other errors pass."""
    try:
        yield
    except StoreError:
        raise
    except (
        OSError,
        RuntimeError,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        OverflowError,
    ) as error:
        raise StoreError(f"{path}: damaged ({one_line(error)}); copy or render it again") from error


def one_line(error: BaseException) -> str:
    """Return an error's message in one line of at most 200 characters."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def read_summary(file: Any, *, path: Path) -> Summary:
    """Read the root attributes.

    Raises:
        StoreError: if one is missing or makes no sense, or the schema is newer than this program.
    """
    attributes = {name: _attribute(file, name) for name in file.attrs}
    if attributes.get("format") != FORMAT:
        raise StoreError(
            f"{path}: an HDF5 file, but not one that render-scenes wrote (no format {FORMAT!r})"
        )
    version = _integer(attributes, "schema_version", path=path)
    if version != SCHEMA_VERSION:
        raise StoreError(
            f"{path}: schema version {version}, this program reads {SCHEMA_VERSION}; "
            + ("install a newer scenelift" if version > SCHEMA_VERSION else "render it again")
        )
    header = Header(
        width=_integer(attributes, "width", path=path),
        height=_integer(attributes, "height", path=path),
        content=_mapping(attributes, "content", path=path),
        content_hash=_text(attributes, "content_hash", path=path),
        seed=_integer(attributes, "seed", path=path),
        versions=_mapping(attributes, "versions", path=path),
        instruction_set=_text(attributes, "instruction_set", path=path),
        edge_thresholds=_mapping(attributes, "edge_thresholds", path=path),
        created_by=_text(attributes, "created_by", path=path),
    )
    counts = {
        name: _integer(attributes, name, path=path) for name in ("frames", "scenes", "instances")
    }
    file_bytes = path.stat().st_size
    if min(counts.values()) < 0 or max(counts.values()) > file_bytes:
        raise StoreError(
            f"{path}: promises {counts} in {file_bytes} bytes; the file is damaged, render it again"
        )
    return Summary(header=header, **counts)


def check_channels(file: Any, *, summary: Summary, path: Path) -> None:
    """Check that each channel has the shape, dtype and chunks that the root promises.

    Raises:
        StoreError: naming the first channel at fault.
    """
    header = summary.header
    for channel in CHANNELS:
        dataset = file.get(channel)
        if not isinstance(dataset, h5py.Dataset):
            raise StoreError(f"{path}: the channel {channel} is missing; render the file again")
        frame = frame_shape(channel, width=header.width, height=header.height)
        shape = (summary.frames, *frame)
        if dataset.shape != shape or dataset.chunks != (1, *frame):
            raise StoreError(
                f"{path}: {channel} is {dataset.shape} in chunks of {dataset.chunks}, expected "
                f"{shape} in chunks of one frame; the file is damaged or not of this kind"
            )
        if dataset.dtype != np.dtype(CHANNEL_SPECS[channel].dtype):
            raise StoreError(
                f"{path}: {channel} is {dataset.dtype}, expected {CHANNEL_SPECS[channel].dtype}; "
                "the file is damaged or not of this kind"
            )


def read_table(file: Any, name: str, *, length: int, path: Path) -> Any:
    """Read a numeric column of so many rows whole.

    Raises:
        StoreError: if it is missing, of another length, not numeric, or packed.
    """
    with translating(path):
        dataset = file.get(name)
        if not isinstance(dataset, h5py.Dataset):
            raise StoreError(f"{path}: {name} is missing; render the file again")
        if not dataset.shape or dataset.shape[0] != length or len(dataset.shape) > 3:
            raise StoreError(
                f"{path}: {name} has shape {dataset.shape}, expected {length} rows; "
                "the file is damaged, render it again"
            )
        if dataset.dtype.kind not in "iufb" or np.prod(dataset.shape[1:]) > MAX_ROW_VALUES:
            raise StoreError(
                f"{path}: {name} holds {dataset.shape[1:]} {dataset.dtype} a row, expected numbers"
            )
        require_known_filters(dataset, framewise=False)
        return dataset[...]


def _attribute(file: Any, name: str) -> object:
    identifier = file.attrs.get_id(name)
    if identifier.get_storage_size() > MAX_TEXT_BYTES or identifier.shape not in ((), (1,)):
        return None
    value = file.attrs[name]
    if isinstance(value, np.generic):
        return value.item()
    return value


def _integer(attributes: dict[str, object], name: str, *, path: Path) -> int:
    value = attributes.get(name)
    if not isinstance(value, int):
        raise StoreError(f"{path}: attribute {name} is {value!r}, expected a whole number")
    return value


def _text(attributes: dict[str, object], name: str, *, path: Path) -> str:
    value = attributes.get(name)
    if not isinstance(value, str):
        raise StoreError(f"{path}: attribute {name} is {value!r}, expected text")
    return value


def _mapping(attributes: dict[str, object], name: str, *, path: Path) -> dict[str, Any]:
    text = _text(attributes, name, path=path)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path}: attribute {name} is not JSON ({one_line(error)})") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path}: attribute {name} holds {text[:60]!r}, expected a JSON object")
    return value
