"""Every definition of mean average precision from one file of scores, and why the numbers differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from scenelift.benchmarks.metrics.average_precision import (
    ClassAverages,
    Definition,
    classification_averages,
)
from scenelift.benchmarks.metrics.coco import CocoAverages, coco_averages
from scenelift.benchmarks.metrics.detection import detection_averages
from scenelift.benchmarks.metrics.scores import (
    ClassificationScores,
    Detections,
    GroundTruthBoxes,
)
from scenelift.benchmarks.metrics.scores_file import read_scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Explained:
    """Mean average precision by one definition."""

    name: str
    """What tables call it."""
    mean: float
    """0 to 1, over the classes that have positives; NaN if none has."""
    per_class: Float64[np.ndarray, " c"]
    """NaN for a class without positives."""
    left_out: tuple[str, ...]
    """Classes without positives."""
    definition: str
    """What is counted, in one sentence, and who uses it."""
    difference: str
    """How far it is from the first, in points, and why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """What is said of a definition."""

    name: str
    sentence: str
    why: str


_DEFINED: dict[Definition, _Said] = {
    "voc07": _Said(
        name="11-point",
        sentence="Mean over recall 0, 0.1, ..., 1 of the best precision at that recall or more (VOC devkits of 2007 to 2009).",
        why="",
    ),
    "area": _Said(
        name="area",
        sentence="Area below the best precision at each recall or more (VOC devkits from 2010 on, VISSL).",
        why="every recall counts, not eleven levels of which 0 asks for nothing; eleven levels read precision at one end of each "
        "tenth, and a class of few positives in steps",
    ),
    "step": _Said(
        name="scikit-learn step",
        sentence="Sum over thresholds of precision times the recall gained (scikit-learn from 0.19 on).",
        why="no envelope: precision counts as it is, not as the best at that recall or more, so this is never above the area",
    ),
    "trapezoid": _Said(
        name="scikit-learn trapezoid",
        sentence="Area below straight lines between the points of precision and recall, from precision 1 at recall 0 on "
        "(scikit-learn before 0.19).",
        why="recall gained counts at the mean of the precision before and after the gain; before it, wrong answers have lowered "
        "precision, so this is mostly below the step",
    ),
    "coco": _Said(
        name="101-point",
        sentence="Mean over recall 0, 0.01, ..., 1 of the best precision at that recall or more (COCO's way to read a curve).",
        why="101 levels instead of 11, hence near the area",
    ),
}


def explain(path: Path) -> tuple[Explained, ...]:
    """Compute all definitions from a saved file, `scores.npz` or `detections.npz`.

    Raises:
        ScoresError: if the file cannot be used; one line.
        OSError: if it cannot be read.
    """
    read = read_scores(path)
    if isinstance(read, ClassificationScores):
        return explain_classification(read)
    return explain_detections(read[0], read[1])


def explain_classification(scores: ClassificationScores) -> tuple[Explained, ...]:
    """Compute all definitions from a classifier's scores, the devkit's of 2007 first."""
    return tuple(_classification(scores))


def explain_detections(
    detections: Detections, truth: GroundTruthBoxes, *, min_iou: float = 0.5
) -> tuple[Explained, ...]:
    """Compute all definitions from detections, the devkit's of 2007 first."""
    return tuple(_detections(detections, truth, min_iou=min_iou))


def _classification(scores: ClassificationScores) -> Iterator[Explained]:
    first: float | None = None
    for definition, said in _DEFINED.items():
        averages = classification_averages(scores, definition=definition)
        first = averages.mean if first is None else first
        yield _explained(said.name, averages, first=first, sentence=said.sentence, why=said.why)
    yield _explained(
        "scikit-learn step, ties by 1e-5",
        classification_averages(scores, definition="step", ties="philkr"),
        first=first if first is not None else float("nan"),
        sentence="As scikit-learn step, 1e-5 taken from the score of each positive before (code published with the fine-tuning "
        "protocol).",
        why="as the step, and positives rank behind all that lies less than 1e-5 below them, instead of level with their equals",
    )


def _detections(
    detections: Detections, truth: GroundTruthBoxes, *, min_iou: float
) -> Iterator[Explained]:
    first: float | None = None
    for definition, said in _DEFINED.items():
        averages = detection_averages(detections, truth, definition=definition, min_iou=min_iou)
        first = averages.mean if first is None else first
        matched = f"{said.sentence[:-1]}; matched as the VOC devkit does at IoU {min_iou:g}."
        yield _explained(said.name, averages, first=first, sentence=matched, why=said.why)
    headline = first if first is not None else float("nan")
    yield _explained(
        "11-point, corner not counted",
        detection_averages(detections, truth, definition="voc07", min_iou=min_iou, plus_one=False),
        first=headline,
        sentence="As 11-point, width taken as xmax - xmin instead of xmax - xmin + 1 (many ports).",
        why="boxes shrink by a pixel, which lowers most overlaps, small boxes' most",
    )
    coco = coco_averages(detections, truth)
    yield _explained(
        "COCO",
        coco,
        first=headline,
        sentence="Mean over IoU 0.5, 0.55, ..., 0.95 of 101-point average precision, matched as COCO does, difficult boxes as crowds.",
        why=f"nine stricter overlaps join; at IoU 0.5 alone it is {100 * coco.mean_50:.2f}, where a detection whose best box is taken "
        "may fall back on the next, and only 100 detections of a class count in a picture",
    )


def _explained(
    name: str, averages: ClassAverages | CocoAverages, *, first: float, sentence: str, why: str
) -> Explained:
    points = 100 * (averages.mean - first)
    return Explained(
        name=name,
        mean=averages.mean,
        per_class=averages.per_class,
        left_out=averages.left_out,
        definition=sentence,
        difference=f"{points:+.2f} points: {why}" if why else "the first of the list",
    )
