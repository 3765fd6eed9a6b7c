"""Batches of pictures that differ in what survives a random view, and what every pretext task must do with them."""

import torch
from jaxtyping import UInt8
from torch import Tensor

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.method import Pretext, PretextSettings

CPU = torch.device("cpu")


def noise_batch(*, count: int = 6, side: int = 48, seed: int = 0, classes: int = 3) -> Batch:
    """Pictures of noise with seeds and labels."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, 3, side, side)
    return {
        "image": torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8),
        "sample_seed": torch.arange(count) + 1000 * seed,
        "label": torch.arange(count) % classes,
    }


def striped_batch(*, count: int = 8, side: int = 48, seed: int = 0) -> Batch:
    """Each picture has stripes of its own colour and direction over a little noise: picture k's are the same in every batch."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.arange(count)
    colours = torch.rand(count, 3, 1, 1, generator=torch.Generator().manual_seed(9)) * 150 + 50
    line = torch.arange(side, dtype=torch.float32)
    angle = (kind * 3.1416 / count)[:, None, None]
    phase = torch.rand(count, 1, 1, generator=generator) * 6
    wave = torch.sin(
        0.8 * (angle.cos() * line[None, None] + angle.sin() * line[None, :, None]) + phase
    )
    noise = torch.randn(count, 3, side, side, generator=generator) * 6
    image = (colours + 50 * wave[:, None] + noise).clamp(0, 255).to(torch.uint8)
    return {"image": image, "sample_seed": kind + 100 * seed, "label": kind}


def method_of(
    task: TaskSettings,
    *,
    learning_rate: float = 1e-3,
    classes: tuple[str, ...] = (),
    half: bool = False,
    backbone: str = "alexnet-small",
) -> Pretext:
    """A system on a small network, with a constant rate."""
    optimiser = OptimiserSettings(
        name="adamw", learning_rate=learning_rate, betas=(0.9, 0.999), schedule="constant"
    )
    settings = PretextSettings(
        task=task, optimiser=optimiser, backbone=backbone, channels_last=True
    )
    return Pretext(settings, seed=0, device=CPU, classes=classes, half=half)


def learn(method: Pretext, *, steps: range, total: int = 4, striped: bool = False) -> None:
    """Take the steps of a run of `total`."""
    for step in steps:
        batch = striped_batch(seed=step) if striped else noise_batch(seed=step)
        method.step({method.settings.source: batch}, clock=Clock(step=step, steps=total))


def resumed_equals_uninterrupted(task: TaskSettings, *, classes: tuple[str, ...] = ()) -> bool:
    """Whether a run that goes on from a state has the same bits as one that never stopped."""
    through, first, second = (method_of(task, classes=classes) for _ in range(3))
    learn(through, steps=range(4))
    learn(first, steps=range(2))
    second.load_state_dict(first.state_dict())
    learn(second, steps=range(2, 4))
    states = [
        {
            **method.backbone.state_dict(),
            **{f"task.{k}": v for k, v in method.task.state_dict().items()},
        }
        for method in (through, second)
    ]
    start = method_of(task, classes=classes).backbone.state_dict()
    moved = any(not torch.equal(value, states[0][name]) for name, value in start.items())
    return moved and all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def photo_like(*, count: int, side: int, seed: int = 0) -> UInt8[Tensor, "n 3 h w"]:
    """Smooth random pictures, whose power falls with frequency as that of photos does."""
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.fft.fftfreq(side)
    size = (frequency[:, None] ** 2 + frequency[None] ** 2).sqrt().clamp(min=1 / side)
    noise = torch.fft.fft2(torch.randn(count, 3, side, side, generator=generator)) / size
    values: Tensor = torch.fft.ifft2(noise).real
    values = values / values.std(dim=(1, 2, 3), keepdim=True)
    pictures: Tensor = (128 + 50 * values).clamp(0, 255).to(torch.uint8)
    return pictures
