"""Where photos are, told by what lies there: Places-365 as its archives and torchvision lay it out, MiniPlaces, PASCAL VOC, any photos.

Places-365 (Zhou et al., 2017) comes as `train_256_places365standard.tar` (`train_large_...` full size, `...365challenge`), which
unpacks to `data_256/` (`data_large/`; torchvision appends `_standard` or `_challenge`), `val_256.tar` to `val_256/`, lists as
`places365_train_standard.txt` and `places365_val.txt` with names below those folders, and in an easy format with `train/`, `val/`,
`train.txt` and `val.txt` whose names start with `train/`, `val/`. MiniPlaces is laid out like the last, in one tar. PASCAL VOC is
known by `ImageSets/Main/`, here or up to two folders down, whose lists of train and val are the splits (else trainval and test).
"""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from scenelift.datasets.photo_files import (
    FolderPhotos,
    PhotoError,
    TarPhotos,
    is_photo,
    list_tar,
    listed_names,
    photos_in_folder,
    photos_in_list,
    photos_in_tar,
)
from scenelift.datasets.tar_index import TarMember
from scenelift.datasets.voc import VocError, voc_photos

_MAX_LIST_BYTES = 2**30
_VOC_LISTS = "ImageSets/Main"

Split = Literal["train", "val"]


class _Layout(NamedTuple):
    folder: str
    lists: tuple[str, ...]
    """Beside the folder or in it."""
    archive: str
    """What unpacks to the folder."""


_STANDARD = "places365_train_standard.txt"
_CHALLENGE = "places365_train_challenge.txt"
_LAYOUTS: dict[Split, tuple[_Layout, ...]] = {
    "train": (
        _Layout("data_256_standard", (_STANDARD,), ""),
        _Layout("data_256", (_STANDARD, _CHALLENGE), "train_256_places365standard.tar"),
        _Layout("data_large_standard", (_STANDARD,), ""),
        _Layout("data_large", (_STANDARD, _CHALLENGE), "train_large_places365standard.tar"),
        _Layout("data_256_challenge", (_CHALLENGE,), "train_256_places365challenge.tar"),
        _Layout("data_large_challenge", (_CHALLENGE,), "train_large_places365challenge.tar"),
        _Layout("train", (), ""),
    ),
    "val": (
        _Layout("val_256", ("places365_val.txt",), "val_256.tar"),
        _Layout("val_large", ("places365_val.txt",), "val_large.tar"),
        _Layout("val", (), ""),
    ),
}
"""In order of preference: small before large (the shorter side becomes 256 anyway), standard before challenge."""

_VOC_SPLITS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "trainval", "test"),
    "val": ("val", "test"),
}


def open_photos(path: Path, *, split: Split = "train") -> FolderPhotos | TarPhotos:
    """Find photos: of a split where the layout knows splits, else all.

    Args:
        path: A folder, a list (`.txt`, `.csv`: one photo a line, below the list's folder) or a tar archive.
        split: Which photos of Places-365, MiniPlaces or PASCAL VOC.

    Raises:
        PhotoError: if there are none; says what was looked for.
    """
    if path.is_dir():
        return _open_folder(path, split=split)
    if not path.exists():
        raise PhotoError(
            f"{path}: does not exist; name a folder, a list or a tar archive of photos"
        )
    if path.suffix.lower() in (".txt", ".csv", ".lst"):
        return photos_in_list(path)
    if is_photo(path.name):
        raise PhotoError(f"{path}: is a single photo; name the folder that it lies in")
    return _open_tar(path, split=split)


