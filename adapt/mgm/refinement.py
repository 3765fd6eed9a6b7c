"""The refinement network: the scene's class, read off the maps that the multi-task network predicts.

Pictures with no label but the scene's thereby teach the multi-task network: its maps are to hold what tells scenes apart.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones.mgm_resnet import residual_stage
from scenelift.adapt.initialise import Init, initialise, without_weights
from scenelift.adapt.mgm.widths import scaled

STEM = 64
WIDTHS = (48, 96, 192)
DEPTHS = (3, 4, 3)
HIDDEN = 128


class Refinement(nn.Module):
    """An encoder for each task's map, whose answers are joined and classified."""

    def __init__(
        self,
        channels: Mapping[str, int],
        *,
        num_classes: int,
        width: float = 1.0,
        relu_logits: bool = False,
        softmax: str | None = None,
    ) -> None:
        """Build the encoders and the classifier.

        Args:
            channels: Of the maps, by task.
            num_classes: Of scenes.
            width: Factor on all widths.
            relu_logits: Cut negative logits to 0, as the released code does: a class that is never positive gets no gradient.
            softmax: The task whose map is read as probabilities; None to read raw logits, as the released code does.

        Raises:
            ValueError: if there is no task, fewer than two classes, no task `softmax`, or the width is not positive.
        """
        super().__init__()
        if not channels:
            raise ValueError("the refinement network needs at least one task's map")
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        if softmax is not None and softmax not in channels:
            raise ValueError(
                f"there is no task {softmax!r} to take a softmax of; the tasks are {', '.join(channels)}"
            )
        self.encoders = nn.ModuleDict(
            {task: _encoder(count, width=width) for task, count in channels.items()}
        )
        self.hidden = nn.Linear(len(channels) * scaled(WIDTHS[-1], width), scaled(HIDDEN, width))
        self.last = nn.Linear(scaled(HIDDEN, width), num_classes)
        self._relu_logits = relu_logits
        self._softmax = softmax

    def forward(
        self, maps: Mapping[str, Float[Tensor, "n _ h w"]]
    ) -> Float[Tensor, "n num_classes"]:
        """Return logits of the scene's class, float32 at least."""
        parts = []
        for task, encoder in self.encoders.items():
            answer = maps[task]
            if task == self._softmax:
                answer = answer.float().softmax(dim=1)
            parts.append(encoder(answer).flatten(1))
        logits: Tensor = self.last(torch.relu(self.hidden(torch.cat(parts, dim=1))))
        if self._relu_logits:
            logits = torch.relu(logits)
        return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def build_refinement(
    channels: Mapping[str, int],
    *,
    num_classes: int,
    generator: torch.Generator,
    width: float = 1.0,
    relu_logits: bool = False,
    softmax: str | None = None,
    init: Init = "default",
) -> Refinement:
    """Build a `Refinement` with first weights from `generator`, on the CPU; arguments and errors are its own."""
    refinement = without_weights(
        lambda: Refinement(
            channels,
            num_classes=num_classes,
            width=width,
            relu_logits=relu_logits,
            softmax=softmax,
        )
    )
    initialise(refinement, init=init, generator=generator)
    return refinement


def _encoder(channels: int, *, width: float) -> nn.Sequential:
    """Build an encoder of stride 32; the greatest value of each channel of its last map is the answer (4 x 4 at 128 pixels)."""
    widths = tuple(scaled(stage, width) for stage in (STEM, *WIDTHS))
    return nn.Sequential(
        nn.Conv2d(channels, widths[0], 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(widths[0]),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
        *(
            residual_stage(inputs, outputs, num_blocks=depth, stride=2)
            for inputs, outputs, depth in zip(widths, widths[1:], DEPTHS, strict=False)
        ),
        nn.AdaptiveMaxPool2d(1),
    )
