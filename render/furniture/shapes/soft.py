"""Upholstery, pillows and cloth."""

from functools import cache

import numpy as np
from jaxtyping import Float

from scenelift.render.furniture.shapes.boxes import box_uvs
from scenelift.render.furniture.shapes.shape import Shape, Vec3, grid_faces, joined, smooth_normals


@cache
def _cube_grid(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return integer grid points (v, 3) on a cube's surface with `count` cells a side, faces and face axes."""
    index: dict[tuple[int, ...], int] = {}
    faces: list[list[int]] = []
    axes: list[int] = []
    for axis in range(3):
        b, c = (axis + 1) % 3, (axis + 2) % 3
        for side in (0, count):
            for i in range(count):
                for j in range(count):
                    ring = []
                    for di, dj in ((0, 0), (1, 0), (1, 1), (0, 1)):
                        key = [0, 0, 0]
                        key[axis], key[b], key[c] = side, i + di, j + dj
                        ring.append(index.setdefault(tuple(key), len(index)))
                    if side == 0:
                        ring.reverse()
                    flip = (i < count // 2) == (j < count // 2)
                    if flip:
                        ring = ring[1:] + ring[:1]
                    faces += [[ring[0], ring[1], ring[2]], [ring[0], ring[2], ring[3]]]
                    axes += [axis, axis]
    points = np.array(sorted(index, key=lambda key: index[key]))
    return points, np.array(faces), np.array(axes)


def soft_box(
    size: Vec3,
    *,
    at: Vec3 = (0.0, 0.0, 0.0),
    radius: float = 0.05,
    puff: float = 0.02,
    detail: int = 6,
) -> Shape:
    """Make a box as upholsterers do: round edges and sides that bulge.

    Args:
        size: Width, height, depth in metres, bulge included.
        at: Middle of the underside.
        radius: Of the edges, in metres; at most 0.49 of the shortest side is used.
        puff: How far the middle of the large sides stands out, in metres.
        detail: Cells along each edge, even, at least 4.
    """
    points, faces, axes = _cube_grid(detail)
    half = np.asarray(size, float) / 2
    order = np.argsort(half)
    bulge = np.zeros(3)
    bulge[order[0]] = min(puff, 0.4 * half[order[0]])
    bulge[order[1]] = 0.3 * bulge[order[0]]
    body = half - bulge
    radius = min(radius, 0.98 * float(body.min()))
    inner = body - radius
    arc = detail // 3
    turn = np.linspace(0.0, np.pi / 4, arc + 1)
    rim = 1.0 - np.tan(np.pi / 4 - turn)
    middle = np.linspace(0.0, 1.0, (detail - 2 * arc) + 1)[1:-1]
    local = np.zeros((3, detail + 1))
    for axis in range(3):
        cut = inner[axis]
        low = -cut - radius + radius * rim
        local[axis] = np.concatenate([low, -cut + 2 * cut * middle, -low[::-1]])
    raw = np.stack([local[axis][points[:, axis]] for axis in range(3)], axis=1)
    core = np.clip(raw, -inner, inner)
    away = raw - core
    norm = np.linalg.norm(away, axis=1, keepdims=True)
    vertices = core + radius * away / np.maximum(norm, 1e-12)
    unit = vertices / body
    swell = np.maximum(1 - unit**2, 0.0)
    for axis in range(3):
        weight = swell[:, (axis + 1) % 3] * swell[:, (axis + 2) % 3]
        vertices[:, axis] += bulge[axis] * np.sign(unit[:, axis]) * weight * np.abs(unit[:, axis])
    normals = smooth_normals(vertices, faces)
    uvs = box_uvs(vertices[faces][None], sizes=2 * half[None], axes=axes, uv_rects=None)[0] + (
        np.asarray(at) @ np.array([[1.7, 2.9], [3.1, 1.3], [2.3, 4.7]])
    )
    vertices += np.asarray(at, float) - (0.0, vertices[:, 1].min(), 0.0)
    return Shape(vertices=vertices, faces=faces, uvs=uvs, normals=normals)


def pillow(size: Vec3, *, detail: int = 10, pinch: float = 0.06) -> Shape:
    """Make a lying pillow: two bulging sides sewn together, with pointed corners.

    Args:
        size: Width, thickness, depth in metres; it rests on y = 0.
        detail: Cells along each side.
        pinch: How far the seams draw in between the corners, relative to the size.
    """
    t = np.sin(np.linspace(-np.pi / 2, np.pi / 2, detail + 1))
    u, v = np.meshgrid(t, t, indexing="ij")
    height = ((1 - u**2) * (1 - v**2)) ** 0.42
    x = size[0] / 2 * u * (1 - pinch * (1 - v**2))
    z = size[2] / 2 * v * (1 - pinch * (1 - u**2))
    top = np.stack([x, size[1] / 2 * height, z], axis=2)
    shape = sheet(top)
    lower = shape.scaled((1.0, -1.0, 1.0))
    return joined([shape, lower]).moved((0.0, size[1] / 2, 0.0))


def sheet(grid: Float[np.ndarray, "r c 3"]) -> Shape:
    """Make a smooth surface through a grid of points, in metres.

    The outer side is the one from which columns run to the left of rows: for a row direction x and column direction z
    it is the lower (-y) side; winding is chosen so that y-up sheets given as (x, z) grids face up.
    """
    rows, columns = grid.shape[:2]
    vertices = grid.reshape(-1, 3)
    faces, row, column = grid_faces(rows, columns, False)
    normals = smooth_normals(vertices, faces)
    along = np.linalg.norm(np.diff(grid, axis=0), axis=2).mean(axis=1)
    across = np.linalg.norm(np.diff(grid, axis=1), axis=2).mean(axis=0)
    u = np.concatenate([[0.0], np.cumsum(across)])
    v = np.concatenate([[0.0], np.cumsum(along)])
    uvs = np.stack([u[column], v[row]], axis=2)
    if normals[..., 1].sum() < 0:
        return Shape(
            vertices=vertices, faces=faces[:, ::-1], uvs=uvs[:, ::-1], normals=-normals[:, ::-1]
        )
    return Shape(vertices=vertices, faces=faces, uvs=uvs, normals=normals)
