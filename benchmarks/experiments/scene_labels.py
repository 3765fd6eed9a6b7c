"""Scene pseudo-labels for frames that have none: a small network learns the scenes of MiniPlaces and names those of the frames.

    python -m scenelift.benchmarks.experiments.scene_labels --places miniplaces.tar --data nyuv2.tar --out nyuv2_scenes.json

The network answers among the indoor categories that occur in homes and offices (`INDOOR`). It learns all categories from random weights,
for minutes; or, with `--weights FILE`, it is a trained one that stays as it is below a linear layer on the indoor ones. What it says is far from always right: how often it is, on held-out photos of those categories, is printed beside chance
and written into the file. Figures that rest on such labels are to say "pseudo-labels".
"""

import logging
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float, UInt8
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.nn import functional as F

from scenelift.adapt.backbones import Backbone, build_backbone
from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.initialise import initialise
from scenelift.adapt.method import Clock
from scenelift.adapt.network_input import InputNormalisation, network_input
from scenelift.adapt.optimise import OptimiserSettings, make_optimiser, set_rate
from scenelift.benchmarks.experiments.runs import FAULTS, ExperimentError
from scenelift.benchmarks.network import open_network
from scenelift.benchmarks.picture_features import network_features
from scenelift.datasets.geometry import Geometry, cut_frame, draw_cut, resize_frame
from scenelift.datasets.labelled import LabelledImages, open_labelled_splits
from scenelift.datasets.loaders import Stream
from scenelift.datasets.nyud import INSIDE, NyudFrames, open_nyud
from scenelift.datasets.scene_labels import SceneLabels, write_scene_labels

INDOOR = (
    "bathroom", "bedroom", "bookstore", "classroom", "coffee_shop", "conference_room", "corridor", "dining_room",
    "kindergarden_classroom", "kitchen", "laundromat", "living_room", "lobby", "office",
)  # fmt: skip
"""Categories of MiniPlaces that NYU Depth v2's scenes can be called by."""

_INPUT = InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD)
_OPTIMISER = OptimiserSettings(
    name="adamw",
    learning_rate=1e-3,
    betas=(0.9, 0.999),
    weight_decay=0.05,
    schedule="cosine",
    warm_up=0.05,
)
_REGULARISATION = 0.01
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneLabelling:
    """Who is taught what, and who is asked about what."""

    places: Path
    """Photos with a category each: MiniPlaces, Places365, ..."""
    data: Path
    """NYU Depth v2, whose frames are to be named."""
    out: Path
    """The file to write, beside the data."""
    weights: Path | None = None
    """A trained network to put a linear layer on, instead of learning from nothing."""
    backbone: str | None = None
    """The network: that of `weights`, if the file does not say; else by default alexnet-small."""
    steps: int = 2000
    """Batches that it learns from."""
    batch_size: int = 64
    """Photos in a batch."""
    side_px: int = 64
    """Side of what it sees."""
    seed: int = 0
    """Of weights and batches."""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 1 or self.side_px < 64:
            raise ValueError(
                f"steps and batch_size must be at least 1 and side_px 64, got {self.steps}, {self.batch_size} and {self.side_px}"
            )


Scores = Callable[[UInt8[Tensor, "n 3 h w"]], Float[Tensor, "n chosen"]]
"""From pictures to a score for each of the chosen classes."""


