"""The page's sections: what to say of a run, in the order in which a reader asks."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from scenelift.adapt.live import duration
from scenelift.adapt.log import Metrics
from scenelift.adapt.report.charts import NUM_COLOURS, Line, chart, interval
from scenelift.adapt.report.embed import Embedded
from scenelift.adapt.report.folder import (
    AuditRow,
    Evaluation,
    EvaluationRow,
    Json,
    RunFolder,
    mapping_at,
    number_setting,
    setting,
)
from scenelift.adapt.report.markup import escape, note, number, section, table
from scenelift.adapt.verdicts import BASELINES, JUDGED, LayerDistance, Verdict

_STATE_WORDS = {"good": "good", "watch": "watch", "bad": "problem", "unknown": "not known"}
_NONE = "\N{EN DASH}"
_MAX_CHARTS, _MAX_CONFIG_ROWS = 40, 400
_LEGEND = (
    "Depth: light is near, by the logarithm of metres. Normals: red to the right, green up, blue to the viewer. Errors: dark is "
    "none, red is large. Hatched or black: not known."
)
HEALTH_NAMES = (
    "critic/accuracy_",
    "gradient/ratio",
    "gradient/cosine_",
    "align/weight",
    "loss/align",
    "loss/critic",
)
"""What the section on domains shows."""


def summary(run: RunFolder, verdicts: Sequence[Verdict]) -> str:
    """Say in plain words what was trained, how long and how it went."""
    tiles = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
        for label, value in _tiles(run)
    )
    return section(
        "Summary",
        f"<p class=lead>{_sentence(run)} {_judgement(verdicts)}</p><dl class=tiles>{tiles}</dl>"
        f"{_final_numbers(run.metrics)}{_verdict_list(verdicts)}",
        anchor="summary",
    )


def last_step(metrics: Metrics) -> int:
    """Return the steps done at the last line; 0 if there is none."""
    series = [*metrics.train.values(), *metrics.val.values()]
    return max((int(s.step[-1]) for s in series), default=0)


def training_s(metrics: Metrics) -> float:
    """Return the seconds that training took: clocks that begin anew after a resumption are added up."""
    if not metrics.train:
        return math.nan
    longest = max(metrics.train.values(), key=lambda series: len(series.step))
    times = longest.time_s[np.isfinite(longest.time_s)]
    if not len(times):
        return math.nan
    first = float(times[0]) if 0 <= times[0] < 1e9 else 0.0  # a clock of the world has no start
    steps = np.diff(times)
    return first + float(np.where(steps >= 0, steps, times[1:].clip(min=0)).sum())


def _sentence(run: RunFolder) -> str:
    done, asked = last_step(run.metrics), number_setting(run.config, "steps")
    recipe = setting(run.config, "recipe")
    what = f"<b>{escape(recipe)}</b>" if isinstance(recipe, str) and recipe else "A run"
    if not done:
        return f"{what}: no step has been logged yet."
    took = training_s(run.metrics)
    time_told = f" in {duration(took)}" if math.isfinite(took) else ""
    if math.isfinite(asked) and done < asked:
        return (
            f"{what} stopped, or is still running, at step {done:,} of {int(asked):,} "
            f"({done / asked:.0%}){time_told}."
        )
    return f"{what} was trained for {done:,} steps{time_told}."


def _judgement(verdicts: Sequence[Verdict]) -> str:
    bad = sum(verdict.state == "bad" for verdict in verdicts)
    watch = sum(verdict.state == "watch" for verdict in verdicts)
    if not bad and not watch:
        known = any(verdict.state == "good" for verdict in verdicts)
        return "Nothing stands out." if known else "There is nothing to judge yet."
    parts = [f"{bad} problem{'s' * (bad > 1)}"] if bad else []
    parts += [f"{watch} thing{'s' * (watch > 1)} to watch"] if watch else []
    return f"There {'is' if bad + watch == 1 else 'are'} {' and '.join(parts)}."


def _tiles(run: RunFolder) -> Iterable[tuple[str, str]]:
    done, asked = last_step(run.metrics), number_setting(run.config, "steps")
    yield "Steps", f"{done:,}" + (f" of {int(asked):,}" if 0 < asked < 1e15 else "")
    yield "Time", duration(training_s(run.metrics))
    speed = run.metrics.train.get("rate/images_per_s")
    if speed is not None:
        typical = np.median(speed.value[np.isfinite(speed.value)]) if len(speed.value) else math.nan
        yield "Images a second", number(float(typical))
    for key, label in (("backbone", "Backbone"), ("batch_size", "Batch"), ("seed", "Seed")):
        value = setting(run.config, key)
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield label, str(value)


def _final_numbers(metrics: Metrics) -> str:
    names = [name for name in metrics.train if name.startswith("loss/")]
    if not names:
        return ""
    rows = []
    for name in names[:_MAX_CHARTS]:
        value = metrics.train[name].value
        held = metrics.val[name].value if name in metrics.val else np.zeros(0)
        tenth = max(len(value) // 10, 1)
        rows.append(
            [
                escape(name.removeprefix("loss/")),
                number(_median(value[:tenth])),
                number(_median(value[-tenth:])),
                number(float(held[-1])) if len(held) else _NONE,
                number(float(np.nanmin(held))) if np.isfinite(held).any() else _NONE,
            ]
        )
    header = ("Loss", "first", "last", "held-out", "its best")
    return table(header, rows, right=(1, 2, 3, 4))


def _median(value: np.ndarray) -> float:
    known = value[np.isfinite(value)]
    return float(np.median(known)) if len(known) else math.nan


def _verdict_list(verdicts: Sequence[Verdict]) -> str:
    order = {"bad": 0, "watch": 1, "good": 2, "unknown": 3}
    items = "".join(
        f"<li class={v.state}><span class=state>{_STATE_WORDS[v.state]}</span>"
        f"<div><b>{escape(v.subject)}.</b> {escape(v.finding)}"
        f"{f'<p>{escape(v.advice)}</p>' if v.advice else ''}</div></li>"
        for v in sorted(verdicts, key=lambda v: order[v.state])
    )
    return f"<h3>Verdicts</h3><ul class=verdicts>{items}</ul>"


def judge_audit(rows: Sequence[AuditRow]) -> list[Verdict]:
    """Sum the shortcut audit up in a verdict."""
    if not rows:
        return []
    seen = [row for row in rows if row.group != "all together" and "original" not in row.group]
    wide = [row.group for row in seen if row.severity == "wide open"]
    ajar = [row.group for row in seen if row.severity == "open"]
    subject, advice = "Shortcuts", "See the shortcut audit below for what closes each."
    if not wide and not ajar:
        return [
            Verdict(
                subject=subject, state="good", finding="None of the trivial differences stands out."
            )
        ]
    told = [f"wide open: {', '.join(wide)}"] * bool(wide) + [f"open: {', '.join(ajar)}"] * bool(
        ajar
    )
    finding = f"A trivial classifier tells the domains apart ({'; '.join(told)})."
    return [
        Verdict(subject=subject, state="bad" if wide else "watch", finding=finding, advice=advice)
    ]


def evaluation(result: Evaluation, drawn: Sequence[Embedded]) -> str:
    """Show the figures of a benchmark beside a baseline, and some of its pictures."""
    rows = [
        [
            escape(row.name),
            _with_unit(row.value, row.unit),
            _with_unit(row.baseline, row.unit),
            _gain(row),
        ]
        for row in result.rows
    ]
    body = table(("Measure", "this run", "baseline", "against it"), rows, right=(1, 2, 3))
    told = note(escape(result.note, max_characters=2000)) if result.note else ""
    shown = _panel(drawn) if drawn else ""
    return section(result.title, body + told + shown, anchor="evaluation")


def _with_unit(value: float, unit: str) -> str:
    if not math.isfinite(value):
        return _NONE
    gap = "" if unit in ("", "°", "%") else " "
    return f"{number(value, digits=4)}{gap}{escape(unit)}"


def _gain(row: EvaluationRow) -> str:
    if not (math.isfinite(row.value) and math.isfinite(row.baseline)) or row.baseline == 0:
        return _NONE
    change = row.value - row.baseline
    if change == 0:
        return "equal"
    better = (change < 0) == row.lower_is_better
    share = abs(change / row.baseline)
    return f"<span class={'good' if better else 'bad'}>{share:.1%} {'better' if better else 'worse'}</span>"


def curves(metrics: Metrics, *, apart: tuple[str, ...]) -> str:
    """Draw the losses and everything else that was logged, but for names that begin with one of `apart`."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys([*metrics.train, *metrics.val]):
        if name.startswith(apart):
            continue
        groups.setdefault(_group(name), []).append(name)
    drawn = [
        chart(_title(group), _lines(metrics, names), log=group.startswith("loss/"))
        for group, names in list(groups.items())[:_MAX_CHARTS]
    ]
    left_out = max(len(groups) - _MAX_CHARTS, 0)
    if not any(drawn):
        return section("Curves", note("No numbers have been logged."), anchor="curves")
    told = note(f"{left_out} further curves are in metrics.jsonl.") if left_out else ""
    return section(
        "Curves",
        f"<div class=charts>{''.join(drawn)}</div>{told}",
        anchor="curves",
        lead="Full lines are training, dashed ones held-out views; the number is the last one.",
    )


