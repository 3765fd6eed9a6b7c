"""Matching and average precision of detections: cases computed by hand, a plain loop over the devkit's rules, COCO's own tool."""

import contextlib
import io
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detection_scenes import detections_of, random_scene, shuffled, truth_of
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from scenelift.benchmarks.metrics.average_precision import DEFINITIONS, Definition
from scenelift.benchmarks.metrics.coco import Difficult, coco_averages, match_coco
from scenelift.benchmarks.metrics.detection import detection_averages, match_voc
from scenelift.benchmarks.metrics.scores import Detections, GroundTruthBoxes, ScoresError

GOLDEN = Path(__file__).parents[2] / "golden" / "ap" / "detection.json"
CASES = json.loads(GOLDEN.read_text())["cases"]
NAMES, CLASSES = ("a", "b"), ("cat", "dog")


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cases_computed_by_hand(case: dict[str, Any]) -> None:
    truth = truth_of(case["truth"], names=NAMES, classes=CLASSES)
    found = detections_of(case["detections"], truth=truth)
    plus_one = case.get("plus_one", True)
    verdict = match_voc(found, truth, plus_one=plus_one)
    assert verdict.tolist() == case["verdicts"], case["arithmetic"]
    for definition, value in case["cat"].items():
        averages = detection_averages(found, truth, definition=definition, plus_one=plus_one)
        assert averages.per_class[0] == pytest.approx(float(Fraction(value)), abs=1e-12)
    coco = coco_averages(found, truth, plus_one=plus_one)
    if "dog" not in {row[1] for row in case["truth"]}:
        assert coco.left_out == ("dog",)
        assert coco.mean_50 == pytest.approx(float(Fraction(case["coco_50"])), abs=1e-9)


def devkit_verdicts(detections: Detections, truth: GroundTruthBoxes) -> list[int]:
    """Judge by the devkit's rules, one detection after the other."""
    verdicts = [0] * len(detections.scores)
    taken: set[int] = set()
    keys = zip(-detections.scores.astype(float), detections.boxes.tolist(), strict=True)
    ranked = sorted(enumerate(keys), key=lambda pair: pair[1])
    for number, (_, (left, top, right, bottom)) in ranked:
        best, most = None, 0.0
        for index, (x0, y0, x1, y1) in enumerate(truth.boxes.tolist()):
            if truth.image_index[index] != detections.image_index[number]:
                continue
            if truth.class_index[index] != detections.class_index[number]:
                continue
            width = min(right, x1) - max(left, x0) + 1
            height = min(bottom, y1) - max(top, y0) + 1
            if width <= 0 or height <= 0:
                continue
            area = (right - left + 1) * (bottom - top + 1) + (x1 - x0 + 1) * (y1 - y0 + 1)
            overlap = width * height / (area - width * height)
            if overlap > most:
                best, most = index, overlap
        if best is None or most < 0.5:
            continue
        if truth.difficult[best]:
            verdicts[number] = -1
        elif best not in taken:
            taken.add(best)
            verdicts[number] = 1
    return verdicts


