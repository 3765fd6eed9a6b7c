"""First weights of a network from data (Krähenbühl et al., ICLR 2016, `magic init`), layer by layer in the order of execution.

A layer's weights are drawn, or found in the patches of its input: their principal components, or centroids of k-means among them after
whitening. Then each unit's weights are divided by its standard deviation on the data, and its bias brings its mean to a given number.
"""

import logging
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone

Filters = Literal["normal", "pca", "kmeans"]
"""normal: N(0, 1); pca: principal components of input patches; kmeans: centroids of whitened input patches."""
Statistics = dict[str, tuple[Float[Tensor, " units"], Float[Tensor, " units"]]]
"""Mean and standard deviation of each unit's answers over pictures and positions, by layer, in the order of execution."""

_RIDGE = 1e-3
"""Added to whitened variances, as a share of their mean: the smallest ones are noise."""
_logger = logging.getLogger(__name__)


def check_layers(backbone: Backbone) -> None:
    """Check that every layer can be initialised from data.

    Raises:
        ValueError: if there is a batch norm, or a convolution that has groups or is not padded with zeros.
    """
    layers = dict(backbone.named_modules())
    norms = [name for name, layer in layers.items() if isinstance(layer, nn.BatchNorm2d)]
    if norms:
        raise ValueError(
            f"backbone {backbone.name} has batch norm ({norms[0]}): only networks without are initialised from data"
        )
    others = [name for name, layer in layers.items() if not _is_plain(layer)]
    if others:
        raise ValueError(
            f"backbone {backbone.name}: only convolutions without groups that are padded with zeros are initialised from data, "
            f"{others[0]} is {layers[others[0]]}"
        )


