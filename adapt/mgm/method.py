"""Multi-task oriented generative modelling as a method (Bao, Hebert and Wang, ICML 2022).

A multi-task network learns from dense labels. Pictures without them teach its encoder too: by the scene that a refinement network
reads from predictions, and by telling two views of each from all others. A generator that the encoder conditions makes such
pictures; with the light variant any pictures with scene labels take their place.

Departures from the release: see `settings.py`; what reaches what: `routes.py`. Each loss of the release has a backward pass and a step of
its own, on the encoder by one of several Adams: here the order is the same by default, and the encoder has one.
"""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from scenelift.adapt.align import make_alignment
from scenelift.adapt.ema import WeightAverage
from scenelift.adapt.method import Batch, Clock, Features, StreamName
from scenelift.adapt.mgm import show
from scenelift.adapt.mgm.groups import Group, Groups
from scenelift.adapt.mgm.hash_noise import normal
from scenelift.adapt.mgm.load import load_gan, load_multi_task
from scenelift.adapt.mgm.losses import scene_loss
from scenelift.adapt.mgm.networks import INPUT, Facts, MultiTaskNetwork, build_networks
from scenelift.adapt.mgm.schedule import phase_of
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.mgm.tasks import Answers, task_losses, task_total
from scenelift.adapt.mgm.updates import Updates, seen
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.optimise import OptimiserSettings
from scenelift.adapt.pictures import side_by_side
from scenelift.adapt.plain import to_plain

_GRID = 8
"""Columns and at most rows of the pictures that are shown of the generator."""


