"""Which picture bears which label: the layouts that `labelled.py` knows, read from the names of files and from lists."""

import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenelift.datasets.photo_files import (
    FolderPhotos,
    Names,
    PhotoFiles,
    TarPhotos,
    is_photo,
    list_tar,
)

_MAX_LIST_BYTES = 2**29
_MAX_CLASSES = 100_000
_WNID = re.compile(r"n\d{8}")
_SPLITS = ("train", "val", "test")
_PLACES: dict[str, tuple[tuple[str, str], ...]] = {
    "train": tuple(
        (f"places365_train_{kind}.txt", folder)
        for kind in ("standard", "challenge")
        for folder in (f"data_256_{kind}", "data_256", f"data_large_{kind}", "data_large")
    ),
    "val": (("places365_val.txt", "val_256"), ("places365_val.txt", "val_large")),
}
"""Lists of Places365 and the folders that their names lie below, in order of preference."""
_WANTED = (
    "looked for train/CLASS/ and val/CLASS/, train.txt and val.txt with a path and a label a line, val/val_annotations.txt, "
    "places365_train_standard.txt"
)


class LabelError(ValueError):
    """Labelled pictures that cannot be found, read or decoded."""


class NoLabelsError(LabelError):
    """Photos in no layout that has labels."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """All files below a folder or in an archive, by name."""

    source: str
    """What messages call it."""
    sizes_bytes: Mapping[str, int]
    photos: Callable[[Sequence[str]], PhotoFiles]
    """Give access to some of them."""
    read: Callable[[str], bytes]
    """Read a whole file, of a size that was checked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A layout that was recognised."""

    title: str
    top: str
    """Folder that the names are below: empty, or with a slash at its end."""
    classes: tuple[str, ...]
    splits: Mapping[str, Mapping[str, int]]
    """Name to label, by split."""


def open_tree(path: Path) -> Tree:
    """List a folder or an archive. Links to folders are not followed.

    Raises:
        LabelError, PhotoError: if it cannot be listed.
    """
    if path.is_dir():
        try:
            return _folder(path)
        except OSError as error:
            raise LabelError(f"{path}: cannot be listed: {error.strerror or error}") from error
    if not path.exists():
        raise LabelError(f"{path}: does not exist; name a folder or tar archive of labelled photos")
    members = {member.name: member for member in list_tar(path)}

    def photos(names: Sequence[str]) -> PhotoFiles:
        chosen = [members[name] for name in names]
        return TarPhotos(
            path,
            names=Names(names),
            offsets=np.array([member.offset for member in chosen], np.int64),
            sizes=np.array([member.size for member in chosen], np.int64),
        )

    sizes = {name: member.size for name, member in members.items()}
    return Tree(
        source=str(path),
        sizes_bytes=sizes,
        photos=photos,
        read=lambda name: photos([name]).read(0),
    )


def _folder(path: Path) -> Tree:
    root = path.resolve()
    sizes: dict[str, int] = {}
    stack = [""]
    while stack:
        below = stack.pop()
        with os.scandir(root / below) as entries:
            for entry in entries:
                name = f"{below}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    stack.append(f"{name}/")
                elif entry.is_file():
                    sizes[name] = entry.stat().st_size

    def read(name: str) -> bytes:
        if not (root / name).resolve().is_relative_to(root):
            raise LabelError(f"{path}: {name} leads outside; copy the list there")
        return (root / name).read_bytes()

    return Tree(
        source=str(path),
        sizes_bytes=sizes,
        photos=lambda names: FolderPhotos(root=root, names=Names(names)),
        read=read,
    )


def read_layout(tree: Tree) -> Listed:
    """Recognise a layout and read its labels.

    Raises:
        LabelError: if there is none, or a list does not fit the files.
        PhotoError: if a list cannot be read.
    """
    tops = {name.partition("/")[0] + "/" for name in tree.sizes_bytes if "/" in name}
    for top in ("", *sorted(tops)):
        for read in (_read_places, _read_tiny, _read_listed, _read_folders):
            found = read(tree, top)
            if found is not None:
                return _checked(tree, found)
    if any(name.endswith(".tar") for name in tree.sizes_bytes):
        raise LabelError(
            f"{tree.source}: holds archives within; unpack it once, and them; {_WANTED}"
        )
    raise NoLabelsError(f"{tree.source}: no labelled photos here or one folder down; {_WANTED}")


def _read_places(tree: Tree, top: str) -> Listed | None:
    splits: dict[str, Mapping[str, int]] = {}
    for split, layouts in _PLACES.items():
        for name, folder in layouts:
            path = f"{top}{name}"
            if split not in splits and path in tree.sizes_bytes and _has_folder(tree, top + folder):
                splits[split] = _labels(tree, path, top=top, folders=(f"{folder}/",))
    if "train" not in splits:
        return None
    classes = _categories(tree, f"{top}categories_places365.txt", splits=splits)
    return Listed(title="Places365", top=top, classes=classes, splits=splits)


def _read_tiny(tree: Tree, top: str) -> Listed | None:
    path = f"{top}val/val_annotations.txt"
    if path not in tree.sizes_bytes:
        return None
    train, classes = _by_folder(tree, f"{top}train/", top=top, classes=None)
    numbers = {name: number for number, name in enumerate(classes)}
    val: dict[str, int] = {}
    for number, line in _lines(tree, path):
        fields = line.split("\t")
        if len(fields) < 2 or fields[1] not in numbers:
            raise LabelError(
                f"{tree.source}: {path}: line {number}: {line[:80]!r} names no class of train/"
            )
        _put(val, f"val/images/{fields[0]}", numbers[fields[1]], where=f"{tree.source}: {path}")
    return Listed(
        title=_title(tree, top, classes),
        top=top,
        classes=classes,
        splits={"train": train, "val": val},
    )


def _read_listed(tree: Tree, top: str) -> Listed | None:
    if f"{top}train.txt" not in tree.sizes_bytes:
        return None
    splits = {
        split: _labels(tree, f"{top}{split}.txt", top=top, folders=("", f"{split}/"))
        for split in _SPLITS
        if f"{top}{split}.txt" in tree.sizes_bytes
    }
    classes = _categories(tree, f"{top}categories.txt", splits=splits)
    return Listed(title=_title(tree, top, classes), top=top, classes=classes, splits=splits)


def _read_folders(tree: Tree, top: str) -> Listed | None:
    train, classes = _by_folder(tree, f"{top}train/", top=top, classes=None)
    if not train:
        return None
    splits: dict[str, Mapping[str, int]] = {"train": train}
    for split in ("val", "test"):
        splits[split] = _by_folder(tree, f"{top}{split}/", top=top, classes=classes)[0]
        splits[split] = splits[split] or _flat(tree, split, top=top, classes=classes)
    return Listed(title=_title(tree, top, classes), top=top, classes=classes, splits=splits)


def _by_folder(
    tree: Tree, below: str, *, top: str, classes: tuple[str, ...] | None
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Label photos by the folder that they lie in; the classes are those of `train/`, sorted."""
    found = [
        (name, parts[0])
        for name in tree.sizes_bytes
        if name.startswith(below)
        and is_photo(name)
        and len(parts := name.removeprefix(below).split("/", 1)) == 2
    ]
    # A flat `val/images/` is no class.
    if classes is not None and {label for _, label in found} == {"images"}:
        return {}, classes
    known = tuple(sorted({label for _, label in found})) if classes is None else classes
    numbers = {name: number for number, name in enumerate(known)}
    strange = next((pair for pair in sorted(found) if pair[1] not in numbers), None)
    if strange is not None:
        raise LabelError(
            f"{tree.source}: {strange[0]}: its class {strange[1]!r} has no photo in train/"
        )
    return {name.removeprefix(top): numbers[label] for name, label in found}, known


