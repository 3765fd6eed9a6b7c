"""How fast a file is written, merged and read at random, and what each way of packing costs.

python -m scenelift.benchmarks.speed.store synth.h5
"""

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from scenelift.datasets.store import (
    CHANNELS,
    Channel,
    Reader,
    Row,
    StoreError,
    merge_shards,
    write_shard,
)
from scenelift.datasets.store_measure import measure_packings


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreBenchmark:
    """Measure the store on the frames of a file; all times are process CPU time of one process."""

    file: Annotated[Path, tyro.conf.Positional]
    """A file that `render-scenes` wrote."""
    frames: int = 24
    """Frames to write and to pack."""
    reads: int = 400
    """Random reads."""
    shards: int = 60
    """Shards to merge."""


def main() -> int:
    """Print the tables."""
    config = tyro.cli(StoreBenchmark)
    try:
        print("channel     packing                    KiB  write ms  read ms")
        for cost in measure_packings(config.file, frames=config.frames):
            print(
                f"{cost.channel:<12}{cost.packing:<22}{cost.kib:>8.1f}{cost.write_ms:>10.2f}{cost.read_ms:>9.2f}"
            )
        for line in measure_store(config):
            print(line)
    except (StoreError, OSError) as error:
        print(f"store: {error}", file=sys.stderr)
        return 1
    return 0


def measure_store(config: StoreBenchmark) -> list[str]:
    """Time writing, merging and reading, each as a line."""
    reader = Reader(config.file)
    rows = [_row(reader, index) for index in range(min(config.frames, len(reader)))]
    record = reader.scene(0)
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"shard-{index:05d}.h5" for index in range(config.shards)]

        def write(path: Path, *, scene: str) -> None:
            write_shard(path, header=reader.header, scene=replace(record, name=scene), rows=rows)

        seconds = min(_cpu(lambda: write(paths[0], scene="0")) for _ in range(3))
        size = paths[0].stat().st_size / len(rows) / 1024
        lines.append(f"write   {seconds / len(rows) * 1e3:.2f} ms a frame, {size:.0f} KiB a frame")
        for index, path in enumerate(paths[1:], start=1):
            write(path, scene=str(index))
        seconds = _cpu(lambda: merge_shards(paths, folder / "all.h5"))
        lines.append(
            f"merge   {config.shards * len(rows) / seconds:.0f} frames/s, {len(rows)} frames a shard"
        )
    places = np.random.default_rng(0).integers(0, len(reader), config.reads)
    kinds: dict[str, tuple[Channel, ...]] = {
        "all channels": CHANNELS,
        "image, depth, normal, edge": ("image", "depth", "normal", "edge"),
        "image": ("image",),
    }
    for label, channels in kinds.items():
        seconds = min(_read_all(reader, places, channels) for _ in range(3))
        lines.append(f"read    {config.reads / seconds:.0f} frames/s at random, {label}")
    reader.close()
    return lines


def _read_all(reader: Reader, places: np.ndarray, channels: tuple[Channel, ...]) -> float:
    start = time.process_time()
    for index in places:
        reader.read(int(index), channels=channels)
    return time.process_time() - start


def _row(reader: Reader, index: int) -> Row:
    view = reader.read(index)
    intrinsics, poses = reader.cameras()
    return Row(
        image=view["image"],
        z_depth_m=view["depth"],
        normal=view["normal"],
        edge=view["edge"],
        instance=view["instance"],
        semantic=view["semantic"],
        K=intrinsics[index],
        T_world_camera=poses[index],
        view={"room": 0},
    )


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    raise SystemExit(main())
