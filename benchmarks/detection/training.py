"""The steps that both detectors share: which pictures, how large, mirrored or not, and how weights follow gradients."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from scenelift.adapt.network_input import network_input
from scenelift.benchmarks.detection.boxes import resized_size
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError, Progress

Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How weights follow their gradients: stochastic gradient descent with momentum, as Caffe does it."""

    steps: int = 40_000
    learning_rate: float = 1e-3
    milestones: tuple[int, ...] = (30_000,)
    """The rate is multiplied by `factor` at each."""
    factor: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 5e-4
    """Of weights; biases are spared."""
    bias_factor: float = 2.0
    """Biases learn so much faster."""
    warm_up: int = 0
    """Steps in which the rate rises from nothing."""
    clip_norm: float | None = None
    """Gradients longer than this are shortened to it."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be positive, got {self.learning_rate}")

    def rate(self, step: int) -> float:
        """Return the learning rate at a step, counted from 0.

        >>> schedule = Schedule()
        >>> schedule.rate(29_999), schedule.rate(30_000)
        (0.001, 0.0001)
        """
        rate = self.learning_rate * self.factor ** sum(step >= at for at in self.milestones)
        return rate * min(1.0, (step + 1) / max(self.warm_up, 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How large pictures are seen."""

    train_short_px: tuple[int, ...] = (480, 576, 688, 864, 1200)
    """Shorter sides to choose from in training."""
    train_longest_px: int = 2000
    test_short_px: int = 600
    test_longest_px: int = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A picture as it is seen in a step."""

    index: int
    image: UInt8[np.ndarray, "h w 3"]
    """Resized, and mirrored if so."""
    original_width: int
    original_height: int
    mirrored: bool
    rng: np.random.Generator
    """Of whatever else is drawn for it."""

    @property
    def factors(self) -> tuple[float, float, float, float]:
        """What corners of the original are multiplied by."""
        across = self.image.shape[1] / self.original_width
        down = self.image.shape[0] / self.original_height
        return across, down, across, down


def picture_order(count: int, *, seed: int, step: int, pictures: int) -> Int64[np.ndarray, " k"]:
    """Return the pictures of a step: each once in an epoch, in an order that depends on seed and epoch alone.

    >>> sorted(np.concatenate([picture_order(4, seed=0, step=s, pictures=2) for s in (0, 1)]).tolist())
    [0, 1, 2, 3]
    """
    places = np.arange(step * pictures, (step + 1) * pictures)
    return np.array(
        [
            np.random.default_rng([seed, int(epoch)]).permutation(count)[place]
            for epoch, place in zip(*np.divmod(places, count), strict=True)
        ]
    )


def see(
    image: UInt8[np.ndarray, "h w 3"], *, index: int, sizes: Sizes, rng: np.random.Generator
) -> Seen:
    """Resize a picture to one of the sizes and mirror half of them."""
    height, width = image.shape[:2]
    at_size, at_mirror = rng.random(2)
    short = sizes.train_short_px[int(at_size * len(sizes.train_short_px))]
    done = resized(image, short_px=short, longest_px=sizes.train_longest_px)
    flip = bool(at_mirror < 0.5)
    return Seen(
        index=index,
        image=np.ascontiguousarray(done[:, ::-1]) if flip else done,
        original_width=width,
        original_height=height,
        mirrored=flip,
        rng=rng,
    )


def resized(
    image: UInt8[np.ndarray, "h w 3"], *, short_px: int, longest_px: int
) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Resize by linear interpolation, as published code does."""
    height, width = image.shape[:2]
    size = resized_size(width=width, height=height, short_px=short_px, longest_px=longest_px)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))


def stacked(
    images: list[UInt8[np.ndarray, "_ _ 3"]], *, network: Network
) -> Float[Tensor, "n 3 h w"]:
    """Normalise pictures and bring them to one size by zeros at the right and below, on the network's device."""
    tensors = [
        network_input(
            torch.from_numpy(image).permute(2, 0, 1)[None].to(network.device),
            normalisation=network.normalisation,
        )[0]
        for image in images
    ]
    height, width = (max(t.shape[axis] for t in tensors) for axis in (1, 2))
    batch = tensors[0].new_zeros(len(tensors), 3, height, width)
    for place, tensor in enumerate(tensors):
        batch[place, :, : tensor.shape[1], : tensor.shape[2]] = tensor
    return batch


def step_seed(seed: int, step: int) -> int:
    """Mix a seed and a step into one seed for torch."""
    return int(np.random.SeedSequence([seed, step, 1]).generate_state(1, np.uint64)[0] >> 1)


def prefetched(make: Callable[[int], Item], *, steps: int) -> Iterator[Item]:
    """Yield what each step needs, made one step ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make, 0)
        for step in range(steps):
            item = coming.result()
            if step + 1 < steps:
                coming = pool.submit(make, step + 1)
            yield item


def fit(
    model: nn.Module,
    batches: Iterator[Item],
    *,
    loss_of: Callable[[Item, int], Float[Tensor, ""]],
    schedule: Schedule,
    progress: Progress,
) -> list[float]:
    """Train a model.

    Args:
        model: Its parameters that want gradients are trained.
        batches: One a step.
        loss_of: Runs the model on a batch at a step.
        schedule: How.
        progress: Told of each step.

    Returns:
        The loss of each step.

    Raises:
        BenchError: if the loss is not finite.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.dim() > 1], "weight_decay": schedule.weight_decay},
        {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.SGD(groups, lr=schedule.learning_rate, momentum=schedule.momentum)
    losses: list[float] = []
    for step, batch in enumerate(batches):
        rate = schedule.rate(step)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.param_groups[1]["lr"] = rate * schedule.bias_factor
        loss = loss_of(batch, step)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise BenchError(
                f"the detector's loss is {losses[-1]} at step {step + 1}: give a lower learning rate than {schedule.learning_rate:g}"
            )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        if schedule.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(parameters, schedule.clip_norm)
        optimiser.step()
        progress("training", step + 1, schedule.steps)
    return losses
