import tarfile
from pathlib import Path

import pytest
from fake_bench import write_data

from scenelift.benchmarks.data_sets import data_fingerprint, find_data_sets, recognise
from scenelift.benchmarks.task import BenchError


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def pack(path: Path, folder: Path, *, above: str = "") -> Path:
    with tarfile.open(path, "w") as archive:
        archive.add(folder, arcname=f"{above}{folder.name}")
    return path


LAYOUTS = {
    "voc": ("JPEGImages/a.jpg", "Annotations/a.xml"),
    "nyud": ("image/1.jpg", "depth/1.png", "label40/1.png"),
    "places": ("train.txt", "val.txt", "categories.txt", "images/a.jpg"),
    "bsds": ("images/a.jpg", "groundTruth/a.mat"),
    "imagenet": ("train/n01440764/a.JPEG", "val/n01440764/b.JPEG"),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts_are_told_by_content_packed_or_not(tmp_path: Path, kind: str) -> None:
    folder = tree(tmp_path / "some name", *LAYOUTS[kind])
    assert recognise(folder) == kind
    (tmp_path / "archives").mkdir()
    assert recognise(pack(tmp_path / "archives" / "x.tar", folder)) == kind
    assert recognise(pack(tmp_path / "archives" / "y.tar", folder, above="VOCdevkit/")) == kind
    found = find_data_sets(tmp_path / "archives")
    assert [(one.kind, one.name) for one in found] == [(kind, "x"), (kind, "y")]


def test_a_folder_of_several_is_searched_and_one_is_itself(tmp_path: Path) -> None:
    write_data(tmp_path)
    tree(tmp_path / "VOCdevkit" / "VOC2012", *LAYOUTS["voc"])
    tree(tmp_path / "other", "notes.txt")
    found = {one.name: one.kind for one in find_data_sets(tmp_path)}
    assert found == {"tiny": "imagenet", "VOC2007": "voc", "VOC2012": "voc"}
    assert [one.name for one in find_data_sets(tmp_path / "VOC2007")] == ["VOC2007"]
    assert find_data_sets(tmp_path / "other") == []


def test_what_is_none_is_none(tmp_path: Path) -> None:
    (tmp_path / "broken.tar").write_bytes(b"no archive" * 100)
    (tmp_path / "up").symlink_to(tmp_path, target_is_directory=True)
    assert find_data_sets(tmp_path) == []
    with pytest.raises(BenchError, match="does not exist"):
        find_data_sets(tmp_path / "none")
    for below in ("a", "b"):
        tree(tmp_path / below / "VOC2007", *LAYOUTS["voc"])
    with pytest.raises(BenchError, match="two data sets of one name"):
        find_data_sets(tmp_path)


def test_the_fingerprint_knows_names_sizes_and_bytes(tmp_path: Path) -> None:
    folder = write_data(tmp_path / "data")
    first = data_fingerprint(folder)
    assert data_fingerprint(folder) == first
    new = folder / "VOC2007/JPEGImages/c.jpg"
    new.write_bytes(new.read_bytes() + b"1")
    second = data_fingerprint(folder)
    new.rename(new.with_name("d.jpg"))
    assert len({first, second, data_fingerprint(folder)}) == 3
    archive = pack(tmp_path / "x.tar", folder)
    packed = data_fingerprint(archive)
    content = bytearray(archive.read_bytes())
    content[-20_000] ^= 1
    archive.write_bytes(content)
    assert data_fingerprint(archive) != packed
