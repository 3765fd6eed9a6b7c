"""The game of generator and discriminator, on whatever noise the generator is fed."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from scenelift.adapt.mgm.diff_augment import NO_POLICY, diff_augment
from scenelift.adapt.mgm.gan.gan import Discriminator
from scenelift.adapt.mgm.gan_losses import (
    discriminator_loss,
    generator_loss,
    instance_noise,
    r1_penalty,
)
from scenelift.adapt.mgm.settings import GameSettings

Pictures = Float[Tensor, "n 3 s s"]
_REAL, _FAKE, _FOOLING, _USES = 0, 1, 2, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One round of the game: real pictures, and generated ones of the same classes."""

    settings: GameSettings
    discriminator: Discriminator
    real: Pictures
    """From -1 to 1."""
    fake: Pictures
    """From -1 to 1, with the graph that made them."""
    label: Int64[Tensor, " n"]
    """Classes of both."""
    sample_seed: Int64[Tensor, " n"]
    """What noise and augmentation are made from."""
    number: int
    """Of the round, from 0: rounds differ in their noise."""

    def discriminator_loss(self, *, penalise: bool) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return what the discriminator minimises, and how often it is right about each side.

        Args:
            penalise: Whether the penalty on its gradient is due.
        """
        real = self._disturbed(self.real, use=_REAL)
        both = torch.cat([real, self._disturbed(self.fake.detach(), use=_FAKE)])
        logits = self.discriminator(both, torch.cat([self.label, self.label]))
        of_real, of_fake = logits.split(len(real))
        loss = discriminator_loss(of_real, of_fake, loss=self.settings.loss)
        scalars = {
            "loss/discriminator": loss.detach(),
            "critic/accuracy_real": (of_real.detach() > 0).float().mean(),
            "critic/accuracy_fake": (of_fake.detach() < 0).float().mean(),
        }
        if penalise and self.settings.r1 > 0:
            penalty = r1_penalty(self.discriminator, real, self.label)
            loss = loss + self.settings.r1 / 2 * self.settings.r1_every * penalty
            scalars["loss/r1"] = penalty.detach()
        return loss, scalars

    def generator_loss(self) -> Float[Tensor, ""]:
        """Return what the generator minimises: its gradient passes through the discriminator as it then is."""
        fake = self._disturbed(self.fake, use=_FOOLING)
        return generator_loss(self.discriminator(fake, self.label), loss=self.settings.loss)

    def _disturbed(self, pictures: Pictures, *, use: int) -> Pictures:
        salt = _USES * self.number + use
        if self.settings.augment != NO_POLICY:
            pictures = diff_augment(
                pictures, self.sample_seed, settings=self.settings.augment, salt=salt
            )
        return instance_noise(
            pictures, self.sample_seed, salt=salt, std=self.settings.instance_noise
        )
