"""Any network of timm that gives feature maps (optional extra `timm`)."""

import re

import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.backbones.backbone import Backbone, BackboneError, Layer, Taps
from scenelift.adapt.method import Features


class TimmBackbone(Backbone):
    """Layers as timm names its feature maps, dots turned into underscores."""

    def __init__(self, *, name: str, taps: Taps) -> None:
        """Build the network named after `timm:`, with random weights: nothing is downloaded.

        Raises:
            ImportError: if timm is missing; the message says how to install it.
            BackboneError: if timm has no such network, it gives no maps, or maps before a ReLU are asked for.
        """
        if taps != "post":
            raise BackboneError(f"backbone {name} gives its feature maps after the activation only")
        network = _feature_network(name)
        infos = network.feature_info.get_dicts()  # type: ignore[operator, union-attr]
        super().__init__(
            name=name,
            layers=tuple(
                Layer(
                    name=str(info["module"]).replace(".", "_"),
                    channels=int(info["num_chs"]),
                    stride=int(info["reduction"]),
                )
                for info in infos
            ),
            taps=taps,
            min_size_px=max(int(info["reduction"]) for info in infos),
        )
        self.network = network

    def forward(self, image: Float[Tensor, "n 3 h w"], *, until: str | None = None) -> Features:
        """Return the feature maps up to layer `until`; deeper ones are computed all the same."""
        last = self.layer(self.output_layer if until is None else until).name
        self._check_size(image)
        features: Features = {}
        for layer, feature in zip(self.layers, self.network(image), strict=True):
            features[layer.name] = feature
            if layer.name == last:
                break
        return features


def _feature_network(name: str) -> torch.nn.Module:
    try:
        import timm
    except ImportError as error:
        raise ImportError(
            f"backbone {name} needs timm, which is not installed; run: pip install 'scenelift[timm]'"
        ) from error
    model = name.removeprefix("timm:")
    # Anything else, such as `hf-hub:` or `local-dir:`, would fetch or read what a file of weights names.
    if not re.fullmatch(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?", model) or not timm.is_model(model):
        raise BackboneError(
            f"timm {timm.__version__} has no network {model!r}; see timm.list_models()"
        )
    try:
        network: torch.nn.Module = timm.create_model(model, pretrained=False, features_only=True)
    except (RuntimeError, AttributeError, NotImplementedError) as error:
        raise BackboneError(f"{name} gives no feature maps: {error}") from error
    return network
