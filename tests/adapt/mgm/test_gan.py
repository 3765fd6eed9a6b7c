"""Generators and discriminators: published sizes, what decides an image, gradients, state."""

import copy

import pytest
import torch
from small_networks import count_parameters, generator_of
from torch import Tensor, nn
from torch.nn.utils import parametrize

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.ema import WeightAverage
from scenelift.adapt.mgm.gan.blocks import SelfAttention, start
from scenelift.adapt.mgm.gan.build import Gan, GanSettings, build_gan
from scenelift.adapt.mgm.gan.equalised import start_equalised
from scenelift.adapt.mgm.gan.gan import KINDS, Kind
from scenelift.adapt.mgm.gan.sagan import ProjectionDiscriminator, SaganGenerator
from scenelift.adapt.mgm.gan.spectral import SpectralNorm, spectral, start_spectral, weight_of
from scenelift.adapt.mgm.gan.stylegan2 import StyledConv2d
from scenelift.adapt.mgm.gan.stylegan2_discriminator import halved, spread
from scenelift.adapt.mgm.middle import build_middle

SCENES = 3


def small_gan(
    kind: Kind = "sagan", *, size_px: int = 32, seed: int = 0, width: float = 0.02
) -> Gan:
    settings = GanSettings(kind=kind, z_dim=16, width=width)
    return build_gan(settings, num_classes=SCENES, size_px=size_px, generator=generator_of(seed))


def some(count: int, *, seed: int = 5) -> tuple[Tensor, Tensor]:
    """Draw noise and classes."""
    return torch.randn(count, 16, generator=generator_of(seed)), torch.arange(count) % SCENES


def images_of(count: int, *, side: int = 32, seed: int = 6) -> Tensor:
    return torch.rand(count, 3, side, side, generator=generator_of(seed)) * 2 - 1


