"""COLLADA (DAE) as scenes, by pycollada: its unit and its up axis applied, a node for each instance of a geometry."""

import io
import re
import warnings as python_warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64

from scenelift.render.formats.assemble import Part, assemble, joined
from scenelift.render.formats.files import DataRoot, read_bytes
from scenelift.render.formats.obj import bounded_uvs, check_points, unit_or_geometric
from scenelift.render.formats.panes import with_box_uvs
from scenelift.render.formats.polygons import triangulate
from scenelift.render.formats.textures import TextureCache, texture_finder
from scenelift.render.scene import MAX_INSTANCES, Color, Material, Mesh, Scene, SceneError, Texture

MAX_BYTES = 256 << 20
MAX_DEPTH = 256
MAX_VISITS = 1 << 17

_DECLARATIONS = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
_PARSER_ERRORS = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
    RecursionError,
    OverflowError,
    ZeroDivisionError,
    SyntaxError,
    LookupError,
    RuntimeError,
    MemoryError,
)
"""All that pycollada and the XML parser have been seen to raise on damaged files, beside `DaeError`."""
_TURNS = {
    "Y_UP": np.eye(4),
    "Z_UP": np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]]),
    "X_UP": np.array([[0.0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
}


def read_scene(path: Path, *, root: DataRoot) -> Scene:
    """Read a COLLADA file.

    Args:
        path: The file.
        root: Bounds what is read: textures may lie anywhere below it.

    Raises:
        SceneError: if it is damaged, has entities or no geometry, or instances that contain themselves.
    """
    import collada
    from collada.common import DaeError

    data = read_bytes(path, limit=MAX_BYTES)
    _check_text(data, name=str(path))
    warnings: list[str] = []
    try:
        with python_warnings.catch_warnings(action="ignore"):
            document = collada.Collada(
                io.BytesIO(data), ignore=[DaeError], aux_file_loader=_no_file
            )
            parts = _Reader(document, path=path, root=root, warnings=warnings).parts()
    except SceneError:
        raise
    except (*_PARSER_ERRORS, DaeError) as error:
        raise SceneError(f"{path}: not a usable COLLADA file: {_line(error)}") from error
    if document.errors:
        warnings.append(
            f"{path}: {len(document.errors)} faults passed over: {_line(document.errors[0])}"
        )
    return assemble(parts, path=path, source="collada", warnings=warnings, in_metres=True)


def _check_text(data: bytes, *, name: str) -> None:
    """Refuse what can hide or blow up: entities, other encodings than UTF-8, a zip archive at the end."""
    if _DECLARATIONS.search(data):
        raise SceneError(f"{name}: it declares a document type or entities, which is refused")
    if b"\0" in data or b"PK\x05\x06" in data:
        raise SceneError(f"{name}: it holds binary data, or text that is not UTF-8")
    if b"<COLLADA" not in data:
        raise SceneError(f"{name}: not a COLLADA file")


def _no_file(name: str) -> bytes:
    raise SceneError(f"{name!r} is not read by the parser")


def _line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


class _Reader:
    """Walks the scene graph; reads each geometry and each material once."""

    def __init__(self, document: Any, *, path: Path, root: DataRoot, warnings: list[str]) -> None:
        self._document, self._path = document, path
        self._find = texture_finder(path.parent, root=root, cache=TextureCache(), warnings=warnings)
        self._meshes: dict[tuple[int, tuple[tuple[str, int], ...]], Mesh | None] = {}
        self._materials: dict[int, Material] = {}

    def parts(self) -> list[Part]:
        document = self._document
        if document.scene is None:
            raise SceneError(f"{self._path}: it has no scene")
        unit = float(document.assetInfo.unitmeter or 1.0)
        if not 1e-9 < unit < 1e9:
            raise SceneError(f"{self._path}: its unit is {unit} m")
        T_world = _TURNS.get(str(document.assetInfo.upaxis), np.eye(4)) @ np.diag(
            [unit, unit, unit, 1.0]
        )
        parts: list[Part] = []
        waiting = [(node, T_world, "", 0) for node in reversed(document.scene.nodes)]
        visits = 0
        while waiting:
            node, T_parent, name, depth = waiting.pop()
            visits += 1
            if depth > MAX_DEPTH or visits > MAX_VISITS or len(parts) > MAX_INSTANCES:
                raise SceneError(
                    f"{self._path}: its nodes contain themselves, or there are more than {MAX_INSTANCES}"
                )
            if hasattr(node, "geometry"):
                self._add(parts, node, T_parent, name)
            if not hasattr(node, "children"):
                continue
            T_node = T_parent @ np.asarray(node.matrix, np.float64)
            label = node.xmlnode.get("name") or getattr(node, "id", None) or name
            waiting.extend((c, T_node, label, depth + 1) for c in reversed(node.children))
        return parts

    def _add(
        self, parts: list[Part], node: Any, T_world: Float[np.ndarray, "4 4"], name: str
    ) -> None:
        bound = {item.symbol: item.target for item in node.materials}
        key = (id(node.geometry), tuple((symbol, id(m)) for symbol, m in sorted(bound.items())))
        if key not in self._meshes:
            pieces = [self._piece(item, bound) for item in node.geometry.primitives]
            self._meshes[key] = joined([piece for piece in pieces if piece is not None])
        mesh = self._meshes[key]
        if mesh is not None:
            title = str(node.geometry.name or node.geometry.id or "")
            parts.append(
                Part(
                    name=name or title or "mesh",
                    mesh=mesh,
                    T_world_object=T_world,
                    names=(name, title),
                )
            )

    def _piece(self, primitive: Any, bound: Mapping[str, Any]) -> Mesh | None:
        """Read triangles or polygons; None for lines."""
        corners = _flat(primitive.vertex_index)
        if hasattr(primitive, "vcounts"):
            counts = _flat(primitive.vcounts)
        elif type(primitive).__name__ == "TriangleSet":
            counts = np.full(len(corners) // 3, 3, np.int64)
        else:
            return None
        vertices = np.asarray(primitive.vertex, np.float64).reshape(-1, 3)
        check_points(vertices, where=str(self._path))
        self._check(corners, len(vertices), "vertex")
        triangles, _ = triangulate(vertices, corners, counts=counts)
        if not len(triangles):
            return None
        faces = corners[triangles]
        material = self._material(bound.get(primitive.material))
        mesh = Mesh(
            vertices=vertices,
            faces=faces,
            materials=(material,),
            face_materials=np.zeros(len(faces), np.int64),
            corner_uvs=self._uvs(primitive, triangles),
            corner_normals=self._normals(primitive, triangles, vertices=vertices, faces=faces),
        )
        return with_box_uvs(mesh)

    def _check(self, index: Int64[np.ndarray, " n"], count: int, what: str) -> None:
        if len(index) and not (index.min() >= 0 and index.max() < count):
            raise SceneError(
                f"{self._path}: a face names {what} {int(index.max())}, but there are {count}"
            )

    def _uvs(
        self, primitive: Any, triangles: Int64[np.ndarray, "f 3"]
    ) -> Float[np.ndarray, "f 3 2"] | None:
        if not len(primitive.texcoordset):
            return None
        uvs = np.asarray(primitive.texcoordset[0], np.float64)[:, :2]
        index = _flat(primitive.texcoord_indexset[0])
        self._check(index, len(uvs), "texture coordinate")
        return np.asarray(bounded_uvs(uvs)[index[triangles]])

    def _normals(
        self,
        primitive: Any,
        triangles: Int64[np.ndarray, "f 3"],
        *,
        vertices: Float[np.ndarray, "v 3"],
        faces: Int64[np.ndarray, "f 3"],
    ) -> Float[np.ndarray, "f 3 3"] | None:
        if primitive.normal is None or primitive.normal_index is None:
            return None
        normals = np.asarray(primitive.normal, np.float64).reshape(-1, 3)
        index = _flat(primitive.normal_index)
        self._check(index, len(normals), "normal")
        return unit_or_geometric(normals[index[triangles]], vertices=vertices, faces=faces)

    def _material(self, material: Any) -> Material:
        if material is None:
            return Material(name="default")
        if id(material) not in self._materials:
            self._materials[id(material)] = self._read_material(material)
        return self._materials[id(material)]

    def _read_material(self, material: Any) -> Material:
        """Read Phong, Blinn, Lambert: diffuse colour or texture, transparency, emission, shininess."""
        effect = material.effect
        texture = self._texture(effect.diffuse)
        color = (1.0, 1.0, 1.0) if texture else _color(effect.diffuse, (0.8, 0.8, 0.8))
        opacity = _opacity(effect)
        shininess = effect.shininess if isinstance(effect.shininess, float) else 0.0
        strength = min(1.0, max(_color(effect.specular, (0.0, 0.0, 0.0))))
        shininess = max(0.0, shininess * 128 if shininess <= 1 else shininess)
        return Material(
            name=str(material.name or material.id or "material"),
            base_color=color,
            texture=texture,
            roughness=1 - strength * (1 - (2 / (shininess + 2)) ** 0.25),
            transmission=1 - opacity if texture is None else 0.0,
            opacity=1.0 if texture is None else opacity,
            emission=_color(effect.emission, (0.0, 0.0, 0.0)),
        )

    def _texture(self, value: Any) -> Texture | None:
        sampler = getattr(value, "sampler", None)
        if sampler is None:
            return None
        image = getattr(sampler.surface, "image", None)
        reference = str(getattr(image, "path", "") or "")
        return self._find(reference.replace("%20", " ")) if reference else None


def _flat(values: Any) -> Int64[np.ndarray, " n"]:
    return np.asarray(values).astype(np.int64).ravel()


def _color(value: Any, otherwise: Color) -> Color:
    if not isinstance(value, (tuple, list)) or len(value) < 3:
        return otherwise
    red, green, blue = (float(item) for item in value[:3])
    if not np.isfinite([red, green, blue]).all():
        return otherwise
    return (min(1.0, max(0.0, red)), min(1.0, max(0.0, green)), min(1.0, max(0.0, blue)))


def _opacity(effect: Any) -> float:
    """Opacity by A_ONE or RGB_ZERO, as COLLADA 1.4.1 defines them; wholly clear is an exporter's slip and means opaque."""
    amount = effect.transparency if isinstance(effect.transparency, float) else 1.0
    colors = effect.transparent
    listed = isinstance(colors, (tuple, list)) and len(colors) >= 3
    if str(effect.opaque_mode) == "RGB_ZERO":
        clear = sum(float(item) for item in colors[:3]) / 3 if listed else 0.0
        opacity = 1 - clear * amount
    else:
        opacity = (float(colors[3]) if listed and len(colors) > 3 else 1.0) * amount
    return min(1.0, opacity) if opacity > 0 else 1.0
