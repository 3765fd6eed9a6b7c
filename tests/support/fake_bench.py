"""A task of the benchmarks that takes no time, and cards made by hand."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from scenelift.benchmarks.card import (
    Card,
    DataFingerprint,
    Figure,
    NetworkFacts,
    Outcome,
    versions,
    write_card,
)
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.recipes import Entry
from scenelift.benchmarks.task import BenchError, Job, Work

WAIT = "FAKE_BENCH_WAITS"
"""An environment variable: the second task begins and does not end."""
LAYERS = ("conv1", "conv2", "conv3", "conv4", "conv5")
DEFINITION = "Share of pictures whose highest-scoring class is the right one."


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeTask:
    """Sums up weights, so that networks differ and seeds do too."""

    name: str = "probe"
    epochs: int = 3
    """Nothing is done with them."""
    trouble: str = ""
    """What goes wrong: input, bug, stop, nan."""

    def work(self, network: Network, *, job: Job) -> Work:
        """Say that there is little to do."""
        if self.trouble == "data":
            raise BenchError(f"{job.data}: is not what it should be")
        return Work(forward_px=1e6, trained_px=1e5, other_s=1.0)

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Return figures."""
        match self.trouble:
            case "input":
                raise BenchError(f"{job.data}: picture 7 is broken")
            case "bug":
                raise RuntimeError("a fault of the program")
            case "stop":
                raise KeyboardInterrupt
        job.progress("probing", 1, 2)
        (job.out / "scores.txt").write_text(str(job.seed))
        with torch.no_grad():
            size = float(next(network.backbone.parameters()).abs().mean())
        figures = probe_figures([10 * size + i + 0.1 * job.seed for i in range(5)])
        if self.trouble == "nan":
            figures = probe_figures([float("nan")] * 5)
        return Outcome(
            protocol={"epochs": self.epochs, "classifier": "none"},
            data=fingerprint(job.data.stem),
            figures=figures,
            notes=("nothing was learnt",),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherTask(FakeTask):
    """The same under another name."""

    name: str = "voc-classification"

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Wait to be killed, if that is asked for."""
        if WAIT in os.environ:
            (job.out / "half-done").touch()
            time.sleep(120)
        return FakeTask.run(self, network, job=job)


def probe_figures(values: Sequence[float]) -> tuple[Figure, ...]:
    """Top-1 by layer."""
    return tuple(
        Figure(name="top-1", value=v, unit="%", better="higher", definition=DEFINITION, layer=layer)
        for v, layer in zip(values, LAYERS, strict=False)
    )


def fingerprint(name: str, *, test: int = 100) -> DataFingerprint:
    """Facts of a data set."""
    return DataFingerprint(
        name=name, splits={"train": 8, "selection": 2, "test": test}, sha256=name
    )


def entries(*, trouble: str = "") -> tuple[Entry, ...]:
    """Two tasks for the command."""
    return (
        Entry(
            name="probe",
            kinds=("imagenet", "places"),
            desk=lambda: FakeTask(trouble=trouble),
            paper=lambda: FakeTask(epochs=90),
            about="A linear classifier on frozen layers.",
        ),
        Entry(
            name="voc-classification",
            kinds=("voc",),
            desk=OtherTask,
            paper=lambda: OtherTask(epochs=90),
            about="Fine-tuning for 20 classes.",
        ),
    )


def write_data(root: Path) -> Path:
    """A folder with something like Tiny-ImageNet and something like VOC in it."""
    rng = np.random.default_rng(0)
    for name in (
        "tiny/train/n00000001/a.jpg",
        "tiny/val/n00000001/b.jpg",
        "VOC2007/JPEGImages/c.jpg",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.bytes(64))
    (root / "VOC2007" / "Annotations").mkdir()
    return root


def make_card(
    *,
    task: str = "probe",
    label: str = "first",
    seed: int = 0,
    figures: Sequence[Figure] = (),
    data: DataFingerprint | None = None,
    final: bool = False,
    backbone: str = "alexnet-small",
    weights: str = "first.safetensors",
    question: str = "q",
    notes: tuple[str, ...] = (),
) -> Card:
    """A card as a task might have left it."""
    return Card(
        task=task,
        network=NetworkFacts(
            label=label,
            backbone=backbone,
            weights=weights,
            sha256="" if weights == "random" else f"{weights} hashed",
        ),
        split="test" if final else "selection",
        seed=seed,
        seconds=1.5,
        outcome=Outcome(
            protocol={"epochs": 3},
            data=data or fingerprint("Tiny-ImageNet-200"),
            figures=tuple(figures) or probe_figures([1.0, 2.0, 3.0, 4.0, 5.0]),
            notes=notes,
        ),
        versions=versions(),
        key=f"{task} {label} {seed} {final}",
        question=f"{question} {task} {final}",
    )


def write_cards(root: Path, cards: Sequence[Card]) -> Path:
    """Write cards where the command would."""
    for number, card in enumerate(cards):
        folder = root / card.network.label / f"{card.task}-{number}" / f"seed-{card.seed}"
        folder.mkdir(parents=True)
        write_card(folder / "card.json", card)
    return root
