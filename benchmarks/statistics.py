"""Several seeds as one number with its uncertainty, and the difference between two networks that saw the same seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """A mean and how far the truth may be from it."""

    value: float
    half_width: float
    """Half of the 95 % interval by Student's t; NaN where one value tells nothing about spread."""
    count: int
    """Number of values."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of zero; never for a single value."""
        return abs(self.value) > self.half_width


def mean_with_interval(values: Sequence[float]) -> Mean:
    """Return mean and 95 % interval, taking the values for independent and normal.

    Raises:
        ValueError: if there is none.

    >>> mean = mean_with_interval([1.0, 2.0, 3.0])
    >>> mean.value, round(mean.half_width, 3), mean.count
    (2.0, 2.484, 3)
    >>> mean_with_interval([5.0]).half_width
    nan
    """
    if not values:
        raise ValueError("no value to take the mean of")
    array = np.asarray(values, np.float64)
    count = len(array)
    if count == 1:
        return Mean(value=float(array[0]), half_width=math.nan, count=1)
    standard_error = float(array.std(ddof=1)) / math.sqrt(count)
    factor = float(student.ppf((1 + CONFIDENCE) / 2, count - 1))
    return Mean(value=float(array.mean()), half_width=factor * standard_error, count=count)


def paired_difference(first: Mapping[int, float], second: Mapping[int, float]) -> Mean | None:
    """Return the mean of first minus second over the seeds that both have, with its 95 % interval.

    Pairs cancel what a seed does to both: the draw of pictures, folds and crops.

    Args:
        first: Values by seed.
        second: Values by seed.

    Returns:
        None if they share no seed.

    >>> paired_difference({0: 3.0, 1: 5.0, 2: 9.0}, {0: 1.0, 1: 3.0})
    Mean(value=2.0, half_width=0.0, count=2)
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        return None
    return mean_with_interval([first[seed] - second[seed] for seed in shared])
