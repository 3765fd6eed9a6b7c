"""Networks of finished runs: an annotator, or a generator to go on with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scenelift.adapt.checkpoint import CheckpointError, list_checkpoints, load_checkpoint
from scenelift.adapt.mgm.networks import Facts, MultiTaskNetwork, build_multi_task
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.plain import from_plain


def load_multi_task(folder: Path, *, device: torch.device) -> tuple[MultiTaskNetwork, Facts]:
    """Build encoder and decoders of a run and fill them, with averaged weights if it averages, in evaluation mode.

    Raises:
        CheckpointError: if the folder holds no run of this method with tasks, or its last checkpoint is damaged; one line.
        OSError: if it cannot be opened.
    """
    path, state = _last_state(folder)
    settings, facts = read_configuration(path, state)
    if not settings.tasks:
        raise CheckpointError(f"{path}: its run learnt no task; name one that did")
    network = build_multi_task(settings, facts=facts)
    averaged = state["average"]["networks"] if state.get("average") else {}
    for name, part in (("backbone", network.encoder), ("heads", network.decoders)):
        weights = averaged.get(name) or state["method"]["networks"].get(name)
        fill(part, weights, name=name, path=path)
    return network.to(device).eval().requires_grad_(False), facts


def load_gan(
    folder: Path, *, generator: nn.Module, discriminator: nn.Module, average: nn.Module
) -> None:
    """Fill generator, discriminator and the generator's running average with those of a run.

    Raises:
        CheckpointError: if the folder holds no run with a generator, a network is damaged or of another size; one line.
        OSError: if it cannot be opened.
    """
    path, state = _last_state(folder)
    settings, facts = read_configuration(path, state)
    if settings.further != "gan":
        raise CheckpointError(f"{path}: its run has no generator; name one that trained a GAN")
    networks, averaged = state["method"]["networks"], state["method"]["average"]
    about = f"{settings.gan.kind} of width {settings.gan.width:g} for {facts.size_px} pixels"
    for name, part, weights in (
        ("generator", generator, networks.get("generator")),
        ("discriminator", discriminator, networks.get("discriminator")),
        ("generator's average", average, averaged.get("networks", {}).get("generator")),
    ):
        fill(part, weights, name=name, path=path, about=about)


def fill(
    network: nn.Module,
    weights: Mapping[str, Tensor] | None,
    *,
    name: str,
    path: Path,
    about: str = "",
) -> None:
    """Fill a network.

    Raises:
        CheckpointError: if there are no weights, they do not fit, or are not numbers.
    """
    if not isinstance(weights, Mapping):
        raise CheckpointError(f"{path}: holds no {name}: it is damaged; use another run")
    bad = [
        key
        for key, tensor in weights.items()
        if not isinstance(tensor, Tensor)
        or (tensor.is_floating_point() and not tensor.isfinite().all())
    ]
    if bad:
        raise CheckpointError(f"{path}: {name} holds no finite numbers in {bad[0]}: it is damaged")
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        first = " ".join((lines or [str(error)])[0].split())[:160]
        theirs = f" (it is a {about})" if about else ""
        raise CheckpointError(
            f"{path}: its {name}{theirs} does not fit this run's: {first}; give both the same size and classes"
        ) from error


def _last_state(folder: Path) -> tuple[Path, dict[str, Any]]:
    found = list_checkpoints(folder / "checkpoints") if folder.is_dir() else []
    if not found:
        raise CheckpointError(f"{folder}: holds no checkpoint; name the folder of a training run")
    return found[-1], load_checkpoint(found[-1])


def read_configuration(path: Path, state: Mapping[str, Any]) -> tuple[MgmSettings, Facts]:
    """Read off a checkpoint's state what the run was asked for, and what its pictures were.

    Raises:
        CheckpointError: if it is of another method.
    """
    try:
        method = state["config"]["method"]
        if method["kind"] != "mgm":
            raise CheckpointError(f"{path}: trained by {method['kind']}, not by mgm")
        return from_plain(MgmSettings, method), from_plain(Facts, state["method"]["facts"])
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a checkpoint of a run of mgm: no {error}") from error
