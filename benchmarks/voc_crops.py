"""Random square crops of pictures, each a function of the picture's name, the seed and a number, in whatever order they are asked for."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import UInt8


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """A square of a picture."""

    left_px: float
    top_px: float
    side_px: float
    flip: bool
    """Whether left and right are exchanged."""


def random_window(
    name: str,
    *,
    width: int,
    height: int,
    crop_px: int,
    scales: tuple[float, float],
    seed: int,
    purpose: Literal["learn", "judge"],
    number: int,
) -> Window:
    """Draw the window that a crop at a random scale sees: `crop_px` over the scale, no more than the shorter side.

    Args:
        name: Of the picture; its pixels have no say.
        width: Of the picture in pixels.
        height: Of the picture in pixels.
        crop_px: Side of the crop.
        scales: How much the picture is magnified, from and to; uniform between.
        seed: Of everything.
        purpose: Keeps the windows that are learnt from apart from those that are judged.
        number: Of the crop of this picture.

    >>> window = random_window(
    ...     "000012", width=500, height=375, crop_px=227, scales=(0.5, 2.0), seed=0, purpose="judge", number=3
    ... )
    >>> 227 / 2 <= window.side_px <= 375
    True
    """
    text = f"{seed}/{purpose}/{number}/{name}"
    digest = hashlib.blake2b(text.encode(), digest_size=32).digest()
    scale, x, y, flip = (np.frombuffer(digest, "<u8") / 2.0**64).tolist()
    low, high = scales
    side = min(crop_px / (low + scale * (high - low)), width, height)
    return Window(
        left_px=x * (width - side), top_px=y * (height - side), side_px=side, flip=flip < 0.5
    )


def cut(
    picture: UInt8[np.ndarray, "h w 3"], window: Window, *, crop_px: int
) -> UInt8[np.ndarray, "crop crop 3"]:
    """Resample a window to a square of `crop_px`, bilinear; where it shrinks by more than half, over areas."""
    height, width = picture.shape[:2]
    side = max(1, round(window.side_px))
    left = min(round(window.left_px), width - side)
    top = min(round(window.top_px), height - side)
    region = picture[top : top + side, left : left + side]
    method = cv2.INTER_AREA if side > 2 * crop_px else cv2.INTER_LINEAR
    crop = cv2.resize(region, (crop_px, crop_px), interpolation=method)
    return np.ascontiguousarray(crop[:, ::-1]) if window.flip else np.asarray(crop)


def centre_crop(
    picture: UInt8[np.ndarray, "h w 3"], *, resize_px: int, crop_px: int
) -> UInt8[np.ndarray, "crop crop 3"]:
    """Resize the shorter side and cut the middle square."""
    height, width = picture.shape[:2]
    side = min(height, width) * crop_px / resize_px
    window = Window(
        left_px=(width - side) / 2, top_px=(height - side) / 2, side_px=side, flip=False
    )
    return cut(picture, window, crop_px=crop_px)
