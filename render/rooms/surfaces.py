"""Procedural materials for rooms and furniture: `make_material("wood", rng=rng)`.

Texture coordinates: shapes and walls are built with u and v in metres and divide them by `texture_period_m(family)`, so
that a texture (which repeats at every whole number) covers that many metres a side. Wood grain, boards and stripes run
along v. A texture carries the colour itself; `base_color` is then white.

Emission: `Material.emission` is radiance in W / (sr m^2) on a scale on which the sky is about 1. A lamp that shall do as
much as a window of a square metre has a radiance of one over its visible area: 5 to 30 for shades and panels, up to 80
for small bulbs.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import UInt8

from scenelift.render.rooms.materials import colors, patterns
from scenelift.render.rooms.materials.colors import sample_color, tinted
from scenelift.render.rooms.materials.noise import Tone, noise
from scenelift.render.scene import Color, Material, Texture

Family: TypeAlias = Literal[
    "wood", "parquet", "laminate", "tile", "carpet", "rug", "print", "plaster", "paint", "wallpaper", "fabric", "leather",
    "marble", "stone", "brick", "metal", "chrome", "ceramic", "lacquer", "plastic", "glass", "mirror", "paper", "foliage",
    "wicker", "soil",
]  # fmt: skip
"""What a surface is made of. parquet and laminate are floors of boards, lacquer is painted furniture, paint a smooth wall."""

FAMILIES: tuple[Family, ...] = get_args(Family)

_PERIODS_M: dict[Family, float] = {
    "wood": 1.0, "parquet": 1.6, "laminate": 1.8, "tile": 1.2, "carpet": 0.8, "rug": 1.2, "print": 0.5, "plaster": 1.6, "paint": 1.6,
    "wallpaper": 0.64, "fabric": 0.4, "leather": 0.5, "marble": 1.4, "stone": 0.45, "brick": 1.0, "metal": 0.3,
    "chrome": 1.0, "ceramic": 1.0, "lacquer": 1.0, "plastic": 0.3, "glass": 1.0, "mirror": 1.0, "paper": 0.4,
    "foliage": 0.3, "wicker": 0.25, "soil": 0.3,
}  # fmt: skip

_PALETTES: dict[Family, tuple[str, ...]] = {
    "wood": colors.WOODS, "parquet": colors.WOODS, "laminate": colors.WOODS, "tile": colors.TILES,
    "carpet": colors.FABRICS, "rug": colors.FABRICS, "print": colors.FABRICS, "plaster": colors.WALLS, "paint": colors.WALLS,
    "wallpaper": colors.WALLS, "fabric": colors.FABRICS, "leather": colors.LEATHERS, "marble": colors.STONES,
    "stone": colors.STONES, "brick": colors.BRICKS, "metal": ("a9aaab", "c4c4c4", "8d8e90", "2e2f31", "e8e8e6", "b08d57", "6b6c6e"),
    "chrome": ("d8dadc",), "ceramic": ("f5f5f2", "f2f0ea", "e8e6e0"), "lacquer": (*colors.WALLS, "2f3235", "4a5560"),
    "plastic": colors.PLASTICS, "glass": ("eef4f2",), "mirror": ("e6e8e8",), "paper": colors.PAPERS,
    "foliage": colors.FOLIAGES, "wicker": ("b98f5a", "a37844", "cfae7f", "7a5a3a", "e0d2b5"), "soil": ("3a2c20", "4a3828"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Finish:
    """A material and how many metres its texture covers."""

    material: Material
    period_m: float = 1.0


def texture_period_m(family: Family) -> float:
    """Return the metres that one repeat of a family's textures covers, by which metric coordinates are divided.

    >>> texture_period_m("tile")
    1.2
    """
    return _PERIODS_M[family]


def make_material(
    family: Family, *, rng: np.random.Generator, color: Color | None = None
) -> Material:
    """Make a material with a seamless texture (or none, where none would be seen).

    Args:
        family: What it is made of.
        rng: Draws colour, pattern and gloss.
        color: Linear mean reflectance; None: one that interiors have.
    """
    picked = sample_color(_PALETTES[family], rng=rng) if color is None else color
    match family:
        case "wood":
            image = _wood(picked, rng=rng)
            return _textured(family, image, roughness=rng.uniform(0.25, 0.55))
        case "parquet" | "laminate":
            image = _floor_boards(family, picked, rng=rng)
            return _textured(family, image, roughness=rng.uniform(0.18, 0.45))
        case "tile":
            return _textured(family, _tile(picked, rng=rng), roughness=rng.uniform(0.06, 0.35))
        case "carpet":
            return _textured(family, _carpet(picked, rng=rng), roughness=1.0)
        case "rug":
            return _textured(family, _rug(picked, rng=rng), roughness=1.0)
        case "print":
            return _textured(family, _print(picked, rng=rng), roughness=0.95)
        case "plaster" | "paint":
            image = _plaster(picked, rng=rng, strength=1.0 if family == "plaster" else 0.35)
            return _textured(family, image, roughness=rng.uniform(0.7, 0.95))
        case "wallpaper":
            image = _wallpaper(picked, rng=rng)
            return _textured(family, image, roughness=rng.uniform(0.6, 0.9))
        case "fabric":
            return _textured(family, _fabric(picked, rng=rng), roughness=0.95)
        case "leather":
            image = _leather(picked, rng=rng)
            return _textured(family, image, roughness=rng.uniform(0.35, 0.55))
        case "marble":
            image = _marble(picked, rng=rng)
            return _textured(family, image, roughness=rng.uniform(0.05, 0.2))
        case "stone":
            image = _stone(picked, rng=rng)
            return _textured(family, image, roughness=rng.uniform(0.15, 0.6))
        case "brick":
            return _textured(family, _brick(picked, rng=rng), roughness=0.9)
        case "paper" | "soil":
            tone = 0.35 * noise("speck", size=256, rng=rng) + 0.2 * noise(
                "cloud", size=256, rng=rng
            )
            contrast = 0.06 if family == "paper" else 0.5
            image = tinted(tone, color=picked, contrast=contrast)
            return _textured(family, image, roughness=0.95)
        case "foliage":
            image = tinted(
                0.5 * noise("grain", size=128, rng=rng), color=picked, contrast=0.35, warmth=-0.1
            )
            return _textured(family, image, roughness=rng.uniform(0.4, 0.7))
        case "wicker":
            tone = patterns.cloth(size=256, rng=rng, thread_px=16)
            image = tinted(tone, color=picked, contrast=0.45, warmth=0.1)
            return _textured(family, image, roughness=0.8)
        case "metal":
            tone = np.float32(0.3) * noise("brushed", size=256, rng=rng)
            return Material(
                name=family,
                base_color=(1.0, 1.0, 1.0),
                texture=Texture(pixels=tinted(tone, color=picked, contrast=0.06)),
                metallic=1.0 if rng.random() < 0.7 else 0.0,
                roughness=float(rng.uniform(0.25, 0.5)),
            )
        case _:
            return _plain(family, picked, rng=rng)


def make_finish(family: Family, *, rng: np.random.Generator, color: Color | None = None) -> Finish:
    """Make a material together with the period of its texture; see `make_material`."""
    material = make_material(family, rng=rng, color=color)
    return Finish(material=material, period_m=texture_period_m(family))


def _plain(family: Family, color: Color, *, rng: np.random.Generator) -> Material:
    """Make a material whose structure is too fine or too smooth to be seen."""
    match family:
        case "chrome":
            return Material(name=family, base_color=color, metallic=1.0, roughness=0.12)
        case "mirror":
            return Material(name=family, base_color=color, metallic=1.0, roughness=0.02)
        case "glass":
            return Material(name=family, base_color=color, roughness=0.02, transmission=0.92)
        case "ceramic":
            return Material(name=family, base_color=color, roughness=0.1)
        case _:
            return Material(name=family, base_color=color, roughness=float(rng.uniform(0.2, 0.6)))


def _textured(family: Family, image: UInt8[np.ndarray, "h w 4"], *, roughness: float) -> Material:
    return Material(
        name=family,
        base_color=(1.0, 1.0, 1.0),
        texture=Texture(pixels=image),
        roughness=float(roughness),
    )


def _wood(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    tone = patterns.wood(size=256, rng=rng)
    return tinted(tone, color=color, contrast=rng.uniform(0.15, 0.38), warmth=0.12)


def _floor_boards(
    family: Family, color: Color, *, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 4"]:
    size = 512
    style = rng.random()
    gap = 2.0 if family == "parquet" else 1.2
    if family == "parquet" and style < 0.35:
        cells = patterns.herringbone(
            size=size, ratio=4, repeats=int(rng.integers(2, 4)) // 2 + 1, gap=gap
        )
    elif family == "parquet" and style < 0.5:
        cells = _basket(size=size, gap=gap)
    else:
        rows = int(rng.integers(8, 17))
        cells = patterns.boards(
            size=size, rows=rows, per_row=int(rng.integers(1, 4)), rng=rng, gap=gap
        )
    field = patterns.wood(size=size, rng=rng, rings=int(rng.integers(20, 40)))
    tone = np.float32(0.6) * patterns.cut_from(field, cells=cells, rng=rng)
    tone = tone + patterns.per_cell(cells, rng=rng, spread=rng.uniform(0.1, 0.4))
    tone = tone - np.float32(rng.uniform(0.8, 1.6)) * cells.joint
    return tinted(tone, color=color, contrast=rng.uniform(0.18, 0.32), warmth=0.1)


def _basket(*, size: int, gap: float) -> patterns.Cells:
    """Lay squares of four strips, turned from square to square."""
    lengthwise = patterns.tiles(size=size, rows=4, columns=16, stagger=0.0, gap=gap)
    crosswise = patterns.tiles(size=size, rows=16, columns=4, stagger=0.0, gap=gap)
    rows, columns = np.indices((size, size), sparse=True)
    turned = ((rows * 4 // size + columns * 4 // size) % 2).astype(np.int32)
    return patterns.Cells(
        index=np.where(turned == 1, 64 + crosswise.index, lengthwise.index),
        joint=np.where(turned == 1, crosswise.joint, lengthwise.joint),
        turned=turned,
    )


def _tile(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 512
    rows, columns, stagger = (
        (2, 2, 0.0), (4, 4, 0.0), (4, 4, 0.5), (6, 6, 0.0), (8, 8, 0.0), (4, 2, 0.5), (12, 6, 0.5), (24, 24, 0.0),
    )[int(rng.integers(8))]  # fmt: skip
    gap = max(2.0, rng.uniform(3.0, 6.0) / (1 + columns / 8))
    cells = patterns.tiles(size=size, rows=rows, columns=columns, stagger=stagger, gap=gap)
    look = rng.random()
    if look < 0.25:
        field = np.float32(0.9) - np.float32(1.6) * patterns.veins(size=size, rng=rng)
        tone = patterns.cut_from(field, cells=cells, rng=rng) * np.float32(0.5)
    else:
        tone = np.float32(0.3 if look < 0.7 else 0.08) * noise("cloud", size=size, rng=rng)
    tone = tone + patterns.per_cell(cells, rng=rng, spread=rng.uniform(0.02, 0.3))
    image = tinted(tone, color=color, contrast=rng.uniform(0.08, 0.2))
    if stagger == 0.0 and rng.random() < 0.25 and rows < 24:
        second = sample_color(_PALETTES["tile"], rng=rng)
        other = tinted(tone, color=second, contrast=0.12)
        image = colors.blended(cells.turned.astype(np.float32), low=image, high=other)
    grout = colors.shifted(color, value=rng.uniform(0.55, 1.15), saturation=0.5)
    mortar = tinted(0.4 * noise("white", size=size, rng=rng), color=grout, contrast=0.08)
    return colors.blended(cells.joint, low=image, high=mortar)


def _carpet(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    pile = noise("speck", size=size, rng=rng)
    tone = np.float32(0.45) * pile + np.float32(0.15) * noise("cloud", size=size, rng=rng)
    style = rng.random()
    if style < 0.3:
        tone = tone + np.float32(0.5) * patterns.cloth(size=size, rng=rng, thread_px=8)
    elif style < 0.45:
        tone = tone + np.float32(0.6) * (patterns.motif("pinstripes", size=size, rng=rng) - 0.2)
    return tinted(tone, color=color, contrast=rng.uniform(0.15, 0.35))


def _rug(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    pile = np.float32(0.4) * noise("speck", size=size, rng=rng)
    image = tinted(pile, color=color, contrast=0.2)
    for _ in range(int(rng.integers(1, 4))):
        second = tinted(pile, color=sample_color(colors.BOLDS, rng=rng), contrast=0.2)
        name = patterns.MOTIFS[int(rng.integers(len(patterns.MOTIFS)))]
        image = colors.blended(patterns.motif(name, size=size, rng=rng), low=image, high=second)
    return image


def _plaster(
    color: Color, *, rng: np.random.Generator, strength: float
) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    tone = 0.3 * noise("cloud", size=size, rng=rng) + 0.2 * noise("speck", size=size, rng=rng)
    tone = np.float32(strength) * (tone + 0.15 * noise("blotch", size=size, rng=rng))
    return tinted(tone.astype(np.float32), color=color, contrast=0.06)


def _wallpaper(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    fibre = (0.3 * noise("speck", size=size, rng=rng)).astype(np.float32)
    image = tinted(fibre, color=color, contrast=0.04)
    name = patterns.MOTIFS[int(rng.integers(len(patterns.MOTIFS)))]
    mask = patterns.motif(name, size=size, rng=rng)
    if rng.random() < 0.7:
        second = colors.shifted(
            color, value=rng.choice([0.8, 0.88, 0.93, 1.08]), saturation=rng.uniform(1.0, 1.8)
        )
    else:
        second = sample_color(colors.FABRICS, rng=rng)
    motif = tinted(fibre, color=second, contrast=0.04)
    return colors.blended(mask * np.float32(rng.uniform(0.5, 1.0)), low=image, high=motif)


def _fabric(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    weave = patterns.cloth(size=size, rng=rng, thread_px=4)
    tone = np.float32(0.55) * weave + np.float32(0.08) * noise("cloud", size=size, rng=rng)
    tone = tone + np.float32(rng.uniform(0.0, 0.3)) * noise("white", size=size, rng=rng)
    return tinted(tone, color=color, contrast=rng.uniform(0.1, 0.25))


def _print(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    """Print one or two motifs on a weave."""
    size = 256
    weave = np.float32(0.4) * patterns.cloth(size=size, rng=rng, thread_px=2)
    image = tinted(weave, color=color, contrast=0.15)
    for _ in range(int(rng.integers(1, 3))):
        if rng.random() < 0.5:
            ink = colors.shifted(color, value=rng.choice([0.6, 0.8, 1.25, 1.5]))
        else:
            ink = sample_color(colors.FABRICS, rng=rng)
        name = patterns.MOTIFS[int(rng.integers(len(patterns.MOTIFS)))]
        mask = patterns.motif(name, size=size, rng=rng)
        image = colors.blended(mask, low=image, high=tinted(weave, color=ink, contrast=0.15))
    return image


def _leather(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    cells = np.abs(noise("speck", size=size, rng=rng))
    tone = 0.5 - np.exp(-3 * cells) + 0.2 * noise("cloud", size=size, rng=rng)
    return tinted(tone.astype(np.float32), color=color, contrast=0.16)


def _marble(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    vein = patterns.veins(size=size, rng=rng) + np.float32(0.5) * patterns.veins(size=size, rng=rng)
    tone = np.float32(0.2) * noise("cloud", size=size, rng=rng) - np.float32(1.1) * vein
    return tinted(tone + np.float32(0.2), color=color, contrast=rng.uniform(0.2, 0.45))


def _stone(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    tone: Tone = np.float32(0.35) * noise("speck", size=size, rng=rng)
    tone = tone + np.float32(0.35) * noise("white", size=size, rng=rng).clip(-1, 3)
    tone = tone + np.float32(0.25) * noise("cloud", size=size, rng=rng)
    return tinted(tone, color=color, contrast=rng.uniform(0.1, 0.4))


def _brick(color: Color, *, rng: np.random.Generator) -> UInt8[np.ndarray, "h w 4"]:
    size = 256
    cells = patterns.tiles(size=size, rows=14, columns=4, stagger=0.5, gap=3.0)
    tone = patterns.per_cell(cells, rng=rng, spread=0.4)
    tone = tone + np.float32(0.25) * noise("blotch", size=size, rng=rng)
    tone = tone + np.float32(0.2) * noise("white", size=size, rng=rng)
    image = tinted(tone, color=color, contrast=0.3, warmth=0.05)
    mortar = tinted(
        0.4 * noise("white", size=size, rng=rng),
        color=colors.shifted(color, value=1.15, saturation=0.25),
        contrast=0.1,
    )
    return colors.blended(cells.joint, low=image, high=mortar)
