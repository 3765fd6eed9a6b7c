"""Decoders: from a backbone's last map to a map of each task at the picture's size."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.initialise import Init, initialise, without_weights
from scenelift.adapt.method import Features
from scenelift.adapt.mgm.widths import scaled

CHANNELS = (256, 128, 64, 48, 32)
"""Of the stages, as published for a backbone of stride 32."""


class Decoders(nn.Module):
    """A decoder for each task, alone on the backbone's last map: nothing is shared and no finer map is read."""

    def __init__(
        self,
        backbone: Backbone,
        channels: Mapping[str, int],
        *,
        width: float = 1.0,
        answer_stride: int = 1,
    ) -> None:
        """Build a decoder for each task.

        Args:
            backbone: What they read. Each stage doubles its last map until positions are pixels.
            channels: Of the answer, by task.
            width: Factor on `CHANNELS`.
            answer_stride: Pixels between two positions that are answered, a power of two: the last doublings are left out, and
                the pixels between are interpolated.

        Raises:
            ValueError: if there is no task, an answer has no channel, the backbone's last layer is no map, the width is not
                positive, or the answers' stride is no power of two below the backbone's.
        """
        super().__init__()
        if not channels or min(channels.values()) < 1:
            raise ValueError(
                f"decoders need a channel at least for each task, got {dict(channels)}"
            )
        deepest = backbone.layers[-1]
        if deepest.stride > 64:
            raise ValueError(
                f"decoders need a backbone whose last map keeps its places, layer {deepest.name} of {backbone.name} "
                f"has a stride of {deepest.stride} pixels"
            )
        self.layer = deepest.name
        self._after_relu = backbone.taps == "post"
        num_stages = math.ceil(math.log2(deepest.stride))
        left_out = answer_stride.bit_length() - 1
        if answer_stride < 1 or answer_stride != 1 << left_out or left_out >= num_stages:
            raise ValueError(
                f"answer_stride must be a power of two below {1 << num_stages}, got {answer_stride}"
            )
        self._answer_stride = answer_stride
        # The last stages stay what they are: a finer map needs fewer of the first.
        widths = ((CHANNELS[0],) * max(0, num_stages - len(CHANNELS)) + CHANNELS)[-num_stages:]
        widths = widths[: num_stages - left_out]
        self.by_task = nn.ModuleDict(
            {
                task: _decoder(
                    deepest.channels, tuple(scaled(stage, width) for stage in widths), out=out
                )
                for task, out in channels.items()
            }
        )

    def forward(
        self, features: Features, *, width: int | None = None, height: int | None = None
    ) -> dict[str, Float[Tensor, "n _ h w"]]:
        """Answer every task.

        Args:
            features: What the backbone returned for the pictures.
            width: Of the pictures, in pixels; None for the last map's times its stride.
            height: Of the pictures, likewise.

        Returns:
            Maps by task, float32 at least, without an activation. Where pictures are no multiple of the stride they are cut, or
            their last rows and columns repeat.
        """
        deepest = features[self.layer]
        if not self._after_relu:
            deepest = torch.relu(deepest)
        return {
            task: _fit(self._stretch(decoder(deepest)), width=width, height=height)
            for task, decoder in self.by_task.items()
        }

    def _stretch(self, answer: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h2 w2"]:
        if self._answer_stride == 1:
            return answer
        return F.interpolate(answer, scale_factor=self._answer_stride, mode="bilinear")


def build_decoders(
    backbone: Backbone,
    channels: Mapping[str, int],
    *,
    generator: torch.Generator,
    width: float = 1.0,
    answer_stride: int = 1,
    init: Init = "default",
) -> Decoders:
    """Build `Decoders` with first weights from `generator`, on the CPU; arguments and errors are theirs."""
    decoders = without_weights(
        lambda: Decoders(backbone, channels, width=width, answer_stride=answer_stride)
    )
    initialise(decoders, init=init, generator=generator)
    return decoders


def _decoder(inputs: int, widths: tuple[int, ...], *, out: int) -> nn.Sequential:
    """Build a stage for each width: double the map, then convolve; the last convolution is the answer."""
    parts: list[nn.Module] = []
    for stage, outputs in enumerate(widths):
        parts += [
            nn.ConvTranspose2d(inputs, outputs, 2, stride=2),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
        if stage < len(widths) - 1:
            parts += [
                nn.Conv2d(outputs, outputs, 3, padding=1),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        inputs = outputs
    return nn.Sequential(*parts, nn.Conv2d(inputs, out, 3, padding=1))


def _fit(
    answer: Float[Tensor, "n c h0 w0"], *, width: int | None, height: int | None
) -> Float[Tensor, "n c h w"]:
    """Bring an answer to a size, in single precision at least; stretching would shift it against the picture."""
    if answer.dtype in (torch.float16, torch.bfloat16):
        answer = answer.float()
    right = 0 if width is None else width - answer.shape[-1]
    below = 0 if height is None else height - answer.shape[-2]
    if right > 0 or below > 0:
        answer = F.pad(answer, (0, max(right, 0), 0, max(below, 0)), mode="replicate")
    return answer[..., :height, :width]
