"""Exact tests on meshes: whether two surfaces cross, and how far one is from another along a direction."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Float64, Int
from numba import njit

from scenelift.render.scene import Mesh

CROSSING_TOLERANCE_M = 2e-4
"""Things that enter each other by less only touch."""

REST_GAP_M = 5e-4
"""Things are set down this far above what carries them, so that touching surfaces never cross."""

Triangles = Float64[np.ndarray, "f 3 3"]
AnyTriangles = Float64[np.ndarray, "_ 3 3"]
"""For lists whose members differ in number."""


def world_triangles(mesh: Mesh, T_world_object: Float[np.ndarray, "4 4"]) -> Triangles:
    """Return the corners of a placed mesh's triangles in the world."""
    points = mesh.vertices @ T_world_object[:3, :3].T + T_world_object[:3, 3]
    return np.ascontiguousarray(points[mesh.faces], dtype=np.float64)


def bounds(triangles: Triangles) -> Float64[np.ndarray, "2 3"]:
    """Return the least and greatest corner of a set of triangles."""
    flat = triangles.reshape(-1, 3)
    return np.stack([flat.min(axis=0), flat.max(axis=0)])


def cross(
    first: Triangles,
    second: Float64[np.ndarray, "g 3 3"],
    *,
    tolerance_m: float = CROSSING_TOLERANCE_M,
    first_bounds: Float64[np.ndarray, "2 3"] | None = None,
    second_bounds: Float64[np.ndarray, "2 3"] | None = None,
) -> bool:
    """Tell whether an edge of one set of triangles passes through a triangle of the other.

    An edge passes through a triangle if its ends lie on both sides of the triangle's plane and it meets the plane inside
    the triangle or on its border. Surfaces that touch do not cross: a move by the tolerance along one of the six axes
    would part them. Neither does a thing that lies wholly within another.

    Args:
        first: World triangles.
        second: World triangles.
        tolerance_m: Depth that counts as touching.
        first_bounds: Bounds of the first, if known.
        second_bounds: Bounds of the second, if known.

    >>> flat = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 0, 1]]])
    >>> cross(flat, flat + (0.2, 0.0, 0.0)), cross(flat, np.array([[[0.2, -1, 0.2], [0.2, 1, 0.2], [0.2, 1, 0.4]]]))
    (False, True)
    """
    a_box = bounds(first) if first_bounds is None else first_bounds
    b_box = bounds(second) if second_bounds is None else second_bounds
    low = np.maximum(a_box[0], b_box[0]) - 2 * tolerance_m
    high = np.minimum(a_box[1], b_box[1]) + 2 * tolerance_m
    if (low > high).any():
        return False
    a, b = _within(first, low, high), _within(second, low, high)
    if not (len(a) and len(b)):
        return False
    if not _any_crossing(a, b):
        return False
    return all(
        _any_crossing(a, b + sign * tolerance_m * np.eye(3)[axis])
        for axis in range(3)
        for sign in (-1.0, 1.0)
    )


def gap_m(
    points: Float[np.ndarray, "p 3"],
    triangles: Triangles,
    *,
    direction: tuple[float, float, float],
    reach_m: float,
    behind_m: float = 0.0,
) -> float:
    """Return the least distance at which a ray from one of the points along a unit direction meets a triangle.

    Args:
        points: Where rays start.
        triangles: What they may meet.
        direction: Unit vector.
        reach_m: Length of the rays.
        behind_m: How far behind their points rays start; a surface there counts as a negative distance.

    Returns:
        Metres; inf if nothing is met within `reach_m`.

    >>> floor = np.array([[[0.0, 0, 0], [1, 0, 0], [0, 0, 1]]])
    >>> gap_m(np.array([[0.2, 0.5, 0.2]]), floor, direction=(0.0, -1.0, 0.0), reach_m=1.0)
    0.5
    """
    way = np.array(direction)
    start = np.ascontiguousarray(points - behind_m * way, dtype=np.float64)
    ends = np.concatenate([start, points + reach_m * way])
    near = _within(triangles, ends.min(axis=0) - 1e-9, ends.max(axis=0) + 1e-9)
    if not len(near):
        return float("inf")
    return float(_least_hit(start, way, near, behind_m + reach_m)) - behind_m


def _within(
    triangles: Triangles, low: Float64[np.ndarray, "3"], high: Float64[np.ndarray, "3"]
) -> Float64[np.ndarray, "near 3 3"]:
    return np.asarray(triangles[_touching(triangles, low, high)])


@njit(cache=True, nogil=True)
@no_type_check
def _touching(triangles, low, high):
    keep = np.zeros(len(triangles), dtype=np.int64)
    count = 0
    for i in range(len(triangles)):
        t = triangles[i]
        inside = True
        for k in range(3):
            a, b, c = t[0, k], t[1, k], t[2, k]
            if max(a, b, c) < low[k] or min(a, b, c) > high[k]:
                inside = False
                break
        if inside:
            keep[count] = i
            count += 1
    return keep[:count]


