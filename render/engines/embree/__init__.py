"""The default engine: Embree 4 for rays, compiled kernels for everything else, one thread.

Rendering is spread over processes, so nothing here starts a thread.
"""

from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float, Float32, Int

from scenelift.render.camera import Camera
from scenelift.render.engines import EngineError, Quality
from scenelift.render.engines.embree import packets
from scenelift.render.engines.embree.geometry import flatten
from scenelift.render.engines.embree.guide import find_balls
from scenelift.render.engines.embree.kernel_cache import drop_stale_kernels
from scenelift.render.engines.embree.labels import resolve_labels
from scenelift.render.engines.embree.library import build_bvh, load_library
from scenelift.render.engines.embree.lights import gather_lights
from scenelift.render.engines.embree.path import new_memory
from scenelift.render.engines.embree.radiance import Shot, take
from scenelift.render.engines.embree.survey import survey
from scenelift.render.frame import Labels
from scenelift.render.scene import Scene

__all__ = ["EmbreeEngine", "prepare"]

drop_stale_kernels(Path(__file__).parent)


def prepare(scene: Scene) -> "EmbreeEngine":
    """Make a scene ready for rays.

    Raises:
        EngineError: if Embree is missing or does not work here.
        SceneError: if no triangle of the scene can be seen.
    """
    return EmbreeEngine(scene)


class EmbreeEngine:
    """One scene in Embree; frees its memory at the end of its `with` block."""

    def __init__(self, scene: Scene) -> None:
        self._library = load_library()
        self._tables, self._centre_world = flatten(scene)
        self._lights = gather_lights(scene, self._tables, centre_world=self._centre_world)
        self._memory = new_memory(num_lights=len(self._lights.kind))
        self._last: tuple[Labels, Shot] | None = None
        self._bvh = build_bvh(
            self._library,
            self._tables.vertices,
            self._tables.faces,
            num_opaque=self._tables.num_opaque,
        )
        survey(
            self._bvh,
            self._library.incoherent_address,
            self._tables,
            self._lights,
            self._memory,
        )
        self._lights = find_balls(
            self._bvh,
            self._library.incoherent_address,
            self._tables,
            self._lights,
            self._memory.packet,
        )

    def __enter__(self) -> "EmbreeEngine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free Embree's memory; a second call does nothing."""
        if self._bvh:
            self._library.functions.rtcReleaseScene(self._bvh)
            self._bvh = 0

    def _opened(self) -> int:
        if not self._bvh:
            raise EngineError("embree: the engine is closed; prepare the scene again")
        return self._bvh

    def labels(self, camera: Camera) -> Labels:
        """Cast one ray through each pixel's centre."""
        shot = self.shot(camera)
        labels = resolve_labels(self._tables, camera, eye=shot.eye, face=shot.face, uvt=shot.uvt)
        self._last = (labels, shot)
        return labels

    def shot(self, camera: Camera) -> Shot:
        """Cast the centre rays of a view."""
        face = np.full((camera.height, camera.width), -1, dtype=np.int32)
        uvt = np.zeros((camera.height, camera.width, 3), dtype=np.float32)
        eye = np.ascontiguousarray(camera.T_world_camera[:3, 3] - self._centre_world)
        rotation = np.ascontiguousarray(camera.T_world_camera[:3, :3], dtype=np.float64)
        packets.cast_camera(
            self._opened(),
            self._library.coherent_address,
            self._tables,
            self._memory.packet,
            eye,
            rotation,
            float(camera.focal_px),
            face,
            uvt,
        )
        return Shot(
            library=self._library,
            bvh=self._opened(),
            tables=self._tables,
            lights=self._lights,
            memory=self._memory,
            camera=camera,
            eye=eye,
            rotation=rotation,
            face=face,
            uvt=uvt,
        )

    def radiance(
        self, camera: Camera, labels: Labels, *, quality: Quality, seed: int
    ) -> Float32[np.ndarray, "h w 3"]:
        """Return linear radiance, denoised and anti-aliased; the same seed gives the same bytes."""
        known = (
            self._last is not None and self._last[0] is labels and self._last[1].camera is camera
        )
        shot = self._last[1] if known and self._last is not None else self.shot(camera)
        return take(shot, labels, quality=quality, seed=seed)

    def first_hits(
        self, origins_world: Float[np.ndarray, "n 3"], directions_world: Float[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Return the distance in units of each direction's length (inf where nothing is hit) and the instance id (0)."""
        distance = np.full(len(origins_world), np.inf, dtype=np.float32)
        instance = np.zeros(len(origins_world), dtype=np.int64)
        packets.cast_rays(
            self._opened(),
            self._library.incoherent_address,
            self._tables,
            self._memory.packet,
            np.ascontiguousarray(origins_world - self._centre_world, dtype=np.float64),
            np.ascontiguousarray(directions_world, dtype=np.float64),
            distance,
            instance,
        )
        return distance, instance
