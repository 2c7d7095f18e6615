"""A reviewer is led to a page that says which model won."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError

import pytest
import searches
from occam.search.champions import registry
from occam.search.errors import InputError
from occam.search.report import description
from occam.search.report.artifacts import artifacts
from occam.search.runs.searches import last_search
from occam.search.runs.store import connect
from occam.search.tracking import Tracker
from occam.search.trials import FinishedTrial, TrialState
from occam.search.ui.review import _command, _environment, review

TRIAL = FinishedTrial(
    number=0,
    state=TrialState.COMPLETE,
    hyperparameters={"units": 4},
    parameter_count=784,
    trainable_parameter_count=784,
    seed=0,
    score=0.97,
)
TEST = {"score": 4.2, "correct": None, "rows": 360, "lower_bound": 4.8, "opened": 2}
SUMMARY = {
    "pipeline": "prices",
    "metric": "mae",
    "target": 5.0,
    "search_target": 4.6,
    "rows": {"train": 900, "validation": 540, "test": 360},
    "seconds": 61.2,
    "epochs_trained": 1234,
    "trials": {"complete": 30, "pruned": 9, "rejected": 1200, "fail": 1},
    "selected": {
        "trial": 2,
        "parameter_count": 1097,
        "validation": 4.4,
        "test": {**TEST, "verdict": "certified"},
    },
    "ladder": [
        {
            "trial": number,
            "parameter_count": 500 + number,
            "validation": 4.5,
            "run_id": f"run{number}",
        }
        for number in range(1, 31)
    ],
    "mlflow": {"experiment_id": "7"},
}


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> Tracker:
    """A search that has started, in a store of its own."""
    folder = tmp_path_factory.mktemp("store")
    tracker = Tracker(f"sqlite:///{folder}/mlflow.db", pipeline="digits", search="s", study="s")
    tracker.start({"metric": "accuracy", "target": 0.95}, data=None)
    return tracker


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_description_says_the_answer_first():
    text = description.markdown(SUMMARY)
    assert text.startswith("## 1,097 parameters hold mae 5\n\nTrial 2: validation 4.4000")
    assert "**test 4.2000** on 360 untouched rows; at most 4.8000 with 95 % confidence" in text
    assert "Verdict: **certified** (2 opened)." in text
    assert "1,200 rejected untrained" in text
    assert "`occam promote prices`" in text


def test_a_bound_that_bounds_nothing_is_described_in_words():
    test = {**SUMMARY["selected"]["test"], "lower_bound": 3.4e38}
    text = description.markdown({**SUMMARY, "selected": {**SUMMARY["selected"], "test": test}})
    assert "untouched rows; they are too few, or too seldom wrong, to bound it." in text


def test_the_ladder_of_a_description_links_to_its_runs_and_stays_short():
    text = description.markdown(SUMMARY)
    assert "| [2](#/experiments/7/runs/run2?workflowType=machine_learning)&emsp;| 502&emsp;" in text
    assert "| 502&emsp;| 4.5000&emsp;| 4.2000&emsp;" in text
    assert "[20](" in text
    assert "[21](" not in text
    assert "and 10 larger ones." in text
    assert len(text) < 6000


def test_a_search_without_a_model_is_described_too():
    text = description.markdown({**SUMMARY, "selected": None, "ladder": []})
    assert text.startswith("## no model reached mae 5\n\nThe search target, with its margin on 540")
    assert "### Next\n\n- More trials, a larger space or a higher --target would help." in text


def test_the_view_lists_the_winners_of_one_search_smallest_first():
    key, value = description.view_tag("abc")
    assert description.view_path("7").endswith(key.rpartition(".")[2])
    state = json.loads(json.loads(value)["state"])
    assert (
        "tags.`mlflow.parentRunId` = 'abc' AND tags.reached_target = 'true'"
        in (state["searchFilter"])
    )
    assert state["orderByKey"] == state["selectedColumns"][0] == "metrics.`parameter_count`"
    assert state["orderByAsc"] is True


@pytest.mark.parametrize(("metric", "ascending"), [("accuracy", False), ("mae", True)])
def test_the_view_of_a_search_without_a_model_lists_the_best_first(tmp_path, metric, ascending):
    tracker = Tracker(f"sqlite:///{tmp_path}/m.db", pipeline="digits", search="s", study="s")
    tracker.start({"metric": metric, "target": 0.95}, data=None)
    at = {"experiment_id": tracker.experiment_id, "run_id": tracker.run_id}
    none = {**SUMMARY, "metric": metric, "selected": None, "ladder": [], "incumbents": []}
    tracker.finish({**none, "mlflow": at})
    experiment = connect(tracker.uri).get_experiment(tracker.experiment_id)
    view = json.loads(experiment.tags[f"mlflow.sharedViewState.{description.VIEW}"])
    state = json.loads(view["state"])
    assert view["name"] == description.BEST
    assert state["searchFilter"] == f"tags.`mlflow.parentRunId` = '{tracker.run_id}'"
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`score`", ascending)


def test_the_address_of_the_store_is_no_part_of_the_command():
    address = "postgresql://ada:secret@host/mlflow"
    assert not any("secret" in each for each in _command(5000))
    assert _environment(address, "/")["MLFLOW_BACKEND_STORE_URI"] == address


def test_a_port_in_use_is_said_in_one_line(tracker):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(InputError, match=r"Port \d+ cannot be used: Address already in use"):
            review(tracker.uri, other.getsockname()[1])


@pytest.mark.parametrize("wrong", [70_000, 2**40])
def test_a_port_that_does_not_exist_is_said_in_one_line(tracker, wrong):
    with pytest.raises(InputError, match=f"Port {wrong} cannot be used: there is no such port"):
        review(tracker.uri, wrong)


def test_without_a_search_there_is_nothing_to_review(tmp_path):
    with pytest.raises(InputError, match="No search yet"):
        review(f"sqlite:///{tmp_path}/mlflow.db", free_port())


@pytest.fixture(scope="module")
def page(tracker: Tracker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address that `review` prints, served until the tests are through."""
    number = free_port()
    call = f"from occam.search.ui.review import review; review({tracker.uri!r}, {number})"
    with subprocess.Popen(
        [sys.executable, "-c", call],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path_factory.mktemp("server"),
    ) as process:
        line = next(line for line in process.stdout if "Review the newest search" in line)
        yield re.search(r"http\S+", line)[0]
        process.terminate()
        assert process.wait(timeout=30) == 143
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", number))


