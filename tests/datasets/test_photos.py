"""Photos: where they lie, what is refused, and any file decoded."""

import logging
import os
import pickle
import tarfile
import tempfile
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from mutations import hostile, mutated
from photo_trees import encoded, photo, png_header, smooth, write_tar, write_tree
from PIL import Image

from scenelift.datasets.photo_files import (
    Names,
    PhotoError,
    PhotoFiles,
    photos_in_folder,
    photos_in_list,
    photos_in_tar,
)
from scenelift.datasets.photos import PhotoDataset, decode_photo
from scenelift.datasets.tar_index import TarError, tar_members

GOOD = {f"{folder}/{number}.png": photo(seed=number) for folder in "ba" for number in range(3)}
ORDER = [f"{folder}/{number}.png" for folder in "ab" for number in range(3)]


def names_of(files: PhotoFiles) -> list[str]:
    return [files.name(index) for index in range(len(files))]


def test_a_folder_is_searched_to_its_depth_and_sorted(tmp_path: Path) -> None:
    more: Mapping[str, bytes] = {
        "c/d/e/x.JPEG": photo(kind="JPEG"),
        "notes.txt": b"",
        "a/._0.png": b"Mac",
        "a.png/9.png": photo(),
    }
    files = photos_in_folder(write_tree(tmp_path, {**GOOD, **more}))
    expected = sorted([*ORDER, "c/d/e/x.JPEG", "a.png/9.png"])
    assert names_of(files) == [str(tmp_path / name) for name in expected]
    assert files.read(expected.index("b/1.png")) == GOOD["b/1.png"]


def test_links_are_followed_below_the_root_only(tmp_path: Path) -> None:
    write_tree(tmp_path, {"root/a.png": photo(), "secret/b.png": photo(), "root/sub/c.png": b""})
    root = tmp_path / "root"
    (root / "inside.png").symlink_to("a.png")
    (root / "outside.png").symlink_to(tmp_path / "secret" / "b.png")
    (root / "folder").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root)
    (root / "sub" / "dangling.png").symlink_to("nowhere")
    files = photos_in_folder(root)
    assert names_of(files) == [str(root / name) for name in ("a.png", "inside.png", "sub/c.png")]
    (root / "a.png").unlink()
    (root / "a.png").symlink_to(tmp_path / "secret" / "b.png")
    with pytest.raises(PhotoError, match="leads outside"):
        files.read(0)


def test_what_is_no_plain_file_does_not_hang(tmp_path: Path) -> None:
    files = photos_in_folder(write_tree(tmp_path, {"a.png": photo(), "b.png": photo()}))
    (tmp_path / "a.png").unlink()
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(PhotoError, match=r"a\.png: is not a plain file"):
        files.read(0)
    (tmp_path / "b.png").unlink()
    with pytest.raises(PhotoError, match=r"b\.png: cannot be read: No such file"):
        files.read(1)
    with (tmp_path / "b.png").open("wb") as file:
        file.truncate(2**27)
    with pytest.raises(PhotoError, match="134217728 bytes"):
        files.read(1)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match=r"no photo below this folder .*\*\.jpg"):
        photos_in_folder(tmp_path)
    (tmp_path / "a.png").symlink_to("/etc/hostname")
    with pytest.raises(PhotoError, match="1 links lead outside"):
        photos_in_folder(tmp_path)
    with pytest.raises(PhotoError, match="No such file"):
        photos_in_folder(tmp_path / "none")


