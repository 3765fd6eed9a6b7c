"""The comparison systems, one protocol: each trained at desk scale with several seeds, and what it learnt beside who knows nothing.

    python -m scenelift.benchmarks.experiments.pretext_table --real miniplaces.tar --large voc2007.tar --labelled tiny_imagenet.tar --out DIR

Prints the plan first (`--plan`: only that), does the runs one after the other, goes on after a kill, and writes `table.json` and
`table.md` into DIR. The figures are those of held-out pictures at the end of each run. A gain is the difference to who knows nothing,
seed by seed on the same pictures, with Student's interval.
"""

import json
import logging
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean

import torch
import tyro

from scenelift.adapt.job import build_method
from scenelift.adapt.plain import from_plain
from scenelift.adapt.pretext.recipes import LARGE, recipes
from scenelift.adapt.recipes import recipe
from scenelift.adapt.run_data import open_data, validation_batches
from scenelift.adapt.verdicts import held_against
from scenelift.benchmarks.experiments.runs import (
    FAULTS,
    ExperimentError,
    Run,
    last_figures,
    train_all,
)
from scenelift.benchmarks.statistics import mean_with_interval


@dataclass(frozen=True, kw_only=True, slots=True)
class PretextTable:
    """Which systems, on what, how often."""

    real: Path
    """Photos that most systems learn from."""
    out: Path
    """Where runs and table go."""
    large: Path | None = None
    """Larger photos for the systems that cut them into patches; by default the same."""
    labelled: Path | None = None
    """Pictures with a class each, for supervised learning; without them it is left out."""
    systems: tuple[str, ...] = ()
    """Names of recipes; none: all."""
    seeds: int = 3
    """Runs of each."""
    steps: int | None = None
    """Of each run; by default the recipe's."""
    plan: bool = False
    """Print what would be done, and end."""
    device: str = "auto"
    """cpu, cuda, ..."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure of one system."""

    system: str
    figure: str
    """Such as `accuracy/jigsaw`."""
    values: tuple[float, ...]
    """One a seed."""
    baselines: tuple[float, ...]
    """Of who knows nothing, on the same pictures, one a seed."""
    untrained: tuple[float, ...]
    """Of the same network before its first step, one a seed."""
    steps: int

    @property
    def lower_is_better(self) -> bool:
        """Whether it is an error."""
        return self.figure.startswith("error/")


def main(config: PretextTable) -> int:
    """Run what is left, and write the table.

    Returns:
        0 done, 1 if the input cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        runs = plan(config)
        for name, of_system in runs.items():
            steps = of_system[0].content.steps
            print(f"{name}: {len(of_system)} x {steps} steps of {of_system[0].content.batch_size}")
        if config.plan:
            return 0
        train_all([run for of_system in runs.values() for run in of_system], device=config.device)
        rows = [row for name, of_system in runs.items() for row in collect(name, of_system)]
        write_table(config.out, rows)
    except FAULTS as error:
        print(f"pretext_table: {error}", file=sys.stderr)
        return 1
    print((config.out / "table.md").read_text(encoding="utf-8"))
    return 0


def plan(config: PretextTable) -> dict[str, list[Run]]:
    """List the runs by system.

    Raises:
        ExperimentError: if a system is unknown or lacks its data.
    """
    known = [name for name, _ in recipes()]
    asked = config.systems or tuple(
        name for name in known if config.labelled is not None or "labelled" not in _sources(name)
    )
    strange = [name for name in asked if name not in known]
    if strange:
        raise ExperimentError(f"no system {strange[0]!r}; there are {', '.join(known)}")
    return {name: [_run(config, name, seed) for seed in range(config.seeds)] for name in asked}


def collect(system: str, runs: Sequence[Run]) -> list[Row]:
    """Gather the figures of a system over its seeds, each beside its baseline."""
    found = [last_figures(run.folder) for run in runs]
    before = [untrained_figures(run) for run in runs]
    rows = []
    for name in found[0]:
        against = held_against(name, found[0])
        if against is not None:
            rows.append(
                Row(
                    system=system,
                    figure=name,
                    values=tuple(figures[name] for figures in found),
                    baselines=tuple(figures[against] for figures in found),
                    untrained=tuple(figures[name] for figures in before),
                    steps=runs[0].content.steps,
                )
            )
    return rows


def untrained_figures(run: Run) -> dict[str, float]:
    """Return the figures that a run had before its first step, on the same held-out pictures."""
    content, device = run.content, torch.device("cpu")
    data = open_data(content)
    method = build_method(content, data, device=device)
    batches = validation_batches(content, data, method.streams, device=device)
    figures: dict[str, list[float]] = {}
    for number in range(max(len(group) for group in batches.values())):
        told = method.validate({n: g[number] for n, g in batches.items() if number < len(g)})
        for name, value in told.items():
            figures.setdefault(name, []).append(float(value))
    return {name: mean(values) for name, values in figures.items()}


def write_table(folder: Path, rows: Sequence[Row]) -> None:
    """Write `table.json` and `table.md`, which keep the rows of other systems that an earlier call left in the folder.

    Raises:
        ExperimentError: if the earlier table is damaged.
        OSError: if they cannot be written.
    """
    new = {row.system for row in rows}
    rows = [*(row for row in _earlier_rows(folder / "table.json") if row.system not in new), *rows]
    text = json.dumps([asdict(row) for row in rows], indent=1)
    (folder / "table.json").write_text(text, encoding="utf-8")
    lines = [
        "| system | figure | held-out | untrained | knowing nothing | gain, 95 % | steps |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        gain = mean_with_interval([v - b for v, b in zip(row.values, row.baselines, strict=True)])
        spread = f" ± {gain.half_width:.2g}" if math.isfinite(gain.half_width) else ""
        better = "lower" if row.lower_is_better else "higher"
        lines.append(
            f"| {row.system} | {row.figure.replace('/', ', ')} ({better}) | {mean(row.values):.3g} | {mean(row.untrained):.3g} "
            f"| {mean(row.baselines):.3g} | {gain.value:+.3g}{spread} | {row.steps:,} |"
        )
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _earlier_rows(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return [from_plain(Row, row) for row in kept]
    except (ValueError, TypeError, RecursionError) as error:
        raise ExperimentError(f"{path}: is no table of ours; remove it") from error


def _sources(name: str) -> tuple[str, ...]:
    return recipe(name).method.sources


def _run(config: PretextTable, name: str, seed: int) -> Run:
    content = recipe(name)
    sources: Mapping[str, Path | None] = {
        "real": config.large if name in LARGE and config.large is not None else config.real,
        "labelled": config.labelled,
    }
    content = replace(
        content,
        seed=seed,
        real=sources["real"] if "real" in content.method.sources else None,
        labelled=sources["labelled"] if "labelled" in content.method.sources else None,
    )
    if config.steps is not None and content.steps > 1:
        content = replace(content, steps=config.steps, validate_every=min(250, config.steps))
    return Run(folder=config.out / name / f"seed-{seed}", content=content)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(PretextTable)))
