"""Writing, merging and reading: what goes in comes out, the same bytes every time."""

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from store_files import make_header, make_record, noise_row, noise_shards, raw_file

from scenelift.datasets.store import (
    CHANNELS,
    Header,
    Reader,
    StoreError,
    describe_channels,
    hash_content,
    merge_shards,
    remove_leftovers,
    shard_is_complete,
    verify,
    write_shard,
)
from scenelift.datasets.store_codec import quantise_normal, round_depth


def write_noise(path: Path, *, count: int = 3, seed: int = 0, header: Header | None = None) -> Path:
    rng = np.random.default_rng(seed)
    header = header or make_header()
    rows = [noise_row(rng, width=header.width, height=header.height) for _ in range(count)]
    write_shard(path, header=header, scene=make_record(), rows=rows)
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [noise_row(rng) for _ in range(3)]
    record = make_record()
    write_shard(tmp_path / "a.h5", header=make_header(), scene=record, rows=rows)
    reader = Reader(tmp_path / "a.h5")
    assert len(reader) == 3
    assert reader.header == make_header()
    assert verify(tmp_path / "a.h5") == ()
    for index, row in enumerate(rows):
        view = reader.read(index)
        for name in ("image", "edge", "instance", "semantic"):
            np.testing.assert_array_equal(view[name], getattr(row, name))
            assert view[name].dtype == getattr(row, name).dtype
        np.testing.assert_allclose(view["depth"], row.z_depth_m, rtol=2**-14, atol=0)
        np.testing.assert_allclose(view["normal"], row.normal, rtol=0, atol=0.51 / 32767)
    intrinsics, poses = reader.cameras()
    np.testing.assert_array_equal(poses, [row.T_world_camera for row in rows])
    np.testing.assert_array_equal(intrinsics, np.array([row.K for row in rows], np.float32))
    assert reader.views("pitch_deg").tolist() == [row.view["pitch_deg"] for row in rows]
    assert reader.views("edge_pixels").tolist() == [int((row.edge & 1).sum()) for row in rows]
    back = reader.scene(0)
    assert (back.name, back.rooms, dict(back.rejections), back.warnings) == (
        record.name,
        record.rooms,
        dict(record.rejections),
        record.warnings,
    )
    for got, expected in zip(back.instances, record.instances, strict=True):
        assert all(
            getattr(got, name) == getattr(expected, name)
            for name in ("name", "category", "semantic", "room", "glass", "mirror", "licence")
        )


@given(npst.arrays(np.float32, (3, 4), elements=st.floats(0, 1e6, width=32, allow_subnormal=False)))
def test_depth_rounds_to_nearest_and_once(z_depth_m: np.ndarray) -> None:
    rounded = round_depth(z_depth_m)
    assert (np.abs(rounded.astype(float) - z_depth_m) <= 2.0**-14 * z_depth_m.astype(float)).all()
    np.testing.assert_array_equal(round_depth(rounded), rounded)
    assert (rounded.view(np.uint32) & 0x3FF == 0).all()
    assert ((rounded == 0) == (z_depth_m == 0)).all()


def test_depth_rounds_ties_to_even() -> None:
    step = 2.0**-13
    ties = np.array([[1 + step / 2, 1 + 3 * step / 2]], np.float32)
    assert round_depth(ties).tolist() == [[1.0, 1 + 2 * step]]


def test_normals_keep_zero_and_the_poles() -> None:
    poles = np.array([[[0, 0, 0], [1, 0, 0], [0, -1, 0], [0, 0, 1.00005]]], np.float32)
    assert quantise_normal(poles).tolist() == [
        [[0, 0, 0], [32767, 0, 0], [0, -32767, 0], [0, 0, 32767]]
    ]


def test_same_rows_same_bytes(tmp_path: Path) -> None:
    first = write_noise(tmp_path / "a.h5").read_bytes()
    assert write_noise(tmp_path / "b.h5").read_bytes() == first
    assert write_noise(tmp_path / "c.h5", seed=1).read_bytes() != first


