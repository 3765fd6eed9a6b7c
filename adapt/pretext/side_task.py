"""A pretext task beside other tasks: its loss on photos joins theirs, outside their balance."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.method import Batch, Clock, NonFiniteLossError
from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.optimise import OptimiserSettings, make_optimiser, set_rate
from scenelift.adapt.pretext.bigan import BiGANSettings
from scenelift.adapt.pretext.build import TaskSettings, build_task
from scenelift.adapt.pretext.byol import BYOLSettings
from scenelift.adapt.pretext.colorization import ColorizationSettings
from scenelift.adapt.pretext.context import ContextSettings
from scenelift.adapt.pretext.context_encoder import ContextEncoderSettings
from scenelift.adapt.pretext.counting import CountingSettings
from scenelift.adapt.pretext.jigsaw import JigsawSettings
from scenelift.adapt.pretext.rotation import RotationSettings
from scenelift.adapt.pretext.simclr import SimCLRSettings
from scenelift.adapt.pretext.task import Pictures, PretextTask
from scenelift.adapt.ranks import average_gradients

SideTaskName = Literal[
    "none",
    "bigan",
    "byol",
    "colorization",
    "context",
    "context-encoder",
    "counting",
    "jigsaw",
    "rotation",
    "simclr",
]
"""The systems that can share a backbone with other tasks; split-brain cannot, for it cuts the backbone in two."""


class SideTask(nn.Module):
    """One system on a shared backbone, and the optimiser of its critic if it has one."""

    task: PretextTask

    def __init__(
        self,
        name: SideTaskName,
        *,
        weight: float,
        backbone: Backbone,
        normalisation: InputNormalisation,
        critic: OptimiserSettings,
        generator: torch.Generator,
    ) -> None:
        """Build its heads.

        Args:
            name: Which system, with its default settings; those that sort patches have narrow heads and leave conv1 its stride.
            weight: Of its loss.
            backbone: The shared network.
            normalisation: What that network is fed by the other tasks.
            critic: How a critic learns.
            generator: Where weights are drawn from.

        Raises:
            ValueError: if the system wants a backbone of its own, or cannot work on this one.
        """
        super().__init__()
        self.task = build_task(_settings(name), backbone, generator=generator)
        if self.task.alters_backbone:
            raise ValueError(f"{name} changes its backbone and cannot stand beside other tasks")
        self.task.normalisation = _shared(self.task.normalisation, normalisation)
        self.name = name
        self._weight = weight
        self._critic_settings = critic
        parameters = list(self.task.critic_parameters())
        self._critic_optimiser = make_optimiser(parameters, settings=critic) if parameters else None

    def teach_critic(self, backbone: Backbone, batch: Batch, *, clock: Clock) -> dict[str, Tensor]:
        """Let the critic learn, if there is one; return its loss to log."""
        if self._critic_optimiser is None:
            return {}
        loss = self.task.critic_loss(backbone, batch)
        if loss is None:
            return {}
        if not loss.isfinite():
            raise NonFiniteLossError(f"the loss of the critic of {self.name} is {loss.item()}")
        set_rate(self._critic_optimiser, self._critic_settings.rate(clock))
        self._critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        average_gradients(self.task.critic_parameters())
        self._critic_optimiser.step()
        return {f"loss/{self.name}_critic": loss.detach()}

    def term(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the weighted loss, and the scalars to log.

        Raises:
            NonFiniteLossError: if it is not a number.
        """
        loss, scalars = self.task.loss(backbone, batch, clock=clock)
        if not loss.isfinite():
            raise NonFiniteLossError(f"the loss of {self.name} is {loss.item()}")
        return self._weight * loss, scalars | {f"loss/{self.name}": loss.detach()}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return the system's figures on held-out photos; its loss bears its name."""
        scalars = self.task.judge(backbone, batch)
        return {
            f"loss/{self.name}" if name == "loss/task" else name: value
            for name, value in scalars.items()
        }

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show what the network saw and answered."""
        return self.task.show(backbone, batch)

    def optimiser_state(self) -> dict[str, Any]:
        """Return the state of the critic's optimiser; empty without one."""
        return self._critic_optimiser.state_dict() if self._critic_optimiser is not None else {}

    def load_optimiser_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the critic's optimiser."""
        if self._critic_optimiser is not None:
            self._critic_optimiser.load_state_dict(dict(state))


def _settings(name: SideTaskName) -> TaskSettings:
    match name:
        case "bigan":
            return BiGANSettings(drawn_px=32, width=32, hidden=512)
        case "byol":
            return BYOLSettings()
        case "colorization":
            return ColorizationSettings()
        case "context-encoder":
            return ContextEncoderSettings(decoder_widths=(64, 64, 32, 16))
        case "counting":
            return CountingSettings()
        case "rotation":
            return RotationSettings()
        case "simclr":
            return SimCLRSettings()
        case "jigsaw":
            return JigsawSettings(conv1_stride=None, fc6=128, fc7=(512,))
        case "context":
            return ContextSettings(conv1_stride=None, fc6=256, fc7=(256,))
        case "none":
            raise ValueError("no task is called none")


def _shared(own: InputNormalisation, others: InputNormalisation) -> InputNormalisation:
    """Feed a task's colours at the scale that the shared network knows: lightness as the grey that it is."""
    if own.space == "rgb":
        return others
    white = 100.0  # its L*
    red, green, blue = others.mean
    wide_red, wide_green, wide_blue = others.std
    return replace(
        own,
        mean=(white * red, white * green, white * blue),
        std=(white * wide_red, white * wide_green, white * wide_blue),
    )
