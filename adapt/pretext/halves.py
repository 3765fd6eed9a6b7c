"""Two networks of half the width in one: weights between the halves are zero and stay zero.

The first half of each layer's channels reads the first half of the layer below, the second the second; the first
convolution's first half reads L*, its second a* and b*. What comes out is an ordinary backbone, which nothing that reads it
needs to know about.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone


class HalvesError(ValueError):
    """A backbone cannot be split into two halves."""


@torch.no_grad()
def split(backbone: Backbone) -> None:
    """Split a fresh backbone in place, and keep it so: gradients between the halves are erased as they arrive.

    Adam, SGD and weight decay leave a weight of zero without gradient at zero. Weights within the halves are enlarged by the
    square root of how many times fewer inputs they add up, so that activations keep their scale.

    Args:
        backbone: Convolutions, linear layers, batch norms and whatever works on each channel alone.

    Raises:
        HalvesError: if its channels do not halve, or information passes between the halves all the same.
    """
    layers = [m for m in backbone.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    for layer in layers:
        if isinstance(layer, nn.Conv2d) and layer.groups != 1:
            raise HalvesError(f"backbone {backbone.name} has grouped convolutions; {_SUITABLE}")
        outputs, inputs = layer.weight.shape[:2]
        if outputs % 2 or (inputs % 2 and inputs != _COLOURS):
            raise HalvesError(
                f"backbone {backbone.name} has a layer from {inputs} to {outputs} channels, which do not halve; {_SUITABLE}"
            )
    for layer in layers:
        _enlarge(layer.weight)
        _erase_between(layer.weight)
        layer.weight.register_post_accumulate_grad_hook(_erase_gradient)
    _check_apart(backbone)


def halves(features: Float[Tensor, "n c h w"]) -> tuple[Tensor, Tensor]:
    """Return the channels that saw L* and those that saw a* and b*.

    >>> [tuple(half.shape) for half in halves(torch.zeros(1, 6, 2, 2))]
    [(1, 3, 2, 2), (1, 3, 2, 2)]
    """
    first, second = features.chunk(2, dim=1)
    return first, second


_COLOURS = 3
_SUITABLE = "split-brain needs alexnet, vgg16, resnet18 or the like"


def _border(weight: Tensor) -> tuple[int, int]:
    """Return how many outputs and inputs belong to the first half."""
    outputs, inputs = weight.shape[:2]
    return outputs // 2, 1 if inputs == _COLOURS else inputs // 2


def _erase_between(weight: Tensor) -> None:
    outputs, inputs = _border(weight)
    weight[:outputs, inputs:] = 0
    weight[outputs:, :inputs] = 0


def _erase_gradient(weight: Tensor) -> None:
    if weight.grad is not None:
        _erase_between(weight.grad)


def _enlarge(weight: Tensor) -> None:
    outputs, inputs = _border(weight)
    whole = weight.shape[1]
    weight[:outputs] *= math.sqrt(whole / inputs)
    weight[outputs:] *= math.sqrt(whole / (whole - inputs))


def _check_apart(backbone: Backbone) -> None:
    """Change each half's input and see that the other half of every layer stays."""
    side = max(32, backbone.min_size_px)
    noise = torch.randn(2, _COLOURS, side, side, generator=torch.Generator().manual_seed(0))
    training = backbone.training
    backbone.eval()
    before = backbone(noise)
    for half, channels in ((1, slice(0, 1)), (0, slice(1, _COLOURS))):
        changed = noise.clone()
        changed[:, channels] = 0
        after = backbone(changed)
        for name in before:
            if not torch.equal(halves(before[name])[half], halves(after[name])[half]):
                raise HalvesError(
                    f"backbone {backbone.name} passes information between its halves before {name}; {_SUITABLE}"
                )
    backbone.train(training)
