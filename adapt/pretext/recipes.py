"""Recipes of the comparison systems: each fits two CPU cores and some minutes, on photos of 128 or 168 pixels."""

from collections.abc import Callable

from scenelift.adapt.config import TrainContent
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.context import ContextSettings
from scenelift.adapt.pretext.jigsaw import JigsawSettings
from scenelift.adapt.pretext.method import PretextSettings
from scenelift.adapt.pretext.rotation import RotationSettings
from scenelift.datasets.geometry import Geometry

DESK_STEPS = 3000
LARGE = ("jigsaw", "context")
"""Systems that cut a picture into patches, and so learn from larger photos than the others."""


def recipes() -> list[tuple[str, Callable[[], TrainContent]]]:
    """List them: name and function."""
    return [("rotation", rotation), ("jigsaw", jigsaw), ("context", context)]


def rotation() -> TrainContent:
    """Return RotNet (Gidaris et al., ICLR 2018)."""
    return _desk(RotationSettings(), batch_size=16)


def jigsaw() -> TrainContent:
    """Return Noroozi and Favaro's (ECCV 2016) on photos whose shorter side has 168 pixels, as those of PASCAL VOC here."""
    return _desk(
        JigsawSettings(fc6=128, fc7=(512,)),
        resize_px=168,
        crop_px=168,
        zoom=(1.0, 1.2),
    )


def context() -> TrainContent:
    """Return Doersch et al.'s (ICCV 2015) on the same photos; patches of 34 pixels keep a map at stride 2 in conv1."""
    return _desk(
        ContextSettings(fc6=256, fc7=(256,), conv1_stride=2),
        resize_px=168,
        crop_px=168,
        zoom=(1.0, 1.2),
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
