"""VOC classification: what learns, what is judged, and that neither order nor batches have a say."""

import copy
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photo_trees import write_tar
from torch import Tensor, nn
from voc_trees import FakeObject, annotation, voc_files

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.network_input import InputNormalisation
from scenelift.benchmarks.card import Outcome
from scenelift.benchmarks.linear_svm import SvmSettings
from scenelift.benchmarks.metrics.explain import explain
from scenelift.benchmarks.network import Network, open_network
from scenelift.benchmarks.task import BenchError, Job, Task
from scenelift.benchmarks.voc_classification import VocClassificationTask, desk, paper
from scenelift.benchmarks.voc_classifier import (
    Mode,
    VocClassifier,
    describe_head,
    multilabel_loss,
    prepare_backbone,
)
from scenelift.benchmarks.voc_crops import Window, centre_crop, cut, random_window
from scenelift.benchmarks.voc_features import pooled_features
from scenelift.benchmarks.voc_fine_tuning import (
    Schedule,
    crop_logits,
    parameter_groups,
)
from scenelift.benchmarks.voc_parts import CropSettings, LabelledPictures
from scenelift.datasets.voc import open_voc

FEW = ("aeroplane", "bus", "person", "train")
TINY = VocClassificationTask(
    modes=("svm", "fc8", "fc6-8", "all"),
    schedule=Schedule(iterations=3, batch_size=4),
    crop_px=64,
    test_crops=2,
    svm=SvmSettings(costs=(0.1, 10.0)),
    svm_resize_px=40,
    svm_crop_px=36,
)
IMAGENET = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(name: str = "alexnet-small") -> Network:
    return open_network("random", backbone=name, seed=0, device=torch.device("cpu"))


def make_job(tmp_path: Path, data: Path, *, final: bool = False, seed: int = 0) -> Job:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    return Job(data=data, out=out, seed=seed, final=final, progress=lambda _w, _d, _t: None)


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return voc_files({"train": 30, "val": 12}, names=FEW)


@pytest.fixture
def data(tmp_path: Path, files: dict[str, bytes]) -> Path:
    return write_tar(tmp_path / "voc.tar", files)


def values(outcome: Outcome) -> dict[tuple[str, str, str], float]:
    return {(f.group, f.layer, f.name): f.value for f in outcome.figures}


def headline(outcome: Outcome, group: str) -> float:
    return next(f.value for f in outcome.figures if (f.name, f.group) == ("mAP", group))


# Crops.


def window(name: str, **changes: Any) -> Window:
    settings: dict[str, Any] = {
        "width": 500,
        "height": 375,
        "crop_px": 227,
        "scales": (0.5, 2.0),
        "seed": 0,
        "purpose": "judge",
        "number": 0,
        **changes,
    }
    return random_window(name, **settings)


def test_windows_lie_within_and_cover_what_they_should() -> None:
    windows = [window(f"{i:06d}") for i in range(2000)]
    sides = np.array([w.side_px for w in windows])
    lefts, tops = (np.array([getattr(w, a) for w in windows]) for a in ("left_px", "top_px"))
    assert ((lefts >= 0) & (lefts + sides <= 500)).all()
    assert ((tops >= 0) & (tops + sides <= 375)).all()
    # Scales are uniform: those below 227 / 375 see the whole shorter side.
    assert (sides == 375).mean() == pytest.approx((227 / 375 - 0.5) / 1.5, abs=0.02)
    assert np.median(227 / sides) == pytest.approx(1.25, abs=0.05)
    assert sides.min() == pytest.approx(227 / 2, rel=0.01)
    assert np.mean([w.flip for w in windows]) == pytest.approx(0.5, abs=0.04)
    room = lefts / (500 - sides)
    assert np.histogram(room, 4, (0, 1))[0].min() > 400


def test_a_window_is_a_function_of_name_seed_purpose_and_number() -> None:
    assert window("a") == window("a")
    others = [window("b"), window("a", seed=1), window("a", number=1), window("a", purpose="learn")]
    assert len({window("a"), *others}) == 5


