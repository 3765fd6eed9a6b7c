"""SAGAN (Zhang et al., ICML 2019) as MGM used it: 32.5 M and 39.5 M parameters for 27 classes at 128 pixels.

The shortcut of the discriminator's last block is a convolution though it changes neither size nor channels; the released code
has that convolution and does not use it.
"""

import itertools

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from scenelift.adapt.mgm.gan.blocks import (
    ConditionalNorm,
    DownBlock,
    SelfAttention,
    UpBlock,
    attention_side,
    channels_by_depth,
)
from scenelift.adapt.mgm.gan.gan import Discriminator, GanSettings, Generator
from scenelift.adapt.mgm.gan.spectral import spectral

BASE = 64


class SaganGenerator(Generator):
    """Residual blocks from 4 x 4 upwards, each norm scaled and shifted by the class."""

    def __init__(self, settings: GanSettings, *, num_classes: int, size_px: int) -> None:
        super().__init__()
        channels = channels_by_depth(size_px, base=BASE, width=settings.width)

        def norm(count: int) -> ConditionalNorm:
            read = nn.Embedding(num_classes, 2 * count)
            return ConditionalNorm(count, read=read, momentum=settings.norm_momentum)

        self.first = spectral(nn.Linear(settings.z_dim, channels[0] * 16))
        self.blocks = nn.ModuleList(
            UpBlock(inputs, outputs, norm1=norm(inputs), norm2=norm(outputs))
            for inputs, outputs in itertools.pairwise(channels)
        )
        side = attention_side(size_px)
        self._attention_after = (side // 8).bit_length() - 1
        self.attention = (
            SelfAttention(channels[self._attention_after + 1])
            if settings.attention
            else nn.Identity()
        )
        self.norm = nn.BatchNorm2d(channels[-1], momentum=settings.norm_momentum)
        self.last = spectral(nn.Conv2d(channels[-1], 3, 3, padding=1))

    def forward(
        self, z: Float[Tensor, "n z_dim"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n 3 s s"]:
        """Make images."""
        x = self.first(z).unflatten(1, (-1, 4, 4))
        for index, block in enumerate(self.blocks):
            x = block(x, label)
            if index == self._attention_after:
                x = self.attention(x)
        return torch.tanh(self.last(torch.relu(self.norm(x))).float())


class ProjectionDiscriminator(Discriminator):
    """Residual blocks down to 4 x 4; the class adds its product with what they found (Miyato and Koyama, ICLR 2018)."""

    def __init__(
        self, settings: GanSettings, *, num_classes: int, size_px: int, base: int = BASE
    ) -> None:
        """Build it.

        Args:
            settings: Width and attention.
            num_classes: How many classes there are.
            size_px: Side of the pictures.
            base: Channels of the finest map at width 1.
        """
        super().__init__()
        channels = channels_by_depth(size_px, base=base, width=settings.width)[::-1]
        last = len(channels) - 1
        self.blocks = nn.ModuleList(
            DownBlock(inputs, outputs, first=index == 0, halve=index < last)
            for index, (inputs, outputs) in enumerate(zip((3, *channels), channels, strict=False))
        )
        side = attention_side(size_px)
        self._attention_after = (size_px // side).bit_length() - 2
        self.attention = (
            SelfAttention(channels[self._attention_after]) if settings.attention else nn.Identity()
        )
        self.last = spectral(nn.Linear(channels[-1], 1))
        self.by_class = spectral(nn.Embedding(num_classes, channels[-1]))

    def forward(
        self, image: Float[Tensor, "n 3 s s"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Judge images."""
        x = image
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == self._attention_after:
                x = self.attention(x)
        found = torch.relu(x.float()).sum(dim=(2, 3))
        logits: Tensor = self.last(found)[:, 0].float() + (found * self.by_class(label)).sum(dim=1)
        return logits
