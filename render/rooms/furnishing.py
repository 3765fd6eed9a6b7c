"""Furnish one room from its table: fixed things first, then groups, then small things."""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from scenelift.render.rooms.arrange import Decor, place_group
from scenelift.render.rooms.clutter import FLOOR_THINGS, THINGS
from scenelift.render.rooms.footprints import rectangle
from scenelift.render.rooms.kitchen_run import place_kitchen
from scenelift.render.rooms.outline import area_m2, inside
from scenelift.render.rooms.place import Layout, Pose, Zone
from scenelift.render.rooms.small_objects import leave_on_floor, scatter
from scenelift.render.rooms.tables import ROOMS
from scenelift.render.rooms.windows import dress_windows
from scenelift.render.scene import Furniture

ROUND_M2 = 24.0
"""For each so many square metres the table of groups is gone through once more, up to three times."""

_CEILING = {
    "kitchen": ("ceiling lamp", "spots", "spots"),
    "bathroom": ("ceiling lamp", "ceiling lamp", "spots"),
    "hallway": ("ceiling lamp", "ceiling lamp", "spots", "pendant"),
    "": ("ceiling lamp", "ceiling lamp", "pendant", "chandelier", "spots"),
}


def furnish_room(decor: Decor) -> None:
    """Put into a room what its kind asks for, as far as there is space."""
    layout = decor.layout
    layout.zones.extend(opening_zones(layout))
    number = 3
    dress_windows(decor, number=2)
    facing: Pose | None = None
    table: Pose | None = None
    if layout.plan.kind == "kitchen":
        place_kitchen(decor, number=1)
    rounds = 1 + int(area_m2(layout.plan.outline_xz) / ROUND_M2)
    for again in range(min(rounds, 3)):
        for group in ROOMS[layout.plan.kind]:
            if decor.rng.random() >= group.chance * 0.6**again or (again and group.once):
                continue
            for _ in range(int(decor.rng.integers(group.count[0], group.count[1] + 1))):
                pose = place_group(decor, group, number=number, facing=facing)
                number += 1
                if pose is not None and "tv stand" in group.main:
                    facing = pose
                if pose is not None and "dining table" in group.main:
                    table = pose
    if decor.hang_lamps:
        _hang_lamps(decor, table=table)
    put_small_things(decor)
    left = FLOOR_THINGS[layout.plan.kind]
    leave_on_floor(
        decor, left, count=int(decor.rng.integers(0, 3 + 2 * min(rounds, 3))), number=number
    )


def put_small_things(decor: Decor) -> None:
    """Put things on everything that carries some, window sills included."""
    density = float(decor.rng.uniform(0.5, 1.5))
    for host in tuple(decor.layout.placed):
        things = THINGS.get(host.furniture.kind)
        if things is not None:
            scatter(decor, things, host, density=density)
    for sill in decor.sills:
        scatter(decor, THINGS["window"], sill, density=density)


def opening_zones(layout: Layout) -> list[Zone]:
    """Return what must stay free before doors (to the lintel) and windows (above the sill)."""
    zones = []
    for hole in layout.plan.openings:
        wall = layout.plan.walls[hole.wall]
        window = hole.kind == "window"
        tall = not window or hole.y0_m < 0.3
        side, deep = (0.06, 0.3) if window else (0.1, max(0.8, hole.width_m))
        if window and tall:
            deep = 0.5
        along = (hole.x0_m + hole.x1_m) / 2
        middle = wall.start_xz + along * wall.along_xz + deep / 2 * wall.inward_xz
        zones.append(
            Zone(
                corners_xz=rectangle(
                    centre_xz=(float(middle[0]), float(middle[1])),
                    width_m=hole.width_m + 2 * side,
                    depth_m=deep,
                    yaw_rad=wall.yaw_rad,
                ),
                low_y_m=hole.y0_m - 0.02 if window else 0.0,
                high_y_m=hole.y1_m + 0.1,
            )
        )
    return zones


def _hang_lamps(decor: Decor, *, table: Pose | None) -> None:
    """Hang a pendant over the dining table, else a lamp in the room's middle, two in a long room."""
    layout, rng = decor.layout, decor.rng
    outline = layout.plan.outline_xz
    low, high = outline.min(axis=0), outline.max(axis=0)
    size = high - low
    spots = [(low + high) / 2]
    if table is not None and rng.random() < 0.7:
        spots = [np.array([table.x_m, table.z_m])]
    elif size.max() > 1.7 * size.min() or size.max() > 5.2:
        step = np.where(size == size.max(), size / 4, 0.0)
        spots = [spots[0] - step, spots[0] + step]
    over_table = table is not None and len(spots) == 1
    kinds = (
        ("pendant", "pendant", "chandelier")
        if over_table
        else _CEILING.get(layout.plan.kind, _CEILING[""])
    )
    kind = decor.choose(kinds) or decor.choose(("ceiling lamp",))
    if kind is None:
        return
    lamp = decor.make(kind)
    if lamp is not None and layout.plan.height_m - float(lamp.size_m[1]) < (
        1.35 if over_table else 2.02
    ):
        lamp = decor.make(decor.choose(("ceiling lamp",)) or kind)
    if lamp is None:
        return
    hung = sum(_hang(decor, lamp, spot) for spot in spots)
    if not hung:
        plain = decor.make(decor.choose(("ceiling lamp",)) or kind) or lamp
        for spot in rng.uniform(low, high, (12, 2)):
            if _hang(decor, plain, spot):
                return


def _hang(decor: Decor, lamp: Furniture, spot: Float64[np.ndarray, "2"]) -> bool:
    """Hang a lamp from the ceiling over a spot, or over the middle if that is outside the room."""
    layout = decor.layout
    outline = layout.plan.outline_xz
    at = spot if inside(outline, spot[None])[0] else outline.mean(axis=0)
    pose = Pose(
        x_m=float(at[0]),
        z_m=float(at[1]),
        yaw_rad=float(decor.rng.choice([0.0, math.pi / 2])),
        y_m=layout.plan.height_m - float(lamp.size_m[1]) - 0.001,
    )
    fitted = pose if layout.exact else layout.lifted(lamp, pose)
    return (
        fitted is not None
        and layout.fits(lamp, replace(fitted, y_m=fitted.y_m - 0.002), group=0, keep_way=False)
        and layout.put(lamp, fitted, group=0)
    )
