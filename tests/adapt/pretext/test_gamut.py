"""Bins of colour, their encoding and rebalancing, the counted prior, and the grid of targets."""

import math

import pytest
import torch
from torch import Tensor

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.method import Clock
from scenelift.adapt.network_input import to_lab
from scenelift.adapt.pretext.counted_prior import CountedPrior
from scenelift.adapt.pretext.gamut import (
    SoftBins,
    cross_entropy,
    decode,
    encode,
    gamut_bins,
    rebalance,
    smooth,
)
from scenelift.adapt.pretext.target_grid import on_grid, pooled

PUBLISHED = {
    -90: (50, 90), -80: (20, 90), -70: (0, 90), -60: (-20, 90), -50: (-30, 100), -40: (-40, 100), -30: (-50, 100),
    -20: (-50, 100), -10: (-60, 100), 0: (-70, 100), 10: (-80, 90), 20: (-80, 90), 30: (-90, 90), 40: (-100, 90),
    50: (-100, 80), 60: (-110, 80), 70: (-110, 80), 80: (-110, 70), 90: (-110, 70), 100: (-90, 0),
}  # fmt: skip
"""Least and greatest b* of the published bins for each a*."""


def as_set(bins: Tensor) -> set[tuple[int, int]]:
    return {(round(float(a)), round(float(b))) for a, b in bins}


def test_there_are_313_bins_and_nearly_all_are_the_published_ones() -> None:
    published = {(a, b) for a, (low, high) in PUBLISHED.items() for b in range(low, high + 1, 10)}
    assert len(published) == 313
    ours = as_set(gamut_bins())
    assert len(ours) == len(gamut_bins()) == 313
    assert len(ours & published) == 310


def test_every_colour_has_a_bin_within_its_square() -> None:
    """A regular sample of the whole cube, not that of the faces."""
    axis = torch.linspace(0, 1, 40)
    colours = torch.cartesian_prod(axis, axis, axis).T[None, :, :, None].contiguous()
    ab = to_lab(colours)[0, 1:, :, 0].T
    squares = as_set((ab / 10).round() * 10)
    assert 240 < len(squares) <= 261
    assert squares <= as_set(gamut_bins())


def test_encoding_by_hand() -> None:
    bins = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [50.0, 50.0]])
    ab = torch.tensor([2.0, 1.0]).view(1, 2, 1, 1)
    soft = encode(ab, bins=bins, nearest=3, sigma=5.0)
    weight = torch.tensor([math.exp(-square / 50) for square in (5.0, 65.0, 85.0)])
    assert soft.index.flatten().tolist() == [0, 1, 2]
    torch.testing.assert_close(soft.weight.flatten(), weight / weight.sum())


def test_colours_far_from_all_bins_are_encoded_too() -> None:
    soft = encode(torch.full((1, 2, 1, 1), 1e4), bins=gamut_bins())
    assert bool(soft.weight.isfinite().all())
    torch.testing.assert_close(soft.weight.sum(dim=1), torch.ones(1, 1, 1))


def dense(soft: SoftBins, count: int) -> Tensor:
    n, _, h, w = soft.index.shape
    return torch.zeros(n, count, h, w).scatter_(1, soft.index, soft.weight)


def test_what_is_encoded_is_decoded_and_heat_moves_it_from_mode_to_mean() -> None:
    generator = torch.Generator().manual_seed(0)
    ab = torch.rand(2, 2, 3, 4, generator=generator) * 60 - 30
    bins = gamut_bins()
    target = dense(encode(ab, bins=bins), len(bins))
    mean = decode((target + 1e-30).log(), bins=bins, temperature=1.0)
    assert (mean - ab).abs().max() < 2.0
    mode = decode((target + 1e-30).log(), bins=bins, temperature=0.01)
    nearest = bins[encode(ab, bins=bins).nearest].movedim(-1, 1)
    far = (ab - nearest).abs().amax(dim=1) < 4.5  # not half way between two bins
    assert (mode - nearest).abs().amax(dim=1)[far].max() < 1.0


