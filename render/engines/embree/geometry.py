"""From a scene to flat arrays: world triangles about the scene's centre.

World: metres, y up. The centre is subtracted in float64 before anything becomes float32.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from scenelift.render.engines.embree.tables import MATERIAL_COLUMNS, Tables
from scenelift.render.engines.embree.textures import linear_of_srgb, pack_textures
from scenelift.render.scene import Material, Node, Scene, SceneError, Texture


@dataclass(kw_only=True, slots=True, eq=False)
class _Palette:
    """The materials and textures met so far, each once."""

    materials: dict[int, int]
    textures: dict[int, int]
    material_list: list[Material]
    texture_list: list[Texture]

    def material(self, material: Material) -> int:
        """Return the material's row."""
        if id(material) not in self.materials:
            self.materials[id(material)] = len(self.material_list)
            self.material_list.append(material)
            texture = material.texture
            if texture is not None and id(texture) not in self.textures:
                self.textures[id(texture)] = len(self.texture_list)
                self.texture_list.append(texture)
        return self.materials[id(material)]


@dataclass(kw_only=True, slots=True, eq=False)
class _Part:
    """One node's triangles in world axes, float64."""

    corners: Float64[np.ndarray, "f 3 3"]
    vertices: Float64[np.ndarray, "v 3"]
    faces: np.ndarray
    materials: np.ndarray
    instance: int
    node: Node
    kept: np.ndarray


def flatten(scene: Scene) -> tuple[Tables, Float64[np.ndarray, "3"]]:
    """Put all triangles of a scene into world axes about its centre.

    Faces that no ray may hit (opacity below a half) and faces without area are left out.

    Returns:
        The tables, and the world position of their origin.

    Raises:
        SceneError: if nothing remains, or the scene is too large for its detail in float32.
    """
    palette = _Palette(materials={}, textures={}, material_list=[], texture_list=[])
    parts = [_part(node, i + 1, palette) for i, node in enumerate(scene.nodes)]
    parts = [part for part in parts if len(part.faces)]
    if not parts:
        raise SceneError(f"{scene.name}: no triangle has an area and can be seen")
    low = np.min([part.vertices.min(axis=0) for part in parts], axis=0)
    high = np.max([part.vertices.max(axis=0) for part in parts], axis=0)
    centre = (low + high) / 2
    if not np.abs(high - low).max() < 1e7:
        raise SceneError(
            f"{scene.name}: {np.abs(high - low).max():.3g} m across; scenes of up to 1e7 m can be drawn, is the unit right?"
        )
    tables = _tables(scene, parts, palette, centre)
    return tables, centre


def _part(node: Node, instance: int, palette: _Palette) -> _Part:
    mesh = node.mesh
    linear, shift = node.T_world_object[:3, :3], node.T_world_object[:3, 3]
    vertices = mesh.vertices.astype(np.float64) @ linear.T + shift
    faces = mesh.faces.astype(np.int64).reshape(-1, 3)
    rows = np.array([palette.material(m) for m in mesh.materials], dtype=np.int64)
    solid = np.array([m.opacity >= 0.5 for m in mesh.materials], dtype=bool)
    materials = mesh.face_materials.astype(np.int64)
    kept = np.flatnonzero(solid[materials]) if len(faces) else np.zeros(0, dtype=np.int64)
    corners = vertices[faces[kept]]
    area = np.linalg.norm(_cross(corners), axis=1)
    kept, corners = kept[area > 0], corners[area > 0]
    return _Part(
        corners=corners,
        vertices=vertices if len(vertices) else np.zeros((1, 3)),
        faces=faces[kept],
        materials=rows[materials[kept]] if len(kept) else np.zeros(0, dtype=np.int64),
        instance=instance,
        node=node,
        kept=kept,
    )


def _cross(corners: Float64[np.ndarray, "f 3 3"]) -> Float64[np.ndarray, "f 3"]:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def _tables(
    scene: Scene, parts: list[_Part], palette: _Palette, centre: Float64[np.ndarray, "3"]
) -> Tables:
    offsets = np.cumsum([0] + [len(part.vertices) for part in parts])
    vertices = np.concatenate([part.vertices for part in parts]) - centre
    vertices = np.concatenate([vertices, np.zeros((1, 3))]).astype(np.float32)
    faces = np.concatenate([p.faces + o for p, o in zip(parts, offsets, strict=False)])
    material_rows = np.concatenate([part.materials for part in parts])
    corners = np.concatenate([part.corners for part in parts]) - centre
    normals = _cross(corners)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    planes = np.concatenate(
        [normals, (normals * corners.mean(axis=1)).sum(axis=1)[:, None]], axis=1
    )
    cutout, glass = _see_through(palette)
    order = np.argsort((cutout | glass)[material_rows], kind="stable")
    textured = palette.texture_list and any(p.node.mesh.corner_uvs is not None for p in parts)
    uvs = (
        _corner_table(parts, [_uvs(p) for p in parts], 6)[order]
        if textured
        else np.zeros((0, 6), dtype=np.float32)
    )
    texture_rows, texels = pack_textures(palette.texture_list)
    materials = _material_rows(palette)
    area = np.linalg.norm(_cross(corners), axis=1)
    reflectance = materials[:, :3] * _texture_means(palette, texture_rows, texels)
    return Tables(
        num_opaque=int((~(cutout | glass)[material_rows]).sum()),
        has_cutouts=bool(cutout[material_rows].any()),
        vertices=np.ascontiguousarray(vertices),
        faces=np.ascontiguousarray(faces[order], dtype=np.int32),
        planes=np.ascontiguousarray(planes[order]),
        face_instance=np.repeat([p.instance for p in parts], [len(p.faces) for p in parts]).astype(
            np.int32
        )[order],
        face_material=material_rows.astype(np.int32)[order],
        uvs=uvs,
        uv_density=_uv_density(uvs, corners[order]),
        normals=_corner_table(parts, [_normals(p) for p in parts], 9)[order]
        if any(p.node.mesh.corner_normals is not None for p in parts)
        else np.zeros((0, 9), dtype=np.float32),
        colors=_corner_table(parts, [_colors(p) for p in parts], 9)[order]
        if any(p.node.mesh.vertex_colors is not None for p in parts)
        else np.zeros((0, 9), dtype=np.float32),
        instance_semantic=np.array([0] + [n.semantic for n in scene.nodes], dtype=np.uint8),
        materials=materials,
        material_texture=np.array(
            [
                -1 if m.texture is None else palette.textures[id(m.texture)]
                for m in palette.material_list
            ],
            dtype=np.int32,
        ),
        textures=texture_rows,
        texels=texels,
        linear_of_srgb=linear_of_srgb(),
        mean_reflectance=float(np.average(reflectance.mean(axis=1)[material_rows], weights=area)),
    )


