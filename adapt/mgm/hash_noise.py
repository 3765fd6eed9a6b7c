"""Normal noise by hash: the same sample gets the same noise in any batch, and nothing is kept between steps."""

import math

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from scenelift.adapt.colour import uniform

_STRIDE = 0x2545F4914F6CDD1D
"""An odd number far from the hash's own step, so that the values of one sample do not follow those of another."""


def normal(
    sample_seed: Int64[Tensor, " n"], *, shape: tuple[int, ...], salt: int
) -> Float32[Tensor, "n ..."]:
    """Draw standard normal noise for each sample (Box and Muller, 1958).

    Args:
        sample_seed: What decides, one a sample.
        shape: Of one sample's noise.
        salt: Another one gives other noise; at least 0.

    >>> seeds = torch.arange(1000)
    >>> noise = normal(seeds, shape=(3, 5), salt=0)
    >>> bool(noise.mean().abs() < 0.03), bool((noise.std() - 1).abs() < 0.03)
    (True, True)
    >>> torch.equal(noise[7:8], normal(seeds[7:8], shape=(3, 5), salt=0))
    True
    """
    high = (uniform(sample_seed, salt=4 * salt) * 2.0**24).to(torch.int64)
    low = (uniform(sample_seed, salt=4 * salt + 1) * 2.0**24).to(torch.int64)
    place = torch.arange(math.prod(shape), device=sample_seed.device)
    seeds = ((high * 2**24 + low)[:, None] + place * _STRIDE).flatten()
    radius = (-2 * torch.log1p(-uniform(seeds, salt=4 * salt + 2))).sqrt()
    angle = 2 * math.pi * uniform(seeds, salt=4 * salt + 3)
    return (radius * angle.cos()).view(-1, *shape)


def seed_of(values: Float[Tensor, "n d"]) -> Int64[Tensor, " n"]:
    """Hash the bits of each row, so that equal rows have equal seeds.

    >>> rows = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    >>> first, second, third = seed_of(rows).tolist()
    >>> first == third, first == second
    (True, False)
    """
    bits = values.detach().to(torch.float32).contiguous().view(torch.int32).to(torch.int64)
    place = torch.arange(1, bits.shape[1] + 1, device=bits.device)
    # Whole numbers that wrap add up to the same sum in any order. Odd factors differ by place.
    return ((bits ^ (bits << 17)) * (place * 2 * _STRIDE + 1)).sum(dim=1)