def test_a_list_keeps_its_order_and_ignores_other_columns(tmp_path: Path) -> None:
    write_tree(tmp_path, {**GOOD, "with space.jpg": photo(kind="JPEG")})
    text = "\ufeff/b/2.png 165\n\n# note\na/0.png\tlabel\r\nwith space.jpg 3\na/1.png,7,x.png\n"
    (tmp_path / "list.txt").write_text(text)
    expected = ["b/2.png", "a/0.png", "with space.jpg", "a/1.png"]
    assert names_of(photos_in_list(tmp_path / "list.txt")) == [str(tmp_path / n) for n in expected]
    elsewhere = tmp_path / "lists"
    elsewhere.mkdir()
    (elsewhere / "list.txt").write_text(f"{tmp_path}/a/1.png\n/a/0.png 5\n")
    files = photos_in_list(elsewhere / "list.txt", root=tmp_path)
    assert names_of(files) == [str(tmp_path / "a/1.png"), str(tmp_path / "a/0.png")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a/0.png\n../b/0.png\n", "line 2 leads outside"),
        ("a/0.png\na/b/../../../x.png", "line 2 leads outside"),
        ("a/0.png\nhello\n", "line 2 names no photo: 'hello'"),
        ("\n# nothing\n", "names no photo"),
        ("c/0.png\n", "c/0.png, is not in"),
        ("a/0.png\n" + "x" * 100_000 + ".png", "line 2 names no photo"),
        ("a/\0.png", "leads outside"),
    ],
)
def test_bad_lists(tmp_path: Path, text: str, message: str) -> None:
    write_tree(tmp_path, GOOD)
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(PhotoError, match=message) as error:
        photos_in_list(tmp_path / "list.txt")
    assert "\n" not in str(error.value)


def test_a_missing_photo_of_a_list_is_an_error_of_its_own(tmp_path: Path) -> None:
    write_tree(tmp_path, GOOD)
    (tmp_path / "list.txt").write_text("a/0.png\na/9.png\na/1.png\n")
    files = photos_in_list(tmp_path / "list.txt")
    with pytest.raises(PhotoError, match=r"a/9\.png: cannot be read"):
        PhotoDataset(files).frame(1)
    dataset = PhotoDataset(files, skip_bad=True)
    np.testing.assert_array_equal(dataset.frame(1)["image"], dataset.frame(2)["image"])


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT])
def test_a_tar_is_read_where_it_lies(tmp_path: Path, style: int) -> None:
    deep = "/".join(["folder"] * 30) + "/0.png"
    # ustar splits a long name into two fields at a slash.
    long = {deep[-200:].partition("/")[2]: photo(seed=9), "ü/é.png": photo(seed=8)}
    if style != tarfile.USTAR_FORMAT:
        long[deep] = photo(seed=7)
    path = write_tar(tmp_path / "a.tar", {**GOOD, "train.txt": b"x", **long}, style=style)
    files = photos_in_tar(path)
    assert names_of(files) == [f"{path}: {name}" for name in sorted([*ORDER, *long])]
    copy = pickle.loads(pickle.dumps(files))
    for index, name in enumerate(sorted([*ORDER, *long])):
        assert files.read(index) == copy.read(index) == {**GOOD, **long}[name]


