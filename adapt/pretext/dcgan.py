"""Parts of networks that draw pictures and of those that judge them (DCGAN; Radford, Metz and Chintala, ICLR 2016).

Pictures are from -1 to 1. Transposed convolutions double a map, strided ones halve it; no layer pools.
"""

import itertools
import math
from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.discriminators import LEAK, Norm, SpectralConv2d

AdversarialLoss = Literal["cross-entropy", "hinge"]
"""cross-entropy: as published first (Goodfellow et al., 2014; E and G learn from swapped labels); hinge: Lim and Ye (2017)."""
FIRST_SIDE = 4
"""Positions a side of the smallest map."""


def doubling(inputs: int, outputs: int, *, kernel: int, bias: bool = False) -> nn.ConvTranspose2d:
    """Make a transposed convolution that doubles a map's side, whatever the kernel."""
    padding = (kernel - 1) // 2
    return nn.ConvTranspose2d(
        inputs,
        outputs,
        kernel,
        stride=2,
        padding=padding,
        output_padding=2 + 2 * padding - kernel,
        bias=bias,
    )


def up_convolution(inputs: int, outputs: int, *, kernel: int) -> nn.Sequential:
    """Double a map: transposed convolution, batch norm, ReLU."""
    return nn.Sequential(
        doubling(inputs, outputs, kernel=kernel), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def to_picture(inputs: int, *, kernel: int) -> nn.Sequential:
    """Double a map into a picture from -1 to 1."""
    return nn.Sequential(doubling(inputs, 3, kernel=kernel, bias=True), nn.Tanh())


class PictureGenerator(nn.Module):
    """From a code to a picture: 4 x 4 positions, then one up-convolution for each doubling, channels halved each time."""

    def __init__(self, *, code_size: int, side_px: int, width: int, kernel: int) -> None:
        """Build it without weights worth having; see `draw_weights`.

        Args:
            code_size: Numbers in a code.
            side_px: Side of a picture: a power of two, at least 8.
            width: Channels before the last up-convolution.
            kernel: Side of the kernels.

        Raises:
            ValueError: if the side is no such number.
        """
        super().__init__()
        doublings = num_halvings(side_px)
        channels = [width * 2**index for index in reversed(range(doublings))]
        self.first = nn.Sequential(
            nn.ConvTranspose2d(code_size, channels[0], FIRST_SIDE, bias=False),
            nn.BatchNorm2d(channels[0]),
            nn.ReLU(),
        )
        self.ups = nn.Sequential(
            *(
                up_convolution(inputs, outputs, kernel=kernel)
                for inputs, outputs in itertools.pairwise(channels)
            )
        )
        self.last = to_picture(channels[-1], kernel=kernel)

    def forward(self, code: Float[Tensor, "n z"]) -> Float[Tensor, "n 3 s s"]:
        """Draw pictures, in float32."""
        picture: Tensor = self.last(self.ups(self.first(code[:, :, None, None])))
        return picture.float()


class Convolution(nn.Module):
    """A convolution that judges: with batch norm, spectral norm or neither, then a leaky ReLU if wanted."""

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, stride: int, norm: Norm, leaky: bool = True
    ) -> None:
        super().__init__()
        self.convolution = (
            SpectralConv2d(inputs, outputs, kernel, stride=stride)
            if norm == "spectral"
            else nn.Conv2d(inputs, outputs, kernel, stride=stride)
        )
        self.norm = nn.BatchNorm2d(outputs) if norm == "batch" else nn.Identity()
        self._padding = (kernel - 1) // 2 if stride > 1 else 0
        self._leaky = leaky

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h2 w2"]:
        """Convolve; a stride of 2 halves, padded so that an even side is halved exactly."""
        layer = self.convolution
        weight = layer.normalised_weight() if isinstance(layer, SpectralConv2d) else layer.weight
        y = F.conv2d(x, weight, layer.bias, stride=layer.stride, padding=self._padding)
        y = self.norm(y)
        return F.leaky_relu(y, LEAK) if self._leaky else y


