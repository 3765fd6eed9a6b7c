"""Recipes of the comparison systems: each fits two CPU cores and some minutes, on photos of 128 pixels."""

from collections.abc import Callable

from scenelift.adapt.config import TrainContent
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.colorization import ColorizationSettings
from scenelift.adapt.pretext.counting import CountingSettings
from scenelift.adapt.pretext.method import PretextSettings
from scenelift.adapt.pretext.rotation import RotationSettings
from scenelift.adapt.pretext.split_brain import SplitBrainSettings
from scenelift.datasets.geometry import Geometry

DESK_STEPS = 3000
LARGE = ("jigsaw", "context")
"""Systems that cut a picture into patches, and so learn from larger photos than the others."""


def recipes() -> list[tuple[str, Callable[[], TrainContent]]]:
    """List them: name and function."""
    return [
        ("rotation", rotation),
        ("colorization", colorization),
        ("split-brain", split_brain),
        ("counting", counting),
    ]


def rotation() -> TrainContent:
    """Return RotNet (Gidaris et al., ICLR 2018)."""
    return _desk(RotationSettings(), batch_size=16)


def colorization() -> TrainContent:
    """Return Colorization (Zhang et al., ECCV 2016)."""
    return _desk(ColorizationSettings(), batch_size=16)


def split_brain() -> TrainContent:
    """Return the split-brain autoencoder (Zhang et al., CVPR 2017)."""
    return _desk(SplitBrainSettings(), batch_size=16)


def counting() -> TrainContent:
    """Return Counting (Noroozi et al., ICCV 2017)."""
    return _desk(
        CountingSettings(),
        batch_size=16,
        learning_rate=5e-4,
        resize_px=144,
        crop_px=128,
        zoom=(0.9, 1.4),
    )


def _desk(
    task: TaskSettings,
    *,
    steps: int = DESK_STEPS,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    resize_px: int = 128,
    crop_px: int = 112,
    zoom: tuple[float, float] = (0.875, 1.4),
) -> TrainContent:
    """Return what the systems share, so that they differ in their task alone: network, crops, optimiser, steps."""
    return TrainContent(
        steps=steps,
        batch_size=batch_size,
        precision="auto",
        geometry=Geometry(resize_px=resize_px, crop_px=crop_px, flip=True, zoom=zoom),
        method=PretextSettings(
            task=task,
            optimiser=OptimiserSettings(
                name="adamw",
                learning_rate=learning_rate,
                betas=(0.9, 0.999),
                weight_decay=1e-4,
                schedule="cosine",
                warm_up=0.03,
            ),
            channels_last=True,
        ),
        validate_every=250,
        recalibrate_batches=0,
    )
