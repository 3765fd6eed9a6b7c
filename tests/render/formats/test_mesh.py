"""OBJ, PLY, COLLADA, STL and OFF as scenes: one room in each format's words gives one room."""

from pathlib import Path

import numpy as np
import pytest
import scene_files

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats import mesh
from scenelift.render.scene import Node, Scene, SceneError


def _triangles(node: Node) -> np.ndarray:
    points = node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
    return np.asarray(points[node.mesh.faces])


def _areas(triangles: np.ndarray) -> np.ndarray:
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return np.asarray(np.linalg.norm(cross, axis=1) / 2)


def _read(folder: Path, name: str, data: bytes) -> Scene:
    (folder / name).write_bytes(data)
    return mesh.read_scene(folder / name, data_root=folder)


def _check_room(scene: Scene) -> None:
    """The scene is the room, with its classes and its floor."""
    assert [node.semantic for node in scene.nodes] == [
        nyu40_id(name) for name in ("wall", "floor", "ceiling", "chair")
    ]
    expected = {"wall": 2 * (4 + 3) * 2.5, "floor": 12, "ceiling": 12, "chair": 1.5}
    for node in scene.nodes:
        triangles = _triangles(node)
        name = node.category
        assert _areas(triangles).sum() == pytest.approx(expected[name], rel=1e-5)
        quads = scene_files.room_quads()[name].reshape(-1, 3)
        np.testing.assert_allclose(
            triangles.reshape(-1, 3).min(axis=0), quads.min(axis=0), atol=1e-5
        )
        np.testing.assert_allclose(
            triangles.reshape(-1, 3).max(axis=0), quads.max(axis=0), atol=1e-5
        )
    (room,) = scene.rooms
    assert (room.floor_y_m, room.ceiling_y_m) == pytest.approx((0, 2.5), abs=1e-4)
    assert all(node.room == 0 for node in scene.nodes)


def test_obj_with_a_texture_outside_its_folder(tmp_path: Path) -> None:
    path = scene_files.write_obj_scene(tmp_path)
    scene = mesh.read_scene(path, data_root=tmp_path)
    _check_room(scene)
    assert scene.warnings == ()
    floor = scene.nodes[1].mesh
    assert floor.materials[0].texture is not None
    assert floor.corner_uvs is not None
    assert floor.corner_normals is not None
    with pytest.raises(SceneError, match="data root"):
        mesh.read_scene(path, data_root=path.parent)


def test_obj_without_its_materials_is_a_scene_with_warnings(tmp_path: Path) -> None:
    path = scene_files.write_obj_scene(tmp_path)
    (tmp_path / "textures" / "wood.png").unlink()
    scene = mesh.read_scene(path, data_root=tmp_path)
    assert [warning.split(": ")[1] for warning in scene.warnings] == [
        "texture '../textures/wood.png' is missing"
    ]
    path.with_suffix(".mtl").unlink()
    scene = mesh.read_scene(path, data_root=tmp_path)
    _check_room(scene)
    assert len(scene.warnings) == 2


@pytest.mark.parametrize(("scale", "factor"), [(100, "0.01"), (1000, "0.001"), (10, None)])
def test_centimetres_and_millimetres_are_seen(
    tmp_path: Path, scale: float, factor: str | None
) -> None:
    data = scene_files.obj_text(mtllib=None, scale=scale).encode()
    scene = _read(tmp_path, "a.obj", data)
    if factor is None:
        assert not any("scaled" in warning for warning in scene.warnings)
        return
    _check_room(scene)
    assert any(f"scaled by {factor}" in warning for warning in scene.warnings)


def test_z_up_is_seen_where_floors_have_names(tmp_path: Path) -> None:
    lines = []
    for line in scene_files.obj_text(mtllib=None).splitlines():
        words = line.split()
        if words[0] in ("v", "vn"):
            words[2:] = [f"-{words[3]}".replace("--", ""), words[2]]
        lines.append(" ".join(words))
    scene = _read(tmp_path, "a.obj", "\n".join(lines).encode())
    _check_room(scene)
    assert any("y up" in warning for warning in scene.warnings)


@pytest.mark.parametrize(("unit", "up"), [(0.01, "Z_UP"), (1.0, "Y_UP"), (0.0254, "Z_UP")])
def test_collada_has_its_unit_and_its_up(tmp_path: Path, unit: float, up: str) -> None:
    scene_files.write_obj_scene(tmp_path)
    path = tmp_path / "model" / "room.dae"
    path.write_bytes(scene_files.dae_text(unit=unit, up=up))
    scene = mesh.read_scene(path, data_root=tmp_path)
    _check_room(scene)
    assert scene.warnings == ()
    assert all(node.mesh.materials[0].texture is not None for node in scene.nodes)


