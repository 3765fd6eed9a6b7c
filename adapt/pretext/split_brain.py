"""Split-brain autoencoder: lightness tells colour, colour tells lightness (Zhang, Isola and Efros, CVPR 2017).

Two networks of half the width live in one backbone (`halves.py`). Both answers are classes of quantised values, as in the
released weights: 313 bins of a*b*, softly encoded and without rebalancing, and bins of L*, which are one-hot. Each half's
1x1 layer over its part of the last map stands for the paper's.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.initialise import initialise
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import LAB_INPUT, standardise, to_lab
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.colorization import (
    check_encoding,
    colour_error,
    draw_lab,
    with_colour,
)
from scenelift.adapt.pretext.counted_prior import CountedPrior
from scenelift.adapt.pretext.gamut import (
    SoftBins,
    cross_entropy,
    decode,
    encode,
    gamut_bins,
    smooth,
)
from scenelift.adapt.pretext.halves import halves, split
from scenelift.adapt.pretext.target_grid import on_grid, pooled
from scenelift.adapt.pretext.task import Pictures, PretextTask


@dataclass(frozen=True, kw_only=True, slots=True)
class SplitBrainSettings:
    """Two halves, each with the other's input as its target."""

    name: Literal["split-brain"] = "split-brain"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that answers; auto: the last."""
    target_stride: int = 8
    """Pixels from one target to the next."""
    lightness_bins: int = 100
    """Classes of L*."""
    nearest: int = 10
    """Bins that a colour is spread over."""
    sigma: float = 5.0
    """Standard deviation of this spreading, in units of a* and b*."""
    temperature: float = 0.38
    """Of the annealed mean that colours are drawn with."""
    prior_steps: int = 200
    """Steps whose pictures the priors are counted from, which answers are compared to."""

    def __post_init__(self) -> None:
        check_encoding(self.target_stride, self.nearest, self.sigma, self.temperature)
        if not 2 <= self.lightness_bins <= 256:
            raise ValueError(f"lightness_bins must be from 2 to 256, got {self.lightness_bins}")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Views:
    """What a batch is to the two halves."""

    lab: Float32[Tensor, "n 3 height width"]
    ab: Float32[Tensor, "n 2 h w"]
    colour: SoftBins
    lightness: Float32[Tensor, "n 1 h w"]
    lightness_bin: Int64[Tensor, "n h w"]


class SplitBrain(PretextTask):
    """One 1x1 layer over each half of the last map."""

    bins: Float32[Tensor, "q 2"]
    levels: Float32[Tensor, " m"]
    alters_backbone = True
    captions = MappingProxyType(
        {
            "split-brain": (
                "true colours",
                "colours from L*",
                "lightness",
                "lightness from a*b*",
            )
        }
    )

    def __init__(
        self, settings: SplitBrainSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = LAB_INPUT
        self._settings = settings
        name = backbone.output_layer if settings.layer == "auto" else settings.layer
        self._layer = backbone.layer(name)
        split(backbone)
        self.register_buffer("bins", gamut_bins(), persistent=False)
        middles = (torch.arange(settings.lightness_bins) + 0.5) * (100 / settings.lightness_bins)
        self.register_buffer("levels", middles, persistent=False)
        self.colour_prior = CountedPrior(len(self.bins), steps=settings.prior_steps)
        self.lightness_prior = CountedPrior(len(self.levels), steps=settings.prior_steps)
        half = self._layer.channels // 2
        self.colour_classifier = nn.Conv2d(half, len(self.bins), 1)
        self.lightness_classifier = nn.Conv2d(half, len(self.levels), 1)
        initialise(self.colour_classifier, init="default", generator=generator)
        initialise(self.lightness_classifier, init="default", generator=generator)

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the sum of the two mean cross entropies."""
        views = self._views(batch)
        self.colour_prior.count(views.colour.nearest, clock=clock)
        self.lightness_prior.count(views.lightness_bin, clock=clock)
        colour, lightness = self.answer(backbone, views.lab)
        of_colour = cross_entropy(colour, views.colour).mean()
        of_lightness = F.cross_entropy(lightness, views.lightness_bin)
        parts = {"loss/colour": of_colour.detach(), "loss/lightness": of_lightness.detach()}
        return of_colour + of_lightness, parts

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return, for both halves, cross entropy beside that of the prior alone, and the distance of the mean answer.

        The distance's baseline is grey for colours and the prior's mean for lightness.
        """
        views = self._views(batch)
        colour, lightness = self.answer(backbone, views.lab)
        prior = smooth(self.colour_prior.probability(), bins=self.bins, sigma=self._settings.sigma)
        known = prior.log()[None, :, None, None].expand_as(colour)
        levels = self.lightness_prior.probability()
        # A level that was never counted is not impossible.
        levels = 0.999 * levels + 0.001 / len(levels)
        known_levels = levels.log()[None, :, None, None].expand_as(lightness)
        told = decode(colour, bins=self.bins, temperature=self._settings.temperature)
        told_lightness = self._mean_lightness(lightness)
        of_colour = cross_entropy(colour, views.colour).mean()
        of_lightness = F.cross_entropy(lightness, views.lightness_bin)
        return {
            "loss/task": of_colour + of_lightness,
            "error/colour": colour_error(told, views.ab),
            "baseline/colour": colour_error(torch.zeros_like(views.ab), views.ab),
            "error/colour_cross_entropy": of_colour,
            "baseline/colour_cross_entropy": cross_entropy(known, views.colour).mean(),
            "error/lightness": (told_lightness - views.lightness).abs().mean(),
            "baseline/lightness": ((levels * self.levels).sum() - views.lightness).abs().mean(),
            "error/lightness_cross_entropy": of_lightness,
            "baseline/lightness_cross_entropy": F.cross_entropy(known_levels, views.lightness_bin),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show the picture, the colours that its lightness tells, its lightness, and the lightness that its colours tell."""
        lab = to_lab(batch["image"].float() / 255)
        colour, lightness = self.answer(backbone, lab)
        told = decode(colour, bins=self.bins, temperature=self._settings.temperature)
        told_lightness = F.interpolate(
            self._mean_lightness(lightness), size=lab.shape[-2:], mode="bilinear"
        )
        grey = torch.zeros_like(lab[:, 1:])
        columns = (
            draw_image(batch["image"]),
            draw_lab(with_colour(lab, told)),
            draw_lab(torch.cat([lab[:, :1], grey], dim=1)),
            draw_lab(torch.cat([told_lightness, grey], dim=1)),
        )
        return {"split-brain": side_by_side(*(column.cpu() for column in columns))}

    def answer(
        self, backbone: Backbone, lab: Float[Tensor, "n 3 height width"]
    ) -> tuple[Float32[Tensor, "n q h w"], Float32[Tensor, "n m h w"]]:
        """Return logits of the bins of colour, from L* alone, and of those of lightness, from a* and b* alone."""
        seen = standardise(lab, normalisation=self.normalisation)
        features = backbone(seen, until=self._layer.name)
        saw_lightness, saw_colour = halves(features[self._layer.name])
        stride = self._settings.target_stride
        size = (lab.shape[2] // stride, lab.shape[3] // stride)
        colour, lightness = (
            on_grid(answers, backbone=backbone, layer=self._layer, target_stride=stride, size=size)
            for answers in (
                self.colour_classifier(saw_lightness),
                self.lightness_classifier(saw_colour),
            )
        )
        return colour, lightness

    def _views(self, batch: Batch) -> _Views:
        settings = self._settings
        lab = to_lab(batch["image"].float() / 255)
        coarse = pooled(lab, stride=settings.target_stride)
        lightness, ab = coarse[:, :1], coarse[:, 1:]
        places = (lightness[:, 0] * (settings.lightness_bins / 100)).floor().to(torch.int64)
        return _Views(
            lab=lab,
            ab=ab,
            colour=encode(ab, bins=self.bins, nearest=settings.nearest, sigma=settings.sigma),
            lightness=lightness,
            lightness_bin=places.clamp(0, settings.lightness_bins - 1),
        )

    def _mean_lightness(self, logits: Float[Tensor, "n m h w"]) -> Float32[Tensor, "n 1 h w"]:
        probability = torch.softmax(logits.float(), dim=1)
        return (probability * self.levels[:, None, None]).sum(dim=1, keepdim=True)