def _flat(tree: Tree, split: str, *, top: str, classes: tuple[str, ...]) -> Mapping[str, int]:
    """Read the labels of ImageNet's flat validation folder from the list that came with it."""
    for path in (f"{top}{split}.txt", f"{top}{split}/{split}.txt"):
        if path in tree.sizes_bytes:
            return _labels(tree, path, top=top, folders=("", f"{split}/", f"{split}/images/"))
    numbers = {name: number for number, name in enumerate(classes)}
    for path in (f"{top}LOC_{split}_solution.csv", f"{top}{split}/LOC_{split}_solution.csv"):
        if path not in tree.sizes_bytes:
            continue
        labels: dict[str, int] = {}
        for number, line in _lines(tree, path):
            if number == 1 and line.startswith("ImageId"):
                continue
            name, _, rest = line.partition(",")
            label = rest.split(" ", 1)[0]
            if label not in numbers:
                raise LabelError(
                    f"{tree.source}: {path}: line {number}: no class of train/: {line[:80]!r}"
                )
            _put(labels, f"{split}/{name}.JPEG", numbers[label], where=f"{tree.source}: {path}")
        return labels
    # ImageNet's test photos have no labels; its validation photos without theirs are a mistake.
    if split == "val" and any(
        name.startswith(f"{top}val/") and is_photo(name) for name in tree.sizes_bytes
    ):
        raise LabelError(
            f"{tree.source}: {top}val/ is flat and no list tells its labels; put val.txt beside it (a name and a class's number a "
            "line, counted from 0 in the order of train/), or sort the photos into folders"
        )
    return {}


