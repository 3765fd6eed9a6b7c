"""How long the runs of a plan will take, from a few steps of each kind on made-up batches: no data and no other run is needed."""

import time
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.networks import Facts
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.benchmarks.experiments.mgm_plan import Plan
from scenelift.benchmarks.experiments.runs import Run

_WARM_UP, _TIMED = 1, 4
_OVERHEAD = 1.15
"""Reading, validation, pictures and checkpoints beside the steps."""
_JUDGING_S = 12.0
"""Of the test frames, for each run."""


def forecast_s(plan: Plan, *, num_scenes: int, num_classes: int) -> Mapping[str, tuple[int, float]]:
    """Time the steps of each recipe.

    Args:
        plan: The runs.
        num_scenes: Scene classes of the data.
        num_classes: Semantic classes.

    Returns:
        By recipe: how many runs, and seconds of one of them, on one thread of this machine as it is now.
    """
    by_recipe: dict[str, list[Run]] = {}
    for run in plan.runs:
        by_recipe.setdefault(run.content.recipe, []).append(run)
    found = {}
    for name, runs in by_recipe.items():
        each = step_s(runs[0], num_scenes=num_scenes, num_classes=num_classes)
        found[name] = (len(runs), _OVERHEAD * runs[0].content.steps * each + _JUDGING_S)
    return found


def step_s(run: Run, *, num_scenes: int, num_classes: int) -> float:
    """Return the seconds of one step. An annotator is timed as a refinement network, which costs about as much."""
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
            began = time.perf_counter()
        method.step(batches, clock=Clock(step=step, steps=content.steps))
    return (time.perf_counter() - began) / _TIMED


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
