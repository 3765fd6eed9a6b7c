"""Fast R-CNN: pooling, losses, suppression, and that it learns planted squares."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from detection_trees import all_pictures, boxes_around, plant, small_network
from small_networks import generator_of, lived_in_backbone, noise_pictures

from scenelift.adapt.fold import fold_batch_norm
from scenelift.benchmarks.detection.fast_rcnn import (
    FastRCNN,
    Keeping,
    RegionHead,
    hidden_layers,
    keep_best,
    pool_regions,
    region_losses,
)
from scenelift.benchmarks.detection.fast_training import FastSettings, detect_fast, train_fast
from scenelift.benchmarks.detection.judge import join_found
from scenelift.benchmarks.detection.pictures import true_boxes
from scenelift.benchmarks.detection.sampling import OffsetScale, RegionSampling
from scenelift.benchmarks.detection.training import Schedule, Sizes
from scenelift.benchmarks.detection.trunk import Trunk, prepared_backbone
from scenelift.benchmarks.metrics.detection import detection_averages
from scenelift.benchmarks.task import BenchError


def columns_map(*, width: int, height: int, stride: int, shift_px: float) -> torch.Tensor:
    """Each position says which pixel its centre lies at, counted from 0."""
    row = torch.arange(width) * stride + shift_px
    return row.expand(1, 1, height, width).contiguous()


@pytest.mark.parametrize("shift_px", [0.0, 7.5])
def test_align_samples_where_the_region_lies(shift_px: float) -> None:
    """On a map that says where it is, the mean of a bin is its centre: a pixel's own is at +0.5."""
    feature = columns_map(width=20, height=10, stride=16, shift_px=shift_px)
    region = torch.tensor([[40.0, 30.0, 160.0, 110.0]])
    pooled = pool_regions(feature, [region], stride=16, shift_px=shift_px, pooling="align")
    centres = 40 + (torch.arange(6) + 0.5) * 120 / 6
    assert torch.allclose(pooled[0, 0, 0], centres - 0.5, atol=1e-4)


@pytest.mark.parametrize("shift_px", [0.0, 3.5])
def test_pooling_takes_the_greatest_of_rounded_bins(shift_px: float) -> None:
    """As Caffe's layer reckons, by hand."""
    feature = torch.randn(1, 2, 9, 13, generator=generator_of(0))
    x0, y0, x1, y1 = 21.0, 14.0, 152.0, 88.0
    pooled = pool_regions(
        feature,
        [torch.tensor([[x0, y0, x1, y1]])],
        stride=16,
        shift_px=shift_px,
        pooling="pool",
    )

    def ends(first: float, last: float, count: int) -> list[tuple[int, int]]:
        start, end = (math.floor((v - shift_px) / 16 + 0.5) for v in (first, last - 1))
        side = (end - start + 1) / 6
        bins = [(start + math.floor(i * side), start + math.ceil((i + 1) * side)) for i in range(6)]
        return [(max(a, 0), min(b, count)) for a, b in bins]

    for i, (top, bottom) in enumerate(ends(y0, y1, 9)):
        for j, (left, right) in enumerate(ends(x0, x1, 13)):
            wanted = feature[0, :, top:bottom, left:right].amax(dim=(1, 2))
            assert torch.equal(pooled[0, :, i, j], wanted)


def test_classes_and_offsets_lose_as_published() -> None:
    logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    offsets = torch.zeros(2, 2, 4)
    offsets[1, 0] = torch.tensor([0.5, -2.0, 0.0, 1.0])
    offsets[1, 1] = 9  # of another class
    offsets[0] = 9  # background
    of_classes, of_boxes = region_losses(
        logits,
        offsets,
        labels=torch.tensor([0, 1]),
        targets=torch.tensor([[7.0] * 4, [0.0] * 4]),
    )
    e = math.e
    wanted = (math.log((e**2 + 2) / e**2) + math.log((e + 2) / e)) / 2
    assert float(of_classes) == pytest.approx(wanted, rel=1e-6)
    # 0.5 x^2 below 1, |x| - 0.5 from there on; divided by all regions
    assert float(of_boxes) == pytest.approx((0.125 + 1.5 + 0 + 0.5) / 2)


def test_background_alone_loses_no_box() -> None:
    _, of_boxes = region_losses(
        torch.zeros(3, 4),
        torch.ones(3, 3, 4),
        labels=torch.zeros(3, dtype=torch.int64),
        targets=torch.zeros(3, 4),
    )
    assert float(of_boxes) == 0


def test_suppression_is_by_class_and_spares_what_overlaps_little() -> None:
    corners = torch.tensor(
        [[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 9], [8, 0, 18, 10], [0, 0, 0.5, 10]]
    )
    found = keep_best(
        corners,
        classes=torch.tensor([0, 0, 1, 0, 0]),
        scores=torch.tensor([0.9, 0.8, 0.7, 0.6, 0.99]),
        keeping=Keeping(),
    )
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.6])
    assert found.classes.tolist() == [0, 1, 0]


def test_the_best_boxes_of_all_classes_are_kept() -> None:
    corners = torch.tensor([[0.0, 0, 10, 10]]).repeat(5, 1)
    found = keep_best(
        corners,
        classes=torch.arange(5),
        scores=torch.tensor([0.1, 0.5, 0.3, 0.4, 0.2]),
        keeping=Keeping(max_boxes=3, min_score=0.15),
    )
    assert found.classes.tolist() == [1, 3, 2]


