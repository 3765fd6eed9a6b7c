"""Detections against true boxes by the rules of the VOC devkit, and average precision over them.

Detections are judged from the most certain one on. Each looks at the true box of its class in its picture that it overlaps most,
taken or not (of two alike, the one that the truth lists first). If they overlap by `min_iou` or more: a difficult box is not
counted, a free one is found, a taken one makes the detection a wrong one, as does too little overlap (VOCevaldet.m). A detection
whose best box is taken never falls back on the next best; COCO's does (`coco.py`). Equal scores are judged in the order of the
boxes' coordinates, so that nothing depends on the order of pictures or detections.
"""

import numpy as np
from jaxtyping import Float64, Int8, Int64

from scenelift.benchmarks.metrics.average_precision import (
    ClassAverages,
    Definition,
    Ties,
    average_precision,
    class_averages,
    rank_curve,
)
from scenelift.benchmarks.metrics.scores import Detections, GroundTruthBoxes, check_detections

_CHUNK_PAIRS = 2**20
"""Pairs of a detection and a true box that are held at once."""


def match_voc(
    detections: Detections,
    truth: GroundTruthBoxes,
    *,
    min_iou: float = 0.5,
    plus_one: bool = True,
    ties: Ties = "grouped",
) -> Int8[np.ndarray, " d"]:
    """Judge each detection.

    Args:
        detections: In any order.
        truth: Of all judged pictures.
        min_iou: Intersection over union that is enough.
        plus_one: Count both corners into a box, so that one from 3 to 3 is a pixel wide; else it is 0 wide.
        ties: `listed` judges equal scores in their order in the list; the others by the boxes' coordinates.

    Returns:
        1 right, 0 wrong, -1 not counted.

    Raises:
        ScoresError: if a detection is of a picture or class that the truth does not name.
    """
    check_detections(detections, truth)
    best, overlap = _best_boxes(detections, truth, plus_one=plus_one)
    hit = (best >= 0) & (overlap >= min_iou)
    verdict = np.zeros(len(best), np.int8)
    order = certainty_order(detections, listed=ties == "listed")
    order = order[hit[order]]
    spare = truth.difficult[best[order]]
    verdict[order[spare]] = -1
    asked = order[~spare]
    _, first = np.unique(best[asked], return_index=True)
    verdict[asked[first]] = 1
    return verdict


def detection_averages(
    detections: Detections,
    truth: GroundTruthBoxes,
    *,
    definition: Definition,
    min_iou: float = 0.5,
    plus_one: bool = True,
    ties: Ties = "grouped",
) -> ClassAverages:
    """Return average precision by class, matched by the devkit's rules.

    Args:
        detections: In any order.
        truth: Of all judged pictures.
        definition: Which average precision.
        min_iou: Intersection over union that is enough.
        plus_one: Count both corners into a box.
        ties: What happens at equal scores.

    Returns:
        The averages; a class without boxes to find is NaN, is left out of the mean and is named.

    Raises:
        ScoresError: if a detection is of a picture or class that the truth does not name.
    """
    verdict = match_voc(detections, truth, min_iou=min_iou, plus_one=plus_one, ties=ties)
    return averages_of_verdicts(
        verdict, detections=detections, truth=truth, definition=definition, ties=ties
    )


def averages_of_verdicts(
    verdict: Int8[np.ndarray, " d"],
    *,
    detections: Detections,
    truth: GroundTruthBoxes,
    definition: Definition,
    ties: Ties = "grouped",
) -> ClassAverages:
    """Return average precision by class of detections that have been judged."""
    counted = np.flatnonzero(verdict >= 0)
    by_class = counted[np.argsort(detections.class_index[counted], kind="stable")]
    numbers = np.arange(len(truth.classes) + 1)
    starts = np.searchsorted(detections.class_index[by_class], numbers)
    wanted = np.bincount(truth.class_index[~truth.difficult], minlength=len(truth.classes))
    per_class = []
    for number in range(len(truth.classes)):
        chosen = by_class[starts[number] : starts[number + 1]]
        curve = rank_curve(
            detections.scores[chosen],
            verdict[chosen] == 1,
            num_positives=int(wanted[number]),
            ties=ties,
        )
        per_class.append(average_precision(curve, definition=definition))
    return class_averages(per_class, classes=truth.classes)