def halvings(*, count: int, width: int, kernel: int, norm: Norm) -> nn.Sequential:
    """Halve a picture `count` times, from `width` channels on doubled each time; batch norm spares the first, as published."""
    channels = [3, *(width * 2**index for index in range(count))]
    return nn.Sequential(
        *(
            Convolution(
                inputs,
                outputs,
                kernel=kernel,
                stride=2,
                norm="none" if norm == "batch" and inputs == 3 else norm,
            )
            for inputs, outputs in itertools.pairwise(channels)
        )
    )


class PictureCritic(nn.Module):
    """From a picture to one logit of "real": halvings down to 4 to 7 positions a side, then one kernel over all of them."""

    def __init__(self, *, side_px: int, width: int, kernel: int, norm: Norm) -> None:
        super().__init__()
        count = max(1, int(math.log2(side_px / FIRST_SIDE)))
        side = side_px
        for _ in range(count):
            side = (side + 1) // 2 if kernel % 2 else side // 2
        self.halvings = halvings(count=count, width=width, kernel=kernel, norm=norm)
        self.last = Convolution(
            width * 2 ** (count - 1),
            1,
            kernel=side,
            stride=1,
            norm="spectral" if norm == "spectral" else "none",
            leaky=False,
        )

    def forward(self, picture: Float[Tensor, "n 3 s s"]) -> Float[Tensor, " n"]:
        """Return logits, in float32."""
        logits: Tensor = self.last(self.halvings(picture))
        return logits.flatten().float()


def num_halvings(side_px: int) -> int:
    """Count the halvings from a side down to 4 positions.

    Raises:
        ValueError: if they do not end there.

    >>> num_halvings(64)
    4
    """
    count = int(math.log2(max(side_px, 1) / FIRST_SIDE)) if side_px >= 2 * FIRST_SIDE else 0
    if count < 1 or FIRST_SIDE * 2**count != side_px:
        raise ValueError(
            f"the side of drawn pictures must be 8, 16, 32, 64 or so on, got {side_px}"
        )
    return count


@torch.no_grad()
def draw_weights(network: nn.Module, *, generator: torch.Generator) -> None:
    """Draw first weights as published: kernels N(0, 0.02), batch norms N(1, 0.02), biases 0.

    Layers under spectral norm do not feel the size of their weights; their singular vectors are found here.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            part.weight.normal_(0.0, 0.02, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
            if isinstance(part, SpectralConv2d):
                part.start(generator=generator)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.weight.normal_(1.0, 0.02, generator=generator)
            nn.init.zeros_(part.bias)


def fixed(network: nn.Module, *inputs: Tensor) -> Tensor:
    """Run a network whose parameters get no gradient; what it reads does."""
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    answer: Tensor = torch.func.functional_call(network, parameters, inputs)
    return answer


def critic_objective(
    real: Float[Tensor, " n"], drawn: Float[Tensor, " n"], *, loss: AdversarialLoss
) -> Float[Tensor, ""]:
    """Return the loss of one who tells real from drawn by logits of "real"."""
    if loss == "hinge":
        return (F.relu(1 - real).mean() + F.relu(1 + drawn).mean()) / 2
    return (F.softplus(-real).mean() + F.softplus(drawn).mean()) / 2


def told_apart(real: Float[Tensor, " n"], drawn: Float[Tensor, " n"]) -> Float[Tensor, ""]:
    """Return the share of logits on the right side of 0."""
    return (((real > 0).float().mean() + (drawn < 0).float().mean()) / 2).detach()


def to_bytes(pictures: Float[Tensor, "n 3 h w"]) -> UInt8[Tensor, "n 3 h w"]:
    """Turn colours from -1 to 1 into 8 bits."""
    return ((pictures.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