def test_cross_entropy_is_that_of_the_dense_distributions() -> None:
    generator = torch.Generator().manual_seed(0)
    bins = gamut_bins()
    ab = torch.rand(2, 2, 3, 4, generator=generator) * 100 - 50
    logits = torch.randn(2, len(bins), 3, 4, generator=generator)
    soft = encode(ab, bins=bins, nearest=5)
    expected = -(dense(soft, len(bins)) * logits.log_softmax(dim=1)).sum(dim=1)
    torch.testing.assert_close(cross_entropy(logits, soft), expected)


@pytest.mark.parametrize("uniform_share", [0.1, 0.5, 1.0])
def test_factors_are_one_on_average_and_rare_colours_weigh_more(uniform_share: float) -> None:
    prior = torch.rand(313, generator=torch.Generator().manual_seed(0)) ** 8
    prior = prior / prior.sum()
    factor = rebalance(prior, uniform_share=uniform_share)
    torch.testing.assert_close((prior * factor).sum(), torch.tensor(1.0))
    rising = factor[prior.argsort()]
    assert bool((rising.diff() <= 1e-6).all())
    assert (factor.max() / factor.min() > 1.5) == (uniform_share < 1)


def test_smoothing_keeps_the_sum_and_reaches_the_neighbours() -> None:
    bins = gamut_bins()
    one = (bins.abs().sum(dim=1) == 0).float()
    spread = smooth(one, bins=bins, sigma=5.0)
    torch.testing.assert_close(spread.sum(), torch.tensor(1.0))
    beside = spread[((bins - torch.tensor([10.0, 0.0])).abs().sum(dim=1) == 0)]
    assert float(beside / spread.max()) == pytest.approx(math.exp(-2), rel=1e-3)


def test_the_prior_counts_while_it_may_and_then_stays() -> None:
    prior = CountedPrior(3, steps=2)
    assert prior.probability().tolist() == pytest.approx([1 / 3] * 3)
    for step in range(4):
        prior.count(torch.tensor([[0, 0], [2, 0]]), clock=Clock(step=step, steps=4))
    assert prior.counts.tolist() == [6, 0, 2]
    assert prior.probability().tolist() == [0.75, 0, 0.25]
    other = CountedPrior(3, steps=2)
    other.load_state_dict(prior.state_dict())
    assert other.counts.tolist() == [6, 0, 2]
    with pytest.raises(ValueError, match="prior_steps must be at least 1"):
        CountedPrior(3, steps=0)


@pytest.mark.parametrize(("name", "layer"), [("alexnet-small", "fc7"), ("vgg16", "conv5")])
def test_answers_land_where_they_belong(name: str, layer: str) -> None:
    """A map that holds the place it stands for gives each target its own place, up to the map's ends."""
    backbone = build_backbone(name, generator=torch.Generator())
    first = 16.0 if backbone.unseen_border else 8.0
    places = (first + 16 * torch.arange(6.0)).expand(1, 1, 6, 6)
    size = (14, 12)
    across = on_grid(
        places, backbone=backbone, layer=backbone.layer(layer), target_stride=8, size=size
    )
    down = on_grid(
        places.mT, backbone=backbone, layer=backbone.layer(layer), target_stride=8, size=size
    )
    rows, columns = (8 * torch.arange(float(count)) + 4 for count in size)
    ends = (first, first + 80)
    torch.testing.assert_close(across[0, 0], columns.clamp(*ends).expand(14, 12))
    torch.testing.assert_close(down[0, 0], rows.clamp(*ends)[:, None].expand(14, 12))


def test_targets_are_means_of_squares() -> None:
    values = torch.arange(20.0).view(1, 1, 4, 5)
    assert pooled(values, stride=2).flatten().tolist() == [3, 5, 13, 15]
    with pytest.raises(ValueError, match="target_stride 8 needs pictures of at least"):
        pooled(values, stride=8)
