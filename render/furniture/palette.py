"""The finishes that the furniture of one room shares."""

from dataclasses import dataclass

import numpy as np

from scenelift.render.furniture import pictures
from scenelift.render.rooms.materials import colors
from scenelift.render.rooms.materials.colors import color_of, sample_color
from scenelift.render.rooms.surfaces import Family, Finish, make_finish, make_material
from scenelift.render.scene import Color, Material


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Palette:
    """What the things in one room are made of; objects share these materials and their textures."""

    wood: Finish
    """Tables, frames, legs."""
    wood_second: Finish
    body: Finish
    """Fronts of cabinets: painted or wood."""
    counter: Finish
    """Worktops: stone, wood or marble."""
    fabric: Finish
    """Large upholstery."""
    fabric_second: Finish
    accent: Finish
    """Cushions and throws: patterned or strong."""
    bedding: Finish
    bedding_second: Finish
    sheet: Finish
    """White linen."""
    leather: Finish
    curtain: Finish
    rug: Finish
    towel: Finish
    metal: Finish
    """Frames, handles, feet."""
    chrome: Finish
    steel: Finish
    """Appliances."""
    white: Finish
    """White lacquer and plastic."""
    black: Finish
    screen: Finish
    """A dark glossy panel."""
    ceramic: Finish
    glass: Finish
    mirror: Finish
    paper: Finish
    cardboard: Finish
    wicker: Finish
    foliage: Finish
    soil: Finish
    pot: Finish
    glow: Finish
    """A lamp's panel, dish or globe."""
    shade: Finish
    """A cloth or paper shade, lit from within."""
    bulb: Finish
    """A small bright source."""
    spines: Finish
    """An atlas of 4 x 8 book covers."""
    displays: tuple[Finish, ...]
    """Screens that show something; texture coordinates in [0, 1]."""
    film: Finish
    """What a television shows."""
    paintings: tuple[Finish, ...]
    """Pictures; texture coordinates in [0, 1]."""
    bolds: tuple[Finish, ...]
    """Plain colours for small things."""
    handle_style: int
    """Of the kitchen: 0 bars, 1 knobs, 2 strips."""
    framed: bool
    """Whether the kitchen's fronts have frames."""


def solid(color: Color, *, roughness: float = 0.5, metallic: float = 0.0) -> Finish:
    """Make a finish of one colour without texture.

    >>> solid((0.5, 0.1, 0.1)).material.roughness
    0.5
    """
    return Finish(
        material=Material(name="solid", base_color=color, roughness=roughness, metallic=metallic)
    )


def glowing(color: Color, *, radiance: float) -> Finish:
    """Make a finish that emits light: `color` scaled so that its largest channel is `radiance` in W / (sr m^2)."""
    top = max(color)
    red, green, blue = (radiance * channel / top for channel in color)
    return Finish(
        material=Material(
            name="glow", base_color=(0.8, 0.8, 0.78), roughness=0.9, emission=(red, green, blue)
        )
    )


def white_light(kelvin: float) -> Color:
    """Return the colour of a lamp between 2500 and 6500 K, its largest channel 1 (a fit to the black body's sRGB).

    >>> [round(channel, 2) for channel in white_light(2700.0)]
    [1.0, 0.5, 0.2]
    """
    t = (np.clip(kelvin, 2500.0, 6500.0) - 2700.0) / 3800.0
    return 1.0, float(0.5 + 0.5 * t**0.8) if t > 0 else 0.5, float(0.2 + 0.8 * max(t, 0.0))


def make_palette(rng: np.random.Generator) -> Palette:
    """Draw the finishes of one room."""

    def one(*families: Family) -> Finish:
        return make_finish(families[int(rng.integers(len(families)))], rng=rng)

    def plain(code: str, *, roughness: float) -> Finish:
        return solid(color_of(code), roughness=roughness)

    wood = one("wood")
    white = plain("f1f0ec", roughness=0.35)
    warm = white_light(float(rng.uniform(2700, 5000)))
    metal = (one("metal"), plain("232426", roughness=0.45), plain("e9e8e4", roughness=0.4))
    body = (white, one("lacquer"), wood, one("wood"))[int(rng.choice(4, p=[0.35, 0.3, 0.2, 0.15]))]
    return Palette(
        wood=wood,
        wood_second=one("wood"),
        body=body,
        counter=one("stone", "marble", "wood", "stone"),
        fabric=one("fabric"),
        fabric_second=one("fabric"),
        accent=one("print", "fabric"),
        bedding=one("print", "fabric", "print"),
        bedding_second=one("fabric", "print"),
        sheet=make_finish("fabric", rng=rng, color=(0.78, 0.77, 0.74)),
        leather=one("leather"),
        curtain=one("fabric", "fabric", "print"),
        rug=one("rug", "carpet"),
        towel=Finish(material=make_material("carpet", rng=rng), period_m=0.25),
        metal=metal[int(rng.choice(3, p=[0.4, 0.4, 0.2]))],
        chrome=one("chrome"),
        steel=make_finish("metal", rng=rng, color=color_of("b9babb")),
        white=white,
        black=plain("1d1e20", roughness=0.4),
        screen=plain("08090b", roughness=0.08),
        ceramic=one("ceramic"),
        glass=one("glass"),
        mirror=one("mirror"),
        paper=one("paper"),
        cardboard=make_finish("paper", rng=rng, color=color_of("b08f66")),
        wicker=one("wicker"),
        foliage=one("foliage"),
        soil=one("soil"),
        pot=solid(sample_color(colors.TILES, rng=rng), roughness=float(rng.uniform(0.2, 0.9))),
        glow=glowing(warm, radiance=float(rng.uniform(8, 20))),
        shade=glowing(warm, radiance=float(rng.uniform(2.5, 7))),
        bulb=glowing(warm, radiance=float(rng.uniform(30, 70))),
        spines=pictures.spines(rng),
        displays=(pictures.display(rng), pictures.display(rng)),
        film=pictures.film(rng),
        paintings=tuple(pictures.painting(rng) for _ in range(4)),
        bolds=tuple(
            solid(sample_color(colors.BOLDS, rng=rng), roughness=float(rng.uniform(0.15, 0.7)))
            for _ in range(6)
        ),
        handle_style=int(rng.integers(3)),
        framed=bool(rng.random() < 0.35),
    )
