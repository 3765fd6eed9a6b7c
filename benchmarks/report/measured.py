"""Our own figures as tables: networks down, figures across, and how far each trained network lies above a random one."""

from collections.abc import Iterable, Mapping, Sequence

from scenelift.benchmarks.card import Figure
from scenelift.benchmarks.report.collect import FigureKey, Group, Result
from scenelift.benchmarks.report.layout import Cell, Heading, Row, Table, number_cell, words

MANY = 8
"""A figure of more groups than this (one a class) goes down the page instead of across; more columns than this are split."""
INTERVAL_NOTE = "±: 95 % interval over seeds by Student's t; no interval for one seed."
PAIRED_NOTE = (
    "Differences are taken seed by seed; bold: the whole 95 % interval is on the better side."
)


def measured_tables(group: Group) -> list[Table]:
    """Lay out all figures of a group, those of many classes last."""
    figures = group.figures()
    per_class = _of_many_groups(figures)
    chunks: dict[tuple[str, str], list[FigureKey]] = {}
    for key in figures:
        if key not in per_class:
            chunks.setdefault((key.group, key.name if key.layer else ""), []).append(key)
    tables = [
        _across(group, keys[start : start + MANY], figures=figures, about=about)
        for about, keys in chunks.items()
        for start in range(0, len(keys), MANY)
    ]
    details: dict[tuple[str, str], list[FigureKey]] = {}
    for key in per_class:
        details.setdefault((key.layer, key.name), []).append(key)
    return tables + [_down(group, keys, figures=figures) for keys in details.values()]


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
    group: Group,
    keys: Sequence[FigureKey],
    *,
    figures: Mapping[FigureKey, Figure],
    about: tuple[str, str],
) -> Table:
    columns = tuple(
        Heading(
            name=key.layer or key.name, unit=figures[key].unit, definition=figures[key].definition
        )
        for key in keys
    )
    rows = [
        Row(
            kind="measured",
            head=(words(result.label), words(str(len(result.by_seed)))),
            cells=tuple(
                number_cell(result.mean(key), digits=digits_of(figures[key].unit)) for key in keys
            ),
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
    told = ", ".join(part for part in about if part)
    return Table(
        title=_title(group, told),
        lead=lead_of(group),
        labels=("network", "seeds"),
        columns=columns,
        rows=(*rows, *differences),
        notes=(INTERVAL_NOTE, *((PAIRED_NOTE,) if differences else ()), *group.notes()),
    )


def _down(group: Group, keys: Sequence[FigureKey], *, figures: Mapping[FigureKey, Figure]) -> Table:
    first = figures[keys[0]]
    about = ", ".join(part for part in (first.layer, first.name) if part)
    rows = tuple(
        Row(
            kind="measured",
            head=(words(key.group),),
            cells=tuple(
                number_cell(result.mean(key), digits=digits_of(figures[key].unit))
                for result in group.results
            ),
        )
        for key in keys
    )
    return Table(
        title=_title(group, f"{about}, by group"),
        lead=lead_of(group),
        labels=("group",),
        columns=tuple(
            Heading(name=result.label, unit=first.unit, definition=first.definition)
            for result in group.results
        ),
        rows=rows,
        notes=(INTERVAL_NOTE,),
    )


def _of_many_groups(figures: Iterable[FigureKey]) -> list[FigureKey]:
    """Find the figures that come once for each of many groups, in their order."""
    groups: dict[tuple[str, str], list[FigureKey]] = {}
    for key in figures:
        groups.setdefault((key.layer, key.name), []).append(key)
    return [key for keys in groups.values() if len(keys) > MANY for key in keys]
