"""Damaged files end in `SceneError` or a scene, never in another exception, and soon."""

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import hostile, mutated, outcome
from suncg_trees import HOUSE_ID, arch_document, house_document, make_suncg_tree

from scenelift.render.formats.suncg.identity import KEY
from scenelift.render.formats.suncg.read import read_scene, recognises
from scenelift.render.formats.suncg.write import write_suncg
from scenelift.render.scene import Scene, SceneError

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 2**31, 2**63, 10**400, -0.0, 1e-320, 1e11, 1e308, "", "0", "../../../../etc/passwd",
    "/etc/passwd", "\x00", "a" * 5000, "#ffffff", "Room", "Object", "Box", "Ground", "NaN", "\ud800", [], {}, [[]], [None] * 3,
    [0] * 16, [1e11] * 16, [1, 2, 3], {"min": 1}, {"texture": "../x"},
)  # fmt: skip
FILES = (
    f"house/{HOUSE_ID}/house.json", "metadata/ModelCategoryMapping.csv", "metadata/suncgModelLights.json",
    "metadata/light_geometry_compact.txt", "object/10/10.mtl", "object/10/10.obj", "texture/wood_1.jpg",
    f"room/{HOUSE_ID}/fr_0rm_0f.obj",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("suncg")
    make_suncg_tree(root)
    (root / "metadata" / "light_geometry_compact.txt").write_text("20 1 material_1 1 material_0\n")
    (root / "arch.json").write_text(json.dumps(arch_document()))
    return root


def read(path: Path, *, root: Path) -> Scene | None:
    """Read what may be damaged; a scene that comes of it is sound."""
    scene = outcome(lambda: read_scene(path, data_root=root, seed=0))
    if isinstance(scene, SceneError):
        assert len(str(scene)) < 2000
        return None
    assert len({node.name for node in scene.nodes}) == len(scene.nodes)
    for room in scene.rooms:
        assert len(room.outline_xz) >= 3
        assert np.isfinite(room.outline_xz).all()
    for node in scene.nodes:
        assert node.room is None or node.room < len(scene.rooms)
    return scene


def places(document: Any, *, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if isinstance(document, dict):
        for key, value in document.items():
            yield from places(value, path=(*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            yield from places(value, path=(*path, index))


def altered(document: Any, chooser: random.Random) -> Any:
    """Replace, delete, double or exchange up to three values anywhere."""
    document = copy.deepcopy(document)
    for _ in range(chooser.randint(1, 3)):
        found = list(places(document))
        if not found:
            return document
        path = chooser.choice(found)
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        match chooser.randrange(5):
            case 0:
                del parent[path[-1]]
            case 1 if isinstance(parent, list):
                parent.extend(copy.deepcopy([parent[path[-1]]] * chooser.choice([1, 30])))
            case 2:
                other = document
                for key in chooser.choice(found):
                    try:
                        other = other[key]
                    except (KeyError, IndexError, TypeError):
                        break
                parent[path[-1]] = copy.deepcopy(other)
            case _:
                parent[path[-1]] = copy.deepcopy(chooser.choice(HOSTILE))
    return document


@hostile
@given(seed=st.integers(0, 2**32 - 1))
def test_houses_with_other_content(tree: Path, seed: int) -> None:
    path = tree / "house" / HOUSE_ID / "mutated.json"
    path.write_text(json.dumps(altered(house_document(), random.Random(seed))))
    read(path, root=tree)


@hostile
@given(data=st.data(), name=st.sampled_from(FILES))
def test_damaged_bytes_anywhere_in_the_tree(tree: Path, data: st.DataObject, name: str) -> None:
    path = tree / name
    original = path.read_bytes()
    try:
        path.write_bytes(data.draw(mutated(original)))
        recognises(path.read_bytes()[:4096])
        read(tree / FILES[0], root=tree)
    finally:
        path.write_bytes(original)


@hostile
@given(seed=st.integers(0, 2**32 - 1))
def test_architecture_with_other_content(tree: Path, seed: int) -> None:
    path = tree / "mutated.arch.json"
    path.write_text(json.dumps(altered(arch_document(), random.Random(seed))))
    read(path, root=tree)


@hostile
@given(seed=st.integers(0, 2**32 - 1))
def test_lights_with_other_content(tree: Path, seed: int) -> None:
    path = tree / "metadata" / "suncgModelLights.json"
    original = path.read_bytes()
    try:
        path.write_text(json.dumps(altered(json.loads(original), random.Random(seed))))
        read(tree / FILES[0], root=tree)
    finally:
        path.write_bytes(original)


@hostile
@given(seed=st.integers(0, 2**32 - 1))
def test_our_own_key_with_other_content(tree: Path, seed: int) -> None:
    source = tree.parent / "ours"
    if not source.exists():
        scene = read_scene(tree / FILES[0])
        write_suncg(replace(scene, nodes=scene.nodes[:4], lights=()), source)
    (path,) = (source / "house").glob("*/house.json")
    document = json.loads(path.read_text())
    document[KEY] = altered(document[KEY], random.Random(seed))
    other = path.with_name("mutated.json")
    other.write_text(json.dumps(document))
    read(other, root=source)


def test_the_tree_itself_is_sound(tree: Path) -> None:
    scene = read(tree / FILES[0], root=tree)
    assert scene is not None
    assert scene.warnings == ()
    assert read(tree / "arch.json", root=tree) is not None
