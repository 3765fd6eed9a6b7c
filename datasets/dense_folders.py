"""The folders of the MGM release: `rgb/SCENE/FILE`, and `ss`, `de`, `nm` (or `sn`, as its readme says) and perhaps `msk` in `.npy`.

`ss` holds class ids, `de` metres, `nm` components from 0 to 1 or -1 to 1, `msk` zeros where depth and normals do not count. The scene
class is the folder. `train.txt`, `val.txt` and `test.txt` with a name `SCENE/FILE` a line give the split; without them four frames of
five are `train` and the others `val`, told by their names.
"""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Shaped, UInt8

from scenelift.datasets.dense_files import (
    FileDense,
    LabelFiles,
    complete_frames,
    find_signs,
    read_lines,
    read_npy,
    read_plane,
    semantic_ids,
    to_unit_range,
)
from scenelift.datasets.dense_frames import (
    MAX_DEPTH_M,
    NYU40_CLASSES,
    DenseError,
    DenseLayout,
    DenseSplit,
    NoSplitError,
)
from scenelift.datasets.label_lists import Tree
from scenelift.datasets.photo_files import is_photo
from scenelift.datasets.scene_labels import read_scene_labels

_PARTS = 5


def open_release(
    tree: Tree, *, split: DenseSplit, scene_labels: Path | None, first_class: int
) -> DenseLayout:
    """Find the frames of a split.

    Raises:
        DenseError: if a modality is missing or a list does not fit.
        NoSplitError: if nothing is in the split.
    """
    if first_class not in (0, 1):
        raise DenseError(f"first_class must be 0 or 1, got {first_class}")
    top = _top(tree)
    normals = next((f for f in ("nm", "sn") if _holds(tree, f"{top}{f}/")), "nm")
    has_mask = _holds(tree, f"{top}msk/")
    kinds = {"semantic": "ss", "depth": "de", "normal": normals} | (
        {"mask": "msk"} if has_mask else {}
    )
    wanted: dict[str, dict[str, str]] = {}
    for path in tree.sizes_bytes:
        parts = path.removeprefix(top).split("/")
        if path.startswith(f"{top}rgb/") and is_photo(path) and len(parts) == 3:
            stem = f"{parts[1]}/{parts[2].rpartition('.')[0]}"
            labels = {kind: f"{top}{folder}/{stem}.npy" for kind, folder in kinds.items()}
            wanted[stem] = {"picture": path} | labels
    if not wanted:
        raise DenseError(f"{tree.source}: no picture as {top}rgb/SCENE/FILE")
    complete = complete_frames(wanted, present=tree.sizes_bytes, source=tree.source)
    names = _in_split(tree, complete, top=top, split=split)
    scenes = tuple(sorted({name.partition("/")[0] for name in complete}))
    numbers = np.array([scenes.index(name.partition("/")[0]) for name in names], np.int64)
    if scene_labels is not None:
        labels_read = read_scene_labels(scene_labels)
        scenes, numbers = labels_read.classes, labels_read.numbers(names)

    def of(kind: str) -> list[str]:
        return [wanted[name][kind] for name in names]

    frames = FileDense(
        names=names,
        images=tree.photos(of("picture")),
        semantic=LabelFiles(
            files=tree.photos(of("semantic")), decode=partial(_semantic, first_class=first_class)
        ),
        depth=LabelFiles(files=tree.photos(of("depth")), decode=_depth),
        normal=LabelFiles(files=tree.photos(of("normal")), decode=_normal),
        mask=LabelFiles(files=tree.photos(of("mask")), decode=read_plane) if has_mask else None,
        scenes=numbers,
    )
    return DenseLayout(
        title="MGM release",
        frames=replace(frames, signs=find_signs(frames)),
        scenes=scenes,
        semantic_classes=NYU40_CLASSES,
        pseudo=scene_labels is not None,
    )


def _semantic(data: bytes, name: str, *, first_class: int) -> UInt8[np.ndarray, "h w"]:
    values = read_plane(data, name)
    return semantic_ids(values, classes=NYU40_CLASSES, first_class=first_class, name=name)


def _depth(data: bytes, name: str) -> Float32[np.ndarray, "h w"]:
    depth = read_plane(data, name).astype(np.float32)
    known = np.isfinite(depth) & (depth > 0)
    if known.any() and depth[known].max() > MAX_DEPTH_M:
        raise DenseError(f"{name}: a depth of {depth[known].max():.4g}, where metres are wanted")
    return np.where(known, depth, np.float32(0))


def _normal(data: bytes, name: str) -> Shaped[np.ndarray, "h w 3"]:
    array = read_npy(data, name)
    if array.ndim == 3 and array.shape[0] == 3 and array.shape[-1] != 3:
        array = array.transpose(1, 2, 0)
    if array.ndim != 3 or array.shape[-1] != 3:
        raise DenseError(f"{name}: an array {array.shape}, where height, width and 3 are wanted")
    return to_unit_range(array.astype(np.float32), name=name)


def _top(tree: Tree) -> str:
    """Return the folder above `rgb/`, as deep as two levels."""
    tops = {
        "/".join(parts[: parts.index("rgb")])
        for name in tree.sizes_bytes
        if "rgb" in (parts := name.split("/"))[:3]
    }
    top = min(tops, key=lambda t: (t.count("/"), t))
    return f"{top}/" if top else ""


def _holds(tree: Tree, folder: str) -> bool:
    return any(name.startswith(folder) for name in tree.sizes_bytes)


def _in_split(tree: Tree, names: list[str], *, top: str, split: DenseSplit) -> list[str]:
    lists = {s: f"{top}{s}.txt" for s in ("train", "val", "test")}
    if not any(path in tree.sizes_bytes for path in lists.values()):
        if split == "test":
            raise NoSplitError(f"{tree.source}: no test.txt, so there is no split test")
        return _kept([n for n in names if _is_val(n) == (split == "val")], tree, split)
    if lists[split] not in tree.sizes_bytes:
        raise NoSplitError(f"{tree.source}: no {lists[split]}, so there is no split {split}")
    listed = sorted(set(read_lines(tree, lists[split])))
    complete = set(names)
    missing = next((name for name in listed if name not in complete), None)
    if missing is not None:
        raise DenseError(
            f"{tree.source}: {lists[split]} names {missing!r}, which lacks a picture or label"
        )
    return _kept(listed, tree, split)


def _kept(names: list[str], tree: Tree, split: DenseSplit) -> list[str]:
    if not names:
        raise NoSplitError(f"{tree.source}: no frame is in the split {split}")
    return names


def _is_val(name: str) -> bool:
    """Tell by a hash, so that neither order nor number of files matters.

    >>> _is_val("bedroom/0001"), 150 < sum(_is_val(str(number)) for number in range(1000)) < 250
    (False, True)
    """
    digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % _PARTS == 0