def test_cuts_are_exact_where_nothing_is_resized() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8)
    plain = Window(left_px=5, top_px=3, side_px=8, flip=False)
    np.testing.assert_array_equal(cut(picture, plain, crop_px=8), picture[3:11, 5:13])
    flipped = replace(plain, flip=True)
    np.testing.assert_array_equal(cut(picture, flipped, crop_px=8), picture[3:11, 12:4:-1])
    middle = centre_crop(picture, resize_px=20, crop_px=10)
    np.testing.assert_array_equal(middle, picture[5:15, 10:20])
    whole = Window(left_px=29.9, top_px=0.1, side_px=0.2, flip=False)
    assert cut(picture, whole, crop_px=4).shape == (4, 4, 3)


# The classifier.


def classifier(mode: Mode, name: str = "alexnet-small", *, crop_px: int = 64) -> VocClassifier:
    backbone = prepare_backbone(build_backbone(name, generator=seeded()), crop_px=crop_px)
    return VocClassifier(
        backbone, mode=mode, num_classes=20, hidden=16, dropout=0.5, generator=seeded(1)
    )


def test_the_loss_is_summed_over_classes_averaged_over_pictures_and_blind_to_ignored() -> None:
    logits = torch.randn(5, 20, generator=seeded(), requires_grad=True)
    labels = torch.randint(-1, 2, (5, 20), generator=seeded(1)).float()
    loss = multilabel_loss(logits, labels)
    known = labels >= 0
    each = nn.BCEWithLogitsLoss(reduction="sum")(logits[known], labels[known])
    torch.testing.assert_close(loss, each / 5)
    (slope,) = torch.autograd.grad(loss, logits)
    assert not slope[~known].any()
    assert slope[known].all()
    # The published layer's gradient.
    torch.testing.assert_close(slope[known], (torch.sigmoid(logits) - labels)[known] / 5)


@pytest.mark.parametrize(
    ("name", "crop_px", "said"),
    [
        ("alexnet-small", 227, "linear layers over the 6 x 6 map"),
        ("alexnet-small", 64, "their mean over the map"),
        ("vgg16", 32, "two new layers of 16"),
        ("resnet18", 32, "two new layers of 16"),
    ],
)
def test_heads_of_each_network(name: str, crop_px: int, said: str) -> None:
    model = classifier("fc6-8", name, crop_px=crop_px)
    images = torch.randn(2, 3, crop_px, crop_px, generator=seeded())
    assert model(images).shape == (2, 20)
    assert said in describe_head(model)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in model.modules())
    assert torch.equal(model.fc8.bias, torch.full((20,), 0.1))
    assert float(model.fc8.weight.detach().std()) == pytest.approx(0.01, rel=0.15)
    learns = {item.partition(".")[0] for item, _ in model.learning()}
    assert learns == ({"backbone", "fc8"} if name.startswith("alexnet") else {"between", "fc8"})
    plain = classifier("all", name, crop_px=crop_px)
    assert len(plain.between) == 0
    assert len(plain.learning()) == len(list(plain.parameters()))


