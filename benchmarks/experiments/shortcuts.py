"""Shortcuts: do networks that sort patches read the lens in the place of the picture, and does what the papers do against it help?

    python -m scenelift.benchmarks.experiments.shortcuts --real PHOTOS [--steps N] [--json PATH]

A chromatic aberration is planted into all pictures: red and blue are magnified about the centre, so that the shift between channels
tells where a patch lay. Context prediction and jigsaw puzzles learn from them with and without their counter-measures, and are judged
on held-out pictures twice: as planted, and with green magnified too, so that no shift is left. On textures of noise only the lens tells
the place: whoever is better than chance there took the shortcut. On photos a shortcut shows as accuracy that goes with the shift.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import torch
import tyro

from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.context import ContextSettings
from scenelift.adapt.pretext.jigsaw import JigsawSettings
from scenelift.adapt.pretext.method import Pretext, PretextSettings
from scenelift.benchmarks.experiments.planted import draw_textures, plant_aberration
from scenelift.benchmarks.speed.measure import report
from scenelift.datasets.geometry import Geometry
from scenelift.datasets.loaders import Stream, fixed_batches
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.places import open_photos

System = Literal["context", "jigsaw"]
Content = Literal["textures", "photos"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShortcutExperiment:
    """Which systems learn from which pictures, for how long."""

    real: Path
    """Photos: learnt from and, in other ones, judged on."""
    steps: int = 400
    """Of each run; there are two for each system and kind of picture."""
    systems: tuple[System, ...] = ("context", "jigsaw")
    contents: tuple[Content, ...] = ("textures", "photos")
    shift_px: float = 1.0
    """How far red and blue are shifted at a third of the side from the centre, on the patch as the network reads it or before it is
    enlarged. A pixel is as far as jigsaw's counter-measure moves a channel at this side, and ten times a real lens."""
    permutations: int = 100
    """Of the puzzles."""
    side_px: int = 112
    batch_size: int = 32
    held_out_batches: int = 24
    """That each run is judged on."""
    backbone: str = "alexnet-small"
    seed: int = 0
    device: str = "cpu"
    json: Path | None = None
    """Where to write the figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a run knows of held-out pictures, as shares of right answers."""

    planted: float
    """With the shift between channels that was there in training."""
    removed: float
    """Without any shift."""
    chance: float
    pictures: int


def main(config: ShortcutExperiment) -> None:
    """Run all, print a table and write it."""
    torch.set_num_threads(1)
    rows: list[tuple[str, str]] = []
    facts: dict[str, object] = {
        "steps": config.steps,
        "seed": config.seed,
        "shift_px": config.shift_px,
    }
    for content in config.contents:
        for system in config.systems:
            for measures in (False, True):
                outcome = run_one(config, system=system, content=content, measures=measures)
                name = f"{system}, {content}, counter-measures {'on' if measures else 'off'}"
                rows.append(
                    (
                        f"{name}: accuracy planted, removed (chance)",
                        f"{outcome.planted:.3f}, {outcome.removed:.3f} ({outcome.chance:.3f})",
                    )
                )
                facts[name] = asdict(outcome)
                print(*rows[-1], flush=True)
    title = (
        f"shortcuts, {config.steps} steps, shift of {config.shift_px:g} pixels, seed {config.seed}"
    )
    report(title, rows, facts=facts, path=config.json)


