"""Parametric furniture: `build("armchair", rng=rng, palette=make_palette(rng))`.

Every builder draws proportions and style from `rng` and takes its finishes from a `Palette`, so that the furniture of a
room belongs together and shares textures. The same state of `rng` and the same palette give the same bytes.
"""

from collections.abc import Callable

import numpy as np

from scenelift.render.furniture.builders import beds, lamps, seating, storage, tables
from scenelift.render.furniture.palette import Palette, make_palette
from scenelift.render.scene import Furniture

__all__ = ["KINDS", "Palette", "build", "make_palette"]

_BUILDERS: dict[str, Callable[..., Furniture]] = {
    "sofa": seating.sofa,
    "corner sofa": seating.corner_sofa,
    "armchair": seating.armchair,
    "dining chair": seating.dining_chair,
    "office chair": seating.office_chair,
    "stool": seating.stool,
    "bar stool": seating.bar_stool,
    "bench": seating.bench,
    "dining table": tables.dining_table,
    "coffee table": tables.coffee_table,
    "side table": tables.side_table,
    "console": tables.console,
    "desk": tables.desk,
    "single bed": beds.single_bed,
    "double bed": beds.double_bed,
    "bunk bed": beds.bunk_bed,
    "cot": beds.cot,
    "wardrobe": storage.wardrobe,
    "dresser": storage.dresser,
    "night stand": storage.night_stand,
    "cabinet": storage.cabinet,
    "bookshelf": storage.bookshelf,
    "open shelves": storage.open_shelves,
    "tv stand": storage.tv_stand,
    "floor lamp": lamps.floor_lamp,
    "table lamp": lamps.table_lamp,
    "ceiling lamp": lamps.ceiling_lamp,
    "pendant": lamps.pendant,
}

KINDS: tuple[str, ...] = tuple(_BUILDERS)
"""Every kind that `build` knows."""


def build(kind: str, *, rng: np.random.Generator, palette: Palette) -> Furniture:
    """Build one object.

    Args:
        kind: One of `KINDS`.
        rng: Draws proportions, style and the choice among the palette's finishes.
        palette: The room's finishes.

    Raises:
        ValueError: if the kind is unknown.
    """
    if kind not in _BUILDERS:
        raise ValueError(f"unknown kind of furniture {kind!r}; known are {', '.join(KINDS)}")
    return _BUILDERS[kind](rng=rng, palette=palette)
