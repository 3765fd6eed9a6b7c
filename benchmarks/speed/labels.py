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

import tyro

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
    rooms = room_views(rooms=config.rooms, views=config.views, size=config.size)
    one = [(prepare_open3d(room.scene, threads=_THREADS), room.cameras) for room in rooms]
    two = [
        [(prepare_embree(room.scene), room.cameras[thread::_THREADS]) for room in rooms]
        for thread in range(_THREADS)
    ]
    frames = sum(len(room.cameras) for room in rooms)
    with ThreadPoolExecutor(_THREADS) as pool:
        ways: dict[str, Callable[[], object]] = {
            "open3d": lambda: _draw(one),
            "ours": lambda: list(pool.map(_draw, two)),
        }
        for draw in ways.values():
            draw()
        wall_ms, cpu_ms = _measure(ways, repeats=config.repeats, frames=frames)
    ratio, cpu_ratio = (ratios(t["open3d"], t["ours"]) for t in (wall_ms, cpu_ms))
    rows = [
        ("Open3D + NumPy: wall ms a frame, two threads", str(spread(wall_ms["open3d"]))),
        ("ours, draft: wall ms a frame, two threads", str(spread(wall_ms["ours"]))),
        ("Open3D + NumPy over ours, wall time (bar: 6)", str(ratio)),
        ("Open3D + NumPy: CPU ms a frame", str(spread(cpu_ms["open3d"]))),
        ("ours, draft: CPU ms a frame", str(spread(cpu_ms["ours"]))),
        ("Open3D + NumPy over ours, CPU time", str(cpu_ratio)),
        ("triangles", ", ".join(str(_triangles(room)) for room in rooms)),
    ]
    facts = {"wall_ratio": ratio, "cpu_ratio": cpu_ratio, "wall_ms": wall_ms, "cpu_ms": cpu_ms}
    title = f"labels and direct light, {config.size}x{config.size}, {frames} views, {config.repeats} repeats in turn"
    report(title, rows, facts={**facts}, path=config.json)


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
