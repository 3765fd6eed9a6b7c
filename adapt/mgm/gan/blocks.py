"""Residual blocks, class-conditional batch norm and self-attention, under spectral norm: what SAGAN and BigGAN are made of."""

from typing import TypeVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.mgm.gan.spectral import spectral, start_spectral, weight_of
from scenelift.adapt.mgm.widths import scaled

MULTIPLES = (16, 16, 8, 4, 2, 1)
"""Channels of the generator's map of 4 x 4 and of each that follows, up to 128 x 128; smaller pictures have the last of them."""
ATTENTION_SIDE = 32

NetworkT = TypeVar("NetworkT", bound=nn.Module)


def channels_by_depth(size_px: int, *, base: int, width: float) -> tuple[int, ...]:
    """Return the generator's channels, from the map of 4 x 4 to the picture's size; the discriminator's are these reversed.

    >>> channels_by_depth(128, base=64, width=1.0)
    (1024, 1024, 512, 256, 128, 64)
    >>> channels_by_depth(32, base=64, width=0.0625)
    (32, 16, 8, 8)
    """
    doublings = (size_px // 4).bit_length() - 1
    return tuple(scaled(base * multiple, width) for multiple in MULTIPLES[-doublings - 1 :])


def attention_side(size_px: int) -> int:
    """Return the side of the map whose places attend to each other."""
    return min(ATTENTION_SIDE, size_px // 2)


class ConditionalNorm(nn.Module):
    """Batch norm whose scale and shift are read from a condition (De Vries et al., NeurIPS 2017): 1 and 0 at first."""

    def __init__(self, channels: int, *, read: nn.Module, momentum: float) -> None:
        """Build it.

        Args:
            channels: Of the map.
            read: From the condition to 2 channels numbers: scale less 1, and shift.
            momentum: Of the running statistics.
        """
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False, momentum=momentum)
        self.read = read

    def forward(
        self, x: Float[Tensor, "n c h w"], condition: Shaped[Tensor, "n ..."]
    ) -> Float[Tensor, "n c h w"]:
        """Normalise."""
        scale, shift = self.read(condition)[:, :, None, None].chunk(2, dim=1)
        out: Tensor = self.norm(x) * (1 + scale) + shift
        return out


class UpBlock(nn.Module):
    """Double a map: two convolutions beside one of 1 x 1."""

    def __init__(
        self, inputs: int, outputs: int, *, norm1: ConditionalNorm, norm2: ConditionalNorm
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm1, norm2
        self.conv1 = spectral(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = spectral(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.beside = spectral(nn.Conv2d(inputs, outputs, 1))

    def forward(
        self, x: Float[Tensor, "n c h w"], condition: Shaped[Tensor, "n ..."]
    ) -> Float[Tensor, "n c2 h2 w2"]:
        """Run the block."""
        y = self.conv1(_doubled(torch.relu(self.norm1(x, condition))))
        y = self.conv2(torch.relu(self.norm2(y, condition)))
        # Repeating values and a 1 x 1 convolution commute; this order has a quarter of the work.
        out: Tensor = y + _doubled(self.beside(x))
        return out


class DownBlock(nn.Module):
    """Halve a map, or keep its size: two convolutions beside one of 1 x 1."""

    def __init__(self, inputs: int, outputs: int, *, first: bool = False, halve: bool) -> None:
        """Build it.

        Args:
            inputs: Channels of the map.
            outputs: Channels that it gets.
            first: Whether the map is a picture, which no ReLU may cut.
            halve: Whether means of 2 x 2 follow.
        """
        super().__init__()
        self.conv1 = spectral(nn.Conv2d(inputs, outputs, 3, padding=1))
        self.conv2 = spectral(nn.Conv2d(outputs, outputs, 3, padding=1))
        self.beside = spectral(nn.Conv2d(inputs, outputs, 1))
        self._first, self._halve = first, halve

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run the block."""
        y = self.conv1(x if self._first else torch.relu(x))
        y = self.conv2(torch.relu(y))
        if self._halve:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        out: Tensor = y + self.beside(x)
        return out


class SelfAttention(nn.Module):
    """Each place adds what places like it hold (Zhang et al., ICML 2019); nothing at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = spectral(nn.Conv2d(channels, channels // 8, 1))
        self.key = spectral(nn.Conv2d(channels, channels // 8, 1))
        self.value = spectral(nn.Conv2d(channels, channels // 2, 1))
        self.last = spectral(nn.Conv2d(channels // 2, channels, 1))
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Attend; keys and values are the greatest of 2 x 2 places."""
        query = self.query(x).flatten(2)
        key = F.max_pool2d(self.key(x), 2).flatten(2)
        value = F.max_pool2d(self.value(x), 2).flatten(2)
        share = torch.softmax(torch.einsum("ncq,nck->nqk", query, key).float(), dim=2)
        seen = torch.einsum("nck,nqk->ncq", value, share.to(value.dtype))
        out: Tensor = x + self.gain * self.last(seen.unflatten(2, x.shape[-2:]))
        return out


@torch.no_grad()
def start(network: NetworkT, *, generator: torch.Generator) -> NetworkT:
    """Give a network of these parts its first weights: Xavier-uniform, biases 0, conditional scales 1 and shifts 0."""
    zero = {id(part.read) for part in network.modules() if isinstance(part, ConditionalNorm)}
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear | nn.Embedding):
            if id(part) in zero and isinstance(part, nn.Embedding):
                weight_of(part).zero_()
            else:
                nn.init.xavier_uniform_(weight_of(part), generator=generator)
            if not isinstance(part, nn.Embedding) and part.bias is not None:
                part.bias.zero_()
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.reset_parameters()
        elif isinstance(part, SelfAttention):
            part.gain.zero_()
    start_spectral(network, generator=generator)
    return network


def _doubled(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    return F.interpolate(x, scale_factor=2, mode="nearest")
