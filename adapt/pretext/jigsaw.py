"""Jigsaw puzzles: which permutation shuffled the nine tiles of a picture (Noroozi and Favaro, ECCV 2016).

Published sizes belong to a crop of 255 pixels and scale with the side. Differences: batch norm in the place of local response
normalisation and dropout; tiles keep as far from the border of their cell as channels are shifted, so that no border shows through.
"""

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
from scenelift.adapt.pretext.aberration import colour_matrices, mix_colours, shift_channels
from scenelift.adapt.pretext.patches import cut_patches, draws, scale_of, whole_numbers
from scenelift.adapt.pretext.permutations import CELLS, distant_permutations
from scenelift.adapt.pretext.siamese import Siamese, set_conv1_stride
from scenelift.adapt.pretext.task import Pictures, PretextTask

GRID = 3
_SALT = 1_000
_PUZZLE, _COLOUR, _PLACE, _SHIFT = _SALT, _SALT + 1, _SALT + 10, _SALT + 50


@dataclass(frozen=True, kw_only=True, slots=True)
class JigsawSettings:
    """Sizes and chances as published, but for the number of permutations."""

    name: Literal["jigsaw"] = "jigsaw"
    """Which system this is."""
    permutations: int = 100
    """How many there are to tell apart; 1000 in the paper."""
    tile: float = 64 / 85
    """Side of a tile as a share of its cell, in which it lies anywhere."""
    channel_shift: float = 2 / 255
    """How far colour channels are cut from where the tile lies, at most, as a share of the side; at least a pixel. 0: not at all."""
    grey: float = 0.5
    """Share of pictures without colour."""
    projected: float = 0.5
    """Share of the others whose colours lose the axis from magenta to green."""
    conv1_stride: int | None = 2
    """Of an AlexNet while it learns this; its weights are used at stride 4. None leaves any backbone as it is."""
    layer: str = "auto"
    """The map that is read; auto: the one below fc6, else the last."""
    map_px: int = 3
    """Side to which a tile's map is pooled."""
    fc6: int = 1024
    """Units a tile."""
    fc7: tuple[int, ...] = (4096,)
    """Units of the layers over all tiles."""

    def __post_init__(self) -> None:
        if not 0 < self.tile <= 1:
            raise ValueError(f"tile must be above 0 and at most 1, got {self.tile}")
        if not 0 <= self.channel_shift <= 0.05:
            raise ValueError(f"channel_shift must be from 0 to 0.05, got {self.channel_shift}")
        for name in ("grey", "projected"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, got {getattr(self, name)}")


class Jigsaw(PretextTask):
    """The nine tiles of a picture in one of many orders; the answer is which."""

    captions = MappingProxyType(
        {"jigsaw": ("the picture", "its tiles, as seen", "as put by the answer")}
    )
    permutations: Int64[Tensor, "k 9"]

    def __init__(
        self, settings: JigsawSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self.settings = settings
        self.register_buffer(
            "permutations",
            torch.tensor(distant_permutations(settings.permutations), dtype=torch.int64),
        )
        self.alters_backbone = set_conv1_stride(backbone, settings.conv1_stride)
        self.siamese = Siamese(
            backbone,
            layer=settings.layer,
            num_patches=CELLS,
            map_px=settings.map_px,
            fc6=settings.fc6,
            fc7=settings.fc7,
            num_answers=settings.permutations,
            generator=generator,
        )

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the cross entropy over the permutations, one puzzle a picture."""
        logits, truth = self._answer(backbone, batch)
        return F.cross_entropy(logits, truth), {"accuracy/jigsaw": _accuracy(logits, truth)}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return accuracy beside chance."""
        logits, truth = self._answer(backbone, batch)
        return {
            "loss/task": F.cross_entropy(logits, truth),
            "accuracy/jigsaw": _accuracy(logits, truth),
            "chance/jigsaw": torch.tensor(1 / len(self.permutations)),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show the picture, its tiles as the network saw them, and the same tiles as it put them."""
        tiles, _ = self.puzzles(batch)
        chosen = self.siamese(backbone, tiles).argmax(dim=1)
        order = self.permutations[chosen]
        put = torch.zeros_like(tiles).scatter_(
            1, order[..., None, None, None].expand_as(tiles), tiles
        )
        scale = scale_of(self.normalisation)
        columns = [_fit(_draw(side / scale), like=batch["image"]) for side in (tiles, put)]
        return {"jigsaw": side_by_side(draw_image(batch["image"]).cpu(), *columns)}

    def puzzles(self, batch: Batch) -> tuple[Float[Tensor, "n 9 3 s s"], Int64[Tensor, " n"]]:
        """Return shuffled tiles, each of mean 0 and the deviation of normalised pictures in each channel, and the permutations' numbers.

        Raises:
            ValueError: if the pictures are too small to be cut like this.
        """
        settings, seed = self.settings, batch["sample_seed"]
        with torch.no_grad(), torch.autocast(seed.device.type, enabled=False):
            which = draws(seed, count=1, salt=_PUZZLE)[:, 0]
            truth = whole_numbers(which, least=0, greatest=len(self.permutations) - 1)
            at_random = draws(seed, count=2, salt=_COLOUR)
            grey = at_random[:, 0] < settings.grey
            projected = at_random[:, 1] < settings.projected
            pictures = batch["image"].to(torch.float32, memory_format=torch.contiguous_format)
            matrices = colour_matrices(grey=grey, projected=projected, like=pictures)
            tiles = _cut(
                mix_colours(pictures, matrices),
                seed,
                cells=self.permutations[truth],
                still=grey,
                settings=settings,
            )
            return _standardised(tiles) * scale_of(self.normalisation), truth

    def _answer(
        self, backbone: Backbone, batch: Batch
    ) -> tuple[Float[Tensor, "n k"], Int64[Tensor, " n"]]:
        tiles, truth = self.puzzles(batch)
        logits: Tensor = self.siamese(backbone, tiles)
        return logits, truth


def tile_sizes(side_px: int, *, settings: JigsawSettings) -> tuple[int, int, int]:
    """Return the sides of cell and tile and the greatest shift of a channel, in pixels, for pictures of a side.

    Raises:
        ValueError: if no tile fits into its cell.

    >>> tile_sizes(255, settings=JigsawSettings()), tile_sizes(112, settings=JigsawSettings())
    ((85, 64, 2), (37, 28, 1))
    """
    cell = side_px // GRID
    tile = round(settings.tile * cell)
    shift = max(1, round(settings.channel_shift * side_px)) if settings.channel_shift else 0
    if tile < 1 or tile + 2 * shift > cell:
        raise PictureSizeError(
            f"pictures of {side_px} pixels give cells of {cell}, in which no tile of {tile} can be shifted by {shift}; "
            "choose larger pictures or a smaller tile"
        )
    return cell, tile, shift


def _cut(
    pictures: Float[Tensor, "n 3 s s"],
    seed: Int64[Tensor, " n"],
    *,
    cells: Int64[Tensor, "n 9"],
    still: Tensor,
    settings: JigsawSettings,
) -> Float[Tensor, "n 9 3 t t"]:
    """Cut a tile out of each cell, in the order of `cells`; the channels of `still` pictures are not shifted."""
    cell, tile, shift = tile_sizes(pictures.shape[-1], settings=settings)
    at_random = draws(seed, count=2 * CELLS, salt=_PLACE).view(-1, CELLS, 2)
    inside = whole_numbers(at_random, least=shift, greatest=cell - tile - shift)
    shares = draws(seed, count=6 * CELLS, salt=_SHIFT).view(-1, CELLS, 6)
    return cut_patches(
        pictures,
        top_px=cells // GRID * cell + inside[..., 0],
        left_px=cells % GRID * cell + inside[..., 1],
        side_px=tile,
        shift_px=shift_channels(shares, most_px=shift, still=still) if shift else None,
    )


def _standardised(tiles: Float[Tensor, "n p 3 t t"]) -> Float[Tensor, "n p 3 t t"]:
    centred = tiles - tiles.mean(dim=(3, 4), keepdim=True)
    deviation = centred.square().mean(dim=(3, 4), keepdim=True).sqrt()
    return centred / deviation.clamp(min=1.0)  # a plain tile stays plain


def _draw(tiles: Float[Tensor, "n 9 3 t t"]) -> UInt8[Tensor, "n 3 s s"]:
    """Lay tiles out as a picture, with a line between them."""
    grey = (tiles * 64 + 128).clamp(0, 255).to(torch.uint8)
    framed = F.pad(grey, (1, 1, 1, 1), value=255)
    grid = framed.reshape(-1, GRID, GRID, *framed.shape[2:]).permute(0, 3, 1, 4, 2, 5)
    return grid.flatten(4, 5).flatten(2, 3)


def _fit(drawn: UInt8[Tensor, "n 3 a a"], *, like: UInt8[Tensor, "n 3 s s"]) -> Pictures:
    return draw_image(F.interpolate(drawn, size=like.shape[-2:], mode="nearest")).cpu()


def _accuracy(logits: Float[Tensor, "n k"], truth: Int64[Tensor, " n"]) -> Float[Tensor, ""]:
    return (logits.detach().argmax(dim=1) == truth).float().mean()
