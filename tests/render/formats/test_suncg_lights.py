import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelift.render.formats.suncg.lights import (
    ModelLight,
    light_entry,
    parse_glowing,
    parse_model_lights,
    place_light,
)
from scenelift.render.scene import SceneError

POINT = {"type": "PointLight", "power": 60, "color": "#ffffff", "position": [1, 2, 3]}


def parse(**changes: Any) -> ModelLight:
    ((light,),) = parse_model_lights({"7": [POINT | changes]}, where="l.json").values()
    return light


@given(power_w=st.floats(0, 1000), cone_rad=st.floats(0.1, 3.1))
def test_the_flux_is_the_power(power_w: float, cone_rad: float) -> None:
    """Intensity times the solid angle that is lit."""
    point = place_light(parse(power=power_w), np.eye(4), name="", room=None)
    assert point.intensity[0] * 4 * math.pi == pytest.approx(power_w)
    light = parse(type="SpotLight", power=power_w, cutoffAngle=cone_rad, direction=[0, -1, 0])
    spot = place_light(light, np.eye(4), name="", room=None)
    assert spot.intensity[0] * 2 * math.pi * (1 - math.cos(cone_rad)) == pytest.approx(power_w)


@given(scale=st.floats(0.1, 10))
def test_a_stretched_line_keeps_its_power(scale: float) -> None:
    light = parse(type="LineLight", position=[0, 0, 0], position2=[0, 0, 2])
    line = place_light(light, np.diag([1, 1, scale, 1.0]), name="", room=None)
    length = math.dist(line.position_world, line.end_world)
    assert length == pytest.approx(2 * scale)
    assert line.intensity[0] * length * 4 * math.pi == pytest.approx(60)


def test_a_line_without_length_is_a_point() -> None:
    light = parse(type="LineLight", position2=[1, 2, 3])
    assert place_light(light, np.eye(4), name="", room=None).kind == "point"


@given(seed=st.integers(0, 2**32 - 1))
def test_writing_undoes_reading(seed: int) -> None:
    rng = np.random.default_rng(seed)
    T_world_object = np.eye(4)
    T_world_object[:3] = rng.normal(size=(3, 4)) + 2 * np.eye(3, 4)
    if abs(np.linalg.det(T_world_object)) < 0.1:
        return
    light = parse(
        type="SpotLight", direction=rng.normal(size=3).tolist(), color="#ff8040", cutoffAngle=0.5
    )
    placed = place_light(light, T_world_object, name="a", room=None)
    entry = light_entry(placed, model="7", T_world_object=T_world_object)
    ((again,),) = parse_model_lights({"7": [entry]}, where="").values()
    back = place_light(again, T_world_object, name=again.name, room=None)
    np.testing.assert_allclose(back.position_world, placed.position_world, atol=1e-9)
    np.testing.assert_allclose(back.direction_world, placed.direction_world, atol=1e-9)
    np.testing.assert_allclose(back.intensity, placed.intensity, rtol=1e-2)
    assert back.name == "a"
    assert back.cone_rad == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"type": "Laser"}, "Laser"),
        ({"type": None}, "'type' is missing"),
        ({"power": -1}, "power"),
        ({"power": "60"}, "power"),
        ({"color": "red"}, "#rrggbb"),
        ({"position": [1, 2]}, "position"),
        ({"type": "SpotLight"}, "'direction' is missing"),
        ({"type": "SpotLight", "direction": [0, 1, 0], "cutoffAngle": 9}, "cutoffAngle"),
        ({"type": "LineLight"}, "'position2' is missing"),
    ],
)
def test_malformed_lights(changes: Any, says: str) -> None:
    with pytest.raises(SceneError, match=says) as caught:
        parse(**changes)
    assert "l.json" in str(caught.value)
    assert "'7'" in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"7",
        b"7 1",
        b"7 1 a",
        b"7 2 a 0",
        b"7 1 a 1",
        b"7 -1 a 0",
        b"7 x 0",
        b"7 0 0 a",
        b"7 99999999999 a 0",
    ],
)
def test_malformed_lines_of_glowing_materials(line: bytes) -> None:
    with pytest.raises(SceneError, match=r"l\.txt: line 2"):
        parse_glowing(b"106 0 0\n" + line, where="l.txt")
