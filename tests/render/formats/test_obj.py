"""OBJ and MTL: closed forms, equivalent spellings, and faults that name their line."""

import numpy as np
import pytest

from scenelift.render.formats.mtl import MtlMaterial, material_from_mtl, parse_mtl
from scenelift.render.formats.obj import mesh_from_obj, obj_to_meshes, parse_obj
from scenelift.render.scene import SceneError, Texture

SQUARE = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\n"


@pytest.mark.parametrize(
    "text",
    [
        SQUARE + b"f 1 2 3 4\n",
        SQUARE + b"f -4 -3 -2 -1",
        SQUARE.replace(b"\n", b"\r\n") + b"f 1 2 \\\r\n3 4\r\n",
        b"# head\n\n  " + SQUARE.replace(b" ", b"\t") + b"\tf  1// 2 3/ 4 # end\nl 1 2\n",
        SQUARE.replace(b"\n", b" 0.5 0.5 0.5\n") + b"g a b\nf 1 2 3 4\n",
    ],
)
def test_spellings_of_one_square(text: bytes) -> None:
    obj = parse_obj(text, name="square.obj")
    assert obj.faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert obj.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"v 1 2\nf 1 1 1", "line 1: 2 numbers"),
        (b"v 1 2 3\nv 1 2 x\nf 1 1 1", "line 2: 'x' is not a number"),
        (b"v 1 2 nan\nf 1 1 1", "line 1: NaN"),
        (b"v 1 2 3\n\nf 1 1 \\\n 2", "line 3: a face names vertex 2"),
        (b"v 1 2 3\r\n\r\nf 0 1 1", "line 3: a face names vertex 0"),
        (b"v 1 2 3\nf -1 -1 -2", "line 2: a face names vertex -2"),
        (b"v 1 2 3\nf 1/1 1/1 1/1", "line 2: a face names texture coordinate 1"),
        (b"v 1 2 3\nf 1//0 1 1", "line 2: a face names normal 0"),
        (b"v 0 0 0\nf 9999999999999999999999 1 1", "line 2"),
        (b"v 0 0 0\nf 1 1", "no face has three corners"),
        (b"v 0 0 0\n", "no faces"),
        (b"", "empty"),
        (b"glTF\0\0\0", "not an OBJ file"),
    ],
)
def test_faults_name_their_line(text: bytes, fault: str) -> None:
    with pytest.raises(SceneError, match=f"bad.obj: .*{fault}"):
        parse_obj(text, name="bad.obj")


def test_objects_materials_and_corners() -> None:
    text = (
        SQUARE
        + b"vt 0 0\nvt 1 0\nvt 1 1\nvn 0 0 2\nmtllib a b.mtl\no one\nusemtl red\nf 1/1 2/2 3/3\n"
        b"o two\nf 1//1 3//1 4//1\nusemtl blue\nf 1 2 4\n"
    )
    obj = parse_obj(text, name="x.obj")
    assert obj.object_names == ("", "one", "two")
    assert obj.face_objects.tolist() == [1, 2, 2]
    assert obj.material_names == ("", "red", "blue")
    assert obj.face_materials.tolist() == [1, 1, 2]
    assert obj.mtllibs == ("a b.mtl",)
    assert obj.corner_uvs is not None
    assert obj.corner_uvs[0].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert obj.corner_uvs[1].tolist() == [[0, 0]] * 3
    assert obj.corner_normals is not None
    np.testing.assert_allclose(obj.corner_normals, np.broadcast_to([0, 0, 1.0], (3, 3, 3)))
    meshes = dict(obj_to_meshes(obj, materials={}))
    assert list(meshes) == ["one", "two"]
    assert len(meshes["one"].vertices) == 3
    assert [material.name for material in meshes["two"].materials] == ["red", "blue"]
    whole = mesh_from_obj(obj, materials={})
    np.testing.assert_array_equal(whole.vertices[whole.faces], obj.vertices[obj.faces])


def test_mtl_in_order_with_stripped_options() -> None:
    text = (
        b"newmtl b\nKd 1 0 0\nd 0.25\nmap_Kd -s 2 2 1 -o 0.5 ../tex dir//a b.png\n"
        b"newmtl a\nTr 0.1\nNs 96\nKs 0.5 0.5 0.5\nillum 2\n"
    )
    first, second = parse_mtl(text, name="x.mtl")
    assert (first.name, first.map_Kd, first.d) == ("b", "../tex dir//a b.png", 0.25)
    assert second.d == pytest.approx(0.9)


def test_black_kd_under_a_texture_means_white() -> None:
    image = Texture(pixels=np.full((1, 1, 4), 255, np.uint8))
    black = MtlMaterial(name="a", Kd=(0.0, 0.0, 0.0), map_Kd="x.png")
    assert material_from_mtl(black, texture=lambda _: image).base_color == (1, 1, 1)
    assert material_from_mtl(black, texture=lambda _: None).base_color == (0, 0, 0)
    dark = MtlMaterial(name="a", Kd=(0.9, 0.1, 0.3), map_Kd="x.png")
    assert material_from_mtl(dark, texture=lambda _: image).base_color == (0.9, 0.1, 0.3)


def test_dissolve_is_glass() -> None:
    glass = material_from_mtl(MtlMaterial(name="g", d=0.2), texture=lambda _: None)
    assert glass.transmission == pytest.approx(0.8)
    assert glass.is_glass
    assert glass.opacity == 1.0
