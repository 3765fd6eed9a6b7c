"""Where in a scene a person can stand. World: metres, y up."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from scenelift.render.engines import Engine
from scenelift.render.scene import Scene, SceneError

CELL_M = 0.25
"""Spacing of the grid of standpoints."""
_KNEE_M, _HEAD_M = 0.15, 1.75


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Standpoints:
    """Places on floors with free space above."""

    floor_world: Float[np.ndarray, "n 3"]
    """Points on the floor."""
    room: Int[np.ndarray, " n"]
    """Index into `Scene.rooms`, -1 where the scene names none."""


def find_standpoints(scene: Scene, engine: Engine) -> Standpoints:
    """List the places of a scene where a person can stand, on a grid of 0.25 m.

    In a scene with rooms these are the points of their floors with free space from knee to head; else every upward
    surface with a floor below and, if the scene has ceilings at all, a ceiling above.

    Raises:
        SceneError: if there is no such place.
    """
    places = _in_rooms(scene, engine) if scene.rooms else _in_columns(scene, engine)
    if len(places.floor_world) == 0:
        raise SceneError(
            f"{scene.name}: found no place to stand: no floor with {_HEAD_M} m of free space above it"
        )
    return places


def _in_rooms(scene: Scene, engine: Engine) -> Standpoints:
    points, rooms = [], []
    for index, room in enumerate(scene.rooms):
        low, high = room.outline_xz.min(axis=0), room.outline_xz.max(axis=0)
        xz = _grid(low, high)
        xz = xz[_inside(room.outline_xz, xz)]
        points.append(np.column_stack([xz[:, 0], np.full(len(xz), room.floor_y_m), xz[:, 1]]))
        rooms.append(np.full(len(xz), index))
    floor = np.concatenate(points)
    # One ray up from knee height: it meets a table's top, a wardrobe's (from inside), or the ceiling.
    up = np.tile((0.0, 1.0, 0.0), (len(floor), 1))
    distance, _ = engine.first_hits(floor + np.array([0, _KNEE_M, 0]), up)
    free = distance > _HEAD_M - _KNEE_M
    return Standpoints(floor_world=floor[free], room=np.concatenate(rooms)[free])


def _in_columns(scene: Scene, engine: Engine, *, most_surfaces: int = 12) -> Standpoints:
    """Walk down a grid of columns and keep the surfaces with free space above."""
    low, high = _bounds(scene)
    xz = _grid(low[[0, 2]], high[[0, 2]])
    y = np.full(len(xz), high[1] + 1.0)
    above = np.full(len(xz), np.inf)
    floors, covered = [], []
    for _ in range(most_surfaces):
        start = np.column_stack([xz[:, 0], y, xz[:, 1]])
        distance, _ = engine.first_hits(start, np.tile((0.0, -1.0, 0.0), (len(xz), 1)))
        hit = np.isfinite(distance)
        if not hit.any():
            break
        surface = y - np.where(hit, distance, 0)
        roomy = hit & (above - surface >= _HEAD_M)
        floors.append(np.column_stack([xz[:, 0], surface, xz[:, 1]])[roomy])
        covered.append(np.isfinite(above)[roomy])
        above = surface
        y = surface - 1e-3
        xz, y, above = xz[hit], y[hit], above[hit]
    if not floors:
        return Standpoints(floor_world=np.zeros((0, 3)), room=np.zeros(0, int))
    floor, has_ceiling = np.concatenate(floors), np.concatenate(covered)
    if has_ceiling.any():
        floor = floor[has_ceiling]
    # Furniture under a high ceiling is roomy too: keep the lowest storeys' floors, within a step of the commonest height.
    heights = np.round(floor[:, 1] / 0.1).astype(int)
    values, counts = np.unique(heights, return_counts=True)
    common = values[counts >= 0.25 * counts.max(initial=0)]
    floor = floor[np.isin(heights, np.concatenate([common - 1, common, common + 1]))]
    return Standpoints(floor_world=floor, room=np.full(len(floor), -1))


def _grid(
    low: Float[np.ndarray, "2"], high: Float[np.ndarray, "2"], *, most: int = 40_000
) -> Float[np.ndarray, "n 2"]:
    """Lay a grid of cell centres over a rectangle; coarser where it would have more than `most` cells."""
    area = float(np.prod(np.maximum(high - low, CELL_M)))
    cell = max(CELL_M, float(np.sqrt(area / most)))
    x = np.arange(low[0] + cell / 2, high[0], cell)
    z = np.arange(low[1] + cell / 2, high[1], cell)
    return np.stack(np.meshgrid(x, z, indexing="ij"), axis=-1).reshape(-1, 2)


def _inside(
    outline: Float[np.ndarray, "n 2"], points: Float[np.ndarray, "m 2"]
) -> Bool[np.ndarray, " m"]:
    """Even-odd test of points against a polygon."""
    inside = np.zeros(len(points), bool)
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if a[1] == b[1]:
            continue
        crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
        at = a[0] + (points[:, 1] - a[1]) * (b[0] - a[0]) / (b[1] - a[1])
        inside ^= crosses & (points[:, 0] < at)
    return inside


def _bounds(scene: Scene) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Return the corners of the scene's bounding box, in world coordinates."""
    points = [
        node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
        for node in scene.nodes
        if len(node.mesh.vertices)
    ]
    return (
        np.min([p.min(axis=0) for p in points], axis=0),
        np.max([p.max(axis=0) for p in points], axis=0),
    )
