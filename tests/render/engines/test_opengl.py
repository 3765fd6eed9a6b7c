"""The OpenGL engine against the Open3D engine and closed forms."""

import importlib.util
import sys
from dataclasses import replace

import numpy as np
import pytest
from analytic_scenes import (
    BLACK_SKY,
    box_room,
    camera_at,
    make_quad,
    node,
    place,
    plane_scene,
    point_light,
    uniform_sky,
    with_lights,
)

from scenelift.render.camera import Camera
from scenelift.render.engines import EngineError, embree
from scenelift.render.engines import opengl as engine
from scenelift.render.scene import Light, Material, Scene, Texture


def _works() -> bool:
    if importlib.util.find_spec("pyrender") is None:
        return False
    try:
        engine._renderer()
    except EngineError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _works(), reason="pyrender gets no OpenGL context here")
CAMERA = camera_at((0.0, 2.0, 0.5), (0.0, 0.0, 0.0))


@pytest.fixture(autouse=True)
def without_ambient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "AMBIENT", 0.0)


def _draw(scene: Scene, camera: Camera = CAMERA) -> np.ndarray:
    with engine.prepare(scene) as prepared:
        labels = prepared.labels(camera)
        return prepared.radiance(camera, labels, quality="normal", seed=0)


def test_labels_are_those_of_the_default_engine() -> None:
    camera = camera_at((0.0, 1.5, 2.0), (0.0, 1.0, 0.0))
    with engine.prepare(box_room()) as ours, embree.prepare(box_room()) as default:
        mine, theirs = ours.labels(camera), default.labels(camera)
    assert mine.z_depth_m.tobytes() == theirs.z_depth_m.tobytes()
    assert mine.instance.tobytes() == theirs.instance.tobytes()


@pytest.mark.parametrize("height_m", [1.0, 4.0])
def test_a_point_light_above_a_grey_floor(height_m: float) -> None:
    scene = with_lights(plane_scene(), point_light((0.0, height_m, 0.0), intensity=10.0))
    middle = _draw(scene)[23:25, 31:33].mean()
    assert middle == pytest.approx(10 * 0.5 / np.pi / height_m**2, rel=0.15)


@pytest.mark.parametrize("angle_deg", [0, 180])
def test_both_sides_of_a_surface_are_lit(angle_deg: float) -> None:
    floor = plane_scene().nodes[0]
    turned = replace(floor, T_world_object=place(turn_deg=(-90.0 + angle_deg, 0.0, 0.0)))
    scene = with_lights(
        Scene(name="floor", nodes=(turned,)), point_light((0.0, 2.0, 0.0), intensity=8.0)
    )
    assert _draw(scene)[24, 32, 0] == pytest.approx(8 / 4 * 0.5 / np.pi, rel=0.15)


def test_of_many_lights_the_strongest_count() -> None:
    weak = [point_light((0.1 * i, 2.0, 0.0), intensity=0.01) for i in range(6)]
    strong = point_light((0.0, 2.0, 0.0), intensity=10.0)
    alone = _draw(with_lights(plane_scene(), strong))
    among = _draw(with_lights(plane_scene(), *weak, strong))
    np.testing.assert_allclose(among.mean(), alone.mean(), rtol=0.05)


def test_sun_and_spot_shine_along_their_direction() -> None:
    sun = Light(kind="sun", intensity=(1.0, 2.0, 4.0), direction_world=(0.0, -1.0, 0.0))
    color = _draw(with_lights(plane_scene(), sun))[24, 32]
    np.testing.assert_allclose(color, np.array([1, 2, 4]) * 0.5 / np.pi, rtol=0.1)
    spot = Light(
        kind="spot",
        intensity=(9.0, 9.0, 9.0),
        position_world=(0.0, 1.0, 0.0),
        direction_world=(0.0, -1.0, 0.0),
        cone_rad=0.2,
    )
    image = _draw(with_lights(plane_scene(), spot))
    assert image[24, 32, 0] > 5 * image[24, 2, 0]


def test_a_texture_lies_the_right_way_up() -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0, 0, :3] = 255
    material = Material(name="print", base_color=(1.0, 1.0, 1.0), texture=Texture(pixels=pixels))
    picture = node("picture", make_quad(material=material))
    lamp = point_light((0.0, 0.0, 2.0), intensity=10.0)
    image = _draw(
        with_lights(Scene(name="picture", nodes=(picture,)), lamp),
        camera_at((0.0, 0.0, 2.0), (0.0, 0.0, 0.0)),
    )
    left_top, right_top = image[18, 26].mean(), image[18, 38].mean()
    left_low = image[30, 26].mean()
    assert left_top > 10 * max(right_top, left_low)


def test_a_glowing_panel_shows_its_radiance_and_the_sky_its_own() -> None:
    glow = Material(name="glow", base_color=(0.0, 0.0, 0.0), emission=(0.5, 0.5, 0.5))
    panel = node(
        "panel", make_quad(material=glow), T_world_object=place(turn_deg=(-90.0, 0.0, 0.0))
    )
    floor = plane_scene(y_m=-1.0, half_size_m=3.0).nodes[0]
    scene = Scene(name="panel", nodes=(floor, panel), sky=uniform_sky(0.25))
    sun = Light(kind="sun", intensity=(2.0, 2.0, 2.0))
    camera = camera_at((0.0, 1.0, 4.0), (0.0, 0.0, 0.0))
    image = _draw(with_lights(scene, sun), camera)
    assert image[24, 32, 0] == pytest.approx(0.5, rel=0.1)
    assert image[0, 0, 0] == pytest.approx(0.25, rel=1e-6)


def test_darkness_is_black_and_every_size_follows_another() -> None:
    dark = replace(plane_scene(), sky=BLACK_SKY)
    for width, height in ((40, 30), (96, 64), (33, 17)):
        image = _draw(dark, camera_at((0.0, 2.0, 0.5), (0.0, 0.0, 0.0), width=width, height=height))
        assert image.shape == (height, width, 3)
        assert (image == 0).all()


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrender", None)
    with pytest.raises(EngineError, match="pip install pyrender"):
        engine.prepare(box_room())
