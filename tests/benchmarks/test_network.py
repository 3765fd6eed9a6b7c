from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from small_networks import lived_in_backbone, noise_pictures
from torchvision.models import resnet18, resnet34

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.colour import IMAGENET_MEAN
from scenelift.adapt.network_input import LAB_INPUT, LIGHTNESS_INPUT, InputNormalisation, from_lab
from scenelift.adapt.weights import WeightsError, save_weights
from scenelift.benchmarks.network import Network, default_label, open_network
from scenelift.benchmarks.picture_features import network_features

CPU = torch.device("cpu")
SMALL = dict(lived_in_backbone("alexnet-small").state_dict())


def opened(path: Path | str, backbone: str | None = "alexnet-small") -> Network:
    return open_network(str(path), backbone=backbone, seed=9, device=CPU)


def same(network: Network) -> bool:
    found = network.backbone.state_dict()
    return all(torch.equal(found[name], tensor) for name, tensor in SMALL.items())


def test_a_file_of_ours_says_everything(tmp_path: Path) -> None:
    run = tmp_path / "second"
    run.mkdir()
    save_weights(
        run / "weights.safetensors",
        lived_in_backbone("alexnet-small"),
        input_normalisation=InputNormalisation(mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 2.0)),
        config={"method": {"tasks": ["edge", "depth"], "align": {"method": "adversarial", "layers": ["conv5"]}}},
    )  # fmt: skip
    for path in (run, run / "weights.safetensors"):
        network = opened(path, backbone=None)
        assert same(network)
        assert not network.backbone.training
        assert network.normalisation.std == (1.0, 1.0, 2.0)
        assert network.facts.label == "second"
        assert len(network.facts.sha256) == 64
        assert network.facts.training["tasks"] == "edge, depth"
        assert network.facts.training["aligned at"] == "conv5"
    with pytest.raises(WeightsError, match="holds alexnet-small, not alexnet"):
        opened(run, backbone="alexnet")


@pytest.mark.parametrize("normalisation", [LIGHTNESS_INPUT, LAB_INPUT])
def test_pictures_reach_it_in_the_colour_space_that_its_file_names(
    tmp_path: Path, normalisation: InputNormalisation
) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(
        path, lived_in_backbone("alexnet-small"), input_normalisation=normalisation, config={}
    )
    network = opened(path, backbone=None)
    assert network.normalisation == normalisation
    lab = torch.tensor([[60.0, 30.0, 20.0], [60.0, 0.0, 0.0]])[:, :, None, None]
    images = (255 * from_lab(lab)).round().to(torch.uint8).expand(-1, -1, 64, 64)
    coloured, grey = network_features(network, name="net").of(images)
    alike = torch.allclose(coloured, grey, rtol=0.02, atol=0.01)
    assert alike == (normalisation.space == "lightness")


@pytest.mark.parametrize(
    "prefix", ["", "module.", "state_dict.", "state_dict.module.encoder_q.", "model.backbone."]
)
@pytest.mark.parametrize("kind", ["safetensors", "pth"])
def test_foreign_files_fit_below_any_prefix_and_heads_are_reported(
    tmp_path: Path, prefix: str, kind: str
) -> None:
    path = tmp_path / f"theirs.{kind}"
    tensors = {f"{prefix}{name}": tensor for name, tensor in SMALL.items()}
    tensors[f"{prefix}classifier.weight"] = torch.ones(2, 3)
    tensors[f"{prefix}fc8.bias"] = torch.ones(3)
    if kind == "pth":
        torch.save({"epoch": 3, "nested": {"deep": tensors}, "lr": 0.1}, path)
    else:
        save_file(tensors, path)
    network = opened(path)
    assert same(network)
    assert network.facts.label == "theirs"
    assert network.normalisation.mean == IMAGENET_MEAN
    for word in ("fc8.bias", "classifier.weight", "left over and not used", "ImageNet's mean"):
        assert word in network.facts.note
    assert f"{len(SMALL)} tensors loaded, every one" in network.facts.note


