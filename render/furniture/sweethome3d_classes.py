"""What the names in Sweet Home 3D catalogues mean: kind in the layout's words, NYU40 class, and where it is mounted."""

import re
from dataclasses import dataclass
from typing import Literal

Mount = Literal["floor", "wall", "ceiling", "surface"]

SKIPPED_CATEGORIES = frozenset(
    {"characters", "people", "exterior", "doors and windows", "staircases", "vehicles"}
)
"""Not furniture of rooms."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Meaning:
    """What a catalogue entry is."""

    kind: str
    """"" if the layout has no use for it."""
    semantic: str
    """Name of the NYU40 class."""
    mount: Mount = "floor"


_RULES: tuple[tuple[str, str, str, Mount], ...] = (
    # seats
    (r"corner sofa", "corner sofa", "sofa", "floor"),
    (r"piano bench", "stool", "chair", "floor"),
    (r".*\b(sofa|couch)\b.*", "sofa", "sofa", "floor"),
    (r"armchair ottoman", "", "chair", "floor"),
    (r".*armchair", "armchair", "chair", "floor"),
    (r"bar (chair|stool)", "bar stool", "chair", "floor"),
    (r"stool", "stool", "chair", "floor"),
    (r"puff", "ottoman", "otherfurniture", "floor"),
    (r"(child(ren)?|baby high) chair", "", "chair", "floor"),
    (r"(.* )?chair( with cushion)?", "dining chair", "chair", "floor"),
    (r"class seat", "", "chair", "floor"),
    (r"bench", "bench", "chair", "floor"),
    # beds
    (r"bunk bed", "bunk bed", "bed", "floor"),
    (r"(baby bed|crib)", "cot", "bed", "floor"),
    (r"(child|captain's|day|hospital) bed", "single bed", "bed", "floor"),
    (r"mezzanine bed|air mattress|futon|sleeping bag|opened convertible.*", "", "bed", "floor"),
    (r"(iron )?bed", "double bed", "bed", "floor"),
    # tables
    (r"coffee table", "coffee table", "table", "floor"),
    (r"bedside table", "night stand", "night_stand", "floor"),
    (r"round table|oak table", "round table", "table", "floor"),
    (r"(pool|football|technical|changing|bar|folding) table|table tennis|flipper", "", "table", "floor"),
    (r"children table", "", "table", "floor"),
    (r"dressing table", "", "dresser", "floor"),
    (r"desk table|wooden desk|desk", "desk", "desk", "floor"),
    (r"table tennis bat|table fan", "", "otherprop", "surface"),
    (r"table on trestles|table with tablecloth", "dining table", "table", "floor"),
    (r"(.* )?table", "dining table", "table", "floor"),
    # storage
    (r"wardrobe", "wardrobe", "cabinet", "floor"),
    (r"(full )?bookcase", "bookshelf", "bookshelf", "floor"),
    (r"(vertical )?shelves", "open shelves", "shelves", "floor"),
    (r"dresser.*|cupboard", "dresser", "dresser", "floor"),
    (r"chest", "chest", "dresser", "floor"),
    (r"filing cabinet", "filing cabinet", "cabinet", "floor"),
    (r"tv stand", "tv stand", "cabinet", "floor"),
    (r"television cabinet|contemporary living room", "", "cabinet", "floor"),
    (r"shoe.* (rack|cabinet)", "shoe rack", "shelves", "floor"),
    # kitchen
    (r"(drawers|lower|small lower) cabinet", "kitchen base", "cabinet", "floor"),
    (r"sink cabinet", "kitchen sink", "sink", "floor"),
    (r"island( extension)?", "kitchen island", "counter", "floor"),
    (r"(small upper|upper|glass door) cabinet|upper shelves cabinet", "wall cabinet", "cabinet", "wall"),
    (r"range hood", "hood", "otherfurniture", "wall"),
    (r"(high|lower corner|upper corner) cabinet|hood|sink|chest freezer", "", "cabinet", "floor"),
    (r"large stove|propane stove", "stove", "otherfurniture", "floor"),
    (r"(large )?fridge|refrigerator", "refrigerator", "refridgerator", "floor"),
    (r"(clothes )?washing machine|dryer machine", "washing machine", "otherfurniture", "floor"),
    (r"oven|double oven|cooktop|stove|induction.*|cooker|small oven", "", "otherfurniture", "floor"),
    (r"microwave", "microwave", "otherprop", "surface"),
    (r"toaster|sandwich maker|bread box", "toaster", "otherprop", "surface"),
    (r"coffee (maker|machine|brewer)", "coffee machine", "otherprop", "surface"),
    (r"blender|mixer", "mixer", "otherprop", "surface"),
    (r"boiler|espresso kettle", "kettle", "otherprop", "surface"),
    (r"teapot", "teapot", "otherprop", "surface"),
    (r"large pan", "pan", "otherprop", "surface"),
    (r"knife stand", "knife block", "otherprop", "surface"),
    (r"chopping board", "cutting board", "otherprop", "surface"),
    (r"utensils pot|paper towel holder|spice tower|old jar|pottery", "jar", "otherprop", "surface"),
    (r"bowl with (fruits|salad)|apples", "fruit", "otherprop", "surface"),
    (r"bowl", "bowl", "otherprop", "surface"),
    (r"(oval )?plate|plate, .*", "plate", "otherprop", "surface"),
    (r"(coffee )?(mug|cup)|plastic cup", "cup", "otherprop", "surface"),
    (r"(beer |cocktail )?glass", "drinking glass", "otherprop", "surface"),
    (r"(beer|wine|yogurt|medicine) bottle|bottle|milk|flacon|spray bottle", "bottle", "otherprop", "surface"),
    (r"bread|butter|birthday cake|roasted chicken|steak|sushi tray|hamburger|french fries|tray", "food", "otherprop", "surface"),
    (r"bullet trash can|dustbin|recycling bin", "bin", "otherprop", "floor"),
    # bathroom
    (r"bath", "bathtub", "bathtub", "floor"),
    (r"(corner|island).* ?bath(tub)?", "", "bathtub", "floor"),
    (r"shower stall", "shower", "otherfurniture", "floor"),
    (r"toilets unit", "toilet", "toilet", "floor"),
    (r"bidet", "bidet", "otherfurniture", "floor"),
    (r"vanity", "wash basin", "sink", "floor"),
    (r"washbasin", "wash basin", "sink", "floor"),
    (r"bathmat", "bath mat", "floor_mat", "floor"),
    (r"clothes basket", "basket", "otherprop", "floor"),
    (r"towel rack", "towel rail", "towel", "wall"),
    (r"toilet paper dispenser", "", "otherprop", "wall"),
    (r"soap", "soap bottle", "otherprop", "surface"),
    (r"cosmetics pot", "jar", "otherprop", "surface"),
    (r"towel", "towel stack", "towel", "surface"),
    # lamps
    (r"ceiling lamp", "ceiling lamp", "lamp", "ceiling"),
    (r"hanging light", "pendant", "lamp", "ceiling"),
    (r"desk lamp|little lamp|pedestal vase lamp", "table lamp", "lamp", "surface"),
    (r"lamp", "lamp", "lamp", "surface"),
    (r"candle", "candle", "otherprop", "surface"),
    # screens, sound
    (r"tv 16:9|tv", "television", "television", "surface"),
    (r"wall flat tv", "", "television", "wall"),
    (r"apple imac.*", "monitor", "otherprop", "surface"),
    (r"laptop|apple ibook", "laptop", "otherprop", "surface"),
    (r"inkjet printer.*", "printer", "otherprop", "surface"),
    (r"(wireless )?phone", "phone", "otherprop", "surface"),
    (r"tablet", "tablet", "otherprop", "surface"),
    (r"headphones", "headphones", "otherprop", "surface"),
    (r"speaker", "speaker", "otherprop", "surface"),
    (r"tv remote control", "remote", "otherprop", "surface"),
    (r"playstation|dvd player", "game console", "otherprop", "surface"),
    (r"radio|mini stereo|mp3 (base|station)|stereo amplifier", "radio", "otherprop", "surface"),
    # plants
    (r"(little|succulent|spider) plant|cactus|bonsai tree|orchids|white lily|tulips|bamboo", "small plant", "otherprop", "surface"),
    (r"flowers", "small plant", "otherprop", "surface"),
    (r"ficus|yucca|spathiphyllum|(indoor |decorative )?plant", "plant", "otherprop", "floor"),
    (r"vase", "vase", "otherprop", "surface"),
    # small things
    (r"book", "book", "books", "surface"),
    (r"newspaper", "newspaper", "paper", "surface"),
    (r"clock", "alarm clock", "otherprop", "surface"),
    (r"frame .*", "photo frame", "picture", "surface"),
    (r"penbox", "pen holder", "otherprop", "surface"),
    (r"letter tray", "paper stack", "otherprop", "surface"),
    (r"gift", "box", "box", "surface"),
    (r"cardboard box|crate", "box", "box", "surface"),
    (r"suitcase|briefcase", "suitcase", "bag", "floor"),
    (r"handbag|backpack", "bag", "bag", "surface"),
    (r"cap|hat|folded clothes", "hat", "clothes", "surface"),
    (r"sneakers|slippers|mocassin|bootie|woman shoes", "shoes", "clothes", "floor"),
    (r"teddy bear|wood toy|toy train|car model|biplane|doll|rubik's cube|xylophone|puzzle", "toy", "otherprop", "surface"),
    (r"basketball|soccer ball", "ball", "otherprop", "floor"),
    (r"chessboard", "", "otherprop", "surface"),
    # flat and hung
    (r"oriental rug|round carpet", "rug", "floor_mat", "floor"),
    (r"doormat", "doormat", "floor_mat", "floor"),
    (r"wall hanger", "wall hooks", "otherprop", "wall"),
    (r"cuckoo clock", "clock", "otherprop", "wall"),
    (r"upright piano", "piano", "otherfurniture", "floor"),
    (r"fireplace", "", "otherstructure", "floor"),
    (r"radiator", "", "otherfurniture", "floor"),
    (r"curtain", "", "curtain", "wall"),
    (r"window blind", "", "blinds", "wall"),
    (r"white board", "", "whiteboard", "floor"),
)  # fmt: skip
"""The first pattern that is the whole name wins."""

_COMPILED: tuple[tuple[re.Pattern[str], str, str, Mount], ...] = tuple(
    (re.compile(pattern), kind, semantic, mount) for pattern, kind, semantic, mount in _RULES
)

_LIMITS_M: dict[str, tuple[tuple[float, float], tuple[float, float], tuple[float, float]]] = {
    "dining chair": ((0.35, 0.75), (0.6, 1.2), (0.35, 0.8)),
    "dining table": ((0.75, 2.4), (0.65, 0.85), (0.6, 1.25)),
    "round table": ((0.6, 1.3), (0.65, 0.85), (0.6, 1.3)),
    "coffee table": ((0.5, 1.5), (0.25, 0.6), (0.4, 1.0)),
    "desk": ((0.9, 2.0), (0.65, 1.2), (0.4, 1.0)),
    "sofa": ((1.2, 2.6), (0.6, 1.1), (0.6, 1.2)),
    "bookshelf": ((0.4, 2.2), (0.8, 2.3), (0.2, 0.5)),
    "open shelves": ((0.3, 1.6), (0.6, 2.2), (0.2, 0.5)),
    "bench": ((0.6, 1.6), (0.3, 0.9), (0.2, 0.7)),
    "night stand": ((0.3, 0.7), (0.3, 0.75), (0.25, 0.6)),
    "ceiling lamp": ((0.1, 1.0), (0.02, 0.4), (0.1, 1.0)),
    "pendant": ((0.1, 0.9), (0.2, 1.0), (0.1, 0.9)),
    "plant": ((0.2, 1.0), (0.4, 1.9), (0.2, 1.0)),
    "small plant": ((0.05, 0.45), (0.05, 0.6), (0.05, 0.45)),
    "rug": ((0.5, 2.6), (0.001, 0.04), (0.5, 2.6)),
    "vase": ((0.05, 0.3), (0.1, 0.45), (0.05, 0.3)),
    "wash basin": ((0.4, 1.3), (0.7, 1.0), (0.3, 0.75)),
    "box": ((0.2, 0.65), (0.15, 0.65), (0.2, 0.65)),
    "alarm clock": ((0.03, 0.2), (0.03, 0.2), (0.02, 0.2)),
    "television": ((0.4, 1.3), (0.3, 0.8), (0.03, 0.4)),
    "kitchen island": ((0.6, 1.4), (0.8, 1.0), (0.5, 1.3)),
    "hood": ((0.5, 0.95), (0.1, 0.7), (0.25, 0.6)),
    "wall cabinet": ((0.3, 1.1), (0.4, 0.9), (0.25, 0.45)),
}
"""Width, height, depth within which a thing of a kind can stand where the layout puts it."""


def classify(
    name: str, *, category: str, size_m: tuple[float, float, float], elevation_m: float
) -> Meaning | None:
    """Say what a catalogue entry is.

    Args:
        name: As in the catalogue, in English.
        category: As in the catalogue.
        size_m: Width, height, depth.
        elevation_m: Height above the floor at which the catalogue hangs it.

    Returns:
        None for people, exteriors, doors, windows, stairs and vehicles; an empty kind for what no room asks for.

    >>> classify("Bedside table", category="Bedroom", size_m=(0.5, 0.5, 0.4), elevation_m=0.0).kind
    'night stand'
    """
    if category.strip().lower() in SKIPPED_CATEGORIES:
        return None
    text = name.strip().lower()
    for pattern, kind, semantic, mount in _COMPILED:
        if pattern.fullmatch(text):
            kind, mount = _by_size(kind, mount, size_m=size_m, category=category.lower())
            if not _plausible(kind, size_m) or (
                mount in ("floor", "surface") and elevation_m > 0.05
            ):
                kind = ""
            return Meaning(kind=kind, semantic=semantic, mount=mount)
    return Meaning(kind="", semantic="otherprop")


def _by_size(
    kind: str, mount: Mount, *, size_m: tuple[float, float, float], category: str
) -> tuple[str, Mount]:
    """Tell apart what shares a name."""
    width, height, _ = size_m
    if kind == "lamp":
        return ("floor lamp", "floor") if height > 0.9 else ("table lamp", "surface")
    if kind == "dining chair" and category == "office":
        return "office chair", mount
    if kind == "armchair" and category == "office":
        return "office chair", mount
    if kind == "double bed" and width < 1.25:
        return "single bed", mount
    if kind == "dining table" and height < 0.56:
        return "coffee table", mount
    if kind == "plant" and height < 0.45:
        return "small plant", "surface"
    return kind, mount


def _plausible(kind: str, size_m: tuple[float, float, float]) -> bool:
    limits = _LIMITS_M.get(kind)
    return limits is None or all(
        low <= size <= high for size, (low, high) in zip(size_m, limits, strict=True)
    )
