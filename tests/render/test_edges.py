"""Typed edges against closed forms: steps, creases, grazing planes, nothing."""

import numpy as np
import pytest

from scenelift.render.camera import Camera
from scenelift.render.edges import EdgeSettings, find_edges, texture_edges
from scenelift.render.frame import (
    EDGE_CREASE,
    EDGE_INSTANCE,
    EDGE_OCCLUSION,
    EDGE_TEXTURE,
    Labels,
)

SETTINGS = EdgeSettings()


def camera_of(width: int, height: int) -> Camera:
    return Camera(width=width, height=height, focal_px=width * 0.9, T_world_camera=np.eye(4))


def plane_labels(
    camera: Camera, normal: tuple[float, float, float], *, distance_m: float, instance: int = 1
) -> Labels:
    """Label the infinite plane normal . p = -distance, seen from the origin."""
    n = np.array(normal) / np.linalg.norm(normal)
    x = (np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal_px
    y = -(np.arange(camera.height) + 0.5 - camera.height / 2) / camera.focal_px
    along = n[0] * x[None, :] + n[1] * y[:, None] - n[2]
    z = np.where(along < -1e-6, -distance_m / np.minimum(along, -1e-6), 0)
    z[z > 100] = 0
    hit = z > 0
    return Labels(
        z_depth_m=z.astype(np.float32),
        normal=np.where(hit[..., None], n, 0).astype(np.float32),
        instance=np.where(hit, instance, 0).astype(np.uint16),
        semantic=hit.astype(np.uint8),
        albedo=np.zeros((camera.height, camera.width, 3), np.float32),
    )


def in_front(near: Labels, far: Labels) -> Labels:
    """Merge two label sets by depth."""
    take = (near.z_depth_m > 0) & ((far.z_depth_m == 0) | (near.z_depth_m < far.z_depth_m))
    return Labels(
        z_depth_m=np.where(take, near.z_depth_m, far.z_depth_m),
        normal=np.where(take[..., None], near.normal, far.normal),
        instance=np.where(take, near.instance, far.instance),
        semantic=np.where(take, near.semantic, far.semantic),
        albedo=np.where(take[..., None], near.albedo, far.albedo),
    )


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 1, 0.02), (0.99, 0.1, 0.1), (-1, 0, 0.3)])
def test_a_plane_has_no_inner_edge_however_grazing(normal: tuple[float, float, float]) -> None:
    camera = camera_of(96, 64)
    labels = plane_labels(camera, normal, distance_m=1.3)
    edge = find_edges(camera, labels, settings=SETTINGS)
    z = np.pad(labels.z_depth_m, 1, constant_values=1)
    inner = (z[:-2, 1:-1] > 0) & (z[2:, 1:-1] > 0) & (z[1:-1, :-2] > 0) & (z[1:-1, 2:] > 0)
    assert (edge[inner & (labels.z_depth_m > 0)] == 0).all()


def test_the_near_side_of_a_step_bears_the_occlusion_on_all_four_sides() -> None:
    camera = camera_of(40, 30)
    far = plane_labels(camera, (0, 0, 1), distance_m=4.0, instance=1)
    near = plane_labels(camera, (0, 0, 1), distance_m=2.0, instance=2)
    inside = np.zeros((30, 40), bool)
    inside[10:20, 12:25] = True
    labels = in_front(
        Labels(
            z_depth_m=np.where(inside, near.z_depth_m, np.float32(0)),
            normal=near.normal,
            instance=near.instance,
            semantic=near.semantic,
            albedo=near.albedo,
        ),
        far,
    )
    edge = find_edges(camera, labels, settings=SETTINGS)
    rim = inside.copy()
    rim[11:19, 13:24] = False
    np.testing.assert_array_equal((edge & EDGE_OCCLUSION) > 0, rim)
    assert not (edge & EDGE_CREASE).any()
    boundary = np.zeros_like(inside)
    boundary[:, :-1] |= inside[:, :-1] != inside[:, 1:]
    boundary[:-1] |= inside[:-1] != inside[1:]
    np.testing.assert_array_equal((edge & EDGE_INSTANCE) > 0, boundary)


@pytest.mark.parametrize(("angle_deg", "expected"), [(20.0, False), (40.0, True), (89.0, True)])
def test_a_fold_is_a_crease_from_the_threshold_on(angle_deg: float, expected: bool) -> None:
    camera = camera_of(64, 64)
    half = np.deg2rad(angle_deg) / 2
    left = plane_labels(camera, (np.sin(half), 0, np.cos(half)), distance_m=3.0)
    right = plane_labels(camera, (-np.sin(half), 0, np.cos(half)), distance_m=3.0)
    edge = find_edges(camera, in_front(left, right), settings=SETTINGS)
    assert bool((edge & EDGE_CREASE).any()) == expected
    assert not (edge & EDGE_OCCLUSION).any()
    assert not (edge & EDGE_INSTANCE).any()


def test_nothing_behind_is_an_occlusion_of_the_last_pixel_seen() -> None:
    camera = camera_of(8, 6)
    labels = plane_labels(camera, (0, 0, 1), distance_m=2.0)
    z = labels.z_depth_m.copy()
    z[:, 4:] = 0
    cut = Labels(
        z_depth_m=z,
        normal=np.where((z > 0)[..., None], labels.normal, np.float32(0)),
        instance=np.where(z > 0, labels.instance, np.uint16(0)),
        semantic=labels.semantic,
        albedo=labels.albedo,
    )
    edge = find_edges(camera, cut, settings=SETTINGS)
    assert (edge[:, 3] == EDGE_OCCLUSION | EDGE_INSTANCE).all()
    assert (np.delete(edge, 3, axis=1) == 0).all()


def test_texture_edges_follow_the_albedo_alone() -> None:
    albedo = np.zeros((32, 32, 3), np.float32)
    albedo[:, 16:] = 0.8
    edge = texture_edges(albedo, settings=SETTINGS)
    columns = np.flatnonzero(edge.any(axis=0))
    assert set(edge.ravel().tolist()) == {0, EDGE_TEXTURE}
    assert np.abs(columns - 15.5).max() <= 1
    assert not texture_edges(np.full_like(albedo, 0.5), settings=SETTINGS).any()
