"""Detection on PASCAL VOC: a network's features fine-tuned inside Fast R-CNN, or inside Faster R-CNN as the modern track.

The stock recipe is that of Fast R-CNN for CaffeNet (Girshick, ICCV 2015, and its released configuration): two pictures and 128
regions a step, 25 % foreground, rate 0.001 down to a tenth at 30,000 of 40,000 steps, scale 600, suppression at 0.3. The recipe
of later tables of self-supervised AlexNets (`convention`: 150,000 steps, rate 0.002, a tenth each 50,000, several scales in
training, conv1 not frozen) is told from paper to paper; nobody has released it, and its card says so.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scenelift.adapt.network_input import network_input
from scenelift.benchmarks.card import Figure, Outcome
from scenelift.benchmarks.detection.boxes import resized_size
from scenelift.benchmarks.detection.fast_rcnn import FoundBoxes, Keeping
from scenelift.benchmarks.detection.fast_training import FastSettings, detect_fast, train_fast
from scenelift.benchmarks.detection.faster_rcnn import (
    FasterSettings,
    build_faster,
    detect_faster,
    train_faster,
)
from scenelift.benchmarks.detection.judge import (
    chance_detections,
    detection_figures,
    join_found,
    recall_figures,
)
from scenelift.benchmarks.detection.parts import Parts, open_parts
from scenelift.benchmarks.detection.pictures import Pictures, true_boxes
from scenelift.benchmarks.detection.proposal_file import Proposals
from scenelift.benchmarks.detection.proposal_run import (
    compute_proposals,
    proposals_from_file,
    recall_by_count,
)
from scenelift.benchmarks.detection.proposals import ProposalSettings
from scenelift.benchmarks.detection.training import Schedule, Sizes, resized
from scenelift.benchmarks.detection.trunk import (
    Trunk,
    detection_layer,
    prepared_backbone,
    rescaled_backbone,
)
from scenelift.benchmarks.metrics.average_precision import Definition
from scenelift.benchmarks.metrics.scores import ScoresError
from scenelift.benchmarks.metrics.scores_file import write_detections
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.task import BenchError, Job, Work
from scenelift.datasets.voc import VOC_CLASSES, VocError

Track = Literal["fast", "faster"]

_CALIBRATION_PICTURES = 64
_CALIBRATION_PX = 227
"""What every network takes, that with linear layers too."""
_SECONDS_A_PICTURE: Mapping[str, float] = {"light": 0.06, "fast": 0.15, "quality": 1.5}
"""Of selective search over 224 x 168 pixels on one core."""
_RECALL_AT = (50, 100, 200, 300, 500, 1000, 2000)


@dataclass(frozen=True, kw_only=True, slots=True)
class VocDetectionTask:
    """Settings; `paper` and `desk` make them."""

    track: Track = "fast"
    """`fast` learns from proposals that are given; `faster` makes its own."""
    year: int | None = None
    """2007 or 2012, where the data hold both."""
    layer: str | None = None
    """What regions are pooled from; None: conv5 of an AlexNet, else the last."""
    frozen: tuple[str, ...] = ("conv1",)
    """Beginnings of names of the parameters that stay as they are."""
    recalibrate: bool = False
    """Let batch norms measure 64 training pictures anew before they are folded into convolutions."""
    rescale: bool = True
    """Bring layers to one rate of learning after that: what was trained with batch norm hardly learns without (the deep context
    network's authors, and users of others, found so)."""
    proposals: ProposalSettings = field(default_factory=ProposalSettings)
    """How boxes are proposed (`fast`)."""
    proposal_file: Path | None = None
    """Take them from a file instead: `.npz`, or `.mat` as published with R-CNN."""
    proposal_cache: Path | None = None
    """Folder where computed boxes are kept, which runs may share; None: the job's own."""
    workers: int = 2
    """Threads that propose; they do not change the result."""
    fast: FastSettings = field(default_factory=FastSettings)
    faster: FasterSettings = field(default_factory=FasterSettings)
    sizes: Sizes = field(default_factory=Sizes)
    schedule: Schedule = field(default_factory=Schedule)
    keeping: Keeping = field(default_factory=Keeping)
    learn_limit: int | None = None
    """Learn from at most so many pictures, drawn by the seed."""
    judge_limit: int | None = None
    """Judge at most so many."""
    unverified: str = ""
    """What about these settings nobody has confirmed; goes to the card."""

    @property
    def name(self) -> str:
        """What the command calls it."""
        return "voc-detection"

    def work(self, network: Network, *, job: Job) -> Work:
        """Say how much there is to do.

        Raises:
            BenchError: if the data cannot be used.
        """
        parts = self._parts(job)
        wide, high = _typical_size(parts.learn)
        train_px = np.mean(
            [
                np.prod(
                    resized_size(
                        width=wide,
                        height=high,
                        short_px=short,
                        longest_px=self.sizes.train_longest_px,
                    )
                )
                for short in self.sizes.train_short_px
            ]
        )
        test_px = np.prod(
            resized_size(
                width=wide,
                height=high,
                short_px=self.sizes.test_short_px,
                longest_px=self.sizes.test_longest_px,
            )
        )
        proposing = self.track == "fast" and self.proposal_file is None
        relative_px = wide * high / (224 * 168)
        each_s = _SECONDS_A_PICTURE[self.proposals.mode] * relative_px / max(1, self.workers)
        return Work(
            forward_px=float(test_px) * len(parts.judge),
            trained_px=float(train_px) * self.schedule.steps * self._pictures_a_step,
            other_s=each_s * (len(parts.learn) + len(parts.judge)) if proposing else 0.0,
        )

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Train a detector, detect, and judge; `detections.npz` in the job's folder holds what was found.

        Raises:
            BenchError: if the data, proposals or network cannot be used; one line.
            OSError: if something cannot be read or written.
        """
        parts = self._parts(job)
        try:
            return self._run(network, parts, job=job)
        except (VocError, ScoresError) as error:
            raise BenchError(str(error)) from error

    def _run(self, network: Network, parts: Parts, *, job: Job) -> Outcome:
        truth = true_boxes(parts.judge)
        if not (~truth.difficult).any():
            raise BenchError(f"{job.data}: the judged pictures show no object that is asked for")
        proposals = self._proposals(parts, job=job) if self.track == "fast" else None
        trunk, prepared = self._trunk(network, parts.learn, seed=job.seed)
        if proposals is not None:
            found, losses, sentence = self._fast(network, trunk, parts, proposals, job=job)
        else:
            found, losses, sentence = self._faster(network, trunk, parts, job=job)
        detections = join_found(found)
        write_detections(job.out / "detections.npz", detections, truth=truth)
        headline: Definition = "voc07" if parts.year in (None, 2007) else "area"
        chance = chance_detections(
            parts.judge, proposals=proposals, num_classes=len(VOC_CLASSES), seed=job.seed
        )
        figures = detection_figures(detections, truth, headline=headline, chance=chance)
        if proposals is not None:
            figures += self._recall(parts.judge, proposals)
        return Outcome(
            protocol=self._protocol(trunk, losses=losses, headline=headline),
            data=parts.data,
            figures=figures,
            notes=self._notes(trunk, said=(sentence, prepared), parts=parts, classes=figures),
        )

    def _fast(
        self, network: Network, trunk: Trunk, parts: Parts, proposals: Proposals, *, job: Job
    ) -> tuple[list[FoundBoxes], list[float], str]:
        model, losses, sentence = train_fast(
            network,
            trunk,
            pictures=parts.learn,
            proposals=proposals,
            settings=self.fast,
            sizes=self.sizes,
            schedule=self.schedule,
            seed=job.seed,
            progress=job.progress,
        )
        found = detect_fast(
            model,
            network,
            pictures=parts.judge,
            proposals=proposals,
            sizes=self.sizes,
            keeping=self.keeping,
            progress=job.progress,
        )
        return found, losses, sentence

    def _faster(
        self, network: Network, trunk: Trunk, parts: Parts, *, job: Job
    ) -> tuple[list[FoundBoxes], list[float], str]:
        model, sentence = build_faster(
            network,
            trunk,
            settings=self.faster,
            sizes=self.sizes,
            keeping=self.keeping,
            seed=job.seed,
        )
        losses = train_faster(
            model,
            network,
            pictures=parts.learn,
            settings=self.faster,
            sizes=self.sizes,
            schedule=self.schedule,
            seed=job.seed,
            progress=job.progress,
        )
        found = detect_faster(
            model, network, pictures=parts.judge, keeping=self.keeping, progress=job.progress
        )
        return found, losses, sentence

    @property
    def _pictures_a_step(self) -> int:
        return self.fast.sampling.pictures if self.track == "fast" else self.faster.pictures

    def _parts(self, job: Job) -> Parts:
        return open_parts(
            job, year=self.year, learn_limit=self.learn_limit, judge_limit=self.judge_limit
        )

    def _proposals(self, parts: Parts, *, job: Job) -> Proposals:
        both = Pictures(places=parts.learn.places + parts.judge.places)
        if self.proposal_file is not None:
            return proposals_from_file(
                self.proposal_file, pictures=both, max_boxes=self.proposals.max_boxes
            )
        return compute_proposals(
            both,
            settings=self.proposals,
            fingerprint=parts.layout_sha256,
            cache=self.proposal_cache or job.out,
            workers=self.workers,
            progress=job.progress,
        )

    def _trunk(self, network: Network, learn: Pictures, *, seed: int) -> tuple[Trunk, str]:
        """Return the trunk and a sentence on how its weights were prepared."""
        squares = None
        if self.recalibrate or self.rescale:
            squares = _squares(learn, network=network)
        own = prepared_backbone(network.backbone, calibration=squares if self.recalibrate else None)
        sentence = "Layers are not rescaled."
        if self.rescale and squares is not None:
            own, sentence = rescaled_backbone(own, pictures=squares, seed=seed)
        layer = detection_layer(network.backbone) if self.layer is None else self.layer
        return Trunk(own, layer=layer, frozen=self.frozen), sentence

    def _recall(self, judge: Pictures, proposals: Proposals) -> tuple[Figure, ...]:
        most = max((len(boxes) for boxes in proposals.values()), default=0)
        counts = (*(count for count in _RECALL_AT if count < most), most)
        return recall_figures(recall_by_count(judge, proposals, counts=counts))

    def _protocol(
        self, trunk: Trunk, *, losses: list[float], headline: Definition
    ) -> dict[str, Any]:
        last = losses[-max(1, len(losses) // 10) :]
        settings = asdict(self)
        for name in ("proposal_file", "proposal_cache"):
            settings[name] = None if settings[name] is None else str(settings[name])
        del settings["proposal_cache"], settings["workers"]  # they change nothing
        return {
            **settings,
            "layer": trunk.layer,
            "pad_px": trunk.pad_px,
            "shift_px": trunk.shift_px,
            "headline": headline,
            "loss_first": losses[0],
            "loss_last_tenth": float(np.mean(last)),
        }

    def _notes(
        self, trunk: Trunk, *, said: tuple[str, str], parts: Parts, classes: tuple[Figure, ...]
    ) -> tuple[str, ...]:
        notes = [
            f"Regions are pooled from {trunk.layer}; {said[0]}.",
            (
                f"Pictures are padded by {trunk.pad_px} zero pixels on each side, so that positions lie where regions expect them "
                "(the published definition pads within its layers)."
            ),
            "Batch norm is folded into convolutions, which are then trained"
            + (
                "; before, it measured its statistics anew on 64 training pictures."
                if self.recalibrate
                else "."
            ),
            said[1],
            f"Scores, not a threshold, decide which {self.keeping.max_boxes} boxes of a picture are kept."
            if self.keeping.min_score == 0
            else f"Detections below a score of {self.keeping.min_score:g} are dropped.",
            "Difficult objects are neither learnt from nor counted.",
        ]
        if self.track == "fast" and self.proposal_file is None:
            notes.append(_proposal_note(self.proposals))
        judged = {figure.group for figure in classes if figure.name == "AP"}
        absent = [name for name in VOC_CLASSES if name not in judged]
        if absent:
            notes.append(
                f"No object among the judged pictures: {', '.join(absent)}; left out of means."
            )
        if len(parts.learn) and (self.learn_limit or self.judge_limit):
            notes.append(
                f"Of the pictures {len(parts.learn)} were learnt from and {len(parts.judge)} judged, drawn by the seed."
            )
        if self.unverified:
            notes.append(self.unverified)
        return tuple(notes)


def paper(
    *, track: Track = "fast", convention: Literal["stock", "krahenbuhl"] = "stock"
) -> VocDetectionTask:
    """Return the published recipe.

    Args:
        track: `faster` takes the schedule of Faster R-CNN for VOC (70,000 steps, a tenth at 50,000; one picture a step there,
            two here).
        convention: `stock`, as released with Fast R-CNN for CaffeNet; `krahenbuhl`, as later tables are said to have used.
    """
    published = ProposalSettings(width_px=500)
    if track == "faster":
        return VocDetectionTask(
            track="faster",
            sizes=Sizes(train_short_px=(600,), train_longest_px=1000),
            schedule=Schedule(steps=70_000, milestones=(50_000,)),
            keeping=Keeping(min_score=0.05),
        )
    if convention == "krahenbuhl":
        return VocDetectionTask(
            proposals=published,
            frozen=(),
            schedule=Schedule(
                steps=150_000, learning_rate=2e-3, milestones=(50_000, 100_000), clip_norm=None
            ),
            unverified="Steps, rate, milestones, scales and the free conv1 of this convention are hearsay: no configuration was "
            "released.",
        )
    return VocDetectionTask(
        proposals=published, sizes=Sizes(train_short_px=(600,), train_longest_px=1000)
    )


def desk(*, track: Track = "fast") -> VocDetectionTask:
    """Return a recipe of some minutes on two processor cores, for a small network and pictures of some 200 pixels."""
    return VocDetectionTask(
        track=track,
        frozen=(),
        recalibrate=True,
        proposals=ProposalSettings(mode="light", max_boxes=300),
        fast=FastSettings(hidden=256),
        faster=FasterSettings(anchor_sides_px=(32, 64, 128, 256), hidden=256, test_proposals=100),
        sizes=Sizes(
            train_short_px=(192, 240, 288),
            train_longest_px=480,
            test_short_px=240,
            test_longest_px=400,
        ),
        schedule=Schedule(
            steps=2000, learning_rate=0.01, milestones=(1500,), warm_up=50, clip_norm=10.0
        ),
        learn_limit=1000,
        judge_limit=500,
    )


def _proposal_note(settings: ProposalSettings) -> str:
    if settings.source == "edge-boxes":
        return (
            "Edge boxes over thinned colour gradients: OpenCV ships no structured forest, whose edges the published ones use and "
            "which find more."
        )
    return (
        f"Selective search ({settings.mode}) by OpenCV, up to {settings.max_boxes} boxes a picture, ordered by rank of area times a "
        "random number of the picture's own; not the boxes published with R-CNN, so figures differ by their recall."
    )


def _typical_size(pictures: Pictures) -> tuple[int, int]:
    """Return width and height of the first picture."""
    try:
        height, width = pictures.image(0).shape[:2]
    except VocError as error:
        raise BenchError(str(error)) from error
    return width, height


def _squares(pictures: Pictures, *, network: Network) -> Float[Tensor, "n 3 side side"]:
    """Return the middles of the first pictures, normalised."""
    squares, side_px = [], _CALIBRATION_PX
    for index in range(min(_CALIBRATION_PICTURES, len(pictures))):
        image = resized(pictures.image(index), short_px=side_px, longest_px=100 * side_px)
        top, left = ((side - side_px) // 2 for side in image.shape[:2])
        squares.append(image[top : top + side_px, left : left + side_px])
    stack = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2)
    return network_input(stack.to(network.device), normalisation=network.normalisation)
