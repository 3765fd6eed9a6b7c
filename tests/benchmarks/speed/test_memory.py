"""What counts as flat memory."""

import pytest

from scenelift.benchmarks.speed.memory import describe, resident_mb


def test_a_leak_shows_as_slope_and_growth() -> None:
    course = [200 + 0.5 * n for n in range(1000)]
    _, facts = describe(course)
    assert facts["slope_mb"] == pytest.approx(0.5)
    assert facts["growth"] == pytest.approx((200 + 0.5 * 949.5) / (200 + 0.5 * 149.5) - 1)


def test_filling_a_cache_at_the_start_is_no_leak() -> None:
    _, facts = describe([100.0] * 50 + [300.0] * 950)
    assert facts["growth"] == 0
    assert facts["slope_mb"] == pytest.approx(0, abs=1e-9)


def test_memory_of_this_process_is_plausible() -> None:
    assert 10 < resident_mb() < 100_000
