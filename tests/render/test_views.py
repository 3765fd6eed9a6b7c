"""Cameras are held as asked, stand where people can, and come from their coordinates alone."""

import numpy as np
import pytest
from analytic_scenes import box_room, make_box, node, place, plane_scene, room_shell
from hypothesis import given
from hypothesis import strategies as st

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.engines import prepare
from scenelift.render.scene import Room, Scene, SceneError
from scenelift.render.standpoints import CELL_M, Standpoints, find_standpoints
from scenelift.render.views import (
    CameraRanges,
    candidate_rng,
    draw_candidate,
    probe_camera,
)

RANGES = CameraRanges()
PLACES = Standpoints(
    floor_world=np.array([[3.0, 1.0, -2.0], [40.0, 1.0, 7.0]]), room=np.array([0, 1])
)


@given(seed=st.integers(0, 2**40), index=st.integers(0, 10**6))
def test_a_candidate_keeps_the_ranges_and_its_dials_are_its_camera(seed: int, index: int) -> None:
    rng = candidate_rng(seed=seed, scene_name="room", index=index)
    candidate = draw_candidate(PLACES, index=index, ranges=RANGES, width=120, height=80, rng=rng)
    pose = candidate.camera.T_world_camera
    floor = PLACES.floor_world[candidate.room]
    assert pose[1, 3] - floor[1] == pytest.approx(candidate.height_m)
    assert np.abs(pose[[0, 2], 3] - floor[[0, 2]]).max() <= CELL_M / 2
    forward = -pose[:3, 2]
    assert np.rad2deg(np.arcsin(forward[1])) == pytest.approx(candidate.pitch_deg, abs=1e-6)
    level = np.cross(forward, (0, 1, 0))
    roll = np.rad2deg(np.arctan2(pose[:3, 0] @ np.cross(level, forward), pose[:3, 0] @ level))
    assert roll == pytest.approx(candidate.roll_deg, abs=1e-6)
    across = 2 * np.rad2deg(np.arctan(60 / candidate.camera.focal_px))
    assert across == pytest.approx(candidate.field_of_view_deg)
    for value, (_, _, least, most) in (
        (candidate.height_m, RANGES.height_m),
        (candidate.pitch_deg, RANGES.pitch_deg),
        (candidate.roll_deg, RANGES.roll_deg),
        (candidate.field_of_view_deg, RANGES.field_of_view_deg),
    ):
        assert least <= value <= most


def test_seed_scene_and_index_each_change_the_draw() -> None:
    draws = {
        candidate_rng(seed=seed, scene_name=name, index=index).random()
        for seed in (0, 1)
        for name in ("a", "b")
        for index in (0, 1)
    }
    assert len(draws) == 8


def test_a_probe_sees_what_the_view_sees() -> None:
    rng = np.random.default_rng(0)
    camera = draw_candidate(PLACES, index=0, ranges=RANGES, width=320, height=240, rng=rng).camera
    probe = probe_camera(camera, pixels=32)
    assert (probe.width, probe.height) == (32, 24)
    np.testing.assert_allclose(probe.K[0] / 32, camera.K[0] / 320)


def square(low: float, high: float) -> np.ndarray:
    return np.array([[low, low], [low, high], [high, high], [high, low]])


def test_people_stand_on_free_floor_inside_the_room_only() -> None:
    table = node("table", make_box(size_m=(1.0, 0.7, 1.0)), T_world_object=place(at=(0, 0.35, 0)))
    room = Room(name="r", kind="", outline_xz=square(-1.5, 1.5), floor_y_m=0.0, ceiling_y_m=2.6)
    scene = Scene(name="s", nodes=(*room_shell(), table), rooms=(room,))
    with prepare(scene, engine="embree") as engine:
        places = find_standpoints(scene, engine)
    xz = places.floor_world[:, [0, 2]]
    assert (np.abs(xz) < 1.5).all()
    assert not (np.abs(xz) < 0.5).all(axis=1).any(), "stands in the table"
    free = 3.0**2 - 1.0
    assert len(xz) * CELL_M**2 == pytest.approx(free, rel=0.25)
    assert (places.room == 0).all()


def test_without_rooms_the_floor_is_found_below_the_ceiling_and_not_on_the_roof() -> None:
    scene = Scene(name="s", nodes=box_room().nodes)
    with prepare(scene, engine="embree") as engine:
        places = find_standpoints(scene, engine)
    assert len(places.floor_world) > 50
    np.testing.assert_allclose(places.floor_world[:, 1], 0, atol=1e-5)


def test_two_storeys_both_have_floors() -> None:
    lower = room_shell()
    upper = tuple(
        node(f"up_{n.name}", n.mesh, T_world_object=place(at=(0, 2.8, 0)) @ n.T_world_object)
        for n in lower
    )
    scene = Scene(name="s", nodes=(*lower, *upper))
    with prepare(scene, engine="embree") as engine:
        heights = find_standpoints(scene, engine).floor_world[:, 1]
    assert set(np.round(heights, 2)) == {0.0, 2.8}


def test_a_floor_without_ceiling_will_do_where_nothing_has_one() -> None:
    scene = plane_scene(half_size_m=3.0)
    with prepare(scene, engine="embree") as engine:
        assert len(find_standpoints(scene, engine).floor_world) > 100


def test_a_scene_without_floor_says_so() -> None:
    wall = node("wall", make_box(size_m=(3.0, 3.0, 0.01)), semantic=nyu40_id("wall"))
    room = Room(name="r", kind="", outline_xz=square(-1.0, 1.0), floor_y_m=0.0, ceiling_y_m=1.0)
    low = Scene(name="low", nodes=(wall, *room_shell(size_m=(2.0, 1.0, 2.0))), rooms=(room,))
    with prepare(low, engine="embree") as engine, pytest.raises(SceneError, match="low: found no"):
        find_standpoints(low, engine)
