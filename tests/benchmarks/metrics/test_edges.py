"""Matching of boundaries and its figures: closed forms, shifts within and beyond the tolerance, brute force on small pictures."""

from itertools import permutations

import numpy as np
import pytest

from scenelift.benchmarks.metrics.edges import (
    EdgeCounts,
    edge_counts,
    edge_scores,
    match_pixels,
    thresholds,
)

H, W = 120, 160
DIAGONAL = 200.0
RADIUS_PX = 0.0075 * DIAGONAL


def cross(*, right: int = 0) -> np.ndarray:
    edge = np.zeros((H, W), bool)
    edge[:, W // 2 + right] = True
    return edge


def test_a_perfect_map_scores_one() -> None:
    drawn = np.stack([cross(), cross()])
    scores = edge_scores([edge_counts(cross().astype(float), drawn, num_thresholds=5)])
    assert (scores.ods, scores.ois) == (1, 1)
    assert scores.precision.tolist() == [1] * 5
    assert scores.recall.tolist() == [1] * 5
    # One recall alone spans no area, as published.
    assert scores.ap == 0


@pytest.mark.parametrize(("shift", "expected"), [(1, 1), (2, 0)])
def test_a_shift_within_the_tolerance_costs_nothing_and_beyond_it_all(
    shift: int, expected: float
) -> None:
    # 0.0075 of a diagonal of 200 pixels is 1.5 pixels.
    strength = cross(right=shift).astype(float)
    scores = edge_scores([edge_counts(strength, cross()[None], num_thresholds=3)])
    assert (scores.ods, scores.ois) == (expected, expected)


def test_right_strengths_of_every_size_give_the_whole_area() -> None:
    # Each threshold loses a hundredth of the pixels, all that remain are right.
    drawn = np.zeros((100, 300), bool)
    drawn[50, :200] = True
    strength = np.where(drawn, np.linspace(0, 1, 300)[None] * 1.5, 0).clip(0, 1)
    scores = edge_scores([edge_counts(strength, drawn[None])])
    assert scores.ap == pytest.approx(0.99, abs=0.011)
    assert scores.ois == pytest.approx(scores.ods)


def test_one_to_one() -> None:
    thick = np.zeros((H, W), bool)
    thick[:, W // 2 - 1 : W // 2 + 2] = True
    predicted, true = match_pixels(thick, cross(), radius_px=RADIUS_PX)
    assert predicted.sum() == true.sum() == H
    # Thinned first, a thick line has one pixel a row again; not thinned, two thirds are wrong.
    strength = thick.astype(float)
    thin = edge_counts(strength, cross()[None], num_thresholds=1)
    assert thin.num_predicted[0] <= H + 2
    raw = edge_counts(strength, cross()[None], num_thresholds=1, thinned=False)
    assert (raw.matched_predicted[0], raw.num_predicted[0]) == (H, 3 * H)


def test_people_are_counted_as_published() -> None:
    """Right if any person drew it; recall over all drawings together."""
    drawn = np.stack([cross(), cross(right=20)])
    both = (cross() | cross(right=20) | cross(right=40)).astype(float)
    counts = edge_counts(both, drawn, num_thresholds=1)
    assert (counts.matched_true[0], counts.num_true[0]) == (2 * H, 2 * H)
    assert (counts.matched_predicted[0], counts.num_predicted[0]) == (2 * H, 3 * H)
    scores = edge_scores([counts])
    assert scores.ods == pytest.approx(2 * (2 / 3) / (1 + 2 / 3))


def test_what_is_at_the_threshold_or_above_is_predicted() -> None:
    strength = 0.5 * cross() + 0.2 * cross(right=20)
    counts = edge_counts(strength, cross()[None], num_thresholds=9)
    assert counts.num_predicted.tolist() == [2 * H] * 2 + [H] * 3 + [0] * 4
    assert counts.matched_predicted.tolist() == [H] * 5 + [0] * 4


def test_the_matching_is_a_largest_one() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        predicted = np.zeros((6, 7), bool)
        true = np.zeros((6, 7), bool)
        predicted.flat[rng.choice(42, 5, replace=False)] = True
        true.flat[rng.choice(42, 6, replace=False)] = True
        found = match_pixels(predicted, true, radius_px=1.5)
        left, right = np.argwhere(predicted), np.argwhere(true)
        near = np.hypot(*(left[:, None] - right[None]).transpose(2, 0, 1)) <= 1.5
        best = max(
            sum(near[i, j] for i, j in enumerate(order)) for order in permutations(range(6), 5)
        )
        assert found[0].sum() == found[1].sum() == best
        assert not (found[0] & ~predicted).any()
        assert not (found[1] & ~true).any()


def test_the_radius_is_a_circle_and_borders_do_not_wrap() -> None:
    one = np.zeros((5, 5), bool)
    one[0, 0] = True
    for place, radius_px, matched in (
        ((1, 1), 1.0, 0),
        ((1, 1), 1.4143, 1),
        ((0, 2), 2.0, 1),
        ((4, 4), 2.0, 0),
        ((0, 4), 1.5, 0),
    ):
        other = np.zeros((5, 5), bool)
        other[place] = True
        assert match_pixels(one, other, radius_px=radius_px)[0].sum() == matched


def counts_of(*columns: tuple[int, int, int, int]) -> EdgeCounts:
    true, drawn, predicted, said = np.array(columns, np.int64).T
    return EdgeCounts(
        matched_true=true, num_true=drawn, matched_predicted=predicted, num_predicted=said
    )


def test_figures_of_counts_computed_by_hand() -> None:
    # Precision 1/2 and 1, recall 1 and 1/2 for the first; the other way round for the second.
    first = counts_of((10, 10, 10, 20), (5, 10, 5, 5))
    second = counts_of((10, 10, 10, 10), (5, 10, 5, 10))
    scores = edge_scores([first, second])
    # Pooled: recall 20/20, precision 20/30: F = 0.8; then 10/20 and 10/15: F = 4/7.
    assert scores.ods == pytest.approx(0.8)
    assert scores.ods_threshold == pytest.approx(1 / 3)
    # Each at its best: of the equals 2/3 of the first the later, (5, 10, 5, 5), and (10, 10, 10, 10): 15/20 and 15/15.
    assert scores.ois == pytest.approx(2 * 0.75 / 1.75)
    # Recall from 0.5 to 1 at precision 2/3: 51 levels.
    assert scores.ap == pytest.approx(51 * 2 / 3 / 100)


def test_the_best_f_lies_between_thresholds() -> None:
    # Precision 1/5 and 1, recall 1 and 1/5, along a line: the best is in the middle, 3/5.
    scores = edge_scores([counts_of((10, 10, 10, 50), (2, 10, 2, 2))])
    assert scores.ods == pytest.approx(0.6, abs=1e-4)
    assert scores.ods_threshold == pytest.approx(0.5, abs=0.01)
    assert scores.ois == pytest.approx(1 / 3)


def test_nothing_predicted_nothing_drawn_nothing_there() -> None:
    nothing = np.zeros((H, W))
    scores = edge_scores([edge_counts(nothing, cross()[None], num_thresholds=3)])
    assert (scores.ods, scores.ois, scores.ap) == (0, 0, 0)
    empty = edge_scores([edge_counts(cross().astype(float), cross()[None] & False)])
    assert empty.ods == 0
    with pytest.raises(ValueError, match="no picture"):
        edge_scores([])
    for bad in (np.nan, 1.5, -0.1):
        with pytest.raises(ValueError, match="outside 0 to 1"):
            edge_counts(np.full((4, 4), bad), np.zeros((1, 4, 4), bool))


def test_pictures_in_any_order() -> None:
    rng = np.random.default_rng(0)
    counts = [
        edge_counts(rng.random((20, 30)) ** 4, rng.random((2, 20, 30)) < 0.1, num_thresholds=9)
        for _ in range(4)
    ]
    one, other = edge_scores(counts), edge_scores(counts[::-1])
    assert (one.ods, one.ois, one.ap) == (other.ods, other.ois, other.ap)
    assert 0 < one.ap < one.ods <= one.ois + 1e-9 < 1


def test_thresholds_are_the_published_ones() -> None:
    assert len(thresholds()) == 99
    np.testing.assert_allclose(thresholds(), np.linspace(0.01, 0.99, 99))
