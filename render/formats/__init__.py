"""Scene files in, `Scene` out. One module a format; each offers `read_scene(path, ...)`. Told apart by content."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from scenelift.render.scene import Scene, SceneError

FormatName = Literal["suncg", "scenenet", "mesh"]
"""`mesh` is any other glTF, GLB, OBJ, PLY, COLLADA, STL or OFF file."""

_KNOWN = "SUNCG (house.json), SceneNet (OBJ), glTF, GLB, OBJ, PLY, COLLADA, STL, OFF"
MAX_SNIFFED_BYTES = 1 << 26
_MTLLIB = re.compile(rb"^[ \t]*mtllib[ \t]+([^\r\n]+)", re.MULTILINE)
_SUNCG_FOLDERS = frozenset(("object", "room", "texture", "metadata"))
_LIBRARY_FOLDERS = frozenset(("texture_library", "__MACOSX"))


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneSource:
    """A scene that lies in a file and is not read yet."""

    path: Path
    format: FormatName
    name: str
    """Unique among those found together: the path below the folder that was named, without its suffix."""
    data_root: Path
    """Nothing outside is read."""


def find_scenes(
    paths: Sequence[Path], *, format: FormatName | None = None
) -> tuple[SceneSource, ...]:
    """List the scenes in files and folders.

    A folder is searched through and bounds what its scenes may read. A single file may also read beside the folder it
    lies in; SUNCG and SceneNet read from their own roots. Parts of scenes (models, textures) are not listed.

    Args:
        paths: Files and folders; their order changes nothing.
        format: Takes files for this; by default their content tells.

    Returns:
        Scenes sorted by name, each file once.

    Raises:
        SceneError: if a path does not exist, a file is no scene, or nothing at all is found.
    """
    found: dict[Path, SceneSource] = {}
    for path in sorted(paths):
        listed = _in_folder(path, format=format) if path.is_dir() else [_one(path, format=format)]
        for source in listed:
            found.setdefault(source.path.resolve(), source)
    if not found:
        raise SceneError(
            f"{', '.join(map(str, paths)) or 'no path'}: there is no scene in it of a known format: {_KNOWN}"
        )
    return _with_unique_names(list(found.values()))


def _one(path: Path, *, format: FormatName | None) -> SceneSource:
    if not path.exists():
        raise SceneError(f"{path}: there is no such file or folder")
    if not path.is_file():
        raise SceneError(f"{path}: neither a regular file nor a folder")
    if path.stat().st_size == 0:
        raise SceneError(f"{path}: the file is empty")
    kind = format or detect_format(path)
    if kind is None:
        raise SceneError(f"{path}: its content is no known scene format: {_KNOWN}")
    path = path.absolute()
    above = path.parent.parent
    return SceneSource(
        path=path,
        format=kind,
        name=_name(path, kind, below=above),
        data_root=_root(path, kind, otherwise=path.parent if above == above.parent else above),
    )


def _in_folder(folder: Path, *, format: FormatName | None) -> Iterator[SceneSource]:
    folder = folder.absolute()
    for place, folders, files in os.walk(folder):
        here = Path(place)
        hidden = _SUNCG_FOLDERS if "house" in folders else frozenset()
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in hidden | _LIBRARY_FOLDERS
        )
        for name in sorted(files):
            path = here / name
            if name.startswith(".") or not path.is_file():
                continue
            kind = detect_format(path)
            if kind == "scenenet" and format == "mesh":
                kind = format
            if kind and kind == (format or kind):
                yield SceneSource(
                    path=path,
                    format=kind,
                    name=_name(path, kind, below=folder),
                    data_root=_root(path, kind, otherwise=folder),
                )


def _name(path: Path, kind: FormatName, *, below: Path) -> str:
    relative = path.relative_to(below)
    if kind == "suncg" and path.stem == "house" and len(relative.parts) > 1:
        return relative.parent.as_posix()
    return relative.with_suffix("").as_posix()


def _root(path: Path, kind: FormatName, *, otherwise: Path) -> Path:
    """Choose the folder that bounds what a scene reads."""
    if kind == "suncg":
        from scenelift.render.formats.suncg import read as suncg

        return suncg.default_root(path)
    if kind == "scenenet":
        for folder in list(path.parents)[:3]:
            if (folder / "texture_library").is_dir():
                return folder
    return otherwise


def _with_unique_names(sources: list[SceneSource]) -> tuple[SceneSource, ...]:
    """Tell apart scenes of one name by their suffix, then by a number in the order of their paths."""
    for step in range(2):
        names = [source.name for source in sources]
        double = (
            {name for name in names if names.count(name) > 1}
            if len(set(names)) < len(names)
            else set()
        )
        counts: dict[str, int] = {}
        renamed = []
        for source in sorted(sources, key=lambda source: str(source.path)):
            number = counts[source.name] = counts.get(source.name, 0) + 1
            if source.name in double and step == 0:
                source = replace(source, name=source.name + source.path.suffix)
            elif number > 1:
                source = replace(source, name=f"{source.name}#{number}")
            renamed.append(source)
        sources = renamed
    return tuple(sorted(sources, key=lambda source: source.name))


def detect_format(path: Path) -> FormatName | None:
    """Tell a file's format by its content; a damaged one by a well-known suffix, so that reading names the fault.

    Returns:
        The format; None for what is no scene.
    """
    from scenelift.render.formats import mesh, scenenet, suncg

    try:
        with path.open("rb") as file:
            data = file.read(min(path.stat().st_size, MAX_SNIFFED_BYTES))
    except OSError:
        return None
    if suncg.recognises(data[:65536]):
        return "suncg"
    kind = mesh.detect_format(data)
    if kind == "obj" and scenenet.recognises(data, materials=_materials_beside(path, data)):
        return "scenenet"
    return "mesh" if kind or mesh.suffix_format(path) else None


def _materials_beside(path: Path, data: bytes) -> bytes:
    """Read the material library of an OBJ file if it lies beside it."""
    match = _MTLLIB.search(data)
    name = match.group(1).decode("utf-8", "replace").strip() if match else ""
    if not name or "/" in name or "\\" in name or "\0" in name or len(name) > 200:
        return b""
    beside = path.parent / name
    if not beside.is_file():
        return b""
    with beside.open("rb") as file:
        return file.read(min(beside.stat().st_size, MAX_SNIFFED_BYTES))


def read_scene(source: SceneSource, *, seed: int) -> Scene:
    """Read a scene; what it holds depends on the content of its files and on the seed alone.

    Args:
        source: From `find_scenes`.
        seed: Of what the format leaves to chance, such as SceneNet's textures.

    Raises:
        SceneError: if it cannot be used; one line that names the file and the fault.
    """
    from scenelift.render.formats import mesh, scenenet, suncg

    if source.format == "suncg":
        scene = suncg.read_scene(source.path, data_root=source.data_root, seed=seed)
    elif source.format == "scenenet":
        scene = scenenet.read_scene(source.path, data_root=source.data_root, seed=seed)
    else:
        scene = mesh.read_scene(source.path, data_root=source.data_root)
    return replace(scene, name=source.name)