def test_the_ordinary_alexnet_is_the_dilated_one_at_its_middle() -> None:
    backbone = build_backbone("alexnet-small", generator=seeded())
    images = torch.randn(1, 3, 227, 227, generator=seeded())
    model = classifier("all", crop_px=227)
    with torch.no_grad():
        middle = backbone.eval()(images)["fc7"][:, :, 6, 6]
        torch.testing.assert_close(model(images), model.fc8(middle), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mode", ["fc8", "fc6-8", "all"])
def test_only_what_the_mode_names_gets_a_gradient(mode: Mode) -> None:
    model = classifier(mode)
    images = torch.randn(2, 3, 64, 64, generator=seeded())
    multilabel_loss(model(images, dropping=seeded()), torch.ones(2, 20)).backward()
    moved = {name for name, value in model.named_parameters() if value.grad is not None}
    assert moved == {name for name, _ in model.learning()}
    convolutions = any(name.startswith("backbone.conv") for name in moved)
    assert (convolutions, "backbone.fc6.weight" in moved) == (mode == "all", mode != "fc8")


def test_dropping_keeps_the_mean_and_draws_from_its_generator_alone() -> None:
    model = classifier("all")
    images = torch.randn(1, 3, 64, 64, generator=seeded())
    state = torch.get_rng_state()
    with torch.no_grad():
        still = model(images)
        assert torch.equal(still, model(images))
        assert torch.equal(model(images, dropping=seeded(3)), model(images, dropping=seeded(3)))
        many = torch.stack([model(images, dropping=seeded(i)) for i in range(20)])
    assert float(many.std(dim=0).mean()) > 0
    assert torch.equal(torch.get_rng_state(), state)
    dense = torch.rand(1, 128, 3, 3, generator=seeded()) + 0.1
    kept = torch.stack([model._drop(dense, seeded(i)) for i in range(2000)])
    torch.testing.assert_close(kept.mean(dim=0), dense, atol=0, rtol=0.15)
    # Half of the channels, each as a whole.
    assert torch.equal(kept[0, 0, :, 0, 0] == 0, kept[0, 0, :, 2, 1] == 0)


def test_rates_are_the_published_ones() -> None:
    model = classifier("all")
    groups = parameter_groups(model, schedule=Schedule(iterations=8, fully_connected_rate=10.0))
    rates = {id(value): rate for rate, part in groups.items() for value in part}
    found = {name: rates[id(value)] for name, value in model.named_parameters()}
    for layer, weight in (("conv1", 1), ("conv5", 1), ("fc6", 10), ("fc7", 10)):
        assert found[f"backbone.{layer}.weight"] == weight
        assert found[f"backbone.{layer}.bias"] == 2 * weight
    assert (found["fc8.weight"], found["fc8.bias"]) == (10, 20)
    assert [Schedule(iterations=16).rate_at(i) * 1000 for i in (0, 1, 2, 15)] == [1, 1, 0.5, 2**-7]


def test_the_published_settings() -> None:
    task = paper()
    assert (task.schedule.iterations, task.schedule.learning_rate) == (80_000, 1e-3)
    assert (task.schedule.rate_at(9_999), task.schedule.rate_at(10_000)) == (1e-3, 5e-4)
    assert (task.crop_px, task.scales, task.test_crops) == (227, (0.5, 2.0), 10)
    assert (task.schedule.batch_size, task.schedule.clip_norm) == (16, 10)
    assert (task.schedule.momentum, task.schedule.weight_decay) == (0.9, 1e-6)
    assert isinstance(task, Task)
    assert desk().name == task.name == "voc-classification"


# Order and batches.


def pictures(data: Path, *, order: int | None = None) -> LabelledPictures:
    images = open_voc(data, split="val")
    sources = [(images, index) for index in range(len(images))]
    if order is not None:
        random.Random(order).shuffle(sources)
    return LabelledPictures(sources)


def logits(
    model: VocClassifier, part: LabelledPictures, *, batch_size: int, crops: int = 3
) -> np.ndarray:
    return crop_logits(
        model,
        part,
        normalisation=IMAGENET,
        crops=CropSettings(crop_px=64, scales=(0.5, 2.0), seed=5),
        num_crops=crops,
        batch_size=batch_size,
        tell=lambda _done: None,
    )


def test_scores_depend_neither_on_the_order_of_pictures_nor_on_batches(data: Path) -> None:
    model = classifier("all")
    expected = logits(model, pictures(data), batch_size=64)
    assert expected.shape == (12, 3, 20)
    assert expected.std(axis=1).min() > 0
    for order, batch_size in ((None, 1), (1, 64), (2, 7)):
        part = pictures(data, order=order)
        assert part.names == pictures(data).names
        np.testing.assert_allclose(
            logits(model, part, batch_size=batch_size), expected, atol=1e-6, rtol=1e-5
        )
    few = logits(model, pictures(data), batch_size=5, crops=2)
    np.testing.assert_allclose(few, expected[:, :2], atol=1e-6, rtol=1e-5)


def test_features_depend_neither_on_batches_nor_on_their_number(data: Path) -> None:
    found = [
        pooled_features(
            network(),
            pictures(data),
            layers=layers,
            resize_px=40,
            crop_px=36,
            batch_size=batch_size,
            tell=lambda _done: None,
        )
        for layers, batch_size in ((("conv1", "conv5"), 64), (("conv1",), 1), (("conv5",), 5))
    ]
    np.testing.assert_allclose(found[0]["conv1"], found[1]["conv1"], atol=1e-6)
    np.testing.assert_allclose(found[0]["conv5"], found[2]["conv5"], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found[0]["conv1"], axis=1), 1, rtol=1e-5)


