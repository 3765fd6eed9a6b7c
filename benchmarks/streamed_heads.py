"""Linear classifiers as published: trained on random crops and their mirror images, all layers together, batch norm before each.

Zhang, Isola and Efros (ECCV 2016) and, with this schedule, Goyal et al. (ICCV 2019). Every step runs the frozen network anew.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.network_input import network_input
from scenelift.benchmarks.features import (
    FeatureSettings,
    Pictures,
    View,
    ahead,
    choose_layers,
    layer_grids,
    prepared_batches,
    read_maps,
    resize_map,
)
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError
from scenelift.datasets.geometry import Geometry, cut_frame, draw_cut, resize_frame
from scenelift.datasets.loaders import sample_seed


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """SGD as published."""

    steps: int = 140_000
    batch_size: int = 256
    learning_rate: float = 0.01
    """For weights; biases learn at twice the rate and do not decay."""
    drop_every: int = 40_000
    """Steps after which the learning rate is divided by 10."""
    momentum: float = 0.9
    weight_decay: float = 5e-4

    def __post_init__(self) -> None:
        if min(self.steps, self.drop_every) < 1 or self.batch_size < 2:
            raise ValueError(
                f"steps ({self.steps}) and drop_every ({self.drop_every}) must be at least 1, batch_size ({self.batch_size}) 2"
            )


class ProbeHeads(nn.Module):
    """A batch norm without scale and shift, and a linear layer that starts from zero, for each layer."""

    def __init__(self, dimensions: Mapping[str, int], *, num_classes: int) -> None:
        super().__init__()
        self.norms = nn.ModuleDict(
            {name: nn.BatchNorm1d(d, affine=False) for name, d in dimensions.items()}
        )
        self.linears = nn.ModuleDict()
        for name, d in dimensions.items():
            linear = nn.utils.skip_init(nn.Linear, d, num_classes)
            for parameter in linear.parameters():
                nn.init.zeros_(parameter)
            self.linears[name] = linear

    def forward(self, grids: Mapping[str, Float[Tensor, "n _"]]) -> dict[str, Float[Tensor, "n c"]]:
        """Return scores of classes by layer."""
        return {name: self.linears[name](self.norms[name](grid)) for name, grid in grids.items()}


def fit_streamed(
    network: Network,
    pictures: Pictures,
    *,
    rows: Int64[np.ndarray, " m"],
    labels: Int64[np.ndarray, " n"],
    num_classes: int,
    settings: FeatureSettings,
    schedule: Schedule,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ProbeHeads:
    """Train the classifiers of all layers at once, their losses summed.

    Args:
        network: Frozen; in evaluation mode.
        pictures: Where from.
        rows: Which are learnt from.
        labels: Of all pictures.
        num_classes: Number of classes.
        settings: Layers, sizes and grids.
        schedule: Steps and rates.
        seed: Of the order, the crops and the mirror images.
        progress: Called with steps done and all.

    Raises:
        BenchError: if a picture cannot be decoded, or the loss is not finite.
    """
    dimensions = {n: c * h * w for n, (c, h, w) in layer_grids(network, settings=settings).items()}
    heads = ProbeHeads(dimensions, num_classes=num_classes).to(network.device).train()
    weights = [p for name, p in heads.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in heads.named_parameters() if name.endswith("bias")]
    optimiser = torch.optim.SGD(
        [
            {"params": weights, "weight_decay": schedule.weight_decay, "factor": 1.0},
            {"params": biases, "weight_decay": 0.0, "factor": 2.0},
        ],
        lr=schedule.learning_rate,
        momentum=schedule.momentum,
    )
    batches = _random_batches(
        pictures, rows=rows, settings=settings, schedule=schedule, network=network, seed=seed
    )
    for step, (inputs, chosen) in enumerate(batches):
        for group in optimiser.param_groups:
            drop = 0.1 ** (step // schedule.drop_every)
            group["lr"] = schedule.learning_rate * drop * group["factor"]
        grids = _grids(network, inputs, settings=settings)
        truth = torch.from_numpy(labels[chosen]).to(network.device)
        losses = [F.cross_entropy(scores, truth) for scores in heads(grids).values()]
        loss = torch.stack(losses).sum()
        if not bool(torch.isfinite(loss)):
            raise BenchError(f"the loss is {float(loss)} at step {step}: the weights are broken")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        progress(step + 1, schedule.steps)
    return heads.eval()


def score_streamed(
    heads: ProbeHeads,
    network: Network,
    pictures: Pictures,
    *,
    indices: Sequence[int],
    views: Sequence[View],
    settings: FeatureSettings,
) -> Iterator[dict[str, Float[Tensor, "n views c"]]]:
    """Yield the scores of batches of pictures in order, by layer and view.

    Raises:
        BenchError: if a picture cannot be decoded.
    """
    for inputs in prepared_batches(
        pictures, indices=indices, views=views, settings=settings, network=network
    ):
        shape = (len(inputs), len(views))
        with torch.no_grad():
            scores = heads(_grids(network, inputs.flatten(0, 1), settings=settings))
        yield {name: score.unflatten(0, shape) for name, score in scores.items()}


@torch.no_grad()
def _grids(
    network: Network, inputs: Float[Tensor, "n 3 h w"], *, settings: FeatureSettings
) -> dict[str, Float[Tensor, "n _"]]:
    """Run the network in parts of its own batch size: batch norm of the heads sees all of them at once."""
    layers = choose_layers(network.backbone, layers=settings.layers)
    parts = [
        {
            name: resize_map(values, dimensions=settings.dimensions, resize=settings.resize)
            for name, values in read_maps(network.backbone, part, layers=layers).items()
        }
        for part in inputs.split(settings.batch_size)
    ]
    return {name: torch.cat([part[name] for part in parts]) for name in layers}


def _random_batches(
    pictures: Pictures,
    *,
    rows: Int64[np.ndarray, " m"],
    settings: FeatureSettings,
    schedule: Schedule,
    network: Network,
    seed: int,
) -> Iterator[tuple[Float[Tensor, "n 3 h w"], Int64[np.ndarray, " n"]]]:
    """Yield batches of random crops and the numbers of their pictures; one epoch follows the other without a gap."""
    geometry = Geometry(resize_px=settings.resize_px, crop_px=settings.crop_px, flip=True)

    def cut(epoch: int, index: int) -> np.ndarray:
        frame = resize_frame({"image": pictures.image(index)}, resize_px=settings.resize_px)
        height, width = frame["image"].shape[:2]
        start = sample_seed(seed=seed, stream="probe", index=index, epoch=epoch)
        drawn = draw_cut(
            height=height, width=width, geometry=geometry, rng=np.random.default_rng(start)
        )
        return cut_frame(frame, drawn, crop_px=settings.crop_px)["image"]

    def make(
        part: Sequence[tuple[int, int]],
    ) -> tuple[Float[Tensor, "n 3 h w"], Int64[np.ndarray, " n"]]:
        try:
            images = np.stack([cut(epoch, index) for epoch, index in part])
        except ValueError as error:
            raise BenchError(str(error)) from error
        pixels = torch.from_numpy(images).to(network.device).permute(0, 3, 1, 2)
        inputs = network_input(pixels, normalisation=network.normalisation)
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs, np.array([index for _, index in part], np.int64)

    yield from ahead(
        make, _sample_parts(rows, schedule=schedule, seed=seed), workers=settings.workers
    )


def _sample_parts(
    rows: Int64[np.ndarray, " m"], *, schedule: Schedule, seed: int
) -> Iterator[list[tuple[int, int]]]:
    """Yield epoch and number of the samples of each step."""
    orders: dict[int, Int64[np.ndarray, " m"]] = {}
    for step in range(schedule.steps):
        part = []
        for place in range(step * schedule.batch_size, (step + 1) * schedule.batch_size):
            epoch, offset = divmod(place, len(rows))
            if epoch not in orders:
                orders = {epoch: rows[np.random.default_rng([seed, epoch]).permutation(len(rows))]}
            part.append((epoch, int(orders[epoch][offset])))
        yield part
