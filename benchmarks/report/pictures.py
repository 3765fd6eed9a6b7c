"""Pictures that tasks left beside their cards, such as nearest neighbours, for the page."""

from collections.abc import Sequence
from pathlib import Path

from scenelift.adapt.report.embed import Embedded, embed_moments
from scenelift.benchmarks.report.collect import Group
from scenelift.benchmarks.together import PREFIX

_MAX_PICTURES = 16
_OF_EACH = 2
"""Pictures of one result."""


def pictures_of(
    groups: Sequence[Group], *, folders: Sequence[Path]
) -> tuple[list[Embedded], list[str]]:
    """Embed pictures that show several networks, then some that lie beside each network's first card.

    Args:
        groups: What was measured.
        folders: Where `transfer-bench` wrote to.

    Returns:
        Pictures, and what could not be embedded, a sentence each.
    """
    files = {path.stem: path for folder in folders for path in _plain(folder, f"{PREFIX}*.png")}
    left = 0
    for group in groups:
        for result in group.results:
            seed, found = next(iter(result.by_seed.items()))
            paths = _plain(found.folder, "*.png") + _plain(found.folder, "pictures/*.png")
            left += max(len(paths) - _OF_EACH, 0)
            for path in paths[:_OF_EACH]:
                files[f"{group.title}, {result.label}, seed {seed}: {path.stem}"] = path
    left += max(len(files) - _MAX_PICTURES, 0)
    troubles = [f"{left} further pictures lie beside the cards."] if left else []
    moments, unread = embed_moments({0: dict(list(files.items())[:_MAX_PICTURES])})
    return moments.get(0, []), troubles + unread


def _plain(folder: Path, pattern: str) -> list[Path]:
    """Find files that are no links, in the order of their names."""
    if not folder.is_dir():
        return []
    return [p for p in sorted(folder.glob(pattern)) if p.is_file() and not p.is_symlink()]
