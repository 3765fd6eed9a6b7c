"""Recipes: functions that return whole configurations. A run's flags change single fields of one.

`paper` is what Ren and Lee (CVPR 2018) describe, `released` what their code does, bug for bug; the ablations are the rows of
their table. None of these was run to its end here: they want GPUs and a million frames. `desk` fits two CPU cores and twenty minutes.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import get_args

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.colour import ColourSettings
from scenelift.adapt.config import TrainContent
from scenelift.adapt.feature_alignment import FeatureAlignmentSettings
from scenelift.adapt.mgm import recipes as mgm
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext import recipes as pretext
from scenelift.adapt.tasks import Task
from scenelift.datasets.geometry import Geometry

EPOCHS, BATCH = 30, 224
"""Of the released configuration: epochs of the synthetic list, pictures of each domain in a step."""


def recipe(name: str) -> TrainContent:
    """Return the configuration of a recipe.

    Raises:
        ValueError: if there is none of that name; the message lists them.

    >>> recipe("paper").method.backbone
    'alexnet'
    """
    for known, make in recipes():
        if known == name:
            return replace(make(), recipe=name)
    raise ValueError(f"no recipe {name!r}; there are {', '.join(known for known, _ in recipes())}")


def recipes() -> list[tuple[str, Callable[[], TrainContent]]]:
    """List all recipes: name and function."""
    single = [(f"ablation-{task}", _single(task)) for task in get_args(Task)]
    layers = [
        (f"ablation-{name}", _aligned_at(layer))
        for name, layer in (
            ("conv1", "conv1"),
            ("conv2", "conv2"),
            ("conv5", "conv5"),
            ("conv6", "fc6"),
        )
    ]
    return [
        ("paper", paper),
        ("released", released),
        *single,
        ("ablation-three-tasks", three_tasks),
        *layers,
        ("ablation-conv5-1.5m", lambda: paper(million_frames=1.5)),
        ("desk", desk),
        ("demo", demo),
        *pretext.recipes(),
        *mgm.recipes(),
    ]


def paper(*, million_frames: float = 1.5) -> TrainContent:
    """Return the paper's system: group-less AlexNet, three tasks, the alternating game at conv5.

    The number of steps of the 0.5 M runs is not published; both sizes train for 30 epochs here.
    """
    return _paper(_paper_method(), million_frames=million_frames)


def released(*, million_frames: float = 1.5) -> TrainContent:
    """Return what the released code does where it departs from the paper: its losses, initialisation and discriminator."""
    critic = OptimiserSettings(name="sgd", learning_rate=1e-3, momentum=0.9, weight_decay=5e-4)
    method = replace(
        _paper_method(),
        init="released",
        losses="released",
        discriminator_norm="batch",
        colour=ColourSettings(grey="batch"),
        critic_optimiser=critic,
    )
    return replace(_paper(method, million_frames=million_frames), recalibrate_batches=0)


def three_tasks() -> TrainContent:
    """Return the paper's system of half a million frames without alignment."""
    return _paper(_unaligned(), million_frames=0.5)


def _paper(method: FeatureAlignmentSettings, *, million_frames: float) -> TrainContent:
    """Return the paper's schedule and geometry for a method."""
    return TrainContent(
        steps=round(EPOCHS * million_frames * 1e6 / BATCH),
        batch_size=BATCH,
        precision="fp32",
        geometry=Geometry(resize_px=256, crop_px=227),
        min_edge_pixels=350,
        method=method,
        validate_every=5000,
    )


def _paper_method() -> FeatureAlignmentSettings:
    return FeatureAlignmentSettings(
        backbone="alexnet",
        init="paper",
        colour=ColourSettings(grey="sample"),
        align=AlignmentConfig(method="adversarial", layers=("conv5",), weight=0.05),
    )


def _unaligned() -> FeatureAlignmentSettings:
    return replace(_paper_method(), align=AlignmentConfig(method="none"))


def _single(task: Task) -> Callable[[], TrainContent]:
    return lambda: _paper(replace(_unaligned(), tasks=(task,)), million_frames=0.5)


def _aligned_at(layer: str) -> Callable[[], TrainContent]:
    def make() -> TrainContent:
        method = _paper_method()
        align = replace(method.align, layers=(layer,))
        return _paper(replace(method, align=align), million_frames=0.5)

    return make


def desk() -> TrainContent:
    """Return a system for two CPU cores and twenty minutes: a narrow network on small crops, colours jittered alike.

    Many short steps, in bfloat16 where the processor has it, at a high rate that falls to nothing, and the running average of the weights: on photos it is
    3 degrees better than the last ones while the rate is high. Zoom: three thousand frames are soon known by heart.
    """
    return TrainContent(
        steps=6000,
        batch_size=32,
        precision="auto",
        geometry=Geometry(
            resize_px=128, crop_px=112, flip=True, zoom=(0.875, 1.4), jpeg_quality=(60, 95)
        ),
        method=FeatureAlignmentSettings(
            backbone="alexnet-small",
            colour=ColourSettings(
                grey="none",
                brightness=0.3,
                contrast=0.3,
                saturation=0.3,
                blur_probability=0.3,
                channels_last=True,
            ),
            align=AlignmentConfig(
                method="adversarial", layers=("conv5",), weight=0.05, ramp="dann"
            ),
            optimiser=OptimiserSettings(
                name="adamw",
                learning_rate=2e-3,
                betas=(0.9, 0.999),
                weight_decay=1e-4,
                schedule="cosine",
                warm_up=0.03,
            ),
        ),
        average=0.999,
        validate_every=250,
        select="last",
    )


def demo() -> TrainContent:
    """Return a minute's run that shows the workflow; nothing can be adapted in so short a time."""
    base = desk()
    return replace(
        base,
        steps=120,
        batch_size=16,
        geometry=replace(base.geometry, resize_px=96, crop_px=88, zoom=(0.92, 1.3)),
        validate_every=60,
        validation_batches=1,
        recalibrate_batches=8,
    )
