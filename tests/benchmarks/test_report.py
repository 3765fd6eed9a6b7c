import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from fake_bench import fingerprint, make_card, probe_figures, write_cards
from PIL import Image
from rich.console import Console

from scenelift.benchmarks.card import Card, CardError, DataFingerprint, Figure
from scenelift.benchmarks.literature import published_table
from scenelift.benchmarks.report import write_reports
from scenelift.benchmarks.report.beside import literature_tables
from scenelift.benchmarks.report.collect import (
    FigureKey,
    Group,
    find_cards,
    group_cards,
    shared_definition,
)
from scenelift.benchmarks.report.comparable import anchor_sentences, why_not_comparable
from scenelift.benchmarks.report.headings import across, down
from scenelift.benchmarks.report.layout import Table
from scenelift.benchmarks.report.measured import measured_tables
from scenelift.benchmarks.report.plots import layer_plots

POSTER = [11.6, 17.1, 16.9, 16.3, 14.1]
IMAGENET = DataFingerprint(name="ImageNet", splits={"test": 50_000}, sha256="i")


def pair_of_networks(*, final: bool, data: DataFingerprint | None = None) -> list[Card]:
    """Random and trained weights with three seeds; trained ones are better by 1, 2 and 3 at conv1."""
    return [
        make_card(
            label=label,
            weights="random" if label == "random" else f"{label}.safetensors",
            seed=seed,
            final=final,
            data=data,
            figures=probe_figures([base + 0.1 * seed + gain * (seed + 1), base, base, base, base]),
        )
        for label, base, gain in (("random", 3.0, 0.0), ("first", 3.0, 1.0))
        for seed in range(3)
    ]


def groups_of(tmp_path: Path, cards: list[Card]) -> list[Group]:
    found, _ = find_cards([write_cards(tmp_path, cards)])
    groups, told = group_cards(found)
    assert not told
    return groups


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in (*row.head, *row.cells)] for row in table.rows]


def ap_figures(values: dict[str, float], *, group: str = "all") -> tuple[Figure, ...]:
    return tuple(
        Figure(name=name, value=v, unit="%", better="higher", definition=f"{name} as it is.", group=group)
        for name, v in values.items()
    )  # fmt: skip


def test_seeds_become_mean_and_interval_and_differences_are_paired(tmp_path: Path) -> None:
    (group,) = groups_of(tmp_path, pair_of_networks(final=False))
    (table,) = measured_tables(group)
    assert texts(table) == [
        ["random", "3", "3.10 ± 0.25", *["3.00 ± 0.00"] * 4],
        ["first", "3", "5.10 ± 2.73", *["3.00 ± 0.00"] * 4],
        ["first \N{MINUS SIGN} random", "3", "+2.00 ± 2.48", *["+0.00 ± 0.00"] * 4],
    ]
    assert "held out for selection" in table.lead
    assert table.footnotes() == [probe_figures([1.0])[0].definition]
    assert not table.rows[2].cells[0].stands_out


def test_a_sure_improvement_stands_out_in_its_own_direction(tmp_path: Path) -> None:
    def angle(value: float) -> tuple[Figure, ...]:
        return (
            Figure(name="mean error", value=value, unit="°", better="lower", definition="Mean angle."),
        )  # fmt: skip

    for gain, bold in ((-5.0, True), (5.0, False)):
        cards = [
            make_card(task="nyud", label=label, weights=label, seed=seed, figures=angle(value + 0.1 * seed))
            for label, value in (("random", 40.0), ("first", 40.0 + gain))
            for seed in range(3)
        ]  # fmt: skip
        (group,) = groups_of(tmp_path / str(gain), cards)
        assert measured_tables(group)[0].rows[-1].cells[0].stands_out is bold


def test_other_questions_stand_in_other_tables(tmp_path: Path) -> None:
    cards = [
        make_card(),
        make_card(label="second", weights="second"),
        make_card(question="more epochs"),
        make_card(final=True),
        make_card(data=fingerprint("MiniPlaces")),
    ]
    groups = groups_of(tmp_path, cards)
    assert len(groups) == 4
    assert sorted(len(group.results) for group in groups) == [1, 1, 1, 2]
    for table in (table for group in groups for table in measured_tables(group)):
        assert "test split" in table.title or "selection pictures" in table.title


