"""Pictures whose colours follow from their lightness, and short runs of a pretext system on them."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import from_lab
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.method import Pretext, PretextSettings


def planted(*, seed: int, count: int = 8, side: int = 64) -> Batch:
    """Soft blobs: what is dark is blue, what is bright is orange."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 2, 2, generator=generator)
    share = F.interpolate(coarse, size=(side, side), mode="bilinear")
    lab = torch.cat([25 + 50 * share, -10 + 40 * share, -50 + 100 * share], dim=1)
    image = (from_lab(lab) * 255).round().to(torch.uint8)
    return {"image": image, "sample_seed": torch.arange(count) + 100 * seed}


def make(
    task: TaskSettings,
    *,
    backbone: str = "alexnet-small",
    seed: int = 0,
    half: bool = False,
    learning_rate: float = 2e-3,
    weight_decay: float = 1e-4,
    name: str = "adamw",
) -> Pretext:
    """A system on the CPU with a constant learning rate."""
    optimiser = OptimiserSettings(
        name="sgd" if name == "sgd" else "adamw",
        learning_rate=learning_rate,
        betas=(0.9, 0.999),
        weight_decay=weight_decay,
        schedule="constant",
    )
    settings = PretextSettings(backbone=backbone, task=task, optimiser=optimiser)
    return Pretext(settings, seed=seed, device=torch.device("cpu"), half=half)


def learn(method: Pretext, steps: Iterable[int], *, side: int = 64) -> dict[str, Tensor]:
    """Take steps, each on pictures of its own, and return the last one's figures."""
    told: dict[str, Tensor] = {}
    for step in steps:
        batch = planted(seed=step, side=side)
        told = method.step({"real": batch}, clock=Clock(step=step, steps=100))
    return told


def bits(state: Any) -> list[bytes]:
    """Every tensor and number of a state as bytes."""
    match state:
        case dict():
            return [part for key in sorted(state, key=str) for part in bits(state[key])]
        case list() | tuple():
            return [part for value in state for part in bits(value)]
        case Tensor():
            return [state.detach().contiguous().numpy().tobytes()]
        case _:
            return [str(state).encode()]


def resumed_alike(task: TaskSettings, *, side: int = 64) -> bool:
    """Whether two steps, a new process's objects and two more steps end in the bits of four steps."""
    whole = make(task)
    learn(whole, range(4), side=side)
    first = make(task)
    learn(first, range(2), side=side)
    second = make(task, seed=1)
    second.load_state_dict(first.state_dict())
    learn(second, range(2, 4), side=side)
    return bits(whole.state_dict()) == bits(second.state_dict())
