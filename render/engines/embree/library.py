"""The Embree 4 library inside the embreex wheel: found, checked, opened once a process.

embreex itself casts rays one batch at a time through Python. Its wheel carries the whole library, whose packet
functions a compiled kernel can call; the price is that the wheel's layout is private, so it is checked at start:
the version, the features, and one packet of rays against a triangle whose hit is known.
"""

import ctypes
import functools
import importlib.util
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32

from scenelift.render.engines import EngineError

logger = logging.getLogger(__name__)

PACKET_ROWS, PACKET_LANES = 21, 16
"""RTCRayHit16: 12 rows of RTCRay16 (origin, tnear, direction, time, tfar, mask, id, flags), 9 of RTCHit16."""
MASK_OPAQUE, MASK_TRANSPARENT = 1, 2
"""Geometry masks: surfaces that stop every ray, and glass and cut-outs."""
COHERENT = 1 << 16

_ADVICE = "pip install 'embreex==4.4.*', or take the engine open3d"
_SUPPORTED = (4, 4)
_PROPERTY_MAJOR, _PROPERTY_MINOR, _PROPERTY_RAY_MASK = 1, 2, 64
_TRIANGLES, _BUFFER_INDEX, _BUFFER_VERTEX = 0, 0, 1
_FORMAT_UINT3, _FORMAT_FLOAT3 = 0x5003, 0x9003
_SCENE_ROBUST, _BUILD_MEDIUM = 4, 1
_PACKET_FUNCTIONS = ("rtcIntersect16", "rtcOccluded16", "rtcIntersect1")


