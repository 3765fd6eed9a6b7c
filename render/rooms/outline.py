"""Floor plans: simple polygons in world (x, z), counter-clockwise seen from above, and what one asks of them.

Seen from above, x points right and z points down, so that the shoelace sum over (x, z) is negative.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

Outline = Float[np.ndarray, "n 2"]
Reshaped = Float[np.ndarray, "m 2"]
"""An outline with other corners than the one it was made from."""

SIZES_M: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "living room": ((3.8, 6.6), (3.5, 5.4)),
    "bedroom": ((3.1, 5.0), (2.9, 4.5)),
    "kitchen": ((2.6, 4.8), (2.3, 4.0)),
    "bathroom": ((1.9, 3.4), (1.8, 3.0)),
    "dining room": ((3.1, 5.2), (2.9, 4.4)),
    "office": ((2.7, 4.8), (2.5, 4.2)),
    "child room": ((2.9, 4.6), (2.7, 4.2)),
    "hallway": ((3.2, 7.0), (1.35, 2.3)),
}
"""Length and depth in metres by kind of room: the range of flats and houses in housing surveys and building codes."""

ROOM_KINDS = tuple(SIZES_M)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WallLine:
    """One side of an outline, with the frame in which things hang on it.

    The frame's x runs along the wall, y up, z into the room; a person who faces the wall has x to the left of her
    seen from the room, that is, to the right of the thing that hangs there and looks at her.
    """

    start_xz: Float[np.ndarray, "2"]
    """World (x, z) of x = 0."""
    along_xz: Float[np.ndarray, "2"]
    """Unit vector of x in world (x, z)."""
    inward_xz: Float[np.ndarray, "2"]
    """Unit vector of z in world (x, z)."""
    length_m: float
    floor_y_m: float = 0.0

    @property
    def T_world_wall(self) -> Float[np.ndarray, "4 4"]:
        """Maps wall points to world points."""
        pose = np.eye(4)
        pose[[0, 2], 0] = self.along_xz
        pose[[0, 2], 2] = self.inward_xz
        pose[:3, 3] = (self.start_xz[0], self.floor_y_m, self.start_xz[1])
        return pose

    @property
    def yaw_rad(self) -> float:
        """Turn about y that makes an object's front (+z) look into the room."""
        return math.atan2(self.inward_xz[0], self.inward_xz[1])


def wall_lines(outline_xz: Outline, *, floor_y_m: float = 0.0) -> tuple[WallLine, ...]:
    """Return the sides of an outline in order, the i-th between corners i and i + 1.

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, -2.0], [0.0, -2.0]])
    >>> wall_lines(square)[0].inward_xz.tolist()
    [0.0, -1.0]
    """
    lines = []
    for start, end in zip(outline_xz, np.roll(outline_xz, -1, axis=0), strict=True):
        step = end - start
        length = float(np.hypot(*step))
        along = -step / length
        inward = np.array([-along[1], along[0]])
        lines.append(
            WallLine(
                start_xz=end,
                along_xz=along,
                inward_xz=inward,
                length_m=length,
                floor_y_m=floor_y_m,
            )
        )
    return tuple(lines)


def area_m2(outline_xz: Outline) -> float:
    """Return the area; positive if the corners run counter-clockwise seen from above.

    >>> area_m2(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, -3.0], [0.0, -3.0]]))
    6.0
    """
    x, z = outline_xz.T
    return float(-0.5 * np.sum(x * np.roll(z, -1) - np.roll(x, -1) * z))


def inside(outline_xz: Outline, points_xz: Float[np.ndarray, "p 2"]) -> Bool[np.ndarray, " p"]:
    """Tell which points lie inside an outline (either way round; the border itself may fall either way).

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, -2.0], [0.0, -2.0]])
    >>> inside(square, np.array([[1.0, -1.0], [3.0, -1.0]])).tolist()
    [True, False]
    """
    x, z = points_xz[:, 0, None], points_xz[:, 1, None]
    ax, az = outline_xz.T
    bx, bz = np.roll(outline_xz, -1, axis=0).T
    straddles = (az > z) != (bz > z)
    rise = np.where(bz == az, 1.0, bz - az)
    crosses = straddles & (x < ax + (z - az) * (bx - ax) / rise)
    return np.asarray(crosses.sum(axis=1) % 2 == 1)


def distance_to_walls_m(
    outline_xz: Outline, points_xz: Float[np.ndarray, "p 2"]
) -> Float[np.ndarray, " p"]:
    """Return each point's distance from the nearest side.

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, -2.0], [0.0, -2.0]])
    >>> distance_to_walls_m(square, np.array([[1.0, -0.5]])).tolist()
    [0.5]
    """
    start = outline_xz
    step = np.roll(outline_xz, -1, axis=0) - start
    to_point = points_xz[:, None] - start
    share = np.clip((to_point * step).sum(-1) / np.maximum((step**2).sum(-1), 1e-12), 0.0, 1.0)
    return np.asarray(np.linalg.norm(to_point - share[..., None] * step, axis=-1).min(axis=1))


