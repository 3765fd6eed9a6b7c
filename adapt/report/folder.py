"""Reading a run folder for the report: whatever is there, within bounds, and what is not."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scenelift.adapt.health import ADistance
from scenelift.adapt.log import Metrics, read_metrics
from scenelift.adapt.verdicts import LayerDistance

_MAX_JSON_BYTES = 4 << 20
_MAX_EVALUATION_PICTURES = 12
_MAX_PICTURES = 5_000
Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    """One group of the shortcut audit, as it was written."""

    group: str
    looks_at: str
    accuracy: float
    low: float
    high: float
    severity: str
    verdict: str
    cure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluationRow:
    """One figure of a benchmark."""

    name: str
    value: float
    unit: str
    baseline: float
    """NaN if there is none."""
    lower_is_better: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What a benchmark of the trained network gave."""

    title: str
    rows: tuple[EvaluationRow, ...]
    note: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunFolder:
    """Everything that the report shows."""

    name: str
    """The folder's."""
    config: Json
    """Empty if missing."""
    adapts: bool
    """Whether the method brings domains together, so that their distance is worth a look."""
    metrics: Metrics
    """Empty if missing."""
    layers: tuple[LayerDistance, ...]
    """From `health.json`, in order of depth."""
    audit: tuple[AuditRow, ...]
    """From `audit.json`."""
    audited: str
    """How many images the audit saw, in words."""
    evaluation: Evaluation | None
    """From `evaluation.json`."""
    evaluation_pictures: Mapping[str, Path]
    """What the benchmark drew, files by name."""
    pictures: Mapping[int, Mapping[str, Path]]
    """Files by step and name."""
    missing: tuple[str, ...] = field(default=())
    """What is missing or not readable, a sentence each."""


def read_run_folder(path: Path) -> RunFolder:
    """Read what a run has left so far.

    Raises:
        NotADirectoryError: if there is no such folder.
    """
    if not path.is_dir():
        raise NotADirectoryError(f"{path}: is no run folder; name the one given to --out")
    missing: list[str] = []
    metrics = _read_metrics(path, missing=missing)
    config = _read_json(path / "config.json", missing=missing)
    method = mapping_at(mapping_at(config, "content"), "method")
    adapts = text_at(method, "kind") in ("", "feature-alignment")
    of_domains = missing if adapts else []
    audit = _read_json(path / "audit.json", missing=of_domains)
    health = _read_json(path / "health.json", missing=of_domains)
    evaluation = None
    if (path / "evaluation.json").exists():
        evaluation = _evaluation(_read_json(path / "evaluation.json", missing=missing))
    drawn: dict[str, Path] = {}
    if evaluation is not None and not (path / "pictures").is_symlink():
        drawn = _pictures_of(path / "pictures" / "evaluation", limit=_MAX_EVALUATION_PICTURES)
    pictures = _find_pictures(path)
    if not pictures:
        missing.append("pictures: none were written.")
    return RunFolder(
        name=path.resolve().name,
        config=config,
        adapts=adapts,
        metrics=metrics,
        layers=tuple(_layer(entry) for entry in _entries(health, "layers")),
        audit=tuple(_audit_row(entry) for entry in _entries(audit, "findings")),
        audited=_audited(audit),
        evaluation=evaluation,
        evaluation_pictures=drawn,
        pictures=pictures,
        missing=tuple(missing),
    )


def number_at(entry: Json, key: str) -> float:
    """Return a number, or NaN if there is none."""
    value = entry.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def text_at(entry: Json, key: str) -> str:
    """Return a text, or an empty one."""
    value = entry.get(key)
    return value if isinstance(value, str) else ""


def mapping_at(entry: Json, key: str) -> Json:
    """Return an object, or an empty one."""
    value = entry.get(key)
    return value if isinstance(value, dict) else {}


def setting(config: Json, name: str) -> object:
    """Return a field of the configuration wherever it stands, the least deep first; None if it is nowhere.

    >>> setting({"content": {"steps": 5, "method": {"backbone": "alexnet"}}}, "backbone")
    'alexnet'
    """
    level = [config]
    for _ in range(4):
        for entry in level:
            if name in entry:
                return entry[name]
        level = [value for entry in level for value in entry.values() if isinstance(value, dict)]
    return None


def number_setting(config: Json, name: str) -> float:
    """Return a number of the configuration wherever it stands, or NaN."""
    return number_at({name: setting(config, name)}, name)


