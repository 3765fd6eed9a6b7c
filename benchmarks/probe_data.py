"""Which labelled pictures a probe learns from, selects on and is judged on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from scenelift.benchmarks.card import DataFingerprint
from scenelift.benchmarks.splits import assign_roles, hold_out
from scenelift.benchmarks.task import BenchError
from scenelift.datasets.labelled import (
    LabelError,
    LabelledImages,
    fingerprint,
    open_labelled_splits,
)


class JoinedImages:
    """The pictures of several splits, one after the other."""

    def __init__(self, parts: Sequence[LabelledImages]) -> None:
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def name(self, index: int) -> str:
        """Return a picture's name."""
        part, place = self._find(index)
        return part.name(place)

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a picture.

        Raises:
            LabelError: if it cannot be.
        """
        part, place = self._find(index)
        return part.image(place)

    def _find(self, index: int) -> tuple[LabelledImages, int]:
        number = int(np.searchsorted(self._ends, index, side="right"))
        part = self._parts[number]
        return part, index - int(self._ends[number]) + len(part)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeData:
    """Pictures of a data set and their parts."""

    pictures: JoinedImages
    labels: Int64[np.ndarray, " n"]
    classes: tuple[str, ...]
    train: Int64[np.ndarray, " train"]
    """Learnt from while settings are selected: numbers of pictures."""
    selection: Int64[np.ndarray, " selection"]
    """Judged while settings are selected; learnt from afterwards."""
    test: Int64[np.ndarray, " test"]
    """Locked until the end."""
    facts: DataFingerprint

    def learnt(self, *, final: bool) -> Int64[np.ndarray, " m"]:
        """Return the pictures that the classifiers which are judged learn from."""
        return np.concatenate([self.train, self.selection]) if final else self.train

    def judged(self, *, final: bool) -> Int64[np.ndarray, " m"]:
        """Return the pictures that are judged."""
        return self.test if final else self.selection


def open_probe_data(path: Path, *, seed: int) -> ProbeData:
    """Open a labelled data set and give its splits their roles.

    Args:
        path: Folder or archive.
        seed: Of the fifth of `train` that is held out where a split is missing.

    Raises:
        BenchError: if there is none, or too little of it.
    """
    try:
        splits = open_labelled_splits(path)
        roles = assign_roles({str(split) for split in splits})
    except LabelError as error:
        raise BenchError(str(error)) from error
    except BenchError as error:
        raise BenchError(f"{path}: {error}") from error
    parts = list(splits.values())
    first = dict(zip(splits, np.cumsum([0, *map(len, parts)]).tolist(), strict=False))
    rows = {split: first[split] + np.arange(len(images)) for split, images in splits.items()}
    train = rows["train"]
    if roles.selection is None:
        images = splits["train"]
        by_name = {images.name(index): index for index in range(len(images))}
        kept, held = hold_out(list(by_name), seed=seed)
        train, selection = (
            np.array([first["train"] + by_name[name] for name in names], np.int64)
            for names in (kept, held)
        )
    else:
        selection = next(found for split, found in rows.items() if split == roles.selection)
    if not len(train):
        raise BenchError(f"{path}: {len(splits['train'])} photo in train leaves none to learn from")
    test = next(found for split, found in rows.items() if split == roles.test)
    return ProbeData(
        pictures=JoinedImages(parts),
        labels=np.concatenate([images.labels for images in parts]),
        classes=parts[0].classes,
        train=train,
        selection=selection,
        test=test,
        facts=DataFingerprint(
            name=parts[0].title,
            splits={"train": len(train), "selection": len(selection), "test": len(test)},
            sha256=fingerprint(parts),
            note=roles.note,
        ),
    )
