"""Channels of a network that is made narrower as a whole."""

import math

LEAST = 8
"""No layer has fewer channels."""


def scaled(channels: int, width: float) -> int:
    """Multiply a number of channels by a width, to a multiple of `LEAST`; width 1 changes nothing.

    >>> scaled(360, 1.0), scaled(360, 0.25), scaled(48, 0.01)
    (360, 88, 8)

    Raises:
        ValueError: if the width is not a positive number.
    """
    if not (math.isfinite(width) and width > 0):
        raise ValueError(f"width must be a positive number, got {width}")
    return channels if width == 1 else max(LEAST, LEAST * int(channels * width / LEAST + 0.5))
