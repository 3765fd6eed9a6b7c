"""The system of Ren and Lee (CVPR 2018) as a method: three tasks on rendered pictures, features aligned with those of photos.

Task losses come from rendered pictures alone; photos serve the alignment. In a step the critic learns first, then backbone and
heads, both from one forward pass of each domain, each in a forward of its own, so that batch statistics are not mixed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from scenelift.adapt.align import AlignmentConfig, make_alignment
from scenelift.adapt.backbones import build_backbone
from scenelift.adapt.backbones.backbone import Backbone, Taps
from scenelift.adapt.balance import PAPER_WEIGHTS, BalanceMethod, Balancer, gradient_cosines
from scenelift.adapt.colour import ColourSettings, to_input
from scenelift.adapt.discriminators import Norm, build_discriminator
from scenelift.adapt.heads import TASKS, Design, build_heads
from scenelift.adapt.initialise import Init
from scenelift.adapt.losses import Variant
from scenelift.adapt.method import Batch, Clock, Features, NonFiniteLossError, StreamName
from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.optimise import OptimiserSettings, make_optimiser, set_rate
from scenelift.adapt.pictures import draw_image, side_by_side
from scenelift.adapt.pretext.side_task import SideTask, SideTaskName
from scenelift.adapt.ranks import average_gradients
from scenelift.adapt.tasks import Task, draw_answers, draw_truths, mirror_changes, task_losses


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureAlignmentSettings:
    """The networks, what they learn and how."""

    kind: Literal["feature-alignment"] = "feature-alignment"
    """Which method this is."""
    backbone: str = "alexnet-small"
    """Which network; `timm:NAME` for those of timm."""
    init: Init = "default"
    """How weights are drawn."""
    taps: Taps = "post"
    """Whether feature maps are taken after their ReLU or before."""
    head_design: Design = "auto"
    """What the heads look like; auto suits the backbone."""
    tasks: tuple[Task, ...] = ("edge", "depth", "normal")
    """What is learnt from labels."""
    frozen_tasks: tuple[Task, ...] = ()
    """Tasks whose heads are there and do not learn."""
    losses: Variant = "masked"
    """masked: as the paper means them; released: bug for bug."""
    scale_invariance: float = 0.5
    """Eigen's lambda in the depth loss: 0 plain squares, 1 blind to scale."""
    balance: BalanceMethod = "fixed"
    """How the tasks' gradients are joined."""
    weights: dict[str, float] = field(default_factory=lambda: dict(PAPER_WEIGHTS))
    """Of the tasks' losses, before the balance looks at them."""
    align: AlignmentConfig = field(default_factory=AlignmentConfig)
    """How the domains are brought together."""
    discriminator_norm: Norm = "spectral"
    """Of the discriminators; batch is the released one."""
    colour: ColourSettings = field(default_factory=ColourSettings)
    """What happens to the colours of both domains."""
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    """Of backbone, heads and balance."""
    critic_optimiser: OptimiserSettings = field(
        default_factory=lambda: OptimiserSettings(learning_rate=1e-4, betas=(0.0, 0.9))
    )
    """Of the discriminators."""
    self_supervision: SideTaskName = "none"
    """A pretext task on the photos, beside the tasks with labels and outside their balance."""
    self_supervision_weight: float = 1.0
    """Of its loss."""
    clip_norm: float | None = None
    """Greatest norm of the gradient of backbone and heads."""
    diagnose_every: int = 100
    """Steps between two measurements of the gradients' ratio, each of which costs a backward pass to the aligned layers."""

    def __post_init__(self) -> None:
        if not self.tasks or not set(self.tasks) <= set(TASKS):
            raise ValueError(f"tasks must be some of {', '.join(TASKS)}, got {self.tasks}")
        if set(self.frozen_tasks) >= set(self.tasks):
            raise ValueError("all tasks are frozen: nothing would be learnt from labels")
        missing = [task for task in self.tasks if task not in self.weights]
        if missing:
            raise ValueError(f"weights lacks {', '.join(missing)}")

    @property
    def sources(self) -> tuple[StreamName, ...]:
        """What data must be named."""
        alone = self.align.method == "none" and self.self_supervision == "none"
        return ("synthetic",) if alone else ("synthetic", "real")

    @property
    def reads_labels(self) -> bool:
        """Whether it looks at more of rendered pictures than their colours."""
        return True


