"""Where one may stand: rooms found in the geometry of floors, walls and ceilings.

The plan of each storey is drawn on a grid: cells with floor, less cells with what stands in the way at the height of a
person: walls, doors, windows, and whatever else reaches from the knee to above the head, such as built-in cupboards.
What hangs together, is wide enough to stand in, and has walls around most of it is a room; its contour is the outline,
which so keeps a cell's distance from the walls' surfaces.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.scene import Node, Room

CELL_M = 0.02
MAX_CELLS = 2048
"""Along the longer side of the grid; larger plans get larger cells."""
MIN_AREA_M2 = 1.5
MIN_RADIUS_M = 0.4
"""A room holds a disc of this radius: the strip of a floor that shows outside the walls does not."""
MIN_ENCLOSED = 0.7
"""Share of a room's border that has a wall above the height of `WALL_TOP_M`; a larger room without walls needs to be the only one."""
WALL_TOP_M = 1.5
NICHE_M = 0.3
"""Narrower bays are left out of the outline."""
FLAT_M = 0.03
"""Floors that differ less in height are one floor."""
STOREY_M = 1.6

FLOOR, WALL, CEILING, DOOR, WINDOW = (
    nyu40_id(name) for name in ("floor", "wall", "ceiling", "door", "window")
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Surfaces:
    """World triangles that make up rooms."""

    floors: Float[np.ndarray, "a 3 3"]
    walls: Float[np.ndarray, "b 3 3"]
    """Upright faces of the building and of tall furniture."""
    ceilings: Float[np.ndarray, "c 3 3"]
    tops: Float[np.ndarray, "d 3 3"]
    """Level faces of tall furniture, which nobody stands under."""


def surfaces_of(nodes: Sequence[Node]) -> Surfaces:
    """Collect the level triangles of floors and ceilings and the upright ones of walls, doors and windows.

    Level triangles of walls count as floor in the lowest tenth of the scene and as ceiling in the highest, if nothing is
    named so: some sources make a room in one piece.
    """
    points = {semantic: _triangles(nodes, (semantic,)) for semantic in (FLOOR, WALL, CEILING)}
    tall = [
        node for node in nodes if node.semantic not in (WALL, FLOOR, CEILING) and _is_tall(node)
    ]
    barriers = np.concatenate((points[WALL], _triangles(tall, None)))
    floors, ceilings = _level(points[FLOOR]), _level(points[CEILING])
    level = _level(points[WALL])
    if len(points[WALL]):
        height = points[WALL][..., 1]
        low, high = float(height.min()), float(height.max())
        middle = level[..., 1].mean(axis=1)
        if not len(floors):
            floors = level[middle < low + 0.1 * (high - low)]
        if not len(ceilings):
            ceilings = level[middle > high - 0.1 * (high - low)]
    return Surfaces(
        floors=floors,
        walls=_upright(barriers),
        ceilings=ceilings,
        tops=_level(
            _triangles([node for node in tall if node.semantic not in (DOOR, WINDOW)], None)
        ),
    )


def world_points(node: Node) -> Float[np.ndarray, "v 3"]:
    """Return a node's vertices in the world."""
    return np.asarray(
        node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
    )


def _triangles(
    nodes: Sequence[Node], semantics: tuple[int, ...] | None
) -> Float[np.ndarray, "f 3 3"]:
    parts = [np.zeros((0, 3, 3))]
    parts.extend(
        world_points(node)[node.mesh.faces]
        for node in nodes
        if semantics is None or node.semantic in semantics
    )
    return np.concatenate(parts)


def _is_tall(node: Node) -> bool:
    """Tell whether an object is a door, a window, or reaches over most of a person's height."""
    if node.semantic in (DOOR, WINDOW):
        return True
    height = world_points(node)[:, 1]
    return bool(len(height)) and float(np.ptp(height)) > WALL_TOP_M


def _normals(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3"]:
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.asarray(normal / np.where(length > 0, length, 1.0))


def _level(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "g 3 3"]:
    return np.asarray(triangles[np.abs(_normals(triangles)[:, 1]) > 0.95])


def _upright(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "g 3 3"]:
    return np.asarray(triangles[np.abs(_normals(triangles)[:, 1]) < 0.5])


def _areas(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, " f"]:
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return np.asarray(np.linalg.norm(np.cross(first, second), axis=1) / 2)


def find_rooms(
    nodes: Sequence[Node], *, kind: str = "", surfaces: Surfaces | None = None
) -> tuple[Room, ...]:
    """Find the rooms of a scene, the largest first, storey by storey from below.

    Args:
        nodes: Of the scene, with NYU40 classes.
        kind: Of the rooms, if the source says it.
        surfaces: As `surfaces_of(nodes)` gives them, if known already.

    Returns:
        Rooms; none if the scene has no floor.
    """
    surfaces = surfaces or surfaces_of(nodes)
    rooms: list[Room] = []
    for height in _storeys(surfaces.floors):
        found = _rooms_of_storey(surfaces, height)
        found.sort(key=lambda item: -item[0])
        for _, outline, ceiling in found:
            rooms.append(
                Room(
                    name=f"room_{len(rooms)}",
                    kind=kind,
                    outline_xz=outline,
                    floor_y_m=height,
                    ceiling_y_m=ceiling,
                )
            )
    return tuple(rooms)


def _storeys(floors: Float[np.ndarray, "f 3 3"]) -> list[float]:
    """Heights at which most floor lies, at least `STOREY_M` apart, from below."""
    if not len(floors):
        return []
    height, area = floors[..., 1].mean(axis=1), _areas(floors)
    order = np.argsort(height)
    height, area = height[order], area[order]
    starts = np.flatnonzero(np.concatenate(([True], np.diff(height) > FLAT_M)))
    sums = np.add.reduceat(area, starts)
    tops = np.concatenate((starts[1:], [len(height)])) - 1
    levels = [
        (float(sums[i]), float(height[starts[i] : tops[i] + 1].max())) for i in range(len(starts))
    ]
    chosen: list[float] = []
    for size, level in sorted(levels, reverse=True):
        if size >= MIN_AREA_M2 and all(abs(level - other) >= STOREY_M for other in chosen):
            tops_near = [
                other for part, other in levels if abs(other - level) < 0.6 and part > size / 2
            ]
            chosen.append(max(tops_near))
    return sorted(chosen)


def _rooms_of_storey(
    surfaces: Surfaces, height: float
) -> list[tuple[float, Float[np.ndarray, "n 2"], float]]:
    """Find area, outline and ceiling of each room on one storey."""
    floor_heights = surfaces.floors[..., 1].mean(axis=1)
    own = surfaces.floors[np.abs(floor_heights - height) <= 2 * FLAT_M]
    if not len(own):
        return []
    raised = surfaces.floors[
        (floor_heights > height + 2 * FLAT_M) & (floor_heights < height + STOREY_M)
    ]
    grid = _Grid.around(own[..., [0, 2]].reshape(-1, 2))
    bottom, top = surfaces.walls[..., 1].min(axis=1), surfaces.walls[..., 1].max(axis=1)
    walls = surfaces.walls[(bottom < height + 1.9) & (top > height + 0.3)]
    high = grid.drawn(surfaces.walls[(bottom < height + 1.9) & (top > height + WALL_TOP_M)])
    over = surfaces.tops[..., 1].min(axis=1) - height
    tops = surfaces.tops[(over > 0.3) & (over < 3.0)]
    blocked = grid.drawn(raised) | grid.drawn(walls) | grid.drawn(tops)
    free = (grid.drawn(own) & ~blocked).astype(np.uint8)
    niche = np.ones((max(1, round(NICHE_M / grid.cell_m)),) * 2, np.uint8)
    free = cv2.morphologyEx(np.pad(free, 1), cv2.MORPH_OPEN, niche)[1:-1, 1:-1]
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        free, connectivity=4, ltype=cv2.CV_32S
    )
    above = surfaces.ceilings[surfaces.ceilings[..., 1].min(axis=1) > height + 1.0]
    otherwise = float(walls[..., 1].max(initial=height + 2.0))
    found = []
    for label in range(1, count):
        area = float(stats[label, cv2.CC_STAT_AREA]) * grid.cell_m**2
        if area < MIN_AREA_M2:
            continue
        mask = (labels == label).astype(np.uint8)
        radius = float(cv2.distanceTransform(np.pad(mask, 1), cv2.DIST_L2, 5).max()) * grid.cell_m
        outline = grid.outline(mask) if radius >= MIN_RADIUS_M else None
        if outline is not None:
            ceiling = _ceiling(above, grid=grid, room=mask > 0, otherwise=otherwise)
            found.append((_enclosed(mask, high, grid=grid), area, outline, ceiling))
    least = min(MIN_ENCLOSED, max((share for share, *_ in found), default=0.0))
    return [(area, outline, top) for share, area, outline, top in found if share >= least]


def _enclosed(
    mask: UInt8[np.ndarray, "h w"], walls: Bool[np.ndarray, "h w"], *, grid: "_Grid"
) -> float:
    """Share of a mask's border that has a wall within 0.2 m."""
    reach = 2 * max(1, round(0.2 / grid.cell_m)) + 1
    near = cv2.dilate(walls.astype(np.uint8), np.ones((reach, reach), np.uint8))
    border = mask - cv2.erode(np.pad(mask, 1), np.ones((3, 3), np.uint8))[1:-1, 1:-1]
    return float(near[border > 0].mean())


def _ceiling(
    ceilings: Float[np.ndarray, "c 3 3"],
    *,
    grid: "_Grid",
    room: Bool[np.ndarray, "h w"],
    otherwise: float,
) -> float:
    """Height of the ceiling over most of a room, of several above each other the lowest."""
    height = np.full(room.shape, np.inf, np.float32)
    middles = ceilings[..., 1].mean(axis=1)
    for level in np.unique(middles.round(2))[::-1][-32:]:
        height[grid.drawn(ceilings[middles.round(2) == level])] = level
    over = height[room & np.isfinite(height)]
    return float(np.median(over)) if len(over) else otherwise


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Grid:
    """A plan in cells; row is z, column is x."""

    origin_xz: Float[np.ndarray, "2"]
    cell_m: float
    width: int
    height: int

    @staticmethod
    def around(points_xz: Float[np.ndarray, "n 2"]) -> "_Grid":
        low, high = points_xz.min(axis=0), points_xz.max(axis=0)
        cell = max(CELL_M, float((high - low).max()) / MAX_CELLS)
        width, height = (int(side) + 5 for side in (high - low) / cell)
        return _Grid(origin_xz=low - 2 * cell, cell_m=cell, width=width, height=height)

    def drawn(self, triangles: Float[np.ndarray, "f 3 3"]) -> Bool[np.ndarray, "h w"]:
        """Mark the cells that triangles cover or touch, seen from above."""
        image: UInt8[np.ndarray, "h w"] = np.zeros((self.height, self.width), np.uint8)
        cells = (triangles[..., [0, 2]] - self.origin_xz) / self.cell_m
        shifted = np.clip(cells * 256, -(1 << 24), 1 << 24).round().astype(np.int32)
        for triangle in shifted:
            cv2.fillConvexPoly(image, triangle, 1, lineType=cv2.LINE_4, shift=8)
        return image > 0

    def outline(self, mask: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "n 2"] | None:
        """Trace the outer contour of a mask, counter-clockwise seen from above; None if it is no polygon."""
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        longest = max(contours, key=cv2.contourArea)
        corners = cv2.approxPolyDP(longest, 1.5, True).reshape(-1, 2).astype(np.float64)
        if len(corners) < 3:
            return None
        outline = _squared(corners) * self.cell_m + self.origin_xz
        x, z = outline.T
        if np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z) > 0:
            outline = outline[::-1]
        return np.ascontiguousarray(outline)


