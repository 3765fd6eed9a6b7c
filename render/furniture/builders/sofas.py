"""Sofas and armchairs."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, legs, pick, pick_style
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    box,
    joined,
    pillow,
    rods,
    soft_box,
    tube,
)
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Furniture


def upholstery(rng: np.random.Generator, palette: Palette) -> Finish:
    """Draw what seats are covered with."""
    return pick(rng, (palette.fabric, palette.fabric, palette.fabric_second, palette.leather))


def _feet(
    width: float, depth: float, *, height: float, rng: np.random.Generator, palette: Palette
) -> Piece:
    style = pick_style(rng, ("square", "round", "tapered"))
    shape = legs(width, depth, height=height, thickness=between(rng, 0.035, 0.06), style=style)
    return shape, pick(rng, (palette.wood, palette.metal, palette.wood_second))


def _couch(
    *, seats: int, rng: np.random.Generator, palette: Palette, seat_width: float
) -> list[Piece]:
    """Make a seat with arms, back and loose cushions, facing +z."""
    cloth = upholstery(rng, palette)
    foot, base = between(rng, 0.05, 0.15), between(rng, 0.16, 0.24)
    depth, arm = between(rng, 0.82, 0.98), between(rng, 0.10, 0.24)
    thick, back = between(rng, 0.13, 0.19), between(rng, 0.16, 0.22)
    width = seats * seat_width + 2 * arm
    arm_height = base + thick + between(rng, 0.04, 0.20)
    back_height = base + thick + between(rng, 0.28, 0.44)
    round_ = between(rng, 0.03, 0.09)
    pieces: list[Piece] = [
        _feet(width - 0.06, depth - 0.06, height=foot + 0.02, rng=rng, palette=palette),
        (box((width - 0.02, base - 0.02, depth - 0.04), at=(0, foot, 0), bevel=0.02), cloth),
    ]
    for side in (-1, 1):
        x = side * (width - arm) / 2
        size = (arm, arm_height, depth)
        pieces.append((soft_box(size, at=(x, foot, 0), radius=round_, puff=0.012), cloth))
    inner = width - 2 * arm
    pieces.append(
        (
            soft_box(
                (inner + 0.02, back_height - 0.04, back),
                at=(0, foot, (back - depth) / 2),
                radius=round_,
                puff=0.01,
            ),
            cloth,
        )
    )
    front = depth - back
    per_cushion = seat_width if rng.random() < 0.8 else inner
    count = max(round(inner / per_cushion), 1)
    wide = inner / count
    lean = between(rng, 0.12, 0.3)
    for index in range(count):
        x = (index + 0.5) * wide - inner / 2
        seat = soft_box(
            (wide - 0.008, thick, front + 0.02),
            at=(x, foot + base - 0.02, back / 2 + 0.015),
            radius=0.05,
            puff=0.03,
        )
        tall = back_height - base - thick + between(rng, 0.0, 0.05)
        rest = soft_box((wide - 0.01, tall, 0.17), radius=0.07, puff=0.05).turned(-lean, axis="x")
        pieces.append((seat, cloth))
        rest = rest.moved((x, foot + base + thick - 0.035, back - depth / 2 + 0.10))
        pieces.append((rest, cloth))
    return pieces


def _throw_pillow(
    *, x: float, y: float, z: float, size: float, rng: np.random.Generator, finish: Finish
) -> Piece:
    """Make a pillow that leans against a back: it stands on height y, its middle above (x, z)."""
    shape = pillow((size, 0.14, size)).moved((0, -0.07, 0)).turned(np.pi / 2 - 0.4, axis="x")
    shape = shape.turned(between(rng, -0.35, 0.35), axis="y")
    low = float(shape.vertices[:, 1].min())
    return shape.moved((x, y - low - 0.02, z)), finish


def sofa(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a sofa of two or three seats, often with throw pillows."""
    seats = int(rng.integers(2, 4))
    seat_width = between(rng, 0.56, 0.74)
    pieces = _couch(seats=seats, rng=rng, palette=palette, seat_width=seat_width)
    back, seat = pieces[4][0].vertices, pieces[5][0].vertices
    y = float(seat[:, 1].max()) - 0.02
    size = min(between(rng, 0.34, 0.46), (float(back[:, 1].max()) - y) * 1.05)
    for side in (-1, 1):
        if rng.random() < 0.6:
            finish = pick(rng, (palette.accent, palette.fabric_second, *palette.bolds[:1]))
            x = side * (seats * seat_width / 2 - 0.26)
            z = float(back[:, 2].max()) + 0.24
            pieces.append(_throw_pillow(x=x, y=y, z=z, size=size, rng=rng, finish=finish))
    return assemble(pieces, kind="sofa", semantic="sofa")


