"""Whole frames judged: perfect and constant answers, blended squares, and what unknown pixels must not change."""

import numpy as np
import pytest
import torch
from torch import Tensor

from scenelift.benchmarks.dense_judge import FIGURES, judge_constants, judge_split
from scenelift.datasets.geometry import Frame, resize_frame

SIDE, CLASSES = 16, 3


class Frames:
    """Frames whose labels can be read off their pictures: red is the class, green the depth, blue the normal."""

    def __init__(self, count: int, *, width: int = 24) -> None:
        rng = np.random.default_rng(count)
        self._frames: list[Frame] = []
        for _ in range(count):
            semantic = rng.integers(1, CLASSES + 1, (SIDE, width)).astype(np.uint8)
            depth = rng.integers(1, 8, (SIDE, width)).astype(np.float32)
            up = rng.integers(0, 2, (SIDE, width))
            normal = np.zeros((SIDE, width, 3), np.int16)
            normal[..., 1], normal[..., 2] = 32767 * up, 32767 * (1 - up)
            image = np.stack([semantic, depth, up], axis=-1).astype(np.uint8)
            frame: Frame = {"image": image, "semantic": semantic, "depth": depth, "normal": normal}
            self._frames.append(frame)

    def __len__(self) -> int:
        return len(self._frames)

    def frame(self, index: int) -> Frame:
        return self._frames[index]


def read_off(images: Tensor) -> dict[str, Tensor]:
    red, green, blue = images.float().unbind(dim=1)
    logits = torch.stack([20.0 * (red == number) for number in range(1, CLASSES + 1)], dim=1)
    normal = torch.stack([torch.zeros_like(blue), blue, 1 - blue], dim=1)
    return {"segmentation": logits, "depth": green[:, None], "normal": 5 * normal}


def test_who_knows_all_is_right_everywhere() -> None:
    figures = judge_split(read_off, Frames(3), num_classes=CLASSES, side=SIDE)
    assert set(figures) == set(FIGURES)
    for name in (
        "segmentation/miou",
        "segmentation/pixel_accuracy",
        "depth/delta1",
        "normal/below_11.25",
    ):
        assert figures[name] == pytest.approx(100)
    for name in ("depth/mean_error", "depth/abs_rel", "depth/rmse", "normal/mean"):
        assert figures[name] == pytest.approx(0, abs=1e-4)


def test_figures_by_hand() -> None:
    """Depth half a metre too far everywhere, normals always to the viewer, always class 1."""
    frames = Frames(2)

    def answer(images: Tensor) -> dict[str, Tensor]:
        told = read_off(images)
        told["depth"] = told["depth"] + 0.5
        told["normal"] = torch.tensor([0.0, 0.0, 2.0])[:, None, None].expand_as(told["normal"])
        told["segmentation"] = torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand_as(
            told["segmentation"]
        )
        return told

    figures = judge_split(answer, frames, num_classes=CLASSES, side=SIDE)
    whole = [frames.frame(index) for index in range(2)]
    share = np.mean([frame["semantic"] == 1 for frame in whole])
    up = np.mean([frame["normal"][..., 1] > 0 for frame in whole])
    assert figures["depth/mean_error"] == pytest.approx(0.5, rel=1e-5)
    assert figures["segmentation/pixel_accuracy"] == pytest.approx(100 * share)
    assert figures["segmentation/miou"] == pytest.approx(100 * share / 3)
    assert figures["normal/mean"] == pytest.approx(90 * up, rel=1e-4)


def test_unknown_pixels_change_nothing() -> None:
    frames, holed = Frames(1), Frames(1)
    frame = holed.frame(0)
    for name in ("semantic", "depth", "normal"):
        frame[name][:, :5] = 0
    frame["image"][:, :5] = 9
    figures = judge_split(read_off, holed, num_classes=CLASSES, side=SIDE)
    assert figures == pytest.approx(
        judge_split(read_off, frames, num_classes=CLASSES, side=SIDE), abs=1e-4
    )


def test_frames_are_brought_to_the_side() -> None:
    """A frame of twice the size is judged as its smaller self is: labels by the nearest centre."""
    frames, small = Frames(1, width=40), Frames(1, width=40)
    small.frame(0).update(resize_frame(frames.frame(0), resize_px=8))
    left, right = (
        judge_constants(
            source, source, num_classes=CLASSES, tasks=("depth", "segmentation"), resize_px=8
        )
        for source in (frames, small)
    )
    assert left == pytest.approx(right)


def test_constants_are_the_best_that_look_at_nothing() -> None:
    train = Frames(1)
    known = judge_constants(
        train, train, num_classes=CLASSES, tasks=("segmentation", "depth", "normal"), resize_px=SIDE
    )
    assert known["segmentation/miou"] == pytest.approx(100)
    assert known["depth/mean_error"] == pytest.approx(0)
    assert known["normal/mean"] == pytest.approx(0, abs=1e-3)
    other = judge_constants(
        Frames(9), Frames(4), num_classes=CLASSES, tasks=("segmentation",), resize_px=SIDE
    )
    assert set(other) == {"segmentation/miou", "segmentation/pixel_accuracy"}
    assert 20 < other["segmentation/pixel_accuracy"] < 50


def test_an_answer_of_one_task_gives_its_figures_alone() -> None:
    def answer(images: Tensor) -> dict[str, Tensor]:
        return {"depth": -read_off(images)["depth"]}

    figures = judge_split(answer, Frames(1), num_classes=CLASSES, side=SIDE)
    assert {name.partition("/")[0] for name in figures} == {"depth"}
    assert np.isfinite(list(figures.values())).all()
