"""Pictures of every mode come out as eight-bit RGBA, within bounds."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scene_files
from PIL import Image

from scenelift.render.formats.files import DataRoot
from scenelift.render.formats.textures import TextureCache, decode_texture, texture_finder
from scenelift.render.scene import SceneError


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("RGB", (128, 128, 128, 255)),
        ("RGBA", (128, 128, 128, 128)),
        ("L", (128, 128, 128, 255)),
        ("LA", (128, 128, 128, 128)),
        ("I;16", (128, 128, 128, 255)),
        ("I", (128, 128, 128, 255)),
        ("F", (128, 128, 128, 255)),
        ("CMYK", (63, 63, 63, 255)),
        ("1", (255, 255, 255, 255)),
        ("P", (0, 0, 0, 255)),
    ],
)
def test_modes(mode: str, expected: tuple[int, ...]) -> None:
    texture = decode_texture(scene_files.png_bytes(mode=mode), name="a")
    assert texture.pixels.shape == (8, 8, 4)
    np.testing.assert_allclose(texture.pixels[3, 3].astype(int), expected, atol=1)


def test_a_palette_keeps_its_clear_colour() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((1, 0), 1)
    target = io.BytesIO()
    image.save(target, "PNG", transparency=1)
    pixels = decode_texture(target.getvalue(), name="a").pixels
    assert pixels[0, 0].tolist() == [255, 0, 0, 255]
    assert pixels[0, 1, 3] == 0


def test_large_pictures_shrink_by_area() -> None:
    stripes = np.zeros((64, 4096, 3), np.uint8)
    stripes[:, ::4] = 200
    target = io.BytesIO()
    Image.fromarray(stripes).save(target, "PNG")
    pixels = decode_texture(target.getvalue(), name="a", max_side_px=1024).pixels
    assert pixels.shape == (16, 1024, 4)
    np.testing.assert_allclose(pixels[..., :3], 50, atol=1)


def test_clear_pixels_do_not_bleed_into_others() -> None:
    image = np.zeros((64, 64, 4), np.uint8)
    image[:, ::2] = (200, 100, 50, 255)
    target = io.BytesIO()
    Image.fromarray(image).save(target, "PNG")
    pixels = decode_texture(target.getvalue(), name="a", max_side_px=32).pixels
    np.testing.assert_allclose(pixels[8, 8], (200, 100, 50, 128), atol=3)


def test_bombs_and_other_formats() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = (
        struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    )
    with pytest.raises(SceneError, match="big\\.png"):
        decode_texture(b"\x89PNG\r\n\x1a\n" + chunk, name="big.png")
    with pytest.raises(SceneError, match="empty"):
        decode_texture(b"", name="x.png")
    for data in (b"%PDF-1.4", b"<svg/>", b"%!PS-Adobe-3.0 EPSF-3.0", scene_files.png_bytes()[:45]):
        with pytest.raises(SceneError, match="cannot be decoded"):
            decode_texture(data, name="x.png")


def test_equal_files_are_one_texture(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(scene_files.png_bytes())
    (tmp_path / "c.png").write_bytes(scene_files.png_bytes(value=3))
    warnings: list[str] = []
    find = texture_finder(
        tmp_path, root=DataRoot(tmp_path), cache=TextureCache(), warnings=warnings
    )
    assert find("a.png") is find("b.png")
    assert find("a.png") is not find("c.png")
    assert find("none.png") is None
    assert find("none.png") is None
    assert len(warnings) == 1
    with pytest.raises(SceneError, match="data root"):
        find("../x.png")
