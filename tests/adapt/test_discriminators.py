"""Patch discriminators: published sizes, patches, spectral norm, and whether they learn."""

import pytest
import torch
from small_networks import count_parameters, generator_of
from torch.nn import functional as F

from scenelift.adapt.backbones import Layer, empty_backbone
from scenelift.adapt.discriminators import (
    NORMS,
    Norm,
    PatchDiscriminator,
    SpectralConv2d,
    body_for,
    build_discriminator,
)


def small_discriminator(*, norm: Norm = "spectral", seed: int = 0) -> PatchDiscriminator:
    return build_discriminator(
        empty_backbone("alexnet-small"), "conv5", generator=generator_of(seed), norm=norm
    )


def feature_maps(count: int, *, shift: float = 0.0, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 64, 7, 7, generator=generator_of(seed)) + shift


@pytest.mark.parametrize(
    ("layer", "side", "millions"),
    [
        ("conv1", 56, 2.60),
        ("conv2", 27, 4.13),
        ("conv3", 13, 2.04),
        ("conv4", 13, 2.04),
        ("conv5", 13, 1.45),
        ("conv6", 13, 19.0),
    ],
)
def test_released_ones_have_the_published_sizes(layer: str, side: int, millions: float) -> None:
    backbone = empty_backbone("alexnet")
    discriminator = build_discriminator(
        backbone, layer, generator=generator_of(0), norm="batch", init="released"
    )
    assert round(count_parameters(discriminator) / 1e6, 2 if millions < 10 else 1) == millions
    feature = torch.zeros(2, backbone.layer(layer).channels, side, side, device="meta")
    assert tuple(discriminator.to("meta")(feature).shape) == (2, 1, 6, 6)


@pytest.mark.parametrize(("layer", "side"), [("conv4", 28), ("conv5", 14)])
def test_those_of_vgg16_give_six_by_six(layer: str, side: int) -> None:
    discriminator = build_discriminator(
        empty_backbone("vgg16"), layer, generator=generator_of(0), norm="batch"
    )
    feature = torch.zeros(2, 512, side, side, device="meta")
    assert tuple(discriminator.to("meta")(feature).shape) == (2, 1, 6, 6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("side", "patches"), [(1, 1), (2, 2), (4, 4), (6, 6), (7, 3), (13, 6), (14, 6)]
)
def test_small_maps_still_give_patches(side: int, patches: int, norm: Norm) -> None:
    layer = Layer(name="layer3", channels=8, stride=16)
    discriminator = PatchDiscriminator(layer, body=body_for(layer), norm=norm).eval()
    logits = discriminator(torch.zeros(2, 8, side, side))
    assert tuple(logits.shape) == (2, 1, patches, patches)


def test_the_kind_of_norm_is_the_kind_that_was_asked_for() -> None:
    def kinds(norm: Norm) -> tuple[int, int]:
        parts = list(small_discriminator(norm=norm).modules())
        spectral = sum(isinstance(part, SpectralConv2d) for part in parts)
        return spectral, sum(isinstance(part, torch.nn.BatchNorm2d) for part in parts)

    assert kinds("spectral") == (3, 0)
    assert kinds("batch") == (0, 2)
    assert kinds("none") == (0, 0)


def test_the_largest_singular_value_is_one() -> None:
    convolution = SpectralConv2d(5, 12, 3)
    with torch.no_grad():
        convolution.weight.normal_(generator=generator_of(0))
        convolution.start(generator=generator_of(1))
    for _ in range(50):
        convolution.normalised_weight()
    largest = torch.linalg.matrix_norm(convolution.normalised_weight().flatten(1), ord=2)
    assert float(largest.detach()) == pytest.approx(1, abs=1e-4)


def test_the_gradient_of_spectral_norm_is_that_of_dividing_by_the_norm() -> None:
    convolution = SpectralConv2d(3, 6, 1).double()
    with torch.no_grad():
        convolution.weight.normal_(generator=generator_of(0))
        convolution.start(generator=generator_of(1))
        for _ in range(300):
            convolution.normalised_weight()
    probe = torch.randn(6, 3, generator=generator_of(2)).double()
    torch.autograd.backward((convolution.normalised_weight().flatten(1) * probe).sum())
    matrix = convolution.weight.detach().flatten(1).requires_grad_()
    (matrix / torch.linalg.matrix_norm(matrix, ord=2) * probe).sum().backward()
    assert convolution.weight.grad is not None
    assert matrix.grad is not None
    torch.testing.assert_close(
        convolution.weight.grad.flatten(1), matrix.grad, rtol=1e-6, atol=1e-8
    )


