"""Light that reaches a point straight from a lamp, by one sample a point, in NumPy."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int

from scenelift.render.engines.face_table import FaceTable
from scenelift.render.scene import Scene

_SUN_AWAY_M = 1e4
_NEAREST_M = 0.01
_WEIGHTS_AT_ONCE = 4_000_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DirectLights:
    """What lights a scene: its lights, then one entry a node that has emissive triangles."""

    power: Float32[np.ndarray, " l"]
    """Mean luminous intensity; for the sun, irradiance."""
    is_sun: np.ndarray
    is_lamp: np.ndarray
    start: Float32[np.ndarray, "l 3"]
    """Where the light is, in the table's frame; for a lamp, its middle."""
    span: Float32[np.ndarray, "l 3"]
    """From one end of a line light to the other, else 0."""
    direction_world: Float32[np.ndarray, "l 3"]
    cos_cone: Float32[np.ndarray, " l"]
    """Cosine of a spot's half angle; -2 for what shines everywhere."""
    radius: Float32[np.ndarray, " l"]
    """Metres; for the sun, radians."""
    intensity: Float32[np.ndarray, "l 3"]
    """W / sr, for the sun W / m^2, for a lamp 0."""
    first_face: Int[np.ndarray, " l"]
    """A lamp's first row in the arrays below; the last is before the next lamp's first."""
    last_face: Int[np.ndarray, " l"]
    lamp_corners: Float32[np.ndarray, "k 3 3"]
    lamp_normal: Float32[np.ndarray, "k 3"]
    lamp_emission: Float32[np.ndarray, "k 3"]
    lamp_weight_sums: Float[np.ndarray, " k+1"]
    """Running sum of area times luminance."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LightSample:
    """One way from each point to a light."""

    towards: Float32[np.ndarray, "n 3"]
    """From the point to the place on the light, metres."""
    irradiance: Float32[np.ndarray, "n 3"]
    """What the surface would get if nothing stood between, W / m^2; its mean over samples is exact."""


def direct_lights(scene: Scene, table: FaceTable) -> DirectLights:
    """Collect what lights a scene."""
    emission = table.materials.emission[table.material]
    faces = np.flatnonzero(emission.any(axis=1))
    nodes, firsts = np.unique(table.instance[faces], return_index=True)
    lasts = np.append(firsts, len(faces))[1:].astype(np.int64)
    corners = table.corners[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1) / 2
    weights = area * _luminance(emission[faces])
    middles = [
        np.average(corners[a:b].mean(axis=1), axis=0, weights=weights[a:b])
        for a, b in zip(firsts, lasts, strict=True)
    ]
    lamp_power = [weights[a:b].sum() / 2 for a, b in zip(firsts, lasts, strict=True)]
    lights, lamps = scene.lights, len(nodes)
    is_line = np.array([light.kind == "line" for light in lights], bool)
    position = np.array([light.position_world for light in lights]).reshape(-1, 3)
    end = np.array([light.end_world for light in lights]).reshape(-1, 3)
    span = np.where(is_line[:, None], end - position, 0)
    scale = np.where(is_line, np.linalg.norm(span, axis=1), 1)
    intensity = np.array([light.intensity for light in lights]).reshape(-1, 3) * scale[:, None]
    direction = np.array([light.direction_world for light in lights]).reshape(-1, 3)
    cones = [np.cos(light.cone_rad) if light.kind == "spot" else -2 for light in lights]
    blank = np.zeros((lamps, 3), np.float32)
    return DirectLights(
        power=np.concatenate([_luminance(intensity), lamp_power]).astype(np.float32),
        is_sun=np.array([light.kind == "sun" for light in lights] + [False] * lamps, bool),
        is_lamp=np.array([False] * len(lights) + [True] * lamps, bool),
        start=np.concatenate([position - table.centre_world, np.reshape(middles, (-1, 3))]).astype(
            np.float32
        ),
        span=np.concatenate([span, blank]).astype(np.float32),
        direction_world=np.concatenate([_unit(direction), blank]).astype(np.float32),
        cos_cone=np.array([*cones, *([-2] * lamps)], np.float32),
        radius=np.array([*(light.radius_m for light in lights), *([0] * lamps)], np.float32),
        intensity=np.concatenate([intensity, blank]).astype(np.float32),
        first_face=np.append(np.zeros(len(lights), np.int64), firsts),
        last_face=np.append(np.zeros(len(lights), np.int64), lasts),
        lamp_corners=corners.astype(np.float32),
        lamp_normal=table.normal[faces],
        lamp_emission=emission[faces],
        lamp_weight_sums=np.concatenate([[0.0], np.cumsum(weights)]),
    )


def sample_lights(
    lights: DirectLights,
    points: Float32[np.ndarray, "n 3"],
    *,
    normals: Float32[np.ndarray, "n 3"],
    rng: np.random.Generator,
) -> LightSample:
    """Draw one place on one light for each point, likelier on lights that are strong and near.

    Args:
        lights: What lights the scene.
        points: In the table's frame.
        normals: Unit, towards the viewer.
        rng: Decides.

    Returns:
        Zero irradiance where there is no light.
    """
    count = len(points)
    if not len(lights.power) or not count:
        return LightSample(towards=np.zeros_like(points), irradiance=np.zeros_like(points))
    chosen, odds = _choose(lights, points, u=rng.random(count, np.float32))
    uniform = rng.random((count, 3), np.float32)
    lamp = np.flatnonzero(lights.is_lamp[chosen])
    sun = lights.is_sun[chosen]
    place = lights.start[chosen] + uniform[:, :1] * lights.span[chosen]
    place += lights.radius[chosen, None] * _in_ball(uniform)
    strength = lights.intensity[chosen]
    place[lamp], strength[lamp], lamp_normal = _on_lamp(lights, chosen[lamp], uniform[lamp])
    towards = place - points
    if sun.any():
        disc = lights.radius[chosen[sun], None] * _in_ball(uniform[sun])
        towards[sun] = _SUN_AWAY_M * (disc - lights.direction_world[chosen[sun]])
    squared = np.maximum(np.einsum("nc,nc->n", towards, towards), _NEAREST_M**2)
    unit = towards / np.sqrt(squared)[:, None]
    factor = np.maximum(np.einsum("nc,nc->n", unit, normals), 0) / odds
    factor[~sun] /= squared[~sun]
    factor[lamp] *= np.abs(np.einsum("nc,nc->n", unit[lamp], lamp_normal))
    factor *= (
        np.einsum("nc,nc->n", -unit, lights.direction_world[chosen]) >= lights.cos_cone[chosen]
    )
    return LightSample(towards=towards, irradiance=strength * factor[:, None])


def _choose(
    lights: DirectLights, points: Float32[np.ndarray, "n 3"], *, u: Float32[np.ndarray, " n"]
) -> tuple[Int[np.ndarray, " n"], Float32[np.ndarray, " n"]]:
    """Return the chosen light of each point and how likely that choice was."""
    if len(lights.power) == 1:
        return np.zeros(len(points), np.int64), np.ones(len(points), np.float32)
    chosen, odds = np.zeros(len(points), np.int64), np.ones(len(points), np.float32)
    step = max(1, _WEIGHTS_AT_ONCE // len(lights.power))
    middle = lights.start + lights.span / 2
    for begin in range(0, len(points), step):
        rows = slice(begin, begin + step)
        away = points[rows, None] - middle
        squared = np.maximum(np.einsum("nlc,nlc->nl", away, away), 0.1)
        weights = np.where(lights.is_sun, lights.power, lights.power / squared)
        sums = np.cumsum(weights, axis=1)
        pick = (sums < u[rows, None] * sums[:, -1:]).sum(axis=1)
        chosen[rows] = np.minimum(pick, len(lights.power) - 1)
        odds[rows] = np.take_along_axis(weights, chosen[rows, None], axis=1)[:, 0] / sums[:, -1]
    return chosen, odds


def _on_lamp(
    lights: DirectLights, lamp: Int[np.ndarray, " n"], uniform: Float32[np.ndarray, "n 3"]
) -> tuple[Float32[np.ndarray, "n 3"], Float32[np.ndarray, "n 3"], Float32[np.ndarray, "n 3"]]:
    """Return a place on each lamp, its emission over the density of that draw, and its normal."""
    sums = lights.lamp_weight_sums
    low, high = sums[lights.first_face[lamp]], sums[lights.last_face[lamp]]
    face = np.searchsorted(sums, low + uniform[:, 0] * (high - low), side="right") - 1
    face = np.clip(face, lights.first_face[lamp], lights.last_face[lamp] - 1)
    root = np.sqrt(uniform[:, 1:2])
    second, third = root * (1 - uniform[:, 2:]), root * uniform[:, 2:]
    corner = lights.lamp_corners[face]
    place = (1 - root) * corner[:, 0] + second * corner[:, 1] + third * corner[:, 2]
    emission = lights.lamp_emission[face]
    strength = emission * ((high - low) / _luminance(emission))[:, None]
    return place, strength.astype(np.float32), lights.lamp_normal[face]


def _in_ball(uniform: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    height = 2 * uniform[:, 0] - 1
    ring = np.sqrt(np.maximum(1 - height**2, 0))
    angle = np.float32(2 * np.pi) * uniform[:, 1]
    sphere = np.stack([ring * np.cos(angle), height, ring * np.sin(angle)], axis=1)
    return np.asarray(np.cbrt(uniform[:, 2:]) * sphere)


def _luminance(color: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    return np.asarray(color @ np.array([0.2126, 0.7152, 0.0722], color.dtype))


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1)
