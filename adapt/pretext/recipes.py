"""Recipes of the comparison systems: each fits two CPU cores and some minutes, on photos of 128 or 168 pixels."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from scenelift.adapt.config import TrainContent
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.bigan import BiGANSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.byol import FIRST, SECOND, BYOLSettings
from scenelift.adapt.pretext.colorization import ColorizationSettings
from scenelift.adapt.pretext.context import ContextSettings
from scenelift.adapt.pretext.context_encoder import ContextEncoderSettings
from scenelift.adapt.pretext.counting import CountingSettings
from scenelift.adapt.pretext.initialised import (
    DataDependentRule,
    GaussianRule,
    InitialisedSettings,
)
from scenelift.adapt.pretext.jigsaw import JigsawSettings
from scenelift.adapt.pretext.method import PretextSettings
from scenelift.adapt.pretext.rotation import RotationSettings
from scenelift.adapt.pretext.simclr import SimCLRSettings
from scenelift.adapt.pretext.split_brain import SplitBrainSettings
from scenelift.adapt.pretext.supervised import SupervisedSettings
from scenelift.adapt.pretext.views import ViewSettings
from scenelift.datasets.geometry import Geometry

DESK_STEPS = 3000
LARGE = ("jigsaw", "context")
"""Systems that cut a picture into patches, and so learn from larger photos than the others."""


def recipes() -> list[tuple[str, Callable[[], TrainContent]]]:
    """List them: name and function."""
    return [
        ("gaussian", gaussian),
        ("krahenbuhl", krahenbuhl),
        ("imagenet", imagenet),
        ("context", context),
        ("jigsaw", jigsaw),
        ("context-encoder", context_encoder),
        ("context-encoder-adversarial", context_encoder_adversarial),
        ("colorization", colorization),
        ("split-brain", split_brain),
        ("bigan", bigan),
        ("counting", counting),
        ("rotation", rotation),
        ("simclr", simclr),
        ("byol", byol),
    ]


def gaussian() -> TrainContent:
    """Return the untrained network of N(0, 0.01)."""
    return _untrained(GaussianRule())


def krahenbuhl() -> TrainContent:
    """Return data-dependent initialisation (Krähenbühl et al., ICLR 2016), k-means filters, on 160 pictures."""
    return _untrained(DataDependentRule())


def imagenet() -> TrainContent:
    """Return supervised learning of the classes of --labelled, the comparison with ImageNet's labels.

    Sizes suit Tiny-ImageNet, whose pictures have 64 pixels, and are enough for MiniPlaces.
    """
    return _desk(
        SupervisedSettings(),
        source="labelled",
        batch_size=48,
        resize_px=80,
        crop_px=72,
        zoom=(0.9, 1.4),
    )


def context() -> TrainContent:
    """Return Doersch et al.'s (ICCV 2015): patches of 38 pixels, which keep a map at stride 2 in conv1.

    Colours are projected, not dropped, and patches are nearly a third of the side: so short a run learns little else. The least
    pixels of a pixelated patch are 100, as published.
    """
    return _desk(
        ContextSettings(
            patch=0.3,
            colour="project",
            least_pixels=100 / 38**2,
            fc6=256,
            fc7=(256,),
            conv1_stride=2,
        ),
        batch_size=48,
        resize_px=136,
        crop_px=128,
        zoom=(1.0, 1.2),
    )


def jigsaw() -> TrainContent:
    """Return Noroozi and Favaro's (ECCV 2016): 24 permutations and tiles of 32 pixels, so that a short run solves some."""
    return _desk(
        JigsawSettings(permutations=24, fc6=128, fc7=(512,)),
        batch_size=48,
        learning_rate=1e-3,
        resize_px=136,
        crop_px=128,
        zoom=(1.0, 1.2),
    )


def context_encoder() -> TrainContent:
    """Return the context encoder (Pathak et al., CVPR 2016) as its features were learnt: by reconstruction alone.

    On MiniPlaces, seed 0, after 500 of 600 steps: 14.3 dB in the hidden part, the mean colour 11.1, a smooth fill 17.0.
    """
    return _desk(ContextEncoderSettings(decoder_widths=(64, 64, 32, 16)), steps=1000, batch_size=16)


def context_encoder_adversarial() -> TrainContent:
    """Return the context encoder with its critic: encoder and decoder learn ten times as fast as the critic, as published."""
    base = _desk(
        ContextEncoderSettings(decoder_widths=(64, 64, 32, 16), adversarial=0.001, critic_width=16),
        steps=1000,
        batch_size=16,
    )
    return _against_critic(base, critic_rate=2e-4)


def colorization() -> TrainContent:
    """Return Colorization (Zhang et al., ECCV 2016)."""
    return _desk(ColorizationSettings(), batch_size=16)


def split_brain() -> TrainContent:
    """Return the split-brain autoencoder (Zhang et al., CVPR 2017)."""
    return _desk(SplitBrainSettings(), batch_size=16)


def bigan() -> TrainContent:
    """Return BiGAN (Donahue et al., ICLR 2017) with pictures of 16 pixels instead of 64 and codes of 16 numbers instead of 200.

    D is held by spectral norm and learns at a fifth of the rate of E and G: with batch norm and twice their rate it told nine pairs of ten
    apart from the first hundreds of steps on. G(E(x)) still is no nearer to x than the mean picture (docs/comparison.md).
    """
    base = _desk(
        BiGANSettings(
            picture_px=64, drawn_px=16, code_size=16, width=64, hidden=512, critic_norm="spectral"
        ),
        batch_size=64,
        learning_rate=1e-3,
        resize_px=72,
        crop_px=64,
        zoom=(0.9, 1.3),
    )
    return _against_critic(base, critic_rate=2e-4, weight_decay=2.5e-5)


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
        BYOLSettings(first=first, second=second, momentum=0.99),
        batch_size=32,
        crop_px=128,
        zoom=(1.0, 1.0),
    )


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


def _against_critic(
    base: TrainContent, *, critic_rate: float, weight_decay: float = 0.0
) -> TrainContent:
    """Give both sides of a game the optimiser of DCGAN: Adam with a first decay of 0.5, its rate falling to nothing."""
    method = base.method
    if not isinstance(method, PretextSettings):
        raise TypeError(f"{type(method).__name__} has no critic")
    adam = OptimiserSettings(
        name="adam",
        learning_rate=method.optimiser.learning_rate,
        betas=(0.5, 0.999),
        weight_decay=weight_decay,
        schedule="cosine",
    )
    critic = replace(adam, learning_rate=critic_rate)
    return replace(base, method=replace(method, optimiser=adam, critic_optimiser=critic))


def _desk(
    task: TaskSettings,
    *,
    source: Literal["real", "labelled"] = "real",
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
            source=source,
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
