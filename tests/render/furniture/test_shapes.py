from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_facts import corners_of, cross_products, is_closed, signed_volume

from scenelift.render.furniture import shapes
from scenelift.render.furniture.shapes import Shape

LENGTHS = st.floats(0.01, 3.0)


def _ring() -> np.ndarray:
    angle = np.arange(16) * (2 * np.pi / 16)
    return np.stack([np.cos(angle), 0 * angle, np.sin(angle)], axis=1)


SOLIDS: dict[str, Callable[[], Shape]] = {
    "box": lambda: shapes.box((1.0, 0.5, 0.3), bevel=0.02),
    "sharp box": lambda: shapes.box((1.0, 0.5, 0.3), bevel=0.0),
    "cup": lambda: shapes.lathe([(0, 0), (1, 0), (1, 1), (0.9, 1), (0.9, 0.1), (0, 0.1)]),
    "cylinder": lambda: shapes.cylinder(0.3, 1.0),
    "ball": lambda: shapes.ball((1.0, 2.0, 0.5)),
    "rod": lambda: shapes.rod((0, 0, 0), (0.2, 1, 0.1), radius=0.1, end_radius=0.05),
    "square rod": lambda: shapes.rod((0, 0, 0), (0, 1, 0), radius=0.1, square=True),
    "level rod": lambda: shapes.rod((0, 0, 0), (0, 0, 1), radius=0.1),
    "tube": lambda: shapes.tube([(0, 0, 0), (0, 1, 0), (1, 1, 0), (1, 1, 1)], radius=0.1),
    "ring": lambda: shapes.tube(_ring(), radius=0.1, closed=True),
    "extrusion": lambda: shapes.extrude([(0, 0), (1, 0), (0.4, 0.4), (0, 1)], 0.2),
    "bevelled extrusion": lambda: shapes.extrude([(0, 0), (1, 0), (1, 1), (0, 1)], 0.2, bevel=0.02),
    "plate": lambda: shapes.plate(shapes.rounded_rectangle(1.0, 0.5, radius=0.1), 0.1),
    "plate the other way round": lambda: shapes.plate(shapes.ellipse(1.0, 0.5)[::-1], 0.1, bevel=0.0),
    "soft box": lambda: shapes.soft_box((1.0, 0.2, 0.6), radius=0.05, puff=0.03),
    "hexahedron": lambda: shapes.hexahedron(
        [(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)],
        [(-0.5, 1, -1), (0.5, 1, -1), (0.5, 1, 0), (-0.5, 1, 0)],
    ),
    "mirrored": lambda: shapes.box((1.0, 0.5, 0.3)).scaled((-1.0, 2.0, 1.0)),
    "turned": lambda: shapes.box((1.0, 0.5, 0.3)).turned(0.7, axis="x"),
}  # fmt: skip


@pytest.mark.parametrize("name", SOLIDS)
def test_solids_are_closed_and_face_outwards(name: str) -> None:
    shape = SOLIDS[name]()
    assert is_closed(shape.vertices, shape.faces)
    assert signed_volume(corners_of(shape.vertices, shape.faces)) > 0


@pytest.mark.parametrize("name", SOLIDS)
def test_shading_normals_are_unit_and_never_point_inwards(name: str) -> None:
    shape = SOLIDS[name]()
    own = cross_products(corners_of(shape.vertices, shape.faces))
    assert np.allclose(np.linalg.norm(shape.normals, axis=2), 1.0, atol=1e-9)
    assert ((shape.normals * own[:, None]).sum(axis=2) > -1e-9).all()


@pytest.mark.parametrize("name", SOLIDS)
def test_no_triangle_is_degenerate(name: str) -> None:
    shape = SOLIDS[name]()
    triangles = corners_of(shape.vertices, shape.faces)
    longest = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2).max(axis=1)
    assert (np.linalg.norm(cross_products(triangles), axis=1) / longest > 1e-4).all()


@settings(deadline=None)
@given(LENGTHS, LENGTHS, LENGTHS)
def test_a_sharp_box_has_its_volume_and_a_bevelled_one_nearly(w: float, h: float, d: float) -> None:
    sharp = shapes.box((w, h, d), bevel=0.0)
    volume = signed_volume(corners_of(sharp.vertices, sharp.faces))
    assert volume == pytest.approx(w * h * d, rel=1e-9)
    bevelled = shapes.box((w, h, d), bevel=0.01 * min(w, h, d))
    share = signed_volume(corners_of(bevelled.vertices, bevelled.faces)) / volume
    assert 0.998 < share < 1.0
    assert np.allclose(np.ptp(bevelled.vertices, axis=0), (w, h, d))


@settings(deadline=None)
@given(LENGTHS, LENGTHS, LENGTHS)
def test_texture_coordinates_of_a_box_count_metres(w: float, h: float, d: float) -> None:
    shape = shapes.box((w, h, d), bevel=0.0)
    triangles = corners_of(shape.vertices, shape.faces)
    first, second = (shape.uvs[:, k] - shape.uvs[:, 0] for k in (1, 2))
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    assert np.allclose(area, np.linalg.norm(cross_products(triangles), axis=1), rtol=1e-6)


