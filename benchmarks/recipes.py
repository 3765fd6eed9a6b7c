"""Which tasks there are, what data each can use, and their two recipes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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


ENTRIES: tuple[Entry, ...] = ()
"""All tasks, in the order in which `all` runs them."""
