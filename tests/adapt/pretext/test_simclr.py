"""SimCLR: NT-Xent by hand, gradients where they belong, the other view found on planted pictures, resumed to the same bits."""

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
from torch import Tensor

from scenelift.adapt.method import Clock
from scenelift.adapt.pretext.retrieval import judge_retrieval
from scenelift.adapt.pretext.simclr import SimCLR, SimCLRSettings, nt_xent
from scenelift.adapt.pretext.views import UNCHANGED, ViewSettings

MILD = ViewSettings(area=(0.6, 1.0), brightness=0.2, contrast=0.2, saturation=0.2, hue=0.02, grey_probability=0.0)  # fmt: skip
SETTINGS = SimCLRSettings(width=16, views=MILD)


def by_hand(first: Tensor, second: Tensor, *, temperature: float) -> float:
    """Equation 1 of the paper, term by term."""
    rows = [*first.tolist(), *second.tolist()]
    count = len(first)

    def similarity(i: int, j: int) -> float:
        dot = float(sum(a * b for a, b in zip(rows[i], rows[j], strict=True)))
        return dot / math.dist(rows[i], [0] * len(rows[i])) / math.dist(rows[j], [0] * len(rows[j]))

    def term(i: int, j: int) -> float:
        others = (math.exp(similarity(i, k) / temperature) for k in range(2 * count) if k != i)
        return -math.log(math.exp(similarity(i, j) / temperature) / sum(others))

    pairs = [term(k, k + count) + term(k + count, k) for k in range(count)]
    return sum(pairs) / (2 * count)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_nt_xent_is_the_papers(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.randn(5, 4, generator=generator, dtype=torch.float64) for _ in range(2))
    found = nt_xent(first, second, temperature=temperature)
    assert found.dtype == torch.float64
    assert found.item() == pytest.approx(by_hand(first, second, temperature=temperature), rel=1e-12)
    longer = nt_xent(3 * first, second / 7, temperature=temperature)
    assert longer.item() == pytest.approx(found.item(), rel=1e-12)


def test_nt_xent_knows_its_ends() -> None:
    apart = torch.eye(4)
    best = nt_xent(apart, apart, temperature=0.05)
    worst = nt_xent(apart, -apart, temperature=0.05)
    collapsed = nt_xent(torch.ones(4, 3), torch.ones(4, 3), temperature=0.5)
    assert best < 1e-6 < worst
    assert collapsed.item() == pytest.approx(math.log(7))


def test_retrieval_counts_hits_and_shares_ties() -> None:
    unit = torch.eye(3)
    assert judge_retrieval(unit, unit)["accuracy/retrieval"] == 1
    figures = judge_retrieval(torch.ones(3, 2), torch.ones(3, 2))
    assert figures["accuracy/retrieval"].item() == pytest.approx(1 / 5)
    assert figures["chance/retrieval"].item() == pytest.approx(1 / 5)
    # Pictures 1 and 2 have changed their second views: only 0's two find each other.
    crossed = judge_retrieval(unit, unit[[0, 2, 1]])
    assert crossed["accuracy/retrieval"].item() == pytest.approx(1 / 3)


def test_gradients_reach_backbone_and_head() -> None:
    method = method_of(SETTINGS)
    loss, _ = method.task.loss(method.backbone, noise_batch(), clock=Clock(step=0, steps=1))
    loss.backward()
    for network in (method.backbone, method.task):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            # A shift before a batch norm is taken out by it.
            if not (network is method.backbone and name.endswith("bias")):
                assert parameter.grad.abs().max() > 0, name


def test_it_learns_to_find_the_other_view() -> None:
    method = method_of(SETTINGS, learning_rate=2e-3)
    held_out = {"real": striped_batch(seed=99)}
    before = method.validate(held_out)
    learn(method, steps=range(30), total=30, striped=True)
    after = method.validate(held_out)
    assert after["loss/task"] < before["loss/task"] - 0.2
    assert after["accuracy/retrieval"] > 0.7
    assert after["chance/retrieval"].item() == pytest.approx(1 / 15)


def test_a_run_goes_on_to_the_same_bits() -> None:
    assert resumed_equals_uninterrupted(SETTINGS)


def test_what_is_shown_are_the_views_and_the_nearest() -> None:
    method = method_of(replace(SETTINGS, views=UNCHANGED))
    batch = noise_batch(count=3)
    (shown,) = method.pictures({"real": batch}).values()
    picture = batch["image"].permute(0, 2, 3, 1)
    assert shown.shape == (3, 48, 3 * 48 + 2 * 4, 3)
    # Unchanged, both views are the picture, and the nearest to the first is the second.
    for start in (0, 52, 104):
        assert torch.equal(shown[:, :, start : start + 48], picture)


@pytest.mark.parametrize("backbone", ["alexnet-small", "resnet18"])
def test_bfloat16_runs_on_any_backbone(backbone: str) -> None:
    method = method_of(SETTINGS, half=True, backbone=backbone)
    scalars = method.step({"real": noise_batch(count=4)}, clock=Clock(step=0, steps=1))
    assert scalars["loss/task"].isfinite()
    assert scalars["loss/task"].dtype == torch.float32


def test_the_head_of_mgms_release_is_one_layer() -> None:
    task = method_of(SimCLRSettings(head="linear", width=64)).task
    assert {name: tuple(p.shape) for name, p in task.named_parameters()} == {
        "head.weight": (64, 128),
        "head.bias": (64,),
    }


def test_building_moves_no_global_generator_and_bad_settings_are_told() -> None:
    state = torch.get_rng_state()
    assert isinstance(method_of(SETTINGS).task, SimCLR)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match="temperature must be positive, got 0"):
        SimCLRSettings(temperature=0)
    with pytest.raises(ValueError, match="has no layer 'conv9'"):
        method_of(SimCLRSettings(layer="conv9"))
