"""Books, papers and pens."""

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pictures import spine_rects
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    box,
    boxes,
    extrude,
    joined,
    lathe,
    rods,
)
from scenelift.render.scene import Furniture


def _lying_books(count: int, *, rng: np.random.Generator, palette: Palette) -> list[Piece]:
    """Make books that lie on each other: covers with a spine, and the block of pages set back on three sides."""
    y = 0.0
    covers: list[Shape] = []
    pages: list[Shape] = []
    for rect in spine_rects(count, rng=rng):
        width, depth, thick = (
            between(rng, 0.12, 0.2),
            between(rng, 0.18, 0.27),
            between(rng, 0.015, 0.04),
        )
        turn = between(rng, -0.25, 0.25) if count > 1 else 0.0
        sizes = np.array([(width, 0.0025, depth), (width, 0.0025, depth), (0.003, thick, depth)])
        at = np.array([(0, 0, 0), (0, thick - 0.0025, 0), (-width / 2 + 0.0015, 0, 0)], float)
        cover = boxes(sizes, at, uv_rects=np.tile(rect, (3, 1)))
        block = box((width - 0.008, thick - 0.005, depth - 0.008), at=(0.001, 0.0025, 0), bevel=0.0)
        covers.append(cover.turned(turn).moved((0, y, 0)))
        pages.append(block.turned(turn).moved((0, y, 0)))
        y += thick
    return [(joined(covers), palette.spines), (joined(pages), palette.paper)]


def book(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a closed book lying down."""
    pieces = _lying_books(1, rng=rng, palette=palette)
    return assemble(pieces, kind="book", semantic="books", mount="surface")


def book_stack(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a pile of two to six books."""
    pieces = _lying_books(int(rng.integers(2, 7)), rng=rng, palette=palette)
    return assemble(pieces, kind="book stack", semantic="books", mount="surface")


def open_book(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an open book."""
    width, depth, thick = (
        between(rng, 0.13, 0.18),
        between(rng, 0.19, 0.25),
        between(rng, 0.012, 0.022),
    )
    s = np.linspace(0, 1, 8)
    curve = thick * (0.55 + 0.45 * np.sin(np.pi * s**0.6))
    curve[0] = thick * 0.35
    top = [(float(a * width), float(b) + 0.003) for a, b in zip(s, curve, strict=True)]
    outline = [(0.0, 0.003), (width, 0.003), *reversed(top)]
    half = extrude(outline, depth)
    cover = box((2 * width + 0.012, 0.003, depth + 0.01), bevel=0.0)
    pieces: list[Piece] = [
        (joined([half, half.scaled((-1.0, 1.0, 1.0))]), palette.paper),
        (cover, pick(rng, palette.bolds)),
    ]
    return assemble(pieces, kind="open book", semantic="books", mount="surface")


def paper_stack(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a pile of sheets that do not lie quite on each other."""
    count = int(rng.integers(4, 9))
    sheets = [
        box((0.21, 0.0022, 0.297), bevel=0.0)
        .turned(float(rng.normal(0, 0.06)))
        .moved((float(rng.normal(0, 0.006)), 0.0022 * k, float(rng.normal(0, 0.006))))
        for k in range(count)
    ]
    return assemble(
        [(joined(sheets), palette.paper)], kind="paper stack", semantic="paper", mount="surface"
    )


def pen_holder(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a cup of pens."""
    r, height = between(rng, 0.035, 0.045), between(rng, 0.085, 0.11)
    cup = lathe(
        [(0, 0), (r, 0), (r, height), (r - 0.004, height), (r - 0.004, 0.006), (0, 0.006)],
        segments=20,
    )
    pieces: list[Piece] = [
        (cup, pick(rng, (palette.black, palette.metal, palette.wood, palette.pot)))
    ]
    for _ in range(int(rng.integers(3, 8))):
        angle = between(rng, 0.0, 6.28)
        foot = np.array([[np.cos(angle + 2.5), 0, np.sin(angle + 2.5)]]) * (r - 0.01) + (0, 0.01, 0)
        tip = np.array([[np.cos(angle), 0, np.sin(angle)]]) * (r - 0.004) + (
            0,
            between(rng, 0.13, 0.17),
            0,
        )
        pieces.append((rods(foot, tip, radius=0.004, segments=6), pick(rng, palette.bolds)))
    return assemble(pieces, kind="pen holder", semantic="otherprop", mount="surface")
