"""Average precision of a classifier: cases computed by hand, scikit-learn, ties, ignored pictures, and what no order may change."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, precision_recall_curve

from scenelift.benchmarks.metrics.average_precision import (
    DEFINITIONS,
    Definition,
    RankCurve,
    average_precision,
    classification_averages,
    rank_curve,
)
from scenelift.benchmarks.metrics.scores import ClassificationScores, ScoresError

GOLDEN = Path(__file__).parents[2] / "golden" / "ap" / "classification.json"
CASES = json.loads(GOLDEN.read_text())["cases"]


def one_class(scores: Any, labels: Any) -> ClassificationScores:
    return ClassificationScores(
        names=tuple(str(number) for number in range(len(scores))),
        classes=("cat",),
        scores=np.array(scores, np.float32)[:, None],
        labels=np.array(labels, np.int8)[:, None],
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_cases_computed_by_hand(case: dict[str, Any]) -> None:
    scores, labels = np.array(case["scores"]), np.array(case["labels"])
    counted = labels >= 0
    curve = rank_curve(scores[counted], labels[counted] == 1, ties=case.get("ties", "grouped"))
    for definition, (value, arithmetic) in case["expected"].items():
        found = average_precision(curve, definition=definition)
        assert found == pytest.approx(float(Fraction(value)), abs=1e-12), arithmetic


@pytest.mark.parametrize("levels", [0, 7])
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    positive = rng.random(300) < 0.2
    scores = rng.normal(size=300) + positive
    if levels:
        scores = np.round(scores * levels / 4)
    curve = rank_curve(scores, positive)
    step = average_precision(curve, definition="step")
    assert step == pytest.approx(average_precision_score(positive, scores), abs=1e-12)
    # What the package computed before 0.19: the trapezoid below its curve, which starts at precision 1.
    precision, recall, _ = precision_recall_curve(positive, scores)
    trapezoid = average_precision(curve, definition="trapezoid")
    assert trapezoid == pytest.approx(auc(recall, precision), abs=1e-12)
    ranked = rank_curve(scores, positive, ties="philkr")
    assert average_precision(ranked, definition="step") == pytest.approx(
        average_precision_score(positive, scores - 1e-5 * positive), abs=1e-12
    )


def test_the_envelope_by_brute_force() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        positive = rng.random(40) < 0.4
        curve = rank_curve(np.round(rng.normal(size=40), 1), positive, num_positives=60)
        points = list(
            zip(curve.true_positives.tolist(), curve.false_positives.tolist(), strict=True)
        )

        def best(recall: Fraction, points: list[tuple[int, int]] = points) -> Fraction:
            reached = [Fraction(r, r + w) for r, w in points if Fraction(r, 60) >= recall]
            return max(reached, default=Fraction(0))

        voc07 = sum(best(Fraction(k, 10)) for k in range(11)) / 11
        assert average_precision(curve, definition="voc07") == pytest.approx(float(voc07))
        area = sum(best(Fraction(k, 60)) for k in range(1, 61)) / 60
        assert average_precision(curve, definition="area") == pytest.approx(float(area))


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_perfect_worst_constant_and_missing(definition: Definition) -> None:
    scores = np.arange(10.0)
    perfect = rank_curve(scores, scores >= 7)
    assert average_precision(perfect, definition=definition) == 1
    constant = rank_curve(np.zeros(10), scores >= 7)
    expected = (1 + 0.3) / 2 if definition == "trapezoid" else 0.3
    assert average_precision(constant, definition=definition) == pytest.approx(expected)
    nothing = rank_curve(np.zeros(0), np.zeros(0, bool), num_positives=3)
    assert average_precision(nothing, definition=definition) == 0
    wrong = rank_curve(scores, np.zeros(10, bool), num_positives=3)
    assert average_precision(wrong, definition=definition) == 0
    assert np.isnan(average_precision(rank_curve(scores, scores > 99), definition=definition))


def test_random_scores_are_near_the_share_of_positives() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(20_000) < 0.1
    curve = rank_curve(rng.random(20_000), positive)
    for definition in DEFINITIONS:
        assert average_precision(curve, definition=definition) == pytest.approx(0.1, abs=0.02)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([-1, 0, 1])), min_size=1, max_size=30),
    st.randoms(use_true_random=False),
    st.sampled_from(DEFINITIONS),
    st.sampled_from(["grouped", "philkr"]),
)
def test_the_order_of_pictures_and_ignored_ones_change_nothing(
    rows: list[tuple[int, int]], random: Any, definition: Definition, ties: Any
) -> None:
    def value(rows: list[tuple[int, int]]) -> float:
        scores = one_class([row[0] / 4 for row in rows], [row[1] for row in rows])
        return classification_averages(scores, definition=definition, ties=ties).mean

    shuffled = random.sample(rows, len(rows))
    np.testing.assert_equal(value(rows), value(shuffled))
    without = [row for row in rows if row[1] >= 0]
    np.testing.assert_equal(value(rows), value(without))
    # More ignored pictures, and any rising map of scores.
    np.testing.assert_equal(value(rows), value([(3 * s, label) for s, label in rows] + [(2, -1)]))


def test_listed_ties_follow_the_list_and_bracket_the_group() -> None:
    scores, positive = np.zeros(4), np.array([True, True, False, False])
    values = [
        average_precision(rank_curve(scores, p, ties="listed"), definition="step")
        for p in (positive, positive[::-1])
    ]
    grouped = average_precision(rank_curve(scores, positive), definition="step")
    assert values == [1, pytest.approx((1 / 3 + 2 / 4) / 2)]
    assert values[1] < grouped < values[0]


def test_step_is_never_above_area() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        curve = rank_curve(rng.integers(0, 20, 60).astype(np.float64), rng.random(60) < 0.3)
        values = [average_precision(curve, definition=d) for d in ("step", "area")]
        assert values[0] <= values[1] + 1e-12


def test_a_class_without_positives_is_left_out_and_named() -> None:
    scores = ClassificationScores(
        names=("a", "b"),
        classes=("cat", "dog", "cow"),
        scores=np.array([[1, 1, 1], [0, 0, 0]], np.float32),
        labels=np.array([[0, 0, -1], [1, 0, 1]], np.int8),
    )
    found = classification_averages(scores, definition="step")
    np.testing.assert_allclose(found.per_class, [0.5, np.nan, 1])
    assert found.mean == 0.75
    assert found.left_out == ("dog",)
    nothing = one_class([1.0], [0])
    assert np.isnan(classification_averages(nothing, definition="area").mean)


def test_single_precision_is_widened_before_1e_5_is_taken() -> None:
    # At 1000, neighbours in single precision lie 6e-5 apart: the difference would round away.
    scores = np.array([1000, 1000], np.float32)
    curve = rank_curve(scores, np.array([True, False]), ties="philkr")
    assert curve.true_positives.tolist() == [0, 1]


def test_what_cannot_be_ranked_is_refused() -> None:
    with pytest.raises(ScoresError, match="1 of 2 scores are not finite"):
        rank_curve(np.array([1.0, np.nan]), np.array([True, False]))
    with pytest.raises(ScoresError, match="2 answers are right, but only 1"):
        rank_curve(np.zeros(2), np.array([True, True]), num_positives=1)


def test_hostile_scores_say_where() -> None:
    with pytest.raises(ScoresError, match="score of 1 for cat is nan; 1 of 2 are not finite"):
        one_class([0.0, np.nan], [0, 1])
    with pytest.raises(ScoresError, match="label of 1 for cat is 2"):
        one_class([0.0, 1.0], [0, 2])
    with pytest.raises(ScoresError, match="'a' is named twice"):
        ClassificationScores(
            names=("a", "a"),
            classes=("cat",),
            scores=np.zeros((2, 1), np.float32),
            labels=np.zeros((2, 1), np.int8),
        )
    with pytest.raises(ScoresError, match=r"shape \(2, 1\), where 1 pictures"):
        ClassificationScores(
            names=("a",),
            classes=("cat",),
            scores=np.zeros((2, 1), np.float32),
            labels=np.zeros((2, 1), np.int8),
        )


def test_the_curve_says_precision_and_recall() -> None:
    curve = RankCurve(
        true_positives=np.array([1, 2]), false_positives=np.array([0, 2]), num_positives=4
    )
    assert curve.precision.tolist() == [1, 0.5]
    assert curve.recall.tolist() == [0.25, 0.5]
