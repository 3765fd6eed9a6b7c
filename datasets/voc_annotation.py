"""A VOC annotation: the objects of a picture, from XML that nobody need trust.

No document type, hence no entities; bounded in size and depth. Boxes of parts (head, hand, foot) are not read.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
from jaxtyping import Bool, Float64, Int64

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
"""In the devkit's order."""
SLACK_PX = 1.0
"""Boxes may leave their picture by so much: those of rescaled pictures do, by rounding."""

_NUMBERS: Mapping[str, int] = {name: number for number, name in enumerate(VOC_CLASSES)}
_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_MAX_BYTES = 2**20
_MAX_DEPTH = 16


class VocError(ValueError):
    """PASCAL VOC that cannot be found, read or decoded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VocObjects:
    """The objects of a picture, in the order of its file."""

    classes: Int64[np.ndarray, " m"]
    """Places in `VOC_CLASSES`."""
    boxes_px: Float64[np.ndarray, "m 4"]
    """xmin, ymin, xmax, ymax as in the file: pixels counted from 1, both ends included."""
    difficult: Bool[np.ndarray, " m"]
    truncated: Bool[np.ndarray, " m"]

    def __len__(self) -> int:
        return len(self.classes)


def parse_annotation(data: bytes, *, name: str) -> tuple[VocObjects, tuple[int, int] | None]:
    """Read the objects, and the picture's width and height in pixels if the file states them.

    Args:
        data: The XML.
        name: What messages call the file.

    Raises:
        VocError: if it is no annotation, or has an unknown class, a box that is incomplete, not finite or inverted, or
            a flag other than 0 and 1.
    """
    root = _parse(data, name=name)
    if root.tag != "annotation":
        raise VocError(f"{name}: its root is <{root.tag[:40]}>, where <annotation> is wanted")
    found = root.findall("object")
    classes = [_class(item, where=f"{name}: object {i}") for i, item in enumerate(found, 1)]
    boxes = [_box(item, where=f"{name}: object {i}") for i, item in enumerate(found, 1)]
    flags = [
        [_flag(item, flag, where=f"{name}: object {i}") for flag in ("difficult", "truncated")]
        for i, item in enumerate(found, 1)
    ]
    objects = VocObjects(
        classes=np.array(classes, np.int64),
        boxes_px=np.array(boxes, np.float64).reshape(-1, 4),
        difficult=np.array([difficult for difficult, _ in flags], bool),
        truncated=np.array([truncated for _, truncated in flags], bool),
    )
    return objects, _size(root)


def box_outside(boxes_px: Float64[np.ndarray, "m 4"], *, size: tuple[int, int]) -> int | None:
    """Return the place of the first box that leaves a picture of this width and height by more than the slack.

    >>> box_outside(np.array([[1.0, 1, 20, 10], [1, 1, 22, 10]]), size=(20, 10))
    1
    """
    width, height = size
    low, high = 1 - SLACK_PX, np.array([width, height]) + SLACK_PX
    outside = (boxes_px[:, :2] < low).any(axis=1) | (boxes_px[:, 2:] > high).any(axis=1)
    return int(outside.argmax()) if outside.any() else None


def _parse(data: bytes, *, name: str) -> ElementTree.Element:
    if len(data) > _MAX_BYTES:
        raise VocError(f"{name}: {len(data)} bytes, more than the {_MAX_BYTES} of any annotation")
    parser, builder = expat.ParserCreate(), ElementTree.TreeBuilder()
    depth = 0

    def start(tag: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise VocError(f"{name}: more than {_MAX_DEPTH} elements within each other")
        builder.start(tag, {})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_declaration: object) -> None:
        raise VocError(f"{name}: declares a document type, which no annotation needs")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except VocError:
        raise
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise VocError(f"{name}: no XML: {' '.join(str(error).split())[:120]}") from error
    return builder.close()


def _class(item: ElementTree.Element, *, where: str) -> int:
    text = _text(item, "name")
    if text not in _NUMBERS:
        raise VocError(f"{where}: unknown class {text[:40]!r}; VOC has {', '.join(VOC_CLASSES)}")
    return _NUMBERS[text]


def _box(item: ElementTree.Element, *, where: str) -> list[float]:
    box = item.find("bndbox")
    if box is None:
        raise VocError(f"{where}: has no bndbox")
    corners: list[float] = []
    for corner in _CORNERS:
        text = _text(box, corner)
        try:
            corners.append(float(text))
        except ValueError as error:
            raise VocError(f"{where}: {corner} is {text[:40]!r}, no number") from error
    if not all(math.isfinite(value) for value in corners):
        raise VocError(f"{where}: its box {corners} is not finite")
    xmin, ymin, xmax, ymax = corners
    if xmax < xmin or ymax < ymin:
        raise VocError(f"{where}: its box {corners} is inverted (xmin, ymin, xmax, ymax)")
    return corners


def _flag(item: ElementTree.Element, flag: str, *, where: str) -> bool:
    text = _text(item, flag)
    if text not in ("", "0", "1"):
        raise VocError(f"{where}: {flag} is {text[:40]!r}, neither 0 nor 1")
    return text == "1"


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    size = root.find("size")
    if size is None:
        return None
    width, height = _text(size, "width"), _text(size, "height")
    if not (width.isdecimal() and height.isdecimal() and max(len(width), len(height)) < 8):
        return None
    return int(width), int(height)


def _text(item: ElementTree.Element, tag: str) -> str:
    return (item.findtext(tag) or "").strip()
