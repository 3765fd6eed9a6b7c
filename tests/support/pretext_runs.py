"""Self-supervised systems with small networks, pictures of noise for them, and what every one of them has to keep."""

from collections.abc import Callable, Sequence

import torch
from small_networks import generator_of

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.method import Pretext, PretextSettings


def noise_batch(count: int, *, side: int = 96, seed: int = 0) -> Batch:
    """Draw pictures of noise, each a sample of its own."""
    shape = (count, 3, side, side)
    image = torch.randint(0, 256, shape, generator=generator_of(seed), dtype=torch.uint8)
    return {"image": image, "sample_seed": torch.arange(count) + 1000 * seed}


def learner(task: TaskSettings, *, half: bool = False) -> Pretext:
    """Build a system that learns at a constant rate."""
    optimiser = OptimiserSettings(
        name="adamw", learning_rate=2e-3, betas=(0.9, 0.999), schedule="constant"
    )
    settings = PretextSettings(task=task, optimiser=optimiser)
    return Pretext(settings, seed=0, device=torch.device("cpu"), half=half)


def assert_resume_is_exact(make: Callable[[], Pretext], batches: Sequence[Batch]) -> None:
    """Stop a run after half of its batches, go on with another object, and compare with a run that was not stopped."""
    steps = len(batches)
    whole, first, second = make(), make(), make()
    for step, batch in enumerate(batches):
        whole.step({"real": batch}, clock=Clock(step=step, steps=steps))
    for step in range(steps // 2):
        first.step({"real": batches[step]}, clock=Clock(step=step, steps=steps))
    second.load_state_dict(first.state_dict())
    for step in range(steps // 2, steps):
        second.step({"real": batches[step]}, clock=Clock(step=step, steps=steps))
    parts = {**whole.networks(), "task": whole.task}
    others = {**second.networks(), "task": second.task}
    assert list(parts) == list(others)
    for name, part in parts.items():
        for key, tensor in part.state_dict().items():
            assert torch.equal(others[name].state_dict()[key], tensor), f"{name}: {key}"
