"""Faster R-CNN (Ren et al., NeurIPS 2015) as torchvision has it, on any backbone: the modern track, which proposes its own boxes."""

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from scenelift.adapt.network_input import in_space
from scenelift.benchmarks.detection.boxes import mirrored
from scenelift.benchmarks.detection.fast_rcnn import (
    POOLED,
    FoundBoxes,
    Keeping,
    hidden_layers,
    keep_best,
)
from scenelift.benchmarks.detection.pictures import Pictures, within
from scenelift.benchmarks.detection.training import (
    Schedule,
    Sizes,
    fit,
    picture_order,
    prefetched,
    step_seed,
)
from scenelift.benchmarks.detection.trunk import Trunk
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError, Progress
from scenelift.datasets.voc import VOC_CLASSES


@dataclass(frozen=True, kw_only=True, slots=True)
class FasterSettings:
    """What Faster R-CNN does beside its schedule."""

    anchor_sides_px: tuple[int, ...] = (32, 64, 128, 256, 512)
    """Of the resized picture; each in the ratios 1:2, 1:1 and 2:1."""
    pictures: int = 2
    """A step."""
    hidden: int = 1024
    """Units of new hidden layers, where the network brings none."""
    train_proposals: int = 1000
    """Of a picture, after suppression."""
    test_proposals: int = 300


