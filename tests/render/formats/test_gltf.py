"""glTF: places, surfaces, lights in closed form; and files that lie about themselves."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import scene_files
from scene_files import GlbBuilder

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats import mesh
from scenelift.render.scene import Scene, SceneError

TRIANGLE = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
ONE = np.array([[0, 1, 2]])


def _read(folder: Path, data: bytes, *, name: str = "a.glb") -> Scene:
    (folder / name).write_bytes(data)
    return mesh.read_scene(folder / name, data_root=folder)


def _only(scene: Scene) -> np.ndarray:
    (node,) = scene.nodes
    points = node.mesh.vertices[node.mesh.faces] @ node.T_world_object[:3, :3].T
    return np.asarray(points + node.T_world_object[:3, 3])


def test_the_room_comes_back(tmp_path: Path) -> None:
    scene = _read(tmp_path, scene_files.glb_room())
    assert [node.name for node in scene.nodes] == ["wall", "floor", "ceiling", "chair"]
    assert [node.semantic for node in scene.nodes] == [1, 2, 22, 5]
    for node in scene.nodes:
        vertices, faces = scene_files.room_triangles(node.name)
        points = node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
        np.testing.assert_allclose(points[node.mesh.faces], vertices[faces], atol=1e-6)
        assert node.mesh.corner_normals is None
    (room,) = scene.rooms
    assert (room.floor_y_m, room.ceiling_y_m) == pytest.approx((0, 2.5), abs=1e-5)
    floor = scene.nodes[1].mesh.materials[0]
    assert floor.texture is not None
    assert (floor.texture.pixels[..., 3] == 255).all()
    assert floor.base_color == pytest.approx((0.6, 0.5, 0.4))
    (light,) = scene.lights
    assert light.kind == "spot"
    assert light.intensity == pytest.approx((1, 0.5, 0.25))
    assert light.position_world == pytest.approx((2, 2.4, 1.5))
    assert light.direction_world == pytest.approx((0, 0, -1))
    assert light.cone_rad == pytest.approx(np.pi / 4)
    assert scene.warnings == ()


def test_transforms_chain_in_order(tmp_path: Path) -> None:
    glb = GlbBuilder()
    child = glb.node(root=False, mesh=glb.mesh(TRIANGLE, ONE), scale=[2, 3, -4])
    half = np.sqrt(0.5)
    glb.node(children=[child], rotation=[0, half, 0, half], translation=[10, 0, 0])
    # Scale first, then a quarter turn about y that takes x to -z, then the shift.
    expected = [[10, 0, 0], [10, 0, -2], [10, 3, 0]]
    np.testing.assert_allclose(_only(_read(tmp_path, glb.data()))[0], expected, atol=1e-6)


def test_matrices_are_by_column(tmp_path: Path) -> None:
    glb = GlbBuilder()
    glb.node(mesh=glb.mesh(TRIANGLE, ONE), matrix=[0, 0, -1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 5, 6, 7, 1])
    np.testing.assert_allclose(
        _only(_read(tmp_path, glb.data()))[0], [[5, 6, 7], [5, 6, 6], [5, 7, 7]]
    )


@pytest.mark.parametrize(("mode", "count"), [(4, 2), (5, 4), (6, 4)])
def test_strips_and_fans_keep_their_winding(tmp_path: Path, mode: int, count: int) -> None:
    glb = GlbBuilder()
    angles = np.arange(5) / 5 * 2
    fan = np.stack((np.cos(angles), np.sin(angles), 0 * angles), axis=1)
    strip = np.array([[i // 2, i % 2, 0] for i in range(6)]) * (1, -1, 1)
    points = np.concatenate(([[0, 0, 0]], fan)) if mode == 6 else strip
    if mode == 4:
        points = points[[0, 1, 2, 2, 1, 3]]
    number = glb.mesh(points, np.arange(6).reshape(2, 3))
    primitive = json.loads(json.dumps(glb.document["meshes"]))[number]["primitives"][0]
    glb.document["meshes"] = [{"primitives": [primitive | {"mode": mode}]}]
    glb.node(mesh=number)
    triangles = _only(_read(tmp_path, glb.data()))
    assert len(triangles) == count
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])[:, 2]
    assert (cross > 0).all()


def test_texture_coordinates_turn_upright_and_move(tmp_path: Path) -> None:
    glb = GlbBuilder()
    image = glb.add("images", {"bufferView": glb.view(scene_files.png_bytes())})
    texture = glb.add("textures", {"source": image})
    change = {"offset": [0.25, 0.5], "scale": [2, 4], "rotation": np.pi / 2, "texCoord": 1}
    info = {"index": texture, "extensions": {"KHR_texture_transform": change}}
    material = glb.add("materials", {"pbrMetallicRoughness": {"baseColorTexture": info}})
    uvs = np.array([[0, 0], [1, 0], [0, 1]])
    number = glb.mesh(
        TRIANGLE,
        ONE,
        material=material,
        TEXCOORD_0=glb.accessor((uvs * 7).astype("<f4")),
        TEXCOORD_1=glb.accessor((uvs * 65535).astype("<u2"), normalized=True),
    )
    glb.node(mesh=number)
    (node,) = _read(tmp_path, glb.data()).nodes
    assert node.mesh.corner_uvs is not None
    # The extension's matrix: (u, v) -> (s_u u cos + s_v v sin + o_u, -s_u u sin + s_v v cos + o_v); then v from below.
    expected = [[0.25, 0.5], [0.25, 1 - (-2 + 0.5)], [4.25, 0.5]]
    np.testing.assert_allclose(node.mesh.corner_uvs[0], expected, atol=1e-6)


def test_normals_and_colours_of_the_file(tmp_path: Path) -> None:
    glb = GlbBuilder()
    normals = np.array([[0, 0, 3], [0, 0, 0], [np.nan, 0, 0]])
    colors = np.array([[255, 0, 51, 255]] * 3, "u1")
    number = glb.mesh(
        TRIANGLE,
        ONE,
        NORMAL=glb.accessor(normals.astype("<f4")),
        COLOR_0=glb.accessor(colors, normalized=True),
    )
    glb.node(mesh=number)
    (node,) = _read(tmp_path, glb.data()).nodes
    assert node.mesh.corner_normals is not None
    assert node.mesh.vertex_colors is not None
    np.testing.assert_allclose(node.mesh.corner_normals, np.array([[[0.0, 0, 1]] * 3]))
    np.testing.assert_allclose(node.mesh.vertex_colors, np.array([[1.0, 0, 0.2]] * 3))


def _surface(tmp_path: Path, entry: dict[str, object], *, picture: bytes | None = None) -> Scene:
    glb = GlbBuilder()
    if picture is not None:
        glb.add("textures", {"source": glb.add("images", {"bufferView": glb.view(picture)})})
    glb.node(mesh=glb.mesh(TRIANGLE, ONE, material=glb.add("materials", entry)))
    return _read(tmp_path, glb.data())


def test_surfaces(tmp_path: Path) -> None:
    def material(entry: dict[str, object], *, picture: bytes | None = None):  # type: ignore[no-untyped-def]
        return _surface(tmp_path, entry, picture=picture).nodes[0].mesh.materials[0]

    glass = material(
        {"alphaMode": "BLEND", "pbrMetallicRoughness": {"baseColorFactor": [1, 1, 1, 0.25]}}
    )
    assert (glass.transmission, glass.opacity) == (0.75, 1.0)
    thin = material({"extensions": {"KHR_materials_transmission": {"transmissionFactor": 0.9}}})
    assert thin.is_glass
    lamp = material(
        {
            "emissiveFactor": [1, 0.5, 0],
            "extensions": {"KHR_materials_emissive_strength": {"emissiveStrength": 8}},
        }
    )
    assert lamp.emission == (8, 4, 0)
    rough = material(
        {
            "pbrMetallicRoughness": {
                "metallicRoughnessTexture": {"index": 0},
                "roughnessFactor": 0.5,
            }
        },
        picture=scene_files.png_bytes(value=51),
    )
    assert (rough.roughness, rough.metallic) == pytest.approx((0.1, 0.2))
    assert material({"pbrMetallicRoughness": {}}).metallic == 0.0


@pytest.mark.parametrize(
    ("mode", "extra", "alpha"),
    [
        ("OPAQUE", {}, 255),
        ("MASK", {"alphaCutoff": 0.4}, 255),
        ("MASK", {"alphaCutoff": 0.6}, 0),
        ("BLEND", {}, 128),
    ],
)
def test_alpha_modes(tmp_path: Path, mode: str, extra: dict[str, object], alpha: int) -> None:
    entry = {"alphaMode": mode, "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}, **extra}
    scene = _surface(tmp_path, entry, picture=scene_files.png_bytes(mode="RGBA"))
    texture = scene.nodes[0].mesh.materials[0].texture
    assert texture is not None
    assert (texture.pixels[..., 3] == alpha).all()


def test_a_shell_is_split_by_its_materials(tmp_path: Path) -> None:
    glb = GlbBuilder()
    primitives = []
    for name in ("Wall paint", "Oak floor", "Glass", "Chair"):
        vertices, faces = TRIANGLE, ONE
        number = glb.mesh(vertices, faces, material=glb.add("materials", {"name": name}))
        primitives.append(json.loads(json.dumps(glb.document["meshes"]))[number]["primitives"][0])
    glb.document["meshes"] = [{"name": "house shell", "primitives": primitives}]
    glb.node(mesh=0)
    nodes = _read(tmp_path, glb.data()).nodes
    assert {node.category: node.semantic for node in nodes} == {
        "house shell": 0, "wall": 1, "floor": 2, "window": 9,
    }  # fmt: skip


def test_textures_beside_the_folder_and_data_uris(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "my textures").mkdir()
    (tmp_path / "my textures" / "a.png").write_bytes(scene_files.png_bytes())
    points = TRIANGLE.astype("<f4").tobytes()
    document: dict[str, object] = {
        "asset": {"version": "2.0"},
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "material": 0}]}],
        "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
        "bufferViews": [{"buffer": 0, "byteLength": len(points)}],
        "buffers": [
            {
                "byteLength": len(points),
                "uri": "data:application/octet-stream;base64," + base64.b64encode(points).decode(),
            }
        ],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"uri": "../my%20textures/a.png"}],
    }
    path = tmp_path / "model" / "a.gltf"
    path.write_text(json.dumps(document))
    scene = mesh.read_scene(path, data_root=tmp_path)
    assert scene.nodes[0].mesh.materials[0].texture is not None
    assert scene.warnings == ()
    with pytest.raises(SceneError, match="data root"):
        mesh.read_scene(path, data_root=tmp_path / "model")
    (tmp_path / "my textures" / "a.png").unlink()
    scene = mesh.read_scene(path, data_root=tmp_path)
    assert scene.nodes[0].mesh.materials[0].texture is None
    assert len(scene.warnings) == 1
    document["buffers"] = [{"byteLength": len(points), "uri": "../../points.bin"}]
    path.write_text(json.dumps(document))
    with pytest.raises(SceneError, match="data root"):
        mesh.read_scene(path, data_root=tmp_path)


def _broken(change: str) -> bytes:
    """Make a file with one fault."""
    glb = GlbBuilder()
    glb.node(mesh=glb.mesh(TRIANGLE, ONE), name="chair")
    document = json.loads(json.dumps(glb.document))
    accessors, views = document["accessors"], document["bufferViews"]
    match change:
        case "cycle":
            document["nodes"][0]["children"] = [0]
        case "long cycle":
            document["nodes"] += [{"children": [2]}, {"children": [1]}]
            document["scenes"][0]["nodes"] = [1]
        case "two parents":
            document["nodes"] += [{"children": [0]}]
            document["scenes"][0]["nodes"] = [0, 1]
        case "count":
            accessors[0]["count"] = 1 << 40
        case "zeros":
            accessors[0] = {"componentType": 5126, "count": 1 << 40, "type": "VEC3"}
        case "sparse":
            accessors[0] = {
                "componentType": 5126, "count": 1 << 40, "type": "VEC3", "sparse": {"count": 1},
            }  # fmt: skip
        case "stride":
            views[0]["byteStride"] = 4
        case "view":
            views[0]["byteLength"] = 1 << 30
        case "offset":
            views[0]["byteOffset"] = -4
        case "index":
            document["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = 7
        case "mesh":
            document["nodes"][0]["mesh"] = 3
        case "required":
            document["extensionsRequired"] = ["KHR_draco_mesh_compression"]
        case "version":
            document["asset"]["version"] = "1.0"
        case "singular":
            document["nodes"][0]["scale"] = [1, 0, 1]
        case "far":
            document["nodes"][0]["translation"] = [1e20, 0, 0]
        case "rotation":
            document["nodes"][0]["rotation"] = [0, 0, 0, 0]
        case "empty":
            document["nodes"] = [{}]
        case "light":
            document["nodes"][0]["extensions"] = {"KHR_lights_punctual": {"light": 2}}
    glb.document = document
    return glb.data()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("cycle", r"nodes\[0\] is reached twice"),
        ("long cycle", r"nodes\[1\] is reached twice"),
        ("two parents", r"nodes\[0\] is reached twice"),
        ("count", "1099511627776 elements ends at byte"),
        ("zeros", "no bytes"),
        ("sparse", "no bytes"),
        ("stride", "byteStride is 4"),
        ("view", "cut off"),
        ("offset", "byteOffset is -4"),
        ("index", "POSITION is 7, but there are 2 accessors"),
        ("mesh", "mesh is 3, but there are 1 meshes"),
        ("required", "KHR_draco_mesh_compression, which is not read"),
        ("version", "only 2.x"),
        ("singular", "all transforms are singular"),
        ("far", "its transform is no place"),
        ("rotation", "is no rotation"),
        ("empty", "no triangles"),
        ("light", "names light 2"),
    ],
)
def test_faults_are_named(tmp_path: Path, change: str, fault: str) -> None:
    with pytest.raises(SceneError, match=rf"a(\.glb)?: .*{fault}"):
        _read(tmp_path, _broken(change))


def test_nan_and_wrong_containers(tmp_path: Path) -> None:
    glb = GlbBuilder()
    glb.node(mesh=glb.mesh(TRIANGLE * np.nan, ONE))
    with pytest.raises(SceneError, match="3 of 3 vertices are NaN"):
        _read(tmp_path, glb.data())
    good = scene_files.glb_room()
    for data, fault in (
        (good[:11], "cut off"),
        (good[:-5], "cut off"),
        (good[:4] + b"\1" + good[5:], "GLB version 1"),
        (good[:16] + b"BIN\0" + good[20:], "not JSON"),
        (b"glTF", "cut off"),
    ):
        with pytest.raises(SceneError, match=f"a.glb: .*{fault}"):
            _read(tmp_path, data)


def test_many_accessors_over_the_same_bytes_are_no_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scenelift.render.formats.gltf.file.MAX_DECODED_BYTES", 10_000)
    glb = GlbBuilder()
    glb.node(mesh=glb.mesh(np.tile(TRIANGLE, (200, 1)), ONE))
    with pytest.raises(SceneError, match="decode to more than"):
        _read(tmp_path, glb.data())


def test_sparse_accessors(tmp_path: Path) -> None:
    glb = GlbBuilder()
    index = glb.view(np.array([2], "<u2").tobytes())
    values = glb.view(np.array([[0, 5, 0]], "<f4").tobytes())
    number = glb.mesh(TRIANGLE, ONE)
    document = json.loads(json.dumps(glb.document))
    document["accessors"][0]["sparse"] = {
        "count": 1,
        "indices": {"bufferView": index, "componentType": 5123},
        "values": {"bufferView": values},
    }
    glb.document = document
    glb.node(mesh=number)
    np.testing.assert_allclose(
        _only(_read(tmp_path, glb.data()))[0], [[0, 0, 0], [1, 0, 0], [0, 5, 0]]
    )


def test_too_many_instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glb = GlbBuilder()
    number = glb.mesh(TRIANGLE, ONE)
    glb.document["nodes"] = [{"mesh": number}] * 50
    glb.document["scenes"] = [{"nodes": list(range(50))}]
    monkeypatch.setattr("scenelift.render.formats.gltf.read.MAX_INSTANCES", 49)
    with pytest.raises(SceneError, match=r"a\.glb: 50 instances"):
        _read(tmp_path, glb.data())
    monkeypatch.setattr("scenelift.render.formats.gltf.read.MAX_INSTANCES", 50)
    assert len(_read(tmp_path, glb.data()).nodes) == 50


def test_a_class_may_stand_in_the_mesh_or_the_material(tmp_path: Path) -> None:
    glb = GlbBuilder()
    sofa = glb.add("materials", {"name": "sofa fabric"})
    glb.node(mesh=glb.mesh(TRIANGLE, ONE, name="TableLamp"), name="Cube.001")
    glb.node(mesh=glb.mesh(TRIANGLE, ONE, material=sofa), name="Cube.001")
    nodes = _read(tmp_path, glb.data()).nodes
    assert [node.semantic for node in nodes] == [nyu40_id("lamp"), nyu40_id("sofa")]
    assert [node.name for node in nodes] == ["Cube.001", "Cube.001#2"]
