"""Weights on disk: a safetensors file that says which network it holds and what it is fed, and ONNX.

The metadata are three JSON texts: `backbone` (name, taps, folded, format version), `input` (colour space, mean and
standard deviation, `adapt/network_input.py`) and `config` (whatever trained them). The tensors bear the network's own parameter names.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from scenelift.adapt.backbones import Backbone, empty_backbone
from scenelift.adapt.backbones.backbone import TAPS, Taps
from scenelift.adapt.fold import fold_batch_norm
from scenelift.adapt.network_input import SPACES, InputNormalisation

FORMAT_VERSION = 1
SHOWN = 5
"""How many differences an error lists."""


class WeightsError(ValueError):
    """A file of weights cannot be used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Weights:
    """What a file of weights holds."""

    backbone: Backbone
    """On the CPU, in evaluation mode."""
    input_normalisation: InputNormalisation
    config: dict[str, Any]
    """The configuration that trained them, as it was saved."""


def save_weights(
    path: Path,
    backbone: Backbone,
    *,
    input_normalisation: InputNormalisation,
    config: Mapping[str, Any],
) -> None:
    """Write a backbone's weights; the file appears whole or not at all.

    Args:
        path: Where to; an existing file is replaced.
        backbone: On any device; saved in the precision it has.
        input_normalisation: What the network was fed.
        config: Anything that JSON can hold.

    Raises:
        OSError: if the file cannot be written.
        TypeError, ValueError: if `config` holds what JSON cannot.
    """
    metadata = {
        "backbone": json.dumps(
            {
                "format_version": FORMAT_VERSION,
                "name": backbone.name,
                "taps": backbone.taps,
                "folded": backbone.folded,
            }
        ),
        "input": json.dumps(asdict(input_normalisation)),
        "config": json.dumps(dict(config), allow_nan=False),
    }
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in backbone.state_dict().items()
    }
    content = serialise(tensors, metadata=metadata)
    size = int.from_bytes(content[:8], "little")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(_in_order(content[8 : 8 + size]))
            file.write(memoryview(content)[8 + size :])
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _in_order(header: bytes) -> bytes:
    """Sort a header, which safetensors writes in another order each time, so that equal weights are equal bytes."""
    text = json.dumps(json.loads(header), sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8
    return len(text).to_bytes(8, "little") + text


def load_weights(path: Path) -> Weights:
    """Build the backbone that a file names and fill it.

    Raises:
        WeightsError: if the file is not sound, or lacks what it takes to build the network; one line.
        OSError: if it cannot be opened.
        ImportError: if it holds a network of timm and timm is not installed.
    """
    tensors, metadata = _read(path)
    about = _json_object(path, metadata, "backbone")
    if about.get("format_version") != FORMAT_VERSION:
        raise WeightsError(
            f"{path}: format version {about.get('format_version')!r} of weights, this program reads {FORMAT_VERSION}"
        )
    name, taps, folded = about.get("name"), about.get("taps"), about.get("folded")
    if not isinstance(name, str) or taps not in TAPS or not isinstance(folded, bool):
        raise WeightsError(f"{path}: metadata 'backbone' does not say name, taps and folded")
    normalisation = _input_normalisation(path, metadata)
    config = _json_object(path, metadata, "config")
    try:
        backbone = _empty(name, taps=taps, folded=folded)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from error
    _fill(path, backbone, tensors)
    return Weights(backbone=backbone.eval(), input_normalisation=normalisation, config=config)


def load_weights_into(path: Path, backbone: Backbone) -> None:
    """Fill a given backbone from any safetensors file with its parameter names, metadata or not.

    Raises:
        WeightsError: if the file is not sound, or a tensor is missing, left over or of another shape; the message lists them.
        OSError: if it cannot be opened.
    """
    tensors, _ = _read(path)
    _fill(path, backbone, tensors)


def _empty(name: str, *, taps: Taps, folded: bool) -> Backbone:
    backbone = empty_backbone(name, taps=taps)
    if folded and not backbone.folded:
        backbone = fold_batch_norm(backbone, verify=False)
    return backbone


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file of weights")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 not a dict
            return tensors, file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"{path}: not a sound safetensors file: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _json_object(path: Path, metadata: Mapping[str, str], key: str) -> dict[str, Any]:
    if key not in metadata:
        raise WeightsError(
            f"{path}: no metadata {key!r}: not written by this program; name the backbone to load it into"
        )
    try:
        value = json.loads(metadata[key])
    except (json.JSONDecodeError, RecursionError) as error:
        raise WeightsError(f"{path}: metadata {key!r} is not JSON: {_one_line(error)}") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: metadata {key!r} is not a JSON object")
    return value


def _input_normalisation(path: Path, metadata: Mapping[str, str]) -> InputNormalisation:
    about = _json_object(path, metadata, "input")
    triples: dict[str, tuple[float, float, float]] = {}
    for key in ("mean", "std"):
        match about.get(key):
            case [int() | float() as r, int() | float() as g, int() | float() as b]:
                triples[key] = (float(r), float(g), float(b))
            case found:
                raise WeightsError(
                    f"{path}: metadata 'input' has {key} {str(found)[:40]}, not three numbers"
                )
    space = about.get("space", "rgb")
    if space not in SPACES:
        raise WeightsError(
            f"{path}: metadata 'input' has space {str(space)[:40]}, not one of {', '.join(SPACES)}"
        )
    try:
        return InputNormalisation(mean=triples["mean"], std=triples["std"], space=space)
    except ValueError as error:
        raise WeightsError(f"{path}: metadata 'input': {error}") from error


def _fill(path: Path, backbone: Backbone, tensors: Mapping[str, Tensor]) -> None:
    wanted = backbone.state_dict()
    differences = [
        *(f"no {name}" for name in wanted if name not in tensors),
        *(f"{name} is left over" for name in tensors if name not in wanted),
        *(
            f"{name} is {_shape(tensors[name])}, not {_shape(tensor)}"
            for name, tensor in wanted.items()
            if name in tensors and tensors[name].shape != tensor.shape
        ),
    ]
    if differences:
        more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise WeightsError(
            f"{path}: does not fit backbone {backbone.name}: {'; '.join(differences[:SHOWN])}{more}"
        )
    for name, tensor in tensors.items():
        if tensor.is_floating_point() != wanted[name].is_floating_point():
            raise WeightsError(
                f"{path}: {name} is of type {tensor.dtype}, not {wanted[name].dtype}"
            )
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise WeightsError(f"{path}: {name} holds values that are not finite")
    backbone.load_state_dict(dict(tensors))


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(side) for side in tensor.shape) or "a number"


def export_onnx(
    path: Path,
    backbone: Backbone,
    *,
    width: int,
    height: int,
    input_normalisation: InputNormalisation,
) -> None:
    """Write a backbone as ONNX: input `image` (n 3 h w, normalised), one output a layer, any batch size.

    The metadata property `input` says how pictures are normalised.

    Args:
        path: Where to; an existing file is replaced.
        backbone: It is left as it is; the file holds its evaluation mode.
        width: Of the pictures, in pixels.
        height: Of the pictures, in pixels.
        input_normalisation: What the network was fed.

    Raises:
        ImportError: if onnx or onnxscript is missing; the message says how to install them.
        OSError: if the file cannot be written.
    """
    from scenelift.adapt.onnx_export import write_onnx

    write_onnx(
        path,
        backbone,
        width=width,
        height=height,
        properties={"input": json.dumps(asdict(input_normalisation)), "backbone": backbone.name},
    )
