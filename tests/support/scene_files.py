"""Small scene files of every format, made by code: a room of 4 x 3 x 2.5 m with a chair, said in each format's words."""

import io
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

WIDTH_M, DEPTH_M, HEIGHT_M = 4.0, 3.0, 2.5

_BOX_CORNERS = np.array([[x, y, z] for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
_BOX_QUADS = np.array(
    [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
)


def room_quads() -> Mapping[str, Float[np.ndarray, "n 4 3"]]:
    """Return the quads of wall, floor, ceiling and chair, in metres, y up."""
    room = _BOX_CORNERS * (WIDTH_M, HEIGHT_M, DEPTH_M)
    chair = _BOX_CORNERS * 0.5 + (1.0, 0.0, 1.0)
    sides = room[_BOX_QUADS]
    return {
        "wall": sides[[0, 1, 4, 5]],
        "floor": sides[[2]],
        "ceiling": sides[[3]],
        "chair": chair[_BOX_QUADS],
    }


def room_triangles(name: str) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Return one part of the room as triangles with vertices of their own."""
    quads = room_quads()[name]
    first = np.arange(len(quads))[:, None] * 4
    faces = np.concatenate((first + np.array((0, 1, 2)), first + np.array((0, 2, 3))))
    return quads.reshape(-1, 3), faces


def obj_text(*, mtllib: str | None = "room.mtl", scale: float = 1.0) -> str:
    """Write the room as OBJ with quads, texture coordinates, normals and negative indices in the last object."""
    lines = ["# a room"] + ([f"mtllib {mtllib}"] if mtllib else [])
    count = 0
    for name, quads in room_quads().items():
        lines += [f"o {name}.001", f"usemtl {name}_paint"]
        for quad in quads:
            lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in quad * scale]
            normal = np.cross(quad[1] - quad[0], quad[2] - quad[0])
            x, y, z = normal / np.linalg.norm(normal)
            lines += ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1", f"vn {x:.4f} {y:.4f} {z:.4f}"]
            count += 1
            corners = [f"{4 * count - 3 + k}/{4 * count - 3 + k}/{count}" for k in range(4)]
            if name == "chair":
                corners = [f"{k - 4}/{k - 4}/-1" for k in range(4)]
            lines.append("f " + " ".join(corners))
    return "\n".join(lines) + "\n"


def mtl_text(*, texture: str = "../textures/wood.png") -> str:
    """Write the room's materials; the floor is textured."""
    lines = []
    for name in room_quads():
        lines += [f"newmtl {name}_paint", "Ns 96", "Kd 0.6 0.5 0.4", "Ks 0.2 0.2 0.2", "d 1"]
        if name == "floor":
            lines.append(f"map_Kd {texture}")
    return "\n".join(lines) + "\n"


def png_bytes(*, width: int = 8, height: int = 8, mode: str = "RGB", value: int = 128) -> bytes:
    """Write a picture of one value in any of Pillow's modes."""
    image = Image.new(mode, (width, height), None if mode == "P" else _value(mode, value))
    target = io.BytesIO()
    image.save(target, "TIFF" if mode in ("CMYK", "F", "I") else "PNG")
    return target.getvalue()


def _value(mode: str, value: int) -> int | float | tuple[int, ...]:
    if mode == "F":
        return value / 255
    if mode in ("I;16", "I"):
        return value * 257
    return value if len(mode) == 1 else (value,) * (4 if mode == "CMYK" else len(mode))


def write_obj_scene(folder: Path) -> Path:
    """Write `model/room.obj` with its MTL, and the texture in the folder beside it."""
    (folder / "model").mkdir(parents=True)
    (folder / "textures").mkdir()
    (folder / "model" / "room.obj").write_text(obj_text())
    (folder / "model" / "room.mtl").write_text(mtl_text())
    (folder / "textures" / "wood.png").write_bytes(png_bytes())
    return folder / "model" / "room.obj"


class GlbBuilder:
    """Writes GLB files by hand, so that faults can be put into any place."""

    def __init__(self) -> None:
        """Start with an empty document."""
        self.binary = b""
        self.document: dict[str, object] = {
            "asset": {"version": "2.0"}, "scene": 0, "scenes": [{"nodes": []}], "nodes": [], "meshes": [],
            "accessors": [], "bufferViews": [], "materials": [], "textures": [], "images": [],
        }  # fmt: skip

    def add(self, key: str, entry: Mapping[str, object]) -> int:
        """Append to one of the arrays at the top; return the index."""
        listed = self.document[key]
        if not isinstance(listed, list):
            raise TypeError(key)
        listed.append(dict(entry))
        return len(listed) - 1

    def view(self, data: bytes) -> int:
        """Append bytes as a buffer view."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        index = self.add(
            "bufferViews", {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        )
        self.binary += data
        return index

    def accessor(self, values: np.ndarray, *, normalized: bool = False) -> int:
        """Append an array as an accessor of its own dtype."""
        codes = {"f4": 5126, "u4": 5125, "u2": 5123, "u1": 5121, "i2": 5122, "i1": 5120}
        kind = "SCALAR" if values.ndim == 1 else f"VEC{values.shape[1]}"
        entry = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes()),
            "componentType": codes[values.dtype.str[1:]],
            "count": len(values),
            "type": kind,
        }
        return self.add("accessors", entry | ({"normalized": True} if normalized else {}))

    def mesh(
        self,
        vertices: np.ndarray,
        faces: np.ndarray,
        *,
        material: int | None = None,
        name: str = "",
        **others: int,
    ) -> int:
        """Append a mesh of one primitive; `others` are further attributes."""
        primitive: dict[str, object] = {
            "attributes": {"POSITION": self.accessor(vertices.astype("<f4")), **others},
            "indices": self.accessor(faces.astype("<u4").ravel()),
        }
        if material is not None:
            primitive["material"] = material
        return self.add("meshes", {"name": name, "primitives": [primitive]})

    def node(self, *, root: bool = True, **fields: object) -> int:
        """Append a node, by default to the scene."""
        index = self.add("nodes", fields)
        if root:
            scenes = self.document["scenes"]
            if isinstance(scenes, list):
                scenes[0]["nodes"].append(index)
        return index

    def data(self) -> bytes:
        """Return the file."""
        document = {key: value for key, value in self.document.items() if value != []}
        if self.binary:
            document["buffers"] = [{"byteLength": len(self.binary)}]
        return pack_glb(json.dumps(document).encode(), self.binary)


def pack_glb(text: bytes, binary: bytes) -> bytes:
    """Put chunks into a GLB container."""
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    if binary:
        chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def glb_room() -> bytes:
    """Write the room as GLB: textures inside, a nested node, a light."""
    glb = GlbBuilder()
    image = glb.add(
        "images", {"bufferView": glb.view(png_bytes(mode="RGBA")), "mimeType": "image/png"}
    )
    texture = glb.add("textures", {"source": image})
    for name in room_quads():
        vertices, faces = room_triangles(name)
        surface: dict[str, object] = {
            "baseColorFactor": [0.6, 0.5, 0.4, 1.0],
            "metallicFactor": 0.0,
        }
        if name == "floor":
            surface["baseColorTexture"] = {"index": texture}
        material = glb.add("materials", {"name": f"{name} paint", "pbrMetallicRoughness": surface})
        uvs = glb.accessor(vertices[:, [0, 2]].astype("<f4"))
        mesh = glb.mesh(vertices - (0, 1, 0), faces, material=material, name=name, TEXCOORD_0=uvs)
        child = glb.node(root=False, mesh=mesh, name=name, translation=[0, 0.5, 0])
        glb.node(children=[child], name="group", translation=[0, 0.5, 0])
    glb.document["extensions"] = {
        "KHR_lights_punctual": {
            "lights": [{"type": "spot", "intensity": 683.0, "color": [1, 0.5, 0.25]}]
        }
    }
    glb.node(
        name="ceiling spot",
        translation=[2, 2.4, 1.5],
        extensions={"KHR_lights_punctual": {"light": 0}},
    )
    return glb.data()


def ply_text(*, binary: str = "") -> bytes:
    """Write the room as PLY with quads and colours: ASCII, or binary with the byte order "<" or ">"."""
    quads = np.concatenate(list(room_quads().values()))
    vertices = quads.reshape(-1, 3)
    kind = {"": "ascii", "<": "binary_little_endian", ">": "binary_big_endian"}[binary]
    head = (
        f"ply\nformat {kind} 1.0\ncomment a room\nelement vertex {len(vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\n"
        f"element face {len(quads)}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode()
    body = b""
    for x, y, z in vertices:
        if binary:
            body += struct.pack(binary + "3f3B", x, y, z, 255, 128, 0)
        else:
            body += f"{x} {y} {z} 255 128 0\n".encode()
    for index in range(len(quads)):
        corners = range(4 * index, 4 * index + 4)
        if binary:
            body += struct.pack(binary + "B4i", 4, *corners)
        else:
            body += f"4 {' '.join(map(str, corners))}\n".encode()
    return head + body


def dae_text(
    *, unit: float = 0.01, up: str = "Z_UP", texture: str = "../textures/wood.png"
) -> bytes:
    """Write the room as COLLADA, in centimetres and z up by default, each part with its node matrix."""
    geometries, nodes = [], []
    for name in room_quads():
        vertices, faces = room_triangles(name)
        if up == "Z_UP":
            vertices = vertices[:, [0, 2, 1]] * (1, -1, 1)
        positions = " ".join(f"{value:.6f}" for value in (vertices / unit - (10, 20, 30)).ravel())
        indices = " ".join(f"{i} {i % 4}" for i in faces.ravel())
        geometries.append(
            f'<geometry id="g_{name}" name="{name}"><mesh>'
            f'<source id="p_{name}"><float_array id="pa_{name}" count="{vertices.size}">{positions}</float_array>'
            f'<technique_common><accessor source="#pa_{name}" count="{len(vertices)}" stride="3">'
            '<param name="X" type="float"/><param name="Y" type="float"/><param name="Z" type="float"/>'
            "</accessor></technique_common></source>"
            f'<source id="t_{name}"><float_array id="ta_{name}" count="8">0 0 1 0 1 1 0 1</float_array>'
            f'<technique_common><accessor source="#ta_{name}" count="4" stride="2">'
            '<param name="S" type="float"/><param name="T" type="float"/></accessor></technique_common></source>'
            f'<vertices id="v_{name}"><input semantic="POSITION" source="#p_{name}"/></vertices>'
            f'<triangles count="{len(faces)}" material="m"><input semantic="VERTEX" source="#v_{name}" offset="0"/>'
            f'<input semantic="TEXCOORD" source="#t_{name}" offset="1" set="0"/><p>{indices}</p></triangles>'
            "</mesh></geometry>"
        )
        nodes.append(
            f'<node id="n_{name}" name="{name}.001"><matrix>1 0 0 10 0 1 0 20 0 0 1 30 0 0 0 1</matrix>'
            f'<instance_geometry url="#g_{name}"><bind_material><technique_common>'
            '<instance_material symbol="m" target="#wood"/></technique_common></bind_material></instance_geometry></node>'
        )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<COLLADA xmlns="http://www.collada.org/2005/11/COLLADASchema" version="1.4.1">'
        f'<asset><unit meter="{unit}" name="centimeter"/><up_axis>{up}</up_axis></asset>'
        f'<library_images><image id="img"><init_from>{texture}</init_from></image></library_images>'
        '<library_effects><effect id="e"><profile_COMMON>'
        '<newparam sid="sf"><surface type="2D"><init_from>img</init_from></surface></newparam>'
        '<newparam sid="sp"><sampler2D><source>sf</source></sampler2D></newparam>'
        '<technique sid="common"><phong><diffuse><texture texture="sp" texcoord="UV"/></diffuse></phong></technique>'
        "</profile_COMMON></effect></library_effects>"
        '<library_materials><material id="wood" name="wood"><instance_effect url="#e"/></material></library_materials>'
        f"<library_geometries>{''.join(geometries)}</library_geometries>"
        f'<library_visual_scenes><visual_scene id="s">{"".join(nodes)}</visual_scene></library_visual_scenes>'
        '<scene><instance_visual_scene url="#s"/></scene></COLLADA>'
    ).encode()


def off_text() -> bytes:
    """Write the room's chair as OFF."""
    vertices, faces = room_triangles("chair")
    lines = ["OFF", f"{len(vertices)} {len(faces)} 0"]
    lines += [" ".join(map(str, vertex)) for vertex in vertices.tolist()]
    lines += [f"3 {a} {b} {c}" for a, b, c in faces.tolist()]
    return "\n".join(lines).encode()


def stl_bytes() -> bytes:
    """Write the room's chair as binary STL."""
    vertices, faces = room_triangles("chair")
    body = b"".join(
        struct.pack("<12fH", 0, 0, 0, *vertices[face].ravel().tolist(), 0) for face in faces
    )
    return b"\0" * 80 + struct.pack("<I", len(faces)) + body


def layout_text(names: Sequence[str] = ("wall.002", "floor.001", "ceiling.000")) -> str:
    """Write a SceneNet layout: the room without the chair, objects named as there."""
    text = obj_text(mtllib="room_layout.mtl").split("o chair.001")[0]
    for old, new in zip(("wall.001", "floor.001", "ceiling.001"), names, strict=True):
        text = text.replace(f"o {old}", f"o {new}")
    return text


def write_layout(folder: Path, *, pictures: Mapping[str, int] | None = None) -> Path:
    """Write `bedroom/bedroom1_layout.obj` and a texture library with so many pictures a folder."""
    (folder / "bedroom").mkdir(parents=True)
    (folder / "bedroom" / "bedroom1_layout.obj").write_text(
        layout_text().replace("room_layout.mtl", "bedroom1_layout.mtl")
    )
    lines = []
    for name in ("wall", "floor", "ceiling"):
        lines += [
            f"newmtl {name}_paint",
            f"map_Kd ../texture_library/{name}",
            "Kd 0.64 0.64 0.64",
            "Ks 0.5 0.5 0.5",
        ]
    (folder / "bedroom" / "bedroom1_layout.mtl").write_text("\n".join(lines))
    for name, number in (pictures or {"wall": 4, "floor": 4, "ceiling": 1}).items():
        shelf = folder / "texture_library" / name
        shelf.mkdir(parents=True)
        for index in range(number):
            (shelf / f"{index}.png").write_bytes(png_bytes(value=10 + 20 * index))
    return folder / "bedroom" / "bedroom1_layout.obj"
