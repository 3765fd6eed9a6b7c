"""What lies on which furniture, as a table."""

from scenelift.render.rooms.small_objects import Thing

_BOOKS = ("book", "book stack", "open book")
_DRINKS = ("cup", "drinking glass", "bottle")
_PLANTS = ("small plant", "flowers")
_LAMP = Thing(kinds=("table lamp",), chance=0.75, spread="back", turn_rad=0.3, top=True)

_DINING_TABLE = (
    Thing(kinds=("vase", "fruit", "bowl", "candle", "flowers"), chance=0.8, spread="middle"),
    Thing(kinds=("plate",), chance=0.45, count=(2, 5), spread="front"),
    Thing(kinds=(*_DRINKS, "teapot", "food"), chance=0.75, count=(1, 5)),
    Thing(kinds=(*_BOOKS, "laptop", "newspaper", "paper stack"), chance=0.4, count=(1, 2)),
)
_DRESSER = (
    Thing(kinds=("table lamp", "vase", *_PLANTS), chance=0.75, turn_rad=0.4, top=True),
    Thing(
        kinds=("photo frame", "photo frame", "box", "candle", "alarm clock", "radio"),
        chance=0.8,
        count=(1, 3),
        turn_rad=0.4,
        spread="back",
        top=True,
    ),
    Thing(kinds=(*_BOOKS, "bottle", "bowl", "hat", "teddy"), chance=0.6, count=(1, 3)),
)
_WORKTOP = (
    Thing(
        kinds=("kettle", "toaster", "microwave", "coffee machine", "mixer"),
        chance=0.6,
        spread="back",
        turn_rad=0.25,
        top=True,
    ),
    Thing(
        kinds=("bottle", "jar", "cup", "drinking glass", "soap bottle"),
        chance=0.6,
        count=(1, 4),
        spread="row",
        top=True,
    ),
    Thing(
        kinds=("cutting board", "knife block", "fruit", "bowl", "plate", "pan", "food", "teapot"),
        chance=0.6,
        count=(1, 2),
        turn_rad=0.8,
        top=True,
    ),
)
_SHELVES = (
    Thing(kinds=_BOOKS, chance=0.95, count=(2, 6), spread="row", turn_rad=0.1),
    Thing(kinds=("box", "towel stack"), chance=0.5, count=(1, 3), turn_rad=0.1),
    Thing(
        kinds=("vase", "photo frame", "bowl", "candle", "toy blocks", "teddy", "jar", *_PLANTS),
        chance=0.9,
        count=(2, 5),
        turn_rad=0.4,
    ),
)

