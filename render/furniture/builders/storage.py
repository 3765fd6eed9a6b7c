"""Wardrobes, dressers, shelves and cabinets."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import (
    between,
    books,
    carcass,
    fronts,
    legs,
    pick,
    pick_style,
)
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import box, joined, rods
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Furniture


def _base(
    width: float, depth: float, *, rng: np.random.Generator, wood: Finish, palette: Palette
) -> tuple[Piece, float]:
    """Make a plinth or feet and return the height at which the case starts."""
    if rng.random() < 0.5:
        height = between(rng, 0.04, 0.09)
        return (
            box((width - 0.01, height, depth - 0.05), at=(0, 0, -0.02), bevel=0.0),
            wood,
        ), height
    height = between(rng, 0.08, 0.2)
    style = pick_style(rng, ("square", "tapered", "round"))
    feet = legs(width - 0.03, depth - 0.03, height=height, thickness=0.04, style=style)
    return (feet, pick(rng, (wood, palette.metal))), height


def _chest(
    kind: str,
    semantic: str,
    *,
    size: tuple[float, float, float],
    rows: int,
    columns: int,
    doors: bool,
    rng: np.random.Generator,
    palette: Palette,
) -> Furniture:
    """Build a closed case with drawers or doors on a base, and a top that stands out a little."""
    width, height, depth = size
    wood = pick(rng, (palette.wood, palette.body, palette.body, palette.wood_second))
    face = wood if rng.random() < 0.7 else pick(rng, (palette.body, palette.white))
    base, start = _base(width, depth, rng=rng, wood=wood, palette=palette)
    tall = height - start - 0.022
    pieces: list[Piece] = [base]
    pieces.append((box((width, tall, depth - 0.022), at=(0, start, -0.011), bevel=0.003), wood))
    over = between(rng, 0.0, 0.03)
    top = box((width + over, 0.022, depth + over), at=(0, height - 0.022, over / 4), bevel=0.004)
    pieces.append((top, pick(rng, (wood, wood, palette.wood))))
    heights = np.linspace(1.2, 0.9, rows) if rows > 1 else None
    pieces += fronts(
        width - 0.008, tall - 0.006, at=(0, start + 0.003, depth / 2 - 0.022), rows=rows, columns=columns, finish=face,
        handle=palette.metal, handle_style=int(rng.integers(4)), doors=doors, heights=heights, framed=rng.random() < 0.35,
    )  # fmt: skip
    return assemble(pieces, kind=kind, semantic=semantic)


def wardrobe(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a wardrobe of two to four doors."""
    columns = int(rng.integers(2, 5))
    size = columns * between(rng, 0.44, 0.52), between(rng, 1.85, 2.3), between(rng, 0.54, 0.64)
    return _chest(
        "wardrobe",
        "cabinet",
        size=size,
        rows=1,
        columns=columns,
        doors=True,
        rng=rng,
        palette=palette,
    )


