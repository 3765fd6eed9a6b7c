"""Rotation: by which quarter turn was a picture turned (RotNet; Gidaris, Singh and Komodakis, ICLR 2018)."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.initialise import initialise, without_weights
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.task import Pictures, PretextTask

TURNS = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class RotationSettings:
    """All four turns of each picture are in the batch, as published."""

    name: Literal["rotation"] = "rotation"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that is pooled and read; auto: the last."""


class Rotation(PretextTask):
    """A linear layer over the pooled last map tells the four turns apart."""

    captions = MappingProxyType({"rotation": ("as seen", "turned back by the answer")})

    def __init__(
        self, settings: RotationSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        name = backbone.output_layer if settings.layer == "auto" else settings.layer
        self._layer = backbone.layer(name)
        channels = self._layer.channels
        self.classifier = without_weights(lambda: nn.Linear(channels, TURNS))
        initialise(self.classifier, init="default", generator=generator)

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the cross entropy over four turns of every picture."""
        logits, turns = self._answer(backbone, batch)
        loss = F.cross_entropy(logits, turns)
        return loss, {"accuracy/rotation": _accuracy(logits, turns)}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return accuracy beside chance."""
        logits, turns = self._answer(backbone, batch)
        return {
            "loss/task": F.cross_entropy(logits, turns),
            "accuracy/rotation": _accuracy(logits, turns),
            "chance/rotation": torch.tensor(1 / TURNS),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show each picture turned, and turned back by the answer."""
        logits, _ = self._answer(backbone, batch)
        turned = turn_all(batch["image"])
        count = len(batch["image"])
        chosen = [row + count * (row % TURNS) for row in range(count)]
        back = torch.stack(
            [torch.rot90(turned[row], -int(logits[row].argmax()), (1, 2)) for row in chosen]
        )
        return {"rotation": side_by_side(draw_image(turned[chosen]).cpu(), draw_image(back).cpu())}

    def _answer(
        self, backbone: Backbone, batch: Batch
    ) -> tuple[Float[Tensor, "m 4"], Int64[Tensor, " m"]]:
        turned = turn_all(batch["image"])
        features = backbone(
            network_input(turned, normalisation=self.normalisation), until=self._layer.name
        )
        pooled = features[self._layer.name].mean(dim=(2, 3))
        turns = torch.arange(TURNS, device=turned.device).repeat_interleave(len(batch["image"]))
        logits: Tensor = self.classifier(pooled)
        return logits.float(), turns


def turn_all(images: UInt8[Tensor, "n 3 s s"]) -> UInt8[Tensor, "m 3 s s"]:
    """Turn each picture by 0, 90, 180 and 270 degrees; all of one turn lie together."""
    return torch.cat([torch.rot90(images, turn, (2, 3)) for turn in range(TURNS)])


def _accuracy(logits: Float[Tensor, "n c"], truth: Int64[Tensor, " n"]) -> Float[Tensor, ""]:
    return (logits.detach().argmax(dim=1) == truth).float().mean()
