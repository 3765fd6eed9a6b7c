"""What our own GLB files say in glTF's `extras`, so that a scene comes back whole.

Metres, y up, linear colours, as in `Scene`. Other programs pass over all of this.

- asset.extras["scenelift"]: {"version": 1}; a file without it is somebody else's.
- scene.extras["scenelift"]: {"name", "source", "licence": text, "furnished": bool,
  "rooms": [{"name", "kind", "outline_xz": [[x, z], ...], "floor_y_m", "ceiling_y_m"}, ...],
  "sky": {"zenith": [r, g, b], "horizon": [...], "ground": [...]}, "portals_world": [[[x, y, z] * 4], ...] or null}.
- node.extras["scenelift"] of an instance: {"index": position in Scene.nodes, "name", "category": text,
  "semantic": NYU40 id, "room": index into rooms or null}.
- node.extras["scenelift"] of a light: {"light": {"kind", "intensity": [r, g, b], "position_world", "end_world",
  "direction_world": [x, y, z], "cone_rad", "radius_m", "name", "room"}}, every field of `Light`. KHR_lights_punctual
  beside it says the same as well as it can: candela and lux at 683 lm / W, a line light as a point in its middle.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, cast

import numpy as np

from scenelift.datasets.nyu40 import NYU40_NAMES
from scenelift.render.formats import json_fields as fields
from scenelift.render.formats.json_fields import JsonObject
from scenelift.render.scene import Color, Light, Node, Room, Scene, SceneError, Sky

KEY = "scenelift"
VERSION = 1
MAX_CORNERS = 100_000
"""Of one outline."""
MAX_PORTALS = 100_000

_KINDS: Mapping[str, Literal["point", "spot", "line", "sun"]] = {
    "point": "point", "spot": "spot", "line": "line", "sun": "sun",
}  # fmt: skip


def scene_extras(scene: Scene) -> dict[str, object]:
    """Return the extras of a glTF scene."""
    portals = scene.portals_world
    return {
        KEY: {
            "name": scene.name,
            "source": scene.source,
            "licence": scene.licence,
            "furnished": scene.furnished,
            "rooms": [
                {
                    "name": room.name,
                    "kind": room.kind,
                    "outline_xz": room.outline_xz.tolist(),
                    "floor_y_m": room.floor_y_m,
                    "ceiling_y_m": room.ceiling_y_m,
                }
                for room in scene.rooms
            ],
            "sky": {
                "zenith": list(scene.sky.zenith),
                "horizon": list(scene.sky.horizon),
                "ground": list(scene.sky.ground),
            },
            "portals_world": None if portals is None else portals.tolist(),
        }
    }


def node_extras(node: Node, *, index: int) -> dict[str, object]:
    """Return the extras of an instance."""
    return {
        KEY: {
            "index": index,
            "name": node.name,
            "category": node.category,
            "semantic": node.semantic,
            "room": node.room,
        }
    }


def light_extras(light: Light) -> dict[str, object]:
    """Return the extras of a light."""
    return {
        KEY: {
            "light": {
                "kind": light.kind,
                "intensity": list(light.intensity),
                "position_world": list(light.position_world),
                "end_world": list(light.end_world),
                "direction_world": list(light.direction_world),
                "cone_rad": light.cone_rad,
                "radius_m": light.radius_m,
                "name": light.name,
                "room": light.room,
            }
        }
    }


def restore_scene(scene: Scene, extras: object, *, where: str) -> Scene:
    """Give a scene what its extras say; without our key, return it as it is.

    Args:
        scene: As read, nodes already restored.
        extras: Value of the glTF scene's `extras`, or None.
        where: The file, for messages.

    Raises:
        SceneError: if our key's value does not have the form above.
    """
    value = _ours(extras, where=where)
    if value is None:
        return scene
    rooms = tuple(
        _room(entry, where=place) for place, entry in fields.objects(value, "rooms", where=where)
    )
    places = [(node.name, node.room) for node in scene.nodes]
    places += [(light.name, light.room) for light in scene.lights]
    for name, room in places:
        if room is not None and not room < len(rooms):
            raise SceneError(f"{where}: {name!r} lies in room {room} of {len(rooms)}")
    sky = scene.sky
    if value.get("sky") is not None:
        colors = fields.as_object(value["sky"], where=f"{where}: 'sky'")
        sky = Sky(
            zenith=_triple(colors, "zenith", where=where),
            horizon=_triple(colors, "horizon", where=where),
            ground=_triple(colors, "ground", where=where),
        )
    portals = [
        np.stack(
            [fields.numbers(corner, 3, where=f"{where}: portal") for corner in _four(quad, where)]
        )
        for quad in fields.items(value, "portals_world", where=where)[:MAX_PORTALS]
    ]
    return replace(
        scene,
        name=fields.text(value, "name", where=where, default=scene.name),
        source=fields.text(value, "source", where=where, default=scene.source),
        licence=fields.text(value, "licence", where=where, default=scene.licence),
        furnished=fields.flag(value, "furnished", where=where, default=scene.furnished),
        rooms=rooms,
        sky=sky,
        portals_world=np.stack(portals) if portals else None,
    )


def restore_node(node: Node, extras: object, *, where: str) -> tuple[int | None, Node]:
    """Give an instance its name and class back.

    Returns:
        Its position in `Scene.nodes`, None if the extras are not ours; and the node.

    Raises:
        SceneError: if our key's value does not have the form above.
    """
    value = _ours(extras, where=where)
    if value is None or "semantic" not in value:
        return None, node
    semantic = _whole(value, "semantic", bound=len(NYU40_NAMES), where=where)
    restored = replace(
        node,
        name=fields.text(value, "name", where=where, default=node.name),
        category=fields.text(value, "category", where=where, default=""),
        semantic=semantic or 0,
        room=_whole(value, "room", bound=1 << 20, where=where),
    )
    return _whole(value, "index", bound=1 << 20, where=where), restored


def restored_light(extras: object, *, where: str) -> Light | None:
    """Return the light that a node's extras describe; None if the extras are not ours or describe none.

    Raises:
        SceneError: if our key's value does not have the form above.
    """
    value = _ours(extras, where=where)
    if value is None or "light" not in value:
        return None
    light = fields.as_object(value["light"], where=f"{where}: 'light'")
    written = fields.text(light, "kind", where=where)
    kind = _KINDS.get(written)
    if kind is None:
        raise SceneError(f"{where}: there is no light of the kind {written[:40]!r}")
    return Light(
        kind=kind,
        intensity=_triple(light, "intensity", where=where),
        position_world=_triple(light, "position_world", where=where),
        end_world=_triple(light, "end_world", where=where),
        direction_world=_triple(light, "direction_world", where=where),
        cone_rad=fields.number(light, "cone_rad", where=where),
        radius_m=fields.number(light, "radius_m", where=where),
        name=fields.text(light, "name", where=where, default=""),
        room=_whole(light, "room", bound=1 << 20, where=where),
    )


def _ours(extras: object, *, where: str) -> JsonObject | None:
    if not isinstance(extras, dict) or KEY not in extras:
        return None
    return fields.as_object(extras[KEY], where=f"{where}: extras '{KEY}'")


def _room(entry: JsonObject, *, where: str) -> Room:
    corners = fields.items(entry, "outline_xz", where=where)
    if not 3 <= len(corners) <= MAX_CORNERS:
        raise SceneError(
            f"{where}: 'outline_xz' has {len(corners)} corners; 3..{MAX_CORNERS} are read"
        )
    return Room(
        name=fields.text(entry, "name", where=where),
        kind=fields.text(entry, "kind", where=where, default=""),
        outline_xz=np.stack([fields.numbers(corner, 2, where=where) for corner in corners]),
        floor_y_m=fields.number(entry, "floor_y_m", where=where),
        ceiling_y_m=fields.number(entry, "ceiling_y_m", where=where),
    )


def _four(quad: object, where: str) -> list[object]:
    if not isinstance(quad, list) or len(quad) != 4:
        raise SceneError(f"{where}: a portal has 4 corners, but one is {fields.describe(quad)}")
    return quad


def _triple(value: JsonObject, key: str, *, where: str) -> Color:
    numbers = fields.numbers(fields.member(value, key, where=where), 3, where=f"{where}: '{key}'")
    return cast(Color, tuple(numbers.tolist()))


def _whole(value: JsonObject, key: str, *, bound: int, where: str) -> int | None:
    number = value.get(key)
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < bound:
        raise SceneError(
            f"{where}: '{key}' must be null or lie in 0..{bound - 1}, but is {fields.describe(number)}"
        )
    return number
