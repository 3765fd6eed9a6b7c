"""What belongs together in a room, as tables: the words in which layout rules are written."""

from dataclasses import dataclass
from typing import Literal

Where = Literal[
    "sides",
    "front",
    "tucked",
    "around",
    "angled",
    "foot",
    "rug",
    "above",
]
"""Where a part goes, in the frame of the group's main object, whose front looks along +z:

sides: beside it, backs in line; front: before it, looking the same way; tucked: a chair before it, pushed a little under; around: chairs at the sides of a table; angled: at its
front corners, turned towards the middle; foot: before it along its width; rug: flat on the floor before or below it;
above: on the wall over it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Something that comes with the main object of a group."""

    kinds: tuple[str, ...]
    """One is drawn from those that the source offers."""
    at: Where
    chance: float = 1.0
    count: tuple[int, int] = (1, 1)
    gap_m: tuple[float, float] = (0.02, 0.06)
    """Distance from the main object's side; negative pushes under."""
    turn_rad: float = 0.0
    """Most that the part is turned out of its direction."""
    needed: bool = False
    """Without it the whole group is given up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A main object, where it goes, and what comes with it."""

    main: tuple[str, ...]
    anchor: Literal["wall", "corner", "middle", "facing", "free", "hung"]
    """hung: on a wall at `height_m`; facing: before the last "tv" group, looking at it."""
    parts: tuple[Part, ...] = ()
    chance: float = 1.0
    count: tuple[int, int] = (1, 1)
    front_m: float = 0.0
    """Depth of the zone before it that stays free of other groups."""
    side_m: float = 0.0
    """Width of the zones to its left and right that stay free of other groups, at least one of them."""
    centred: float = 0.0
    """Chance to stand in the middle of its wall."""
    height_m: tuple[float, float] = (1.3, 1.7)
    """Height of the middle of what hangs."""
    off_wall_m: float = 0.03
    """Most that its back is off the wall, beyond the skirting."""
    once: bool = False
    """Whether even a large room has but one."""
    models: int = 1
    """How many main objects are tried until one finds a place; more for what a room cannot be without."""
