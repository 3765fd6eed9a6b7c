"""Tables and desks."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import LegStyle, between, fronts, legs, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    box,
    boxes,
    ellipse,
    joined,
    lathe,
    plate,
    rods,
    rounded_rectangle,
)
from scenelift.render.scene import Furniture

_STYLES: tuple[LegStyle, ...] = ("square", "round", "tapered", "splayed")


def _apron(width: float, depth: float, *, top: float, height: float) -> Shape:
    """Make the rails under a table's top, set back from its rim."""
    x, z, thick = width / 2, depth / 2, 0.02
    sizes = [(width, height, thick)] * 2 + [(thick, height, depth)] * 2
    at = [(0, top - height, z), (0, top - height, -z), (x, top - height, 0), (-x, top - height, 0)]
    return boxes(np.array(sizes), np.array(at), bevel=0.002)


def _four_legged(
    width: float, depth: float, *, height: float, rng: np.random.Generator, palette: Palette
) -> list[Piece]:
    """Make a rectangular table on four legs."""
    wood = pick(rng, (palette.wood, palette.wood, palette.wood_second))
    thick = between(rng, 0.022, 0.045)
    style = _STYLES[int(rng.integers(4))]
    top = rounded_rectangle(width, depth, radius=between(rng, 0.004, 0.06))
    under = height - thick
    inset = between(rng, 0.01, 0.06) + (0.08 if style == "splayed" else 0.0)
    w, d = width - 2 * inset, depth - 2 * inset
    leg = between(rng, 0.04, 0.075) * min(1.0, 0.5 + height / 1.4)
    frame = pick(rng, (wood, wood, palette.metal, palette.body))
    made = [legs(w, d, height=under, thickness=leg, style=style)]
    if rng.random() < 0.8:
        made.append(_apron(w - leg, d - leg, top=under, height=between(rng, 0.05, 0.09)))
    pieces: list[Piece] = [(joined(made), frame)]
    pieces.append((plate(top, thick, y=under, bevel=min(0.006, thick / 4)), wood))
    return pieces


def _pedestal(
    width: float,
    depth: float,
    *,
    height: float,
    power: float,
    rng: np.random.Generator,
    palette: Palette,
) -> list[Piece]:
    """Make a round or oval table on a turned column with a foot, or on splayed legs."""
    wood = pick(rng, (palette.wood, palette.wood_second, palette.white, palette.counter))
    thick = between(rng, 0.02, 0.035)
    under = height - thick
    top = plate(ellipse(width, depth, power=power, segments=36), thick, y=under, bevel=0.005)
    choice = rng.random()
    if choice < 0.4 and width < 1.5 * depth:
        foot = 0.32 * min(width, depth)
        column = [(0, 0), (foot, 0), (foot, 0.012), (foot * 0.35, 0.05), (0.05, 0.12)]
        column += [
            (0.045, under * 0.5),
            (0.05, under - 0.1),
            (foot * 0.5, under - 0.005),
            (0, under),
        ]
        base = lathe(column, segments=24)
        return [(base, pick(rng, (wood, palette.metal))), (top, wood)]
    style: LegStyle = "splayed" if choice < 0.8 else "tapered"
    base = legs(width * 0.55, depth * 0.55, height=under, thickness=0.055, style=style)
    rail = _apron(width * 0.5, depth * 0.5, top=under, height=0.05)
    return [(joined([base, rail]), pick(rng, (palette.wood, palette.metal))), (top, wood)]


