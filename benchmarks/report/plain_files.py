"""Tables as Markdown, LaTeX and CSV."""

import csv
import io
from collections.abc import Sequence

from scenelift.benchmarks.report.layout import Cell, Heading, Table, marks

_MARKDOWN = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"})
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$", "°": r"$^\circ$", "\N{EN DASH}": "--",
    "\N{MINUS SIGN}": r"$-$", "<": r"$<$", ">": r"$>$", "\N{MULTIPLICATION SIGN}": r"$\times$",
}  # fmt: skip


def to_markdown(
    title: str, tables: Sequence[Table], *, remarks: Sequence[tuple[str, Sequence[str]]]
) -> str:
    """Write tables as Markdown.

    Args:
        title: Of the page.
        tables: In order.
        remarks: Lists of sentences after the tables, each with its heading.
    """
    parts = [f"# {_md(title)}"]
    for table in tables:
        footnotes = table.footnotes()
        header = [
            *map(_md, table.labels),
            *(_md_heading(column, footnotes) for column in table.columns),
        ]
        rule = ["---"] * len(table.labels) + ["---:"] * len(table.columns)
        lines = [header, rule]
        lines += [
            [_md_cell(cell, footnotes) for cell in (*row.head, *row.cells)] for row in table.rows
        ]
        parts.append(f"## {_md(table.title)}\n\n{_md(table.lead)}")
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in lines))
        below = [f"{number}. {_md(text)}" for number, text in enumerate(footnotes, 1)]
        if below:
            parts.append("\n".join(below))
        if table.notes:
            parts.append("\n".join(f"- {_md(note)}" for note in table.notes))
    for heading, sentences in remarks:
        if sentences:
            parts.append(f"## {_md(heading)}")
            parts.append("\n".join(f"- {_md(sentence)}" for sentence in sentences))
    return "\n\n".join(parts) + "\n"


def to_latex(tables: Sequence[Table]) -> str:
    """Write tables as LaTeX for the package booktabs; no other is needed."""
    return "% needs \\usepackage{booktabs}\n" + "\n".join(map(_latex_table, tables))


def to_csv(tables: Sequence[Table]) -> str:
    """Write every number of every table as a line: table, row, column, value, half of its interval, unit, definition."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(
        [
            "table",
            "judged",
            "kind",
            "row",
            "column",
            "value",
            "half_interval",
            "unit",
            "footnotes",
            "definition",
        ]
    )
    for table in tables:
        for row in table.rows:
            name = " / ".join(cell.text for cell in row.head)
            head_notes = [note for cell in row.head for note in cell.notes]
            for column, cell in zip(table.columns, row.cells, strict=True):
                if cell.value is not None:
                    half = "" if cell.half_width is None else repr(cell.half_width)
                    notes = " ".join([*head_notes, *cell.notes])
                    line = (
                        table.title,
                        table.lead,
                        row.kind,
                        name,
                        column.name,
                        repr(cell.value),
                        half,
                    )
                    writer.writerow(map(_csv, (*line, column.unit, notes, column.definition)))
    return written.getvalue()


def _csv(text: str) -> str:
    """Keep a spreadsheet from taking a text for a formula."""
    return f"'{text}" if text[:1] in ("=", "@", "+") else text


def _md(text: str) -> str:
    return " ".join(text.split()).translate(_MARKDOWN)


def _md_heading(column: Heading, footnotes: Sequence[str]) -> str:
    unit = f" ({column.unit})" if column.unit else ""
    mark = f" [{footnotes.index(column.definition) + 1}]" if column.definition else ""
    return f"{_md(column.name + unit)}{mark}"


def _md_cell(cell: Cell, footnotes: Sequence[str]) -> str:
    text = f"**{_md(cell.text)}**" if cell.stands_out else _md(cell.text)
    told = ", ".join(map(str, marks(cell, footnotes)))
    return f"{text} [{told}]" if told else text


def _latex_table(table: Table) -> str:
    footnotes = table.footnotes()
    form = "l" * len(table.labels) + "r" * len(table.columns)
    header = [*map(_tex, table.labels)]
    for column in table.columns:
        unit = f" ({_tex(column.unit)})" if column.unit else ""
        mark = f"$^{{{footnotes.index(column.definition) + 1}}}$" if column.definition else ""
        header.append(f"{_tex(column.name)}{unit}{mark}")
    lines = [
        r"\begin{table}\centering\small",
        rf"\caption{{{_tex(table.title)}. {_tex(table.lead)}}}",
        rf"\begin{{tabular}}{{{form}}}",
        r"\toprule",
        " & ".join(header) + r" \\",
        r"\midrule",
    ]
    before = ""
    for row in table.rows:
        if before and row.kind != before:
            lines.append(r"\midrule")
        before = row.kind
        lines.append(" & ".join(_tex_cell(c, footnotes) for c in (*row.head, *row.cells)) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}", ""]
    lines += [
        rf"{{\footnotesize $^{{{i}}}$ {_tex(text)}\par}}" for i, text in enumerate(footnotes, 1)
    ]
    lines += [rf"{{\footnotesize {_tex(note)}\par}}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}", ""])


def _tex_cell(cell: Cell, footnotes: Sequence[str]) -> str:
    text = rf"\textbf{{{_tex(cell.text)}}}" if cell.stands_out else _tex(cell.text)
    told = ",".join(map(str, marks(cell, footnotes)))
    return f"{text}$^{{{told}}}$" if told else text


def _tex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(text.split()))
