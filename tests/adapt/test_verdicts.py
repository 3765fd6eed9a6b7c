import math
from collections.abc import Callable

import numpy as np
import pytest

from scenelift.adapt import verdicts
from scenelift.adapt.health import ADistance
from scenelift.adapt.log import Columns, Metrics, Series
from scenelift.adapt.verdicts import LayerDistance, judge_run

_N = 60
_SYNTHETIC, _REAL = "critic/accuracy_synthetic", "critic/accuracy_real"


def series(function: Callable[[float], float], *, count: int = _N, noise: float = 0.0) -> Series:
    """Sample a function of progress from 0 to 1."""
    rng = np.random.default_rng(0)
    step = np.arange(1, count + 1, dtype=np.int64) * 10
    value = np.array([function(i / max(count - 1, 1)) for i in range(count)], float)
    return Series(step=step, time_s=step / 10, value=value + noise * rng.normal(size=count))


def both(function: Callable[[float], float]) -> Columns:
    return {name: series(function, noise=0.005) for name in (_SYNTHETIC, _REAL)}


def distance(value: float) -> ADistance:
    return ADistance(value=value, low=value - 0.1, high=value + 0.1, num_each=100)


def test_numbers_that_were_not_finite_are_named_with_their_first_step() -> None:
    broken = series(lambda t: math.nan if 0.5 < t < 0.6 else 1.0)
    verdict = verdicts.judge_finite({"loss/edge": broken, "lr/a": series(lambda _: 1)}, val={})
    assert verdict.state == "watch"
    assert "step 310" in verdict.finding
    assert "loss/edge" in verdict.finding
    ended = series(lambda t: math.nan if t > 0.5 else 1.0)
    assert verdicts.judge_finite({"loss/edge": ended}, val={}).state == "bad"
    assert verdicts.judge_finite({"lr/a": series(lambda _: 1)}, val={}).state == "good"
    assert verdicts.judge_finite({}, val={"loss/edge": ended}).state == "bad"


@pytest.mark.parametrize(
    ("curve", "noise", "state"),
    [
        (lambda t: math.exp(-3 * t), 0.03, "good"),
        (lambda t: 1.0, 0.05, "watch"),
        (lambda t: 1.0, 0.0, "watch"),
        (lambda t: 1 + t, 0.05, "bad"),
        (lambda t: math.nan, 0.0, "unknown"),
    ],
)
def test_a_loss_fell_rose_or_stood(
    curve: Callable[[float], float], noise: float, state: str
) -> None:
    loss = series(curve, noise=noise)
    assert verdicts.judge_loss(loss, held_out=None, task="edge").state == state


def test_a_held_out_loss_that_turns_is_overfitting_and_one_that_falls_is_not() -> None:
    falling = series(lambda t: math.exp(-3 * t))
    turning = series(lambda t: 1 - 1.5 * t if t < 0.4 else 0.1 + t, count=20)
    verdict = verdicts.judge_loss(falling, held_out=turning, task="edge")
    assert verdict.state == "watch"
    assert "Overfitting" in verdict.advice
    held = series(lambda t: 1.1 * math.exp(-3 * t), count=20)
    assert verdicts.judge_loss(falling, held_out=held, task="edge").state == "good"


@pytest.mark.parametrize(
    ("columns", "state", "word"),
    [
        (both(lambda t: 0.58 + 0.3 * math.exp(-5 * t)), "good", "Near chance"),
        (both(lambda t: 0.99), "bad", "Winning"),
        (both(lambda t: 0.8), "watch", "Ahead"),
        (both(lambda t: 0.5), "bad", "Never left chance"),
        (
            {_SYNTHETIC: series(lambda t: 0.99), _REAL: series(lambda t: 0.02)},
            "bad",
            "everything synthetic",
        ),
        (
            {_SYNTHETIC: series(lambda t: 0.02), _REAL: series(lambda t: 0.99)},
            "bad",
            "everything real",
        ),
        ({_SYNTHETIC: series(lambda t: 0.5)}, "unknown", "not logged"),
        ({}, "unknown", "not logged"),
    ],
)
def test_the_discriminator(columns: Columns, state: str, word: str) -> None:
    verdict = verdicts.judge_discriminator(columns)
    assert (verdict.state, word in verdict.finding) == (state, True), verdict.finding
    assert (verdict.state == "bad") <= bool(verdict.advice)