@njit(cache=True, nogil=True)
@no_type_check
def _plane(t):
    ux, uy, uz = t[1, 0] - t[0, 0], t[1, 1] - t[0, 1], t[1, 2] - t[0, 2]
    vx, vy, vz = t[2, 0] - t[0, 0], t[2, 1] - t[0, 1], t[2, 2] - t[0, 2]
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = np.sqrt(nx * nx + ny * ny + nz * nz)
    if length < 1e-14:
        return 0.0, 0.0, 0.0, 0.0
    nx, ny, nz = nx / length, ny / length, nz / length
    return nx, ny, nz, nx * t[0, 0] + ny * t[0, 1] + nz * t[0, 2]


@njit(cache=True, nogil=True)
@no_type_check
def _edges_cross(edges, t, nx, ny, nz, offset):
    """Whether one of the three edges of a triangle passes through the triangle t with the given plane."""
    d = np.zeros(3)
    for k in range(3):
        d[k] = nx * edges[k, 0] + ny * edges[k, 1] + nz * edges[k, 2] - offset
    for k in range(3):
        j = (k + 1) % 3
        if d[k] * d[j] >= 0.0:
            continue
        s = d[k] / (d[k] - d[j])
        px = edges[k, 0] + s * (edges[j, 0] - edges[k, 0])
        py = edges[k, 1] + s * (edges[j, 1] - edges[k, 1])
        pz = edges[k, 2] + s * (edges[j, 2] - edges[k, 2])
        positive = True
        negative = True
        for m in range(3):
            n = (m + 1) % 3
            ex, ey, ez = t[n, 0] - t[m, 0], t[n, 1] - t[m, 1], t[n, 2] - t[m, 2]
            qx, qy, qz = px - t[m, 0], py - t[m, 1], pz - t[m, 2]
            side = (ey * qz - ez * qy) * nx + (ez * qx - ex * qz) * ny + (ex * qy - ey * qx) * nz
            if side < 0.0:
                positive = False
            if side > 0.0:
                negative = False
        if positive or negative:
            return True
    return False


@njit(cache=True, nogil=True)
@no_type_check
def _any_crossing(first, second):
    count = len(second)
    low = np.zeros((count, 3))
    high = np.zeros((count, 3))
    planes = np.zeros((count, 4))
    for j in range(count):
        for k in range(3):
            low[j, k] = min(second[j, 0, k], second[j, 1, k], second[j, 2, k])
            high[j, k] = max(second[j, 0, k], second[j, 1, k], second[j, 2, k])
        nx, ny, nz, offset = _plane(second[j])
        planes[j, 0], planes[j, 1], planes[j, 2], planes[j, 3] = nx, ny, nz, offset
    for i in range(len(first)):
        a = first[i]
        x0, x1 = min(a[0, 0], a[1, 0], a[2, 0]), max(a[0, 0], a[1, 0], a[2, 0])
        y0, y1 = min(a[0, 1], a[1, 1], a[2, 1]), max(a[0, 1], a[1, 1], a[2, 1])
        z0, z1 = min(a[0, 2], a[1, 2], a[2, 2]), max(a[0, 2], a[1, 2], a[2, 2])
        ax, ay, az, aoff = _plane(a)
        for j in range(count):
            if (
                x1 < low[j, 0]
                or x0 > high[j, 0]
                or y1 < low[j, 1]
                or y0 > high[j, 1]
                or z1 < low[j, 2]
                or z0 > high[j, 2]
            ):
                continue
            b = second[j]
            if _edges_cross(a, b, planes[j, 0], planes[j, 1], planes[j, 2], planes[j, 3]):
                return True
            if _edges_cross(b, a, ax, ay, az, aoff):
                return True
    return False


@njit(cache=True, nogil=True)
@no_type_check
def _least_hit(points, way, triangles, reach):
    best = np.inf
    for i in range(len(triangles)):
        t = triangles[i]
        nx, ny, nz, offset = _plane(t)
        slope = nx * way[0] + ny * way[1] + nz * way[2]
        if abs(slope) < 1e-9:
            continue
        for j in range(len(points)):
            p = points[j]
            s = (offset - nx * p[0] - ny * p[1] - nz * p[2]) / slope
            if s < 0.0 or s > reach or s >= best:
                continue
            positive = True
            negative = True
            for m in range(3):
                n = (m + 1) % 3
                ex, ey, ez = t[n, 0] - t[m, 0], t[n, 1] - t[m, 1], t[n, 2] - t[m, 2]
                qx = p[0] + s * way[0] - t[m, 0]
                qy = p[1] + s * way[1] - t[m, 1]
                qz = p[2] + s * way[2] - t[m, 2]
                side = (
                    (ey * qz - ez * qy) * nx + (ez * qx - ex * qz) * ny + (ex * qy - ey * qx) * nz
                )
                if side < -1e-12:
                    positive = False
                if side > 1e-12:
                    negative = False
            if positive or negative:
                best = s
    return best


def resting_points(
    triangles: Triangles, *, direction: tuple[float, float, float], depth_m: float = 1e-3
) -> Float64[np.ndarray, "p 3"]:
    """Return a sample of the corners that lie farthest along a direction, within `depth_m` of the farthest."""
    points = triangles.reshape(-1, 3)
    along = points @ np.array(direction)
    lowest: Int[np.ndarray, " p"] = np.flatnonzero(along > along.max() - depth_m)
    return np.asarray(points[lowest[:: max(1, len(lowest) // 64)]])
