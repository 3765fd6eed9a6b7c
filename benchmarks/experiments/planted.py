"""Pictures with a planted lens, and pictures whose content tells nothing of the place."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

_BLUR_PX = 1.0
_RADIUS_PX = 3
_CONTRAST = 50.0


def plant_aberration(
    images: UInt8[Tensor, "n 3 s s"], *, shift_px: float, consistent: bool
) -> UInt8[Tensor, "n 3 s s"]:
    """Magnify red and blue about the picture's centre, so that the shift between channels tells the place.

    Args:
        images: Squares.
        shift_px: How far red and blue move outwards at a third of the side from the centre, where the middles of the outer cells
            of a 3 x 3 grid lie; in proportion elsewhere.
        consistent: Magnify green too: the same pixels are resampled in the same way, and no channel is shifted against another.
    """
    side = images.shape[-1]
    factor = 1 - shift_px / (side / 3)
    if not 0.5 < factor <= 1:
        raise ValueError(
            f"shift_px must be from 0 to below {side / 6:.3g} for pictures of {side} pixels, got {shift_px}"
        )
    centres = (2 * torch.arange(side, device=images.device) + 1) / side - 1
    grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1) * factor
    magnified = F.grid_sample(
        images.float(),
        grid.expand(len(images), -1, -1, -1),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    if not consistent:
        magnified[:, 1] = images[:, 1].float()
    return magnified.round().clamp(0, 255).to(torch.uint8)


def draw_textures(
    count: int, *, side_px: int, generator: torch.Generator
) -> UInt8[Tensor, "n 3 s s"]:
    """Draw grey blurred noise, alike everywhere: nothing but a lens can tell the place of a patch of it."""
    wide = side_px + 2 * _RADIUS_PX
    noise = torch.randn(count, 1, wide, wide, generator=generator)
    taps = torch.arange(-_RADIUS_PX, _RADIUS_PX + 1, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (taps / _BLUR_PX) ** 2)
    kernel = kernel / kernel.norm()  # the sum of squares stays 1, and with it the variance
    smooth = F.conv2d(F.conv2d(noise, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return _as_grey(128 + _CONTRAST * smooth)


def _as_grey(values: Float[Tensor, "n 1 s s"]) -> UInt8[Tensor, "n 3 s s"]:
    return values.round().clamp(0, 255).to(torch.uint8).expand(-1, 3, -1, -1)
