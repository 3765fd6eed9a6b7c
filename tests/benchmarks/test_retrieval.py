"""Neighbours are those of brute force, never the query itself, and drawn where they belong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from jaxtyping import UInt8
from labelled_trees import class_folders, coloured
from photo_trees import write_tar, write_tree
from PIL import Image
from small_networks import lived_in_backbone

from scenelift.adapt.colour import IMAGENET_MEAN, IMAGENET_STD
from scenelift.adapt.network_input import InputNormalisation
from scenelift.benchmarks.card import NetworkFacts
from scenelift.benchmarks.draw_retrieval import Column, draw_retrieval
from scenelift.benchmarks.features import FeatureSettings
from scenelift.benchmarks.nearest import Metric
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.retrieval import (
    RetrievalTask,
    compare_networks,
    desk,
    read_neighbours,
)
from scenelift.benchmarks.retrieval_data import open_retrieval_data
from scenelift.benchmarks.task import BenchError, Job, Task

SMALL = FeatureSettings(resize_px=40, crop_px=36, dimensions=600)
QUICK = RetrievalTask(features=SMALL, drawn=3, neighbours=4)


def network_of(*, seed: int = 0, label: str = "small") -> Network:
    return Network(
        backbone=lived_in_backbone("alexnet-small", seed=seed),
        normalisation=InputNormalisation(mean=IMAGENET_MEAN, std=IMAGENET_STD),
        facts=NetworkFacts(label=label, backbone="alexnet-small", weights="random", sha256=""),
    )


def job_of(path: Path, out: Path, *, seed: int = 0, final: bool = True) -> Job:
    return Job(data=path, out=out, seed=seed, final=final, progress=lambda what, done, total: None)


def voc(count: int) -> dict[str, bytes]:
    """Photos of two colours in VOC's layout, with a mask that is none."""
    files = {
        f"VOC2007/JPEGImages/{number:06d}.jpg": coloured(number, label=number % 2)
        for number in range(count)
    }
    return files | {"VOC2007/SegmentationClass/000001.png": coloured(99, label=2)}


