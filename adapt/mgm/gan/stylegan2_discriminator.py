"""A discriminator after StyleGAN2 (Karras et al., CVPR 2020) that knows the class."""

import math

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.mgm.gan.equalised import EqualConv2d, EqualLinear, leaky
from scenelift.adapt.mgm.gan.gan import Discriminator, GanSettings
from scenelift.adapt.mgm.gan.stylegan2 import channels_at

GROUP = 4
"""Images whose spread is measured together."""
TAPS = (1, 3, 3, 1)


class HalvingBlock(nn.Module):
    """Two convolutions beside one of 1 x 1, then half the size."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(inputs, inputs, 3)
        self.conv2 = EqualConv2d(inputs, outputs, 3)
        self.beside = EqualConv2d(inputs, outputs, 1, bias=False)

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run the block."""
        y = leaky(halved(self.conv2(leaky(self.conv1(x)))))
        out: Tensor = (y + self.beside(halved(x))) / math.sqrt(2)
        return out


class Stylegan2Discriminator(Discriminator):
    """Blocks down to 4 x 4, the spread of the batch beside them, and the product with a vector of the class."""

    def __init__(self, settings: GanSettings, *, num_classes: int, size_px: int) -> None:
        super().__init__()
        sides = [size_px >> k for k in range((size_px // 4).bit_length())]
        channels = [channels_at(side, width=settings.width) for side in sides]
        self.first = EqualConv2d(3, channels[0], 1)
        self.blocks = nn.ModuleList(
            HalvingBlock(channels[k], channels[k + 1]) for k in range(len(channels) - 1)
        )
        last = channels[-1]
        self.conv = EqualConv2d(last + 1, last, 3)
        self.hidden = EqualLinear(last * 16, last)
        self.last = EqualLinear(last, last)
        self.by_class = nn.Embedding(num_classes, last)

    def forward(
        self, image: Float[Tensor, "n 3 s s"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Judge images."""
        x = leaky(self.first(image))
        for block in self.blocks:
            x = block(x)
        x = leaky(self.conv(torch.cat([x, spread(x)], dim=1)))
        found = self.last(leaky(self.hidden(x.flatten(1)))).float()
        of_class = self.by_class(label).float()
        logits: Tensor = (found * of_class).sum(dim=1) / math.sqrt(found.shape[1])
        return logits


def halved(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Halve a map of even size, smoothed by (1, 3, 3, 1) along both axes."""
    taps = torch.tensor(TAPS, dtype=x.dtype, device=x.device) / sum(TAPS)
    kernel = (taps[:, None] * taps)[None, None].expand(x.shape[1], -1, -1, -1)
    return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


def spread(x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 1 h w"]:
    """Return the mean standard deviation within groups of images (Karras et al., ICLR 2018).

    Groups are 4 neighbours in the batch, or fewer, so that they divide it and its halves: real and made images, judged in one
    batch one after the other, never share a group.
    """
    count = len(x)
    part = count if count % 2 else count // 2
    group = max(size for size in range(1, GROUP + 1) if part % size == 0)
    variance = x.float().unflatten(0, (-1, group)).var(dim=1, correction=0)
    mean: Tensor = (variance + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return (
        mean.repeat_interleave(group).to(x.dtype)[:, None, None, None].expand(-1, 1, *x.shape[-2:])
    )
