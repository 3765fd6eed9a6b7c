"""Small appliances and tools of kitchens."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.builders.small_parts import cup_handle, on_surface
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece
from scenelift.render.furniture.shapes import (
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
from scenelift.render.scene import Furniture


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
    return on_surface(
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
        return on_surface([(dish, metal), (grip, palette.black)], kind="pan")
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
    ear = cup_handle(r, h * 0.7, h * 0.9, reach=0.03)
    shape = joined([body, lid.moved((0, h + 0.002, 0)), ear, ear.scaled((-1.0, 1.0, 1.0))])
    return on_surface([(shape, palette.steel)], kind="pan")


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
    return on_surface(
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
    return on_surface(pieces, kind="microwave")


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
    jug = joined([jug, cup_handle(0.06, 0.03, 0.1, reach=0.03).turned(-np.pi / 2)]).moved(
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
    return on_surface(pieces, kind="coffee machine")


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
    return on_surface(pieces, kind="cutting board")


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
    return on_surface([(joined([block, wedge]), wood), (grips, palette.black)], kind="knife block")
