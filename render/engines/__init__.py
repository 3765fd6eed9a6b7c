"""What draws a scene. One module an engine; each offers `prepare(scene) -> Engine`."""

import os
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float32, Int

from scenelift.render.camera import Camera
from scenelift.render.frame import Labels
from scenelift.render.scene import Scene

EngineName = Literal["embree", "open3d", "opengl"]
Quality = Literal["draft", "normal", "high"]


class EngineError(RuntimeError):
    """An engine that cannot work here: names what is missing and how to get it."""


@runtime_checkable
class Engine(Protocol):
    """One scene, made ready for rays. Frees its memory at the end of its `with` block."""

    def __enter__(self) -> "Engine": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

    def labels(self, camera: Camera) -> Labels:
        """Cast one ray through each pixel's centre."""
        ...

    def radiance(
        self, camera: Camera, labels: Labels, *, quality: Quality, seed: int
    ) -> Float32[np.ndarray, "h w 3"]:
        """Return linear radiance, denoised and anti-aliased, never negative or NaN; the same seed gives the same bytes."""
        ...

    def first_hits(
        self, origins_world: Float[np.ndarray, "n 3"], directions_world: Float[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, " n"], Int[np.ndarray, " n"]]:
        """Return the distance in units of each direction's length (inf where nothing is hit) and the instance id (0)."""
        ...


def kernels_are_compiled() -> bool:
    """Tell whether the default engine has compiled kernels on disk; without them its first scene takes about a minute."""
    folder = Path(__file__).parent / "embree" / "__pycache__"
    return "NUMBA_CACHE_DIR" in os.environ or any(folder.glob("*.nbi"))


def prepare(scene: Scene, *, engine: EngineName) -> Engine:
    """Make a scene ready for an engine.

    Raises:
        EngineError: if the engine's library is missing or does not work here.
    """
    if engine == "embree":
        from scenelift.render.engines import embree

        return embree.prepare(scene)
    if engine == "open3d":
        from scenelift.render.engines import open3d

        return open3d.prepare(scene)
    from scenelift.render.engines import opengl

    return opengl.prepare(scene)
