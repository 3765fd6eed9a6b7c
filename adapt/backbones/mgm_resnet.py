"""The encoder of MGM (Bao, Hebert and Wang, ICML 2022): basic blocks at ResNet-34's depth, narrower, with a stem of 5 x 5."""

from torch import nn
from torchvision.models.resnet import BasicBlock

from scenelift.adapt.backbones.backbone import Layer, Taps
from scenelift.adapt.backbones.resnet import ResidualNetwork

STEM = 64
WIDTHS = (48, 96, 192, 360)
DEPTHS = (3, 4, 6, 3)


class MgmResNet(ResidualNetwork):
    """A picture of 128 x 128 becomes a map of 4 x 4."""

    def __init__(self, *, name: str, divisor: int, taps: Taps) -> None:
        """Build the encoder.

        Args:
            name: What `build_backbone` knows it by.
            divisor: What all widths are divided by; 1 is published (11.1 M parameters), 4 is for processors.
            taps: Where feature maps are taken.
        """
        stem, widths = STEM // divisor, tuple(width // divisor for width in WIDTHS)
        super().__init__(
            name=name,
            layers=(
                Layer(name="conv1", channels=stem, stride=2),
                *(
                    Layer(name=f"layer{i}", channels=width, stride=2 * 2**i)
                    for i, width in enumerate(widths, start=1)
                ),
            ),
            taps=taps,
            min_size_px=32,
        )
        self.conv1 = nn.Conv2d(3, stem, 5, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = residual_stage(stem, widths[0], num_blocks=DEPTHS[0], stride=1)
        self.layer2 = residual_stage(widths[0], widths[1], num_blocks=DEPTHS[1], stride=2)
        self.layer3 = residual_stage(widths[1], widths[2], num_blocks=DEPTHS[2], stride=2)
        self.layer4 = residual_stage(widths[2], widths[3], num_blocks=DEPTHS[3], stride=2)


def residual_stage(inputs: int, outputs: int, *, num_blocks: int, stride: int) -> nn.Sequential:
    """Build basic blocks of one width; the first widens and strides, by a 1 x 1 convolution beside it."""
    beside = nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
    )
    first = BasicBlock(inputs, outputs, stride=stride, downsample=beside)
    return nn.Sequential(first, *(BasicBlock(outputs, outputs) for _ in range(num_blocks - 1)))
