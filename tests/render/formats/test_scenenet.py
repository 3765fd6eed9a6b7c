"""SceneNet: pictures drawn from folders by the seed, classes by name, rooms, lamps, windows."""

from pathlib import Path

import numpy as np
import pytest
import scene_files

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats import scenenet
from scenelift.render.scene import Scene


def _reds(scene: Scene) -> list[int]:
    """The red of each node's texture, which tells the pictures of a folder apart."""
    textures = [node.mesh.materials[0].texture for node in scene.nodes]
    return [-1 if texture is None else int(texture.pixels[0, 0, 0]) for texture in textures]


def test_a_layout(tmp_path: Path) -> None:
    scene = scenenet.read_scene(scene_files.write_layout(tmp_path), data_root=tmp_path, seed=0)
    assert [node.semantic for node in scene.nodes] == [1, 2, 22]
    assert not scene.furnished
    assert (scene.source, scene.warnings) == ("scenenet", ())
    (room,) = scene.rooms
    assert room.kind == "bedroom"
    assert (room.floor_y_m, room.ceiling_y_m) == pytest.approx((0, 2.5))
    assert -1 not in _reds(scene)
    assert scene.nodes[0].mesh.corner_normals is None


def test_the_seed_draws_the_pictures(tmp_path: Path) -> None:
    path = scene_files.write_layout(tmp_path, pictures={"wall": 9, "floor": 9, "ceiling": 9})
    drawn = [_reds(scenenet.read_scene(path, data_root=tmp_path, seed=seed)) for seed in range(12)]
    again = [_reds(scenenet.read_scene(path, data_root=tmp_path, seed=seed)) for seed in range(12)]
    assert drawn == again
    assert len({tuple(reds) for reds in drawn}) >= 10
    assert all(len({reds[index] for reds in drawn}) >= 4 for index in range(3))


def test_the_draw_depends_on_the_names_in_the_folder_alone(tmp_path: Path) -> None:
    first = scene_files.write_layout(tmp_path / "a", pictures={"wall": 5, "floor": 5, "ceiling": 5})
    second = scene_files.write_layout(
        tmp_path / "b", pictures={"wall": 5, "floor": 5, "ceiling": 5}
    )
    shelf = tmp_path / "b" / "texture_library" / "wall"
    for path in sorted(shelf.iterdir(), reverse=True):
        data = path.read_bytes()
        path.unlink()
        path.write_bytes(data)
    (shelf / "notes.txt").write_text("no picture")
    assert _reds(scenenet.read_scene(first, data_root=tmp_path / "a", seed=3)) == _reds(
        scenenet.read_scene(second, data_root=tmp_path / "b", seed=3)
    )


def test_missing_and_damaged_pictures_are_warnings(tmp_path: Path) -> None:
    path = scene_files.write_layout(tmp_path, pictures={"wall": 1, "floor": 0, "ceiling": 1})
    (tmp_path / "texture_library" / "wall" / "0.png").write_bytes(b"no picture")
    (tmp_path / "texture_library" / "ceiling" / "0.png").unlink()
    scene = scenenet.read_scene(path, data_root=tmp_path, seed=0)
    assert _reds(scene) == [-1, -1, -1]
    assert any("cannot be decoded" in warning for warning in scene.warnings)
    assert sum("is missing" in warning for warning in scene.warnings) == 2


def _write(folder: Path, text: str) -> Path:
    (folder / "1Office").mkdir()
    path = folder / "1Office" / "room.obj"
    path.write_text(text)
    return path


def test_a_furnished_room_without_materials(tmp_path: Path) -> None:
    text = scene_files.obj_text(mtllib=None).replace("o chair.001", "o chair_fmx_4")
    text = text.replace("o wall.001", "o room_skeleton").replace("o floor.001", "o floor_enclose")
    text = "\n".join(
        line
        for line in text.replace("o ceiling.001", "o ceiling_enclose").splitlines()
        if "usemtl" not in line
    )
    path = _write(tmp_path, text)
    assert scenenet.recognises(path.read_bytes())
    scene = scenenet.read_scene(path, data_root=tmp_path, seed=1)
    assert scene.furnished
    assert [node.semantic for node in scene.nodes] == [1, 2, 22, 5]
    colors = [node.mesh.materials[0].base_color for node in scene.nodes]
    assert len(set(colors)) == 4
    assert all(0 < channel < 1 for color in colors for channel in color)
    other = scenenet.read_scene(path, data_root=tmp_path, seed=2)
    assert colors != [node.mesh.materials[0].base_color for node in other.nodes]
    assert scene.rooms[0].kind == "office"


