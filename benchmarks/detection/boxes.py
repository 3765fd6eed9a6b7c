"""Boxes in two conventions, and what is reckoned with them.

*Pixels*, as VOC's files say: xmin, ymin, xmax, ymax counted from 1, both ends included. *Corners*: x0, y0, x1, y1 on a
continuous axis whose pixel i (from 0) covers i to i + 1, so corners = (xmin - 1, ymin - 1, xmax, ymax). A box of one pixel
is 1 wide in both, and what published code reckons with "+ 1" on pixels is plain geometry on corners: areas, overlaps, centres.
For coordinates of at least 1 the way from pixels to corners and back is exact in float64. A picture that is resized from
w to w' pixels multiplies corners by w' / w.
"""

import numpy as np
from jaxtyping import Float, Float64, Int64


def corners_from_pixels(boxes_px: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, "n 4"]:
    """Turn boxes as VOC writes them into corners.

    >>> corners_from_pixels(np.array([[1.0, 1.0, 1.0, 2.0]])).tolist()
    [[0.0, 0.0, 1.0, 2.0]]
    """
    corners: Float64[np.ndarray, "n 4"] = boxes_px - np.array([1.0, 1.0, 0.0, 0.0])
    return corners


def pixels_from_corners(corners: Float64[np.ndarray, "n 4"]) -> Float64[np.ndarray, "n 4"]:
    """Turn corners into boxes as VOC writes them."""
    boxes_px: Float64[np.ndarray, "n 4"] = corners + np.array([1.0, 1.0, 0.0, 0.0])
    return boxes_px


def mirrored(corners: Float[np.ndarray, "n 4"], *, width: int) -> Float[np.ndarray, "n 4"]:
    """Return the boxes of a picture's mirror image.

    >>> mirrored(np.array([[0.0, 3.0, 2.0, 4.0]]), width=10).tolist()
    [[8.0, 3.0, 10.0, 4.0]]
    """
    done = corners.copy()
    done[:, 0], done[:, 2] = width - corners[:, 2], width - corners[:, 0]
    return done


def clipped(
    corners: Float[np.ndarray, "n 4"], *, width: int, height: int
) -> Float[np.ndarray, "n 4"]:
    """Cut boxes at the picture's edges."""
    limits = np.array([width, height, width, height], corners.dtype)
    return np.asarray(np.clip(corners, 0, limits))


def overlaps(
    first: Float[np.ndarray, "n 4"], second: Float[np.ndarray, "m 4"]
) -> Float64[np.ndarray, "n m"]:
    """Return intersection over union of all pairs of corners; 0 where both are empty.

    >>> overlaps(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0]])).round(3).tolist()
    [[0.333]]
    """
    a, b = first.astype(np.float64)[:, None], second.astype(np.float64)[None]
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=-1)
    union = np.prod(a[..., 2:] - a[..., :2], axis=-1) + np.prod(b[..., 2:] - b[..., :2], axis=-1)
    union = union - shared
    return np.asarray(np.divide(shared, union, out=np.zeros_like(shared), where=union > 0))


def resized_size(*, width: int, height: int, short_px: int, longest_px: int) -> tuple[int, int]:
    """Return width and height with the shorter side at `short_px`, unless the longer would exceed `longest_px`.

    >>> resized_size(width=500, height=375, short_px=600, longest_px=1000)
    (800, 600)
    >>> resized_size(width=500, height=250, short_px=600, longest_px=1000)
    (1000, 500)
    """
    factor = min(short_px / min(width, height), longest_px / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def without_duplicates(corners: Float[np.ndarray, "n 4"]) -> Int64[np.ndarray, " k"]:
    """Return the places of boxes that were not there before, in order."""
    _, first = np.unique(corners, axis=0, return_index=True)
    return np.sort(first)
