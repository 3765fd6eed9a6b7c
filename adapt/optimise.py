"""Optimisers and their schedules, from settings."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from scenelift.adapt.method import Clock


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimiserSettings:
    """How parameters follow their gradients."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    """The rule."""
    learning_rate: float = 1e-3
    """Before any decay."""
    betas: tuple[float, float] = (0.5, 0.999)
    """Of Adam."""
    momentum: float = 0.9
    """Of SGD."""
    weight_decay: float = 0.0
    """On weights of two dimensions and more; biases and norms are spared."""
    schedule: Literal["steps", "cosine", "constant"] = "steps"
    """steps: a tenth at each milestone; cosine: down to nothing."""
    milestones: tuple[float, ...] = (0.6, 0.9)
    """Shares of the run at which `steps` divides by ten; 18 and 27 of 30 epochs in the released code."""
    warm_up: float = 0.0
    """Share of the run in which the rate rises from nothing."""

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")
        if not 0 <= self.warm_up < 1:
            raise ValueError(f"warm_up must be at least 0 and below 1, got {self.warm_up}")

    def rate(self, clock: Clock) -> float:
        """Return the learning rate at a step.

        >>> OptimiserSettings().rate(Clock(step=60, steps=100))
        0.0001
        """
        rate = self.learning_rate
        if self.schedule == "steps":
            rate *= 0.1 ** sum(clock.progress >= milestone for milestone in self.milestones)
        elif self.schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * clock.progress))
        if self.warm_up > 0:
            rate *= min(1.0, (clock.step + 1) / max(self.warm_up * clock.steps, 1.0))
        return rate


def make_optimiser(
    parameters: Iterable[nn.Parameter], *, settings: OptimiserSettings
) -> torch.optim.Optimizer:
    """Make an optimiser in which only matrices and kernels decay."""
    all_parameters = list(parameters)
    groups = [
        {
            "params": [p for p in all_parameters if p.dim() >= 2],
            "weight_decay": settings.weight_decay,
        },
        {"params": [p for p in all_parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.name == "sgd":
        return torch.optim.SGD(groups, lr=settings.learning_rate, momentum=settings.momentum)
    adam = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    # One kernel for all tensors: with many small ones five times as fast as one after the other.
    fused = all(p.device.type in ("cpu", "cuda") for p in all_parameters)
    return adam(groups, lr=settings.learning_rate, betas=settings.betas, fused=fused)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give all groups one learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate
