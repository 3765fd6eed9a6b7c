"""The Open3D engine against closed forms."""

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
from analytic_scenes import (
    BLACK_SKY,
    box_room,
    camera_at,
    make_box,
    make_quad,
    node,
    place,
    plane_scene,
    point_light,
    sphere_scene,
    with_lights,
)

from scenelift.render.camera import Camera
from scenelift.render.engines import EngineError, Quality
from scenelift.render.engines import open3d as engine
from scenelift.render.scene import Light, Material, Scene, SceneError, Texture


def _loads() -> bool:
    if importlib.util.find_spec("open3d") is None:
        return False
    try:
        import open3d  # noqa: F401
    except (ImportError, OSError):
        return False
    return True


pytestmark = pytest.mark.skipif(not _loads(), reason="open3d does not load here")


def test_depth_and_normal_of_a_plane_far_from_the_origin() -> None:
    scene = plane_scene(y_m=0.0)
    far = replace(
        scene,
        nodes=tuple(
            replace(n, T_world_object=place(at=(5000.0, 40.0, -7000.0)) @ n.T_world_object)
            for n in scene.nodes
        ),
    )
    camera = camera_at((5000.0, 41.5, -7000.0), (5000.5, 40.0, -7003.0))
    with engine.prepare(far) as prepared:
        labels = prepared.labels(camera)
    x = (np.arange(64) + 0.5 - 32) / 50
    y = (np.arange(48) + 0.5 - 24) / 50
    rotation = camera.T_world_camera[:3, :3]
    rays = np.stack([*np.broadcast_arrays(x[None], -y[:, None]), -np.ones((48, 64))], axis=2)
    expected = -1.5 / (rays @ rotation.T)[..., 1]
    seen = (expected > 0) & (expected < 40)
    assert seen.any()
    np.testing.assert_allclose(labels.z_depth_m[seen], expected[seen], rtol=1e-5)
    up = rotation.T @ (0.0, 1.0, 0.0)
    np.testing.assert_allclose(labels.normal[seen], np.broadcast_to(up, (seen.sum(), 3)), atol=1e-6)
    assert (labels.instance[seen] == 1).all()
    assert (labels.semantic[seen] == 2).all()
    sky = expected < 0
    assert (labels.z_depth_m[sky] == 0).all()
    assert (labels.normal[sky] == 0).all()
    assert (labels.instance[sky] == 0).all()


def test_a_mirroring_transform_turns_no_normal_away() -> None:
    box = node("box", make_box(), T_world_object=place(scale=(-1.0, 2.0, 0.5), turn_deg=(0, 30, 0)))
    camera = camera_at((0.5, 0.3, 3.0), (0.0, 0.0, 0.0))
    labels = engine.prepare(Scene(name="box", nodes=(box,))).labels(camera)
    hit = labels.instance == 1
    assert hit.sum() > 100
    np.testing.assert_allclose(np.linalg.norm(labels.normal[hit], axis=1), 1, atol=1e-5)
    assert (labels.normal[hit][:, 2] > 0).all()


def test_holes_of_a_texture_show_what_lies_behind() -> None:
    pixels = np.full((1, 2, 4), 255, np.uint8)
    pixels[0, 0, 3] = 0
    paper = Material(name="paper", texture=Texture(pixels=pixels))
    nodes = [
        node(f"sheet{i}", make_quad(material=paper), T_world_object=place(at=(0, 0, 0.1 * i)))
        for i in range(3)
    ]
    wall = node("wall", make_quad(width_m=5, height_m=5), T_world_object=place(at=(0, 0, -1)))
    scene = Scene(name="sheets", nodes=(wall, *nodes))
    labels = engine.prepare(scene).labels(camera_at((0.0, 0.0, 1.0), (0.0, 0.0, 0.0)))
    assert labels.instance[24, 30] == 1
    assert labels.z_depth_m[24, 30] == pytest.approx(2.0, abs=1e-5)
    assert labels.instance[24, 34] == 4
    assert labels.z_depth_m[24, 34] == pytest.approx(0.8, abs=1e-5)


def test_first_hits_measure_in_units_of_the_direction() -> None:
    prepared = engine.prepare(sphere_scene(radius_m=0.5))
    distance, ids = prepared.first_hits(
        np.array([[3.0, 0, 0], [3.0, 0, 0]]), np.array([[-2.0, 0, 0], [0, 1.0, 0]])
    )
    assert distance[0] == pytest.approx(1.25, rel=1e-3)
    assert np.isinf(distance[1])
    assert ids.tolist() == [1, 0]


@pytest.fixture
def without_ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "AMBIENT", 0.0)


@pytest.mark.usefixtures("without_ambient")
def test_a_point_light_falls_off_by_the_inverse_square() -> None:
    material = Material(name="grey", base_color=(0.5, 0.5, 0.5))
    scene = plane_scene(material=material)
    camera = camera_at((0.0, 2.0, 0.5), (0.0, 0.0, 0.0))
    dark = _draft(with_lights(replace(scene, sky=BLACK_SKY)), camera)
    assert (dark == 0).all()
    near = _draft(with_lights(scene, point_light((0.0, 1.0, 0.0), intensity=10.0)), camera)
    far = _draft(with_lights(scene, point_light((0.0, 4.0, 0.0), intensity=10.0)), camera)
    assert near[24, 32, 0] == pytest.approx(10 * 0.5 / np.pi, rel=0.1)
    assert near[24, 32, 0] / far[24, 32, 0] == pytest.approx(16, rel=0.15)


