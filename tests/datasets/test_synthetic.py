"""The training reader: filters, tensors, and workers of both kinds."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from store_files import make_header, make_record, noise_row, noise_shards
from torch.utils.data import DataLoader

from scenelift.datasets.store import Channel, Reader, StoreError, merge_shards, write_shard
from scenelift.datasets.synthetic import SyntheticDataset, SyntheticSample, min_edge_pixels


@pytest.fixture
def path(tmp_path: Path) -> Path:
    merge_shards(noise_shards(tmp_path, counts=[3, 4]), tmp_path / "all.h5")
    return tmp_path / "all.h5"


def test_a_sample_is_the_view_as_tensors(path: Path) -> None:
    dataset, reader = SyntheticDataset(path), Reader(path)
    assert len(dataset) == 7
    sample, view = dataset[5], reader.read(5)
    assert sample["index"] == 5
    expected = {
        "image": (torch.uint8, (3, 6, 8)),
        "z_depth_m": (torch.float32, (1, 6, 8)),
        "normal": (torch.float32, (3, 6, 8)),
        "edge": (torch.bool, (1, 6, 8)),
        "instance": (torch.int32, (6, 8)),
        "semantic": (torch.int64, (6, 8)),
        "valid": (torch.bool, (1, 6, 8)),
    }
    tensors = {name: value for name, value in sample.items() if isinstance(value, torch.Tensor)}
    found = {name: (value.dtype, tuple(value.shape)) for name, value in tensors.items()}
    assert found == expected
    np.testing.assert_array_equal(sample["image"].permute(1, 2, 0), view["image"])
    np.testing.assert_array_equal(sample["normal"].permute(1, 2, 0), view["normal"])
    np.testing.assert_array_equal(sample["z_depth_m"][0], view["depth"])
    np.testing.assert_array_equal(sample["edge"][0], (view["edge"] & 1) == 1)
    np.testing.assert_array_equal(sample["instance"], view["instance"])
    np.testing.assert_array_equal(sample["semantic"], view["semantic"])


@pytest.mark.parametrize(
    ("channels", "keys"),
    [
        (["image"], {"index", "image"}),
        (["edge", "semantic"], {"index", "edge", "semantic"}),
        (["depth"], {"index", "z_depth_m", "valid"}),
        (["normal"], {"index", "normal", "valid"}),
        (["instance"], {"index", "instance", "valid"}),
    ],
)
def test_only_what_was_asked_for(path: Path, channels: list[Channel], keys: set[str]) -> None:
    assert set(SyntheticDataset(path, channels=channels)[0]) == keys


def test_what_is_invalid_is_marked_whatever_is_read(tmp_path: Path) -> None:
    row = noise_row(np.random.default_rng(0))
    row.instance[:] = 1
    for array in (row.z_depth_m, row.normal, row.instance, row.semantic):
        array[2:4, 1] = 0
    write_shard(tmp_path / "a.h5", header=make_header(), scene=make_record(), rows=[row])
    channels: tuple[Channel, ...] = ("depth", "normal", "instance")
    for channel in channels:
        valid = SyntheticDataset(tmp_path / "a.h5", channels=[channel])[0]["valid"]
        assert (~valid).nonzero().tolist() == [[0, 2, 1], [0, 3, 1]]


def test_columns_filter_and_keep_the_order(path: Path) -> None:
    edge_pixels = Reader(path).views("edge_pixels")
    least = int(np.median(edge_pixels))
    dataset = SyntheticDataset(path, limits={"edge_pixels": (least, math.inf)})
    assert dataset.indices.tolist() == np.flatnonzero(edge_pixels >= least).tolist()
    assert [dataset[index]["index"] for index in range(len(dataset))] == dataset.indices.tolist()
    for index in range(len(dataset)):
        assert int(dataset[index]["edge"].sum()) >= least
    both = SyntheticDataset(path, limits={"edge_pixels": (least, math.inf), "scene": (1, 1)})
    assert set(both.indices) == set(dataset.indices) & {3, 4, 5, 6}


def test_splits(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "val", "train")):
        rng = np.random.default_rng(number)
        write_shard(
            tmp_path / f"{number}.h5",
            header=make_header(),
            scene=make_record(name=str(number), split=split),
            rows=[noise_row(rng), noise_row(rng)],
        )
    files = [tmp_path / f"{number}.h5" for number in range(3)]
    assert SyntheticDataset(files, split="train").indices.tolist() == [0, 1, 4, 5]
    assert SyntheticDataset(files, split="val").indices.tolist() == [2, 3]
    with pytest.raises(StoreError, match="loosen"):
        SyntheticDataset(files, split="test")


@pytest.mark.parametrize("bits", [1, 2, 5, 15])
def test_edge_kinds_are_chosen(path: Path, bits: int) -> None:
    field = Reader(path).read(0)["edge"]
    sample = SyntheticDataset(path, edge_bits=bits)[0]
    np.testing.assert_array_equal(sample["edge"][0], (field & bits) > 0)


def test_bad_arguments(path: Path) -> None:
    with pytest.raises(ValueError, match="edge_bits"):
        SyntheticDataset(path, edge_bits=0)
    with pytest.raises(StoreError, match="mood"):
        SyntheticDataset(path, limits={"mood": (0, 1)})
    with pytest.raises(IndexError):
        SyntheticDataset(path)[7]


def test_iteration_ends(path: Path) -> None:
    assert [sample["index"] for sample in iter(SyntheticDataset(path))] == list(range(7))


@pytest.mark.parametrize("context", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_read_what_one_process_reads(path: Path, context: str) -> None:
    dataset = SyntheticDataset(path)
    alone = [dataset[index] for index in range(7)]  # opens the file before the workers start
    loader: DataLoader[SyntheticSample] = DataLoader(
        dataset, batch_size=3, num_workers=2, multiprocessing_context=context
    )
    batches = list(loader)
    for name in ("image", "z_depth_m", "normal", "edge", "instance", "semantic", "valid"):
        together = torch.cat([batch[name] for batch in batches])
        assert torch.equal(together, torch.stack([sample[name] for sample in alone]))
    assert dataset[0]["index"] == 0


def test_the_gate_scales_with_the_area() -> None:
    assert min_edge_pixels(width=512, height=256) == 2 * 350
