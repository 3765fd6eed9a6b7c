"""What the networks learn in a step, loss by loss in the order of the release.

On labelled pictures: a the tasks, b the scene read from predictions, c two views told from all others, d the game. On further
pictures, generated or given: the tasks where these have labels, e the scene, f the views, and the alignment.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from scenelift.adapt.align import Alignment
from scenelift.adapt.ema import WeightAverage
from scenelift.adapt.method import Batch, Clock, Features
from scenelift.adapt.mgm.game import Round
from scenelift.adapt.mgm.gan.gan import Gan
from scenelift.adapt.mgm.groups import Group, Groups
from scenelift.adapt.mgm.hash_noise import normal
from scenelift.adapt.mgm.losses import scene_loss
from scenelift.adapt.mgm.networks import INPUT, MultiTaskNetwork, Networks
from scenelift.adapt.mgm.routes import Loss, taught_by
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.mgm.statistics import kept_statistics
from scenelift.adapt.mgm.tasks import Answers, labels_from, task_losses, task_total
from scenelift.adapt.network_input import network_input, normalise
from scenelift.adapt.pretext.simclr import nt_xent
from scenelift.adapt.pretext.views import random_view
from scenelift.adapt.ranks import gather

Scalars = dict[str, Tensor]
_FAKES = 100
"""Salt of the noise that further pictures are generated from; rounds of the game have theirs after it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """Pictures as the networks see them."""

    pixels: Float[Tensor, "n 3 h w"]
    """From -1 to 1; generated ones may carry the graph that made them."""
    scene: Int64[Tensor, " n"]
    """Scene class, -1 unknown."""
    sample_seed: Int64[Tensor, " n"]
    truth: Batch
    """Dense labels, where there are any."""
    first_view: int
    """Number of the first of its two views."""


