"""Plants whose leaves are triangles."""

import numpy as np
from jaxtyping import Float

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Mount, Piece, assemble
from scenelift.render.furniture.shapes import Shape, flat_normals, joined, lathe, rods
from scenelift.render.scene import Furniture

_ALONG = np.array([0.0, 0.25, 0.55, 0.82, 1.0])


def leaves(
    starts: Float[np.ndarray, "n 3"],
    directions: Float[np.ndarray, "n 3"],
    *,
    lengths: Float[np.ndarray, " n"],
    width: float,
    droop: float,
    fold: float = 0.25,
    widest: float = 0.4,
) -> Shape:
    """Make leaves of eight triangles that bend downwards along their length and are folded along the midrib.

    Args:
        starts: Where each leaf is attached, in metres.
        directions: Unit directions in which they set out.
        lengths: In metres.
        width: Of a leaf, as a share of its length.
        droop: How far the tip sinks, as a share of the length.
        fold: Height of the rims above the midrib, as a share of the half width.
        widest: Where along the leaf it is widest, 0 to 1.
    """
    count, rows = len(starts), len(_ALONG)
    side = np.cross(directions, (0.0, 1.0, 0.0))
    norm = np.linalg.norm(side, axis=1, keepdims=True)
    side = np.where(norm > 1e-3, side / np.maximum(norm, 1e-3), (1.0, 0.0, 0.0))
    up = np.cross(side, directions)
    shape = np.interp(_ALONG, [0, widest, 1], [0.12, 1.0, 0.06])
    half = (0.5 * width * shape)[None, :, None] * lengths[:, None, None]
    middle = starts[:, None] + _ALONG[None, :, None] * (directions * lengths[:, None])[:, None]
    middle[..., 1] -= droop * lengths[:, None] * _ALONG[None] ** 2
    lift = fold * half * up[:, None]
    grid = np.stack(
        [middle - half * side[:, None] + lift, middle, middle + half * side[:, None] + lift], axis=2
    )
    i, j = np.divmod(np.arange((rows - 1) * 2), 2)
    corner = i * 3 + j
    quads = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 4], 1),
            np.stack([corner, corner + 4, corner + 3], 1),
        ]
    )
    faces = (quads[None] + np.arange(count)[:, None, None] * rows * 3).reshape(-1, 3)
    vertices = grid.reshape(-1, 3)
    u = np.array([-0.5, 0.0, 0.5])[None, None] * half * 2
    v = _ALONG[None, :, None] * lengths[:, None, None] + 0 * u
    spread = np.arange(count)[:, None, None] * 0.173
    uvs = np.stack([u + spread, v], axis=3).reshape(-1, 2)[faces]
    return Shape(vertices=vertices, faces=faces, uvs=uvs, normals=flat_normals(vertices, faces))


def _pot(
    radius: float, height: float, *, rng: np.random.Generator, palette: Palette
) -> list[Piece]:
    """Make a pot with a rim, filled with soil."""
    foot = radius * between(rng, 0.6, 0.95)
    wall = radius * 0.1
    profile = [
        (0.0, 0.0),
        (foot, 0.0),
        (radius, height * 0.85),
        (radius * 1.04, height * 0.86),
        (radius * 1.04, height),
    ]
    profile += [(radius - wall, height), (radius - wall, height * 0.88)]
    soil = lathe(
        [(radius - wall * 0.9, 0.0), (radius * 0.5, height * 0.02), (0.0, height * 0.03)],
        segments=18,
    )
    finish = pick(rng, (palette.pot, palette.ceramic, palette.wicker, palette.pot))
    return [
        (lathe(profile, segments=22), finish),
        (soil.moved((0, height * 0.88, 0)), palette.soil),
    ]