THINGS: dict[str, tuple[Thing, ...]] = {
    "night stand": (
        _LAMP,
        Thing(kinds=("phone", "drinking glass", "alarm clock"), chance=0.6, turn_rad=0.5, top=True),
        Thing(kinds=_BOOKS, chance=0.7, count=(1, 2), turn_rad=0.6),
        Thing(kinds=("cup", "bottle", "photo frame"), chance=0.4),
    ),
    "coffee table": (
        Thing(kinds=("vase", "bowl", "fruit", *_PLANTS), chance=0.7, spread="middle", top=True),
        Thing(kinds=(*_BOOKS, "newspaper"), chance=0.8, count=(1, 3), turn_rad=0.8),
        Thing(kinds=(*_DRINKS, "plate"), chance=0.7, count=(1, 3)),
        Thing(kinds=("remote", "phone", "tablet", "laptop"), chance=0.5),
        Thing(kinds=("candle", "box", "toy blocks"), chance=0.3, count=(1, 2)),
    ),
    "side table": (
        Thing(kinds=("table lamp", "vase", *_PLANTS), chance=0.7, spread="middle"),
        Thing(kinds=(*_DRINKS, *_BOOKS), chance=0.7, count=(1, 2)),
    ),
    "dining table": _DINING_TABLE,
    "round table": _DINING_TABLE,
    "desk": (
        Thing(
            kinds=("monitor", "monitor", "laptop"),
            chance=0.95,
            spread="back",
            turn_rad=0.15,
            top=True,
        ),
        Thing(kinds=("keyboard",), chance=0.6, spread="front", turn_rad=0.1, top=True),
        Thing(kinds=("mouse",), chance=0.5, spread="front", turn_rad=0.3, top=True),
        Thing(kinds=("table lamp",), chance=0.7, spread="back", turn_rad=0.5, top=True),
        Thing(kinds=(*_BOOKS, "paper stack"), chance=0.85, count=(1, 4), turn_rad=0.5),
        Thing(kinds=("cup", "drinking glass", "pen holder", "pen holder"), chance=0.7, count=(1, 2)),
        Thing(kinds=("photo frame", "small plant", "box", "printer", "speaker"), chance=0.5),
        Thing(kinds=("phone", "headphones", "tablet"), chance=0.5),
    ),
    "dresser": _DRESSER,
    "cabinet": _DRESSER,
    "console": _DRESSER,
    "chest": _DRESSER,
    "shoe rack": (
        Thing(kinds=("bag", "hat", "vase", "small plant", "box"), chance=0.6, top=True),
        Thing(kinds=("shoes",), chance=0.4, turn_rad=0.2),
    ),
    "filing cabinet": (Thing(kinds=("paper stack", "box", "small plant"), chance=0.8, count=(1, 2)),),
    "piano": (
        Thing(kinds=("photo frame", "open book", "table lamp", "vase"), chance=0.8, count=(1, 3), top=True, turn_rad=0.3),
    ),
    "bookshelf": (
        Thing(kinds=("vase", "box", "photo frame", *_BOOKS), chance=0.9, count=(1, 4), turn_rad=0.2),
        Thing(kinds=(*_PLANTS, "bowl", "candle", "teddy"), chance=0.6, count=(1, 3)),
    ),
    "open shelves": _SHELVES,
    "wall shelf": (
        Thing(kinds=(*_BOOKS, "vase", "photo frame", "candle", "toy blocks", "small plant"), chance=1.0, count=(2, 5), turn_rad=0.3),
    ),
    "tv stand": (
        Thing(
            kinds=("television",),
            chance=0.97,
            spread="middle",
            turn_rad=0.03,
            top=True,
            unless="wall television",
        ),
        Thing(kinds=("speaker",), chance=0.4, count=(2, 2), turn_rad=0.15, top=True),
        Thing(kinds=("small plant", "vase", "photo frame", "candle"), chance=0.5, count=(1, 2), top=True),
        Thing(kinds=("game console", "remote", *_BOOKS), chance=0.6, count=(1, 2), turn_rad=0.2),
    ),
    "kitchen base": _WORKTOP,
    "kitchen island": _WORKTOP,
    "dishwasher": _WORKTOP[1:],
    "stove": (Thing(kinds=("pan", "pan", "kettle"), chance=0.6, count=(1, 2), top=True),),
    "refrigerator": (Thing(kinds=("box", "bowl", "fruit"), chance=0.3, top=True),),
    "wardrobe": (
        Thing(kinds=("box", "suitcase"), chance=0.35, count=(1, 2), turn_rad=0.2, top=True),
    ),
    "washing machine": (
        Thing(kinds=("bottle", "box", "towel stack"), chance=0.7, count=(1, 2), top=True),
    ),
    "wash basin": (
        Thing(kinds=("soap bottle", "toothbrush cup", "drinking glass"), chance=0.95, count=(1, 3), spread="back", top=True),
        Thing(kinds=("towel stack",), chance=0.3),
    ),
    "window": (
        Thing(kinds=(*_PLANTS, "vase"), chance=0.6, count=(1, 3)),
        Thing(kinds=("candle", "bottle", "photo frame", *_BOOKS), chance=0.2, count=(1, 2)),
    ),
    "bench": (Thing(kinds=("cushion", "bag", "towel stack", "book"), chance=0.5, count=(1, 2)),),
    "toilet": (),
    "toy box": (Thing(kinds=("teddy", "toy blocks", "book"), chance=0.8, count=(1, 2), top=True),),
}  # fmt: skip
"""By the kind of what carries them."""

FLOOR_THINGS: dict[str, tuple[str, ...]] = {
    "living room": ("bag", "basket", "book", "cushion", "shoes", "plant", "toy blocks", "ball"),
    "bedroom": ("shoes", "shoes", "bag", "basket", "book", "box", "cushion"),
    "kitchen": ("bin", "basket", "box", "bag", "bottle"),
    "bathroom": ("basket", "bin", "towel stack", "shoes"),
    "dining room": ("plant", "bag", "basket", "box"),
    "office": ("box", "bin", "paper stack", "bag", "book stack", "desktop computer", "box"),
    "child room": ("teddy", "toy blocks", "toy blocks", "ball", "book", "box", "shoes", "basket"),
    "hallway": ("shoes", "shoes", "bag", "basket", "box"),
}
"""What people leave on the floor, by kind of room."""
