"""Differentiable augmentation of all that the discriminator sees (Zhao et al., NeurIPS 2020).

Real and made images go through the same policy, and gradients pass through it to the generator. Images are sRGB from -1 to 1.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from scenelift.adapt.colour import uniform

_BRIGHTNESS, _SATURATION, _CONTRAST, _RIGHT, _DOWN, _CUT_X, _CUT_Y = range(7)
_DRAWS = 7


@dataclass(frozen=True, kw_only=True, slots=True)
class DiffAugmentSettings:
    """What happens to every image."""

    colour: bool = True
    """Add up to 0.5 either way, scale saturation by 0 to 2 and contrast by 0.5 to 1.5."""
    translation: float = 0.125
    """Move by up to this share of the side either way; what comes in is grey. 0 for none."""
    cutout: float = 0.5
    """Side of a grey square somewhere, as a share of the side. 0 for none."""

    def __post_init__(self) -> None:
        for name in ("translation", "cutout"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {value}")


NO_POLICY = DiffAugmentSettings(colour=False, translation=0.0, cutout=0.0)
"""Leaves images untouched."""


def diff_augment(
    image: Float[Tensor, "n 3 s s"],
    sample_seed: Int64[Tensor, " n"],
    *,
    settings: DiffAugmentSettings,
    salt: int,
) -> Float[Tensor, "n 3 s s"]:
    """Augment images.

    Args:
        image: sRGB from -1 to 1.
        sample_seed: What decides, one an image.
        settings: The policy.
        salt: Another one gives other decisions; at least 0.
    """

    def draw(what: int) -> Float[Tensor, "n 1 1 1"]:
        return uniform(sample_seed, salt=_DRAWS * salt + what)[:, None, None, None].to(image.dtype)

    x = image
    if settings.colour:
        x = x + (draw(_BRIGHTNESS) - 0.5)
        grey = x.mean(dim=1, keepdim=True)
        x = grey + 2 * draw(_SATURATION) * (x - grey)
        mean = x.mean(dim=(1, 2, 3), keepdim=True)
        x = mean + (0.5 + draw(_CONTRAST)) * (x - mean)
    side = image.shape[-1]
    most = int(settings.translation * side + 0.5)
    if most:
        for axis, what in ((3, _RIGHT), (2, _DOWN)):
            x = _moved(x, _whole(draw(what).flatten(), most=2 * most) - most, axis=axis)
    cut = int(settings.cutout * side + 0.5)
    if cut:
        # The square's middle lies anywhere in the image, so that it may reach over the border.
        rows, columns = (
            _within(_whole(draw(what).flatten(), most=side) - cut // 2, cut=cut, side=side)
            for what in (_CUT_Y, _CUT_X)
        )
        x = x.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], 0.0)
    return x


def _whole(share: Float[Tensor, " n"], *, most: int) -> Int64[Tensor, " n"]:
    """Turn numbers in [0, 1) into whole ones from 0 to `most`, all as likely."""
    return (share.float() * (most + 1)).long().clamp(max=most)


def _moved(
    x: Float[Tensor, "n c h w"], offset: Int64[Tensor, " n"], *, axis: int
) -> Float[Tensor, "n c h w"]:
    """Move each image along an axis by its own whole number of pixels."""
    size = x.shape[axis]
    source = torch.arange(size, device=x.device)[None] - offset[:, None]
    shape = [len(x), 1, 1, 1]
    shape[axis] = size
    inside = ((source >= 0) & (source < size)).view(shape)
    taken = x.gather(axis, source.clamp(0, size - 1).view(shape).expand_as(x))
    return taken * inside


def _within(first: Int64[Tensor, " n"], *, cut: int, side: int) -> Tensor:
    """Tell which places lie in [first, first + cut), as Bool n side."""
    place = torch.arange(side, device=first.device)[None]
    return (place >= first[:, None]) & (place < first[:, None] + cut)
