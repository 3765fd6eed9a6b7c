"""Toilets, basins, tubs and what hangs beside them."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

from dataclasses import replace

import numpy as np

from scenelift.render.furniture.builders.kitchen import tap
from scenelift.render.furniture.builders.parts import between, fronts, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    box,
    boxes,
    cylinder,
    joined,
    lathe,
    plate,
    rod,
    rods,
    rounded_rectangle,
    sheet,
    soft_box,
    tube,
)
from scenelift.render.scene import Furniture


def _egg(shape: Shape, *, front: float, back: float) -> Shape:
    """Stretch a turned shape of radius 1 to different lengths before and behind its axis."""
    vertices = shape.vertices.copy()
    vertices[:, 2] *= np.where(vertices[:, 2] > 0, front, back)
    return replace(shape, vertices=vertices)


def _bowl(
    width: float, depth: float, *, height: float, deep: float, wall: float, foot: float
) -> Shape:
    """Make an oval bowl with a round rim; the foot is a share of its width."""
    r, d = width / 2, depth / width
    outer = [
        (0.0, 0.0),
        (foot * r, 0.0),
        (foot * r * 1.05, 0.01),
        (0.82 * r, height * 0.55),
        (r, height - wall / 2),
    ]
    rim = [(r - wall * 0.3, height), (r - wall, height - wall * 0.3)]
    low = height - deep
    inner = [
        (0.78 * r, low + deep * 0.45),
        (0.5 * r, low + deep * 0.12),
        (0.12 * r, low),
        (0.0, low),
    ]
    return lathe([*outer, *rim, *inner], segments=28, crease_cos=0.3).scaled((1.0, 1.0, d))


def toilet(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a toilet: foot, bowl, seat with lid, cistern with button."""
    white = palette.ceramic
    width, seat = between(rng, 0.35, 0.39), between(rng, 0.38, 0.42)
    r = width / 2
    profile = [
        (0.0, 0.0),
        (0.55 * r, 0.0),
        (0.5 * r, 0.05),
        (0.55 * r, 0.18),
        (0.9 * r, 0.33),
        (r, seat - 0.03),
        (0.98 * r, seat - 0.01),
    ]
    profile += [
        (0.72 * r, seat - 0.01),
        (0.6 * r, seat - 0.1),
        (0.3 * r, seat - 0.17),
        (0.0, seat - 0.18),
    ]
    body = _egg(lathe(profile, segments=28, crease_cos=0.5), front=1.35, back=1.05)
    ring = lathe(
        [
            (0.66 * r, 0),
            (1.0 * r, 0),
            (1.02 * r, 0.012),
            (0.95 * r, 0.022),
            (0.7 * r, 0.022),
            (0.66 * r, 0.0),
        ],
        segments=28,
    )
    ring = _egg(ring, front=1.37, back=1.05).moved((0, seat - 0.009, 0))
    rear = -r * 1.05
    opened = rng.random() < 0.35
    lid = _egg(
        lathe([(0, 0), (r, 0), (1.02 * r, 0.01), (0.9 * r, 0.022), (0, 0.026)], segments=28),
        front=1.36,
        back=1.0,
    )
    if opened:
        lid = (
            lid.moved((0, 0, r))
            .turned(-np.pi / 2 - 0.12, axis="x")
            .moved((0, seat + 0.02, rear + 0.05))
        )
    else:
        lid = lid.moved((0, seat + 0.014, 0))
    tank_h, tank_d = between(rng, 0.34, 0.42), between(rng, 0.16, 0.2)
    tank = soft_box(
        (width + 0.03, tank_h, tank_d),
        at=(0, seat - 0.03, rear - tank_d / 2 + 0.03),
        radius=0.03,
        puff=0.006,
    )
    cap = box(
        (width + 0.05, 0.028, tank_d + 0.02),
        at=(0, seat - 0.03 + tank_h, rear - tank_d / 2 + 0.03),
        bevel=0.009,
    )
    top = seat - 0.002 + tank_h
    button = lathe([(0.026, 0), (0.026, 0.006), (0.02, 0.009), (0, 0.009)], segments=16).moved(
        (0, top, rear - tank_d / 2 + 0.03)
    )
    pedestal = box((width * 0.62, seat - 0.06, 0.2), at=(0, 0, rear + 0.06), bevel=0.03)
    lid_finish = pick(rng, (palette.white, palette.white, palette.wood))
    pieces: list[Piece] = [
        (joined([body, tank, cap, pedestal]), white),
        (joined([ring, lid]), lid_finish),
    ]
    pieces.append((button, palette.chrome))
    return assemble(pieces, kind="toilet", semantic="toilet")


