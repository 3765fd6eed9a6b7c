import io
import math

import pytest
from rich.console import Console

from scenelift.adapt.live import LiveTable, chance_bar

_VALUES = {
    "loss/edge": 0.25,
    "critic/accuracy_synthetic": 0.75,
    "critic/accuracy_real": 0.5,
    "align/weight": 0.05,
    "gradient/ratio": 0.1,
    "rate/images_per_s": 410.0,
    "rate/wait_share": 0.03,
}


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def run(*, terminal: bool, values: dict[str, float], steps: int = 100) -> str:
    clock, out = Clock(), io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=100, legacy_windows=False)
    with LiveTable(steps=steps, console=console, line_every_s=30, now=clock) as table:
        for step in range(1, 61):
            clock.seconds += 1
            table.update(values, step=step)
    return out.getvalue()


def test_without_a_terminal_there_is_one_plain_line_now_and_then() -> None:
    lines = run(terminal=False, values=_VALUES).splitlines()
    assert len(lines) == 2
    assert lines[1] == (
        "step 31 of 100, 1 min 9 s left, edge 0.25, critic 75% synthetic 50% real, 410 images/s"
    )


def test_in_a_terminal_the_table_shows_everything() -> None:
    out = run(terminal=True, values=_VALUES)
    for shown in ("loss/edge", "critic, real", "alignment weight", "images/s", "waiting", "left"):
        assert shown in out


def test_without_alignment_nothing_speaks_of_it() -> None:
    out = run(terminal=True, values={"loss/edge": 0.3})
    assert "critic" not in out
    assert "alignment" not in out


def test_numbers_that_are_not_finite_are_said_to_be_so() -> None:
    values = dict.fromkeys(_VALUES, math.nan)
    assert "not finite" in run(terminal=True, values=values)
    assert "edge not finite" in run(terminal=False, values=values)


def test_time_left_follows_the_present_speed() -> None:
    clock = Clock()
    table = LiveTable(steps=1000, console=Console(file=io.StringIO()), now=clock)
    assert table.left_s() is None
    for step in range(0, 200, 10):
        clock.seconds += 1 if step < 100 else 2
        table.update({}, step=step)
    assert table.left_s() == pytest.approx((1000 - 190) * (29 - 1 + 1 - 0) / 190, rel=0.05)


def test_the_last_step_is_always_shown() -> None:
    assert "step 60 of 60" in run(terminal=False, values=_VALUES, steps=60)


@pytest.mark.parametrize("accuracy", [-1.0, 0.0, 0.3, 0.5, 1.0, 2.0])
def test_a_bar_has_one_width_and_the_mark_in_its_middle(accuracy: float) -> None:
    bar = chance_bar(accuracy)
    assert (len(bar), bar[12]) == (24, "┃")
