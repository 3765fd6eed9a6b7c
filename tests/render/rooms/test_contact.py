import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelift.render.rooms.contact import (
    bounds,
    cross,
    gap_m,
    resting_points,
    world_triangles,
)
from scenelift.render.rooms.drafting import MeshDraft
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Material

PLAIN = Finish(material=Material(name="plain"))
DOWN = (0.0, -1.0, 0.0)


def box(low: tuple[float, ...], high: tuple[float, ...]) -> np.ndarray:
    draft = MeshDraft()
    (x0, y0, z0), (x1, y1, z1) = (tuple(float(v) for v in corner) for corner in (low, high))
    draft.box((x0, y0, z0), (x1, y1, z1), finish=PLAIN)
    return world_triangles(draft.mesh(), np.eye(4))


def by(triangles: np.ndarray, x: float, y: float, z: float) -> np.ndarray:
    return np.asarray(triangles + np.array([x, y, z]))


UNIT = box((0, 0, 0), (1, 1, 1))
LENGTH = st.floats(0.01, 0.99)


@given(x=LENGTH, y=LENGTH, z=LENGTH)
@settings(max_examples=60, deadline=None)
def test_a_box_pushed_into_another_crosses_it(x: float, y: float, z: float) -> None:
    assert cross(UNIT, by(UNIT, x, y, z))
    assert cross(by(UNIT, x, y, z), UNIT)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("gap", "expected"), [(1e-3, False), (0.0, False), (-1e-3, True)])
def test_touching_is_no_crossing_and_a_millimetre_is(axis: int, gap: float, expected: bool) -> None:
    shift = np.full(3, 0.25)
    shift[axis] = 1.0 + gap
    assert cross(UNIT, UNIT + shift) is expected


@given(
    turn=st.floats(0, 6.28),
    shift=st.tuples(*[st.floats(-50, 50)] * 3),
    offset=st.tuples(*[st.floats(-1.5, 1.5)] * 3),
)
@settings(max_examples=80, deadline=None)
def test_the_answer_does_not_depend_on_the_frame(
    turn: float, shift: tuple[float, float, float], offset: tuple[float, float, float]
) -> None:
    depth = 1.0 - np.abs(offset)
    if np.abs(depth).min() < 5e-4:
        return
    cos, sin = np.cos(turn), np.sin(turn)
    rotation = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])

    def moved(triangles: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(triangles @ rotation.T + shift)

    other = UNIT + offset
    if np.abs(np.array(offset)).min() < 5e-4:
        return
    assert cross(UNIT, other) == bool((depth > 0).all())
    assert cross(moved(UNIT), moved(other)) == cross(UNIT, other)


def test_a_chair_under_a_table_shares_its_box_but_crosses_nothing() -> None:
    table = np.concatenate([box((0, 0.7, 0), (1, 0.75, 1)), box((0, 0, 0), (0.05, 0.7, 0.05))])
    chair = box((0.3, 0, 0.3), (0.7, 0.69, 1.5))
    assert (bounds(chair)[0] < bounds(table)[1]).all()
    assert not cross(table, chair)
    assert cross(table, by(chair, 0.0, 0.05, 0.0))


def test_gap_down_to_a_floor_and_up_through_it() -> None:
    floor = box((-1, -0.1, -1), (1, 0, 1))
    point = np.array([[0.2, 0.003, 0.1]])
    assert gap_m(point, floor, direction=DOWN, reach_m=0.01) == pytest.approx(0.003)
    assert gap_m(point, floor, direction=DOWN, reach_m=0.002) == np.inf
    sunk = np.array([[0.2, -0.003, 0.1]])
    assert gap_m(sunk, floor, direction=DOWN, reach_m=0.01, behind_m=0.01) == pytest.approx(-0.003)
    assert gap_m(by(point, 5.0, 0, 0), floor, direction=DOWN, reach_m=1.0) == np.inf


def test_resting_points_are_the_lowest() -> None:
    points = resting_points(by(UNIT, 0, 3.0, 0), direction=DOWN)
    assert set(points[:, 1]) == {3.0}
    assert len(np.unique(points, axis=0)) == 4


def test_degenerate_triangles_cross_nothing() -> None:
    line = np.array([[[0.5, -1.0, 0.5], [0.5, 2.0, 0.5], [0.5, 2.0, 0.5]]])
    point = np.array([[[0.5, 0.5, 0.5]] * 3])
    assert not cross(point, UNIT)
    assert cross(line, UNIT)
