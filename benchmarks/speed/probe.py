"""Probe features: what five layers cost beside one forward pass, and a whole extraction beside the network alone.

    python -m scenelift.benchmarks.speed.probe --photos PATH [--backbone alexnet-small] [--json PATH]

The network alone, and the network with its maps resized, averaged and written to tables, see the same batch in turn, to the last
layer that is wanted. Extractions read pictures from their files. CPU time counts all threads: what decoding costs whoever pays;
wall time is what threads can hide, given processors of their own.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.network_input import InputNormalisation
from scenelift.benchmarks.card import NetworkFacts
from scenelift.benchmarks.features import (
    CENTRE,
    FeatureSettings,
    choose_layers,
    extract_features,
    make_tables,
    measure_scales,
    prepared_batches,
    put_features,
    read_maps,
)
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.retrieval_data import PhotoPictures
from scenelift.benchmarks.speed.measure import ratios, report, spread
from scenelift.datasets.places import open_photos


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeBenchmark:
    """Features of five layers."""

    photos: Path
    """A folder, list or tar of photos."""
    backbone: str = "alexnet-small"
    resize_px: int = 128
    crop_px: int = 112
    batch_size: int = 32
    batches: int = 8
    """Of photos in an extraction."""
    workers: int = 1
    """Threads that decode."""
    repeats: int = 7
    device: str = "cpu"
    json: Path | None = None
    """Where to write the figures."""


def main(config: ProbeBenchmark) -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    network = _network(config)
    settings = FeatureSettings(
        resize_px=config.resize_px,
        crop_px=config.crop_px,
        batch_size=config.batch_size,
        workers=config.workers,
    )
    pictures = PhotoPictures(open_photos(config.photos), path=config.photos)
    count = min(len(pictures), config.batches * config.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        ways = _ways(network, pictures, count=count, settings=settings, folder=Path(folder))
        cpu: dict[str, list[float]] = {name: [] for name in ways}
        wall: dict[str, list[float]] = {name: [] for name in ways}
        for repeat in range(config.repeats + 1):
            for name, way in ways.items():
                began, spent = time.perf_counter(), time.process_time()
                way()
                if repeat:
                    cpu[name].append(1000 * (time.process_time() - spent) / count)
                    wall[name].append(1000 * (time.perf_counter() - began) / count)
    rows = [
        (f"{name}: ms of CPU time, of wall a picture", f"{spread(cpu[name])}, {spread(wall[name])}")
        for name in ways
    ]
    bare, features, extraction = ways
    rows += [
        ("features / network, CPU time", str(ratios(cpu[features], cpu[bare]))),
        ("throughput of extraction / network, CPU time", str(ratios(cpu[bare], cpu[extraction]))),
        ("throughput of extraction / network, wall", str(ratios(wall[bare], wall[extraction]))),
    ]
    facts: dict[str, object] = {"cpu_ms": cpu, "wall_ms": wall}
    report(
        f"features of {config.backbone}, {config.crop_px} pixels",
        rows,
        facts=facts,
        path=config.json,
    )


def _network(config: ProbeBenchmark) -> Network:
    net = build_backbone(config.backbone, generator=torch.Generator().manual_seed(0))
    return Network(
        backbone=net.eval().to(config.device),
        normalisation=InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD),
        facts=NetworkFacts(label="random", backbone=net.name, weights="random", sha256=""),
    )


def _ways(
    network: Network,
    pictures: PhotoPictures,
    *,
    count: int,
    settings: FeatureSettings,
    folder: Path,
) -> dict[str, Callable[[], None]]:
    """Return what is timed, by name: each goes once through so many pictures."""
    indices = list(range(count))
    layers = choose_layers(network.backbone, layers=())
    scales = measure_scales(network, pictures, indices=indices, settings=settings)
    batches = [
        batch[:, 0]
        for batch in prepared_batches(
            pictures, indices=indices, views=CENTRE, settings=settings, network=network
        )
    ]

    @torch.inference_mode()
    def bare() -> None:
        for inputs in batches:
            network.backbone(inputs, until=layers[-1])
        _wait(network.device)

    @torch.inference_mode()
    def features() -> None:
        first = read_maps(network.backbone, batches[0][:1], layers=layers)
        tables = make_tables(
            first, shape=(count, 1), scales=scales, settings=settings, folder=folder
        )
        start = 0
        for inputs in batches:
            maps = read_maps(network.backbone, inputs, layers=layers)
            put_features(tables, slice(start, start + len(inputs)), maps=maps, settings=settings)
            start += len(inputs)

    def extraction() -> None:
        extract_features(
            network, pictures, indices=indices, views=CENTRE, scales=scales, settings=settings, folder=folder
        )  # fmt: skip

    return {
        "network, prepared pictures": bare,
        "features of all layers, prepared pictures": features,
        "extraction from files": extraction,
    }


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main(tyro.cli(ProbeBenchmark))
