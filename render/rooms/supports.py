"""Find the surfaces of an object on which things can be put: level, wide enough, with air above."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float64
from numba import njit

from scenelift.render.rooms.contact import gap_m
from scenelift.render.scene import Mesh

CELL_M = 0.02
LEVEL_M = 8e-4
"""Triangles whose heights differ by less form one surface."""
LEAST_AREA_M2 = 0.012
FREE_M = 10.0
"""Free height where nothing is above."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Support:
    """One level surface, as a grid over the object's own x and z."""

    y_m: float
    low_xz: Float64[np.ndarray, "2"]
    """Corner of the grid's first cell."""
    solid: Bool[np.ndarray, "i j"]
    """Cells whose centre lies on the surface."""
    clear_m: Float64[np.ndarray, "i j"]
    """Free height above each cell."""

    @property
    def area_m2(self) -> float:
        """Area of the solid cells that have at least 5 cm of air."""
        return float((self.solid & (self.clear_m > 0.05)).sum()) * CELL_M**2

    def carries(self, corners_xz: Float64[np.ndarray, "4 2"], *, height_m: float) -> bool:
        """Tell whether a footprint (in the object's frame) lies wholly on the surface with enough air above."""
        u, v = corners_xz[1] - corners_xz[0], corners_xz[3] - corners_xz[0]
        columns = np.linspace(0.03, 0.97, 2 + int(float(np.hypot(*u)) / CELL_M))
        rows = np.linspace(0.03, 0.97, 2 + int(float(np.hypot(*v)) / CELL_M))
        points = corners_xz[0] + columns[:, None, None] * u + rows[None, :, None] * v
        cells = np.floor((points.reshape(-1, 2) - self.low_xz) / CELL_M).astype(np.int64)
        if (cells < 0).any() or (cells >= self.solid.shape).any():
            return False
        i, j = cells.T
        return bool((self.solid[i, j] & (self.clear_m[i, j] > height_m + 0.004)).all())


def find_supports(mesh: Mesh) -> tuple[Support, ...]:
    """Return an object's level surfaces, the lowest first; those below others count too, as in shelves.

    Up or down is not told apart, since triangles may be turned either way: the underside of a board has no air above it
    and drops out.
    """
    triangles = np.ascontiguousarray(mesh.vertices[mesh.faces], dtype=np.float64)
    if not len(triangles):
        return ()
    low = triangles.reshape(-1, 3).min(axis=0)[[0, 2]]
    high = triangles.reshape(-1, 3).max(axis=0)[[0, 2]]
    shape = np.maximum(np.ceil((high - low) / CELL_M).astype(np.int64), 1)
    level = _level_heights(triangles)
    tops = _group_levels(triangles, level)
    found = []
    for y_m in tops:
        solid, clear = _raster(triangles, level, y_m, low, shape[0], shape[1], LEVEL_M)
        support = Support(y_m=float(y_m), low_xz=low, solid=solid, clear_m=clear)
        if support.area_m2 >= LEAST_AREA_M2 and _in_sight(support, triangles):
            found.append(support)
    return tuple(found)


def _in_sight(support: Support, triangles: Float64[np.ndarray, "f 3 3"]) -> bool:
    """Tell whether the surface is open above or to the front (+z), not the bottom of a closed cabinet or an underside."""
    usable = np.argwhere(support.solid & (support.clear_m > 0.05))
    if (support.clear_m[tuple(usable.T)] >= FREE_M).mean() > 0.3:
        return True
    sample = usable[:: max(1, len(usable) // 12)]
    xz = (sample + 0.5) * CELL_M + support.low_xz
    points = np.insert(xz, 1, support.y_m + 0.03, axis=1)
    open_front = [
        gap_m(point[None], triangles, direction=(0.0, 0.0, 1.0), reach_m=2.0) == np.inf
        for point in points
    ]
    return bool(np.mean(open_front) > 0.5)


def _group_levels(
    triangles: Float64[np.ndarray, "f 3 3"], level: Float[np.ndarray, " f"]
) -> list[float]:
    """Return the heights of surfaces with enough area, each the highest of its triangles."""
    flat = np.flatnonzero(np.isfinite(level))
    order = flat[np.argsort(level[flat], kind="stable")]
    if not len(order):
        return []
    u = triangles[order, 1] - triangles[order, 0]
    v = triangles[order, 2] - triangles[order, 0]
    areas = 0.5 * np.abs(u[:, 0] * v[:, 2] - u[:, 2] * v[:, 0])
    heights = level[order]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(heights) > LEVEL_M / 3]))
    sums = np.add.reduceat(areas, starts)
    tops = np.maximum.reduceat(heights, starts)
    return [float(top) for top, area in zip(tops, sums, strict=True) if area >= LEAST_AREA_M2]


@njit(cache=True, nogil=True)
@no_type_check
def _level_heights(triangles):
    """Height of each level triangle, nan for all others."""
    result = np.full(len(triangles), np.nan)
    for i in range(len(triangles)):
        t = triangles[i]
        low = min(t[0, 1], t[1, 1], t[2, 1])
        high = max(t[0, 1], t[1, 1], t[2, 1])
        if high - low < 5e-4:
            result[i] = high
    return result


@njit(cache=True, nogil=True)
@no_type_check
def _raster(triangles, level, y, low, rows, columns, tolerance):
    solid = np.zeros((rows, columns), dtype=np.bool_)
    clear = np.full((rows, columns), FREE_M)
    for i in range(len(triangles)):
        t = triangles[i]
        top = max(t[0, 1], t[1, 1], t[2, 1])
        on = abs(level[i] - y) <= tolerance
        if not on and top < y + 0.002:
            continue
        x0, x1 = min(t[0, 0], t[1, 0], t[2, 0]) - low[0], max(t[0, 0], t[1, 0], t[2, 0]) - low[0]
        z0, z1 = min(t[0, 2], t[1, 2], t[2, 2]) - low[1], max(t[0, 2], t[1, 2], t[2, 2]) - low[1]
        i0, i1 = max(0, int(x0 / CELL_M)), min(rows - 1, int(x1 / CELL_M))
        j0, j1 = max(0, int(z0 / CELL_M)), min(columns - 1, int(z1 / CELL_M))
        bottom = max(0.0, min(t[0, 1], t[1, 1], t[2, 1]) - y)
        for a in range(i0, i1 + 1):
            for b in range(j0, j1 + 1):
                if not on:
                    clear[a, b] = min(clear[a, b], bottom)
                    continue
                px = (a + 0.5) * CELL_M + low[0]
                pz = (b + 0.5) * CELL_M + low[1]
                positive = True
                negative = True
                for m in range(3):
                    n = (m + 1) % 3
                    side = (t[n, 0] - t[m, 0]) * (pz - t[m, 2]) - (t[n, 2] - t[m, 2]) * (
                        px - t[m, 0]
                    )
                    if side < -1e-12:
                        positive = False
                    if side > 1e-12:
                        negative = False
                if positive or negative:
                    solid[a, b] = True
    return solid, clear
