"""Rescaling of a chain of layers so that all learn at one rate (Krähenbühl et al., ICLR 2016, `magic init`).

Where layers are linear, ReLUs or poolings, a layer's weights can be multiplied by any positive factor, and the answer is the same up
to that factor, if the biases behind it are multiplied too. The factors are chosen such that the gradient of every layer, for a
random gradient of the answer, is in the same proportion to its weights, and the answer's standard deviation is 1.
"""

import copy
import itertools
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone

ROUNDS = 10
"""As published."""
TOLERANCE = 0.01
"""Rounds end when no factor is further from 1, in its logarithm."""

_SAME = 1e-3


def rescale(
    backbone: Backbone,
    *,
    pictures: Float[Tensor, "n 3 h w"],
    generator: torch.Generator,
    rounds: int = ROUNDS,
) -> Backbone:
    """Return a copy in evaluation mode whose convolutions and linear layers are rescaled.

    Args:
        backbone: A chain of layers without batch norm (`fold_batch_norm`).
        pictures: Normalised, where the network is; some tens.
        generator: On the CPU, of the gradients of the answer.
        rounds: At most so many.

    Raises:
        ValueError: if the network still has batch norm, is no chain (its answer is not the same up to a factor), or a layer
            gets no gradient.
    """
    original = copy.deepcopy(backbone).eval()
    rescaled = copy.deepcopy(original)
    norms = [name for name, m in original.named_modules() if isinstance(m, nn.BatchNorm2d)]
    if norms:
        raise ValueError(f"backbone {backbone.name} has batch norm ({norms[0]}): fold it first")
    names = layers_in_order(rescaled, pictures)
    gradient = _random_gradient(rescaled, pictures, generator=generator)
    for _ in range(rounds):
        ratios, deviation = learning_ratios(
            rescaled, pictures=pictures, gradient=gradient, layers=names
        )
        target = ratios.log().mean().exp() * deviation ** (1 / len(names))
        factors = (ratios / target).sqrt()
        _multiply(rescaled, names, factors)
        _check_same(original, rescaled, pictures)
        if float(factors.log().abs().max()) < TOLERANCE:
            break
    return rescaled


def learning_ratios(
    backbone: Backbone,
    *,
    pictures: Float[Tensor, "n 3 h w"],
    gradient: Float[Tensor, "n c h2 w2"],
    layers: list[str],
) -> tuple[Float[Tensor, " layers"], float]:
    """Return for each layer the root mean square of its weights' gradient over that of its weights, and the answer's deviation.

    Args:
        backbone: The network; its gradients are left alone.
        pictures: Normalised.
        gradient: Of the answer.
        layers: Names of convolutions and linear layers.

    Raises:
        ValueError: if a layer gets no gradient, or the answer is constant.
    """
    weights = [_layer(backbone, name).weight for name in layers]
    with torch.enable_grad():
        answer = backbone(pictures)[backbone.output_layer]
        found = torch.autograd.grad(answer, weights, gradient, allow_unused=True)
    ratios = []
    for name, weight, slope in zip(layers, weights, found, strict=True):
        size = 0.0 if slope is None else float(slope.double().square().mean())
        norm = float(weight.detach().double().square().mean())
        if not 0 < size < float("inf") or not 0 < norm < float("inf"):
            raise ValueError(
                f"backbone {backbone.name}: layer {name} gets no usable gradient (mean square {size:.3g}, "
                f"of weights {norm:.3g}); it cannot be rescaled"
            )
        ratios.append((size / norm) ** 0.5)
    deviation = float(answer.detach().double().std())
    if not deviation > 0:
        raise ValueError(f"backbone {backbone.name}: its answer is constant; it cannot be rescaled")
    return torch.tensor(ratios, dtype=torch.float64), deviation


def layers_in_order(backbone: Backbone, pictures: Float[Tensor, "n 3 h w"]) -> list[str]:
    """Name the convolutions and linear layers in the order in which they run."""
    names: list[str] = []

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        return lambda _module, _inputs, _output: names.append(name)

    handles = [
        module.register_forward_hook(note(name))
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    try:
        with torch.no_grad():
            backbone(pictures[:1])
    finally:
        for handle in handles:
            handle.remove()
    return names


@torch.no_grad()
def _multiply(backbone: Backbone, layers: list[str], factors: Float[Tensor, " layers"]) -> None:
    """Multiply weights by their layer's factor, biases by all factors up to it."""
    so_far = itertools.accumulate(factors.tolist(), lambda left, right: left * right)
    for name, factor, product in zip(layers, factors.tolist(), so_far, strict=True):
        layer = _layer(backbone, name)
        layer.weight.mul_(factor)
        if layer.bias is not None:
            layer.bias.mul_(product)


def _random_gradient(
    backbone: Backbone, pictures: Float[Tensor, "n 3 h w"], *, generator: torch.Generator
) -> Float[Tensor, "n c h2 w2"]:
    with torch.no_grad():
        answer = backbone(pictures)[backbone.output_layer]
    return torch.randn(answer.shape, generator=generator).to(answer)


@torch.no_grad()
def _check_same(original: Backbone, rescaled: Backbone, pictures: Float[Tensor, "n 3 h w"]) -> None:
    """Check that every feature map is the same up to one positive factor."""
    expected, found = original(pictures), rescaled(pictures)
    for layer, feature in expected.items():
        old, new = feature.double().flatten(), found[layer].double().flatten()
        factor = (old @ new) / (old @ old)
        error = float((new - factor * old).abs().max() / new.abs().max())
        if not (error < _SAME and factor > 0):
            raise ValueError(
                f"backbone {original.name} is no chain of layers: layer {layer} would change by {error:.2g} beside its "
                "scale; only AlexNet and VGG are rescaled"
            )


def _layer(backbone: Backbone, name: str) -> nn.Conv2d | nn.Linear:
    layer = backbone.get_submodule(name)
    if not isinstance(layer, nn.Conv2d | nn.Linear):
        raise TypeError(f"{name} is neither a convolution nor a linear layer")
    return layer
