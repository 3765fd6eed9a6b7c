"""The pictures of VOC that a task learns from and those that it judges, in an order that no list has a say in."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int8, UInt8
from torch import Tensor

from scenelift.benchmarks.card import DataFingerprint
from scenelift.benchmarks.splits import assign_roles, hold_out
from scenelift.benchmarks.task import BenchError, Job
from scenelift.benchmarks.voc_crops import centre_crop, cut, random_window
from scenelift.datasets.voc import VocError, VocImages, fingerprint, open_voc, splits

_CACHE_BYTES = 2**30
_WORKERS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class CropSettings:
    """How random crops are drawn."""

    crop_px: int
    scales: tuple[float, float]
    seed: int


class LabelledPictures:
    """Pictures with their labels, sorted by name; decoded once as long as they fit into a gibibyte."""

    def __init__(self, sources: Sequence[tuple[VocImages, int]]) -> None:
        """Take pictures of one or more splits and read their labels.

        Raises:
            VocError: if an annotation cannot be used.
        """
        self._sources = sorted(sources, key=lambda source: source[0].name(source[1]))
        self.names = tuple(images.name(index) for images, index in self._sources)
        self.labels: Int8[np.ndarray, "n 20"] = np.stack(
            [images.label(index) for images, index in self._sources]
        )
        self._decoded: dict[int, UInt8[np.ndarray, "h w 3"]] = {}
        self._bytes = 0
        self._pool = ThreadPoolExecutor(_WORKERS)

    def __len__(self) -> int:
        return len(self.names)

    def picture(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a picture, or recall it.

        Raises:
            VocError: if it cannot be read.
        """
        known = self._decoded.get(index)
        if known is not None:
            return known
        images, place = self._sources[index]
        picture = images.image(place)
        if self._bytes + picture.nbytes <= _CACHE_BYTES:
            self._bytes += picture.nbytes
            self._decoded[index] = picture
        return picture

    def random_crops(
        self, wanted: Sequence[tuple[int, int]], *, settings: CropSettings, learn: bool
    ) -> UInt8[Tensor, "n 3 crop crop"]:
        """Cut crops at random places, scales and sides.

        Args:
            wanted: Picture and number of its crop.
            settings: How they are drawn.
            learn: Whether to learn from; such crops differ from those that are judged.
        """

        def one(item: tuple[int, int]) -> UInt8[np.ndarray, "crop crop 3"]:
            picture = self.picture(item[0])
            window = random_window(
                self.names[item[0]],
                width=picture.shape[1],
                height=picture.shape[0],
                crop_px=settings.crop_px,
                scales=settings.scales,
                seed=settings.seed,
                purpose="learn" if learn else "judge",
                number=item[1],
            )
            return cut(picture, window, crop_px=settings.crop_px)

        return _stack(list(self._pool.map(one, wanted)))

    def centre_crops(
        self, wanted: Sequence[int], *, resize_px: int, crop_px: int
    ) -> UInt8[Tensor, "n 3 crop crop"]:
        """Cut the middle of pictures."""

        def one(index: int) -> UInt8[np.ndarray, "crop crop 3"]:
            return centre_crop(self.picture(index), resize_px=resize_px, crop_px=crop_px)

        return _stack(list(self._pool.map(one, wanted)))


@dataclass(frozen=True, kw_only=True, slots=True)
class VocParts:
    """What is learnt from and what is judged."""

    learn: LabelledPictures
    judge: LabelledPictures
    year: int | None
    data: DataFingerprint


@dataclass(frozen=True, kw_only=True, slots=True)
class VocSources:
    """The same before any label is read."""

    learn: list[tuple[VocImages, int]]
    judge: list[tuple[VocImages, int]]
    opened: list[VocImages]
    note: str


def find_parts(job: Job, *, year: int | None) -> VocSources:
    """Find which pictures play which role.

    Raises:
        BenchError: if the data cannot be used.
    """
    try:
        roles = assign_roles(set(splits(job.data, year=year)) - {"trainval"})
        train = open_voc(job.data, split=roles.train, year=year)
        opened = [train]
        if roles.selection is not None:
            opened.append(open_voc(job.data, split=roles.selection, year=year))
        if job.final:
            learn = [(images, index) for images in opened for index in range(len(images))]
            opened.append(open_voc(job.data, split=roles.test, year=year))
            judge = [(opened[-1], index) for index in range(len(opened[-1]))]
        elif roles.selection is not None:
            learn, judge = ([(images, i) for i in range(len(images))] for images in opened)
        else:
            place = {name: index for index, name in enumerate(train.names)}
            kept, held = hold_out(sorted(place), seed=job.seed)
            learn = [(train, place[name]) for name in kept]
            judge = [(train, place[name]) for name in held]
    except VocError as error:
        raise BenchError(str(error)) from error
    _refuse_overlap(learn, judge, source=str(job.data))
    return VocSources(learn=learn, judge=judge, opened=opened, note=roles.note)


def open_parts(job: Job, *, year: int | None) -> VocParts:
    """Open the pictures and read their labels.

    Raises:
        BenchError: if the data cannot be used.
    """
    found = find_parts(job, year=year)
    try:
        learn, judge = LabelledPictures(found.learn), LabelledPictures(found.judge)
    except VocError as error:
        raise BenchError(str(error)) from error
    known_year = found.opened[0].year
    counts = {"train": len(learn), "test" if job.final else "selection": len(judge)}
    return VocParts(
        learn=learn,
        judge=judge,
        year=known_year,
        data=DataFingerprint(
            name=f"VOC{known_year or ''}",
            splits=counts,
            sha256=fingerprint(found.opened),
            note=found.note,
        ),
    )


def _refuse_overlap(
    learn: list[tuple[VocImages, int]], judge: list[tuple[VocImages, int]], *, source: str
) -> None:
    judged = {images.name(index) for images, index in judge}
    twice = next((i.name(n) for i, n in learn if i.name(n) in judged), None)
    if twice is not None:
        raise BenchError(f"{source}: {twice} is to be learnt from and judged; splits overlap")


def _stack(crops: list[UInt8[np.ndarray, "crop crop 3"]]) -> UInt8[Tensor, "n 3 crop crop"]:
    return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2)
