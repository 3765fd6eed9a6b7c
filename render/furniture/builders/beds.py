"""Beds and cots."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, legs, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    Vec3,
    box,
    boxes,
    joined,
    pillow,
    rods,
    sheet,
    soft_box,
)
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Furniture


def _duvet(
    width: float, *, top: float, z_from: float, z_to: float, drop: float, rng: np.random.Generator
) -> Shape:
    """Make a cover that lies on a mattress, hangs over its sides and foot, and has soft folds.

    Args:
        width: Of the mattress.
        top: Height of the mattress' top.
        z_from: Where the cover starts, towards the head.
        z_to: Foot end of the mattress.
        drop: How far it hangs down.
        rng: Draws the folds.
    """
    thick = 0.035
    across = np.array(
        [-1.0, -1.0, -1.0, -0.97, -0.88, -0.6, -0.3, 0, 0.3, 0.6, 0.88, 0.97, 1, 1, 1]
    )
    down = np.array([1.0, 0.5, 0.15, 0.02, 0, 0, 0, 0, 0, 0, 0, 0.02, 0.15, 0.5, 1.0])
    along = np.concatenate([np.linspace(0, 0.97, 12), [1.0, 1.0, 1.0]])
    drop_along = np.concatenate([np.zeros(11), [0.02, 0.15, 0.5, 1.0]])
    columns, rows = len(across), len(along)
    fall = np.maximum(down[None, :], drop_along[:, None])
    bulge = thick * np.minimum(fall * 4, 1.0)
    phase = rng.uniform(0, 6.3, 4)
    grid = np.zeros((rows, columns, 3))
    half = width / 2
    grid[..., 0] = across * half + np.sign(across) * bulge * (np.abs(across) > 0.95)
    foot = z_to + bulge * (drop_along[:, None] > 0)
    start = z_from + rng.uniform(-0.02, 0.02, columns)
    grid[..., 2] = start + (foot - start) * along[:, None]
    u, v = np.meshgrid(np.arange(columns), np.arange(rows))
    folds = np.sin(1.1 * u + phase[0] + 0.4 * v) + np.sin(0.9 * v + phase[1] - 0.5 * u)
    grid[..., 1] = top + thick + 0.008 * folds * (fall < 0.1) - drop * fall
    wave = 0.014 * np.sin(1.7 * v + phase[2]) * fall * np.sign(across)
    grid[..., 0] += wave * (np.abs(across) > 0.95)
    grid[..., 2] += 0.014 * np.sin(1.7 * u + phase[3]) * drop_along[:, None]
    grid[0, :, 1] -= thick * 0.6
    return sheet(grid)


def _bed_linen(
    width: float,
    length: float,
    *,
    top: float,
    sleepers: int,
    rng: np.random.Generator,
    palette: Palette,
) -> list[Piece]:
    """Make mattress cover details: pillows, duvet, sometimes a folded throw; the head is at -z."""
    cloth = pick(rng, (palette.bedding, palette.bedding_second, palette.sheet))
    slip = pick(rng, (palette.sheet, cloth, palette.bedding_second))
    head = -length / 2
    start = head + between(rng, 0.38, 0.62)
    drop = between(rng, 0.12, 0.26)
    cover = _duvet(width, top=top, z_from=start, z_to=length / 2, drop=drop, rng=rng)
    pieces: list[Piece] = [(cover, cloth)]
    if rng.random() < 0.7:
        turned = soft_box(
            (width + 0.04, 0.05, 0.24), at=(0, top + 0.02, start + 0.08), radius=0.024, puff=0.01
        )
        pieces.append((turned, palette.sheet if cloth is not palette.sheet else cloth))
    for index in range(sleepers):
        x = (index + 0.5) * (width / sleepers) - width / 2
        wide = min(width / sleepers - 0.06, 0.72)
        shape = pillow((wide, between(rng, 0.14, 0.19), between(rng, 0.38, 0.48)))
        lean = between(rng, 0.05, 0.5)
        shape = shape.turned(lean, axis="x").turned(between(rng, -0.1, 0.1))
        low = float(shape.vertices[:, 1].min())
        pieces.append((shape.moved((x, top - low - 0.015, head + 0.27)), slip))
    if rng.random() < 0.4:
        z = length / 2 - between(rng, 0.35, 0.6)
        throw = soft_box(
            (width + 0.09, 0.03, 0.35), at=(0, top + 0.038, z), radius=0.014, puff=0.006
        )
        pieces.append((throw, pick(rng, (palette.accent, palette.fabric))))
    return pieces


def _headboard(
    width: float,
    *,
    height: float,
    z: float,
    rng: np.random.Generator,
    palette: Palette,
    wood: Finish,
) -> list[Piece]:
    """Make a headboard: panel, slats, padded panels or none of wood but metal bars."""
    style = int(rng.integers(4))
    if style == 0:
        return [(box((width, height, 0.04), at=(0, 0, z), bevel=0.01), wood)]
    if style == 1:
        count = int(rng.integers(2, 5))
        cloth = pick(rng, (palette.fabric, palette.leather, palette.fabric_second))
        each = width / count
        panels = [
            soft_box(
                (each - 0.004, height - 0.22, 0.09),
                at=((k + 0.5) * each - width / 2, 0.22, z + 0.02),
                radius=0.03,
                puff=0.015,
            )
            for k in range(count)
        ]
        return [
            (joined(panels), cloth),
            (box((width, height - 0.05, 0.03), at=(0, 0, z - 0.03)), wood),
        ]
    posts = np.array([[-width / 2 + 0.03, 0, z], [width / 2 - 0.03, 0, z]])
    count = int(rng.integers(5, 12))
    x = (np.arange(count) + 1) / (count + 1) * (width - 0.06) - width / 2 + 0.03
    low = np.stack([x, np.full(count, 0.32), np.full(count, z)], axis=1)
    bars = rods(low, low + (0, height - 0.34, 0), radius=0.01, square=style == 2)
    rails = np.array([[-width / 2 + 0.03, 0.32, z], [-width / 2 + 0.03, height - 0.02, z]])
    shape = joined(
        [
            rods(posts, posts + (0, height, 0), radius=0.026, square=style == 2, segments=12),
            bars,
            rods(rails, rails + (width - 0.06, 0, 0), radius=0.018, square=style == 2),
        ]
    )
    return [(shape, wood if style == 2 else palette.metal)]


def _bed(
    kind: str, width: float, *, sleepers: int, rng: np.random.Generator, palette: Palette
) -> Furniture:
    length = between(rng, 1.98, 2.05)
    wood = pick(rng, (palette.wood, palette.wood_second, palette.body))
    foot, side, mattress = (
        between(rng, 0.1, 0.2),
        between(rng, 0.12, 0.18),
        between(rng, 0.18, 0.26),
    )
    outer_w, outer_l = width + 0.05, length + 0.05
    rail = foot + side
    boards: list[tuple[Vec3, Vec3]] = [
        ((outer_w, side, 0.025), (0, foot, outer_l / 2)),
        ((outer_w, side, 0.025), (0, foot, -outer_l / 2)),
    ]
    boards += [((0.025, side, outer_l), (s * outer_w / 2, foot, 0.0)) for s in (-1, 1)]
    boards.append(((width, 0.02, length), (0, foot + side - 0.1, 0)))
    frame = boxes(np.array([b[0] for b in boards]), np.array([b[1] for b in boards]), bevel=0.004)
    feet = legs(outer_w + 0.02, outer_l + 0.02, height=rail - 0.01, thickness=0.06, style="square")
    base = rail - 0.08
    top = base + mattress
    core = soft_box((width, mattress, length), at=(0, base, 0), radius=0.06, puff=0.015)
    pieces: list[Piece] = [(joined([frame, feet]), wood), (core, palette.sheet)]
    pieces += _headboard(
        outer_w,
        height=between(rng, 0.85, 1.2),
        z=-outer_l / 2 - 0.03,
        rng=rng,
        palette=palette,
        wood=wood,
    )
    pieces += _bed_linen(width, length, top=top, sleepers=sleepers, rng=rng, palette=palette)
    return assemble(pieces, kind=kind, semantic="bed")


def single_bed(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bed for one with frame, mattress, duvet and pillow; its head is at -z."""
    return _bed("single bed", between(rng, 0.88, 1.05), sleepers=1, rng=rng, palette=palette)


