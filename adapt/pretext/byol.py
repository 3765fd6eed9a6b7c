"""BYOL: a network predicts what a slow copy of it sees in another view (Grill et al., NeurIPS 2020); no negatives.

Written here and not taken from lightly 1.6: what it has of BYOL are two small heads, whose weights come from the global random state,
and a cosine, and it brings PyTorch Lightning, Hydra and a dozen packages behind them.

Departures: both views pass through a network as one batch, whose statistics their batch norms share (published: one view after the
other); widths default to 512 and 128 (published: 4096 and 256); the optimiser is the recipe's (published: LARS).
"""

import copy
import math
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
from scenelift.adapt.pretext.retrieval import draw_nearest, judge_retrieval
from scenelift.adapt.pretext.task import Pictures, PretextTask
from scenelift.adapt.pretext.views import ViewSettings, random_view

FIRST = ViewSettings(brightness=0.4, contrast=0.4, saturation=0.2, hue=0.1, blur_probability=1.0)
"""The first published set of distortions."""
SECOND = ViewSettings(
    brightness=0.4,
    contrast=0.4,
    saturation=0.2,
    hue=0.1,
    blur_probability=0.1,
    solarise_probability=0.2,
)
"""The second."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BYOLSettings:
    """Momentum and views as published for ImageNet with 1000 epochs."""

    name: Literal["byol"] = "byol"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that is pooled and read; auto: the last."""
    hidden: int = 512
    """Width of the hidden layer of projector and predictor."""
    width: int = 128
    """Of the projection."""
    momentum: float = 0.996
    """Share of the slow copy that stays at the first step; it rises to 1 along a cosine."""
    first: ViewSettings = field(default_factory=lambda: FIRST)
    """How the first view differs from its picture."""
    second: ViewSettings = field(default_factory=lambda: SECOND)
    """How the second does."""

    def __post_init__(self) -> None:
        if not 0 <= self.momentum <= 1:
            raise ValueError(f"momentum must be from 0 to 1, got {self.momentum}")
        if self.hidden < 1 or self.width < 1:
            raise ValueError(
                f"hidden and width must be at least 1, got {self.hidden} and {self.width}"
            )
        if self.first.side_px != self.second.side_px:
            raise ValueError(
                f"both views must have one side_px, got {self.first.side_px} and {self.second.side_px}"
            )


class BYOL(PretextTask):
    """Projector and predictor that learn, and a slow copy of backbone and projector that does not."""

    captions = MappingProxyType({"byol": ("one view", "another", "the nearest to the first")})

    def __init__(
        self, settings: BYOLSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self._settings = settings
        name = backbone.output_layer if settings.layer == "auto" else settings.layer
        self._layer = backbone.layer(name)
        widths = (self._layer.channels, settings.hidden, settings.width)
        self.projector = _mlp(*widths, generator=generator)
        self.predictor = _mlp(settings.width, settings.hidden, settings.width, generator=generator)
        self.slow_backbone = copy.deepcopy(backbone).requires_grad_(False)
        self.slow_projector = copy.deepcopy(self.projector).requires_grad_(False)

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the distance of each view's prediction to the other view's slow projection."""
        loss, first, second = self._distance(backbone, self.draw_views(batch))
        figures = judge_retrieval(first, second)
        return loss, {
            "accuracy/retrieval": figures["accuracy/retrieval"],
            "std/projection": spread(torch.cat([first, second]).detach()),
        }

    @torch.no_grad()
    def after_step(self, backbone: Backbone, *, clock: Clock) -> None:
        """Move the slow copy's parameters towards the network's; its batch norms keep statistics of what it sees itself."""
        keep = momentum_at(clock, first=self._settings.momentum)
        for slow, fast in (
            (self.slow_backbone, backbone),
            (self.slow_projector, self.projector),
        ):
            for mine, theirs in zip(slow.parameters(), fast.parameters(), strict=True):
                mine.lerp_(theirs, 1 - keep)

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return how often the other view is found in the batch beside chance, and the spread of projections.

        A collapsed network is at chance, and its spread at 0; that of directions without any preference is 1.
        """
        loss, first, second = self._distance(backbone, self.draw_views(batch))
        return {
            "loss/task": loss,
            **judge_retrieval(first, second),
            "quality/spread": spread(torch.cat([first, second])),
            "baseline/spread": torch.tensor(0.0),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show two views of each picture, and the view found nearest to the first."""
        views = self.draw_views(batch)
        _, first, second = self._distance(backbone, views)
        return {"byol": draw_nearest(*views, first=first, second=second)}

    def draw_views(
        self, batch: Batch
    ) -> tuple[Float32[Tensor, "n 3 s s"], Float32[Tensor, "n 3 s s"]]:
        """Return two views of each picture, sRGB from 0 to 1."""
        settings, images, seeds = self._settings, batch["image"], batch["sample_seed"]
        return (
            random_view(images, seeds, number=0, settings=settings.first),
            random_view(images, seeds, number=1, settings=settings.second),
        )

    def _distance(
        self, backbone: Backbone, views: tuple[Float[Tensor, "n 3 s s"], Float[Tensor, "n 3 s s"]]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "n d"], Float[Tensor, "n d"]]:
        """Return the loss and both views' projections."""
        pixels = normalise(torch.cat(views), normalisation=self.normalisation)
        projected = self._project(backbone, self.projector, pixels)
        predicted: Tensor = self.predictor(projected)
        with torch.no_grad():
            target = self._project(self.slow_backbone, self.slow_projector, pixels)
        first, second = projected.float().chunk(2)
        swapped = target.float().roll(len(first), dims=0)
        return byol_loss(predicted.float(), swapped), first, second

    def _project(
        self, backbone: Backbone, projector: nn.Module, pixels: Float[Tensor, "m 3 s s"]
    ) -> Float[Tensor, "m d"]:
        features = backbone(pixels, until=self._layer.name)
        projected: Tensor = projector(features[self._layer.name].mean(dim=(2, 3)))
        return projected


def byol_loss(predicted: Float[Tensor, "m d"], target: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """Return the squared distance of unit vectors, 2 - 2 cosine, of both views of a picture together (equations 2 and 3).

    Args:
        predicted: Of both views of n pictures, m = 2 n rows.
        target: What each is to be; no gradient passes.

    Returns:
        From 0 to 8: the mean over rows, twice, since the published loss adds both views' up.
    """
    return 2 * (2 - 2 * F.cosine_similarity(predicted, target.detach(), dim=1)).mean()


def momentum_at(clock: Clock, *, first: float) -> float:
    """Return 1 - (1 - first) (cos(pi k / K) + 1) / 2.

    >>> momentum_at(Clock(step=0, steps=10), first=0.996), momentum_at(Clock(step=10, steps=10), first=0.996)
    (0.996, 1.0)
    """
    return 1 - (1 - first) * (math.cos(math.pi * clock.progress) + 1) / 2


def spread(embedded: Float[Tensor, "m d"]) -> Float[Tensor, ""]:
    """Return the standard deviation of unit vectors' coordinates, times sqrt(d): 0 if all are one, 1 if they go everywhere."""
    unit = F.normalize(embedded.float(), dim=1)
    return unit.std(dim=0, correction=0).square().mean().sqrt() * math.sqrt(unit.shape[1])


def _mlp(inputs: int, hidden: int, outputs: int, *, generator: torch.Generator) -> nn.Sequential:
    """Build linear, batch norm, ReLU, linear."""
    mlp = without_weights(
        lambda: nn.Sequential(
            nn.Linear(inputs, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        )
    )
    initialise(mlp, init="default", generator=generator)
    return mlp
