"""The Berkeley layout: what scipy writes is read, and hostile files say one line."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from bsds_trees import write_bsds, write_mat

from scenelift.datasets.bsds import BsdsError, bsds_splits, open_bsds
from scenelift.datasets.mat_v5 import Cell, MatError, Struct, read_mat


@pytest.mark.parametrize("compress", [True, False])
def test_numbers_of_every_class_come_back(tmp_path: Path, compress: bool) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "a.mat"
    values = {
        f"v_{code}": (rng.random((3, 4)) * 100).astype(code)
        for code in ("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
    }
    values["logical"] = rng.random((5, 2)) < 0.5
    values["empty"] = np.zeros((0, 3))
    scipy.io.savemat(path, values, do_compression=compress)
    for name, value in values.items():
        read = read_mat(path.read_bytes(), name="a.mat", variable=name)
        assert isinstance(read, np.ndarray)
        assert read.dtype == value.dtype
        np.testing.assert_array_equal(read, value)


def test_cells_and_structs_come_back(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    cell = np.full((2, 2), None, object)
    for place in range(4):
        cell.flat[place] = {"a": np.array([[place]]), "long_name": np.zeros((1, 0))}
    scipy.io.savemat(path, {"c": cell})
    read = read_mat(path.read_bytes(), name="a.mat", variable="c")
    assert isinstance(read, Cell)
    assert read.shape == (2, 2)
    found = []
    for item in read.items:
        assert isinstance(item, Struct)
        assert set(item.fields) == {"a", "long_name"}
        value = item.fields["a"][0]
        assert isinstance(value, np.ndarray)
        found.append(int(value[0, 0]))
    # Column by column.
    assert found == [0, 2, 1, 3]


def small_mat() -> bytes:
    """A compressed file of one small variable, made by hand, in the order of bytes of a big machine."""
    numbers = struct.pack(">II", 2, 6) + bytes(range(6)) + bytes(2)
    matrix = (
        struct.pack(">IIII", 6, 8, 9, 0)
        + struct.pack(">IIii", 5, 8, 2, 3)
        + struct.pack(">HH4s", 1, 1, b"v\0\0\0")
        + numbers
    )
    packed = zlib.compress(struct.pack(">II", 14, len(matrix)) + matrix)
    return b" " * 124 + b"\x01\x00MI" + struct.pack(">II", 15, len(packed)) + packed


def test_a_file_made_by_hand() -> None:
    read = read_mat(small_mat(), name="a.mat", variable="v")
    assert isinstance(read, np.ndarray)
    assert read.tolist() == [[0, 2, 4], [1, 3, 5]]


def deep(levels: int) -> bytes:
    """A cell in a cell in a cell."""
    inner = b""
    for _ in range(levels):
        matrix = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1)
        matrix += (
            struct.pack("<HH4s", 1, 1, b"v\0\0\0") + struct.pack("<II", 14, len(inner)) + inner
        )
        inner = matrix
    return b" " * 124 + b"\x00\x01IM" + struct.pack("<II", 14, len(inner)) + inner


HUGE = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 2**30, 2**30)
HUGE += struct.pack("<HH4s", 1, 1, b"v\0\0\0")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no MATLAB file of version 5"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "version 7.3; save it with -v7"),
        (small_mat()[:-9], r"damaged or cut off|cut off"),
        (small_mat()[:130], "damaged or cut off"),
        (small_mat().replace(b"MI", b"IM"), "more than it can hold"),
        (deep(100), "nest more than 6 deep"),
        (b" " * 126 + b"IM" + struct.pack("<II", 14, len(HUGE)) + HUGE, "more than 100000 values"),
        (b" " * 126 + b"IM", "no variable v"),
    ],
)
def test_hostile_matlab_files_say_one_line(data: bytes, message: str) -> None:
    with pytest.raises(MatError, match=message) as caught:
        read_mat(data, name="x.mat", variable="v")
    assert str(caught.value).startswith("x.mat: ")


def test_what_is_no_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    for value, message in (("text", "class 4"), (np.array([[1j]]), "complex")):
        scipy.io.savemat(path, {"v": value})
        with pytest.raises(MatError, match=message):
            read_mat(path.read_bytes(), name="a.mat", variable="v")


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scenelift.datasets.mat_v5.MAX_BYTES", 100_000)
    packed = zlib.compress(bytes(10_000_000))
    data = b" " * 124 + b"\x00\x01IM" + struct.pack("<II", 15, len(packed)) + packed
    with pytest.raises(MatError, match="unpacks to more than 100000 bytes"):
        read_mat(data, name="a.mat", variable="v")


@pytest.mark.parametrize("compress", [True, False])
def test_single_bytes_changed_raise_no_other_error(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "a.mat"
    write_mat(path, np.random.default_rng(0).random((2, 6, 7)) < 0.3, compress=compress)
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(500):
        data = bytearray(whole)
        data[rng.integers(124, len(data))] = rng.integers(256)
        try:
            read_mat(bytes(data), name="a.mat", variable="groundTruth")
        except MatError:
            refused += 1
    assert refused > 50


def test_a_folder_is_read(tmp_path: Path) -> None:
    root = write_bsds(tmp_path / "BSR" / "BSDS500" / "data")
    for top in (root, tmp_path, tmp_path / "BSR"):
        assert bsds_splits(top) == ("train", "val", "test")
        pictures = open_bsds(top, split="train")
        assert [pictures.name(index) for index in range(4)] == [f"train{i:02}" for i in range(4)]
    image = pictures.image(1)
    assert image.shape == (64, 80, 3)
    drawn = pictures.boundaries(1, width=80, height=64)
    assert drawn.shape == (3, 64, 80)
    np.testing.assert_array_equal(drawn[0], drawn[1])
    np.testing.assert_array_equal(np.roll(drawn[0], 1, axis=1), drawn[2])
    # Boundaries lie where the photo changes.
    change = np.abs(np.diff(image[..., 0].astype(int), axis=1))
    assert change[:, drawn[0].all(axis=0)[1:]].mean() > 40 > 20 > change.mean()


def remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


def put(name: str, data: bytes) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / name).write_bytes(data)

    return write


def put_mat(value: object) -> Callable[[Path], None]:
    return lambda root: scipy.io.savemat(root / TRUTH, {"groundTruth": value})


def link_out(root: Path) -> None:
    (root / TRUTH).unlink()
    (root / TRUTH).symlink_to("/etc/passwd")


TRUTH = "groundTruth/train/train00.mat"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no boundaries": (remove(TRUTH), r"train00.jpg has no groundTruth/train/train00.mat; 1 of 4"),
    "no photo file": (put("images/train/train00.jpg", b"x"), "train00.jpg: "),
    "no matlab file": (put(TRUTH, b"hello"), "no MATLAB file"),
    "another variable": (lambda root: scipy.io.savemat(root / TRUTH, {"a": 1}), "no variable"),
    "numbers": (put_mat(np.zeros((2, 2))), "no struct with Boundaries"),
    "another field": (put_mat({"Segmentation": np.zeros((2, 2))}), "no struct with Boundaries"),
    "another size": (
        put_mat({"Boundaries": np.zeros((80, 64))}),
        "64 x 80 pixels, the photo 80 x 64",
    ),
    "nobody": (put_mat(np.full((0, 0), None, object)), "0 people drew"),
    "a link outside": (link_out, "leads outside"),
}


def read_first(root: Path) -> None:
    pictures = open_bsds(root, split="train")
    pictures.image(0)
    pictures.boundaries(0, width=80, height=64)


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_folders_say_one_line(tmp_path: Path, kind: str) -> None:
    root = write_bsds(tmp_path / "bsds")
    spoil, message = BROKEN[kind]
    spoil(root)
    with pytest.raises(BsdsError, match=message) as caught:
        read_first(root)
    assert "\n" not in str(caught.value)


def test_another_folder_or_split(tmp_path: Path) -> None:
    with pytest.raises(BsdsError, match="not in the layout of BSDS500; looked for"):
        bsds_splits(tmp_path)
    root = write_bsds(tmp_path / "bsds", counts={"train": 1, "val": 0})
    with pytest.raises(BsdsError, match="images/test: cannot be listed"):
        open_bsds(root, split="test")
    with pytest.raises(BsdsError, match="images/val: no photo"):
        open_bsds(root, split="val")
