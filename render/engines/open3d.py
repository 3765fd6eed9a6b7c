"""The engine `open3d`: Open3D's ray caster with shading in NumPy.

A second opinion on the default engine's labels, on an independent path from scene to pixel, exact like it and several
times slower. Colour is direct light, one shadow ray a sample, and a constant ambient light: no bounces, gloss or
reflections. Glass lets light and sight through; the holes of a texture do not let light through.

Open3D is imported where it is used: that fails on machines without libEGL, libX11 or libusb.
"""

from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from scenelift.render.camera import Camera
from scenelift.render.engines import EngineError, Quality
from scenelift.render.engines.direct_light import direct_lights, sample_lights
from scenelift.render.engines.face_table import FaceTable, face_table
from scenelift.render.frame import Labels
from scenelift.render.scene import Scene, Sky

_SAMPLES: dict[Quality, int] = {"draft": 1, "normal": 4, "high": 16}
_LAYERS_AT_MOST = 64
"""So many see-through surfaces in a row are passed; the next one counts as solid."""
_OFF_SURFACE_M = 1e-4
_SHORT_OF_LIGHT = 1e-3
AMBIENT = 0.35
"""Share of the light that a surface gets on average that every surface gets besides."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Tracer:
    """Some of a table's triangles in Open3D's hands."""

    scene: Any
    faces: Int[np.ndarray, " k"]
    """Rows of the table."""
    threads: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Surface:
    """What rays hit, a row each."""

    t: Float32[np.ndarray, " n"]
    """In units of each ray's direction; inf where nothing is hit."""
    face: Int[np.ndarray, " n"]
    """Row of the table; -1 where nothing is hit."""
    normal: Float32[np.ndarray, "n 3"]
    """Unit, world, towards the ray's origin; 0 where nothing is hit."""
    albedo: Float32[np.ndarray, "n 3"]
    """0 where nothing is hit."""


