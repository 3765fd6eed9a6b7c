"""The 40 indoor classes of NYU Depth v2 (Gupta et al., CVPR 2013), and 0 for everything unknown."""

NYU40_NAMES: tuple[str, ...] = (
    "void", "wall", "floor", "cabinet", "bed", "chair", "sofa", "table", "door", "window", "bookshelf",
    "picture", "counter", "blinds", "desk", "shelves", "curtain", "dresser", "pillow", "mirror", "floor_mat",
    "clothes", "ceiling", "books", "refridgerator", "television", "paper", "towel", "shower_curtain", "box",
    "whiteboard", "person", "night_stand", "toilet", "sink", "lamp", "bathtub", "bag",
    "otherstructure", "otherfurniture", "otherprop",
)  # fmt: skip
"""Names by id, in the spelling of the data set (`refridgerator`); 0 is void."""

NYU13_NAMES: tuple[str, ...] = (
    "void", "bed", "books", "ceiling", "chair", "floor", "furniture", "objects", "picture", "sofa", "table", "tv", "wall", "window",
)  # fmt: skip
"""The 13 classes of Couprie et al. (ICLR 2013) by id; 0 is void."""
NYU40_TO_13: tuple[int, ...] = (
    0, 12, 5, 6, 1, 4, 9, 10, 12, 13, 6, 8, 6, 13, 10, 6, 13, 6, 7, 7, 5, 7, 3, 2, 6, 11, 7, 7, 7, 7, 7, 7, 6, 7, 7, 7, 7, 7,
    7, 6, 7,
)  # fmt: skip
"""The 13-class id of each NYU40 id, as Handa et al. published it with SceneNet (ICRA 2016)."""

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
