"""BiGAN: who learns from whom, what decides a code, and that it inverts its generator where two colours are all there is."""

import itertools
import math
from typing import Literal

import pytest
import torch
from pretext_runs import assert_resume_is_exact, noise_batch

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.discriminators import SpectralConv2d
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.bigan import BiGAN, BiGANSettings, spread
from scenelift.adapt.pretext.dcgan import (
    PictureCritic,
    PictureGenerator,
    critic_objective,
    doubling,
    draw_weights,
    fixed,
    num_halvings,
    to_bytes,
    told_apart,
)
from scenelift.adapt.pretext.method import Pretext, PretextSettings

SIDE = 32
NOW = Clock(step=0, steps=10)
SMALL = BiGANSettings(picture_px=SIDE, drawn_px=16, code_size=8, width=8, hidden=32, kernel=4)
SPECTRAL = BiGANSettings(
    picture_px=SIDE,
    drawn_px=16,
    code_size=8,
    width=8,
    hidden=32,
    kernel=5,
    critic_norm="spectral",
    adversarial_loss="hinge",
)


def build(settings: BiGANSettings) -> tuple[BiGAN, Backbone]:
    backbone = build_backbone("alexnet-small", generator=torch.Generator().manual_seed(0))
    return BiGAN(settings, backbone, generator=torch.Generator().manual_seed(1)), backbone


