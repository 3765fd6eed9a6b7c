"""Scene classes of pictures that have none of their own, in a JSON file beside the data.

`{"made_by": ..., "classes": [...], "scenes": {name: class, ...}}`; names are those of the data set, the same for every split.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from scenelift.datasets.dense_frames import DenseError

_MAX_BYTES = 2**28
_MAX_CLASSES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneLabels:
    """What a file of scene labels says."""

    classes: tuple[str, ...]
    scenes: Mapping[str, str]
    """Class by name of picture."""
    made_by: str
    """Who says so: a network and what it learnt from."""
    source: str = "scene labels"
    """What messages call the file."""

    def numbers(self, names: Sequence[str]) -> Int64[np.ndarray, " n"]:
        """Return the class of each picture.

        Raises:
            DenseError: if one has none.
        """
        index = {name: number for number, name in enumerate(self.classes)}
        missing = [name for name in names if name not in self.scenes]
        if missing:
            raise DenseError(
                f"{self.source}: {len(missing)} of {len(names)} frames have no scene label, first {missing[0]!r}; "
                "make the labels anew for this data set"
            )
        return np.array([index[self.scenes[name]] for name in names], np.int64)


def write_scene_labels(path: Path, labels: SceneLabels) -> None:
    """Write a file of scene labels; an old one stays whole until the new one is."""
    content = {
        "made_by": labels.made_by,
        "classes": list(labels.classes),
        "scenes": dict(sorted(labels.scenes.items())),
    }
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_scene_labels(path: Path) -> SceneLabels:
    """Read a file of scene labels.

    Raises:
        DenseError: if it cannot be read or is not such a file.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise DenseError(f"{path}: {path.stat().st_size} bytes, too many for scene labels")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DenseError(
            f"{path}: cannot be read: {error.strerror}; `python -m scenelift.benchmarks.experiments.scene_labels` makes one"
        ) from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, DenseError):
            raise
        raise DenseError(f"{path}: is no JSON") from error
    classes, scenes = (
        (content.get("classes"), content.get("scenes"))
        if isinstance(content, dict)
        else (None, None)
    )
    if not (
        isinstance(classes, list)
        and 2 <= len(classes) <= _MAX_CLASSES
        and all(isinstance(name, str) for name in classes)
        and len(set(classes)) == len(classes)
        and isinstance(scenes, dict)
    ):
        raise DenseError(
            f"{path}: wants classes (a list of at least two names) and scenes (name of a picture: class)"
        )
    known = set(classes)
    strange = next(
        ((k, v) for k, v in scenes.items() if not isinstance(v, str) or v not in known), None
    )
    if strange is not None:
        raise DenseError(
            f"{path}: {strange[0]!r} is {str(strange[1])[:80]!r}, which is none of its {len(classes)} classes"
        )
    made_by = content.get("made_by")
    return SceneLabels(
        classes=tuple(classes),
        scenes=scenes,
        made_by=made_by if isinstance(made_by, str) else "",
        source=str(path),
    )