@pytest.mark.parametrize("name", ["alexnet-small", "alexnet-small-standard"])
def test_the_head_is_the_networks_own(name: str) -> None:
    """fc7 over a whole picture of 227 pixels equals the network's at its middle."""
    backbone = lived_in_backbone(name)
    own = fold_batch_norm(backbone) if name == "alexnet-small" else backbone
    fc6, fc7, sentence = hidden_layers(own, channels=64, width=8, generator=generator_of(0))
    head = RegionHead(fc6=fc6, fc7=fc7, num_classes=20, dropout=0.5, generator=generator_of(0))
    picture = noise_pictures(1, width=227, height=227)
    with torch.inference_mode():
        features = backbone(picture)
        pooled = torch.nn.functional.max_pool2d(features["conv5"], 3, stride=2)
        found = head.hidden(pooled, generator=None)
    middle = features["fc7"][..., 6, 6] if name == "alexnet-small" else features["fc7"].flatten(1)
    assert torch.allclose(found, middle, atol=1e-4)
    assert "own" in sentence


def test_dropout_comes_from_its_generator() -> None:
    backbone = fold_batch_norm(lived_in_backbone("alexnet-small"))
    fc6, fc7, _ = hidden_layers(backbone, channels=64, width=8, generator=generator_of(0))
    head = RegionHead(fc6=fc6, fc7=fc7, num_classes=2, dropout=0.5, generator=generator_of(0))
    pooled = torch.rand(200, 64, 6, 6, generator=generator_of(1))
    before = torch.get_rng_state()
    with torch.inference_mode():
        once, again, other = (head.hidden(pooled, generator=generator_of(s)) for s in (5, 5, 6))
        plain = head.hidden(pooled, generator=None)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    kept = once[plain > 0] > 0
    assert float(kept.float().mean()) == pytest.approx(0.5, abs=0.1)
    assert torch.equal(torch.get_rng_state(), before)


def test_boxes_are_answered_in_pixels_of_the_original(tmp_path: Path) -> None:
    """Whatever size the network sees, a mean offset of a tenth moves each box by a tenth of its side."""
    network = small_network()
    trunk = Trunk(prepared_backbone(network.backbone, calibration=None), layer="conv5", frozen=())
    fc6, fc7, _ = hidden_layers(trunk.backbone, channels=64, width=8, generator=generator_of(0))
    head = RegionHead(fc6=fc6, fc7=fc7, num_classes=1, dropout=0, generator=generator_of(0))
    torch.nn.init.zeros_(head.offsets.weight)
    scale = OffsetScale(
        mean=np.array([[0.1, 0, 0, 0]], np.float32), std=np.ones((1, 4), np.float32)
    )
    model = FastRCNN(trunk=trunk, head=head, scale=scale, pooling="pool").eval()
    regions = torch.tensor([[10.0, 10, 30, 50], [70, 20, 99, 60]])
    found = model.detect(
        noise_pictures(1, width=200, height=160),
        regions,
        width=100,
        height=80,
        keeping=Keeping(),
    )
    order = found.corners[:, 0].argsort()
    wanted = torch.tensor([[12.0, 10, 32, 50], [72.9, 20, 100, 60]])
    assert torch.allclose(found.corners[order], wanted, atol=1e-4)


def test_planted_squares_are_learnt(tmp_path: Path) -> None:
    root = plant(tmp_path, {"train": 8, "val": 2}, names=("bird", "bus", "cow"))
    pictures = all_pictures(root, split="train")
    proposals = boxes_around(pictures, count=40)
    network = small_network()
    backbone = prepared_backbone(
        network.backbone, calibration=noise_pictures(4, width=96, height=96)
    )
    trunk = Trunk(backbone, layer="conv5", frozen=())
    sizes = Sizes(
        train_short_px=(96, 112), train_longest_px=200, test_short_px=104, test_longest_px=200
    )
    model, losses, _ = train_fast(
        network,
        trunk,
        pictures=pictures,
        proposals=proposals,
        settings=FastSettings(sampling=RegionSampling(regions=64), dropout=0.1),
        sizes=sizes,
        schedule=Schedule(
            steps=110, learning_rate=0.01, milestones=(80,), warm_up=10, clip_norm=10.0
        ),
        seed=0,
        progress=lambda *_: None,
    )
    assert np.mean(losses[-20:]) < 0.3 * np.mean(losses[:5])
    found = detect_fast(
        model,
        network,
        pictures=pictures,
        proposals=proposals,
        sizes=sizes,
        keeping=Keeping(),
        progress=lambda *_: None,
    )
    averages = detection_averages(join_found(found), true_boxes(pictures), definition="area")
    assert averages.mean > 0.8


def test_a_loss_that_is_no_number_ends_in_one_line(tmp_path: Path) -> None:
    root = plant(tmp_path, {"train": 4, "val": 2}, names=("bird", "bus"))
    pictures = all_pictures(root, split="train")
    network = small_network()
    trunk = Trunk(prepared_backbone(network.backbone, calibration=None), layer="conv5", frozen=())
    with pytest.raises(BenchError, match="lower learning rate than 1e"):
        train_fast(
            network,
            trunk,
            pictures=pictures,
            proposals=boxes_around(pictures, count=10),
            settings=FastSettings(),
            sizes=Sizes(train_short_px=(96,)),
            schedule=Schedule(steps=10, learning_rate=1e30, milestones=()),
            seed=0,
            progress=lambda *_: None,
        )
