"""Pinhole cameras.

World: metres, y up. Camera: x right, y up, looking along -z. Pixel centres lie at +0.5.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Camera:
    """A pinhole camera without distortion, square pixels, the principal point in the middle."""

    width: int
    """Image width in pixels."""
    height: int
    """Image height in pixels."""
    focal_px: float
    """Focal length in pixels, equal on both axes."""
    T_world_camera: Float[np.ndarray, "4 4"]
    """Pose: maps homogeneous camera points to world points, in metres."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"image size must be positive, got {self.width} x {self.height}")
        if not (np.isfinite(self.focal_px) and self.focal_px > 0):
            raise ValueError(f"focal_px must be positive, got {self.focal_px}")
        rotation = self.T_world_camera[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-6):
            raise ValueError("T_world_camera has a rotation part that is not orthonormal")
        if np.linalg.det(rotation) < 0:
            raise ValueError("T_world_camera mirrors: its rotation part has determinant -1")

    @property
    def K(self) -> Float[np.ndarray, "3 3"]:
        """Intrinsics in pixels; they apply to (x, -y, -z) of a camera point."""
        return np.array(
            [
                [self.focal_px, 0, self.width / 2],
                [0, self.focal_px, self.height / 2],
                [0, 0, 1],
            ]
        )


def look_at(
    *,
    eye_world: Float[np.ndarray, "3"],
    target_world: Float[np.ndarray, "3"],
    roll_rad: float = 0.0,
) -> Float[np.ndarray, "4 4"]:
    """Make the pose `T_world_camera` of a camera at `eye_world` that sees `target_world` in its middle.

    Args:
        eye_world: Position in metres.
        target_world: A point in front, not straight above or below.
        roll_rad: Turn about the optical axis; positive turns the camera counter-clockwise as its user sees it.

    Raises:
        ValueError: if the direction is vertical or has no length.

    >>> pose = look_at(eye_world=np.array([0.0, 1.5, 2.0]), target_world=np.array([0.0, 1.5, 0.0]))
    >>> (pose @ np.array([1.0, 0.0, -2.0, 1.0])).tolist()
    [1.0, 1.5, 0.0, 1.0]
    """
    backward = eye_world - target_world
    length = np.linalg.norm(backward)
    right = np.cross((0.0, 1.0, 0.0), backward)
    if length == 0 or np.linalg.norm(right) < 1e-9 * length:
        raise ValueError("the view direction is vertical or has no length")
    backward = backward / length
    right = right / np.linalg.norm(right)
    up = np.cross(backward, right)
    cos, sin = np.cos(roll_rad), np.sin(roll_rad)
    pose = np.eye(4)
    pose[:3, 0] = cos * right + sin * up
    pose[:3, 1] = cos * up - sin * right
    pose[:3, 2] = backward
    pose[:3, 3] = eye_world
    return pose
