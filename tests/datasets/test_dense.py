"""Dense labels of every layout come out alike: units, axes, ids, the picture's size; what does not fit ends in one line."""

import io
import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from nyud_runs import nyud_files
from photo_trees import photo, write_tar, write_tree
from PIL import Image
from store_files import make_header, make_record, noise_row

from scenelift.datasets.dense import (
    UNKNOWN_SCENE,
    DenseError,
    DenseSplit,
    NoSplitError,
    open_dense,
)
from scenelift.datasets.dense_files import read_npy
from scenelift.datasets.dense_frames import fit_labels, pack_normals
from scenelift.datasets.dense_nyud import open_nyud_layout
from scenelift.datasets.dense_prepared import write_prepared
from scenelift.datasets.dense_taskonomy import TASKONOMY_CLASSES, TINY
from scenelift.datasets.geometry import Geometry, nearest_centres, resize_frame
from scenelift.datasets.loaders import ClassifiedSource, Stream, fixed_batches
from scenelift.datasets.nyud import INSIDE, open_nyud
from scenelift.datasets.scene_labels import SceneLabels, read_scene_labels, write_scene_labels
from scenelift.datasets.store import merge_shards, write_shard

H, W = 20, 24
Files = dict[str, bytes]


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


def png(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def floor_depth(height: int = H, width: int = W) -> np.ndarray:
    """A floor that rises to the right: 1/z grows downwards and to the right."""
    down, right = np.mgrid[:height, :width].astype(np.float32)
    return np.asarray(1 / (0.2 + 0.01 * down + 0.004 * right), np.float32)


FLOOR_NORMAL = np.array([-0.4, 0.8, 0.447], np.float32)
"""Left, up and to the viewer, as that floor's is."""


def release(
    *, normals: str = "nm", axes: tuple[int, int, int] = (1, 1, 1), mask: bool = True
) -> Files:
    """The MGM release's folders with frames of a floor in two scenes."""
    files: Files = {}
    normal = np.broadcast_to(FLOOR_NORMAL * axes, (H, W, 3))
    for number in range(20):
        stem = f"{('bedroom', 'kitchen')[number % 2]}/{number:03d}"
        files[f"rgb/{stem}.png"] = photo(width=W, height=H, seed=number)
        files[f"ss/{stem}.npy"] = npy(np.full((H, W), 1 + number, np.int64))
        files[f"de/{stem}.npy"] = npy(floor_depth())
        files[f"{normals}/{stem}.npy"] = npy(((normal + 1) / 2).astype(np.float32))
        if mask:
            known = np.ones((H, W), np.uint8)
            known[:, :4] = 0
            files[f"msk/{stem}.npy"] = npy(known)
    return files


def taskonomy(*, order: str = "rgb/{building}", axes: tuple[int, int, int] = (1, 1, 1)) -> Files:
    files: Files = {}
    raw = np.round(floor_depth() * 512).astype(np.uint16)
    raw[0, 0] = 65535
    normal = np.broadcast_to(FLOOR_NORMAL * axes, (H, W, 3))
    semantic = np.tile(np.arange(18, dtype=np.uint8), (H, 2))[:, :W]
    for building in ("Beechwood", "corozal", "uvalda"):
        for point in range(2):
            stem = f"point_{point}_view_3_domain"

            def put(domain: str, name: str, data: bytes, b: str = building, s: str = stem) -> None:
                folder = order.replace("rgb", domain).format(building=b)
                files[f"{folder}/{s}_{name}"] = data

            put("rgb", "rgb.png", photo(width=W, height=H, seed=point))
            put("depth_zbuffer", "depth_zbuffer.png", png(raw))
            put("normal", "normal.png", png(np.round((normal + 1) * 127.5).astype(np.uint8)))
            put("segment_semantic", "segmentsemantic.png", png(semantic))
            put("class_scene", "class_places.npy", npy(np.eye(365, dtype=np.float32)[52 + point]))
    return files


def stored(folder: Path, files: Files, *, packed: bool) -> Path:
    return write_tar(folder / "a.tar", files) if packed else write_tree(folder / "a", files)


def degrees_off(normal: np.ndarray, wanted: np.ndarray) -> float:
    cosine = (normal.astype(np.float64) / 32767) @ (wanted / np.linalg.norm(wanted))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).max())


