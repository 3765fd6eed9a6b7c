"""Where photos lie: a folder, the lines of a list, or a tar archive that stays packed.

Each is indexed once, by name, and read at random by any number of processes. Files are hostile: nothing outside the root is
read, links in archives are never followed, and every read is bounded.
"""

import io
import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, UInt8

from scenelift.datasets.tar_index import TarError, TarMember, tar_members

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
"""Endings of names of photos, in lower case."""
MAX_FILE_BYTES = 2**26
"""Larger files are refused: no photo in use comes near, and a file must fit into memory."""

_MAX_LINE_BYTES = 8192
_LISTED = re.compile(
    r"^(.*?(?:" + "|".join(re.escape(suffix) for suffix in SUFFIXES) + r"))(?:[\s,;].*)?$",
    re.IGNORECASE,
)


class PhotoError(ValueError):
    """Photos that cannot be found, read or decoded."""


@runtime_checkable
class PhotoFiles(Protocol):
    """Encoded photos by number."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """Return what a message calls a photo."""
        ...

    def read(self, index: int) -> bytes:
        """Return a photo's bytes as they lie.

        Raises:
            PhotoError: if it is missing, unreadable or too large.
        """
        ...


class Names:
    """Many names in two arrays: a forked worker touches no counter of references, and pickling takes a moment.

    >>> names = Names(["a.jpg", "b/c.jpg"])
    >>> len(names), names[1]
    (2, 'b/c.jpg')
    """

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [os.fsencode(name) for name in names]
        lengths = np.fromiter((len(name) for name in encoded), np.int64, len(encoded))
        self._ends: Int64[np.ndarray, " n"] = np.cumsum(lengths)
        self._text: UInt8[np.ndarray, " bytes"] = np.frombuffer(b"".join(encoded), np.uint8)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> str:
        start = int(self._ends[index - 1]) if index else 0
        return os.fsdecode(self._text[start : int(self._ends[index])].tobytes())


@dataclass(frozen=True, kw_only=True, slots=True)
class FolderPhotos:
    """Files below a root."""

    root: Path
    """Resolved: free of links."""
    names: Names
    """Paths below the root."""

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int) -> str:
        """Return the path."""
        return str(self.root / self.names[index])

    def read(self, index: int) -> bytes:
        """Read the file, unless it lies outside the root or is not a plain file."""
        path = self.name(index)
        if not os.path.realpath(path).startswith(f"{self.root}/"):
            raise PhotoError(f"{path}: leads outside {self.root}; copy the photo there")
        try:
            # A named pipe without a writer would block for ever.
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
        except (OSError, ValueError) as error:
            raise PhotoError(f"{path}: cannot be read: {_reason(error)}") from error
        try:
            return _read_plain(handle, path=path)
        finally:
            os.close(handle)


class TarPhotos:
    """Members of a tar archive that is not compressed, read where they lie."""

    def __init__(
        self,
        path: Path,
        *,
        names: Names,
        offsets: Int64[np.ndarray, " n"],
        sizes: Int64[np.ndarray, " n"],
    ) -> None:
        """Take an index; `photos_in_tar` makes one."""
        self._handle: int | None = None
        self._path = path
        self._names = names
        self._offsets = offsets
        self._sizes = sizes

    def __len__(self) -> int:
        return len(self._names)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_handle": None}

    def __del__(self) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def name(self, index: int) -> str:
        """Return archive and member."""
        return f"{self._path}: {self._names[index]}"

    def read(self, index: int) -> bytes:
        """Read the member, without a shared file position: safe in threads and after a fork."""
        try:
            if self._handle is None:
                self._handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            size = int(self._sizes[index])
            data = os.pread(self._handle, size, int(self._offsets[index]))
        except OSError as error:
            raise PhotoError(f"{self.name(index)}: cannot be read: {_reason(error)}") from error
        if len(data) != size:
            raise PhotoError(
                f"{self.name(index)}: {len(data)} of {size} bytes; fetch the archive again"
            )
        return data


def is_photo(name: str) -> bool:
    """Tell by the ending of a name.

    >>> is_photo("a/b.JPG"), is_photo("a/train.txt"), is_photo("a/._b.jpg")
    (True, False, False)
    """
    return name.lower().endswith(SUFFIXES) and not name.rpartition("/")[2].startswith("._")


def photos_in_folder(root: Path) -> FolderPhotos:
    """Find every photo below a folder, in the order of their paths.

    Links to files count if they lead below the root, links to folders do not: they would show photos twice, or for ever.

    Raises:
        PhotoError: if there is no folder or no photo.
    """
    resolved = _resolve(root)
    found: list[str] = []
    outside = 0
    stack = [""]
    try:
        while stack:
            below = stack.pop()
            with os.scandir(resolved / below) as entries:
                for entry in entries:
                    name = f"{below}{entry.name}"
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(f"{name}/")
                    elif entry.is_symlink():
                        inside = Path(entry.path).resolve().is_relative_to(resolved)
                        outside += not inside
                        if inside and entry.is_file() and is_photo(name):
                            found.append(name)
                    elif entry.is_file() and is_photo(name):
                        found.append(name)
    except (OSError, RuntimeError) as error:
        raise PhotoError(f"{root}: cannot be listed: {_reason(error)}") from error
    if not found:
        links = f"; {outside} links lead outside it and are not followed" if outside else ""
        raise PhotoError(f"{root}: no photo below this folder ({_wanted()}){links}")
    return FolderPhotos(root=resolved, names=Names(sorted(found)))


def photos_in_list(path: Path, *, root: Path | None = None) -> FolderPhotos:
    """Take the photos that a text file names, one a line, in its order.

    What follows the name (Places writes a label) is ignored, as are empty lines and those that start with `#`.

    Args:
        path: The list.
        root: What the names are below, also those with a leading slash (Places writes such); None is the list's folder.

    Raises:
        PhotoError: if the list cannot be read, or a line names no photo below the root.
    """
    base = _resolve(root or path.parent)
    try:
        with path.open("rb") as file:
            names = listed_names(file, base=str(base), source=str(path))
    except OSError as error:
        raise PhotoError(f"{path}: cannot be read: {_reason(error)}") from error
    if not os.path.lexists(base / names[0]):
        raise PhotoError(
            f"{path}: the first photo that it names, {names[0]}, is not in {base}; "
            "put the list beside the photos or name their folder"
        )
    return FolderPhotos(root=base, names=Names(names))


def photos_in_tar(path: Path, members: Iterable[TarMember] | None = None) -> TarPhotos:
    """Index the photos of a tar archive from its headers alone.

    Args:
        path: The archive, not compressed.
        members: Which, in order; None takes all photos in the order of their names.

    Raises:
        PhotoError: if it is damaged, compressed, or holds no photo.
    """
    chosen = list(list_tar(path) if members is None else members)
    photos = [member for member in chosen if is_photo(member.name)]
    if members is None:
        photos.sort()
    if not photos:
        raise PhotoError(f"{path}: no photo in this archive ({_wanted()})")
    return TarPhotos(
        path,
        names=Names(member.name for member in photos),
        offsets=np.array([member.offset for member in photos], np.int64),
        sizes=np.array([member.size for member in photos], np.int64),
    )


def list_tar(path: Path) -> list[TarMember]:
    """Return the plain files of an archive.

    Raises:
        PhotoError: if it is damaged or compressed.
    """
    try:
        return list(tar_members(path))
    except TarError as error:
        raise PhotoError(str(error)) from error


def _read_plain(handle: int, *, path: str) -> bytes:
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise PhotoError(f"{path}: is not a plain file")
        if status.st_size > MAX_FILE_BYTES:
            raise PhotoError(
                f"{path}: {status.st_size} bytes, more than the {MAX_FILE_BYTES} of any photo"
            )
        return os.read(handle, status.st_size)
    except OSError as error:
        raise PhotoError(f"{path}: cannot be read: {_reason(error)}") from error


def listed_names(file: io.BufferedIOBase, *, base: str, source: str) -> list[str]:
    """Return the names below a base that a list holds.

    Raises:
        PhotoError: if a line names no photo, or one elsewhere, or there is none.
    """
    names: list[str] = []
    for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE_BYTES), b""), 1):
        text = os.fsdecode(line.removeprefix(b"\xef\xbb\xbf")).strip()
        if not text or text.startswith("#"):
            continue
        match = _LISTED.match(text)
        if match is None:
            raise PhotoError(f"{source}: line {number} names no photo: {text[:80]!r} ({_wanted()})")
        name = match[1].removeprefix(f"{base}/").lstrip("/")
        if ".." in name.split("/") or "\0" in name:
            raise PhotoError(f"{source}: line {number} leads outside {base}: {text[:80]!r}")
        names.append(name)
    if not names:
        raise PhotoError(f"{source}: the list names no photo")
    return names


def _resolve(folder: Path) -> Path:
    try:
        resolved = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise PhotoError(f"{folder}: cannot be read: {_reason(error)}") from error
    if not resolved.is_dir():
        raise PhotoError(f"{folder}: is not a folder")
    return resolved


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _wanted() -> str:
    return "looked for " + ", ".join(f"*{suffix}" for suffix in SUFFIXES)
