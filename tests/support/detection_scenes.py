"""Random pictures with true boxes and detections of them, for the metrics of detection."""

from typing import Any

import numpy as np

from scenelift.benchmarks.metrics.scores import Detections, GroundTruthBoxes


def random_scene(
    rng: np.random.Generator,
    *,
    pictures: int = 40,
    per_picture: int = 30,
    classes: int = 4,
    levels: int = 0,
    difficult: float = 0.2,
    apart: bool = False,
) -> tuple[Detections, GroundTruthBoxes]:
    """Make boxes of whole pixels; more than half of the detections lie about a true box.

    Args:
        rng: Where all is drawn from.
        pictures: Some have no box.
        per_picture: Detections in each.
        classes: All have boxes, if there are pictures enough.
        levels: How many different scores there are; 0: as many as detections.
        difficult: Share of difficult boxes.
        apart: Keep the true boxes of a picture from touching, and detections within their neighbourhoods.
    """
    image = np.repeat(np.arange(pictures), rng.integers(0, 6, pictures))
    label = rng.integers(0, classes, len(image))
    corner = rng.integers(1, 200, (len(image), 2))
    if apart:
        slot = np.arange(len(image)) - np.searchsorted(image, image)
        corner[:, 0] = 1 + 400 * slot
    box = np.hstack([corner, corner + rng.integers(10, 150, (len(image), 2))]).astype(np.float64)
    found_image = np.repeat(np.arange(pictures), per_picture)
    found_label = rng.integers(0, classes, len(found_image))
    found = np.zeros((len(found_image), 4))
    for number, picture in enumerate(found_image):
        near = np.flatnonzero(image == picture)
        if len(near) and rng.random() < 0.6:
            about = rng.choice(near)
            found_label[number] = label[about]
            moved = box[about] + rng.integers(-12, 13, 4)
        else:
            start = rng.integers(1, 200, 2) + np.array([0, 1000 if apart else 0])
            moved = np.concatenate([start, start + rng.integers(10, 150, 2)]).astype(np.float64)
        found[number] = [*np.minimum(moved[:2], moved[2:]), *np.maximum(moved[:2], moved[2:])]
    # Distinct, and far enough apart for any tool that rounds.
    scores = (rng.permutation(len(found)) + 1) / (len(found) + 1)
    if levels:
        scores = rng.integers(0, levels, len(found)) / levels
    truth = GroundTruthBoxes(
        names=tuple(f"p{number}" for number in range(pictures)),
        classes=tuple(f"c{number}" for number in range(classes)),
        image_index=image.astype(np.int64),
        class_index=label.astype(np.int64),
        boxes=box,
        difficult=rng.random(len(image)) < difficult,
    )
    detections = Detections(
        image_index=found_image.astype(np.int64),
        class_index=found_label.astype(np.int64),
        scores=scores.astype(np.float32),
        boxes=found,
    )
    return detections, truth


def detections_of(rows: list[list[Any]], *, truth: GroundTruthBoxes) -> Detections:
    """Make detections of rows of picture, class, score and box."""
    return Detections(
        image_index=np.array([truth.names.index(row[0]) for row in rows], np.int64),
        class_index=np.array([truth.classes.index(row[1]) for row in rows], np.int64),
        scores=np.array([row[2] for row in rows], np.float32),
        boxes=np.array([row[3] for row in rows], np.float64).reshape(-1, 4),
    )


def truth_of(
    rows: list[list[Any]], *, names: tuple[str, ...], classes: tuple[str, ...]
) -> GroundTruthBoxes:
    """Make true boxes of rows of picture, class, box and whether it is difficult."""
    return GroundTruthBoxes(
        names=names,
        classes=classes,
        image_index=np.array([names.index(row[0]) for row in rows], np.int64),
        class_index=np.array([classes.index(row[1]) for row in rows], np.int64),
        boxes=np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        difficult=np.array([row[3] for row in rows], np.bool_),
    )


def shuffled(
    detections: Detections, truth: GroundTruthBoxes, *, rng: np.random.Generator
) -> tuple[Detections, GroundTruthBoxes]:
    """Renumber the pictures and shuffle detections and boxes; a picture's boxes keep their order among themselves."""
    place = rng.permutation(len(truth.names))
    names = np.array(truth.names)[np.argsort(place)]
    image = place[truth.image_index]
    order = np.argsort(image, kind="stable")
    found = rng.permutation(len(detections.scores))
    return (
        Detections(
            image_index=place[detections.image_index][found],
            class_index=detections.class_index[found],
            scores=detections.scores[found],
            boxes=detections.boxes[found],
        ),
        GroundTruthBoxes(
            names=tuple(names.tolist()),
            classes=truth.classes,
            image_index=image[order],
            class_index=truth.class_index[order],
            boxes=truth.boxes[order],
            difficult=truth.difficult[order],
        ),
    )
