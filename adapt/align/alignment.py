"""The interface of all alignments, and the ones that add no term: what a method asks for at each step."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scenelift.adapt.align.config import AlignmentConfig
from scenelift.adapt.align.weight import RatioHold, gradient_norm, ramp_weight
from scenelift.adapt.method import Clock, Features

Pictures = Float[Tensor, "_ 3 _ _"] | UInt8[Tensor, "_ 3 _ _"]
"""sRGB, 8 bit or in [0, 1]."""


class Alignment(nn.Module):
    """Brings the features of two domains together; this one adds nothing.

    A step of training, in this order:

        pictures = alignment.restyle(synthetic, real)           # before colour is touched
        ...                                                     # the backbone, each domain in its own forward
        critic, scalars = alignment.critic_loss(synthetic, real)
        if critic is not None:                                  # then its backward, and a step of its optimiser
        term, scalars = alignment.alignment_loss(synthetic, real, clock=clock)
        if alignment.measures(clock):                           # before any backward
            scalars = alignment.measure(term, task=task_loss, at=synthetic)
        ...                                                     # backward of tasks and term, steps of the optimisers

    `state_dict` holds the discriminators and everything that decides how training goes on.
    """

    needs_real_pictures: bool = False
    """Whether a real batch is read at all."""
    needs_real_features: bool = False
    """Whether the backbone sees it in training."""
    critic_in_backward: bool = False
    """Whether the backward pass of `alignment_loss` is also the critic's: its optimiser steps after it, not before."""

    def __init__(self, config: AlignmentConfig) -> None:
        super().__init__()
        self.config = config
        self._hold = RatioHold(target=config.ratio) if config.ratio is not None else None

    @property
    def statistics(self) -> Literal["running", "real"]:
        """Whose statistics batch normalisation holds in the exported backbone.

        `real`: they are estimated anew on real pictures after training (and before validation on real pictures), with all
        weights fixed. `running`: those that training left behind.
        """
        return "real" if self.needs_real_features else "running"

    def restyle(self, synthetic: Pictures, real: Pictures) -> tuple[Pictures, Pictures]:
        """Change the pictures of a step before the backbone sees them."""
        return synthetic, real

    def critic_loss(
        self, synthetic: Features, real: Features
    ) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
        """Return what the critic minimises, from features that pass no gradient, and scalars to log.

        The loss is None where there is no critic, where it learns in `alignment_loss`, or where it rests.
        """
        return None, {}

    def alignment_loss(
        self, synthetic: Features, real: Features, *, clock: Clock
    ) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
        """Return the term that the backbone minimises beside the tasks, its weight included, and scalars to log.

        The scalars are `loss/align` (without the weight) and `align/weight`. None: there is no term at this step.
        """
        return None, {}

    def critic_parameters(self) -> Iterator[nn.Parameter]:
        """Return what the critic's optimiser owns."""
        return iter(())

    def weight(self, clock: Clock) -> float:
        """Return the weight of the term at this step."""
        factor = self._hold.factor if self._hold is not None else 1.0
        return self.config.weight * ramp_weight(clock.progress, ramp=self.config.ramp) * factor

    def measures(self, clock: Clock) -> bool:
        """Tell whether the ratio of the gradients is due at this step."""
        return self._hold is not None and clock.step % self.config.ratio_every == 0

    def measure(
        self, term: Float[Tensor, ""] | None, *, task: Float[Tensor, ""], at: Features
    ) -> dict[str, Tensor]:
        """Compare the pull of the term and of the tasks at the aligned layers, and move the weight if a ratio is held.

        Args:
            term: What `alignment_loss` gave; None says nothing.
            task: The sum of the weighted task losses.
            at: The features of the synthetic pictures, with their graph.

        Returns:
            `gradient/ratio`: norm(term) / norm(tasks).
        """
        if term is None:
            return {}
        layers = [at[layer] for layer in self.config.layers]
        ratio = gradient_norm(term, at=layers) / gradient_norm(task, at=layers)
        if self._hold is not None:
            self._hold.observe(ratio.item())
        return {"gradient/ratio": ratio}

    def get_extra_state(self) -> dict[str, Any]:
        """Return the state that no tensor of the module holds."""
        return {"ratio_hold": self._hold.state_dict() if self._hold is not None else {}}

    def set_extra_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it belongs to another configuration.
        """
        if bool(state["ratio_hold"]) != (self._hold is not None):
            raise ValueError("the state of the gradients' ratio belongs to another configuration")
        if self._hold is not None:
            self._hold.load_state_dict(state["ratio_hold"])

    def _aligned(
        self, synthetic: Features, real: Features
    ) -> Iterator[tuple[str, Float[Tensor, "n c h w"], Float[Tensor, "m c h w"]]]:
        for layer in self.config.layers:
            if layer not in synthetic or layer not in real:
                raise ValueError(
                    f"layer {layer} is to be aligned, but the backbone gives {', '.join(synthetic)}"
                )
            yield layer, synthetic[layer], real[layer]


class AdaBN(Alignment):
    """Adaptive batch normalisation (Li et al., 2016): train on synthetic pictures alone, then estimate statistics on real ones.

    It adds no term and no real picture passes in training: all of it is the estimate that `statistics` asks for.
    """

    @property
    def statistics(self) -> Literal["running", "real"]:
        """Those of real pictures."""
        return "real"


def weighted_term(
    losses: Mapping[str, Float[Tensor, ""]], *, weight: float
) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
    """Add up the layers' terms and apply the weight."""
    loss = torch.stack(list(losses.values())).sum()
    scalars = {"loss/align": loss.detach(), "align/weight": loss.new_full((), weight)}
    return weight * loss, scalars


def full_precision(like: Tensor) -> torch.autocast:
    """Suspend autocast on the device of a tensor: the difference of two averages of bfloat16 is noise."""
    return torch.autocast(like.device.type, enabled=False)
