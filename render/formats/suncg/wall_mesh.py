"""Walls with holes, cut along a grid of the holes' edges: exact also where holes overlap, touch or meet the wall's edge."""

import numpy as np
from jaxtyping import Bool, Float

from scenelift.render.scene import Material, Mesh


def wall_mesh(
    *,
    length: float,
    height: float,
    depth: float,
    holes: Float[np.ndarray, "h 2 2"],
    overhang: float,
    materials: tuple[Material, Material, Material],
) -> Mesh:
    """Make a wall with holes along +x, standing on y = 0, its inside towards +z.

    Args:
        length: Extent along x in metres, without the overhang at both ends.
        height: Extent along y in metres.
        depth: Thickness in metres, half on either side of z = 0.
        holes: Lower left and upper right corner of each, (x, y); they may overlap and touch the wall's edge.
        overhang: How much further both ends reach, in metres.
        materials: Of the inside, the outside, and the edges; textures repeat every metre.
    """
    holes = holes.clip((0, 0), (length, height))
    x = np.unique(np.concatenate(([-overhang, length + overhang], holes[..., 0].ravel())))
    y = np.unique(np.concatenate(([0.0, height], holes[..., 1].ravel())))
    middle_x, middle_y = (x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2
    solid = np.ones((len(middle_x), len(middle_y)), dtype=bool)
    for low, high in holes:
        inside_x = (middle_x > low[0]) & (middle_x < high[0])
        solid &= ~(inside_x[:, None] & ((middle_y > low[1]) & (middle_y < high[1]))[None])
    quads = [*_faces(x, y, solid, depth=depth), *_edges(x, y, solid, depth=depth)]
    corners = np.concatenate([quad[0] for quad in quads])
    uvs = np.concatenate([quad[1] for quad in quads])
    first = 4 * np.arange(len(corners))
    faces = np.stack((first, first + 1, first + 2, first, first + 2, first + 3), axis=1)
    counts = [len(quad[0]) for quad in quads]
    return Mesh(
        vertices=corners.reshape(-1, 3),
        faces=faces.reshape(-1, 3),
        materials=materials,
        face_materials=np.repeat(np.minimum(np.arange(len(quads)), 2), 2 * np.array(counts)),
        corner_uvs=uvs.reshape(-1, 2)[faces.reshape(-1, 3)],
    )


_Quads = tuple[Float[np.ndarray, "q 4 3"], Float[np.ndarray, "q 4 2"]]


def _faces(
    x: Float[np.ndarray, " m"],
    y: Float[np.ndarray, " n"],
    solid: Bool[np.ndarray, "a b"],
    *,
    depth: float,
) -> tuple[_Quads, _Quads]:
    """Return the inside and the outside of the solid cells of a grid, counter-clockwise seen from there."""
    i, j = np.nonzero(solid)
    low_x, high_x, low_y, high_y = x[i], x[i + 1], y[j], y[j + 1]
    across = np.stack((low_x, high_x, high_x, low_x), axis=1)
    along = np.stack((low_y, low_y, high_y, high_y), axis=1)
    uvs = np.stack((across, along), axis=2)
    inside = np.stack((across, along, np.full_like(across, depth / 2)), axis=2)
    outside = inside[:, ::-1] * (1, 1, -1)
    return (inside, uvs), (outside, uvs[:, ::-1] * (-1, 1))


def _edges(
    x: Float[np.ndarray, " m"],
    y: Float[np.ndarray, " n"],
    solid: Bool[np.ndarray, "a b"],
    *,
    depth: float,
) -> tuple[_Quads, ...]:
    """Return the strips through the wall where solid cells end, seen from the empty side."""
    strips = []
    for axis in (0, 1):
        padded = np.pad(solid, [(1, 1), (0, 0)] if axis == 0 else [(0, 0), (1, 1)])
        change = np.diff(padded.astype(np.int8), axis=axis)
        for sign in (1, -1):
            i, j = np.nonzero(change == sign)
            start = np.stack((x[i], y[j]), axis=1)
            end = np.stack((x[i], y[j + 1]) if axis == 0 else (x[i + 1], y[j]), axis=1)
            strips.append(_strip(start, end, depth=depth, turned=(sign == 1) == (axis == 0)))
    return tuple(strips)


def _strip(
    start: Float[np.ndarray, "q 2"], end: Float[np.ndarray, "q 2"], *, depth: float, turned: bool
) -> _Quads:
    front, back = np.full((len(start), 1), depth / 2), np.full((len(start), 1), -depth / 2)
    quads = np.stack(
        [
            np.hstack(corner)
            for corner in ((start, front), (start, back), (end, back), (end, front))
        ],
        axis=1,
    )
    length = np.linalg.norm(end - start, axis=1)
    uvs = np.zeros((len(start), 4, 2))
    uvs[:, 1:3, 0] = depth
    uvs[:, 2:, 1] = length[:, None]
    if turned:
        return quads[:, ::-1], uvs[:, ::-1]
    return quads, uvs
