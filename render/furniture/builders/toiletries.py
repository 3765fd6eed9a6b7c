"""Small things of bathrooms."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.builders.small_parts import china, on_surface
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    box,
    cylinder,
    joined,
    lathe,
    rod,
    rods,
    tube,
)
from scenelift.render.scene import Furniture


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
        (body, china(rng, palette)),
        (joined([neck, spout]), pick(rng, (palette.chrome, palette.white, palette.black))),
    ]
    return on_surface(pieces, kind="soap bottle")


def toothbrush_cup(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a beaker with toothbrushes."""
    r, h = 0.036, between(rng, 0.09, 0.11)
    beaker = lathe(
        [(0, 0), (r * 0.85, 0), (r, h), (r - 0.003, h), (r * 0.82, 0.005), (0, 0.005)], segments=20
    )
    pieces: list[Piece] = [(beaker, china(rng, palette))]
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
    return on_surface(pieces, kind="toothbrush cup")


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
