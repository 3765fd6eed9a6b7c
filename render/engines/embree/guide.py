"""Bright patches that bounced rays should look for: the ceiling above a lamp, the sunlit piece of floor.

A few particles are shot from the emitters; where many land on little area, a ball is put around them. A share of the
bounced rays then goes to these balls, and every ray's density counts both ways to find it, so that a bad ball costs
noise and never truth.
"""

import math
import typing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from scenelift.render.engines.embree import packets
from scenelift.render.engines.embree.emit import frame_of
from scenelift.render.engines.embree.kernels import inlined
from scenelift.render.engines.embree.lights import LINE, MESH, POINT, PORTAL, SUN, Lights
from scenelift.render.engines.embree.tables import Tables

PARTICLES, MAX_BALLS = 4096, 8
CELL_M = 0.6
"""Side of the cells in which particles are counted."""
CONTRAST, LEAST_SHARE, MOST_GUIDED = 3.0, 0.01, 0.5
"""A ball's light on its area against the scene's mean, its share of all light, and the share of rays that balls get."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Flights:
    """Particles that leave the emitters: where from, where to, how much light each."""

    origins: Float64[np.ndarray, "n 3"]
    directions: Float64[np.ndarray, "n 3"]
    flux: Float64[np.ndarray, " n"]


def find_balls(
    bvh: int, arguments: int, tables: Tables, lights: Lights, memory: packets.Packet
) -> Lights:
    """Return the lights with the balls that guide bounced rays."""
    flights = _shoot(tables, lights, rng=np.random.default_rng(0))
    if not len(flights.flux):
        return lights
    distance = np.full(len(flights.flux), np.inf, dtype=np.float32)
    instance = np.zeros(len(flights.flux), dtype=np.int64)
    packets.cast_rays(
        bvh, arguments, tables, memory, flights.origins, flights.directions, distance, instance
    )
    hit = np.isfinite(distance)
    points = flights.origins[hit] + flights.directions[hit] * distance[hit, None].astype(np.float64)
    return _gather(tables, lights, points, flights.flux[hit])


def _gather(
    tables: Tables,
    lights: Lights,
    points: Float64[np.ndarray, "n 3"],
    flux: Float64[np.ndarray, " n"],
) -> Lights:
    if not len(points):
        return lights
    cells = np.floor((points - points.min(axis=0)) / CELL_M).astype(np.int64)
    _, owner = np.unique(cells, axis=0, return_inverse=True)
    owner = owner.reshape(-1)
    sums = np.bincount(owner, weights=flux)
    centres = (
        np.stack([np.bincount(owner, weights=flux * points[:, i]) for i in range(3)], axis=1)
        / np.maximum(sums, 1e-30)[:, None]
    )
    spread = np.bincount(owner, weights=flux * ((points - centres[owner]) ** 2).sum(axis=1))
    radius = 1.6 * np.sqrt(spread / np.maximum(sums, 1e-30)) + 0.05
    size = np.ptp(tables.vertices[:-1], axis=0).astype(np.float64)
    around = 2 * (size[0] * size[1] + size[1] * size[2] + size[2] * size[0])
    bright = sums / (math.pi * radius**2) > CONTRAST * sums.sum() / max(around, 1e-9)
    good = np.flatnonzero(bright & (sums > LEAST_SHARE * sums.sum()))
    best = good[np.argsort(-sums[good], kind="stable")][:MAX_BALLS]
    if not len(best):
        return lights
    return lights._replace(
        ball_centre=np.ascontiguousarray(centres[best]),
        ball_radius=np.ascontiguousarray(radius[best]),
        ball_power=np.ascontiguousarray(sums[best]),
        guided=float(min(sums[best].sum() / sums.sum(), MOST_GUIDED)),
    )


def _shoot(tables: Tables, lights: Lights, *, rng: np.random.Generator) -> _Flights:
    """Send particles off, as many from each emitter as its share of the light."""
    shares = [(k, _flux(lights, k)) for k in range(len(lights.kind))]
    total = sum(flux for _, flux in shares)
    origins, directions, fluxes = [np.zeros((0, 3))], [np.zeros((0, 3))], [np.zeros(0)]
    for k, flux in shares:
        count = int(PARTICLES * flux / total) if total > 0 else 0
        if count == 0:
            continue
        start, way = _leave(tables, lights, k, count, rng)
        origins.append(start + 1e-3 * way)
        directions.append(way)
        fluxes.append(np.full(count, flux / count))
    return _Flights(
        origins=np.ascontiguousarray(np.concatenate(origins)),
        directions=np.ascontiguousarray(np.concatenate(directions)),
        flux=np.concatenate(fluxes),
    )


def _flux(lights: Lights, k: int) -> float:
    """Light that emitter k sends into the scene, roughly."""
    kind, power = int(lights.kind[k]), float(lights.power[k])
    if kind == MESH:
        return 2 * math.pi * power
    if kind in (POINT, LINE):
        return 2 * math.pi * power * (1 - float(lights.cone[k]))
    if kind == SUN:
        return power * sum(_shadow_of(lights, k, p) for p in _portals(lights))
    return 0.0


def _portals(lights: Lights) -> list[int]:
    return [int(k) for k in np.flatnonzero(lights.kind == PORTAL)]


def _shadow_of(lights: Lights, sun: int, portal: int) -> float:
    """Area of a portal as the sun sees it."""
    across = np.cross(lights.axis[portal], lights.side[portal])
    return abs(float(across @ lights.axis[sun]))


def _leave(
    tables: Tables, lights: Lights, k: int, count: int, rng: np.random.Generator
) -> tuple[Float64[np.ndarray, "n 3"], Float64[np.ndarray, "n 3"]]:
    kind = int(lights.kind[k])
    if kind == SUN:
        doors = _portals(lights)
        areas = np.array([_shadow_of(lights, k, p) for p in doors])
        door = rng.choice(doors, size=count, p=areas / areas.sum())
        a, b = rng.random((2, count, 1)) - 0.5
        start = lights.centre[door] + a * lights.axis[door] + b * lights.side[door]
        return start, np.broadcast_to(lights.axis[k], (count, 3)).copy()
    way = rng.normal(size=(count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    if kind == MESH:
        first, last = int(lights.first[k]), int(lights.last[k])
        row = first + np.searchsorted(lights.triangle_cdf[first:last], rng.random(count))
        face = lights.triangle_face[np.minimum(row, last - 1)]
        u, v = rng.random((2, count, 1))
        u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
        corner = tables.vertices[tables.faces[face]].astype(np.float64)
        start = corner[:, 0] + u * (corner[:, 1] - corner[:, 0]) + v * (corner[:, 2] - corner[:, 0])
        normal = tables.planes[face, :3] * rng.choice([-1.0, 1.0], size=(count, 1))
        way = way + normal
        length = np.linalg.norm(way, axis=1, keepdims=True)
        return start, np.where(length > 1e-6, way / np.maximum(length, 1e-6), normal)
    start = np.broadcast_to(lights.centre[k], (count, 3)).copy()
    if kind == LINE:
        start = start + rng.random((count, 1)) * lights.axis[k]
    elif lights.cone[k] > -1:
        axis, edge = lights.axis[k], float(lights.cone[k])
        cosine = 1 - rng.random((count, 1)) * (1 - edge)
        flat = way - (way @ axis)[:, None] * axis
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-9)
        way = cosine * axis + np.sqrt(1 - cosine**2) * flat
    return start, way


@inlined
@typing.no_type_check
def ball_weight(lights, k, px, py, pz, nx, ny, nz):
    """How much ball k is worth looking at from p with normal n; 0 behind the horizon and inside the ball."""
    c, r = lights.ball_centre[k], lights.ball_radius[k]
    x, y, z = c[0] - px, c[1] - py, c[2] - pz
    square = x * x + y * y + z * z
    height = x * nx + y * ny + z * nz
    if square <= 1.1 * r * r or height <= 0.0:
        return 0.0
    return lights.ball_power[k] * height / (square * math.sqrt(square))


@inlined
@typing.no_type_check
def weigh_balls(lights, px, py, pz, nx, ny, nz):
    """Sum of the balls' weights."""
    total = 0.0
    for k in range(lights.ball_power.shape[0]):
        total += ball_weight(lights, k, px, py, pz, nx, ny, nz)
    return total


