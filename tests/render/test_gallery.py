"""The contact sheet: every channel where its title says, in colours that mean something."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from store_files import noise_shards, room_file

from scenelift.datasets.store import Reader, StoreError
from scenelift.render import palette
from scenelift.render.gallery import contact_sheet, draw_sheet, spread


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return room_file(tmp_path_factory.mktemp("gallery") / "room.h5", width=160, height=120)


def test_a_row_shows_the_channels_of_its_frame(room: Path) -> None:
    reader = Reader(room)
    sheet = draw_sheet(reader, [5])
    frame = reader.read(5)
    expected = [
        frame["image"],
        palette.colour_normal(frame["normal"]),
        palette.colour_edges(frame["edge"]),
        palette.colour_instance(frame["instance"]),
        palette.colour_semantic(frame["semantic"]),
    ]
    for colours, column in zip(expected, (0, 2, 3, 4, 5), strict=True):
        left = 28 + column * (160 + 6)
        np.testing.assert_array_equal(sheet[118 : 118 + 120, left : left + 160], colours)


def test_the_png_is_the_same_every_time(room: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        contact_sheet(room, out=tmp_path / name, rows=3)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 2 * 28 + 6 * 160 + 5 * 6


def test_more_rows_than_frames_show_all(room: Path, tmp_path: Path) -> None:
    sizes = {}
    for rows in (1, 8, 50):
        contact_sheet(room, out=tmp_path / f"{rows}.png", rows=rows)
        with Image.open(tmp_path / f"{rows}.png") as image:
            sizes[rows] = image.size
    assert sizes[8] == sizes[50]
    assert sizes[8][1] - sizes[1][1] == 7 * (120 + 22 + 6)


def test_what_cannot_be_shown(tmp_path: Path) -> None:
    empty, two = noise_shards(tmp_path, counts=[0, 2])
    with pytest.raises(StoreError, match="no frames"):
        contact_sheet(empty, out=tmp_path / "a.png")
    with pytest.raises(StoreError, match="frames 0 to 1, not 7"):
        contact_sheet(two, out=tmp_path / "a.png", frames=[0, 7])
    with pytest.raises(ValueError, match="rows"):
        contact_sheet(two, out=tmp_path / "a.png", rows=0)
    assert not (tmp_path / "a.png").exists()


@given(total=st.integers(1, 10_000), count=st.integers(1, 50))
def test_spread_is_even(total: int, count: int) -> None:
    places = spread(total, count=count)
    assert len(places) == len(set(places)) == min(total, count)
    assert 0 <= places[0] <= places[-1] < total
    steps = np.diff(places)
    assert not len(steps) or steps.max() - steps.min() <= 1


def test_depth_darkens_with_distance_and_invalid_is_black() -> None:
    depth = np.geomspace(1, 8, 50, dtype=np.float32)[None]
    colours = palette.colour_depth(depth, near_m=1.0, far_m=8.0).astype(float)
    luminance = colours @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance[0]) < 0).all()
    assert palette.colour_depth(np.zeros((1, 1), np.float32), near_m=1.0, far_m=8.0).max() == 0


def test_ids_keep_their_colour_and_neighbours_differ() -> None:
    colours = palette.instance_colours(np.arange(400))
    assert colours[0].tolist() == [0, 0, 0]
    apart = np.abs(np.diff(colours[1:].astype(int), axis=0)).max(axis=1)
    assert apart.min() > 40
    assert len(np.unique(colours[1:101], axis=0)) == 100
    image = np.array([[7, 7, 65535], [0, 12, 7]], np.uint16)
    np.testing.assert_array_equal(palette.colour_instance(image)[0, 0], colours[7])
    np.testing.assert_array_equal(palette.colour_instance(image)[1, 1], colours[12])


def test_every_class_has_a_colour_of_its_own() -> None:
    assert len(np.unique(palette.NYU40_COLOURS, axis=0)) == 41
    semantic = np.array([[0, 1, 40, 200]], np.uint8)
    assert palette.colour_semantic(semantic)[0].tolist() == [
        [0, 0, 0], [174, 199, 232], [100, 85, 144], [255, 255, 255],
    ]  # fmt: skip


def test_every_edge_kind_shows() -> None:
    bits = np.array([[0, 1, 2, 4, 8, 15]], np.uint8)
    colours = {tuple(colour) for colour in palette.colour_edges(bits)[0, :5].tolist()}
    assert len(colours) == 5
    assert palette.colour_edges(bits)[0, 5].tolist() == list(palette.EDGE_COLOURS[2][1])
