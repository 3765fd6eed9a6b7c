"""Saved scores: written and read again, explained, and hostile files of every kind."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_scenes import random_scene

from scenelift.benchmarks.metrics.average_precision import classification_averages
from scenelift.benchmarks.metrics.coco import coco_averages
from scenelift.benchmarks.metrics.detection import detection_averages
from scenelift.benchmarks.metrics.explain import explain
from scenelift.benchmarks.metrics.scores import ClassificationScores, ScoresError
from scenelift.benchmarks.metrics.scores_file import (
    read_classification,
    read_detections,
    read_scores,
    write_classification,
    write_detections,
)


def some_scores() -> ClassificationScores:
    rng = np.random.default_rng(0)
    labels = rng.integers(-1, 2, (50, 3)).astype(np.int8)
    scores = (rng.normal(size=(50, 3)) + labels).astype(np.float32)
    return ClassificationScores(
        names=tuple(f"{number:06}" for number in range(50)),
        classes=("cat", "dog", "Hund ä"),
        scores=scores,
        labels=labels,
    )


def test_scores_come_back(tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    scores = some_scores()
    write_classification(path, scores)
    read = read_classification(path)
    assert (read.names, read.classes) == (scores.names, scores.classes)
    np.testing.assert_array_equal(read.scores, scores.scores)
    np.testing.assert_array_equal(read.labels, scores.labels)
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.npz"]
    before = path.read_bytes()
    write_classification(path, read)
    assert path.read_bytes() == before


def test_detections_come_back(tmp_path: Path) -> None:
    path = tmp_path / "detections.npz"
    found, truth = random_scene(np.random.default_rng(0))
    write_detections(path, found, truth=truth)
    found2, truth2 = read_detections(path)
    assert (truth2.names, truth2.classes) == (truth.names, truth.classes)
    for one, other in ((found, found2), (truth, truth2)):
        for field in ("image_index", "class_index", "boxes", "scores", "difficult"):
            if hasattr(one, field):
                np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
    empty = random_scene(np.random.default_rng(0), pictures=1, per_picture=0)
    write_detections(path, empty[0], truth=empty[1])
    assert read_detections(path)[0].boxes.shape == (0, 4)


def test_all_definitions_come_from_one_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    write_classification(path, some_scores())
    said = explain(path)
    assert [each.name for each in said] == [
        "11-point",
        "area",
        "scikit-learn step",
        "scikit-learn trapezoid",
        "101-point",
        "scikit-learn step, ties by 1e-5",
    ]
    assert said[1].mean == classification_averages(some_scores(), definition="area").mean
    assert len({round(each.mean, 6) for each in said[:5]}) == 5
    points = 100 * (said[1].mean - said[0].mean)
    assert said[1].difference.startswith(f"{points:+.2f} points: ")
    assert all(each.definition.endswith(".") for each in said)

    path = tmp_path / "detections.npz"
    found, truth = random_scene(np.random.default_rng(0))
    write_detections(path, found, truth=truth)
    said = explain(path)
    by_name = {each.name: each for each in said}
    assert by_name["COCO"].mean == coco_averages(found, truth).mean
    eleven = detection_averages(found, truth, definition="voc07", plus_one=False)
    assert by_name["11-point, corner not counted"].mean == eleven.mean
    assert "difficult" in by_name["COCO"].definition


def arrays_of(path: Path) -> dict[str, Any]:
    with np.load(path) as file:
        return dict(file)


def spoil_scores(**changes: Any) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        arrays = {**arrays_of(path), **changes}
        kept = {name: array for name, array in arrays.items() if array is not None}
        np.savez(path, **kept)

    return spoil


def put_member(name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> Callable[[Path], None]:
    def put(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr(name, data)

    return put


def put_bad_name(path: Path) -> None:
    """Say that a name is UTF-8 where it is not."""
    put_member("scores\u00e9.npy", b"x")(path)
    path.write_bytes(path.read_bytes().replace(b"\xc3\xa9", b"\xff\xff"))


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "no file of scores"),
    "text": (lambda path: path.write_text("hello"), "no file of scores"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:-40]), "no file of scores"),
    "no version": (spoil_scores(format_version=None), "holds no format_version"),
    "a later version": (spoil_scores(format_version=np.int64(2)), "format version 2"),
    "no labels": (spoil_scores(labels=None), "holds no labels"),
    "double scores": (spoil_scores(scores=np.zeros((50, 3))), "float64 of 2 dimensions"),
    "flat scores": (spoil_scores(scores=np.zeros(50, np.float32)), "1 dimensions"),
    "fewer labels": (spoil_scores(labels=np.zeros((49, 3), np.int8)), r"labels \(49, 3\)"),
    "fewer names": (spoil_scores(names=np.array(["a"])), "where 1 pictures and 3 classes"),
    "names twice": (spoil_scores(names=np.array(["a"] * 50)), "'a' is named twice"),
    "names of bytes": (spoil_scores(names=np.array([b"a"] * 50)), "no list of names"),
    "names that are no text": (
        spoil_scores(names=np.full(50, 0x7FFFFFFF, np.uint32).view("<U1")),
        "no text",
    ),
    "NaN": (spoil_scores(scores=np.full((50, 3), np.nan, np.float32)), "000000 for cat is nan"),
    "label 5": (spoil_scores(labels=np.full((50, 3), 5, np.int8)), "is 5, where 1, 0 and -1"),
    "a pickle": (spoil_scores(names=np.array([{}] * 50, dtype=object)), "which no file of scores"),
    "no array": (put_member("scores.npy", b"no array at all"), "no array of numpy's"),
    "a long header": (
        put_member("scores.npy", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535),
        "no array of numpy's",
    ),
    "short content": (put_member("scores.npy", npy(np.zeros(9))[:-8]), "where its shape"),
    "another packing": (
        put_member("scores.npy", npy(np.zeros(9)), zipfile.ZIP_LZMA),
        "a method that numpy never uses",
    ),
    "a name that is no text": (put_bad_name, "no file of scores"),
    "a negative shape": (
        put_member("scores.npy", npy(np.zeros(12)).replace(b"(12,)", b"(-1,)", 1)),
        "which no file of scores",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_files_say_one_line(tmp_path: Path, kind: str) -> None:
    spoil, message = BROKEN[kind]
    path = tmp_path / "scores.npz"
    write_classification(path, some_scores())
    spoil(path)
    with pytest.raises(ScoresError, match=message) as caught:
        read_classification(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "scores.npz"
    monkeypatch.setattr("scenelift.benchmarks.metrics.scores_file.MAX_ARRAY_BYTES", 10_000)
    np.savez_compressed(path, scores=np.zeros(100_000, np.float32))
    with pytest.raises(ScoresError, match="400128 bytes, more than 10000"):
        read_scores(path)
    np.savez(path, **{f"a{number}": np.zeros(1) for number in range(40)})  # type: ignore[arg-type]
    with pytest.raises(ScoresError, match="holds 40 arrays"):
        read_scores(path)


def test_broken_detections_say_one_line(tmp_path: Path) -> None:
    path = tmp_path / "detections.npz"
    found, truth = random_scene(np.random.default_rng(0))
    for changes, message in (
        ({"detection_box": np.zeros((3, 5))}, "5 columns, where a box has 4"),
        ({"detection_box": np.zeros((3, 4))}, "detection_box and what belongs to it differ"),
        ({"truth_difficult": np.zeros(1, bool)}, "truth_box and what belongs to it differ"),
        ({"truth_difficult": np.zeros(len(truth.boxes))}, "truth_difficult is float64"),
        ({"truth_box": -truth.boxes}, "true box 0 .* inverted"),
        ({"detection_image": found.image_index + 1}, "names number 40 of 40 pictures"),
    ):
        write_detections(path, found, truth=truth)
        spoil_scores(**changes)(path)
        with pytest.raises(ScoresError, match=message):
            read_detections(path)


def test_neither_folder_nor_pipe_nor_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_scores(tmp_path / "none.npz")
    with pytest.raises(ScoresError, match="is not a plain file"):
        read_scores(tmp_path)


def test_single_bits_turned_raise_no_other_error(tmp_path: Path) -> None:
    path = tmp_path / "scores.npz"
    write_classification(path, some_scores())
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        try:
            read_scores(path)
        except ScoresError:
            refused += 1
    assert refused > 200
