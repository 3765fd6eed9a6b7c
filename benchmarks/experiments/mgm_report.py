"""The table of the comparison, as JSON, as Markdown and as one HTML page without network or script."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scenelift.adapt.log import read_metrics
from scenelift.adapt.report.charts import NUM_COLOURS, Line, chart
from scenelift.adapt.report.embed import embed_moments
from scenelift.adapt.report.markup import escape, note, number, section, table
from scenelift.adapt.report.style import STYLE
from scenelift.benchmarks.dense_judge import FIGURES
from scenelift.benchmarks.statistics import mean_with_interval, paired_difference

_SHOWN = {
    "segmentation/miou": "mIoU, %",
    "depth/mean_error": "depth error, m",
    "depth/abs_rel": "depth, relative",
    "normal/mean": "normals, degrees",
}
"""Columns of the table; all other figures are in the JSON."""
_SINGLE = ("st-g", "st-refine", "st-self")
"""Methods of one task, which stand beside ST; the others stand beside MT."""
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A method with a share of the labels."""

    method: str
    title: str
    share: float
    values: dict[str, dict[int, float]]
    """By figure and seed."""
    runs: list[Path]
    """Folders."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What a generator made."""

    title: str
    """Who taught it: `pre-trained` or `MGM`."""
    share: float
    seed: int
    folder: Path
    """Of the run."""
    figures: Mapping[str, float]
    """Distances to real pictures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What is known so far."""

    rows: list[Row]
    constants: Mapping[str, float]
    """Figures of the best answers that look at no picture."""
    generators: list[Made]
    floor: Mapping[str, float]
    """Distances of held-out real pictures."""
    noise: Mapping[str, float]
    """Distances of noise."""
    pseudo_scenes: bool
    num_test: int
    steps: int
    gan_steps: int


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write `table.json`, `table.md` and `report.html`.

    Raises:
        OSError: if one cannot be written.
    """
    for name, text in (
        ("table.json", _json(outcome)),
        ("table.md", _markdown(outcome)),
        ("report.html", _page(outcome)),
    ):
        part = folder / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        part.replace(folder / name)


def table_rows(outcome: Outcome) -> list[list[str]]:
    """Return the cells of the table: share, method, and each figure as mean and half of its 95 % interval."""
    rows = [
        ["", "no picture: the best constants", *(_plain(outcome.constants.get(f)) for f in _SHOWN)]
    ]
    for row in _in_order(outcome.rows):
        cells = [_cell(row.values.get(figure, {})) for figure in _SHOWN]
        rows.append([f"{100 * row.share:g} %", row.title, *cells])
    return rows


def difference_rows(outcome: Outcome) -> list[list[str]]:
    """Return the cells of the second table: each method minus ST or MT on the same labels and seeds, better being positive."""
    by_key = {(row.method, row.share): row for row in outcome.rows}
    rows = []
    for row in _in_order(outcome.rows):
        beside = "st" if row.method in _SINGLE else "mt"
        base = by_key.get((beside, row.share))
        if row.method == beside or base is None:
            continue
        cells = []
        for figure in _SHOWN:
            sign = 1.0 if FIGURES[figure] else -1.0
            ours, theirs = (
                {seed: sign * value for seed, value in r.values.get(figure, {}).items()}
                for r in (row, base)
            )
            gain = paired_difference(ours, theirs)
            if gain is None:
                cells.append("")
            else:
                sure = " *" if gain.excludes_zero else ""
                cells.append(f"{_with_interval(gain.value, gain.half_width, signed=True)}{sure}")
        rows.append([f"{100 * row.share:g} %", f"{row.title} beside {beside.upper()}", *cells])
    return rows


def generator_rows(outcome: Outcome) -> list[list[str]]:
    """Return the cells of the third table: distances of generated pictures to real ones, between held-out pictures and noise."""
    names = list(outcome.floor)
    rows = [["", "held-out photos", *(number(outcome.floor[name]) for name in names)]]
    keys = sorted({(made.share, made.title) for made in outcome.generators})
    for share, title in keys:
        cells = []
        for name in names:
            values = [
                made.figures[name]
                for made in outcome.generators
                if (made.share, made.title) == (share, title)
            ]
            mean = mean_with_interval(values)
            cells.append(_with_interval(mean.value, mean.half_width))
        rows.append([f"{100 * share:g} %", title, *cells])
    return [*rows, ["", "noise", *(number(outcome.noise[name]) for name in names)]]


def _header(outcome: Outcome, *, generators: bool = False) -> list[str]:
    if generators:
        return ["labels", "pictures", *outcome.floor]
    better = {figure: "higher" if FIGURES[figure] else "lower" for figure in _SHOWN}
    return ["labels", "method", *(f"{title} ({better[f]})" for f, title in _SHOWN.items())]


def _lead(outcome: Outcome) -> str:
    seeds = max((len(v) for row in outcome.rows for v in row.values.values()), default=0)
    pseudo = " Scene classes are pseudo-labels." if outcome.pseudo_scenes else ""
    return (
        f"{outcome.num_test} held-out frames of NYU Depth v2, whole, at the size that training saw; {outcome.steps} steps a run, "
        f"{outcome.gan_steps} of pre-training for generators; mean over {seeds} seeds and half of the 95 % interval (Student)."
        f"{pseudo} Small networks and few steps: the rows compare with each other, and with no published figure."
    )


def _markdown(outcome: Outcome) -> str:
    parts = [f"# MGM and its baselines\n\n{_lead(outcome)}\n"]
    for title, header, rows in (told for told in _tables(outcome) if told[2]):
        lines = [header, ["---"] * len(header), *rows]
        parts.append(
            f"## {title}\n\n" + "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"
        )
    return "\n".join(parts)


def _tables(outcome: Outcome) -> list[tuple[str, list[str], list[list[str]]]]:
    return [
        ("Figures", _header(outcome), table_rows(outcome)),
        (
            "Gain over the same network on labels alone (positive is better, * beyond the interval)",
            ["labels", "methods", *_SHOWN.values()],
            difference_rows(outcome),
        ),
        (
            "Distance of generated pictures to training photos (lower)",
            _header(outcome, generators=True),
            generator_rows(outcome),
        ),
    ]


def _page(outcome: Outcome) -> str:
    body = [
        section(
            title,
            table(
                [escape(cell) for cell in header],
                [[escape(cell) for cell in row] for row in rows],
                right=range(2, len(header)),
            ),
            anchor=f"table{index}",
        )
        for index, (title, header, rows) in enumerate(_tables(outcome))
        if rows
    ]
    body += [_curves(outcome), _pictures(outcome)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>MGM and its baselines</title><style>{STYLE}</style></head><body>"
        f"<header><h1>MGM and its baselines</h1><p>{escape(_lead(outcome), max_characters=900)}</p></header>"
        f"<main>{''.join(body)}</main></body></html>\n"
    )


def _curves(outcome: Outcome) -> str:
    """Draw the losses on held-out frames of each method's first run, a chart for each share and task."""
    charts = []
    for share in sorted({row.share for row in outcome.rows}):
        for task in ("segmentation", "depth", "normal"):
            lines: list[Line] = []
            for row in _in_order(outcome.rows):
                if row.share != share:
                    continue
                for folder in row.runs:
                    series = read_metrics(folder / "metrics.jsonl").val.get(f"loss/{task}")
                    if series is not None:
                        lines.append(
                            Line(name=row.method, series=series, colour=len(lines) % NUM_COLOURS)
                        )
                        break
            charts.append(chart(f"{task}, {100 * share:g} % of the labels", lines))
    return section(
        "Loss on held-out frames",
        "".join(charts),
        anchor="curves",
        lead="The first seed of each method.",
    )


