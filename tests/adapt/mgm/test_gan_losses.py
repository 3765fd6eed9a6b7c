"""Losses by hand, noise by seed, augmentation by its definition, and whether the players learn."""

import math

import pytest
import torch
from jaxtyping import Float, Int64
from small_networks import generator_of
from torch import Tensor

from scenelift.adapt.mgm.diff_augment import NO_POLICY, DiffAugmentSettings, diff_augment
from scenelift.adapt.mgm.gan.build import Discriminator, Gan, GanSettings, build_gan
from scenelift.adapt.mgm.gan.gan import KINDS, Kind
from scenelift.adapt.mgm.gan_losses import (
    GanLoss,
    discriminator_loss,
    generator_loss,
    instance_noise,
    r1_penalty,
)
from scenelift.adapt.mgm.hash_noise import normal, seed_of

TRANSLATION = DiffAugmentSettings(colour=False, translation=0.25, cutout=0.0)
CUTOUT = DiffAugmentSettings(colour=False, translation=0.0, cutout=0.5)
COLOUR = DiffAugmentSettings(colour=True, translation=0.0, cutout=0.0)
ALL = DiffAugmentSettings()


def images_of(count: int, *, side: int = 16, seed: int = 0) -> Float[Tensor, "n 3 s s"]:
    return torch.rand(count, 3, side, side, generator=generator_of(seed)) * 2 - 1


def test_losses_by_hand() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert discriminator_loss(real, fake, loss="hinge").item() == pytest.approx(0.25 + 1.0)
    assert generator_loss(fake, loss="hinge").item() == pytest.approx(1.0)
    softplus = [math.log1p(math.exp(x)) for x in (-2.0, -0.5, -3.0, 1.0, 3.0, -1.0)]
    expected = sum(softplus[:2]) / 2 + sum(softplus[2:4]) / 2
    assert discriminator_loss(real, fake, loss="non-saturating").item() == pytest.approx(expected)
    mine = generator_loss(fake, loss="non-saturating").item()
    assert mine == pytest.approx(sum(softplus[4:]) / 2)


