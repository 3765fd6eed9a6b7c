"""Take the views that a scene owes: draw, probe, score, render, judge."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from scenelift.render.camera import Camera
from scenelift.render.develop import develop
from scenelift.render.edges import EdgeSettings, find_edges
from scenelift.render.engines import Engine, Quality
from scenelift.render.frame import Frame, Labels
from scenelift.render.gates import (
    Reason,
    ViewGates,
    judge_edges,
    judge_image,
    judge_labels,
    judge_novelty,
    novelty,
    variety,
)
from scenelift.render.standpoints import Standpoints
from scenelift.render.views import (
    CameraRanges,
    Candidate,
    candidate_rng,
    draw_candidate,
    probe_camera,
)

GIVEN_UP = "given up"
"""Counted beside the reasons: a view for which no candidate passed."""
_PROBE_PX = 32


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoSettings:
    """Everything but scene, engine and seed that a frame depends on."""

    width: int = 256
    """Image width in pixels."""
    height: int = 256
    """Image height in pixels."""
    quality: Quality = "normal"
    """draft: direct light; normal: path traced and denoised; high: more samples of the same."""
    cameras: CameraRanges = field(default_factory=CameraRanges)
    gates: ViewGates = field(default_factory=ViewGates)
    edges: EdgeSettings = field(default_factory=EdgeSettings)

    def __post_init__(self) -> None:
        if not (8 <= self.width <= 8192 and 8 <= self.height <= 8192):
            raise ValueError(
                f"width and height must lie between 8 and 8192 pixels, got {self.width} x {self.height}"
            )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Photo:
    """A kept view: how it was taken, and what it shows."""

    candidate: Candidate
    frame: Frame
    exposure_ev: float
    """Exposure chosen by the development, in stops."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Photos:
    """The kept views of a scene, and how many candidates were turned away for each reason."""

    kept: tuple[Photo, ...]
    rejections: Mapping[str, int]


def photograph(
    engine: Engine,
    places: Standpoints,
    *,
    scene_name: str,
    settings: PhotoSettings,
    seed: int,
    first_view: int,
    num_views: int,
) -> Photos:
    """Take `num_views` views of a scene, or fewer where all tries of a view fail.

    Args:
        engine: The scene, ready for rays.
        places: Where to stand.
        scene_name: Makes, with `seed` and a candidate's number, all random draws.
        settings: Image size, quality, thresholds.
        seed: The run's.
        first_view: Number of the first view; each view owns a range of candidate numbers.
        num_views: How many to take.
    """
    kept: list[Photo] = []
    rejections: Counter[str] = Counter()
    gates = settings.gates
    for view in range(first_view, first_view + num_views):
        for attempt in range(gates.tries):
            first_index = (view * gates.tries + attempt) * gates.candidates
            cameras = [photo.candidate.camera for photo in kept]
            best = _best_candidate(
                engine,
                places,
                scene_name=scene_name,
                settings=settings,
                seed=seed,
                first_index=first_index,
                kept=cameras,
                rejections=rejections,
            )
            if best is None:
                continue
            photo = take_photo(engine, best, settings=settings)
            if isinstance(photo, str):
                rejections[photo] += 1
            else:
                kept.append(photo)
                break
        else:
            rejections[GIVEN_UP] += 1
    return Photos(kept=tuple(kept), rejections=dict(sorted(rejections.items())))


def take_photo(engine: Engine, candidate: Candidate, *, settings: PhotoSettings) -> Photo | Reason:
    """Render one candidate in full, or say which gate it fails; colour is spent only on good geometry."""
    camera = candidate.camera
    labels = engine.labels(camera)
    reason = judge_labels(labels, gates=settings.gates)
    if reason is not None:
        return reason
    edge = find_edges(camera, labels, settings=settings.edges)
    reason = judge_edges(edge, gates=settings.gates)
    if reason is not None:
        return reason
    radiance = engine.radiance(camera, labels, quality=settings.quality, seed=candidate.seed)
    image, exposure_ev = develop(radiance)
    reason = judge_image(image, gates=settings.gates)
    if reason is not None:
        return reason
    frame = Frame(camera=camera, image=image, labels=labels, edge=edge)
    return Photo(candidate=candidate, frame=frame, exposure_ev=exposure_ev)


def _best_candidate(
    engine: Engine,
    places: Standpoints,
    *,
    scene_name: str,
    settings: PhotoSettings,
    seed: int,
    first_index: int,
    kept: list[Camera],
    rejections: Counter[str],
) -> Candidate | None:
    """Probe a round of candidates at low resolution and return the one that shows most and is newest."""
    best: tuple[float, Candidate] | None = None
    for index in range(first_index, first_index + settings.gates.candidates):
        candidate = draw_candidate(
            places,
            index=index,
            ranges=settings.cameras,
            width=settings.width,
            height=settings.height,
            rng=candidate_rng(seed=seed, scene_name=scene_name, index=index),
        )
        reason = judge_novelty(candidate.camera, kept, gates=settings.gates)
        if reason is not None:
            rejections[reason] += 1
            continue
        probe = engine.labels(probe_camera(candidate.camera, pixels=_PROBE_PX))
        reason = judge_labels(probe, gates=settings.gates)
        if reason is not None:
            rejections[reason] += 1
            continue
        score = _score(probe, candidate.camera, kept)
        if best is None or score > best[0]:
            best = score, candidate
    return None if best is None else best[1]


def _score(probe: Labels, camera: Camera, kept: list[Camera]) -> float:
    """Add up what a view shows and how far it is from the views before, at most 3 (two metres and 60 degrees)."""
    return variety(probe) + float(np.minimum(novelty(camera, kept), 3.0))
