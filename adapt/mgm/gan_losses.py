"""Losses of generator and discriminator, and two things that keep the discriminator from winning."""

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.mgm.gan.gan import Discriminator
from scenelift.adapt.mgm.hash_noise import normal

GanLoss = Literal["hinge", "non-saturating"]
"""hinge: Lim and Ye, 2017, as MGM's released code; non-saturating: Goodfellow et al., 2014, as StyleGAN2, with `r1_penalty`."""
INSTANCE_NOISE_STD = 0.01


def discriminator_loss(
    real: Float[Tensor, " n"], fake: Float[Tensor, " m"], *, loss: GanLoss
) -> Float[Tensor, ""]:
    """Return the discriminator's loss from its logits of real and of made images.

    >>> float(discriminator_loss(torch.tensor([0.5, 3.0]), torch.tensor([-2.0, 0.0]), loss="hinge"))
    0.75
    """
    real, fake = real.float(), fake.float()
    if loss == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(fake: Float[Tensor, " n"], *, loss: GanLoss) -> Float[Tensor, ""]:
    """Return the generator's loss from the discriminator's logits of what it made."""
    fake = fake.float()
    return -fake.mean() if loss == "hinge" else F.softplus(-fake).mean()


def r1_penalty(
    discriminator: Discriminator, image: Float[Tensor, "n 3 s s"], label: Int64[Tensor, " n"]
) -> Float[Tensor, ""]:
    """Return the mean squared norm of the logit's gradient by real images (Mescheder et al., ICML 2018).

    Weight it by gamma / 2, and by k more where it is taken every k-th step only. No autocast reaches it.
    """
    with torch.autocast(image.device.type, enabled=False):
        image = image.detach().float().requires_grad_()
        logits = discriminator(image, label)
        (gradient,) = torch.autograd.grad(logits.sum(), image, create_graph=True)
        return gradient.square().sum(dim=(1, 2, 3)).mean()


def instance_noise(
    image: Float[Tensor, "n 3 s s"],
    sample_seed: Int64[Tensor, " n"],
    *,
    salt: int,
    std: float = INSTANCE_NOISE_STD,
) -> Float[Tensor, "n 3 s s"]:
    """Add normal noise to what the discriminator sees (Sonderby et al., ICLR 2017); the seeds and the salt decide it."""
    if std == 0:
        return image
    return image + std * normal(sample_seed, shape=tuple(image.shape[1:]), salt=salt).to(
        image.dtype
    )
