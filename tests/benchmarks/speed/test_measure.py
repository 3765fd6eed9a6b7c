"""The arithmetic of the benchmarks."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenelift.benchmarks.speed.measure import cost_at, psnr_db, ratios, report, spread

POSITIVE = st.floats(0.01, 1e3)


@given(st.lists(POSITIVE, min_size=1, max_size=40))
def test_a_median_lies_in_its_interval(values: list[float]) -> None:
    found = spread(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.count == len(values)


def test_the_interval_shrinks_with_repeats() -> None:
    rng = np.random.default_rng(0)
    few, many = (spread(rng.normal(10, 1, n).tolist()) for n in (10, 1000))
    assert many.high - many.low < (few.high - few.low) / 4
    assert many.median == pytest.approx(10, abs=0.2)


def test_nothing_has_no_median() -> None:
    with pytest.raises(ValueError, match="no repeats"):
        spread([])


def test_ratios_pair_what_was_measured_in_turn() -> None:
    load = [1.0, 5.0, 2.0, 9.0]
    assert ratios([6 * x for x in load], load).low == pytest.approx(6)
    with pytest.raises(ValueError, match="1 repeats"):
        ratios([1.0], [1.0, 2.0])


def test_psnr_of_a_known_error() -> None:
    """A reference of one brightness lies at 0.8 of the range; the picture is one sRGB step of 0.1 below."""
    encoded = 1.055 * 0.8 ** (1 / 2.4) - 0.055 - 0.1
    linear = ((encoded + 0.055) / 1.055) ** 2.4
    reference = np.full((4, 4, 3), 7.0)
    picture = np.full((4, 4, 3), 7.0 * linear / 0.8)
    assert psnr_db(picture, reference) == pytest.approx(20.0, abs=1e-6)
    assert psnr_db(3 * picture, 3 * reference) == pytest.approx(20.0, abs=1e-6)


@given(st.floats(10, 40), st.floats(1, 5))
def test_cost_follows_the_curve_that_made_it(quality: float, doubling_db: float) -> None:
    """Where each doubling of the cost gains the same quality, so must the interpolation."""
    costs = [2.0**n for n in range(12)]
    qualities = [10 + doubling_db * n for n in range(12)]
    found = cost_at(quality, qualities=qualities, costs=costs)
    expected = 2 ** max((quality - 10) / doubling_db, 0)
    assert found == (pytest.approx(expected) if quality <= qualities[-1] else np.inf)


def test_a_dip_in_the_curve_does_not_count() -> None:
    found = cost_at(21.0, qualities=[10.0, 20.0, 15.0, 30.0], costs=[1.0, 2.0, 4.0, 8.0])
    assert 4.0 < found < 8.0


def test_a_report_is_readable_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    figures: dict[str, object] = {"ratio": spread([1.0, 2.0]), "count": np.int64(3)}
    report("title", [("name", "value")], facts=figures, path=path)
    assert "name  value" in capsys.readouterr().out
    read = json.loads(path.read_text())
    assert read["ratio"]["median"] == 1.5
    assert read["count"] == 3
    assert read["conditions"]["processors"] >= 1