def _squared(corners: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    """Make edges that are level or upright within a cell and a half exactly so."""
    corners = corners.copy()
    for index in range(len(corners)):
        after = (index + 1) % len(corners)
        step = np.abs(corners[after] - corners[index])
        for axis in range(2):
            if 0 < step[axis] <= 1.5 and step[1 - axis] > 10:
                corners[[index, after], axis] = corners[[index, after], axis].mean()
    return corners


def room_of(
    point_world: Float[np.ndarray, "3"], *, rooms: Sequence[Room], reach_m: float = 0.75
) -> int | None:
    """Find the room that a point lies in or nearest to.

    Args:
        point_world: Such as the middle of an object.
        rooms: Of the scene.
        reach_m: How far outside an outline a point may lie, since outlines end before the walls.

    Returns:
        Index of the room, None if it lies in none.
    """
    best, nearest = None, reach_m
    for index, room in enumerate(rooms):
        if not room.floor_y_m - 0.5 <= point_world[1] <= room.ceiling_y_m + 0.5:
            continue
        contour = room.outline_xz.astype(np.float32).reshape(-1, 1, 2)
        inside = cv2.pointPolygonTest(
            contour, (float(point_world[0]), float(point_world[2])), measureDist=True
        )
        if -inside < nearest:
            best, nearest = index, -inside
    return best