class Mgm:
    """All networks and their optimisers; a `Method`."""

    def __init__(
        self,
        settings: MgmSettings,
        *,
        facts: Facts,
        seed: int,
        device: torch.device,
        half: bool = False,
        rank: int = 0,
        steps: int | None = None,
    ) -> None:
        """Build the networks.

        Args:
            settings: What is wanted.
            facts: What the labelled pictures are.
            seed: Of all weights.
            device: Where they live.
            half: Compute in bfloat16 where that is safe.
            rank: Of this process.
            steps: Of the run, if it is known.

        Raises:
            ValueError: if a choice is unknown or does not suit the pictures; CheckpointError, if another run cannot be used.
        """
        if steps is not None and settings.gan_steps >= steps:
            raise ValueError(
                f"gan_steps ({settings.gan_steps}) leave none of {steps} steps to learn jointly: take fewer, or the recipe mgm-gan"
            )
        self.settings = settings
        self.facts = facts
        self._device = device
        self._half = half
        networks = build_networks(
            settings, facts=facts, generator=torch.Generator().manual_seed(seed)
        )
        self._networks = networks
        self._alignment = make_alignment(settings.align, discriminators=networks.critics, rank=rank)
        self._by_name: dict[str, nn.Module] = {
            name: network
            for name, network in (
                ("backbone", networks.encoder),
                ("heads", networks.decoders),
                ("refinement", networks.refinement),
                ("contrast", networks.contrast),
                ("middle", networks.middle),
                ("generator", networks.gan.generator if networks.gan else None),
                ("discriminator", networks.gan.discriminator if networks.gan else None),
                ("alignment", self._alignment),
            )
            if network is not None
        }
        self._average = (
            WeightAverage({"generator": networks.gan.generator}, decay=settings.game.average)
            if networks.gan
            else None
        )
        if settings.gan_from is not None and networks.gan and self._average:
            load_gan(
                settings.gan_from,
                generator=networks.gan.generator,
                discriminator=networks.gan.discriminator,
                average=self._average.networks["generator"],
            )
        memory = torch.channels_last if settings.channels_last else torch.contiguous_format
        averaged = self._average.networks.values() if self._average else ()
        for network in (*self._by_name.values(), *averaged):
            network.to(device)
            network.to(memory_format=memory)
        self.groups = Groups(self._learning(), settings=_optimisers(settings))
        self.annotator = self._load_annotator()
        self._updates = Updates(
            settings=settings,
            networks=networks,
            groups=self.groups,
            alignment=self._alignment,
            average=self._average,
            annotator=self.annotator,
            half=half,
            device=device,
        )

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """Labelled pictures, and further ones where they are given."""
        return self.settings.sources

    @property
    def input_normalisation(self) -> InputNormalisation:
        """What the encoder is fed."""
        return INPUT

    def step(self, batches: Mapping[StreamName, Batch], *, clock: Clock) -> dict[str, Tensor]:
        """Learn from a batch of each stream: generator and discriminator alone at first, then all networks.

        Raises:
            NonFiniteLossError: if a loss is not a number.
        """
        self._set_modes(training=True)
        settings = self.settings
        phase, within = phase_of(clock, gan_steps=settings.gan_steps)
        self.groups.set_rates(within)
        if phase == "joint" and not settings.gan_joint and self._networks.gan:
            self._networks.gan.generator.eval()
        learn = self._updates.gan_step if phase == "gan" else self._updates.joint_step
        scalars = learn(batches, clock=within)
        if self._average is not None and (phase == "gan" or settings.gan_joint):
            self._average.update(self._by_name)
        if phase == "joint":
            scalars["lr/backbone"] = torch.tensor(settings.optimiser.rate(within))
        return scalars

    @torch.no_grad()
    def validate(self, batches: Mapping[StreamName, Batch]) -> dict[str, Tensor]:
        """Return the losses of the tasks, and of the scene, on held-out labelled pictures.

        `selection/score` is the weighted sum of the tasks' losses; nothing is returned where no task is learnt.
        """
        if not self.settings.tasks or "labelled" not in batches:
            return {}
        batch = batches["labelled"]
        answers = self.answers(batch)
        losses = task_losses(answers, batch, normal=self.settings.normal_loss)
        total = task_total(losses, weights=self.settings.weights)
        scalars = {f"loss/{task}": loss for task, loss in losses.items()}
        refinement = self._networks.refinement
        if refinement is not None and "label" in batch:
            with self._autocast():
                logits: Tensor = refinement(answers)
            scalars["loss/scene"] = scene_loss(logits, batch["label"])
        return scalars | {"loss/task": total, "selection/score": total}

    @torch.no_grad()
    def answers(self, batch: Batch) -> Answers:
        """Answer the tasks as the networks are, in evaluation mode."""
        self._set_modes(training=False)
        decoders = self._networks.decoders
        if decoders is None:
            return {}
        height, width = batch["image"].shape[-2:]
        with self._autocast():
            answers: Answers = decoders(self.features(batch), width=width, height=height)
        return answers

    @torch.no_grad()
    def features(self, batch: Batch) -> Features:
        """Return the feature maps of a batch by the encoder as it is, in evaluation mode."""
        self._set_modes(training=False)
        with self._autocast():
            features: Features = self._networks.encoder(
                network_input(batch["image"], normalisation=INPUT)
            )
        return features

    @torch.no_grad()
    def pictures(self, batches: Mapping[StreamName, Batch]) -> dict[str, show.Pictures]:
        """Show picture, truth and answer of each task; and what the averaged generator makes.

        `generated/classes` has a row for each scene, always of the same noise; `generated/answers` what is made for the labelled
        pictures, beside these and with the answers on them.
        """
        shown: dict[str, Tensor] = {}
        for stream, batch in batches.items():
            if stream in self.streams:
                drawn = show.draw_beside(batch, self.answers(batch))
                shown |= {f"{stream}/{task}": rows for task, rows in drawn.items()}
        if self._average is not None:
            shown["generated/classes"] = self._generated_classes()
            if "labelled" in batches:
                shown["generated/answers"] = self._generated_answers(batches["labelled"])
        return shown

    @property
    def captions(self) -> Mapping[str, tuple[str, ...]]:
        """What stands above the columns of `pictures`."""
        tasks = self.settings.tasks
        exact = self.settings.further_labels == "exact"
        further = ("picture", *(("truth",) if exact else ()), "answer")
        return {
            **{f"labelled/{task}": ("picture", "truth", "answer") for task in tasks},
            **{f"images/{task}": further for task in tasks},
            "generated/answers": (
                "labelled",
                "generated",
                *("classes" if task == "segmentation" else task for task in tasks),
            ),
        }

    def _generated_classes(self) -> show.Pictures:
        """Draw rows of generated pictures, a row for each of the first scenes."""
        classes = max(min(len(self.facts.scenes), _GRID), 1)
        label = torch.arange(classes, device=self._device).repeat_interleave(_GRID)
        seeds = torch.arange(len(label), device=self._device)
        z = normal(seeds, shape=(self.settings.gan.z_dim,), salt=0)
        return show.grid(show.draw_pixels(self._generate(z, label)), columns=_GRID)

    def _generated_answers(self, batch: Batch) -> show.Pictures:
        """Draw labelled pictures, pictures generated for them, and the answers on these."""
        labelled = seen(batch)
        z = normal(labelled.sample_seed, shape=(self.settings.gan.z_dim,), salt=0)
        if self._networks.middle is not None:
            z = z + self._networks.middle(self.features(batch))
        pixels = self._generate(z, self._updates.gan_label(labelled.scene))
        rows = [show.draw_pixels(labelled.pixels), show.draw_pixels(pixels)]
        decoders = self._networks.decoders
        if decoders is not None:
            network = MultiTaskNetwork(self._networks.encoder, decoders)
            with self._autocast():
                rows += show.draw_answers(network(pixels)).values()
        return side_by_side(*rows)

    def _generate(
        self, z: Float[Tensor, "n z"], label: Int64[Tensor, " n"]
    ) -> Float[Tensor, "n 3 s s"]:
        self._set_modes(training=False)
        if self._average is None:
            raise TypeError("there is no generator")
        with self._autocast():
            pixels: Tensor = self._average.networks["generator"](z, label)
        return pixels

    def networks(self) -> Mapping[str, nn.Module]:
        """Return the networks that there are; the encoder is `backbone`, the decoders are `heads`."""
        return self._by_name

    def state_dict(self) -> dict[str, Any]:
        """Return all that decides how training goes on, and what the labelled pictures are."""
        return {
            "facts": to_plain(self.facts),
            "networks": {name: network.state_dict() for name, network in self._by_name.items()},
            "average": self._average.state_dict() if self._average is not None else {},
            "optimisers": self.groups.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it belongs to another configuration or to other pictures.
        """
        try:
            if state["facts"] != to_plain(self.facts):
                raise ValueError("the state belongs to pictures of other classes or size")
            for name, network in self._by_name.items():
                network.load_state_dict(state["networks"][name])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
            self.groups.load_state_dict(state["optimisers"])
        except (KeyError, RuntimeError) as error:
            cause = " ".join(str(error).split())[:200]
            raise ValueError(f"the state belongs to another configuration: {cause}") from error

    def _learning(self) -> dict[Group, nn.Module]:
        """Return the networks that learn in this run; a generator that rests is none of them."""
        names: dict[Group, str] = {
            "encoder": "backbone",
            "decoders": "heads",
            "refinement": "refinement",
            "contrast": "contrast",
            "middle": "middle",
        }
        settings = self.settings
        if settings.gan_joint or settings.gan_steps:
            names |= {"generator": "generator", "discriminator": "discriminator"}
        if settings.align.has_critic:
            names["critic"] = "alignment"
        return {
            group: self._by_name[name] for group, name in names.items() if name in self._by_name
        }

    def _load_annotator(self) -> MultiTaskNetwork | None:
        """Load the network that labels further pictures.

        Raises:
            CheckpointError: if it cannot be used.
            ValueError: if it knows other classes, or not all tasks.
        """
        folder = self.settings.annotator
        if self.settings.further_labels != "annotator":
            return None
        if folder is None:
            raise ValueError(
                "no annotator: give --method.annotator RUN, a run trained on all labels"
            )
        network, facts = load_multi_task(folder, device=self._device)
        missing = [t for t in self.settings.tasks if t not in network.decoders.by_task]
        if missing:
            raise ValueError(f"{folder}: its network does not answer {', '.join(missing)}")
        if "segmentation" in self.settings.tasks and (
            facts.semantic_classes != self.facts.semantic_classes
        ):
            raise ValueError(
                f"{folder}: its network tells other classes apart than the labels name"
            )
        return network

    def _set_modes(self, *, training: bool) -> None:
        for network in self._by_name.values():
            network.train(training)
        if self._average is not None:
            self._average.networks["generator"].eval()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._half)


def _optimisers(settings: MgmSettings) -> dict[Group, OptimiserSettings]:
    return {
        "encoder": settings.optimiser,
        "decoders": settings.optimiser,
        "contrast": settings.optimiser,
        "refinement": settings.refinement_optimiser,
        "middle": settings.middle_optimiser,
        "generator": settings.game.generator_optimiser,
        "discriminator": settings.game.discriminator_optimiser,
        "critic": settings.critic_optimiser,
    }
