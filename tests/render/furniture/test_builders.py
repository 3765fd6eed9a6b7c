import hashlib
from typing import TypeAlias

import numpy as np
import pytest
from mesh_facts import clusters, corners_of, cross_products, on_bounding_box, parts

from scenelift.datasets.nyu40 import NYU40_NAMES, nyu40_id
from scenelift.render.furniture.builders import KINDS, Palette, build, make_palette
from scenelift.render.scene import Furniture, Mesh

SIZES_M: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "sofa": ((1.23, 0.59, 0.74), (2.92, 1.04, 1.12)),
    "corner sofa": ((2.0, 0.59, 1.2), (3.3, 1.07, 1.91)),
    "armchair": ((0.56, 0.58, 0.61), (1.22, 1.07, 1.12)),
    "dining chair": ((0.36, 0.71, 0.43), (0.56, 1.12, 0.73)),
    "office chair": ((0.5, 0.77, 0.51), (0.75, 1.41, 0.76)),
    "stool": ((0.26, 0.36, 0.26), (0.44, 0.57, 0.44)),
    "bar stool": ((0.27, 0.57, 0.27), (0.52, 0.89, 0.52)),
    "bench": ((0.79, 0.37, 0.256), (1.65, 0.59, 0.53)),
    "dining table": ((0.78, 0.63, 0.69), (2.33, 0.86, 1.43)),
    "coffee table": ((0.57, 0.3, 0.43), (1.39, 0.53, 1.01)),
    "side table": ((0.32, 0.4, 0.3), (0.58, 0.69, 0.58)),
    "console": ((0.73, 0.65, 0.29), (1.46, 0.96, 0.49)),
    "desk": ((0.97, 0.63, 0.51), (1.87, 0.85, 0.89)),
    "single bed": ((0.86, 0.75, 1.85), (1.28, 1.34, 2.46)),
    "double bed": ((1.3, 0.75, 1.85), (2.13, 1.34, 2.46)),
    "bunk bed": ((0.88, 1.36, 1.85), (1.23, 1.96, 2.36)),
    "cot": ((0.58, 0.71, 1.09), (0.87, 1.06, 1.61)),
    "wardrobe": ((0.82, 1.64, 0.48), (2.33, 2.57, 0.74)),
    "dresser": ((0.68, 0.65, 0.38), (1.67, 1.23, 0.61)),
    "night stand": ((0.35, 0.37, 0.31), (0.6, 0.69, 0.52)),
    "cabinet": ((0.67, 0.63, 0.32), (2.01, 1.78, 0.54)),
    "bookshelf": ((0.53, 1.06, 0.23), (1.31, 2.34, 0.38)),
    "open shelves": ((0.53, 0.97, 0.262), (1.2, 2.12, 0.44)),
    "tv stand": ((0.97, 0.33, 0.33), (2.09, 0.62, 0.56)),
    "floor lamp": ((0.29, 1.24, 0.28), (1.22, 1.96, 0.6)),
    "table lamp": ((0.161, 0.3, 0.15), (0.41, 0.67, 0.36)),
    "ceiling lamp": ((0.29, 0.033, 0.27), (1.27, 0.152, 0.65)),
    "pendant": ((0.211, 0.57, 0.209), (0.62, 1.43, 0.62)),
    "ottoman": ((0.37, 0.32, 0.32), (0.7, 0.49, 0.7)),
    "wall lamp": ((0.142, 0.079, 0.117), (0.38, 0.256, 0.36)),
    "spots": ((0.49, 0.126, 0.064), (1.25, 0.166, 0.127)),
    "chandelier": ((0.37, 0.38, 0.41), (0.88, 0.82, 0.88)),
    "piano": ((1.23, 1.0, 0.49), (1.7, 1.4, 0.69)),
    "shoe rack": ((0.53, 0.4, 0.28), (0.99, 0.74, 0.37)),
    "coat rack": ((0.43, 1.48, 0.43), (0.69, 2.1, 0.55)),
    "high chair": ((0.45, 0.81, 0.53), (0.58, 1.11, 0.67)),
    "toy box": ((0.46, 0.26, 0.3), (0.86, 0.47, 0.47)),
    "kitchen base": ((0.35, 0.79, 0.53), (1.01, 1.01, 0.67)),
    "kitchen island": ((1.29, 0.79, 0.71), (2.49, 1.01, 1.06)),
    "kitchen sink": ((0.53, 0.95, 0.53), (1.01, 1.39, 0.67)),
    "wall cabinet": ((0.35, 0.48, 0.31), (1.01, 0.84, 0.4)),
    "hood": ((0.53, 0.47, 0.4), (0.67, 0.88, 0.56)),
    "stove": ((0.53, 0.79, 0.55), (0.67, 1.03, 0.7)),
    "dishwasher": ((0.53, 0.79, 0.54), (0.67, 1.01, 0.69)),
    "refrigerator": ((0.48, 1.29, 0.55), (0.8, 2.23, 0.8)),
    "washing machine": ((0.53, 0.74, 0.5), (0.67, 0.97, 0.74)),
    "toilet": ((0.35, 0.66, 0.5), (0.49, 1.0, 0.73)),
    "wash basin": ((0.41, 0.78, 0.4), (1.06, 1.22, 0.6)),
    "bathtub": ((1.36, 0.56, 0.62), (2.0, 1.08, 1.06)),
    "shower": ((0.71, 1.72, 0.71), (1.11, 2.27, 1.12)),
    "towel rail": ((0.37, 0.34, 0.079), (0.7, 1.44, 0.101)),
    "bathroom cabinet": ((0.44, 0.57, 0.121), (0.88, 0.89, 0.207)),
    "mirror": ((0.4, 0.45, 0.017), (1.0, 1.51, 0.052)),
    "picture": ((0.223, 0.147, 0.016), (1.19, 1.23, 0.033)),
    "clock": ((0.212, 0.212, 0.035), (0.44, 0.44, 0.045)),
    "rug": ((1.14, 0.008, 0.71), (3.0, 0.021, 2.25)),
    "curtain": ((1.44, 1.8, 0.105), (3.11, 2.84, 0.139)),
    "blinds": ((0.72, 0.59, 0.049), (1.76, 1.62, 0.063)),
    "whiteboard": ((0.71, 0.53, 0.062), (1.75, 1.12, 0.08)),
    "wall shelf": ((0.44, 0.127, 0.158), (1.31, 0.161, 0.29)),
    "radiator": ((0.6, 0.44, 0.08), (1.62, 0.73, 0.114)),
    "photo frame": ((0.097, 0.122, 0.062), (0.22, 0.263, 0.129)),
    "television": ((0.66, 0.43, 0.194), (1.59, 0.97, 0.255)),
    "wall television": ((0.79, 0.45, 0.061), (1.65, 0.93, 0.077)),
    "desktop computer": ((0.15, 0.32, 0.34), (0.244, 0.54, 0.52)),
    "monitor": ((0.41, 0.31, 0.167), (0.75, 0.58, 0.213)),
    "laptop": ((0.255, 0.155, 0.206), (0.41, 0.283, 0.41)),
    "keyboard": ((0.26, 0.018, 0.106), (0.5, 0.024, 0.168)),
    "mouse": ((0.048, 0.03, 0.088), (0.076, 0.049, 0.134)),
    "phone": ((0.058, 0.008, 0.121), (0.087, 0.011, 0.184)),
    "speaker": ((0.123, 0.215, 0.161), (0.221, 0.38, 0.302)),
    "game console": ((0.4, 0.04, 0.176), (0.57, 0.07, 0.29)),
    "printer": ((0.35, 0.146, 0.39), (0.51, 0.272, 0.56)),
    "plant": ((0.29, 0.49, 0.33), (1.5, 1.83, 1.49)),
    "small plant": ((0.095, 0.141, 0.103), (0.39, 0.45, 0.4)),
    "flowers": ((0.1, 0.3, 0.08), (0.4, 0.6, 0.4)),
    "basket": ((0.263, 0.237, 0.196), (0.52, 0.52, 0.5)),
    "bin": ((0.183, 0.229, 0.183), (0.34, 0.54, 0.39)),
    "bag": ((0.236, 0.29, 0.122), (0.45, 0.64, 0.217)),
    "shoes": ((0.189, 0.099, 0.215), (0.255, 0.126, 0.35)),
    "ball": ((0.106, 0.106, 0.104), (0.284, 0.284, 0.28)),
    "book": ((0.106, 0.013, 0.16), (0.223, 0.044, 0.3)),
    "book stack": ((0.142, 0.031, 0.185), (0.285, 0.219, 0.34)),
    "open book": ((0.24, 0.013, 0.176), (0.41, 0.028, 0.29)),
    "paper stack": ((0.199, 0.008, 0.28), (0.294, 0.02, 0.38)),
    "box": ((0.222, 0.145, 0.178), (0.71, 0.39, 0.69)),
    "cushion": ((0.32, 0.097, 0.245), (0.57, 0.178, 0.57)),
    "towel stack": ((0.233, 0.063, 0.181), (0.42, 0.273, 0.34)),
    "toy blocks": ((0.096, 0.062, 0.031), (0.317, 0.111, 0.204)),
    "teddy": ((0.184, 0.197, 0.16), (0.43, 0.46, 0.37)),
    "pen holder": ((0.062, 0.127, 0.062), (0.1, 0.192, 0.1)),
    "vase": ((0.08, 0.133, 0.08), (0.227, 0.46, 0.227)),
    "bowl": ((0.141, 0.044, 0.14), (0.35, 0.149, 0.35)),
    "fruit": ((0.128, 0.064, 0.062), (0.35, 0.09, 0.13)),
    "plate": ((0.176, 0.024, 0.176), (0.41, 0.082, 0.31)),
    "cup": ((0.087, 0.062, 0.063), (0.168, 0.121, 0.168)),
    "drinking glass": ((0.053, 0.083, 0.052), (0.093, 0.245, 0.092)),
    "bottle": ((0.061, 0.194, 0.061), (0.101, 0.37, 0.101)),
    "teapot": ((0.191, 0.114, 0.114), (0.295, 0.177, 0.187)),
    "kettle": ((0.174, 0.187, 0.129), (0.25, 0.293, 0.197)),
    "pan": ((0.216, 0.063, 0.172), (0.55, 0.229, 0.334)),
    "toaster": ((0.24, 0.15, 0.133), (0.37, 0.225, 0.201)),
    "microwave": ((0.4, 0.229, 0.34), (0.58, 0.335, 0.5)),
    "coffee machine": ((0.15, 0.27, 0.207), (0.233, 0.4, 0.295)),
    "cutting board": ((0.258, 0.031, 0.176), (0.44, 0.039, 0.29)),
    "knife block": ((0.088, 0.27, 0.166), (0.112, 0.35, 0.211)),
    "candle": ((0.079, 0.071, 0.079), (0.141, 0.45, 0.141)),
    "soap bottle": ((0.049, 0.13, 0.068), (0.084, 0.221, 0.097)),
    "toothbrush cup": ((0.063, 0.158, 0.063), (0.083, 0.201, 0.082)),
    "toilet paper": ((0.144, 0.114, 0.088), (0.184, 0.165, 0.151)),
}  # fmt: skip
"""What sizes (width, height, depth) one finds in homes, from the smallest to the largest."""

