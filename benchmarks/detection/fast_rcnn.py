"""Fast R-CNN (Girshick, ICCV 2015) on any backbone: regions pooled from one map, two hidden layers, classes and offsets."""

import copy
import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import batched_nms, roi_align, roi_pool

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.backbones.alexnet import AlexNet, StandardAlexNet
from scenelift.benchmarks.detection.offsets import decode
from scenelift.benchmarks.detection.sampling import OffsetScale
from scenelift.benchmarks.detection.trunk import Trunk

Pooling = Literal["pool", "align"]

POOLED = 6
"""Regions become maps of 6 x 6, what AlexNet's fc6 reads."""
_ALIGN_SAMPLES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundBoxes:
    """What is detected in a picture, the most certain first."""

    corners: Float[Tensor, "d 4"]
    """In pixels of the picture as it was given."""
    classes: Int64[Tensor, " d"]
    """From 0."""
    scores: Float[Tensor, " d"]
    """0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeping:
    """Which detections of a picture are kept."""

    min_score: float = 0.0
    """Those below are dropped first."""
    nms_iou: float = 0.3
    """Of a class, a box that overlaps a better one by more is dropped."""
    max_boxes: int = 100
    """At most so many a picture, over all classes."""


class RegionHead(nn.Module):
    """From pooled maps of regions to classes and offsets."""

    def __init__(
        self,
        *,
        fc6: nn.Linear,
        fc7: nn.Linear,
        num_classes: int,
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        """Put the two hidden layers under new outputs, whose weights are drawn as published (deviations 0.01 and 0.001)."""
        super().__init__()
        self.fc6, self.fc7 = fc6, fc7
        self.classes = _linear(fc7.out_features, num_classes + 1, std=0.01, generator=generator)
        self.offsets = _linear(fc7.out_features, 4 * num_classes, std=0.001, generator=generator)
        self.dropout = dropout

    def hidden(
        self, pooled: Float[Tensor, "r c 6 6"], *, generator: torch.Generator | None
    ) -> Float[Tensor, "r d"]:
        """Return fc7; dropout where there is a generator to draw it from."""
        x = torch.relu(self.fc6(pooled.flatten(1)))
        x = torch.relu(self.fc7(self._drop(x, generator)))
        return self._drop(x, generator)

    def _drop(
        self, x: Float[Tensor, "r d"], generator: torch.Generator | None
    ) -> Float[Tensor, "r d"]:
        if generator is None or not self.dropout:
            return x
        drawn = torch.rand(x.shape, generator=generator).to(x.device)
        return x * (drawn >= self.dropout) / (1 - self.dropout)


class FastRCNN(nn.Module):
    """Trunk, pooling and head."""

    def __init__(
        self, *, trunk: Trunk, head: RegionHead, scale: OffsetScale, pooling: Pooling
    ) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head
        self.pooling: Pooling = pooling
        self.register_buffer("offset_mean", torch.from_numpy(scale.mean))
        self.register_buffer("offset_std", torch.from_numpy(scale.std))
        self.offset_mean: Tensor
        self.offset_std: Tensor

    def forward(
        self,
        images: Float[Tensor, "n 3 h w"],
        regions: list[Float[Tensor, "_ 4"]],
        *,
        generator: torch.Generator | None = None,
    ) -> tuple[Float[Tensor, "r c1"], Float[Tensor, "r c 4"]]:
        """Answer for regions of pictures.

        Args:
            images: Normalised, brought to one size by zeros at the right and below.
            regions: Corners in pixels of each picture as it lies in `images`.
            generator: Of dropout, on the CPU; None: no dropout.

        Returns:
            Logits of background and classes, and offsets by class in units of their scale.
        """
        pooled = pool_regions(
            self.trunk(images),
            regions,
            stride=self.trunk.stride,
            shift_px=self.trunk.shift_px,
            pooling=self.pooling,
        )
        x = self.head.hidden(pooled, generator=generator)
        return self.head.classes(x), self.head.offsets(x).unflatten(1, (-1, 4))

    @torch.inference_mode()
    def detect(
        self,
        image: Float[Tensor, "1 3 h w"],
        regions: Float[Tensor, "r 4"],
        *,
        width: int,
        height: int,
        keeping: Keeping,
    ) -> FoundBoxes:
        """Detect in one picture.

        Args:
            image: Normalised and resized.
            regions: Proposals: corners in pixels of the picture before it was resized.
            width: Of the picture before it was resized, in pixels.
            height: Likewise.
            keeping: What is kept.
        """
        factors = regions.new_tensor([image.shape[3] / width, image.shape[2] / height] * 2)
        logits, offsets = self(image, [regions * factors])
        offsets = offsets * self.offset_std + self.offset_mean
        num_classes = offsets.shape[1]
        reference = regions[:, None].expand(-1, num_classes, -1).reshape(-1, 4)
        corners = decode(offsets.reshape(-1, 4), reference=reference)
        limits = corners.new_tensor([width, height, width, height])
        return keep_best(
            corners.clamp(min=0).minimum(limits),
            classes=torch.arange(num_classes, device=corners.device).repeat(len(regions)),
            scores=logits.softmax(dim=1)[:, 1:].flatten(),
            keeping=keeping,
        )


def pool_regions(
    feature: Float[Tensor, "n c h w"],
    regions: list[Float[Tensor, "_ 4"]],
    *,
    stride: int,
    shift_px: float,
    pooling: Pooling,
) -> Float[Tensor, "r c 6 6"]:
    """Cut regions out of a map and bring each to 6 x 6.

    Args:
        feature: The map; its position i lies at pixel `stride * i + shift_px`, counted from 0.
        regions: Corners in pixels, a list of boxes a picture.
        stride: Pixels from one position to the next.
        shift_px: Where position 0 lies.
        pooling: `pool`: the greatest value of each bin, whose ends are rounded to positions, as published (pixels that are the
            first and last of a region count). `align`: bilinear samples, nothing rounded (He et al., ICCV 2017).
    """
    if pooling == "pool":
        last = feature.new_tensor([0, 0, 1, 1])
        boxes = [corners - last - shift_px for corners in regions]
        pooled: Tensor = roi_pool(feature, boxes, (POOLED, POOLED), spatial_scale=1 / stride)
        return pooled
    # The centre of position 0 is at half a stride for this function; ours is half a pixel further than `shift_px`.
    boxes = [corners - (shift_px + 0.5 - stride / 2) for corners in regions]
    aligned: Tensor = roi_align(
        feature,
        boxes,
        (POOLED, POOLED),
        spatial_scale=1 / stride,
        sampling_ratio=_ALIGN_SAMPLES,
        aligned=True,
    )
    return aligned


def keep_best(
    corners: Float[Tensor, "d 4"],
    *,
    classes: Int64[Tensor, " d"],
    scores: Float[Tensor, " d"],
    keeping: Keeping,
) -> FoundBoxes:
    """Drop what is narrower than a pixel, improbable, or overlaps a better box of its class; the most certain first."""
    sides = corners[:, 2:] - corners[:, :2]
    fit: Bool[Tensor, " d"] = (scores >= keeping.min_score) & (sides >= 1).all(dim=1)
    corners, classes, scores = corners[fit], classes[fit], scores[fit]
    kept = batched_nms(corners, scores, classes, keeping.nms_iou)[: keeping.max_boxes]
    return FoundBoxes(corners=corners[kept], classes=classes[kept], scores=scores[kept])


def region_losses(
    logits: Float[Tensor, "r c1"],
    offsets: Float[Tensor, "r c 4"],
    *,
    labels: Int64[Tensor, " r"],
    targets: Float[Tensor, "r 4"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the losses of classes and of offsets.

    Args:
        logits: Of background and classes.
        offsets: By class, in units of their scale.
        labels: 0 for background.
        targets: Offsets to the object in the same units; without meaning for background.

    Returns:
        Cross-entropy, a mean over regions; smooth L1 of the true class's four offsets, summed over foreground and divided by
        the number of all regions, as published.
    """
    classes = F.cross_entropy(logits, labels)
    foreground = torch.nonzero(labels > 0).flatten()
    found = offsets[foreground, labels[foreground] - 1]
    boxes = F.smooth_l1_loss(found, targets[foreground], reduction="sum", beta=1.0)
    return classes, boxes / max(1, len(labels))


