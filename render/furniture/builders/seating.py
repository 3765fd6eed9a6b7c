"""Chairs, stools and benches."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

import numpy as np

from scenelift.render.furniture.builders.parts import between, legs, pick, pick_style
from scenelift.render.furniture.builders.sofas import upholstery
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    box,
    boxes,
    cylinder,
    extrude,
    joined,
    lathe,
    rods,
    rounded_rectangle,
    sheet,
    soft_box,
    tube,
)
from scenelift.render.scene import Furniture


def dining_chair(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a chair with a slatted, ladder, solid, spindle, shell or upholstered back."""
    style = int(rng.integers(6))
    wood = pick(rng, (palette.wood, palette.wood, palette.wood_second, palette.body))
    width, depth = between(rng, 0.40, 0.48), between(rng, 0.40, 0.48)
    seat, back = between(rng, 0.44, 0.47), between(rng, 0.80, 1.0)
    if style == 5:
        return _shell_chair(width=width, seat=seat, rng=rng, palette=palette)
    thick = between(rng, 0.028, 0.042)
    lean = between(rng, 0.08, 0.18)
    x, z = width / 2 - thick / 2, depth / 2 - thick / 2
    front = np.array([[-x, 0, z], [x, 0, z]])
    square = rng.random() < 0.6
    shapes = [
        rods(
            front,
            front + (0, seat - 0.02, 0),
            radius=thick * 0.35,
            end_radius=thick / 2,
            square=square,
        )
    ]
    knee = np.array([[-x, seat, -z], [x, seat, -z]])
    top = knee + (0, back - seat, -lean)
    foot = knee * (1, 0, 1) - (0, 0, 0.03)
    shapes.append(rods(foot, knee, radius=thick * 0.35, end_radius=thick / 2, square=square))
    shapes.append(rods(knee, top, radius=thick / 2, end_radius=thick * 0.4, square=square))
    y = seat - 0.065
    starts = np.array([[-x, y, z], [-x, y, -z], [-x, y, -z], [x, y, -z]])
    ends = np.array([[x, y, z], [x, y, -z], [-x, y, z], [x, y, z]])
    shapes.append(rods(starts, ends, radius=0.011, square=True))
    if rng.random() < 0.5:
        low = between(rng, 0.12, 0.2)
        starts, ends = starts[2:] * (1, 0, 1), ends[2:] * (1, 0, 1)
        shapes.append(rods(starts + (0, low, 0), ends + (0, low, 0), radius=0.009))
    shapes.append(_chair_back(style, knee=knee, top=top, rng=rng))
    pieces: list[Piece] = [(joined(shapes), wood)]
    if rng.random() < 0.5:
        pad = soft_box((width + 0.01, 0.055, depth + 0.01), at=(0, seat - 0.02, 0.0), radius=0.025)
        pieces.append((pad, upholstery(rng, palette)))
    else:
        outline = rounded_rectangle(width + 0.02, depth + 0.02, radius=0.05)
        board = extrude(outline, 0.022, bevel=0.006).turned(-np.pi / 2, axis="x")
        pieces.append((board.moved((0, seat - 0.009, 0)), wood))
    if style == 4:
        tall = back - seat
        pad = soft_box((width - 0.01, tall * 0.72, 0.06), radius=0.028, puff=0.015)
        pad = pad.turned(-np.arctan2(lean, tall), axis="x")
        pieces.append(
            (pad.moved((0, seat + tall * 0.3, -z - lean * 0.3)), upholstery(rng, palette))
        )
    return assemble(pieces, kind="dining chair", semantic="chair")


def _chair_back(
    style: int, *, knee: np.ndarray, top: np.ndarray, rng: np.random.Generator
) -> Shape:
    """Fill the space between the two back posts: 0 slats, 1 ladder, 2 solid board, 3 spindles, else a top rail."""

    def level(t: float) -> np.ndarray:
        return np.asarray(knee + (top - knee) * t)

    def rail(t: float, height: float, thick: float) -> Shape:
        ends = level(t)
        wide = float(ends[1, 0] - ends[0, 0])
        middle = ends.mean(axis=0)
        slope = float(np.arctan2(knee[0, 2] - top[0, 2], top[0, 1] - knee[0, 1]))
        board = box((wide, height, thick), bevel=0.004).turned(-slope, axis="x")
        return board.moved((0.0, float(middle[1]) - height / 2, float(middle[2])))

    if style == 1:
        count = int(rng.integers(3, 5))
        return joined([rail(t, 0.055, 0.014) for t in np.linspace(0.4, 0.93, count).tolist()])
    if style == 2:
        return rail(0.7, between(rng, 0.16, 0.28), 0.016)
    count = int(rng.integers(4, 8)) if style == 3 else int(rng.integers(3, 6))
    share = (np.arange(count) + 1) / (count + 1)
    low, high = level(0.12), level(0.92)
    starts = low[0] + np.outer(share, low[1] - low[0])
    ends = high[0] + np.outer(share, high[1] - high[0])
    bars = rods(starts, ends, radius=0.007 if style == 3 else 0.01, square=style != 3, segments=8)
    return joined([bars, rail(0.95, 0.06, 0.018), rail(0.12, 0.03, 0.016)])


