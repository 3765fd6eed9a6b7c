"""Writing the report in all its forms."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from scenelift.benchmarks.report.beside import literature_tables
from scenelift.benchmarks.report.collect import find_cards, group_cards
from scenelift.benchmarks.report.comparable import anchor_sentences
from scenelift.benchmarks.report.layout import Cell, Table, marks
from scenelift.benchmarks.report.measured import measured_tables
from scenelift.benchmarks.report.page import build_page
from scenelift.benchmarks.report.pictures import pictures_of
from scenelift.benchmarks.report.plain_files import to_csv, to_latex, to_markdown

TITLE = "How the features transfer"


def write_reports(folders: Sequence[Path], *, out: Path, console: Console) -> list[Path]:
    """Print the tables of all cards below some folders and write them as HTML, Markdown, LaTeX and CSV.

    The same cards give the same bytes.

    Args:
        folders: Where `transfer-bench` wrote to.
        out: A folder; it is made if it is not there.
        console: Where to print.

    Returns:
        The files.

    Raises:
        CardError: if there is no card.
        OSError: if something cannot be read or written.
    """
    cards, unread = find_cards(folders)
    groups, left_out = group_cards(cards)
    measured = [(group, measured_tables(group)) for group in groups]
    published = literature_tables(groups)
    anchors = anchor_sentences(groups)
    pictures, unseen = pictures_of(groups, folders=folders)
    troubles = [*unread, *left_out, *unseen]
    tables = [*published, *(table for _, own in measured for table in own)]
    for table in tables:
        if not table.detail:
            _print(table, console=console)
    for sentence in (*anchors, *troubles):
        console.print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)
    page = build_page(
        published=published,
        measured=measured,
        anchors=anchors,
        pictures=pictures,
        troubles=troubles,
    )
    remarks = (("Anchor check", anchors), ("What is missing", troubles))
    out.mkdir(parents=True, exist_ok=True)
    return [
        _write(out / "report.html", page),
        _write(out / "report.md", to_markdown(TITLE, tables, remarks=remarks)),
        _write(out / "report.tex", to_latex(tables)),
        _write(out / "report.csv", to_csv(tables)),
    ]


def _print(table: Table, *, console: Console) -> None:
    footnotes = table.footnotes()
    shown = RichTable(title=Text(table.title), title_justify="left", box=None, pad_edge=False)
    for name in table.labels:
        shown.add_column(Text(name))
    for column in table.columns:
        unit = f" {column.unit}" if column.unit else ""
        mark = f" [{footnotes.index(column.definition) + 1}]" if column.definition else ""
        shown.add_column(Text(f"{column.name}{unit}{mark}"), justify="right")
    before = ""
    for row in table.rows:
        if before and row.kind != before:
            shown.add_section()
        before = row.kind
        shown.add_row(*(_text(cell, footnotes) for cell in (*row.head, *row.cells)))
    console.print(shown)
    below = [f"[{number}] {text}" for number, text in enumerate(footnotes, 1)]
    for line in (table.lead, *below, *table.notes):
        console.print(Text(line, style="dim"), soft_wrap=True)
    console.print()


def _text(cell: Cell, footnotes: Sequence[str]) -> Text:
    told = ",".join(map(str, marks(cell, footnotes)))
    text = f"{cell.text} [{told}]" if told else cell.text
    return Text(text, style="bold" if cell.stands_out else "")


def _write(path: Path, text: str) -> Path:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return path
