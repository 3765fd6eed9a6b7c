import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import hostile
from torch import Tensor

from scenelift.adapt.log import MetricsWriter, ScalarWindow, read_metrics

_NAMES = st.sampled_from(["loss/edge", "loss/depth", "critic/accuracy_real", "ünïcode/\u2028"])
_VALUES = st.dictionaries(_NAMES, st.floats(width=64), min_size=1)


def write_lines(path: Path, steps: range, *, resume_step: int | None = None) -> None:
    with MetricsWriter(path, resume_step=resume_step) as writer:
        for step in steps:
            writer.write({"loss/edge": 1 / step}, step=step, time_s=step / 10)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(lines=st.lists(_VALUES, max_size=8))
def test_what_is_written_is_read_and_not_finite_is_nan(
    tmp_path: Path, lines: list[dict[str, float]]
) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path) as writer:
        for step, values in enumerate(lines):
            writer.write(values, step=step, time_s=0.5 * step, split="val")
    metrics = read_metrics(path)
    assert (metrics.train, metrics.broken_lines) == ({}, 0)
    for name in {name for values in lines for name in values}:
        expected = [(step, v[name]) for step, v in enumerate(lines) if name in v]
        series = metrics.val[name]
        assert series.step.tolist() == [step for step, _ in expected]
        assert series.time_s.tolist() == [0.5 * step for step, _ in expected]
        finite = [value if math.isfinite(value) else math.nan for _, value in expected]
        np.testing.assert_array_equal(series.value, finite)


def test_a_line_is_strict_json_as_the_design_has_it(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path) as writer:
        writer.write({"loss/edge": math.inf, "lr/backbone": 1e-3}, step=3, time_s=1.25)
    assert json.loads(path.read_text()) == {
        "step": 3,
        "time_s": 1.25,
        "split": "train",
        "values": {"loss/edge": None, "lr/backbone": 0.001},
    }
    assert "Infinity" not in path.read_text()


