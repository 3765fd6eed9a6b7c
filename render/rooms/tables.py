"""How each kind of room is furnished, from what matters most to what fills the rest."""

from dataclasses import replace

from scenelift.render.rooms.groups import Group, Part

_CHAIRS = ("dining chair",)
_PICTURES_ABOVE = Part(kinds=("picture",), at="above", chance=0.55, count=(1, 3))

_BED = Group(
    once=True,
    main=("double bed", "double bed", "double bed", "single bed"),
    anchor="wall",
    models=4,
    centred=0.5,
    front_m=0.45,
    parts=(
        Part(kinds=("night stand",), at="sides", count=(1, 2), gap_m=(0.03, 0.1), chance=0.95),
        Part(kinds=("rug",), at="rug", chance=0.5),
        Part(kinds=("bench", "ottoman", "chest"), at="front", chance=0.3, gap_m=(0.03, 0.1)),
        _PICTURES_ABOVE,
    ),
)
_SINGLE_BED = Group(
    once=True,
    main=("single bed", "bunk bed", "single bed"),
    anchor="corner",
    models=4,
    parts=(
        Part(kinds=("night stand",), at="sides", gap_m=(0.03, 0.08), chance=0.8),
        Part(kinds=("rug",), at="rug", chance=0.5),
        _PICTURES_ABOVE,
    ),
)
_WARDROBE = Group(main=("wardrobe",), anchor="corner", front_m=0.6)
_DRESSER = Group(
    main=("dresser", "cabinet"),
    anchor="wall",
    front_m=0.5,
    parts=(Part(kinds=("mirror", "picture"), at="above", chance=0.7),),
)
_SHELF = Group(main=("bookshelf", "open shelves"), anchor="wall", front_m=0.45)
_DESK = Group(
    main=("desk",),
    anchor="wall",
    models=2,
    front_m=0.75,
    parts=(
        Part(kinds=("office chair",), at="tucked", gap_m=(-0.2, 0.15), turn_rad=0.6, chance=0.95),
        Part(kinds=("bin", "desktop computer"), at="sides", gap_m=(0.05, 0.15), chance=0.6),
        Part(kinds=("picture", "wall shelf", "whiteboard", "clock"), at="above", chance=0.7),
    ),
)
_CHILD_DESK = replace(
    _DESK,
    parts=(
        Part(
            kinds=("office chair", *_CHAIRS),
            at="tucked",
            gap_m=(-0.2, 0.1),
            turn_rad=0.4,
            chance=0.95,
        ),
        Part(kinds=("picture", "wall shelf"), at="above", chance=0.6, count=(1, 2)),
    ),
)
_TV = Group(
    once=True,
    main=("tv stand",),
    anchor="wall",
    models=2,
    centred=0.5,
    front_m=1.2,
    parts=(
        Part(kinds=("wall television",), at="above", chance=0.25),
        Part(kinds=("floor lamp", "plant", "speaker"), at="sides", chance=0.5, gap_m=(0.1, 0.3)),
    ),
)
_SOFA = Group(
    once=True,
    main=("sofa", "sofa", "corner sofa"),
    anchor="facing",
    models=3,
    off_wall_m=0.08,
    parts=(
        Part(kinds=("rug",), at="rug", chance=0.7),
        Part(kinds=("coffee table",), at="front", gap_m=(0.32, 0.45), turn_rad=0.05, chance=0.92),
        Part(kinds=("armchair",), at="angled", count=(1, 2), chance=0.6, turn_rad=0.2),
        Part(kinds=("side table",), at="sides", chance=0.5, count=(1, 2)),
        Part(kinds=("floor lamp", "plant"), at="sides", chance=0.6, gap_m=(0.05, 0.15)),
        Part(kinds=("picture",), at="above", chance=0.7, count=(1, 3)),
    ),
)
_DINING = Group(
    once=True,
    main=("dining table", "dining table", "round table"),
    anchor="middle",
    models=4,
    parts=(
        Part(kinds=("rug",), at="rug", chance=0.35),
        Part(
            kinds=_CHAIRS, at="around", count=(2, 8), gap_m=(-0.3, 0.1), turn_rad=0.12, needed=True
        ),
    ),
)
_SMALL_DINING = Group(
    main=("dining table", "round table"),
    anchor="free",
    models=2,
    parts=(Part(kinds=_CHAIRS, at="around", count=(2, 4), gap_m=(-0.3, 0.08), turn_rad=0.15),),
)
_ISLAND = Group(
    once=True,
    main=("kitchen island",),
    anchor="middle",
    parts=(Part(kinds=("bar stool",), at="around", count=(1, 3), gap_m=(0.03, 0.2), turn_rad=0.5),),
)
_READING = Group(
    main=("armchair",),
    anchor="corner",
    front_m=0.4,
    parts=(
        Part(kinds=("side table", "floor lamp"), at="sides", chance=0.8, gap_m=(0.03, 0.1)),
        Part(kinds=("ottoman",), at="front", chance=0.4, gap_m=(0.1, 0.3)),
    ),
)
_SIDEBOARD = Group(
    main=("cabinet", "dresser", "console"),
    anchor="wall",
    front_m=0.5,
    parts=(Part(kinds=("picture", "mirror"), at="above", chance=0.7, count=(1, 2)),),
)
_BASIN = Group(
    main=("wash basin",),
    anchor="wall",
    models=3,
    front_m=0.5,
    parts=(Part(kinds=("mirror", "mirror", "bathroom cabinet"), at="above", chance=0.97),),
)
_TUB = Group(once=True, main=("bathtub", "shower"), anchor="corner", models=4, front_m=0.5)
_TOILET = Group(once=True, main=("toilet",), anchor="wall", models=2, front_m=0.4)

