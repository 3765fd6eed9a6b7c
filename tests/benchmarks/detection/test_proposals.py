"""Proposals: what is found, kept, read and refused."""

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from detection_trees import all_pictures, plant
from jaxtyping import UInt8

import scenelift.benchmarks.detection.proposal_run as proposal_run
from scenelift.benchmarks.detection.pictures import Pictures
from scenelift.benchmarks.detection.proposal_file import Proposals, read_proposals, write_proposals
from scenelift.benchmarks.detection.proposal_run import (
    cache_key,
    cache_path,
    compute_proposals,
    proposals_from_file,
    recall_by_count,
)
from scenelift.benchmarks.detection.proposals import Mode, ProposalSettings, Source, propose
from scenelift.benchmarks.task import BenchError

LIGHT = ProposalSettings(mode="light", max_boxes=60)


def square() -> UInt8[np.ndarray, "60 90 3"]:
    """A red square from (30, 20) to (60, 50) on grey noise."""
    image = np.random.default_rng(0).integers(100, 120, (60, 90, 3)).astype(np.uint8)
    image[20:50, 30:60] = (220, 20, 20)
    return image


def pictures_of(root: Path) -> Pictures:
    plant(root, {"train": 6, "val": 2}, names=("bird", "bus"), size=64)
    return all_pictures(root, split="train")


def compute(
    pictures: Pictures, cache: Path, **changed: object
) -> tuple[Proposals, list[tuple[str, int, int]]]:
    told: list[tuple[str, int, int]] = []
    arguments = {"settings": LIGHT, "fingerprint": "f", "workers": 0, **changed}
    found = compute_proposals(
        pictures,
        cache=cache,
        progress=lambda *words: told.append(words),
        **arguments,  # type: ignore[arg-type]
    )
    return found, told


@pytest.mark.parametrize(
    ("source", "mode"),
    [("selective-search", "light"), ("selective-search", "fast"), ("edge-boxes", "fast")],
)
@pytest.mark.parametrize("width_px", [None, 180])
def test_a_square_is_found(source: Source, mode: Mode, width_px: int | None) -> None:
    settings = ProposalSettings(source=source, mode=mode, width_px=width_px)
    found = propose(square(), name="a", settings=settings)
    nearest = np.abs(found - [30, 20, 60, 50]).max(axis=1).min()
    assert nearest <= (6 if source == "edge-boxes" else 3)
    assert (found[:, :2] >= 0).all()
    assert (found[:, 2:] <= [90, 60]).all()
    assert (found[:, 2:] - found[:, :2] >= settings.min_side_px).all()
    assert len(np.unique(found, axis=0)) == len(found)