def test_figures_do_not_depend_on_the_order_of_lists(
    tmp_path: Path, files: dict[str, bytes], data: Path
) -> None:
    shuffled = dict(files)
    for split in ("train", "val"):
        name = f"VOC2007/ImageSets/Main/{split}.txt"
        ids = files[name].split()
        random.Random(0).shuffle(ids)
        shuffled[name] = b"\n".join(ids)
    other = write_tar(tmp_path / "shuffled.tar", shuffled)
    one, two = (TINY.run(network(), job=make_job(tmp_path, path)) for path in (data, other))
    assert values(one) == values(two)
    assert one.data.splits == two.data.splits == {"train": 24, "selection": 6}


# The whole.


def test_every_mode_is_judged_by_every_definition_from_its_file(tmp_path: Path, data: Path) -> None:
    judged = network()
    before = copy.deepcopy(judged.backbone.state_dict())
    job = make_job(tmp_path, data, final=True)
    outcome = TINY.run(judged, job=job)
    assert all(torch.equal(v, before[k]) for k, v in judged.backbone.state_dict().items())
    assert outcome.data.splits == {"train": 30, "test": 12}
    assert "val is the locked test" in outcome.data.note
    assert any("left out: bicycle" in note for note in outcome.notes)
    files = {
        ("svm", "conv5"): "scores-svm-conv5.npz",
        **{(mode, ""): f"scores-{mode}.npz" for mode in ("fc8", "fc6-8", "all")},
        **{
            (f"{mode}, one crop", ""): f"scores-{mode}-one-crop.npz"
            for mode in ("fc8", "fc6-8", "all")
        },
    }
    found = values(outcome)
    for (group, layer), file in files.items():
        for place, item in enumerate(explain(job.out / file)):
            name = "mAP" if place == 0 else f"mAP, {item.name}"
            assert found[group, layer, name] == pytest.approx(100 * item.mean)
    assert {group for group, _, name in found if name == "AP"} == {
        f"{mode}/{name}" for mode in TINY.modes for name in FEW
    }
    assert outcome.protocol["schedule"]["iterations"] == 3
    assert "their mean over the map" in outcome.protocol["definitions"]["head of all"]
    assert all(0 <= figure.value <= 100 for figure in outcome.figures)


def test_the_devkit_of_2012_is_headed_by_the_area(tmp_path: Path) -> None:
    files = voc_files({"train": 20, "val": 12}, names=FEW, top="VOCdevkit/VOC2012/")
    job = make_job(tmp_path, write_tar(tmp_path / "voc.tar", files))
    outcome = replace(TINY, modes=("svm",)).run(network(), job=job)
    assert outcome.data.name == "VOC2012"
    head = next(f for f in outcome.figures if f.name == "mAP")
    assert head.definition.startswith("area")
    assert any(f.name == "mAP, 11-point" for f in outcome.figures)


@pytest.mark.parametrize(
    ("mode", "settings"),
    [
        ("svm", {}),
        ("all", {"schedule": Schedule(iterations=150, learning_rate=0.02, batch_size=8)}),
    ],
)
def test_classes_of_one_colour_are_learnt(
    tmp_path: Path, mode: Any, settings: dict[str, Any]
) -> None:
    files = voc_files({"train": 60, "val": 20}, names=FEW, seed=3)
    job = make_job(tmp_path, write_tar(tmp_path / "voc.tar", files), final=True)
    task = replace(TINY, modes=(mode,), svm_layers=("conv1",), test_crops=4, **settings)
    outcome = task.run(network(), job=job)
    assert headline(outcome, mode) > 90
    other = replace(task, schedule=Schedule(iterations=1))
    if mode == "all":
        assert headline(other.run(network(), job=job), mode) < headline(outcome, mode) - 10


