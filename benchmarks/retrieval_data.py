"""Photos to search in: labelled ones by their splits, or any others, of which some are the queries."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from scenelift.benchmarks.card import DataFingerprint
from scenelift.benchmarks.features import Pictures
from scenelift.benchmarks.probe_data import open_probe_data
from scenelift.benchmarks.task import BenchError
from scenelift.datasets.labelled import LabelError, NoLabelsError, open_labelled_splits
from scenelift.datasets.photo_files import PhotoError, PhotoFiles
from scenelift.datasets.photos import decode_photo
from scenelift.datasets.places import open_photos

_VOC = "/JPEGImages/"


class PhotoPictures:
    """Photos by number; of VOC's layout the photos alone, not its masks. In the order of their names."""

    def __init__(self, files: PhotoFiles, *, path: Path) -> None:
        """Take files below a folder or in an archive, whose place is left out of their names."""
        prefixes = (f"{path}: ", f"{path.resolve()}/")
        names = []
        for index in range(len(files)):
            name = files.name(index)
            for prefix in prefixes:
                name = name.removeprefix(prefix)
            names.append(name)
        wanted = [index for index, name in enumerate(names) if _VOC in f"/{name}"]
        self._files = files
        self._places = sorted(wanted or range(len(names)), key=names.__getitem__)
        self._names = names

    def __len__(self) -> int:
        return len(self._places)

    def name(self, index: int) -> str:
        """Return a photo's name."""
        return self._names[self._places[index]]

    def size_bytes(self, index: int) -> int:
        """Return the size of a photo's file.

        Raises:
            PhotoError: if it cannot be read.
        """
        return len(self._files.read(self._places[index]))

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a photo.

        Raises:
            PhotoError: if it cannot be.
        """
        return decode_photo(self._files.read(self._places[index]), name=self.name(index))


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievalData:
    """What is searched for, and where."""

    pictures: Pictures
    gallery: Int64[np.ndarray, " n"]
    """Numbers of pictures that can be found."""
    queries: Int64[np.ndarray, " q"]
    """Numbers of pictures that are searched for, the drawn ones first; one that lies in the gallery never finds itself."""
    labels: Int64[np.ndarray, " all"] | None
    """None: the photos have no labels."""
    classes: tuple[str, ...]
    facts: DataFingerprint


def open_retrieval_data(
    path: Path, *, seed: int, final: bool, most: int, most_queries: int, drawn: int
) -> RetrievalData:
    """Find photos, labelled or not.

    Args:
        path: Folder or archive.
        seed: Of the choice of photos.
        final: Search for the locked test pictures of labelled sets.
        most: Photos in the gallery.
        most_queries: Labelled pictures that are searched for.
        drawn: Unlabelled photos that are searched for.

    Raises:
        BenchError: if there are no photos, or too few.
    """
    try:
        open_labelled_splits(path)
    except NoLabelsError:
        return _without_labels(path, seed=seed, most=most, drawn=drawn)
    except LabelError as error:
        raise BenchError(str(error)) from error
    data = open_probe_data(path, seed=seed)
    gallery, queries = data.learnt(final=final), data.judged(final=final)
    if min(len(gallery), len(queries)) < 2:
        raise BenchError(f"{path}: {len(gallery)} pictures to search, {len(queries)} to search for")
    return RetrievalData(
        pictures=data.pictures,
        gallery=np.sort(by_hash(gallery, pictures=data.pictures, seed=seed)[:most]),
        queries=by_hash(queries, pictures=data.pictures, seed=seed)[:most_queries],
        labels=data.labels,
        classes=data.classes,
        facts=data.facts,
    )


def _without_labels(path: Path, *, seed: int, most: int, drawn: int) -> RetrievalData:
    try:
        pictures = PhotoPictures(open_photos(path), path=path)
        if len(pictures) < 2:
            raise BenchError(f"{path}: {len(pictures)} photo; retrieval needs two")
        chosen = by_hash(np.arange(len(pictures)), pictures=pictures, seed=seed)[:most]
        lines = [
            f"{pictures.name(index)}\t{pictures.size_bytes(index)}\n"
            for index in sorted(chosen.tolist())
        ]
    except PhotoError as error:
        raise BenchError(str(error)) from error
    return RetrievalData(
        pictures=pictures,
        gallery=np.sort(chosen),
        queries=chosen[:drawn],
        labels=None,
        classes=(),
        facts=DataFingerprint(
            name=path.name,
            splits={"photos": len(chosen)},
            sha256=hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest(),
            note="photos without labels; all of them are searched",
        ),
    )


def by_hash(
    rows: Int64[np.ndarray, " n"], *, pictures: Pictures, seed: int
) -> Int64[np.ndarray, " n"]:
    """Put pictures in an order that their names and a seed alone decide."""

    def key(row: int) -> bytes:
        text = f"{seed}/{_tail(pictures.name(row))}".encode(errors="surrogateescape")
        return hashlib.sha256(text).digest()

    return np.array(sorted(rows.tolist(), key=key), np.int64)


def _tail(name: str) -> str:
    """Return the end of a name, the same whether the data set or its folder was named.

    >>> _tail("VOC2007/JPEGImages/000001.jpg")
    'JPEGImages/000001.jpg'
    """
    return "/".join(name.split("/")[-2:])


def find_by_name(pictures: Pictures, names: Sequence[str]) -> list[int]:
    """Return the numbers of pictures.

    Raises:
        BenchError: if one is not there.
    """
    places = {pictures.name(index): index for index in range(len(pictures))}
    missing = next((name for name in names if name not in places), None)
    if missing is not None:
        raise BenchError(f"no photo {missing!r} among these {len(places)}: other data than before")
    return [places[name] for name in names]
