"""Lights of SUNCG's lamps: `suncgModelLights.json`, `light_geometry_compact.txt`, or the class alone.

Powers are read as radiant watts that leave the lamp, and split evenly over its directions: P / (4 pi) in W / sr for a
point, P / (2 pi (1 - cos half-angle)) for a spot, P / (4 pi L) in W / (sr m) for a line of length L, each times the
lamp's linear colour. A 60 W lamp then gives 4.8 W / sr, which lights a room about as brightly as the sky's radiance of
1 seen through its window: as photographs of lit rooms show it, and far brighter than 60 W of electric power would be.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from scenelift.render.formats import json_fields as fields
from scenelift.render.formats.suncg.house import parse_color
from scenelift.render.scene import Color, Light, Material, Mesh, Node, SceneError

LAMP_POWER_W = 60.0
"""Of a lamp about which nothing is known; the commonest power in SUNCG's table."""
BULB_FACTOR = 5.0
"""How many times brighter a bulb is than its shade."""
MAX_RADIANCE = 500.0
"""W / (sr m^2); keeps the smallest bulbs from sparkling."""
MAX_LIGHTS = 4096
"""Of one model."""

_WARM = (1.0, 0.86, 0.67)
"""Linear colour of a lamp about which nothing is known, around 4,000 K."""
_KINDS: Mapping[str, Literal["point", "spot", "line"]] = {
    "pointlight": "point", "spotlight": "spot", "linelight": "line",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelLight:
    """A light in its model's frame: metres, y up."""

    kind: Literal["point", "spot", "line"]
    power_w: float
    color: Color
    """Linear."""
    position: tuple[float, float, float]
    end: tuple[float, float, float]
    direction: tuple[float, float, float]
    cone_rad: float
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class GlowingMaterials:
    """The materials of a model that glow, by name."""

    bulbs: frozenset[str]
    shades: frozenset[str]


def parse_model_lights(document: object, *, where: str) -> dict[str, tuple[ModelLight, ...]]:
    """Check and type a parsed `suncgModelLights.json`.

    Returns:
        The lights of each model id.

    Raises:
        SceneError: if a key is missing, or a value has a wrong type or is out of bounds.
    """
    root = fields.as_object(document, where=where)
    table = {}
    for model in root:
        place = f"{where}: model {model[:40]!r}"
        lights = list(fields.objects(root, model, where=place))
        if len(lights) > MAX_LIGHTS:
            raise SceneError(f"{place}: has {len(lights)} lights, at most {MAX_LIGHTS} are read")
        table[model] = tuple(_model_light(value, where=spot) for spot, value in lights)
    return table


def parse_glowing(data: bytes, *, where: str) -> dict[str, GlowingMaterials]:
    """Read `light_geometry_compact.txt`: model, number of bulb materials, their names, the same for shades.

    >>> parse_glowing(b"106 1 material_2 0", where="")["106"].bulbs
    frozenset({'material_2'})

    Raises:
        SceneError: if a line reads otherwise.
    """
    table = {}
    for index, line in enumerate(data.decode("utf-8", errors="replace").splitlines()):
        words = line.split()
        if not words:
            continue
        glowing = _glowing(words[1:])
        if glowing is None:
            raise SceneError(
                f"{where}: line {index + 1}: must read 'model n bulb-materials... m shade-materials...', "
                f"but is {line[:60]!r}"
            )
        table[words[0]] = glowing
    return table


def place_light(
    light: ModelLight, T_world_object: Float[np.ndarray, "4 4"], *, name: str, room: int | None
) -> Light:
    """Bring a lamp's light into the world; stretched lamps keep their power."""
    linear, origin = T_world_object[:3, :3], T_world_object[:3, 3]
    position = linear @ np.array(light.position) + origin
    end = linear @ np.array(light.end) + origin
    direction = linear @ np.array(light.direction)
    length = float(np.linalg.norm(direction))
    direction = direction / length if length > 0 else np.array([0.0, -1.0, 0.0])
    solid_angle = 4 * math.pi
    kind = light.kind
    if kind == "spot":
        solid_angle = 2 * math.pi * (1 - math.cos(light.cone_rad))
    if kind == "line":
        length_m = float(np.linalg.norm(end - position))
        kind = "line" if length_m > 1e-3 else "point"
        solid_angle *= length_m if length_m > 1e-3 else 1.0
    red, green, blue = (light.power_w * channel / solid_angle for channel in light.color)
    return Light(
        kind=kind,
        intensity=(red, green, blue),
        position_world=_triple(position),
        end_world=_triple(end if kind == "line" else np.zeros(3)),
        direction_world=_triple(direction),
        cone_rad=light.cone_rad,
        name=name,
        room=room,
    )


def light_entry(
    light: Light, *, model: str, T_world_object: Float[np.ndarray, "4 4"]
) -> dict[str, object]:
    """Return the entry of a light in `suncgModelLights.json`: the inverse of reading and `place_light`.

    Args:
        light: A point, spot or line.
        model: Id of the model that it belongs to.
        T_world_object: Where that model stands.
    """
    T_object_world = np.linalg.inv(T_world_object)

    def to_model(point: tuple[float, float, float]) -> list[float]:
        moved = T_object_world[:3, :3] @ np.array(point) + T_object_world[:3, 3]
        return [float(x) for x in moved]

    solid_angle = 4 * math.pi
    if light.kind == "spot":
        solid_angle = 2 * math.pi * (1 - math.cos(light.cone_rad))
    if light.kind == "line":
        solid_angle *= float(np.linalg.norm(np.subtract(light.end_world, light.position_world)))
    brightest = max(light.intensity)
    relative = [value / brightest if brightest > 0 else 1.0 for value in light.intensity]
    entry: dict[str, object] = {
        "type": {"point": "PointLight", "spot": "SpotLight", "line": "LineLight"}.get(
            light.kind, ""
        ),
        "modelId": model,
        "name": light.name,
        "power": brightest * solid_angle,
        "color": "#" + "".join(f"{round(255 * _display(value)):02x}" for value in relative),
        "position": to_model(light.position_world),
        "attenuation": [0, 0, 1],
    }
    if light.kind == "spot":
        direction = T_object_world[:3, :3] @ np.array(light.direction_world)
        entry["direction"] = (direction / np.linalg.norm(direction)).tolist()
        entry["dropoffRate"] = 0
        entry["cutoffAngle"] = light.cone_rad
    if light.kind == "line":
        entry["position2"] = to_model(light.end_world)
    return entry


def lamp_light(node: Node, *, ceiling_y_m: float | None) -> Light:
    """Give a lamp about which nothing is known a point light just outside of it, where no shade can swallow it.

    Below the lamp if its middle lies in the upper half of the room, else above it. Without a room, lamps whose base
    is 1.5 m above the model's own origin hang.
    """
    corners = node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
    low, high = corners.min(axis=0), corners.max(axis=0)
    middle = (low + high) / 2
    hangs = low[1] > node.T_world_object[1, 3] + 1.5
    if ceiling_y_m is not None:
        hangs = ceiling_y_m - middle[1] < 1.3
    height = low[1] - 0.08 if hangs else high[1] + 0.08
    red, green, blue = (LAMP_POWER_W * channel / (4 * math.pi) for channel in _WARM)
    return Light(
        kind="point",
        intensity=(red, green, blue),
        position_world=(float(middle[0]), float(height), float(middle[2])),
        name=node.name,
        room=node.room,
    )


def with_glow(mesh: Mesh, glowing: GlowingMaterials, *, power_w: float) -> Mesh:
    """Let the bulbs and shades of a lamp's mesh emit light in their own colour; the mesh itself if it has none.

    Their radiance follows from the power: surfaces of area A and radiance L emit pi A L watts.

    Args:
        mesh: The lamp.
        glowing: The names of its bulbs' and shades' materials.
        power_w: What all of them emit together, if they were white.
    """
    factors = np.array(
        [
            BULB_FACTOR
            if material.name in glowing.bulbs
            else float(material.name in glowing.shades)
            for material in mesh.materials
        ]
    )
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1) / 2
    weighted_m2 = float((areas * factors[mesh.face_materials]).sum())
    if weighted_m2 <= 0:
        return mesh
    radiance = power_w / (math.pi * weighted_m2)
    materials = tuple(
        _glow(material, radiance=min(MAX_RADIANCE, radiance * factor)) if factor > 0 else material
        for material, factor in zip(mesh.materials, factors.tolist(), strict=True)
    )
    return replace(mesh, materials=materials)


