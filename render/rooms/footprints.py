"""Rectangles on the floor: the cheap stand-in for furniture while places are tried."""

import math
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float64
from numba import njit

Rectangle = Float64[np.ndarray, "4 2"]


def rectangle(
    *,
    centre_xz: tuple[float, float],
    width_m: float,
    depth_m: float,
    yaw_rad: float = 0.0,
    margin_m: float = 0.0,
) -> Rectangle:
    """Return the corners in world (x, z) of an object's footprint; at yaw 0 width lies along x, depth along z.

    >>> rectangle(centre_xz=(1.0, 0.0), width_m=2.0, depth_m=1.0)[0].tolist()
    [0.0, -0.5]
    """
    half_w, half_d = width_m / 2 + margin_m, depth_m / 2 + margin_m
    cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
    x, z = centre_xz
    return np.array(
        [
            (x + cos * u + sin * v, z - sin * u + cos * v)
            for u, v in (
                (-half_w, -half_d),
                (half_w, -half_d),
                (half_w, half_d),
                (-half_w, half_d),
            )
        ]
    )


def overlapping(
    corners_xz: Rectangle,
    others_xz: Float64[np.ndarray, "k 4 2"],
) -> Bool[np.ndarray, " k"]:
    """Tell which rectangles share more than a border with the first.

    >>> one = rectangle(centre_xz=(0.0, 0.0), width_m=1.0, depth_m=1.0)
    >>> overlapping(one, np.stack([one + 0.5, one + 1.5])).tolist()
    [True, False]
    """
    return np.asarray(_overlapping(corners_xz, others_xz))


@njit(cache=True, nogil=True)
@no_type_check
def _overlapping(corners, others):
    result = np.zeros(len(others), dtype=np.bool_)
    for i in range(len(others)):
        result[i] = not (_apart(corners, others[i]) or _apart(others[i], corners))
    return result


@njit(cache=True, nogil=True)
@no_type_check
def _apart(a, b):
    """Whether one of the two directions of rectangle a separates it from b."""
    for k in range(2):
        ex, ez = a[k + 1, 0] - a[k, 0], a[k + 1, 1] - a[k, 1]
        length = math.sqrt(ex * ex + ez * ez) + 1e-12
        ex, ez = ex / length, ez / length
        low_a = high_a = a[0, 0] * ex + a[0, 1] * ez
        low_b = high_b = b[0, 0] * ex + b[0, 1] * ez
        for j in range(1, 4):
            s = a[j, 0] * ex + a[j, 1] * ez
            low_a, high_a = min(low_a, s), max(high_a, s)
            s = b[j, 0] * ex + b[j, 1] * ez
            low_b, high_b = min(low_b, s), max(high_b, s)
        if high_a <= low_b + 1e-6 or high_b <= low_a + 1e-6:
            return True
    return False


def near_rectangle(
    points_xz: Float[np.ndarray, "p 2"], corners_xz: Rectangle, *, reach_m: float
) -> Bool[np.ndarray, " p"]:
    """Tell which points lie in a rectangle or within `reach_m` of it."""
    u = corners_xz[1] - corners_xz[0]
    v = corners_xz[3] - corners_xz[0]
    width, depth = float(np.hypot(*u)), float(np.hypot(*v))
    offset = points_xz - corners_xz[0]
    along = offset @ (u / max(width, 1e-9))
    across = offset @ (v / max(depth, 1e-9))
    du = np.maximum(np.maximum(-along, along - width), 0.0)
    dv = np.maximum(np.maximum(-across, across - depth), 0.0)
    return np.asarray(du * du + dv * dv <= reach_m * reach_m)


def inside_outline(corners_xz: Rectangle, outline_xz: Float[np.ndarray, "n 2"]) -> bool:
    """Tell whether a rectangle lies inside a simple polygon.

    >>> one = rectangle(centre_xz=(0.0, 0.0), width_m=1.0, depth_m=1.0)
    >>> inside_outline(one, 2 * one), inside_outline(one + 0.8, 2 * one)
    (True, False)
    """
    return bool(_inside_outline(corners_xz, np.ascontiguousarray(outline_xz, dtype=np.float64)))


@njit(cache=True, nogil=True)
@no_type_check
def _inside_outline(corners, outline):
    count = len(outline)
    for i in range(len(corners)):
        px, pz = corners[i, 0], corners[i, 1]
        odd = False
        for k in range(count):
            ax, az = outline[k, 0], outline[k, 1]
            bx, bz = outline[(k + 1) % count, 0], outline[(k + 1) % count, 1]
            if (az > pz) != (bz > pz) and px < ax + (pz - az) * (bx - ax) / (bz - az):
                odd = not odd
        if not odd:
            return False
    for i in range(len(corners)):
        c, d = corners[i], corners[(i + 1) % len(corners)]
        for k in range(count):
            a, b = outline[k], outline[(k + 1) % count]
            if _turn(a, b, c) != _turn(a, b, d) and _turn(c, d, a) != _turn(c, d, b):
                return False
    return True


@njit(cache=True, nogil=True)
@no_type_check
def _turn(a, b, p):
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0]) > 0.0


def component_of(
    free: Bool[np.ndarray, "r c"], *, start: tuple[int, int]
) -> Bool[np.ndarray, "r c"]:
    """Return the free cells that one reaches from a free cell by steps along the grid's axes."""
    reached, _ = _flood(np.ascontiguousarray(free), start[0], start[1])
    return np.asarray(reached)


@njit(cache=True, nogil=True)
@no_type_check
def _flood(free, row, column):
    rows, columns = free.shape
    reached = np.zeros((rows, columns), dtype=np.bool_)
    stack = np.zeros((rows * columns, 2), dtype=np.int64)
    count = 0
    if free[row, column]:
        reached[row, column] = True
        stack[0, 0], stack[0, 1] = row, column
        count = 1
    total = count
    while count > 0:
        count -= 1
        r, c = stack[count, 0], stack[count, 1]
        for k in range(4):
            y = r + (1 if k == 0 else -1 if k == 1 else 0)
            x = c + (1 if k == 2 else -1 if k == 3 else 0)
            if 0 <= y < rows and 0 <= x < columns and free[y, x] and not reached[y, x]:
                reached[y, x] = True
                stack[count, 0], stack[count, 1] = y, x
                count += 1
                total += 1
    return reached, total
