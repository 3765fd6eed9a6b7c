"""The networks that settings name."""

import torch

from scenelift.adapt.initialise import without_weights
from scenelift.adapt.mgm.gan.blocks import start
from scenelift.adapt.mgm.gan.gan import SIZES_PX, Gan, GanSettings
from scenelift.adapt.mgm.gan.sagan import ProjectionDiscriminator, SaganGenerator


def build_gan(
    settings: GanSettings, *, num_classes: int, size_px: int, generator: torch.Generator
) -> Gan:
    """Build a generator and a discriminator with first weights, on the CPU.

    Args:
        settings: Which networks, and how large.
        num_classes: How many classes labels name.
        size_px: Side of the square pictures, one of `SIZES_PX`.
        generator: Where weights are drawn from; torch's global random state stays as it is.

    Raises:
        ValueError: if there are no classes, or networks for no such size.
    """
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    if size_px not in SIZES_PX:
        sizes = ", ".join(map(str, SIZES_PX))
        raise ValueError(f"size_px must be one of {sizes}, got {size_px}")
    players = without_weights(
        lambda: SaganGenerator(settings, num_classes=num_classes, size_px=size_px)
    )
    judge = without_weights(
        lambda: ProjectionDiscriminator(settings, num_classes=num_classes, size_px=size_px)
    )
    return Gan(
        generator=start(players, generator=generator),
        discriminator=start(judge, generator=generator),
    )
