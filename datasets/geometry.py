"""One geometry for every domain: shorter side to a size, a square crop, a mirror, and the same codec.

Pixel centres lie at +0.5. A picture and its labels are mapped alike, pictures by area (enlarged: linearly), labels by the
nearest centre, so that no label is ever blended. What is random comes from a generator that the caller makes.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Int64, Shaped, UInt8

from scenelift.datasets.store_schema import Channel

Frame = dict[Channel, Shaped[np.ndarray, "_ _ ..."]]
"""The arrays of one view or photo, of one size: `image` (uint8 h w 3, sRGB; always there) and, where there are labels, `depth`
(float32 h w, z-depth in metres, 0 invalid), `normal` (int16 h w 3, unit normal x 32767 in the camera frame, 0 invalid), `edge`
(bool h w), `instance` (uint16 h w), `semantic` (uint8 h w)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Geometry:
    """How a picture of any size becomes a square of one size."""

    resize_px: int = 256
    """Length of the shorter side before the crop."""
    crop_px: int = 227
    """Side of the square that is cut out."""
    zoom: tuple[float, float] = (1.0, 1.0)
    """Least and greatest enlargement: a square of crop_px / zoom is cut out and brought to crop_px. Drawn by its logarithm, and
    alike for all domains, so that no field of view tells them apart. Depth stays what it was."""
    flip: bool = False
    """Mirror half of the samples (the paper does not)."""
    jpeg_quality: tuple[int, int] | None = None
    """Least and greatest quality at which each crop is encoded as JPEG and decoded, so that no domain is told by its codec;
    None leaves the pixels as they are."""

    def __post_init__(self) -> None:
        if not 1 <= self.crop_px <= self.resize_px:
            raise ValueError(
                f"crop_px must be from 1 to resize_px ({self.resize_px}), got {self.crop_px}"
            )
        least, greatest = self.zoom
        if not self.crop_px / self.resize_px <= least <= greatest <= 8:
            raise ValueError(
                f"zoom must rise within crop_px / resize_px ({self.crop_px / self.resize_px:.3g}) to 8, got {self.zoom}"
            )
        if self.jpeg_quality is not None and not (
            1 <= self.jpeg_quality[0] <= self.jpeg_quality[1] <= 100
        ):
            raise ValueError(f"jpeg_quality must rise within 1 to 100, got {self.jpeg_quality}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cut:
    """What is done to one frame after its resize."""

    top_px: int
    left_px: int
    side_px: int
    """Of the square, before it is brought to its size."""
    mirrored: bool
    quality: int | None
    """Of the JPEG; None: none."""


def resize_frame(frame: Frame, *, resize_px: int) -> Frame:
    """Bring the shorter side to `resize_px`, and the longer one in proportion, rounded.

    >>> frame: Frame = {"image": np.zeros((30, 40, 3), np.uint8), "edge": np.zeros((30, 40), bool)}
    >>> {name: array.shape for name, array in resize_frame(frame, resize_px=12).items()}
    {'image': (12, 16, 3), 'edge': (12, 16)}
    """
    height, width = frame["image"].shape[:2]
    short = min(height, width)
    if short == resize_px:
        return frame
    new_height, new_width = (
        (2 * side * resize_px + short) // (2 * short) for side in (height, width)
    )
    return _resample(frame, height=new_height, width=new_width)


def _resample(frame: Frame, *, height: int, width: int) -> Frame:
    """Bring a frame to a size: the picture by area or, enlarged, linearly, labels by the nearest centre."""
    old_height, old_width = frame["image"].shape[:2]
    if (old_height, old_width) == (height, width):
        return frame
    rows = nearest_centres(old_height, count=height)
    columns = nearest_centres(old_width, count=width)
    how = cv2.INTER_AREA if old_height > height else cv2.INTER_LINEAR
    return {
        name: np.asarray(cv2.resize(array, (width, height), interpolation=how))
        if name == "image"
        else array[rows].take(columns, axis=1)
        for name, array in frame.items()
    }


def nearest_centres(length: int, *, count: int) -> Int64[np.ndarray, " count"]:
    """Return, for each of `count` pixels that cover `length` pixels, the one that holds its centre.

    >>> nearest_centres(6, count=3).tolist(), nearest_centres(2, count=4).tolist()
    ([1, 3, 5], [0, 0, 1, 1])
    """
    return (2 * np.arange(count, dtype=np.int64) + 1) * length // (2 * count)


def draw_cut(
    *, height: int, width: int, geometry: Geometry, rng: np.random.Generator | None
) -> Cut:
    """Choose a crop of a resized frame.

    Args:
        height: Of the resized frame.
        width: Of the resized frame.
        geometry: What is asked for.
        rng: Always gives five numbers, so that no option changes what another draws; None: the centre, not enlarged or
            mirrored, at the middle quality.
    """
    still = (0.5, 0.5, 1.0, 0.5, 0.5)
    at_top, at_left, at_flip, at_quality, at_zoom = still if rng is None else rng.random(5)
    least, greatest = (1.0, 1.0) if rng is None else geometry.zoom
    side_px = round(geometry.crop_px / (least * (greatest / least) ** at_zoom))
    side_px = min(side_px, height, width)
    quality = None
    if geometry.jpeg_quality is not None:
        least, greatest = geometry.jpeg_quality
        quality = least + int(at_quality * (greatest - least + 1))
    return Cut(
        top_px=int(at_top * (height - side_px + 1)),
        left_px=int(at_left * (width - side_px + 1)),
        side_px=side_px,
        mirrored=bool(geometry.flip and at_flip < 0.5),
        quality=quality,
    )


def cut_frame(frame: Frame, cut: Cut, *, crop_px: int) -> Frame:
    """Crop, enlarge, mirror and re-encode a resized frame.

    A mirrored view shows the mirrored world: the x of normals changes its sign, and nothing else.
    """
    rows = slice(cut.top_px, cut.top_px + cut.side_px)
    columns = slice(cut.left_px, cut.left_px + cut.side_px)
    square: Frame = {name: array[rows, columns] for name, array in frame.items()}
    done: Frame = {}
    for name, part in _resample(square, height=crop_px, width=crop_px).items():
        done[name] = _mirrored(part) if cut.mirrored else np.ascontiguousarray(part)
    if cut.mirrored and "normal" in done:
        done["normal"][..., 0] *= -1
    if cut.quality is not None:
        done["image"] = _through_jpeg(done["image"], quality=cut.quality)
    return done


def _mirrored(array: Shaped[np.ndarray, "h w *c"]) -> Shaped[np.ndarray, "h w *c"]:
    """Return a copy; OpenCV's is five times as fast as numpy's and knows no bool."""
    known = array.view(np.uint8) if array.dtype == np.bool_ else array
    return np.asarray(cv2.flip(known, 1)).view(array.dtype)


def _through_jpeg(image: UInt8[np.ndarray, "h w 3"], *, quality: int) -> UInt8[np.ndarray, "h w 3"]:
    blue_first = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
