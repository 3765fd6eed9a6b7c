"""Reading cards, and putting together those that answer one question: one table each."""

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from scenelift.benchmarks.card import (
    Card,
    CardError,
    DataFingerprint,
    Figure,
    NetworkFacts,
    read_card,
)
from scenelift.benchmarks.network import RANDOM
from scenelift.benchmarks.statistics import Mean, mean_with_interval, paired_difference
from scenelift.benchmarks.suite import CARD

_MAX_CARDS = 20_000
_MIN_SHARED = 24
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class FigureKey:
    """Which figure of a card."""

    group: str
    layer: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """A card and where it lies."""

    card: Card
    folder: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One network's answers to one question."""

    label: str
    facts: NetworkFacts
    """Those of the first seed."""
    by_seed: dict[int, Found]

    @property
    def is_random(self) -> bool:
        """Whether the network learnt nothing."""
        return self.facts.weights == RANDOM

    def values(self, key: FigureKey) -> dict[int, float]:
        """Return a figure by seed."""
        return {
            seed: figure.value
            for seed, found in self.by_seed.items()
            for figure in found.card.outcome.figures
            if key_of(figure) == key
        }

    def mean(self, key: FigureKey) -> Mean | None:
        """Return a figure over seeds; None if no card has it."""
        values = self.values(key)
        return mean_with_interval(list(values.values())) if values else None

    def minus(self, other: "Result", key: FigureKey) -> Mean | None:
        """Return how far a figure lies above another network's, over the seeds that both have."""
        return paired_difference(self.values(key), other.values(key))


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """All answers to one question: one task with its settings, data and split."""

    task: str
    data: DataFingerprint
    split: Literal["selection", "test"]
    question: str
    results: tuple[Result, ...]
    """Random networks first."""

    @property
    def title(self) -> str:
        """Task and data."""
        return f"{self.task} on {self.data.name}"

    def figures(self) -> dict[FigureKey, Figure]:
        """Return each figure once, with the definition that all cards share."""
        found: dict[FigureKey, list[Figure]] = {}
        for result in self.results:
            for one in result.by_seed.values():
                for figure in one.card.outcome.figures:
                    found.setdefault(key_of(figure), []).append(figure)
        return {
            key: replace(same[0], definition=shared_definition([f.definition for f in same]))
            for key, same in found.items()
        }

    def notes(self) -> list[str]:
        """Return what readers must know, each once."""
        notes = [
            note
            for result in self.results
            for one in result.by_seed.values()
            for note in one.card.outcome.notes
        ]
        return list(dict.fromkeys([*([self.data.note] if self.data.note else []), *notes]))


def key_of(figure: Figure) -> FigureKey:
    """Return which figure it is."""
    return FigureKey(group=figure.group, layer=figure.layer, name=figure.name)


def shared_definition(definitions: Sequence[str]) -> str:
    """Return what several cards' words for one figure share, if they differ only in facts of their own at the end.

    >>> shared_definition(["Share of right answers; interval 1 to 2.", "Share of right answers; interval 1 to 3."])
    'Share of right answers.'
    >>> shared_definition(["Mean.", "Median."])
    'Mean. Or: Median.'
    """
    different = list(dict.fromkeys(definitions))
    if len(different) == 1:
        return different[0]
    shared = os.path.commonprefix(different)  # noqa: RUF071 letters are meant
    end = max(shared.rfind(mark) for mark in (";", ".", ","))
    if end < min(_MIN_SHARED, len(min(different, key=len)) // 2):
        return " Or: ".join(different[:3])
    return shared[:end].rstrip(" ;,.") + "."


def find_cards(folders: Sequence[Path]) -> tuple[list[Found], list[str]]:
    """Read every card below some folders, in the order of their paths.

    Returns:
        Cards, and what could not be read, a sentence each.

    Raises:
        CardError: if a folder does not exist, or there is no card at all.
        OSError: if a folder cannot be listed.
    """
    found: list[Found] = []
    troubles: list[str] = []
    for path in dict.fromkeys(path.resolve() for folder in folders for path in _card_files(folder)):
        try:
            found.append(Found(card=read_card(path), folder=path.parent))
        except (CardError, OSError) as error:
            troubles.append(" ".join(str(error).split())[:300])
    if not found:
        told = f"; {troubles[0]}" if troubles else ""
        raise CardError(f"{', '.join(map(str, folders))}: no card below{told}")
    return found, troubles


def group_cards(cards: Sequence[Found]) -> tuple[list[Group], list[str]]:
    """Put cards together by question, then by network.

    Returns:
        Groups in the order of tasks and data, and what was left out, a sentence each.
    """
    groups: dict[tuple[str, ...], dict[tuple[str, ...], list[Found]]] = {}
    for found in cards:
        card = found.card
        question = (
            card.task,
            card.outcome.data.name,
            card.outcome.data.sha256,
            card.split,
            card.question,
        )
        facts = card.network
        network = (facts.label, facts.backbone, facts.sha256 or facts.weights)
        groups.setdefault(question, {}).setdefault(network, []).append(found)
    told: list[str] = []
    made = [_group(networks, told=told) for networks in groups.values()]
    return sorted(made, key=lambda g: (g.task, g.data.name, g.split == "test")), told


def _group(networks: dict[tuple[str, ...], list[Found]], *, told: list[str]) -> Group:
    labels = [label for label, *_ in networks]
    results = []
    for (label, backbone, sha256), found in networks.items():
        by_seed: dict[int, Found] = {}
        for one in found:
            if one.card.seed in by_seed:
                told.append(
                    f"{one.folder}: a second card of this question, network and seed; left out"
                )
            else:
                by_seed[one.card.seed] = one
        facts = found[0].card.network
        apart = label if labels.count(label) == 1 else f"{label} ({backbone}, {sha256[:8]})"
        results.append(Result(label=apart, facts=facts, by_seed=dict(sorted(by_seed.items()))))
    results.sort(key=lambda result: not result.is_random)
    card = results[0].by_seed[min(results[0].by_seed)].card
    return Group(
        task=card.task,
        data=card.outcome.data,
        split=card.split,
        question=card.question,
        results=tuple(results),
    )


def _card_files(folder: Path) -> Iterator[Path]:
    if folder.name == CARD and folder.is_file():
        yield folder
        return
    if not folder.is_dir():
        raise CardError(f"{folder}: does not exist, or is no folder")
    count = 0
    for below, folders, files in os.walk(folder):
        folders.sort()
        if CARD in files:
            count += 1
            if count > _MAX_CARDS:
                _logger.warning("%s: over %d cards; the rest is left out", folder, _MAX_CARDS)
                return
            yield Path(below, CARD)
