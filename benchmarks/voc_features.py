"""Frozen features of a network, pooled to about 9,000 numbers a picture and layer as the published probes are."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.network_input import network_input
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError
from scenelift.benchmarks.voc_parts import LabelledPictures

TARGET_DIMENSIONS = 9000
"""9600, 9216, 9600, 9600 and 9216 for the five layers of an AlexNet."""


def pooled_side(channels: int, *, height: int, width: int) -> tuple[int, int]:
    """Return rows and columns that a map is averaged to: about 9,000 numbers in all, never more than there are.

    >>> [pooled_side(c, height=27, width=27) for c in (96, 256, 384)]
    [(10, 10), (6, 6), (5, 5)]
    """
    side = max(1, round((TARGET_DIMENSIONS / channels) ** 0.5))
    return min(side, height), min(side, width)


@torch.inference_mode()
def pooled_features(
    network: Network,
    pictures: LabelledPictures,
    *,
    layers: Sequence[str],
    resize_px: int,
    crop_px: int,
    batch_size: int,
    tell: Callable[[int], None],
) -> dict[str, Float32[np.ndarray, "n d"]]:
    """Return each picture's features by layer, in one pass, scaled to length 1 (0 stays 0).

    Args:
        network: Frozen.
        pictures: Seen by their middle square.
        layers: Which maps.
        resize_px: What the shorter side is resized to first.
        crop_px: Side of the square.
        batch_size: Pictures at once; no figure depends on it.
        tell: Called with the number of pictures done.

    Raises:
        BenchError: if features are not finite.
        VocError: if a picture cannot be read.
    """
    names = [layer.name for layer in network.backbone.layers]
    asked = [network.backbone.layer(layer).name for layer in layers]
    deepest = max(asked, key=names.index)
    parts: dict[str, list[Float[Tensor, "b d"]]] = {layer: [] for layer in asked}
    for start in range(0, len(pictures), batch_size):
        places = range(start, min(start + batch_size, len(pictures)))
        images = pictures.centre_crops(places, resize_px=resize_px, crop_px=crop_px)
        inputs = network_input(images.to(network.device), normalisation=network.normalisation)
        features = network.backbone(inputs, until=deepest)
        for layer in asked:
            map_ = features[layer]
            side = pooled_side(map_.shape[1], height=map_.shape[2], width=map_.shape[3])
            flat = F.adaptive_avg_pool2d(map_, side).flatten(1)
            parts[layer].append(F.normalize(flat, dim=1).cpu())
        tell(places.stop)
    joined = {layer: torch.cat(found).float().numpy() for layer, found in parts.items()}
    for layer, values in joined.items():
        if not np.isfinite(values).all():
            raise BenchError(f"features of layer {layer} are not finite: the weights are damaged")
    return joined
