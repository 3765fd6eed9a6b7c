"""Task heads: from a backbone's feature maps to one answer a pixel.

Three designs: the deconvolutions of Ren and Lee's AlexNet (CVPR 2018, released code), their U-Net-like ones for VGG16, and a
light one for everything else. Each task has a head of its own (the VGG heads share their first step, as released), so tasks
can be left out, skipped in a call or frozen.

A head answers once every `stride` pixels: the released ones for each pixel, light ones for each pixel of an edge, and once for
4 x 4 pixels of what varies slowly. Losses are taken where heads answer (`at_stride`); `forward` enlarges for who wants pixels.
"""

import math
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone, Layer
from scenelift.adapt.initialise import Init, initialise, without_weights
from scenelift.adapt.method import Features

TASKS: Mapping[str, int] = MappingProxyType({"edge": 1, "depth": 1, "normal": 3})
"""Channels by task. Edge: logits. Depth: natural logarithm of `z_depth_m`. Normal: of any length, camera frame."""

Design = Literal["auto", "deconvolution", "unet", "light"]
SHARP = frozenset({"edge"})
"""Tasks that light heads answer for each pixel."""
RELEASED: Mapping[str, Design] = MappingProxyType({"alexnet": "deconvolution", "vgg16": "unet"})
"""The designs that were published, by backbone."""


