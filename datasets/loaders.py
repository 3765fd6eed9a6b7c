"""Streams: from files to batches on the device, where batch k is a function of (seed, stream, k, rank, world size).

The samples of a stream are the epochs' permutations, one after the other without a gap; batch k of all ranks together is its
next `batch_size * world_size` samples. So a position is a number, a resumed run sees what it would have seen, and two ranks
see what one would with twice the batch. Workers hold no random state.
"""

import hashlib
import itertools
import logging
import multiprocessing
import signal
import sys
import time
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import cv2
import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from scenelift.datasets.frame_cache import FrameCache, slot_bytes
from scenelift.datasets.geometry import Frame, Geometry, cut_frame, draw_cut, resize_frame
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.store_schema import NORMAL_SCALE

Batch = dict[str, Tensor]
"""`image` (UInt8 n 3 h w, sRGB, channels last in memory), `sample_seed` (Int64 n) and, where the source has labels, `z_depth_m`
(Float32 n 1 h w), `normal` (Float32 n 3 h w), `edge` (Bool n 1 h w), `valid` (Bool n 1 h w), `semantic` (Int64 n h w), or, where
pictures have a class, `label` (Int64 n)."""

_MAX_NAMED = 20
_CPU = torch.device("cpu")
_logger = logging.getLogger(__name__)


class StreamError(OSError):
    """A stream whose workers are gone."""


@runtime_checkable
class Source(Protocol):
    """What a stream reads: `SyntheticDataset`, `PhotoDataset` and whatever else gives frames by number."""

    def __len__(self) -> int: ...

    def frame(self, index: int) -> Frame:
        """Return the arrays of one sample."""
        ...


@runtime_checkable
class ClassifiedSource(Source, Protocol):
    """A source whose pictures have a class each."""

    def label(self, index: int) -> int:
        """Return the class of one sample."""
        ...


class _Packed(NamedTuple):
    """A batch as a worker hands it over: as few bytes as hold it."""

    arrays: dict[str, Tensor]
    bad: dict[str, str]
    error: Exception | None