def test_spectral_norm_is_repeatable_and_lives_in_the_state() -> None:
    def run(discriminator: PatchDiscriminator, steps: range) -> torch.Tensor:
        optimiser = torch.optim.SGD(discriminator.parameters(), lr=0.01)
        for step in steps:
            optimiser.zero_grad()
            discriminator(feature_maps(2, seed=step)).mean().backward()
            optimiser.step()
        logits: torch.Tensor = discriminator(feature_maps(2, seed=99)).detach()
        return logits

    before = torch.random.get_rng_state()
    whole = run(small_discriminator(), range(4))
    assert torch.equal(whole, run(small_discriminator(), range(4)))
    first = small_discriminator()
    run_first = torch.optim.SGD(first.parameters(), lr=0.01)
    for step in range(2):
        run_first.zero_grad()
        first(feature_maps(2, seed=step)).mean().backward()
        run_first.step()
    resumed = small_discriminator(seed=5)
    resumed.load_state_dict(first.state_dict())
    assert torch.equal(whole, run(resumed, range(2, 4)))
    assert torch.equal(before, torch.random.get_rng_state())


def test_evaluation_changes_nothing() -> None:
    discriminator = small_discriminator().eval()
    before = {key: value.clone() for key, value in discriminator.state_dict().items()}
    first = discriminator(feature_maps(2))
    assert torch.equal(first, discriminator(feature_maps(2)))
    after = discriminator.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_two_calls_can_share_a_backward_pass() -> None:
    discriminator = small_discriminator()
    real, synthetic = discriminator(feature_maps(2)), discriminator(feature_maps(2, seed=1))
    (synthetic.mean() - real.mean()).backward()
    assert all(p.grad is not None for p in discriminator.parameters())


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_a_picture_does_not_see_its_batch(norm: Norm) -> None:
    discriminator = small_discriminator(norm=norm)
    discriminator.eval()
    maps = feature_maps(3)
    torch.testing.assert_close(discriminator(maps)[:1], discriminator(maps[:1]))


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_it_learns_to_tell_two_domains_apart_and_the_features_feel_it(norm: Norm) -> None:
    discriminator = small_discriminator(norm=norm)
    optimiser = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.0, 0.9))
    for step in range(30):
        optimiser.zero_grad()
        synthetic = discriminator(feature_maps(8, shift=-0.2, seed=2 * step))
        real = discriminator(feature_maps(8, shift=0.2, seed=2 * step + 1))
        torch.autograd.backward(F.softplus(synthetic).mean() + F.softplus(-real).mean())
        optimiser.step()
    discriminator.eval()
    maps = feature_maps(32, shift=-0.2, seed=1000).requires_grad_()
    logits = discriminator(maps)
    assert float((logits < 0).float().mean()) > 0.8
    torch.autograd.backward(F.softplus(-logits).mean())  # a backbone that disguises: towards "real"
    assert maps.grad is not None
    with torch.no_grad():
        assert float(discriminator(maps - 1e3 * maps.grad).mean()) > float(logits.mean())


def test_batch_norm_hides_what_a_whole_batch_shares() -> None:
    """Fed one domain at a time, as released, it cannot see a shift between the domains: why it is not the default."""
    discriminator = small_discriminator(norm="batch").train()
    here, there = discriminator(feature_maps(4)), discriminator(feature_maps(4, shift=1.0))
    torch.testing.assert_close(here, there, rtol=1e-3, atol=1e-3)
    spectral = small_discriminator().train()
    here, there = spectral(feature_maps(4)), spectral(feature_maps(4, shift=1.0))
    assert float((here - there).abs().max().detach()) > 0.05


def test_logits_of_bfloat16_come_in_single_precision() -> None:
    discriminator = small_discriminator().eval()
    expected = discriminator(feature_maps(2)).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = discriminator(feature_maps(2)).detach()
    assert logits.dtype == torch.float32
    assert float((logits - expected).abs().max()) < 0.05 * float(expected.abs().max()) + 0.01


def test_hidden_maps_are_those_before_the_logits() -> None:
    hidden = small_discriminator().eval().hidden(feature_maps(2))
    assert [tuple(x.shape[1:]) for x in hidden] == [(128, 3, 3), (128, 3, 3)]


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="no layer 'conv8'"):
        build_discriminator(empty_backbone("alexnet-small"), "conv8", generator=generator_of(0))
