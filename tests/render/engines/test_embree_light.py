import hashlib
import subprocess
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
    make_sphere,
    node,
    place,
    plane_scene,
    point_light,
    uniform_sky,
)

from scenelift.render.camera import Camera
from scenelift.render.engines import Quality, embree
from scenelift.render.engines.embree.radiance import take_raw
from scenelift.render.scene import Light, Material, Scene, Texture

WHITE = Material(name="white", base_color=(1.0, 1.0, 1.0))
DOWN = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
"""The pose of a camera at the origin that looks straight down."""


def raw(
    scene: Scene, camera: Camera, *, samples: int, bounces: int = 6, seed: int = 1
) -> np.ndarray:
    """Radiance without a denoiser."""
    with embree.prepare(scene) as engine:
        image, _, _ = take_raw(
            engine.shot(camera), seed=np.uint32(seed), samples=samples, bounces=bounces
        )
    return image


def above(height_m: float, *, width: int = 8, focal_px: float = 400.0) -> Camera:
    """A narrow view straight down from a height, at a little distance from the axis."""
    pose = DOWN.copy()
    pose[:3, 3] = (0.0, height_m, 0.0)
    return Camera(width=width, height=width, focal_px=focal_px, T_world_camera=pose)


@pytest.mark.parametrize("reflectance", [0.3, 0.7])
def test_a_closed_room_that_glows_evenly_has_the_sum_of_the_series(reflectance: float) -> None:
    """Radiance in a closed room of reflectance r and emission e is e (1 + r + r^2 + ...)."""
    glow = Material(
        name="glow", base_color=(reflectance, reflectance, reflectance), emission=(0.5, 0.5, 0.5)
    )
    scene = Scene(
        name="furnace",
        nodes=(node("box", make_box(size_m=(3, 2, 4), material=glow)),),
        sky=uniform_sky(9.0),
    )
    camera = camera_at((0.7, -0.2, 1.1), (-1, 0.1, -1), width=24, height=16, focal_px=20)
    bounces = 5
    expected = 0.5 * sum(reflectance**i for i in range(bounces + 1))
    image = raw(scene, camera, samples=64, bounces=bounces)
    assert image.mean() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("metallic", "roughness"), [(0.0, 1.0), (0.0, 0.3), (1.0, 0.0), (1.0, 0.05), (0.5, 0.2)]
)
def test_no_surface_gives_back_more_light_than_it_gets(metallic: float, roughness: float) -> None:
    """In a sky of radiance 1 a white convex body may not be brighter than the sky; smooth ones are as bright."""
    material = replace(WHITE, metallic=metallic, roughness=roughness)
    scene = Scene(
        name="ball",
        nodes=(node("ball", make_sphere(radius_m=1, subdivisions=4, material=material)),),
        sky=uniform_sky(1.0),
    )
    camera = camera_at((0, 0, 4), (0, 0, 0), width=16, height=16, focal_px=40)
    image = raw(scene, camera, samples=128, bounces=8)[4:12, 4:12]
    assert image.mean() < 1.01
    assert image.mean() > 0.9


def test_a_point_light_falls_off_with_the_square_of_the_distance() -> None:
    for height in (0.5, 1.0, 3.0):
        scene = replace(
            plane_scene(half_size_m=5),
            sky=BLACK_SKY,
            lights=(point_light((0.0, height, 0.0), intensity=2.0),),
        )
        image = raw(scene, above(2.0, focal_px=4000.0), samples=4, bounces=2)
        assert image.mean() == pytest.approx(0.5 / np.pi * 2.0 / height**2, rel=1e-3)


def test_a_spot_lights_its_cone_alone_and_the_sun_by_its_cosine() -> None:
    spot = Light(
        kind="spot",
        intensity=(1.0, 2.0, 3.0),
        position_world=(0.0, 2.0, 0.0),
        cone_rad=0.3,
        radius_m=0.0,
    )
    plane = replace(plane_scene(half_size_m=5), sky=BLACK_SKY, lights=(spot,))
    image = raw(plane, above(3.0, width=65, focal_px=65.0), samples=4, bounces=1)
    np.testing.assert_allclose(image[32, 32], 0.5 / np.pi * np.array([1, 2, 3]) / 4, rtol=0.01)
    assert not image[:, :10].any()
    slanted = Light(
        kind="sun", intensity=(4.0, 4.0, 4.0), direction_world=(1.0, -1.0, 0.0), radius_m=0.0
    )
    sun = replace(plane, lights=(slanted,))
    assert raw(sun, above(2.0), samples=1, bounces=1).mean() == pytest.approx(
        0.5 / np.pi * 4 * np.sqrt(0.5), rel=1e-4
    )


