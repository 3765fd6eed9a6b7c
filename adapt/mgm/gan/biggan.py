"""A generator after BigGAN (Brock, Donahue and Simonyan, ICLR 2019), with `ProjectionDiscriminator` at its width.

One vector stands for the class everywhere; the noise is cut into a piece for the first layer and one for each block, whose norms
are scaled and shifted by that piece and the class together. Other than published: self-attention on the map of 32 x 32 also at 128
pixels (64 x 64), Xavier-uniform first weights (orthogonal), and no orthogonal regularisation.
"""

import itertools

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from scenelift.adapt.mgm.gan.blocks import (
    ConditionalNorm,
    SelfAttention,
    UpBlock,
    attention_side,
    channels_by_depth,
)
from scenelift.adapt.mgm.gan.gan import GanSettings, Generator
from scenelift.adapt.mgm.gan.spectral import spectral
from scenelift.adapt.mgm.widths import scaled

BASE = 96
CLASS_DIM = 128


class BigganGenerator(Generator):
    """Residual blocks from 4 x 4 upwards, each with a piece of the noise."""

    def __init__(self, settings: GanSettings, *, num_classes: int, size_px: int) -> None:
        super().__init__()
        channels = channels_by_depth(size_px, base=BASE, width=settings.width)
        num_blocks = len(channels) - 1
        piece = settings.z_dim // (num_blocks + 1)
        # What does not divide evenly goes to the first layer.
        self._pieces = (settings.z_dim - num_blocks * piece, *(piece,) * num_blocks)
        class_dim = scaled(CLASS_DIM, settings.width)

        def norm(count: int) -> ConditionalNorm:
            read = spectral(nn.Linear(class_dim + piece, 2 * count, bias=False))
            return ConditionalNorm(count, read=read, momentum=settings.norm_momentum)

        self.by_class = nn.Embedding(num_classes, class_dim)
        self.first = spectral(nn.Linear(self._pieces[0], channels[0] * 16))
        self.blocks = nn.ModuleList(
            UpBlock(inputs, outputs, norm1=norm(inputs), norm2=norm(outputs))
            for inputs, outputs in itertools.pairwise(channels)
        )
        self._attention_after = (attention_side(size_px) // 8).bit_length() - 1
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
        first, *pieces = z.split(self._pieces, dim=1)
        of_class = self.by_class(label)
        x = self.first(first).unflatten(1, (-1, 4, 4))
        for index, (block, piece) in enumerate(zip(self.blocks, pieces, strict=True)):
            x = block(x, torch.cat([of_class, piece], dim=1))
            if index == self._attention_after:
                x = self.attention(x)
        return torch.tanh(self.last(torch.relu(self.norm(x))).float())