@pytest.mark.slow
def test_the_printed_address_is_served_until_stopped(tracker, page):
    assert page.endswith("/review")
    with urllib.request.urlopen(page, timeout=20) as answer:
        assert f"/experiments/{tracker.experiment_id}/runs" in answer.read().decode()


@pytest.mark.slow
def test_a_search_can_be_recorded_on_a_tracking_server(page, capsys):
    uri = page.removesuffix("/review")
    tracker = Tracker(uri, pipeline="remote", search="s", study="s")
    tracker.start({"metric": "accuracy", "target": 0.95}, data=None)
    for number in range(3):
        tracker.log(replace(TRIAL, number=number))
    assert set(tracker.run_ids()) == {0, 1, 2}
    summary = {**SUMMARY, "pipeline": "remote", "selected": None, "ladder": [], "incumbents": []}
    tracker.finish(summary)
    assert last_search(connect(uri), "remote") == json.loads(json.dumps(summary))
    assert set(Tracker(uri, pipeline="remote", search="s", study="s").run_ids()) == {0, 1, 2}
    review(uri, 1)
    assert f"at {uri}/#/experiments/{tracker.experiment_id}/runs" in capsys.readouterr().out


NUMBER = 40  # trials of the search that is looked at
OWN = (  # MLflow's page asks its own server for what that does not give; the latter from 3.18 on
    "/ajax-api/2.0/mlflow/users/current",
    "/ajax-api/2.0/mlflow/artifacts/presigned-download-url",
)