class FeatureAlignment:
    """Backbone, heads and alignment, and their optimisers; a `Method`."""

    def __init__(
        self,
        settings: FeatureAlignmentSettings,
        *,
        seed: int,
        device: torch.device,
        half: bool = False,
        rank: int = 0,
    ) -> None:
        """Build the networks.

        Args:
            settings: What is wanted.
            seed: Of all weights and draws.
            device: Where they live.
            half: Compute in bfloat16 where that is safe.
            rank: Of this process.

        Raises:
            ValueError: if a layer, a backbone or a choice is unknown.
        """
        self.settings = settings
        self._device = device
        self._half = half
        generator = torch.Generator().manual_seed(seed)
        self.backbone: Backbone = build_backbone(
            settings.backbone, generator=generator, init=settings.init, taps=settings.taps
        )
        self.heads = build_heads(
            self.backbone,
            generator=generator,
            tasks={task: TASKS[task] for task in settings.tasks},
            init=settings.init,
            design=settings.head_design,
        )
        self.heads.freeze(settings.frozen_tasks)
        self._learnt: tuple[Task, ...] = tuple(
            t for t in settings.tasks if t not in settings.frozen_tasks
        )
        aligned = tuple(self.backbone.layer(layer).name for layer in settings.align.layers)
        layers = aligned if settings.align.has_critic else ()
        self.alignment = make_alignment(
            replace(settings.align, layers=aligned),
            discriminators={
                layer: build_discriminator(
                    self.backbone,
                    layer,
                    generator=generator,
                    norm=settings.discriminator_norm,
                    init=settings.init,
                )
                for layer in layers
            },
            rank=rank,
        )
        self.balancer = Balancer(
            settings.balance,
            weights={task: settings.weights[task] for task in self._learnt},
            seed=seed,
        )
        self.side_task = (
            SideTask(
                settings.self_supervision,
                weight=settings.self_supervision_weight,
                backbone=self.backbone,
                normalisation=self.input_normalisation,
                critic=settings.critic_optimiser,
                generator=generator,
            )
            if settings.self_supervision != "none"
            else None
        )
        memory = torch.channels_last if settings.colour.channels_last else torch.contiguous_format
        for network in (*self.networks().values(), self.balancer):
            network.to(device)
            network.to(memory_format=memory)
        self._optimiser = make_optimiser(self._own_parameters(), settings=settings.optimiser)
        critic = list(self.alignment.critic_parameters())
        self._critic_optimiser = (
            make_optimiser(critic, settings=settings.critic_optimiser) if critic else None
        )

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """Rendered pictures, and photos where the alignment or a pretext task looks at them."""
        photos = self.alignment.needs_real_pictures or self.side_task is not None
        return ("synthetic", "real") if photos else ("synthetic",)

    @property
    def input_normalisation(self) -> InputNormalisation:
        """What the backbone is fed."""
        colour = self.settings.colour
        return InputNormalisation(space=colour.space, mean=colour.mean, std=colour.std)

    @property
    def aligned_layers(self) -> tuple[str, ...]:
        """Where the domains are brought together."""
        return self.settings.align.layers

    @property
    def real_statistics(self) -> bool:
        """Whether the exported batch norms are to hold the statistics of photos."""
        return self.alignment.statistics == "real"

    def step(self, batches: Mapping[StreamName, Batch], *, clock: Clock) -> dict[str, Tensor]:
        """Let the critic learn, then backbone and heads.

        Raises:
            NonFiniteLossError: if a loss is not a number; nothing has been changed by it then but the critic.
            LabelError: if a label is not a number.
        """
        self._train()
        self._set_rates(clock)
        synthetic, real = self._features(batches)
        scalars = self._teach_critic(synthetic, real)
        losses = self._task_losses(synthetic, batches["synthetic"], tasks=self._learnt)
        term, more = self.alignment.alignment_loss(synthetic, real, clock=clock)
        scalars |= more
        task = torch.stack([self.settings.weights[t] * losses[t] for t in self._learnt]).sum()
        self._check_finite(losses, term)
        extra, more = self._side_term(batches, clock=clock)
        scalars |= more
        due = clock.step % self.settings.diagnose_every == 0
        if due or self.alignment.measures(clock):
            scalars |= self.alignment.measure(term, task=task, at=synthetic)
        if due and not self.balancer.looks_at_gradients and len(losses) > 1:
            scalars |= gradient_cosines(
                losses, at=[synthetic[layer] for layer in self.heads.layers]
            )
        self._optimiser.zero_grad(set_to_none=True)
        scalars |= self.balancer.backward(
            losses,
            shared=[synthetic[layer] for layer in self.heads.layers],
            extra=_added(term, extra),
        )
        parameters = list(self._own_parameters())
        average_gradients(parameters)
        if self.settings.clip_norm is not None:
            scalars["gradient/norm"] = nn.utils.clip_grad_norm_(parameters, self.settings.clip_norm)
        self._optimiser.step()
        if self.side_task is not None:
            self.side_task.task.after_step(self.backbone, clock=clock)
        if self.alignment.critic_in_backward:
            self._step_critic()
        scalars |= {f"loss/{name}": loss.detach() for name, loss in losses.items()}
        scalars["loss/task"] = task.detach()
        scalars["lr/backbone"] = torch.tensor(self.settings.optimiser.rate(clock))
        return scalars

    @torch.no_grad()
    def validate(self, batches: Mapping[StreamName, Batch]) -> dict[str, Tensor]:
        """Return the losses on held-out rendered pictures, and how much answers on photos change in a mirror.

        `consistency/normal` is one minus the cosine between the normals of a photo and those of its mirror image, mirrored
        back; `consistency/depth` the absolute difference of log depth without its mean. Neither needs a label.
        `selection/score` is their sum with the mean task loss: lower is better.
        """
        self._evaluate()
        scalars: dict[str, Tensor] = {}
        score = torch.zeros((), device=self._device)
        if "synthetic" in batches:
            batch = batches["synthetic"]
            losses = self._task_losses(
                self._see(batch["image"], batch), batch, tasks=self.settings.tasks
            )
            scalars |= {f"loss/{name}": loss for name, loss in losses.items()}
            scalars["loss/task"] = torch.stack(
                [self.settings.weights[task] * losses[task] for task in self._learnt]
            ).sum()
            score = score + torch.stack([losses[task] for task in self._learnt]).mean()
        if "real" in batches:
            changes = self._mirror_changes(batches["real"])
            scalars |= changes
            score = score + sum(changes.values(), torch.zeros((), device=self._device))
            if self.side_task is not None:
                with self._autocast():
                    scalars |= self.side_task.judge(self.backbone, batches["real"])
        return scalars | {"selection/score": score}

    @torch.no_grad()
    def pictures(self, batches: Mapping[StreamName, Batch]) -> dict[str, UInt8[Tensor, "n h w 3"]]:
        """Show each task: picture, truth and answer of rendered pictures; picture and answer of photos."""
        self._evaluate()
        shown: dict[str, Tensor] = {}
        for domain, batch in batches.items():
            answers = self._answers(
                self._see(batch["image"], batch), batch, tasks=self.settings.tasks
            )
            columns = draw_answers(answers)
            truths = draw_truths(batch) if "z_depth_m" in batch else {}
            for task, answer in columns.items():
                truth = [truths[task]] if task in truths else []
                shown[f"{domain}/{task}"] = side_by_side(
                    draw_image(batch["image"]).cpu(), *truth, answer
                )
        if self.side_task is not None and "real" in batches:
            with self._autocast():
                shown |= self.side_task.show(self.backbone, batches["real"])
        return shown

    @property
    def captions(self) -> Mapping[str, tuple[str, ...]]:
        """What stands above the columns of the pictures."""
        told: dict[str, tuple[str, ...]] = {}
        for task in self.settings.tasks:
            told[f"synthetic/{task}"] = ("picture", "truth", "answer")
            told[f"real/{task}"] = ("picture", "answer")
        return told if self.side_task is None else {**told, **self.side_task.task.captions}

    def networks(self) -> Mapping[str, nn.Module]:
        """Return backbone, heads, alignment and the heads of a pretext task, if there is one."""
        networks = {"backbone": self.backbone, "heads": self.heads, "alignment": self.alignment}
        return (
            networks if self.side_task is None else networks | {"self_supervision": self.side_task}
        )

    @torch.no_grad()
    def features(self, batch: Batch) -> Features:
        """Return the feature maps of a batch by the backbone as it is, in evaluation mode."""
        self._evaluate()
        return self._see(batch["image"], batch)

    def see(self, batch: Batch) -> Features:
        """Return the feature maps of a batch by the backbone in the mode it is in."""
        return self._see(batch["image"], batch)

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides how training goes on."""
        critic = self._critic_optimiser
        return {
            "backbone": self.backbone.state_dict(),
            "heads": self.heads.state_dict(),
            "alignment": self.alignment.state_dict(),
            "balancer": self.balancer.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "critic_optimiser": critic.state_dict() if critic is not None else {},
            "self_supervision": {}
            if self.side_task is None
            else {
                "heads": self.side_task.state_dict(),
                "critic_optimiser": self.side_task.optimiser_state(),
            },
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it belongs to another configuration.
        """
        try:
            self.backbone.load_state_dict(state["backbone"])
            self.heads.load_state_dict(state["heads"])
            self.alignment.load_state_dict(state["alignment"])
            self.balancer.load_state_dict(state["balancer"])
            self._optimiser.load_state_dict(state["optimiser"])
            if self._critic_optimiser is not None:
                self._critic_optimiser.load_state_dict(state["critic_optimiser"])
            if self.side_task is not None:
                self.side_task.load_state_dict(state["self_supervision"]["heads"])
                self.side_task.load_optimiser_state(state["self_supervision"]["critic_optimiser"])
        except (KeyError, RuntimeError) as error:
            cause = " ".join(str(error).split())[:200]
            raise ValueError(f"the state belongs to another configuration: {cause}") from error

    def _own_parameters(self) -> Iterator[nn.Parameter]:
        yield from self.backbone.parameters()
        yield from self.heads.parameters()
        yield from self.balancer.parameters()
        if self.side_task is not None:
            yield from self.side_task.task.own_parameters()

    def _side_term(
        self, batches: Mapping[StreamName, Batch], *, clock: Clock
    ) -> tuple[Float[Tensor, ""] | None, dict[str, Tensor]]:
        """Return the pretext task's loss on photos, after its critic has learnt; None without one."""
        if self.side_task is None:
            return None, {}
        with self._autocast():
            scalars = self.side_task.teach_critic(self.backbone, batches["real"], clock=clock)
            term, more = self.side_task.term(self.backbone, batches["real"], clock=clock)
        return term, scalars | more

    def _set_rates(self, clock: Clock) -> None:
        set_rate(self._optimiser, self.settings.optimiser.rate(clock))
        if self._critic_optimiser is not None:
            set_rate(self._critic_optimiser, self.settings.critic_optimiser.rate(clock))

    def _train(self) -> None:
        for network in self.networks().values():
            network.train()

    def _evaluate(self) -> None:
        for network in self.networks().values():
            network.eval()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._half)

    def _features(self, batches: Mapping[StreamName, Batch]) -> tuple[Features, Features]:
        """Return the feature maps of both domains; none of photos where the alignment has no use for them."""
        synthetic = batches["synthetic"]
        image = synthetic["image"]
        if not self.alignment.needs_real_pictures:
            return self._see(image, synthetic), {}
        real = batches["real"]
        image, real_image = self.alignment.restyle(image, real["image"])
        seen = self._see(image, synthetic)
        if not self.alignment.needs_real_features:
            return seen, {}
        blind = (
            self.settings.align.method == "adversarial"
            and self.settings.align.acts_on == "synthetic"
        )
        with torch.set_grad_enabled(not blind):
            return seen, self._see(real_image, real, until=self._deepest)

    @property
    def _deepest(self) -> str | None:
        """How far photos are followed in training: no further than they are aligned, but whole as released."""
        if self.settings.losses == "released":
            return None
        names = [layer.name for layer in self.backbone.layers]
        return max(self.alignment.config.layers, key=names.index)

    def _see(
        self, image: UInt8[Tensor, "n 3 h w"], batch: Batch, *, until: str | None = None
    ) -> Features:
        pixels = to_input(image, batch["sample_seed"], settings=self.settings.colour)
        with self._autocast():
            features: Features = self.backbone(pixels, until=until)
        return features

    def _teach_critic(self, synthetic: Features, real: Features) -> dict[str, Tensor]:
        loss, scalars = self.alignment.critic_loss(synthetic, real)
        if loss is not None and self._critic_optimiser is not None:
            if not loss.isfinite():
                raise NonFiniteLossError(f"the critic's loss is {loss.item()}")
            self._critic_optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self._step_critic()
        elif self._critic_optimiser is not None:
            self._critic_optimiser.zero_grad(set_to_none=True)
        return scalars

    def _step_critic(self) -> None:
        if self._critic_optimiser is not None:
            average_gradients(self.alignment.critic_parameters())
            self._critic_optimiser.step()

    def _answers(
        self, features: Features, batch: Batch, *, tasks: tuple[Task, ...]
    ) -> dict[str, Float[Tensor, "n c h w"]]:
        height, width = batch["image"].shape[-2:]
        with self._autocast():
            answers: dict[str, Tensor] = self.heads(
                features, width=width, height=height, tasks=tasks
            )
        return answers

    def _task_losses(
        self, features: Features, batch: Batch, *, tasks: tuple[Task, ...]
    ) -> dict[str, Float[Tensor, ""]]:
        height, width = batch["image"].shape[-2:]
        with self._autocast():
            answers: dict[str, Tensor] = self.heads.answer(
                features, width=width, height=height, tasks=tasks
            )
        return task_losses(
            answers,
            batch,
            strides=self.heads.strides,
            variant=self.settings.losses,
            scale_invariance=self.settings.scale_invariance,
        )

    def _mirror_changes(self, batch: Batch) -> dict[str, Float[Tensor, ""]]:
        """Compare the answers on photos with those on their mirror images."""
        images = batch["image"]
        straight, mirrored = (
            self._answers(self._see(seen, batch), batch, tasks=self.settings.tasks)
            for seen in (images, images.flip(-1))
        )
        return mirror_changes(straight, mirrored)

    def _check_finite(
        self, losses: Mapping[str, Float[Tensor, ""]], term: Float[Tensor, ""] | None
    ) -> None:
        terms = {**losses, **({"align": term} if term is not None else {})}
        stacked = torch.stack([loss.detach() for loss in terms.values()])
        if not stacked.isfinite().all():
            bad = [name for name, loss in terms.items() if not loss.isfinite()]
            raise NonFiniteLossError(f"the loss of {', '.join(bad)} is not a finite number")


def _added(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    return second if first is None else first if second is None else first + second
