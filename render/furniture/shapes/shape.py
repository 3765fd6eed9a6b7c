"""The mesh of one finish, its motions, and what all shapes are made with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int

Vec3: TypeAlias = tuple[float | int, float | int, float | int]
"""Metres along x, y, z. Whole numbers are welcome."""


Outline: TypeAlias = Sequence[tuple[float | int, float | int]] | Float[np.ndarray, "n 2"]


CREASE_COS = 0.72
"""Neighbouring parts of a profile that turn less than 44 degrees are shaded as one smooth surface."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shape:
    """Triangles of one finish, in metres."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    uvs: Float[np.ndarray, "f 3 2"]
    """Texture coordinates of the corners in metres, or in [0, 1] for pictures that fill the shape."""
    normals: Float[np.ndarray, "f 3 3"]
    """Unit shading normals of the corners."""

    def moved(self, offset: Vec3) -> "Shape":
        """Return the shape shifted by metres."""
        return replace(self, vertices=self.vertices + np.asarray(offset))

    def turned(self, angle_rad: float, *, axis: Literal["x", "y", "z"] = "y") -> "Shape":
        """Return the shape rotated about an axis through the origin, counter-clockwise seen from its tip."""
        matrix = rotation(angle_rad, axis=axis)
        return replace(self, vertices=self.vertices @ matrix.T, normals=self.normals @ matrix.T)

    def scaled(self, factors: Vec3) -> "Shape":
        """Return the shape stretched about the origin; factors may be negative to mirror."""
        scale = np.asarray(factors)
        normals = self.normals / scale
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        faces, uvs = self.faces, self.uvs
        if scale.prod() < 0:
            faces, uvs, normals = faces[:, ::-1], uvs[:, ::-1], normals[:, ::-1]
        return Shape(vertices=self.vertices * scale, faces=faces, uvs=uvs, normals=normals)

    def repeated(self, offsets: Float[np.ndarray, "n 3"]) -> "Shape":
        """Return one copy of the shape at each offset, with shifted texture coordinates."""
        count = len(offsets)
        vertices = (self.vertices[None] + offsets[:, None]).reshape(-1, 3)
        steps = np.arange(count)[:, None, None] * len(self.vertices)
        shift = np.outer(np.arange(count), (0.37, 0.61))
        return Shape(
            vertices=vertices,
            faces=(self.faces[None] + steps).reshape(-1, 3),
            uvs=(self.uvs[None] + shift[:, None, None]).reshape(-1, 3, 2),
            normals=np.tile(self.normals, (count, 1, 1)),
        )


def rotation(angle_rad: float, *, axis: Literal["x", "y", "z"]) -> Float[np.ndarray, "3 3"]:
    """Return the matrix that turns counter-clockwise about an axis, seen from the axis' tip."""
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    if axis == "x":
        return np.array([[1.0, 0, 0], [0, cos, -sin], [0, sin, cos]])
    if axis == "y":
        return np.array([[cos, 0, sin], [0, 1.0, 0], [-sin, 0, cos]])
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])


def joined(shapes: Sequence[Shape]) -> Shape:
    """Return several shapes as one."""
    counts = np.cumsum([0] + [len(shape.vertices) for shape in shapes])
    return Shape(
        vertices=np.concatenate([shape.vertices for shape in shapes]),
        faces=np.concatenate(
            [shape.faces + base for shape, base in zip(shapes, counts, strict=False)]
        ),
        uvs=np.concatenate([shape.uvs for shape in shapes]),
        normals=np.concatenate([shape.normals for shape in shapes]),
    )


def flat_normals(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "f 3 3"]:
    """Return each triangle's own normal at its three corners."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    normals = np.cross(b - a, c - a)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)
    return np.repeat(normals[:, None], 3, axis=1)


def smooth_normals(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "f 3 3"]:
    """Return area-weighted normals shared by the triangles around each vertex."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    normals = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    index = faces.reshape(-1)
    total = np.stack(
        [np.bincount(index, normals[:, k], minlength=len(vertices)) for k in range(3)], axis=1
    )
    unit = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)
    return np.asarray(unit[faces])


@cache
def grid_faces(rows: int, columns: int, wrap: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the triangles of a grid, and the row and column (not wrapped) of each corner's cell position."""
    across = columns if wrap else columns - 1
    i, j = np.divmod(np.arange((rows - 1) * across), across)
    row = np.stack([i, i, i + 1, i, i + 1, i + 1], axis=1).reshape(-1, 3)
    column = np.stack([j, j + 1, j + 1, j, j + 1, j], axis=1).reshape(-1, 3)
    return row * columns + column % columns, row, column


def crease_ends(
    side: Float[np.ndarray, "n 2"], *, crease_cos: float, closed: bool
) -> Float[np.ndarray, "n 2 2"]:
    """Return shading normals at the start and end of each segment of a profile, smooth but for creases."""
    ends = np.repeat(side[:, None], 2, axis=1)
    following = np.roll(side, -1, axis=0)
    smooth = (side * following).sum(axis=1) > crease_cos
    if not closed:
        smooth[-1] = False
    mean = side + following
    mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
    ends[smooth, 1] = mean[smooth]
    ends[np.roll(smooth, 1), 0] = mean[smooth]
    return ends
