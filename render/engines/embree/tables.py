"""What kernels read: flat arrays over all triangles of a scene."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt8, UInt32

BASE, OPACITY, METALLIC, ROUGHNESS, TRANSMISSION, EMISSION = 0, 3, 4, 5, 6, 7
"""Columns of `Tables.materials`; base colour and emission take three each."""
MATERIAL_COLUMNS = 10


class Tables(NamedTuple):
    """A scene's triangles in world axes about `centre`, opaque ones first. Optional arrays have no rows where unused."""

    num_opaque: int
    """Faces from here on are glass or cut-outs: geometry 1 of the BVH."""
    has_cutouts: bool
    vertices: Float32[np.ndarray, "v 3"]
    faces: Int32[np.ndarray, "f 3"]
    planes: Float64[np.ndarray, "f 4"]
    """Unit normal n and offset n . x of each triangle; zero where it has no area."""
    face_instance: Int32[np.ndarray, " f"]
    """Position in `Scene.nodes` plus one."""
    face_material: Int32[np.ndarray, " f"]
    uvs: Float32[np.ndarray, "f_or_0 6"]
    uv_density: Float32[np.ndarray, "f_or_0"]
    """Repeats of the texture a metre, on average over both directions."""
    normals: Float32[np.ndarray, "f_or_0 9"]
    """Unit shading normals of the corners; zero rows where a mesh has none."""
    colors: Float32[np.ndarray, "f_or_0 9"]
    """Linear reflectance of the corners."""
    instance_semantic: UInt8[np.ndarray, " i"]
    materials: Float32[np.ndarray, "m 10"]
    material_texture: Int32[np.ndarray, " m"]
    """Row of `textures`, -1 = none."""
    textures: Int64[np.ndarray, "t 4"]
    """First of its `texels`, width, height, number of levels; level i + 1 follows level i at half the size."""
    texels: UInt32[np.ndarray, " n"]
    """sRGB red (lowest byte), green, blue and linear alpha."""
    linear_of_srgb: Float32[np.ndarray, "256"]
    mean_reflectance: float
    """Of all triangles and channels, by area."""
