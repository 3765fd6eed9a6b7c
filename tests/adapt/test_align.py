"""Alignment: the game is played as written down, distances are distances, and a resumed run goes on bit for bit."""

import io
import math
from collections.abc import Iterator
from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from scenelift.adapt.align import (
    Alignment,
    AlignmentConfig,
    AlignmentMethod,
    gradient_norm,
    make_alignment,
    reverse,
    swap_low_frequencies,
)
from scenelift.adapt.align.config import ActsOn, Game
from scenelift.adapt.align.distances import coral, mmd, sliced_wasserstein
from scenelift.adapt.align.game import accuracies, backbone_game_loss, critic_game_loss
from scenelift.adapt.align.weight import GameGuard, RatioHold, ramp_weight
from scenelift.adapt.method import Clock

METHODS: tuple[AlignmentMethod, ...] = get_args(AlignmentMethod)
DISTANCES: tuple[AlignmentMethod, ...] = ("coral", "mmd", "sliced-wasserstein")
GAMES: tuple[Game, ...] = get_args(Game)
CHANNELS = 4


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def critic(seed: int = 0) -> nn.Module:
    """A small discriminator of patches."""
    net = nn.Sequential(nn.Conv2d(CHANNELS, 8, 2), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 1))
    with torch.no_grad():
        for i, p in enumerate(net.parameters()):
            p.copy_(drawn(*p.shape, seed=100 * seed + i) / math.sqrt(p[0].numel()))
    return net


def features(domain: str, step: int, *, num: int = 16) -> dict[str, Tensor]:
    """Feature maps of two layers; the domains' means differ by 1 in each of the channels."""
    shift = 0.5 if domain == "real" else -0.5
    seed = 2 * step + (domain == "real")
    return {
        "conv1": shift + drawn(num, CHANNELS, 4, 3, seed=seed),
        "conv5": shift + drawn(num, CHANNELS, 3, 3, seed=1000 + seed),
    }


def make(method: AlignmentMethod = "adversarial", **changes: object) -> Alignment:
    config = AlignmentConfig(method=method, **changes)  # type: ignore[arg-type]
    layers = config.layers
    return make_alignment(
        config, discriminators={layer: critic(i) for i, layer in enumerate(layers)}
    )


def at(step: int) -> Clock:
    return Clock(step=step, steps=100)


def term_of(
    alignment: Alignment, synthetic: dict[str, Tensor], real: dict[str, Tensor], *, step: int = 0
) -> Tensor:
    term, _ = alignment.alignment_loss(synthetic, real, clock=at(step))
    assert term is not None
    return term


def train_critic(alignment: Alignment, *, steps: int, rate: float = 0.5) -> None:
    optimizer = torch.optim.SGD(alignment.critic_parameters(), lr=rate)
    for step in range(steps):
        loss, _ = alignment.critic_loss(features("synthetic", step), features("real", step))
        if loss is not None:
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def accuracy(alignment: Alignment, synthetic: dict[str, Tensor], real: dict[str, Tensor]) -> float:
    """Of the critic that there is, on what it has not seen."""
    assert isinstance(alignment.discriminators, nn.ModuleList)
    net = alignment.discriminators[0]
    layer = alignment.config.layers[0]
    shares = accuracies(net(synthetic[layer]), net(real[layer]))
    return (shares[0] + shares[1]).item() / 2


# The game


def test_the_losses_of_the_game_are_those_of_the_books() -> None:
    synthetic, real = drawn(5, 1, 2, 2, seed=0), drawn(3, 1, 2, 2, seed=1)
    p_synthetic, p_real = synthetic.sigmoid(), real.sigmoid()
    vanilla = -0.5 * ((1 - p_synthetic).log().mean() + p_real.log().mean())
    torch.testing.assert_close(critic_game_loss(synthetic, real, game="vanilla"), vanilla)
    squares = 0.5 * (((1 + synthetic) / 2).square().mean() + ((1 + real) / 2 - 1).square().mean())
    torch.testing.assert_close(critic_game_loss(synthetic, real, game="least-squares"), squares)
    hinge = 0.5 * ((1 + synthetic).clamp(min=0).mean() + (1 - real).clamp(min=0).mean())
    torch.testing.assert_close(critic_game_loss(synthetic, real, game="hinge"), hinge)
    expected: dict[tuple[Game, ActsOn], Tensor] = {
        ("vanilla", "synthetic"): -p_synthetic.log().mean(),
        ("vanilla", "real"): -(1 - p_real).log().mean(),
        ("least-squares", "synthetic"): ((1 + synthetic) / 2 - 1).square().mean(),
        ("least-squares", "real"): ((1 + real) / 2).square().mean(),
        ("hinge", "synthetic"): -synthetic.mean(),
        ("hinge", "real"): real.mean(),
    }
    for (game, acts_on), value in expected.items():
        found = backbone_game_loss(synthetic, real, game=game, acts_on=acts_on)
        torch.testing.assert_close(found, value)
    for game in GAMES:
        both = (expected[game, "synthetic"] + expected[game, "real"]) / 2
        found = backbone_game_loss(synthetic, real, game=game, acts_on="both")
        torch.testing.assert_close(found, both)


