"""Joining files: chunks are copied as they lie, compressed; columns and tables are appended."""

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from scenelift.datasets.store_open import Summary, open_hdf5, opened, translating
from scenelift.datasets.store_schema import StoreError
from scenelift.datasets.store_write import header_attributes, replacing, write_header

Axis = Literal["frames", "scenes", "instances", "none"]

BATCH_FILES = 256
"""Columns and tables are written once for so many source files."""

OFFSETS: dict[str, Axis] = {"view/scene": "scenes", "scenes/instance_start": "instances"}
"""Columns that point into a table, which moves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """What is taken of one source: the first so many frames, scenes and instances."""

    path: Path
    summary: Summary
    frames: int
    scenes: int
    instances: int

    def count(self, axis: Axis) -> int:
        counts = {"frames": self.frames, "scenes": self.scenes, "instances": self.instances}
        return counts[axis]


def merge_shards(
    shards: Sequence[Path],
    out: Path,
    *,
    limit: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Join files into one, in the order given.

    Sources may be shards of one scene or finished files of many. With `limit` the result ends with
    the scene of the last frame taken: later scenes leave no trace, so that work done ahead by many
    workers does not show. Datasets that this program does not know are kept. Memory does not grow
    with the frames; the result appears under its name whole or not at all.

    Args:
        shards: At least one file; all with equal headers.
        out: Replaced if it exists.
        limit: Most frames to take.
        progress: Called with the number of frames written so far.

    Returns:
        The number of frames written.

    Raises:
        StoreError: if a source is damaged, or two do not belong together.
        OSError: if the disk refuses, for instance because it is full.
    """
    if not shards:
        raise StoreError(f"{out}: nothing to merge; name at least one file")
    parts = _plan(shards, limit=limit)
    needed = sum(part.path.stat().st_size for part in parts if part.frames == part.summary.frames)
    free = shutil.disk_usage(out.parent).free
    if needed > free:
        raise OSError(
            f"{out}: the disk has {free / 1e9:.2f} GB left, the file needs {needed / 1e9:.2f} GB; "
            "make room or choose another disk"
        )
    with replacing(out) as temporary, _writing(temporary) as (file, disk):
        totals: dict[Axis, int] = {
            axis: sum(part.count(axis) for part in parts) for axis in _COUNTED
        }
        write_header(
            file,
            header=parts[0].summary.header,
            frames=totals["frames"],
            scenes=totals["scenes"],
            instances=totals["instances"],
        )

        def report(frames: int) -> None:
            disk.require_sound()
            if progress is not None:
                progress(frames)

        _copy(parts, file, totals=totals, report=report)
    return totals["frames"]


_COUNTED: tuple[Axis, ...] = ("frames", "scenes", "instances")


def _plan(shards: Sequence[Path], *, limit: int | None) -> list[_Part]:
    """Read every root once; refuse what does not belong together; cut at the limit."""
    parts: list[_Part] = []
    seen: dict[tuple[str, bytes], Path] = {}
    left = limit
    for path in shards:
        if left is not None and left <= 0 and parts:
            break
        with opened(path) as (file, summary), translating(path):
            if parts:
                _require_same(parts[0], path=path, summary=summary)
            if summary.frames:
                key = (
                    str(file["scenes/name"].asstr()[0]),
                    np.asarray(file["camera/T_world_camera"][0]).tobytes(),
                )
                if key in seen:
                    raise StoreError(
                        f"{path}: scene {key[0]!r} starts with the same view as in {seen[key]}; "
                        "leave one of them out"
                    )
                seen[key] = path
            part = _cut(file, path=path, summary=summary, limit=left)
        parts.append(part)
        if left is not None:
            left -= part.frames
    return parts


def _cut(file: Any, *, path: Path, summary: Summary, limit: int | None) -> _Part:
    if limit is None or summary.frames < limit:
        frames, scenes, instances = summary.frames, summary.scenes, summary.instances
    elif limit <= 0:
        frames, scenes, instances = 0, 0, 0
    else:
        last = int(file["view/scene"][limit - 1])
        frames, scenes = limit, last + 1
        instances = int(file["scenes/instance_start"][last] + file["scenes/instance_count"][last])
    return _Part(path=path, summary=summary, frames=frames, scenes=scenes, instances=instances)