def test_a_line_light_equals_the_integral_along_it() -> None:
    line = Light(
        kind="line",
        intensity=(1.0, 1.0, 1.0),
        position_world=(-1.0, 1.5, 0.0),
        end_world=(1.0, 1.5, 0.0),
        radius_m=0.0,
    )
    scene = replace(plane_scene(half_size_m=5), sky=BLACK_SKY, lights=(line,))
    x = np.linspace(-1, 1, 2001)
    irradiance = np.trapezoid(1.5 / (x**2 + 1.5**2) ** 1.5, x)
    image = raw(scene, above(1.2, focal_px=4000.0), samples=256, bounces=1)
    assert image.mean() == pytest.approx(0.5 / np.pi * irradiance, rel=0.005)


def test_a_square_lamp_over_a_plane_has_the_closed_form_irradiance() -> None:
    """A parallel square of half side a at distance h: E = 4 L a/s atan(a/s), s^2 = a^2 + h^2 (Howell, C-13)."""
    half, height, radiance = 0.4, 1.0, 3.0
    lamp = Material(
        name="lamp", base_color=(0.0, 0.0, 0.0), emission=(radiance, radiance, radiance)
    )
    panel = make_quad(width_m=2 * half, height_m=2 * half, material=lamp)
    plane = plane_scene(half_size_m=5)
    scene = replace(
        plane,
        sky=BLACK_SKY,
        nodes=(
            *plane.nodes,
            node("lamp", panel, T_world_object=place(at=(0, height, 0), turn_deg=(90, 0, 0))),
        ),
    )
    s = np.hypot(half, height)
    irradiance = 4 * radiance * half / s * np.arctan(half / s)
    image = raw(scene, above(0.8, focal_px=4000.0), samples=64, bounces=1)
    assert image.mean() == pytest.approx(0.5 / np.pi * irradiance, rel=0.005)


@pytest.mark.parametrize("with_portals", [False, True])
def test_the_sky_through_a_hole_has_the_closed_form_irradiance(with_portals: bool) -> None:
    """A square hole in a black lid is a square lamp of the sky's radiance, with or without portals."""
    half, height, radiance = 0.5, 1.0, 2.0
    black = Material(name="black", base_color=(0.0, 0.0, 0.0))
    wide, long = 20 - half, 40.0
    lids = [
        (half + wide / 2, 0.0, wide, long),
        (-half - wide / 2, 0.0, wide, long),
        (0.0, half + wide / 2, 2 * half, wide),
        (0.0, -half - wide / 2, 2 * half, wide),
    ]
    nodes = [
        node(
            f"lid{i}",
            make_quad(width_m=w, height_m=d, material=black),
            T_world_object=place(at=(x, height, z), turn_deg=(90, 0, 0)),
        )
        for i, (x, z, w, d) in enumerate(lids)
    ]
    hole = np.array(
        [
            [
                [-half, height, -half],
                [half, height, -half],
                [half, height, half],
                [-half, height, half],
            ]
        ]
    )
    scene = Scene(
        name="hole",
        nodes=(*plane_scene(half_size_m=2).nodes, *nodes),
        sky=uniform_sky(radiance),
        portals_world=hole if with_portals else None,
    )
    s = np.hypot(half, height)
    irradiance = 4 * radiance * half / s * np.arctan(half / s)
    image = raw(scene, above(0.8, focal_px=4000.0), samples=1024, bounces=1)
    assert image.mean() == pytest.approx(0.5 / np.pi * irradiance, rel=0.01)