def _pictures(outcome: Outcome) -> str:
    """Show samples over time, samples above their nearest training photos, and predictions of the first seed."""
    parts: list[str] = []
    for made in outcome.generators:
        if made.seed == 0:
            name = f"{made.title}, {100 * made.share:g} % of the labels"
            folder = made.folder
            moments = {
                int(step.name): {"samples": step / "generated" / "classes.png"}
                for step in sorted((folder / "pictures").iterdir())
                if step.name.isdigit() and (step / "generated" / "classes.png").is_file()
            }
            embedded, troubles = embed_moments(moments)
            parts += [f"<h3>{escape(name)}: a row for each scene class, over the steps</h3>"]
            parts += [
                _figure(picture.uri, f"step {step}")
                for step, row in embedded.items()
                for picture in row
            ]
            drawn = folder / "nearest.png"
            near, more = embed_moments({0: {"nearest": drawn}} if drawn.is_file() else {})
            parts += [
                _figure(picture.uri, "generated (above) and the nearest training photos (below)")
                for row in near.values()
                for picture in row
            ]
            parts += [note(escape(trouble)) for trouble in (*troubles, *more)]
    for row in _in_order(outcome.rows):
        folder = row.runs[0] / "pictures"
        steps = [int(step.name) for step in folder.iterdir() if step.name.isdigit()]
        if not steps:
            continue
        last = folder / str(max(steps)) / "labelled"
        shown = {path.stem: path for path in sorted(last.glob("*.png"))}
        embedded, _ = embed_moments({0: shown}) if shown else ({}, [])
        for picture in embedded.get(0, []):
            name = f"{row.title}, {100 * row.share:g} %: {picture.name} (picture, truth, answer)"
            parts.append(_figure(picture.uri, name))
    return section("Pictures", "".join(parts), anchor="pictures")


def _figure(uri: str, caption: str) -> str:
    return f'<figure><img src="{uri}" alt="{escape(caption)}"><figcaption>{escape(caption)}</figcaption></figure>'


def _json(outcome: Outcome) -> str:
    facts = asdict(outcome)
    return json.dumps(facts, indent=1, default=str)


def _in_order(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row.share)


def _cell(values: Mapping[int, float]) -> str:
    if not values:
        return ""
    mean = mean_with_interval(list(values.values()))
    return _with_interval(mean.value, mean.half_width)


def _with_interval(value: float, half_width: float, *, signed: bool = False) -> str:
    """Write a mean and half of its interval; a single value has none."""
    told = f"+{number(value)}" if signed and value >= 0 else number(value)
    return f"{told} ± {number(half_width)}" if math.isfinite(half_width) else told


def _plain(value: float | None) -> str:
    return "" if value is None else number(value)
