"""The pictures that a detector learns from or is judged on, chosen from the splits of a layout."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from scenelift.benchmarks.detection.boxes import clipped, corners_from_pixels, pixels_from_corners
from scenelift.benchmarks.metrics.scores import GroundTruthBoxes
from scenelift.datasets.voc import VOC_CLASSES, VocImages


@dataclass(frozen=True, kw_only=True, slots=True)
class TrueBoxes:
    """The objects of a picture."""

    corners: Float64[np.ndarray, "m 4"]
    classes: Int64[np.ndarray, " m"]
    """From 0."""
    difficult: Bool[np.ndarray, " m"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pictures:
    """Pictures by number, from one split or several."""

    places: tuple[tuple[VocImages, int], ...]
    """Split and number there, one a picture."""

    def __len__(self) -> int:
        return len(self.places)

    @property
    def names(self) -> tuple[str, ...]:
        """The pictures' names."""
        return tuple(images.name(place) for images, place in self.places)

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a picture, sRGB.

        Raises:
            VocError: if it cannot be read.
        """
        images, place = self.places[index]
        return images.image(place)

    def truth(self, index: int) -> TrueBoxes:
        """Return a picture's objects.

        Raises:
            VocError: if the annotation cannot be used.
        """
        images, place = self.places[index]
        objects = images.objects(place)
        return TrueBoxes(
            corners=corners_from_pixels(objects.boxes_px),
            classes=objects.classes,
            difficult=objects.difficult,
        )


def choose(places: Sequence[tuple[VocImages, int]], *, limit: int | None, seed: int) -> Pictures:
    """Take pictures in their order, at most so many, drawn by the seed; None takes all."""
    if limit is not None and limit < len(places):
        kept = np.sort(np.random.default_rng(seed).permutation(len(places))[:limit])
        places = [places[place] for place in kept]
    return Pictures(places=tuple(places))


def true_boxes(pictures: Pictures) -> GroundTruthBoxes:
    """Return all objects in the form that metrics read.

    Raises:
        VocError: if an annotation cannot be used.
    """
    truths = [pictures.truth(index) for index in range(len(pictures))]
    corners = np.concatenate([np.zeros((0, 4)), *(truth.corners for truth in truths)])
    counts = [len(truth.classes) for truth in truths]
    return GroundTruthBoxes(
        names=pictures.names,
        classes=VOC_CLASSES,
        image_index=np.repeat(np.arange(len(truths)), counts),
        class_index=np.concatenate([np.zeros(0, np.int64), *(t.classes for t in truths)]),
        boxes=pixels_from_corners(corners),
        difficult=np.concatenate([np.zeros(0, bool), *(t.difficult for t in truths)]),
    )


def within(
    corners: Float64[np.ndarray, "m 4"], *, image: UInt8[np.ndarray, "h w 3"]
) -> Float64[np.ndarray, "m 4"]:
    """Cut true boxes at their picture's edges, which rescaled files leave by a rounding."""
    return clipped(corners, width=image.shape[1], height=image.shape[0])