@pytest.mark.parametrize("packed", [True, False])
def test_nyud_is_cut_to_its_photos_and_normals_are_derived(tmp_path: Path, packed: bool) -> None:
    path = stored(tmp_path, nyud_files(train=3, test=2), packed=packed)
    source = open_dense(path, split="train")
    truth = open_nyud(path, split="train")
    frame = source.frame(1)
    assert {name: (a.dtype.name, a.shape) for name, a in frame.items()} == {
        "image": ("uint8", (224, 304, 3)),
        "depth": ("float32", (224, 304)),
        "normal": ("int16", (224, 304, 3)),
        "semantic": ("uint8", (224, 304)),
    }
    np.testing.assert_array_equal(frame["image"], truth.image(1)[INSIDE])
    np.testing.assert_array_equal(frame["depth"], truth.z_depth_m(1)[INSIDE])
    np.testing.assert_array_equal(frame["normal"], pack_normals(truth.normal(1)[INSIDE]))
    assert len(source.semantic_classes) == 40
    assert (source.scenes, source.label(0)) == ((), UNKNOWN_SCENE)
    assert len(open_dense(path, split="test")) == 2
    with pytest.raises(NoSplitError, match=r"train and test, not val"):
        open_dense(path, split="val")


def test_scene_labels_come_from_a_file(tmp_path: Path) -> None:
    path = stored(tmp_path, nyud_files(train=3, test=2), packed=True)
    labels = SceneLabels(
        classes=("bedroom", "office"),
        scenes={f"{i:04d}": ("bedroom", "office")[i % 2] for i in range(5)},
        made_by="a coin",
    )
    write_scene_labels(tmp_path / "scenes.json", labels)
    assert read_scene_labels(tmp_path / "scenes.json").scenes == labels.scenes
    source = open_dense(path, split="test", scene_labels=tmp_path / "scenes.json")
    assert [source.label(i) for i in range(2)] == [1, 0]  # frames 3 and 4
    assert source.pseudo_scenes
    assert isinstance(source, ClassifiedSource)
    few = SceneLabels(classes=labels.classes, scenes={"0003": "office"}, made_by="")
    write_scene_labels(tmp_path / "few.json", few)
    with pytest.raises(
        DenseError, match=r"few.json: 1 of 2 frames have no scene label, first '0004'"
    ):
        open_dense(path, split="test", scene_labels=tmp_path / "few.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[1]", "wants classes"),
        ('{"classes": ["a"], "scenes": {}}', "at least two names"),
        (
            '{"classes": ["a", "b"], "scenes": {"x": "c"}}',
            "'x' is 'c', which is none of its 2 classes",
        ),
        ("[" * 100_000, "is no JSON"),
    ],
)
def test_bad_scene_labels(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(DenseError, match=message):
        read_scene_labels(tmp_path / "s.json")
    with pytest.raises(DenseError, match=r"none.json: cannot be read"):
        read_scene_labels(tmp_path / "none.json")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("normals", ["nm", "sn"])
@pytest.mark.parametrize("axes", [(1, 1, 1), (1, -1, -1), (-1, 1, 1)])
def test_release_folders(
    tmp_path: Path, packed: bool, normals: str, axes: tuple[int, int, int]
) -> None:
    """Whichever way a release's axes point, a floor looks up."""
    path = stored(tmp_path, release(normals=normals, axes=axes), packed=packed)
    train, val = open_dense(path, split="train"), open_dense(path, split="val")
    assert len(train) + len(val) == 20
    assert not {train.name(i) for i in range(len(train))} & {val.name(i) for i in range(len(val))}
    assert train.scenes == ("bedroom", "kitchen")
    for index in range(len(train)):
        frame, scene = train.frame(index), train.scenes[train.label(index)]
        assert train.name(index).startswith(scene)
        assert set(np.unique(frame["semantic"])) == {1 + int(train.name(index)[-3:])}
        assert (frame["depth"][:, :4] == 0).all()
        np.testing.assert_array_equal(frame["depth"][:, 4:], floor_depth()[:, 4:])
        assert (frame["normal"][:, :4] == 0).all()
        assert degrees_off(frame["normal"][:, 4:], FLOOR_NORMAL) < 0.5


def test_release_lists_and_first_class(tmp_path: Path) -> None:
    files = release(mask=False) | {
        "train.txt": b"bedroom/000\nkitchen/001\n",
        "test.txt": b"bedroom/002",
    }
    path = write_tree(tmp_path / "a", files)
    assert [len(open_dense(path, split=split)) for split in ("train", "test")] == [2, 1]
    with pytest.raises(NoSplitError, match=r"no val.txt"):
        open_dense(path, split="val")
    from_zero = open_dense(path, split="train", first_class=0)
    assert [int(from_zero.frame(i)["semantic"].max()) for i in range(2)] == [2, 3]


@pytest.mark.parametrize("order", ["rgb/{building}", "rgb/taskonomy/{building}", "{building}/rgb"])
@pytest.mark.parametrize("packed", [True, False])
def test_taskonomy(tmp_path: Path, order: str, packed: bool) -> None:
    path = stored(tmp_path, taskonomy(order=order, axes=(1, -1, 1)), packed=packed)
    buildings: dict[DenseSplit, str] = {"train": "Beechwood", "val": "corozal", "test": "uvalda"}
    for split, building in buildings.items():
        source = open_dense(path, split=split)
        assert [source.name(i) for i in range(len(source))] == [
            f"{building}/point_{point}_view_3" for point in range(2)
        ]
    source = open_dense(path, split="test")
    frame = source.frame(1)
    assert frame["depth"][0, 0] == 0
    np.testing.assert_allclose(frame["depth"].ravel()[1:], floor_depth().ravel()[1:], atol=1 / 1024)
    assert (frame["normal"][0, 0] == 0).all()
    assert degrees_off(frame["normal"].reshape(-1, 3)[1:], FLOOR_NORMAL) < 1.0
    assert frame["semantic"][0].tolist() == [*range(18), *range(6)]
    assert source.semantic_classes == TASKONOMY_CLASSES
    assert [source.label(i) for i in range(2)] == [52, 53]
    assert len(source.scenes) == 365


def test_taskonomy_split_from_its_list(tmp_path: Path) -> None:
    listed = b"id,train,val,test\nbeechwood,0,0,1\nuvalda,1,0,0\n"
    files = taskonomy() | {"splits_taskonomy/train_val_test_tiny.csv": listed}
    source = open_dense(write_tree(tmp_path / "a", files), split="train")
    assert {source.name(i).partition("/")[0] for i in range(len(source))} == {"uvalda"}
    assert [len(TINY[split]) for split in ("train", "val", "test")] == [25, 5, 5]
    assert len({name for names in TINY.values() for name in names}) == 35


def test_taskonomy_depth_from_16_metres_on_is_unknown(tmp_path: Path) -> None:
    files = taskonomy()
    raw = np.full((H, W), 8191, np.uint16)
    raw[0] = 8192
    files["depth_zbuffer/uvalda/point_0_view_3_domain_depth_zbuffer.png"] = png(raw)
    depth = open_dense(write_tree(tmp_path / "a", files), split="test").frame(0)["depth"]
    assert (depth[0] == 0).all()
    np.testing.assert_array_equal(depth[1:], np.float32(8191 / 512))


def rooms_file(path: Path) -> Path:
    """Noise from a hallway, to be learnt from, and a kitchen, to be held out."""
    shards, rng = [], np.random.default_rng(0)
    for room, split in (("hallway", "train"), ("kitchen", "val")):
        shards.append(path.with_name(f"{room}.shard"))
        scene = replace(make_record(name=room, split=split), rooms=(room,))
        rows = [noise_row(rng) for _ in range(3)]
        write_shard(shards[-1], header=make_header(), scene=scene, rows=rows)
    merge_shards(shards, path)
    return path


def test_rendered_frames_bear_their_room(tmp_path: Path) -> None:
    path = rooms_file(tmp_path / "rooms.h5")
    own = open_dense(path, split="train")
    assert (own.scenes, own.label(0)) == (("hallway", "kitchen"), 0)
    assert set(own.frame(0)) == {"image", "depth", "normal", "semantic"}
    assert open_dense(path, split="val").label(2) == 1
    mapped = open_dense(path, split="train", scenes=("bedroom", "corridor"))
    assert [mapped.label(i) for i in range(len(mapped))] == [1, 1, 1]
    strange = open_dense(path, split="val", scenes=("bedroom", "corridor"))
    assert {strange.label(i) for i in range(len(strange))} == {UNKNOWN_SCENE}
    with pytest.raises(NoSplitError):
        open_dense(path, split="test")


@pytest.mark.parametrize("seed", [0, 7])
def test_shares_lie_inside_each_other(tmp_path: Path, seed: int) -> None:
    path = write_tree(tmp_path / "a", release())
    whole = open_dense(path, split="train", seed=seed)
    names = {}
    for share in (0.25, 0.5, 1.0):
        source = open_dense(path, split="train", share=share, seed=seed)
        names[share] = {source.name(i) for i in range(len(source))}
        assert len(source) == round(share * len(whole))
    assert names[0.25] < names[0.5] < names[1.0]
    other = open_dense(path, split="train", share=0.5, seed=seed + 1)
    assert {other.name(i) for i in range(len(other))} != names[0.5]
    with pytest.raises(DenseError, match="share must be above 0"):
        open_dense(path, split="train", share=0)


def test_labels_are_never_blended(tmp_path: Path) -> None:
    """Labels of another size than the picture, and streams of another size than both, take the nearest value."""
    labels = np.random.default_rng(0).integers(1, 41, (2 * H, 2 * W))
    files = release(mask=False)
    for name in files:
        if name.startswith("ss/"):
            files[name] = npy(labels)
    source = open_dense(write_tree(tmp_path / "a", files), split="train")
    expected = labels[nearest_centres(2 * H, count=H)][:, nearest_centres(2 * W, count=W)]
    np.testing.assert_array_equal(source.frame(0)["semantic"], expected)
    small = resize_frame(source.frame(0), resize_px=15)
    rows, columns = nearest_centres(H, count=15), nearest_centres(W, count=18)
    np.testing.assert_array_equal(small["semantic"], expected[rows][:, columns])
    np.testing.assert_array_equal(small["depth"], floor_depth()[rows][:, columns])
    with pytest.raises(DenseError, match="not the same view"):
        fit_labels(labels, height=H, width=3 * W, name="x.npy")


def test_a_stream_gives_what_a_method_reads(tmp_path: Path) -> None:
    path = stored(tmp_path, release(), packed=True)
    source = pickle.loads(pickle.dumps(open_dense(path, split="train", share=0.5)))
    geometry = Geometry(resize_px=16, crop_px=16)
    with Stream(source, name="dense", batch_size=4, geometry=geometry, seed=0) as stream:
        batch = next(stream)
    assert {name: tuple(t.shape) for name, t in batch.items()} == {
        "image": (4, 3, 16, 16),
        "sample_seed": (4,),
        "z_depth_m": (4, 1, 16, 16),
        "normal": (4, 3, 16, 16),
        "valid": (4, 1, 16, 16),
        "label": (4,),
        "semantic": (4, 16, 16),
    }
    assert batch["semantic"].dtype == torch.int64
    lengths = batch["normal"].norm(dim=1, keepdim=True)
    assert torch.allclose(lengths[batch["valid"]], torch.ones(()), atol=1e-3)
    assert (lengths[~batch["valid"]] == 0).all()


def broken(name: str, data: bytes | None) -> Callable[[Files], Files]:
    """Replace every file of a kind, or take it away."""

    def change(files: Files) -> Files:
        kept = {n: d for n, d in files.items() if not n.startswith(name)}
        return kept if data is None else kept | {n: data for n in files if n.startswith(name)}

    return change


def pickled() -> bytes:
    return npy(np.array([{"a": 1}], dtype=object), allow_pickle=True)


def announced(shape: tuple[int, ...]) -> bytes:
    """A header that promises more than there is."""
    file = io.BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (broken("de/", None), r"looked for depth in de/bedroom/000.npy"),
        (broken("nm/", None), r"looked for normal in nm/bedroom/000.npy"),
        (broken("ss/", None), r"looked for semantic in ss/bedroom/000.npy"),
        (
            broken("ss/", npy(np.full((H, W), 41))),
            r"holds the id 41, where 40 classes go from 1 to 40",
        ),
        (broken("ss/", npy(np.full((H, W), 0.5))), r"holds fractions"),
        (
            broken("ss/", npy(np.zeros((3, H, W)))),
            r"an array \(3, 20, 24\), where height and width",
        ),
        (broken("de/", npy(np.full((H, W), 4000.0))), r"a depth of 4000, where metres are wanted"),
        (broken("nm/", npy(np.full((H, W, 3), 200.0))), r"normals from 200 to 200"),
        (broken("nm/", npy(np.full((H, W, 3), np.nan))), r"normals from nan"),
        (broken("nm/", npy(np.zeros((H, W)))), r"where height, width and 3 are wanted"),
        (broken("de/", pickled()), r"holds object, where plain numbers are wanted"),
        (broken("de/", announced((1 << 40, 4))), r"0 bytes, where an array \(1099511627776, 4\)"),
        (broken("de/", b"text"), r"is no .npy file"),
        (broken("rgb/", b"text"), r"no picture of a known kind"),
    ],
)
def test_bad_release_files_end_in_one_line(
    tmp_path: Path, change: Callable[[Files], Files], message: str
) -> None:
    path = write_tree(tmp_path / "a", change(release()))
    with pytest.raises(DenseError, match=message) as caught:
        open_dense(path, split="train").frame(0)
    assert "\n" not in str(caught.value)


