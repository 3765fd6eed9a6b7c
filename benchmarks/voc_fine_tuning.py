"""Fine-tuning on VOC as Krähenbühl et al. (ICLR 2016, released code) do it, and the scores of random crops."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.benchmarks.task import BenchError
from scenelift.benchmarks.voc_classifier import VocClassifier, multilabel_loss
from scenelift.benchmarks.voc_parts import CropSettings, LabelledPictures

_LOOK_EVERY = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """How a classifier learns: stochastic gradient descent with momentum."""

    iterations: int
    learning_rate: float = 1e-3
    halvings: int = 8
    """How often the rate is halved, at equal distances; published: 80,000 iterations, halved every 10,000."""
    batch_size: int = 16
    momentum: float = 0.9
    weight_decay: float = 1e-6
    clip_norm: float = 10.0
    """Of all gradients together, before any rate."""
    bias_rate: float = 2.0
    """Times the learning rate."""
    fully_connected_rate: float = 1.0
    """Times the learning rate for fc6, fc7 and fc8; 10 is Ren and Lee's variant."""

    def __post_init__(self) -> None:
        if min(self.iterations, self.halvings, self.batch_size) < 1:
            raise ValueError(
                f"iterations, halvings and batch_size must be positive, got {self.iterations}, {self.halvings}, "
                f"{self.batch_size}"
            )

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0.

        >>> schedule = Schedule(iterations=80_000)
        >>> [schedule.rate_at(step) for step in (0, 9_999, 10_000, 79_999)]
        [0.001, 0.001, 0.0005, 7.8125e-06]
        """
        return float(self.learning_rate * 0.5 ** (step * self.halvings // self.iterations))


def fine_tune(
    classifier: VocClassifier,
    pictures: LabelledPictures,
    *,
    normalisation: InputNormalisation,
    schedule: Schedule,
    crops: CropSettings,
    tell: Callable[[int], None],
) -> None:
    """Train a classifier in place.

    Args:
        classifier: What is trained; its mode says which parts.
        pictures: What is learnt from.
        normalisation: Of pictures.
        schedule: The settings.
        crops: How crops are drawn; their seed also orders the pictures and drops values.
        tell: Called with the number of steps done.

    Raises:
        BenchError: if the loss stops being finite.
        VocError: if a picture cannot be read.
    """
    device = next(classifier.parameters()).device
    dropping = torch.Generator(device).manual_seed(crops.seed)
    groups = parameter_groups(classifier, schedule=schedule)
    optimiser = torch.optim.SGD(
        [{"params": parameters} for parameters in groups.values()],
        lr=schedule.learning_rate,
        momentum=schedule.momentum,
        weight_decay=schedule.weight_decay,
    )
    learning = [parameter for _, parameter in classifier.learning()]
    for step, (images, labels) in enumerate(_batches(pictures, schedule=schedule, crops=crops)):
        for group, factor in zip(optimiser.param_groups, groups, strict=True):
            group["lr"] = schedule.rate_at(step) * factor
        inputs = network_input(images.to(device), normalisation=normalisation)
        loss = multilabel_loss(classifier(inputs, dropping=dropping), labels.to(device))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, schedule.clip_norm)
        optimiser.step()
        if step % _LOOK_EVERY == 0 or step + 1 == schedule.iterations:
            if not bool(torch.isfinite(loss)):
                raise BenchError(
                    f"fine-tuning ({classifier.mode}): the loss is {loss.item()} at step {step}; lower learning_rate"
                )
            tell(step + 1)


def parameter_groups(
    classifier: VocClassifier, *, schedule: Schedule
) -> dict[float, list[nn.Parameter]]:
    """Group what learns by the factor on its learning rate."""
    by_factor: dict[float, list[nn.Parameter]] = {}
    for name, parameter in classifier.learning():
        factor = schedule.bias_rate if name.endswith(".bias") else 1.0
        if classifier.is_fully_connected(name):
            factor *= schedule.fully_connected_rate
        by_factor.setdefault(factor, []).append(parameter)
    return by_factor


@torch.inference_mode()
def crop_logits(
    classifier: VocClassifier,
    pictures: LabelledPictures,
    *,
    normalisation: InputNormalisation,
    crops: CropSettings,
    num_crops: int,
    batch_size: int,
    tell: Callable[[int], None],
) -> Float32[np.ndarray, "n k c"]:
    """Return the logits of each picture's random crops, whatever the order of pictures or the batches."""
    device = next(classifier.parameters()).device
    wanted = [(index, number) for index in range(len(pictures)) for number in range(num_crops)]
    found: list[Float[Tensor, "b c"]] = []
    for start in range(0, len(wanted), batch_size):
        part = wanted[start : start + batch_size]
        images = pictures.random_crops(part, settings=crops, learn=False)
        found.append(
            classifier(network_input(images.to(device), normalisation=normalisation)).cpu()
        )
        tell(start + len(part))
    logits: Float32[np.ndarray, "nk c"] = torch.cat(found).float().numpy()
    return logits.reshape(len(pictures), num_crops, -1)


def _batches(
    pictures: LabelledPictures, *, schedule: Schedule, crops: CropSettings
) -> Iterator[tuple[UInt8[Tensor, "n 3 h w"], Float[Tensor, "n c"]]]:
    """Yield batches, of which the next is made while one is learnt from."""
    labels = torch.from_numpy(pictures.labels).float()

    def make(wanted: list[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        images = pictures.random_crops(wanted, settings=crops, learn=True)
        return images, labels[[index for index, _ in wanted]]

    with ThreadPoolExecutor(1) as pool:
        ahead: Future[tuple[Tensor, Tensor]] | None = None
        for wanted in _order(len(pictures), schedule=schedule, seed=crops.seed):
            waiting, ahead = ahead, pool.submit(make, wanted)
            if waiting is not None:
                yield waiting.result()
        if ahead is not None:
            yield ahead.result()


def _order(count: int, *, schedule: Schedule, seed: int) -> Iterator[list[tuple[int, int]]]:
    """Yield the pictures of each batch and the epoch of each: every picture once an epoch, batches run across epochs."""
    queue: list[tuple[int, int]] = []
    epoch = 0
    for _ in range(schedule.iterations):
        while len(queue) < schedule.batch_size:
            places = np.random.default_rng([seed, epoch]).permutation(count)
            queue += [(int(place), epoch) for place in places]
            epoch += 1
        yield queue[: schedule.batch_size]
        queue = queue[schedule.batch_size :]
