"""Colorization: which colours does a grey picture have (Zhang, Isola and Efros, ECCV 2016).

The backbone reads L* in its three channels, where the paper's has one channel; its last map answers, by a 1x1 layer, where
the paper's is an AlexNet with dilated fc6. Prior and bins are computed, not read from the published files (`gamut.py`).
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.initialise import initialise
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import LIGHTNESS_INPUT, from_lab, standardise, to_lab
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.counted_prior import CountedPrior
from scenelift.adapt.pretext.gamut import (
    SoftBins,
    cross_entropy,
    decode,
    encode,
    gamut_bins,
    rebalance,
    smooth,
)
from scenelift.adapt.pretext.target_grid import on_grid, pooled
from scenelift.adapt.pretext.task import Pictures, PretextTask


@dataclass(frozen=True, kw_only=True, slots=True)
class ColorizationSettings:
    """Soft targets over bins of colour, rare colours weighing more."""

    name: Literal["colorization"] = "colorization"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that answers; auto: the last."""
    target_stride: int = 8
    """Pixels from one target to the next."""
    nearest: int = 10
    """Bins that a colour is spread over."""
    sigma: float = 5.0
    """Standard deviation of this spreading, and of the prior's smoothing, in units of a* and b*."""
    uniform_share: float = 0.5
    """What is mixed into the prior before it is inverted; 1: no rebalancing."""
    grey_below: float = 5.0
    """Pictures without any |a*| or |b*| above this teach nothing."""
    temperature: float = 0.38
    """Of the annealed mean that answers are drawn with."""
    prior_steps: int = 200
    """Steps whose pictures the prior is counted from; then it is frozen."""

    def __post_init__(self) -> None:
        check_encoding(self.target_stride, self.nearest, self.sigma, self.temperature)
        if not 0 < self.uniform_share <= 1:
            raise ValueError(
                f"uniform_share must lie above 0 and up to 1, got {self.uniform_share}"
            )


