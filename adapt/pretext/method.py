"""A comparison system as a method: one pretext task on photos, or on rendered pictures without their labels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.backbones.backbone import Backbone, Taps
from scenelift.adapt.initialise import Init
from scenelift.adapt.method import (
    Batch,
    Clock,
    Features,
    NonFiniteLossError,
    StreamName,
)
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.optimise import OptimiserSettings, make_optimiser, set_rate
from scenelift.adapt.pretext.build import TaskSettings, build_task
from scenelift.adapt.pretext.rotation import RotationSettings
from scenelift.adapt.pretext.task import Pictures
from scenelift.adapt.ranks import average_gradients


@dataclass(frozen=True, kw_only=True, slots=True)
class PretextSettings:
    """A comparison system: its network, its task and its optimisers."""

    kind: Literal["pretext"] = "pretext"
    """Which method this is."""
    backbone: str = "alexnet-small"
    """Which network; `timm:NAME` for those of timm."""
    init: Init = "default"
    """How weights are drawn."""
    taps: Taps = "post"
    """Whether feature maps are taken after their ReLU or before."""
    source: Literal["real", "synthetic", "labelled"] = "real"
    """Where pictures come from: photos, rendered pictures (their labels are not looked at), or pictures with a class each."""
    task: TaskSettings = field(default_factory=RotationSettings)
    """The system and its own choices."""
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    """Of backbone and heads."""
    critic_optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    """Of a critic, where the system has one."""
    clip_norm: float | None = None
    """Greatest norm of the gradient of backbone and heads."""
    channels_last: bool = False
    """Memory format of the networks."""

    @property
    def sources(self) -> tuple[StreamName, ...]:
        """What data must be named."""
        return (self.source,)

    @property
    def reads_labels(self) -> bool:
        """Whether it looks at more of rendered pictures than their colours."""
        return False


class Pretext:
    """Backbone and task, and their optimisers; a `Method`."""

    def __init__(
        self,
        settings: PretextSettings,
        *,
        seed: int,
        device: torch.device,
        half: bool = False,
        classes: tuple[str, ...] = (),
    ) -> None:
        """Build the networks.

        Args:
            settings: What is wanted.
            seed: Of all weights.
            device: Where they live.
            half: Compute in bfloat16 where that is safe.
            classes: Names of the labels, for systems that learn from labels.

        Raises:
            ValueError: if a layer, a backbone or a choice is unknown or does not suit the system.
        """
        self.settings = settings
        self._device = device
        self._half = half
        generator = torch.Generator().manual_seed(seed)
        self.backbone: Backbone = build_backbone(
            settings.backbone, generator=generator, init=settings.init, taps=settings.taps
        )
        self.task = build_task(settings.task, self.backbone, generator=generator, classes=classes)
        memory = torch.channels_last if settings.channels_last else torch.contiguous_format
        for network in (self.backbone, self.task):
            network.to(device)
            network.to(memory_format=memory)
        self._optimiser = make_optimiser(self._own_parameters(), settings=settings.optimiser)
        critic = list(self.task.critic_parameters())
        self._critic_optimiser = (
            make_optimiser(critic, settings=settings.critic_optimiser) if critic else None
        )

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """The one source of pictures."""
        return (self.settings.source,)

    @property
    def input_normalisation(self) -> InputNormalisation:
        """What the backbone is fed."""
        return self.task.normalisation

    def step(self, batches: Mapping[StreamName, Batch], *, clock: Clock) -> dict[str, Tensor]:
        """Let the critic learn if there is one, then backbone and heads.

        Raises:
            NonFiniteLossError: if a loss is not a number.
        """
        self._set_modes(training=True)
        settings, batch = self.settings, batches[self.settings.source]
        scalars: dict[str, Tensor] = {}
        set_rate(self._optimiser, settings.optimiser.rate(clock))
        if self._critic_optimiser is not None:
            set_rate(self._critic_optimiser, settings.critic_optimiser.rate(clock))
            with self._autocast():
                critic_loss = self.task.critic_loss(self.backbone, batch)
            if critic_loss is not None:
                _check_finite(critic_loss, name="critic")
                self._critic_optimiser.zero_grad(set_to_none=True)
                critic_loss.backward()
                average_gradients(self.task.critic_parameters())
                self._critic_optimiser.step()
                scalars["loss/critic"] = critic_loss.detach()
        with self._autocast():
            loss, more = self.task.loss(self.backbone, batch, clock=clock)
        _check_finite(loss, name=settings.task.name)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        parameters = list(self._own_parameters())
        average_gradients(parameters)
        if settings.clip_norm is not None:
            scalars["gradient/norm"] = nn.utils.clip_grad_norm_(parameters, settings.clip_norm)
        self._optimiser.step()
        self.task.after_step(self.backbone, clock=clock)
        scalars["loss/task"] = loss.detach()
        scalars["lr/backbone"] = torch.tensor(settings.optimiser.rate(clock))
        return scalars | more

    @torch.no_grad()
    def validate(self, batches: Mapping[StreamName, Batch]) -> dict[str, Tensor]:
        """Return the task's figures on held-out pictures; `selection/score` is its loss."""
        self._set_modes(training=False)
        if self.settings.source not in batches:
            return {}
        with self._autocast():
            scalars = self.task.judge(self.backbone, batches[self.settings.source])
        return scalars | {"selection/score": scalars["loss/task"]}

    @torch.no_grad()
    def pictures(self, batches: Mapping[StreamName, Batch]) -> dict[str, Pictures]:
        """Show what the network saw and answered."""
        self._set_modes(training=False)
        if self.settings.source not in batches:
            return {}
        with self._autocast():
            return self.task.show(self.backbone, batches[self.settings.source])

    @property
    def captions(self) -> Mapping[str, tuple[str, ...]]:
        """What stands above the columns of the pictures."""
        return self.task.captions

    def networks(self) -> Mapping[str, nn.Module]:
        """Return backbone and heads."""
        return {"backbone": self.backbone, "heads": self.task}

    @torch.no_grad()
    def features(self, batch: Batch) -> Features:
        """Return the feature maps of a batch by the backbone as it is, in evaluation mode."""
        self._set_modes(training=False)
        pixels = network_input(batch["image"], normalisation=self.task.normalisation)
        features: Features = self.backbone(pixels)
        return features

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides how training goes on."""
        critic = self._critic_optimiser
        return {
            "backbone": self.backbone.state_dict(),
            "task": self.task.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "critic_optimiser": critic.state_dict() if critic is not None else {},
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it belongs to another configuration.
        """
        try:
            self.backbone.load_state_dict(state["backbone"])
            self.task.load_state_dict(state["task"])
            self._optimiser.load_state_dict(state["optimiser"])
            if self._critic_optimiser is not None:
                self._critic_optimiser.load_state_dict(state["critic_optimiser"])
        except (KeyError, RuntimeError) as error:
            cause = " ".join(str(error).split())[:200]
            raise ValueError(f"the state belongs to another configuration: {cause}") from error

    def _own_parameters(self) -> Iterator[nn.Parameter]:
        yield from self.backbone.parameters()
        yield from self.task.own_parameters()

    def _set_modes(self, *, training: bool) -> None:
        self.backbone.train(training)
        self.task.train(training)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._half)


def _check_finite(loss: Tensor, *, name: str) -> None:
    if not loss.isfinite():
        raise NonFiniteLossError(f"the loss of {name} is {loss.item()}")
