from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelift.render.formats.polygons import triangulate
from scenelift.render.formats.suncg.rooms import floor_of, make_room

L_SHAPE = np.array([(0, 0), (0, 4), (2, 4), (2, 2), (5, 2), (5, 0)], dtype=np.float64)
"""(x, z), counter-clockwise seen from above, where z points down on paper."""


def sheet(outline: Any, *, y: float = 0.0, shift: Any = (0.0, 0.0)) -> Any:
    points = np.array([(x + shift[0], y, z + shift[1]) for x, z in outline])
    faces, _ = triangulate(points, np.arange(len(points)), counts=np.array([len(points)]))
    return points[faces]


def signed_area(outline: Any) -> float:
    x, z = np.asarray(outline).T
    return float((z * np.roll(x, -1) - x * np.roll(z, -1)).sum() / 2)


def same_loop(found: Any, wanted: Any, *, tolerance: float = 1e-4) -> bool:
    return len(found) == len(wanted) and any(
        np.abs(np.roll(found, k, axis=0) - wanted).max() < tolerance for k in range(len(found))
    )


@given(
    shift=st.tuples(st.floats(-50, 50), st.floats(-50, 50)),
    turned=st.booleans(),
    order=st.permutations(range(4)),
)
def test_the_outline_of_a_floor_in_any_order_and_winding(
    shift: Any, turned: bool, order: Any
) -> None:
    triangles = sheet(L_SHAPE, y=0.05, shift=shift)[list(order)]
    found = floor_of(triangles[:, ::-1] if turned else triangles)
    assert found is not None
    outline, height = found
    assert same_loop(outline, L_SHAPE + shift)
    assert height == pytest.approx(0.05)
    assert signed_area(outline) == pytest.approx(14, rel=1e-4)


def test_a_straight_border_has_no_corners_between() -> None:
    split = np.array([(0, 0), (0, 1), (0, 3), (3, 3), (3, 2), (3, 0)], dtype=np.float64)
    found = floor_of(sheet(split))
    assert found is not None
    assert same_loop(found[0], [(0, 0), (0, 3), (3, 3), (3, 0)])


def test_the_top_of_a_slab_counts() -> None:
    both = np.concatenate((sheet(L_SHAPE, y=0.05), sheet([(0, 0), (0, 9), (9, 9), (9, 0)], y=-0.2)))
    found = floor_of(both)
    assert found is not None
    assert same_loop(found[0], L_SHAPE)


def test_overlapping_pieces_join() -> None:
    """Not edge to edge: within two pixels of 1 cm."""
    pieces = np.concatenate(
        (sheet([(0, 0), (0, 2), (3, 2), (3, 0)]), sheet([(2, 0.5), (2, 1.5), (5, 1.5), (5, 0.5)]))
    )
    found = floor_of(pieces)
    assert found is not None
    assert signed_area(found[0]) == pytest.approx(6 + 2, rel=0.02)
    np.testing.assert_allclose(found[0].max(axis=0), (5, 2), atol=0.025)


def test_a_hole_is_left_out() -> None:
    ring = np.concatenate(
        [
            sheet([(0, 0), (0, 3), (1, 3), (1, 0)]), sheet([(2, 0), (2, 3), (3, 3), (3, 0)]),
            sheet([(1, 0), (1, 1), (2, 1), (2, 0)]), sheet([(1, 2), (1, 3), (2, 3), (2, 2)]),
        ]
    )  # fmt: skip
    found = floor_of(ring)
    assert found is not None
    assert signed_area(found[0]) == pytest.approx(9, rel=0.02)


def test_walls_are_no_floor() -> None:
    upright = np.array([[(0, 0, 0), (1, 0, 0), (1, 1, 0)]], dtype=np.float64)
    assert floor_of(upright) is None
    assert floor_of(np.zeros((0, 3, 3))) is None
    assert floor_of(np.zeros((2, 3, 3))) is None


def test_a_speck_of_floor_has_an_outline() -> None:
    found = floor_of(1e-3 * sheet(L_SHAPE))
    assert found is not None
    assert len(found[0]) >= 3
    assert signed_area(found[0]) > 0


@pytest.mark.parametrize(
    ("ceiling", "walls", "height"), [(2.5, 2.6, 2.5), (None, 2.6, 2.6), (None, None, 2.75)]
)
def test_the_ceiling_or_what_stands_for_it(
    ceiling: float | None, walls: float | None, height: float
) -> None:
    empty = np.zeros((0, 3, 3))
    room = make_room(
        name="a", kind="", floor=sheet(L_SHAPE, y=0.05),
        ceiling=empty if ceiling is None else sheet(L_SHAPE, y=ceiling),
        walls=empty if walls is None else np.array([[(0, 0, 0), (1, walls, 0), (1, 0, 0)]], dtype=np.float64),
    )  # fmt: skip
    assert room is not None
    assert room.ceiling_y_m == pytest.approx(height)
