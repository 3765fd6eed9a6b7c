import copy
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from suncg_trees import (
    FAR,
    HOUSE_ID,
    house_document,
    image_bytes,
    make_suncg_tree,
    write_house,
    write_model,
)

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats.suncg import build as suncg_build
from scenelift.render.formats.suncg.read import read_scene, recognises
from scenelift.render.formats.suncg.rooms import world_triangles
from scenelift.render.scene import Material, Node, Scene, SceneError

THOROUGH = os.environ.get("SCENELIFT_THOROUGH") == "1"


def named(scene: Scene, name: str) -> Node:
    return next(node for node in scene.nodes if node.name == name)


def triangles(node: Node) -> Any:
    return world_triangles(node.mesh, node.T_world_object)


def volume(corners: Any) -> float:
    corners = corners - corners.mean(axis=(0, 1))
    return float(
        np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    )


def material_of_top(node: Node) -> Material:
    """Material of the triangles whose own normal points along +y of the model."""
    corners = node.mesh.vertices[node.mesh.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    top = int(np.argmax(normal[:, 1]))
    return node.mesh.materials[int(node.mesh.face_materials[top])]


def edited(document: Any, *path: Any, value: Any) -> Any:
    result = copy.deepcopy(document)
    place = result
    for key in path[:-1]:
        place = place[key]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return result


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return make_suncg_tree(tmp_path / "root")


class TestGeometry:
    def test_every_node_fills_the_box_that_the_file_gives_it(self, house: Path) -> None:
        scene = read_scene(house)
        checked = 0
        for level in house_document()["levels"]:
            for entry in level["nodes"]:
                if entry["type"] in ("Object", "Box") and entry["valid"]:
                    points = triangles(named(scene, entry["id"])).reshape(-1, 3)
                    np.testing.assert_allclose(points.min(axis=0), entry["bbox"]["min"], atol=2e-6)
                    np.testing.assert_allclose(points.max(axis=0), entry["bbox"]["max"], atol=2e-6)
                    checked += 1
        assert checked == 8

    def test_transforms_are_written_by_columns(self, house: Path) -> None:
        """A turn and a stretch do not commute: rows for columns would give another matrix."""
        matrix = named(read_scene(house), "0_1").T_world_object
        np.testing.assert_allclose(matrix[:3, 3], np.add(FAR, (1, 0.05, 1)))
        np.testing.assert_allclose(matrix[:3, :3], [[0, 0, 2], [0, 1, 0], [-1, 0, 0]])

    def test_a_transform_written_by_rows_is_refused(self, tmp_path: Path) -> None:
        document = house_document()
        node = document["levels"][0]["nodes"][1]
        node["transform"] = np.reshape(node["transform"], (4, 4)).T.ravel().tolist()
        with pytest.raises(SceneError, match=r"0_1.*column by column"):
            read_scene(make_suncg_tree(tmp_path, document=document))

    def test_room_parts_stay_where_their_files_put_them(self, house: Path) -> None:
        floor = triangles(named(read_scene(house), "0_0 floor")).reshape(-1, 3)
        np.testing.assert_allclose(floor.min(axis=0), (40, 0, 48), atol=1e-6)
        np.testing.assert_allclose(floor.max(axis=0), (45, 0.05, 52), atol=1e-6)

    def test_mirrored_nodes_keep_their_mesh_and_mirror_in_the_transform(self, house: Path) -> None:
        scene = read_scene(house)
        plain, mirrored = named(scene, "0_1"), named(scene, "0_2")
        assert volume(plain.mesh.vertices[plain.mesh.faces]) == pytest.approx(0.8 * 1.0 * 0.6)
        assert volume(triangles(plain)) == pytest.approx(2 * 0.48)
        assert volume(triangles(mirrored)) == pytest.approx(-0.886 * 0.764 * 0.48)

    def test_lengths_are_scaled_to_metres(self, tmp_path: Path) -> None:
        document = house_document() | {"scaleToMeters": 0.01}
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        points = triangles(named(scene, "0_5")).reshape(-1, 3)
        np.testing.assert_allclose(np.ptp(points, axis=0), (0.004, 0.006, 0.008), atol=1e-9)
        np.testing.assert_allclose(scene.rooms[0].outline_xz.min(axis=0), (0.4, 0.48), atol=1e-6)
        assert scene.lights[0].position_world == pytest.approx((0.42, 0.0155, 0.5))

    def test_variants_stand_in_for_the_model(self, house: Path) -> None:
        scene = read_scene(house)
        closed, opened = named(scene, "0_6"), named(scene, "0_7")
        np.testing.assert_allclose(np.ptp(closed.mesh.vertices, axis=0), (0.9, 2.0, 0.2))
        np.testing.assert_allclose(np.ptp(opened.mesh.vertices, axis=0), (0.2, 2.0, 0.9))

    def test_a_missing_variant_becomes_the_model(self, tmp_path: Path) -> None:
        document = edited(house_document(), "levels", 0, "nodes", 1, "state", value=1)
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        np.testing.assert_allclose(np.ptp(named(scene, "0_1").mesh.vertices, axis=0), (0.8, 1, 0.6))
        assert any("first state" in line for line in scene.warnings)

    def test_boxes_have_their_materials_in_the_order_of_the_format(self, house: Path) -> None:
        node = named(read_scene(house), "0_5")
        corners = triangles(node)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        order = [(0, 1, 0), (0, -1, 0), (-1, 0, 0), (1, 0, 0), (0, 0, 1), (0, 0, -1)]
        for face, material in zip(normal, node.mesh.face_materials, strict=True):
            np.testing.assert_allclose(face, order[material], atol=1e-9)
        reds = [round(255 * _display(m.base_color[0])) for m in node.mesh.materials]
        assert reds == [0, 40, 80, 120, 160, 200]

    def test_textures_repeat_every_metre_on_boxes(self, house: Path) -> None:
        mesh = named(read_scene(house), "0_5").mesh
        assert mesh.corner_uvs is not None
        corners = mesh.vertices[mesh.faces]
        for edge in ((0, 1), (1, 2), (2, 0)):
            metres = np.linalg.norm(corners[:, edge[1]] - corners[:, edge[0]], axis=1)
            across = np.linalg.norm(
                mesh.corner_uvs[:, edge[1]] - mesh.corner_uvs[:, edge[0]], axis=1
            )
            np.testing.assert_allclose(across, metres)
        a, b = (
            mesh.corner_uvs[:, 1] - mesh.corner_uvs[:, 0],
            mesh.corner_uvs[:, 2] - mesh.corner_uvs[:, 0],
        )
        assert (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] > 0).all(), "a texture is seen mirrored"


