"""Which regions Fast R-CNN learns from, and what it should answer there (Girshick, ICCV 2015)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float32, Float64, Int64

from scenelift.benchmarks.detection.boxes import overlaps
from scenelift.benchmarks.detection.offsets import encode

BACKGROUND = 0
"""Classes of regions count from 1."""
_MIN_REGIONS_A_CLASS = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class RegionSampling:
    """How the regions of a step are drawn."""

    pictures: int = 2
    """A step."""
    regions: int = 128
    """A step, as many from each picture."""
    foreground_share: float = 0.25
    """At most so many of a picture's regions show objects."""
    foreground_iou: float = 0.5
    """A region of this overlap or more with an object shows it."""
    background_iou: tuple[float, float] = (0.1, 0.5)
    """Overlaps from the first to below the second are background; the rest is not learnt from."""

    def __post_init__(self) -> None:
        if not 1 <= self.pictures <= self.regions or self.regions % self.pictures:
            raise ValueError(
                f"regions ({self.regions}) must be a multiple of pictures ({self.pictures})"
            )
        if not 0 < self.foreground_share <= 1:
            raise ValueError(f"foreground_share must be in 0 to 1, got {self.foreground_share}")
        low, high = self.background_iou
        if not 0 <= low < high <= self.foreground_iou:
            raise ValueError(
                f"background_iou must rise and end by foreground_iou, got {self.background_iou}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Regions:
    """The regions of a picture, and what each is about."""

    corners: Float32[np.ndarray, "r 4"]
    """True boxes first, then proposals."""
    iou: Float64[np.ndarray, " r"]
    """Greatest overlap with an object."""
    classes: Int64[np.ndarray, " r"]
    """Of that object, from 1; 0 where nothing overlaps."""
    offsets: Float32[np.ndarray, "r 4"]
    """To that object, as `encode` says it; 0 where nothing overlaps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OffsetScale:
    """What offsets are divided by, after their mean is taken off, so that each class learns numbers of size one."""

    mean: Float32[np.ndarray, "c 4"]
    std: Float32[np.ndarray, "c 4"]


def assign_regions(
    proposals: Float32[np.ndarray, "p 4"],
    *,
    truth: Float64[np.ndarray, "m 4"],
    classes: Int64[np.ndarray, " m"],
) -> Regions:
    """Give each region the object that it overlaps most; the first of equals.

    Args:
        proposals: Corners.
        truth: Corners of the objects to learn from: those that are not difficult.
        classes: Of the objects, from 0.
    """
    corners = np.concatenate([truth.astype(np.float32), proposals])
    if not len(truth):
        count = len(corners)
        return Regions(
            corners=corners,
            iou=np.zeros(count),
            classes=np.zeros(count, np.int64),
            offsets=np.zeros((count, 4), np.float32),
        )
    shared = overlaps(corners, truth)
    nearest, iou = shared.argmax(axis=1), shared.max(axis=1)
    touched = iou > 0
    offsets = encode(
        torch.from_numpy(truth[nearest]), reference=torch.from_numpy(corners.astype(np.float64))
    ).numpy()
    return Regions(
        corners=corners,
        iou=iou,
        classes=np.where(touched, classes[nearest] + 1, BACKGROUND),
        offsets=np.where(touched[:, None], offsets, 0).astype(np.float32),
    )


def is_learnable(regions: Regions, *, sampling: RegionSampling) -> bool:
    """Say whether any region of a picture can be drawn."""
    foreground, background = _pools(regions, sampling=sampling)
    return bool(len(foreground) + len(background))


def draw_regions(
    regions: Regions, *, sampling: RegionSampling, rng: np.random.Generator
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " k"]]:
    """Draw a picture's share of a step, none twice.

    Returns:
        Places in `regions`, foreground first, and the class to answer: 0 for background. Fewer than the share where a picture
        has not enough of either.
    """
    share = sampling.regions // sampling.pictures
    foreground, background = _pools(regions, sampling=sampling)
    count = min(round(share * sampling.foreground_share), len(foreground))
    chosen = rng.permutation(foreground)[:count]
    rest = rng.permutation(background)[: share - count]
    labels = np.concatenate([regions.classes[chosen], np.full(len(rest), BACKGROUND)])
    return np.concatenate([chosen, rest]), labels


def offset_scale(
    pictures: Sequence[Regions], *, sampling: RegionSampling, num_classes: int
) -> OffsetScale:
    """Measure offsets of all foreground regions, class by class, as published.

    A class with fewer than ten regions takes the numbers of all classes together.
    """
    foreground = [regions.iou >= sampling.foreground_iou for regions in pictures]
    offsets = np.concatenate(
        [np.zeros((0, 4)), *(r.offsets[mask] for r, mask in zip(pictures, foreground, strict=True))]
    )
    classes = np.concatenate(
        [np.zeros(0, int), *(r.classes[mask] for r, mask in zip(pictures, foreground, strict=True))]
    )
    mean, std = np.zeros((num_classes, 4)), np.ones((num_classes, 4))
    for number in range(num_classes):
        own = offsets[classes == number + 1]
        some = own if len(own) >= _MIN_REGIONS_A_CLASS else offsets
        if len(some) >= _MIN_REGIONS_A_CLASS:
            mean[number], std[number] = some.mean(axis=0), np.maximum(some.std(axis=0), 1e-3)
    return OffsetScale(mean=mean.astype(np.float32), std=std.astype(np.float32))


def _pools(
    regions: Regions, *, sampling: RegionSampling
) -> tuple[Int64[np.ndarray, " f"], Int64[np.ndarray, " b"]]:
    low, high = sampling.background_iou
    foreground = np.flatnonzero(regions.iou >= sampling.foreground_iou)
    background = np.flatnonzero((regions.iou >= low) & (regions.iou < high))
    return foreground, background
