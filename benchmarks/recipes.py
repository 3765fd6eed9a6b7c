"""Which tasks there are, what data each can use, and their two recipes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scenelift.benchmarks import (
    edges,
    linear_probe,
    nyud,
    retrieval,
    voc_classification,
    voc_detection,
)
from scenelift.benchmarks.data_sets import Kind
from scenelift.benchmarks.task import Task

Recipe = Literal["desk", "paper"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One task of the command."""

    name: str
    kinds: tuple[Kind, ...]
    """Data sets that it can use; `all` takes each of them that is there."""
    desk: Callable[[], Task]
    """Minutes on two processor cores."""
    paper: Callable[[], Task]
    """As published."""
    about: str
    """One line for the help."""

    def make(self, recipe: Recipe) -> Task:
        """Return the task with a recipe's settings."""
        return self.desk() if recipe == "desk" else self.paper()


ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="probe",
        kinds=("imagenet", "places"),
        desk=linear_probe.desk,
        paper=linear_probe.paper,
        about="Linear classifiers and nearest neighbours on every layer of the frozen network.",
    ),
    Entry(
        name="voc-classification",
        kinds=("voc",),
        desk=voc_classification.desk,
        paper=voc_classification.paper,
        about="PASCAL VOC classes: machines on frozen features, and fine-tuning of fc8, fc6 to fc8 or all layers.",
    ),
    Entry(
        name="voc-detection",
        kinds=("voc",),
        desk=voc_detection.desk,
        paper=voc_detection.paper,
        about="PASCAL VOC objects by Fast R-CNN from proposals.",
    ),
    Entry(
        name="nyud",
        kinds=("nyud",),
        desk=nyud.desk,
        paper=nyud.paper,
        about="NYU Depth v2: surface normals, depth and segmentation by fine-tuning.",
    ),
    Entry(
        name="edges",
        kinds=("bsds",),
        desk=edges.desk,
        paper=edges.paper,
        about="Boundaries of BSDS500, or of any folder laid out like it: ODS, OIS and AP.",
    ),
    Entry(
        name="retrieval",
        kinds=("voc", "places"),
        desk=retrieval.desk,
        paper=retrieval.paper,
        about="Nearest neighbours of photos, drawn side by side for several networks.",
    ),
)
"""All tasks, in the order in which `all` runs them."""
