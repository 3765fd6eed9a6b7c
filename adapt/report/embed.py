"""Pictures of a run inside the page, within a budget of bytes."""

import base64
import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

_BUDGET_BYTES = 1_700_000
_MAX_FILE_BYTES = 64 << 20
_MAX_PIXELS = 24_000_000
_MAX_MOMENTS = 5
_ATTEMPTS = ((1400, 84), (1100, 78), (900, 72), (700, 66), (500, 60), (300, 50))  # width, quality


@dataclass(frozen=True, kw_only=True, slots=True)
class Embedded:
    """One picture."""

    name: str
    """Such as `real/depth`."""
    uri: str
    """A `data:` address."""
    width_px: int
    """As embedded."""
    height_px: int
    """As embedded."""


def embed_moments(
    pictures: Mapping[int, Mapping[str, Path]],
) -> tuple[dict[int, list[Embedded]], list[str]]:
    """Embed pictures of a few moments, the first and the last among them, as small as the budget asks.

    Args:
        pictures: Files by step and name.

    Returns:
        Pictures by step, and what could not be read, a sentence each.
    """
    chosen = choose_moments(sorted(pictures))
    troubles: list[str] = []
    images: dict[int, dict[str, Image.Image]] = {}
    for step in chosen:
        images[step] = {}
        for name, path in pictures[step].items():
            image = _read(path)
            if image is None:
                troubles.append(f"pictures/{step}/{name}.png: is no sound PNG of sensible size.")
            else:
                images[step][name] = image
    for width, quality in _ATTEMPTS:
        encoded = {
            step: {
                name: _encode(image, width=width, quality=quality) for name, image in row.items()
            }
            for step, row in images.items()
        }
        total = sum(len(data) for row in encoded.values() for data, _ in row.values())
        if total <= _BUDGET_BYTES:
            break
    else:
        troubles.append("pictures: are too many for one page and were left out.")
        return {}, troubles
    embedded = {
        step: [
            Embedded(
                name=name,
                uri="data:image/webp;base64," + base64.b64encode(data).decode(),
                width_px=size[0],
                height_px=size[1],
            )
            for name, (data, size) in row.items()
        ]
        for step, row in encoded.items()
        if row
    }
    return embedded, troubles


_Encoded = dict[int, dict[str, tuple[bytes, tuple[int, int]]]]


def _encode_within_budget(images: Mapping[int, Mapping[str, Image.Image]]) -> _Encoded | None:
    """Encode all pictures as large as the budget allows; None if they are too many at any size."""
    total, tried_width = 0, 0
    for width, quality in _ATTEMPTS:
        if total * (width / max(tried_width, 1)) ** 2 > 2 * _BUDGET_BYTES:
            continue  # not worth the time
        encoded = {
            step: {
                name: _encode(image, width=width, quality=quality) for name, image in row.items()
            }
            for step, row in images.items()
        }
        total = sum(len(data) for row in encoded.values() for data, _ in row.values())
        widest = max((image.width for row in images.values() for image in row.values()), default=1)
        tried_width = min(width, widest)
        if total <= _BUDGET_BYTES:
            return encoded
    return None


def choose_moments(steps: Sequence[int]) -> list[int]:
    """Choose the first, the last and some between.

    >>> choose_moments([0, 10, 20, 30, 40, 50, 60, 70, 80])
    [0, 20, 40, 60, 80]
    >>> choose_moments([])
    []
    """
    if len(steps) <= _MAX_MOMENTS:
        return list(steps)
    last = len(steps) - 1
    return [steps[round(index * last / (_MAX_MOMENTS - 1))] for index in range(_MAX_MOMENTS)]


def _read(path: Path) -> Image.Image | None:
    """Read a PNG unless it is damaged or larger than any that a run writes."""
    with path.open("rb") as file:
        raw = file.read(_MAX_FILE_BYTES + 1)
    if len(raw) > _MAX_FILE_BYTES or len(raw) < 24:
        return None
    width, height = struct.unpack(
        ">II", raw[16:24]
    )  # the header's size, before anything is unpacked
    if width * height > _MAX_PIXELS:
        return None
    try:
        return Image.open(io.BytesIO(raw), formats=["PNG"]).convert("RGB")
    except (OSError, SyntaxError, ValueError, struct.error):
        return None


def _encode(image: Image.Image, *, width: int, quality: int) -> tuple[bytes, tuple[int, int]]:
    if image.width > width:
        size = (width, max(round(image.height * width / image.width), 1))
        image = image.resize(size, Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    image.save(encoded, "WEBP", quality=quality, method=4)
    return encoded.getvalue(), image.size