def test_networks_of_one_label_are_told_apart_and_second_cards_are_left_out(tmp_path: Path) -> None:
    cards = [make_card(), make_card(weights="other"), make_card()]
    found, _ = find_cards([write_cards(tmp_path, cards)])
    (group,), told = group_cards(found)
    assert len(group.results) == 2
    assert len({result.label for result in group.results}) == 2
    (sentence,) = told
    assert "second card" in sentence


def test_selection_numbers_never_share_a_table_with_published_ones(tmp_path: Path) -> None:
    groups = groups_of(
        tmp_path, [*pair_of_networks(final=False), *pair_of_networks(final=True)[:1]]
    )
    for table in literature_tables(groups):
        measured = [row for row in table.rows if row.kind == "measured"]
        assert len(measured) <= 1
    only = [group for group in groups if group.split == "selection"]
    for table in literature_tables(only):
        assert all(row.kind == "published" for row in table.rows)
        assert "never share a table" in table.lead


def test_our_rows_stand_below_the_published_ones_with_a_reason(tmp_path: Path) -> None:
    groups = groups_of(tmp_path, pair_of_networks(final=True))
    table = literature_tables(groups)[0]
    assert [row.head[0].text for row in table.rows[:2]] == ["ImageNet labels", "Gaussian"]
    assert texts(table)[1][4:] == ["11.6", "17.1", "16.9", "16.3", "14.1"]
    ours = [row for row in table.rows if row.kind == "measured"]
    assert [row.head[0].text for row in ours] == [
        "random (Tiny-ImageNet-200)",
        "first (Tiny-ImageNet-200)",
    ]
    (reason,) = ours[0].head[0].notes
    assert "other data (Tiny-ImageNet-200, not ImageNet)" in reason
    assert "another network (alexnet-small, not AlexNet)" in reason
    later = next(row for row in table.rows if row.head[0].text.startswith("RotNet"))
    assert later.head[2].text == "unverified, H"


def test_definitions_of_average_precision_never_share_a_column(tmp_path: Path) -> None:
    values = {"mAP": 40.0, "mAP, area": 41.0, "mAP, scikit-learn step": 42.0}
    cards = [
        make_card(
            task="voc-classification",
            data=fingerprint("VOC2007", test=4952),
            figures=(*ap_figures(values), *ap_figures({"mAP": 10.0}, group="fc8")),
            final=True,
            backbone="alexnet",
        ),
        make_card(
            task="voc-detection",
            data=fingerprint("VOC2007", test=4952),
            figures=ap_figures({"mAP (11-point)": 30.0, "mAP by chance": 0.1}, group=""),
            final=True,
        ),
    ]
    table = next(t for t in literature_tables(groups_of(tmp_path, cards)) if "VOC" in t.title)
    names = [column.name for column in table.columns]
    assert names[4:] == [
        "ours, VOC2007 classification, all layers: mAP",
        "ours, VOC2007 classification, all layers: mAP, area",
        "ours, VOC2007 classification, all layers: mAP, scikit-learn step",
        "ours, VOC2007 detection: mAP (11-point)",
    ]
    for row in table.rows:
        filled = [index for index, cell in enumerate(row.cells) if cell.value is not None]
        assert filled
        assert all((index < 4) == (row.kind == "published") for index in filled)
    ours = [row for row in table.rows if row.kind == "measured"]
    assert [cell.value for cell in ours[0].cells[4:]] == [40.0, 41.0, 42.0, None]
    assert [cell.value for cell in ours[1].cells[4:]] == [None, None, None, 30.0]


