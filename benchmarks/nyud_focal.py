"""At which size a run should see NYU Depth v2: where its focal length in pixels is that of the rendered views it learnt from.

A network tells distance and slant from how large things look, so pictures of another focal length are stretched worlds. Rendered
views are squares about 61 degrees across; Kinect's pictures have 63 degrees over 320 pixels, so that equal shorter sides would
show all things a third too large.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenelift.adapt.config import RunError
from scenelift.datasets.nyud import INSIDE
from scenelift.datasets.nyud_normals import Pinhole
from scenelift.datasets.store import Reader, StoreError

_MAX_CONFIG_BYTES = 2**24
_MAX_FILES = 64
_MIN_PX, _MAX_PX = 16, 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """How pictures are shown."""

    resize_px: int
    """Length of the shorter side within the white frame."""
    reason: str
    """Why, to be read after that number."""


def choose_view(run: Path, *, pinhole: Pinhole, synthetic: Sequence[Path] = ()) -> View:
    """Choose the size at which NYU's focal length in pixels is the median of the training views'.

    Args:
        run: A run folder; `config.json` names its size and files.
        pinhole: Of the pictures.
        synthetic: Files that count instead of those; all must be there. Of the run's own, those that are still there count; if
            there is none, the size is that of training and the reason says so.

    Raises:
        RunError: if `config.json` cannot be used.
        StoreError: if a file of `synthetic` cannot be used.
    """
    resize_px, named = _read_config(run)
    files = list(synthetic) or _present(named)
    try:
        focal_px = _median_focal_px(files, resize_px=resize_px) if files else None
    except (StoreError, OSError):
        if synthetic:
            raise
        focal_px = None
    if focal_px is None:
        reason = " as in training, since no file that tells the focal length of the rendered views is there"
        return View(resize_px=resize_px, reason=f"{reason} (--synthetic names one)")
    scale = focal_px / np.sqrt(pinhole.fx_px * pinhole.fy_px)
    short = min(part.stop - part.start for part in INSIDE)
    chosen = int(np.clip(round(short * scale), _MIN_PX, _MAX_PX))
    return View(
        resize_px=chosen,
        reason=f", at the rendered views' median focal length of {focal_px:.1f} pixels",
    )


def _median_focal_px(files: Sequence[Path], *, resize_px: int) -> float:
    """Return the median focal length once the shorter side of the views has `resize_px` pixels."""
    reader = Reader(files)
    cameras, _ = reader.cameras()
    reader.close()
    focal = np.sqrt(np.abs(cameras[:, 0, 0] * cameras[:, 1, 1]).astype(np.float64))
    focal = focal[np.isfinite(focal) & (focal > 0)]
    if not len(focal):
        raise StoreError(f"{files[0]}: no view with a focal length")
    return float(np.median(focal)) * resize_px / min(reader.header.width, reader.header.height)


def _present(named: Sequence[str]) -> list[Path]:
    """Return the files that are still there, or what the folder of their shards was merged into; some, if they are many."""
    paths = [Path(name) for name in named]
    there = [path for path in paths if path.is_file()]
    if not there:
        merged = {path.parent.with_suffix("") for path in paths if path.parent.suffix == ".parts"}
        there = sorted(path for path in merged if path.is_file())
    return there[:: max(1, -(-len(there) // _MAX_FILES))]


def _read_config(run: Path) -> tuple[int, list[str]]:
    path = run / "config.json"
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MAX_CONFIG_BYTES))["content"]
        size, named = content["geometry"]["resize_px"], content.get("synthetic")
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RunError(f"{path}: holds no content.geometry.resize_px") from error
    if not isinstance(size, int) or not _MIN_PX <= size <= _MAX_PX:
        raise RunError(f"{path}: content.geometry.resize_px must be from 16 to 4096, got {size!r}")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    return size, [name for name in names if isinstance(name, str) and "\0" not in name]
