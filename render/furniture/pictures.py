"""Pictures that fill a shape once: paintings, screens, an atlas of book covers."""

import numpy as np
from jaxtyping import UInt8

from scenelift.render.rooms.materials import colors, patterns
from scenelift.render.rooms.materials.colors import blended, sample_color, tinted
from scenelift.render.rooms.materials.noise import grid, noise
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Color, Material, Texture

SPINE_COLUMNS, SPINE_ROWS = 8, 4
"""Cells of the atlas of book covers."""


def _finish(
    name: str,
    image: UInt8[np.ndarray, "h w 4"],
    *,
    roughness: float,
    emission: Color = (0.0, 0.0, 0.0),
) -> Finish:
    material = Material(
        name=name,
        base_color=(1.0, 1.0, 1.0),
        texture=Texture(pixels=image),
        roughness=roughness,
        emission=emission,
    )
    return Finish(material=material)


def painting(rng: np.random.Generator) -> Finish:
    """Paint a picture: a landscape, colour fields, circles, brush strokes or a drawing of leaves."""
    style = int(rng.integers(5))
    size = 128
    image = (_landscape, _fields, _circles, _strokes, _print)[style](size=size, rng=rng)
    return _finish("picture", image, roughness=float(rng.uniform(0.3, 0.9)))


