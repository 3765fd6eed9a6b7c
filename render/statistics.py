"""The figures of a file that a trainer normalises by, gathered frame by frame in constant memory."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64, Shaped

from scenelift.datasets.nyu40 import NYU40_NAMES
from scenelift.datasets.store import Channel, Reader

DEPTH_EDGES_M = np.geomspace(0.01, 1000, 1001)
"""Borders of the bins of the depth histogram, 1.16 % wide."""
_BANDS_M = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, np.inf)
_PERCENTILES = (0.1, 1, 5, 25, 50, 75, 95, 99, 99.9)
_EDGE_NAMES = {1: "instance boundary", 2: "occlusion", 4: "crease", 8: "texture"}
_SURFACES = ("up (floors, tops)", "down (ceilings)", "upright (walls)", "slanted")
_DIRECTIONS = ("towards the camera", "left", "right", "up", "down")


@dataclass(frozen=True, kw_only=True, slots=True)
class EdgeShare:
    """Share of a frame's pixels with an edge bit, over frames."""

    mean: float
    low: float
    """5th percentile."""
    high: float
    """95th percentile."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Statistics:
    """Figures over all pixels of a file; shares are between 0 and 1, of the valid pixels where they need a surface."""

    frames: int
    depth_percentiles_m: Mapping[str, float]
    """Read off a histogram whose bins are 1.16 % wide."""
    depth_mean_m: float
    depth_bands: Mapping[str, float]
    depth_histogram: tuple[int, ...]
    """Pixels by bin; the borders are `DEPTH_EDGES_M`."""
    invalid_share: float
    image_mean: tuple[float, float, float]
    """Red, green, blue of the sRGB values, scaled to [0, 1]."""
    image_std: tuple[float, float, float]
    black_share: float
    """Pixels whose three values are at most 2."""
    white_share: float
    """Pixels whose three values are at least 253."""
    surface_shares: Mapping[str, float]
    normal_shares: Mapping[str, float]
    edges: Mapping[str, EdgeShare]
    class_shares: Mapping[str, float]
    """By NYU40 name, the commonest first."""
    instances_mean: float
    instances_least: int
    instances_most: int

    def as_json(self) -> dict[str, object]:
        """Return the figures as plain values."""
        return {
            **asdict(self),
            "depth_histogram_edges_m": [round(e, 6) for e in DEPTH_EDGES_M.tolist()],
        }


@dataclass(slots=True, kw_only=True)
class _Sums:
    """Running totals; whole numbers, so that their order does not matter."""

    pixels: int = 0
    valid: int = 0
    depth_m: float = 0.0
    depth_bins: Int64[np.ndarray, " bins"] = field(
        default_factory=lambda: np.zeros(len(DEPTH_EDGES_M) - 1, np.int64)
    )
    bands: Int64[np.ndarray, " bands"] = field(
        default_factory=lambda: np.zeros(len(_BANDS_M) - 1, np.int64)
    )
    colours: Int64[np.ndarray, "3 256"] = field(
        default_factory=lambda: np.zeros((3, 256), np.int64)
    )
    black: int = 0
    white: int = 0
    surfaces: Int64[np.ndarray, " kinds"] = field(
        default_factory=lambda: np.zeros(len(_SURFACES), np.int64)
    )
    directions: Int64[np.ndarray, " kinds"] = field(
        default_factory=lambda: np.zeros(len(_DIRECTIONS), np.int64)
    )
    classes: Int64[np.ndarray, " 256"] = field(default_factory=lambda: np.zeros(256, np.int64))
    edges: list[list[float]] = field(default_factory=list)
    instances: list[int] = field(default_factory=list)


def measure(path: Path) -> Statistics:
    """Read every frame of a file once and gather its figures.

    Raises:
        StoreError: if the file is not sound.
    """
    reader = Reader(path)
    sums = _Sums()
    try:
        _, poses = reader.cameras()
        for index in range(len(reader)):
            _add(sums, reader.read(index), T_world_camera=poses[index])
    finally:
        reader.close()
    return _finish(sums)


def _add(
    sums: _Sums,
    frame: dict[Channel, Shaped[np.ndarray, "..."]],
    *,
    T_world_camera: Float64[np.ndarray, "4 4"],
) -> None:
    image, z_depth_m = frame["image"], frame["depth"]
    valid = z_depth_m > 0
    depth = z_depth_m[valid].astype(np.float64)
    sums.pixels += z_depth_m.size
    sums.valid += len(depth)
    sums.depth_m += float(depth.sum())
    sums.depth_bins += np.histogram(
        np.clip(depth, DEPTH_EDGES_M[0], DEPTH_EDGES_M[-1]), DEPTH_EDGES_M
    )[0]
    sums.bands += np.histogram(depth, np.array(_BANDS_M))[0]
    for component in range(3):
        sums.colours[component] += np.bincount(image[..., component].ravel(), minlength=256)
    sums.black += int((image <= 2).all(axis=-1).sum())
    sums.white += int((image >= 253).all(axis=-1).sum())
    normal = frame["normal"][valid]
    sums.surfaces += _surfaces(normal @ T_world_camera[1, :3].astype(np.float32))
    sums.directions += _directions(normal)
    sums.classes += np.bincount(frame["semantic"].ravel(), minlength=256)
    edge = frame["edge"]
    sums.edges.append([float(((edge & bit) != 0).mean()) for bit in _EDGE_NAMES])
    sums.instances.append(int(np.count_nonzero(np.bincount(frame["instance"].ravel())[1:])))


def _surfaces(up: Shaped[np.ndarray, " n"]) -> Int64[np.ndarray, " kinds"]:
    """Count normals by their upward part in the world, 26 degrees about each pure direction."""
    counts = [(up > 0.9).sum(), (up < -0.9).sum(), (np.abs(up) < 0.1).sum()]
    return np.array([*counts, len(up) - sum(counts)], np.int64)


def _directions(normal: Shaped[np.ndarray, "n 3"]) -> Int64[np.ndarray, " kinds"]:
    """Count camera-frame normals by their largest part."""
    x, y, z = np.abs(normal).T
    front = (z >= x) & (z >= y)
    sideways = ~front & (x >= y)
    upward = ~front & ~sideways
    left, up = normal[:, 0] < 0, normal[:, 1] > 0
    groups = (front, sideways & left, sideways & ~left, upward & up, upward & ~up)
    return np.array([group.sum() for group in groups], np.int64)


def _finish(sums: _Sums) -> Statistics:
    levels = np.arange(256) / 255
    weights = sums.colours / max(1, sums.pixels)
    mean = weights @ levels
    std = np.sqrt(np.maximum(0, weights @ levels**2 - mean**2))
    edges = np.array(sums.edges).reshape(-1, len(_EDGE_NAMES))
    valid = max(1, sums.valid)
    classes = {
        NYU40_NAMES[index] if index < len(NYU40_NAMES) else str(index): int(count)
        / max(1, sums.pixels)
        for index, count in enumerate(sums.classes)
        if count
    }
    return Statistics(
        frames=len(sums.instances),
        depth_percentiles_m=_percentiles(sums.depth_bins),
        depth_mean_m=sums.depth_m / valid,
        depth_bands={
            f"{low:g} to {high:g} m" if np.isfinite(high) else f"over {low:g} m": int(count) / valid
            for low, high, count in zip(_BANDS_M, _BANDS_M[1:], sums.bands, strict=False)
        },
        depth_histogram=tuple(int(count) for count in sums.depth_bins),
        invalid_share=1 - sums.valid / max(1, sums.pixels),
        image_mean=(float(mean[0]), float(mean[1]), float(mean[2])),
        image_std=(float(std[0]), float(std[1]), float(std[2])),
        black_share=sums.black / max(1, sums.pixels),
        white_share=sums.white / max(1, sums.pixels),
        surface_shares=dict(zip(_SURFACES, (sums.surfaces / valid).tolist(), strict=True)),
        normal_shares=dict(zip(_DIRECTIONS, (sums.directions / valid).tolist(), strict=True)),
        edges={
            name: EdgeShare(
                mean=float(shares.mean()),
                low=float(np.percentile(shares, 5)),
                high=float(np.percentile(shares, 95)),
            )
            for name, shares in zip(_EDGE_NAMES.values(), edges.T, strict=True)
            if len(shares)
        },
        class_shares=dict(sorted(classes.items(), key=lambda item: -item[1])),
        instances_mean=float(np.mean(sums.instances)) if sums.instances else 0.0,
        instances_least=min(sums.instances, default=0),
        instances_most=max(sums.instances, default=0),
    )


def _percentiles(bins: Int64[np.ndarray, " bins"]) -> dict[str, float]:
    total = int(bins.sum())
    if not total:
        return {}
    below = np.concatenate([[0], np.cumsum(bins)]) / total
    return {
        f"{percent:g}%": float(np.exp(np.interp(percent / 100, below, np.log(DEPTH_EDGES_M))))
        for percent in _PERCENTILES
    }