def seen(batch: Batch, *, first_view: int = 0) -> Seen:
    """Bring a batch to what the networks read."""
    unknown = torch.full_like(batch["sample_seed"], -1)
    return Seen(
        pixels=network_input(batch["image"], normalisation=INPUT),
        scene=batch.get("label", unknown),
        sample_seed=batch["sample_seed"],
        truth=batch,
        first_view=first_view,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Updates:
    """Computes the losses and lets the networks learn from them."""

    settings: MgmSettings
    networks: Networks
    groups: Groups
    alignment: Alignment
    average: WeightAverage | None
    annotator: MultiTaskNetwork | None
    half: bool
    device: torch.device

    def joint_step(self, batches: Mapping[str, Batch], *, clock: Clock) -> Scalars:
        """Let all networks learn, and return what to log.

        Raises:
            NonFiniteLossError: if a loss is not a number.
        """
        settings, labelled = self.settings, seen(batches["labelled"])
        scalars: Scalars = {}
        if settings.tasks:
            scalars |= self._tasks(labelled, loss="task", follow=True)
        if settings.on_labelled(settings.refinement):
            scalars |= self._scene(labelled, loss="scene")
        if settings.on_labelled(settings.self_supervision):
            scalars |= self._contrast(labelled, loss="contrast")
        if settings.further == "gan" and settings.gan_joint:
            scalars |= self._play(labelled, clock=clock, conditioned=settings.condition)
        if settings.further == "gan" and settings.looks_at_further:
            scalars |= self._learn_from(self._fakes(labelled))
        if settings.further == "images":
            images = seen(batches["images"], first_view=2)
            scalars |= self._learn_from(lambda: images)
            if settings.align.method != "none":
                scalars |= self._align(images, labelled, clock=clock)
        if settings.order == "summed":
            self.groups.step(self.groups.all)
        return scalars

    def gan_step(self, batches: Mapping[str, Batch], *, clock: Clock) -> Scalars:
        """Let generator and discriminator learn alone, from noise, and return what to log.

        Raises:
            NonFiniteLossError: if a loss is not a number.
        """
        scalars = self._play(seen(batches["labelled"]), clock=clock, conditioned=False)
        self.groups.step(taught_by("generator", self.settings))
        return scalars

    def _play(self, labelled: Seen, *, clock: Clock, conditioned: bool) -> Scalars:
        """Let discriminator and generator learn, round by round.

        The pictures of a round are made once: the discriminator learns from them, then the generator by the new discriminator.

        Args:
            labelled: The real pictures.
            clock: Where the phase stands.
            conditioned: Whether what the encoder sees in them is added to the noise, and learnt.
        """
        settings, gan = self.settings, self._gan()
        label = self.gan_label(labelled.scene)
        penalise = clock.step % settings.game.r1_every == 0
        scalars: Scalars = {}
        for number in range(settings.game.rounds):
            with self._autocast():
                fake = gan.generator(
                    self._latent(labelled, salt=_FAKES + 1 + number, conditioned=conditioned), label
                )
            game = Round(
                settings=settings.game,
                discriminator=gan.discriminator,
                real=labelled.pixels,
                fake=fake,
                label=label,
                sample_seed=labelled.sample_seed,
                number=number,
            )
            with self._autocast():
                loss, more = game.discriminator_loss(penalise=penalise and number == 0)
            scalars |= more
            self.groups.gather(
                settings.weights.discriminator * loss,
                taught_by("discriminator", settings),
                name="discriminator",
            )
            self.groups.step(taught_by("discriminator", settings))
            with self._autocast():
                loss = game.generator_loss()
            scalars["loss/generator"] = loss.detach()
            share = 1 / settings.game.rounds if settings.order == "summed" else 1.0
            taught = taught_by("generator", settings) if conditioned else ("generator",)
            self._learn(share * settings.weights.generator * loss, taught, name="generator")
        return scalars

    def _latent(self, labelled: Seen, *, salt: int, conditioned: bool) -> Float[Tensor, "n z"]:
        """Return what the generator is fed: noise and, with a middle network, what the encoder sees in labelled pictures."""
        z = normal(labelled.sample_seed, shape=(self.settings.gan.z_dim,), salt=salt)
        if not conditioned or self.networks.middle is None:
            return z
        shift: Tensor = self.networks.middle(self._encoded(labelled.pixels))
        return z + shift

    def gan_label(self, scene: Int64[Tensor, " n"]) -> Int64[Tensor, " n"]:
        """Return the generator's classes: the scenes, and the last one where the scene is unknown."""
        return torch.where(scene >= 0, scene, self.networks.num_scenes)

    def _tasks(self, pictures: Seen, *, loss: Loss, follow: bool = False) -> Scalars:
        """Let encoder and decoders learn from dense labels."""
        settings = self.settings
        answers = self._answers(pictures.pixels, follow=follow)
        losses = task_losses(answers, pictures.truth, normal=settings.normal_loss)
        total = task_total(losses, weights=settings.weights)
        factor = settings.weights.further if loss == "task_further" else 1.0
        self._learn(factor * total, taught_by(loss, settings), name=loss)
        if loss == "task_further":
            return {"loss/task_further": total.detach()}
        named = {f"loss/{task}": value.detach() for task, value in losses.items()}
        return named | {"loss/task": total.detach()}

    def _scene(self, pictures: Seen, *, loss: Loss) -> Scalars:
        """Let the encoder learn from the scene that predictions show; with labelled pictures the refinement network learns too."""
        settings, refinement = self.settings, self.networks.refinement
        if refinement is None:
            raise TypeError("there is no refinement network")
        answers = self._answers(pictures.pixels, follow=False)
        with self._autocast(), self._statistics(refinement, follow=loss == "scene"):
            logits: Tensor = refinement(answers)
        value = scene_loss(logits, pictures.scene)
        self._learn(settings.weights.scene * value, taught_by(loss, settings), name=loss)
        known = pictures.scene >= 0
        right = ((logits.detach().argmax(dim=1) == pictures.scene) & known).float().sum()
        accuracy = right / known.sum().clamp(min=1)
        return {f"loss/{loss}": value.detach(), f"accuracy/{loss}": accuracy}

    def _contrast(self, pictures: Seen, *, loss: Loss) -> Scalars:
        """Let the encoder learn which two views are of one picture."""
        settings, head = self.settings, self.networks.contrast
        if head is None:
            raise TypeError("there is no layer of self-supervision")
        colours = ((pictures.pixels + 1) / 2).clamp(0, 1)
        views = [
            random_view(
                colours,
                pictures.sample_seed,
                number=pictures.first_view + k,
                settings=settings.views,
            )
            for k in (0, 1)
        ]
        pixels = normalise(torch.cat(views), normalisation=INPUT)
        follow = loss == "contrast" and not settings.tasks
        features = self._encoded(pixels, follow=follow)
        with self._autocast():
            embedded: Tensor = head(features[self.networks.encoder.output_layer].mean(dim=(2, 3)))
        first, second = embedded.float().chunk(2)
        value = nt_xent(gather(first), gather(second), temperature=settings.temperature)
        self._learn(settings.weights.contrast * value, taught_by(loss, settings), name=loss)
        return {f"loss/{loss}": value.detach()}

    def _learn_from(self, further: Callable[[], Seen]) -> Scalars:
        """Let the networks learn from further pictures: what labels they have, their scenes, their views.

        Args:
            further: Gives the pictures, once for each loss, so that each has its own graph to where they come from.
        """
        settings, scalars = self.settings, Scalars()
        if settings.further_labels != "none":
            scalars |= self._tasks(self._annotated(further()), loss="task_further")
        if settings.on_further(settings.refinement):
            scalars |= self._scene(further(), loss="scene_further")
        if settings.on_further(settings.self_supervision):
            scalars |= self._contrast(further(), loss="contrast_further")
        return scalars

    def _annotated(self, pictures: Seen) -> Seen:
        """Put the annotator's answers in the place of labels, where there is one."""
        if self.annotator is None:
            return pictures
        with torch.no_grad(), self._autocast():
            answers = self.annotator(pictures.pixels)
        return replace(pictures, truth=labels_from(answers))

    def _fakes(self, labelled: Seen) -> Callable[[], Seen]:
        """Generate further pictures: one set for all losses or, where gradients pass on, anew for each."""
        if not self.settings.detach_fake:
            return lambda: self._make(labelled)
        with torch.no_grad():
            made = self._make(labelled)
        return lambda: made

    def _make(self, labelled: Seen) -> Seen:
        """Generate a picture for each labelled one, of its scene."""
        settings = self.settings
        generator: nn.Module = self._gan().generator
        if settings.fake_from == "average" and self.average is not None:
            generator = self.average.networks["generator"].eval()
        with self._autocast():
            z = self._latent(labelled, salt=_FAKES, conditioned=settings.condition)
            pixels: Tensor = generator(z, self.gan_label(labelled.scene))
        return Seen(
            pixels=pixels,
            scene=labelled.scene,
            sample_seed=labelled.sample_seed,
            truth={},
            first_view=2,
        )

    def _align(self, images: Seen, labelled: Seen, *, clock: Clock) -> Scalars:
        """Let a critic tell further from labelled pictures if there is one, then the encoder bring their features together."""
        align, encoder = self.alignment.config, self.networks.encoder
        names = [layer.name for layer in encoder.layers]
        deepest = max(align.layers, key=names.index)
        blind = align.method == "adversarial" and align.acts_on == "synthetic"
        synthetic = self._encoded(images.pixels, until=deepest)
        with torch.set_grad_enabled(not blind):
            real = self._encoded(labelled.pixels, until=deepest)
        loss, scalars = self.alignment.critic_loss(synthetic, real)
        if loss is not None:
            self.groups.gather(loss, taught_by("critic", self.settings), name="critic")
            self.groups.step(taught_by("critic", self.settings))
        term, more = self.alignment.alignment_loss(synthetic, real, clock=clock)
        if term is not None:
            self._learn(term, taught_by("align", self.settings), name="align")
        return scalars | more

    def _learn(self, loss: Float[Tensor, ""], groups: Collection[Group], *, name: str) -> None:
        """Gather gradients, and step at once in the released order."""
        self.groups.gather(loss, groups, name=name)
        if self.settings.order == "released":
            self.groups.step(groups)

    def _answers(self, pixels: Float[Tensor, "n 3 h w"], *, follow: bool) -> Answers:
        """Answer the tasks."""
        decoders = self.networks.decoders
        if decoders is None:
            raise TypeError("there are no decoders")
        height, width = pixels.shape[-2:]
        features = self._encoded(pixels, follow=follow)
        with self._autocast(), self._statistics(decoders, follow=follow):
            answers: Answers = decoders(features, width=width, height=height)
        return answers

    def _encoded(
        self, pixels: Float[Tensor, "n 3 h w"], *, until: str | None = None, follow: bool = False
    ) -> Features:
        """Return the encoder's maps; `follow`: these are plain labelled pictures, whose statistics are followed."""
        encoder = self.networks.encoder
        with self._autocast(), self._statistics(encoder, follow=follow):
            features: Features = encoder(pixels, until=until)
        return features

    def _statistics(self, network: nn.Module, *, follow: bool) -> AbstractContextManager[None]:
        follows = follow or self.settings.statistics == "all"
        return nullcontext() if follows else kept_statistics(network)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.half)

    def _gan(self) -> Gan:
        if self.networks.gan is None:
            raise TypeError("there is no generator")
        return self.networks.gan
