"""VOC classification: support vector machines on frozen features, and fine-tuning of fc8, fc6 to fc8 or all layers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32

from scenelift.adapt.backbones import Backbone
from scenelift.adapt.network_input import network_input
from scenelift.adapt.rescale import rescale
from scenelift.benchmarks.card import Figure, Outcome
from scenelift.benchmarks.linear_svm import SvmSettings, one_vs_rest
from scenelift.benchmarks.metrics.explain import Explained, explain
from scenelift.benchmarks.metrics.scores import ClassificationScores, ScoresError
from scenelift.benchmarks.metrics.scores_file import write_classification
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError, Job, Work
from scenelift.benchmarks.voc_classifier import (
    OWN,
    Mode,
    VocClassifier,
    describe_head,
    prepare_backbone,
)
from scenelift.benchmarks.voc_features import pooled_features
from scenelift.benchmarks.voc_fine_tuning import Schedule, crop_logits, fine_tune
from scenelift.benchmarks.voc_parts import (
    CropSettings,
    LabelledPictures,
    VocParts,
    find_parts,
    open_parts,
)
from scenelift.datasets.voc import VOC_CLASSES, VocError

_RESCALED_ON = 16
_AREA_FROM_YEAR = 2010
_DECODE_S_PER_PX = 2.5e-8


@dataclass(frozen=True, kw_only=True, slots=True)
class VocClassificationTask:
    """Twenty classes, several of which may be in a picture; difficult ones are ignored, in learning and in judging."""

    schedule: Schedule
    """Of every mode of fine-tuning."""
    modes: tuple[Literal["svm", "fc8", "fc6-8", "all"], ...] = ("svm", "fc8", "fc6-8", "all")
    """`svm`: linear support vector machines on frozen features. The others fine-tune: the new layer alone, the fully connected
    ones (the convolutions stay frozen), or all."""
    year: int | None = None
    """Which layout, where a devkit holds several."""
    crop_px: int = 227
    """Side of the crops in fine-tuning."""
    scales: tuple[float, float] = (0.5, 2.0)
    """How much a picture is magnified before a crop."""
    test_crops: int = 10
    """Random crops whose logits are summed."""
    rescale: bool = True
    """Whether layers are rescaled to one rate of learning before fine-tuning (`adapt/rescale.py`)."""
    dropout: float = 0.5
    """After fc6 and fc7."""
    hidden: int = 1024
    """Width of new fc6 and fc7, where a network has none and `fc6-8` asks for them."""
    svm: SvmSettings = field(default_factory=SvmSettings)
    svm_layers: tuple[str, ...] | None = None
    """None: the last map of the convolutions."""
    svm_resize_px: int = 256
    """What the shorter side is resized to before the middle is cut out."""
    svm_crop_px: int = 224
    test_batch: int = 32

    def __post_init__(self) -> None:
        if not self.modes or len(set(self.modes)) != len(self.modes):
            raise ValueError(f"modes must name one or more, each once, got {self.modes}")
        low, high = self.scales
        if not 0 < low <= high:
            raise ValueError(f"scales must be positive and rise, got {self.scales}")
        if min(self.crop_px, self.test_crops, self.hidden, self.test_batch, self.svm_crop_px) < 1:
            raise ValueError("sizes, crops and batches must be at least 1")
        if self.svm_crop_px > self.svm_resize_px:
            raise ValueError(
                f"svm_crop_px {self.svm_crop_px} exceeds svm_resize_px {self.svm_resize_px}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, got {self.dropout}")

    @property
    def name(self) -> str:
        """What the command calls it."""
        return "voc-classification"

    def work(self, network: Network, *, job: Job) -> Work:
        """Say how much there is to do.

        Raises:
            BenchError: if the data cannot be used.
        """
        parts = find_parts(job, year=self.year)
        learn, judge = len(parts.learn), len(parts.judge)
        crop = float(self.crop_px**2)
        learnt = crop * self.schedule.iterations * self.schedule.batch_size
        forward = trained = other = 0.0
        for mode in self.modes:
            if mode == "svm":
                forward += (learn + judge) * float(self.svm_crop_px**2)
                other += len(self._layers(network)) * _svm_seconds(learn, folds=self.svm.folds)
                continue
            forward += judge * self.test_crops * crop
            if mode == "all":
                trained += learnt
            else:
                forward += learnt
        # Pictures of 500 x 375 at most, decoded once where they fit into memory.
        other += (learn + judge) * 500 * 375 * _DECODE_S_PER_PX
        return Work(forward_px=forward, trained_px=trained, other_s=other)

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Measure.

        Raises:
            BenchError: if the data cannot be used, the crops do not fit the network, or learning diverges.
            OSError: if scores cannot be written.
        """
        layers = self._layers(network)
        parts = open_parts(job, year=self.year)
        run = _Run(task=self, network=network, job=job, parts=parts)
        try:
            for mode in self.modes:
                if mode == "svm":
                    run.machines(layers)
                else:
                    run.fine_tuning(mode)
        except VocError as error:
            raise BenchError(str(error)) from error
        return Outcome(
            protocol={**asdict(self), "definitions": run.definitions},
            data=parts.data,
            figures=tuple(run.figures),
            notes=tuple(dict.fromkeys(run.notes)),
        )

    def _layers(self, network: Network) -> tuple[str, ...]:
        """Return the layers whose features machines are learnt on."""
        backbone = network.backbone
        if self.svm_layers is None:
            return ([layer.name for layer in backbone.layers if layer.name not in OWN][-1],)
        try:
            return tuple(backbone.layer(layer).name for layer in self.svm_layers)
        except ValueError as error:
            raise BenchError(str(error)) from error