def test_swapping_the_domains_and_the_sign_is_the_same_game() -> None:
    a, b = drawn(4, 1, seed=0), drawn(4, 1, seed=1)
    for game in GAMES:
        torch.testing.assert_close(
            critic_game_loss(a, b, game=game), critic_game_loss(-b, -a, game=game)
        )
        torch.testing.assert_close(
            backbone_game_loss(a, b, game=game, acts_on="synthetic"),
            backbone_game_loss(-b, -a, game=game, acts_on="real"),
        )


def test_accuracies_count_the_right_side() -> None:
    logits = torch.tensor([-1.0, -2.0, 3.0, 0.0])
    synthetic, real = accuracies(logits, logits)
    assert (synthetic.item(), real.item()) == (0.625, 0.375)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("one_forward", [False, True])
def test_the_critic_learns_to_tell(game: Game, one_forward: bool) -> None:
    alignment = make(game=game, one_forward=one_forward, history=32)
    train_critic(alignment, steps=60)
    assert accuracy(alignment, features("synthetic", 999), features("real", 999)) > 0.9


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("acts_on", get_args(ActsOn))
def test_the_gradient_reaches_the_features_and_fools_the_critic(
    game: Game, acts_on: ActsOn
) -> None:
    alignment = make(game=game, acts_on=acts_on, history=0, weight=1.0)
    train_critic(alignment, steps=60)
    synthetic, real = features("synthetic", 999), features("real", 999)
    for x in (synthetic["conv5"], real["conv5"]):
        x.requires_grad_()
    before = accuracy(alignment, synthetic, real)
    term_of(alignment, synthetic, real).backward()
    acted = {"synthetic": [synthetic], "real": [real], "both": [synthetic, real]}[acts_on]
    left = [side for side in (synthetic, real) if not any(side is other for other in acted)]
    for side in left:
        assert side["conv5"].grad is None
    for side in acted:
        gradient = side["conv5"].grad
        assert gradient is not None
        assert gradient.norm() > 1e-4
        with torch.no_grad():  # a step of the length that parts the domains
            step = gradient / gradient.flatten(1).norm(dim=1).mean()
            side["conv5"] -= 6 * step
    assert accuracy(alignment, synthetic, real) < before - 0.15


def test_the_gradients_size_is_the_weight_times_the_closed_form() -> None:
    """A linear critic w on pooled features: the gradient is -weight x sigmoid(-logit) x w / n."""
    w = torch.tensor([0.3, -0.2, 0.5, 0.1])
    linear = nn.Linear(CHANNELS, 1, bias=False)
    with torch.no_grad():
        linear.weight.copy_(w[None])
    net = nn.Sequential(nn.AvgPool2d(3), nn.Flatten(), linear)
    alignment = make_alignment(AlignmentConfig(weight=0.05), discriminators={"conv5": net})
    synthetic, real = features("synthetic", 0), features("real", 0)
    x = synthetic["conv5"].requires_grad_()
    term_of(alignment, synthetic, real).backward()
    logits = x.detach().mean(dim=(2, 3)) @ w
    expected = -0.05 * (-logits).sigmoid()[:, None] * w / 16 / 9
    assert x.grad is not None
    torch.testing.assert_close(x.grad, expected[:, :, None, None].expand_as(x))