def _group(name: str) -> str:
    """Say with what a curve shares a chart: a figure with that of who knows nothing, a loss with none."""
    kind, _, subject = name.partition("/")
    if not subject or kind in ("loss", "rate"):
        return name
    if kind in (*JUDGED, *BASELINES):
        return f"held against/{subject}"
    return f"{kind}/"


def _title(group: str) -> str:
    known = {
        "loss/task": "Loss: all tasks, weighted",
        "rate/images_per_s": "Images a second",
        "rate/wait_share": "Share of time waiting for data",
        "lr/": "Learning rate",
        "balance/": "Task weights",
    }
    if group in known:
        return known[group]
    if group.startswith("held against/"):
        return group.removeprefix("held against/").replace("_", " ").capitalize()
    return group.replace("loss/", "Loss: ").rstrip("/").replace("_", " ")


def _lines(metrics: Metrics, names: Sequence[str], *, prefix: str = "") -> list[Line]:
    lines = []
    for colour, name in enumerate(names[:NUM_COLOURS]):
        kind, _, subject = name.removeprefix(prefix).partition("/")
        paired = kind in (*JUDGED, *BASELINES)
        short = (kind if paired else subject or kind).replace("_", " ")
        alone = len(names) == 1
        for columns, held_out in ((metrics.train, False), (metrics.val, True)):
            if name in columns:
                told = ("held-out" if held_out else "training") if alone else short
                lines.append(
                    Line(
                        name=told,
                        series=columns[name],
                        colour=colour + held_out * alone,
                        held_out=held_out,
                    )
                )
    return lines


