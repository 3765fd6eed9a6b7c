"""Looks for things that intersect, float or stick out of a scene, on its meshes."""

import numpy as np

from scenelift.render.rooms.contact import (
    bounds,
    cross,
    gap_m,
    resting_points,
    world_triangles,
)
from scenelift.render.rooms.outline import inside
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
    """Instances that reach beyond their room's outline, floor or ceiling; curtains and lamps included."""
    found = []
    for node in furniture(scene):
        if node.room is None:
            continue
        room = scene.rooms[node.room]
        points = world_triangles(node.mesh, node.T_world_object).reshape(-1, 3)
        centre = room.outline_xz.mean(axis=0)
        shrunk = points[:, [0, 2]] + tolerance_m * np.sign(centre - points[:, [0, 2]])
        beyond = ~inside(room.outline_xz, shrunk)
        if (
            beyond.any()
            or points[:, 1].min() < room.floor_y_m - tolerance_m
            or points[:, 1].max() > room.ceiling_y_m + tolerance_m
        ):
            found.append(node.name)
    return found
