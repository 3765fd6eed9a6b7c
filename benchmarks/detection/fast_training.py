"""Training and running Fast R-CNN on pictures with proposals."""

from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from scenelift.benchmarks.detection.boxes import mirrored
from scenelift.benchmarks.detection.fast_rcnn import (
    FastRCNN,
    FoundBoxes,
    Keeping,
    Pooling,
    RegionHead,
    hidden_layers,
    region_losses,
)
from scenelift.benchmarks.detection.pictures import Pictures, within
from scenelift.benchmarks.detection.proposal_file import Proposals
from scenelift.benchmarks.detection.sampling import (
    Regions,
    RegionSampling,
    assign_regions,
    draw_regions,
    is_learnable,
    offset_scale,
)
from scenelift.benchmarks.detection.training import (
    Schedule,
    Seen,
    Sizes,
    fit,
    picture_order,
    prefetched,
    resized,
    see,
    stacked,
    step_seed,
)
from scenelift.benchmarks.detection.trunk import Trunk
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError, Progress
from scenelift.datasets.voc import VOC_CLASSES


@dataclass(frozen=True, kw_only=True, slots=True)
class FastSettings:
    """What Fast R-CNN does beside its schedule."""

    sampling: RegionSampling = field(default_factory=RegionSampling)
    pooling: Pooling = "pool"
    hidden: int = 1024
    """Units of new hidden layers, where the network brings none."""
    dropout: float = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    seen: list[Seen]
    corners: list[Float[Tensor, "_ 4"]]
    """In pixels of the resized pictures."""
    labels: Int64[Tensor, " r"]
    targets: Float[Tensor, "r 4"]
    """In units of the offsets' scale."""


def train_fast(
    network: Network,
    trunk: Trunk,
    *,
    pictures: Pictures,
    proposals: Proposals,
    settings: FastSettings,
    sizes: Sizes,
    schedule: Schedule,
    seed: int,
    progress: Progress,
) -> tuple[FastRCNN, list[float], str]:
    """Train Fast R-CNN.

    Args:
        network: Whose normalisation pictures get.
        trunk: What regions are pooled from; it is trained too.
        pictures: To learn from.
        proposals: In all of them.
        settings: How regions are drawn and pooled.
        sizes: How large pictures are seen.
        schedule: How weights follow their gradients.
        seed: Of new weights, order, sizes, mirroring, regions and dropout.
        progress: Told of each step.

    Returns:
        The detector in evaluation mode, the loss of each step, and a sentence on its hidden layers.

    Raises:
        BenchError: if there is nothing to learn from, or the loss is not finite.
        VocError: if a picture or annotation cannot be used.
    """
    regions = [_regions(pictures, index, proposals) for index in range(len(pictures))]
    learnable = [
        place for place, r in enumerate(regions) if is_learnable(r, sampling=settings.sampling)
    ]
    if not learnable:
        raise BenchError("no picture to learn from has an object and proposals near it")
    scale = offset_scale(regions, sampling=settings.sampling, num_classes=len(VOC_CLASSES))
    generator = torch.Generator().manual_seed(seed)
    fc6, fc7, sentence = hidden_layers(
        trunk.backbone, channels=trunk.out_channels, width=settings.hidden, generator=generator
    )
    head = RegionHead(
        fc6=fc6,
        fc7=fc7,
        num_classes=len(VOC_CLASSES),
        dropout=settings.dropout,
        generator=generator,
    )
    model = FastRCNN(trunk=trunk, head=head, scale=scale, pooling=settings.pooling)
    model.to(network.device)

    def batch(step: int) -> _Batch:
        count = settings.sampling.pictures
        order = picture_order(len(learnable), seed=seed, step=step, pictures=count)
        seen = []
        for slot, place in enumerate(order):
            index = learnable[place]
            rng = np.random.default_rng([seed, step, slot])
            seen.append(see(pictures.image(index), index=index, sizes=sizes, rng=rng))
        return _make_batch(seen, regions=regions, model=model, sampling=settings.sampling)

    def loss_of(batch: _Batch, step: int) -> Float[Tensor, ""]:
        images = stacked([seen.image for seen in batch.seen], network=network)
        logits, offsets = model(
            images,
            [corners.to(network.device) for corners in batch.corners],
            generator=torch.Generator().manual_seed(step_seed(seed, step)),
        )
        of_classes, of_boxes = region_losses(
            logits,
            offsets,
            labels=batch.labels.to(network.device),
            targets=batch.targets.to(network.device),
        )
        return of_classes + of_boxes

    batches = prefetched(batch, steps=schedule.steps)
    losses = fit(model.train(), batches, loss_of=loss_of, schedule=schedule, progress=progress)
    return model.eval(), losses, sentence


def detect_fast(
    model: FastRCNN,
    network: Network,
    *,
    pictures: Pictures,
    proposals: Proposals,
    sizes: Sizes,
    keeping: Keeping,
    progress: Progress,
) -> list[FoundBoxes]:
    """Detect in all pictures, at one size each, on the CPU in the end.

    Raises:
        VocError: if a picture cannot be read.
    """
    found = []
    for index, name in enumerate(pictures.names):
        image = pictures.image(index)
        height, width = image.shape[:2]
        seen = resized(image, short_px=sizes.test_short_px, longest_px=sizes.test_longest_px)
        boxes = model.detect(
            stacked([seen], network=network),
            torch.from_numpy(proposals[name]).to(network.device),
            width=width,
            height=height,
            keeping=keeping,
        )
        found.append(
            FoundBoxes(
                corners=boxes.corners.cpu(),
                classes=boxes.classes.cpu(),
                scores=boxes.scores.cpu(),
            )
        )
        progress("detection", index + 1, len(pictures))
    return found


def _regions(pictures: Pictures, index: int, proposals: Proposals) -> Regions:
    """Assign the regions of a picture; difficult objects are nobody's."""
    truth = pictures.truth(index)
    asked = ~truth.difficult
    corners = within(truth.corners[asked], image=pictures.image(index))
    return assign_regions(
        proposals[pictures.names[index]], truth=corners, classes=truth.classes[asked]
    )


def _make_batch(
    seen: list[Seen], *, regions: list[Regions], model: FastRCNN, sampling: RegionSampling
) -> _Batch:
    corners, labels, offsets = [], [], []
    for each in seen:
        own = regions[each.index]
        chosen, answers = draw_regions(own, sampling=sampling, rng=each.rng)
        boxes, wanted = own.corners[chosen], own.offsets[chosen]
        if each.mirrored:
            boxes = mirrored(boxes, width=each.original_width)
            wanted = wanted * np.array([-1, 1, 1, 1], np.float32)
        corners.append(torch.from_numpy((boxes * each.factors).astype(np.float32)))
        labels.append(torch.from_numpy(answers))
        offsets.append(torch.from_numpy(wanted))
    answers_of_all = torch.cat(labels)
    of_class = (answers_of_all - 1).clamp(min=0)
    mean, std = model.offset_mean.cpu()[of_class], model.offset_std.cpu()[of_class]
    return _Batch(
        seen=seen,
        corners=corners,
        labels=answers_of_all,
        targets=(torch.cat(offsets) - mean) / std,
    )
