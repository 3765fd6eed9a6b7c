"""Segmentation, depth and normals of whole frames, judged over a split: what a network says, and the best answer that looks at none.

Figures are pooled over all labelled pixels of all frames: `segmentation/miou` and `segmentation/pixel_accuracy` in per cent;
`depth/mean_error` and `depth/rmse` in metres, `depth/abs_rel`, `depth/delta1` in per cent; `normal/mean` and `normal/median` in degrees,
`normal/below_11.25`, ... in per cent. Depth is metric: nothing is aligned to the truth.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.benchmarks.metrics.depth import (
    DepthSums,
    depth_metrics,
    depth_sums,
    join_depth_sums,
)
from scenelift.benchmarks.metrics.normals import (
    NormalSums,
    join_normal_sums,
    normal_metrics,
    normal_sums,
)
from scenelift.benchmarks.metrics.segmentation import (
    SegmentationSums,
    join_segmentation_sums,
    segmentation_metrics,
    segmentation_sums,
)
from scenelift.benchmarks.nyud_constants import constants_of
from scenelift.benchmarks.squares import through_squares
from scenelift.datasets.geometry import Frame, resize_frame
from scenelift.datasets.loaders import Source
from scenelift.datasets.store_schema import NORMAL_SCALE

FIGURES: Mapping[str, bool] = {
    "segmentation/miou": True,
    "segmentation/pixel_accuracy": True,
    "depth/mean_error": False,
    "depth/abs_rel": False,
    "depth/rmse": False,
    "depth/delta1": True,
    "normal/mean": False,
    "normal/median": False,
    "normal/below_11.25": True,
    "normal/below_30": True,
}
"""Which are told, and whether more is better."""

_MIN_DEPTH_M = 0.1
_BATCH = 16

Maps = Mapping[str, Float[Tensor, "n _ h w"]]
"""By task: `segmentation` logits of the classes 1, 2, ...; `depth` metres; `normal` of any length, camera frame."""
Answer = Callable[[UInt8[Tensor, "n 3 h w"]], Maps]
"""From squares of pictures to maps of their size."""


def judge_split(answer: Answer, source: Source, *, num_classes: int, side: int) -> dict[str, float]:
    """Ask a network about every frame, in squares of the side that it learnt from, blended where they overlap.

    Args:
        answer: The network.
        source: The frames, of one size.
        num_classes: Of the segmentation.
        side: Of the squares, in pixels; frames are brought to it by their shorter side, and judged there.

    Returns:
        The figures of the tasks that are answered.

    Raises:
        ValueError: if a frame cannot be read or an answer is not finite.
    """
    judge = _Judge(num_classes=num_classes)
    for start in range(0, len(source), _BATCH):
        indices = range(start, min(start + _BATCH, len(source)))
        frames = [resize_frame(source.frame(index), resize_px=side) for index in indices]
        images = torch.from_numpy(np.stack([frame["image"] for frame in frames])).permute(
            0, 3, 1, 2
        )
        for frame, maps in zip(frames, whole_maps(answer, images, side=side), strict=True):
            judge.add(frame, maps)
    return judge.figures()


def judge_constants(
    train: Source, test: Source, *, num_classes: int, tasks: Iterable[str], resize_px: int
) -> dict[str, float]:
    """Judge the best answers that look at no picture: of each pixel the commonest class, one depth and one normal of training.

    Args:
        train: What they are learnt from; frames of one size.
        test: The frames, of the same size.
        num_classes: Of the segmentation.
        tasks: Which figures are wanted.
        resize_px: Shorter side of the frames that are compared.

    Raises:
        ValueError: if frames cannot be read.
    """
    height, width = resize_frame(train.frame(0), resize_px=resize_px)["image"].shape[:2]
    counts = np.zeros((num_classes + 1, height, width), np.int32)
    rows, columns = np.mgrid[:height, :width]

    def truths() -> Iterator[tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w 3"]]]:
        for index in range(len(train)):
            frame = resize_frame(train.frame(index), resize_px=resize_px)
            counts[frame["semantic"], rows, columns] += 1
            yield frame["depth"], unit_normals(frame)

    constant = constants_of(truths())
    counts[0] = 0
    # Where no frame is labelled: the commonest class of all.
    counts[counts.sum(axis=(1, 2)).argmax()] += counts.sum(axis=0) == 0
    said: dict[str, np.ndarray] = {
        "segmentation": np.eye(num_classes, dtype=np.float32)[counts.argmax(axis=0) - 1].transpose(
            2, 0, 1
        ),
        "depth": constant.z_depth_m[None],
        "normal": constant.normal.transpose(2, 0, 1),
    }
    maps = {task: torch.from_numpy(np.ascontiguousarray(said[task])) for task in tasks}
    judge = _Judge(num_classes=num_classes)
    for index in range(len(test)):
        judge.add(resize_frame(test.frame(index), resize_px=resize_px), maps)
    return judge.figures()


class _Judge:
    """The errors of frames, one by one."""

    def __init__(self, *, num_classes: int) -> None:
        self._num_classes = num_classes
        self._classes: list[SegmentationSums] = []
        self._depth: list[DepthSums] = []
        self._normal: list[NormalSums] = []
        self._error_m: list[tuple[float, int]] = []

    def add(self, frame: Frame, maps: Mapping[str, Float[Tensor, "_ h w"]]) -> None:
        """Judge what is said of a frame."""
        if "segmentation" in maps:
            told = maps["segmentation"].argmax(dim=0).numpy() + 1
            self._classes.append(
                segmentation_sums(told, frame["semantic"], num_classes=self._num_classes)
            )
        if "depth" in maps:
            depth_m, valid = frame["depth"], frame["depth"] > 0
            said_m = maps["depth"][0].clamp(min=_MIN_DEPTH_M).numpy()
            self._depth.append(depth_sums(said_m, depth_m, valid=valid))
            error_m = np.abs(said_m[valid].astype(np.float64) - depth_m[valid])
            self._error_m.append((float(error_m.sum()), error_m.size))
        if "normal" in maps:
            known = (frame["normal"] != 0).any(axis=-1)
            said = np.ascontiguousarray(maps["normal"].permute(1, 2, 0).numpy())
            self._normal.append(normal_sums(said, unit_normals(frame), valid=known))

    def figures(self) -> dict[str, float]:
        """Pool all frames."""
        found: dict[str, float] = {}
        if self._classes:
            once = np.ones((1, len(self._classes)))
            pooled = segmentation_metrics(join_segmentation_sums(self._classes), once)
            found |= {f"segmentation/{name}": float(value[0]) for name, value in pooled.items()}
        if self._depth:
            once = np.ones((1, len(self._depth)))
            pooled = depth_metrics(join_depth_sums(self._depth), once)
            found |= {f"depth/{name}": float(value[0]) for name, value in pooled.items()}
            total_m, count = (sum(values) for values in zip(*self._error_m, strict=True))
            found["depth/mean_error"] = total_m / count if count else math.nan
        if self._normal:
            once = np.ones((1, len(self._normal)))
            pooled = normal_metrics(join_normal_sums(self._normal), once)
            found |= {f"normal/{name}": float(value[0]) for name, value in pooled.items()}
        return {name: found[name] for name in FIGURES if name in found}


def whole_maps(
    answer: Answer, images: UInt8[Tensor, "n 3 h w"], *, side: int
) -> list[dict[str, Float[Tensor, "_ h w"]]]:
    """Answer pictures of any shape through squares; classes become probabilities and normals unit before they are blended."""

    def squares(part: Float[Tensor, "n 3 s s"]) -> dict[str, Float[Tensor, "n _ s s"]]:
        maps = {task: map_.float().cpu() for task, map_ in answer(part.to(torch.uint8)).items()}
        if "segmentation" in maps:
            maps["segmentation"] = maps["segmentation"].softmax(dim=1)
        if "normal" in maps:
            maps["normal"] = F.normalize(maps["normal"], dim=1)
        return maps

    maps = through_squares(squares, images.float(), side=side)
    return [{task: map_[index] for task, map_ in maps.items()} for index in range(len(images))]


def unit_normals(frame: Frame) -> Float32[np.ndarray, "h w 3"]:
    """Return a frame's normals as numbers from -1 to 1; (0, 0, 0) unknown."""
    return np.asarray(frame["normal"] / np.float32(NORMAL_SCALE), np.float32)
