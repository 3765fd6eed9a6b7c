"""Dishes, food and what else stands on tables."""

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.builders.small_parts import china, cup_handle, on_surface
from scenelift.render.furniture.palette import Palette, solid
from scenelift.render.furniture.pieces import Piece
from scenelift.render.furniture.shapes import (
    Shape,
    ball,
    cylinder,
    joined,
    lathe,
    plate,
    rod,
    rods,
    rounded_rectangle,
    tube,
)
from scenelift.render.scene import Furniture


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
    return on_surface([(shape, finish)], kind="vase")


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
    pieces: list[Piece] = [(shape, pick(rng, (china(rng, palette), palette.wood, palette.wicker)))]
    if rng.random() < 0.5 and r > 0.11:
        pieces += _fruits(5, spread=r * 0.5, y=height * 0.35, rng=rng)
    return on_surface(pieces, kind="bowl")


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
    return on_surface(pieces, kind="fruit")


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
    glaze = china(rng, palette)
    if rng.random() < 0.35:
        count = int(rng.integers(3, 8))
        at = np.stack([np.zeros(count), np.arange(count) * 0.008, np.zeros(count)], axis=1)
        return on_surface([(_plate_shape(r).repeated(at), glaze)], kind="plate")
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
    return on_surface([(_plate_shape(r), glaze), (tools, palette.chrome)], kind="plate")


def cup(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a mug or a cup on a saucer, with a drink in it."""
    r, height = between(rng, 0.036, 0.046), between(rng, 0.07, 0.105)
    glaze = china(rng, palette)
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
    body = joined([body, cup_handle(r, height * 0.25, height * 0.8, reach=0.026)])
    drink = lathe([(r - 0.0035, 0.0), (0, 0.0005)], segments=18).moved((0, height * 0.8, 0))
    lift = 0.0
    pieces: list[Piece] = []
    if rng.random() < 0.4:
        pieces.append((_plate_shape(0.075).scaled((1, 0.7, 1)), glaze))
        lift = 0.005
    pieces += [(body.moved((0, lift, 0)), glaze), (drink.moved((0, lift, 0)), palette.soil)]
    return on_surface(pieces, kind="cup")


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
    return on_surface([(lathe(profile, segments=22), palette.glass)], kind="drinking glass")


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
    return on_surface(pieces, kind="bottle")


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
    return on_surface(
        [(joined([body, knob, spout, ear]), pick(rng, (china(rng, palette), palette.steel)))],
        kind="teapot",
    )


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
    return on_surface(pieces, kind="candle")
