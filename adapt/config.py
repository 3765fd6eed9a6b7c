"""What a training run is asked for.

Two parts, as for rendering: `TrainContent` decides the weights and is stored with them; `TrainExecution` says where and how
fast, and is not.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scenelift.adapt.feature_alignment import FeatureAlignmentSettings
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.precision import Precision
from scenelift.adapt.pretext.initialised import InitialisedSettings
from scenelift.adapt.pretext.method import PretextSettings
from scenelift.datasets.geometry import Geometry

MethodSettings = FeatureAlignmentSettings | PretextSettings | InitialisedSettings | MgmSettings
"""Of everything that `adapt-train` trains."""


class RunError(ValueError):
    """A run that cannot start: the message says what to change."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainContent:
    """What is learnt, from what, for how long."""

    recipe: str = "desk"
    """The recipe that the defaults come from."""
    synthetic: tuple[Path, ...] = ()
    """Files that `render-scenes` wrote."""
    real: Path | None = None
    """Photos: a folder, a list file, a tar archive, or Places-365 as it is published."""
    labelled: Path | None = None
    """Pictures with a class each: ImageNet or any folders of classes, Tiny-ImageNet, MiniPlaces; a folder or a tar archive. For the
    methods that learn from them, pictures with dense labels: NYU Depth v2, Taskonomy, the folders of MGM's release, a rendered file."""
    label_share: float = 1.0
    """How much of the pictures with dense labels is learnt from; a smaller share lies inside a larger one."""
    scene_labels: Path | None = None
    """Scene classes of pictures with dense labels that have none of their own."""
    images: tuple[Path, ...] = ()
    """Further pictures without dense labels, or whose labels are rendered: files that `render-scenes` wrote, a folder or archive of
    classes or of photos, or the labelled data itself for what `label_share` leaves."""
    steps: int = 2000
    """Updates of the backbone."""
    batch_size: int = 32
    """Pictures of each domain in a step, over all processes."""
    seed: int = 0
    """Of weights, samples and every other draw."""
    precision: Precision = "fp32"
    """bf16: matrix products and convolutions in bfloat16, losses and critic in float32; auto: that where the device has it in
    hardware (the run folder then says which it was)."""
    geometry: Geometry = field(default_factory=lambda: Geometry(resize_px=128, crop_px=112))
    """Size, crop, mirror and codec, the same for both domains."""
    edge_kinds: int = 1
    """Edge kinds that are learnt, added up: 1 instance boundary (the paper's), 2 occlusion, 4 crease, 8 texture."""
    min_edge_pixels: int = 0
    """Leave out frames with fewer edge pixels, counted at 256 x 256; the paper's is 350."""
    method: MethodSettings = field(default_factory=FeatureAlignmentSettings)
    """What learns: networks, losses and optimisers."""
    average: float | None = None
    """Decay of a running average of the weights of backbone and heads, which is then exported and judged; none by default."""
    validate_every: int = 250
    """Steps between two validations."""
    validation_batches: int = 4
    """Batches of each domain in a validation."""
    select: Literal["last", "best"] = "last"
    """Which weights are exported: the last, or those with the best label-free score in validation."""
    recalibrate_batches: int = 50
    """Batches of photos on which batch norms are estimated anew before the export, where the alignment asks for it; 0: never."""

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "validate_every", "validation_batches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.label_share <= 1:
            raise ValueError(f"label_share must be above 0 and at most 1, got {self.label_share}")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed must lie between 0 and 2^31 - 1, got {self.seed}")
        if self.recalibrate_batches < 0:
            raise ValueError(
                f"recalibrate_batches must be at least 0, got {self.recalibrate_batches}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainExecution:
    """How the work is done."""

    out: Path
    """The run folder."""
    resume: bool = False
    """Go on from the last checkpoint of the run folder."""
    overwrite: bool = False
    """Replace what an earlier run left in the folder."""
    device: str = "auto"
    """cpu, cuda, cuda:1, ...; auto takes a GPU if there is one."""
    workers: int | None = None
    """Processes that read ahead for each stream, 0: a thread does; by default 4 on a GPU, 1 with four processors or more, else 0."""
    cache_mib: int = 1024
    """Keep the resized frames of a stream in memory if they take no more than this."""
    log_every: int = 20
    """Steps between two lines of the log."""
    checkpoint_every: int = 500
    """Steps between two checkpoints; a killed run loses no more than these."""
    keep_checkpoints: int = 2
    """How many stay."""
    pictures_every: int = 500
    """Steps between two sets of pictures."""
    skip_bad_photos: bool = False
    """Put the next photo in the place of one that cannot be read, and count it."""
    audit: bool = True
    """Look for shortcuts between the domains before training, and measure how far their features are apart."""
    onnx: bool = False
    """Write `backbone.onnx` beside the weights (extra `onnx`)."""
    tensorboard: bool = True
    """Write TensorBoard events too."""

    def __post_init__(self) -> None:
        for name in ("log_every", "checkpoint_every", "keep_checkpoints", "pictures_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite exclude each other")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """A training run."""

    content: TrainContent
    execution: TrainExecution
