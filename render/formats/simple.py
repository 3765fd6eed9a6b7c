"""STL and OFF as scenes of one mesh, read by trimesh: shapes without materials, metres and y up."""

import io
import warnings as python_warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scenelift.render.formats.assemble import Part, assemble
from scenelift.render.formats.files import DataRoot, read_bytes
from scenelift.render.formats.obj import check_points
from scenelift.render.scene import Material, Mesh, Scene, SceneError

MAX_BYTES = 512 << 20

_LOADER_ERRORS = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
    RecursionError,
    OverflowError,
    ZeroDivisionError,
    RuntimeError,
    MemoryError,
    OSError,
)
"""All that trimesh has been seen to raise on damaged files."""


def read_scene(path: Path, *, format: Literal["stl", "off"], root: DataRoot) -> Scene:
    """Read a file.

    Args:
        path: The file.
        format: What it is.
        root: Bounds what is read.

    Raises:
        SceneError: if it is damaged, cut off or empty.
    """
    import trimesh

    data = read_bytes(root.resolve(path.parent, path.name), limit=MAX_BYTES)
    _check_counts(data, format=format, name=str(path))
    try:
        with python_warnings.catch_warnings(action="ignore"):
            loaded: Any = trimesh.load(
                io.BytesIO(data), file_type=format, process=False, force="mesh"
            )
            vertices = np.asarray(loaded.vertices, np.float64).reshape(-1, 3)
            faces = np.asarray(loaded.faces).astype(np.int64).reshape(-1, 3)
    except _LOADER_ERRORS as error:
        fault = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise SceneError(f"{path}: not a usable {format.upper()} file: {fault}") from error
    if len(faces) and not (faces.min() >= 0 and faces.max() < len(vertices)):
        raise SceneError(f"{path}: a face names a vertex outside 0..{len(vertices) - 1}")
    check_points(vertices, where=str(path))
    mesh = Mesh(
        vertices=vertices,
        faces=faces,
        materials=(Material(name=format),),
        face_materials=np.zeros(len(faces), np.int64),
    )
    part = Part(name=path.stem, mesh=mesh, T_world_object=np.eye(4), names=(path.stem,))
    return assemble([part], path=path, source=format)


def _check_counts(data: bytes, *, format: str, name: str) -> None:
    """Refuse a file that announces more than it holds, before memory is set aside for it."""
    if format == "stl":
        count = int.from_bytes(data[80:84], "little")
        if not data.lstrip().startswith(b"solid") and len(data) < 84 + 50 * count:
            raise SceneError(f"{name}: it announces {count} triangles and is cut off")
        return
    for word in data[:4096].split()[:4]:
        if word.isdigit() and int(word[:20]) > len(data):
            raise SceneError(f"{name}: it announces {word[:20].decode()} elements and is cut off")
