"""A kit of shapes from which furniture is put together.

Every shape has its lowest point at y = 0 unless its arguments say otherwise, texture coordinates in metres with the
grain of wood along v, and shading normals that make bevels and curved parts look round. `pieces.assemble` turns shapes
with finishes into a `Furniture`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Int

Vec3: TypeAlias = tuple[float | int, float | int, float | int]
"""Metres along x, y, z. Whole numbers are welcome."""
Outline: TypeAlias = Sequence[tuple[float | int, float | int]] | Float[np.ndarray, "n 2"]
Points: TypeAlias = Float[np.ndarray, "n 3"]

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
    uvs = _box_uvs(local[:, faces], sizes=sizes, axes=face_axes, uv_rects=uv_rects)
    if uv_rects is None:
        uvs += (centre @ np.array([[1.7, 2.9], [3.1, 1.3], [2.3, 4.7]]))[:, None, None]
    steps = np.arange(count)[:, None, None] * len(signs)
    return Shape(
        vertices=(local + centre[:, None]).reshape(-1, 3),
        faces=(faces[None] + steps).reshape(-1, 3),
        uvs=uvs.reshape(-1, 3, 2),
        normals=np.tile(normals, (count, 1, 1)),
    )


def _box_uvs(
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
    uvs = _box_uvs(
        vertices[faces][None], sizes=np.ptp(vertices, axis=0)[None], axes=axis, uv_rects=None
    )[0]
    return Shape(vertices=vertices, faces=faces, uvs=uvs, normals=normals)


@cache
def _grid_faces(rows: int, columns: int, wrap: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the triangles of a grid, and the row and column (not wrapped) of each corner's cell position."""
    across = columns if wrap else columns - 1
    i, j = np.divmod(np.arange((rows - 1) * across), across)
    row = np.stack([i, i, i + 1, i, i + 1, i + 1], axis=1).reshape(-1, 3)
    column = np.stack([j, j + 1, j + 1, j, j + 1, j], axis=1).reshape(-1, 3)
    return row * columns + column % columns, row, column


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
    ends = _crease_ends(side, crease_cos=crease_cos, closed=False)
    angle = np.arange(segments + 1) * (2 * np.pi / segments)
    cos, sin = np.cos(angle), np.sin(angle)
    ring = points[:, 0, None]
    vertices = np.stack(
        [ring * cos[:-1], np.repeat(points[:, 1, None], segments, axis=1), ring * -sin[:-1]], axis=2
    ).reshape(-1, 3)
    faces, row, column = _grid_faces(len(points), segments, True)
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


