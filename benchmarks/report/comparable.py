"""Whether a result of ours may be held against a published table, and the anchors: networks whose figures are known."""

from collections.abc import Iterator, Sequence

from scenelift.benchmarks.literature import (
    GAUSSIAN,
    IMAGENET_LABELS,
    TABLES,
    Column,
    PublishedRow,
    PublishedTable,
    published_table,
)
from scenelift.benchmarks.report.collect import FigureKey, Group, Result
from scenelift.benchmarks.report.headings import across
from scenelift.benchmarks.report.measured import baselines

_ALEXNETS = ("alexnet", "alexnet-standard")
_NOISE = 1.0
"""Points by which re-runs of one protocol differ."""


def why_not_comparable(published: PublishedTable, group: Group, result: Result) -> list[str]:
    """List what forbids a comparison with a published table; empty if nothing known does."""
    reasons = []
    if group.split != "test":
        reasons.append("judged on pictures held out for selection, not on the test split")
    count = group.data.splits.get("test")
    if not _same_data(group.data.name, published.data):
        reasons.append(f"other data ({group.data.name}, not {published.data})")
    elif count != published.num_test:
        reasons.append(
            f"other pictures ({count:,} for test, not {published.num_test:,})"
            if count
            else "other pictures"
        )
    truth = ground_truth(published, group)
    if truth and not truth.startswith("GT"):
        reasons.append(f"another ground truth ({truth})")
    if result.facts.backbone not in _ALEXNETS:
        reasons.append(f"another network ({result.facts.backbone}, not AlexNet)")
    deviations = len(group.notes())
    if deviations:
        reasons.append("deviations from the published protocol (the table's notes)")
    return reasons


def ground_truth(published: PublishedTable, group: Group) -> str:
    """Return the kind of true normals that a group was judged by; empty where the table knows no kinds."""
    if not any("ground truth" in row.labels for row in published.rows):
        return ""
    keys = [matching_key(column, group) for column in published.columns]
    told = next((key.group for key in keys if key is not None), "")
    return told.partition("(")[2].rstrip(")") or told


def matching_key(column: Column, group: Group) -> FigureKey | None:
    """Find the figure of ours that a published column defines; None if none does."""
    if not column.figure:
        return None
    for key in group.figures():
        if (key.name, key.layer) == (column.figure, column.layer) and column.group in (
            "",
            key.group,
        ):
            return key
    return None


def nearest_key(column: Column, group: Group) -> FigureKey | None:
    """Find the figure of ours whose definition may be that of a published column; None if none is known."""
    wanted = column.near
    if not wanted or wanted["task"] != group.task:
        return None
    for key in group.figures():
        if (key.name, key.group) == (wanted["figure"], wanted["group"]):
            return key
    return None


def anchor_sentences(groups: Sequence[Group]) -> list[str]:
    """Hold random and ImageNet weights against their published rows, a sentence each, and trained against random weights."""
    return [*_published_anchors(groups), *_above_random(groups)]


def is_imagenet(result: Result) -> bool:
    """Tell whether a network's label says that it learnt ImageNet's labels."""
    return "imagenet" in result.label.lower()


def _published_anchors(groups: Sequence[Group]) -> Iterator[str]:
    for published in map(published_table, TABLES):
        for group in groups:
            if not group.task.startswith(published.task):
                continue
            for result in group.results:
                method = GAUSSIAN if result.is_random else IMAGENET_LABELS
                row = published.row(method)
                if row is not None and (result.is_random or is_imagenet(result)):
                    sentence = _anchor(published, row, group, result)
                    if sentence:
                        yield sentence


def _anchor(published: PublishedTable, row: PublishedRow, group: Group, result: Result) -> str:
    pairs = [
        (column, value, mean.value)
        for column, value in zip(published.columns, row.values, strict=True)
        if (key := matching_key(column, group) or nearest_key(column, group)) is not None
        and value is not None
        and (mean := result.mean(key)) is not None
    ]
    if not pairs:
        return ""
    ours = ", ".join(f"{column.name} {mean:.1f}" for column, _, mean in pairs)
    theirs = ", ".join(f"{column.name} {value:.1f}" for column, value, _ in pairs)
    told = f"{result.label}, {group.title}: {ours}. Published as {row.method} ({row.evidence}, {published.data}): {theirs}."
    reasons = why_not_comparable(published, group, result)
    near = [column.near["figure"] for column, _, _ in pairs if not column.figure]
    if near:
        reasons.append(
            f"ours is {' and '.join(near)}, how the published one is defined is not certain"
        )
    if reasons:
        return f"{told} Not comparable: {'; '.join(reasons)}."
    gap = max(abs(mean - value) for _, value, mean in pairs)
    verdict = (
        "so the protocols agree"
        if gap <= _NOISE
        else "more than re-runs of one protocol differ (about 1)"
    )
    return f"{told} Comparable: they differ by at most {gap:.1f}, {verdict}."


def _above_random(groups: Sequence[Group]) -> Iterator[str]:
    for group in groups:
        figures = group.figures()
        headline = [key for chunk in across(figures) for key in chunk.keys]
        for result, other in baselines(group.results):
            signs = {key: 1 if figures[key].better == "higher" else -1 for key in headline}
            found = [(d, signs[key]) for key in headline if (d := result.minus(other, key))]
            differing = [(d, sign) for d, sign in found if d.value != 0]
            if not differing:
                continue
            better = [d for d, sign in differing if d.value * sign > 0]
            split = "test" if group.split == "test" else "selection"
            seeds = differing[0][0].count
            told = (
                f"in {sum(d.excludes_zero for d in better)} of them with the whole 95 % interval ({seeds} seeds)"
                if seeds > 1
                else "one seed gives no interval"
            )
            yield (
                f"{result.label} against {other.label}, {group.title} ({split}): better in {len(better)} of the "
                f"{len(differing)} figures that differ; {told}."
            )


def _same_data(ours: str, published: str) -> bool:
    def plain(name: str) -> str:
        return "".join(letter for letter in name.lower() if letter.isalnum())

    one, other = plain(ours), plain(published)
    aliases = {
        "imagenet1k": "imagenet",
        "ilsvrc2012": "imagenet",
        "nyudepthv2": "nyud",
        "nyuv2": "nyud",
    }
    return aliases.get(one, one) == aliases.get(other, other)