def test_frames_are_chunks_of_one_and_columns_lie_plain(tmp_path: Path) -> None:
    with raw_file(write_noise(tmp_path / "a.h5"), "r") as file:
        for channel in CHANNELS:
            assert file[channel].chunks == (1, *file[channel].shape[1:])
            assert file[channel].attrs["meaning"]
            assert file[channel].attrs["unit"]
        assert file["depth"].attrs["invalid"] == 0
        assert file["view/scene"].chunks is None
        assert file.attrs["content_hash"] == make_header().content_hash
    assert {storage.channel for storage in describe_channels(tmp_path / "a.h5")} == set(CHANNELS)


def test_no_time_and_no_path_in_the_file(tmp_path: Path) -> None:
    merge_shards(noise_shards(tmp_path, counts=[1, 2]), tmp_path / "all.h5")
    library: Any = h5py  # its low-level modules have no types
    for path in tmp_path.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()
        with raw_file(path, "r") as file:
            names = ["/"]
            file.visit(names.append)
            for name in names:
                info = library.h5o.get_info(file[name].id)
                assert (info.mtime, info.ctime, info.atime, info.btime) == (0, 0, 0, 0), name


def test_large_configuration_and_odd_text_fit(tmp_path: Path) -> None:
    content: dict[str, object] = {"scenes": ["x" * 50] * 4000}
    header = replace(make_header(), content=content, content_hash=hash_content(content))
    record = replace(make_record(), warnings=("half \ud800 and nul \0 and ü",))
    named = replace(make_record().instances[0], name="nul \0 half \udfff")
    record = replace(record, instances=(named,))
    write_shard(tmp_path / "a.h5", header=header, scene=record, rows=[])
    reader = Reader(tmp_path / "a.h5")
    assert reader.header.content == content
    assert reader.scene(0).instances[0].name == "nul \ufffd half ?"


@pytest.mark.parametrize("counts", [[3], [2, 0, 3], [0, 0, 1], [0, 0], [1, 1, 1, 1]])
def test_merging_keeps_order_and_points_at_the_right_scenes(
    tmp_path: Path, counts: list[int]
) -> None:
    shards = noise_shards(tmp_path, counts=counts)
    reports: list[int] = []
    assert merge_shards(shards, tmp_path / "all.h5", progress=reports.append) == sum(counts)
    assert reports == np.cumsum(counts).tolist()
    assert verify(tmp_path / "all.h5") == ()
    merged, apart = Reader(tmp_path / "all.h5"), Reader(shards)
    assert len(merged) == len(apart) == sum(counts)
    assert merged.views("scene").tolist() == apart.views("scene").tolist()
    assert merged.columns == apart.columns
    assert [merged.scene(index).name for index in range(len(counts))] == [
        f"scene-{index}" for index in range(len(counts))
    ]
    assert [len(merged.scene(index).instances) for index in range(len(counts))] == [
        3 + index for index in range(len(counts))
    ]
    for index in range(sum(counts)):
        one, other = merged.read(index), apart.read(index)
        assert all(np.array_equal(one[channel], other[channel]) for channel in CHANNELS)