def run_one(
    config: ShortcutExperiment, *, system: System, content: Content, measures: bool
) -> Outcome:
    """Let one system learn from pictures with a planted lens, and judge it with and without."""
    device = torch.device(config.device)
    method = Pretext(
        PretextSettings(
            backbone=config.backbone,
            task=task_settings(system, measures=measures, permutations=config.permutations),
            optimiser=OptimiserSettings(
                name="adamw", learning_rate=2e-3, betas=(0.9, 0.999), weight_decay=1e-4, schedule="cosine", warm_up=0.03
            ),
            channels_last=True,
        ),
        seed=config.seed,
        device=device,
    )  # fmt: skip
    with ExitStack() as stack:
        if content == "photos":
            learnt: Iterator[Batch] = stack.enter_context(_photo_stream(config, device=device))
            held_out: Iterable[Batch] = _held_out_photos(config, device=device)
        else:
            learnt = texture_batches(config, seed=config.seed + 1)
            held_out = texture_batches(config, seed=config.seed + 2)
        learn(method, learnt, config=config)
        judged = [batch for batch, _ in zip(held_out, range(config.held_out_batches), strict=False)]
    return Outcome(
        planted=accuracy(method, judged, system=system, config=config, consistent=False),
        removed=accuracy(method, judged, system=system, config=config, consistent=True),
        chance=1 / 8 if system == "context" else 1 / config.permutations,
        pictures=sum(len(batch["image"]) for batch in judged),
    )


def task_settings(
    system: System, *, measures: bool, permutations: int
) -> ContextSettings | JigsawSettings:
    """Return a small system with its counter-measures, or with all of them off."""
    if system == "context":
        return ContextSettings(
            patch=0.27,
            fc6=128,
            fc7=(128,),
            conv1_stride=2,
            colour="drop" if measures else "keep",
            pixelated=ContextSettings().pixelated if measures else 0.0,
        )
    usual = JigsawSettings(permutations=permutations, fc6=64, fc7=(256,))
    return usual if measures else replace(usual, channel_shift=0.0, grey=0.0, projected=0.0)


def learn(method: Pretext, batches: Iterator[Batch], *, config: ShortcutExperiment) -> None:
    """Take all steps, on pictures with the lens."""
    for step in range(config.steps):
        batch = _planted(next(batches), config=config, consistent=False)
        method.step({"real": batch}, clock=Clock(step=step, steps=config.steps))


def accuracy(
    method: Pretext,
    batches: Iterable[Batch],
    *,
    system: System,
    config: ShortcutExperiment,
    consistent: bool,
) -> float:
    """Return the share of right answers on held-out pictures."""
    right, count = 0.0, 0
    for batch in batches:
        planted = _planted(batch, config=config, consistent=consistent)
        scalars = method.validate({"real": planted})
        right += float(scalars[f"accuracy/{system}"]) * len(batch["image"])
        count += len(batch["image"])
    return right / count


def texture_batches(config: ShortcutExperiment, *, seed: int) -> Iterator[Batch]:
    """Yield batches of new textures without end."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        images = draw_textures(config.batch_size, side_px=config.side_px, generator=generator)
        seeds = torch.randint(2**62, (config.batch_size,), generator=generator)
        yield {"image": images.to(config.device), "sample_seed": seeds.to(config.device)}


def _planted(batch: Batch, *, config: ShortcutExperiment, consistent: bool) -> Batch:
    image = plant_aberration(batch["image"], shift_px=config.shift_px, consistent=consistent)
    return {**batch, "image": image}


def _geometry(config: ShortcutExperiment) -> Geometry:
    return Geometry(resize_px=config.side_px, crop_px=config.side_px, flip=True, zoom=(1.0, 1.3))


def _photo_stream(config: ShortcutExperiment, *, device: torch.device) -> Stream:
    return Stream(
        PhotoDataset(open_photos(config.real)),
        name="real",
        batch_size=config.batch_size,
        geometry=_geometry(config),
        seed=config.seed,
        workers=0,
        device=device,
        cache_bytes=1 << 30,
    )


def _held_out_photos(config: ShortcutExperiment, *, device: torch.device) -> Iterable[Batch]:
    return fixed_batches(
        PhotoDataset(open_photos(config.real, split="val")),
        name="real",
        batch_size=config.batch_size,
        num_batches=config.held_out_batches,
        geometry=_geometry(config),
        seed=config.seed,
        device=device,
    )


if __name__ == "__main__":
    main(tyro.cli(ShortcutExperiment))
