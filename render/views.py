"""Cameras held as people hold them. World: metres, y up.

Ranges follow the literature: heights of 1.5 to 1.8 m (BlenderProc's SUNCG and SceneNet examples), 1.55 m and 11 degrees
down (SUNCG's own camera sampler), horizontal fields of view of 57 (SUNCG), 60 (SceneNet RGB-D) and 63 degrees (Zhang et
al., CVPR 2017), a small roll.
"""

from dataclasses import dataclass

import numpy as np

from scenelift.render.camera import Camera, look_at
from scenelift.render.standpoints import CELL_M, Standpoints


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraRanges:
    """How people hold a camera indoors: truncated normal distributions (mean, deviation, least, most)."""

    height_m: tuple[float, float, float, float] = (1.5, 0.2, 0.9, 1.9)
    """Above the floor."""
    pitch_deg: tuple[float, float, float, float] = (-11.0, 8.0, -40.0, 12.0)
    """Negative looks down."""
    roll_deg: tuple[float, float, float, float] = (0.0, 2.0, -10.0, 10.0)
    """About the optical axis."""
    field_of_view_deg: tuple[float, float, float, float] = (61.0, 6.0, 45.0, 80.0)
    """Across the longer side of the image."""

    def __post_init__(self) -> None:
        for name in ("height_m", "pitch_deg", "roll_deg", "field_of_view_deg"):
            mean, deviation, least, most = getattr(self, name)
            if not (least <= mean <= most and deviation >= 0):
                raise ValueError(
                    f"{name} must be (mean, deviation, least, most) in order, got {getattr(self, name)}"
                )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Candidate:
    """A camera drawn for a view, with the dials that made it."""

    index: int
    """Number of the draw within the scene; together with the run's seed and the scene's name it makes all the rest."""
    seed: int
    """Of the view's random numbers."""
    camera: Camera
    room: int
    height_m: float
    pitch_deg: float
    roll_deg: float
    field_of_view_deg: float


def candidate_rng(*, seed: int, scene_name: str, index: int) -> np.random.Generator:
    """Make the random generator of one candidate from nothing but its arguments.

    >>> a = candidate_rng(seed=1, scene_name="room", index=3).random()
    >>> a == candidate_rng(seed=1, scene_name="room", index=3).random()
    True
    """
    return np.random.default_rng([seed, index, *scene_name.encode()])


def draw_candidate(
    places: Standpoints,
    *,
    index: int,
    ranges: CameraRanges,
    width: int,
    height: int,
    rng: np.random.Generator,
) -> Candidate:
    """Draw a camera: a place, a direction, and how the camera is held."""
    place = int(rng.integers(len(places.floor_world)))
    jitter = rng.uniform(-CELL_M / 2, CELL_M / 2, 2)
    height_m = _truncated_normal(ranges.height_m, rng=rng)
    yaw = rng.uniform(0, 2 * np.pi)
    pitch_deg = _truncated_normal(ranges.pitch_deg, rng=rng)
    roll_deg = _truncated_normal(ranges.roll_deg, rng=rng)
    field_of_view_deg = _truncated_normal(ranges.field_of_view_deg, rng=rng)
    seed = int(rng.integers(2**31))
    eye = places.floor_world[place] + (jitter[0], height_m, jitter[1])
    pitch = np.deg2rad(pitch_deg)
    forward = np.array([np.cos(pitch) * np.sin(yaw), np.sin(pitch), -np.cos(pitch) * np.cos(yaw)])
    camera = Camera(
        width=width,
        height=height,
        focal_px=max(width, height) / 2 / np.tan(np.deg2rad(field_of_view_deg) / 2),
        T_world_camera=look_at(
            eye_world=eye, target_world=eye + forward, roll_rad=np.deg2rad(roll_deg)
        ),
    )
    return Candidate(
        index=index,
        seed=seed,
        camera=camera,
        room=int(places.room[place]),
        height_m=height_m,
        pitch_deg=pitch_deg,
        roll_deg=roll_deg,
        field_of_view_deg=field_of_view_deg,
    )


def probe_camera(camera: Camera, *, pixels: int) -> Camera:
    """Shrink a camera so that its longer side has `pixels` pixels; the view stays the same."""
    scale = pixels / max(camera.width, camera.height)
    return Camera(
        width=max(1, round(camera.width * scale)),
        height=max(1, round(camera.height * scale)),
        focal_px=camera.focal_px * scale,
        T_world_camera=camera.T_world_camera,
    )


def _truncated_normal(
    range_: tuple[float, float, float, float], *, rng: np.random.Generator
) -> float:
    mean, deviation, least, most = range_
    for _ in range(64):
        value = rng.normal(mean, deviation)
        if least <= value <= most:
            return float(value)
    return float(np.clip(mean, least, most))
