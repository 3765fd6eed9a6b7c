"""Seamless tones of woods, stones and cloths; layouts of boards and tiles; motifs of wallpapers and rugs."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from scenelift.render.rooms.materials.noise import Tone, grid, noise


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cells:
    """A surface divided into boards, tiles or bricks."""

    index: Int[np.ndarray, "h w"]
    """Which cell a pixel belongs to."""
    joint: Float32[np.ndarray, "h w"]
    """1 in the joint, 0 inside a cell, between them at its rim."""
    turned: Int[np.ndarray, "h w"]
    """1 where the cell lies across."""


def wood(*, size: int, rng: np.random.Generator, rings: int | None = None) -> Tone:
    """Draw wood whose grain runs along the columns: growth rings, fibres and pores."""
    _, x = grid(size)
    count = int(rng.integers(3, 9)) if rings is None else rings
    grain = noise("grain", size=size, rng=rng)
    bend = noise("grain", size=size, rng=rng)
    phase = x * np.float32(count) + bend * np.float32(0.22) + np.float32(rng.random())
    saw = phase - np.floor(phase)
    ring = saw * saw * np.float32(1.6) - np.float32(0.6)
    return (np.float32(0.45) * ring + np.float32(0.3) * grain).clip(-1, 1)


def boards(*, size: int, rows: int, per_row: int, rng: np.random.Generator, gap: float) -> Cells:
    """Lay boards along the columns, with joints that are staggered at random.

    Args:
        size: Pixels a side.
        rows: Boards side by side.
        per_row: Boards one behind the other.
        rng: Shifts the joints.
        gap: Joint in pixels.
    """
    y, x = grid(size)
    across = x[:1] * rows
    row = across.astype(np.int32)
    shift = rng.random(rows).astype(np.float32)
    along = y[:, :1] * per_row + shift[row]
    number = along.astype(np.int32) % per_row
    joint = _joint(across, size / rows, gap=gap)
    joint = np.maximum(joint, _joint(along, size / per_row, gap=gap))
    index = row * per_row + number
    return Cells(index=index, joint=joint, turned=np.zeros_like(index))


def herringbone(*, size: int, ratio: int, repeats: int, gap: float) -> Cells:
    """Lay boards in a herringbone: each `ratio` times as long as wide, 2 x ratio x repeats widths a side."""
    y, x = grid(size)
    count = 2 * ratio * repeats
    px, py = x * count, y * count
    i, j = px.astype(np.int32), py.astype(np.int32)
    place = (i - j) % (2 * ratio)
    lies = place < ratio
    start_i = np.where(lies, i - place, i)
    start_j = np.where(lies, j, j - (2 * ratio - 1 - place))
    along = np.where(lies, px - start_i, py - start_j) / ratio
    across = np.where(lies, py - j, px - i)
    joint = np.maximum(
        _joint(across.astype(np.float32), size / count, gap=gap),
        _joint(along.astype(np.float32), size / count * ratio, gap=gap),
    )
    index = (start_i % count) + (start_j % count) * count
    return Cells(index=index.astype(np.int32), joint=joint, turned=lies.astype(np.int32))


def tiles(*, size: int, rows: int, columns: int, stagger: float, gap: float) -> Cells:
    """Lay tiles in rows; every other row is shifted by `stagger` of a tile (then rows must be even)."""
    y, x = grid(size)
    down = y[:, :1] * rows
    row = down.astype(np.int32)
    right = x[:1] * columns + (row % 2).astype(np.float32) * np.float32(stagger)
    column = right.astype(np.int32) % columns
    joint = np.maximum(_joint(down, size / rows, gap=gap), _joint(right, size / columns, gap=gap))
    turned = ((row + column) % 2).astype(np.int32)
    return Cells(index=row * columns + column, joint=joint, turned=turned)


def _joint(position: Float32[np.ndarray, "h w"], pixels: float, *, gap: float) -> Tone:
    """Return how much of a joint of `gap` pixels lies at a position counted in cells of `pixels` each."""
    inside = position - np.floor(position)
    away = np.minimum(inside, 1 - inside) * np.float32(pixels)
    return np.asarray((np.float32(gap / 2 + 0.5) - away).clip(0, 1), np.float32)


def per_cell(cells: Cells, *, rng: np.random.Generator, spread: float) -> Tone:
    """Return a tone that is constant in each cell and normally distributed over the cells."""
    values = rng.normal(0.0, spread, int(cells.index.max()) + 1).astype(np.float32)
    return np.asarray(values[cells.index])


def cut_from(field: Tone, *, cells: Cells, rng: np.random.Generator) -> Tone:
    """Give each cell a piece of `field` from another place, turned where the cell lies across."""
    size = len(field)
    count = int(cells.index.max()) + 1
    moves = rng.integers(0, size, (2, count), dtype=np.int32)
    rows, columns = np.indices((size, size), dtype=np.int32, sparse=True)
    i = np.where(cells.turned == 1, columns, rows) + moves[0][cells.index]
    j = np.where(cells.turned == 1, rows, columns) + moves[1][cells.index]
    return np.asarray(field.ravel()[(i % size) * size + j % size])


def veins(*, size: int, rng: np.random.Generator) -> Tone:
    """Draw marble: 1 on veins that wind diagonally, 0 between them."""
    y, x = grid(size)
    cloud = noise("cloud", size=size, rng=rng)
    along, across = rng.integers(1, 3, 2).tolist()
    phase = along * x + across * y + np.float32(0.32) * cloud
    vein = 1 - np.abs(np.sin(np.float32(np.pi) * phase))
    return np.asarray(vein**10)


def cloth(*, size: int, rng: np.random.Generator, thread_px: int = 4) -> Tone:
    """Draw a plain weave of threads that differ a little in thickness."""
    y, x = grid(size)
    count = size // thread_px
    sx = np.sin(np.float32(np.pi * count) * x)
    sy = np.sin(np.float32(np.pi * count) * y)
    over = ((x * count).astype(np.int32) + (y * count).astype(np.int32)) % 2 == 0
    weave = np.where(over, np.abs(sx), np.abs(sy)) - np.float32(0.64)
    slub = noise("grain", size=size, rng=rng)
    cross = noise("grain", size=size, rng=rng).T
    return (weave + np.float32(0.25) * np.where(over, slub, cross)).clip(-1, 1)


def motif(name: str, *, size: int, rng: np.random.Generator) -> Float32[np.ndarray, "h w"]:
    """Draw the mask (0 to 1) of a repeating motif.

    Args:
        name: stripes, pinstripes, dots, flowers, damask, trellis, plaid, zigzag, leaves, scales or rings.
        size: Pixels a side.
        rng: Picks counts and proportions.

    Raises:
        ValueError: if the name is none of these.
    """
    y, x = grid(size)
    count = int(rng.integers(2, 6))
    two_pi = np.float32(2 * np.pi)
    if name == "stripes":
        return _soft(np.sin(two_pi * count * x) - np.float32(rng.uniform(-0.5, 0.5)), 0.04 * count)
    if name == "pinstripes":
        return _soft(np.cos(two_pi * 2 * count * x) - np.float32(0.93), 0.06)
    if name == "plaid":
        wide = np.cos(two_pi * count * x) > rng.uniform(-0.2, 0.4)
        high = np.cos(two_pi * count * y) > rng.uniform(-0.2, 0.4)
        thin = (np.cos(two_pi * count * x) < -0.95) | (np.cos(two_pi * count * y) < -0.95)
        return np.asarray(np.maximum(0.5 * wide + 0.5 * high, 0.8 * thin), np.float32)
    if name == "zigzag":
        fold = np.abs(x * count - np.floor(x * count) - np.float32(0.5))
        return _soft(np.sin(two_pi * 2 * count * (y + fold / (2 * count))), 0.15)
    if name == "trellis":
        wave = np.cos(two_pi * count * x) + np.cos(two_pi * count * y)
        return _soft(np.float32(0.16) - np.abs(wave), 0.08)
    if name == "scales":
        u, v, _ = _staggered(count, size=size)
        return _soft(np.float32(0.06) - np.abs(np.hypot(u, v) - np.float32(0.42)), 0.03)
    if name == "damask":
        return _damask(count=count, size=size)
    u, v, odd = _staggered(count, size=size)
    radius, angle = np.hypot(u, v), np.arctan2(v, u)
    if name == "dots":
        return _soft(np.float32(rng.uniform(0.12, 0.28)) - radius, 0.02 * count)
    if name == "rings":
        return _soft(np.float32(0.07) - np.abs(radius - np.float32(0.28)), 0.02 * count)
    if name == "flowers":
        petals = int(rng.integers(4, 7))
        edge = np.float32(0.24) + np.float32(0.1) * np.cos(petals * angle + odd)
        core = _soft(np.float32(0.07) - radius, 0.02 * count)
        return np.asarray(_soft(edge - radius, 0.02 * count) - core)
    if name == "leaves":
        tilt = np.where(odd > 0, np.float32(0.7), np.float32(-0.7))
        a = u * np.cos(tilt) + v * np.sin(tilt)
        b = v * np.cos(tilt) - u * np.sin(tilt)
        edge = np.float32(0.16) * (1 - (a / np.float32(0.42)) ** 2) - np.abs(b)
        return _soft(np.where(np.abs(b) < 0.012, np.float32(-1), edge), 0.02 * count)
    raise ValueError(f"unknown motif {name!r}")


MOTIFS: tuple[str, ...] = (
    "stripes", "pinstripes", "dots", "flowers", "damask", "trellis", "plaid", "zigzag", "leaves", "rings",
)  # fmt: skip


def _staggered(count: int, *, size: int = 256) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return coordinates (-0.5 to 0.5) about the nearest point of a quincunx and which of its two grids it is."""
    y, x = grid(size)
    u0, v0 = x * count - np.floor(x * count) - 0.5, y * count - np.floor(y * count) - 0.5
    u1, v1 = u0 - np.sign(u0) * np.float32(0.5), v0 - np.sign(v0) * np.float32(0.5)
    odd = u1 * u1 + v1 * v1 < u0 * u0 + v0 * v0
    u = np.where(odd, u1, u0) * np.float32(1.2)
    v = np.where(odd, v1, v0) * np.float32(1.2)
    return u.astype(np.float32), v.astype(np.float32), odd.astype(np.float32)


