"""Looks for things that intersect, float or stick out of a scene, on its meshes."""

import hashlib
from dataclasses import replace

import numpy as np
from scipy import ndimage

from scenelift.render.engines import prepare
from scenelift.render.rooms.contact import (
    bounds,
    cross,
    gap_m,
    resting_points,
    world_triangles,
)
from scenelift.render.rooms.outline import distance_to_walls_m, inside
from scenelift.render.scene import Node, Scene

SHELL = ("wall", "floor", "ceiling", "door", "window", "passage")
REST_M = 2e-3
_SIDES = (
    (0.0, -1.0, 0.0),
    (0.0, 1.0, 0.0),
    (1.0, 0.0, 0.0),
    (-1.0, 0.0, 0.0),
    (0.0, 0.0, 1.0),
    (0.0, 0.0, -1.0),
)


def furniture(scene: Scene) -> list[Node]:
    """Everything that is not the room itself."""
    return [node for node in scene.nodes if node.category not in SHELL]


def intersections(scene: Scene) -> list[tuple[str, str]]:
    """Pairs of instances whose surfaces cross, pairs within the shell excepted."""
    nodes = [node for node in scene.nodes if len(node.mesh.faces)]
    triangles = [world_triangles(node.mesh, node.T_world_object) for node in nodes]
    boxes = np.stack([bounds(part) for part in triangles])
    found = []
    for i, node in enumerate(nodes):
        meet = (boxes[:, 0] <= boxes[i, 1] + 1e-3) & (boxes[:, 1] >= boxes[i, 0] - 1e-3)
        for j in np.flatnonzero(meet.all(axis=1)):
            if j <= i or (node.category in SHELL and nodes[j].category in SHELL):
                continue
            if cross(triangles[i], triangles[j]):
                found.append((node.name, nodes[j].name))
    return found


def floating(scene: Scene) -> list[str]:
    """Instances of which no outermost point is within 2 mm of another surface, in any of the six directions.

    Things on a floor, a table or a rug touch downwards, ceiling lamps upwards, pictures sideways.
    """
    nodes = [node for node in scene.nodes if len(node.mesh.faces)]
    triangles = [world_triangles(node.mesh, node.T_world_object) for node in nodes]
    boxes = np.stack([bounds(part) for part in triangles])
    found = []
    for i, node in enumerate(nodes):
        if node.category in SHELL:
            continue
        near = (boxes[:, 0] <= boxes[i, 1] + REST_M) & (boxes[:, 1] >= boxes[i, 0] - REST_M)
        others = [triangles[j] for j in np.flatnonzero(near.all(axis=1)) if j != i]
        if not any(_touches(triangles[i], others, side=side) for side in _directions(node)):
            found.append(node.name)
    return found


def _directions(node: Node) -> tuple[tuple[float, float, float], ...]:
    back = -node.T_world_object[:3, 2] / np.linalg.norm(node.T_world_object[:3, 2])
    return (*_SIDES[:2], (float(back[0]), float(back[1]), float(back[2])))


def _touches(
    triangles: np.ndarray, others: list[np.ndarray], *, side: tuple[float, float, float]
) -> bool:
    points = resting_points(triangles, direction=side)
    return any(
        abs(gap_m(points, other, direction=side, reach_m=REST_M, behind_m=REST_M)) <= REST_M
        for other in others
    )


def outside(scene: Scene, *, tolerance_m: float = 1e-3) -> list[str]:
    """Instances that reach beyond their room's outline, floor or ceiling; on a window's sill they may."""
    sills = [
        bounds(world_triangles(node.mesh, node.T_world_object)) + np.array([[-0.02], [0.02]])
        for node in scene.nodes
        if node.category == "window"
    ]
    found = []
    for node in furniture(scene):
        if node.room is None:
            continue
        room = scene.rooms[node.room]
        points = world_triangles(node.mesh, node.T_world_object).reshape(-1, 3)
        for low, high in sills:
            points = points[~((points >= low) & (points <= high)).all(axis=1)]
        if not len(points):
            continue
        ground = points[:, [0, 2]]
        strays = ground[~inside(room.outline_xz, ground)]
        if (
            (len(strays) and distance_to_walls_m(room.outline_xz, strays).max() > tolerance_m)
            or points[:, 1].min() < room.floor_y_m - tolerance_m
            or points[:, 1].max() > room.ceiling_y_m + tolerance_m
        ):
            found.append(node.name)
    return found