def _directions(
    count: int, *, rise: Float[np.ndarray, " n"], rng: np.random.Generator
) -> Float[np.ndarray, "n 3"]:
    """Spread directions around the axis by the golden angle; `rise` is their elevation in radians."""
    angle = np.arange(count) * 2.39996 + rng.uniform(0, 6.3) + rng.normal(0, 0.2, count)
    return np.stack(
        [np.cos(rise) * np.cos(angle), np.sin(rise), np.cos(rise) * np.sin(angle)], axis=1
    )


def _rosette(
    top: float, *, height: float, rng: np.random.Generator, count: int, blade: bool
) -> Shape:
    """Make leaves that all start from one point: arching or upright blades."""
    share = np.linspace(0, 1, count)
    rise = np.interp(share, [0, 1], [1.45, 1.15 if blade else 0.75]) + rng.normal(0, 0.06, count)
    lengths = (
        height
        * np.interp(share, [0, 1], [1.0, 0.75 if blade else 0.55])
        * rng.uniform(0.85, 1.1, count)
    )
    start = np.tile((0.0, top, 0.0), (count, 1)) + rng.normal(0, 0.01, (count, 3)) * (1, 0, 1)
    return leaves(
        start, _directions(count, rise=rise, rng=rng), lengths=lengths, width=0.13 if blade else 0.2,
        droop=0.02 if blade else 0.45, widest=0.35 if blade else 0.5,
    )  # fmt: skip


