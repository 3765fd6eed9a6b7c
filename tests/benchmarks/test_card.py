import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_bench import make_card, probe_figures

from scenelift.benchmarks.card import CardError, read_card, write_card


def test_what_is_written_is_read(tmp_path: Path) -> None:
    card = make_card(notes=("a note",), final=True)
    write_card(tmp_path / "card.json", card)
    assert read_card(tmp_path / "card.json") == card
    assert [path.name for path in tmp_path.iterdir()] == ["card.json"]


def test_a_card_of_before_there_were_keys_is_read(tmp_path: Path) -> None:
    write_card(tmp_path / "card.json", make_card())
    content = json.loads((tmp_path / "card.json").read_text())
    del content["key"], content["question"], content["network"]["note"]
    (tmp_path / "card.json").write_text(json.dumps(content))
    assert read_card(tmp_path / "card.json").question == ""


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_figure_that_is_no_number_is_not_written(tmp_path: Path, value: float) -> None:
    with pytest.raises(ValueError, match="figure top-1 conv1 is"):
        write_card(tmp_path / "card.json", make_card(figures=probe_figures([value])))
    assert not list(tmp_path.iterdir())


def test_hostile_cards_end_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    write_card(path, make_card())
    sound = json.loads(path.read_text())
    figure = sound["outcome"]["figures"][0]
    outcome = sound["outcome"]
    cases: list[tuple[object, str]] = [
        ([], "no protocol card"),
        ("text", "no protocol card"),
        ({}, "format version 1"),
        ({**sound, "format_version": 99}, "format version 1"),
        ({**sound, "more": 1}, "has no field more"),
        ({**sound, "seed": "one"}, "card.seed is 'one'"),
        ({**sound, "seed": True}, "card.seed"),
        ({**sound, "split": "train"}, "card.split is 'train'"),
        ({**sound, "network": None}, "no protocol card"),
        ({**sound, "outcome": {**outcome, "figures": 5}}, "no protocol card"),
        ({**sound, "outcome": {**outcome, "figures": [{**figure, "value": "5"}]}}, "figures[0].value"),
        ({**sound, "outcome": {**outcome, "figures": [{**figure, "value": None}]}}, "figures[0].value"),
        ({**sound, "outcome": {**outcome, "figures": [{**figure, "better": "more"}]}}, "better"),
        ({**sound, "outcome": {**outcome, "notes": [1]}}, "notes[0]"),
        ({**sound, "outcome": {**outcome, "data": {**outcome["data"], "splits": {"test": "x"}}}}, "splits"),
    ]  # fmt: skip
    for content, expected in cases:
        path.write_text(json.dumps(content))
        with pytest.raises(CardError) as caught:
            read_card(path)
        assert expected in str(caught.value)
        assert "\n" not in str(caught.value)
    for text in ("", "{", "[" * 100_000, '{"value": NaN}', "\xff"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(CardError):
            read_card(path)
    figures = json.dumps(sound).replace("1.0", "NaN", 1)
    path.write_text(figures)
    with pytest.raises(CardError, match="nan"):
        read_card(path)


def test_a_card_says_which_result_it_is() -> None:
    card = make_card()
    assert replace(card, seed=1) != card
