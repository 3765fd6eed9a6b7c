"""ResNet-18 and ResNet-50; parameter names are torchvision's."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import resnet18, resnet50
from torchvision.models.resnet import BasicBlock, Bottleneck

from scenelift.adapt.backbones.backbone import Backbone, Layer, Taps


class ResidualNetwork(Backbone):
    """Layers conv1 (the stem) and layer1 to layer4; each stage's last block neither widens nor strides."""

    def before_relu(self, name: str, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run the stem or one stage, up to the sum in its last block."""
        if name == "conv1":
            stem: Tensor = self.get_submodule("bn1")(self.get_submodule("conv1")(x))
            return stem
        if name == "layer1":
            x = self.get_submodule("maxpool")(x)
        blocks = list(self.get_submodule(name).children())
        for block in blocks[:-1]:
            x = block(x)
        return _sum_of_branches(blocks[-1], x)


class ResNet(ResidualNetwork):
    """ResNet-18 or ResNet-50."""

    def __init__(self, *, name: str, depth: Literal[18, 50], taps: Taps) -> None:
        network = resnet18(weights=None) if depth == 18 else resnet50(weights=None)
        expansion = 1 if depth == 18 else 4
        super().__init__(
            name=name,
            layers=(
                Layer(name="conv1", channels=64, stride=2),
                *(
                    Layer(name=f"layer{i}", channels=32 * 2**i * expansion, stride=2 * 2**i)
                    for i in (1, 2, 3, 4)
                ),
            ),
            taps=taps,
            min_size_px=32,
        )
        self.conv1 = network.conv1
        self.bn1 = network.bn1
        self.maxpool = network.maxpool
        self.layer1 = network.layer1
        self.layer2 = network.layer2
        self.layer3 = network.layer3
        self.layer4 = network.layer4


def _sum_of_branches(block: nn.Module, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h w"]:
    """Run a residual block without its last ReLU; it neither widens nor strides."""
    if isinstance(block, Bottleneck):
        y = torch.relu(block.bn1(block.conv1(x)))
        y = torch.relu(block.bn2(block.conv2(y)))
        y = block.bn3(block.conv3(y))
    elif isinstance(block, BasicBlock):
        y = torch.relu(block.bn1(block.conv1(x)))
        y = block.bn2(block.conv2(y))
    else:
        raise TypeError(f"expected a residual block of torchvision, got {type(block).__name__}")
    out: Tensor = x + y
    return out