def test_members_match_those_of_tarfile(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", {f"{n}/{'x' * n}.png": bytes(n) for n in range(1, 180)})
    with tarfile.open(path) as archive:
        expected = [(m.name, m.offset_data, m.size) for m in archive if m.isfile()]
    assert [tuple(member) for member in tar_members(path)] == expected


def test_a_hostile_tar_leads_nowhere(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind, link in (
            ("link.png", tarfile.SYMTYPE, "/etc/hostname"),
            ("hard.png", tarfile.LNKTYPE, "/etc/hostname"),
            ("pipe.png", tarfile.FIFOTYPE, ""),
            ("device.png", tarfile.CHRTYPE, ""),
            ("folder.png", tarfile.DIRTYPE, ""),
            ("../up.png", tarfile.REGTYPE, ""),
            ("/top.png", tarfile.REGTYPE, ""),
            ("./a//b.png", tarfile.REGTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            archive.addfile(member)
    assert [member.name for member in tar_members(path)] == ["a/b.png"]


def test_broken_tars_are_told(tmp_path: Path) -> None:
    data = write_tar(tmp_path / "a.tar", GOOD).read_bytes()
    cases = {
        "its last member ends 25 bytes later": data[: 512 + len(GOOD["b/0.png"]) - 25],
        "cut off: 500 bytes follow": data[: 512 + -(-len(GOOD["b/0.png"]) // 512) * 512 + 500],
        "checksum": data[:1024] + b"\1" + data[1025:],
        "gzip-compressed": b"\x1f\x8b\x08" + data,
        "no tar archive": b"hello" * 300,
    }
    for message, broken in cases.items():
        (tmp_path / "b.tar").write_bytes(broken)
        with pytest.raises(PhotoError, match=message):
            photos_in_tar(tmp_path / "b.tar")
    (tmp_path / "b.tar").write_bytes(data[:0])
    with pytest.raises(PhotoError, match="no photo in this archive"):
        photos_in_tar(tmp_path / "b.tar")
    with pytest.raises(TarError, match="No such file"):
        list(tar_members(tmp_path / "none.tar"))
    path = write_tar(tmp_path / "c.tar", GOOD)
    files = photos_in_tar(path)
    path.write_bytes(data[:2000])
    with pytest.raises(PhotoError, match="fetch the archive again"):
        files.read(5)


@hostile
@given(data=mutated(photo(kind="JPEG")))
def test_a_damaged_jpeg_is_an_error_or_a_picture(data: bytes) -> None:
    check_decode(data)


@hostile
@given(data=mutated(photo(kind="PNG"), keep=16))
def test_a_damaged_png_is_an_error_or_a_picture(data: bytes) -> None:
    check_decode(data)


@hostile
@given(data=mutated(photo(kind="TIFF", width=9, height=7), keep=4))
def test_a_damaged_tiff_is_an_error_or_a_picture(data: bytes) -> None:
    check_decode(data)


def check_decode(data: bytes) -> None:
    try:
        image = decode_photo(data, name="a")
    except PhotoError as error:
        message = str(error)
    else:
        message = "a: "
        assert image.dtype == np.uint8
        assert image.ndim == 3
        assert image.shape[2] == 3
    assert message.startswith("a: ")
    assert "\n" not in message


def _tar_bytes() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        files = {"a/" + "x" * 120 + ".png": b"1" * 600, "b.png": b"22"}
        return write_tar(Path(folder) / "a.tar", files, style=tarfile.PAX_FORMAT).read_bytes()


@hostile
@given(data=mutated(_tar_bytes()))
def test_a_damaged_tar_is_an_error_or_members_within_it(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("tar") / "a.tar"
    path.write_bytes(data)
    try:
        members = list(tar_members(path))
    except TarError as error:
        message = str(error)
    else:
        message = ""
        for member in members:
            assert 0 < member.offset <= member.offset + member.size <= len(data)
            assert not member.name.startswith("/")
            assert ".." not in member.name.split("/")
    assert "\n" not in message


def test_bombs_are_refused_before_they_are_decoded() -> None:
    tracemalloc.start()
    for width, height in ((60_000, 60_000), (2**31 - 1, 2**31 - 1), (0, 5)):
        with pytest.raises(PhotoError, match=f"bomb: {width} x {height} pixels"):
            decode_photo(png_header(width=width, height=height), name="bomb")
    jpeg = bytearray(photo(kind="JPEG"))
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(PhotoError, match="bomb: 65535 x 65535"):
        decode_photo(bytes(jpeg), name="bomb")
    with pytest.raises(PhotoError, match="scans"):
        decode_photo(photo(kind="JPEG") + b"\xff\xda" * 501, name="bomb")
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM"])
def test_kinds(kind: str) -> None:
    image = smooth(width=24, height=20)
    decoded = decode_photo(encoded(Image.fromarray(image), kind), name="a")
    assert decoded.shape == (20, 24, 3)
    loss = np.abs(decoded.astype(int) - image)
    assert loss.max() <= (0 if kind in ("PNG", "BMP", "TIFF", "PPM") else 24)
    assert loss.mean() <= 4


def test_modes() -> None:
    red = Image.new("RGB", (16, 16), (200, 30, 60))
    close = {
        "RGBA": encoded(red.convert("RGBA")),
        "CMYK": encoded(red.convert("CMYK"), "JPEG"),
        "palette": encoded(red.convert("P", palette=Image.Palette.ADAPTIVE)),
    }
    for name, data in close.items():
        decoded = decode_photo(data, name=name).astype(int)
        assert np.abs(decoded - (200, 30, 60)).max() <= 3, name
    transparent = Image.new("RGBA", (16, 16), (200, 30, 60, 0))
    assert (decode_photo(encoded(transparent), name="a") == (200, 30, 60)).all()
    grey = decode_photo(encoded(Image.new("L", (8, 8), 77), "JPEG"), name="a")
    assert grey.shape == (8, 8, 3)
    assert (grey == 77).all()
    deep = Image.fromarray(np.full((8, 8), 40_000, np.uint16))
    assert np.abs(decode_photo(encoded(deep), name="a").astype(int) - 156).max() <= 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_photos_are_turned_upright(kind: str) -> None:
    marked = np.zeros((16, 32, 3), np.uint8)
    marked[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = decode_photo(encoded(Image.fromarray(marked), kind, exif=exif), name="a")
    assert upright.shape == (32, 16, 3)
    assert upright[2:6, 10:14].min() > 200
    assert upright[2:6, 2:6].max() < 60


def test_a_sample_is_a_photo_as_a_tensor(tmp_path: Path) -> None:
    dataset = PhotoDataset(photos_in_folder(write_tree(tmp_path, GOOD)))
    assert len(dataset) == 6
    sample = dataset[4]
    assert sample["index"] == 4
    assert sample["image"].dtype == torch.uint8
    np.testing.assert_array_equal(
        sample["image"].permute(1, 2, 0), smooth(width=24, height=20, seed=1)
    )
    with pytest.raises(IndexError):
        dataset[6]
    assert len([sample["index"] for sample in iter(dataset)]) == 6


def test_a_bad_photo_is_an_error_that_names_it(tmp_path: Path) -> None:
    files = write_tree(tmp_path, {**GOOD, "a/1.png": GOOD["a/1.png"][:200]})
    with pytest.raises(PhotoError, match=r"a/1\.png: damaged or cut off"):
        PhotoDataset(photos_in_folder(files))[1]
    write_tree(tmp_path, {"a/1.png": b"<html>"})
    with pytest.raises(PhotoError, match="no picture of a known kind"):
        PhotoDataset(photos_in_folder(files))[1]


def test_the_next_good_photo_takes_the_place_of_bad_ones(tmp_path: Path) -> None:
    broken = {"a/2.png": b"", "b/0.png": b"x", "b/2.png": GOOD["b/2.png"][:-30]}
    tiny = {"a/0.png": photo(width=5, height=90)}
    files = photos_in_folder(write_tree(tmp_path, {**GOOD, **broken, **tiny}))
    dataset = PhotoDataset(files, skip_bad=True, min_px=6)
    seeds = [1, 1, 1, 1, 1, 1]
    order = [5, 2, 0, 1, 4, 3]
    for index in order:
        image = dataset.frame(index)["image"]
        np.testing.assert_array_equal(image, smooth(width=24, height=20, seed=seeds[index]))
    assert sorted(Path(name).relative_to(tmp_path).as_posix() for name in dataset.bad) == [
        "a/0.png",
        "a/2.png",
        "b/0.png",
        "b/2.png",
    ]
    assert "5 x 90 pixels" in dataset.bad[str(tmp_path / "a/0.png")]
    with pytest.raises(PhotoError, match="the 5 photos after it"):
        PhotoDataset(files, skip_bad=True, min_px=1000).frame(0)
    with pytest.raises(ValueError, match="min_px"):
        PhotoDataset(files, min_px=0)


def test_names_survive_what_is_no_text(tmp_path: Path) -> None:
    names = [os.fsdecode(b"\xff\xfe.png"), "", "ü.png"]
    assert [pickle.loads(pickle.dumps(Names(names)))[index] for index in range(3)] == names
    assert len(Names([])) == 0


def test_many_photos_are_listed_and_pickled_quickly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = "".join(f"/a/abbey/{number:08}.jpg 0\n" for number in range(100_000))
    write_tree(tmp_path, {"list.txt": lines.encode(), "a/abbey/00000000.jpg": b""})
    start = time.process_time()
    with caplog.at_level(logging.DEBUG):
        files = photos_in_list(tmp_path / "list.txt")
        data = pickle.dumps(files)
    assert time.process_time() - start < 10
    assert len(data) < 100_000 * 40
    assert files.name(99_999).endswith("a/abbey/00099999.jpg")
