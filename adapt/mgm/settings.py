"""What can be chosen about multi-task oriented generative modelling: every arrow of the method is a switch.

The defaults are the code released with Bao, Hebert and Wang (ICML 2022), its defects mended: labels that are not known are masked,
the views of self-supervision keep their colours, and each network has one optimiser, where the release had several on the encoder.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.method import StreamName
from scenelift.adapt.mgm.diff_augment import NO_POLICY, DiffAugmentSettings
from scenelift.adapt.mgm.gan.gan import GanSettings
from scenelift.adapt.mgm.gan_losses import INSTANCE_NOISE_STD, GanLoss
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pretext.views import ViewSettings

DenseTask = Literal["segmentation", "depth", "normal"]
TASKS: tuple[DenseTask, ...] = get_args(DenseTask)
Further = Literal["none", "gan", "images"]
Where = Literal["none", "labelled", "further", "both"]
Labels = Literal["none", "exact", "annotator"]
Order = Literal["released", "summed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class LossWeights:
    """What each loss is multiplied by; 1 as released."""

    segmentation: float = 1.0
    depth: float = 1.0
    normal: float = 1.0
    scene: float = 1.0
    """Of the scene that the refinement network reads from predictions."""
    contrast: float = 1.0
    """Of self-supervision."""
    further: float = 1.0
    """Of the tasks on further pictures, beside the tasks' own weights."""
    discriminator: float = 1.0
    generator: float = 1.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"the weight of {name} must be at least 0, got {getattr(self, name)}"
                )