def test_shadow_rays_and_bounced_rays_agree() -> None:
    """With light sampling off, the same room must come out as bright: nothing counts twice, nothing is lost."""
    base = box_room()
    red = Material(name="red", base_color=(0.8, 0.1, 0.1), metallic=1.0, roughness=0.4)
    pane = Material(name="pane", base_color=(0.9, 0.95, 1.0), transmission=1.0)
    scene = replace(
        base,
        nodes=(
            *base.nodes,
            node(
                "ball2",
                make_sphere(radius_m=0.4, material=red),
                T_world_object=place(at=(-1, 0.4, 0)),
            ),
            node(
                "pane",
                make_quad(width_m=3, height_m=4, material=pane),
                T_world_object=place(at=(0, 1.7, 0), turn_deg=(90, 0, 0)),
            ),
        ),
    )
    camera = camera_at((1.5, 1.2, 2.2), (-0.5, 0.4, -1), width=24, height=16, focal_px=30)
    with embree.prepare(scene) as engine:
        shot = engine.shot(camera)
        image, _, _ = take_raw(shot, seed=np.uint32(1), samples=512, bounces=2)
        blind = shot.lights._replace(kind=np.zeros(0, dtype=np.int32), num_portals=0, guided=0.0)
        other, _, _ = take_raw(
            replace(shot, lights=blind), seed=np.uint32(2), samples=2048, bounces=2
        )
    assert image.mean() == pytest.approx(other.mean(), rel=0.02)


