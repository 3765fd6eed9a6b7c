"""What the metrics of recognition are computed from: scores and labels of pictures, detected and true boxes.

Boxes are `xmin, ymin, xmax, ymax` in pixels by the convention of PASCAL VOC: counted from 1, both corners inside the box.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int8, Int64


class ScoresError(ValueError):
    """Scores, labels or boxes that no metric can be computed from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassificationScores:
    """How a classifier ranks pictures, a column a class."""

    names: tuple[str, ...]
    """Of the pictures; no two alike."""
    classes: tuple[str, ...]
    """No two alike."""
    scores: Float32[np.ndarray, "n c"]
    """Higher: more probably of the class. Comparable within a column."""
    labels: Int8[np.ndarray, "n c"]
    """1 of the class, 0 not, -1 ignored: as if the picture were not there for that class (`difficult`)."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        _check_names(self.names, what="pictures")
        _check_names(self.classes, what="classes")
        shape = (len(self.names), len(self.classes))
        for what, array in (("scores", self.scores), ("labels", self.labels)):
            if array.shape != shape:
                raise ScoresError(
                    f"{what} have the shape {array.shape}, where {shape[0]} pictures and {shape[1]} classes are named"
                )
        bad = np.argwhere(~np.isfinite(self.scores))
        if len(bad):
            picture, column = bad[0]
            raise ScoresError(
                f"the score of {self.names[picture]} for {self.classes[column]} is {self.scores[picture, column]}; "
                f"{len(bad)} of {self.scores.size} are not finite"
            )
        odd = np.argwhere((self.labels < -1) | (self.labels > 1))
        if len(odd):
            picture, column = odd[0]
            raise ScoresError(
                f"the label of {self.names[picture]} for {self.classes[column]} is {self.labels[picture, column]}, "
                "where 1, 0 and -1 (ignored) are known"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Detections:
    """Boxes that a detector found, in any order."""

    image_index: Int64[np.ndarray, " d"]
    """Into `GroundTruthBoxes.names`."""
    class_index: Int64[np.ndarray, " d"]
    """Into `GroundTruthBoxes.classes`."""
    scores: Float32[np.ndarray, " d"]
    """Higher: more certain. Comparable within a class."""
    boxes: Float64[np.ndarray, "d 4"]
    """xmin, ymin, xmax, ymax in pixels, counted from 1, both corners inside."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        _check_lengths(self.boxes, self.image_index, self.class_index, self.scores)
        _check_boxes(self.boxes, what="detection")
        bad = np.flatnonzero(~np.isfinite(self.scores))
        if len(bad):
            raise ScoresError(
                f"the score of detection {bad[0]} is {self.scores[bad[0]]}; {len(bad)} of {len(self.scores)} are not finite"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class GroundTruthBoxes:
    """The true boxes of all judged pictures, those without a box included."""

    names: tuple[str, ...]
    """Of all judged pictures; no two alike."""
    classes: tuple[str, ...]
    """No two alike."""
    image_index: Int64[np.ndarray, " g"]
    class_index: Int64[np.ndarray, " g"]
    boxes: Float64[np.ndarray, "g 4"]
    """xmin, ymin, xmax, ymax in pixels, counted from 1, both corners inside."""
    difficult: Bool[np.ndarray, " g"]
    """Neither asked for nor, if found, held against the detector."""

    def __post_init__(self) -> None:
        """Refuse what does not fit together."""
        _check_names(self.names, what="pictures")
        _check_names(self.classes, what="classes")
        _check_lengths(self.boxes, self.image_index, self.class_index, self.difficult)
        _check_boxes(self.boxes, what="true box")
        _check_indices(self.image_index, count=len(self.names), what="true box", of="pictures")
        _check_indices(self.class_index, count=len(self.classes), what="true box", of="classes")


def check_detections(detections: Detections, truth: GroundTruthBoxes) -> None:
    """Check that detections speak of the pictures and classes that the truth names.

    Raises:
        ScoresError: if not.
    """
    _check_indices(detections.image_index, count=len(truth.names), what="detection", of="pictures")
    _check_indices(detections.class_index, count=len(truth.classes), what="detection", of="classes")


def _check_names(names: tuple[str, ...], *, what: str) -> None:
    if len(set(names)) != len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise ScoresError(f"{what}: {twice[:80]!r} is named twice")


def _check_lengths(boxes: Float64[np.ndarray, "n 4"], *columns: np.ndarray) -> None:
    lengths = {len(boxes), *(len(column) for column in columns)}
    if len(lengths) > 1:
        raise ScoresError(f"boxes and what belongs to them differ in number: {sorted(lengths)}")


def _check_boxes(boxes: Float64[np.ndarray, "n 4"], *, what: str) -> None:
    finite = np.isfinite(boxes).all(axis=1)
    bad = np.flatnonzero(~finite | (boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1]))
    if len(bad):
        raise ScoresError(
            f"{what} {bad[0]} is {boxes[bad[0]].tolist()}: inverted or not finite, where xmin <= xmax and ymin <= ymax; "
            f"{len(bad)} of {len(boxes)} are so"
        )


def _check_indices(indices: Int64[np.ndarray, " n"], *, count: int, what: str, of: str) -> None:
    bad = np.flatnonzero((indices < 0) | (indices >= count))
    if len(bad):
        raise ScoresError(
            f"{what} {bad[0]} names number {indices[bad[0]]} of {count} {of}; {len(bad)} do so"
        )
