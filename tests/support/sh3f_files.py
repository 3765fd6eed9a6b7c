"""Writes small Sweet Home 3D libraries."""

import io
import zipfile
from pathlib import Path

CUBE = b"""mtllib cube.mtl
v 0 0 0
v 2 0 0
v 2 4 0
v 0 4 0
v 0 0 6
v 2 0 6
v 2 4 6
v 0 4 6
vt 0 0
vt 1 0
vt 1 1
usemtl red
f 1/1 2/2 3/3
f 1/1 3/3 4/1
f 5/1 7/3 6/2
f 5/1 8/1 7/3
usemtl glass
f 1 5 6 2
f 4 3 7 8
f 1 4 8 5
f 2 6 7 3
"""
MTL = (
    b"newmtl red\nKd 1 0 0\nmap_Kd C:\\Users\\someone\\missing.png\nnewmtl glass\nKd 1 1 1\nd 0.2\n"
)


def row(number: int, *, name: str = "Chair", **fields: str) -> str:
    """Write one entry of a catalogue: half a metre wide, 0.9 m high, 0.6 m deep."""
    values = {
        "name": name,
        "category": "Living room",
        "icon": f"/{number}.png",
        "model": "/cube/cube.obj",
        "width": "50",
        "height": "90",
        "depth": "60",
        "doorOrWindow": "false",
        "creator": "Somebody",
        **fields,
    }
    return "".join(f"{key}#{number}={value}\n" for key, value in values.items())


def library(
    path: Path, *rows: str, model: bytes = CUBE, mtl: bytes = MTL, head: str = "license=CC0\n"
) -> Path:
    """Write a library whose entries share one model; `cube.zip` holds it too."""
    catalogue = ("# a comment\nid=test\n" + head + "".join(rows)).encode("latin-1")
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        _write(archive, "cube.obj", model)
        _write(archive, "cube.mtl", mtl)
    with zipfile.ZipFile(path, "w") as archive:
        _write(archive, "PluginFurnitureCatalog.properties", catalogue)
        _write(archive, "cube/cube.obj", model)
        _write(archive, "cube/cube.mtl", mtl)
        _write(archive, "cube.zip", inner.getvalue())
    return path


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    """Add an entry without the time of day, so that the same content gives the same bytes."""
    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
