"""Writing a shard: the views of one scene, in a file that appears whole or not at all."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import DTypeLike

from scenelift.datasets.store_codec import compression, encode
from scenelift.datasets.store_schema import (
    CHANNEL_SPECS,
    CHANNELS,
    FORMAT,
    SCHEMA_VERSION,
    SPLITS,
    Header,
    Instance,
    Row,
    SceneRecord,
    StoreError,
    canonical_json,
    frame_shape,
)

TEXT = h5py.string_dtype()
SPLIT_DTYPE = h5py.enum_dtype({name: value for value, name in enumerate(SPLITS)}, basetype="u1")

VIEW_ATTRIBUTES: dict[str, str] = {
    "scene": "row of the table `scenes`",
    "split": "part of the data set; all views of a scene belong to one",
    "edge_pixels": "pixels with bit 1 of `edge`",
    "valid_pixels": "pixels with depth > 0",
    "num_instances": "different ids in `instance`, without 0",
}
"""Columns that the store makes itself, and what they mean."""


def write_shard(path: Path, *, header: Header, scene: SceneRecord, rows: Sequence[Row]) -> None:
    """Write the views of one scene.

    The file is made under another name beside `path`, flushed to disk and renamed: `path` exists
    whole or not at all. The same arguments give the same bytes.

    Args:
        path: Replaced if it exists.
        header: What the file says of itself.
        scene: The scene that all rows show.
        rows: Its views in order; may be empty.

    Raises:
        StoreError: if a row does not fit the header, the scene or the other rows.
        OSError: if the disk refuses, for instance because it is full.
    """
    if scene.split not in SPLITS:
        raise StoreError(f"{path}: split must be one of {', '.join(SPLITS)}, got {scene.split!r}")
    with h5py.File(
        "shard", "w", driver="core", backing_store=False, rdcc_nbytes=0, block_size=2**24
    ) as file:
        write_header(
            file, header=header, frames=len(rows), scenes=1, instances=len(scene.instances)
        )
        _write_frames(file, rows=rows, header=header, path=path)
        _write_columns(file, rows=rows, scene=scene, path=path)
        _write_scene(file, scene=scene, path=path)
        file.flush()
        image = file.id.get_file_image()
    with replacing(path) as temporary, temporary.open("wb") as out:
        out.write(image)
        out.flush()
        os.fsync(out.fileno())


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hand out a name beside `path`; rename it to `path` at the end, or remove it on an error."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def remove_leftovers(path: Path) -> int:
    """Remove the unfinished files that killed writers of `path` left beside it; return their number."""
    leftovers = [
        other
        for other in path.parent.iterdir()
        if other.name.startswith(f"{path.name}.") and other.suffix == ".tmp"
    ]
    for leftover in leftovers:
        leftover.unlink(missing_ok=True)
    return len(leftovers)


def write_header(file: Any, *, header: Header, frames: int, scenes: int, instances: int) -> None:
    """Write the root attributes."""
    attributes: dict[str, str | int] = {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        **header_attributes(header),
        "frames": frames,
        "scenes": scenes,
        "instances": instances,
    }
    for name, value in attributes.items():
        file.attrs[name] = value


def header_attributes(header: Header) -> dict[str, str | int]:
    """Return a header as HDF5 attributes; two headers are equal if these are."""
    return {
        "created_by": header.created_by,
        "width": header.width,
        "height": header.height,
        "content": canonical_json(dict(header.content)),
        "content_hash": header.content_hash,
        "seed": header.seed,
        "versions": canonical_json(dict(header.versions)),
        "instruction_set": header.instruction_set,
        "edge_thresholds": canonical_json(dict(header.edge_thresholds)),
    }


def _write_frames(file: Any, *, rows: Sequence[Row], header: Header, path: Path) -> None:
    stored = {}
    for channel in CHANNELS:
        shape = frame_shape(channel, width=header.width, height=header.height)
        spec = CHANNEL_SPECS[channel]
        stored[channel] = file.create_dataset(
            channel,
            shape=(len(rows), *shape),
            maxshape=(None, *shape),
            dtype=spec.dtype,
            chunks=(1, *shape),
            **compression(channel),
        )
        stored[channel].attrs["meaning"] = spec.meaning
        for name, value in spec.attributes.items():
            stored[channel].attrs[name] = value
    for index, row in enumerate(rows):
        try:
            arrays = encode(row)
        except StoreError as error:
            raise StoreError(f"{path}: view {index}: {error}") from error
        for channel, array in arrays.items():
            expected = stored[channel].shape[1:]
            if array.shape != expected:
                raise StoreError(
                    f"{path}: view {index}: {channel} is {array.shape}, the header wants {expected}"
                )
            stored[channel][index] = array


def _write_columns(file: Any, *, rows: Sequence[Row], scene: SceneRecord, path: Path) -> None:
    camera = file.create_group("camera")
    poses = np.array([row.T_world_camera for row in rows], np.float64).reshape(-1, 4, 4)
    intrinsics = np.array([row.K for row in rows], np.float32).reshape(-1, 3, 3)
    camera.create_dataset("K", data=intrinsics).attrs["meaning"] = (
        "intrinsics in pixels, (0, 0) is the top left corner of the image and pixel centres lie at "
        "+0.5; they apply to (x, -y, -z) of a camera point"
    )
    camera.create_dataset("T_world_camera", data=poses).attrs["meaning"] = (
        "maps camera points (x right, y up, looking along -z) to world points (y up), in metres"
    )
    own: dict[str, Any] = {
        "scene": np.zeros(len(rows), np.int32),
        "edge_pixels": np.array([int((row.edge & 1).sum()) for row in rows], np.int32),
        "valid_pixels": np.array([int((row.z_depth_m > 0).sum()) for row in rows], np.int32),
        "num_instances": np.array([_count_ids(row) for row in rows], np.int32),
    }
    further = _further_columns(rows, path=path)
    for name in sorted(VIEW_ATTRIBUTES.keys() & further.keys()):
        if name not in own or not np.array_equal(own[name], further[name]):
            raise StoreError(
                f"{path}: the store makes the column {name} itself, and finds other values than given"
            )
    columns = {**further, **own}
    view = file.create_group("view")
    for name, column in columns.items():
        view.create_dataset(name, data=column)
    split = np.full(len(rows), SPLITS.index(scene.split), np.uint8)
    view.create_dataset("split", data=split, dtype=SPLIT_DTYPE)
    for name, meaning in VIEW_ATTRIBUTES.items():
        view[name].attrs["meaning"] = meaning


def _count_ids(row: Row) -> int:
    return int((np.bincount(row.instance.ravel(), minlength=1)[1:] > 0).sum())


def _further_columns(rows: Sequence[Row], *, path: Path) -> dict[str, Any]:
    if not rows:
        return {}
    names = list(rows[0].view)
    for index, row in enumerate(rows):
        if set(row.view) != set(names):
            raise StoreError(
                f"{path}: view {index} has the columns {sorted(row.view)}, view 0 {sorted(names)}"
            )
    return {name: _column(name, [row.view[name] for row in rows], path=path) for name in names}


def _column(name: str, values: Sequence[int | float], *, path: Path) -> Any:
    if any(isinstance(value, float) for value in values):
        return np.array(values, np.float64)
    if not all(-(2**63) <= value < 2**63 for value in values):
        raise StoreError(f"{path}: column {name} has a value beyond 64 bits; keep it below 2^63")
    return np.array(values, np.int64)


def _write_scene(file: Any, *, scene: SceneRecord, path: Path) -> None:
    for index, instance in enumerate(scene.instances):
        if not 0 <= instance.semantic <= 255:
            raise StoreError(
                f"{path}: instance {index} has the class {instance.semantic}; NYU40 has 0 to 40"
            )
    columns: Mapping[str, tuple[list[Any], DTypeLike]] = {
        "name": ([scene.name], TEXT),
        "source": ([scene.source], TEXT),
        "licence": ([scene.licence], TEXT),
        "split": ([SPLITS.index(scene.split)], SPLIT_DTYPE),
        "rooms": ([canonical_json(list(scene.rooms))], TEXT),
        "rejections": ([canonical_json(dict(scene.rejections))], TEXT),
        "warnings": ([canonical_json(list(scene.warnings))], TEXT),
        "instance_start": ([0], np.int64),
        "instance_count": ([len(scene.instances)], np.int32),
    }
    _write_table(file.create_group("scenes"), columns)
    _write_instances(file.create_group("instances"), scene.instances)


def _write_instances(group: Any, instances: Sequence[Instance]) -> None:
    columns: Mapping[str, tuple[list[Any], DTypeLike]] = {
        "name": ([instance.name for instance in instances], TEXT),
        "category": ([instance.category for instance in instances], TEXT),
        "semantic": ([instance.semantic for instance in instances], np.uint8),
        "room": ([-1 if one.room is None else one.room for one in instances], np.int32),
        "glass": ([instance.glass for instance in instances], np.uint8),
        "mirror": ([instance.mirror for instance in instances], np.uint8),
        "licence": ([instance.licence for instance in instances], TEXT),
    }
    _write_table(group, columns)
    group["room"].attrs["invalid"] = -1


def _write_table(group: Any, columns: Mapping[str, tuple[list[Any], DTypeLike]]) -> None:
    for name, (values, dtype) in columns.items():
        cells = [_clean(value) if isinstance(value, str) else value for value in values]
        group.create_dataset(name, data=np.array(cells, dtype=dtype), dtype=dtype)


def _clean(text: str) -> str:
    """Replace what HDF5 cannot hold in a text: NUL and halves of surrogate pairs."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
