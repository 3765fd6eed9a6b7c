"""Colorization: it sees no colour, weighs rare ones more, and learns what lightness tells."""

import pytest
import torch
from colour_pictures import learn, make, planted, resumed_alike
from torch import Tensor

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import LIGHTNESS_INPUT, network_input, to_lab
from scenelift.adapt.pretext.colorization import Colorization, ColorizationSettings
from scenelift.adapt.pretext.gamut import cross_entropy, encode
from scenelift.adapt.pretext.method import Pretext

SETTINGS = ColorizationSettings(prior_steps=10)
CLOCK = Clock(step=0, steps=100)


def task_of(method: Pretext) -> Colorization:
    assert isinstance(method.task, Colorization)
    return method.task


def grey(*, count: int = 4) -> Batch:
    image = torch.rand(count, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    return {
        "image": (image * 255).to(torch.uint8).expand(-1, 3, -1, -1).contiguous(),
        "sample_seed": torch.arange(count),
    }


def inputs_seen(method: Pretext, batch: Batch) -> Tensor:
    seen: list[Tensor] = []
    handle = method.backbone.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    method.validate({"real": batch})
    handle.remove()
    return seen[0]


def test_it_is_fed_lightness_as_transfer_will_feed_it() -> None:
    batch = planted(seed=0)
    method = make(SETTINGS)
    expected = network_input(batch["image"], normalisation=method.input_normalisation)
    assert method.input_normalisation == LIGHTNESS_INPUT
    assert torch.equal(inputs_seen(method, batch), expected)


def test_the_loss_without_rebalancing_is_the_mean_cross_entropy_of_coloured_pictures() -> None:
    method = make(ColorizationSettings(uniform_share=1.0))
    task = task_of(method)
    batch = planted(seed=0, count=3)
    batch["image"][1] = 90  # grey: it counts as zero
    loss, _ = task.loss(method.backbone, batch, clock=CLOCK)
    answers: list[Tensor] = []
    handle = task.classifier.register_forward_hook(lambda *call: answers.append(call[2]))
    task.loss(method.backbone, batch, clock=CLOCK)
    handle.remove()
    assert answers[0].shape == (3, 313, 3, 3)
    lab = to_lab(batch["image"].float() / 255)
    ab = torch.nn.functional.avg_pool2d(lab[:, 1:], 8)
    centres = (8 * torch.arange(8.0) + 4 - 16) / 16
    hats = (1 - (centres.clamp(0, 2)[:, None] - torch.arange(3.0)).abs()).clamp(min=0)
    logits = torch.einsum("yi,xj,ncij->ncyx", hats, hats, answers[0])
    each = cross_entropy(logits, encode(ab, bins=task.bins)).mean(dim=(1, 2))
    torch.testing.assert_close(loss, (each[0] + each[2]) / 3)


def test_rare_colours_weigh_more() -> None:
    """The same answers cost more at a colour that was seldom counted."""
    losses = {}
    for often in (True, False):
        method = make(ColorizationSettings(prior_steps=1))
        task = task_of(method)
        batch = planted(seed=0, count=4)
        lab = to_lab(batch["image"].float() / 255)
        nearest = encode(torch.nn.functional.avg_pool2d(lab[:, 1:], 8), bins=task.bins).nearest
        counts = torch.ones(313, dtype=torch.int64)
        counts[nearest.unique()] = 10_000 if often else 0
        task.prior.counts.copy_(counts)
        losses[often], _ = task.loss(method.backbone, batch, clock=Clock(step=5, steps=9))
    assert float(losses[False].detach()) > 3 * float(losses[True].detach())


def test_grey_pictures_teach_nothing() -> None:
    method = make(SETTINGS)
    loss, _ = method.task.loss(method.backbone, grey(), clock=CLOCK)
    loss.backward()
    assert float(loss.detach()) == 0
    assert all(
        p.grad is None or not bool(p.grad.any())
        for network in method.networks().values()
        for p in network.parameters()
    )
    assert all(bool(v.isfinite()) for v in method.validate({"real": grey()}).values())


def test_gradients_reach_backbone_and_classifier() -> None:
    method = make(SETTINGS)
    loss, _ = method.task.loss(method.backbone, planted(seed=0), clock=CLOCK)
    loss.backward()
    for network in method.networks().values():
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert bool(parameter.grad.any()), name


def test_it_learns_which_colours_lightness_tells() -> None:
    method = make(SETTINGS)
    learn(method, range(30))
    told = method.validate({"real": planted(seed=1000, count=16)})
    for part in ("colour", "mean_colour"):
        assert told[f"error/{part}"] < 0.75 * told[f"baseline/{part}"]
    assert told["error/cross_entropy"] < told["baseline/cross_entropy"] - 0.2
    assert told["accuracy/colour"] > 3 * told["chance/colour"]
    assert told["selection/score"] == told["error/cross_entropy"]


def test_it_resumes_to_the_same_bits() -> None:
    assert resumed_alike(ColorizationSettings(prior_steps=3))


@pytest.mark.parametrize("backbone", ["vgg16", "resnet18"])
def test_any_backbone_and_side_will_do(backbone: str) -> None:
    method = make(SETTINGS, backbone=backbone)
    batch = planted(seed=0, count=2, side=72)
    assert bool(method.step({"real": batch}, clock=CLOCK)["loss/task"].isfinite())


def test_half_precision_and_pictures() -> None:
    method = make(SETTINGS, half=True)
    batch = planted(seed=0, count=3)
    assert method.step({"real": batch}, clock=CLOCK)["loss/task"].dtype == torch.float32
    (name, rows), *others = method.pictures({"real": batch}).items()
    assert not others
    assert rows.shape == (3, 64, len(method.captions[name]) * 68 - 4, 3)
    assert torch.equal(rows[:, :, 68:132], batch["image"].permute(0, 2, 3, 1))
    seen = rows[:, :, :64].int()
    assert (seen - seen.float().mean(dim=3, keepdim=True)).abs().max() < 2


def test_bad_settings_are_one_line() -> None:
    with pytest.raises(ValueError, match="uniform_share must lie above 0"):
        ColorizationSettings(uniform_share=0.0)
    with pytest.raises(ValueError, match="target_stride must be at least 1"):
        ColorizationSettings(target_stride=0)
    with pytest.raises(ValueError, match="nearest must be from 1 to 313"):
        ColorizationSettings(nearest=400)
    with pytest.raises(ValueError, match="sigma and temperature must be positive"):
        ColorizationSettings(sigma=0.0)
    with pytest.raises(ValueError, match="has no layer 'conv9'"):
        make(ColorizationSettings(layer="conv9"))
    with pytest.raises(ValueError, match="target_stride 99"):
        learn(make(ColorizationSettings(target_stride=99)), range(1))
