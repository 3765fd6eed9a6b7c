"""The feature map of a backbone that layers of fixed size read: its name, channels and side."""

from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.method import PictureSizeError


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderMap:
    """A square feature map of pictures of one size."""

    name: str
    channels: int
    side: int
    """Positions a side."""
    picture_px: int
    """Side of the pictures."""

    @property
    def num_values(self) -> int:
        """Values of one picture."""
        return self.channels * self.side**2

    def check(self, images: UInt8[Tensor, "n 3 h w"]) -> None:
        """Refuse pictures of another size.

        Raises:
            ValueError: the message says what to set.
        """
        height, width = images.shape[2:]
        if (height, width) != (self.picture_px, self.picture_px):
            raise PictureSizeError(
                f"the system was built for pictures of {self.picture_px} x {self.picture_px} pixels, got {width} x {height}; "
                f"set the task's picture_px to the side of the crop"
            )


def encoder_map(backbone: Backbone, layer: str, *, picture_px: int) -> EncoderMap:
    """Measure a feature map by one black picture; the backbone stays as it is.

    Args:
        backbone: On the CPU.
        layer: The map's name; `auto`: the last convolutional map, before any `fc`.
        picture_px: Side of the pictures.

    Raises:
        ValueError: if there is no such layer, or the pictures are too small for it.
    """
    if layer == "auto":
        layer = [known.name for known in backbone.layers if not known.name.startswith("fc")][-1]
    found = backbone.layer(layer)
    training = backbone.training
    backbone.eval()
    with torch.no_grad():
        features = backbone(torch.zeros(1, 3, picture_px, picture_px), until=found.name)
    backbone.train(training)
    channels, side = features[found.name].shape[1:3]
    return EncoderMap(name=found.name, channels=channels, side=side, picture_px=picture_px)
