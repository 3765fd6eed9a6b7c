"""Folding batch norm, and the ordinary AlexNet: the same numbers from another network."""

import pytest
import torch
from jaxtyping import Float
from small_networks import lived_in_backbone, noise_pictures
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone, Layer
from scenelift.adapt.fold import fold_batch_norm, to_standard_alexnet

TIMM = ("timm:mobilenetv3_small_050", "timm:resnet10t")


def num_batch_norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm2d) for part in module.modules())


@pytest.mark.parametrize("taps", ["post", "pre"])
@pytest.mark.parametrize("name", ["alexnet-small", "resnet18", "vgg16"])
def test_folded_networks_compute_the_same(name: str, taps: str) -> None:
    backbone = lived_in_backbone(name, taps="pre" if taps == "pre" else "post").double()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    folded = fold_batch_norm(backbone)
    assert num_batch_norms(backbone) > 0 == num_batch_norms(folded)
    assert folded.folded
    assert not folded.training
    assert not backbone.folded
    picture = noise_pictures(1, width=49, height=65).double()
    with torch.no_grad():
        expected, found = backbone(picture), folded(picture)
    for layer, feature in expected.items():
        torch.testing.assert_close(found[layer], feature, rtol=1e-9, atol=1e-9)
    assert all(torch.equal(before[key], value) for key, value in backbone.state_dict().items())


@pytest.mark.parametrize("name", ["alexnet", *TIMM])
def test_folding_is_exact_in_single_precision(name: str) -> None:
    if name.startswith("timm:"):
        pytest.importorskip("timm")
    backbone = lived_in_backbone(name)
    folded = fold_batch_norm(backbone)
    assert num_batch_norms(folded) == 0
    picture = noise_pictures(1, width=67, height=99)
    with torch.no_grad():
        expected, found = backbone(picture), folded(picture)
    for layer, feature in expected.items():
        scale = float(feature.abs().max())
        assert float((found[layer] - feature).abs().max()) < 1e-5 * scale, layer


def test_a_folded_network_can_be_folded_again_and_can_learn() -> None:
    once = fold_batch_norm(lived_in_backbone("alexnet-small"))
    twice = fold_batch_norm(once)
    picture = noise_pictures(1, width=64, height=64)
    assert torch.equal(once(picture)["fc7"], twice(picture)["fc7"])
    twice.train()(picture)["fc7"].sum().backward()
    assert all(parameter.grad is not None for parameter in twice.parameters())


class TwoReaders(Backbone):
    """A network that reads a convolution's output both with and without its batch norm."""

    def __init__(self) -> None:
        super().__init__(
            name="two-readers",
            layers=(Layer(name="conv1", channels=4, stride=1),),
            taps="post",
            min_size_px=8,
        )
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.bn1 = nn.BatchNorm2d(4)

    def before_relu(self, name: str, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        y: Tensor = self.conv1(x)
        both: Tensor = self.bn1(y) + y
        return both


def test_what_cannot_be_folded_is_refused() -> None:
    network = TwoReaders()
    nn.init.constant_(network.bn1.weight, 3.0)
    with pytest.raises(
        ValueError, match="cannot be folded away in backbone two-readers: layer conv1"
    ):
        fold_batch_norm(network)


def test_the_ordinary_alexnet_is_the_dilated_one_in_the_middle() -> None:
    dilated = lived_in_backbone("alexnet")
    standard = to_standard_alexnet(dilated)
    assert standard.get_parameter("fc6.weight").shape == (4096, 9216)
    assert standard.name == "alexnet-standard"
    picture = noise_pictures(1, width=227, height=227)
    with torch.no_grad():
        expected, found = dilated(picture), standard(picture)
    for layer in ("conv1", "conv2", "conv3", "conv4", "conv5"):
        scale = float(expected[layer].abs().max())
        assert float((found[layer] - expected[layer]).abs().max()) < 1e-5 * scale, layer
    for layer in ("fc6", "fc7"):
        middle = expected[layer][:, :, 6:7, 6:7]
        scale = float(middle.abs().max())
        assert float((found[layer] - middle).abs().max()) < 1e-5 * scale
        beside = expected[layer][:, :, 6:7, 7:8]
        assert float((found[layer] - beside).abs().max()) > 1e-2 * scale


def test_the_small_one_has_an_ordinary_form_too() -> None:
    dilated = lived_in_backbone("alexnet-small", taps="pre").double()
    standard = to_standard_alexnet(fold_batch_norm(dilated)).double()
    picture = noise_pictures(2, width=227, height=227).double()
    with torch.no_grad():
        found, expected = standard(picture)["fc7"], dilated(picture)["fc7"][:, :, 6:7, 6:7]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_other_networks_have_no_ordinary_form() -> None:
    with pytest.raises(ValueError, match="only alexnet and alexnet-small have an ordinary form"):
        to_standard_alexnet(lived_in_backbone("resnet18"))
