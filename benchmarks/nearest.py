"""Nearest neighbours among features, by cosine or distance; votes weighted as instance discrimination does."""

from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn import functional as F

Metric = Literal["cosine", "l2"]

_BLOCK_NUMBERS = 2**24
"""Similarities that are held at once."""


def nearest(
    queries: Float[Tensor, "q d"],
    gallery: Float[Tensor, "n d"],
    *,
    k: int,
    metric: Metric = "cosine",
) -> tuple[Float[Tensor, "q k"], Int64[Tensor, "q k"]]:
    """Return the similarity and the index of each query's k nearest, nearest first; of equals the first in the gallery.

    Similarity is the cosine (0 beside a vector of zeros) or the negative Euclidean distance. With fewer than k there are fewer.

    >>> nearest(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0], [2.0, 0.1]]), k=1)[1].tolist()
    [[1]]
    """
    k = min(k, len(gallery))
    if metric == "cosine":
        queries, gallery = F.normalize(queries), F.normalize(gallery)
    values, indices = [], []
    for part in queries.split(max(1, _BLOCK_NUMBERS // len(gallery))):
        if metric == "cosine":
            similarity = part @ gallery.T
        else:
            similarity = -torch.cdist(
                part, gallery, compute_mode="use_mm_for_euclid_dist_if_necessary"
            )
        found = similarity.sort(dim=1, descending=True, stable=True)
        values.append(found.values[:, :k])
        indices.append(found.indices[:, :k])
    return torch.cat(values), torch.cat(indices)


def vote(
    similarity: Float[Tensor, "q k"],
    labels: Int64[Tensor, "q k"],
    *,
    num_classes: int,
    temperature: float,
) -> Float[Tensor, "q classes"]:
    """Return each class's sum of exp(similarity / temperature) over a query's neighbours (Wu et al., CVPR 2018, eq. 6), up to a factor.

    >>> votes = vote(torch.tensor([[1.0, 0.9]]), torch.tensor([[2, 0]]), num_classes=3, temperature=0.07)
    >>> votes.argmax().item(), votes[0, 1].item()
    (2, 0.0)
    """
    weights = ((similarity - similarity[:, :1]) / temperature).exp()
    votes = similarity.new_zeros(len(similarity), num_classes)
    return votes.scatter_add_(1, labels, weights)
