"""Protocol cards: what was measured, how, on what, by which network; one JSON a network, task and seed."""

import dataclasses
import json
import math
import platform
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from scenelift import __version__
from scenelift.adapt.plain import from_plain

FORMAT_VERSION = 1
_MAX_BYTES = 64 * 2**20


class CardError(ValueError):
    """A file that is no card."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One number."""

    name: str
    """What it is called in a table: `mAP`, `top-1`, `median error`."""
    value: float
    unit: str
    """`%`, `°`, `m` or nothing."""
    better: Literal["higher", "lower"]
    definition: str
    """One sentence that a footnote can bear: what is counted, over what."""
    layer: str = ""
    """The layer it belongs to, where it belongs to one."""
    group: str = ""
    """A further division: a class, a mode of fine-tuning."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DataFingerprint:
    """Which data were used."""

    name: str
    """`VOC2007`, `Tiny-ImageNet-200`."""
    splits: dict[str, int]
    """Number of pictures by role: `train`, `selection`, `test`."""
    sha256: str
    """Over the names and sizes in bytes of all files used, in the order of names."""
    note: str = ""
    """How the roles were filled where the layout lacks a split."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkFacts:
    """Which network was judged."""

    label: str
    """Its name in tables."""
    backbone: str
    weights: str
    """The file, or `random`."""
    sha256: str
    """Of the file; empty for random weights."""
    note: str = ""
    """What was loaded, what was left over, and where the normalisation of pictures comes from."""
    training: dict[str, str] = field(default_factory=dict)
    """What the file says of its training: `tasks`, `aligned at`, `pictures`; for a table of ablations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What a task returns."""

    protocol: dict[str, Any]
    """All settings and the definition of each, as plain values."""
    data: DataFingerprint
    figures: tuple[Figure, ...]
    notes: tuple[str, ...] = ()
    """What a reader must know: deviations from the published protocol, what was left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Card:
    """One result."""

    task: str
    network: NetworkFacts
    split: Literal["selection", "test"]
    """Which pictures were judged; `test` needs `--final`."""
    seed: int
    seconds: float
    outcome: Outcome
    versions: dict[str, str] = field(default_factory=dict)
    key: str = ""
    """A hash over everything that was asked for; a finished card with the same key is not made again."""
    question: str = ""
    """The same without network and seed: results with one question stand in one table."""


def versions() -> dict[str, str]:
    """Return the versions that figures depend on."""
    packages = ("torch", "torchvision", "numpy", "scikit-learn", "opencv-contrib-python-headless")
    return {
        "scenelift": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def write_card(path: Path, card: Card) -> None:
    """Write a card; it appears whole or not at all.

    Raises:
        OSError: if it cannot be written.
        ValueError: if a figure is not finite.
    """
    for figure in card.outcome.figures:
        if not math.isfinite(figure.value):
            raise ValueError(f"{card.task}: figure {figure.name} {figure.layer} is {figure.value}")
    content = {"format_version": FORMAT_VERSION, **asdict(card)}
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(path)


def read_card(path: Path) -> Card:
    """Read a card.

    Raises:
        CardError: if it is none; one line.
        OSError: if it cannot be read.
    """
    content = _read_object(path)
    if content.get("format_version") != FORMAT_VERSION:
        raise CardError(f"{path}: no card of format version {FORMAT_VERSION}")
    rest = {name: value for name, value in content.items() if name != "format_version"}
    misfit = _misfit(rest, Card, where="card")
    if misfit:
        raise CardError(f"{path}: no protocol card: {misfit}")
    try:
        return from_plain(Card, rest)
    except (ValueError, TypeError) as error:
        raise CardError(f"{path}: no protocol card: {_one_line(error)}") from error


def _read_object(path: Path) -> Mapping[str, Any]:
    with path.open("rb") as file:
        raw = file.read(_MAX_BYTES)
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise CardError(f"{path}: no protocol card: {_one_line(error)}") from error
    if not isinstance(content, Mapping):
        raise CardError(f"{path}: no protocol card: holds no JSON object")
    return content


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]


def _misfit(value: object, hint: Any, *, where: str) -> str:
    """Say where plain content is not of the declared type; empty if it fits."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return ""
    parts: list[tuple[object, Any, str]] = []
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        hints = typing.get_type_hints(hint)
        parts = [(v, hints[n], f"{where}.{n}") for n, v in value.items() if n in hints]
        fits = True
    elif origin is Literal:
        fits = isinstance(value, str) and value in arguments
    elif origin is tuple and isinstance(value, list):
        parts = [(part, arguments[0], f"{where}[{i}]") for i, part in enumerate(value)]
        fits = True
    elif origin is dict and isinstance(value, dict):
        parts = [(part, arguments[1], f"{where}[{key!r}]") for key, part in value.items()]
        fits = True
    elif hint is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        fits = fits and math.isfinite(typing.cast(float, value))
    else:
        fits = type(value) is hint
    if not fits:
        return f"{where} is {str(value)[:40]!r}"
    return next((told for one, kind, at in parts if (told := _misfit(one, kind, where=at))), "")
