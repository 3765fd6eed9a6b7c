"""What our own SUNCG files add to the format, so that a scene comes back with its names, order and rooms.

`house.json` gets one more key, which other loaders pass over:

    "scenelift": {
        "name": text, "licence": text, "furnished": 0 or 1,
        "rooms": [{"id", "name", "kind", "outline_xz": [[x, z], ...], "floor_y_m", "ceiling_y_m"}, ...],
        "nodes": [{"id", "name", "category", "room": index into rooms or null}, ...]
    }

Both lists have the scene's order. An id is what the reader calls the node or room by itself.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from scenelift.render.formats import json_fields as fields
from scenelift.render.formats.json_fields import JsonObject
from scenelift.render.scene import Room, Scene, SceneError

KEY = "scenelift"
MAX_CORNERS = 100_000


def identity(scene: Scene, *, file_names: Mapping[int, str]) -> dict[str, object]:
    """Return the value of the key.

    Args:
        scene: The scene that is written.
        file_names: Id of each node that is written, by its position in the scene. Rooms have the ids "0_0", "0_1", ...
    """
    return {
        "name": scene.name,
        "licence": scene.licence,
        "furnished": int(scene.furnished),
        "rooms": [
            {
                "id": f"0_{index}",
                "name": room.name,
                "kind": room.kind,
                "outline_xz": room.outline_xz.tolist(),
                "floor_y_m": room.floor_y_m,
                "ceiling_y_m": room.ceiling_y_m,
            }
            for index, room in enumerate(scene.rooms)
        ],
        "nodes": [
            {
                "id": file_names[index],
                "name": node.name,
                "category": node.category,
                "room": node.room,
            }
            for index, node in enumerate(scene.nodes)
            if index in file_names
        ],
    }


def restore_identity(scene: Scene, document: object, *, where: str) -> Scene:
    """Give a scene that was just read its names, order and rooms back; without the key, return it as it is.

    Nodes that the key does not name come last. A light follows the room that it was read in.

    Raises:
        SceneError: if the key's value does not have the form above.
    """
    if not isinstance(document, dict) or KEY not in document:
        return scene
    where = f"{where}: '{KEY}'"
    value = fields.as_object(document[KEY], where=where)
    room_ids: dict[str, int] = {}
    rooms: list[Room] = []
    for place, entry in fields.objects(value, "rooms", where=where):
        room_ids[fields.text(entry, "id", where=place)] = len(rooms)
        rooms.append(_room(entry, where=place))
    known = {node.name: node for node in scene.nodes}
    nodes = []
    for place, entry in fields.objects(value, "nodes", where=where):
        node = known.pop(fields.text(entry, "id", where=place), None)
        if node is not None:
            name = fields.text(entry, "name", where=place)
            category = fields.text(entry, "category", where=place, default=node.category)
            room = _index(entry, "room", bound=len(rooms), where=place)
            nodes.append(replace(node, name=name, category=category, room=room))
    nodes += [replace(node, room=None) for node in known.values()]
    if len({node.name for node in nodes}) < len(nodes):
        raise SceneError(f"{where}: two nodes have one name")
    lights = [
        replace(
            light, room=None if light.room is None else room_ids.get(scene.rooms[light.room].name)
        )
        for light in scene.lights
    ]
    return replace(
        scene,
        name=fields.text(value, "name", where=where, default=scene.name),
        licence=fields.text(value, "licence", where=where, default=scene.licence),
        furnished=fields.flag(value, "furnished", where=where, default=True),
        rooms=tuple(rooms),
        nodes=tuple(nodes),
        lights=tuple(lights),
    )


def _room(entry: JsonObject, *, where: str) -> Room:
    corners = fields.items(entry, "outline_xz", where=where)
    if not 3 <= len(corners) <= MAX_CORNERS:
        raise SceneError(
            f"{where}: 'outline_xz' has {len(corners)} corners; 3..{MAX_CORNERS} are read"
        )
    return Room(
        name=fields.text(entry, "name", where=where),
        kind=fields.text(entry, "kind", where=where, default=""),
        outline_xz=np.array([fields.numbers(corner, 2, where=where) for corner in corners]),
        floor_y_m=fields.number(entry, "floor_y_m", where=where),
        ceiling_y_m=fields.number(entry, "ceiling_y_m", where=where),
    )


def _index(entry: JsonObject, key: str, *, bound: int, where: str) -> int | None:
    value = entry.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < bound:
        raise SceneError(
            f"{where}: '{key}' must be null or lie in 0..{bound - 1}, but is {fields.describe(value)}"
        )
    return value
