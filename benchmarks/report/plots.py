"""Figures by layer as SVG: one line a network, bars for 95 % intervals, in the style of the training report."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scenelift.adapt.report.charts import NUM_COLOURS, short, ticks
from scenelift.adapt.report.markup import escape
from scenelift.benchmarks.report.collect import FigureKey, Group
from scenelift.benchmarks.statistics import Mean

_WIDTH, _HEIGHT = 380, 210
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 16, 10, 26


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerLine:
    """One network."""

    name: str
    means: tuple[Mean | None, ...]
    """One a layer."""


def layer_plots(group: Group) -> list[str]:
    """Draw every figure that a group has for two layers or more."""
    figures = group.figures()
    layered: dict[tuple[str, str], list[FigureKey]] = {}
    for key in figures:
        if key.layer:
            layered.setdefault((key.group, key.name), []).append(key)
    plots = []
    for (about, name), keys in layered.items():
        if len(keys) > 1:
            title = ", ".join(part for part in (group.title, about, name) if part)
            lines = [
                LayerLine(name=result.label, means=tuple(result.mean(key) for key in keys))
                for result in group.results
            ]
            plots.append(
                layer_plot(title, [key.layer for key in keys], lines, unit=figures[keys[0]].unit)
            )
    return plots


def layer_plot(title: str, layers: Sequence[str], lines: Sequence[LayerLine], *, unit: str) -> str:
    """Draw lines over layers as a figure with a key; intervals as upright bars.

    Returns:
        HTML; empty if there is no number.
    """
    ends = [
        end
        for line in lines
        for mean in line.means
        if mean is not None
        for end in (mean.value - _half(mean), mean.value + _half(mean))
    ]
    if not ends:
        return ""
    low, high = min(ends), max(ends)
    margin = 0.06 * (high - low) or max(abs(high) * 0.1, 1e-9)
    low, high = (0.0 if 0 <= low < 0.35 * high else low - margin), high + margin

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (value - low) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def x(place: int) -> float:
        return _LEFT + 14 + place * (_WIDTH - _LEFT - _RIGHT - 28) / max(len(layers) - 1, 1)

    parts = [
        f'<path class="grid" d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}"/>'
        f'<text class="t" x="{_LEFT - 6}" y="{y(tick) + 3.5:.1f}" text-anchor="end">{short(tick)}</text>'
        for tick in ticks(low, high, log=False)
    ]
    parts += [
        f'<text class="t" x="{x(place):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{escape(layer, max_characters=14)}</text>'
        for place, layer in enumerate(layers)
    ]
    for number, line in enumerate(lines):
        points = [(x(i), m) for i, m in enumerate(line.means) if m is not None]
        parts.append(
            _line(points, y=y, colour=number % NUM_COLOURS, shift=1.5 * (number - len(lines) / 2))
        )
    key = "".join(
        f'<span class="key k{number % NUM_COLOURS}">{escape(line.name)}</span>'
        for number, line in enumerate(lines)
    )
    told = f"{title}{f', {unit}' if unit else ''}"
    return (
        f"<figure class=chart><figcaption><h3>{escape(told)}</h3><p>{key}</p></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(told)} by layer">{"".join(parts)}'
        "</svg></figure>"
    )


def _line(
    points: Sequence[tuple[float, Mean]], *, y: Callable[[float], float], colour: int, shift: float
) -> str:
    """Draw one network, moved aside a little so that bars of several do not hide each other."""
    path = "".join(
        f"{'L' if i else 'M'}{x + shift:.1f} {y(mean.value):.1f}"
        for i, (x, mean) in enumerate(points)
    )
    marks = "".join(
        f'<path class="l{colour} wide" d="M{x + shift:.1f} {y(m.value - _half(m)):.1f}V{y(m.value + _half(m)):.1f}"/>'
        f'<circle class="f{colour}" cx="{x + shift:.1f}" cy="{y(m.value):.1f}" r="2.6"/>'
        for x, m in points
    )
    return f'<path class="l{colour}" d="{path}"/>{marks}'


def _half(mean: Mean) -> float:
    return mean.half_width if math.isfinite(mean.half_width) else 0.0