def domains(metrics: Metrics, layers: Sequence[LayerDistance]) -> str:
    """Show how the game between backbone and discriminator went, and how far apart the domains are."""
    train = metrics.train
    accuracy = [n for n in ("critic/accuracy_synthetic", "critic/accuracy_real") if n in train]
    cosines = [name for name in train if name.startswith("gradient/cosine_")]
    drawn = [
        chart(
            "Discriminator: share told right",
            _lines(metrics, accuracy, prefix="critic/accuracy_"),
            mark=0.5,
            mark_name="chance",
            span=(0.0, 1.0),
        ),
        _one(
            metrics,
            "loss/critic",
            "Loss: discriminator",
            mark=math.log(2),
            mark_name="ln 2, chance",
        ),
        _one(metrics, "loss/align", "Loss: alignment"),
        _one(metrics, "align/weight", "Alignment weight"),
        chart(
            "Gradient ratio: alignment over tasks",
            _lines(metrics, [n for n in ("gradient/ratio",) if n in train]),
            band=(0.01, 1.0),
            log=True,
        ),
    ]
    drawn += [
        chart(
            "Cosines between gradients" + (" (continued)" if start else ""),
            _lines(metrics, cosines[start : start + NUM_COLOURS], prefix="gradient/cosine_"),
            mark=0.0,
            mark_name="",
            span=(-1.0, 1.0),
        )
        for start in range(0, min(len(cosines), 4 * NUM_COLOURS), NUM_COLOURS)
    ]
    body = f"<div class=charts>{''.join(drawn)}</div>" if any(drawn) else ""
    if not accuracy:
        body = note("This run logged no discriminator.") + body
    return section(
        "Health of the domains",
        _layer_table(layers) + body,
        anchor="domains",
        lead="Whether synthetic and real images look alike to the network, and whether getting there was a fair game.",
    )


def _one(
    metrics: Metrics, name: str, title: str, *, mark: float | None = None, mark_name: str = ""
) -> str:
    known = name in metrics.train or name in metrics.val
    return chart(title, _lines(metrics, [name] if known else []), mark=mark, mark_name=mark_name)


def _layer_table(layers: Sequence[LayerDistance]) -> str:
    if not layers:
        return note("No A-distance was measured (health.json is missing or empty).")
    rows = []
    for entry in layers:
        cells = [escape(entry.layer) + (" <small>aligned</small>" if entry.aligned else "")]
        for distance in (entry.before, entry.after):
            if distance is None:
                cells += [_NONE, ""]
                continue
            cells += [
                f"{distance.value:.2f} <small>± {(distance.high - distance.low) / 2:.2f}</small>",
                interval(distance.value, low=distance.low, high=distance.high, first=0, last=2),
            ]
        rows.append(cells)
    told = (
        "<p>The A-distance, by a linear probe fitted anew on features of held-out images: 0, it cannot tell the "
        "domains apart; 2, it never errs. With 95 % intervals.</p>"
    )
    header = ("Layer", "before", "0 … 2", "after", "0 … 2")
    return (
        f"<h3>How far apart the domains are, by layer</h3>{told}{table(header, rows, right=(1, 3))}"
    )