def _shell_chair(
    *, width: float, seat: float, rng: np.random.Generator, palette: Palette
) -> Furniture:
    """Build a moulded shell on four splayed legs."""
    t = np.linspace(0.0, 1.0, 13)
    spine_z = np.interp(t, [0, 0.12, 0.5, 0.62, 1.0], [0.22, 0.2, -0.12, -0.2, -0.28])
    spine_y = np.interp(t, [0, 0.12, 0.5, 0.62, 1.0], [-0.03, 0.0, -0.012, 0.06, 0.38])
    kernel = np.array([0.25, 0.5, 0.25])
    for _ in range(2):
        spine_z[1:-1] = np.convolve(spine_z, kernel, "valid")
        spine_y[1:-1] = np.convolve(spine_y, kernel, "valid")
    s = np.linspace(-1, 1, 11)
    half = (
        width / 2 * np.interp(t, [0, 0.15, 0.5, 0.75, 0.92, 1.0], [0.8, 0.98, 1.05, 1.0, 0.85, 0.6])
    )
    curl = between(rng, 0.03, 0.09) * np.sin(np.pi * t.clip(0.05, 0.95))
    grid = np.zeros((13, 11, 3))
    grid[..., 0] = half[:, None] * s
    grid[..., 1] = spine_y[:, None] + curl[:, None] * s**2 * (1 - t[:, None] * 0.6)
    grid[..., 2] = spine_z[:, None] + curl[:, None] * s**2 * t[:, None] * 1.6
    grid[..., 1] += seat
    upper = sheet(grid)
    lower = sheet(grid - (0, 0.012, -0.0)).moved((0, 0, -0.008))
    under = legs(0.26, 0.26, height=seat - 0.02, thickness=0.032, style="splayed")
    braces = np.array([[-0.13, seat - 0.03, -0.13], [-0.13, seat - 0.03, 0.13]])
    cross = rods(braces, braces + (0.26, 0, 0), radius=0.009)
    finish = pick(rng, (palette.white, palette.black, palette.bolds[0], palette.wood_second))
    pieces: list[Piece] = [(joined([upper, lower]), finish)]
    pieces.append((joined([under, cross]), pick(rng, (palette.wood, palette.metal))))
    return assemble(pieces, kind="dining chair", semantic="chair")


