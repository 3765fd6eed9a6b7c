"""What belongs to a household besides: piano, racks, high chair, toy box, wall lamps, stairs of shoes."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, carcass, level_feet, pick
from scenelift.render.furniture.builders.small import shoe_pair
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    ball,
    box,
    boxes,
    extrude,
    joined,
    lathe,
    rod,
    rods,
    sheet,
    soft_box,
    tube,
)
from scenelift.render.scene import Furniture


def piano(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an upright piano with its keyboard."""
    width, height, depth = (
        between(rng, 1.4, 1.52),
        between(rng, 1.05, 1.25),
        between(rng, 0.56, 0.62),
    )
    finish = pick(rng, (palette.black, palette.wood, palette.wood_second, palette.white))
    back = -depth / 2
    body = box((width - 0.08, height - 0.04, 0.3), at=(0, 0.02, back + 0.16), bevel=0.006)
    side = extrude(
        [
            (0, 0),
            (0.36, 0),
            (0.36, 0.55),
            (depth, 0.58),
            (depth, 0.78),
            (0.42, 0.82),
            (0.34, height - 0.03),
            (0, height - 0.03),
        ],
        0.045,
        bevel=0.006,
    )
    side = side.turned(-np.pi / 2).moved((0, 0, back))
    sides = [side.moved((s * (width / 2 - 0.024), 0, 0)) for s in (-1, 1)]
    lid = box((width, 0.03, 0.36), at=(0, height - 0.03, back + 0.18), bevel=0.006)
    bed = box(
        (width - 0.09, 0.07, depth - 0.3), at=(0, 0.6, back + 0.3 + (depth - 0.3) / 2), bevel=0.004
    )
    rest = (
        box((width * 0.6, 0.24, 0.015), bevel=0.003)
        .turned(-0.2, axis="x")
        .moved((0, 0.9, back + 0.36))
    )
    legs_at = np.array([[s * (width / 2 - 0.06), 0, depth / 2 - 0.06] for s in (-1, 1)])
    front_legs = rods(legs_at, legs_at + (0, 0.6, 0), radius=0.03, end_radius=0.035, square=True)
    keys, step = 52, (width - 0.2) / 52
    x = (np.arange(keys) - (keys - 1) / 2) * step
    z = depth / 2 - 0.12
    white = boxes(
        np.tile((step * 0.92, 0.022, 0.15), (keys, 1)),
        np.stack([x, np.full(keys, 0.67), np.full(keys, z)], axis=1),
    )
    sharp = np.isin(np.arange(keys) % 7, (0, 1, 3, 4, 5))[:-1]
    x_black = (x[:-1] + step / 2)[sharp]
    dark = boxes(
        np.tile((step * 0.55, 0.015, 0.09), (len(x_black), 1)),
        np.stack([x_black, np.full(len(x_black), 0.69), np.full(len(x_black), z - 0.03)], axis=1),
    )
    pedals_at = np.array([[0.07 * k, 0.05, back + 0.3] for k in (-1, 0, 1)])
    pedals = rods(pedals_at, pedals_at + (0, 0.0, 0.1), radius=0.012)
    pieces: list[Piece] = [
        (joined([body, *sides, lid, bed, rest, front_legs]), finish),
        (white, palette.white),
    ]
    pieces += [(dark, palette.black), (pedals, palette.metal)]
    return assemble(pieces, kind="piano", semantic="otherfurniture")


