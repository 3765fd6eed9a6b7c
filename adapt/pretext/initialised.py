"""Networks that learn nothing: weights from a normal distribution, or from data (Krähenbühl et al., ICLR 2016).

Batch norms are folded away first, as they compute nothing yet: the networks of both rules have none. Everything happens before or in
the first step; further steps change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.backbones.alexnet import AlexNet, StandardAlexNet
from scenelift.adapt.backbones.backbone import Backbone, Taps
from scenelift.adapt.backbones.vgg import VGG16
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.fold import fold_batch_norm
from scenelift.adapt.method import Batch, Clock, StreamName
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.pictures import side_by_side
from scenelift.adapt.pretext.data_dependent import (
    Filters,
    check_layers,
    initialise_from_data,
    unit_statistics,
)
from scenelift.adapt.pretext.task import Pictures
from scenelift.adapt.ranks import gather
from scenelift.adapt.rescale import layers_in_order, learning_ratios, rescale

_FILTERS_A_ROW, _ENLARGED = 8, 4


@dataclass(frozen=True, kw_only=True, slots=True)
class GaussianRule:
    """Weights N(0, std), biases 0."""

    name: Literal["gaussian"] = "gaussian"
    """Which rule this is."""
    std: float = 0.01
    """CaffeNet's."""

    def __post_init__(self) -> None:
        if not self.std > 0:
            raise ValueError(f"std must be positive, got {self.std}")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataDependentRule:
    """Every unit has one mean and deviation on the pictures of the first batch, and every layer learns at one rate."""

    name: Literal["data-dependent"] = "data-dependent"
    """Which rule this is."""
    filters: Filters = "kmeans"
    """Where the directions of weights come from."""
    mean: float = 0.1
    """Of each unit before its ReLU: the bias of the released code."""
    patches: int = 10_000
    """At most so many of each layer's input are looked at for its filters."""
    equalise: bool = True
    """Multiply layers so that the gradient of each is in the same proportion to its weights; chains only, AlexNet and VGG."""

    def __post_init__(self) -> None:
        if self.patches < 1:
            raise ValueError(f"patches must be at least 1, got {self.patches}")


@dataclass(frozen=True, kw_only=True, slots=True)
class InitialisedSettings:
    """A network, and the rule of its weights."""

    kind: Literal["initialised"] = "initialised"
    """Which method this is."""
    backbone: str = "alexnet-small"
    """Which network; `timm:NAME` for those of timm."""
    taps: Taps = "post"
    """Whether feature maps are taken after their ReLU or before."""
    source: Literal["real", "synthetic", "labelled"] = "real"
    """Where pictures come from: photos, rendered pictures, or pictures with a class; no label is looked at."""
    rule: GaussianRule | DataDependentRule = field(default_factory=GaussianRule)
    """What weights are made by."""

    @property
    def sources(self) -> tuple[StreamName, ...]:
        """What data must be named."""
        return (self.source,)

    @property
    def reads_labels(self) -> bool:
        """Whether it looks at more of rendered pictures than their colours."""
        return False


