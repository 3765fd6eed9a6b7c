"""Networks that turn pictures into feature maps by name.

>>> import torch
>>> generator = torch.Generator().manual_seed(0)
>>> backbone = build_backbone("alexnet-small", generator=generator)
>>> features = backbone(torch.zeros(1, 3, 96, 128))
>>> list(features)
['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7']
>>> tuple(features["conv5"].shape), backbone.layer("conv5").stride
((1, 64, 5, 7), 16)
"""

import torch

from scenelift.adapt.backbones.alexnet import PAPER, SMALL, AlexNet, StandardAlexNet
from scenelift.adapt.backbones.backbone import Backbone, BackboneError, Layer, Taps
from scenelift.adapt.initialise import Init, initialise, without_weights

__all__ = [
    "BACKBONES",
    "Backbone",
    "BackboneError",
    "Layer",
    "Taps",
    "build_backbone",
    "empty_backbone",
]

BACKBONES = (
    "alexnet",
    "alexnet-small",
    "alexnet-standard",
    "alexnet-small-standard",
    "vgg16",
    "resnet18",
    "resnet50",
    "mgm-resnet",
    "mgm-resnet-small",
)
"""Names that `build_backbone` knows, beside `timm:NAME`."""


def build_backbone(
    name: str,
    *,
    generator: torch.Generator,
    init: Init = "default",
    taps: Taps = "post",
) -> Backbone:
    """Build a backbone with random weights, on the CPU.

    Args:
        name: One of `BACKBONES`, or `timm:NAME`.
        generator: Where weights are drawn from; torch's global random state stays as it is.
        init: How weights are drawn. For timm's networks `default` means timm's own way.
        taps: Whether feature maps are taken after the ReLU, as the released code does, or before.

    Raises:
        BackboneError, ValueError: if there is no such network, initialisation or tap; the message lists what there is.
        ImportError: if the network needs timm and it is not installed.
    """
    if name.startswith("timm:"):
        return _build_timm(name, generator=generator, init=init, taps=taps)
    backbone = empty_backbone(name, taps=taps)
    initialise(backbone, init=init, generator=generator)
    return backbone


def empty_backbone(name: str, *, taps: Taps = "post") -> Backbone:
    """Build a backbone whose weights hold nothing yet: for a caller that loads every one of them.

    Raises:
        ValueError: as `build_backbone` does.
        ImportError: as `build_backbone` does.
    """
    if name.startswith("timm:"):
        return _build_timm(name, generator=torch.Generator(), init="default", taps=taps)
    return without_weights(lambda: _construct(name, taps=taps))


def _construct(name: str, *, taps: Taps) -> Backbone:
    match name:
        case "alexnet":
            return AlexNet(name=name, widths=PAPER, taps=taps)
        case "alexnet-small":
            return AlexNet(name=name, widths=SMALL, taps=taps)
        case "alexnet-standard":
            return StandardAlexNet(name=name, widths=PAPER, taps=taps)
        case "alexnet-small-standard":
            return StandardAlexNet(name=name, widths=SMALL, taps=taps)
        case "vgg16":
            from scenelift.adapt.backbones.vgg import VGG16

            return VGG16(name=name, taps=taps)
        case "resnet18" | "resnet50":
            from scenelift.adapt.backbones.resnet import ResNet

            return ResNet(name=name, depth=18 if name == "resnet18" else 50, taps=taps)
        case "mgm-resnet" | "mgm-resnet-small":
            from scenelift.adapt.backbones.mgm_resnet import MgmResNet

            return MgmResNet(name=name, divisor=4 if name.endswith("small") else 1, taps=taps)
        case _:
            known = ", ".join(BACKBONES)
            raise BackboneError(f"there is no backbone {name!r}; choose one of {known}, timm:NAME")


def _build_timm(name: str, *, generator: torch.Generator, init: Init, taps: Taps) -> Backbone:
    from scenelift.adapt.backbones.from_timm import TimmBackbone

    # timm draws first weights from the global state, which is put back as it was.
    seed = int(torch.randint(2**62, (), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = TimmBackbone(name=name, taps=taps)
    if init != "default":
        initialise(backbone, init=init, generator=generator)
    return backbone