def _landscape(*, size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    y, x = grid(size)
    sky = sample_color(("9fc3df", "e8b58a", "c9d6df", "6a8fb5", "f0d9b0"), rng=rng)
    image = tinted(
        (1.2 * (y - 0.5) + 0.25 * noise("cloud", size=size, rng=rng)).astype(np.float32),
        color=sky,
        contrast=0.25,
    )
    layers = int(rng.integers(3, 6))
    base = sample_color(("5c7f6a", "6f8a4a", "7a6b8a", "4a6a82", "a8794a"), rng=rng)
    for layer in range(layers):
        ridge = 0.35 + 0.55 * layer / layers + np.zeros((1, size), np.float32)
        for octave in (1, 2, 5):
            ridge = ridge + rng.uniform(0.02, 0.12) / octave * np.sin(
                2 * np.pi * octave * x[:1] + rng.uniform(0, 6.3)
            )
        tone = 0.4 * noise("blotch", size=size, rng=rng)
        color = colors.shifted(base, value=1.35 - 0.8 * layer / layers, hue=0.02 * layer)
        hill = tinted(tone, color=color, contrast=0.2)
        image = blended(((y - ridge) * 60).astype(np.float32), low=image, high=hill)
    return image


def _fields(*, size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    image = np.full((size, size, 4), 255, np.uint8)
    boxes = [(0, 0, size, size)]
    for _ in range(int(rng.integers(3, 9))):
        top, left, bottom, right = boxes.pop(int(rng.integers(len(boxes))))
        if rng.random() < 0.5:
            cut = int(top + (bottom - top) * rng.uniform(0.3, 0.7))
            boxes += [(top, left, cut, right), (cut, left, bottom, right)]
        else:
            cut = int(left + (right - left) * rng.uniform(0.3, 0.7))
            boxes += [(top, left, bottom, cut), (top, cut, bottom, right)]
    line = int(rng.integers(0, 4))
    image[..., :3] = 20
    for top, left, bottom, right in boxes:
        color = colors.srgb_from_linear(np.array(sample_color(colors.BOLDS, rng=rng)))
        image[top + line : bottom, left + line : right, :3] = (color * 255).astype(np.uint8)
    return image


def _circles(*, size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    y, x = grid(size)
    tone = 0.3 * noise("speck", size=size, rng=rng)
    image = tinted(tone, color=sample_color(colors.PAPERS, rng=rng), contrast=0.06)
    for _ in range(int(rng.integers(3, 8))):
        centre, radius = rng.uniform(0.15, 0.85, 2), rng.uniform(0.06, 0.3)
        distance = np.hypot(x - centre[0], y - centre[1])
        if rng.random() < 0.3:
            distance = np.abs(distance - radius) + radius * 0.85
        blob = tinted(tone, color=sample_color(colors.BOLDS, rng=rng), contrast=0.15)
        image = blended(((radius - distance) * size).astype(np.float32), low=image, high=blob)
    return image


def _strokes(*, size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    image = tinted(
        0.5 * noise("cloud", size=size, rng=rng),
        color=sample_color(colors.WALLS, rng=rng),
        contrast=0.2,
    )
    for _ in range(int(rng.integers(3, 7))):
        field = noise("fog", size=size, rng=rng) + 0.3 * noise("grain", size=size, rng=rng).T
        paint = tinted(
            0.5 * noise("grain", size=size, rng=rng).T,
            color=sample_color(colors.BOLDS, rng=rng),
            contrast=0.3,
        )
        image = blended(
            ((field - rng.uniform(0.4, 1.2)) * 6).astype(np.float32), low=image, high=paint
        )
    return image


def _print(*, size: int, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    tone = 0.3 * noise("speck", size=size, rng=rng)
    paper = tinted(tone, color=sample_color(colors.PAPERS, rng=rng), contrast=0.04)
    ink = tinted(tone, color=sample_color(colors.BOLDS, rng=rng), contrast=0.2)
    name = patterns.MOTIFS[int(rng.integers(len(patterns.MOTIFS)))]
    mask = patterns.motif(name, size=size, rng=rng)
    edge = int(size * rng.uniform(0.06, 0.2))
    mask = mask.copy()
    mask[:edge] = mask[-edge:] = 0
    mask[:, :edge] = mask[:, -edge:] = 0
    return blended(mask, low=paper, high=ink)


def display(rng: np.random.Generator) -> Finish:
    """Draw what a screen shows: windows and lines of text on a soft background, glowing faintly."""
    size = 128
    background = tinted(
        0.6 * noise("fog", size=size, rng=rng),
        color=sample_color(colors.BOLDS, rng=rng),
        contrast=0.3,
    )
    image = background.copy()
    for _ in range(int(rng.integers(1, 4))):
        top, left = rng.integers(4, 60, 2).tolist()
        bottom, right = top + int(rng.integers(30, 60)), left + int(rng.integers(40, 62))
        dark = rng.random() < 0.4
        image[top:bottom, left:right, :3] = 40 if dark else 240
        image[top : top + 4, left:right, :3] = (90, 110, 140)
        for row in range(top + 8, bottom - 3, 4):
            length = int(rng.integers(6, right - left - 4))
            image[row : row + 2, left + 3 : left + 3 + length, :3] = 190 if dark else 90
    return _finish("display", image, roughness=0.1, emission=(0.5, 0.52, 0.56))


def film(rng: np.random.Generator) -> Finish:
    """Draw what a television shows: a landscape, glowing faintly."""
    image = _landscape(size=128, rng=rng)
    return _finish("display", image, roughness=0.1, emission=(0.6, 0.62, 0.66))


def spines(rng: np.random.Generator) -> Finish:
    """Draw an atlas of `SPINE_ROWS` x `SPINE_COLUMNS` book covers with bands and titles."""
    cell_h, cell_w = 64, 32
    count = SPINE_COLUMNS * SPINE_ROWS
    cells = np.full((count, cell_h, cell_w, 4), 255, np.uint8)
    palette = colors.BOLDS + colors.FABRICS
    for cell in cells:
        base, ink = (
            (colors.srgb_from_linear(np.array(sample_color(palette, rng=rng))) * 255).astype(
                np.uint8
            )
            for _ in range(2)
        )
        cell[..., :3] = base
        top, band, left = rng.integers((4, 2, 4), (16, 12, 12)).tolist()
        cell[top : top + band, :, :3] = ink
        cell[cell_h - top - 2 : cell_h - top, :, :3] = ink
        start = top + band + 4
        cell[start : start + 24, left : left + 3, :3] = ink
        cell[start + 3 : start + 19, left + 6 : left + 8, :3] = ink
    atlas = cells.reshape(SPINE_ROWS, SPINE_COLUMNS, cell_h, cell_w, 4)
    image = atlas.transpose(0, 2, 1, 3, 4).reshape(SPINE_ROWS * cell_h, SPINE_COLUMNS * cell_w, 4)
    return _finish("books", np.ascontiguousarray(image), roughness=float(rng.uniform(0.4, 0.8)))


def spine_rects(count: int, *, rng: np.random.Generator) -> np.ndarray:
    """Draw cells of the atlas: (count, 4) of (u0, v0, u1, v1)."""
    cell = rng.integers(SPINE_COLUMNS * SPINE_ROWS, size=count)
    u, v = cell % SPINE_COLUMNS / SPINE_COLUMNS, cell // SPINE_COLUMNS / SPINE_ROWS
    inset = 0.004
    return np.stack(
        [u + inset, v + inset, u + 1 / SPINE_COLUMNS - inset, v + 1 / SPINE_ROWS - inset], axis=1
    )
