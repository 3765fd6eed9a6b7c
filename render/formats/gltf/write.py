"""Any scene as one binary glTF 2.0 file.

Each node of the scene is a glTF node with a matrix, in order, before the lights; equal meshes, materials and textures
are written once. Materials are metallic-roughness with KHR_materials_transmission and KHR_materials_emissive_strength,
textures are PNG, lights KHR_lights_punctual. `glb_extras` says what else is kept. Vertices are 32 bit: meshes that lie
further than 8 m from their origin are moved there, and their nodes' matrices back, so that 1e-6 m are kept. A transform that shears, which glTF does not
allow, is worked into a mesh of its own.
"""

import json
import math
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from scenelift.render.formats.bake import baked
from scenelift.render.formats.gltf.extras import (
    KEY,
    VERSION,
    light_extras,
    node_extras,
    scene_extras,
)
from scenelift.render.formats.write_obj import png_bytes
from scenelift.render.formats.written import Written, write_file
from scenelift.render.scene import Color, Light, Material, Mesh, Scene, Texture

LUMEN_PER_WATT = 683.0
"""Of green light; glTF counts in candela and lux."""

_FLOAT, _UINT = 5126, 5125
_ARRAY_BUFFER, _ELEMENT_BUFFER = 34962, 34963
_FAR_M = 8.0

Json = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _File:
    """The parts of the file so far. Tables by id hold the object, so that its id stays taken."""

    binary: bytearray = field(default_factory=bytearray)
    views: list[Json] = field(default_factory=list)
    accessors: list[Json] = field(default_factory=list)
    images: list[Json] = field(default_factory=list)
    materials: list[Json] = field(default_factory=list)
    meshes: list[Json] = field(default_factory=list)
    extensions: set[str] = field(default_factory=set)
    texture_of: dict[int, tuple[Texture, int]] = field(default_factory=dict)
    image_of: dict[bytes, int] = field(default_factory=dict)
    material_of: dict[int, tuple[Material, int]] = field(default_factory=dict)
    mesh_of: dict[int, tuple[Mesh, int]] = field(default_factory=dict)

    def add_view(self, data: bytes, *, target: int | None = None) -> int:
        """Append bytes at a multiple of four."""
        self.binary.extend(b"\0" * (-len(self.binary) % 4))
        view: Json = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        if target is not None:
            view["target"] = target
        self.binary.extend(data)
        self.views.append(view)
        return len(self.views) - 1

    def add_accessor(
        self, array: Float[np.ndarray, "n c"] | Int[np.ndarray, " n"], *, bounds: bool = False
    ) -> int:
        """Append vectors of 32 bit floats, or indices."""
        if array.ndim == 1:
            data = np.ascontiguousarray(array, dtype="<u4")
            kind, component, target = "SCALAR", _UINT, _ELEMENT_BUFFER
        else:
            data = np.ascontiguousarray(array, dtype="<f4")
            kind, component, target = f"VEC{array.shape[1]}", _FLOAT, _ARRAY_BUFFER
        accessor: Json = {
            "bufferView": self.add_view(data.tobytes(), target=target),
            "componentType": component,
            "count": len(data),
            "type": kind,
        }
        if bounds:
            accessor["min"] = data.min(axis=0).astype(np.float64).tolist()
            accessor["max"] = data.max(axis=0).astype(np.float64).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def write_glb(scene: Scene, path: Path, *, overwrite: bool = False) -> Written:
    """Write a scene as a GLB file.

    Args:
        scene: Any scene.
        path: The file, usually `*.glb`.
        overwrite: Replace a file that is there already.

    Returns:
        The path, and what the format cannot hold.

    Raises:
        FileExistsError: if the file exists and may not be overwritten.
    """
    file = _File()
    nodes = [
        _instance(file, scene, index)
        for index, node in enumerate(scene.nodes)
        if len(node.mesh.faces)
    ]
    nodes += [_light_node(light, index) for index, light in enumerate(scene.lights)]
    write_file(path, _container(_document(file, scene, nodes), file.binary), overwrite=overwrite)
    empty = sum(not len(node.mesh.faces) for node in scene.nodes)
    losses = [f"nodes without triangles, so that later ids change: {empty}"] if empty else []
    if any(len(node.mesh.materials) > 1 for node in scene.nodes):
        losses.append("the order of triangles, which are sorted by material")
    return Written(path=path, losses=tuple(losses))


