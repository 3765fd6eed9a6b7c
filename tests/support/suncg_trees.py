"""Small fake SUNCG data roots, made by hand and not by the writer: every node type, two levels, far from the origin."""

import copy
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HOUSE_ID = "0123456789abcdef0123456789abcdef"
FAR = (40.0, 0.0, 48.0)
"""Where the house stands, as real ones do."""

Triangle = tuple[int, int, int]

CLASSES = """index,model_id,fine_grained_class,coarse_grained_class,empty_struct_obj,nyuv2_40class,wnsynsetid,wnsynsetkey
1,Wall,wall,wall,1,wall,,
5,10,armchair,chair,2,chair,n02738535,armchair.n.01
6,20,floor_lamp,lamp,2,lamp,,
7,30,window,window,2,window,,
8,40,door,door,2,door,,
9,s__1000,night stand,stand,2,night_stand,,
"""
LIGHTS = {
    "20": [
        {
            "type": "PointLight", "modelId": "20", "power": 60, "color": "#ffffff", "position": [0, 1.5, 0],
            "attenuation": [0, 0, 1],
        },
        {
            "type": "SpotLight", "power": 30, "color": "#ff0000", "position": [0, 1.4, 0],
            "direction": [0, -1, 0], "dropoffRate": 1, "cutoffAngle": 1.0471975511965976,
        },
        {"type": "LineLight", "power": 30, "color": "#ffffff", "position": [0, 1, 0], "position2": [0, 2, 0]},
    ]
}  # fmt: skip


def block(low: Iterable[float], high: Iterable[float]) -> tuple[list[list[float]], list[Triangle]]:
    """Corners and outward triangles of a box; triangles 2 i and 2 i + 1 are the face -x, +x, -y, +y, -z, +z."""
    a, b = list(low), list(high)
    corners = [
        [(a, b)[i][0], (a, b)[j][1], (a, b)[k][2]] for i in (0, 1) for j in (0, 1) for k in (0, 1)
    ]
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    return corners, [t for q in quads for t in ((q[0], q[1], q[2]), (q[0], q[2], q[3]))]


def obj_text(
    vertices: list[list[float]],
    groups: list[tuple[str, list[Triangle]]],
    *,
    library: str,
    name: str = "part",
) -> str:
    lines = [f"mtllib {library}", f"o {name}"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in vertices]
    lines += ["vt 0 0", "vt 1 0", "vt 1 1"]
    for material, faces in groups:
        lines.append(f"usemtl {material}")
        lines += ["f " + " ".join(f"{i + 1}/{k + 1}" for k, i in enumerate(face)) for face in faces]
    return "\n".join(lines) + "\n"


def write_model(
    root: Path, model: str, *, size: tuple[float, float, float], variant: str = ""
) -> None:
    """A block on the ground: bottom and sides are material_0, plain; its top is material_1, textured."""
    w, h, d = size
    vertices, faces = block((-w / 2, 0, -d / 2), (w / 2, h, d / 2))
    folder = root / "object" / model
    folder.mkdir(parents=True, exist_ok=True)
    sides = [face for index, face in enumerate(faces) if index // 2 != 3]
    text = obj_text(
        vertices, [("material_0", sides), ("material_1", faces[6:8])], library=f"{model}.mtl"
    )
    (folder / f"{model}{variant}.obj").write_text(text)
    (folder / f"{model}.mtl").write_text(
        "newmtl material_0\nillum 2\nd 1\nNs 30\nKd 0.5 0.25 0.125\n"
        "newmtl material_1\nillum 2\nd 1\nKd 0.8 0.8 0.8\nmap_Kd ../../texture//wood_1.jpg\n"
        "newmtl material_2\nd 1\nKd 0 0 1\n"
    )


def write_part(root: Path, name: str, vertices: list[list[float]], faces: list[Triangle]) -> None:
    folder = root / "room" / HOUSE_ID
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.obj").write_text(
        obj_text(vertices, [("material_0", faces)], library=f"{name}.mtl")
    )
    (folder / f"{name}.mtl").write_text(
        "newmtl material_0\nd 1\nKd 0.9 0.11 0.32\nmap_Kd ../../texture//white.png\n"
    )