class SceneNetwork(nn.Module):
    """A backbone and a linear layer over its pooled last map."""

    def __init__(self, backbone: str, *, num_classes: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.backbone: Backbone = build_backbone(backbone, generator=generator)
        self._layer = self.backbone.output_layer
        self.classifier = nn.Linear(self.backbone.layer(self._layer).channels, num_classes)
        initialise(self.classifier, init="default", generator=generator)

    def forward(self, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n classes"]:
        """Return a score for each class."""
        features = self.backbone(network_input(images, normalisation=_INPUT))[self._layer]
        scores: Float[Tensor, "n classes"] = self.classifier(features.mean(dim=(2, 3)))
        return scores


def main(config: SceneLabelling) -> int:
    """Teach, ask and write.

    Returns:
        0 done, 1 if the input cannot be used.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        labels = name_scenes(config)
        write_scene_labels(config.out, labels)
    except FAULTS as error:
        print(f"scene_labels: {error}", file=sys.stderr)
        return 1
    for name, number in Counter(labels.scenes.values()).most_common():
        print(f"{number:5d} {name}")
    print(f"{labels.made_by}\n{config.out}: {len(labels.scenes)} frames")
    return 0


def name_scenes(config: SceneLabelling) -> SceneLabels:
    """Teach a network, and have it name the frames of both splits.

    Raises:
        ValueError: if photos or frames cannot be used, or the photos lack the categories asked for.
        OSError: if a file cannot be read.
    """
    splits = open_labelled_splits(config.places)
    train = splits.get("train") or next(iter(splits.values()))
    held_out = splits.get("val") or splits.get("test")
    chosen = [train.classes.index(name) for name in INDOOR if name in train.classes]
    if len(chosen) < 2 or held_out is None:
        raise ExperimentError(
            f"{config.places}: wants a held-out split and at least two of the categories {', '.join(INDOOR)}"
        )
    frames = [open_nyud(config.data, split=split) for split in ("train", "test")]
    if config.weights is None:
        network = teach(config, train)
        who = f"{network.backbone.name}, {config.steps} steps on {train.title}"
        score = _among(network, chosen)
    else:
        score = fit_linear(config, config.weights, train, chosen=chosen)
        who = f"linear layer on {config.weights.stem}, learnt on {train.title}"
    right, count = held_out_accuracy(score, held_out, chosen=chosen, side_px=config.side_px)
    classes = tuple(train.classes[number] for number in chosen)
    scenes = {
        name: classes[number]
        for of_split in frames
        for name, number in name_frames(score, of_split, side_px=config.side_px)
    }
    made_by = (
        f"pseudo-labels: {who}; {right} of {count} held-out photos right "
        f"({100 * right / count:.1f} %), chance {100 / len(chosen):.1f} %"
    )
    return SceneLabels(classes=classes, scenes=scenes, made_by=made_by)


def teach(config: SceneLabelling, photos: LabelledImages) -> SceneNetwork:
    """Train a network to tell the categories of photos apart.

    Raises:
        ValueError: if a photo cannot be read, or there is no such backbone.
    """
    name = config.backbone or "alexnet-small"
    network = SceneNetwork(name, num_classes=len(photos.classes), seed=config.seed)
    network.train()
    optimiser = make_optimiser(network.parameters(), settings=_OPTIMISER)
    geometry = Geometry(
        resize_px=config.side_px * 9 // 8, crop_px=config.side_px, zoom=(0.9, 1.6), flip=True
    )
    with Stream(
        photos,
        name="scenes",
        batch_size=config.batch_size,
        geometry=geometry,
        seed=config.seed,
        cache_bytes=2**30,
    ) as stream:
        for step in range(config.steps):
            batch = next(stream)
            set_rate(optimiser, _OPTIMISER.rate(Clock(step=step, steps=config.steps)))
            loss = F.cross_entropy(network(batch["image"]), batch["label"], label_smoothing=0.1)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            if (step + 1) % max(1, config.steps // 20) == 0:
                _logger.info("step %d of %d: loss %.3f", step + 1, config.steps, loss.item())
    return network.eval()


def fit_linear(
    config: SceneLabelling, weights: Path, photos: LabelledImages, *, chosen: list[int]
) -> Scores:
    """Fit a linear layer on the standardised features of a trained network, for the chosen classes of photos and their mirror images.

    Raises:
        ValueError: if the weights cannot be used or a photo cannot be read.
        OSError: if a file cannot be read.
    """
    network = open_network(
        str(weights), backbone=config.backbone, seed=config.seed, device=torch.device("cpu")
    )
    features = network_features(network, name=weights.stem)
    asked = [index for index in range(len(photos)) if photos.label(index) in chosen]
    images = torch.stack([_square(photos.image(index), side_px=config.side_px) for index in asked])
    read = torch.cat([features.of(images), features.of(images.flip(-1))]).numpy()
    labels = [chosen.index(photos.label(index)) for index in asked]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=_REGULARISATION, max_iter=500))
    model.fit(read, labels + labels)

    return lambda images: torch.from_numpy(
        model.decision_function(features.of(images).numpy())
    ).float()


@torch.no_grad()
def answers(score: Scores, images: UInt8[Tensor, "n 3 h w"]) -> Float[Tensor, "n chosen"]:
    """Return probabilities among the chosen classes, of pictures and their mirror images together."""
    return torch.stack([score(side).softmax(dim=1) for side in (images, images.flip(-1))]).mean(
        dim=0
    )


def held_out_accuracy(
    score: Scores, photos: LabelledImages, *, chosen: list[int], side_px: int
) -> tuple[int, int]:
    """Return how many photos of the chosen classes are named right, and how many there are.

    Raises:
        ValueError: if a photo cannot be read, or none is of these classes.
    """
    asked = [index for index in range(len(photos)) if photos.label(index) in chosen]
    if not asked:
        raise ExperimentError(
            f"{photos.title}: no held-out photo of the categories {', '.join(INDOOR)}"
        )
    images = torch.stack([_square(photos.image(index), side_px=side_px) for index in asked])
    said = answers(score, images).argmax(dim=1).tolist()
    right = sum(chosen[s] == photos.label(index) for s, index in zip(said, asked, strict=True))
    return right, len(asked)


def name_frames(score: Scores, frames: NyudFrames, *, side_px: int) -> list[tuple[str, int]]:
    """Return the name of each frame and the number of its class among the chosen ones.

    Raises:
        NyudError: if a frame cannot be read.
    """
    found: list[tuple[str, int]] = []
    for start in range(0, len(frames), 64):
        indices = range(start, min(start + 64, len(frames)))
        images = torch.stack([_square(frames.image(i)[INSIDE], side_px=side_px) for i in indices])
        said = answers(score, images).argmax(dim=1).tolist()
        found += [(frames.name(i), number) for i, number in zip(indices, said, strict=True)]
    return found


def _among(network: SceneNetwork, chosen: list[int]) -> Scores:
    return lambda images: network(images)[:, chosen]


def _square(image: UInt8[np.ndarray, "h w 3"], *, side_px: int) -> UInt8[Tensor, "3 side side"]:
    """Cut the middle of a picture."""
    frame = resize_frame({"image": image}, resize_px=side_px * 9 // 8)
    height, width = frame["image"].shape[:2]
    geometry = Geometry(resize_px=side_px * 9 // 8, crop_px=side_px)
    cut = draw_cut(height=height, width=width, geometry=geometry, rng=None)
    return torch.from_numpy(cut_frame(frame, cut, crop_px=side_px)["image"]).permute(2, 0, 1)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(SceneLabelling)))
