"""Exact labels of a view from the first hits of its centre rays."""

import typing

import numpy as np
from jaxtyping import Float32, Float64, Int32

from scenelift.render.camera import Camera
from scenelift.render.engines.embree.kernels import kernel
from scenelift.render.engines.embree.packets import plane_distance
from scenelift.render.engines.embree.surface import reflectance
from scenelift.render.engines.embree.tables import Tables
from scenelift.render.frame import Labels


def resolve_labels(
    tables: Tables,
    camera: Camera,
    *,
    eye: Float64[np.ndarray, "3"],
    face: Int32[np.ndarray, "h w"],
    uvt: Float32[np.ndarray, "h w 3"],
) -> Labels:
    """Turn first hits into labels.

    Args:
        tables: The scene.
        camera: The view.
        eye: The camera's position in the tables' axes.
        face: The face that each centre ray hits, -1 = none.
        uvt: Barycentric coordinates and depth of the hit.
    """
    h, w = face.shape
    labels = Labels(
        z_depth_m=np.zeros((h, w), dtype=np.float32),
        normal=np.zeros((h, w, 3), dtype=np.float32),
        instance=np.zeros((h, w), dtype=np.uint16),
        semantic=np.zeros((h, w), dtype=np.uint8),
        albedo=np.zeros((h, w, 3), dtype=np.float32),
    )
    rotation = np.ascontiguousarray(camera.T_world_camera[:3, :3], dtype=np.float64)
    _resolve(
        tables,
        eye,
        rotation,
        float(camera.focal_px),
        face,
        uvt,
        labels.z_depth_m,
        labels.normal,
        labels.instance,
        labels.semantic,
        labels.albedo,
    )
    return labels


@kernel
@typing.no_type_check
def _resolve(tables, eye, rotation, focal, face, uvt, depth, normal, instance, semantic, albedo):
    h, w = face.shape
    for y in range(h):
        for x in range(w):
            f = face[y, x]
            if f < 0:
                continue
            cx, cy = (x + 0.5 - 0.5 * w) / focal, (0.5 * h - y - 0.5) / focal
            dx = rotation[0, 0] * cx + rotation[0, 1] * cy - rotation[0, 2]
            dy = rotation[1, 0] * cx + rotation[1, 1] * cy - rotation[1, 2]
            dz = rotation[2, 0] * cx + rotation[2, 1] * cy - rotation[2, 2]
            u, v, t = uvt[y, x, 0], uvt[y, x, 1], uvt[y, x, 2]
            depth[y, x] = plane_distance(tables, f, eye[0], eye[1], eye[2], dx, dy, dz, t)
            n = tables.planes[f]
            flip = -1.0 if n[0] * dx + n[1] * dy + n[2] * dz > 0 else 1.0
            for k in range(3):
                along = rotation[0, k] * n[0] + rotation[1, k] * n[1] + rotation[2, k] * n[2]
                normal[y, x, k] = flip * along
            i = tables.face_instance[f]
            instance[y, x] = i
            semantic[y, x] = tables.instance_semantic[i]
            red, green, blue = reflectance(tables, f, u, v, 0)
            albedo[y, x, 0] = min(red, 1.0)
            albedo[y, x, 1] = min(green, 1.0)
            albedo[y, x, 2] = min(blue, 1.0)
