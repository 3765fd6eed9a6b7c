"""Proposals of many pictures: from a file, or computed by several workers and kept, so that nothing is computed twice."""

import hashlib
import json
import logging
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float32

from scenelift.benchmarks.detection.boxes import overlaps
from scenelift.benchmarks.detection.pictures import Pictures
from scenelift.benchmarks.detection.proposal_file import (
    Proposals,
    read_proposals,
    write_proposals,
)
from scenelift.benchmarks.detection.proposals import ProposalSettings, propose
from scenelift.benchmarks.task import BenchError, Progress

ALGORITHM = 1
"""Counts up whenever the same settings give other boxes."""
_AHEAD = 4
_SAVE_EVERY_S = 20.0
_SLACK_PX = 1.5
"""Boxes of files may leave their picture by so much: published ones were rounded."""
_logger = logging.getLogger(__name__)


def cache_key(*, fingerprint: str, settings: ProposalSettings) -> str:
    """Return what cached boxes depend on, as text: the data, the settings, the algorithm and OpenCV's version."""
    return json.dumps(
        {
            "algorithm": ALGORITHM,
            "data": fingerprint,
            "opencv": cv2.__version__,
            **asdict(settings),
        },
        sort_keys=True,
    )


def cache_path(folder: Path, *, key: str) -> Path:
    """Return the file that boxes of a key are kept in."""
    return folder / f"proposals-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def compute_proposals(
    pictures: Pictures,
    *,
    settings: ProposalSettings,
    fingerprint: str,
    cache: Path,
    workers: int,
    progress: Progress,
) -> Proposals:
    """Propose boxes in all pictures that the cache does not hold yet.

    An interrupted run goes on where it was last saved, and the result does not depend on the number of workers.

    Args:
        pictures: Of them.
        settings: How.
        fingerprint: Of the data, so that no boxes of other pictures are taken for theirs.
        cache: A folder that runs may share.
        workers: Threads; 0 computes in the caller's.
        progress: Told of each picture.

    Raises:
        VocError: if a picture cannot be read.
        OSError: if the cache cannot be written.
    """
    key = cache_key(fingerprint=fingerprint, settings=settings)
    path = cache_path(cache, key=key)
    known = _cached(path, key=key)
    names = pictures.names
    missing = [index for index, name in enumerate(names) if name not in known]
    if missing:
        cache.mkdir(parents=True, exist_ok=True)
        saved = time.monotonic()
        found = _propose_all(pictures, missing, settings=settings, workers=workers)
        for count, (index, corners) in enumerate(found, len(names) - len(missing) + 1):
            known[names[index]] = corners
            progress("proposals", count, len(names))
            if time.monotonic() - saved > _SAVE_EVERY_S:
                _save(path, known, key=key)
                saved = time.monotonic()
        _save(path, known, key=key)
    return {name: known[name] for name in names}


def proposals_from_file(path: Path, *, pictures: Pictures, max_boxes: int) -> Proposals:
    """Read the boxes of pictures from a file of any more pictures.

    Raises:
        BenchError: if the file cannot be used, lacks a picture, or holds boxes of pictures of another size.
        VocError: if a picture cannot be read.
        OSError: if it cannot be opened.
    """
    known, _ = read_proposals(path)
    missing = [name for name in pictures.names if name not in known]
    if missing:
        raise BenchError(
            f"{path}: holds proposals of {len(known)} pictures, but not of {len(missing)} of the {len(pictures)} wanted, "
            f"{missing[0]} first; give those of the right split"
        )
    chosen = {}
    for index, name in enumerate(pictures.names):
        corners = known[name][:max_boxes]
        height, width = pictures.image(index).shape[:2]
        limits = np.array([width, height, width, height], np.float32)
        outside = ((corners < -_SLACK_PX) | (corners > limits + _SLACK_PX)).any(axis=1)
        if outside.any():
            box = (corners[outside][0] + np.array([1, 1, 0, 0], np.float32)).tolist()
            raise BenchError(
                f"{path}: a box of {name}, {box}, leaves its picture of {width} x {height} pixels: "
                "these are proposals of pictures of another size"
            )
        chosen[name] = np.clip(corners, 0, limits)
    return chosen


def recall_by_count(
    pictures: Pictures, proposals: Proposals, *, counts: tuple[int, ...], min_iou: float = 0.5
) -> dict[int, float]:
    """Return the share of objects, difficult ones left out, that the first so many proposals of their picture cover.

    Returns:
        Shares from 0 to 1 by number of proposals; 0 where there is no object.

    Raises:
        VocError: if an annotation cannot be used.
    """
    found = dict.fromkeys(counts, 0)
    total = 0
    for index, name in enumerate(pictures.names):
        truth = pictures.truth(index)
        wanted = truth.corners[~truth.difficult]
        total += len(wanted)
        shared = overlaps(wanted, proposals[name])
        for count in counts:
            found[count] += int((shared[:, :count].max(axis=1, initial=0) >= min_iou).sum())
    return {count: found[count] / max(total, 1) for count in counts}


def _cached(path: Path, *, key: str) -> dict[str, Float32[np.ndarray, "n 4"]]:
    """Return what is there; a file that is damaged or belongs to another key is as good as none."""
    try:
        known, found = read_proposals(path)
    except FileNotFoundError:
        return {}
    except BenchError as error:
        _logger.warning("%s; the proposals are computed again", error)
        return {}
    if found != key:
        _logger.warning(
            "%s: belongs to other data or settings; the proposals are computed again", path
        )
        return {}
    return known


def _save(path: Path, known: Proposals, *, key: str) -> None:
    """Write in the order of names: the same boxes make the same file."""
    write_proposals(path, {name: known[name] for name in sorted(known)}, key=key)


def _propose_all(
    pictures: Pictures, indices: list[int], *, settings: ProposalSettings, workers: int
) -> Iterator[tuple[int, Float32[np.ndarray, "n 4"]]]:
    """Yield boxes in the order of pictures. Threads suffice: OpenCV works outside Python's lock."""
    names = pictures.names

    def one(index: int) -> tuple[int, Float32[np.ndarray, "n 4"]]:
        return index, propose(pictures.image(index), name=names[index], settings=settings)

    if workers == 0:
        yield from map(one, indices)
        return
    pool = ThreadPoolExecutor(workers)
    try:
        rest = iter(indices)
        running = deque(pool.submit(one, index) for index in islice(rest, _AHEAD * workers))
        while running:
            yield running.popleft().result()
            running.extend(pool.submit(one, index) for index in islice(rest, 1))
    finally:
        pool.shutdown(cancel_futures=True)
