"""Place groups of furniture by their tables."""

import math
from dataclasses import dataclass, replace

import numpy as np

from scenelift.render.furniture.builders import Palette
from scenelift.render.rooms.contact import REST_GAP_M
from scenelift.render.rooms.footprints import rectangle
from scenelift.render.rooms.groups import Group, Part
from scenelift.render.rooms.lights import shining
from scenelift.render.rooms.outline import WallLine
from scenelift.render.rooms.place import FLUSH_M, Layout, Placed, Pose, Zone
from scenelift.render.rooms.source import FurnitureSource
from scenelift.render.scene import Furniture

TRIES = 36
"""Poses tried for a group's main object."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Decor:
    """What every placing function needs."""

    layout: Layout
    source: FurnitureSource
    palette: Palette
    rng: np.random.Generator
    lamps_on: bool = True
    hang_lamps: bool = True
    """Whether lamps shall hang from the ceiling."""
    curtains: bool = True
    """Whether there is space for curtains before the sills."""
    sills: tuple[Placed, ...] = ()
    """Windows whose sills may carry things."""

    def choose(self, kinds: tuple[str, ...]) -> str | None:
        """Draw one of the kinds that the source offers."""
        offered = [kind for kind in kinds if kind in self.source.kinds]
        return offered[int(self.rng.integers(len(offered)))] if offered else None

    def make(self, kind: str) -> Furniture | None:
        """Get an object of a kind, or None if the source fails to; a lamp burns or not."""
        thing = self.source.make(kind, rng=self.rng, palette=self.palette)
        if thing is None:
            return None
        burns = self.lamps_on and (thing.mount == "ceiling" or self.rng.random() < 0.8)
        return thing if burns else shining(thing, factor=0.0)


@dataclass(kw_only=True, slots=True, eq=False)
class _Standing:
    """A group's main object in its place, and how far its neighbours reach."""

    number: int
    main: Furniture
    pose: Pose
    left_m: float
    right_m: float
    rug_centre: Pose | None = None


def place_group(decor: Decor, group: Group, *, number: int, facing: Pose | None) -> Pose | None:
    """Place one group.

    Args:
        decor: Room, source, colours.
        group: What to place.
        number: Its number, of its own.
        facing: What groups with the anchor "facing" look at.

    Returns:
        The main object's pose, or None if it found no place.
    """
    for _ in range(group.models):
        kind = decor.choose(group.main)
        if kind is None:
            return None
        main = decor.make(kind)
        if main is None:
            continue
        pose = _place_main(decor, group, main, number=number, facing=facing)
        if pose is not None:
            return pose
    return None


def _place_main(
    decor: Decor, group: Group, main: Furniture, *, number: int, facing: Pose | None
) -> Pose | None:
    before = len(decor.layout.placed)
    for pose in _candidates(decor, group, main, facing=facing):
        if group.anchor == "hung":
            if _try_put(decor, main, pose, number=number, hung=True):
                return pose
            continue
        zones = _zones(group, main, pose, number=number)
        if not all(decor.layout.zone_is_free(zone) for zone in zones):
            continue
        rug = _rug_below(decor, group, main, pose, number=number)
        if not _try_put(decor, main, pose, number=number):
            decor.layout.take_back(before)
            continue
        standing = _Standing(
            number=number,
            main=main,
            pose=pose,
            left_m=float(main.size_m[0]) / 2,
            right_m=float(main.size_m[0]) / 2,
        )
        decor.layout.zones.extend(zones)
        if _place_parts(decor, group, standing, has_rug=rug):
            return pose
        decor.layout.take_back(before)
        for zone in zones:
            decor.layout.zones.remove(zone)
    return None


def _try_put(
    decor: Decor,
    furniture: Furniture,
    pose: Pose,
    *,
    number: int,
    hung: bool = False,
    share_boxes: bool = False,
    margin_m: float = 0.005,
) -> bool:
    layout = decor.layout
    if not hung:
        base = layout.base_y_m(layout.corners(furniture, pose))
        if base is None:
            return False
        pose = replace(pose, y_m=base)
        if base > REST_GAP_M:
            pose = layout.settled(furniture, pose)
    elif not layout.exact:
        moved = layout.pressed(furniture, pose)
        if moved is None:
            return False
        pose = moved
    margin = 0.0 if hung else margin_m
    in_way = not hung or float(furniture.size_m[2]) >= FLUSH_M
    if not layout.fits(
        furniture, pose, group=number, margin_m=margin, share_boxes=share_boxes, keep_way=in_way
    ):
        return False
    return layout.put(furniture, pose, group=number)