def office_chair(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a swivel chair: five-star base with castors, gas spring, seat, back, often armrests."""
    cloth = pick(rng, (palette.black, palette.fabric, palette.leather, palette.fabric_second))
    plastic = pick(rng, (palette.black, palette.black, palette.chrome, palette.white))
    seat, reach = between(rng, 0.42, 0.5), between(rng, 0.27, 0.32)
    angle = np.arange(5) * (2 * np.pi / 5) + between(rng, 0.0, 1.2)
    tips = np.stack([np.cos(angle) * reach, np.full(5, 0.075), np.sin(angle) * reach], axis=1)
    hub = np.tile((0.0, 0.11, 0.0), (5, 1))
    star = rods(hub, tips, radius=0.028, end_radius=0.018, segments=8)
    sideways = np.stack([-np.sin(angle), np.zeros(5), np.cos(angle)], axis=1) * 0.022
    wheel = tips * (1, 0, 1) + (0, 0.028, 0)
    castors = rods(wheel - sideways, wheel + sideways, radius=0.028, segments=14)
    stems = rods(wheel + (0, 0.02, 0), tips, radius=0.008, segments=6)
    column = lathe(
        [(0.045, 0.09), (0.045, 0.13), (0.028, 0.14), (0.025, seat - 0.09), (0.0, seat - 0.09)]
    )
    plate = box((0.2, 0.035, 0.22), at=(0, seat - 0.1, 0), bevel=0.01)
    width, depth = between(rng, 0.46, 0.52), between(rng, 0.44, 0.5)
    cushion = soft_box((width, 0.1, depth), at=(0, seat - 0.07, 0.02), radius=0.05, puff=0.02)
    tall = between(rng, 0.4, 0.72)
    rest = soft_box((width * 0.92, tall, 0.075), radius=0.035, puff=0.025).turned(-0.14, axis="x")
    rest = rest.moved((0, seat + between(rng, 0.03, 0.1), -depth / 2 + 0.02))
    spine = [(0.0, seat - 0.08, -0.05), (0.0, seat - 0.07, -depth / 2 - 0.03)]
    spine += [(0.0, seat + 0.05, -depth / 2 - 0.06), (0.0, seat + tall * 0.55, -depth / 2 - 0.07)]
    dark = [castors, tube(spine, radius=0.018, segments=8), plate]
    pieces: list[Piece] = [
        (joined([star, column, stems]), plastic),
        (joined(dark), palette.black),
        (cushion, cloth),
        (rest, cloth),
    ]
    if rng.random() < 0.7:
        arm_y = seat + between(rng, 0.18, 0.24)
        for side in (-1, 1):
            x = side * (width / 2 + 0.03)
            post = tube(
                [(x * 0.6, seat - 0.06, 0), (x, seat - 0.05, 0), (x, arm_y, -0.02)], radius=0.014
            )
            pad = soft_box((0.07, 0.03, 0.25), at=(x, arm_y, 0.02), radius=0.014, puff=0.004)
            pieces += [(post, palette.black), (pad, palette.black)]
    return assemble(pieces, kind="office chair", semantic="chair")


def stool(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a low stool, round or square."""
    return _stool("stool", height=between(rng, 0.4, 0.48), rng=rng, palette=palette)


def bar_stool(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a high stool with a foot ring or stretchers."""
    return _stool("bar stool", height=between(rng, 0.62, 0.78), rng=rng, palette=palette)


def _stool(kind: str, *, height: float, rng: np.random.Generator, palette: Palette) -> Furniture:
    size = between(rng, 0.3, 0.38)
    frame = pick(rng, (palette.wood, palette.metal, palette.wood_second))
    pieces: list[Piece] = []
    if kind == "bar stool" and rng.random() < 0.4:
        base = lathe(
            [
                (0, 0),
                (0.21, 0),
                (0.21, 0.012),
                (0.05, 0.03),
                (0.03, 0.05),
                (0.028, height - 0.06),
                (0, height - 0.06),
            ]
        )
        ring = cylinder(0.17, 0.02, segments=24)
        angle = np.arange(16) * (2 * np.pi / 16)
        path = np.stack([0.15 * np.cos(angle), np.full(16, 0.24), 0.15 * np.sin(angle)], axis=1)
        spokes = rods(path[[0, 8]], path[[0, 8]] * (0, 1, 0), radius=0.008)
        shapes = [
            base,
            tube(path, radius=0.009, closed=True),
            spokes,
            ring.moved((0, height - 0.07, 0)),
        ]
        pieces.append((joined(shapes), palette.chrome))
        seat = lathe(
            [(0, 0), (0.17, 0), (0.19, 0.02), (0.19, 0.05), (0.16, 0.075), (0, 0.08)], segments=28
        )
        pieces.append((seat.moved((0, height - 0.06, 0)), upholstery(rng, palette)))
        return assemble(pieces, kind=kind, semantic="chair")
    style = pick_style(rng, ("square", "tapered", "splayed"))
    padded = rng.random() < 0.5
    inset = 0.7 if style == "splayed" or not padded else 0.92
    shapes = [legs(size * inset, size * inset, height=height - 0.02, thickness=0.036, style=style)]
    y = height * between(rng, 0.25, 0.4)
    spread = size * inset / 2 - 0.018 + ((height - y) / 6 if style == "splayed" else 0.0)
    corner = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1]]) * spread + (0, y, 0)
    shapes.append(rods(corner, np.roll(corner, -1, axis=0), radius=0.01))
    pieces.append((joined(shapes), frame))
    if not padded:
        seat = lathe(
            [
                (0, 0),
                (size / 2 - 0.01, 0),
                (size / 2, 0.012),
                (size / 2 - 0.008, 0.03),
                (size / 3, 0.034),
                (0, 0.028),
            ],
            segments=28,
        ).moved((0, height - 0.025, 0))
        pieces.append((seat, frame))
    else:
        seat = soft_box((size, 0.06, size), at=(0, height - 0.03, 0), radius=0.028, puff=0.012)
        pieces.append((seat, upholstery(rng, palette)))
    return assemble(pieces, kind=kind, semantic="chair")


def bench(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a bench of boards or with a padded top."""
    width, depth, height = between(rng, 0.9, 1.5), between(rng, 0.3, 0.42), between(rng, 0.42, 0.48)
    wood = pick(rng, (palette.wood, palette.wood_second))
    style = pick_style(rng, ("square", "tapered", "splayed"))
    inset = 0.85 if style == "splayed" else 0.97
    frame = [legs(width * inset, depth * inset, height=height - 0.03, thickness=0.05, style=style)]
    y = height - 0.09
    x, z = width * inset / 2 - 0.025, depth * inset / 2 - 0.025
    starts = np.array([[-x, y, z], [-x, y, -z], [-x, y, -z], [x, y, -z]])
    ends = np.array([[x, y, z], [x, y, -z], [-x, y, z], [x, y, z]])
    frame.append(rods(starts, ends, radius=0.018, square=True))
    pieces: list[Piece] = [(joined(frame), wood)]
    if rng.random() < 0.5:
        count = int(rng.integers(3, 6))
        each = depth / count
        z_rows = (np.arange(count) + 0.5) * each - depth / 2
        at = np.stack([np.zeros(count), np.full(count, height - 0.03), z_rows], axis=1)
        slats = boxes(np.tile((width, 0.028, each - 0.012), (count, 1)), at, bevel=0.004)
        pieces.append((slats, wood))
    else:
        pieces.append((box((width, 0.025, depth), at=(0, height - 0.04, 0)), wood))
        pad = soft_box((width, 0.07, depth), at=(0, height - 0.02, 0), radius=0.03, puff=0.015)
        pieces.append((pad, upholstery(rng, palette)))
    return assemble(pieces, kind="bench", semantic="chair")
