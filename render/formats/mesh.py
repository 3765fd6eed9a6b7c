"""Whole scenes as general mesh files: glTF and GLB, OBJ, PLY, COLLADA, STL and OFF.

glTF and COLLADA are read by readers of their own, STL and OFF by trimesh. glTF says metres and y up, COLLADA says its own, the others say nothing: they are taken as metres and y up (`assemble` mends
what is clearly otherwise). Normals of files serve shading; where a file has none, none are made up.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from scenelift.render.formats import collada_file, gltf, ply, simple
from scenelift.render.formats.assemble import Part, assemble
from scenelift.render.formats.files import DataRoot, read_bytes
from scenelift.render.formats.mtl import material_from_mtl
from scenelift.render.formats.obj import ObjModel, load_obj, mesh_from_obj, split_by_label
from scenelift.render.formats.panes import with_box_uvs
from scenelift.render.formats.textures import TextureCache, texture_finder
from scenelift.render.scene import Material, Scene, SceneError

MeshFormat = Literal["gltf", "obj", "ply", "collada", "stl", "off"]

_SUFFIXES: Mapping[str, MeshFormat] = {
    ".glb": "gltf", ".gltf": "gltf", ".obj": "obj", ".ply": "ply", ".dae": "collada", ".stl": "stl", ".off": "off",
}  # fmt: skip
_MAGIC: tuple[tuple[bytes, MeshFormat], ...] = (
    (b"glTF", "gltf"),
    (b"ply\n", "ply"),
    (b"ply\r", "ply"),
    (b"OFF", "off"),
    (b"COFF", "off"),
    (b"NOFF", "off"),
)
_GLTF_ASSET = re.compile(rb'"asset"\s*:\s*\{')
_OBJ_LINE = re.compile(
    rb"^[ \t]*(v[ \t]+[-+.\d]|v[nt][ \t]+[-+.\d]|[og][ \t]|mtllib[ \t]|usemtl[ \t]|f[ \t]+-?\d)"
)


def detect_format(data: bytes) -> MeshFormat | None:
    r"""Tell a mesh file's format by its content.

    Args:
        data: The file; its beginning will do but for glTF's JSON, which may say at its end what it is.

    >>> detect_format(b"ply\nformat ascii 1.0"), detect_format(b"# Blender\nmtllib a.mtl"), detect_format(b"\x89PNG")
    ('ply', 'obj', None)
    """
    text = data.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, kind in _MAGIC:
        if text.startswith(magic):
            return kind
    head = text[:65536]
    if text.startswith(b"{"):
        return "gltf" if _GLTF_ASSET.search(text) else None
    if text.startswith(b"<") and b"<COLLADA" in head:
        return "collada"
    if text.startswith(b"solid") and b"facet" in head:
        return "stl"
    if len(data) >= 134 and len(data) == 84 + 50 * int.from_bytes(data[80:84], "little"):
        return "stl"
    lines = (
        line for line in head.splitlines() if line.strip() and not line.lstrip().startswith(b"#")
    )
    return "obj" if _OBJ_LINE.match(next(lines, b"")) else None


def suffix_format(path: Path) -> MeshFormat | None:
    """Tell by the name what a file should be, for damaged ones."""
    return _SUFFIXES.get(path.suffix.lower())


def read_scene(path: Path, *, data_root: Path) -> Scene:
    """Read a mesh file as a scene; what it is shows in its content, or in its suffix if it is damaged.

    Args:
        path: The file.
        data_root: Folder that bounds what is read; textures and buffers may lie anywhere below it.

    Raises:
        SceneError: if it cannot be used.
    """
    root = DataRoot(data_root)
    path = root.resolve(path.parent, path.name)
    data = read_bytes(path)
    if not data:
        raise SceneError(f"{path}: the file is empty")
    match detect_format(data) or suffix_format(path):
        case "obj":
            return _read_obj(path, root=root)
        case "gltf":
            return gltf.read_scene(path, root=root)
        case "ply":
            return ply.read_scene(path, root=root)
        case "collada":
            return collada_file.read_scene(path, root=root)
        case "stl" | "off" as kind:
            return simple.read_scene(path, format=kind, root=root)
        case _:
            raise SceneError(f"{path}: its content is none of {', '.join(get_args(MeshFormat))}")


def _read_obj(path: Path, *, root: DataRoot) -> Scene:
    obj, mtls, said = load_obj(path, root=root)
    warnings = list(said)
    find = texture_finder(path.parent, root=root, cache=TextureCache(), warnings=warnings)
    used = set(obj.material_names)
    materials = {mtl.name: material_from_mtl(mtl, texture=find) for mtl in mtls if mtl.name in used}
    lacking = sorted(used - set(materials) - {""})
    if lacking:
        warnings.append(
            f"{path}: {len(lacking)} materials are nowhere described: {lacking[0]!r} ..."
        )
    return assemble(
        _obj_parts(obj, materials=materials), path=path, source="obj", warnings=warnings
    )


def _obj_parts(obj: ObjModel, *, materials: dict[str, Material]) -> list[Part]:
    """Cut a file by its objects, else by its groups, else by its materials: whatever tells things apart."""
    ways = (
        (obj.face_objects, obj.object_names),
        (obj.face_groups, obj.group_names),
        (obj.face_materials, obj.material_names),
    )
    labels, names = next(
        (way for way in ways if (way[0] != way[0][0]).any()), (obj.face_objects, obj.object_names)
    )
    parts = []
    for index, chosen in split_by_label(labels):
        mesh = with_box_uvs(mesh_from_obj(obj, materials=materials, select=chosen))
        name = names[index] or "mesh"
        parts.append(Part(name=name, mesh=mesh, T_world_object=np.eye(4), names=(name,)))
    return parts
