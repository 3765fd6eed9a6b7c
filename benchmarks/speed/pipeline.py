"""The whole pipeline: rooms made, views chosen, rendered, denoised, edges found, compressed, written, merged.

    python -m scenelift.benchmarks.speed.pipeline rate    [--json PATH]
    python -m scenelift.benchmarks.speed.pipeline workers [--json PATH]
    python -m scenelift.benchmarks.speed.pipeline length  [--json PATH]
    python -m scenelift.benchmarks.speed.pipeline shares  [--json PATH]

`rate`: 256x256, `normal`, all channels, two workers. Bar: 10 frames/s. Wall time from the first call to the merged file,
kernels compiled before; also with the rooms' frames alone, and the CPU time of all processes, which other work on the
machine disturbs less.
`workers`: one worker and two in turn. Bar: two at least 1.8 times one. Each counts from its first finished scene, since
processes start once in a run.
`length`: 500 frames and 10,000 in turn, 64x64 `draft`, since a slow-down would come from planning, merging or memory,
not from pixels. Bar: within 5 %.
`shares`: where one worker's CPU time goes. Rays are timed inside the compiled kernels, each call of Embree by the
processor's clock; the rest of a kernel's time is shading. The limit is the same frame if nothing but its rays cost time.
"""

import dataclasses
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from scenelift.benchmarks.speed.measure import ratios, report, spread
from scenelift.benchmarks.speed.shares import measure_shares
from scenelift.render.config import Content, Execution, RenderConfig
from scenelift.render.engines import Quality
from scenelift.render.job import Progress, render_scenes
from scenelift.render.photograph import PhotoSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineBenchmark:
    """The whole pipeline."""

    part: tyro.conf.Positional[Literal["rate", "workers", "length", "shares"]]
    """What to measure."""
    frames: int | None = None
    """Frames of a run; the long one's for `length`."""
    repeats: int = 3
    """Runs of each kind, in turn."""
    workers: int = 2
    json: Path | None = None
    """Where to write the figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a run took."""

    frames: int
    wall_s: float
    steady_per_s: float
    """Frames a second from the first finished scene to the last."""
    cpu_s: float
    """Of all its processes."""

    @property
    def per_s(self) -> float:
        """Frames a second of wall time."""
        return self.frames / self.wall_s

    @property
    def cpu_ms(self) -> float:
        """CPU time a frame."""
        return 1e3 * self.cpu_s / self.frames


def main(config: PipelineBenchmark) -> None:
    """Measure and report."""
    if config.part == "shares":
        title, rows, facts = measure_shares(frames=config.frames or 96)
    else:
        run(frames=8, workers=config.workers)
        parts = {"rate": _rate, "workers": _workers, "length": _length}
        title, rows, facts = parts[config.part](config)
    report(title, rows, facts=facts, path=config.json)


def run(
    *, frames: int, workers: int, quality: Quality = "normal", size: int = 256, seed: int = 0
) -> Run:
    """Render generated rooms into a file that is thrown away."""
    photo = PhotoSettings(width=size, height=size, quality=quality)
    progress: list[tuple[float, int]] = []

    def note(state: Progress) -> None:
        if not progress or state.frames != progress[-1][1]:
            progress.append((time.perf_counter(), state.frames))

    with tempfile.TemporaryDirectory() as folder:
        content = Content(frames=frames, seed=seed, photo=photo)
        execution = Execution(out=Path(folder) / "out.h5", workers=workers)
        wall, cpu = time.perf_counter(), _cpu_s()
        result = render_scenes(RenderConfig(content=content, execution=execution), on_progress=note)
        wall_s, cpu_s = time.perf_counter() - wall, _cpu_s() - cpu
    marks = [mark for mark in progress if mark[1] > 0]
    (first_s, first), (last_s, last) = marks[0], marks[-1]
    steady = (last - first) / (last_s - first_s) if last > first else float("nan")
    return Run(frames=result.frames, wall_s=wall_s, steady_per_s=steady, cpu_s=cpu_s)


def _cpu_s() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


Report = tuple[str, list[tuple[str, str]], dict[str, object]]


def _rate(config: PipelineBenchmark) -> Report:
    frames = config.frames or 200
    runs = [run(frames=frames, workers=config.workers, seed=i) for i in range(config.repeats)]
    cpu_ms = spread([r.cpu_ms for r in runs])
    rows = [
        ("frames/s, start to merged file (bar: 10)", str(spread([r.per_s for r in runs]))),
        ("frames/s from the first scene on", str(spread([r.steady_per_s for r in runs]))),
        ("CPU ms a frame, all processes", str(cpu_ms)),
        ("frames/s that this CPU time allows two whole cores", f"{2e3 / cpu_ms.median:.3g}"),
    ]
    title = (
        f"pipeline, normal, 256x256, {config.workers} workers, {frames} frames, {len(runs)} runs"
    )
    return title, rows, _facts(runs=runs)


def _workers(config: PipelineBenchmark) -> Report:
    frames = config.frames or 160
    one, two = [], []
    for seed in range(config.repeats):
        one.append(run(frames=frames, workers=1, seed=seed))
        two.append(run(frames=frames, workers=2, seed=seed))
    ratio = ratios([r.steady_per_s for r in two], [r.steady_per_s for r in one])
    rows = [
        ("frames/s, one worker", str(spread([r.steady_per_s for r in one]))),
        ("frames/s, two workers", str(spread([r.steady_per_s for r in two]))),
        ("two workers over one (bar: 1.8)", str(ratio)),
        (
            "two over one, start to merged file",
            str(ratios([r.per_s for r in two], [r.per_s for r in one])),
        ),
        (
            "CPU time a frame, two over one",
            str(ratios([r.cpu_ms for r in two], [r.cpu_ms for r in one])),
        ),
    ]
    title = f"pipeline, normal, 256x256, {frames} frames, {config.repeats} runs of each in turn"
    return title, rows, _facts(one=one, two=two)


def _length(config: PipelineBenchmark) -> Report:
    frames = config.frames or 10_000
    short, long = [], []
    for seed in range(max(config.repeats // 3, 1)):
        short += [_small(500, config, seed=3 * seed)]
        long += [_small(frames, config, seed=seed)]
        short += [_small(500, config, seed=3 * seed + 1), _small(500, config, seed=3 * seed + 2)]
    short_s, long_s = (
        spread([r.steady_per_s for r in short]),
        spread([r.steady_per_s for r in long]),
    )
    short_ms, long_ms = spread([r.cpu_ms for r in short]), spread([r.cpu_ms for r in long])
    rows = [
        ("frames/s at 500", str(short_s)),
        (f"frames/s at {frames}", str(long_s)),
        ("long over short (bar: 0.95)", f"{long_s.median / short_s.median:.3f}"),
        ("CPU ms a frame at 500", str(short_ms)),
        (f"CPU ms a frame at {frames}", str(long_ms)),
        ("CPU time a frame, short over long", f"{short_ms.median / long_ms.median:.3f}"),
    ]
    title = f"pipeline, draft, 64x64, {config.workers} workers"
    return title, rows, _facts(short=short, long=long)


def _small(frames: int, config: PipelineBenchmark, *, seed: int) -> Run:
    return run(frames=frames, workers=config.workers, quality="draft", size=64, seed=seed)


def _facts(**runs: list[Run]) -> dict[str, object]:
    return {name: [dataclasses.asdict(r) for r in several] for name, several in runs.items()}


if __name__ == "__main__":
    main(tyro.cli(PipelineBenchmark))