def _crease_ends(
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
    faces, row, column = _grid_faces(2, sides, True)
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
    faces, row, column = _grid_faces(rows, segments, True)
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


def extrude(
    outline: Outline,
    depth: float,
    *,
    bevel: float = 0.0,
    crease_cos: float = CREASE_COS,
) -> Shape:
    """Give a polygon thickness: it lies in the x-y plane and reaches from z = -depth / 2 to depth / 2.

    Args:
        outline: Corners, counter-clockwise, simple, in metres; y counts from the shape's own 0.
        depth: Thickness in metres.
        bevel: Width of rounded rims in metres; 0: sharp.
        crease_cos: Cosine of the turn above which the outline is shaded as smooth.
    """
    import mapbox_earcut

    points = np.asarray(outline, float)
    count = len(points)
    step = np.roll(points, -1, axis=0) - points
    length = np.linalg.norm(step, axis=1)
    side = np.stack([step[:, 1], -step[:, 0]], axis=1) / length[:, None]
    ends = _crease_ends(side, crease_cos=crease_cos, closed=True)
    bevel = min(bevel, depth / 3)
    inner = points
    levels = [(points, -depth / 2), (points, depth / 2)]
    if bevel > 0:
        out = side + np.roll(side, 1, axis=0)
        out /= np.maximum((out * out).sum(axis=1, keepdims=True) / 2, 0.3)
        inner = points - bevel * out
        levels = [(inner, -depth / 2), (points, bevel - depth / 2)]
        levels += [(points, depth / 2 - bevel), (inner, depth / 2)]
    vertices = np.concatenate([np.column_stack([ring, np.full(count, z)]) for ring, z in levels])
    faces, row, column = _grid_faces(len(levels), count, True)
    segment = column.min(axis=1)
    normal2 = ends[segment[:, None], column - segment[:, None]]
    normals = np.concatenate([normal2, np.zeros((*normal2.shape[:2], 1))], axis=2)
    if bevel > 0:
        rim = np.isin(row, (0, 3))
        normals[rim] = np.where(row[rim][:, None] == 0, (0.0, 0.0, -1.0), (0.0, 0.0, 1.0))
    around = np.concatenate([[0.0], np.cumsum(length)])
    heights = np.array([z for _, z in levels])
    uvs = np.stack([heights[row], around[column]], axis=2)
    cap = mapbox_earcut.triangulate_float64(inner, np.array([count], np.uint32)).reshape(-1, 3)
    cap = cap.astype(np.int64)
    corners = inner[cap]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    cap[area < 0] = cap[area < 0][:, ::-1]
    cap = cap[np.abs(area) > 1e-12]
    last = (len(levels) - 1) * count
    front = np.tile((0.0, 0.0, 1.0), (len(cap), 3, 1))
    return Shape(
        vertices=vertices,
        faces=np.concatenate([faces, cap[:, ::-1], cap + last]),
        uvs=np.concatenate([uvs, inner[cap[:, ::-1]], inner[cap]]),
        normals=np.concatenate([normals, -front, front]),
    )


def plate(
    outline: Outline,
    thickness: float,
    *,
    y: float = 0.0,
    bevel: float = 0.004,
) -> Shape:
    """Make a horizontal plate from y to y + thickness; the outline is (x, z), clockwise seen from above."""
    points = np.asarray(outline, float) * (1.0, -1.0)
    shape = extrude(points[_counter_clockwise(points)], thickness, bevel=bevel)
    return shape.turned(-np.pi / 2, axis="x").moved((0.0, y + thickness / 2, 0.0))


def _counter_clockwise(points: Float[np.ndarray, "n 2"]) -> slice:
    following = np.roll(points, -1, axis=0)
    area = (points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum()
    return slice(None) if area > 0 else slice(None, None, -1)


def ellipse(
    width: float, depth: float, *, segments: int = 28, power: float = 2.0
) -> Float[np.ndarray, "n 2"]:
    """Return a (super)ellipse counter-clockwise about the origin; power 2 is round, larger is squarer."""
    angle = np.arange(segments) * (2 * np.pi / segments)
    cos, sin = np.cos(angle), np.sin(angle)
    exponent = 2 / power
    return np.stack(
        [
            width / 2 * np.sign(cos) * np.abs(cos) ** exponent,
            depth / 2 * np.sign(sin) * np.abs(sin) ** exponent,
        ],
        axis=1,
    )


def rounded_rectangle(
    width: float, depth: float, *, radius: float, steps: int = 4
) -> Float[np.ndarray, "n 2"]:
    """Return a rectangle with round corners, counter-clockwise about the origin."""
    radius = min(radius, 0.499 * min(width, depth))
    angle = np.linspace(0.0, np.pi / 2, steps + 1)
    arc = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    corners = []
    for quarter, (sx, sz) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        turn = rotation(quarter * np.pi / 2, axis="z")[:2, :2]
        corners.append(arc @ turn.T + (sx * (width / 2 - radius), sz * (depth / 2 - radius)))
    return np.concatenate(corners)


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
    uvs = _box_uvs(vertices[faces][None], sizes=2 * half[None], axes=axes, uv_rects=None)[0] + (
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
    faces, row, column = _grid_faces(rows, columns, False)
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
