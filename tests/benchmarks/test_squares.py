"""Squares cover any picture, and what they say is put back in its place."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelift.benchmarks.squares import square_starts, through_squares


@given(side=st.integers(1, 60), more=st.integers(0, 200))
def test_squares_cover_a_length_evenly_and_none_is_spare(side: int, more: int) -> None:
    starts = square_starts(side + more, side=side)
    assert starts[0] == 0
    assert starts[-1] == more
    gaps = [b - a for a, b in itertools.pairwise(starts)]
    assert all(0 < gap <= side for gap in gaps)
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
    assert (len(starts) - 1) * side < side + more


@settings(max_examples=30, deadline=None)
@given(height=st.integers(7, 30), width=st.integers(7, 30))
def test_what_depends_on_the_pixel_alone_comes_back_whole(height: int, width: int) -> None:
    inputs = torch.rand(2, 3, height, width, generator=torch.Generator().manual_seed(height))
    maps = through_squares(lambda x: {"twice": 2 * x, "first": x[:, :1]}, inputs, side=7)
    torch.testing.assert_close(maps["twice"], 2 * inputs)
    torch.testing.assert_close(maps["first"], inputs[:, :1])


def test_overlaps_are_blended_from_one_square_to_the_other() -> None:
    """Two squares over 12 pixels, the first says 0 and the second 1: from 0 to 1 without a step."""
    calls = iter([0.0, 1.0])

    def answer(x: torch.Tensor) -> dict[str, torch.Tensor]:
        assert tuple(x.shape) == (1, 3, 8, 8)
        return {"which": torch.full((1, 1, 8, 8), next(calls))}

    row = through_squares(answer, torch.zeros(1, 3, 8, 12), side=8)["which"][0, 0, 3]
    assert row[:4].tolist() == [0] * 4
    assert row[8:].tolist() == [1] * 4
    torch.testing.assert_close(row[4:8], torch.tensor([0.125, 0.375, 0.625, 0.875]))


def test_a_picture_smaller_than_a_square_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no square of 8"):
        through_squares(lambda x: {"x": x}, torch.zeros(1, 3, 8, 7), side=8)
