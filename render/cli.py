"""The command `render-scenes`: a thin skin over `job.render_scenes` and the verbs on files."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from scenelift.datasets.store import StoreError, merge_shards
from scenelift.render import check, gallery, stats
from scenelift.render.config import RenderConfig
from scenelift.render.engines import EngineError, kernels_are_compiled
from scenelift.render.job import Progress, describe_rejections, render_scenes
from scenelift.render.scene import SceneError

_DESCRIPTION = """Render indoor scenes into one labelled HDF5 file.

With nothing but --out, furnished rooms are made and rendered:

    render-scenes --out synth.h5
    render-scenes --out synth.h5 --scenes DIR --frames 10000 --workers 8
    render-scenes --out synth.h5 --frames 10000 --resume       (after a kill)

Verbs on files, each with its own --help:

    render-scenes info FILE              what is in it
    render-scenes view FILE              a picture of its channels
    render-scenes check FILE             its labels against each other; exit 1 on a fault
    render-scenes stats FILE             depth, normals, edges, classes, colours
    render-scenes merge FILE... --out F  one file of several
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileConfig:
    """A file to look into."""

    file: tyro.conf.Positional[Path]
    """A file that `render-scenes` wrote."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewConfig:
    """Draw a contact sheet of all channels."""

    file: tyro.conf.Positional[Path]
    """A file that `render-scenes` wrote."""
    out: Path | None = None
    """The PNG to write; by default beside the file, with its name."""
    rows: int = 8
    """How many frames, spread evenly over the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeConfig:
    """Join files of one configuration family into one."""

    files: tyro.conf.Positional[tuple[Path, ...]]
    """Files that `render-scenes` wrote, in the order wanted."""
    out: Path
    """The file to write."""
    overwrite: bool = False
    """Replace an existing file."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `render-scenes`; return the exit status: 0 done, 1 input or disk at fault, 2 usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    verb = _VERBS.get(arguments[0]) if arguments else None
    _log_to_stderr()
    try:
        return _render(arguments) if verb is None else verb(arguments[1:])
    except (SceneError, StoreError, EngineError, OSError) as error:
        print(f"render-scenes: {_one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("render-scenes: stopped; go on with --resume", file=sys.stderr)
        return 1


def _one_line(error: Exception) -> str:
    """Say what is wrong with which file; the system's own errors put a number first."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def _render(arguments: list[str]) -> int:
    config = tyro.cli(
        Annotated[RenderConfig, tyro.conf.OmitArgPrefixes],
        prog="render-scenes",
        description=_DESCRIPTION,
        args=arguments,
    )
    if config.content.engine == "embree" and not kernels_are_compiled():
        print("compiling the renderer's kernels, this once: about a minute", file=sys.stderr)
    with _progress_bar() as show:
        result = render_scenes(config, on_progress=show)
    print(f"{result.path}: {result.frames} frames; look at them: render-scenes view {result.path}")
    if result.rejections:
        print(f"candidate views turned away: {describe_rejections(result.rejections)}")
    if result.losses:
        print(f"scenes written without what {config.execution.scene_format} cannot hold:")
        for line in result.losses:
            print(f"  {line}")
    if result.frames < config.content.frames:
        print(
            f"render-scenes: {config.content.frames - result.frames} frames are missing: "
            "the scenes gave no more views that pass the gates",
            file=sys.stderr,
        )
        return 1
    if result.bad_scenes:
        print(f"{len(result.bad_scenes)} scenes were left out:", file=sys.stderr)
        for reason in result.bad_scenes:
            print(f"  {reason}", file=sys.stderr)
        return 0 if config.execution.skip_bad_scenes else 1
    return 0


def _info(arguments: list[str]) -> int:
    config = tyro.cli(
        FileConfig, prog="render-scenes info", description="Say what is in a file.", args=arguments
    )
    print(stats.info(config.file))
    return 0


def _stats(arguments: list[str]) -> int:
    config = tyro.cli(
        FileConfig,
        prog="render-scenes stats",
        description="Summarise depth, normals, edges, classes and colours over all frames.",
        args=arguments,
    )
    print(stats.stats(config.file))
    return 0


def _view(arguments: list[str]) -> int:
    config = tyro.cli(ViewConfig, prog="render-scenes view", args=arguments)
    out = config.out or config.file.with_suffix(".png")
    gallery.contact_sheet(config.file, out=out, rows=config.rows)
    print(out)
    return 0


def _check(arguments: list[str]) -> int:
    config = tyro.cli(
        FileConfig,
        prog="render-scenes check",
        description="Check labels against each other and views of a scene against each other.",
        args=arguments,
    )
    report = check.check(config.file)
    print(report.text)
    return 1 if report.faults else 0


def _merge(arguments: list[str]) -> int:
    config = tyro.cli(MergeConfig, prog="render-scenes merge", args=arguments)
    if config.out.exists() and not config.overwrite:
        raise StoreError(f"{config.out} exists already; give --overwrite, or name another file")
    frames = merge_shards(config.files, config.out)
    print(f"{config.out}: {frames} frames")
    return 0


_VERBS: dict[str, Callable[[list[str]], int]] = {
    "info": _info,
    "view": _view,
    "check": _check,
    "stats": _stats,
    "merge": _merge,
}


@contextmanager
def _progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Show frames, frames a second and time left on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    bar = Bar(
        TextColumn("rendering"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("frames"),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        speed_estimate_period=120,
    )
    with bar:
        row = bar.add_task("", total=None, pace="")

        def show(progress: Progress) -> None:
            speed = bar.tasks[0].speed
            pace = "" if speed is None else f"{speed:.1f} frames/s"
            bar.update(row, completed=progress.frames, total=progress.total, pace=pace)

        yield show


def _log_to_stderr() -> None:
    """Show the library's warnings, a line each."""
    handler = RichHandler(
        console=Console(stderr=True), show_time=False, show_path=False, markup=False
    )
    library = logging.getLogger("scenelift")
    if not library.handlers:
        library.addHandler(handler)
        library.setLevel(logging.WARNING)
