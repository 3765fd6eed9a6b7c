"""Parametric furniture: `build("armchair", rng=rng, palette=make_palette(rng))`.

Every builder draws proportions and style from `rng` and takes its finishes from a `Palette`, so that the furniture of a
room belongs together and shares textures. The same state of `rng` and the same palette give the same bytes.
"""

from collections.abc import Callable

import numpy as np

from scenelift.render.furniture.builders import (
    bathroom,
    beds,
    books,
    decor,
    electronics,
    household,
    kitchen,
    kitchenware,
    lamps,
    plants,
    seating,
    small,
    sofas,
    storage,
    tables,
    tableware,
    toiletries,
    toys,
)
from scenelift.render.furniture.palette import Palette, make_palette
from scenelift.render.scene import Furniture

__all__ = ["KINDS", "Palette", "build", "make_palette"]

_BUILDERS: dict[str, Callable[..., Furniture]] = {
    "sofa": sofas.sofa,
    "corner sofa": sofas.corner_sofa,
    "armchair": sofas.armchair,
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
    "ottoman": household.ottoman,
    "wall lamp": household.wall_lamp,
    "spots": household.spots,
    "chandelier": household.chandelier,
    "piano": household.piano,
    "shoe rack": household.shoe_rack,
    "coat rack": household.coat_rack,
    "high chair": household.high_chair,
    "toy box": household.toy_box,
    "kitchen base": kitchen.kitchen_base,
    "kitchen island": kitchen.kitchen_island,
    "kitchen sink": kitchen.kitchen_sink,
    "wall cabinet": kitchen.wall_cabinet,
    "hood": kitchen.hood,
    "stove": kitchen.stove,
    "dishwasher": kitchen.dishwasher,
    "refrigerator": kitchen.refrigerator,
    "washing machine": kitchen.washing_machine,
    "toilet": bathroom.toilet,
    "wash basin": bathroom.wash_basin,
    "bathtub": bathroom.bathtub,
    "shower": bathroom.shower,
    "towel rail": bathroom.towel_rail,
    "bathroom cabinet": bathroom.bathroom_cabinet,
    "mirror": decor.mirror,
    "picture": decor.picture,
    "clock": decor.clock,
    "rug": decor.rug,
    "curtain": decor.curtain,
    "blinds": decor.blinds,
    "whiteboard": decor.whiteboard,
    "wall shelf": decor.wall_shelf,
    "radiator": decor.radiator,
    "photo frame": decor.photo_frame,
    "television": electronics.television,
    "wall television": electronics.wall_television,
    "desktop computer": electronics.desktop_computer,
    "monitor": electronics.monitor,
    "laptop": electronics.laptop,
    "keyboard": electronics.keyboard,
    "mouse": electronics.mouse,
    "phone": electronics.phone,
    "speaker": electronics.speaker,
    "game console": electronics.game_console,
    "printer": electronics.printer,
    "plant": plants.plant,
    "small plant": plants.small_plant,
    "flowers": plants.flowers,
    "basket": small.basket,
    "bin": small.bin_,
    "bag": small.bag,
    "shoes": small.shoes,
    "ball": toys.ball_toy,
    "book": books.book,
    "book stack": books.book_stack,
    "open book": books.open_book,
    "paper stack": books.paper_stack,
    "box": small.box_carton,
    "cushion": small.cushion,
    "towel stack": small.towel_stack,
    "toy blocks": toys.toy_blocks,
    "teddy": toys.teddy,
    "pen holder": books.pen_holder,
    "vase": tableware.vase,
    "bowl": tableware.bowl,
    "fruit": tableware.fruit,
    "plate": tableware.plate_dish,
    "cup": tableware.cup,
    "drinking glass": tableware.drinking_glass,
    "bottle": tableware.bottle,
    "teapot": tableware.teapot,
    "kettle": kitchenware.kettle,
    "pan": kitchenware.pan,
    "toaster": kitchenware.toaster,
    "microwave": kitchenware.microwave,
    "coffee machine": kitchenware.coffee_machine,
    "cutting board": kitchenware.cutting_board,
    "knife block": kitchenware.knife_block,
    "candle": tableware.candle,
    "soap bottle": toiletries.soap_bottle,
    "toothbrush cup": toiletries.toothbrush_cup,
    "toilet paper": toiletries.toilet_paper,
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
