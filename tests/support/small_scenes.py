"""Small random scenes with everything that the model can hold, some 48 m from the origin; and how to compare two."""

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.scene import Light, Material, Mesh, Node, Room, Scene, Sky, Texture

FAR = np.array([41.9, 0.3, 47.7])


def recipes() -> st.SearchStrategy[tuple[int, int, int, int]]:
    """What `scene_of` needs: a seed, and the numbers of nodes, rooms and lights.

    Scenes are not built in the strategy: the type checker draws random numbers, which hypothesis forbids there.
    """
    return st.tuples(
        st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 2), st.integers(0, 4)
    )


def scene_of(recipe: tuple[int, int, int, int]) -> Scene:
    seed, nodes, rooms, lights = recipe
    return make_scene(np.random.default_rng(seed), nodes=nodes, rooms=rooms, lights=lights)


def make_scene(rng: np.random.Generator, *, nodes: int, rooms: int, lights: int) -> Scene:
    textures = [make_texture(rng) for _ in range(2)]
    materials = [make_material(rng, textures, index) for index in range(4)]
    meshes = [make_mesh(rng, materials) for _ in range(3)]
    made: list[Node] = []
    made_rooms: list[Room] = []
    for index in range(rooms):
        outline = (
            FAR[[0, 2]] + 6.0 * index + np.array([(0, 0), (0, 3), (2, 3), (2, 2), (4, 2), (4, 0)])
        )
        made_rooms.append(
            Room(name=f"room {index}", kind=("child room", "my den")[index], outline_xz=outline, floor_y_m=0.3, ceiling_y_m=2.9)
        )  # fmt: skip
        for part in ("wall", "floor", "ceiling", "wall"):
            made.append(
                make_node(
                    rng, meshes, name=f"{part} {len(made)}", semantic=nyu40_id(part), room=index
                )
            )
    for _ in range(nodes):
        room = None if rooms == 0 or rng.random() < 0.3 else int(rng.integers(rooms))
        semantic = int(rng.choice([0, 5, 8, 9, 35, 40]))
        made.append(make_node(rng, meshes, name=f"thing {len(made)}", semantic=semantic, room=room))
    order = rng.permutation(len(made))
    return Scene(
        name=f"scene {rng.integers(1000)}",
        nodes=tuple(made[index] for index in order),
        lights=tuple(make_light(rng, index, rooms) for index in range(lights)),
        rooms=tuple(made_rooms),
        sky=Sky(zenith=(0.1, 0.2, float(rng.random()))),
        portals_world=rng.normal(size=(2, 4, 3)) + FAR if rng.random() < 0.5 else None,
        furnished=bool(rng.random() < 0.5),
        source="rooms",
        licence="CC0-1.0, \u00e9t\u00e9",
    )  # fmt: skip


def make_texture(rng: np.random.Generator) -> Texture:
    pixels = rng.integers(
        0, 256, size=(int(rng.integers(1, 6)), int(rng.integers(1, 6)), 4), dtype=np.uint8
    )
    if rng.random() < 0.5:
        pixels[..., 3] = 255
    return Texture(pixels=pixels)


def make_material(rng: np.random.Generator, textures: list[Texture], index: int) -> Material:
    mirror = rng.random() < 0.2
    dim = rng.random() < 0.7
    if mirror:
        return Material(
            name=f"mirror {index}", base_color=(0.9, 0.8, 0.7), metallic=1.0, roughness=0.0
        )
    return Material(
        name=f"paint {index}",
        base_color=_color(rng) if rng.random() < 0.9 else (0.0, 0.0, 0.0),
        texture=textures[int(rng.integers(2))] if rng.random() < 0.5 else None,
        opacity=1.0 if rng.random() < 0.8 else 0.25,
        roughness=float(rng.random()),
        transmission=float(rng.choice([0.0, 0.0, 0.9, 1.0])),
        emission=(0.0, 0.0, 0.0) if dim else (30.0, 0.5, 0.0),
    )


def make_mesh(rng: np.random.Generator, materials: list[Material]) -> Mesh:
    """A soup of triangles, each used vertex once or more; materials in any order."""
    faces = rng.integers(0, 7, size=(int(rng.integers(1, 9)), 3))
    faces[:, 1] = (faces[:, 0] + 1) % 7
    faces[:, 2] = (faces[:, 0] + 3) % 7
    chosen = tuple(materials[index] for index in rng.permutation(4)[: int(rng.integers(1, 4))])
    normals = rng.normal(size=(len(faces), 3, 3))
    far = rng.random() < 0.3
    return Mesh(
        vertices=rng.normal(size=(7, 3)) + (FAR if far else 0),
        faces=faces,
        materials=chosen,
        face_materials=rng.integers(0, len(chosen), size=len(faces)),
        corner_uvs=rng.normal(size=(len(faces), 3, 2)) if rng.random() < 0.6 else None,
        corner_normals=normals / np.linalg.norm(normals, axis=2, keepdims=True)
        if rng.random() < 0.5
        else None,
        vertex_colors=rng.random((7, 3)) if rng.random() < 0.3 else None,
    )


def make_node(
    rng: np.random.Generator, meshes: list[Mesh], *, name: str, semantic: int, room: int | None
) -> Node:
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * rng.uniform(
        0.5, 2, size=3
    )  # turns, mirrors, and stretches along the mesh's axes
    if rng.random() < 0.2:
        matrix[0, 1] += 0.3  # shears
    matrix[:3, 3] = FAR + rng.normal(size=3)
    return Node(
        name=name, mesh=meshes[int(rng.integers(3))], T_world_object=matrix,
        category=("armchair", 'a "quoted", word', "")[int(rng.integers(3))], semantic=semantic, room=room,
    )  # fmt: skip


