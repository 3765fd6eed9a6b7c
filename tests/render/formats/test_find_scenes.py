"""Scenes are found by content, named once, and read alike whatever lies beside them; real ones where they are."""

import os
from pathlib import Path

import numpy as np
import pytest
import scene_files

from scenelift.datasets.nyu40 import NYU40_NAMES
from scenelift.render.formats import find_scenes, read_scene
from scenelift.render.scene import Scene, SceneError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    scene_files.write_obj_scene(tmp_path)
    scene_files.write_layout(tmp_path / "scenenet")
    for name, data in {
        "a/one.glb": scene_files.glb_room(),
        "a/one.ply": scene_files.ply_text(),
        "a/misnamed.txt": scene_files.dae_text(),
        "a/readme.txt": b"v is for vendetta",
        "a/data.json": b'{"levels": 3}',
        "a/.hidden.glb": scene_files.glb_room(),
        "b/broken.glb": b"glTF\0",
        "b/empty.obj": b"",
        "house/abc/house.json": b'{"version": "suncg@1.0.0", "id": "abc", "levels": []}',
        "object/1/1.obj": scene_files.obj_text().encode(),
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_a_folder_lists_its_scenes(tree: Path) -> None:
    sources = find_scenes([tree])
    assert [(source.name, source.format) for source in sources] == [
        ("a/misnamed", "mesh"),
        ("a/one.glb", "mesh"),
        ("a/one.ply", "mesh"),
        ("b/broken", "mesh"),
        ("b/empty", "mesh"),
        ("house/abc", "suncg"),
        ("model/room", "mesh"),
        ("scenenet/bedroom/bedroom1_layout", "scenenet"),
    ]
    roots = {source.name: source.data_root for source in sources}
    assert roots["model/room"] == tree
    assert roots["scenenet/bedroom/bedroom1_layout"] == tree / "scenenet"


def test_the_order_of_paths_changes_nothing(tree: Path) -> None:
    paths = [tree / "b", tree / "a", tree / "a" / "one.glb", tree / "model" / "room.obj"]
    sources = find_scenes(paths)
    assert sources == find_scenes(paths[::-1])
    assert len({source.name for source in sources}) == len(sources) == 6


def test_a_format_can_be_asked_for(tree: Path) -> None:
    assert [source.format for source in find_scenes([tree], format="scenenet")] == ["scenenet"]
    (layout,) = find_scenes([tree / "scenenet"], format="mesh")
    assert layout.format == "mesh"
    assert read_scene(layout, seed=0).source == "obj"


def test_single_files(tree: Path) -> None:
    (source,) = find_scenes([tree / "model" / "room.obj"])
    assert (source.name, source.data_root) == ("model/room", tree)
    scene = read_scene(source, seed=0)
    assert scene.name == "model/room"
    assert scene.warnings == ()


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("none.glb", "no such file"),
        ("a/readme.txt", "no known scene format"),
        ("b/empty.obj", "empty"),
        ("textures", "no scene in it"),
    ],
)
def test_what_is_no_scene(tree: Path, path: str, fault: str) -> None:
    with pytest.raises(SceneError, match=f"{path}: .*{fault}"):
        find_scenes([tree / path])


def test_damaged_files_are_found_and_fail_when_read(tree: Path) -> None:
    for source in find_scenes([tree / "b"]):
        with pytest.raises(SceneError, match=source.path.name):
            read_scene(source, seed=0)


REAL = Path(os.environ.get("SCENELIFT_DATA", "/nowhere")) / "scenes"
real = pytest.mark.skipif(not REAL.is_dir(), reason="SCENELIFT_DATA names no folder with scenes")


def _classes(scene: Scene) -> set[str]:
    return {NYU40_NAMES[node.semantic] for node in scene.nodes}


@real
def test_real_layouts() -> None:
    expected = {
        "bathroom6": (21, {"wall", "floor", "ceiling", "window", "mirror", "lamp"}),
        "bedroom10": (
            10,
            {"wall", "floor", "ceiling", "window", "curtain", "picture", "floor_mat"},
        ),
        "bedroom9": (7, {"wall", "floor", "ceiling", "window", "cabinet", "picture"}),
        "kitchen2": (7, {"wall", "floor", "ceiling", "window", "door"}),
        "kitchen9": (16, {"wall", "floor", "ceiling", "lamp", "otherprop"}),
        "livingroom9": (3, {"wall", "floor", "ceiling"}),
        "office4": (
            32,
            {"wall", "floor", "ceiling", "window", "blinds", "books", "shelves", "lamp"},
        ),
    }
    sources = find_scenes([REAL / "scenenet"])
    assert len(sources) == 7
    for source in sources:
        scene = read_scene(source, seed=5)
        nodes, classes = expected[source.path.stem.removesuffix("_layout")]
        assert len(scene.nodes) == nodes, source.name
        assert _classes(scene) >= classes, source.name
        assert scene.warnings == ()
        assert not scene.furnished
        assert len(scene.rooms) == 1, source.name
        assert scene.rooms[0].kind
        assert 2.3 < scene.rooms[0].ceiling_y_m - scene.rooms[0].floor_y_m < 4.6
        textured = [n for n in scene.nodes if any(m.texture is not None for m in n.mesh.materials)]
        assert len(textured) >= 0.6 * len(
            [n for n in scene.nodes if "lamp" not in NYU40_NAMES[n.semantic]]
        )
        again = read_scene(source, seed=5)
        for first, second in zip(scene.nodes, again.nodes, strict=True):
            np.testing.assert_array_equal(first.mesh.vertices, second.mesh.vertices)
            for one, two in zip(first.mesh.materials, second.mesh.materials, strict=True):
                assert (one.texture is None) == (two.texture is None)
                if one.texture is not None and two.texture is not None:
                    np.testing.assert_array_equal(one.texture.pixels, two.texture.pixels)


@real
def test_real_furnished_room() -> None:
    (source,) = find_scenes([REAL / "drake_furnished_room.glb"])
    scene = read_scene(source, seed=0)
    assert len(scene.nodes) == 27
    assert sum(len(node.mesh.faces) for node in scene.nodes) == 35_447
    assert _classes(scene) >= {
        "wall",
        "floor",
        "ceiling",
        "window",
        "door",
        "cabinet",
        "sofa",
        "lamp",
        "curtain",
    }
    assert 0 not in {node.semantic for node in scene.nodes}
    assert len(scene.rooms) == 1
    assert scene.furnished