def dresser(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a chest of drawers."""
    size = between(rng, 0.75, 1.5), between(rng, 0.74, 1.1), between(rng, 0.42, 0.52)
    columns = 2 if size[0] > 1.05 else 1
    rows = int(rng.integers(3, 6))
    return _chest(
        "dresser",
        "dresser",
        size=size,
        rows=rows,
        columns=columns,
        doors=False,
        rng=rng,
        palette=palette,
    )


def night_stand(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bedside cabinet with one to three drawers."""
    size = between(rng, 0.38, 0.52), between(rng, 0.42, 0.62), between(rng, 0.34, 0.44)
    rows = int(rng.integers(1, 4))
    return _chest(
        "night stand",
        "night_stand",
        size=size,
        rows=rows,
        columns=1,
        doors=False,
        rng=rng,
        palette=palette,
    )


def cabinet(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a sideboard or a high cabinet with doors."""
    if rng.random() < 0.6:
        size = between(rng, 1.0, 1.8), between(rng, 0.7, 0.95), between(rng, 0.38, 0.46)
    else:
        size = between(rng, 0.75, 1.0), between(rng, 1.2, 1.6), between(rng, 0.36, 0.42)
    columns = max(2, round(size[0] / 0.45))
    return _chest(
        "cabinet",
        "cabinet",
        size=size,
        rows=1,
        columns=columns,
        doors=True,
        rng=rng,
        palette=palette,
    )


def bookshelf(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bookcase with books on most of its shelves."""
    width, height, depth = between(rng, 0.6, 1.2), between(rng, 1.2, 2.1), between(rng, 0.26, 0.34)
    wood = pick(rng, (palette.wood, palette.body, palette.wood_second))
    count = max(round(height / between(rng, 0.3, 0.4)), 3)
    step = (height - 0.08) / count
    levels = 0.06 + step * np.arange(count)
    case = carcass(width, height, depth, shelves=levels, thickness=between(rng, 0.016, 0.026))
    pieces: list[Piece] = [(case, wood)]
    for level in levels.tolist():
        if rng.random() < 0.88:
            at = (0.0, level + 0.019, depth / 2)
            pieces += books(
                width - 0.06, height=step - 0.03, depth=depth, at=at, palette=palette, rng=rng
            )
    return assemble(pieces, kind="bookshelf", semantic="bookshelf")


def open_shelves(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a rack of shelves between metal or wooden posts."""
    width, height, depth = between(rng, 0.6, 1.1), between(rng, 1.1, 1.9), between(rng, 0.3, 0.4)
    x, z = width / 2 - 0.015, depth / 2 - 0.015
    posts = np.array([[-x, 0, -z], [x, 0, -z], [x, 0, z], [-x, 0, z]])
    frame = [rods(posts, posts + (0, height, 0), radius=0.013, square=True)]
    count = int(rng.integers(3, 6))
    levels = np.linspace(0.12, height - 0.03, count)
    boards = [box((width - 0.005, 0.02, depth - 0.005), at=(0, y, 0)) for y in levels.tolist()]
    sides = np.array([[-x, 0, -z], [x, 0, -z]])
    low = np.repeat(sides, count, axis=0) + np.outer(np.tile(levels - 0.008, 2), (0, 1, 0))
    frame.append(rods(low, low + (0, 0, 2 * z), radius=0.007, square=True))
    if rng.random() < 0.5:
        cross = rods(posts[:1] + (0, 0.12, 0), posts[1:2] + (0, height - 0.05, 0), radius=0.005)
        frame.append(cross)
    wood = pick(rng, (palette.wood, palette.wood_second))
    pieces: list[Piece] = [(joined(frame), pick(rng, (palette.metal, palette.metal, wood)))]
    pieces.append((joined(boards), wood))
    for y in levels[:-1].tolist():
        if rng.random() < 0.4:
            at = (0.0, y + 0.0205, depth / 2 - 0.03)
            pieces += books(
                width - 0.1, height=0.28, depth=depth - 0.06, at=at, palette=palette, rng=rng
            )
    return assemble(pieces, kind="open shelves", semantic="shelves")


def tv_stand(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a low board with doors, drawers and open bays."""
    width, height, depth = (
        between(rng, 1.1, 1.9),
        between(rng, 0.38, 0.56),
        between(rng, 0.36, 0.46),
    )
    wood = pick(rng, (palette.wood, palette.body, palette.wood_second))
    base, start = _base(width, depth, rng=rng, wood=wood, palette=palette)
    tall = height - start
    case = carcass(width, tall, depth, y=start, shelves=np.array([tall / 2]))
    bay = width / 3
    pieces: list[Piece] = [base, (case, wood)]
    walls = [
        box((0.018, tall - 0.03, depth - 0.01), at=(s * bay / 2, start + 0.015, -0.004), bevel=0.0)
        for s in (-1, 1)
    ]
    pieces.append((joined(walls), wood))
    style = int(rng.integers(4))
    face = pick(rng, (wood, palette.body))
    for side in (-1, 1):
        pieces += fronts(
            bay - 0.02, tall - 0.03, at=(side * bay, start + 0.015, depth / 2 - 0.001), rows=int(rng.integers(1, 3)), columns=1,
            finish=face, handle=palette.metal, handle_style=style, doors=False,
        )  # fmt: skip
    if rng.random() < 0.7:
        device = box((min(bay - 0.08, 0.42), 0.05, 0.22), at=(0, start + tall / 2 + 0.02, 0.04))
        pieces.append((device, palette.black))
    return assemble(pieces, kind="tv stand", semantic="cabinet")
