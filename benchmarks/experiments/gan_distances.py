"""How near a generator comes to its photos while it learns: distances of every checkpoint that a run kept.

    adapt-train --recipe mgm-gan --labelled nyuv2.tar --scene-labels scenes.json --out RUN --checkpoint-every 1000 --keep-checkpoints 9
    python -m scenelift.benchmarks.experiments.gan_distances --run RUN --data FRAMES

A picture is made for each training frame, of its scene. The distances of held-out frames, below which no generator comes, and of
noise stand beside them.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from scenelift.adapt.checkpoint import CheckpointError, list_checkpoints
from scenelift.adapt.mgm.recipes import gan
from scenelift.benchmarks.experiments.mgm_judged import distances, generate, see_real
from scenelift.benchmarks.experiments.runs import FAULTS
from scenelift.benchmarks.network import RANDOM
from scenelift.benchmarks.picture_features import open_features
from scenelift.datasets.dense import DenseSplit, open_dense


@dataclass(frozen=True, kw_only=True, slots=True)
class GanDistances:
    """Which run, beside what."""

    run: Path
    """A run that trained a generator, and kept several checkpoints."""
    data: Path
    """The frames that it learnt from, of which there are training and test ones: NYU Depth v2, or what `mgm_table` prepared."""
    scene_labels: Path | None = None
    """Their scene classes, where the frames do not bring them along."""
    inception: Path | None = None
    """Weights of torch-fidelity's Inception."""
    features: str = RANDOM
    """Without them: the network that pictures are compared by, a run folder or a file of weights; `random`: alexnet-small as it is drawn."""
    pictures: int = 795
    """Of each kind, at most."""


def main(config: GanDistances) -> int:
    """Print a line for held-out frames, for noise and for each checkpoint.

    Returns:
        0 done, 1 if the input cannot be used.
    """
    try:
        for name, figures in rows(config):
            told = ", ".join(f"{figure} {value:.5f}" for figure, value in figures.items())
            print(f"{name:16s} {told}", flush=True)
    except FAULTS as error:
        print(f"gan_distances: {error}", file=sys.stderr)
        return 1
    return 0


def rows(config: GanDistances) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what was compared with training frames, and its distances.

    Raises:
        CheckpointError: if the run kept no checkpoint, or has no generator.
        ValueError: if frames or features cannot be used.
    """
    checkpoints = list_checkpoints(config.run / "checkpoints")
    if not checkpoints:
        raise CheckpointError(
            f"{config.run}: holds no checkpoint; name the folder of a training run"
        )
    by = open_features(config.inception, network=config.features, device=torch.device("cpu"))
    splits: tuple[DenseSplit, ...] = ("train", "test")
    train, test = (
        see_real(source, geometry=gan().geometry, by=by, count=min(config.pictures, len(source)))
        for source in (
            open_dense(config.data, split=split, scene_labels=config.scene_labels)
            for split in splits
        )
    )
    yield "held-out frames", distances(test.real_features, train.real_features, by=by)
    noise = torch.randint(
        256, tuple(train.real.shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    yield "noise", distances(by.of(noise), train.real_features, by=by)
    for path in checkpoints:
        made = by.of(generate(path, train))
        yield f"step {int(path.stem):,}", distances(made, train.real_features, by=by)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(GanDistances)))
