"""SimCLR: two views of a picture are nearer to each other than to all other views (Chen et al., ICML 2020).

The head is the paper's formula, W2 relu(W1 h), without the batch norms of the released code. Optimiser, sizes and steps are the
recipe's; as in the paper the head is thrown away.
"""

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.initialise import initialise, without_weights
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import InputNormalisation, normalise
from scenelift.adapt.pretext.retrieval import (
    draw_nearest,
    judge_retrieval,
    other_view,
    similarities,
)
from scenelift.adapt.pretext.task import Pictures, PretextTask
from scenelift.adapt.pretext.views import ViewSettings, random_view
from scenelift.adapt.ranks import gather


@dataclass(frozen=True, kw_only=True, slots=True)
class SimCLRSettings:
    """Temperature and head as published for ImageNet with short training."""

    name: Literal["simclr"] = "simclr"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that is pooled and read; auto: the last."""
    temperature: float = 0.5
    """Cosines are divided by it."""
    head: Literal["mlp", "linear"] = "mlp"
    """mlp: two layers, the hidden one as wide as the feature map; linear: one layer, as MGM's release has."""
    width: int = 128
    """Of the embedding; MGM's release has 64."""
    views: ViewSettings = field(default_factory=ViewSettings)
    """How the two views differ from their picture."""

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive, got {self.temperature}")
        if self.width < 1:
            raise ValueError(f"width must be at least 1, got {self.width}")


class SimCLR(PretextTask):
    """A head embeds the pooled map of each view; NT-Xent over the views of all ranks."""

    captions = MappingProxyType({"simclr": ("one view", "another", "the nearest to the first")})

    def __init__(
        self, settings: SimCLRSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self._settings = settings
        name = backbone.output_layer if settings.layer == "auto" else settings.layer
        self._layer = backbone.layer(name)
        channels = self._layer.channels

        def head() -> nn.Module:
            if settings.head == "linear":
                return nn.Linear(channels, settings.width)
            return nn.Sequential(
                nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, settings.width)
            )

        self.head = without_weights(head)
        initialise(self.head, init="default", generator=generator)

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return NT-Xent over two views of every picture."""
        first, second = self._embed(backbone, self.draw_views(batch))
        figures = judge_retrieval(first, second)
        loss = nt_xent(gather(first), gather(second), temperature=self._settings.temperature)
        return loss, {"accuracy/retrieval": figures["accuracy/retrieval"]}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return how often the other view is found in the batch, beside chance."""
        first, second = self._embed(backbone, self.draw_views(batch))
        loss = nt_xent(first, second, temperature=self._settings.temperature)
        return {"loss/task": loss, **judge_retrieval(first, second)}

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show two views of each picture, and the view found nearest to the first."""
        views = self.draw_views(batch)
        first, second = self._embed(backbone, views)
        return {"simclr": draw_nearest(*views, first=first, second=second)}

    def draw_views(
        self, batch: Batch
    ) -> tuple[Float32[Tensor, "n 3 s s"], Float32[Tensor, "n 3 s s"]]:
        """Return two views of each picture, sRGB from 0 to 1."""
        settings, images, seeds = self._settings.views, batch["image"], batch["sample_seed"]
        return (
            random_view(images, seeds, number=0, settings=settings),
            random_view(images, seeds, number=1, settings=settings),
        )

    def _embed(
        self, backbone: Backbone, views: tuple[Float[Tensor, "n 3 s s"], Float[Tensor, "n 3 s s"]]
    ) -> tuple[Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        pixels = normalise(torch.cat(views), normalisation=self.normalisation)
        features = backbone(pixels, until=self._layer.name)
        embedded: Tensor = self.head(features[self._layer.name].mean(dim=(2, 3)))
        first, second = embedded.float().chunk(2)
        return first, second


def nt_xent(
    first: Float[Tensor, "n d"], second: Float[Tensor, "n d"], *, temperature: float
) -> Float[Tensor, ""]:
    """Return the normalised temperature-scaled cross entropy of Chen et al. (ICML 2020), equation 1.

    The mean over all 2 n views of -log softmax of cosine / temperature at the other view of the same picture, among all views but
    the view itself.

    Args:
        first: Embeddings of any length, not zero.
        second: Of the other views of the same pictures. Several ranks: both of all ranks (`ranks.gather`).
        temperature: Positive.
    """
    logits = similarities(first, second) / temperature
    return F.cross_entropy(logits, other_view(len(first), device=logits.device))
