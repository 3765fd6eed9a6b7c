"""Which comparison systems there are."""

import torch

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.pretext.bigan import BiGAN, BiGANSettings
from scenelift.adapt.pretext.byol import BYOL, BYOLSettings
from scenelift.adapt.pretext.colorization import Colorization, ColorizationSettings
from scenelift.adapt.pretext.context import Context, ContextSettings
from scenelift.adapt.pretext.context_encoder import ContextEncoder, ContextEncoderSettings
from scenelift.adapt.pretext.counting import Counting, CountingSettings
from scenelift.adapt.pretext.jigsaw import Jigsaw, JigsawSettings
from scenelift.adapt.pretext.rotation import Rotation, RotationSettings
from scenelift.adapt.pretext.simclr import SimCLR, SimCLRSettings
from scenelift.adapt.pretext.split_brain import SplitBrain, SplitBrainSettings
from scenelift.adapt.pretext.supervised import Supervised, SupervisedSettings
from scenelift.adapt.pretext.task import PretextTask

TaskSettings = (
    BiGANSettings
    | BYOLSettings
    | ColorizationSettings
    | ContextEncoderSettings
    | ContextSettings
    | CountingSettings
    | JigsawSettings
    | RotationSettings
    | SimCLRSettings
    | SplitBrainSettings
    | SupervisedSettings
)
"""Of every system that learns from pictures."""


def build_task(
    settings: TaskSettings,
    backbone: Backbone,
    *,
    generator: torch.Generator,
    classes: tuple[str, ...] = (),
) -> PretextTask:
    """Build the heads and the loss of a system on the CPU.

    Args:
        settings: Which system, and how.
        backbone: The network that learns; some systems prepare it.
        generator: Where weights are drawn from.
        classes: Names of the labels, for systems that learn from labels.

    Raises:
        ValueError: if the backbone or a choice does not suit the system.
    """
    match settings:
        case BiGANSettings():
            return BiGAN(settings, backbone, generator=generator)
        case BYOLSettings():
            return BYOL(settings, backbone, generator=generator)
        case ColorizationSettings():
            return Colorization(settings, backbone, generator=generator)
        case ContextEncoderSettings():
            return ContextEncoder(settings, backbone, generator=generator)
        case ContextSettings():
            return Context(settings, backbone, generator=generator)
        case CountingSettings():
            return Counting(settings, backbone, generator=generator)
        case JigsawSettings():
            return Jigsaw(settings, backbone, generator=generator)
        case RotationSettings():
            return Rotation(settings, backbone, generator=generator)
        case SimCLRSettings():
            return SimCLR(settings, backbone, generator=generator)
        case SplitBrainSettings():
            return SplitBrain(settings, backbone, generator=generator)
        case SupervisedSettings():
            return Supervised(settings, backbone, generator=generator, classes=classes)
