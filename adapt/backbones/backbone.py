"""What every backbone is: a network that returns its feature maps by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.method import Features, PictureSizeError

Taps = Literal["post", "pre"]
"""Whether a feature map is taken after its ReLU or before. Ren and Lee's released code says before and returns after."""
TAPS: tuple[Taps, ...] = ("post", "pre")


class BackboneError(ValueError):
    """A backbone or a layer that does not exist."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """One feature map that a backbone returns."""

    name: str
    channels: int
    stride: int
    """Pixels of the picture from one position to the next."""


class Backbone(nn.Module):
    """A chain of stages, each ending in a ReLU; heads and discriminators read its feature maps.

    A subclass gives `before_relu`. No ReLU is in place: a tapped map is never overwritten.
    """

    folded: bool
    """Whether batch norms have been folded into the convolutions (`adapt/fold.py`)."""

    def __init__(
        self,
        *,
        name: str,
        layers: tuple[Layer, ...],
        taps: Taps,
        min_size_px: int,
        unseen_border: bool = False,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """Note what there is to read.

        Args:
            name: What `build_backbone` knows the network by.
            layers: The feature maps in order of depth; the last is what heads read.
            taps: Where feature maps are taken.
            min_size_px: The smallest side of a picture that reaches the last layer.
            unseen_border: Whether the last map's positions end half a stride before the picture does, for want of padding.
            aliases: Other names of layers.

        Raises:
            ValueError: if `taps` is neither.
        """
        super().__init__()
        if taps not in TAPS:
            raise ValueError(f"taps must be one of {', '.join(TAPS)}, got {taps!r}")
        self.name = name
        self.layers = layers
        self.taps: Taps = taps
        self.min_size_px = min_size_px
        self.unseen_border = unseen_border
        self.folded = False
        self._aliases = dict(aliases or {})

    @property
    def output_layer(self) -> str:
        """The name of the layer that heads read."""
        return self.layers[-1].name

    def layer(self, name: str) -> Layer:
        """Find a layer by its name or another name of it.

        Raises:
            BackboneError: if there is none; the message lists the layers.
        """
        canonical = self._aliases.get(name, name)
        for layer in self.layers:
            if layer.name == canonical:
                return layer
        known = ", ".join(layer.name for layer in self.layers)
        raise BackboneError(f"backbone {self.name} has no layer {name!r}; its layers are {known}")

    def forward(self, image: Float[Tensor, "n 3 h w"], *, until: str | None = None) -> Features:
        """Return the feature maps of a batch of normalised pictures.

        Args:
            image: Pictures, normalised as the weights want them.
            until: The last layer that is wanted; deeper ones are not computed, and their batch norms see nothing.

        Returns:
            Feature maps by layer name, in order of depth.

        Raises:
            PictureSizeError, BackboneError: if the pictures are too small, or there is no layer `until`.
        """
        last = self.layer(self.output_layer if until is None else until).name
        self._check_size(image)
        features: Features = {}
        x = image
        for layer in self.layers:
            before = self.before_relu(layer.name, x)
            x = torch.relu(before)
            features[layer.name] = before if self.taps == "pre" else x
            if layer.name == last:
                break
        return features

    def before_relu(self, name: str, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run the stage of layer `name` on the map before it, up to its last ReLU."""
        raise NotImplementedError

    def _check_size(self, image: Float[Tensor, "n 3 h w"]) -> None:
        height, width = image.shape[-2:]
        if min(height, width) < self.min_size_px:
            raise PictureSizeError(
                f"backbone {self.name} needs pictures of at least {self.min_size_px} pixels a side, "
                f"got {width} x {height}"
            )
