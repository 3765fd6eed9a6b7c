"""How the gradients of several tasks become one: fixed weights, learned ones, or weights from the gradients themselves.

The methods that look at gradients take each task's gradient at the shared features, compute weights from their Gramian (summed
over ranks, so that all take the same), and send the weighted sum through the backbone in one backward pass. Each head gets the
gradient of its own task, unweighted by the method, since a weight may be 0 or negative. An adversarial term stays outside: it
is added after the balance.

Weights are scaled so that tasks whose gradients are equally long and at right angles weigh 1 each.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from scenelift.adapt.ranks import num_ranks, total

BalanceMethod = Literal[
    "fixed",
    "uncertainty",
    "random",
    "pcgrad",
    "cagrad",
    "upgrad",
    "dualproj",
    "mgda",
    "imtlg",
    "nashmtl",
    "fairgrad",
    "alignedmtl",
]
PAPER_WEIGHTS = {"edge": 1.0, "depth": 5.0, "normal": 10.0}
"""Of the released code."""
CAGRAD_RADIUS = 0.4
"""c of CAGrad: 0 is the mean of the gradients; the larger, the nearer to MGDA."""
FAIRGRAD_ALPHA = 2.0
"""alpha of FairGrad: 1 is Nash-MTL, infinity max-min fairness."""
LOG_VARIANCE_LIMIT = 5.0
"""Learned log-variances stay within plus and minus this: left alone they run away."""

_Weighting = Callable[[Float64[Tensor, "t t"]], Float64[Tensor, " t"]]


class Balancer(nn.Module):
    """Runs the backward pass of several tasks. Its parameters, if it has any, belong to an optimiser of the caller."""

    def __init__(
        self, method: BalanceMethod, *, weights: Mapping[str, float], seed: int = 0
    ) -> None:
        """Name the tasks and how they are balanced.

        Args:
            method: fixed; uncertainty, which learns log-variances (Kendall et al., CVPR 2018); random, which weighs losses by
                chance, as a control (Lin et al., TMLR 2022); the others look at gradients.
            weights: What each task's loss is multiplied by before the method looks at it.
            seed: Of the methods that draw: random and pcgrad.

        Raises:
            ValueError: if there is no task.
        """
        super().__init__()
        if not weights:
            raise ValueError("weights is empty: name at least one task")
        self.method: BalanceMethod = method
        self._weights = dict(weights)
        self._seed = seed
        self._step = 0
        self.log_variances = nn.ParameterDict(
            {task: nn.Parameter(torch.zeros(())) for task in weights}
            if method == "uncertainty"
            else {}
        )
        self._weighting = _make_weighting(method)

    @property
    def looks_at_gradients(self) -> bool:
        """Whether the shared features matter."""
        return self._weighting is not None

    def backward(
        self,
        losses: Mapping[str, Float[Tensor, ""]],
        *,
        shared: Sequence[Float[Tensor, "..."]],
        extra: Float[Tensor, ""] | None = None,
    ) -> dict[str, Float[Tensor, ""]]:
        """Accumulate gradients in the parameters of backbone and heads, in one pass that DDP's hooks see.

        Args:
            losses: By task, global (`ranks.py`); tasks that are left out are frozen.
            shared: The features that the heads stand on, with their graph; all that tasks have in common lies below them.
            extra: A term that is added as it is, such as the alignment's; it may stand on any layer.

        Returns:
            Detached: `balance/TASK`, the weight of each task at the shared features, that of the constructor included, and
            `gradient/cosine_A_B` of each pair where gradients are looked at.

        Raises:
            ValueError: if a task is unknown or there is none, if the shared features pass no gradient, or if a task's gradient
                there is not finite.
        """
        scaled = self._scaled(losses)
        self._step += 1
        if self._weighting is None:
            return self._backward_losses(scaled, extra=extra)
        gradients = _gradients(scaled, at=shared)
        like = next(iter(scaled.values()))
        gramian = _gramian(gradients, like=like)
        if not gramian.isfinite().all():
            lengths = dict(zip(scaled, gramian.diagonal().sqrt().tolist(), strict=True))
            raise ValueError(
                f"a gradient at the shared features is not finite; lengths by task: {lengths}; "
                "lower the learning rate or look for bad labels"
            )
        factors = _drawn(
            lambda: _factors(gramian, weighting=self._weighting), seed=(self._seed, self._step)
        )
        pulls = _combined(gradients, factors=factors.tolist())
        del gradients
        _backward_replaced(list(scaled.values()), shared=shared, pulls=pulls, extra=extra)
        weights = {
            f"balance/{task}": factor * self._weights[task]
            for task, factor in zip(scaled, _moved(factors, like=like), strict=True)
        }
        return weights | _cosines(_moved(gramian, like=like), tasks=list(scaled))

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state that no tensor of the module holds."""
        return {"step": self._step}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self._step = int(state["step"])

    def _scaled(self, losses: Mapping[str, Float[Tensor, ""]]) -> dict[str, Float[Tensor, ""]]:
        unknown = losses.keys() - self._weights.keys()
        if unknown or not losses:
            raise ValueError(
                f"losses of {', '.join(losses) or 'no task'}; this balance knows {', '.join(self._weights)}"
            )
        return {task: self._weights[task] * loss for task, loss in losses.items()}

    def _backward_losses(
        self, scaled: Mapping[str, Float[Tensor, ""]], *, extra: Float[Tensor, ""] | None
    ) -> dict[str, Float[Tensor, ""]]:
        """Weigh losses without a look at gradients."""
        factors = self._loss_factors(scaled)
        terms = [factors[task] * loss for task, loss in scaled.items()]
        # e^-s L + s is twice Kendall's L / (2 sigma^2) + log sigma, with s = log sigma^2: a task starts with weight 1.
        terms += [self.log_variances[task] for task in scaled if task in self.log_variances]
        torch.autograd.backward(_sum([*terms, extra], like=terms[0]))
        return {
            f"balance/{task}": factor.detach() * self._weights[task]
            for task, factor in factors.items()
        }

    def _loss_factors(
        self, scaled: Mapping[str, Float[Tensor, ""]]
    ) -> dict[str, Float[Tensor, ""]]:
        match self.method:
            case "uncertainty":
                with torch.no_grad():
                    for s in self.log_variances.values():
                        s.clamp_(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT)
                return {task: (-self.log_variances[task]).exp() for task in scaled}
            case "random":
                draw = _drawn(lambda: torch.randn(len(scaled)), seed=(self._seed, self._step))
                shares = draw.softmax(dim=0) * len(scaled)
                moved = _moved(shares, like=next(iter(scaled.values())))
                return dict(zip(scaled, moved, strict=True))
            case _:
                return {task: torch.ones_like(loss) for task, loss in scaled.items()}


