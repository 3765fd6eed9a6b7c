"""Spectral norm: a layer's weight over its largest singular value (Miyato et al., ICLR 2018).

torch's own keeps both singular vectors as it left them, so a running average of a network, which averages buffers too, would
divide by a value that no weight has. Here the left one is kept, made a unit vector again where it is used, and the right one
follows from it; and no autocast reaches the computation.
"""

from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

LayerT = TypeVar("LayerT", bound=nn.Module)
FIRST_ITERATIONS = 15


class SpectralNorm(nn.Module):
    """One power iteration in each training call follows the largest singular value of the weight as a matrix (out, rest)."""

    left: Tensor

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.register_buffer("left", torch.ones(outputs))

    def forward(self, weight: Float[Tensor, "o ..."]) -> Float[Tensor, "o ..."]:
        """Return the weight over its largest singular value, through which gradients pass."""
        with torch.autocast(weight.device.type, enabled=False):
            matrix = weight.flatten(1)
            if self.training:
                self.iterate(matrix)
            # Copies, so that a later call's iteration does not reach this call's graph.
            left = F.normalize(self.left, dim=0)
            right = F.normalize(matrix.detach().mT @ left, dim=0)
            largest = left @ (matrix @ right)
            return weight / largest.clamp(min=1e-12)

    @torch.no_grad()
    def iterate(self, matrix: Float[Tensor, "o i"]) -> None:
        """Bring the left vector nearer to that of the largest singular value."""
        right = F.normalize(matrix.mT @ self.left, dim=0)
        self.left.copy_(F.normalize(matrix @ right, dim=0))


def spectral(layer: LayerT) -> LayerT:
    """Put a convolution, linear layer or embedding under spectral norm; `start_spectral` follows once it has its weights."""
    norm = SpectralNorm(weight_of(layer).shape[0])
    # Unsafe: torch's check would compute with weights that hold nothing yet.
    parametrize.register_parametrization(layer, "weight", norm, unsafe=True)
    return layer


def weight_of(layer: nn.Module) -> Tensor:
    """Return the parameter behind a layer's weight, under spectral norm or not."""
    return (
        layer.get_parameter("parametrizations.weight.original")
        if parametrize.is_parametrized(layer, "weight")
        else layer.get_parameter("weight")
    )


@torch.no_grad()
def start_spectral(module: nn.Module, *, generator: torch.Generator) -> None:
    """Draw the left vectors of all layers under spectral norm and follow them until they hardly move."""
    for layer in module.modules():
        if not parametrize.is_parametrized(layer, "weight"):
            continue
        norm = layer.get_submodule("parametrizations.weight.0")
        if isinstance(norm, SpectralNorm):
            norm.left.normal_(generator=generator)
            for _ in range(FIRST_ITERATIONS):
                norm.iterate(weight_of(layer).flatten(1))
