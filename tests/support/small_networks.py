"""Networks and pictures small enough to test with."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.backbones.backbone import Taps


def generator_of(seed: int) -> torch.Generator:
    """Make a generator."""
    return torch.Generator().manual_seed(seed)


def noise_pictures(
    count: int, *, width: int, height: int, seed: int = 0
) -> Float[Tensor, "n 3 h w"]:
    """Draw pictures of normal noise."""
    return torch.randn(count, 3, height, width, generator=generator_of(seed))


def count_parameters(module: nn.Module) -> int:
    """Count the numbers that learn."""
    return sum(parameter.numel() for parameter in module.parameters())


def lived_in_backbone(name: str, *, seed: int = 0, taps: Taps = "post") -> Backbone:
    """Build a backbone in evaluation mode that has biases, and batch norms with statistics, scales and shifts of their own."""
    generator = generator_of(seed)
    backbone = build_backbone(name, generator=generator, taps=taps)
    for part in backbone.modules():
        if isinstance(part, nn.Conv2d | nn.Linear) and part.bias is not None:
            with torch.no_grad():
                part.bias.uniform_(-0.3, 0.3, generator=generator)
        if isinstance(part, nn.BatchNorm2d):
            for tensor, low, high in (
                (part.running_mean, -0.3, 0.3),
                (part.running_var, 0.5, 1.5),
                (part.weight, 0.5, 1.5),
                (part.bias, -0.3, 0.3),
            ):
                if tensor is not None:
                    with torch.no_grad():
                        tensor.uniform_(low, high, generator=generator)
    return backbone.eval()