@torch.no_grad()
def initialise_from_data(
    backbone: Backbone,
    *,
    pictures: Float[Tensor, "n 3 h w"],
    filters: Filters,
    mean: float,
    patches: int,
    generator: torch.Generator,
) -> None:
    """Give convolutions and linear layers weights and biases, in one pass of the pictures.

    Where a layer has fewer patches than units, its weights are N(0, 1), and so are those beyond the number of components.

    Args:
        backbone: In evaluation mode, without batch norms; changed in place.
        pictures: Normalised, where the network is; published: 160.
        filters: How directions are found.
        mean: Of each unit before its ReLU; the standard deviation is 1.
        patches: At most so many of each layer's input are looked at.
        generator: On the CPU.

    Raises:
        ArithmeticError: if a unit answers the same everywhere, as to pictures of one colour.
    """
    done: set[str] = set()

    def prepare(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if name not in done and isinstance(module, nn.Conv2d | nn.Linear):
                done.add(name)
                found = draw_patches(module, inputs[0], count=patches, generator=generator)
                drawn = torch.randn(module.weight.shape, generator=generator).flatten(1)
                weight = find_directions(found, drawn, filters=filters, generator=generator)
                module.weight.copy_(weight.view_as(module.weight))
                _standardise(module, inputs[0], mean=mean, name=name)

        return hook

    handles = [
        module.register_forward_pre_hook(prepare(name))
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    try:
        backbone(pictures)
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def unit_statistics(backbone: Backbone, pictures: Float[Tensor, "n 3 h w"]) -> Statistics:
    """Measure the answers of every unit of convolutions and linear layers, before any ReLU."""
    found: Statistics = {}

    def note(name: str) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _inputs: object, answer: Tensor) -> None:
            found[name] = _mean_and_std(answer)

        return hook

    handles = [
        module.register_forward_hook(note(name))
        for name, module in backbone.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    try:
        backbone(pictures)
    finally:
        for handle in handles:
            handle.remove()
    return found


def draw_patches(
    layer: nn.Conv2d | nn.Linear,
    x: Float[Tensor, "n ..."],
    *,
    count: int,
    generator: torch.Generator,
) -> Float[Tensor, "p d"]:
    """Cut out what the layer multiplies its weights with: random pictures and positions of a convolution, all rows of a linear layer.

    Args:
        layer: One that `check_layers` lets pass.
        x: Its input.
        count: How many, with replacement.
        generator: On the CPU.
    """
    if isinstance(layer, nn.Linear):
        return x.flatten(0, -2)
    if isinstance(layer.padding, str):
        raise TypeError(f"padding {layer.padding} names no numbers")
    padding, stride, dilation = layer.padding, layer.stride, layer.dilation
    padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    picture = torch.randint(len(x), (count,), generator=generator)
    rows, columns = (
        _taps(
            length=padded.shape[2 + axis],
            taps=layer.kernel_size[axis],
            stride=stride[axis],
            dilation=dilation[axis],
            count=count,
            generator=generator,
        )
        for axis in (0, 1)
    )
    # The two indices around the channels' slice bring p kh kw to the front.
    cut = padded[picture[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return cut.permute(0, 3, 1, 2).flatten(1)


def _taps(
    *, length: int, taps: int, stride: int, dilation: int, count: int, generator: torch.Generator
) -> Tensor:
    """Draw places along one axis and return the index that each tap reads there, count x taps."""
    places = (length - dilation * (taps - 1) - 1) // stride + 1
    first = stride * torch.randint(places, (count,), generator=generator)
    return first[:, None] + dilation * torch.arange(taps)


def _is_plain(layer: nn.Module) -> bool:
    if not isinstance(layer, nn.Conv2d):
        return True
    zeros = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return zeros and layer.groups == 1


def find_directions(
    patches: Float[Tensor, "p d"],
    drawn: Float[Tensor, "units d"],
    *,
    filters: Filters,
    generator: torch.Generator,
) -> Float[Tensor, "units d"]:
    """Return one direction a unit, of any length.

    Args:
        patches: What a layer reads, a row each.
        drawn: Of N(0, 1): what is taken where data give no direction; overwritten.
        filters: How directions are found.
        generator: On the CPU.
    """
    units = len(drawn)
    if filters == "normal":
        return drawn
    if len(patches) < units:
        _logger.info(
            "%d patches for %d units: their weights are drawn, not found", len(patches), units
        )
        return drawn
    from sklearn.cluster import MiniBatchKMeans
    from sklearn.decomposition import PCA

    seed = int(torch.randint(2**31 - 1, (), generator=generator))
    values = patches.cpu().numpy().astype(np.float32)
    count = min(units, values.shape[1])
    analysis = PCA(n_components=count, random_state=seed).fit(values)
    components = analysis.components_
    if filters == "pca":
        drawn[:count] = torch.from_numpy(components)
        return drawn
    variance = analysis.explained_variance_
    whitening = components / np.sqrt(variance + _RIDGE * variance.mean())[:, None]
    white = (values - analysis.mean_) @ whitening.T
    white /= np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12)
    means = MiniBatchKMeans(units, random_state=seed, batch_size=max(1024, 4 * units))
    centroids = means.fit(white).cluster_centers_
    return torch.from_numpy(centroids @ whitening).to(torch.float32)


def _standardise(
    layer: nn.Conv2d | nn.Linear, x: Float[Tensor, "n ..."], *, mean: float, name: str
) -> None:
    """Scale each unit's weights to a standard deviation of 1 on the data, and set its bias so that its mean is `mean`."""
    if layer.bias is None:
        layer.bias = nn.Parameter(torch.zeros(len(layer.weight)).to(layer.weight))
    layer.bias.zero_()
    found, std = _mean_and_std(layer.forward(x))
    if not bool((std > 1e-8).all()):
        raise ArithmeticError(
            f"a unit of layer {name} answers the same to all of {len(x)} pictures"
        )
    layer.weight.div_(std.view(-1, *(1,) * (layer.weight.dim() - 1)))
    layer.bias.copy_(mean - found / std)


def _mean_and_std(
    answer: Float[Tensor, "n ..."],
) -> tuple[Float[Tensor, " units"], Float[Tensor, " units"]]:
    """Reduce n c h w over all but c, n c over n."""
    rows = answer.transpose(0, 1).flatten(1).double()
    return rows.mean(dim=1).to(answer.dtype), rows.std(dim=1, correction=0).to(answer.dtype)