@inlined
@typing.no_type_check
def ball_density(lights, total, px, py, pz, nx, ny, nz, dx, dy, dz):
    """Density per solid angle with which the balls are looked at along the unit direction d from p."""
    density = 0.0
    for k in range(lights.ball_power.shape[0]):
        c, r = lights.ball_centre[k], lights.ball_radius[k]
        x, y, z = c[0] - px, c[1] - py, c[2] - pz
        square = x * x + y * y + z * z
        along = x * dx + y * dy + z * dz
        if along <= 0.0 or square - along * along > r * r:
            continue
        w = ball_weight(lights, k, px, py, pz, nx, ny, nz)
        if w > 0.0:
            edge = math.sqrt(1.0 - r * r / square)
            density += w / (2.0 * math.pi * (1.0 - edge))
    return density / total


@inlined
@typing.no_type_check
def sample_ball(lights, total, px, py, pz, nx, ny, nz, choice, a, b):
    """A unit direction from p to one of the balls."""
    target, sum_, k = choice * total, 0.0, 0
    for i in range(lights.ball_power.shape[0]):
        w = ball_weight(lights, i, px, py, pz, nx, ny, nz)
        if w > 0.0:
            k = i
            sum_ += w
            if sum_ > target:
                break
    c, r = lights.ball_centre[k], lights.ball_radius[k]
    x, y, z = c[0] - px, c[1] - py, c[2] - pz
    square = x * x + y * y + z * z
    scale = 1.0 / math.sqrt(square)
    x, y, z = x * scale, y * scale, z * scale
    edge = math.sqrt(max(1.0 - r * r / square, 0.0))
    cosine = 1.0 - a * (1.0 - edge)
    sine, angle = math.sqrt(max(1.0 - cosine * cosine, 0.0)), 2.0 * math.pi * b
    e, f = frame_of(x, y, z)
    p, q = sine * math.cos(angle), sine * math.sin(angle)
    return (
        p * e[0] + q * f[0] + cosine * x,
        p * e[1] + q * f[1] + cosine * y,
        p * e[2] + q * f[2] + cosine * z,
    )