def read_first(path: Path) -> None:
    source = open_dense(path, split="train")
    source.frame(0)
    source.label(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (broken("depth_zbuffer/", None), r"looked for depth in depth_zbuffer/Beechwood/point_0_view_3_domain_depth_zbuffer.png"),
        (broken("depth_zbuffer/", png(np.zeros((H, W), np.uint8))), "is no PNG of 16 bits of grey"),
        (broken("segment_semantic/", png(np.full((H, W), 18, np.uint8))), "holds the id 18, where 17 classes go from 1 to 17"),
        (broken("class_scene/", npy(np.zeros(10))), "10 scores, where 365"),
    ],
)  # fmt: skip
def test_bad_taskonomy_files_end_in_one_line(
    tmp_path: Path, change: Callable[[Files], Files], message: str
) -> None:
    path = write_tree(tmp_path / "a", change(taskonomy()))
    with pytest.raises(DenseError, match=message):
        read_first(path)


def test_nothing_is_read_outside_the_root(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "a", release())
    secret = tmp_path / "secret.npy"
    secret.write_bytes(npy(np.ones((H, W))))
    target = path / "de" / "bedroom" / "000.npy"
    target.unlink()
    target.symlink_to(secret)
    with pytest.raises(DenseError, match="leads outside"):
        open_dense(path, split="train")


