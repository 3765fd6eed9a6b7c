"""What encloses a room: floor, ceiling, walls with true holes, skirting and cornice, doors and windows."""

from dataclasses import dataclass
from itertools import pairwise

import mapbox_earcut
import numpy as np
from jaxtyping import Float

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.rooms.drafting import MeshDraft
from scenelift.render.rooms.openings import Joinery, Opening, build_door, build_window
from scenelift.render.rooms.outline import Outline, WallLine, wall_lines
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Mesh, Node


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surfaces:
    """Surfaces of a room's shell."""

    floor: Finish
    ceiling: Finish
    walls: tuple[Finish, ...]
    """One a wall, so that a wall may differ from its neighbours."""
    lower: Finish | None
    """Tiles or panelling below `lower_m`."""
    lower_m: float
    skirting: Finish | None
    skirting_m: tuple[float, float]
    """Height and thickness."""
    cornice_m: tuple[float, float]
    """Height and depth; 0 for none."""
    joinery: Joinery


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class RoomPlan:
    """The bare room: what the shell is built from and furniture is placed in."""

    kind: str
    outline_xz: Outline
    height_m: float
    openings: tuple[Opening, ...]
    walls: tuple[WallLine, ...]


def build_shell(
    plan: RoomPlan, *, surfaces: Surfaces, rng: np.random.Generator, room: int, prefix: str
) -> list[Node]:
    """Make the nodes of floor, ceiling, walls, doors and windows.

    Args:
        plan: Outline and openings.
        surfaces: What everything is made of.
        rng: Decides details of the windows.
        room: Index into the scene's rooms.
        prefix: Starts each node's name.
    """
    nodes: list[Node] = []

    def add(name: str, category: str, mesh: Mesh, pose: Float[np.ndarray, "4 4"]) -> None:
        nodes.append(
            Node(
                name=f"{prefix}/{name}",
                mesh=mesh,
                T_world_object=pose,
                category=category,
                semantic=nyu40_id("otherstructure" if category == "passage" else category),
                room=room,
            )
        )

    here = np.eye(4)
    add("floor", "floor", polygon_mesh(plan.outline_xz, y_m=0.0, finish=surfaces.floor), here)
    add(
        "ceiling",
        "ceiling",
        polygon_mesh(plan.outline_xz, y_m=plan.height_m, finish=surfaces.ceiling),
        here,
    )
    trims = _trim_corners(plan.outline_xz, thick_m=surfaces.skirting_m[1])
    crowns = _trim_corners(plan.outline_xz, thick_m=surfaces.cornice_m[1])
    for index, wall in enumerate(plan.walls):
        holes = tuple(o for o in plan.openings if o.wall == index)
        draft = MeshDraft()
        _panel(draft, wall, plan.height_m, holes, surfaces=surfaces, finish=surfaces.walls[index])
        for hole in holes:
            _reveal(draft, hole, wall=surfaces.walls[index], floor=surfaces.floor)
        if surfaces.skirting is not None:
            _skirting(draft, wall, holes, trims[index], surfaces=surfaces)
        if surfaces.cornice_m[0] > 0:
            _cornice(draft, wall, plan.height_m, crowns[index], surfaces=surfaces)
        add(f"wall-{index}", "wall", draft.mesh(), wall.T_world_wall)
    for index, hole in enumerate(plan.openings):
        pose = plan.walls[hole.wall].T_world_wall
        if hole.kind == "window":
            mesh = build_window(hole, joinery=surfaces.joinery, rng=rng)
        else:
            mesh = build_door(hole, joinery=surfaces.joinery)
        add(f"{hole.kind}-{index}", hole.kind, mesh, pose)
    return nodes


def polygon_mesh(outline_xz: Outline, *, y_m: float, finish: Finish) -> Mesh:
    """Triangulate a floor or ceiling."""
    ends = np.array([len(outline_xz)], dtype=np.uint32)
    flat = mapbox_earcut.triangulate_float64(np.ascontiguousarray(outline_xz), ends)
    faces = np.asarray(flat, dtype=np.int64).reshape(-1, 3)
    vertices = np.insert(outline_xz, 1, y_m, axis=1)
    return Mesh(
        vertices=vertices,
        faces=faces,
        materials=(finish.material,),
        face_materials=np.zeros(len(faces), dtype=np.int64),
        corner_uvs=np.stack([outline_xz[:, 0], -outline_xz[:, 1]], axis=1)[faces] / finish.period_m,
    )