def _zones(group: Group, main: Furniture, pose: Pose, *, number: int) -> list[Zone]:
    width = float(main.size_m[0])
    zones = []
    if group.front_m > 0:
        zones.append(
            zone_before(main, pose, width_m=0.8 * width, depth_m=group.front_m, number=number)
        )
    return zones


def zone_before(
    thing: Furniture, pose: Pose, *, width_m: float, depth_m: float, number: int
) -> Zone:
    """Return the zone before a thing where a person stands to use it."""
    middle = pose.ahead(0.0, float(thing.size_m[2]) / 2 + depth_m / 2)
    corners = rectangle(
        centre_xz=(middle.x_m, middle.z_m), width_m=width_m, depth_m=depth_m, yaw_rad=pose.yaw_rad
    )
    return Zone(corners_xz=corners, low_y_m=0.06, high_y_m=1.8, group=number, for_rugs=False)


def _candidates(decor: Decor, group: Group, main: Furniture, *, facing: Pose | None) -> list[Pose]:
    layout, rng = decor.layout, decor.rng
    size = main.size_m
    width, depth = float(size[0]), float(size[2])
    if group.anchor in ("wall", "corner"):
        return _along_walls(decor, group, width=width, depth=depth)
    if group.anchor == "hung":
        return _on_walls(decor, group, main)
    if group.anchor == "facing" and facing is not None:
        return _facing(decor, facing, depth=depth) + _along_walls(
            decor, replace(group, anchor="wall"), width=width, depth=depth
        )
    if group.anchor == "facing":
        return _along_walls(decor, replace(group, anchor="wall"), width=width, depth=depth)
    outline = layout.plan.outline_xz
    low, high = outline.min(axis=0), outline.max(axis=0)
    main_wall = max(layout.plan.walls, key=lambda wall: wall.length_m)
    poses = []
    for k in range(TRIES):
        turn = main_wall.yaw_rad + math.pi / 2 * int(rng.integers(4))
        if group.anchor == "middle":
            spread = 0.05 + 0.35 * k / TRIES
            spot = (low + high) / 2 + rng.normal(0.0, spread, 2) * (high - low) / 2
        else:
            spot = rng.uniform(low, high)
        poses.append(Pose(x_m=float(spot[0]), z_m=float(spot[1]), yaw_rad=turn))
    return poses


def wall_pose(wall: WallLine, along_m: float, out_m: float, *, y_m: float = REST_GAP_M) -> Pose:
    """Return the pose of a thing whose centre is at a place along a wall and off it, its back to the wall."""
    spot = wall.start_xz + along_m * wall.along_xz + out_m * wall.inward_xz
    return Pose(x_m=float(spot[0]), z_m=float(spot[1]), yaw_rad=wall.yaw_rad, y_m=y_m)


def _along_walls(decor: Decor, group: Group, *, width: float, depth: float) -> list[Pose]:
    """Return places with the back to a wall: the longer the wall, the more; corners or middles first if wanted."""
    layout, rng = decor.layout, decor.rng
    walls = [wall for wall in layout.plan.walls if wall.length_m > width + 2 * layout.wall_gap_m]
    if not walls:
        return []
    lengths = np.array([wall.length_m for wall in walls])
    poses = []
    for _ in range(TRIES):
        wall = walls[int(rng.choice(len(walls), p=lengths / lengths.sum()))]
        gap = layout.wall_gap_m + float(rng.uniform(0.0, 0.04))
        low, high = width / 2 + gap, wall.length_m - width / 2 - gap
        if low > high:
            low = high = wall.length_m / 2
        if rng.random() < group.centred:
            along = wall.length_m / 2
        elif group.anchor == "corner" and rng.random() < 0.8:
            along = low if rng.random() < 0.5 else high
        else:
            along = float(rng.uniform(low, high))
        out = depth / 2 + layout.wall_gap_m + float(rng.uniform(0.0, group.off_wall_m))
        poses.append(wall_pose(wall, along, out))
    return poses


