"""A training step: does reading keep up, what do log and diagnosis cost, does bfloat16 pay, is memory flat?

    python -m scenelift.benchmarks.speed.training --synthetic FILE.h5 --real PHOTOS [--memory-steps 5000] [--json PATH]

All on recipe `desk`, in one process, after each stream has been read once (its frames then lie in memory, as they do from the
second epoch on).

- Reading. The same steps on streams and on eight batches of each domain that lie ready in memory, in turn. Bar: images a
  second at least 0.95 of those of ready batches.
- Log. What the log (JSON lines and TensorBoard, a line in twenty steps) and the diagnosis (ratio and cosines of gradients, once in a
  hundred steps) cost, each timed alone, beside a step without them, in CPU time. Bar: below 2 %.
- Precision. Steps on ready batches in float32 and bfloat16, channels last or not, in CPU time.
- Memory. Resident memory over many steps of the loop on streams, small pictures. Bar: the last tenth at most 2 % above the second.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
import tyro

from scenelift.adapt.config import TrainContent
from scenelift.adapt.feature_alignment import FeatureAlignment
from scenelift.adapt.log import MetricsWriter, ScalarWindow
from scenelift.adapt.method import Batch, Clock, StreamName
from scenelift.adapt.precision import resolve_precision
from scenelift.adapt.recipes import recipe
from scenelift.adapt.run_data import open_data
from scenelift.adapt.train import Pace, RunState, train
from scenelift.benchmarks.speed.measure import ratios, report, spread
from scenelift.benchmarks.speed.memory import resident_mb
from scenelift.datasets.loaders import Stream

_READY = 8
_NEVER = 10**9
_LOG_EVERY = 20
Step = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingBenchmark:
    """A training step."""

    synthetic: Path
    """A file of `render-scenes`."""
    real: Path
    """Photos."""
    threads: int = 2
    """Of torch."""
    workers: int = 0
    """Processes that read ahead for each stream; 0: a thread does."""
    steps: int = 20
    """In a repeat."""
    repeats: int = 20
    memory_steps: int = 0
    """Steps of the memory's run; 0 leaves it out."""
    json: Path | None = None
    """Where to write the figures."""


class _Ready:
    """Batches that lie in memory, over and over."""

    def __init__(self, batches: Sequence[Batch]) -> None:
        self._batches = batches
        self._position = 0
        self.wait_s = 0.0

    def __next__(self) -> Batch:
        self._position += 1
        return self._batches[self._position % len(self._batches)]


