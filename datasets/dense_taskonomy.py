"""Taskonomy as published (Zamir et al., CVPR 2018): `point_N_view_M_domain_X.png` in folders `rgb`, `depth_zbuffer`, `normal`, ...

The folder of a building lies below that of the domain (`rgb/BUILDING/`, also `rgb/taskonomy/BUILDING/`) or above it
(`BUILDING/rgb/`). Depth counts 1/512 m, and from 16 m on (2^13) is unknown, as in the field's training code; classes are 0 uncertain,
1 background and 16 things, answers of another network; `class_scene` holds scores of 365 Places classes. Buildings belong to splits by
a published `train_val_test_*.csv`, or `train_models.txt` and the like, or else by the split Tiny.
"""

import csv
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, Shaped, UInt8

from scenelift.datasets.dense_files import (
    FileDense,
    LabelFiles,
    complete_frames,
    find_signs,
    read_lines,
    read_npy,
    read_png,
    semantic_ids,
)
from scenelift.datasets.dense_frames import DenseError, DenseLayout, DenseSplit, NoSplitError
from scenelift.datasets.label_lists import Tree
from scenelift.datasets.scene_labels import read_scene_labels

TASKONOMY_CLASSES = (
    "background", "bottle", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "microwave", "oven",
    "toaster", "sink", "refrigerator", "book", "clock", "vase",
)  # fmt: skip
TINY: dict[DenseSplit, tuple[str, ...]] = {
    "train": (
        "allensville", "beechwood", "benevolence", "coffeen", "cosmos", "forkland", "hanson", "hiteman", "klickitat", "lakeville",
        "leonardo", "lindenwood", "marstons", "merom", "mifflinburg", "newfields", "onaga", "pinesdale", "pomaria", "ranchester",
        "shelbyville", "stockman", "tolstoy", "wainscott", "woodbine",
    ),
    "val": ("collierville", "corozal", "darden", "markleeville", "wiconisco"),
    "test": ("ihlen", "mcdade", "muleshoe", "noxapater", "uvalda"),
}  # fmt: skip
"""Buildings of Tiny-Taskonomy."""
STEPS_PER_M = 512
UNKNOWN_DEPTH = 2**13
"""Raw depth from here on (16 m) is unknown."""

_NUM_PLACES = 365
_FRAME = re.compile(r"(point_\d{1,9}_view_\d{1,9})_domain_rgb\.png")
_LISTS = tuple(f"train_val_test_{size}.csv" for size in ("tiny", "medium", "full", "fullplus"))


def open_taskonomy(tree: Tree, *, split: DenseSplit, scene_labels: Path | None) -> DenseLayout:
    """Find the frames of a split.

    Raises:
        DenseError: if a modality is missing, or scene labels do not fit.
        NoSplitError: if no building is in the split.
    """
    wanted: dict[str, dict[str, str]] = {}
    for path in tree.sizes_bytes:
        found = _FRAME.fullmatch(path.rpartition("/")[2])
        parts = path.split("/")
        if found is not None and "rgb" in parts[:-1]:
            building = parts[-3] if parts[-2] == "rgb" and len(parts) > 2 else parts[-2]
            wanted[f"{building}/{found[1]}"] = _paths(tree, path, stem=found[1])
    if not wanted:
        raise DenseError(f"{tree.source}: no picture rgb/BUILDING/point_N_view_M_domain_rgb.png")
    complete = complete_frames(wanted, present=tree.sizes_bytes, source=tree.source)
    buildings = _buildings(tree, split=split)
    names = [name for name in complete if name.partition("/")[0].lower() in buildings]
    if not names:
        raise NoSplitError(
            f"{tree.source}: no building of the split {split}; put train_val_test_*.csv there, which says whose each is"
        )
    scene_paths = [_scene_path(tree, wanted[name]["picture"]) for name in names]
    has_scenes = scene_labels is None and all(path is not None for path in scene_paths)
    numbers: Int64[np.ndarray, " n"] | None = None
    scenes: tuple[str, ...] = _place_names(tree) if has_scenes else ()
    if scene_labels is not None:
        labels = read_scene_labels(scene_labels)
        scenes, numbers = labels.classes, labels.numbers(names)

    def of(kind: str) -> list[str]:
        return [wanted[name][kind] for name in names]

    frames = FileDense(
        names=names,
        images=tree.photos(of("picture")),
        semantic=LabelFiles(files=tree.photos(of("semantic")), decode=_semantic),
        depth=LabelFiles(files=tree.photos(of("depth")), decode=_depth),
        normal=LabelFiles(files=tree.photos(of("normal")), decode=_normal),
        mask=None,
        scenes=numbers,
        scene_files=LabelFiles(
            files=tree.photos([path for path in scene_paths if path is not None]), decode=_scores
        )
        if has_scenes
        else None,
    )
    return DenseLayout(
        title="Taskonomy",
        frames=replace(frames, signs=find_signs(frames)),
        scenes=scenes,
        semantic_classes=TASKONOMY_CLASSES,
        pseudo=bool(scenes),
    )