class Heads(nn.Module):
    """One head a task, all over the same feature maps."""

    def __init__(
        self,
        *,
        shared: nn.Module | None,
        by_task: Mapping[str, nn.Module],
        layers: tuple[str, ...],
        after_relu: bool,
        strides: Mapping[str, int],
    ) -> None:
        """Put heads together.

        Args:
            shared: What all tasks do first to the deepest map; None for nothing.
            by_task: What each task does with the maps.
            layers: The maps read, deepest first.
            after_relu: Whether the maps have been through their ReLU; else they go through it here.
            strides: Pixels of the picture from one answer to the next, by task.
        """
        super().__init__()
        self.shared = shared
        self.by_task = nn.ModuleDict(dict(by_task))
        self.layers = layers
        self.strides = dict(strides)
        self._after_relu = after_relu
        self._frozen: frozenset[str] = frozenset()

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are answered."""
        return tuple(self.by_task)

    def freeze(self, tasks: Collection[str]) -> None:
        """Stop the heads of these tasks from learning, their batch norms included; the others learn.

        Raises:
            ValueError: if there is no head for one of them.
        """
        self._check(tasks)
        self._frozen = frozenset(tasks)
        for task, head in self.by_task.items():
            head.requires_grad_(task not in self._frozen)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Heads":
        """Switch between training and evaluation; frozen heads stay in evaluation."""
        super().train(mode)
        for task in self._frozen:
            self.by_task[task].eval()
        return self

    def forward(
        self, features: Features, *, width: int, height: int, tasks: Collection[str] | None = None
    ) -> dict[str, Float[Tensor, "n c {height} {width}"]]:
        """Answer tasks at the picture's size, coarse answers enlarged linearly.

        Args:
            features: What the backbone returned for the pictures.
            width: Of the pictures, in pixels.
            height: Of the pictures, in pixels.
            tasks: The ones to answer; None for all.

        Returns:
            Maps by task, float32 at least, as `TASKS` says.

        Raises:
            ValueError: if there is no head for one of the tasks.
        """
        answers = self.answer(features, width=width, height=height, tasks=tasks)
        return {
            task: _enlarge(answer, stride=self.strides[task])[..., :height, :width]
            for task, answer in answers.items()
        }

    def answer(
        self, features: Features, *, width: int, height: int, tasks: Collection[str] | None = None
    ) -> dict[str, Float[Tensor, "n c _ _"]]:
        """Answer tasks at each head's own stride: ceil(height / stride) x ceil(width / stride) answers.

        Arguments and errors are those of `forward`.
        """
        self._check(tasks or ())
        maps = [features[layer] for layer in self.layers]
        if not self._after_relu:
            maps = [torch.relu(feature) for feature in maps]
        if self.shared is not None:
            maps[0] = self.shared(maps[0])
        return {
            task: _fit(
                head(maps),
                width=-(-width // self.strides[task]),
                height=-(-height // self.strides[task]),
            )
            for task, head in self.by_task.items()
            if tasks is None or task in tasks
        }

    def _check(self, tasks: Collection[str]) -> None:
        unknown = sorted(set(tasks) - set(self.by_task))
        if unknown:
            raise ValueError(
                f"there is no head for {unknown}; the tasks are {', '.join(self.tasks)}"
            )


def at_stride(labels: Shaped[Tensor, "n c h w"], *, stride: int) -> Shaped[Tensor, "n c _ _"]:
    """Pick the label below the middle of each answer: none is ever blended.

    >>> at_stride(torch.arange(6.0).view(1, 1, 1, 6), stride=4).flatten().tolist()
    [2.0, 5.0]
    """
    if stride == 1:
        return labels
    for axis in (2, 3):
        size = labels.shape[axis]
        places = torch.arange(stride // 2, size + stride // 2, stride, device=labels.device)
        labels = labels.index_select(axis, places[: -(-size // stride)].clamp(max=size - 1))
    return labels


def _enlarge(answer: Float[Tensor, "n c _ _"], *, stride: int) -> Float[Tensor, "n c _ _"]:
    if stride == 1:
        return answer
    return F.interpolate(answer, scale_factor=stride, mode="bilinear", align_corners=False)


def _fit(
    answer: Float[Tensor, "n c h0 w0"], *, width: int, height: int
) -> Float[Tensor, "n c {height} {width}"]:
    """Bring an answer to a size, in single precision at least.

    It is cut, or its last row and column repeat: stretching would shift it against the picture, more so far from the corner.
    """
    if answer.dtype in (torch.float16, torch.bfloat16):
        answer = answer.float()
    right, below = width - answer.shape[-1], height - answer.shape[-2]
    if right > 0 or below > 0:
        answer = F.pad(answer, (0, max(right, 0), 0, max(below, 0)), mode="replicate")
    return answer[..., :height, :width]


def build_heads(
    backbone: Backbone,
    *,
    generator: torch.Generator,
    tasks: Mapping[str, int] = TASKS,
    init: Init = "default",
    design: Design = "auto",
) -> Heads:
    """Build the heads that suit a backbone, on the CPU.

    Args:
        backbone: What they read.
        generator: Where weights are drawn from.
        tasks: Output channels by task.
        init: How weights are drawn.
        design: `auto` takes the released design where there is one: `deconvolution` for `alexnet`, `unet` for `vgg16`.

    Raises:
        ValueError: if there is no task, or the design does not fit the backbone.
    """
    if not tasks:
        raise ValueError("heads need at least one task")
    if design == "auto":
        design = RELEASED.get(backbone.name, "light")
    if design == "unet" and backbone.name != "vgg16":
        raise ValueError(f"the unet heads need the five stages of vgg16, got {backbone.name}")
    heads = without_weights(lambda: _construct(backbone, tasks=tasks, design=design))
    initialise(heads, init=init, generator=generator)
    return heads


def _construct(backbone: Backbone, *, tasks: Mapping[str, int], design: Design) -> Heads:
    deepest = backbone.layers[-1]
    layers: tuple[str, ...] = (deepest.name,)
    shared: nn.Module | None = None
    by_task: dict[str, nn.Module]
    strides = dict.fromkeys(tasks, 1)
    if design == "unet":
        layers = ("conv5", "conv4", "conv3", "conv2")
        shared = _up_block(deepest.channels, 512, kernel=4, padding=1)
        by_task = {task: UNetHead(channels) for task, channels in tasks.items()}
    elif design == "deconvolution":
        by_task = {t: deconvolution_head(deepest.channels, out=c) for t, c in tasks.items()}
    else:
        by_task = {
            task: light_head(
                deepest, border=backbone.unseen_border, out=channels, sharp=task in SHARP
            )
            for task, channels in tasks.items()
        }
        coarse = light_stride(deepest)
        strides = {task: 1 if task in SHARP else coarse for task in tasks}
    return Heads(
        shared=shared,
        by_task=by_task,
        layers=layers,
        after_relu=backbone.taps == "post",
        strides=strides,
    )


def _up_block(inputs: int, outputs: int, *, kernel: int, padding: int = 0) -> nn.Sequential:
    """Double a map's size."""
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, kernel, stride=2, padding=padding),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class ChainHead(nn.Module):
    """A head that reads the deepest map alone."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.chain = nn.Sequential(*parts)

    def forward(self, maps: list[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n c h w"]:
        """Answer at the head's own size."""
        answer: Tensor = self.chain(maps[0])
        return answer