def test_labelled_sets_give_precision(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", class_folders(train=8, val=4))
    task = replace(QUICK, features=replace(SMALL, layers=("conv1",)))
    outcome = task.run(network_of(), job=job_of(path, tmp_path / "out"))
    assert isinstance(task, Task)
    assert {figure.group: figure.value for figure in outcome.figures} == dict.fromkeys(
        ("", "class0", "class1", "class2"), 100.0
    )
    assert {figure.name for figure in outcome.figures} == {"precision@4"}
    assert "95 % interval 100.0 to 100.0" in outcome.figures[0].definition


def test_precision_on_noise_is_chance(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", class_folders(train=40, val=40, planted=False))
    outcome = QUICK.run(network_of(), job=job_of(path, tmp_path / "out"))
    # 480 neighbours, which hang together: three standard errors of 160 queries would be 11.
    assert outcome.figures[0].value == pytest.approx(100 / 3, abs=11)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
@pytest.mark.parametrize("summary", ["grid", "mean"])
def test_neighbours_are_those_of_brute_force(
    tmp_path: Path, metric: Metric, summary: Literal["grid", "mean"]
) -> None:
    path = write_tar(tmp_path / "a.tar", voc(12))
    task = replace(QUICK, metric=metric, summary=summary)
    network = network_of()
    task.run(network, job=job_of(path, tmp_path / "out"))
    saved = read_neighbours(tmp_path / "out" / "neighbours.json")
    data = open_retrieval_data(path, seed=0, final=True, most=99, most_queries=99, drawn=3)
    features = {}
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    for index in range(12):
        pixels = torch.from_numpy(data.pictures.image(index)[2:38, 2:38].copy()).permute(2, 0, 1)
        with torch.no_grad():
            conv5 = network.backbone(((pixels.float() / 255 - mean) / std)[None])["conv5"][0]
        values = conv5.mean(dim=(1, 2)) if summary == "mean" else conv5.flatten()
        features[data.pictures.name(index)] = values.double()
    for query, neighbours in zip(saved.queries, saved.neighbours, strict=True):

        def similarity(name: str, query: str = query) -> float:
            a, b = features[query], features[name]
            if metric == "l2":
                return -float((a - b).norm())
            return float(a @ b / a.norm() / b.norm())

        best = sorted(set(features) - {query}, key=similarity, reverse=True)[:4]
        assert list(neighbours) == best


def test_copies_of_the_query_count_but_the_query_does_not(tmp_path: Path) -> None:
    files = {f"{number}.png": coloured(0, label=0) for number in range(9)}
    path = write_tar(tmp_path / "a.tar", files)
    QUICK.run(network_of(), job=job_of(path, tmp_path / "out"))
    saved = read_neighbours(tmp_path / "out" / "neighbours.json")
    for query, neighbours in zip(saved.queries, saved.neighbours, strict=True):
        assert query not in neighbours
        assert len(set(neighbours)) == 4


def test_queries_depend_on_names_and_seed_alone(tmp_path: Path) -> None:
    files = voc(30)
    packed = write_tar(tmp_path / "a.tar", dict(reversed(files.items())))
    folder = write_tree(tmp_path / "b", files)

    def queries(path: Path, *, seed: int = 0) -> list[str]:
        data = open_retrieval_data(path, seed=seed, final=False, most=20, most_queries=9, drawn=5)
        assert len(data.gallery) == 20
        assert set(data.queries.tolist()) <= set(data.gallery.tolist())
        return [data.pictures.name(int(row)).rpartition("/")[2] for row in data.queries]

    base = queries(packed)
    assert queries(folder) == base
    assert queries(folder / "VOC2007") == base
    assert queries(packed, seed=1) != base
    assert not any(name.endswith(".png") for name in base)


def test_whatever_the_workers_and_batches(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", class_folders(train=8, val=4))
    base = QUICK.run(network_of(), job=job_of(path, tmp_path / "a"))
    for settings in (
        replace(SMALL, workers=0),
        replace(SMALL, workers=3),
        replace(SMALL, batch_size=5),
    ):
        task = replace(QUICK, features=settings)
        other = task.run(network_of(), job=job_of(path, tmp_path / "b"))
        assert other.figures == base.figures
    saved = [(tmp_path / out / "neighbours.json") for out in ("a", "b")]
    assert read_neighbours(saved[0]).neighbours == read_neighbours(saved[1]).neighbours


# Drawing


def plain(value: int, *, width: int = 10, height: int = 8) -> UInt8[np.ndarray, "h w 3"]:
    return np.full((height, width, 3), value, np.uint8)


def test_tiles_lie_where_they_belong() -> None:
    columns = [
        Column(label="one", neighbours=((plain(10), plain(20)), (plain(30), plain(40)))),
        Column(label="two", neighbours=((plain(50),), (plain(60),))),
    ]
    sheet = draw_retrieval([plain(1), plain(2, width=8, height=20)], columns, tile_px=10)
    step, top = 13, 20
    one, two = step + 16, step + 16 + 2 * step + 16
    expected = {
        (0, 0): 1, (0, one): 10, (0, one + step): 20, (0, two): 50,
        (1, 0): 2, (1, one): 30, (1, one + step): 40, (1, two): 60,
    }  # fmt: skip
    for (row, left), value in expected.items():
        tile = sheet[top + row * step : top + row * step + 10, left : left + 10]
        assert bool((tile == value).all())
    assert sheet.shape == (top + 2 * step, two + 10, 3)


def test_frames_tell_hits() -> None:
    column = Column(label="a", neighbours=((plain(99), plain(99)),), hits=((True, False),))
    sheet = draw_retrieval([plain(1)], [column], tile_px=12)
    green, red = sheet[20, 15 + 16], sheet[20, 15 + 16 + 15]
    assert green[1] > green[0]
    assert red[0] > red[1]


@pytest.mark.parametrize(
    "columns", [[], [Column(label="a", neighbours=((plain(1),), (plain(1),)))]]
)
def test_nothing_to_draw(columns: list[Column]) -> None:
    with pytest.raises(ValueError, match=r"nothing to draw|neighbours of 2 queries"):
        draw_retrieval([plain(1)], columns)


def test_networks_side_by_side(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", class_folders(train=8, val=4))
    job = job_of(path, tmp_path / "one")
    for seed, name in enumerate(("one", "two")):
        QUICK.run(network_of(seed=seed), job=replace(job, out=tmp_path / name))
    folders = {name: tmp_path / name for name in ("one", "two")}
    compare_networks(folders, task=QUICK, job=job, path=tmp_path / "both.png")
    with (
        Image.open(tmp_path / "both.png") as both,
        Image.open(tmp_path / "one/retrieval.png") as one,
    ):
        assert both.height == one.height
        assert both.width > 1.7 * one.width
    QUICK.run(network_of(), job=job_of(path, tmp_path / "two", seed=5))
    with pytest.raises(BenchError, match="two: searched for other photos"):
        compare_networks(folders, task=QUICK, job=job, path=tmp_path / "both.png")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"label": 1}', "[" * 100_000, json.dumps({"label": "a", "layer": 1, "metric": 2, "queries": 3})]
)  # fmt: skip
def test_other_files_are_no_neighbours(tmp_path: Path, content: str) -> None:
    (tmp_path / "neighbours.json").write_text(content)
    with pytest.raises(BenchError, match="holds no neighbours"):
        read_neighbours(tmp_path / "neighbours.json")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": b"x"}, "no photo"),
        ({"a.png": coloured(0, label=0)}, "1 photo; retrieval needs two"),
        ({"a.png": b"damaged", "b.png": coloured(0, label=0)}, "a.png"),
        ({"train/x/1.png": coloured(0, label=0)}, "one class"),
    ],
)
def test_bad_data(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    path = write_tar(tmp_path / "a.tar", files)
    with pytest.raises(BenchError, match=message):
        QUICK.run(network_of(), job=job_of(path, tmp_path / "out"))


def test_layer_that_does_not_exist(tmp_path: Path) -> None:
    task = replace(desk(), features=replace(SMALL, layers=("conv9",)))
    with pytest.raises(BenchError, match="no layer 'conv9'"):
        task.work(network_of(), job=job_of(tmp_path, tmp_path))


def test_work_is_told(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "a.tar", voc(12))
    work = QUICK.work(network_of(), job=job_of(path, tmp_path))
    assert work.forward_px == 12 * 36**2
