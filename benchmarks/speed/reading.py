"""Random reads of the data set for training, one worker. Bar: 600 frames a second at 256x256.

    python -m scenelift.benchmarks.speed.reading [--file FILE.h5] [--json PATH]

Blocks of random reads in turn: all channels as torch samples, as arrays, the paper's channels alone, and h5py with its
own choice of chunks and gzip on the same frames. Without a file, one is made from generated rooms (draft quality, which is
noisier and so no easier to decode). The file stays in the page cache: this measures decoding, not the disk.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
import tyro

from scenelift.benchmarks.speed.measure import report, spread
from scenelift.datasets.store import Channel
from scenelift.datasets.store_read import Reader
from scenelift.datasets.synthetic import SyntheticDataset
from scenelift.render.config import Content, Execution, RenderConfig
from scenelift.render.job import render_scenes
from scenelift.render.photograph import PhotoSettings

_PAPER: tuple[Channel, ...] = ("image", "depth", "normal", "edge")
_ALL: tuple[Channel, ...] = (*_PAPER, "instance", "semantic")


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadingBenchmark:
    """Random reads of the data set for training."""

    file: Path | None = None
    """A file of `render-scenes`."""
    frames: int = 128
    """Frames of the file that is made without one."""
    repeats: int = 20
    """Blocks of each way, in turn."""
    block: int = 100
    """Reads in a block."""
    json: Path | None = None
    """Where to write the figures."""


def main(config: ReadingBenchmark) -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = config.file or _make(Path(folder) / "rooms.h5", frames=config.frames)
        plain = Path(folder) / "plain.h5"
        raw_bytes, frames = _copy_plain(path, plain)
        every = SyntheticDataset(path, channels=_ALL)
        paper = SyntheticDataset(path, channels=_PAPER)
        rng = np.random.default_rng(0)
        with closing(Reader(path)) as reader, h5py.File(plain) as gzip:
            plain_data: dict[str, Any] = {channel: gzip[channel] for channel in _ALL}
            ways: dict[str, Callable[[int], object]] = {
                "torch samples, all channels (bar: 600)": every.__getitem__,
                "torch samples, image, depth, normal, edge": paper.__getitem__,
                "arrays, all channels": reader.read,
                "h5py, its own chunks, gzip 4, all channels": lambda i: [
                    plain_data[c][i] for c in _ALL
                ],
            }
            rates = _measure(ways, config=config, frames=frames, rng=rng)
        rows = [(f"{name}: frames/s", str(spread(rate))) for name, rate in rates.items()]
        rows += [
            ("kB a frame in the file", f"{path.stat().st_size / len(every) / 1e3:.0f}"),
            ("kB a frame, h5py's own", f"{plain.stat().st_size / frames / 1e3:.0f}"),
            ("kB a frame, raw", f"{raw_bytes / 1e3:.0f}"),
        ]
        title = f"random reads, {len(every)} frames, CPU time of one worker"
        report(title, rows, facts={"frames_per_s": rates}, path=config.json)


def _make(path: Path, *, frames: int) -> Path:
    content = Content(frames=frames, photo=PhotoSettings(quality="draft"))
    render_scenes(RenderConfig(content=content, execution=Execution(out=path, workers=1)))
    return path


def _copy_plain(source: Path, target: Path) -> tuple[int, int]:
    """Write the frames as h5py does unasked; return bytes of a raw frame and the count."""
    with closing(Reader(source)) as reader, h5py.File(target, "w") as file:
        frames = min(len(reader), 256)
        first: dict[Any, Any] = reader.read(0, raw_normals=True)
        for name in first:
            data = np.stack(
                [reader.read(i, channels=(name,), raw_normals=True)[name] for i in range(frames)]
            )
            file.create_dataset(name, data=data, chunks=True, compression="gzip")
        return sum(array.nbytes for array in first.values()), frames


def _measure(
    ways: dict[str, Callable[[int], object]],
    *,
    config: ReadingBenchmark,
    frames: int,
    rng: np.random.Generator,
) -> dict[str, list[float]]:
    """Return frames a second of CPU time, block by block."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(config.repeats + 1):
        for name, read in ways.items():
            count = config.block if "gzip" not in name else max(config.block // 5, 1)
            indices = rng.integers(0, frames, count).tolist()
            start = time.process_time()
            for index in indices:
                read(index)
            if repeat:
                rates[name].append(count / (time.process_time() - start))
    return rates


if __name__ == "__main__":
    main(tyro.cli(ReadingBenchmark))
