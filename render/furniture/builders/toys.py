"""Toys."""

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    ball,
    box,
    cylinder,
    extrude,
    joined,
)
from scenelift.render.scene import Furniture


def toy_blocks(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a little tower and heap of coloured blocks."""
    pieces: list[Piece] = []
    size = between(rng, 0.035, 0.05)
    for index in range(int(rng.integers(6, 11))):
        finish = palette.bolds[index % len(palette.bolds)]
        turn = between(rng, 0.0, 1.5)
        level, column = (index // 3, index % 3) if index < 6 else (0, index)
        x, z = (
            ((column - 1) * size * 1.05, 0.0)
            if index < 6
            else (size * (index - 7.5) * 1.5, size * between(rng, 1.6, 2.6))
        )
        kind = int(rng.integers(3))
        if kind == 0 or level == 0:
            shape = box((size, size, size), bevel=size * 0.07)
        elif kind == 1:
            shape = cylinder(size / 2, size, segments=18)
        else:
            shape = extrude([(-size / 2, 0), (size / 2, 0), (0, size)], size, bevel=size * 0.05)
        if index >= 6:
            shape = shape.turned(turn)
        pieces.append((shape.moved((x, level * size, z)), finish))
    return assemble(pieces, kind="toy blocks", semantic="otherprop", mount="surface")


def ball_toy(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a ball with stripes of two colours."""
    r = between(rng, 0.06, 0.13)
    whole = ball((r, r, r), segments=18, rings=11)
    middle = whole.vertices[whole.faces].mean(axis=1)
    stripe = np.sin(3 * np.arctan2(middle[:, 2], middle[:, 0])) > 0
    first, second = (
        Shape(
            vertices=whole.vertices,
            faces=whole.faces[part],
            uvs=whole.uvs[part],
            normals=whole.normals[part],
        ).turned(0.0)
        for part in (stripe, ~stripe)
    )
    pieces: list[Piece] = [
        (first, palette.bolds[0]),
        (second, pick(rng, (palette.white, palette.bolds[1]))),
    ]
    return assemble(pieces, kind="ball", semantic="otherprop")


def teddy(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a sitting teddy bear."""
    s = between(rng, 0.8, 1.5)
    fur = pick(rng, (palette.leather, palette.towel, palette.fabric_second, palette.cardboard))
    parts = [ball((0.075, 0.085, 0.065)), ball((0.062, 0.058, 0.056)).moved((0, 0.145, 0.005))]
    limb = ball((0.028, 0.055, 0.03), segments=12, rings=8)
    for side in (-1, 1):
        ear = ball((0.022, 0.022, 0.012), segments=10, rings=7)
        parts.append(ear.moved((side * 0.045, 0.235, 0)))
        arm = limb.moved((0, -0.1, 0)).turned(side * 0.7, axis="z").turned(-0.3, axis="x")
        parts.append(arm.moved((side * 0.06, 0.15, 0.02)))
        leg = limb.scaled((1.1, 1.25, 1.1)).turned(np.pi / 2, axis="x").turned(side * 0.3)
        parts.append(leg.moved((side * 0.05, 0.035, 0.03)))
    snout = ball((0.028, 0.022, 0.022), segments=12, rings=8).moved((0, 0.175, 0.05))
    eyes = ball((0.007, 0.007, 0.005), segments=8, rings=6)
    dark = [eyes.moved((x, 0.212, 0.052)) for x in (-0.022, 0.022)] + [
        ball((0.009, 0.007, 0.006), segments=8, rings=6).moved((0, 0.196, 0.069))
    ]
    pieces: list[Piece] = [
        (joined(parts).scaled((s, s, s)), fur),
        (snout.scaled((s, s, s)), palette.sheet),
        (joined(dark).scaled((s, s, s)), palette.black),
    ]
    return assemble(pieces, kind="teddy", semantic="otherprop", mount="surface")
