"""A pretext task beside tasks with labels: outside their balance, learnt from photos, resumed to the same bits."""

import copy
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.balance import BalanceMethod
from scenelift.adapt.feature_alignment import FeatureAlignment, FeatureAlignmentSettings
from scenelift.adapt.method import Batch, Clock, StreamName
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.side_task import SideTaskName

SETTINGS = FeatureAlignmentSettings(
    optimiser=OptimiserSettings(learning_rate=1e-3, schedule="constant"),
    align=AlignmentConfig(method="none"),
    self_supervision="rotation",
)


def make_batches(*, seed: int = 0, count: int = 4, side: int = 64) -> dict[StreamName, Batch]:
    generator = torch.Generator().manual_seed(seed)

    def image() -> Tensor:
        shape = (count, 3, side, side)
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)

    normal = torch.randn(count, 3, side, side, generator=generator)
    ids = torch.arange(count) + 100 * seed
    synthetic = {
        "image": image(),
        "sample_seed": ids,
        "z_depth_m": torch.rand(count, 1, side, side, generator=generator) + 1,
        "normal": torch.nn.functional.normalize(normal, dim=1),
        "edge": torch.rand(count, 1, side, side, generator=generator) < 0.1,
        "valid": torch.ones(count, 1, side, side, dtype=torch.bool),
    }
    return {"synthetic": synthetic, "real": {"image": image(), "sample_seed": ids + 50}}


def learn(settings: FeatureAlignmentSettings, *, steps: range, state: object = None) -> object:
    method = FeatureAlignment(settings, seed=0, device=torch.device("cpu"))
    if isinstance(state, dict):
        method.load_state_dict(state)
    for step in steps:
        method.step(make_batches(seed=step), clock=Clock(step=step, steps=4))
    return method.state_dict()


def test_photos_are_wanted_even_without_alignment() -> None:
    method = FeatureAlignment(SETTINGS, seed=0, device=torch.device("cpu"))
    assert method.streams == ("synthetic", "real")
    assert SETTINGS.sources == ("synthetic", "real")


@pytest.mark.parametrize("balance", ["fixed", "pcgrad"])
def test_it_stays_outside_the_balance(balance: BalanceMethod) -> None:
    """The factors of the tasks are the same with it and without; what it adds to the gradients is its own."""
    alone = replace(SETTINGS, balance=balance, self_supervision="none")
    told = {}
    for name, settings in (("with", replace(SETTINGS, balance=balance)), ("without", alone)):
        method = FeatureAlignment(settings, seed=0, device=torch.device("cpu"))
        told[name] = method.step(make_batches(), clock=Clock(step=0, steps=4))
    factors = [name for name in told["without"] if name.startswith("balance/")]
    assert factors
    for name in factors:
        torch.testing.assert_close(told["with"][name], told["without"][name])
    assert "loss/rotation" in told["with"]
    assert "loss/rotation" not in told["without"]


def test_weight_nought_changes_no_bit_of_the_backbone_but_its_statistics() -> None:
    nothing = learn(replace(SETTINGS, self_supervision_weight=0.0), steps=range(1))
    alone = learn(replace(SETTINGS, self_supervision="none"), steps=range(1))
    assert isinstance(nothing, dict)
    assert isinstance(alone, dict)
    for name, tensor in alone["backbone"].items():
        if "running" not in name and "tracked" not in name:
            assert torch.equal(nothing["backbone"][name], tensor), name


@pytest.mark.parametrize("name", ["rotation", "jigsaw", "context"])
def test_it_moves_the_backbone(name: SideTaskName) -> None:
    some = learn(replace(SETTINGS, self_supervision=name), steps=range(1))
    alone = learn(replace(SETTINGS, self_supervision="none"), steps=range(1))
    assert isinstance(some, dict)
    assert isinstance(alone, dict)
    assert not torch.equal(some["backbone"]["conv1.weight"], alone["backbone"]["conv1.weight"])


def test_a_resumed_run_ends_with_the_same_bits() -> None:
    whole = learn(SETTINGS, steps=range(4))
    half = learn(SETTINGS, steps=range(2))
    resumed = learn(SETTINGS, steps=range(2, 4), state=half)
    assert _flat(resumed) == _flat(whole)


def _flat(state: object) -> list[bytes]:
    match state:
        case dict():
            return [part for key in sorted(state, key=str) for part in _flat(state[key])]
        case list() | tuple():
            return [part for value in state for part in _flat(value)]
        case Tensor():
            return (
                [state.contiguous().view(torch.uint8).numpy().tobytes()]
                if state.dim()
                else [str(state.item()).encode()]
            )
        case _:
            return [str(state).encode()]


def test_validation_and_pictures_show_it() -> None:
    method = FeatureAlignment(SETTINGS, seed=0, device=torch.device("cpu"))
    figures = method.validate(make_batches())
    assert {"accuracy/rotation", "chance/rotation", "loss/rotation"} <= figures.keys()
    assert "rotation" in method.pictures(make_batches())


@pytest.mark.parametrize("name", [n for n in get_args(SideTaskName) if n != "none"])
def test_every_system_stands_beside_the_tasks(name: SideTaskName) -> None:
    """At the side of a picture of the recipe `desk`: it steps, judges, draws and resumes to the same bits."""
    settings = replace(SETTINGS, self_supervision=name)
    batches = [make_batches(seed=step, count=2, side=112) for step in range(2)]
    whole = FeatureAlignment(settings, seed=0, device=torch.device("cpu"))
    told = whole.step(batches[0], clock=Clock(step=0, steps=4))
    assert f"loss/{name}" in told
    state = copy.deepcopy(whole.state_dict())
    whole.step(batches[1], clock=Clock(step=1, steps=4))
    resumed = FeatureAlignment(settings, seed=0, device=torch.device("cpu"))
    resumed.load_state_dict(state)
    resumed.step(batches[1], clock=Clock(step=1, steps=4))
    assert _flat(resumed.state_dict()) == _flat(whole.state_dict())
    assert f"loss/{name}" in whole.validate(batches[0])
    assert set(whole.pictures(batches[0])) - {
        "synthetic/edge",
        "synthetic/depth",
        "synthetic/normal",
    }


def test_two_halves_cannot_be_shared() -> None:
    assert "split-brain" not in get_args(SideTaskName)
