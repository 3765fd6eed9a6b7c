"""Which losses reach which networks: the arrows of the method, network by network, for every switch."""

from collections.abc import Collection
from typing import Any

import pytest
import torch
from tiny_mgm import tiny_batches, tiny_mgm, tiny_settings

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.method import Clock
from scenelift.adapt.mgm.groups import Group, Groups
from scenelift.adapt.mgm.settings import Order

pytestmark = pytest.mark.usefixtures("shallow")

LABELLED = {
    "task": {"encoder", "decoders"},
    "scene": {"encoder", "refinement"},
    "contrast": {"encoder", "contrast"},
}
GAME = {
    "discriminator": {"discriminator"},
    "generator": {"generator", "middle", "encoder"},
}
FURTHER = {
    "scene_further": {"encoder"},
    "contrast_further": {"encoder", "contrast"},
}
RELEASED = LABELLED | GAME | FURTHER
MAKERS = {"generator", "middle"}
CRITIC = AlignmentConfig(method="adversarial", layers=("layer4",), history=0)

SWITCHES: dict[str, tuple[dict[str, Any], dict[str, set[str]]]] = {
    "as released": ({}, RELEASED),
    "no refinement": (
        {"refinement": "none"},
        {k: v for k, v in RELEASED.items() if "scene" not in k},
    ),
    "refinement on labelled": (
        {"refinement": "labelled"},
        {k: v for k, v in RELEASED.items() if k != "scene_further"},
    ),
    "no self-supervision": (
        {"self_supervision": "none"},
        {k: v for k, v in RELEASED.items() if "contrast" not in k},
    ),
    "self-supervision on further": (
        {"self_supervision": "further"},
        {k: v for k, v in RELEASED.items() if k != "contrast"},
    ),
    "one task": ({"tasks": ("depth",)}, RELEASED),
    "no further pictures": ({"further": "none"}, LABELLED),
    "light": ({"further": "images"}, LABELLED | FURTHER),
    "unconditioned": ({"condition": False}, RELEASED | {"generator": {"generator"}}),
    "resting generator": ({"gan_joint": False, "condition": False}, LABELLED | FURTHER),
    "gradients into the generator": (
        {"detach_fake": False},
        RELEASED | {k: v | MAKERS for k, v in FURTHER.items()},
    ),
    "gradients into an unconditioned generator": (
        {"detach_fake": False, "condition": False},
        RELEASED
        | {"generator": {"generator"}}
        | {k: v | {"generator"} for k, v in FURTHER.items()},
    ),
    "gradients through a resting generator": (
        {"detach_fake": False, "gan_joint": False},
        LABELLED | {k: v | {"middle"} for k, v in FURTHER.items()},
    ),
    "fakes of the average": ({"fake_from": "average"}, RELEASED),
    "rendered": (
        {"further": "images", "further_labels": "exact", "refinement": "none"}
        | {"self_supervision": "none"},
        {"task": {"encoder", "decoders"}, "task_further": {"encoder", "decoders"}},
    ),
    "rendered and aligned": (
        {"further": "images", "align": CRITIC},
        LABELLED | FURTHER | {"critic": {"critic"}, "align": {"encoder"}},
    ),
    "aligned by reversal": (
        {"further": "images", "align": AlignmentConfig(method="reversal", layers=("layer4",))},
        LABELLED | FURTHER | {"align": {"encoder", "critic"}},
    ),
    "aligned by a distance": (
        {"further": "images", "align": AlignmentConfig(method="coral", layers=("layer4",))},
        LABELLED | FURTHER | {"align": {"encoder"}},
    ),
    "self-supervision alone": (
        {"tasks": (), "refinement": "none", "further": "none"},
        {"contrast": {"encoder", "contrast"}},
    ),
    "the game alone": (
        {"tasks": (), "refinement": "none", "self_supervision": "none", "condition": False},
        {"discriminator": {"discriminator"}, "generator": {"generator"}},
    ),
}


def taught(
    monkeypatch: pytest.MonkeyPatch, *, step: int = 0, look: bool = False, **changes: Any
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Take a step; return the networks whose gradient each loss moved and, if we `look`, those that its graph would have reached."""
    moved: dict[str, set[str]] = {}
    reachable: dict[str, set[str]] = {}
    original = Groups.gather

    def gather(self: Groups, loss: torch.Tensor, groups: Collection[Group], *, name: str) -> None:
        before = {group: total(self, group) for group in self.all}
        if look:
            reachable[name] = reached(loss, self)
        original(self, loss, groups, name=name)
        moved[name] = {g for g in self.all if total(self, g) != before[g]}

    with monkeypatch.context() as patch:
        patch.setattr(Groups, "gather", gather)
        tiny_mgm(tiny_settings(**changes)).step(tiny_batches(), clock=Clock(step=step, steps=9))
    return moved, reachable


def total(groups: Groups, group: Group) -> float:
    return sum(
        float(p.grad.double().abs().sum()) for p in groups.parameters(group) if p.grad is not None
    )


def reached(loss: torch.Tensor, groups: Groups) -> set[str]:
    everything = [(group, p) for group in groups.all for p in groups.parameters(group)]
    parameters = [p for _, p in everything]
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return {
        group
        for (group, _), gradient in zip(everything, found, strict=True)
        if gradient is not None and bool(gradient.any())
    }


@pytest.mark.parametrize("switch", SWITCHES)
def test_each_loss_teaches_the_networks_of_its_arrow_and_no_other(
    switch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes, expected = SWITCHES[switch]
    assert taught(monkeypatch, **changes)[0] == expected


@pytest.mark.parametrize("order", ["released", "summed"])
def test_the_order_moves_no_arrow(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    assert taught(monkeypatch, order=order)[0] == RELEASED


def test_before_the_joint_steps_generator_and_discriminator_learn_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alone = {"discriminator": {"discriminator"}, "generator": {"generator"}}
    assert taught(monkeypatch, gan_steps=5, step=4)[0] == alone
    assert taught(monkeypatch, gan_steps=5, step=5)[0] == RELEASED


def test_what_is_cut_would_have_been_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    moved, reachable = taught(monkeypatch, detach_fake=False, look=True)
    assert "decoders" in reachable["scene"] - moved["scene"]
    assert {"decoders", "refinement"} <= reachable["scene_further"] - moved["scene_further"]
    assert "discriminator" in reachable["generator"] - moved["generator"]
    _, detached = taught(monkeypatch, look=True)
    assert detached["scene_further"] == {"encoder", "decoders", "refinement"}


def test_a_network_that_is_not_taught_keeps_its_parameters() -> None:
    method = tiny_mgm(tiny_settings(gan_joint=False, condition=False))
    before = {
        name: [p.clone() for p in network.parameters()]
        for name, network in method.networks().items()
    }
    method.step(tiny_batches(), clock=Clock(step=0, steps=9))
    moved = {
        name
        for name, network in method.networks().items()
        if any(
            not torch.equal(p, q) for p, q in zip(network.parameters(), before[name], strict=True)
        )
    }
    assert moved == {"backbone", "heads", "refinement", "contrast"}


def test_no_parameter_has_two_optimisers() -> None:
    method = tiny_mgm(tiny_settings())
    owned = [id(p) for group in method.groups.all for p in method.groups.parameters(group)]
    assert len(owned) == len(set(owned))
