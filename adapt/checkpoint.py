"""Checkpoints: the whole state of a run in one file, written under another name and renamed, loaded without pickle's powers."""

import io
import os
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

FORMAT_VERSION = 1
_SUFFIX = ".pt"


class CheckpointError(ValueError):
    """A checkpoint cannot be used."""


def save_checkpoint(folder: Path, state: Mapping[str, Any], *, step: int, keep: int) -> Path:
    """Write a checkpoint and drop the oldest beyond `keep`.

    The file is on the disk before it gets its name: a killed process or a full disk leaves the older ones.

    Args:
        folder: Of the checkpoints.
        state: Tensors, numbers, strings, lists and dicts of these.
        step: Steps done.
        keep: How many stay.

    Raises:
        OSError: if the disk is full.
    """
    path = folder / f"{step:09d}{_SUFFIX}"
    write_state(path, {"step": step, **state})
    for old in list_checkpoints(folder)[:-keep]:
        old.unlink()
    return path


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state under another name, bring it to the disk, and rename it.

    Raises:
        OSError: if the disk is full.
    """
    part = path.with_name(path.name + ".part")
    try:
        with _Sink(io.FileIO(part, "wb")) as file:
            try:
                torch.save({"format_version": FORMAT_VERSION, **state}, file)
            except RuntimeError as error:
                raise (file.error or error) from error
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        part.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise OSError(f"{path}: cannot be written: {reason}; make room and resume") from error
    part.replace(path)


class _Sink(io.BufferedWriter):
    """A file that remembers what went wrong: torch's own message says where in its format, not why."""

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self.error = error
            raise


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder, the oldest first."""
    return sorted(path for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdigit())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises:
        CheckpointError: if the file is damaged, or not a checkpoint of this program.
        OSError: if it cannot be opened.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        cause = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path}: not a sound checkpoint: {cause}") from error
    if not isinstance(state, dict) or state.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(f"{path}: not a checkpoint of this version of the program")
    return state


def differences(old: Mapping[str, Any], new: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    """List what differs between two configurations, by dotted name.

    >>> differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}})
    ['b.c: 2 then, 3 now']
    """
    lines = []
    for key in dict.fromkeys([*old, *new]):
        one, other = old.get(key), new.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            lines += differences(one, other, prefix=f"{prefix}{key}.")
        elif one != other:
            lines.append(f"{prefix}{key}: {one!r} then, {other!r} now")
    return lines
