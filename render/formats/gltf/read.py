"""glTF 2.0 and GLB as scenes: metres, y up, one node for each mesh in the scene graph.

What `Material` cannot hold is averaged or left out: roughness, metalness and emission become one value for the whole
surface, the mean of their textures; normal and occlusion maps, skins and morph targets are passed over. Glass is
KHR_materials_transmission, or alphaMode BLEND with a colour that covers less than all. Photometric lights become
radiometric by 683 lm / W. Files that this project wrote come back with all that their extras keep.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from scenelift.render.formats.assemble import Part, assemble, joined, with_unique_names
from scenelift.render.formats.files import DataRoot
from scenelift.render.formats.gltf import extras as glb_extras
from scenelift.render.formats.gltf.file import GltfFile, Json
from scenelift.render.formats.gltf.materials import MaterialReader, uv_transform
from scenelift.render.formats.obj import bounded_uvs, check_points, unit_or_geometric
from scenelift.render.formats.panes import with_box_uvs
from scenelift.render.scene import MAX_INSTANCES, Light, Mesh, Node, Scene, SceneError

LUMENS_PER_WATT = 683.0
READ_EXTENSIONS = frozenset((
    "KHR_lights_punctual", "KHR_materials_transmission", "KHR_materials_emissive_strength", "KHR_materials_unlit",
    "KHR_materials_pbrSpecularGlossiness", "KHR_texture_transform", "KHR_mesh_quantization", "EXT_texture_webp",
    "KHR_materials_ior", "KHR_materials_volume", "KHR_materials_specular", "KHR_materials_clearcoat",
    "KHR_materials_sheen", "KHR_materials_iridescence", "KHR_materials_anisotropy", "KHR_materials_dispersion",
    "KHR_materials_variants", "KHR_xmp_json_ld",
))  # fmt: skip
"""A file may require these; of the last ones the geometry does not depend."""


def read_scene(path: Path, *, root: DataRoot) -> Scene:
    """Read a glTF or GLB file.

    Args:
        path: The file.
        root: Bounds what is read: buffers and pictures may lie anywhere below it.

    Raises:
        SceneError: if it is damaged, empty, or requires an extension that is not read.
    """
    file = GltfFile(path, root=root)
    warnings = _check_extensions(file)
    is_ours = glb_extras.KEY in file.table(_asset(file).get("extras"), "asset.extras")
    placed = _walk(file)
    instances = sum("mesh" in file.top("nodes")[index] for index in placed)
    if instances > MAX_INSTANCES:
        raise file.fail(f"{instances} instances, but ids are 16 bit and allow {MAX_INSTANCES}")
    reader = _MeshReader(file, warnings, is_ours=is_ours)
    parts: list[Part] = []
    lights: list[Light] = []
    for index, T_world_node in placed.items():
        table = file.top("nodes")[index]
        light = _light(file, table, index=index, T_world_node=T_world_node)
        if light is not None:
            lights.append(light)
        part = _part(file, index, reader=reader, T_world_node=T_world_node, warnings=warnings)
        if part is not None:
            parts.append(part)
    if not is_ours:
        return assemble(
            parts, path=path, source="gltf", lights=lights, warnings=warnings, in_metres=True
        )
    return _restored(file, parts, lights=lights, warnings=warnings)


def _asset(file: GltfFile) -> Json:
    return file.table(file.document.get("asset"), "asset")


def _check_extensions(file: GltfFile) -> list[str]:
    """Refuse what the file cannot do without and we cannot read; warn of the rest."""

    def names(key: str) -> list[str]:
        value = file.document.get(key, [])
        if not isinstance(value, list):
            raise file.fail(f"{key} is no array")
        return [name for name in value if isinstance(name, str)]

    required = [name for name in names("extensionsRequired") if name not in READ_EXTENSIONS]
    if required:
        raise file.fail(
            f"it requires {', '.join(required)[:200]}, which is not read; export it without, or decompress it"
        )
    unread = [name for name in names("extensionsUsed") if name not in READ_EXTENSIONS]
    return [f"{file.path}: the extension {name[:80]} is passed over" for name in unread[:20]]


def _walk(file: GltfFile) -> dict[int, Float[np.ndarray, "4 4"]]:
    """Place all nodes of the default scene in the world, parents first.

    Raises:
        SceneError: if a node is its own ancestor or has two parents.
    """
    nodes = file.top("nodes")
    children = [_indices(file, node, "children", f"nodes[{i}]") for i, node in enumerate(nodes)]
    scenes = file.top("scenes")
    default = file.index(file.document, "scene", "document", of="scenes")
    if scenes:
        roots = _indices(file, scenes[default or 0], "nodes", f"scenes[{default or 0}]")
    else:
        inner = {child for listed in children for child in listed}
        roots = [index for index in range(len(nodes)) if index not in inner]
    placed: dict[int, Float[np.ndarray, "4 4"]] = {}
    waiting = [(index, np.eye(4)) for index in reversed(roots)]
    while waiting:
        index, T_world_parent = waiting.pop()
        if index in placed:
            raise file.fail(
                f"nodes[{index}] is reached twice: it is its own ancestor or has two parents"
            )
        T_parent_node = _matrix(file, nodes[index], f"nodes[{index}]")
        with np.errstate(over="ignore", invalid="ignore"):
            placed[index] = T_world_parent @ T_parent_node
        waiting.extend((child, placed[index]) for child in reversed(children[index]))
    return placed


def _indices(file: GltfFile, table: Json, key: str, where: str) -> list[int]:
    """Take a list of node indices."""
    value = table.get(key, [])
    count = len(file.top("nodes"))
    if not isinstance(value, list) or not all(
        isinstance(item, int) and not isinstance(item, bool) and 0 <= item < count for item in value
    ):
        raise file.fail(f"{where}.{key} names a node that does not exist; there are {count}")
    return value


def _matrix(file: GltfFile, node: Json, where: str) -> Float[np.ndarray, "4 4"]:
    """Return the map from a node's frame to its parent's."""
    if "matrix" in node:
        return file.numbers(node, "matrix", where, default=(0.0,) * 16).reshape(4, 4).T
    x, y, z, w = file.numbers(node, "rotation", where, default=(0.0, 0.0, 0.0, 1.0))
    length = np.sqrt(x * x + y * y + z * z + w * w)
    if not 0 < length < np.inf:
        raise file.fail(f"{where}.rotation is no rotation")
    x, y, z, w = x / length, y / length, z / length, w / length
    matrix = np.eye(4)
    matrix[:3, :3] = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    matrix[:3, :3] *= file.numbers(node, "scale", where, default=(1.0, 1.0, 1.0))
    matrix[:3, 3] = file.numbers(node, "translation", where, default=(0.0, 0.0, 0.0))
    return matrix


def _part(
    file: GltfFile,
    index: int,
    *,
    reader: "_MeshReader",
    T_world_node: Float[np.ndarray, "4 4"],
    warnings: list[str],
) -> Part | None:
    """Make the part of a node; None if it has no mesh of triangles."""
    where = f"nodes[{index}]"
    table = file.top("nodes")[index]
    number = file.index(table, "mesh", where, of="meshes")
    mesh = None if number is None else reader.mesh(number)
    if number is None or mesh is None:
        return None
    if "EXT_mesh_gpu_instancing" in file.table(table.get("extensions"), where):
        warnings.append(f"{file.path}: {where}: one of its instances stands for all")
    node_name, mesh_name = file.text(table, "name"), file.text(file.top("meshes")[number], "name")
    return Part(
        name=node_name or mesh_name or f"node_{index}",
        mesh=mesh,
        T_world_object=T_world_node,
        names=(node_name, mesh_name),
        extras=table.get("extras"),
    )


def _light(
    file: GltfFile, node: Json, *, index: int, T_world_node: Float[np.ndarray, "4 4"]
) -> Light | None:
    """Read a node's light: ours from its extras, others from KHR_lights_punctual."""
    where = f"nodes[{index}]"
    ours = glb_extras.restored_light(node.get("extras"), where=f"{file.path}: {where}")
    if ours is not None:
        return ours
    key = "KHR_lights_punctual"
    used = file.table(file.table(node.get("extensions"), where).get(key), where)
    if "light" not in used:
        return None
    top = file.table(file.table(file.document.get("extensions"), "extensions").get(key), key)
    lights = file.tables(top.get("lights"), f"{key}.lights")
    number = file.whole(used, "light", where)
    if number >= len(lights):
        raise file.fail(f"{where} names light {number}, but there are {len(lights)}")
    table, where = lights[number], f"{key}.lights[{number}]"
    kind = file.text(table, "type")
    if kind not in ("point", "spot", "directional"):
        raise file.fail(f"{where}.type is {kind!r}")
    strength = file.number(table, "intensity", where, default=1.0) / LUMENS_PER_WATT
    color = file.numbers(table, "color", where, default=(1.0, 1.0, 1.0)) * strength
    spot = file.table(table.get("spot"), where)
    cone = file.number(spot, "outerConeAngle", where, default=np.pi / 4)
    direction = -T_world_node[:3, 2]
    direction = direction / (np.linalg.norm(direction) or 1.0)
    if not np.isfinite(T_world_node).all():
        raise file.fail(f"nodes[{index}] stands nowhere: its transform overflows")
    return Light(
        kind="sun" if kind == "directional" else "spot" if kind == "spot" else "point",
        intensity=_triple(np.maximum(color, 0)),
        position_world=_triple(T_world_node[:3, 3]),
        direction_world=_triple(direction),
        cone_rad=min(max(cone, 1e-3), np.pi / 2),
        radius_m=0.005 if kind == "directional" else 0.05,
        name=file.text(node, "name") or file.text(table, "name"),
    )


