"""Everything that emits, in tables for next-event estimation."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int32

from scenelift.render.engines.embree.tables import EMISSION, Tables
from scenelift.render.scene import Light, Scene

MESH, POINT, LINE, SUN, PORTAL = range(5)
"""Kinds of emitter: a spot is a point with a cone; a portal is an opening that the sky is seen through."""
MAX_SLOTS = 16
"""Emitters that a cell of the grid can list; the rest are found by their power alone."""
CELL_M, MAX_CELLS = 0.8, 24
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


class Lights(NamedTuple):
    """Emitters, positions about the tables' centre. The triangles of one material of one instance are one emitter."""

    kind: Int32[np.ndarray, " k"]
    centre: Float64[np.ndarray, "k 3"]
    """Of a mesh, point or portal; a line's first end."""
    reach: Float64[np.ndarray, " k"]
    """Radius about the centre that holds the emitter."""
    power: Float64[np.ndarray, " k"]
    """Irradiance at one metre, roughly; guides the choice among emitters."""
    color: Float64[np.ndarray, "k 3"]
    """Radiance of a mesh, intensity of a point or of a metre of line, irradiance of the sun."""
    axis: Float64[np.ndarray, "k 3"]
    """Direction in which light travels (spot, sun), the way to a line's other end, a portal's first edge."""
    side: Float64[np.ndarray, "k 3"]
    """A portal's second edge."""
    size: Float64[np.ndarray, " k"]
    """Radius of a point or line, angular radius of the sun, area of a mesh or portal."""
    cone: Float64[np.ndarray, " k"]
    """Cosine of a spot's half angle, -1 for a point."""
    first: Int32[np.ndarray, " k"]
    """A mesh's triangles are `triangle_face[first:last]`."""
    last: Int32[np.ndarray, " k"]
    triangle_face: Int32[np.ndarray, " t"]
    triangle_cdf: Float64[np.ndarray, " t"]
    """Share of its emitter's area up to and with this triangle."""
    face_emitter: Int32[np.ndarray, "f_or_0"]
    """The emitter that a face is part of, -1 = none; no rows if nothing glows."""
    sky: Float64[np.ndarray, "3 3"]
    """Zenith, horizon, ground."""
    num_portals: int
    """They are the last emitters."""
    power_cdf: Float64[np.ndarray, " k"]
    """Running share of all power."""
    complete: bool
    """Whether every cell lists every emitter."""
    grid_low: Float64[np.ndarray, "3"]
    grid_scale: Float64[np.ndarray, "3"]
    """Cells a metre along each axis."""
    grid_shape: Int32[np.ndarray, "3"]
    cell_lights: Int32[np.ndarray, "c slots"]
    """The emitters that matter in each cell, -1 = none; the cell of (i, j, k) is (i * shape[1] + j) * shape[2] + k."""
    cell_seen: Float64[np.ndarray, "c slots"]
    """Estimated share of each of them that is in sight, with a floor: a guide, never a verdict."""
    cell_cdf: Float64[np.ndarray, "c slots"]
    """Running share of them by what they may bring to the cell; the last is 1, or all are 0."""
    ball_centre: Float64[np.ndarray, "b 3"]
    """Bright patches that bounced rays are sent to."""
    ball_radius: Float64[np.ndarray, " b"]
    ball_power: Float64[np.ndarray, " b"]
    guided: float
    """Share of diffusely bounced rays that are sent to a ball."""


def gather_lights(
    scene: Scene, tables: Tables, *, centre_world: Float64[np.ndarray, "3"]
) -> Lights:
    """Collect a scene's emitters: glowing meshes, then its lights, then its portals."""
    rows, triangles, cdf, face_emitter = _meshes(tables)
    rows += [row for light in scene.lights if (row := _light(light, centre_world)) is not None]
    sky = np.array([scene.sky.zenith, scene.sky.horizon, scene.sky.ground], dtype=np.float64)
    sky = np.nan_to_num(sky, posinf=1e6).clip(min=0)
    portals = _portals(scene, sky, centre_world) if sky.any() else []
    rows += portals
    columns = [np.array([row[i] for row in rows]) for i in range(11)]

    def vectors(i: int) -> np.ndarray:
        return np.ascontiguousarray(columns[i].reshape(-1, 3), dtype=np.float64)

    def numbers(i: int) -> np.ndarray:
        return np.ascontiguousarray(columns[i], dtype=np.float64)

    low, scale, shape = _grid(tables)
    power = numbers(3)
    slots = min(len(rows), MAX_SLOTS)
    return Lights(
        kind=columns[0].astype(np.int32),
        centre=vectors(1),
        reach=numbers(2),
        power=numbers(3),
        color=vectors(4),
        axis=vectors(5),
        side=vectors(6),
        size=numbers(7),
        cone=numbers(8),
        first=columns[9].astype(np.int32),
        last=columns[10].astype(np.int32),
        triangle_face=triangles,
        triangle_cdf=cdf,
        face_emitter=face_emitter,
        sky=sky,
        num_portals=len(portals),
        power_cdf=np.cumsum(power) / max(power.sum(), 1e-30),
        complete=len(rows) <= MAX_SLOTS,
        grid_low=low,
        grid_scale=scale,
        grid_shape=shape,
        cell_lights=np.full((int(shape.prod()), slots), -1, dtype=np.int32),
        ball_centre=np.zeros((0, 3)),
        ball_radius=np.zeros(0),
        ball_power=np.zeros(0),
        guided=0.0,
        cell_seen=np.ones((int(shape.prod()), slots), dtype=np.float64),
        cell_cdf=np.zeros((int(shape.prod()), slots), dtype=np.float64),
    )


