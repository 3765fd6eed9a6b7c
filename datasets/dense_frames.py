"""What every layout of pictures with dense labels gives: frames by number, what its classes are called, and what went wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int16, Int64, Shaped

from scenelift.datasets.geometry import Frame, nearest_centres
from scenelift.datasets.nyu40 import NYU40_NAMES
from scenelift.datasets.store_schema import NORMAL_SCALE

DenseSplit = Literal["train", "val", "test"]
UNKNOWN_SCENE = -1
NYU40_CLASSES = NYU40_NAMES[1:]
"""Names of the ids from 1 on."""
MAX_DEPTH_M = 1000.0
"""Depth beyond this is in another unit, not far away."""

_MIN_LENGTH = 0.25
"""Shorter vectors are no normals: what is unknown is grey or black."""


class DenseError(ValueError):
    """Pictures with dense labels that cannot be found, read or decoded."""


class NoSplitError(DenseError):
    """A layout that does not have the split asked for."""


@runtime_checkable
class DenseFrames(Protocol):
    """Frames by number: `image` and any of `semantic`, `depth` and `normal`, all of the picture's size."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return what a message, or a list of scene labels, calls a frame."""
        ...

    def frame(self, index: int) -> Frame:
        """Read a frame."""
        ...

    def scene(self, index: int) -> int:
        """Return the number of its scene class, `UNKNOWN_SCENE` where nobody says."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class DenseLayout:
    """A split of a layout that was recognised."""

    title: str
    frames: DenseFrames
    scenes: tuple[str, ...]
    """Names of the scene classes; empty: there are no scene labels."""
    semantic_classes: tuple[str, ...]
    """Names of the ids 1, 2, ... of `semantic`."""
    pseudo: bool = False
    """Whether the scene labels are another network's answers."""


def pack_normals(normals: Float[np.ndarray, "h w 3"]) -> Int16[np.ndarray, "h w 3"]:
    """Bring normals to unit length and to int16, times 32767; what is too short or not finite becomes 0.

    >>> pack_normals(np.array([[[0.0, 0.0, 2.0], [0.0, 0.1, 0.0]]])).tolist()
    [[[0, 0, 32767], [0, 0, 0]]]
    """
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    known = np.isfinite(length) & (length >= _MIN_LENGTH)
    unit = np.where(known, normals, 0) / np.where(known, length, 1)
    return np.asarray(np.rint(unit * NORMAL_SCALE), np.int16)


def fit_labels(
    labels: Shaped[np.ndarray, "h w *c"], *, height: int, width: int, name: str
) -> Shaped[np.ndarray, "h2 w2 *c"]:
    """Bring labels to the picture's size by the nearest centre.

    Raises:
        DenseError: if their shapes differ by more than 2 %: they are not of the same view.
    """
    old_height, old_width = labels.shape[:2]
    if (old_height, old_width) == (height, width):
        return labels
    if abs(old_height * width - old_width * height) > 0.02 * old_width * height:
        raise DenseError(
            f"{name}: {old_width} x {old_height} values beside a picture of {width} x {height}: not the same view"
        )
    rows = nearest_centres(old_height, count=height)
    return np.asarray(labels[rows].take(nearest_centres(old_width, count=width), axis=1))


def chosen_share(count: int, *, share: float, seed: int) -> Int64[np.ndarray, " n"]:
    """Choose a share of samples: the first of a seeded permutation, so that a smaller share lies inside a larger one.

    Returns:
        Their numbers, in order; at least one.

    >>> small, large = (set(chosen_share(8, share=share, seed=1)) for share in (0.25, 0.5))
    >>> len(small), len(large), small < large
    (2, 4, True)

    Raises:
        DenseError: if the share is not above 0 and at most 1.
    """
    if not 0 < share <= 1:
        raise DenseError(f"share must be above 0 and at most 1, got {share}")
    order = np.random.default_rng([seed, count, 0x5A]).permutation(count)
    return np.sort(order[: max(1, round(share * count))])


def named_scene(name: str, scenes: Sequence[str]) -> int:
    """Return the number of a scene class among others, however it is spelt; `UNKNOWN_SCENE` if it is none of them.

    >>> scenes = ("bedroom", "living_room", "corridor")
    >>> [named_scene(name, scenes) for name in ("living room", "child room", "hallway", "kitchen")]
    [1, 0, 2, -1]
    """
    spelt = [scene.lower().replace("_", " ") for scene in scenes]
    wanted = name.lower().replace("_", " ")
    for candidate in (wanted, *_ALIKE.get(wanted, ())):
        if candidate in spelt:
            return spelt.index(candidate)
    return UNKNOWN_SCENE


_ALIKE: dict[str, tuple[str, ...]] = {
    "child room": ("bedroom",),
    "hallway": ("corridor", "lobby"),
    "hall": ("corridor", "lobby"),
    "toilet": ("bathroom",),
    "study": ("office",),
    "home office": ("office",),
}
"""What a room may count as where its own class is missing, in order of preference."""
