"""Detections of all pictures in the form that metrics read, and the figures that a card bears."""

import numpy as np
from jaxtyping import Float64

from scenelift.benchmarks.card import Figure
from scenelift.benchmarks.detection.boxes import pixels_from_corners
from scenelift.benchmarks.detection.fast_rcnn import FoundBoxes
from scenelift.benchmarks.detection.pictures import Pictures
from scenelift.benchmarks.detection.proposal_file import Proposals
from scenelift.benchmarks.detection.training import step_seed
from scenelift.benchmarks.metrics.average_precision import ClassAverages, Definition
from scenelift.benchmarks.metrics.coco import coco_averages
from scenelift.benchmarks.metrics.detection import detection_averages
from scenelift.benchmarks.metrics.scores import Detections, GroundTruthBoxes

_MATCHED = (
    "a detection is right if it overlaps the true box of its class that it overlaps most by IoU 0.5 or more and none more "
    "certain took that box; difficult boxes are not counted; corners belong to boxes"
)
_SENTENCES: dict[Definition, str] = {
    "voc07": f"Mean over classes of the 11-point interpolated average precision of VOC 2007: {_MATCHED}.",
    "area": f"Mean over classes of the area below the best precision at each recall or more (VOC from 2010 on): {_MATCHED}.",
}
_NAMES: dict[Definition, str] = {"voc07": "mAP (11-point)", "area": "mAP (area)"}
_CHANCE_BOXES = 100


def join_found(found: list[FoundBoxes]) -> Detections:
    """Put the detections of pictures into one table, in VOC's pixels."""
    counts = [len(boxes.scores) for boxes in found]
    corners = [boxes.corners.numpy().astype(np.float64) for boxes in found]
    return Detections(
        image_index=np.repeat(np.arange(len(found)), counts),
        class_index=np.concatenate([np.zeros(0, np.int64), *(f.classes.numpy() for f in found)]),
        scores=np.concatenate(
            [np.zeros(0, np.float32), *(f.scores.numpy().astype(np.float32) for f in found)]
        ),
        boxes=pixels_from_corners(np.concatenate([np.zeros((0, 4)), *corners])),
    )


def chance_detections(
    pictures: Pictures, *, proposals: Proposals | None, num_classes: int, seed: int
) -> Detections:
    """Draw what a detector without eyes would say: boxes at random, with a class and a score at random.

    Args:
        pictures: Of them.
        proposals: Boxes to draw from; None draws corners anywhere in the picture.
        num_classes: Each as probable.
        seed: Of the draws.
    """
    rng = np.random.default_rng(step_seed(seed, 0))
    parts: list[Float64[np.ndarray, "k 4"]] = [np.zeros((0, 4))]
    for index, name in enumerate(pictures.names):
        if proposals is None:
            height, width = pictures.image(index).shape[:2]
            ends = np.sort(rng.random((_CHANCE_BOXES, 2, 2)), axis=1) * [width - 1, height - 1]
            parts.append(np.concatenate([ends[:, 0], ends[:, 1] + 1], axis=1))
        else:
            boxes = proposals[name].astype(np.float64)
            parts.append(boxes[rng.permutation(len(boxes))[:_CHANCE_BOXES]])
    total = sum(len(part) for part in parts)
    return Detections(
        image_index=np.repeat(np.arange(len(pictures)), [len(part) for part in parts[1:]]),
        class_index=rng.integers(num_classes, size=total),
        scores=rng.random(total, np.float32),
        boxes=pixels_from_corners(np.concatenate(parts)),
    )


def detection_figures(
    detections: Detections, truth: GroundTruthBoxes, *, headline: Definition, chance: Detections
) -> tuple[Figure, ...]:
    """Compute all figures, the headline first.

    Args:
        detections: What was found.
        truth: What there is.
        headline: `voc07` or `area`: the definition of the year's devkit, also of the classes' figures.
        chance: Detections at random, for the figure to beat.
    """
    other: Definition = "area" if headline == "voc07" else "voc07"
    averages = detection_averages(detections, truth, definition=headline)
    coco = coco_averages(detections, truth)
    by_chance = detection_averages(chance, truth, definition=headline)
    figures = [
        _mean(headline, averages),
        _mean(other, detection_averages(detections, truth, definition=other)),
        _percent(
            "AP (COCO)",
            coco.mean,
            "Mean over classes and IoU 0.5, 0.55, ..., 0.95 of the 101-point average precision, matched as COCO does, difficult "
            "boxes as crowds.",
        ),
        _percent("AP50 (COCO)", coco.mean_50, "As AP (COCO), at IoU 0.5 alone."),
        _percent(
            "mAP by chance",
            by_chance.mean,
            f"{_NAMES[headline]} of up to {_CHANCE_BOXES} boxes a picture with a class and a score drawn at random: what has to be beaten.",
        ),
    ]
    for name, value in zip(truth.classes, averages.per_class.tolist(), strict=True):
        if np.isfinite(value):
            figures.append(
                _percent("AP", value, f"As {_NAMES[headline]}, of one class.", group=name)
            )
    return tuple(figures)


def recall_figures(recalls: dict[int, float]) -> tuple[Figure, ...]:
    """Turn the recall of proposals into figures."""
    return tuple(
        _percent(
            "proposal recall",
            recall,
            "Share of objects, difficult ones left out, that one of the first so many proposals overlaps by IoU 0.5 or more.",
            group=f"{count} proposals",
        )
        for count, recall in recalls.items()
    )


def _mean(definition: Definition, averages: ClassAverages) -> Figure:
    return _percent(_NAMES[definition], averages.mean, _SENTENCES[definition])


def _percent(name: str, share: float, definition: str, *, group: str = "") -> Figure:
    return Figure(
        name=name,
        value=100 * share,
        unit="%",
        better="higher",
        definition=definition,
        group=group,
    )
