"""The best answers that look at no picture: one depth and one normal for each pixel, learnt from training frames."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from scenelift.datasets.nyud import INSIDE, NyudSource

_WORKERS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class ConstantMaps:
    """What a network has to beat, within the white frame."""

    z_depth_m: Float32[np.ndarray, "h w"]
    """Of least mean relative error in metres."""
    relative_depth: Float32[np.ndarray, "h w"]
    """The same for depth divided by its frame's median: for comparisons after alignment of scale."""
    normal: Float32[np.ndarray, "h w 3"]
    """The mean normal, unit."""


def learn_constants(frames: NyudSource, *, indices: Iterable[int]) -> ConstantMaps:
    """Learn the maps from frames.

    Args:
        frames: The training split.
        indices: Which of them.

    Raises:
        NyudError: if a frame cannot be read.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        return constants_of(
            pool.map(lambda i: (frames.z_depth_m(i)[INSIDE], frames.normal(i)[INSIDE]), indices)
        )


def constants_of(
    truths: Iterable[tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w 3"]]],
) -> ConstantMaps:
    """Learn the maps from depth (metres, 0 unknown) and normals ((0, 0, 0) unknown) of frames, at least one."""
    all_depths: list[Float32[np.ndarray, "h w"]] = []
    normal: Float[np.ndarray, "h w 3"] | None = None
    for z_depth_m, known in truths:
        all_depths.append(z_depth_m)
        normal = known.astype(np.float64) if normal is None else normal + known
    if normal is None:
        raise ValueError("constants need at least one frame")
    depths = np.stack(all_depths)
    medians = np.array([np.median(d[d > 0]) if (d > 0).any() else 1.0 for d in depths], np.float32)
    return ConstantMaps(
        z_depth_m=least_relative_error(depths, valid=depths > 0),
        relative_depth=least_relative_error(depths / medians[:, None, None], valid=depths > 0),
        normal=_unit(normal).astype(np.float32),
    )


def least_relative_error(
    depths: Float32[np.ndarray, "n h w"], *, valid: Bool[np.ndarray, "n h w"]
) -> Float32[np.ndarray, "h w"]:
    """Return for each pixel the constant c of least sum of |c - d| / d: the median with weights 1 / d.

    Where no frame is valid it is the median of all that is.

    >>> depths = np.array([1.0, 2.0, 3.0, 4.0], np.float32).reshape(4, 1, 1)
    >>> least_relative_error(depths, valid=depths > 0).item()
    2.0
    """
    rest = float(np.median(depths[valid])) if valid.any() else 1.0
    found = np.full(depths.shape[1:], rest, np.float32)
    for row in range(depths.shape[1]):
        known = valid[:, row]
        values = np.where(known, depths[:, row], np.inf)
        values.sort(axis=0)
        weights = np.cumsum(np.where(np.isfinite(values), 1 / values, 0), axis=0)
        place = (weights < weights[-1:] / 2).sum(axis=0)
        middle = np.take_along_axis(values, place.clip(max=len(values) - 1)[None], axis=0)[0]
        some = known.any(axis=0)
        found[row, some] = middle[some]
    return found


def _unit(vectors: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    """Bring vectors to unit length; towards the viewer where there is none."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 0, vectors / np.where(length > 0, length, 1), [0.0, 0.0, 1.0])
