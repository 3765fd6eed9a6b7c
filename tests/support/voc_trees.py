"""PASCAL VOC made by hand: plain pictures with coloured squares, whose colour is their class."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class FakeObject:
    """One square of a picture."""

    name: str
    box: tuple[float, float, float, float]
    """xmin, ymin, xmax, ymax, from 1, both ends included."""
    difficult: int = 0
    truncated: int = 0
    part: tuple[float, float, float, float] | None = None
    """The box of a head, which nobody should read."""


def annotation(
    objects: Sequence[FakeObject], *, width: int, height: int, folder: str = "VOC2007"
) -> bytes:
    """Write an annotation as the devkit does."""
    parts = [_object(item) for item in objects]
    size = f"<size><width>{width}</width><height>{height}</height><depth>3</depth></size>"
    return (
        f"<annotation>\n<folder>{folder}</folder>{size}\n{''.join(parts)}</annotation>\n".encode()
    )


def picture(objects: Sequence[FakeObject], *, width: int, height: int, seed: int) -> bytes:
    """Draw the squares on grey noise and encode as JPEG."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 130, (height, width, 3)).astype(np.uint8)
    for item in objects:
        xmin, ymin, xmax, ymax = (round(value) for value in item.box)
        pixels[ymin - 1 : ymax, xmin - 1 : xmax] = colour(item.name)
    data = io.BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=95, subsampling=0)
    return data.getvalue()


def colour(name: str) -> tuple[int, int, int]:
    """The colour of a class, far from grey and from the others."""
    number = CLASSES.index(name)
    levels = (0, 127, 255)
    return (levels[number % 3], levels[number // 3 % 3], levels[2 - number // 9])


def voc_files(
    counts: Mapping[str, int],
    *,
    top: str = "VOC2007/",
    names: Sequence[str] = CLASSES,
    seed: int = 0,
    width: int = 48,
    height: int = 40,
) -> dict[str, bytes]:
    """The layout: for each split so many pictures with one or two squares of some classes; trainval joins the two.

    Classes go round, so that each split of at least as many pictures has every one.
    """
    rng = np.random.default_rng(seed)
    files: dict[str, bytes] = {}
    lists: dict[str, list[str]] = {}
    number = 0
    for split, count in counts.items():
        lists[split] = []
        for place in range(count):
            number += 1
            chosen = [names[place % len(names)]]
            if rng.random() < 0.3:
                chosen.append(names[int(rng.integers(len(names)))])
            objects = [
                _square(name, side=side, width=width, height=height, rng=rng)
                for side, name in enumerate(chosen)
            ]
            name = f"{number:06d}"
            lists[split].append(name)
            files[f"{top}JPEGImages/{name}.jpg"] = picture(
                objects, width=width, height=height, seed=number
            )
            files[f"{top}Annotations/{name}.xml"] = annotation(objects, width=width, height=height)
    if "train" in lists and "val" in lists:
        lists["trainval"] = sorted(lists["train"] + lists["val"])
    for split, ids in lists.items():
        files[f"{top}ImageSets/Main/{split}.txt"] = "".join(f"{i}\n" for i in ids).encode()
    return files


def _square(
    name: str, *, side: int, width: int, height: int, rng: np.random.Generator
) -> FakeObject:
    """Draw a place in the left or the right half."""
    half = width // 2
    size = int(rng.integers(half // 2, half - 1))
    x = 1 + side * half + int(rng.integers(half - size))
    y = 1 + int(rng.integers(height - size))
    return FakeObject(name=name, box=(x, y, x + size - 1, y + size - 1))


def _object(item: FakeObject) -> str:
    part = "" if item.part is None else f"<part><name>head</name>{_box(item.part)}</part>"
    return (
        f"<object><name>{item.name}</name><pose>Left</pose><truncated>{item.truncated}</truncated>"
        f"<difficult>{item.difficult}</difficult>{part}{_box(item.box)}</object>\n"
    )


def _box(box: tuple[float, float, float, float]) -> str:
    xmin, ymin, xmax, ymax = box
    return f"<bndbox><xmin>{xmin:g}</xmin><ymin>{ymin:g}</ymin><xmax>{xmax:g}</xmax><ymax>{ymax:g}</ymax></bndbox>"
