"""One backbone for every patch of a picture, and one answer from all of them (Doersch et al., ICCV 2015; Noroozi and Favaro, ECCV 2016)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.initialise import initialise, without_weights

_LARGEST_MIN_SIZE_PX = 96


class Siamese(nn.Module):
    """fc6 for each patch with the same weights, then fc7 and an answer from all of them side by side."""

    def __init__(
        self,
        backbone: Backbone,
        *,
        layer: str,
        num_patches: int,
        map_px: int,
        fc6: int,
        fc7: tuple[int, ...],
        num_answers: int,
        generator: torch.Generator,
    ) -> None:
        """Build the layers above the backbone.

        Args:
            backbone: The trunk; it is lent, not kept.
            layer: The map that is read; auto: the one below fc6, else the last.
            num_patches: Patches a picture.
            map_px: Side to which a patch's map is pooled by its maxima.
            fc6: Units a patch.
            fc7: Units of the layers over all patches.
            num_answers: Classes.
            generator: Where weights are drawn from.

        Raises:
            ValueError: if the backbone has no such layer, or reads no picture as small as a patch.
        """
        super().__init__()
        if backbone.min_size_px > _LARGEST_MIN_SIZE_PX:
            raise ValueError(
                f"backbone {backbone.name} needs pictures of {backbone.min_size_px} pixels, too large for patches; "
                "choose alexnet, alexnet-small, vgg16 or resnet18"
            )
        self._layer = backbone.layer(_below_fc6(backbone) if layer == "auto" else layer)
        self._map_px = map_px

        def build() -> nn.Module:
            parts: dict[str, nn.Module] = {"fc6": _block(self._layer.channels, fc6, side=map_px)}
            width = num_patches * fc6
            for depth, units in enumerate(fc7, 7):
                parts[f"fc{depth}"] = _block(width, units, side=1)
                width = units
            parts["answer"] = nn.Conv2d(width, num_answers, 1)
            return nn.ModuleDict(parts)

        self.layers = without_weights(build)
        initialise(self.layers, init="default", generator=generator)

    def forward(
        self, backbone: Backbone, patches: Float[Tensor, "n p 3 s s"]
    ) -> Float[Tensor, "n k"]:
        """Return the scores of each answer; patches that are too small for the backbone are enlarged linearly."""
        count, number = patches.shape[:2]
        inputs = patches.flatten(0, 1)
        if inputs.shape[-1] < backbone.min_size_px:
            size = (backbone.min_size_px, backbone.min_size_px)
            inputs = F.interpolate(inputs, size=size, mode="bilinear", align_corners=False)
        maps = backbone(inputs, until=self._layer.name)[self._layer.name]
        each, *above = self.layers.children()
        codes = each(F.adaptive_max_pool2d(maps, self._map_px))
        together: Tensor = codes.reshape(count, number * codes.shape[1], 1, 1)
        for layer in above:
            together = layer(together)
        return together.flatten(1).float()


def set_conv1_stride(backbone: Backbone, stride: int | None) -> bool:
    """Give the first convolution of an AlexNet another stride, so that small patches keep a map; say whether it was done.

    No weight tells the stride: whoever builds the backbone from its weights has the published 4 again.

    Raises:
        ValueError: if a stride is wanted of a backbone that is no AlexNet.
    """
    if stride is None:
        return False
    conv1 = getattr(backbone, "conv1", None)
    if not isinstance(conv1, nn.Conv2d) or conv1.kernel_size != (11, 11):
        raise ValueError(
            f"conv1_stride {stride} is for AlexNets, not for backbone {backbone.name}; set conv1_stride to None"
        )
    if not 1 <= stride <= 4:
        raise ValueError(f"conv1_stride must be from 1 to 4, or None, got {stride}")
    conv1.stride = (stride, stride)
    return True


def _below_fc6(backbone: Backbone) -> str:
    names = [layer.name for layer in backbone.layers]
    return names[names.index("fc6") - 1] if "fc6" in names else names[-1]


def _block(inputs: int, units: int, *, side: int) -> nn.Sequential:
    """A linear layer over a map of so many positions a side, with batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, units, side, bias=False), nn.BatchNorm2d(units), nn.ReLU()
    )
