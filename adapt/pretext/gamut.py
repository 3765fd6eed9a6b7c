"""The colours that are told apart: bins of a*b*, soft encoding, decoding and rebalancing (Zhang et al., ECCV 2016).

Bins are the points of a grid of 10 units. 261 of their squares hold a colour of sRGB. The published 313 are these and a ring
around them (they are a set of 235 points, each with its eight neighbours), which soft encoding needs: a colour at the edge of
the gamut spreads over bins on either side. Here a bin is kept if a colour of sRGB lies within a diagonal step of the grid,
10 sqrt(2) units, of it: a reach chosen because it gives 313 too, of which 310 are the published ones.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from scenelift.adapt.network_input import to_lab

STEP = 10.0
"""Units of a* and b* from one bin to the next."""
_REACH = 110
"""The grid's end, as published; no colour of sRGB has |a*| or |b*| beyond 108."""
_SAMPLES = 33
"""Colours along an edge of the cube of sRGB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftBins:
    """Colours as weights of their nearest bins, the nearest first."""

    index: Int64[Tensor, "n k h w"]
    weight: Float32[Tensor, "n k h w"]
    """Adds up to 1 over k."""

    @property
    def nearest(self) -> Int64[Tensor, "n h w"]:
        """The bin of each colour."""
        return self.index[:, 0]


def gamut_bins() -> Float32[Tensor, "q 2"]:
    """Return a* and b* of the 313 bins, by rising a* and then b*.

    >>> tuple(gamut_bins().shape)
    (313, 2)
    """
    axis = torch.arange(-_REACH, _REACH + 1, STEP)
    grid = torch.cartesian_prod(axis, axis)
    distances = torch.cdist(grid, _gamut_edge(), compute_mode="donot_use_mm_for_euclid_dist")
    return grid[distances.amin(dim=1) <= math.sqrt(2) * STEP]


def _gamut_edge() -> Float32[Tensor, "m 2"]:
    """Return a* and b* of colours all over the six faces of sRGB; each colour within shares its a* and b* with one of these."""
    axis = torch.linspace(0, 1, _SAMPLES)
    side = torch.cartesian_prod(axis, axis)
    faces = [
        torch.cat([side[:, :at], torch.full((len(side), 1), end), side[:, at:]], dim=1)
        for at in range(3)
        for end in (0.0, 1.0)
    ]
    colours = torch.cat(faces).T[None, :, :, None].contiguous()
    return to_lab(colours)[0, 1:, :, 0].T.contiguous()


def encode(
    ab: Float[Tensor, "n 2 h w"],
    *,
    bins: Float[Tensor, "q 2"],
    nearest: int = 10,
    sigma: float = 5.0,
) -> SoftBins:
    """Spread each colour over its nearest bins by a Gaussian of its distance to them.

    Args:
        ab: a* and b*.
        bins: As `gamut_bins` gives them.
        nearest: How many bins.
        sigma: Standard deviation in units of a* and b*.
    """
    a, b = ab.float().unbind(dim=1)
    squares = (a[..., None] - bins[:, 0]) ** 2 + (b[..., None] - bins[:, 1]) ** 2
    found = squares.topk(nearest, dim=-1, largest=False)
    # The nearest bin's distance is taken off before the exponential, so that no colour is lost to underflow.
    weight = torch.softmax(-found.values / (2 * sigma**2), dim=-1)
    return SoftBins(index=found.indices.movedim(-1, 1), weight=weight.movedim(-1, 1))


def cross_entropy(logits: Float[Tensor, "n q h w"], target: SoftBins) -> Float32[Tensor, "n h w"]:
    """Return the cross entropy of each pixel in nats."""
    told = torch.log_softmax(logits.float(), dim=1).gather(1, target.index)
    return -(target.weight * told).sum(dim=1)


def decode(
    logits: Float[Tensor, "n q h w"], *, bins: Float[Tensor, "q 2"], temperature: float = 0.38
) -> Float32[Tensor, "n 2 h w"]:
    """Return the annealed mean colour: the mean of the distribution sharpened by a temperature (their Eq. 5).

    Args:
        logits: Of the bins.
        bins: Their a* and b*.
        temperature: 1 is the plain mean, towards 0 the mode.
    """
    probability = torch.softmax(logits.float() / temperature, dim=1)
    parts = [(probability * along[:, None, None]).sum(dim=1) for along in bins.unbind(dim=1)]
    return torch.stack(parts, dim=1)


def smooth(
    prior: Float[Tensor, " q"], *, bins: Float[Tensor, "q 2"], sigma: float = 5.0
) -> Float32[Tensor, " q"]:
    """Spread each bin's share over the bins by a Gaussian of their distance; what is spread adds up to the share."""
    squares = ((bins[:, None] - bins[None]) ** 2).sum(dim=-1)
    kernel = torch.softmax(-squares / (2 * sigma**2), dim=0)
    return (kernel * prior).sum(dim=1)


def rebalance(prior: Float[Tensor, " q"], *, uniform_share: float = 0.5) -> Float32[Tensor, " q"]:
    """Return the factor of each bin: the inverse of the prior mixed with a uniform one, 1 on average over the prior (their Eq. 4).

    Args:
        prior: Share of each bin; adds up to 1.
        uniform_share: Lambda; 1 gives factors of 1.

    >>> rebalance(torch.tensor([0.75, 0.25]), uniform_share=1.0).tolist()
    [1.0, 1.0]
    """
    factor = 1 / ((1 - uniform_share) * prior + uniform_share / len(prior))
    return factor / (prior * factor).sum()
