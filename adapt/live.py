"""The live table of a training run in a terminal, or one plain line now and then where there is none."""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

_BAR, _TREND = 24, 24
_BLOCKS = "▁▂▃▄▅▆▇█"
_REFRESH_S = 0.25


class LiveTable:
    """What a run does, as it does it; a context manager. It starts no thread."""

    def __init__(
        self,
        *,
        steps: int,
        console: Console | None = None,
        line_every_s: float = 30.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare the table.

        Args:
            steps: Steps of the whole run.
            console: Where to write; None: the standard error. Where it is no terminal, plain lines come instead.
            line_every_s: Seconds between plain lines.
            now: A clock in seconds.
        """
        self._steps = steps
        self._console = console if console is not None else Console(stderr=True)
        self._line_every_s = line_every_s
        self._now = now
        self._shown_s = -math.inf
        self._moments: deque[tuple[float, int]] = deque(maxlen=64)
        self._recent: dict[str, deque[float]] = {}
        self._live = (
            Live(console=self._console, auto_refresh=False) if self._console.is_terminal else None
        )

    def __enter__(self) -> "LiveTable":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, values: Mapping[str, float], *, step: int) -> None:
        """Show what was logged, unless something was shown a moment ago.

        Args:
            values: Numbers by name, as in `metrics.jsonl`.
            step: Steps done.
        """
        now = self._now()
        self._moments.append((now, step))
        for name, value in values.items():
            self._recent.setdefault(name, deque(maxlen=_TREND)).append(value)
        pause = _REFRESH_S if self._live is not None else self._line_every_s
        if now - self._shown_s < pause and step < self._steps:
            return
        self._shown_s = now
        if self._live is not None:
            self._live.update(self.table(), refresh=True)
        else:
            self._console.print(self.line(), markup=False, highlight=False, soft_wrap=True)

    def left_s(self) -> float | None:
        """Return the seconds left at the present speed; None if not known yet."""
        if len(self._moments) < 2:
            return None
        (first_s, first), (last_s, last) = self._moments[0], self._moments[-1]
        if last <= first or last_s <= first_s:
            return None
        return (self._steps - last) * (last_s - first_s) / (last - first)

    def line(self) -> str:
        """Return the state as one plain line."""
        latest = {name: recent[-1] for name, recent in self._recent.items()}
        parts = [self._progress()]
        parts += [
            f"{name.removeprefix('loss/')} {_short(value)}"
            for name, value in latest.items()
            if name.startswith("loss/")
        ]
        accuracies = [
            f"{latest[f'critic/accuracy_{domain}']:.0%} {domain}"
            for domain in ("synthetic", "real")
            if math.isfinite(latest.get(f"critic/accuracy_{domain}", math.nan))
        ]
        if accuracies:
            parts.append("critic " + " ".join(accuracies))
        if "rate/images_per_s" in latest:
            parts.append(f"{_short(latest['rate/images_per_s'])} images/s")
        return ", ".join(parts)

    def table(self) -> Table:
        """Return the state as a table."""
        table = Table(title=self._progress(), title_justify="left", box=None, pad_edge=False)
        table.add_column("", style="dim", no_wrap=True)
        table.add_column("now", justify="right", no_wrap=True)
        table.add_column("lately", no_wrap=True)
        for name, recent in self._recent.items():
            if name.startswith("loss/"):
                table.add_row(name, _mark(recent[-1]), trend(recent))
        for domain in ("synthetic", "real"):
            recent = self._recent.get(f"critic/accuracy_{domain}", deque())
            if recent:
                table.add_row(f"critic, {domain}", _percent(recent[-1]), chance_bar(recent[-1]))
        for name, label in (
            ("align/weight", "alignment weight"),
            ("gradient/ratio", "gradient ratio"),
        ):
            if name in self._recent:
                table.add_row(label, _mark(self._recent[name][-1]), trend(self._recent[name]))
        if "rate/images_per_s" in self._recent:
            speed = self._recent["rate/images_per_s"]
            table.add_row("images/s", _mark(speed[-1]), trend(speed))
        if "rate/wait_share" in self._recent:
            waiting = self._recent["rate/wait_share"]
            table.add_row("waiting for data", _percent(waiting[-1]), trend(waiting))
        return table

    def _progress(self) -> str:
        step = self._moments[-1][1] if self._moments else 0
        left = self.left_s()
        told = "" if left is None else f", {duration(left)} left"
        return f"step {step:,} of {self._steps:,}{told}"


def chance_bar(accuracy: float) -> str:
    """Draw an accuracy from 0 to 1 as a bar with a mark at chance.

    >>> chance_bar(0.75)
    '████████████┃█████      '
    """
    if not math.isfinite(accuracy):
        return ""
    filled = round(min(max(accuracy, 0.0), 1.0) * _BAR)
    cells = ["█" if cell < filled else " " for cell in range(_BAR)]
    cells[_BAR // 2] = "┃"
    return "".join(cells)


def trend(values: "deque[float]") -> str:
    """Draw values as little blocks from their least to their greatest; `!` where one is not finite.

    >>> trend(deque([1.0, 2.0, math.nan, 3.0]))
    '▁▅!█'
    """
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 0.0)
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(
        _BLOCKS[int((value - low) * scale + 0.5)] if math.isfinite(value) else "!"
        for value in values
    )


def duration(seconds: float) -> str:
    """Say a time in its two largest units.

    >>> duration(42.4), duration(3_700), duration(200_000)
    ('42 s', '1 h 1 min', '2 d 7 h')
    """
    if not math.isfinite(seconds):
        return "unknown"
    whole = round(max(seconds, 0.0))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def _short(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "not finite"


def _mark(value: float) -> Text:
    return Text(_short(value), style="" if math.isfinite(value) else "bold red")


def _percent(share: float) -> Text:
    return Text(f"{share:.0%}" if math.isfinite(share) else "not finite")