def test_a_name_decides_the_order_and_nothing_else() -> None:
    first, again, other = (
        propose(square(), name=name, settings=ProposalSettings()) for name in ("a", "a", "b")
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(np.unique(first, axis=0), np.unique(other, axis=0))


def test_a_blank_picture_has_no_edges() -> None:
    blank = np.full((40, 40, 3), 128, np.uint8)
    for source in ("selective-search", "edge-boxes"):
        found = propose(blank, name="a", settings=ProposalSettings(source=source))
        assert found.shape[1:] == (4,)


def test_no_more_than_asked_for() -> None:
    settings = ProposalSettings(max_boxes=5)
    whole = propose(square(), name="a", settings=ProposalSettings())
    assert np.array_equal(propose(square(), name="a", settings=settings), whole[:5])


def test_workers_change_nothing(tmp_path: Path) -> None:
    pictures = pictures_of(tmp_path / "voc")
    for workers in (0, 3):
        compute(pictures, tmp_path / str(workers), workers=workers)
    (first,) = (tmp_path / "0").iterdir()
    assert (tmp_path / "3" / first.name).read_bytes() == first.read_bytes()


def test_what_is_kept_is_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an interruption only the rest is computed, and the file is the same."""
    pictures = pictures_of(tmp_path / "voc")
    compute(pictures, tmp_path / "whole")
    monkeypatch.setattr(proposal_run, "_SAVE_EVERY_S", -1.0)
    seen: list[str] = []

    def stop_at_the_fourth(*arguments: object, **settings: object) -> object:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(str(settings["name"]))
        return propose(*arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(proposal_run, "propose", stop_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        compute(pictures, tmp_path / "cut")
    monkeypatch.setattr(proposal_run, "propose", propose)
    _, told = compute(pictures, tmp_path / "cut")
    assert [count for _, count, _ in told] == [4, 5, 6]
    (wanted,), (found,) = ((tmp_path / which).iterdir() for which in ("whole", "cut"))
    assert found.read_bytes() == wanted.read_bytes()
    _, told = compute(pictures, tmp_path / "cut")
    assert told == []


def test_other_data_and_settings_are_kept_apart(tmp_path: Path) -> None:
    pictures = pictures_of(tmp_path / "voc")
    compute(pictures, tmp_path / "cache")
    compute(pictures, tmp_path / "cache", fingerprint="other")
    compute(pictures, tmp_path / "cache", settings=ProposalSettings(mode="light", max_boxes=61))
    assert len(list((tmp_path / "cache").iterdir())) == 3


@pytest.mark.parametrize("damage", ["cut", "other key", "noise"])
def test_a_cache_that_is_damaged_is_computed_again(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    pictures = pictures_of(tmp_path / "voc")
    wanted, _ = compute(pictures, tmp_path)
    path = cache_path(tmp_path, key=cache_key(fingerprint="f", settings=LIGHT))
    good = path.read_bytes()
    if damage == "other key":
        write_proposals(path, {name: boxes + 1 for name, boxes in wanted.items()}, key="else")
    else:
        path.write_bytes(good[: len(good) // 2] if damage == "cut" else b"noise" * 99)
    found, _ = compute(pictures, tmp_path)
    assert all(np.array_equal(found[name], boxes) for name, boxes in wanted.items())
    assert path.read_bytes() == good
    assert "computed again" in caplog.text


def test_recall_counts_covered_objects(tmp_path: Path) -> None:
    pictures = pictures_of(tmp_path)
    exact = {
        name: pictures.truth(index).corners.astype(np.float32)
        for index, name in enumerate(pictures.names)
    }
    most = max(len(boxes) for boxes in exact.values())
    assert recall_by_count(pictures, exact, counts=(most,)) == {most: 1.0}
    away = {name: boxes + 500 for name, boxes in exact.items()}
    assert recall_by_count(pictures, away, counts=(9,)) == {9: 0.0}
    late = {name: np.concatenate([away[name], exact[name]]) for name in exact}
    total = sum(len(boxes) for boxes in exact.values())
    singles = sum(len(boxes) for boxes in exact.values() if len(boxes) == 1)
    assert recall_by_count(pictures, late, counts=(1, 2))[2] == pytest.approx(singles / total)


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    boxes = np.array([[0, 0, 5, 9], [3.5, 2, 4.5, 3]], np.float32)
    write_proposals(tmp_path / "p.npz", {"b": boxes, "a": boxes[:0]}, key="k")
    found, key = read_proposals(tmp_path / "p.npz")
    assert key == "k"
    assert list(found) == ["b", "a"]
    assert np.array_equal(found["b"], boxes)
    assert found["a"].shape == (0, 4)


@pytest.mark.parametrize("compressed", [False, True])
def test_girshicks_file_is_read(tmp_path: Path, compressed: bool) -> None:
    """Rows are ymin, xmin, ymax, xmax, counted from 1."""
    boxes, images = np.zeros((1, 2), object), np.zeros((2, 1), object)
    boxes[0, 0] = np.array([[1, 2, 10, 20], [3, 4, 5, 6]], np.uint16)
    boxes[0, 1] = np.array([[7, 7, 7, 7]], np.float64)
    images[:, 0] = ["000005", "000007"]
    path = tmp_path / "voc_2007_trainval.mat"
    scipy.io.savemat(path, {"boxes": boxes, "images": images}, do_compression=compressed)
    found, _ = read_proposals(path)
    assert found["000005"].tolist() == [[1, 0, 20, 10], [3, 2, 6, 5]]
    assert found["000007"].tolist() == [[6, 6, 7, 7]]


def test_proposals_of_other_pictures_are_refused(tmp_path: Path) -> None:
    pictures = pictures_of(tmp_path / "voc")
    box = np.array([[0, 0, 20, 20]], np.float32)
    path = tmp_path / "p.npz"
    write_proposals(path, {"000001": box, "900000": box})
    with pytest.raises(BenchError, match=r"not of 5 of the 6 wanted, 000002 first"):
        proposals_from_file(path, pictures=pictures, max_boxes=9)
    write_proposals(path, dict.fromkeys(pictures.names, 10 * box))
    with pytest.raises(BenchError, match=r"leaves its picture of 64 x 48 pixels"):
        proposals_from_file(path, pictures=pictures, max_boxes=9)


def npz(**arrays: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.savez(data, **arrays)  # type: ignore[arg-type]
    return data.getvalue()


def claiming() -> bytes:
    """An array of a few bytes whose header claims a terabyte."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (2**36, 4)}
    )
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in ("names", "counts", "boxes"):
            archive.writestr(f"{name}.npy", header.getvalue() + b"1234")
    return data.getvalue()


