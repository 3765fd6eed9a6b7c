import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelift.render.develop import develop, encode_srgb, meter


def patches(*values: float) -> np.ndarray:
    return np.repeat(np.array(values, dtype=np.float32), 3).reshape(1, -1, 3)


def test_srgb_is_the_standard_s_curve() -> None:
    codes = np.arange(256) / 255
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    there = encode_srgb(np.repeat(linear[None, :, None], 3, axis=2))
    assert np.abs(there[0, :, 0].astype(int) - np.arange(256)).max() <= 1


def test_values_outside_are_clipped() -> None:
    assert encode_srgb(patches(-1.0, 5.0))[0, :, 0].tolist() == [0, 255]


@given(st.floats(-8, 8), st.integers(0, 2**32 - 1))
def test_automatic_exposure_undoes_a_change_of_brightness(stops: float, seed: int) -> None:
    scene = np.random.default_rng(seed).gamma(1.0, 1.0, (8, 9, 3)).astype(np.float32)
    one, ev_one = develop(scene)
    other, ev_other = develop((scene * 2.0**stops).astype(np.float32))
    assert ev_one - ev_other == pytest.approx(stops, abs=1e-4)
    assert np.abs(one.astype(int) - other.astype(int)).max() <= 1


def test_a_stop_doubles_linear_light_below_the_shoulder() -> None:
    one, ev = develop(patches(0.1, 0.2), exposure_ev=0.0)
    assert ev == 0.0
    other, ev = develop(patches(0.1, 0.2), exposure_ev=1.0)
    assert ev == 1.0
    assert other[0, 0].tolist() == one[0, 1].tolist()


@given(st.lists(st.floats(0, 1e6, width=32), min_size=2, max_size=40))
def test_brighter_light_never_comes_out_darker(values: list[float]) -> None:
    image, _ = develop(patches(*sorted(values)), exposure_ev=0.0)
    assert (np.diff(image[0, :, 0].astype(int)) >= 0).all()


def test_a_few_lamps_do_not_darken_a_room() -> None:
    room = np.full((50, 50, 3), 0.3, dtype=np.float32)
    lit = room.copy()
    lit[:5, :5] = 500.0
    assert meter(lit) == pytest.approx(meter(room), abs=0.35)


def test_black_is_black_and_every_value_stays_finite() -> None:
    image, exposure = develop(np.zeros((3, 2, 3), dtype=np.float32))
    assert exposure == 0.0
    assert not image.any()
    lone = np.zeros((3, 2, 3), dtype=np.float32)
    lone[0, 0] = 1e30
    image, exposure = develop(lone)
    assert np.isfinite(exposure)
    assert image[0, 0].min() > 0


def test_the_same_radiance_gives_the_same_picture() -> None:
    scene = np.random.default_rng(1).gamma(1.0, 1.0, (8, 9, 3)).astype(np.float32)
    assert develop(scene)[0].tobytes() == develop(scene.copy())[0].tobytes()
