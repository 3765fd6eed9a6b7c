"""Where the layout gets its objects from."""

from typing import Protocol, runtime_checkable

import numpy as np

from scenelift.render.furniture.builders import KINDS, Palette, build
from scenelift.render.scene import Furniture


@runtime_checkable
class FurnitureSource(Protocol):
    """Something that offers objects by kind."""

    @property
    def kinds(self) -> frozenset[str]:
        """What it can make."""
        ...

    def make(self, kind: str, *, rng: np.random.Generator, palette: Palette) -> Furniture | None:
        """Make or load one object, None if there is none that can be used; the result depends on the arguments alone."""
        ...


class ParametricSource:
    """Objects from the parametric builders."""

    @property
    def kinds(self) -> frozenset[str]:
        """What the builders make."""
        return frozenset(KINDS)

    def make(self, kind: str, *, rng: np.random.Generator, palette: Palette) -> Furniture:
        """Build one object in the colours of the room's palette."""
        return build(kind, rng=rng, palette=palette)
