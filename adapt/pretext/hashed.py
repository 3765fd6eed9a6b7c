"""Many numbers from each sample's seed: the noise of masks and the codes of generators."""

import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from scenelift.adapt.colour import uniform

_GOLDEN = -0x61C8864680B583EB
"""2^64 over the golden ratio, as a signed number: the step of SplitMix64."""


def uniforms(
    sample_seed: Int64[Tensor, " n"], *, count: int, salt: int
) -> Float32[Tensor, "n {count}"]:
    """Return `count` numbers in [0, 1) a sample: those of `uniform` with the salts from `salt` on.

    >>> seeds = torch.tensor([3, 5])
    >>> bool((uniforms(seeds, count=4, salt=7)[:, 2] == uniform(seeds, salt=9)).all())
    True
    """
    steps = torch.arange(count, device=sample_seed.device) * _GOLDEN
    seeds = (sample_seed[:, None] + steps).flatten()
    return uniform(seeds, salt=salt).view(-1, count)
