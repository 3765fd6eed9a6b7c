"""Bags, baskets, boxes, shoes and folded cloth."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    box,
    boxes,
    ellipse,
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