def test_a_hundred_lamps_are_as_bright_as_their_sum() -> None:
    """More emitters than a cell of the survey lists: the others are still found."""
    lamps = tuple(
        point_light(
            (0.37 * (i % 10) - 1.7, 1.0 + 0.05 * (i % 7), 0.37 * (i // 10) - 1.7),
            intensity=0.1 + 0.01 * i,
        )
        for i in range(100)
    )
    scene = replace(plane_scene(half_size_m=3), sky=BLACK_SKY, lights=lamps)
    irradiance = 0.0
    for lamp in lamps:
        x, y, z = lamp.position_world
        irradiance += lamp.intensity[0] * y / (x * x + y * y + z * z) ** 1.5
    image = raw(scene, above(0.9, focal_px=4000.0), samples=1024, bounces=1)
    assert image.mean() == pytest.approx(0.5 / np.pi * irradiance, rel=0.01)


def facing(material: Material, *, sky: float = 0.0) -> Scene:
    """A pane or mirror at z = -1 before the camera; a red glowing wall behind it, a green one behind the camera."""
    red = Material(name="red", base_color=(0.0, 0.0, 0.0), emission=(1.0, 0.0, 0.0))
    green = Material(name="green", base_color=(0.0, 0.0, 0.0), emission=(0.0, 1.0, 0.0))
    return Scene(
        name="facing",
        nodes=(
            node(
                "pane",
                make_quad(width_m=2, height_m=2, material=material),
                T_world_object=place(at=(0, 0, -1)),
            ),
            node(
                "behind",
                make_quad(width_m=40, height_m=40, material=red),
                T_world_object=place(at=(0, 0, -2)),
            ),
            node(
                "back",
                make_quad(width_m=40, height_m=40, material=green),
                T_world_object=place(at=(0, 0, 3)),
            ),
        ),
        sky=uniform_sky(sky),
    )


def many_lights() -> Scene:
    """A room with a glowing panel, three lamps, a spot, and an open side that is named twice, here and a metre further out."""
    room = box_room()
    lamps = [point_light((x, 1.2, -1.5), intensity=0.6) for x in (-1.5, 0.2, 1.6)]
    spot = Light(
        kind="spot",
        intensity=(3.0, 2.0, 1.0),
        position_world=(0.0, 2.3, 1.0),
        direction_world=(0.2, -1.0, -0.5),
        cone_rad=0.6,
    )
    walls = tuple(part for part in room.nodes if part.name != "wall_left")
    hole = np.array([[-2.0, 0.0, -2.5], [-2.0, 0.0, 2.5], [-2.0, 2.6, 2.5], [-2.0, 2.6, -2.5]])
    behind = hole + np.array([-1.0, 0.0, 0.0])
    return replace(
        room,
        nodes=walls,
        lights=(*lamps, spot),
        sky=uniform_sky(0.5),
        portals_world=np.stack([hole, behind]),
    )


@pytest.mark.parametrize("most", [16, 3])
def test_draft_is_direct_light_on_average(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over many seeds `draft`, but for its even light, is what one bounce gives, also where cells cannot list every emitter."""
    monkeypatch.setattr("scenelift.render.engines.embree.lights.MAX_SLOTS", most)
    monkeypatch.setattr("scenelift.render.engines.embree.radiance.DRAFT_AMBIENT", 0.0)
    scene = many_lights()
    camera = camera_at((1.2, 1.4, 2.0), (-0.3, 0.9, -1.0), width=32, height=32, focal_px=30)
    with embree.prepare(scene) as engine:
        labels = engine.labels(camera)
        drafts = [
            engine.radiance(camera, labels, quality="draft", seed=seed) for seed in range(1000)
        ]
        lights = engine.shot(camera).lights
        assert len(lights.kind) == 7
        assert lights.complete == (most == 16)
    exact = raw(scene, camera, samples=4096, bounces=1)
    panel = [node.name for node in scene.nodes].index("panel") + 1
    surfaces = 64 * labels.instance + (labels.normal @ (16, 4, 1)).astype(np.int64)
    flat = _inner(surfaces) & (labels.instance > 0) & (labels.instance != panel)
    mean = np.mean(drafts, axis=0)
    assert mean[flat].mean() == pytest.approx(exact[flat].mean(), rel=0.01)
    for instance in np.unique(labels.instance[flat]):
        here = flat & (labels.instance == instance)
        if here.sum() > 30:
            np.testing.assert_allclose(mean[here].mean(), exact[here].mean(), rtol=0.04, atol=4e-3)


def _inner(ids: np.ndarray) -> np.ndarray:
    """Pixels whose neighbours show the same surface: a centre ray and a pixel's area agree there."""
    padded = np.pad(ids.astype(np.int64), 1, constant_values=-1)
    same = np.ones(ids.shape, dtype=bool)
    for y in range(3):
        for x in range(3):
            same &= padded[y : y + ids.shape[0], x : x + ids.shape[1]] == ids
    return same


@pytest.mark.parametrize("quality", ["draft", "normal", "high"])
def test_a_mirror_shows_what_stands_behind_the_viewer(quality: Quality) -> None:
    mirror = Material(name="mirror", base_color=(0.9, 0.9, 0.9), metallic=1.0, roughness=0.0)
    camera = Camera(width=16, height=16, focal_px=16.0, T_world_camera=np.eye(4))
    with embree.prepare(facing(mirror)) as engine:
        image = engine.radiance(camera, engine.labels(camera), quality=quality, seed=3)
    middle = image[4:12, 4:12].mean(axis=(0, 1))
    assert middle[1] == pytest.approx(0.9, abs=0.03)
    assert middle[0] < 0.02


@pytest.mark.parametrize("quality", ["draft", "normal", "high"])
def test_glass_shows_what_stands_behind_it_and_a_faint_reflection(quality: Quality) -> None:
    pane = Material(name="pane", base_color=(0.8, 1.0, 1.0), transmission=1.0)
    camera = Camera(width=16, height=16, focal_px=32.0, T_world_camera=np.eye(4))
    with embree.prepare(facing(pane)) as engine:
        image = engine.radiance(camera, engine.labels(camera), quality=quality, seed=3)
    reflected = 2 * 0.04 / 1.04
    middle = image[4:12, 4:12].mean(axis=(0, 1))
    assert middle[0] == pytest.approx(0.8 * (1 - reflected), abs=0.02)
    assert middle[1] == pytest.approx(reflected if quality != "draft" else 0.0, abs=0.03)


def test_light_passes_glass_by_its_tint_and_cut_outs_by_their_holes() -> None:
    lamp = (point_light((0.0, 2.0, 0.0), intensity=3.0),)
    ground = plane_scene(half_size_m=3)
    free = 0.5 / np.pi * 3.0 / 4
    pane = Material(name="pane", base_color=(0.5, 0.8, 1.0), transmission=1.0)
    holes = np.full((2, 2, 4), 255, dtype=np.uint8)
    holes[:, :, 3] = 0
    net = Material(name="net", texture=Texture(pixels=holes))
    holes_shut = np.full((2, 2, 4), 255, dtype=np.uint8)
    holes_shut[0, 0, 3] = 0
    shut = Material(name="shut", texture=Texture(pixels=holes_shut))
    expected = {
        pane: free * (1 - 2 * 0.04 / 1.04) * np.array([0.5, 0.8, 1.0]),
        net: free * np.ones(3),
        shut: np.zeros(3),
    }
    for material, value in expected.items():
        quad = make_quad(width_m=1, height_m=1, material=material)
        # the middle of this quad's lower right quarter hangs over the origin
        pose = place(at=(-0.25, 1.5, -0.25), turn_deg=(-90, 0, 0))
        scene = replace(
            ground,
            sky=BLACK_SKY,
            lights=lamp,
            nodes=(*ground.nodes, node("sheet", quad, T_world_object=pose)),
        )
        image = raw(scene, above(1.0, focal_px=4000.0), samples=4, bounces=1)
        np.testing.assert_allclose(image.mean(axis=(0, 1)), value, rtol=2e-3, atol=1e-6)


def test_colours_bleed_from_wall_to_wall_and_no_light_leaks_in() -> None:
    room = box_room(lit=False)
    camera = camera_at((1.0, 1.3, 2.0), (-0.3, 0.9, -1.0), width=24, height=16)
    bright = replace(room, sky=uniform_sky(1000.0))
    assert raw(bright, camera, samples=16).max() == 0.0


@pytest.mark.parametrize("quality", ["draft", "normal", "high"])
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(quality: Quality) -> None:
    camera = camera_at((1.2, 1.4, 2.0), (-0.3, 0.9, -1.0), width=37, height=22, focal_px=25)
    with embree.prepare(box_room()) as engine:
        labels = engine.labels(camera)
        first = engine.radiance(camera, labels, quality=quality, seed=11)
        engine.radiance(camera, labels, quality="normal", seed=5)
        again = engine.radiance(camera, labels, quality=quality, seed=11)
        other = engine.radiance(camera, labels, quality=quality, seed=12)
    with embree.prepare(box_room()) as engine:
        anew = engine.radiance(camera, engine.labels(camera), quality=quality, seed=11)
    assert first.tobytes() == again.tobytes() == anew.tobytes()
    assert first.tobytes() != other.tobytes()
    assert np.isfinite(first).all()
    assert first.min() >= 0


_SCRIPT = """
import hashlib, sys
from analytic_scenes import box_room, camera_at
from scenelift.render.engines import Quality, embree
camera = camera_at((1.2, 1.4, 2.0), (-0.3, 0.9, -1.0), width=37, height=22, focal_px=25)
with embree.prepare(box_room()) as engine:
    image = engine.radiance(camera, engine.labels(camera), quality="normal", seed=2**40)
print(hashlib.sha256(image.tobytes()).hexdigest())
"""


def test_a_second_process_gives_the_same_bytes() -> None:
    camera = camera_at((1.2, 1.4, 2.0), (-0.3, 0.9, -1.0), width=37, height=22, focal_px=25)
    with embree.prepare(box_room()) as engine:
        image = engine.radiance(camera, engine.labels(camera), quality="normal", seed=2**40)
    there = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{_SCRIPT}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    assert there.stdout.split()[-1] == hashlib.sha256(image.tobytes()).hexdigest()


def test_normal_and_high_are_near_the_converged_picture() -> None:
    scene = box_room()
    camera = camera_at((1.6, 1.5, 2.2), (-0.4, 0.8, -1.0), width=64, height=48, focal_px=48)
    with embree.prepare(scene) as engine:
        labels = engine.labels(camera)
        truth, _, _ = take_raw(engine.shot(camera), seed=np.uint32(77), samples=1024)
        normal = engine.radiance(camera, labels, quality="normal", seed=1)
        high = engine.radiance(camera, labels, quality="high", seed=1)
    assert _psnr(normal, truth) > 22
    assert _psnr(high, truth) > 28


def _psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """In sRGB after an exposure that brings the truth's mean to 0.25."""
    gain = 0.25 / truth.mean()
    a, b = ((np.clip(x * gain, 0, 1)) ** (1 / 2.2) for x in (image, truth))
    return float(-10 * np.log10(((a - b) ** 2).mean()))