def _document(file: _File, scene: Scene, nodes: list[Json]) -> Json:
    document: Json = {
        "asset": {
            "version": "2.0",
            "generator": "scenelift",
            "extras": {KEY: {"version": VERSION}},
        },
        "scene": 0,
        "scenes": [
            {"name": scene.name, "nodes": list(range(len(nodes))), "extras": scene_extras(scene)}
        ],
        "nodes": nodes,
        "meshes": file.meshes,
        "materials": file.materials,
        "accessors": file.accessors,
        "bufferViews": file.views,
        "buffers": [{"byteLength": len(file.binary)}],
    }
    if scene.licence:
        document["asset"] = {**_object(document["asset"]), "copyright": scene.licence}
    if file.images:
        document["images"] = file.images
        document["samplers"] = [
            {"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497}
        ]
        document["textures"] = [{"sampler": 0, "source": i} for i in range(len(file.images))]
    if scene.lights:
        file.extensions.add("KHR_lights_punctual")
        lights = [_punctual(light) for light in scene.lights]
        document["extensions"] = {"KHR_lights_punctual": {"lights": lights}}
    if file.extensions:
        document["extensionsUsed"] = sorted(file.extensions)
    return document


def _object(value: object) -> Json:
    return dict(value) if isinstance(value, dict) else {}


def _container(document: Json, binary: bytearray) -> bytes:
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    data = bytes(binary) + b"\0" * (-len(binary) % 4)
    total = 12 + 8 + len(text) + 8 + len(data)
    if total > 0xFFFFFFFF:
        raise ValueError(f"the scene needs {total} bytes, but a GLB file holds at most 4 GiB")
    return b"".join(
        (
            struct.pack("<4sII", b"glTF", 2, total),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(data), b"BIN\0"),
            data,
        )
    )


def _instance(file: _File, scene: Scene, index: int) -> Json:
    node = scene.nodes[index]
    mesh, matrix = node.mesh, node.T_world_object.copy()
    if _shears(matrix):
        matrix[:3, :3] = np.eye(3)
        mesh = baked(mesh, np.linalg.inv(matrix) @ node.T_world_object)
    matrix[:3, 3] += matrix[:3, :3] @ _origin(mesh)
    written: Json = {
        "name": node.name,
        "mesh": _mesh(file, mesh),
        "extras": node_extras(node, index=index),
    }
    if not np.array_equal(matrix, np.eye(4)):
        written["matrix"] = matrix.T.ravel().tolist()
    return written


def _shears(matrix: Float[np.ndarray, "4 4"]) -> bool:
    """Whether a transform is no rotation after a stretch along the axes, as glTF demands of its nodes."""
    columns = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return bool(np.abs(columns.T @ columns - np.eye(3)).max() > 1e-6)


def _origin(mesh: Mesh) -> Float[np.ndarray, "3"]:
    """Return a point near the middle of a mesh that lies far from its origin, else the origin."""
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    if max(np.abs(low).max(), np.abs(high).max()) <= _FAR_M:
        return np.zeros(3)
    return np.asarray(np.round((low + high) / 2))


def _mesh(file: _File, mesh: Mesh) -> int:
    if id(mesh) not in file.mesh_of:
        primitives = [
            _primitive(file, mesh, int(material)) for material in np.unique(mesh.face_materials)
        ]
        file.meshes.append({"primitives": primitives})
        file.mesh_of[id(mesh)] = (mesh, len(file.meshes) - 1)
    return file.mesh_of[id(mesh)][1]


def _primitive(file: _File, mesh: Mesh, material: int) -> Json:
    """Write the triangles of one material; corners that agree in everything become one vertex."""
    chosen = mesh.face_materials == material
    corners = mesh.faces[chosen].reshape(-1, 1).astype(np.float64)
    for extra in (mesh.corner_uvs, mesh.corner_normals):
        if extra is not None:
            corners = np.hstack((corners, extra[chosen].reshape(-1, extra.shape[2])))
    rows, indices = np.unique(corners, axis=0, return_inverse=True)
    vertex = rows[:, 0].astype(np.int64)
    attributes: Json = {
        "POSITION": file.add_accessor(mesh.vertices[vertex] - _origin(mesh), bounds=True)
    }
    column = 1
    if mesh.corner_uvs is not None:
        attributes["TEXCOORD_0"] = file.add_accessor(rows[:, 1:3] * (1, -1) + (0, 1))
        column = 3
    if mesh.corner_normals is not None:
        attributes["NORMAL"] = file.add_accessor(rows[:, column : column + 3])
    if mesh.vertex_colors is not None:
        attributes["COLOR_0"] = file.add_accessor(mesh.vertex_colors[vertex])
    return {
        "attributes": attributes,
        "indices": file.add_accessor(indices.reshape(-1)),
        "material": _material(file, mesh.materials[material]),
        "mode": 4,
    }