SMALL = (
    "photo frame", "television", "monitor", "laptop", "keyboard", "mouse", "phone", "speaker", "game console", "printer",
    "small plant", "flowers", "table lamp", "book", "book stack", "open book", "paper stack", "box", "cushion",
    "towel stack", "toy blocks", "teddy", "pen holder", "vase", "bowl", "fruit", "plate", "cup", "drinking glass",
    "bottle", "teapot", "kettle", "pan", "toaster", "microwave", "coffee machine", "cutting board", "knife block",
    "candle", "soap bottle", "toothbrush cup",
)  # fmt: skip
ON_WALLS = (
    "wall lamp", "wall cabinet", "hood", "towel rail", "bathroom cabinet", "mirror", "picture", "clock", "curtain",
    "blinds", "whiteboard", "wall shelf", "wall television", "toilet paper",
)  # fmt: skip
ON_CEILINGS = ("ceiling lamp", "pendant", "spots", "chandelier")
LAMPS = ("floor lamp", "table lamp", "wall lamp", *ON_CEILINGS)
SLABS = ("rug", "phone", "book", "box", "wall television", "paper stack")
"""Things that are flat boxes by nature; they have bevels, screens, pages, labels or borders."""

SEEDS = range(3)
Objects: TypeAlias = dict[str, list[Furniture]]