def _on_walls(decor: Decor, group: Group, main: Furniture) -> list[Pose]:
    layout, rng = decor.layout, decor.rng
    width, height, depth = (float(s) for s in main.size_m)
    walls = [wall for wall in layout.plan.walls if wall.length_m > width + 0.1]
    if not walls:
        return []
    lengths = np.array([wall.length_m for wall in walls])
    poses = []
    for _ in range(TRIES):
        wall = walls[int(rng.choice(len(walls), p=lengths / lengths.sum()))]
        along = float(rng.uniform(width / 2 + 0.05, wall.length_m - width / 2 - 0.05))
        if rng.random() < 0.3:
            along = wall.length_m / 2
        middle = float(rng.uniform(*group.height_m))
        poses.append(
            wall_pose(wall, along, depth / 2 + REST_GAP_M, y_m=max(0.3, middle - height / 2))
        )
    return poses


def _facing(decor: Decor, facing: Pose, *, depth: float) -> list[Pose]:
    """Return places before `facing`, looking back at it: first against the wall behind, if that is near enough."""
    layout, rng = decor.layout, decor.rng
    ray = np.array([math.sin(facing.yaw_rad), math.cos(facing.yaw_rad)])
    reach = math.inf
    for wall in layout.plan.walls:
        slope = -float(ray @ wall.inward_xz)
        if slope > 0.9:
            away = wall.inward_xz @ (np.array([facing.x_m, facing.z_m]) - wall.start_xz)
            if away > 0:
                reach = min(reach, float(away) / slope)
    poses = []
    for _ in range(TRIES // 2):
        away = reach - depth / 2 - layout.wall_gap_m - float(rng.uniform(0.0, 0.08))
        if not 1.6 < away < 4.4 or rng.random() < 0.2:
            away = float(rng.uniform(2.0, 3.4))
        aside = float(rng.normal(0.0, 0.25))
        poses.append(facing.ahead(aside, away, turn_rad=math.pi))
    return poses


def _rug_below(decor: Decor, group: Group, main: Furniture, pose: Pose, *, number: int) -> bool:
    """Lay a rug that carries a table with all its chairs, before they come."""
    around = any(part.at == "around" for part in group.parts)
    for part in group.parts:
        if part.at != "rug" or not around or decor.rng.random() >= part.chance:
            continue
        rug = _drawn(decor, part)
        if rug is None:
            continue
        width, _, depth = (float(s) for s in main.size_m)
        rug = resized(rug, width_m=width + 1.5, depth_m=depth + 1.5)
        return _try_put(decor, rug, pose, number=number)
    return False


def _place_parts(decor: Decor, group: Group, standing: _Standing, *, has_rug: bool) -> bool:
    around = any(part.at == "around" for part in group.parts)
    for part in sorted(group.parts, key=lambda part: part.at != "rug"):
        if part.at == "rug" and (around or has_rug):
            continue
        if not part.needed and decor.rng.random() >= part.chance:
            continue
        done = _PLACERS[part.at](decor, part, standing)
        if part.needed and not done:
            return False
    return True


def _drawn(decor: Decor, part: Part) -> Furniture | None:
    kind = decor.choose(part.kinds)
    return None if kind is None else decor.make(kind)


def _gap(decor: Decor, part: Part) -> float:
    return float(decor.rng.uniform(*part.gap_m))


def _place_sides(decor: Decor, part: Part, standing: _Standing) -> bool:
    thing = _drawn(decor, part)
    if thing is None:
        return False
    width, _, depth = (float(s) for s in thing.size_m)
    wanted = int(decor.rng.integers(part.count[0], part.count[1] + 1))
    signs = [-1, 1] if decor.rng.random() < 0.5 else [1, -1]
    done = 0
    back = -float(standing.main.size_m[2]) / 2
    for sign in signs:
        if done == wanted:
            break
        reach = standing.right_m if sign > 0 else standing.left_m
        gap = _gap(decor, part)
        pose = standing.pose.ahead(
            sign * (reach + gap + width / 2),
            back + depth / 2,
            turn_rad=float(decor.rng.uniform(-part.turn_rad, part.turn_rad)),
        )
        if _try_put(decor, thing, pose, number=standing.number):
            done += 1
            if sign > 0:
                standing.right_m = reach + gap + width
            else:
                standing.left_m = reach + gap + width
    return done > 0


def _place_front(decor: Decor, part: Part, standing: _Standing) -> bool:
    thing = _drawn(decor, part)
    if thing is None:
        return False
    depth = float(thing.size_m[2])
    turn = float(decor.rng.uniform(-part.turn_rad, part.turn_rad))
    if standing.rug_centre is not None and part.at == "front":
        centre = replace(standing.rug_centre, yaw_rad=standing.rug_centre.yaw_rad + turn)
        if _try_put(decor, thing, centre, number=standing.number, share_boxes=True):
            return True
    out = float(standing.main.size_m[2]) / 2 + _gap(decor, part) + depth / 2
    pose = standing.pose.ahead(float(decor.rng.uniform(-0.1, 0.1)), out, turn_rad=turn)
    return _try_put(decor, thing, pose, number=standing.number)


def _place_tucked(decor: Decor, part: Part, standing: _Standing) -> bool:
    thing = _drawn(decor, part)
    if thing is None:
        return False
    depth = float(thing.size_m[2])
    edge = float(standing.main.size_m[2]) / 2 + depth / 2
    for gap in (_gap(decor, part), 0.02, 0.12, 0.25):
        turn = math.pi + float(decor.rng.uniform(-part.turn_rad, part.turn_rad))
        aside = float(decor.rng.uniform(-0.12, 0.12)) * float(standing.main.size_m[0])
        pose = standing.pose.ahead(aside, edge + gap, turn_rad=turn)
        if _try_put(decor, thing, pose, number=standing.number, share_boxes=True):
            return True
    return False


def _place_around(decor: Decor, part: Part, standing: _Standing) -> bool:
    thing = _drawn(decor, part)
    if thing is None:
        return False
    rng = decor.rng
    seats = _seats(standing.main, chair_m=float(thing.size_m[0]))
    most = min(len(seats), part.count[1])
    wanted = most if rng.random() < 0.6 else int(rng.integers(min(part.count[0], most), most + 1))
    done = 0
    tucked = _gap(decor, part)
    for index in rng.permutation(len(seats)):
        if done == wanted:
            break
        x, z, turn = seats[index]
        loose = rng.random() < 0.25
        for gap in (tucked + (float(rng.uniform(0.1, 0.35)) if loose else 0.0), 0.0, 0.1):
            reach = gap + float(thing.size_m[2]) / 2
            pose = standing.pose.ahead(
                x - math.sin(turn) * reach + float(rng.normal(0, 0.015)),
                z - math.cos(turn) * reach,
                turn_rad=turn
                + float(rng.uniform(-part.turn_rad, part.turn_rad)) * (3.0 if loose else 1.0),
            )
            if _try_put(decor, thing, pose, number=standing.number, share_boxes=True, margin_m=0.0):
                done += 1
                break
    return done >= min(2, wanted)


def _seats(table: Furniture, *, chair_m: float) -> list[tuple[float, float, float]]:
    """Return places at a table's rim as (x, z, turn of a chair that looks at the table)."""
    width, _, depth = (float(s) for s in table.size_m)
    step = max(0.58, chair_m + 0.08)
    if "round" in table.kind:
        count = max(2, int(math.pi * (width + 0.2) / (step + 0.12)))
        angles = [2 * math.pi * k / count for k in range(count)]
        return [(math.sin(a) * width / 2, math.cos(a) * depth / 2, a + math.pi) for a in angles]
    seats = []
    for along, across, turns in (
        (width, depth, (math.pi, 0.0)),
        (depth, width, (-math.pi / 2, math.pi / 2)),
    ):
        count = int((along + 0.06) / step)
        for k in range(count):
            offset = (k - (count - 1) / 2) * along / count
            for side, turn in zip((1, -1), turns, strict=True):
                if along == width and turns[0] == math.pi:
                    seats.append((offset, side * across / 2, turn))
                else:
                    seats.append((side * across / 2, offset, turn))
    return seats


def _place_angled(decor: Decor, part: Part, standing: _Standing) -> bool:
    thing = _drawn(decor, part)
    if thing is None:
        return False
    rng = decor.rng
    width, _, depth = (float(s) for s in standing.main.size_m)
    wanted = int(rng.integers(part.count[0], part.count[1] + 1))
    done = 0
    target = np.array([0.0, depth / 2 + 0.75])
    for sign in (-1, 1) if rng.random() < 0.5 else (1, -1):
        if done == wanted:
            break
        for _ in range(4):
            spot = np.array(
                [
                    sign * (width / 2 + rng.uniform(-0.1, 0.6)),
                    depth / 2 + rng.uniform(0.6, 1.3),
                ]
            )
            look = target - spot
            turn = math.atan2(look[0], look[1]) + float(rng.uniform(-part.turn_rad, part.turn_rad))
            pose = standing.pose.ahead(float(spot[0]), float(spot[1]), turn_rad=turn)
            if _try_put(decor, thing, pose, number=standing.number):
                done += 1
                break
    return done > 0


def _place_rug(decor: Decor, part: Part, standing: _Standing) -> bool:
    """Lay a rug before a sofa, or before or beside a bed."""
    rug = _drawn(decor, part)
    if rug is None:
        return False
    rng = decor.rng
    width, _, depth = (float(s) for s in standing.main.size_m)
    if "sofa" in standing.main.kind:
        rug = resized(
            rug,
            width_m=width * float(rng.uniform(0.8, 1.1)),
            depth_m=float(rng.uniform(1.15, 1.7)),
        )
    else:
        rug = resized(
            rug, width_m=float(rng.uniform(1.0, 1.6)), depth_m=float(rng.uniform(0.6, 0.9))
        )
    size = rug.size_m
    spots = [standing.pose.ahead(0.0, depth / 2 + 0.04 + float(size[2]) / 2)]
    if "bed" in standing.main.kind:
        beside = width / 2 + 0.05 + float(size[2]) / 2
        spots += [
            standing.pose.ahead(sign * beside, 0.15, turn_rad=math.pi / 2) for sign in (-1, 1)
        ]
        spots = [spots[i] for i in rng.permutation(3)]
    for pose in spots:
        if _try_put(decor, rug, pose, number=standing.number):
            standing.rug_centre = pose if "sofa" in standing.main.kind else None
            return True
    return False


def _place_above(decor: Decor, part: Part, standing: _Standing) -> bool:
    """Hang things in a row over the main object, on the wall behind it."""
    thing = _drawn(decor, part)
    if thing is None:
        return False
    wall = _wall_behind(decor.layout, standing)
    if wall is None:
        return False
    rng = decor.rng
    width, height = float(thing.size_m[0]), float(thing.size_m[1])
    top = standing.pose.y_m + float(standing.main.size_m[1])
    low = max(top + float(rng.uniform(0.12, 0.35)), float(rng.uniform(1.4, 1.6)) - height / 2)
    if "mirror" in thing.kind:
        low = max(top + 0.05, 1.5 - height / 2)
    spot = np.array([standing.pose.x_m, standing.pose.z_m]) - wall.start_xz
    along = float(spot @ wall.along_xz)
    count = int(rng.integers(part.count[0], part.count[1] + 1))
    spacing = width + float(rng.uniform(0.06, 0.2))
    done = 0
    for k in range(count):
        offset = (k - (count - 1) / 2) * spacing
        another = thing if k == 0 else (_drawn(decor, part) or thing)
        if abs(float(another.size_m[0]) - width) > 0.1:
            another = thing
        at = along + offset
        half = float(another.size_m[0]) / 2
        if not half + 0.02 < at < wall.length_m - half - 0.02:
            continue
        pose = wall_pose(wall, at, float(another.size_m[2]) / 2 + REST_GAP_M, y_m=low)
        done += _try_put(decor, another, pose, number=standing.number, hung=True)
    return done > 0


def _wall_behind(layout: Layout, standing: _Standing) -> WallLine | None:
    """Find the wall at the main object's back, if it is near."""
    depth = float(standing.main.size_m[2])
    spot = np.array([standing.pose.x_m, standing.pose.z_m])
    front = np.array([math.sin(standing.pose.yaw_rad), math.cos(standing.pose.yaw_rad)])
    for wall in layout.plan.walls:
        offset = spot - wall.start_xz
        along = float(offset @ wall.along_xz)
        away = float(offset @ wall.inward_xz) - depth / 2
        if front @ wall.inward_xz > 0.99 and 0 < along < wall.length_m and -0.01 < away < 0.35:
            return wall
    return None


def resized(furniture: Furniture, *, width_m: float, depth_m: float) -> Furniture:
    """Return a flat thing stretched to a width and depth."""
    size = furniture.size_m
    mesh = furniture.mesh
    scale = np.array([width_m / size[0], 1.0, depth_m / size[2]])
    return replace(furniture, mesh=replace(mesh, vertices=mesh.vertices * scale))


_PLACERS = {
    "sides": _place_sides,
    "front": _place_front,
    "foot": _place_front,
    "tucked": _place_tucked,
    "around": _place_around,
    "angled": _place_angled,
    "rug": _place_rug,
    "above": _place_above,
}
