"""Which view of a batch is nearest to each: how well an embedding tells pictures apart, and whether it has collapsed."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.task import Pictures


def similarities(first: Float[Tensor, "n d"], second: Float[Tensor, "n d"]) -> Float[Tensor, "m m"]:
    """Return the cosine of each two of 2 n embeddings, the first views before the second; -inf for each with itself.

    In float32, or float64 if they are: bfloat16 tells no close neighbours apart.
    """
    rows = torch.cat([first, second])
    if rows.dtype != torch.float64:
        rows = rows.float()
    with torch.autocast(rows.device.type, enabled=False):
        unit = F.normalize(rows, dim=1)
        return (unit @ unit.T).masked_fill(
            torch.eye(len(rows), dtype=torch.bool, device=rows.device), -torch.inf
        )


def other_view(count: int, *, device: torch.device) -> Int64[Tensor, " m"]:
    """Return the row of the other view of the same picture for each of 2 n rows.

    >>> other_view(2, device=torch.device("cpu")).tolist()
    [2, 3, 0, 1]
    """
    return torch.arange(2 * count, device=device).roll(-count)


def judge_retrieval(first: Float[Tensor, "n d"], second: Float[Tensor, "n d"]) -> dict[str, Tensor]:
    """Return how often the nearest of all other views is that of the same picture, beside chance.

    A tie is not told apart: of k nearest the share is 1 / k, so that a collapsed embedding is at chance.
    """
    cosines = similarities(first.detach(), second.detach())
    true = other_view(len(first), device=cosines.device)
    nearest = cosines >= cosines.max(dim=1, keepdim=True).values
    hit = nearest.gather(1, true[:, None])[:, 0] / nearest.sum(dim=1)
    return {
        "accuracy/retrieval": hit.mean(),
        "chance/retrieval": torch.tensor(1 / (2 * len(first) - 1)),
    }


def draw_nearest(
    first_view: Float[Tensor, "n 3 s s"],
    second_view: Float[Tensor, "n 3 s s"],
    *,
    first: Float[Tensor, "n d"],
    second: Float[Tensor, "n d"],
) -> Pictures:
    """Set each picture's first view, its second view, and the view found nearest to the first side by side.

    Args:
        first_view: sRGB from 0 to 1.
        second_view: Of the same pictures.
        first: Embeddings of the first views.
        second: Of the second.
    """
    found = similarities(first, second)[: len(first)].argmax(dim=1)
    views = torch.cat([first_view, second_view])
    columns = (first_view, second_view, views[found])
    return side_by_side(*(draw_image(_to_8_bit(column)) for column in columns)).cpu()


def _to_8_bit(values: Float[Tensor, "n 3 h w"]) -> UInt8[Tensor, "n 3 h w"]:
    return (values * 255).round().to(torch.uint8)
