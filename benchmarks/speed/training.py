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
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch
import tyro

from scenelift.adapt.config import TrainContent
from scenelift.adapt.feature_alignment import FeatureAlignment, FeatureAlignmentSettings
from scenelift.adapt.log import MetricsWriter, ScalarWindow
from scenelift.adapt.method import Clock, StreamName
from scenelift.adapt.precision import resolve_precision
from scenelift.adapt.recipes import recipe
from scenelift.adapt.run_data import RunData, open_data
from scenelift.adapt.train import Pace, RunState, train
from scenelift.benchmarks.speed.measure import ratios, report
from scenelift.benchmarks.speed.memory import resident_mb
from scenelift.benchmarks.speed.streams import (
    Ready,
    Repeats,
    Step,
    in_turn,
    make_ready,
    open_streams,
    reading,
    steps_of,
)

_CPU = torch.device("cpu")
_NEVER = 10**9
_LOG_EVERY = 20


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


def main(config: TrainingBenchmark) -> None:
    """Measure and report."""
    torch.set_num_threads(config.threads)
    content = replace(recipe("desk"), synthetic=(config.synthetic,), real=config.real)
    data = open_data(content)
    with ExitStack() as stack:
        streams = {
            name: stack.enter_context(s)
            for name, s in open_streams(content, data, workers=config.workers)
        }
        ready = make_ready(content, data, streams)
        pace = Repeats(steps=config.steps, repeats=config.repeats)
        rows, facts = reading(content, data, streams=streams, ready=ready, pace=pace)
        for more_rows, more_facts in (
            _log(content, ready=ready, config=config),
            _precision(content, data, ready=ready, config=config),
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


def _log(
    content: TrainContent, *, ready: Mapping[StreamName, Ready], config: TrainingBenchmark
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


def _method(content: TrainContent) -> FeatureAlignment:
    half = resolve_precision(content.precision, device=_CPU) == "bf16"
    return FeatureAlignment(_settings(content), seed=content.seed, device=_CPU, half=half)


def _settings(content: TrainContent) -> FeatureAlignmentSettings:
    if not isinstance(content.method, FeatureAlignmentSettings):
        raise TypeError("recipe desk is no feature alignment")
    return content.method


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
    content: TrainContent,
    data: RunData,
    *,
    ready: Mapping[StreamName, Ready],
    config: TrainingBenchmark,
) -> Figures:
    ways: dict[str, Step] = {}
    for precision in ("fp32", "bf16"):
        for last in (False, True):
            colour = replace(_settings(content).colour, channels_last=last)
            changed = replace(
                content,
                precision="bf16" if precision == "bf16" else "fp32",
                method=replace(_settings(content), colour=colour),
            )
            name = f"{precision}, channels {'last' if last else 'first'}"
            ways[name] = steps_of(changed, data, ready)
    few = Repeats(steps=max(4, config.steps // 4), repeats=config.repeats)
    taken = in_turn(ways, pace=few, clock=time.process_time)
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
                name: stack.enter_context(s)
                for name, s in open_streams(small, open_data(small), workers=config.workers)
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