def test_the_two_sides_never_mix() -> None:
    """The critic's loss reaches no feature, the backbone's no parameter of the critic."""
    alignment = make()
    synthetic, real = features("synthetic", 0), features("real", 0)
    for side in (synthetic, real):
        side["conv5"].requires_grad_()
    loss, _ = alignment.critic_loss(synthetic, real)
    assert loss is not None
    loss.backward()
    assert synthetic["conv5"].grad is None
    assert real["conv5"].grad is None
    before = [p.grad.clone() for p in alignment.critic_parameters() if p.grad is not None]
    assert len(before) == 4
    term_of(alignment, synthetic, real).backward()
    after = [p.grad for p in alignment.critic_parameters()]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True) if b is not None)
    assert all(p.requires_grad for p in alignment.critic_parameters())


@pytest.mark.parametrize("game", GAMES)
def test_reversal_is_the_minimax_of_two_steps_in_one(game: Game) -> None:
    two = make("adversarial", game=game, history=0)
    one = make("reversal", game=game, weight=0.3, acts_on="both")
    synthetic, real = features("synthetic", 0), features("real", 0)
    sides = [side["conv5"].requires_grad_() for side in (synthetic, real)]
    loss, _ = two.critic_loss(synthetic, real)
    assert loss is not None
    loss.backward()
    # The minimax's other half, by hand: the critic's loss with the sign turned, on features that pass gradients.
    assert isinstance(two.discriminators, nn.ModuleList)
    net = two.discriminators[0]
    minimax = critic_game_loss(net(sides[0]), net(sides[1]), game=game)
    expected = torch.autograd.grad(-0.3 * minimax, sides)
    term, scalars = one.alignment_loss(synthetic, real, clock=at(0))
    assert term is not None
    term.backward()
    for side, gradient in zip(sides, expected, strict=True):
        torch.testing.assert_close(side.grad, gradient)
    pairs = zip(one.critic_parameters(), two.critic_parameters(), strict=True)
    for p, q in pairs:
        torch.testing.assert_close(p.grad, q.grad)
    assert one.critic_in_backward
    assert one.critic_loss(synthetic, real) == (None, {})
    torch.testing.assert_close(scalars["loss/critic"], loss.detach())


@pytest.mark.parametrize("acts_on", ["synthetic", "real"])
def test_reversal_may_act_on_one_domain(acts_on: ActsOn) -> None:
    alignment = make("reversal", acts_on=acts_on, weight=1.0)
    sides = {
        domain: features(domain, 0)["conv5"].requires_grad_() for domain in ("synthetic", "real")
    }
    term_of(alignment, {"conv5": sides["synthetic"]}, {"conv5": sides["real"]}).backward()
    for domain, side in sides.items():
        felt = side.grad is not None and bool(side.grad.any())
        assert felt == (domain == acts_on)


def test_reverse_is_the_identity_forwards() -> None:
    x = drawn(3, 2, seed=0).requires_grad_()
    y = reverse(x, weight=2.0)
    assert torch.equal(x, y)
    y.square().sum().backward()
    torch.testing.assert_close(x.grad, -4 * x.detach())


class Shift(nn.Module):
    """A backbone that can only move its features: what alignment has to find is the difference of the means."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros(CHANNELS))

    def forward(self, domain: str, step: int) -> dict[str, Tensor]:
        maps = features(domain, step)["conv5"]
        return {"conv5": maps + self.by[:, None, None] if domain == "synthetic" else maps}


def play(alignment: Alignment, *, steps: int, align: bool = True) -> Shift:
    backbone = Shift()
    optimizer = torch.optim.SGD(backbone.parameters(), lr=0.2)
    optimizer_critic = (
        torch.optim.SGD(alignment.critic_parameters(), lr=0.2)
        if list(alignment.critic_parameters())
        else None
    )
    for step in range(steps):
        synthetic, real = backbone("synthetic", step), backbone("real", step)
        if optimizer_critic is not None:
            optimizer_critic.zero_grad()
        loss, _ = alignment.critic_loss(synthetic, real)
        if loss is not None and optimizer_critic is not None:
            loss.backward()
            optimizer_critic.step()
        term, _ = alignment.alignment_loss(synthetic, real, clock=at(step))
        optimizer.zero_grad()
        if align and term is not None:
            term.backward()
            optimizer.step()
            if alignment.critic_in_backward and optimizer_critic is not None:
                optimizer_critic.step()
    return backbone


def fresh_accuracy(backbone: Shift) -> float:
    """Of a critic trained from the start on the backbone's features, on others that it has not seen."""
    net = critic(7)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.5)
    for step in range(60):
        with torch.no_grad():
            a, b = backbone("synthetic", 5000 + step), backbone("real", 5000 + step)
        optimizer.zero_grad()
        critic_game_loss(net(a["conv5"]), net(b["conv5"]), game="vanilla").backward()
        optimizer.step()
    shares = accuracies(
        net(backbone("synthetic", 9999)["conv5"]), net(backbone("real", 9999)["conv5"])
    )
    return (shares[0] + shares[1]).item() / 2


