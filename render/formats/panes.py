"""Panes in the meshes of windows and mirrors, the openings they stand for, and texture coordinates for those without."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from scenelift.render.scene import Material, Mesh, Node

MIN_SIDE_M = 0.15
MIN_FILL = 0.6
"""A pane fills most of its bounding rectangle; the front of a frame, a ring, does not."""
MIN_PORTAL_M2 = 0.1


def find_panes(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Bool[np.ndarray, " f"]:
    """Find the faces of flat, filled, broad patches that lie in the plane of a window.

    Args:
        vertices: In metres.
        faces: Of one window or mirror with its frame.

    Returns:
        True for the faces of panes; none if the object is no upright plate.
    """
    axis = _thin_axis(vertices[faces].reshape(-1, 3))
    result = np.zeros(len(faces), bool)
    if axis is None:
        return result
    corners = vertices[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(normal, axis=1)
    facing = np.flatnonzero(np.abs(normal[:, axis]) > 0.95 * np.maximum(double_area, 1e-12))
    across = [index for index in (0, 1, 2) if index != axis]
    for patch in _patches(vertices, faces[facing]):
        chosen = facing[patch]
        flat = corners[chosen][..., across].reshape(-1, 2)
        sides = np.ptp(flat, axis=0)
        if sides.min() >= MIN_SIDE_M and double_area[chosen].sum() / 2 >= MIN_FILL * sides.prod():
            result[chosen] = True
    return result


def _thin_axis(points: Float[np.ndarray, "n 3"]) -> int | None:
    """Axis across an upright plate: x or z, if its extent is less than a third of the others'."""
    if not len(points):
        return None
    extent = np.ptp(points, axis=0)
    axis = 0 if extent[0] < extent[2] else 2
    return axis if extent[axis] < np.delete(extent, axis).min() / 3 else None


def _patches(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> list[Int[np.ndarray, " k"]]:
    """Group faces that share a corner's place, to a tenth of a millimetre."""
    if not len(faces):
        return []
    _, places = np.unique(
        (vertices[faces].reshape(-1, 3) * 1e4).round(), axis=0, return_inverse=True
    )
    places = places.reshape(-1, 3)
    count = int(places.max()) + 1
    rows, columns = places[:, [0, 1]].ravel(), places[:, [1, 2]].ravel()
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    label = labels[places[:, 0]]
    order = np.argsort(label, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(label[order])) + 1)


def with_pane_material(mesh: Mesh, *, panes: Bool[np.ndarray, " f"], material: Material) -> Mesh:
    """Give some faces of a mesh another material."""
    if not panes.any():
        return mesh
    return replace(
        mesh,
        materials=(*mesh.materials, material),
        face_materials=np.where(panes, len(mesh.materials), mesh.face_materials),
    )


def find_portals(
    windows: Sequence[Node], *, walls: Float[np.ndarray, "f 3 3"]
) -> Float[np.ndarray, "p 4 3"] | None:
    """Return the rectangle of each window that light can pass, in the middle of its plate.

    Args:
        windows: Nodes of windows along x or z, of glass or empty frames; others give none.
        walls: World triangles: a window painted onto a wall is no portal.

    Returns:
        Corners in world coordinates; None if there is no portal.
    """
    portals = []
    placed = [
        node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
        for node in windows
    ]
    blind = [_blind_panes(node, points) for node, points in zip(windows, placed, strict=True)]
    solid = np.concatenate([walls, *blind])
    for points in placed:
        axis = _thin_axis(points)
        if axis is None:
            continue
        low, high = points.min(axis=0), points.max(axis=0)
        across = 2 - axis
        if (high - low)[[across, 1]].prod() < MIN_PORTAL_M2:
            continue
        corners = np.tile((low + high) / 2, (4, 1))
        corners[:, across] = (low[across], high[across], high[across], low[across])
        corners[:, 1] = (low[1], low[1], high[1], high[1])
        if _open_share(corners, axis=axis, solid=solid) >= 0.5:
            portals.append(corners)
    return np.stack(portals) if portals else None


def _blind_panes(node: Node, points: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "f 3 3"]:
    """Return the world triangles of a window's panes that let no light through."""
    glass = np.array([material.is_glass for material in node.mesh.materials])
    panes = find_panes(points, node.mesh.faces) & ~glass[node.mesh.face_materials]
    return np.asarray(points[node.mesh.faces[panes]])


def _open_share(
    corners: Float[np.ndarray, "4 3"], *, axis: int, solid: Float[np.ndarray, "f 3 3"]
) -> float:
    """Share of 5 x 5 lines through a rectangle, half a metre to both sides, that meet no solid triangle."""
    across = 2 - axis
    steps = (np.arange(5) + 0.5) / 5
    low, high = corners.min(axis=0), corners.max(axis=0)
    flat = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 1, 2)
    flat = low[[across, 1]] + flat * (high - low)[[across, 1]]
    near = np.abs(solid[..., axis] - corners[0, axis]).min(axis=1) < 0.5
    triangles = solid[near][..., [across, 1]]
    sides = []
    for index in range(3):
        start, end = triangles[:, index], triangles[:, (index + 1) % 3]
        edge, offset = end - start, flat - start
        sides.append(edge[:, 0] * offset[..., 1] - edge[:, 1] * offset[..., 0])
    side = np.stack(sides)
    covered = np.any(np.all(side > 0, axis=0) | np.all(side < 0, axis=0), axis=1)
    return float(1 - covered.mean())


def box_uvs(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "f 3 2"]:
    """Make texture coordinates in metres along the axis plane that each face is nearest to.

    >>> box_uvs(np.array([[0.0, 0, 0], [2, 0, 0], [2, 3, 0]]), np.array([[0, 1, 2]])).tolist()
    [[[0.0, 0.0], [2.0, 0.0], [2.0, 3.0]]]
    """
    corners = vertices[faces]
    normal = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]))
    axis = normal.argmax(axis=1)
    u = np.where(axis == 0, 2, 0)
    v = np.where(axis == 1, 2, 1)
    rows = np.arange(len(faces))[:, None]
    cols = np.arange(3)[None]
    return np.stack((corners[rows, cols, u[:, None]], corners[rows, cols, v[:, None]]), axis=-1)


def with_box_uvs(mesh: Mesh) -> Mesh:
    """Give a textured mesh without texture coordinates those of `box_uvs`; others stay as they are."""
    textured = any(material.texture is not None for material in mesh.materials)
    if not textured or (mesh.corner_uvs is not None and mesh.corner_uvs.any()):
        return mesh
    return replace(mesh, corner_uvs=box_uvs(mesh.vertices, mesh.faces))