def desk() -> VocClassificationTask:
    """Minutes on two cores for `alexnet-small` and photos of 224 pixels.

    Crops of 112 pixels see as much of these photos as 227 do of the published ones; the schedule has a thirteenth of the
    published length and ten times its rate; at a hundred times, networks die.
    """
    return VocClassificationTask(
        modes=("svm", "fc8", "all"),
        schedule=Schedule(iterations=6000, learning_rate=0.01),
        crop_px=112,
        svm_resize_px=160,
        svm_crop_px=144,
    )


def paper() -> VocClassificationTask:
    """The published protocol: 80,000 iterations; the column of tables is `all`.

    Ren and Lee's figures are for `fully_connected_rate=10`.
    """
    return VocClassificationTask(schedule=Schedule(iterations=80_000))


class _Run:
    """One run: what the modes have in common."""

    def __init__(
        self, *, task: VocClassificationTask, network: Network, job: Job, parts: VocParts
    ) -> None:
        self.task, self.network, self.job, self.parts = task, network, job, parts
        self.figures: list[Figure] = []
        self.notes: list[str] = []
        self.definitions: dict[str, Any] = {}
        self._crops = CropSettings(crop_px=task.crop_px, scales=task.scales, seed=job.seed)

    def machines(self, layers: Sequence[str]) -> None:
        """Learn support vector machines on frozen features, one set for each layer."""
        task = self.task
        learn, judge = (
            pooled_features(
                self.network,
                pictures,
                layers=layers,
                resize_px=task.svm_resize_px,
                crop_px=task.svm_crop_px,
                batch_size=task.test_batch,
                tell=self._teller("features", len(pictures)),
            )
            for pictures in (self.parts.learn, self.parts.judge)
        )
        for number, layer in enumerate(layers):
            self.job.progress("support vector machines", number, len(layers))
            found = one_vs_rest(
                learn[layer],
                judge[layer],
                labels=self.parts.learn.labels,
                names=self.parts.learn.names,
                seed=self.job.seed,
                settings=task.svm,
            )
            self.definitions[f"C of svm on {layer}"] = {
                name: None if np.isnan(cost) else float(cost)
                for name, cost in zip(VOC_CLASSES, found.costs, strict=True)
            }
            dimensions = learn[layer].shape[1]
            self._judge(
                found.scores,
                group="svm",
                layer=layer,
                how=f"linear support vector machines on {layer} averaged to {dimensions} numbers, length 1",
            )
        self.job.progress("support vector machines", len(layers), len(layers))

    def fine_tuning(self, mode: Mode) -> None:
        """Fine-tune, and judge by several crops and by one."""
        task, job = self.task, self.job
        generator = torch.Generator().manual_seed(job.seed)
        classifier = VocClassifier(
            self._backbone(generator),
            mode=mode,
            num_classes=len(VOC_CLASSES),
            hidden=task.hidden,
            dropout=task.dropout,
            generator=generator,
        )
        self.definitions[f"head of {mode}"] = describe_head(classifier)
        fine_tune(
            classifier,
            self.parts.learn,
            normalisation=self.network.normalisation,
            schedule=task.schedule,
            crops=self._crops,
            tell=self._teller(f"fine-tuning {mode}", task.schedule.iterations),
        )
        logits = crop_logits(
            classifier,
            self.parts.judge,
            normalisation=self.network.normalisation,
            crops=self._crops,
            num_crops=task.test_crops,
            batch_size=task.test_batch,
            tell=self._teller(f"judging {mode}", len(self.parts.judge) * task.test_crops),
        )
        how = f"fine-tuning of {mode}, logits of {task.test_crops} random crops summed"
        self._judge(logits.sum(axis=1), group=mode, layer="", how=how)
        if task.test_crops > 1:
            how = f"fine-tuning of {mode}, one random crop"
            self._judge(logits[:, 0], group=f"{mode}, one crop", layer="", how=how, classes=False)

    def _backbone(self, generator: torch.Generator) -> Backbone:
        """Copy the backbone, fold its batch norm and rescale it."""
        try:
            backbone = prepare_backbone(self.network.backbone, crop_px=self.task.crop_px)
        except ValueError as error:
            raise BenchError(str(error)) from error
        self.notes.append("batch norm is folded into the convolutions before fine-tuning")
        if not self.task.rescale:
            return backbone
        learn = self.parts.learn
        wanted = [(index, 0) for index in range(min(_RESCALED_ON, len(learn)))]
        images = learn.random_crops(wanted, settings=self._crops, learn=False)
        pictures = network_input(
            images.to(self.network.device), normalisation=self.network.normalisation
        )
        try:
            return rescale(backbone, pictures=pictures, generator=generator)
        except ValueError as error:
            self.notes.append(f"layers are not rescaled: {error}")
            return backbone

    def _judge(
        self,
        scores: Float32[np.ndarray, "n c"],
        *,
        group: str,
        layer: str,
        how: str,
        classes: bool = True,
    ) -> None:
        """Save scores and read every definition from the file."""
        judge: LabelledPictures = self.parts.judge
        path = self.job.out / f"scores-{'-'.join(f'{group} {layer}'.replace(',', '').split())}.npz"
        try:
            saved = ClassificationScores(
                names=judge.names, classes=VOC_CLASSES, scores=scores, labels=judge.labels
            )
            write_classification(path, saved)
            explained = explain(path)
        except ScoresError as error:
            raise BenchError(f"{group}: {error}") from error
        area = self.parts.year is not None and self.parts.year >= _AREA_FROM_YEAR
        headline = next(e for e in explained if e.name == ("area" if area else "11-point"))
        if not np.isfinite(headline.mean):
            raise BenchError(
                f"{self.job.data}: no class is present in any of {len(judge)} judged pictures"
            )
        for item in explained:
            name = "mAP" if item is headline else f"mAP, {item.name}"
            self.figures.append(
                _figure(name, item.mean, item=item, group=group, layer=layer, how=how)
            )
        if classes:
            self.figures += _class_figures(headline, group=group, layer=layer, how=how)
        if headline.left_out:
            self.notes.append(
                f"classes without a positive among the judged pictures are left out: {', '.join(headline.left_out)}"
            )

    def _teller(self, what: str, total: int) -> "_Teller":
        return _Teller(what=what, total=total, job=self.job)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Teller:
    """Tells progress on one thing."""

    what: str
    total: int
    job: Job

    def __call__(self, done: int) -> None:
        self.job.progress(self.what, done, self.total)


def _class_figures(item: Explained, *, group: str, layer: str, how: str) -> list[Figure]:
    return [
        _figure("AP", value, item=item, group=f"{group}/{name}", layer=layer, how=how)
        for name, value in zip(VOC_CLASSES, item.per_class.tolist(), strict=True)
        if np.isfinite(value)
    ]


def _figure(
    name: str, value: float, *, item: Explained, group: str, layer: str, how: str
) -> Figure:
    return Figure(
        name=name,
        value=100 * value,
        unit="%",
        better="higher",
        definition=f"{item.name}: {item.definition} Scores of {how}; difficult ignored.",
        layer=layer,
        group=group,
    )


def _svm_seconds(count: int, *, folds: int) -> float:
    """Estimate the machines' time for twenty classes: linear systems of the pictures within the margin."""
    return 12.0 * float((count / 1500) ** 2.7) * folds / 3
