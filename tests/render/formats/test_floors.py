"""Rooms found in geometry: outlines of known plans, their turn, heights, and what is no room."""

import numpy as np
import pytest
import scene_files
from jaxtyping import Float

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats.floors import find_rooms, room_of
from scenelift.render.scene import Material, Mesh, Node


def _node(name: str, quads: Float[np.ndarray, "n 4 3"]) -> Node:
    first = np.arange(len(quads))[:, None] * 4
    faces = np.concatenate((first + np.array((0, 1, 2)), first + np.array((0, 2, 3))))
    mesh = Mesh(
        vertices=quads.reshape(-1, 3).astype(np.float64),
        faces=faces,
        materials=(Material(name="a"),),
        face_materials=np.zeros(len(faces), np.int64),
    )
    return Node(
        name=name, mesh=mesh, T_world_object=np.eye(4), category=name, semantic=nyu40_id(name)
    )


def _level(x0: float, z0: float, x1: float, z1: float, y: float) -> list[list[float]]:
    return [[x0, y, z0], [x1, y, z0], [x1, y, z1], [x0, y, z1]]


def _wall(
    x0: float, z0: float, x1: float, z1: float, *, y0: float = 0.0, y1: float = 2.5
) -> list[list[float]]:
    return [[x0, y0, z0], [x1, y0, z1], [x1, y1, z1], [x0, y1, z0]]


def _signed_area(outline: Float[np.ndarray, "n 2"]) -> float:
    x, z = outline.T
    return float(np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z) / 2)


def test_a_box_is_one_room() -> None:
    nodes = [
        _node(name, quads) for name, quads in scene_files.room_quads().items() if name != "chair"
    ]
    (room,) = find_rooms(nodes, kind="bedroom")
    assert room.kind == "bedroom"
    assert (room.floor_y_m, room.ceiling_y_m) == pytest.approx((0, scene_files.HEIGHT_M))
    assert len(room.outline_xz) == 4
    np.testing.assert_allclose(room.outline_xz.min(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(room.outline_xz.max(axis=0), (4, 3), atol=0.05)
    # Counter-clockwise seen from +y, with x to the right and z towards the viewer, is clockwise in (x, z).
    assert _signed_area(room.outline_xz) == pytest.approx(-12, rel=0.05)


def test_a_wall_parts_two_rooms_and_the_yard_is_none() -> None:
    floor = [_level(-2, -2, 12, 6, 0)]
    walls = [
        _wall(0, 0, 8, 0),
        _wall(8, 0, 8, 4),
        _wall(8, 4, 0, 4),
        _wall(0, 4, 0, 0),
        _wall(5, 0, 5, 4),
    ]
    nodes = [_node("floor", np.array(floor)), _node("wall", np.array(walls))]
    rooms = find_rooms(nodes)
    assert [round(-_signed_area(room.outline_xz)) for room in rooms] == [20, 12]
    assert [room.name for room in rooms] == ["room_0", "room_1"]
    assert room_of(np.array([2.0, 1, 2]), rooms=rooms) == 0
    assert room_of(np.array([7.0, 1, 2]), rooms=rooms) == 1
    assert room_of(np.array([11.0, 1, 2]), rooms=rooms) is None
    assert room_of(np.array([2.0, 9, 2]), rooms=rooms) is None


def test_an_l_shaped_room() -> None:
    floor = [_level(0, 0, 5, 2, 0), _level(0, 2, 2, 4, 0)]
    corners = [(0, 0), (5, 0), (5, 2), (2, 2), (2, 4), (0, 4)]
    walls = [_wall(*a, *b) for a, b in zip(corners, corners[1:] + corners[:1], strict=True)]
    (room,) = find_rooms([_node("floor", np.array(floor)), _node("wall", np.array(walls))])
    assert len(room.outline_xz) == 6
    assert -_signed_area(room.outline_xz) == pytest.approx(14, rel=0.05)


def test_storeys_stack_from_below() -> None:
    floors = [_level(0, 0, 4, 3, 0), _level(0, 0, 4, 3, 2.8)]
    walls = [
        _wall(*a, *b, y0=y, y1=y + 2.6)
        for y in (0, 2.8)
        for a, b in (((0, 0), (4, 0)), ((4, 0), (4, 3)), ((4, 3), (0, 3)), ((0, 3), (0, 0)))
    ]
    ceilings = [_level(0, 0, 4, 3, 2.6), _level(0, 0, 4, 3, 5.4)]
    rooms = find_rooms(
        [
            _node("floor", np.array(floors)),
            _node("wall", np.array(walls)),
            _node("ceiling", np.array(ceilings)),
        ]
    )
    assert [(round(room.floor_y_m, 2), round(room.ceiling_y_m, 2)) for room in rooms] == [
        (0, 2.6),
        (2.8, 5.4),
    ]


def test_a_cupboard_is_left_out_and_a_table_is_not() -> None:
    room = [
        _node(name, quads) for name, quads in scene_files.room_quads().items() if name != "chair"
    ]
    box = scene_files.room_quads()["chair"] - (1, 0, 1)
    cupboard = _node("cabinet", box * (2, 4, 4) + (0, 0, 0))
    table = _node("table", box * (2, 1.4, 2) + (2, 0, 1))
    (found,) = find_rooms([*room, cupboard, table])
    assert -_signed_area(found.outline_xz) == pytest.approx(12 - 2, rel=0.07)


def test_no_floor_no_room() -> None:
    assert find_rooms([_node("chair", scene_files.room_quads()["chair"])]) == ()
    assert find_rooms([]) == ()
