"""Alignment without a critic: a distance between the features of the two domains is the term."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.align.alignment import Alignment, full_precision, weighted_term
from scenelift.adapt.align.config import Samples
from scenelift.adapt.align.distances import coral, mmd, samples_of, sliced_wasserstein
from scenelift.adapt.method import Clock, Features


class Distance(Alignment):
    """Minimises one of the distances of `distances.py`; both domains move."""

    needs_real_pictures = True
    needs_real_features = True

    def alignment_loss(
        self, synthetic: Features, real: Features, *, clock: Clock
    ) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
        """Return the weighted sum of the layers' distances."""
        losses = {}
        default: Samples = "pooled" if self.config.method == "mmd" else "positions"
        samples = self.config.samples or default
        for index, (layer, a, b) in enumerate(self._aligned(synthetic, real)):
            with full_precision(a):
                losses[layer] = self._distance(
                    samples_of(a, samples=samples),
                    samples_of(b, samples=samples),
                    seed=(self.config.seed, clock.step, index),
                )
        return weighted_term(losses, weight=self.weight(clock))

    def _distance(
        self, a: Float[Tensor, "n c"], b: Float[Tensor, "m c"], *, seed: tuple[int, ...]
    ) -> Float[Tensor, ""]:
        match self.config.method:
            case "coral":
                return coral(a, b)
            case "mmd":
                return mmd(a, b)
            case "sliced-wasserstein":
                (word,) = np.random.SeedSequence(seed).generate_state(1)
                generator = torch.Generator().manual_seed(int(word))
                return sliced_wasserstein(
                    a, b, num_projections=self.config.num_projections, generator=generator
                )
        raise ValueError(f"{self.config.method} is no distance")