def overlaps(outline_xz: Outline, corners_xz: Float[np.ndarray, "c 2"]) -> bool:
    """Tell whether a convex region shares some of its area with an outline.

    >>> square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, -2.0], [0.0, -2.0]])
    >>> overlaps(square, square + 1.0), overlaps(square, square + 3.0)
    (True, False)
    """
    return bool(
        inside(outline_xz, corners_xz).any()
        or inside(corners_xz, outline_xz).any()
        or _any_crossing(outline_xz, corners_xz)
    )


def _any_crossing(first: Float[np.ndarray, "n 2"], second: Float[np.ndarray, "c 2"]) -> bool:
    a, b = first[:, None], np.roll(first, -1, axis=0)[:, None]
    c, d = second[None], np.roll(second, -1, axis=0)[None]
    return bool(np.any((_side(a, b, c) != _side(a, b, d)) & (_side(c, d, a) != _side(c, d, b))))


def _side(
    a: Float[np.ndarray, "*p 2"], b: Float[np.ndarray, "*q 2"], p: Float[np.ndarray, "*r 2"]
) -> Bool[np.ndarray, "..."]:
    u, v = b - a, p - a
    return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0] > 0)


def sample_outline(kind: str, *, rng: np.random.Generator) -> Outline:
    """Draw a floor plan for a kind of room, centred at the origin.

    Half are boxes, the others have an L, T or U shape, a chamfered corner, a niche or a bay.
    """
    (low_w, high_w), (low_d, high_d) = SIZES_M[kind]
    width, depth = rng.uniform(low_w, high_w), rng.uniform(low_d, high_d)
    if rng.random() < 0.5:
        width, depth = depth, width
    points = _rectangle(width, depth)
    if kind == "bathroom":
        shapes = ["box", "box", "box", "chamfer", "niche"]
    elif kind == "hallway":
        shapes = ["box", "box", "l", "niche"]
    else:
        shapes = ["box", "box", "box", "box", "l", "l", "t", "u", "chamfer", "niche", "bay"]
    shape = shapes[rng.integers(len(shapes))]
    if shape == "l":
        points = _cut_corner(points, int(rng.integers(4)), *rng.uniform(0.22, 0.42, 2))
    elif shape == "t":
        first = int(rng.integers(4))
        share = rng.uniform(0.18, 0.28, 2)
        points = _cut_corner(points, first, share[0], share[1], clip_m=1.2)
        points = _cut_corner(
            points, first + 3, share[1] if first % 2 else share[0], share[1], clip_m=1.2
        )
    elif shape == "chamfer":
        points = _chamfer(points, int(rng.integers(4)), rng.uniform(0.6, 1.0))
    elif shape in ("u", "niche", "bay"):
        points = _dent(points, int(rng.integers(4)), shape=shape, rng=rng)
    centre = (points.min(axis=0) + points.max(axis=0)) / 2
    return np.asarray(np.round(points - centre, 4))


def _rectangle(width: float, depth: float) -> Outline:
    x, z = width / 2, depth / 2
    return np.array([[-x, z], [x, z], [x, -z], [-x, -z]])


def _cut_corner(
    points: Outline, corner: int, share_before: float, share_after: float, *, clip_m: float = 2.5
) -> Reshaped:
    """Take a rectangle out of a corner: its sides are shares of the two walls that meet there."""
    corner %= len(points)
    here = points[corner]
    before = points[corner - 1] - here
    after = points[(corner + 1) % len(points)] - here
    u = before * min(share_before, clip_m / np.hypot(*before))
    v = after * min(share_after, clip_m / np.hypot(*after))
    return np.insert(
        np.delete(points, corner, axis=0), corner, [here + u, here + u + v, here + v], axis=0
    )


def _chamfer(points: Outline, corner: int, leg_m: float) -> Reshaped:
    here = points[corner]
    legs = []
    for other in (points[corner - 1], points[(corner + 1) % len(points)]):
        step = other - here
        legs.append(here + step * leg_m / np.hypot(*step))
    return np.insert(np.delete(points, corner, axis=0), corner, legs, axis=0)


def _dent(points: Outline, side: int, *, shape: str, rng: np.random.Generator) -> Reshaped:
    """Push the middle of a side inwards ("u": a pillar or shaft) or outwards ("niche", and slanted: "bay")."""
    line = wall_lines(points)[side]
    length = line.length_m
    width = (
        min(rng.uniform(0.5, 1.2), 0.4 * length)
        if shape == "u"
        else rng.uniform(0.35, 0.55) * length
    )
    depth = {
        "u": rng.uniform(0.3, 0.6),
        "niche": -rng.uniform(0.35, 0.9),
        "bay": -rng.uniform(0.45, 0.8),
    }[shape]
    slant = min(-depth, 0.25 * width) if shape == "bay" else 0.0
    start = rng.uniform(0.25, 0.75) * (length - width)
    corners = [
        (start + width, 0.0),
        (start + width - slant, depth),
        (start + slant, depth),
        (start, 0.0),
    ]
    new = [line.start_xz + s * line.along_xz + d * line.inward_xz for s, d in corners]
    return np.insert(points, side + 1, new, axis=0)
