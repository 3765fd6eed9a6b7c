"""Single labels: the rank of the true class among scores, shares within a rank, and their intervals."""

import math

import numpy as np
from jaxtyping import Float, Int64


def ranks_of_truth(
    scores: Float[np.ndarray, "n classes"], labels: Int64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
    """Return how many other classes score at least as high as the true one: 0 is a hit, and a tie is none.

    Raises:
        ValueError: if a score is NaN, which has no rank.

    >>> ranks_of_truth(np.array([[0.1, 0.9], [0.5, 0.5]]), np.array([1, 0])).tolist()
    [0, 1]
    """
    if np.isnan(scores).any():
        row = int(np.flatnonzero(np.isnan(scores).any(axis=1))[0])
        raise ValueError(f"row {row} of the scores holds NaN, which has no rank")
    true = np.take_along_axis(scores, labels[:, None], axis=1)
    return np.asarray((scores >= true).sum(axis=1) - 1, np.int64)


def within_percent(ranks: Int64[np.ndarray, " n"], *, k: int) -> float:
    """Return the percentage of ranks below k; 0 of no ranks.

    >>> within_percent(np.array([0, 3, 7]), k=5)
    66.66666666666667
    """
    return 100 * int((ranks < k).sum()) / max(len(ranks), 1)


def wilson_interval(hits: int, *, count: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, in percent (Wilson, JASA 1927).

    Raises:
        ValueError: if `hits` is not from 0 to `count`, or there is nothing to count.

    >>> [round(end, 1) for end in wilson_interval(50, count=100)]
    [40.4, 59.6]
    """
    if not 0 <= hits <= count or not count:
        raise ValueError(f"hits must be from 0 to count, got {hits} of {count}")
    z = 1.959963984540054
    share, spread = hits / count, z * z / count
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return 100 * max(middle - half, 0.0), 100 * min(middle + half, 1.0)
