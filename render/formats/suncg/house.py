"""The content of SUNCG's `house.json`: levels of rooms, objects, boxes and ground, checked and typed.

House frame: right-handed, y up, in units of `scale` metres. Transforms are written column by column.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from scenelift.render.formats import json_fields as fields
from scenelift.render.formats.json_fields import JsonObject
from scenelift.render.scene import Color, SceneError

MAX_NODES = 200_000
MAX_LEVELS = 10_000
"""Sears Tower has 110. Both bound the work that a hostile file can ask for."""

Part = Literal["floor", "ceiling", "wall"]

ROOM_KINDS = (
    "living room", "kitchen", "bedroom", "child room", "dining room", "bathroom", "toilet", "hall", "hallway",
    "office", "guest room", "wardrobe", "room", "lobby", "storage", "boiler room", "balcony", "loggia", "terrace",
    "entryway", "passenger elevator", "freight elevator", "aeration", "garage", "gym",
)  # fmt: skip
"""The room types that SUNCG knows; spelled `Living_Room` in the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """What a node says about the material at the same position of its model; None leaves that part alone."""

    texture: str | None
    """Name below `texture/`, without its suffix."""
    diffuse: Color | None
    """sRGB in [0, 1]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RoomNode:
    """A room; its geometry is in the house frame."""

    id: str
    model: str
    kind: str
    """One of `ROOM_KINDS`, else the file's own word in lower case; "" without any."""
    members: tuple[int, ...]
    """Positions of its objects in the level."""
    hidden: frozenset[Part]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ObjectNode:
    """A model at a place."""

    id: str
    model: str
    T_house_object: Float[np.ndarray, "4 4"]
    overrides: tuple[Override, ...]
    state: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BoxNode:
    """A box, centred at its own origin."""

    id: str
    size: Float[np.ndarray, "3"]
    T_house_object: Float[np.ndarray, "4 4"]
    overrides: tuple[Override, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroundNode:
    """The ground around the house, in the house frame."""

    id: str
    model: str


HouseNode = RoomNode | ObjectNode | BoxNode | GroundNode


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Level:
    """A storey."""

    id: str
    nodes: tuple[HouseNode | None, ...]
    """None stands where a node is not valid or not usable, so that positions keep their meaning."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class House:
    """A house as its file describes it."""

    id: str
    scale: float
    """Metres for one unit of length."""
    levels: tuple[Level, ...]
    warnings: tuple[str, ...]


def parse_house(document: object, *, where: str) -> House:
    """Check and type a parsed `house.json`.

    Args:
        document: What the JSON parser made of the file.
        where: The file, for messages.

    Raises:
        SceneError: if a key is missing, or a value has a wrong type, is NaN or out of bounds.
    """
    root = fields.as_object(document, where=where)
    scale = fields.number(root, "scaleToMeters", where=where, default=1.0)
    if not 1e-6 <= scale <= 1e6:
        raise SceneError(f"{where}: 'scaleToMeters' is {scale}; it must be positive and sensible")
    if not isinstance(root.get("levels"), list):
        raise SceneError(f"{where}: key 'levels' is missing or no list; is this a house.json?")
    faults: list[tuple[str, str]] = []
    levels: list[Level] = []
    count = 0
    for place, value in fields.objects(root, "levels", where=where):
        count += len(fields.items(value, "nodes", where=place))
        if len(levels) >= MAX_LEVELS or count > MAX_NODES:
            raise SceneError(f"{where}: more than {MAX_LEVELS} levels or {MAX_NODES} nodes")
        if fields.flag(value, "valid", where=place, default=True):
            levels.append(_level(value, index=len(levels), where=place, faults=faults))
    return House(
        id=fields.text(root, "id", where=where, default=""),
        scale=scale,
        levels=tuple(levels),
        warnings=count_faults(faults),
    )


def count_faults(faults: list[tuple[str, str]]) -> tuple[str, ...]:
    """Sum up (fault, where) pairs, a line for each kind of fault, in the order of their first appearance.

    >>> count_faults([("missing model", "a"), ("bad lamp", "x"), ("missing model", "b")])
    ('missing model: 2 (a, b)', 'bad lamp: 1 (x)')
    """
    places: dict[str, list[str]] = {}
    for fault, place in faults:
        places.setdefault(fault, []).append(place)
    return tuple(
        f"{fault}: {len(found)} ({', '.join(found[:5])}{', ...' if len(found) > 5 else ''})"
        for fault, found in places.items()
    )


def room_kind(types: list[str]) -> str:
    """Return the kind of a room from its types: the first one known, else the first one.

    >>> room_kind(["Living_Room", "Kitchen"]), room_kind(["Den", "GYM"]), room_kind([])
    ('living room', 'gym', '')
    """
    words = [" ".join(kind.lower().replace("_", " ").split()) for kind in types]
    return next((kind for kind in words if kind in ROOM_KINDS), words[0] if words else "")


def parse_color(value: object, *, where: str) -> Color:
    """Parse "#rrggbb" into sRGB in [0, 1].

    >>> parse_color("#ff0080", where="")
    (1.0, 0.0, 0.5019607843137255)

    Raises:
        SceneError: if it is no such string.
    """
    digits = value.removeprefix("#") if isinstance(value, str) else ""
    if len(digits) == 3:
        digits = "".join(2 * digit for digit in digits)
    if len(digits) != 6 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise SceneError(f"{where}: a colour must read '#rrggbb', but is {fields.describe(value)}")
    red, green, blue = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    return red, green, blue


def parse_overrides(
    parent: JsonObject, *, where: str, faults: list[tuple[str, str]]
) -> tuple[Override, ...]:
    """Parse a node's `materials`; a colour that cannot be read counts as a fault and changes nothing.

    Raises:
        SceneError: if it is no list of objects, or a texture's name is no string.
    """
    overrides = []
    for place, value in fields.objects(parent, "materials", where=where):
        texture = fields.text(value, "texture", where=place, default="") or None
        diffuse = None
        if value.get("diffuse") not in (None, ""):
            try:
                diffuse = parse_color(value["diffuse"], where=place)
            except SceneError:
                faults.append(("colours that do not read '#rrggbb' are ignored", place))
        overrides.append(Override(texture=texture, diffuse=diffuse))
    return tuple(overrides)


def _level(value: JsonObject, *, index: int, where: str, faults: list[tuple[str, str]]) -> Level:
    nodes = tuple(
        _node(node, where=place, faults=faults)
        for place, node in fields.objects(value, "nodes", where=where)
    )
    return Level(id=fields.text(value, "id", where=where, default=str(index)), nodes=nodes)


def _node(value: JsonObject, *, where: str, faults: list[tuple[str, str]]) -> HouseNode | None:
    kind = fields.text(value, "type", where=where).strip().lower()
    if not fields.flag(value, "valid", where=where, default=True):
        return None
    node_id = fields.text(value, "id", where=where)
    where = f"{where} (id {node_id!r})"
    match kind:
        case "room":
            return _room(value, node_id, where=where)
        case "ground":
            return GroundNode(id=node_id, model=fields.text(value, "modelId", where=where))
        case "object":
            T_house_object = _transform(value, node_id, where=where, faults=faults)
            if T_house_object is None:
                return None
            return ObjectNode(
                id=node_id,
                model=fields.text(value, "modelId", where=where),
                T_house_object=T_house_object,
                overrides=parse_overrides(value, where=where, faults=faults),
                state=int(fields.number(value, "state", where=where, default=0.0)),
            )
        case "box":
            return _box(value, node_id, where=where, faults=faults)
    faults.append(
        (f"nodes of the unknown type {fields.describe(value['type'])} are left out", node_id)
    )
    return None


def _room(value: JsonObject, node_id: str, *, where: str) -> RoomNode:
    types = fields.items(value, "roomTypes", where=where)
    members = fields.items(value, "nodeIndices", where=where)
    for member in members:
        if isinstance(member, bool) or not isinstance(member, int):
            raise SceneError(
                f"{where}: 'nodeIndices' has {fields.describe(member)} among its whole numbers"
            )
    flags: tuple[tuple[Part, str], ...] = (
        ("floor", "hideFloor"), ("ceiling", "hideCeiling"), ("wall", "hideWalls"),
    )  # fmt: skip
    return RoomNode(
        id=node_id,
        model=fields.text(value, "modelId", where=where),
        kind=room_kind([entry for entry in types if isinstance(entry, str)]),
        members=tuple(member for member in members if isinstance(member, int)),
        hidden=frozenset(
            part for part, key in flags if fields.flag(value, key, where=where, default=False)
        ),
    )


def _box(
    value: JsonObject, node_id: str, *, where: str, faults: list[tuple[str, str]]
) -> BoxNode | None:
    size = fields.numbers(
        fields.member(value, "dimensions", where=where), 3, where=f"{where}: 'dimensions'"
    )
    if (size < 0).any():
        raise SceneError(f"{where}: 'dimensions' has a negative number: {size.tolist()}")
    T_house_object = _transform(value, node_id, where=where, faults=faults)
    if T_house_object is None:
        return None
    if not size.any():
        faults.append(("boxes without extent are left out", node_id))
        return None
    overrides = parse_overrides(value, where=where, faults=faults)
    return BoxNode(id=node_id, size=size, T_house_object=T_house_object, overrides=overrides)


def _transform(
    value: JsonObject, node_id: str, *, where: str, faults: list[tuple[str, str]]
) -> Float[np.ndarray, "4 4"] | None:
    """Element k of the list stands in row k % 4, column k // 4. None if the transform flattens what it moves."""
    if value.get("transform") is None:
        matrix = np.eye(4)
    else:
        entries = fields.numbers(value["transform"], 16, where=f"{where}: 'transform'")
        matrix = np.ascontiguousarray(entries.reshape(4, 4).T)
    if np.abs(matrix[3] - (0, 0, 0, 1)).max() > 1e-6:
        raise SceneError(
            f"{where}: 'transform' must be affine and written column by column, "
            f"but its last row is {matrix[3].tolist()}"
        )
    determinant = _relative_determinant(matrix)
    if abs(determinant) < 1e-9:
        faults.append(("nodes with a singular transform are left out", node_id))
        return None
    mirrored = fields.flag(value, "isMirrored", where=where, default=determinant < 0)
    if mirrored != (determinant < 0):
        faults.append(("'isMirrored' contradicts the transform, which is believed", node_id))
    return matrix


def _relative_determinant(matrix: Float[np.ndarray, "4 4"]) -> float:
    linear = matrix[:3, :3]
    scale = float(np.abs(linear).max())
    return float(np.linalg.det(linear / scale)) if scale > 0 else 0.0