def _rect(
    draft: MeshDraft, x: tuple[float, float], y: tuple[float, float], *, finish: Finish
) -> None:
    corners = np.array([(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])])
    draft.quad(np.insert(corners, 2, 0.0, axis=1), finish=finish, uv_m=corners)


def _panel(
    draft: MeshDraft,
    wall: WallLine,
    height_m: float,
    holes: tuple[Opening, ...],
    *,
    surfaces: Surfaces,
    finish: Finish,
) -> None:
    """Cut the wall along the lines of its holes and keep the cells that are not hole."""
    lower_m = surfaces.lower_m if surfaces.lower is not None else 0.0
    xs = sorted({0.0, wall.length_m, *(o.x0_m for o in holes), *(o.x1_m for o in holes)})
    ys = sorted(
        {0.0, height_m, min(lower_m, height_m), *(o.y0_m for o in holes), *(o.y1_m for o in holes)}
    )
    for x in pairwise(xs):
        for y in pairwise(ys):
            mid = ((x[0] + x[1]) / 2, (y[0] + y[1]) / 2)
            if any(o.x0_m < mid[0] < o.x1_m and o.y0_m < mid[1] < o.y1_m for o in holes):
                continue
            low = surfaces.lower if surfaces.lower is not None and mid[1] < lower_m else finish
            _rect(draft, x, y, finish=low)


def _reveal(draft: MeshDraft, hole: Opening, *, wall: Finish, floor: Finish) -> None:
    """Line a hole through the thickness of its wall."""
    x0, x1, y0, y1, z = hole.x0_m, hole.x1_m, hole.y0_m, hole.y1_m, -hole.depth_m
    sides = [
        ([(x0, y0, z), (x0, y0, 0), (x0, y1, 0), (x0, y1, z)], wall),
        ([(x1, y0, 0), (x1, y0, z), (x1, y1, z), (x1, y1, 0)], wall),
        ([(x0, y1, 0), (x1, y1, 0), (x1, y1, z), (x0, y1, z)], wall),
        ([(x0, y0, z), (x1, y0, z), (x1, y0, 0), (x0, y0, 0)], floor if y0 == 0 else wall),
    ]
    for corners, finish in sides:
        draft.quad(np.array(corners, dtype=float), finish=finish)


def _trim_corners(outline_xz: Outline, *, thick_m: float) -> list[tuple[float, float]]:
    """Return, for each wall, where its trim's front edge begins and ends along the wall, mitred at the corners."""
    walls = wall_lines(outline_xz)
    ends = []
    for i, wall in enumerate(walls):
        after, before = walls[(i + 1) % len(walls)], walls[i - 1]
        ends.append(
            (
                thick_m * _mitre(wall, after, at_start=True),
                wall.length_m + thick_m * _mitre(wall, before, at_start=False),
            )
        )
    return ends


def _mitre(wall: WallLine, other: WallLine, *, at_start: bool) -> float:
    """Return how far along the wall the inner offset corner shifts, for unit thickness."""
    middle = wall.inward_xz + other.inward_xz
    middle = middle / max(float(middle @ wall.inward_xz), 1e-6)
    return float(middle @ wall.along_xz)


def _skirting(
    draft: MeshDraft,
    wall: WallLine,
    holes: tuple[Opening, ...],
    front: tuple[float, float],
    *,
    surfaces: Surfaces,
) -> None:
    high, thick = surfaces.skirting_m
    gaps = sorted((o.x0_m - 0.07, o.x1_m + 0.07) for o in holes if o.y0_m < high)
    stops = [0.0, *(x for gap in gaps for x in gap), wall.length_m]
    for k in range(0, len(stops), 2):
        x0, x1 = stops[k], stops[k + 1]
        if x1 - x0 > 0.01 and surfaces.skirting is not None:
            _moulding(
                draft,
                (x0, x1),
                (front[0] if x0 == 0.0 else x0, front[1] if x1 == wall.length_m else x1),
                low=(0.0, thick),
                high=(high, thick),
                finish=surfaces.skirting,
            )


