"""A tiny system of multi-task generative modelling, and batches of noise for it."""

from dataclasses import replace
from typing import Any

import torch
from torch.nn import functional as F

from scenelift.adapt.method import Batch
from scenelift.adapt.mgm.gan.gan import GanSettings
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.networks import Facts
from scenelift.adapt.mgm.settings import GameSettings, MgmSettings

FACTS = Facts(
    scenes=("bedroom", "kitchen", "office"), semantic_classes=("wall", "floor"), size_px=32
)
CPU = torch.device("cpu")


def tiny_settings(**changes: Any) -> MgmSettings:
    """Return settings of the smallest networks."""
    base = MgmSettings(
        backbone="mgm-resnet-small",
        decoder_width=0.05,
        refinement_width=0.1,
        gan=GanSettings(width=0.01, z_dim=8, norm_momentum=0.1),
        game=GameSettings(rounds=1),
    )
    return replace(base, **changes)


def tiny_mgm(settings: MgmSettings, *, seed: int = 0, half: bool = False, rank: int = 0) -> Mgm:
    """Build the system on the CPU."""
    return Mgm(settings, facts=FACTS, seed=seed, device=CPU, half=half, rank=rank)


def dense_batch(step: int = 0, *, count: int = 2, side: int = 32, rendered: bool = False) -> Batch:
    """Return a batch with all labels, a function of `step`; a tenth of the pixels is unknown."""
    generator = torch.Generator().manual_seed(1000 * step + rendered)

    def draw(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator)

    known = draw(count, 1, side, side) > 0.1
    normal = F.normalize(draw(count, 3, side, side) - 0.5, dim=1)
    return {
        "image": (draw(count, 3, side, side) * 255).to(torch.uint8),
        "sample_seed": torch.arange(count) + count * step + 10_000 * rendered,
        "z_depth_m": torch.where(known, 1 + 3 * draw(count, 1, side, side), 0),
        "normal": torch.where(known, normal, 0),
        "semantic": torch.where(known[:, 0], 1 + (draw(count, side, side) * 2).long(), 0),
        "valid": known,
        "label": (draw(count) * 3).long(),
    }


def tiny_batches(step: int = 0) -> dict[str, Batch]:
    """Return a batch of each stream that the system may ask for."""
    return {"labelled": dense_batch(step), "images": dense_batch(step, rendered=True)}
