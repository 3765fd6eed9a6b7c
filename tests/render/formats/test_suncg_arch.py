import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from suncg_trees import FAR, HOUSE_ID, arch_document, house_document, make_suncg_tree

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats.suncg.read import read_scene
from scenelift.render.formats.suncg.rooms import world_triangles
from scenelift.render.formats.suncg.wall_mesh import wall_mesh
from scenelift.render.scene import Material, Mesh, SceneError

THREE = (Material(name="inside"), Material(name="outside"), Material(name="edge"))


def volume(corners: Any) -> float:
    corners = corners - corners[:1, :1]
    return float(
        np.einsum("fi,fi->f", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    )


def areas(mesh: Mesh) -> Any:
    corners = mesh.vertices[mesh.faces]
    return (
        np.linalg.norm(
            np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
        )
        / 2
    )


def wall(holes: Any, *, length: float = 4.0, height: float = 2.5, overhang: float = 0.0) -> Mesh:
    boxes = np.array(holes, dtype=np.float64).reshape(-1, 2, 2)
    return wall_mesh(
        length=length, height=height, depth=0.2, holes=boxes, overhang=overhang, materials=THREE
    )


def turned(point: Any) -> list[float]:
    """A point in metres, y up, as centimetres, z up."""
    return [100 * point[0], -100 * point[2], 100 * point[1]]


def covered(holes: Any, *, length: float = 4.0, height: float = 2.5) -> float:
    """Area of a union of boxes within the wall, by counting cells of 1/8 m."""
    x, y = np.meshgrid((np.arange(length * 8) + 0.5) / 8, (np.arange(height * 8) + 0.5) / 8)
    empty = np.zeros(x.shape, dtype=bool)
    for low, high in holes:
        empty |= (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
    return float(empty.sum() / 64)


def box() -> st.SearchStrategy[list[list[float]]]:
    """Corners on a grid of 1/8 m, also beyond the wall's edge."""
    eighths = st.integers(-4, 40)
    return st.tuples(eighths, eighths, eighths, eighths).map(
        lambda e: [
            [min(e[0], e[1]) / 8, min(e[2], e[3]) / 8],
            [max(e[0], e[1]) / 8, max(e[2], e[3]) / 8],
        ]
    )


class TestWall:
    @given(holes=st.lists(box(), max_size=5))
    def test_holes_take_away_their_union(self, holes: Any) -> None:
        """Overlapping, touching, empty ones and those at the edge included."""
        mesh = wall(holes)
        solid = 4.0 * 2.5 - covered(holes)
        assert areas(mesh)[mesh.face_materials == 0].sum() == pytest.approx(solid)
        assert areas(mesh)[mesh.face_materials == 1].sum() == pytest.approx(solid)
        assert volume(mesh.vertices[mesh.faces]) == pytest.approx(0.2 * solid), (
            "not closed, or not outwards"
        )

    def test_an_opening_is_open(self) -> None:
        mesh = wall([[[1, 0.5], [2, 1.5]]])
        corners = mesh.vertices[mesh.faces]
        middle = corners.mean(axis=1)
        face = mesh.face_materials < 2
        inside = (
            (middle[:, 0] > 1) & (middle[:, 0] < 2) & (middle[:, 1] > 0.5) & (middle[:, 1] < 1.5)
        )
        assert not (face & inside).any()

    def test_the_inside_looks_along_z(self) -> None:
        mesh = wall([])
        corners = mesh.vertices[mesh.faces]
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (normal[mesh.face_materials == 0][:, 2] > 0).all()
        assert (normal[mesh.face_materials == 1][:, 2] < 0).all()
        np.testing.assert_allclose(corners[mesh.face_materials == 0][..., 2], 0.1)

    def test_textures_are_in_metres(self) -> None:
        mesh = wall([[[1, 0.5], [2, 1.5]]])
        assert mesh.corner_uvs is not None
        a, b = (mesh.corner_uvs[:, k] - mesh.corner_uvs[:, 0] for k in (1, 2))
        signed = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
        np.testing.assert_allclose(
            signed[mesh.face_materials < 2], areas(mesh)[mesh.face_materials < 2]
        )

    def test_ends_reach_over(self) -> None:
        mesh = wall([], overhang=0.08)
        assert (mesh.vertices[:, 0].min(), mesh.vertices[:, 0].max()) == pytest.approx(
            (-0.08, 4.08)
        )


class TestAlone:
    def read(self, tmp_path: Path, document: Any) -> Any:
        make_suncg_tree(tmp_path)
        path = tmp_path / "arch.json"
        path.write_text(json.dumps(document))
        return read_scene(path, data_root=tmp_path)

    def test_elements_are_nodes(self, tmp_path: Path) -> None:
        scene = self.read(tmp_path, arch_document())
        assert [node.name for node in scene.nodes] == [
            "0_0_0",
            "0_0_1",
            "0_0_2",
            "0_0_3",
            "0_0c",
            "0_0f",
        ]
        assert [node.semantic for node in scene.nodes] == [1, 1, 1, 1, 22, 2]
        assert all(node.room == 0 for node in scene.nodes)
        assert scene.name == HOUSE_ID

    def test_walls_stand_where_their_points_are(self, tmp_path: Path) -> None:
        scene = self.read(tmp_path, arch_document())
        inside = np.concatenate(
            [
                node.mesh.vertices[node.mesh.faces[node.mesh.face_materials == 0]]
                for node in scene.nodes[:4]
            ]
        )
        np.testing.assert_allclose(inside.min(axis=(0, 1)), (40 - 0.04, 0, 48 - 0.04), atol=1e-9)
        middle = np.add(FAR, (2.5, 1.3, 2))
        corners = inside - middle
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (np.einsum("fi,fi->f", normal, corners.mean(axis=1)) < 0).all(), (
            "insides must face the room"
        )
        wall = scene.nodes[0].mesh
        solid = (5 + 0.08) * 2.735 - 0.9 * 2.0 - 1.2 * 1.3
        assert volume(wall.vertices[wall.faces]) == pytest.approx(0.1 * solid)
        assert [m.base_color for m in wall.materials[:2]] == [(1, 0, 0), (0, 1, 0)]
        assert wall.materials[0].texture is not None

    def test_slabs_and_the_room_between(self, tmp_path: Path) -> None:
        scene = self.read(tmp_path, arch_document())
        ceiling, floor = (
            world_triangles(node.mesh, node.T_world_object) for node in scene.nodes[4:]
        )
        assert volume(ceiling) == pytest.approx(5 * 4 * 0.05)
        assert volume(floor) == pytest.approx(5 * 4 * 0.05)
        assert (floor[..., 1].min(), floor[..., 1].max()) == pytest.approx((-0.05, 0))
        assert (ceiling[..., 1].min(), ceiling[..., 1].max()) == pytest.approx((2.7, 2.75))
        (room,) = scene.rooms
        assert (room.floor_y_m, room.ceiling_y_m) == pytest.approx((0, 2.7))
        assert len(room.outline_xz) == 4

    def test_windows_are_portals_and_doors_are_not(self, tmp_path: Path) -> None:
        portals = self.read(tmp_path, arch_document()).portals_world
        np.testing.assert_allclose(portals[0].min(axis=0), (42.0, 0.9, 48.0))
        np.testing.assert_allclose(portals[0].max(axis=0), (43.2, 2.2, 48.0))
        assert len(portals) == 1

    def test_z_up_and_centimetres(self, tmp_path: Path) -> None:
        document = arch_document()
        text = {
            "up": [0, 0, 1],
            "scaleToMeters": 0.01,
            "defaults": {"Wall": {"depth": 10, "extraHeight": 3.5}},
        }
        for element in document["elements"]:
            for key in ("height", "depth"):
                if key in element:
                    element[key] *= 100
            if element["type"] == "Wall":
                element["points"] = [turned(p) for p in element["points"]]
            else:
                element["points"] = [[turned(p) for p in element["points"][0]]]
            if "offset" in element:
                element["offset"] = turned(element["offset"])
            for hole in element.get("holes", []):
                hole["box"] = {key: [100 * x for x in value] for key, value in hole["box"].items()}
        plain, other = self.read(tmp_path, arch_document()), self.read(tmp_path, document | text)
        for a, b in zip(plain.nodes, other.nodes, strict=True):
            np.testing.assert_allclose(a.mesh.vertices, b.mesh.vertices, atol=1e-9)
        np.testing.assert_allclose(plain.portals_world, other.portals_world, atol=1e-9)

    @pytest.mark.parametrize(
        ("key", "value", "says"),
        [
            ("elements", 3, "'elements'"),
            ("scaleToMeters", -1, "scaleToMeters"),
            ("up", [1, 0, 0], "'up'"),
            ("defaults", [1], "'defaults'"),
            ("elements", [{"type": "Wall", "id": "a"}], "'points' is missing"),
            ("elements", [{"type": "Wall", "id": "a", "points": [[0, 0, 0]]}], "2 points"),
            (
                "elements",
                [{"type": "Wall", "id": "a", "points": [[0, 0, 0], [1, 0, 0]], "height": 1e9}],
                "height",
            ),
            ("elements", [{"type": "Floor", "id": "a", "points": [[[0, 0]]]}], "3 numbers"),
            ("elements", [{"type": "Arch", "id": "a"}], "nothing is left"),
            ("elements", [{"type": "Floor", "id": "a", "points": []}], "nothing is left"),
        ],
    )
    def test_faults_are_one_line(self, tmp_path: Path, key: str, value: Any, says: str) -> None:
        with pytest.raises(SceneError, match=says) as caught:
            self.read(tmp_path, arch_document() | {key: value})
        assert "arch.json" in str(caught.value)

    def test_walls_of_holes_end_soon(self, tmp_path: Path) -> None:
        document = arch_document()
        boxes = [
            {
                "id": "h",
                "box": {"min": [k / 100, k / 100], "max": [k / 100 + 0.005, k / 100 + 0.005]},
            }
            for k in range(64)
        ]
        document["elements"] = [dict(document["elements"][0], holes=boxes)] * 20
        with pytest.raises(SceneError, match="too many holes"):
            self.read(tmp_path, document)


class TestBesideAHouse:
    @pytest.mark.parametrize(
        "place", [f"wall/{HOUSE_ID}/{HOUSE_ID}.arch.json", f"house/{HOUSE_ID}/arch.json"]
    )
    def test_it_replaces_room_meshes_that_are_not_there(self, tmp_path: Path, place: str) -> None:
        house = make_suncg_tree(tmp_path)
        (tmp_path / "room").rename(tmp_path / "no_room")
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(arch_document()))
        scene = read_scene(house)
        names = [node.name for node in scene.nodes]
        assert names[:6] == ["0_0_0", "0_0_1", "0_0_2", "0_0_3", "0_0c", "0_0f"]
        assert (scene.rooms[0].kind, len(scene.rooms)) == ("living room", 1)
        assert next(node for node in scene.nodes if node.name == "0_1").room == 0
        assert scene.portals_world is not None
        assert len(scene.portals_world) == 2  # the hole, and the window that stands in it

    def test_room_meshes_come_first(self, tmp_path: Path) -> None:
        house = make_suncg_tree(tmp_path, document=house_document())
        (house.parent / "arch.json").write_text(json.dumps(arch_document()))
        assert "0_0 wall" in [node.name for node in read_scene(house).nodes]


def test_every_element_has_its_class(tmp_path: Path) -> None:
    document = arch_document()
    document["elements"].append(
        {"id": "g", "type": "Ground", "points": [[[0, 0, 0], [9, 0, 0], [0, 0, 9]]]}
    )
    path = tmp_path / "a.arch.json"
    path.write_text(json.dumps(document))
    ground = read_scene(path, data_root=tmp_path).nodes[-1]
    assert (ground.category, ground.semantic, ground.room) == ("ground", nyu40_id("floor"), None)
