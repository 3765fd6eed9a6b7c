import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelift.render.rooms.outline import (
    ROOM_KINDS,
    SIZES_M,
    area_m2,
    distance_to_walls_m,
    inside,
    overlaps,
    sample_outline,
    wall_lines,
)

KINDS = st.sampled_from(ROOM_KINDS)
SEEDS = st.integers(0, 2**32 - 1)


def crossings(outline: np.ndarray) -> int:
    """Pairs of sides, not neighbours, that meet."""
    count = len(outline)
    found = 0
    for i in range(count):
        for j in range(i + 2, count):
            if i == 0 and j == count - 1:
                continue
            a, b = outline[i], outline[(i + 1) % count]
            c, d = outline[j], outline[(j + 1) % count]
            matrix = np.stack([b - a, c - d], axis=1)
            if abs(np.linalg.det(matrix)) > 1e-12:
                s, t = np.linalg.solve(matrix, c - a)
                found += 0 <= s <= 1 and 0 <= t <= 1
    return found


@given(kind=KINDS, seed=SEEDS)
@settings(max_examples=150, deadline=None)
def test_outlines_are_simple_turn_left_and_have_the_size_of_their_kind(
    kind: str, seed: int
) -> None:
    outline = sample_outline(kind, rng=np.random.default_rng(seed))
    assert crossings(outline) == 0
    extent = np.sort(np.ptp(outline, axis=0))
    (_, longest), (shortest, _) = sorted(SIZES_M[kind], reverse=True)
    assert 0.3 * shortest**2 < area_m2(outline) <= np.prod(extent) + 1e-9
    assert extent[1] <= max(high for _, high in SIZES_M[kind]) + 1.0
    assert longest > 0


@given(kind=KINDS, seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_walls_face_inwards_and_close_the_outline(kind: str, seed: int) -> None:
    outline = sample_outline(kind, rng=np.random.default_rng(seed))
    walls = wall_lines(outline)
    for wall, corner in zip(walls, outline, strict=True):
        middle = wall.start_xz + wall.length_m / 2 * wall.along_xz
        assert inside(outline, (middle + 0.01 * wall.inward_xz)[None])[0]
        assert not inside(outline, (middle - 0.01 * wall.inward_xz)[None])[0]
        np.testing.assert_allclose(wall.start_xz + wall.length_m * wall.along_xz, corner, atol=1e-9)
        pose = wall.T_world_wall[:3, :3]
        np.testing.assert_allclose(pose.T @ pose, np.eye(3), atol=1e-12)
        assert np.linalg.det(pose) == pytest.approx(1.0)
        front = np.array([np.sin(wall.yaw_rad), np.cos(wall.yaw_rad)])
        np.testing.assert_allclose(front, wall.inward_xz, atol=1e-12)


def test_shapes_vary() -> None:
    corners = {
        len(sample_outline("living room", rng=np.random.default_rng(seed))) for seed in range(60)
    }
    assert {4, 5, 6, 8} <= corners


def test_distance_and_overlap_of_an_l_shape() -> None:
    shape = np.array([[0, 0], [2.0, 0], [2, -2], [1, -2], [1, -1], [0, -1.0]])
    assert area_m2(shape) == pytest.approx(3.0)
    assert distance_to_walls_m(shape, np.array([[0.75, -1.25]])) == pytest.approx(0.25)
    notch = np.array([[0.1, -1.9], [0.9, -1.9], [0.9, -1.1], [0.1, -1.1]])
    assert not overlaps(shape, notch)
    assert overlaps(shape, notch + 0.2)
