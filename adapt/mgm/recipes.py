"""Recipes of multi-task oriented generative modelling and its baselines, on frames with dense labels (`--labelled`).

All but `mgm-paper` are for two CPU cores: pictures of 64 pixels, a narrow encoder, answers at every second pixel and a GAN of a
sixteenth of the released width.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.config import TrainContent
from scenelift.adapt.mgm.diff_augment import DiffAugmentSettings
from scenelift.adapt.mgm.gan.gan import GanSettings
from scenelift.adapt.mgm.settings import TASKS, DenseTask, GameSettings, MgmSettings
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.datasets.geometry import Geometry

STEPS, GAN_STEPS = 3000, 1500
"""Joint steps, and those of generator and discriminator alone before them."""


_QUICK = OptimiserSettings(name="adam", learning_rate=5e-4, betas=(0.0, 0.9), schedule="cosine")
_GAME = GameSettings(
    rounds=1,
    augment=DiffAugmentSettings(),
    average=0.99,
    generator_optimiser=_QUICK,
    discriminator_optimiser=_QUICK,
)
"""At the released rates the discriminator told all pictures apart within 30 steps."""


def recipes() -> list[tuple[str, Callable[[], TrainContent]]]:
    """List them: name and function."""
    return [
        ("mgm-gan", gan),
        *((f"mgm-st-{task}", partial(multi_task, (task,))) for task in TASKS),
        ("mgm-mt", multi_task),
        ("mgm-st-g", generated),
        ("mgm-st-refine", refined),
        ("mgm-st-self", self_supervised),
        ("mgm", mgm),
        ("mgm-light", light),
        ("mgm-rendered", rendered),
        ("mgm-rendered-align", partial(rendered, align=True)),
        ("mgm-rendered-weak", partial(rendered, labels=False)),
        ("mgm-rendered-weak-align", partial(rendered, labels=False, align=True)),
        ("mgm-paper", paper),
    ]


def mgm() -> TrainContent:
    """Return the whole method: generator and discriminator alone for the first steps, then everything."""
    return _with_gan(MgmSettings())


def gan() -> TrainContent:
    """Return generator and discriminator alone, for other runs' `gan_from`; the exported encoder keeps its first weights."""
    settings = MgmSettings(tasks=(), refinement="none", self_supervision="none", condition=False)
    return _desk(settings, steps=GAN_STEPS)


def multi_task(tasks: tuple[DenseTask, ...] = TASKS) -> TrainContent:
    """Return the network on labels alone: three tasks are MT, one is ST."""
    return _desk(_plain(tasks))


def generated(task: DenseTask = "segmentation") -> TrainContent:
    """Return one task on labels and on generated pictures that a network trained on all labels annotates (ST_G).

    That network's run is `--method.annotator`, without which the run does not start.
    """
    return _with_gan(replace(_resting_gan((task,)), further_labels="annotator"))


def refined(task: DenseTask = "segmentation") -> TrainContent:
    """Return one task, with the refinement network on labelled and generated pictures (ST+Refine)."""
    return _with_gan(replace(_resting_gan((task,)), refinement="both"))


def self_supervised(task: DenseTask = "segmentation") -> TrainContent:
    """Return one task, with self-supervision on labelled and generated pictures (ST+Self)."""
    return _with_gan(replace(_resting_gan((task,)), self_supervision="both"))


def light() -> TrainContent:
    """Return the method with given pictures (`--images`) in the place of generated ones (MGM light)."""
    return _desk(MgmSettings(further="images"))


def rendered(*, labels: bool = True, align: bool = False) -> TrainContent:
    """Return three tasks on labelled frames and on rendered ones (`--images synth.h5`).

    Args:
        labels: Whether the rendered frames' exact labels are learnt from; else refinement and self-supervision stand in for them.
        align: Whether a critic brings the features of both domains together.
    """
    settings = (
        replace(_plain(TASKS), further="images", further_labels="exact")
        if labels
        else MgmSettings(further="images")
    )
    if align:
        critic = AlignmentConfig(method="adversarial", layers=("layer4",), weight=0.05, ramp="dann")
        settings = replace(settings, align=critic)
    return _desk(settings)


def paper() -> TrainContent:
    """Return the release's configuration: widths, sizes, order, optimisers; 300 epochs of the 580 frames it learnt from.

    It wants a GPU and days; its shapes are tested here, nothing is known of its figures.
    """
    gan_steps, steps = 500 * 18, 300 * 18
    return TrainContent(
        steps=gan_steps + steps,
        batch_size=32,
        geometry=Geometry(resize_px=128, crop_px=128),
        method=MgmSettings(gan_steps=gan_steps, relu_logits=True, statistics="all"),
        validate_every=500,
        recalibrate_batches=0,
    )


def _plain(tasks: tuple[DenseTask, ...]) -> MgmSettings:
    return MgmSettings(tasks=tasks, refinement="none", self_supervision="none", further="none")


def _resting_gan(tasks: tuple[DenseTask, ...]) -> MgmSettings:
    """Return settings in which a generator rests in the joint steps, and nothing else differs from labels alone."""
    return replace(
        _plain(tasks), further="gan", gan_joint=False, condition=False, fake_from="average"
    )


def _with_gan(settings: MgmSettings) -> TrainContent:
    return _desk(replace(settings, gan_steps=GAN_STEPS), steps=GAN_STEPS + STEPS)


def _desk(settings: MgmSettings, *, steps: int = STEPS) -> TrainContent:
    """Return what all share, so that they differ in their switches alone: sizes, crops, optimisers, steps."""
    falling = OptimiserSettings(
        name="adam", learning_rate=5e-3, betas=(0.9, 0.999), weight_decay=1e-4, schedule="cosine"
    )
    return TrainContent(
        steps=steps,
        batch_size=16,
        precision="auto",
        geometry=Geometry(resize_px=72, crop_px=64, flip=True, zoom=(0.9, 1.3)),
        method=replace(
            settings,
            backbone="mgm-resnet-small",
            decoder_width=0.25,
            answer_stride=2,
            refinement_width=0.125,
            # Attention, half the time of both players, is left out.
            gan=GanSettings(width=0.0625, attention=False, norm_momentum=0.1),
            game=_GAME,
            channels_last=True,
            optimiser=falling,
            refinement_optimiser=replace(falling, learning_rate=1e-2),
            middle_optimiser=replace(falling, weight_decay=0.0),
        ),
        validate_every=250,
        recalibrate_batches=0,
    )
