"""Where positions of a map lie, and what a trunk keeps."""

import pytest
import torch
from small_networks import generator_of, lived_in_backbone, noise_pictures

from scenelift.adapt.backbones import build_backbone
from scenelift.benchmarks.detection.trunk import (
    Trunk,
    detection_layer,
    first_centre_px,
    prepared_backbone,
    recalibrate,
    rescaled_backbone,
)
from scenelift.benchmarks.task import BenchError


@pytest.mark.parametrize(
    ("name", "layer", "wanted"),
    [
        # conv1: 4 i - 2 + 5.5; a pool of 3 without padding adds one position, half a one before it
        ("alexnet-small", "conv1", 3.5),
        ("alexnet-small", "conv2", 7.5),
        ("alexnet-small", "conv5", 15.5),
        ("alexnet-small-standard", "conv3", 15.5),
        ("vgg16", "conv3", 2.0),  # pools of 2: the middle of the block
        ("resnet18", "layer2", 0.5),  # padded as much as they see
    ],
)
def test_first_position_lies_where_the_layers_put_it(name: str, layer: str, wanted: float) -> None:
    backbone = build_backbone(name, generator=generator_of(0)).eval()
    assert first_centre_px(backbone, layer=layer) == wanted


def test_padding_brings_the_first_position_to_the_corner() -> None:
    backbone = prepared_backbone(lived_in_backbone("alexnet-small"), calibration=None)
    trunk = Trunk(backbone, layer="conv5", frozen=())
    assert (trunk.pad_px, trunk.shift_px, trunk.stride) == (15, 0.0, 16)
    # as many positions as strides: those of a padded definition
    assert trunk(noise_pictures(1, width=320, height=160)).shape == (1, 64, 10, 20)


def test_folding_and_training_mode_change_no_feature() -> None:
    backbone = lived_in_backbone("alexnet-small")
    trunk = Trunk(prepared_backbone(backbone, calibration=None), layer="conv5", frozen=())
    picture = noise_pictures(1, width=96, height=96)
    padded = torch.nn.functional.pad(picture, (15, 15, 15, 15))
    with torch.inference_mode():
        wanted = backbone(padded)["conv5"]
        assert torch.allclose(trunk.train()(picture), wanted, atol=1e-4)


def test_features_before_their_relu_go_through_it() -> None:
    backbone = lived_in_backbone("alexnet-small", taps="pre")
    trunk = Trunk(prepared_backbone(backbone, calibration=None), layer="conv5", frozen=())
    assert float(trunk(noise_pictures(1, width=96, height=96)).detach().min()) == 0


def test_what_is_frozen_wants_no_gradient() -> None:
    backbone = prepared_backbone(lived_in_backbone("alexnet-small"), calibration=None)
    trunk = Trunk(backbone, layer="conv5", frozen=("conv1.", "conv2."))
    frozen = {name for name, p in trunk.backbone.named_parameters() if not p.requires_grad}
    assert frozen == {f"conv{i}.{part}" for i in (1, 2) for part in ("weight", "bias")}


def test_recalibrated_norms_make_features_standard() -> None:
    backbone = lived_in_backbone("alexnet-small")
    pictures = noise_pictures(16, width=96, height=96) * 3 + 1
    recalibrate(backbone, pictures)
    seen = []
    handle = backbone.get_submodule("bn2").register_forward_hook(
        lambda _module, _inputs, output: seen.append(output)
    )
    with torch.inference_mode():
        backbone(pictures)
    handle.remove()
    norm = backbone.get_submodule("bn2")
    assert isinstance(norm, torch.nn.BatchNorm2d)
    assert torch.allclose(seen[0].mean(dim=(0, 2, 3)), norm.bias, atol=1e-3)
    assert torch.allclose(seen[0].std(dim=(0, 2, 3)), norm.weight, atol=1e-2)
    assert not norm.training


def test_the_network_under_test_stays_as_it_is() -> None:
    backbone = lived_in_backbone("alexnet-small")
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    prepared_backbone(backbone, calibration=noise_pictures(2, width=96, height=96))
    after = backbone.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_small_pictures_pass_the_ordinary_net() -> None:
    backbone = prepared_backbone(lived_in_backbone("alexnet-small-standard"), calibration=None)
    trunk = Trunk(backbone, layer="conv5", frozen=())
    assert trunk(noise_pictures(1, width=96, height=80)).shape[1] == 64


def test_layers_and_names_that_are_not_there_are_named() -> None:
    backbone = prepared_backbone(lived_in_backbone("alexnet-small"), calibration=None)
    with pytest.raises(BenchError, match=r"no layer 'conv9'; its layers are conv1"):
        Trunk(backbone, layer="conv9", frozen=())
    with pytest.raises(BenchError, match=r"no parameter that begins with 'layer1'"):
        Trunk(backbone, layer="conv5", frozen=("layer1",))


def test_an_alexnet_pools_from_conv5_and_others_from_their_last() -> None:
    assert detection_layer(lived_in_backbone("alexnet-small")) == "conv5"
    assert detection_layer(lived_in_backbone("resnet18")) == "layer4"


def test_rescaled_layers_learn_at_one_rate_and_answer_alike() -> None:
    backbone = prepared_backbone(lived_in_backbone("alexnet-small"), calibration=None)
    pictures = noise_pictures(4, width=227, height=227)
    own, sentence = rescaled_backbone(backbone, pictures=pictures, seed=0)
    with torch.inference_mode():
        before, after = backbone(pictures)["conv5"], own(pictures)["conv5"]
    factor = after.max() / before.max()
    assert torch.allclose(after, factor * before, atol=1e-3 * float(after.max()))
    assert "rescaled to one rate" in sentence


def test_a_network_that_is_no_chain_stays_as_it_is() -> None:
    backbone = prepared_backbone(lived_in_backbone("resnet18"), calibration=None)
    pictures = noise_pictures(2, width=96, height=96)
    own, sentence = rescaled_backbone(backbone, pictures=pictures, seed=0)
    assert own is backbone
    assert sentence.startswith("Layers are not rescaled: ")
