"""Triangles of a polygon cover exactly its area, in its winding."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scenelift.render.formats.polygons import triangulate


def _area(points: np.ndarray) -> float:
    x, y = points[:, 0], points[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


@given(
    radii=st.lists(st.floats(0.2, 1.0), min_size=3, max_size=12),
    turn=st.booleans(),
    plane=st.integers(0, 2),
)
def test_star_shaped_polygons(radii: list[float], turn: bool, plane: int) -> None:
    angles = np.arange(len(radii)) * 2 * np.pi / len(radii)
    flat = np.stack((np.cos(angles), np.sin(angles)), axis=1) * np.array(radii)[:, None]
    if turn:
        flat = flat[::-1]
    points = np.insert(flat, plane, 0.5, axis=1)
    triangles, owner = triangulate(points, np.arange(len(points)), counts=np.array([len(points)]))
    assert (owner == 0).all()
    areas = [_area(flat[triangle]) for triangle in triangles]
    assert np.all(np.array(areas) * _area(flat) >= -1e-12)
    np.testing.assert_allclose(sum(areas), _area(flat), rtol=1e-9)


def test_mixed_polygons_keep_their_order() -> None:
    arrow = [[0, 0, 0], [2, 1, 0], [0, 2, 0], [0.5, 1, 0]]
    points = np.array([*arrow, [5, 0, 0], [6, 0, 0], [6, 1, 0], [9, 9, 9], [8, 8, 8]], float)
    corners = np.array([4, 5, 6, 0, 1, 2, 3, 7, 8, 4, 5, 6])
    triangles, owner = triangulate(points, corners, counts=np.array([3, 4, 2, 3]))
    assert owner.tolist() == [0, 1, 1, 3]
    used = points[corners[triangles]]
    cross = np.cross(used[:, 1] - used[:, 0], used[:, 2] - used[:, 0])[:, 2] / 2
    np.testing.assert_allclose(cross[1:3].sum(), 1.5)
    assert (cross > 0).all()


def test_flat_and_repeated_corners_do_no_harm() -> None:
    points = np.zeros((5, 3))
    triangles, _ = triangulate(points, np.arange(5), counts=np.array([5]))
    assert len(triangles) == 3
