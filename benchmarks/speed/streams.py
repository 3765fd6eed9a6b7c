"""Does reading keep up with training, for any recipe?

    python -m scenelift.benchmarks.speed.streams --recipes rotation jigsaw --real PHOTOS [--labelled DIR] [--synthetic FILE.h5]

The same steps on streams and on eight batches that lie ready in memory, in turn, in one process, after each stream has been read
once (its frames then lie in memory, as they do from the second epoch on). What a method does to its pictures on the device is part
of the step on both sides.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import tyro

from scenelift.adapt.config import TrainContent
from scenelift.adapt.job import build_method
from scenelift.adapt.method import Batch, Clock, Method, StreamName
from scenelift.adapt.precision import resolve_precision
from scenelift.adapt.recipes import recipe
from scenelift.adapt.run_data import RunData, open_data
from scenelift.benchmarks.speed.measure import ratios, report, spread
from scenelift.datasets.loaders import Stream

_READY = 8
_CPU = torch.device("cpu")
Step = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamsBenchmark:
    """Which recipes, on what."""

    recipes: tuple[str, ...]
    """Names, as `adapt-train --recipe` knows them."""
    real: Path | None = None
    """Photos."""
    labelled: Path | None = None
    """Pictures with labels."""
    synthetic: tuple[Path, ...] = ()
    """Files of `render-scenes`."""
    threads: int = 1
    """Of torch."""
    workers: int = 0
    """Processes that read ahead for each stream; 0: a thread does."""
    steps: int = 5
    """In a repeat."""
    repeats: int = 20
    json: Path | None = None
    """Where to write the figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repeats:
    """How often, and how many steps each time."""

    steps: int
    repeats: int


class Ready:
    """Batches that lie in memory, over and over."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches
        self._position = 0
        self.wait_s = 0.0

    def __next__(self) -> Batch:
        self._position += 1
        return self._batches[self._position % len(self._batches)]


def main(config: StreamsBenchmark) -> None:
    """Measure and report."""
    torch.set_num_threads(config.threads)
    pace = Repeats(steps=config.steps, repeats=config.repeats)
    rows: list[tuple[str, str]] = []
    facts: dict[str, object] = {}
    for name in config.recipes:
        content = replace(
            recipe(name), real=config.real, labelled=config.labelled, synthetic=config.synthetic
        )
        data = open_data(content)
        with ExitStack() as stack:
            streams = {
                stream: stack.enter_context(opened)
                for stream, opened in open_streams(content, data, workers=config.workers)
            }
            ready = make_ready(content, data, streams)
            more, measured = reading(content, data, streams=streams, ready=ready, pace=pace)
        rows += [(f"{name}: {label}", value) for label, value in more]
        facts[name] = measured
    title = f"streams, {config.threads} threads, {config.repeats} x {config.steps} steps"
    report(title, rows, facts=facts, path=config.json)


def open_streams(
    content: TrainContent, data: RunData, *, workers: int
) -> Iterator[tuple[StreamName, Stream]]:
    """Open the streams of the sources that the method names, and of no other."""
    for name in content.method.sources:
        yield (
            name,
            Stream(
                data.train[name],
                name=name,
                batch_size=content.batch_size,
                geometry=content.geometry,
                seed=content.seed,
                workers=workers,
                cache_bytes=1 << 30,
            ),
        )


def make_ready(
    content: TrainContent, data: RunData, streams: Mapping[StreamName, Stream]
) -> dict[StreamName, Ready]:
    """Read each stream once from end to end, then lay some batches of it ready."""
    for name, stream in streams.items():
        for _ in range(1 + len(data.train[name]) // content.batch_size):
            next(stream)
    return {name: Ready([next(s) for _ in range(_READY)]) for name, s in streams.items()}


def make_method(content: TrainContent, data: RunData) -> Method:
    """Build what learns, at the precision that the processor likes."""
    precision = resolve_precision(content.precision, device=_CPU)
    return build_method(replace(content, precision=precision), data, device=_CPU)


def steps_of(
    content: TrainContent,
    data: RunData,
    batches: Mapping[StreamName, Iterator[Batch] | Ready | Stream],
) -> Step:
    """Return a function that takes some steps of a method of its own."""
    method = make_method(content, data)
    taken = 0

    def run(count: int) -> None:
        nonlocal taken
        for _ in range(count):
            taken += 1
            method.step(
                {name: next(batches[name]) for name in method.streams},
                clock=Clock(step=taken, steps=content.steps),
            )

    run(3)
    return run


def in_turn(
    ways: Mapping[str, Step], *, pace: Repeats, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Return seconds a step by way, repeat by repeat; every other repeat the ways come in reverse."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(pace.repeats):
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            began = clock()
            ways[name](pace.steps)
            taken[name].append((clock() - began) / pace.steps)
    return taken


def reading(
    content: TrainContent,
    data: RunData,
    *,
    streams: Mapping[StreamName, Stream],
    ready: Mapping[StreamName, Ready],
    pace: Repeats,
) -> tuple[list[tuple[str, str]], dict[str, object]]:
    """Compare steps on streams with steps on ready batches: rows to print, facts to store."""
    taken = in_turn(
        {"streams": steps_of(content, data, streams), "ready": steps_of(content, data, ready)},
        pace=pace,
        clock=time.perf_counter,
    )
    images = len(streams) * content.batch_size
    share = ratios(taken["ready"], taken["streams"])
    rows = [
        (f"images/s of wall on {name} batches", str(spread([images / s for s in taken[name]])))
        for name in taken
    ]
    rows.append(("streams over ready batches", str(share)))
    return rows, {"reading_s_per_step": taken, "reading_share": share}


if __name__ == "__main__":
    main(tyro.cli(StreamsBenchmark))