def test_torchvisions_own_checkpoint_gives_torchvisions_maps(tmp_path: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        theirs = resnet18(weights=None).eval()
    content = dict(theirs.state_dict())
    for name in [name for name in content if name.endswith("num_batches_tracked")]:
        del content[name]  # as very old files lack them
    torch.save(content, tmp_path / "resnet18.pth")
    network = opened(tmp_path / "resnet18.pth", backbone="resnet18")
    image = noise_pictures(2, width=64, height=64)
    with torch.inference_mode():
        ours = network.backbone(image)["layer4"].mean((2, 3))
        torch.testing.assert_close(theirs.fc(ours), theirs(image))
    assert "fc.bias, fc.weight" in network.facts.note


def test_no_network_keeps_random_weights(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    with torch.random.fork_rng(devices=[]):
        deeper = {name: t.clone() for name, t in resnet34(weights=None).state_dict().items()}
    lacking = {name: tensor for name, tensor in SMALL.items() if name != "conv3.weight"}
    shaped = {**SMALL, "conv1.weight": torch.zeros(32, 1, 11, 11)}
    whole = {**SMALL, "conv2.bias": torch.zeros(64, dtype=torch.int64)}
    broken = {**SMALL, "conv2.bias": torch.full((64,), float("nan"))}
    twice = {
        f"{part}.{name}": t.clone()
        for part in ("encoder_q", "encoder_k")
        for name, t in SMALL.items()
    }
    cases: list[tuple[dict[str, torch.Tensor], str, str]] = [
        (lacking, "alexnet-small", "no conv3.weight"),
        (shaped, "alexnet-small", "conv1.weight is 32 x 1 x 11 x 11, not 32 x 3 x 11 x 11"),
        (whole, "alexnet-small", "of type torch.int64"),
        (broken, "alexnet-small", "not finite"),
        (twice, "alexnet-small", "several networks"),
        (deeper, "resnet18", "left over: it is of another network"),
        ({"a": torch.ones(2)}, "alexnet-small", "no conv1.weight"),
        (SMALL, "vgg16", "does not fit backbone vgg16"),
    ]
    for tensors, backbone, expected in cases:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        with pytest.raises(WeightsError) as caught:
            opened(path, backbone=backbone)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("evil"),))


def test_hostile_files_end_in_one_line_and_run_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pth"
    torch.save({"conv1.weight": Evil()}, path)
    sound = path.read_bytes()
    for content in (
        sound,
        sound[:300],
        b"PK" + b"\0" * 99,
        b"\x80\x02}q\x00.",
        b"\x80\x02",
        b"",
        b"\xff" * 64,
        b"{}",
    ):
        path.write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            opened(path)
        assert "x.pth" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "evil").exists()
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="name the backbone"):
        opened(path, backbone=None)


def test_random_weights_follow_their_seed_alone() -> None:
    one, again = (
        open_network("random", backbone="alexnet-small", seed=3, device=CPU) for _ in "ab"
    )
    other = open_network("random", backbone="alexnet-small", seed=4, device=CPU)
    first = build_backbone("alexnet-small", generator=torch.Generator().manual_seed(3))
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, one.backbone.state_dict()[name])
        assert torch.equal(tensor, again.backbone.state_dict()[name])
    assert not torch.equal(one.backbone.conv1.weight, other.backbone.conv1.weight)  # type: ignore[union-attr, arg-type]
    with pytest.raises(ValueError, match="need the name of a backbone"):
        open_network("random", backbone=None, seed=0, device=CPU)


def test_networks_of_timm_take_timms_own_names(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng(devices=[]):
        theirs = timm.create_model("resnet10t", pretrained=False).eval()
    save_file(dict(theirs.state_dict()), tmp_path / "resnet10t.safetensors")
    network = opened(tmp_path / "resnet10t.safetensors", backbone="timm:resnet10t")
    image = noise_pictures(1, width=64, height=64)
    with torch.inference_mode():
        features = network.backbone(image)
        torch.testing.assert_close(
            features[network.backbone.output_layer], theirs.forward_features(image)
        )
    assert "fc.bias" in network.facts.note


def test_labels_come_from_files() -> None:
    assert default_label("a/b/checkpoint.pth.tar") == "checkpoint.pth"
    assert default_label("runs/x/weights.safetensors") == "x"
