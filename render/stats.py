"""What is in a file: `info` reads its tables, `stats` its frames."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from scenelift.datasets.store import SPLITS, Header, Reader, describe_channels
from scenelift.render.statistics import Statistics, measure

_WARNINGS_SHOWN = 10
_NAME_WIDTH = 12


def info(path: Path) -> str:
    """Describe a file in plain text: frames, scenes, channels, configuration, what was turned away.

    Raises:
        StoreError: if the file is not sound.
    """
    reader = Reader(path)
    try:
        lines = [
            *_size_lines(path, reader),
            *_scene_lines(reader),
            *_channel_lines(path, num_frames=len(reader)),
            *_count_lines(reader),
            *_header_lines(reader.header),
        ]
    finally:
        reader.close()
    return "\n".join(lines)


def stats(path: Path, *, json_path: Path | None = None) -> str:
    """Summarise every frame of a file: depth, normals, edges, classes, colours.

    Args:
        path: The file.
        json_path: Where to write the same figures as JSON as well.

    Raises:
        StoreError: if the file is not sound.
        OSError: if the JSON cannot be written.
    """
    statistics = measure(path)
    if json_path is not None:
        json_path.write_text(json.dumps(statistics.as_json(), indent=1) + "\n", encoding="utf-8")
    return _statistics_text(path, statistics)


def _size_lines(path: Path, reader: Reader) -> list[str]:
    header = reader.header
    size = path.stat().st_size
    a_frame = f", {size / len(reader) / 1024:.0f} KiB a frame" if len(reader) else ""
    frames = f"{_count(len(reader), 'frame')} of {header.width} x {header.height} pixels"
    return [
        f"{path.name}: {frames}, {size / 1e6:,.1f} MB{a_frame}",
        _row("made by", f"{header.created_by}, seed {header.seed}, on {header.instruction_set}"),
    ]


def _scene_lines(reader: Reader) -> list[str]:
    names = reader.texts("scenes/name")
    scene = reader.views("scene")
    split = reader.views("split")
    frames_by_split = {
        name: int((split == value).sum())
        for value, name in enumerate(SPLITS)
        if (split == value).any()
    }
    per_scene = Counter(names[index] for index in scene)
    counts = sorted({min(per_scene.values()), max(per_scene.values())} if per_scene else ())
    spread = f", {' to '.join(map(str, counts))} views each" if counts else ""
    empty = len(set(names)) - len(per_scene)
    lines = [
        _row(
            "scenes",
            f"{len(set(names)):,}{spread}" + (f", {empty} without a view" if empty else ""),
        ),
        _row("split", _counts(frames_by_split) + " frames" if frames_by_split else "no frames"),
        _row("sources", _counts(Counter(reader.texts("scenes/source")))),
    ]
    kinds = _room_kinds(reader, scene)
    if kinds:
        lines.append(_row("rooms", _counts(kinds) + " frames"))
    licences = Counter(
        licence
        for licence in (*reader.texts("scenes/licence"), *reader.texts("instances/licence"))
        if licence
    )
    return [*lines, _row("licences", ", ".join(sorted(licences)) or "not stated")]


def _room_kinds(reader: Reader, scene: np.ndarray) -> Mapping[str, int]:
    """Count the views by the kind of the room they were taken in."""
    if "room" not in reader.columns:
        return {}
    rooms = [json.loads(text) for text in reader.texts("scenes/rooms")]
    kinds: Counter[str] = Counter()
    for index, room in zip(scene, reader.views("room"), strict=True):
        known = rooms[index]
        kinds[(known[room] if 0 <= room < len(known) else "") or "unknown"] += 1
    return kinds


def _channel_lines(path: Path, *, num_frames: int) -> list[str]:
    lines = [
        "",
        f"{'channel':<{_NAME_WIDTH}}{'dtype':<9}{'frame':<16}{'packed':<16}{'KiB a frame':>11}{'of raw':>9}",
    ]
    for storage in describe_channels(path):
        shape = " x ".join(map(str, storage.shape))
        share = f"{storage.stored_bytes / storage.raw_bytes:.1%}" if num_frames else "-"
        size = f"{storage.stored_bytes / max(1, num_frames) / 1024:.1f}"
        lines.append(
            f"{storage.channel:<{_NAME_WIDTH}}{storage.dtype:<9}{shape:<16}{storage.compression:<16}"
            f"{size:>11}{share:>9}"
        )
    return [*lines, ""]


def _count_lines(reader: Reader) -> list[str]:
    rejections: Counter[str] = Counter()
    for text in reader.texts("scenes/rejections"):
        rejections.update(json.loads(text))
    warnings: Counter[str] = Counter()
    for text in reader.texts("scenes/warnings"):
        warnings.update(json.loads(text))
    total = sum(rejections.values())
    lines = [
        _row("columns", ", ".join(reader.columns)),
        _row("turned away", f"{total:,} candidates: {_counts(rejections)}" if total else "nothing"),
    ]
    if warnings:
        lines.append(_row("warnings", f"{sum(warnings.values()):,}"))
        lines += [f"  {count:>6} x {text}" for text, count in warnings.most_common(_WARNINGS_SHOWN)]
        if len(warnings) > _WARNINGS_SHOWN:
            lines.append(f"         and {len(warnings) - _WARNINGS_SHOWN} other kinds")
    return lines


def _header_lines(header: Header) -> list[str]:
    lines = ["", f"configuration {header.content_hash[:12]}"]
    lines += [f"  {name} = {value}" for name, value in _flatten(header.content)]
    lines.append("edge thresholds")
    lines += [f"  {name} = {value}" for name, value in sorted(header.edge_thresholds.items())]
    lines.append("libraries")
    return [*lines, "  " + ", ".join(f"{name} {v}" for name, v in sorted(header.versions.items()))]


def _flatten(content: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in content.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", json.dumps(value)


def _statistics_text(path: Path, statistics: Statistics) -> str:
    lines = [f"{path.name}: {_count(statistics.frames, 'frame')}"]
    if not statistics.frames:
        return lines[0]
    depth = "   ".join(
        f"{name} {value:.2f}" for name, value in statistics.depth_percentiles_m.items()
    )
    lines += [
        "",
        _row("depth", f"metres: {depth}"),
        _row(
            "",
            f"mean {statistics.depth_mean_m:.3f}, invalid {statistics.invalid_share:.3%} of the pixels",
        ),
        *_bars(statistics.depth_bands),
        "",
        _row("colour", "           red    green     blue   (sRGB, 0 to 1)"),
        _row("  mean", "     " + "".join(f"{value:9.4f}" for value in statistics.image_mean)),
        _row("  deviation", "     " + "".join(f"{value:9.4f}" for value in statistics.image_std)),
        _row(
            "",
            f"black {statistics.black_share:.2%}, white {statistics.white_share:.2%} of the pixels",
        ),
        "",
        _row("surfaces", "by their normal in the world"),
        *_bars(statistics.surface_shares),
        _row("normals", "by the direction they face in the camera's frame"),
        *_bars(statistics.normal_shares),
        "",
        _row("edges", "share of the pixels, and its 5th to 95th percentile over frames"),
    ]
    for name, edge in statistics.edges.items():
        lines.append(f"  {name:<20}{edge.mean:7.2%}   {edge.low:.2%} to {edge.high:.2%}")
    lines += [
        _row(
            "instances",
            f"{statistics.instances_mean:.1f} in a frame, {statistics.instances_least} to {statistics.instances_most}",
        ),
        "",
        _row("classes", "share of the pixels"),
        *_bars(statistics.class_shares),
    ]
    return "\n".join(lines)


def _bars(shares: Mapping[str, float]) -> list[str]:
    longest = max(shares.values(), default=0.0) or 1.0
    return [
        f"  {name:<20}{share:7.2%} {'█' * round(30 * share / longest)}".rstrip()
        for name, share in shares.items()
    ]


def _row(name: str, text: str) -> str:
    return f"{name:<{_NAME_WIDTH}}{text}".rstrip()


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,} {name or 'unknown'}" for name, count in ordered) or "none"
