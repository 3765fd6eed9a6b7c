"""BiGAN: learn to invert a generator by telling pairs of picture and code apart (Donahue, Krähenbühl and Darrell, ICLR 2017).

The encoder E is the backbone up to its last convolutional map and a linear layer, the generator G is DCGAN's. The critic D
tells (x, E(x)) from (G(z), z); E and G learn from swapped labels. In the generalised variant, the default, E sees the crop, and
G and D a smaller picture.

Departures: D reads its picture by strided convolutions down to 4 x 4 and joins it with the code in layers of `hidden` units. D
learns first and E and G from its new state, not all three at once, for a critic learns first in every system here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.discriminators import Norm, SpectralConv2d
from scenelift.adapt.initialise import initialise, without_weights
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.dcgan import (
    FIRST_SIDE,
    AdversarialLoss,
    Convolution,
    PictureGenerator,
    critic_objective,
    draw_weights,
    fixed,
    halvings,
    num_halvings,
    to_bytes,
    told_apart,
)
from scenelift.adapt.pretext.encoder_map import encoder_map
from scenelift.adapt.pretext.hashed import uniforms
from scenelift.adapt.pretext.task import Pictures, PretextTask

_CODE_SALT = 6000
"""The first of the salts that codes are drawn with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BiGANSettings:
    """Sizes and losses."""

    name: Literal["bigan"] = "bigan"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that codes are read from; auto: the last convolutional one."""
    picture_px: int = 112
    """Side of the crops, which E sees."""
    drawn_px: int = 64
    """Side of the pictures that G draws and D sees; a power of two."""
    code_size: int = 200
    """Numbers in a code, each uniform in -1 to 1."""
    width: int = 64
    """Channels of the widest maps of G and D; doubled at each halving."""
    kernel: int = 5
    """Side of the kernels of G and D."""
    hidden: int = 1024
    """Units of each layer in which D joins picture and code."""
    critic_norm: Norm = "batch"
    """What holds D."""
    adversarial_loss: AdversarialLoss = "cross-entropy"
    """What E and G play D for."""

    def __post_init__(self) -> None:
        for name in ("code_size", "width", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.kernel < 3:
            raise ValueError(f"kernel must be at least 3, got {self.kernel}")
        num_halvings(self.drawn_px)
        if self.drawn_px > self.picture_px:
            raise ValueError(
                f"drawn_px must be at most picture_px, got {self.drawn_px} and {self.picture_px}"
            )


class PairCritic(nn.Module):
    """From a picture and a code to one logit of "a real picture and its code"."""

    def __init__(self, settings: BiGANSettings) -> None:
        super().__init__()
        count = num_halvings(settings.drawn_px)
        norm = settings.critic_norm
        positions = settings.width * 2 ** (count - 1) * FIRST_SIDE**2

        # With batch norm in these layers and on the logit, G drew one picture where plain ones of two colours were to be learnt.
        over_pairs: Norm = "none" if norm == "batch" else norm

        def joined(inputs: int) -> Convolution:
            return Convolution(inputs, settings.hidden, kernel=1, stride=1, norm=over_pairs)

        self.halvings = halvings(
            count=count, width=settings.width, kernel=settings.kernel, norm=norm
        )
        self.of_picture = joined(positions)
        self.of_code = joined(settings.code_size)
        self.of_pair = joined(2 * settings.hidden)
        self.last = Convolution(
            settings.hidden, 1, kernel=1, stride=1, norm=over_pairs, leaky=False
        )

    def forward(
        self, picture: Float[Tensor, "n 3 s s"], code: Float[Tensor, "n z"]
    ) -> Float[Tensor, " n"]:
        """Return logits, in float32."""
        seen = self.of_picture(self.halvings(picture).flatten(1)[:, :, None, None])
        pair = torch.cat([seen, self.of_code(code[:, :, None, None])], dim=1)
        logits: Tensor = self.last(self.of_pair(pair))
        return logits.flatten().float()


class BiGAN(PretextTask):
    """Encoder, generator and the critic of pairs."""

    captions = MappingProxyType({"bigan": ("picture", "G(E(picture))", "from a random code")})

    def __init__(
        self, settings: BiGANSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
        self._settings = settings
        self._read = encoder_map(backbone, settings.layer, picture_px=settings.picture_px)
        self.to_code = without_weights(lambda: nn.Linear(self._read.num_values, settings.code_size))
        initialise(self.to_code, init="default", generator=generator)
        self.generator = without_weights(
            lambda: PictureGenerator(
                code_size=settings.code_size,
                side_px=settings.drawn_px,
                width=settings.width,
                kernel=settings.kernel,
            )
        )
        draw_weights(self.generator, generator=generator)
        self.critic = without_weights(lambda: PairCritic(settings))
        draw_weights(self.critic.halvings, generator=generator)
        for layer in (
            self.critic.of_picture,
            self.critic.of_code,
            self.critic.of_pair,
            self.critic.last,
        ):
            initialise(layer, init="default", generator=generator)
            if isinstance(layer.convolution, SpectralConv2d):
                layer.convolution.start(generator=generator)

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """Yield those of D."""
        yield from self.critic.parameters()

    def critic_loss(self, backbone: Backbone, batch: Batch) -> Float[Tensor, ""]:
        """Return how badly D tells the pairs apart."""
        with torch.no_grad():
            picture = self.target(batch["image"])
            code = self.encode(backbone, batch["image"])
            drawn_code = self.codes(batch["sample_seed"])
            drawn = self.generator(drawn_code)
        return critic_objective(
            self.critic(picture, code),
            self.critic(drawn, drawn_code),
            loss=self._settings.adversarial_loss,
        )

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the loss of E and G: D's with the labels swapped."""
        real, drawn = self._logits(backbone, batch)
        return self._deception(real, drawn), {"accuracy/critic": told_apart(real, drawn)}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return how near G(E(x)) is to x, beside the mean picture of the batch; and how well D tells pairs apart.

        `error/reconstruction`: mean squared error of colours from 0 to 1. `accuracy/matching`: how often G(E(x)) is nearer to its x
        than to any other picture of the batch. `spread/drawn` and `spread/real`: variance of pixels over pictures; a generator that
        draws one picture has none.
        """
        real, drawn_logits = self._logits(backbone, batch)
        truth = (self.target(batch["image"]) + 1) / 2
        rebuilt = (self.generator(self.encode(backbone, batch["image"])) + 1) / 2
        drawn = (self.generator(self.codes(batch["sample_seed"])) + 1) / 2
        nearest = torch.cdist(rebuilt.flatten(1), truth.flatten(1)).argmin(dim=1)
        place = torch.arange(len(truth), device=truth.device)
        return {
            "loss/task": self._deception(real, drawn_logits),
            "error/reconstruction": (rebuilt - truth).square().mean(),
            "baseline/reconstruction": spread(truth),
            "accuracy/matching": (nearest == place).float().mean(),
            "chance/matching": torch.tensor(1 / len(truth)),
            "accuracy/critic": told_apart(real, drawn_logits),
            "chance/critic": torch.tensor(0.5),
            "spread/drawn": spread(drawn),
            "spread/real": spread(truth),
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show pictures as D sees them, G(E(x)) of each, and what G draws from random codes."""
        columns = (
            self.target(batch["image"]),
            self.generator(self.encode(backbone, batch["image"])),
            self.generator(self.codes(batch["sample_seed"])),
        )
        factor = max(1, batch["image"].shape[-1] // self._settings.drawn_px)
        drawn = (
            draw_image(F.interpolate(to_bytes(column), scale_factor=factor)).cpu()
            for column in columns
        )
        return {"bigan": side_by_side(*drawn)}

    def encode(self, backbone: Backbone, images: UInt8[Tensor, "n 3 s s"]) -> Float[Tensor, "n z"]:
        """Return E(x), in float32; nothing bounds it."""
        self._read.check(images)
        pixels = network_input(images, normalisation=self.normalisation)
        feature = backbone(pixels, until=self._read.name)[self._read.name]
        code: Tensor = self.to_code(feature.flatten(1))
        return code.float()

    def codes(self, sample_seed: Int64[Tensor, " n"]) -> Float[Tensor, "n z"]:
        """Draw one z a sample, uniform in -1 to 1."""
        return 2 * uniforms(sample_seed, count=self._settings.code_size, salt=_CODE_SALT) - 1

    def target(self, images: UInt8[Tensor, "n 3 s s"]) -> Float[Tensor, "n 3 p p"]:
        """Shrink pictures to what G draws, from -1 to 1."""
        size = (self._settings.drawn_px,) * 2
        pictures = images.float() / 127.5 - 1
        return F.interpolate(pictures, size=size, mode="bilinear", antialias=True)

    def _logits(
        self, backbone: Backbone, batch: Batch
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Return the logits of both pairs by a D that gets no gradient."""
        code = self.codes(batch["sample_seed"])
        real = fixed(
            self.critic, self.target(batch["image"]), self.encode(backbone, batch["image"])
        )
        return real, fixed(self.critic, self.generator(code), code)

    def _deception(
        self, real: Float[Tensor, " n"], drawn: Float[Tensor, " n"]
    ) -> Float[Tensor, ""]:
        if self._settings.adversarial_loss == "hinge":
            return (real.mean() - drawn.mean()) / 2
        return critic_objective(-real, -drawn, loss="cross-entropy")


def spread(pictures: Float[Tensor, "n 3 s s"]) -> Float[Tensor, ""]:
    """Return the mean squared error of the pictures' mean, as an answer for each of them.

    >>> round(spread(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 1, 1)).item(), 2)
    0.25
    """
    return (pictures - pictures.mean(dim=0)).square().mean()
