"""Real photos as a data set: any file that a camera or the web left, decoded to sRGB of 8 bits."""

import io
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypedDict

import cv2
import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from scenelift.datasets.geometry import Frame
from scenelift.datasets.photo_files import PhotoError, PhotoFiles

MAX_PIXELS = 2**26
"""Larger pictures are refused before they are decoded (8192 x 8192)."""

_MAX_SCANS = 500
_MAX_BAD_RUN = 1000
_JPEG = b"\xff\xd8"
_START_OF_SCAN = b"\xff\xda"
_logger = logging.getLogger(__name__)


class PhotoSample(TypedDict):
    """One photo."""

    index: int
    """Position in the data set."""
    image: UInt8[Tensor, "3 h w"]
    """sRGB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PhotoHeader:
    """What a photo's file says of itself."""

    width_px: int
    height_px: int
    jpeg: bool


class PhotoDataset(Dataset[PhotoSample]):
    """Photos of any size, upright.

    Nothing is open between the constructor and the first photo of each process: safe under fork, spawn and pickle.
    """

    def __init__(self, files: PhotoFiles, *, skip_bad: bool = False, min_px: int = 1) -> None:
        """Read no photo yet.

        Args:
            files: Where they lie; `open_photos` finds them.
            skip_bad: Put the next good photo in the place of one that cannot be decoded, instead of raising.
            min_px: A photo whose shorter side is less gives its place to the next one.

        Raises:
            ValueError: if `min_px` is not positive.
        """
        if min_px < 1:
            raise ValueError(f"min_px must be at least 1, got {min_px}")
        self._files = files
        self._skip_bad = skip_bad
        self._min_px = min_px
        self._bad: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._files)

    @property
    def bad(self) -> Mapping[str, str]:
        """Photos that this process met and replaced, in that order: name to reason. A view, not a copy."""
        return MappingProxyType(self._bad)

    def name(self, index: int) -> str:
        """Return what a message calls a photo, before any replacement."""
        return self._files.name(index)

    def frame(self, index: int) -> Frame:
        """Decode a photo, or the next one that is good and large enough.

        Raises:
            IndexError: if there are not so many.
            PhotoError: if it cannot be decoded, or too many in a row are replaced.
        """
        count = len(self)
        if not 0 <= index < count:
            raise IndexError(f"photo {index} of {count}")
        for step in range(min(count, _MAX_BAD_RUN)):
            image = self._try((index + step) % count)
            if image is not None:
                return {"image": image}
        raise PhotoError(
            f"{self.name(index)}: it and the {min(count, _MAX_BAD_RUN) - 1} photos after it are bad or "
            f"smaller than {self._min_px} pixels"
        )

    def header(self, index: int) -> PhotoHeader | None:
        """Read size and kind of a photo as its file states them, turned or not; None if it is no sound picture."""
        data = self._files.read(index)
        try:
            width, height = _size(data, name=self.name(index))
        except PhotoError:
            return None
        return PhotoHeader(width_px=width, height_px=height, jpeg=data[:2] == _JPEG)

    def __getitem__(self, index: int) -> PhotoSample:
        """Decode a photo as `frame` does."""
        return {
            "index": index,
            "image": torch.from_numpy(self.frame(index)["image"]).permute(2, 0, 1),
        }

    def _try(self, index: int) -> UInt8[np.ndarray, "h w 3"] | None:
        name = self.name(index)
        if name in self._bad:
            return None
        try:
            image = decode_photo(self._files.read(index), name=name)
        except PhotoError as error:
            if not self._skip_bad:
                raise
            self._replace(name, reason=str(error))
            return None
        if min(image.shape[:2]) < self._min_px:
            height, width = image.shape[:2]
            self._replace(name, reason=f"{name}: {width} x {height} pixels")
            return None
        return image

    def _replace(self, name: str, *, reason: str) -> None:
        _logger.debug("photo replaced by the next: %s", reason)
        self._bad[name] = reason


def decode_photo(data: bytes, *, name: str) -> UInt8[np.ndarray, "h w 3"]:
    """Decode to sRGB of 8 bits: turned upright, grey and CMYK converted, transparency dropped.

    Args:
        data: A JPEG, PNG, WebP, BMP, TIFF or PNM file.
        name: What messages call it.

    Raises:
        PhotoError: if it is no such picture, damaged, cut off or too large.
    """
    width, height = _size(data, name=name)
    if not 0 < width * height <= MAX_PIXELS:
        raise PhotoError(f"{name}: {width} x {height} pixels, where 1 to {MAX_PIXELS} are allowed")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise PhotoError(f"{name}: cannot be decoded: {str(error).strip()}") from error
    if image is None:
        raise PhotoError(f"{name}: damaged or cut off; replace it or skip bad photos")
    return np.asarray(image)


def _size(data: bytes, *, name: str) -> tuple[int, int]:
    """Return width and height as the header states them, without decoding."""
    if data[:2] == _JPEG:
        return _jpeg_size(data, name=name)
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    try:
        with warnings.catch_warnings():
            # Pillow warns of its own limit, which is larger than ours.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=["WEBP", "BMP", "TIFF", "PPM"]) as image:
                return image.size
    except UnidentifiedImageError as error:
        raise PhotoError(f"{name}: no picture of a known kind ({len(data)} bytes)") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{name}: damaged: {error}") from error


def _jpeg_size(data: bytes, *, name: str) -> tuple[int, int]:
    if data.count(_START_OF_SCAN) > _MAX_SCANS:
        # Each scan of a progressive JPEG costs a pass over all pixels, however few bytes it has.
        raise PhotoError(f"{name}: a JPEG of more than {_MAX_SCANS} scans")
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
        elif marker in (0x01, *range(0xD0, 0xD8)):
            position += 2
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height = int.from_bytes(data[position + 5 : position + 7], "big")
            return int.from_bytes(data[position + 7 : position + 9], "big"), height
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    raise PhotoError(f"{name}: a damaged JPEG: no picture follows its header")
