"""Streams: from files to batches, with and without workers, decoded anew or kept in memory.

    python -m scenelift.benchmarks.speed.loading --photos PATH [--synthetic FILE.h5] [--json PATH]

Every way reads the same batches, in turn. CPU time is that of all processes, workers included, and what a training step on the
same processors loses; wall time is what a step on another device waits for. Starting the workers and the first epoch, which
fills the memory, are not counted. Files stay in the page cache: this measures decoding, not the disk.
"""

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from scenelift.benchmarks.speed.measure import report, spread
from scenelift.datasets.geometry import Frame, Geometry
from scenelift.datasets.loaders import Source, Stream
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.places import open_photos
from scenelift.datasets.synthetic import SyntheticDataset
from scenelift.render.config import Content, Execution, RenderConfig
from scenelift.render.job import render_scenes
from scenelift.render.photograph import PhotoSettings

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadingBenchmark:
    """Streams: from files to batches."""

    photos: Path | None = None
    """A folder, list or tar of photos; without it, only synthetic frames are read."""
    synthetic: Path | None = None
    """A file of `render-scenes`; without it, one is made."""
    frames: int = 64
    """Frames of the file that is made, and photos that are read."""
    size_px: int = 128
    """Side of the frames that are made."""
    resize_px: int = 128
    crop_px: int = 112
    jpeg: bool = False
    """Encode each crop as JPEG."""
    batch_size: int = 32
    batches: int = 10
    """Batches in a repeat."""
    repeats: int = 5
    json: Path | None = None
    """Where to write the figures."""


class _Part:
    """The first samples of a source."""

    def __init__(self, source: Source, *, count: int) -> None:
        self._source = source
        self._count = min(count, len(source))

    def __len__(self) -> int:
        return self._count

    def frame(self, index: int) -> Frame:
        return self._source.frame(index)


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """One way to read a source."""

    source: str
    workers: int
    cached: bool

    @property
    def label(self) -> str:
        """Name in the table."""
        workers = ("no worker", "1 worker", "2 workers")[self.workers]
        return f"{self.source}, {workers}, {'in memory' if self.cached else 'decoded'}"


def main(config: LoadingBenchmark) -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        sources = dict(_sources(config, folder=Path(folder)))
        ways = [
            Way(source=source, workers=workers, cached=cached)
            for source in sources
            for workers in (0, 1, 2)
            for cached in (False, True)
        ]
        wall, cpu = _measure(ways, sources=sources, config=config)
    rows = [
        (f"{way.label}: images/s of wall, of CPU time", f"{spread(wall[way])}, {spread(cpu[way])}")
        for way in ways
    ]
    facts: dict[str, object] = {
        "per_wall_s": {way.label: rates for way, rates in wall.items()},
        "per_cpu_s": {way.label: rates for way, rates in cpu.items()},
    }
    report(f"streams, {config.crop_px} pixels", rows, facts=facts, path=config.json)


def _sources(config: LoadingBenchmark, *, folder: Path) -> Iterator[tuple[str, Source]]:
    path = config.synthetic
    if path is None:
        path = folder / "rooms.h5"
        photo = PhotoSettings(quality="draft", width=config.size_px, height=config.size_px)
        content = Content(frames=config.frames, photo=photo)
        render_scenes(RenderConfig(content=content, execution=Execution(out=path, workers=1)))
    yield "synthetic", SyntheticDataset(path, channels=("image", "depth", "normal", "edge"))
    if config.photos is not None:
        photos = PhotoDataset(open_photos(config.photos))
        yield "photos", _Part(photos, count=max(config.frames, config.batch_size))


def _measure(
    ways: list[Way], *, sources: dict[str, Source], config: LoadingBenchmark
) -> tuple[dict[Way, list[float]], dict[Way, list[float]]]:
    """Return images a second of wall time and of CPU time by way, repeat by repeat."""
    wall: dict[Way, list[float]] = {way: [] for way in ways}
    cpu: dict[Way, list[float]] = {way: [] for way in ways}
    images = config.batches * config.batch_size
    for _ in range(config.repeats):
        for way in ways:
            with _stream(way, source=sources[way.source], config=config) as batches:
                for _ in range(1 + 2 * len(sources[way.source]) // config.batch_size):
                    next(batches)
                began, spent = time.perf_counter(), _cpu_s()
                for _ in range(config.batches):
                    next(batches)
                # Workers were some batches ahead when the clock started, and are as many ahead now.
                wall[way].append(images / (time.perf_counter() - began))
                cpu[way].append(images / max(_cpu_s() - spent, 1e-9))
    return wall, cpu


def _stream(way: Way, *, source: Source, config: LoadingBenchmark) -> Stream:
    return Stream(
        source,
        name=way.source,
        batch_size=config.batch_size,
        geometry=Geometry(
            resize_px=config.resize_px,
            crop_px=config.crop_px,
            jpeg_quality=(60, 95) if config.jpeg else None,
        ),
        seed=0,
        workers=way.workers,
        cache_bytes=2**32 if way.cached else 0,
    )


def _cpu_s() -> float:
    """Return the CPU time of this process and its children, living ones too."""
    total = time.process_time()
    for path in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while it is looked at.
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid():
                total += (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return total


if __name__ == "__main__":
    main(tyro.cli(LoadingBenchmark))