def shoe_rack(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a low rack of slats with shoes on it."""
    width, height, depth = between(rng, 0.6, 0.9), between(rng, 0.4, 0.6), 0.32
    x, z = width / 2 - 0.012, depth / 2 - 0.012
    posts = np.array([[-x, 0, -z], [x, 0, -z], [x, 0, z], [-x, 0, z]])
    frame = [rods(posts, posts + (0, height, 0), radius=0.012, square=True)]
    levels = (0.1, height - 0.06) if height < 0.5 else (0.08, height * 0.52, height - 0.06)
    slats = np.linspace(-z + 0.02, z - 0.02, 5)
    pieces: list[Piece] = []
    for y in levels:
        start = np.stack([np.full(5, -x), np.full(5, y), slats], axis=1)
        frame.append(rods(start, start * (-1, 1, 1), radius=0.008, segments=6))
        for slot in (-1, 1):
            if rng.random() < 0.6:
                pair = shoe_pair(rng=rng, palette=palette)
                at = (slot * width * 0.24, y + 0.0075, 0.0)
                pieces += [(shape.moved(at), finish) for shape, finish in pair]
    frame_finish = pick(rng, (palette.metal, palette.wood, palette.white))
    return assemble([(joined(frame), frame_finish), *pieces], kind="shoe rack", semantic="shelves")


def coat_rack(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a coat stand with a coat and perhaps a bag."""
    height = between(rng, 1.65, 1.85)
    wood = pick(rng, (palette.wood, palette.black, palette.white, palette.metal))
    pole = rod((0, 0.03, 0), (0, height, 0), radius=0.018, end_radius=0.015, segments=12)
    knob = ball((0.026, 0.026, 0.026), segments=12, rings=8).moved((0, height - 0.02, 0))
    angle = np.arange(4) * (np.pi / 2) + 0.4
    out = np.stack([np.cos(angle), 0 * angle, np.sin(angle)], axis=1)
    feet = level_feet(
        rods(out * 0.26, np.tile((0.0, 0.16, 0.0), (4, 1)), radius=0.012, end_radius=0.016)
    )
    hooks = []
    for k in range(4):
        for y, reach in ((height - 0.1, 0.14), (height - 0.32, 0.1)):
            d = out[k]
            path = [
                (0.0, y - 0.04, 0.0),
                tuple((d * reach * 0.7 + (0, y - 0.03, 0)).tolist()),
                tuple((d * reach + (0, y + 0.04, 0)).tolist()),
            ]
            hooks.append(tube(np.array(path), radius=0.007, segments=6))
    pieces: list[Piece] = [(joined([pole, knob, feet, *hooks]), wood)]
    if rng.random() < 0.8:
        coat = _coat(rng).turned(-0.4).moved((0.12, height - 1.12, 0.05))
        pieces.append(
            (
                coat,
                pick(
                    rng,
                    (palette.fabric_second, palette.bedding_second, palette.black, palette.leather),
                ),
            )
        )
    return assemble(pieces, kind="coat rack", semantic="otherfurniture")


def _coat(rng: np.random.Generator) -> Shape:
    """Make a hanging coat: a closed fold of cloth, narrow at the hook, wavy below."""
    rows, columns = 9, 25
    t = np.linspace(0, 1, rows)[:, None]
    a = np.linspace(0, 2 * np.pi, columns)[None]
    half = np.interp(t, [0, 0.08, 0.2, 1.0], [0.02, 0.14, 0.19, 0.23])
    deep = np.interp(t, [0, 0.1, 1.0], [0.02, 0.06, 0.09])
    wave = 1 + 0.16 * t * np.sin(7 * a + rng.uniform(0, 6.3))
    grid = np.zeros((rows, columns, 3))
    grid[..., 0] = half * np.cos(a) * wave
    grid[..., 2] = deep * np.sin(a) * wave
    grid[..., 1] = 1.05 * (1 - t) + 0.0 * a
    return sheet(grid)


def high_chair(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a child's high chair with a tray."""
    seat = between(rng, 0.52, 0.6)
    wood = pick(rng, (palette.wood, palette.white))
    feet = np.array([[-0.24, 0, -0.25], [0.24, 0, -0.25], [0.24, 0, 0.25], [-0.24, 0, 0.25]])
    tops = np.array(
        [
            [-0.15, seat + 0.02, -0.14],
            [0.15, seat + 0.02, -0.14],
            [0.15, seat + 0.18, 0.12],
            [-0.15, seat + 0.18, 0.12],
        ]
    )
    frame = [level_feet(rods(feet, tops, radius=0.018, segments=10))]
    step = np.array([[-0.2, 0.24, 0.2], [-0.21, 0.18, -0.21]])
    frame.append(rods(step, step * (-1, 1, 1), radius=0.012))
    frame.append(box((0.36, 0.018, 0.12), at=(0, 0.24, 0.2), bevel=0.004))
    back = soft_box((0.32, 0.4, 0.05), radius=0.02).turned(-0.15, axis="x").moved((0, seat, -0.14))
    base = soft_box((0.32, 0.05, 0.3), at=(0, seat - 0.01, 0.0), radius=0.02)
    arms = np.array([[-0.16, seat + 0.18, -0.15], [0.16, seat + 0.18, -0.15]])
    frame.append(rods(arms, arms + (0, 0, 0.3), radius=0.014))
    tray = box((0.42, 0.02, 0.26), at=(0, seat + 0.19, 0.2), bevel=0.008)
    rim = np.array(
        [
            [-0.2, seat + 0.213, 0.08],
            [0.2, seat + 0.213, 0.08],
            [0.2, seat + 0.213, 0.32],
            [-0.2, seat + 0.213, 0.32],
        ]
    )
    edge = rods(rim, np.roll(rim, -1, axis=0), radius=0.008)
    pieces: list[Piece] = [
        (joined(frame), wood),
        (joined([back, base]), pick(rng, (palette.accent, *palette.bolds))),
    ]
    pieces.append((joined([tray, edge]), palette.white))
    return assemble(pieces, kind="high chair", semantic="chair")


def toy_box(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an open chest with balls and blocks in it."""
    width, height, depth = (
        between(rng, 0.5, 0.75),
        between(rng, 0.3, 0.42),
        between(rng, 0.34, 0.42),
    )
    wood = pick(rng, (palette.wood, palette.white, palette.bolds[4]))
    shell = carcass(width, depth, height, shelves=np.zeros(0), thickness=0.016).turned(
        -np.pi / 2, axis="x"
    )
    shell = shell.moved((0, height / 2, depth / 2))
    pieces: list[Piece] = [(shell, wood)]
    grips = np.array([[s * (width / 2 + 0.001), height * 0.7, 0.0] for s in (-1, 1)])
    pieces.append((rods(grips - (0, 0, 0.07), grips + (0, 0, 0.07), radius=0.012), palette.metal))
    for index in range(int(rng.integers(6, 10))):
        r = between(rng, 0.05, 0.085)
        x = between(rng, -1.0, 1.0) * (width / 2 - r - 0.02)
        z = between(rng, -1.0, 1.0) * (depth / 2 - r - 0.02)
        y = height * 0.5 + between(rng, -0.04, 0.06)
        shape = (
            ball((r, r, r), segments=14, rings=9)
            if index % 2
            else box((1.5 * r, 1.5 * r, 1.5 * r), bevel=0.006).turned(between(rng, 0.0, 1.5))
        )
        pieces.append((shape.moved((x, y, z)), palette.bolds[index % len(palette.bolds)]))
    return assemble(pieces, kind="toy box", semantic="otherfurniture")


def wall_lamp(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a wall lamp: an arm with a shade, or a half dish that shines upwards."""
    metal = pick(rng, (palette.metal, palette.chrome, palette.black))
    if rng.random() < 0.5:
        r, h = between(rng, 0.08, 0.12), between(rng, 0.12, 0.18)
        shade = lathe(
            [(r, 0), (r * 0.65, h), (r * 0.65 - 0.003, h), (r - 0.003, 0), (r, 0)], segments=24
        )
        bulb = ball((0.03, 0.035, 0.03), segments=10, rings=7).moved((0, h * 0.3, 0))
        reach = between(rng, 0.12, 0.2)
        arm = tube(
            [(0, 0.0, -reach), (0, -0.03, -reach * 0.5), (0, -0.04, 0), (0, 0.05, 0)], radius=0.008
        )
        disc = rod((0, 0, -reach - 0.015), (0, 0, -reach), radius=0.05, segments=20)
        pieces: list[Piece] = [
            (shade, palette.shade),
            (bulb, palette.bulb),
            (joined([arm, disc]), metal),
        ]
    else:
        r, h = between(rng, 0.12, 0.17), between(rng, 0.09, 0.14)
        t = np.linspace(0, np.pi / 2, 6)
        dish = lathe(
            [(0.0, 0.0), *[(float(r * np.sin(a)), float(h * (1 - np.cos(a)))) for a in t[1:]]],
            segments=24,
        )
        lower = dish.vertices.copy()
        lower[:, 2] = np.maximum(lower[:, 2], 0.0)
        keep = (
            np.ptp(lower[dish.faces][..., 2], axis=1) + lower[dish.faces][..., 2].max(axis=1) > 1e-6
        )
        shell = Shape(
            vertices=lower, faces=dish.faces[keep], uvs=dish.uvs[keep], normals=dish.normals[keep]
        )
        plate = box((2 * r * 0.9, h * 0.8, 0.012), at=(0, h * 0.2, -0.004), bevel=0.003)
        bulb = box((r, 0.02, 0.03), at=(0, h * 0.7, 0.03), bevel=0.006)
        pieces = [(shell, palette.shade), (plate, metal), (bulb, palette.bulb)]
    return assemble(pieces, kind="wall lamp", semantic="lamp", mount="wall")


def spots(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a row of spotlights on a ceiling rail."""
    count = int(rng.integers(2, 5))
    width = 0.28 * count
    metal = pick(rng, (palette.white, palette.chrome, palette.black))
    rail = box((width, 0.03, 0.05), at=(0, 0.14, 0), bevel=0.006)
    heads: list[Shape] = []
    bulbs: list[Shape] = []
    can = lathe(
        [(0.032, 0.0), (0.034, 0.004), (0.034, 0.07), (0.02, 0.09), (0, 0.092)], segments=18
    )
    glow = lathe([(0.0, 0.004), (0.031, 0.004), (0.031, 0.012), (0.0, 0.012)], segments=18)
    for k in range(count):
        x = (k + 0.5) * 0.28 - width / 2
        tilt, turn = between(rng, -0.6, 0.6), between(rng, 0.0, 6.28)
        for part, target in ((can, heads), (glow, bulbs)):
            target.append(
                part.moved((0, -0.06, 0)).turned(tilt, axis="x").turned(turn).moved((x, 0.09, 0))
            )
        heads.append(rod((x, 0.08, 0), (x, 0.145, 0), radius=0.008))
    pieces: list[Piece] = [(joined([rail, *heads]), metal), (joined(bulbs), palette.bulb)]
    return assemble(pieces, kind="spots", semantic="lamp", mount="ceiling")


def chandelier(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a hanging lamp with several arms and small globes or shades."""
    count = int(rng.integers(3, 7))
    drop, reach = between(rng, 0.3, 0.6), between(rng, 0.2, 0.34)
    metal = pick(rng, (palette.metal, palette.black, palette.chrome))
    angle = np.arange(count) * (2 * np.pi / count)
    parts = [
        rod((0, 0.1, 0), (0, 0.2 + drop, 0), radius=0.006, segments=6),
        ball((0.04, 0.04, 0.04), segments=14, rings=9).moved((0, 0.1, 0)),
    ]
    parts.append(
        lathe([(0, 0), (0.05, 0), (0.055, 0.03), (0, 0.03)], segments=18).moved((0, 0.17 + drop, 0))
    )
    globe = ball((0.055, 0.055, 0.055), segments=14, rings=9)
    globes = []
    for a in angle.tolist():
        d = np.array([np.cos(a), 0.0, np.sin(a)])
        path = np.array(
            [
                (0, 0.14, 0),
                d * reach * 0.5 + (0, 0.07, 0),
                d * reach * 0.95 + (0, 0.09, 0),
                d * reach + (0, 0.16, 0),
            ]
        )
        parts.append(tube(path, radius=0.007, segments=7))
        globes.append(globe.moved((float(d[0] * reach), 0.15, float(d[2] * reach))))
    pieces: list[Piece] = [(joined(parts), metal), (joined(globes), palette.glow)]
    return assemble(pieces, kind="chandelier", semantic="lamp", mount="ceiling")


def ottoman(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a pouf, round or square."""
    cloth = pick(rng, (palette.fabric, palette.fabric_second, palette.leather, palette.accent))
    size, height = between(rng, 0.42, 0.62), between(rng, 0.36, 0.44)
    if rng.random() < 0.5:
        r = size / 2
        body = lathe(
            [
                (0, 0),
                (r * 0.9, 0),
                (r, 0.05),
                (r, height - 0.08),
                (r * 0.93, height - 0.02),
                (r * 0.6, height),
                (0, height),
            ],
            segments=28,
        )
        seams = [
            tube(
                np.stack([r * np.cos(a), np.full(28, y), r * np.sin(a)], axis=1),
                radius=0.008,
                closed=True,
                segments=6,
            )
            for y in (0.06, height - 0.09)
            for a in (np.arange(28) * (2 * np.pi / 28),)
        ]
        return assemble([(joined([body, *seams]), cloth)], kind="ottoman", semantic="sofa")
    body = soft_box((size, height - 0.06, size * 0.85), at=(0, 0.06, 0), radius=0.05, puff=0.025)
    feet_at = np.array(
        [[s * (size / 2 - 0.06), 0, t * (size * 0.425 - 0.06)] for s in (-1, 1) for t in (-1, 1)]
    )
    feet = rods(feet_at, feet_at + (0, 0.08, 0), radius=0.016, end_radius=0.022)
    return assemble([(body, cloth), (feet, palette.wood)], kind="ottoman", semantic="sofa")
