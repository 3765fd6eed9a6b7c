import numpy as np
import pytest

from scenelift.render.engines import prepare
from scenelift.render.furniture.builders import make_palette
from scenelift.render.rooms.decorate import sample_surfaces
from scenelift.render.rooms.openings import sample_openings
from scenelift.render.rooms.outline import ROOM_KINDS, sample_outline, wall_lines
from scenelift.render.rooms.shell import RoomPlan, build_shell, neighbour, portals
from scenelift.render.scene import Node, Scene


def plan_of(kind: str, seed: int) -> RoomPlan:
    rng = np.random.default_rng([seed, 7])
    outline = sample_outline(kind, rng=rng)
    return RoomPlan(
        kind=kind,
        outline_xz=outline,
        height_m=2.6,
        openings=sample_openings(outline, kind=kind, height_m=2.6, rng=rng),
        walls=wall_lines(outline),
    )


def shell_of(plan: RoomPlan, seed: int = 0) -> list[Node]:
    rng = np.random.default_rng(seed)
    surfaces = sample_surfaces(plan, palette=make_palette(rng), rng=rng)
    return [
        *build_shell(plan, surfaces=surfaces, rng=rng, room=0, prefix="shell"),
        *neighbour(plan, surfaces=surfaces, room=None, prefix="beyond"),
    ]


@pytest.mark.parametrize("kind", ROOM_KINDS)
def test_no_ray_from_inside_leaves_but_through_a_window(kind: str) -> None:
    for seed in range(3):
        plan = plan_of(kind, seed)
        nodes = shell_of(plan)
        rng = np.random.default_rng(seed)
        directions = rng.normal(size=(4000, 3))
        middle = plan.walls[0].start_xz + 0.5 * plan.walls[0].length_m * plan.walls[0].along_xz
        eye = middle + 0.3 * plan.walls[0].inward_xz
        origins = np.tile((eye[0], 1.3, eye[1]), (4000, 1))
        with prepare(Scene(name="shell", nodes=tuple(nodes)), engine="embree") as engine:
            distance, instance = engine.first_hits(origins, directions)
        assert np.isfinite(distance).all()
        assert (instance > 0).all()


@pytest.mark.parametrize("seed", range(12))
def test_openings_lie_in_their_walls_apart_from_each_other(seed: int) -> None:
    plan = plan_of(ROOM_KINDS[seed % len(ROOM_KINDS)], seed)
    for i, hole in enumerate(plan.openings):
        assert 0.05 < hole.x0_m < hole.x1_m < plan.walls[hole.wall].length_m - 0.05
        assert 0 <= hole.y0_m < hole.y1_m < plan.height_m
        for other in plan.openings[i + 1 :]:
            assert other.wall != hole.wall or (hole.x1_m < other.x0_m or other.x1_m < hole.x0_m)


@pytest.mark.parametrize("seed", range(4))
def test_walls_have_the_area_of_their_outline_less_the_holes(seed: int) -> None:
    plan = plan_of(ROOM_KINDS[seed % len(ROOM_KINDS)], seed)
    nodes = shell_of(plan)
    for index, wall in enumerate(plan.walls):
        node = next(n for n in nodes if n.name == f"shell/wall-{index}")
        corners = node.mesh.vertices[node.mesh.faces]
        flat = corners[np.abs(corners[..., 2]).max(axis=1) < 1e-9]
        normal = np.cross(flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0])
        holes = sum(o.width_m * (o.y1_m - o.y0_m) for o in plan.openings if o.wall == index)
        area = 0.5 * np.linalg.norm(normal, axis=1).sum()
        assert area == pytest.approx(wall.length_m * plan.height_m - holes, rel=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_portals_fill_the_windows_and_face_inwards(seed: int) -> None:
    plan = plan_of(ROOM_KINDS[seed % len(ROOM_KINDS)], seed)
    windows = [hole for hole in plan.openings if hole.kind == "window"]
    rectangles = portals(plan)
    assert len(rectangles) == len(windows)
    for corners, hole in zip(rectangles, windows, strict=True):
        normal = np.cross(corners[1] - corners[0], corners[3] - corners[0])
        inward = plan.walls[hole.wall].inward_xz
        assert normal[[0, 2]] @ inward == pytest.approx(np.linalg.norm(normal))
        assert np.linalg.norm(normal) == pytest.approx(hole.width_m * (hole.y1_m - hole.y0_m))
