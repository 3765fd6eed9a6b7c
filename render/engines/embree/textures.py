"""Textures of a scene in one buffer, each with its pyramid of halved copies."""

import typing

import numpy as np
from jaxtyping import Float32, Int64, UInt8, UInt32
from numba import njit

from scenelift.render.scene import Texture

MAX_SIDE = 2048
"""Larger textures are halved until they fit: no view shows more detail, and memory is bounded."""


def linear_of_srgb() -> Float32[np.ndarray, "256"]:
    """Linear value of each sRGB byte (IEC 61966-2-1)."""
    s = np.arange(256) / 255
    linear = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)


def srgb_of_linear() -> UInt8[np.ndarray, "4097"]:
    """The sRGB byte of each linear value k / 4096, rounded."""
    x = np.arange(4097) / 4096
    s = np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055)
    return np.round(255 * s).astype(np.uint8)


def pack_textures(
    textures: list[Texture],
) -> tuple[Int64[np.ndarray, "t 4"], UInt32[np.ndarray, " n"]]:
    """Lay textures and their pyramids end to end.

    Returns:
        A row a texture (first texel, width, height, levels), and the texels, red in the lowest byte. Row 0 of a level is
        its top row.
    """
    decode, encode = linear_of_srgb(), srgb_of_linear()
    rows, pieces, start = [], [], 0
    for texture in textures:
        level = np.ascontiguousarray(texture.pixels)
        while max(level.shape[:2]) > MAX_SIDE:
            level = _halve(level, decode, encode)
        levels = [level]
        while max(level.shape[:2]) > 1:
            level = _halve(level, decode, encode)
            levels.append(level)
        rows.append((start, levels[0].shape[1], levels[0].shape[0], len(levels)))
        pieces += [level.view("<u4").ravel() for level in levels]
        start += sum(level.size // 4 for level in levels)
    table = np.array(rows, dtype=np.int64).reshape(-1, 4)
    return table, np.concatenate([np.zeros(0, dtype=np.uint32), *pieces])


@njit(cache=True, nogil=True)
@typing.no_type_check
def _halve(pixels, decode, encode):
    """Average 2 x 2 texels in linear light, weighted by alpha so that cut-outs do not bleed."""
    h, w = pixels.shape[0], pixels.shape[1]
    half_h, half_w = max(h // 2, 1), max(w // 2, 1)
    out = np.zeros((half_h, half_w, 4), dtype=np.uint8)
    for y in range(half_h):
        for x in range(half_w):
            r, g, b, a, weight, count = 0.0, 0.0, 0.0, 0.0, 0.0, 0
            for yy in range(y * h // half_h, max((y + 1) * h // half_h, y * h // half_h + 1)):
                for xx in range(x * w // half_w, max((x + 1) * w // half_w, x * w // half_w + 1)):
                    alpha = np.float64(pixels[yy, xx, 3])
                    k = alpha + 1e-3
                    r += k * decode[pixels[yy, xx, 0]]
                    g += k * decode[pixels[yy, xx, 1]]
                    b += k * decode[pixels[yy, xx, 2]]
                    a += alpha
                    weight += k
                    count += 1
            out[y, x, 0] = encode[int(4096 * r / weight + 0.5)]
            out[y, x, 1] = encode[int(4096 * g / weight + 0.5)]
            out[y, x, 2] = encode[int(4096 * b / weight + 0.5)]
            out[y, x, 3] = np.uint8(a / count + 0.5)
    return out
