"""Square patches cut out of pictures at places of their own, all at once, on the device.

What is random about a sample is hashed from its seed, so that the same picture gives the same patches in any batch.
"""

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from scenelift.adapt.colour import IMAGENET_STD, uniform
from scenelift.adapt.network_input import InputNormalisation

_DEVIATION = sum(IMAGENET_STD) / 3
_GOLDEN = -0x61C8864680B583EB


def draws(sample_seed: Int64[Tensor, " n"], *, count: int, salt: int) -> Float32[Tensor, "n count"]:
    """Return many numbers in [0, 1) a sample: those of `uniform` for the salts from `salt` on.

    >>> seeds = torch.tensor([3, 5])
    >>> torch.equal(draws(seeds, count=2, salt=7)[:, 1], uniform(seeds, salt=8))
    True
    """
    steps = _GOLDEN * torch.arange(count, device=sample_seed.device)  # wraps around, as it should
    numbers = uniform((sample_seed[:, None] + steps).flatten(), salt=salt)
    return numbers.view(len(sample_seed), count)


def whole_numbers(
    shares: Float[Tensor, "*n"], *, least: int, greatest: int | Int64[Tensor, "*#n"]
) -> Int64[Tensor, "*n"]:
    """Turn numbers in [0, 1) into whole numbers from `least` to `greatest`, each as likely.

    >>> whole_numbers(torch.tensor([0.0, 0.3, 0.5, 0.99]), least=-1, greatest=1).tolist()
    [-1, -1, 0, 1]
    """
    return (shares * (greatest - least + 1)).long() + least


def scale_of(normalisation: InputNormalisation) -> float:
    """Return what patches of deviation 1 are multiplied by to look like whole pictures to a network that is fed like this.

    >>> scale_of(InputNormalisation(mean=IMAGENET_STD, std=IMAGENET_STD))
    1.0
    """
    white = 1.0 if normalisation.space == "rgb" else 100.0
    return white * _DEVIATION / (sum(normalisation.std) / 3)


def cut_patches(
    pictures: Float[Tensor, "n 3 h w"],
    *,
    top_px: Int64[Tensor, "n p"],
    left_px: Int64[Tensor, "n p"],
    side_px: int,
    shift_px: Int64[Tensor, "n p 3 2"] | None = None,
) -> Float[Tensor, "n p 3 side side"]:
    """Cut p squares out of each picture.

    Args:
        pictures: Of any memory format.
        top_px: First row of each square.
        left_px: First column.
        side_px: Of all squares.
        shift_px: By how many rows and columns each colour channel is cut elsewhere; None: all alike. Squares must lie inside
            the picture after it.
    """
    windows = pictures.unfold(2, side_px, 1).unfold(3, side_px, 1)  # a view: n 3 top left side side
    samples = torch.arange(len(pictures), device=pictures.device)[:, None, None]
    channels = torch.arange(3, device=pictures.device)
    rows, columns = top_px[..., None], left_px[..., None]
    if shift_px is not None:
        down, right = shift_px.unbind(dim=3)
        rows, columns = rows + down, columns + right
    return windows[samples, channels, rows, columns]
