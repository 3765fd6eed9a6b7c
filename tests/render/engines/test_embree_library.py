import ctypes
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from analytic_scenes import box_room, camera_at

from scenelift.render.engines import EngineError, embree
from scenelift.render.engines.embree import library


class Altered(ctypes.CDLL):
    """Embree's functions, with some replaced."""

    def __init__(self, real: ctypes.CDLL, **replaced: object) -> None:
        self._real, self._replaced = real, replaced

    def __getattr__(self, name: str) -> Any:
        return self._replaced.get(name) or getattr(self._real, name)


def altered(**replaced: object) -> library.Library:
    real = library.load_library()
    return replace(real, functions=Altered(real.functions, **replaced))


def test_the_installed_library_passes() -> None:
    found = library.load_library()
    library.check_version(found)
    library.self_test(found)
    assert library.load_library() is found


def test_another_version_is_refused() -> None:
    def ask(_device: int, key: int) -> int:
        return {1: 4, 2: 5}.get(key, 1)

    with pytest.raises(EngineError, match=r"version 4\.5, the kernels know 4\.4"):
        library.check_version(altered(rtcGetDeviceProperty=ask))


def test_missing_ray_masks_are_refused() -> None:
    def ask(_device: int, key: int) -> int:
        return {1: 4, 2: 4, 64: 0}.get(key, 1)

    with pytest.raises(EngineError, match="without ray masks"):
        library.check_version(altered(rtcGetDeviceProperty=ask))


def test_rays_that_miss_a_known_triangle_fail_the_self_test() -> None:
    with pytest.raises(EngineError, match="self-test failed, a ray at a known triangle"):
        library.self_test(altered(rtcIntersect16=lambda *_: None))


def test_a_structure_laid_out_in_another_way_fails_the_self_test() -> None:
    real = library.load_library().functions.rtcIntersect16

    def shifted(lanes: int, scene: int, packet: int, arguments: int) -> None:
        real(lanes, scene, packet, arguments)
        rows = (ctypes.c_float * (21 * 16)).from_address(packet)
        rows[15 * 16 + 3], rows[16 * 16 + 3] = rows[16 * 16 + 3], rows[15 * 16 + 3]

    with pytest.raises(EngineError, match=r"\(t, u, v\)"):
        library.self_test(altered(rtcIntersect16=shifted))


def test_shadow_rays_that_see_through_fail_the_self_test() -> None:
    with pytest.raises(EngineError, match="a shadow ray left"):
        library.self_test(altered(rtcOccluded16=lambda *_: None))


def test_a_build_that_fails_is_reported() -> None:
    with pytest.raises(EngineError, match=r"building over 1 triangles failed with error 4"):
        library.build_bvh(
            altered(rtcGetDeviceError=lambda _device: 4),
            np.zeros((4, 3), dtype=np.float32),
            np.array([[0, 1, 2]], dtype=np.int32),
            num_opaque=1,
        )


def test_a_wheel_laid_out_in_another_way_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    origin = tmp_path / "embreex" / "__init__.py"
    monkeypatch.setattr("importlib.util.find_spec", lambda _: SimpleNamespace(origin=str(origin)))
    library.load_library.cache_clear()
    try:
        with pytest.raises(EngineError, match="holds no libembree4"):
            embree.prepare(box_room())
        folder = tmp_path / "embreex.libs"
        folder.mkdir()
        (folder / "libembree4.so").write_bytes(b"not a library")
        with pytest.raises(EngineError, match=r"libembree4\.so cannot be used"):
            embree.prepare(box_room())
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
        with pytest.raises(EngineError, match="embreex is not installed"):
            embree.prepare(box_room())
    finally:
        library.load_library.cache_clear()


def test_drawing_starts_no_threads() -> None:
    camera = camera_at((1.2, 1.4, 2.0), (-0.3, 0.9, -1.0), width=16, height=12, focal_px=12)
    with embree.prepare(box_room()) as engine:
        engine.radiance(camera, engine.labels(camera), quality="normal", seed=1)
        tasks = Path("/proc/self/task")
        before = len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
        engine.radiance(camera, engine.labels(camera), quality="high", seed=1)
    with embree.prepare(box_room()) as engine:
        engine.labels(camera)
    after = len(list(tasks.iterdir())) if tasks.is_dir() else threading.active_count()
    assert after == before