def bare_boxes(scene: Scene) -> list[str]:
    """Instances of furniture that are nothing but a box."""
    return [node.name for node in furniture(scene) if len(node.mesh.faces) <= 12]


def ways_are_free(scene: Scene, *, clearance_m: float = 0.2, cell_m: float = 0.025) -> bool:
    """Whether a disc can be pushed from each door to all others and to the room's middle.

    What stands in the way is found by rays from head height down, so that nothing of the generator's own maps is used.
    """
    room = scene.rooms[0]
    low, high = room.outline_xz.min(axis=0), room.outline_xz.max(axis=0)
    x, z = (np.arange(low[k] + cell_m / 2, high[k], cell_m) for k in range(2))
    cells = np.stack(np.meshgrid(x, z, indexing="ij"), axis=-1)
    flat = cells.reshape(-1, 2)
    obstacles = [
        node
        for node in furniture(scene)
        if world_triangles(node.mesh, node.T_world_object)[..., 1].max() > 0.06
    ]
    blocked = ~inside(room.outline_xz, flat)
    if obstacles:
        with prepare(replace(scene, nodes=tuple(obstacles)), engine="embree") as engine:
            origins = np.insert(flat, 1, 1.89, axis=1)
            distance, _ = engine.first_hits(origins, np.tile([0.0, -1.0, 0.0], (len(flat), 1)))
        blocked |= distance < 1.89 - 0.065
    grid = ~blocked.reshape(cells.shape[:2])
    reach = cell_m * np.asarray(ndimage.distance_transform_edt(grid))
    free = reach > clearance_m
    areas = np.zeros(free.shape, dtype=np.int32)
    ndimage.label(free, output=areas)
    if not free.any():
        return False
    biggest = int(np.bincount(areas[free]).argmax())
    spots = flat[(areas == biggest).ravel()]
    return all(np.hypot(*(spots - door).T).min() < 0.45 for door in _doors(scene))


def _doors(scene: Scene) -> list[np.ndarray]:
    """Places 0.4 m before the middle of each door, inside."""
    found = []
    for node in scene.nodes:
        if node.category not in ("door", "passage") or not node.name.startswith("shell/"):
            continue
        frame = node.mesh.vertices[node.mesh.vertices[:, 2] <= 0.0]
        middle = (frame[:, 0].min() + frame[:, 0].max()) / 2
        world = node.T_world_object @ (middle, 0.0, 0.4, 1.0)
        found.append(world[[0, 2]])
    return found


def fingerprint(scene: Scene) -> str:
    """A hash over all that a scene holds."""
    digest = hashlib.sha256(repr((scene.name, scene.lights, scene.sky, scene.licence)).encode())
    for room in scene.rooms:
        digest.update(room.outline_xz.tobytes() + room.kind.encode())
    for node in scene.nodes:
        mesh = node.mesh
        digest.update(f"{node.name} {node.category} {node.semantic} {node.room}".encode())
        for array in (
            node.T_world_object,
            mesh.vertices,
            mesh.faces,
            mesh.face_materials,
            mesh.corner_uvs,
            mesh.corner_normals,
        ):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        for material in mesh.materials:
            digest.update(repr(replace(material, texture=None)).encode())
            if material.texture is not None:
                digest.update(material.texture.pixels.tobytes())
    if scene.portals_world is not None:
        digest.update(scene.portals_world.tobytes())
    return digest.hexdigest()