def gradient_cosines(
    losses: Mapping[str, Float[Tensor, ""]], *, at: Sequence[Float[Tensor, "..."]]
) -> dict[str, Float[Tensor, ""]]:
    """Measure how the tasks' gradients at some features agree, over all ranks; the graph stays.

    Returns:
        `gradient/cosine_A_B` of each pair, 0 where a gradient vanishes.
    """
    like = next(iter(losses.values()))
    gramian = _gramian(_gradients(losses, at=at), like=like)
    return _cosines(_moved(gramian, like=like), tasks=list(losses))


_Gradients = list[tuple[Tensor | None, ...]]


def _gradients(
    losses: Mapping[str, Float[Tensor, ""]], *, at: Sequence[Float[Tensor, "..."]]
) -> _Gradients:
    if not at or not all(features.requires_grad for features in at):
        raise ValueError(
            "the shared features pass no gradient: train the backbone, or balance with fixed weights"
        )
    return [
        torch.autograd.grad(loss, at, retain_graph=True, allow_unused=True)
        for loss in losses.values()
    ]


def _gramian(gradients: _Gradients, *, like: Tensor) -> Float64[Tensor, "t t"]:
    """Multiply each pair of gradients, over all ranks, on the CPU."""
    products = torch.stack(
        [
            _sum([_dot(a, b) for a, b in zip(gradients[i], gradients[j], strict=True)], like=like)
            for i in range(len(gradients))
            for j in range(i + 1)
        ]
    )
    # A rank's gradients are the share of its samples times the count of ranks.
    products = (total(products) / num_ranks() ** 2).double().cpu()
    gramian = products.new_zeros(len(gradients), len(gradients))
    rows, columns = torch.tril_indices(len(gradients), len(gradients)).unbind()
    gramian[rows, columns] = products
    gramian[columns, rows] = products
    return gramian


