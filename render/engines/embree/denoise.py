"""Intel's Open Image Denoise, one thread, its filters kept between frames of one size."""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from scenelift.render.engines import EngineError

FAST, BALANCED, HIGH = 4, 5, 6
"""Qualities of Open Image Denoise."""
_FLOAT3 = 3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Denoiser:
    device: object
    filter: object
    color: Float32[np.ndarray, "h w 3"]
    albedo: Float32[np.ndarray, "h w 3"]
    normal: Float32[np.ndarray, "h w 3"]
    output: Float32[np.ndarray, "h w 3"]


@functools.cache
def _device() -> object:
    try:
        import pyoidn
    except ImportError as error:
        raise EngineError("embree: the package pyoidn is missing; pip install pyoidn") from error
    try:
        device = pyoidn.Device(pyoidn.OIDN_DEVICE_TYPE_CPU)
        device.set_int("numThreads", 1)
        device.set_bool("setAffinity", False)
        device.commit()
    except OSError as error:
        raise EngineError(f"embree: Open Image Denoise cannot be loaded: {error}") from error
    _check(device)
    return device


def _check(device: object) -> None:
    error = device.get_error()  # type: ignore[attr-defined]
    if error is not None:
        raise EngineError(f"embree: Open Image Denoise reports: {error}")


@functools.lru_cache(maxsize=4)
def _denoiser(height: int, width: int, quality: int, guided: bool) -> _Denoiser:
    import pyoidn

    device = _device()
    images = [np.zeros((height, width, 3), dtype=np.float32) for _ in range(4)]
    denoiser = pyoidn.Filter(device, pyoidn.OIDN_FILTER_TYPE_RT)
    denoiser.set_image("color", images[0], _FLOAT3)
    if guided:
        denoiser.set_image("albedo", images[1], _FLOAT3)
        denoiser.set_image("normal", images[2], _FLOAT3)
        denoiser.set_bool("cleanAux", True)
    denoiser.set_image("output", images[3], _FLOAT3)
    denoiser.set_bool("hdr", True)
    denoiser.set_int("quality", quality)
    denoiser.commit()
    _check(device)
    return _Denoiser(
        device=device,
        filter=denoiser,
        color=images[0],
        albedo=images[1],
        normal=images[2],
        output=images[3],
    )


def denoise(
    color: Float32[np.ndarray, "h w 3"],
    *,
    albedo: Float32[np.ndarray, "h w 3"],
    normal: Float32[np.ndarray, "h w 3"],
    quality: int,
) -> Float32[np.ndarray, "h w 3"]:
    """Remove the noise of a linear picture by noise-free guides.

    Raises:
        EngineError: if Open Image Denoise is missing or fails.
    """
    tool = _denoiser(color.shape[0], color.shape[1], quality, True)
    tool.color[:], tool.albedo[:], tool.normal[:] = color, albedo, normal
    tool.filter.execute()  # type: ignore[attr-defined]
    _check(tool.device)
    return np.nan_to_num(np.maximum(tool.output, 0.0), posinf=0.0)
