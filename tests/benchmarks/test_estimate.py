import itertools

import pytest
import torch

from scenelift.benchmarks.estimate import Throughput, measure_throughput, predicted_s
from scenelift.benchmarks.network import open_network
from scenelift.benchmarks.task import Work


def test_it_counts_pixels_over_a_clock_and_leaves_the_network_alone() -> None:
    network = open_network("random", backbone="alexnet-small", seed=0, device=torch.device("cpu"))
    before = {name: tensor.clone() for name, tensor in network.backbone.state_dict().items()}
    clock = itertools.count()
    speed = measure_throughput(network, budget_s=1.0, now=lambda: 2.0 * next(clock))
    assert speed.forward_px_per_s == 16 * 112 * 112 / 2.0
    assert speed.trained_px_per_s == speed.forward_px_per_s
    for name, tensor in network.backbone.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None for parameter in network.backbone.parameters())


def test_learning_is_slower_than_looking() -> None:
    network = open_network("random", backbone="alexnet-small", seed=0, device=torch.device("cpu"))
    speed = measure_throughput(network, budget_s=0.2)
    assert speed.forward_px_per_s > speed.trained_px_per_s > 0


@pytest.mark.parametrize(("forward", "trained", "other"), [(2.0, 0.0, 0.0), (0.0, 3.0, 1.0)])
def test_the_forecast_is_linear(forward: float, trained: float, other: float) -> None:
    speed = Throughput(forward_px_per_s=4.0, trained_px_per_s=0.5)
    work = Work(forward_px=forward, trained_px=trained, other_s=other)
    assert predicted_s(work, throughput=speed) == forward / 4 + trained * 2 + other
