"""What a run of the benchmarks tells while it works: bars on a terminal, a line a unit elsewhere."""

import time
from collections.abc import Callable, Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

from scenelift.adapt.live import duration
from scenelift.benchmarks.runner import Failure, Forecast
from scenelift.benchmarks.suite import Unit
from scenelift.benchmarks.task import Progress


class LiveProgress:
    """A context manager; call it with a unit as the unit starts."""

    def __init__(
        self,
        told: Sequence[Forecast],
        *,
        console: Console,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare.

        Args:
            told: What is to be done, in order, with the seconds expected.
            console: Where to write.
            now: A clock in seconds.
        """
        self._seconds = {one.unit.folder: one.seconds for one in told}
        self._total_s = sum(self._seconds.values())
        self._count = len(told)
        self._console, self._now = console, now
        self._past_s = 0.0
        self._number = 0
        self._current_s = 0.0
        self._begin = now()
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            TextColumn("{task.fields[told]}"),
            console=console,
            transient=True,
        )

    def __enter__(self) -> "LiveProgress":
        if self._console.is_terminal:
            self._all = self._bars.add_task("all", total=max(self._total_s, 1e-9), told="")
            self._one = self._bars.add_task("", total=1.0, told="")
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def __call__(self, unit: Unit) -> Progress:
        """Note that a unit starts."""
        self._past_s += self._current_s
        self._current_s = self._seconds[unit.folder]
        self._number += 1
        left = duration(self.left_s(0.0))
        self._console.print(
            f"{self._number} of {self._count}: {unit.title}; {left} left in all",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        return self._update

    def left_s(self, share: float) -> float:
        """Return the seconds left, corrected by how wrong the forecast was so far.

        Args:
            share: How much of the current unit is done, 0 to 1.
        """
        expected_past = self._past_s + share * self._current_s
        left = self._total_s - expected_past
        elapsed = self._now() - self._begin
        if expected_past < 0.02 * self._total_s or elapsed <= 0:
            return left
        return left * elapsed / expected_past

    def _update(self, what: str, done: int, total: int, /) -> None:
        if not self._console.is_terminal:
            return
        share = min(done / total, 1.0) if total > 0 else 0.0
        self._bars.update(
            self._one, description=what[:40], completed=share, told=f"{done:,} of {total:,}"
        )
        self._bars.update(
            self._all,
            completed=self._past_s,
            told=f"{self._number} of {self._count}, about {duration(self.left_s(0.0))} left",
        )


def plan_table(told: Sequence[Forecast], failures: Sequence[Failure]) -> Table:
    """Return what will be done, with the time that each unit will take."""
    table = Table(box=None, pad_edge=False, title_justify="left")
    for name, justify in (
        ("task", "left"),
        ("data", "left"),
        ("network", "left"),
        ("seed", "right"),
        ("time", "right"),
    ):
        table.add_column(
            name, justify="right" if justify == "right" else "left", no_wrap=name != "time"
        )
    for one in told:
        seconds = "finished" if one.finished else duration(one.seconds)
        table.add_row(*_names(one.unit), seconds)
    for failure in failures:
        table.add_row(*_names(failure.unit), "cannot run")
    return table


def _names(unit: Unit) -> tuple[str, str, str, str]:
    return unit.task.name, unit.data.name, unit.network.facts.label, str(unit.seed)
