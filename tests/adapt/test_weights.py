"""Weights on disk: there and back, hostile files, ONNX."""

import json
import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_networks import lived_in_backbone, noise_pictures

from scenelift.adapt.backbones import Backbone, empty_backbone
from scenelift.adapt.fold import fold_batch_norm, to_standard_alexnet
from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.weights import (
    WeightsError,
    export_onnx,
    load_weights,
    load_weights_into,
    save_weights,
)

NORMALISATION = InputNormalisation(mean=(0.485, 0.456, 0.406), std=(1.0, 1.0, 1.0))
TIMM = "timm:mobilenetv3_small_050"


def save(path: Path, backbone: Backbone) -> None:
    save_weights(
        path, backbone, input_normalisation=NORMALISATION, config={"seed": 7, "recipe": "desk"}
    )


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "weights.safetensors"
    save(path, lived_in_backbone("alexnet-small"))
    return path


def rewrite(path: Path, *, metadata: dict[str, str | None]) -> Path:
    """Write a file again with other metadata; None removes a key."""
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        known = dict(file.metadata())
    known |= {key: value for key, value in metadata.items() if value is not None}
    for key, value in metadata.items():
        if value is None:
            del known[key]
    other = path.with_name("other.safetensors")
    save_file(load_file(path), other, metadata=known)
    return other


@pytest.mark.parametrize("form", ["alexnet-small", "pre", "folded", "standard", "resnet18", TIMM])
def test_weights_come_back_as_they_were(tmp_path: Path, form: str) -> None:
    if form.startswith("timm:"):
        pytest.importorskip("timm")
    backbone = lived_in_backbone(
        form if form in ("resnet18", TIMM) else "alexnet-small",
        taps="pre" if form == "pre" else "post",
    )
    if form == "folded":
        backbone = fold_batch_norm(backbone)
    if form == "standard":
        backbone = to_standard_alexnet(backbone)
    path = tmp_path / "weights.safetensors"
    before = torch.random.get_rng_state()
    save(path, backbone)
    loaded = load_weights(path)
    assert torch.equal(before, torch.random.get_rng_state())
    assert loaded.input_normalisation == NORMALISATION
    assert loaded.config == {"seed": 7, "recipe": "desk"}
    assert (loaded.backbone.name, loaded.backbone.taps) == (backbone.name, backbone.taps)
    assert loaded.backbone.folded == backbone.folded
    assert not loaded.backbone.training
    picture = noise_pictures(1, width=227, height=227)
    with torch.no_grad():
        expected, found = backbone(picture), loaded.backbone(picture)
    assert all(torch.equal(expected[layer], found[layer]) for layer in expected)