@pytest.mark.parametrize("binary", ["", "<", ">"])
def test_ply(tmp_path: Path, binary: str) -> None:
    (node,) = _read(tmp_path, "living.ply", scene_files.ply_text(binary=binary)).nodes
    assert _areas(_triangles(node)).sum() == pytest.approx(35 + 24 + 1.5, rel=1e-5)
    assert node.semantic == 0
    assert node.mesh.vertex_colors is not None
    np.testing.assert_allclose(node.mesh.vertex_colors[0], (1, 0.21586, 0), atol=1e-4)


def test_ply_with_polygons_of_different_length(tmp_path: Path) -> None:
    head = (
        b"ply\nformat ascii 1.0\nelement vertex 5\nproperty double x\nproperty double y\nproperty double z\n"
        b"property float s\nproperty float t\nelement face 2\nproperty uchar flag\n"
        b"property list uchar uint vertex_index\nend_header\n"
    )
    body = b"0 0 0 0 0\n1 0 0 1 0\n1 1 0 1 1\n0 1 0 0 1\n2 2 0 2 2\n7 4 0 1 2 3\n9 3 1 4 2\n"
    (node,) = _read(tmp_path, "a.ply", head + body).nodes
    assert node.mesh.faces.tolist() == [[0, 1, 2], [0, 2, 3], [1, 4, 2]]
    assert node.mesh.corner_uvs is not None
    assert node.mesh.corner_uvs[2].tolist() == [[1, 0], [2, 2], [1, 1]]


def test_stl_and_off(tmp_path: Path) -> None:
    for name, data in (
        ("chair.stl", scene_files.stl_bytes()),
        ("chair.off", scene_files.off_text()),
    ):
        (node,) = _read(tmp_path, name, data).nodes
        assert _areas(_triangles(node)).sum() == pytest.approx(1.5, rel=1e-5)
        assert node.semantic == nyu40_id("chair")


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("a.obj", b"", "empty"),
        ("a.glb", b"", "empty"),
        ("a.ply", b"\x89PNG\r\n\x1a\n", "not a PLY file"),
        ("a.glb", b"\x89PNG\r\n\x1a\n", "not usable JSON"),
        ("a.xyz", b"\x89PNG\r\n\x1a\n", "none of gltf, obj"),
        ("a.ply", scene_files.ply_text()[:-200], "cut off"),
        ("a.ply", scene_files.ply_text(binary="<")[:-10], "cut off"),
        (
            "a.ply",
            b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n",
            "cloud of points",
        ),
        ("a.ply", scene_files.ply_text().replace(b"4 0 1 2 3", b"4 0 1 2 999"), "outside 0..47"),
        (
            "a.ply",
            scene_files.ply_text().replace(b"element vertex 48", b"element vertex 99999999999"),
            "cut off",
        ),
        (
            "a.ply",
            scene_files.ply_text().replace(b"float x", b"flaot x"),
            "line 5: 'property flaot x'",
        ),
        ("a.dae", scene_files.dae_text()[:-500], "not a usable COLLADA file"),
        ("a.dae", b'<!DOCTYPE a [<!ENTITY b "c">]>' + scene_files.dae_text(), "entities"),
        ("a.dae", scene_files.dae_text().replace(b">0 0 1 0", b">5 6 7 8 0 0 1 0"), "a.dae"),
        ("a.stl", scene_files.stl_bytes()[:-20], "12 triangles and is cut off"),
        ("a.off", b"OFF\n99999999999 3 0\n0 0 0\n", "announces 99999999999"),
        (
            "a.obj",
            scene_files.obj_text(mtllib=None).rpartition("v ")[0].encode() + b"v 1.2",
            "line 123: 1 numbers .* cut off",
        ),
    ],
)
def test_faults_are_named(tmp_path: Path, name: str, data: bytes, fault: str) -> None:
    with pytest.raises(SceneError, match=fault):
        _read(tmp_path, name, data)


def test_collada_nodes_that_contain_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenelift.render.formats.collada_file.MAX_VISITS", 5000)
    text = scene_files.dae_text(unit=1.0, up="Y_UP", texture="none.png").decode()
    library = "<library_nodes>" + "".join(
        f'<node id="k{i}">' + f'<instance_node url="#k{i + 1}"/>' * 16 + "</node>" for i in range(8)
    )
    library += '<node id="k8"><instance_geometry url="#g_chair"/></node></library_nodes>'
    text = text.replace("<library_visual_scenes>", library + "<library_visual_scenes>")
    text = text.replace(
        '<visual_scene id="s">',
        '<visual_scene id="s"><node id="top"><instance_node url="#k0"/></node>',
    )
    with pytest.raises(SceneError, match="contain themselves"):
        _read(tmp_path, "a.dae", text.encode())