def linear_color(color: Color) -> Color:
    """Turn an sRGB colour in [0, 1] into a linear one (IEC 61966-2-1).

    >>> linear_color((0.0, 0.5, 1.0))
    (0.0, 0.21404114048223255, 1.0)
    """
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in color
    )
    return red, green, blue


def _display(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def _glowing(words: list[str]) -> GlowingMaterials | None:
    """Read two counted lists of names; None if the counts do not fit."""
    if not words or not words[0].isdecimal() or len(words) < 2 + (bulbs := int(words[0])):
        return None
    shades = words[2 + bulbs :]
    if words[1 + bulbs] != str(len(shades)):
        return None
    return GlowingMaterials(bulbs=frozenset(words[1 : 1 + bulbs]), shades=frozenset(shades))


def _glow(material: Material, *, radiance: float) -> Material:
    strongest = max(material.base_color)
    color = _WARM
    if strongest > 1e-3:
        red, green, blue = (value / strongest for value in material.base_color)
        color = (red, green, blue)
    red, green, blue = (radiance * channel for channel in color)
    return replace(material, emission=(red, green, blue))


def _model_light(value: fields.JsonObject, *, where: str) -> ModelLight:
    written = fields.text(value, "type", where=where)
    if written.lower() not in _KINDS:
        raise SceneError(
            f"{where}: the light's type is {written[:40]!r}, but PointLight, SpotLight and LineLight exist"
        )
    kind = _KINDS[written.lower()]
    power_w = fields.number(value, "power", where=where, default=LAMP_POWER_W)
    if not 0 <= power_w <= 1e6:
        raise SceneError(f"{where}: 'power' is {power_w} W; it must lie in 0..1,000,000")
    cone_rad = fields.number(value, "cutoffAngle", where=where, default=math.pi / 2)
    if kind == "spot" and not 0 < cone_rad <= math.pi:
        raise SceneError(f"{where}: 'cutoffAngle' is {cone_rad}; it must lie in 0..pi radians")
    color = parse_color(value["color"], where=where) if value.get("color") else (1.0, 1.0, 1.0)
    position = _vector(value, "position", where=where)
    return ModelLight(
        kind=kind,
        power_w=power_w,
        color=linear_color(color),
        position=position,
        end=_vector(value, "position2", where=where) if kind == "line" else position,
        direction=_vector(value, "direction", where=where) if kind == "spot" else (0.0, -1.0, 0.0),
        cone_rad=min(max(cone_rad, 1e-3), math.pi),
        name=fields.text(value, "name", where=where, default=""),
    )


def _vector(value: fields.JsonObject, key: str, *, where: str) -> tuple[float, float, float]:
    member = fields.member(value, key, where=where)
    return _triple(fields.numbers(member, 3, where=f"{where}: '{key}'"))


def _triple(vector: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z
