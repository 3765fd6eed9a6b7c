"""What lies on which furniture, as a table."""

from scenelift.render.rooms.small_objects import Thing

_BOOKS = ("books", "book stack", "book row", "book")
_PLANT = ("small plant", "potted plant", "plant", "cactus", "succulent")
_LAMP = Thing(kinds=("table lamp",), chance=0.75, spread="back", turn_rad=0.3, top=True)

THINGS: dict[str, tuple[Thing, ...]] = {
    "night stand": (
        _LAMP,
        Thing(kinds=("alarm clock", "clock", "phone", "glass"), chance=0.6, turn_rad=0.5, top=True),
        Thing(kinds=_BOOKS, chance=0.7, count=(1, 2), turn_rad=0.6),
        Thing(kinds=("glass", "mug", "cup", "bottle"), chance=0.4),
    ),
    "coffee table": (
        Thing(kinds=("vase", "bowl", "fruit bowl", *_PLANT), chance=0.7, spread="middle", top=True),
        Thing(kinds=(*_BOOKS, "magazine"), chance=0.8, count=(1, 3), turn_rad=0.8),
        Thing(kinds=("mug", "cup", "glass", "plate", "bottle"), chance=0.7, count=(1, 3)),
        Thing(kinds=("remote", "remote control", "game controller", "tablet"), chance=0.6),
        Thing(kinds=("candle", "box", "basket"), chance=0.3, count=(1, 2)),
    ),
    "side table": (
        Thing(kinds=("table lamp",), chance=0.6, spread="middle"),
        Thing(kinds=("mug", "glass", *_BOOKS, *_PLANT), chance=0.7, count=(1, 2)),
    ),
    "dining table": (
        Thing(kinds=("vase", "fruit bowl", "bowl", "candle"), chance=0.8, spread="middle"),
        Thing(kinds=("plate", "place setting"), chance=0.45, count=(2, 5), spread="front"),
        Thing(
            kinds=("mug", "glass", "bottle", "cup", "jug", "teapot"), chance=0.75, count=(1, 5)
        ),
        Thing(kinds=(*_BOOKS, "laptop", "magazine", "newspaper", "bag"), chance=0.4, count=(1, 2)),
    ),
    "desk": (
        Thing(
            kinds=("monitor", "laptop", "monitor"),
            chance=0.95,
            spread="back",
            turn_rad=0.15,
            top=True,
        ),
        Thing(kinds=("keyboard",), chance=0.6, spread="front", turn_rad=0.1, top=True),
        Thing(kinds=("mouse",), chance=0.5, spread="front", turn_rad=0.3, top=True),
        Thing(kinds=("desk lamp", "table lamp"), chance=0.7, spread="back", turn_rad=0.5, top=True),
        Thing(kinds=(*_BOOKS, "paper stack", "notebook"), chance=0.85, count=(1, 4), turn_rad=0.5),
        Thing(kinds=("mug", "glass", "pen holder", "pencil cup", "bottle"), chance=0.7, count=(1, 3)),
        Thing(kinds=("picture frame", "small plant", "plant", "box", "printer"), chance=0.5),
        Thing(kinds=("paper", "phone", "headphones", "tablet"), chance=0.5, count=(1, 2)),
    ),
    "dresser": (
        Thing(kinds=("table lamp", "vase", *_PLANT), chance=0.7, turn_rad=0.4, top=True),
        Thing(kinds=("picture frame", "box", "candle", "clock"), chance=0.7, count=(1, 3), turn_rad=0.5),
        Thing(kinds=(*_BOOKS, "bottle", "bowl", "hat"), chance=0.5, count=(1, 3)),
    ),
    "bookshelf": (
        Thing(kinds=(*_BOOKS, "vase", "box", "picture frame"), chance=0.9, count=(2, 6), turn_rad=0.2),
        Thing(kinds=(*_PLANT, "bowl", "clock", "candle", "toy"), chance=0.6, count=(1, 3)),
    ),
    "open shelves": (
        Thing(kinds=_BOOKS, chance=0.95, count=(3, 9), spread="row", turn_rad=0.08),
        Thing(kinds=("box", "basket", "storage box"), chance=0.6, count=(1, 3), turn_rad=0.1),
        Thing(
            kinds=("vase", "picture frame", "bowl", "clock", "candle", "toy", *_PLANT),
            chance=0.9,
            count=(2, 5),
            turn_rad=0.5,
        ),
    ),
    "tv stand": (
        Thing(
            kinds=("television", "tv", "flat tv"), chance=0.97, spread="middle", turn_rad=0.03, top=True
        ),
        Thing(kinds=("speaker",), chance=0.4, count=(2, 2), turn_rad=0.15, top=True),
        Thing(kinds=(*_PLANT, "vase", "picture frame", "candle"), chance=0.5, count=(1, 2), top=True),
        Thing(kinds=("game console", "set-top box", "remote", *_BOOKS), chance=0.6, count=(1, 2), turn_rad=0.2),
    ),
    "kitchen base": (
        Thing(
            kinds=("kettle", "toaster", "microwave", "coffee machine", "mixer", "blender"),
            chance=0.55,
            spread="back",
            turn_rad=0.3,
            top=True,
        ),
        Thing(
            kinds=("bottle", "jar", "spice rack", "utensil holder", "cup", "mug", "glass"),
            chance=0.6,
            count=(1, 4),
            spread="row",
            top=True,
        ),
        Thing(
            kinds=("cutting board", "knife block", "fruit bowl", "bowl", "plate stack", "plate", "pot"),
            chance=0.5,
            turn_rad=0.8,
            top=True,
        ),
    ),
    "stove": (Thing(kinds=("pot", "pan", "kettle", "frying pan"), chance=0.6, count=(1, 2), top=True),),
    "refrigerator": (Thing(kinds=("box", "basket", "bowl"), chance=0.25, top=True),),
    "wardrobe": (Thing(kinds=("box", "suitcase", "storage box", "basket"), chance=0.35, count=(1, 2), turn_rad=0.2, top=True),),
    "washing machine": (Thing(kinds=("bottle", "basket", "box", "towel stack", "towels"), chance=0.6, count=(1, 2), top=True),),
    "vanity": (
        Thing(kinds=("soap dispenser", "toothbrush cup", "cup", "bottle"), chance=0.9, count=(1, 3), spread="back"),
        Thing(kinds=("towel stack", "towels", "tissue box"), chance=0.3),
    ),
    "wall shelf": (
        Thing(kinds=(*_BOOKS, "vase", "picture frame", "box", "candle", "toy", *_PLANT), chance=1.0, count=(2, 5), turn_rad=0.3),
    ),
    "window": (
        Thing(kinds=(*_PLANT, "vase"), chance=0.6, count=(1, 3)),
        Thing(kinds=("candle", "bottle", "picture frame", *_BOOKS), chance=0.2, count=(1, 2)),
    ),
    "bench": (Thing(kinds=("pillow", "cushion", "bag", "basket"), chance=0.5, count=(1, 2)),),
    "floor": (
        Thing(kinds=("toy", "ball", "bag", "shoes", "slippers", "box", "book", "books"), chance=0.5),
    ),
}  # fmt: skip
for _name, _like in (
    ("round table", "dining table"),
    ("kitchen island", "kitchen base"),
    ("cabinet", "dresser"),
    ("sideboard", "dresser"),
    ("console", "dresser"),
    ("console table", "dresser"),
    ("bookcase", "open shelves"),
    ("shelf", "open shelves"),
    ("shoe rack", "dresser"),
    ("shoe cabinet", "dresser"),
    ("filing cabinet", "dresser"),
    ("bathroom cabinet", "vanity"),
):
    THINGS[_name] = THINGS[_like]
"""By the kind of what carries them."""
