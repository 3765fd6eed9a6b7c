"""Whether two views of one scene show the same surfaces.

A point seen by one camera is either seen by the other, at the depth its pose predicts, or hidden behind something
nearer. If the other camera looks through the place where the point should be, a pose or a depth is wrong.
"""

from collections.abc import Iterator

import numpy as np

from scenelift.render.check_report import DEPTH_ERROR, SLACK, Fault, StoredView

TOLERANCE = 4 * DEPTH_ERROR + 10 * SLACK
"""Relative, on top of the range of depths in the three by three pixels around the point."""

ALLOWED_SHARE = 0.05
"""Share of points that may be seen through, or bear another id: things thinner than a pixel, surfaces that coincide."""

_STEP_PX = 3
"""Every so many rows and columns is tested."""
_LEAST_TESTED = 100


def check_pair(view: StoredView, other: StoredView) -> Iterator[Fault]:
    """Project the points of `view` into `other` and compare depths and ids."""
    z_depth_m = view.z_depth_m[::_STEP_PX, ::_STEP_PX].astype(np.float64)
    points_camera = view.rays()[::_STEP_PX, ::_STEP_PX] * z_depth_m[..., None]
    seen = (z_depth_m > 0) & np.isfinite(z_depth_m)
    points_camera = points_camera[seen]
    ids = view.instance[::_STEP_PX, ::_STEP_PX][seen]
    T_other_view = np.linalg.inv(other.T_world_camera) @ view.T_world_camera
    points_other = points_camera @ T_other_view[:3, :3].T + T_other_view[:3, 3]
    predicted_m = -points_other[:, 2]
    height, width = other.z_depth_m.shape
    with np.errstate(divide="ignore", invalid="ignore"):
        x = other.K[0, 0] * points_other[:, 0] / predicted_m + other.K[0, 2]
        y = -other.K[1, 1] * points_other[:, 1] / predicted_m + other.K[1, 2]
    inside = (predicted_m > 0.05) & (x >= 1) & (x < width - 1) & (y >= 1) & (y < height - 1)
    if inside.sum() < _LEAST_TESTED:
        return
    column, row = x[inside].astype(np.int64), y[inside].astype(np.int64)
    predicted_m, ids = predicted_m[inside], ids[inside]
    yield from _compare(view, other, column=column, row=row, predicted_m=predicted_m, ids=ids)


def _compare(
    view: StoredView,
    other: StoredView,
    *,
    column: np.ndarray,
    row: np.ndarray,
    predicted_m: np.ndarray,
    ids: np.ndarray,
) -> Iterator[Fault]:
    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    depths = np.stack([other.z_depth_m[row + dy, column + dx] for dy, dx in steps]).astype(
        np.float64
    )
    depths = np.where((depths > 0) & np.isfinite(depths), depths, np.inf)
    around = np.stack([other.instance[row + dy, column + dx] for dy, dx in steps])
    nearest, farthest = depths.min(axis=0), depths.max(axis=0)
    through = predicted_m < nearest * (1 - TOLERANCE)
    if through.mean() > ALLOWED_SHARE:
        yield Fault(
            frame=view.index,
            check="re-projection",
            value=float(through.mean()),
            bound=ALLOWED_SHARE,
            detail=f"frame {other.index} looks through {through.sum()} of {len(through)} points",
        )
    visible = ~through & (predicted_m <= farthest * (1 + TOLERANCE))
    visible &= (around == around[0]).all(axis=0)
    other_id = visible & (around[4] != ids)
    if visible.sum() >= _LEAST_TESTED and other_id.sum() > ALLOWED_SHARE * visible.sum():
        yield Fault(
            frame=view.index,
            check="id across views",
            value=float(other_id.sum() / visible.sum()),
            bound=ALLOWED_SHARE,
            detail=f"{other_id.sum()} of {visible.sum()} points bear another id in frame {other.index}",
        )
