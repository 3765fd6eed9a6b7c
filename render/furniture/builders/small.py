"""Small things for tables, shelves and floors: books, toys, stationery, bags, cloth."""

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pictures import spine_rects
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    ball,
    box,
    boxes,
    cylinder,
    ellipse,
    extrude,
    joined,
    lathe,
    pillow,
    plate,
    rods,
    sheet,
    soft_box,
    tube,
)
from scenelift.render.scene import Furniture

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)


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


def box_carton(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a cardboard box: open with flaps, closed with tape, or a storage box with lid and label."""
    width, depth, height = (
        between(rng, 0.25, 0.45),
        between(rng, 0.2, 0.38),
        between(rng, 0.16, 0.34),
    )
    style = int(rng.integers(3))
    card = palette.cardboard
    if style == 0:
        wall = 0.006
        sizes = (
            [(width, wall, depth)]
            + [(wall, height, depth)] * 2
            + [(width - 2 * wall, height, wall)] * 2
        )
        at = [
            (0, 0, 0),
            (width / 2 - wall / 2, 0, 0),
            (wall / 2 - width / 2, 0, 0),
            (0, 0, depth / 2 - wall / 2),
            (0, 0, wall / 2 - depth / 2),
        ]
        shapes = [boxes(np.array(sizes), np.array(at, float))]
        flap = box((depth * 0.98, 0.004, depth * 0.45), at=(0, 0, depth * 0.225), bevel=0.0)
        for turn in range(4):
            if rng.random() < 0.15:
                continue
            reach = (depth if turn % 2 == 0 else width) / 2
            span = (width if turn % 2 == 0 else depth) / depth
            piece = flap.scaled((span, 1.0, 1.0)).turned(between(rng, 0.1, 1.2), axis="x")
            piece = piece.moved((0, height - 0.003, reach)).turned(turn * np.pi / 2)
            shapes.append(piece)
        low = min(float(shape.vertices[:, 1].min()) for shape in shapes)
        return assemble(
            [(joined(shapes).moved((0, -low, 0)), card)],
            kind="box",
            semantic="box",
            mount="surface",
        )
    body = box((width, height, depth), bevel=0.004)
    if style == 1:
        tape = boxes(
            np.array(
                [
                    (0.05, 0.001, depth + 0.002),
                    (0.05, height * 0.3, 0.001),
                    (0.05, height * 0.3, 0.001),
                ]
            ),
            np.array(
                [
                    (0, height - 0.0003, 0),
                    (0, height * 0.7, depth / 2),
                    (0, height * 0.7, -depth / 2),
                ]
            ),
        )
        seam = boxes(
            np.array([(0.003, 0.0006, depth * 0.98)]), np.array([(0.03, height - 0.0001, 0.0)])
        )
        label = box((0.1, 0.07, 0.001), at=(width * 0.2, height * 0.3, depth / 2), bevel=0.0)
        pieces: list[Piece] = [
            (body, card),
            (joined([tape, seam]), palette.leather),
            (label, palette.paper),
        ]
        return assemble(pieces, kind="box", semantic="box", mount="surface")
    color = pick(rng, (palette.white, *palette.bolds))
    lid = box((width + 0.012, height * 0.22, depth + 0.012), at=(0, height * 0.82, 0), bevel=0.004)
    label = box((0.09, 0.05, 0.002), at=(0, height * 0.35, depth / 2), bevel=0.0)
    grip = box((0.08, 0.012, 0.012), at=(0, height * 0.65, depth / 2 + 0.004), bevel=0.003)
    pieces = [(joined([body, lid]), color), (label, palette.paper), (grip, palette.metal)]
    return assemble(pieces, kind="box", semantic="box", mount="surface")


def basket(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a wicker basket with handles."""
    width, height = between(rng, 0.28, 0.45), between(rng, 0.2, 0.4)
    r = width / 2
    profile = [
        (0, 0),
        (r * 0.8, 0),
        (r * 0.95, height * 0.5),
        (r, height),
        (r - 0.02, height),
        (r * 0.95 - 0.02, height * 0.5),
        (r * 0.78, 0.02),
        (0, 0.02),
    ]
    body = lathe(profile, segments=24)
    angle = np.arange(24) * (2 * np.pi / 24)
    rim = tube(
        np.stack(
            [(r - 0.01) * np.cos(angle), np.full(24, height), (r - 0.01) * np.sin(angle)], axis=1
        ),
        radius=0.014,
        closed=True,
    )
    t = np.linspace(0, np.pi, 9)
    arc = np.stack([np.full(9, r), height + 0.06 * np.sin(t), 0.07 * np.cos(t)], axis=1)
    handle = tube(arc, radius=0.009)
    shape = joined([body, rim, handle, handle.scaled((-1.0, 1.0, 1.0))]).scaled(
        (1.0, 1.0, between(rng, 0.7, 1.0))
    )
    return assemble([(shape, palette.wicker)], kind="basket", semantic="otherprop")


def bin_(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a waste bin: an open paper basket or one with pedal and lid."""
    r, height = between(rng, 0.1, 0.15), between(rng, 0.26, 0.45)
    if rng.random() < 0.5:
        body = lathe(
            [
                (0, 0),
                (r * 0.78, 0),
                (r, height),
                (r * 1.04, height),
                (r * 1.04, height - 0.012),
                (r - 0.004, height - 0.013),
                (r * 0.76, 0.006),
                (0, 0.006),
            ],
            segments=24,
        )
        return assemble(
            [
                (
                    body,
                    pick(
                        rng,
                        (
                            palette.black,
                            palette.white,
                            palette.metal,
                            palette.wicker,
                            palette.bolds[0],
                        ),
                    ),
                )
            ],
            kind="bin",
            semantic="otherprop",
        )
    body = lathe(
        [(0, 0.012), (r, 0.012), (r, height), (r * 0.96, height + 0.004), (0, height + 0.004)],
        segments=28,
    )
    lid = lathe([(r * 1.0, 0), (r * 1.01, 0.012), (r * 0.7, 0.04), (0, 0.05)], segments=28).moved(
        (0, height + 0.003, 0)
    )
    ring = lathe([(0, 0), (r * 1.03, 0), (r * 1.03, 0.02), (r, 0.02)], segments=28)
    pedal = box((0.06, 0.012, 0.05), at=(0, 0.012, r + 0.02), bevel=0.003)
    pieces: list[Piece] = [
        (joined([body, lid]), pick(rng, (palette.steel, palette.white))),
        (joined([ring, pedal]), palette.black),
    ]
    return assemble(pieces, kind="bin", semantic="otherprop")


def cushion(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a sofa cushion lying flat."""
    size = between(rng, 0.36, 0.52)
    shape = pillow((size, between(rng, 0.11, 0.16), size * between(rng, 0.7, 1.0)))
    finish = pick(
        rng, (palette.accent, palette.fabric_second, palette.bedding_second, palette.fabric)
    )
    return assemble([(shape, finish)], kind="cushion", semantic="pillow", mount="surface")


def towel_stack(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build folded towels on each other."""
    count = int(rng.integers(2, 6))
    width, depth = between(rng, 0.26, 0.36), between(rng, 0.2, 0.28)
    pieces: list[Piece] = []
    y = 0.0
    for _ in range(count):
        thick = between(rng, 0.035, 0.055)
        shift = rng.normal(0, 0.006, 2)
        fold = soft_box((width, thick * 0.55, depth), radius=thick * 0.25, puff=0.003)
        twin = fold.moved((0, thick * 0.45, 0))
        pieces.append(
            (
                joined([fold, twin]).moved((float(shift[0]), y, float(shift[1]))),
                pick(rng, (palette.towel, palette.sheet, palette.towel)),
            )
        )
        y += thick * 0.98
    return assemble(pieces, kind="towel stack", semantic="towel", mount="surface")


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


def bag(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a handbag or a backpack."""
    cloth = pick(rng, (palette.leather, palette.fabric_second, palette.accent, palette.black))
    width, height, depth = (
        between(rng, 0.28, 0.42),
        between(rng, 0.24, 0.42),
        between(rng, 0.12, 0.18),
    )
    body = soft_box((width, height, depth), radius=0.05, puff=0.02)
    taper = 1 - 0.22 * body.vertices[:, 1:2] / height
    vertices = body.vertices * np.hstack([taper, np.ones_like(taper), taper])
    body = Shape(vertices=vertices, faces=body.faces, uvs=body.uvs, normals=body.normals)
    t = np.linspace(0, np.pi, 11)
    arc = np.stack(
        [width * 0.25 * np.cos(t), height - 0.02 + height * 0.4 * np.sin(t), 0 * t + depth * 0.25],
        axis=1,
    )
    strap = tube(arc, radius=0.008)
    pocket = soft_box(
        (width * 0.62, height * 0.42, 0.05),
        at=(0, height * 0.1, depth / 2),
        radius=0.02,
        puff=0.008,
    )
    flap = box((0.03, 0.05, 0.012), at=(0, height * 0.5, depth / 2 + 0.012), bevel=0.004)
    pieces: list[Piece] = [
        (joined([body, pocket]), cloth),
        (
            joined([strap, strap.scaled((1.0, 1.0, -1.0))]),
            pick(rng, (palette.leather, palette.black)),
        ),
    ]
    pieces.append((flap, palette.metal))
    return assemble(pieces, kind="bag", semantic="bag", mount="floor")


def shoes(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a pair of shoes."""
    return assemble(shoe_pair(rng=rng, palette=palette), kind="shoes", semantic="clothes")


def shoe_pair(*, rng: np.random.Generator, palette: Palette) -> list[Piece]:
    """Make a pair of shoes about the origin, toes towards +z."""
    length, width = between(rng, 0.24, 0.3), 0.095
    sole = plate(ellipse(width, length, segments=20, power=2.4), 0.022, bevel=0.006)
    t = 0.5 * np.sin(np.linspace(-np.pi / 2, np.pi / 2, 11))
    rows = []
    for z in t:
        half = 0.94 * width / 2 * max(1 - (2 * abs(z)) ** 3, 0.004) ** 0.5
        tall = np.interp(
            z,
            [-0.5, -0.42, -0.1, 0.1, 0.35, 0.47, 0.5],
            [0.03, 0.095, 0.09, 0.075, 0.042, 0.03, 0.004],
        )
        a = np.linspace(np.pi, 0, 7)
        rows.append(
            np.stack(
                [half * np.cos(a), 0.018 + tall * np.sin(a) ** 0.7, np.full(7, z * length * 0.97)],
                axis=1,
            )
        )
    upper = sheet(np.array(rows))
    hole = plate(ellipse(0.05, 0.09, segments=16), 0.004, bevel=0.0).moved(
        (0, 0.106, -length * 0.2)
    )
    lace = np.array([[-0.022, 0.1 - 0.014 * k, length * (0.04 + 0.055 * k)] for k in range(4)])
    laces = rods(lace, lace + (0.044, 0, 0), radius=0.003, segments=5)
    offset, turn, ahead = 0.06, between(rng, -0.25, 0.25), between(rng, -0.02, 0.02)

    def pair(shape: Shape) -> Shape:
        other = shape.scaled((-1.0, 1.0, 1.0)).turned(turn)
        return joined([shape.moved((-offset, 0, 0)), other.moved((offset, 0, ahead))])

    bright = pick(rng, (palette.white, *palette.bolds, palette.leather, palette.black))
    pieces: list[Piece] = [
        (pair(upper), bright),
        (pair(sole), pick(rng, (palette.white, palette.black))),
    ]
    pieces += [(pair(laces), palette.white), (pair(hole), palette.black)]
    return pieces
