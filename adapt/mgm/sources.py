"""The pictures of a run of this method: labelled frames, and further pictures whose scenes are counted as those of the labelled ones."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenelift.adapt.config import RunError, TrainContent
from scenelift.adapt.mgm.settings import DenseTask, MgmSettings
from scenelift.datasets.dense import (
    UNKNOWN_SCENE,
    DenseSource,
    DenseSplit,
    NoSplitError,
    open_dense,
)
from scenelift.datasets.dense_frames import named_scene
from scenelift.datasets.dense_rendered import open_rendered
from scenelift.datasets.geometry import Frame
from scenelift.datasets.labelled import NoLabelsError, open_labelled_splits
from scenelift.datasets.loaders import Source
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.places import open_photos
from scenelift.datasets.store_schema import Channel

_CHANNELS: dict[DenseTask, Channel] = {
    "segmentation": "semantic",
    "depth": "depth",
    "normal": "normal",
}
_HDF5 = {".h5", ".hdf5"}
_logger = logging.getLogger(__name__)


class FurtherPictures:
    """Pictures with a scene each, their dense labels withheld unless they are wanted; a `ClassifiedSource`."""

    def __init__(
        self,
        source: Source,
        *,
        scenes: Sequence[int],
        labels: bool,
        chosen: Sequence[int] | None = None,
    ) -> None:
        """Take a source.

        Args:
            source: The pictures.
            scenes: Of each that is chosen, counted as the labelled pictures count them; -1 unknown.
            labels: Whether dense labels pass.
            chosen: Which pictures; None: all.
        """
        self._source = source
        self._scenes = tuple(scenes)
        self._labels = labels
        self._chosen = tuple(range(len(source)) if chosen is None else chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def frame(self, index: int) -> Frame:
        """Read a picture."""
        frame = self._source.frame(self._chosen[index])
        return frame if self._labels else {"image": frame["image"]}

    def label(self, index: int) -> int:
        """Return its scene, -1 where it is unknown."""
        return self._scenes[index]


def open_labelled_frames(
    content: TrainContent, settings: MgmSettings
) -> tuple[DenseSource, DenseSource]:
    """Open the frames that are learnt from, and held-out ones of the split val or test.

    Raises:
        DenseError, NyudError, StoreError: if they cannot be used.
        RunError: if a task's labels are missing.
    """
    if content.labelled is None:
        raise RunError("no labelled frames: give --labelled")
    learnt = open_dense(
        content.labelled,
        split="train",
        share=content.label_share,
        seed=content.seed,
        scene_labels=content.scene_labels,
    )
    _check_labels(learnt, settings.tasks, name=str(content.labelled))
    for split in ("val", "test"):
        try:
            held_out = open_dense(
                content.labelled,
                split=split,
                scene_labels=content.scene_labels,
                scenes=learnt.scenes,
            )
        except NoSplitError:
            continue
        return learnt, held_out
    _logger.warning("%s has one split: validation sees its training", content.labelled)
    return learnt, learnt


def open_further(
    content: TrainContent, settings: MgmSettings, *, scenes: tuple[str, ...]
) -> tuple[Source, Source]:
    """Open further pictures to learn from, and held-out ones to look at.

    They are files of `render-scenes`, folders of classes, any photos, or the labelled data itself: then those frames that
    `label_share` leaves, without their dense labels.

    Raises:
        RunError: if the labels or scenes that are wanted are missing.
        PhotoError, StoreError, LabelError, DenseError: if they cannot be used.
    """
    exact = settings.further_labels == "exact"
    paths = content.images
    if paths == (content.labelled,) and not exact:
        learnt = held_out = _left_over(content)
    elif paths and all(path.suffix.lower() in _HDF5 for path in paths):
        learnt, held_out = _rendered(paths, scenes=scenes, exact=exact)
    elif len(paths) != 1:
        raise RunError("--images takes several files only if all are of render-scenes (*.h5)")
    elif exact:
        raise RunError(
            f"{paths[0]}: has no dense labels to learn from; give files of render-scenes (*.h5), or set further_labels none"
        )
    else:
        learnt, held_out = _photos(paths[0], scenes=scenes)
    if exact:
        _check_labels(learnt, settings.tasks, name=str(paths[0]))
    known = sum(learnt.label(index) != UNKNOWN_SCENE for index in range(len(learnt)))
    _logger.info("%d of %d further pictures are of a known scene", known, len(learnt))
    if settings.on_further(settings.refinement) and not known:
        raise RunError(
            f"{paths[0]}: no picture is of a scene that the labelled ones know ({', '.join(scenes[:8])}, ...); "
            "name its folders so, or set refinement labelled"
        )
    return learnt, held_out


def _rendered(
    paths: tuple[Path, ...], *, scenes: tuple[str, ...], exact: bool
) -> tuple[FurtherPictures, FurtherPictures]:
    def opened(split: DenseSplit) -> FurtherPictures:
        layout = open_rendered(paths, split=split, scenes=scenes)
        source = DenseSource(layout, chosen=np.arange(len(layout.frames)))
        numbers = [source.label(index) if scenes else UNKNOWN_SCENE for index in range(len(source))]
        return FurtherPictures(source, scenes=numbers, labels=exact)

    learnt = opened("train")
    try:
        return learnt, opened("val")
    except NoSplitError:
        return learnt, learnt


def _left_over(content: TrainContent) -> FurtherPictures:
    """Return the labelled data's frames beyond its share."""
    path = content.images[0]
    whole = open_dense(path, split="train", seed=content.seed, scene_labels=content.scene_labels)
    share = open_dense(
        path,
        split="train",
        share=content.label_share,
        seed=content.seed,
        scene_labels=content.scene_labels,
    )
    rest = np.setdiff1d(whole.chosen, share.chosen)
    if not len(rest):
        raise RunError(f"{path}: label_share {content.label_share:g} leaves no further frames")
    chosen = rest.tolist()
    numbers = [whole.label(index) for index in chosen]
    return FurtherPictures(whole, scenes=numbers, labels=False, chosen=chosen)


def _photos(path: Path, *, scenes: tuple[str, ...]) -> tuple[FurtherPictures, FurtherPictures]:
    try:
        splits = open_labelled_splits(path)
    except NoLabelsError:
        photos = PhotoDataset(open_photos(path))
        further = FurtherPictures(photos, scenes=[UNKNOWN_SCENE] * len(photos), labels=False)
        return further, further
    learnt = splits.get("train") or next(iter(splits.values()))
    held_out = splits.get("val") or splits.get("test") or learnt
    number = [named_scene(name, scenes) for name in learnt.classes]
    one, other = (
        FurtherPictures(s, scenes=[number[label] for label in s.labels.tolist()], labels=False)
        for s in (learnt, held_out)
    )
    return one, other


def _check_labels(source: Source, tasks: Sequence[DenseTask], *, name: str) -> None:
    """See that the first frame has what the tasks want."""
    there = source.frame(0)
    missing = [task for task in tasks if _CHANNELS[task] not in there]
    if missing:
        raise RunError(f"{name}: has no labels for {', '.join(missing)}; name other tasks")
