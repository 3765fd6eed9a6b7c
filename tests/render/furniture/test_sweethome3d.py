import io
import pickle
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mutations import hostile, mutated, outcome
from sh3f_files import CUBE, library, row

from scenelift.datasets.nyu40 import NYU40_NAMES
from scenelift.render.furniture import sweethome3d
from scenelift.render.furniture.builders import make_palette
from scenelift.render.furniture.sweethome3d import (
    SweetHome3DSource,
    load_entry,
    parse_properties,
    read_catalogue,
)
from scenelift.render.scene import SceneError

DEBIAN = Path("/usr/share/sweethome3d/furniture")
installed = pytest.mark.skipif(not DEBIAN.is_dir(), reason="sweethome3d-furniture is not installed")
TURN = "0 0 1 0 1 0 -1 0 0"


def test_an_entry_has_name_class_size_origin(tmp_path: Path) -> None:
    path = library(tmp_path / "a.sh3f", row(1), row(2, name="Bedside table", height="50"))
    chair, table = read_catalogue(path)
    assert (chair.kind, NYU40_NAMES[chair.semantic]) == ("dining chair", "chair")
    assert (table.kind, NYU40_NAMES[table.semantic]) == ("night stand", "night_stand")
    assert chair.size_m == (0.5, 0.9, 0.6)
    assert (chair.creator, chair.licence) == ("Somebody", "CC0")
    furniture = load_entry(chair)
    assert (furniture.creator, furniture.licence) == ("Somebody", "CC0")


@pytest.mark.parametrize("rotation", ["", TURN, "1 0 0 0 0 1 0 -1 0"])
@pytest.mark.parametrize("model", ["/cube/cube.obj", "cube.zip", "cube.zip!/cube.obj"])
def test_a_model_is_turned_then_stretched_to_the_catalogue(
    tmp_path: Path, rotation: str, model: str
) -> None:
    path = library(tmp_path / "a.sh3f", row(1, modelRotation=rotation, model=model))
    mesh = load_entry(read_catalogue(path)[0]).mesh
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    np.testing.assert_allclose(low, (-0.25, 0, -0.3), atol=1e-12)
    np.testing.assert_allclose(high, (0.25, 0.9, 0.3), atol=1e-12)
    matrix = np.array(
        rotation.split() or ["1", "0", "0", "0", "1", "0", "0", "0", "1"], dtype=float
    ).reshape(3, 3)
    # The model's own x axis (vertex 1 to 2) goes where the matrix sends it.
    first = mesh.vertices[mesh.faces[0, 1]] - mesh.vertices[mesh.faces[0, 0]]
    np.testing.assert_allclose(first / np.linalg.norm(first), matrix @ (1, 0, 0), atol=1e-12)
    assert {m.name for m in mesh.materials} == {"red", "glass"}


def test_what_is_no_furniture_is_left_out(tmp_path: Path) -> None:
    rows = [
        row(1),
        row(2, name="Male", category="Characters"),
        row(3, name="Oak", category="Exterior"),
        row(4, name="Door", doorOrWindow="true"),
        row(5, name="Stairs", category="Staircases"),
        row(6, name="Car", category="Vehicles"),
    ]
    assert [e.name for e in read_catalogue(library(tmp_path / "a.sh3f", *rows))] == ["Chair"]


