"""One of two processes of the test of ranks: computes every loss on its share of a batch and writes values and mean gradients.

Started as `python rank_role.py '["FOLDER", "ROLE", RANK]'`.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import torch
import torch.distributed as dist
from torch import Tensor, nn

from scenelift.adapt.align import (
    Alignment,
    AlignmentConfig,
    AlignmentMethod,
    gradient_norm,
    make_alignment,
)
from scenelift.adapt.align.config import ActsOn, Game
from scenelift.adapt.balance import BalanceMethod, Balancer
from scenelift.adapt.losses import Variant, depth_loss, edge_loss, normal_loss
from scenelift.adapt.method import Clock
from scenelift.adapt.pretext.simclr import nt_xent
from scenelift.adapt.ranks import average_gradients, gather

NUM = 8
"""Images in the whole batch of a domain."""
CLOCK = Clock(step=3, steps=10)


def main(folder: Path, role: str, *, rank: int) -> None:
    torch.set_num_threads(1)
    file = f"file://{folder / 'meeting'}"
    dist.init_process_group("gloo", init_method=file, rank=rank, world_size=2)
    torch.save(compute(rank=rank, world=2), folder / f"{role}.pt")
    dist.barrier()
    dist.destroy_process_group()


def compute(*, rank: int, world: int) -> dict[str, Tensor]:
    """Return values, and gradients averaged over ranks, by name."""
    share = slice(rank * NUM // world, (rank + 1) * NUM // world)
    found = tasks(share) | alignments(share) | rows(share) | through_ddp(share, world=world)
    found |= contrast(share)
    for method in get_args(BalanceMethod):
        found |= balance(share, method=method)
    return found


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def network(seed: int, channels: int) -> nn.Conv2d:
    conv = nn.Conv2d(3, channels, 3, padding=1)
    with torch.no_grad():
        conv.weight.copy_(drawn(channels, 3, 3, 3, seed=seed))
        conv.bias.copy_(drawn(channels, seed=seed + 1))  # type: ignore[union-attr]
    return conv


def value_and_gradient(name: str, net: nn.Module, loss: Callable[[], Tensor]) -> dict[str, Tensor]:
    net.zero_grad()
    value = loss()
    value.backward()
    average_gradients(net.parameters())
    return {f"value/{name}": value.detach(), f"gradient/{name}": gradient_of(net)}


def gradient_of(net: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten().clone() for p in net.parameters() if p.grad is not None])


def labels() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Edges, depth, normals, valid: as many edges and gaps as you like in one image, few in another."""
    sparse = torch.linspace(0.05, 0.6, NUM).view(NUM, 1, 1, 1)
    edge = torch.rand(NUM, 1, 6, 6, generator=torch.Generator().manual_seed(1)) < sparse
    valid = torch.rand(NUM, 1, 6, 6, generator=torch.Generator().manual_seed(2)) > sparse
    valid[1] = False
    normal = nn.functional.normalize(drawn(NUM, 3, 6, 6, seed=3), dim=1)
    return edge, torch.where(valid, drawn(NUM, 1, 6, 6, seed=4).exp(), 0), normal, valid


def tasks(share: slice) -> dict[str, Tensor]:
    edge, z_depth_m, normal, valid = (label[share] for label in labels())
    x = drawn(NUM, 3, 6, 6, seed=0)[share]
    one, three = network(5, 1), network(7, 3)
    found: dict[str, Tensor] = {}
    for variant in get_args(Variant):
        losses: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {
            "edge": (one, lambda: edge_loss(one(x), edge, valid=valid, variant=variant)),  # noqa: B023
            "depth": (one, lambda: depth_loss(one(x), z_depth_m, valid=valid, variant=variant)),  # noqa: B023
            "normal": (three, lambda: normal_loss(three(x), normal, valid=valid, variant=variant)),  # noqa: B023
        }
        for task, (net, loss) in losses.items():
            found |= value_and_gradient(f"{task}/{variant}", net, loss)
    return found


def contrast(share: slice) -> dict[str, Tensor]:
    """Hold views of this rank's pictures against those of all ranks."""
    net = network(70, 4)
    views = [drawn(NUM, 3, 6, 6, seed=seed)[share] for seed in (71, 72)]

    def loss() -> Tensor:
        first, second = (net(view).mean(dim=(2, 3)) for view in views)
        return nt_xent(gather(first), gather(second), temperature=0.5)

    return value_and_gradient("nt_xent", net, loss)


def alignments(share: slice) -> dict[str, Tensor]:
    synthetic, real = drawn(NUM, 3, 6, 6, seed=10)[share], 1 + drawn(NUM, 3, 6, 6, seed=11)[share]
    backbone = network(12, 4)
    found: dict[str, Tensor] = {}
    methods: tuple[AlignmentMethod, ...] = ("coral", "mmd", "sliced-wasserstein")
    for method in methods:
        for samples in ("pooled", "positions"):
            config = AlignmentConfig(method=method, samples=samples, layers=("a",), weight=1.0)
            alignment = make_alignment(config, discriminators={})
            found |= value_and_gradient(
                f"{method}/{samples}",
                backbone,
                partial(term_of, alignment, backbone, synthetic, real),
            )
    for game in get_args(Game):
        for acts_on in get_args(ActsOn):
            found |= play(backbone, synthetic, real, game=game, acts_on=acts_on)
    return found