def test_a_seed_decides_all(tmp_path: Path, data: Path) -> None:
    task = replace(TINY, modes=("svm", "all"))
    one, again, other = (
        values(task.run(network(), job=make_job(tmp_path, data, seed=seed, final=True)))
        for seed in (0, 0, 1)
    )
    assert one == again
    assert one != other


@pytest.mark.parametrize("mode", ["svm", "fc8", "fc6-8", "all"])
def test_work_is_what_is_done(tmp_path: Path, data: Path, mode: Any) -> None:
    judged = network()
    seen = {False: 0, True: 0}

    def count(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen[torch.is_grad_enabled()] += arguments[0].shape[0] * arguments[0][0, 0].numel()

    task = replace(TINY, modes=(mode,), rescale=False, schedule=Schedule(iterations=20))
    job = make_job(tmp_path, data)
    work = task.work(judged, job=job)
    judged.backbone.register_forward_pre_hook(count)
    task.run(judged, job=job)
    slack = 3 * 64**2  # folding looks at a small picture three times
    assert work.forward_px <= seen[False] <= work.forward_px + slack
    assert work.trained_px <= seen[True] <= work.trained_px + slack
    assert work.other_s > 0


# What cannot be.


def without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: value for key, value in files.items() if not key.endswith(name)}


def unlabelled(files: dict[str, bytes]) -> dict[str, bytes]:
    empty = annotation([], width=48, height=40)
    return {k: empty if k.endswith(".xml") else v for k, v in files.items()}


def overlapping(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, "VOC2007/ImageSets/Main/val.txt": b"000031\n000001\n"}


def outside(files: dict[str, bytes]) -> dict[str, bytes]:
    far = annotation([FakeObject(name="cat", box=(1, 1, 90, 10))], width=48, height=40)
    return {**files, "VOC2007/Annotations/000031.xml": far}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: without(files, "Main/train.txt"), "no split train; there are val"),
        (lambda files: without(files, "Main/val.txt"), "nothing to judge on"),
        (lambda files: without(files, "000031.xml"), r"000031\.xml is missing"),
        (unlabelled, "no class is present in any of 12 judged pictures"),
        (overlapping, "000001 is to be learnt from and judged"),
        (outside, "box 1 .* leaves its picture of 48 x 40"),
    ],
)
def test_bad_data_are_told(
    tmp_path: Path,
    files: dict[str, bytes],
    change: Callable[[dict[str, bytes]], dict[str, bytes]],
    message: str,
) -> None:
    job = make_job(tmp_path, write_tar(tmp_path / "voc.tar", change(files)), final=True)
    with pytest.raises(BenchError, match=message) as caught:
        replace(TINY, modes=("svm",)).run(network(), job=job)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (replace(TINY, modes=("svm",), svm_layers=("conv9",)), "has no layer 'conv9'"),
        (replace(TINY, modes=("all",), crop_px=16), "crops of 16 pixels are too small"),
        (
            replace(
                TINY,
                modes=("all",),
                schedule=Schedule(iterations=60, learning_rate=1e30, clip_norm=1e30),
            ),
            "lower learning_rate",
        ),
    ],
)
def test_settings_that_do_not_fit_are_told(
    tmp_path: Path, data: Path, task: VocClassificationTask, message: str
) -> None:
    with pytest.raises(BenchError, match=message) as caught:
        task.run(network(), job=make_job(tmp_path, data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modes": ()}, "modes must name"),
        ({"modes": ("svm", "svm")}, "each once"),
        ({"scales": (2.0, 1.0)}, "scales must be positive"),
        ({"test_crops": 0}, "at least 1"),
        ({"svm_crop_px": 300}, "exceeds svm_resize_px"),
        ({"dropout": 1.0}, "dropout must be"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(paper(), **changes)
    with pytest.raises(ValueError, match="must be positive"):
        Schedule(iterations=0)


def test_a_residual_network_is_not_rescaled_and_says_so(tmp_path: Path, data: Path) -> None:
    task = replace(TINY, modes=("fc6-8",), hidden=8)
    outcome = task.run(network("resnet18"), job=make_job(tmp_path, data))
    assert any("not rescaled: backbone resnet18 is no chain" in note for note in outcome.notes)
    assert "two new layers of 8" in outcome.protocol["definitions"]["head of fc6-8"]