def test_merging_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    shards = noise_shards(tmp_path, counts=[2, 0, 3])
    merge_shards(shards, tmp_path / "a.h5")
    merge_shards(shards, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_merging_is_associative(tmp_path: Path) -> None:
    shards = noise_shards(tmp_path, counts=[2, 0, 3, 1])
    merge_shards(shards, tmp_path / "all.h5")
    merge_shards(shards[:2], tmp_path / "left.h5")
    merge_shards(shards[2:], tmp_path / "right.h5")
    merge_shards([tmp_path / "left.h5", tmp_path / "right.h5"], tmp_path / "both.h5")
    assert_equal_datasets(tmp_path / "all.h5", tmp_path / "both.h5")


@pytest.mark.parametrize("limit", range(9))
def test_a_limit_leaves_no_trace_of_later_scenes(tmp_path: Path, limit: int) -> None:
    """However much was rendered ahead, the file is the same."""
    shards = noise_shards(tmp_path, counts=[0, 2, 0, 3, 0, 1, 2, 0])
    frames = merge_shards(shards, tmp_path / "all.h5", limit=limit)
    assert frames == limit == len(Reader(tmp_path / "all.h5"))
    ends = np.cumsum([0, 2, 0, 3, 0, 1, 2, 0])
    needed = int(np.searchsorted(ends, limit)) + 1
    merge_shards(shards[:needed], tmp_path / "few.h5", limit=limit)
    assert (tmp_path / "all.h5").read_bytes() == (tmp_path / "few.h5").read_bytes()
    assert verify(tmp_path / "all.h5") == ()
    if limit:
        whole = tmp_path / "whole.h5"
        merge_shards(shards, whole)
        merge_shards([whole], tmp_path / "cut.h5", limit=limit)
        assert_equal_datasets(tmp_path / "all.h5", tmp_path / "cut.h5")


def test_many_shards_pass_the_batch(tmp_path: Path) -> None:
    counts = [index % 3 for index in range(40)]
    shards = noise_shards(tmp_path, counts=counts)
    merge_shards(shards, tmp_path / "one.h5")
    from scenelift.datasets import store_merge

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_merge, "BATCH_FILES", 7)
        merge_shards(shards, tmp_path / "other.h5")
    assert_equal_datasets(tmp_path / "one.h5", tmp_path / "other.h5")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", 9),
        ("content_hash", "other"),
        ("versions", {"numpy": "3"}),
        ("instruction_set", "arm"),
        ("width", 9),
        ("edge_thresholds", {"crease_deg": 1.0}),
    ],
)
def test_mixtures_are_refused(tmp_path: Path, field: str, value: object) -> None:
    header = replace(make_header(), **{field: value})  # type: ignore[arg-type]
    (tmp_path / "x").mkdir()
    shards = noise_shards(tmp_path, counts=[1])
    other = noise_shards(tmp_path / "x", counts=[0, 2], header=header)[1]
    with pytest.raises(StoreError, match=field):
        merge_shards([*shards, other], tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()
    assert not shard_is_complete(shards[0], header)
    assert shard_is_complete(other, header)


def test_the_same_file_twice_is_refused(tmp_path: Path) -> None:
    shards = noise_shards(tmp_path, counts=[1, 1])
    with pytest.raises(StoreError, match="same view"):
        merge_shards([*shards, shards[0]], tmp_path / "all.h5")


def test_unknown_datasets_are_kept(tmp_path: Path) -> None:
    shards = noise_shards(tmp_path, counts=[2, 3])
    for number, (shard, count) in enumerate(zip(shards, (2, 3), strict=True)):
        with raw_file(shard, "r+") as file:
            file.create_dataset(
                "flow",
                data=np.arange(count * 4).reshape(count, 2, 2) + 100 * number,
                chunks=(1, 2, 2),
            )
            file["view/mood"] = np.arange(count) + 10 * number
            file["scenes/weather"] = np.array([number])
            file["calibration"] = np.array([1.0, 2.0, 3.0, 4.0])
    merge_shards(shards, tmp_path / "all.h5")
    with raw_file(tmp_path / "all.h5") as file:
        assert file["flow"][:, 0, 0].tolist() == [0, 4, 100, 104, 108]
        assert file["view/mood"][...].tolist() == [0, 1, 10, 11, 12]
        assert file["scenes/weather"][...].tolist() == [0, 1]
        assert file["calibration"][...].tolist() == [1, 2, 3, 4]
    assert "mood" in Reader(tmp_path / "all.h5").columns
    assert verify(tmp_path / "all.h5") == ()


def test_a_dataset_in_one_file_only_is_refused(tmp_path: Path) -> None:
    shards = noise_shards(tmp_path, counts=[2, 3])
    with raw_file(shards[1], "r+") as file:
        file["view/mood"] = np.arange(3)
    with pytest.raises(StoreError, match="mood"):
        merge_shards(shards, tmp_path / "all.h5")


def test_rows_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    good = noise_row(rng)
    bad_depth = replace(good, z_depth_m=np.full_like(good.z_depth_m, np.nan))
    negative = replace(good, z_depth_m=-good.z_depth_m)
    long = replace(good, normal=good.normal * 2)
    wide = noise_row(rng, width=9)
    columns = replace(good, view={"room": 0})
    own = replace(good, view={**good.view, "valid_pixels": -1})
    for rows, message in (
        ([bad_depth], "depth"),
        ([negative], "depth"),
        ([long], "normal"),
        ([wide], "header wants"),
        ([good, columns], "columns"),
        ([own], "valid_pixels"),
        ([replace(good, view={"seed": 2**63})], "2\\^63"),
    ):
        with pytest.raises(StoreError, match=message):
            write_shard(tmp_path / "a.h5", header=make_header(), scene=make_record(), rows=rows)
        assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="split"):
        write_shard(
            tmp_path / "a.h5", header=make_header(), scene=make_record(split="dev"), rows=[good]
        )


