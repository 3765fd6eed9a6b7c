import json
import math
import os
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from fake_runs import STEPS, fake_run, write_config, write_metrics
from hypothesis import given
from hypothesis import strategies as st
from mutations import hostile
from PIL import Image

from scenelift.adapt.log import MetricsWriter, Series
from scenelift.adapt.report import write_report
from scenelift.adapt.report.charts import Line, chart, ticks
from scenelift.adapt.report.markup import escape, number

_VOID = {"meta", "img", "br", "input", "link", "rect", "path", "circle"}
_HOSTILE = (
    "</style></script><script>alert(1)</script><img src=x onerror=alert(1)>\"'`&\u202e\x00\ud800"
)


class Page(HTMLParser):
    """Every tag with its attributes, what is left open, and the text by section."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.misnested: list[str] = []
        self.text: dict[str, str] = {}
        self._section = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "section":
            self._section = dict(attrs).get("id") or ""
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.misnested.append(tag)

    def handle_data(self, data: str) -> None:
        self.text[self._section] = self.text.get(self._section, "") + data


def read(folder: Path) -> Page:
    """Write the report and read it, with what holds of every page."""
    html = write_report(folder).read_text(encoding="utf-8")
    page = Page(html)
    assert (page.open, page.misnested) == ([], [])
    assert len(html) < 3_000_000
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "iframe", "object", "link", "form"})
    for tag, attributes in page.tags:
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:image/webp;base64,")), (tag, address)
    assert "url(" not in html
    assert "@import" not in html
    assert not any(word in html for word in (">nan<", ">inf<", ">nan ", '"nan"', "nan."))
    return page


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_run(tmp_path_factory.mktemp("runs") / "whole")


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_a_whole_run_says_what_was_trained_and_how_it_went(whole: Path) -> None:
    page = read(whole)
    assert list(page.text)[1:] == [
        "summary",
        "pictures",
        "curves",
        "domains",
        "audit",
        "config",
        "versions",
    ]
    summary = page.text["summary"]
    assert "desk was trained for 4,000 steps in 4 min 8 s." in summary
    for said in ("4,000 of 4,000", "resnet18", "Loss: normal", "Near chance", "came closer"):
        assert said in summary
    assert "conv5 aligned1.70 ± 0.12" in page.text["domains"]
    assert "content.method.align.kind" in page.text["config"]
    assert "2.6.0" in page.text["versions"]
    assert "whether the files are JPEGs" in page.text["audit"]


def test_pictures_of_each_moment_are_there(whole: Path) -> None:
    page = read(whole)
    pictures = [attributes["alt"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 4 * 6
    assert set(pictures) == {
        f"{domain}/{task}"
        for domain in ("synthetic", "real")
        for task in ("edge", "depth", "normal")
    }
    assert "step 1,500" in page.text["pictures"]


def test_the_same_folder_gives_the_same_bytes(copy: Path) -> None:
    first = write_report(copy).read_bytes()
    assert write_report(copy).read_bytes() == first
    assert list(copy.glob("*.part")) == []


def test_every_logged_number_is_drawn_once(tmp_path: Path) -> None:
    names = ("loss/edge", "loss/align", "critic/accuracy_real", "critic/logit_real", "gradient/norm", "gradient/ratio",
             "gradient/cosine_a_b", "balance/edge", "lr/backbone", "odd", "selection/score")  # fmt: skip
    with MetricsWriter(tmp_path / "metrics.jsonl") as writer:
        for step in range(3):
            values = {name: 100.0 + index for index, name in enumerate(names)}
            writer.write(values, step=step, time_s=step)
    text = "".join(read(tmp_path).text[section] for section in ("curves", "domains"))
    for index, _ in enumerate(names):
        assert text.count(f" {100 + index}") == 1


def test_a_half_finished_run_says_so(tmp_path: Path) -> None:
    page = read(fake_run(tmp_path / "half", steps_done=1500))
    assert "still running, at step 1,500 of 4,000 (38%)" in page.text["summary"]
    assert "Not measured before and after" in page.text["summary"]


def test_a_run_without_alignment_says_so(tmp_path: Path) -> None:
    page = read(fake_run(tmp_path / "plain", aligned=False))
    assert "Discriminator." not in page.text["summary"]
    assert "logged no discriminator" in page.text["domains"]


def test_an_empty_folder_makes_a_page_that_names_what_is_missing(tmp_path: Path) -> None:
    page = read(tmp_path)
    for name in ("metrics.jsonl", "config.json", "audit.json", "health.json", "pictures"):
        assert name in page.text["missing"]
    assert "no step has been logged" in page.text["summary"]


@pytest.mark.parametrize("name", ["config.json", "metrics.jsonl", "audit.json", "health.json"])
def test_each_file_may_be_missing(copy: Path, name: str) -> None:
    (copy / name).unlink()
    assert name in read(copy).text["missing"]


@pytest.mark.parametrize(
    "content", [b"", b"[", b"[]", b"null", b"[" * 100_000, b"\xff\xfe", b"1" * 9999, b'{"a": NaN}']
)
@pytest.mark.parametrize("name", ["config.json", "audit.json", "health.json", "evaluation.json"])
def test_files_that_are_no_json_object_are_named(copy: Path, name: str, content: bytes) -> None:
    (copy / name).write_bytes(content)
    page = read(copy)
    if content != b'{"a": NaN}':
        assert name in page.text["missing"]


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="no run folder"):
        write_report(tmp_path / "nowhere")


def test_evaluation_is_shown_beside_its_baseline(copy: Path) -> None:
    rows = [
        {"name": "Mean error", "value": 24.0, "unit": "°", "baseline": 30.0, "better": "lower"},
        {"name": "Within 30°", "value": 60.0, "unit": "%", "baseline": 75.0, "better": "higher"},
        {"name": "Alone", "value": 1, "unit": "m", "better": "lower"},
        {"name": "Broken", "value": "x", "unit": 7, "baseline": None, "better": 0},
    ]
    content = {"title": "Normals on NYUv2", "rows": rows, "note": "654 images."}
    (copy / "evaluation.json").write_text(json.dumps(content))
    drawn = copy / "pictures" / "evaluation"
    drawn.mkdir(parents=True)
    Image.new("RGB", (64, 40), "red").save(drawn / "frame-7.png")
    text = read(copy).text["evaluation"]
    assert "frame-7" in text
    for said in ("Normals on NYUv2", "20.0% better", "20.0% worse", "654 images.", "24.00°"):
        assert said in text


def strings_replaced(value: object) -> object:
    """Put a hostile string wherever a string, or a key, stands."""
    match value:
        case dict():
            return {k + _HOSTILE: strings_replaced(v) for k, v in value.items()} | {
                k: strings_replaced(v) for k, v in value.items()
            }
        case list():
            return [strings_replaced(v) for v in value]
        case str():
            return _HOSTILE
    return value


def test_hostile_strings_are_shown_as_text(copy: Path) -> None:
    for name in ("config.json", "audit.json", "health.json"):
        content = strings_replaced(json.loads((copy / name).read_text()))
        (copy / name).write_text(json.dumps(content))
    row = {"name": _HOSTILE, "value": 1, "unit": _HOSTILE, "baseline": 2}
    evaluation = {"title": _HOSTILE, "rows": [row], "note": _HOSTILE}
    (copy / "evaluation.json").write_text(json.dumps(evaluation))
    with MetricsWriter(copy / "metrics.jsonl") as writer:
        for step in range(20):
            for split in ("train", "val"):
                names = (_HOSTILE, f"loss/{_HOSTILE}", f"gradient/cosine_{_HOSTILE}")
                values: dict[str, float] = dict.fromkeys(names, -0.5)
                writer.write(values, step=step, time_s=step, split=split)
    (copy / "pictures" / "4000" / "real" / "<img src=x onerror=alert(1)>.png").write_bytes(b"x")
    folder = copy.rename(copy.with_name("<script>alert('&')"))
    page = read(folder)
    for section in ("evaluation", "audit", "config", "domains", "curves", "summary"):
        assert "<script>alert(1)</script>" in page.text[section], section
    assert not any("\x00" in text or "\u202e" in text for text in page.text.values())


@hostile
@given(data=st.data())
def test_no_damage_to_a_file_stops_the_page(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    name = data.draw(st.sampled_from(["config.json", "audit.json", "health.json", "metrics.jsonl"]))
    raw = bytearray((whole / name).read_bytes()[:20_000])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        bad = st.sampled_from([b"null", b"1e999", b"[]", b"{}", b'"x"', b"-1", b"", b"9" * 400])
        raw[at : at + data.draw(st.integers(0, 6))] = data.draw(bad)
        raw = raw or bytearray(b" ")
    (folder / name).write_bytes(raw)
    read(folder)


_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["layers", "layer", "before", "after", "value", "low", "high", "num_each", "findings",
             "separability", "accuracy", "severity", "rows", "baseline", "unit", "better", "steps", "recipe", "versions"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=12,
)  # fmt: skip


@hostile
@given(config=_JUNK, health=_JUNK, audit=_JUNK, evaluation=_JUNK)
def test_no_content_stops_the_page(
    tmp_path_factory: pytest.TempPathFactory,
    config: object,
    health: object,
    audit: object,
    evaluation: object,
) -> None:
    folder = tmp_path_factory.mktemp("junk")
    contents = {
        "config.json": config,
        "health.json": {"layers": [health, {"layer": "a", "before": health}]},
        "audit.json": {"findings": [audit, {"separability": audit}], "num_real": audit},
        "evaluation.json": {"rows": [evaluation], "title": evaluation},
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content))
    html = write_report(folder).read_text(encoding="utf-8")
    page = Page(html)
    assert (page.open, page.misnested) == ([], [])


def test_links_out_of_the_folder_are_not_followed(copy: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"recipe": "the secret"}')
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "secret.png")
    (copy / "config.json").unlink()
    (copy / "config.json").symlink_to(secret)
    (copy / "pictures" / "4000" / "real" / "secret.png").symlink_to(tmp_path / "secret.png")
    (copy / "pictures" / "9999").symlink_to(copy / "pictures" / "500")
    page = read(copy)
    assert not any("the secret" in text for text in page.text.values())
    assert not any(attributes.get("alt") == "real/secret" for _, attributes in page.tags)
    assert "9,999" not in page.text["pictures"]


def test_a_pipe_is_not_waited_for(copy: Path) -> None:
    (copy / "config.json").unlink()
    os.mkfifo(copy / "config.json")
    assert "config.json" in read(copy).text["missing"]


def test_pictures_that_are_damaged_or_absurdly_large_are_named_and_left_out(copy: Path) -> None:
    folder = copy / "pictures" / "4000" / "real"
    good = (folder / "edge.png").read_bytes()
    (folder / "edge.png").write_bytes(good[: len(good) // 2])
    (folder / "depth.png").write_bytes(good[:16] + b"\x00\x01\x00\x00" * 2 + good[24:])
    (folder / "normal.png").write_bytes(b"GIF89a")
    page = read(copy)
    for name in ("edge", "depth", "normal"):
        assert f"pictures/4000/real/{name}.png" in page.text["missing"]
    assert len([tag for tag, _ in page.tags if tag == "img"]) == 4 * 6 - 3


def test_many_large_noisy_pictures_stay_within_the_budget(copy: Path) -> None:
    rng = np.random.default_rng(0)
    for step in (5000, 6000, 7000, 8000):
        for name in ("edge", "depth", "normal", "semantic"):
            path = copy / "pictures" / str(step) / "real" / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (400, 500, 3), np.uint8)).save(path)
    read(copy)


def test_a_long_run_stays_small(tmp_path: Path) -> None:
    write_config(tmp_path)
    with MetricsWriter(tmp_path / "metrics.jsonl") as writer:
        for step in range(4000):
            values = {f"loss/task{i}": math.sin(step * i) + 2 for i in range(20)}
            writer.write(values, step=step, time_s=step)
    assert write_report(tmp_path).stat().st_size < 500_000
    read(tmp_path)


def test_numbers_that_are_not_finite_are_marked_and_named(tmp_path: Path) -> None:
    write_config(tmp_path)
    with MetricsWriter(tmp_path / "metrics.jsonl") as writer:
        for step in range(50):
            value = math.nan if step in (20, 21) else 1 / (step + 1)
            writer.write({"loss/edge": value}, step=step, time_s=step)
    page = read(tmp_path)
    assert "2 logged numbers are not finite, the first at step 20" in page.text["summary"]
    assert len([1 for _, attributes in page.tags if attributes.get("class") == "lost"]) == 2


def test_the_clock_of_a_resumed_run_is_added_up(tmp_path: Path) -> None:
    write_config(tmp_path)
    with MetricsWriter(tmp_path / "metrics.jsonl") as writer:
        for step in range(1, 11):
            time_s = 60.0 * (step if step <= 5 else step - 5)
            writer.write({"loss/edge": 1.0}, step=step, time_s=time_s)
    assert "in 10 min 0 s" in read(tmp_path).text["summary"]


def test_a_killed_runs_broken_line_is_told(copy: Path) -> None:
    raw = (copy / "metrics.jsonl").read_bytes()
    (copy / "metrics.jsonl").write_bytes(raw[:-9])
    assert "1 broken lines were left out" in read(copy).text["missing"]


def line(value: list[float]) -> Line:
    step = np.arange(len(value), dtype=np.int64)
    return Line(
        name="a",
        series=Series(step=step, time_s=step * 1.0, value=np.array(value, float)),
        colour=0,
    )


def coordinates(svg: str) -> Iterator[tuple[float, float]]:
    path = svg.split('class="l0" d="')[1].split('"')[0]
    for point in path.replace("L", "M").split("M")[1:]:
        x, y = point.split()
        yield float(x), float(y)


def test_a_curve_is_drawn_to_scale() -> None:
    places = list(coordinates(chart("t", [line([0.0, 1.0, 0.5])], span=(0.0, 1.0))))
    assert places == [(46.0, 184.0), (207.0, 10.0), (368.0, 97.0)]


def test_a_logarithmic_curve_is_drawn_to_scale() -> None:
    (_, top), (_, middle), (_, bottom) = coordinates(chart("t", [line([100, 10, 1])], log=True))
    assert middle == pytest.approx((top + bottom) / 2, abs=0.1)


@pytest.mark.parametrize(
    "value",
    [[], [1.0], [math.nan], [math.nan] * 500, [0.0] * 500, [1e300, -1e300], [5e-324, 1.0], [1e-9, 1e9] * 400],
)  # fmt: skip
@pytest.mark.parametrize("log", [False, True])
def test_no_curve_leaves_its_frame(value: list[float], log: bool) -> None:
    svg = chart("t", [line(value)], log=log)
    assert "nan" not in svg
    assert "inf" not in svg
    for x, y in coordinates(svg) if value and not math.isnan(value[0]) else ():
        assert (46 <= x <= 368, 10 <= y <= 184) == (True, True)


@hostile
@given(low=st.floats(-1e12, 1e12), span=st.floats(1e-6, 1e12), log=st.booleans())
def test_ticks_are_few_and_within_the_ends(low: float, span: float, log: bool) -> None:
    low = abs(low) + 1e-9 if log else low
    found = ticks(low, low + span, log=log)
    assert len(found) <= 8
    slack = 1e-6 * (abs(low) + span)
    assert all(low - slack <= tick <= low + span + slack for tick in found)


@hostile
@given(st.text())
def test_escaped_text_holds_nothing_that_html_reads(text: str) -> None:
    escaped = escape(text)
    assert not set(escaped) & set("<>\"'\x00")
    escaped.encode("utf-8")


@hostile
@given(st.floats(-1e300, 1e300) | st.just(math.nan) | st.just(-math.inf))
def test_numbers_read_as_they_are(value: float) -> None:
    shown = number(value, digits=4)
    if math.isfinite(value):
        back = float(shown.replace(",", "").replace("\N{MINUS SIGN}", "-"))
        assert back == pytest.approx(value, rel=5.1e-4)
    else:
        assert shown == "not finite"


def test_the_fake_run_reaches_its_last_step(tmp_path: Path) -> None:
    write_metrics(tmp_path, steps_done=STEPS)
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 210
