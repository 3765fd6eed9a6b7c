"""What holds for every comparison system: it trains, resumes to the same bytes, and ends in an artefact like any other."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photo_trees import photo, write_tree
from store_files import make_header, make_record, noise_row

from scenelift.adapt.cli import main
from scenelift.adapt.config import TrainConfig, TrainContent, TrainExecution
from scenelift.adapt.job import train_run
from scenelift.adapt.network_input import network_input
from scenelift.adapt.plain import from_plain, to_plain
from scenelift.adapt.pretext.initialised import InitialisedSettings
from scenelift.adapt.pretext.method import PretextSettings
from scenelift.adapt.pretext.recipes import recipes
from scenelift.adapt.recipes import recipe
from scenelift.benchmarks.network import open_network
from scenelift.datasets.store import write_shard

SYSTEMS = [name for name, _ in recipes()]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of pictures in two splits, which are photos without labels too."""
    pictures = {
        f"{split}/{kind}/{n}.png": photo(width=190, height=176, seed=10 * n + len(split))
        for split, count in (("train", 5), ("val", 4))
        for kind in ("kitchen", "office")
        for n in range(count)
    }
    return write_tree(tmp_path_factory.mktemp("pictures"), pictures)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered")
    rng = np.random.default_rng(0)
    write_shard(
        folder / "train.h5",
        header=make_header(width=72, height=72),
        scene=make_record(name="train", split="train"),
        rows=[noise_row(rng, width=72, height=72) for _ in range(8)],
    )
    return folder / "train.h5"


def content_of(name: str, photos: Path) -> TrainContent:
    content = recipe(name)
    steps = min(content.steps, 4)
    return replace(
        content,
        steps=steps,
        batch_size=4 if steps > 1 else 8,
        precision="fp32",
        validate_every=2,
        validation_batches=1,
        real=photos if "real" in content.method.sources else None,
        labelled=photos if "labelled" in content.method.sources else None,
    )


def execution_of(out: Path, *, resume: bool = False) -> TrainExecution:
    return TrainExecution(
        out=out,
        resume=resume,
        device="cpu",
        checkpoint_every=2,
        pictures_every=4,
        keep_checkpoints=9,
        tensorboard=False,
        audit=False,
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_trains_resumes_and_ends_like_any_other(name: str, photos: Path, tmp_path: Path) -> None:
    content = content_of(name, photos)
    out = tmp_path / "run"
    report = train_run(
        TrainConfig(content=content, execution=execution_of(out)), observer=lambda *_: None
    )
    whole = (out / "weights.safetensors").read_bytes()
    page = report.read_text(encoding="utf-8")
    assert "Shortcuts" not in page
    pictures = list((out / "pictures").rglob("*.png"))
    assert pictures
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    told = {figure for line in lines if line["split"] == "val" for figure in line["values"]}
    assert any(
        f.startswith(("accuracy/", "error/", "quality/", "mean/", "deviation/")) for f in told
    )

    (out / "weights.safetensors").unlink()
    for path in sorted((out / "checkpoints").glob("[0-9]*.pt"))[1:]:
        path.unlink()
    train_run(
        TrainConfig(content=content, execution=execution_of(out, resume=True)),
        observer=lambda *_: None,
    )
    assert (out / "weights.safetensors").read_bytes() == whole

    network = open_network(str(out), backbone=None, seed=0, device=torch.device("cpu"))
    images = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    features = network.backbone(network_input(images, normalisation=network.normalisation))
    assert all(bool(maps.isfinite().all()) for maps in features.values())
    assert network.backbone.name == content.method.backbone


@pytest.mark.parametrize("name", [n for n in SYSTEMS if "real" in recipe(n).method.sources])
def test_it_learns_from_rendered_pictures_too(
    name: str, photos: Path, rendered: Path, tmp_path: Path
) -> None:
    content = content_of(name, photos)
    assert isinstance(content.method, PretextSettings | InitialisedSettings)
    content = replace(
        content,
        real=None,
        synthetic=(rendered,),
        steps=1,
        method=replace(content.method, source="synthetic"),
    )
    train_run(
        TrainConfig(content=content, execution=execution_of(tmp_path / "run")),
        observer=lambda *_: None,
    )
    assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.parametrize("name", SYSTEMS)
def test_its_configuration_survives_plain_values(name: str) -> None:
    content = recipe(name)
    assert to_plain(from_plain(TrainContent, to_plain(content))) == to_plain(content)


@pytest.mark.parametrize("name", SYSTEMS)
def test_missing_data_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--recipe", name, "--out", str(tmp_path / "run")]) == 1
    told = capsys.readouterr().err.strip()
    assert told.startswith("adapt-train: no ")
    assert "--real" in told or "--labelled" in told
    assert not (tmp_path / "run").exists()


def test_flags_reach_the_task(photos: Path, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    words = (
        f"--recipe rotation --real {photos} --out {tmp_path / 'run'} --steps 1 --batch-size 2 --device cpu --no-tensorboard "
        "--method.task.layer conv4 --method.backbone alexnet-small --precision fp32 --validation-batches 1"
    )
    assert main(words.split()) == 0
    stored = json.loads((tmp_path / "run" / "config.json").read_text())
    assert stored["content"]["method"]["task"] == {"name": "rotation", "layer": "conv4"}


@pytest.mark.parametrize("name", [n for n in SYSTEMS if recipe(n).steps > 1])
def test_crops_that_are_too_small_are_one_line(
    name: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = recipe(name).method.sources[0]
    words = (
        f"--recipe {name} --{source} {photos} --out {tmp_path / 'run'} --steps 1 --batch-size 2 --device cpu --no-tensorboard "
        "--geometry.resize-px 20 --geometry.crop-px 16 --geometry.zoom 1 1 --precision fp32 --validation-batches 1"
    )
    code = main(words.split())
    if code == 0:  # views and patches are enlarged to what the backbone reads
        assert name in ("context", "simclr", "byol")
        return
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 1
    assert "16 x 16" in told or "16 pixels" in told or "8 x 8" in told
