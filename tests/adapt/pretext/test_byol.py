"""BYOL: the slow copy follows as published and gets no gradient, the loss by hand, no collapse on planted pictures."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from planted_pictures import (
    learn,
    method_of,
    noise_batch,
    resumed_equals_uninterrupted,
    striped_batch,
)

from scenelift.adapt.method import Clock
from scenelift.adapt.pretext.byol import (
    BYOL,
    FIRST,
    SECOND,
    BYOLSettings,
    byol_loss,
    momentum_at,
    spread,
)
from scenelift.adapt.pretext.method import Pretext
from scenelift.adapt.pretext.views import UNCHANGED

MILD = {"area": (0.6, 1.0), "grey_probability": 0.0, "solarise_probability": 0.0}
SETTINGS = BYOLSettings(
    hidden=32,
    width=16,
    momentum=0.9,
    first=replace(FIRST, **MILD),  # type: ignore[arg-type]
    second=replace(SECOND, **MILD),  # type: ignore[arg-type]
)


def byol_of(method: Pretext) -> BYOL:
    assert isinstance(method.task, BYOL)
    return method.task


def test_the_loss_is_the_sum_over_both_views() -> None:
    generator = torch.Generator().manual_seed(0)
    predicted, target = (torch.randn(6, 4, generator=generator, dtype=torch.float64) for _ in "ab")
    total = 0.0
    for picture in range(3):
        for row in (picture, picture + 3):
            p, t = (x[row] / x[row].norm() for x in (predicted, target))
            total += float((p - t).square().sum())
    assert byol_loss(predicted, target).item() == pytest.approx(total / 3, rel=1e-12)


def test_each_prediction_is_held_against_the_other_view() -> None:
    method = method_of(SETTINGS)
    task = byol_of(method)
    method._set_modes(training=False)
    task.predictor = torch.nn.Sequential(torch.nn.Identity())
    batch = noise_batch()
    loss, _ = task.loss(method.backbone, batch, clock=Clock(step=0, steps=1))
    # Before the first step the copy is the network: the loss is between the two views' own projections.
    _, first, second = task._distance(method.backbone, task.draw_views(batch))
    expected = (4 - 4 * torch.nn.functional.cosine_similarity(first, second)).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)
    assert loss > 0.01


def test_momentum_rises_along_a_cosine() -> None:
    found = [momentum_at(Clock(step=k, steps=4), first=0.9) for k in range(5)]
    expected = [1 - 0.1 * (math.cos(math.pi * k / 4) + 1) / 2 for k in range(5)]
    assert found == pytest.approx(expected)
    assert found[0] == pytest.approx(0.9)
    assert found[2] == pytest.approx(0.95)
    assert found[4] == 1


def test_the_slow_copy_follows_and_gets_no_gradient() -> None:
    method = method_of(SETTINGS)
    task = byol_of(method)
    slow = copy.deepcopy(task.slow_backbone.state_dict())
    for name, value in slow.items():
        assert torch.equal(value, method.backbone.state_dict()[name])
    batch = {"real": noise_batch()}
    method.step(batch, clock=Clock(step=2, steps=4))
    keep = momentum_at(Clock(step=2, steps=4), first=0.9)
    for name, mine in task.slow_backbone.named_parameters():
        theirs = method.backbone.get_parameter(name)
        torch.testing.assert_close(mine, keep * slow[name] + (1 - keep) * theirs)
        assert mine.grad is None
    weight = method.backbone.get_parameter("conv1.weight")
    assert not torch.equal(weight, slow["conv1.weight"])
    learnt = {id(parameter) for parameter in task.own_parameters()}
    assert learnt == {id(p) for net in (task.projector, task.predictor) for p in net.parameters()}
    # Batch norms of the copy keep statistics of what it sees, not an average of the network's.
    assert not torch.equal(
        task.slow_backbone.get_buffer("bn1.running_mean"), slow["bn1.running_mean"]
    )


def test_gradients_reach_backbone_projector_and_predictor() -> None:
    method = method_of(SETTINGS)
    task = byol_of(method)
    loss, _ = task.loss(method.backbone, noise_batch(), clock=Clock(step=0, steps=1))
    loss.backward()
    for network in (method.backbone, task.projector, task.predictor):
        assert all(
            p.grad is not None and p.grad.abs().max() > 0
            for name, p in network.named_parameters()
            if name.endswith("weight")
        )


def test_it_learns_and_does_not_collapse() -> None:
    views = replace(UNCHANGED, area=(0.7, 1.0), jitter_probability=0.5, brightness=0.2)
    method = method_of(
        replace(SETTINGS, momentum=0.99, first=views, second=views), learning_rate=2e-3
    )
    held_out = [{"real": striped_batch(seed=seed)} for seed in (97, 98, 99)]

    def figure(name: str) -> float:
        return sum(float(method.validate(batch)[name]) for batch in held_out) / 3

    before = figure("loss/task")
    learn(method, steps=range(40), total=40, striped=True)
    assert figure("loss/task") < before - 0.5
    assert figure("accuracy/retrieval") > 2.5 * figure("chance/retrieval")
    assert figure("quality/spread") > 0.5


def test_a_collapsed_network_is_told() -> None:
    method = method_of(SETTINGS)
    with torch.no_grad():
        for name, parameter in byol_of(method).projector.named_parameters():
            parameter.fill_(1.0 if name == "3.bias" else 0.0)
    found = method.validate({"real": striped_batch()})
    assert found["accuracy/retrieval"].item() == pytest.approx(found["chance/retrieval"].item())
    assert found["quality/spread"] == 0


def test_spread_is_one_where_directions_have_no_preference() -> None:
    everywhere = torch.randn(4000, 8, generator=torch.Generator().manual_seed(0))
    assert spread(everywhere).item() == pytest.approx(1, abs=0.01)


def test_a_run_goes_on_to_the_same_bits() -> None:
    assert resumed_equals_uninterrupted(SETTINGS)


def test_bfloat16_runs() -> None:
    method = method_of(SETTINGS, half=True)
    scalars = method.step({"real": noise_batch(count=4)}, clock=Clock(step=0, steps=1))
    assert scalars["loss/task"].isfinite()
    assert "byol" in method.pictures({"real": noise_batch(count=2)})


def test_bad_settings_are_told_in_a_line() -> None:
    state = torch.get_rng_state()
    method_of(SETTINGS)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match=r"momentum must be from 0 to 1, got 1\.5"):
        BYOLSettings(momentum=1.5)
    with pytest.raises(ValueError, match="both views must have one side_px, got 32 and None"):
        BYOLSettings(first=replace(FIRST, side_px=32))
    with pytest.raises(ValueError, match="hidden and width must be at least 1"):
        BYOLSettings(width=0)