def term_of(alignment: Alignment, backbone: nn.Module, synthetic: Tensor, real: Tensor) -> Tensor:
    features = {"a": backbone(synthetic)}, {"a": backbone(real)}
    term, _ = alignment.alignment_loss(*features, clock=CLOCK)
    if term is None:
        raise ValueError("there is no term")
    return term


def play(
    backbone: nn.Module, synthetic: Tensor, real: Tensor, *, game: Game, acts_on: ActsOn
) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for method in ("adversarial", "reversal"):
        config = AlignmentConfig(
            method=method, game=game, acts_on=acts_on, layers=("a",), history=0, weight=0.3
        )
        critic = nn.Conv2d(4, 1, 2, bias=False)
        with torch.no_grad():
            critic.weight.copy_(drawn(1, 4, 2, 2, seed=20))
        alignment = make_alignment(config, discriminators={"a": critic})
        features = {"a": backbone(synthetic)}, {"a": backbone(real)}
        loss, scalars = alignment.critic_loss(*features)
        name = f"{method}/{game}/{acts_on}"
        if loss is not None:
            loss.backward()
            average_gradients(critic.parameters())
            found[f"gradient/{name}/critic"] = gradient_of(critic)
        found |= {f"value/{name}/{key}": value for key, value in scalars.items()}
        found |= value_and_gradient(
            name,
            backbone,
            partial(term_of, alignment, backbone, synthetic, real),
        )
        seen = backbone(synthetic)
        term, _ = alignment.alignment_loss({"a": seen}, {"a": backbone(real)}, clock=CLOCK)
        if acts_on == "synthetic" and term is not None:
            found[f"value/{name}/norm"] = gradient_norm(term, at=[seen])
    return found


def rows(share: slice) -> dict[str, Tensor]:
    x = drawn(NUM, 2, seed=30)
    net = nn.Linear(2, 3)
    with torch.no_grad():
        net.weight.copy_(drawn(3, 2, seed=31))
        net.bias.zero_()
    factors = torch.arange(1.0, NUM + 1)[:, None]  # tells the rows' order
    return value_and_gradient(
        "gather", net, lambda: (factors * gather(net(x[share])).square()).sum()
    )


def balanced(share: slice) -> tuple[nn.Module, nn.Module, Tensor, dict[str, Tensor]]:
    edge, z_depth_m, normal, valid = (label[share] for label in labels())
    backbone, heads = network(40, 3), network(42, 5)
    features = backbone(drawn(NUM, 3, 6, 6, seed=43)[share]).tanh()
    answer = heads(features)
    losses = {
        "edge": edge_loss(answer[:, :1], edge, valid=valid),
        "depth": depth_loss(answer[:, 1:2], z_depth_m, valid=valid),
        "normal": normal_loss(answer[:, 2:], normal, valid=valid),
    }
    return backbone, heads, features, losses


def balance(share: slice, *, method: BalanceMethod) -> dict[str, Tensor]:
    backbone, heads, features, losses = balanced(share)
    balancer = Balancer(method, weights=dict.fromkeys(losses, 1.0))
    scalars = balancer.backward(losses, shared=[features], extra=0.1 * losses["edge"].sqrt())
    found = {f"value/{method}/{name}": value for name, value in scalars.items()}
    for name, net in (("backbone", backbone), ("heads", heads), ("balancer", balancer)):
        average_gradients(net.parameters())
        if any(p.grad is not None for p in net.parameters()):
            found[f"gradient/{method}/{name}"] = gradient_of(net)
    return found


def through_ddp(share: slice, *, world: int) -> dict[str, Tensor]:
    net = network(5, 1)
    wrapped = nn.parallel.DistributedDataParallel(net) if world > 1 else net
    edge, _, _, valid = (label[share] for label in labels())
    features = wrapped(drawn(NUM, 3, 6, 6, seed=0)[share])
    losses = {
        "edge": edge_loss(features, edge, valid=valid),
        "depth": depth_loss(features, torch.ones_like(features), valid=valid),
    }
    balancer = Balancer("upgrad", weights=dict.fromkeys(losses, 1.0))
    balancer.backward(losses, shared=[features])
    return {"ddp/balance": gradient_of(net)} | critic_through_ddp(share, world=world)


def critic_through_ddp(share: slice, *, world: int) -> dict[str, Tensor]:
    """Play two rounds: a wrapper that waited for gradients of the backbone's side would stop the second."""
    critic = network(50, 1)
    wrapped = nn.parallel.DistributedDataParallel(critic) if world > 1 else critic
    config = AlignmentConfig(layers=("a",), history=0)
    alignment = make_alignment(config, discriminators={"a": wrapped})
    for step in range(2):
        features = [
            {"a": (i + drawn(NUM, 3, 6, 6, seed=60 + i)[share]).requires_grad_()} for i in (0, 1)
        ]
        loss, _ = alignment.critic_loss(*features)
        critic.zero_grad()
        if loss is not None:
            loss.backward()
        term, _ = alignment.alignment_loss(*features, clock=Clock(step=step, steps=2))
        if term is not None:
            term.backward()
        with torch.no_grad():
            for p in critic.parameters():
                if p.grad is not None:
                    p.sub_(0.1 * p.grad)
    return {"ddp/critic": gradient_of(critic)}


if __name__ == "__main__":
    where, what, number = json.loads(sys.argv[1])
    main(Path(where), what, rank=number)
