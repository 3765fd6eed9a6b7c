"""What each way of packing a channel costs, measured on the frames of a file: the ground of `store_codec.compression`."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from jaxtyping import Shaped

from scenelift.datasets.store_open import opened
from scenelift.datasets.store_schema import CHANNELS, Channel


@dataclass(frozen=True, kw_only=True, slots=True)
class PackingCost:
    """One channel packed in one way."""

    channel: Channel
    packing: str
    kib: float
    """KiB a frame."""
    write_ms: float
    """Process CPU time a frame."""
    read_ms: float


def packings() -> dict[str, Mapping[str, Any]]:
    """List the ways of packing that are compared, by name, as h5py's creation arguments."""
    ways: dict[str, Mapping[str, Any]] = {
        "none": {},
        "gzip 4, shuffle": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
        "lzf, shuffle": {"compression": "lzf", "shuffle": True},
    }
    for level in (1, 3, 9):
        ways[f"zstd {level}"] = dict(hdf5plugin.Zstd(clevel=level))
        ways[f"zstd {level}, shuffle"] = {"shuffle": True, **hdf5plugin.Zstd(clevel=level)}
    ways["blosc zstd 3, shuffle"] = dict(hdf5plugin.Blosc(cname="zstd", clevel=3, shuffle=1))
    ways["bitshuffle lz4"] = dict(hdf5plugin.Bitshuffle())
    return ways


def measure_packings(path: Path, *, frames: int = 24, repeats: int = 3) -> tuple[PackingCost, ...]:
    """Pack the first frames of a file in each way, in memory, and read them again.

    Args:
        path: A file that `render-scenes` wrote.
        frames: How many frames, at most.
        repeats: The fastest of so many counts.

    Raises:
        StoreError: if the file is not sound.
    """
    found = []
    for channel in CHANNELS:
        with opened(path) as (file, _):
            arrays = file[channel][:frames]
        for name, arguments in packings().items():
            costs = [_pack(arrays, arguments) for _ in range(repeats)]
            found.append(
                PackingCost(
                    channel=channel,
                    packing=name,
                    kib=costs[0][0],
                    write_ms=min(cost[1] for cost in costs),
                    read_ms=min(cost[2] for cost in costs),
                )
            )
    return tuple(found)


def _pack(
    arrays: Shaped[np.ndarray, "n h w *c"], arguments: Mapping[str, Any]
) -> tuple[float, float, float]:
    with h5py.File("trial", "w", driver="core", backing_store=False, rdcc_nbytes=0) as file:
        dataset: Any = file.create_dataset(
            "a", shape=arrays.shape, dtype=arrays.dtype, chunks=(1, *arrays.shape[1:]), **arguments
        )
        start = time.process_time()
        for index, array in enumerate(arrays):
            dataset[index] = array
        file.flush()
        middle = time.process_time()
        for index in range(len(arrays)):
            dataset[index]
        end = time.process_time()
        size = dataset.id.get_storage_size()
    count = len(arrays)
    return size / count / 1024, (middle - start) / count * 1e3, (end - middle) / count * 1e3
