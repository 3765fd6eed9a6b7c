"""Two ranks against one process with the batch of both: the same losses, the same gradients."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rank_role
import torch
from torch import Tensor

from scenelift.adapt.ranks import average_gradients, gather, num_ranks, total, totals

ROLE = Path(rank_role.__file__)


def test_alone_everything_is_itself() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    assert num_ranks() == 1
    assert total(x) is x
    assert gather(x) is x
    assert [y.item() for y in totals(x[0, 0], 2 * x[0, 0])] == [1, 2]
    (total(3 * x).sum() + gather(x).sum()).backward()
    average_gradients([x])
    assert x.grad is not None
    assert x.grad.unique().tolist() == [4]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Tensor]]:
    """What one process and what each of two ranks found, by role."""
    folder = tmp_path_factory.mktemp("ranks")
    # One interface for all: gloo else asks the name of the machine, which may not resolve.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    roles = {"first": 0, "second": 1}
    processes = {
        role: subprocess.Popen(
            [sys.executable, str(ROLE), json.dumps([str(folder), role, rank])],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for role, rank in roles.items()
    }
    try:
        for role, process in processes.items():
            _, error = process.communicate(timeout=180)
            assert process.returncode == 0, f"{role}: {error}"
    finally:
        for process in processes.values():
            process.kill()
    found = {role: torch.load(folder / f"{role}.pt", weights_only=True) for role in roles}
    return found | {"alone": rank_role.compute(rank=0, world=1)}


def test_every_rank_holds_the_loss_of_the_whole_batch(
    results: dict[str, dict[str, Tensor]],
) -> None:
    alone = results["alone"]
    losses = [name for name in alone if name.startswith("value/")]
    assert len(losses) >= 20
    for name in losses:
        for role in ("first", "second"):
            torch.testing.assert_close(
                results[role][name], alone[name], rtol=1e-5, atol=1e-6, msg=f"{role}: {name}"
            )


def test_the_mean_of_the_gradients_is_the_gradient(results: dict[str, dict[str, Tensor]]) -> None:
    alone = results["alone"]
    gradients = [name for name in alone if name.startswith("gradient/")]
    assert len(gradients) >= 20
    for name in gradients:
        assert alone[name].abs().max() > 1e-7, f"{name} is zero: it says nothing"
        for role in ("first", "second"):
            scale = alone[name].abs().max().item()
            torch.testing.assert_close(
                results[role][name],
                alone[name],
                rtol=1e-4,
                atol=1e-5 * scale,
                msg=f"{role}: {name}",
            )


@pytest.mark.parametrize("name", ["ddp/balance", "ddp/critic"])
def test_ddp_takes_the_same_gradient(results: dict[str, dict[str, Tensor]], name: str) -> None:
    for role in ("first", "second"):
        torch.testing.assert_close(
            results[role][name], results["alone"][name], rtol=1e-4, atol=1e-6
        )