def test_each_line_is_in_the_file_before_the_next_is_written(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    writer = MetricsWriter(path)
    for step in range(3):
        writer.write({"loss/edge": 1.0}, step=step, time_s=0.0)
        assert len(path.read_bytes().splitlines()) == step + 1
    writer.close()


def test_cut_anywhere_the_reader_drops_the_broken_end_alone(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write_lines(path, range(1, 6))
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        metrics = read_metrics(path)
        complete = whole[:size].count(b"\n")
        steps = metrics.train["loss/edge"].step.tolist() if complete else []
        assert steps == list(range(1, complete + 1))
        assert metrics.broken_lines == (size > 0 and whole[size - 1 : size] != b"\n")


@pytest.mark.parametrize("checkpoint", [0, 3, 5, 9])
@pytest.mark.parametrize("lost_bytes", [0, 1, 7, 70])
def test_killed_and_resumed_holds_each_step_once_like_an_uninterrupted_run(
    tmp_path: Path, checkpoint: int, lost_bytes: int
) -> None:
    uninterrupted, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    write_lines(uninterrupted, range(1, 12))
    write_lines(killed, range(1, 10 if lost_bytes == 0 else 11))
    os.truncate(killed, killed.stat().st_size - lost_bytes)
    checkpoint = min(checkpoint, len(killed.read_bytes().splitlines()) - (lost_bytes > 0))
    write_lines(killed, range(checkpoint + 1, 12), resume_step=checkpoint)
    assert killed.read_bytes() == uninterrupted.read_bytes()
    assert list(tmp_path.glob("*.part")) == []


def test_a_new_run_starts_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    write_lines(path, range(1, 9))
    write_lines(path, range(1, 3))
    assert read_metrics(path).train["loss/edge"].step.tolist() == [1, 2]


def test_steps_that_go_back_count_as_they_were_written_last(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsWriter(path) as writer:
        for step, value in ((1, 1.0), (2, 2.0), (3, 3.0), (2, 20.0), (4, 40.0)):
            writer.write({"loss/edge": value}, step=step, time_s=0.0)
    series = read_metrics(path).train["loss/edge"]
    assert (series.step.tolist(), series.value.tolist()) == ([1, 2, 4], [1.0, 20.0, 40.0])


def test_a_full_disk_leaves_the_line_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    writer = MetricsWriter(path)
    writer.write({"loss/edge": 1.0}, step=1, time_s=0.0)
    before = path.read_bytes()
    real_write = os.write
    room = 10

    def write_until_full(file: int, data: bytes) -> int:
        nonlocal room
        if room == 0:
            raise OSError(28, "No space left on device")
        written = real_write(file, data[:room])
        room -= written
        return written

    monkeypatch.setattr(os, "write", write_until_full)
    with pytest.raises(OSError, match="No space"):
        writer.write({"loss/edge": 2.0}, step=2, time_s=0.0)
    monkeypatch.undo()
    assert path.read_bytes() == before
    writer.write({"loss/edge": 3.0}, step=3, time_s=0.0)
    writer.close()
    assert read_metrics(path).train["loss/edge"].step.tolist() == [1, 3]


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"step": 1e999, "time_s": 0, "split": "train", "values": {}}',
        '{"step": true, "time_s": 0, "split": "train", "values": {}}',
        '{"step": -1, "time_s": 0, "split": "train", "values": {}}',
        '{"step": 99999999999999999999, "time_s": 0, "split": "train", "values": {}}',
        '{"step": 1, "time_s": 0, "split": "../etc", "values": {"a": 1}}',
        '{"step": 1, "time_s": 0, "split": "train", "values": [1]}',
        '{"step": 1, "time_s": 0, "split": ["train"], "values": {"a": 1}}',
        "1" * 10_000,
        "null",
        "\ufeff\x00",
        "x" * 3_000_000,
    ],
)
def test_lines_that_are_no_entry_are_counted_and_left_out(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.jsonl"
    write_lines(path, range(1, 2))
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    write_again = path.read_bytes()
    path.write_bytes(write_again + write_again.splitlines(keepends=True)[0].replace(b":1,", b":2,"))
    metrics = read_metrics(path)
    assert metrics.train["loss/edge"].step.tolist() == [1, 2]
    assert metrics.broken_lines >= 1


def test_values_that_are_no_numbers_are_not_finite(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    values = '{"a": "1", "b": null, "c": true, "d": NaN, "e": 1' + "0" * 400 + ', "f": [2]}'
    path.write_text(f'{{"step": 1, "time_s": null, "split": "train", "values": {values}}}\n')
    train = read_metrics(path).train
    assert [bool(np.isnan(train[name].value).all()) for name in "abcdef"] == [True] * 6


@hostile
@given(data=st.data())
def test_no_bytes_stop_the_reader(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    write_lines(path, range(1, 4))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
        raw = raw or bytearray(b"\n")
    path.write_bytes(raw)
    metrics = read_metrics(path)
    for series in (*metrics.train.values(), *metrics.val.values()):
        assert (np.diff(series.step) > 0).all()


def test_a_window_gives_means_of_the_steps_in_which_a_name_occurred() -> None:
    window = ScalarWindow()
    for step in range(4):
        window.add({"loss/edge": torch.tensor(float(step)), "rate/wait_share": step / 10})
    window.add({"critic/accuracy_real": torch.tensor(1, dtype=torch.int64)})
    assert window.take() == {
        "loss/edge": 1.5,
        "critic/accuracy_real": 1.0,
        "rate/wait_share": pytest.approx(0.15),
    }
    assert window.take() == {}


def test_a_window_shows_a_single_value_that_was_not_finite() -> None:
    window = ScalarWindow()
    window.add({"loss/edge": torch.tensor(1.0)})
    window.add({"loss/edge": torch.tensor(math.nan)})
    assert not math.isfinite(window.take()["loss/edge"])


def test_a_window_keeps_no_graph_and_fetches_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fetches: list[int] = []
    stack = torch.stack

    def counted(tensors: list[Tensor]) -> Tensor:
        fetches.append(len(tensors))
        return stack(tensors)

    monkeypatch.setattr(torch, "stack", counted)
    monkeypatch.setattr(torch.Tensor, "item", lambda _: pytest.fail("fetched one by one"))
    window = ScalarWindow()
    weight = torch.ones((), requires_grad=True)
    for _ in range(5):
        window.add({f"loss/{name}": weight * 2 for name in "abc"})
    assert all(not s.requires_grad for scalars in window._tensors.values() for s in scalars)
    assert window.take() == {"loss/a": 2.0, "loss/b": 2.0, "loss/c": 2.0}
    assert fetches == [15]


def test_tensorboard_holds_the_same_and_hides_what_a_resumed_run_does_anew(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    path, events = tmp_path / "metrics.jsonl", tmp_path / "tensorboard"
    with MetricsWriter(path, tensorboard=events) as writer:
        for step in (1, 2, 3):
            writer.write({"loss/edge": float(step)}, step=step, time_s=0.0)
    with MetricsWriter(path, tensorboard=events, resume_step=1) as writer:
        for step in (2, 3, 4):
            writer.write({"loss/edge": 10.0 * step}, step=step, time_s=0.0)
    shown = EventAccumulator(str(events))
    shown.Reload()
    scalars = [(event.step, event.value) for event in shown.Scalars("train/loss/edge")]
    assert scalars == [(1, 1.0), (2, 20.0), (3, 30.0), (4, 40.0)]
    assert read_metrics(path).train["loss/edge"].value.tolist() == [1.0, 20.0, 30.0, 40.0]
