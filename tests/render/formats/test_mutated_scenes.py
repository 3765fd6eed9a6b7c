"""Damaged files of every format: each gives a scene or one line of `SceneError`, soon and in little memory."""

from pathlib import Path

import pytest
import scene_files
from hypothesis import given
from hypothesis import strategies as st
from mutations import bounded_memory, hostile, mutated, outcome

from scenelift.render.formats import files, find_scenes, mesh, mtl, obj, read_scene, scenenet
from scenelift.render.formats.textures import decode_texture

MOST_BYTES = 400 << 20


def _check(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with bounded_memory(MOST_BYTES):
        outcome(lambda: mesh.read_scene(path, data_root=path.parent.parent))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model's texture beside it."""
    root = tmp_path_factory.mktemp("root")
    scene_files.write_obj_scene(root)
    return root / "model"


@hostile
@given(data=mutated(scene_files.obj_text().encode()))
def test_obj(folder: Path, data: bytes) -> None:
    _check(folder / "a.obj", data)


@hostile
@given(data=mutated(scene_files.mtl_text().encode()))
def test_mtl(data: bytes) -> None:
    found = outcome(lambda: mtl.parse_mtl(data, name="a.mtl"))
    if isinstance(found, tuple):
        for block in found:
            mtl.material_from_mtl(block, texture=lambda _: None)


@hostile
@given(data=mutated(scene_files.glb_room()))
def test_glb(folder: Path, data: bytes) -> None:
    _check(folder / "a.glb", data)


@hostile
@given(data=st.data())
def test_glb_with_a_sound_container(folder: Path, data: st.DataObject) -> None:
    good = scene_files.glb_room()
    size = int.from_bytes(good[12:16], "little")
    text = data.draw(mutated(good[20 : 20 + size]))
    _check(folder / "b.glb", scene_files.pack_glb(text, good[28 + size :]))


@hostile
@given(data=mutated(scene_files.ply_text()))
def test_ply(folder: Path, data: bytes) -> None:
    _check(folder / "a.ply", data)


@hostile
@given(data=mutated(scene_files.ply_text(binary="<")))
def test_binary_ply(folder: Path, data: bytes) -> None:
    _check(folder / "b.ply", data)


@hostile
@given(data=mutated(scene_files.dae_text()))
def test_collada(folder: Path, data: bytes) -> None:
    _check(folder / "a.dae", data)


@hostile
@given(data=mutated(scene_files.off_text()))
def test_off(folder: Path, data: bytes) -> None:
    _check(folder / "a.off", data)


@hostile
@given(data=mutated(scene_files.stl_bytes()))
def test_stl(folder: Path, data: bytes) -> None:
    _check(folder / "a.stl", data)


@hostile
@given(data=mutated(scene_files.layout_text().encode()))
def test_layout(folder: Path, data: bytes) -> None:
    path = folder / "layout.obj"
    path.write_bytes(data)
    with bounded_memory(MOST_BYTES):
        outcome(lambda: scenenet.read_scene(path, data_root=folder.parent, seed=0))


@hostile
@given(data=mutated(b'{"a": [1, 2.5, {"b": "c\\"d"}], "e": null, "f": [[[]]]}'))
def test_json(data: bytes) -> None:
    outcome(lambda: files.load_json(data, name="a.json"))


@hostile
@given(
    data=st.sampled_from(["RGB", "RGBA", "L", "LA", "P", "1", "I;16", "F", "CMYK"]).flatmap(
        lambda mode: mutated(scene_files.png_bytes(width=40, height=30, mode=mode))
    )
)
def test_pictures(data: bytes) -> None:
    with bounded_memory(MOST_BYTES):
        outcome(lambda: decode_texture(data, name="a.png"))


@hostile
@given(
    data=st.binary(max_size=400),
    suffix=st.sampled_from(["obj", "glb", "gltf", "ply", "dae", "stl", "off", "json"]),
)
def test_noise_of_any_suffix(folder: Path, data: bytes, suffix: str) -> None:
    path = folder / f"noise.{suffix}"
    path.write_bytes(data)
    outcome(lambda: read_scene(find_scenes([path])[0], seed=0))


def test_the_undamaged_files_are_scenes(folder: Path) -> None:
    good = {
        "a.obj": scene_files.obj_text().encode(),
        "a.glb": scene_files.glb_room(),
        "a.ply": scene_files.ply_text(),
        "b.ply": scene_files.ply_text(binary="<"),
        "c.ply": scene_files.ply_text(binary=">"),
        "a.dae": scene_files.dae_text(),
        "a.off": scene_files.off_text(),
        "a.stl": scene_files.stl_bytes(),
    }
    for name, data in good.items():
        (folder / name).write_bytes(data)
        assert mesh.read_scene(folder / name, data_root=folder.parent).nodes, name
    assert obj.parse_obj(good["a.obj"], name="a.obj").object_names[1] == "wall.001"
