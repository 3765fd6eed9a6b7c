"""What can be chosen about alignment."""

from dataclasses import dataclass
from typing import Literal

from scenelift.adapt.align.weight import Ramp

AlignmentMethod = Literal[
    "none", "adversarial", "reversal", "coral", "mmd", "sliced-wasserstein", "adabn", "fourier"
]
Game = Literal["vanilla", "least-squares", "hinge"]
ActsOn = Literal["synthetic", "real", "both"]
Samples = Literal["pooled", "positions"]


@dataclass(frozen=True, kw_only=True, slots=True)
class AlignmentConfig:
    """How the features of the two domains are brought together. The defaults are the paper's."""

    method: AlignmentMethod = "adversarial"
    """none; adversarial: a critic and the backbone in turns (the paper); reversal: one pass through a layer that turns the
    gradient round (DANN); coral, mmd, sliced-wasserstein: a distance of the distributions, no critic; adabn: batch statistics
    of real pictures at the end, nothing else; fourier: synthetic pictures take the low frequencies of real ones (FDA)."""
    layers: tuple[str, ...] = ("conv5",)
    """Feature maps that are aligned; their terms are added up."""
    weight: float = 0.05
    """Of the alignment term beside the tasks."""
    ramp: Ramp = "constant"
    """constant: the full weight from the first step; dann: grows over the run."""
    ratio: float | None = None
    """Hold norm(alignment) / norm(tasks) at the aligned layers near this by moving the weight; None: leave it alone."""
    ratio_every: int = 10
    """Steps between two measurements of that ratio, each of which costs a backward pass down to the aligned layers."""
    game: Game = "vanilla"
    """The critic's loss; vanilla is the paper's cross entropy, non-saturating for the backbone."""
    acts_on: ActsOn = "synthetic"
    """The domain whose features the backbone disguises; the paper's box, read literally, says real."""
    history: int = 128
    """Past feature maps a domain that the critic is shown; 0: none. For adversarial."""
    history_half: bool = False
    """Keep them in half precision."""
    one_forward: bool = False
    """Show the critic both domains in one batch (no difference without batch normalisation in it)."""
    stop_above: float | None = None
    """Spare the backbone once the critic's accuracy has been above this for `patience` steps, such as 0.95."""
    freeze_below: float | None = None
    """Let the critic rest while its accuracy is below this, such as 0.55, for `patience` steps at most."""
    patience: int = 100
    """Steps of the two guards above."""
    samples: Samples | None = None
    """What is one sample of a distribution: each position of a feature map, or a map's mean (pooled). None: positions, but
    pooled for mmd, which compares all pairs."""
    num_projections: int = 128
    """Random directions a step; for sliced-wasserstein."""
    fourier_share: float = 0.01
    """Half the width of the square of low frequencies that is swapped, as a share of the picture's shorter side; for fourier."""
    seed: int = 0
    """Of the history and the projections."""

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers is empty: name at least one feature map, such as conv5")
        if self.weight < 0:
            raise ValueError(f"weight must be at least 0, got {self.weight}")
        if self.ratio is not None and self.ratio <= 0:
            raise ValueError(f"ratio must be positive, got {self.ratio}")
        for name in ("ratio_every", "patience", "num_projections"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.history < 0:
            raise ValueError(f"history must be at least 0, got {self.history}")
        if not 0 <= self.fourier_share < 0.5:
            raise ValueError(f"fourier_share must lie in [0, 0.5), got {self.fourier_share}")
        self._check_guards()

    def _check_guards(self) -> None:
        for name, value in (("stop_above", self.stop_above), ("freeze_below", self.freeze_below)):
            if value is not None and not 0 < value < 1:
                raise ValueError(f"{name} must lie between 0 and 1, got {value}")
        if self.stop_above is not None and not self.has_critic:
            raise ValueError(f"stop_above needs a critic; method is {self.method}")
        if self.freeze_below is not None and self.method != "adversarial":
            raise ValueError(f"freeze_below needs method adversarial, got {self.method}")

    @property
    def has_critic(self) -> bool:
        """Whether discriminators are wanted, one a layer."""
        return self.method in ("adversarial", "reversal")
