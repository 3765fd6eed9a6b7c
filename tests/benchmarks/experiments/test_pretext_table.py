"""The table of comparison systems: planned, done once, gone on with, and honest about what knows nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from photo_trees import photo, write_tree

from scenelift.benchmarks.experiments.pretext_table import PretextTable, Row, main, write_table


@pytest.fixture
def config(tmp_path: Path) -> PretextTable:
    pictures = {
        f"{split}/{n}.png": photo(width=150, height=140, seed=n)
        for split in ("train", "val")
        for n in range(5)
    }
    photos = write_tree(tmp_path / "photos", pictures)
    return PretextTable(
        real=photos,
        out=tmp_path / "out",
        systems=("rotation",),
        seeds=2,
        steps=2,
        device="cpu",
    )


def test_a_plan_does_nothing(config: PretextTable, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(replace(config, plan=True)) == 0
    assert "rotation: 2 x 2 steps of 16" in capsys.readouterr().out
    assert not config.out.exists()


def test_each_run_is_done_once(config: PretextTable) -> None:
    assert main(config) == 0
    weights = [config.out / "rotation" / f"seed-{n}" / "weights.safetensors" for n in range(2)]
    before = [path.stat().st_mtime_ns for path in weights]
    weights[1].unlink()  # as a kill before the end leaves it
    assert main(config) == 0
    after = [path.stat().st_mtime_ns for path in weights]
    assert after[0] == before[0]
    assert after[1] != before[1]
    (row,) = json.loads((config.out / "table.json").read_text())
    assert row["figure"] == "accuracy/rotation"
    assert row["baselines"] == [0.25, 0.25]
    assert len(row["values"]) == len(row["untrained"]) == 2
    assert all(0 <= value <= 1 for value in row["untrained"])
    assert "| rotation | accuracy, rotation (higher) |" in (config.out / "table.md").read_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"systems": ("rotations",)}, "no system 'rotations'; there are gaussian"),
        ({"systems": ("imagenet",)}, "no labelled pictures: give --labelled"),
    ],
)
def test_bad_input_is_one_line(
    config: PretextTable,
    change: dict[str, tuple[str, ...]],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(replace(config, systems=change["systems"])) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if "pretext_table: " in line]
    assert len(lines) == 1
    assert told in lines[0]


def test_a_table_grows_system_by_system(
    config: PretextTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(replace(config, seeds=1, steps=1)) == 0
    rotation = json.loads((config.out / "table.json").read_text())
    write_table(config.out, [])
    assert json.loads((config.out / "table.json").read_text()) == rotation
    other = Row(
        system="jigsaw",
        figure="accuracy/jigsaw",
        values=(0.5,),
        baselines=(0.1,),
        untrained=(0.1,),
        steps=3,
    )
    write_table(config.out, [other])
    write_table(config.out, [replace(other, values=(0.6,))])
    kept = json.loads((config.out / "table.json").read_text())
    assert [row["system"] for row in kept] == ["rotation", "jigsaw"]
    assert kept[1]["values"] == [0.6]
    (config.out / "table.json").write_text('[{"system": 3}]')
    assert main(replace(config, seeds=1, steps=1)) == 1
    assert "is no table of ours; remove it" in capsys.readouterr().err


def test_a_run_of_another_length_is_not_mixed_in(
    config: PretextTable, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(replace(config, seeds=1)) == 0
    assert main(replace(config, seeds=1, steps=3)) == 1
    assert "differs in steps" in capsys.readouterr().err
