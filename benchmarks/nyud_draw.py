"""Pictures of what is said of a frame: a row a task of picture, truth, answer and error."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Integer, UInt8

from scenelift.adapt.pictures import Pictures, draw_grid, side_by_side, write_png
from scenelift.benchmarks.nyud_judge import Answer, Truth, geometry_rows

_WRONG = (224, 72, 60)
_RIGHT = (235, 240, 235)
_UNKNOWN = (58, 58, 66)


def class_colours(num_classes: int) -> UInt8[np.ndarray, "ids 3"]:
    """Return a colour for each id from 0 on, far apart for neighbours; 0 is dark."""
    ids = np.arange(1, num_classes + 1)
    hue = (ids * 0.61803398875 * 180) % 180
    saturation, value = 110 + 60 * (ids % 3), 240 - 45 * (ids % 4)
    hsv = np.stack([hue, saturation, value], axis=-1).astype(np.uint8)[None]
    return np.concatenate([[_UNKNOWN], cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]).astype(np.uint8)


def class_row(
    image: UInt8[np.ndarray, "h0 w0 3"],
    told: Integer[np.ndarray, "h0 w0"],
    true: Integer[np.ndarray, "h0 w0"],
    *,
    num_classes: int,
) -> Pictures:
    """Draw picture, true classes, told classes, and where they differ."""
    colours = class_colours(num_classes)
    error = np.where((told == true)[..., None], _RIGHT, _WRONG)
    error = np.where((true == 0)[..., None], _UNKNOWN, error).astype(np.uint8)
    cells = (image, colours[true], colours[told], error)
    return side_by_side(*(torch.from_numpy(cell)[None] for cell in cells))


def draw_frame(answer: Answer, truth: Truth, *, path: Path) -> None:
    """Draw all that is said of a frame.

    Raises:
        OSError: if the file cannot be written.
    """
    classes: Mapping[int, Integer[np.ndarray, "h w"]] = answer.classes or {}
    rows = geometry_rows(answer, truth)
    rows += [
        class_row(truth.image, told, truth.classes[number], num_classes=number)
        for number, told in classes.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    captions = ("picture", "true", "told", "error")
    write_png(path, draw_grid(torch.cat(rows), captions=captions))
