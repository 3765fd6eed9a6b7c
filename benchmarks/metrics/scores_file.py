"""Saved scores: `scores.npz` of a classifier, `detections.npz` of a detector with the truth beside it."""

from pathlib import Path

from scenelift.benchmarks.metrics.scores import (
    ClassificationScores,
    Detections,
    GroundTruthBoxes,
)


def write_classification(path: Path, scores: ClassificationScores) -> None:
    """Write `scores.npz`; it appears whole or not at all."""
    raise NotImplementedError


def read_classification(path: Path) -> ClassificationScores:
    """Read `scores.npz`."""
    raise NotImplementedError


def write_detections(path: Path, detections: Detections, *, truth: GroundTruthBoxes) -> None:
    """Write `detections.npz`; it appears whole or not at all."""
    raise NotImplementedError


def read_detections(path: Path) -> tuple[Detections, GroundTruthBoxes]:
    """Read `detections.npz`."""
    raise NotImplementedError
