"""Shapes turned about the y axis."""

from dataclasses import replace

import numpy as np

from scenelift.render.furniture.shapes.shape import (
    CREASE_COS,
    Outline,
    Shape,
    Vec3,
    crease_ends,
    grid_faces,
)


def lathe(
    profile: Outline,
    *,
    segments: int = 20,
    crease_cos: float = CREASE_COS,
) -> Shape:
    """Turn a profile about the y axis.

    Parts that lie nearly level get their texture from above, as if cut from a board.

    Args:
        profile: (radius, height) in metres, outside from bottom to top, then possibly back down inside; radius 0
            closes it. Consecutive points must differ.
        segments: Corners of each ring.
        crease_cos: Cosine of the turn above which the profile is shaded as smooth.
    """
    points = np.asarray(profile, float)
    step = np.diff(points, axis=0)
    length = np.linalg.norm(step, axis=1)
    side = np.stack([step[:, 1], -step[:, 0]], axis=1) / length[:, None]
    ends = crease_ends(side, crease_cos=crease_cos, closed=False)
    angle = np.arange(segments + 1) * (2 * np.pi / segments)
    cos, sin = np.cos(angle), np.sin(angle)
    ring = points[:, 0, None]
    vertices = np.stack(
        [ring * cos[:-1], np.repeat(points[:, 1, None], segments, axis=1), ring * -sin[:-1]], axis=2
    ).reshape(-1, 3)
    faces, row, column = grid_faces(len(points), segments, True)
    segment = row.min(axis=1)
    normal2 = ends[segment[:, None], row - segment[:, None]]
    normals = np.stack(
        [normal2[..., 0] * cos[column], normal2[..., 1], normal2[..., 0] * -sin[column]], axis=2
    )
    along = np.concatenate([[0.0], np.cumsum(length)])
    radius = max(float(points[:, 0].mean()), 1e-3)
    uvs = np.stack([angle[column] * radius, along[row]], axis=2)
    level = np.abs(side[segment, 1]) > 0.8
    uvs[level] = vertices[faces[level]][..., [0, 2]]
    pole = points[:, 0] <= 1e-9
    flat_row = np.where((row == segment[:, None]).sum(axis=1) == 2, segment, segment + 1)
    keep = ~pole[flat_row]
    return Shape(vertices=vertices, faces=faces[keep], uvs=uvs[keep], normals=normals[keep])


def cylinder(
    radius: float, height: float, *, segments: int = 20, top_radius: float | None = None
) -> Shape:
    """Make a closed cylinder or frustum that stands on y = 0."""
    top = radius if top_radius is None else top_radius
    return lathe([(0.0, 0.0), (radius, 0.0), (top, height), (0.0, height)], segments=segments)


def ball(radii: Vec3, *, segments: int = 16, rings: int = 9) -> Shape:
    """Make an ellipsoid that rests on y = 0."""
    angle = np.linspace(-np.pi / 2, np.pi / 2, rings)
    profile = np.stack([np.cos(angle), np.sin(angle) + 1], axis=1)
    profile[[0, -1], 0] = 0.0
    unit = lathe(profile, segments=segments, crease_cos=-1.0)
    shape = unit.scaled(radii)
    return replace(shape, uvs=unit.uvs * max(radii))
