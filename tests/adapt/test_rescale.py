"""Rescaled layers learn at one rate, and the network computes what it did, up to a factor."""

import copy

import pytest
import torch
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.fold import fold_batch_norm
from scenelift.adapt.rescale import layers_in_order, learning_ratios, rescale

SIDES = {"alexnet-small": 64, "alexnet-small-standard": 227, "vgg16": 16}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chain(name: str, *, uneven: float = 1.0) -> Backbone:
    """A folded backbone with biases, whose layers have been multiplied by growing and shrinking factors."""
    backbone = build_backbone(name, generator=seeded())
    generator = seeded(1)
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.running_mean, module.bias):
                if value is not None:
                    value.data.normal_(0, 0.1, generator=generator)
            if module.running_var is not None:
                module.running_var.uniform_(0.5, 2, generator=generator)
    folded = fold_batch_norm(backbone)
    product = 1.0
    for place, layer in enumerate(layers_in_order(folded, pictures(name)[:1])):
        factor = uneven if place % 2 else 1 / uneven**0.5
        product *= factor
        module = folded.get_submodule(layer)
        assert isinstance(module, nn.Conv2d | nn.Linear)
        module.weight.data *= factor
        module.bias.data *= product  # type: ignore[union-attr]
    return folded


def pictures(name: str, *, count: int = 3) -> Tensor:
    side = SIDES.get(name, 64)
    return torch.randn(count, 3, side, side, generator=seeded(2))


def ratios(backbone: Backbone, name: str) -> tuple[Tensor, float]:
    """The ratios for a gradient that was not used in rescaling."""
    images = pictures(name)
    answer = backbone(images)[backbone.output_layer]
    gradient = torch.randn(answer.shape, generator=seeded(3))
    return learning_ratios(
        backbone, pictures=images, gradient=gradient, layers=layers_in_order(backbone, images)
    )


@pytest.mark.parametrize("name", ["alexnet-small", "alexnet-small-standard", "vgg16"])
def test_layers_learn_at_one_rate_and_the_answer_deviates_by_one(name: str) -> None:
    before = chain(name, uneven=3.0)
    images = pictures(name)
    after = rescale(before, pictures=images, generator=seeded(3))
    uneven, _ = ratios(before, name)
    even, deviation = ratios(after, name)
    assert uneven.max() / uneven.min() > 2
    assert even.max() / even.min() < 1.01
    assert deviation == pytest.approx(1, abs=0.15)  # the published end of rounds
    # Another gradient of the answer finds the same within its own chance.
    answer = after(images)[after.output_layer]
    other = torch.randn(answer.shape, generator=seeded(4))
    layers = layers_in_order(after, images)
    again, _ = learning_ratios(after, pictures=images, gradient=other, layers=layers)
    assert again.max() / again.min() < 1.5


def test_every_map_is_the_same_up_to_a_factor() -> None:
    before = chain("alexnet-small", uneven=3.0)
    kept = copy.deepcopy(before.state_dict())
    after = rescale(before, pictures=pictures("alexnet-small"), generator=seeded())
    fresh = torch.randn(3, 3, 96, 64, generator=seeded(9))
    with torch.no_grad():
        expected, found = before(fresh), after(fresh)
    for layer, feature in expected.items():
        factor = found[layer].max() / feature.max()
        assert factor > 0
        torch.testing.assert_close(
            found[layer], factor * feature, rtol=1e-4, atol=1e-5 * float(factor * feature.max())
        )
    assert all(torch.equal(value, before.state_dict()[key]) for key, value in kept.items())


def test_the_scales_that_layers_had_do_not_matter() -> None:
    images = pictures("alexnet-small")
    one = rescale(chain("alexnet-small"), pictures=images, generator=seeded())
    other = rescale(chain("alexnet-small", uneven=2.0), pictures=images, generator=seeded())
    for key, value in one.state_dict().items():
        torch.testing.assert_close(other.state_dict()[key], value, rtol=0.03, atol=1e-6)


def test_what_cannot_be_rescaled_is_told() -> None:
    images = pictures("resnet18")
    with pytest.raises(ValueError, match=r"has batch norm .* fold it first"):
        rescale(
            build_backbone("alexnet-small", generator=seeded()), pictures=images, generator=seeded()
        )
    branched = fold_batch_norm(build_backbone("resnet18", generator=seeded()))
    with pytest.raises(ValueError, match="resnet18 is no chain of layers"):
        rescale(branched, pictures=images, generator=seeded())
    dead = chain("alexnet-small")
    dead.get_parameter("conv3.weight").data.zero_()
    dead.get_parameter("conv3.bias").data.fill_(-1)
    with pytest.raises(ValueError, match="layer conv1 gets no usable gradient"):
        rescale(dead, pictures=images, generator=seeded())


def test_nothing_draws_from_the_global_generator() -> None:
    state = torch.get_rng_state()
    rescale(chain("alexnet-small"), pictures=pictures("alexnet-small"), generator=seeded())
    assert torch.equal(torch.get_rng_state(), state)
