import csv
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from small_scenes import (
    assert_same_lights,
    assert_same_nodes,
    make_scene,
    recipes,
    scene_of,
    signed_volume,
)
from suncg_trees import block, house_document, make_suncg_tree

from scenelift.render.formats.suncg.read import read_scene
from scenelift.render.formats.suncg.write import write_suncg
from scenelift.render.scene import Light, Material, Mesh, Node, Room, Scene

Recipe = tuple[int, int, int, int]
few = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@given(recipe=recipes())
@few
def test_what_is_written_is_read_back(recipe: Recipe) -> None:
    scene = scene_of(recipe)
    with tempfile.TemporaryDirectory() as folder:
        written = write_suncg(scene, Path(folder) / "root")
        back = read_scene(written.path)
    assert_same_nodes(scene, back)
    assert (back.name, back.licence, back.furnished) == (scene.name, scene.licence, scene.furnished)
    for old, new in zip(scene.rooms, back.rooms, strict=True):
        assert (new.name, new.kind) == (old.name, old.kind)
        np.testing.assert_array_equal(new.outline_xz, old.outline_xz)
    earthly = sorted((x for x in scene.lights if x.kind != "sun"), key=lambda light: light.name)
    found = sorted(back.lights, key=lambda light: light.name)
    if found or any("lights, as there is no" not in line for line in written.losses):
        kept = [light for light in earthly if light.name in {x.name for x in found}]
        assert_same_lights(kept, found, rtol=5e-3)


@given(recipe=recipes())
@few
def test_losses_name_what_is_lost(recipe: Recipe) -> None:
    scene = scene_of(recipe)
    with tempfile.TemporaryDirectory() as folder:
        losses = " | ".join(write_suncg(scene, Path(folder) / "root").losses)
    assert "the sky" in losses
    assert ("suns: " in losses) == any(light.kind == "sun" for light in scene.lights)
    assert ("portals" in losses) == (scene.portals_world is not None)


def files(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()
    }


def test_the_same_scene_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        scene = make_scene(np.random.default_rng(7), nodes=5, rooms=2, lights=4)
        write_suncg(scene, tmp_path / name)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(files(tmp_path / "a")) > 20


def test_a_scene_that_was_read_comes_back(tmp_path: Path) -> None:
    scene = read_scene(make_suncg_tree(tmp_path / "in"))
    back = read_scene(write_suncg(scene, tmp_path / "out").path)
    assert back.warnings == ()
    assert_same_nodes(scene, back)
    assert_same_lights(list(scene.lights), list(back.lights), rtol=5e-3)
    assert {node.name: node.room for node in back.nodes} == {
        node.name: node.room for node in scene.nodes
    }
    np.testing.assert_allclose(scene.portals_world, back.portals_world, atol=1e-6)  # type: ignore[arg-type]


def solid(*, low: Any = (0, 0, 0), high: Any = (1, 2, 3), name: str = "paint") -> Mesh:
    vertices, faces = block(low, high)
    return Mesh(
        vertices=np.array(vertices, dtype=np.float64), faces=np.array(faces), materials=(Material(name=name),),
        face_materials=np.zeros(len(faces), dtype=np.int64),
    )  # fmt: skip


def room_scene(mirror: float = 1.0) -> Scene:
    """A room whose floor, ceiling and wall are solids, and a chair used twice."""
    T = np.diag([mirror, 1.0, 1.0, 1.0])
    outline = np.array([(0, 0), (0, 3), (1, 3), (1, 0)], dtype=np.float64)
    nodes = [
        Node(
            name=part,
            mesh=solid(high=(1, 0.1, 3)),
            T_world_object=T,
            category=part,
            semantic=semantic,
            room=0,
        )
        for part, semantic in (("wall", 1), ("floor", 2), ("ceiling", 22))
    ]
    chair = solid()
    nodes += [
        Node(name=f"chair {k}", mesh=chair, T_world_object=T, category="chair", semantic=5, room=0)
        for k in (0, 1)
    ]
    room = Room(name="r", kind="living room", outline_xz=outline, floor_y_m=0.0, ceiling_y_m=2.5)
    return Scene(name="small", nodes=tuple(nodes), rooms=(room,))


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_winding(tmp_path: Path, mirror: float) -> None:
    """Room parts have no transform, so mirrored ones are turned over; objects mirror in their transform."""
    back = read_scene(write_suncg(room_scene(mirror), tmp_path / "root").path)
    volumes = {node.name: signed_volume(node) for node in back.nodes}
    assert volumes["floor"] == pytest.approx(0.3)
    assert volumes["chair 0"] == pytest.approx(6 * mirror)