def lived_in(network: nn.Module, *, seed: int = 7) -> nn.Module:
    """Move every parameter a little, so that what begins at 0 matters."""
    generator = generator_of(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return network


def test_sagan_has_as_many_parameters_as_published() -> None:
    with torch.device("meta"):
        generator = SaganGenerator(GanSettings(), num_classes=27, size_px=128)
        discriminator = ProjectionDiscriminator(GanSettings(), num_classes=27, size_px=128)
    assert round(count_parameters(generator) / 1e6, 1) == 32.5
    assert round(count_parameters(discriminator) / 1e6, 1) == 39.5


@pytest.mark.parametrize("size_px", [32, 128])
@pytest.mark.parametrize("kind", KINDS)
def test_images_have_the_size_and_range_that_was_asked_for(kind: Kind, size_px: int) -> None:
    gan = small_gan(kind, size_px=size_px)
    z, label = some(2)
    with torch.no_grad():
        images = gan.generator(z, label)
        logits = gan.discriminator(images, label)
    assert images.shape == (2, 3, size_px, size_px)
    assert 0.05 < images.std() < 1
    assert images.abs().max() <= 1
    assert logits.shape == (2,)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_and_class_decide_and_nothing_else(kind: Kind) -> None:
    gan = small_gan(kind)
    generator = lived_in(gan.generator).eval()
    z, label = some(4)
    image = generator(z, label)
    assert torch.equal(generator(z, label), image)
    # Its neighbours in a batch do not matter.
    torch.testing.assert_close(generator(z[:2], label[:2]), image[:2], rtol=1e-4, atol=1e-5)
    other_z, other_label = generator(z + 0.5, label), generator(z, (label + 1) % SCENES)
    for other in (other_z, other_label):
        assert (other - image).abs().mean(dim=(1, 2, 3)).min() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_the_judge_asks_for_the_class(kind: Kind) -> None:
    discriminator = small_gan(kind).discriminator.eval()
    image, label = images_of(4), torch.arange(4) % SCENES
    assert (
        discriminator(image, label) - discriminator(image, (label + 1) % SCENES)
    ).abs().min() > 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter_of_both_players(kind: Kind) -> None:
    gan = small_gan(kind, width=0.05)
    lived_in(gan.generator)
    lived_in(gan.discriminator)
    z, label = some(6)
    gan.discriminator(gan.generator(z.requires_grad_(), label), label).square().sum().backward()
    for player in (gan.generator, gan.discriminator):
        still = [
            name
            for name, parameter in player.named_parameters()
            if parameter.grad is None or not bool(parameter.grad.any())
        ]
        # A bias before a batch norm, or one that all places share before a softmax, changes nothing.
        assert all(name.endswith("bias") for name in still), still
    assert z.grad is not None
    assert bool(z.grad.any())


@pytest.mark.parametrize("kind", KINDS)
def test_state_goes_on_to_the_same_bits(kind: Kind) -> None:
    def step(gan: Gan, optimisers: dict[str, torch.optim.Adam], number: int) -> None:
        z, label = some(4, seed=number)
        image = gan.generator(z, label)
        for player, fake in (("discriminator", image.detach()), ("generator", image)):
            sign = 1 if player == "discriminator" else -1
            optimisers[player].zero_grad()
            (sign * gan.discriminator(fake, label).mean()).backward()
            optimisers[player].step()

    def fresh(seed: int) -> tuple[Gan, dict[str, torch.optim.Adam]]:
        gan = small_gan(kind, seed=seed)
        players = {"generator": gan.generator, "discriminator": gan.discriminator}
        return gan, {
            name: torch.optim.Adam(player.parameters(), 1e-2) for name, player in players.items()
        }

    gan, optimisers = fresh(0)
    for number in range(2):
        step(gan, optimisers, number)
    other, others = fresh(1)
    other.generator.load_state_dict(gan.generator.state_dict())
    other.discriminator.load_state_dict(gan.discriminator.state_dict())
    for name, optimiser in others.items():
        optimiser.load_state_dict(copy.deepcopy(optimisers[name].state_dict()))
    for number in range(2, 4):
        step(gan, optimisers, number)
        step(other, others, number)
    for one, two in (
        (gan.generator, other.generator),
        (gan.discriminator, other.discriminator),
    ):
        state = two.state_dict()
        assert all(torch.equal(value, state[key]) for key, value in one.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
def test_building_is_repeatable_and_moves_no_global_state(kind: Kind) -> None:
    before = torch.get_rng_state()
    first, second, third = (small_gan(kind, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    state, same, other = (
        gan.generator.state_dict()
        | {f"d.{k}": v for k, v in gan.discriminator.state_dict().items()}
        for gan in (first, second, third)
    )
    assert all(torch.equal(value, same[key]) for key, value in state.items())
    assert all(bool(value.isfinite().all()) for value in state.values())
    assert any(not torch.equal(value, other[key]) for key, value in state.items())


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_plays_too(kind: Kind) -> None:
    gan = small_gan(kind)
    z, label = some(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        images = gan.generator(z, label)
        logits = gan.discriminator(images, label)
    assert images.dtype == logits.dtype == torch.float32
    logits.sum().backward()
    assert all(
        bool(p.grad.isfinite().all()) for p in gan.generator.parameters() if p.grad is not None
    )


def test_every_layer_of_sagan_is_under_spectral_norm_but_the_norms_of_the_classes() -> None:
    gan = small_gan("sagan")
    for player in (gan.generator, gan.discriminator):
        for name, part in player.named_modules():
            if isinstance(part, nn.Conv2d | nn.Linear | nn.Embedding):
                assert parametrize.is_parametrized(part) != name.endswith("read"), name


def test_the_first_step_normalises_by_the_largest_singular_value() -> None:
    for layer in (nn.Conv2d(5, 12, 3), nn.Linear(9, 4), nn.Embedding(3, 8)):
        under = start(nn.Sequential(spectral(layer)), generator=generator_of(0))[0]
        assert isinstance(under, nn.Conv2d | nn.Linear | nn.Embedding)
        for _ in range(40):
            under.weight  # noqa: B018 each access is a power iteration
        largest = torch.linalg.matrix_norm(under.weight.detach().flatten(1), 2)
        torch.testing.assert_close(largest, torch.tensor(1.0), rtol=1e-3, atol=0)
        true = torch.linalg.matrix_norm(weight_of(under).detach().flatten(1), 2)
        torch.testing.assert_close(weight_of(under) / true, under.weight, rtol=1e-3, atol=1e-6)


def test_spectral_norm_rests_in_evaluation() -> None:
    layer = spectral(nn.Linear(6, 5))
    start_spectral(layer, generator=generator_of(0))
    norm = layer.get_submodule("parametrizations.weight.0")
    assert isinstance(norm, SpectralNorm)
    layer.eval()
    kept = norm.left.clone()
    layer(torch.ones(1, 6))
    assert torch.equal(norm.left, kept)
    layer.train()(torch.ones(1, 6))
    assert not torch.equal(norm.left, kept)


def test_a_running_average_is_still_under_spectral_norm() -> None:
    """Averaged singular vectors are shorter than 1; divided by what they give, weights would grow by orders of magnitude."""
    generator = generator_of(0)
    layer = spectral(nn.Linear(64, 64))
    start(nn.Sequential(layer), generator=generator)
    average = WeightAverage({"layer": layer}, decay=0.99)
    for _ in range(200):
        with torch.no_grad():
            weight_of(layer).lerp_(torch.randn(64, 64, generator=generator), 0.1)
        layer(torch.zeros(1, 64))
        average.update({"layer": layer})
    averaged = average.networks["layer"].eval()
    assert isinstance(averaged, nn.Linear)
    assert torch.linalg.matrix_norm(averaged.weight, 2) < 1.6


def test_attention_adds_nothing_at_first_and_looks_everywhere() -> None:
    attention = start(SelfAttention(16), generator=generator_of(0))
    x = torch.randn(2, 16, 8, 8, generator=generator_of(1))
    assert torch.equal(attention(x), x)
    with torch.no_grad():
        attention.gain.fill_(1.0)
    attention.eval()
    other = x.clone()
    other[..., 7, 7] += 3
    assert bool((attention(other) != attention(x))[..., 0, 0].any())


def test_attention_can_be_left_out() -> None:
    settings = GanSettings(z_dim=16, width=0.05, attention=False)
    gan = build_gan(settings, num_classes=2, size_px=32, generator=generator_of(0))
    parts = [*gan.generator.modules(), *gan.discriminator.modules()]
    assert not any(isinstance(part, SelfAttention) for part in parts)


def test_scaling_the_map_is_modulating_the_weights() -> None:
    """By the definition: weights scaled by the style, brought to unit norm for each output channel, applied sample by sample."""
    layer = StyledConv2d(4, 6, style_dim=5)
    start_equalised(layer, generator=generator_of(0))
    x = torch.randn(3, 4, 8, 8, generator=generator_of(1))
    style = torch.randn(3, 5, generator=generator_of(2))
    expected = []
    for sample, scale in zip(x, layer.style(style), strict=True):
        weight = layer.conv.scaled_weight() * scale[None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected.append(torch.nn.functional.conv2d(sample[None], weight, padding=1))
    torch.testing.assert_close(layer(x, style, None), torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_stylegans_noise_is_added_by_its_strength() -> None:
    generator = small_gan("stylegan2").generator.eval()
    z, label = some(2)
    before = generator(z, label)
    with torch.no_grad():
        for part in generator.modules():
            if isinstance(part, StyledConv2d) and part.strength is not None:
                part.strength.fill_(0.5)
    after = generator(z, label)
    assert (after - before).abs().mean() > 1e-2
    assert torch.equal(after, generator(z, label))


def test_halving_keeps_a_constant_and_smooths() -> None:
    inner = halved(torch.full((1, 2, 8, 8), 3.0))[..., 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 3.0))
    checks = ((torch.arange(8)[:, None] + torch.arange(8)) % 2).float()[None, None]
    inner = halved(checks)[..., 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.full_like(inner, 0.5))


def test_spread_sees_copies() -> None:
    x = torch.randn(8, 3, 4, 4, generator=generator_of(0))
    copies = x[:1].expand(8, -1, -1, -1)
    assert spread(copies).abs().max() < 1e-3
    assert spread(x).min() > 0.3
    for count in (1, 2, 3, 5, 6):
        assert spread(x[:count]).shape == (count, 1, 4, 4)
    assert spread(x[:1]).abs().max() < 1e-3


@pytest.mark.parametrize("count", [2, 3, 4, 6, 8])
def test_spread_does_not_mix_the_halves_of_a_batch(count: int) -> None:
    real = torch.randn(count, 3, 4, 4, generator=generator_of(0))
    made = real[:1].expand(count, -1, -1, -1)
    both = spread(torch.cat([real, made]))
    assert both[count:].abs().max() < 1e-3
    assert both[:count].min() > 0.3


def test_middle_shifts_the_noise_by_the_picture() -> None:
    backbone = build_backbone("mgm-resnet-small", generator=generator_of(0))
    middle = build_middle(backbone, z_dim=16, generator=generator_of(1))
    features = {"layer4": torch.rand(4, 90, 2, 2, generator=generator_of(2)).requires_grad_()}
    shift = middle(features)
    assert shift.shape == (4, 16)
    torch.testing.assert_close(shift.mean(dim=0), torch.zeros(16), rtol=0, atol=1e-5)
    z, label = some(4)
    gan = small_gan()
    gan.discriminator(gan.generator(z + shift, label), label).sum().backward()
    gradient = features["layer4"].grad
    assert gradient is not None
    assert bool(gradient.any())
    with pytest.raises(ValueError, match="feed at least 2 pictures"):
        middle({"layer4": features["layer4"][:1]})
    assert middle.eval()({"layer4": features["layer4"][:1]}).shape == (1, 16)


def test_bad_settings_end_in_one_line() -> None:
    with pytest.raises(ValueError, match="z_dim must be at least 8, got 4"):
        GanSettings(z_dim=4)
    with pytest.raises(ValueError, match="width must be above 0"):
        GanSettings(width=0.0)
    with pytest.raises(ValueError, match="mapping_layers must be from 1 to 16, got 0"):
        GanSettings(mapping_layers=0)
    with pytest.raises(ValueError, match="norm_momentum must be above 0"):
        GanSettings(norm_momentum=0.0)
    with pytest.raises(ValueError, match="size_px must be one of 32, 64, 128, got 48"):
        build_gan(GanSettings(), num_classes=2, size_px=48, generator=generator_of(0))
    with pytest.raises(ValueError, match="num_classes must be at least 1, got 0"):
        build_gan(GanSettings(), num_classes=0, size_px=32, generator=generator_of(0))