def _texture_means(
    palette: _Palette, texture_rows: np.ndarray, texels: np.ndarray
) -> Float64[np.ndarray, "m 3"]:
    """The mean linear colour of each material's texture, the one texel of its last level; 1 without one."""
    last = texels[np.append(texture_rows[1:, 0], len(texels)) - 1] if len(texels) else texels
    means = linear_of_srgb()[np.stack([last >> shift & 255 for shift in (0, 8, 16)], axis=1)]
    rows = [
        np.ones(3) if m.texture is None else means[palette.textures[id(m.texture)]]
        for m in palette.material_list
    ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def _see_through(
    palette: _Palette,
) -> tuple[Bool[np.ndarray, " m"], Bool[np.ndarray, " m"]]:
    """Which materials have holes by their texture's alpha, and which let light pass."""
    lowest = [int(texture.pixels[..., 3].min(initial=255)) for texture in palette.texture_list]
    cutout = [
        m.texture is not None and m.opacity * lowest[palette.textures[id(m.texture)]] < 127.5
        for m in palette.material_list
    ]
    glass = [m.transmission > 0 for m in palette.material_list]
    return np.array(cutout, dtype=bool), np.array(glass, dtype=bool)


def _material_rows(palette: _Palette) -> np.ndarray:
    rows = [
        (*m.base_color, m.opacity, m.metallic, m.roughness, m.transmission, *m.emission)
        for m in palette.material_list
    ]
    table = np.array(rows, dtype=np.float32).reshape(-1, MATERIAL_COLUMNS)
    table = np.nan_to_num(table, nan=0.0, posinf=1e6, neginf=0.0).clip(min=0.0, max=1e6)
    table[:, :7] = table[:, :7].clip(max=1.0)
    return np.ascontiguousarray(table, dtype=np.float32)


def _corner_table(parts: list[_Part], values: list[np.ndarray], columns: int) -> np.ndarray:
    return np.concatenate([v.reshape(-1, columns) for v in values]).astype(np.float32)


def _uvs(part: _Part) -> Float[np.ndarray, "f 3 2"]:
    """Texture coordinates, each triangle moved near the origin by whole repeats so that float32 is fine enough."""
    uvs = part.node.mesh.corner_uvs
    if uvs is None or not len(part.kept):
        return np.zeros((len(part.kept), 3, 2))
    uvs = np.nan_to_num(uvs.astype(np.float64)[part.kept], posinf=0.0, neginf=0.0)
    return np.asarray(uvs - np.floor(uvs.min(axis=1, keepdims=True)))


def _uv_density(
    uvs: Float32[np.ndarray, "f_or_0 6"], corners: Float64[np.ndarray, "f 3 3"]
) -> Float32[np.ndarray, "f_or_0"]:
    """Square root of texture area over world area, in repeats a metre."""
    if not len(uvs):
        return np.zeros(0, dtype=np.float32)
    first, second = (uvs[:, 2:4] - uvs[:, 0:2]), (uvs[:, 4:6] - uvs[:, 0:2])
    flat = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    area = np.linalg.norm(_cross(corners), axis=1)
    return np.asarray(np.sqrt(flat / np.maximum(area, 1e-30)).clip(0, 1e9).astype(np.float32))


def _normals(part: _Part) -> Float[np.ndarray, "f 3 3"]:
    normals = part.node.mesh.corner_normals
    if normals is None or not len(part.kept):
        return np.zeros((len(part.kept), 3, 3))
    linear = part.node.T_world_object[:3, :3]
    cofactor = np.linalg.inv(linear).T
    turned = np.nan_to_num(normals.astype(np.float64)[part.kept]) @ cofactor.T
    length = np.linalg.norm(turned, axis=2, keepdims=True)
    return np.where(length > 0, turned / np.maximum(length, 1e-30), 0.0)


def _colors(part: _Part) -> Float[np.ndarray, "f 3 3"]:
    colors = part.node.mesh.vertex_colors
    if colors is None:
        return np.ones((len(part.kept), 3, 3))
    return np.asarray(np.nan_to_num(colors.astype(np.float64)).clip(0, 1)[part.faces])
