"""Memory of one worker over many small scenes. Bar: flat.

    python -m scenelift.benchmarks.speed.memory [--scenes 1000] [--json PATH]

Rooms are made, rendered (two views, 64x64, normal) and written one after the other in this process, as a worker does.
Flat: the resident memory of the last tenth is at most 2 % above that of the second tenth; the slope is a straight line
through all after the first tenth, which fills caches.
"""

import gc
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from scenelift.benchmarks.speed.measure import report
from scenelift.render.config import Content, Execution, RenderConfig
from scenelift.render.job import Progress, render_scenes
from scenelift.render.photograph import PhotoSettings

_PAGE_MB = 4096 / 1e6


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryBenchmark:
    """Memory of one worker over many small scenes."""

    scenes: int = 1000
    """Rooms, one after the other."""
    size: int = 64
    """Width and height in pixels."""
    json: Path | None = None
    """Where to write the figures."""


def main(config: MemoryBenchmark) -> None:
    """Measure and report."""
    memory_mb: list[float] = []

    def note(progress: Progress) -> None:
        if progress.scenes > len(memory_mb):
            memory_mb.append(resident_mb())

    photo = PhotoSettings(width=config.size, height=config.size)
    frames = 16 * config.scenes
    with tempfile.TemporaryDirectory() as folder:
        content = Content(frames=frames, photo=photo)
        execution = Execution(out=Path(folder) / "out.h5", workers=1)
        render_scenes(RenderConfig(content=content, execution=execution), on_progress=note)
    gc.collect()
    rows, facts = describe(memory_mb)
    title = f"resident memory of a worker over {len(memory_mb)} rooms"
    report(title, rows, facts=facts, path=config.json)


def resident_mb() -> float:
    """Return the resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB


def describe(memory_mb: list[float]) -> tuple[list[tuple[str, str]], dict[str, object]]:
    """Summarise the course of memory over scenes.

    >>> describe([100.0] * 20)[1]["growth"]
    0.0
    """
    course = np.asarray(memory_mb)
    tenth = max(len(course) // 10, 1)
    early, late = np.median(course[tenth : 2 * tenth]), np.median(course[-tenth:])
    after = course[tenth:]
    slope = np.polyfit(np.arange(len(after)), after, 1)[0] if len(after) > 1 else 0.0
    growth = float(late / early - 1)
    rows = [
        ("MB after the second tenth", f"{early:.1f}"),
        ("MB at the end", f"{late:.1f}"),
        ("growth (bar: 2 %)", f"{100 * growth:.2f} %"),
        ("slope, kB a scene", f"{1e3 * slope:.2f}"),
        ("most, MB", f"{course.max():.1f}"),
    ]
    return rows, {"growth": growth, "slope_mb": float(slope), "memory_mb": memory_mb}


if __name__ == "__main__":
    main(tyro.cli(MemoryBenchmark))
