"""What our own SUNCG files add to the format, so that a scene comes back with the names and order that it had.

`house.json` gets one more key, which other loaders pass over:

    "scenelift": {"name": scene, "licence": text, "furnished": 0 or 1,
                  "rooms": [[name in the file, name in the scene], ...],
                  "nodes": [[name in the file, name in the scene], ...]}

`nodes` lists the scene's nodes in their order; a name in the file is the one that the reader gives by itself: an id,
or an id with the part of a room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from scenelift.render.formats import suncg_fields as fields
from scenelift.render.formats.suncg_fields import JsonObject
from scenelift.render.scene import Scene, SceneError

KEY = "scenelift"


def identity(
    scene: Scene, *, file_names: Mapping[int, str], file_rooms: Sequence[str]
) -> dict[str, object]:
    """Return the value of the key.

    Args:
        scene: The scene that is written.
        file_names: Name in the file of each node that is written, by its position in the scene.
        file_rooms: Name in the file of each room.
    """
    return {
        "name": scene.name,
        "licence": scene.licence,
        "furnished": int(scene.furnished),
        "rooms": [[name, room.name] for name, room in zip(file_rooms, scene.rooms, strict=True)],
        "nodes": [
            [file_names[index], node.name]
            for index, node in enumerate(scene.nodes)
            if index in file_names
        ],
    }


def restore_identity(scene: Scene, document: object, *, where: str) -> Scene:
    """Give a scene that was just read its names, licence and order of nodes back; without the key, return it as it is.

    Raises:
        SceneError: if the key's value does not have the form above. Names that do not fit the scene are passed over.
    """
    if not isinstance(document, dict) or KEY not in document:
        return scene
    where = f"{where}: '{KEY}'"
    value = fields.as_object(document[KEY], where=where)
    names = _pairs(value, "nodes", where=where)
    room_names = _pairs(value, "rooms", where=where)
    rooms = tuple(replace(room, name=room_names.get(room.name, room.name)) for room in scene.rooms)
    order = {name: index for index, name in enumerate(names)}
    nodes = sorted(scene.nodes, key=lambda node: order.get(node.name, len(order)))
    renamed = [replace(node, name=names.get(node.name, node.name)) for node in nodes]
    if len({node.name for node in renamed}) == len(renamed):
        nodes = renamed
    return replace(
        scene,
        name=fields.text(value, "name", where=where, default=scene.name),
        licence=fields.text(value, "licence", where=where, default=scene.licence),
        furnished=fields.flag(value, "furnished", where=where, default=True),
        rooms=rooms,
        nodes=tuple(nodes),
    )


def _pairs(value: JsonObject, key: str, *, where: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for index, pair in enumerate(fields.items(value, key, where=where)):
        if not isinstance(pair, list) or len(pair) != 2:
            raise SceneError(f"{where}: {key}[{index}] must be a pair of names")
        before, after = pair
        if not isinstance(before, str) or not isinstance(after, str):
            raise SceneError(f"{where}: {key}[{index}] must be a pair of names")
        pairs[before] = after
    return pairs
