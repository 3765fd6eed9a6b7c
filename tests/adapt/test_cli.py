import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_trees import photo, write_tree
from store_files import make_header, make_record, noise_row

from scenelift.adapt.cli import main
from scenelift.adapt.job import load_method
from scenelift.adapt.log import read_metrics
from scenelift.adapt.weights import load_weights
from scenelift.datasets.store import write_shard

SIDE = 72
QUICK = (
    "--recipe", "demo", "--steps", "6", "--batch-size", "4", "--validate-every", "3", "--log-every", "2",
    "--checkpoint-every", "2", "--pictures-every", "3", "--geometry.resize-px", "72", "--geometry.crop-px", "64",
    "--recalibrate-batches", "2", "--device", "cpu", "--no-tensorboard",
)  # fmt: skip


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A file of noise views in two splits, and photos."""
    folder = tmp_path_factory.mktemp("inputs")
    header = make_header(width=SIDE, height=SIDE)
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        write_shard(
            folder / f"{split}.h5",
            header=header,
            scene=make_record(name=split, split=split),
            rows=[noise_row(rng, width=SIDE, height=SIDE) for _ in range(count)],
        )
    photos = write_tree(
        folder / "photos", {f"{n}.png": photo(width=90, height=80, seed=n) for n in range(8)}
    )
    return folder, photos


def flags(inputs: tuple[Path, Path], out: Path, *more: str) -> list[str]:
    folder, photos = inputs
    files = [str(folder / "train.h5"), str(folder / "val.h5")]
    return [*QUICK, "--synthetic", *files, "--real", str(photos), "--out", str(out), *more]


def test_a_run_leaves_weights_report_log_and_pictures(
    inputs: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert main(flags(inputs, out)) == 0
    weights = load_weights(out / "weights.safetensors")
    assert weights.backbone.name == "alexnet-small"
    assert weights.config["recipe"] == "demo"
    assert json.loads((out / "config.json").read_text())["content"]["steps"] == 6
    log = read_metrics(out / "metrics.jsonl")
    assert log.train["loss/task"].step.tolist() == [2, 4, 6]
    assert log.val["selection/score"].step.tolist() == [3, 6]
    assert "<html" in (out / "report.html").read_text()[:200]
    assert {path.name for path in (out / "pictures").iterdir()} == {"3", "6"}
    method = load_method(out, device=torch.device("cpu"))
    torch.testing.assert_close(
        method.backbone.state_dict(), weights.backbone.state_dict(), rtol=0, atol=0
    )


def test_onnx_is_written_on_demand(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    out = tmp_path / "run"
    assert main(flags(inputs, out, "--steps", "1", "--no-audit", "--onnx")) == 0
    session = onnxruntime.InferenceSession(out / "backbone.onnx")
    pictures = np.zeros((2, 3, 64, 64), np.float32)
    answers = session.run(["conv5"], {"image": pictures})
    weights = load_weights(out / "weights.safetensors")
    with torch.no_grad():
        expected = weights.backbone(torch.from_numpy(pictures))["conv5"]
    np.testing.assert_allclose(answers[0], expected.numpy(), atol=1e-4)


@pytest.mark.parametrize("more", [(), ("--average", "0.9", "--method.balance", "upgrad")])
def test_a_resumed_run_gives_the_same_bytes(
    inputs: tuple[Path, Path], tmp_path: Path, more: tuple[str, ...]
) -> None:
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    assert main(flags(inputs, straight, *more)) == 0
    assert main(flags(inputs, stopped, *more)) == 0
    (stopped / "checkpoints" / "000000006.pt").unlink()
    (stopped / "weights.safetensors").unlink()
    assert main(flags(inputs, stopped, "--resume", *more)) == 0
    assert (stopped / "weights.safetensors").read_bytes() == (
        straight / "weights.safetensors"
    ).read_bytes()


def test_two_processes_train_together_and_resume(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    def run(out: Path, *more: str) -> str:
        command = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            "-m", "scenelift.adapt.cli", *flags(inputs, out, "--no-audit", *more),
        ]  # fmt: skip
        done = subprocess.run(
            command,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    whole = tmp_path / "whole"
    assert run(whole).count("The report is") == 1
    parts = tmp_path / "parts"
    run(parts)
    for path in (parts / "checkpoints").glob("*6.pt"):
        path.unlink()
    (parts / "weights.safetensors").unlink()
    run(parts, "--resume")
    assert (parts / "weights.safetensors").read_bytes() == (
        whole / "weights.safetensors"
    ).read_bytes()


@pytest.mark.slow
@pytest.mark.num_cases(10)
def test_killed_at_random_moments_it_resumes_to_the_same_bytes(
    inputs: tuple[Path, Path], tmp_path: Path
) -> None:
    def command(out: Path, *more: str) -> list[str]:
        return [sys.executable, "-m", "scenelift.adapt.cli", *flags(inputs, out, *more)]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begin = time.monotonic()
    subprocess.run(command(tmp_path / "straight"), check=True, env=environment)
    whole_s = time.monotonic() - begin
    expected = (tmp_path / "straight" / "weights.safetensors").read_bytes()
    chance = random.Random(0)
    for number in range(10):
        out = tmp_path / f"killed-{number}"
        process = subprocess.Popen(command(out), env=environment, start_new_session=True)
        time.sleep(chance.uniform(0.3, 1.0) * whole_s)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        subprocess.run(command(out, "--resume"), check=True, env=environment)
        assert (out / "weights.safetensors").read_bytes() == expected


def test_bad_input_ends_in_one_line(
    inputs: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, photos = inputs
    empty, text, used = tmp_path / "empty", tmp_path / "text.h5", tmp_path / "used"
    empty.mkdir()
    text.write_text("no file of ours")
    used.mkdir()
    (used / "mine.txt").write_text("keep")
    train = str(folder / "train.h5")
    cases = {
        ("--synthetic", train, "--real", str(empty)): "no photo",
        ("--synthetic", train, "--real", str(tmp_path / "none")): "does not exist",
        ("--synthetic", str(text), "--real", str(photos)): "text.h5",
        ("--synthetic", str(folder / "val.h5"), "--real", str(photos)): "split train",
        ("--real", str(photos)): "--synthetic",
        ("--synthetic", train): "--real",
        ("--synthetic", train, "--real", str(photos), "--method.align.layers", "conv9"): "conv9",
        ("--synthetic", train, "--real", str(photos), "--method.backbone", "lenet"): "lenet",
    }
    for number, (words, expected) in enumerate(cases.items()):
        status = main([*QUICK, *words, "--out", str(tmp_path / f"out-{number}")])
        said = capfd.readouterr().err
        assert status == 1, words
        assert expected in said, words
        assert "Traceback" not in said
    assert main(flags(inputs, used)) == 1
    assert "not empty" in capfd.readouterr().err
    assert (used / "mine.txt").read_text() == "keep"
    assert main(["--recipe", "nonsense", "--out", str(tmp_path / "x")]) == 2
    assert "paper" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--steps", "0"), "steps must be at least 1, got 0"),
        (("--recipe", "desky"), "there are paper, released"),
        (("--resume", "--overwrite"), "exclude each other"),
    ],
)
def test_a_flag_at_fault_ends_in_one_line(
    words: tuple[str, ...], expected: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    told = capfd.readouterr().err
    assert expected in told
    assert told.count("\n") == 1


def test_a_checkpoint_of_another_configuration_is_refused_with_the_differences(
    inputs: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(flags(inputs, tmp_path / "run")) == 0
    capfd.readouterr()
    assert main(flags(inputs, tmp_path / "run", "--resume", "--seed", "5")) == 1
    assert "seed: 0 then, 5 now" in capfd.readouterr().err


def test_a_photo_that_cannot_be_read_stops_or_is_counted(
    inputs: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, _ = inputs
    broken = write_tree(
        tmp_path / "photos", {f"{n}.png": photo(width=90, height=80, seed=n) for n in range(3)}
    )
    (broken / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    assert main(flags((folder, broken), tmp_path / "one")) == 1
    assert "a.png" in capfd.readouterr().err
    assert main(flags((folder, broken), tmp_path / "two", "--skip-bad-photos")) == 0


def test_a_pretext_task_is_added_by_one_flag(inputs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert main(flags(inputs, out, "--self-supervision", "rotation", "--no-audit")) == 0
    stored = json.loads((out / "config.json").read_text())
    assert stored["content"]["method"]["self_supervision"] == "rotation"
    assert "accuracy/rotation" in read_metrics(out / "metrics.jsonl").val
