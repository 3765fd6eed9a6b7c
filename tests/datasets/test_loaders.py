"""Streams: a batch is a function of its number, whoever reads it and however often the run was stopped."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from photo_trees import photo, smooth, write_tree
from store_files import noise_shards, room_file
from torch import Tensor

from scenelift.datasets.frame_cache import FrameCache
from scenelift.datasets.geometry import Frame, Geometry
from scenelift.datasets.loaders import (
    Batch,
    Source,
    Stream,
    StreamError,
    fixed_batches,
    sample_seed,
)
from scenelift.datasets.photo_files import PhotoError, photos_in_folder
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.store import Channel, StoreError, merge_shards
from scenelift.datasets.synthetic import SyntheticDataset

SMALL = Geometry(resize_px=16, crop_px=12, flip=True, jpeg_quality=(70, 95))


class Numbers:
    """Frames that say which they are; one may be broken, one deadly."""

    def __init__(self, count: int, *, broken: int = -1, deadly: int = -1) -> None:
        self.count = count
        self.broken = broken
        self.deadly = deadly
        self.reads: Counter[int] = Counter()

    def __len__(self) -> int:
        return self.count

    def frame(self, index: int) -> Frame:
        self.reads[index] += 1
        if index == self.broken:
            raise PhotoError(f"{index}.jpg: damaged")
        if index == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        image = np.zeros((16, 20, 3), np.uint8)
        image[...] = index % 256
        return {"image": image, "depth": np.full((16, 20), index, np.float32)}


def stream(
    source: Source,
    *,
    name: str = "real",
    batch_size: int = 4,
    geometry: Geometry = SMALL,
    seed: int = 3,
    start: int = 0,
    rank: int = 0,
    world_size: int = 1,
    workers: int = 0,
    start_method: Literal["fork", "spawn", "forkserver"] | None = None,
    cache_bytes: int = 0,
) -> Stream:
    return Stream(
        source,
        name=name,
        batch_size=batch_size,
        geometry=geometry,
        seed=seed,
        start=start,
        rank=rank,
        world_size=world_size,
        workers=workers,
        start_method=start_method,
        cache_bytes=cache_bytes,
    )


def take(batches: Stream, count: int) -> list[Batch]:
    with batches:
        return list(islice(batches, count))


def same(first: list[Batch], second: list[Batch]) -> None:
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for key in one:
            assert one[key].dtype == other[key].dtype
            assert torch.equal(one[key], other[key]), key


def indices(batch: Batch) -> list[int]:
    return [int(depth) for depth in batch["z_depth_m"].amax(dim=(1, 2, 3))]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> SyntheticDataset:
    path = tmp_path_factory.mktemp("rooms") / "rooms.h5"
    return SyntheticDataset(room_file(path, width=40, height=32), channels=CHANNELS)


CHANNELS: tuple[Channel, ...] = ("image", "depth", "normal", "edge", "semantic")


@pytest.fixture
def photos(tmp_path: Path) -> PhotoDataset:
    files = {
        f"{number:02}.jpg": photo(width=20 + number, height=31 - number, seed=number, kind="JPEG")
        for number in range(11)
    }
    return PhotoDataset(photos_in_folder(write_tree(tmp_path, files)))


def test_batches_are_what_methods_ask_for(labelled: SyntheticDataset) -> None:
    (batch,) = take(stream(labelled), 1)
    found = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in batch.items()}
    assert found == {
        "image": (torch.uint8, (4, 3, 12, 12)),
        "sample_seed": (torch.int64, (4,)),
        "z_depth_m": (torch.float32, (4, 1, 12, 12)),
        "normal": (torch.float32, (4, 3, 12, 12)),
        "edge": (torch.bool, (4, 1, 12, 12)),
        "valid": (torch.bool, (4, 1, 12, 12)),
        "semantic": (torch.int64, (4, 12, 12)),
    }
    assert batch["image"].is_contiguous(memory_format=torch.channels_last)
    valid = batch["valid"]
    assert torch.equal(valid, batch["z_depth_m"] > 0)
    lengths = batch["normal"].norm(dim=1, keepdim=True)
    torch.testing.assert_close(lengths, valid.float(), atol=1e-4, rtol=0)


def test_without_change_of_size_a_sample_is_the_view(labelled: SyntheticDataset) -> None:
    (batch,) = fixed_batches(
        labelled,
        name="synthetic",
        batch_size=len(labelled),
        num_batches=1,
        geometry=Geometry(resize_px=32, crop_px=32),
    )
    for place in range(len(labelled)):
        matches = [
            sample
            for sample in iter(labelled)
            if torch.equal(sample["z_depth_m"][..., 4:36], batch["z_depth_m"][place])
        ]
        assert len(matches) == 1
        sample = matches[0]
        assert torch.equal(batch["normal"][place], sample["normal"][..., 4:36])
        assert torch.equal(batch["edge"][place], sample["edge"][..., 4:36])
        assert torch.equal(batch["semantic"][place], sample["semantic"][..., 4:36])
        assert torch.equal(batch["image"][place], sample["image"][..., 4:36])
        assert torch.equal(batch["valid"][place], sample["valid"][..., 4:36])


def test_only_normals_tell_what_is_valid_too(labelled: SyntheticDataset) -> None:
    path = labelled._reader.paths[0]
    only = SyntheticDataset(path, channels=("image", "normal"))
    both = take(stream(labelled), 2)
    for one, other in zip(take(stream(only), 2), both, strict=True):
        assert torch.equal(one["valid"], other["valid"])


@pytest.mark.parametrize("kind", ["photos", "labelled"])
def test_a_resumed_stream_goes_on_as_if_never_stopped(
    kind: str, request: pytest.FixtureRequest
) -> None:
    source: Source = request.getfixturevalue(kind)
    whole = take(stream(source), 9)
    first = stream(source)
    same(take(first, 4), whole[:4])
    assert first.position == 4
    same(take(stream(source, start=first.position), 5), whole[4:])
    same(take(first, 5), whole[4:])
    same(take(stream(source, start=7, workers=1), 2), whole[7:])


@pytest.mark.parametrize("world_size", [2, 3])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_the_ranks_together_see_what_one_would(world_size: int, batch_size: int) -> None:
    source = Numbers(13)
    whole = take(stream(source, batch_size=batch_size * world_size), 8)
    ranks = [
        take(stream(source, batch_size=batch_size, rank=rank, world_size=world_size), 8)
        for rank in range(world_size)
    ]
    for k, batch in enumerate(whole):
        for key in batch:
            assert torch.equal(torch.cat([rank[k][key] for rank in ranks]), batch[key])


@pytest.mark.parametrize(
    ("workers", "start_method", "cache_bytes"),
    [
        (1, "fork", 0),
        (2, "fork", 0),
        (2, "spawn", 0),
        (0, None, 2**24),
        (2, "fork", 2**24),
        (2, "spawn", 2**24),
    ],
)
def test_neither_workers_nor_memory_change_a_byte(
    labelled: SyntheticDataset,
    photos: PhotoDataset,
    workers: int,
    start_method: Literal["fork", "spawn"] | None,
    cache_bytes: int,
) -> None:
    sources: tuple[Source, ...] = (photos, labelled) if start_method != "spawn" else (labelled,)
    for source in sources:
        expected = take(stream(source), 7)
        other = stream(source, workers=workers, start_method=start_method, cache_bytes=cache_bytes)
        same(take(other, 7), expected)


def test_every_epoch_shows_every_sample_once_in_another_order() -> None:
    source = Numbers(10)
    seen = [index for batch in take(stream(source, batch_size=3), 10) for index in indices(batch)]
    epochs = [tuple(seen[start : start + 10]) for start in (0, 10, 20)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len(set(epochs)) == 3


def test_a_batch_may_be_larger_than_the_source() -> None:
    (batch,) = take(stream(Numbers(3), batch_size=8), 1)
    assert Counter(indices(batch)).most_common()[-1][1] >= 2
    assert len(set(batch["sample_seed"].tolist())) == 8


def test_seed_and_name_decide() -> None:
    source = Numbers(40)
    batches = [
        take(stream(source, batch_size=40, seed=seed, name=name), 1)[0]
        for seed, name in ((0, "real"), (1, "real"), (0, "synthetic"))
    ]
    assert len({tuple(indices(batch)) for batch in batches}) == 3
    seeds = [number for batch in batches for number in batch["sample_seed"].tolist()]
    assert len(set(seeds)) == 120
    assert min(seeds) >= 0


def test_crops_change_from_epoch_to_epoch(photos: PhotoDataset) -> None:
    geometry = Geometry(resize_px=20, crop_px=12, flip=True)
    seen: dict[int, Tensor] = {}
    changed = 0
    for batch in take(stream(photos, batch_size=11, geometry=geometry), 2):
        order = batch["image"].float().mean(dim=(2, 3))[:, 0].argsort()
        for place, index in enumerate(order.tolist()):
            changed += place in seen and not torch.equal(seen[place], batch["image"][index])
            seen[place] = batch["image"][index]
    assert changed >= 9


def test_streams_leave_global_random_states_alone(photos: PhotoDataset) -> None:
    numpy_before = np.random.get_state(legacy=False)  # noqa: NPY002 (the point of the test)
    torch_before = torch.random.get_rng_state()
    take(stream(photos, workers=1), 2)
    take(stream(photos), 2)
    assert torch.equal(torch.random.get_rng_state(), torch_before)
    numpy_after = np.random.get_state(legacy=False)  # noqa: NPY002
    assert repr(numpy_after) == repr(numpy_before)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_arrives_as_the_line_that_caused_it(workers: int) -> None:
    broken = stream(Numbers(9, broken=5), workers=workers)
    with pytest.raises(PhotoError) as error, broken:
        list(islice(broken, 4))
    assert str(error.value) == "5.jpg: damaged"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_view_is_told(tmp_path: Path, workers: int) -> None:
    merge_shards(noise_shards(tmp_path, counts=[6]), tmp_path / "all.h5")
    source = SyntheticDataset(tmp_path / "all.h5")
    (tmp_path / "all.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with (
        pytest.raises(StoreError, match=r"all\.h5"),
        stream(source, geometry=Geometry(resize_px=6, crop_px=4), workers=workers) as batches,
    ):
        next(batches)


def test_a_dead_worker_is_told_and_the_others_end() -> None:
    before = children(os.getpid())
    with pytest.raises(StreamError, match="stream real: a worker died") as error:
        take(stream(Numbers(9, deadly=5), workers=2), 9)
    assert "\n" not in str(error.value)
    assert children(os.getpid()) <= before


def children(process: int) -> set[int]:
    """Living child processes, by Linux' own account."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == process and state != "Z":
            found.add(int(path.parent.name))
    return found


