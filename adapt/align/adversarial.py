"""Alignment by a critic: the paper's alternating game, and gradient reversal."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scenelift.adapt.align.alignment import Alignment, full_precision, weighted_term
from scenelift.adapt.align.config import AlignmentConfig
from scenelift.adapt.align.game import accuracies, backbone_game_loss, critic_game_loss
from scenelift.adapt.align.weight import GameGuard
from scenelift.adapt.history import FeatureHistory
from scenelift.adapt.method import Clock, Features


class _Critic(Alignment):
    """What both have: one discriminator a layer, that gives logits of "real", and a guard."""

    needs_real_pictures = True
    needs_real_features = True

    def __init__(self, config: AlignmentConfig, *, discriminators: Mapping[str, nn.Module]) -> None:
        super().__init__(config)
        missing = [layer for layer in config.layers if layer not in discriminators]
        if missing:
            raise ValueError(
                f"no discriminator for layer {', '.join(missing)}; there are {', '.join(discriminators) or 'none'}"
            )
        # A layer's name may hold dots, which the names of modules may not.
        self.discriminators = nn.ModuleList([discriminators[layer] for layer in config.layers])
        self._guard = GameGuard(
            stop_above=config.stop_above,
            freeze_below=config.freeze_below,
            patience=config.patience,
        )

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """Return the discriminators' parameters."""
        return self.discriminators.parameters()

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state that no tensor of the module holds."""
        return {**super().get_extra_state(), "guard": self._guard.state_dict()}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        super().set_extra_state(state)
        self._guard.load_state_dict(state["guard"])

    def _logits(
        self,
        discriminator: nn.Module,
        synthetic: Float[Tensor, "n c h w"],
        real: Float[Tensor, "m c h w"],
    ) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "m ..."]]:
        if not self.config.one_forward:
            return _answer(discriminator, synthetic), _answer(discriminator, real)
        both = _answer(discriminator, torch.cat([synthetic, real]))
        return both[: len(synthetic)], both[len(synthetic) :]

    def _judge(
        self, losses: list[Tensor], shares: list[tuple[Tensor, Tensor]]
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Add up the critics' losses, average their accuracies, and tell the guard."""
        loss = torch.stack(losses).sum()
        share_synthetic = torch.stack([share[0] for share in shares]).mean()
        share_real = torch.stack([share[1] for share in shares]).mean()
        if self._guard.watches:
            self._guard.observe((share_synthetic + share_real).item() / 2)
        return loss, {
            "loss/critic": loss.detach(),
            "critic/accuracy_synthetic": share_synthetic,
            "critic/accuracy_real": share_real,
        }


