import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scenelift.adapt import pictures

_PIXEL = (1, 1, 1, 1)


def depth(metres: float) -> list[int]:
    values = torch.full(_PIXEL, metres)
    colour: list[int] = pictures.draw_depth(values, near_m=1.0, far_m=100.0).flatten().tolist()
    return colour


def test_depth_is_drawn_by_its_logarithm_and_stays_at_the_ends() -> None:
    assert depth(0.01) == depth(1.0) == [253, 231, 160]
    assert depth(1e9) == depth(100.0) == [30, 22, 70]
    # 10 m is half way, between the third and the fourth of six knots.
    assert depth(10.0) == [193, 83, 105]


def test_nearer_is_lighter() -> None:
    metres = torch.logspace(0, 2, 50).reshape(1, 1, 1, 50)
    brightness = pictures.draw_depth(metres, near_m=1.0, far_m=100.0).sum(dim=3).flatten()
    assert (brightness.diff() <= 0).all()


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf])
def test_depth_that_is_not_known_is_hatched_and_nothing_else(value: float) -> None:
    metres = torch.full((1, 1, 12, 12), 3.0)
    plain = pictures.draw_depth(metres)
    metres[..., :6, :] = value
    drawn = pictures.draw_depth(metres)
    assert torch.equal(drawn[:, 6:], plain[:, 6:])
    assert {tuple(c) for c in drawn[0, :6].reshape(-1, 3).tolist()} == {(0, 0, 0), (58, 58, 66)}


def test_depths_must_be_in_order() -> None:
    with pytest.raises(ValueError, match="near_m"):
        pictures.draw_depth(torch.ones(_PIXEL), near_m=5, far_m=1)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_normals_are_drawn_by_direction_alone(scale: float) -> None:
    normal = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, 1], [0, 0, 0]]).T.reshape(1, 3, 2, 2)
    drawn = pictures.draw_normal(normal * scale).reshape(4, 3).tolist()
    assert drawn == [[255, 128, 128], [128, 0, 128], [128, 128, 255], [0, 0, 0]]


def test_normals_that_are_masked_or_not_finite_are_black() -> None:
    normal = torch.zeros(1, 3, 1, 3)
    normal[:, 2] = 1
    normal[0, 0, 0, 1] = math.nan
    valid = torch.tensor([True, True, False]).reshape(1, 1, 1, 3)
    drawn = pictures.draw_normal(normal, valid=valid)[0, 0].tolist()
    assert drawn == [[128, 128, 255], [0, 0, 0], [0, 0, 0]]


def test_edges_out_of_range_stay_at_the_ends_and_nan_is_hatched() -> None:
    drawn = pictures.draw_edge(torch.tensor([-1.0, 0.25, 2.0]).reshape(1, 1, 1, 3))
    assert drawn[0, 0, :, 0].tolist() == [0, 64, 255]
    hatched = pictures.draw_edge(torch.full((1, 1, 6, 6), math.nan))
    assert {tuple(c) for c in hatched.reshape(-1, 3).tolist()} == {(0, 0, 0), (58, 58, 66)}


def test_the_angle_between_normals() -> None:
    degrees = torch.tensor([0.0, 0.01, 30.0, 90.0, 180.0])
    turned = degrees.deg2rad()
    predicted = torch.stack([turned.cos(), turned.sin(), 0 * turned]).reshape(1, 3, 1, 5)
    true = torch.tensor([1.0, 0, 0]).reshape(1, 3, 1, 1).expand(1, 3, 1, 5)
    error = pictures.normal_error_deg(7 * predicted, true)
    torch.testing.assert_close(error.flatten(), degrees, atol=2e-4, rtol=1e-3)
    assert pictures.normal_error_deg(0 * predicted, true).isnan().all()


def test_depth_error_is_symmetric_and_unknown_where_either_is() -> None:
    left = torch.tensor([1.0, 2.0, 0.0, -1.0]).reshape(1, 1, 1, 4)
    right = torch.tensor([2.0, 1.0, 1.0, 1.0]).reshape(1, 1, 1, 4)
    error = pictures.depth_error(left, right).flatten()
    assert error[:2].tolist() == pytest.approx([math.log(2)] * 2)
    assert error[2:].isnan().all()
    torch.testing.assert_close(error, pictures.depth_error(right, left).flatten(), equal_nan=True)


def test_errors_beyond_the_worst_look_like_the_worst_and_masked_ones_are_hatched() -> None:
    error = torch.tensor([0.0, 10.0, 99.0, math.nan]).reshape(1, 1, 1, 4)
    drawn = pictures.draw_error(error, worst=10)[0, 0].tolist()
    assert drawn[0] == [16, 18, 26]
    assert drawn[1] == drawn[2] == [255, 90, 70]
    masked = pictures.draw_error(error, worst=10, valid=torch.zeros(1, 1, 1, 4, dtype=torch.bool))
    assert [255, 90, 70] not in masked[0, 0].tolist()
    with pytest.raises(ValueError, match="worst"):
        pictures.draw_error(error, worst=0)


def test_drawing_leaves_its_arguments_alone_and_needs_no_gradient() -> None:
    metres = torch.rand(2, 1, 8, 8, requires_grad=True)
    before = metres.detach().clone()
    for drawn in (pictures.draw_depth(metres), pictures.draw_edge(metres)):
        assert (drawn.dtype, drawn.shape) == (torch.uint8, (2, 8, 8, 3))
    assert torch.equal(metres.detach(), before)


def test_columns_are_set_side_by_side_with_a_gap() -> None:
    left = torch.zeros(2, 5, 3, 3, dtype=torch.uint8)
    right = torch.full((2, 5, 6, 3), 9, dtype=torch.uint8)
    row = pictures.side_by_side(left, right)
    assert row.shape == (2, 5, 13, 3)
    assert torch.equal(row[:, :, :3], left)
    assert torch.equal(row[:, :, 7:], right)
    assert (row[:, :, 3:7] == 255).all()
    with pytest.raises(ValueError, match="differ"):
        pictures.side_by_side(left, right[:1])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_grid_holds_every_row_below_the_captions(count: int) -> None:
    rows = torch.arange(count, dtype=torch.uint8).reshape(-1, 1, 1, 1).expand(count, 5, 40, 3)
    plain = pictures.draw_grid(rows)
    assert plain.shape == (max(count * 9 - 4, 0), 40, 3)
    captioned = pictures.draw_grid(rows, captions=("image", "truth"))
    np.testing.assert_array_equal(captioned[18:], plain)
    assert (captioned[:18] < 255).any()
    for index in range(count):
        assert (plain[index * 9 : index * 9 + 5] == index).all()


def test_pictures_lie_where_the_design_says_and_are_read_back_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.integers(0, 256, (2, 8, 16, 3), dtype=np.uint8))
    (path,) = pictures.write_pictures(tmp_path, {"real/depth": rows}, step=500)
    assert path == tmp_path / "500" / "real" / "depth.png"
    np.testing.assert_array_equal(np.asarray(Image.open(path)), pictures.draw_grid(rows))
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a//b", "a/../b", "", ".hidden", "a\n", "a\\b"])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="picture name"):
        pictures.write_pictures(
            tmp_path, {name: torch.zeros(1, 2, 2, 3, dtype=torch.uint8)}, step=0
        )
