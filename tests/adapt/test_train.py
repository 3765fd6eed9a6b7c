import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_method import MeanColour

from scenelift.adapt.checkpoint import (
    CheckpointError,
    differences,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from scenelift.adapt.ema import WeightAverage
from scenelift.adapt.log import read_metrics
from scenelift.adapt.method import Batch, Method
from scenelift.adapt.train import Pace, RunState, TrainingError, recalibrate, train

PACE = Pace(
    steps=12,
    log_every=2,
    validate_every=4,
    checkpoint_every=3,
    pictures_every=6,
    keep_checkpoints=2,
)


class Counting:
    """A stream whose batch k is a function of k."""

    def __init__(self, start: int = 0) -> None:
        self.position = start
        self.wait_s = 0.0

    def __next__(self) -> Batch:
        rng = np.random.default_rng(self.position)
        image = torch.from_numpy(rng.integers(0, 256, (4, 3, 8, 8), dtype=np.uint8))
        seeds = torch.arange(4) + 4 * self.position
        self.position += 1
        return {"image": image, "sample_seed": seeds}


def run(folder: Path, method: MeanColour, *, start: int = 0, pace: Pace = PACE) -> RunState:
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    return train(
        method,
        streams={"images": Counting(start)},
        validation={"images": [next(Counting(1000))]},
        folder=folder,
        pace=pace,
        state=RunState(average=None, start=start),
        config={"a": 1},
        observer=lambda values, step: None,
    )


def test_the_trivial_method_is_a_method_and_learns(tmp_path: Path) -> None:
    method = MeanColour()
    assert isinstance(method, Method)
    run(tmp_path, method)
    loss = read_metrics(tmp_path / "metrics.jsonl").train["loss/colour"]
    assert loss.step.tolist() == [2, 4, 6, 8, 10, 12]
    assert loss.value[-1] < loss.value[0] / 10
    assert method.seen == list(range(48))
    assert [path.stem for path in list_checkpoints(tmp_path / "checkpoints")] == [
        "000000009",
        "000000012",
    ]
    assert (tmp_path / "pictures" / "6" / "images" / "seen.png").is_file()


def test_a_resumed_run_ends_with_the_same_bits_and_the_same_log(tmp_path: Path) -> None:
    straight = MeanColour()
    run(tmp_path / "straight", straight)
    stopped = MeanColour()
    short = Pace(**{**{f: getattr(PACE, f) for f in PACE.__dataclass_fields__}, "steps": 12})
    (tmp_path / "stopped" / "checkpoints").mkdir(parents=True)

    class Killed(RuntimeError):
        pass

    class Dying(Counting):
        def __next__(self) -> Batch:
            if self.position == 8:
                raise Killed
            return super().__next__()

    with pytest.raises(Killed):
        train(
            stopped,
            streams={"images": Dying()},
            validation={"images": [next(Counting(1000))]},
            folder=tmp_path / "stopped",
            pace=short,
            state=RunState(average=None),
            config={"a": 1},
            observer=lambda values, step: None,
        )
    state = load_checkpoint(list_checkpoints(tmp_path / "stopped" / "checkpoints")[-1])
    assert state["step"] == 6
    resumed = MeanColour()
    resumed.load_state_dict(state["method"])
    run(tmp_path / "stopped", resumed, start=6)
    assert torch.equal(resumed.network.weight, straight.network.weight)
    logs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("straight", "stopped")]
    for split in ("train", "val"):
        one, other = (getattr(log, split) for log in logs)
        for name in set(one) - {"rate/images_per_s", "rate/wait_share"}:
            np.testing.assert_array_equal(one[name].step, other[name].step)
            np.testing.assert_array_equal(one[name].value, other[name].value)


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_module(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"step 5: .*colour.* first in module backbone\."):
        run(tmp_path, MeanColour(fail_at=5))
    saved = load_checkpoint(tmp_path / "bad-batch-000000005.pt")
    assert torch.equal(saved["batches"]["images"]["image"], next(Counting(5))["image"])


def test_damaged_checkpoints_end_in_one_line(tmp_path: Path) -> None:
    path = save_checkpoint(tmp_path, {"x": torch.zeros(100)}, step=1, keep=1)
    whole = path.read_bytes()
    for damaged in (b"", b"no", whole[: len(whole) // 2], whole[:-10]):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)
    torch.save({"other": 1}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of this version"):
        load_checkpoint(path)


def test_a_checkpoint_that_runs_code_is_refused(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (print, ("run",))

    path = tmp_path / "000000001.pt"
    torch.save(Evil(), path)
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_differences_name_fields() -> None:
    assert differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 1}, "c": 2}) == []
    assert differences({"a": {"b": 1}}, {"a": {"b": 2}, "c": 3}) == [
        "a.b: 1 then, 2 now",
        "c: None then, 3 now",
    ]


def test_the_average_of_weights_that_stand_still_is_these_weights() -> None:
    convolution = torch.nn.Conv2d(3, 4, 3)
    network = torch.nn.Sequential(convolution, torch.nn.BatchNorm2d(4))
    average = WeightAverage({"backbone": network}, decay=0.9)
    with torch.no_grad():
        convolution.weight.fill_(2.0)
    for _ in range(200):
        average.update({"backbone": network, "other": torch.nn.Linear(1, 1)})
    torch.testing.assert_close(average.networks["backbone"].state_dict(), network.state_dict())
    again = WeightAverage({"backbone": network}, decay=0.9)
    again.load_state_dict(average.state_dict())
    torch.testing.assert_close(
        again.networks["backbone"].state_dict(),
        average.networks["backbone"].state_dict(),
        rtol=0,
        atol=0,
    )


def test_recalibration_gives_the_statistics_of_what_is_shown() -> None:
    norm = torch.nn.BatchNorm2d(2)
    generator = torch.Generator().manual_seed(0)
    shown = [torch.randn(8, 2, 5, 5, generator=generator) * 3 + 1 for _ in range(4)]

    def forward() -> None:
        for x in shown:
            norm(x)

    recalibrate(norm, forward=forward)
    torch.testing.assert_close(
        norm.running_mean, torch.stack([x.mean(dim=(0, 2, 3)) for x in shown]).mean(dim=0)
    )
    assert norm.momentum == 0.1


def test_a_full_disk_is_told_in_one_line_and_older_checkpoints_stay(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, {"x": torch.zeros(10)}, step=1, keep=2)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match=r"2\.pt: cannot be written: File too large; make room"):
            save_checkpoint(tmp_path, {"x": torch.zeros(10**6)}, step=2, keep=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["000000001.pt"]