def _cornice(
    draft: MeshDraft,
    wall: WallLine,
    height_m: float,
    front: tuple[float, float],
    *,
    surfaces: Surfaces,
) -> None:
    """A slanted strip between wall and ceiling."""
    high, deep = surfaces.cornice_m
    corners = np.array(
        [
            (0.0, height_m - high, 0.002),
            (wall.length_m, height_m - high, 0.002),
            (front[1], height_m, deep),
            (front[0], height_m, deep),
        ]
    )
    draft.quad(corners, finish=surfaces.ceiling)


def _moulding(
    draft: MeshDraft,
    back: tuple[float, float],
    front: tuple[float, float],
    *,
    low: tuple[float, float],
    high: tuple[float, float],
    finish: Finish,
) -> None:
    """A board on the wall from `low` to `high` (y, z): its front, its top and its two ends."""
    (y0, z0), (y1, z1) = low, high
    f0, f1, b0, b1 = front[0], front[1], back[0], back[1]
    draft.quad(np.array([(f0, y0, z0), (f1, y0, z0), (f1, y1, z1), (f0, y1, z1)]), finish=finish)
    draft.quad(np.array([(f0, y1, z1), (f1, y1, z1), (b1, y1, 0), (b0, y1, 0)]), finish=finish)
    for b, f in ((b0, f0), (b1, f1)):
        draft.quad(np.array([(b, y0, 0), (f, y0, z0), (f, y1, z1), (b, y1, 0)]), finish=finish)


def neighbour(plan: RoomPlan, *, surfaces: Surfaces, room: int | None, prefix: str) -> list[Node]:
    """Make the piece of corridor that one sees through each open door or passage of a room."""
    nodes: list[Node] = []
    for index, hole in enumerate(plan.openings):
        if not hole.leads_on:
            continue
        wall = plan.walls[hole.wall]
        (side, deep), high = hole.beyond_m, max(hole.y1_m + 0.25, 2.4)
        x0, x1, z1 = hole.x0_m - side, hole.x1_m + side, -hole.depth_m
        z0 = z1 - deep
        parts: dict[str, list[list[tuple[float, float, float]]]] = {
            "floor": [[(x0, 0, z1), (x1, 0, z1), (x1, 0, z0), (x0, 0, z0)]],
            "ceiling": [[(x0, high, z1), (x1, high, z1), (x1, high, z0), (x0, high, z0)]],
            "wall": [
                [(x0, 0, z0), (x1, 0, z0), (x1, high, z0), (x0, high, z0)],
                [(x0, 0, z1), (x0, 0, z0), (x0, high, z0), (x0, high, z1)],
                [(x1, 0, z0), (x1, 0, z1), (x1, high, z1), (x1, high, z0)],
                [(x0, 0, z1), (hole.x0_m, 0, z1), (hole.x0_m, high, z1), (x0, high, z1)],
                [(hole.x1_m, 0, z1), (x1, 0, z1), (x1, high, z1), (hole.x1_m, high, z1)],
                [
                    (hole.x0_m, hole.y1_m, z1),
                    (hole.x1_m, hole.y1_m, z1),
                    (hole.x1_m, high, z1),
                    (hole.x0_m, high, z1),
                ],
            ],
        }
        finishes = {"floor": surfaces.floor, "ceiling": surfaces.ceiling, "wall": surfaces.walls[0]}
        for name, quads in parts.items():
            draft = MeshDraft()
            for quad in quads:
                draft.quad(np.array(quad, dtype=float), finish=finishes[name])
            nodes.append(
                Node(
                    name=f"{prefix}/corridor-{index}-{name}",
                    mesh=draft.mesh(),
                    T_world_object=wall.T_world_wall,
                    category=name,
                    semantic=nyu40_id(name),
                    room=room,
                )
            )
    return nodes


def portals(plan: RoomPlan) -> Float[np.ndarray, "p 4 3"]:
    """Return the window holes as rectangles whose corners run counter-clockwise seen from inside."""
    rectangles = []
    for hole in plan.openings:
        if hole.kind != "window":
            continue
        pose = plan.walls[hole.wall].T_world_wall
        z = -hole.depth_m
        corners = np.array(
            [
                (hole.x0_m, hole.y0_m, z),
                (hole.x1_m, hole.y0_m, z),
                (hole.x1_m, hole.y1_m, z),
                (hole.x0_m, hole.y1_m, z),
            ]
        )
        rectangles.append(corners @ pose[:3, :3].T + pose[:3, 3])
    return np.array(rectangles).reshape(-1, 4, 3)