def _material(file: _File, material: Material) -> int:
    if id(material) in file.material_of:
        return file.material_of[id(material)][1]
    surface: Json = {
        "baseColorFactor": [*material.base_color, material.opacity],
        "metallicFactor": material.metallic,
        "roughnessFactor": material.roughness,
    }
    written: Json = {"name": material.name, "doubleSided": True, "pbrMetallicRoughness": surface}
    alphas: set[int] = set()
    if material.texture is not None:
        surface["baseColorTexture"] = {"index": _texture(file, material.texture)}
        alphas = set(np.unique(material.texture.pixels[..., 3]).tolist())
    if material.opacity < 1 or alphas - {0, 255}:
        written["alphaMode"] = "BLEND"
    elif 0 in alphas:
        written["alphaMode"] = "MASK"
        written["alphaCutoff"] = 0.5
    extensions = _extensions(material, written)
    if extensions:
        written["extensions"] = extensions
        file.extensions.update(extensions)
    file.materials.append(written)
    file.material_of[id(material)] = (material, len(file.materials) - 1)
    return len(file.materials) - 1


def _extensions(material: Material, written: Json) -> Json:
    extensions: Json = {}
    if material.transmission > 0:
        extensions["KHR_materials_transmission"] = {"transmissionFactor": material.transmission}
    strongest = max(material.emission)
    if strongest > 0:
        strength = max(strongest, 1.0)
        written["emissiveFactor"] = [value / strength for value in material.emission]
        if strength > 1:
            extensions["KHR_materials_emissive_strength"] = {"emissiveStrength": strength}
    return extensions


def _texture(file: _File, texture: Texture) -> int:
    if id(texture) not in file.texture_of:
        data = png_bytes(texture)
        if data not in file.image_of:
            file.images.append({"bufferView": file.add_view(data), "mimeType": "image/png"})
            file.image_of[data] = len(file.images) - 1
        file.texture_of[id(texture)] = (texture, file.image_of[data])
    return file.texture_of[id(texture)][1]


def _light_node(light: Light, index: int) -> Json:
    """Place a light; glTF's lights shine along their node's -z."""
    matrix = np.eye(4)
    position = np.array(light.position_world)
    if light.kind == "line":
        position = (position + light.end_world) / 2
    matrix[:3, 3] = position
    matrix[:3, :3] = _looking(np.array(light.direction_world))
    return {
        "name": light.name or f"light {index}",
        "matrix": matrix.T.ravel().tolist(),
        "extensions": {"KHR_lights_punctual": {"light": index}},
        "extras": light_extras(light),
    }


def _looking(direction: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Return a rotation that turns -z into a direction."""
    length = float(np.linalg.norm(direction))
    if length == 0:
        return np.eye(3)
    back = -direction / length
    helper = np.eye(3)[int(np.argmin(np.abs(back)))]
    right = np.cross(helper, back)
    right /= np.linalg.norm(right)
    return np.stack((right, np.cross(back, right), back), axis=1)


def _punctual(light: Light) -> Json:
    kind = {"sun": "directional", "spot": "spot"}.get(light.kind, "point")
    length = 1.0
    if light.kind == "line":
        length = float(np.linalg.norm(np.subtract(light.end_world, light.position_world)))
    strongest = max(light.intensity)
    written: Json = {
        "type": kind,
        "intensity": strongest * length * LUMEN_PER_WATT,
        "color": list(_relative(light.intensity)),
    }
    if light.name:
        written["name"] = light.name
    if kind == "spot":
        outer = min(max(light.cone_rad, 1e-3), math.pi / 2)
        written["spot"] = {"innerConeAngle": 0.999 * outer, "outerConeAngle": outer}
    return written


def _relative(color: Color) -> Color:
    strongest = max(color)
    if strongest <= 0:
        return 1.0, 1.0, 1.0
    red, green, blue = (value / strongest for value in color)
    return red, green, blue
