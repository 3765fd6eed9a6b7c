"""Each gate turns away what it names, just beyond its threshold, and nothing before it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.camera import Camera, look_at
from scenelift.render.frame import Labels
from scenelift.render.gates import (
    ViewGates,
    count_objects,
    judge_edges,
    judge_image,
    judge_labels,
    judge_novelty,
    novelty,
    variety,
)

GATES = ViewGates()
SIDE = 100


def good_labels(**changes: Any) -> Labels:
    """A wall over half the image and five chairs over the rest, two metres away."""
    instance = np.ones((SIDE, SIDE), np.uint16)
    for index in range(5):
        instance[50:, 20 * index : 20 * index + 20] = index + 2
    semantic = np.where(instance == 1, nyu40_id("wall"), nyu40_id("chair")).astype(np.uint8)
    labels = Labels(
        z_depth_m=np.full((SIDE, SIDE), 2, np.float32),
        normal=np.tile(np.array([0, 0, 1], np.float32), (SIDE, SIDE, 1)),
        instance=instance,
        semantic=semantic,
        albedo=np.full((SIDE, SIDE, 3), 0.5, np.float32),
    )
    return replace(labels, **changes)


def depth_with(share: float, value: float) -> np.ndarray:
    z = np.full(SIDE * SIDE, 2, np.float32)
    z[: round(share * SIDE * SIDE)] = value
    return z.reshape(SIDE, SIDE)


def test_a_good_view_passes() -> None:
    assert judge_labels(good_labels(), gates=GATES) is None
    assert count_objects(good_labels(), gates=GATES) == 5


@pytest.mark.parametrize(
    ("value", "limit", "reason"),
    [(0.0, GATES.max_nothing, "outside"), (0.3, GATES.max_near, "too close")],
)
def test_nothing_and_nearness_are_tolerated_up_to_their_share(
    value: float, limit: float, reason: str
) -> None:
    assert judge_labels(good_labels(z_depth_m=depth_with(limit, value)), gates=GATES) is None
    beyond = good_labels(z_depth_m=depth_with(limit + 0.001, value))
    assert judge_labels(beyond, gates=GATES) == reason


def test_one_instance_may_not_fill_the_view() -> None:
    instance = good_labels().instance.copy()
    instance[: round(SIDE * GATES.max_single) + 1] = 1
    assert judge_labels(good_labels(instance=instance), gates=GATES) == "wall-filling"


def test_walls_floors_ceilings_and_crumbs_are_no_objects() -> None:
    structure = np.array([nyu40_id(n) for n in ("wall", "floor", "ceiling")], np.uint8)
    semantic = structure[good_labels().instance % 3]
    assert judge_labels(good_labels(semantic=semantic), gates=GATES) == "too few objects"
    instance = np.ones((SIDE, SIDE), np.uint16)
    instance[:60] = 9
    instance.ravel()[:49] = np.repeat(np.arange(2, 9), 7)
    assert judge_labels(good_labels(instance=instance), gates=GATES) == "too few objects"


@pytest.mark.parametrize(("width", "height"), [(256, 256), (128, 128), (320, 240)])
def test_the_papers_350_edge_pixels_scale_with_area(width: int, height: int) -> None:
    least = int(np.ceil(350 * width * height / 65536))
    edge = np.zeros(width * height, np.uint8)
    edge[:least] = 1 | 4
    assert judge_edges(edge.reshape(height, width), gates=GATES) is None
    edge[0] = 2 | 4 | 8
    assert judge_edges(edge.reshape(height, width), gates=GATES) == "too few edges"


def test_black_and_burnt_out_pictures_go() -> None:
    def grey(value: int) -> np.ndarray:
        return np.full((SIDE, SIDE, 3), value, np.uint8)

    assert judge_image(grey(128), gates=GATES) is None
    assert judge_image(grey(5), gates=GATES) == "black"
    burnt = grey(128)
    burnt[:40] = 255
    assert judge_image(burnt, gates=GATES) == "burnt-out"
    burnt[..., 2] = 200
    assert judge_image(burnt, gates=GATES) is None, "a saturated colour is not burnt-out"


def camera_at(x: float, *, yaw_deg: float) -> Camera:
    eye = np.array([x, 1.5, 0.0])
    yaw = np.deg2rad(yaw_deg)
    target = eye + np.array([np.sin(yaw), 0.0, -np.cos(yaw)])
    return Camera(
        width=8, height=8, focal_px=8.0, T_world_camera=look_at(eye_world=eye, target_world=target)
    )


def test_novelty_is_metres_plus_turns_of_60_degrees_to_the_nearest() -> None:
    kept = [camera_at(0.0, yaw_deg=0.0), camera_at(10.0, yaw_deg=0.0)]
    assert novelty(camera_at(0.5, yaw_deg=30.0), kept) == pytest.approx(1.0)
    assert novelty(camera_at(0.5, yaw_deg=30.0), []) == float("inf")
    assert judge_novelty(camera_at(0.1, yaw_deg=3.0), kept, gates=GATES) == "too similar"
    assert judge_novelty(camera_at(0.1, yaw_deg=40.0), kept, gates=GATES) is None


def test_variety_prefers_many_and_large_objects() -> None:
    five = variety(good_labels())
    instance = np.minimum(good_labels().instance, 3)
    assert five > variety(good_labels(instance=instance)) > 0
    assert five == pytest.approx(5 * np.log(0.1 / 0.01))
