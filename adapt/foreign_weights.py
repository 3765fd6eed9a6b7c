"""Weights that others saved, put into a backbone: every tensor of it is filled, or an error says which is not.

Safetensors files and PyTorch checkpoints, whose tensors may stand below any prefix (`module.`, `state_dict.module.encoder_q.`). A
classifier that is left over is reported; a left-over tensor of a part that the backbone has means another network, and is an error.
"""

import pickle
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.weights import SHOWN, WeightsError

_COUNTER = "num_batches_tracked"
"""Of a batch norm: unused in evaluation mode, and missing from old files."""
_TORCH_MAGIC = (b"PK", b"\x80\x02")
_MAX_DEPTH = 4
_NOT_SOUND = (
    SafetensorError, pickle.UnpicklingError, struct.error, RuntimeError, EOFError, ValueError, KeyError, TypeError,
    AttributeError, IndexError, AssertionError, ImportError, RecursionError,
)  # fmt: skip
"""What readers raise on hostile files."""


def names_backbone(path: Path) -> bool:
    """Tell whether a file is one of safetensors that says of which network it is, as `adapt-train` writes them.

    Raises:
        OSError: if it cannot be opened.
    """
    if _is_torch(path):
        return False
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return "backbone" in (file.metadata() or {})
    except SafetensorError:
        return False


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a file by name; names in nested dicts are joined by dots. No code in it runs.

    Raises:
        WeightsError: if it is neither a sound safetensors file nor a PyTorch file of plain tensors.
        OSError: if it cannot be opened.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file of weights")
    is_torch = _is_torch(path)
    try:
        if is_torch:
            content = torch.load(path, map_location="cpu", weights_only=True)
            tensors = dict(_flatten(content, prefix="", depth=0))
        else:
            with safe_open(path, framework="pt", device="cpu") as sound:
                tensors = {name: sound.get_tensor(name) for name in sound.keys()}  # noqa: SIM118 not a dict
    except _NOT_SOUND as error:
        kind = "PyTorch file of plain tensors" if is_torch else "safetensors file"
        reason = " ".join(str(error).split())[:120]
        raise WeightsError(f"{path}: not a sound {kind}: {reason}") from error
    if not tensors:
        raise WeightsError(f"{path}: holds no tensor")
    return tensors


def fill_backbone(backbone: Backbone, tensors: Mapping[str, Tensor], *, source: str) -> str:
    """Fill a backbone with tensors of any prefix.

    Args:
        backbone: Changed in place; untouched if there is an error.
        tensors: By name.
        source: What an error calls them.

    Returns:
        What was loaded and what was left over, a sentence.

    Raises:
        WeightsError: if a tensor is missing, of another shape or type, not finite, or tells of another network.
    """
    wanted = backbone.state_dict()
    names = _match(tensors, wanted, source=f"{source}: does not fit backbone {backbone.name}")
    for name, found in names.items():
        _check(tensors[found], wanted[name], name=found, source=source, backbone=backbone.name)
    filled = {
        name: tensors[names[name]] if name in names else torch.zeros_like(tensor)
        for name, tensor in wanted.items()
    }
    backbone.load_state_dict(filled)
    left = sorted(tensors.keys() - set(names.values()))
    told = f"{len(names)} tensors loaded, every one that {backbone.name} has"
    return f"{told}; left over and not used: {_some(left)}" if left else told


def _is_torch(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in _TORCH_MAGIC


def _flatten(content: object, *, prefix: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield prefix or "tensor", content
    elif isinstance(content, Mapping) and depth < _MAX_DEPTH:
        for key, value in content.items():
            yield from _flatten(
                value, prefix=f"{prefix}.{key}" if prefix else str(key), depth=depth + 1
            )


def _match(tensors: Collection[str], wanted: Collection[str], *, source: str) -> dict[str, str]:
    """Map each wanted name to one that is there: all with one prefix, dots and underscores taken for the same."""
    own = {_plain(name): name for name in wanted}
    skip = _own_prefix(own)
    needed = {name.removeprefix(skip): own[name] for name in own}
    there = {_plain(name): name for name in tensors}
    firsts = [name for name in needed if not name.endswith(_COUNTER)][:1]
    prefixes = sorted(
        {
            name[: len(name) - len(first)]
            for first in firsts
            for name in there
            if name.endswith(first)
        }
    )
    fits, best = [], {"": -1}
    for prefix in prefixes:
        found = {name: there[prefix + name] for name in needed if prefix + name in there}
        best = max(best, {prefix: len(found)}, key=lambda hits: next(iter(hits.values())))
        if all(name in found or name.endswith(_COUNTER) for name in needed):
            fits.append((prefix, found))
    if len(fits) > 1:
        told = ", ".join(repr(prefix) for prefix, _ in fits[:SHOWN])
        raise WeightsError(
            f"{source}: several networks in it do ({told}); save one in a file of its own"
        )
    if not fits:
        (prefix,) = best
        missing = [
            needed[n] for n in needed if prefix + n not in there and not n.endswith(_COUNTER)
        ]
        raise WeightsError(f"{source}: no {_some(missing)}; it holds {_some(sorted(tensors))}")
    ((prefix, found),) = fits
    parts = {name.partition("_")[0] for name in needed}
    foreign = [
        there[name]
        for name in there
        if name.startswith(prefix)
        and name.removeprefix(prefix) not in needed
        and name.removeprefix(prefix).partition("_")[0] in parts
    ]
    if foreign:
        raise WeightsError(f"{source}: {_some(foreign)} left over: it is of another network")
    return {needed[name]: value for name, value in found.items()}


def _plain(name: str) -> str:
    return name.replace(".", "_")


def _own_prefix(names: Collection[str]) -> str:
    """Find what the wrapper of a timm network puts before all names of it."""
    prefix = ""
    for part in ("network_", "model_"):
        if all(name.startswith(prefix + part) for name in names):
            prefix += part
    return prefix


def _check(found: Tensor, wanted: Tensor, *, name: str, source: str, backbone: str) -> None:
    if found.shape != wanted.shape:
        raise WeightsError(
            f"{source}: does not fit backbone {backbone}: {name} is {_shape(found)}, not {_shape(wanted)}"
        )
    if found.is_floating_point() != wanted.is_floating_point():
        raise WeightsError(f"{source}: {name} is of type {found.dtype}, not {wanted.dtype}")
    if found.is_floating_point() and not bool(torch.isfinite(found).all()):
        raise WeightsError(f"{source}: {name} holds values that are not finite")


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(side) for side in tensor.shape) or "a number"


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:SHOWN])
    return f"{shown} and {len(names) - SHOWN} more" if len(names) > SHOWN else shown
