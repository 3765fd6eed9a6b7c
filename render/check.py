"""Labels against each other: what a file says must not contradict itself.

Bounds follow from how the file rounds (`check_report`); what a clean renderer cannot avoid, detail finer than a pixel,
is allowed for by a stated share.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenelift.datasets.store import SPLITS, Reader, StoreError, verify
from scenelift.render.check_edges import check_edges
from scenelift.render.check_labels import check_camera, check_planes, check_presence, check_values
from scenelift.render.check_pairs import check_pair
from scenelift.render.check_report import Fault, StoredView

_SHOWN = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckReport:
    """What a check of a file found."""

    frames: int
    """Checked."""
    pairs: int
    """Of views of one scene, compared with each other."""
    faults: tuple[Fault, ...]
    text: str
    """The report, to be printed."""


def check(path: Path) -> CheckReport:
    """Check every frame of a file, and each against the frame before it of the same scene.

    Raises:
        StoreError: if it cannot be read as such a file at all.
    """
    faults = [
        Fault(frame=None, check="structure", value=1, bound=0, detail=line) for line in verify(path)
    ]
    if faults:
        return _report(path, frames=0, pairs=0, faults=faults)
    reader = Reader(path)
    try:
        faults += _split_faults(reader)
        checker = _Checker(reader)
        for index in range(len(reader)):
            faults += checker.frame(index)
        return _report(path, frames=len(reader), pairs=checker.pairs, faults=faults)
    finally:
        reader.close()


class _Checker:
    """Goes through the frames in order; holds the tables, one scene's classes and the last view."""

    def __init__(self, reader: Reader) -> None:
        self.pairs = 0
        self._reader = reader
        self._K, self._poses = reader.cameras()
        self._scenes = reader.views("scene")
        self._names = reader.texts("scenes/name")
        self._columns = {
            name: reader.views(name) for name in ("edge_pixels", "valid_pixels", "num_instances")
        }
        self._before: dict[str, int] = {}
        self._semantics: tuple[int, tuple[int, ...]] = (-1, ())
        self._last: StoredView | None = None

    def frame(self, index: int) -> Iterator[Fault]:
        """Check one view."""
        try:
            view = self._view(index)
        except StoreError as error:
            yield Fault(frame=index, check="reading", value=1, bound=0, detail=str(error))
            return
        yield from check_camera(view)
        yield from check_values(view)
        if not np.isfinite(view.z_depth_m).all():
            return
        yield from check_presence(view, semantics=self._classes(int(self._scenes[index])))
        yield from check_edges(view, thresholds=self._reader.header.edge_thresholds)
        yield from check_planes(view)
        yield from self._column_faults(view)
        name = self._names[self._scenes[index]]
        before = self._before.get(name)
        if before is not None and np.isfinite(self._poses[[before, index]]).all():
            yield from self._pair_faults(view, before)
        self._before[name] = index
        self._last = view

    def _pair_faults(self, view: StoredView, before: int) -> Iterator[Fault]:
        try:
            other = self._last if self._last and self._last.index == before else self._view(before)
        except StoreError:
            return
        if min(abs(np.linalg.det(one.T_world_camera)) for one in (view, other)) < 0.5:
            return
        self.pairs += 1
        yield from check_pair(view, other)
        yield from check_pair(other, view)

    def _view(self, index: int) -> StoredView:
        arrays = self._reader.read(index, raw_normals=True)
        return StoredView(
            index=index,
            image=arrays["image"],
            z_depth_m=arrays["depth"],
            normal_int16=arrays["normal"],
            edge=arrays["edge"],
            instance=arrays["instance"],
            semantic=arrays["semantic"],
            K=self._K[index],
            T_world_camera=self._poses[index],
        )

    def _classes(self, scene: int) -> tuple[int, ...]:
        if self._semantics[0] != scene:
            record = self._reader.scene(scene)
            self._semantics = scene, tuple(instance.semantic for instance in record.instances)
        return self._semantics[1]

    def _column_faults(self, view: StoredView) -> Iterator[Fault]:
        counted = {
            "edge_pixels": int((view.edge & 1).sum()),
            "valid_pixels": int((view.z_depth_m > 0).sum()),
            "num_instances": int(np.count_nonzero(np.bincount(view.instance.ravel())[1:])),
        }
        for name, count in counted.items():
            stored = int(self._columns[name][view.index])
            if stored != count:
                yield Fault(
                    frame=view.index,
                    check="view column",
                    value=stored,
                    bound=count,
                    detail=f"{name} is not what the frame shows",
                )


def _split_faults(reader: Reader) -> Iterator[Fault]:
    """Find scenes whose views are in two splits: a leak."""
    names = reader.texts("scenes/name")
    seen: dict[str, int] = {}
    for scene, split in zip(reader.views("scene"), reader.views("split"), strict=True):
        first = seen.setdefault(names[scene], int(split))
        if first != split:
            seen[names[scene]] = int(split)
            yield Fault(
                frame=None,
                check="split",
                value=2,
                bound=1,
                detail=f"scene {names[scene]} is in {SPLITS[first]} and in {SPLITS[split]}",
            )


def _report(path: Path, *, frames: int, pairs: int, faults: list[Fault]) -> CheckReport:
    lines = [f"{path.name}: {frames:,} frames and {pairs:,} pairs of views checked"]
    if faults:
        bad = len({fault.frame for fault in faults if fault.frame is not None})
        kinds = Counter(fault.check for fault in faults)
        lines[0] += f", {len(faults):,} faults in {bad:,} frames"
        lines += [f"  {count:>7,} {check}" for check, count in kinds.most_common()]
        lines += [str(fault) for fault in faults[:_SHOWN]]
        if len(faults) > _SHOWN:
            lines.append(f"and {len(faults) - _SHOWN:,} more")
    else:
        lines[0] += ": no fault"
    return CheckReport(frames=frames, pairs=pairs, faults=tuple(faults), text="\n".join(lines))
