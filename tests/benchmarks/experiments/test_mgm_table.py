"""The comparison's plan, its report, and (slowly) the whole command with a kill in between."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from nyud_runs import nyud_files
from photo_trees import write_tar

from scenelift.adapt.config import TrainContent
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.benchmarks.experiments import gan_distances, runs
from scenelift.benchmarks.experiments.mgm_forecast import Forecast
from scenelift.benchmarks.experiments.mgm_plan import GAN, METHODS, Plan, Wanted, make_plan
from scenelift.benchmarks.experiments.mgm_report import (
    Made,
    Outcome,
    Row,
    difference_rows,
    generator_rows,
    table_rows,
    write_outcome,
)
from scenelift.benchmarks.experiments.mgm_table import MgmTable, main, make_paced_plan
from scenelift.benchmarks.experiments.runs import ExperimentError
from scenelift.datasets.scene_labels import SceneLabels, write_scene_labels

WANTED = Wanted(
    labelled=Path("frames"),
    out=Path("runs"),
    synthetic=(Path("synth.h5"),),
    methods=(),
    shares=(0.25, 1.0),
    seeds=3,
    steps=100,
    gan_steps=50,
    batch_size=8,
)


def settings(content: TrainContent) -> MgmSettings:
    assert isinstance(content.method, MgmSettings)
    return content.method


def test_one_pretraining_serves_all_rows_of_a_share_and_seed() -> None:
    plan = make_plan(WANTED)
    assert len(plan.rows) == len(METHODS) * 2 * 3
    assert len(plan.gans) == 2 * 3
    assert len(plan.runs) == (len(METHODS) + 2) * 2 * 3 + 6  # ST has a run for each of three tasks
    assert len({run.folder for run in plan.runs}) == len(plan.runs)
    for run in plan.runs:
        wanted = settings(run.content)
        if wanted.gan_from is not None:
            seed, share = run.content.seed, run.content.label_share
            assert wanted.gan_from == plan.gans[share, seed].folder
            assert wanted.gan_steps == 0


def test_every_run_comes_after_those_that_it_builds_on() -> None:
    place = {run.folder: number for number, run in enumerate(make_plan(WANTED).runs)}
    for run in make_plan(WANTED).runs:
        wanted = settings(run.content)
        for needed in (wanted.gan_from, wanted.annotator):
            if needed is not None:
                assert place[needed] < place[run.folder]
    few = make_plan(replace(WANTED, methods=("st-g",), shares=(0.25,), seeds=1))
    # Its annotator learns from all labels, whatever the shares.
    assert [run.content.label_share for run in few.runs if run.content.recipe != GAN] == [1.0, 0.25]


def test_rows_differ_in_their_switches_alone() -> None:
    contents = [run.content for run in make_plan(WANTED).runs if run.content.recipe != GAN]
    for name in ("steps", "batch_size", "geometry", "precision", "labelled", "validate_every"):
        assert len({repr(getattr(content, name)) for content in contents}) == 1
    for name in ("backbone", "decoder_width", "optimiser"):
        assert len({repr(getattr(settings(content), name)) for content in contents}) == 1


def test_bad_plans_end_in_one_line() -> None:
    with pytest.raises(ExperimentError, match="no method 'mtl'; there are st, mt"):
        make_plan(replace(WANTED, methods=("mtl",)))
    with pytest.raises(ExperimentError, match="rendered needs rendered frames: give --synthetic"):
        make_plan(replace(WANTED, methods=("rendered",), synthetic=()))
    with pytest.raises(ExperimentError, match="shares must be above 0"):
        make_plan(replace(WANTED, shares=(0.0,)))
    without = make_plan(replace(WANTED, synthetic=()))
    assert not any("rendered" in method for method, _, _ in without.rows)


def test_steps_fit_the_minutes() -> None:
    costs = Forecast(counts={"mgm-mt": 6, GAN: 6}, step_s={"mgm-mt": 0.2, GAN: 0.4})
    steps = costs.steps_within(3600)
    assert costs.total_s(steps=steps, gan_steps=steps) <= 3600
    assert costs.total_s(steps=steps * 11 // 10, gan_steps=steps * 11 // 10) > 3600
    with pytest.raises(ExperimentError, match="give more --minutes"):
        costs.steps_within(100)


def outcome(folder: Path) -> Outcome:
    def row(method: str, miou: tuple[float, ...], depth: tuple[float, ...]) -> Row:
        values = {
            "segmentation/miou": dict(enumerate(miou)),
            "depth/mean_error": dict(enumerate(depth)),
        }
        (folder / method / "pictures").mkdir(parents=True)
        (folder / method / "metrics.jsonl").write_text("")
        return Row(
            method=method, title=method.upper(), share=0.25, values=values, runs=[folder / method]
        )

    (folder / "gan" / "pictures").mkdir(parents=True)
    made = Made(
        title="pre-trained", share=0.25, seed=0, folder=folder / "gan", figures={"KID": 0.2}
    )
    return Outcome(
        rows=[
            row("mt", (10.0, 11.0, 12.0), (1.0, 1.0, 1.0)),
            row("mgm", (12.0, 13.0, 14.0), (0.5, 0.7, 0.6)),
        ],
        constants={"segmentation/miou": 2.0},
        generators=[made],
        floor={"KID": 0.01},
        noise={"KID": 1.5},
        pseudo_scenes=True,
        num_test=654,
        steps=100,
        gan_steps=100,
    )


def test_tables_hold_mean_interval_and_gain(tmp_path: Path) -> None:
    told = outcome(tmp_path)
    rows = table_rows(told)
    assert rows[0][:3] == ["", "no picture: the best constants", "2.00"]
    assert rows[1][:3] == ["25 %", "MT", "11.0 ± 2.48"]
    (gain,) = difference_rows(told)
    # Two points in every seed, and a lower error is a gain.
    assert gain[1:4] == ["MGM beside MT", "+2.00 ± 0 *", "+0.400 ± 0.248 *"]
    assert [row[1:] for row in generator_rows(told)] == [
        ["held-out photos", "0.0100"],
        ["pre-trained", "0.200"],
        ["noise", "1.50"],
    ]


def test_report_is_one_page_that_says_pseudo_labels(tmp_path: Path) -> None:
    write_outcome(tmp_path, outcome(tmp_path))
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "pseudo-labels" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    kept = json.loads((tmp_path / "table.json").read_text(encoding="utf-8"))
    assert kept["rows"][1]["values"]["segmentation/miou"] == {"0": 12.0, "1": 13.0, "2": 14.0}
    assert "| 25 % | MT | 11.0 ± 2.48 |" in (tmp_path / "table.md").read_text(encoding="utf-8")


def tiny(folder: Path) -> MgmTable:
    labels = SceneLabels(
        classes=("bedroom", "office"),
        scenes={f"{i:04d}": ("bedroom", "office")[i % 2] for i in range(10)},
        made_by="a coin",
    )
    write_scene_labels(folder / "s.json", labels)
    return MgmTable(
        data=write_tar(folder / "n.tar", nyud_files(train=6, test=2)),
        scene_labels=folder / "s.json",
        out=folder / "out",
        methods=("mt", "mgm"),
        shares=(0.5,),
        seeds=1,
        steps=2,
        batch_size=2,
    )


def test_input_at_fault_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = replace(tiny(tmp_path), methods=("mt",), scene_labels=None)
    assert main(config) == 1
    assert "no scene labels: give --scene-labels FILE" in capsys.readouterr().err
    assert main(replace(config, inception=tmp_path / "none.pth")) == 1
    assert "no such file; it is pt_inception" in capsys.readouterr().err


def list_distances(folder: Path, *, run: Path) -> int:
    return gan_distances.main(
        gan_distances.GanDistances(run=run, data=folder / "out" / "frames", pictures=4)
    )


def test_distances_need_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list_distances(tmp_path, run=tmp_path / "none") == 1
    assert "holds no checkpoint; name the folder of a training run" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_goes_on_after_a_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny(tmp_path)
    whole: Callable[..., Path] = vars(runs)["train_run"]
    done: list[object] = []

    def killed(*args: object, **kwargs: object) -> object:
        done.append(args)
        if len(done) == 2:
            raise KeyboardInterrupt
        return whole(*args, **kwargs)

    monkeypatch.setattr(runs, "train_run", killed)
    assert main(config) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert main(config) == 0
    assert len(done) == 4  # three runs, one of them begun twice
    assert main(config) == 0
    assert len(done) == 4
    assert (config.out / "report.html").is_file()
    assert (config.out / "runs" / GAN / "share-50-seed-0" / "nearest.png").is_file()
    # Distances of what the same command left: held-out frames, noise, and the generator's checkpoint.
    assert list_distances(tmp_path, run=config.out / "runs" / GAN / "share-50-seed-0") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[-3:]] == ["held-out frames", "noise", "step 2"]
    assert list_distances(tmp_path, run=config.out / "runs" / "mgm-mt" / "share-50-seed-0") == 1
    assert "its run has no generator" in capsys.readouterr().err
    with pytest.raises(ExperimentError, match="holds a run that differs in steps"):
        plan_of(replace(config, steps=3))


def plan_of(config: MgmTable) -> Plan:
    return make_paced_plan(config)[0]