@pytest.fixture(scope="module")
def palettes() -> list[Palette]:
    return [make_palette(np.random.default_rng(seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def objects(palettes: list[Palette]) -> Objects:
    return {
        kind: [
            build(kind, rng=np.random.default_rng(100 + seed), palette=palettes[seed])
            for seed in SEEDS
        ]
        for kind in KINDS
    }


def _digest(mesh: Mesh) -> str:
    total = hashlib.sha256()
    for array in (
        mesh.vertices,
        mesh.faces,
        mesh.face_materials,
        mesh.corner_uvs,
        mesh.corner_normals,
    ):
        assert array is not None
        total.update(array.tobytes())
    for material in mesh.materials:
        total.update(
            repr(
                (material.name, material.base_color, material.roughness, material.emission)
            ).encode()
        )
        if material.texture is not None:
            total.update(material.texture.pixels.tobytes())
    return total.hexdigest()


def test_the_table_of_sizes_covers_every_kind() -> None:
    assert set(SIZES_M) == set(KINDS)
    assert len(KINDS) - len(SMALL) >= 45
    assert len(SMALL) >= 30


@pytest.mark.parametrize("kind", KINDS)
def test_meshes_are_sound(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        mesh = furniture.mesh
        assert mesh.vertices.dtype == np.float64
        assert np.isfinite(mesh.vertices).all()
        triangles = corners_of(mesh.vertices, mesh.faces)
        double_area = np.linalg.norm(cross_products(triangles), axis=1)
        longest = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2).max(axis=1)
        assert (double_area / longest > 5e-5).all(), "a triangle is lower than 50 micrometres"
        assert mesh.corner_normals is not None
        assert mesh.corner_uvs is not None
        assert np.allclose(np.linalg.norm(mesh.corner_normals, axis=2), 1.0, atol=1e-9)
        assert np.isfinite(mesh.corner_uvs).all()
        assert len(mesh.face_materials) == len(mesh.faces)
        assert set(mesh.face_materials.tolist()) == set(range(len(mesh.materials)))
        assert len({id(material) for material in mesh.materials}) == len(mesh.materials)


@pytest.mark.parametrize("kind", KINDS)
def test_shading_normals_agree_with_the_triangles(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        mesh = furniture.mesh
        assert mesh.corner_normals is not None
        own = cross_products(corners_of(mesh.vertices, mesh.faces))
        against = ((mesh.corner_normals * own[:, None]).sum(axis=2) < 0).any(axis=1)
        assert against.mean() < 0.1, "only sharp folds of cloth may disagree"


@pytest.mark.parametrize("kind", KINDS)
def test_objects_rest_on_zero_and_are_centred(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        low, high = furniture.mesh.vertices.min(axis=0), furniture.mesh.vertices.max(axis=0)
        assert low[1] == 0.0
        assert np.allclose((low + high)[[0, 2]], 0.0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_plausible(kind: str, objects: Objects) -> None:
    low, high = SIZES_M[kind]
    for furniture in objects[kind]:
        assert (furniture.size_m >= low).all(), furniture.size_m
        assert (furniture.size_m <= high).all(), furniture.size_m


@pytest.mark.parametrize("kind", KINDS)
def test_triangles_stay_within_budget(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        assert 40 <= len(furniture.mesh.faces) <= 6000


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_a_bare_box(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        mesh = furniture.mesh
        triangles = corners_of(mesh.vertices, mesh.faces)
        normals = cross_products(triangles)
        area = np.linalg.norm(normals, axis=1)
        directions = np.unique(np.round(normals / area[:, None], 1) + 0.0, axis=0)
        pieces = len(np.unique(parts(mesh.vertices, mesh.faces)))
        assert pieces >= 2 or len(directions) >= 20
        if kind not in SLABS:
            width, height, depth = furniture.size_m
            hull = 2 * (width * height + height * depth + width * depth)
            flush = area[on_bounding_box(triangles, tolerance=0.001)].sum() / 2
            assert flush < 0.9 * hull


@pytest.mark.parametrize("kind", KINDS)
def test_names_and_places(kind: str, objects: Objects) -> None:
    expected = "surface" if kind in SMALL else "wall" if kind in ON_WALLS else "floor"
    for furniture in objects[kind]:
        assert furniture.kind == kind
        assert NYU40_NAMES[furniture.semantic] not in ("void", "wall", "floor", "ceiling", "person")
        assert furniture.mount == ("ceiling" if kind in ON_CEILINGS else expected)


def test_the_same_state_gives_the_same_bytes() -> None:
    twins = [make_palette(np.random.default_rng(3)) for _ in range(2)]
    for kind in KINDS:
        first, second = (build(kind, rng=np.random.default_rng(7), palette=twin) for twin in twins)
        assert _digest(first.mesh) == _digest(second.mesh), kind


@pytest.mark.parametrize("kind", KINDS)
def test_other_seeds_give_other_shapes(kind: str, palettes: list[Palette]) -> None:
    digests = {
        build(kind, rng=np.random.default_rng(seed), palette=palettes[0]).mesh.vertices.tobytes()
        for seed in range(4)
    }
    assert len(digests) > 1


def test_the_global_random_state_is_left_alone() -> None:
    before = str(np.random.get_state())  # noqa: NPY002
    palette = make_palette(np.random.default_rng(0))
    build("sofa", rng=np.random.default_rng(0), palette=palette)
    assert before == str(np.random.get_state())  # noqa: NPY002


def test_an_unknown_kind_is_refused_by_name(palettes: list[Palette]) -> None:
    with pytest.raises(ValueError, match=r"'sofa bed'.*armchair"):
        build("sofa bed", rng=np.random.default_rng(0), palette=palettes[0])


def test_objects_of_one_palette_share_their_textures(palettes: list[Palette]) -> None:
    rng = np.random.default_rng(0)
    textures = {
        id(material.texture)
        for kind in KINDS
        for material in build(kind, rng=rng, palette=palettes[0]).mesh.materials
        if material.texture is not None
    }
    assert len(textures) <= 40


@pytest.mark.parametrize("kind", LAMPS)
def test_lamps_shine(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        mesh = furniture.mesh
        glow = np.array([max(material.emission) for material in mesh.materials])
        area = np.linalg.norm(cross_products(corners_of(mesh.vertices, mesh.faces)), axis=1) / 2
        assert 2.0 <= glow.max() <= 80.0
        power = float((np.pi * glow[mesh.face_materials] * area).sum())
        assert 0.5 < power < 60.0, "watts over all directions"
        assert furniture.semantic == nyu40_id("lamp")


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in LAMPS])
def test_other_things_hardly_shine(kind: str, objects: Objects) -> None:
    lit = "bathroom cabinet"
    for furniture in objects[kind]:
        brightest = max(max(material.emission) for material in furniture.mesh.materials)
        assert brightest <= (20.0 if kind == lit else 0.7)


def _feet(mesh: Mesh) -> np.ndarray:
    return mesh.vertices[mesh.vertices[:, 1] < 0.004][:, [0, 2]]


@pytest.mark.parametrize("kind", ["dining chair", "high chair", "bench", "stool"])
def test_chairs_stand_on_four_feet(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        assert clusters(_feet(furniture.mesh), distance=0.1) == 4


def test_an_office_chair_stands_on_five_castors(objects: Objects) -> None:
    for furniture in objects["office chair"]:
        assert clusters(_feet(furniture.mesh), distance=0.06) == 5


@pytest.mark.parametrize("kind", ["dining table", "coffee table", "side table", "console", "desk"])
def test_the_top_of_a_table_is_its_highest_and_widest_part(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        mesh = furniture.mesh
        triangles = corners_of(mesh.vertices, mesh.faces)
        top = (triangles[..., 1] > furniture.size_m[1] - 0.001).all(axis=1)
        area = np.linalg.norm(cross_products(triangles[top]), axis=1).sum() / 2
        assert area > 0.6 * furniture.size_m[0] * furniture.size_m[2]


@pytest.mark.parametrize(
    "kind", ["single bed", "double bed", "sofa", "armchair", "dining chair", "toilet", "piano"]
)
def test_backs_are_behind(kind: str, objects: Objects) -> None:
    for furniture in objects[kind]:
        vertices = furniture.mesh.vertices
        high = vertices[vertices[:, 1] > 0.9 * furniture.size_m[1]]
        assert high[:, 2].mean() < -0.05 * furniture.size_m[2]


def test_a_sofa_can_be_sat_on(objects: Objects) -> None:
    for furniture in objects["sofa"]:
        mesh = furniture.mesh
        triangles = corners_of(mesh.vertices, mesh.faces)
        own = cross_products(triangles)
        area = np.linalg.norm(own, axis=1)
        middle = triangles.mean(axis=1)
        seat = (
            (own[:, 1] > 0.9 * area)
            & (middle[:, 1] > 0.3)
            & (middle[:, 1] < 0.6)
            & (middle[:, 2] > 0)
        )
        assert area[seat].sum() / 2 > 0.2 * furniture.size_m[0] * furniture.size_m[2]


def test_mirrors_mirror_and_showers_are_glazed(objects: Objects) -> None:
    for furniture in objects["mirror"] + objects["bathroom cabinet"]:
        assert any(material.is_mirror for material in furniture.mesh.materials)
    for furniture in objects["shower"]:
        assert any(material.is_glass for material in furniture.mesh.materials)


def test_a_bookshelf_holds_books(objects: Objects) -> None:
    for furniture in objects["bookshelf"]:
        mesh = furniture.mesh
        place = [material.name for material in mesh.materials].index("books")
        assert (mesh.face_materials == place).sum() >= 12 * 12


def test_leaves_are_triangles(objects: Objects) -> None:
    for furniture in objects["plant"]:
        mesh = furniture.mesh
        place = [material.name for material in mesh.materials].index("foliage")
        assert (mesh.face_materials == place).sum() >= 100


def test_kitchen_units_stand_flush_beside_each_other(objects: Objects) -> None:
    heights = {
        round(float(f.size_m[1]), 6) for f in objects["kitchen base"] + objects["dishwasher"]
    }
    assert heights == {0.9}