def main(config: TrainingBenchmark) -> None:
    """Measure and report."""
    torch.set_num_threads(config.threads)
    content = replace(recipe("desk"), synthetic=(config.synthetic,), real=config.real)
    with ExitStack() as stack:
        streams = {
            name: stack.enter_context(s) for name, s in _streams(content, workers=config.workers)
        }
        for name, source in open_data(content).train.items():
            for _ in range(1 + len(source) // content.batch_size):
                next(streams[name])
        ready = {name: _Ready([next(s) for _ in range(_READY)]) for name, s in streams.items()}
        rows, facts = _reading(content, streams=streams, ready=ready, config=config)
        for more_rows, more_facts in (
            _log(content, ready=ready, config=config),
            _precision(content, ready=ready, config=config),
        ):
            rows += more_rows
            facts |= more_facts
    if config.memory_steps:
        more_rows, more_facts = _memory(content, config=config)
        rows += more_rows
        facts |= more_facts
    title = (
        f"training, recipe desk, {config.threads} threads, {config.repeats} x {config.steps} steps"
    )
    report(title, rows, facts=facts, path=config.json)


Figures = tuple[list[tuple[str, str]], dict[str, object]]


def _streams(content: TrainContent, *, workers: int) -> Iterator[tuple[StreamName, Stream]]:
    for name, source in open_data(content).train.items():
        yield (
            name,
            Stream(
                source,
                name=name,
                batch_size=content.batch_size,
                geometry=content.geometry,
                seed=content.seed,
                workers=workers,
                cache_bytes=1 << 30,
            ),
        )


def _steps(
    content: TrainContent, batches: Mapping[StreamName, Iterator[Batch] | _Ready | Stream]
) -> Step:
    """Return a function that takes some steps of a method of its own."""
    method = _method(content)
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


def _method(content: TrainContent) -> FeatureAlignment:
    return FeatureAlignment(
        content.method,
        seed=content.seed,
        device=torch.device("cpu"),
        half=resolve_precision(content.precision, device=torch.device("cpu")) == "bf16",
    )


def _in_turn(
    ways: Mapping[str, Step], *, config: TrainingBenchmark, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Return seconds a step by way, repeat by repeat; every other repeat the ways come in reverse."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(config.repeats):
        for name in list(ways)[:: 1 if repeat % 2 else -1]:
            began = clock()
            ways[name](config.steps)
            taken[name].append((clock() - began) / config.steps)
    return taken


def _reading(
    content: TrainContent,
    *,
    streams: Mapping[StreamName, Stream],
    ready: Mapping[StreamName, _Ready],
    config: TrainingBenchmark,
) -> Figures:
    taken = _in_turn(
        {"streams": _steps(content, streams), "ready": _steps(content, ready)},
        config=config,
        clock=time.perf_counter,
    )
    images = 2 * content.batch_size
    share = ratios(taken["ready"], taken["streams"])
    rows = [
        (
            f"images/s of wall on {name} batches",
            str(spread([images / s for s in taken[name]])),
        )
        for name in taken
    ]
    rows.append(("streams over ready batches (bar 0.95)", str(share)))
    return rows, {"reading_s_per_step": taken, "reading_share": share}


def _log(
    content: TrainContent, *, ready: Mapping[StreamName, _Ready], config: TrainingBenchmark
) -> Figures:
    """Time the parts that a step pays for log and diagnosis, each alone: together they drown in the noise of steps."""
    method = _method(content)
    every = method.settings.diagnose_every
    batches = {name: next(ready[name]) for name in method.streams}
    window = ScalarWindow()

    def step(number: int) -> float:
        began = time.process_time()
        scalars = method.step(batches, clock=Clock(step=number, steps=content.steps))
        taken = time.process_time() - began
        window.add(scalars)
        return taken

    pairs = [(step(every), step(every + 1)) for _ in range(2 + config.repeats)][2:]
    plain = median(without for _, without in pairs)
    diagnosis = max(median(with_it - without for with_it, without in pairs), 0.0) / every
    window.take()
    noted, written = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        scalars = method.step(batches, clock=Clock(step=1, steps=content.steps))
        with MetricsWriter(path / "log.jsonl", resume_step=None, tensorboard=path / "tb") as writer:
            for repeat in range(10 * config.repeats):
                began = time.process_time()
                for _ in range(_LOG_EVERY):
                    window.add(scalars)
                values = window.take()
                noted.append(time.process_time() - began)
                began = time.process_time()
                writer.write(values, step=repeat, time_s=0.0, split="train")
                written.append(time.process_time() - began)
    log = (median(noted) + median(written)) / _LOG_EVERY
    share = (diagnosis + log) / plain
    row = (
        "log and diagnosis beside a step, CPU time (bar 2 %)",
        f"{share:.2%} (log {1e6 * log:.0f} µs, diagnosis {1e6 * diagnosis:.0f} µs a step of {1e3 * plain:.0f} ms)",
    )
    return [row], {"log_s": log, "diagnosis_s": diagnosis, "step_s": plain}


def _pace(steps: int) -> Pace:
    return Pace(
        steps=steps,
        log_every=_LOG_EVERY,
        validate_every=_NEVER,
        checkpoint_every=_NEVER,
        pictures_every=_NEVER,
        keep_checkpoints=1,
    )


def _precision(
    content: TrainContent, *, ready: Mapping[StreamName, _Ready], config: TrainingBenchmark
) -> Figures:
    ways: dict[str, Step] = {}
    for precision in ("fp32", "bf16"):
        for last in (False, True):
            colour = replace(content.method.colour, channels_last=last)
            changed = replace(
                content,
                precision="bf16" if precision == "bf16" else "fp32",
                method=replace(content.method, colour=colour),
            )
            name = f"{precision}, channels {'last' if last else 'first'}"
            ways[name] = _steps(changed, ready)
    few = replace(config, steps=max(4, config.steps // 4))
    taken = _in_turn(ways, config=few, clock=time.process_time)
    plain = taken["fp32, channels first"]
    rows = [
        (f"{name}: times as fast as fp32, channels first, CPU time", str(ratios(plain, seconds)))
        for name, seconds in taken.items()
    ]
    return rows, {"precision_cpu_s_per_step": taken}


def _memory(content: TrainContent, *, config: TrainingBenchmark) -> Figures:
    small = replace(
        content,
        batch_size=8,
        geometry=replace(content.geometry, resize_px=72, crop_px=64, zoom=(1.0, 1.4)),
    )
    memory_mb: list[float] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        (Path(folder) / "checkpoints").mkdir()
        train(
            _method(small),
            streams={
                name: stack.enter_context(s) for name, s in _streams(small, workers=config.workers)
            },
            validation={},
            folder=Path(folder),
            pace=_pace(config.memory_steps),
            state=RunState(average=None),
            config={},
            observer=lambda _values, _step: memory_mb.append(resident_mb()),
            tensorboard=True,
        )
    tenth = len(memory_mb) // 10
    early = sum(memory_mb[tenth : 2 * tenth]) / tenth
    late = sum(memory_mb[-tenth:]) / tenth
    row = (
        f"resident memory, last tenth of {config.memory_steps} steps over the second (bar 1.02)",
        f"{late / early:.4f} ({early:.0f} to {late:.0f} MB)",
    )
    return [row], {"memory_mb": memory_mb}


if __name__ == "__main__":
    main(tyro.cli(TrainingBenchmark))
