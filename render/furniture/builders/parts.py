"""What several families of furniture share: legs, fronts with handles, rows of books."""

# ruff: noqa: RUF005  (points are arrays: adding a tuple moves them)

from typing import Literal

import numpy as np
from jaxtyping import Float

from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pictures import spine_rects
from scenelift.render.furniture.pieces import Piece
from scenelift.render.furniture.shapes import Shape, Vec3, box, boxes, joined, rods
from scenelift.render.rooms.surfaces import Finish

LegStyle = Literal["square", "round", "tapered", "splayed"]


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number from a range."""
    return float(rng.uniform(low, high))


def pick(rng: np.random.Generator, items: tuple[Finish, ...]) -> Finish:
    """Draw one of several finishes."""
    return items[int(rng.integers(len(items)))]


def pick_style(rng: np.random.Generator, styles: tuple[LegStyle, ...]) -> LegStyle:
    """Draw one of several styles of legs."""
    return styles[int(rng.integers(len(styles)))]


def corners(width: float, depth: float, *, y: float = 0.0) -> Float[np.ndarray, "4 3"]:
    """Return the corners of a rectangle about the origin at a height."""
    x, z = width / 2, depth / 2
    return np.array([[-x, y, -z], [x, y, -z], [x, y, z], [-x, y, z]])


def legs(width: float, depth: float, *, height: float, thickness: float, style: LegStyle) -> Shape:
    """Make four legs under a rectangle whose sides run through the legs' outer faces.

    Args:
        width: Of the rectangle at the top, in metres.
        depth: Of the rectangle at the top.
        height: Length of the legs.
        thickness: Of a leg at its top.
        style: Section and direction; splayed legs reach outwards by a sixth of their height.
    """
    top = corners(width - thickness, depth - thickness, y=height)
    foot = top * (1, 0, 1)
    if style == "square":
        return boxes(np.full((4, 3), (thickness, height, thickness)), foot, bevel=thickness * 0.08)
    if style == "splayed":
        outward = np.sign(foot) * (1, 0, 1) * height / 6
        return level_feet(
            rods(foot + outward, top, radius=thickness * 0.3, end_radius=thickness / 2, segments=10)
        )
    end = thickness / 2
    start = end * (0.55 if style == "tapered" else 1.0)
    return rods(foot, top, radius=start, end_radius=end, segments=12)


def level_feet(shape: Shape) -> Shape:
    """Cut slanted feet off level: vertices below the mean height of the lowest ring move onto it."""
    vertices = shape.vertices.copy()
    low = vertices[:, 1] < vertices[:, 1].min() + 0.2 * np.ptp(vertices[:, 1])
    vertices[low, 1] = 0.0
    return Shape(vertices=vertices, faces=shape.faces, uvs=shape.uvs, normals=shape.normals)


def handles(
    centres: Float[np.ndarray, "n 3"], *, style: int, length: float, upright: bool
) -> Shape:
    """Make handles on fronts that face +z, at points on the fronts.

    Args:
        centres: Middle of each handle on the front's surface.
        style: 0 bars on two posts, 1 knobs, 2 flat strips.
        length: Of bars and strips, in metres.
        upright: Whether bars stand.
    """
    along = np.array([0.0, 1.0, 0.0]) if upright else np.array([1.0, 0.0, 0.0])
    out = np.array([0.0, 0.0, 0.028])
    if style == 0:
        ends = along * length / 2
        bar = rods(centres + out - ends, centres + out + ends, radius=0.005, segments=6)
        posts = np.concatenate([centres - 0.7 * ends, centres + 0.7 * ends])
        return joined([bar, rods(posts, posts + out, radius=0.004, segments=5)])
    if style == 1:
        stem = rods(centres, centres + 0.6 * out, radius=0.006, segments=6)
        knob = rods(centres + 0.5 * out, centres + out, radius=0.010, end_radius=0.014, segments=10)
        return joined([stem, knob])
    size = np.where(along > 0, length, 0.012) + (0.0, 0.0, 0.006)
    return boxes(np.tile(size, (len(centres), 1)), centres - (0, size[1] / 2, -0.009), bevel=0.002)


def fronts(
    width: float,
    height: float,
    *,
    at: Vec3,
    rows: int,
    columns: int,
    finish: Finish,
    handle: Finish,
    handle_style: int,
    doors: bool,
    heights: Float[np.ndarray, " r"] | None = None,
    framed: bool = False,
) -> list[Piece]:
    """Make drawers or doors that cover a rectangle in the plane z = at[2], facing +z.

    Args:
        width: Of the whole, in metres.
        height: Of the whole.
        at: Middle of the lower edge, on the carcass' front.
        rows: Drawers above each other.
        columns: Fronts side by side.
        finish: Of the fronts.
        handle: Of the handles.
        handle_style: See `handles`; 3 means none.
        doors: Upright handles near the inner edges instead of horizontal ones in the middle.
        heights: Shares of the rows' heights, from below; None: equal.
        framed: Whether each front has a frame around a sunken panel.
    """
    gap, thick = 0.004, 0.018
    shares = np.ones(rows) if heights is None else heights
    edges = np.concatenate([[0.0], np.cumsum(shares / shares.sum())]) * height
    x = (np.arange(columns) + 0.5) * (width / columns) - width / 2
    column = np.tile(np.arange(columns), rows)
    row = np.repeat(np.arange(rows), columns)
    tall = edges[row + 1] - edges[row] - gap
    wide = width / columns - gap
    foot = np.stack([x[column], edges[row] + gap / 2, np.full(len(row), thick / 2)], axis=1) + at
    sizes = np.stack([np.full(len(row), wide), tall, np.full(len(row), thick)], axis=1)
    panels = [boxes(sizes, foot, bevel=0.003)]
    if framed:
        panels.append(_frames(sizes, foot))
    pieces: list[Piece] = [(joined(panels), finish)]
    if handle_style == 3:
        return pieces
    middle = foot + np.stack([np.zeros(len(row)), tall / 2, np.full(len(row), thick / 2)], axis=1)
    if framed:
        middle[:, 2] += 0.006
    if doors:
        inner = np.where(column % 2 == 0, 1.0, -1.0) * (1.0 if columns > 1 else 0.8)
        middle[:, 0] += inner * (wide / 2 - 0.03)
        length = float(np.clip(tall.min() * 0.3, 0.06, 0.3))
    else:
        length = float(np.clip(wide * 0.35, 0.05, 0.25))
        if tall.min() > 0.25:
            middle[:, 1] += tall / 2 - 0.05
    return [
        *pieces,
        (handles(middle, style=handle_style, length=length, upright=doors), handle),
    ]


def _frames(sizes: Float[np.ndarray, "n 3"], foot: Float[np.ndarray, "n 3"]) -> Shape:
    """Make rails and stiles 6 mm proud of flat fronts."""
    wide, tall = sizes[:, 0], sizes[:, 1]
    rim = np.minimum(0.06, 0.25 * np.minimum(wide, tall))
    thick = np.full(len(sizes), 0.012)
    z = sizes[:, 2] / 2
    upright = np.stack([rim, tall, thick], axis=1)
    level = np.stack([wide - 2 * rim, rim, thick], axis=1)
    zero = np.zeros(len(sizes))
    side = np.stack([(wide - rim) / 2, zero, z], axis=1)
    top = np.stack([zero, tall - rim, z], axis=1)
    bottom = np.stack([zero, zero, z], axis=1)
    return boxes(
        np.concatenate([upright, upright, level, level]),
        np.concatenate([foot + side, foot + side * (-1, 1, 1), foot + top, foot + bottom]),
        bevel=0.003,
    )


def books(
    width: float,
    *,
    height: float,
    depth: float,
    at: Vec3,
    palette: Palette,
    rng: np.random.Generator,
) -> list[Piece]:
    """Make a row of standing books whose spines face +z.

    Args:
        width: To be filled, from at[0] - width / 2 on; the last part may stay empty.
        height: Of the shelf's opening; books stay below.
        depth: Of the shelf; books stay within.
        at: Middle of the shelf's front edge, on the shelf.
        palette: Has the covers.
        rng: Draws sizes and covers.
    """
    count = max(int(width / 0.03), 1)
    thick = rng.uniform(0.014, 0.045, count)
    right = np.cumsum(thick + 0.001)
    keep = right < width * rng.uniform(0.55, 1.0)
    if not keep.any():
        return []
    thick, right = thick[keep], right[keep]
    tall = np.minimum(rng.uniform(0.6, 0.92, len(thick)), 0.95) * min(height, 0.34)
    deep = np.minimum(tall * rng.uniform(0.6, 0.75, len(thick)), depth - 0.03)
    setback = rng.uniform(0.01, 0.025, len(thick))
    foot = np.stack(
        [right - thick / 2 - width / 2, np.zeros(len(thick)), -setback - deep / 2], axis=1
    )
    shape = boxes(
        np.stack([thick, tall, deep], axis=1),
        foot + at,
        uv_rects=spine_rects(len(thick), rng=rng),
    )
    return [(shape, palette.spines)]


def carcass(
    width: float,
    height: float,
    depth: float,
    *,
    thickness: float = 0.018,
    shelves: Float[np.ndarray, " s"],
    y: float = 0.0,
    back: bool = True,
) -> Shape:
    """Make an open case: two sides, bottom, top, back and shelves.

    Args:
        width: Outer, in metres.
        height: Outer.
        depth: Outer; the case is centred on z = 0 and open to +z.
        thickness: Of the boards.
        shelves: Heights of the shelves' undersides above the case's bottom.
        y: Height of the case's underside.
        back: Whether it has a back panel.
    """
    inner = width - 2 * thickness
    sizes = [(thickness, height, depth)] * 2 + [(inner, thickness, depth)] * 2
    feet = [(-(width - thickness) / 2, y, 0.0), ((width - thickness) / 2, y, 0.0)]
    feet += [(0.0, y, 0.0), (0.0, y + height - thickness, 0.0)]
    for level in shelves.tolist():
        sizes.append((inner, thickness, depth - 0.01))
        feet.append((0.0, y + level, -0.004))
    made = [boxes(np.array(sizes), np.array(feet), bevel=0.0015)]
    if back:
        made.append(
            box(
                (inner, height - 2 * thickness, 0.006),
                at=(0, y + thickness, 0.004 - depth / 2),
                bevel=0.0,
            )
        )
    return joined(made)
