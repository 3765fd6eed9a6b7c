"""Context prediction: where beside a patch does another one lie (Doersch, Gupta and Efros, ICCV 2015).

Published patches have 96 of 387 to 671 pixels; here all sizes are shares of the picture's or the patch's side. Differences: batch
norm at every layer, with scale and shift; pairs are cut anywhere in the picture, not from one jittered grid; a patch's root mean
square becomes the deviation of normalised pictures, which is 58 of 255 where the paper takes 50.
"""

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.method import Batch, Clock, PictureSizeError
from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.aberration import colour_matrices, mix_colours
from scenelift.adapt.pretext.patches import cut_patches, draws, scale_of, whole_numbers
from scenelift.adapt.pretext.pixelation import pixelate
from scenelift.adapt.pretext.siamese import Siamese, set_conv1_stride
from scenelift.adapt.pretext.task import Pictures, PretextTask

AROUND = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
"""Rows and columns from the first patch to the second, by answer."""
_SALT = 2_000
_RELATION, _PLACE, _JITTER, _PIXEL, _CHANNEL, _NOISE = (
    _SALT, _SALT + 100, _SALT + 300, _SALT + 700, _SALT + 1100, _SALT + 2000,
)  # fmt: skip
_MOST_PAIRS = 64
_TRUE, _ANSWERED, _FIRST = (90, 220, 90), (240, 90, 80), (255, 255, 255)


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextSettings:
    """Sizes and chances as published; shares of the side of the picture (`patch`) or of the patch (the others)."""

    name: Literal["context"] = "context"
    """Which system this is."""
    patch: float = 0.2
    """Side of a patch; published 96 of 387 to 671 pixels, 0.14 to 0.25."""
    gap: float = 0.5
    """Between two patches, before jitter."""
    jitter: float = 7 / 96
    """How far each patch may lie from its place, in any direction; at least a pixel, unless 0."""
    pairs: int = 4
    """Taken from each picture in a step."""
    colour: Literal["drop", "project", "keep"] = "drop"
    """drop: one channel of each patch is kept, noise takes the place of the others; project: the axis from magenta to green is
    lost; keep: nothing is done against chromatic aberration."""
    noise: float = 0.5
    """Greatest value of that noise; full intensity is 255."""
    pixelated: float = 1 / 3
    """Share of patches brought to few pixels and back."""
    least_pixels: float = 100 / 96**2
    """Of such a patch, as a share; the greatest is 95^2 of 96^2."""
    conv1_stride: int | None = None
    """Of an AlexNet while it learns this; None leaves any backbone as it is, as published."""
    layer: str = "auto"
    """The map that is read; auto: the one below fc6, else the last."""
    map_px: int = 3
    """Side to which a patch's map is pooled."""
    fc6: int = 4096
    """Units a patch."""
    fc7: tuple[int, ...] = (4096, 4096)
    """Units of the layers over both patches."""

    def __post_init__(self) -> None:
        for name, least, greatest in (
            ("patch", 0.01, 0.4),
            ("gap", 0.0, 4.0),
            ("jitter", 0.0, 0.5),
            ("noise", 0.0, 255.0),
            ("pixelated", 0.0, 1.0),
            ("least_pixels", 0.0, 1.0),
            ("pairs", 1, _MOST_PAIRS),
        ):
            value = getattr(self, name)
            if not least <= value <= greatest:
                raise ValueError(f"{name} must be from {least} to {greatest}, got {value}")
        if self.jitter > self.gap / 2:
            raise ValueError(
                f"jitter ({self.jitter:.3g}) must be at most half the gap ({self.gap:.3g}), or patches would overlap"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Pairs:
    """Where the two patches of each pair lie, and how the second lies to the first."""

    top_px: Int64[Tensor, "n pairs 2"]
    left_px: Int64[Tensor, "n pairs 2"]
    relation: Int64[Tensor, "n pairs"]
    """Index of `AROUND`."""


class Context(PretextTask):
    """Two patches of a picture; the answer is which of eight neighbours the second is."""

    captions = MappingProxyType(
        {"context": ("green true, red answered", "the first, as seen", "the second")}
    )

    def __init__(
        self, settings: ContextSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self.settings = settings
        self.alters_backbone = set_conv1_stride(backbone, settings.conv1_stride)
        self.siamese = Siamese(
            backbone,
            layer=settings.layer,
            num_patches=2,
            map_px=settings.map_px,
            fc6=settings.fc6,
            fc7=settings.fc7,
            num_answers=len(AROUND),
            generator=generator,
        )

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the cross entropy over the eight neighbours, of all pairs."""
        logits, truth = self._answer(backbone, batch)
        return F.cross_entropy(logits, truth), {"accuracy/context": _accuracy(logits, truth)}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return accuracy beside chance."""
        logits, truth = self._answer(backbone, batch)
        return {
            "loss/task": F.cross_entropy(logits, truth),
            "accuracy/context": _accuracy(logits, truth),
            "chance/context": torch.tensor(1 / len(AROUND)),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show the first pair of each picture: white the first patch, green the second, red where it is believed; then both as seen."""
        image, seed = batch["image"], batch["sample_seed"]
        pairs = place_pairs(image.shape[-1], seed, settings=self.settings)
        inputs = self.inputs(batch)
        answers = self.siamese(backbone, inputs.flatten(0, 1)).argmax(dim=1)
        answers = answers.view(pairs.relation.shape)[:, 0].cpu()
        patch, step, _ = pair_sizes(image.shape[-1], settings=self.settings)
        drawn = draw_image(image).cpu()
        for row, (picture, answer) in enumerate(zip(drawn, answers.tolist(), strict=True)):
            tops, lefts = pairs.top_px[row, 0].tolist(), pairs.left_px[row, 0].tolist()
            down, right = AROUND[answer]
            if answer != int(pairs.relation[row, 0]):
                _frame(picture, tops[0] + down * step, lefts[0] + right * step, patch, _ANSWERED)
            _frame(picture, tops[0], lefts[0], patch, _FIRST)
            _frame(picture, tops[1], lefts[1], patch, _TRUE)
        seen = (
            (inputs[:, 0] / scale_of(self.normalisation) * 64 + 128).clamp(0, 255).to(torch.uint8)
        )
        columns = [
            draw_image(F.interpolate(side, size=image.shape[-2:], mode="nearest")).cpu()
            for side in seen.unbind(dim=1)
        ]
        return {"context": side_by_side(drawn, *columns)}

    def inputs(self, batch: Batch) -> Float[Tensor, "n pairs 2 3 t t"]:
        """Return the patches as the backbone sees them: mean 0 in each channel, root mean square that of normalised pictures.

        Raises:
            ValueError: if the pictures are too small to be cut like this.
        """
        settings, seed = self.settings, batch["sample_seed"]
        with torch.no_grad(), torch.autocast(seed.device.type, enabled=False):
            pictures = batch["image"].to(torch.float32, memory_format=torch.contiguous_format)
            side_px = pictures.shape[-1]
            pairs = place_pairs(side_px, seed, settings=settings)
            patches = cut_patches(
                pictures,
                top_px=pairs.top_px.flatten(1),
                left_px=pairs.left_px.flatten(1),
                side_px=pair_sizes(side_px, settings=settings)[0],
            )
            number = patches.shape[1]
            shares = draws(seed, count=2 * number, salt=_PIXEL).view(-1, number, 2)
            patches = pixelate(
                patches,
                chosen=shares[..., 0] < settings.pixelated,
                share=shares[..., 1],
                least_pixels=settings.least_pixels,
            )
            patches = _without_aberration(patches, seed, settings=settings)
            size = patches.square().mean(dim=(2, 3, 4), keepdim=True).sqrt()
            patches = patches / size.clamp(min=1.0) * scale_of(self.normalisation)
            return patches.reshape(len(seed), -1, 2, *patches.shape[2:])

    def _answer(
        self, backbone: Backbone, batch: Batch
    ) -> tuple[Float[Tensor, "m 8"], Int64[Tensor, " m"]]:
        logits: Tensor = self.siamese(backbone, self.inputs(batch).flatten(0, 1))
        pairs = place_pairs(batch["image"].shape[-1], batch["sample_seed"], settings=self.settings)
        return logits, pairs.relation.flatten()


def pair_sizes(side_px: int, *, settings: ContextSettings) -> tuple[int, int, int]:
    """Return the side of a patch, the way from one to the next and the jitter, in pixels, for pictures of a side.

    Raises:
        ValueError: if a pair does not fit.

    >>> pair_sizes(480, settings=ContextSettings())
    (96, 144, 7)
    """
    patch = round(settings.patch * side_px)
    gap = round(settings.gap * patch)
    jitter = min(max(1, round(settings.jitter * patch)), gap // 2) if settings.jitter else 0
    if patch < 2 or 2 * patch + gap + 2 * jitter > side_px:
        raise PictureSizeError(
            f"pictures of {side_px} pixels are too small for two patches of {patch} with a gap of {gap}; "
            "choose larger pictures, a smaller patch or a smaller gap"
        )
    return patch, patch + gap, jitter


def place_pairs(side_px: int, seed: Int64[Tensor, " n"], *, settings: ContextSettings) -> Pairs:
    """Choose the pairs of each sample: any neighbour as likely, anywhere where both patches lie inside.

    Raises:
        ValueError: if a pair does not fit into pictures of that side.
    """
    patch, step, jitter = pair_sizes(side_px, settings=settings)
    count = settings.pairs
    relation = whole_numbers(draws(seed, count=count, salt=_RELATION), least=0, greatest=7)
    way = step * torch.tensor(AROUND, device=seed.device)[relation]  # n pairs 2: down, right
    room = side_px - patch - 2 * jitter - way.abs()
    shares = draws(seed, count=2 * count, salt=_PLACE).view(-1, count, 2)
    first = whole_numbers(shares, least=0, greatest=room) + jitter + (-way).clamp(min=0)
    both = torch.stack([first, first + way], dim=2)  # n pairs patch axis
    moves = draws(seed, count=4 * count, salt=_JITTER).view(both.shape)
    both = both + whole_numbers(moves, least=-jitter, greatest=jitter)
    return Pairs(top_px=both[..., 0], left_px=both[..., 1], relation=relation)


def _without_aberration(
    patches: Float[Tensor, "n p 3 t t"], seed: Int64[Tensor, " n"], *, settings: ContextSettings
) -> Float[Tensor, "n p 3 t t"]:
    """Centre each channel and, but for `keep`, take away what tells channels apart."""
    patches = patches - patches.mean(dim=(3, 4), keepdim=True)
    if settings.colour == "keep":
        return patches
    if settings.colour == "project":
        no = torch.zeros_like(seed, dtype=torch.bool)
        return mix_colours(patches, colour_matrices(grey=no, projected=~no, like=patches)[:, None])
    number = patches.shape[1]
    kept = whole_numbers(draws(seed, count=number, salt=_CHANNEL), least=0, greatest=2)
    pair = (len(seed), 2, *patches.shape[2:])
    # The same for all pairs of a picture: numbers for each pixel of each would cost more than the network's input.
    noise = draws(seed, count=math.prod(pair[1:]), salt=_NOISE).view(pair)
    noise = settings.noise * (2 * noise - 1)
    here = F.one_hot(kept, 3).bool()[..., None, None]
    return torch.where(here, patches, noise.repeat(1, number // 2, 1, 1, 1))


def _frame(
    picture: UInt8[Tensor, "h w 3"], top: int, left: int, side: int, colour: tuple[int, int, int]
) -> None:
    """Draw a square's border; what lies outside the picture is not drawn."""
    height, width, _ = picture.shape
    paint = torch.tensor(colour, dtype=torch.uint8)
    rows = slice(max(top, 0), min(top + side, height))
    columns = slice(max(left, 0), min(left + side, width))
    for edge in (top, top + 1, top + side - 2, top + side - 1):
        if 0 <= edge < height:
            picture[edge, columns] = paint
    for edge in (left, left + 1, left + side - 2, left + side - 1):
        if 0 <= edge < width:
            picture[rows, edge] = paint


def _accuracy(logits: Float[Tensor, "m k"], truth: Int64[Tensor, " m"]) -> Float[Tensor, ""]:
    return (logits.detach().argmax(dim=1) == truth).float().mean()
