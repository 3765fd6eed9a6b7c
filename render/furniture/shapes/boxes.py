"""Boxes with rounded edges, and other solids with flat sides."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from scenelift.render.furniture.shapes.shape import (
    Shape,
    Vec3,
    flat_normals,
)


@cache
def _bevel_template() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return corner signs (24, 3), face axis of each vertex (24,), faces (44, 3) and the uv axis of each face."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    corner = np.repeat(signs, 3, axis=0)
    axis = np.tile(np.arange(3), 8)
    index = {tuple(sign): 3 * i for i, sign in enumerate(signs.tolist())}
    faces: list[tuple[int, int, int]] = []
    axes: list[int] = []

    def quad(a: int, b: int, c: int, d: int, uv_axis: int) -> None:
        faces.extend([(a, b, c), (a, c, d)])
        axes.extend([uv_axis, uv_axis])

    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        for sign in (-1.0, 1.0):
            ring = []
            for sb, sc in ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)):
                key = [0.0, 0.0, 0.0]
                key[a], key[b], key[c] = sign, sb, sc
                ring.append(index[tuple(key)] + a)
            quad(ring[0], ring[1], ring[2], ring[3], a)
        for sb in (-1.0, 1.0):
            for sc in (-1.0, 1.0):
                low, high = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
                low[a], low[b], low[c] = -1.0, sb, sc
                high[a], high[b], high[c] = 1.0, sb, sc
                i, j = index[tuple(low)], index[tuple(high)]
                quad(i + b, j + b, j + c, i + c, b)
    for i in range(8):
        faces.append((3 * i, 3 * i + 1, 3 * i + 2))
        axes.append(0)
    array = np.array(faces)
    points = corner * np.where(axis[:, None] == np.arange(3), 1.0, 0.8)
    a, b, c = points[array[:, 0]], points[array[:, 1]], points[array[:, 2]]
    outward = (np.cross(b - a, c - a) * (a + b + c)).sum(axis=1) > 0
    array[~outward] = array[~outward][:, ::-1]
    return corner, axis, array, np.array(axes)


@cache
def _plain_template() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return corner signs (8, 3), faces (12, 3) and the axis of each face."""
    corner, _, faces, axes = _bevel_template()
    signs = corner[::3]
    sides = [
        k for k in range(44) if len({int(v) % 3 for v in faces[k]}) == 1
    ]  # all three vertices belong to one side
    return signs, faces[sides] // 3, axes[sides]


def boxes(
    sizes: Float[np.ndarray, "n 3"],
    at: Float[np.ndarray, "n 3"],
    *,
    bevel: float = 0.0,
    uv_rects: Float[np.ndarray, "n 4"] | None = None,
) -> Shape:
    """Make many boxes at once.

    Args:
        sizes: Width, height and depth in metres.
        at: Middle of each underside.
        bevel: Width of the rounded edge in metres; at most a third of a box's shortest side is used. 0: sharp.
        uv_rects: Part (u0, v0, u1, v1) of a picture that each side shows; None: metres, grain along the longer side.
    """
    count = len(sizes)
    half = sizes / 2
    centre = at + np.stack([np.zeros(count), half[:, 1], np.zeros(count)], axis=1)
    if bevel > 0:
        signs, axis, faces, face_axes = _bevel_template()
        inset = np.minimum(bevel, sizes.min(axis=1) / 3)
        own = axis[:, None] == np.arange(3)
        local = signs[None] * (half[:, None] - inset[:, None, None] * ~own[None])
        normals = (signs * own)[faces]
    else:
        signs, faces, face_axes = _plain_template()
        local = signs[None] * half[:, None]
        own = face_axes[:, None, None] == np.arange(3)
        normals = signs[faces] * own
    uvs = box_uvs(local[:, faces], sizes=sizes, axes=face_axes, uv_rects=uv_rects)
    if uv_rects is None:
        uvs += (centre @ np.array([[1.7, 2.9], [3.1, 1.3], [2.3, 4.7]]))[:, None, None]
    steps = np.arange(count)[:, None, None] * len(signs)
    return Shape(
        vertices=(local + centre[:, None]).reshape(-1, 3),
        faces=(faces[None] + steps).reshape(-1, 3),
        uvs=uvs.reshape(-1, 3, 2),
        normals=np.tile(normals, (count, 1, 1)),
    )


def box_uvs(
    corners: Float[np.ndarray, "n f 3 3"],
    *,
    sizes: Float[np.ndarray, "n 3"],
    axes: Int[np.ndarray, " f"],
    uv_rects: Float[np.ndarray, "n 4"] | None,
) -> Float[np.ndarray, "n f 3 2"]:
    """Project each side of a box along its axis; v is the longer way, or upwards where a picture is shown."""
    uvs = np.zeros((*corners.shape[:3], 2))
    for axis, (first, second) in enumerate(((2, 1), (0, 2), (0, 1))):
        mine = np.flatnonzero(axes == axis)
        pair = corners[:, mine][..., [first, second]]
        if uv_rects is None:
            swap = sizes[:, first] > sizes[:, second]
            pair[swap] = pair[swap][..., ::-1]
        else:
            pair = pair / sizes[:, None, None, [first, second]] + 0.5
            low, high = uv_rects[:, None, None, :2], uv_rects[:, None, None, 2:]
            pair = low + pair * (high - low)
        uvs[:, mine] = pair
    return uvs


def box(
    size: Vec3, *, at: Vec3 = (0.0, 0.0, 0.0), bevel: float = 0.004, picture: bool = False
) -> Shape:
    """Make one box of a width, height and depth in metres, its underside's middle `at`.

    Args:
        size: Width, height, depth.
        at: Middle of the underside.
        bevel: Width of the rounded edges; 0: sharp.
        picture: Whether texture coordinates span each side once instead of counting metres.

    >>> len(box((1.0, 0.7, 0.5)).faces), len(box((1.0, 0.7, 0.5), bevel=0.0).faces)
    (44, 12)
    """
    rects = np.array([[0.0, 0.0, 1.0, 1.0]]) if picture else None
    return boxes(np.array([size], float), np.array([at], float), bevel=bevel, uv_rects=rects)


def hexahedron(bottom: Sequence[Vec3], top: Sequence[Vec3]) -> Shape:
    """Make a solid with flat sides from four lower and four upper corners in the same order.

    Args:
        bottom: Corners in metres, the rectangle's back left, back right, front right, front left.
        top: The corners above them.
    """
    vertices = np.array([*bottom, *top], float)
    quads = [(0, 1, 2, 3), (4, 7, 6, 5), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0)]
    faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    normals = flat_normals(vertices, faces)
    axis = np.abs(normals[:, 0]).argmax(axis=1)
    uvs = box_uvs(
        vertices[faces][None], sizes=np.ptp(vertices, axis=0)[None], axes=axis, uv_rects=None
    )[0]
    return Shape(vertices=vertices, faces=faces, uvs=uvs, normals=normals)
