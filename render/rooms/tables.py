"""How each kind of room is furnished, from what matters most to what fills the rest."""

from dataclasses import replace

from scenelift.render.rooms.groups import Group, Part

_CHAIRS = ("dining chair", "chair", "wooden chair")
_PLANTS = ("floor plant", "potted plant", "plant")
_PICTURE_ABOVE = Part(kinds=("picture", "picture", "mirror"), at="above", chance=0.55, count=(1, 3))

_BED = Group(
    main=("double bed", "double bed", "double bed", "single bed"),
    models=4,
    anchor="wall",
    centred=0.5,
    side_m=0.55,
    front_m=0.45,
    parts=(
        Part(kinds=("night stand",), at="sides", count=(1, 2), gap_m=(0.03, 0.1), chance=0.95),
        Part(kinds=("rug",), at="rug", chance=0.5),
        Part(kinds=("bench", "ottoman", "chest"), at="foot", chance=0.25, gap_m=(0.03, 0.1)),
        _PICTURE_ABOVE,
    ),
)
_SINGLE_BED = Group(
    models=3,
    main=("single bed", "bunk bed", "single bed"),
    anchor="corner",
    side_m=0.6,
    parts=(
        Part(kinds=("night stand",), at="sides", gap_m=(0.03, 0.08), chance=0.8),
        Part(kinds=("rug",), at="rug", chance=0.5),
        _PICTURE_ABOVE,
    ),
)
_WARDROBE = Group(main=("wardrobe",), anchor="corner", front_m=0.6)
_DRESSER = Group(
    main=("dresser", "chest of drawers", "sideboard"),
    anchor="wall",
    front_m=0.5,
    parts=(Part(kinds=("mirror", "picture"), at="above", chance=0.6),),
)
_SHELF = Group(main=("bookshelf", "bookcase", "shelf"), anchor="wall", front_m=0.45)
_DESK = Group(
    models=2,
    main=("desk",),
    anchor="wall",
    front_m=0.75,
    parts=(
        Part(kinds=("office chair",), at="tucked", gap_m=(-0.2, 0.15), turn_rad=0.6, chance=0.95),
        Part(kinds=("waste bin", "bin"), at="sides", gap_m=(0.05, 0.2), chance=0.5),
        Part(kinds=("picture", "wall shelf", "whiteboard", "clock"), at="above", chance=0.6),
    ),
)
_CHILD_DESK = Group(
    main=("desk",),
    anchor="wall",
    front_m=0.7,
    parts=(
        Part(
            kinds=("office chair", *_CHAIRS),
            at="tucked",
            gap_m=(-0.2, 0.1),
            turn_rad=0.4,
            chance=0.95,
        ),
        Part(kinds=("waste bin", "bin"), at="sides", gap_m=(0.05, 0.2), chance=0.4),
        Part(kinds=("picture", "wall shelf"), at="above", chance=0.6, count=(1, 2)),
    ),
)
_TV = Group(
    models=2,
    main=("tv stand", "sideboard"),
    anchor="wall",
    centred=0.5,
    front_m=1.2,
    parts=(
        Part(kinds=("floor lamp", *_PLANTS), at="sides", chance=0.5, gap_m=(0.1, 0.3)),
        Part(kinds=("picture",), at="above", chance=0.15),
    ),
)
_SOFA = Group(
    models=3,
    main=("sofa", "sofa", "corner sofa"),
    anchor="facing",
    off_wall_m=0.08,
    parts=(
        Part(kinds=("rug",), at="rug", chance=0.7),
        Part(kinds=("coffee table",), at="front", gap_m=(0.32, 0.45), turn_rad=0.05, chance=0.9),
        Part(kinds=("armchair",), at="angled", count=(1, 2), chance=0.6, turn_rad=0.2),
        Part(kinds=("side table", "night stand"), at="sides", chance=0.4),
        Part(kinds=("floor lamp", *_PLANTS), at="sides", chance=0.55, gap_m=(0.05, 0.15)),
        Part(kinds=("picture",), at="above", chance=0.7, count=(1, 3)),
    ),
)
_DINING = Group(
    models=3,
    main=("dining table", "round table"),
    anchor="middle",
    parts=(
        Part(kinds=("rug",), at="rug", chance=0.35),
        Part(
            kinds=_CHAIRS, at="around", count=(2, 8), gap_m=(-0.3, 0.1), turn_rad=0.12, needed=True
        ),
    ),
)
_SMALL_DINING = Group(
    main=("round table", "dining table"),
    anchor="free",
    parts=(Part(kinds=_CHAIRS, at="around", count=(2, 4), gap_m=(-0.3, 0.08), turn_rad=0.15),),
)
_READING = Group(
    main=("armchair",),
    anchor="corner",
    front_m=0.4,
    parts=(
        Part(kinds=("side table", "floor lamp"), at="sides", chance=0.8, gap_m=(0.03, 0.1)),
        Part(kinds=("ottoman",), at="front", chance=0.3, gap_m=(0.1, 0.3)),
    ),
)
_SIDEBOARD = Group(
    main=("sideboard", "dresser"),
    anchor="wall",
    front_m=0.5,
    parts=(Part(kinds=("picture", "mirror"), at="above", chance=0.7, count=(1, 2)),),
)