def test_the_anchor_compares_what_compares(tmp_path: Path) -> None:
    def anchor(folder: str, card: Card) -> str:
        (sentence,) = anchor_sentences(groups_of(tmp_path / folder, [card]))
        return sentence

    near = probe_figures([value + 0.5 for value in POSTER])
    far = probe_figures([value + 3.5 for value in POSTER])
    fit = make_card(
        label="random",
        weights="random",
        figures=near,
        data=IMAGENET,
        final=True,
        backbone="alexnet",
    )
    said = anchor("near", fit)
    assert "Comparable: they differ by at most 0.5, so the protocols agree." in said
    assert "conv1 12.1" in said
    assert "conv1 11.6" in said
    wrong = make_card(
        label="random", weights="random", figures=far, data=IMAGENET, final=True, backbone="alexnet"
    )
    assert "at most 3.5, more than re-runs" in anchor("far", wrong)
    held_out = make_card(label="random", weights="random", data=IMAGENET, backbone="alexnet")
    assert "Not comparable: judged on pictures held out for selection" in anchor("held", held_out)
    noted = make_card(
        label="random", weights="random", data=IMAGENET, final=True, backbone="alexnet", notes=("resized otherwise",)
    )  # fmt: skip
    assert "deviations from the published protocol" in anchor("noted", noted)
    labels = make_card(label="imagenet", data=IMAGENET, final=True, backbone="alexnet")
    assert "Published as ImageNet labels" in anchor("labels", labels)


def test_the_anchor_of_an_uncertain_definition_says_so(tmp_path: Path) -> None:
    card = make_card(
        task="voc-detection", label="random", weights="random", backbone="alexnet", final=True,
        data=DataFingerprint(name="VOC2007", splits={"test": 4_952}, sha256="v"),
        figures=ap_figures({"mAP (11-point)": 41.0, "mAP (area)": 42.0}, group=""),
    )  # fmt: skip
    (sentence,) = anchor_sentences(groups_of(tmp_path, [card]))
    assert "07 det 41.0" in sentence
    assert "07 det 41.3" in sentence
    assert "Not comparable: ours is mAP (11-point), how the published one is defined" in sentence


def test_trained_weights_are_held_against_random_ones(tmp_path: Path) -> None:
    (sentence,) = [
        told
        for told in anchor_sentences(groups_of(tmp_path / "three", pair_of_networks(final=False)))
        if told.startswith("first against random")
    ]
    assert "better in 1 of the 1 figures that differ; in 0 of them" in sentence
    (sentence,) = [
        told
        for told in anchor_sentences(
            groups_of(tmp_path / "one", pair_of_networks(final=False)[::3])
        )
        if told.startswith("first against random")
    ]
    assert "one seed gives no interval" in sentence


def test_half_of_a_published_test_set_does_not_compare(tmp_path: Path) -> None:
    half = DataFingerprint(name="VOC2007", splits={"test": 1_241}, sha256="v")
    (group,) = groups_of(
        tmp_path, [make_card(task="voc-classification", data=half, final=True, backbone="alexnet")]
    )
    (reason,) = why_not_comparable(published_table("voc"), group, group.results[0])
    assert reason == "other pictures (1,241 for test, not 4,952)"


def test_derived_normals_do_not_compare_with_either_ground_truth(tmp_path: Path) -> None:
    def normals(kind: str) -> Group:
        figure = Figure(
            name="mean error", value=30.0, unit="°", better="lower", definition="Mean angle.", group=f"normals ({kind})"
        )  # fmt: skip
        data = DataFingerprint(name="NYU Depth v2", splits={"test": 654}, sha256="n")
        card = make_card(task="nyud", figures=(figure,), data=data, final=True, backbone="alexnet")
        return groups_of(tmp_path / kind, [card])[0]

    table = published_table("nyud_normals")
    group = normals("derived")
    assert why_not_comparable(table, group, group.results[0]) == ["another ground truth (derived)"]
    group = normals("GT1")
    assert why_not_comparable(table, group, group.results[0]) == []
    row = literature_tables([group])[-1].rows[-1]
    assert [cell.text for cell in row.head][3:] == ["GT1"]


def test_classes_go_down_modes_across_and_constants_below(tmp_path: Path) -> None:
    figures = [
        *ap_figures({"mAP": 40.0}, group="all"),
        *ap_figures({"mAP": 30.0}, group="all, constant"),
        *(f for i in range(12) for f in ap_figures({"AP": float(i)}, group=f"all/class {i}")),
    ]
    (group,) = groups_of(tmp_path, [make_card(task="voc-classification", figures=figures)])
    found = group.figures()
    assert [chunk.title for chunk in across(found)] == ["all"]
    (detail,) = down(found)
    assert detail.names == tuple(f"class {i}" for i in range(12))
    first, second = measured_tables(group)
    assert texts(first) == [
        ["first", "1", "40.00"],
        ["the best constant answer", "\N{EN DASH}", "30.00"],
    ]
    assert second.detail
    assert len(second.rows) == 12


