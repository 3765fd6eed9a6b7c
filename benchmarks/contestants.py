"""The networks of a run: those asked for, and random weights of the same backbones as their anchor."""

from collections.abc import Mapping, Sequence

import torch

from scenelift.adapt.foreign_weights import names_backbone
from scenelift.benchmarks.config import BenchConfig
from scenelift.benchmarks.network import RANDOM, Network, open_network, weights_file


def open_contestants(config: BenchConfig, *, anchor: bool) -> dict[int, list[Network]]:
    """Open the networks to be judged with each seed, random ones first.

    Args:
        config: What is asked for.
        anchor: Add random weights of each backbone if they are not asked for.

    Raises:
        WeightsError, ValueError: if weights, backbone or device cannot be used; one line.
        OSError: if a file cannot be opened.
        ImportError: if a backbone needs timm and it is not installed.
    """
    device = _device(config.device)
    labels = dict(zip(config.weights, config.label, strict=True)) if config.label else {}
    trained = [
        open_network(
            weights,
            backbone=_backbone_for(weights, config=config),
            seed=0,
            device=device,
            label=labels.get(weights),
        )
        for weights in config.weights
        if weights != RANDOM
    ]
    random = _random_backbones(config, trained) if anchor or RANDOM in config.weights else []
    return {
        seed: [
            *(
                open_network(RANDOM, backbone=name, seed=seed, device=device, label=label)
                for name, label in _label_random(random, given=labels.get(RANDOM)).items()
            ),
            *trained,
        ]
        for seed in config.seeds
    }


def _backbone_for(weights: str, *, config: BenchConfig) -> str | None:
    """Return the backbone that was named, unless it was meant for the others: a file may name its own."""
    path = weights_file(weights)
    if len(config.weights) > 1 and path.is_file() and names_backbone(path):
        return None
    return config.backbone


def _random_backbones(config: BenchConfig, trained: Sequence[Network]) -> list[str]:
    found = list(dict.fromkeys(network.facts.backbone for network in trained))
    if found:
        return found
    return [config.backbone or ("alexnet-small" if config.recipe == "desk" else "alexnet")]


def _label_random(backbones: Sequence[str], *, given: str | None) -> Mapping[str, str]:
    name = given or RANDOM
    if len(backbones) == 1:
        return {backbones[0]: name}
    return {backbone: f"{name}-{backbone.replace(':', '-')}" for backbone in backbones}


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device {name!r}: there is none of that kind; try cpu") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device {name!r}: torch sees no GPU here; try cpu")
    if device.type not in ("cpu", "cuda"):
        raise ValueError(f"device {name!r}: cpu or cuda are known")
    return device