def test_closing_ends_the_workers_and_the_next_batch_starts_them_again() -> None:
    before = children(os.getpid())
    batches = stream(Numbers(30), workers=2, start_method="fork")
    first = next(batches)
    assert len(children(os.getpid()) - before) == 2
    batches.close()
    assert children(os.getpid()) <= before
    second = next(batches)
    batches.close()
    same([first, second], take(stream(Numbers(30)), 2))


CTRL_C = """
import signal
# A job in the background is born deaf to it.
signal.signal(signal.SIGINT, signal.default_int_handler)
import sys, time
from pathlib import Path
from scenelift.datasets.geometry import Geometry
from scenelift.datasets.loaders import Stream
from scenelift.datasets.photo_files import photos_in_folder
from scenelift.datasets.photos import PhotoDataset
source = PhotoDataset(photos_in_folder(Path(sys.argv[1])))
batches = Stream(source, name="real", batch_size=2, geometry=Geometry(resize_px=8, crop_px=8),
                 seed=0, workers=2, start_method="fork")
try:
    with batches:
        for number, _ in enumerate(batches):
            if number == 3:
                print("running", flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""


def test_ctrl_c_leaves_nobody_behind(photos: PhotoDataset) -> None:
    folder = Path(photos.name(0)).parent
    with subprocess.Popen(
        [sys.executable, "-c", CTRL_C, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "running\n"
        workers = children(process.pid)
        assert len(workers) == 2
        # A terminal sends the signal to the whole group.
        os.killpg(process.pid, signal.SIGINT)
        try:
            _, errors = process.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert not errors
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_bad_photos_are_replaced_counted_and_the_same_after_a_resume(
    photos: PhotoDataset, caplog: pytest.LogCaptureFixture
) -> None:
    Path(photos.name(4)).write_bytes(b"junk")
    Path(photos.name(5)).write_bytes(b"")
    source = PhotoDataset(photos_in_folder(Path(photos.name(0)).parent), skip_bad=True)
    with caplog.at_level(logging.WARNING):
        one = stream(source, workers=2)
        whole = take(one, 8)
    assert sorted(one.bad) == [photos.name(4), photos.name(5)]
    assert len(caplog.records) == 2
    assert "04.jpg" in caplog.text
    fresh = PhotoDataset(photos_in_folder(Path(photos.name(0)).parent), skip_bad=True)
    same(take(stream(fresh, start=3), 5), whole[3:])
    with pytest.raises(PhotoError):
        take(stream(photos), 8)


def test_waiting_is_counted() -> None:
    class Slow(Numbers):
        def frame(self, index: int) -> Frame:
            threading.Event().wait(0.02)
            return super().frame(index)

    batches = stream(Slow(9), batch_size=5)
    assert batches.wait_s == 0
    take(batches, 2)
    assert 0.2 <= batches.wait_s < 20
    before = batches.wait_s
    threading.Event().wait(0.05)
    assert batches.wait_s == before


def test_frames_in_memory_are_read_once() -> None:
    source = Numbers(12)
    take(stream(source, cache_bytes=2**20), 9)
    # The first is also read to see whether all fit.
    assert source.reads == {index: 1 + (index == 0) for index in range(12)}
    source = Numbers(12)
    take(stream(source, cache_bytes=2**10), 9)
    # Nine batches of four, and the one that is read ahead.
    assert 1 + 36 <= sum(source.reads.values()) <= 1 + 40


def test_the_cache_keeps_all_channels_exactly(labelled: SyntheticDataset) -> None:
    every = SyntheticDataset(labelled._reader.paths[0])
    frame = every.frame(1)
    cache = FrameCache(3, like=frame, slot_px=32 * 40)
    assert cache.get(1) is None
    cache.put(1, frame)
    found = cache.get(1)
    assert found is not None
    assert found.keys() == frame.keys()
    for name, array in frame.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert cache.get(0) is None
    assert cache.get(2) is None
    cache.put(2, {"image": np.zeros((200, 200, 3), np.uint8)})
    assert cache.get(2) is None


def test_validation_is_the_same_every_time(photos: PhotoDataset) -> None:
    geometry = Geometry(resize_px=16, crop_px=12, flip=True)

    def batches(rank: int = 0, world_size: int = 1, batch_size: int = 4) -> list[Batch]:
        return list(
            fixed_batches(
                photos,
                name="real",
                batch_size=batch_size,
                num_batches=5,
                geometry=geometry,
                rank=rank,
                world_size=world_size,
            )
        )

    whole = batches()
    same(batches(), whole)
    assert [len(batch["image"]) for batch in whole] == [4, 4, 3]
    assert len({number for batch in whole for number in batch["sample_seed"].tolist()}) == 11
    ranks = [batches(rank, 2, 2) for rank in range(2)]
    for batch, *parts in zip(whole, *ranks, strict=True):
        assert torch.equal(torch.cat([part["image"] for part in parts]), batch["image"])
    # Eleven samples: nine and two, which are too few for three ranks.
    assert [[len(b["image"]) for b in batches(rank, 3, 3)] for rank in range(3)] == [[3]] * 3
    centre = smooth(width=25, height=26, seed=5)
    assert any(
        np.abs(
            image.permute(1, 2, 0).numpy().astype(int).mean(axis=(0, 1))
            - centre[5:-5, 5:-5].mean(axis=(0, 1))
        ).max()
        < 3
        for batch in whole
        for image in batch["image"]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"start": -1}, "start"),
        ({"workers": -1}, "workers"),
        ({"rank": 1}, "rank must be from 0 to 0"),
    ],
)
def test_bad_arguments(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stream(Numbers(3), **arguments)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="samples"):
        stream(Numbers(0))


def test_seeds_of_samples_differ_in_each_part() -> None:
    parts = [
        sample_seed(seed=seed, stream=name, index=index, epoch=epoch)
        for seed in range(4)
        for name in ("real", "synthetic")
        for index in range(20)
        for epoch in range(5)
    ]
    assert len(set(parts)) == len(parts)
    bits = np.array([[part >> bit & 1 for bit in range(63)] for part in parts])
    assert np.abs(bits.mean(axis=0) - 0.5).max() < 0.08


def test_a_stream_does_not_slow_down_with_its_position() -> None:
    source = Numbers(1000)
    start = time.process_time()
    take(stream(source, start=10**9), 5)
    assert time.process_time() - start < 5
