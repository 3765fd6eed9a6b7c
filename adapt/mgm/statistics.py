"""Batch norms that normalise by the batch and leave their running statistics alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def kept_statistics(*networks: nn.Module) -> Iterator[None]:
    """Leave running means and variances as they are inside, whatever passes.

    A momentum of 0 does that in the norms' own kernels; the count of batches, which only averages without a momentum read, moves.
    """
    norms = [
        norm
        for network in networks
        for norm in network.modules()
        if isinstance(norm, nn.modules.batchnorm._BatchNorm)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