def _require_same(first: _Part, *, path: Path, summary: Summary) -> None:
    ours = header_attributes(first.summary.header)
    theirs = header_attributes(summary.header)
    for name, value in ours.items():
        if theirs[name] != value:
            raise StoreError(
                f"{path}: {name} is {_short(theirs[name])}, but {_short(value)} in {first.path}; "
                "only files of one configuration, one set of library versions and one instruction "
                "set can be merged"
            )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _copy(
    parts: Sequence[_Part],
    out: Any,
    *,
    totals: dict[Axis, int],
    report: Callable[[int], None],
) -> None:
    template = next((part for part in parts if part.frames), parts[0])
    layout = _create_all(out, template, totals=totals)
    targets = {name: out[name] for name in layout}
    framewise = {name for name, target in targets.items() if _is_framewise(target)}
    plain: dict[str, Axis] = {
        name: axis for name, axis in layout.items() if axis != "none" and name not in framewise
    }
    columns = _Columns(targets=targets, layout=plain)
    for number, part in enumerate(parts):
        with _sources(part) as sources:
            _require_layout(sources, layout=layout, part=part, template=template.path)
            for name, axis in layout.items():
                if axis == "none":
                    _require_constant(targets[name], sources[name], path=part.path)
                elif name in framewise and part.frames:
                    start = columns.taken["frames"]
                    _copy_chunks(sources[name], targets[name], start=start, count=part.frames)
            columns.take(sources, part)
        if number % BATCH_FILES == BATCH_FILES - 1 or number == len(parts) - 1:
            columns.flush()
        report(columns.taken["frames"])


@contextlib.contextmanager
def _sources(part: _Part) -> Iterator[dict[str, Any]]:
    """Open the datasets of a file whose root was checked when the merge was planned."""
    file = open_hdf5(part.path)
    try:
        with translating(part.path):
            yield _datasets(file)
    finally:
        file.close()


class _Columns:
    """Columns and tables on their way: read a file at a time, written many files at a time."""

    def __init__(self, *, targets: dict[str, Any], layout: dict[str, Axis]) -> None:
        self.taken: dict[Axis, int] = dict.fromkeys(_COUNTED, 0)
        """Rows read so far."""
        self._written: dict[Axis, int] = dict.fromkeys(_COUNTED, 0)
        self._targets = targets
        self._layout = layout
        self._pending: dict[str, list[np.ndarray]] = {}

    def take(self, sources: dict[str, Any], part: _Part) -> None:
        for name, axis in self._layout.items():
            if part.count(axis):
                rows = sources[name][: part.count(axis)]
                if name in OFFSETS:
                    rows = rows + rows.dtype.type(self.taken[OFFSETS[name]])
                self._pending.setdefault(name, []).append(rows)
        for counted in _COUNTED:
            self.taken[counted] += part.count(counted)

    def flush(self) -> None:
        for name, batches in self._pending.items():
            axis = self._layout[name]
            rows = slice(self._written[axis], self.taken[axis])
            self._targets[name][rows] = np.concatenate(batches)
        self._pending, self._written = {}, dict(self.taken)


def _create_all(out: Any, template: _Part, *, totals: dict[Axis, int]) -> dict[str, Axis]:
    """Make every dataset of the template in the result, as long as all parts together."""
    with opened(template.path) as (file, summary), translating(template.path):
        sources = _datasets(file)
        layout: dict[str, Axis] = {
            name: _axis(name, source, summary) for name, source in sources.items()
        }
        for name, axis in layout.items():
            _create(out, sources[name], name=name, length=None if axis == "none" else totals[axis])
    return layout


