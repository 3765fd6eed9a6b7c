"""The method as a whole: phases, resumption, statistics, precision, what is logged and shown."""

import io
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from tiny_mgm import FACTS, dense_batch, tiny_batches, tiny_mgm, tiny_settings
from torch import Tensor, nn

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.method import Clock, Method, NonFiniteLossError
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.mgm.statistics import kept_statistics
from scenelift.adapt.optimise import OptimiserSettings

pytestmark = pytest.mark.usefixtures("shallow")


def go(method: Mgm, steps: range, *, of: int = 5) -> list[dict[str, Tensor]]:
    return [method.step(tiny_batches(k), clock=Clock(step=k, steps=of)) for k in steps]


def same(one: Any, other: Any) -> bool:
    """Compare states bit by bit."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def through_a_file(state: Mapping[str, Any]) -> Any:
    file = io.BytesIO()
    torch.save(dict(state), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


WHOLE = tiny_settings(gan_steps=2)
CRITIC = AlignmentConfig(method="adversarial", layers=("layer4",), history=4)
GIVEN = tiny_settings(further="images", further_labels="exact", align=CRITIC, order="summed")


@pytest.mark.parametrize(
    "settings",
    [WHOLE, tiny_settings(gan_steps=1), tiny_settings(), GIVEN],
    ids=["within the game", "between the phases", "within the joint steps", "with images"],
)
def test_a_resumed_run_ends_with_the_same_bits(settings: MgmSettings) -> None:
    straight = tiny_mgm(settings)
    go(straight, range(1))
    state = through_a_file(straight.state_dict())
    resumed = tiny_mgm(settings, seed=1)
    resumed.load_state_dict(state)
    last, again = go(straight, range(1, 2)), go(resumed, range(1, 2))
    assert same(straight.state_dict(), resumed.state_dict())
    assert same(last, again)


def test_nothing_draws_from_the_global_state() -> None:
    before = torch.get_rng_state()
    method = tiny_mgm(tiny_settings(gan_steps=1))
    go(method, range(2))
    method.pictures(tiny_batches())
    assert torch.equal(before, torch.get_rng_state())


def test_it_is_a_method_that_asks_for_its_streams() -> None:
    assert isinstance(tiny_mgm(WHOLE), Method)
    assert tiny_mgm(WHOLE).streams == ("labelled",)
    assert tiny_mgm(GIVEN).streams == ("labelled", "images")


def test_the_phases_log_what_they_learn() -> None:
    alone, joint = go(tiny_mgm(tiny_settings(gan_steps=1)), range(2))
    assert {name for name in alone if name.startswith("loss/")} == {
        "loss/discriminator",
        "loss/generator",
    }
    assert {name for name in joint if name.startswith("loss/")} == {
        f"loss/{name}"
        for name in (
            "segmentation", "depth", "normal", "task", "scene", "contrast", "discriminator", "generator",
            "scene_further", "contrast_further",
        )
    }  # fmt: skip
    assert all(value.isfinite() and not value.requires_grad for value in joint.values())


def test_schedules_run_within_the_joint_steps() -> None:
    falling = OptimiserSettings(learning_rate=1.0, schedule="cosine")
    method = tiny_mgm(
        tiny_settings(gan_steps=2, refinement="none", self_supervision="none", optimiser=falling)
    )
    rates = [s.get("lr/backbone") for s in go(method, range(4), of=4)]
    assert rates[:2] == [None, None]
    assert rates[2:] == pytest.approx([1.0, 0.5])


def running(network: nn.Module) -> list[Tensor]:
    return [b.clone() for name, b in network.named_buffers() if "running" in name]


def test_running_statistics_are_those_of_plain_labelled_pictures() -> None:
    plain = tiny_mgm(tiny_settings(refinement="none", self_supervision="none", further="none"))
    whole = tiny_mgm(tiny_settings())
    everything = tiny_mgm(tiny_settings(statistics="all"))
    for method in (plain, whole, everything):
        go(method, range(1))
    for name in ("backbone", "heads"):
        alone, kept, mixed = (running(m.networks()[name]) for m in (plain, whole, everything))
        assert same(alone, kept)
        assert not same(alone, mixed)


def test_kept_statistics_normalise_by_the_batch() -> None:
    norm = nn.BatchNorm1d(1)
    before = running(norm)
    with kept_statistics(norm):
        out = norm(torch.tensor([[1.0], [3.0]]))
    assert out.detach().flatten().tolist() == pytest.approx([-1.0, 1.0], abs=1e-4)
    assert same(before, running(norm))
    norm(torch.tensor([[1.0], [3.0]]))
    assert norm.momentum == 0.1
    assert not same(before, running(norm))


def test_it_runs_in_bfloat16() -> None:
    method = tiny_mgm(tiny_settings(gan_steps=1), half=True)
    scalars = go(method, range(2))[-1]
    assert all(value.isfinite() for value in scalars.values())
    assert all(value.dtype == torch.float32 for name, value in scalars.items() if "loss" in name)
    assert method.answers(dense_batch())["depth"].dtype == torch.float32


def test_it_learns_what_is_planted() -> None:
    """Depth that a picture's brightness tells, and a class that its colour tells."""
    method = tiny_mgm(
        tiny_settings(
            tasks=("segmentation", "depth"),
            refinement="none",
            self_supervision="none",
            further="none",
            optimiser=OptimiserSettings(learning_rate=5e-3, schedule="cosine"),
        )
    )

    def planted(step: int) -> dict[str, Tensor]:
        batch = dense_batch(step, count=8)
        bright = torch.rand(8, generator=torch.Generator().manual_seed(step))
        red = torch.arange(8) % 2
        image = torch.stack([bright * (0.3 + 0.7 * red), bright, bright], dim=1) * 255
        batch["image"] = image.to(torch.uint8)[:, :, None, None].expand(-1, -1, 32, 32)
        batch["z_depth_m"] = (1 + 3 * bright)[:, None, None, None].expand(-1, 1, 32, 32)
        batch["semantic"] = (1 + red)[:, None, None].expand(-1, 32, 32)
        return batch

    before = method.validate({"labelled": planted(1000)})
    for k in range(60):
        method.step({"labelled": planted(k)}, clock=Clock(step=k, steps=60))
    after = method.validate({"labelled": planted(1000)})
    assert after["loss/depth"] < before["loss/depth"] / 2
    assert after["loss/segmentation"] < before["loss/segmentation"] / 2