@pytest.mark.parametrize(
    ("method", "weight"),
    [("adversarial", 1.0), ("reversal", 1.0), ("mmd", 2.0), ("sliced-wasserstein", 2.0)],
)
def test_alignment_takes_from_a_critic_what_it_could_tell(
    method: AlignmentMethod, weight: float
) -> None:
    alignment = make(method, weight=weight, history=64)
    aligned = play(alignment, steps=150)
    without = play(make(method, weight=weight), steps=5, align=False)
    assert fresh_accuracy(without) > 0.9
    assert fresh_accuracy(aligned) < 0.65
    torch.testing.assert_close(aligned.by.detach(), torch.ones(CHANNELS), rtol=0, atol=0.4)


# Several layers, names, what is logged


def test_layers_add_up() -> None:
    synthetic, real = features("synthetic", 0), features("real", 0)
    for method in ("adversarial", *DISTANCES):
        both = make(method, layers=("conv1", "conv5"), weight=1.0)
        parts = torch.zeros(())
        for i, layer in enumerate(("conv1", "conv5")):
            config = AlignmentConfig(method=method, layers=(layer,), weight=1.0)
            part = make_alignment(config, discriminators={layer: critic(i)})
            if method == "sliced-wasserstein" and i == 1:
                continue  # draws other directions for the second layer
            parts = parts + term_of(part, synthetic, real)
        whole = term_of(both, synthetic, real)
        if method == "sliced-wasserstein":
            assert whole > parts
        else:
            torch.testing.assert_close(whole, parts)


def test_a_layers_name_may_hold_dots() -> None:
    config = AlignmentConfig(layers=("layer4.1",))
    alignment = make_alignment(config, discriminators={"layer4.1": critic()})
    maps = drawn(2, CHANNELS, 3, 3, seed=0)
    alignment.critic_loss({"layer4.1": maps}, {"layer4.1": maps})
    alignment.load_state_dict(alignment.state_dict())


def test_what_is_logged_bears_the_names_of_the_design() -> None:
    alignment = make(weight=0.05)
    _, scalars = alignment.critic_loss(features("synthetic", 0), features("real", 0))
    assert set(scalars) == {"loss/critic", "critic/accuracy_synthetic", "critic/accuracy_real"}
    term, scalars = alignment.alignment_loss(
        features("synthetic", 0), features("real", 0), clock=at(0)
    )
    assert set(scalars) == {"loss/align", "align/weight"}
    assert term is not None
    torch.testing.assert_close(term, scalars["loss/align"] * scalars["align/weight"])
    assert not any(x.requires_grad for x in scalars.values())


