"""Boxes that may hold an object, from the picture alone: selective search and edge boxes, both by OpenCV.

Selective search (Uijlings et al., IJCV 2013). OpenCV finds the same boxes whenever it is asked, but orders them by the C
library's random numbers, which nobody seeds; so its order is dropped, and boxes are ordered by rank of area times a random
number, drawn from the picture's name. The published order is hierarchy times a random number; both put large boxes first.

Edge boxes (Zitnick and Dollar, ECCV 2014) want the edges of a structured forest, whose trained model OpenCV does not ship.
The edges here are a substitute: colour gradients (Sobel after a Gaussian of 1 pixel), thinned across their direction and
divided by their 99th percentile. They find fewer objects than the published ones.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, Float64, UInt8

from scenelift.benchmarks.detection.boxes import without_duplicates

Source = Literal["selective-search", "edge-boxes"]
Mode = Literal["fast", "quality", "light"]

_EDGE_PERCENTILE = 99.0
_LIGHT_SCALES = (50.0, 150.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposalSettings:
    """How boxes are proposed."""

    source: Source = "selective-search"
    """Which of the two."""
    mode: Mode = "fast"
    """Of selective search. `fast` (HSV and Lab, scales 150 and 250, two merging rules) and `quality` (five colour spaces, four
    rules) are OpenCV's renderings of the paper's; `light` (RGB, HSV and Lab, scales 50 and 150, merging by fill and size) is
    meant for pictures of some 200 pixels: it takes half as long as `fast` and finds more."""
    width_px: int | None = None
    """Width that pictures are resized to before the search (500 in the published boxes of R-CNN); None leaves them."""
    max_boxes: int = 2000
    """At most so many a picture, the first in order."""
    min_side_px: float = 8.0
    """Boxes with a shorter side are dropped."""

    def __post_init__(self) -> None:
        if self.max_boxes < 1:
            raise ValueError(f"max_boxes must be at least 1, got {self.max_boxes}")
        if self.width_px is not None and not 16 <= self.width_px <= 4096:
            raise ValueError(f"width_px must be from 16 to 4096, got {self.width_px}")


def propose(
    image: UInt8[np.ndarray, "h w 3"], *, name: str, settings: ProposalSettings
) -> Float32[np.ndarray, "n 4"]:
    """Propose boxes in a picture.

    Args:
        image: sRGB.
        name: The picture's name: what randomness there is depends on it alone.
        settings: How.

    Returns:
        Corners in pixels of `image`, the most promising first; none twice.
    """
    height, width = image.shape[:2]
    seen = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    if settings.width_px is not None and settings.width_px != width:
        new_height = max(1, round(height * settings.width_px / width))
        seen = cv2.resize(seen, (settings.width_px, new_height), interpolation=cv2.INTER_LINEAR)
    seen = np.asarray(seen)
    if settings.source == "edge-boxes":
        found = _edge_boxes(seen, count=settings.max_boxes)
    else:
        found = _by_area(_selective_search(seen, mode=settings.mode), name=name)
    factors = np.array([width / seen.shape[1], height / seen.shape[0]] * 2)
    corners = (found * factors).astype(np.float32)
    large = (corners[:, 2:] - corners[:, :2]).min(axis=1, initial=np.inf) >= settings.min_side_px
    corners = corners[large]
    return np.asarray(corners[without_duplicates(corners)][: settings.max_boxes])


def _selective_search(
    image: UInt8[np.ndarray, "h w 3"], *, mode: Mode
) -> Float64[np.ndarray, "n 4"]:
    """Return corners in the order of their coordinates."""
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    search.setBaseImage(image)
    match mode:
        case "fast":
            search.switchToSelectiveSearchFast()
        case "quality":
            search.switchToSelectiveSearchQuality()
        case _:
            _make_light(search, image)
    rectangles = np.asarray(search.process(), np.float64).reshape(-1, 4)
    rectangles[:, 2:] += rectangles[:, :2]
    return np.unique(rectangles, axis=0)


def _make_light(
    search: "cv2.ximgproc.segmentation.SelectiveSearchSegmentation",
    image: UInt8[np.ndarray, "h w 3"],
) -> None:
    segmentation = cv2.ximgproc.segmentation
    search.addImage(image)
    search.addImage(cv2.cvtColor(image, cv2.COLOR_BGR2HSV))
    search.addImage(cv2.cvtColor(image, cv2.COLOR_BGR2Lab))
    for scale in _LIGHT_SCALES:
        search.addGraphSegmentation(segmentation.createGraphSegmentation(0.8, scale, int(scale)))
    search.addStrategy(
        segmentation.createSelectiveSearchSegmentationStrategyMultiple(
            segmentation.createSelectiveSearchSegmentationStrategyFill(),
            segmentation.createSelectiveSearchSegmentationStrategySize(),
        )
    )


def _by_area(boxes: Float64[np.ndarray, "n 4"], *, name: str) -> Float64[np.ndarray, "n 4"]:
    """Order boxes by rank of area times a random number."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    rank = np.argsort(np.argsort(-area, kind="stable"), kind="stable") + 1
    return boxes[np.argsort(rank * np.random.default_rng(seed).random(len(boxes)), kind="stable")]


def _edge_boxes(image: UInt8[np.ndarray, "h w 3"], *, count: int) -> Float64[np.ndarray, "n 4"]:
    """Return corners, the best first."""
    edges, direction = _thin_edges(image)
    search = cv2.ximgproc.createEdgeBoxes(maxBoxes=count, minBoxArea=64.0)
    rectangles, _ = search.getBoundingBoxes(edges, direction)
    boxes = np.asarray(rectangles, np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def _thin_edges(
    image: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    """Return strength from 0 to 1 and the gradient's direction from 0 to pi, of the colour that changes most."""
    smooth = cv2.GaussianBlur(image, (0, 0), 1.0).astype(np.float32)
    across, down = (cv2.Sobel(smooth, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    colour = np.hypot(across, down).argmax(axis=-1)[..., None]
    across, down = (np.take_along_axis(part, colour, 2)[..., 0] for part in (across, down))
    strength = np.hypot(across, down)
    direction = np.mod(np.arctan2(down, across), math.pi).astype(np.float32)
    rows, columns = np.indices(strength.shape, np.float32)
    dx, dy = np.cos(direction), np.sin(direction)
    beside = [
        cv2.remap(strength, columns + s * dx, rows + s * dy, cv2.INTER_LINEAR) for s in (-1, 1)
    ]
    crest = (strength >= beside[0]) & (strength >= beside[1])
    top = max(float(np.percentile(strength, _EDGE_PERCENTILE)), 1e-6)
    return np.where(crest, np.clip(strength / top, 0, 1), 0).astype(np.float32), direction
