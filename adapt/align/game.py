"""The critic's and the backbone's losses on the logits of "real"."""

from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from scenelift.adapt.align.config import ActsOn, Game
from scenelift.adapt.ranks import totals

Logits = Float[Tensor, "_ ..."]
"""Of "real"; one or several an image."""


def critic_game_loss(synthetic: Logits, real: Logits, *, game: Game) -> Float[Tensor, ""]:
    """Return the mean over the domains of what the critic pays for telling them apart badly.

    vanilla: cross entropy, ln 2 at chance. least-squares: on (1 + logit) / 2 against 0 and 1, so that a logit's sign decides
    there as well; 0.25 at chance. hinge: relu(1 -+ logit), 1 at chance.

    >>> zeros = torch.zeros(2, 1)
    >>> [round(critic_game_loss(zeros, zeros, game=g).item(), 3) for g in ("vanilla", "least-squares", "hinge")]
    [0.693, 0.25, 1.0]
    """
    return (_critic(-synthetic.float(), game=game) + _critic(real.float(), game=game)) / 2


def backbone_game_loss(
    synthetic: Logits, real: Logits, *, game: Game, acts_on: ActsOn
) -> Float[Tensor, ""]:
    """Return what the backbone pays while the critic can tell: each domain it acts on is to pass for the other one.

    vanilla is the non-saturating -log D(synthetic); hinge the plain mean of the logits; both domains count one half each.
    """
    match acts_on:
        case "synthetic":
            return _disguise(synthetic.float(), game=game)
        case "real":
            return _disguise(-real.float(), game=game)
        case "both":
            return (
                _disguise(synthetic.float(), game=game) + _disguise(-real.float(), game=game)
            ) / 2
    assert_never(acts_on)


def accuracies(synthetic: Logits, real: Logits) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the shares of synthetic and of real logits on the right side; a logit of 0 counts half."""
    with torch.no_grad():
        return mean((1 - synthetic.float().sign()) / 2), mean((1 + real.float().sign()) / 2)


def mean(x: Float[Tensor, "..."]) -> Float[Tensor, ""]:
    """Average over the elements of all ranks."""
    sum_x, num = totals(x.sum(), x.new_full((), x.numel()))
    return sum_x / num


def _critic(margin: Logits, *, game: Game) -> Float[Tensor, ""]:
    """Loss of logits that ought to be positive."""
    match game:
        case "vanilla":
            return mean(F.softplus(-margin))
        case "least-squares":
            return mean(((1 - margin) / 2).square())
        case "hinge":
            return mean(F.relu(1 - margin))
    assert_never(game)


def _disguise(margin: Logits, *, game: Game) -> Float[Tensor, ""]:
    """Loss of logits that ought to become positive, without a bound where hinge has one."""
    return -mean(margin) if game == "hinge" else _critic(margin, game=game)
