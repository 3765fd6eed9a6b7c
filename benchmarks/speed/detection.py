"""Average precision of many detections: seconds by definition.

    python -m scenelift.benchmarks.speed.detection [--boxes 100000] [--json PATH]

Boxes are random; more than half lie about a true box. The first call, which may compile, is measured apart from the repeats, which
take all ways in turn. Processor time.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import tyro

from scenelift.benchmarks.metrics.average_precision import DEFINITIONS
from scenelift.benchmarks.metrics.coco import coco_averages
from scenelift.benchmarks.metrics.detection import detection_averages
from scenelift.benchmarks.metrics.explain import explain_detections
from scenelift.benchmarks.metrics.scores import Detections, GroundTruthBoxes
from scenelift.benchmarks.speed.measure import report, spread


@dataclass(frozen=True, kw_only=True, slots=True)
class DetectionBenchmark:
    """Average precision of many detections."""

    boxes: int = 100_000
    """Detections."""
    pictures: int = 4952
    """As many as VOC 2007's test split has."""
    true_per_picture: int = 3
    classes: int = 20
    repeats: int = 5
    seed: int = 0
    json: Path | None = None
    """Where to write the figures."""


def main(config: DetectionBenchmark) -> None:
    """Measure and report."""
    found, truth = scene(config)
    ways: dict[str, Callable[[], object]] = {
        **{
            f"VOC matching, {definition}": partial(
                detection_averages, found, truth, definition=definition
            )
            for definition in DEFINITIONS
        },
        "COCO, ten overlaps": partial(coco_averages, found, truth),
        "all that is explained": partial(explain_detections, found, truth),
    }
    first = {way: _cpu_s(run) for way, run in ways.items()}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(config.repeats):
        for way, run in ways.items():
            seconds[way].append(_cpu_s(run))
    rows = [
        (way, f"{spread(each)} s, the first call {first[way]:.2f} s")
        for way, each in seconds.items()
    ]
    title = f"{config.boxes} detections of {config.classes} classes in {config.pictures} pictures"
    report(title, rows, facts={"cpu_s": seconds, "first_s": first}, path=config.json)


def scene(config: DetectionBenchmark) -> tuple[Detections, GroundTruthBoxes]:
    """Draw true boxes, and detections of which 60 % lie about one."""
    rng = np.random.default_rng(config.seed)
    num_true = config.pictures * config.true_per_picture
    corner = rng.integers(1, 300, (num_true, 2)).astype(np.float64)
    truth = GroundTruthBoxes(
        names=tuple(f"{number:06}" for number in range(config.pictures)),
        classes=tuple(f"class {number}" for number in range(config.classes)),
        image_index=rng.integers(0, config.pictures, num_true),
        class_index=rng.integers(0, config.classes, num_true),
        boxes=np.hstack([corner, corner + rng.integers(20, 200, (num_true, 2))]),
        difficult=rng.random(num_true) < 0.2,
    )
    about = rng.integers(0, num_true, config.boxes)
    stray = rng.random(config.boxes) < 0.4
    boxes = truth.boxes[about] + rng.uniform(-9, 9, (config.boxes, 4))
    return Detections(
        image_index=np.where(
            stray, rng.integers(0, config.pictures, config.boxes), truth.image_index[about]
        ),
        class_index=np.where(
            stray, rng.integers(0, config.classes, config.boxes), truth.class_index[about]
        ),
        scores=rng.random(config.boxes, dtype=np.float32),
        boxes=boxes,
    ), truth


def _cpu_s(run: Callable[[], object]) -> float:
    began = time.process_time()
    run()
    return time.process_time() - began


if __name__ == "__main__":
    main(tyro.cli(DetectionBenchmark, description=__doc__))