def _triple(values: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    return (float(values[0]), float(values[1]), float(values[2]))


def _restored(
    file: GltfFile, parts: list[Part], *, lights: list[Light], warnings: list[str]
) -> Scene:
    """Make a scene of a file that we wrote: names, classes, rooms and order as they were."""
    path = str(file.path)
    found: list[tuple[int, Node]] = []
    for part in parts:
        plain = Node(
            name=part.name,
            mesh=part.mesh,
            T_world_object=part.T_world_object,
            category="",
            semantic=0,
        )
        place, node = glb_extras.restore_node(plain, part.extras, where=f"{path}: {part.name!r}")
        found.append((len(found) if place is None else place, node))
    found.sort(key=lambda item: item[0])
    scenes = file.top("scenes")
    default = file.index(file.document, "scene", "document", of="scenes") or 0
    extras = scenes[default].get("extras") if scenes else None
    scene = Scene(
        name=file.path.stem,
        nodes=tuple(with_unique_names([node for _, node in found])),
        lights=tuple(lights),
        source="gltf",
        warnings=tuple(warnings),
    )
    return glb_extras.restore_scene(scene, extras, where=path)


class _MeshReader:
    """Reads each mesh of a file once."""

    def __init__(self, file: GltfFile, warnings: list[str], *, is_ours: bool) -> None:
        self._file = file
        self._materials = MaterialReader(file, warnings, is_ours=is_ours)
        self._meshes: dict[int, Mesh | None] = {}

    def mesh(self, index: int) -> Mesh | None:
        """Join the primitives of a mesh; None if it has no triangles."""
        if index not in self._meshes:
            where = f"meshes[{index}]"
            listed = self._file.tables(
                self._file.top("meshes")[index].get("primitives"), f"{where}.primitives"
            )
            pieces = [
                self._primitive(table, f"{where}.primitives[{number}]")
                for number, table in enumerate(listed)
            ]
            try:
                self._meshes[index] = joined([piece for piece in pieces if piece is not None])
            except SceneError as error:
                raise self._file.fail(f"{where}: {error}") from error
        return self._meshes[index]

    def _primitive(self, table: Json, where: str) -> Mesh | None:
        file = self._file
        attributes = file.table(table.get("attributes"), f"{where}.attributes")
        mode = file.whole(table, "mode", where, default=4)
        positions = self._attribute(attributes, "POSITION", where, width=(3,))
        if positions is None or mode not in (4, 5, 6):
            return None
        check_points(positions, where=f"{file.path}: {where}")
        chosen = file.index(table, "indices", where, of="accessors")
        indices = np.arange(len(positions)) if chosen is None else file.whole_values(chosen)
        if len(indices) and int(indices.max()) >= len(positions):
            raise file.fail(f"{where} names vertex {int(indices.max())} of {len(positions)}")
        faces = _triangles(indices, mode)
        if not len(faces):
            return None
        number = file.index(table, "material", where, of="materials")
        entry: Json = {} if number is None else file.top("materials")[number]
        channel, T_uv = uv_transform(file, entry, where)
        uvs = self._attribute(attributes, f"TEXCOORD_{channel}", where, width=(2,))
        normals = self._attribute(attributes, "NORMAL", where, width=(3,))
        colors = self._attribute(attributes, "COLOR_0", where, width=(3, 4))
        for name, values in (("TEXCOORD", uvs), ("NORMAL", normals), ("COLOR_0", colors)):
            if values is not None and len(values) != len(positions):
                raise file.fail(f"{where} has {len(positions)} positions, but {len(values)} {name}")
        if uvs is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                uvs = bounded_uvs(bounded_uvs(uvs) @ T_uv[:2, :2].T + T_uv[:2, 2])
        mesh = Mesh(
            vertices=positions,
            faces=faces,
            materials=(self._materials.material(number),),
            face_materials=np.zeros(len(faces), np.int64),
            corner_uvs=None if uvs is None else uvs[faces],
            corner_normals=None
            if normals is None
            else unit_or_geometric(normals[faces], vertices=positions, faces=faces),
            vertex_colors=None if colors is None else np.nan_to_num(colors[:, :3]).clip(0, 1),
        )
        return with_box_uvs(mesh)

    def _attribute(
        self, attributes: Json, name: str, where: str, *, width: tuple[int, ...]
    ) -> Float[np.ndarray, "n c"] | None:
        index = self._file.index(attributes, name, where, of="accessors")
        if index is None:
            return None
        values = self._file.values(index)
        if values.shape[1] not in width:
            raise self._file.fail(f"{where}.{name} has {values.shape[1]} numbers a vertex")
        return values


def _triangles(indices: Int[np.ndarray, " n"], mode: int) -> Int[np.ndarray, "f 3"]:
    """Cut a list (4), strip (5) or fan (6) into triangles."""
    if mode == 4:
        return indices[: len(indices) // 3 * 3].reshape(-1, 3)
    if len(indices) < 3:
        return np.zeros((0, 3), np.int64)
    if mode == 6:
        first = np.full(len(indices) - 2, indices[0])
        return np.stack((first, indices[1:-1], indices[2:]), axis=1)
    faces = np.stack((indices[:-2], indices[1:-1], indices[2:]), axis=1)
    faces[1::2] = faces[1::2, ::-1]
    return np.asarray(faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2])])
