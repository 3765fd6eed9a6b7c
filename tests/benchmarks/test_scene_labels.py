"""Scene pseudo-labels: colours stand for scenes, so that seconds suffice to learn them; what is missing ends in one line."""

from pathlib import Path

import numpy as np
import pytest
from nyud_runs import nyud_files, png
from photo_trees import write_tar, write_tree

from scenelift.benchmarks.experiments import scene_labels
from scenelift.benchmarks.experiments.scene_labels import SceneLabelling, main
from scenelift.datasets.scene_labels import read_scene_labels

COLOURS = {"bathroom": (220, 60, 60), "kitchen": (60, 220, 60), "coast": (60, 60, 220)}


def painted(name: str, *, seed: int, height: int = 40, width: int = 48) -> bytes:
    """A picture of a scene's colour, brighter on one side than on the other."""
    left, right = np.random.default_rng(seed).normal(0, 20, (2, 3))
    across = np.linspace(0, 1, width)[:, None]
    row = COLOURS[name] + left * (1 - across) + right * across
    return png(np.broadcast_to(np.clip(row, 0, 255), (height, width, 3)).astype(np.uint8))


def places(folder: Path, *, names: tuple[str, ...] = tuple(COLOURS)) -> Path:
    files = {
        f"{split}/{name}/{number}.png": painted(name, seed=number + 100 * (split == "val"))
        for split, count in (("train", 12), ("val", 4))
        for name in names
        for number in range(count)
    }
    return write_tree(folder / "places", files)


def frames(folder: Path) -> Path:
    files = nyud_files(train=3, test=3)
    for number in range(6):
        name = ("bathroom", "kitchen")[number % 2]
        files[f"image/{number:04d}.jpg"] = painted(name, seed=number, height=240, width=320)
    return write_tar(folder / "n.tar", files)


def test_frames_are_named_among_the_indoor_scenes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = SceneLabelling(
        places=places(tmp_path),
        data=frames(tmp_path),
        out=tmp_path / "s.json",
        steps=20,
        batch_size=16,
        side_px=64,
    )
    assert main(config) == 0
    labels = read_scene_labels(tmp_path / "s.json")
    assert labels.classes == ("bathroom", "kitchen")  # a coast is no room
    assert labels.scenes == {f"{n:04d}": ("bathroom", "kitchen")[n % 2] for n in range(6)}
    assert labels.made_by.startswith("pseudo-labels: alexnet-small, 20 steps on places; 8 of 8")
    assert "chance 50.0 %" in capsys.readouterr().out


def test_what_is_missing_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outdoors = SceneLabelling(
        places=places(tmp_path, names=("coast", "kitchen")),
        data=frames(tmp_path),
        out=tmp_path / "s.json",
    )
    assert main(outdoors) == 1
    assert "at least two of the categories bathroom, bedroom" in capsys.readouterr().err
    assert not (tmp_path / "s.json").exists()


def test_an_unknown_network_ends_in_one_line_and_a_bug_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = SceneLabelling(
        places=places(tmp_path),
        data=frames(tmp_path),
        out=tmp_path / "s.json",
        backbone="alexnett",
    )
    assert main(config) == 1
    assert "there is no backbone 'alexnett'; choose one of alexnet" in capsys.readouterr().err

    def broken(_config: SceneLabelling, _train: object) -> None:
        raise ValueError("a bug")

    monkeypatch.setattr(scene_labels, "teach", broken)
    with pytest.raises(ValueError, match="a bug"):
        main(config)