def test_leftovers_of_killed_writers_go(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "a.h5")
    (tmp_path / "a.h5.123.tmp").write_bytes(b"half")
    (tmp_path / "b.h5.123.tmp").write_bytes(b"another's")
    assert remove_leftovers(path) == 1
    assert sorted(other.name for other in tmp_path.iterdir()) == ["a.h5", "b.h5.123.tmp"]


def test_reader_survives_pickling_and_counts_from_the_end(tmp_path: Path) -> None:
    reader = Reader(noise_shards(tmp_path, counts=[2, 0, 3]))
    expected = reader.read(4)
    copy = pickle.loads(pickle.dumps(reader))
    for view in (copy.read(4), copy.read(-1)):
        assert all(np.array_equal(view[channel], expected[channel]) for channel in CHANNELS)
    for index in (5, -6):
        with pytest.raises(IndexError):
            reader.read(index)
    reader.close()
    assert np.array_equal(reader.read(0, channels=["edge"])["edge"], copy.read(0)["edge"])


@settings(max_examples=20, deadline=None)
@given(bits=st.integers(1, 15))
def test_edge_bits_are_chosen_when_reading(
    tmp_path_factory: pytest.TempPathFactory, bits: int
) -> None:
    path = write_noise(tmp_path_factory.mktemp("edges") / "a.h5", count=1)
    reader = Reader(path)
    field = reader.read(0, channels=["edge"])["edge"]
    chosen = reader.read(0, channels=["edge"], edge_bits=bits)
    assert set(chosen) == {"edge"}
    np.testing.assert_array_equal(chosen["edge"], (field & bits) > 0)
    reader.close()


def test_files_of_another_size_are_not_read_as_one(tmp_path: Path) -> None:
    write_noise(tmp_path / "a.h5")
    write_noise(tmp_path / "b.h5", header=make_header(width=9))
    with pytest.raises(StoreError, match="width"):
        Reader([tmp_path / "a.h5", tmp_path / "b.h5"])
    write_noise(tmp_path / "c.h5", header=make_header(seed=5))
    assert len(Reader([tmp_path / "a.h5", tmp_path / "c.h5"])) == 6


def test_a_missing_column_names_those_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="pitch_deg"):
        Reader(write_noise(tmp_path / "a.h5")).views("mood")


def test_content_hash_ignores_order_and_refuses_nan() -> None:
    assert hash_content({"a": [1, 2], "b": None}) == hash_content({"b": None, "a": [1, 2]})
    assert hash_content({"a": 1}) != hash_content({"a": 2})
    with pytest.raises(ValueError, match="JSON"):
        hash_content({"a": float("nan")})


def assert_equal_datasets(one: Path, other: Path) -> None:
    """Dataset by dataset, byte for byte, chunks as they are stored."""
    with raw_file(one, "r") as a, raw_file(other, "r") as b:
        names: list[str] = []
        a.visit(names.append)
        others: list[str] = []
        b.visit(others.append)
        assert names == others
        assert {key: a.attrs[key] for key in a.attrs} == {key: b.attrs[key] for key in b.attrs}
        for name in names:
            if not isinstance(a[name], h5py.Dataset):
                continue
            np.testing.assert_array_equal(a[name][...], b[name][...])
            if a[name].chunks:
                for index in range(len(a[name])):
                    corner = (index,) + (0,) * (a[name].ndim - 1)
                    assert a[name].id.read_direct_chunk(corner) == b[name].id.read_direct_chunk(
                        corner
                    )
