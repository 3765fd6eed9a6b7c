"""What a check found, and one stored view as the checks see it.

Camera: x right, y up, looking along -z. Pixel centres lie at +0.5.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int16, UInt8, UInt16

DEPTH_ERROR = 2.0**-14
"""Relative: depth keeps 13 mantissa bits, rounded to nearest."""

NORMAL_ERROR = 0.5 * 3**0.5 / 32_767
"""Length of the largest rounding error of a normal stored as three int16."""

SLACK = 2e-6
"""Relative: labels were computed in float32, poses and intrinsics kept in float64 and float32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong."""

    frame: int | None
    """Index of the view; None if the fault is the file's."""
    check: str
    """Which rule is broken."""
    value: float | int
    """What was found: a number of pixels, a share or an error, as `detail` says."""
    bound: float | int
    """What it may be at most."""
    detail: str

    def __str__(self) -> str:
        where = "file" if self.frame is None else f"frame {self.frame}"
        return f"{where}: {self.check}: {self.detail} (found {self.value:.6g}, allowed {self.bound:.6g})"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StoredView:
    """The labels of one view as the file holds them."""

    index: int
    image: UInt8[np.ndarray, "h w 3"]
    z_depth_m: Float32[np.ndarray, "h w"]
    normal_int16: Int16[np.ndarray, "h w 3"]
    edge: UInt8[np.ndarray, "h w"]
    instance: UInt16[np.ndarray, "h w"]
    semantic: UInt8[np.ndarray, "h w"]
    K: Float[np.ndarray, "3 3"]
    T_world_camera: Float64[np.ndarray, "4 4"]

    def rays(self) -> Float64[np.ndarray, "h w 3"]:
        """Return the ray through each pixel's centre, camera frame, with z = -1."""
        height, width = self.z_depth_m.shape
        intrinsics = self.K.astype(np.float64)
        x = (np.arange(width) + 0.5 - intrinsics[0, 2]) / intrinsics[0, 0]
        y = -(np.arange(height) + 0.5 - intrinsics[1, 2]) / intrinsics[1, 1]
        rays = np.full((height, width, 3), -1.0)
        rays[..., 0], rays[..., 1] = x[None, :], y[:, None]
        return rays

    def normals(self) -> Float64[np.ndarray, "h w 3"]:
        """Return the stored normals, of length 1 within `NORMAL_ERROR`, 0 where invalid."""
        return np.asarray(self.normal_int16 / 32_767.0)
