"""The published figures, written down a second time by hand from the poster."""

import pytest

from scenelift.benchmarks.literature import TABLES, published_table, say_evidence

POSTER = {
    "ImageNet labels": "19.3 36.3 44.2 48.3 50.5 79.9 56.8 56.5",
    "Gaussian": "11.6 17.1 16.9 16.3 14.1 53.4 41.3 -",
    "Krähenbühl": "17.5 23.0 24.5 23.2 20.6 56.6 45.6 42.8",
    "Context": "16.2 23.3 30.2 31.7 29.6 65.3 51.1 49.9",
    "BiGAN": "17.7 24.5 31.0 29.9 28.0 58.6 46.2 44.9",
    "Context-Encoder": "14.1 20.7 21.0 19.8 15.5 56.5 44.5 -",
    "Colorization": "12.5 24.5 30.4 31.5 30.3 65.9 46.9 44.5",
    "Jigsaw": "18.2 28.8 34.0 33.9 27.1 67.6 53.2 -",
    "Split-Brain": "17.7 29.3 35.4 35.2 32.8 67.1 46.7 43.8",
    "Counting": "18.0 30.6 34.3 32.5 25.7 67.7 51.4 -",
    "Ren & Lee": "16.5 27.0 30.5 30.1 26.5 68.0 52.6 50.0",
}
ABLATION = """
edge | none | 0.5M | 63.9 44.8
depth | none | 0.5M | 61.9 45.8
normal | none | 0.5M | 65.3 45.4
edge, depth, normal | none | 0.5M | 65.6 47.2
edge, depth, normal | conv1 | 0.5M | 61.9 46.0
edge, depth, normal | conv2 | 0.5M | 63.4 46.3
edge, depth, normal | conv5 | 0.5M | 67.4 49.2
edge, depth, normal | conv6 (fc6) | 0.5M | 66.9 48.2
edge, depth, normal | conv5 | 1.5M | 68.0 50.0
"""
NORMALS = {
    ("Zhang et al. (2017)", "GT1"): "22.1 14.8 39.6 65.6 75.3",
    ("Ren & Lee", "GT1"): "21.9 14.6 39.5 66.7 76.5",
    ("Wang et al. (2017)", "GT2"): "26.0 18.0 33.9 57.6 67.5",
    ("Ren & Lee", "GT2"): "23.8 16.2 36.6 62.0 72.9",
}
LATER_PROBE = {
    "RotNet (2018)": ("18.8 31.7 38.7 38.2 36.5", "1", "H"),
    "DeepCluster (2018), as first printed": ("13.4 32.3 41.0 39.6 38.2", "10", "H"),
    "DeepCluster (2018), corrected": ("12.9 29.2 38.2 39.8 36.1", "1", "H"),
    "AET-project (2019), avg-pool probe": ("19.3 35.4 44.0 43.6 42.4", "1", "M"),
    "SeLa + rotation (2020)": ("22.5 37.4 44.7 47.1 44.1", "10", "L"),
}
LATER_VOC = {
    "Jigsaw++": "69.8 55.5 - 38.1",
    "CC + VGG teacher + Jigsaw++": "72.5 56.5 - 42.6",
    "Spotting artifacts": "69.8 52.5 - 38.1",
    "Mundhenk 2018 (context, improved)": "69.6 55.8 - 41.4",
    "RotNet": "73.0 54.4 - 39.1",
    "DeepCluster": "73.7 55.4 - 45.1",
    "LCI": "74.5 56.8 - 44.4",
    "Rotation decoupling": "74.7 58.0 - 45.9",
    "SeLa + rotation": "77.2 59.2 - 45.7",
}


def numbers(text: str) -> tuple[float | None, ...]:
    return tuple(None if word == "-" else float(word) for word in text.split())


def test_the_posters_rows_are_the_posters() -> None:
    probe, voc = published_table("imagenet_probe"), published_table("voc")
    for method, text in POSTER.items():
        one, other = probe.row(method), voc.row(method)
        assert one is not None
        assert other is not None
        assert (*one.values, *other.values[:3]) == numbers(text), method
        assert one.evidence == other.evidence == "poster"
    assert sum(row.evidence == "poster" for row in probe.rows) == len(POSTER)
    assert sum(row.evidence == "poster" for row in voc.rows) == len(POSTER)


def test_the_ablation_is_the_posters() -> None:
    table = published_table("ablation")
    found = [
        f"{row.labels['tasks']} | {row.labels['aligned at']} | {row.labels['pictures']} | {row.values[0]} {row.values[1]}"
        for row in table.rows
    ]
    assert found == ABLATION.strip().splitlines()


def test_normals_keep_the_two_kinds_of_ground_truth_apart() -> None:
    table = published_table("nyud_normals")
    for (method, truth), text in NORMALS.items():
        (row,) = [
            r
            for r in table.rows
            if r.method == method and r.labels["ground truth"].startswith(truth)
        ]
        assert row.values == numbers(text)
        assert row.evidence == "poster"
    assert [column.better for column in table.columns] == ["lower", "lower", *["higher"] * 3]


def test_later_rows_bear_their_marks() -> None:
    probe, voc = published_table("imagenet_probe"), published_table("voc")
    for method, (text, crops, evidence) in LATER_PROBE.items():
        row = probe.row(method)
        assert row is not None
        assert (row.values, row.labels["crops"], row.evidence) == (numbers(text), crops, evidence)
    for method, text in LATER_VOC.items():
        row = voc.row(method)
        assert row is not None
        assert row.values == numbers(text)
        assert "unverified" in say_evidence(row.evidence)
    rotnet, labels = voc.row("RotNet"), voc.row("ImageNet labels")
    assert rotnet is not None
    assert labels is not None
    assert rotnet.evidence_of(voc.columns[1]) == "confirmed"
    assert labels.evidence_of(voc.columns[3]) == "M"
    assert labels.evidence_of(voc.columns[0]) == "poster"


@pytest.mark.parametrize("name", ["voc", "ablation"])
def test_the_two_values_of_one_model_are_footnoted(name: str) -> None:
    (note,) = [note for note in published_table(name).notes if "52.6" in note]
    assert "50.0" in note
    assert "Not settled" in note


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_whole(name: str) -> None:
    table = published_table(name)
    labels = {frozenset(row.labels) for row in table.rows}
    assert len(labels) == 1
    for row in table.rows:
        assert len(row.values) == len(table.columns)
        assert any(value is not None for value in row.values)
        assert all(value is None or 0 < value < 100 for value in row.values)
        assert row.learnt_from
        assert set(row.marks) <= {column.name for column in table.columns}
    for column in table.columns:
        assert column.definition.endswith(".")