class _Body(nn.Module):
    """A trunk as torchvision wants it."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        self.out_channels = trunk.out_channels

    def forward(self, x: Float[Tensor, "n 3 h w"]) -> OrderedDict[str, Tensor]:
        return OrderedDict([("0", self.trunk(x))])


class _Hidden(nn.Module):
    """Two hidden layers over pooled regions."""

    def __init__(self, fc6: nn.Linear, fc7: nn.Linear) -> None:
        super().__init__()
        self.fc6, self.fc7 = fc6, fc7

    def forward(self, pooled: Float[Tensor, "r c 6 6"]) -> Float[Tensor, "r d"]:
        return torch.relu(self.fc7(torch.relu(self.fc6(pooled.flatten(1)))))


def build_faster(
    network: Network,
    trunk: Trunk,
    *,
    settings: FasterSettings,
    sizes: Sizes,
    keeping: Keeping,
    seed: int,
) -> tuple[FasterRCNN, str]:
    """Put torchvision's parts onto a trunk.

    Returns:
        The detector, and a sentence on its hidden layers.
    """
    generator = torch.Generator().manual_seed(seed)
    fc6, fc7, sentence = hidden_layers(
        trunk.backbone, channels=trunk.out_channels, width=settings.hidden, generator=generator
    )
    anchors = AnchorGenerator((settings.anchor_sides_px,), ((0.5, 1.0, 2.0),))

    def assemble() -> FasterRCNN:
        return FasterRCNN(
            _Body(trunk),
            num_classes=None,
            min_size=sizes.test_short_px,
            max_size=sizes.test_longest_px,
            image_mean=list(network.normalisation.mean),
            image_std=list(network.normalisation.std),
            rpn_anchor_generator=anchors,
            rpn_post_nms_top_n_train=settings.train_proposals,
            rpn_post_nms_top_n_test=settings.test_proposals,
            box_roi_pool=MultiScaleRoIAlign(["0"], output_size=POOLED, sampling_ratio=2),
            box_head=_Hidden(fc6, fc7),
            box_predictor=FastRCNNPredictor(fc7.out_features, len(VOC_CLASSES) + 1),
            box_score_thresh=keeping.min_score,
            box_nms_thresh=keeping.nms_iou,
            box_detections_per_img=keeping.max_boxes,
        )

    # torchvision draws the weights of its parts from the global state, which is put back as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = assemble()
    return model.to(network.device), sentence


def train_faster(
    model: FasterRCNN,
    network: Network,
    *,
    pictures: Pictures,
    settings: FasterSettings,
    sizes: Sizes,
    schedule: Schedule,
    seed: int,
    progress: Progress,
) -> list[float]:
    """Train it; pictures without an object that is not difficult are left out.

    Returns:
        The loss of each step: the sum of torchvision's four.

    Raises:
        BenchError: if there is nothing to learn from, or the loss is not finite.
        VocError: if a picture or annotation cannot be used.
    """
    learnable = [
        index for index in range(len(pictures)) if not pictures.truth(index).difficult.all()
    ]
    if not learnable:
        raise BenchError("no picture to learn from has an object")
    _resize_to(model, shorts_px=sizes.train_short_px, longest_px=sizes.train_longest_px)

    def batch(step: int) -> list[tuple[Tensor, dict[str, Tensor]]]:
        count = settings.pictures
        order = picture_order(len(learnable), seed=seed, step=step, pictures=count)
        return [
            _example(pictures, learnable[place], rng=np.random.default_rng([seed, step, slot]))
            for slot, place in enumerate(order)
        ]

    def loss_of(batch: list[tuple[Tensor, dict[str, Tensor]]], step: int) -> Float[Tensor, ""]:
        device = network.device
        images = [_as_read(image, network=network) for image, _ in batch]
        targets = [{name: t.to(device) for name, t in wanted.items()} for _, wanted in batch]
        with _seeded(network.device, seed=step_seed(seed, step)):
            losses = model(images, targets)
        return torch.stack(list(losses.values())).sum()

    batches = prefetched(batch, steps=schedule.steps)
    losses = fit(model.train(), batches, loss_of=loss_of, schedule=schedule, progress=progress)
    _resize_to(model, shorts_px=(sizes.test_short_px,), longest_px=sizes.test_longest_px)
    model.eval()
    return losses


@torch.inference_mode()
def detect_faster(
    model: FasterRCNN,
    network: Network,
    *,
    pictures: Pictures,
    keeping: Keeping,
    progress: Progress,
) -> list[FoundBoxes]:
    """Detect in all pictures; boxes end on the CPU.

    Raises:
        VocError: if a picture cannot be read.
    """
    found = []
    for index in range(len(pictures)):
        (answer,) = model([_as_read(_as_tensor(pictures.image(index)), network=network)])
        found.append(
            keep_best(
                answer["boxes"].cpu(),
                classes=answer["labels"].cpu() - 1,
                scores=answer["scores"].cpu(),
                keeping=keeping,
            )
        )
        progress("detection", index + 1, len(pictures))
    return found


def _example(
    pictures: Pictures, index: int, *, rng: np.random.Generator
) -> tuple[Float[Tensor, "3 h w"], dict[str, Tensor]]:
    """Return a picture, mirrored or not, and its objects; sizes are torchvision's to choose."""
    image, truth = pictures.image(index), pictures.truth(index)
    asked = ~truth.difficult
    corners = within(truth.corners[asked], image=image)
    if rng.random() < 0.5:
        corners = mirrored(corners, width=image.shape[1])
        image = np.ascontiguousarray(image[:, ::-1])
    return _as_tensor(image), {
        "boxes": torch.from_numpy(corners).float(),
        "labels": torch.from_numpy(truth.classes[asked] + 1),
    }


def _as_tensor(image: UInt8[np.ndarray, "h w 3"]) -> Float[Tensor, "3 h w"]:
    return torch.from_numpy(image).permute(2, 0, 1).float() / 255


def _as_read(image: Float[Tensor, "3 h w"], *, network: Network) -> Float[Tensor, "3 h w"]:
    """Bring a picture to the device and into the colour space that the backbone reads; torchvision normalises it there."""
    return in_space(image.to(network.device)[None], network.normalisation.space)[0]


@contextlib.contextmanager
def _seeded(device: torch.device, *, seed: int) -> Iterator[None]:
    """Seed the global state, which torchvision draws sizes and samples from, and put it back afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def _resize_to(model: FasterRCNN, *, shorts_px: tuple[int, ...], longest_px: int) -> None:
    transform: Any = model.transform
    transform.min_size, transform.max_size = shorts_px, longest_px
