"""Pictures of the method: predictions beside truth, and what the generator makes."""

import colorsys

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from scenelift.adapt.method import Batch
from scenelift.adapt.mgm.tasks import LABELS, Answers
from scenelift.adapt.pictures import draw_depth, draw_image, draw_normal, side_by_side

Pictures = UInt8[Tensor, "_n _h _w 3"]
_GOLDEN = 0.618034
"""Hues that follow each other by this share of the circle lie far apart."""


def draw_classes(classes: Int64[Tensor, "n h w"]) -> Pictures:
    """Draw classes, each in a colour of its own; 0, unknown, is black.

    >>> draw_classes(torch.tensor([[[0, 1]]]))[0, 0, 0].tolist()
    [0, 0, 0]
    """
    count = int(classes.max()) + 1
    table = [(0.0, 0.0, 0.0)] + [
        colorsys.hsv_to_rgb((k * _GOLDEN) % 1, (0.45, 0.65, 0.85)[k % 3], (0.95, 0.75)[k % 2])
        for k in range(1, count)
    ]
    colours = torch.tensor(table, device=classes.device) * 255
    return colours.round().to(torch.uint8)[classes]


def draw_answers(answers: Answers) -> dict[str, Pictures]:
    """Draw what the networks answer, by task."""
    drawn: dict[str, Tensor] = {}
    for task, answer in answers.items():
        answer = answer.float().cpu()
        match task:
            case "segmentation":
                drawn[task] = draw_classes(answer.argmax(dim=1) + 1)
            case "depth":
                drawn[task] = draw_depth(answer)
            case _:
                drawn[task] = draw_normal(answer)
    return drawn


def draw_truths(batch: Batch) -> dict[str, Pictures]:
    """Draw the labels that a batch has, by task."""
    drawn: dict[str, Tensor] = {}
    for task, label in LABELS.items():
        if label not in batch:
            continue
        truth = batch[label].cpu()
        match task:
            case "segmentation":
                drawn[task] = draw_classes(truth)
            case "depth":
                drawn[task] = draw_depth(truth)
            case _:
                drawn[task] = draw_normal(truth, valid=batch["valid"].cpu())
    return drawn


def draw_beside(batch: Batch, answers: Answers) -> dict[str, Pictures]:
    """Draw picture, truth if there is one, and answer, by task."""
    truths = draw_truths(batch)
    image = draw_image(batch["image"]).cpu()
    return {
        task: side_by_side(image, *([truths[task]] if task in truths else []), answer)
        for task, answer in draw_answers(answers).items()
    }


def draw_pixels(pixels: Float[Tensor, "n 3 h w"]) -> Pictures:
    """Draw pictures whose values lie between -1 and 1."""
    values = ((pixels.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return draw_image(values).cpu()


def grid(pictures: Pictures, *, columns: int) -> Pictures:
    """Set pictures in rows of so many; what fills no row is left out."""
    rows = pictures[: len(pictures) // columns * columns].unflatten(0, (-1, columns))
    return side_by_side(*rows.unbind(dim=1))