def test_a_short_lead_early_on_is_no_win() -> None:
    verdict = verdicts.judge_discriminator(both(lambda t: 0.99 if t < 0.4 else 0.6))
    assert verdict.state == "good"


@pytest.mark.parametrize(
    ("ratio", "state"), [(0.0, "bad"), (0.001, "watch"), (0.1, "good"), (0.9, "good"), (30, "bad")]
)
def test_the_gradient_ratio(ratio: float, state: str) -> None:
    # The ramp's first half is nought and must not count; nor may a quarter of the rest tip the scales.
    column = {
        "gradient/ratio": series(lambda t: 0.0 if t < 0.49 or round(t * 59) % 4 == 0 else ratio)
    }
    assert verdicts.judge_gradient_ratio(column).state == state


@pytest.mark.parametrize(("cosine", "state"), [(0.3, "good"), (-0.2, "watch"), (-0.8, "bad")])
def test_tasks_that_pull_against_each_other_are_named(cosine: float, state: str) -> None:
    verdict = verdicts.judge_conflicts(
        {
            "gradient/cosine_edge_depth": series(lambda _: 0.5),
            "gradient/cosine_depth_normal": series(lambda _: cosine),
        }
    )
    assert verdict.state == state
    assert "depth and normal" in verdict.finding


@pytest.mark.parametrize(
    ("before", "after", "aligned", "state"),
    [
        (1.6, 0.5, True, "good"),
        (1.6, 1.55, True, "watch"),
        (0.5, 1.6, True, "bad"),
        (0.5, 1.6, False, "watch"),
        (1.0, 1.0, False, "good"),
    ],
)
def test_what_training_did_to_the_distance(
    before: float, after: float, aligned: bool, state: str
) -> None:
    layer = LayerDistance(
        layer="conv5", before=distance(before), after=distance(after), aligned=aligned
    )
    (verdict,) = verdicts.judge_distances([layer])
    assert (verdict.state, "conv5" in verdict.subject) == (state, True)


def test_only_aligned_layers_are_judged_if_there_are_any() -> None:
    layers = [
        LayerDistance(layer=name, before=distance(1), after=distance(1), aligned=name == "conv2")
        for name in ("conv1", "conv2", "conv3")
    ]
    assert [v.subject for v in verdicts.judge_distances(layers)] == ["A-distance at conv2"]
    (unmeasured,) = verdicts.judge_distances(
        [LayerDistance(layer="conv2", before=distance(1), after=None, aligned=True)]
    )
    assert unmeasured.state == "unknown"


def test_a_run_without_alignment_has_no_verdict_on_a_discriminator() -> None:
    train = {"loss/edge": series(lambda t: 1 - 0.5 * t)}
    subjects = [v.subject for v in judge_run(Metrics(train=train))]
    assert "Loss: edge" in subjects
    assert "Discriminator" not in subjects
    train |= both(lambda t: 0.6)
    assert "Discriminator" in [v.subject for v in judge_run(Metrics(train=train))]


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_short_runs_are_judged_without_trouble(count: int) -> None:
    names: tuple[str, ...] = (
        "loss/edge",
        _SYNTHETIC,
        _REAL,
        "gradient/ratio",
        "gradient/cosine_a_b",
        "rate/wait_share",
    )
    for value in (math.nan, 0.0, 0.3):
        curve = series(lambda _: 0.0, count=count)
        flat = Series(step=curve.step, time_s=curve.time_s, value=curve.value + value)
        train: Columns = dict.fromkeys(names, flat)
        for verdict in judge_run(Metrics(train=train, val=train)):
            assert "nan" not in verdict.finding


def test_waiting_for_data_is_told() -> None:
    assert verdicts.judge_waiting({"rate/wait_share": series(lambda _: 0.5)}).state == "watch"
    assert verdicts.judge_waiting({"rate/wait_share": series(lambda _: 0.05)}).state == "good"


def test_an_error_is_not_held_against_chance() -> None:
    known = ("accuracy/colour", "chance/colour", "error/colour", "baseline/colour")
    assert verdicts.held_against("accuracy/colour", known) == "chance/colour"
    assert verdicts.held_against("error/colour", known) == "baseline/colour"
    assert verdicts.held_against("loss/colour", known) is None
    assert verdicts.held_against("quality/psnr_db", known) is None
