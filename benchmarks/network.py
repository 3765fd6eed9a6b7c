"""The network that a benchmark judges: a backbone, how its pictures are normalised, and where its weights come from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.weights import InputNormalisation, load_weights, load_weights_into
from scenelift.benchmarks.card import NetworkFacts

RANDOM = "random"
"""Instead of a file: weights as the backbone draws them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A network to be judged; tasks never change it, they copy what they train."""

    backbone: Backbone
    """In evaluation mode, on the device."""
    normalisation: InputNormalisation
    facts: NetworkFacts

    @property
    def device(self) -> torch.device:
        """Where it lives."""
        return next(self.backbone.parameters()).device


def open_network(
    weights: str, *, backbone: str | None, seed: int, device: torch.device, label: str | None = None
) -> Network:
    """Build the network that weights belong to.

    Args:
        weights: A safetensors file of `adapt-train`, its run folder, any safetensors file whose tensors bear the backbone's names
            (then `backbone` is needed), or `random`.
        backbone: Its name; None if the weights tell it.
        seed: Of random weights.
        device: Where it goes.
        label: Its name in tables; the file's folder by default.

    Raises:
        WeightsError, ValueError: if the weights or the backbone cannot be used; one line.
        OSError: if the file cannot be opened.
    """
    imagenet = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
    if weights == RANDOM:
        if backbone is None:
            raise ValueError("random weights need --backbone NAME")
        net = build_backbone(backbone, generator=torch.Generator().manual_seed(seed))
        facts = NetworkFacts(label=label or RANDOM, backbone=net.name, weights=RANDOM, sha256="")
        return Network(backbone=net.eval().to(device), normalisation=imagenet, facts=facts)
    path = Path(weights)
    if path.is_dir():
        path = path / "weights.safetensors"
    if backbone is None:
        read = load_weights(path)
        net, normalisation = read.backbone, read.input_normalisation
    else:
        net = build_backbone(backbone, generator=torch.Generator().manual_seed(seed))
        load_weights_into(path, net)
        normalisation = imagenet
    facts = NetworkFacts(
        label=label or path.resolve().parent.name,
        backbone=net.name,
        weights=str(path),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    return Network(backbone=net.eval().to(device), normalisation=normalisation, facts=facts)


def to_input(
    images: UInt8[Tensor, "n 3 h w"], *, normalisation: InputNormalisation
) -> Float[Tensor, "n 3 h w"]:
    """Turn 8-bit sRGB pictures into what the network reads."""
    mean = torch.tensor(normalisation.mean, device=images.device).view(1, 3, 1, 1)
    std = torch.tensor(normalisation.std, device=images.device).view(1, 3, 1, 1)
    return (images.float() / 255 - mean) / std