def certainty_order(detections: Detections, *, listed: bool) -> Int64[np.ndarray, " d"]:
    """Order detections from the most certain on; equal scores by coordinates, or as they are listed."""
    falling = -detections.scores.astype(np.float64)
    if listed:
        return np.argsort(falling, kind="stable")
    xmin, ymin, xmax, ymax = detections.boxes.T
    return np.lexsort((ymax, xmax, ymin, xmin, falling))


def group_numbers(
    truth: GroundTruthBoxes,
    *,
    image_index: Int64[np.ndarray, " n"],
    class_index: Int64[np.ndarray, " n"],
) -> Int64[np.ndarray, " n"]:
    """Return one number for picture and class."""
    return np.asarray(image_index * len(truth.classes) + class_index)


def _best_boxes(
    detections: Detections, truth: GroundTruthBoxes, *, plus_one: bool
) -> tuple[Int64[np.ndarray, " d"], Float64[np.ndarray, " d"]]:
    """Return the true box that each detection overlaps most, -1 if none, and intersection over union."""
    of_truth = group_numbers(truth, image_index=truth.image_index, class_index=truth.class_index)
    order = np.argsort(of_truth, kind="stable")
    group = group_numbers(
        truth, image_index=detections.image_index, class_index=detections.class_index
    )
    start = np.searchsorted(of_truth[order], group, side="left")
    count = np.searchsorted(of_truth[order], group, side="right") - start
    best = np.full(len(group), -1, np.int64)
    overlap = np.zeros(len(group))
    some = np.flatnonzero(count)
    # Cut where a chunk is full; a detection's boxes stay together.
    chunk = np.cumsum(count[some]) // _CHUNK_PAIRS
    for part in np.split(some, np.flatnonzero(np.diff(chunk)) + 1):
        if not len(part):
            continue
        first = np.cumsum(count[part]) - count[part]
        within = np.arange(count[part].sum()) - np.repeat(first, count[part])
        box = order[np.repeat(start[part], count[part]) + within]
        iou = intersection_over_union(
            detections.boxes[np.repeat(part, count[part])], truth.boxes[box], plus_one=plus_one
        )
        most = np.maximum.reduceat(iou, first)
        is_most = iou == np.repeat(most, count[part])
        place = np.minimum.reduceat(np.where(is_most, within, len(within)), first)
        best[part] = np.where(most > 0, order[start[part] + place], -1)
        overlap[part] = most
    return best, overlap


def intersection_over_union(
    boxes: Float64[np.ndarray, "n 4"], others: Float64[np.ndarray, "n 4"], *, plus_one: bool
) -> Float64[np.ndarray, " n"]:
    """Return the overlap of boxes, pair by pair; 0 where neither has an area.

    >>> pair = np.array([[1.0, 1.0, 2.0, 2.0]]), np.array([[2.0, 1.0, 3.0, 2.0]])
    >>> [intersection_over_union(*pair, plus_one=flag).round(4).item() for flag in (True, False)]
    [0.3333, 0.0]
    """
    one = 1.0 if plus_one else 0.0
    low, high = np.maximum(boxes[:, :2], others[:, :2]), np.minimum(boxes[:, 2:], others[:, 2:])
    shared = np.clip(high - low + one, 0, None).prod(axis=1)
    both = (boxes[:, 2:] - boxes[:, :2] + one).prod(axis=1)
    both += (others[:, 2:] - others[:, :2] + one).prod(axis=1)
    union = both - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(len(union)), where=union > 0))