@pytest.mark.parametrize(
    "fields",
    [
        {"width": "wide"},
        {"width": "nan"},
        {"width": "-3"},
        {"height": "1e9"},
        {"model": ""},
        {"modelRotation": "1 2 3"},
        {"modelRotation": "2 0 0 0 1 0 0 0 1"},
    ],
)
def test_one_bad_entry_among_good_ones_is_skipped(
    tmp_path: Path, fields: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    path = library(tmp_path / "a.sh3f", row(1, **fields), row(2))
    assert len(read_catalogue(path)) == 1
    assert "skipped an entry" in caplog.text
    with pytest.raises(SceneError, match="no furniture"):
        read_catalogue(library(tmp_path / "b.sh3f", row(1, **fields)))


@pytest.mark.parametrize(
    "model", ["/none.obj", "../../etc/passwd", "cube/cube.mtl", "cube.zip!/x.obj"]
)
def test_a_model_that_is_not_there_is_one_line(tmp_path: Path, model: str) -> None:
    path = library(tmp_path / "a.sh3f", row(1, model=model))
    with pytest.raises(SceneError) as error:
        load_entry(read_catalogue(path)[0])
    assert "\n" not in str(error.value)
    assert "a.sh3f" in str(error.value)


@pytest.mark.parametrize(
    "model", [b"", b"v 0 0 0\n", b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", b"f 1 2 9\n"]
)
def test_a_broken_model_is_one_line_and_another_takes_its_place(
    tmp_path: Path, model: bytes
) -> None:
    path = library(tmp_path / "a.sh3f", row(1), model=model)
    with pytest.raises(SceneError):
        load_entry(read_catalogue(path)[0])
    source = SweetHome3DSource(path)
    rng = np.random.default_rng(0)
    chair = source.make("dining chair", rng=rng, palette=make_palette(rng))
    assert chair is not None
    assert chair.creator == ""
    assert len(source.skipped) == 1


def test_too_many_triangles_are_refused(tmp_path: Path) -> None:
    path = library(tmp_path / "a.sh3f", row(1))
    with pytest.raises(SceneError, match="12 triangles, at most 3"):
        load_entry(read_catalogue(path)[0], max_triangles=3)


def test_archives_that_are_none_or_bombs_are_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sh3f"
    broken.write_bytes(b"PK\x03\x04 nothing")
    bomb = tmp_path / "bomb.sh3f"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("PluginFurnitureCatalog.properties", b"\0" * (64 << 20))
    empty = tmp_path / "empty.sh3f"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("readme.txt", b"")
    for path in (broken, bomb, empty, tmp_path / "none.sh3f"):
        with pytest.raises(SceneError) as error:
            read_catalogue(path)
        assert "\n" not in str(error.value)
    library(tmp_path / "good.sh3f", row(1))
    assert len(read_catalogue(tmp_path)) == 1


def test_properties_are_java_s() -> None:
    text = b"! old comment\na = 1\nb: two\\\n   three\nc\\ d=\\u00e9\\t\\\\\ne\nf==x\n"
    assert parse_properties(text) == {"a": "1", "b": "twothree", "c d": "é\t\\", "e": "", "f": "=x"}
    assert parse_properties("n=é".encode()) == parse_properties("n=é".encode("latin-1"))


def test_a_source_prefers_libraries_keeps_a_bound_and_travels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library(tmp_path / "a.sh3f", row(1), row(2, name="Bedside table", height="50"))
    source = SweetHome3DSource(path)
    rng = np.random.default_rng(0)
    palette = make_palette(rng)
    for _ in range(3):
        chair = source.make("dining chair", rng=rng, palette=palette)
        assert chair is not None
        assert chair.creator == "Somebody"
    sofa = source.make("sofa", rng=rng, palette=palette)
    assert sofa is not None
    assert sofa.creator == ""
    assert source.make("unicorn", rng=rng, palette=palette) is None
    assert len(source._cache) == 1
    monkeypatch.setattr(sweethome3d, "CACHE_BYTES", 10)
    source.make("night stand", rng=rng, palette=palette)
    assert len(source._cache) == 1
    other = pickle.loads(pickle.dumps(source))
    assert other.kinds == source.kinds
    assert not other._cache


def _catalogue_and_models(path: Path) -> None:
    for entry in read_catalogue(path)[:3]:
        outcome(partial(load_entry, entry))


@hostile
@given(data=st.data())
def test_damaged_libraries_end_in_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    good = library(folder / "good.sh3f", row(1), row(2, model="cube.zip", modelRotation=TURN))
    path = folder / "bad.sh3f"
    path.write_bytes(data.draw(mutated(good.read_bytes())))
    outcome(lambda: _catalogue_and_models(path))


@hostile
@given(data=st.data())
def test_damaged_catalogues_and_models_end_in_one_line(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    catalogue = data.draw(mutated((row(1) + row(2, modelRotation=TURN)).encode()))
    model = data.draw(mutated(CUBE))
    path = folder / "worse.sh3f"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("PluginFurnitureCatalog.properties", catalogue)
        archive.writestr("cube/cube.obj", model)
    path.write_bytes(buffer.getvalue())
    outcome(lambda: _catalogue_and_models(path))


@installed
def test_debian_s_libraries_fit_their_catalogues() -> None:
    entries = read_catalogue(DEBIAN)
    assert len(entries) > 550
    assert len({entry.kind for entry in entries}) > 80
    assert not {"characters", "exterior", "vehicles"} & {e.category.lower() for e in entries}
    for entry in entries[::60]:
        mesh = load_entry(entry, max_triangles=10**6).mesh
        size = mesh.vertices.max(axis=0) - mesh.vertices.min(axis=0)
        np.testing.assert_allclose(size, entry.size_m, rtol=1e-6)
        assert mesh.vertices[:, 1].min() == pytest.approx(0.0, abs=1e-9)
