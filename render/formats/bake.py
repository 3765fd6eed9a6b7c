"""Meshes with a transform worked into their vertices."""

import numpy as np
from jaxtyping import Float

from scenelift.render.scene import Mesh


def baked(mesh: Mesh, T_to_from: Float[np.ndarray, "4 4"]) -> Mesh:
    """Move a mesh; where the transform mirrors, faces are turned over, so that their outside stays outside.

    Args:
        mesh: In the frame `from`.
        T_to_from: Affine and not singular.
    """
    linear = T_to_from[:3, :3]
    normals = mesh.corner_normals
    if normals is not None:
        normals = normals @ np.linalg.inv(linear)
        normals = normals / np.maximum(np.linalg.norm(normals, axis=2, keepdims=True), 1e-300)
    order = [0, 2, 1] if np.linalg.det(linear) < 0 else [0, 1, 2]
    return Mesh(
        vertices=mesh.vertices @ linear.T + T_to_from[:3, 3],
        faces=mesh.faces[:, order],
        materials=mesh.materials,
        face_materials=mesh.face_materials,
        corner_uvs=None if mesh.corner_uvs is None else mesh.corner_uvs[:, order],
        corner_normals=None if normals is None else normals[:, order],
        vertex_colors=mesh.vertex_colors,
    )