def deconvolution_head(channels: int, *, out: int) -> ChainHead:
    """Build the released AlexNet's head: a map of 13 x 13 becomes 27, 55, 113 and 227 pixels a side."""
    return ChainHead(
        *_up_block(channels, 64, kernel=3),
        *_up_block(64, 64, kernel=3),
        *_up_block(64, 64, kernel=5),
        nn.ConvTranspose2d(64, out, 3, stride=2),
    )


LIGHT_WIDTH = 64
LIGHT_STRIDE = 4
"""The light head doubles its map until positions lie no further apart than this."""


def light_stride(layer: Layer) -> int:
    """Return how many pixels lie between two positions where the light head stops doubling."""
    stride = layer.stride
    while stride > LIGHT_STRIDE:
        stride = math.ceil(stride / 2)
    return stride


def light_head(layer: Layer, *, border: bool, out: int, sharp: bool) -> ChainHead:
    """Build a head of few operations: narrow the map, double it to a quarter of the picture, and answer there.

    Args:
        layer: The map that is read.
        border: Whether the map ends half a position before the picture does; then the first doubling adds that much.
        out: Channels of the answer.
        sharp: Spread channels to pixels at the end: an answer for each pixel.
    """
    width, stride = max(16, min(LIGHT_WIDTH, layer.channels // 4)), layer.stride
    parts: list[nn.Module] = [
        nn.Conv2d(layer.channels, width, 1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    ]
    padding = 0 if border else 1
    while stride > LIGHT_STRIDE:
        narrower = max(width // 2, 16)
        parts += _up_block(width, narrower, kernel=4, padding=padding)
        width, stride, padding = narrower, math.ceil(stride / 2), 1
    spread = stride**2 if sharp else 1
    parts.append(nn.Conv2d(width, out * spread, 3, padding=1))
    if sharp:
        parts.append(nn.PixelShuffle(stride))
    return ChainHead(*parts)


class UNetHead(nn.Module):
    """The released VGG16's head: three doublings, each beside the backbone's map of that size (20.7 M for three tasks)."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.up4 = _up_block(512 + 512, 256, kernel=4, padding=1)
        self.up3 = _up_block(256 + 256, 128, kernel=4, padding=1)
        self.up2 = _up_block(128 + 128, 64, kernel=4, padding=1)
        self.out = nn.ConvTranspose2d(64, out, 3, padding=1)

    def forward(self, maps: list[Float[Tensor, "n _ _ _"]]) -> Float[Tensor, "n c h w"]:
        """Answer from the shared map and conv4, conv3 and conv2."""
        x, conv4, conv3, conv2 = maps
        x = self.up4(_beside(x, conv4))
        x = self.up3(_beside(x, conv3))
        x = self.up2(_beside(x, conv2))
        answer: Tensor = self.out(x)
        return answer


def _beside(
    x: Float[Tensor, "n c1 _ _"], skip: Float[Tensor, "n c2 h w"]
) -> Float[Tensor, "n c3 h w"]:
    """Join two maps. Odd sizes lose a row or column in each pool; it comes back by repeating the last one."""
    height, width = skip.shape[-2:]
    if x.shape[-2:] != (height, width):
        x = F.pad(x, (0, width - x.shape[-1], 0, height - x.shape[-2]), mode="replicate")
    return torch.cat([x, skip.to(x.dtype)], dim=1)
