"""Which regions are learnt from, and what they should answer."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from scenelift.benchmarks.detection.offsets import encode
from scenelift.benchmarks.detection.sampling import (
    Regions,
    RegionSampling,
    assign_regions,
    draw_regions,
    is_learnable,
    offset_scale,
)

TRUTH = np.array([[0.0, 0, 10, 10], [20, 20, 40, 40]])
CLASSES = np.array([4, 14])


def regions_of(iou: list[float], *, number: int = 3) -> Regions:
    count = len(iou)
    return Regions(
        corners=np.arange(4 * count, dtype=np.float32).reshape(count, 4),
        iou=np.array(iou),
        classes=np.full(count, number),
        offsets=np.zeros((count, 4), np.float32),
    )


def test_each_region_gets_the_object_that_it_overlaps_most() -> None:
    proposals = np.array(
        [
            [0, 0, 10, 5],  # half of the first
            [20, 20, 40, 44],  # the second and a little
            [100, 100, 110, 110],  # nothing
            [5, 0, 15, 10],  # a third of the first
        ],
        np.float32,
    )
    found = assign_regions(proposals, truth=TRUTH, classes=CLASSES)
    assert found.corners.tolist() == [*TRUTH.tolist(), *proposals.tolist()]
    assert found.classes.tolist() == [5, 15, 5, 15, 0, 5]
    assert found.iou == pytest.approx([1, 1, 0.5, 20 / 24, 0, 1 / 3])
    assert found.offsets[:2].tolist() == [[0] * 4] * 2
    wanted = encode(torch.tensor([[0.0, 0, 10, 10]]), reference=torch.tensor([[0.0, 0, 10, 5]]))
    assert found.offsets[2] == pytest.approx(wanted[0].numpy())
    assert found.offsets[4].tolist() == [0] * 4


def test_a_picture_without_objects_has_regions_about_nothing() -> None:
    proposals = np.array([[0, 0, 5, 5]], np.float32)
    found = assign_regions(proposals, truth=np.zeros((0, 4)), classes=np.zeros(0, np.int64))
    assert found.classes.tolist() == [0]
    assert not is_learnable(found, sampling=RegionSampling())


def test_a_quarter_is_foreground() -> None:
    regions = regions_of([0.7] * 100 + [0.3] * 200 + [0.05] * 50)
    chosen, labels = draw_regions(regions, sampling=RegionSampling(), rng=np.random.default_rng(0))
    assert len(chosen) == len(set(chosen.tolist())) == 64
    assert labels.tolist() == [3] * 16 + [0] * 48
    assert (regions.iou[chosen[:16]] >= 0.5).all()
    assert ((regions.iou[chosen[16:]] >= 0.1) & (regions.iou[chosen[16:]] < 0.5)).all()


def test_bounds_belong_where_the_recipe_says() -> None:
    """0.5 is foreground, 0.1 background, what is below neither."""
    regions = regions_of([0.5, 0.1, np.nextafter(0.1, 0), np.nextafter(0.5, 0)])
    chosen, labels = draw_regions(regions, sampling=RegionSampling(), rng=np.random.default_rng(0))
    assert dict(zip(chosen.tolist(), labels.tolist(), strict=True)) == {0: 3, 1: 0, 3: 0}


def test_too_few_of_a_kind_leave_room_for_the_other() -> None:
    sampling = RegionSampling(pictures=1, regions=8)
    few = regions_of([0.9] + [0.2] * 20)
    _, labels = draw_regions(few, sampling=sampling, rng=np.random.default_rng(0))
    assert labels.tolist() == [3] + [0] * 7
    no_background = regions_of([0.9] * 20)
    _, labels = draw_regions(no_background, sampling=sampling, rng=np.random.default_rng(0))
    assert labels.tolist() == [3] * 2


def test_all_regions_are_drawn_in_time() -> None:
    regions = regions_of([0.7] * 20 + [0.3] * 60)
    rng = np.random.default_rng(0)
    drawn: set[int] = set()
    for _ in range(40):
        drawn |= set(draw_regions(regions, sampling=RegionSampling(), rng=rng)[0].tolist())
    assert drawn == set(range(80))


def test_scale_makes_offsets_of_a_class_standard() -> None:
    rng = np.random.default_rng(0)
    own = replace(
        regions_of([0.9] * 500, number=2),
        offsets=rng.normal([1, -2, 0, 3], [0.1, 0.2, 0.3, 0.4], (500, 4)).astype(np.float32),
    )
    spoilt = replace(regions_of([0.4] * 500), offsets=np.full((500, 4), 9, np.float32))
    scale = offset_scale([own, spoilt], sampling=RegionSampling(), num_classes=3)
    standard = (own.offsets - scale.mean[1]) / scale.std[1]
    assert standard.mean(axis=0) == pytest.approx(np.zeros(4), abs=1e-5)
    assert standard.std(axis=0) == pytest.approx(np.ones(4), abs=1e-5)
    # a class without regions takes those of all
    assert scale.mean[0] == pytest.approx(scale.mean[1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("regions", 127), ("foreground_share", 0.0), ("background_iou", (0.1, 0.6)), ("pictures", 0)],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"must"):
        RegionSampling(**{name: value})  # type: ignore[arg-type]
