"""Pictures that tasks left beside their cards, such as nearest neighbours, for the page."""

from collections.abc import Sequence
from pathlib import Path

from scenelift.adapt.report.embed import Embedded, embed_moments
from scenelift.benchmarks.report.collect import Group

_MAX_PICTURES = 12


def pictures_of(groups: Sequence[Group]) -> tuple[list[Embedded], list[str]]:
    """Embed the PNG files beside each network's first card.

    Returns:
        Pictures, and what could not be embedded, a sentence each.
    """
    files: dict[str, Path] = {}
    for group in groups:
        for result in group.results:
            seed, found = next(iter(result.by_seed.items()))
            for path in sorted(found.folder.glob("*.png")):
                if path.is_file() and not path.is_symlink():
                    files[f"{group.title}, {result.label}, seed {seed}: {path.stem}"] = path
    troubles = []
    if len(files) > _MAX_PICTURES:
        troubles.append(f"{len(files) - _MAX_PICTURES} further pictures lie beside the cards.")
        files = dict(list(files.items())[:_MAX_PICTURES])
    moments, unread = embed_moments({0: files})
    return moments.get(0, []), troubles + unread