def test_a_layer_alone_is_a_heading_not_a_table(tmp_path: Path) -> None:
    figures = {
        FigureKey(group="svm", layer="conv5", name=name): probe_figures([1.0])[0]
        for name in ("mAP", "mAP, area")
    }
    (chunk,) = across(figures)
    assert (chunk.title, chunk.headings) == ("svm", ("conv5, mAP", "conv5, mAP, area"))


def test_cards_that_word_a_definition_differently_share_what_they_share() -> None:
    assert shared_definition(["A b c.", "A b c."]) == "A b c."
    told = [f"Share of judged pictures told right by the nearest; interval {n} to 9." for n in "12"]
    assert shared_definition(told) == "Share of judged pictures told right by the nearest."
    assert shared_definition(["One.", "Other."]) == "One. Or: Other."


class Page(HTMLParser):
    """Checks that tags close, and collects text and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("path", "circle", "rect")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_all_forms_are_written_and_the_same_cards_give_the_same_bytes(tmp_path: Path) -> None:
    cards = [*pair_of_networks(final=True), *pair_of_networks(final=False)]
    cards[0] = make_card(
        label="random", weights="random", final=True, notes=("<script>alert(1)</script> | a & b_c 5 % $x",)
    )  # fmt: skip
    root = write_cards(tmp_path / "cards", cards)
    Image.new("RGB", (60, 40), "red").save(next(root.glob("first/*/seed-0")) / "neighbours.png")
    console = Console(record=True, width=220, quiet=True)
    files = write_reports([root], out=tmp_path / "one", console=console)
    assert [path.name for path in files] == ["report.html", "report.md", "report.tex", "report.csv"]
    again = write_reports([root], out=tmp_path / "two", console=console)
    assert [p.read_bytes() for p in files] == [p.read_bytes() for p in again]
    html, markdown, latex, table = (path.read_text() for path in files)
    page = Page()
    page.feed(html)
    assert page.open == []
    assert all(address.startswith("data:image/webp") for address in page.addresses)
    assert len(page.addresses) == 1
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<svg") == 2
    assert "Not settled" not in html  # no VOC here
    assert "unverified, H" in html
    lines = markdown.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("| network"))
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in lines[header : header + 5]}
    assert widths == {8}
    assert r"\<script\>" in markdown
    assert r"a \& b\_c 5 \% \$x" in latex
    assert latex.count(r"\begin{table}") == latex.count(r"\end{table}")
    assert latex.count("{") == latex.count("}")
    rows = list(csv.DictReader(table.splitlines()))
    ours = [r for r in rows if r["kind"] == "measured" and r["column"] == "conv1"]
    assert {r["judged"] for r in ours} >= {"Judged on the test split, 100 pictures."}
    gaussian = next(r for r in rows if r["row"].startswith("Gaussian"))
    assert (gaussian["value"], gaussian["column"]) == ("11.6", "conv1")


def test_plots_have_a_line_a_network(tmp_path: Path) -> None:
    (group,) = groups_of(tmp_path, pair_of_networks(final=False))
    (plot,) = layer_plots(group)
    assert plot.count("<circle") == 10
    for word in ("conv1", "conv5", "random", "first", "top-1"):
        assert word in plot


def test_damaged_cards_are_listed_and_the_rest_is_shown(tmp_path: Path) -> None:
    root = write_cards(tmp_path / "cards", pair_of_networks(final=False))
    broken = root / "second" / "card.json"
    broken.parent.mkdir()
    for content in ("", "{", json.dumps({"format_version": 1}), "[" * 50_000):
        broken.write_text(content)
        (html, *_) = write_reports([root], out=tmp_path / "out", console=Console(quiet=True))
        assert "second/card.json" in html.read_text()
    with pytest.raises(CardError, match="no card below"):
        find_cards([broken.parent])
