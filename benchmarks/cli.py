"""The command `transfer-bench`: a thin skin over `suite`, `runner` and `report`."""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.logging import RichHandler

from scenelift.adapt.live import duration
from scenelift.benchmarks.config import BenchConfig
from scenelift.benchmarks.contestants import open_contestants
from scenelift.benchmarks.data_sets import DataSet, find_data_sets
from scenelift.benchmarks.live import LiveProgress, plan_table
from scenelift.benchmarks.recipes import ENTRIES, Entry, Recipe
from scenelift.benchmarks.runner import INPUT_ERRORS, Failure, forecast, one_line, run_units
from scenelift.benchmarks.suite import make_units
from scenelift.benchmarks.task import BenchError, Task
from scenelift.benchmarks.together import draw_together

_DESCRIPTION = """Measure how the features of a network transfer.

    transfer-bench all --data DIR --weights runs/first             every task that the data sets in DIR allow
    transfer-bench TASK --data DIR --weights runs/first random     one task, two networks
    transfer-bench TASK --data DIR --weights resnet50.pth --backbone resnet50
    transfer-bench all --data DIR --weights runs/first --seeds 0 1 2 --final
    transfer-bench report transfer                                 tables beside the literature

Without --final the pictures held out for selection are judged and the test split stays locked: use it for a network that you
have chosen, once. Each finished result is a card, OUT/NETWORK/TASK-DATA/seed-N/card.json, and is not measured again: a run that
was stopped goes on with the same command. transfer-bench TASK --help lists a task's settings.

{tasks}
"""


_FILE_COLUMNS = 160
"""Width of printed tables where there is no terminal."""


