import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_bench
import pytest
import torch
from fake_bench import FakeTask, entries, write_data
from small_networks import lived_in_backbone

from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.weights import save_weights
from scenelift.benchmarks.card import read_card
from scenelift.benchmarks.cli import main


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "trained"
    folder.mkdir()
    save_weights(
        folder / "weights.safetensors",
        lived_in_backbone("alexnet-small", seed=3),
        input_normalisation=InputNormalisation(mean=(0.4, 0.4, 0.4), std=(1.0, 1.0, 1.0)),
        config={"recipe": "desk", "method": {"tasks": ["edge"], "align": {"method": "none"}}},
    )
    return folder


def bench(*words: object, trouble: str = "") -> int:
    return main([str(word) for word in words], entries=entries(trouble=trouble))


def cards(out: Path) -> list[str]:
    return sorted(path.parent.relative_to(out).as_posix() for path in out.rglob("card.json"))


def test_all_measures_each_network_on_what_is_there_random_first(
    tmp_path: Path, run_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    assert bench("all", "--data", data, "--weights", run_folder, "--out", out, "--seeds", 0, 1) == 0
    expected = [
        f"{label}/{task}/seed-{seed}"
        for label in ("random", "trained")
        for task in ("probe-tiny", "voc-classification-VOC2007")
        for seed in (0, 1)
    ]
    assert cards(out) == sorted(expected)
    said = capfd.readouterr().err
    assert "8 to measure" in said
    assert "on this machine" in said
    starts = [(m[1], m[2]) for m in re.finditer(r"\d of 8: (\S+) on \S+ (\S+),", said)]
    assert [label for _, label in starts[:2]] == ["random", "random"]
    card = read_card(out / expected[-1] / "card.json")
    assert card.split == "selection"
    assert card.network.training["aligned at"] == "none"
    assert card.network.sha256
    other = read_card(out / "random/probe-tiny/seed-1/card.json")
    first = read_card(out / "random/probe-tiny/seed-0/card.json")
    assert other.outcome.figures[0].value != first.outcome.figures[0].value + 0.1  # drawn anew
    assert (card.question == other.question) is False
    assert first.question == other.question
    assert first.key != other.key


def test_what_is_finished_is_not_measured_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    words = ("all", "--data", data, "--out", out)
    assert bench(*words) == 0
    before = {path: path.stat().st_mtime_ns for path in out.rglob("card.json")}
    shutil.rmtree(out / "random" / "probe-tiny")
    assert bench(*words) == 0
    assert "1 to measure, 1 finished before" in capfd.readouterr().err
    assert len(cards(out)) == 2
    kept = out / "random/voc-classification-VOC2007/seed-0/card.json"
    assert kept.stat().st_mtime_ns == before[kept]
    assert bench(*words, "--overwrite") == 0
    assert kept.stat().st_mtime_ns != before[kept]
    assert bench(*words, "--no-resume") == 1
    assert "finished already" in capfd.readouterr().err


def test_a_stopped_run_goes_on_and_gives_the_same_figures(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "data")
    words = ("all", "--data", data, "--out", tmp_path / "stopped")
    assert bench(*words, trouble="stop") == 130
    assert "the same command goes on" in capfd.readouterr().err
    assert cards(tmp_path / "stopped") == []
    folder = tmp_path / "stopped/random/probe-tiny/seed-0"
    asked = json.loads((folder / "asked.json").read_text())
    # `trouble` is a setting: another question, whose remains go
    assert asked["asked"]["settings"]["trouble"] == "stop"
    (folder / "half-done").touch()
    assert bench(*words) == 0
    assert not (folder / "half-done").exists()
    assert bench("all", "--data", data, "--out", tmp_path / "straight") == 0
    for name in cards(tmp_path / "straight"):
        two = [read_card(tmp_path / run / name / "card.json") for run in ("stopped", "straight")]
        assert two[0].outcome == two[1].outcome
        assert two[0].key == two[1].key


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_with_the_same_command(tmp_path: Path, sent: signal.Signals) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"sys.path.insert(0, {str(Path(fake_bench.__file__).parent)!r}); from fake_bench import entries; "
        "from scenelift.benchmarks.cli import main; sys.exit(main(sys.argv[1:], entries=entries()))"
    )
    words = [sys.executable, "-c", code, "all", "--data", str(data), "--out", str(out)]
    process = subprocess.Popen(
        words, env={**os.environ, fake_bench.WAIT: "1"}, stderr=subprocess.PIPE, text=True
    )
    waiting = out / "random/voc-classification-VOC2007/seed-0/half-done"
    deadline = time.monotonic() + 120
    while not waiting.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(sent)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    assert "Traceback" not in said
    assert cards(out) == ["random/probe-tiny/seed-0"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "1 to measure, 1 finished before" in done.stderr
    assert len(cards(out)) == 2
    assert not list(out.rglob("*.part"))


def test_remains_of_the_same_question_stay_for_the_task(tmp_path: Path) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    assert bench("probe", "--data", data, "--out", out, trouble="stop") == 130
    folder = out / "random/probe-tiny/seed-0"
    (folder / "half-done").touch()
    assert bench("probe", "--data", data, "--out", out, trouble="stop") == 130
    assert (folder / "half-done").exists()


def test_another_question_is_not_answered_over_a_card(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    words = ("probe", "--data", data, "--out", out)
    assert bench(*words) == 0
    capfd.readouterr()
    assert bench(*words, "--task.epochs", 9) == 1
    assert "settings.epochs: 3 then, 9 now" in capfd.readouterr().err
    assert bench(*words, "--final") == 1
    assert "final: false then, true now" in capfd.readouterr().err
    assert bench(*words, "--task.epochs", 9, "--overwrite") == 0
    card = read_card(out / "random/probe-tiny/seed-0/card.json")
    assert card.outcome.protocol["epochs"] == 9
    (data / "tiny/train/n00000001/new.jpg").write_bytes(b"more")
    assert bench(*words, "--task.epochs", 9) == 1
    assert "data: " in capfd.readouterr().err


def test_final_unlocks_the_test_split(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    assert bench("probe", "--data", data, "--out", out, "--final") == 0
    assert read_card(out / "random/probe-tiny/seed-0/card.json").split == "test"
    assert "the locked test split" in capfd.readouterr().err


def test_what_is_missing_is_listed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "data")
    shutil.rmtree(data / "VOC2007")
    assert bench("all", "--data", data, "--out", tmp_path / "out") == 0
    assert "skipped: voc-classification, no data set of kind voc" in capfd.readouterr().err


def test_one_task_at_fault_does_not_keep_the_others_from_being_measured(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    for trouble, expected in (
        ("input", "picture 7 is broken"),
        ("data", "not what it should be"),
        ("nan", "is nan"),
    ):
        shutil.rmtree(out, ignore_errors=True)
        assert bench("all", "--data", data, "--out", out, trouble=trouble) == 1
        assert cards(out) == ["random/voc-classification-VOC2007/seed-0"]
        assert expected in capfd.readouterr().err.splitlines()[-1]


def test_a_bug_keeps_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a fault of the program"):
        bench(
            "probe", "--data", write_data(tmp_path / "data"), "--out", tmp_path / "o", trouble="bug"
        )


def test_a_plan_measures_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    assert bench("all", "--data", data, "--out", out, "--plan-only") == 0
    assert not out.exists()
    assert re.search(r"2 to measure, .* about \d+ s on this machine", capfd.readouterr().err)


def test_bad_input_ends_in_one_line(
    tmp_path: Path, run_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data, text = write_data(tmp_path / "data"), tmp_path / "text.pth"
    text.write_text("no weights")
    (tmp_path / "empty").mkdir()
    used = tmp_path / "used/random/probe-tiny/seed-0"
    used.mkdir(parents=True)
    (used / "mine.txt").write_text("keep")
    out = ("--out", tmp_path / "out")
    cases: dict[tuple[object, ...], tuple[int, str]] = {
        ("nonsense",): (2, "there is no task 'nonsense'; there are probe"),
        (): (2, ""),
        ("all", "--data", tmp_path / "none", *out): (1, "does not exist"),
        ("all", "--data", tmp_path / "empty", *out): (1, "no data set"),
        ("probe", "--data", data, "--weights", tmp_path / "no.pth", *out): (1, "no such file"),
        ("probe", "--data", data, "--weights", text, *out): (1, "does not say of which network"),
        ("probe", "--data", data, "--weights", text, "--backbone", "resnet18", *out): (1, "not a sound safetensors"),
        ("probe", "--data", data, "--backbone", "lenet", *out): (1, "no backbone 'lenet'"),
        ("probe", "--data", data, "--weights", run_folder, "--backbone", "alexnet", *out): (1, "holds alexnet-small, not alexnet"),
        ("probe", "--data", data, "--device", "toaster", *out): (1, "toaster"),
        ("probe", "--data", data, "--device", "meta", *out): (1, "cpu or cuda"),
        ("probe", "--data", data, "--label", "../up", *out): (1, "names a folder"),
        ("probe", "--data", data, "--weights", "random", run_folder, "--label", "a", "a", *out): (1, "label the networks apart"),
        ("probe", "--data", data, "--out", tmp_path / "used"): (1, "is not empty and no result"),
        ("report", tmp_path / "empty"): (1, "no card"),
        ("report", tmp_path / "none"): (1, "does not exist"),
    }  # fmt: skip
    for words, (status, expected) in cases.items():
        assert bench(*words) == status, words
        said = capfd.readouterr().err
        assert expected in said, words
        assert "Traceback" not in said
    assert (used / "mine.txt").read_text() == "keep"


def test_usage_errors_exit_with_two(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data")
    for words in (
        ("--seeds", "one"),
        ("--seeds", 0, 0),
        ("--seeds", -1),
        ("--label", "a", "b"),
        ("--recipe", "quick"),
        ("--bogus",),
    ):
        for verb in ("probe", "all"):
            try:
                status: object = bench(verb, "--data", data, *words)
            except SystemExit as stopped:
                status = stopped.code
            assert status == 2, (verb, words)


def test_the_help_teaches(capfd: pytest.CaptureFixture[str]) -> None:
    assert bench("--help") == 0
    said = capfd.readouterr().out
    for word in ("--final", "transfer-bench all", "transfer-bench report", "probe", "Fine-tuning"):
        assert word in said
    for verb, words in (
        ("all", ("--weights", "--final", "--overwrite", "--anchor", "--seeds", "--plan-only")),
        ("probe", ("--task.epochs", "Nothing is done with them", "--recipe")),
        ("report", ("PATH", "--out", "literature")),
    ):
        with pytest.raises(SystemExit) as stopped:
            bench(verb, "--help")
        assert stopped.value.code == 0
        said = capfd.readouterr().out
        for word in words:
            assert word in said, (verb, word)


def test_it_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scenelift.benchmarks.cli", "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "transfer-bench" in done.stdout


def test_the_recipe_gives_the_settings(tmp_path: Path) -> None:
    data, out = write_data(tmp_path / "data"), tmp_path / "out"
    assert (
        bench(
            "probe",
            "--recipe",
            "paper",
            "--backbone",
            "alexnet-small",
            "--data",
            data,
            "--out",
            out,
        )
        == 0
    )
    card = read_card(out / "random/probe-tiny/seed-0/card.json")
    assert card.outcome.protocol["epochs"] == FakeTask(epochs=90).epochs


def test_the_global_generator_stays_where_it_was(tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    assert bench("probe", "--data", write_data(tmp_path / "data"), "--out", tmp_path / "out") == 0
    assert torch.equal(before, torch.random.get_rng_state())