def test_a_folded_timm_network_comes_back(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    folded = fold_batch_norm(lived_in_backbone(TIMM))
    path = tmp_path / "weights.safetensors"
    save(path, folded)
    picture = noise_pictures(1, width=64, height=64)
    with torch.no_grad():
        expected, found = folded(picture), load_weights(path).backbone(picture)
    assert all(torch.equal(expected[layer], found[layer]) for layer in expected)


def test_metadata_are_three_json_texts(sound: Path) -> None:
    from safetensors import safe_open

    with safe_open(sound, framework="pt") as file:
        metadata = {key: json.loads(value) for key, value in file.metadata().items()}
        names = set(file.keys())
    assert metadata == {
        "backbone": {"format_version": 1, "name": "alexnet-small", "taps": "post", "folded": False},
        "input": {"mean": [0.485, 0.456, 0.406], "std": [1.0, 1.0, 1.0], "space": "rgb"},
        "config": {"seed": 7, "recipe": "desk"},
    }
    assert {"conv1.weight", "bn1.running_mean"} <= names


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / name, lived_in_backbone("alexnet-small"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_saving_replaces_a_file_whole_or_not_at_all(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sound.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device", str(target))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(OSError, match="No space left"):
            save(sound, lived_in_backbone("alexnet-small", seed=1))
    assert sound.read_bytes() == before
    assert [path.name for path in sound.parent.iterdir()] == [sound.name]
    save(sound, lived_in_backbone("alexnet-small", seed=1))
    assert sound.read_bytes() != before
    assert [path.name for path in sound.parent.iterdir()] == [sound.name]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no/\.weights"):
        save(tmp_path / "no" / "weights.safetensors", lived_in_backbone("alexnet-small"))


def test_a_config_that_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    backbone = lived_in_backbone("alexnet-small")
    for config in ({"path": tmp_path}, {"rate": float("nan")}):
        with pytest.raises((TypeError, ValueError), match="JSON"):
            save_weights(tmp_path / "w", backbone, input_normalisation=NORMALISATION, config=config)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"backbone": None}, "no metadata 'backbone'"),
        ({"backbone": "{"}, "metadata 'backbone' is not JSON"),
        ({"backbone": "[" * 100_000}, "metadata 'backbone' is not JSON"),
        ({"backbone": "[1]"}, "metadata 'backbone' is not a JSON object"),
        ({"backbone": "{}"}, "format version None"),
        ({"backbone": '{"format_version": 1}'}, "does not say name, taps and folded"),
        (
            {"backbone": '{"format_version": 1, "name": "x", "taps": ["post"], "folded": false}'},
            "does not say name, taps and folded",
        ),
        (
            {"backbone": '{"format_version": 1, "name": "x", "taps": "post", "folded": false}'},
            "no backbone 'x'; choose one of alexnet",
        ),
        (
            {
                "backbone": '{"format_version": 1, "name": "resnet18", "taps": "pre", "folded": true}'
            },
            r"does not fit backbone resnet18: no .* and \d+ more",
        ),
        ({"input": '{"mean": [0, 0, 0], "std": [1, 0, 1]}'}, "std must be positive"),
        ({"input": '{"mean": [0, 0], "std": [1, 1, 1]}'}, "has mean .0, 0., not three numbers"),
        ({"input": '{"mean": "abc", "std": [1, 1, 1]}'}, "not three numbers"),
        ({"input": '{"mean": [NaN, 0, 0], "std": [1, 1, 1]}'}, "three finite numbers"),
        ({"config": "7"}, "metadata 'config' is not a JSON object"),
    ],
)
def test_bad_metadata_give_one_clear_line(
    sound: Path, metadata: dict[str, str | None], message: str
) -> None:
    path = rewrite(sound, metadata=metadata)
    with pytest.raises(WeightsError, match=message) as caught:
        load_weights(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 500


def test_a_file_cannot_make_timm_fetch_or_read(sound: Path) -> None:
    pytest.importorskip("timm")
    for name in ("timm:hf-hub:a/b", "timm:local-dir:/etc"):
        about = {"format_version": 1, "name": name, "taps": "post", "folded": False}
        path = rewrite(sound, metadata={"backbone": json.dumps(about)})
        with pytest.raises(WeightsError, match="has no network"):
            load_weights(path)


def test_damaged_files_give_one_clear_line(sound: Path, tmp_path: Path) -> None:
    whole = sound.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    rng = np.random.default_rng(0)
    cases = [b"", b"abc", whole[:7], whole[: 8 + size // 2], whole[:-1], whole + b"x"]
    cases += [struct.pack("<Q", 2**63) + whole[8:], struct.pack("<Q", 0) + whole[8:]]
    cases += [whole[: 8 + size], b"PK\x03\x04" + whole[4:], b"\x80\x02}q\x00."]
    for _ in range(1000 if os.environ.get("SCENELIFT_THOROUGH") == "1" else 40):
        damaged = bytearray(whole)
        damaged[int(rng.integers(8 + size))] = int(rng.integers(256))
        cases.append(bytes(damaged))
    path = tmp_path / "damaged.safetensors"
    refused = []
    for case in cases:
        path.write_bytes(case)
        try:
            load_weights(path)
        except WeightsError as error:
            refused.append(str(error))
    assert all(line.startswith(str(path)) and "\n" not in line for line in refused)
    assert len(refused) >= len(cases) // 2


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors: there is no such file"):
        load_weights(tmp_path / "nothing.safetensors")
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_weights(tmp_path)


def test_values_that_are_not_finite_are_refused(sound: Path) -> None:
    tensors = load_file(sound)
    tensors["fc6.weight"][3, 2, 1, 0] = float("nan")
    backbone = empty_backbone("alexnet-small")
    save_file(tensors, sound)
    with pytest.raises(WeightsError, match=r"fc6\.weight holds values that are not finite"):
        load_weights_into(sound, backbone)


def test_a_file_without_metadata_fits_a_backbone_that_is_named(sound: Path) -> None:
    tensors = load_file(sound)
    save_file(tensors, sound)
    with pytest.raises(WeightsError, match="no metadata 'backbone'"):
        load_weights(sound)
    backbone = empty_backbone("alexnet-small")
    load_weights_into(sound, backbone)
    state = backbone.state_dict()
    assert all(torch.equal(state[key], tensors[key]) for key in tensors)


def test_what_does_not_fit_is_listed(sound: Path) -> None:
    tensors = load_file(sound)
    tensors["fc8.weight"] = torch.zeros(3)
    del tensors["bn2.bias"]
    tensors["conv1.weight"] = torch.zeros(32, 1, 11, 11)
    save_file(tensors, sound)
    backbone = empty_backbone("alexnet-small")
    with pytest.raises(WeightsError) as caught:
        load_weights_into(sound, backbone)
    assert str(caught.value) == (
        f"{sound}: does not fit backbone alexnet-small: no bn2.bias; fc8.weight is left over; "
        "conv1.weight is 32 x 1 x 11 x 11, not 32 x 3 x 11 x 11"
    )


@pytest.mark.parametrize("name", ["alexnet-small", "resnet18"])
def test_onnx_computes_the_same_at_any_batch_size(tmp_path: Path, name: str) -> None:
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    backbone = lived_in_backbone(name).train()
    path = tmp_path / "backbone.onnx"
    export_onnx(path, backbone, width=80, height=64, input_normalisation=NORMALISATION)
    assert backbone.training
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["input"])["mean"] == [0.485, 0.456, 0.406]
    backbone.eval()
    for count in (1, 3):
        picture = noise_pictures(count, width=80, height=64)
        with torch.no_grad():
            expected = backbone(picture)
        outputs = session.run(list(expected), {"image": picture.numpy()})
        for (layer, feature), found in zip(expected.items(), outputs, strict=True):
            scale = float(feature.abs().max())
            assert float(np.abs(found - feature.numpy()).max()) < 1e-5 * scale, layer


def test_without_onnx_the_cure_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'scenelift\[onnx\]'"):
        export_onnx(
            tmp_path / "x.onnx",
            empty_backbone("alexnet-small"),
            width=64,
            height=64,
            input_normalisation=NORMALISATION,
        )
