"""Patches are the squares that were asked for, channel by channel, and what is random hangs on the sample alone."""

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.network_input import LIGHTNESS_INPUT, InputNormalisation
from scenelift.adapt.pretext.aberration import (
    PROJECTION,
    colour_matrices,
    mix_colours,
    shift_channels,
)
from scenelift.adapt.pretext.patches import cut_patches, draws, scale_of, whole_numbers
from scenelift.adapt.pretext.permutations import distant_permutations
from scenelift.adapt.pretext.pixelation import pixelate, resampling


def numbered(count: int, *, height: int, width: int) -> Float[Tensor, "n 3 h w"]:
    """Pictures in which every value is its own place."""
    return torch.arange(count * 3 * height * width).view(count, 3, height, width).float()


@pytest.mark.parametrize("memory", [torch.contiguous_format, torch.channels_last])
def test_each_patch_is_the_square_at_its_place(memory: torch.memory_format) -> None:
    pictures = numbered(2, height=9, width=11).contiguous(memory_format=memory)
    top, left = torch.tensor([[0, 4, 5], [3, 1, 0]]), torch.tensor([[7, 0, 2], [1, 6, 0]])
    patches = cut_patches(pictures, top_px=top, left_px=left, side_px=4)
    assert patches.shape == (2, 3, 3, 4, 4)
    for n in range(2):
        for p in range(3):
            y, x = int(top[n, p]), int(left[n, p])
            assert torch.equal(patches[n, p], pictures[n, :, y : y + 4, x : x + 4])


def test_channels_are_cut_where_their_shift_says() -> None:
    pictures = numbered(1, height=8, width=8)
    shift = torch.tensor([[[[0, 0], [1, -2], [-1, 2]]]])
    patches = cut_patches(
        pictures, top_px=torch.tensor([[3]]), left_px=torch.tensor([[2]]), side_px=3, shift_px=shift
    )
    for channel, (down, right) in enumerate(shift[0, 0].tolist()):
        rows, columns = slice(3 + down, 6 + down), slice(2 + right, 5 + right)
        assert torch.equal(patches[0, 0, channel], pictures[0, channel, rows, columns])


def test_draws_hang_on_the_sample_alone_and_are_even() -> None:
    seeds = torch.arange(2000) * 7919 + 5
    numbers = draws(seeds, count=12, salt=3)
    assert torch.equal(draws(seeds[40:50], count=12, salt=3), numbers[40:50])
    assert abs(float(numbers.mean()) - 0.5) < 0.01
    together = np.corrcoef(numbers.numpy().T) - np.eye(12)
    assert np.abs(together).max() < 0.1
    whole = whole_numbers(numbers, least=-2, greatest=2)
    counts = torch.bincount(whole.flatten() + 2, minlength=5)
    assert counts.shape == (5,)
    assert float(counts.max() / counts.min()) < 1.1


def test_the_greatest_of_the_draws_stays_in_range() -> None:
    most = torch.tensor([1 - 2.0**-24])
    assert whole_numbers(most, least=0, greatest=9999).item() == 9999


def test_projection_takes_green_against_magenta_away_and_nothing_else() -> None:
    matrix = torch.tensor(PROJECTION)
    axis = torch.tensor([-1.0, 2.0, -1.0])
    torch.testing.assert_close(matrix @ axis, torch.zeros(3))
    for kept in ([1.0, 1.0, 1.0], [1.0, 0.0, -1.0]):
        torch.testing.assert_close(matrix @ torch.tensor(kept), torch.tensor(kept))


def test_grey_goes_before_projection_and_both_before_nothing() -> None:
    yes, no = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    pictures = torch.rand(4, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    mixed = mix_colours(pictures, colour_matrices(grey=yes, projected=no, like=pictures))
    assert torch.equal(mixed[3], pictures[3])
    for row in (0, 1):
        torch.testing.assert_close(mixed[row, 0], mixed[row, 2])
        red, green, blue = pictures[row]
        torch.testing.assert_close(mixed[row, 1], 0.299 * red + 0.587 * green + 0.114 * blue)
    red, green, blue = mixed[2]
    torch.testing.assert_close(2 * green, red + blue)
    assert not torch.allclose(red, blue)


def test_channels_shift_alone_and_not_where_they_stand_still() -> None:
    shares = draws(torch.arange(500), count=54, salt=0).view(500, 9, 6)
    still = torch.arange(500) < 250
    moved = shift_channels(shares, most_px=2, still=still)
    assert not moved[still].any()
    free = moved[~still].reshape(-1, 6)
    assert free.unique().tolist() == [-2, -1, 0, 1, 2]
    together = np.corrcoef(free.numpy().T) - np.eye(6)
    assert np.abs(together).max() < 0.1


@pytest.mark.parametrize("fewer", [1, 3, 7, 12])
def test_resampling_keeps_brightness_and_as_many_dimensions_as_pixels(fewer: int) -> None:
    matrix = resampling(torch.tensor([fewer]), side=12)[0]
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(12))
    assert torch.linalg.matrix_rank(matrix) == fewer
    if fewer == 12:
        torch.testing.assert_close(matrix, torch.eye(12))


def test_resampling_is_area_down_and_linear_up() -> None:
    row = torch.tensor([0.0, 2.0, 10.0, 12.0])
    coarse = (
        resampling(torch.tensor([2]), side=4)[0] @ row
    )  # means 1 and 11, with centres at 1 and 3
    torch.testing.assert_close(coarse, torch.tensor([1.0, 3.5, 8.5, 11.0]))


def test_pixelation_leaves_the_others_alone() -> None:
    patches = torch.rand(3, 2, 3, 10, 10, generator=torch.Generator().manual_seed(0))
    chosen = torch.tensor([[True, False], [False, True], [False, False]])
    share = torch.zeros(3, 2)
    coarse = pixelate(patches, chosen=chosen, share=share, least_pixels=0.04)
    assert torch.equal(coarse[~chosen], patches[~chosen])
    assert bool((torch.linalg.matrix_rank(coarse[chosen], tol=1e-4) <= 2).all())


def test_patches_look_like_pictures_to_the_network_that_reads_them() -> None:
    plain = InputNormalisation(mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0))
    assert scale_of(plain) == pytest.approx(0.226, abs=1e-3)
    assert scale_of(LIGHTNESS_INPUT) == pytest.approx(0.452, abs=2e-3)


@pytest.mark.parametrize(("count", "least"), [(10, 7), (100, 6)])
def test_permutations_are_far_apart(count: int, least: int) -> None:
    chosen = distant_permutations(count)
    assert np.array_equal(np.sort(chosen, axis=1), np.tile(np.arange(9), (count, 1)))
    distances = (chosen[:, None] != chosen[None]).sum(axis=2)[np.triu_indices(count, 1)]
    assert distances.min() >= least
    assert distances.mean() > 8.05
    assert np.array_equal(distant_permutations.__wrapped__(count), chosen)


def test_more_permutations_begin_with_the_fewer() -> None:
    assert np.array_equal(distant_permutations(100)[:10], distant_permutations(10))


@pytest.mark.parametrize("count", [1, 10_001])
def test_the_number_of_permutations_is_bounded(count: int) -> None:
    with pytest.raises(ValueError, match=f"from 2 to 10000, got {count}"):
        distant_permutations(count)
