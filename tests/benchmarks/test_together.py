from pathlib import Path

import pytest
from photo_trees import photo, write_tree
from rich.console import Console
from small_networks import lived_in_backbone

from scenelift.adapt.network_input import InputNormalisation
from scenelift.adapt.weights import save_weights
from scenelift.benchmarks.card import read_card
from scenelift.benchmarks.cli import main
from scenelift.benchmarks.recipes import ENTRIES, Entry
from scenelift.benchmarks.report import write_reports


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_both_recipes_make_the_task_and_every_setting_is_a_flag(
    entry: Entry, capfd: pytest.CaptureFixture[str]
) -> None:
    for task in (entry.make("desk"), entry.make("paper")):
        assert task.name == entry.name
        hash(task)  # frozen through and through
    with pytest.raises(SystemExit) as stopped:
        main([entry.name, "--recipe", "paper", "--help"])
    assert stopped.value.code == 0
    assert "--task." in capfd.readouterr().out


def test_neighbours_of_several_networks_stand_side_by_side_in_the_report(tmp_path: Path) -> None:
    data = write_tree(
        tmp_path / "VOC2007",
        {f"JPEGImages/{n}.png": photo(width=70, height=60, seed=n) for n in range(12)},
    )
    (data / "Annotations").mkdir()
    words = [
        "--task.features.resize-px",
        "48",
        "--task.features.crop-px",
        "48",
        "--task.drawn",
        "3",
    ]
    out = tmp_path / "both"
    (tmp_path / "weights").mkdir()
    save_weights(
        tmp_path / "weights" / "weights.safetensors",
        lived_in_backbone("alexnet-small"),
        input_normalisation=InputNormalisation(mean=(0.5, 0.5, 0.5), std=(1.0, 1.0, 1.0)),
        config={},
    )
    both = ["--weights", "random", str(tmp_path / "weights"), "--out", str(out)]
    assert main(["retrieval", "--data", str(data), *both, *words]) == 0
    (picture,) = out.glob("*.png")
    assert picture.name == "neighbours-VOC2007-seed-0.png"
    card = read_card(out / "random/retrieval-VOC2007/seed-0/card.json")
    assert card.outcome.figures == ()
    (html, *_) = write_reports([out], out=out, console=Console(quiet=True))
    assert html.read_text().count('src="data:image/webp') == 3
