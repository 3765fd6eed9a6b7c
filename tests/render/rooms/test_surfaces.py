import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelift.render.rooms import surfaces
from scenelift.render.rooms.materials.colors import mean_color
from scenelift.render.rooms.surfaces import FAMILIES, Family, make_finish, make_material
from scenelift.render.scene import Material

PLAIN: tuple[Family, ...] = ("chrome", "ceramic", "lacquer", "plastic", "glass", "mirror")
TEXTURED = tuple(family for family in FAMILIES if family not in PLAIN)
OF_TWO_COLORS: tuple[Family, ...] = ("tile", "rug", "print", "wallpaper", "brick")
SEEDS = range(3)


def _made(family: Family, *, seed: int) -> Material:
    return make_material(family, rng=np.random.default_rng(seed))


def _pixels(material: Material) -> np.ndarray:
    assert material.texture is not None
    return material.texture.pixels


@pytest.mark.parametrize("family", TEXTURED)
def test_textures_are_opaque_squares(family: Family) -> None:
    for seed in SEEDS:
        pixels = _pixels(_made(family, seed=seed))
        assert pixels.dtype == np.uint8
        assert pixels.shape[0] == pixels.shape[1]
        assert pixels.shape[0] in (128, 256, 512)
        assert (pixels[..., 3] == 255).all()
        assert pixels[..., :3].std() > 0.4, "a texture shows something"


@pytest.mark.parametrize("family", PLAIN)
def test_smooth_families_have_no_texture(family: Family) -> None:
    assert _made(family, seed=0).texture is None


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("family", TEXTURED)
def test_textures_repeat_without_a_seam(family: Family, axis: int) -> None:
    for seed in SEEDS:
        tone = _pixels(_made(family, seed=seed))[..., :3].mean(axis=2)
        steps = np.abs(np.diff(tone, axis=axis, append=tone.take([0], axis=axis)))
        each = steps.mean(axis=1 - axis)
        assert each[-1] <= 1.05 * each[:-1].max() + 0.2


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_state_gives_the_same_bytes(family: Family) -> None:
    first, second, other = (_made(family, seed=seed) for seed in (5, 5, 6))
    assert first.base_color == second.base_color
    assert first.roughness == second.roughness
    if first.texture is None:
        return
    assert np.array_equal(_pixels(first), _pixels(second))
    assert not np.array_equal(_pixels(first), _pixels(other))


@pytest.mark.parametrize("family", FAMILIES)
def test_colours_are_those_of_interiors(family: Family) -> None:
    for seed in range(8):
        material = _made(family, seed=seed)
        color = np.array(material.base_color)
        if material.texture is not None:
            assert material.base_color == (1.0, 1.0, 1.0)
            color = np.array(mean_color(_pixels(material)))
        assert color.min() > 0.003
        assert color.max() < 0.97


@pytest.mark.parametrize("family", [f for f in TEXTURED if f not in OF_TWO_COLORS])
@settings(max_examples=10, deadline=None)
@given(color=st.tuples(*[st.floats(0.03, 0.7)] * 3), seed=st.integers(0, 99))
def test_the_mean_reflectance_is_the_colour_asked_for(
    family: Family, color: tuple[float, float, float], seed: int
) -> None:
    material = make_material(family, rng=np.random.default_rng(seed), color=color)
    assert np.allclose(mean_color(_pixels(material)), color, atol=0.02, rtol=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_gloss_is_in_range(family: Family) -> None:
    for seed in SEEDS:
        material = _made(family, seed=seed)
        assert 0.0 <= material.roughness <= 1.0
        assert 0.0 <= material.metallic <= 1.0
        assert material.emission == (0.0, 0.0, 0.0)
        assert material.is_glass == (family == "glass")
        assert material.is_mirror == (family == "mirror")


def test_polished_things_are_glossier_than_cloth() -> None:
    cloth = max(_made(family, seed=0).roughness for family in ("fabric", "carpet", "rug"))
    for family in ("tile", "parquet", "marble", "ceramic", "wood"):
        assert _made(family, seed=0).roughness < cloth - 0.3


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_period(family: Family) -> None:
    finish = make_finish(family, rng=np.random.default_rng(0))
    assert finish.period_m == surfaces.texture_period_m(family)
    assert 0.1 < finish.period_m < 3.0


def test_floors_of_boards_show_boards() -> None:
    variances = []
    for seed in range(6):
        tone = _pixels(_made("laminate", seed=seed))[..., :3].mean(axis=2)
        variances.append(tone.mean(axis=0).std() / (tone.std() + 1e-9))
    assert np.median(variances) > 0.3, "boards run along the columns"
