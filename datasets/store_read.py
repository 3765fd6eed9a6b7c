"""Reading views at random from one file or several as one."""

import json
import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped

from scenelift.datasets.store_chunk import Frames
from scenelift.datasets.store_codec import dequantise_normal
from scenelift.datasets.store_open import (
    Summary,
    check_channels,
    open_hdf5,
    opened,
    read_summary,
    read_table,
    translating,
)
from scenelift.datasets.store_schema import (
    CHANNELS,
    SPLITS,
    Channel,
    Header,
    Instance,
    SceneRecord,
    StoreError,
)
from scenelift.datasets.store_write import header_attributes

EXECUTION_FIELDS = ("content", "content_hash", "seed", "versions", "instruction_set", "created_by")
"""Fields of a header in which files read as one may differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Open:
    """One file, open in this process."""

    file: Any
    frames: dict[Channel, Frames]


class Reader:
    """The views of one file, or of several one after the other.

    Holds names only; a file is opened on the first read in each process, so a reader may be forked,
    spawned and pickled. It is no more thread-safe than h5py, which reads one at a time.
    """

    def __init__(self, paths: Path | Sequence[Path]) -> None:
        """Check the roots of all files; open none for longer.

        Raises:
            StoreError: if a file is not sound, or files differ in size or edge thresholds.
        """
        self._paths = (paths,) if isinstance(paths, Path) else tuple(paths)
        if not self._paths:
            raise StoreError("no file to read; name at least one")
        self._summaries = tuple(_summary(path) for path in self._paths)
        first = header_attributes(self._summaries[0].header)
        for path, summary in zip(self._paths, self._summaries, strict=True):
            for name, value in header_attributes(summary.header).items():
                if name not in EXECUTION_FIELDS and value != first[name]:
                    raise StoreError(
                        f"{path}: {name} is {value}, but {first[name]} in {self._paths[0]}; "
                        "read them apart"
                    )
        self._frame_ends = np.cumsum([summary.frames for summary in self._summaries])
        self._scene_ends = np.cumsum([summary.scenes for summary in self._summaries])
        self._handles: dict[int, _Open] = {}
        self._process_id = os.getpid()

    def __len__(self) -> int:
        return int(self._frame_ends[-1])

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_handles": {}}

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files, in order."""
        return self._paths

    @property
    def header(self) -> Header:
        """The header of the first file."""
        return self._summaries[0].header

    @property
    def num_scenes(self) -> int:
        """Scenes in all files."""
        return int(self._scene_ends[-1])

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `view/` that every file with views has."""
        names = [
            set(self._file(number)["view"])
            for number, summary in enumerate(self._summaries)
            if summary.frames
        ]
        return tuple(sorted(set.intersection(*names))) if names else ()

    def views(self, column: str) -> Shaped[np.ndarray, " n"]:
        """Read a column of `view/` for all views; `scene` counts through all files.

        Raises:
            StoreError: if there is no such column.
        """
        parts = []
        for number, summary in enumerate(self._summaries):
            if not summary.frames:
                continue
            view = self._file(number)["view"]
            if column not in view:
                raise StoreError(
                    f"{self._paths[number]}: no column {column!r} in view/; "
                    f"there are {', '.join(sorted(view))}"
                )
            values = self._table(number, f"view/{column}", summary.frames)
            if column == "scene":
                values = values + values.dtype.type(self._scene_ends[number] - summary.scenes)
            parts.append(values)
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def cameras(self) -> tuple[Shaped[np.ndarray, "n 3 3"], Shaped[np.ndarray, "n 4 4"]]:
        """Read `K` (pixels) and `T_world_camera` (metres) of all views."""
        parts = [
            (
                self._table(number, "camera/K", summary.frames),
                self._table(number, "camera/T_world_camera", summary.frames),
            )
            for number, summary in enumerate(self._summaries)
        ]
        return (
            np.concatenate([part[0].reshape(-1, 3, 3) for part in parts]),
            np.concatenate([part[1].reshape(-1, 4, 4) for part in parts]),
        )

    def texts(self, name: str) -> list[str]:
        """Read a text column of a table of all files, such as `scenes/name` or `instances/category`.

        Raises:
            StoreError: if there is none.
        """
        parts: list[str] = []
        for number, path in enumerate(self._paths):
            with translating(path):
                parts += [str(text) for text in self._file(number)[name].asstr()[...]]
        return parts

    def scene(self, index: int) -> SceneRecord:
        """Read what the files say of a scene; `index` counts through all files.

        Raises:
            IndexError: if there are not so many.
            StoreError: if the tables are damaged.
        """
        number, row = self._locate(index, ends=self._scene_ends)
        file = self._file(number)
        with translating(self._paths[number]):
            table = {
                name: file[f"scenes/{name}"].asstr()[row]
                for name in ("name", "source", "licence", "rooms", "rejections", "warnings")
            }
            start = int(file["scenes/instance_start"][row])
            count = int(file["scenes/instance_count"][row])
            if not 0 <= start <= start + count <= self._summaries[number].instances:
                raise StoreError(
                    f"{self._paths[number]}: scene {row} names instances {start} to {start + count} "
                    f"of {self._summaries[number].instances}; render the file again"
                )
            return SceneRecord(
                name=table["name"],
                source=table["source"],
                licence=table["licence"],
                split=SPLITS[int(file["scenes/split"][row])],
                rooms=tuple(str(room) for room in json.loads(table["rooms"])),
                instances=_instances(file, start=start, stop=start + count),
                rejections={str(key): int(n) for key, n in json.loads(table["rejections"]).items()},
                warnings=tuple(str(warning) for warning in json.loads(table["warnings"])),
            )

    def read(
        self,
        index: int,
        *,
        channels: Collection[Channel] = CHANNELS,
        raw_normals: bool = False,
        edge_bits: int | None = None,
    ) -> dict[Channel, Shaped[np.ndarray, "h w *c"]]:
        """Read one view.

        Args:
            index: Counts through all files; negative counts from the end.
            channels: Which to decode; others cost nothing.
            raw_normals: Leave normals as int16 times 32767 instead of float32 of length 1.
            edge_bits: Turn `edge` into bool: any of these bits. None leaves the bit field.

        Returns:
            `image` uint8 (h, w, 3) sRGB; `depth` float32 (h, w) z-depth in metres, 0 invalid;
            `normal` (h, w, 3), camera frame, 0 invalid; `edge`, `instance`, `semantic` (h, w).

        Raises:
            IndexError: if there are not so many views.
            StoreError: if the view is damaged.
        """
        number, row = self._locate(index, ends=self._frame_ends)
        frames = self._open(number).frames
        arrays: dict[Channel, Any] = {}
        for channel in channels:
            try:
                arrays[channel] = frames[channel].read(row)
            except StoreError as error:
                raise StoreError(
                    f"{self._paths[number]}: view {row}: {error}; render it again"
                ) from error
        if "normal" in arrays and not raw_normals:
            arrays["normal"] = dequantise_normal(arrays["normal"])
        if "edge" in arrays and edge_bits is not None:
            arrays["edge"] = (arrays["edge"] & np.uint8(edge_bits)) != 0
        return arrays

    def close(self) -> None:
        """Close the files of this process; the next read opens them again."""
        if self._process_id == os.getpid():
            for handle in self._handles.values():
                handle.file.close()
        self._handles = {}

    def _file(self, number: int) -> Any:
        return self._open(number).file

    def _open(self, number: int) -> _Open:
        if self._process_id != os.getpid():
            # The parent's handles share a file offset and a library state with it: never use them.
            self._handles, self._process_id = {}, os.getpid()
        if number not in self._handles:
            path = self._paths[number]
            file = open_hdf5(path)
            with translating(path):
                summary = read_summary(file, path=path)
                check_channels(file, summary=summary, path=path)
                frames: dict[Channel, Frames] = {
                    channel: Frames(file[channel]) for channel in CHANNELS
                }
            if summary != self._summaries[number]:
                file.close()
                raise StoreError(f"{path}: changed while it was being read; start again")
            self._handles[number] = _Open(file=file, frames=frames)
        return self._handles[number]

    def _table(self, number: int, name: str, length: int) -> Any:
        return read_table(self._file(number), name, length=length, path=self._paths[number])

    def _locate(self, index: int, *, ends: np.ndarray) -> tuple[int, int]:
        total = int(ends[-1])
        if not -total <= index < total:
            raise IndexError(f"index {index} of {total} in {self._paths[0]}")
        index %= total
        number = int(np.searchsorted(ends, index, side="right"))
        return number, index - (int(ends[number - 1]) if number else 0)


def shard_is_complete(path: Path, header: Header) -> bool:
    """Return whether `path` is a whole file with this very header: what a resumed run may skip."""
    try:
        summary = _summary(path)
    except StoreError:
        return False
    return header_attributes(summary.header) == header_attributes(header)


def _summary(path: Path) -> Summary:
    with opened(path) as (_, summary):
        return summary


def _instances(file: Any, *, start: int, stop: int) -> tuple[Instance, ...]:
    rows: Callable[[str], Any] = lambda name: file[f"instances/{name}"][start:stop].tolist()  # noqa: E731
    texts: Callable[[str], Any] = lambda name: file[f"instances/{name}"].asstr()[start:stop]  # noqa: E731
    return tuple(
        Instance(
            name=name,
            category=category,
            semantic=semantic,
            room=None if room < 0 else room,
            glass=bool(glass),
            mirror=bool(mirror),
            licence=licence,
        )
        for name, category, semantic, room, glass, mirror, licence in zip(
            texts("name"),
            texts("category"),
            rows("semantic"),
            rows("room"),
            rows("glass"),
            rows("mirror"),
            texts("licence"),
            strict=True,
        )
    )