NAMES, ONE = np.array(["a"]), np.array([1])
HOSTILE = {
    "empty": b"",
    "text": b"no archive" * 20,
    "terabyte": claiming(),
    "objects": npz(names=np.array([None]), counts=ONE, boxes=np.ones((1, 4))),
    "counts beyond": npz(names=NAMES, counts=np.array([2**62]), boxes=np.ones((1, 4))),
    "negative": npz(names=np.array(["a", "b"]), counts=np.array([-1, 2]), boxes=np.ones((1, 4))),
    "three numbers": npz(names=NAMES, counts=ONE, boxes=np.ones((1, 3))),
    "not finite": npz(names=NAMES, counts=ONE, boxes=np.array([[1, 1, np.nan, 2]])),
    "inverted": npz(names=NAMES, counts=ONE, boxes=np.array([[5.0, 1, 4, 2]])),
    "twice": npz(names=np.array(["a", "a"]), counts=np.array([0, 1]), boxes=np.ones((1, 4))),
    "other members": npz(pictures=NAMES),
    "scalar": npz(names=NAMES, counts=np.array(1), boxes=np.ones((1, 4))),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_npz_ends_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "p.npz"
    path.write_bytes(HOSTILE[kind])
    with pytest.raises(BenchError, match=r"p\.npz") as caught:
        read_proposals(path)
    assert "\n" not in str(caught.value)


def good_mat() -> bytes:
    boxes, images = np.zeros((1, 1), object), np.zeros((1, 1), object)
    boxes[0, 0], images[0, 0] = np.ones((3, 4)), "a"
    data = io.BytesIO()
    scipy.io.savemat(data, {"boxes": boxes, "images": images}, do_compression=True)
    return data.getvalue()


def test_mutated_mat_is_read_or_refused(tmp_path: Path) -> None:
    good = good_mat()
    path = tmp_path / "p.mat"
    rng = np.random.default_rng(0)
    said: list[str] = []
    for _ in range(150):
        data = bytearray(good[: int(rng.integers(1, len(good) + 1))])
        for place in rng.integers(0, len(data), 3):
            data[place] = int(rng.integers(256))
        path.write_bytes(data)
        try:
            read_proposals(path)
        except BenchError as error:
            said.append(str(error))
    assert len(said) > 100
    assert "\n" not in "".join(said)


def test_a_mat_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import scenelift.benchmarks.detection.proposal_file as proposal_file

    monkeypatch.setattr(proposal_file, "_MAX_BYTES", 2**20)
    path = tmp_path / "p.mat"
    scipy.io.savemat(path, {"x": np.zeros(2**20)}, do_compression=True)
    with pytest.raises(BenchError, match="unpacked, too many"):
        read_proposals(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [({"x": np.ones(3)}, "lacks the cells"), ({"boxes": np.ones(3), "images": "a"}, "lacks")],
)
def test_a_mat_of_something_else_is_refused(
    tmp_path: Path, content: dict[str, object], said: str
) -> None:
    path = tmp_path / "p.mat"
    scipy.io.savemat(path, content)
    with pytest.raises(BenchError, match=said):
        read_proposals(path)


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (Path.touch, (str(tmp_path / "sprung"),))

    path = tmp_path / "voc_2007_trainval.pkl"
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(BenchError, match="a pickle runs code"):
        read_proposals(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("field", [{"max_boxes": 0}, {"width_px": 1}])
def test_settings_that_make_no_sense_are_refused(field: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        ProposalSettings(**field)  # type: ignore[arg-type]