def shortcuts(rows: Sequence[AuditRow], audited: str) -> str:
    """Show what a trivial classifier finds."""
    title = "Shortcut audit"
    if not rows:
        body = note("The audit was not made (audit.json is missing or empty).")
        return section(title, body, anchor="audit")
    cells = []
    for row in rows:
        share = f"{row.accuracy:.0%}" if math.isfinite(row.accuracy) else _NONE
        picture = interval(row.accuracy, low=row.low, high=row.high, first=0, last=1, mark=0.5)
        state = {"wide open": "bad", "open": "watch", "closed": "good"}.get(row.severity, "unknown")
        cells.append(
            [
                f"<b>{escape(row.group)}</b><br><small>{escape(row.looks_at)}</small>",
                share,
                picture,
                f"<span class={state}>{escape(row.verdict)}</span>"
                + (f"<br>{escape(row.cure)}" if row.cure else ""),
            ]
        )
    seen = f" It saw {escape(audited)}." if audited else ""
    lead = (
        "Before any network is trained: can a linear classifier tell synthetic from real by something trivial? "
        f"Half is guessing. It looks at pictures as they enter training; grey, jitter and blur come after.{seen}"
    )
    header = ("What it goes by", "told right", "0 … 1", "What that means")
    return section(title, table(header, cells, right=(1,)), anchor="audit", lead=lead)


def pictures(moments: Mapping[int, Sequence[Embedded]]) -> str:
    """Show what the networks answered at several moments, one at a time; all of them in print."""
    title = "Predictions"
    if not moments:
        return section(title, note("No pictures were written."), anchor="pictures")
    steps = list(moments)
    names = {drawn.name.rpartition("/")[2] for row in moments.values() for drawn in row}
    tabs = "".join(
        f"<input type=radio name=moment id=m{i}{' checked' if i == len(steps) - 1 else ''}><label for=m{i}>step {s:,}</label>"
        for i, s in enumerate(steps)
    )
    panels = "".join(
        f"<div class=panel><h3>Step {step:,}</h3>{_panel(moments[step])}</div>" for step in steps
    )
    return section(
        title,
        f"<div class=moments>{tabs}{panels}</div>",
        anchor="pictures",
        lead=_LEGEND if names & {"depth", "normal"} else "",
    )


def _panel(row: Sequence[Embedded]) -> str:
    by_subject: dict[str, list[Embedded]] = {}
    for picture in sorted(row, key=lambda p: not p.name.startswith("synthetic")):
        by_subject.setdefault(picture.name.rsplit("/", 1)[-1], []).append(picture)
    return "".join(
        "<div class=pair>"
        + "".join(
            f'<figure style="flex:{p.width_px} 1 {min(p.width_px, 340) // 2}px;max-width:{2 * p.width_px}px"><img src="{p.uri}" '
            f'width={p.width_px} height={p.height_px} alt="{escape(p.name)}">'
            f"<figcaption>{escape(p.name.replace('/', ': ', 1))}</figcaption></figure>"
            for p in pair
        )
        + "</div>"
        for pair in by_subject.values()
    )


def configuration(config: Json) -> str:
    """Show the resolved configuration, a line a field, and the versions."""
    if not config:
        return section("Configuration", note("config.json is missing."), anchor="config")
    versions = {
        **{k: v for k, v in config.items() if k.endswith("version")},
        **mapping_at(config, "versions"),
    }
    fields = {k: v for k, v in config.items() if k != "versions" and k not in versions}
    rows = list(_flatten(fields, prefix="", depth=0))
    told = note(f"{len(rows) - _MAX_CONFIG_ROWS:,} further fields are in config.json.")
    body = table(("Field", "Value"), rows[:_MAX_CONFIG_ROWS])
    body = f"<details open><summary>{len(rows):,} fields</summary>{body}</details>"
    shown = table(("Part", "Version"), list(_flatten(versions, prefix="", depth=0))[:100])
    missing = note("No versions were recorded.")
    return section(
        "Configuration",
        body + (told if len(rows) > _MAX_CONFIG_ROWS else ""),
        anchor="config",
    ) + section("Versions", shown if versions else missing, anchor="versions")


def _flatten(fields: Json, *, prefix: str, depth: int) -> Iterable[tuple[str, str]]:
    for key, value in fields.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value and depth < 8:
            yield from _flatten(value, prefix=f"{name}.", depth=depth + 1)
        else:
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            yield f"<code>{escape(name)}</code>", f"<code>{escape(shown)}</code>"


def missing(sentences: Sequence[str]) -> str:
    """Say what the folder did not hold."""
    if not sentences:
        return ""
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences[:50])
    return section("What is missing", f"<ul>{items}</ul>", anchor="missing")