def _adam(learning_rate: float, *, weight_decay: float = 0.0) -> OptimiserSettings:
    return OptimiserSettings(
        name="adam",
        learning_rate=learning_rate,
        betas=(0.9, 0.999),
        weight_decay=weight_decay,
        schedule="constant",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class GameSettings:
    """How generator and discriminator learn."""

    loss: GanLoss = "hinge"
    """What the two minimise; hinge as released."""
    rounds: int = 2
    """Updates of both in a step."""
    instance_noise: float = INSTANCE_NOISE_STD
    """Standard deviation of the noise on every input of the discriminator, whose values lie between -1 and 1."""
    augment: DiffAugmentSettings = NO_POLICY
    """What happens to everything that the discriminator sees, real or generated; nothing as released."""
    r1: float = 0.0
    """Gamma of the penalty on the discriminator's gradient; 0: none, as released."""
    r1_every: int = 16
    """Steps between two penalties."""
    average: float = 0.999
    """Decay of the running average of the generator's weights, which makes the pictures that are shown."""
    generator_optimiser: OptimiserSettings = field(default_factory=lambda: _adam(1e-4))
    discriminator_optimiser: OptimiserSettings = field(default_factory=lambda: _adam(4e-4))

    def __post_init__(self) -> None:
        for name in ("rounds", "r1_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name in ("instance_noise", "r1"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")
        if not 0 <= self.average < 1:
            raise ValueError(f"average must be at least 0 and below 1, got {self.average}")


@dataclass(frozen=True, kw_only=True, slots=True)
class MgmSettings:
    """The networks, what they learn from and which gradients reach which of them."""

    kind: Literal["mgm"] = "mgm"
    """Which method this is."""
    backbone: str = "mgm-resnet"
    """The encoder."""
    decoder_width: float = 1.0
    """Factor on the decoders' channels."""
    answer_stride: int = 1
    """Pixels between two positions that are answered, 1 as released; what lies between is interpolated."""
    refinement_width: float = 1.0
    """Factor on the refinement network's channels."""
    tasks: tuple[DenseTask, ...] = TASKS
    """What is learnt from labels: one is the single-task network (ST), three the multi-task one (MT), none trains what is left."""
    normal_loss: Literal["l1", "cosine"] = "l1"
    """l1: of the unit normals' components, as released but for their range; cosine: one minus the cosine of the angle."""
    refinement: Where = "both"
    """Where a network reads the scene from predictions and so teaches the encoder: it learns on labelled pictures, and rests
    on further ones."""
    self_supervision: Where = "both"
    """Where the encoder learns to tell pictures apart from two views of each (SimCLR)."""
    further: Further = "gan"
    """Where pictures beyond the labelled ones come from; images: those that the run names."""
    further_labels: Labels = "none"
    """What the tasks learn from on further pictures: exact: the labels they bring along (rendered ones); annotator: the answers
    of another run's network (ST with an oracle: a run on all labels)."""
    annotator: Path | None = None
    """The folder of that run, which `further_labels` annotator needs."""
    gan: GanSettings = field(default_factory=GanSettings)
    """Generator and discriminator."""
    game: GameSettings = field(default_factory=GameSettings)
    """How they learn."""
    gan_from: Path | None = None
    """The folder of a run that trained them; None: first weights."""
    gan_steps: int = 0
    """Steps in which they learn alone, before the joint ones."""
    gan_joint: bool = True
    """Whether they go on learning in the joint steps."""
    condition: bool = True
    """Whether the middle network adds what the encoder sees in a labelled picture to the noise, and both learn to, in the joint
    steps."""
    detach_fake: bool = True
    """Whether the losses on generated pictures stop at them, as released; else they reach the generator and what conditions it."""
    fake_from: Literal["live", "average"] = "live"
    """Which generator makes the further pictures: the one that learns, as released, or the running average of its weights."""
    relu_logits: bool = False
    """A ReLU behind the scene logits, as released."""
    softmax: bool = False
    """Whether the refinement network reads probabilities of classes; else raw logits, as released."""
    statistics: Literal["labelled", "all"] = "labelled"
    """From what the batch norms of encoder, decoders and refinement network learn their running statistics: plain labelled
    pictures, or, as released, views and further pictures too. All normalise by the batch while training."""
    order: Order = "released"
    """released: every loss is followed by a step, on weights that the one before has moved; summed: one step for all losses. Each
    network has one optimiser either way."""
    weights: LossWeights = field(default_factory=LossWeights)
    """Of the losses."""
    views: ViewSettings = field(
        default_factory=lambda: ViewSettings(blur_sigma=(0.01 / 128, 1.0 / 128))
    )
    """How two views differ from their picture; as released, but in the picture's own colours."""
    temperature: float = 0.5
    """Of NT-Xent."""
    align: AlignmentConfig = field(
        default_factory=lambda: AlignmentConfig(method="none", layers=("layer4",))
    )
    """How the features of further (rendered) pictures and of labelled ones are brought together."""
    channels_last: bool = False
    """Memory format of the networks."""
    optimiser: OptimiserSettings = field(default_factory=lambda: _adam(1e-3, weight_decay=1e-4))
    """Of encoder, decoders and the layer of self-supervision, one each."""
    refinement_optimiser: OptimiserSettings = field(
        default_factory=lambda: _adam(5e-3, weight_decay=1e-4)
    )
    middle_optimiser: OptimiserSettings = field(default_factory=lambda: _adam(1e-3))
    critic_optimiser: OptimiserSettings = field(
        default_factory=lambda: OptimiserSettings(learning_rate=1e-4, betas=(0.0, 0.9))
    )
    """Of the alignment's discriminators."""

    def __post_init__(self) -> None:
        if not set(self.tasks) <= set(TASKS) or len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"tasks must be some of {', '.join(TASKS)}, got {self.tasks}")
        if self.gan_steps < 0:
            raise ValueError(f"gan_steps must be at least 0, got {self.gan_steps}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be positive, got {self.temperature}")
        for wrong, message in (*self._wrong_tasks(), *self._wrong_gan(), *self._wrong_alignment()):
            if wrong:
                raise ValueError(message)

    def _wrong_tasks(self) -> tuple[tuple[bool, str], ...]:
        return (
            (
                self.refinement == "further",
                "refinement must be none, labelled or both: its network learns on labelled pictures alone",
            ),
            (
                self.refinement != "none" and not self.tasks,
                "refinement reads predictions: name tasks, or set refinement none",
            ),
            (
                self.softmax and "segmentation" not in self.tasks,
                "softmax is taken of the segmentation, which is not among the tasks",
            ),
            (
                self.further_labels != "none" and (self.further == "none" or not self.tasks),
                "further_labels needs further pictures and tasks",
            ),
            (
                self.further_labels == "exact" and self.further != "images",
                "further_labels exact needs further images: generated pictures bring no labels along",
            ),
            (
                self.annotator is not None and self.further_labels != "annotator",
                f"annotator has no use with further_labels {self.further_labels}",
            ),
        )

    def _wrong_gan(self) -> tuple[tuple[bool, str], ...]:
        gan = self.further == "gan"
        return (
            (
                not gan and (self.gan_steps > 0 or self.gan_from is not None),
                f"gan_steps and gan_from need further gan, got {self.further}",
            ),
            (
                gan and self.condition and not self.gan_joint and self.detach_fake,
                "condition needs gan_joint, or no detach_fake: else nothing teaches the middle network",
            ),
            (
                gan and not self.detach_fake and self.fake_from == "average",
                "no detach_fake needs fake_from live: an average receives no gradient",
            ),
            (
                gan and not (self.detach_fake or self.gan_joint or self.condition),
                "no detach_fake needs gan_joint or condition: else its gradients reach nothing that learns",
            ),
        )

    def _wrong_alignment(self) -> tuple[tuple[bool, str], ...]:
        method = self.align.method
        return (
            (
                method != "none" and self.further != "images",
                "align brings further images to labelled pictures: it needs further images",
            ),
            (
                method in ("adabn", "fourier") or self.align.ratio is not None,
                "align can be a critic or a distance here, without adabn, fourier or ratio",
            ),
        )

    def on_labelled(self, where: Where) -> bool:
        """Tell whether a loss that is wanted `where` looks at labelled pictures."""
        return where in ("labelled", "both")

    def on_further(self, where: Where) -> bool:
        """Tell whether a loss that is wanted `where` looks at further pictures."""
        return self.further != "none" and where in ("further", "both")

    @property
    def conditions(self) -> bool:
        """Whether there is a middle network."""
        return self.further == "gan" and self.condition

    @property
    def looks_at_further(self) -> bool:
        """Whether anything but the game and the alignment learns from further pictures."""
        wanted = self.on_further(self.refinement) or self.on_further(self.self_supervision)
        return wanted or self.further_labels != "none"

    @property
    def sources(self) -> tuple[StreamName, ...]:
        """What data must be named."""
        return ("labelled", "images") if self.further == "images" else ("labelled",)

    @property
    def reads_labels(self) -> bool:
        """Whether it looks at more of rendered pictures than their colours."""
        return True
