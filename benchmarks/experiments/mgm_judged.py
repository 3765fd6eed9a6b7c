"""What a finished run of the comparison is worth: dense figures on held-out frames, and how its generated pictures look."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from scenelift.adapt.checkpoint import CheckpointError, list_checkpoints, load_checkpoint
from scenelift.adapt.mgm.hash_noise import normal
from scenelift.adapt.mgm.load import load_multi_task, read_configuration
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.networks import INPUT
from scenelift.adapt.network_input import network_input
from scenelift.adapt.pictures import draw_grid, draw_image, side_by_side, write_png
from scenelift.benchmarks.dense_judge import Maps, judge_split
from scenelift.benchmarks.experiments.runs import Run
from scenelift.benchmarks.metrics.distribution import frechet_distance, kernel_distance
from scenelift.benchmarks.nearest import nearest
from scenelift.benchmarks.picture_features import PictureFeatures
from scenelift.datasets.dense import DenseSource
from scenelift.datasets.geometry import Geometry
from scenelift.datasets.loaders import Stream

_JUDGED = "judged.json"
_BATCH = 64
_SHOWN = 8
_SUBSETS = 50

Images = UInt8[Tensor, "n 3 h w"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sight:
    """Real pictures as generators see them, and what they are compared by."""

    real: Images
    """Crops of training frames."""
    scenes: Int64[Tensor, " n"]
    """Of these crops, -1 unknown."""
    real_features: Float[Tensor, "n d"]
    by: PictureFeatures


def judge_run(run: Run, test: DenseSource) -> Mapping[str, float]:
    """Judge encoder and decoders of a finished run on held-out frames, once: the figures stay in its folder.

    Raises:
        ValueError: if the run's checkpoint or a frame cannot be used.
        OSError: if a file cannot be read or written.
    """

    def judge() -> dict[str, float]:
        cpu = torch.device("cpu")
        network, facts = load_multi_task(run.folder, device=cpu)

        @torch.no_grad()
        def answer(images: Images) -> Maps:
            maps: Maps = network(network_input(images, normalisation=INPUT))
            return maps

        return judge_split(
            answer, test, num_classes=len(facts.semantic_classes), side=facts.size_px
        )

    return _once(run.folder / _JUDGED, judge)


def see_real(source: DenseSource, *, geometry: Geometry, by: PictureFeatures, count: int) -> Sight:
    """Cut training frames as training does.

    Raises:
        ValueError: if a frame cannot be read.
    """
    crops: list[Tensor] = []
    scenes: list[Tensor] = []
    with Stream(
        source, name="reference", batch_size=min(_BATCH, len(source)), geometry=geometry, seed=0
    ) as stream:
        while sum(map(len, crops)) < count:
            batch = next(stream)
            crops.append(batch["image"])
            scenes.append(batch["label"])
    real = torch.cat(crops)[:count]
    return Sight(real=real, scenes=torch.cat(scenes)[:count], real_features=by.of(real), by=by)


def judge_generator(run: Run, sight: Sight) -> Mapping[str, float]:
    """Compare what a run's generator makes with real pictures, and draw samples above their nearest real ones.

    Args:
        run: A finished run with a generator.
        sight: The real pictures; one is made for each, of its scene.

    Raises:
        ValueError: if the run's checkpoint cannot be used.
        OSError: if a file cannot be read or written.
    """

    def judge() -> dict[str, float]:
        made = generate(last_checkpoint(run.folder), sight)
        features = sight.by.of(made)
        _, found = nearest(features[:_SHOWN], sight.real_features, k=1)
        pairs = torch.stack([draw_image(made[:_SHOWN]), draw_image(sight.real[found[:, 0]])], dim=1)
        write_png(run.folder / "nearest.png", draw_grid(side_by_side(*pairs)))
        return distances(features, sight.real_features, by=sight.by)

    return _once(run.folder / "judged_generator.json", judge)


def distances(
    first: Float[Tensor, "n d"], second: Float[Tensor, "m d"], *, by: PictureFeatures
) -> dict[str, float]:
    """Return kernel and Frechet distance under the names that say whose features they rest on.

    Raises:
        ValueError: if features are not finite.
    """
    one, other = first.numpy(), second.numpy()
    kernel = kernel_distance(
        one, other, subsets=_SUBSETS, subset_size=500, rng=np.random.default_rng(0)
    )
    return {by.kernel_name: kernel.mean, by.frechet_name: frechet_distance(one, other)}


def last_checkpoint(folder: Path) -> Path:
    """Return the last checkpoint of a run.

    Raises:
        CheckpointError: if it has none.
    """
    found = list_checkpoints(folder / "checkpoints")
    if not found:
        raise CheckpointError(f"{folder}: holds no checkpoint; name the folder of a training run")
    return found[-1]


@torch.no_grad()
def generate(checkpoint: Path, sight: Sight) -> Images:
    """Make a picture for each real one, with the running average of a run's generator; always of the same noise.

    Where the run has a middle network, the generator starts from what the encoder sees in the real picture, as it does in training.

    Raises:
        CheckpointError: if the run has no generator, or its checkpoint is damaged.
        OSError: if it cannot be read.
    """
    whole = load_checkpoint(checkpoint)
    settings, facts = read_configuration(checkpoint, whole)
    if settings.further != "gan":
        raise CheckpointError(
            f"{checkpoint}: its run has no generator; name one that trained a GAN"
        )
    if sight.scenes.numel() and int(sight.scenes.max()) >= len(facts.scenes):
        raise CheckpointError(
            f"{checkpoint}: its run knew {len(facts.scenes)} scene classes, fewer than the frames show"
        )
    state = whole["method"]
    alone = replace(settings, gan_from=None, gan_steps=0, further_labels="none", annotator=None)
    method = Mgm(alone, facts=facts, seed=0, device=torch.device("cpu"))
    generator = method.networks()["generator"]
    generator.load_state_dict(state["average"]["networks"]["generator"])
    generator.eval()
    middle = method.networks().get("middle")
    if middle is not None:
        for name in ("backbone", "middle"):
            method.networks()[name].load_state_dict(state["networks"][name])
        middle.eval()
    label = torch.where(sight.scenes < 0, len(facts.scenes), sight.scenes)
    z = normal(torch.arange(len(label)), shape=(settings.gan.z_dim,), salt=1)
    made = []
    for start in range(0, len(label), _BATCH):
        part = slice(start, start + _BATCH)
        noise = z[part]
        if middle is not None:
            noise = noise + middle(method.features({"image": sight.real[part]}))
        made.append(generator(noise, label[part]))
    return ((torch.cat(made).float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def _once(path: Path, judge: Callable[[], dict[str, float]]) -> Mapping[str, float]:
    """Read figures, or find and keep them."""
    if path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(value) for name, value in kept.items()}
    figures = judge()
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    part.replace(path)
    return figures
