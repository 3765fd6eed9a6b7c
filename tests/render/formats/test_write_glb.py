import io
import json
import struct
import tempfile
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image
from small_scenes import (
    FAR,
    assert_same_lights,
    assert_same_nodes,
    by_material,
    make_scene,
    recipes,
    scene_of,
    world_corners,
)

from scenelift.render.formats.gltf.extras import restore_node, restore_scene, restored_light
from scenelift.render.formats.gltf.write import write_glb
from scenelift.render.formats.mesh import read_scene
from scenelift.render.scene import Light, Material, Mesh, Node, Scene, SceneError

Recipe = tuple[int, int, int, int]
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
DTYPES = {5126: "<f4", 5125: "<u4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def parsed(data: bytes) -> tuple[Any, bytes]:
    """The two chunks of a GLB file, by the standard's words alone."""
    magic, version, length = struct.unpack("<4sII", data[:12])
    assert (magic, version, length) == (b"glTF", 2, len(data))
    size, kind = struct.unpack("<I4s", data[12:20])
    assert kind == b"JSON"
    assert size % 4 == 0
    document = json.loads(data[20 : 20 + size])
    rest, kind = struct.unpack("<I4s", data[20 + size : 28 + size])
    assert kind == b"BIN\0"
    assert rest % 4 == 0
    binary = data[28 + size :]
    assert len(binary) == rest
    assert 0 <= rest - document["buffers"][0]["byteLength"] < 4
    return document, binary


def values(document: Any, binary: bytes, index: int) -> Any:
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    assert view["byteOffset"] % 4 == 0
    data = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    array = np.frombuffer(data, DTYPES[accessor["componentType"]])
    array = array.reshape(-1, WIDTHS[accessor["type"]])
    assert len(array) == accessor["count"] > 0
    if "min" in accessor:
        assert accessor["min"] == array.min(axis=0).astype(float).tolist()
        assert accessor["max"] == array.max(axis=0).astype(float).tolist()
    return array


def glb(scene: Scene) -> tuple[Any, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return parsed(write_glb(scene, Path(folder) / "a.glb").path.read_bytes())


@given(recipe=recipes())
@few
def test_the_file_is_valid_and_holds_the_triangles(recipe: Recipe) -> None:
    """Read by an independent parser that knows the standard alone."""
    scene = scene_of(recipe)
    document, binary = glb(scene)
    assert document["asset"]["version"] == "2.0"
    assert document["scenes"][document["scene"]]["nodes"] == list(range(len(document["nodes"])))
    for node, entry in zip(scene.nodes, document["nodes"], strict=False):
        matrix = np.reshape(entry.get("matrix", np.eye(4).ravel()), (4, 4)).T
        columns = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
        np.testing.assert_allclose(columns.T @ columns, np.eye(3), atol=1e-5)
        found = []
        for primitive in document["meshes"][entry["mesh"]]["primitives"]:
            attributes = {
                name: values(document, binary, index)
                for name, index in primitive["attributes"].items()
            }
            assert len({len(array) for array in attributes.values()}) == 1
            assert "min" in document["accessors"][primitive["attributes"]["POSITION"]]
            indices = values(document, binary, primitive["indices"])
            assert indices.max() < len(attributes["POSITION"])
            if "NORMAL" in attributes:
                np.testing.assert_allclose(
                    np.linalg.norm(attributes["NORMAL"], axis=1), 1, atol=1e-5
                )
            points = attributes["POSITION"].astype(float) @ matrix[:3, :3].T + matrix[:3, 3]
            found.append(points[indices.reshape(-1, 3)])
        corners, wanted = np.concatenate(found), world_corners(by_material(node))
        if (
            np.abs(corners - wanted).max() > 1e-5
        ):  # a transform that shears and mirrors is worked in, turned over
            wanted = wanted[:, [0, 2, 1]]
        np.testing.assert_allclose(corners, wanted, atol=1e-5, rtol=0)


@given(recipe=recipes())
@few
def test_materials_by_the_standard(recipe: Recipe) -> None:
    document, binary = glb(scene_of(recipe))
    used = set(document.get("extensionsUsed", []))
    for material in document["materials"]:
        surface = material["pbrMetallicRoughness"]
        for number in (
            *surface["baseColorFactor"],
            surface["metallicFactor"],
            surface["roughnessFactor"],
        ):
            assert 0 <= number <= 1
        assert max(material.get("emissiveFactor", [0])) <= 1
        assert set(material.get("extensions", {})) <= used
        assert material["doubleSided"] is True
        if "baseColorTexture" in surface:
            texture = document["textures"][surface["baseColorTexture"]["index"]]
            image = document["images"][texture["source"]]
            view = document["bufferViews"][image["bufferView"]]
            data = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
            assert Image.open(io.BytesIO(data)).format == "PNG"
            assert document["samplers"][texture["sampler"]]["wrapS"] == 10497


@given(recipe=recipes())
@few
def test_what_is_written_is_read_back(recipe: Recipe) -> None:
    scene = scene_of(recipe)
    with tempfile.TemporaryDirectory() as folder:
        written = write_glb(scene, Path(folder) / "a.glb")
        back = read_scene(written.path, data_root=Path(folder))
    assert_same_nodes(scene, back, sort_faces=True)
    assert_same_lights(list(scene.lights), list(back.lights), rtol=1e-12)
    assert [(x.radius_m, x.room) for x in back.lights] == [
        (x.radius_m, x.room) for x in scene.lights
    ]
    assert astuple(back.sky) == astuple(scene.sky)
    assert (back.name, back.licence, back.furnished, back.source) == (
        scene.name, scene.licence, scene.furnished, scene.source,
    )  # fmt: skip
    for old, new in zip(scene.rooms, back.rooms, strict=True):
        assert (new.name, new.kind, new.floor_y_m, new.ceiling_y_m) == (
            old.name, old.kind, old.floor_y_m, old.ceiling_y_m,
        )  # fmt: skip
        np.testing.assert_array_equal(new.outline_xz, old.outline_xz)
    if scene.portals_world is None:
        assert back.portals_world is None
    else:
        assert back.portals_world is not None
        np.testing.assert_array_equal(back.portals_world, scene.portals_world)
    for node, other in zip(scene.nodes, back.nodes, strict=True):
        mesh = by_material(node).mesh
        for a, b in zip(mesh.face_materials, other.mesh.face_materials, strict=True):
            before, after = mesh.materials[a], other.mesh.materials[b]
            assert (after.name, after.metallic) == (before.name, before.metallic)
            assert after.roughness == pytest.approx(before.roughness)
            assert after.opacity == pytest.approx(before.opacity)


def test_meshes_and_textures_are_shared() -> None:
    mesh = make_scene(np.random.default_rng(1), nodes=1, rooms=0, lights=0).nodes[0].mesh
    nodes = tuple(
        Node(name=f"n{k}", mesh=mesh, T_world_object=np.eye(4), category="", semantic=0)
        for k in range(9)
    )
    document, _ = glb(Scene(name="a", nodes=nodes))
    assert len(document["meshes"]) == 1
    assert len(document["nodes"]) == 9


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.glb", "b.glb"):
        scene = make_scene(np.random.default_rng(7), nodes=5, rooms=2, lights=4)
        write_glb(scene, tmp_path / name)
    assert (tmp_path / "a.glb").read_bytes() == (tmp_path / "b.glb").read_bytes()


def test_far_meshes_keep_their_precision() -> None:
    """Vertices at 500 m, where 32 bit floats are 3e-5 m apart."""
    vertices = np.array([(500.123456, 0, -500), (501, 0, -500.7654321), (500, 0.123456789, -500)])
    mesh = Mesh(
        vertices=vertices, faces=np.array([[0, 1, 2]]), materials=(Material(name="a"),),
        face_materials=np.zeros(1, dtype=np.int64),
    )  # fmt: skip
    node = Node(
        name="n", mesh=mesh, T_world_object=np.diag([-1.0, 1, 1, 1]), category="", semantic=0
    )
    document, binary = glb(Scene(name="a", nodes=(node,)))
    points = values(
        document, binary, document["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    )
    matrix = np.reshape(document["nodes"][0]["matrix"], (4, 4)).T
    np.testing.assert_allclose(
        points @ matrix[:3, :3].T + matrix[:3, 3], vertices * (-1, 1, 1), atol=1e-7, rtol=0
    )


def test_textures_are_flipped_to_gltf() -> None:
    """(0, 0) is the lower left corner here and the upper left one there."""
    mesh = Mesh(
        vertices=np.eye(3), faces=np.array([[0, 1, 2]]), materials=(Material(name="a"),),
        face_materials=np.zeros(1, dtype=np.int64), corner_uvs=np.array([[(0.25, 0.75), (1.0, 0.0), (0.0, 2.0)]]),
    )  # fmt: skip
    node = Node(name="n", mesh=mesh, T_world_object=np.eye(4), category="", semantic=0)
    document, binary = glb(Scene(name="a", nodes=(node,)))
    primitive = document["meshes"][0]["primitives"][0]
    uvs = values(document, binary, primitive["attributes"]["TEXCOORD_0"])
    indices = values(document, binary, primitive["indices"]).ravel()
    np.testing.assert_allclose(uvs[indices], [(0.25, 0.25), (1, 1), (0, -1)])


def test_lights_by_the_standard() -> None:
    """Candela along the node's -z, at 683 lm / W."""
    spot = Light(
        kind="spot", intensity=(2.0, 1.0, 0.0), position_world=(1.0, 2.0, 3.0), direction_world=(0.6, 0.0, 0.8), cone_rad=0.5
    )  # fmt: skip
    scene = make_scene(np.random.default_rng(1), nodes=1, rooms=0, lights=0)
    document, _ = glb(replace(scene, lights=(spot,)))
    (light,) = document["extensions"]["KHR_lights_punctual"]["lights"]
    assert light["type"] == "spot"
    assert light["intensity"] == pytest.approx(2 * 683)
    assert light["color"] == [1, 0.5, 0]
    assert light["spot"]["innerConeAngle"] < light["spot"]["outerConeAngle"] == pytest.approx(0.5)
    entry = document["nodes"][-1]
    matrix = np.reshape(entry["matrix"], (4, 4)).T
    np.testing.assert_allclose(matrix @ (0, 0, -1, 0), (0.6, 0, 0.8, 0), atol=1e-12)
    np.testing.assert_allclose(matrix[:3, 3], (1, 2, 3))
    assert np.linalg.det(matrix[:3, :3]) == pytest.approx(1)
    assert entry["extensions"]["KHR_lights_punctual"]["light"] == 0


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    scene = make_scene(np.random.default_rng(1), nodes=1, rooms=0, lights=0)
    path = write_glb(scene, tmp_path / "a.glb").path
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists already"):
        write_glb(replace(scene, name="other"), path)
    assert path.read_bytes() == before
    write_glb(replace(scene, name="other"), path, overwrite=True)
    assert path.read_bytes() != before
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.glb"]


class TestExtras:
    """What hostile extras may not do."""

    scene = make_scene(np.random.default_rng(1), nodes=1, rooms=0, lights=0)

    @pytest.mark.parametrize("extras", [None, 3, {}, {"other": 1}])
    def test_those_of_others_are_passed_over(self, extras: Any) -> None:
        assert restore_scene(self.scene, extras, where="") is self.scene
        assert restore_node(self.scene.nodes[0], extras, where="") == (None, self.scene.nodes[0])
        assert restored_light(extras, where="") is None

    @pytest.mark.parametrize(
        "value",
        [
            3,
            {"rooms": 3},
            {"rooms": [{"name": "a"}]},
            {
                "rooms": [
                    {"name": "a", "outline_xz": [[0, 0]] * 2, "floor_y_m": 0, "ceiling_y_m": 1}
                ]
            },
            {"sky": {"zenith": [1, 2]}},
            {"portals_world": [[[0, 0, 0]]]},
            {"portals_world": [7]},
            {"furnished": "perhaps"},
        ],
    )
    def test_malformed_scenes(self, value: Any) -> None:
        with pytest.raises(SceneError, match=r"a\.glb"):
            restore_scene(self.scene, {"scenelift": value}, where="a.glb")

    @pytest.mark.parametrize(
        "value",
        [
            {"semantic": 41},
            {"semantic": -1},
            {"semantic": "wall"},
            {"semantic": 1, "room": 1.5},
            {"semantic": 1, "index": -1},
        ],
    )
    def test_malformed_nodes(self, value: Any) -> None:
        with pytest.raises(SceneError, match=r"a\.glb"):
            restore_node(self.scene.nodes[0], {"scenelift": value}, where="a.glb")

    @pytest.mark.parametrize(
        "value", [{"light": 3}, {"light": {"kind": "laser"}}, {"light": {"kind": "point"}}]
    )
    def test_malformed_lights(self, value: Any) -> None:
        with pytest.raises(SceneError, match=r"a\.glb"):
            restored_light({"scenelift": value}, where="a.glb")

    def test_a_room_that_is_not_there(self) -> None:
        node = replace(self.scene.nodes[0], room=3)
        with pytest.raises(SceneError, match="room 3 of 0"):
            restore_scene(replace(self.scene, nodes=(node,)), {"scenelift": {}}, where="a.glb")


def test_far_is_far() -> None:
    """The shared scenes do stand where real houses do."""
    assert np.abs(FAR).max() > 40
