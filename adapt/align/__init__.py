"""Bringing the features of rendered and of real pictures together: one interface, chosen by name.

`make_alignment(AlignmentConfig(method="coral"), discriminators={})` gives an `Alignment`; its docstring says how a step of
training uses it. The domains are called synthetic and real, and a discriminator gives the logit of "real".
"""

from collections.abc import Mapping
from typing import assert_never

from torch import nn

from scenelift.adapt.align.adversarial import Adversarial, Reversal, reverse
from scenelift.adapt.align.alignment import AdaBN, Alignment
from scenelift.adapt.align.config import AlignmentConfig, AlignmentMethod
from scenelift.adapt.align.fourier import Fourier, swap_low_frequencies
from scenelift.adapt.align.statistics import Distance
from scenelift.adapt.align.weight import gradient_norm

__all__ = [
    "AdaBN",
    "Adversarial",
    "Alignment",
    "AlignmentConfig",
    "AlignmentMethod",
    "Distance",
    "Fourier",
    "Reversal",
    "gradient_norm",
    "make_alignment",
    "reverse",
    "swap_low_frequencies",
]


def make_alignment(
    config: AlignmentConfig, *, discriminators: Mapping[str, nn.Module], rank: int = 0
) -> Alignment:
    """Make the alignment that a configuration names.

    Args:
        config: What is wanted.
        discriminators: By layer; wanted where `config.has_critic`, ignored elsewhere.
        rank: Of this process; feature histories draw differently on each.

    Raises:
        ValueError: if a layer lacks its discriminator.

    >>> make_alignment(AlignmentConfig(method="adabn"), discriminators={}).statistics
    'real'
    """
    match config.method:
        case "none":
            return Alignment(config)
        case "adabn":
            return AdaBN(config)
        case "adversarial":
            return Adversarial(config, discriminators=discriminators, rank=rank)
        case "reversal":
            return Reversal(config, discriminators=discriminators)
        case "coral" | "mmd" | "sliced-wasserstein":
            return Distance(config)
        case "fourier":
            return Fourier(config)
    assert_never(config.method)
