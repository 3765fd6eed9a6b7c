"""Classes of SUNCG's models, from `metadata/ModelCategoryMapping.csv`."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass

from scenelift.datasets.nyu40 import NYU40_NAMES, nyu40_id
from scenelift.render.scene import SceneError

_COLUMNS = ("model_id", "fine_grained_class", "nyuv2_40class")
_SPELLINGS = {"refrigerator": "refridgerator", "nightstand": "night_stand", "shelf": "shelves", "tv": "television"}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelClass:
    """What a model is."""

    category: str
    """The fine-grained class, e.g. "floor_lamp"; "" if unknown."""
    semantic: int
    """NYU40 id, 0 if unknown."""


UNKNOWN = ModelClass(category="", semantic=0)


def parse_classes(data: bytes, *, where: str) -> tuple[dict[str, ModelClass], tuple[str, ...]]:
    """Read the table of models.

    Args:
        data: The CSV file; columns are found by their names.
        where: The file, for messages.

    Returns:
        The class of each model id, and warnings about NYU40 names that do not exist.

    Raises:
        SceneError: if it is no such table.
    """
    try:
        rows = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""))
        missing = [name for name in _COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise SceneError(f"{where}: the table of classes has no column {', '.join(missing)}")
        table: dict[str, ModelClass] = {}
        strange: dict[str, int] = {}
        for row in rows:
            semantic = semantic_id(row["nyuv2_40class"] or "")
            if semantic is None:
                strange[row["nyuv2_40class"]] = strange.get(row["nyuv2_40class"], 0) + 1
            category = row["fine_grained_class"] or row.get("coarse_grained_class") or ""
            table[(row["model_id"] or "").strip()] = ModelClass(
                category=category.strip(), semantic=semantic or 0
            )
    except (UnicodeDecodeError, csv.Error) as error:
        raise SceneError(f"{where}: the table of classes cannot be read: {error}") from error
    warnings = tuple(
        f"{where}: {count} models of the class {name[:40]!r}, which NYU40 lacks: labelled unknown"
        for name, count in strange.items()
    )
    return table, warnings[:20]


def semantic_id(name: str) -> int | None:
    """Return the NYU40 id of a class name in any of the spellings met; None if there is none.

    >>> semantic_id("Night_Stand"), semantic_id("refrigerator"), semantic_id(""), semantic_id("cat")
    (32, 24, 0, None)
    """
    words = "_".join(name.strip().lower().replace("_", " ").split())
    words = _SPELLINGS.get(words, words)
    if not words:
        return 0
    return nyu40_id(words) if words in NYU40_NAMES else None


def class_of(model: str, table: Mapping[str, ModelClass]) -> ModelClass:
    """Return the class of a model; one whose id is a word instead of a number is told by that word.

    >>> class_of("floor lamp", {}), class_of("122", {})
    (ModelClass(category='floor lamp', semantic=35), ModelClass(category='', semantic=0))
    """
    if model in table:
        return table[model]
    if any(character.isdigit() for character in model):
        return UNKNOWN
    words = model.replace("_", " ").split()
    for start in range(len(words)):
        semantic = semantic_id(" ".join(words[start:]))
        if semantic:
            return ModelClass(category=model, semantic=semantic)
    return ModelClass(category=model, semantic=0)