_Row = tuple[int, object, float, float, object, object, object, float, float, int, int]
_NONE = np.zeros(3)


def _meshes(
    tables: Tables,
) -> tuple[list[_Row], np.ndarray, np.ndarray, np.ndarray]:
    """One emitter an (instance, glowing material), its triangles ordered and with their share of the area."""
    radiance = tables.materials[:, EMISSION : EMISSION + 3].astype(np.float64)
    glowing = np.flatnonzero((radiance.max(axis=1) > 0)[tables.face_material])
    empty = np.zeros(0, dtype=np.int32)
    if not len(glowing):
        return [], empty, np.zeros(0), empty
    instance = tables.face_instance[glowing].astype(np.int64)
    key = instance * len(radiance) + tables.face_material[glowing]
    order = np.argsort(key, kind="stable")
    glowing, key = glowing[order], key[order]
    corners = tables.vertices[tables.faces[glowing]].astype(np.float64)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.maximum(np.linalg.norm(cross, axis=1) / 2, 1e-30)
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    stops = np.append(starts[1:], len(key))
    face_emitter = np.full(len(tables.faces), -1, dtype=np.int32)
    cdf = np.zeros(len(key))
    rows: list[_Row] = []
    for k, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        points = corners[start:stop].reshape(-1, 3)
        middle = (points.min(axis=0) + points.max(axis=0)) / 2
        reach = float(np.linalg.norm(points - middle, axis=1).max())
        total = np.cumsum(area[start:stop])
        cdf[start:stop] = total / total[-1]
        face_emitter[glowing[start:stop]] = k
        color = radiance[tables.face_material[glowing[start]]]
        power = float(color @ _LUMINANCE + 1e-6) * float(total[-1])
        row = (MESH, middle, reach, power, color, _NONE, _NONE, float(total[-1]), -1.0, start, stop)
        rows.append(row)
    return rows, glowing.astype(np.int32), cdf, face_emitter


def _grid(tables: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A grid over the scene with cells of about `CELL_M`, at most `MAX_CELLS` along an axis."""
    used = tables.vertices[:-1].astype(np.float64)
    low, high = used.min(axis=0) - 1e-3, used.max(axis=0) + 1e-3
    shape = np.ceil((high - low) / CELL_M).clip(1, MAX_CELLS).astype(np.int32)
    return low, shape / (high - low), shape


def _light(light: Light, centre_world: Float64[np.ndarray, "3"]) -> _Row | None:
    color = np.nan_to_num(np.array(light.intensity, dtype=np.float64), posinf=1e6).clip(min=0)
    brightness = float(color @ _LUMINANCE)
    start = np.array(light.position_world, dtype=np.float64) - centre_world
    axis = np.array(light.direction_world, dtype=np.float64)
    length = float(np.linalg.norm(axis))
    if not color.any() or not np.isfinite(start).all():
        return None
    if light.kind in ("spot", "sun"):
        if not (np.isfinite(length) and length > 0):
            return None
        axis = axis / length
    size = max(float(light.radius_m), 0.0)
    if light.kind == "sun":
        return (SUN, _NONE, 0.0, brightness, color, axis, _NONE, size, -1.0, 0, 0)
    if light.kind == "line":
        way = np.array(light.end_world, dtype=np.float64) - centre_world - start
        span = float(np.linalg.norm(way))
        if not (np.isfinite(span) and span > 0):
            return None
        return (LINE, start, span + size, brightness * span, color, way, _NONE, size, -1.0, 0, 0)
    cone = float(np.cos(light.cone_rad)) if light.kind == "spot" else -1.0
    return (POINT, start, size, brightness, color, axis, _NONE, size, cone, 0, 0)


def _portals(
    scene: Scene, sky: Float64[np.ndarray, "3 3"], centre_world: Float64[np.ndarray, "3"]
) -> list[_Row]:
    rows: list[_Row] = []
    brightness = float(sky.mean(axis=0) @ _LUMINANCE) + 1e-6
    for corners in () if scene.portals_world is None else scene.portals_world:
        quad = corners.astype(np.float64) - centre_world
        first, second = quad[1] - quad[0], quad[3] - quad[0]
        area = float(np.linalg.norm(np.cross(first, second)))
        if not (np.isfinite(area) and area > 1e-9):
            continue
        middle = quad[0] + (first + second) / 2
        reach = float(np.linalg.norm(quad - middle, axis=1).max())
        rows.append(
            (PORTAL, middle, reach, brightness * area, _NONE, first, second, area, -1.0, 0, 0)
        )
    return rows
