"""Intel's Open Image Denoise from the pyoidn wheel: one thread, filters kept between frames of one size.

The library is called directly: importing pyoidn itself would import torch wherever that is installed.
"""

import ctypes
import functools
import importlib.util
import weakref
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from scenelift.render.engines import EngineError

FAST, BALANCED, HIGH = 4, 5, 6
"""Qualities of Open Image Denoise 2."""
_DEVICE_CPU, _FLOAT3 = 1, 3
_ADVICE = "pip install 'pyoidn>=2.5'"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, weakref_slot=True)
class _Denoiser:
    """One filter and the images that it is bound to."""

    address: int
    color: Float32[np.ndarray, "h w 3"]
    albedo: Float32[np.ndarray, "h w 3"]
    normal: Float32[np.ndarray, "h w 3"]
    output: Float32[np.ndarray, "h w 3"]


def denoise(
    color: Float32[np.ndarray, "h w 3"],
    *,
    albedo: Float32[np.ndarray, "h w 3"],
    normal: Float32[np.ndarray, "h w 3"],
    quality: int,
) -> Float32[np.ndarray, "h w 3"]:
    """Remove the noise of a linear picture by noise-free guides.

    Args:
        color: Linear radiance.
        albedo: Reflectance in [0, 1].
        normal: Unit normals in any one frame, or 0.
        quality: `FAST`, `BALANCED` or `HIGH`.

    Raises:
        EngineError: if Open Image Denoise is missing or fails.
    """
    tool = _denoiser(color.shape[0], color.shape[1], quality)
    tool.color[:], tool.albedo[:], tool.normal[:] = color, albedo, normal
    functions, device = _device()
    functions.oidnExecuteFilter(tool.address)
    _check(functions, device)
    return np.asarray(np.nan_to_num(np.maximum(tool.output, 0.0), posinf=0.0))


@functools.cache
def _device() -> tuple[ctypes.CDLL, int]:
    functions = _open()
    device = functions.oidnNewDevice(_DEVICE_CPU)
    if not device:
        raise EngineError(f"embree: Open Image Denoise has no CPU device here; {_ADVICE}")
    functions.oidnSetDeviceInt(device, b"numThreads", 1)
    functions.oidnSetDeviceBool(device, b"setAffinity", False)
    functions.oidnCommitDevice(device)
    _check(functions, device)
    return functions, int(device)


def _open() -> ctypes.CDLL:
    spec = importlib.util.find_spec("pyoidn")
    if spec is None or spec.origin is None:
        raise EngineError(f"embree: the package pyoidn is not installed; {_ADVICE}")
    folder = Path(spec.origin).parent / "oidn" / "lib"
    found = sorted(folder.glob("libOpenImageDenoise.*"))
    if not found:
        raise EngineError(f"embree: {folder} holds no libOpenImageDenoise; {_ADVICE}")
    try:
        functions = ctypes.CDLL(str(found[0]))
        _declare(functions)
    except (OSError, AttributeError) as error:
        raise EngineError(f"embree: {found[0]} cannot be used: {error}; {_ADVICE}") from error
    return functions


def _declare(functions: ctypes.CDLL) -> None:
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    image = [pointer, text, pointer, ctypes.c_int, size, size, size, size, size]
    signatures: dict[str, tuple[object, list[object]]] = {
        "oidnNewDevice": (pointer, [ctypes.c_int]),
        "oidnSetDeviceInt": (None, [pointer, text, ctypes.c_int]),
        "oidnSetDeviceBool": (None, [pointer, text, ctypes.c_bool]),
        "oidnCommitDevice": (None, [pointer]),
        "oidnGetDeviceError": (ctypes.c_int, [pointer, ctypes.POINTER(text)]),
        "oidnNewFilter": (pointer, [pointer, text]),
        "oidnSetSharedFilterImage": (None, list(image)),
        "oidnSetFilterBool": (None, [pointer, text, ctypes.c_bool]),
        "oidnSetFilterInt": (None, [pointer, text, ctypes.c_int]),
        "oidnCommitFilter": (None, [pointer]),
        "oidnExecuteFilter": (None, [pointer]),
        "oidnReleaseFilter": (None, [pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments


def _check(functions: ctypes.CDLL, device: int) -> None:
    message = ctypes.c_char_p()
    if functions.oidnGetDeviceError(device, ctypes.byref(message)):
        said = (message.value or b"no message").decode(errors="replace")
        raise EngineError(f"embree: Open Image Denoise reports: {said}")


@functools.lru_cache(maxsize=4)
def _denoiser(height: int, width: int, quality: int) -> _Denoiser:
    functions, device = _device()
    address = functions.oidnNewFilter(device, b"RT")
    images = [np.zeros((height, width, 3), dtype=np.float32) for _ in range(4)]
    for name, pixels in zip((b"color", b"albedo", b"normal", b"output"), images, strict=True):
        functions.oidnSetSharedFilterImage(
            address, name, pixels.ctypes.data, _FLOAT3, width, height, 0, 0, 0
        )
    functions.oidnSetFilterBool(address, b"hdr", True)
    functions.oidnSetFilterBool(address, b"cleanAux", True)
    functions.oidnSetFilterInt(address, b"quality", quality)
    functions.oidnCommitFilter(address)
    _check(functions, device)
    color, albedo, normal, output = images
    tool = _Denoiser(address=int(address), color=color, albedo=albedo, normal=normal, output=output)
    weakref.finalize(tool, functions.oidnReleaseFilter, address)
    return tool
