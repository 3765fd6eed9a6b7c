"""Features that pictures are compared by: Inception's, from a file that the user names, or those of a network of ours.

Kernel and Frechet distance are called KID and FID only with Inception's; a figure from other features bears the network's name, and
compares with no published one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scenelift.adapt.network_input import network_input
from scenelift.adapt.weights import WeightsError
from scenelift.benchmarks.network import RANDOM, Network, open_network

_BATCH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureFeatures:
    """A frozen network that turns pictures into vectors."""

    name: str
    """Such as `Inception`; every figure bears it."""
    extract: Callable[[UInt8[Tensor, "n 3 h w"]], Float[Tensor, "n d"]]

    @property
    def kernel_name(self) -> str:
        """What the kernel distance is called."""
        return "KID" if self.name == "Inception" else f"kernel distance ({self.name})"

    @property
    def frechet_name(self) -> str:
        """What the Frechet distance is called."""
        return "FID" if self.name == "Inception" else f"Frechet distance ({self.name})"

    @torch.no_grad()
    def of(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the features of pictures, batch by batch, on the CPU."""
        return torch.cat([self.extract(part).float().cpu() for part in images.split(_BATCH)])


def open_features(inception: Path | None, *, network: str, device: torch.device) -> PictureFeatures:
    """Load what pictures are compared by.

    Args:
        inception: Weights of torch-fidelity's Inception; None if there are none.
        network: Then a run folder or a file of weights that names its backbone; or `random`, alexnet-small as it is drawn.
        device: Where it goes.

    Raises:
        WeightsError: if a file is missing or holds something else.
        ImportError: if torch-fidelity is wanted and not installed.
    """
    if inception is not None:
        return inception_features(inception, device=device)
    random = network == RANDOM
    opened = open_network(
        network, backbone="alexnet-small" if random else None, seed=0, device=device
    )
    return network_features(opened, name="alexnet-small, random" if random else Path(network).stem)


def inception_features(path: Path, *, device: torch.device) -> PictureFeatures:
    """Load the Inception network that KID and FID are published with; nothing is downloaded.

    Args:
        path: Its weights, `pt_inception-2015-12-05-6726825d.pth` of torch-fidelity's releases (extra `gan`).
        device: Where it goes.

    Raises:
        WeightsError: if the file is missing or holds something else.
        ImportError: if torch-fidelity is not installed.
    """
    if not path.is_file():
        raise WeightsError(
            f"{path}: no such file; it is pt_inception-2015-12-05-6726825d.pth of github.com/toshas/torch-fidelity/releases"
        )
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise ImportError(
            "KID and FID need torch-fidelity: pip install 'scenelift[gan]'"
        ) from error
    try:
        # torch-fidelity unpickles whatever the file holds: only what the restricted reader takes goes there.
        torch.load(path, map_location="cpu", weights_only=True)
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
        )
    except (
        RuntimeError,
        UnpicklingError,
        EOFError,
        AttributeError,
        TypeError,
        ValueError,
    ) as error:
        cause = " ".join(str(error).split())[:120]
        raise WeightsError(
            f"{path}: does not hold the weights of torch-fidelity's Inception: {cause}"
        ) from error
    network = network.to(device).eval().requires_grad_(False)
    return PictureFeatures(
        name="Inception", extract=lambda images: network(images.to(device))[0].flatten(1)
    )


def network_features(network: Network, *, name: str) -> PictureFeatures:
    """Take the pooled last map of a network of ours.

    Args:
        network: Frozen.
        name: What figures call it: say what it learnt from.
    """

    def extract(images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        pixels = network_input(images.to(network.device), normalisation=network.normalisation)
        last: Tensor = network.backbone(pixels)[network.backbone.output_layer]
        return last.mean(dim=(2, 3))

    return PictureFeatures(name=name, extract=extract)
