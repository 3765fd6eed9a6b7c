"""Detections against true boxes: the VOC devkit's rules and COCO's."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int8

from scenelift.benchmarks.metrics.average_precision import ClassAverages, Definition, Ties
from scenelift.benchmarks.metrics.scores import Detections, GroundTruthBoxes


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoAverages:
    """COCO's figures, each from 0 to 1."""

    per_class: Float64[np.ndarray, " c"]
    """Mean over ten IoU from 0.5 to 0.95; NaN for a class without positives."""
    mean: float
    mean_50: float
    """At IoU 0.5."""
    mean_75: float
    left_out: tuple[str, ...]
    """Classes without positives."""


def match_voc(
    detections: Detections, truth: GroundTruthBoxes, *, min_iou: float = 0.5, plus_one: bool = True
) -> Int8[np.ndarray, " d"]:
    """Judge each detection: 1 right, 0 wrong, -1 not counted."""
    raise NotImplementedError


def detection_averages(
    detections: Detections,
    truth: GroundTruthBoxes,
    *,
    definition: Definition,
    min_iou: float = 0.5,
    plus_one: bool = True,
    ties: Ties = "grouped",
) -> ClassAverages:
    """Return average precision by class, matched by the devkit's rules."""
    raise NotImplementedError


def coco_averages(
    detections: Detections,
    truth: GroundTruthBoxes,
    *,
    plus_one: bool = True,
    difficult: Literal["crowd", "ignored"] = "crowd",
    max_detections: int = 100,
    ties: Ties = "grouped",
) -> CocoAverages:
    """Return COCO's average precision over the same detections."""
    raise NotImplementedError