def test_grain_runs_along_the_longer_side() -> None:
    board = shapes.box((2.0, 0.02, 0.3), bevel=0.0)
    top = board.uvs[board.normals[:, 0, 1] > 0.9]
    assert np.ptp(top[..., 1]) == pytest.approx(2.0)
    assert np.ptp(top[..., 0]) == pytest.approx(0.3)


def test_a_picture_stands_upright_on_the_front() -> None:
    shape = shapes.box((1.0, 0.5, 0.01), bevel=0.0, picture=True)
    front = shape.normals[:, 0, 2] > 0.9
    uvs, points = shape.uvs[front], shape.vertices[shape.faces[front]]
    assert np.allclose(uvs[..., 0], points[..., 0] + 0.5)
    assert np.allclose(uvs[..., 1], points[..., 1] / 0.5)


@settings(deadline=None)
@given(st.floats(0.05, 1.0), st.floats(0.05, 1.0), st.integers(3, 40))
def test_a_cylinder_has_the_volume_of_its_prism(
    radius: float, height: float, segments: int
) -> None:
    shape = shapes.cylinder(radius, height, segments=segments)
    area = segments / 2 * radius**2 * np.sin(2 * np.pi / segments)
    volume = signed_volume(corners_of(shape.vertices, shape.faces))
    assert volume == pytest.approx(area * height, rel=1e-9)


@settings(deadline=None)
@given(st.floats(0.01, 0.2), st.floats(0.2, 2.0))
def test_an_extrusion_has_area_times_depth(depth: float, size: float) -> None:
    outline = np.array([(0, 0), (2, 0), (2, 1), (1, 1), (1, 3), (0, 3)]) * size
    shape = shapes.extrude(outline, depth)
    volume = signed_volume(corners_of(shape.vertices, shape.faces))
    assert volume == pytest.approx(4 * size**2 * depth, rel=1e-9)


def test_rods_reach_from_end_to_end() -> None:
    starts = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    ends = np.array([[0.0, 2.0, 0.0], [1.0, 0.5, 1.0]])
    shape = shapes.rods(starts, ends, radius=0.05)
    first = shape.vertices[: len(shape.vertices) // 2]
    assert np.allclose(first.min(axis=0), (-0.05, 0.0, -0.05), atol=1e-3)
    assert np.allclose(first.max(axis=0), (0.05, 2.0, 0.05), atol=1e-3)


@settings(deadline=None)
@given(st.floats(-3.0, 3.0), st.sampled_from(["x", "y", "z"]))
def test_turning_back_restores(angle: float, axis: str) -> None:
    shape = shapes.box((1.0, 0.5, 0.3))
    if axis == "x":
        back = shape.turned(angle, axis="x").turned(-angle, axis="x")
    elif axis == "y":
        back = shape.turned(angle, axis="y").turned(-angle, axis="y")
    else:
        back = shape.turned(angle, axis="z").turned(-angle, axis="z")
    assert np.allclose(back.vertices, shape.vertices)
    assert np.allclose(back.normals, shape.normals)


@settings(deadline=None)
@given(st.floats(0.01, 0.2), st.floats(0.2, 2.0))
def test_rods_have_the_volume_of_their_section(radius: float, length: float) -> None:
    end = (0.6 * length, 0.8 * length, 0.0)
    square = shapes.rod((0, 0, 0), end, radius=radius, square=True)
    volume = signed_volume(corners_of(square.vertices, square.faces))
    assert volume == pytest.approx(4 * radius**2 * length, rel=1e-9)
    round_ = shapes.rod((0, 0, 0), end, radius=radius, segments=8)
    volume = signed_volume(corners_of(round_.vertices, round_.faces))
    assert volume == pytest.approx(2 * np.sqrt(2) * radius**2 * length, rel=1e-9)
    tube = shapes.tube([(0, 0, 0), (0.3 * length, 0.4 * length, 0), end], radius=radius, segments=8)
    assert signed_volume(corners_of(tube.vertices, tube.faces)) == pytest.approx(volume, rel=1e-9)


def test_a_quarter_turn_about_y_brings_z_to_x() -> None:
    assert np.allclose(shapes.rotation(np.pi / 2, axis="y") @ (0.0, 0.0, 1.0), (1.0, 0.0, 0.0))


@settings(deadline=None)
@given(LENGTHS, LENGTHS, LENGTHS)
def test_a_soft_box_keeps_its_size(w: float, h: float, d: float) -> None:
    shape = shapes.soft_box((w, h, d), radius=0.05, puff=0.03)
    extent = np.ptp(shape.vertices, axis=0)
    assert (extent <= np.array((w, h, d)) * 1.001).all()
    assert (extent >= np.array((w, h, d)) * 0.6).all()
    assert shape.vertices[:, 1].min() == 0.0


def test_repeating_moves_and_joins() -> None:
    shape = shapes.box((0.1, 0.1, 0.1))
    offsets = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    row = shape.repeated(offsets)
    twin = shapes.joined([shape.moved((x, y, z)) for x, y, z in offsets.tolist()])
    assert np.array_equal(row.vertices, twin.vertices)
    assert np.array_equal(row.faces, twin.faces)


def test_level_parts_of_a_turned_shape_show_one_board() -> None:
    seat = shapes.cylinder(0.2, 0.03)
    top = seat.normals[:, 0, 1] > 0.9
    points = seat.vertices[seat.faces[top]]
    assert np.allclose(seat.uvs[top], points[..., [0, 2]])
