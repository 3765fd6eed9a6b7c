"""Curves and intervals as SVG: no script, colours from the page's style, so that dark, light and print all fit."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenelift.adapt.log import Series
from scenelift.adapt.report.markup import escape, number

_WIDTH, _HEIGHT = 380, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 12, 10, 26
_BINS = 110
NUM_COLOURS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One curve."""

    name: str
    """For the key."""
    series: Series
    """What to draw."""
    colour: int
    """Which of the page's colours."""
    held_out: bool = False
    """Drawn dashed, with dots."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Axes:
    """From numbers to places."""

    first: float
    last: float
    low: float
    high: float
    log: bool

    def x(self, step: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        share = (step - self.first) / max(self.last - self.first, 1)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        low, high = (math.log(end) if self.log else end for end in (self.low, self.high))
        place = np.log(np.maximum(value, self.low)) if self.log else value
        share = ((place - low) / (high - low)).clip(0, 1)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)


def chart(
    title: str,
    lines: Sequence[Line],
    *,
    mark: float | None = None,
    mark_name: str = "",
    band: tuple[float, float] | None = None,
    span: tuple[float, float] | None = None,
    log: bool = False,
) -> str:
    """Draw curves over steps as a figure with a key.

    Long curves are drawn as the mean of short stretches, within a shade from their least to their greatest. Red ticks at the
    foot stand where a number was not finite.

    Args:
        title: Above the chart.
        lines: The curves.
        mark: A level to draw across.
        mark_name: What the level means.
        band: A range to shade as good.
        span: Ends of the vertical axis; None fits it.
        log: Use a logarithmic axis where the values span much.

    Returns:
        HTML; empty if no curve has a point.
    """
    lines = [line for line in lines if len(line.series.step)]
    if not lines:
        return ""
    axes = _fit_axes(lines, mark=mark, span=span, log=log)
    parts = [_grid(axes)]
    if band is not None:
        top, bottom = axes.y(np.array([band[1], band[0]]))
        parts.append(
            f'<rect class="band" x="{_LEFT}" y="{top:.1f}" width="{_WIDTH - _LEFT - _RIGHT}" '
            f'height="{max(bottom - top, 0):.1f}"/>'
        )
    if mark is not None:
        (level,) = axes.y(np.array([mark]))
        parts.append(
            f'<path class="mark" d="M{_LEFT} {level:.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text class="t" x="{_WIDTH - _RIGHT}" y="{level - 4:.1f}" text-anchor="end">{escape(mark_name)}</text>'
        )
    parts += [_curve(line, axes=axes) for line in lines]
    key = "".join(
        f'<span class="key k{line.colour % NUM_COLOURS}{" held" if line.held_out else ""}">{escape(line.name)}'
        f" <b>{_latest(line.series)}</b></span>"
        for line in lines
    )
    return (
        f"<figure class=chart><figcaption><h3>{escape(title)}</h3><p>{key}</p></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)} over steps">{"".join(parts)}'
        "</svg></figure>"
    )


def interval(
    value: float, *, low: float, high: float, first: float, last: float, mark: float | None = None
) -> str:
    """Draw a value with its interval on a line from `first` to `last`, as a small picture for a table."""

    def place(number: float) -> str:
        return f"{4 + 112 * min(max((number - first) / (last - first), 0), 1):.1f}"

    if not all(map(math.isfinite, (value, low, high))):
        return ""
    tick = "" if mark is None else f'<path class="mark" d="M{place(mark)} 1V15"/>'
    return (
        f'<svg class="interval" viewBox="0 0 120 16" aria-hidden="true"><path class="rail" d="M4 8H116"/>{tick}'
        f'<path class="l0 wide" d="M{place(low)} 8H{place(high)}"/><circle class="f0" cx="{place(value)}" cy="8" r="3.4"/></svg>'
    )


def _latest(series: Series) -> str:
    last = float(series.value[-1])
    return number(last) if math.isfinite(last) else "not finite"


def _fit_axes(
    lines: Sequence[Line], *, mark: float | None, span: tuple[float, float] | None, log: bool
) -> _Axes:
    steps = np.concatenate([line.series.step for line in lines]).astype(np.float64)
    values = np.concatenate([line.series.value for line in lines])
    values = values[np.isfinite(values)]
    if mark is not None:
        values = np.append(values, mark)
    if span is not None:
        low, high, log = *span, False
    elif not len(values):
        low, high, log = 0.0, 1.0, False
    else:
        low, high = float(values.min()), float(values.max())
        log = log and low > 0 and high / low > 30
        if log:
            low, high = low / 1.2, high * 1.2
        else:
            margin = 0.06 * (high - low) or max(abs(high) * 0.1, 1e-12)
            low = 0.0 if 0 <= low < 0.35 * high else low - margin
            high += margin
    return _Axes(
        first=min(0.0, float(steps.min())), last=float(steps.max()), low=low, high=high, log=log
    )


def _curve(line: Line, *, axes: _Axes) -> str:
    step, value = line.series.step.astype(np.float64), line.series.value
    lost = np.unique(np.round(axes.x(step[~np.isfinite(value)]), 0))[:60]
    ticks = "".join(f'<path class="lost" d="M{x:.0f} {_HEIGHT - _BOTTOM}v-7"/>' for x in lost)
    places, means, least, greatest = _in_bins(step, value)
    x, y = axes.x(places), axes.y(means)
    style = f"l{line.colour % NUM_COLOURS}{' held' if line.held_out else ''}"
    shade = ""
    if len(places) < len(step) and len(places) > 1:
        outline = _path(np.append(x, x[::-1]), np.append(axes.y(greatest), axes.y(least)[::-1]))
        shade = f'<path class="shade f{line.colour % NUM_COLOURS}" d="{outline}Z"/>'
    dots = ""
    if line.held_out or len(places) == 1:
        dots = "".join(
            f'<circle class="f{line.colour % NUM_COLOURS}" cx="{a:.1f}" cy="{b:.1f}" r="2"/>'
            for a, b in zip(x, y, strict=True)
        )
    return f'{shade}<path class="{style}" d="{_path(x, y)}"/>{dots}{ticks}'


def _in_bins(
    step: Float64[np.ndarray, " n"], value: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " k"], ...]:
    """Return place, mean, least and greatest of short stretches, or the points themselves if they are few."""
    known = np.isfinite(value)
    step, value = step[known], value[known]
    if len(step) <= 2 * _BINS:
        return step, value, value, value
    starts = np.linspace(0, len(step), _BINS, endpoint=False).astype(int)
    counts = np.diff(np.append(starts, len(step)))
    return (
        np.add.reduceat(step, starts) / counts,
        np.add.reduceat(value, starts) / counts,
        np.minimum.reduceat(value, starts),
        np.maximum.reduceat(value, starts),
    )


def _path(x: Float64[np.ndarray, " n"], y: Float64[np.ndarray, " n"]) -> str:
    return "".join(
        f"{'L' if index else 'M'}{a:.1f} {b:.1f}"
        for index, (a, b) in enumerate(zip(x, y, strict=True))
    )


def _grid(axes: _Axes) -> str:
    parts = []
    for tick in ticks(axes.low, axes.high, log=axes.log):
        (y,) = axes.y(np.array([tick]))
        parts.append(
            f'<path class="grid" d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text class="t" x="{_LEFT - 6}" y="{y + 3.5:.1f}" text-anchor="end">{short(tick)}</text>'
        )
    for index, tick in enumerate(ticks(axes.first, axes.last, log=False, count=4)):
        (x,) = axes.x(np.array([tick]))
        name = f"{short(tick)} steps" if index == 0 and tick else short(tick)
        parts.append(
            f'<text class="t" x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{name}</text>'
        )
    return "".join(parts)


def ticks(low: float, high: float, *, log: bool, count: int = 4) -> list[float]:
    """Choose round numbers between two ends.

    >>> ticks(0.0, 1.0, log=False), ticks(0.003, 4.0, log=True)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.01, 0.1, 1.0])
    """
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        return [low]
    if log:
        first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
        stride = max((last - first) // 5 + 1, 1)
        powers = [10.0**exponent for exponent in range(first, last + 1, stride)]
        if len(powers) >= 2:
            return powers
    rough = (high - low) / count
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * f for f in (1, 2, 5, 10) if size * f >= rough * 0.75)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """Write a tick in few letters.

    >>> short(0.0), short(20_000.0), short(0.05), short(1_500_000.0), short(-0.5)
    ('0', '20k', '0.05', '1.5M', '\N{MINUS SIGN}0.5')
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size and abs(value) < 1e9:
            return f"{value / size:g}{letter}".replace("-", "\N{MINUS SIGN}")
    return f"{value:.6g}".replace("-", "\N{MINUS SIGN}")