def test_unknown_layouts_are_named(tmp_path: Path) -> None:
    with pytest.raises(DenseError, match="does not exist"):
        open_dense(tmp_path / "none", split="train")
    with pytest.raises(DenseError, match=r"in a layout that is known; looked for meta.json"):
        open_dense(write_tree(tmp_path / "a", {"a/1.png": photo()}), split="train")


def test_npy_order_is_kept() -> None:
    array = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(read_npy(npy(np.asfortranarray(array)), "x"), array)


def test_prepared_frames_are_the_same(tmp_path: Path) -> None:
    files = nyud_files(train=3, test=2)
    labels = SceneLabels(
        classes=("bath", "bed"), scenes={f"{i:04d}": "bed" for i in range(5)}, made_by="a coin"
    )
    write_scene_labels(tmp_path / "s.json", labels)
    archive = write_tar(tmp_path / "n.tar", files)
    layout = open_nyud_layout(archive, split="train", scene_labels=tmp_path / "s.json")
    done: list[int] = []
    write_prepared(tmp_path / "p", layout, split="train", resize_px=32, progress=done.append)
    prepared = open_dense(tmp_path / "p", split="train", share=0.67)
    assert done == [1, 2, 3]
    assert (len(prepared), prepared.scenes, prepared.label(0)) == (2, ("bath", "bed"), 1)
    original = open_dense(archive, split="train", share=0.67)
    for index in range(2):
        expected = resize_frame(original.frame(index), resize_px=32)
        found = pickle.loads(pickle.dumps(prepared)).frame(index)
        assert found.keys() == expected.keys()
        for name in found:
            np.testing.assert_array_equal(found[name], expected[name])
    with pytest.raises(NoSplitError):
        open_dense(tmp_path / "p", split="val")
    (tmp_path / "p" / "train" / "depth.npy").write_bytes(npy(np.zeros((3, 5, 5))))
    with pytest.raises(
        DenseError, match=r"depth.npy: float64 \(3, 5, 5\), where <f4 \(3, 32, 43\)"
    ):
        open_dense(tmp_path / "p", split="train").frame(0)
    facts = tmp_path / "p" / "train" / "frames.json"
    facts.write_text(json.dumps(json.loads(facts.read_text()) | {"scenes": [9, 9, 9]}))
    with pytest.raises(DenseError, match="is not what it should be"):
        open_dense(tmp_path / "p", split="train")


def test_validation_batches_carry_scenes(tmp_path: Path) -> None:
    path = write_tree(tmp_path / "a", release())
    geometry = Geometry(resize_px=16, crop_px=16)
    batch = next(
        iter(
            fixed_batches(
                open_dense(path, split="val"),
                name="d",
                batch_size=4,
                num_batches=1,
                geometry=geometry,
            )
        )
    )
    assert set(batch["label"].tolist()) <= {0, 1}