class Initialised:
    """A backbone without batch norms; a `Method`."""

    def __init__(self, settings: InitialisedSettings, *, seed: int, device: torch.device) -> None:
        """Build the network.

        Args:
            settings: What is wanted.
            seed: Of all draws.
            device: Where it lives.

        Raises:
            ValueError: if there is no such backbone, or the rule does not suit it.
        """
        self.settings = settings
        self._device = device
        generator = torch.Generator().manual_seed(seed)
        backbone = build_backbone(settings.backbone, generator=generator, taps=settings.taps)
        self.backbone: Backbone = backbone if backbone.folded else fold_batch_norm(backbone)
        self.backbone.to(device).eval()
        self._seed = int(torch.randint(2**62, (), generator=generator))
        side = max(64, self.backbone.min_size_px)
        self._layers = layers_in_order(self.backbone, torch.zeros(1, 3, side, side, device=device))
        self._scales = torch.ones(len(self._layers), dtype=torch.float64)
        match settings.rule:
            case GaussianRule(std=std):
                draw_gaussian(self.backbone, std=std, generator=generator)
            case DataDependentRule(equalise=equalise):
                _check_suits(self.backbone, equalise=equalise)

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """The one source of pictures."""
        return (self.settings.source,)

    @property
    def input_normalisation(self) -> InputNormalisation:
        """ImageNet's mean and standard deviation."""
        return InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)

    def step(self, batches: Mapping[StreamName, Batch], *, clock: Clock) -> dict[str, Tensor]:
        """Make the weights from the first batch, if the rule wants data; all ranks look at the pictures of all.

        Raises:
            ArithmeticError: if a unit answers the same to all pictures.
        """
        rule = self.settings.rule
        if clock.step > 0 or not isinstance(rule, DataDependentRule):
            return {}
        images = gather(batches[self.settings.source]["image"].float()).to(torch.uint8)
        pixels = network_input(images, normalisation=self.input_normalisation)
        initialise_from_data(
            self.backbone,
            pictures=pixels,
            filters=rule.filters,
            mean=rule.mean,
            patches=rule.patches,
            generator=torch.Generator().manual_seed(self._seed),
        )
        if rule.equalise:
            rescaled = rescale(self.backbone, pictures=pixels, generator=self._gradient_generator())
            before, after = (self._norms(network) for network in (self.backbone, rescaled))
            self._scales = (after / before).cumprod(dim=0)
            self.backbone.load_state_dict(rescaled.state_dict())
        return {}

    @torch.no_grad()
    def validate(self, batches: Mapping[StreamName, Batch]) -> dict[str, Tensor]:
        """Return each layer's mean and deviation of units before the ReLU, and how evenly layers would learn.

        By layer, `mean/x` and `deviation/x`: averages over units; `gradient_ratio/x`: the root mean square of the weights'
        gradient over that of the weights, for a random gradient of the answer, over its geometric mean of all layers. Where
        there are targets, `mean/x_target` and `deviation/x_target`, and over all units `off_target/mean` and
        `off_target/deviation`: how far they are from their targets, as a share of the target deviation. `selection/score`:
        logarithm of the greatest of the ratios over the least.
        """
        if self.settings.source not in batches:
            return {}
        pixels = network_input(
            batches[self.settings.source]["image"], normalisation=self.input_normalisation
        )
        found = unit_statistics(self.backbone, pixels)
        scalars = {f"mean/{name}": found[name][0].mean() for name in self._layers}
        scalars |= {f"deviation/{name}": found[name][1].mean() for name in self._layers}
        if isinstance(self.settings.rule, DataDependentRule):
            off = []
            for name, scale in zip(self._layers, self._scales.tolist(), strict=True):
                mean = self.settings.rule.mean * scale
                scalars[f"mean/{name}_target"] = torch.tensor(mean)
                scalars[f"deviation/{name}_target"] = torch.tensor(scale)
                mean_off, std_off = found[name][0] - mean, found[name][1] - scale
                off.append(torch.stack([mean_off, std_off]).abs() / scale)
            shares = torch.cat(off, dim=1).mean(dim=1)
            scalars |= {"off_target/mean": shares[0], "off_target/deviation": shares[1]}
        ratios = self.gradient_ratios(pixels)
        for name, ratio in zip(self._layers, ratios, strict=True):
            scalars[f"gradient_ratio/{name}"] = ratio
        return scalars | {"selection/score": (ratios.max() / ratios.min()).log()}

    def pictures(self, batches: Mapping[StreamName, Batch]) -> dict[str, Pictures]:
        """Show the filters that read the picture: grey is 0, each brought to the full range."""
        first = self.backbone.get_submodule(self._layers[0])
        if not isinstance(first, nn.Conv2d) or first.in_channels != 3:
            return {}
        return {f"filters/{self._layers[0]}": draw_filters(first.weight.detach())}

    @property
    def captions(self) -> Mapping[str, tuple[str, ...]]:
        """Nothing stands above filters."""
        return {}

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the backbone."""
        return {"backbone": self.backbone}

    def state_dict(self) -> dict[str, Any]:
        """Return weights, and by which factors layers were multiplied."""
        return {"backbone": self.backbone.state_dict(), "scales": self._scales}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it belongs to another configuration.
        """
        try:
            self.backbone.load_state_dict(state["backbone"])
            self._scales = state["scales"].clone()
        except (KeyError, RuntimeError) as error:
            cause = " ".join(str(error).split())[:200]
            raise ValueError(f"the state belongs to another configuration: {cause}") from error

    def gradient_ratios(self, pixels: Float32[Tensor, "n 3 h w"]) -> Float[Tensor, " layers"]:
        """Return how fast each layer would learn, over the geometric mean of all.

        Args:
            pixels: Normalised.
        """
        with torch.no_grad():
            answer = self.backbone(pixels)[self.backbone.output_layer]
        gradient = torch.randn(answer.shape, generator=self._gradient_generator()).to(answer)
        ratios, _ = learning_ratios(
            self.backbone, pictures=pixels, gradient=gradient, layers=self._layers
        )
        return ratios / ratios.log().mean().exp()

    def _gradient_generator(self) -> torch.Generator:
        """Make what draws the gradient of the answer, always the same one of a batch's size."""
        return torch.Generator().manual_seed(self._seed + 1)

    def _norms(self, network: nn.Module) -> Float[Tensor, " layers"]:
        weights = [network.get_parameter(f"{name}.weight") for name in self._layers]
        return torch.stack([weight.detach().double().norm().cpu() for weight in weights])


@torch.no_grad()
def draw_gaussian(network: nn.Module, *, std: float, generator: torch.Generator) -> None:
    """Draw the weights of convolutions and linear layers from N(0, std), and set their biases to 0.

    Args:
        network: Changed in place.
        std: Positive.
        generator: On the CPU.
    """
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            part.weight.copy_(torch.randn(part.weight.shape, generator=generator) * std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def draw_filters(weights: Float[Tensor, "units 3 k k"]) -> Pictures:
    """Draw filters on grey, eight in a row, enlarged."""
    size = weights.abs().amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    tiles = ((weights / size + 1) * 127.5).round().to(torch.uint8)
    missing = -len(tiles) % _FILTERS_A_ROW
    tiles = torch.cat([tiles, torch.full_like(tiles[:1], 255).expand(missing, -1, -1, -1)])
    tiles = tiles.repeat_interleave(_ENLARGED, 2).repeat_interleave(_ENLARGED, 3)
    rows = tiles.permute(0, 2, 3, 1).unflatten(0, (-1, _FILTERS_A_ROW))
    return side_by_side(*rows.unbind(dim=1)).cpu()


def _check_suits(backbone: Backbone, *, equalise: bool) -> None:
    """Tell before a run starts what its first step would stumble over."""
    if equalise and not isinstance(backbone, AlexNet | StandardAlexNet | VGG16):
        raise ValueError(
            f"backbone {backbone.name} is no chain of layers, its gradients cannot be equalised: set equalise to False"
        )
    check_layers(backbone)
