"""PASCAL VOC 2007 and 2012 in the devkit's layout, as a tar archive that stays packed or a folder.

`ImageSets/Main/SPLIT.txt` with an id a line, `JPEGImages/ID.jpg`, `Annotations/ID.xml` (Everingham et al., IJCV 2010). The layout
lies at the top, in `VOC2007` or in `VOCdevkit/VOC2007`. Boxes count pixels from 1 and include both ends; they stay so here.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int8, UInt8

from scenelift.datasets.photo_files import (
    FolderPhotos,
    Names,
    PhotoError,
    PhotoFiles,
    TarPhotos,
    list_tar,
)
from scenelift.datasets.photos import decode_photo
from scenelift.datasets.tar_index import TarMember
from scenelift.datasets.voc_annotation import (
    VOC_CLASSES,
    VocError,
    VocObjects,
    box_outside,
    parse_annotation,
)

__all__ = [
    "SPLITS",
    "VOC_CLASSES",
    "VocError",
    "VocImages",
    "VocObjects",
    "fingerprint",
    "labels_of",
    "open_voc",
    "splits",
    "voc_photos",
]

SPLITS = ("train", "val", "trainval", "test")

_LISTS = "ImageSets/Main/"
_MAX_LIST_BYTES = 2**24
_MAX_IMAGES = 1_000_000
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_YEAR = re.compile(r"VOC(\d{4})$")
_WANTED = "looked for ImageSets/Main/SPLIT.txt, JPEGImages/ID.jpg and Annotations/ID.xml"


class VocImages:
    """The pictures of a split, by number, in the order of its list."""

    def __init__(
        self,
        *,
        split: str,
        year: int | None,
        ids: Sequence[str],
        images: PhotoFiles,
        annotations: PhotoFiles,
        files: Mapping[str, int],
    ) -> None:
        """Take what `open_voc` found."""
        self._ids = tuple(ids)
        self._images, self._annotations = images, annotations
        self._objects: dict[int, VocObjects] = {}
        self.split = split
        self.year = year
        """2007 or 2012 as the layout's folder says; None if it says nothing."""
        self.files = dict(files)
        """Size in bytes of each file of the split, by its name in the layout."""

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def names(self) -> tuple[str, ...]:
        """The ids, in order."""
        return self._ids

    def name(self, index: int) -> str:
        """Return a picture's id."""
        return self._ids[index]

    def image(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Decode a picture, sRGB.

        Raises:
            VocError: if it cannot be read or decoded.
        """
        try:
            return decode_photo(self._images.read(index), name=self._images.name(index))
        except PhotoError as error:
            raise VocError(str(error)) from error

    def objects(self, index: int) -> VocObjects:
        """Read the objects of a picture; none is an answer too.

        Raises:
            VocError: if the annotation cannot be used; names the file and the fault.
        """
        if index not in self._objects:
            self._objects[index] = self._read_objects(index)
        return self._objects[index]

    def labels(self) -> Int8[np.ndarray, "n 20"]:
        """Say for each picture and class: 1 present, 0 absent, -1 present but difficult in every instance.

        Raises:
            VocError: if an annotation cannot be used.
        """
        return np.stack([self.label(index) for index in range(len(self))])

    def label(self, index: int) -> Int8[np.ndarray, " 20"]:
        """Say the same of one picture."""
        return labels_of(self.objects(index))

    def _read_objects(self, index: int) -> VocObjects:
        name = self._annotations.name(index)
        try:
            data = self._annotations.read(index)
        except PhotoError as error:
            raise VocError(str(error)) from error
        objects, size = parse_annotation(data, name=name)
        place = box_outside(objects.boxes_px, size=size) if size else None
        if size is None or place is not None:
            # The published files state a wrong size here and there: the picture itself decides.
            height, width = self.image(index).shape[:2]
            place = box_outside(objects.boxes_px, size=(width, height))
            if place is not None:
                box = ", ".join(f"{value:g}" for value in objects.boxes_px[place])
                raise VocError(
                    f"{name}: box {place + 1} ({box}) leaves its picture of {width} x {height} pixels"
                )
        return objects


def labels_of(objects: VocObjects) -> Int8[np.ndarray, " 20"]:
    """Say for each class: 1 present, 0 absent, -1 present but difficult in every instance.

    >>> classes = np.array([2, 2, 5])
    >>> objects = VocObjects(
    ...     classes=classes, boxes_px=np.ones((3, 4)),
    ...     difficult=np.array([True, False, True]), truncated=np.zeros(3, bool),
    ... )
    >>> labels_of(objects)[:6].tolist()
    [0, 0, 1, 0, 0, -1]
    """
    labels = np.zeros(len(VOC_CLASSES), np.int8)
    labels[objects.classes[objects.difficult]] = -1
    labels[objects.classes[~objects.difficult]] = 1
    return labels


def open_voc(path: Path, *, split: str, year: int | None = None) -> VocImages:
    """Find the pictures of a split.

    Args:
        path: The archive, not compressed, or a folder: the layout, or what holds it one or two folders down.
        split: One of `SPLITS` that is there.
        year: Which layout, where a devkit holds several.

    Raises:
        VocError: if something is missing or damaged; one line that says what.
    """
    try:
        files = _open(path, year=year)
        ids = _read_ids(files, split)
        pictures = [f"JPEGImages/{name}.jpg" for name in ids]
        annotations = [f"Annotations/{name}.xml" for name in ids]
        return VocImages(
            split=split,
            year=files.year if files.year is not None else year,
            ids=ids,
            images=files.many(pictures),
            annotations=files.many(annotations),
            files={name: files.sizes[name] for name in (*pictures, *annotations)},
        )
    except PhotoError as error:
        raise VocError(str(error)) from error
    except OSError as error:
        raise VocError(f"{path}: cannot be read: {error.strerror or error}") from error


def voc_photos(path: Path, *, splits: Sequence[str]) -> FolderPhotos | TarPhotos:
    """Find the photos of a split alone: nothing is asked of annotations.

    Args:
        path: As for `open_voc`.
        splits: In order of preference; the first that is listed counts.

    Raises:
        VocError: if something is missing; one line that says what.
    """
    try:
        files = _open(path, year=None)
        listed = _splits(files)
        split = next((name for name in splits if name in listed), splits[0])
        return files.many([f"JPEGImages/{name}.jpg" for name in _read_ids(files, split)])
    except PhotoError as error:
        raise VocError(str(error)) from error
    except OSError as error:
        raise VocError(f"{path}: cannot be read: {error.strerror or error}") from error


def splits(path: Path, *, year: int | None = None) -> tuple[str, ...]:
    """Return the splits that a layout lists and annotates, in the order of `SPLITS`.

    The published test split of 2012 is listed without annotations: nobody can be judged on it here.

    Raises:
        VocError: if there is no layout.
    """
    try:
        files = _open(path, year=year)
        return tuple(
            split
            for split in _splits(files)
            if any(f"Annotations/{name}.xml" in files.sizes for name in _read_ids(files, split))
        )
    except PhotoError as error:
        raise VocError(str(error)) from error
    except OSError as error:
        raise VocError(f"{path}: cannot be read: {error.strerror or error}") from error


def fingerprint(images: Iterable[VocImages]) -> str:
    """Return the SHA-256 over the names and sizes of all files of some splits, whether packed or not, in any order."""
    files = {name: size for part in images for name, size in part.files.items()}
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name} {files[name]}\n".encode())
    return digest.hexdigest()


class _Layout:
    """Files below one folder of a devkit."""

    source: str
    year: int | None
    sizes: Mapping[str, int]
    """Bytes by name below the layout's folder."""

    def many(self, names: Sequence[str]) -> FolderPhotos | TarPhotos:
        missing = next((name for name in names if name not in self.sizes), None)
        if missing is None:
            return self._files(names)
        cure = _WANTED
        if missing.startswith("Annotations/"):
            cure = "a split without annotations, as VOC2012's test, cannot be judged here"
        raise VocError(f"{self.source}: {missing} is missing; {cure}")

    def _files(self, names: Sequence[str]) -> FolderPhotos | TarPhotos:
        raise NotImplementedError


class _Folder(_Layout):
    """The layout as files."""

    def __init__(self, path: Path, *, year: int | None) -> None:
        tops = sorted(
            found.parent.parent
            for pattern in ("", "*/", "*/*/")
            for found in path.glob(f"{pattern}ImageSets/Main")
            if found.is_dir()
        )
        names = [top.resolve().name for top in tops]
        chosen = _choose(names, source=str(path), year=year)
        self._root = tops[chosen].resolve()
        self.source, self.year = str(tops[chosen]), _year(names[chosen])
        sizes: dict[str, int] = {}
        for folder in (_LISTS, "JPEGImages/", "Annotations/"):
            if (self._root / folder).is_dir():
                with os.scandir(self._root / folder) as entries:
                    sizes.update(
                        (folder + e.name, e.stat().st_size) for e in entries if e.is_file()
                    )
        self.sizes = sizes

    def _files(self, names: Sequence[str]) -> FolderPhotos:
        return FolderPhotos(root=self._root, names=Names(names))


class _Archive(_Layout):
    """The layout in a tar archive."""

    def __init__(self, path: Path, *, year: int | None) -> None:
        if not path.exists():
            raise VocError(f"{path}: does not exist; name the archive or folder of PASCAL VOC")
        members = list_tar(path)
        tops = sorted(
            {m.name.rpartition(_LISTS)[0] for m in members if f"/{_LISTS}" in f"/{m.name}"}
        )
        tops = [top for top in tops if top.count("/") <= 2 and (not top or top.endswith("/"))]
        chosen = _choose([top.rstrip("/") for top in tops], source=str(path), year=year)
        top = tops[chosen]
        self.source, self.year = f"{path}: {top or 'top'}".rstrip("/"), _year(top.rstrip("/"))
        self._path = path
        self._members: Mapping[str, TarMember] = {
            m.name.removeprefix(top): m for m in members if m.name.startswith(top)
        }
        self.sizes = {name: member.size for name, member in self._members.items()}

    def _files(self, names: Sequence[str]) -> TarPhotos:
        members = [self._members[name] for name in names]
        return TarPhotos(
            self._path,
            names=Names(member.name for member in members),
            offsets=np.array([member.offset for member in members], np.int64),
            sizes=np.array([member.size for member in members], np.int64),
        )


def _open(path: Path, *, year: int | None) -> _Layout:
    return _Folder(path, year=year) if path.is_dir() else _Archive(path, year=year)


def _choose(names: Sequence[str], *, source: str, year: int | None) -> int:
    """Return the place of the one layout that is meant."""
    if not names:
        raise VocError(f"{source}: no ImageSets/Main here or up to two folders down; {_WANTED}")
    fitting = [place for place, name in enumerate(names) if year is None or _year(name) == year]
    if year is not None and not fitting:
        # A folder of another name says no year; it may be the one.
        fitting = [place for place, name in enumerate(names) if _year(name) is None]
    there = ", ".join(name or "top" for name in names)
    if not fitting:
        raise VocError(f"{source}: no layout of VOC{year}; there is {there}")
    if len(fitting) > 1:
        raise VocError(f"{source}: holds {there}; say which year, or name one folder")
    return fitting[0]


def _year(name: str) -> int | None:
    match = _YEAR.search(name)
    return int(match[1]) if match else None


def _splits(files: _Layout) -> tuple[str, ...]:
    return tuple(split for split in SPLITS if f"{_LISTS}{split}.txt" in files.sizes)


def _read_ids(files: _Layout, split: str) -> list[str]:
    there = _splits(files)
    if split not in there:
        raise VocError(
            f"{files.source}: no split {split!r} in ImageSets/Main; there is {', '.join(there) or 'none'}"
        )
    name = f"{_LISTS}{split}.txt"
    if files.sizes[name] > _MAX_LIST_BYTES:
        raise VocError(f"{files.source}: {name} has {files.sizes[name]} bytes, too many")
    try:
        ids = files.many([name]).read(0).decode().split()
    except UnicodeDecodeError as error:
        raise VocError(f"{files.source}: {name} is no text") from error
    bad = next((text for text in ids if not _ID.fullmatch(text)), None)
    if bad is not None:
        raise VocError(f"{files.source}: {name} holds {bad[:80]!r}, which is no picture's id")
    if not 1 <= len(ids) <= _MAX_IMAGES:
        raise VocError(f"{files.source}: {name} names {len(ids)} pictures")
    counts = Counter(ids)
    if len(counts) < len(ids):
        raise VocError(f"{files.source}: {name} names {counts.most_common(1)[0][0]} twice")
    return ids
