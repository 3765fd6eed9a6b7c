"""What the benchmarks share: medians with intervals, curves, tables, and the conditions of a run."""

import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from jaxtyping import Float

_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """A median and how sure it is."""

    median: float
    low: float
    """Lower end of the 95 % interval of the median, by bootstrap."""
    high: float
    count: int

    def __str__(self) -> str:
        return f"{self.median:.4g} [{self.low:.4g}, {self.high:.4g}]"


def spread(values: Sequence[float], *, seed: int = 0) -> Spread:
    """Return the median of repeats with its 95 % interval.

    Raises:
        ValueError: if there is no value.

    >>> spread([1.0, 2.0, 9.0]).median
    2.0
    """
    data = np.asarray(values, dtype=np.float64)
    if not len(data):
        raise ValueError("no repeats to take a median of")
    rng = np.random.default_rng(seed)
    medians = np.median(rng.choice(data, (_RESAMPLES, len(data))), axis=1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return Spread(median=float(np.median(data)), low=float(low), high=float(high), count=len(data))


def ratios(slow: Sequence[float], fast: Sequence[float]) -> Spread:
    """Return how many times slower, of repeats that were measured in turn, pair by pair.

    >>> ratios([2.0, 4.0], [1.0, 2.0]).median
    2.0
    """
    if len(slow) != len(fast):
        raise ValueError(f"{len(slow)} repeats of the one, {len(fast)} of the other")
    return spread([a / b for a, b in zip(slow, fast, strict=True)])


def psnr_db(image: Float[np.ndarray, "h w 3"], reference: Float[np.ndarray, "h w 3"]) -> float:
    """Return the peak signal-to-noise ratio of two pictures of linear radiance, as seen on a screen.

    Both are scaled alike, so that the reference's 90th percentile of brightness becomes 0.8 of the range, clipped and
    encoded as sRGB.

    >>> psnr_db(np.full((2, 2, 3), 0.5), np.full((2, 2, 3), 0.5))
    inf
    """
    scale = 0.8 / max(float(np.percentile(reference.mean(axis=2), 90)), 1e-12)
    error = float(np.mean((_encode(image * scale) - _encode(reference * scale)) ** 2))
    return float("inf") if error == 0 else float(-10 * np.log10(error))


def _encode(linear: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
    clipped = np.clip(linear, 0, 1)
    high = 1.055 * np.maximum(clipped, 0.0031308) ** (1 / 2.4) - 0.055
    return np.asarray(np.where(clipped <= 0.0031308, 12.92 * clipped, high))


def cost_at(quality: float, *, qualities: Sequence[float], costs: Sequence[float]) -> float:
    """Return what a quality costs, along a measured curve; linear in quality, logarithmic in cost.

    Returns:
        The first cost where even that is better than asked; inf where the best is not good enough.

    >>> round(cost_at(20.0, qualities=[10.0, 30.0], costs=[1.0, 100.0]), 6)
    10.0
    >>> cost_at(5.0, qualities=[10.0, 30.0], costs=[1.0, 100.0])
    1.0
    >>> cost_at(31.0, qualities=[10.0, 30.0], costs=[1.0, 100.0])
    inf
    """
    order = np.argsort(costs)
    best = np.maximum.accumulate(np.asarray(qualities, dtype=np.float64)[order])
    ordered = np.log(np.asarray(costs, dtype=np.float64)[order])
    if quality <= best[0]:
        return float(np.exp(ordered[0]))
    if quality > best[-1]:
        return float("inf")
    after = int(np.searchsorted(best, quality))
    share = (quality - best[after - 1]) / (best[after] - best[after - 1])
    return float(np.exp(ordered[after - 1] + share * (ordered[after] - ordered[after - 1])))


def conditions() -> dict[str, object]:
    """Describe machine, versions and load."""
    packages = {}
    for name in ("numpy", "numba", "embreex", "pyoidn", "open3d", "h5py", "hdf5plugin", "trimesh"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "missing"
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "packages": packages,
        "command": " ".join(
            ["python -m scenelift.benchmarks.speed." + Path(sys.argv[0]).stem, *sys.argv[1:]]
        ),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def report(
    title: str, rows: Sequence[tuple[str, str]], *, facts: dict[str, object], path: Path | None
) -> None:
    """Print a table of names and values, and write everything as JSON if a path is given."""
    width = max(len(name) for name, _ in rows)
    print(title)
    for name, value in rows:
        print(f"  {name:<{width}}  {value}")
    if path is not None:
        whole = {"title": title, "table": dict(rows), "conditions": conditions(), **facts}
        path.write_text(json.dumps(whole, indent=2, default=_plain) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, Spread):
        return asdict(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
