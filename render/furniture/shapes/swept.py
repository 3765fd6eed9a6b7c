"""Rods and tubes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from scenelift.render.furniture.shapes.shape import (
    Shape,
    Vec3,
    grid_faces,
)


def rods(
    starts: Float[np.ndarray, "n 3"],
    ends: Float[np.ndarray, "n 3"],
    *,
    radius: float,
    end_radius: float | None = None,
    segments: int = 8,
    square: bool = False,
) -> Shape:
    """Make straight closed rods between points, round or square, possibly tapered.

    Args:
        starts: One end of each axis in metres.
        ends: The other end; must differ from `starts`.
        radius: Half the thickness at the start.
        end_radius: Half the thickness at the end; None: as at the start.
        segments: Corners of a round section.
        square: A square section with flat sides instead of a round one.
    """
    count = len(starts)
    axis = ends - starts
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    axis = axis / length
    helper = np.where(np.abs(axis[:, 2:3]) > 0.9, (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))
    across = np.cross(helper, axis)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(axis, across)
    sides = 4 if square else segments
    angle = (np.arange(sides + 1) + (0.5 if square else 0.0)) * (2 * np.pi / sides)
    radii = np.array([radius, radius if end_radius is None else end_radius])
    if square:
        radii = radii * np.sqrt(2)
    spoke = (
        np.cos(angle)[None, :, None] * across[:, None]
        + np.sin(angle)[None, :, None] * other[:, None]
    )
    centres = np.stack([starts, ends], axis=1)
    vertices = centres[:, :, None] + spoke[:, None, :sides] * radii[:, None, None]
    faces, row, column = grid_faces(2, sides, True)
    cap = np.stack([np.zeros(sides - 2, int), np.arange(1, sides - 1), np.arange(2, sides)], axis=1)
    all_faces = np.concatenate([faces, cap[:, ::-1], cap + sides])
    if square:
        middle = angle[column.min(axis=1)] + np.pi / sides
        flat = (
            np.cos(middle)[None, :, None] * across[:, None]
            + np.sin(middle)[None, :, None] * other[:, None]
        )
        side_normals = np.repeat(flat[:, :, None], 3, axis=2)
    else:
        side_normals = spoke[:, column]
    caps = np.ones((count, sides - 2, 3, 1)) * axis[:, None, None]
    normals = np.concatenate([side_normals, -caps, caps], axis=1)
    side_uvs = np.stack(
        [
            np.broadcast_to(angle[column] * radius, (count, *column.shape)),
            row[None] * length[:, :, None],
        ],
        axis=3,
    )
    plane = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:sides] * radius
    cap_uvs = np.broadcast_to(np.concatenate([plane[cap], plane[cap]]), (count, 2 * len(cap), 3, 2))
    steps = np.arange(count)[:, None, None] * (2 * sides)
    shift = (starts @ np.array([[1.7, 2.9], [3.1, 1.3], [2.3, 4.7]]))[:, None, None]
    return Shape(
        vertices=vertices.reshape(-1, 3),
        faces=(all_faces[None] + steps).reshape(-1, 3),
        uvs=(np.concatenate([side_uvs, cap_uvs], axis=1) + shift).reshape(-1, 3, 2),
        normals=normals.reshape(-1, 3, 3),
    )


def rod(
    start: Vec3,
    end: Vec3,
    *,
    radius: float,
    end_radius: float | None = None,
    segments: int = 10,
    square: bool = False,
) -> Shape:
    """Make one straight rod; see `rods`."""
    return rods(
        np.array([start], float),
        np.array([end], float),
        radius=radius,
        end_radius=end_radius,
        segments=segments,
        square=square,
    )


def tube(
    path: Sequence[Vec3] | Float[np.ndarray, "n 3"],
    *,
    radius: float | Float[np.ndarray, " n"],
    segments: int = 8,
    closed: bool = False,
) -> Shape:
    """Sweep a circle along a path.

    Args:
        path: Points in metres, consecutive ones distinct.
        radius: Metres, one or one a point.
        segments: Corners of the section.
        closed: Whether the last point joins the first; such a path must lie in a plane.
    """
    points = np.asarray(path, float)
    count = len(points)
    radii = np.broadcast_to(np.asarray(radius, float), (count,))
    if closed:
        tangent = np.roll(points, -1, axis=0) - np.roll(points, 1, axis=0)
    else:
        tangent = np.gradient(points, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = _carried_frames(tangent)
    other = np.cross(tangent, across)
    angle = np.arange(segments + 1) * (2 * np.pi / segments)
    spoke = (
        np.cos(angle)[None, :, None] * across[:, None]
        + np.sin(angle)[None, :, None] * other[:, None]
    )
    vertices = (points[:, None] + spoke[:, :segments] * radii[:, None, None]).reshape(-1, 3)
    rows = count + 1 if closed else count
    faces, row, column = grid_faces(rows, segments, True)
    normals = spoke[row % count, column]
    steps = np.linalg.norm(np.diff(points, axis=0, append=points[:1]), axis=1)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    uvs = np.stack([angle[column] * radii.mean(), along[row]], axis=2)
    if closed:
        return Shape(vertices=vertices, faces=faces % len(vertices), uvs=uvs, normals=normals)
    cap = np.stack(
        [np.zeros(segments - 2, int), np.arange(1, segments - 1), np.arange(2, segments)], axis=1
    )
    plane = np.stack([np.cos(angle), np.sin(angle)], axis=1)[:segments] * radii[0]
    ones = np.ones((segments - 2, 3, 1))
    return Shape(
        vertices=vertices,
        faces=np.concatenate([faces, cap[:, ::-1], cap + (count - 1) * segments]),
        uvs=np.concatenate([uvs, plane[cap], plane[cap]]),
        normals=np.concatenate([normals, -tangent[0] * ones, tangent[-1] * ones]),
    )


def _carried_frames(tangent: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Carry a vector across the tangents so that a swept section does not twist."""
    across = np.zeros_like(tangent)
    helper = np.eye(3)[int(np.abs(tangent).max(axis=0).argmin())]
    current = np.cross(helper, tangent[0])
    for index, direction in enumerate(tangent):
        current = current - direction * (current @ direction)
        current /= np.sqrt(current @ current)
        across[index] = current
    return across
