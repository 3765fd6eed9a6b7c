"""Geometry: a picture and its labels stay on each other through resize, crop and mirror."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelift.datasets.geometry import (
    Cut,
    Frame,
    Geometry,
    cut_frame,
    draw_cut,
    nearest_centres,
    resize_frame,
)

SIDES = st.integers(3, 90)


def ramp(*, height: int, width: int) -> Frame:
    """A frame whose every channel says where its pixel's centre lies, as a share of the picture."""
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    across, down = np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))
    colour = np.stack([across, down, (across + down) / 2], axis=-1)
    return {
        "image": np.rint(255 * colour).astype(np.uint8),
        "depth": (1 + across + 10 * down).astype(np.float32),
        "normal": np.rint(32767 * np.stack([across, down, -down], axis=-1)).astype(np.int16),
        "edge": across > 0.5,
        "instance": np.rint(60000 * across).astype(np.uint16),
        "semantic": np.rint(250 * down).astype(np.uint8),
    }


def shares(frame: Frame) -> dict[str, np.ndarray]:
    """What the channels of a ramp say of x, or of y."""
    return {
        "image x": frame["image"][..., 0] / 255,
        "image y": frame["image"][..., 1] / 255,
        "normal x": np.abs(frame["normal"][..., 0].astype(float)) / 32767,
        "normal y": frame["normal"][..., 1] / 32767,
        "instance x": frame["instance"] / 60000,
        "semantic y": frame["semantic"] / 250,
    }


@settings(deadline=None, max_examples=40)
@given(height=SIDES, width=SIDES, resize_px=SIDES)
def test_every_channel_keeps_its_place_when_resized(
    height: int, width: int, resize_px: int
) -> None:
    frame = resize_frame(ramp(height=height, width=width), resize_px=resize_px)
    shape = frame["image"].shape[:2]
    assert min(shape) == resize_px
    exact = max(height, width) * resize_px / min(height, width)
    assert abs(max(shape) - exact) <= 0.5
    assert all(array.shape[:2] == shape for array in frame.values())
    x = np.broadcast_to((np.arange(shape[1]) + 0.5) / shape[1], shape)
    y = np.broadcast_to(((np.arange(shape[0]) + 0.5) / shape[0])[:, None], shape)
    for name, found in shares(frame).items():
        expected, side = (x, width) if name.endswith("x") else (y, height)
        # A label's nearest centre is half a source pixel away at most; a picture's area is centred, but at the border, where
        # nothing lies beyond.
        assert np.abs(found - expected).max() <= 0.5 / side + 0.006, name
        # And without bias: a shift by half a pixel would show in the mean. A tie goes one way.
        assert abs((found - expected).mean()) <= 0.5 / side + 0.002, name


