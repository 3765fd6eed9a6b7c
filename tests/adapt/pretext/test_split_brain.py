"""Split-brain: nothing passes between the halves, before and after learning, and the artefact is an ordinary backbone."""

import copy
from pathlib import Path
from typing import Literal

import pytest
import torch
from colour_pictures import learn, make, planted, resumed_alike
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.fold import fold_batch_norm
from scenelift.adapt.method import Clock
from scenelift.adapt.network_input import LAB_INPUT, network_input
from scenelift.adapt.pretext.halves import HalvesError, halves, split
from scenelift.adapt.pretext.method import Pretext
from scenelift.adapt.pretext.split_brain import SplitBrain, SplitBrainSettings
from scenelift.adapt.weights import load_weights, save_weights

SETTINGS = SplitBrainSettings(prior_steps=10, lightness_bins=20)


def task_of(method: Pretext) -> SplitBrain:
    assert isinstance(method.task, SplitBrain)
    return method.task


def between(backbone: Backbone) -> list[Tensor]:
    """Every weight that would carry one half's values to the other."""
    found = []
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            outputs, inputs = module.weight.shape[:2]
            first = 1 if inputs == 3 else inputs // 2
            found.append(module.weight[: outputs // 2, first:].detach())
            found.append(module.weight[outputs // 2 :, :first].detach())
    return found


def lab_of(seed: int, *, count: int = 2, side: int = 64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=generator) * 100 - torch.tensor(
        [0.0, 50, 50]
    ).view(1, 3, 1, 1)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("learnt", [False, True])
@torch.no_grad()
def test_no_half_sees_its_target(training: bool, learnt: bool) -> None:
    """In every layer and in both answers, whether batch norms use the batch's statistics or their own."""
    method = make(SETTINGS)
    if learnt:
        with torch.enable_grad():
            learn(method, range(3))
    task = task_of(method)
    method.backbone.train(training)
    lab = lab_of(0)
    other_lightness, other_colour = lab.clone(), lab.clone()
    other_lightness[:, 0] = lab_of(1)[:, 0]
    other_colour[:, 1:] = lab_of(1)[:, 1:]
    stays = {0: other_colour, 1: other_lightness}
    for half, changed in stays.items():
        before, after = (method.backbone((x - 50) / 50) for x in (lab, changed))
        assert len(before) == 7
        for name in before:
            same, moved = half, 1 - half
            assert torch.equal(halves(before[name])[same], halves(after[name])[same]), name
            assert not torch.equal(halves(before[name])[moved], halves(after[name])[moved]), name
        before_answer, after_answer = (task.answer(method.backbone, x) for x in (lab, changed))
        assert torch.equal(before_answer[half], after_answer[half])
        assert not torch.equal(before_answer[1 - half], after_answer[1 - half])


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_zeros_survive_twenty_steps_with_weight_decay(name: Literal["adamw", "sgd"]) -> None:
    method = make(SETTINGS, name=name, learning_rate=1e-2, weight_decay=0.1)
    weights = [p for p in method.backbone.parameters() if p.dim() > 1]
    before = [p.detach().clone() for p in weights]
    learn(method, range(20))
    assert all(not bool(weights.any()) for weights in between(method.backbone))
    assert all(bool((p != b).any()) for p, b in zip(weights, before, strict=True))
    conv2 = method.backbone.get_submodule("conv2")
    assert isinstance(conv2, nn.Conv2d)
    assert bool((conv2.weight[:32, :16] != 0).all())


def test_the_gradient_between_the_halves_is_erased_where_its_norm_is_taken() -> None:
    method = make(SETTINGS)
    loss, _ = method.task.loss(method.backbone, planted(seed=0), clock=Clock(step=0, steps=9))
    loss.backward()
    conv3 = method.backbone.get_submodule("conv3")
    assert isinstance(conv3, nn.Conv2d)
    assert conv3.weight.grad is not None
    assert not bool(conv3.weight.grad[:48, 32:].any())
    assert not bool(conv3.weight.grad[48:, :32].any())
    assert bool(conv3.weight.grad[:48, :32].any())
    assert bool(conv3.weight.grad[48:, 32:].any())


def _spreads(backbone: Backbone, pictures: Tensor) -> list[float]:
    """Deviation of each convolution's output."""
    found: list[float] = []

    def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        found.append(float(output.detach().std()))

    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(note)
    backbone(pictures)
    return found


@pytest.mark.parametrize("name", ["alexnet-small", "vgg16", "resnet18"])
def test_activations_keep_their_scale(name: str) -> None:
    """Before batch norms: the deviation of each convolution's output is about that of the whole network's."""
    generator = torch.Generator().manual_seed(0)
    whole = build_backbone(name, generator=generator)
    halved = copy.deepcopy(whole)
    split(halved)
    pictures = torch.randn(2, 3, 64, 64, generator=generator)
    spreads = [torch.tensor(_spreads(network, pictures)) for network in (whole, halved)]
    ratio = spreads[1] / spreads[0]
    assert len(ratio) >= 7
    assert float(ratio.min()) > 0.7
    assert float(ratio.max()) < 1.4


def test_the_artefact_is_an_ordinary_backbone(tmp_path: Path) -> None:
    method = make(SETTINGS)
    learn(method, range(2))
    save_weights(
        tmp_path / "w.safetensors",
        method.backbone,
        input_normalisation=method.input_normalisation,
        config={},
    )
    weights = load_weights(tmp_path / "w.safetensors")
    assert weights.input_normalisation == LAB_INPUT
    batch = planted(seed=5)
    here = method.features(batch)
    there = weights.backbone(
        network_input(batch["image"], normalisation=weights.input_normalisation)
    )
    assert list(here) == list(there)
    assert all(torch.equal(here[name], there[name]) for name in here)
    assert all(not bool(weights.any()) for weights in between(fold_batch_norm(method.backbone)))


@pytest.mark.parametrize("name", ["alexnet-small", "vgg16", "resnet18"])
def test_backbones_that_will_do(name: str) -> None:
    method = make(SETTINGS, backbone=name)
    learn(method, range(1))
    assert all(not bool(weights.any()) for weights in between(method.backbone))
    assert method.task.alters_backbone


class _Mixing(Backbone):
    """A network whose halves talk through their mean."""

    def __init__(self, base: Backbone) -> None:
        super().__init__(name="mixing", layers=base.layers, taps="post", min_size_px=31)
        self.base = base

    def before_relu(self, name: str, x: Tensor) -> Tensor:
        return self.base.before_relu(name, x) + 0.1 * x.mean()


def test_backbones_that_will_not_do() -> None:
    with pytest.raises(HalvesError, match="passes information between its halves before conv1"):
        split(_Mixing(build_backbone("alexnet-small", generator=torch.Generator())))
    grouped = build_backbone("alexnet-small", generator=torch.Generator())
    grouped.conv2 = nn.Conv2d(32, 64, 5, padding=2, groups=2)
    with pytest.raises(HalvesError, match="grouped convolutions; split-brain needs alexnet"):
        split(grouped)
    odd = build_backbone("alexnet-small", generator=torch.Generator())
    odd.conv2 = nn.Conv2d(32, 63, 5, padding=2)
    with pytest.raises(HalvesError, match="from 32 to 63 channels, which do not halve"):
        split(odd)


def test_both_halves_learn() -> None:
    method = make(SETTINGS, learning_rate=5e-3)
    learn(method, range(50))
    told = method.validate({"real": planted(seed=1000, count=16)})
    for part, share in (("colour", 0.8), ("lightness", 0.8)):
        assert told[f"error/{part}"] < share * told[f"baseline/{part}"], part
        entropy = f"{part}_cross_entropy"
        assert told[f"error/{entropy}"] < told[f"baseline/{entropy}"] - 0.2, part


def test_it_resumes_to_the_same_bits() -> None:
    assert resumed_alike(SplitBrainSettings(prior_steps=3))


def test_half_precision_and_pictures() -> None:
    method = make(SETTINGS, half=True)
    batch = planted(seed=0, count=3)
    assert method.step({"real": batch}, clock=Clock(step=0, steps=9))["loss/task"].isfinite()
    assert all(not bool(weights.any()) for weights in between(method.backbone))
    ((name, rows),) = method.pictures({"real": batch}).items()
    assert rows.shape == (3, 64, len(method.captions[name]) * 68 - 4, 3)


def test_bad_settings_are_one_line() -> None:
    with pytest.raises(ValueError, match="lightness_bins must be from 2 to 256, got 1"):
        SplitBrainSettings(lightness_bins=1)
    with pytest.raises(ValueError, match="sigma and temperature must be positive"):
        SplitBrainSettings(temperature=0.0)
