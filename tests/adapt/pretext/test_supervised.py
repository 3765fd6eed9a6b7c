"""Supervised learning: classes of pictures, weights of others, and what is told of both."""

from pathlib import Path

import pytest
import torch
from labelled_trees import class_folders
from photo_trees import write_tree
from planted_pictures import (
    CPU,
    learn,
    method_of,
    noise_batch,
    resumed_equals_uninterrupted,
    striped_batch,
)
from safetensors.torch import save_file
from small_networks import lived_in_backbone

from scenelift.adapt.cli import main
from scenelift.adapt.log import read_metrics
from scenelift.adapt.method import Clock
from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.pretext.supervised import SupervisedSettings, accuracy
from scenelift.adapt.weights import WeightsError, load_weights, save_weights

CLASSES = tuple(f"class{number}" for number in range(8))
SETTINGS = SupervisedSettings()


def test_accuracy_is_the_share_among_the_first_k() -> None:
    logits = torch.tensor([[0.1, 0.5, 0.4], [0.9, 0.0, 0.1], [0.2, 0.3, 0.5]])
    label = torch.tensor([1, 2, 1])
    assert accuracy(logits, label, k=1).item() == pytest.approx(1 / 3)
    assert accuracy(logits, label, k=2).item() == 1
    assert accuracy(logits, torch.tensor([0, 1, 0]), k=2).item() == 0
    assert accuracy(logits, label, k=5).item() == 1


def test_it_learns_planted_classes_and_stands_beside_chance() -> None:
    method = method_of(SETTINGS, classes=CLASSES, learning_rate=2e-3)
    learn(method, steps=range(25), total=25, striped=True)
    found = method.validate({"real": striped_batch(seed=99)})
    assert found["accuracy/top1"] > 0.7
    assert found["accuracy/top5"] >= found["accuracy/top1"]
    assert found["chance/top1"].item() == pytest.approx(1 / 8)
    assert found["chance/top5"].item() == pytest.approx(5 / 8)


def test_the_loss_is_cross_entropy_and_reaches_all() -> None:
    method = method_of(SETTINGS, classes=CLASSES)
    batch = noise_batch()
    loss, _ = method.task.loss(method.backbone, batch, clock=Clock(step=0, steps=1))
    loss.backward()
    for network in (method.backbone, method.task):
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert name.endswith("bias") or parameter.grad.abs().max() > 0
    with torch.no_grad():
        method.task.get_parameter("classifier.weight").zero_()
        method.task.get_parameter("classifier.bias").copy_(torch.arange(8.0))
    expected = -torch.arange(8.0).log_softmax(dim=0)[batch["label"]].mean()
    loss, _ = method.task.loss(method.backbone, batch, clock=Clock(step=0, steps=1))
    torch.testing.assert_close(loss.detach(), expected)


def test_a_run_goes_on_to_the_same_bits() -> None:
    assert resumed_equals_uninterrupted(SETTINGS, classes=CLASSES)


def test_bfloat16_runs_and_pictures_bear_text() -> None:
    method = method_of(SETTINGS, classes=CLASSES, half=True)
    batch = {"real": noise_batch(count=3, side=96)}
    assert method.step(batch, clock=Clock(step=0, steps=1))["loss/task"].dtype == torch.float32
    (shown,) = method.pictures(batch).values()
    assert torch.equal(shown[:, :, :96], batch["real"]["image"].permute(0, 2, 3, 1))
    assert int((shown[:, :, 100:] < 128).any(dim=3).sum()) > 300  # ink


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_weights_of_others_are_the_start(tmp_path: Path, suffix: str) -> None:
    theirs = lived_in_backbone("alexnet-small", seed=4).state_dict()
    path = tmp_path / f"theirs.{suffix}"
    tensors = {f"module.{name}": tensor for name, tensor in theirs.items()}
    if suffix == "pth":
        torch.save({"state_dict": tensors}, path)
    else:
        save_file(tensors, path)
    method = method_of(SupervisedSettings(weights=path), classes=CLASSES)
    for name, tensor in method.backbone.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name


def test_our_own_file_tells_what_the_network_is_fed(tmp_path: Path) -> None:
    path = tmp_path / "ours.safetensors"
    fed = InputNormalisation(mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 2.0))
    backbone = lived_in_backbone("alexnet-small")
    save_weights(path, backbone, input_normalisation=fed, config={})
    method = method_of(SupervisedSettings(weights=path), classes=CLASSES)
    assert method.input_normalisation == fed
    assert torch.equal(method.backbone.get_buffer("bn1.running_var"), backbone.get_buffer("bn1.running_var"))  # fmt: skip
    with pytest.raises(WeightsError, match="holds alexnet-small, not resnet18"):
        method_of(SupervisedSettings(weights=path), classes=CLASSES, backbone="resnet18")


def test_a_backbone_that_only_its_classifier_is_fitted_to_stays_to_the_bit(tmp_path: Path) -> None:
    theirs = lived_in_backbone("alexnet-small", seed=4).state_dict()
    path = tmp_path / "theirs.safetensors"
    save_file(dict(theirs), path)
    method = method_of(SupervisedSettings(weights=path, learns="classifier"), classes=CLASSES)
    assert method.task.alters_backbone
    before = method.task.get_parameter("classifier.weight").detach().clone()
    learn(method, steps=range(3))
    for name, tensor in method.backbone.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name
    assert not torch.equal(method.task.get_parameter("classifier.weight"), before)


def test_what_cannot_be_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two classes and more, got 0: name them with --labelled"):
        method_of(SETTINGS)
    with pytest.raises(ValueError, match="name its weights"):
        SupervisedSettings(learns="classifier")
    with pytest.raises(OSError, match=r"none\.pth"):
        method_of(SupervisedSettings(weights=tmp_path / "none.pth"), classes=CLASSES)
    path = tmp_path / "other.safetensors"
    save_file({"conv1.weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="does not fit backbone alexnet-small"):
        method_of(SupervisedSettings(weights=path), classes=CLASSES)


def test_the_recipe_runs_on_folders_of_classes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tree(tmp_path / "data", class_folders(train=6, val=4))
    flags = [
        "--recipe", "imagenet", "--steps", "6", "--batch-size", "6", "--geometry.resize-px", "56", "--geometry.crop-px", "48",
        "--device", "cpu", "--no-tensorboard", "--validation-batches", "1",
    ]  # fmt: skip
    out = tmp_path / "run"
    labelled = ["--labelled", str(tmp_path / "data" / "set")]
    assert main([*flags, *labelled, "--out", str(out)]) == 0
    log = read_metrics(out / "metrics.jsonl")
    assert log.val["chance/top1"].value[-1] == pytest.approx(1 / 3)
    assert (out / "pictures" / "6" / "classes.png").is_file()
    assert load_weights(out / "weights.safetensors").backbone.name == "alexnet-small"
    assert main([*flags, "--out", str(tmp_path / "none")]) == 1
    assert "--labelled" in capsys.readouterr().err
    assert torch.device("cpu") == CPU