def _dot(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    if a is None or b is None:
        return None
    return torch.dot(a.flatten().float(), b.flatten().float())


def _sum(terms: Sequence[Tensor | None], *, like: Tensor) -> Tensor:
    known = [term for term in terms if term is not None]
    return torch.stack(known).sum() if known else like.new_zeros(())


def _moved(x: Float[Tensor, "*shape"], *, like: Tensor) -> Float[Tensor, "*shape"]:
    """Bring small numbers to the device of others without making the host wait."""
    return x.to(like, non_blocking=True)


def _cosines(gramian: Float[Tensor, "t t"], *, tasks: Sequence[str]) -> dict[str, Tensor]:
    lengths = gramian.diagonal().sqrt()
    return {
        f"gradient/cosine_{tasks[i]}_{tasks[j]}": torch.where(
            lengths[i] * lengths[j] > 0, gramian[i, j] / (lengths[i] * lengths[j]), 0
        )
        for i, j in combinations(range(len(tasks)), 2)
    }


def _factors(
    gramian: Float64[Tensor, "t t"], *, weighting: _Weighting | None
) -> Float64[Tensor, " t"]:
    """Weigh the tasks whose gradient does not vanish; the others, and one alone, get 1."""
    factors = gramian.new_ones(len(gramian))
    pulling = (gramian.diagonal() > 0).nonzero().flatten()
    if weighting is not None and len(pulling) > 1:
        among = gramian[pulling][:, pulling]
        # Solvers have absolute tolerances, and a gradient at features is tiny.
        factors[pulling] = weighting(among / among.diagonal().mean())
    return factors


def _combined(gradients: _Gradients, *, factors: Sequence[float]) -> list[Tensor | None]:
    """Add up the tasks' gradients at each of the shared features."""
    return [
        sum(
            (f * g for f, g in zip(factors, of_feature, strict=True) if g is not None),
            start=torch.zeros_like(next(g for g in of_feature if g is not None)),
        )
        if any(g is not None for g in of_feature)
        else None
        for of_feature in zip(*gradients, strict=True)
    ]


def _backward_replaced(
    losses: Sequence[Float[Tensor, ""]],
    *,
    shared: Sequence[Float[Tensor, "..."]],
    pulls: Sequence[Tensor | None],
    extra: Float[Tensor, ""] | None,
) -> None:
    """Go back from the plain sum, and replace what arrives at the shared features."""
    if extra is not None and extra.requires_grad:
        more = torch.autograd.grad(extra, shared, retain_graph=True, allow_unused=True)
        pulls = [_plus(pull, pull_extra) for pull, pull_extra in zip(pulls, more, strict=True)]
    handles = [
        features.register_hook(lambda _, pull=pull: pull)
        for features, pull in zip(shared, pulls, strict=True)
        if pull is not None
    ]
    try:
        torch.autograd.backward(_sum([*losses, extra], like=losses[0]))
    finally:
        for handle in handles:
            handle.remove()


def _plus(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return b if a is None else a if b is None else a + b


def _drawn(draw: Callable[[], Tensor], *, seed: Sequence[int]) -> Tensor:
    """Call what draws from torch's global generator, with that generator set and put back as it was."""
    (word,) = np.random.SeedSequence(seed).generate_state(1)
    generator = torch.default_generator
    before = generator.get_state()
    generator.manual_seed(int(word))
    try:
        return draw()
    finally:
        generator.set_state(before)


def _make_weighting(method: BalanceMethod) -> _Weighting | None:
    """Find the weighting in TorchJD and bring it to this module's scale; None: it needs no gradients."""
    if method in ("fixed", "uncertainty", "random"):
        return None
    from torchjd import aggregation as jd

    match method:
        case "pcgrad":
            return jd.PCGradWeighting()
        case "cagrad":
            return _times(jd.CAGradWeighting(c=CAGRAD_RADIUS), 1 / (1 + CAGRAD_RADIUS))
        case "upgrad":
            return _times(jd.UPGradWeighting())
        case "dualproj":
            return _times(jd.DualProjWeighting())
        case "mgda":
            return _times(jd.MGDAWeighting())
        case "imtlg":
            return _times(jd.IMTLGWeighting())
        case (
            "nashmtl"
        ):  # the bargaining solution is alpha-fairness with alpha 1; so no state, and no ECOS
            return jd.FairGradWeighting(alpha=1.0)
        case "fairgrad":
            return jd.FairGradWeighting(alpha=FAIRGRAD_ALPHA)
        case "alignedmtl":
            return _times(jd.AlignedMTLWeighting())
    raise ValueError(f"no method of balance is called {method}")


def _times(weighting: _Weighting, factor: float = 1.0) -> _Weighting:
    """Scale weights that average to those that add up."""
    return lambda gramian: weighting(gramian) * (len(gramian) * factor)
