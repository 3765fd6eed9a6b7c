"""A run judged on NYU Depth v2: the command from end to end on frames made by hand, and the constant maps."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from nyud_runs import nyud_files, write_run
from photo_trees import write_tar

from scenelift.adapt.colour import ColourSettings
from scenelift.adapt.feature_alignment import FeatureAlignment, FeatureAlignmentSettings
from scenelift.adapt.report.folder import read_run_folder
from scenelift.benchmarks.nyud_constants import learn_constants, least_relative_error
from scenelift.benchmarks.nyud_geometry import main, predict
from scenelift.datasets.nyud import INSIDE, open_nyud

FILES = nyud_files()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tar(tmp_path_factory.mktemp("nyud") / "nyuv2.tar", FILES)


def method_of(settings: FeatureAlignmentSettings) -> FeatureAlignment:
    return FeatureAlignment(settings, seed=0, device=torch.device("cpu"))


def test_the_command_leaves_figures_and_pictures(
    tmp_path: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    assert main([str(run), "--data", str(archive)]) == 0
    assert "Normals, mean error" in capsys.readouterr().out
    content = json.loads((run / "evaluation.json").read_text())
    rows = {row["name"]: row for row in content["rows"]}
    mean = rows["Normals, mean error"]
    # The frames are all alike up to scale, so constants are nearly right, and an untrained network is not.
    assert mean["baseline"] < 10 < mean["value"]
    assert 0 < mean["difference_low"] <= mean["value"] - mean["baseline"] <= mean["difference_high"]
    assert rows["Depth in metres, relative error"]["baseline"] < 0.5
    assert {row["better"] for row in content["rows"]} == {"lower", "higher"}
    assert len(list((run / "pictures" / "evaluation").glob("*.png"))) == 4
    evaluation = read_run_folder(run).evaluation
    assert evaluation is not None
    assert len(evaluation.rows) == len(rows) == 14


def test_it_gives_the_same_twice_and_a_task_may_be_missing(tmp_path: Path, archive: Path) -> None:
    run = write_run(tmp_path / "run", settings=FeatureAlignmentSettings(tasks=("edge", "depth")))
    written = []
    for _ in range(2):
        assert main([str(run), "--data", str(archive), "--limit", "2"]) == 0
        written.append((run / "evaluation.json").read_bytes())
    assert written[0] == written[1]
    assert not any("Normals" in row["name"] for row in json.loads(written[0])["rows"])


def test_what_cannot_be_judged_is_told_in_one_line(
    tmp_path: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    edges = write_run(tmp_path / "edges", settings=FeatureAlignmentSettings(tasks=("edge",)))
    broken = write_run(tmp_path / "broken")
    (broken / "config.json").write_text("[]")
    for folder, data, message in (
        (tmp_path / "none", archive, "holds no checkpoint"),
        (edges, archive, "neither depth nor normals"),
        (broken, archive, "crop_px"),
        (run, tmp_path / "none.tar", "does not exist"),
        (run, run / "config.json", "no tar archive"),
    ):
        assert main([str(folder), "--data", str(data)]) == 1
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert not (folder / "evaluation.json").exists()


@pytest.mark.parametrize("grey", ["none", "sample"])
def test_answers_are_unit_positive_and_of_each_picture_alone(grey: str) -> None:
    colour = ColourSettings(grey="none" if grey == "none" else "sample", brightness=0.5)
    method = method_of(FeatureAlignmentSettings(colour=colour))
    images = np.random.default_rng(0).integers(0, 256, (2, 60, 80, 3), dtype=np.uint8)
    both = predict(method, images, side=48)
    alone = predict(method, images[1:], side=48)
    assert both.z_depth_m is not None
    assert alone.z_depth_m is not None
    assert both.normal is not None
    assert both.z_depth_m.shape == (2, 60, 80)
    assert (both.z_depth_m > 0).all()
    np.testing.assert_allclose(np.linalg.norm(both.normal, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(both.z_depth_m[1], alone.z_depth_m[0], rtol=1e-4)
    green = images.copy()
    green[..., [0, 2]] = 7
    changed = predict(method, green, side=48)
    assert changed.z_depth_m is not None
    assert np.array_equal(changed.z_depth_m, both.z_depth_m) == (grey == "sample")


def test_the_constant_of_least_relative_error_beats_all_others() -> None:
    rng = np.random.default_rng(0)
    depths = np.exp(rng.normal(1, 0.5, (15, 4, 5))).astype(np.float32)
    valid = rng.random(depths.shape) < 0.8
    valid[:, 0, 0] = False
    best = least_relative_error(depths, valid=valid)
    assert best[0, 0] == np.median(depths[valid])

    def error(constant: np.ndarray) -> np.ndarray:
        return np.asarray(np.where(valid, np.abs(constant - depths) / depths, 0).sum(axis=0))

    for factor in np.linspace(0.5, 2, 31):
        assert (error(best) <= error(factor * best) + 1e-5).all()
    for other in depths:
        assert (error(best) <= error(other) + 1e-5).all()


def test_constants_show_the_scene_that_all_frames_share(archive: Path) -> None:
    frames = open_nyud(archive, split="train")
    constants = learn_constants(frames, indices=range(len(frames)))
    assert constants.z_depth_m.shape == frames.z_depth_m(0)[INSIDE].shape
    np.testing.assert_allclose(np.linalg.norm(constants.normal, axis=-1), 1, atol=1e-5)
    assert constants.normal[10:60, 100:200, 2].min() > 0.98
    assert constants.normal[-10:, 100:200, 1].min() > 0.9
