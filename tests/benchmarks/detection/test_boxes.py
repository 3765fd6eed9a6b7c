"""Boxes: both conventions, overlaps, sizes, offsets."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float64

from scenelift.benchmarks.detection.boxes import (
    clipped,
    corners_from_pixels,
    mirrored,
    overlaps,
    pixels_from_corners,
    resized_size,
    without_duplicates,
)
from scenelift.benchmarks.detection.offsets import decode, encode


def random_corners(
    count: int, *, rng: np.random.Generator, size: float = 100
) -> Float64[np.ndarray, "n 4"]:
    ends = np.sort(rng.random((count, 2, 2)), axis=1) * size
    return np.concatenate([ends[:, 0], ends[:, 1] + 0.5], axis=1)


@given(st.lists(st.tuples(*[st.integers(10, 50_000)] * 4), min_size=1, max_size=20))
def test_pixels_to_corners_and_back_is_exact(tenths: list[tuple[int, int, int, int]]) -> None:
    boxes_px = np.array(tenths, np.float64) / 10
    assert np.array_equal(pixels_from_corners(corners_from_pixels(boxes_px)), boxes_px)


def test_a_box_of_one_pixel_is_one_wide() -> None:
    corners = corners_from_pixels(np.array([[3.0, 5.0, 3.0, 5.0]]))
    assert (corners[0, 2:] - corners[0, :2]).tolist() == [1, 1]


def test_overlap_of_corners_is_the_devkits_overlap_of_pixels() -> None:
    rng = np.random.default_rng(0)
    first, second = (np.floor(random_corners(30, rng=rng)) + 1 for _ in range(2))
    found = overlaps(corners_from_pixels(first), corners_from_pixels(second))
    for i, a in enumerate(first):
        for j, b in enumerate(second):
            width = min(a[2], b[2]) - max(a[0], b[0]) + 1
            height = min(a[3], b[3]) - max(a[1], b[1]) + 1
            shared = max(width, 0) * max(height, 0)
            areas = [(c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)]
            assert found[i, j] == pytest.approx(shared / (sum(areas) - shared))


def test_overlap_counts_pixels() -> None:
    """Against brute force over a mask."""
    rng = np.random.default_rng(1)
    boxes = np.floor(random_corners(12, rng=rng, size=20))
    masks = np.zeros((len(boxes), 25, 25), bool)
    for mask, (x0, y0, x1, y1) in zip(masks, boxes.astype(int), strict=True):
        mask[y0:y1, x0:x1] = True
    found = overlaps(boxes, boxes)
    for i, a in enumerate(masks):
        for j, b in enumerate(masks):
            union = (a | b).sum()
            assert found[i, j] == pytest.approx((a & b).sum() / union if union else 0)


def test_overlap_of_nothing_is_nothing() -> None:
    none = np.zeros((0, 4))
    assert overlaps(none, np.ones((3, 4))).shape == (0, 3)
    assert overlaps(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0]]


def test_mirroring_twice_changes_nothing() -> None:
    corners = np.array([[1.5, 2, 4, 9], [0, 0, 10, 10]])
    once = mirrored(corners, width=10)
    assert once[0].tolist() == [6, 2, 8.5, 9]
    assert np.array_equal(mirrored(once, width=10), corners)


def test_clipping_ends_at_the_picture() -> None:
    corners = np.array([[-3.0, 2, 12, 30], [15, 15, 25, 25]])
    assert clipped(corners, width=10, height=20).tolist() == [[0, 2, 10, 20], [10, 15, 10, 20]]


@pytest.mark.parametrize(
    ("width", "height", "wanted"),
    [(500, 375, (800, 600)), (375, 500, (600, 800)), (500, 200, (1000, 400)), (3, 1000, (3, 1000))],
)
def test_shorter_side_unless_the_longer_grows_too_long(
    width: int, height: int, wanted: tuple[int, int]
) -> None:
    assert resized_size(width=width, height=height, short_px=600, longest_px=1000) == wanted


def test_decoding_undoes_encoding() -> None:
    rng = np.random.default_rng(2)
    boxes, reference = (torch.from_numpy(random_corners(50, rng=rng)) for _ in range(2))
    back = decode(encode(boxes, reference=reference), reference=reference)
    assert torch.allclose(back, boxes, atol=1e-9)


def test_offsets_by_hand() -> None:
    reference = torch.tensor([[0.0, 0.0, 10.0, 20.0]])
    box = torch.tensor([[5.0, 0.0, 25.0, 20.0]])
    shift_x, shift_y, growth_x, growth_y = encode(box, reference=reference)[0].tolist()
    assert (shift_x, shift_y) == (1.0, 0.0)
    assert growth_x == pytest.approx(np.log(2))
    assert growth_y == 0


def test_offsets_do_not_change_when_a_picture_is_resized() -> None:
    rng = np.random.default_rng(3)
    boxes, reference = (torch.from_numpy(random_corners(20, rng=rng)) for _ in range(2))
    factors = torch.tensor([2.5, 0.5, 2.5, 0.5], dtype=torch.float64)
    resized = encode(boxes * factors, reference=reference * factors)
    assert torch.allclose(resized, encode(boxes, reference=reference))


def test_no_offset_makes_a_box_infinite() -> None:
    reference = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    decoded = decode(torch.tensor([[0.0, 0.0, 1e4, 1e4]]), reference=reference)
    assert decoded.isfinite().all()


def test_duplicates_leave_the_first() -> None:
    corners = np.array([[5.0, 5, 6, 6], [1, 1, 2, 2], [5, 5, 6, 6]])
    assert without_duplicates(corners).tolist() == [0, 1]
