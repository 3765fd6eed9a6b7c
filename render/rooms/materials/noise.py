"""Banks of seamless noise, drawn once a process from fixed seeds and varied by rolling and turning."""

from functools import cache
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32

Kind: TypeAlias = Literal["cloud", "fog", "blotch", "grain", "brushed", "speck", "white"]
Tone: TypeAlias = Float32[np.ndarray, "h w"]

_VARIANTS = 3


@cache
def _bank(kind: Kind, size: int) -> np.ndarray:
    """Return (variants, size, size) float32 noise of zero mean and unit deviation, cut at three deviations."""
    # The seed depends on the kind alone, so that every process draws the same bank.
    rng = np.random.default_rng([0x5CE7E, size, *kind.encode()])
    if kind == "white":
        return rng.standard_normal((_VARIANTS, size, size)).astype(np.float32).clip(-3, 3)
    fy = np.fft.fftfreq(size)[:, None] * size
    fx = np.fft.rfftfreq(size)[None] * size
    radius = np.hypot(fx, fy)
    radius[0, 0] = np.inf
    gain = {
        "cloud": lambda: radius**-1.6,
        "fog": lambda: np.exp(-((radius / 5.0) ** 2)),
        "blotch": lambda: np.exp(-((np.log(radius / 14.0) / 0.45) ** 2)),
        "grain": lambda: np.hypot(fx / 3.0, fy * 5.0).clip(1.0) ** -1.3,
        "brushed": lambda: np.exp(-((fy / 3.0) ** 2)) * np.exp(-((fx / (size / 4)) ** 2)),
        "speck": lambda: np.exp(-((np.log(radius / (size / 5)) / 0.35) ** 2)),
    }[kind]()
    gain[0, 0] = 0.0
    spectrum = rng.standard_normal((_VARIANTS, *radius.shape)) + 1j * rng.standard_normal(
        (_VARIANTS, *radius.shape)
    )
    field = np.fft.irfft2(spectrum * gain, s=(size, size), axes=(1, 2))
    field /= field.std(axis=(1, 2), keepdims=True)
    return field.clip(-3, 3).astype(np.float32)


def noise(kind: Kind, *, size: int, rng: np.random.Generator) -> Tone:
    """Draw a seamless field of zero mean and unit deviation, at most 3 in size.

    Args:
        kind: cloud: all scales; fog: a few large spots; blotch: spots of a fourteenth of the side; grain: stretched
            along the columns, as wood is; brushed: fine scratches along the columns; speck: spots of a few pixels; white: every pixel for itself.
        size: Side in pixels.
        rng: Picks the variant, the offset and the mirroring.
    """
    variant, down, right, flip = rng.integers((_VARIANTS, size, size, 4)).tolist()
    field = np.roll(_bank(kind, size)[variant], (down, right), axis=(0, 1))
    if flip & 1:
        field = field[::-1]
    if flip & 2:
        field = field[:, ::-1]
    return np.asarray(field)


@cache
def grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of the pixels' centres as float32 in [0, 1), read only by agreement."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return y, x
