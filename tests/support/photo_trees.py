"""Small photos and archives for tests, written by hand so that they can be wrong in every way."""

import io
import struct
import tarfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def smooth(*, width: int, height: int, seed: int = 0) -> UInt8[np.ndarray, "h w 3"]:
    """A picture that survives a codec: a ramp of colour, another for each seed."""
    rng = np.random.default_rng(seed)
    x, y = np.arange(width) / width, np.arange(height) / height
    slopes = rng.uniform(-80, 80, (2, 3))
    ramp = 128 + x[None, :, None] * slopes[0] + y[:, None, None] * slopes[1]
    return np.asarray(ramp, np.uint8)


def encoded(image: Image.Image, kind: str = "PNG", *, exif: Image.Exif | None = None) -> bytes:
    """The bytes of a picture file."""
    data = io.BytesIO()
    if exif is None:
        image.save(data, kind, quality=95)
    else:
        image.save(data, kind, quality=95, exif=exif)
    return data.getvalue()


def photo(*, width: int = 24, height: int = 20, seed: int = 0, kind: str = "PNG") -> bytes:
    """The bytes of a small photo."""
    return encoded(Image.fromarray(smooth(width=width, height=height, seed=seed)), kind)


def write_tree(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_tar(path: Path, files: Mapping[str, bytes], *, style: int = tarfile.GNU_FORMAT) -> Path:
    """Write an archive that is not compressed."""
    with tarfile.open(path, "w", format=style) as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def png_header(*, width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""
    body = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(body)) + b"IHDR" + body