class Open3dEngine:
    """One scene in Open3D's ray caster; `prepare` makes it."""

    def __init__(self, scene: Scene, *, threads: int) -> None:
        table = face_table(scene)
        materials = table.materials
        visible = materials.opacity >= 0.5
        blocking = visible & (materials.transmission < 0.5)
        self._table = table
        self._lights = direct_lights(scene, table)
        self._sky = scene.sky
        self._has_holes = bool((materials.texels[:, 3] < 255).any())
        self._all = _tracer(table, visible, threads=threads)
        same = bool((visible == blocking).all())
        self._solid = self._all if same else _tracer(table, blocking, threads=threads)
        self._last: tuple[Labels, _Surface] | None = None

    def __enter__(self) -> "Open3dEngine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        del self._all, self._solid, self._last

    def labels(self, camera: Camera) -> Labels:
        """Cast one ray through each pixel's centre."""
        surface = self._surface(
            self._all, self._eye(camera), pixel_directions(camera).reshape(-1, 3)
        )
        shape = (camera.height, camera.width)
        hit = surface.face >= 0
        instance = np.where(hit, self._table.instance[surface.face], 0).astype(np.uint16)
        normal = surface.normal @ camera.T_world_camera[:3, :3].astype(np.float32)
        labels = Labels(
            z_depth_m=np.where(hit, surface.t, 0).astype(np.float32).reshape(shape),
            normal=normal.reshape(*shape, 3),
            instance=instance.reshape(shape),
            semantic=self._table.semantic[instance].reshape(shape),
            albedo=surface.albedo.reshape(*shape, 3),
        )
        self._last = (labels, surface)
        return labels

    def radiance(
        self, camera: Camera, labels: Labels, *, quality: Quality, seed: int
    ) -> Float32[np.ndarray, "h w 3"]:
        """Return direct and ambient light; not denoised, anti-aliased by 4 (normal) or 16 (high) samples a pixel.

        The first sample is the pixel's centre, and free of a second ray right after `labels` of the same view.
        """
        rng = np.random.default_rng(seed)
        total = np.zeros((camera.height * camera.width, 3), np.float32)
        origin = self._eye(camera)
        for sample in range(_SAMPLES[quality]):
            shift = rng.random(2) - 0.5 if sample else np.zeros(2)
            directions = pixel_directions(camera, shift_px=shift).reshape(-1, 3)
            if sample == 0 and self._last is not None and self._last[0] is labels:
                surface = self._last[1]
            else:
                surface = self._surface(self._all, origin, directions)
            total += self._shade(surface, origin, directions, rng=rng)
        return (total / np.float32(_SAMPLES[quality])).reshape(camera.height, camera.width, 3)

    def first_hits(
        self, origins_world: Float[np.ndarray, "n 3"], directions_world: Float[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Return the distance in units of each direction's length (inf where nothing is hit) and the instance id (0)."""
        origins = (origins_world - self._table.centre_world).astype(np.float32)
        surface = self._surface(self._all, origins, directions_world.astype(np.float32))
        ids = np.where(surface.face >= 0, self._table.instance[surface.face], 0)
        return surface.t, ids.astype(np.int64)

    def _eye(self, camera: Camera) -> Float32[np.ndarray, "1 3"]:
        eye = camera.T_world_camera[:3, 3] - self._table.centre_world
        return np.asarray(eye[None].astype(np.float32))

    def _surface(
        self,
        tracer: _Tracer,
        origins: Float32[np.ndarray, "o 3"],
        directions: Float32[np.ndarray, "n 3"],
    ) -> _Surface:
        t, face, barycentric = _cast(tracer, origins, directions)
        albedo, alpha = self._table.reflectance(face, barycentric)
        if self._has_holes:
            self._pass_through(tracer, origins, directions, hits=(t, face, albedo, alpha))
        hit = face >= 0
        normal = self._table.normal[face]
        away = np.einsum("nc,nc->n", normal, directions) > 0
        normal *= np.where(away, np.float32(-1), np.float32(1))[:, None] * hit[:, None]
        return _Surface(t=t, face=face, normal=normal, albedo=albedo * hit[:, None])

    def _pass_through(
        self,
        tracer: _Tracer,
        origins: Float32[np.ndarray, "o 3"],
        directions: Float32[np.ndarray, "n 3"],
        *,
        hits: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    ) -> None:
        """Replace hits whose alpha is below one half by what lies behind them, in place."""
        t, face, albedo, alpha = hits
        origins = np.broadcast_to(origins, directions.shape)
        for _ in range(_LAYERS_AT_MOST):
            rows = np.flatnonzero((face >= 0) & (alpha < 0.5))
            if not len(rows):
                return
            length = np.linalg.norm(directions[rows], axis=1)
            passed = t[rows] + np.maximum(_OFF_SURFACE_M / length, 1e-6 * t[rows]) / 10
            start = origins[rows] + passed[:, None] * directions[rows]
            more, face[rows], barycentric = _cast(tracer, start, directions[rows])
            t[rows] = passed + more
            albedo[rows], alpha[rows] = self._table.reflectance(face[rows], barycentric)

    def _shade(
        self,
        surface: _Surface,
        origins: Float32[np.ndarray, "o 3"],
        directions: Float32[np.ndarray, "n 3"],
        *,
        rng: np.random.Generator,
    ) -> Float32[np.ndarray, "n 3"]:
        """Return the radiance of what was hit, and behind glass of what lies there."""
        materials = self._table.materials
        material = self._table.material[surface.face]
        through = materials.transmission[material] * (surface.face >= 0)
        glass = np.flatnonzero(through >= 0.5)
        color = self._shade_solid(surface, origins, directions, rng=rng)
        if len(glass):
            eyes = np.broadcast_to(origins, directions.shape)[glass]
            behind = self._surface(self._solid, eyes, directions[glass])
            seen = self._shade_solid(behind, eyes, directions[glass], rng=rng)
            share = through[glass, None]
            color[glass] = share * surface.albedo[glass] * seen + (1 - share) * color[glass]
        return color

    def _shade_solid(
        self,
        surface: _Surface,
        origins: Float32[np.ndarray, "o 3"],
        directions: Float32[np.ndarray, "n 3"],
        *,
        rng: np.random.Generator,
    ) -> Float32[np.ndarray, "n 3"]:
        color = sky_radiance(self._sky, directions)
        rows = np.flatnonzero(surface.face >= 0)
        whole = len(rows) == len(directions)
        pick = slice(None) if whole else rows
        normals = surface.normal[pick]
        points = origins if len(origins) == 1 else origins[pick]
        points = (
            points + surface.t[pick, None] * directions[pick] + np.float32(_OFF_SURFACE_M) * normals
        )
        light = sample_lights(self._lights, points, normals=normals, rng=rng)
        blocked = _occluded(self._solid, points, light.towards)
        ambient = np.float32(AMBIENT) * light.irradiance.mean(axis=0) if len(rows) else 0
        irradiance = light.irradiance * ~blocked[:, None] + ambient
        emission = self._table.materials.emission[self._table.material[surface.face[pick]]]
        color[pick] = surface.albedo[pick] * irradiance / np.float32(np.pi) + emission
        return color


def prepare(scene: Scene, *, threads: int = 1) -> Open3dEngine:
    """Make a scene ready for Open3D's ray caster.

    Args:
        scene: What to draw.
        threads: How many threads cast rays; 0 for one a core.

    Raises:
        EngineError: if Open3D is missing or does not load.
    """
    return Open3dEngine(scene, threads=threads)


def pixel_directions(
    camera: Camera, *, shift_px: Float[np.ndarray, "2"] | None = None
) -> Float32[np.ndarray, "h w 3"]:
    """Return world directions through the pixels' centres, as long as makes their hit's t the depth.

    Args:
        camera: The camera.
        shift_px: Moves all of them, right and down.
    """
    right_px, down_px = (0.5, 0.5) if shift_px is None else 0.5 + shift_px
    x = (np.arange(camera.width) + right_px - camera.width / 2) / camera.focal_px
    y = (np.arange(camera.height) + down_px - camera.height / 2) / camera.focal_px
    right, up, backward = camera.T_world_camera[:3, :3].T
    rows = -y[:, None] * up - backward
    return np.asarray((x[None, :, None] * right + rows[:, None]).astype(np.float32))


def sky_radiance(sky: Sky, directions: Float32[np.ndarray, "n 3"]) -> Float32[np.ndarray, "n 3"]:
    """Return what one sees outside in directions of any length."""
    height = directions[:, 1:2] / np.linalg.norm(directions, axis=1, keepdims=True)
    zenith, horizon, ground = (
        np.array(color, np.float32) for color in (sky.zenith, sky.horizon, sky.ground)
    )
    up = horizon + height * (zenith - horizon)
    return np.where(height >= 0, up, ground).astype(np.float32)


def _library() -> Any:
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise EngineError(
            f"the engine 'open3d' cannot load its library ({error}); install it with "
            "`pip install open3d`, and on a machine without graphics libraries "
            "`apt-get install libgl1 libegl1 libx11-6 libusb-1.0-0`"
        ) from error
    return open3d


def _tracer(table: FaceTable, wanted: Bool[np.ndarray, " m"], *, threads: int) -> _Tracer:
    """Hand the triangles of the wanted materials to Open3D."""
    library = _library()
    faces = np.flatnonzero(wanted[table.material])
    corners = table.corners[faces].astype(np.float32).reshape(-1, 3)
    scene = library.t.geometry.RaycastingScene(nthreads=threads)
    if len(faces):
        triangles = np.arange(len(corners), dtype=np.uint32).reshape(-1, 3)
        scene.add_triangles(library.core.Tensor(corners), library.core.Tensor(triangles))
    return _Tracer(scene=scene, faces=faces, threads=threads)


def _cast(
    tracer: _Tracer,
    origins: Float32[np.ndarray, "o 3"],
    directions: Float32[np.ndarray, "n 3"],
) -> tuple[Float32[np.ndarray, " n"], Int[np.ndarray, " n"], Float32[np.ndarray, "n 2"]]:
    """Return distance, row of the table (-1 where nothing is hit) and barycentric coordinates."""
    if not len(tracer.faces):
        nothing = np.full(len(directions), -1, np.int64)
        return (
            np.full(len(directions), np.inf, np.float32),
            nothing,
            np.zeros((len(directions), 2), np.float32),
        )
    found = tracer.scene.cast_rays(_ray_tensor(origins, directions), nthreads=tracer.threads)
    t = found["t_hit"].numpy()
    hit = np.isfinite(t)
    face = np.where(hit, tracer.faces[np.where(hit, found["primitive_ids"].numpy(), 0)], -1)
    return t, face, found["primitive_uvs"].numpy()


def _occluded(
    tracer: _Tracer,
    origins: Float32[np.ndarray, "n 3"],
    towards: Float32[np.ndarray, "n 3"],
) -> Bool[np.ndarray, " n"]:
    if not (len(tracer.faces) and len(origins)):
        return np.zeros(len(origins), bool)
    rays = _ray_tensor(origins, towards)
    blocked = tracer.scene.test_occlusions(
        rays, tnear=0.0, tfar=1 - _SHORT_OF_LIGHT, nthreads=tracer.threads
    )
    return np.asarray(blocked.numpy())


def _ray_tensor(origins: Float32[np.ndarray, "o 3"], directions: Float32[np.ndarray, "n 3"]) -> Any:
    rays = np.zeros((len(directions), 6), np.float32)
    rays[:, :3] = origins
    rays[:, 3:] = directions
    return _library().core.Tensor.from_numpy(rays)
