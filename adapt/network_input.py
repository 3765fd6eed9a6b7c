"""What a network is fed: from 8-bit sRGB to the colour space and scale that its weights were trained on."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

Space = Literal["rgb", "lightness", "lab"]
"""rgb: sRGB from 0 to 1; lightness: CIE L*, 0 to 100, in all three channels; lab: CIE L*, a*, b*."""
SPACES: tuple[Space, ...] = ("rgb", "lightness", "lab")

_XYZ_OF_RGB = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
"""Linear sRGB to XYZ, IEC 61966-2-1."""
_WHITE_D65 = (0.95047, 1.0, 1.08883)


@dataclass(frozen=True, kw_only=True, slots=True)
class InputNormalisation:
    """What a network is fed: (colour - mean) / std in a colour space of three channels."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    space: Space = "rgb"
    """Where mean and std belong."""

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise ValueError(f"space must be one of {', '.join(SPACES)}, got {self.space!r}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != 3 or not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name} must be three finite numbers, got {values}")
        if not all(value > 0 for value in self.std):
            raise ValueError(f"std must be positive, got {self.std}")


LIGHTNESS_INPUT = InputNormalisation(
    mean=(50.0, 50.0, 50.0), std=(50.0, 50.0, 50.0), space="lightness"
)
"""L* from -1 to 1."""
LAB_INPUT = InputNormalisation(mean=(50.0, 0.0, 0.0), std=(50.0, 50.0, 50.0), space="lab")
"""L* from -1 to 1, a* and b* at the same scale."""


def network_input(
    images: UInt8[Tensor, "n 3 h w"], *, normalisation: InputNormalisation
) -> Float[Tensor, "n 3 h w"]:
    """Turn 8-bit sRGB pictures into what a network reads."""
    return normalise(images.float() / 255, normalisation=normalisation)


def normalise(
    colours: Float[Tensor, "n 3 h w"], *, normalisation: InputNormalisation
) -> Float[Tensor, "n 3 h w"]:
    """Turn sRGB from 0 to 1 into what a network reads."""
    return standardise(in_space(colours, normalisation.space), normalisation=normalisation)


def standardise(
    values: Float[Tensor, "n 3 h w"], *, normalisation: InputNormalisation
) -> Float[Tensor, "n 3 h w"]:
    """Subtract the mean and divide by the deviation of colours that are in the normalisation's space already."""
    mean, std = (
        torch.tensor(numbers, dtype=values.dtype, device=values.device).view(1, 3, 1, 1)
        for numbers in (normalisation.mean, normalisation.std)
    )
    return (values - mean) / std


def in_space(colours: Float[Tensor, "n 3 h w"], space: Space) -> Float[Tensor, "n 3 h w"]:
    """Bring sRGB from 0 to 1 into a colour space."""
    if space == "rgb":
        return colours
    lab = to_lab(colours)
    return lab if space == "lab" else lab[:, :1].expand(-1, 3, -1, -1)


def to_lab(colours: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Convert sRGB from 0 to 1 to CIE L*a*b* (1976) under D65.

    >>> to_lab(torch.ones(1, 3, 1, 1)).flatten().round(decimals=1).abs().tolist()
    [100.0, 0.0, 0.0]
    """
    linear = torch.where(
        colours <= 0.04045, colours / 12.92, ((colours.clamp(min=0) + 0.055) / 1.055) ** 2.4
    )
    matrix = torch.tensor(_XYZ_OF_RGB, dtype=colours.dtype, device=colours.device)
    white = torch.tensor(_WHITE_D65, dtype=colours.dtype, device=colours.device)
    ratios = _mix(linear, matrix / white[:, None])
    delta = 6 / 29
    root = torch.where(
        ratios > delta**3,
        ratios.clamp(min=delta**3) ** (1 / 3),
        ratios / (3 * delta**2) + 4 / 29,
    )
    x, y, z = root.unbind(dim=1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def from_lab(lab: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Convert CIE L*a*b* (1976) under D65 to sRGB; what sRGB cannot show is clipped to 0 to 1.

    >>> from_lab(torch.tensor([100.0, 0.0, 0.0]).view(1, 3, 1, 1)).flatten().round(decimals=3).tolist()
    [1.0, 1.0, 1.0]
    """
    lightness, a, b = lab.unbind(dim=1)
    y = (lightness + 16) / 116
    roots = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    delta = 6 / 29
    ratios = torch.where(roots > delta, roots**3, 3 * delta**2 * (roots - 4 / 29))
    matrix = torch.tensor(_XYZ_OF_RGB, dtype=torch.float64)
    white = torch.tensor(_WHITE_D65, dtype=torch.float64)
    inverse = torch.linalg.inv(matrix / white[:, None]).to(lab)
    linear = _mix(ratios, inverse).clamp(0, 1)
    bright = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, bright)


def _mix(
    colours: Float[Tensor, "n 3 h w"], matrix: Float[Tensor, "3 3"]
) -> Float[Tensor, "n 3 h w"]:
    """Multiply each pixel's colour by a matrix, in the precision it has even where half is the rule."""
    with torch.autocast(colours.device.type, enabled=False):
        return torch.einsum("ij,njhw->nihw", matrix, colours)
