"""Plates and outlines."""

import numpy as np
from jaxtyping import Float

from scenelift.render.furniture.shapes.shape import (
    CREASE_COS,
    Outline,
    Shape,
    crease_ends,
    grid_faces,
    rotation,
)


def extrude(
    outline: Outline,
    depth: float,
    *,
    bevel: float = 0.0,
    crease_cos: float = CREASE_COS,
) -> Shape:
    """Give a polygon thickness: it lies in the x-y plane and reaches from z = -depth / 2 to depth / 2.

    Args:
        outline: Corners, counter-clockwise, simple, in metres; y counts from the shape's own 0.
        depth: Thickness in metres.
        bevel: Width of rounded rims in metres; 0: sharp.
        crease_cos: Cosine of the turn above which the outline is shaded as smooth.
    """
    import mapbox_earcut

    points = np.asarray(outline, float)
    count = len(points)
    step = np.roll(points, -1, axis=0) - points
    length = np.linalg.norm(step, axis=1)
    side = np.stack([step[:, 1], -step[:, 0]], axis=1) / length[:, None]
    ends = crease_ends(side, crease_cos=crease_cos, closed=True)
    bevel = min(bevel, depth / 3)
    inner = points
    levels = [(points, -depth / 2), (points, depth / 2)]
    if bevel > 0:
        out = side + np.roll(side, 1, axis=0)
        out /= np.maximum((out * out).sum(axis=1, keepdims=True) / 2, 0.3)
        inner = points - bevel * out
        levels = [(inner, -depth / 2), (points, bevel - depth / 2)]
        levels += [(points, depth / 2 - bevel), (inner, depth / 2)]
    vertices = np.concatenate([np.column_stack([ring, np.full(count, z)]) for ring, z in levels])
    faces, row, column = grid_faces(len(levels), count, True)
    segment = column.min(axis=1)
    normal2 = ends[segment[:, None], column - segment[:, None]]
    normals = np.concatenate([normal2, np.zeros((*normal2.shape[:2], 1))], axis=2)
    if bevel > 0:
        rim = np.isin(row, (0, 3))
        normals[rim] = np.where(row[rim][:, None] == 0, (0.0, 0.0, -1.0), (0.0, 0.0, 1.0))
    around = np.concatenate([[0.0], np.cumsum(length)])
    heights = np.array([z for _, z in levels])
    uvs = np.stack([heights[row], around[column]], axis=2)
    cap = mapbox_earcut.triangulate_float64(inner, np.array([count], np.uint32)).reshape(-1, 3)
    cap = cap.astype(np.int64)
    corners = inner[cap]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    cap[area < 0] = cap[area < 0][:, ::-1]
    cap = cap[np.abs(area) > 1e-12]
    last = (len(levels) - 1) * count
    front = np.tile((0.0, 0.0, 1.0), (len(cap), 3, 1))
    return Shape(
        vertices=vertices,
        faces=np.concatenate([faces, cap[:, ::-1], cap + last]),
        uvs=np.concatenate([uvs, inner[cap[:, ::-1]], inner[cap]]),
        normals=np.concatenate([normals, -front, front]),
    )


def plate(
    outline: Outline,
    thickness: float,
    *,
    y: float = 0.0,
    bevel: float = 0.004,
) -> Shape:
    """Make a horizontal plate from y to y + thickness; the outline is (x, z), clockwise seen from above."""
    points = np.asarray(outline, float) * (1.0, -1.0)
    shape = extrude(points[_counter_clockwise(points)], thickness, bevel=bevel)
    return shape.turned(-np.pi / 2, axis="x").moved((0.0, y + thickness / 2, 0.0))


def _counter_clockwise(points: Float[np.ndarray, "n 2"]) -> slice:
    following = np.roll(points, -1, axis=0)
    area = (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum()
    return slice(None) if area > 0 else slice(None, None, -1)


def ellipse(
    width: float, depth: float, *, segments: int = 28, power: float = 2.0
) -> Float[np.ndarray, "n 2"]:
    """Return a (super)ellipse counter-clockwise about the origin; power 2 is round, larger is squarer."""
    angle = np.arange(segments) * (2 * np.pi / segments)
    cos, sin = np.cos(angle), np.sin(angle)
    exponent = 2 / power
    return np.stack(
        [
            width / 2 * np.sign(cos) * np.abs(cos) ** exponent,
            depth / 2 * np.sign(sin) * np.abs(sin) ** exponent,
        ],
        axis=1,
    )


def rounded_rectangle(
    width: float, depth: float, *, radius: float, steps: int = 4
) -> Float[np.ndarray, "n 2"]:
    """Return a rectangle with round corners, counter-clockwise about the origin."""
    radius = min(radius, 0.499 * min(width, depth))
    angle = np.linspace(0.0, np.pi / 2, steps + 1)
    arc = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    corners = []
    for quarter, (sx, sz) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        turn = rotation(quarter * np.pi / 2, axis="z")[:2, :2]
        corners.append(arc @ turn.T + (sx * (width / 2 - radius), sz * (depth / 2 - radius)))
    return np.concatenate(corners)
