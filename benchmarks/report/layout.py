"""A table as every writer reads it: words, numbers with intervals, and footnotes that headings and cells refer to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from scenelift.benchmarks.statistics import Mean

NOTHING = "\N{EN DASH}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """One entry."""

    text: str
    """What people read."""
    value: float | None = None
    half_width: float | None = None
    """Of the 95 % interval."""
    notes: tuple[str, ...] = ()
    """Footnotes."""
    stands_out: bool = False
    """Set in bold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line."""

    kind: Literal["published", "measured", "difference"]
    head: tuple[Cell, ...]
    """Words: network, evidence, seeds."""
    cells: tuple[Cell, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """Over a column of numbers."""

    name: str
    unit: str
    definition: str
    """Its footnote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """A table with all that a reader must know."""

    title: str
    lead: str
    """One sentence: whose numbers, judged on what."""
    labels: tuple[str, ...]
    """Headings of the columns of words."""
    columns: tuple[Heading, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = field(default=())
    """Below the table, without a mark."""
    detail: bool = False
    """Long and for the curious: folded away on a page, not printed."""

    def footnotes(self) -> list[str]:
        """Return each text that a heading or a cell refers to, once, in reading order."""
        texts = [column.definition for column in self.columns if column.definition]
        for row in self.rows:
            for cell in (*row.head, *row.cells):
                texts += cell.notes
        return list(dict.fromkeys(texts))


def words(text: str, *notes: str) -> Cell:
    """Make a cell of words."""
    return Cell(text=text, notes=tuple(note for note in notes if note))


def number_cell(
    mean: Mean | None, *, digits: int, signed: bool = False, bold: bool = False
) -> Cell:
    """Make a cell of a mean with its interval.

    >>> number_cell(Mean(value=1.234, half_width=0.05, count=3), digits=2).text
    '1.23 ± 0.05'
    """
    if mean is None:
        return Cell(text=NOTHING)
    text = f"{mean.value:{'+' if signed else ''}.{digits}f}".replace("-", "\N{MINUS SIGN}")
    known = math.isfinite(mean.half_width)
    if known:
        text += f" ± {mean.half_width:.{digits}f}"
    return Cell(
        text=text,
        value=mean.value,
        half_width=mean.half_width if known else None,
        stands_out=bold,
    )


def published_cell(value: float | None, *notes: str) -> Cell:
    """Make a cell of a published number, with the digits that it was printed with."""
    if value is None:
        return Cell(text=NOTHING)
    text = f"{value:.1f}" if round(value, 1) == value else f"{value:g}"
    return Cell(text=text, value=value, notes=tuple(note for note in notes if note))


def marks(cell: Cell, footnotes: Sequence[str]) -> list[int]:
    """Return the numbers of a cell's footnotes, from 1."""
    return [footnotes.index(note) + 1 for note in cell.notes]
