"""Random views of pictures: crop, mirror, colour jitter, grey, blur and solarisation, batched on the device.

The distortions of SimCLR (Chen et al., ICML 2020, appendix A) and BYOL (Grill et al., NeurIPS 2020, appendix B). Every decision is a
hash of the sample's seed and of the view's number, so a view depends on nothing but its picture, its seed and its number.

Departures: the four jitters come in one order (brightness, contrast, saturation, hue) instead of a random one, so that the batch is
changed as a whole; a crop that would not fit its picture is cut down to it instead of being drawn again.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float32, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.colour import gaussian_blur, luma, uniform
from scenelift.adapt.method import PictureSizeError

(
    _AREA, _ASPECT, _TOP, _LEFT, _MIRROR, _JITTER, _BRIGHTNESS, _CONTRAST, _SATURATION, _HUE, _GREY, _BLUR, _SIGMA, _SOLARISE,
) = range(1000, 1014)  # fmt: skip
_SALTS_A_VIEW = 100
_STEPS = 2**16
"""Greys are averaged as whole numbers of this many steps: their sum is the same in any order, so in any batch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewSettings:
    """How a view differs from its picture; the published strengths are SimCLR's for ImageNet."""

    side_px: int | None = None
    """Side of a view; by default the shorter side of the picture. At least half of that: views are cut without a filter."""
    area: tuple[float, float] = (0.08, 1.0)
    """Least and greatest share of the picture's area that is cut out."""
    aspect: tuple[float, float] = (3 / 4, 4 / 3)
    """Least and greatest width over height of it, drawn by its logarithm."""
    mirror_probability: float = 0.5
    """Share of views that are mirrored."""
    jitter_probability: float = 0.8
    """Share of views whose colours are jittered."""
    brightness: float = 0.8
    """Factor from 1 - this to 1 + this."""
    contrast: float = 0.8
    """Factor around the view's mean grey, as above."""
    saturation: float = 0.8
    """Factor around each pixel's grey, as above."""
    hue: float = 0.2
    """Greatest turn of the hue either way, as a share of the circle."""
    grey_probability: float = 0.2
    """Share of views without colour."""
    blur_probability: float = 0.5
    """Share of views that a Gaussian blurs."""
    blur_sigma: tuple[float, float] = (0.1 / 224, 2.0 / 224)
    """Least and greatest standard deviation of it, as shares of the view's side."""
    solarise_probability: float = 0.0
    """Share of views whose values above one half are inverted; BYOL's second view has it, SimCLR none."""

    def __post_init__(self) -> None:
        names = ("mirror", "jitter", "grey", "blur", "solarise")
        for name in (*(f"{n}_probability" for n in names), "brightness", "contrast", "saturation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"hue must be from 0 to 0.5, got {self.hue}")
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(f"area must rise within 0 to 1, got {self.area}")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect must be positive and rise, got {self.aspect}")
        if not 0 < self.blur_sigma[0] <= self.blur_sigma[1] <= 0.1:
            raise ValueError(f"blur_sigma must rise within 0 to 0.1, got {self.blur_sigma}")
        if self.side_px is not None and self.side_px < 1:
            raise ValueError(f"side_px must be at least 1, got {self.side_px}")


UNCHANGED = ViewSettings(
    area=(1.0, 1.0),
    aspect=(1.0, 1.0),
    mirror_probability=0.0,
    jitter_probability=0.0,
    grey_probability=0.0,
    blur_probability=0.0,
)
"""The view of a square picture is the picture itself."""


def random_view(
    images: UInt8[Tensor, "n 3 h w"] | Float32[Tensor, "n 3 h w"],
    sample_seed: Int64[Tensor, " n"],
    *,
    number: int,
    settings: ViewSettings,
) -> Float32[Tensor, "n 3 s s"]:
    """Return one view of each picture, sRGB from 0 to 1.

    Args:
        images: sRGB, 8 bit or from 0 to 1, in any memory format; gradients pass to the latter.
        sample_seed: What decides, one a picture.
        number: Which view of the picture; views of other numbers are independent.
        settings: How views differ.

    Raises:
        ValueError: if views are less than half as large as the pictures.

    >>> images = torch.arange(48, dtype=torch.uint8).reshape(1, 3, 4, 4)
    >>> view = random_view(images, torch.tensor([7]), number=0, settings=UNCHANGED)
    >>> bool(((view * 255).round() == images).all())
    True
    """

    def draw(salt: int) -> Float32[Tensor, " n"]:
        return uniform(sample_seed, salt=salt + _SALTS_A_VIEW * number)

    def between(salt: int, ends: tuple[float, float]) -> Float32[Tensor, " n"]:
        return ends[0] + (ends[1] - ends[0]) * draw(salt)

    height, width = images.shape[2:]
    side_px = min(height, width) if settings.side_px is None else settings.side_px
    if max(height, width) > 2 * side_px:
        raise PictureSizeError(
            f"side_px is {side_px}, less than half of the pictures' {width} x {height}: make the crop smaller"
        )
    area = between(_AREA, settings.area) * height * width
    aspect = between(_ASPECT, (math.log(settings.aspect[0]), math.log(settings.aspect[1]))).exp()
    values = _cut(
        images,
        # The shares of the picture that a crop takes.
        across=((area * aspect).sqrt() / width).clamp(max=1),
        down=((area / aspect).sqrt() / height).clamp(max=1),
        left=draw(_LEFT),
        top=draw(_TOP),
        mirrored=draw(_MIRROR) < settings.mirror_probability,
        side_px=side_px,
    )
    jittered = draw(_JITTER) < settings.jitter_probability

    def strength(salt: int, most: float) -> Float32[Tensor, "n 1 1 1"]:
        return torch.where(jittered, most * (2 * draw(salt) - 1), 0)[:, None, None, None]

    if settings.jitter_probability:
        values = adjust_brightness(values, 1 + strength(_BRIGHTNESS, settings.brightness))
        values = adjust_contrast(values, 1 + strength(_CONTRAST, settings.contrast))
        values = adjust_saturation(values, 1 + strength(_SATURATION, settings.saturation))
    if settings.jitter_probability and settings.hue:
        values = turn_hue(values, strength(_HUE, settings.hue))
    if settings.grey_probability:
        grey = (draw(_GREY) < settings.grey_probability)[:, None, None, None]
        values = torch.where(grey, luma(values), values)
    if settings.blur_probability:
        chosen = (draw(_BLUR) < settings.blur_probability).nonzero()[:, 0]
        sigma = between(_SIGMA, settings.blur_sigma)[chosen] * side_px
        radius = max(1, math.ceil(3 * settings.blur_sigma[1] * side_px))
        values = values.index_copy(0, chosen, gaussian_blur(values[chosen], sigma, radius=radius))
    if settings.solarise_probability:
        solarised = (draw(_SOLARISE) < settings.solarise_probability)[:, None, None, None]
        values = torch.where(solarised & (values >= 0.5), 1 - values, values)
    return values


def adjust_brightness(
    values: Float32[Tensor, "n 3 h w"], factor: Float32[Tensor, "n 1 1 1"]
) -> Float32[Tensor, "n 3 h w"]:
    """Multiply, and clip to 0 to 1."""
    return (values * factor).clamp_(0, 1)


def adjust_contrast(
    values: Float32[Tensor, "n 3 h w"], factor: Float32[Tensor, "n 1 1 1"]
) -> Float32[Tensor, "n 3 h w"]:
    """Multiply what differs from the picture's mean grey, and clip to 0 to 1."""
    steps = (luma(values) * _STEPS).round_().to(torch.int64).sum(dim=(2, 3), keepdim=True)
    mean = steps.to(torch.float32) / (_STEPS * values.shape[2] * values.shape[3])
    return ((1 - factor) * mean + factor * values).clamp_(0, 1)


def adjust_saturation(
    values: Float32[Tensor, "n 3 h w"], factor: Float32[Tensor, "n 1 1 1"]
) -> Float32[Tensor, "n 3 h w"]:
    """Multiply what differs from each pixel's grey, and clip to 0 to 1."""
    return ((1 - factor) * luma(values) + factor * values).clamp_(0, 1)


def turn_hue(
    values: Float32[Tensor, "n 3 h w"], share: Float32[Tensor, "n 1 1 1"]
) -> Float32[Tensor, "n 3 h w"]:
    """Turn the hue of HSV by a share of the circle; value and saturation stay.

    With hue in sixths of the circle, a channel is value - chroma * clip(d - 1, 0, 1), where d is how far the hue is from the
    channel's own place around the circle: all of a pixel's channels from its hue without a case for each sixth.
    """
    red, green, blue = values.unbind(dim=1)
    value = torch.maximum(torch.maximum(red, green), blue)
    chroma = value - torch.minimum(torch.minimum(red, green), blue)
    per_chroma = 1 / torch.where(chroma > 0, chroma, 1)
    hue = torch.where(
        value == red,
        (green - blue).mul_(per_chroma),
        torch.where(
            value == green,
            (blue - red).mul_(per_chroma).add_(2),
            (red - green).mul_(per_chroma).add_(4),
        ),
    ).add_(6 * share[:, 0])
    # A channel is full within one sixth of its place and empty beyond two. The way is |3 - |3 - a||: a is within 8.
    away = hue[:, None] - _places(values)
    away = away.abs_().sub_(3).abs_().sub_(3).abs_().sub_(1).clamp_(0, 1)
    return torch.addcmul(value[:, None], chroma[:, None], away, value=-1)


def _places(like: Float32[Tensor, "n 3 h w"]) -> Float32[Tensor, "1 3 1 1"]:
    """Return where red, green and blue lie, in sixths of the circle."""
    return torch.tensor((0.0, 2.0, 4.0), device=like.device).view(1, 3, 1, 1)


def _cut(
    images: UInt8[Tensor, "n 3 h w"] | Float32[Tensor, "n 3 h w"],
    *,
    across: Float32[Tensor, " n"],
    down: Float32[Tensor, " n"],
    left: Float32[Tensor, " n"],
    top: Float32[Tensor, " n"],
    mirrored: Bool[Tensor, " n"],
    side_px: int,
) -> Float32[Tensor, "n 3 s s"]:
    """Cut a rectangle out of each picture and bring it to a square, bilinearly; `left` and `top` share out the room that is left."""
    # Centres of the view's pixels, from -1 to 1.
    line = (2 * torch.arange(side_px, device=images.device) + 1) / side_px - 1
    turn = torch.where(mirrored, -1.0, 1.0)
    x = ((2 * left - 1) * (1 - across))[:, None] + (across * turn)[:, None] * line
    y = ((2 * top - 1) * (1 - down))[:, None] + down[:, None] * line
    grid = torch.stack(
        [
            x[:, None, :].expand(-1, side_px, -1),
            y[:, :, None].expand(-1, -1, side_px),
        ],
        dim=3,
    )
    values = images if images.is_floating_point() else images.to(torch.float32).div_(255)
    return F.grid_sample(
        values, grid, mode="bilinear", padding_mode="border", align_corners=False
    ).clamp_(0, 1)
