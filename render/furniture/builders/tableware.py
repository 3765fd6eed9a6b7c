"""Dishes, food and kitchen tools for tables and worktops; bottles for the bathroom."""

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette, solid
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    ball,
    box,
    boxes,
    cylinder,
    joined,
    lathe,
    plate,
    rod,
    rods,
    rounded_rectangle,
    soft_box,
    tube,
)
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Furniture

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)


def _on_table(pieces: list[Piece], *, kind: str) -> Furniture:
    return assemble(pieces, kind=kind, semantic="otherprop", mount="surface")


def _china(rng: np.random.Generator, palette: Palette) -> Finish:
    return pick(
        rng, (palette.ceramic, palette.ceramic, palette.pot, palette.bolds[0], palette.bolds[1])
    )


def vase(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a turned vase."""
    height, r = between(rng, 0.15, 0.42), between(rng, 0.05, 0.11)
    t = np.linspace(0, 1, 11)
    neck, lip, peak = between(rng, 0.25, 0.7), between(rng, 0.35, 0.8), between(rng, 0.25, 0.6)
    radius = r * np.interp(t, [0, peak, 0.85, 1.0], [between(rng, 0.45, 0.8), 1.0, neck, lip])
    radius[1:-1] = np.convolve(radius, [0.25, 0.5, 0.25], "valid")
    outer = [(float(a), float(b)) for a, b in zip(radius, t * height, strict=True)]
    inner = [(a - 0.005, b) for a, b in outer[:-4:-1]]
    shape = lathe([(0.0, 0.0), *outer, *inner], segments=24)
    finish = pick(
        rng, (palette.ceramic, palette.pot, palette.glass, palette.bolds[2], palette.wood)
    )
    return _on_table([(shape, finish)], kind="vase")


def bowl(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bowl, sometimes with fruit."""
    r, height = between(rng, 0.08, 0.16), between(rng, 0.05, 0.09)
    t = np.linspace(0, np.pi / 2, 6)
    outer = [
        (float(r * (0.45 + 0.55 * np.sin(a))), float(0.012 + (height - 0.012) * (1 - np.cos(a))))
        for a in t
    ]
    inner = [
        (max(a - 0.006, 0.0), b + (0.004 if k else 0.0)) for k, (a, b) in enumerate(reversed(outer))
    ]
    shape = lathe([(0.0, 0.0), (r * 0.42, 0.0), *outer, *inner, (0.0, 0.014)], segments=26)
    pieces: list[Piece] = [(shape, pick(rng, (_china(rng, palette), palette.wood, palette.wicker)))]
    if rng.random() < 0.5 and r > 0.11:
        pieces += _fruits(5, spread=r * 0.5, y=height * 0.35, rng=rng)
    return _on_table(pieces, kind="bowl")


_FRUITS = (
    ((0.55, 0.05, 0.03), (0.037, 0.034, 0.037)), ((0.75, 0.25, 0.02), (0.036, 0.034, 0.036)),
    ((0.35, 0.5, 0.06), (0.035, 0.033, 0.035)), ((0.85, 0.65, 0.06), (0.03, 0.03, 0.042)),
)  # fmt: skip
"""Linear colour and radii in metres: red apple, orange, green apple, lemon."""


def _fruits(count: int, *, spread: float, y: float, rng: np.random.Generator) -> list[Piece]:
    """Make fruits around a point, the last on top of the others."""
    made: list[Piece] = []
    color, radii = _FRUITS[int(rng.integers(len(_FRUITS)))]
    skin = solid(color, roughness=0.35)
    angle = np.arange(count - 1) * (2 * np.pi / (count - 1)) + between(rng, 0.0, 1.0)
    for a in angle.tolist():
        fruit = ball(radii, segments=14, rings=9).turned(a)
        made.append((fruit.moved((spread * float(np.cos(a)), y, spread * float(np.sin(a)))), skin))
    made.append((ball(radii, segments=14, rings=9).moved((0, y + 0.035, 0)), skin))
    return made


def fruit(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build two to four fruits side by side, with stalks."""
    pieces: list[Piece] = []
    for index in range(int(rng.integers(2, 5))):
        color, radii = _FRUITS[int(rng.integers(len(_FRUITS)))]
        at = (0.08 * index, 0.0, between(rng, -0.02, 0.02))
        pieces.append((ball(radii, segments=14, rings=9).moved(at), solid(color, roughness=0.35)))
        stalk = rod(
            (at[0], 2 * radii[1] - 0.003, at[2]),
            (at[0] + 0.004, 2 * radii[1] + 0.012, at[2]),
            radius=0.0018,
            segments=5,
        )
        pieces.append((stalk, palette.soil))
    return _on_table(pieces, kind="fruit")


def _plate_shape(r: float) -> Shape:
    return lathe(
        [
            (0, 0),
            (r * 0.6, 0),
            (r * 0.66, 0.006),
            (r * 0.97, 0.02),
            (r, 0.024),
            (r * 0.97, 0.025),
            (r * 0.64, 0.011),
            (r * 0.58, 0.005),
            (0, 0.005),
        ],
        segments=28,
    )


def plate_dish(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a plate with a knife and a fork beside it, or a pile of plates."""
    r = between(rng, 0.1, 0.14)
    china = _china(rng, palette)
    if rng.random() < 0.35:
        count = int(rng.integers(3, 8))
        at = np.stack([np.zeros(count), np.arange(count) * 0.008, np.zeros(count)], axis=1)
        return _on_table([(_plate_shape(r).repeated(at), china)], kind="plate")
    blade = plate(rounded_rectangle(0.018, 0.1, radius=0.008), 0.0025, bevel=0.0).moved(
        (0, 0, -0.06)
    )
    grip = rod((0, 0.004, -0.012), (0, 0.004, 0.1), radius=0.004, end_radius=0.006, segments=6)
    prongs = np.array([[x, 0.003, -0.06] for x in (-0.009, -0.003, 0.003, 0.009)])
    fork = joined(
        [
            rods(prongs, prongs - (0, 0, 0.05), radius=0.0016, segments=4),
            plate(rounded_rectangle(0.022, 0.045, radius=0.008), 0.003, y=0.001, bevel=0.0).moved(
                (0, 0, -0.04)
            ),
            grip,
        ]
    )
    x = r + 0.035
    tools = joined([joined([blade, grip]).moved((x, 0, 0)), fork.moved((-x, 0, 0))])
    return _on_table([(_plate_shape(r), china), (tools, palette.chrome)], kind="plate")


def _handle(r: float, low: float, high: float, *, reach: float) -> Shape:
    """Make the ear of a cup at radius r between two heights, towards +x."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 8)
    middle, half = (low + high) / 2, (high - low) / 2
    path = np.stack([r - 0.003 + reach * np.cos(t), middle + half * np.sin(t), 0 * t], axis=1)
    return tube(path, radius=0.0045, segments=7)


def cup(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a mug or a cup on a saucer, with a drink in it."""
    r, height = between(rng, 0.036, 0.046), between(rng, 0.07, 0.105)
    china = _china(rng, palette)
    body = lathe(
        [
            (0, 0),
            (r * 0.8, 0),
            (r, 0.015),
            (r, height),
            (r - 0.004, height),
            (r - 0.004, 0.012),
            (0, 0.008),
        ],
        segments=22,
    )
    body = joined([body, _handle(r, height * 0.25, height * 0.8, reach=0.026)])
    drink = lathe([(r - 0.0035, 0.0), (0, 0.0005)], segments=18).moved((0, height * 0.8, 0))
    lift = 0.0
    pieces: list[Piece] = []
    if rng.random() < 0.4:
        pieces.append((_plate_shape(0.075).scaled((1, 0.7, 1)), china))
        lift = 0.005
    pieces += [(body.moved((0, lift, 0)), china), (drink.moved((0, lift, 0)), palette.soil)]
    return _on_table(pieces, kind="cup")


def drinking_glass(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a tumbler or a wine glass."""
    if rng.random() < 0.5:
        r, height = between(rng, 0.03, 0.04), between(rng, 0.09, 0.15)
        profile = [
            (0, 0),
            (r * 0.85, 0),
            (r, height),
            (r - 0.002, height),
            (r * 0.83, 0.012),
            (0, 0.01),
        ]
    else:
        r, height = between(rng, 0.032, 0.042), between(rng, 0.17, 0.22)
        cup_low = height * 0.5
        profile = [
            (0, 0),
            (0.034, 0),
            (0.034, 0.002),
            (0.006, 0.008),
            (0.004, cup_low - 0.01),
            (r * 0.6, cup_low + 0.01),
        ]
        profile += [(r, cup_low + height * 0.2), (r * 0.85, height), (r * 0.85 - 0.0015, height)]
        profile += [(r - 0.0015, cup_low + height * 0.2), (r * 0.55, cup_low + 0.014), (0, cup_low)]
    return _on_table([(lathe(profile, segments=22), palette.glass)], kind="drinking glass")


def bottle(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bottle with a cap and a label."""
    r, height = between(rng, 0.034, 0.045), between(rng, 0.22, 0.33)
    body_top = height * between(rng, 0.55, 0.7)
    body = lathe(
        [
            (0, 0),
            (r * 0.9, 0),
            (r, 0.008),
            (r, body_top),
            (r * 0.8, body_top + 0.02),
            (0.015, height * 0.84),
            (0.014, height - 0.02),
            (0, height - 0.02),
        ],
        segments=20,
    )
    cap = cylinder(0.016, 0.022, segments=14).moved((0, height - 0.022, 0))
    label = lathe([(r + 0.0005, 0), (r + 0.0005, body_top * 0.5)], segments=20).moved(
        (0, body_top * 0.2, 0)
    )
    glass = pick(
        rng,
        (
            palette.glass,
            solid((0.02, 0.09, 0.03), roughness=0.08),
            solid((0.1, 0.035, 0.012), roughness=0.08),
            palette.bolds[3],
        ),
    )
    pieces: list[Piece] = [
        (body, glass),
        (cap, pick(rng, (palette.black, palette.chrome, *palette.bolds))),
        (label, palette.paper),
    ]
    return _on_table(pieces, kind="bottle")


def teapot(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a teapot with spout, handle and lid."""
    r = between(rng, 0.065, 0.085)
    h = r * 1.5
    body = lathe(
        [
            (0, 0),
            (r * 0.6, 0),
            (r * 0.95, h * 0.3),
            (r, h * 0.5),
            (r * 0.7, h * 0.85),
            (r * 0.5, h * 0.92),
            (r * 0.4, h),
            (0.012, h + 0.012),
            (0, h + 0.012),
        ],
        segments=26,
    )
    knob = ball((0.012, 0.012, 0.012), segments=10, rings=7).moved((0, h + 0.008, 0))
    spout = tube(
        [
            (-r * 0.8, h * 0.3, 0),
            (-r * 1.25, h * 0.5, 0),
            (-r * 1.4, h * 0.8, 0),
            (-r * 1.6, h * 0.92, 0),
        ],
        radius=np.array([0.018, 0.014, 0.01, 0.008]),
    )
    t = np.linspace(-np.pi / 2, np.pi / 2, 9)
    ear = tube(
        np.stack([r * 0.8 + 0.05 * np.cos(t), h * 0.52 + h * 0.28 * np.sin(t), 0 * t], axis=1),
        radius=0.006,
    )
    return _on_table(
        [(joined([body, knob, spout, ear]), pick(rng, (_china(rng, palette), palette.steel)))],
        kind="teapot",
    )


def kettle(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an electric kettle on its base."""
    r, h = between(rng, 0.07, 0.085), between(rng, 0.19, 0.24)
    body = lathe(
        [(0, 0.02), (r, 0.02), (r, 0.04), (r * 0.75, h - 0.02), (r * 0.6, h), (0, h + 0.008)],
        segments=26,
    )
    foot = lathe([(0, 0), (r * 1.05, 0), (r * 1.02, 0.018), (0, 0.019)], segments=26)
    t = np.linspace(-1, 1, 7)
    grip = tube(
        np.stack([r * 0.75 + 0.055 * (1 - t**4), h * 0.58 + h * 0.34 * t, 0 * t], axis=1),
        radius=0.01,
    )
    spout = rod((-r * 0.7, h - 0.03, 0), (-r * 1.05, h - 0.008, 0), radius=0.016, end_radius=0.01)
    knob = ball((0.012, 0.009, 0.012), segments=10, rings=7).moved((0, h + 0.004, 0))
    shell = pick(rng, (palette.steel, palette.white, palette.black, palette.bolds[2]))
    return _on_table(
        [(joined([body, spout]), shell), (joined([foot, grip, knob]), palette.black)], kind="kettle"
    )


def pan(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a frying pan, or a pot with lid."""
    metal = pick(rng, (palette.black, palette.steel))
    if rng.random() < 0.5:
        r = between(rng, 0.11, 0.15)
        dish = lathe(
            [(0, 0), (r * 0.8, 0), (r, 0.045), (r - 0.004, 0.046), (r * 0.79, 0.005), (0, 0.005)],
            segments=28,
        )
        grip = rod((r - 0.01, 0.035, 0), (r + 0.19, 0.06, 0), radius=0.008, end_radius=0.012)
        return _on_table([(dish, metal), (grip, palette.black)], kind="pan")
    r, h = between(rng, 0.09, 0.13), between(rng, 0.1, 0.15)
    body = lathe([(0, 0), (r, 0), (r, h), (r + 0.005, h + 0.003), (0, h + 0.003)], segments=28)
    lid = lathe(
        [
            (r + 0.003, 0),
            (r * 0.9, 0.012),
            (0.015, 0.03),
            (0.008, 0.036),
            (0.018, 0.05),
            (0, 0.054),
        ],
        segments=28,
    )
    ear = _handle(r, h * 0.7, h * 0.9, reach=0.03)
    shape = joined([body, lid.moved((0, h + 0.002, 0)), ear, ear.scaled((-1.0, 1.0, 1.0))])
    return _on_table([(shape, palette.steel)], kind="pan")


def toaster(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a toaster with two slots and a lever."""
    width, height, depth = (
        between(rng, 0.26, 0.32),
        between(rng, 0.17, 0.2),
        between(rng, 0.15, 0.18),
    )
    body = soft_box(
        (width, height - 0.01, depth), at=(0, 0.01, 0), radius=0.04, puff=0.004, detail=8
    )
    slots = boxes(
        np.array([(width * 0.62, 0.004, 0.028)] * 2),
        np.array([(0, height - 0.003, s * 0.03) for s in (-1, 1)]),
    )
    lever = box((0.012, 0.02, 0.05), at=(width / 2 + 0.004, height * 0.6, 0), bevel=0.003)
    dial = rod(
        (width / 2 - 0.003, height * 0.3, 0),
        (width / 2 + 0.012, height * 0.3, 0),
        radius=0.014,
        segments=14,
    )
    feet = cylinder(0.012, 0.014, segments=8).repeated(
        np.array([[s * width * 0.36, 0, t * depth * 0.33] for s in (-1, 1) for t in (-1, 1)])
    )
    shell = pick(rng, (palette.steel, palette.steel, palette.white, palette.bolds[0]))
    return _on_table(
        [(body, shell), (joined([slots, lever, dial, feet]), palette.black)], kind="toaster"
    )


def microwave(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a microwave oven: door with window and handle, a panel with keys and a dial."""
    width, height, depth = (
        between(rng, 0.45, 0.52),
        between(rng, 0.26, 0.3),
        between(rng, 0.34, 0.4),
    )
    shell = pick(rng, (palette.steel, palette.white, palette.black))
    case = box((width, height - 0.012, depth), at=(0, 0.012, 0), bevel=0.005)
    front = depth / 2
    door_w = width * 0.72
    door = box(
        (door_w, height - 0.03, 0.018),
        at=(-(width - door_w) / 2 + 0.006, 0.02, front + 0.006),
        bevel=0.004,
    )
    window = box(
        (door_w * 0.72, (height - 0.03) * 0.62, 0.004),
        at=(-(width - door_w) / 2 - 0.01, 0.02 + height * 0.17, front + 0.015),
        bevel=0.001,
    )
    x = width / 2 - (width - door_w) - 0.01
    grip = rod((x, 0.06, front + 0.038), (x, height - 0.05, front + 0.038), radius=0.007)
    posts = np.array([[x, 0.07, front + 0.01], [x, height - 0.06, front + 0.01]])
    centre = width / 2 - (width - door_w) / 2 + 0.006
    keys = np.array(
        [[centre + (i - 1) * 0.028, 0.05 + j * 0.026, front] for i in range(3) for j in range(4)]
    )
    pads = boxes(np.tile((0.02, 0.016, 0.006), (12, 1)), keys, bevel=0.001)
    clock = box((0.08, 0.03, 0.004), at=(centre, height - 0.06, front + 0.001), bevel=0.0)
    feet = cylinder(0.014, 0.016, segments=8).repeated(
        np.array([[s * width * 0.42, 0, t * depth * 0.4] for s in (-1, 1) for t in (-1, 1)])
    )
    pieces: list[Piece] = [(joined([case, door]), shell), (joined([window, clock]), palette.screen)]
    pieces += [
        (joined([grip, rods(posts, posts + (0, 0, 0.03), radius=0.004)]), palette.chrome),
        (joined([pads, feet]), palette.black),
    ]
    return _on_table(pieces, kind="microwave")


def coffee_machine(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a coffee maker with a jug on its plate."""
    width, depth, height = (
        between(rng, 0.17, 0.21),
        between(rng, 0.22, 0.26),
        between(rng, 0.3, 0.36),
    )
    shell = pick(rng, (palette.black, palette.steel, palette.white))
    base = box((width, 0.04, depth), bevel=0.01)
    tower = box((width, height, depth * 0.38), at=(0, 0, -depth * 0.31), bevel=0.012)
    top = box((width, 0.09, depth), at=(0, height - 0.09, 0), bevel=0.012)
    jug = lathe(
        [
            (0, 0),
            (0.055, 0),
            (0.068, 0.05),
            (0.05, 0.11),
            (0.052, 0.12),
            (0.049, 0.12),
            (0.064, 0.05),
            (0, 0.006),
        ],
        segments=22,
    )
    jug = joined([jug, _handle(0.06, 0.03, 0.1, reach=0.03).turned(-np.pi / 2)]).moved(
        (0, 0.041, depth * 0.16)
    )
    coffee = cylinder(0.052, 0.05, segments=18, top_radius=0.062).moved((0, 0.048, depth * 0.16))
    pieces: list[Piece] = [
        (joined([base, tower, top]), shell),
        (jug, palette.glass),
        (coffee, palette.soil),
    ]
    light = (
        cylinder(0.01, 0.006, segments=10)
        .turned(np.pi / 2, axis="x")
        .moved((width * 0.3, 0.02, depth / 2 - 0.002))
    )
    pieces.append((light, palette.chrome))
    return _on_table(pieces, kind="coffee machine")


def cutting_board(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a cutting board with a knife on it."""
    width, depth = between(rng, 0.28, 0.4), between(rng, 0.2, 0.26)
    board = plate(rounded_rectangle(width, depth, radius=0.02), 0.018, bevel=0.004)
    blade = plate(
        np.array([(0, -0.018), (0.17, -0.012), (0.19, 0.008), (0, 0.018)]),
        0.002,
        y=0.018,
        bevel=0.0,
    )
    grip = rod((-0.11, 0.026, 0), (0.005, 0.026, 0), radius=0.009, end_radius=0.008)
    turn = between(rng, -0.5, 0.5)
    pieces: list[Piece] = [
        (board, pick(rng, (palette.wood, palette.wood_second))),
        (blade.moved((-0.03, 0, 0)).turned(turn), palette.chrome),
    ]
    pieces.append((grip.moved((-0.03, 0, 0)).turned(turn), palette.black))
    return _on_table(pieces, kind="cutting board")


def knife_block(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a wooden block of knives."""
    lean = 0.35
    block = box((0.1, 0.2, 0.12), bevel=0.006)
    count = int(rng.integers(4, 7))
    at = np.array([[(k % 3 - 1) * 0.027, 0.195, (k // 3 - 0.5) * 0.05] for k in range(count)])
    grips = rods(at, at + (0, 0.1, 0), radius=0.008, end_radius=0.01)
    block, grips = (shape.turned(-lean, axis="x") for shape in (block, grips))
    low = float(block.vertices[:, 1].min())
    wedge = box((0.098, 0.05 - low - 0.03, 0.06), at=(0, low - 0.002, -0.05), bevel=0.002)
    wood = pick(rng, (palette.wood, palette.wood_second))
    return _on_table([(joined([block, wedge]), wood), (grips, palette.black)], kind="knife block")


def candle(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a candle on a saucer or in a stick, with a wick."""
    tall = rng.random() < 0.4
    r, h = (
        (0.011, between(rng, 0.15, 0.24))
        if tall
        else (between(rng, 0.028, 0.04), between(rng, 0.06, 0.14))
    )
    wax = lathe(
        [(0, 0), (r, 0), (r, h), (r * 0.85, h + 0.001), (r * 0.5, h - 0.004), (0, h - 0.005)],
        segments=18,
    )
    wick = rod((0, h - 0.006, 0), (0.002, h + 0.012, 0), radius=0.0012, segments=5)
    stick: Shape
    if tall:
        y = between(rng, 0.06, 0.2)
        stick = lathe(
            [
                (0, 0),
                (0.045, 0),
                (0.045, 0.006),
                (0.01, 0.015),
                (0.008, y - 0.02),
                (0.02, y),
                (0.02, y + 0.008),
                (0, y + 0.008),
            ],
            segments=20,
        )
        y += 0.007
    else:
        y = 0.007
        stick = lathe(
            [
                (0, 0),
                (r * 1.3, 0),
                (r * 1.6, 0.012),
                (r * 1.5, 0.013),
                (r * 1.2, 0.006),
                (0, 0.006),
            ],
            segments=20,
        )
    pieces: list[Piece] = [
        (stick, pick(rng, (palette.metal, palette.ceramic, palette.wood))),
        (wax.moved((0, y, 0)), pick(rng, (palette.paper, palette.bolds[0], palette.white))),
    ]
    pieces.append((wick.moved((0, y, 0)), palette.black))
    return _on_table(pieces, kind="candle")


def soap_bottle(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a soap dispenser with a pump."""
    r, h = between(rng, 0.028, 0.038), between(rng, 0.1, 0.15)
    body = lathe([(0, 0), (r, 0), (r, h * 0.85), (r * 0.5, h), (0, h)], segments=20)
    neck = cylinder(0.01, 0.03, segments=10).moved((0, h - 0.002, 0))
    spout = tube(
        [(0, h + 0.025, 0), (0, h + 0.04, 0), (0, h + 0.043, 0.04), (0, h + 0.034, 0.045)],
        radius=0.005,
    )
    pieces: list[Piece] = [
        (body, _china(rng, palette)),
        (joined([neck, spout]), pick(rng, (palette.chrome, palette.white, palette.black))),
    ]
    return _on_table(pieces, kind="soap bottle")


def toothbrush_cup(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a beaker with toothbrushes."""
    r, h = 0.036, between(rng, 0.09, 0.11)
    beaker = lathe(
        [(0, 0), (r * 0.85, 0), (r, h), (r - 0.003, h), (r * 0.82, 0.005), (0, 0.005)], segments=20
    )
    pieces: list[Piece] = [(beaker, _china(rng, palette))]
    for index in range(int(rng.integers(1, 4))):
        turn = between(rng, 0.0, 6.28)
        stem = joined(
            [
                rod((0, 0, 0), (0, 0.17, 0), radius=0.004, segments=6),
                box((0.01, 0.028, 0.014), at=(0, 0.15, 0.006), bevel=0.002),
            ]
        )
        stem = stem.turned(0.28, axis="z").turned(turn)
        shift = (0.5 * r * float(np.cos(-turn)), 0.008, 0.5 * r * float(np.sin(-turn)))
        pieces.append((stem.moved(shift), palette.bolds[index]))
    return _on_table(pieces, kind="toothbrush cup")


def toilet_paper(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a roll of paper on a wall holder."""
    r = between(rng, 0.04, 0.058)
    roll = (
        lathe([(0.02, 0), (r, 0), (r, 0.1), (0.02, 0.1), (0.02, 0)], segments=24)
        .turned(np.pi / 2, axis="z")
        .moved((0.05, 0, 0))
    )
    tail = box((0.099, 0.09, 0.001), at=(0, -0.09, r - 0.0005), bevel=0.0)
    bar = rod((-0.065, 0, 0), (0.065, 0, 0), radius=0.008)
    ends = np.array([[-0.062, 0, 0], [0.062, 0, 0]], float)
    arms = rods(ends, ends + (0, 0.01, -r - 0.015), radius=0.006)
    disc = rods(ends + (0, 0.01, -r - 0.02), ends + (0, 0.01, -r - 0.012), radius=0.02, segments=16)
    pieces: list[Piece] = [
        (joined([roll, tail]), palette.white),
        (joined([bar, arms, disc]), palette.chrome),
    ]
    return assemble(pieces, kind="toilet paper", semantic="otherprop", mount="wall")
