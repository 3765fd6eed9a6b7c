"""AlexNet without groups and with batch norm, as Ren and Lee (CVPR 2018) trained it, and the ordinary one it converts to.

The stride of pool5 moved into fc6 as a dilation (as in Zhang, Isola and Efros, ECCV 2016): fc6 and fc7 are convolutions over
the map of conv5, and at the middle position of a 227-pixel picture they equal the ordinary net's linear layers, provided
that conv1 keeps its padding of 2.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scenelift.adapt.backbones.backbone import Backbone, Layer, Taps
from scenelift.adapt.method import PictureSizeError

NAMES = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7")
STRIDES = (4, 8, 16, 16, 16, 16, 16)
ALIASES = {"conv6": "fc6", "conv7": "fc7"}
"""The poster says conv6; either is the same layer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Widths:
    """Channels of each layer."""

    conv: tuple[int, int, int, int, int]
    fc6: int
    fc7: int

    @property
    def all(self) -> tuple[int, ...]:
        """Channels in order of depth."""
        return (*self.conv, self.fc6, self.fc7)


PAPER = Widths(conv=(96, 256, 384, 384, 256), fc6=4096, fc7=4096)
SMALL = Widths(conv=(32, 64, 96, 96, 64), fc6=128, fc7=128)
"""For processors: 0.57 million parameters."""


def _pool(*, stride: int, padding: int) -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=stride, padding=padding)


class AlexNet(Backbone):
    """The dilated net: every layer is a map, from 1/4 down to 1/16 of the picture."""

    def __init__(self, *, name: str, widths: Widths, taps: Taps) -> None:
        super().__init__(
            name=name,
            layers=tuple(
                Layer(name=layer, channels=channels, stride=stride)
                for layer, channels, stride in zip(NAMES, widths.all, STRIDES, strict=True)
            ),
            taps=taps,
            min_size_px=31,
            unseen_border=True,
            aliases=ALIASES,
        )
        c1, c2, c3, c4, c5 = widths.conv
        self.conv1 = nn.Conv2d(3, c1, 11, stride=4, padding=2)
        self.bn1 = nn.BatchNorm2d(c1)
        self.pool1 = _pool(stride=2, padding=0)
        self.conv2 = nn.Conv2d(c1, c2, 5, padding=2)
        self.bn2 = nn.BatchNorm2d(c2)
        self.pool2 = _pool(stride=2, padding=0)
        self.conv3 = nn.Conv2d(c2, c3, 3, padding=1)
        self.bn3 = nn.BatchNorm2d(c3)
        self.conv4 = nn.Conv2d(c3, c4, 3, padding=1)
        self.bn4 = nn.BatchNorm2d(c4)
        self.conv5 = nn.Conv2d(c4, c5, 3, padding=1)
        self.bn5 = nn.BatchNorm2d(c5)
        self.pool5 = _pool(stride=1, padding=1)
        self.fc6 = nn.Conv2d(c5, widths.fc6, 6, padding=5, dilation=2)
        self.bn6 = nn.BatchNorm2d(widths.fc6)
        self.fc7 = nn.Conv2d(widths.fc6, widths.fc7, 1)
        self.bn7 = nn.BatchNorm2d(widths.fc7)
        self.widths = widths

    def before_relu(self, name: str, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run one layer."""
        y: Tensor
        match name:
            case "conv1":
                y = self.bn1(self.conv1(x))
            case "conv2":
                y = self.bn2(self.conv2(self.pool1(x)))
            case "conv3":
                y = self.bn3(self.conv3(self.pool2(x)))
            case "conv4":
                y = self.bn4(self.conv4(x))
            case "conv5":
                y = self.bn5(self.conv5(x))
            case "fc6":
                y = self.bn6(self.fc6(self.pool5(x)))
            case _:
                y = self.bn7(self.fc7(x))
        return y


class StandardAlexNet(Backbone):
    """The ordinary net, without batch norm: pool5 halves the map, fc6 and fc7 are linear (n c 1 1 in the features)."""

    def __init__(self, *, name: str, widths: Widths, taps: Taps) -> None:
        strides = (4, 8, 16, 16, 16, 224, 224)
        super().__init__(
            name=name,
            layers=tuple(
                Layer(name=layer, channels=channels, stride=stride)
                for layer, channels, stride in zip(NAMES, widths.all, strides, strict=True)
            ),
            taps=taps,
            min_size_px=223,
            aliases=ALIASES,
        )
        c1, c2, c3, c4, c5 = widths.conv
        self.conv1 = nn.Conv2d(3, c1, 11, stride=4, padding=2)
        self.pool1 = _pool(stride=2, padding=0)
        self.conv2 = nn.Conv2d(c1, c2, 5, padding=2)
        self.pool2 = _pool(stride=2, padding=0)
        self.conv3 = nn.Conv2d(c2, c3, 3, padding=1)
        self.conv4 = nn.Conv2d(c3, c4, 3, padding=1)
        self.conv5 = nn.Conv2d(c4, c5, 3, padding=1)
        self.pool5 = _pool(stride=2, padding=0)
        self.fc6 = nn.Linear(c5 * 36, widths.fc6)
        self.fc7 = nn.Linear(widths.fc6, widths.fc7)
        self.folded = True
        self.widths = widths

    def before_relu(self, name: str, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run one layer."""
        y: Tensor
        match name:
            case "conv1":
                y = self.conv1(x)
            case "conv2":
                y = self.conv2(self.pool1(x))
            case "conv3":
                y = self.conv3(self.pool2(x))
            case "conv4":
                y = self.conv4(x)
            case "conv5":
                y = self.conv5(x)
            case "fc6":
                y = self.fc6(self._six_by_six(x))[:, :, None, None]
            case _:
                y = self.fc7(x.flatten(1))[:, :, None, None]
        return y

    def _six_by_six(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        pooled: Tensor = self.pool5(x)
        if pooled.shape[-2:] != (6, 6):
            height, width = pooled.shape[-2:]
            raise PictureSizeError(
                f"{self.name} has linear layers for a map of 6 x 6, pool5 gave {width} x {height}; "
                "feed pictures of 227 x 227 (223 to 238), or stop at conv5"
            )
        return torch.flatten(pooled, 1)
