"""Features of a frozen network, from files to tables: every wanted layer from one forward pass over the pictures.

A layer's map is taken after its ReLU and resized to a grid of about 9,600 numbers, as the published probes do. Pictures are decoded
by threads ahead of the network. Tables hold 16-bit floats, times a power of two that brings a layer to unit size, so that neither
a faint layer nor a loud one loses precision; they lie in memory, or in a file if they would not fit.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float16, Float32, UInt8
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.network_input import network_input
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError
from scenelift.datasets.geometry import resize_frame

Resize = Literal["bilinear", "adaptive-average", "adaptive-max"]
"""How a map becomes a grid."""

_SCALE_PICTURES = 32
_Part = TypeVar("_Part")
_Made = TypeVar("_Made")


@runtime_checkable
class Pictures(Protocol):
    """Decoded pictures by number."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return a name that no other picture has."""
        ...

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode one, sRGB.

        Raises:
            ValueError: if it cannot be.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """Where a picture is cut, and whether it is mirrored."""

    row: float = 0.5
    """Of the free play: 0 the top, 1 the bottom."""
    column: float = 0.5
    mirrored: bool = False


CENTRE = (View(),)
MIRRORED = (View(), View(mirrored=True))
TEN_CROPS = tuple(
    View(row=row, column=column, mirrored=mirrored)
    for mirrored in (False, True)
    for row, column in ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
)
"""The centre, the corners, and their mirror images."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureSettings:
    """From a picture to the features of each layer."""

    layers: tuple[str, ...] = ()
    """Which; none: conv1 to conv5 where the backbone has them, else all."""
    resize_px: int = 128
    """Shorter side of the picture before it is cut."""
    crop_px: int = 112
    """Side of the square that the network sees."""
    dimensions: int = 9600
    """What a layer's channels times its grid come nearest to; no grid is finer than its map."""
    resize: Resize = "bilinear"
    batch_size: int = 32
    """Pictures that the network sees at once."""
    workers: int = 1
    """Threads that decode ahead of the network; 0 decodes in its own."""
    memory_bytes: int = 2**32
    """Tables that need more lie in a file."""

    def __post_init__(self) -> None:
        if not 1 <= self.crop_px <= self.resize_px:
            raise ValueError(
                f"crop_px must be from 1 to resize_px ({self.resize_px}), got {self.crop_px}"
            )
        for name, value, least in (
            ("dimensions", self.dimensions, 1),
            ("batch_size", self.batch_size, 1),
            ("workers", self.workers, 0),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerTable:
    """One layer of many pictures, view after view of each."""

    grid: Float16[np.ndarray, "n views d"]
    """The resized map, times `scale`."""
    pooled: Float32[np.ndarray, "n views c"]
    """The mean over the map."""
    scale: float
    """A power of two."""


def choose_layers(backbone: Backbone, *, layers: Sequence[str]) -> tuple[str, ...]:
    """Return the layers to look at, in order of depth.

    Raises:
        BenchError: if the backbone has no such layer; the message lists its layers.
    """
    names = [layer.name for layer in backbone.layers]
    if not layers:
        convs = [name for name in names if name.startswith("conv")]
        return tuple(convs if len(convs) >= 2 else names)
    try:
        wanted = {backbone.layer(name).name for name in layers}
    except ValueError as error:
        raise BenchError(str(error)) from error
    return tuple(name for name in names if name in wanted)


def grid_side(*, channels: int, height: int, width: int, dimensions: int) -> int:
    """Return the side of the grid whose cells times channels come nearest to a number of dimensions.

    >>> [grid_side(channels=c, height=s, width=s, dimensions=9600) for c, s in ((96, 56), (256, 27), (384, 13))]
    [10, 6, 5]
    """
    ideal = math.isqrt(dimensions // channels)
    best = min(
        (max(ideal, 1), ideal + 1),
        key=lambda side: (abs(channels * side * side - dimensions), side),
    )
    return min(best, max(height, width))


def resize_map(
    features: Float[Tensor, "n c h w"], *, dimensions: int, resize: Resize
) -> Float[Tensor, "n d"]:
    """Resize a map to its grid and flatten it, all channels of a position together: so networks lay them out that read pictures so."""
    _, channels, height, width = features.shape
    side = grid_side(channels=channels, height=height, width=width, dimensions=dimensions)
    size = (min(side, height), min(side, width))
    grid: Tensor = features
    if size != (height, width):
        if resize == "bilinear":
            grid = F.interpolate(features, size=size, mode="bilinear", align_corners=False)
        elif resize == "adaptive-average":
            grid = F.adaptive_avg_pool2d(features, size)
        else:
            grid = F.adaptive_max_pool2d(features, size)
    return grid.permute(0, 2, 3, 1).flatten(1)


@torch.inference_mode()
def layer_grids(network: Network, *, settings: FeatureSettings) -> dict[str, tuple[int, int, int]]:
    """Return channels, rows and columns of each layer's grid, by a forward pass of a black picture.

    Raises:
        BenchError: if the network has no such layer, or the pictures are too small for it.
    """
    layers = choose_layers(network.backbone, layers=settings.layers)
    black = torch.zeros(1, 3, settings.crop_px, settings.crop_px, device=network.device)
    grids: dict[str, tuple[int, int, int]] = {}
    for name, features in read_maps(network.backbone, black, layers=layers).items():
        _, channels, height, width = features.shape
        side = grid_side(
            channels=channels, height=height, width=width, dimensions=settings.dimensions
        )
        grids[name] = (channels, min(side, height), min(side, width))
    return grids


def read_maps(
    backbone: Backbone, inputs: Float[Tensor, "n 3 h w"], *, layers: Sequence[str]
) -> dict[str, Float[Tensor, "_ _ _ _"]]:
    """Return the maps of some layers after their ReLU, from one forward pass that ends at the deepest.

    Raises:
        BenchError: if the pictures are too small for the network.
    """
    try:
        features = backbone(inputs, until=layers[-1])
    except ValueError as error:
        raise BenchError(str(error)) from error
    if backbone.taps == "pre":
        return {name: torch.relu(features[name]) for name in layers}
    return {name: features[name] for name in layers}


def prepared_batches(
    pictures: Pictures,
    *,
    indices: Sequence[int],
    views: Sequence[View],
    settings: FeatureSettings,
    network: Network,
) -> Iterator[Float[Tensor, "n views 3 h w"]]:
    """Yield batches as the network reads them, in order, decoded ahead by threads.

    Raises:
        BenchError: if a picture cannot be decoded.
    """
    size = max(1, settings.batch_size // len(views))
    parts = [indices[start : start + size] for start in range(0, len(indices), size)]

    def prepare(part: Sequence[int]) -> Float[Tensor, "n views 3 h w"]:
        cut = np.stack(
            [cut_views(pictures, index, views=views, settings=settings) for index in part]
        )
        pixels = torch.from_numpy(cut).to(network.device).permute(0, 1, 4, 2, 3).flatten(0, 1)
        inputs = network_input(pixels, normalisation=network.normalisation)
        # Channels last: convolutions are a third faster so, and maps are resized at a fraction of the cost.
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        batch: Tensor = inputs.unflatten(0, (len(part), len(views)))
        return batch

    yield from ahead(prepare, parts, workers=settings.workers)


def ahead(
    make: Callable[[_Part], _Made], parts: Iterable[_Part], *, workers: int
) -> Iterator[_Made]:
    """Yield what is made of each part, in order; threads are a few parts ahead."""
    if not workers:
        yield from map(make, parts)
        return
    left = iter(parts)
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(make, part) for part in islice(left, 2 * workers))
        try:
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(pool.submit(make, part) for part in islice(left, 1))
                yield made
        finally:
            for future in waiting:
                future.cancel()


def cut_views(
    pictures: Pictures, index: int, *, views: Sequence[View], settings: FeatureSettings
) -> UInt8[np.ndarray, "views crop crop 3"]:
    """Decode a picture, bring its shorter side to size, and cut it.

    Raises:
        BenchError: if it cannot be decoded.
    """
    try:
        image = pictures.image(index)
    except ValueError as error:
        raise BenchError(str(error)) from error
    image = resize_frame({"image": image}, resize_px=settings.resize_px)["image"]
    side = settings.crop_px
    cuts = []
    for view in views:
        top = round((image.shape[0] - side) * view.row)
        left = round((image.shape[1] - side) * view.column)
        cut = image[top : top + side, left : left + side]
        cuts.append(cut[:, ::-1] if view.mirrored else cut)
    return np.stack(cuts)


@torch.inference_mode()
def measure_scales(
    network: Network,
    pictures: Pictures,
    *,
    indices: Sequence[int],
    settings: FeatureSettings,
) -> dict[str, float]:
    """Return for each layer a power of two that brings its features near a root mean square of 1, told by a few pictures.

    Raises:
        BenchError: if features are not finite, or a picture cannot be decoded.
    """
    layers = choose_layers(network.backbone, layers=settings.layers)
    few = indices[:: max(1, len(indices) // _SCALE_PICTURES)][:_SCALE_PICTURES]
    sums = dict.fromkeys(layers, 0.0)
    count = 0
    for inputs in prepared_batches(
        pictures, indices=few, views=CENTRE, settings=settings, network=network
    ):
        count += len(inputs)
        for name, values in read_maps(network.backbone, inputs[:, 0], layers=layers).items():
            sums[name] += float(values.double().square().mean(dim=(1, 2, 3)).sum())
    for name, total in sums.items():
        if not math.isfinite(total):
            raise BenchError(f"layer {name}: features are not finite; the weights are broken")
    return {
        name: _scale(math.sqrt(total / count)) if count else 1.0 for name, total in sums.items()
    }


def _scale(root_mean_square: float) -> float:
    """Return the power of two that brings features to about unit size; 1 where 16 bits hold them well as they are.

    >>> _scale(3.0), _scale(2.0**-20), _scale(0.0)
    (1.0, 1048576.0, 1.0)
    """
    if root_mean_square == 0 or 1 / 64 <= root_mean_square <= 64:
        return 1.0
    return 2.0 ** -round(math.log2(root_mean_square))


@torch.inference_mode()
def extract_features(
    network: Network,
    pictures: Pictures,
    *,
    indices: Sequence[int],
    views: Sequence[View],
    scales: Mapping[str, float],
    settings: FeatureSettings,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, LayerTable]:
    """Run a network once over pictures and keep the features of its layers.

    Args:
        network: It stays as it is, in evaluation mode.
        pictures: Where from.
        indices: Which, in what order.
        views: How each is cut.
        scales: A power of two a layer, from `measure_scales`; its keys are the layers.
        settings: Size, grid and memory.
        folder: For tables beyond the memory; they are named after layers.
        progress: Called with pictures done and all.

    Returns:
        A table a layer, in order of depth.

    Raises:
        BenchError: if a picture cannot be decoded, or features are not finite.
        OSError: if tables cannot be written.
    """
    layers = choose_layers(network.backbone, layers=tuple(scales))
    tables: dict[str, LayerTable] = {}
    start = 0
    for inputs in prepared_batches(
        pictures, indices=indices, views=views, settings=settings, network=network
    ):
        maps = read_maps(network.backbone, inputs.flatten(0, 1), layers=layers)
        if not tables:
            shape = (len(indices), len(views))
            tables = make_tables(maps, shape=shape, scales=scales, settings=settings, folder=folder)
        rows = slice(start, start + len(inputs))
        put_features(tables, rows, maps=maps, settings=settings)
        start = rows.stop
        progress(start, len(indices))
    for name, table in tables.items():
        # The mean of a map is finite only if all of it is.
        if not np.isfinite(table.pooled).all():
            raise BenchError(f"layer {name}: features are not finite; the weights are broken")
    return tables


def make_tables(
    maps: Mapping[str, Float[Tensor, "_ _ _ _"]],
    *,
    shape: tuple[int, int],
    scales: Mapping[str, float],
    settings: FeatureSettings,
    folder: Path,
) -> dict[str, LayerTable]:
    """Make empty tables for pictures times views like those whose maps these are, in memory or in files.

    Raises:
        OSError: if files cannot be written.
    """
    dimensions = {
        name: resize_map(values[:1], dimensions=settings.dimensions, resize=settings.resize).shape[
            1
        ]
        for name, values in maps.items()
    }
    whole = 2 * shape[0] * shape[1] * sum(dimensions.values())
    tables: dict[str, LayerTable] = {}
    for name, values in maps.items():
        size = (*shape, dimensions[name])
        if whole > settings.memory_bytes:
            folder.mkdir(parents=True, exist_ok=True)
            grid: Float16[np.ndarray, "n views d"] = np.memmap(
                folder / f"{name}.f16", dtype=np.float16, mode="w+", shape=size
            )
        else:
            grid = np.zeros(size, np.float16)
        pooled = np.zeros((*shape, values.shape[1]), np.float32)
        tables[name] = LayerTable(grid=grid, pooled=pooled, scale=scales[name])
    return tables


def put_features(
    tables: Mapping[str, LayerTable],
    rows: slice,
    *,
    maps: Mapping[str, Float[Tensor, "_ _ _ _"]],
    settings: FeatureSettings,
) -> None:
    """Write what maps of some pictures hold into their rows."""
    for name, table in tables.items():
        grid = resize_map(maps[name], dimensions=settings.dimensions, resize=settings.resize)
        if table.scale != 1:
            grid = grid * table.scale
        # Straight into the table, which narrows as it copies.
        torch.from_numpy(table.grid[rows]).flatten(0, 1).copy_(grid)
        mean = maps[name].permute(0, 2, 3, 1).flatten(1, 2).mean(dim=1)
        torch.from_numpy(table.pooled[rows]).flatten(0, 1).copy_(mean)