def two_colours(count: int, *, seed: int) -> Batch:
    """Draw pictures that are orange or blue, by a coin each, and a little lighter or darker."""
    batch = noise_batch(count, side=SIDE, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    coin = torch.randint(0, 2, (count,), generator=generator)
    light = torch.randint(-20, 21, (count, 1), generator=generator)
    colours = torch.tensor([[230, 120, 30], [30, 90, 220]])[coin] + light
    plain = colours.to(torch.uint8)[:, :, None, None].expand(-1, -1, SIDE, SIDE)
    batch["image"] = plain.contiguous()
    return batch


@pytest.mark.parametrize("settings", [SMALL, SPECTRAL], ids=["published", "spectral-hinge"])
def test_gradients_reach_one_side_each(settings: BiGANSettings) -> None:
    task, backbone = build(settings)
    critic = {id(p) for p in task.critic_parameters()}
    assert critic == {id(p) for p in task.critic.parameters()}
    loss = task.critic_loss(backbone, noise_batch(4, side=SIDE))
    loss.backward()
    for parameter in itertools.chain(backbone.parameters(), task.parameters()):
        assert (parameter.grad is not None) == (id(parameter) in critic)
    for parameter in task.critic_parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0 or parameter.dim() == 1
        parameter.grad = None
    task.loss(backbone, noise_batch(4, side=SIDE), clock=NOW)[0].backward()
    for name, parameter in task.named_parameters():
        assert (parameter.grad is None) == name.startswith("critic."), name
    for name, parameter in backbone.named_parameters():
        assert (parameter.grad is None) == name.startswith(("fc", "bn6", "bn7")), name


def test_each_side_learns_from_its_own_pair() -> None:
    """E learns from (x, E(x)) alone, G from (G(z), z) alone: neither sees the other's output."""
    task, backbone = build(SMALL)
    batch = noise_batch(4, side=SIDE)
    real, drawn = task._logits(backbone, batch)
    encoder, generator = list(task.to_code.parameters()), list(task.generator.parameters())
    for logits, reached, spared in ((real, encoder, generator), (drawn, generator, encoder)):
        gradients = torch.autograd.grad(
            logits.sum(), [*reached, *spared], retain_graph=True, allow_unused=True
        )
        assert all(g is not None for g in gradients[: len(reached)])
        assert all(g is None for g in gradients[len(reached) :])


def test_labels_are_swapped_between_the_sides() -> None:
    task, _ = build(SMALL)
    real, drawn = torch.tensor([2.0, 1.0]), torch.tensor([-3.0, 0.5])
    loss = critic_objective(real, drawn, loss="cross-entropy")
    by_hand = (softplus(-2.0) + softplus(-1.0) + softplus(-3.0) + softplus(0.5)) / 4
    assert loss.item() == pytest.approx(by_hand)
    swapped = (softplus(2.0) + softplus(1.0) + softplus(3.0) + softplus(-0.5)) / 4
    assert task._deception(real, drawn).item() == pytest.approx(swapped)


def test_the_hinge_rests_where_the_margin_is_met() -> None:
    real, drawn = torch.tensor([1.0, 0.5]), torch.tensor([-1.0, 0.0])
    assert critic_objective(real, drawn, loss="hinge").item() == pytest.approx((0.25 + 0.5) / 2)
    task, _ = build(SPECTRAL)
    assert task._deception(real, drawn).item() == pytest.approx((0.75 + 0.5) / 2)
    assert told_apart(real, drawn) == 0.75  # a logit of 0 takes no side


def test_a_code_is_its_samples_own() -> None:
    task, _ = build(BiGANSettings(picture_px=SIDE, drawn_px=16, width=4, hidden=8))
    seeds = torch.arange(64)
    codes = task.codes(seeds)
    assert codes.shape == (64, 200)
    assert codes.min() >= -1
    assert codes.max() < 1
    assert codes.mean().abs() < 0.02
    assert codes.var().item() == pytest.approx(1 / 3, abs=0.01)
    assert torch.equal(task.codes(seeds[9:10]), codes[9:10])
    assert torch.corrcoef(codes.T).fill_diagonal_(0).abs().max() < 0.6
    assert len(torch.unique(codes, dim=0)) == 64


def test_the_target_is_the_picture_made_small() -> None:
    task, _ = build(SMALL)
    batch = two_colours(3, seed=0)
    target = task.target(batch["image"])
    assert target.shape == (3, 3, 16, 16)
    torch.testing.assert_close(target[:, :, 0, 0], batch["image"][:, :, 0, 0] / 127.5 - 1)
    assert torch.equal(to_bytes(target), batch["image"][:, :, ::2, ::2])


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("side", [8, 64])
def test_generators_draw_the_side_that_is_asked_for(kernel: int, side: int) -> None:
    assert doubling(1, 1, kernel=kernel)(torch.zeros(1, 1, 7, 7)).shape[-1] == 14
    generator = PictureGenerator(code_size=5, side_px=side, width=2, kernel=kernel)
    draw_weights(generator, generator=torch.Generator().manual_seed(0))
    assert generator(torch.zeros(2, 5)).shape == (2, 3, side, side)


@pytest.mark.parametrize("side", [14, 28, 56, 112])
@pytest.mark.parametrize("kernel", [4, 5])
def test_critics_read_pictures_of_any_side(side: int, kernel: int) -> None:
    critic = PictureCritic(side_px=side, width=2, kernel=kernel, norm="spectral")
    draw_weights(critic, generator=torch.Generator().manual_seed(0))
    assert critic(torch.zeros(3, 3, side, side)).shape == (3,)


def test_a_spectral_critic_cannot_be_steep() -> None:
    """Each layer is no steeper than 1 as a matrix, so scaling the weights changes nothing."""
    task, _ = build(SPECTRAL)
    picture, code = task.target(noise_batch(2, side=SIDE)["image"]), task.codes(torch.arange(2))
    task.eval()
    before = task.critic(picture, code)
    with torch.no_grad():
        for part in task.critic.modules():
            if isinstance(part, SpectralConv2d):
                part.weight *= 7
    torch.testing.assert_close(task.critic(picture, code), before)


def test_a_fixed_network_passes_gradients_to_what_it_reads() -> None:
    layer = torch.nn.Linear(2, 1)
    x = torch.ones(1, 2, requires_grad=True)
    fixed(layer, x).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, layer.weight.detach())
    assert layer.weight.grad is None
    assert layer.weight.requires_grad