def corner_sofa(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a sofa with a chaise on its left or right."""
    seat_width = between(rng, 0.68, 0.85)
    pieces = _couch(seats=3, rng=rng, palette=palette, seat_width=seat_width)
    cloth = pieces[1][1]
    side = 1 if rng.random() < 0.5 else -1
    base = pieces[1][0].vertices
    low, high = base.min(axis=0), base.max(axis=0)
    long = between(rng, 0.55, 0.8)
    seat = pieces[4][0].vertices[:, 1].max()
    x, y = side * seat_width, float(low[1])
    wide = float(high[0]) - seat_width / 2
    x = side * (seat_width / 2 + wide / 2)
    front = float(high[2])
    top = float(pieces[5][0].vertices[:, 1].max() if len(pieces) > 5 else seat)
    top = min(top, 0.5)
    plinth = box(
        (wide, float(high[1] - low[1]), long), at=(x, y, front + long / 2 - 0.02), bevel=0.02
    )
    thick = top - float(high[1]) + 0.02
    cushion = soft_box(
        (wide - 0.01, thick, long),
        at=(x, float(high[1]) - 0.02, front + long / 2),
        radius=0.05,
        puff=0.03,
    )
    feet = legs(wide - 0.05, 0.1, height=y + 0.02, thickness=0.045, style="round")
    pieces += [
        (plinth, cloth),
        (cushion, cloth),
        (feet.moved((x, 0, front + long - 0.15)), pieces[0][1]),
    ]
    return assemble(pieces, kind="corner sofa", semantic="sofa")


def armchair(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an upholstered armchair, or one with a bent wooden frame."""
    if rng.random() < 0.55:
        couch = _couch(seats=1, rng=rng, palette=palette, seat_width=between(rng, 0.52, 0.66))
        return assemble(couch, kind="armchair", semantic="chair")
    cloth = upholstery(rng, palette)
    width, depth, seat = between(rng, 0.6, 0.72), between(rng, 0.68, 0.8), between(rng, 0.36, 0.42)
    arm_y, back_y = seat + between(rng, 0.16, 0.24), between(rng, 0.8, 1.0)
    x, front, rear = width / 2, depth / 2, -depth / 2
    radius = between(rng, 0.016, 0.022)
    frame: list[Shape] = []
    for side in (-x, x):
        path = [
            (side, 0.0, front - 0.02),
            (side, arm_y - 0.04, front - 0.05),
            (side, arm_y, front - 0.12),
        ]
        path += [
            (side, arm_y - 0.02, rear + 0.14),
            (side, arm_y - 0.08, rear + 0.07),
            (side, 0.0, rear),
        ]
        frame.append(tube(path, radius=radius, segments=10))
    beams = np.array(
        [[-x, seat - 0.08, front - 0.05], [-x, seat - 0.1, rear + 0.1], [-x, 0.14, 0.0]]
    )
    frame.append(rods(beams[:2], beams[:2] + (width, 0, 0), radius=radius * 0.8))
    cushion = soft_box((width - 0.06, 0.14, depth - 0.12), radius=0.05, puff=0.03)
    cushion = cushion.turned(0.1, axis="x").moved((0, seat - 0.06, 0.02))
    rest = soft_box((width - 0.06, back_y - seat, 0.13), radius=0.05, puff=0.03)
    rest = rest.turned(-0.28, axis="x").moved((0, seat - 0.02, rear + 0.22))
    pieces: list[Piece] = [(joined(frame), palette.wood), (cushion, cloth), (rest, cloth)]
    return assemble(pieces, kind="armchair", semantic="chair")
