"""Nearest neighbours at a layer: what a network finds alike, drawn beside other networks, and how often the class is the same.

Which layer and distance the poster's figure used is not known; each card says its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64
from torch import Tensor

from scenelift.adapt.pictures import write_png
from scenelift.adapt.plain import to_plain
from scenelift.benchmarks.card import Figure, Outcome
from scenelift.benchmarks.draw_retrieval import Column, draw_retrieval
from scenelift.benchmarks.features import (
    CENTRE,
    FeatureSettings,
    choose_layers,
    extract_features,
    measure_scales,
)
from scenelift.benchmarks.nearest import Metric, nearest
from scenelift.benchmarks.network import Network
from scenelift.benchmarks.retrieval_data import (
    RetrievalData,
    find_by_name,
    open_retrieval_data,
)
from scenelift.benchmarks.task import BenchError, Job, Work

_DRAWS = 2000
_FILE, _PICTURE = "neighbours.json", "retrieval.png"
_MAX_BYTES = 2**26


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrievalTask:
    """Nearest neighbours of photos, at one layer."""

    features: FeatureSettings = field(default_factory=FeatureSettings)
    """Its last layer is looked at; none: the last convolution, else the last layer."""
    metric: Metric = "cosine"
    summary: Literal["grid", "mean"] = "grid"
    """Compare the resized map position by position, or its mean."""
    drawn: int = 8
    """Queries in the picture, chosen by a hash of their names and the seed."""
    neighbours: int = 5
    most_photos: int = 10_000
    """That are searched, chosen likewise."""
    most_queries: int = 2_000
    """Labelled pictures that are searched for."""

    def __post_init__(self) -> None:
        for name, value, least in (
            ("drawn", self.drawn, 1),
            ("neighbours", self.neighbours, 1),
            ("most_photos", self.most_photos, 2),
            ("most_queries", self.most_queries, self.drawn),
        ):
            if value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")

    @property
    def name(self) -> str:
        """What the command calls it."""
        return "retrieval"

    def work(self, network: Network, *, job: Job) -> Work:
        """Say how much there is to do.

        Raises:
            BenchError: if the data or the layer cannot be used.
        """
        self.layer(network)
        data = self.open(job)
        seen = len(np.union1d(data.gallery, data.queries))
        return Work(
            forward_px=float(seen * self.features.crop_px**2),
            trained_px=0.0,
            other_s=2e-4 * seen + 1e-6 * len(data.gallery) * len(data.queries),
        )

    def run(self, network: Network, *, job: Job) -> Outcome:
        """Search, and leave `neighbours.json` and `retrieval.png` in the job's folder.

        Raises:
            BenchError: if the data or the layer cannot be used; one line.
            OSError: if something cannot be read or written.
        """
        data = self.open(job)
        layer = self.layer(network)
        similarity, found = _search(self, network, layer=layer, data=data, job=job)
        job.out.mkdir(parents=True, exist_ok=True)
        saved = Neighbours(
            label=network.facts.label,
            layer=layer,
            metric=self.metric,
            queries=_names(data, data.queries[: self.drawn]),
            neighbours=tuple(_names(data, row) for row in found[: self.drawn]),
            similarity=tuple(tuple(row) for row in similarity[: self.drawn].tolist()),
        )
        write_neighbours(job.out / _FILE, saved)
        picture = draw_retrieval(
            [data.pictures.image(int(row)) for row in data.queries[: self.drawn]],
            [_column(saved.label, found[: self.drawn], data=data)],
        )
        write_png(job.out / _PICTURE, picture)
        hits = (
            None if data.labels is None else data.labels[found] == data.labels[data.queries, None]
        )
        told = (
            f"the {found.shape[1]} nearest of {len(data.gallery)} pictures by {_METRICS[self.metric]} of {layer}"
            + ("'s mean over the map" if self.summary == "mean" else ", resized to its grid")
        )
        return Outcome(
            protocol={**to_plain(self), "layer": layer},
            data=data.facts,
            figures=() if hits is None else _figures(hits, data=data, layer=layer, told=told),
            notes=(
                f"Neighbours are {told}; which layer and distance the published figure used is not known.",
            ),
        )

    def layer(self, network: Network) -> str:
        """Return the layer that is looked at.

        Raises:
            BenchError: if there is none of that name.
        """
        return choose_layers(network.backbone, layers=self.features.layers)[-1]

    def open(self, job: Job) -> RetrievalData:
        """Find the photos.

        Raises:
            BenchError: if there are none.
        """
        return open_retrieval_data(
            job.data,
            seed=job.seed,
            final=job.final,
            most=self.most_photos,
            most_queries=self.most_queries,
            drawn=self.drawn,
        )


_METRICS: dict[Metric, str] = {"cosine": "the cosine", "l2": "the Euclidean distance"}


def desk() -> RetrievalTask:
    """The last convolution by cosine, pictures of 128 pixels cut to 112."""
    return RetrievalTask()


def paper() -> RetrievalTask:
    """The same at 256 and 227 pixels, over 100,000 photos."""
    features = FeatureSettings(resize_px=256, crop_px=227, batch_size=128, workers=8)
    return RetrievalTask(features=features, most_photos=100_000, most_queries=10_000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """What one network found for the queries that are drawn."""

    label: str
    layer: str
    metric: str
    queries: tuple[str, ...]
    neighbours: tuple[tuple[str, ...], ...]
    """Names, nearest first."""
    similarity: tuple[tuple[float, ...], ...]


def write_neighbours(path: Path, neighbours: Neighbours) -> None:
    """Write them as JSON, in one rename.

    Raises:
        OSError: if the file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(to_plain(neighbours), indent=1), encoding="utf-8")
    part.replace(path)


