"""One room of diffuse surfaces under one square lamp, for renderers that shall be held against each other."""

import numpy as np
import trimesh
from jaxtyping import Float

from scenelift.render.camera import Camera, look_at
from scenelift.render.scene import Color, Material, Mesh, Node, Scene, Sky

LAMP_RADIANCE = 15.0
_SIZE_M = (4.0, 2.6, 5.0)


def diffuse_room() -> Scene:
    """Make the room: five boxes, two balls, a lamp 0.3 m below the ceiling; no texture, gloss, glass or daylight."""
    x, y, z = _SIZE_M
    nodes = [
        _box("floor", size_m=(x, 0.1, z), at=(0.0, -0.05, 0.0), color=(0.45, 0.3, 0.2)),
        _box("ceiling", size_m=(x, 0.1, z), at=(0.0, y + 0.05, 0.0), color=(0.8, 0.8, 0.8)),
        _box(
            "back", size_m=(x, y, 0.1), at=(0.0, y / 2.0, -z / 2.0 - 0.05), color=(0.7, 0.7, 0.65)
        ),
        _box(
            "front", size_m=(x, y, 0.1), at=(0.0, y / 2.0, z / 2.0 + 0.05), color=(0.7, 0.7, 0.65)
        ),
        _box(
            "left", size_m=(0.1, y, z), at=(-x / 2.0 - 0.05, y / 2.0, 0.0), color=(0.7, 0.25, 0.2)
        ),
        _box(
            "right", size_m=(0.1, y, z), at=(x / 2.0 + 0.05, y / 2.0, 0.0), color=(0.25, 0.5, 0.25)
        ),
        _box("cabinet", size_m=(1.2, 0.9, 0.5), at=(-1.2, 0.45, -2.2), color=(0.5, 0.4, 0.3)),
        _box("shelf", size_m=(0.4, 1.8, 0.8), at=(1.7, 0.9, -1.5), color=(0.75, 0.7, 0.5)),
        _box("table", size_m=(1.4, 0.06, 0.8), at=(0.1, 0.72, -0.9), color=(0.4, 0.25, 0.15)),
        _box("leg", size_m=(0.1, 0.69, 0.1), at=(0.1, 0.345, -0.9), color=(0.2, 0.2, 0.2)),
        _box("crate", size_m=(0.5, 0.5, 0.5), at=(-1.3, 0.25, 0.2), color=(0.2, 0.35, 0.65)),
        _ball("ball", radius_m=0.35, at=(1.1, 0.35, 0.2), color=(0.8, 0.6, 0.1)),
        _ball("globe", radius_m=0.18, at=(0.3, 0.93, -0.9), color=(0.85, 0.85, 0.85)),
        _lamp(at=(0.0, y - 0.3, -0.5)),
    ]
    dark = Sky(zenith=(0.0, 0.0, 0.0), horizon=(0.0, 0.0, 0.0), ground=(0.0, 0.0, 0.0))
    return Scene(name="diffuse_room", nodes=tuple(nodes), sky=dark)


def room_camera(*, width: int, height: int, aside_m: float = 0.0) -> Camera:
    """Look into the room from its front, with 65 degrees across; `aside_m` moves the eye to the right."""
    eye_world = np.array([-0.4 + aside_m, 1.5, 2.35])
    pose = look_at(eye_world=eye_world, target_world=np.array([0.15, 0.9, -1.0]))
    focal_px = width / 2 / np.tan(np.radians(65) / 2)
    return Camera(width=width, height=height, focal_px=float(focal_px), T_world_camera=pose)


def _box(
    name: str, *, size_m: tuple[float, float, float], at: tuple[float, float, float], color: Color
) -> Node:
    return _node(name, trimesh.creation.box(size_m), at=at, material=_matt(name, color))


def _ball(name: str, *, radius_m: float, at: tuple[float, float, float], color: Color) -> Node:
    shape = trimesh.creation.icosphere(subdivisions=5, radius=radius_m)
    return _node(name, shape, at=at, material=_matt(name, color))


def _lamp(*, at: tuple[float, float, float]) -> Node:
    side = 0.35
    corners = [[-side, 0, -side], [side, 0, -side], [side, 0, side], [-side, 0, side]]
    shape = trimesh.Trimesh(vertices=corners, faces=[[0, 1, 2], [0, 2, 3]], process=False)
    glow = Material(
        name="lamp",
        base_color=(0.0, 0.0, 0.0),
        emission=(LAMP_RADIANCE, LAMP_RADIANCE, LAMP_RADIANCE),
    )
    return _node("lamp", shape, at=at, material=glow)


def _matt(name: str, color: Color) -> Material:
    return Material(name=name, base_color=color, roughness=1.0)


def _node(
    name: str, shape: trimesh.Trimesh, *, at: tuple[float, float, float], material: Material
) -> Node:
    vertices = np.asarray(shape.vertices, dtype=np.float64)
    faces = np.asarray(shape.faces, dtype=np.int64)
    mesh = Mesh(
        vertices=vertices,
        faces=faces,
        materials=(material,),
        face_materials=np.zeros(len(faces), dtype=np.int64),
    )
    pose: Float[np.ndarray, "4 4"] = np.eye(4)
    pose[:3, 3] = at
    return Node(name=name, mesh=mesh, T_world_object=pose, category=name, semantic=0)
