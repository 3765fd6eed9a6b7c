"""Labels and direct light against Open3D's ray caster with NumPy shading. Bar: six times as fast.

    python -m scenelift.benchmarks.speed.labels [--json PATH]

256x256, depth, normals, ids, reflectance and the light of all lamps by one shadow ray a pixel, over views of several
rooms, frame by frame in turn. Both have two threads: Open3D casts each frame's rays with two; the default engine, whose
kernels hold no lock, draws two frames at a time, each with its own engine. The scenes are the same objects in memory.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from scenelift.benchmarks.speed.diffuse_room import diffuse_room, room_camera
from scenelift.benchmarks.speed.measure import ratios, report, spread
from scenelift.benchmarks.speed.rooms import RoomViews, room_views
from scenelift.render.camera import Camera
from scenelift.render.engines import Engine
from scenelift.render.engines.embree import prepare as prepare_embree
from scenelift.render.engines.open3d import prepare as prepare_open3d

_THREADS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelsBenchmark:
    """Labels and direct light against Open3D's ray caster."""

    repeats: int = 30
    """How often each draws all views, in turn."""
    rooms: int = 3
    views: int = 4
    """Views of each room; an even number, since two are drawn at a time."""
    size: int = 256
    """Width and height in pixels."""
    json: Path | None = None
    """Where to write the figures."""


def main(config: LabelsBenchmark) -> None:
    """Measure and report."""
    asides = np.linspace(-1.0, 1.5, config.views).tolist()
    size = config.size
    cameras = tuple(room_camera(width=size, height=size, aside_m=aside) for aside in asides)
    cases = {
        "one diffuse room, one lamp": [RoomViews(scene=diffuse_room(), cameras=cameras)],
        "generated rooms": room_views(rooms=config.rooms, views=config.views, size=size),
    }
    rows: list[tuple[str, str]] = []
    facts: dict[str, object] = {}
    for name, rooms in cases.items():
        wall_ms, cpu_ms = _race(rooms, repeats=config.repeats)
        wall, cpu = (ratios(t["open3d"], t["ours"]) for t in (wall_ms, cpu_ms))
        rows += [
            (name, f"{', '.join(str(_triangles(room)) for room in rooms)} triangles"),
            ("  wall ms a frame, Open3D + NumPy", str(spread(wall_ms["open3d"]))),
            ("  wall ms a frame, ours", str(spread(wall_ms["ours"]))),
            ("  wall time, Open3D + NumPy over ours (bar: 6)", str(wall)),
            ("  CPU ms a frame, Open3D + NumPy", str(spread(cpu_ms["open3d"]))),
            ("  CPU ms a frame, ours", str(spread(cpu_ms["ours"]))),
            ("  CPU time, Open3D + NumPy over ours", str(cpu)),
        ]
        facts[name] = {"wall_ratio": wall, "cpu_ratio": cpu, "wall_ms": wall_ms, "cpu_ms": cpu_ms}
    title = f"labels and direct light, {size}x{size}, two threads, {config.repeats} repeats in turn"
    report(title, rows, facts=facts, path=config.json)


def _race(
    rooms: Sequence[RoomViews], *, repeats: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Return wall and CPU time a frame of both ways, repeat by repeat."""
    one = [(prepare_open3d(room.scene, threads=_THREADS), room.cameras) for room in rooms]
    two = [
        [(prepare_embree(room.scene), room.cameras[thread::_THREADS]) for room in rooms]
        for thread in range(_THREADS)
    ]
    with ThreadPoolExecutor(_THREADS) as pool:
        ways: dict[str, Callable[[], object]] = {
            "open3d": lambda: _draw(one),
            "ours": lambda: list(pool.map(_draw, two)),
        }
        for draw in ways.values():
            draw()
        return _measure(ways, repeats=repeats, frames=sum(len(room.cameras) for room in rooms))


def _draw(work: Sequence[tuple[Engine, Sequence[Camera]]]) -> None:
    for engine, cameras in work:
        for number, camera in enumerate(cameras):
            labels = engine.labels(camera)
            engine.radiance(camera, labels, quality="draft", seed=number)


def _measure(
    ways: dict[str, Callable[[], object]], *, repeats: int, frames: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    wall_ms: dict[str, list[float]] = {name: [] for name in ways}
    cpu_ms: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, draw in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            draw()
            wall_ms[name].append(1e3 * (time.perf_counter() - wall) / frames)
            cpu_ms[name].append(1e3 * (time.process_time() - cpu) / frames)
    return wall_ms, cpu_ms


def _triangles(room: RoomViews) -> int:
    return sum(len(node.mesh.faces) for node in room.scene.nodes)


if __name__ == "__main__":
    main(tyro.cli(LabelsBenchmark))
