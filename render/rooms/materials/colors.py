"""Colours as interiors have them, and how tones become sRGB bytes."""

import colorsys
from functools import cache

import numpy as np
from jaxtyping import Float, Float32, UInt8

from scenelift.render.scene import Color

# sRGB triples in hexadecimal: what paints, woods and cloths of furnished rooms look like; neutrals
# stand twice where strong colours are rare.
WOODS: tuple[str, ...] = (
    "c9a36b", "b98a54", "a87445", "8b5a33", "6f4427", "533320", "3b2619", "d9bd90", "e3cfa9", "cfae86",
    "bfa58a", "a08c76", "8f8378", "d8d0c3", "70462c", "9c5f38",
)  # fmt: skip
WALLS: tuple[str, ...] = (
    "f4f2ec", "f1eee6", "ece7dc", "f5f5f3", "e8e6e1", "e9e3d3", "e0d9c8", "dcdcda", "d4d6d6", "efe6d8",
    "f2ead9", "e6dfd6", "d9d2c5", "c9c6c0", "f4f2ec", "f1eee6", "ece7dc", "f5f5f3", "e8e6e1", "e9e3d3",
    "e0d9c8", "dcdcda", "d4d6d6", "efe6d8", "f2ead9", "e6dfd6", "d9d2c5", "c9c6c0", "d8e0dd", "d3dce3",
    "dfe3d6", "e8d9cf", "e6d3c8", "cfd8cb", "b9c4c9", "a9b7ac", "c4a48f", "7f94a0", "8a9a86", "5c7480",
    "b5785f", "3f5566", "9b4f46", "d9b45f",
)  # fmt: skip
FABRICS: tuple[str, ...] = (
    "8c8a86", "a6a39d", "6f7074", "54575c", "3c3f45", "c9c2b5", "d8d1c4", "e6e0d5", "b8ab97", "9a8467",
    "7c6a55", "5e4b3c", "8c8a86", "a6a39d", "6f7074", "54575c", "3c3f45", "c9c2b5", "d8d1c4", "e6e0d5",
    "b8ab97", "9a8467", "7c6a55", "5e4b3c", "34506b", "4a6a82", "2b3a52", "3f6f70", "5d8a84", "6b7d58",
    "8a9a72", "c7973f", "d5ab55", "b5623f", "9c4a38", "7d2f33", "a85c6a", "d39c9c", "6c5a7d", "e9e7e2",
    "232428",
)  # fmt: skip
TILES: tuple[str, ...] = (
    "f1f0ec", "e9e7e1", "dedbd3", "cfcac0", "bdb6aa", "a9a39a", "8d8b88", "6d6e70", "4a4c50", "c7b89f",
    "f1f0ec", "e9e7e1", "dedbd3", "cfcac0", "bdb6aa", "a9a39a", "8d8b88", "6d6e70", "4a4c50", "c7b89f",
    "b39c7e", "d8c7ae", "e8ddcb", "9fb3b5", "7fa0a6", "a7b99f", "b5654a", "3c5a6b", "2a2c30", "e6eef0",
)  # fmt: skip
STONES: tuple[str, ...] = (
    "e9e6e0", "dcd7ce", "c8c2b8", "a9a49c", "86837f", "5f5e5d", "3a3a3c", "d8cdbb", "b8a88f", "7c6f62",
    "eeeeec",
)  # fmt: skip
BRICKS: tuple[str, ...] = (
    "9c4f3a", "a85b43", "8a4433", "b56f52", "c78a6a", "7a3d30", "d9cfc4", "e6e2dc",
)  # fmt: skip
LEATHERS: tuple[str, ...] = (
    "2a2523", "4a3226", "6b442c", "8a5a38", "a87a52", "d8cdbb", "ece7dd", "7d2f2c", "33373d", "5f5c57",
)  # fmt: skip
PLASTICS: tuple[str, ...] = (
    "f2f2f0", "dcdcda", "2b2c2f", "55585c", "c93f37", "3a6ea5", "e0b43a", "4f9a5f", "e88a3c", "7fb8c9",
    "e9a9b8",
)  # fmt: skip
PAPERS: tuple[str, ...] = (
    "f4f1e8", "efe8d8", "e6dcc6", "faf9f6",
)  # fmt: skip
FOLIAGES: tuple[str, ...] = (
    "3f6b35", "4f7f3f", "2f5a33", "6b8f4a", "57803a", "7a9a5c", "35603f",
)  # fmt: skip
BOLDS: tuple[str, ...] = (
    "b5312f", "d9772f", "e0b43a", "5a9a4a", "2f7a6b", "2f6f9f", "34508a", "6a4a8c", "a83f6f", "e8e4d8",
    "2a2c30", "8a5a38", "c9a36b", "7fa0b5", "d98a7a", "9fb58a",
)  # fmt: skip