def _paths(tree: Tree, picture: str, *, stem: str) -> dict[str, str]:
    """Return where a frame's files are, or should be."""
    choices = {
        "semantic": (
            ("segment_semantic", "segmentsemantic"),
            ("segment_semantic", "segment_semantic"),
            ("segmentsemantic", "segmentsemantic"),
        ),
        "depth": (("depth_zbuffer", "depth_zbuffer"),),
        "normal": (("normal", "normal"),),
    }
    found = {"picture": picture}
    for kind, pairs in choices.items():
        paths = [_beside(picture, folder=f, name=f"{stem}_domain_{d}.png") for f, d in pairs]
        found[kind] = next((path for path in paths if path in tree.sizes_bytes), paths[0])
    return found


def _scene_path(tree: Tree, picture: str) -> str | None:
    stem = picture.rpartition("/")[2].removesuffix("_domain_rgb.png")
    paths = [
        _beside(picture, folder="class_scene", name=f"{stem}_domain_{domain}.npy")
        for domain in ("class_places", "class_scene")
    ]
    return next((path for path in paths if path in tree.sizes_bytes), None)


def _beside(picture: str, *, folder: str, name: str) -> str:
    """Replace the folder `rgb` and the file's name."""
    parts = picture.split("/")[:-1]
    parts[len(parts) - 1 - parts[::-1].index("rgb")] = folder
    return "/".join([*parts, name])


def _buildings(tree: Tree, *, split: DenseSplit) -> set[str]:
    """Return the buildings of a split, in lower case."""
    for wanted in _LISTS:
        path = next((p for p in sorted(tree.sizes_bytes) if p.rpartition("/")[2] == wanted), None)
        if path is not None:
            rows = list(csv.DictReader(read_lines(tree, path)))
            if not rows or not {"id", split} <= rows[0].keys():
                raise DenseError(f"{tree.source}: {path} wants the columns id, train, val and test")
            return {str(row["id"]).lower() for row in rows if row[split] == "1"}
    for path in sorted(tree.sizes_bytes):
        if path.rpartition("/")[2] == f"{split}_models.txt":
            return {line.lower() for line in read_lines(tree, path)}
    return set(TINY[split])


def _place_names(tree: Tree) -> tuple[str, ...]:
    """Return the names of the 365 classes of Places, their numbers where no list is there."""
    path = next(
        (p for p in tree.sizes_bytes if p.rpartition("/")[2] == "categories_places365.txt"), None
    )
    if path is None:
        return tuple(str(number) for number in range(_NUM_PLACES))
    names = [line.rpartition(" ")[0] for line in read_lines(tree, path)]
    if len(set(names)) != _NUM_PLACES:
        raise DenseError(
            f"{tree.source}: {path} names {len(set(names))} classes, not {_NUM_PLACES}"
        )
    return tuple(name.removeprefix("/") for name in names)


_read_grey8 = partial(read_png, bits=8, channels=1)


def _semantic(data: bytes, name: str) -> UInt8[np.ndarray, "h w"]:
    return semantic_ids(
        _read_grey8(data, name), classes=TASKONOMY_CLASSES, first_class=1, name=name
    )


def _depth(data: bytes, name: str) -> Float32[np.ndarray, "h w"]:
    raw = read_png(data, name, bits=16, channels=1)
    metres = raw.astype(np.float32) / np.float32(STEPS_PER_M)
    return np.where(raw < UNKNOWN_DEPTH, metres, np.float32(0))


def _normal(data: bytes, name: str) -> Shaped[np.ndarray, "h w 3"]:
    return read_png(data, name, bits=8, channels=3).astype(np.float32) / np.float32(127.5) - 1


def _scores(data: bytes, name: str) -> Shaped[np.ndarray, " classes"]:
    scores = read_npy(data, name).reshape(-1)
    if len(scores) != _NUM_PLACES or not np.isfinite(scores).all():
        raise DenseError(
            f"{name}: {len(scores)} scores, where {_NUM_PLACES} finite ones are wanted"
        )
    return scores