@pytest.mark.parametrize("method", METHODS)
def test_each_method_says_what_it_needs(method: AlignmentMethod) -> None:
    alignment = make(method)
    synthetic, real = features("synthetic", 0), features("real", 0)
    assert alignment.needs_real_pictures == (method not in ("none", "adabn"))
    assert alignment.needs_real_features == (method not in ("none", "adabn", "fourier"))
    assert alignment.statistics == ("running" if method in ("none", "fourier") else "real")
    assert bool(list(alignment.critic_parameters())) == alignment.config.has_critic
    term, _ = alignment.alignment_loss(synthetic, real, clock=at(50))
    assert (term is None) == (method in ("none", "adabn", "fourier"))
    pictures = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    if method != "fourier":
        assert alignment.restyle(pictures, pictures)[0] is pictures


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("none", "adabn", "fourier")])
def test_autocast_costs_no_precision(method: AlignmentMethod) -> None:
    alignment = make(method, history=0)
    sides = [
        {"conv5": features(domain, 0)["conv5"].bfloat16().requires_grad_()}
        for domain in ("synthetic", "real")
    ]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = [
            alignment.critic_loss(*sides)[0],
            alignment.alignment_loss(*sides, clock=at(0))[0],
        ]
    wide_sides = [{"conv5": side["conv5"].detach().float()} for side in sides]
    wide = [
        alignment.critic_loss(*wide_sides)[0],
        alignment.alignment_loss(*wide_sides, clock=at(0))[0],
    ]
    for a, b in zip(narrow, wide, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert torch.equal(a, b)
    assert narrow[1] is not None
    narrow[1].backward()
    gradient = sides[0]["conv5"].grad
    assert gradient is not None
    assert gradient.any()


# Distances


def distance_of(method: str, a: Tensor, b: Tensor) -> Tensor:
    if method == "coral":
        return coral(a, b)
    if method == "mmd":
        return mmd(a, b)
    generator = torch.Generator().manual_seed(0)
    return sliced_wasserstein(a, b, num_projections=64, generator=generator)


@pytest.mark.parametrize("method", DISTANCES)
def test_a_distance_is_zero_on_equal_sets_in_any_order_and_positive_on_others(method: str) -> None:
    a = drawn(50, 6, seed=0)
    assert distance_of(method, a, a).item() == pytest.approx(0, abs=1e-6)
    assert distance_of(method, a, a.flip(0)).item() == pytest.approx(0, abs=1e-6)
    near, far = distance_of(method, a, 1.2 * a), distance_of(method, a, 3 * a)
    assert 1e-4 < near.item() < far.item()
    torch.testing.assert_close(far, distance_of(method, 3 * a, a))


@pytest.mark.parametrize("method", ["mmd", "sliced-wasserstein"])
def test_a_distance_of_two_draws_of_one_distribution_falls_with_their_number(method: str) -> None:
    values = []
    for num in (30, 400):
        a, b = drawn(num, 3, seed=1), drawn(num, 3, seed=2)
        values.append(distance_of(method, a, b).item())
    shifted = distance_of(method, drawn(400, 3, seed=1), 0.5 + drawn(400, 3, seed=2)).item()
    assert values[1] < values[0] / 3
    assert shifted > 5 * values[1]


@pytest.mark.parametrize("method", DISTANCES)
def test_a_distance_descends(method: str) -> None:
    b = drawn(40, 4, seed=1)
    a = (2 * drawn(40, 4, seed=2) + 1).requires_grad_()
    start = distance_of(method, a, b).item()
    optimizer = torch.optim.Adam([a], lr=0.05)
    for _ in range(150):
        optimizer.zero_grad()
        distance_of(method, a, b).backward()
        optimizer.step()
    assert distance_of(method, a, b).item() < 0.1 * start


@pytest.mark.parametrize("method", DISTANCES)
def test_a_distance_has_the_gradient_of_finite_differences(method: str) -> None:
    a = drawn(5, 3, seed=0).double().requires_grad_()
    b = drawn(7, 3, seed=1).double()
    if (
        method == "mmd"
    ):  # whose widths pass no gradient: hold them by two far samples that rule the median
        a0 = a.detach()
        expected = torch.zeros_like(a0)
        loss = mmd(a, b)
        (gradient,) = torch.autograd.grad(loss, a)
        both = torch.cat([a0, b])
        median = torch.pdist(both).square().median()
        sign = torch.cat([torch.full((5,), 0.2), torch.full((7,), -1 / 7)]).double()
        for width in (0.25, 0.5, 1, 2, 4):
            for i in range(5):
                for j in range(12):
                    apart = both[i] - both[j]
                    kernel = (-apart.square().sum() / (2 * width * median)).exp()
                    expected[i] -= 2 * sign[i] * sign[j] * kernel * apart / (width * median) / 5
        torch.testing.assert_close(gradient, expected)
    else:
        assert torch.autograd.gradcheck(lambda x: distance_of(method, x, b), (a,))


def test_coral_is_the_distance_of_the_covariances() -> None:
    a, b = drawn(20, 5, seed=0), 2 * drawn(30, 5, seed=1)
    apart = torch.cov(a.T) - torch.cov(b.T)
    torch.testing.assert_close(coral(a, b), apart.square().sum() / 100)
    torch.testing.assert_close(coral(a + 7, b - 3), coral(a, b), rtol=1e-4, atol=1e-6)


def test_sliced_wasserstein_of_a_shift_is_its_square_over_the_dimension() -> None:
    a = drawn(30, 8, seed=0)
    shift = torch.tensor([3.0] + 7 * [0.0])
    generator = torch.Generator().manual_seed(0)
    found = sliced_wasserstein(a, a + shift, num_projections=20000, generator=generator)
    assert found.item() == pytest.approx(9 / 8, rel=0.03)


def test_sliced_wasserstein_compares_sets_of_unequal_size() -> None:
    a, b = drawn(300, 3, seed=0), drawn(1000, 3, seed=1)
    generator = torch.Generator().manual_seed(0)
    assert sliced_wasserstein(a, b, num_projections=50, generator=generator) < 0.03
    once = torch.arange(6.0)[:, None]
    twice = once.repeat_interleave(2, dim=0)
    generator = torch.Generator().manual_seed(0)
    assert sliced_wasserstein(once, twice, num_projections=5, generator=generator) == 0
    fine, middles = torch.arange(12.0)[:, None], 2 * torch.arange(6.0)[:, None] + 0.5
    generator = torch.Generator().manual_seed(0)
    assert sliced_wasserstein(fine, middles, num_projections=5, generator=generator) < 1e-9


def test_the_directions_are_a_function_of_seed_and_step() -> None:
    alignment = make("sliced-wasserstein", weight=1.0)
    synthetic, real = features("synthetic", 0), features("real", 0)
    first = term_of(alignment, synthetic, real, step=3)
    assert torch.equal(
        first, term_of(make("sliced-wasserstein", weight=1.0), synthetic, real, step=3)
    )
    assert first != term_of(alignment, synthetic, real, step=4)
    assert first != term_of(make("sliced-wasserstein", weight=1.0, seed=1), synthetic, real, step=3)


# Fourier


def pictures(seed: int, *, num: int = 3, height: int = 12, width: int = 10) -> Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(num, 3, height, width, generator=rng)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
@pytest.mark.parametrize("width", [10, 11])
def test_low_amplitudes_are_the_styles_and_all_else_the_contents(share: float, width: int) -> None:
    content, style = pictures(0, width=width), pictures(1, width=width)
    mixed = torch.fft.fft2(swap_low_frequencies(content, style, share=share))
    reach = int(share * min(12, width))
    rows = torch.fft.fftfreq(12, d=1 / 12).round().abs()[:, None]
    columns = torch.fft.fftfreq(width, d=1 / width).round().abs()
    low = ((rows <= reach) & (columns <= reach)).expand_as(mixed)
    assert low[0, 0].sum() == (2 * reach + 1) ** 2
    a, b = torch.fft.fft2(content), torch.fft.fft2(style)
    torch.testing.assert_close(mixed.abs()[low], b.abs()[low], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(mixed[~low], a[~low], rtol=1e-3, atol=1e-4)
    turned = mixed * a.conj()
    torch.testing.assert_close(turned.real, turned.abs(), rtol=1e-3, atol=1e-3)


def test_pictures_of_their_own_style_stay() -> None:
    content = pictures(0)
    torch.testing.assert_close(swap_low_frequencies(content, content, share=0.2), content)


@pytest.mark.parametrize("num_real", [1, 2, 5])
def test_fourier_keeps_type_and_range_and_takes_the_light_of_real_pictures(num_real: int) -> None:
    alignment = make("fourier", fourier_share=0.01)
    dark = (60 * pictures(0)).to(torch.uint8)
    bright = (195 + 60 * pictures(1, num=num_real)).to(torch.uint8)
    styled, real = alignment.restyle(dark, bright)
    assert real is bright
    assert styled.dtype == torch.uint8
    for i in range(3):
        assert styled[i].float().mean() == pytest.approx(
            bright[i % num_real].float().mean().item(), abs=1.0
        )
    styled, _ = alignment.restyle(dark / 255, bright / 255)
    assert styled.dtype == torch.float32
    assert 0 <= styled.min() <= styled.max() <= 1
    with pytest.raises(ValueError, match="synthetic pictures are 10 x 12, real ones 10 x 9"):
        alignment.restyle(dark, bright[:, :, :9])


# Weight, hold, guard


def test_the_ramps_shape() -> None:
    values = [ramp_weight(p / 20, ramp="dann") for p in range(21)]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[-1] == pytest.approx(0.9999, abs=1e-4)
    alignment = make(ramp="dann", weight=0.05)
    assert alignment.weight(at(0)) == 0
    assert alignment.weight(at(100)) == pytest.approx(0.05, rel=1e-3)


@pytest.mark.parametrize("start", [1e-4, 0.1, 50.0])
def test_the_hold_brings_the_ratio_to_its_target(start: float) -> None:
    hold = RatioHold(target=0.1, limit=1e4)
    for _ in range(100):
        hold.observe(start * hold.factor)
    assert start * hold.factor == pytest.approx(0.1, rel=1e-2)


def test_the_hold_stays_in_bounds_and_ignores_what_says_nothing() -> None:
    hold = RatioHold(target=0.1, limit=10)
    for ratio in (0.0, math.inf, math.nan):
        hold.observe(ratio)
    assert hold.factor == 1
    for _ in range(200):
        hold.observe(1e-9)
    assert hold.factor == 10


def test_the_ratio_is_held_in_training() -> None:
    alignment = make(ratio=0.1, ratio_every=1, history=0, weight=0.05)
    ratios: list[float] = []
    task, synthetic = torch.zeros(()), dict[str, Tensor]()
    for step in range(80):
        x = drawn(16, CHANNELS, 3, 3, seed=step).requires_grad_()
        synthetic = {"conv5": 2 * x}
        term = term_of(alignment, synthetic, features("real", step))
        task = 2 * synthetic["conv5"].square().mean()
        assert alignment.measures(at(step))
        ratios.append(alignment.measure(term, task=task, at=synthetic)["gradient/ratio"].item())
        expected = gradient_norm(term, at=[synthetic["conv5"]]) / gradient_norm(
            task, at=[synthetic["conv5"]]
        )
        assert ratios[-1] == pytest.approx(expected.item())
    assert ratios[0] < 0.02
    assert sum(ratios[-30:]) / 30 == pytest.approx(0.1, rel=0.1)
    assert not make().measures(at(0))
    assert make().measure(None, task=task, at=synthetic) == {}


def test_a_gradients_norm_is_that_of_the_gradient() -> None:
    x, y = drawn(3, 4, seed=0).requires_grad_(), drawn(2, seed=1).requires_grad_()
    loss = x.square().sum() / 2
    torch.testing.assert_close(gradient_norm(loss, at=[x, y]), x.detach().norm())
    assert gradient_norm(loss.detach(), at=[x]) == 0
    loss.backward()


def test_the_guard_spares_the_backbone_while_the_critic_is_nearly_always_right() -> None:
    guard = GameGuard(stop_above=0.95, freeze_below=None, patience=3)
    open_at = []
    for value in [0.99, 0.99, 0.9, 0.96, 0.97, 0.98, 0.99, 0.5, 0.99]:
        guard.observe(value)
        open_at.append(guard.feeds_backbone)
    assert open_at == [True, True, True, True, True, False, False, True, True]
    assert guard.trains_critic


def test_the_guard_rests_a_critic_at_chance_but_neither_at_first_nor_for_ever() -> None:
    guard = GameGuard(stop_above=None, freeze_below=0.55, patience=3)
    learns = []
    for value in [0.5, 0.5, 0.6, 0.54, 0.5, 0.4, 0.4, 0.4, 0.6, 0.5, 0.7]:
        guard.observe(value)
        learns.append(guard.trains_critic)
    assert learns == [True, True, True, False, False, False, True, True, True, False, True]
    assert guard.feeds_backbone


def test_a_guard_goes_on_where_it_was() -> None:
    values = [0.7, 0.5, 0.5, 0.5, 0.5, 0.99, 0.99, 0.99, 0.99]
    for cut in range(len(values)):
        whole = GameGuard(stop_above=0.95, freeze_below=0.55, patience=3)
        first = GameGuard(stop_above=0.95, freeze_below=0.55, patience=3)
        for value in values[:cut]:
            whole.observe(value)
            first.observe(value)
        second = GameGuard(stop_above=0.95, freeze_below=0.55, patience=3)
        second.load_state_dict(first.state_dict())
        for value in values[cut:]:
            whole.observe(value)
            second.observe(value)
            assert whole.feeds_backbone == second.feeds_backbone
            assert whole.trains_critic == second.trains_critic


def test_guards_act_in_the_game() -> None:
    alignment = make(stop_above=0.8, patience=2, history=0)
    train_critic(alignment, steps=60)
    term, scalars = alignment.alignment_loss(
        features("synthetic", 1), features("real", 1), clock=at(0)
    )
    assert term is None
    assert scalars["align/weight"] == 0
    resting = make(freeze_below=0.95, patience=5, history=0)
    train_critic(resting, steps=60)
    same = features("synthetic", 1)
    loss, scalars = resting.critic_loss(same, same)
    assert loss is None
    assert scalars["critic/accuracy_real"] + scalars["critic/accuracy_synthetic"] == pytest.approx(
        1
    )


# State


def run(alignment: Alignment, steps: range) -> Iterator[tuple[float, ...]]:
    """Play some steps; the backbone is a fixed one, only the alignment learns."""
    for step in steps:
        synthetic, real = features("synthetic", step), features("real", step)
        for side in (synthetic, real):
            side["conv5"].requires_grad_()
        loss, scalars = alignment.critic_loss(synthetic, real)
        alignment.zero_grad()
        if loss is not None:
            loss.backward()
        term, more = alignment.alignment_loss(synthetic, real, clock=at(step))
        if term is not None and alignment.measures(at(step)):
            more |= alignment.measure(term, task=synthetic["conv5"].square().mean(), at=synthetic)
        if term is not None and alignment.critic_in_backward:
            term.backward()
        with torch.no_grad():
            for p in alignment.critic_parameters():
                if p.grad is not None:
                    p.sub_(0.1 * p.grad)
        yield tuple(x.item() for x in (scalars | more).values())


@pytest.mark.parametrize("method", METHODS)
def test_resumes_bit_for_bit(method: AlignmentMethod) -> None:
    changes: dict[str, object] = {
        "ratio": 0.2,
        "ratio_every": 2,
        "history": 24,
        "history_half": True,
    }
    if method == "adversarial":
        changes |= {"stop_above": 0.2, "freeze_below": 0.6, "patience": 8}
    whole = list(run(make(method, **changes), range(12)))
    first = make(method, **changes)
    assert list(run(first, range(6))) == whole[:6]
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = make(method, **changes)
    list(run(second, range(20, 22)))
    second.load_state_dict(torch.load(file, weights_only=True))
    assert list(run(second, range(6, 12))) == whole[6:]


def test_leaves_the_global_generator_alone() -> None:
    for method in METHODS:
        alignment = make(method)
        before = torch.get_rng_state()
        list(run(alignment, range(2)))
        assert torch.equal(torch.get_rng_state(), before)


def test_ranks_draw_different_histories_even_from_one_state() -> None:
    first = make_alignment(AlignmentConfig(history=4), discriminators={"conv5": critic()})
    list(run(first, range(2)))
    given = []
    for rank in (0, 1):
        config = AlignmentConfig(history=4)
        alignment = make_alignment(config, discriminators={"conv5": critic()}, rank=rank)
        alignment.load_state_dict(first.state_dict())
        given.append([row[0] for row in run(alignment, range(4))])
    assert given[0] != given[1]


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ()}, "layers is empty"),
        ({"weight": -1.0}, "weight must be at least 0, got -1.0"),
        ({"ratio": 0.0}, "ratio must be positive, got 0.0"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"history": -1}, "history must be at least 0, got -1"),
        ({"fourier_share": 0.5}, "fourier_share must lie in"),
        ({"stop_above": 1.0}, "stop_above must lie between 0 and 1, got 1.0"),
        ({"method": "mmd", "stop_above": 0.9}, "stop_above needs a critic; method is mmd"),
        ({"method": "reversal", "freeze_below": 0.5}, "freeze_below needs method adversarial"),
    ],
)
def test_refuses_a_configuration_that_makes_no_sense(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        AlignmentConfig(**changes)  # type: ignore[arg-type]


def test_refuses_layers_that_are_not_there() -> None:
    with pytest.raises(ValueError, match="no discriminator for layer conv5; there are conv1"):
        make_alignment(AlignmentConfig(), discriminators={"conv1": critic()})
    maps = {"conv3": drawn(2, CHANNELS, 3, 3, seed=0)}
    with pytest.raises(
        ValueError, match="layer conv5 is to be aligned, but the backbone gives conv3"
    ):
        make().critic_loss(maps, maps)


def test_refuses_a_state_of_another_configuration() -> None:
    state = make().state_dict()
    with pytest.raises(ValueError, match="belongs to another configuration"):
        make(ratio=0.1).load_state_dict(state)
    config = AlignmentConfig(layers=("other",))
    other = make_alignment(config, discriminators={"other": critic()})
    with pytest.raises(ValueError, match="histories of conv5/synthetic"):
        other.load_state_dict(state)
