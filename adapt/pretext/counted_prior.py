"""How often each class occurs, counted from the pictures that are learnt from while the first steps go by."""

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from scenelift.adapt.method import Clock
from scenelift.adapt.ranks import total


class CountedPrior(nn.Module):
    """Whole counts in a buffer: they do not depend on order or device, travel with the checkpoint, and so resume to the same bits.

    They are frozen after `steps` steps, so that from then on a loss that is weighted by them stays one function, as it is
    where the prior is counted before training.
    """

    counts: Int64[Tensor, " q"]

    def __init__(self, classes: int, *, steps: int) -> None:
        """Begin with nothing counted.

        Args:
            classes: How many there are.
            steps: Steps in which counting goes on.

        Raises:
            ValueError: if there is no step to count in.
        """
        super().__init__()
        if steps < 1:
            raise ValueError(f"prior_steps must be at least 1, got {steps}")
        self._steps = steps
        self.register_buffer("counts", torch.zeros(classes, dtype=torch.int64))

    @torch.no_grad()
    def count(self, classes: Int64[Tensor, "..."], *, clock: Clock) -> None:
        """Add a batch of all ranks to the counts, unless they are frozen."""
        if clock.step >= self._steps:
            return
        here = torch.zeros_like(self.counts, dtype=torch.float32)
        here.index_add_(
            0, classes.flatten(), torch.ones_like(classes.flatten(), dtype=torch.float32)
        )
        self.counts += total(here).to(torch.int64)

    def probability(self) -> Float32[Tensor, " q"]:
        """Return the share of each class; equal shares before anything was counted."""
        whole = self.counts.sum()
        share = self.counts / whole.clamp(min=1)
        return torch.where(whole > 0, share, 1 / len(self.counts))
