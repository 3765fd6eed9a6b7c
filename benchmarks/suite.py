"""What is to be measured: every network, task, data set and seed as a unit with a folder and a key of its own.

`OUT/LABEL/TASK-DATA/seed-N/` holds what the task leaves, `asked.json` (everything that decides the result, and its hash, the key)
and, when it is finished, `card.json`. A finished card with the same key is not made again, so a killed run goes on where it was.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenelift import __version__
from scenelift.adapt.plain import to_plain
from scenelift.benchmarks.card import CardError, read_card
from scenelift.benchmarks.data_sets import DataSet, data_fingerprint
from scenelift.benchmarks.network import RANDOM, Network
from scenelift.benchmarks.task import BenchError, Task

CARD, ASKED = "card.json", "asked.json"
_LABEL = re.compile(r"\w[\w.+@=-]{0,99}")
_SHOWN = 3
_OF_NETWORK = ("backbone", "weights", "normalisation", "seed")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """One result to be had."""

    task: Task
    data: DataSet
    network: Network
    seed: int
    final: bool
    folder: Path
    asked: Mapping[str, Any]
    """All that decides the result, as plain values."""

    @property
    def key(self) -> str:
        """The hash of what is asked."""
        return _hash(self.asked)

    @property
    def question(self) -> str:
        """The hash of what is asked but for network and seed."""
        return _hash({name: v for name, v in self.asked.items() if name not in _OF_NETWORK})

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"{self.task.name} on {self.data.name}, {self.network.facts.label}, seed {self.seed}"


def make_units(
    pairs: Sequence[tuple[Task, DataSet]],
    networks: Mapping[int, Sequence[Network]],
    *,
    out: Path,
    final: bool,
) -> list[Unit]:
    """List what is to be measured: seed by seed, network by network, task by task.

    Args:
        pairs: Tasks, each with its data.
        networks: By seed, in the order in which they are judged; labels differ.
        out: Where results go.
        final: Judge the locked test split.

    Raises:
        BenchError: if two results would share a folder, or a label cannot name one.
        OSError: if data cannot be read.
    """
    fingerprints = {data.path: data_fingerprint(data.path) for _, data in pairs}
    units = [
        Unit(
            task=task,
            data=data,
            network=network,
            seed=seed,
            final=final,
            folder=out
            / _folder_name(network.facts.label)
            / f"{task.name}-{data.name}"
            / f"seed-{seed}",
            asked=_asked(task, network, data=fingerprints[data.path], seed=seed, final=final),
        )
        for seed, judged in networks.items()
        for network in judged
        for task, data in pairs
    ]
    folders = [unit.folder for unit in units]
    for unit in units:
        if folders.count(unit.folder) > 1:
            raise BenchError(f"{unit.folder}: two results would go there; label the networks apart")
    return units


def is_finished(unit: Unit, *, overwrite: bool) -> bool:
    """Tell whether a unit's card is there already.

    Raises:
        BenchError: if what is there answers another question and may not be overwritten, or is not ours.
        OSError: if it cannot be read.
    """
    card = unit.folder / CARD
    if not card.exists():
        if (
            unit.folder.exists()
            and any(unit.folder.iterdir())
            and not (unit.folder / ASKED).exists()
        ):
            raise BenchError(
                f"{unit.folder}: is not empty and no result of this program; name another out"
            )
        return False
    if overwrite:
        return False
    try:
        if read_card(card).key == unit.key:
            return True
    except CardError as error:
        raise BenchError(f"{error}; overwrite it or name another out") from error
    told = "; ".join(_differences(unit)[:_SHOWN]) or "other settings"
    raise BenchError(f"{card}: was asked otherwise ({told}); overwrite it or name another out")


def write_asked(unit: Unit) -> None:
    """Note in a unit's folder what is asked.

    Raises:
        OSError: if it cannot be written.
    """
    content = {"key": unit.key, "asked": unit.asked}
    part = unit.folder / f"{ASKED}.part"
    part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    part.replace(unit.folder / ASKED)


def asked_key(folder: Path) -> str | None:
    """Return the key that a folder was begun with; None if it was not begun, or its note is damaged."""
    content = _read_asked(folder)
    key = content.get("key")
    return key if isinstance(key, str) else None


def _hash(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _asked(task: Task, network: Network, *, data: str, seed: int, final: bool) -> dict[str, Any]:
    facts = network.facts
    return {
        "version": __version__,
        "task": task.name,
        "kind": type(task).__name__,
        "settings": to_plain(task),
        "data": data,
        "backbone": facts.backbone,
        "weights": facts.weights if facts.weights == RANDOM else facts.sha256,
        "normalisation": to_plain(network.normalisation),
        "seed": seed,
        "final": final,
    }


def _folder_name(label: str) -> str:
    if not _LABEL.fullmatch(label):
        raise BenchError(
            f"label {label[:40]!r} names a folder: use letters, digits and . _ + @ = -"
        )
    return label


def _read_asked(folder: Path) -> dict[str, Any]:
    try:
        with (folder / ASKED).open("rb") as file:
            content = json.loads(file.read(2**22))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _differences(unit: Unit) -> list[str]:
    then = _read_asked(unit.folder).get("asked")
    before = dict(_flat(then, prefix="")) if isinstance(then, dict) else {}
    now = dict(_flat(unit.asked, prefix=""))
    return [
        f"{name}: {_short(before.get(name))} then, {_short(now.get(name))} now"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name) and before
    ]


def _flat(content: Mapping[str, Any], *, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, prefix=f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _short(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 24 else f"{text[:20]}..."
