"""Reading files of others: what leaves the root, what is missing, what is too large."""

import os
import struct
import zipfile
from pathlib import Path

import pytest

from scenelift.render.formats.files import (
    DataRoot,
    MissingFileError,
    SafeZip,
    load_json,
    read_bytes,
)
from scenelift.render.scene import SceneError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "root" / "model").mkdir(parents=True)
    (tmp_path / "root" / "Texture").mkdir()
    (tmp_path / "root" / "Texture" / "Wood.PNG").write_bytes(b"wood")
    (tmp_path / "root" / "model" / "wall.png").write_bytes(b"wall")
    (tmp_path / "secret.png").write_bytes(b"secret")
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("wall.png", "model/wall.png"),
        ("./wall.png", "model/wall.png"),
        ("../Texture/Wood.PNG", "Texture/Wood.PNG"),
        ("..//Texture//Wood.PNG", "Texture/Wood.PNG"),
        ("..\\Texture\\Wood.PNG", "Texture/Wood.PNG"),
        ("../texture/wood.png", "Texture/Wood.PNG"),
        ("../Texture", "Texture"),
        ("C:\\Users\\me\\wall.png", "model/wall.png"),
        ("/home/me/wall.png", "model/wall.png"),
        ("\\\\server\\share\\WALL.png", "model/wall.png"),
        ("file:///home/me/wall.png", "model/wall.png"),
        ("../model/../model/wall.png", "model/wall.png"),
    ],
)
def test_references_are_found(tree: Path, reference: str, expected: str) -> None:
    assert DataRoot(tree).resolve(tree / "model", reference) == (tree / expected).resolve()


@pytest.mark.parametrize(
    "reference",
    ["../../secret.png", "..\\..\\secret.png", "a/../../../x", "../../root/../secret.png"],
)
def test_what_leaves_the_root_is_refused(tree: Path, reference: str) -> None:
    with pytest.raises(SceneError, match="data root") as error:
        DataRoot(tree).resolve(tree / "model", reference)
    assert not isinstance(error.value, MissingFileError)


def test_links_out_of_the_root_are_refused(tree: Path) -> None:
    (tree / "model" / "link.png").symlink_to(tree.parent / "secret.png")
    (tree / "model" / "up").symlink_to(tree.parent)
    for reference in ("link.png", "up/secret.png"):
        with pytest.raises(SceneError, match="data root"):
            DataRoot(tree).resolve(tree / "model", reference)


def test_links_within_the_root_and_to_themselves(tree: Path) -> None:
    (tree / "model" / "good.png").symlink_to(tree / "Texture" / "Wood.PNG")
    (tree / "model" / "loop.png").symlink_to(tree / "model" / "loop.png")
    root = DataRoot(tree)
    assert root.resolve(tree / "model", "good.png") == (tree / "Texture" / "Wood.PNG").resolve()
    with pytest.raises(MissingFileError):
        root.resolve(tree / "model", "loop.png")


@pytest.mark.parametrize(
    "reference",
    ["", "  ", "none.png", "a\0b", "x" * 5000, "/etc/passwd", "C:\\boot.ini", "no/such/file"],
)
def test_missing_files(tree: Path, reference: str) -> None:
    with pytest.raises(MissingFileError):
        DataRoot(tree).resolve(tree / "model", reference)


def test_pipes_and_folders_are_not_read(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    for path in (tree / "pipe", tree):
        with pytest.raises(SceneError, match="regular"):
            read_bytes(path)
    with pytest.raises(SceneError, match="larger than 3 bytes"):
        read_bytes(tree / "model" / "wall.png", limit=3)
    assert read_bytes(tree / "model" / "wall.png", limit=4) == b"wall"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "empty"),
        (b'{"a": 1,\n "b": }', "line 2"),
        (b'{"a": [1, 2', "cut off"),
        (b'{"a": 1,\n\n"b": NaN}', "line 3: NaN"),
        (b'{"a": "NaN",\n"b": -Infinity}', "line 2: -Infinity"),
        (b'{"a": 1e999}', "line 1: 1e999"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b"[" * 100 + b"]" * 100, "nested 100 deep"),
        (b'{"a": "' + b"[" * 100 + b'"}', None),
        (b"\xff\xfe{}", "not usable JSON"),
        (b"9" * 5000, "not usable JSON"),
    ],
)
def test_json(text: bytes, fault: str | None) -> None:
    if fault is None:
        assert load_json(text, name="x.json")
        return
    with pytest.raises(SceneError, match=f"x.json: .*{fault}"):
        load_json(text, name="x.json")


def _zip(path: Path, entries: dict[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_zip_reads_its_entries(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {"b/x.obj": b"x" * 1000, "a.txt": b"text"})
    with SafeZip(path) as archive:
        assert archive.names == ("a.txt", "b/x.obj")
        assert archive.read("a.txt") == b"text"
        with pytest.raises(MissingFileError):
            archive.read("c.txt")
        with pytest.raises(SceneError, match="1000 bytes, 10 may"):
            archive.read("b/x.obj", limit=10)


def test_zip_bombs_and_traversal(tmp_path: Path) -> None:
    bomb = _zip(tmp_path / "bomb.zip", {"zeros": bytes(50_000_000)})
    with pytest.raises(SceneError, match="bomb"):
        SafeZip(bomb)
    with pytest.raises(SceneError, match="unpacks to 50000000 bytes"):
        SafeZip(bomb, max_bytes=1000)
    for name in ("../x", "/x", "a/../../x", "C:/x"):
        with pytest.raises(SceneError, match="out of the archive"):
            SafeZip(_zip(tmp_path / "t.zip", {name: b""}))


def test_zip_damage(tmp_path: Path) -> None:
    good = _zip(tmp_path / "a.zip", {"a.txt": bytes(range(256)) * 40}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(good[:-30])
    with pytest.raises(SceneError, match="cut off"):
        SafeZip(tmp_path / "cut.zip")
    broken = bytearray(good)
    broken[60:80] = b"\xff" * 20
    (tmp_path / "broken.zip").write_bytes(broken)
    with SafeZip(tmp_path / "broken.zip") as archive, pytest.raises(SceneError, match="corrupt"):
        archive.read("a.txt")
    encrypted = bytearray(good)
    place = good.index(b"PK\1\2")
    struct.pack_into("<H", encrypted, place + 8, 1)
    (tmp_path / "secret.zip").write_bytes(encrypted)
    with pytest.raises(SceneError, match="encrypted"):
        SafeZip(tmp_path / "secret.zip")