def test_validation_learns_nothing_and_scores_the_tasks() -> None:
    method = tiny_mgm(WHOLE)
    before = through_a_file(method.state_dict())
    scalars = method.validate(tiny_batches())
    assert same(before, through_a_file(method.state_dict()))
    assert {"loss/segmentation", "loss/depth", "loss/normal", "loss/scene"} <= scalars.keys()
    assert scalars["selection/score"] == scalars["loss/task"]
    alone = tiny_settings(tasks=(), refinement="none", self_supervision="none", condition=False)
    assert tiny_mgm(alone).validate(tiny_batches()) == {}


def test_pictures_show_answers_and_what_is_generated() -> None:
    method = tiny_mgm(WHOLE)
    shown = method.pictures(tiny_batches())
    assert {"labelled/segmentation", "labelled/depth", "labelled/normal"} <= shown.keys()
    assert len(shown["generated/classes"]) == len(FACTS.scenes)
    assert "images/depth" not in shown
    assert same(shown, method.pictures(tiny_batches()))
    go(method, range(1))
    assert not torch.equal(shown["generated/classes"], method.pictures({})["generated/classes"])


def test_ranks_draw_alike_from_the_same_samples_and_else_differently() -> None:
    first, second = tiny_mgm(WHOLE), tiny_mgm(WHOLE, rank=1)
    assert same(first.state_dict(), second.state_dict())
    assert same(go(first, range(1)), go(second, range(1)))


def test_pictures_of_unknown_scenes_teach_no_scene() -> None:
    method = tiny_mgm(tiny_settings())
    batch = dense_batch() | {"label": torch.full((2,), -1)}
    scalars = method.step({"labelled": batch}, clock=Clock(step=0, steps=2))
    assert scalars["loss/scene"] == scalars["loss/scene_further"] == 0


def test_a_loss_that_is_no_number_ends_the_step() -> None:
    method = tiny_mgm(tiny_settings(further="none"))
    with torch.no_grad():
        next(method.networks()["backbone"].parameters()).fill_(float("nan"))
    with pytest.raises(NonFiniteLossError, match="the loss of task is nan"):
        go(method, range(1))


def test_a_state_of_another_configuration_is_refused() -> None:
    state = tiny_mgm(tiny_settings(further="none")).state_dict()
    with pytest.raises(ValueError, match="another configuration"):
        tiny_mgm(tiny_settings()).load_state_dict(state)
    state["facts"]["size_px"] = 64
    with pytest.raises(ValueError, match="other classes or size"):
        tiny_mgm(tiny_settings(further="none")).load_state_dict(state)
