"""What several families of small things share."""

import numpy as np

from scenelift.render.furniture.builders.parts import pick
from scenelift.render.furniture.palette import Palette
from scenelift.render.furniture.pieces import Piece, assemble
from scenelift.render.furniture.shapes import (
    Shape,
    tube,
)
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Furniture


def on_surface(pieces: list[Piece], *, kind: str) -> Furniture:
    """Put pieces together into a thing that stands on other things."""
    return assemble(pieces, kind=kind, semantic="otherprop", mount="surface")


def china(rng: np.random.Generator, palette: Palette) -> Finish:
    """Draw the glaze of a dish."""
    return pick(
        rng, (palette.ceramic, palette.ceramic, palette.pot, palette.bolds[0], palette.bolds[1])
    )


def cup_handle(r: float, low: float, high: float, *, reach: float) -> Shape:
    """Make the ear of a cup at radius r between two heights, towards +x."""
    t = np.linspace(-np.pi / 2, np.pi / 2, 8)
    middle, half = (low + high) / 2, (high - low) / 2
    path = np.stack([r - 0.003 + reach * np.cos(t), middle + half * np.sin(t), 0 * t], axis=1)
    return tube(path, radius=0.0045, segments=7)
