"""The log of a run: `metrics.jsonl`, which TensorBoard mirrors, and its reader.

A line is `{"step": n, "time_s": t, "split": "train" | "val", "values": {name: number}}`. `step` counts the steps done; `null`
stands for a value that was not finite. Names stand in `docs/design.md`, "Training".
"""

import json
import math
import os
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float64, Int64
from torch import Tensor

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

Split = Literal["train", "val"]
_MAX_LINE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One logged number over a run; steps rise strictly."""

    step: Int64[np.ndarray, " n"]
    """Steps done."""
    time_s: Float64[np.ndarray, " n"]
    """The run's clock, as it was written."""
    value: Float64[np.ndarray, " n"]
    """NaN where the number was not finite."""


Columns = dict[str, Series]
"""Series by name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Metrics:
    """Everything in a `metrics.jsonl`."""

    train: Columns = field(default_factory=dict)
    val: Columns = field(default_factory=dict)
    broken_lines: int = 0
    """Lines that are no entry, left out; one at the end is what a killed process leaves."""


class MetricsWriter:
    """Appends lines to a `metrics.jsonl`; a context manager.

    Each line goes to the system in one write: a killed process leaves at most one broken line, the last.
    """

    def __init__(
        self, path: Path, *, resume_step: int | None = None, tensorboard: Path | None = None
    ) -> None:
        """Open the file.

        Args:
            path: The file.
            resume_step: Go on after so many steps: later lines, and a broken one, are cut, so that the file holds each step
                once. None starts a new file.
            tensorboard: A folder for the same numbers as TensorBoard events; None writes none.

        Raises:
            OSError: if the file cannot be written.
        """
        if resume_step is not None and path.exists():
            _cut(path, last_step=resume_step)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(path, flags if resume_step is not None else flags | os.O_TRUNC, 0o644)
        self._events = (
            None if tensorboard is None else _open_events(tensorboard, resume_step=resume_step)
        )

    def write(
        self, values: Mapping[str, float], *, step: int, time_s: float, split: Split = "train"
    ) -> None:
        """Append one line.

        Args:
            values: Numbers by name.
            step: Steps done.
            time_s: Seconds that the run has taken.
            split: Where the numbers come from.

        Raises:
            OSError: if the disk is full; the file then ends with the line before.
        """
        numbers = {
            name: float(value) if math.isfinite(value) else None for name, value in values.items()
        }
        entry = {"step": step, "time_s": round(time_s, 3), "split": split, "values": numbers}
        line = json.dumps(entry, allow_nan=False, separators=(",", ":")).encode() + b"\n"
        _append(self._file, line)
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(f"{split}/{name}", value, step)

    def close(self) -> None:
        """Close the file and flush the events."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._events is not None:
            self._events.close()
            self._events = None

    def __enter__(self) -> "MetricsWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ScalarWindow:
    """The scalars of the steps since the last line, left on their device until they are asked for.

    >>> window = ScalarWindow()
    >>> window.add({"loss/edge": torch.tensor(1.0), "lr/backbone": 0.5})
    >>> window.add({"loss/edge": torch.tensor(3.0)})
    >>> window.take()
    {'loss/edge': 2.0, 'lr/backbone': 0.5}
    """

    def __init__(self) -> None:
        self._tensors: dict[str, list[Tensor]] = {}
        self._numbers: dict[str, list[float]] = {}

    def add(self, scalars: Mapping[str, Tensor | float]) -> None:
        """Keep the scalars of one step; nothing is fetched."""
        for name, scalar in scalars.items():
            if isinstance(scalar, Tensor):
                self._tensors.setdefault(name, []).append(scalar.detach())
            else:
                self._numbers.setdefault(name, []).append(float(scalar))

    def take(self) -> dict[str, float]:
        """Fetch each name's mean over the steps in which it occurred, in one transfer, and begin anew.

        A mean is not finite where one of its values was not.
        """
        flat = [scalar for scalars in self._tensors.values() for scalar in scalars]
        fetched = iter(_fetch(flat))
        means = {
            name: sum(next(fetched) for _ in scalars) / len(scalars)
            for name, scalars in self._tensors.items()
        }
        means |= {name: sum(numbers) / len(numbers) for name, numbers in self._numbers.items()}
        self._tensors, self._numbers = {}, {}
        return means


