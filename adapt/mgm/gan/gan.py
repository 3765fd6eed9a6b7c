"""What every generative adversarial network here is: a generator and a discriminator that know the class."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor, nn

Kind = Literal["sagan", "biggan", "stylegan2"]
KINDS: tuple[Kind, ...] = ("sagan", "biggan", "stylegan2")
SIZES_PX = (32, 64, 128)


@dataclass(frozen=True, kw_only=True, slots=True)
class GanSettings:
    """Which networks, and how large."""

    kind: Kind = "sagan"
    """sagan: as MGM used (Zhang et al., ICML 2019); biggan: Brock et al., ICLR 2019; stylegan2: Karras et al., CVPR 2020."""
    z_dim: int = 128
    """Numbers that an image is made from."""
    width: float = 1.0
    """Factor on the channels of all layers; 1 is published, no layer gets fewer than 8."""
    attention: bool = True
    """Self-attention among the places of the map of 32 x 32 (16 x 16 in pictures of 32 pixels); sagan and biggan."""
    norm_momentum: float = 0.001
    """Share of a batch in the running statistics of the generator's batch norms, as released; sagan and biggan. Runs of fewer
    than some thousand steps need more, or the generator in evaluation mode still normalises by its first statistics."""
    mapping_layers: int = 8
    """Layers from noise and class to a style; 8 published, 2 for small sets (Karras et al., NeurIPS 2020); stylegan2."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.z_dim < 8:
            raise ValueError(f"z_dim must be at least 8, got {self.z_dim}")
        if not 0 < self.width <= 8:
            raise ValueError(f"width must be above 0 and at most 8, got {self.width}")
        if not 1 <= self.mapping_layers <= 16:
            raise ValueError(f"mapping_layers must be from 1 to 16, got {self.mapping_layers}")
        if not 0 < self.norm_momentum <= 1:
            raise ValueError(
                f"norm_momentum must be above 0 and at most 1, got {self.norm_momentum}"
            )


class Generator(nn.Module):
    """From noise and a class to an image."""

    __call__: Callable[..., Tensor]

    def forward(
        self, z: Float[Tensor, "n z_dim"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n 3 s s"]:
        """Return sRGB images from -1 to 1, float32 at least; the same z and label give the same image in evaluation mode."""
        raise NotImplementedError


class Discriminator(nn.Module):
    """From an image and a class to a logit of "real"."""

    __call__: Callable[..., Tensor]

    def forward(
        self, image: Float[Tensor, "n 3 s s"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, " n"]:
        """Judge sRGB images from -1 to 1; logits are float32 at least."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, slots=True)
class Gan:
    """The two players."""

    generator: Generator
    discriminator: Discriminator
