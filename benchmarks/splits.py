"""Which pictures are learnt from, selected on and judged, where a layout lacks a split."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from scenelift.benchmarks.task import BenchError

SELECTION_SHARE = 5
"""A fifth of `train` is held out where `val` is missing or serves as the locked test."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Roles:
    """Which split of a layout plays which part."""

    train: str
    """Learnt from while settings are selected."""
    selection: str | None
    """Judged while settings are selected; None: a seeded fifth of `train`."""
    test: str
    """Locked until `--final`; then `train` and `selection` together are learnt from."""
    note: str


def assign_roles(available: Collection[str]) -> Roles:
    """Choose the roles by the splits that a layout has.

    Raises:
        BenchError: if it has no `train`, or nothing to judge on.

    >>> assign_roles({"train", "val", "test"}).selection
    'val'
    >>> assign_roles({"train", "val"}).test
    'val'
    """
    if "train" not in available:
        raise BenchError(f"no split train; there are {', '.join(sorted(available)) or 'none'}")
    if "test" in available and "val" in available:
        return Roles(train="train", selection="val", test="test", note="")
    test = "test" if "test" in available else "val"
    if test not in available:
        raise BenchError("neither a split test nor val: nothing to judge on")
    note = f"{test} is the locked test; a seeded fifth of train serves for selection"
    return Roles(train="train", selection=None, test=test, note=note)


def hold_out(names: Sequence[str], *, seed: int) -> tuple[list[str], list[str]]:
    """Split a list in two: four fifths to learn from, one fifth to select on, each in the list's order.

    >>> [len(part) for part in hold_out([str(i) for i in range(10)], seed=0)]
    [8, 2]
    """
    count = max(1, len(names) // SELECTION_SHARE)
    chosen = set(np.random.default_rng(seed).permutation(len(names))[:count].tolist())
    kept = [name for place, name in enumerate(names) if place not in chosen]
    return kept, [name for place, name in enumerate(names) if place in chosen]
