"""How long the runs of a plan will take, from a few steps of each kind on made-up batches: no data and no other run is needed."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.networks import Facts
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.benchmarks.experiments.mgm_plan import GAN, Plan
from scenelift.benchmarks.experiments.runs import ExperimentError, Run

_WARM_UP, _TIMED = 1, 4
_OVERHEAD = 1.15
"""Reading, validation, pictures and checkpoints beside the steps."""
MIN_STEPS = 20
_JUDGING_S = 10.0
"""Of the test frames, for each run."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What each kind of run costs."""

    counts: Mapping[str, int]
    """Runs by recipe."""
    step_s: Mapping[str, float]
    """Processor seconds of a step by recipe."""

    @property
    def runs(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def total_s(self, *, steps: int, gan_steps: int) -> float:
        """Return the processor seconds of all runs and of judging them."""
        return _JUDGING_S * self.runs + _OVERHEAD * sum(
            self.counts[name] * each * (gan_steps if name == GAN else steps)
            for name, each in self.step_s.items()
        )

    def steps_within(self, seconds: float) -> int:
        """Return how many steps, the same for runs and pre-training, fit; two digits of it count.

        Raises:
            ExperimentError: if too few do to learn anything.
        """
        each = self.total_s(steps=1, gan_steps=1) - self.total_s(steps=0, gan_steps=0)
        steps = int((seconds - self.total_s(steps=0, gan_steps=0)) / each)
        if steps < MIN_STEPS:
            raise ExperimentError(
                f"{seconds / 60:.0f} min leave {max(steps, 0)} steps for each of {self.runs} runs: give more --minutes, or fewer "
                "--methods, --shares or --seeds"
            )
        rounded: int = 10 ** max(len(str(steps)) - 2, 0)
        return steps // rounded * rounded


def forecast(plan: Plan, *, num_scenes: int, num_classes: int) -> Forecast:
    """Time a few steps of each recipe, by the processor's clock, so that others' work does not count.

    Args:
        plan: The runs.
        num_scenes: Scene classes of the data.
        num_classes: Semantic classes.
    """
    by_recipe: dict[str, list[Run]] = {}
    for run in plan.runs:
        by_recipe.setdefault(run.content.recipe, []).append(run)
    return Forecast(
        counts={name: len(runs) for name, runs in by_recipe.items()},
        step_s={
            name: step_s(runs[0], num_scenes=num_scenes, num_classes=num_classes)
            for name, runs in by_recipe.items()
        },
    )


def step_s(run: Run, *, num_scenes: int, num_classes: int) -> float:
    """Return the processor seconds of one step. An annotator is timed as a refinement network, which costs about as much."""
    content = run.content
    settings = content.method
    if not isinstance(settings, MgmSettings):
        raise TypeError(f"{run.name} is no run of this method")
    settings = replace(settings, gan_from=None)
    if settings.further_labels == "annotator":
        settings = replace(settings, further_labels="none", annotator=None, refinement="both")
    side = content.geometry.crop_px
    facts = Facts(
        scenes=tuple(str(number) for number in range(num_scenes)),
        semantic_classes=tuple(str(number) for number in range(num_classes)),
        size_px=side,
    )
    method = Mgm(settings, facts=facts, seed=0, device=torch.device("cpu"))
    batch = _made_up(content.batch_size, side, num_scenes=num_scenes, num_classes=num_classes)
    batches: Mapping[str, Batch] = dict.fromkeys(method.streams, batch)
    began = 0.0
    for step in range(_WARM_UP + _TIMED):
        if step == _WARM_UP:
            began = time.process_time()
        method.step(batches, clock=Clock(step=step, steps=content.steps))
    return (time.process_time() - began) / _TIMED


def _made_up(count: int, side: int, *, num_scenes: int, num_classes: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def whole(most: int, *shape: int) -> Tensor:
        return torch.randint(most, (count, *shape), generator=generator)

    return {
        "image": whole(256, 3, side, side).to(torch.uint8),
        "sample_seed": torch.arange(count),
        "semantic": whole(num_classes + 1, side, side),
        "z_depth_m": 1 + whole(4, 1, side, side).float(),
        "normal": torch.nn.functional.normalize(1 + whole(4, 3, side, side).float(), dim=1),
        "valid": torch.ones(count, 1, side, side, dtype=torch.bool),
        "label": whole(num_scenes),
    }