class Linear(Discriminator):
    """A logit whose gradient is known: a multiple of the label at each value."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(2.0))

    def forward(
        self, image: Float[Tensor, "n 3 s s"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        return self.weight * label * image.sum(dim=(1, 2, 3))


def test_r1_is_the_squared_gradient_and_teaches_the_judge() -> None:
    judge = Linear()
    penalty = r1_penalty(judge, images_of(2, side=4), torch.tensor([1, 3]))
    values = 3 * 4 * 4
    assert penalty.item() == pytest.approx(4.0 * values * (1 + 9) / 2)
    penalty.backward()
    assert judge.weight.grad is not None
    assert judge.weight.grad.item() == pytest.approx(2 * 2.0 * values * 5)


@pytest.mark.parametrize("kind", KINDS)
def test_r1_reaches_every_kind(kind: Kind) -> None:
    settings = GanSettings(kind=kind, z_dim=16, width=0.02)
    gan = build_gan(settings, num_classes=2, size_px=32, generator=generator_of(0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        penalty = r1_penalty(gan.discriminator, images_of(4, side=32), torch.tensor([0, 1, 0, 1]))
    assert penalty.dtype == torch.float32
    assert penalty > 0
    penalty.backward()
    gradients = [p.grad for p in gan.discriminator.parameters() if p.ndim == 4]
    assert all(g is not None and bool(g.isfinite().all()) and bool(g.any()) for g in gradients[:4])


def test_noise_is_normal_and_each_sample_has_its_own() -> None:
    seeds = torch.arange(4000)
    noise = normal(seeds, shape=(8,), salt=3)
    assert noise.mean().abs() < 0.02
    assert (noise.std() - 1).abs() < 0.02
    assert (noise.square().square().mean() - 3).abs() < 0.15
    correlations = torch.corrcoef(noise.T) - torch.eye(8)
    assert correlations.abs().max() < 0.08
    assert (noise[1:] * noise[:-1]).mean(dim=0).abs().max() < 0.08
    assert (noise * normal(seeds, shape=(8,), salt=4)).mean(dim=0).abs().max() < 0.08
    assert torch.equal(noise[17:19], normal(seeds[17:19], shape=(8,), salt=3))


def test_rows_that_differ_in_a_bit_have_other_seeds() -> None:
    rows = torch.randn(1, 16, generator=generator_of(0)).repeat(17, 1)
    rows[torch.arange(16), torch.arange(16)] += 1e-6
    assert len(set(seed_of(rows).tolist())) == 17


def test_instance_noise_has_its_size_and_can_be_none() -> None:
    image, seeds = images_of(8), torch.arange(8)
    noise = instance_noise(image, seeds, salt=0) - image
    assert (noise.std() - 0.01).abs() < 0.0005
    assert torch.equal(instance_noise(image, seeds, salt=0, std=0.0), image)
    other = instance_noise(image, seeds, salt=1) - image
    assert (other * noise).mean().abs() < 1e-5


def test_no_policy_leaves_images_untouched() -> None:
    image = images_of(3)
    assert torch.equal(diff_augment(image, torch.arange(3), settings=NO_POLICY, salt=0), image)


def test_real_and_made_images_get_the_same_decisions() -> None:
    """An image beside others, in another batch, is augmented alike; other salts and seeds decide otherwise."""
    image, seeds = images_of(6), torch.arange(6)
    out = diff_augment(image, seeds, settings=ALL, salt=2)
    alone = diff_augment(image[4:5], seeds[4:5], settings=ALL, salt=2)
    torch.testing.assert_close(alone, out[4:5])
    for other in (
        diff_augment(image, seeds, settings=ALL, salt=3),
        diff_augment(image, seeds + 6, settings=ALL, salt=2),
    ):
        assert ((other - out).abs().mean(dim=(1, 2, 3)) > 1e-3).all()


def test_translation_moves_whole_pixels_and_brings_in_grey() -> None:
    image = images_of(200, side=8)
    moved = diff_augment(image, torch.arange(200), settings=TRANSLATION, salt=0)
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
    found = set()
    for sample in range(200):
        offsets = [
            (right, down)
            for right in range(-2, 3)
            for down in range(-2, 3)
            if torch.equal(
                padded[sample, :, 2 - down : 10 - down, 2 - right : 10 - right], moved[sample]
            )
        ]
        assert len(offsets) == 1
        found.add(offsets[0])
    assert len(found) == 25


def test_cutout_is_a_grey_square() -> None:
    image = images_of(64) + 3
    cut = diff_augment(image, torch.arange(64), settings=CUTOUT, salt=0)
    grey = (cut == 0).all(dim=1)
    assert torch.equal(cut[~grey[:, None].expand_as(cut)], image[~grey[:, None].expand_as(cut)])
    for mask in grey:
        rows, columns = mask.any(dim=1), mask.any(dim=0)
        assert int(mask.sum()) == int(rows.sum()) * int(columns.sum())
        assert 4 <= rows.sum() <= 8
        assert 4 <= columns.sum() <= 8
    assert grey.float().mean(dim=0).min() > 0


def test_colour_is_the_published_change() -> None:
    from scenelift.adapt.colour import uniform

    image, seeds = images_of(3), torch.arange(3)
    expected = []
    for sample in range(3):
        brightness, saturation, contrast = (
            uniform(seeds[sample : sample + 1], salt=what).item() for what in range(3)
        )
        x = image[sample] + brightness - 0.5
        grey = x.mean(dim=0)
        x = grey + (x - grey) * 2 * saturation
        expected.append(x.mean() + (x - x.mean()) * (contrast + 0.5))
    out = diff_augment(image, seeds, settings=COLOUR, salt=0)
    torch.testing.assert_close(out, torch.stack(expected))


def test_gradients_pass_through_augmentation() -> None:
    image = images_of(2).double().requires_grad_()
    seeds = torch.tensor([4, 9])

    def augmented(values: Tensor) -> Tensor:
        return diff_augment(values, seeds, settings=ALL, salt=0)

    direction = torch.randn(image.shape, generator=generator_of(1), dtype=torch.float64)
    weights = torch.randn(image.shape, generator=generator_of(2), dtype=torch.float64)
    (gradient,) = torch.autograd.grad((augmented(image) * weights).sum(), image)
    step = 1e-4
    ahead, behind = augmented(image + step * direction), augmented(image - step * direction)
    slope = ((ahead - behind) * weights).sum() / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), slope.detach(), rtol=1e-6, atol=1e-6)


def test_a_policy_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="translation must be from 0 to 1, got 2"):
        DiffAugmentSettings(translation=2.0)


RED_GREEN_BLUE = torch.tensor([[0.8, -0.6, -0.6], [-0.6, 0.8, -0.6], [-0.6, -0.6, 0.8]])
BATCH = 16


def planted(step: int) -> tuple[Float[Tensor, "n 3 32 32"], Int64[Tensor, " n"]]:
    """Draw noisy pictures of one colour: class 0 is red or green, class 1 is blue."""
    generator = generator_of(1000 + step)
    label = torch.arange(BATCH) % 2
    colour = torch.where(label == 1, 2, torch.randint(2, (BATCH,), generator=generator))
    image = RED_GREEN_BLUE[colour][:, :, None, None].expand(-1, -1, 32, 32)
    return image + 0.1 * torch.randn(image.shape, generator=generator), label


def learn(
    settings: GanSettings, *, loss: GanLoss, steps: int, learning_rate: float, r1: float = 0.0
) -> Gan:
    """Let the players learn from the planted pictures."""
    gan = build_gan(settings, num_classes=2, size_px=32, generator=generator_of(1))
    generator, judge = gan.generator, gan.discriminator
    of_generator = torch.optim.Adam(generator.parameters(), learning_rate, betas=(0.0, 0.9))
    of_judge = torch.optim.Adam(judge.parameters(), 2 * learning_rate, betas=(0.0, 0.9))
    for step in range(steps):
        image, label = planted(step)
        seeds = step * BATCH + torch.arange(BATCH)
        fake = generator(normal(seeds, shape=(settings.z_dim,), salt=0), label)
        both = torch.cat(
            [instance_noise(image, seeds, salt=1), instance_noise(fake.detach(), seeds, salt=2)]
        )
        judged = discriminator_loss(*judge(both, label.repeat(2)).chunk(2), loss=loss)
        if r1 and step % 4 == 0:
            judged = judged + 4 * r1 / 2 * r1_penalty(judge, image, label)
        of_judge.zero_grad()
        judged.backward()
        of_judge.step()
        made = generator_loss(judge(instance_noise(fake, seeds, salt=3), label), loss=loss)
        of_generator.zero_grad()
        made.backward()
        of_generator.step()
        assert bool(judged.isfinite()), f"the judge's loss is {judged.item()} at step {step}"
        assert bool(made.isfinite()), f"the generator's loss is {made.item()} at step {step}"
    return gan


@torch.no_grad()
def colours_made(gan: Gan, settings: GanSettings) -> tuple[Float[Tensor, "2 3"], float]:
    """Return the share of red, green and blue by class, and how far images lie from the nearest of them."""
    label = torch.arange(128) % 2
    z = normal(torch.arange(128), shape=(settings.z_dim,), salt=9)
    distance = torch.cdist(gan.generator.eval()(z, label).mean(dim=(2, 3)), RED_GREEN_BLUE)
    nearest = torch.nn.functional.one_hot(distance.argmin(dim=1), 3).float()
    shares = torch.stack([nearest[label == number].mean(dim=0) for number in (0, 1)])
    return shares, distance.amin(dim=1).mean().item()


def test_a_narrow_gan_covers_both_modes_of_a_class_and_tells_classes_apart() -> None:
    settings = GanSettings(z_dim=16, width=0.05, attention=False, norm_momentum=0.1)
    gan = learn(settings, loss="hinge", steps=45, learning_rate=2e-3)
    shares, distance = colours_made(gan, settings)
    assert shares[0, :2].min() > 0.15, shares
    assert shares[0, 2] < 0.1, shares
    assert shares[1, 2] > 0.9, shares
    assert distance < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "loss", "r1"),
    [
        (GanSettings(z_dim=16, width=0.05, norm_momentum=0.1), "hinge", 0.0),
        (
            GanSettings(kind="biggan", z_dim=64, width=0.05, attention=False, norm_momentum=0.1),
            "hinge",
            0.0,
        ),
        (
            GanSettings(kind="stylegan2", z_dim=16, width=0.02, mapping_layers=2),
            "non-saturating",
            0.1,
        ),
    ],
    ids=["sagan", "biggan", "stylegan2"],
)
def test_hundreds_of_steps_stay_finite_and_cover_the_modes(
    settings: GanSettings, loss: GanLoss, r1: float
) -> None:
    gan = learn(settings, loss=loss, steps=240, learning_rate=2e-3, r1=r1)
    shares, distance = colours_made(gan, settings)
    assert shares[0, :2].min() > 0.15, shares
    assert shares[0, 2] < 0.25, shares
    assert shares[1, 2] > 0.9, shares
    assert distance < 0.5
