"""All networks of the method, built from settings and from what the labelled pictures are."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.discriminators import build_discriminator
from scenelift.adapt.initialise import initialise, without_weights
from scenelift.adapt.mgm.decoders import Decoders, build_decoders
from scenelift.adapt.mgm.gan.build import build_gan
from scenelift.adapt.mgm.gan.gan import Gan
from scenelift.adapt.mgm.middle import Middle, build_middle
from scenelift.adapt.mgm.refinement import Refinement, build_refinement
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.network_input import InputNormalisation

INPUT = InputNormalisation(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
"""sRGB from -1 to 1: what the generator answers is what the encoder reads."""
CONTRAST_DIM = 64
"""Numbers that two views are compared by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What must be known of the labelled pictures to build the networks."""

    scenes: tuple[str, ...]
    """Names of the scene classes; none: nobody says."""
    semantic_classes: tuple[str, ...]
    """Names of the ids 1, 2, ... of `semantic`."""
    size_px: int
    """Side of the square pictures."""

    @property
    def num_gan_classes(self) -> int:
        """Classes of generated pictures: one a scene, and a last one for pictures whose scene is unknown."""
        return len(self.scenes) + 1


class MultiTaskNetwork(nn.Module):
    """The encoder and its decoders."""

    def __init__(self, encoder: Backbone, decoders: Decoders) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoders = decoders

    def forward(self, pixels: Float[Tensor, "n 3 h w"]) -> dict[str, Float[Tensor, "n _ h w"]]:
        """Answer every task.

        Returns:
            By task: `segmentation`, logits of the classes 1, 2, ...; `depth`, metres along the optical axis; `normal`, of any
            length, camera frame.
        """
        height, width = pixels.shape[-2:]
        answers: dict[str, Tensor] = self.decoders(self.encoder(pixels), width=width, height=height)
        return answers


@dataclass(frozen=True, kw_only=True, slots=True)
class Networks:
    """The networks that a configuration asks for, on the CPU, with first weights."""

    encoder: Backbone
    decoders: Decoders | None
    refinement: Refinement | None
    contrast: nn.Linear | None
    """On the mean of the encoder's last map."""
    middle: Middle | None
    gan: Gan | None
    critics: Mapping[str, nn.Module]
    """The alignment's discriminators, by layer."""
    num_scenes: int
    """Scene classes; the generator has one more."""


def build_networks(settings: MgmSettings, *, facts: Facts, generator: torch.Generator) -> Networks:
    """Build what the settings name. Each network draws from a generator of its own, so that no switch moves another's weights.

    Raises:
        ValueError: if a network cannot be built: an unknown name, no scene classes to refine by, a size without a generator.
    """
    seeds = torch.randint(2**62, (7,), generator=generator).tolist()
    draw = [torch.Generator().manual_seed(seed) for seed in seeds]
    encoder = build_backbone(settings.backbone, generator=draw[0])
    deepest = encoder.layers[-1]
    channels = task_channels(settings, facts=facts)
    if settings.refinement != "none" and len(facts.scenes) < 2:
        raise ValueError(
            "refinement reads scenes, and the labelled pictures name fewer than two: label them, or set refinement none"
        )
    aligned = [encoder.layer(layer).name for layer in settings.align.layers]
    return Networks(
        encoder=encoder,
        decoders=_build_decoders(encoder, settings, facts=facts, generator=draw[1])
        if settings.tasks
        else None,
        refinement=build_refinement(
            channels,
            num_classes=len(facts.scenes),
            generator=draw[2],
            width=settings.refinement_width,
            relu_logits=settings.relu_logits,
            softmax="segmentation" if settings.softmax else None,
        )
        if settings.refinement != "none"
        else None,
        contrast=_linear(deepest.channels, CONTRAST_DIM, generator=draw[3])
        if settings.self_supervision != "none"
        else None,
        middle=build_middle(encoder, z_dim=settings.gan.z_dim, generator=draw[4])
        if settings.conditions
        else None,
        gan=build_gan(
            settings.gan,
            num_classes=facts.num_gan_classes,
            size_px=facts.size_px,
            generator=draw[5],
        )
        if settings.further == "gan"
        else None,
        critics={layer: build_discriminator(encoder, layer, generator=draw[6]) for layer in aligned}
        if settings.align.method != "none" and settings.align.has_critic
        else {},
        num_scenes=len(facts.scenes),
    )


def build_multi_task(settings: MgmSettings, *, facts: Facts) -> MultiTaskNetwork:
    """Build encoder and decoders alone, for a caller that loads their weights.

    Raises:
        ValueError: as `build_networks` does, or if the settings name no task.
    """
    generator = torch.Generator()
    encoder = build_backbone(settings.backbone, generator=generator)
    return MultiTaskNetwork(
        encoder, _build_decoders(encoder, settings, facts=facts, generator=generator)
    )


def task_channels(settings: MgmSettings, *, facts: Facts) -> dict[str, int]:
    """Return how many channels each task's answer has."""
    channels = {"segmentation": len(facts.semantic_classes), "depth": 1, "normal": 3}
    return {task: channels[task] for task in settings.tasks}


def _build_decoders(
    encoder: Backbone, settings: MgmSettings, *, facts: Facts, generator: torch.Generator
) -> Decoders:
    return build_decoders(
        encoder,
        task_channels(settings, facts=facts),
        generator=generator,
        width=settings.decoder_width,
        answer_stride=settings.answer_stride,
    )


def _linear(inputs: int, outputs: int, *, generator: torch.Generator) -> nn.Linear:
    layer = without_weights(lambda: nn.Linear(inputs, outputs))
    initialise(layer, init="default", generator=generator)
    return layer
