"""Counting: a picture holds as many of each thing as its four quarters together (Noroozi, Pirsiavash and Favaro, ICCV 2017).

The counts are read from the mean of the last map by one linear layer and a ReLU, where the paper's AlexNet has three; so
quarters of any side will do that the backbone takes. Tiles and halved pictures have the same size and pass in one batch.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD, uniform
from scenelift.adapt.method import Batch, Clock, PictureSizeError
from scenelift.adapt.network_input import InputNormalisation, normalise
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.task import Pictures, PretextTask

_GREY, _FILTER = range(60, 62)
_LUMA = (0.299, 0.587, 0.114)
_BAR_PX = 4
"""Width of a count that is drawn, and of the gap beside it."""
_UP: tuple[int, int, int] = (60, 110, 170)
_DOWN: tuple[int, int, int] = (210, 130, 50)


@dataclass(frozen=True, kw_only=True, slots=True)
class CountingSettings:
    """The loss as published, with its margin."""

    name: Literal["counting"] = "counting"
    """Which system this is."""
    layer: str = "auto"
    """The feature map whose mean is read; auto: the last."""
    counts: int = 1000
    """Length of the vector of counts."""
    margin: float = 10.0
    """M: how far the counts of another picture have to be, as a squared distance."""
    grey_probability: float = 0.5
    """Share of pictures that lose their colour, so that colour fringes tell nothing."""

    def __post_init__(self) -> None:
        if self.counts < 1:
            raise ValueError(f"counts must be at least 1, got {self.counts}")
        if not self.margin > 0:
            raise ValueError(f"margin must be positive, got {self.margin}")
        if not 0 <= self.grey_probability <= 1:
            raise ValueError(f"grey_probability must be from 0 to 1, got {self.grey_probability}")


class Counting(PretextTask):
    """A linear layer and a ReLU over the pooled last map count."""

    captions = MappingProxyType(
        {"counting": ("picture", "nearest by counts", "up: whole, down: tiles")}
    )

    def __init__(
        self, settings: CountingSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self._settings = settings
        name = backbone.output_layer if settings.layer == "auto" else settings.layer
        self._layer = backbone.layer(name)
        self.counter = nn.Linear(self._layer.channels, settings.counts)
        with torch.no_grad():
            # Squared distances begin near the margin, where both terms of the loss act.
            deviation = (settings.margin / (settings.counts * self._layer.channels)) ** 0.5
            self.counter.weight.normal_(0.0, deviation, generator=generator)
            self.counter.bias.zero_()

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the mean of |own - tiles|^2 + max(0, M - |other - tiles|^2); the other is the batch's next picture."""
        images = _grey(batch, probability=self._settings.grey_probability)
        whole, tiles = self._count(backbone, images, seeds=batch["sample_seed"])
        own, other = counting_terms(whole, tiles, margin=self._settings.margin)
        scalars = {
            "loss/own": own.detach(),
            "loss/other": other.detach(),
            "accuracy/counting": _retrieval(whole, tiles),
        }
        return own + other, scalars

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return how often the own picture is the nearest of the batch by its counts, and its squared distance beside the next's."""
        whole, tiles = self._count(backbone, batch["image"].float() / 255)
        own, other = counting_terms(whole, tiles, margin=self._settings.margin)
        return {
            "loss/task": own + other,
            "accuracy/counting": _retrieval(whole, tiles),
            "chance/counting": torch.tensor(1 / len(whole)),
            "error/counting": own,
            "baseline/counting": _squares(whole.roll(-1, 0), tiles).mean(),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show each picture, the one whose counts are nearest to its tiles', and the greatest counts of whole and tiles."""
        whole, tiles = self._count(backbone, batch["image"].float() / 255)
        nearest = _distances(whole, tiles).argmin(dim=1)
        pictures = draw_image(batch["image"]).cpu()
        bars = draw_counts(whole, tiles, side_px=pictures.shape[1])
        return {"counting": side_by_side(pictures, pictures[nearest.cpu()], bars.cpu())}

    def _count(
        self,
        backbone: Backbone,
        images: Float[Tensor, "n 3 h w"],
        *,
        seeds: Int64[Tensor, " n"] | None = None,
    ) -> tuple[Float32[Tensor, "n k"], Float32[Tensor, "n k"]]:
        """Return the counts of the halved pictures and the sums over their tiles; drawn filters where there are seeds."""
        pieces = torch.cat([halved(images, seeds=seeds), quarters(images)])
        seen = normalise(pieces, normalisation=self.normalisation)
        features = backbone(seen, until=self._layer.name)[self._layer.name]
        height, width = seen.shape[-2:]
        if min(features.shape[-2:]) < 2:  # where AlexNet's dilated fc6 reads padding alone
            raise PictureSizeError(
                f"tiles of {width} x {height} pixels leave one position of {self._layer.name}: counting needs larger crops"
            )
        counts = torch.relu(self.counter(features.mean(dim=(2, 3)))).float()
        count = len(images)
        return counts[:count], counts[count:].view(4, count, -1).sum(dim=0)


def quarters(images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "m 3 h2 w2"]:
    """Cut pictures into four tiles; all of one corner lie together. An odd last row or column is dropped."""
    height, width = images.shape[2] // 2, images.shape[3] // 2
    corners = [(top, left) for top in (0, height) for left in (0, width)]
    return torch.cat(
        [images[:, :, top : top + height, left : left + width] for top, left in corners]
    )


def halved(
    images: Float[Tensor, "n 3 h w"], *, seeds: Int64[Tensor, " n"] | None = None
) -> Float[Tensor, "n 3 h2 w2"]:
    """Bring pictures to half their side, by the mean of 2 x 2 pixels or, with seeds, by one of three filters drawn for each.

    A filter that is always the same leaves a trace that tells halved pictures from tiles.
    """
    height, width = images.shape[2] // 2, images.shape[3] // 2
    even = images[:, :, : 2 * height, : 2 * width]
    mean = F.avg_pool2d(even, 2)
    if seeds is None:
        return mean
    linear = F.interpolate(even, size=(height, width), mode="bilinear", antialias=True)
    cubic = F.interpolate(even, size=(height, width), mode="bicubic", antialias=True)
    choice = (uniform(seeds, salt=_FILTER) * 3).to(torch.int64)[:, None, None, None]
    return torch.where(choice == 0, mean, torch.where(choice == 1, linear, cubic.clamp(0, 1)))


def counting_terms(
    whole: Float[Tensor, "n k"], tiles: Float[Tensor, "n k"], *, margin: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the two terms of the loss, each the mean over pictures.

    >>> zero = torch.zeros(2, 3)
    >>> [float(term) for term in counting_terms(zero, zero, margin=10.0)]
    [0.0, 10.0]
    """
    own = _squares(whole, tiles).mean()
    other = (margin - _squares(whole.roll(-1, 0), tiles)).clamp(min=0).mean()
    return own, other


def draw_counts(
    whole: Float[Tensor, "n k"], tiles: Float[Tensor, "n k"], *, side_px: int
) -> Pictures:
    """Draw the counts that are greatest on average as bars in a square: of the whole upwards, of the tiles' sum downwards."""
    order = (whole + tiles).mean(dim=0).argsort(descending=True)[: side_px // _BAR_PX]
    both = torch.stack([whole[:, order], tiles[:, order]], dim=1)
    half = side_px // 2
    lengths = both / both.amax().clamp(min=1e-6) * (half - 2)
    wide = lengths.repeat_interleave(_BAR_PX, dim=2)
    wide[:, :, _BAR_PX - 1 :: _BAR_PX] = 0
    wide = F.pad(wide, (0, side_px - wide.shape[2]))
    rows = torch.arange(half, device=whole.device)[None, :, None]
    bars = torch.full((len(whole), side_px, side_px, 3), 255, dtype=torch.uint8)
    bars = bars.to(whole.device)
    bars[:, :half][half - 1 - rows < wide[:, :1]] = torch.tensor(
        _UP, dtype=torch.uint8, device=whole.device
    )
    bars[:, side_px - half :][rows < wide[:, 1:]] = torch.tensor(
        _DOWN, dtype=torch.uint8, device=whole.device
    )
    return bars


def _grey(batch: Batch, *, probability: float) -> Float32[Tensor, "n 3 h w"]:
    """Take the colour from some pictures."""
    images = batch["image"].float() / 255
    red, green, blue = images.unbind(dim=1)
    grey = (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue)[:, None]
    chosen = uniform(batch["sample_seed"], salt=_GREY) < probability
    return torch.where(chosen[:, None, None, None], grey, images)


def _squares(left: Float[Tensor, "n k"], right: Float[Tensor, "n k"]) -> Float[Tensor, " n"]:
    return (left.float() - right.float()).square().sum(dim=1)


def _distances(whole: Float[Tensor, "n k"], tiles: Float[Tensor, "n k"]) -> Float[Tensor, "n n"]:
    """Return the distance of each picture's tiles (rows) to every whole (columns)."""
    return torch.cdist(tiles, whole, compute_mode="donot_use_mm_for_euclid_dist")


@torch.no_grad()
def _retrieval(whole: Float[Tensor, "n k"], tiles: Float[Tensor, "n k"]) -> Float[Tensor, ""]:
    """Return how often the own picture is the nearest."""
    own = torch.arange(len(whole), device=whole.device)
    return (_distances(whole, tiles).argmin(dim=1) == own).float().mean()
