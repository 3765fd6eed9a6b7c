"""Lamps: on the floor, on tables, from ceilings and on walls."""

import numpy as np

from scenelift.render.furniture.builders.parts import between, level_feet, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import Shape, ball, box, cylinder, joined, lathe, rod, tube
from scenelift.render.scene import Furniture


def _shade(rng: np.random.Generator, *, radius: float, height: float) -> Shape:
    """Make a thin shade open above and below: a drum, a cone or a bell."""
    top = radius * between(rng, 0.45, 1.0)
    wall = 0.003
    outer = [
        (radius, 0.0),
        ((radius + top) / 2 * between(rng, 0.95, 1.08), height / 2),
        (top, height),
    ]
    inner = [(r - wall, y) for r, y in reversed(outer)]
    return lathe([*outer, *inner, outer[0]], segments=28)


def floor_lamp(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a standing lamp: a shade on a pole, an arc, or a tripod."""
    style = int(rng.integers(3))
    height = between(rng, 1.4, 1.75)
    radius, tall = between(rng, 0.16, 0.25), between(rng, 0.2, 0.32)
    metal = pick(rng, (palette.metal, palette.chrome, palette.black))
    shade = _shade(rng, radius=radius, height=tall)
    lamp = ball((0.045, 0.055, 0.045), segments=10, rings=7)
    if style == 2:
        angle = np.arange(3) * (2 * np.pi / 3) + np.pi / 2
        top = height - tall
        legs = [
            rod(
                (0.28 * float(np.cos(a)), 0, 0.28 * float(np.sin(a))),
                (0, top, 0),
                radius=0.011,
                end_radius=0.016,
            )
            for a in angle
        ]
        stand = joined(
            [*(level_feet(leg) for leg in legs), cylinder(0.02, 0.12).moved((0, top - 0.06, 0))]
        )
        pieces: list[Piece] = [(stand, pick(rng, (palette.wood, palette.metal)))]
        shift = (0.0, top, 0.0)
    elif style == 1:
        reach = between(rng, 0.4, 0.75)
        t = np.linspace(0, np.pi, 14)
        path = np.stack(
            [reach / 2 * (1 - np.cos(t)), height - 0.35 + 0.35 * np.sin(t), 0 * t], axis=1
        )
        path = np.concatenate([[[0.0, 0.02, 0.0], [0.0, height - 0.5, 0.0]], path])
        base = lathe([(0, 0), (0.15, 0), (0.15, 0.03), (0.03, 0.04), (0, 0.04)], segments=24)
        pieces = [(joined([base, tube(path, radius=0.01)]), metal)]
        shift = (reach, height - 0.35 - tall, 0.0)
    else:
        base = lathe(
            [
                (0, 0),
                (0.14, 0),
                (0.14, 0.015),
                (0.04, 0.03),
                (0.012, 0.045),
                (0.011, height - tall * 0.6),
                (0, height - tall * 0.6),
            ],
            segments=24,
        )
        pieces = [(base, metal)]
        shift = (0.0, height - tall, 0.0)
    pieces.append((shade.moved(shift), palette.shade))
    pieces.append((lamp.moved((shift[0], shift[1] + tall * 0.35, 0)), palette.bulb))
    return assemble(pieces, kind="floor lamp", semantic="lamp")


def table_lamp(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a lamp with a turned foot and a shade, or a jointed desk lamp."""
    if rng.random() < 0.3:
        return _desk_lamp(rng=rng, palette=palette)
    height, radius = between(rng, 0.34, 0.6), between(rng, 0.09, 0.16)
    tall = height * between(rng, 0.34, 0.45)
    neck = height - tall
    belly = between(rng, 0.03, 0.09)
    t = np.linspace(0, 1, 9)
    bulge = 0.018 + belly * np.sin(np.pi * t ** between(rng, 0.6, 1.4)) ** 1.3
    profile = [(0.0, 0.0), (belly * 0.8 + 0.03, 0.0), (belly * 0.8 + 0.03, 0.012)]
    profile += [(float(r), 0.014 + float(h) * (neck - 0.02)) for r, h in zip(bulge, t, strict=True)]
    profile += [(0.008, neck), (0.008, neck + tall * 0.4), (0.0, neck + tall * 0.4)]
    foot = lathe(profile, segments=24)
    finish = pick(
        rng, (palette.ceramic, palette.pot, palette.wood, palette.chrome, palette.bolds[1])
    )
    pieces: list[Piece] = [(foot, finish)]
    pieces.append((_shade(rng, radius=radius, height=tall).moved((0, neck, 0)), palette.shade))
    lamp = ball((0.03, 0.04, 0.03), segments=10, rings=7).moved((0, neck + tall * 0.35, 0))
    pieces.append((lamp, palette.bulb))
    return assemble(pieces, kind="table lamp", semantic="lamp", mount="surface")


def _desk_lamp(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    finish = pick(rng, (palette.black, palette.white, palette.metal, palette.bolds[2]))
    base = lathe([(0, 0), (0.085, 0), (0.085, 0.015), (0.015, 0.028), (0, 0.028)], segments=20)
    elbow = (-0.12, between(rng, 0.24, 0.32), 0.0)
    head = (0.12, between(rng, 0.38, 0.48), 0.0)
    arms = tube([(0, 0.02, 0), elbow], radius=0.007), tube([elbow, head], radius=0.007)
    joint = ball((0.014, 0.014, 0.014), segments=8, rings=6).moved((elbow[0], elbow[1] - 0.014, 0))
    cone = lathe([(0.07, 0.0), (0.06, 0.05), (0.028, 0.1), (0.0, 0.105)], segments=20)
    tilt = between(rng, 0.3, 0.7)
    cone = cone.moved((0, -0.1, 0)).turned(tilt, axis="z").moved(head)
    lamp = ball((0.03, 0.03, 0.03), segments=10, rings=6).moved((0, -0.085, 0))
    lamp = lamp.turned(tilt, axis="z").moved(head)
    pieces: list[Piece] = [(joined([base, *arms, joint, cone]), finish), (lamp, palette.bulb)]
    return assemble(pieces, kind="table lamp", semantic="lamp", mount="surface")


def ceiling_lamp(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a flat ceiling light: a glass dish or a panel."""
    if rng.random() < 0.6:
        radius, tall = between(rng, 0.15, 0.28), between(rng, 0.06, 0.12)
        t = np.linspace(0, np.pi / 2, 8)
        dish = [(float(radius * np.sin(a)), float(tall * (1 - np.cos(a)))) for a in t]
        dish[0] = (0.0, 0.0)
        cover = lathe([*dish, (0.0, tall)], segments=32)
        rim = lathe(
            [(radius - 0.01, 0), (radius + 0.012, 0), (radius + 0.012, 0.025), (0, 0.025)],
            segments=32,
        )
        pieces: list[Piece] = [
            (cover, palette.glow),
            (rim.moved((0, tall - 0.005, 0)), palette.metal),
        ]
    else:
        width, depth = between(rng, 0.3, 1.2), between(rng, 0.28, 0.4)
        panel = box((width, 0.012, depth), at=(0, 0, 0), bevel=0.003)
        frame = box((width + 0.03, 0.03, depth + 0.03), at=(0, 0.008, 0), bevel=0.004)
        pieces = [(panel, palette.glow), (frame, palette.white)]
    return assemble(pieces, kind="ceiling lamp", semantic="lamp", mount="ceiling")


def pendant(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a lamp that hangs on a cord: globe, shade or metal bell."""
    drop = between(rng, 0.4, 0.9)
    radius = between(rng, 0.12, 0.24)
    style = int(rng.integers(3))
    rose = lathe([(0, 0), (0.05, 0.0), (0.055, 0.03), (0, 0.03)], segments=18)
    if style == 0:
        body = ball((radius, radius, radius), segments=22, rings=13)
        tall = 2 * radius
        pieces: list[Piece] = [(body, palette.glow)]
    elif style == 1:
        tall = between(rng, 0.18, 0.3)
        pieces = [(_shade(rng, radius=radius * 1.2, height=tall), palette.shade)]
        lamp = ball((0.045, 0.055, 0.045), segments=10, rings=7)
        pieces.append((lamp.moved((0, tall * 0.3, 0)), palette.bulb))
    else:
        tall = radius * between(rng, 0.8, 1.2)
        t = np.linspace(0, 1, 8)
        bell = [(float(radius * (1 - h**2.2) + 0.02), float(tall * h)) for h in t]
        inner = [(r - 0.006, y - 0.004) for r, y in reversed(bell[1:])]
        shade = lathe([*bell, (0.0, tall + 0.01)], segments=28)
        lining = lathe([(0.0, tall - 0.004), *inner, (bell[0][0] - 0.004, 0.001)], segments=28)
        lamp = ball((0.05, 0.05, 0.05), segments=12, rings=8).moved((0, tall * 0.3, 0))
        finish = pick(rng, (palette.black, palette.metal, palette.bolds[3], palette.white))
        pieces = [(shade, finish), (lining, palette.white), (lamp, palette.bulb)]
    cord = rod((0, tall - 0.02, 0), (0, tall + drop, 0), radius=0.004, segments=6)
    pieces.append((joined([cord, rose.moved((0, tall + drop - 0.03, 0))]), palette.black))
    return assemble(pieces, kind="pendant", semantic="lamp", mount="ceiling")
