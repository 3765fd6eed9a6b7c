"""Figures against numbers worked out by hand, and against NumPy over the whole file."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from store_files import make_header, make_record, noise_row, noise_shards, room_file

from scenelift.datasets.store import Reader, StoreError, merge_shards, write_shard
from scenelift.render.statistics import DEPTH_EDGES_M, measure
from scenelift.render.stats import info, stats


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    merge_shards(noise_shards(tmp_path, counts=[3, 0, 4]), tmp_path / "all.h5")
    return tmp_path / "all.h5"


def test_figures_are_those_of_numpy_over_all_frames(noise: Path) -> None:
    reader = Reader(noise)
    frames = [reader.read(index) for index in range(len(reader))]
    image = np.stack([frame["image"] for frame in frames]) / 255
    depth = np.stack([frame["depth"] for frame in frames]).astype(float)
    found = measure(noise)
    assert found.frames == 7
    np.testing.assert_allclose(found.image_mean, image.mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.image_std, image.std(axis=(0, 1, 2)), rtol=1e-9)
    assert found.depth_mean_m == pytest.approx(depth.mean(), rel=1e-12)
    for name, value in found.depth_percentiles_m.items():
        share = float(name.rstrip("%")) / 100
        assert (depth <= value * 1.012).mean() >= share
        assert (depth < value / 1.012).mean() <= share
    assert sum(found.depth_histogram) == depth.size
    classes = np.stack([frame["semantic"] for frame in frames])
    assert found.class_shares["wall"] == pytest.approx((classes == 1).mean())
    assert sum(found.class_shares.values()) == pytest.approx(1)
    edge = np.stack([frame["edge"] for frame in frames])
    for bit, name in ((1, "instance boundary"), (2, "occlusion"), (4, "crease"), (8, "texture")):
        assert found.edges[name].mean == pytest.approx(((edge & bit) > 0).mean())
        assert found.edges[name].low <= found.edges[name].mean <= found.edges[name].high
    for shares in (found.surface_shares, found.normal_shares, found.depth_bands):
        assert sum(shares.values()) == pytest.approx(1)


def test_directions_and_surfaces_by_hand(tmp_path: Path) -> None:
    row = noise_row(np.random.default_rng(0), width=16, height=1)
    axes = np.array(
        [[0, 0, 1], [-1, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 0]], np.float32
    )
    turn = np.eye(4)
    turn[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # the camera looks down at the floor
    row = replace(
        row,
        normal=np.repeat(axes, (1, 2, 3, 4, 5, 1), axis=0)[None],
        z_depth_m=np.array([[1] * 10 + [2] * 5 + [0]], np.float32),
        T_world_camera=turn,
    )
    write_shard(
        tmp_path / "a.h5",
        header=make_header(width=16, height=1),
        scene=make_record(),
        rows=[row],
    )
    found = measure(tmp_path / "a.h5")
    # Towards the camera, left, right, up, down.
    assert list(found.normal_shares.values()) == [count / 15 for count in (1, 2, 3, 4, 5)]
    # z of the camera points up in the world, its y to the horizon: one floor, the rest upright.
    assert list(found.surface_shares.values()) == [1 / 15, 0.0, 14 / 15, 0.0]
    assert found.invalid_share == pytest.approx(1 / 16)
    assert found.depth_mean_m == pytest.approx(4 / 3)
    assert found.depth_bands["1 to 1.5 m"] == pytest.approx(2 / 3)
    assert found.depth_bands["2 to 3 m"] == pytest.approx(1 / 3)


def test_extreme_depths_are_counted(tmp_path: Path) -> None:
    row = noise_row(np.random.default_rng(0), width=2, height=1)
    row = replace(row, z_depth_m=np.array([[1e-4, 5e4]], np.float32))
    write_shard(
        tmp_path / "a.h5",
        header=make_header(width=2, height=1),
        scene=make_record(),
        rows=[row],
    )
    found = measure(tmp_path / "a.h5")
    assert (found.depth_histogram[0], found.depth_histogram[-1]) == (1, 1)
    assert len(found.depth_histogram) == len(DEPTH_EDGES_M) - 1


def test_json_holds_the_same(noise: Path, tmp_path: Path) -> None:
    text = stats(noise, json_path=tmp_path / "stats.json")
    written = json.loads((tmp_path / "stats.json").read_text())
    assert written["image_mean"] == list(measure(noise).image_mean)
    assert len(written["depth_histogram_edges_m"]) == len(written["depth_histogram"]) + 1
    for part in ("7 frames", "depth", "instance boundary", "classes", "deviation", "chair"):
        assert part in text


def test_info_names_what_matters(noise: Path) -> None:
    text = info(noise)
    for part in (
        "7 frames of 8 x 6 pixels",
        "3, 3 to 4 views each, 1 without a view",
        "7 train frames",
        "7 bedroom frames",
        "shuffle + zstd",
        "9 candidates: 6 too dark, 3 too close",
        "3 x a texture is missing",
        "photo.width = 8",
        "crease_deg = 30.0",
        "CC0-1.0",
        "numpy 2",
    ):
        assert part in text, text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_one_shard_without_views(tmp_path: Path) -> None:
    path = noise_shards(tmp_path, counts=[0])[0]
    assert "0 frames" in info(path)
    assert stats(path) == "shard-0.h5: 0 frames"


def test_a_room_is_floor_and_walls(tmp_path: Path) -> None:
    found = measure(room_file(tmp_path / "room.h5", num_scenes=1))
    floors, ceilings, walls, slanted = found.surface_shares.values()
    assert floors > 0.2
    assert walls > 0.5
    assert ceilings < 0.01
    assert slanted < 0.05
    assert found.invalid_share == 0


def test_no_file(tmp_path: Path) -> None:
    for use in (info, stats):
        with pytest.raises(StoreError):
            use(tmp_path / "none.h5")
