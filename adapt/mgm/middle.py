"""The middle network: what the backbone sees in a real picture, as a shift of the generator's noise.

The generator is fed noise + middle(backbone(real picture)) together with that picture's class.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.initialise import without_weights
from scenelift.adapt.method import Features
from scenelift.adapt.mgm.gan.spectral import spectral, start_spectral, weight_of


class Middle(nn.Module):
    """The means of the backbone's last map, through a linear layer under spectral norm and a batch norm."""

    def __init__(self, backbone: Backbone, *, z_dim: int) -> None:
        """Build it for a backbone and a generator's noise of `z_dim` numbers."""
        super().__init__()
        self.layer = backbone.output_layer
        self.linear = spectral(nn.Linear(backbone.layers[-1].channels, z_dim))
        self.norm = nn.BatchNorm1d(z_dim)

    def forward(self, features: Features) -> Float[Tensor, "n z_dim"]:
        """Return what is added to the noise.

        Raises:
            ValueError: if there is one picture alone to normalise by.
        """
        pooled = features[self.layer].float().mean(dim=(2, 3))
        if self.training and len(pooled) < 2:
            raise ValueError("the middle network normalises by the batch: feed at least 2 pictures")
        z: Tensor = self.norm(self.linear(pooled).float())
        return z


def build_middle(backbone: Backbone, *, z_dim: int, generator: torch.Generator) -> Middle:
    """Build a `Middle` with first weights from `generator`, on the CPU: Xavier-uniform, bias 0; batch norm 1 and 0."""
    middle = without_weights(lambda: Middle(backbone, z_dim=z_dim))
    nn.init.xavier_uniform_(weight_of(middle.linear), generator=generator)
    nn.init.zeros_(middle.linear.bias)
    middle.norm.reset_running_stats()
    middle.norm.reset_parameters()
    start_spectral(middle, generator=generator)
    return middle
