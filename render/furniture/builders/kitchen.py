"""Kitchen units and large appliances."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, fronts, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    Vec3,
    box,
    boxes,
    cylinder,
    hexahedron,
    joined,
    lathe,
    plate,
    rod,
    rods,
    rounded_rectangle,
    tube,
)
from scenelift.render.scene import Furniture

COUNTER_HEIGHT_M = 0.9
"""Units of one kitchen stand side by side: same height and depth, same fronts (they come from the palette)."""
DEPTH_M = 0.6


def _unit(
    width: float, *, palette: Palette, top: bool = True, height: float = COUNTER_HEIGHT_M
) -> list[Piece]:
    """Make plinth, carcass and worktop of a base unit, its front at z = DEPTH_M / 2 - 0.02."""
    counter = 0.038
    plinth = box((width, 0.1, DEPTH_M - 0.08), at=(0, 0, -0.04), bevel=0.0)
    case = box((width, height - 0.1 - counter, DEPTH_M - 0.04), at=(0, 0.1, -0.02), bevel=0.002)
    pieces: list[Piece] = [(plinth, palette.black), (case, palette.body)]
    if top:
        pieces.append((_worktop(width, height=height), palette.counter))
    return pieces


def _worktop(width: float, *, height: float = COUNTER_HEIGHT_M) -> Shape:
    return box((width, 0.038, DEPTH_M), at=(0, height - 0.038, 0), bevel=0.004)


def _unit_fronts(
    width: float, *, rows: int, columns: int, doors: bool, palette: Palette
) -> list[Piece]:
    return fronts(
        width, 0.756, at=(0, 0.103, DEPTH_M / 2 - 0.04), rows=rows, columns=columns, finish=palette.body,
        handle=palette.metal, handle_style=palette.handle_style, doors=doors, framed=palette.framed,
        heights=np.array([2.0, 2.0, 1.0]) if rows == 3 else None,
    )  # fmt: skip


def kitchen_base(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a base unit with worktop: doors or drawers."""
    width = (0.4, 0.5, 0.6, 0.8, 0.9)[int(rng.integers(5))]
    columns = 2 if width > 0.65 else 1
    pieces = _unit(width, palette=palette)
    if rng.random() < 0.5:
        pieces += _unit_fronts(width, rows=3, columns=1, doors=False, palette=palette)
    else:
        pieces += _unit_fronts(width, rows=1, columns=columns, doors=True, palette=palette)
    return assemble(pieces, kind="kitchen base", semantic="cabinet")