def double_bed(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bed for two; its head is at -z."""
    return _bed("double bed", between(rng, 1.38, 1.82), sleepers=2, rng=rng, palette=palette)


def bunk_bed(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build two beds above each other with posts, guard rails and a ladder."""
    width, length, height = between(rng, 0.88, 0.98), 2.0, between(rng, 1.55, 1.75)
    wood = pick(rng, (palette.wood, palette.white, palette.wood_second, palette.metal))
    x, z = width / 2 + 0.025, length / 2 + 0.025
    posts = np.array([[-x, 0, -z], [x, 0, -z], [x, 0, z], [-x, 0, z]])
    shapes = [rods(posts, posts + (0, height, 0), radius=0.028, square=True)]
    pieces: list[Piece] = []
    for low in (0.28, height - 0.52):
        boards: list[tuple[Vec3, Vec3]] = [((2 * x, 0.12, 0.022), (0, low, s * z)) for s in (-1, 1)]
        boards += [((0.022, 0.12, 2 * z), (s * x, low, 0)) for s in (-1, 1)]
        boards.append(((width, 0.02, length), (0, low + 0.02, 0)))
        shapes.append(
            boxes(np.array([b[0] for b in boards]), np.array([b[1] for b in boards]), bevel=0.003)
        )
        core = soft_box(
            (width - 0.01, 0.16, length - 0.02), at=(0, low + 0.04, 0), radius=0.05, puff=0.012
        )
        pieces.append((core, palette.sheet))
        pieces += _bed_linen(
            width - 0.04, length - 0.04, top=low + 0.2, sleepers=1, rng=rng, palette=palette
        )[:3]
    top = height - 0.04
    rails = np.array(
        [[-x, top, -z], [-x, top - 0.14, -z], [x, top, -z + 0.5], [x, top - 0.14, -z + 0.5]]
    )
    ends = np.array([[-x, top, z], [-x, top - 0.14, z], [x, top, z], [x, top - 0.14, z]])
    shapes.append(rods(rails, ends, radius=0.016, square=True))
    shapes.append(
        rods(rails[2:3] * (1, 0, 1) + (0, height - 0.5, 0), rails[2:3], radius=0.016, square=True)
    )
    heads = np.array([[-x, top, -z], [-x, top, z]])
    shapes.append(rods(heads, heads + (2 * x, 0, 0), radius=0.018, square=True))
    stile = np.array([[x + 0.03, 0, -z + 0.08], [x + 0.03, 0, -z + 0.44]])
    shapes.append(rods(stile, stile + (0, height, 0), radius=0.016, square=True))
    steps = np.arange(0.25, height - 0.1, 0.26)
    rung = np.stack([np.full(len(steps), x + 0.03), steps, np.full(len(steps), -z + 0.08)], axis=1)
    shapes.append(rods(rung, rung + (0, 0, 0.36), radius=0.014))
    return assemble([(joined(shapes), wood), *pieces], kind="bunk bed", semantic="bed")


def cot(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a child's cot with bars on all sides."""
    width, length, height = (
        between(rng, 0.62, 0.74),
        between(rng, 1.2, 1.4),
        between(rng, 0.8, 0.95),
    )
    wood = pick(rng, (palette.wood, palette.white, palette.wood_second))
    x, z = width / 2, length / 2
    posts = np.array([[-x, 0, -z], [x, 0, -z], [x, 0, z], [-x, 0, z]])
    following = np.roll(posts, -1, axis=0)
    shapes = [rods(posts, posts + (0, height, 0), radius=0.022, square=True)]
    low, top = np.array([0.0, 0.3, 0.0]), np.array([0.0, height - 0.03, 0.0])
    shapes.append(rods(posts + low, following + low, radius=0.017, square=True))
    shapes.append(rods(posts + top, following + top, radius=0.017, square=True))
    starts = []
    for a, b in zip(posts, following, strict=True):
        count = int(np.linalg.norm(b - a) / 0.085)
        starts.append(a + np.outer((np.arange(count) + 1) / (count + 1), b - a))
    foot = np.concatenate(starts) + (0, 0.3, 0)
    shapes.append(rods(foot, foot + (0, height - 0.33, 0), radius=0.008, segments=6))
    core = soft_box((width - 0.05, 0.1, length - 0.05), at=(0, 0.3, 0), radius=0.03, puff=0.01)
    slats = box((width - 0.02, 0.02, length - 0.02), at=(0, 0.29, 0))
    cover = _duvet(width - 0.1, top=0.395, z_from=-0.05, z_to=z - 0.06, drop=0.04, rng=rng)
    small = pillow((0.36, 0.08, 0.24)).moved((0, 0.39, -z + 0.2))
    pieces: list[Piece] = [(joined([*shapes, slats]), wood), (core, palette.sheet)]
    pieces += [(cover, palette.accent), (small, palette.sheet)]
    return assemble(pieces, kind="cot", semantic="bed")
