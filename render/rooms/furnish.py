"""Furnish an empty layout that someone else modelled, with the code that furnishes our own rooms."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.furniture.builders import make_palette
from scenelift.render.rooms.arrange import Decor
from scenelift.render.rooms.contact import AnyTriangles, Triangles, bounds, world_triangles
from scenelift.render.rooms.footprints import rectangle
from scenelift.render.rooms.furnishing import furnish_room
from scenelift.render.rooms.licences import licences_of
from scenelift.render.rooms.outline import area_m2, inside, wall_lines
from scenelift.render.rooms.place import Layout, Placed, Pose, Zone
from scenelift.render.rooms.shell import RoomPlan
from scenelift.render.rooms.source import FurnitureSource, ParametricSource
from scenelift.render.rooms.tables import ROOMS
from scenelift.render.scene import Furniture, Node, Room, Scene

_STRUCTURE = frozenset(nyu40_id(name) for name in ("wall", "floor", "ceiling"))
_WINDOW, _DOOR, _LAMP = (nyu40_id(name) for name in ("window", "door", "lamp"))
LEAST_AREA_M2 = 2.5
LEAST_HEIGHT_M = 1.9


def furnish(
    scene: Scene, *, rng: np.random.Generator, furniture: FurnitureSource | None = None
) -> Scene:
    """Put furniture into the rooms of a layout.

    Walls, floors and what else the layout holds are taken as they are modelled: nothing is put where the meshes leave
    no room, and nothing where no floor is below.

    Args:
        scene: With rooms; what has none comes back as it is, as do rooms too small or low to stand in.
        rng: Decides everything; the same state gives the same bytes.
        furniture: Where objects come from; None: the parametric builders.
    """
    source = furniture or ParametricSource()
    nodes = list(scene.nodes)
    added: list[Placed] = []
    for index, room in enumerate(scene.rooms):
        if not _usable(room):
            continue
        layout = _layout(scene, room, rng=rng)
        fixed = len(layout.placed)
        lit = any(node.semantic == _LAMP for node in scene.nodes)
        decor = Decor(
            layout=layout,
            source=source,
            palette=make_palette(rng),
            rng=rng,
            lamps_on=not lit or bool(rng.random() < 0.5),
            hang_lamps=not lit,
        )
        furnish_room(decor)
        for number, item in enumerate(layout.placed[fixed:]):
            nodes.append(_node(item, room, index=index, number=number))
        added += layout.placed[fixed:]
    return replace(
        scene,
        nodes=tuple(nodes),
        furnished=True,
        licence=licences_of(added, first=scene.licence),
    )


def _usable(room: Room) -> bool:
    return (
        area_m2(room.outline_xz) > LEAST_AREA_M2
        and room.ceiling_y_m - room.floor_y_m > LEAST_HEIGHT_M
    )


def _node(item: Placed, room: Room, *, index: int, number: int) -> Node:
    pose = item.pose.matrix()
    pose[1, 3] += room.floor_y_m
    return Node(
        name=f"furniture/{index}/{item.furniture.kind}-{number:03d}",
        mesh=item.furniture.mesh,
        T_world_object=pose,
        category=item.furniture.kind,
        semantic=item.furniture.semantic,
        room=index,
    )


def _layout(scene: Scene, room: Room, *, rng: np.random.Generator) -> Layout:
    """Describe a room by its plan, its meshes moved to a floor at y = 0, and the boxes of what it already holds."""
    kinds = tuple(ROOMS)
    kind = room.kind if room.kind in ROOMS else kinds[int(rng.integers(len(kinds)))]
    walls = tuple(line for line in wall_lines(room.outline_xz) if line.length_m > 0.05)
    plan = RoomPlan(
        kind=kind,
        outline_xz=room.outline_xz,
        height_m=room.ceiling_y_m - room.floor_y_m,
        openings=(),
        walls=walls,
    )
    shell: list[AnyTriangles] = []
    held: list[Placed] = []
    zones: list[Zone] = []
    for node in scene.nodes:
        if not len(node.mesh.faces):
            continue
        triangles = world_triangles(node.mesh, node.T_world_object) - (0.0, room.floor_y_m, 0.0)
        shell.append(triangles)
        if node.semantic in (_WINDOW, _DOOR):
            zones.append(_opening_zone(node, triangles))
        elif node.semantic not in _STRUCTURE and _is_here(triangles, room):
            held.append(_held(node, triangles))
    layout = Layout(plan=plan, shell=shell, exact=False, wall_gap_m=0.03)
    layout.zones.extend(zones)
    for item in held:
        layout.take_in(item)
    return layout


def _is_here(triangles: Triangles, room: Room) -> bool:
    box = bounds(triangles)
    middle = (box[0] + box[1]) / 2
    return bool(inside(room.outline_xz, middle[None, [0, 2]])[0])


def _held(node: Node, triangles: Triangles) -> Placed:
    """Return what a layout holds already as an object with an axis-parallel box."""
    box = bounds(triangles)
    middle, size = (box[0] + box[1]) / 2, box[1] - box[0]
    return Placed(
        furniture=Furniture(
            name=node.name, kind=node.category, semantic=node.semantic, mesh=node.mesh
        ),
        pose=Pose(x_m=float(middle[0]), z_m=float(middle[2]), yaw_rad=0.0, y_m=float(box[0, 1])),
        group=-1,
        corners_xz=rectangle(
            centre_xz=(float(middle[0]), float(middle[2])),
            width_m=float(size[0]),
            depth_m=float(size[2]),
        ),
        low_y_m=float(box[0, 1]),
        high_y_m=float(box[1, 1]),
        triangles=triangles,
        bounds=box,
    )


def _opening_zone(node: Node, triangles: Triangles) -> Zone:
    """Keep free what is before a door, or before a window above its sill."""
    box = bounds(triangles)
    deep = 0.8 if node.semantic == _DOOR else 0.25
    low: Float64[np.ndarray, 2] = box[0, [0, 2]]
    high: Float64[np.ndarray, 2] = box[1, [0, 2]]
    thin = int(np.argmin(high - low))
    grow = np.where(np.arange(2) == thin, deep, 0.05)
    middle, size = (low + high) / 2, high - low + 2 * grow
    return Zone(
        corners_xz=rectangle(
            centre_xz=(float(middle[0]), float(middle[1])),
            width_m=float(size[0]),
            depth_m=float(size[1]),
        ),
        low_y_m=float(box[0, 1]) - 0.02,
        high_y_m=float(box[1, 1]) + 0.05,
    )
