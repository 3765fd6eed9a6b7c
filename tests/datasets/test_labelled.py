"""Labelled pictures are told by what lies there, and lists that do not fit are refused in one line."""

import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from labelled_trees import WNIDS, class_folders, coloured
from photo_trees import photo, write_tar, write_tree

from scenelift.datasets.labelled import (
    LabelError,
    LabelledSplit,
    fingerprint,
    open_labelled,
    open_labelled_splits,
)

A, B, C = WNIDS
PHOTO = photo()


def tree(*names: str, **lists: str) -> dict[str, bytes]:
    return dict.fromkeys(names, PHOTO) | {
        name.replace("__", "/"): text.encode() for name, text in lists.items()
    }


def listed(text: Mapping[str, str]) -> dict[str, bytes]:
    return {name: content.encode() for name, content in text.items()}


Expected = dict[LabelledSplit, list[tuple[str, str]]]
FOLDERS = tree(f"train/{A}/1.JPEG", f"train/{B}/2.JPEG", f"train/{B}/1.JPEG")
TRAIN = [(f"train/{A}/1.JPEG", A), (f"train/{B}/1.JPEG", B), (f"train/{B}/2.JPEG", B)]
LAYOUTS: dict[str, tuple[dict[str, bytes], Expected]] = {
    "folders of classes": (
        FOLDERS | tree(f"val/{B}/7.JPEG"),
        {"train": TRAIN, "val": [(f"val/{B}/7.JPEG", B)]},
    ),
    "folders with a test split": (
        FOLDERS | tree(f"test/{A}/7.JPEG"),
        {"train": TRAIN, "test": [(f"test/{A}/7.JPEG", A)]},
    ),
    "ImageNet, flat validation beside Caffe's list, test without labels": (
        FOLDERS
        | tree("val/ILSVRC2012_val_00000001.JPEG", "test/ILSVRC2012_test_00000001.JPEG")
        | listed({"val.txt": "ILSVRC2012_val_00000001.JPEG 1\n"}),
        {"train": TRAIN, "val": [("val/ILSVRC2012_val_00000001.JPEG", B)]},
    ),
    "ImageNet, flat validation beside Kaggle's list": (
        FOLDERS
        | tree("val/ILSVRC2012_val_00000001.JPEG")
        | listed(
            {
                "LOC_val_solution.csv": "ImageId,PredictionString\n"
                f"ILSVRC2012_val_00000001,{B} 1 2 3 4 {B} 1 2 3 4\n"
            }
        ),
        {"train": TRAIN, "val": [("val/ILSVRC2012_val_00000001.JPEG", B)]},
    ),
    "Tiny-ImageNet-200's own": (
        tree(f"train/{A}/images/{A}_0.JPEG", f"train/{C}/images/{C}_0.JPEG")
        | tree("val/images/val_0.JPEG", "val/images/val_1.JPEG", "test/images/test_0.JPEG")
        | listed(
            {
                "wnids.txt": f"{C}\n{A}\n",
                "val/val_annotations.txt": f"val_1.JPEG\t{A}\t0\t0\t9\t9\nval_0.JPEG\t{C}\t0\t0\t9\t9\n",
                f"train/{A}/{A}_boxes.txt": f"{A}_0.JPEG\t0\t0\t9\t9\n",
            }
        ),
        {
            "train": [(f"train/{A}/images/{A}_0.JPEG", A), (f"train/{C}/images/{C}_0.JPEG", C)],
            "val": [("val/images/val_0.JPEG", C), ("val/images/val_1.JPEG", A)],
        },
    ),
    "MiniPlaces": (
        tree("train/a/abbey/2.jpg", "train/b/bakery/shop/1.jpg", "val/1.jpg")
        | listed(
            {
                "train.txt": "train/b/bakery/shop/1.jpg 1\ntrain/a/abbey/2.jpg 0\n",
                "val.txt": "val/1.jpg 1\n",
                "categories.txt": "abbey 0\nbakery/shop 1\n",
            }
        ),
        {
            "train": [
                ("train/a/abbey/2.jpg", "abbey"),
                ("train/b/bakery/shop/1.jpg", "bakery/shop"),
            ],
            "val": [("val/1.jpg", "bakery/shop")],
        },
    ),
    "lists without names of classes, below the split's folder": (
        tree("train/x.jpg", "train/y.jpg")
        | listed({"train.txt": "# two\n\ny.jpg\t1\r\nx.jpg\t0\r\n"}),
        {"train": [("train/x.jpg", "0"), ("train/y.jpg", "1")]},
    ),
    "Places365": (
        tree("data_256/a/airfield/1.jpg", "data_256/b/beach/2.jpg", "val_256/Places365_val_1.jpg")
        | listed(
            {
                "places365_train_standard.txt": "/b/beach/2.jpg 1\n/a/airfield/1.jpg 0\n",
                "places365_val.txt": "Places365_val_1.jpg 1\n",
                "categories_places365.txt": "/a/airfield 0\n/b/beach 1\n",
            }
        ),
        {
            "train": [
                ("data_256/a/airfield/1.jpg", "a/airfield"),
                ("data_256/b/beach/2.jpg", "b/beach"),
            ],
            "val": [("val_256/Places365_val_1.jpg", "b/beach")],
        },
    ),
}


