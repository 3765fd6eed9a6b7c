"""The network that a benchmark judges: a backbone, how its pictures are normalised, and where its weights come from."""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from scenelift.adapt.backbones import Backbone, build_backbone, empty_backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.foreign_weights import fill_backbone, names_backbone, read_tensors
from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.weights import Weights, WeightsError, load_weights
from scenelift.benchmarks.card import NetworkFacts

RANDOM = "random"
"""Instead of a file: weights as the backbone draws them."""
RUN_WEIGHTS = "weights.safetensors"
"""The file of weights in a run folder of `adapt-train`."""

_SUFFIXES = (".safetensors", ".pth", ".pt", ".tar", ".bin", ".ckpt")
_IMAGENET = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
_IMAGENET_NOTE = "normalised with ImageNet's mean and standard deviation"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """A network to be judged; tasks never change it, they copy what they train."""

    backbone: Backbone
    """In evaluation mode, on the device."""
    normalisation: InputNormalisation
    facts: NetworkFacts

    @property
    def device(self) -> torch.device:
        """Where it lives."""
        return next(self.backbone.parameters()).device


def open_network(
    weights: str, *, backbone: str | None, seed: int, device: torch.device, label: str | None = None
) -> Network:
    """Build the network that weights belong to; every tensor of it comes from the file, or an error says which does not.

    Args:
        weights: A file of `adapt-train` or its run folder, any safetensors file or PyTorch checkpoint whose tensors bear the
            backbone's names below any prefix (then `backbone` is needed), or `random`.
        backbone: Its name; None if the weights tell it.
        seed: Of random weights.
        device: Where it goes.
        label: Its name in tables; by default the run folder's, else the file's.

    Raises:
        WeightsError, ValueError: if the weights or the backbone cannot be used; one line.
        OSError: if the file cannot be opened.
        ImportError: if the backbone is timm's and timm is not installed.
    """
    if weights == RANDOM:
        if backbone is None:
            raise ValueError("random weights need the name of a backbone")
        net = build_backbone(backbone, generator=torch.Generator().manual_seed(seed))
        facts = NetworkFacts(
            label=label or RANDOM, backbone=net.name, weights=RANDOM, sha256="", note=_IMAGENET_NOTE
        )
        return Network(backbone=net.eval().to(device), normalisation=_IMAGENET, facts=facts)
    path = weights_file(weights)
    read = _read_own(path, backbone=backbone)
    if read is None:
        if backbone is None:
            raise WeightsError(f"{path}: does not say of which network it is; name the backbone")
        net = empty_backbone(backbone)
        told = fill_backbone(net, read_tensors(path), source=str(path))
        read = Weights(backbone=net, input_normalisation=_IMAGENET, config={})
        note = f"{told}; {_IMAGENET_NOTE}"
    else:
        note = "normalised as the file says"
    _logger.info("%s: %s", path, note)
    facts = NetworkFacts(
        label=label or default_label(weights),
        backbone=read.backbone.name,
        weights=str(path),
        sha256=file_sha256(path),
        note=note,
        training=_training(read.config),
    )
    return Network(
        backbone=read.backbone.eval().to(device),
        normalisation=read.input_normalisation,
        facts=facts,
    )


def weights_file(weights: str) -> Path:
    """Return the file that is meant: that of a run, if a folder is named."""
    path = Path(weights)
    return path / RUN_WEIGHTS if path.is_dir() else path


def default_label(weights: str) -> str:
    """Name a network after its run folder, or its file.

    >>> default_label("runs/first"), default_label("resnet50.pth"), default_label("random")
    ('first', 'resnet50', 'random')
    """
    path = Path(weights)
    if path.name == RUN_WEIGHTS:
        return path.resolve().parent.name
    return path.stem if path.suffix in _SUFFIXES else path.resolve().name


def file_sha256(path: Path) -> str:
    """Hash a file.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_own(path: Path, *, backbone: str | None) -> Weights | None:
    """Read a file that names its network; None if it names none."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file of weights")
    if not names_backbone(path):
        return None
    read = load_weights(path)
    if backbone is not None and backbone != read.backbone.name:
        raise WeightsError(f"{path}: holds {read.backbone.name}, not {backbone}")
    return read


def _training(config: dict[str, Any]) -> dict[str, str]:
    """Say what an ablation varies, as far as a configuration of `adapt-train` tells it."""
    method = config.get("method")
    if not isinstance(method, dict):
        return {}
    align = method.get("align")
    align = align if isinstance(align, dict) else {}
    plain = align.get("method") == "none"
    told = {
        "recipe": config.get("recipe"),
        "learnt from": "rendered pictures with labels" + ("" if plain else ", photos without"),
        "tasks": _joined(method.get("tasks")),
        "aligned at": "none" if plain else _joined(align.get("layers")),
        "alignment": align.get("method"),
        "pictures": f"{config.get('steps')} steps of {config.get('batch_size')}",
    }
    return {name: str(value)[:80] for name, value in told.items() if value not in (None, "")}


def _joined(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, list | tuple) else ""
