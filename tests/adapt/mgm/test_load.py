"""Networks of finished runs: what fits is taken bit by bit, what does not ends in one line."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_mgm import CPU, FACTS, dense_batch, tiny_batches, tiny_settings

from scenelift.adapt.checkpoint import CheckpointError, save_checkpoint
from scenelift.adapt.config import TrainContent
from scenelift.adapt.method import Clock
from scenelift.adapt.mgm.gan.gan import GanSettings
from scenelift.adapt.mgm.load import load_multi_task
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.plain import to_plain

pytestmark = pytest.mark.usefixtures("shallow")

GAME = tiny_settings(tasks=(), refinement="none", self_supervision="none", condition=False)
LABELS = tiny_settings(refinement="none", self_supervision="none", further="none")
Damage = Callable[[dict[str, Any]], None]


def run_folder(
    folder: Path, settings: MgmSettings, *, steps: int = 1, damage: Damage | None = None
) -> tuple[Path, Mgm]:
    """Train for some steps and leave a checkpoint."""
    method = Mgm(settings, facts=FACTS, seed=3, device=CPU)
    for step in range(steps):
        method.step(tiny_batches(step), clock=Clock(step=step, steps=9))
    state = {
        "config": to_plain(TrainContent(method=settings)),
        "method": method.state_dict(),
        "average": {},
    }
    if damage is not None:
        damage(state)
    (folder / "checkpoints").mkdir(parents=True)
    save_checkpoint(folder / "checkpoints", state, step=steps, keep=1)
    return folder, method


def test_a_run_goes_on_with_another_runs_generator(tmp_path: Path) -> None:
    folder, trained = run_folder(tmp_path / "gan", GAME, steps=2)
    method = Mgm(tiny_settings(gan_from=folder), facts=FACTS, seed=0, device=CPU)
    for name in ("generator", "discriminator"):
        theirs = trained.networks()[name].state_dict()
        ours = method.networks()[name].state_dict()
        assert all(torch.equal(ours[key], tensor) for key, tensor in theirs.items())
    shown = trained.pictures({})["generated/classes"]
    assert torch.equal(method.pictures({})["generated/classes"], shown)


def lose(*keys: str) -> Damage:
    def damage(state: dict[str, Any]) -> None:
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return damage


def spoil(name: str) -> Damage:
    def damage(state: dict[str, Any]) -> None:
        weights = state["method"]["networks"][name]
        key = next(key for key, tensor in weights.items() if tensor.is_floating_point())
        weights[key] = torch.full_like(weights[key], float("nan"))

    return damage


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (spoil("generator"), "generator holds no finite numbers in .*: it is damaged"),
        (spoil("discriminator"), "discriminator holds no finite numbers in .*: it is damaged"),
        (lose("method", "networks", "discriminator"), "holds no discriminator: it is damaged"),
        (lose("method", "facts"), "not a checkpoint of a run of mgm: no 'facts'"),
    ],
    ids=["generator", "discriminator", "lost", "facts"],
)
def test_a_damaged_network_is_named(tmp_path: Path, damage: Damage, message: str) -> None:
    folder, _ = run_folder(tmp_path / "gan", GAME, steps=0, damage=damage)
    with pytest.raises(CheckpointError, match=message) as caught:
        Mgm(tiny_settings(gan_from=folder), facts=FACTS, seed=0, device=CPU)
    assert "\n" not in str(caught.value)


def test_a_torn_file_is_named(tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path / "gan", GAME, steps=0)
    (path,) = (folder / "checkpoints").glob("*.pt")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="not a sound checkpoint"):
        Mgm(tiny_settings(gan_from=folder), facts=FACTS, seed=0, device=CPU)


@pytest.mark.parametrize(
    ("settings", "facts"),
    [
        (tiny_settings(gan=GanSettings(width=0.05, z_dim=8)), FACTS),
        (tiny_settings(gan=GanSettings(width=0.01, z_dim=16)), FACTS),
        (tiny_settings(), replace(FACTS, scenes=("bedroom", "kitchen"))),
    ],
    ids=["width", "noise", "classes"],
)
def test_a_generator_of_another_size_is_refused(
    tmp_path: Path, settings: MgmSettings, facts: Any
) -> None:
    folder, _ = run_folder(tmp_path / "gan", GAME, steps=0)
    with pytest.raises(CheckpointError, match="does not fit this run's") as caught:
        Mgm(replace(settings, gan_from=folder), facts=facts, seed=0, device=CPU)
    assert "\n" not in str(caught.value)


def test_a_run_without_a_generator_is_refused(tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path / "labels", LABELS, steps=0)
    with pytest.raises(CheckpointError, match="its run has no generator"):
        Mgm(tiny_settings(gan_from=folder), facts=FACTS, seed=0, device=CPU)
    with pytest.raises(CheckpointError, match="holds no checkpoint"):
        Mgm(tiny_settings(gan_from=tmp_path), facts=FACTS, seed=0, device=CPU)


def test_an_annotator_answers_as_its_run_did(tmp_path: Path) -> None:
    folder, trained = run_folder(tmp_path / "labels", LABELS, steps=2)
    network, facts = load_multi_task(folder, device=CPU)
    assert facts == FACTS
    batch = dense_batch(7)
    answers = network(batch["image"].float() / 127.5 - 1)
    for task, answer in trained.answers(batch).items():
        torch.testing.assert_close(answers[task], answer, atol=1e-5, rtol=1e-4)


def test_generated_pictures_are_learnt_from_as_annotated(tmp_path: Path) -> None:
    """The step's loss on generated pictures is that of the annotator's labels, and the annotator does not learn."""
    folder, _ = run_folder(tmp_path / "labels", LABELS)
    settings = replace(
        tiny_settings(
            tasks=("depth",),
            refinement="none",
            self_supervision="none",
            gan_joint=False,
            condition=False,
        ),
        further_labels="annotator",
        annotator=folder,
    )
    method = Mgm(settings, facts=FACTS, seed=0, device=CPU)
    scalars = method.step(tiny_batches(), clock=Clock(step=0, steps=9))
    assert scalars["loss/task_further"] > 0
    again, _ = load_multi_task(folder, device=CPU)
    annotator = method.annotator
    assert annotator is not None
    assert all(map(torch.equal, annotator.parameters(), again.parameters()))


def test_an_annotator_that_does_not_answer_a_task_is_refused(tmp_path: Path) -> None:
    folder, _ = run_folder(tmp_path / "labels", replace(LABELS, tasks=("depth",)), steps=0)
    settings = tiny_settings(
        tasks=("normal",), refinement="none", further_labels="annotator", annotator=folder
    )
    with pytest.raises(ValueError, match="does not answer normal"):
        Mgm(settings, facts=FACTS, seed=0, device=CPU)