def _labels(tree: Tree, path: str, *, top: str, folders: Sequence[str]) -> dict[str, int]:
    """Read a list of names and numbers; names are below one of some folders, the first in which the photo lies."""
    where = f"{tree.source}: {path}"
    labels: dict[str, int] = {}
    for number, line in _lines(tree, path):
        name, _, text = line.replace("\t", " ").rpartition(" ")
        if not name or not text.isdecimal() or len(text) > 9:
            raise LabelError(
                f"{where}: line {number}: {line[:80]!r}, where a path and a whole number are wanted"
            )
        bare = name.strip().lstrip("/")
        found = next((f + bare for f in folders if top + f + bare in tree.sizes_bytes), None)
        if found is None:
            raise LabelError(
                f"{where}: line {number}: {bare[:80]!r} does not exist below {top or '.'}"
            )
        _put(labels, found, int(text), where=where)
    if not labels:
        raise LabelError(f"{where}: the list names no photo")
    return labels


def _put(labels: dict[str, int], name: str, label: int, *, where: str) -> None:
    if name in labels:
        raise LabelError(f"{where}: names {name[:80]!r} twice")
    labels[name] = label


def _lines(tree: Tree, path: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a list that say something, and their numbers."""
    if tree.sizes_bytes[path] > _MAX_LIST_BYTES:
        raise LabelError(
            f"{tree.source}: {path} has {tree.sizes_bytes[path]} bytes, too many for a list"
        )
    try:
        text = os.fsdecode(tree.read(path).removeprefix(b"\xef\xbb\xbf"))
    except OSError as error:
        raise LabelError(f"{tree.source}: {path} cannot be read: {error.strerror}") from error
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _categories(
    tree: Tree, path: str, *, splits: Mapping[str, Mapping[str, int]]
) -> tuple[str, ...]:
    """Read the names of classes; without such a list their numbers serve."""
    count = max(label for labels in splits.values() for label in labels.values()) + 1
    if count > _MAX_CLASSES:
        raise LabelError(
            f"{tree.source}: a label of {count - 1}, where {_MAX_CLASSES} classes are the most"
        )
    if path not in tree.sizes_bytes:
        return tuple(str(number) for number in range(count))
    names: dict[int, str] = {}
    for number, line in _lines(tree, path):
        name, _, text = line.replace("\t", " ").rpartition(" ")
        if not name or not text.isdecimal() or int(text[:9]) in names:
            raise LabelError(
                f"{tree.source}: {path}: line {number}: {line[:80]!r}, where a name and a number of its own are wanted"
            )
        names[int(text[:9])] = name.strip().lstrip("/")
    if sorted(names) != list(range(len(names))) or len(names) < count:
        raise LabelError(
            f"{tree.source}: {path} numbers {len(names)} classes, the lists go up to {count - 1}"
        )
    return tuple(names[number] for number in range(len(names)))


def _has_folder(tree: Tree, folder: str) -> bool:
    return any(name.startswith(f"{folder}/") for name in tree.sizes_bytes)


def _title(tree: Tree, top: str, classes: Sequence[str]) -> str:
    """Tell the data set by its classes."""
    if all(_WNID.fullmatch(name) for name in classes) and len(classes) in (200, 1000):
        return "Tiny-ImageNet-200" if len(classes) == 200 else "ImageNet"
    if len(classes) == 100 and {"abbey", "bedroom", "yard"} <= set(classes):
        return "MiniPlaces"
    return top.rstrip("/") or Path(tree.source).name


def _checked(tree: Tree, found: Listed) -> Listed:
    """Refuse lists that name what is missing or no photo, or that leave nothing to tell apart."""
    for labels in found.splits.values():
        missing = next((name for name in labels if found.top + name not in tree.sizes_bytes), None)
        if missing is not None:
            raise LabelError(
                f"{tree.source}: {found.top}{missing} has a label in a list, but does not exist"
            )
        strange = next((name for name in labels if not is_photo(name)), None)
        if strange is not None:
            raise LabelError(f"{tree.source}: {found.top}{strange} is labelled but no photo")
    if len(found.classes) < 2:
        raise LabelError(
            f"{tree.source}: one class, {''.join(found.classes)!r}: a probe needs two to tell apart"
        )
    if len(found.classes) > _MAX_CLASSES:
        raise LabelError(
            f"{tree.source}: {len(found.classes)} classes, {_MAX_CLASSES} are the most"
        )
    names = [name for labels in found.splits.values() for name in labels]
    if len(set(names)) < len(names):
        twice = sorted(names)
        both = next(a for a, b in itertools.pairwise(twice) if a == b)
        raise LabelError(f"{tree.source}: {both} belongs to two splits")
    return found
