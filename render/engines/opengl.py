"""The engine `opengl`: pyrender's rasteriser for colour, the default engine for labels.

OpenGL's own depth is no label: it is averaged over the samples of a pixel and up to metres wrong at silhouettes, and
ids drawn as colours mix there. So labels and ray queries are the default engine's, and only colour comes from OpenGL:
direct light and a constant ambient light, no shadows, from at most four lights of a kind, the strongest; glowing
meshes and line lights count as points at their middle. Eight bits a channel, clipped at eight times the mean.

One renderer serves a process, since a second fails in EGL. pyrender is imported where it is used: that fails on
machines without libGL or libEGL.
"""

import functools
import os
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from scenelift.render.camera import Camera
from scenelift.render.engines import Engine, EngineError, Quality, embree
from scenelift.render.engines.direct_light import DirectLights, direct_lights, sample_lights
from scenelift.render.engines.face_table import FaceTable, MaterialColumns, face_table
from scenelift.render.engines.open3d import AMBIENT, pixel_directions, sky_radiance
from scenelift.render.frame import Labels
from scenelift.render.scene import Light, Scene

_LIGHTS_OF_A_KIND = 4
_HEADROOM = 8.0
"""What is brighter than so many times the mean is clipped."""
_GAMMA = 2.2
_NEAR_M = 0.02
_HELP = (
    "install it with `pip install pyrender`, and on a machine without graphics libraries "
    "`apt-get install libgl1 libegl1 libgl1-mesa-dri`"
)


