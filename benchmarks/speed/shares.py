"""Where one worker's CPU time goes, and what the rays alone cost."""

import functools
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scenelift.benchmarks.speed.ray_meter import RayCount, RayMeter
from scenelift.render import photograph, work
from scenelift.render.config import Content, Execution, RenderConfig
from scenelift.render.engines.embree import EmbreeEngine, denoise
from scenelift.render.job import render_scenes
from scenelift.render.photograph import PhotoSettings


@dataclass(kw_only=True, slots=True)
class _Timer:
    """CPU time by part; a part inside another counts for itself alone."""

    seconds: dict[str, float] = field(default_factory=dict)
    open_parts: list[float] = field(default_factory=list)

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added to a part."""

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            start = time.process_time()
            self.open_parts.append(0.0)
            try:
                return function(*args, **kwargs)
            finally:
                took = time.process_time() - start
                inside = self.open_parts.pop()
                self.seconds[part] = self.seconds.get(part, 0.0) + took - inside
                if self.open_parts:
                    self.open_parts[-1] += took

        return wrapped


_PARTS: tuple[tuple[str, object, str], ...] = (
    ("making rooms", work, "make_room"),
    ("building the engine", work, "prepare"),
    ("finding standpoints", work, "find_standpoints"),
    ("compressing and writing", work, "write_shard"),
    ("edges", photograph, "find_edges"),
    ("developing", photograph, "develop"),
    ("denoising", denoise, "denoise"),
    ("engine", EmbreeEngine, "labels"),
    ("engine", EmbreeEngine, "radiance"),
    ("engine", EmbreeEngine, "first_hits"),
    ("choosing views, gates", work, "photograph"),
)


def measure_shares(*, frames: int) -> tuple[str, list[tuple[str, str]], dict[str, object]]:
    """Render in this process with clocks in place; return title, table and figures."""
    meter, timer = RayMeter(), _Timer()
    _render(frames=8)
    for part, owner, name in _PARTS:
        setattr(owner, name, timer.timed(part, getattr(owner, name)))
    meter.reset()
    start = time.process_time()
    made = _render(frames=frames)
    total = time.process_time() - start
    rays = meter.read()
    ray_s = sum(count.seconds for count in rays.values())
    parts = dict(timer.seconds)
    parts["rays"] = ray_s
    parts["shading"] = parts.pop("engine") - ray_s
    parts["planning, merging, other"] = total - sum(parts.values())
    rows = [
        (f"{part}: ms a frame, share", f"{1e3 * s / made:.2f}, {100 * s / total:.1f} %")
        for part, s in sorted(parts.items(), key=lambda item: -item[1])
    ]
    rows += [_ray_row(name, count, frames=made) for name, count in rays.items()]
    per_frame = 1e3 * total / made
    rows += [
        ("all: CPU ms a frame", f"{per_frame:.1f}"),
        ("limit by rays alone: frames/s a core", f"{made / ray_s:.0f}"),
    ]
    facts: dict[str, object] = {
        "cpu_ms_a_frame": per_frame,
        "ms_a_frame": {part: 1e3 * s / made for part, s in parts.items()},
        "rays_a_frame": {name: count.rays / made for name, count in rays.items()},
    }
    return f"shares of one worker, normal, 256x256, {made} frames", rows, facts


def _ray_row(name: str, count: RayCount, *, frames: int) -> tuple[str, str]:
    speed = count.rays / max(count.seconds, 1e-12) / 1e6
    return (
        f"{name}: rays a frame, ms a frame, million rays/s",
        f"{count.rays / frames:.0f}, {1e3 * count.seconds / frames:.2f}, {speed:.1f}",
    )


def _render(*, frames: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        content = Content(frames=frames, photo=PhotoSettings(quality="normal"))
        execution = Execution(out=Path(folder) / "out.h5", workers=1)
        return render_scenes(RenderConfig(content=content, execution=execution)).frames