def _open_folder(root: Path, *, split: Split) -> FolderPhotos | TarPhotos:
    for layout in _LAYOUTS[split]:
        if (root / layout.folder).is_dir():
            return _open_layout(root, layout=layout)
    if (root / f"{split}.txt").is_file():
        return photos_in_list(root / f"{split}.txt")
    if any(next(root.glob(f"{above}{_VOC_LISTS}"), None) for above in ("", "*/", "VOCdevkit/*/")):
        return _open_voc(root, split=split)
    archives = [layout.archive for layout in _LAYOUTS[split] if layout.archive]
    for archive in archives:
        if (root / archive).is_file():
            return photos_in_tar(root / archive)
    other = _other(split)
    if any((root / layout.folder).is_dir() for layout in _LAYOUTS[other]):
        folders = ", ".join(f"{layout.folder}/" for layout in _LAYOUTS[split])
        raise PhotoError(
            f"{root}: holds photos of the split {other} but none of {split}; looked for {folders}, {split}.txt, "
            f"{', '.join(archives)}"
        )
    return photos_in_folder(root)


def _open_layout(root: Path, *, layout: _Layout) -> FolderPhotos:
    """Read the list if there is one: a standard list picks its photos out of the challenge's, and needs no walk."""
    folder = root / layout.folder
    for place in (root, folder):
        for name in layout.lists:
            if (place / name).is_file():
                return photos_in_list(place / name, root=folder)
    return photos_in_folder(folder)


def _open_tar(path: Path, *, split: Split) -> FolderPhotos | TarPhotos:
    members = list_tar(path)
    by_name = {member.name: member for member in members}
    listed = _inside(by_name, [f"{split}.txt"])
    if listed is not None and listed in by_name:
        top = listed.removesuffix(f"{split}.txt")
        names = _read_list(path, by_name[listed], top=top)
        missing = next((name for name in names if top + name not in by_name), None)
        if missing is not None:
            raise PhotoError(f"{path}: {listed} names {missing}, which is not in the archive")
        return photos_in_tar(path, [by_name[top + name] for name in names])
    folder = _inside(by_name, [layout.folder for layout in _LAYOUTS[split]])
    if folder is not None:
        return photos_in_tar(path, sorted(m for m in members if m.name.startswith(f"{folder}/")))
    if any(f"/{_VOC_LISTS}/" in f"/{name}" for name in by_name):
        return _open_voc(path, split=split)
    other = _other(split)
    if _inside(by_name, [layout.folder for layout in _LAYOUTS[other]]) is not None:
        folders = ", ".join(f"{layout.folder}/" for layout in _LAYOUTS[split])
        raise PhotoError(
            f"{path}: holds photos of the split {other} but none of {split}; looked for {folders}"
        )
    return photos_in_tar(path, sorted(members))


def _open_voc(path: Path, *, split: Split) -> FolderPhotos | TarPhotos:
    try:
        return voc_photos(path, splits=_VOC_SPLITS[split])
    except VocError as error:
        raise PhotoError(str(error)) from error


def _read_list(path: Path, member: TarMember, *, top: str) -> list[str]:
    """Return the names that a list inside an archive holds."""
    if member.size > _MAX_LIST_BYTES:
        raise PhotoError(f"{path}: {member.name} has {member.size} bytes, too many for a list")
    with path.open("rb") as file:
        file.seek(member.offset)
        text = io.BytesIO(file.read(member.size))
    return listed_names(text, base=top.rstrip("/"), source=f"{path}: {member.name}")


def _inside(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    """Return where the first of some files or folders is, at the top of an archive or one folder down."""
    places = {place for name in names for place in _tops(name)}
    for name in wanted:
        found = [place for place in places if place == name or place.endswith(f"/{name}")]
        if found:
            return min(found, key=lambda place: (place.count("/"), place))
    return None


def _tops(name: str) -> tuple[str, ...]:
    """Return the first part of a path, and its first two.

    >>> _tops("a/b/c.jpg"), _tops("a")
    (('a', 'a/b'), ('a',))
    """
    parts = name.split("/", 2)
    return (parts[0], "/".join(parts[:2])) if len(parts) > 1 else (parts[0],)


def _other(split: Split) -> Split:
    return "val" if split == "train" else "train"
