"""Files written by others, read with care: nothing outside the data root, nothing without bound, no special files."""

import json
import math
import re
import zipfile
import zlib
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from struct import error as StructError
from types import TracebackType

import numpy as np

from scenelift.render.scene import SceneError

MAX_FILE_BYTES = 1 << 30
"""No single file of a scene is larger."""
MAX_JSON_DEPTH = 64
MAX_ZIP_ENTRIES = 65_535
MAX_ZIP_BYTES = 4 << 30
MAX_ZIP_RATIO = 250.0
"""Of an entry above one megabyte; deflate cannot exceed 1032, text models stay below 20."""

_WINDOWS_DRIVE = re.compile(r"^[A-Za-z]:")
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_JSON_CONSTANT = re.compile(rb"NaN|Infinity|\d[eE]\+?\d{3,}")
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    LZMAError,
    StructError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    IndexError,
)


class MissingFileError(SceneError):
    """A file that a scene names and that is not there; many scenes are usable without it."""


class DataRoot:
    """The folder that a scene's files lie in; nothing outside is ever read."""

    def __init__(self, root: Path) -> None:
        """Take a folder, which must exist.

        Raises:
            SceneError: if it does not.
        """
        try:
            self.root = root.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise SceneError(f"{root}: there is no such folder of scenes") from error
        if not self.root.is_dir():
            raise SceneError(f"{root}: the data root is not a folder")
        self._listings: dict[Path, dict[str, str]] = {}

    def resolve(self, base: Path, reference: str) -> Path:
        """Find the file or folder that a scene file names.

        Backslashes and doubled slashes are slashes. An absolute path, of Windows or not, means the last part of it,
        beside the file. Upper and lower case are told apart first and confused as the last resort.

        Args:
            base: The folder of the file that holds the reference.
            reference: As written there.

        Returns:
            An existing path below the root, without symbolic links.

        Raises:
            MissingFileError: if there is no such file.
            SceneError: if the reference leaves the root.
        """
        text = reference.strip().strip('"').replace("\\", "/").removeprefix("file://")
        if not text or "\0" in text or len(text) > 4096:
            raise MissingFileError(f"{base}: {reference[:80]!r} names no file")
        start = self._inside(base, reference=str(base))
        parts = [part for part in text.split("/") if part not in ("", ".")]
        if text.startswith("/") or _WINDOWS_DRIVE.match(text):
            parts = [part for part in parts if part != ".."][-1:]
        place = start
        for part in parts:
            place = place.parent if part == ".." else place / part
        if not place.is_relative_to(self.root):
            raise SceneError(
                f"{base}: {reference[:200]!r} leads out of the data root {self.root}, which is refused; "
                "name a folder further up as the root if the file is yours"
            )
        found = place if _exists(place) else self._ignoring_case(place)
        if found is None or not parts:
            raise MissingFileError(f"{base}: {reference[:200]!r} is missing")
        return self._inside(found, reference=reference)

    def _inside(self, path: Path, *, reference: str) -> Path:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise MissingFileError(f"{path}: there is no such file") from error
        if not real.is_relative_to(self.root):
            raise SceneError(
                f"{path}: {reference[:200]!r} leads out of the data root {self.root}, which is refused"
            )
        return real

    def _ignoring_case(self, path: Path) -> Path | None:
        place = self.root
        for part in path.relative_to(self.root).parts:
            if _exists(place / part):
                place = place / part
                continue
            name = self._listing(place).get(part.casefold())
            if name is None:
                return None
            place = place / name
        return place

    def _listing(self, folder: Path) -> dict[str, str]:
        if folder not in self._listings:
            try:
                names = sorted((entry.name for entry in folder.iterdir()), reverse=True)
            except OSError:
                names = []
            self._listings[folder] = {name.casefold(): name for name in names}
        return self._listings[folder]


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def read_bytes(path: Path, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read a whole regular file.

    Raises:
        MissingFileError: if there is none.
        SceneError: if it is larger than `limit` bytes, no regular file, or cannot be read.
    """
    try:
        if not path.exists():
            raise MissingFileError(f"{path}: there is no such file")
        if not path.is_file():
            raise SceneError(f"{path}: not a regular file")
        with path.open("rb") as file:
            data = file.read(min(path.stat().st_size, limit) + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, SceneError):
            raise
        raise SceneError(f"{path}: cannot be read: {error}") from error
    if len(data) > limit:
        raise SceneError(f"{path}: larger than {limit} bytes, the most that is read")
    return data


def load_json(data: bytes, *, name: str) -> object:
    """Parse JSON as the standard has it: no NaN, no infinity, no doubled keys, no depth beyond 64.

    Args:
        data: The text, UTF-8.
        name: Of the file, for messages.

    Raises:
        SceneError: with file and line.

    >>> load_json(b'{"a": [1, 2.5]}', name="x.json")
    {'a': [1, 2.5]}
    """
    if not data.strip():
        raise SceneError(f"{name}: the file is empty")
    bare = _JSON_STRING.sub(lambda match: b" " * len(match.group()), data)
    code = np.frombuffer(bare, np.uint8)
    opening, closing = (np.isin(code, list(brackets)) for brackets in (b"[{", b"]}"))
    depth = int(np.cumsum(opening.astype(np.int32) - closing).max(initial=0))
    if depth > MAX_JSON_DEPTH:
        raise SceneError(f"{name}: nested {depth} deep, at most {MAX_JSON_DEPTH} are read")
    try:
        return json.loads(
            data.decode("utf-8-sig"),
            parse_constant=_refuse_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except json.JSONDecodeError as error:
        raise SceneError(
            f"{name}: line {error.lineno}: not JSON, or cut off: {error.msg}"
        ) from error
    except _NotFiniteError as error:
        match = _JSON_CONSTANT.search(bare)
        line = bare.count(b"\n", 0, match.start()) + 1 if match else 1
        raise SceneError(
            f"{name}: line {line}: {error} stands where a number is expected"
        ) from error
    except (ValueError, RecursionError) as error:
        raise SceneError(f"{name}: not usable JSON: {error}") from error


class _NotFiniteError(ValueError):
    pass


def _refuse_constant(text: str) -> object:
    raise _NotFiniteError(text)


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _NotFiniteError(text[:40])
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        names = [key for key, _ in pairs]
        double = next(key for key in names if names.count(key) > 1)
        raise ValueError(f"the key {double[:80]!r} stands twice in one object")
    return table


class SafeZip:
    """An archive that is only ever read entry by entry, within bounds; nothing is unpacked to disk."""

    def __init__(self, path: Path, *, max_bytes: int = MAX_ZIP_BYTES) -> None:
        """Open an archive and check its table of contents.

        Raises:
            SceneError: if it is no archive, encrypted, too large when unpacked, or has a name that leaves it.
        """
        self.path = path
        self._left = max_bytes
        if not _exists(path):
            raise MissingFileError(f"{path}: there is no such file")
        if not path.is_file():
            raise SceneError(f"{path}: not a regular file")
        try:
            self._zip = zipfile.ZipFile(path)
        except _ZIP_ERRORS as error:
            raise SceneError(f"{path}: not a zip archive, or cut off: {error}") from error
        try:
            self._entries = self._check(max_bytes)
        except SceneError:
            self._zip.close()
            raise

    def _check(self, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
        infos = self._zip.infolist()
        if len(infos) > MAX_ZIP_ENTRIES:
            raise SceneError(
                f"{self.path}: {len(infos)} entries, at most {MAX_ZIP_ENTRIES} are read"
            )
        total = sum(info.file_size for info in infos)
        if total > max_bytes:
            raise SceneError(f"{self.path}: unpacks to {total} bytes, at most {max_bytes} are read")
        entries = {}
        for info in infos:
            name = info.filename.replace("\\", "/")
            if (
                name.startswith("/")
                or _WINDOWS_DRIVE.match(name)
                or ".." in PurePosixPath(name).parts
            ):
                raise SceneError(f"{self.path}: entry {name[:200]!r} leads out of the archive")
            if info.flag_bits & 1:
                raise SceneError(f"{self.path}: entry {name[:200]!r} is encrypted")
            if info.file_size > max(1 << 20, MAX_ZIP_RATIO * info.compress_size):
                raise SceneError(
                    f"{self.path}: entry {name[:200]!r} unpacks from {info.compress_size} to {info.file_size} bytes, "
                    "as only a bomb does"
                )
            if not info.is_dir():
                entries[name] = info
        return entries

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all files, sorted, with forward slashes."""
        return tuple(sorted(self._entries))

    def read(self, name: str, *, limit: int = MAX_FILE_BYTES) -> bytes:
        """Read one entry.

        Raises:
            MissingFileError: if there is none of that name.
            SceneError: if it is corrupt, larger than `limit` or than announced, or if the archive's bound is used up.
        """
        info = self._entries.get(name)
        if info is None:
            raise MissingFileError(f"{self.path}: there is no entry {name[:200]!r}")
        bound = min(limit, self._left)
        if info.file_size > bound:
            raise SceneError(
                f"{self.path}: entry {name[:200]!r} holds {info.file_size} bytes, {bound} may be read"
            )
        try:
            with self._zip.open(info) as file:
                data = file.read(info.file_size + 1)
        except _ZIP_ERRORS as error:
            raise SceneError(f"{self.path}: entry {name[:200]!r} is corrupt: {error}") from error
        if len(data) != info.file_size:
            raise SceneError(
                f"{self.path}: entry {name[:200]!r} has another size than the archive says"
            )
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> "SafeZip":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        self.close()