class Stream:
    """Batches without end, and how long somebody waited for them.

    An iterator and a context manager. Nothing starts before the first batch.
    """

    def __init__(
        self,
        source: Source,
        *,
        name: str,
        batch_size: int,
        geometry: Geometry,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
        prefetch: int = 2,
        start_method: Literal["fork", "spawn", "forkserver"] | None = None,
        device: torch.device = _CPU,
        cache_bytes: int = 0,
    ) -> None:
        """Prepare a stream.

        Args:
            source: The samples.
            name: Of the stream; streams of other names draw other samples.
            batch_size: Samples of one rank.
            geometry: Size, crop, mirror and codec.
            seed: Of the run.
            start: Number of the first batch.
            rank: Of this process.
            world_size: Number of ranks.
            workers: Processes that read ahead; 0: a thread of this one does.
            prefetch: Batches that each worker is ahead.
            start_method: How workers start; None is the platform's way.
            device: Where batches go.
            cache_bytes: Keep resized frames in memory if all fit.

        Raises:
            ValueError: if a number is out of range, or the first sample, which tells how much memory all need, cannot be read.
        """
        for label, value, least in (
            ("batch_size", batch_size, 1),
            ("start", start, 0),
            ("world_size", world_size, 1),
            ("workers", workers, 0),
            ("prefetch", prefetch, 1),
            ("samples", len(source), 1),
        ):
            if value < least:
                raise ValueError(f"stream {name}: {label} must be at least {least}, got {value}")
        if not 0 <= rank < world_size:
            raise ValueError(f"stream {name}: rank must be from 0 to {world_size - 1}, got {rank}")
        self._batches = _Batches(
            _Frames(source, resize_px=geometry.resize_px, cache_bytes=cache_bytes),
            order=_Order(name=name, seed=seed, count=len(source)),
            geometry=geometry,
            batch_size=batch_size,
            rank=rank,
            world_size=world_size,
        )
        self._name = name
        self._position = start
        self._workers = workers
        self._prefetch = prefetch
        self._start_method = start_method
        self._device = device
        self._fetched: Iterator[_Packed] | None = None
        self._bad: dict[str, str] = {}
        self._wait_s = 0.0

    @property
    def position(self) -> int:
        """Number of the next batch: `start` of a stream that goes on from here."""
        return self._position

    @property
    def wait_s(self) -> float:
        """How long the consumer has waited for batches, in seconds."""
        return self._wait_s

    @property
    def bad(self) -> dict[str, str]:
        """Photos of the batches so far that were replaced: name to reason."""
        return dict(self._bad)

    def __iter__(self) -> "Stream":
        return self

    def __next__(self) -> Batch:
        """Return the next batch on the device.

        Raises:
            ValueError: if a sample cannot be read; `PhotoError` and `StoreError` say which.
            OSError: if a file cannot be read.
            StreamError: if a worker died.
        """
        begin = time.perf_counter()
        if self._fetched is None:
            self._fetched = iter(self._start())
        try:
            packed = next(self._fetched)
        except KeyboardInterrupt:
            # Left to the end of the interpreter, the queues may wait for ever.
            self.close()
            raise
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            self.close()
            raise StreamError(
                f"stream {self._name}: a worker died, most likely for want of memory or of room in /dev/shm; use fewer "
                "workers or smaller batches"
            ) from error
        if packed.error is not None:
            self.close()
            raise packed.error
        self._note(packed.bad)
        batch = _unpack(packed.arrays, device=self._device)
        self._position += 1
        self._wait_s += time.perf_counter() - begin
        return batch

    def close(self) -> None:
        """Stop the workers; the next batch starts them again."""
        if isinstance(self._fetched, _MultiProcessingDataLoaderIter):
            # The loader itself does this when nobody refers to its iterator any more; a traceback does.
            self._fetched._shutdown_workers()
        elif isinstance(self._fetched, Generator):
            self._fetched.close()
        self._fetched = None

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _note(self, bad: Mapping[str, str]) -> None:
        """Remember photos that were replaced, each once, whichever workers met it; name the first ones in the log."""
        for photo, reason in bad.items():
            if photo not in self._bad:
                self._bad[photo] = reason
                if len(self._bad) <= _MAX_NAMED:
                    _logger.warning("stream %s: photo replaced by the next: %s", self._name, reason)
                if len(self._bad) == _MAX_NAMED:
                    _logger.warning("stream %s: further bad photos are not named", self._name)

    def _start(self) -> Iterable[_Packed]:
        positions = _From(self._position)
        if not self._workers:
            return _read_ahead(self._batches, iter(positions))
        return DataLoader(
            self._batches,
            batch_size=None,
            sampler=positions,
            num_workers=self._workers,
            prefetch_factor=self._prefetch,
            pin_memory=self._device.type == "cuda",
            multiprocessing_context=multiprocessing.get_context(self._start_method),
            worker_init_fn=_prepare_worker,
            collate_fn=_as_is,
            # Without one of its own the loader draws from torch's global generator.
            generator=torch.Generator(),
        )


def fixed_batches(
    source: Source,
    *,
    name: str,
    batch_size: int,
    num_batches: int,
    geometry: Geometry,
    seed: int = 0,
    rank: int = 0,
    world_size: int = 1,
    device: torch.device = _CPU,
) -> Iterator[Batch]:
    """Yield the same batches at every call, for validation: centre crops, not mirrored, no sample twice.

    The samples are drawn from the whole source, whatever its order. With few of them the last batch is smaller, and fewer
    batches come; all ranks get the same number, so samples that are fewer than the ranks are left out.

    Raises:
        ValueError: if a number is out of range, or a sample cannot be read.
    """
    if batch_size < 1 or num_batches < 1 or not 0 <= rank < world_size:
        raise ValueError(
            f"batch_size ({batch_size}) and num_batches ({num_batches}) must be at least 1, and rank ({rank}) "
            f"below world_size ({world_size})"
        )
    order = _Order(name=f"{name} validation", seed=seed, count=len(source))
    frames = _Frames(source, resize_px=geometry.resize_px, cache_bytes=0)
    chosen = order.epoch(0)
    size = batch_size * world_size
    for start in range(0, min(len(chosen), num_batches * size), size):
        together = chosen[start : start + size]
        if len(together) >= world_size:
            mine = np.array_split(together, world_size)[rank].tolist()
            cut = [frames.cut(index, geometry=geometry, rng=None) for index in mine]
            seeds = [order.seed_of(0, index) for index in mine]
            yield _unpack(_pack(cut, seeds=seeds, labels=frames.labels(mine)), device=device)


