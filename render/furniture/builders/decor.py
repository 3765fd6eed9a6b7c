"""What hangs on walls or lies on floors for its looks: pictures, mirrors, clocks, rugs, curtains, blinds."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    ball,
    box,
    boxes,
    ellipse,
    joined,
    lathe,
    plate,
    rod,
    rods,
    rounded_rectangle,
    sheet,
    tube,
)
from scenelift.render.scene import Furniture


def _frame(width: float, height: float, *, rim: float, thick: float) -> Shape:
    """Make four bars around a rectangle that stands on y = 0, mitred by overlap."""
    sizes = [(rim, height, thick)] * 2 + [(width - 2 * rim, rim, thick)] * 2
    x = (width - rim) / 2
    at = [(-x, 0, 0), (x, 0, 0), (0, 0, 0), (0, height - rim, 0)]
    return boxes(np.array(sizes), np.array(at, float), bevel=min(0.006, rim / 4))


def picture(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a framed picture for a wall, with or without a mount of paper."""
    width = between(rng, 0.25, 1.1)
    height = width * float(rng.choice([0.66, 0.75, 1.0, 1.33, 1.5]))
    height = min(height, 1.1)
    rim, thick = between(rng, 0.012, 0.045), between(rng, 0.018, 0.03)
    wood = pick(
        rng, (palette.wood, palette.black, palette.white, palette.metal, palette.wood_second)
    )
    back = box((width - rim, height - rim, 0.006), at=(0, rim / 2, -thick / 2 + 0.004), bevel=0.0)
    margin = between(rng, 0.04, 0.14) * width if rng.random() < 0.5 else 0.0
    inner_w, inner_h = width - 2 * rim - 2 * margin, height - 2 * rim - 2 * margin
    face = box(
        (inner_w, inner_h, 0.003), at=(0, rim + margin, -thick / 2 + 0.007), bevel=0.0, picture=True
    )
    pieces: list[Piece] = [
        (_frame(width, height, rim=rim, thick=thick), wood),
        (back, palette.paper),
    ]
    pieces.append((face, pick(rng, palette.paintings)))
    return assemble(pieces, kind="picture", semantic="picture", mount="wall")