@pytest.mark.parametrize(("height", "width", "resize_px"), [(30, 45, 10), (90, 75, 25)])
def test_odd_reductions_take_the_middle_pixel(height: int, width: int, resize_px: int) -> None:
    step = min(height, width) // resize_px
    frame = ramp(height=height, width=width)
    small = resize_frame(frame, resize_px=resize_px)
    middle = slice(step // 2, None, step)
    for name in ("depth", "normal", "edge", "instance", "semantic"):
        channel: Any = name
        np.testing.assert_array_equal(small[channel], frame[channel][middle, middle])
    means = frame["image"].reshape(height // step, step, width // step, step, 3).mean(axis=(1, 3))
    assert np.abs(small["image"] - means).max() <= 0.51


@settings(deadline=None, max_examples=40)
@given(height=SIDES, width=SIDES, resize_px=SIDES, seed=st.integers(0, 9))
def test_labels_are_never_blended(height: int, width: int, resize_px: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame: Frame = {
        "image": np.zeros((height, width, 3), np.uint8),
        "depth": rng.choice(np.array([0, 1.5, 7], np.float32), (height, width)),
        "semantic": rng.choice(np.array([0, 3, 40], np.uint8), (height, width)),
    }
    resized = resize_frame(frame, resize_px=resize_px)
    for name in ("depth", "semantic"):
        channel: Any = name
        assert set(np.unique(resized[channel])) <= set(np.unique(frame[channel]))
        assert resized[channel].dtype == frame[channel].dtype


def test_depth_and_semantic_stay_paired_with_the_picture_when_enlarged() -> None:
    frame = resize_frame(ramp(height=4, width=6), resize_px=12)
    assert frame["image"].shape == (12, 18, 3)
    np.testing.assert_array_equal(
        frame["semantic"][:, 0], np.rint(250 * np.repeat([1, 3, 5, 7], 3) / 8)
    )
    # Linear between centres: the picture's ramp stays one.
    inner = frame["image"][6, 3:-3, 0].astype(int)
    assert set(np.diff(inner)) <= {14, 15}


def test_a_frame_of_the_right_size_is_left_alone() -> None:
    frame = ramp(height=20, width=31)
    assert resize_frame(frame, resize_px=20) is frame


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_cut_is_a_slice_and_a_mirror(mirrored: bool) -> None:
    frame = ramp(height=20, width=31)
    cut = cut_frame(
        frame, Cut(top_px=3, left_px=9, side_px=16, mirrored=mirrored, quality=None), crop_px=16
    )
    step = -1 if mirrored else 1
    for name, array in frame.items():
        expected = array[3:19, 9:25][:, ::step]
        if name == "normal":
            expected = expected * np.array([step, 1, 1], np.int16)
        np.testing.assert_array_equal(cut[name], expected)
        assert cut[name].dtype == array.dtype
        assert cut[name].flags.c_contiguous
        assert not np.shares_memory(cut[name], array)


@pytest.mark.parametrize("side_px", [10, 16, 30])
def test_an_enlarged_square_keeps_its_channels_on_each_other(side_px: int) -> None:
    frame = ramp(height=60, width=90)
    cut = Cut(top_px=7, left_px=20, side_px=side_px, mirrored=False, quality=None)
    done = cut_frame(frame, cut, crop_px=24)
    centres = (np.arange(24) + 0.5) * side_px / 24
    expected = {"x": (20 + centres) / 90, "y": ((7 + centres) / 60)[:, None]}
    # Half a pixel of the frame for the nearest label, a grey level for the picture.
    for name, found in shares(done).items():
        assert np.abs(found - expected[name[-1]]).max() <= 0.5 / 60 + 1 / 250, name


def test_a_mirrored_normal_is_that_of_the_mirrored_surface() -> None:
    """A plane z = a x + b y, seen along -z, mirrored: z = -a x + b y."""
    a, b = 0.7, -0.3

    def plane(slope: float) -> Frame:
        x, y = np.meshgrid(np.arange(8) - 3.5, 3.5 - np.arange(8))
        normal = np.array([-slope, -b, 1]) / np.sqrt(slope**2 + b**2 + 1)
        return {
            "image": np.zeros((8, 8, 3), np.uint8),
            "depth": (20 - slope * x - b * y).astype(np.float32),
            "normal": np.rint(32767 * np.broadcast_to(normal, (8, 8, 3))).astype(np.int16),
        }

    mirrored = cut_frame(
        plane(a), Cut(top_px=0, left_px=0, side_px=8, mirrored=True, quality=None), crop_px=8
    )
    for name, array in plane(-a).items():
        np.testing.assert_array_equal(mirrored[name], array)


def test_crops_reach_every_place_equally_and_the_middle_without_chance() -> None:
    geometry = Geometry(resize_px=20, crop_px=17, flip=True)
    cuts = [
        draw_cut(height=20, width=22, geometry=geometry, rng=np.random.default_rng(seed))
        for seed in range(2400)
    ]
    places = np.zeros((4, 6), int)
    for cut in cuts:
        places[cut.top_px, cut.left_px] += 1
    # Chi-squared with 23 degrees of freedom: 55 is beyond 0.9998.
    assert ((places - 100) ** 2 / 100).sum() < 55
    assert abs(np.mean([cut.mirrored for cut in cuts]) - 0.5) < 0.04
    middle = draw_cut(height=20, width=22, geometry=geometry, rng=None)
    assert middle == Cut(top_px=2, left_px=3, side_px=17, mirrored=False, quality=None)


def test_options_do_not_change_what_others_draw() -> None:
    plain = Geometry(resize_px=32, crop_px=16)
    every = Geometry(resize_px=32, crop_px=16, flip=True, jpeg_quality=(60, 95))
    zoomed = Geometry(resize_px=32, crop_px=16, flip=True, jpeg_quality=(60, 95), zoom=(0.5, 2))
    sides = set()
    qualities = set()
    for seed in range(300):
        first = draw_cut(height=32, width=48, geometry=plain, rng=np.random.default_rng(seed))
        second = draw_cut(height=32, width=48, geometry=every, rng=np.random.default_rng(seed))
        assert (first.top_px, first.left_px) == (second.top_px, second.left_px)
        assert not first.mirrored
        assert first.quality is None
        qualities.add(second.quality)
        third = draw_cut(height=32, width=48, geometry=zoomed, rng=np.random.default_rng(seed))
        assert (third.mirrored, third.quality) == (second.mirrored, second.quality)
        assert third.top_px + third.side_px <= 32
        sides.add(third.side_px)
    assert sides == set(range(8, 33))
    assert {60, 95} <= qualities <= set(range(60, 96))


def test_the_codec_touches_the_picture_alone_and_keeps_its_colours() -> None:
    frame = ramp(height=32, width=32)
    frame["image"][..., 2] = 40
    losses = {}
    for quality in (30, 95):
        cut = cut_frame(
            frame,
            Cut(top_px=0, left_px=0, side_px=32, mirrored=False, quality=quality),
            crop_px=32,
        )
        for name in ("depth", "normal", "edge", "instance", "semantic"):
            channel: Any = name
            np.testing.assert_array_equal(cut[channel], frame[channel])
        losses[quality] = np.abs(cut["image"].astype(int) - frame["image"]).mean()
    assert 0 < losses[95] < losses[30] < 12
    assert losses[95] < 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop_px": 300}, "crop_px must be from 1 to resize_px"),
        ({"crop_px": 0}, "crop_px"),
        ({"jpeg_quality": (90, 60)}, "jpeg_quality must rise"),
        ({"jpeg_quality": (0, 60)}, "jpeg_quality"),
        ({"zoom": (0.5, 2.0)}, "zoom must rise within crop_px / resize_px"),
        ({"zoom": (1.5, 1.2)}, "zoom"),
    ],
)
def test_bad_settings(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Geometry(**arguments)


@given(length=st.integers(1, 300), count=st.integers(1, 300))
def test_nearest_centres_are_the_nearest(length: int, count: int) -> None:
    found = nearest_centres(length, count=count)
    wanted = (np.arange(count) + 0.5) * length / count
    distance = np.abs(wanted[:, None] - (np.arange(length) + 0.5)[None])
    np.testing.assert_allclose(distance[np.arange(count), found], distance.min(axis=1), atol=1e-9)


@pytest.mark.parametrize("step", [4, 5])
def test_pictures_are_reduced_by_area(step: int) -> None:
    """Noise becomes its means; a nearest or linear filter would leave out most pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (12 * step, 15 * step, 3), dtype=np.uint8)
    frame: Frame = {"image": noise}
    means = noise.reshape(12, step, 15, step, 3).mean(axis=(1, 3))
    small = resize_frame(frame, resize_px=12)["image"]
    assert np.abs(small - means).max() <= 0.51
