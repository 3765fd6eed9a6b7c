"""How long a benchmark will take here: its work in pixels, over a quick measurement of the network's speed."""

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import Work

SIDE_PX, BATCH = 112, 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Throughput:
    """Pixels of pictures a second, through the whole backbone."""

    forward_px_per_s: float
    """Without gradients."""
    trained_px_per_s: float
    """Forwards and backwards."""


def measure_throughput(
    network: Network, *, budget_s: float = 0.3, now: Callable[[], float] = time.monotonic
) -> Throughput:
    """Time a few batches of grey pictures; the network stays as it is.

    Args:
        network: What will be judged, on its device.
        budget_s: Seconds to spend on each of the two, beside one batch that is not counted.
        now: A clock in seconds.
    """
    backbone = copy.deepcopy(network.backbone).requires_grad_(True)
    side = max(SIDE_PX, backbone.min_size_px + 4 if backbone.min_size_px > SIDE_PX else 0)
    images = torch.zeros(BATCH, 3, side, side, device=network.device)
    parameters = list(backbone.parameters())

    def forward() -> None:
        with torch.inference_mode():
            backbone(images)

    def train() -> None:
        maps = list(backbone(images).values())
        torch.autograd.grad(maps[-1].mean(), parameters, allow_unused=True)

    pixels = BATCH * side * side
    return Throughput(
        forward_px_per_s=pixels / _seconds(forward, network.device, budget_s=budget_s, now=now),
        trained_px_per_s=pixels / _seconds(train, network.device, budget_s=budget_s, now=now),
    )


def predicted_s(work: Work, *, throughput: Throughput) -> float:
    """Return the seconds that some work will take.

    >>> fast = Throughput(forward_px_per_s=100.0, trained_px_per_s=20.0)
    >>> predicted_s(Work(forward_px=1000.0, trained_px=100.0, other_s=3.0), throughput=fast)
    18.0
    """
    return (
        work.forward_px / throughput.forward_px_per_s
        + work.trained_px / throughput.trained_px_per_s
        + work.other_s
    )


def _seconds(
    step: Callable[[], None], device: torch.device, *, budget_s: float, now: Callable[[], float]
) -> float:
    def timed() -> float:
        begin = now()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return now() - begin

    timed()  # first-time set-up
    times = [timed(), timed()]
    while sum(times) < budget_s:
        times.append(timed())
    return max(statistics.median(times), 1e-9)
