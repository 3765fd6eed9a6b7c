"""From linear radiance to an sRGB picture, as a camera does it: exposure, a shoulder for the lights, sRGB."""

import math

import numpy as np
from jaxtyping import Float, Float32, UInt8

KEY = 0.42
"""Linear value that automatic exposure gives to the middle of a picture's brightness, before the shoulder."""
SHOULDER = 0.6
"""Linear value up to which the response is straight; above, it bends towards white."""
MAX_WHITE = 0.3
"""Share of the lit pixels that automatic exposure lets reach white."""
MAX_EV = 30.0
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)


def develop(
    radiance: Float32[np.ndarray, "h w 3"], *, exposure_ev: float | None = None
) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
    """Expose and tone map a picture.

    Args:
        radiance: Linear, never negative or NaN.
        exposure_ev: Stops by which radiance is scaled (x 2 ** exposure_ev); None meters the picture.

    Returns:
        sRGB, and the exposure used.

    >>> picture, exposure = develop(np.full((1, 1, 3), 0.5, dtype=np.float32), exposure_ev=0.0)
    >>> picture[0, 0].tolist(), exposure
    ([188, 188, 188], 0.0)
    """
    exposure = meter(radiance) if exposure_ev is None else float(exposure_ev)
    scaled = radiance * np.float32(2.0**exposure)
    return encode_srgb(_shoulder(scaled)), exposure


def meter(radiance: Float32[np.ndarray, "h w 3"]) -> float:
    """Choose an exposure in stops: the logarithmic mean of luminance becomes middle grey, unless too much burns out.

    As one who photographs a room does, it lets a window go white, up to `MAX_WHITE` of the picture, before it leaves the
    room in the dark. A black picture gets 0.

    >>> meter(np.zeros((2, 2, 3), dtype=np.float32))
    0.0
    """
    luminance = (radiance @ _LUMINANCE).astype(np.float64).ravel()
    lit = luminance[(luminance > 0) & np.isfinite(luminance)]
    if not len(lit):
        return 0.0
    high = float(np.quantile(lit, 1 - MAX_WHITE))
    middle = math.exp(float(np.log(np.maximum(lit, 1e-3 * high)).mean()))
    by_middle = math.log2(KEY * 0.5 / middle)
    by_high = math.log2(1.0 / high)
    chosen = min(by_middle, by_high)
    return float(np.clip(round(chosen, 6), -MAX_EV, MAX_EV))


def _shoulder(linear: Float32[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w 3"]:
    """Straight up to `SHOULDER`, then an exponential approach to 1 with the same slope, per channel."""
    room = np.float32(1.0 - SHOULDER)
    bent = 1.0 - room * np.exp(-(np.maximum(linear, SHOULDER) - np.float32(SHOULDER)) / room)
    return np.where(linear <= SHOULDER, linear, bent).astype(np.float32)


def encode_srgb(linear: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Linear light in [0, 1] to sRGB bytes (IEC 61966-2-1), by a table of 4,097 steps; values outside are clipped.

    >>> encode_srgb(np.array([[[0.0, 0.25, 1.0]]])).tolist()
    [[[0, 137, 255]]]
    """
    steps = np.arange(4097) / 4096
    table = np.where(steps <= 0.0031308, 12.92 * steps, 1.055 * steps ** (1 / 2.4) - 0.055)
    codes = np.round(255 * table).astype(np.uint8)
    return codes[np.clip(linear * 4096 + 0.5, 0, 4096).astype(np.int32)]
