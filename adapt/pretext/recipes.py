"""Recipes of the comparison systems: each fits two CPU cores and some minutes, on photos of 128 pixels."""

from collections.abc import Callable
from dataclasses import replace

from scenelift.adapt.config import TrainContent
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.bigan import BiGANSettings
from scenelift.adapt.pretext.build import TaskSettings
from scenelift.adapt.pretext.context_encoder import ContextEncoderSettings
from scenelift.adapt.pretext.method import PretextSettings
from scenelift.adapt.pretext.rotation import RotationSettings
from scenelift.datasets.geometry import Geometry

DESK_STEPS = 3000


def recipes() -> list[tuple[str, Callable[[], TrainContent]]]:
    """List them: name and function."""
    return [
        ("rotation", rotation),
        ("context-encoder", context_encoder),
        ("context-encoder-adversarial", context_encoder_adversarial),
        ("bigan", bigan),
    ]


def rotation() -> TrainContent:
    """Return RotNet (Gidaris et al., ICLR 2018)."""
    return _desk(RotationSettings(), batch_size=16)


def context_encoder() -> TrainContent:
    """Return the context encoder (Pathak et al., CVPR 2016) as its features were learnt: by reconstruction alone."""
    return _desk(ContextEncoderSettings(decoder_widths=(64, 64, 32, 16)), steps=1000, batch_size=16)


def context_encoder_adversarial() -> TrainContent:
    """Return the context encoder with its critic: encoder and decoder learn ten times as fast as the critic, as published."""
    base = _desk(
        ContextEncoderSettings(decoder_widths=(64, 64, 32, 16), adversarial=0.001, critic_width=16),
        steps=1000,
        batch_size=16,
    )
    return _against_critic(base, critic_rate=2e-4)


def bigan() -> TrainContent:
    """Return BiGAN (Donahue et al., ICLR 2017) with pictures of 32 pixels instead of 64, at five times the published rate."""
    base = _desk(
        BiGANSettings(drawn_px=32, width=32, hidden=512),
        steps=2000,
        batch_size=16,
        learning_rate=1e-3,
    )
    return _against_critic(base, critic_rate=1e-3, weight_decay=2.5e-5)


def _against_critic(
    base: TrainContent, *, critic_rate: float, weight_decay: float = 0.0
) -> TrainContent:
    """Give both sides of a game the optimiser of DCGAN: Adam with a first decay of 0.5, its rate falling to nothing."""
    adam = OptimiserSettings(
        name="adam",
        learning_rate=base.method.optimiser.learning_rate,
        betas=(0.5, 0.999),
        weight_decay=weight_decay,
        schedule="cosine",
    )
    method = replace(
        base.method, optimiser=adam, critic_optimiser=replace(adam, learning_rate=critic_rate)
    )
    return replace(base, method=method)


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
