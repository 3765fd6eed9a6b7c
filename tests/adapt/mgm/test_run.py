"""Runs of the command, and where their pictures come from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photo_trees import photo, write_tree
from store_files import make_header, make_record, noise_row

from scenelift.adapt.cli import main
from scenelift.adapt.config import RunError, TrainContent
from scenelift.adapt.log import read_metrics
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.run_data import open_data
from scenelift.adapt.weights import load_weights
from scenelift.datasets.store import merge_shards, write_shard

pytestmark = pytest.mark.usefixtures("shallow")

SIDE = 36
QUICK = (
    "--batch-size", "2", "--validate-every", "2", "--log-every", "1", "--checkpoint-every", "1", "--pictures-every", "4",
    "--geometry.resize-px", "38", "--geometry.crop-px", "32", "--method.gan.width", "0.01", "--device", "cpu", "--no-tensorboard",
    "--method.decoder-width", "0.05", "--validation-batches", "1",
)  # fmt: skip


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise from bedrooms and kitchens, in two splits."""
    folder = tmp_path_factory.mktemp("rooms")
    rng, shards = np.random.default_rng(0), []
    for room, split in (("bedroom", "train"), ("kitchen", "train"), ("kitchen", "val")):
        shards.append(folder / f"{room}-{split}.shard")
        write_shard(
            shards[-1],
            header=make_header(width=SIDE, height=SIDE),
            scene=replace(make_record(name=f"{room}-{split}", split=split), rooms=(room,)),
            rows=[noise_row(rng, width=SIDE, height=SIDE) for _ in range(4)],
        )
    merge_shards(shards, folder / "rooms.h5")
    return folder / "rooms.h5"


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos in folders of classes, one of which no rendered room is of."""
    folder = tmp_path_factory.mktemp("classes")
    names = [f"train/{name}/{n}.png" for name in ("bedroom", "Kitchen", "beach") for n in range(2)]
    return write_tree(
        folder / "photos",
        {name: photo(width=40, height=36, seed=k) for k, name in enumerate(names)},
    )


def test_the_whole_method_runs_and_a_stopped_run_ends_alike(rooms: Path, tmp_path: Path) -> None:
    flags = ["--recipe", "mgm", "--labelled", str(rooms), *QUICK, "--method.gan-steps", "1"]
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    assert main([*flags, "--steps", "4", "--out", str(straight)]) == 0
    log = read_metrics(straight / "metrics.jsonl")
    assert log.train["loss/discriminator"].step.tolist() == [1, 2, 3, 4]
    assert log.train["loss/task"].step.tolist() == [2, 3, 4]
    assert log.val["selection/score"].step.tolist() == [2, 4]
    shown = {path.name for path in (straight / "pictures" / "4").rglob("*.png")}
    assert shown == {f"{n}.png" for n in ("segmentation", "depth", "normal", "classes", "answers")}
    assert load_weights(straight / "weights.safetensors").backbone.name == "mgm-resnet-small"

    assert main([*flags, "--steps", "4", "--out", str(stopped), "--keep-checkpoints", "9"]) == 0
    for late in ("000000002", "000000003", "000000004"):
        (stopped / "checkpoints" / f"{late}.pt").unlink()
    assert main([*flags, "--steps", "4", "--out", str(stopped), "--resume"]) == 0
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (straight, stopped)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("recipe", ["mgm-rendered-align", "mgm-rendered-weak"])
def test_rendered_frames_join_in(recipe: str, rooms: Path, tmp_path: Path) -> None:
    flags = ["--recipe", recipe, *QUICK, "--method.refinement-width", "0.1", "--steps", "2"]
    out = tmp_path / "run"
    assert main([*flags, "--labelled", str(rooms), "--images", str(rooms), "--label-share", "0.5", "--out", str(out)]) == 0  # fmt: skip


def content_of(rooms: Path, **changes: object) -> TrainContent:
    settings = MgmSettings(further="images")
    return replace(TrainContent(labelled=rooms, method=settings), **changes)  # type: ignore[arg-type]


def test_scenes_are_counted_as_the_labelled_pictures_count_them(rooms: Path, classes: Path) -> None:
    data = open_data(content_of(rooms, images=(classes,)))
    assert data.classes == ("bedroom", "kitchen")
    images = data.train["images"]
    labels = [images.label(k) for k in range(len(images))]  # type: ignore[attr-defined]
    assert sorted(labels) == [-1, -1, 0, 0, 1, 1]
    assert set(images.frame(0)) == {"image"}


def test_what_the_share_leaves_are_further_pictures(rooms: Path) -> None:
    data = open_data(content_of(rooms, images=(rooms,), label_share=0.25))
    labelled, images = data.train["labelled"], data.train["images"]
    assert (len(labelled), len(images)) == (2, 6)
    assert set(images.frame(0)) == {"image"}
    both = [s.frame(k)["image"].tobytes() for s in (labelled, images) for k in range(len(s))]
    assert len(set(both)) == 8


def test_rendered_labels_pass_only_if_they_are_wanted(rooms: Path) -> None:
    settings = MgmSettings(further="images", further_labels="exact")
    data = open_data(content_of(rooms, images=(rooms,), method=settings))
    assert {"depth", "normal", "semantic"} <= set(data.train["images"].frame(0))


@pytest.mark.parametrize("strange", ["beach", None])
def test_further_pictures_without_a_known_scene_end_in_one_line(
    strange: str | None, rooms: Path, tmp_path: Path
) -> None:
    names = [f"train/{strange}/a.png", f"train/{strange}2/b.png"] if strange else ["a.png", "b.png"]
    path = write_tree(tmp_path / "x", {n: photo(width=40, height=36, seed=1) for n in names})
    with pytest.raises(
        RunError, match="no picture is of a scene that the labelled ones know"
    ) as caught:
        open_data(content_of(rooms, images=(path,)))
    assert "\n" not in str(caught.value)
    quiet = MgmSettings(further="images", refinement="labelled")
    assert len(open_data(content_of(rooms, images=(path,), method=quiet)).train["images"]) == 2


def test_missing_pictures_end_in_one_line(
    rooms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, message in (
        (["--recipe", "mgm"], "no labelled pictures"),
        (["--recipe", "mgm-light", "--labelled", str(rooms)], "no further pictures"),
        (["--recipe", "mgm-rendered", "--labelled", str(rooms), "--images", str(tmp_path)], "has no dense labels"),
        (["--recipe", "mgm", "--labelled", str(rooms), "--steps", "9"], "leave none of 9 steps"),
        (["--recipe", "mgm-st-g", "--labelled", str(rooms)], "give --method.annotator RUN"),
        (["--recipe", "mgm", "--labelled", str(rooms), "--method.gan-from", str(tmp_path)], "holds no checkpoint"),
    ):  # fmt: skip
        assert main([*flags, "--out", str(tmp_path / "run"), "--device", "cpu"]) == 1
        error = capsys.readouterr().err.strip().splitlines()
        assert message in error[-1]
