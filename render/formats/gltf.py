"""glTF 2.0 and GLB as scenes: metres, y up, one node for each mesh in the scene graph.

What `Material` cannot hold is averaged or left out: roughness, metalness and emission become one value for the whole
surface, the mean of their textures; normal and occlusion maps, skins and morph targets are passed over. Glass is
KHR_materials_transmission, or alphaMode BLEND with a colour that covers less than all. Photometric lights become
radiometric by 683 lm / W. Files that this project wrote come back with all that their extras keep.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from scenelift.render.formats import glb_extras
from scenelift.render.formats.assemble import Part, assemble
from scenelift.render.formats.files import DataRoot
from scenelift.render.formats.gltf_file import GltfFile, Json
from scenelift.render.formats.gltf_materials import MaterialReader, uv_transform
from scenelift.render.formats.obj import unit_or_geometric
from scenelift.render.formats.panes import with_box_uvs
from scenelift.render.scene import Light, Material, Mesh, Scene, SceneError

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
    placed = _walk(file)
    reader = _MeshReader(file, warnings)
    parts, lights, own = [], [], {}
    for index, T_world_node in placed:
        table = file.top("nodes")[index]
        where = f"{path}: nodes[{index}]"
        light = glb_extras.restored_light(table.get("extras"), where=where)
        light = light or _light(file, table, index=index, T_world_node=T_world_node)
        if light is not None:
            lights.append(light)
        mesh_index = file.index(table, "mesh", f"nodes[{index}]", of="meshes")
        mesh = None if mesh_index is None else reader.mesh(mesh_index)
        if mesh_index is None or mesh is None:
            continue
        if "EXT_mesh_gpu_instancing" in file.table(table.get("extensions"), "extensions"):
            warnings.append(
                f"{where}: EXT_mesh_gpu_instancing is not read: one instance stands for all"
            )
        mesh_name = file.text(file.top("meshes")[mesh_index], "name")
        node_name = file.text(table, "name")
        part = Part(
            name=node_name or mesh_name or f"node_{index}",
            mesh=mesh,
            T_world_object=T_world_node,
            names=(node_name, mesh_name, *_parents(file, index, placed)),
        )
        own[len(parts)] = (index, table.get("extras"))
        parts.append(part)
    if _is_ours(file):
        return _restored(file, parts, extras=own, lights=lights, warnings=warnings)
    return assemble(
        parts, name=path.stem, source="gltf", lights=lights, warnings=warnings, metres=True
    )
