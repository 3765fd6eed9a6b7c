"""Planted squares for detectors: pictures of a layout made by hand, boxes near and far from their objects."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from voc_trees import voc_files

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.network_input import InputNormalisation
from scenelift.benchmarks.card import NetworkFacts
from scenelift.benchmarks.detection.boxes import clipped
from scenelift.benchmarks.detection.pictures import Pictures, choose
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import Job
from scenelift.datasets.voc import open_voc


def plant(root: Path, counts: dict[str, int], *, names: tuple[str, ...], size: int = 96) -> Path:
    """Write a layout of pictures `size` wide and less high."""
    files = voc_files(counts, names=names, width=size, height=size * 3 // 4)
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def all_pictures(root: Path, *, split: str) -> Pictures:
    """Open a split."""
    images = open_voc(root, split=split)
    return choose([(images, place) for place in range(len(images))], limit=None, seed=0)


def boxes_around(
    pictures: Pictures, *, count: int, seed: int = 0
) -> dict[str, Float32[np.ndarray, "n 4"]]:
    """Propose boxes that are near objects, and as many anywhere."""
    rng = np.random.default_rng(seed)
    proposals = {}
    for index, name in enumerate(pictures.names):
        height, width = pictures.image(index).shape[:2]
        truth = pictures.truth(index).corners
        near = truth[rng.integers(len(truth), size=count)]
        sides = np.tile(near[:, 2:] - near[:, :2], 2)
        near = near + rng.uniform(-0.3, 0.3, near.shape) * sides
        ends = np.sort(rng.random((count, 2, 2)), axis=1) * [width - 12, height - 12]
        far = np.concatenate([ends[:, 0], ends[:, 1] + 12], axis=1)
        boxes = np.concatenate([near, far])
        proposals[name] = clipped(boxes, width=width, height=height).astype(np.float32)
    return proposals


def small_network(*, seed: int = 0, name: str = "alexnet-small") -> Network:
    """Build a random network on the CPU."""
    backbone = build_backbone(name, generator=torch.Generator().manual_seed(seed)).eval()
    return Network(
        backbone=backbone,
        normalisation=InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD),
        facts=NetworkFacts(label="random", backbone=name, weights="random", sha256=""),
    )


def job_of(data: Path, out: Path, *, seed: int = 0, final: bool = False) -> Job:
    """Make a job that tells nobody."""
    out.mkdir(parents=True, exist_ok=True)
    return Job(data=data, out=out, seed=seed, final=final, progress=lambda *_: None)
