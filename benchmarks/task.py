"""What `transfer-bench` asks of a task: the seam between the command and each benchmark."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from scenelift.benchmarks.card import Outcome
from scenelift.benchmarks.network import Network

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class BenchError(ValueError):
    """A benchmark that cannot run: the message says what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What a task is run with, beside its settings."""

    data: Path
    """Folder or archive of the data set, as published."""
    out: Path
    """A folder of its own: saved scores, pictures, partial results."""
    seed: int
    final: bool
    """Judge the locked test split; else the pictures held out for selection."""
    progress: Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """How much a task will do, so that its time can be told before it starts."""

    forward_px: float
    """Pixels of pictures that the whole backbone sees once, forwards."""
    trained_px: float
    """Pixels that it sees forwards and backwards."""
    other_s: float = 0.0
    """Seconds that do not depend on the network: proposals, linear algebra."""


@runtime_checkable
class Task(Protocol):
    """One benchmark with its settings: a frozen dataclass; two recipes, `desk()` and `paper()`, make one."""

    @property
    def name(self) -> str:
        """What the command calls it: `probe`, `voc-classification`, ..."""
        ...

    def work(self, network: Network, *, job: Job) -> Work:
        """Say how much there is to do.

        Raises:
            BenchError: if the data cannot be used.
        """
        ...

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Measure. Same network, job and settings give the same figures on a CPU.

        Raises:
            BenchError: if the data cannot be used; one line.
            OSError: if something cannot be read or written.
        """
        ...
