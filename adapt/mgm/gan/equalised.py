"""Layers whose weights are drawn from N(0, 1) and scaled where they are used, so that all learn at one pace (Karras et al., ICLR 2018)."""

import math
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

LEAK = 0.2

NetworkT = TypeVar("NetworkT", bound=nn.Module)


class EqualLinear(nn.Module):
    """A linear layer."""

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, learning_rate: float = 1.0
    ) -> None:
        """Build it.

        Args:
            inputs: Numbers in.
            outputs: Numbers out.
            bias: At first.
            learning_rate: Factor on the pace of this layer.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self._first_bias, self._rate = bias, learning_rate

    def start(self, *, generator: torch.Generator) -> None:
        """Draw first weights."""
        with torch.no_grad():
            self.weight.normal_(generator=generator).div_(self._rate)
            self.bias.fill_(self._first_bias / self._rate)

    def forward(self, x: Float[Tensor, "n i"]) -> Float[Tensor, "n o"]:
        """Multiply and add."""
        gain = self._rate / math.sqrt(self.weight.shape[1])
        return F.linear(x, self.weight * gain, self.bias * self._rate)


class EqualConv2d(nn.Module):
    """A convolution that keeps a map's size."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def start(self, *, generator: torch.Generator) -> None:
        """Draw first weights."""
        with torch.no_grad():
            self.weight.normal_(generator=generator)
            if self.bias is not None:
                self.bias.zero_()

    def scaled_weight(self) -> Float[Tensor, "o i k k"]:
        """Return the weight as it is used."""
        return self.weight / math.sqrt(self.weight[0].numel())

    def forward(self, x: Float[Tensor, "n i h w"]) -> Float[Tensor, "n o h w"]:
        """Convolve."""
        return F.conv2d(x, self.scaled_weight(), self.bias, padding=self.weight.shape[-1] // 2)


class Constant(nn.Module):
    """A learnt map of 4 x 4 that every image begins with."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(1, channels, 4, 4))

    def start(self, *, generator: torch.Generator) -> None:
        """Draw first values."""
        with torch.no_grad():
            self.values.normal_(generator=generator)

    def forward(self, count: int) -> Float[Tensor, "n c 4 4"]:
        """Repeat it for each image."""
        return self.values.expand(count, -1, -1, -1)


def leaky(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Apply the leaky ReLU that keeps a normal variable's variance."""
    return F.leaky_relu(x, LEAK) * math.sqrt(2)


@torch.no_grad()
def start_equalised(network: NetworkT, *, generator: torch.Generator) -> NetworkT:
    """Give a network of these parts its first weights: N(0, 1), and 0 for every other parameter."""
    for parameter in network.parameters():
        parameter.zero_()
    for part in network.modules():
        if isinstance(part, EqualLinear | EqualConv2d | Constant):
            part.start(generator=generator)
        elif isinstance(part, nn.Embedding):
            part.weight.normal_(generator=generator)
    return network
