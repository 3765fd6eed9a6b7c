"""Published figures of this literature, each with what it is known from.

`poster`: the poster of Ren and Lee (CVPR 2018). `confirmed`: read in the authors' repository. `H`, `M` and `L` are recollections of
papers with high, medium and low confidence; nobody has checked them against the paper, and tables print them as unverified.
"""

import json
from dataclasses import dataclass, field
from importlib import resources
from typing import Literal

from scenelift.adapt.plain import from_plain

Evidence = Literal["poster", "confirmed", "H", "M", "L"]

TABLES = (
    "imagenet_probe",
    "imagenet_best_layer",
    "voc",
    "ablation",
    "nyud_normals",
)
"""Files in `tables/`, in the order in which a report prints them."""
GAUSSIAN = "Gaussian"
IMAGENET_LABELS = "ImageNet labels"


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One published figure."""

    name: str
    unit: str
    better: Literal["higher", "lower"]
    definition: str
    figure: str = ""
    """The name of the figure of ours that has this very definition; empty if none has."""
    layer: str = ""
    group: str = ""
    near: dict[str, str] = field(default_factory=dict)
    """`task`, `figure` and `group` of the figure of ours that comes nearest, where the published definition is not certain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedRow:
    """One network of the literature."""

    method: str
    values: tuple[float | None, ...]
    """One a column; None where nothing was published."""
    evidence: Evidence
    learnt_from: str
    labels: dict[str, str] = field(default_factory=dict)
    """Further columns of words: crops, ground truth, tasks."""
    note: str = ""
    marks: dict[str, Evidence] = field(default_factory=dict)
    """Evidence of single columns where it differs from the row's."""

    def evidence_of(self, column: Column) -> Evidence:
        """Return what a single value is known from."""
        return self.marks.get(column.name, self.evidence)


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedTable:
    """A table of the literature."""

    title: str
    task: str
    data: str
    """What `DataFingerprint.name` would have to be for figures to compare."""
    num_test: int
    """Number of test pictures."""
    columns: tuple[Column, ...]
    rows: tuple[PublishedRow, ...]
    notes: tuple[str, ...]

    def row(self, method: str) -> PublishedRow | None:
        """Find the first row of a method."""
        return next((row for row in self.rows if row.method == method), None)


def published_table(name: str) -> PublishedTable:
    """Read a table.

    Args:
        name: One of `TABLES`.

    >>> published_table("voc").row("Ren & Lee").values
    (68.0, 52.6, 50.0, None)
    """
    text = (resources.files("scenelift.benchmarks") / "tables" / f"{name}.json").read_text("utf-8")
    return from_plain(PublishedTable, json.loads(text))


def say_evidence(evidence: Evidence) -> str:
    """Say what a figure is known from, in a table's cell.

    >>> say_evidence("poster"), say_evidence("M")
    ('poster', 'unverified, M')
    """
    return evidence if evidence in ("poster", "confirmed") else f"unverified, {evidence}"