def photo_frame(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a small framed photograph with a strut behind."""
    width, height = between(rng, 0.11, 0.2), between(rng, 0.14, 0.24)
    rim = 0.014
    parts = [
        _frame(width, height, rim=rim, thick=0.012),
        box((width - rim, height - rim, 0.004), at=(0, rim / 2, -0.004), bevel=0.0),
    ]
    face = box(
        (width - 2 * rim, height - 2 * rim, 0.002), at=(0, rim, -0.001), bevel=0.0, picture=True
    )
    tilt = -0.2
    strut = rod((0, height * 0.5, -height * 0.1 - 0.014), (0, 0.003, -height * 0.45), radius=0.003)
    frame = joined(parts).turned(tilt, axis="x")
    pieces: list[Piece] = [
        (joined([frame, strut]), pick(rng, (palette.wood, palette.black, palette.metal)))
    ]
    pieces.append((face.turned(tilt, axis="x"), pick(rng, palette.paintings)))
    return assemble(pieces, kind="photo frame", semantic="picture", mount="surface")


def mirror(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a wall mirror: rectangular with a frame, round or oval with a rim."""
    if rng.random() < 0.5:
        width, height, rim = (
            between(rng, 0.45, 0.9),
            between(rng, 0.6, 1.4),
            between(rng, 0.02, 0.06),
        )
        frame = _frame(width, height, rim=rim, thick=0.03)
        glass = box((width - rim, height - rim, 0.006), at=(0, rim / 2, 0.002), bevel=0.0)
        back = box((width - rim, height - rim, 0.006), at=(0, rim / 2, -0.008), bevel=0.0)
    else:
        width = between(rng, 0.45, 0.8)
        height = width * float(rng.choice([1.0, 1.0, 1.4]))
        radius = between(rng, 0.01, 0.025)
        angle = np.arange(40) * (2 * np.pi / 40)
        path = np.stack([width / 2 * np.cos(angle), height / 2 * np.sin(angle), 0 * angle], axis=1)
        frame = tube(path, radius=radius, closed=True, segments=10)
        disc = plate(ellipse(width, height, segments=40), 0.006, bevel=0.0).turned(
            np.pi / 2, axis="x"
        )
        glass, back = disc.moved((0, 0, 0.004)), disc.moved((0, 0, -0.006))
    wood = pick(rng, (palette.wood, palette.metal, palette.black, palette.white))
    pieces: list[Piece] = [(joined([frame, back]), wood), (glass, palette.mirror)]
    return assemble(pieces, kind="mirror", semantic="mirror", mount="wall")


def clock(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a round wall clock with marks and hands."""
    radius = between(rng, 0.12, 0.2)
    rim = lathe(
        [
            (radius - 0.02, 0.0),
            (radius, 0.0),
            (radius, 0.03),
            (radius - 0.01, 0.04),
            (radius - 0.02, 0.03),
            (radius - 0.02, 0.0),
        ],
        segments=36,
    )
    face = lathe(
        [(0, 0.0), (radius - 0.015, 0.0), (radius - 0.015, 0.012), (0, 0.012)], segments=36
    )
    angle = np.arange(12) * (np.pi / 6)
    direction = np.stack([np.sin(angle), np.zeros(12), -np.cos(angle)], axis=1)
    marks = rods(
        direction * radius * 0.7 + (0, 0.014, 0),
        direction * radius * 0.82 + (0, 0.014, 0),
        radius=0.0035,
        square=True,
    )
    hands = []
    for length, turn, thick in (
        (0.48, rng.uniform(0, 6.28), 0.005),
        (0.7, rng.uniform(0, 6.28), 0.0035),
    ):
        tip = np.array([np.sin(turn), 0.0, -np.cos(turn)]) * radius * length
        hands.append(
            rods(
                np.array([[0, 0.018, 0]]) - 0.2 * tip,
                np.array([[0, 0.018, 0]]) + tip,
                radius=thick,
                square=True,
            )
        )
    dark = pick(rng, (palette.black, palette.metal))
    stand = [shape.turned(np.pi / 2, axis="x") for shape in (rim, face, joined([marks, *hands]))]
    pieces: list[Piece] = [
        (stand[0], pick(rng, (dark, palette.wood, palette.white))),
        (stand[1], palette.paper),
    ]
    pieces.append((stand[2], palette.black))
    return assemble(pieces, kind="clock", semantic="otherprop", mount="wall")


def rug(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a rug: a thin slab, rectangular, round or oval, with a border; rectangular ones may have fringes."""
    thick = between(rng, 0.008, 0.018)
    shape_kind = rng.random()
    if shape_kind < 0.7:
        width, depth = between(rng, 1.2, 2.6), between(rng, 0.8, 1.8)
        outer = rounded_rectangle(width, depth, radius=0.02, steps=2)
        edge = between(rng, 0.04, 0.14)
        inner = rounded_rectangle(width - 2 * edge, depth - 2 * edge, radius=0.01, steps=2)
    else:
        width = between(rng, 1.2, 2.2)
        depth = width if shape_kind < 0.9 else width * 0.65
        outer, inner = (
            ellipse(width, depth, segments=44),
            ellipse(width - 0.16, depth - 0.16, segments=44),
        )
    border = pick(rng, (palette.fabric_second, palette.rug, palette.accent, palette.bedding_second))
    pieces: list[Piece] = [(plate(outer, thick, bevel=0.004), border)]
    pieces.append((plate(inner, 0.0015, y=thick, bevel=0.0), palette.rug))
    if shape_kind < 0.3:
        count = int(depth / 0.025)
        z = (np.arange(count) + 0.5) / count * depth - depth / 2
        x = np.repeat([-width / 2, width / 2], count)
        start = np.stack([x, np.full(2 * count, 0.004), np.tile(z, 2)], axis=1)
        sway = rng.uniform(-0.008, 0.008, 2 * count)
        end = start + np.stack([np.sign(x) * 0.05, np.zeros(2 * count), sway], axis=1)
        pieces.append((rods(start, end, radius=0.004, segments=3), palette.sheet))
    return assemble(pieces, kind="rug", semantic="floor_mat")


def _drape(
    width: float, height: float, *, folds: int, depth: float, rng: np.random.Generator
) -> Shape:
    """Make a hanging wavy cloth from y = 0 to `height`, its folds wider at the bottom."""
    columns, rows = folds * 6 + 1, 6
    s = np.linspace(0, 1, columns)
    t = np.linspace(1, 0, rows)[:, None]
    phase = 2 * np.pi * folds * s + 0.5 * np.sin(2 * np.pi * s * 2 + rng.uniform(0, 6.3))
    swell = depth * (0.75 + 0.35 * np.sin(2 * np.pi * s + rng.uniform(0, 6.3)))
    grid = np.zeros((rows, columns, 3))
    grid[..., 0] = (s - 0.5) * width * (1 - 0.06 * np.sin(np.pi * t) ** 2)
    grid[..., 1] = t * height
    grid[..., 2] = swell * np.sin(phase) * (1.15 - 0.35 * t)
    grid[..., 0] += 0.25 * swell * np.sin(2 * phase) * (1 - t)
    return sheet(grid)


def curtain(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a pair of curtains on a rod, drawn aside; the rod is at the top."""
    width, height = between(rng, 1.4, 2.6), between(rng, 2.0, 2.5)
    span = width * between(rng, 0.18, 0.3)
    count = max(4, int(span / 0.07))
    pieces: list[Piece] = []
    drapes = []
    for side in (-1, 1):
        if side == 1 and rng.random() < 0.12:
            continue
        drape = _drape(span, height, folds=count, depth=0.035, rng=rng)
        drapes.append(drape.moved((side * (width - span) / 2, 0, 0)))
    pieces.append((joined(drapes), palette.curtain))
    y = height + 0.02
    pole = rod((-width / 2 - 0.08, y, 0), (width / 2 + 0.08, y, 0), radius=0.013, segments=12)
    knobs = ball((0.026, 0.026, 0.026), segments=12, rings=8).repeated(
        np.array([[s * (width / 2 + 0.09), y - 0.026, 0] for s in (-1, 1)])
    )
    holders = np.array([[s * (width / 2 - 0.03), y, 0.0] for s in (-1, 1)])
    arms = rods(holders, holders - (0, 0, 0.08), radius=0.008)
    pieces.append(
        (joined([pole, knobs, arms]), pick(rng, (palette.metal, palette.wood, palette.white)))
    )
    return assemble(pieces, kind="curtain", semantic="curtain", mount="wall")


def blinds(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build Venetian blinds, let down partly or wholly."""
    width, height = between(rng, 0.8, 1.6), between(rng, 0.6, 1.4)
    pitch, slat = 0.03, 0.034
    count = int(height / pitch)
    tilt = between(rng, 0.2, 0.9)
    y = np.arange(count) * pitch + 0.03
    one = box((width, 0.0015, slat), bevel=0.0).turned(tilt, axis="x")
    slats = one.repeated(np.stack([np.zeros(count), y, np.zeros(count)], axis=1))
    top = float(y[-1]) + 0.03
    rails = [
        box((width + 0.01, 0.04, 0.045), at=(0, top, 0)),
        box((width, 0.018, 0.03), at=(0, 0, 0)),
    ]
    cords_at = np.array([[s * width * 0.36, 0.01, t * 0.017] for s in (-1, 1) for t in (-1, 1)])
    cords = rods(cords_at, cords_at * (1, 0, 1) + (0, top, 0), radius=0.0012, segments=4)
    wand = rod(
        (-width / 2 + 0.06, top, 0.025),
        (-width / 2 + 0.06, top - 0.5 * height, 0.03),
        radius=0.004,
        segments=6,
    )
    finish = pick(rng, (palette.white, palette.white, palette.wood, palette.steel))
    pieces: list[Piece] = [
        (joined([slats, *rails]), finish),
        (joined([cords, wand]), palette.white),
    ]
    return assemble(pieces, kind="blinds", semantic="blinds", mount="wall")


def whiteboard(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a whiteboard with frame, tray and pens."""
    width, height = between(rng, 0.8, 1.6), between(rng, 0.6, 1.0)
    frame = _frame(width, height, rim=0.02, thick=0.022)
    face = box((width - 0.02, height - 0.02, 0.012), at=(0, 0.01, -0.003), bevel=0.0)
    tray = box((width * 0.5, 0.012, 0.06), at=(0, -0.005, 0.03), bevel=0.003)
    count = int(rng.integers(2, 5))
    x = (np.arange(count) - count / 2) * 0.16
    start = np.stack([x, np.full(count, 0.016), np.full(count, 0.045)], axis=1)
    pieces: list[Piece] = [(joined([frame, tray]), palette.steel), (face, palette.white)]
    for index in range(count):
        pen = rods(start[index : index + 1], start[index : index + 1] + (0.12, 0, 0), radius=0.008)
        pieces.append((pen, pick(rng, palette.bolds)))
    return assemble(pieces, kind="whiteboard", semantic="whiteboard", mount="wall")


def wall_shelf(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a shelf board on brackets."""
    width, depth = between(rng, 0.5, 1.2), between(rng, 0.18, 0.26)
    board = box((width, 0.024, depth), at=(0, 0.12, 0), bevel=0.003)
    x = width * 0.35
    at = np.array([[-x, 0.12, -depth / 2 + 0.01], [x, 0.12, -depth / 2 + 0.01]])
    arms = [
        rods(at - (0, 0.12, 0), at, radius=0.009, square=True),
        rods(at, at + (0, 0, depth * 0.85), radius=0.009, square=True),
    ]
    arms.append(rods(at - (0, 0.1, 0), at + (0, 0, depth * 0.7), radius=0.006, square=True))
    pieces: list[Piece] = [(board, pick(rng, (palette.wood, palette.white, palette.wood_second)))]
    pieces.append((joined(arms), palette.metal))
    return assemble(pieces, kind="wall shelf", semantic="shelves", mount="wall")


def radiator(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a radiator of columns, or a ribbed panel, with valve; it stands before a wall."""
    width, height = between(rng, 0.6, 1.4), between(rng, 0.5, 0.65)
    finish = palette.white
    shapes: list[Shape] = []
    if rng.random() < 0.5:
        count = int(width / 0.055)
        x = (np.arange(count) - (count - 1) / 2) * 0.055
        for z in (-0.035, 0.035):
            foot = np.stack([x, np.full(count, 0.1), np.full(count, z)], axis=1)
            shapes.append(rods(foot, foot + (0, height - 0.1, 0), radius=0.016, segments=8))
        headers = np.array([(0.0, 0.103, 0.0), (0.0, height - 0.047, 0.0)])
        shapes.append(boxes(np.full((2, 3), (width, 0.035, 0.09)), headers, bevel=0.008))
    else:
        ribs = max(int(width / 0.04), 4)
        s = np.linspace(-0.5, 0.5, ribs * 4 + 1)
        wave = 0.006 * np.clip(1.6 * np.sin(2 * np.pi * ribs * s), -1, 1)
        profile = np.stack([s * width, np.zeros(len(s)), 0.045 + wave], axis=1)
        shapes.append(sheet(np.stack([profile + (0, height - 0.01, 0), profile + (0, 0.1, 0)])))
        shapes.append(box((width, height - 0.11, 0.07), at=(0, 0.1, 0.0), bevel=0.004))
        count = int(width / 0.03)
        at = np.stack(
            [
                (np.arange(count) + 0.5) / count * width - width / 2,
                np.full(count, height - 0.012),
                np.zeros(count),
            ],
            axis=1,
        )
        shapes.append(boxes(np.tile((0.012, 0.012, 0.08), (count, 1)), at))
    feet = np.array([[s * width * 0.4, 0, 0.0] for s in (-1, 1)])
    shapes.append(rods(feet, feet + (0, 0.12, 0), radius=0.012))
    valve = lathe(
        [(0, 0), (0.018, 0), (0.022, 0.02), (0.022, 0.06), (0.015, 0.07), (0, 0.07)], segments=14
    )
    valve = valve.turned(-np.pi / 2, axis="z").moved((width / 2 + 0.01, height - 0.05, 0))
    return assemble(
        [(joined([*shapes, valve]), finish)], kind="radiator", semantic="otherfurniture"
    )