def test_a_room_in_one_piece_is_split_by_its_faces(tmp_path: Path) -> None:
    text = scene_files.obj_text(mtllib=None).split("o chair")[0]
    text = (
        text.replace("o floor.001\n", "")
        .replace("o ceiling.001\n", "")
        .replace("wall.001", "room_skeleton")
    )
    scene = scenenet.read_scene(_write(tmp_path, text), data_root=tmp_path, seed=0)
    assert [(node.name, node.semantic) for node in scene.nodes] == [
        ("room_skeleton", 1),
        ("room_skeleton/floor", 2),
        ("room_skeleton/ceiling", 22),
    ]
    assert [len(node.mesh.faces) for node in scene.nodes] == [8, 2, 2]
    assert len(scene.rooms) == 1


def _box(
    name: str, low: tuple[float, float, float], high: tuple[float, float, float], start: int
) -> str:
    corners = [
        [(low, high)[i][0], (low, high)[j][1], (low, high)[k][2]]
        for i in (0, 1)
        for j in (0, 1)
        for k in (0, 1)
    ]
    quads = [[1, 2, 4, 3], [5, 7, 8, 6], [1, 5, 6, 2], [3, 4, 8, 7], [1, 3, 7, 5], [2, 6, 8, 4]]
    lines = [f"o {name}"] + ["v " + " ".join(map(str, corner)) for corner in corners]
    return (
        "\n".join(lines + ["f " + " ".join(str(start + i) for i in quad) for quad in quads]) + "\n"
    )


def test_lamps_glow_windows_are_glass_mirrors_mirror(tmp_path: Path) -> None:
    text = scene_files.layout_text()
    start = text.count("\nv ")
    text += _box("light.003", (1.0, 2.4, 1.0), (1.5, 2.45, 1.5), start)
    text += _box("window.002", (1.0, 1.0, -0.02), (2.0, 2.0, 0.02), start + 8)
    text += _box("mirror", (3.95, 1.0, 1.0), (3.99, 2.0, 2.0), start + 16)
    text += _box("blinds.1", (3.0, 1.0, 2.9), (3.5, 2.0, 2.95), start + 24)
    scene = scenenet.read_scene(_write(tmp_path, text), data_root=tmp_path, seed=0)
    node = {node.category: node for node in scene.nodes}
    lamp = node["light"].mesh.materials[0]
    # Half of its 0.6 m2 shows; together with the sky's radiance of 1 through a tenth of the floor's 12 m2.
    assert lamp.emission[0] == pytest.approx(0.1 * 12 / 0.3, rel=0.05)
    assert any(material.is_glass for material in node["window"].mesh.materials)
    assert any(material.is_mirror for material in node["mirror"].mesh.materials)
    panes = [material.is_glass for material in node["window"].mesh.materials]
    assert sum(np.array(panes)[node["window"].mesh.face_materials]) == 4
    assert scene.portals_world is None, "the wall behind has no hole"
    assert node["blinds"].semantic == nyu40_id("blinds")
    assert not any(
        max(m.emission) > 0 for name in ("window", "wall") for m in node[name].mesh.materials
    )


def test_a_window_in_a_hole_is_a_portal(tmp_path: Path) -> None:
    text = scene_files.layout_text()
    start = text.count("\nv ")
    text += _box("window.002", (5.0, 1.0, -0.02), (6.0, 2.0, 0.02), start)
    scene = scenenet.read_scene(_write(tmp_path, text), data_root=tmp_path, seed=0)
    assert scene.portals_world is not None
    np.testing.assert_allclose(
        scene.portals_world, [[[5, 1, 0], [6, 1, 0], [6, 2, 0], [5, 2, 0]]], atol=1e-9
    )