def _datasets(file: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    file.visititems(visit)
    return dict(sorted(found.items()))


def _axis(name: str, dataset: Any, summary: Summary) -> Axis:
    if name.startswith("scenes/"):
        return "scenes"
    if name.startswith("instances/"):
        return "instances"
    if dataset.shape and dataset.shape[0] == summary.frames:
        return "frames"
    return "none"


def _is_framewise(dataset: Any) -> bool:
    return dataset.chunks is not None and dataset.chunks == (1, *dataset.shape[1:])


def _create(out: Any, source: Any, *, name: str, length: int | None) -> None:
    shape = source.shape if length is None else (length, *source.shape[1:])
    limits = (h5py.h5s.UNLIMITED, *shape[1:]) if source.chunks and shape else shape
    space = h5py.h5s.create_simple(shape, limits)
    links = h5py.h5p.create(h5py.h5p.LINK_CREATE)
    links.set_create_intermediate_group(True)
    plist = source.id.get_create_plist()
    plist.set_obj_track_times(False)
    h5py.h5d.create(
        out.id,
        name.encode(),
        source.id.get_type(),
        space,
        dcpl=plist,
        lcpl=links,
    )
    if length is None:
        out[name][...] = source[...]
    for key, value in source.attrs.items():
        out[name].attrs[key] = value


def _require_layout(
    sources: dict[str, Any], *, layout: dict[str, Axis], part: _Part, template: Path
) -> None:
    further = sorted(sources.keys() - layout.keys())
    missing = sorted(layout.keys() - sources.keys())
    if part.frames == 0:
        missing = [name for name in missing if layout[name] != "frames"]
    if missing or further:
        raise StoreError(
            f"{part.path}: lacks {missing or 'nothing'} and has further {further or 'nothing'} "
            f"beside {template}; only files with the same datasets can be merged"
        )
    summary = part.summary
    full = {"frames": summary.frames, "scenes": summary.scenes, "instances": summary.instances}
    for name, source in sources.items():
        axis, shape = layout[name], source.shape
        if axis != "none" and (not shape or shape[0] != full[axis]):
            raise StoreError(
                f"{part.path}: {name} has shape {shape}, expected {full[axis]} {axis}; "
                "the file is damaged, render it again"
            )


def _require_constant(target: Any, source: Any, *, path: Path) -> None:
    if not np.array_equal(target[...], source[...]):
        raise StoreError(
            f"{path}: {source.name} differs from that of the other files; remove it first"
        )


def _copy_chunks(source: Any, target: Any, *, start: int, count: int) -> None:
    rest = (0,) * (len(source.shape) - 1)
    if count and _pipeline(source) != _pipeline(target):
        raise StoreError(
            f"{source.name} is compressed in another way than in the other files; "
            "render them with one version"
        )
    for index in range(count):
        mask, chunk = source.id.read_direct_chunk((index, *rest))
        target.id.write_direct_chunk((start + index, *rest), chunk, mask)


def _pipeline(dataset: Any) -> tuple[object, ...]:
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(index)[:3] for index in range(plist.get_nfilters())]
    return (dataset.dtype.str, dataset.shape[1:], dataset.chunks, *filters)


class _Disk(io.RawIOBase):
    """A file for h5py whose first error is kept, while later writes are swallowed.

    HDF5 cannot close a file that it cannot write; so it closes one that it believes it wrote, and
    the error is raised afterwards.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self.error: OSError | None = None

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        count = self._file.readinto(view) or 0
        if self.error is not None:
            view[count:] = bytes(len(view) - count)
            count = len(view)
        return count

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        while self.error is None and done < len(view):
            try:
                done += self._file.write(view[done:]) or 0
            except OSError as error:
                self.error = error
        return len(view)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        if self.error is None:
            try:
                return self._file.truncate(size)
            except OSError as error:
                self.error = error
        return self._file.tell() if size is None else size

    def flush(self) -> None:
        pass

    def require_sound(self) -> None:
        """Raise the error that was kept.

        Raises:
            OSError: if a write has failed.
        """
        if self.error is not None:
            raise self.error

    def finish(self) -> None:
        """Flush to the disk and close."""
        try:
            if self.error is None:
                os.fsync(self._file.fileno())
        finally:
            self._file.close()


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[tuple[Any, _Disk]]:
    disk = _Disk(path)
    try:
        with h5py.File(disk, "w") as file:
            yield file, disk
        disk.require_sound()
    finally:
        disk.finish()
