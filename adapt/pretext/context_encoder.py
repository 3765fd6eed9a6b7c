"""Context encoder: draw the part of a picture that is hidden, from the rest (Pathak et al., CVPR 2016).

The backbone up to its last convolutional map reads a picture whose hidden part holds the mean colour. A channel-wise fully
connected layer carries each channel across positions, a 1 x 1 convolution mixes channels, up-convolutions draw the picture.

Departures: the decoder ends at the greatest size within the picture (five up-convolutions from 6 x 6 in a 227-pixel picture,
four in a 112-pixel one) and is enlarged to it; its widths, batch norms and tanh are DCGAN's. The critic sees the answer pasted into its
picture, for the squared error leaves what is not hidden free.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.discriminators import Norm
from scenelift.adapt.initialise import initialise, without_weights
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.dcgan import (
    PictureCritic,
    critic_objective,
    draw_weights,
    fixed,
    to_bytes,
    to_picture,
    told_apart,
    up_convolution,
)
from scenelift.adapt.pretext.encoder_map import EncoderMap, encoder_map
from scenelift.adapt.pretext.masks import central_square, fill_from_border, irregular_masks
from scenelift.adapt.pretext.task import Pictures, PretextTask

_MASK_SALT = 5000
"""The first of the salts that masks are drawn with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextEncoderSettings:
    """Reconstruction alone by default: so the paper learnt its features, since AlexNet did not learn against the critic."""

    name: Literal["context-encoder"] = "context-encoder"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that is read; auto: the last convolutional one."""
    picture_px: int = 112
    """Side of the crops; published: 227."""
    region: Literal["random", "centre"] = "random"
    """What is hidden: islands of any shape, or the square of half the side in the middle."""
    area: tuple[float, float] = (0.2, 0.3)
    """Least and greatest share of the picture that islands hide."""
    noise_cells: int = 8
    """Side of the noise that islands are cut from; published: a number every 16.7 of 128 pixels."""
    adversarial: float = 0.0
    """Weight of the critic's verdict, one minus it that of the squared error; published for pictures: 0.001."""
    overlap_weight: float = 0.0
    """Weight of the squared error in a frame around the square, where the truth is seen; published: 10, only with the square."""
    overlap: float = 7 / 227
    """Width of that frame, as a share of the side."""
    decoder_widths: tuple[int, ...] = (128, 64, 64, 32)
    """Channels after each up-convolution but the last; a smaller picture does without the first ones."""
    decoder_kernel: int = 5
    """Side of the up-convolutions' kernels."""
    critic_width: int = 64
    """Channels of the critic's first map."""
    critic_norm: Norm = "batch"
    """What holds the critic."""

    def __post_init__(self) -> None:
        if not 0 <= self.adversarial < 1:
            raise ValueError(f"adversarial must be at least 0 and below 1, got {self.adversarial}")
        if not 0 < self.area[0] <= self.area[1] < 1:
            raise ValueError(f"area must rise within 0 to 1, got {self.area}")
        if self.noise_cells < 2:
            raise ValueError(f"noise_cells must be at least 2, got {self.noise_cells}")
        if not 0 < self.overlap < 0.25:
            raise ValueError(f"overlap must lie between 0 and 0.25, got {self.overlap}")
        if self.overlap_weight < 0:
            raise ValueError(f"overlap_weight must be at least 0, got {self.overlap_weight}")
        if self.overlap_weight > 0 and self.region != "centre":
            raise ValueError("overlap_weight needs region centre: islands have no frame")
        if min(self.decoder_widths, default=0) < 1 or self.critic_width < 1:
            raise ValueError("decoder_widths and critic_width must be at least 1")
        if self.decoder_kernel < 2:
            raise ValueError(f"decoder_kernel must be at least 2, got {self.decoder_kernel}")


