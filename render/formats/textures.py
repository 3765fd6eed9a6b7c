"""Image files as textures: bounded in size, every pixel mode brought to eight-bit RGBA."""

import hashlib
import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from scenelift.render.formats.files import (
    MAX_FILE_BYTES,
    DataRoot,
    MissingFileError,
    read_bytes,
)
from scenelift.render.scene import SceneError, Texture

MAX_SIDE_PX = 1024
"""Longer images are shrunk: a view of 256 pixels cannot show more."""
MAX_PIXELS = 1 << 27
MAX_TOTAL_BYTES = 2 << 30
"""Of all textures of one scene."""
IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".tga", ".bmp", ".webp", ".gif", ".tif", ".tiff")
)

_DECODERS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF", "TGA")
_IMAGE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    EOFError,
    OverflowError,
    MemoryError,
    RuntimeError,
    AssertionError,
    ZeroDivisionError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""All that Pillow's decoders have been seen to raise on damaged files."""


def decode_texture(data: bytes, *, name: str, max_side_px: int = MAX_SIDE_PX) -> Texture:
    """Decode an image file.

    Args:
        data: The file: JPEG, PNG, TGA, BMP, WebP, GIF (first picture) or TIFF.
        name: Of the file, for messages.
        max_side_px: Longer sides are shrunk to this, averaging over areas.

    Raises:
        SceneError: if it is no image, cut off, or has more than `MAX_PIXELS` pixels.
    """
    if not data:
        raise SceneError(f"{name}: the image file is empty")
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(data), formats=_DECODERS) as image,
        ):
            _check_size(image, name=name)
            image.draft("RGB", (max_side_px, max_side_px))
            return Texture(pixels=_rgba(image, max_side_px=max_side_px))
    except SceneError:
        raise
    except _IMAGE_ERRORS as error:
        raise SceneError(f"{name}: cannot be decoded as an image: {error}") from error


def _check_size(image: Image.Image, *, name: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise SceneError(f"{name}: {width} x {height} pixels, at most {MAX_PIXELS} are decoded")


def _rgba(image: Image.Image, *, max_side_px: int) -> UInt8[np.ndarray, "h w 4"]:
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bit(image)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
    else:
        image = image.convert("RGB")
    longest = max(image.size)
    if longest > max_side_px:
        width, height = (max(1, round(side * max_side_px / longest)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)
    return np.asarray(image.convert("RGBA")).copy()


def _eight_bit(image: Image.Image) -> Image.Image:
    """Bring a grey image of 16 bits, 32 bits or floats to 8 bits."""
    values = np.nan_to_num(np.asarray(image).astype(np.float64), posinf=0.0, neginf=0.0)
    if image.mode == "F":
        values = values * 255
    elif values.max(initial=0) > 255:
        values = values / 257
    return Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).convert("RGB")


class TextureCache:
    """The textures of one scene: equal files give one `Texture`, and their sum is bounded."""

    def __init__(self, *, max_side_px: int = MAX_SIDE_PX) -> None:
        """Start empty; images are shrunk to `max_side_px`."""
        self._max_side_px = max_side_px
        self._by_path: dict[Path, Texture] = {}
        self._by_content: dict[bytes, Texture] = {}
        self._bytes = 0

    def load(self, path: Path) -> Texture:
        """Decode a file, or return what it gave before.

        Args:
            path: Of the image, checked by `DataRoot.resolve`.

        Raises:
            SceneError: if it cannot be decoded, or if all textures together are too large.
        """
        if path not in self._by_path:
            data = read_bytes(path, limit=MAX_FILE_BYTES)
            self._by_path[path] = self.decode(data, name=str(path))
        return self._by_path[path]

    def decode(self, data: bytes, *, name: str) -> Texture:
        """Decode an image, or return what equal bytes gave before.

        Raises:
            SceneError: as `load`.
        """
        key = hashlib.sha256(data).digest()
        if key not in self._by_content:
            texture = decode_texture(data, name=name, max_side_px=self._max_side_px)
            self._bytes += texture.pixels.nbytes
            if self._bytes > MAX_TOTAL_BYTES:
                raise SceneError(
                    f"{name}: with it the scene's textures exceed {MAX_TOTAL_BYTES} bytes"
                )
            self._by_content[key] = texture
        return self._by_content[key]


def texture_finder(
    folder: Path, *, root: DataRoot, cache: TextureCache, warnings: list[str]
) -> Callable[[str], Texture | None]:
    """Make the function that finds the textures a file names.

    Args:
        folder: Of the file that holds the references.
        root: Bounds what is read.
        cache: Of the scene.
        warnings: Gets a line for each texture that is missing or damaged; the function then returns None.

    Raises:
        SceneError: from the function, if a reference leaves the root.
    """
    known: dict[str, Texture | None] = {}

    def find(reference: str) -> Texture | None:
        if reference not in known:
            known[reference] = None
            try:
                path = root.resolve(folder, reference)
            except MissingFileError:
                warnings.append(f"{folder}: texture {reference[:200]!r} is missing")
                return None
            try:
                known[reference] = cache.load(path)
            except SceneError as error:
                warnings.append(str(error))
        return known[reference]

    return find