def linear_from_srgb(srgb: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Undo sRGB's transfer function; both sides in [0, 1].

    >>> linear_from_srgb(np.array([0.0, 0.5, 1.0])).round(3).tolist()
    [0.0, 0.214, 1.0]
    """
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(linear: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Apply sRGB's transfer function; both sides in [0, 1].

    >>> srgb_from_linear(np.array([0.0, 0.214, 1.0])).round(3).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def color_of(code: str) -> Color:
    """Return the linear colour of a hexadecimal sRGB triple.

    >>> color_of("ffffff")
    (1.0, 1.0, 1.0)
    """
    triple = np.array([int(code[k : k + 2], 16) for k in (0, 2, 4)]) / 255
    red, green, blue = linear_from_srgb(triple).tolist()
    return red, green, blue


def sample_color(codes: tuple[str, ...], *, rng: np.random.Generator) -> Color:
    """Draw a colour near one of a palette: hue within 4 degrees, saturation and value within some 12 percent."""
    code = codes[int(rng.integers(len(codes)))]
    triple = [int(code[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    hue, saturation, value = colorsys.rgb_to_hsv(*triple)
    jitter = rng.uniform(-1, 1, 3).tolist()
    hue = (hue + 0.011 * jitter[0]) % 1.0
    saturation = min(saturation * (1 + 0.15 * jitter[1]), 1.0)
    value = min(max(value * (1 + 0.08 * jitter[2]), 0.04), 0.97)
    red, green, blue = linear_from_srgb(
        np.array(colorsys.hsv_to_rgb(hue, saturation, value))
    ).tolist()
    return red, green, blue


@cache
def _linear_bytes() -> np.ndarray:
    return linear_from_srgb(np.arange(256) / 255)


def tinted(
    tone: Float32[np.ndarray, "h w"],
    *,
    color: Color,
    contrast: float,
    warmth: float = 0.0,
) -> UInt8[np.ndarray, "h w 4"]:
    """Colour a tone so that the mean linear reflectance is `color`, as far as white allows; alpha is 255.

    Args:
        tone: -1 is darkest, 1 is lightest; clipped there.
        color: Linear mean.
        contrast: Share by which the sRGB value falls and rises at -1 and 1.
        warmth: How much redder and more saturated the dark end is, as in wood.
    """
    index = ((tone.clip(-1, 1) + 1) * np.float32(127.5)).astype(np.uint8)
    counts = np.bincount(index[::2, ::2].ravel(), minlength=256)
    share = counts / counts.sum()
    levels = np.linspace(-1, 1, 256)[:, None]
    base = srgb_from_linear(np.array(color))
    tint = 1 + warmth * levels * np.array([-0.5, 0.2, 1.0])
    linear = linear_from_srgb((base * (1 + contrast * levels) * tint).clip(0, 1))
    for _ in range(2):
        linear = (linear * (np.array(color) / (share @ linear + 1e-6))).clip(0, 1)
    table = np.full((256, 4), 255, np.uint8)
    table[:, :3] = srgb_from_linear(linear) * 255 + 0.5
    packed = table.view(np.uint32)[:, 0][np.ascontiguousarray(index)]
    return packed.view(np.uint8).reshape(*tone.shape, 4)


def blended(
    mask: Float32[np.ndarray, "h w"],
    *,
    low: UInt8[np.ndarray, "h w 4"],
    high: UInt8[np.ndarray, "h w 4"],
) -> UInt8[np.ndarray, "h w 4"]:
    """Mix two images: 0 shows `low`, 1 shows `high`."""
    weight = (mask.clip(0, 1) * np.float32(256)).astype(np.uint16)[..., None]
    mixed = low * (np.uint16(256) - weight)
    mixed += high * weight
    mixed >>= 8
    return np.asarray(mixed, np.uint8)


def mean_color(image: UInt8[np.ndarray, "h w c"]) -> Color:
    """Return the mean linear reflectance of an sRGB image."""
    red, green, blue = _linear_bytes()[image[..., :3]].mean(axis=(0, 1)).tolist()
    return red, green, blue


def shifted(
    color: Color, *, value: float = 1.0, saturation: float = 1.0, hue: float = 0.0
) -> Color:
    """Change a colour in HSV of sRGB: factors for value and saturation, turns added to the hue."""
    h, s, v = colorsys.rgb_to_hsv(*srgb_from_linear(np.array(color)).clip(0, 1).tolist())
    rgb = colorsys.hsv_to_rgb((h + hue) % 1, min(s * saturation, 1.0), min(v * value, 0.98))
    red, green, blue = linear_from_srgb(np.array(rgb)).tolist()
    return red, green, blue
