"""Daylight by the hour, the sun's way through a window, and which lamps burn."""

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from scenelift.render.rooms.shell import RoomPlan
from scenelift.render.scene import Furniture, Light, Material, Sky

Hour = Literal["clear", "overcast", "low sun", "dusk", "night"]

_SHARES: dict[Hour, float] = {
    "clear": 0.34,
    "overcast": 0.26,
    "low sun": 0.14,
    "dusk": 0.12,
    "night": 0.14,
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Daylight:
    """The light from outside, and whether people would switch the lamps on."""

    hour: Hour
    sky: Sky
    sun: Light | None
    lamps_on: bool
    lamp_scale: float
    """Factor on the radiance of lamps; beside a bright sky they look dimmer, as a camera sees them."""


def sample_daylight(plan: RoomPlan, *, rng: np.random.Generator) -> Daylight:
    """Draw an hour and weather; a sun that can shine in looks through one of the windows."""
    hours = tuple(_SHARES)
    hour: Hour = hours[int(rng.choice(len(hours), p=list(_SHARES.values())))]
    windows = [hole for hole in plan.openings if hole.kind == "window"]
    sky = _sky(hour, rng=rng)
    sun = None
    if hour in ("clear", "low sun") and windows and rng.random() < 0.75:
        hole = windows[int(rng.integers(len(windows)))]
        sun = _sun(plan.walls[hole.wall].inward_xz, hour=hour, rng=rng)
    dark = hour in ("dusk", "night") or not windows
    lamps_on = dark or bool(rng.random() < (0.55 if hour == "overcast" else 0.25))
    return Daylight(hour=hour, sky=sky, sun=sun, lamps_on=lamps_on, lamp_scale=1.0)


def _sky(hour: Hour, *, rng: np.random.Generator) -> Sky:
    def tinted(color: tuple[float, float, float], level: float) -> tuple[float, float, float]:
        red, green, blue = (float(c * level * rng.uniform(0.93, 1.07)) for c in color)
        return red, green, blue

    level = float(rng.uniform(0.75, 1.4))
    green = rng.random() < 0.5
    ground = (0.16, 0.2, 0.1) if green else (0.28, 0.26, 0.24)
    if hour == "clear":
        return Sky(
            zenith=tinted((0.32, 0.52, 0.95), level),
            horizon=tinted((0.95, 1.02, 1.12), level),
            ground=tinted(ground, level),
        )
    if hour == "overcast":
        return Sky(
            zenith=tinted((0.95, 1.0, 1.06), level),
            horizon=tinted((0.75, 0.78, 0.82), level),
            ground=tinted(ground, 0.8 * level),
        )
    if hour == "low sun":
        return Sky(
            zenith=tinted((0.28, 0.38, 0.62), level),
            horizon=tinted((1.2, 0.85, 0.55), level),
            ground=tinted(ground, 0.6 * level),
        )
    if hour == "dusk":
        return Sky(
            zenith=tinted((0.05, 0.08, 0.2), level),
            horizon=tinted((0.2, 0.2, 0.28), level),
            ground=tinted((0.02, 0.02, 0.03), level),
        )
    return Sky(
        zenith=tinted((0.003, 0.004, 0.008), level),
        horizon=tinted((0.012, 0.01, 0.01), level),
        ground=tinted((0.006, 0.005, 0.004), level),
    )


def _sun(inward_xz: np.ndarray, *, hour: Hour, rng: np.random.Generator) -> Light:
    """Make a sun that shines through windows of one direction, up to 55 degrees aslant."""
    low = hour == "low sun"
    height = math.radians(rng.uniform(6, 16) if low else rng.uniform(20, 55))
    aslant = math.radians(rng.uniform(-55, 55))
    cos, sin = math.cos(aslant), math.sin(aslant)
    x = cos * inward_xz[0] - sin * inward_xz[1]
    z = sin * inward_xz[0] + cos * inward_xz[1]
    level = float(rng.uniform(5, 9) if low else rng.uniform(9, 17))
    red, green, blue = (1.0, 0.62, 0.32) if low else (1.0, 0.93, 0.82)
    return Light(
        kind="sun",
        intensity=(level * red, level * green, level * blue),
        direction_world=(
            float(x) * math.cos(height),
            -math.sin(height),
            float(z) * math.cos(height),
        ),
        radius_m=float(rng.uniform(0.005, 0.02)),
        name="sun",
    )


def shining(furniture: Furniture, *, factor: float) -> Furniture:
    """Return a lamp whose light is scaled; 0 switches it off."""
    if not any(max(material.emission) > 0 for material in furniture.mesh.materials):
        return furniture
    materials = tuple(_scaled(material, factor) for material in furniture.mesh.materials)
    return replace(furniture, mesh=replace(furniture.mesh, materials=materials))


def _scaled(material: Material, factor: float) -> Material:
    red, green, blue = material.emission
    return replace(material, emission=(red * factor, green * factor, blue * factor))