@pytest.fixture(scope="module")
def reviewed(tracker: Tracker) -> dict[str, Any]:
    """The summary of the search, which has ended, with a report and a champion."""
    for each in searches.trials(NUMBER):
        tracker.log(each)
    at = {"tracking_uri": tracker.uri, "experiment_id": tracker.experiment_id}
    runs, at = tracker.run_ids(), {**at, "run_id": tracker.run_id}
    summary, record = searches.search(NUMBER, runs=runs, at=at)
    tracker.finish(summary, record, artifacts(summary, record))
    client = connect(tracker.uri)
    client.create_registered_model("digits")
    tags = {"parameter_count": "784", "metric": "accuracy", "target": "0.9", "verdict": "holds"}
    source = client.get_run(tracker.run_id).info.artifact_uri
    client.create_model_version("digits", source, tags=tags)
    client.set_registered_model_alias("digits", "champion", "1")
    registry.describe(client, "digits", "1")
    return summary


@pytest.fixture
def tab(browser: Any, page: str, reviewed: dict[str, Any]) -> Iterator[Any]:
    """A page of the browser on the review; errors on its console fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab, errors = context.new_page(), []
    tab.on("console", lambda said: errors.append(said) if said.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(error))
    tab.goto(page)
    yield tab
    urls = [error.location["url"] if hasattr(error, "location") else str(error) for error in errors]
    context.close()
    assert [url for url in urls if not any(own in url for own in OWN)] == []


def run_page(tracker: Tracker, page: str, path: str = "") -> str:
    address = page.removesuffix("/review")
    run = f"#/experiments/{tracker.experiment_id}/runs/{tracker.run_id}"
    return f"{address}/{run}{path}?workflowType=machine_learning"


@pytest.mark.slow
def test_the_review_opens_on_the_winners_smallest_first(tab, reviewed):
    tab.wait_for_selector("text=smallest ·")
    names = [each.inner_text() for each in tab.query_selector_all("[role=row] a[href*='/runs/']")]
    sizes = [int(name.split(" · ")[1].replace(",", "")) for name in names if " · " in name]
    assert sizes == sorted(sizes)
    assert len(sizes) == len(reviewed["ladder"]), "only those that reached"
    for column in ("parameter_count", "score", "test_score", "verdict"):
        assert tab.is_visible(f"[role=columnheader] >> text={column}")
    assert tab.is_visible("text=hold accuracy 0.9")
    assert not tab.is_visible("[placeholder='Ask a question...']"), "MLflow's assistant"
    tab.click("text=smallest ·")
    tab.wait_for_selector("h1:has-text('smallest'), h2:has-text('smallest')")
    assert reviewed["selected"]["run_id"] in tab.url


@pytest.mark.slow
def test_the_run_of_a_search_describes_its_answer_with_a_picture(tab, tracker, page):
    tab.goto(run_page(tracker, page))
    tab.wait_for_selector("text=untouched rows")
    picture = tab.wait_for_selector("img[src*='size_score.png']", state="attached")
    tab.wait_for_function("image => image.complete && image.naturalWidth > 500", arg=picture)


@pytest.mark.slow
def test_the_report_works_in_the_sandbox_of_the_artifact_viewer(tab, tracker, page, reviewed):
    tab.goto(run_page(tracker, page, "/artifacts/report.html"))
    frame = tab.wait_for_selector("iframe").content_frame()
    frame.wait_for_selector("[data-chart=size_score] svg")
    frame.click(f"a[data-trial='{reviewed['selected']['trial']}'] >> nth=0")
    address = frame.input_value("#run-address")
    assert address.startswith(page.removesuffix("review"))
    assert reviewed["selected"]["run_id"] in address


@pytest.mark.slow
def test_the_report_on_a_page_of_its_own_leads_to_the_runs(tab, tracker, page, reviewed):
    tab.goto(page.replace("/review", f"/report/{tracker.run_id}"))
    tab.wait_for_selector("[data-chart=size_score] svg")
    with tab.context.expect_page() as other:
        tab.click(f"a[data-trial='{reviewed['selected']['trial']}'] >> nth=0")
    other.value.wait_for_selector("h1:has-text('smallest'), h2:has-text('smallest')")
    with pytest.raises(HTTPError, match="404"):
        urllib.request.urlopen(page.replace("/review", "/report/none"), timeout=20)


@pytest.mark.slow
def test_the_registered_model_says_what_it_is(tab, page):
    tab.goto(page.replace("/review", "/#/models/digits"))
    tab.wait_for_selector("text=784 parameters")
    assert tab.is_visible("text=champion")
