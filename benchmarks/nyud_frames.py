"""Training frames of NYU Depth v2 in memory at the size that a network sees, and what can be said without looking at a picture."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float16, Float32, Int64, UInt8
from torch import Tensor

from scenelift.benchmarks.nyud_constants import ConstantMaps, constants_of
from scenelift.benchmarks.nyud_judge import Answer, Truth, read_truth
from scenelift.datasets.geometry import Frame, resize_frame
from scenelift.datasets.nyud import INSIDE, NyudSource

_WORKERS = 2
_IDS = 41


@dataclass(frozen=True, kw_only=True, slots=True)
class Lessons:
    """Pictures and labels within the white frame, all of one size."""

    image: UInt8[Tensor, "n 3 h w"]
    z_depth_m: Float16[Tensor, "n 1 h w"]
    """0 unknown."""
    normal: Float16[Tensor, "n 3 h w"] | None
    """Camera frame, 0 unknown; None: not asked for."""
    semantic: UInt8[Tensor, "n h w"]
    """NYU40, 0 unknown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Constants:
    """The best answers that look at no picture."""

    maps: ConstantMaps
    classes: dict[int, Int64[np.ndarray, "h w"]]
    """The commonest class of each pixel, by number of classes."""
    taught: Bool[np.ndarray, " 41"]
    """Which NYU40 ids have a labelled pixel in the training frames."""

    def answer(self, *, like: Answer) -> Answer:
        """Say what another says."""
        has_depth = like.z_depth_m is not None
        return Answer(
            z_depth_m=self.maps.z_depth_m if has_depth else None,
            relative_depth=self.maps.relative_depth if has_depth else None,
            normal=self.maps.normal if like.normal is not None else None,
            classes={number: self.classes[number] for number in like.classes or {}},
        )


def read_lessons(
    frames: NyudSource,
    *,
    indices: Sequence[int],
    resize_px: int,
    normal: bool,
    classes: bool,
    progress: Callable[[int], None],
) -> tuple[Lessons, Constants]:
    """Read frames once.

    Args:
        frames: The training split.
        indices: Which of them.
        resize_px: Shorter side of what is kept; constants are learnt at full size.
        normal: Whether normals are wanted: deriving them takes most of the time.
        classes: Whether classes are wanted; the official release may lack them.
        progress: Called with how many frames are done.

    Raises:
        NyudError: if a frame cannot be read.
    """
    small: list[Frame] = []
    counts = {40: _Counts(41), 13: _Counts(14)}
    to_13 = np.array(frames.nyu40_to_13)

    def read(index: int) -> tuple[Truth, UInt8[np.ndarray, "h w"]]:
        truth = read_truth(frames, index, normal=normal)
        if not classes:
            return truth, np.zeros(truth.z_depth_m.shape, np.uint8)
        return truth, frames.semantic(index)[INSIDE]

    def each() -> Iterator[tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w 3"]]]:
        with ThreadPoolExecutor(_WORKERS) as pool:
            for done, (truth, semantic) in enumerate(pool.map(read, indices), 1):
                small.append(_small(truth, semantic, resize_px=resize_px))
                counts[40].add(semantic)
                counts[13].add(to_13[semantic])
                progress(done)
                nothing = np.zeros((*truth.z_depth_m.shape, 3), np.float32)
                yield truth.z_depth_m, nothing if truth.normal is None else truth.normal

    maps = constants_of(each())
    lessons = Lessons(
        image=_planes(small, "image"),
        z_depth_m=_planes(small, "depth"),
        normal=_planes(small, "normal") if normal else None,
        semantic=torch.from_numpy(np.stack([frame["semantic"] for frame in small])),
    )
    constants = Constants(
        maps=maps,
        classes={number: count.commonest() for number, count in counts.items()},
        taught=counts[40].seen(),
    )
    return lessons, constants


def read_all_truth(
    frames: NyudSource, index: int, *, normal: bool, classes: bool, constants: Constants
) -> Truth:
    """Read a frame to be judged; a pixel of a class that no training frame shows is unknown.

    Raises:
        NyudError: if it cannot be read.
    """
    truth = read_truth(frames, index, normal=normal)
    if not classes:
        return truth
    semantic = frames.semantic(index)[INSIDE]
    semantic = np.where(constants.taught[semantic], semantic, 0).astype(np.uint8)
    to_13 = np.array(frames.nyu40_to_13, np.uint8)
    return Truth(
        image=truth.image,
        z_depth_m=truth.z_depth_m,
        normal=truth.normal,
        classes={40: semantic, 13: to_13[semantic]},
    )


class _Counts:
    """How often each class lies at each pixel."""

    def __init__(self, num: int) -> None:
        self._num = num
        self._counts: Int64[np.ndarray, "pixels ids"] | None = None
        self._shape = (0, 0)

    def add(self, semantic: np.ndarray) -> None:
        if self._counts is None:
            self._shape = (semantic.shape[0], semantic.shape[1])
            self._counts = np.zeros((semantic.size, self._num), np.int64)
        self._counts[np.arange(semantic.size), semantic.ravel()] += 1

    def commonest(self) -> Int64[np.ndarray, "h w"]:
        """Return it; where nothing is labelled, the commonest of all."""
        if self._counts is None:
            raise ValueError("no frame was counted")
        known = self._counts[:, 1:]
        best = np.where(known.any(axis=1), known.argmax(axis=1), known.sum(axis=0).argmax())
        return np.asarray(best.reshape(self._shape) + 1, np.int64)

    def seen(self) -> Bool[np.ndarray, " ids"]:
        """Return which ids occur; 0, unknown, is not one."""
        if self._counts is None:
            raise ValueError("no frame was counted")
        found = self._counts.sum(axis=0) > 0
        found[0] = False
        return np.asarray(found)


def _small(truth: Truth, semantic: UInt8[np.ndarray, "h w"], *, resize_px: int) -> Frame:
    frame: Frame = {
        "image": truth.image,
        "depth": truth.z_depth_m.astype(np.float16),
        "semantic": semantic,
    }
    if truth.normal is not None:
        frame["normal"] = truth.normal.astype(np.float16)
    return resize_frame(frame, resize_px=resize_px)


def _planes(frames: Sequence[Frame], name: str) -> Tensor:
    stacked = np.stack([frame[name] for frame in frames])  # type: ignore[index]
    if stacked.ndim == 3:
        return torch.from_numpy(stacked)[:, None]
    return torch.from_numpy(np.ascontiguousarray(stacked.transpose(0, 3, 1, 2)))