def wash_basin(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a wash basin with a tap: on a pedestal, in a vanity, or as a bowl on a board."""
    width, depth = between(rng, 0.46, 0.62), between(rng, 0.4, 0.46)
    top = between(rng, 0.82, 0.9)
    style = int(rng.integers(3))
    mixer = tap(height=between(rng, 0.14, 0.2), reach=0.13, style=int(rng.integers(2)))
    if style == 0:
        bowl = _bowl(width, depth, height=0.2, deep=0.14, wall=0.04, foot=0.4).moved(
            (0, top - 0.2, 0.02)
        )
        ledge = soft_box(
            (width * 0.8, 0.09, 0.14),
            at=(0, top - 0.085, -depth / 2 + 0.04),
            radius=0.03,
            puff=0.004,
        )
        column = [
            (0, 0),
            (0.13, 0),
            (0.12, 0.03),
            (0.075, 0.2),
            (0.07, 0.5),
            (0.11, top - 0.16),
            (0, top - 0.16),
        ]
        pedestal = lathe(column, segments=22)
        pieces: list[Piece] = [(joined([bowl, ledge, pedestal]), palette.ceramic)]
        pieces.append((mixer.moved((0, top, -depth / 2 + 0.05)), palette.chrome))
        return assemble(pieces, kind="wash basin", semantic="sink")
    wide = width + between(rng, 0.05, 0.35)
    deep = depth + 0.04
    low = between(rng, 0.0, 0.25)
    board_y = top - (0.13 if style == 1 else 0.05)
    case = box((wide, board_y - low, deep - 0.02), at=(0, low, -0.01), bevel=0.003)
    board = box((wide + 0.01, 0.025, deep + 0.01), at=(0, board_y, 0), bevel=0.004)
    pieces = [
        (case, palette.body),
        (board, pick(rng, (palette.counter, palette.wood, palette.ceramic))),
    ]
    pieces += fronts(
        wide, board_y - low, at=(0, low, deep / 2 - 0.02), rows=int(rng.integers(1, 3)), columns=2 if wide > 0.65 else 1,
        finish=palette.body, handle=palette.chrome, handle_style=int(rng.integers(3)), doors=rng.random() < 0.5,
    )  # fmt: skip
    if low > 0:
        feet = np.array(
            [[s * (wide / 2 - 0.04), 0, t * (deep / 2 - 0.04)] for s in (-1, 1) for t in (-1, 1)]
        )
        pieces.append((rods(feet, feet + (0, low + 0.01, 0), radius=0.014), palette.chrome))
    bowl_h = top - board_y - 0.025 + 0.02
    bowl = _bowl(
        width * 0.85, depth * 0.78, height=bowl_h, deep=bowl_h - 0.012, wall=0.014, foot=0.6
    )
    pieces.append((bowl.moved((0, board_y + 0.024, 0.04)), palette.ceramic))
    tall = mixer.scaled((1.0, 1.25, 1.0)) if style == 1 else mixer
    pieces.append((tall.moved((0, board_y + 0.024, -deep / 2 + 0.05)), palette.chrome))
    return assemble(pieces, kind="wash basin", semantic="sink")


def bathtub(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a tub: built in with an apron, or free-standing and oval."""
    length, width, height = between(rng, 1.55, 1.8), between(rng, 0.7, 0.8), between(rng, 0.52, 0.6)
    chrome = palette.chrome
    if rng.random() < 0.35:
        shell = _bowl(length, width, height=height, deep=height - 0.08, wall=0.05, foot=0.72)
        pole = [(0, 0, 0), (0, 0.85, 0), (0, 0.95, 0.05), (0, 0.93, 0.2)]
        stand = tube([(x, y, z - width / 2 - 0.1) for x, y, z in pole], radius=0.015)
        foot = cylinder(0.05, 0.012).moved((0, 0, -width / 2 - 0.1))
        pieces: list[Piece] = [(shell, palette.ceramic), (joined([stand, foot]), chrome)]
        return assemble(pieces, kind="bathtub", semantic="bathtub")
    rim, steps = 0.07, 6
    outer = rounded_rectangle(length, width, radius=0.02, steps=steps)
    rings = [(outer, 0.0), (outer, height)]
    for share, y in ((0.0, height), (0.12, height - 0.06), (0.3, 0.2), (0.5, 0.13), (0.75, 0.115)):
        inset = rim + 0.28 * share * width * 0.9
        ring = rounded_rectangle(
            length - 2 * inset, width - 2 * inset, radius=0.2 * (1 - share * 0.5), steps=steps
        )
        rings.append((ring, y))
    grid = np.stack([np.column_stack([r[:, 0], np.full(len(r), y), r[:, 1]]) for r, y in rings])
    grid = np.concatenate([grid, grid[:, :1]], axis=1)
    sides, top = sheet(grid[:2]), sheet(grid[1:3])
    inside = sheet(grid[2:])
    floor_ring = rings[-1][0]
    floor = plate(floor_ring, 0.01, y=0.106, bevel=0.0)
    under = plate(outer, 0.01, y=0.0, bevel=0.0)
    pieces = [
        (joined([top, inside, floor]), palette.ceramic),
        (joined([sides, under]), pick(rng, (palette.ceramic, palette.white))),
    ]
    x = length / 2 - rim / 2
    side = 1 if rng.random() < 0.5 else -1
    mixer = tap(height=0.14, reach=0.13, style=1).turned(-side * np.pi / 2)
    drain = cylinder(0.03, 0.004).moved((side * 0.45, 0.116, 0))
    pieces.append((joined([mixer.moved((side * x, height, 0)), drain]), chrome))
    return assemble(pieces, kind="bathtub", semantic="bathtub")


def shower(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a shower cabin: tray, two glass walls with a frame, pole with a shower head; the corner is at -x, -z."""
    size, height = between(rng, 0.8, 1.0), between(rng, 1.9, 2.05)
    h = size / 2
    tray = box((size, 0.06, size), bevel=0.012)
    basin = box((size - 0.12, 0.004, size - 0.12), at=(0, 0.058, 0), bevel=0.001)
    drain = cylinder(0.045, 0.004).moved((0, 0.061, 0))
    split = between(rng, -0.05, 0.15) * size
    panes = np.array(
        [
            [0.006, height - 0.1, size - 0.03],
            [h + split - 0.02, height - 0.1, 0.006],
            [h - split - 0.01, height - 0.1, 0.006],
        ]
    )
    at = np.array(
        [
            [h - 0.012, 0.07, 0],
            [(split - h) / 2 + 0.0, 0.07, h - 0.012],
            [(h + split) / 2, 0.07, h - 0.026],
        ]
    )
    glass = boxes(panes, at)
    posts = np.array(
        [[h - 0.012, 0.06, h - 0.012], [h - 0.012, 0.06, 0.01 - h], [0.01 - h, 0.06, h - 0.012]]
    )
    frame = rods(posts, posts + (0, height - 0.08, 0), radius=0.012, square=True)
    top = height - 0.03
    rails = np.array([[h - 0.012, top, 0.01 - h], [0.01 - h, top, h - 0.012]])
    frame = joined(
        [frame, rods(rails, np.array([[h - 0.012, top, h - 0.012]] * 2), radius=0.012, square=True)]
    )
    grip = rod((split + 0.04, 0.95, h - 0.0), (split + 0.04, 1.25, h - 0.0), radius=0.009)
    z = -h + 0.05
    pole = rod((-0.1, 0.95, z), (-0.1, 1.85, z), radius=0.01)
    arm = tube([(-0.1, 1.82, z), (-0.1, 1.95, z + 0.05), (-0.1, 1.95, z + 0.2)], radius=0.009)
    head = lathe([(0.0, 0.0), (0.085, 0.0), (0.085, 0.012), (0.02, 0.03), (0.0, 0.03)], segments=20)
    valve = rod((-0.22, 1.02, z), (0.02, 1.02, z), radius=0.022, segments=14)
    t = np.linspace(0, 1, 10)
    hose = np.stack(
        [
            -0.1 + 0.09 * np.sin(np.pi * t),
            1.0 - 0.35 * np.sin(np.pi * t) + 0.5 * t,
            np.full(10, z + 0.03),
        ],
        axis=1,
    )
    chrome = [
        frame,
        grip,
        pole,
        arm,
        head.moved((-0.1, 1.92, z + 0.2)),
        valve,
        tube(hose, radius=0.006),
        drain,
    ]
    pieces: list[Piece] = [
        (joined([tray, basin]), palette.ceramic),
        (glass, palette.glass),
        (joined(chrome), palette.chrome),
    ]
    return assemble(pieces, kind="shower", semantic="otherfurniture")


def towel_rail(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a heated ladder or a plain rail on a wall, with a towel over it."""
    width = between(rng, 0.42, 0.6)
    ladder = rng.random() < 0.6
    finish = pick(rng, (palette.chrome, palette.white, palette.black))
    shapes: list[Shape] = []
    height = 0.06
    if ladder:
        height = between(rng, 0.8, 1.3)
        sides = np.array([[-width / 2, 0, 0], [width / 2, 0, 0]])
        shapes.append(rods(sides, sides + (0, height, 0), radius=0.016, segments=10))
        levels = np.arange(0.06, height - 0.02, 0.075)
        levels = levels[np.arange(len(levels)) % 6 != 5]
        left = np.stack([np.full(len(levels), -width / 2), levels, np.zeros(len(levels))], axis=1)
        shapes.append(rods(left, left + (width, 0, 0), radius=0.01, segments=8))
        bar_y = float(levels[-2])
    else:
        shapes.append(rod((-width / 2, 0.03, 0), (width / 2, 0.03, 0), radius=0.009))
        bar_y = 0.03
    ends = np.array([[-width / 2 + 0.01, bar_y, 0.0], [width / 2 - 0.01, bar_y, 0.0]])
    shapes.append(rods(ends - (0, 0, 0.06), ends, radius=0.012))
    pieces: list[Piece] = [(joined(shapes), finish)]
    wide, front, rear = (
        width * between(rng, 0.5, 0.8),
        between(rng, 0.35, 0.55),
        between(rng, 0.25, 0.4),
    )
    x = between(rng, -0.5, 0.5) * (width - wide - 0.04)
    pieces.append(
        (
            _hung(wide, front=front, rear=rear, gap=0.022, rng=rng).moved((x, bar_y, 0)),
            palette.towel,
        )
    )
    return assemble(pieces, kind="towel rail", semantic="towel", mount="wall")


def _hung(
    width: float, *, front: float, rear: float, gap: float, rng: np.random.Generator
) -> Shape:
    """Make cloth over a rail along x at the origin, hanging down on both sides with soft folds."""
    t = np.linspace(0, np.pi, 6)
    over = np.stack([gap * np.sin(t), gap * np.cos(t)], axis=1)
    down_f = np.linspace(front, 0.03, 6)
    down_r = np.linspace(0.03, rear, 6)
    y = np.concatenate([-down_f, over[:, 0], -down_r])
    z = np.concatenate([np.full(6, gap), over[:, 1], np.full(6, -gap)])
    columns = 11
    x = np.linspace(-width / 2, width / 2, columns)
    grid = np.zeros((len(y), columns, 3))
    depth = np.clip(-y / front, 0, 1)
    fold = 0.008 * np.sin(9 * x / width + rng.uniform(0, 6.3))
    grid[..., 0] = x * (1 - 0.04 * depth[:, None])
    grid[..., 1] = y[:, None]
    grid[..., 2] = z[:, None] + depth[:, None] * fold * np.sign(z)[:, None]
    return sheet(grid)


def bathroom_cabinet(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a mirror cabinet with a light above."""
    width, height, depth = between(rng, 0.5, 0.8), between(rng, 0.6, 0.75), between(rng, 0.13, 0.18)
    case = box((width, height, depth - 0.016), at=(0, 0, -0.008), bevel=0.002)
    count = 2 if width < 0.65 else 3
    wide = width / count
    x = (np.arange(count) + 0.5) * wide - width / 2
    at = np.stack([x, np.full(count, 0.003), np.full(count, depth / 2 - 0.014)], axis=1)
    doors = boxes(np.tile((wide - 0.004, height - 0.006, 0.012), (count, 1)), at, bevel=0.004)
    tube_y = height + 0.03
    light = rod(
        (-width * 0.35, tube_y, depth / 2 - 0.01),
        (width * 0.35, tube_y, depth / 2 - 0.01),
        radius=0.016,
        segments=12,
    )
    holder = box((0.12, 0.05, 0.06), at=(0, height, depth / 2 - 0.05), bevel=0.006)
    pieces: list[Piece] = [
        (case, palette.white),
        (doors, palette.mirror),
        (light, palette.glow),
        (holder, palette.chrome),
    ]
    return assemble(pieces, kind="bathroom cabinet", semantic="cabinet", mount="wall")