@pytest.mark.parametrize("below", ["", "set/"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str, packed: bool, below: str) -> None:
    files, expected = LAYOUTS[layout]
    files = {below + name: data for name, data in files.items()}
    path = write_tar(tmp_path / "a.tar", files) if packed else write_tree(tmp_path / "a", files)
    splits = open_labelled_splits(path)
    found = {
        split: [(images.name(i), images.classes[images.label(i)]) for i in range(len(images))]
        for split, images in splits.items()
    }
    assert found == expected
    assert splits["train"].image(0).shape == (20, 24, 3)


def test_folder_and_archive_agree_whatever_the_order(tmp_path: Path) -> None:
    files = class_folders(train=3, val=2)
    shuffled = list(files.items())
    random.Random(0).shuffle(shuffled)
    one = open_labelled_splits(write_tree(tmp_path / "a", files))
    other = open_labelled_splits(write_tar(tmp_path / "a.tar", dict(shuffled)))
    assert fingerprint(one.values()) == fingerprint(other.values())
    for split, images in one.items():
        assert images.labels.tolist() == other[split].labels.tolist()
        np.testing.assert_array_equal(images.image(1), other[split].image(1))


def test_fingerprint_tells_names_and_sizes(tmp_path: Path) -> None:
    files = class_folders(train=2, val=1)
    base = fingerprint(open_labelled_splits(write_tar(tmp_path / "a.tar", files)).values())
    name = next(iter(files))
    longer = files | {name: files[name] + b"\0"}
    renamed = {key.replace("/0.png", "/9.png"): data for key, data in files.items()}
    for number, changed in enumerate((longer, renamed)):
        path = write_tar(tmp_path / f"{number}.tar", changed)
        assert fingerprint(open_labelled_splits(path).values()) != base


def test_titles(tmp_path: Path) -> None:
    many = tree(*(f"train/n{number:08d}/1.JPEG" for number in range(200)))
    assert (
        open_labelled(write_tar(tmp_path / "a.tar", many), split="train").title
        == "Tiny-ImageNet-200"
    )
    mine = open_labelled(write_tar(tmp_path / "b.tar", class_folders(train=1, val=1)), split="val")
    assert mine.title == "set"


HOSTILE: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({"a.txt": b""}, "no labelled photos"),
    "no train": (tree("val/a/1.jpg"), "no labelled photos"),
    "one class": (tree("train/a/1.jpg"), "one class, 'a'"),
    "class without training": (FOLDERS | tree("val/zebra/1.jpg"), "'zebra' has no photo in train/"),
    "flat validation": (FOLDERS | tree("val/1.jpg"), "no list tells its labels"),
    "archives within": ({"n01.tar": b"", "n02.tar": b""}, "holds archives within"),
    "no label": (tree("train/x.jpg") | listed({"train.txt": "train/x.jpg\n"}), "line 1"),
    "no number": (tree("train/x.jpg") | listed({"train.txt": "train/x.jpg -1\n"}), "whole number"),
    "a number too large": (
        tree("train/x.jpg") | listed({"train.txt": "train/x.jpg 99999999\n"}),
        "a label of 99999999",
    ),
    "a number of many digits": (
        tree("train/x.jpg") | listed({"train.txt": f"train/x.jpg {'9' * 5000}\n"}),
        "whole number",
    ),
    "missing photo": (
        tree("train/x.jpg") | listed({"train.txt": "train/y.jpg 0\n"}),
        "'train/y.jpg'",
    ),
    "named twice": (
        tree("train/x.jpg") | listed({"train.txt": "train/x.jpg 0\ntrain/x.jpg 1\n"}),
        "twice",
    ),
    "in two splits": (
        tree("x.jpg", "y.jpg")
        | listed({"train.txt": "x.jpg 0\ny.jpg 1\n", "val.txt": "x.jpg 0\n"}),
        "two splits",
    ),
    "outside": (
        tree("train/x.jpg") | listed({"train.txt": "../secret.jpg 0\n"}),
        "does not exist",
    ),
    "no photo": (
        tree("x.jpg") | listed({"train.txt": "x.jpg 0\ntrain.txt 1\n"}),
        "is labelled but no photo",
    ),
    "empty list": (tree("x.jpg") | listed({"train.txt": "# none\n"}), "names no photo"),
    "too few categories": (
        tree("x.jpg", "y.jpg")
        | listed({"train.txt": "x.jpg 0\ny.jpg 7\n", "categories.txt": "a 0\nb 1\n"}),
        "numbers 2 classes",
    ),
    "categories without numbers": (
        tree("x.jpg", "y.jpg")
        | listed({"train.txt": "x.jpg 0\ny.jpg 1\n", "categories.txt": "a\nb\n"}),
        "categories.txt: line 1",
    ),
    "annotation of an unknown class": (
        tree(f"train/{A}/images/1.JPEG", "val/images/val_0.JPEG")
        | listed({"val/val_annotations.txt": f"val_0.JPEG\t{B}\n"}),
        "names no class",
    ),
    "annotation of a missing picture": (
        tree(f"train/{A}/images/1.JPEG", f"train/{B}/images/1.JPEG")
        | listed({"val/val_annotations.txt": f"val_0.JPEG\t{B}\n"}),
        "val/images/val_0.JPEG",
    ),
    "Kaggle's list of a missing picture": (
        FOLDERS | listed({"LOC_val_solution.csv": f"ImageId,x\nval_1,{A} 1\n"}),
        "val/val_1.JPEG",
    ),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("case", HOSTILE)
def test_refused(tmp_path: Path, case: str, packed: bool) -> None:
    files, message = HOSTILE[case]
    path = write_tar(tmp_path / "a.tar", files) if packed else write_tree(tmp_path / "a", files)
    with pytest.raises(LabelError) as raised:
        open_labelled_splits(path)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


def _missing(path: Path) -> Path:
    return path / "none"


def _cut_off(path: Path) -> Path:
    tar = write_tar(path / "a.tar", class_folders(train=2, val=1))
    tar.write_bytes(tar.read_bytes()[:3000])
    return tar


def _zipped(path: Path) -> Path:
    (path / "a.tar").write_bytes(b"\x1f\x8b" + bytes(600))
    return path / "a.tar"


@pytest.mark.parametrize("make", [_missing, _cut_off, _zipped])
def test_no_archive(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(LabelError):
        open_labelled_splits(make(tmp_path))


def test_split_that_is_not_there(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "a", FOLDERS)
    with pytest.raises(LabelError, match="no labelled split val; there are train"):
        open_labelled(path, split="val")


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    secret = write_tree(tmp_path / "secret", {"1.png": coloured(0, label=0)})
    root = write_tree(tmp_path / "a", class_folders(train=1, val=1))
    (root / "set/train/class0/link.png").symlink_to(secret / "1.png")
    (root / "set/train/away").symlink_to(secret)
    os.mkfifo(root / "set/train/class0/pipe.png")
    images = open_labelled(root, split="train")
    names = [images.name(index) for index in range(len(images))]
    assert not any("away" in name or "pipe" in name for name in names)
    if "train/class0/link.png" in names:
        with pytest.raises(LabelError, match="outside"):
            images.image(names.index("train/class0/link.png"))


def test_damaged_picture_is_named(tmp_path: Path) -> None:
    files = class_folders(train=2, val=1)
    files["set/train/class0/0.png"] = b"no picture"
    images = open_labelled(write_tar(tmp_path / "a.tar", files), split="train")
    with pytest.raises(LabelError, match=r"class0/0\.png"):
        images.image(0)


@pytest.mark.parametrize(
    ("name", "title", "counts", "classes"),
    [
        ("tiny_imagenet.tar", "Tiny-ImageNet-200", (10_000, 2_400), 200),
        ("miniplaces.tar", "MiniPlaces", (7_000, 2_000), 100),
    ],
)
def test_real_sets(name: str, title: str, counts: tuple[int, int], classes: int) -> None:
    path = Path(os.environ.get("SCENELIFT_DATA", "/nowhere")) / "images" / name
    if not path.exists():
        pytest.skip("needs SCENELIFT_DATA")
    splits = open_labelled_splits(path)
    assert [len(images) for images in splits.values()] == list(counts)
    for images in splits.values():
        assert images.title == title
        assert len(images.classes) == classes
        assert len(set(np.bincount(images.labels, minlength=classes).tolist())) == 1
