"""The networks that settings name."""

import torch

from scenelift.adapt.initialise import without_weights
from scenelift.adapt.mgm.gan import biggan
from scenelift.adapt.mgm.gan.blocks import start
from scenelift.adapt.mgm.gan.equalised import start_equalised
from scenelift.adapt.mgm.gan.gan import SIZES_PX, Discriminator, Gan, GanSettings, Generator
from scenelift.adapt.mgm.gan.sagan import ProjectionDiscriminator, SaganGenerator
from scenelift.adapt.mgm.gan.stylegan2 import Stylegan2Generator
from scenelift.adapt.mgm.gan.stylegan2_discriminator import Stylegan2Discriminator

__all__ = ["Discriminator", "Gan", "GanSettings", "Generator", "build_gan"]


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
    first = start_equalised if settings.kind == "stylegan2" else start
    return Gan(
        generator=first(
            without_weights(lambda: _generator(settings, num_classes, size_px)), generator=generator
        ),
        discriminator=first(
            without_weights(lambda: _discriminator(settings, num_classes, size_px)),
            generator=generator,
        ),
    )


def _generator(settings: GanSettings, num_classes: int, size_px: int) -> Generator:
    match settings.kind:
        case "sagan":
            return SaganGenerator(settings, num_classes=num_classes, size_px=size_px)
        case "biggan":
            return biggan.BigganGenerator(settings, num_classes=num_classes, size_px=size_px)
        case "stylegan2":
            return Stylegan2Generator(settings, num_classes=num_classes, size_px=size_px)


def _discriminator(settings: GanSettings, num_classes: int, size_px: int) -> Discriminator:
    match settings.kind:
        case "sagan":
            return ProjectionDiscriminator(settings, num_classes=num_classes, size_px=size_px)
        case "biggan":
            return ProjectionDiscriminator(
                settings, num_classes=num_classes, size_px=size_px, base=biggan.BASE
            )
        case "stylegan2":
            return Stylegan2Discriminator(settings, num_classes=num_classes, size_px=size_px)
