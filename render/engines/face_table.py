"""A scene as arrays with one row a triangle, for engines that shade with NumPy.

It shares no code with the default engine, so that the two can be held against each other.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8, UInt16

from scenelift.render.scene import Material, Mesh, Scene, SceneError


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MaterialColumns:
    """All materials of a scene, a row each."""

    base_color: Float32[np.ndarray, "m 3"]
    opacity: Float32[np.ndarray, " m"]
    transmission: Float32[np.ndarray, " m"]
    emission: Float32[np.ndarray, "m 3"]
    texture_start: Int[np.ndarray, " m"]
    """First row in `texels`; -1 without texture."""
    texture_size: Int[np.ndarray, "m 2"]
    """Height, width."""
    texels: UInt8[np.ndarray, "t 4"]
    """All textures' pixels, row by row; sRGB and linear alpha."""

    def look_up(
        self, material: Int[np.ndarray, " n"], uv: Float32[np.ndarray, "n 2"]
    ) -> tuple[Float32[np.ndarray, "n 3"], Float32[np.ndarray, " n"]]:
        """Return linear reflectance and alpha; textures by their nearest texel."""
        color = self.base_color[material]
        alpha = self.opacity[material]
        textured = np.flatnonzero(self.texture_start[material] >= 0)
        if len(textured):
            texel = self.texels[self._texel_row(material[textured], uv[textured])]
            color[textured] *= _LINEAR_FROM_SRGB[texel[:, :3]]
            alpha[textured] *= texel[:, 3] / np.float32(255)
        return color, alpha

    def _texel_row(
        self, material: Int[np.ndarray, " n"], uv: Float32[np.ndarray, "n 2"]
    ) -> Int[np.ndarray, " n"]:
        height, width = self.texture_size[material].T
        u, v = (uv - np.floor(uv)).T
        column = np.minimum((u * width).astype(np.int64), width - 1)
        row = np.minimum(((1 - v) * height).astype(np.int64), height - 1)
        return np.asarray(self.texture_start[material] + row * width + column)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FaceTable:
    """Every triangle of a scene that has an area."""

    corners: Float[np.ndarray, "f 3 3"]
    """World, metres, minus `centre_world`."""
    centre_world: Float[np.ndarray, "3"]
    """Middle of the scene's box: near it float32 is exact enough."""
    normal: Float32[np.ndarray, "f 3"]
    """Unit, world, towards the side that sees the corners counter-clockwise."""
    instance: UInt16[np.ndarray, " f"]
    """Position in `Scene.nodes` plus one."""
    material: Int[np.ndarray, " f"]
    """Row in `materials`."""
    corner_uvs: Float32[np.ndarray, "f 3 2"]
    """Moved near the origin by whole repeats; 0 where a mesh has none."""
    corner_colors: Float32[np.ndarray, "f 3 3"] | None
    """Linear reflectance that multiplies the material's; None where no mesh has any."""
    materials: MaterialColumns
    semantic: UInt8[np.ndarray, " n"]
    """NYU40 id by instance id."""

    def reflectance(
        self, faces: Int[np.ndarray, " n"], barycentric: Float32[np.ndarray, "n 2"]
    ) -> tuple[Float32[np.ndarray, "n 3"], Float32[np.ndarray, " n"]]:
        """Return linear reflectance and alpha at points of triangles.

        Args:
            faces: Rows of this table.
            barycentric: Weights of the second and third corner.
        """
        second, third = barycentric[:, :1], barycentric[:, 1:]
        first = 1 - second - third
        corner_uvs = self.corner_uvs[faces]
        uv = first * corner_uvs[:, 0] + second * corner_uvs[:, 1] + third * corner_uvs[:, 2]
        color, alpha = self.materials.look_up(self.material[faces], uv)
        if self.corner_colors is not None:
            corner = self.corner_colors[faces]
            color *= first * corner[:, 0] + second * corner[:, 1] + third * corner[:, 2]
        return color, alpha