class ChannelWise(nn.Module):
    """Each position of a channel reads all positions of that channel and no other channel."""

    def __init__(self, *, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, side**2, side**2))
        self.bias = nn.Parameter(torch.zeros(channels, side**2))

    @torch.no_grad()
    def draw_weights(self, *, generator: torch.Generator) -> None:
        """Draw first weights after He; the bias is 0."""
        self.weight.normal_(0.0, math.sqrt(2 / self.weight.shape[1]), generator=generator)
        self.bias.zero_()

    def forward(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """Mix positions."""
        mixed = torch.einsum("ncp,cpq->ncq", x.flatten(2), self.weight)
        return (mixed + self.bias.to(mixed.dtype)).view(x.shape)


class Decoder(nn.Module):
    """From the encoder's map to a picture from -1 to 1."""

    def __init__(self, read: EncoderMap, *, widths: tuple[int, ...], kernel: int) -> None:
        super().__init__()
        doublings = max(1, min(len(widths) + 1, int(math.log2(read.picture_px / read.side))))
        used = widths[len(widths) - (doublings - 1) :]
        self.across = ChannelWise(channels=read.channels, side=read.side)
        mixed = used[0] if used else read.channels
        self.mix = nn.Sequential(
            nn.Conv2d(read.channels, mixed, 1, bias=False), nn.BatchNorm2d(mixed), nn.ReLU()
        )
        self.ups = nn.Sequential(
            *(
                up_convolution(inputs, outputs, kernel=kernel)
                for inputs, outputs in zip((mixed, *used), used, strict=False)
            )
        )
        self.last = to_picture(used[-1] if used else mixed, kernel=kernel)
        self._picture_px = read.picture_px

    def forward(self, feature: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 s s"]:
        """Draw pictures, in float32."""
        x = self.mix(torch.relu(self.across(feature)))
        drawn: Tensor = self.last(self.ups(x)).float()
        size = (self._picture_px, self._picture_px)
        return F.interpolate(drawn, size=size, mode="bilinear", align_corners=False)


class ContextEncoder(PretextTask):
    """Backbone, decoder and, if it is wanted, a critic of the filled picture."""

    captions = MappingProxyType({"context-encoder": ("as seen", "filled by the answer", "picture")})

    def __init__(
        self, settings: ContextEncoderSettings, backbone: Backbone, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.normalisation = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
        self._settings = settings
        self._read = encoder_map(backbone, settings.layer, picture_px=settings.picture_px)
        self.decoder = without_weights(
            lambda: Decoder(
                self._read, widths=settings.decoder_widths, kernel=settings.decoder_kernel
            )
        )
        initialise(self.decoder, init="default", generator=generator)
        self.decoder.across.draw_weights(generator=generator)
        draw_weights(self.decoder.last, generator=generator)
        self.critic: PictureCritic | None = None
        if settings.adversarial > 0:
            self.critic = without_weights(
                lambda: PictureCritic(
                    side_px=self._square_px if settings.region == "centre" else settings.picture_px,
                    width=settings.critic_width,
                    kernel=4,
                    norm=settings.critic_norm,
                )
            )
            draw_weights(self.critic, generator=generator)

    @property
    def _square_px(self) -> int:
        return 2 * (self._settings.picture_px // 4)

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """Yield those of the critic; none without one."""
        if self.critic is not None:
            yield from self.critic.parameters()

    def critic_loss(self, backbone: Backbone, batch: Batch) -> Float[Tensor, ""] | None:
        """Return how badly true pictures and filled ones are told apart."""
        if self.critic is None:
            return None
        with torch.no_grad():
            hidden = self.hide(batch["image"], batch["sample_seed"])
            filled = self._filled(backbone, batch["image"], hidden)
            real, drawn = self._seen_by_critic(_signed(batch["image"]), filled)
        return critic_objective(self.critic(real), self.critic(drawn), loss="cross-entropy")

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the squared error in the hidden part, joined with the critic's verdict."""
        truth = _signed(batch["image"])
        hidden = self.hide(batch["image"], batch["sample_seed"])
        drawn = self.draw(backbone, batch["image"], hidden)
        error = weighted_error(drawn, truth, weight=self._weight(hidden))
        scalars = {"loss/reconstruction": error.detach()}
        if self.critic is None:
            return error, scalars
        (filled,) = self._seen_by_critic(torch.where(hidden, drawn, truth))
        verdict = F.softplus(-fixed(self.critic, filled)).mean()
        scalars["loss/adversarial"] = verdict.detach()
        share = self._settings.adversarial
        return (1 - share) * error + share * verdict, scalars

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return peak signal to noise in the hidden part beside that of the mean colour, and of a smooth fill from its border."""
        truth = _signed(batch["image"])
        hidden = self.hide(batch["image"], batch["sample_seed"])
        drawn = self.draw(backbone, batch["image"], hidden)
        mean = 2 * torch.tensor(IMAGENET_MEAN, device=truth.device).view(1, 3, 1, 1) - 1
        scalars = {
            "loss/task": weighted_error(drawn, truth, weight=self._weight(hidden)),
            "quality/psnr_db": psnr_db(drawn, truth, hidden),
            "baseline/psnr_db": psnr_db(mean.expand_as(truth), truth, hidden),
            "reference/smooth_fill_psnr_db": psnr_db(
                fill_from_border(truth, hidden.expand(len(truth), -1, -1, -1)), truth, hidden
            ),
        }
        if self.critic is not None:
            filled = torch.where(hidden, drawn, truth)
            real, faked = (self.critic(seen) for seen in self._seen_by_critic(truth, filled))
            scalars |= {
                "accuracy/critic": told_apart(real, faked),
                "chance/critic": torch.tensor(0.5),
            }
        return scalars

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show what the network saw, its answer in place, and the truth."""
        image = batch["image"]
        hidden = self.hide(image, batch["sample_seed"])
        mean = torch.tensor(IMAGENET_MEAN, device=image.device).view(1, 3, 1, 1) * 255
        seen = torch.where(hidden, mean.round().to(torch.uint8), image)
        answer = torch.where(hidden, to_bytes(self.draw(backbone, image, hidden)), image)
        columns = (draw_image(pictures).cpu() for pictures in (seen, answer, image))
        return {"context-encoder": side_by_side(*columns)}

    def hide(
        self, images: UInt8[Tensor, "n 3 s s"], sample_seed: Int64[Tensor, " n"]
    ) -> Bool[Tensor, "_n 1 s s"]:
        """Choose what is hidden: one mask a picture, or one for all where it is the square."""
        self._read.check(images)
        settings = self._settings
        if settings.region == "centre":
            return central_square(
                side_px=settings.picture_px, square_px=self._square_px, device=images.device
            )
        return irregular_masks(
            sample_seed,
            side_px=settings.picture_px,
            cells=settings.noise_cells,
            area=settings.area,
            salt=_MASK_SALT,
        )

    def draw(
        self, backbone: Backbone, images: UInt8[Tensor, "n 3 s s"], hidden: Bool[Tensor, "_n 1 s s"]
    ) -> Float[Tensor, "n 3 s s"]:
        """Draw whole pictures, from -1 to 1, from what is not hidden."""
        pixels = network_input(images, normalisation=self.normalisation)
        # The mean colour is 0 to the network.
        features = backbone(pixels.masked_fill(hidden, 0), until=self._read.name)
        drawn: Tensor = self.decoder(features[self._read.name])
        return drawn

    def _filled(
        self, backbone: Backbone, images: UInt8[Tensor, "n 3 s s"], hidden: Bool[Tensor, "_n 1 s s"]
    ) -> Float[Tensor, "n 3 s s"]:
        return torch.where(hidden, self.draw(backbone, images, hidden), _signed(images))

    def _seen_by_critic(
        self, *pictures: Float[Tensor, "n 3 s s"]
    ) -> tuple[Float[Tensor, "n 3 s2 s2"], ...]:
        """Cut the square out where that is what is hidden."""
        if self._settings.region == "random":
            return pictures
        before = (self._settings.picture_px - self._square_px) // 2
        rows = slice(before, before + self._square_px)
        return tuple(picture[:, :, rows, rows] for picture in pictures)

    def _weight(self, hidden: Bool[Tensor, "_n 1 s s"]) -> Float[Tensor, "_n 1 s s"]:
        """Weigh the squared error of each pixel: 1 where hidden, `overlap_weight` in the frame around the square."""
        settings = self._settings
        if not settings.overlap_weight:
            return hidden.float()
        frame_px = max(1, round(settings.overlap * settings.picture_px))
        outer = central_square(
            side_px=settings.picture_px,
            square_px=self._square_px + 2 * frame_px,
            device=hidden.device,
        )
        return torch.where(hidden, 1.0, outer.float() * settings.overlap_weight)


def weighted_error(
    drawn: Float[Tensor, "n 3 h w"],
    truth: Float[Tensor, "n 3 h w"],
    *,
    weight: Float[Tensor, "_n 1 h w"],
) -> Float[Tensor, ""]:
    """Average weight times squared error over the pixels with a weight and over colours.

    >>> truth = torch.zeros(1, 3, 1, 2)
    >>> drawn = torch.tensor([2.0, 5.0]).expand(1, 3, 1, 2)
    >>> weighted_error(drawn, truth, weight=torch.tensor([10.0, 0.0]).view(1, 1, 1, 2)).item()
    40.0
    """
    every = weight.expand(len(drawn), -1, -1, -1)
    return (every * (drawn - truth).square()).sum() / (3 * (every > 0).sum().clamp(min=1))


def psnr_db(
    drawn: Float[Tensor, "n 3 h w"],
    truth: Float[Tensor, "n 3 h w"],
    hidden: Bool[Tensor, "_n 1 h w"],
) -> Float[Tensor, ""]:
    """Return the peak signal to noise ratio in decibels of the hidden part, over all pictures together; colours from -1 to 1."""
    error = weighted_error(drawn.clamp(-1, 1), truth, weight=hidden.float())
    return 10 * torch.log10(4 / error.clamp(min=1e-12))


def _signed(images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h w"]:
    return images.float() / 127.5 - 1