class Colorization(PretextTask):
    """A 1x1 layer over the last map tells 313 colours apart."""

    bins: Float32[Tensor, "q 2"]
    captions = MappingProxyType({"colorization": ("L* seen", "true colours", "answered colours")})

    def __init__(
        self, settings: ColorizationSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = LIGHTNESS_INPUT
        self._settings = settings
        name = backbone.output_layer if settings.layer == "auto" else settings.layer
        self._layer = backbone.layer(name)
        self.register_buffer("bins", gamut_bins(), persistent=False)
        self.prior = CountedPrior(len(self.bins), steps=settings.prior_steps)
        self.classifier = nn.Conv2d(self._layer.channels, len(self.bins), 1)
        initialise(self.classifier, init="default", generator=generator)

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the mean cross entropy over pixels, weighted by the factor of each one's colour, 0 in grey pictures."""
        lab = to_lab(batch["image"].float() / 255)
        ab, target = self._target(lab)
        self.prior.count(target.nearest, clock=clock)
        logits = self._answer(backbone, lab)
        weight = self._weight(ab, target)
        loss = (weight * cross_entropy(logits, target)).mean()
        hit = (logits.detach().argmax(dim=1) == target.nearest).float()
        return loss, {"accuracy/colour": weighted_mean(hit, weight)}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return distances in a*b*, the weighted cross entropy, and the accuracy weighted in the same way.

        - `error/colour`: of the colours as drawn, beside grey. Rebalancing makes them vivid at the cost of this distance.
        - `error/mean_colour`: of the mean colour after the factors are taken out of the answer again, beside the prior's mean.
        - `error/cross_entropy`, `accuracy/colour`: beside the best answer that sees no picture.
        """
        lab = to_lab(batch["image"].float() / 255)
        ab, target = self._target(lab)
        logits = self._answer(backbone, lab)
        weight = self._weight(ab, target)
        mixed = self._mixed_prior()
        known = mixed.log()[None, :, None, None].expand_as(logits)
        loss = (weight * cross_entropy(logits, target)).mean()
        told = decode(logits, bins=self.bins, temperature=self._settings.temperature)
        plain = decode(
            logits - self._factor().log()[:, None, None], bins=self.bins, temperature=1.0
        )
        usual = (self._smoothed_prior()[:, None] * self.bins).sum(dim=0)[None, :, None, None]
        hit = (logits.argmax(dim=1) == target.nearest).float()
        return {
            "loss/task": loss,
            "error/colour": colour_error(told, ab),
            "baseline/colour": colour_error(torch.zeros_like(ab), ab),
            "error/mean_colour": colour_error(plain, ab),
            "baseline/mean_colour": colour_error(usual.expand_as(ab), ab),
            "error/cross_entropy": loss,
            "baseline/cross_entropy": (weight * cross_entropy(known, target)).mean(),
            "accuracy/colour": weighted_mean(hit, weight),
            "chance/colour": mixed.max(),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show the lightness that was seen, the true colours and the answered ones."""
        lab = to_lab(batch["image"].float() / 255)
        logits = self._answer(backbone, lab)
        told = decode(logits, bins=self.bins, temperature=self._settings.temperature)
        seen = torch.cat([lab[:, :1], torch.zeros_like(lab[:, 1:])], dim=1)
        columns = (draw_lab(seen), draw_image(batch["image"]), draw_lab(with_colour(lab, told)))
        return {"colorization": side_by_side(*(column.cpu() for column in columns))}

    def _target(self, lab: Float[Tensor, "n 3 h w"]) -> tuple[Float[Tensor, "n 2 _ _"], SoftBins]:
        ab = pooled(lab[:, 1:], stride=self._settings.target_stride)
        settings = self._settings
        return ab, encode(ab, bins=self.bins, nearest=settings.nearest, sigma=settings.sigma)

    def _answer(
        self, backbone: Backbone, lab: Float[Tensor, "n 3 h w"]
    ) -> Float32[Tensor, "n q _ _"]:
        lightness = lab[:, :1].expand(-1, 3, -1, -1)
        seen = standardise(lightness, normalisation=self.normalisation)
        features = backbone(seen, until=self._layer.name)
        stride = self._settings.target_stride
        return on_grid(
            self.classifier(features[self._layer.name]),
            backbone=backbone,
            layer=self._layer,
            target_stride=stride,
            size=(lab.shape[2] // stride, lab.shape[3] // stride),
        )

    def _smoothed_prior(self) -> Float32[Tensor, " q"]:
        return smooth(self.prior.probability(), bins=self.bins, sigma=self._settings.sigma)

    def _factor(self) -> Float32[Tensor, " q"]:
        return rebalance(self._smoothed_prior(), uniform_share=self._settings.uniform_share)

    def _mixed_prior(self) -> Float32[Tensor, " q"]:
        """Return how much of the loss each bin carries: the best answer of who sees no picture."""
        return self._smoothed_prior() * self._factor()

    def _weight(self, ab: Float[Tensor, "n 2 h w"], target: SoftBins) -> Float[Tensor, "n h w"]:
        coloured = is_coloured(ab, grey_below=self._settings.grey_below)
        weight: Tensor = self._factor()[target.nearest] * coloured[:, None, None]
        return weight


def check_encoding(target_stride: int, nearest: int, sigma: float, temperature: float) -> None:
    """Refuse settings of bins that mean nothing.

    Raises:
        ValueError: in one line.
    """
    if target_stride < 1:
        raise ValueError(f"target_stride must be at least 1, got {target_stride}")
    if not 1 <= nearest <= 313:
        raise ValueError(f"nearest must be from 1 to 313, got {nearest}")
    if not (sigma > 0 and temperature > 0):
        raise ValueError(f"sigma and temperature must be positive, got {sigma} and {temperature}")


def is_coloured(ab: Float[Tensor, "n 2 h w"], *, grey_below: float) -> Bool[Tensor, " n"]:
    """Tell pictures that have some |a*| or |b*| above a limit."""
    return (ab.abs() > grey_below).flatten(1).any(dim=1)


def colour_error(
    told: Float[Tensor, "n 2 h w"], true: Float[Tensor, "n 2 h w"]
) -> Float[Tensor, ""]:
    """Return the mean distance in a*b*."""
    distance: Tensor = (told - true).square().sum(dim=1).sqrt()
    return distance.mean()


def weighted_mean(
    values: Float[Tensor, "n h w"], weight: Float[Tensor, "n h w"]
) -> Float[Tensor, ""]:
    """Return the mean by weights; 0 where all weights are 0."""
    return (weight * values).sum() / weight.sum().clamp(min=1e-6)


def with_colour(
    lab: Float[Tensor, "n 3 h w"], ab: Float[Tensor, "n 2 _ _"]
) -> Float[Tensor, "n 3 h w"]:
    """Put a coarse map of colours in the place of a picture's own."""
    fine = F.interpolate(ab, size=lab.shape[-2:], mode="bilinear", align_corners=False)
    return torch.cat([lab[:, :1], fine], dim=1)


def draw_lab(lab: Float[Tensor, "n 3 h w"]) -> Pictures:
    """Draw colours in Lab."""
    return draw_image((from_lab(lab) * 255).round().to(torch.uint8))