def dining_table(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a dining table: rectangular, round or oval."""
    height = between(rng, 0.72, 0.77)
    choice = rng.random()
    if choice < 0.6:
        size = between(rng, 1.2, 2.1), between(rng, 0.78, 1.0)
        pieces = _four_legged(*size, height=height, rng=rng, palette=palette)
    elif choice < 0.85:
        side = between(rng, 0.85, 1.3)
        pieces = _pedestal(side, side, height=height, power=2.0, rng=rng, palette=palette)
    else:
        size = between(rng, 1.5, 2.0), between(rng, 0.85, 1.05)
        pieces = _pedestal(*size, height=height, power=2.6, rng=rng, palette=palette)
    return assemble(pieces, kind="dining table", semantic="table")


def coffee_table(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a coffee table: four legs with or without a shelf, round, or a glass top on a metal frame."""
    height = between(rng, 0.34, 0.48)
    width, depth = between(rng, 0.8, 1.25), between(rng, 0.48, 0.7)
    choice = rng.random()
    if choice < 0.45:
        pieces = _four_legged(width, depth, height=height, rng=rng, palette=palette)
        if rng.random() < 0.5:
            shelf = box((width - 0.16, 0.016, depth - 0.14), at=(0, height * 0.3, 0))
            pieces.append((shelf, pieces[1][1]))
    elif choice < 0.75:
        pieces = _pedestal(
            depth * 1.3, depth * 1.3, height=height, power=2.0, rng=rng, palette=palette
        )
    else:
        frame = _bar_frame(width - 0.02, depth - 0.02, height=height - 0.01, radius=0.012)
        top = plate(
            rounded_rectangle(width, depth, radius=0.02), 0.01, y=height - 0.01, bevel=0.002
        )
        pieces = [(frame, palette.metal), (top, palette.glass)]
        shelf = box((width - 0.06, 0.016, depth - 0.06), at=(0, 0.1, 0))
        pieces.append((shelf, palette.wood))
    return assemble(pieces, kind="coffee table", semantic="table")


def _bar_frame(width: float, depth: float, *, height: float, radius: float) -> Shape:
    """Make the twelve edges of a cuboid of square bars, standing on its lower ring."""
    x, z, low, high = width / 2 - radius, depth / 2 - radius, radius, height - radius
    ring = np.array([[-x, 0, -z], [x, 0, -z], [x, 0, z], [-x, 0, z]])
    next_ = np.roll(ring, -1, axis=0)
    starts = np.concatenate([ring + (0, low, 0), ring + (0, high, 0), ring])
    ends = np.concatenate([next_ + (0, low, 0), next_ + (0, high, 0), ring + (0, height, 0)])
    return rods(starts, ends, radius=radius, square=True)


def side_table(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a small table for beside a sofa."""
    height, size = between(rng, 0.45, 0.62), between(rng, 0.36, 0.52)
    if rng.random() < 0.5:
        pieces = _pedestal(size, size, height=height, power=2.0, rng=rng, palette=palette)
    else:
        pieces = _four_legged(size, size * 0.95, height=height, rng=rng, palette=palette)
    return assemble(pieces, kind="side table", semantic="table")


def console(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a narrow console table, with drawers or a lower shelf."""
    width, depth, height = (
        between(rng, 0.8, 1.3),
        between(rng, 0.28, 0.38),
        between(rng, 0.74, 0.86),
    )
    wood = pick(rng, (palette.wood, palette.body))
    leg = legs(width, depth, height=height - 0.14, thickness=0.04, style="square")
    case = box((width, 0.12, depth), at=(0, height - 0.145, 0))
    top = box((width + 0.03, 0.022, depth + 0.02), at=(0, height - 0.022, 0))
    pieces: list[Piece] = [(joined([leg, case]), wood), (top, pick(rng, (palette.wood, wood)))]
    pieces += fronts(
        width - 0.02, 0.11, at=(0, height - 0.14, depth / 2), rows=1, columns=int(rng.integers(1, 4)),
        finish=wood, handle=palette.metal, handle_style=int(rng.integers(3)), doors=False,
    )  # fmt: skip
    if rng.random() < 0.6:
        pieces.append((box((width - 0.01, 0.018, depth - 0.01), at=(0, 0.16, 0)), wood))
    return assemble(pieces, kind="console", semantic="table")


def desk(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a desk: top, legs or panels, and a drawer case on one side or two."""
    width, depth, height = between(rng, 1.1, 1.7), between(rng, 0.58, 0.8), between(rng, 0.72, 0.76)
    wood = pick(rng, (palette.wood, palette.wood, palette.wood_second))
    thick = between(rng, 0.022, 0.035)
    under = height - thick
    top = plate(rounded_rectangle(width, depth, radius=0.01), thick, y=under, bevel=0.004)
    pieces: list[Piece] = [(top, wood)]
    case_width = between(rng, 0.34, 0.42)
    sides = (
        (-1, 1) if rng.random() < 0.25 and width > 1.35 else ((1,) if rng.random() < 0.5 else (-1,))
    )
    case_finish = pick(rng, (wood, palette.body))
    rows = int(rng.integers(3, 5))
    style = int(rng.integers(4))
    for side in sides:
        x = side * (width / 2 - case_width / 2 - 0.02)
        case = box((case_width, under - 0.06, depth - 0.09), at=(x, 0.06, -0.005), bevel=0.003)
        plinth = box((case_width - 0.03, 0.06, depth - 0.14), at=(x, 0, 0), bevel=0.0)
        pieces.append((joined([case, plinth]), case_finish))
        pieces += fronts(
            case_width, under - 0.07, at=(x, 0.065, depth / 2 - 0.05), rows=rows, columns=1, finish=case_finish,
            handle=palette.metal, handle_style=style, doors=False,
        )  # fmt: skip
    frame = pick(rng, (palette.metal, wood))
    if len(sides) == 1:
        x = -sides[0] * (width / 2 - 0.06)
        if rng.random() < 0.6:
            feet = np.array([[x, 0, depth / 2 - 0.06], [x, 0, -depth / 2 + 0.06]])
            pieces.append(
                (rods(feet, feet + (0, under, 0), radius=0.022, square=rng.random() < 0.5), frame)
            )
        else:
            pieces.append((box((0.025, under, depth - 0.06), at=(x, 0, 0), bevel=0.003), wood))
    if rng.random() < 0.6:
        panel = box((width - 0.14, 0.3, 0.016), at=(0, under - 0.3, -depth / 2 + 0.06), bevel=0.002)
        pieces.append((panel, wood))
    return assemble(pieces, kind="desk", semantic="desk")
