"""The report as one HTML file: no script, nothing loaded."""

from collections.abc import Sequence

from scenelift.adapt.report.embed import Embedded
from scenelift.adapt.report.markup import escape, note, section
from scenelift.adapt.report.markup import table as plain_table
from scenelift.adapt.report.style import STYLE
from scenelift.benchmarks.report.collect import Group
from scenelift.benchmarks.report.layout import Cell, Table, marks
from scenelift.benchmarks.report.plots import layer_plots

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_LONG = 1_000
_STYLE = """
tr.measured td{background:var(--wash)}tr.difference td{color:var(--faint)}tr.difference b{color:var(--good)}
tr.first td{border-top:1px solid var(--ink)}
th.n{white-space:normal}
tr td:first-child{padding-left:.4rem}
sup{font-size:.7em;color:var(--faint);margin-left:.15em}
ol.foot,ul.foot{margin:.3rem 0 1.6rem;padding-left:1.4rem;color:var(--faint);font-size:.84rem;max-width:52rem}
figure.picture{margin:1rem 0}.picture img{display:block;max-width:100%;height:auto;background:#fff}
"""


def build_page(
    *,
    published: Sequence[Table],
    measured: Sequence[tuple[Group, Sequence[Table]]],
    anchors: Sequence[str],
    pictures: Sequence[Embedded],
    troubles: Sequence[str],
) -> str:
    """Put the page together."""
    groups = [group for group, _ in measured]
    parts = [_summary(groups)]
    if anchors:
        lead = "Networks whose figures are known, beside what was published for them: the check of the whole chain."
        parts.append(section("Anchor check", _list(anchors), anchor="anchors", lead=lead))
    if published:
        body = "".join(map(_table, published))
        lead = (
            "Published figures, each with what it is known from. Ours stand below a rule, shaded."
        )
        parts.append(section("Beside the literature", body, anchor="literature", lead=lead))
    for split, title in (
        ("test", "Judged on test splits"),
        ("selection", "Judged on selection splits"),
    ):
        chosen = [(group, tables) for group, tables in measured if group.split == split]
        if chosen:
            parts.append(section(title, "".join(_group(*pair) for pair in chosen), anchor=split))
    if pictures:
        parts.append(section("Pictures", "".join(map(_picture, pictures)), anchor="pictures"))
    parts.append(_cards(groups))
    if troubles:
        parts.append(section("What is missing", _list(troubles), anchor="missing"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Transfer report</title><style>{STYLE}{_STYLE}</style></head><body>"
        "<header><p>scenelift transfer-bench</p><h1>How the features transfer</h1></header>"
        f"<main>{''.join(parts)}</main></body></html>\n"
    )


def _summary(groups: Sequence[Group]) -> str:
    networks = list(dict.fromkeys(result.label for group in groups for result in group.results))
    counts = {
        split: sum(len(r.by_seed) for g in groups if g.split == split for r in g.results)
        for split in ("selection", "test")
    }
    tiles = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in (
            ("networks", ", ".join(networks)),
            ("tasks", ", ".join(dict.fromkeys(group.task for group in groups))),
            ("results on selection pictures", str(counts["selection"])),
            ("results on test splits", str(counts["test"])),
        )
    )
    locked = (
        "<p>All numbers of ours were judged on pictures held out for selection; every test split is still locked.</p>"
        if not counts["test"]
        else "<p>Numbers judged on test splits and on selection pictures stand in separate tables.</p>"
    )
    return f'<section id="summary"><h2>Summary</h2><dl class="tiles">{tiles}</dl>{locked}</section>'


def _group(group: Group, tables: Sequence[Table]) -> str:
    plots = "".join(layer_plots(group))
    charts = f"<div class=charts>{plots}</div>" if plots else ""
    return charts + "".join(map(_table, tables))


def _table(table: Table) -> str:
    footnotes = table.footnotes()
    header = [escape(name) for name in table.labels]
    header_numbers = [
        f"{escape(c.name)}{f' <small>{escape(c.unit)}</small>' if c.unit else ''}"
        + (f"<sup>{footnotes.index(c.definition) + 1}</sup>" if c.definition else "")
        for c in table.columns
    ]
    head = "".join(f"<th>{cell}</th>" for cell in header)
    head += "".join(f"<th class=n>{cell}</th>" for cell in header_numbers)
    lines = []
    before = ""
    for row in table.rows:
        first = " first" if before and before != row.kind else ""
        before = row.kind
        cells = "".join(f"<td>{_cell(cell, footnotes)}</td>" for cell in row.head)
        cells += "".join(f"<td class=n>{_cell(cell, footnotes)}</td>" for cell in row.cells)
        lines.append(f'<tr class="{row.kind}{first}">{cells}</tr>')
    below = "".join(f"<li>{escape(text, max_characters=_LONG)}</li>" for text in footnotes)
    notes = "".join(f"<li>{escape(text, max_characters=_LONG)}</li>" for text in table.notes)
    head_line = f"<h3>{escape(table.title)}</h3>"
    body = (
        f"<p>{escape(table.lead)}</p>"
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
        + (f"<ol class=foot>{below}</ol>" if below else "")
        + (f"<ul class=foot>{notes}</ul>" if notes else "")
    )
    if table.detail:
        return f"<details><summary>{escape(table.title)}</summary>{body}</details>"
    return head_line + body


def _cell(cell: Cell, footnotes: Sequence[str]) -> str:
    text = f"<b>{escape(cell.text)}</b>" if cell.stands_out else escape(cell.text)
    told = ",".join(map(str, marks(cell, footnotes)))
    return f"{text}<sup>{told}</sup>" if told else text


def _picture(picture: Embedded) -> str:
    return (
        f'<figure class=picture><img src="{picture.uri}" width={picture.width_px} height={picture.height_px} '
        f'alt="{escape(picture.name)}"><figcaption>{escape(picture.name)}</figcaption></figure>'
    )


def _cards(groups: Sequence[Group]) -> str:
    rows = [
        [
            escape(group.title),
            escape(result.label),
            f"{escape(result.facts.backbone)}<br><small>{escape(result.facts.note)}</small>",
            escape(group.split),
            escape(", ".join(map(str, result.by_seed))),
            f"{sum(found.card.seconds for found in result.by_seed.values()):,.0f} s",
        ]
        for group in groups
        for result in group.results
    ]
    header = ("Task and data", "Network", "Backbone and weights", "Split", "Seeds", "Time")
    body = plain_table(header, rows, right=(5,)) if rows else note("There is none.")
    lead = "Each result is a JSON file with all settings, versions and the data's fingerprint."
    return section("Cards", body, anchor="cards", lead=lead)


def _list(sentences: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text, max_characters=_LONG)}</li>" for text in sentences[:200])
    return f"<ul>{items}</ul>"
