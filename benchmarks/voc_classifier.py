"""A backbone with a classifier on it, cut in three: its convolutions, fc6 and fc7, and the new layer fc8.

Batch norm is folded away first, as published. An AlexNet's fc6 and fc7 are its own: linear layers over the 6 x 6 map of crops of
223 to 238 pixels, else convolutions whose answers are averaged over the map. Other networks have none: the mean of their last map
is what fc8 reads, and two new layers stand between for the mode `fc6-8`.
"""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.backbones.alexnet import AlexNet
from scenelift.adapt.fold import fold_batch_norm, to_standard_alexnet

Mode = Literal["fc8", "fc6-8", "all"]
"""Which layers learn: the new one, the fully connected ones, or all."""

OWN = ("fc6", "fc7")
STANDARD_PX = (223, 238)
"""Crops of these sides reach the linear fc6 of an ordinary AlexNet as a map of 6 x 6."""


class VocClassifier(nn.Module):
    """Logits of classes; which of its parts learn is settled at its start."""

    def __init__(
        self,
        backbone: Backbone,
        *,
        mode: Mode,
        num_classes: int,
        hidden: int,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        """Take a backbone as `prepare_backbone` leaves it, and draw what is new.

        Args:
            backbone: Changed in place by learning.
            mode: What learns.
            num_classes: Width of fc8.
            hidden: Width of new layers fc6 and fc7, where the backbone has none and `mode` asks for them.
            dropout: Share of the values after fc6 and fc7 that are dropped in learning.
            generator: On the CPU, of first weights: fc8 N(0, 0.01) with bias 0.1, new layers He.
        """
        super().__init__()
        device = next(backbone.parameters()).device
        self.backbone = backbone
        self.mode: Mode = mode
        self.dropout = dropout
        names = [layer.name for layer in backbone.layers]
        self.own = tuple(name for name in names if name in OWN)
        self.last_convolution = [name for name in names if name not in OWN][-1]
        width = backbone.layers[-1].channels
        new: list[nn.Linear] = []
        if mode == "fc6-8" and not self.own:
            new = [
                _linear(size, hidden, std=math.sqrt(2 / size), generator=generator)
                for size in (width, hidden)
            ]
            width = hidden
        self.between = nn.ModuleList(new)
        self.fc8 = _linear(width, num_classes, std=0.01, generator=generator)
        nn.init.constant_(self.fc8.bias, 0.1)
        self.to(device)
        self.eval()

    def forward(
        self, images: Float[Tensor, "n 3 h w"], *, dropping: torch.Generator | None = None
    ) -> Float[Tensor, "n c"]:
        """Return logits.

        Args:
            images: Normalised.
            dropping: In learning, where dropped values are drawn from: a generator on the images' device.
        """
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.mode == "all"):
            x = self._convolutions(images)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.mode != "fc8"):
            for name in self.own:
                x = self._drop(torch.relu(self.backbone.before_relu(name, x)), dropping)
            y = x.mean(dim=(2, 3))
            for layer in self.between:
                y = self._drop(torch.relu(layer(y)), dropping)
        logits: Tensor = self.fc8(y)
        return logits

    def learning(self) -> list[tuple[str, nn.Parameter]]:
        """Return what learns, by name."""
        head = [item for item in self.named_parameters() if not item[0].startswith("backbone.")]
        own = [f"backbone.{name}." for name in self.own]
        body = [item for item in self.named_parameters() if item[0].startswith("backbone.")]
        fully_connected = [item for item in body if item[0].startswith(tuple(own))] if own else []
        match self.mode:
            case "fc8":
                return head
            case "fc6-8":
                return fully_connected + head
            case _:
                return body + head

    def is_fully_connected(self, name: str) -> bool:
        """Tell whether a parameter belongs to fc6, fc7 or fc8."""
        return not name.startswith("backbone.") or name.startswith(
            tuple(f"backbone.{layer}." for layer in OWN)
        )

    def _convolutions(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h2 w2"]:
        x = self.backbone(images, until=self.last_convolution)[self.last_convolution]
        return torch.relu(x) if self.backbone.taps == "pre" else x

    def _drop(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """Drop whole channels, so that a map loses what a vector would."""
        if generator is None or self.dropout == 0:
            return x
        shape = (*x.shape[:2], *(1 for _ in x.shape[2:]))
        kept = torch.rand(shape, generator=generator, device=x.device) >= self.dropout
        return x * kept / (1 - self.dropout)


def prepare_backbone(backbone: Backbone, *, crop_px: int) -> Backbone:
    """Copy a backbone without batch norm, in the form that crops of this size call for.

    Raises:
        ValueError: if its batch norm cannot be folded away, or the crops are too small for it.
    """
    if crop_px < backbone.min_size_px:
        raise ValueError(
            f"crops of {crop_px} pixels are too small for backbone {backbone.name}: at least {backbone.min_size_px}"
        )
    if isinstance(backbone, AlexNet) and STANDARD_PX[0] <= crop_px <= STANDARD_PX[1]:
        return to_standard_alexnet(backbone)
    return fold_batch_norm(backbone)


def describe_head(classifier: VocClassifier) -> str:
    """Say in a sentence what stands between convolutions and logits."""
    name = classifier.backbone.name
    if classifier.own and name.endswith("-standard"):
        return "fc6 and fc7 are the network's own, as linear layers over the 6 x 6 map of pool5"
    if classifier.own:
        return "fc6 and fc7 are the network's own convolutions; fc8 reads their mean over the map"
    if classifier.between:
        width = classifier.fc8.in_features
        return f"the network has no fc6 and fc7: two new layers of {width} stand on the mean of its last map"
    return "the network has no fc6 and fc7: fc8 stands on the mean of its last map"


def multilabel_loss(
    logits: Float[Tensor, "n c"], labels: Float[Tensor, "n c"]
) -> Float[Tensor, ""]:
    """Return the sigmoid cross-entropy, summed over classes, averaged over pictures; labels below 0 are ignored.

    >>> logits = torch.tensor([[0.0, 5.0]])
    >>> round(float(multilabel_loss(logits, torch.tensor([[1.0, -1.0]]))), 4)
    0.6931
    """
    each = F.binary_cross_entropy_with_logits(logits, labels.clamp(min=0), reduction="none")
    return torch.where(labels >= 0, each, 0).sum() / len(logits)


def _linear(size: int, width: int, *, std: float, generator: torch.Generator) -> nn.Linear:
    layer = nn.Linear(size, width, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        layer.weight.normal_(0, std, generator=generator)
        layer.bias.zero_()
    return layer
