"""How figures are laid out: which stand across, which go down the page, and which are answers that know nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scenelift.benchmarks.card import Figure
from scenelift.benchmarks.report.collect import FigureKey

MANY = 8
"""A figure of more groups than this (one a class) goes down the page instead of across; more columns than this are split."""
CONSTANT = ", constant"
"""Ends the group of a figure that an answer without a network gives; it stands as a row below the networks."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Figures that stand side by side."""

    title: str
    keys: tuple[FigureKey, ...]
    headings: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Detail:
    """Figures of many classes, one below the other."""

    title: str
    keys: tuple[FigureKey, ...]
    names: tuple[str, ...]


def across(figures: Mapping[FigureKey, Figure]) -> list[Chunk]:
    """Choose the figures that stand side by side: by layer where a figure has several layers, else those of a group."""
    detailed = set(_of_many_groups(figures))
    by_group: dict[str, list[FigureKey]] = {}
    for key in figures:
        if key not in detailed and not is_constant(key, figures):
            by_group.setdefault(key.group, []).append(key)
    chunks = []
    for group, keys in by_group.items():
        layered: dict[str, list[FigureKey]] = {}
        for key in keys:
            layered.setdefault(key.name if key.layer else "", []).append(key)
        for name, some in layered.items():
            if name and len(some) > 1:
                chunks += _split(_joined(group, name), some, [key.layer for key in some])
        rest = [key for key in keys if not key.layer or len(layered[key.name]) == 1]
        chunks += _split(group, rest, [_joined(key.layer, key.name) for key in rest])
    return chunks


def down(figures: Mapping[FigureKey, Figure]) -> list[Detail]:
    """Choose the figures of many groups; what stands before a stroke in a group's name parts them into tables."""
    details: dict[tuple[str, str, str], list[FigureKey]] = {}
    for key in _of_many_groups(figures):
        above = key.group.rpartition("/")[0]
        details.setdefault((above, key.layer, key.name), []).append(key)
    return [
        Detail(
            title=_joined(*about),
            keys=tuple(keys),
            names=tuple(key.group.rpartition("/")[2] for key in keys),
        )
        for about, keys in details.items()
    ]


def is_constant(key: FigureKey, figures: Iterable[FigureKey]) -> bool:
    """Tell whether a figure is that of an answer without a network, beside one of a network."""
    base = FigureKey(group=key.group.removesuffix(CONSTANT), layer=key.layer, name=key.name)
    return base != key and base in set(figures)


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _split(title: str, keys: Sequence[FigureKey], headings: Sequence[str]) -> list[Chunk]:
    return [
        Chunk(
            title=title,
            keys=tuple(keys[start : start + MANY]),
            headings=tuple(headings[start : start + MANY]),
        )
        for start in range(0, len(keys), MANY)
    ]


def _of_many_groups(figures: Iterable[FigureKey]) -> list[FigureKey]:
    """Find the figures that come once for each of many groups, in their order."""
    groups: dict[tuple[str, str], list[FigureKey]] = {}
    for key in figures:
        groups.setdefault((key.layer, key.name), []).append(key)
    return [key for keys in groups.values() if len(keys) > MANY for key in keys]
