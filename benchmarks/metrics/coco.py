"""COCO's average precision over the same detections: ten overlaps from 0.5 to 0.95, 101 recalls.

What differs from the VOC devkit: a detection whose best box is taken falls back on the next best that is free; no more than 100
detections of a class are judged in a picture; precision is read at 101 recalls. Boxes that are not asked for are only matched by
detections that match no other.
"""

import typing
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int8
from numba import njit

from scenelift.benchmarks.metrics.average_precision import Ties
from scenelift.benchmarks.metrics.detection import (
    averages_of_verdicts,
    certainty_order,
    group_numbers,
)
from scenelift.benchmarks.metrics.scores import Detections, GroundTruthBoxes, check_detections

MIN_IOUS = np.linspace(0.5, 0.95, 10)
MAX_DETECTIONS = 100

Difficult = Literal["crowd", "ignored"]
"""What a difficult box becomes. `crowd`: as converters of VOC to COCO's format have it; any number of detections may match it, and
overlap is the share of the detection that lies inside. `ignored`: as COCO treats boxes outside the range of areas; one detection
may match it, by intersection over union."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CocoAverages:
    """COCO's figures, each from 0 to 1."""

    per_class: Float64[np.ndarray, " c"]
    """Mean over ten IoU from 0.5 to 0.95; NaN for a class without positives."""
    mean: float
    """Over the classes that have positives; NaN if none has."""
    mean_50: float
    """At IoU 0.5."""
    mean_75: float
    left_out: tuple[str, ...]
    """Classes without positives."""


def coco_averages(
    detections: Detections,
    truth: GroundTruthBoxes,
    *,
    plus_one: bool = True,
    difficult: Difficult = "crowd",
    max_detections: int = MAX_DETECTIONS,
    ties: Ties = "grouped",
) -> CocoAverages:
    """Return COCO's average precision.

    Args:
        detections: In any order.
        truth: Of all judged pictures.
        plus_one: Count both corners into a box: COCO's box starts at `xmin - 1` and ends at `xmax`.
        difficult: What a difficult box becomes.
        max_detections: Of a class in a picture; the most certain are judged.
        ties: What happens at equal scores; `listed` is what COCO's own tool does.

    Raises:
        ScoresError: if a detection is of a picture or class that the truth does not name.
    """
    verdicts = match_coco(
        detections,
        truth,
        plus_one=plus_one,
        difficult=difficult,
        max_detections=max_detections,
        ties=ties,
    )
    found = [
        averages_of_verdicts(
            verdict, detections=detections, truth=truth, definition="coco", ties=ties
        )
        for verdict in verdicts
    ]
    per_class = np.mean([each.per_class for each in found], axis=0)
    known = np.isfinite(per_class)
    return CocoAverages(
        per_class=per_class,
        mean=float(per_class[known].mean()) if known.any() else float("nan"),
        mean_50=found[0].mean,
        mean_75=found[5].mean,
        left_out=found[0].left_out,
    )


def match_coco(
    detections: Detections,
    truth: GroundTruthBoxes,
    *,
    plus_one: bool = True,
    difficult: Difficult = "crowd",
    max_detections: int = MAX_DETECTIONS,
    ties: Ties = "grouped",
) -> Int8[np.ndarray, "10 d"]:
    """Judge each detection at each of `MIN_IOUS`: 1 right, 0 wrong, -1 not counted.

    Raises:
        ScoresError: if a detection is of a picture or class that the truth does not name.
    """
    check_detections(detections, truth)
    group = group_numbers(
        truth, image_index=detections.image_index, class_index=detections.class_index
    )
    order = certainty_order(detections, listed=ties == "listed")
    order = order[np.argsort(group[order], kind="stable")]
    of_truth = group_numbers(truth, image_index=truth.image_index, class_index=truth.class_index)
    # Those that are not asked for come last, else in the order of the truth.
    boxes = np.lexsort((truth.difficult, of_truth))
    start = np.searchsorted(of_truth[boxes], group[order], side="left")
    end = np.searchsorted(of_truth[boxes], group[order], side="right")
    judged = _match(
        detections.boxes[order],
        start.astype(np.int64),
        end.astype(np.int64),
        group[order],
        truth.boxes[boxes],
        truth.difficult[boxes],
        MIN_IOUS,
        1.0 if plus_one else 0.0,
        difficult == "crowd",
        max_detections,
    )
    verdict = np.zeros((len(MIN_IOUS), len(order)), np.int8)
    verdict[:, order] = judged
    return verdict


@njit(cache=True, nogil=True)
@typing.no_type_check
def _match(found, start, end, group, boxes, spare, min_ious, one, is_crowd, max_detections):
    """Judge detections, sorted by group and certainty, at each overlap; `spare` boxes of a group lie behind the others."""
    verdict = np.zeros((len(min_ious), len(found)), np.int8)
    taken = np.zeros((len(min_ious), len(boxes)), np.bool_)
    ious = np.zeros(max(1, np.max(end - start) if len(found) else 1))
    rank = 0
    for d in range(len(found)):
        rank = rank + 1 if d and group[d] == group[d - 1] else 0
        if rank >= max_detections:
            verdict[:, d] = -1
            continue
        area = (found[d, 2] - found[d, 0] + one) * (found[d, 3] - found[d, 1] + one)
        for b in range(start[d], end[d]):
            width = min(found[d, 2], boxes[b, 2]) - max(found[d, 0], boxes[b, 0]) + one
            height = min(found[d, 3], boxes[b, 3]) - max(found[d, 1], boxes[b, 1]) + one
            shared = max(width, 0.0) * max(height, 0.0)
            other = (boxes[b, 2] - boxes[b, 0] + one) * (boxes[b, 3] - boxes[b, 1] + one)
            whole = area if spare[b] and is_crowd else area + other - shared
            ious[b - start[d]] = shared / whole if whole > 0 else 0.0
        for t in range(len(min_ious)):
            best, most = -1, min(min_ious[t], 1 - 1e-10)
            for b in range(start[d], end[d]):
                if taken[t, b] and not (spare[b] and is_crowd):
                    continue
                if best >= 0 and spare[b] and not spare[best]:
                    break
                # Of two alike, COCO takes the later one.
                if ious[b - start[d]] >= most:
                    best, most = b, ious[b - start[d]]
            if best >= 0:
                taken[t, best] = True
                verdict[t, d] = -1 if spare[best] else 1
    return verdict