def hidden_layers(
    backbone: Backbone, *, channels: int, width: int, generator: torch.Generator
) -> tuple[nn.Linear, nn.Linear, str]:
    """Return fc6 and fc7, and a sentence on where they come from.

    Args:
        backbone: The network, its batch norm folded; an AlexNet gives copies of its own layers.
        channels: Of the map that regions are pooled from.
        width: Of the layers of any other network, whose weights are drawn (He et al., ICCV 2015).
        generator: Where from.
    """
    if isinstance(backbone, AlexNet | StandardAlexNet):
        fc6, fc7 = (_as_linear(layer) for layer in (backbone.fc6, backbone.fc7))
        return fc6, fc7, "fc6 and fc7 are the network's own, in their ordinary (undilated) form"
    fan_in = channels * POOLED * POOLED
    fc6 = _linear(fan_in, width, std=math.sqrt(2 / fan_in), generator=generator)
    fc7 = _linear(width, width, std=math.sqrt(2 / width), generator=generator)
    return fc6, fc7, f"two new hidden layers of {width} units over regions pooled to 6 x 6"


def _as_linear(layer: nn.Conv2d | nn.Linear) -> nn.Linear:
    """Return a copy; a dilated convolution over 6 x 6 positions is the linear layer of the ordinary net."""
    if isinstance(layer, nn.Linear):
        return copy.deepcopy(layer)
    weight = layer.weight.detach().flatten(1)
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta").to_empty(
        device=weight.device
    )
    with torch.no_grad():
        linear.weight.copy_(weight)
        linear.bias.copy_(torch.zeros_like(linear.bias) if layer.bias is None else layer.bias)
    return linear


def _linear(inputs: int, outputs: int, *, std: float, generator: torch.Generator) -> nn.Linear:
    linear = nn.Linear(inputs, outputs, device="meta").to_empty(device="cpu")
    with torch.no_grad():
        linear.weight.normal_(0, std, generator=generator)
        linear.bias.zero_()
    return linear
