"""What a name says an object is: words of node, mesh and material names to NYU40 classes."""

import re
from functools import lru_cache

from scenelift.datasets.nyu40 import nyu40_id

_WORDS: dict[str, str] = {
    "wall": "wall wallinside wallinner walloutside wallouter wallpaper plaster roomskeleton",
    "floor": "floor flooring ground parquet laminate floorenclose",
    "cabinet": "cabinet cupboard wardrobe closet sideboard credenza buffet locker armoire commode vanity",
    "bed": "bed bunk mattress crib cot cradle headboard bedframe",
    "chair": "chair armchair stool seat bench rocker highchair recliner barstool pouf",
    "sofa": "sofa couch settee loveseat futon ottoman chesterfield sectional divan",
    "table": "table coffeetable sidetable endtable diningtable console tabletop",
    "door": "door doorway doorframe gate doorleaf",
    "window": "window pane windowframe windowpane skylight windowsill fakewindow",
    "bookshelf": "bookshelf bookcase bookshelve",
    "picture": "picture painting poster frame photo artwork canvas photograph pictureframe wallart print",
    "counter": "counter countertop worktop kitchenisland island worksurface",
    "blinds": "blind blinds jalousie shutter louver venetian",
    "desk": "desk bureau workstation workbench",
    "shelves": "shelf shelve shelving rack whatnot",
    "curtain": "curtain drape drapery valance sheer",
    "dresser": "dresser chiffonier drawers",
    "pillow": "pillow cushion bolster",
    "mirror": "mirror",
    "floor_mat": "rug carpet mat doormat floormat bathmat runner",
    "clothes": "clothes cloth shirt coat jacket dress shoe shoes hat trousers sock hoodie garment laundry",
    "ceiling": "ceiling ceilingenclose roof",
    "books": "book books magazine textbook novel",
    "refridgerator": "refrigerator refridgerator fridge freezer",
    "television": "television tv tvset telly",
    "paper": "paper document newspaper envelope toiletpaper tissue",
    "towel": "towel",
    "shower_curtain": "showercurtain",
    "box": "box carton crate package",
    "whiteboard": "whiteboard blackboard chalkboard",
    "person": "person human man woman child people figure mannequin",
    "night_stand": "nightstand nighttable bedsidetable",
    "toilet": "toilet wc bidet urinal lavatory",
    "sink": "sink washbasin basin washstand",
    "lamp": "lamp light lightbulb bulb chandelier lampshade luminaire spotlight downlight lantern sconce candelabra torchiere",
    "bathtub": "bathtub tub bath jacuzzi",
    "bag": "bag backpack handbag suitcase luggage purse rucksack",
    "otherstructure": "column pillar beam stair stairs staircase baseboard skirting railing banister fireplace chimney "
    "moulding molding cornice partition fence radiator heater shower showercabin duct pipe ramp step",
    "otherfurniture": "furniture piano hearth cart trolley easel stand hanger coatrack stove oven cooker hob dishwasher washer "
    "dryer washingmachine hood",
    "otherprop": "vase plant flower bottle jar cup mug plate bowl glassware decoration ornament statue sculpture toy ball clock "
    "computer monitor laptop keyboard mouse printer phone telephone speaker microwave toaster kettle pan pot fan ventilator "
    "candle basket bin trashcan bucket guitar doll teddy tray knife fork spoon remote projector camera radio stereo globe "
    "machine tool soap dispenser extinguisher umbrella game tree cactus foliage fruit food tap faucet switch outlet socket "
    "blanket quilt duvet",
}  # fmt: skip
_CLASS = {word: nyu40_id(name) for name, words in _WORDS.items() for word in words.split()}

_PARTS = frozenset(
    [
        "door",
        "doors",
        "drawer",
        "drawers",
        "handle",
        "handles",
        "knob",
        "knobs",
        "leg",
        "legs",
        "frame",
        "frames",
        "top",
        "base",
        "back",
        "arm",
        "arms",
        "seat",
        "shade",
        "shades",
        "glass",
        "rod",
        "rods",
        "holder",
        "cover",
        "sheet",
        "pillar",
        "lid",
        "body",
        "feet",
        "foot",
        "side",
        "panel",
        "hinge",
        "support",
        "post",
        "cloth",
        "step",
    ]
)
"""A part of what the words before it name: the door of a cabinet is cabinet."""

_STRUCTURE = frozenset(
    nyu40_id(name) for name in ("wall", "floor", "ceiling", "door", "window", "otherstructure")
)
_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def words_of(name: str) -> tuple[str, ...]:
    """Cut a name into lower-case words: at capitals, digits and punctuation.

    >>> words_of("LivingRoom__tall_cabinet-02.001")
    ('living', 'room', 'tall', 'cabinet')
    """
    return tuple(word.lower() for word in _SPLIT.findall(name[:200]))


def _known(word: str) -> int:
    """Class of a word, in the singular or in the plural; 0 if unknown."""
    for ending, replacement in (("", ""), ("s", ""), ("es", ""), ("ves", "f"), ("ies", "y")):
        if word.endswith(ending):
            stem = word[: len(word) - len(ending)] + replacement
            if stem in _CLASS:
                return _CLASS[stem]
    return 0


@lru_cache(maxsize=65_536)
def _meaning(name: str) -> tuple[int, str]:
    """Class of a name, and the words that say it."""
    words = words_of(name)
    found, said = 0, ""
    index = 0
    while index < len(words):
        pair = _known("".join(words[index : index + 2])) if index + 1 < len(words) else 0
        word = words[index]
        value = pair or _known(word)
        if value and not (found and not pair and word in _PARTS):
            found, said = value, " ".join(words[index : index + 2]) if pair else word
        index += 2 if pair else 1
    return found, said


def matched_words(name: str) -> str:
    """Return the words of a name that say its class; "" if none does.

    >>> matched_words("living_room__base board_9"), matched_words("Cube.001")
    ('base board', '')
    """
    return _meaning(name)[1]


def semantic_of(name: str) -> int:
    """Find the NYU40 class that a name means, 0 if none.

    Two words written apart count as one where that is known ("night stand"); of several objects the last counts, as in
    "table lamp"; but a part belongs to what stands before it, as in "cabinet door".

    >>> [semantic_of(name) for name in ("chair_fmx_4", "table lamp", "cabinet_door_01", "NightStand.3", "Cube.001")]
    [5, 35, 3, 32, 0]
    """
    return _meaning(name)[0]


def is_structure(semantic: int) -> bool:
    """Tell whether a class is part of the building: wall, floor, ceiling, door, window, other structure.

    >>> is_structure(nyu40_id("floor")), is_structure(nyu40_id("sofa"))
    (True, False)
    """
    return semantic in _STRUCTURE


def semantic_from(*names: str) -> int:
    """Find the class of an object by its names, the most telling first; 0 if none says anything.

    >>> semantic_from("Cube.001", "sofa fabric")
    6
    """
    return next((semantic for name in names if (semantic := semantic_of(name))), 0)
