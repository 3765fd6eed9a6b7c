"""Whole scenes as general mesh files: glTF and GLB, OBJ, PLY, COLLADA, STL and OFF.

glTF says metres and y up, COLLADA says its own, the others say nothing: they are taken as metres and y up (`assemble` mends
what is clearly otherwise). Normals of files serve shading; where a file has none, none are made up.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from scenelift.render.formats.assemble import Part, assemble
from scenelift.render.formats.files import DataRoot
from scenelift.render.formats.mtl import material_from_mtl
from scenelift.render.formats.obj import ObjModel, load_obj, mesh_from_obj, split_by_label
from scenelift.render.formats.panes import with_box_uvs
from scenelift.render.formats.textures import TextureCache, texture_finder
from scenelift.render.scene import Material, Scene

MeshFormat = Literal["gltf", "obj", "ply", "collada", "stl", "off"]


def read_scene(path: Path, *, format: MeshFormat, data_root: Path) -> Scene:
    """Read a mesh file as a scene.

    Args:
        path: The file.
        format: What it is.
        data_root: Folder that bounds what is read; textures and buffers may lie anywhere below it.

    Raises:
        SceneError: if it cannot be used.
    """
    root = DataRoot(data_root)
    path = root.resolve(path.parent, path.name)
    if format == "obj":
        return _read_obj(path, root=root)
    if format == "gltf":
        from scenelift.render.formats import gltf

        return gltf.read_scene(path, root=root)
    from scenelift.render.formats import loaded

    return loaded.read_scene(path, format=format, root=root)


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
        _obj_parts(obj, materials=materials), name=path.stem, source="obj", warnings=warnings
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