class TestForOtherLoaders:
    """Section by section what the known loaders ask for."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        light = Light(
            kind="point", intensity=(1.0, 0.5, 0.0), position_world=(0.0, 1.0, 0.0), room=0
        )
        write_suncg(replace(room_scene(-1.0), lights=(light,)), tmp_path / "root")
        return tmp_path / "root"

    def document(self, root: Path) -> Any:
        (path,) = (root / "house").glob("*/house.json")
        document = json.loads(path.read_text())
        assert document["id"] == path.parent.name
        assert len(document["id"]) == 32
        return document

    def test_the_house(self, root: Path) -> None:
        document = self.document(root)
        assert (document["version"], document["up"], document["front"], document["scaleToMeters"]) == (
            "suncg@1.0.0", [0, 1, 0], [0, 0, 1], 1,
        )  # fmt: skip
        (level,) = document["levels"]
        assert isinstance(level["id"], str)
        assert set(level["bbox"]) == {"min", "max"}

    def test_the_nodes(self, root: Path) -> None:
        nodes = self.document(root)["levels"][0]["nodes"]
        for position, node in enumerate(nodes):
            assert node["id"] == f"0_{position}"
            assert type(node["valid"]) is int
            assert len(node["bbox"]["min"]) == len(node["bbox"]["max"]) == 3
        room, *objects = nodes
        assert "transform" not in room
        assert room["roomTypes"] == ["Living_Room"]
        assert room["nodeIndices"] == [1, 2]
        for key in ("hideCeiling", "hideFloor", "hideWalls"):
            assert type(room[key]) is int
        for node in objects:
            assert node["materials"] == []
            assert type(node["isMirrored"]) is int
            assert len(node["transform"]) == 16

    def test_the_files(self, root: Path) -> None:
        document = self.document(root)
        room, chair, other = document["levels"][0]["nodes"]
        for letter in "fcw":
            for suffix in (".obj", ".mtl"):
                assert (
                    root / "room" / document["id"] / f"{room['modelId']}{letter}{suffix}"
                ).is_file()
        assert chair["modelId"] != other["modelId"], (
            "the lamp's model bears the light and is its own"
        )
        for node in (chair, other):
            folder = root / "object" / node["modelId"]
            text = (folder / f"{node['modelId']}.obj").read_text()
            assert f"mtllib {node['modelId']}.mtl" in text
            assert "usemtl material_0" in text
            assert "newmtl material_0" in (folder / f"{node['modelId']}.mtl").read_text()

    def test_the_metadata(self, root: Path) -> None:
        with (root / "metadata" / "ModelCategoryMapping.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["model_id"] for row in rows[:5]] == ["Empty", "Wall", "Ceiling", "Floor", "Box"]
        assert [int(row["index"]) for row in rows] == list(range(len(rows)))
        assert (rows[5]["fine_grained_class"], rows[5]["nyuv2_40class"]) == ("chair", "chair")
        with (root / "metadata" / "models.csv").open() as file:
            models = list(csv.DictReader(file))
        assert models[0]["aligned.dims"] == "100,200,300"
        lights = json.loads((root / "metadata" / "suncgModelLights.json").read_text())
        ((model, (light,)),) = lights.items()
        assert light["type"] == "PointLight"
        assert light["modelId"] == model
        assert light["attenuation"] == [0, 0, 1]

    def test_textures_are_named_from_the_models_folder(self, tmp_path: Path) -> None:
        scene = make_scene(np.random.default_rng(3), nodes=6, rooms=1, lights=0)
        write_suncg(scene, tmp_path / "root")
        named = [
            line.split()[1]
            for path in (tmp_path / "root").rglob("*.mtl")
            for line in path.read_text().splitlines()
            if line.startswith("map_Kd")
        ]
        assert named
        for name in named:
            assert name.startswith("../../texture/")
            assert (tmp_path / "root" / "texture" / Path(name).name).is_file()

    def test_equal_meshes_share_a_model(self, tmp_path: Path) -> None:
        write_suncg(room_scene(), tmp_path / "root")
        assert len(list((tmp_path / "root" / "object").iterdir())) == 1


class TestTarget:
    def test_an_existing_one_is_refused(self, tmp_path: Path) -> None:
        write_suncg(room_scene(), tmp_path / "root")
        before = files(tmp_path / "root")
        with pytest.raises(FileExistsError, match="exists already"):
            write_suncg(replace(room_scene(), name="other"), tmp_path / "root")
        assert files(tmp_path / "root") == before

    def test_overwriting(self, tmp_path: Path) -> None:
        first = write_suncg(room_scene(), tmp_path / "root")
        second = write_suncg(replace(room_scene(), name="other"), tmp_path / "root", overwrite=True)
        assert not first.path.exists()
        assert read_scene(second.path).name == "other"
        assert [entry.name for entry in tmp_path.iterdir()] == ["root"]

    def test_what_is_not_ours_is_never_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "thesis.tex").write_text("years")
        with pytest.raises(FileExistsError, match="thesis"):
            write_suncg(room_scene(), tmp_path / "root", overwrite=True)
        assert (tmp_path / "root" / "thesis.tex").read_text() == "years"

    def test_a_failure_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*args: object, **kwargs: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("scenelift.render.formats.suncg.write._write_metadata", full)
        with pytest.raises(OSError, match="No space"):
            write_suncg(room_scene(), tmp_path / "root")
        assert list(tmp_path.iterdir()) == []


def test_a_light_without_an_object_to_hang_on_is_a_loss(tmp_path: Path) -> None:
    scene = room_scene()
    lone = replace(
        scene, nodes=scene.nodes[:3], lights=(Light(kind="point", intensity=(1.0, 1.0, 1.0)),)
    )
    written = write_suncg(lone, tmp_path / "root")
    assert any("no object to hang them on" in line for line in written.losses)
    assert read_scene(written.path).lights == ()


def test_the_document_of_the_fake_tree_is_one_that_writers_could_make() -> None:
    """The reader's tests and the writer speak of one format."""
    keys = {key for node in house_document()["levels"][0]["nodes"] for key in node}
    assert {
        "id",
        "type",
        "valid",
        "modelId",
        "transform",
        "materials",
        "bbox",
        "roomTypes",
        "nodeIndices",
    } <= keys


def test_a_scene_that_fits_loses_nothing(tmp_path: Path) -> None:
    scene = room_scene()
    nodes = tuple(replace(node, mesh=solid(name="material_0")) for node in scene.nodes)
    written = write_suncg(replace(scene, nodes=nodes), tmp_path / "root")
    assert written.losses == ()