def _entries(content: Json, key: str) -> list[Json]:
    value = content.get(key)
    entries = value if isinstance(value, list) else []
    return [entry for entry in entries[:200] if isinstance(entry, dict)]


def _is_own_file(path: Path) -> bool:
    """Tell whether this is a file itself, not a link to one elsewhere, nor a pipe that never ends."""
    return path.is_file() and not path.is_symlink()


def _read_json(path: Path, *, missing: list[str]) -> Json:
    if not _is_own_file(path):
        missing.append(f"{path.name}: is missing.")
        return {}
    with path.open("rb") as file:
        raw = file.read(_MAX_JSON_BYTES + 1)
    if len(raw) > _MAX_JSON_BYTES:
        missing.append(f"{path.name}: is over {_MAX_JSON_BYTES >> 20} MB and was not read.")
        return {}
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        missing.append(f"{path.name}: is no JSON and was not read.")
        return {}
    if not isinstance(content, dict):
        missing.append(f"{path.name}: holds no JSON object and was not read.")
        return {}
    return content


def _read_metrics(path: Path, *, missing: list[str]) -> Metrics:
    if not _is_own_file(path / "metrics.jsonl"):
        missing.append("metrics.jsonl: is missing.")
        return Metrics()
    metrics = read_metrics(path / "metrics.jsonl")
    if metrics.broken_lines:
        missing.append(
            f"metrics.jsonl: {metrics.broken_lines:,} broken lines were left out "
            "(one at the end is what a killed run leaves)."
        )
    return metrics


def _find_pictures(path: Path) -> dict[int, dict[str, Path]]:
    found: dict[int, dict[str, Path]] = {}
    folder = path / "pictures"
    if folder.is_symlink() or not folder.is_dir():
        return found
    steps = [p for p in folder.iterdir() if re.fullmatch(r"[0-9]{1,15}", p.name)]
    for moment in sorted(steps, key=lambda p: int(p.name)):
        names = _pictures_of(moment, limit=64)
        if names and len(found) < _MAX_PICTURES:
            found[int(moment.name)] = names
    return found


def _pictures_of(folder: Path, *, limit: int) -> dict[str, Path]:
    if folder.is_symlink() or not folder.is_dir():
        return {}
    files = sorted([*folder.glob("*.png"), *folder.glob("*/*.png")])
    return {
        file.relative_to(folder).with_suffix("").as_posix(): file
        for file in files[:limit]
        if _is_own_file(file) and not file.parent.is_symlink()
    }


def _layer(entry: Json) -> LayerDistance:
    return LayerDistance(
        layer=text_at(entry, "layer") or "unnamed",
        before=_distance(mapping_at(entry, "before")),
        after=_distance(mapping_at(entry, "after")),
        aligned=entry.get("aligned") is True,
    )


def _distance(entry: Json) -> ADistance | None:
    value, low, high = (number_at(entry, key) for key in ("value", "low", "high"))
    if not all(0 <= end <= 2 for end in (value, low, high)):
        return None
    num_each = number_at(entry, "num_each")
    return ADistance(
        value=value, low=low, high=high, num_each=int(num_each) if 0 <= num_each < 1e15 else 0
    )


def _audit_row(entry: Json) -> AuditRow:
    measured = mapping_at(entry, "separability")
    return AuditRow(
        group=text_at(entry, "group"),
        looks_at=text_at(entry, "looks_at"),
        accuracy=number_at(measured, "accuracy"),
        low=number_at(measured, "low"),
        high=number_at(measured, "high"),
        severity=text_at(entry, "severity"),
        verdict=text_at(entry, "verdict"),
        cure=text_at(entry, "cure"),
    )


def _audited(audit: Json) -> str:
    synthetic, real = (number_at(audit, key) for key in ("num_synthetic", "num_real"))
    if not (0 <= synthetic < 1e12 and 0 <= real < 1e12):
        return ""
    return f"{int(synthetic):,} synthetic and {int(real):,} real images"


def _evaluation(content: Json) -> Evaluation | None:
    rows = tuple(
        EvaluationRow(
            name=text_at(entry, "name"),
            value=number_at(entry, "value"),
            unit=text_at(entry, "unit"),
            baseline=number_at(entry, "baseline"),
            lower_is_better=entry.get("better") == "lower",
        )
        for entry in _entries(content, "rows")
    )
    if not content:
        return None
    return Evaluation(
        title=text_at(content, "title") or "Benchmark", rows=rows, note=text_at(content, "note")
    )
