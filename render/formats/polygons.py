"""Polygons to triangles: convex ones by fans, all others by ear clipping."""

import mapbox_earcut
import numpy as np
from jaxtyping import Float, Int, Int64

MAX_CLIPPED_CORNERS = 20_000
"""A polygon that is not convex and has more corners is cut as a fan; ear clipping takes time with their square."""


def triangulate(
    vertices: Float[np.ndarray, "v 3"],
    corners: Int[np.ndarray, " c"],
    *,
    counts: Int[np.ndarray, " k"],
) -> tuple[Int64[np.ndarray, "f 3"], Int64[np.ndarray, " f"]]:
    """Cut polygons into triangles, keeping their order and their winding.

    Args:
        vertices: Points.
        corners: Vertex index of each corner, polygon after polygon.
        counts: Number of corners of each polygon; those with fewer than 3 vanish.

    Returns:
        For each triangle its corners, as positions in `corners`; and its polygon.

    >>> square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    >>> triangles, polygon = triangulate(square, np.arange(4), counts=np.array([4]))
    >>> triangles.tolist(), polygon.tolist()
    ([[0, 1, 2], [0, 2, 3]], [0, 0])
    """
    first = np.concatenate(([0], np.cumsum(counts)))[:-1]
    pieces: list[Int64[np.ndarray, "f 3"]] = []
    owners: list[Int64[np.ndarray, " f"]] = []
    for count in np.unique(counts[counts >= 3]):
        polygons = np.flatnonzero(counts == count)
        around = first[polygons][:, None] + np.arange(count)
        if count == 3:
            pieces.append(around)
            owners.append(polygons)
            continue
        points = vertices[corners[around]]
        convex = _convex(points)
        fans = around[convex]
        fan = np.stack(
            (np.zeros(count - 2, np.int64), np.arange(1, count - 1), np.arange(2, count)), 1
        )
        pieces.append(fans[:, fan].reshape(-1, 3))
        owners.append(np.repeat(polygons[convex], count - 2))
        for index in np.flatnonzero(~convex):
            clipped = _clip(points[index]) if count <= MAX_CLIPPED_CORNERS else fan
            pieces.append(around[index][clipped])
            owners.append(np.repeat(polygons[index], len(clipped)))
    if not pieces:
        return np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    owner = np.concatenate(owners)
    order = np.argsort(owner, kind="stable")
    return np.concatenate(pieces)[order].astype(np.int64), owner[order].astype(np.int64)


def _newell(points: Float[np.ndarray, "k n 3"]) -> Float[np.ndarray, "k 3"]:
    """Return the area vector of each polygon, about its first corner."""
    local = points - points[:, :1]
    return np.asarray(np.cross(local, np.roll(local, -1, axis=1)).sum(axis=1) / 2)


def _convex(points: Float[np.ndarray, "k n 3"]) -> np.ndarray:
    """Tell whether a fan about the first corner covers a polygon without overlap."""
    area = _newell(points)
    edges = np.roll(points, -1, axis=1) - points
    turns = np.einsum("knc,kc->kn", np.cross(np.roll(edges, 1, axis=1), edges), area)
    scale = np.linalg.norm(area, axis=1)[:, None] ** 2
    spokes = points[:, 1:] - points[:, :1]
    wedges = np.einsum("knc,kc->kn", np.cross(spokes[:, :-1], spokes[:, 1:]), area)
    return np.asarray((turns >= -1e-9 * scale).all(axis=1) & (wedges >= -1e-9 * scale).all(axis=1))


def _clip(points: Float[np.ndarray, "n 3"]) -> Int64[np.ndarray, "f 3"]:
    """Clip the ears of one polygon in the plane that it fills most of; what has no area becomes a fan."""
    area = _newell(points[None])[0]
    axis = int(np.argmax(np.abs(area)))
    flat = np.ascontiguousarray(np.delete(points - points[0], axis, axis=1))
    scale = np.abs(flat).max()
    flat = np.zeros_like(flat) if scale == 0 or not np.isfinite(scale) else flat / scale
    cut = mapbox_earcut.triangulate_float64(flat, np.array([len(flat)], np.uint32))
    triangles = np.asarray(cut, np.int64).reshape(-1, 3)
    if not len(triangles):
        last = np.arange(2, len(points))
        return np.stack((np.zeros_like(last), last - 1, last), axis=1)
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    turned = np.einsum("fc,c->f", np.cross(b - a, c - a), area) < 0
    triangles[turned] = triangles[turned][:, ::-1]
    return triangles
