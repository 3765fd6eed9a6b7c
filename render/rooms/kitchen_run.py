"""Line up kitchen units along one wall or two, contiguous, with cabinets and a hood above."""

from dataclasses import replace

import numpy as np

from scenelift.render.rooms.arrange import Decor, wall_pose, zone_before
from scenelift.render.rooms.outline import WallLine
from scenelift.render.rooms.place import Layout, Placed
from scenelift.render.scene import Furniture

JOINT_M = 0.002
"""Between units; seen as the line that it is."""
WORKTOP_M = 0.9


def place_kitchen(decor: Decor, *, number: int) -> list[Placed]:
    """Place units along the longest free stretch of wall, and round a corner if the room is large.

    Returns:
        The base units, for things to be put on.
    """
    layout, rng = decor.layout, decor.rng
    stretches = sorted(
        (stretch for i, wall in enumerate(layout.plan.walls) for stretch in _stretches(layout, i)),
        key=lambda s: s[1] - s[2],
    )
    if not stretches or stretches[0][2] - stretches[0][1] < 1.2:
        return []
    bases: list[Placed] = []
    for index, low, high in stretches[:3]:
        wanted = _sequence(decor, length_m=min(high - low, float(rng.uniform(2.4, 4.6))))
        bases = _fill(decor, layout.plan.walls[index], low, high, wanted, number=number)
        if len(bases) >= 2:
            break
    else:
        return bases
    around = [s for s in stretches[1:] if s[2] - s[1] > 1.0 and _adjoins(layout, index, s[0])]
    if around and rng.random() < 0.45:
        other, low, high = around[0]
        if _starts_at_corner(layout, index, other):
            low = max(low, 0.66)
        else:
            high = min(high, layout.plan.walls[other].length_m - 0.66)
        more = ["kitchen base"] * int((high - low) / 0.6)
        bases += _fill(decor, layout.plan.walls[other], low, high, more[:3], number=number)
    return bases


def _stretches(layout: Layout, index: int) -> list[tuple[int, float, float]]:
    """Return (wall, from, to) between doors and low windows of one wall."""
    wall = layout.plan.walls[index]
    cuts = [
        (hole.x0_m - 0.12, hole.x1_m + 0.12)
        for hole in layout.plan.openings
        if hole.wall == index and hole.y0_m < WORKTOP_M + 0.04
    ]
    edges = [0.0, *(x for cut in sorted(cuts) for x in cut), wall.length_m]
    return [
        (index, edges[k] + 0.01, edges[k + 1] - 0.01)
        for k in range(0, len(edges), 2)
        if edges[k + 1] - edges[k] > 0.6
    ]


def _adjoins(layout: Layout, first: int, second: int) -> bool:
    walls = layout.plan.walls
    square = abs(float(walls[first].along_xz @ walls[second].along_xz)) < 0.01
    return square and (second - first) % len(walls) in (1, len(walls) - 1)


def _starts_at_corner(layout: Layout, first: int, second: int) -> bool:
    """Whether x = 0 of the second wall is where the two meet (wall frames run against the outline)."""
    return (second - first) % len(layout.plan.walls) == len(layout.plan.walls) - 1


def _sequence(decor: Decor, *, length_m: float) -> list[str]:
    """Order the units: the refrigerator at an end, sink and stove apart, base units between."""
    rng = decor.rng
    middle = ["kitchen base", "kitchen sink", "kitchen base", "stove", "kitchen base"]
    if rng.random() < 0.6:
        middle.insert(int(rng.integers(1, 3)), "dishwasher")
    if rng.random() < 0.25:
        middle.insert(0, "washing machine")
    if length_m < 2.6:
        middle = ["kitchen base", "kitchen sink", "stove"]
    while len(middle) * 0.6 < length_m - 0.7:
        middle.append("kitchen base")
    if rng.random() < 0.5:
        middle.reverse()
    order = ["refrigerator", *middle]
    return order if rng.random() < 0.5 else order[::-1]


def _fill(
    decor: Decor, wall: WallLine, low: float, high: float, kinds: list[str], *, number: int
) -> list[Placed]:
    layout = decor.layout
    bases: list[Placed] = []
    at = low
    for kind in kinds:
        unit = decor.make(kind) if kind in decor.source.kinds else None
        if unit is None:
            continue
        width = float(unit.size_m[0])
        while at + width <= high and not _put_unit(decor, wall, unit, at_m=at, number=number):
            at += 0.15
        if at + width <= high:
            bases.append(layout.placed[-1])
            at += width + JOINT_M
    _fill_above(decor, wall, bases, number=number)
    return bases


def _put_unit(decor: Decor, wall: WallLine, unit: Furniture, *, at_m: float, number: int) -> bool:
    """Stand a unit at the wall, its left or right side at a place along it, and keep free what is before it."""
    layout = decor.layout
    width, _, depth = (float(s) for s in unit.size_m)
    pose = wall_pose(wall, at_m + width / 2, depth / 2 + layout.wall_gap_m)
    if not layout.exact and layout.pressed(unit, pose) is None:
        return False
    zone = zone_before(unit, pose, width_m=width, depth_m=0.75, number=number)
    if not (
        layout.zone_is_free(zone)
        and layout.fits(unit, pose, group=number, margin_m=0.0)
        and layout.put(unit, pose, group=number)
    ):
        return False
    layout.zones.append(zone)
    return True


def _fill_above(decor: Decor, wall: WallLine, bases: list[Placed], *, number: int) -> None:
    """Hang a cabinet over each low unit that has free wall above, and the hood over the stove."""
    if "wall cabinet" not in decor.source.kinds or decor.rng.random() < 0.12:
        return
    low = float(decor.rng.uniform(1.38, 1.5))
    shelf_like = decor.make("wall cabinet")
    hood = decor.make("hood") if "hood" in decor.source.kinds else None
    for base in bases:
        if base.high_y_m > 1.2:
            continue
        offset = np.array([base.pose.x_m, base.pose.z_m]) - wall.start_xz
        along = float(offset @ wall.along_xz)
        width = float(base.furniture.size_m[0])
        stove = base.furniture.kind == "stove"
        if stove and hood is not None:
            upper, y = hood, low + 0.15
        elif stove or shelf_like is None:
            continue
        else:
            upper, y = widened(shelf_like, width_m=width), low
        _hang(decor, wall, upper, along_m=along, y_m=y, number=number)


def _hang(
    decor: Decor, wall: WallLine, thing: Furniture, *, along_m: float, y_m: float, number: int
) -> bool:
    layout = decor.layout
    y_m = min(y_m, layout.plan.height_m - float(thing.size_m[1]) - 0.01)
    pose = wall_pose(wall, along_m, float(thing.size_m[2]) / 2 + 0.001, y_m=y_m)
    fitted = pose if layout.exact else layout.pressed(thing, pose)
    if fitted is None or not layout.fits(thing, fitted, group=number, margin_m=0.0, keep_way=False):
        return False
    return layout.put(thing, fitted, group=number)


def widened(furniture: Furniture, *, width_m: float) -> Furniture:
    """Return a thing stretched along its width; meant for small changes of cabinets and curtains."""
    mesh = furniture.mesh
    scale = np.array([width_m / float(furniture.size_m[0]), 1.0, 1.0])
    return replace(furniture, mesh=replace(mesh, vertices=mesh.vertices * scale))
