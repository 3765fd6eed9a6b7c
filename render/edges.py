"""Typed edges of a view, from its labels.

Each kind is a bit of one field, so that a reader can choose. The instance boundary is one pixel wide and one-sided, as
in the physically based renderings of SUNCG (Zhang et al., CVPR 2017); Ren and Lee (CVPR 2018) train on it.
"""

import typing
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8, UInt16
from numba import njit

from scenelift.render.camera import Camera
from scenelift.render.frame import EDGE_TEXTURE, Labels


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeSettings:
    """Thresholds of the edge kinds; they stand in the attributes of the file."""

    occlusion_relative: float = 0.02
    """Two neighbours belong to different surfaces if neither lies on the other's plane to this share of the nearer depth."""
    crease_deg: float = 30.0
    """Angle between the normals of two neighbours of one surface."""
    canny_low: float = 60.0
    """Lower hysteresis threshold on the smoothed 8-bit albedo (Canny 1986)."""
    canny_high: float = 140.0
    """Upper hysteresis threshold."""


def find_edges(
    camera: Camera, labels: Labels, *, settings: EdgeSettings
) -> UInt8[np.ndarray, "h w"]:
    """Mark each pixel's edge kinds: 1 instance boundary, 2 occlusion, 4 crease, 8 texture.

    * Instance boundary: the right or the lower neighbour bears another id; nothing (0) counts as an id.
    * Occlusion: the nearer of two neighbours whose depths differ by more than the threshold, where neither lies on the
      other's tangent plane (a floor seen at a grazing angle is no edge), and the last pixel before nothing.
    * Crease: the right or lower neighbour's normal differs by more than the angle, and the two are no occlusion.
    * Texture: Canny on the albedo, which knows no light and no noise.

    >>> depth = np.array([[2, 2, 5, 5]], dtype=np.float32)
    >>> normal = np.tile(np.float32([0, 0, 1]), (1, 4, 1))
    >>> ids = np.array([[1, 1, 2, 2]])
    >>> labels = Labels(
    ...     z_depth_m=depth, normal=normal, instance=ids.astype(np.uint16),
    ...     semantic=ids.astype(np.uint8), albedo=np.zeros((1, 4, 3), np.float32),
    ... )
    >>> camera = Camera(width=4, height=1, focal_px=4.0, T_world_camera=np.eye(4))
    >>> find_edges(camera, labels, settings=EdgeSettings()).tolist()
    [[0, 3, 0, 0]]
    """
    edge = geometric_edges(
        labels.z_depth_m, labels.normal, labels.instance, K=camera.K, settings=settings
    )
    edge |= texture_edges(labels.albedo, settings=settings)
    return edge


def geometric_edges(
    z_depth_m: Float32[np.ndarray, "h w"],
    normal: Float32[np.ndarray, "h w 3"],
    instance: UInt16[np.ndarray, "h w"],
    *,
    K: Float[np.ndarray, "3 3"],
    settings: EdgeSettings,
) -> UInt8[np.ndarray, "h w"]:
    """Mark the kinds that follow from depth, normals (camera frame) and ids alone."""
    edge = np.zeros(z_depth_m.shape, np.uint8)
    _mark_geometric(
        z_depth_m,
        normal,
        instance,
        1 / float(K[0, 0]),
        1 / float(K[1, 1]),
        float(K[0, 2]),
        float(K[1, 2]),
        settings.occlusion_relative,
        float(np.cos(np.deg2rad(settings.crease_deg))),
        edge,
    )
    return edge


def texture_edges(
    albedo: Float32[np.ndarray, "h w 3"], *, settings: EdgeSettings
) -> UInt8[np.ndarray, "h w"]:
    """Mark Canny edges of the albedo, in sRGB-like 8 bit, after a Gaussian of one pixel."""
    encoded = (np.sqrt(np.clip(albedo, 0, 1)) * 255).astype(np.uint8)
    smooth = cv2.GaussianBlur(encoded, (5, 5), 1.0)
    grey = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY)
    canny = cv2.Canny(grey, settings.canny_low, settings.canny_high, L2gradient=True)
    return np.where(canny > 0, np.uint8(EDGE_TEXTURE), np.uint8(0))


@njit(cache=True, nogil=True, inline="always")
@typing.no_type_check
def _plane_residual(z_p, along_p, along_q, z_q):
    """How far z_q lies from the depth at which q's ray meets the plane through p; inf where it never does.

    A ray (rx, ry, -1) meets the plane at depth t with t * (n . ray_q) = z_p * (n . ray_p); `along` is n . ray.
    """
    if along_q * along_p <= 0:
        return np.inf
    return abs(z_q - z_p * along_p / along_q)


@njit(cache=True, nogil=True)
@typing.no_type_check
def _mark_geometric(z, normal, instance, inv_fx, inv_fy, cx, cy, relative, crease_cos, edge):
    height, width = z.shape
    for y in range(height):
        ry = -(y + 0.5 - cy) * inv_fy
        for x in range(width):
            rx = (x + 0.5 - cx) * inv_fx
            z_p, id_p = z[y, x], instance[y, x]
            nx_p, ny_p, nz_p = normal[y, x, 0], normal[y, x, 1], normal[y, x, 2]
            for step in range(2):
                x2, y2 = x + 1 - step, y + step
                if x2 >= width or y2 >= height:
                    continue
                z_q = z[y2, x2]
                if id_p != instance[y2, x2]:
                    edge[y, x] |= 1
                if z_p == 0 or z_q == 0:
                    if z_p > 0:
                        edge[y, x] |= 2
                    if z_q > 0:
                        edge[y2, x2] |= 2
                    continue
                nx_q, ny_q, nz_q = normal[y2, x2, 0], normal[y2, x2, 1], normal[y2, x2, 2]
                limit = relative * min(z_p, z_q)
                apart = abs(z_p - z_q) > limit
                if apart:
                    rx2, ry2 = (x2 + 0.5 - cx) * inv_fx, -(y2 + 0.5 - cy) * inv_fy
                    p_at_p, p_at_q = nx_p * rx + ny_p * ry - nz_p, nx_p * rx2 + ny_p * ry2 - nz_p
                    q_at_p, q_at_q = nx_q * rx + ny_q * ry - nz_q, nx_q * rx2 + ny_q * ry2 - nz_q
                    apart = (
                        _plane_residual(z_p, p_at_p, p_at_q, z_q) > limit
                        and _plane_residual(z_q, q_at_q, q_at_p, z_p) > limit
                    )
                if apart and z_p < z_q:
                    edge[y, x] |= 2
                elif apart:
                    edge[y2, x2] |= 2
                elif nx_p * nx_q + ny_p * ny_q + nz_p * nz_q < crease_cos:
                    edge[y, x] |= 4
