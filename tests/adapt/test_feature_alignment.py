from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.balance import BalanceMethod
from scenelift.adapt.feature_alignment import (
    FeatureAlignment,
    FeatureAlignmentSettings,
)
from scenelift.adapt.method import Batch, Clock, Method, NonFiniteLossError, StreamName
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.tasks import LabelError

SETTINGS = FeatureAlignmentSettings(
    backbone="alexnet-small",
    optimiser=OptimiserSettings(learning_rate=2e-3, schedule="constant"),
    align=AlignmentConfig(method="adversarial", layers=("conv5",), history=8),
)
CPU = torch.device("cpu")


def batches(number: int, *, count: int = 4, side: int = 64) -> dict[StreamName, Batch]:
    """Slanted planes with colours that tell their slant, and photos of noise."""
    rng = np.random.default_rng(number)
    tilt = rng.uniform(-1, 1, count)
    normal = np.stack([np.sin(tilt), np.zeros(count), np.cos(tilt)], axis=1)
    image = np.zeros((count, 3, side, side), np.uint8)
    image[:, 0] = (127 + 120 * tilt)[:, None, None]
    image[:, 1] = rng.integers(0, 30, (count, side, side))
    depth = np.exp(tilt)[:, None, None, None] * np.linspace(1, 2, side)
    edge = np.zeros((count, 1, side, side), bool)
    edge[..., side // 2] = True
    whole = (count, 3, side, side)
    synthetic = {
        "image": torch.from_numpy(image),
        "sample_seed": torch.arange(count) + 100 * number,
        "z_depth_m": torch.from_numpy(
            np.broadcast_to(depth, (count, 1, side, side)).astype(np.float32)
        ),
        "normal": torch.from_numpy(
            np.broadcast_to(normal[:, :, None, None], whole).astype(np.float32)
        ),
        "edge": torch.from_numpy(edge),
        "valid": torch.ones(count, 1, side, side, dtype=torch.bool),
    }
    real = {
        "image": torch.from_numpy(rng.integers(0, 256, whole, dtype=np.uint8)),
        "sample_seed": torch.arange(count) + 100 * number + 50,
    }
    return {"synthetic": synthetic, "real": real}


def learn(method: FeatureAlignment, *, first: int, last: int) -> list[Mapping[str, Tensor]]:
    return [
        method.step(batches(step), clock=Clock(step=step, steps=100)) for step in range(first, last)
    ]


def make(settings: FeatureAlignmentSettings = SETTINGS, *, seed: int = 3) -> FeatureAlignment:
    return FeatureAlignment(settings, seed=seed, device=CPU)


def bits(method: FeatureAlignment) -> list[bytes]:
    return [
        value.numpy().tobytes()
        for network in method.networks().values()
        for name, value in sorted(network.state_dict().items())
        if isinstance(value, Tensor)
    ]


def test_it_is_a_method_with_the_streams_that_its_alignment_wants() -> None:
    assert isinstance(make(), Method)
    assert make().streams == ("synthetic", "real")
    alone = replace(SETTINGS, align=AlignmentConfig(method="none"))
    assert make(alone).streams == ("synthetic",)


def test_one_batch_is_learnt_by_heart() -> None:
    method = make(replace(SETTINGS, align=AlignmentConfig(method="none")))
    same = batches(0)
    seen = [method.step(same, clock=Clock(step=0, steps=100)) for _ in range(40)]
    for task in ("edge", "depth", "normal"):
        assert seen[-1][f"loss/{task}"] < 0.3 * seen[0][f"loss/{task}"], task


@pytest.mark.parametrize(
    "align",
    [
        AlignmentConfig(method="adversarial", history=6, ratio=0.1, ratio_every=2),
        AlignmentConfig(method="reversal"),
        AlignmentConfig(method="coral"),
        AlignmentConfig(method="mmd"),
        AlignmentConfig(method="sliced-wasserstein", num_projections=8),
        AlignmentConfig(method="fourier"),
        AlignmentConfig(method="adabn"),
        AlignmentConfig(method="none"),
    ],
    ids=lambda align: align.method,
)
def test_a_resumed_method_ends_with_the_same_bits_under_every_alignment(
    align: AlignmentConfig,
) -> None:
    _resumes(replace(SETTINGS, align=align))


@pytest.mark.parametrize("balance", get_args(BalanceMethod))
def test_a_resumed_method_ends_with_the_same_bits_under_every_balance(
    balance: BalanceMethod,
) -> None:
    _resumes(replace(SETTINGS, balance=balance, align=AlignmentConfig(method="none")))


def _resumes(settings: FeatureAlignmentSettings) -> None:
    straight = make(settings)
    learn(straight, first=0, last=5)
    stopped = make(settings)
    learn(stopped, first=0, last=2)
    state = stopped.state_dict()
    resumed = make(settings)
    learn(resumed, first=7, last=8)
    resumed.load_state_dict(state)
    learn(resumed, first=2, last=5)
    assert bits(resumed) == bits(straight)


def test_a_frozen_task_leaves_its_head_untouched() -> None:
    method = make(replace(SETTINGS, frozen_tasks=("depth",)))
    before = {k: v.clone() for k, v in method.heads.by_task["depth"].state_dict().items()}
    learn(method, first=0, last=2)
    torch.testing.assert_close(method.heads.by_task["depth"].state_dict(), before, rtol=0, atol=0)
    assert "loss/depth" not in method.step(batches(3), clock=Clock(step=3, steps=9))


def test_labels_that_are_masked_do_not_matter() -> None:
    one, other = make(), make()
    clean, changed = batches(0), batches(0)
    for group in (clean, changed):
        group["synthetic"]["valid"][:, :, :10] = False
        group["synthetic"]["normal"][:, :, :10] = 0
    changed["synthetic"]["z_depth_m"][:, :, :10] = 77.0
    changed["synthetic"]["edge"][:, :, :10] = True
    for method, group in ((one, clean), (other, changed)):
        method.step(group, clock=Clock(step=0, steps=9))
    assert bits(one) == bits(other)


def test_bad_labels_and_losses_that_are_no_number_are_named() -> None:
    method = make()
    bad = batches(0)
    bad["synthetic"]["z_depth_m"][2, 0, 3, 3] = float("nan")
    with pytest.raises(LabelError, match=r"z_depth_m of samples \[2\]"):
        method.step(bad, clock=Clock(step=0, steps=9))
    with torch.no_grad():
        next(method.heads.by_task["edge"].parameters()).fill_(float("inf"))
    with pytest.raises(NonFiniteLossError, match="edge"):
        method.step(batches(0), clock=Clock(step=0, steps=9))


def test_an_unknown_layer_lists_the_layers() -> None:
    with pytest.raises(ValueError, match=r"conv9.*conv1.*conv5"):
        make(replace(SETTINGS, align=AlignmentConfig(layers=("conv9",))))


def test_bfloat16_learns_too() -> None:
    method = FeatureAlignment(SETTINGS, seed=0, device=CPU, half=True)
    same = batches(0)
    seen = [method.step(same, clock=Clock(step=0, steps=100)) for _ in range(12)]
    assert seen[-1]["loss/task"] < seen[0]["loss/task"]


def test_pictures_and_validation_need_no_labels_of_photos() -> None:
    method = make()
    shown = method.pictures(batches(0))
    assert set(shown) == {
        f"{domain}/{task}"
        for domain in ("synthetic", "real")
        for task in ("edge", "depth", "normal")
    }
    values = method.validate(batches(0))
    assert {"loss/edge", "consistency/normal", "consistency/depth", "selection/score"} <= set(
        values
    )
    before = bits(method)
    method.validate(batches(1))
    assert bits(method) == before
