"""Supervised: the class of a picture, the comparison with ImageNet's labels, over any folders of classes (--labelled).

A linear layer over the pooled last map, as residual networks have it, where AlexNet's reads a flattened one behind dropout: it fits any
backbone and any size. Weights that somebody else trained may be the start, or stay as they are with a classifier fitted to them.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.foreign_weights import fill_backbone, names_backbone, read_tensors
from scenelift.adapt.initialise import initialise, without_weights
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.pictures import draw_image, draw_text, side_by_side
from scenelift.adapt.pretext.task import Pictures, PretextTask
from scenelift.adapt.weights import WeightsError, load_weights

_IMAGENET = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
_SHOWN, _TEXT_PX = 5, 220
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SupervisedSettings:
    """Which classes there are is told by the pictures."""

    name: Literal["supervised"] = "supervised"
    """Which system this is."""
    layer: str = "auto"
    """The feature map that is pooled and read; auto: the last."""
    weights: Path | None = None
    """First weights of the backbone: a file of `adapt-train`, any safetensors file or PyTorch checkpoint with its names below any
    prefix. Fed with what the file says, else with ImageNet's mean and standard deviation."""
    learns: Literal["all", "classifier"] = "all"
    """classifier: the backbone stays as it is to the bit."""

    def __post_init__(self) -> None:
        if self.learns == "classifier" and self.weights is None:
            raise ValueError("learns=classifier keeps the backbone as it is: name its weights")


class Supervised(PretextTask):
    """A classifier over the pooled last map."""

    captions = MappingProxyType({"classes": ("picture, its class and the likeliest",)})

    def __init__(
        self,
        settings: SupervisedSettings,
        backbone: Backbone,
        *,
        generator: torch.Generator,
        classes: tuple[str, ...],
    ) -> None:
        """Build the classifier, and fill the backbone if weights are named.

        Raises:
            ValueError: if there are fewer than two classes, or no such layer.
            WeightsError: if the weights do not fit the backbone.
            OSError: if their file cannot be opened.
        """
        super().__init__()
        if len(classes) < 2:
            raise ValueError(
                f"supervised learning needs pictures of two classes and more, got {len(classes)}: name them with --labelled "
                "(folders of classes, or a tar archive of them)"
            )
        name = backbone.output_layer if settings.layer == "auto" else settings.layer
        self._layer = backbone.layer(name)
        self._classes = classes
        self._frozen = settings.learns == "classifier"
        self.alters_backbone = self._frozen
        self.normalisation = (
            _IMAGENET if settings.weights is None else _fill(backbone, settings.weights)
        )
        if self._frozen:
            backbone.requires_grad_(False)
        self.classifier = without_weights(lambda: nn.Linear(self._layer.channels, len(classes)))
        initialise(self.classifier, init="default", generator=generator)

    def loss(
        self, backbone: Backbone, batch: Batch, *, clock: Clock
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Return the cross entropy over the classes."""
        if self._frozen:
            backbone.eval()  # the statistics of its batch norms stay too
        logits = self._answer(backbone, batch)
        loss = F.cross_entropy(logits, batch["label"])
        return loss, {"accuracy/top1": accuracy(logits.detach(), batch["label"], k=1)}

    def judge(self, backbone: Backbone, batch: Batch) -> dict[str, Tensor]:
        """Return the share of pictures whose class is the first answer, and among the first five, beside chance."""
        logits, label, count = self._answer(backbone, batch), batch["label"], len(self._classes)
        figures = {"loss/task": F.cross_entropy(logits, label)}
        for k in (1, 5):
            figures[f"accuracy/top{k}"] = accuracy(logits, label, k=k)
            figures[f"chance/top{k}"] = torch.tensor(min(k / count, 1.0))
        return figures

    def show(self, backbone: Backbone, batch: Batch) -> dict[str, Pictures]:
        """Show pictures beside their class and the five likeliest answers, the right one marked."""
        probabilities, answers = self._answer(backbone, batch).softmax(dim=1).sort(descending=True)
        texts = []
        for true, shares, said in zip(
            batch["label"].tolist(), probabilities.tolist(), answers.tolist(), strict=True
        ):
            told = [
                f"{'>' if answer == true else '  '} {share:4.0%} {self._classes[answer]}"
                for answer, share in list(zip(said, shares, strict=True))[:_SHOWN]
            ]
            texts.append([f"is {self._classes[true]}", *told])
        images = draw_image(batch["image"]).cpu()
        page = draw_text(texts, height=images.shape[1], width=_TEXT_PX)
        return {"classes": side_by_side(images, page)}

    def _answer(self, backbone: Backbone, batch: Batch) -> Float[Tensor, "n c"]:
        pixels = network_input(batch["image"], normalisation=self.normalisation)
        features = backbone(pixels, until=self._layer.name)
        logits: Tensor = self.classifier(features[self._layer.name].mean(dim=(2, 3)))
        return logits.float()


def accuracy(
    logits: Float[Tensor, "n c"], label: Int64[Tensor, " n"], *, k: int
) -> Float[Tensor, ""]:
    """Return the share of rows whose label is among the k greatest; of fewer classes all count.

    >>> logits = torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    >>> accuracy(logits, torch.tensor([1, 2]), k=2).item()
    0.5
    """
    best = logits.topk(min(k, logits.shape[1]), dim=1).indices
    return (best == label[:, None]).any(dim=1).float().mean()


def _fill(backbone: Backbone, path: Path) -> InputNormalisation:
    """Put a file's weights into the backbone, and return what it is to be fed."""
    if path.is_file() and names_backbone(path):
        read = load_weights(path)
        if (read.backbone.name, read.backbone.folded) != (backbone.name, backbone.folded):
            folded = ", its batch norms folded" if read.backbone.folded else ""
            raise WeightsError(f"{path}: holds {read.backbone.name}{folded}, not {backbone.name}")
        backbone.load_state_dict(read.backbone.state_dict())
        return read.input_normalisation
    told = fill_backbone(backbone, read_tensors(path), source=str(path))
    _logger.info("%s: %s; fed with ImageNet's mean and standard deviation", path, told)
    return _IMAGENET