def make_light(rng: np.random.Generator, index: int, rooms: int) -> Light:
    direction = rng.normal(size=3)
    direction /= np.linalg.norm(direction)
    kind = ("point", "spot", "line", "sun")[index % 4]
    return Light(
        kind=kind,  # type: ignore[arg-type]
        intensity=_color(rng),
        position_world=_triple(FAR + rng.normal(size=3)),
        end_world=_triple(FAR + rng.normal(size=3)) if kind == "line" else (0.0, 0.0, 0.0),
        direction_world=_triple(direction) if kind in ("spot", "sun") else (0.0, -1.0, 0.0),
        cone_rad=0.7,
        radius_m=0.1 if rng.random() < 0.5 else 0.05,
        name=f"light {index}",
        room=None if rooms == 0 else int(rng.integers(rooms)),
    )


def _color(rng: np.random.Generator) -> tuple[float, float, float]:
    return _triple(rng.uniform(0.01, 1.0, size=3))


def _triple(values: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z


def world_corners(node: Node) -> Any:
    vertices = node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
    return vertices[node.mesh.faces]


def world_normals(node: Node) -> Any:
    """Shading normals in the world: they turn by the inverse transpose."""
    assert node.mesh.corner_normals is not None
    normals = node.mesh.corner_normals @ np.linalg.inv(node.T_world_object[:3, :3])
    return normals / np.linalg.norm(normals, axis=2, keepdims=True)


def signed_volume(node: Node) -> float:
    """Of the solid that the triangles' outsides say; its sign is the winding."""
    corners = world_corners(node)
    corners = corners - corners[:1, :1]
    return float(
        np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    )


def by_material(node: Node) -> Node:
    """The node with its triangles sorted by material, as formats keep them that store one material at a time."""
    mesh = node.mesh
    order = np.argsort(mesh.face_materials, kind="stable")
    sorted_mesh = replace(
        mesh,
        faces=mesh.faces[order],
        face_materials=mesh.face_materials[order],
        corner_uvs=None if mesh.corner_uvs is None else mesh.corner_uvs[order],
        corner_normals=None if mesh.corner_normals is None else mesh.corner_normals[order],
    )
    return replace(node, mesh=sorted_mesh)


def assert_same_nodes(
    before: Scene, after: Scene, *, atol: float = 1e-5, sort_faces: bool = False
) -> None:
    """Ids, classes, triangles, texture coordinates and base colours are the same."""
    assert [n.name for n in after.nodes] == [n.name for n in before.nodes]
    for old, new in zip(before.nodes, after.nodes, strict=True):
        assert (new.category, new.semantic, new.room) == (old.category, old.semantic, old.room)
        wanted = by_material(old) if sort_faces else old
        corners, found = world_corners(wanted), world_corners(new)
        assert corners.shape == found.shape
        turned = np.abs(corners - found).max() > atol  # a mirrored part comes back turned over
        order = [0, 2, 1] if turned else [0, 1, 2]
        np.testing.assert_allclose(found, corners[:, order], atol=atol, rtol=0)
        if wanted.mesh.corner_uvs is not None:
            assert new.mesh.corner_uvs is not None
            np.testing.assert_allclose(
                new.mesh.corner_uvs, wanted.mesh.corner_uvs[:, order], atol=1e-6
            )
        if wanted.mesh.corner_normals is not None:
            np.testing.assert_allclose(
                world_normals(new), world_normals(wanted)[:, order], atol=2e-5
            )
        else:
            assert new.mesh.corner_normals is None
        _assert_same_colors(wanted.mesh, new.mesh)


def _assert_same_colors(before: Mesh, after: Mesh) -> None:
    for old_index, new_index in zip(before.face_materials, after.face_materials, strict=True):
        old, new = before.materials[old_index], after.materials[new_index]
        np.testing.assert_allclose(new.base_color, old.base_color, atol=1e-6)
        np.testing.assert_allclose(new.emission, old.emission, rtol=1e-6)
        np.testing.assert_allclose(new.transmission, old.transmission, atol=2e-3)
        assert new.is_mirror == old.is_mirror
        if old.texture is not None and old.opacity == 1:
            assert new.texture is not None
            assert np.array_equal(old.texture.pixels, new.texture.pixels)
        if old.texture is None and old.opacity == 1:
            assert new.texture is None
    if before.vertex_colors is not None:
        assert after.vertex_colors is not None
        np.testing.assert_allclose(
            after.vertex_colors[after.faces].sum(axis=1),
            before.vertex_colors[before.faces].sum(axis=1),
            atol=1e-6,
        )


def assert_same_lights(before: list[Light], after: list[Light], *, rtol: float) -> None:
    assert [light.name for light in after] == [light.name for light in before]
    for old, new in zip(before, after, strict=True):
        assert new.kind == old.kind
        np.testing.assert_allclose(
            new.intensity, old.intensity, rtol=rtol, atol=rtol * max(old.intensity)
        )
        np.testing.assert_allclose(new.position_world, old.position_world, atol=1e-6)
        np.testing.assert_allclose(new.end_world, old.end_world, atol=1e-6)
        if old.kind in ("spot", "sun"):
            np.testing.assert_allclose(new.direction_world, old.direction_world, atol=1e-6)
            np.testing.assert_allclose(new.cone_rad, old.cone_rad, atol=1e-6)
