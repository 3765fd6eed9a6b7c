"""Balancing tasks: against TorchJD on the whole Jacobian, closed forms, and what each head may feel."""

import io
import warnings
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor, nn
from torchjd import aggregation as jd

from scenelift.adapt.balance import (
    CAGRAD_RADIUS,
    FAIRGRAD_ALPHA,
    LOG_VARIANCE_LIMIT,
    PAPER_WEIGHTS,
    BalanceMethod,
    Balancer,
    gradient_cosines,
)

METHODS: tuple[BalanceMethod, ...] = get_args(BalanceMethod)
GRADIENT_METHODS = tuple(m for m in METHODS if m not in ("fixed", "uncertainty", "random"))
TASKS: tuple[str, ...] = ("edge", "depth", "normal")
ONES: dict[str, float] = dict.fromkeys(TASKS, 1.0)
NUM = len(TASKS)

AGGREGATORS: dict[str, tuple[Callable[[], jd.Aggregator], float]] = {
    "pcgrad": (jd.PCGrad, 1),
    "cagrad": (lambda: jd.CAGrad(c=CAGRAD_RADIUS), NUM / (1 + CAGRAD_RADIUS)),
    "upgrad": (jd.UPGrad, NUM),
    "dualproj": (jd.DualProj, NUM),
    "mgda": (jd.MGDA, NUM),
    "imtlg": (jd.IMTLG, NUM),
    "fairgrad": (lambda: jd.FairGrad(alpha=FAIRGRAD_ALPHA), 1),
    "alignedmtl": (jd.AlignedMTL, NUM),
}
"""TorchJD's aggregators, and the factor from their scale to ours."""


class Toy(nn.Module):
    """A backbone of one layer, and quadratic tasks on its features, each with a head of its own."""

    def __init__(self, seed: int, *, features: int = 6) -> None:
        super().__init__()
        rng = torch.Generator().manual_seed(seed)
        self.x = torch.randn(4, 5, generator=rng)
        self.backbone = nn.Parameter(torch.randn(5, features, generator=rng))
        self.heads = nn.ParameterDict(
            {task: nn.Parameter(torch.randn(features, generator=rng)) for task in TASKS}
        )
        self.targets = {task: torch.randn(4, generator=rng) for task in TASKS}

    def forward(self) -> tuple[Tensor, dict[str, Tensor]]:
        shared = (self.x @ self.backbone).tanh()
        return shared, self.losses(shared)

    def losses(self, shared: Tensor) -> dict[str, Tensor]:
        return {
            task: (shared @ self.heads[task] - self.targets[task]).square().mean() for task in TASKS
        }


def gradients_of(toy: Toy) -> dict[str, Tensor | None]:
    return {name: p.grad for name, p in toy.named_parameters()}


def jacobian_at_features(toy: Toy) -> Tensor:
    shared, losses = toy()
    rows = [torch.autograd.grad(losses[t], shared, retain_graph=True)[0].flatten() for t in TASKS]
    return torch.stack(rows)


def scaled_to_unit_mean(jacobian: Tensor) -> Tensor:
    return jacobian / jacobian.square().sum(dim=1).mean().sqrt()


@pytest.mark.parametrize("method", AGGREGATORS)
@pytest.mark.parametrize("seed", [0, 1, 2, 5, 11])  # 0, 3, 3, 1, 2 pairs in conflict
def test_agrees_with_torchjd_on_the_jacobian_at_the_features(
    method: BalanceMethod, seed: int
) -> None:
    toy = Toy(seed)
    jacobian = jacobian_at_features(toy)
    make, factor = AGGREGATORS[method]
    state = torch.get_rng_state()
    shared, losses = toy()
    felt: list[Tensor] = []
    shared.register_hook(felt.append)
    balancer = Balancer(method, weights=ONES, seed=7)
    weights = balancer.backward(losses, shared=[shared])
    assert torch.equal(torch.get_rng_state(), state)
    # At the features: the weighted sum of the rows, with the weights that are reported.
    found = sum(weights[f"balance/{t}"] * row for t, row in zip(TASKS, jacobian, strict=True))
    (in_backbone,) = torch.autograd.grad(toy()[0], toy.backbone, torch.as_tensor(found).view(4, -1))
    torch.testing.assert_close(toy.backbone.grad, in_backbone)
    if method == "pcgrad":  # draws its order
        return
    size = jacobian.square().sum(dim=1).mean().sqrt()
    expected = make()(scaled_to_unit_mean(jacobian)) * factor * size
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=2e-4)