def _fetch(scalars: list[Tensor]) -> list[float]:
    if not scalars:
        return []
    first = scalars[0]
    alike = all(s.dtype == first.dtype and s.device == first.device for s in scalars)
    if not alike:
        scalars = [scalar.to(device=first.device, dtype=torch.float32) for scalar in scalars]
    fetched: list[float] = torch.stack([scalar.reshape(()) for scalar in scalars]).tolist()
    return fetched


def read_metrics(path: Path) -> Metrics:
    """Read a `metrics.jsonl`, whole or cut off anywhere.

    Where steps go back, as after a resumption that cut nothing, the later lines count.

    Raises:
        OSError: if the file cannot be read.
    """
    growing: dict[str, dict[str, tuple[array[int], array[float], array[float]]]] = {
        split: {} for split in get_args(Split)
    }
    broken = 0
    for line in _lines(path):
        entry = _parse(line)
        if entry is None:
            broken += 1
            continue
        step, time_s, split, values = entry
        for name, value in values.items():
            steps, times, numbers = growing[split].setdefault(
                name, (array("q"), array("d"), array("d"))
            )
            while steps and steps[-1] >= step:
                for column in (steps, times, numbers):
                    column.pop()
            steps.append(step)
            times.append(time_s)
            numbers.append(value)
    train, val = (
        {
            name: Series(step=np.array(s, np.int64), time_s=np.array(t), value=np.array(v))
            for name, (s, t, v) in growing[split].items()
        }
        for split in get_args(Split)
    )
    return Metrics(train=train, val=val, broken_lines=broken)


def _lines(path: Path) -> Iterator[bytes]:
    """Give the file's lines; one that is too long comes in pieces, none of which is an entry."""
    with path.open("rb") as file:
        while line := file.readline(_MAX_LINE_BYTES):
            if line.strip():
                yield line


def _parse(line: bytes) -> tuple[int, float, Split, dict[str, float]] | None:
    """Read an entry, or None if the line is none."""
    if not line.endswith(b"\n"):
        return None
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(entry, dict):
        return None
    step, time_s, split = entry.get("step"), entry.get("time_s"), entry.get("split")
    values = entry.get("values")
    if type(step) is not int or not 0 <= step < 1 << 62 or not isinstance(values, dict):
        return None
    if split not in get_args(Split):
        return None
    numbers = {str(name): _number(value) for name, value in values.items()}
    return step, _number(time_s), "train" if split == "train" else "val", numbers


def _number(value: object) -> float:
    """Read a finite number; anything else is NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if math.isfinite(number) else math.nan


def _cut(path: Path, *, last_step: int) -> None:
    """Rewrite the file without the lines after a step and without broken ones, in one rename."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        for line in _lines(path):
            entry = _parse(line)
            if entry is not None and entry[0] <= last_step:
                file.write(line)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _append(file: int, line: bytes) -> None:
    """Append a line whole or not at all."""
    size = os.fstat(file).st_size
    try:
        written = 0
        while written < len(line):
            written += os.write(file, line[written:])
    except OSError:
        os.ftruncate(file, size)
        raise


def _open_events(folder: Path, *, resume_step: int | None) -> "SummaryWriter":
    """Open TensorBoard's events; what a killed run wrote after the step it resumes at is hidden."""
    from torch.utils.tensorboard import SummaryWriter

    purge_step = None if resume_step is None else resume_step + 1
    return SummaryWriter(str(folder), purge_step=purge_step, max_queue=100, flush_secs=30)
