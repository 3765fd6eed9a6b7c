import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelift.render.rooms.materials import colors, patterns
from scenelift.render.rooms.materials.noise import Kind, noise

KINDS: tuple[Kind, ...] = ("cloud", "fog", "blotch", "grain", "brushed", "speck", "white")


@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_normed(kind: Kind) -> None:
    for seed in range(6):
        field = noise(kind, size=128, rng=np.random.default_rng(seed))
        assert field.dtype == np.float32
        assert abs(field.mean()) < 0.05
        assert 0.85 < field.std() < 1.05
        assert np.abs(field).max() <= 3.0


def test_wood_grain_is_stretched_along_the_columns() -> None:
    field = noise("grain", size=256, rng=np.random.default_rng(0))
    down, across = (np.abs(np.diff(field, axis=axis)).mean() for axis in (0, 1))
    assert down < across / 3


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("ratio", [3, 4])
def test_herringbone_boards_are_all_alike(ratio: int, repeats: int) -> None:
    count = 2 * ratio * repeats
    size = 8 * count
    cells = patterns.herringbone(size=size, ratio=ratio, repeats=repeats, gap=1.0)
    boards, pixels = np.unique(cells.index, return_counts=True)
    assert len(boards) == count * count // ratio
    assert (pixels == 64 * ratio).all()
    assert (cells.turned == 1).mean() == pytest.approx(0.5)


@pytest.mark.parametrize(("rows", "columns", "stagger"), [(4, 4, 0.0), (4, 2, 0.5), (12, 6, 0.5)])
def test_tiles_are_counted(rows: int, columns: int, stagger: float) -> None:
    cells = patterns.tiles(size=192, rows=rows, columns=columns, stagger=stagger, gap=2.0)
    assert len(np.unique(cells.index)) == rows * columns
    assert 0.0 < cells.joint.mean() < 0.5
    assert cells.joint[0].min() > 0.4, "a joint runs along the seam"


@settings(deadline=None)
@given(st.integers(2, 12), st.integers(1, 4), st.integers(0, 99))
def test_boards_fill_the_floor(rows: int, per_row: int, seed: int) -> None:
    cells = patterns.boards(
        size=128, rows=rows, per_row=per_row, rng=np.random.default_rng(seed), gap=1.0
    )
    assert cells.index.shape == cells.joint.shape == (128, 128)
    assert set(np.unique(cells.index)) == set(range(rows * per_row))


def test_each_cell_has_one_tone() -> None:
    cells = patterns.tiles(size=64, rows=4, columns=4, stagger=0.0, gap=1.0)
    tone = patterns.per_cell(cells, rng=np.random.default_rng(0), spread=1.0)
    for index in range(16):
        assert np.ptp(tone[cells.index == index]) == 0
    assert len(np.unique(tone)) == 16


@pytest.mark.parametrize("name", [*patterns.MOTIFS, "scales"])
def test_motifs_are_masks_that_repeat(name: str) -> None:
    for seed in range(4):
        mask = patterns.motif(name, size=128, rng=np.random.default_rng(seed))
        assert mask.shape == (128, 128)
        assert mask.min() >= -1e-6
        assert mask.max() <= 1 + 1e-6
        assert 0.01 < mask.mean() < 0.95
        inner = np.abs(np.diff(mask, axis=1)).mean(axis=0).max()
        assert np.abs(mask[:, 0] - mask[:, -1]).mean() <= inner + 1e-6


def test_an_unknown_motif_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown motif 'tartan'"):
        patterns.motif("tartan", size=16, rng=np.random.default_rng(0))


@settings(deadline=None)
@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20))
def test_srgb_round_trip(values: list[float]) -> None:
    array = np.array(values)
    assert np.allclose(colors.srgb_from_linear(colors.linear_from_srgb(array)), array, atol=1e-6)


@settings(deadline=None)
@given(st.tuples(*[st.floats(0.05, 0.6)] * 3), st.integers(0, 20), st.floats(0.0, 0.4))
def test_tinting_keeps_the_mean(
    color: tuple[float, float, float], seed: int, contrast: float
) -> None:
    tone = (0.4 * noise("cloud", size=64, rng=np.random.default_rng(seed))).astype(np.float32)
    image = colors.tinted(tone, color=color, contrast=contrast, warmth=0.1)
    assert np.allclose(colors.mean_color(image), color, atol=0.02)


def test_lighter_tones_are_lighter() -> None:
    tone = np.linspace(-1, 1, 64, dtype=np.float32).reshape(8, 8)
    image = colors.tinted(tone, color=(0.3, 0.3, 0.3), contrast=0.3).reshape(-1, 4)
    assert (np.diff(image[:, 0].astype(int)) >= 0).all()
    assert image[-1, 0] > image[0, 0] + 30


def test_blending_shows_low_at_0_and_high_at_1() -> None:
    low, high = np.full((2, 2, 4), 10, np.uint8), np.full((2, 2, 4), 250, np.uint8)
    mask = np.array([[0.0, 1.0], [0.5, 2.0]], np.float32)
    assert colors.blended(mask, low=low, high=high)[..., 0].tolist() == [[10, 250], [130, 250]]


def test_shifting_a_colour_by_nothing_keeps_it() -> None:
    assert np.allclose(colors.shifted((0.2, 0.4, 0.1)), (0.2, 0.4, 0.1), atol=1e-9)


@settings(deadline=None)
@given(st.integers(0, 200))
def test_sampled_colours_are_near_their_palette(seed: int) -> None:
    color = colors.sample_color(("808080",), rng=np.random.default_rng(seed))
    assert np.ptp(color) < 1e-9
    assert 0.16 < color[0] < 0.28
