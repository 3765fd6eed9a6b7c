"""The 40 indoor classes of NYU Depth v2 (Gupta et al., CVPR 2013), and 0 for everything unknown."""

NYU40_NAMES: tuple[str, ...] = (
    "void", "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf",
    "picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor_mat",
    "clothes", "ceiling", "books", "refridgerator", "television", "paper", "towel", "shower_curtain", "box",
    "whiteboard", "person", "night_stand", "toilet", "sink", "lamp", "bathtub", "bag",
    "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip
"""Names by id, in the spelling of the data set (`refridgerator`); 0 is void."""

_IDS = {name: index for index, name in enumerate(NYU40_NAMES)}


def nyu40_id(name: str) -> int:
    """Return the id of a NYU40 class name.

    >>> nyu40_id("wall"), nyu40_id("otherprop"), nyu40_id("void")
    (1, 40, 0)

    Raises:
        ValueError: if there is no class of that name.
    """
    if name not in _IDS:
        raise ValueError(f"{name!r} is not a NYU40 class; known are {', '.join(NYU40_NAMES)}")
    return _IDS[name]