def _display(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


class TestContent:
    def test_classes_come_from_the_table(self, house: Path) -> None:
        scene = read_scene(house)
        found = {node.name: (node.category, node.semantic) for node in scene.nodes}
        assert found["0_1"] == ("armchair", nyu40_id("chair"))
        assert found["0_3"] == ("floor_lamp", nyu40_id("lamp"))
        assert found["1_1"] == ("night stand", nyu40_id("night_stand"))
        assert found["0_5"] == ("box", 0)
        assert found["0_9"] == ("ground", nyu40_id("floor"))
        assert found["0_0 wall"] == ("wall", nyu40_id("wall"))
        assert found["0_0 ceiling"] == ("ceiling", nyu40_id("ceiling"))

    def test_nodes_that_are_not_valid_or_hidden_are_absent(self, house: Path) -> None:
        names = [node.name for node in read_scene(house).nodes]
        assert "0_8" not in names
        assert "1_0 floor" in names
        assert "1_0 ceiling" not in names

    @pytest.mark.parametrize("yes", [1, True, "1", "true", 1.0])
    @pytest.mark.parametrize("no", [0, False, "0", "false"])
    def test_flags_come_in_every_spelling(self, tmp_path: Path, yes: Any, no: Any) -> None:
        document = edited(house_document(), "levels", 0, "nodes", 0, "hideWalls", value=yes)
        document = edited(document, "levels", 0, "nodes", 0, "hideFloor", value=no)
        document = edited(document, "levels", 0, "nodes", 1, "valid", value=no)
        names = [
            node.name for node in read_scene(make_suncg_tree(tmp_path, document=document)).nodes
        ]
        assert "0_0 wall" not in names
        assert "0_0 floor" in names
        assert "0_1" not in names

    def test_rooms(self, house: Path) -> None:
        first, second = read_scene(house).rooms
        assert (first.name, first.kind, second.kind) == ("0_0", "living room", "bedroom")
        assert (first.floor_y_m, first.ceiling_y_m) == pytest.approx((0.05, 2.7))
        assert (second.floor_y_m, second.ceiling_y_m) == pytest.approx((2.85, 5.5))
        assert sorted(map(tuple, first.outline_xz.round(6).tolist())) == [
            (40, 48),
            (40, 52),
            (45, 48),
            (45, 52),
        ]

    def test_objects_lie_in_the_room_that_names_their_position(self, house: Path) -> None:
        rooms = {node.name: node.room for node in read_scene(house).nodes}
        assert [rooms[f"0_{k}"] for k in (1, 2, 3, 4, 5, 6)] == [0, 0, 0, 0, 0, None]
        assert (rooms["1_1"], rooms["0_0 wall"], rooms["1_0 floor"]) == (1, 0, 1)

    def test_equal_models_share_one_mesh(self, tmp_path: Path) -> None:
        document = house_document()
        nodes = document["levels"][0]["nodes"]
        nodes += [dict(nodes[1], id=f"0_{10 + k}") for k in range(50)]
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        chairs = [node for node in scene.nodes if node.category == "armchair"]
        assert len(chairs) == 52
        assert len({id(node.mesh) for node in chairs}) == 2
        assert len({id(node.mesh.vertices) for node in chairs}) == 1

    def test_equal_ids_get_names_of_their_own(self, tmp_path: Path) -> None:
        document = house_document()
        nodes = document["levels"][0]["nodes"]
        nodes += [copy.deepcopy(nodes[1]), copy.deepcopy(nodes[1]), dict(nodes[1], id="0_1#2")]
        names = [
            node.name for node in read_scene(make_suncg_tree(tmp_path, document=document)).nodes
        ]
        assert len(set(names)) == len(names)
        assert {"0_1", "0_1#2", "0_1#3"} <= set(names)

    def test_windows_are_portals(self, house: Path) -> None:
        portals = read_scene(house).portals_world
        assert portals is not None
        assert portals.shape == (1, 4, 3)
        np.testing.assert_allclose(portals[0].min(axis=0), (41.9, 1.0, 52.0))
        np.testing.assert_allclose(portals[0].max(axis=0), (43.1, 2.3, 52.0))

    def test_the_same_file_gives_the_same_scene(self, house: Path) -> None:
        first, second = read_scene(house, seed=1), read_scene(house, seed=2)
        assert first.warnings == second.warnings == ()
        for a, b in zip(first.nodes, second.nodes, strict=True):
            assert (a.name, a.semantic, a.mesh.vertices.tobytes()) == (
                b.name,
                b.semantic,
                b.mesh.vertices.tobytes(),
            )


class TestMaterials:
    def test_colours_are_display_values(self, house: Path) -> None:
        chair = named(read_scene(house), "0_1").mesh.materials[0]
        assert chair.base_color == pytest.approx((0.2140, 0.0509, 0.0143), abs=1e-4)

    def test_a_texture_is_found_above_the_models_folder_and_multiplied(self, house: Path) -> None:
        scene = read_scene(house)
        wall = named(scene, "0_0 wall").mesh.materials[0]
        assert wall.texture is not None
        assert (wall.texture.pixels == 255).all()
        assert wall.base_color == pytest.approx((0.7874, 0.0116, 0.0835), abs=1e-4)
        assert material_of_top(named(scene, "0_1")).texture is not None

    def test_overrides_count_by_position(self, house: Path) -> None:
        materials = named(read_scene(house), "0_2").mesh.materials
        assert (materials[0].base_color, materials[0].texture) == ((1.0, 0.0, 0.0), None)
        assert materials[1].texture is not None
        assert materials[1].texture.pixels[0, 0].tolist() == [10, 200, 30, 255]
        assert materials[1].base_color == pytest.approx((0.2159,) * 3, abs=1e-4)

    @pytest.mark.parametrize("count", [0, 1, 3, 40])
    def test_overrides_may_be_fewer_or_more_than_materials(
        self, tmp_path: Path, count: int
    ) -> None:
        overrides = [{"name": f"color_{k}", "diffuse": "#00ff00"} for k in range(count)]
        document = edited(house_document(), "levels", 0, "nodes", 1, "materials", value=overrides)
        node = named(read_scene(make_suncg_tree(tmp_path, document=document)), "0_1")
        green = [material.base_color == (0.0, 1.0, 0.0) for material in node.mesh.materials]
        assert green == [count > 0, count > 1]

    def test_an_override_without_content_changes_nothing(self, tmp_path: Path) -> None:
        document = edited(
            house_document(), "levels", 0, "nodes", 1, "materials", value=[{"name": "a"}, {}]
        )
        node = named(read_scene(make_suncg_tree(tmp_path, document=document)), "0_1")
        assert node.mesh.materials[0].base_color == pytest.approx(
            (0.2140, 0.0509, 0.0143), abs=1e-4
        )
        assert node.mesh.materials[1].texture is not None

    def test_a_texture_may_lie_in_a_sub_folder(self, tmp_path: Path) -> None:
        overrides = [{"texture": "ut/ab/cd"}]
        document = edited(house_document(), "levels", 0, "nodes", 1, "materials", value=overrides)
        node = named(read_scene(make_suncg_tree(tmp_path, document=document)), "0_1")
        assert node.mesh.materials[0].texture is not None
        assert node.mesh.materials[0].texture.pixels[0, 0].tolist() == [1, 2, 3, 255]

    def test_dissolve_is_glass(self, house: Path) -> None:
        pane = named(read_scene(house), "0_4").mesh.materials[0]
        assert pane.is_glass
        assert pane.transmission == pytest.approx(0.8)

    def test_black_beside_a_texture_means_white(self, tmp_path: Path) -> None:
        path = make_suncg_tree(tmp_path)
        library = tmp_path / "object" / "10" / "10.mtl"
        library.write_text(library.read_text().replace("Kd 0.8 0.8 0.8", "Kd 0 0 0"))
        assert material_of_top(named(read_scene(path), "0_1")).base_color == (1.0, 1.0, 1.0)


class TestLights:
    def test_lights_follow_their_lamps(self, house: Path) -> None:
        point, spot, line = read_scene(house).lights
        assert point.position_world == pytest.approx((42, 1.55, 50))
        assert point.intensity == pytest.approx((60 / (4 * np.pi),) * 3)
        assert spot.direction_world == pytest.approx((0, -1, 0))
        assert spot.intensity == pytest.approx((30 / np.pi, 0, 0))
        assert spot.cone_rad == pytest.approx(np.pi / 3)
        assert line.position_world == pytest.approx((42, 1.05, 50))
        assert line.end_world == pytest.approx((42, 2.05, 50))
        assert line.intensity == pytest.approx((30 / (4 * np.pi),) * 3)
        assert {light.room for light in (point, spot, line)} == {0}

    def test_lamps_shine_without_a_table(self, tmp_path: Path) -> None:
        scene = read_scene(make_suncg_tree(tmp_path, lights=False))
        (light,) = scene.lights
        low, high = (
            triangles(named(scene, "0_3")).reshape(-1, 3).min(0),
            triangles(named(scene, "0_3")).reshape(-1, 3).max(0),
        )
        assert not ((low <= light.position_world) & (light.position_world <= high)).all(), (
            "the shade swallows it"
        )

    @pytest.mark.parametrize("lights", [True, False])
    def test_bulbs_glow(self, tmp_path: Path, lights: bool) -> None:
        """Surfaces of area A and radiance L emit pi A L watts; together those of the table, else 60 W."""
        path = make_suncg_tree(tmp_path, lights=lights)
        table = tmp_path / "metadata" / "light_geometry_compact.txt"
        table.write_text("20 1 material_1 1 material_0\n7 0 0\n")
        scene = read_scene(path)
        shade, bulb = named(scene, "0_3").mesh.materials
        assert max(bulb.emission) == pytest.approx(5 * max(shade.emission))
        top, rest = 0.3 * 0.3, 0.3 * 0.3 + 4 * 0.3 * 1.6
        power = np.pi * (top * max(bulb.emission) + rest * max(shade.emission))
        assert power == pytest.approx(120 if lights else 60)
        assert scene.lights == ()
        others = [
            material
            for node in scene.nodes
            if node.name != "0_3"
            for material in node.mesh.materials
        ]
        assert all(max(material.emission) == 0 for material in others)


class TestDataRoot:
    def test_symbolic_links_lead_to_the_house(self, tmp_path: Path) -> None:
        house = make_suncg_tree(tmp_path / "root")
        (tmp_path / "shortcut").symlink_to(house.parent)
        (tmp_path / "file.json").symlink_to(house)
        for path in (tmp_path / "shortcut" / "house.json", tmp_path / "file.json"):
            assert len(read_scene(path).nodes) == 14

    def test_a_house_folder_that_is_a_link_finds_the_root_as_written(self, tmp_path: Path) -> None:
        house = make_suncg_tree(tmp_path / "root")
        away = tmp_path / "elsewhere"
        house.parent.rename(away)
        house.parent.symlink_to(away)
        assert len(read_scene(house).nodes) == 14

    def test_relative_paths(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        house = make_suncg_tree(tmp_path / "root")
        monkeypatch.chdir(house.parent)
        assert len(read_scene(Path("house.json")).nodes) == 14

    def test_a_root_of_choice(self, tmp_path: Path) -> None:
        house = make_suncg_tree(tmp_path / "root")
        moved = tmp_path / "house.json"
        house.rename(moved)
        assert len(read_scene(moved, data_root=tmp_path / "root").nodes) == 14


class TestFaults:
    """Each is one line that names file and cause, or a counted warning."""

    @pytest.mark.parametrize(
        ("path", "value", "says"),
        [
            (("levels",), KeyError, "'levels' is missing"),
            (("levels",), {}, "'levels'"),
            (("scaleToMeters",), 0, "scaleToMeters"),
            (("scaleToMeters",), "1", "scaleToMeters"),
            (("levels", 0), 7, r"levels\[0\]"),
            (("levels", 0, "nodes"), 7, "'nodes' must be a list"),
            (("levels", 0, "nodes", 1), None, r"nodes\[1\].*object"),
            (("levels", 0, "nodes", 1, "type"), KeyError, r"nodes\[1\].*'type' is missing"),
            (("levels", 0, "nodes", 1, "id"), KeyError, r"nodes\[1\].*'id' is missing"),
            (("levels", 0, "nodes", 1, "modelId"), KeyError, "0_1.*'modelId' is missing"),
            (("levels", 0, "nodes", 1, "modelId"), [], "0_1.*'modelId' must be a string"),
            (("levels", 0, "nodes", 1, "transform"), [1] * 15, "0_1.*16 numbers"),
            (("levels", 0, "nodes", 1, "transform"), [1] * 15 + ["1"], "0_1.*'1'"),
            (("levels", 0, "nodes", 1, "transform", 12), 1e300, "0_1.*1e"),
            (("levels", 0, "nodes", 1, "valid"), "perhaps", "'valid' must be 0 or 1"),
            (("levels", 0, "nodes", 1, "materials"), {"0": 1}, "'materials' must be a list"),
            (("levels", 0, "nodes", 5, "dimensions"), [1, 2], "0_5.*3 numbers"),
            (("levels", 0, "nodes", 5, "dimensions"), [1, -2, 1], "0_5.*negative"),
            (("levels", 0, "nodes", 0, "nodeIndices"), ["1"], "nodeIndices"),
        ],
    )
    def test_a_malformed_house(self, tmp_path: Path, path: Any, value: Any, says: str) -> None:
        house = make_suncg_tree(tmp_path, document=edited(house_document(), *path, value=value))
        with pytest.raises(SceneError, match=says) as caught:
            read_scene(house)
        assert str(house) in str(caught.value)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
    def test_numbers_that_are_none(self, house: Path, number: str) -> None:
        house.write_text(house.read_text().replace("41.0", number, 1))
        with pytest.raises(SceneError, match=r"house\.json"):
            read_scene(house)

    def test_cut_off(self, house: Path) -> None:
        whole = house.read_bytes()
        for length in (0, 1, len(whole) // 2, len(whole) - 1):
            house.write_bytes(whole[:length])
            with pytest.raises(SceneError, match=r"house\.json"):
                read_scene(house)

    def test_a_singular_transform_costs_the_node(self, tmp_path: Path) -> None:
        document = house_document()
        transform = document["levels"][0]["nodes"][1]["transform"]
        transform[0:3] = [0, 0, 0]
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        assert "0_1" not in [node.name for node in scene.nodes]
        assert scene.warnings == ("nodes with a singular transform are left out: 1 (0_1)",)

    def test_missing_models_are_counted(self, tmp_path: Path) -> None:
        document = house_document()
        nodes = document["levels"][0]["nodes"]
        nodes += [dict(nodes[1], id="0_10", modelId="77"), dict(nodes[1], id="0_11", modelId="78")]
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        assert len(scene.nodes) == 14
        assert len(scene.warnings) == 1
        assert scene.warnings[0].startswith("models are missing: 2 (")

    def test_nothing_left(self, tmp_path: Path) -> None:
        document = house_document()
        document["levels"] = [
            {"id": "0", "nodes": [document["levels"][0]["nodes"][1] | {"modelId": "77"}]}
        ]
        with pytest.raises(SceneError, match=r"house.json: nothing is left.*77"):
            read_scene(make_suncg_tree(tmp_path, document=document))

    def test_missing_textures_are_counted(self, house: Path) -> None:
        for name in ("wood_1.jpg", "wood_2.png"):
            (house.parents[2] / "texture" / name).unlink()
        scene = read_scene(house)
        assert any(line.startswith("textures are missing: ") for line in scene.warnings)
        assert material_of_top(named(scene, "0_1")).texture is None

    def test_damaged_textures_are_counted(self, house: Path) -> None:
        (house.parents[2] / "texture" / "wood_1.jpg").write_bytes(
            image_bytes((1, 2, 3), form="JPEG")[:40]
        )
        assert any("damaged textures" in line for line in read_scene(house).warnings)

    @pytest.mark.parametrize("name", ["../../secret", "ut/../../../secret", "..\\..\\secret"])
    def test_a_texture_out_of_the_root_is_refused(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "secret.png").write_bytes(image_bytes((1, 2, 3), form="PNG"))
        document = edited(
            house_document(), "levels", 0, "nodes", 1, "materials", value=[{"texture": name}]
        )
        house = make_suncg_tree(tmp_path / "a" / "root", document=document)
        with pytest.raises(SceneError, match="out of the data root"):
            read_scene(house)

    def test_a_models_texture_out_of_the_root_is_refused(self, house: Path) -> None:
        library = house.parents[2] / "object" / "10" / "10.mtl"
        library.write_text("newmtl material_1\nmap_Kd ../../../../secret.png\n")
        with pytest.raises(SceneError, match="out of the data root"):
            read_scene(house)

    def test_a_model_out_of_the_root_is_refused(self, tmp_path: Path) -> None:
        document = edited(house_document(), "levels", 0, "nodes", 1, "modelId", value="../../../x")
        with pytest.raises(SceneError, match="out of the data root"):
            read_scene(make_suncg_tree(tmp_path / "root", document=document))

    def test_an_unknown_type_is_counted(self, tmp_path: Path) -> None:
        document = house_document()
        document["levels"][0]["nodes"].append({"id": "0_10", "type": "Portal", "valid": 1})
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        assert scene.warnings == ("nodes of the unknown type 'Portal' are left out: 1 (0_10)",)

    def test_a_flag_that_contradicts_the_transform(self, tmp_path: Path) -> None:
        document = edited(house_document(), "levels", 0, "nodes", 1, "isMirrored", value=1)
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        assert np.linalg.det(named(scene, "0_1").T_world_object) > 0
        assert "contradicts" in scene.warnings[0]

    def test_a_missing_table_of_classes(self, tmp_path: Path) -> None:
        scene = read_scene(make_suncg_tree(tmp_path, classes=False))
        assert named(scene, "0_1").semantic == 0
        assert "ModelCategoryMapping.csv" in scene.warnings[0]

    def test_rooms_without_meshes_and_empty_meshes(self, house: Path) -> None:
        folder = house.parents[2] / "room" / HOUSE_ID
        for name in ("fr_1rm_0f.obj", "fr_1rm_0w.obj", "fr_1rm_0c.obj"):
            (folder / name).unlink()
        (folder / "fr_0rm_0w.obj").write_text("# nothing\nv 0 0 0\n")
        scene = read_scene(house)
        assert [room.name for room in scene.rooms] == ["0_0"]
        assert named(scene, "1_1").room is None
        assert any("rooms have no meshes: 1 (1_0)" in line for line in scene.warnings)
        assert any("without a face" in line for line in scene.warnings)

    def test_a_damaged_model(self, house: Path) -> None:
        model = house.parents[2] / "object" / "10" / "10.obj"
        model.write_text(model.read_text().replace("v -0.400000", "v nan", 1))
        with pytest.raises(SceneError, match=r"10\.obj"):
            read_scene(house)

    @pytest.mark.parametrize(
        "count", [pytest.param(65_536, marks=[] if THOROUGH else pytest.mark.skip), 1001]
    )
    def test_too_many_instances(
        self, tmp_path: Path, count: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if count < 65_536:
            monkeypatch.setattr(suncg_build, "MAX_INSTANCES", count - 1)
        write_model(tmp_path, "10", size=(1, 1, 1))
        node = {"id": "0", "type": "Object", "modelId": "10"}
        document = {"id": "a", "levels": [{"id": "0", "nodes": [node] * count}]}
        house = write_house(tmp_path, document)
        with pytest.raises(SceneError, match=f"more than {count - 1} instances"):
            read_scene(house)

    def test_a_vertex_beyond_all_measure(self, house: Path) -> None:
        model = house.parents[2] / "object" / "10" / "10.obj"
        model.write_text(model.read_text().replace("v -0.400000", "v 1e8", 1))
        with pytest.raises(SceneError, match=r"10\.obj: has a vertex"):
            read_scene(house)

    def test_too_many_levels(self, tmp_path: Path) -> None:
        house = write_house(tmp_path, {"id": "a", "levels": [{"nodes": []}] * 50_000})
        with pytest.raises(SceneError, match="levels"):
            read_scene(house, data_root=tmp_path)

    def test_a_house_that_names_itself_does_no_harm(self, tmp_path: Path) -> None:
        """Rooms list positions, which may lie in a circle."""
        document = house_document()
        document["levels"][0]["nodes"][0]["nodeIndices"] = [0, 1, 1, -1, 99]
        scene = read_scene(make_suncg_tree(tmp_path, document=document))
        assert named(scene, "0_1").room == 0
        assert any("objects that do not exist: 2" in line for line in scene.warnings)


def test_recognises_houses_by_their_content(house: Path) -> None:
    document = house_document()
    assert recognises(json.dumps(document).encode()[:200])
    assert recognises(json.dumps(document, indent=2).encode()[:200])
    assert recognises(b"\xef\xbb\xbf \n" + json.dumps(document).encode())
    assert not recognises(b"")
    assert not recognises(b"glTF\x02\x00\x00\x00")
    assert not recognises(b'{"asset": {"version": "2.0"}, "levels": 3}')
    assert not recognises(b'[{"version": "suncg@1.0.0"}]')