def write_room(
    root: Path, model: str, *, low: tuple[float, float, float], high: tuple[float, float, float]
) -> None:
    """Floor slab of 5 cm, its top at low's y; ceiling sheet; four wall sheets."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    write_part(root, f"{model}f", *block((x0, y0 - 0.05, z0), (x1, y0, z1)))
    ceiling = [[x0, y1, z0], [x1, y1, z0], [x1, y1, z1], [x0, y1, z1]]
    write_part(root, f"{model}c", ceiling, [(0, 1, 2), (0, 2, 3)])
    vertices, faces = block(low, high)
    write_part(root, f"{model}w", vertices, faces[:4] + faces[8:])


def image_bytes(color: tuple[int, int, int], *, form: str, size: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((size, size, 3), color, np.uint8)).save(buffer, form)
    return buffer.getvalue()


def column_major(matrix: Any) -> list[float]:
    return [float(matrix[k % 4][k // 4]) for k in range(16)]


def placed(
    position: tuple[float, float, float], *, linear: Any = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
) -> list[float]:
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = np.add(FAR, position)
    return column_major(matrix)


def bbox_of(
    node: dict[str, Any], size: tuple[float, float, float], *, base: bool = True
) -> dict[str, list[float]]:
    """Box of a transformed block, worked out number by number."""
    t = node["transform"]
    points = [
        [
            t[row] * (x - 0.5) * size[0] + t[4 + row] * (y - (0 if base else 0.5)) * size[1]
            + t[8 + row] * (z - 0.5) * size[2] + t[12 + row]
            for row in range(3)
        ]
        for x in (0, 1) for y in (0, 1) for z in (0, 1)
    ]  # fmt: skip
    return {
        "min": [min(p[i] for p in points) for i in range(3)],
        "max": [max(p[i] for p in points) for i in range(3)],
    }


SIZES: dict[str, tuple[float, float, float]] = {
    "10": (0.8, 1.0, 0.6), "20": (0.3, 1.6, 0.3), "30": (1.2, 1.3, 0.1), "40": (0.9, 2.0, 0.2), "s__1000": (0.5, 0.5, 0.4),
}  # fmt: skip
_TURNED = ((0.0, 0, 2), (0, 1, 0), (-1, 0, 0))
"""A quarter turn about y after a stretch by 2: tells rows from columns."""


def house_document() -> dict[str, Any]:
    """Two levels with every node type."""
    x, _, z = FAR
    nodes: list[dict[str, Any]] = [
        {
            "id": "0_0", "type": "Room", "valid": 1, "modelId": "fr_0rm_0", "roomTypes": ["Living_Room", "Kitchen"],
            "nodeIndices": [1, 2, 3, 4, 5], "bbox": {"min": [x, 0, z], "max": [x + 5, 2.7, z + 4]},
        },
        {"id": "0_1", "type": "Object", "valid": 1, "modelId": "10", "transform": placed((1, 0.05, 1), linear=_TURNED), "materials": []},
        {
            "id": "0_2", "type": "Object", "valid": 1, "modelId": "10", "isMirrored": 1,
            "transform": placed((3, 0.05, 1), linear=((-0.886, 0, 0), (0, 1, 0), (0, 0, 0.764))),
            "materials": [{"name": "color_1", "diffuse": "#ff0000"}, {"name": "wood", "texture": "wood_2", "diffuse": "#808080"}],
        },
        {"id": "0_3", "type": "Object", "valid": 1, "modelId": "20", "transform": placed((2, 0.05, 2)), "materials": []},
        {"id": "0_4", "type": "Object", "valid": 1, "modelId": "30", "transform": placed((2.5, 1, 4)), "materials": []},
        {
            "id": "0_5", "type": "Box", "valid": 1, "dimensions": [0.4, 0.6, 0.8], "transform": placed((4, 0.35, 3)),
            "materials": [{"name": f"m{i}", "diffuse": f"#{40 * i:02x}0000"} for i in range(6)],
        },
        {"id": "0_6", "type": "Object", "valid": 1, "modelId": "40", "state": 0, "transform": placed((0, 0.05, 2)), "materials": []},
        {"id": "0_7", "type": "Object", "valid": 1, "modelId": "40", "state": 1, "transform": placed((1, 0.05, 3)), "materials": []},
        {"id": "0_8", "type": "Object", "valid": 0, "modelId": "404", "transform": placed((1, 0, 1)), "materials": []},
        {"id": "0_9", "type": "Ground", "valid": 1, "modelId": "fr_0gd_9"},
    ]  # fmt: skip
    upper: list[dict[str, Any]] = [
        {
            "id": "1_0", "type": "Room", "valid": 1, "modelId": "fr_1rm_0", "roomTypes": ["bed room", "BEDROOM"],
            "nodeIndices": [1], "hideCeiling": 1, "bbox": {"min": [x, 2.8, z], "max": [x + 3, 5.5, z + 3]},
        },
        {"id": "1_1", "type": "Object", "valid": 1, "modelId": "s__1000", "transform": placed((1, 2.85, 1)), "materials": []},
    ]  # fmt: skip
    for node in nodes + upper:
        if "transform" in node and node.get("modelId") != "404":
            size = SIZES[node["modelId"]] if node["type"] == "Object" else tuple(node["dimensions"])
            if node.get("state"):
                size = (0.2, 2.0, 0.9)
            node["bbox"] = bbox_of(node, size, base=node["type"] == "Object")
    return {
        "version": "suncg@1.0.0", "id": HOUSE_ID, "up": [0, 1, 0], "front": [0, 0, 1], "scaleToMeters": 1,
        "bbox": {"min": [x, 0, z], "max": [x + 5, 5.5, z + 4]},
        "levels": [
            {"id": "0", "bbox": {"min": [x, 0, z], "max": [x + 5, 2.7, z + 4]}, "nodes": nodes},
            {"id": "1", "bbox": {"min": [x, 2.8, z], "max": [x + 3, 5.5, z + 3]}, "nodes": upper},
        ],
    }  # fmt: skip


def write_house(root: Path, document: Any) -> Path:
    path = root / "house" / HOUSE_ID / "house.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return path


def make_suncg_tree(
    root: Path, *, document: Any = None, lights: bool = True, classes: bool = True
) -> Path:
    """Write a data root; returns the path of its house."""
    x, _, z = FAR
    write_room(root, "fr_0rm_0", low=(x, 0.05, z), high=(x + 5, 2.7, z + 4))
    write_room(root, "fr_1rm_0", low=(x, 2.85, z), high=(x + 3, 5.5, z + 3))
    write_part(root, "fr_0gd_9f", *block((x - 5, -0.1, z - 5), (x + 10, -0.02, z + 10)))
    for model, size in SIZES.items():
        write_model(root, model, size=size)
    write_model(root, "40", size=(0.2, 2.0, 0.9), variant="_0")
    glass = root / "object" / "30" / "30.mtl"
    glass.write_text(glass.read_text().replace("d 1\nNs 30", "d 0.2\nNs 30"))
    textures = root / "texture" / "ut" / "ab"
    textures.mkdir(parents=True, exist_ok=True)
    (root / "texture" / "wood_1.jpg").write_bytes(image_bytes((150, 100, 50), form="JPEG"))
    (root / "texture" / "wood_2.png").write_bytes(image_bytes((10, 200, 30), form="PNG"))
    (root / "texture" / "white.png").write_bytes(image_bytes((255, 255, 255), form="PNG"))
    (textures / "cd.png").write_bytes(image_bytes((1, 2, 3), form="PNG"))
    metadata = root / "metadata"
    metadata.mkdir(exist_ok=True)
    if classes:
        (metadata / "ModelCategoryMapping.csv").write_text(CLASSES)
    if lights:
        (metadata / "suncgModelLights.json").write_text(json.dumps(LIGHTS))
    return write_house(root, document if document is not None else house_document())


def arch_document() -> dict[str, Any]:
    """A room of 5 m x 4 m whose first wall has a door and a window."""
    x, _, z = FAR
    corners = [[x, 0, z], [x + 5, 0, z], [x + 5, 0, z + 4], [x, 0, z + 4]]
    walls = [
        {
            "id": f"0_0_{i}", "type": "Wall", "roomId": "0_0", "height": 2.7, "depth": 0.1,
            "points": [corners[i], corners[(i + 1) % 4]],
            "materials": [{"name": "inside", "texture": "white", "diffuse": "#ff0000"}, {"name": "outside", "diffuse": "#00ff00"}],
        }
        for i in range(4)
    ]  # fmt: skip
    walls[0]["holes"] = [
        {"id": "0_4", "type": "Door", "box": {"min": [0.5, 0], "max": [1.4, 2.0]}},
        {"id": "0_5", "type": "Window", "box": {"min": [2.0, 0.9], "max": [3.2, 2.2]}},
    ]
    slab = {
        "roomId": "0_0",
        "points": [copy.deepcopy(corners)],
        "materials": [{"name": "surface", "diffuse": "#0000ff"}],
    }
    return {
        "version": "arch@1.0.2", "id": HOUSE_ID, "up": [0, 1, 0], "front": [0, 0, 1], "scaleToMeters": 1,
        "defaults": {"Wall": {"depth": 0.1, "extraHeight": 0.035}, "Ceiling": {"depth": 0.05}, "Floor": {"depth": 0.05}},
        "elements": [
            *walls,
            {"id": "0_0c", "type": "Ceiling", "offset": [0, 2.7, 0], **slab},
            {"id": "0_0f", "type": "Floor", "depth": 0.05, **slab},
        ],
    }  # fmt: skip
