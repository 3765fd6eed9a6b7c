"""What a view looks like: the labels of its centre rays, and the whole frame."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8, UInt16

from scenelift.render.camera import Camera

EDGE_INSTANCE, EDGE_OCCLUSION, EDGE_CREASE, EDGE_TEXTURE = 1, 2, 4, 8
"""Bits of the edge channel."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Labels:
    """What the ray through each pixel's centre hits first, at alpha >= 0.5; glass and mirrors count as hit."""

    z_depth_m: Float32[np.ndarray, "h w"]
    """Along the optical axis; 0 where nothing is hit."""
    normal: Float32[np.ndarray, "h w 3"]
    """Unit geometric normal, camera frame, towards the camera; 0 where nothing is hit."""
    instance: UInt16[np.ndarray, "h w"]
    """Position in `Scene.nodes` plus one; 0 where nothing is hit."""
    semantic: UInt8[np.ndarray, "h w"]
    """NYU40 id."""
    albedo: Float32[np.ndarray, "h w 3"]
    """Linear reflectance with texture, in [0, 1]; 0 where nothing is hit."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Frame:
    """One finished view."""

    camera: Camera
    image: UInt8[np.ndarray, "h w 3"]
    """sRGB."""
    labels: Labels
    edge: UInt8[np.ndarray, "h w"]
    """Bit field: `EDGE_INSTANCE` and its siblings."""
