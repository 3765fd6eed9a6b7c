"""Colour on the device: from 8-bit pictures of any domain to what a backbone reads, in one function.

Every random decision is a hash of the sample's seed, so the same sample becomes the same input in any batch, on any rank and
on any device, and nothing draws from a global generator.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Float32, Int64, UInt8
from torch import Tensor

from scenelift.adapt.network_input import Space, in_space

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Grey = Literal["none", "sample", "batch"]

_LUMA = (0.299, 0.587, 0.114)
_GREY, _BRIGHTNESS, _CONTRAST, _SATURATION, _BLUR, _SIGMA = range(6)


@dataclass(frozen=True, kw_only=True, slots=True)
class ColourSettings:
    """What happens to colour."""

    grey: Grey = "sample"
    """Replicate one of the three channels, chosen for each sample, or for the whole batch as Ren and Lee's released code does
    (the choice of its first sample's seed: the one case in which a sample's input depends on its batch)."""
    brightness: float = 0.0
    """Factor from 1 - this to 1 + this."""
    contrast: float = 0.0
    """Factor around the picture's mean grey, as above."""
    saturation: float = 0.0
    """Factor around each pixel's grey, as above."""
    blur_probability: float = 0.0
    """Share of samples that a Gaussian blurs."""
    blur_sigma_px: tuple[float, float] = (0.1, 2.0)
    """Least and greatest standard deviation of it."""
    space: Space = "rgb"
    """The colour space that the network reads."""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    """Subtracted, in that space; sRGB from 0 to 1."""
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Divided by; 1 is the paper's, `IMAGENET_STD` torchvision's."""
    channels_last: bool = False
    """Memory format of the result."""

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation", "blur_probability"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {value}")
        if not 0 < self.blur_sigma_px[0] <= self.blur_sigma_px[1] <= 10:
            raise ValueError(f"blur_sigma_px must rise within 0 to 10, got {self.blur_sigma_px}")
        if not min(self.std) > 0:
            raise ValueError(f"std must be positive, got {self.std}")


def to_input(
    images: UInt8[Tensor, "n 3 h w"], sample_seed: Int64[Tensor, " n"], *, settings: ColourSettings
) -> Float32[Tensor, "n 3 h w"]:
    """Turn 8-bit sRGB pictures into a network's input: jitter, blur, grey, normalisation, in this order.

    Args:
        images: In any memory format.
        sample_seed: What decides, one a sample.
        settings: What is done.

    Returns:
        (value in 0 to 1 - mean) / std.
    """
    choice = _choose_channel(sample_seed, grey=settings.grey)
    if not (
        settings.brightness or settings.contrast or settings.saturation or settings.blur_probability
    ):
        # Fewer bytes to move: the choice is made among the 8-bit channels.
        return _normalise(_pick(images, choice).to(torch.float32).div_(255), settings=settings)
    values = _jitter(images, sample_seed, settings=settings)
    if settings.blur_probability:
        values = _blur(values, sample_seed, settings=settings)
    return _normalise(_pick(values, choice), settings=settings)


def uniform(sample_seed: Int64[Tensor, " n"], *, salt: int) -> Float32[Tensor, " n"]:
    """Return one number in [0, 1) a sample, another for each salt.

    The finaliser of SplitMix64 (Steele, Lea and Flood, 2014) in wrapping 64-bit arithmetic, on the seed moved by as many golden
    steps as the salt says; the top 24 bits, which float32 holds exactly.
    """
    golden, first, second = -0x61C8864680B583EB, -0x40A7B892E31B1A47, -0x6B2FB644ECCEEE15
    mixed = sample_seed + _wrapped(golden * (salt + 1))
    mixed = (mixed ^ _shifted(mixed, 30)) * first
    mixed = (mixed ^ _shifted(mixed, 27)) * second
    mixed = mixed ^ _shifted(mixed, 31)
    return _shifted(mixed, 40).to(torch.float32) * 2.0**-24


def _wrapped(number: int) -> int:
    """Bring a whole number into the range of int64, as overflow would."""
    return (number + 2**63) % 2**64 - 2**63


def _shifted(numbers: Int64[Tensor, " n"], bits: int) -> Int64[Tensor, " n"]:
    """Shift right without sign."""
    return (numbers >> bits) & ((1 << (64 - bits)) - 1)


def _choose_channel(sample_seed: Int64[Tensor, " n"], *, grey: Grey) -> Int64[Tensor, " n"] | None:
    if grey == "none":
        return None
    seeds = sample_seed[:1].expand_as(sample_seed) if grey == "batch" else sample_seed
    return (uniform(seeds, salt=_GREY) * 3).to(torch.int64)


def _pick(values: Tensor, choice: Int64[Tensor, " n"] | None) -> Tensor:
    """Return one channel of each sample, n 1 h w; all without a choice."""
    if choice is None:
        return values
    return values[torch.arange(len(values), device=values.device), choice][:, None]


def _normalise(
    values: Float[Tensor, "n c h w"], *, settings: ColourSettings
) -> Float[Tensor, "n 3 h w"]:
    if settings.space != "rgb":
        values = in_space(values.expand(-1, 3, -1, -1), settings.space)
    shifted = values - _by_channel(settings.mean, like=values)
    if settings.std != (1.0, 1.0, 1.0):
        shifted /= _by_channel(settings.std, like=values)
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    return shifted.contiguous(memory_format=layout)


def _by_channel(numbers: tuple[float, float, float], *, like: Tensor) -> Float[Tensor, "1 3 1 1"]:
    return torch.tensor(numbers, dtype=torch.float32, device=like.device)[None, :, None, None]


def _jitter(
    images: UInt8[Tensor, "n 3 h w"], sample_seed: Int64[Tensor, " n"], *, settings: ColourSettings
) -> Float32[Tensor, "n 3 h w"]:
    """Change brightness, contrast and saturation, and clip once at the end."""

    def factor(salt: int, most: float) -> Float32[Tensor, "n 1 1 1"]:
        return (1 + most * (2 * uniform(sample_seed, salt=salt) - 1))[:, None, None, None]

    brightness = factor(_BRIGHTNESS, settings.brightness)
    contrast = factor(_CONTRAST, settings.contrast)
    saturation = factor(_SATURATION, settings.saturation)
    # Whole numbers add up to the same sum in any order, so the mean does not depend on the batch.
    sums = images.sum(dim=(2, 3), keepdim=True, dtype=torch.int64).to(torch.float32)
    mean_grey = luma(sums) / (255 * images.shape[2] * images.shape[3])
    values = images.to(torch.float32) * (brightness * contrast / 255)
    values += brightness * (1 - contrast) * mean_grey
    values = saturation * values + (1 - saturation) * luma(values)
    return values.clamp_(0, 1)


def luma(values: Float32[Tensor, "n 3 h w"]) -> Float32[Tensor, "n 1 h w"]:
    """Weigh red, green and blue as ITU-R BT.601 does."""
    red, green, blue = values.unbind(dim=1)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue)[:, None]


def _blur(
    values: Float32[Tensor, "n 3 h w"],
    sample_seed: Int64[Tensor, " n"],
    *,
    settings: ColourSettings,
) -> Float32[Tensor, "n 3 h w"]:
    """Blur some samples."""
    least, greatest = settings.blur_sigma_px
    chosen = (uniform(sample_seed, salt=_BLUR) < settings.blur_probability).nonzero()[:, 0]
    sigma = least + (greatest - least) * uniform(sample_seed[chosen], salt=_SIGMA)
    radius = max(1, int(3 * greatest + 0.5))
    return values.index_copy(0, chosen, gaussian_blur(values[chosen], sigma, radius=radius))


def gaussian_blur(
    values: Float32[Tensor, "n 3 h w"], sigma_px: Float32[Tensor, " n"], *, radius: int
) -> Float32[Tensor, "n 3 h w"]:
    """Blur each picture by its own Gaussian, by sums of shifted pictures: a convolution's rounding would depend on the batch.

    Args:
        values: Beyond their borders they go on as at them.
        sigma_px: Standard deviations, positive.
        radius: Where the Gaussian is cut off, in pixels.
    """
    offsets = torch.arange(-radius, radius + 1, device=values.device)
    weights = torch.exp(-0.5 * (offsets[None] / sigma_px[:, None]) ** 2)
    weights = weights / weights.sum(dim=1, keepdim=True)
    blurred = values
    for axis in (2, 3):
        length = values.shape[axis]
        margin = (0, 0, radius, radius) if axis == 2 else (radius, radius, 0, 0)
        padded = torch.nn.functional.pad(blurred, margin, mode="replicate")
        blurred = torch.zeros_like(blurred)
        for tap in range(2 * radius + 1):
            weight = weights[:, tap, None, None, None]
            blurred.addcmul_(weight, padded.narrow(axis, tap, length))
    return blurred