def face_table(scene: Scene) -> FaceTable:
    """Lay a scene out with one row a triangle; triangles without area are left out.

    Raises:
        SceneError: if no triangle has an area.
    """
    solid = [(id_, node) for id_, node in enumerate(scene.nodes, start=1) if len(node.mesh.faces)]
    meshes = [node.mesh for _, node in solid]
    corners = np.concatenate([_corners(node.mesh, node.T_world_object) for _, node in solid])
    centre = (corners.min(axis=(0, 1)) + corners.max(axis=(0, 1))) / 2
    corners -= centre
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(cross, axis=1)
    kept = length > 0
    if not kept.any():
        raise SceneError(f"{scene.name}: none of its {len(kept)} triangles has an area")
    unique = list(
        {id(material): material for mesh in meshes for material in mesh.materials}.values()
    )
    row_of = {id(material): row for row, material in enumerate(unique)}
    rows = [np.array([row_of[id(m)] for m in mesh.materials], np.int64) for mesh in meshes]
    counts = [len(mesh.faces) for mesh in meshes]
    return FaceTable(
        corners=corners[kept],
        centre_world=centre,
        normal=(cross[kept] / length[kept, None]).astype(np.float32),
        instance=np.repeat(np.array([id_ for id_, _ in solid], np.uint16), counts)[kept],
        material=np.concatenate(
            [row[mesh.face_materials] for row, mesh in zip(rows, meshes, strict=True)]
        )[kept],
        corner_uvs=np.concatenate([_uvs(mesh) for mesh in meshes])[kept],
        corner_colors=_colors(meshes, kept=kept),
        materials=_columns(unique),
        semantic=np.array([0, *(node.semantic for node in scene.nodes)], np.uint8),
    )


def _corners(mesh: Mesh, pose: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "f 3 3"]:
    return np.asarray((mesh.vertices @ pose[:3, :3].T + pose[:3, 3])[mesh.faces])


def _uvs(mesh: Mesh) -> Float32[np.ndarray, "f 3 2"]:
    if mesh.corner_uvs is None:
        return np.zeros((len(mesh.faces), 3, 2), np.float32)
    uvs = np.nan_to_num(mesh.corner_uvs, posinf=0.0, neginf=0.0)
    return np.asarray((uvs - np.floor(uvs.min(axis=1, keepdims=True))).astype(np.float32))


def _colors(meshes: list[Mesh], *, kept: np.ndarray) -> Float32[np.ndarray, "f 3 3"] | None:
    if all(mesh.vertex_colors is None for mesh in meshes):
        return None
    colors = [
        np.ones((len(mesh.faces), 3, 3), np.float32)
        if mesh.vertex_colors is None
        else mesh.vertex_colors[mesh.faces].astype(np.float32)
        for mesh in meshes
    ]
    return np.asarray(np.concatenate(colors)[kept])


def _columns(materials: list[Material]) -> MaterialColumns:
    textures = {id(m.texture): m.texture for m in materials if m.texture is not None}
    sizes = {key: texture.pixels.shape[:2] for key, texture in textures.items()}
    starts, total = {}, 0
    for key, (height, width) in sizes.items():
        starts[key] = total
        total += height * width
    pixels = [texture.pixels.reshape(-1, 4) for texture in textures.values()]
    return MaterialColumns(
        base_color=np.array([m.base_color for m in materials], np.float32),
        opacity=np.array([m.opacity for m in materials], np.float32),
        transmission=np.array([m.transmission for m in materials], np.float32),
        emission=np.array([m.emission for m in materials], np.float32),
        texture_start=np.array([starts.get(id(m.texture), -1) for m in materials], np.int64),
        texture_size=np.array([sizes.get(id(m.texture), (1, 1)) for m in materials], np.int64),
        texels=np.concatenate([np.zeros((0, 4), np.uint8), *pixels]),
    )


def _linear_from_srgb() -> Float32[np.ndarray, " 256"]:
    encoded = np.arange(256) / 255
    low, high = encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, low, high).astype(np.float32)


_LINEAR_FROM_SRGB = _linear_from_srgb()
