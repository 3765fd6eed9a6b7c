"""VGG16 with batch norm, without its last pool and its linear layers; parameter names are torchvision's."""

from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models import vgg16_bn

from scenelift.adapt.backbones.backbone import Backbone, Layer, Taps

CHANNELS = (64, 128, 256, 512, 512)
LAST_NORMS = (4, 11, 21, 31, 41)
"""Where in torchvision's `features` the last batch norm of each stage stands; a ReLU and a pool follow."""


class VGG16(Backbone):
    """Layers conv1 to conv5: the last map of each stage, before its pool."""

    def __init__(self, *, name: str, taps: Taps) -> None:
        super().__init__(
            name=name,
            layers=tuple(
                Layer(name=f"conv{i + 1}", channels=channels, stride=2**i)
                for i, channels in enumerate(CHANNELS)
            ),
            taps=taps,
            min_size_px=16,
        )
        parts = vgg16_bn(weights=None).get_submodule("features").children()
        self.features = nn.Sequential(*list(parts)[: LAST_NORMS[-1] + 1])

    def before_relu(self, name: str, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c2 h2 w2"]:
        """Run one stage: the pool after the map before it, then its convolutions."""
        stage = int(name.removeprefix("conv")) - 1
        first = 0 if stage == 0 else LAST_NORMS[stage - 1] + 2  # past that norm and its ReLU
        for part in self.features[first : LAST_NORMS[stage] + 1]:
            x = part(x)
        return x