@pytest.mark.usefixtures("without_ambient")
@pytest.mark.parametrize("tilt_deg", [0.0, 60.0])
def test_a_lamp_of_triangles_lights_as_its_closed_form_says(tilt_deg: float) -> None:
    """A small panel of area A and radiance L straight above gives L A cos(tilt) / h^2."""
    glow = Material(name="glow", base_color=(0.0, 0.0, 0.0), emission=(50.0, 50.0, 50.0))
    panel = node(
        "panel",
        make_quad(width_m=0.1, height_m=0.1, material=glow),
        T_world_object=place(at=(0, 2, 0), turn_deg=(90, 0, tilt_deg)),
    )
    floor = plane_scene(material=Material(name="white", base_color=(1.0, 1.0, 1.0))).nodes[0]
    scene = Scene(name="lamp", nodes=(floor, panel), sky=BLACK_SKY)
    camera = camera_at((0.0, 1.0, 0.1), (0.0, 0.0, 0.0), width=16, height=16, focal_px=160.0)
    frames = [_draft(scene, camera, seed=seed) for seed in range(20)]
    direct = 50 * 0.01 / 4 / np.pi * np.cos(np.radians(tilt_deg))
    assert np.mean(frames) == pytest.approx(direct, rel=0.03)


def test_two_lights_add_up_on_average() -> None:
    camera = camera_at((0.0, 2.0, 0.5), (0.0, 0.0, 0.0))
    lights = (
        point_light((1.0, 1.5, 0.0), intensity=10.0),
        Light(
            kind="spot",
            intensity=(0.0, 20.0, 0.0),
            position_world=(-1.0, 2.0, 0.0),
            direction_world=(0.4, -1.0, 0.0),
        ),
        Light(
            kind="sun", intensity=(1.0, 2.0, 3.0), direction_world=(0.2, -1.0, 0.1), radius_m=0.01
        ),
        Light(
            kind="line",
            intensity=(5.0, 5.0, 5.0),
            position_world=(0.0, 1.0, 0.0),
            end_world=(0.5, 1.0, 0.0),
        ),
    )
    each = [_average(with_lights(plane_scene(), light), camera) for light in lights]
    apart = np.sum(each, axis=0)
    together = _average(with_lights(plane_scene(), *lights), camera)
    np.testing.assert_allclose(together.mean(axis=(0, 1)), apart.mean(axis=(0, 1)), rtol=0.02)


def test_a_blocked_light_leaves_only_ambient_light() -> None:
    shade = node(
        "shade",
        make_quad(width_m=9, height_m=9),
        T_world_object=place(at=(0, 2, 0), turn_deg=(90, 0, 0)),
    )
    scene = Scene(name="shade", nodes=(*plane_scene().nodes, shade))
    lit = with_lights(scene, point_light((0.0, 3.0, 0.0), intensity=10.0))
    camera = camera_at((0.0, 1.0, 0.5), (0.0, 0.0, 0.0))
    glass = replace(
        shade,
        mesh=make_quad(width_m=9, height_m=9, material=Material(name="pane", transmission=0.9)),
    )
    clear = replace(lit, nodes=(*plane_scene().nodes, glass))
    ratio = _draft(clear, camera)[24, 32] / _draft(lit, camera)[24, 32]
    assert ratio == pytest.approx((1 + 1 / engine.AMBIENT) * np.ones(3), rel=0.3)


def test_the_same_seed_gives_the_same_bytes() -> None:
    scene, camera = box_room(), camera_at((0.0, 1.5, 2.0), (0.0, 1.0, 0.0))
    qualities: tuple[Quality, ...] = ("draft", "normal")
    for quality in qualities:
        first = engine.prepare(scene)
        second = engine.prepare(scene, threads=2)
        one = first.radiance(camera, first.labels(camera), quality=quality, seed=3)
        two = second.radiance(camera, second.labels(camera), quality=quality, seed=3)
        assert one.tobytes() == two.tobytes()
        assert np.isfinite(one).all()
        assert (one >= 0).all()


def test_radiance_does_not_depend_on_remembered_labels() -> None:
    scene, camera = box_room(), camera_at((0.0, 1.5, 2.0), (0.0, 1.0, 0.0))
    prepared = engine.prepare(scene)
    labels = prepared.labels(camera)
    fresh = prepared.radiance(camera, labels, quality="draft", seed=1)
    prepared.labels(camera_at((0.0, 1.5, -2.0), (0.0, 1.0, 0.0)))
    again = prepared.radiance(camera, labels, quality="draft", seed=1)
    assert fresh.tobytes() == again.tobytes()


def test_a_scene_of_slivers_is_refused() -> None:
    flat = node("flat", make_quad(width_m=0.0))
    with pytest.raises(SceneError, match="none of its 2 triangles"):
        engine.prepare(Scene(name="flat", nodes=(flat,)))


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open3d", None)
    with pytest.raises(EngineError, match="pip install open3d"):
        engine.prepare(box_room())


def _draft(scene: Scene, camera: Camera, *, seed: int = 0) -> np.ndarray:
    prepared = engine.prepare(scene)
    return prepared.radiance(camera, prepared.labels(camera), quality="draft", seed=seed)


def _average(scene: Scene, camera: Camera) -> np.ndarray:
    prepared = engine.prepare(scene)
    labels = prepared.labels(camera)
    frames = [prepared.radiance(camera, labels, quality="draft", seed=s) for s in range(30)]
    return np.asarray(np.mean(frames, axis=0))
