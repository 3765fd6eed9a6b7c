"""Screens, computers, phones, speakers."""

import numpy as np

from scenelift.render.furniture.builders.parts import between, pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    ball,
    box,
    boxes,
    cylinder,
    extrude,
    joined,
    lathe,
    plate,
    rod,
    rods,
    rounded_rectangle,
    soft_box,
)
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Furniture


def _panel(width: float, height: float, *, y: float, z: float, thick: float) -> tuple[Shape, Shape]:
    """Make a flat case and the screen on its front; the screen's texture spans it once."""
    case = box((width, height, thick), at=(0, y, z), bevel=0.005)
    rim = 0.008 + 0.008 * width
    face = box(
        (width - 2 * rim, height - 2 * rim, 0.002),
        at=(0, y + rim, z + thick / 2),
        bevel=0.0,
        picture=True,
    )
    return case, face


def _screen_finish(rng: np.random.Generator, palette: Palette, *, share: float) -> Finish:
    return pick(rng, palette.displays) if rng.random() < share else palette.screen


def _television_picture(rng: np.random.Generator, palette: Palette) -> Finish:
    return palette.film if rng.random() < 0.3 else palette.screen


def television(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a television on two feet or a middle stand; it stands on furniture."""
    width = between(rng, 0.75, 1.45)
    height = width * 9 / 16
    foot = between(rng, 0.04, 0.08)
    case, face = _panel(width, height, y=foot, z=0.0, thick=0.03)
    hump = box((width * 0.6, height * 0.5, 0.035), at=(0, foot + 0.03, -0.03), bevel=0.01)
    if rng.random() < 0.5:
        x = width * 0.36
        tips = np.array([[s * x, 0.006, t * 0.11] for s in (-1, 1) for t in (-1, 1)])
        tops = np.array([[s * x * 0.97, foot + 0.01, 0] for s in (-1, 1) for t in (-1, 1)])
        stand = rods(tips, tops, radius=0.006)
    else:
        board = plate(rounded_rectangle(width * 0.4, 0.22, radius=0.03), 0.012, bevel=0.003)
        stand = joined([board, box((0.08, foot + 0.06, 0.03), at=(0, 0.005, -0.02), bevel=0.006)])
    pieces: list[Piece] = [
        (joined([case, hump, stand]), palette.black),
        (face, _television_picture(rng, palette)),
    ]
    return assemble(pieces, kind="television", semantic="television", mount="surface")


def wall_television(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a flat television for a wall."""
    width = between(rng, 0.9, 1.5)
    case, face = _panel(width, width * 9 / 16, y=0.0, z=0.0, thick=0.04)
    bracket = box((0.3, 0.25, 0.03), at=(0, width * 9 / 32 - 0.12, -0.033), bevel=0.004)
    pieces: list[Piece] = [
        (joined([case, bracket]), palette.black),
        (face, _television_picture(rng, palette)),
    ]
    return assemble(pieces, kind="wall television", semantic="television", mount="wall")


def monitor(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a computer screen on a stand."""
    width = between(rng, 0.46, 0.68)
    height = width * between(rng, 0.5, 0.6)
    lift = between(rng, 0.09, 0.15)
    case, face = _panel(width, height, y=0.0, z=0.0, thick=0.022)
    tilt = -between(rng, 0.0, 0.12)
    case, face = (part.turned(tilt, axis="x").moved((0, lift, 0.02)) for part in (case, face))
    outline = rounded_rectangle(between(rng, 0.18, 0.26), 0.19, radius=0.04)
    foot = plate(outline, 0.01, bevel=0.003)
    neck = rod((0, 0.008, -0.03), (0, lift + height * 0.45, -0.03), radius=0.018, segments=12)
    body = pick(rng, (palette.black, palette.black, palette.steel, palette.white))
    pieces: list[Piece] = [
        (joined([case, foot, neck]), body),
        (face, _screen_finish(rng, palette, share=0.6)),
    ]
    return assemble(pieces, kind="monitor", semantic="otherprop", mount="surface")


def _keys(width: float, depth: float, *, y: float, rows: int, columns: int) -> Shape:
    """Make a field of keys with a space bar in the front row."""
    step_x, step_z = width / columns, depth / rows
    column, row = np.tile(np.arange(columns), rows), np.repeat(np.arange(rows), columns)
    keep = (row < rows - 1) | (column < 3) | (column >= columns - 4)
    x = (column[keep] + 0.5) * step_x - width / 2
    z = (row[keep] + 0.5) * step_z - depth / 2
    at = np.stack([x, np.full(len(x), y), z], axis=1)
    sizes = np.tile((step_x * 0.84, 0.006, step_z * 0.84), (len(x), 1))
    bar_width = step_x * (columns - 7)
    bar = ((3 * step_x + bar_width / 2 - width / 2), y, (rows - 0.5) * step_z - depth / 2)
    return boxes(
        np.concatenate([sizes, [(bar_width * 0.97, 0.006, step_z * 0.84)]]),
        np.concatenate([at, [bar]]),
    )


def laptop(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build an open laptop."""
    width = between(rng, 0.29, 0.37)
    depth = width * between(rng, 0.64, 0.72)
    body = pick(rng, (palette.steel, palette.black, palette.white))
    base = plate(rounded_rectangle(width, depth, radius=0.012), 0.014, y=0.002, bevel=0.003)
    keys = _keys(width * 0.86, depth * 0.42, y=0.013, rows=5, columns=13).moved(
        (0, 0, -depth * 0.16)
    )
    pad = box((width * 0.3, 0.001, depth * 0.28), at=(0, 0.0155, depth * 0.28), bevel=0.0)
    lid, face = _panel(width, depth * 0.95, y=0.0, z=0.0, thick=0.007)
    tilt = -between(rng, 0.15, 0.55)
    lid, face = (
        part.turned(tilt, axis="x").moved((0, 0.014, -depth / 2 + 0.004)) for part in (lid, face)
    )
    feet = cylinder(0.006, 0.004, segments=8).repeated(
        np.array([[s * width * 0.4, 0, t * depth * 0.4] for s in (-1, 1) for t in (-1, 1)])
    )
    pieces: list[Piece] = [(joined([base, lid]), body), (joined([keys, pad, feet]), palette.black)]
    pieces.append((face, _screen_finish(rng, palette, share=0.7)))
    return assemble(pieces, kind="laptop", semantic="otherprop", mount="surface")


def keyboard(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a computer keyboard."""
    width, depth = between(rng, 0.3, 0.45), between(rng, 0.12, 0.15)
    base = plate(rounded_rectangle(width, depth, radius=0.01), 0.016, bevel=0.004)
    keys = _keys(width - 0.024, depth - 0.024, y=0.015, rows=5, columns=14)
    light = rng.random() < 0.4
    pieces: list[Piece] = [
        (base, palette.white if light else palette.black),
        (keys, palette.white if light else palette.black),
    ]
    if rng.random() < 0.5:
        pieces[0] = (base, palette.steel)
    return assemble(pieces, kind="keyboard", semantic="otherprop", mount="surface")


def mouse(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a computer mouse with wheel."""
    width, length, height = (
        between(rng, 0.055, 0.068),
        between(rng, 0.1, 0.12),
        between(rng, 0.03, 0.04),
    )
    body = soft_box((width, height, length), radius=0.018, puff=0.01, detail=8)
    wheel = rod(
        (-0.004, height - 0.004, -length * 0.25),
        (0.004, height - 0.004, -length * 0.25),
        radius=0.008,
    )
    finish = pick(rng, (palette.black, palette.white, palette.steel))
    return assemble(
        [(body, finish), (wheel, palette.steel)],
        kind="mouse",
        semantic="otherprop",
        mount="surface",
    )


def phone(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a flat telephone lying on its back, with a camera bump underneath."""
    width, length = between(rng, 0.066, 0.078), between(rng, 0.138, 0.165)
    case = plate(rounded_rectangle(width, length, radius=0.01), 0.008, y=0.001, bevel=0.002)
    face = plate(
        rounded_rectangle(width - 0.006, length - 0.006, radius=0.008), 0.0006, y=0.009, bevel=0.0
    )
    bump = plate(rounded_rectangle(0.025, 0.03, radius=0.006), 0.0015, bevel=0.0).moved(
        (-width / 2 + 0.018, 0, -length / 2 + 0.022)
    )
    pieces: list[Piece] = [(joined([case, bump]), pick(rng, palette.bolds)), (face, palette.screen)]
    return assemble(pieces, kind="phone", semantic="otherprop", mount="surface")


def speaker(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a shelf loudspeaker with two cones."""
    width, height, depth = (
        between(rng, 0.14, 0.2),
        between(rng, 0.24, 0.34),
        between(rng, 0.17, 0.26),
    )
    case = box((width, height, depth), at=(0, 0.004, 0), bevel=0.006)
    cone = lathe(
        [(0.0, 0.55), (0.3, 0.5), (0.34, 0.1), (0.84, 0.75), (0.9, 1.0), (1.0, 0.9), (1.0, 0.0)],
        segments=24,
    )
    big, small = width * 0.4, width * 0.2
    cones = [
        cone.scaled((r, 0.012, r)).turned(np.pi / 2, axis="x").moved((0, y, depth / 2 - 0.0005))
        for r, y in ((big, height * 0.34), (small, height * 0.76))
    ]
    feet = cylinder(0.008, 0.006, segments=8).repeated(
        np.array([[s * width * 0.4, 0, t * depth * 0.4] for s in (-1, 1) for t in (-1, 1)])
    )
    body = pick(rng, (palette.wood, palette.wood_second, palette.white, palette.steel))
    pieces: list[Piece] = [(case, body), (joined([*cones, feet]), palette.black)]
    return assemble(pieces, kind="speaker", semantic="otherprop", mount="surface")


def game_console(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a game console with a controller beside it."""
    width, depth, height = (
        between(rng, 0.26, 0.32),
        between(rng, 0.2, 0.26),
        between(rng, 0.045, 0.065),
    )
    body = pick(rng, (palette.black, palette.white))
    halves = [
        plate(rounded_rectangle(width, depth, radius=0.01), height * 0.42, y=y, bevel=0.004)
        for y in (0.0, height * 0.55)
    ]
    core = box((width - 0.012, height * 0.9, depth - 0.012), at=(0, 0.002, 0), bevel=0.0)
    grip = soft_box((0.045, 0.034, 0.1), radius=0.016, puff=0.004)
    pad = soft_box((0.12, 0.032, 0.055), radius=0.014, puff=0.004)
    sticks = rods(
        np.array([[-0.025, 0.03, 0.01], [0.025, 0.03, 0.01]]),
        np.array([[-0.025, 0.045, 0.01], [0.025, 0.045, 0.01]]),
        radius=0.009,
    )
    x = width / 2 + 0.11
    controller = joined(
        [
            pad.moved((x, 0, 0.02)),
            grip.turned(0.25).moved((x - 0.055, 0, 0.035)),
            grip.turned(-0.25).moved((x + 0.055, 0, 0.035)),
        ]
    )
    pieces: list[Piece] = [
        (joined([*halves, controller]), body),
        (joined([core, sticks.moved((x, 0, 0.02))]), palette.black),
    ]
    return assemble(pieces, kind="game console", semantic="otherprop", mount="surface")


def desktop_computer(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a computer tower for the floor."""
    width, height, depth = (
        between(rng, 0.17, 0.22),
        between(rng, 0.36, 0.48),
        between(rng, 0.38, 0.46),
    )
    case = box((width, height - 0.015, depth - 0.02), at=(0, 0.015, -0.01), bevel=0.004)
    front = box((width - 0.004, height - 0.02, 0.02), at=(0, 0.018, depth / 2 - 0.01), bevel=0.006)
    drive = box((width * 0.75, 0.035, 0.004), at=(0, height * 0.8, depth / 2), bevel=0.001)
    count = 6
    y = np.linspace(0.08, height * 0.55, count)
    slots = boxes(
        np.tile((width * 0.7, 0.006, 0.004), (count, 1)),
        np.stack([np.zeros(count), y, np.full(count, depth / 2)], axis=1),
    )
    button = rod(
        (0, height * 0.68, depth / 2),
        (0, height * 0.68, depth / 2 + 0.006),
        radius=0.01,
        segments=14,
    )
    feet = cylinder(0.014, 0.018, segments=8).repeated(
        np.array([[s * width * 0.38, 0, t * depth * 0.4] for s in (-1, 1) for t in (-1, 1)])
    )
    pieces: list[Piece] = [
        (joined([case, front]), pick(rng, (palette.black, palette.white, palette.steel)))
    ]
    pieces.append(
        (joined([drive, slots, button, feet]), pick(rng, (palette.black, palette.chrome)))
    )
    return assemble(pieces, kind="desktop computer", semantic="otherprop")


def printer(*, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build a printer with a paper tray."""
    width, depth, height = (
        between(rng, 0.4, 0.46),
        between(rng, 0.32, 0.38),
        between(rng, 0.16, 0.24),
    )
    profile = [
        (-depth / 2, 0.0),
        (depth / 2, 0.0),
        (depth / 2, height * 0.55),
        (depth / 2 - 0.06, height * 0.9),
        (depth / 2 - 0.1, height),
        (-depth / 2, height),
    ]
    body = extrude(profile, width, bevel=0.008).turned(-np.pi / 2)
    tray = box((width * 0.62, 0.012, 0.14), at=(0, 0.05, depth / 2 + 0.05), bevel=0.003)
    slot = box((width * 0.66, 0.05, 0.006), at=(0, 0.055, depth / 2 - 0.002), bevel=0.0)
    sheets = box((width * 0.5, 0.008, 0.13), at=(0, 0.062, depth / 2 + 0.045), bevel=0.0)
    keys = ball((0.009, 0.004, 0.009), segments=10, rings=5).repeated(
        np.array([[0.06 + 0.03 * k, height - 0.004, depth / 2 - 0.125] for k in range(4)])
    )
    shell = pick(rng, (palette.white, palette.black))
    pieces: list[Piece] = [
        (joined([body, tray]), shell),
        (joined([slot, keys]), palette.steel),
        (sheets, palette.paper),
    ]
    return assemble(pieces, kind="printer", semantic="otherprop", mount="surface")