_PLANT = Group(main=_PLANTS, anchor="corner", chance=0.55, count=(1, 2))
_LAMP = Group(main=("floor lamp",), anchor="corner", chance=0.45)
_PICTURES = Group(
    main=("picture", "picture frame"),
    anchor="hung",
    chance=0.8,
    count=(1, 4),
    height_m=(1.45, 1.65),
)
_CLOCK = Group(main=("wall clock", "clock"), anchor="hung", chance=0.35, height_m=(1.7, 2.0))
_WALL_SHELF = Group(
    main=("wall shelf",), anchor="hung", chance=0.4, count=(1, 2), height_m=(1.45, 1.75)
)
_BIN = Group(main=("waste bin", "bin"), anchor="wall", chance=0.4)
_BASKET = Group(main=("basket", "laundry basket", "storage box"), anchor="wall", chance=0.4)
_COAT_RACK = Group(
    main=("coat rack", "wall hooks"), anchor="hung", chance=0.7, height_m=(1.6, 1.75)
)
_SHOES = Group(main=("shoe rack", "shoe cabinet"), anchor="wall", chance=0.8, front_m=0.4)


def _maybe(group: Group, chance: float) -> Group:
    return replace(group, chance=chance)


ROOMS: dict[str, tuple[Group, ...]] = {
    "living room": (
        _TV,
        _SOFA,
        _maybe(_DINING, 0.45),
        _maybe(replace(_SHELF, count=(1, 2)), 0.8),
        _maybe(_READING, 0.5),
        _maybe(_SIDEBOARD, 0.4),
        _maybe(_DESK, 0.15),
        _PLANT,
        _LAMP,
        _WALL_SHELF,
        _PICTURES,
        _CLOCK,
        _BASKET,
    ),
    "bedroom": (
        _BED,
        _maybe(_WARDROBE, 0.95),
        _maybe(_DRESSER, 0.6),
        _maybe(_DESK, 0.3),
        _maybe(_READING, 0.3),
        _maybe(_SHELF, 0.35),
        _PLANT,
        _maybe(_LAMP, 0.25),
        _WALL_SHELF,
        _PICTURES,
        _maybe(_CLOCK, 0.2),
        _BASKET,
    ),
    "kitchen": (
        _maybe(_SMALL_DINING, 0.75),
        _maybe(_SHELF, 0.25),
        _maybe(_BIN, 0.7),
        _maybe(_PLANT, 0.3),
        _maybe(_PICTURES, 0.5),
        _maybe(_CLOCK, 0.6),
        _maybe(_BASKET, 0.2),
    ),
    "bathroom": (
        Group(main=("bathtub", "shower", "shower cabin"), anchor="corner", front_m=0.5, models=3),
        Group(
            models=3,
            main=("washbasin", "bathroom sink", "vanity"),
            anchor="wall",
            front_m=0.5,
            parts=(Part(kinds=("mirror", "bathroom mirror"), at="above", chance=0.95),),
        ),
        Group(main=("toilet",), anchor="wall", front_m=0.4, models=2),
        Group(main=("bidet",), anchor="wall", front_m=0.35, chance=0.2),
        Group(main=("washing machine",), anchor="corner", front_m=0.4, chance=0.5),
        Group(main=("bathroom cabinet", "shelf", "bookshelf"), anchor="wall", chance=0.4),
        Group(main=("bath mat", "rug"), anchor="free", chance=0.5),
        Group(
            main=("towel rail", "towel rack", "towel"),
            anchor="hung",
            chance=0.9,
            count=(1, 2),
            height_m=(1.1, 1.5),
        ),
        Group(
            main=("laundry basket", "basket", "waste bin"),
            anchor="wall",
            chance=0.7,
            count=(1, 2),
        ),
        _maybe(_PLANT, 0.2),
    ),
    "dining room": (
        _DINING,
        _maybe(_SIDEBOARD, 0.9),
        _maybe(_SHELF, 0.4),
        _maybe(_READING, 0.25),
        _PLANT,
        _LAMP,
        _PICTURES,
        _CLOCK,
    ),
    "office": (
        replace(_DESK, count=(1, 2)),
        _maybe(replace(_SHELF, count=(1, 3)), 0.95),
        _maybe(_READING, 0.4),
        Group(main=("filing cabinet", "dresser"), anchor="wall", chance=0.6, front_m=0.5),
        _maybe(_SMALL_DINING, 0.15),
        _PLANT,
        _LAMP,
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
        Group(main=("toy chest", "chest", "storage box"), anchor="wall", chance=0.5),
        Group(main=("rug",), anchor="middle", chance=0.4),
        _maybe(_PLANT, 0.2),
        _maybe(_LAMP, 0.2),
        _WALL_SHELF,
        replace(_PICTURES, count=(1, 5)),
        _CLOCK,
        _maybe(_BASKET, 0.8),
    ),
    "hallway": (
        _SHOES,
        _COAT_RACK,
        Group(
            main=("console table", "dresser", "sideboard"),
            anchor="wall",
            chance=0.6,
            parts=(Part(kinds=("mirror",), at="above", chance=0.8),),
        ),
        _maybe(_WARDROBE, 0.4),
        Group(main=("bench", "chair", "ottoman"), anchor="wall", chance=0.4),
        Group(main=("rug", "doormat"), anchor="middle", chance=0.6),
        Group(main=("umbrella stand",), anchor="corner", chance=0.3),
        _PLANT,
        _PICTURES,
        _maybe(_CLOCK, 0.3),
    ),
}
"""Groups in the order in which they are tried; `chance` decides whether a room has one at all."""
