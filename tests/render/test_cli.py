"""The command's surface, exit statuses and one-line errors."""

import re
from pathlib import Path

import pytest
from small_runs import SMALL

from scenelift.datasets.store import Reader
from scenelift.render.cli import main

GOLDEN = Path(__file__).parents[1] / "golden" / "render_scenes_flags.txt"


@pytest.fixture(scope="module")
def small_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cli") / "synth.h5"
    assert main(["--out", str(out), *SMALL, "--frames", "4", "--workers", "1"]) == 0
    return out


def flags(text: str) -> list[str]:
    return sorted(set(re.findall(r"--[a-z][a-z0-9-]+", text)))


def test_the_flags_stay_what_they_are(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scripts rely on them: a change here is a change of the interface, to be told in CHANGELOG.md."""
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert flags(text) == GOLDEN.read_text().split()
    for verb in ("info", "view", "check", "stats", "merge"):
        assert f"render-scenes {verb} " in text


@pytest.mark.parametrize("verb", ["info", "view", "check", "stats", "merge"])
def test_each_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"render-scenes {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--out", "x.h5", "--frame", "3"],
        ["--out", "x.h5", "--frames", "0"],
        ["--out", "x.h5", "--quality", "best"],
        ["--out", "x.h5", "--resume", "--overwrite"],
        ["--out", "x.h5", "--width", "2"],
        ["info"],
    ],
)
def test_wrong_usage_exits_with_2(
    arguments: list[str],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_verbs_work_on_a_file(small_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(small_file)]) == 0
    assert "4 frames" in capsys.readouterr().out
    assert main(["check", str(small_file)]) == 0
    assert "no fault" in capsys.readouterr().out
    assert main(["stats", str(small_file)]) == 0
    assert "depth" in capsys.readouterr().out
    picture = small_file.with_name("sheet.png")
    assert main(["view", str(small_file), "--out", str(picture), "--rows", "2"]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    both = small_file.with_name("both.h5")
    assert main(["merge", str(small_file), str(small_file), "--out", str(both)]) == 1, (
        "the same views twice"
    )
    assert not both.exists()


def test_merge_joins_runs_of_different_seeds_only_if_their_headers_agree(
    small_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.h5"
    smaller = ["--width", "32", "--height", "32", *SMALL[4:], "--frames", "2", "--workers", "1"]
    assert main(["--out", str(other), *smaller]) == 0
    capsys.readouterr()
    assert main(["merge", str(small_file), str(other), "--out", str(tmp_path / "m.h5")]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "other.h5" in error
    assert not (tmp_path / "m.h5").exists()


@pytest.mark.parametrize("verb", ["info", "view", "check", "stats"])
@pytest.mark.parametrize(
    "content", [None, b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + b"\0" * 300]
)
def test_what_is_no_such_file_is_told_in_a_line(
    verb: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "synth.h5"
    if content is not None:
        path.write_bytes(content)
    assert main([verb, str(path)]) == 1
    captured = capsys.readouterr()
    told = captured.err if verb != "check" else captured.err + captured.out
    assert "synth.h5" in told
    assert "Traceback" not in told
    assert len(told.strip().splitlines()) <= 2


def test_scenes_that_cannot_be_used_are_listed_and_end_in_1_unless_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], small_file: Path
) -> None:
    scenes = tmp_path / "scenes"
    written = ["--write-scenes", str(scenes), "--frames", "2", "--workers", "1"]
    assert main(["--out", str(tmp_path / "a.h5"), *SMALL, *written]) == 0
    (scenes / "broken.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 nan 0\nf 1 2 3\n")
    run = ["--scenes", str(scenes), *SMALL, "--frames", "2", "--workers", "1"]
    capsys.readouterr()
    assert main(["--out", str(tmp_path / "b.h5"), *run]) == 1
    assert "broken.obj" in capsys.readouterr().err
    assert len(Reader(tmp_path / "b.h5")) == 2
    assert main(["--out", str(tmp_path / "c.h5"), *run, "--skip-bad-scenes"]) == 0