class _QueryArguments(ctypes.Structure):
    """RTCIntersectArguments and RTCOccludedArguments of Embree 4.4, with the optional last field."""

    _fields_ = (
        ("flags", ctypes.c_uint32),
        ("feature_mask", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("filter", ctypes.c_void_p),
        ("intersect", ctypes.c_void_p),
        ("min_width_distance_factor", ctypes.c_float),
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Library:
    """Embree, opened, with one device of one thread."""

    functions: ctypes.CDLL
    device: int
    coherent: _QueryArguments
    """Arguments of camera rays."""
    incoherent: _QueryArguments
    """Arguments of bounced and shadow rays: the coherent kind halves their speed."""

    @property
    def coherent_address(self) -> int:
        """For kernels."""
        return ctypes.addressof(self.coherent)

    @property
    def incoherent_address(self) -> int:
        """For kernels."""
        return ctypes.addressof(self.incoherent)


@functools.cache
def load_library() -> Library:
    """Open Embree and check it; the second call returns the first one's result.

    Raises:
        EngineError: if the wheel or its library is missing, another version, or fails the self-test.
    """
    functions = _open(_library_folder())
    device = functions.rtcNewDevice(b"threads=1,set_affinity=0")
    if not device:
        raise EngineError("embree: no device could be made; reinstall embreex==4.4.*")
    library = Library(
        functions=functions,
        device=device,
        coherent=_QueryArguments(COHERENT, 0xFFFFFFFF, None, None, None, 0.0),
        incoherent=_QueryArguments(0, 0xFFFFFFFF, None, None, None, 0.0),
    )
    check_version(library)
    self_test(library)
    _offer_to_kernels(functions)
    return library


def _library_folder() -> Path:
    spec = importlib.util.find_spec("embreex")
    if spec is None or spec.origin is None:
        raise EngineError(f"embree: the package embreex is not installed; {_ADVICE}")
    return Path(spec.origin).parent.parent / "embreex.libs"


def _open(folder: Path) -> ctypes.CDLL:
    found = sorted(folder.glob("libembree4*"))
    if not found:
        raise EngineError(
            f"embree: {folder} holds no libembree4; the wheel is laid out in another way than embreex 4.4's, "
            f"{_ADVICE}"
        )
    try:
        for threads in sorted(folder.glob("libtbb*")):
            ctypes.CDLL(str(threads))
        functions = ctypes.CDLL(str(found[0]))
        _declare(functions)
    except (OSError, AttributeError) as error:
        raise EngineError(f"embree: {found[0]} cannot be used: {error}") from error
    return functions


def _declare(functions: ctypes.CDLL) -> None:
    pointer, uint, size = ctypes.c_void_p, ctypes.c_uint, ctypes.c_size_t
    signatures: dict[str, tuple[object, list[object]]] = {
        "rtcNewDevice": (pointer, [ctypes.c_char_p]),
        "rtcGetDeviceProperty": (ctypes.c_ssize_t, [pointer, ctypes.c_int]),
        "rtcGetDeviceError": (ctypes.c_int, [pointer]),
        "rtcNewScene": (pointer, [pointer]),
        "rtcSetSceneFlags": (None, [pointer, ctypes.c_int]),
        "rtcSetSceneBuildQuality": (None, [pointer, ctypes.c_int]),
        "rtcCommitScene": (None, [pointer]),
        "rtcReleaseScene": (None, [pointer]),
        "rtcNewGeometry": (pointer, [pointer, ctypes.c_int]),
        "rtcSetGeometryMask": (None, [pointer, uint]),
        "rtcSetSharedGeometryBuffer": (
            None,
            [pointer, ctypes.c_int, uint, ctypes.c_int, pointer, size, size, size],
        ),
        "rtcCommitGeometry": (None, [pointer]),
        "rtcReleaseGeometry": (None, [pointer]),
        "rtcAttachGeometryByID": (None, [pointer, pointer, uint]),
        "rtcIntersect16": (None, [pointer] * 4),
        "rtcOccluded16": (None, [pointer] * 4),
        "rtcIntersect1": (None, [pointer] * 3),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(functions, name)
        function.restype, function.argtypes = result, arguments


def check_version(library: Library) -> None:
    """Refuse an Embree whose structures may differ from those that the kernels fill.

    Raises:
        EngineError: if the version is not 4.4 or ray masks are missing.
    """
    ask: Callable[[int, int], int] = library.functions.rtcGetDeviceProperty
    version = (ask(library.device, _PROPERTY_MAJOR), ask(library.device, _PROPERTY_MINOR))
    if version != _SUPPORTED:
        raise EngineError(
            f"embree: version {version[0]}.{version[1]}, the kernels know 4.4; {_ADVICE}"
        )
    if not ask(library.device, _PROPERTY_RAY_MASK):
        raise EngineError("embree: built without ray masks; {_ADVICE}")


def self_test(library: Library) -> None:
    """Cast one packet at a triangle and compare every field that the kernels read.

    Raises:
        EngineError: if one of them differs.
    """
    corners = np.array([[0, 0, 2], [1, 0, 2], [0, 1, 2], [0, 0, 0]], dtype=np.float32)
    faces = np.array([[0, 1, 2]], dtype=np.int32)
    bvh = build_bvh(library, corners, faces, num_opaque=1)
    try:
        packet = aligned_zeros(PACKET_ROWS * PACKET_LANES).reshape(PACKET_ROWS, PACKET_LANES)
        bits = packet.view(np.uint32)
        lanes_on = aligned_zeros(PACKET_LANES).view(np.int32)
        lanes_on[3] = -1
        packet[0], packet[1], packet[6], packet[8] = 0.25, 0.5, 1, np.inf
        bits[9], bits[18] = MASK_OPAQUE, 0xFFFFFFFF
        library.functions.rtcIntersect16(
            lanes_on.ctypes.data, bvh, packet.ctypes.data, library.coherent_address
        )
        hit = [float(packet[row, 3]) for row in (8, 15, 16)]
        names = (int(bits[17, 3]), int(bits[18, 3]), int(bits[18, 2]))
        packet[8] = np.inf
        library.functions.rtcOccluded16(
            lanes_on.ctypes.data, bvh, packet.ctypes.data, library.incoherent_address
        )
        shadow = (float(packet[8, 3]), float(packet[8, 2]))
    finally:
        library.functions.rtcReleaseScene(bvh)
    if not np.allclose(hit, (2, 0.25, 0.5), atol=1e-6) or names != (0, 0, 0xFFFFFFFF):
        raise EngineError(
            f"embree: self-test failed, a ray at a known triangle gave (t, u, v) = {hit} and (primitive, geometry, "
            f"idle lane) = {names} where (2, 0.25, 0.5) and (0, 0, 4294967295) are right; {_ADVICE}"
        )
    if shadow != (-np.inf, np.inf):
        raise EngineError(f"embree: self-test failed, a shadow ray left {shadow}; {_ADVICE}")


def _offer_to_kernels(functions: ctypes.CDLL) -> None:
    """Name the functions to LLVM: kernels that know symbols instead of addresses can be cached on disk."""
    import llvmlite.binding

    for name in _PACKET_FUNCTIONS:
        address = ctypes.cast(getattr(functions, name), ctypes.c_void_p).value
        llvmlite.binding.add_symbol(name, address)


def aligned_zeros(count: int) -> Float32[np.ndarray, " n"]:
    """Float32 zeros that start on a cache line, as Embree's packets must."""
    raw = np.zeros(count + 16, dtype=np.float32)
    start = (-raw.ctypes.data % 64) // 4
    return raw[start : start + count]


def build_bvh(
    library: Library,
    vertices: Float32[np.ndarray, "v 3"],
    faces: Int32[np.ndarray, "f 3"],
    *,
    num_opaque: int,
) -> int:
    """Build Embree's scene over triangles: geometry 0 is the first `num_opaque` faces, geometry 1 the rest.

    Args:
        library: Embree.
        vertices: Must stay alive as long as the scene, with one row more than the faces use (Embree reads 16 bytes).
        faces: Must stay alive as long as the scene.
        num_opaque: How many faces stop every ray.

    Returns:
        The scene's address; release it with `rtcReleaseScene`.

    Raises:
        EngineError: if Embree reports an error, as when memory is short.
    """
    functions = library.functions
    bvh = functions.rtcNewScene(library.device)
    functions.rtcSetSceneFlags(bvh, _SCENE_ROBUST)
    functions.rtcSetSceneBuildQuality(bvh, _BUILD_MEDIUM)
    parts = ((0, 0, num_opaque, MASK_OPAQUE), (1, num_opaque, len(faces), MASK_TRANSPARENT))
    for number, start, stop, mask in parts:
        if start == stop:
            continue
        geometry = functions.rtcNewGeometry(library.device, _TRIANGLES)
        share = functools.partial(functions.rtcSetSharedGeometryBuffer, geometry)
        share(_BUFFER_VERTEX, 0, _FORMAT_FLOAT3, vertices.ctypes.data, 0, 12, len(vertices))
        share(_BUFFER_INDEX, 0, _FORMAT_UINT3, faces[start:].ctypes.data, 0, 12, stop - start)
        functions.rtcSetGeometryMask(geometry, mask)
        functions.rtcCommitGeometry(geometry)
        functions.rtcAttachGeometryByID(bvh, geometry, number)
        functions.rtcReleaseGeometry(geometry)
    functions.rtcCommitScene(bvh)
    code = functions.rtcGetDeviceError(library.device)
    if code:
        functions.rtcReleaseScene(bvh)
        raise EngineError(f"embree: building over {len(faces)} triangles failed with error {code}")
    return int(bvh)