_PLANT = Group(main=("plant",), anchor="corner", chance=0.6, count=(1, 2))
_LAMP = Group(main=("floor lamp",), anchor="corner", chance=0.45)
_PIANO = Group(once=True, main=("piano",), anchor="wall", front_m=0.6)
_PICTURES = Group(main=("picture",), anchor="hung", chance=0.8, count=(1, 4), height_m=(1.45, 1.65))
_CLOCK = Group(main=("clock",), anchor="hung", chance=0.35, height_m=(1.7, 2.0))
_WALL_SHELF = Group(
    main=("wall shelf",), anchor="hung", chance=0.4, count=(1, 2), height_m=(1.45, 1.75)
)
_WALL_LAMP = Group(
    main=("wall lamp",), anchor="hung", chance=0.25, count=(1, 2), height_m=(1.65, 1.95)
)
_BIN = Group(main=("bin",), anchor="wall", chance=0.4)
_BASKET = Group(main=("basket", "box", "suitcase"), anchor="wall", chance=0.4)


def _maybe(group: Group, chance: float) -> Group:
    return replace(group, chance=chance)


ROOMS: dict[str, tuple[Group, ...]] = {
    "living room": (
        _TV,
        _SOFA,
        _maybe(_DINING, 0.45),
        _maybe(replace(_SHELF, count=(1, 2)), 0.85),
        _maybe(_READING, 0.5),
        _maybe(_SIDEBOARD, 0.45),
        _maybe(_PIANO, 0.12),
        _maybe(_DESK, 0.15),
        _PLANT,
        _LAMP,
        _WALL_SHELF,
        _PICTURES,
        _WALL_LAMP,
        _CLOCK,
        _BASKET,
    ),
    "bedroom": (
        _BED,
        _maybe(_WARDROBE, 0.95),
        _maybe(_DRESSER, 0.6),
        _maybe(Group(main=("cot",), anchor="corner", front_m=0.4), 0.07),
        _maybe(_DESK, 0.3),
        _maybe(_READING, 0.3),
        _maybe(_SHELF, 0.35),
        _PLANT,
        _maybe(_LAMP, 0.25),
        _WALL_SHELF,
        _PICTURES,
        _WALL_LAMP,
        _maybe(_CLOCK, 0.2),
        _BASKET,
    ),
    "kitchen": (
        _maybe(_ISLAND, 0.2),
        _maybe(_SMALL_DINING, 0.75),
        _maybe(Group(main=("high chair",), anchor="free"), 0.08),
        _maybe(_SHELF, 0.25),
        _maybe(_BIN, 0.7),
        _maybe(_PLANT, 0.3),
        _maybe(_WALL_SHELF, 0.3),
        _maybe(_PICTURES, 0.5),
        _maybe(_CLOCK, 0.6),
        _maybe(_BASKET, 0.2),
    ),
    "bathroom": (
        _TUB,
        _BASIN,
        _TOILET,
        _maybe(Group(main=("bidet",), anchor="wall", front_m=0.35), 0.2),
        _maybe(Group(main=("washing machine",), anchor="corner", front_m=0.4), 0.5),
        _maybe(Group(main=("open shelves", "cabinet"), anchor="wall"), 0.4),
        _maybe(Group(main=("bath mat", "rug"), anchor="free"), 0.4),
        Group(main=("towel rail",), anchor="hung", chance=0.95, count=(1, 2), height_m=(1.1, 1.5)),
        Group(main=("toilet paper",), anchor="hung", chance=0.8, height_m=(0.65, 0.8)),
        _maybe(_WALL_LAMP, 0.5),
        Group(main=("basket", "bin", "stool"), anchor="wall", chance=0.8, count=(1, 2)),
        _maybe(_PLANT, 0.2),
        _maybe(_PICTURES, 0.2),
    ),
    "dining room": (
        _DINING,
        _maybe(_SIDEBOARD, 0.9),
        _maybe(_SHELF, 0.4),
        _maybe(_READING, 0.25),
        _maybe(_PIANO, 0.15),
        _PLANT,
        _LAMP,
        _PICTURES,
        _WALL_LAMP,
        _CLOCK,
    ),
    "office": (
        replace(_DESK, count=(1, 2), models=4),
        _maybe(replace(_SHELF, count=(1, 3)), 0.95),
        _maybe(_READING, 0.4),
        Group(
            main=("filing cabinet", "dresser", "cabinet"), anchor="wall", chance=0.7, front_m=0.5
        ),
        _maybe(_SMALL_DINING, 0.15),
        _PLANT,
        _LAMP,
        Group(main=("whiteboard",), anchor="hung", chance=0.4, height_m=(1.4, 1.6)),
        _WALL_SHELF,
        _PICTURES,
        _maybe(_CLOCK, 0.5),
        _BIN,
    ),
    "child room": (
        _SINGLE_BED,
        _maybe(_CHILD_DESK, 0.8),
        _maybe(_WARDROBE, 0.8),
        _maybe(_SHELF, 0.7),
        _maybe(_DRESSER, 0.4),
        Group(main=("toy box", "chest", "box"), anchor="wall", chance=0.7),
        Group(main=("rug",), anchor="middle", chance=0.5),
        _maybe(Group(main=("cot",), anchor="corner", front_m=0.4), 0.1),
        _maybe(_PLANT, 0.2),
        _maybe(_LAMP, 0.2),
        _WALL_SHELF,
        replace(_PICTURES, count=(1, 5)),
        _CLOCK,
        _maybe(_BASKET, 0.8),
    ),
    "hallway": (
        Group(main=("shoe rack", "console"), anchor="wall", chance=0.85, front_m=0.4),
        _maybe(Group(main=("coat rack",), anchor="corner"), 0.5),
        Group(main=("wall hooks",), anchor="hung", chance=0.5, height_m=(1.6, 1.75)),
        Group(
            main=("console", "dresser", "cabinet"),
            anchor="wall",
            chance=0.6,
            parts=(Part(kinds=("mirror",), at="above", chance=0.9),),
        ),
        _maybe(_WARDROBE, 0.4),
        Group(main=("bench", "dining chair", "ottoman", "stool"), anchor="wall", chance=0.5),
        Group(main=("rug", "rug", "doormat"), anchor="middle", chance=0.6),
        _PLANT,
        replace(_PICTURES, count=(1, 5)),
        _maybe(_WALL_LAMP, 0.5),
        _maybe(_CLOCK, 0.3),
    ),
}
"""Groups in the order in which they are tried; `chance` decides whether a room has one at all."""