class Adversarial(_Critic):
    """The paper's game: a critic tells the domains apart, the backbone disguises one, in turns."""

    def __init__(
        self, config: AlignmentConfig, *, discriminators: Mapping[str, nn.Module], rank: int = 0
    ) -> None:
        """Take the discriminators by layer; the histories of different ranks draw differently."""
        super().__init__(config, discriminators=discriminators)
        self._histories = {
            f"{layer}/{domain}": FeatureHistory(
                config.history,
                seed=(config.seed, rank, i, j),
                half=config.history_half,
            )
            for i, layer in enumerate(config.layers)
            for j, domain in enumerate(("synthetic", "real"))
        }

    def critic_loss(
        self, synthetic: Features, real: Features
    ) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
        """Return the game's loss on what the histories give; None while the guard lets the critic rest."""
        losses, shares = [], []
        for discriminator, (layer, a, b) in zip(
            self.discriminators, self._aligned(synthetic, real), strict=True
        ):
            a = self._histories[f"{layer}/synthetic"].exchange(a)
            b = self._histories[f"{layer}/real"].exchange(b)
            logits = self._logits(discriminator, a, b)
            losses.append(critic_game_loss(*logits, game=self.config.game))
            shares.append(accuracies(*logits))
        loss, scalars = self._judge(losses, shares)
        return loss if self._guard.trains_critic else None, scalars

    def alignment_loss(
        self, synthetic: Features, real: Features, *, clock: Clock
    ) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
        """Return the backbone's side of the game; the discriminators receive no gradient."""
        losses = {}
        for discriminator, (layer, a, b) in zip(
            self.discriminators, self._aligned(synthetic, real), strict=True
        ):
            with _frozen(discriminator):
                losses[layer] = self._disguise(_inner(discriminator), a, b)
        weight = self.weight(clock) if self._guard.feeds_backbone else 0.0
        term, scalars = weighted_term(losses, weight=weight)
        return term if self._guard.feeds_backbone else None, scalars

    def _disguise(
        self,
        discriminator: nn.Module,
        synthetic: Float[Tensor, "n c h w"],
        real: Float[Tensor, "m c h w"],
    ) -> Float[Tensor, ""]:
        """Show the discriminator only the domains that the term acts on."""
        config = self.config
        if config.acts_on == "both":
            a, b = self._logits(discriminator, synthetic, real)
        else:
            acted = synthetic if config.acts_on == "synthetic" else real
            a = b = _answer(discriminator, acted)
        return backbone_game_loss(a, b, game=config.game, acts_on=config.acts_on)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state that no tensor of the module holds."""
        histories = {name: history.state_dict() for name, history in self._histories.items()}
        return {**super().get_extra_state(), "histories": histories}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it belongs to another configuration.
        """
        super().set_extra_state(state)
        if state["histories"].keys() != self._histories.keys():
            raise ValueError(
                f"the state has histories of {', '.join(state['histories'])}, "
                f"this alignment of {', '.join(self._histories)}"
            )
        for name, history in self._histories.items():
            history.load_state_dict(state["histories"][name])


class Reversal(_Critic):
    """Gradient reversal (Ganin and Lempitsky, ICML 2015): one backward pass in which the critic learns and the backbone unlearns.

    The critic's gradient is whole, whatever the weight; the backbone's is -weight times the critic's loss's. No history.
    """

    critic_in_backward = True

    def alignment_loss(
        self, synthetic: Features, real: Features, *, clock: Clock
    ) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
        """Return the critic's loss on features behind a layer that turns the gradient round."""
        weight = self.weight(clock) if self._guard.feeds_backbone else 0.0
        acts_on = self.config.acts_on
        losses, shares = [], []
        for discriminator, (_, a, b) in zip(
            self.discriminators, self._aligned(synthetic, real), strict=True
        ):
            a = reverse(a, weight=weight if acts_on != "real" else 0.0)
            b = reverse(b, weight=weight if acts_on != "synthetic" else 0.0)
            logits = self._logits(discriminator, a, b)
            losses.append(critic_game_loss(*logits, game=self.config.game))
            shares.append(accuracies(*logits))
        loss, scalars = self._judge(losses, shares)
        weights = {"loss/align": -loss.detach(), "align/weight": loss.new_full((), weight)}
        return loss, scalars | weights


def reverse(x: Float[Tensor, "*shape"], *, weight: float) -> Float[Tensor, "*shape"]:
    """Return x, through which a gradient passes times minus `weight`.

    >>> x = torch.ones(1, requires_grad=True)
    >>> reverse(x, weight=0.5).backward()
    >>> x.grad
    tensor([-0.5000])
    """
    y: Tensor = _Reverse.apply(x, weight)
    return y


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradients[0], None


def _answer(discriminator: nn.Module, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n ..."]:
    """Run a discriminator in full precision, also under autocast."""
    with full_precision(x):
        logits: Tensor = discriminator(x.float())
    return logits


@contextmanager
def _frozen(network: nn.Module) -> Iterator[None]:
    """Build no gradient for a network's parameters."""
    learning = [p for p in network.parameters() if p.requires_grad]
    for p in learning:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in learning:
            p.requires_grad_(True)


def _inner(network: nn.Module) -> nn.Module:
    """Take a network out of its DDP wrapper, which would wait for gradients that do not come."""
    return network.module if isinstance(network, DistributedDataParallel) else network
