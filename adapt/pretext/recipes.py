"""Recipes of the comparison systems: each fits two CPU cores and some minutes, on photos of 128 pixels."""

from collections.abc import Callable
from dataclasses import replace

from scenelift.adapt.config import TrainContent
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.byol import FIRST, SECOND, BYOLSettings
from scenelift.adapt.pretext.initialised import (
    DataDependentRule,
    GaussianRule,
    InitialisedSettings,
)
from scenelift.adapt.pretext.method import PretextSettings
from scenelift.adapt.pretext.rotation import RotationSettings
from scenelift.adapt.pretext.simclr import SimCLRSettings
from scenelift.adapt.pretext.supervised import SupervisedSettings
from scenelift.adapt.pretext.views import ViewSettings
from scenelift.datasets.geometry import Geometry

DESK_STEPS = 3000
LARGE = ("jigsaw", "context")
"""Systems that cut a picture into patches, and so learn from larger photos than the others."""


def recipes() -> list[tuple[str, Callable[[], TrainContent]]]:
    """List them: name and function."""
    return [
        ("rotation", rotation),
        ("simclr", simclr),
        ("byol", byol),
        ("imagenet", imagenet),
        ("gaussian", gaussian),
        ("krahenbuhl", krahenbuhl),
    ]


def rotation() -> TrainContent:
    """Return RotNet (Gidaris et al., ICLR 2018)."""
    return _desk(RotationSettings(), batch_size=16)


def simclr() -> TrainContent:
    """Return SimCLR (Chen et al., ICML 2020): milder crops and half the strength of colour, as published for small pictures."""
    views = ViewSettings(
        side_px=80, area=(0.2, 1.0), brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1
    )
    return _desk(SimCLRSettings(views=views), batch_size=48, crop_px=128, zoom=(1.0, 1.0))


def byol() -> TrainContent:
    """Return BYOL (Grill et al., NeurIPS 2020): milder crops, and a slow copy that follows within some hundred steps."""
    first, second = (replace(views, side_px=80, area=(0.2, 1.0)) for views in (FIRST, SECOND))
    return _desk(
        BYOLSettings(first=first, second=second, momentum=0.98),
        batch_size=48,
        crop_px=128,
        zoom=(1.0, 1.0),
    )


def imagenet() -> TrainContent:
    """Return supervised learning of the classes of --labelled, the comparison with ImageNet's labels."""
    content = _desk(SupervisedSettings(), batch_size=64, resize_px=104, crop_px=96)
    return replace(content, method=replace(content.method, source="labelled"))


def gaussian() -> TrainContent:
    """Return the untrained network of N(0, 0.01)."""
    return _untrained(GaussianRule())


def krahenbuhl() -> TrainContent:
    """Return data-dependent initialisation (Krähenbühl et al., ICLR 2016), k-means filters, on 160 pictures."""
    return _untrained(DataDependentRule())


def _untrained(rule: GaussianRule | DataDependentRule) -> TrainContent:
    return TrainContent(
        steps=1,
        batch_size=160,
        precision="fp32",
        geometry=Geometry(resize_px=128, crop_px=112),
        method=InitialisedSettings(rule=rule),
        validate_every=1,
        recalibrate_batches=0,
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
