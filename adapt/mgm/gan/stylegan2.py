"""A generator after StyleGAN2 (Karras et al., CVPR 2020) that knows the class.

A mapping network turns noise and class into a style; each convolution's input channels are scaled by the style and its output
channels brought back to unit variance; what each size adds to the picture is summed up. Other than published: per-pixel noise is a
hash of z, so that one z always gives one image; tanh at the end keeps values in -1 to 1; no style mixing and no path-length
regularisation.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.mgm.gan.equalised import Constant, EqualConv2d, EqualLinear, leaky
from scenelift.adapt.mgm.gan.gan import GanSettings, Generator
from scenelift.adapt.mgm.hash_noise import normal, seed_of
from scenelift.adapt.mgm.widths import scaled

STYLE_DIM = 512
MAPPING_RATE = 0.01
MOST_CHANNELS = 512


def channels_at(side: int, *, width: float) -> int:
    """Return the channels of the map of that side: 512 up to 32 x 32, then halved with each doubling.

    >>> [channels_at(side, width=1.0) for side in (4, 32, 64, 128)]
    [512, 512, 256, 128]
    """
    return scaled(min(MOST_CHANNELS, 16384 // side), width)


class Mapping(nn.Module):
    """From noise and class to a style."""

    def __init__(self, *, z_dim: int, num_classes: int, style_dim: int, num_layers: int) -> None:
        super().__init__()
        self.by_class = nn.Embedding(num_classes, z_dim)
        self.layers = nn.ModuleList(
            EqualLinear(
                2 * z_dim if index == 0 else style_dim, style_dim, learning_rate=MAPPING_RATE
            )
            for index in range(num_layers)
        )

    def forward(
        self, z: Float[Tensor, "n z_dim"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n d"]:
        """Map."""
        x = torch.cat([_unit_variance(z), _unit_variance(self.by_class(label))], dim=1)
        for layer in self.layers:
            x = leaky(layer(x))
        return x


class StyledConv2d(nn.Module):
    """A convolution whose input channels are scaled by a style; doubles the map first if asked to."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 3,
        style_dim: int,
        double: bool = False,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.style = EqualLinear(style_dim, inputs, bias=1.0)
        self.conv = EqualConv2d(inputs, outputs, kernel, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(1)) if demodulate else None
        self._double, self._demodulate = double, demodulate

    def forward(
        self,
        x: Float[Tensor, "n i h w"],
        style: Float[Tensor, "n d"],
        noise: Float[Tensor, "n 1 h2 w2"] | None,
    ) -> Float[Tensor, "n o h2 w2"]:
        """Convolve; scaling the map instead of the weights, sample by sample, is the same and needs one convolution."""
        scale = self.style(style)
        x = x * scale[:, :, None, None].to(x.dtype)
        if self._double:
            x = enlarged(x)
        x = self.conv(x)
        if self._demodulate:
            power = self.conv.scaled_weight().float().square().sum(dim=(2, 3))
            variance = scale.float().square() @ power.T
            x = x * torch.rsqrt(variance + 1e-8)[:, :, None, None].to(x.dtype)
        if self.strength is not None and noise is not None:
            x = x + self.strength.to(x.dtype) * noise.to(x.dtype)
        return x + self.bias[:, None, None].to(x.dtype)


class Stylegan2Generator(Generator):
    """Two styled convolutions and a picture for each size from 4 x 4."""

    def __init__(self, settings: GanSettings, *, num_classes: int, size_px: int) -> None:
        super().__init__()
        style_dim = scaled(STYLE_DIM, settings.width)
        self.sides = tuple(4 * 2**k for k in range((size_px // 4).bit_length()))
        channels = [channels_at(side, width=settings.width) for side in self.sides]
        self.mapping = Mapping(
            z_dim=settings.z_dim,
            num_classes=num_classes,
            style_dim=style_dim,
            num_layers=settings.mapping_layers,
        )
        self.constant = Constant(channels[0])
        self.first = nn.ModuleList(
            StyledConv2d(channels[k - 1], channels[k], style_dim=style_dim, double=True)
            for k in range(1, len(channels))
        )
        self.second = nn.ModuleList(
            StyledConv2d(count, count, style_dim=style_dim) for count in channels
        )
        self.to_rgb = nn.ModuleList(
            StyledConv2d(count, 3, kernel=1, style_dim=style_dim, demodulate=False)
            for count in channels
        )

    def forward(
        self, z: Float[Tensor, "n z_dim"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n 3 s s"]:
        """Make images."""
        style = self.mapping(z, label)
        seeds = seed_of(z)
        x: Tensor = self.constant(len(z))
        shares: list[Tensor] = []
        for index, side in enumerate(self.sides):
            if index > 0:
                noise = normal(seeds, shape=(1, side, side), salt=2 * index)
                x = leaky(self.first[index - 1](x, style, noise))
            noise = normal(seeds, shape=(1, side, side), salt=2 * index + 1)
            x = leaky(self.second[index](x, style, noise))
            shares.append(self.to_rgb[index](x, style, None).float())
        picture = shares[0]
        for share in shares[1:]:
            picture = enlarged(picture) + share
        return torch.tanh(picture)


def enlarged(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Double a map smoothly: linear interpolation is the published filter (1, 3, 3, 1) but for the border."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _unit_variance(x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
    x = x.float()
    return x * torch.rsqrt(x.square().mean(dim=1, keepdim=True) + 1e-8)