def _damask(*, count: int, size: int) -> Float32[np.ndarray, "h w"]:
    """Draw a pointed medallion with a leafy rim, a ring inside and a flower in the middle."""
    u, v, _ = _staggered(max(count - 1, 2), size=size)
    angle, radius = np.arctan2(u, v), np.hypot(u * np.float32(1.35), v)
    point = np.abs(angle) / np.float32(np.pi)
    body = np.float32(0.5) - np.float32(0.16) * np.sin(np.float32(np.pi) * point)
    body = body + np.float32(0.035) * np.cos(10 * angle)
    rim = _soft(body - radius, 0.04) - _soft(body * np.float32(0.8) - radius, 0.04)
    ring = _soft(np.float32(0.02) - np.abs(radius - body * np.float32(0.66)), 0.02)
    petals = np.float32(0.15) + np.float32(0.06) * np.cos(6 * angle)
    flower = _soft(petals - radius, 0.03) - _soft(np.float32(0.05) - radius, 0.03)
    return np.asarray(np.maximum(np.maximum(rim, ring), flower))


def _soft(signed: np.ndarray, width: float) -> Float32[np.ndarray, "h w"]:
    """Turn a signed distance into a mask with a soft edge."""
    scaled = signed.astype(np.float32) / np.float32(max(width, 1e-3))
    return np.asarray((scaled + np.float32(0.5)).clip(0, 1))
