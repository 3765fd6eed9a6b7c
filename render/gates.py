"""The gates that turn a bad view away, each with a reason that is counted.

The score of a view is that of SUNCG's own camera sampler: the sum over visible objects of log(pixels / least pixels).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.camera import Camera
from scenelift.render.frame import EDGE_INSTANCE, Labels

Reason = Literal[
    "outside",
    "too close",
    "wall-filling",
    "too few objects",
    "too few edges",
    "too similar",
    "black",
    "burnt-out",
]
"""Why a candidate view was turned away."""

STRUCTURE = frozenset(nyu40_id(name) for name in ("wall", "floor", "ceiling"))
"""Classes that are no objects to look at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewGates:
    """What a view must show to be kept."""

    max_nothing: float = 0.05
    """Share of pixels whose ray may leave the scene; more means that the camera is outside or sees a hole."""
    near_m: float = 0.5
    """A surface nearer than this is too close ..."""
    max_near: float = 0.02
    """... if it covers more than this share."""
    max_single: float = 0.65
    """Share of the image that one instance may fill."""
    min_objects: int = 3
    """Instances that are neither wall, floor nor ceiling, each with `min_object_share`."""
    min_object_share: float = 0.005
    """Share of the image from which on an object counts."""
    min_edge_pixels_256: int = 350
    """Instance-edge pixels at 256 x 256, scaled by area; the paper's released code asks for 350."""
    min_luminance: float = 12.0
    """Mean 8-bit luminance below which an image is black."""
    max_burnt: float = 0.35
    """Share of pixels at or above 250 in all channels beyond which an image is burnt-out."""
    min_novelty: float = 0.35
    """Least distance to each view kept before: metres plus one for each 60 degrees between the optical axes."""
    tries: int = 24
    """Rounds before a view is given up."""
    candidates: int = 6
    """Candidates probed in a round, the best of which is rendered."""


def judge_labels(labels: Labels, *, gates: ViewGates) -> Reason | None:
    """Say why a view's geometry is not worth a picture, or None.

    Works on labels of any resolution, so that a small probe can be judged before the whole view is.
    """
    z = labels.z_depth_m
    if float((z == 0).mean()) > gates.max_nothing:
        return "outside"
    if float(((z > 0) & (z < gates.near_m)).mean()) > gates.max_near:
        return "too close"
    ids, counts = np.unique(labels.instance, return_counts=True)
    if counts[ids > 0].max(initial=0) > gates.max_single * z.size:
        return "wall-filling"
    if len(_object_shares(labels, least=gates.min_object_share)) < gates.min_objects:
        return "too few objects"
    return None


def judge_edges(edge: UInt8[np.ndarray, "h w"], *, gates: ViewGates) -> Reason | None:
    """Say "too few edges" below the paper's count, scaled by area, or None."""
    least = gates.min_edge_pixels_256 * edge.size / 65536
    return "too few edges" if count_edge_pixels(edge) < least else None


def judge_image(image: UInt8[np.ndarray, "h w 3"], *, gates: ViewGates) -> Reason | None:
    """Say whether a picture came out black or burnt-out, or None."""
    luminance = image @ np.array([0.2126, 0.7152, 0.0722])
    if float(luminance.mean()) < gates.min_luminance:
        return "black"
    if float((image >= 250).all(axis=-1).mean()) > gates.max_burnt:
        return "burnt-out"
    return None


def judge_novelty(camera: Camera, kept: Sequence[Camera], *, gates: ViewGates) -> Reason | None:
    """Say "too similar" if a view kept before is nearer than the least novelty, or None."""
    return "too similar" if novelty(camera, kept) < gates.min_novelty else None


def novelty(camera: Camera, kept: Sequence[Camera]) -> float:
    """Return the distance to the nearest other view: metres, plus one for each 60 degrees; inf without others."""
    if not kept:
        return float("inf")
    poses = np.stack([other.T_world_camera for other in kept])
    metres = np.linalg.norm(poses[:, :3, 3] - camera.T_world_camera[:3, 3], axis=1)
    cosine = np.clip(poses[:, :3, 2] @ camera.T_world_camera[:3, 2], -1, 1)
    return float((metres + np.rad2deg(np.arccos(cosine)) / 60).min())


def variety(labels: Labels, *, least: float = 0.01) -> float:
    """Score a view by what it shows: the sum over objects of log(share / least share); many and large is best."""
    return float(np.log(_object_shares(labels, least=least) / least).sum())


def count_edge_pixels(edge: UInt8[np.ndarray, "h w"]) -> int:
    """Count the pixels with an instance boundary."""
    return int(np.count_nonzero(edge & EDGE_INSTANCE))


def count_objects(labels: Labels, *, gates: ViewGates) -> int:
    """Count the instances that are objects and large enough."""
    return len(_object_shares(labels, least=gates.min_object_share))


def _object_shares(labels: Labels, *, least: float) -> Float[np.ndarray, " n"]:
    """Return the image shares, above `least`, of instances that are neither nothing, wall, floor nor ceiling."""
    is_object = (labels.instance > 0) & ~np.isin(labels.semantic, list(STRUCTURE))
    counts = np.bincount(labels.instance[is_object])
    shares = counts / labels.instance.size
    return shares[(shares >= least) & (counts > 0)]