def read_neighbours(path: Path) -> Neighbours:
    """Read what `write_neighbours` wrote.

    Raises:
        BenchError: if it is something else.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES)
    try:
        content = json.loads(data)
        return Neighbours(
            label=str(content["label"]),
            layer=str(content["layer"]),
            metric=str(content["metric"]),
            queries=tuple(str(name) for name in content["queries"]),
            neighbours=tuple(tuple(str(name) for name in row) for row in content["neighbours"]),
            similarity=tuple(tuple(float(v) for v in row) for row in content["similarity"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BenchError(f"{path}: holds no neighbours; run the task retrieval again") from error


def compare_networks(
    folders: Mapping[str, Path], *, task: RetrievalTask, job: Job, path: Path
) -> None:
    """Draw what several networks found for the same queries, side by side.

    Args:
        folders: The folders that the task wrote to, by the networks' names in the picture.
        task: As it ran.
        job: With the same data and seed.
        path: The PNG.

    Raises:
        BenchError: if the networks were asked for different photos, or the data are others.
        OSError: if something cannot be read or written.
    """
    saved = {label: read_neighbours(folder / _FILE) for label, folder in folders.items()}
    if not saved:
        raise BenchError("no networks to compare")
    queries = next(iter(saved.values())).queries
    strange = next((label for label, found in saved.items() if found.queries != queries), None)
    if strange is not None:
        raise BenchError(
            f"{strange}: searched for other photos; run all with one seed and one data set"
        )
    data = task.open(job)
    rows = np.array(find_by_name(data.pictures, queries), np.int64)
    shown = replace(data, queries=rows)
    columns = [
        _column(
            label,
            np.array([find_by_name(data.pictures, row) for row in found.neighbours], np.int64),
            data=shown,
        )
        for label, found in saved.items()
    ]
    images = [data.pictures.image(int(row)) for row in rows]
    write_png(path, draw_retrieval(images, columns))


def _search(
    task: RetrievalTask, network: Network, *, layer: str, data: RetrievalData, job: Job
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """Return similarities and numbers of each query's neighbours, itself left out."""
    settings = replace(task.features, layers=(layer,))
    rows = np.union1d(data.gallery, data.queries)
    scales = measure_scales(
        network, data.pictures, indices=data.gallery.tolist(), settings=settings
    )
    table = extract_features(
        network,
        data.pictures,
        indices=rows.tolist(),
        views=CENTRE,
        scales=scales,
        settings=replace(settings, memory_bytes=2**62),
        folder=job.out,
        progress=lambda done, total: job.progress(f"features of {layer}", done, total),
    )[layer]
    values = table.grid[:, 0] if task.summary == "grid" else table.pooled[:, 0] * table.scale
    if not np.isfinite(values).all():
        raise BenchError(
            f"layer {layer}: features exceed 65,504 times their usual size; the weights are broken"
        )
    gallery = _rows(values, np.searchsorted(rows, data.gallery))
    queries = _rows(values, np.searchsorted(rows, data.queries))
    # One more: a query that lies in the gallery finds itself first, or behind its copies.
    similarity, places = nearest(queries, gallery, k=task.neighbours + 1, metric=task.metric)
    found = data.gallery[places.numpy()]
    itself = found == data.queries[:, None]
    itself[~itself.any(axis=1), -1] = True
    keep = (len(found), -1)
    return similarity.numpy()[~itself].reshape(keep), found[~itself].reshape(keep)


def _rows(values: Float[np.ndarray, "n d"], rows: Int64[np.ndarray, " m"]) -> Float[Tensor, "m d"]:
    return torch.from_numpy(values[rows].astype(np.float32))


def _names(data: RetrievalData, rows: Int64[np.ndarray, " n"]) -> tuple[str, ...]:
    return tuple(data.pictures.name(int(row)) for row in rows)


def _column(label: str, found: Int64[np.ndarray, "q k"], *, data: RetrievalData) -> Column:
    hits: tuple[tuple[bool, ...], ...] = ()
    if data.labels is not None:
        same = data.labels[found] == data.labels[data.queries[: len(found)], None]
        hits = tuple(tuple(row) for row in same.tolist())
    return Column(
        label=label,
        neighbours=tuple(tuple(data.pictures.image(int(i)) for i in row) for row in found),
        hits=hits,
    )


def _figures(
    hits: Bool[np.ndarray, "q k"], *, data: RetrievalData, layer: str, told: str
) -> tuple[Figure, ...]:
    """Return the share of neighbours of the query's class: of all queries, and by class."""
    by_query = 100 * hits.mean(axis=1)
    low, high = _interval(by_query)
    definition = f"Share of neighbours whose class is the query's, {told}; mean over {{}}."
    figures = [
        Figure(
            name=f"precision@{hits.shape[1]}",
            value=float(by_query.mean()),
            unit="%",
            better="higher",
            definition=definition.format(
                f"{len(hits)} queries, 95 % interval {low:.1f} to {high:.1f} (bootstrap over queries)"
            ),
            layer=layer,
        )
    ]
    truth = data.labels[data.queries] if data.labels is not None else np.zeros(0, np.int64)
    for label in np.unique(truth):
        mine = by_query[truth == label]
        figures.append(
            Figure(
                name=f"precision@{hits.shape[1]}",
                value=float(mine.mean()),
                unit="%",
                better="higher",
                definition=definition.format(f"the {len(mine)} queries of this class"),
                layer=layer,
                group=data.classes[int(label)],
            )
        )
    return tuple(figures)


def _interval(values: Float64[np.ndarray, " n"]) -> tuple[float, float]:
    """Return the 95 % interval of a mean, by drawing the values anew."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), size=_DRAWS)
    low, high = np.quantile(drawn @ values / len(values), (0.025, 0.975))
    return float(low), float(high)
