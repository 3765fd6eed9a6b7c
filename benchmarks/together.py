"""What needs several networks at once: the figure of nearest neighbours, a group of columns a network."""

from collections.abc import Sequence
from pathlib import Path

from scenelift.benchmarks.retrieval import RetrievalTask, compare_networks
from scenelift.benchmarks.suite import CARD, Unit
from scenelift.benchmarks.task import Job

PREFIX = "neighbours-"
"""Begins the names of pictures that show several networks; the report looks for them."""


def draw_together(units: Sequence[Unit], *, out: Path) -> list[Path]:
    """Draw finished searches of several networks for the same queries side by side, a picture a data set and seed.

    Raises:
        BenchError: if what a task left does not fit together.
        OSError: if something cannot be read or written.
    """
    searches: dict[tuple[str, int], list[Unit]] = {}
    for unit in units:
        if isinstance(unit.task, RetrievalTask) and (unit.folder / CARD).exists():
            searches.setdefault((unit.data.name, unit.seed), []).append(unit)
    drawn = []
    for (data, seed), same in searches.items():
        if len(same) > 1 and isinstance(same[0].task, RetrievalTask):
            path = out / f"{PREFIX}{data}-seed-{seed}.png"
            job = Job(
                data=same[0].data.path,
                out=out,
                seed=seed,
                final=same[0].final,
                progress=lambda what, done, total: None,
            )
            folders = {unit.network.facts.label: unit.folder for unit in same}
            compare_networks(folders, task=same[0].task, job=job, path=path)
            drawn.append(path)
    return drawn
