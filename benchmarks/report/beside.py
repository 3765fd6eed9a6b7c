"""The tables of the literature, with our rows below theirs wherever ours were judged on a test split."""

from collections.abc import Sequence

from scenelift.benchmarks.card import Figure
from scenelift.benchmarks.literature import (
    TABLES,
    PublishedRow,
    PublishedTable,
    published_table,
    say_evidence,
)
from scenelift.benchmarks.report.collect import FigureKey, Group, Result
from scenelift.benchmarks.report.comparable import ground_truth, matching_key, why_not_comparable
from scenelift.benchmarks.report.layout import (
    NOTHING,
    Cell,
    Heading,
    Row,
    Table,
    number_cell,
    published_cell,
    words,
)
from scenelift.benchmarks.report.measured import INTERVAL_NOTE, digits_of

_ALL_LAYERS = "all"
"""The mode of fine-tuning that the published column is of."""
_LOCKED = "Ours were judged on pictures held out for selection and stand in tables of their own: the two never share a table."
_NONE = "No result of ours belongs here."
_BESIDE = "Ours, below, were judged on a test split; a footnote says of each row why it does or does not compare."
_UNVERIFIED = "H, M, L: recollections of the papers with high, medium and low confidence, not checked against them."


def literature_tables(groups: Sequence[Group]) -> list[Table]:
    """Lay out the published tables that our tasks belong to."""
    tables = []
    for published in map(published_table, TABLES):
        ours = [group for group in groups if group.task.startswith(published.task)]
        if ours:
            tables.append(_table(published, ours))
    return tables


def _table(published: PublishedTable, groups: Sequence[Group]) -> Table:
    labels = list(dict.fromkeys(name for row in published.rows for name in row.labels))
    judged = [
        (group, result)
        for group in groups
        for result in group.results
        if group.split == "test" and ("tasks" not in labels or result.facts.training)
    ]
    matched = [[matching_key(column, group) for column in published.columns] for group, _ in judged]
    has_match = any(key is not None for keys in matched for key in keys)
    extra = {} if has_match else _own_columns([group for group, _ in judged])
    own_rows = []
    for (group, result), keys in zip(judged, matched, strict=True):
        all_keys = [*keys, *(_key_of_column(name, group) for name in extra)]
        if any(key is not None for key in all_keys):
            own_rows.append(_own_row(published, group, result, keys=all_keys, labels=labels))
    columns = [
        Heading(name=c.name, unit=c.unit, definition=c.definition) for c in published.columns
    ]
    columns += [
        Heading(name=name, unit=figure.unit, definition=figure.definition)
        for name, figure in extra.items()
    ]
    rows = [
        _published_row(row, published, labels=labels, empty=len(extra)) for row in published.rows
    ]
    locked = all(group.split != "test" for group in groups)
    unverified = any(row.evidence in ("H", "M", "L") for row in published.rows)
    return Table(
        title=published.title,
        lead=_BESIDE if own_rows else _LOCKED if locked else _NONE,
        labels=("method", "learnt from", "known from", *labels),
        columns=tuple(columns),
        rows=(*rows, *own_rows),
        notes=(
            *published.notes,
            *((_UNVERIFIED,) if unverified else ()),
            *((INTERVAL_NOTE,) if own_rows else ()),
        ),
        detail=not own_rows,
    )


def _own_columns(groups: Sequence[Group]) -> dict[str, Figure]:
    """Choose columns of our own where no definition of ours is the published one: averages only, one a definition."""
    return {
        _column_name(group, key): figure
        for group in groups
        for key, figure in group.figures().items()
        if figure.name.startswith("mAP") and "chance" not in figure.name
        if key.group in ("", _ALL_LAYERS)
    }


def _column_name(group: Group, key: FigureKey) -> str:
    mode = "all layers" if key.group == _ALL_LAYERS else key.group
    judged = f"{group.data.name} {group.task.removeprefix('voc-')}"
    about = ", ".join(part for part in (judged, mode, key.layer) if part)
    return f"ours, {about}: {key.name}"


def _key_of_column(name: str, group: Group) -> FigureKey | None:
    return next((key for key in group.figures() if _column_name(group, key) == name), None)


def _published_row(
    row: PublishedRow, published: PublishedTable, *, labels: Sequence[str], empty: int
) -> Row:
    cells = []
    for column, value in zip(published.columns, row.values, strict=True):
        evidence = row.evidence_of(column)
        differs = f"This value: {say_evidence(evidence)}." if evidence != row.evidence else ""
        cells.append(published_cell(value, differs))
    return Row(
        kind="published",
        head=(
            words(row.method, row.note),
            words(row.learnt_from),
            words(say_evidence(row.evidence)),
            *(words(row.labels.get(name, NOTHING)) for name in labels),
        ),
        cells=(*cells, *(Cell(text=NOTHING),) * empty),
    )


def _own_row(
    published: PublishedTable,
    group: Group,
    result: Result,
    *,
    keys: Sequence[FigureKey | None],
    labels: Sequence[str],
) -> Row:
    reasons = why_not_comparable(published, group, result)
    told = (
        f"Not comparable: {'; '.join(reasons)}."
        if reasons
        else "Comparable: same data, network and protocol."
    )
    figures = group.figures()
    training = dict(result.facts.training)
    if truth := ground_truth(published, group):
        training["ground truth"] = truth
    learnt = "nothing" if result.is_random else training.get("learnt from", "not said")
    seeds = len(result.by_seed)
    return Row(
        kind="measured",
        head=(
            words(f"{result.label} ({group.data.name})", told),
            words(learnt),
            words(f"measured, {seeds} seed{'s' if seeds > 1 else ''}"),
            *(words(training.get(name, NOTHING)) for name in labels),
        ),
        cells=tuple(
            Cell(text=NOTHING)
            if key is None
            else number_cell(result.mean(key), digits=digits_of(figures[key].unit))
            for key in keys
        ),
    )