def learner(
    settings: BiGANSettings,
    *,
    rate: float = 1e-3,
    schedule: Literal["cosine", "constant"] = "constant",
    half: bool = False,
) -> Pretext:
    adam = OptimiserSettings(learning_rate=rate, schedule=schedule)
    return Pretext(
        PretextSettings(task=settings, optimiser=adam, critic_optimiser=adam),
        seed=0,
        device=torch.device("cpu"),
        half=half,
    )


@pytest.mark.slow
def test_pictures_of_two_colours_are_rebuilt_in_some_runs() -> None:
    """E may send each colour to the code of the other, an error of 4 baselines; on five streams most runs find the right pairs."""
    shares = []
    for run in range(5):
        method, steps = learner(SMALL, rate=2e-3, schedule="cosine"), 240
        for step in range(steps):
            batch = two_colours(24, seed=100_000 * run + step)
            method.step({"real": batch}, clock=Clock(step=step, steps=steps))
        figures = method.validate({"real": two_colours(64, seed=700_000 * run + 10_000)})
        shares.append(float(figures["error/reconstruction"] / figures["baseline/reconstruction"]))
        assert figures["spread/drawn"] > 0.6 * figures["spread/real"]
    assert sum(share < 0.5 for share in shares) >= 2, shares


@pytest.mark.parametrize("settings", [SMALL, SPECTRAL], ids=["published", "spectral-hinge"])
def test_resume_is_exact(settings: BiGANSettings) -> None:
    batches = [noise_batch(4, side=SIDE, seed=step) for step in range(4)]
    assert_resume_is_exact(lambda: learner(settings), batches)


def test_bfloat16_runs_and_pictures_are_drawn() -> None:
    method = learner(SPECTRAL, half=True)
    scalars = method.step({"real": noise_batch(4, side=SIDE)}, clock=NOW)
    assert scalars["loss/task"].dtype == scalars["loss/critic"].dtype == torch.float32
    (drawn,) = method.pictures({"real": noise_batch(4, side=SIDE)}).values()
    assert drawn.shape == (4, 32, 3 * 32 + 8, 3)  # drawn at 16, shown as large as the photos


def test_figures_of_one_who_always_draws_the_mean() -> None:
    method = learner(SMALL)
    assert isinstance(method.task, BiGAN)
    with torch.no_grad():
        for part in method.task.generator.last.parameters():
            part.zero_()
    batch = two_colours(32, seed=3)
    grey = (127.5 - batch["image"].float()) / 255
    figures = method.validate({"real": batch})
    assert figures["error/reconstruction"].item() == pytest.approx(
        grey.square().mean().item(), rel=1e-4
    )
    assert figures["baseline/reconstruction"] < figures["error/reconstruction"]
    torch.testing.assert_close(
        figures["baseline/reconstruction"], spread(batch["image"][:, :, :16, :16].float() / 255)
    )
    assert figures["spread/drawn"] == 0
    assert figures["accuracy/matching"] == figures["chance/matching"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drawn_px": 48}, "8, 16, 32, 64 or so on, got 48"),
        ({"drawn_px": 4}, "8, 16, 32, 64 or so on, got 4"),
        ({"drawn_px": 128}, "drawn_px must be at most picture_px"),
        ({"code_size": 0}, "code_size must be at least 1"),
        ({"kernel": 2}, "kernel must be at least 3"),
    ],
)
def test_bad_settings(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BiGANSettings(**change)  # type: ignore[arg-type]


def test_pictures_of_another_size_are_refused() -> None:
    task, backbone = build(SMALL)
    with pytest.raises(ValueError, match=r"32 x 32 pixels, got 64 x 64; set .*picture_px"):
        task.loss(backbone, noise_batch(2, side=64), clock=NOW)


def test_halvings_end_at_four() -> None:
    assert [num_halvings(side) for side in (8, 16, 32, 64, 128)] == [1, 2, 3, 4, 5]


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))