@pytest.mark.parametrize("levels", [0, 5])
@pytest.mark.parametrize("seed", range(3))
def test_matching_is_that_of_a_plain_loop(
    seed: int, levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, truth = random_scene(np.random.default_rng(seed), levels=levels, classes=2)
    expected = devkit_verdicts(found, truth)
    assert {-1, 0, 1} == set(expected)
    assert match_voc(found, truth).tolist() == expected
    monkeypatch.setattr("scenelift.benchmarks.metrics.detection._CHUNK_PAIRS", 7)
    assert match_voc(found, truth).tolist() == expected


def coco_tool(detections: Detections, truth: GroundTruthBoxes, *, crowd: bool = True) -> COCOeval:
    """Hand the same boxes to COCO's tool, which counts a box from its left edge with width and height."""

    def boxes(rows: np.ndarray) -> list[list[float]]:
        return np.hstack([rows[:, :2] - 1, rows[:, 2:] - rows[:, :2] + 1]).tolist()  # type: ignore[no-any-return]

    annotations = [
        {
            "id": number + 1,
            "image_id": int(truth.image_index[number]),
            "category_id": int(truth.class_index[number]),
            "iscrowd": int(truth.difficult[number]) if crowd else 0,
            # Beyond the range of areas: ignored, but no crowd.
            "area": 1e11 if truth.difficult[number] else box[2] * box[3],
            "bbox": box,
        }
        for number, box in enumerate(boxes(truth.boxes))
    ]
    results = [
        {
            "image_id": int(detections.image_index[number]),
            "category_id": int(detections.class_index[number]),
            "score": float(detections.scores[number]),
            "bbox": box,
        }
        for number, box in enumerate(boxes(detections.boxes))
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        tool: Any = COCO()
        tool.dataset = {
            "images": [{"id": number} for number in range(len(truth.names))],
            "annotations": annotations,
            "categories": [{"id": number} for number in range(len(truth.classes))],
        }
        tool.createIndex()
        return COCOeval(tool, tool.loadRes(results), "bbox")


def precision_of(judge: COCOeval) -> np.ndarray:
    with contextlib.redirect_stdout(io.StringIO()):
        judge.evaluate()
        judge.accumulate()
    return np.asarray(judge.eval["precision"])[:, :, :, 0, -1]


@pytest.mark.parametrize("levels", [0, 6])
@pytest.mark.parametrize("difficult", ["crowd", "ignored"])
@pytest.mark.parametrize("seed", range(3))
def test_coco_agrees_with_its_own_tool(seed: int, difficult: Difficult, levels: int) -> None:
    found, truth = random_scene(np.random.default_rng(seed), levels=levels)
    precision = precision_of(coco_tool(found, truth, crowd=difficult == "crowd"))
    ours = coco_averages(found, truth, difficult=difficult, ties="listed" if levels else "grouped")
    np.testing.assert_allclose(ours.per_class, precision.mean(axis=(0, 1)), atol=1e-9)
    assert ours.mean == pytest.approx(precision.mean(), abs=1e-9)
    assert ours.mean_50 == pytest.approx(precision[0].mean(), abs=1e-9)
    assert ours.mean_75 == pytest.approx(precision[5].mean(), abs=1e-9)


def test_coco_judges_the_most_certain_hundred() -> None:
    found, truth = random_scene(np.random.default_rng(0), pictures=6, per_picture=250, classes=1)
    precision = precision_of(coco_tool(found, truth))
    ours = coco_averages(found, truth)
    assert ours.mean == pytest.approx(precision.mean(), abs=1e-9)
    more = coco_averages(found, truth, max_detections=250)
    assert more.mean != pytest.approx(ours.mean, abs=1e-6)


def test_voc_agrees_with_an_independent_tool_where_the_definitions_do() -> None:
    """True boxes that do not touch have no second choice, so the matchings agree; none is difficult, no picture has too many."""
    for seed in range(3):
        found, truth = random_scene(np.random.default_rng(seed), difficult=0, apart=True)
        judge = coco_tool(found, truth)
        judge.params.iouThrs = np.array([0.5])
        judge.params.recThrs = np.array([level / 10 for level in range(11)])
        eleven = precision_of(judge).mean(axis=(0, 1))
        ours = detection_averages(found, truth, definition="voc07")
        np.testing.assert_allclose(ours.per_class, eleven, atol=1e-9)
        judge = coco_tool(found, truth)
        judge.params.iouThrs = np.array([0.5])
        # Recall moves in steps of one box, so these levels give the area exactly; just below each against rounding.
        wanted = np.bincount(truth.class_index, minlength=4)
        for label in range(4):
            judge.params.recThrs = np.arange(1, wanted[label] + 1) / wanted[label] - 1e-9
            area = precision_of(judge)[0, :, label].mean()
            ours = detection_averages(found, truth, definition="area")
            assert ours.per_class[label] == pytest.approx(area, abs=1e-9)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_perfect_and_shuffled_detectors(definition: Definition) -> None:
    rng = np.random.default_rng(0)
    _, truth = random_scene(rng, pictures=200)
    perfect = Detections(
        image_index=truth.image_index,
        class_index=truth.class_index,
        scores=rng.random(len(truth.boxes), dtype=np.float32),
        boxes=truth.boxes,
    )
    alone = replace(truth, difficult=np.zeros(len(truth.boxes), np.bool_))
    # Boxes that lie on each other would find the same one.
    boxes = truth.boxes + 1000 * np.arange(len(truth.boxes))[:, None]
    perfect, alone = replace(perfect, boxes=boxes), replace(alone, boxes=boxes)
    assert detection_averages(perfect, alone, definition=definition).mean == pytest.approx(1)
    assert coco_averages(perfect, alone).mean == pytest.approx(1)
    elsewhere = replace(perfect, image_index=rng.permutation(truth.image_index))
    assert detection_averages(elsewhere, alone, definition=definition).mean < 0.1
    assert coco_averages(elsewhere, alone).mean < 0.1


@pytest.mark.parametrize("levels", [0, 3])
def test_the_order_of_pictures_and_detections_changes_nothing(levels: int) -> None:
    rng = np.random.default_rng(1)
    found, truth = random_scene(rng, levels=levels)
    for _ in range(3):
        found2, truth2 = shuffled(found, truth, rng=rng)
        for definition in DEFINITIONS:
            np.testing.assert_array_equal(
                detection_averages(found2, truth2, definition=definition).per_class,
                detection_averages(found, truth, definition=definition).per_class,
            )
        np.testing.assert_array_equal(
            coco_averages(found2, truth2).per_class, coco_averages(found, truth).per_class
        )


def test_listed_ties_do_depend_on_the_order() -> None:
    """The reason for grouping: with few different scores, the list's order moves the figure by points."""
    rng = np.random.default_rng(1)
    found, truth = random_scene(rng, levels=3)
    values = [
        detection_averages(*shuffled(found, truth, rng=rng), definition="area", ties="listed").mean
        for _ in range(3)
    ]
    assert max(values) - min(values) > 0.003


def test_a_class_without_boxes_to_find_is_left_out_and_named() -> None:
    truth = truth_of(
        [["a", "cat", [1, 1, 10, 10], False], ["a", "dog", [1, 1, 10, 10], True]],
        names=NAMES,
        classes=(*CLASSES, "cow"),
    )
    found = detections_of([["a", "cow", 0.9, [1, 1, 10, 10]]], truth=truth)
    averages = detection_averages(found, truth, definition="area")
    assert averages.left_out == ("dog", "cow")
    assert averages.mean == 0
    assert coco_averages(found, truth).left_out == ("dog", "cow")


def test_nothing_found_and_nothing_to_find() -> None:
    truth = truth_of([], names=NAMES, classes=CLASSES)
    found = detections_of([["a", "cat", 0.9, [1, 1, 10, 10]]], truth=truth)
    assert match_voc(found, truth).tolist() == [0]
    assert match_coco(found, truth).tolist() == [[0]] * 10
    assert np.isnan(detection_averages(found, truth, definition="area").mean)
    assert np.isnan(coco_averages(found, truth).mean)
    none = detections_of([], truth=truth)
    some = truth_of([["a", "cat", [1, 1, 10, 10], False]], names=NAMES, classes=CLASSES)
    assert match_voc(none, some).shape == (0,)
    assert detection_averages(none, some, definition="voc07").mean == 0
    assert coco_averages(none, some).mean == 0


def test_boxes_of_no_area() -> None:
    truth = truth_of([["a", "cat", [3, 3, 3, 3], False]], names=NAMES, classes=CLASSES)
    found = detections_of([["a", "cat", 0.9, [3, 3, 3, 3]]], truth=truth)
    assert match_voc(found, truth).tolist() == [1]
    assert match_voc(found, truth, plus_one=False).tolist() == [0]
    assert match_coco(found, truth, plus_one=False)[0].tolist() == [0]


def test_hostile_boxes_say_what_and_where() -> None:
    truth = truth_of([["a", "cat", [1, 1, 9, 9], False]], names=NAMES, classes=CLASSES)
    found = detections_of([["a", "cat", 0.5, [1, 1, 9, 9]]], truth=truth)
    with pytest.raises(ScoresError, match=r"detection 0 is \[5.0, 1.0, 4.0, 9.0\]: inverted"):
        replace(found, boxes=np.array([[5.0, 1, 4, 9]]))
    with pytest.raises(ScoresError, match=r"true box 0 .* not finite"):
        replace(truth, boxes=np.array([[1, 1, np.nan, 9]]))
    with pytest.raises(ScoresError, match="score of detection 0 is nan"):
        replace(found, scores=np.array([np.nan], np.float32))
    with pytest.raises(ScoresError, match="true box 0 names number 7 of 2 classes"):
        replace(truth, class_index=np.array([7]))
    for field, message in (("image_index", "2 pictures"), ("class_index", "2 classes")):
        strange = replace(found, **{field: np.array([2])})
        for judge in (match_voc, match_coco):
            with pytest.raises(ScoresError, match=f"detection 0 names number 2 of {message}"):
                judge(strange, truth)