def _stalked(
    top: float, *, height: float, rng: np.random.Generator, count: int
) -> tuple[Shape, Shape]:
    """Make broad leaves on thin stalks that spread from the soil; return stalks and leaves."""
    rise = rng.uniform(0.75, 1.5, count)
    direction = _directions(count, rise=rise, rng=rng)
    lengths = height * rng.uniform(0.45, 0.95, count)
    foot = np.tile((0.0, top - 0.01, 0.0), (count, 1)) + rng.normal(0, 0.012, (count, 3)) * (
        1,
        0,
        1,
    )
    tip = foot + direction * lengths[:, None] * 0.72
    outward = direction * (1, 0.25, 1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    stalks = rods(foot, tip, radius=0.005 + 0.004 * height, end_radius=0.003, segments=5)
    blade = leaves(
        tip,
        outward,
        lengths=height * rng.uniform(0.25, 0.42, count),
        width=0.75,
        droop=0.35,
        fold=0.2,
    )
    return stalks, blade


def _tree(
    top: float, *, height: float, rng: np.random.Generator, count: int
) -> tuple[Shape, Shape]:
    """Make a thin trunk with twigs and many small leaves; return wood and leaves."""
    trunk_top = top + height * 0.75
    lean = rng.normal(0, 0.04, 2)
    trunk = rods(
        np.array([[0, top - 0.01, 0]]),
        np.array([[lean[0], trunk_top, lean[1]]]),
        radius=0.012 + 0.008 * height,
        end_radius=0.008,
    )
    twigs = int(rng.integers(7, 12))
    t = rng.uniform(0.45, 1.0, twigs)
    foot = np.stack([lean[0] * t, top + (trunk_top - top) * t, lean[1] * t], axis=1)
    direction = _directions(twigs, rise=rng.uniform(0.2, 0.9, twigs), rng=rng)
    tip = foot + direction * height * rng.uniform(0.15, 0.3, twigs)[:, None]
    branches = rods(foot, tip, radius=0.006, end_radius=0.003, segments=5)
    which = rng.integers(twigs, size=count)
    along = rng.uniform(0.3, 1.05, count)[:, None]
    start = foot[which] + (tip - foot)[which] * along
    heading = _directions(count, rise=rng.uniform(-0.2, 0.9, count), rng=rng)
    lengths = height * rng.uniform(0.09, 0.16, count)
    return joined([trunk, branches]), leaves(start, heading, lengths=lengths, width=0.5, droop=0.3)


def _plant(
    kind: str,
    *,
    height: float,
    radius: float,
    detail: int,
    rng: np.random.Generator,
    palette: Palette,
) -> Furniture:
    pot = radius * between(rng, 1.5, 2.0)
    pieces = _pot(radius, pot, rng=rng, palette=palette)
    top = pot * 0.9
    rest = height - top
    style = int(rng.integers(4 if kind == "plant" else 3))
    if style < 2:
        shape = _rosette(top, height=rest, rng=rng, count=detail, blade=style == 0)
        pieces.append((_narrowed(shape, to=0.3 * height + 0.04), palette.foliage))
    else:
        make = _stalked if style == 2 else _tree
        wood, blade = make(top, height=rest, rng=rng, count=detail if style == 2 else detail * 6)
        wood_finish = palette.foliage if style == 2 else palette.wood_second
        narrow = 0.3 * height + 0.04
        pieces.append((_narrowed(wood, to=narrow), wood_finish))
        pieces.append((_narrowed(blade, to=narrow), palette.foliage))
    mount: Mount = "surface" if kind == "small plant" else "floor"
    return assemble(
        pieces,
        kind=kind,
        semantic="otherprop" if mount == "surface" else "otherfurniture",
        mount=mount,
    )


def _narrowed(shape: Shape, *, to: float) -> Shape:
    """Draw greenery in about its axis where it reaches farther than `to` metres."""
    reach = np.hypot(shape.vertices[:, 0], shape.vertices[:, 2])
    if reach.max() <= to:
        return shape
    factor = np.where(reach > to, (to + 0.35 * (reach - to)) / np.maximum(reach, 1e-9), 1.0)
    vertices = shape.vertices * np.stack([factor, np.ones_like(factor), factor], axis=1)
    return Shape(
        vertices=vertices,
        faces=shape.faces,
        uvs=shape.uvs,
        normals=flat_normals(vertices, shape.faces),
    )


def plant(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a large plant in a pot for the floor."""
    return _plant(
        "plant",
        height=between(rng, 0.8, 1.7),
        radius=between(rng, 0.14, 0.2),
        detail=22,
        rng=rng,
        palette=palette,
    )


def small_plant(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a small plant in a pot for a table or sill."""
    return _plant(
        "small plant",
        height=between(rng, 0.2, 0.42),
        radius=between(rng, 0.05, 0.08),
        detail=16,
        rng=rng,
        palette=palette,
    )


def flowers(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bunch of flowers in a vase."""
    height = between(rng, 0.18, 0.28)
    r = between(rng, 0.035, 0.06)
    vase = lathe(
        [
            (0, 0),
            (r * 0.8, 0),
            (r, height * 0.35),
            (r * 0.55, height * 0.8),
            (r * 0.7, height),
            (r * 0.6, height),
            (r * 0.45, height * 0.8),
        ],
        segments=20,
    )
    count = int(rng.integers(6, 13))
    direction = _directions(count, rise=rng.uniform(1.0, 1.5, count), rng=rng)
    foot = np.tile((0.0, height * 0.75, 0.0), (count, 1))
    tip = foot + direction * rng.uniform(0.16, 0.28, count)[:, None]
    stems = rods(foot, tip, radius=0.002, segments=4)
    petals = 7
    spread = _directions(petals * count, rise=np.full(petals * count, 0.5), rng=rng)
    heads = leaves(
        np.repeat(tip, petals, axis=0),
        spread,
        lengths=np.full(petals * count, 0.03),
        width=0.6,
        droop=0.1,
        widest=0.6,
    )
    greens = leaves(
        foot + (tip - foot) * 0.5,
        direction * (1, 0.5, 1) / np.linalg.norm(direction * (1, 0.5, 1), axis=1, keepdims=True),
        lengths=np.full(count, 0.07),
        width=0.35,
        droop=0.2,
    )
    pieces: list[Piece] = [
        (vase, pick(rng, (palette.ceramic, palette.pot, palette.glass))),
        (joined([stems, greens]), palette.foliage),
    ]
    pieces.append((heads, pick(rng, palette.bolds)))
    return assemble(pieces, kind="flowers", semantic="otherprop", mount="surface")
