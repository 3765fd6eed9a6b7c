"""Light for scenes that come without any: bare layouts and models whose lamps no format told us of.

World: metres, y up.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from scenelift.render.scene import Light, Room, Scene

WARM_WHITE = (1.0, 0.92, 0.8)
"""Colour of an added lamp, linear."""
LAMP_AREA_M2, MAX_LAMPS = 25.0, 6
"""One lamp to this much floor, and no more than these in one room."""
LAMP_DROP_M, LAMP_RADIUS_M = 0.25, 0.12
"""How far below the ceiling an added lamp hangs, and its size."""
INTENSITY_PER_M2 = 0.6
"""W / sr of lamps for each square metre of floor."""


def has_light(scene: Scene) -> bool:
    """Whether anything in a scene emits, or daylight has an opening to come through.

    The sky alone does not count: most rooms are closed.
    """
    if any(max(light.intensity) > 0 for light in scene.lights):
        return True
    if scene.portals_world is not None and len(scene.portals_world) > 0:
        sky = (*scene.sky.zenith, *scene.sky.horizon, *scene.sky.ground)
        if max(sky) > 0:
            return True
    for node in scene.nodes:
        mesh = node.mesh
        if not len(mesh.faces):
            continue
        used = np.unique(mesh.face_materials)
        if any(max(mesh.materials[int(i)].emission) > 0 for i in used):
            return True
    return False


def with_default_lights(scene: Scene) -> Scene:
    """Hang lamps under the ceilings of a scene that has no light of its own; leave any other as it is.

    Each room gets one invisible lamp for every 25 m^2 of floor, as far from the walls as may be. A scene without
    rooms gets lamps at seven eighths of its height, spread over its plan. The sky stays: what is open sees it too.

    >>> from scenelift.render.scene import Material, Mesh, Node
    >>> mesh = Mesh(
    ...     vertices=np.array([[0.0, 0.0, 0.0], [4.0, 0.0, 0.0], [0.0, 0.0, 4.0], [0.0, 2.0, 0.0]]),
    ...     faces=np.array([[0, 1, 2], [0, 1, 3]]),
    ...     materials=(Material(name="grey"),),
    ...     face_materials=np.array([0, 0]),
    ... )
    >>> node = Node(name="a", mesh=mesh, T_world_object=np.eye(4), category="", semantic=0)
    >>> [light.position_world for light in with_default_lights(Scene(name="s", nodes=(node,))).lights]
    [(2.0, 1.75, 2.0)]
    """
    if has_light(scene):
        return scene
    lights: list[Light] = []
    for index, room in enumerate(scene.rooms):
        lights += _room_lamps(room, index)
    if not lights:
        lights = _plan_lamps(scene)
    return replace(scene, lights=tuple(lights))


def _room_lamps(room: Room, index: int) -> list[Light]:
    outline = np.asarray(room.outline_xz, dtype=np.float64)
    area = _area(outline)
    height = room.ceiling_y_m - room.floor_y_m
    if not (area > 0 and height > 0):
        return []
    y = room.ceiling_y_m - min(LAMP_DROP_M, 0.2 * height)
    places = _spread(outline, count=_count(area))
    return [_lamp((x, y, z), area / len(places), room=index) for x, z in places]


def _plan_lamps(scene: Scene) -> list[Light]:
    """Lamps over the bounding box of a scene whose rooms are unknown."""
    corners = []
    for node in scene.nodes:
        if len(node.mesh.vertices):
            world = node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
            corners += [world.min(axis=0), world.max(axis=0)]
    low, high = np.min(corners, axis=0), np.max(corners, axis=0)
    size = np.maximum(high - low, 1e-3)
    area = float(size[0] * size[2])
    columns = int(np.clip(round(float(size[0]) / LAMP_AREA_M2**0.5), 1, 4))
    rows = int(np.clip(round(float(size[2]) / LAMP_AREA_M2**0.5), 1, 4))
    y = float(low[1] + 0.875 * size[1])
    return [
        _lamp(
            (
                float(low[0] + (i + 0.5) / columns * size[0]),
                y,
                float(low[2] + (j + 0.5) / rows * size[2]),
            ),
            area / (rows * columns),
            room=None,
        )
        for i in range(columns)
        for j in range(rows)
    ]


def _lamp(at: tuple[float, float, float], area_m2: float, *, room: int | None) -> Light:
    strength = INTENSITY_PER_M2 * min(max(area_m2, 1.0), 4 * LAMP_AREA_M2)
    red, green, blue = WARM_WHITE
    return Light(
        kind="point",
        intensity=(strength * red, strength * green, strength * blue),
        position_world=at,
        radius_m=LAMP_RADIUS_M,
        name="default lamp",
        room=room,
    )


def _count(area_m2: float) -> int:
    return int(np.clip(np.ceil(area_m2 / LAMP_AREA_M2 - 0.2), 1, MAX_LAMPS))


def _area(outline_xz: Float[np.ndarray, "n 2"]) -> float:
    x, z = outline_xz.T
    return abs(float((x * np.roll(z, -1) - np.roll(x, -1) * z).sum())) / 2


def _spread(outline_xz: Float[np.ndarray, "n 2"], *, count: int) -> list[tuple[float, float]]:
    """Choose points inside an outline: first the one farthest from the walls, then those far from all chosen."""
    low, high = outline_xz.min(axis=0), outline_xz.max(axis=0)
    steps = (np.arange(25) + 0.5) / 25
    grid = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    points = low + grid * (high - low)
    points = points[_inside(outline_xz, points)]
    if not len(points):
        points = outline_xz.mean(axis=0, keepdims=True)
    clearance = _wall_distance(outline_xz, points)
    chosen = [int(np.argmax(np.round(clearance, 9)))]
    while len(chosen) < count:
        away = np.linalg.norm(points[:, None] - points[chosen], axis=2).min(axis=1)
        chosen.append(int(np.argmax(np.round(np.minimum(away, 2 * clearance), 9))))
    return [(float(points[i, 0]), float(points[i, 1])) for i in chosen]


def _inside(
    outline_xz: Float[np.ndarray, "n 2"], points: Float[np.ndarray, "p 2"]
) -> Bool[np.ndarray, " p"]:
    """Even-odd rule."""
    a, b = outline_xz, np.roll(outline_xz, -1, axis=0)
    x, z = points[:, :1], points[:, 1:]
    spans = (a[:, 1] > z) != (b[:, 1] > z)
    rise = np.where(b[:, 1] == a[:, 1], 1.0, b[:, 1] - a[:, 1])
    crossing = a[:, 0] + (z - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    return np.asarray((spans & (x < crossing)).sum(axis=1) % 2 == 1)


def _wall_distance(
    outline_xz: Float[np.ndarray, "n 2"], points: Float[np.ndarray, "p 2"]
) -> Float[np.ndarray, " p"]:
    a = outline_xz
    way = np.roll(outline_xz, -1, axis=0) - a
    square = np.maximum((way**2).sum(axis=1), 1e-12)
    along = (((points[:, None] - a) * way).sum(axis=2) / square).clip(0, 1)
    nearest = a + along[..., None] * way
    return np.asarray(np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1))
