"""Permutations of nine that are far from each other (Noroozi and Favaro, ECCV 2016, algorithm 1)."""

import functools
import itertools

import numpy as np
from jaxtyping import UInt8

CELLS = 9
MOST = 10_000


@functools.cache
def distant_permutations(count: int) -> UInt8[np.ndarray, "count 9"]:
    """Choose permutations one after the other, each as far as possible from those before it.

    Far means the least Hamming distance to any of them, then the mean of all; the first in lexical order among equals. The
    paper looks at the mean alone and starts at random; this begins with the identity and gives the same set everywhere.

    Args:
        count: From 2 to 10,000.

    Returns:
        Read-only; row i says which cell is shown at each place.

    Raises:
        ValueError: if there is no set of that size.

    >>> distant_permutations(3)[:2].tolist()
    [[0, 1, 2, 3, 4, 5, 6, 7, 8], [1, 0, 3, 2, 5, 4, 7, 8, 6]]
    """
    if not 2 <= count <= MOST:
        raise ValueError(f"the number of permutations must be from 2 to {MOST}, got {count}")
    flat = itertools.chain.from_iterable(itertools.permutations(range(CELLS)))
    # A row for each place: distances to all permutations are then sums of long rows of bytes.
    table = np.ascontiguousarray(np.fromiter(flat, np.uint8).reshape(-1, CELLS).T)
    nearest = np.full(table.shape[1], CELLS, np.uint8)
    total = np.zeros(table.shape[1], np.int32)
    chosen = [0]
    while True:
        last = table[:, chosen[-1], None]
        distance = np.zeros_like(nearest)
        for place in range(CELLS):
            distance += table[place] != last[place]
        np.minimum(nearest, distance, out=nearest)  # 0 for those already chosen
        total += distance
        if len(chosen) == count:
            break
        farthest = np.flatnonzero(nearest == nearest.max())
        chosen.append(int(farthest[total[farthest].argmax()]))
    permutations = np.ascontiguousarray(table[:, chosen].T)
    permutations.setflags(write=False)
    return permutations
