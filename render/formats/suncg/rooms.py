"""Rooms from their meshes: the outline of the floor, its height and the ceiling's. World: metres, y up."""

from collections import defaultdict

import cv2
import numpy as np
from jaxtyping import Float, Int

from scenelift.render.scene import Mesh, Room

CEILING_M = 2.7
"""Height of a room without walls and ceiling, as out of doors."""

_FLAT = 0.7
"""Least height of the unit normal of a face that one can stand on."""
_WELD_M = 1e-4
_GRID_PX = 1500


def make_room(
    *,
    name: str,
    kind: str,
    floor: Float[np.ndarray, "f 3 3"],
    ceiling: Float[np.ndarray, "c 3 3"],
    walls: Float[np.ndarray, "w 3 3"],
) -> Room | None:
    """Make a room from the triangles of its parts, in the world; None if it has no floor to stand on.

    Without a ceiling it reaches to the top of its walls, without these 2.7 m.
    """
    found = floor_of(floor)
    if found is None:
        return None
    outline, floor_y_m = found
    above = ceiling[..., 1].min(initial=np.inf)
    if not len(ceiling):
        above = walls[..., 1].max() if len(walls) else floor_y_m + CEILING_M
    if above < floor_y_m + 0.5:
        above = floor_y_m + CEILING_M
    return Room(
        name=name, kind=kind, outline_xz=outline, floor_y_m=floor_y_m, ceiling_y_m=float(above)
    )


def world_triangles(
    mesh: Mesh, T_world_object: Float[np.ndarray, "4 4"]
) -> Float[np.ndarray, "f 3 3"]:
    """Return the corners of a mesh's triangles in the world."""
    vertices = mesh.vertices @ T_world_object[:3, :3].T + T_world_object[:3, 3]
    return np.asarray(vertices[mesh.faces])


def floor_of(
    triangles: Float[np.ndarray, "f 3 3"],
) -> tuple[Float[np.ndarray, "n 2"], float] | None:
    """Return outline and height of a floor.

    Args:
        triangles: Of the floor, a sheet or a slab; the topmost faces that lie flat count.

    Returns:
        Corners as (x, z), counter-clockwise seen from above, holes left out; and the height in metres. None if no face
        lies flat.
    """
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.linalg.norm(normal, axis=1)
    flat = (np.abs(normal[:, 1]) > _FLAT * length) & (length > 1e-12)
    if not flat.any():
        return None
    heights = triangles[flat][..., 1].mean(axis=1)
    top = triangles[flat][heights > heights.max() - 0.03]
    top = np.where((_areas(top) > 0)[:, None, None], top, top[:, ::-1])
    outline = _outline(top[..., [0, 2]])
    return outline, float(top[..., 1].mean())


def _areas(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, " f"]:
    """Return areas in the floor's plane, positive if counter-clockwise seen from above."""
    a, b = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    return np.asarray((a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2]) / 2)


def _outline(triangles: Float[np.ndarray, "f 3 2"]) -> Float[np.ndarray, "n 2"]:
    """Return the outer boundary of triangles that are counter-clockwise seen from above.

    Exact where they fit edge to edge; else, as where they overlap, from a picture of them with pixels of 1 cm or more.
    """
    points = triangles.reshape(-1, 2)
    origin = points.min(axis=0)
    grid = np.round((points - origin) / _WELD_M).astype(np.int64)
    _, first, corner = np.unique(grid, axis=0, return_index=True, return_inverse=True)
    welded, faces = points[first] - origin, corner.reshape(-1, 3)
    loops = _loops(faces)
    areas = [_loop_area(welded[loop]) for loop in loops]
    a, b = (welded[faces[:, corner]] - welded[faces[:, 0]] for corner in (1, 2))
    covered = float((a[:, 1] * b[:, 0] - a[:, 0] * b[:, 1]).sum() / 2)
    one_piece = sum(area > 0 for area in areas) == 1
    if one_piece and abs(sum(areas) - covered) < 1e-3 * covered:
        outline = _straightened(welded[loops[int(np.argmax(areas))]])
        if len(outline) >= 3:
            return np.asarray(outline + origin)
    return np.asarray(_drawn_outline(triangles - origin) + origin)


def _loops(faces: Int[np.ndarray, "f 3"]) -> list[list[int]]:
    """Chain the edges that no neighbour shares into closed loops; none if they do not close."""
    edges = set()
    for a, b, c in faces.tolist():
        for edge in ((a, b), (b, c), (c, a)):
            if edge in edges or edge[0] == edge[1]:
                return []
            edges.add(edge)
    border = {edge for edge in edges if edge[::-1] not in edges}
    following = defaultdict(list)
    for a, b in sorted(border):
        following[a].append(b)
    if any(len(nexts) != 1 for nexts in following.values()):
        return []
    loops = []
    while following:
        start = min(following)
        loop, here = [start], following.pop(start)[0]
        while here != start:
            if here not in following:
                return []
            loop.append(here)
            here = following.pop(here)[0]
        loops.append(loop)
    return loops


def _loop_area(loop: Float[np.ndarray, "n 2"]) -> float:
    x, z = loop.T
    return float((z * np.roll(x, -1) - x * np.roll(z, -1)).sum() / 2)


def _straightened(loop: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "m 2"]:
    """Leave out corners at which the boundary goes straight on."""
    back, ahead = loop - np.roll(loop, 1, axis=0), np.roll(loop, -1, axis=0) - loop
    turn = np.abs(back[:, 0] * ahead[:, 1] - back[:, 1] * ahead[:, 0])
    bent = turn > 1e-6 * np.linalg.norm(back, axis=1) * np.linalg.norm(ahead, axis=1)
    reverses = (back * ahead).sum(axis=1) < 0
    return np.asarray(loop[bent | reverses])


def _drawn_outline(triangles: Float[np.ndarray, "f 3 2"]) -> Float[np.ndarray, "n 2"]:
    """Draw the triangles and follow the largest shape's border."""
    extent = float(triangles.max())
    pixel = max(0.01, extent / _GRID_PX)
    size = int(np.ceil(extent / pixel)) + 3
    picture = np.zeros((size, size), dtype=np.uint8)
    for triangle in np.round(triangles / pixel).astype(np.int32) + 1:
        cv2.fillConvexPoly(picture, np.ascontiguousarray(triangle), 255)
    contours, _ = cv2.findContours(picture, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    largest = max(contours, key=lambda contour: (cv2.contourArea(contour), len(contour)))
    loop = cv2.approxPolyDP(largest, 1.5, True).reshape(-1, 2)
    points = (loop.astype(np.float64) - 1) * pixel
    if len(points) < 3:
        low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1)) + pixel
        return np.array([low, (low[0], high[1]), high, (high[0], low[1])])
    return points if _loop_area(points) > 0 else points[::-1]