class UsageError(ValueError):
    """Flags that contradict each other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportConfig:
    """Tables of all cards below some folders, beside the literature."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """Folders that `transfer-bench` wrote to."""
    out: Path | None = None
    """Where report.html, report.md, report.tex and report.csv go; by default the first folder."""


def main(argv: Sequence[str] | None = None, *, entries: Sequence[Entry] = ENTRIES) -> int:
    """Run the command.

    Args:
        argv: Words of the command line; None takes those of the process.
        entries: The tasks that there are.

    Returns:
        0 done, 1 input or disk at fault, 2 usage, 130 stopped by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(message)s",
        handlers=[RichHandler(console=console, show_path=False, show_time=False)],
        force=True,
    )
    names = [entry.name for entry in entries]
    if not words or words[0] in ("-h", "--help"):
        print(_DESCRIPTION.format(tasks=_list_tasks(entries)).rstrip())
        return 0 if words else 2
    verb, rest = words[0], words[1:]
    if verb not in (*names, "all", "report"):
        known = ", ".join((*names, "all", "report"))
        print(f"transfer-bench: there is no task {verb!r}; there are {known}", file=sys.stderr)
        return 2
    try:
        if verb == "report":
            return _report(rest)
        return _measure(verb, rest, entries=entries, console=console)
    except UsageError as error:
        print(f"transfer-bench: {_say(error)}; see --help", file=sys.stderr)
        return 2
    except INPUT_ERRORS as error:
        print(f"transfer-bench: {_say(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("transfer-bench: stopped; the same command goes on", file=sys.stderr)
        return 130


def _measure(verb: str, words: list[str], *, entries: Sequence[Entry], console: Console) -> int:
    chosen = [entry for entry in entries if verb in (entry.name, "all")]
    try:
        config, tasks = _parse(chosen, words, alone=verb != "all")
    except ValueError as error:
        raise UsageError(str(error)) from error
    pairs, skipped = _pair(list(zip(chosen, tasks, strict=True)), config.data, alone=verb != "all")
    for line in skipped:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not pairs:
        raise BenchError(f"{config.data}: holds no data set that a task can use")
    return _run(config, pairs, anchor=verb == "all" and config.anchor, console=console)


def _parse(
    chosen: Sequence[Entry], words: list[str], *, alone: bool
) -> tuple[BenchConfig, list[Task]]:
    """Read the flags; of a single task its settings too, which are the recipe's unless a flag says otherwise."""
    if not alone:
        config = tyro.cli(
            Annotated[BenchConfig, tyro.conf.OmitArgPrefixes],
            prog="transfer-bench all",
            description="Every task that the data sets in a folder allow.",
            args=words,
        )
        return config, [entry.make(config.recipe) for entry in chosen]
    (entry,) = chosen
    base: Any = entry.make(_recipe_of(words))

    def configure(
        config: Annotated[BenchConfig, tyro.conf.arg(name="")], task: Any = base
    ) -> tuple[BenchConfig, list[Any]]:
        return config, [task]

    # The type of the settings is known only now; tyro reads it from here.
    configure.__annotations__["task"] = Annotated[type(base), tyro.conf.arg(name="task")]
    return tyro.cli(
        configure,
        args=words,
        prog=f"transfer-bench {entry.name}",
        description=entry.about,
        config=(tyro.conf.AvoidSubcommands,),
    )


def _pair(
    tasks: Sequence[tuple[Entry, Task]], data: Path, *, alone: bool
) -> tuple[list[tuple[Task, DataSet]], list[str]]:
    """Give each task the data sets that it can use, and say which found none."""
    found = find_data_sets(data)
    pairs = [(task, one) for entry, task in tasks for one in found if one.kind in entry.kinds]
    used = {task.name for task, _ in pairs}
    if alone and not pairs:  # let the task say what it misses
        entry, task = tasks[0]
        return [(task, DataSet(kind=entry.kinds[0], name=data.stem, path=data))], []
    skipped = [
        f"skipped: {entry.name}, no data set of kind {' or '.join(entry.kinds)} in {data}"
        for entry, task in tasks
        if task.name not in used
    ]
    return pairs, skipped


def _run(
    config: BenchConfig,
    pairs: Sequence[tuple[Task, DataSet]],
    *,
    anchor: bool,
    console: Console,
) -> int:
    try:
        networks = open_contestants(config, anchor=anchor)
    except (ValueError, ImportError) as error:
        raise BenchError(str(error)) from error
    units = make_units(pairs, networks, out=config.out, final=config.final)
    told, failures = forecast(units, overwrite=config.overwrite)
    kept = [one for one in told if one.finished]
    if kept and not config.resume:
        raise BenchError(f"{kept[0].unit.folder}: is finished already; name another out")
    console.print(plan_table(told, failures))
    to_do = [one for one in told if not one.finished]
    total = duration(sum(one.seconds for one in to_do))
    split = "the locked test split" if config.final else "pictures held out for selection"
    console.print(
        f"{len(to_do)} to measure, {len(kept)} finished before, judged on {split}; about {total} on this machine",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip
    if not config.plan_only:
        with LiveProgress(to_do, console=console) as observer:
            failures += run_units([one.unit for one in to_do], observer=observer)
        draw_together(units, out=config.out)
        print(f"Results are in {config.out}; tables: transfer-bench report {config.out}")
    _tell_failures(failures)
    return 1 if failures else 0


def _tell_failures(failures: Sequence[Failure]) -> None:
    for failure in failures:
        print(f"transfer-bench: {failure.unit.title}: {failure.reason}", file=sys.stderr)


def _report(words: list[str]) -> int:
    from scenelift.benchmarks.report import write_reports

    config = tyro.cli(
        Annotated[ReportConfig, tyro.conf.OmitArgPrefixes], prog="transfer-bench report", args=words
    )
    if not config.folders:
        raise BenchError("report of what? name a folder that transfer-bench wrote to")
    console = Console()
    if not console.is_terminal:
        console = Console(width=_FILE_COLUMNS)
    written = write_reports(config.folders, out=config.out or config.folders[0], console=console)
    print("Written: " + ", ".join(str(path) for path in written))
    return 0


def _list_tasks(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    width = max(len(entry.name) for entry in entries)
    return "Tasks:\n" + "\n".join(f"    {e.name:<{width}}  {e.about}" for e in entries)


def _recipe_of(words: Sequence[str]) -> Recipe:
    """Find the recipe before the other flags are read, since it gives their defaults."""
    for number, word in enumerate(words):
        named = words[number + 1] if word == "--recipe" and number + 1 < len(words) else ""
        if named == "paper" or word == "--recipe=paper":
            return "paper"
    return "desk"


def _say(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return one_line(error)


if __name__ == "__main__":
    sys.exit(main())