class OpenglEngine:
    """One scene in pyrender and in the default engine; `prepare` makes it."""

    def __init__(self, scene: Scene, *, labeller: Engine) -> None:
        library = _library()
        table = face_table(scene)
        self._labeller = labeller
        self._centre_world = table.centre_world
        self._radius_m = float(np.linalg.norm(table.corners, axis=2).max())
        self._sky = scene.sky
        self._lights = direct_lights(scene, table)
        self._view = library.Scene()
        self._materials = _add_meshes(library, self._view, table)
        self._lamps = _add_lights(library, self._view, scene.lights, self._lights)

    def __enter__(self) -> "OpenglEngine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self._labeller.__exit__(kind, error, trace)
        self._view.clear()

    def labels(self, camera: Camera) -> Labels:
        """Cast one ray through each pixel's centre, by the default engine."""
        return self._labeller.labels(camera)

    def first_hits(
        self, origins_world: Float[np.ndarray, "n 3"], directions_world: Float[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Return the distance in units of each direction's length (inf where nothing is hit) and the instance id (0)."""
        return self._labeller.first_hits(origins_world, directions_world)

    def radiance(
        self, camera: Camera, labels: Labels, *, quality: Quality, seed: int
    ) -> Float32[np.ndarray, "h w 3"]:
        """Return direct and ambient light, four samples a pixel whatever the quality; nothing is drawn by chance."""
        del quality, seed
        irradiance = self._mean_irradiance(camera, labels)
        lit = float((labels.albedo * irradiance / np.pi).mean())
        scale = 1 / (_HEADROOM * lit) if lit > 0 else 1.0
        horizon = np.clip(np.array(self._sky.horizon) * scale, 0, 1) ** (1 / _GAMMA)
        self._view.bg_color = [*horizon, 1.0]
        self._view.ambient_light = np.clip(AMBIENT * irradiance / np.pi * scale, 0, 1)
        for material, emission in self._materials:
            # The shader multiplies the factor by itself.
            material.emissiveFactor = np.sqrt(np.clip(emission * scale, 0, 1))
        for light, power in self._lamps:
            light.intensity = power * scale
        encoded = self._draw(camera)
        color = (encoded / np.float32(255)) ** np.float32(_GAMMA) / np.float32(scale)
        empty = labels.instance == 0
        color[empty] = sky_radiance(self._sky, pixel_directions(camera)[empty])
        return color

    def _draw(self, camera: Camera) -> UInt8[np.ndarray, "h w 3"]:
        pose = camera.T_world_camera.copy()
        pose[:3, 3] -= self._centre_world
        lens = _library().PerspectiveCamera(
            yfov=2 * np.arctan(camera.height / 2 / camera.focal_px),
            aspectRatio=camera.width / camera.height,
            znear=_NEAR_M,
            zfar=float(np.linalg.norm(pose[:3, 3])) + self._radius_m + 1,
        )
        node = self._view.add(lens, pose=pose)
        renderer = _renderer()
        renderer.viewport_width, renderer.viewport_height = camera.width, camera.height
        encoded, _ = renderer.render(self._view)
        self._view.remove_node(node)
        return np.asarray(encoded)

    def _mean_irradiance(self, camera: Camera, labels: Labels) -> Float32[np.ndarray, "3"]:
        """Average what the lights give to the surfaces in sight if nothing stands between."""
        seen = np.flatnonzero(labels.instance.ravel())[::7]
        rotation = camera.T_world_camera[:3, :3].astype(np.float32)
        eye = (camera.T_world_camera[:3, 3] - self._centre_world).astype(np.float32)
        depth = labels.z_depth_m.reshape(-1, 1)[seen]
        points = eye + depth * pixel_directions(camera).reshape(-1, 3)[seen]
        normals = labels.normal.reshape(-1, 3)[seen] @ rotation.T
        rng = np.random.default_rng(0)
        light = sample_lights(self._lights, points, normals=normals, rng=rng)
        return light.irradiance.mean(axis=0) if len(seen) else np.zeros(3, np.float32)


def prepare(scene: Scene) -> OpenglEngine:
    """Make a scene ready for OpenGL.

    Raises:
        EngineError: if pyrender is missing or does not load.
    """
    _library()
    return OpenglEngine(scene, labeller=embree.prepare(scene))


def _library() -> Any:
    os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
    try:
        import pyrender
    except (ImportError, OSError, AttributeError) as error:
        raise EngineError(
            f"the engine 'opengl' cannot load its library ({error}); {_HELP}"
        ) from error
    return pyrender


@functools.lru_cache(maxsize=1)
def _renderer() -> Any:
    try:
        return _library().OffscreenRenderer(64, 64)
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise EngineError(f"the engine 'opengl' gets no context ({error}); {_HELP}") from error


def _add_meshes(
    library: Any, view: Any, table: FaceTable
) -> list[tuple[Any, Float32[np.ndarray, "3"]]]:
    """Add one primitive a material, what lets light through last; return what glows."""
    materials = table.materials
    solid: list[Any] = []
    thin: list[Any] = []
    glowing = []
    for row in range(len(materials.opacity)):
        faces = np.flatnonzero(table.material == row)
        if not len(faces) or materials.opacity[row] < 0.5:
            continue
        pixels = _texture_pixels(materials, row)
        alpha = 1 - 0.9 * materials.transmission[row]
        blended = alpha < 1 or (pixels is not None and bool((pixels[..., 3] < 255).any()))
        material = library.MetallicRoughnessMaterial(
            baseColorFactor=[*materials.base_color[row], alpha],
            baseColorTexture=None if pixels is None else _texture(library, pixels),
            metallicFactor=0.0,
            roughnessFactor=1.0,
            alphaMode="BLEND" if blended else "OPAQUE",
        )
        if materials.emission[row].any():
            glowing.append((material, materials.emission[row]))
        (thin if blended else solid).append(_primitive(library, table, faces, material))
    for primitives in (solid, thin):
        if primitives:
            view.add(library.Mesh(primitives=primitives))
    return glowing


def _texture_pixels(materials: MaterialColumns, row: int) -> UInt8[np.ndarray, "h w 4"] | None:
    start = int(materials.texture_start[row])
    if start < 0:
        return None
    height, width = (int(side) for side in materials.texture_size[row])
    return materials.texels[start : start + height * width].reshape(height, width, 4)


def _texture(library: Any, pixels: UInt8[np.ndarray, "h w 4"]) -> Any:
    return library.Texture(source=pixels, source_channels="RGBA")


def _primitive(library: Any, table: FaceTable, faces: Int[np.ndarray, " k"], material: Any) -> Any:
    """Give each triangle two sides, each with its own normal, since the shader lights one side only."""
    both = np.array([[0, 1, 2], [0, 2, 1]])
    corners = table.corners[faces][:, both].reshape(-1, 3).astype(np.float32)
    normals = np.stack([table.normal[faces], -table.normal[faces]], axis=1)
    colors = table.corner_colors
    return library.Primitive(
        positions=corners,
        normals=np.repeat(normals.reshape(-1, 3), 3, axis=0),
        texcoord_0=table.corner_uvs[faces][:, both].reshape(-1, 2),
        color_0=None if colors is None else colors[faces][:, both].reshape(-1, 3),
        material=material,
    )


def _add_lights(
    library: Any, view: Any, lights: tuple[Light, ...], table: DirectLights
) -> list[tuple[Any, float]]:
    """Add the strongest lights of each kind; return each with its intensity."""
    color = table.intensity.copy()
    for row in np.flatnonzero(table.is_lamp).tolist():
        color[row] = table.lamp_emission[table.first_face[row] : table.last_face[row]].mean(axis=0)
    color /= np.maximum(color.max(axis=1, keepdims=True), 1e-12)
    kinds = np.array([light.kind for light in lights] + ["lamp"] * int(table.is_lamp.sum()))
    added = []
    for group in (("point", "line", "lamp"), ("spot",), ("sun",)):
        rows = np.flatnonzero(np.isin(kinds, group))
        for row in rows[np.argsort(-table.power[rows], kind="stable")][:_LIGHTS_OF_A_KIND].tolist():
            strength = float(table.power[row] / max(float(_luminance(color[row])), 1e-12))
            if group == ("sun",):
                light = library.DirectionalLight(color=color[row], intensity=strength)
            elif group == ("spot",):
                cone = float(np.arccos(np.clip(table.cos_cone[row], 0, 1)))
                light = library.SpotLight(
                    color=color[row],
                    intensity=strength,
                    innerConeAngle=0.98 * cone,
                    outerConeAngle=cone,
                )
            else:
                light = library.PointLight(color=color[row], intensity=strength)
            view.add(light, pose=_light_pose(table, row))
            added.append((light, strength))
    return added


def _luminance(color: Float32[np.ndarray, "3"]) -> float:
    return float(color @ np.array([0.2126, 0.7152, 0.0722], np.float32))


def _light_pose(table: DirectLights, row: int) -> Float[np.ndarray, "4 4"]:
    """Turn the light's -z to where it shines."""
    pose = np.eye(4)
    pose[:3, 3] = table.start[row] + table.span[row] / 2
    backward = -table.direction_world[row].astype(np.float64)
    if backward.any():
        aside = np.eye(3)[np.argmin(np.abs(backward))]
        right = np.cross(aside, backward)
        right /= np.linalg.norm(right)
        pose[:3, :3] = np.stack([right, np.cross(backward, right), backward], axis=1)
    return pose
