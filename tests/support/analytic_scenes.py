"""Small scenes whose geometry and light are known in closed form."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from scenelift.render.camera import Camera, look_at
from scenelift.render.scene import Color, Light, Material, Mesh, Node, Room, Scene, Sky

WALL, FLOOR, CABINET, CHAIR, CEILING, LAMP, OTHER = 1, 2, 3, 5, 22, 35, 40
"""NYU40 ids used here."""
BLACK_SKY = Sky(zenith=(0.0, 0.0, 0.0), horizon=(0.0, 0.0, 0.0), ground=(0.0, 0.0, 0.0))
GREY = Material(name="grey", base_color=(0.5, 0.5, 0.5))


def uniform_sky(radiance: float) -> Sky:
    """A sky of one radiance in every direction."""
    grey = (radiance, radiance, radiance)
    return Sky(zenith=grey, horizon=grey, ground=grey)


def make_mesh(
    vertices: Float[np.ndarray, "v 3"],
    faces: np.ndarray,
    *,
    material: Material = GREY,
    corner_uvs: Float[np.ndarray, "f 3 2"] | None = None,
) -> Mesh:
    """A mesh of one material."""
    return Mesh(
        vertices=np.asarray(vertices, dtype=np.float64),
        faces=np.asarray(faces, dtype=np.int64),
        materials=(material,),
        face_materials=np.zeros(len(faces), dtype=np.int64),
        corner_uvs=corner_uvs,
    )


def make_quad(*, width_m: float = 1.0, height_m: float = 1.0, material: Material = GREY) -> Mesh:
    """A rectangle about the origin in the plane z = 0 that faces +z, with (u, v) from 0 to 1."""
    x, y = width_m / 2, height_m / 2
    vertices = np.array([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    uvs = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)
    return make_mesh(vertices, faces, material=material, corner_uvs=uvs[faces])


def make_box(
    *, size_m: tuple[float, float, float] = (1.0, 1.0, 1.0), material: Material = GREY
) -> Mesh:
    """A closed box about the origin, faces outwards, 12 triangles."""
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) / 2
    quads = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
    faces = np.array([[q[i] for i in tri] for q in quads for tri in ((0, 1, 2), (0, 2, 3))])
    uvs = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], dtype=np.float64)
    return make_mesh(
        corners * np.array(size_m), faces, material=material, corner_uvs=np.tile(uvs, (6, 1, 1))
    )


def make_sphere(*, radius_m: float = 0.5, subdivisions: int = 4, material: Material = GREY) -> Mesh:
    """An icosphere about the origin: 20 * 4 ** subdivisions triangles whose vertices lie on the sphere."""
    phi = (1 + 5**0.5) / 2
    corners = [(-1, phi), (1, phi), (-1, -phi), (1, -phi)]
    vertices = np.array(
        [p for turn in range(3) for p in (np.roll((x, y, 0), turn).tolist() for x, y in corners)]
    )
    fans = "0 11 5 0 5 1 0 1 7 0 7 10 0 10 11 1 5 9 5 11 4 11 10 2 10 7 6 7 1 8"
    belts = "3 9 4 3 4 2 3 2 6 3 6 8 3 8 9 4 9 5 2 4 11 6 2 10 8 6 7 9 8 1"
    faces = np.array(f"{fans} {belts}".split(), dtype=np.int64).reshape(-1, 3)
    vertices = vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    for _ in range(subdivisions):
        edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        unique, inverse = np.unique(edges, axis=0, return_inverse=True)
        middles = vertices[unique].mean(axis=1)
        middles /= np.linalg.norm(middles, axis=1, keepdims=True)
        a, b, c = (inverse.reshape(-1, 3) + len(vertices)).T
        v0, v1, v2 = faces.T
        faces = np.stack([v0, a, c, v1, b, a, v2, c, b, a, b, c], axis=1).reshape(-1, 3)
        vertices = np.concatenate([vertices, middles])
    return make_mesh(vertices * radius_m, faces, material=material)


def place(
    *,
    at: tuple[float, float, float] = (0.0, 0.0, 0.0),
    turn_deg: tuple[float, float, float] = (0.0, 0.0, 0.0),
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Float[np.ndarray, "4 4"]:
    """The transform `T_world_object`: scale (may mirror), turn about x, then y, then z, then move."""
    ax, ay, az = np.radians(turn_deg)
    rx = np.array([[1, 0, 0], [0, np.cos(ax), -np.sin(ax)], [0, np.sin(ax), np.cos(ax)]])
    ry = np.array([[np.cos(ay), 0, np.sin(ay)], [0, 1, 0], [-np.sin(ay), 0, np.cos(ay)]])
    rz = np.array([[np.cos(az), -np.sin(az), 0], [np.sin(az), np.cos(az), 0], [0, 0, 1]])
    T_world_object = np.eye(4)
    T_world_object[:3, :3] = rz @ ry @ rx @ np.diag(scale)
    T_world_object[:3, 3] = at
    return T_world_object


def node(
    name: str,
    mesh: Mesh,
    *,
    T_world_object: Float[np.ndarray, "4 4"] | None = None,
    semantic: int = OTHER,
    room: int | None = None,
) -> Node:
    """A node whose category is its name."""
    return Node(
        name=name,
        mesh=mesh,
        T_world_object=np.eye(4) if T_world_object is None else T_world_object,
        category=name,
        semantic=semantic,
        room=room,
    )


def plane_scene(*, y_m: float = 0.0, half_size_m: float = 50.0, material: Material = GREY) -> Scene:
    """A horizontal square, instance 1."""
    mesh = make_quad(width_m=2 * half_size_m, height_m=2 * half_size_m, material=material)
    pose = place(at=(0, y_m, 0), turn_deg=(-90, 0, 0))
    return Scene(name="plane", nodes=(node("floor", mesh, T_world_object=pose, semantic=FLOOR),))


def sphere_scene(
    *,
    radius_m: float = 0.5,
    centre_world: tuple[float, float, float] = (0.0, 0.0, 0.0),
    subdivisions: int = 5,
    material: Material = GREY,
) -> Scene:
    """A sphere of triangles, instance 1."""
    mesh = make_sphere(radius_m=radius_m, subdivisions=subdivisions, material=material)
    return Scene(name="sphere", nodes=(node("ball", mesh, T_world_object=place(at=centre_world)),))


def room_shell(
    *, size_m: tuple[float, float, float] = (4.0, 2.6, 5.0), wall: Color = (0.7, 0.68, 0.64)
) -> tuple[Node, ...]:
    """Floor, ceiling and four walls as instances 1 to 6: x and z about the origin, the floor at y = 0."""
    x, y, z = size_m
    paint = Material(name="paint", base_color=wall)
    wood = Material(name="wood", base_color=(0.45, 0.28, 0.15))
    sides: list[tuple[str, float, float, tuple[float, float, float], float]] = [
        ("wall_back", x, y, (0, y / 2, -z / 2), 0),
        ("wall_front", x, y, (0, y / 2, z / 2), 180),
        ("wall_left", z, y, (-x / 2, y / 2, 0), 90),
        ("wall_right", z, y, (x / 2, y / 2, 0), -90),
    ]
    floor = make_quad(width_m=x, height_m=z, material=wood)
    ceiling = make_quad(width_m=x, height_m=z, material=paint)
    down, up = place(turn_deg=(-90, 0, 0)), place(at=(0, y, 0), turn_deg=(90, 0, 0))
    walls = tuple(
        node(
            name,
            make_quad(width_m=width, height_m=height, material=paint),
            T_world_object=place(at=at, turn_deg=(0, turn, 0)),
            semantic=WALL,
            room=0,
        )
        for name, width, height, at, turn in sides
    )
    return (
        node("floor", floor, T_world_object=down, semantic=FLOOR, room=0),
        node("ceiling", ceiling, T_world_object=up, semantic=CEILING, room=0),
        *walls,
    )


def box_room(
    *, size_m: tuple[float, float, float] = (4.0, 2.6, 5.0), num_boxes: int = 4, lit: bool = True
) -> Scene:
    """A closed room with boxes and a ball on its floor and, if lit, a glowing panel under the ceiling.

    Instances: floor, ceiling, wall_back (z < 0), wall_front, wall_left (x < 0), wall_right, boxes, ball, panel.
    """
    x, y, z = size_m
    nodes = list(room_shell(size_m=size_m))
    for i in range(num_boxes):
        side = 0.35 + 0.1 * (i % 3)
        colour = [(0.7, 0.15, 0.1), (0.1, 0.35, 0.6), (0.2, 0.5, 0.2), (0.75, 0.65, 0.3)][i % 4]
        mesh = make_box(
            size_m=(side, 0.3 + 0.25 * (i % 4), side),
            material=Material(name=f"box{i}", base_color=colour),
        )
        at = (
            (-0.35 + 0.7 * ((i * 0.618) % 1)) * x,
            float(mesh.vertices[:, 1].max()),
            (-0.4 + 0.6 * ((i + 0.5) / num_boxes)) * z,
        )
        pose = place(at=at, turn_deg=(0, 25 * i, 0))
        nodes.append(node(f"box{i}", mesh, T_world_object=pose, semantic=CABINET, room=0))
    ball = make_sphere(radius_m=0.3, subdivisions=3)
    pose = place(at=(0.25 * x, 0.3, -0.1 * z))
    nodes.append(node("ball", ball, T_world_object=pose, semantic=CHAIR, room=0))
    if lit:
        glow = Material(name="glow", base_color=(0.8, 0.8, 0.8), emission=(12.0, 11.0, 9.5))
        panel = make_quad(width_m=0.8, height_m=0.8, material=glow)
        pose = place(at=(0, y - 0.25, 0), turn_deg=(90, 0, 0))
        nodes.append(node("panel", panel, T_world_object=pose, semantic=LAMP, room=0))
    outline = np.array([[-x, z], [x, z], [x, -z], [-x, -z]]) / 2
    return Scene(
        name="box_room",
        nodes=tuple(nodes),
        rooms=(
            Room(name="room", kind="living room", outline_xz=outline, floor_y_m=0.0, ceiling_y_m=y),
        ),
        sky=BLACK_SKY,
    )


def point_light(
    position_world: tuple[float, float, float], *, intensity: float, radius_m: float = 0.0
) -> Light:
    """A white point light, W / sr."""
    return Light(
        kind="point",
        intensity=(intensity, intensity, intensity),
        position_world=position_world,
        radius_m=radius_m,
    )


def with_lights(scene: Scene, *lights: Light) -> Scene:
    """The scene with these lights and no others."""
    return replace(scene, lights=lights)


def camera_at(
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    *,
    width: int = 64,
    height: int = 48,
    focal_px: float = 50.0,
) -> Camera:
    """A camera that looks at a point."""
    pose = look_at(
        eye_world=np.array(eye, dtype=np.float64), target_world=np.array(target, dtype=np.float64)
    )
    return Camera(width=width, height=height, focal_px=float(focal_px), T_world_camera=pose)
