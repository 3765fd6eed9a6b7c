"""Make a furnished room from a seed."""

import numpy as np
from jaxtyping import Float

from scenelift.render.furniture.builders import make_palette
from scenelift.render.rooms.arrange import Decor
from scenelift.render.rooms.contact import world_triangles
from scenelift.render.rooms.decorate import sample_surfaces
from scenelift.render.rooms.furnishing import furnish_room
from scenelift.render.rooms.licences import licences_of
from scenelift.render.rooms.lights import Daylight, sample_daylight
from scenelift.render.rooms.openings import sample_openings
from scenelift.render.rooms.outline import ROOM_KINDS, sample_outline, wall_lines
from scenelift.render.rooms.place import Layout, Placed, Pose, placed_at
from scenelift.render.rooms.shell import RoomPlan, build_shell, neighbour, portals
from scenelift.render.rooms.source import FurnitureSource, ParametricSource
from scenelift.render.scene import Furniture, Light, Node, Room, Scene

_SHARES = {
    "living room": 0.2,
    "bedroom": 0.18,
    "kitchen": 0.13,
    "bathroom": 0.11,
    "dining room": 0.11,
    "office": 0.11,
    "child room": 0.1,
    "hallway": 0.06,
}


def make_room(*, seed: int, index: int, furniture: FurnitureSource | None = None) -> Scene:
    """Make one furnished room; the same arguments give the same bytes.

    Args:
        seed: Of the whole data set, not negative.
        index: Of the room, not negative.
        furniture: Where objects come from; None: the parametric builders.

    Returns:
        A scene in metres with its floor at y = 0 and its middle near the origin.
    """
    rng = np.random.default_rng([seed, index, 0x400])
    kind = sample_kind(rng)
    plan = _sample_plan(kind, rng=rng)
    palette = make_palette(rng)
    surfaces = sample_surfaces(plan, palette=palette, rng=rng)
    nodes = build_shell(plan, surfaces=surfaces, rng=rng, room=0, prefix="shell")
    light = sample_daylight(plan, rng=rng)
    layout = Layout(
        plan=plan,
        shell=[world_triangles(node.mesh, node.T_world_object) for node in nodes],
        wall_gap_m=surfaces.skirting_m[1] + 0.004,
    )
    decor = Decor(
        layout=layout,
        source=furniture or ParametricSource(),
        palette=palette,
        rng=rng,
        lamps_on=light.lamps_on,
        curtains=surfaces.joinery.sill_out_m <= 0.03,
        sills=_sills(plan, nodes),
    )
    furnish_room(decor)
    nodes += neighbour(plan, surfaces=surfaces, room=None, prefix="beyond")
    nodes += [_node(item, number) for number, item in enumerate(layout.placed)]
    return _scene(
        f"room-{index:06d}",
        plan,
        nodes=nodes,
        light=light,
        portals_world=portals(plan),
        licence=licences_of(layout.placed),
    )


def sample_kind(rng: np.random.Generator) -> str:
    """Draw what a room is for."""
    return str(rng.choice(ROOM_KINDS, p=[_SHARES[name] for name in ROOM_KINDS]))


def _sample_plan(kind: str, *, rng: np.random.Generator) -> RoomPlan:
    outline = sample_outline(kind, rng=rng)
    height = float(np.clip(rng.normal(2.62, 0.18), 2.4, 3.2))
    walls = wall_lines(outline)
    openings = sample_openings(outline, kind=kind, height_m=height, rng=rng)
    return RoomPlan(kind=kind, outline_xz=outline, height_m=height, openings=openings, walls=walls)


def _sills(plan: RoomPlan, nodes: list[Node]) -> tuple[Placed, ...]:
    """Return the windows as objects that can carry things."""
    sills = []
    for number, hole in enumerate(plan.openings):
        if hole.kind != "window" or hole.y0_m < 0.3:
            continue
        node = next(node for node in nodes if node.name == f"shell/window-{number}")
        wall = plan.walls[hole.wall]
        pose = Pose(
            x_m=float(wall.start_xz[0]),
            z_m=float(wall.start_xz[1]),
            yaw_rad=wall.yaw_rad,
            y_m=0.0,
        )
        window = Furniture(name="window", kind="window", semantic=node.semantic, mesh=node.mesh)
        sills.append(placed_at(window, pose, group=-1))
    return tuple(sills)


def _node(item: Placed, number: int) -> Node:
    furniture = item.furniture
    return Node(
        name=f"{furniture.kind}-{number:03d}",
        mesh=furniture.mesh,
        T_world_object=item.pose.matrix(),
        category=furniture.kind,
        semantic=furniture.semantic,
        room=0,
    )


def _scene(
    name: str,
    plan: RoomPlan,
    *,
    nodes: list[Node],
    light: Daylight,
    portals_world: Float[np.ndarray, "p 4 3"],
    licence: str,
) -> Scene:
    room = Room(
        name=f"{name}/0",
        kind=plan.kind,
        outline_xz=plan.outline_xz,
        floor_y_m=0.0,
        ceiling_y_m=plan.height_m,
    )
    return Scene(
        name=name,
        nodes=tuple(nodes),
        lights=_lights(plan, nodes, light=light),
        rooms=(room,),
        sky=light.sky,
        portals_world=portals_world if len(portals_world) else None,
        source="rooms",
        licence=licence,
    )


def _lights(plan: RoomPlan, nodes: list[Node], *, light: Daylight) -> tuple[Light, ...]:
    """Return the sun, and a bare bulb for a dark room in which no lamp found a place."""
    lights = [] if light.sun is None else [light.sun]
    burning = any(max(m.emission) > 0 for node in nodes for m in node.mesh.materials)
    if light.lamps_on and not burning:
        x, z = plan.outline_xz.mean(axis=0)
        bulb = Light(
            kind="point",
            intensity=(2.0, 1.7, 1.3),
            position_world=(float(x), plan.height_m - 0.3, float(z)),
            name="bulb",
            room=0,
        )
        lights.append(bulb)
    return tuple(lights)
