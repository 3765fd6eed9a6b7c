"""Confusions: closed forms, cases worked by hand, and what must not matter."""

import numpy as np
import pytest

from scenelift.benchmarks.metrics.segmentation import (
    SegmentationSums,
    class_iou,
    join_segmentation_sums,
    segmentation_metrics,
    segmentation_sums,
)

ONCE = np.ones((1, 1))


def metrics_of(
    told: np.ndarray, true: np.ndarray, *, num_classes: int
) -> tuple[float, float, float]:
    found = segmentation_metrics(segmentation_sums(told, true, num_classes=num_classes), ONCE)
    return (
        found["pixel_accuracy"].item(),
        found["mean_accuracy"].item(),
        found["miou"].item(),
    )


def test_a_case_by_hand() -> None:
    true = np.array([[1, 1, 1, 1, 2, 2, 0, 0]], np.uint8)
    told = np.array([[1, 1, 1, 2, 2, 3, 2, 1]])
    # Class 1: 3 of 4 hit, union 4; class 2: 1 of 2 hit, union 3; class 3: never true, told once; class 4: nowhere.
    expected = (100 * 4 / 6, 100 * (3 / 4 + 1 / 2) / 2, 100 * (3 / 4 + 1 / 3 + 0) / 3)
    assert metrics_of(told, true, num_classes=4) == pytest.approx(expected)
    iou = class_iou(segmentation_sums(told, true, num_classes=4), ONCE)[0]
    assert iou[:3] == pytest.approx([75, 100 / 3, 0])
    assert np.isnan(iou[3])


@pytest.mark.parametrize("num_classes", [2, 13, 40])
def test_perfect_and_permuted(num_classes: int) -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, num_classes + 1, (30, 40))
    assert metrics_of(true, true, num_classes=num_classes) == pytest.approx((100, 100, 100))
    shifted = true % num_classes + 1
    assert metrics_of(shifted, true, num_classes=num_classes) == pytest.approx((0, 0, 0))


def test_one_class_for_all_is_known_in_closed_form() -> None:
    true = np.repeat([1, 2, 3, 4], [60, 20, 15, 5]).reshape(10, 10)
    assert metrics_of(np.ones_like(true), true, num_classes=40) == pytest.approx((60, 25, 15))


def test_guesses_come_near_chance() -> None:
    rng = np.random.default_rng(0)
    true, told = rng.integers(1, 11, (2, 300, 300))
    pixel, mean, miou = metrics_of(told, true, num_classes=10)
    assert pixel == pytest.approx(10, abs=0.5)
    assert mean == pytest.approx(10, abs=0.5)
    assert miou == pytest.approx(100 / 19, abs=0.5)


def test_frames_pool_as_one_picture_would_in_any_order_and_by_weight() -> None:
    rng = np.random.default_rng(0)
    true, told = rng.integers(0, 6, (7, 5, 6)), rng.integers(1, 6, (7, 5, 6))
    parts = [segmentation_sums(p, t, num_classes=5) for p, t in zip(told, true, strict=True)]
    whole = segmentation_sums(told.reshape(-1, 6), true.reshape(-1, 6), num_classes=5)
    order = rng.permutation(7)
    for joined in (parts, [parts[i] for i in order]):
        pooled = segmentation_metrics(join_segmentation_sums(joined), np.ones((1, 7)))
        for name, value in segmentation_metrics(whole, ONCE).items():
            assert pooled[name] == pytest.approx(value, rel=1e-12)
    twice = segmentation_metrics(join_segmentation_sums([*parts, parts[0]]), np.ones((1, 8)))
    weights = np.array([[2.0, 1, 1, 1, 1, 1, 1]])
    for name, value in segmentation_metrics(join_segmentation_sums(parts), weights).items():
        assert twice[name] == pytest.approx(value, rel=1e-12)


def test_nothing_labelled_is_no_figure() -> None:
    nothing = np.zeros((3, 3), np.uint8)
    assert np.isnan(metrics_of(nothing, nothing, num_classes=5)).all()
    empty = SegmentationSums(confusion=np.zeros((0, 5, 5), np.int64))
    assert np.isnan(segmentation_metrics(empty, np.ones((1, 0)))["miou"]).all()


@pytest.mark.parametrize(("told", "true"), [(0, 1), (6, 1), (1, 6), (-1, 5)])
def test_a_class_outside_is_refused(told: int, true: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 5"):
        segmentation_sums(np.full((2, 2), told), np.full((2, 2), true), num_classes=5)
    # Where nothing is known, anything may be told.
    unknown = segmentation_sums(np.full((2, 2), told), np.zeros((2, 2), int), num_classes=5)
    assert unknown.confusion.sum() == 0
