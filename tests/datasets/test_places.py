"""Photos are found by what lies there: Places-365 in its layouts, MiniPlaces, PASCAL VOC, lists, archives, and anything else."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from photo_trees import photo, write_tar, write_tree

from scenelift.datasets.photo_files import FolderPhotos, PhotoError, TarPhotos
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.places import open_photos

Split = Literal["train", "val"]
DATA = b"photo"
STANDARD = "places365_train_standard.txt"
CHALLENGE = "places365_train_challenge.txt"


def tree(*names: str, **lists: str) -> dict[str, bytes]:
    return dict.fromkeys(names, DATA) | {
        f"{name}.txt": text.encode() for name, text in lists.items()
    }


def voc(top: str, **lists: str) -> dict[str, bytes]:
    """PASCAL VOC with five photos and some lists."""
    photos = tree(*(f"{top}JPEGImages/{number}.jpg" for number in range(1, 6)))
    return photos | {
        f"{top}ImageSets/Main/{name}.txt": "".join(f"{i}\n" for i in ids).encode()
        for name, ids in lists.items()
    }


def found(files: FolderPhotos | TarPhotos, root: Path) -> list[str]:
    return [files.name(index).removeprefix(str(root)).lstrip("/: ") for index in range(len(files))]


TRAIN, TRAIN_2 = "a/airfield/00000001.jpg", "b/beach/00000002.jpg"
LAYOUTS: dict[str, tuple[dict[str, bytes], list[str], list[str]]] = {
    "small, as the archives unpack": (
        tree(f"data_256/{TRAIN_2}", f"data_256/{TRAIN}", "val_256/Places365_val_00000001.jpg"),
        [f"data_256/{TRAIN}", f"data_256/{TRAIN_2}"],
        ["val_256/Places365_val_00000001.jpg"],
    ),
    "full size": (
        tree(f"data_large/{TRAIN}", "val_large/Places365_val_00000001.jpg"),
        [f"data_large/{TRAIN}"],
        ["val_large/Places365_val_00000001.jpg"],
    ),
    "torchvision, standard before challenge, small before large": (
        tree(
            f"data_256_challenge/{TRAIN}",
            f"data_large_standard/{TRAIN}",
            f"data_256_standard/{TRAIN}",
            "val_256/v.jpg",
            "val_large/v.jpg",
            places365_train_standard=f"/{TRAIN} 0\n",
            places365_train_challenge=f"/{TRAIN} 0\n",
            places365_val="v.jpg 165\n",
        ),
        [f"data_256_standard/{TRAIN}"],
        ["val_256/v.jpg"],
    ),
    "torchvision, challenge": (
        tree(
            f"data_large_challenge/{TRAIN}",
            "val_large/v.jpg",
            places365_train_challenge=f"/{TRAIN} 0",
        ),
        [f"data_large_challenge/{TRAIN}"],
        ["val_large/v.jpg"],
    ),
    "a standard list picks out of the challenge's photos, in its order": (
        tree(
            f"data_256/{TRAIN}",
            f"data_256/{TRAIN_2}",
            "data_256/c/more/1.jpg",
            "val_256/v.jpg",
            places365_train_standard=f"/{TRAIN_2} 31\n/{TRAIN} 0\n",
        ),
        [f"data_256/{TRAIN_2}", f"data_256/{TRAIN}"],
        ["val_256/v.jpg"],
    ),
    "easy format": (
        tree(
            "train/airfield/1.jpg",
            "val/airfield/2.jpg",
            train="train/airfield/1.jpg\n",
            val="val/airfield/2.jpg\n",
        ),
        ["train/airfield/1.jpg"],
        ["val/airfield/2.jpg"],
    ),
    "lists alone": (
        tree("photos/1.jpg", "photos/2.jpg", train="photos/1.jpg 4\n", val="photos/2.jpg 5\n"),
        ["photos/1.jpg"],
        ["photos/2.jpg"],
    ),
    **{
        f"PASCAL VOC in {top or 'the folder itself'}": (
            voc(top, train="31", val="25", trainval="1235", test="4"),
            [f"{top}JPEGImages/3.jpg", f"{top}JPEGImages/1.jpg"],
            [f"{top}JPEGImages/2.jpg", f"{top}JPEGImages/5.jpg"],
        )
        for top in ("", "VOC2007/", "VOCdevkit/VOC2012/")
    },
    "PASCAL VOC without train and val": (
        voc("VOC2007/", trainval="12", test="3"),
        ["VOC2007/JPEGImages/1.jpg", "VOC2007/JPEGImages/2.jpg"],
        ["VOC2007/JPEGImages/3.jpg"],
    ),
    "any folder": (tree("y/1.jpg", "x.png"), ["x.png", "y/1.jpg"], ["x.png", "y/1.jpg"]),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("split", ["train", "val"])
def test_folders_are_told_by_what_lies_in_them(tmp_path: Path, name: str, split: Split) -> None:
    files, train, val = LAYOUTS[name]
    photos = open_photos(write_tree(tmp_path, files), split=split)
    assert found(photos, tmp_path) == (train if split == "train" else val)


TARS: dict[str, tuple[dict[str, bytes], list[str], list[str]]] = {
    "MiniPlaces": (
        tree(
            "mini/train/a/2.jpg",
            "mini/train/a/1.jpg",
            "mini/val/1.jpg",
            **{"mini/train": "train/a/2.jpg 0\ntrain/a/1.jpg 0\n", "mini/val": "val/1.jpg 3"},
        ),
        ["mini/train/a/2.jpg", "mini/train/a/1.jpg"],
        ["mini/val/1.jpg"],
    ),
    "both splits, no list": (
        tree("data_256/a/2.jpg", "data_256/a/1.jpg", "val_256/1.jpg"),
        ["data_256/a/1.jpg", "data_256/a/2.jpg"],
        ["val_256/1.jpg"],
    ),
    "PASCAL VOC": (
        voc("VOCdevkit/VOC2007/", train="31", val="25"),
        ["VOCdevkit/VOC2007/JPEGImages/3.jpg", "VOCdevkit/VOC2007/JPEGImages/1.jpg"],
        ["VOCdevkit/VOC2007/JPEGImages/2.jpg", "VOCdevkit/VOC2007/JPEGImages/5.jpg"],
    ),
    "PASCAL VOC, test alone": (
        voc("", test="4"),
        ["JPEGImages/4.jpg"],
        ["JPEGImages/4.jpg"],
    ),
    "any archive": (
        tree("b.jpg", "a/c.png", "note.txt"),
        ["a/c.png", "b.jpg"],
        ["a/c.png", "b.jpg"],
    ),
}


@pytest.mark.parametrize("name", TARS)
@pytest.mark.parametrize("split", ["train", "val"])
def test_archives_are_told_by_what_lies_in_them(tmp_path: Path, name: str, split: Split) -> None:
    files, train, val = TARS[name]
    path = write_tar(tmp_path / "a.tar", files)
    assert found(open_photos(path, split=split), path) == (train if split == "train" else val)


def test_a_folder_of_the_archives_themselves(tmp_path: Path) -> None:
    small = write_tar(tmp_path / "train_256_places365standard.tar", tree(f"data_256/{TRAIN}"))
    write_tar(tmp_path / "train_large_places365standard.tar", tree(f"data_large/{TRAIN}"))
    large = write_tar(tmp_path / "val_large.tar", tree("val_large/v.jpg"))
    assert found(open_photos(tmp_path), small) == [f"data_256/{TRAIN}"]
    assert found(open_photos(tmp_path, split="val"), large) == ["val_large/v.jpg"]
    small.unlink()
    assert found(open_photos(tmp_path), tmp_path) == [
        f"train_large_places365standard.tar: data_large/{TRAIN}"
    ]


def test_a_list_is_a_source_of_its_own(tmp_path: Path) -> None:
    write_tree(tmp_path, {**tree("x/1.jpg", "x/2.jpg"), "mine.txt": b"x/2.jpg\n"})
    assert found(open_photos(tmp_path / "mine.txt"), tmp_path) == ["x/2.jpg"]


@pytest.mark.parametrize(
    ("files", "split", "message"),
    [
        (tree("data_256/a/1.jpg"), "val", "split train but none of val; looked for val_256/"),
        (tree("val_256/1.jpg"), "train", "split val but none of train; looked for data_256"),
        (
            voc("VOC2007/", train="1", trainval="12"),
            "val",
            "no split 'val' in ImageSets/Main; there is",
        ),
        (voc("VOC2007/", train="19"), "train", "JPEGImages/9.jpg is missing"),
        (voc("VOC2007/", train="11"), "train", "names 1 twice"),
        (
            voc("VOC2007/", train="1") | voc("VOC2012/", train="1"),
            "train",
            "say which year, or name one",
        ),
        (tree("notes/readme"), "train", "no photo below this folder"),
        (tree("data_256/notes"), "train", "no photo below this folder"),
        (
            tree("data_256/a/1.jpg", places365_train_standard="/a/2.jpg 0"),
            "train",
            "first photo that it names, a/2.jpg, is not in",
        ),
        (
            tree("data_256/a/1.jpg", places365_train_standard="/../a/2.jpg 0"),
            "train",
            "line 1 leads outside",
        ),
    ],
)
def test_what_is_missing_is_said_in_a_line(
    tmp_path: Path, files: Mapping[str, bytes], split: Split, message: str
) -> None:
    with pytest.raises(PhotoError, match=message) as error:
        open_photos(write_tree(tmp_path, files), split=split)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


@pytest.mark.parametrize(
    ("files", "split", "message"),
    [
        (tree("data_256/a/1.jpg"), "val", "split train but none of val"),
        (voc("", train="1"), "val", "no split 'val' in ImageSets/Main; there is train"),
        (tree("a/notes"), "train", "no photo in this archive"),
        (tree("m/train/1.jpg", **{"m/train": "train/2.jpg"}), "train", "names train/2.jpg, which"),
        (tree("m/train/1.jpg", **{"m/train": "../2.jpg"}), "train", "line 1 leads outside"),
    ],
)
def test_what_an_archive_lacks_is_said_in_a_line(
    tmp_path: Path, files: Mapping[str, bytes], split: Split, message: str
) -> None:
    path = write_tar(tmp_path / "a.tar", files)
    with pytest.raises(PhotoError, match=message) as error:
        open_photos(path, split=split)
    assert "\n" not in str(error.value)
    assert str(path) in str(error.value)


def test_other_paths_say_what_to_name(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a.jpg": DATA, "b.bin": b"hello", "c.tar.gz": b"\x1f\x8b" + bytes(600)})
    with pytest.raises(PhotoError, match="does not exist; name a folder, a list or a tar"):
        open_photos(tmp_path / "none")
    with pytest.raises(PhotoError, match="single photo; name the folder"):
        open_photos(tmp_path / "a.jpg")
    with pytest.raises(PhotoError, match="no tar archive"):
        open_photos(tmp_path / "b.bin")
    with pytest.raises(PhotoError, match="gzip-compressed; unpack it"):
        open_photos(tmp_path / "c.tar.gz")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(tmp_path: Path) -> None:
    write_tree(tmp_path, {"a/1.jpg": photo()})
    (tmp_path / "a").chmod(0)
    with pytest.raises(PhotoError, match="Permission denied"):
        open_photos(tmp_path / "a")
    (tmp_path / "a").chmod(0o700)


def test_miniplaces() -> None:
    path = Path(os.environ.get("SCENELIFT_DATA", "missing")) / "images" / "miniplaces.tar"
    if not path.exists():
        pytest.skip("SCENELIFT_DATA names no images/miniplaces.tar")
    train, val = (PhotoDataset(open_photos(path, split=split)) for split in ("train", "val"))
    assert (len(train), len(val)) == (7000, 2000)
    assert train.name(0).endswith("miniplaces/train/a/abbey/00000001.jpg")
    assert "/val/" in val.name(1999)
    for index in range(0, 7000, 500):
        image = train.frame(index)["image"]
        assert image.shape == (128, 128, 3)
        assert np.std(image) > 5


def test_voc2007() -> None:
    path = Path(os.environ.get("SCENELIFT_DATA", "missing")) / "images" / "voc2007.tar"
    if not path.exists():
        pytest.skip("SCENELIFT_DATA names no images/voc2007.tar")
    train, val = (PhotoDataset(open_photos(path, split=split)) for split in ("train", "val"))
    names = [{photos.name(index) for index in range(len(photos))} for photos in (train, val)]
    assert (len(names[0]), len(names[1])) == (len(train), len(val))
    assert len(train) + len(val) == 2476
    assert min(len(train), len(val)) > 500
    assert not names[0] & names[1]
    for index in range(0, len(train), 200):
        image = train.frame(index)["image"]
        assert max(image.shape) == 224
        assert np.std(image) > 5
