"""The same function in another form: batch norm folded into convolutions, and the dilated AlexNet as the ordinary one."""

import copy
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone, empty_backbone
from scenelift.adapt.backbones.alexnet import AlexNet, StandardAlexNet

TOLERANCE = 1e-4
"""How far a folded network may be from its original, as a share of the largest feature."""


@torch.no_grad()
def fold_batch_norm(backbone: Backbone, *, verify: bool = True) -> Backbone:
    """Return a copy in evaluation mode whose batch norms have moved into the convolutions before them.

    Which norm follows which convolution is seen by running the network once, so that it holds for any of them. A norm that
    follows something else stays.

    Args:
        backbone: The network; it is left as it is.
        verify: Whether to compare the two networks' features; a network without weights cannot be compared.

    Raises:
        ValueError: if the copy would compute something else, which is what a network that uses a convolution's output
            twice leads to.
    """
    original = copy.deepcopy(backbone).eval()
    folded = copy.deepcopy(original)
    picture = _probe(original)
    for convolution, norm in _pairs(folded, picture):
        _fold(folded, convolution=convolution, norm=norm)
    folded.folded = True
    if verify:
        _compare(original, folded, picture)
    return folded


def _probe(backbone: Backbone) -> Float[Tensor, "1 3 h w"]:
    """Make a picture of noise, small, where the network is."""
    side = max(64, backbone.min_size_px)
    noise = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    return noise.to(next(backbone.parameters()))


def _pairs(backbone: Backbone, picture: Float[Tensor, "1 3 h w"]) -> list[tuple[str, str]]:
    """Name each convolution and the batch norm that reads its output, where each runs once."""
    outputs: dict[str, Tensor] = {}  # held, so that no two outputs share an address
    pairs: list[tuple[str, str]] = []
    calls: list[str] = []

    def after_convolution(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            outputs[name] = output
            calls.append(name)

        return note

    def before_norm(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            pairs.extend((source, name) for source, out in outputs.items() if out is inputs[0])
            calls.append(name)

        return note

    handles = []
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d):
            handles.append(module.register_forward_hook(after_convolution(name)))
        elif isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            handles.append(module.register_forward_pre_hook(before_norm(name)))
    backbone(picture)
    for handle in handles:
        handle.remove()
    return [pair for pair in pairs if all(calls.count(name) == 1 for name in pair)]


def _fold(backbone: Backbone, *, convolution: str, norm: str) -> None:
    """Multiply and shift one convolution as its batch norm would, and take the norm out."""
    conv, bn = backbone.get_submodule(convolution), backbone.get_submodule(norm)
    if not isinstance(conv, nn.Conv2d) or not isinstance(bn, nn.BatchNorm2d):
        raise TypeError(f"{convolution} and {norm} are not a convolution and a batch norm")
    mean, variance = bn.running_mean, bn.running_var
    if mean is None or variance is None:
        raise TypeError(f"{norm} keeps no statistics")
    scale = (variance.double() + bn.eps).rsqrt()
    shift = -mean.double() * scale
    if bn.affine:
        scale, shift = scale * bn.weight.double(), shift * bn.weight.double() + bn.bias.double()
    bias = shift if conv.bias is None else shift + conv.bias.double() * scale
    weight = conv.weight
    conv.bias = nn.Parameter(bias.to(weight), requires_grad=weight.requires_grad)
    weight.copy_((weight.double() * scale[:, None, None, None]).to(weight))
    children = dict(bn.named_children())  # timm's batch norm brings its activation
    backbone.set_submodule(norm, children.get("act", nn.Identity()))


def _compare(original: Backbone, folded: Backbone, picture: Float[Tensor, "1 3 h w"]) -> None:
    expected, found = original(picture), folded(picture)
    for layer, feature in expected.items():
        scale = feature.abs().max().clamp(min=torch.finfo(feature.dtype).tiny)
        error = float((found[layer] - feature).abs().max() / scale)
        if not error <= TOLERANCE:
            raise ValueError(
                f"batch norm cannot be folded away in backbone {original.name}: layer {layer} changes by {error:.2g}"
            )


@torch.no_grad()
def to_standard_alexnet(backbone: Backbone) -> StandardAlexNet:
    """Turn the dilated AlexNet into the ordinary one: batch norm folded, pool5 of stride 2, linear fc6 and fc7.

    For a picture of 227 pixels its fc6 and fc7 are the dilated net's at position (6, 6) of 13 x 13.

    Raises:
        ValueError: if the backbone is not a dilated AlexNet.
    """
    if not isinstance(backbone, AlexNet):
        raise ValueError(  # noqa: TRY004 it is which network that is wrong
            f"only alexnet and alexnet-small have an ordinary form, got {backbone.name}"
        )
    state = (backbone if backbone.folded else fold_batch_norm(backbone)).state_dict()
    for layer in ("fc6", "fc7"):
        state[f"{layer}.weight"] = state[f"{layer}.weight"].flatten(1)
    standard = empty_backbone(f"{backbone.name}-standard", taps=backbone.taps)
    if not isinstance(standard, StandardAlexNet):
        raise TypeError(f"{standard.name} is not an ordinary AlexNet")
    standard.load_state_dict(state)
    return standard.to(next(backbone.parameters()).device).eval()