def kitchen_island(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a free-standing block of units under one worktop that overhangs at the back."""
    width = between(rng, 1.4, 2.2)
    pieces = _unit(width, palette=palette, top=False)
    pieces += _unit_fronts(
        width, rows=3, columns=int(rng.integers(2, 4)), doors=False, palette=palette
    )
    depth = DEPTH_M + between(rng, 0.2, 0.35)
    top = box(
        (width + 0.06, 0.04, depth),
        at=(0, COUNTER_HEIGHT_M - 0.04, (DEPTH_M - depth) / 2),
        bevel=0.004,
    )
    pieces.append((top, palette.counter))
    return assemble(pieces, kind="kitchen island", semantic="counter")


def tap(*, height: float, reach: float, style: int) -> Shape:
    """Make a mixer tap whose spout reaches towards +z, foot at the origin."""
    foot = lathe(
        [(0.026, 0), (0.026, 0.008), (0.018, 0.014), (0.016, 0.05), (0, 0.05)], segments=14
    )
    if style == 0:
        t = np.linspace(0, np.pi, 9)
        arc = np.stack(
            [0 * t, height - reach / 2 + reach / 2 * np.sin(t), reach / 2 * (1 - np.cos(t))], axis=1
        )
        path = np.concatenate([[[0.0, 0.04, 0.0]], arc, arc[-1:] - (0, 0.03, 0)])
    else:
        path = np.array(
            [
                [0, 0.04, 0],
                [0, height * 0.7, 0],
                [0, height * 0.75, reach * 0.2],
                [0, height * 0.72, reach],
            ]
        )
    lever = rod((0.015, 0.045, 0), (0.07, 0.075, 0), radius=0.005, end_radius=0.004)
    return joined([foot, tube(path, radius=0.011, segments=10), lever])


def _basin(
    width: float, depth: float, *, deep: float, top: float, wall: float, rim: float
) -> Shape:
    """Make an open rectangular basin with a flat rim, its rim's upper side at `top`.

    Args:
        width: Of the opening.
        depth: Of the opening.
        deep: Depth of the bowl.
        top: Height of the rim.
        wall: Thickness.
        rim: Width of the flat rim around the opening.
    """
    w, d = width / 2, depth / 2
    sizes: list[Vec3] = [(width, wall, depth)]
    at: list[Vec3] = [(0.0, top - deep, 0.0)]
    for sx in (-1, 1):
        sizes.append((wall, deep - 0.001, depth + 2 * wall))
        at.append((sx * (w + wall / 2), top - deep, 0))
        sizes.append((width, deep - 0.001, wall))
        at.append((0, top - deep, sx * (d + wall / 2)))
        sizes.append((rim, 0.006, depth + 2 * rim))
        at.append((sx * (w + rim / 2), top - 0.006, 0))
        sizes.append((width, 0.006, rim))
        at.append((0, top - 0.006, sx * (d + rim / 2)))
    drain = cylinder(0.03, 0.004, segments=14).moved((0, top - deep + wall, 0))
    return joined([boxes(np.array(sizes), np.array(at), bevel=0.002), drain])


def kitchen_sink(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a base unit whose worktop has a bowl, with a mixer tap."""
    width = (0.6, 0.8, 0.9)[int(rng.integers(3))]
    pieces = _unit(width, palette=palette, top=False, height=COUNTER_HEIGHT_M - 0.2)
    w, d, y, thick = between(rng, 0.4, width - 0.18), 0.38, COUNTER_HEIGHT_M - 0.038, 0.038
    half_w, half_d, z = width / 2, DEPTH_M / 2, 0.03
    left, back, front = half_w - w / 2, half_d - d / 2 + z, half_d - d / 2 - z
    sizes = [(left, thick, DEPTH_M)] * 2 + [(w, thick, back), (w, thick, front)]
    at = [(-half_w + left / 2, y, 0.0), (half_w - left / 2, y, 0.0)]
    at += [(0.0, y, -half_d + back / 2), (0.0, y, half_d - front / 2)]
    pieces.append((boxes(np.array(sizes), np.array(at, float), bevel=0.001), palette.counter))
    sides = boxes(
        np.array([(0.018, 0.2, DEPTH_M - 0.04)] * 2 + [(width, 0.2, 0.018)] * 2),
        np.array(
            [(s * (half_w - 0.009), y - 0.199, -0.02) for s in (-1, 1)]
            + [(0, y - 0.199, s * (half_d - 0.03) - 0.02) for s in (-1, 1)]
        ),
    )
    pieces.append((sides, palette.body))
    bowl = _basin(
        w - 0.02, d - 0.02, deep=0.17, top=COUNTER_HEIGHT_M + 0.003, wall=0.003, rim=0.025
    )
    pieces.append(
        (bowl.moved((0, 0, z)), pick(rng, (palette.steel, palette.steel, palette.ceramic)))
    )
    mixer = tap(height=between(rng, 0.22, 0.34), reach=0.18, style=int(rng.integers(2)))
    pieces.append((mixer.moved((0, COUNTER_HEIGHT_M, -half_d + back - 0.05)), palette.chrome))
    pieces += _unit_fronts(
        width, rows=1, columns=2 if width > 0.65 else 1, doors=True, palette=palette
    )
    return assemble(pieces, kind="kitchen sink", semantic="sink")


def stove(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an oven with knobs below a glass or gas hob."""
    width = 0.6
    body = pick(rng, (palette.steel, palette.white, palette.black))
    top_y = COUNTER_HEIGHT_M
    z = DEPTH_M / 2 - 0.03
    case = box((width, top_y - 0.1, DEPTH_M - 0.05), at=(0, 0.08, -0.02), bevel=0.004)
    plinth = box((width - 0.02, 0.08, DEPTH_M - 0.1), at=(0, 0, -0.03), bevel=0.0)
    door = box((width - 0.02, 0.48, 0.03), at=(0, 0.2, z), bevel=0.008)
    drawer = box((width - 0.02, 0.1, 0.025), at=(0, 0.09, z), bevel=0.006)
    panel = box((width - 0.01, 0.11, 0.03), at=(0, 0.7, z), bevel=0.006)
    window = box((width - 0.16, 0.27, 0.006), at=(0, 0.27, z + 0.015), bevel=0.002)
    bar = rod((-0.22, 0.645, z + 0.055), (0.22, 0.645, z + 0.055), radius=0.009)
    posts = np.array([[-0.2, 0.645, z + 0.01], [0.2, 0.645, z + 0.01]])
    knobs = int(rng.integers(4, 7))
    centres = np.stack(
        [np.linspace(-0.23, 0.23, knobs), np.full(knobs, 0.757), np.full(knobs, z + 0.012)], axis=1
    )
    dials = rods(centres, centres + (0, 0, 0.034), radius=0.02, end_radius=0.016, segments=14)
    pieces: list[Piece] = [(joined([case, door, drawer, panel]), body), (plinth, palette.black)]
    pieces += [
        (window, palette.screen),
        (joined([bar, rods(posts, posts + (0, 0, 0.045), radius=0.006)]), palette.chrome),
    ]
    pieces.append((dials, pick(rng, (palette.black, palette.chrome))))
    glass = plate(
        rounded_rectangle(width - 0.01, DEPTH_M - 0.03, radius=0.01),
        0.012,
        y=top_y - 0.021,
        bevel=0.003,
    )
    rings = np.array([[-0.14, 0, -0.13], [0.14, 0, -0.13], [-0.14, 0, 0.12], [0.14, 0, 0.12]])
    if rng.random() < 0.5:
        pieces.append((glass, palette.screen))
        ring = lathe(
            [(0.075, 0), (0.085, 0), (0.085, 0.0015), (0.075, 0.0015), (0.075, 0)], segments=24
        )
        pieces.append((ring.repeated(rings + (0, top_y - 0.009, 0)), palette.steel))
    else:
        pieces.append((glass, palette.steel))
        burner = lathe([(0.045, 0), (0.045, 0.012), (0.03, 0.02), (0, 0.02)], segments=16)
        arms = np.array([[1, 0, 0], [-1, 0, 0], [0, 0, 1], [0, 0, -1]]) * 0.1
        starts = (rings[:, None] + arms[None]).reshape(-1, 3) + (0, top_y + 0.018, 0)
        ends = (rings[:, None] + 0.25 * arms[None]).reshape(-1, 3) + (0, top_y + 0.018, 0)
        grates = rods(starts, ends, radius=0.005, square=True)
        feet = rods(starts - (0, 0.028, 0), starts, radius=0.005, square=True)
        pieces.append(
            (joined([burner.repeated(rings + (0, top_y - 0.01, 0)), grates, feet]), palette.black)
        )
    return assemble(pieces, kind="stove", semantic="otherfurniture")


def dishwasher(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a dishwasher under a worktop."""
    body = pick(rng, (palette.steel, palette.white, palette.body))
    pieces = _unit(0.6, palette=palette)
    z = DEPTH_M / 2 - 0.04
    tall = between(rng, 0.56, 0.64)
    door = box((0.592, tall, 0.022), at=(0, 0.105, z + 0.011), bevel=0.004)
    rest = 0.752 - tall
    panel = box((0.592, rest, 0.026), at=(0, 0.109 + tall, z + 0.012), bevel=0.005)
    pieces += [(door, body), (panel, pick(rng, (palette.black, body)))]
    y = 0.085 + tall
    bar = rod((-0.2, y, z + 0.05), (0.2, y, z + 0.05), radius=0.008)
    posts = np.array([[-0.18, y, z + 0.01], [0.18, y, z + 0.01]])
    pieces.append((joined([bar, rods(posts, posts + (0, 0, 0.04), radius=0.005)]), palette.chrome))
    count = int(rng.integers(3, 7))
    level = np.full(count, 0.109 + tall + rest / 2)
    keys = np.stack([np.linspace(0.1, 0.26, count), level, np.full(count, z + 0.022)], axis=1)
    pieces.append((rods(keys, keys + (0, 0, 0.006), radius=0.008, segments=10), palette.chrome))
    return assemble(pieces, kind="dishwasher", semantic="otherfurniture")


def wall_cabinet(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a cabinet that hangs above a worktop."""
    width = (0.4, 0.5, 0.6, 0.8, 0.9)[int(rng.integers(5))]
    height, depth = between(rng, 0.55, 0.75), 0.34
    case = box((width, height, depth - 0.02), at=(0, 0, -0.01), bevel=0.002)
    pieces: list[Piece] = [(case, palette.body)]
    pieces += fronts(
        width, height, at=(0, 0, depth / 2 - 0.02), rows=1, columns=2 if width > 0.55 else 1, finish=palette.body,
        handle=palette.metal, handle_style=palette.handle_style, doors=True, framed=palette.framed,
    )  # fmt: skip
    return assemble(pieces, kind="wall cabinet", semantic="cabinet", mount="wall")


def hood(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an extractor hood: a sloping canopy with a chimney."""
    width, depth, rim = 0.6, between(rng, 0.45, 0.5), 0.05
    slope, flue = between(rng, 0.12, 0.28), between(rng, 0.35, 0.5)
    w, d, t = width / 2, depth / 2, 0.13
    canopy = _loft(w, d, t, low=rim, high=rim + slope)
    base = box((width, rim, depth), bevel=0.004)
    chimney = box((2 * t, flue, 0.24), at=(0, rim + slope, -d + 0.12), bevel=0.003)
    metal = pick(rng, (palette.steel, palette.steel, palette.black, palette.white))
    filters = boxes(
        np.array([(0.26, 0.008, depth - 0.1)] * 2),
        np.array([(-0.14, -0.004, 0), (0.14, -0.004, 0)]),
    )
    keys = np.stack([np.linspace(-0.05, 0.05, 4), np.full(4, rim / 2), np.full(4, d)], axis=1)
    buttons = rods(keys, keys + (0, 0, 0.004), radius=0.007, segments=10)
    pieces: list[Piece] = [(joined([base, canopy, chimney]), metal)]
    pieces.append((joined([filters, buttons]), palette.black))
    return assemble(pieces, kind="hood", semantic="otherfurniture", mount="wall")


def _loft(w: float, d: float, t: float, *, low: float, high: float) -> Shape:
    """Make the sloping part of a hood: a wide rectangle below, a narrow one flush with the wall above."""
    bottom = [(-w, low, -d), (w, low, -d), (w, low, d), (-w, low, d)]
    top = [(-t, high, -d), (t, high, -d), (t, high, -d + 0.24), (-t, high, -d + 0.24)]
    return hexahedron(bottom, top)


def refrigerator(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a refrigerator with freezer: door gap, handles, feet."""
    width, depth = between(rng, 0.54, 0.72), between(rng, 0.58, 0.68)
    height = between(rng, 1.45, 2.0)
    body = pick(rng, (palette.white, palette.steel, palette.steel, palette.black))
    foot = 0.03
    case = box((width, height - foot, depth - 0.07), at=(0, foot, -0.035), bevel=0.008)
    split = between(rng, 0.3, 0.42) if rng.random() < 0.6 else between(rng, 0.6, 0.72)
    z = depth / 2 - 0.032
    low = foot + 0.01
    total = height - low - 0.004
    lower = box((width - 0.002, total * split - 0.006, 0.06), at=(0, low, z), bevel=0.012)
    upper = box(
        (width - 0.002, total * (1 - split) - 0.002, 0.06),
        at=(0, low + total * split, z),
        bevel=0.012,
    )
    side = 1 if rng.random() < 0.5 else -1
    x, front = side * (width / 2 - 0.05), depth / 2 + 0.03
    seam = low + total * split
    reach_low, reach_up = min(0.35, total * split * 0.7), min(0.45, total * (1 - split) * 0.6)
    starts = np.array([[x, seam - 0.05 - reach_low, front], [x, seam + 0.05, front]])
    ends = np.array([[x, seam - 0.05, front], [x, seam + 0.05 + reach_up, front]])
    posts = np.concatenate([starts + (0, 0.03, 0), ends - (0, 0.03, 0)])
    grips = joined(
        [rods(starts, ends, radius=0.01), rods(posts - (0, 0, 0.035), posts, radius=0.007)]
    )
    feet = cylinder(0.02, foot + 0.005, segments=10)
    corners = np.array(
        [[sx * (width / 2 - 0.05), 0, sz * (depth / 2 - 0.09)] for sx in (-1, 1) for sz in (-1, 1)]
    )
    seal = box(
        (width - 0.02, height - foot - 0.02, 0.012), at=(0, foot + 0.01, z - 0.031), bevel=0.0
    )
    pieces: list[Piece] = [
        (joined([case, lower, upper]), body),
        (joined([feet.repeated(corners), seal]), palette.black),
    ]
    pieces.append((grips, pick(rng, (palette.chrome, body))))
    if rng.random() < 0.3:
        panel = box((0.16, 0.2, 0.004), at=(-x * 0.2, seam + 0.25, depth / 2 - 0.002), bevel=0.001)
        pieces.append((panel, palette.screen))
    return assemble(pieces, kind="refrigerator", semantic="refridgerator")


def washing_machine(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a front loader with a round door."""
    width, depth, height = 0.6, between(rng, 0.52, 0.62), between(rng, 0.84, 0.87)
    body = pick(rng, (palette.white, palette.white, palette.steel))
    front = depth / 2
    case = box((width, height - 0.02, depth), at=(0, 0.02, 0), bevel=0.012)
    rim = lathe(
        [(0.13, 0.0), (0.19, 0.0), (0.195, 0.02), (0.18, 0.035), (0.14, 0.03), (0.13, 0.0)],
        segments=32,
    )
    bowl = lathe([(0.14, 0.012), (0.1, 0.036), (0.05, 0.05), (0.0, 0.054)], segments=24)
    centre = (0.0, height * 0.46, front - 0.005)
    ring = rim.turned(np.pi / 2, axis="x").moved(centre)
    dome = bowl.turned(np.pi / 2, axis="x").moved(centre)
    panel = box((width - 0.01, 0.12, 0.01), at=(0, height - 0.14, front), bevel=0.003)
    tray = box((0.17, 0.08, 0.016), at=(-0.19, height - 0.12, front + 0.002), bevel=0.006)
    dial = rod(
        (0.05, height - 0.08, front), (0.05, height - 0.08, front + 0.03), radius=0.028, segments=20
    )
    screen = box((0.11, 0.045, 0.003), at=(0.19, height - 0.1, front + 0.006), bevel=0.001)
    feet = cylinder(0.022, 0.03, segments=10)
    at = np.array([[sx * 0.25, 0, sz * (depth / 2 - 0.06)] for sx in (-1, 1) for sz in (-1, 1)])
    flap = box((0.12, 0.08, 0.004), at=(0.2, 0.05, front), bevel=0.002)
    pieces: list[Piece] = [
        (joined([case, panel, tray, flap]), body),
        (joined([ring, dial]), palette.chrome),
    ]
    pieces += [(joined([dome, screen]), palette.screen), (feet.repeated(at), palette.black)]
    return assemble(pieces, kind="washing machine", semantic="otherfurniture")
