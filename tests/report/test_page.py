"""The report opens from disk in a browser, and can be read, filtered and pointed at there."""

from __future__ import annotations

import copy
import itertools
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from occam.search.report import page as module
from occam.search.report.charts import size_score
from occam.search.report.page import page
from occam.search.report.record import spent, table
from occam.search.report.tables import axes, slices
from searches import search, trials

TRIALS = 2000
SECONDS = 3.0  # until the first chart of 2,000 trials is drawn
BYTES = 5_000_000
POINTS = "[data-chart=size_score] .role-mark.mark-symbol >> nth=0"
A4 = 717  # pixels between the margins
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a search of 2,000 trials."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(*search(TRIALS)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small() -> Any:
    """Summary and record of a search of a few trials."""
    return search(60)


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A page of the browser; an error or a warning on its console fails the test."""
    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme="light")
    tab, said = context.new_page(), []
    tab.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield tab
    context.close()
    assert said == []


def opened(tab: Any, path: Path) -> Any:
    tab.goto(path.as_uri())
    tab.wait_for_selector("[data-chart=size_score] svg")
    return tab


def everything(tab: Any) -> None:
    """Scroll through the page until each chart is drawn."""
    for place in tab.query_selector_all("[data-chart]"):
        place.scroll_into_view_if_needed()
        place.wait_for_selector("svg")


def test_two_thousand_trials_open_in_three_seconds_and_weigh_little(tab, report):
    assert report.stat().st_size < BYTES
    started = time.monotonic()
    opened(tab, report)
    assert time.monotonic() - started < SECONDS


def test_the_answer_comes_first(tab, report):
    opened(tab, report)
    assert re.fullmatch(r"[\d,]+ parameters hold accuracy 0.9", tab.inner_text("h1"))
    head = tab.inner_text("header")
    assert "test 0.9250 on 400 untouched rows, 370 right; at least 0.8990 with 95 %" in head
    assert re.search(r"times smaller than the largest model tried \(\d", head)
    assert "than the linear model (650), which scores 0.9100" in head
    assert "than the present champion, version 3 (2,000)." in head


def test_every_chart_is_drawn_and_has_words_for_those_who_do_not_see_it(tab, report):
    opened(tab, report)
    everything(tab)
    assert len(tab.query_selector_all("[data-chart]")) == 9
    for place in tab.query_selector_all("[data-chart]"):
        words = place.get_attribute("aria-label")
        assert len(words) > 40
    levels = tab.eval_on_selector_all("h1, h2", "all => all.map(each => each.tagName)")
    assert levels[0] == "H1"
    assert levels.count("H1") == 1


def point(tab: Any, number: int = 0) -> Any:
    """One of the trials in the first chart, one that reached: those are drawn last."""
    return tab.query_selector_all(f"{POINTS} >> path")[-1 - number]


def test_pointing_at_a_trial_shows_its_hyperparameters(tab, report):
    opened(tab, report)
    point(tab).hover(force=True)
    tip = tab.wait_for_selector("#vg-tooltip-element.visible")
    assert "learning_rate" in tip.inner_text()
    assert re.search(r"trial \d+: [\d,]+ parameters, 0\.\d{4}", tip.inner_text())


def test_clicking_a_trial_opens_its_run(tab, report):
    opened(tab, report)
    with tab.context.expect_page() as other:
        point(tab).click(force=True)
    address = r"http://127.0.0.1:5000/#/experiments/1/runs/[0-9a-f]{32}\?"
    requested = other.value.evaluate("location.href") if other.value.url == "" else other.value.url
    assert re.match(rf"{address}|chrome-error://", requested)
    other.value.close()
    link = tab.get_attribute("#trials-table a", "href")
    assert re.match(address, link)


def test_a_score_is_written_alike_in_all_tables(tab, tmp_path, small):
    summary, record = copy.deepcopy(small)
    rungs = summary["ladder"][:4]
    rows = {row[0]: row for row in record["trials"]["rows"]}
    for rung, score in zip(rungs, (29 / 32, 3.61234e-5, 1234.25, 1.5e12), strict=True):
        rung["validation"] = score
        (rows[rung["trial"]],) = table([replace(trials(1)[0], score=score)], {})["rows"]
        rows[rung["trial"]][0] = rung["trial"]
    record["trials"]["rows"] = list(rows.values())
    path = tmp_path / "report.html"
    path.write_text(page(summary, record), encoding="utf-8")
    opened(tab, path)
    cells = (
        "all => Object.fromEntries(all.map(({cells}) => [0, AT].map(at => cells[at].innerText)))"
    )
    ladder = tab.eval_on_selector_all("#size tbody tr", cells.replace("AT", "2"))
    listed = tab.eval_on_selector_all("#trials-table tbody tr", cells.replace("AT", "3"))
    shown = [ladder[str(rung["trial"])] for rung in rungs]
    assert shown == ["0.9062", "3.61e-05", "1,234.2", "1.5e+12"]
    assert ladder.items() <= listed.items()


def test_trials_are_filtered_and_sorted(tab, report):
    opened(tab, report)
    assert tab.inner_text("#matches") == "2,000 of 2,000 trials"
    assert len(tab.query_selector_all("#trials-table tbody tr")) == 100
    tab.fill("#filter", "reached sgd")
    rows = tab.eval_on_selector_all(
        "#trials-table tbody tr", "all => all.map(row => row.innerText.toLowerCase())"
    )
    assert rows
    assert all("reached" in row and "sgd" in row for row in rows)
    tab.click("#trials-table th button:text('parameters')")
    sizes = tab.eval_on_selector_all(
        "#trials-table tbody tr", "all => all.map(row => +row.cells[2].innerText.replace(',', ''))"
    )
    assert sizes == sorted(sizes)
    assert tab.get_attribute("#trials-table th:nth-child(3)", "aria-sort") == "ascending"


def test_long_names_of_classes_do_not_run_into_each_other(tab, tmp_path, small):
    summary, record = copy.deepcopy(small)
    names = [f"a class whose name is really long, number {number}" for number in range(5)]
    counts = [[9] * 5] * 5
    record["predictions"] = {"kind": "classes", "names": names, "counts": counts}
    path = tmp_path / "report.html"
    path.write_text(page(summary, record), encoding="utf-8")
    tab.set_viewport_size(PHONE)
    everything(opened(tab, path))
    tab.wait_for_selector("[data-chart=confusion] svg")
    boxes = tab.eval_on_selector_all(
        "[data-chart=confusion] .role-axis:has-text('predicted') .role-axis-label text",
        "all => all.map(each => each.getBoundingClientRect()).map(box => [box.left, box.right])",
    )
    assert len(boxes) == 5
    assert all(left[1] <= right[0] for left, right in itertools.pairwise(boxes))


def test_a_hyperparameter_is_chosen_for_the_slice(tab, report):
    opened(tab, report)
    everything(tab)
    tab.select_option("#slices-select", "optimizer")
    tab.wait_for_selector("[data-chart=slice] svg >> text=sgd")


def test_dark_and_light_follow_the_reader(tab, report):
    opened(tab, report)
    ground = "getComputedStyle(document.body).backgroundColor"
    label = "document.querySelector('[data-chart=size_score] .role-axis-label text')"
    text = f"{label}.getAttribute('fill')"
    light = tab.evaluate(ground), tab.evaluate(text)
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function(f"{text} !== {light[1]!r}")
    assert tab.evaluate(ground) != light[0]


def test_it_is_printed_light_and_whole(tab, tmp_path, small):
    summary, record = copy.deepcopy(small)
    record["layers"][0]["settings"] = "filters 5, kernel_size 3×3, strides 1×1, activation linear"
    record["layers"][0]["name"] = "global_average_pooling2d_271"
    record["layers"][0]["type"] = "GlobalAveragePooling2D"
    record["provenance"]["command"] = f"occam search digits --name {'long' * 40}"
    path = tmp_path / "report.html"
    path.write_text(page(summary, record), encoding="utf-8")
    tab.emulate_media(color_scheme="dark")
    everything(opened(tab, path))
    label = "document.querySelector('[data-chart=size_score] .role-axis-label text')"
    dark = tab.evaluate(f"{label}.getAttribute('fill')")
    tab.set_viewport_size({"width": A4, "height": 900})
    tab.emulate_media(media="print", color_scheme="dark")
    tab.wait_for_function(f"{label}.getAttribute('fill') !== {dark!r}")
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert tab.evaluate("getComputedStyle(document.querySelector('h2')).breakAfter") == "avoid"
    cut = "[...document.querySelectorAll('pre, #layers .wide')].map(each => each.scrollWidth)"
    assert max(tab.evaluate(cut)) <= A4


def test_a_phone_shows_it_without_scrolling_sideways(tab, report):
    tab.set_viewport_size(PHONE)
    opened(tab, report)
    everything(tab)
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_search_without_records_or_model_is_shown_too(tab, tmp_path, small):
    summary, record = small
    summary = {**summary, "selected": None, "ladder": [], "incumbents": []}
    path = tmp_path / "report.html"
    path.write_text(page(summary, {"trials": record["trials"]}), encoding="utf-8")
    opened(tab, path)
    everything(tab)
    assert tab.inner_text("h1") == "no model reached accuracy 0.9"
    assert "How to repeat it" in tab.inner_text("main")


def test_scores_that_all_miss_by_far_are_told_apart(small):
    summary, record = small
    for metric, scores in (("accuracy", [0.3, 0.5]), ("mse", [9.0, 4.0])):
        goal = {**summary, "metric": metric, "target": 0.9, "search_target": 0.9}
        spec = size_score(goal, scores)
        low, high = spec["layer"][0]["encoding"]["y"]["scale"]["domain"]
        assert all(low < score < high for score in scores)


def test_trials_that_all_failed_draw_no_chart_of_scores(tab, tmp_path, small):
    summary, record = copy.deepcopy(small)
    summary |= {"selected": None, "ladder": [], "incumbents": []}
    for row in record["trials"]["rows"]:
        row[1], row[3], row[6] = "failed", None, "RuntimeError: no room"
    path = tmp_path / "report.html"
    path.write_text(page(summary, {"trials": record["trials"]}), encoding="utf-8")
    tab.goto(path.as_uri())
    assert tab.query_selector_all("[data-chart]") == []
    assert "60 of 60 trials" in tab.inner_text("#trials")
    assert "RuntimeError: no room; units" in tab.inner_text("#trials-table td.quiet")


def test_the_fall_of_the_smallest_model_is_told_in_whole_epochs_and_words(tab, tmp_path, small):
    summary, record = copy.deepcopy(small)
    first, last = summary["incumbents"][0], summary["epochs_trained"]
    summary["incumbents"] = [{**first, "epochs_trained": last - 3, "parameter_count": 1234}]
    path = tmp_path / "report.html"
    path.write_text(page(summary, record), encoding="utf-8")
    everything(opened(tab, path))
    chart = "[data-chart=incumbents_epochs]"
    tab.wait_for_selector(f"{chart} svg")
    ticks = tab.eval_on_selector_all(
        f"{chart} .role-axis:has-text('epochs trained') .role-axis-label text",
        "all => all.map(each => each.textContent)",
    )
    assert ticks == [str(epoch) for epoch in range(last - 3, last + 1)]
    tab.hover(f"{chart} .mark-symbol path >> nth=0", force=True)
    tip = tab.wait_for_selector("#vg-tooltip-element.visible").inner_text()
    assert re.search(r"parameters:?\s+1,234", tip)
    assert "_" not in tip


def test_training_that_took_no_time_worth_a_tenth_of_a_second_is_not_lost():
    parts = spent([replace(each, seconds=0.002) for each in trials(5)])
    assert sum(part["seconds"] for part in parts) == pytest.approx(0.01)


def test_a_model_that_does_not_hold_is_not_called_good(tab, tmp_path, small):
    summary, record = copy.deepcopy(small)
    summary["selected"]["test"]["verdict"] = "not held"
    path = tmp_path / "report.html"
    path.write_text(page(summary, record), encoding="utf-8")
    opened(tab, path)
    assert "do not hold" in tab.inner_text("h1")
    assert tab.get_attribute(".verdict", "class") == "verdict bad"


def test_a_bound_that_bounds_nothing_is_no_number(small):
    summary, record = copy.deepcopy(small)
    summary["selected"]["test"]["lower_bound"] = 3.4e38
    text = page(summary, record)
    assert "with 95 % confidence</dt><dd>none</dd>" in text


def test_names_of_a_search_cannot_become_markup(tab, tmp_path, small):
    evil = "</script><img src=x onerror=alert(1)>"
    summary, record = copy.deepcopy(small)
    summary["name"] = evil
    record["trials"]["rows"][0][-2] = evil
    path = tmp_path / "report.html"
    path.write_text(page(summary, record), encoding="utf-8")
    opened(tab, path)
    assert evil in tab.inner_text(".kicker")
    assert tab.query_selector_all("img") == []


@pytest.mark.parametrize("number", [1, 12])
def test_trials_are_told_apart_by_hyperparameters_whether_or_not_they_have_a_score(
    tab, tmp_path, small, number
):
    summary, record = copy.deepcopy(small)
    record["trials"]["rows"] = record["trials"]["rows"][:number]
    for row in record["trials"]["rows"][1:]:
        row[3] = None
    path = tmp_path / "report.html"
    path.write_text(page(summary, record), encoding="utf-8")
    opened(tab, path)
    cells = [cell.inner_text() for cell in tab.query_selector_all("#trials-table td.quiet")]
    assert len(cells) == number
    assert all("units" in cell for cell in cells)


def test_a_hyperparameter_that_is_called_as_a_column_is_shown(small):
    summary, record = copy.deepcopy(small)
    record["trials"]["hyperparameters"][0], record["importances"] = "epochs", None
    at = len(record["trials"]["columns"])
    scored = [row for row in record["trials"]["rows"] if row[3] is not None]
    assert {axis["name"] for axis in axes(record)} >= {"epochs", "score"}
    axis = next(each for each in axes(record) if each["name"] == "epochs")
    assert axis["high"] == max(row[at] for row in scored if row[at] is not None)
    assert "epochs" in slices(record)


def test_the_script_of_the_charts_is_bundled_once_for_all_searches(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    bundled = module._vega.__wrapped__()
    (kept,) = (tmp_path / "cache/occam").iterdir()
    assert kept.read_text(encoding="utf-8") == bundled
    assert "vegaEmbed" in bundled
    kept.write_text("// known", encoding="utf-8")
    assert module._vega.__wrapped__() == "// known"
    kept.write_text("", encoding="utf-8")  # as after a power cut
    assert module._vega.__wrapped__() == bundled
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))  # where nothing can be kept
    assert module._vega.__wrapped__() == bundled
