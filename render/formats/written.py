"""What a writer of scenes returns, and how it puts files in their place: complete or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A scene on disk."""

    path: Path
    """What a reader takes: a file."""
    losses: tuple[str, ...] = ()
    """What the format cannot hold, a line each; empty if the scene comes back whole."""


@contextmanager
def new_folder(target: Path, *, overwrite: bool, known: frozenset[str]) -> Iterator[Path]:
    """Yield an empty folder that takes the target's place when the block ends without an error.

    Args:
        target: A folder that does not exist, is empty, or may be overwritten.
        overwrite: Replace an existing folder, if it holds nothing but `known`.
        known: Names that an existing folder may hold: what is not ours is never deleted.

    Raises:
        FileExistsError: if the target exists and may not be replaced.
    """
    if target.exists():
        strange = sorted(entry.name for entry in target.iterdir()) if target.is_dir() else ["?"]
        if strange and not overwrite:
            raise FileExistsError(f"{target}: exists already; name another place or overwrite it")
        strange = [name for name in strange if name not in known]
        if strange:
            raise FileExistsError(
                f"{target}: holds {strange[0]!r}, which no scene writer made, and is not overwritten"
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        content = fresh / "new"
        content.mkdir()
        yield content
        if target.exists():
            target.rename(fresh / "old")
        content.rename(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def write_file(target: Path, data: bytes, *, overwrite: bool) -> None:
    """Write a file at once: nobody ever sees a part of it.

    Raises:
        FileExistsError: if it exists and may not be overwritten.
    """
    if target.exists() and (not overwrite or not target.is_file()):
        raise FileExistsError(f"{target}: exists already; name another place or overwrite it")
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
