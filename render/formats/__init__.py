"""Scene files in, `Scene` out. One module a format; each offers `read_scene(path, ...)`. Told apart by content."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FormatName = Literal["suncg", "scenenet", "mesh"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneSource:
    path: Path
    format: str
    name: str


def find_scenes(*a, **k):
    raise NotImplementedError


def read_scene(*a, **k):
    raise NotImplementedError
