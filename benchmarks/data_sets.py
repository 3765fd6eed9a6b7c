"""Data sets in a folder, told by what lies in them rather than by what they are called."""

import hashlib
import os
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from scenelift.benchmarks.task import BenchError
from scenelift.datasets.photo_files import PhotoError, list_tar

Kind = Literal["imagenet", "places", "voc", "nyud", "bsds"]

_DEPTH = 3
"""How far below the folder a data set may start."""
_MAX_ENTRIES = 5_000
"""Entries of a folder that are looked at."""
_WHOLE_BYTES = 2**30
"""Files up to this size are hashed whole, larger ones by their two ends."""
_END_BYTES = 2**24
_WORDNET = re.compile(r"n[0-9]{8}")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSet:
    """A data set on disk."""

    kind: Kind
    name: str
    """Its file or folder, without ending."""
    path: Path


def find_data_sets(folder: Path) -> list[DataSet]:
    """Find the data sets in a folder, or the one that it is, in the order of their paths.

    Raises:
        BenchError: if there is no such folder, or two data sets have one name.
        OSError: if it cannot be listed.
    """
    if not folder.exists():
        raise BenchError(f"{folder}: does not exist; name a data set, or a folder that holds some")
    found = list(_below(folder, depth=0))
    names = [one.name for one in found]
    for one in found:
        if names.count(one.name) > 1:
            paths = " and ".join(str(other.path) for other in found if other.name == one.name)
            raise BenchError(f"{paths}: two data sets of one name; rename one")
    return found


def recognise(path: Path) -> Kind | None:
    """Tell what lies at a path: an archive, a `.mat` file or a folder; None if it is nothing known.

    Raises:
        OSError: if a folder cannot be listed.
    """
    if path.is_dir():
        return _kind(_entries(path), _entries(path / "train"))
    if path.name == "nyu_depth_v2_labeled.mat":
        return "nyud"
    return _kind_of_tar(path) if path.suffix == ".tar" and path.is_file() else None


def data_fingerprint(path: Path) -> str:
    """Hash a data set, so that a result knows its data: files by content, folders by names and sizes.

    Raises:
        OSError: if something cannot be read.
    """
    digest = hashlib.sha256()
    if path.is_file():
        _add_file(path, digest=digest)
        return digest.hexdigest()
    for folder, folders, files in os.walk(path):
        folders.sort()
        for name in sorted(files):
            file = Path(folder, name)
            digest.update(
                f"{file.relative_to(path)}\0{file.lstat().st_size}\n".encode(
                    errors="surrogateescape"
                )
            )
    return digest.hexdigest()


def _add_file(path: Path, *, digest: "hashlib._Hash") -> None:
    size = path.stat().st_size
    digest.update(f"{size}\n".encode())
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            while block := file.read(2**20):
                digest.update(block)
        else:
            digest.update(file.read(_END_BYTES))
            file.seek(-_END_BYTES, os.SEEK_END)
            digest.update(file.read(_END_BYTES))


def _below(path: Path, *, depth: int) -> Iterable[DataSet]:
    kind = recognise(path)
    if kind is not None:
        yield DataSet(
            kind=kind, name=path.stem if path.is_file() else path.resolve().name, path=path
        )
    elif path.is_dir() and not path.is_symlink() and depth < _DEPTH:
        for name in sorted(_entries(path)):
            if not name.startswith("."):
                yield from _below(path / name, depth=depth + 1)


def _entries(folder: Path) -> set[str]:
    if not folder.is_dir():
        return set()
    names: set[str] = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            names.add(entry.name)
            if len(names) >= _MAX_ENTRIES:
                break
    return names


def _kind_of_tar(path: Path) -> Kind | None:
    """Look at the first levels of an archive's names, below one or two folders that hold everything."""
    levels: dict[tuple[str, ...], set[str]] = {}
    try:
        members = list_tar(path)
    except PhotoError:
        return None
    for member in members:
        parts = tuple(member.name.split("/"))
        for depth in range(min(len(parts), _DEPTH + 1)):
            levels.setdefault(parts[:depth], set()).add(parts[depth])
    for above, names in levels.items():
        kind = _kind(names, levels.get((*above, "train"), set()))
        if kind is not None:
            return kind
    return None


def _kind(names: Collection[str], in_train: Collection[str]) -> Kind | None:
    there = set(names)
    if {"JPEGImages", "Annotations"} <= there:
        return "voc"
    if {"image", "depth", "label40"} <= there or "nyu_depth_v2_labeled.mat" in there:
        return "nyud"
    if {"images", "groundTruth"} <= there:
        return "bsds"
    if {"train.txt", "categories.txt"} <= there or any(n.startswith("places365_") for n in there):
        return "places"
    if any(_WORDNET.fullmatch(name) for name in in_train):
        return "imagenet"
    return None
