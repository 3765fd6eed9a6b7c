"""Our own figures as tables: networks down, figures across, and how far each trained network lies above a random one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scenelift.benchmarks.card import Figure
from scenelift.benchmarks.report.collect import FigureKey, Group, Result
from scenelift.benchmarks.report.headings import CONSTANT, Chunk, Detail, across, down
from scenelift.benchmarks.report.layout import (
    NOTHING,
    Cell,
    Heading,
    Row,
    Table,
    number_cell,
    words,
)

INTERVAL_NOTE = "±: 95 % interval over seeds by Student's t; no interval for one seed."
PAIRED_NOTE = (
    "Differences are taken seed by seed; bold: the whole 95 % interval is on the better side."
)


def measured_tables(group: Group) -> list[Table]:
    """Lay out all figures of a group, those of many classes last; its notes stand below the first table."""
    figures = group.figures()
    return [
        *(
            _across(group, chunk, figures=figures, notes=() if place else group.notes())
            for place, chunk in enumerate(across(figures))
        ),
        *(_down(group, detail, figures=figures) for detail in down(figures)),
    ]


def digits_of(unit: str) -> int:
    """Return the decimals that a figure is printed with."""
    return 2 if unit in ("%", "°") else 3


def lead_of(group: Group) -> str:
    """Say what the numbers were judged on."""
    splits = group.data.splits
    if group.split == "test":
        count = splits.get("test")
        return f"Judged on the test split{f', {count:,} pictures' if count else ''}."
    count = splits.get("selection")
    pictures = f"{count:,} pictures" if count else "pictures"
    return (
        f"Judged on {pictures} held out for selection, the test split still locked: these numbers choose a network, "
        "they do not compare with published ones."
    )


def baselines(results: Sequence[Result]) -> Iterable[tuple[Result, Result]]:
    """Pair each trained network with the random one of its backbone."""
    for result in results:
        for other in results:
            same = other.facts.backbone == result.facts.backbone
            if other.is_random and not result.is_random and same:
                yield result, other
                break


def difference_cell(result: Result, other: Result, key: FigureKey, *, figure: Figure) -> Cell:
    """Make a cell of a paired difference, bold where it is surely an improvement."""
    difference = result.minus(other, key)
    sign = 1 if figure.better == "higher" else -1
    sure = difference is not None and difference.excludes_zero and difference.value * sign > 0
    return number_cell(difference, digits=digits_of(figure.unit), signed=True, bold=sure)


def _title(group: Group, about: str) -> str:
    split = "test split" if group.split == "test" else "selection pictures"
    return f"{group.title}{f': {about}' if about else ''} ({split})"


def _across(
    group: Group, chunk: Chunk, *, figures: Mapping[FigureKey, Figure], notes: Sequence[str]
) -> Table:
    keys = chunk.keys
    columns = tuple(
        Heading(name=name, unit=figures[key].unit, definition=figures[key].definition)
        for key, name in zip(keys, chunk.headings, strict=True)
    )
    rows = [
        Row(
            kind="measured",
            head=(words(result.label), words(str(len(result.by_seed)))),
            cells=_cells(result, keys, figures=figures),
        )
        for result in group.results
    ]
    differences = [
        Row(
            kind="difference",
            head=(
                words(f"{result.label} \N{MINUS SIGN} {other.label}"),
                words(str(len(result.by_seed.keys() & other.by_seed.keys()))),
            ),
            cells=tuple(difference_cell(result, other, key, figure=figures[key]) for key in keys),
        )
        for result, other in baselines(group.results)
    ]
    return Table(
        title=_title(group, chunk.title),
        lead=lead_of(group),
        labels=("network", "seeds"),
        columns=columns,
        rows=(*rows, *_constant_rows(group, keys, figures=figures), *differences),
        notes=(INTERVAL_NOTE, *((PAIRED_NOTE,) if differences else ()), *notes),
    )


def _constant_rows(
    group: Group, keys: Sequence[FigureKey], *, figures: Mapping[FigureKey, Figure]
) -> list[Row]:
    """Lay out what an answer without a network gives, if the task judged one."""
    constants = [replace(key, group=key.group + CONSTANT) for key in keys]
    if not any(key in figures for key in constants):
        return []
    first = group.results[0]
    head = (words("the best constant answer"), words(NOTHING))
    return [Row(kind="measured", head=head, cells=_cells(first, constants, figures=figures))]


def _cells(
    result: Result, keys: Sequence[FigureKey], *, figures: Mapping[FigureKey, Figure]
) -> tuple[Cell, ...]:
    return tuple(
        number_cell(result.mean(key), digits=digits_of(figures[key].unit if key in figures else ""))
        for key in keys
    )


def _down(group: Group, detail: Detail, *, figures: Mapping[FigureKey, Figure]) -> Table:
    first = figures[detail.keys[0]]
    rows = tuple(
        Row(
            kind="measured",
            head=(words(name),),
            cells=tuple(
                number_cell(result.mean(key), digits=digits_of(figures[key].unit))
                for result in group.results
            ),
        )
        for key, name in zip(detail.keys, detail.names, strict=True)
    )
    return Table(
        title=_title(group, f"{detail.title}, one by one"),
        lead=lead_of(group),
        labels=("",),
        columns=tuple(
            Heading(name=result.label, unit=first.unit, definition=first.definition)
            for result in group.results
        ),
        rows=rows,
        notes=(INTERVAL_NOTE,),
        detail=True,
    )