def sample_seed(*, seed: int, stream: str, index: int, epoch: int) -> int:
    """Hash what makes a sample's random decisions into 63 bits.

    >>> sample_seed(seed=0, stream="real", index=3, epoch=0)
    1360803202457696196
    """
    text = f"{seed}/{stream}/{index}/{epoch}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


class _Order:
    """The samples of a stream: epoch after epoch, each a permutation."""

    def __init__(self, *, name: str, seed: int, count: int) -> None:
        self._name = name
        self._seed = seed
        self._count = count
        self._epochs: dict[int, Int64[np.ndarray, " n"]] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_epochs": {}}

    def epoch(self, epoch: int) -> Int64[np.ndarray, " n"]:
        """Return the order of one epoch."""
        if epoch not in self._epochs:
            start = sample_seed(seed=self._seed, stream=self._name, index=-1, epoch=epoch)
            self._epochs = {
                number: self._epochs[number] for number in self._epochs if number == epoch - 1
            }
            self._epochs[epoch] = np.random.default_rng(start).permutation(self._count)
        return self._epochs[epoch]

    def samples(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Return epoch and index of the samples at some places of the stream."""
        places = (divmod(place, self._count) for place in range(start, stop))
        return [(epoch, int(self.epoch(epoch)[offset])) for epoch, offset in places]

    def seed_of(self, epoch: int, index: int) -> int:
        """Return the seed of a sample's random decisions."""
        return sample_seed(seed=self._seed, stream=self._name, index=index, epoch=epoch)


class _Frames:
    """Resized frames of a source, decoded once if they fit into memory."""

    def __init__(self, source: Source, *, resize_px: int, cache_bytes: int) -> None:
        self._source = source
        self._resize_px = resize_px
        self._num_told = 0
        self._cache = self._make_cache(cache_bytes) if cache_bytes else None

    def cut(self, index: int, *, geometry: Geometry, rng: np.random.Generator | None) -> Frame:
        """Return a sample as it goes into a batch."""
        frame = self._resized(index)
        height, width = frame["image"].shape[:2]
        cut = draw_cut(height=height, width=width, geometry=geometry, rng=rng)
        return cut_frame(frame, cut, crop_px=geometry.crop_px)

    def labels(self, indices: Sequence[int]) -> list[int]:
        """Return the classes of some samples; none of a source without."""
        source = self._source
        return [source.label(i) for i in indices] if isinstance(source, ClassifiedSource) else []

    def newly_bad(self) -> dict[str, str]:
        """Return the photos that this process replaced since the last call."""
        if not isinstance(self._source, PhotoDataset):
            return {}
        news = dict(itertools.islice(self._source.bad.items(), self._num_told, None))
        self._num_told += len(news)
        return news

    def _resized(self, index: int) -> Frame:
        frame = self._cache.get(index) if self._cache else None
        if frame is None:
            frame = resize_frame(self._source.frame(index), resize_px=self._resize_px)
            if self._cache:
                self._cache.put(index, frame)
        return frame

    def _make_cache(self, cache_bytes: int) -> FrameCache | None:
        """Make room for frames of the first one's shape; for photos, whose shapes differ, up to 3:2 at least."""
        first = resize_frame(self._source.frame(0), resize_px=self._resize_px)
        slot_px = first["image"].size // 3
        if isinstance(self._source, PhotoDataset):
            slot_px = max(slot_px, self._resize_px * self._resize_px * 3 // 2)
        whole = len(self._source) * slot_bytes(first, slot_px=slot_px)
        if whole > cache_bytes:
            _logger.info(
                "%d bytes of frames are not kept in memory: %d allowed", whole, cache_bytes
            )
            return None
        try:
            return FrameCache(len(self._source), like=first, slot_px=slot_px)
        except OSError as error:
            _logger.warning("frames are not kept in memory: %s", error)
            return None


class _Batches(Dataset[_Packed]):
    """Batch k of one rank."""

    def __init__(
        self,
        frames: _Frames,
        *,
        order: _Order,
        geometry: Geometry,
        batch_size: int,
        rank: int,
        world_size: int,
    ) -> None:
        self._frames = frames
        self._order = order
        self._geometry = geometry
        self._batch_size = batch_size
        self._rank = rank
        self._world_size = world_size

    def __getitem__(self, k: int) -> _Packed:
        start = (k * self._world_size + self._rank) * self._batch_size
        samples = self._order.samples(start, start + self._batch_size)
        seeds = [self._order.seed_of(epoch, index) for epoch, index in samples]
        try:
            cut = [
                self._frames.cut(index, geometry=self._geometry, rng=np.random.default_rng(seed))
                for (_, index), seed in zip(samples, seeds, strict=True)
            ]
        except (OSError, ValueError) as error:
            # As a value: raised in a worker it would come back with a traceback in its message.
            return _Packed({}, {}, error)
        labels = self._frames.labels([index for _, index in samples])
        return _Packed(_pack(cut, seeds=seeds, labels=labels), self._frames.newly_bad(), None)


def _read_ahead(batches: _Batches, positions: Iterator[int]) -> Iterator[_Packed]:
    """Read a batch in a thread while the one before it is used: decoders and copies leave the interpreter to others."""
    with ThreadPoolExecutor(1, thread_name_prefix="stream") as pool:
        coming = pool.submit(batches.__getitem__, next(positions))
        for position in positions:
            done, coming = coming, pool.submit(batches.__getitem__, position)
            yield done.result()


class _From:
    """The numbers from one on."""

    def __init__(self, start: int) -> None:
        self._start = start

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self._start)


def _pack(
    frames: Sequence[Frame], *, seeds: Sequence[int], labels: Sequence[int]
) -> dict[str, Tensor]:
    packed: dict[str, Tensor] = {
        name: torch.from_numpy(np.stack([frame[name] for frame in frames]))
        for name in frames[0]
        if name != "instance"
    }
    packed["sample_seed"] = torch.tensor(seeds, dtype=torch.int64)
    if labels:
        packed["label"] = torch.tensor(labels, dtype=torch.int64)
    return packed


def _unpack(packed: dict[str, Tensor], *, device: torch.device) -> Batch:
    """Bring a batch to the device, and there into the types that methods ask for."""
    there = {name: tensor.to(device, non_blocking=True) for name, tensor in packed.items()}
    batch = {"image": there["image"].permute(0, 3, 1, 2), "sample_seed": there["sample_seed"]}
    if "normal" in there:
        normal = there["normal"].permute(0, 3, 1, 2)
        batch["normal"] = normal.to(torch.float32, memory_format=torch.contiguous_format).mul_(
            float(np.float32(1 / NORMAL_SCALE))
        )
        if "depth" not in there:
            batch["valid"] = (normal != 0).any(dim=1, keepdim=True)
    if "depth" in there:
        batch["z_depth_m"] = there["depth"][:, None]
        batch["valid"] = batch["z_depth_m"] > 0
    if "edge" in there:
        batch["edge"] = there["edge"][:, None]
    if "label" in there:
        batch["label"] = there["label"]
    if "semantic" in there:
        batch["semantic"] = there["semantic"].to(torch.int64)
    return batch


def _prepare_worker(_worker: int) -> None:
    """Leave Ctrl-C to the parent, which ends its workers; use one thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.excepthook = _report_unless_parting
    torch.set_num_threads(1)
    cv2.setNumThreads(0)


def _report_unless_parting(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Say nothing when the parent hangs up on the thread that hands it tensors, which is how Ctrl-C looks from a worker."""
    if not issubclass(kind, ConnectionError):
        sys.__excepthook__(kind, error, traceback)


def _as_is(packed: Any) -> Any:
    return packed