def test_pcgrad_is_torchjds_for_one_of_the_orders() -> None:
    toy = Toy(1)  # all three conflict
    jacobian = jacobian_at_features(toy)
    assert (jacobian @ jacobian.T < 0).any()
    shared, losses = toy()
    weights = Balancer("pcgrad", weights=ONES, seed=1).backward(losses, shared=[shared])
    found = sum(weights[f"balance/{t}"] * row for t, row in zip(TASKS, jacobian, strict=True))
    with torch.random.fork_rng(devices=[]):
        possible = [jd.PCGrad()(jacobian) for _ in range(100)]
    assert min((p - found).abs().max().item() for p in possible) < 1e-5


def test_nash_is_torchjds_bargain_up_to_its_solver() -> None:
    pytest.importorskip("ecos")
    for seed in range(3):
        toy = Toy(seed)
        jacobian = scaled_to_unit_mean(jacobian_at_features(toy))
        shared, losses = toy()
        weights = Balancer("nashmtl", weights=ONES).backward(losses, shared=[shared])
        found = torch.stack([weights[f"balance/{t}"] for t in TASKS])
        # The closed form of the bargain: each weight times its task's share of the pull is the same.
        products = found * (jacobian @ jacobian.T @ found)
        torch.testing.assert_close(products, torch.ones(NUM), rtol=1e-3, atol=1e-3)
        with warnings.catch_warnings():  # cvxpy finds the problem slow
            warnings.simplefilter("ignore")
            aggregator = jd.NashMTL(
                n_tasks=NUM, max_norm=0.0, update_weights_every=1, optim_niter=50
            )
            theirs = aggregator(jacobian)
        ours = found @ jacobian
        torch.testing.assert_close(ours / ours.norm(), theirs / theirs.norm(), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_equal_gradients_at_right_angles_weigh_one(method: BalanceMethod) -> None:
    shared = torch.zeros(3, requires_grad=True)
    losses = {task: 1e-6 * shared[i] for i, task in enumerate(TASKS)}
    weights = Balancer(method, weights=ONES).backward(losses, shared=[shared])
    found = [weights[f"balance/{task}"].item() for task in TASKS]
    assert found == pytest.approx([1, 1, 1], rel=1e-3)
    assert weights["gradient/cosine_edge_depth"].item() == 0


@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.parametrize("scale", [1e-9, 1e6])
def test_the_size_of_all_gradients_changes_no_weight(method: BalanceMethod, scale: float) -> None:
    found = []
    for factor in (1.0, scale):
        shared, losses = Toy(2)()
        losses = {task: factor * loss for task, loss in losses.items()}
        weights = Balancer(method, weights=ONES).backward(losses, shared=[shared])
        found.append([weights[f"balance/{task}"].item() for task in TASKS])
    assert found[0] == pytest.approx(found[1], rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("method", ["upgrad", "dualproj", "mgda", "pcgrad"])
def test_no_task_is_set_back_by_two_that_conflict(method: BalanceMethod) -> None:
    shared = torch.zeros(2, requires_grad=True)
    losses = {"edge": shared[0], "depth": -2 * shared[0] + shared[1]}
    Balancer(method, weights={"edge": 1, "depth": 1}).backward(losses, shared=[shared])
    assert shared.grad is not None
    step = shared.grad
    assert step @ torch.tensor([1.0, 0.0]) >= -3e-3
    assert step @ torch.tensor([-2.0, 1.0]) >= -3e-3
    assert step.norm() > 0.1


@pytest.mark.parametrize("method", METHODS)
def test_one_task_alone_is_a_plain_backward(method: BalanceMethod) -> None:
    for task in TASKS:
        toy, plain = Toy(3), Toy(3)
        shared, losses = toy()
        Balancer(method, weights=ONES).backward({task: losses[task]}, shared=[shared])
        plain()[1][task].backward()
        for name, gradient in gradients_of(toy).items():
            expected = gradients_of(plain)[name]
            if expected is None:
                assert gradient is None, name
            else:
                torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_a_task_left_out_leaves_its_head_untouched(method: BalanceMethod) -> None:
    toy = Toy(4)
    shared, losses = toy()
    weights = Balancer(method, weights=ONES).backward(
        {"edge": losses["edge"], "normal": losses["normal"]}, shared=[shared]
    )
    assert toy.heads["depth"].grad is None
    assert toy.heads["edge"].grad is not None
    assert "balance/depth" not in weights


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_heads_get_the_gradient_of_their_own_task(method: BalanceMethod) -> None:
    toy, plain = Toy(5), Toy(5)
    shared, losses = toy()
    Balancer(method, weights=PAPER_WEIGHTS).backward(losses, shared=[shared])
    torch.stack([PAPER_WEIGHTS[t] * loss for t, loss in plain()[1].items()]).sum().backward()
    for task in TASKS:
        gradient, expected = toy.heads[task].grad, plain.heads[task].grad
        assert gradient is not None
        assert expected is not None
        assert torch.equal(gradient, expected)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_that_were_there_stay(method: BalanceMethod) -> None:
    toy, twice = Toy(6), Toy(6)
    for model, start in ((toy, 0.0), (twice, 1.0)):
        for p in model.parameters():
            p.grad = torch.full_like(p, start)
        shared, losses = model()
        Balancer(method, weights=ONES).backward(losses, shared=[shared])
    for name, gradient in gradients_of(toy).items():
        assert gradient is not None
        torch.testing.assert_close(gradient + 1, gradients_of(twice)[name])


@pytest.mark.parametrize("method", METHODS)
def test_nothing_is_left_behind_on_the_features(method: BalanceMethod) -> None:
    shared = torch.ones(3, requires_grad=True)
    losses = {task: (i + shared).square()[i] for i, task in enumerate(TASKS)}
    Balancer(method, weights=ONES).backward(losses, shared=[shared])
    shared.grad = None
    (2 * shared).sum().backward()
    assert shared.grad is not None
    assert shared.grad.tolist() == [2, 2, 2]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("on", ["shared", "backbone", "nothing"])
def test_the_extra_term_is_added_as_it_is(method: BalanceMethod, on: str) -> None:
    def extra_of(toy: Toy, shared: Tensor) -> Tensor:
        if on == "nothing":
            return torch.zeros(())
        return shared.cos().sum() if on == "shared" else toy.backbone.sin().sum()

    toy, bare, alone = Toy(7), Toy(7), Toy(7)
    shared, losses = toy()
    with_extra = Balancer(method, weights=ONES).backward(
        losses, shared=[shared], extra=extra_of(toy, shared)
    )
    shared, losses = bare()
    without = Balancer(method, weights=ONES).backward(losses, shared=[shared])
    assert {name: x.item() for name, x in with_extra.items()} == {
        name: x.item() for name, x in without.items()
    }
    shared, _ = alone()
    extra = extra_of(alone, shared)
    added = torch.zeros_like(alone.backbone)
    if extra.requires_grad:
        (added,) = torch.autograd.grad(extra, alone.backbone)
    assert toy.backbone.grad is not None
    assert bare.backbone.grad is not None
    torch.testing.assert_close(toy.backbone.grad, bare.backbone.grad + added)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_a_task_without_a_gradient_spoils_nothing(method: BalanceMethod) -> None:
    toy, two = Toy(8), Toy(8)
    shared, losses = toy()
    Balancer(method, weights=ONES).backward(
        losses | {"depth": 0 * losses["depth"]}, shared=[shared]
    )
    shared, losses = two()
    del losses["depth"]
    Balancer(method, weights=ONES).backward(losses, shared=[shared])
    torch.testing.assert_close(toy.backbone.grad, two.backbone.grad)


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_several_shared_features_are_one_representation(method: BalanceMethod) -> None:
    """Cut into two parts, of which one task sees a single one, the features give the same."""
    whole, cut = Toy(9), Toy(9)
    for toy in (whole, cut):
        with torch.no_grad():
            toy.heads["edge"][3:] = 0
    shared, losses = whole()
    Balancer(method, weights=ONES).backward(losses, shared=[shared])
    features = (cut.x @ cut.backbone).tanh()
    left, right = features[:, :3].clone(), features[:, 3:].clone()
    losses = cut.losses(torch.cat([left, right], dim=1))
    losses["edge"] = (left @ cut.heads["edge"][:3] - cut.targets["edge"]).square().mean()
    Balancer(method, weights=ONES).backward(losses, shared=[left, right])
    torch.testing.assert_close(whole.backbone.grad, cut.backbone.grad, rtol=1e-4, atol=1e-5)


def test_fixed_weights_are_those_of_the_sum() -> None:
    toy, plain = Toy(0), Toy(0)
    shared, losses = toy()
    weights = Balancer("fixed", weights=PAPER_WEIGHTS).backward(losses, shared=[shared])
    _, losses = plain()
    (losses["edge"] + 5 * losses["depth"] + 10 * losses["normal"]).backward()
    torch.testing.assert_close(toy.backbone.grad, plain.backbone.grad)
    assert {task: weights[f"balance/{task}"].item() for task in TASKS} == PAPER_WEIGHTS


def test_uncertainty_settles_where_each_weighted_loss_is_one() -> None:
    balancer = Balancer("uncertainty", weights=ONES)
    optimizer = torch.optim.SGD(balancer.parameters(), lr=0.1)
    fixed = {"edge": 0.5, "depth": 2.0, "normal": 1e-9}
    weights: dict[str, Tensor] = {}
    for _ in range(400):
        optimizer.zero_grad()
        x = torch.ones((), requires_grad=True)
        weights = balancer.backward({t: v * x for t, v in fixed.items()}, shared=[x])
        optimizer.step()
    assert weights["balance/edge"].item() == pytest.approx(2.0, rel=1e-3)
    assert weights["balance/depth"].item() == pytest.approx(0.5, rel=1e-3)
    # A loss that vanishes cannot pull its weight out of bounds, and it can come back.
    limit = torch.tensor(LOG_VARIANCE_LIMIT).exp().item()
    assert weights["balance/normal"].item() == pytest.approx(limit, rel=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        balancer.backward({"normal": 1.0 * torch.ones((), requires_grad=True)}, shared=[])
        optimizer.step()
    assert balancer.log_variances["normal"].item() > -LOG_VARIANCE_LIMIT


def test_random_weights_average_to_one() -> None:
    balancer = Balancer("random", weights=ONES)
    drawn = []
    for _ in range(400):
        x = torch.ones((), requires_grad=True)
        weights = balancer.backward(dict.fromkeys(TASKS, x), shared=[x])
        drawn.append([weights[f"balance/{task}"] for task in TASKS])
    found = torch.tensor(drawn)
    torch.testing.assert_close(found.sum(dim=1), torch.full((400,), 3.0))
    torch.testing.assert_close(found.mean(dim=0), torch.ones(3), rtol=0, atol=0.15)


@pytest.mark.parametrize("method", METHODS)
def test_resumes_bit_for_bit(method: BalanceMethod) -> None:
    def run(balancer: Balancer, steps: range) -> list[dict[str, float]]:
        optimizer = torch.optim.SGD([*balancer.parameters(), nn.Parameter(torch.zeros(1))], lr=0.1)
        rows = []
        for step in steps:
            optimizer.zero_grad()
            shared, losses = Toy(step)()
            weights = balancer.backward(losses, shared=[shared])
            rows.append({name: x.item() for name, x in weights.items()})
            optimizer.step()
        return rows

    whole = run(Balancer(method, weights=ONES, seed=3), range(8))
    first = Balancer(method, weights=ONES, seed=3)
    run(first, range(4))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second = Balancer(method, weights=ONES, seed=3)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert run(second, range(4, 8)) == whole[4:]
    if method == "random":
        assert run(Balancer(method, weights=ONES, seed=4), range(8)) != whole


def test_cosines_are_those_of_the_gradients() -> None:
    toy = Toy(1)
    jacobian = jacobian_at_features(toy)
    shared, losses = toy()
    found = gradient_cosines(losses, at=[shared])
    rows = dict(zip(TASKS, jacobian, strict=True))
    assert set(found) == {
        "gradient/cosine_edge_depth",
        "gradient/cosine_edge_normal",
        "gradient/cosine_depth_normal",
    }
    for name, cosine in found.items():
        _, a, b = name.split("_")
        expected = torch.cosine_similarity(rows[a], rows[b], dim=0)
        torch.testing.assert_close(cosine, expected)
    losses["edge"].backward()  # the graph is still there


def test_works_under_autocast_with_half_features() -> None:
    backbone, head = nn.Linear(4, 8), nn.Linear(8, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        shared = backbone(torch.ones(2, 4))
        answer = head(shared).float()
    assert shared.dtype == torch.bfloat16
    losses = {task: answer[:, i].square().mean() for i, task in enumerate(TASKS)}
    weights = Balancer("upgrad", weights=ONES).backward(losses, shared=[shared])
    assert weights["balance/edge"].dtype == torch.float32
    assert backbone.weight.grad is not None
    assert backbone.weight.grad.isfinite().all()


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_many_random_gramians_give_finite_weights(method: BalanceMethod) -> None:
    rng = torch.Generator().manual_seed(0)
    for rank in (1, 2, 3):
        for _ in range(10):
            shared = torch.zeros(5, requires_grad=True)
            rows = torch.randn(3, rank, generator=rng) @ torch.randn(rank, 5, generator=rng)
            rows *= (3 * torch.randn(3, 1, generator=rng)).exp()
            losses = {task: row @ shared for task, row in zip(TASKS, rows, strict=True)}
            weights = Balancer(method, weights=ONES).backward(losses, shared=[shared])
            assert all(x.isfinite() for x in weights.values())
            assert shared.grad is not None
            assert shared.grad.isfinite().all()


def test_refuses_what_cannot_be_balanced() -> None:
    toy = Toy(0)
    shared, losses = toy()
    with pytest.raises(ValueError, match="name at least one task"):
        Balancer("fixed", weights={})
    balancer = Balancer("upgrad", weights={"edge": 1.0, "depth": 1.0})
    with pytest.raises(
        ValueError, match="losses of edge, depth, normal; this balance knows edge, depth"
    ):
        balancer.backward(losses, shared=[shared])
    with pytest.raises(ValueError, match="losses of no task"):
        balancer.backward({}, shared=[shared])
    with pytest.raises(ValueError, match="pass no gradient"):
        balancer.backward({"edge": losses["edge"]}, shared=[shared.detach()])
    with pytest.raises(ValueError, match=r"not finite; lengths by task: \{'edge': nan, 'depth'"):
        balancer.backward(
            {"edge": losses["edge"] * torch.inf * 0, "depth": losses["depth"]}, shared=[shared]
        )
    assert all(gradient is None for gradient in gradients_of(toy).values())
