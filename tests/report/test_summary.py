"""What a search says of itself, in JSON and in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from occam.search.report import best, holds, summarise
from occam.search.report.charts import size_score
from occam.search.report.compare import show_compared
from occam.search.report.description import headline, markdown
from occam.search.report.summary import incumbents
from occam.search.report.terminal import HOME, conclusion, show
from occam.search.report.words import goal
from occam.search.runs.store import default_uri
from occam.search.screen import Screen
from occam.search.selection import Ladder, TestResult, Verdict
from occam.search.trials import FinishedTrial, TrialState
from searches import AT

SETTINGS = {
    "pipeline": "toy",
    "metric": "accuracy",
    "target": 0.9,
    "search_target": 0.94,
    "margin": 2.0,
    "rows": {"train": 500, "validation": 225, "test": 200},
    "seconds": 61.0,
}


def trial(number: int, size: int, **fields: Any) -> FinishedTrial:
    values = {
        "number": number,
        "state": TrialState.COMPLETE,
        "hyperparameters": {"units": size},
        "parameter_count": size,
        "trainable_parameter_count": size,
        "seed": 0,
        "score": 0.95,
        "reached": True,
        "epochs": 10,
        "seconds": 2.0,
    }
    return FinishedTrial(**{**values, **fields})


TRIALS = [
    trial(0, 90),
    trial(1, 200, state=TrialState.REJECTED, reached=False, score=None, epochs=0, seconds=0.0),
    trial(2, 40, state=TrialState.PRUNED, reached=False, score=0.91),
    trial(3, 50),
]


def summary(verdict: Verdict | None) -> dict[str, Any]:
    rungs = (TRIALS[3], TRIALS[0]) if verdict else ()
    results = [
        TestResult(
            trial=3, score=0.92, correct=184, rows=200, lower_bound=0.88, opened=1, verdict=verdict
        )
        for _ in rungs[:1]
    ]
    ladder = Ladder(rungs=rungs, candidates=rungs[:1])
    return summarise(SETTINGS, TRIALS, ladder, results, {3: "r3", 0: "r0"}, {3: "models:/m"})


def test_the_summary_counts_states_and_epochs():
    found = summary(Verdict.HOLDS)
    assert found["trials"] == {"complete": 2, "pruned": 1, "fail": 0, "rejected": 1}
    assert found["epochs_trained"] == 30
    assert [rung["trial"] for rung in found["ladder"]] == [3, 0]


def test_what_was_selected_carries_its_test_and_its_run():
    selected = summary(Verdict.HOLDS)["selected"]
    assert (selected["trial"], selected["run_id"], selected["model_uri"]) == (3, "r3", "models:/m")
    assert selected["test"] == {
        "score": 0.92,
        "correct": 184,
        "rows": 200,
        "lower_bound": 0.88,
        "opened": 1,
        "verdict": "holds",
    }


def test_incumbents_fall_and_are_counted_in_epochs():
    assert incumbents(TRIALS) == [
        {"epochs_trained": 10, "seconds": 2.0, "parameter_count": 90, "trial": 0},
        {"epochs_trained": 30, "seconds": 6.0, "parameter_count": 50, "trial": 3},
    ]


@pytest.mark.parametrize(
    ("verdict", "expected", "words"),
    [
        (Verdict.HOLDS, True, "holds 0.9."),
        (Verdict.CERTIFIED, True, "certified 0.9."),
        (Verdict.NOT_HELD, False, "NOT HELD on test data"),
        (None, False, "No model reached the search target"),
    ],
)
def test_the_conclusion_says_what_the_verdict_says(verdict, expected, words):
    found = summary(verdict)
    assert holds(found) is expected
    assert words in " ".join(conclusion(found, missed(TRIALS[2])))


def test_what_to_type_next_works_where_it_is_typed(workplace, monkeypatch):
    found = summary(Verdict.HOLDS)

    def next_of(uri: str | None) -> str:
        return conclusion(found, uri=uri)[-1]

    elsewhere = "--tracking-uri sqlite:///elsewhere.db"
    assert next_of("sqlite:///elsewhere.db") == (
        f"Next: `occam ui {elsewhere}` to review, `occam promote toy {elsewhere}` to make it the "
        "champion."
    )
    assert "`occam ui --tracking-uri ...` to" in next_of("postgresql://me:secret@host/runs")
    for uri in (None, default_uri()):
        assert "`occam ui` to review, `occam promote toy` to" in next_of(uri)
    monkeypatch.chdir(HOME)
    for uri in (None, default_uri()):
        assert "`make ui` to review, `make promote PIPELINE=toy` to" in next_of(uri)


def missed(best_trial: FinishedTrial) -> Any:
    """The record of a search of one trial, whose standard error is 0.02."""
    return {"standard_error": 0.02, "best": best(summary(None), [best_trial])}


def test_a_near_miss_is_told_in_standard_errors():
    text = " ".join(conclusion(summary(None), missed(TRIALS[2])))
    assert "The best was trial 2: 0.9100 with 40 parameters." in text
    assert "0.5 standard errors beyond 0.9, not 2: on 225 validation rows one is 0.0200" in text


def test_a_miss_of_the_target_itself_is_told_otherwise():
    record = missed(trial(5, 30, score=0.7, reached=False))
    text = " ".join(conclusion(summary(None), record))
    assert "standard errors" not in text
    assert "a lower --target would help" in text
    error = summary(None) | {"metric": "mae", "target": 0.1}
    assert "a higher --target would help" in " ".join(conclusion(error, record))
    assert "a higher --target would help" in markdown(error | {"mlflow": AT}, record)


@pytest.mark.parametrize(("failed", "said"), [(1, "The only trial failed:"), (2, "All 2 trials")])
def test_where_all_trials_failed_it_is_said_who_knows_why(failed, said):
    counts = {"complete": 0, "pruned": 0, "rejected": 3, "fail": failed}
    last = conclusion(summary(None) | {"trials": counts})[-1]
    assert last.startswith(said)
    assert last.endswith("the report and MLflow say why.")


def test_a_function_of_ones_own_is_named_without_its_module():
    found = summary(Verdict.HOLDS) | {"metric": "my_package.my_module:kappa"}
    assert goal(found) == "kappa 0.9"
    assert headline(found).endswith("kappa 0.9")
    assert "y: kappa target 0.9" in printed(lambda screen: show(found, screen))
    none = found | {"selected": None, "ladder": []}
    assert "search target: kappa target 0.9, search" in printed(lambda screen: show(none, screen))
    title = size_score(found, [0.9])["layer"][-1]["encoding"]["y"]["title"]
    assert title == "validation kappa"


def test_searches_are_compared_in_the_figures_of_their_results():
    found = summary(Verdict.HOLDS) | {"target": 0.90625, "seconds": 1234.567}
    found["selected"]["validation"], found["selected"]["test"]["score"] = 0.95, 0.91
    found["selected"]["test"]["lower_bound"] = 3.4e38
    rows = printed(lambda screen: show_compared([found, found], screen)).splitlines()
    lines = [[cell.strip() for cell in row.split("│")] for row in rows if "│" in row]
    cells = {line[1]: line[2] for line in lines}
    shown = {"target": "0.90625", "validation": "0.9500", "test": "0.9100"}
    assert shown.items() <= cells.items()
    assert (cells["95 % bound"], cells["seconds"]) == ("none", "1,235")


def printed(show_on: Callable[[Screen], None]) -> str:
    screen = Screen(file=io.StringIO(), width=100)
    show_on(screen)
    return screen.file.getvalue()


def test_what_the_test_split_said_of_each_model_opened_is_on_its_rung():
    results = [
        TestResult(
            trial=number, score=0.9, correct=180, rows=200, lower_bound=0.8, opened=n, verdict=each
        )
        for n, (number, each) in enumerate([(3, Verdict.NOT_HELD), (0, Verdict.HOLDS)], start=1)
    ]
    ladder = Ladder(rungs=(TRIALS[3], TRIALS[0]), candidates=(TRIALS[3], TRIALS[0]))
    found = summarise(SETTINGS, TRIALS, ladder, results, {3: "r3", 0: "r0"}, {})
    assert [rung["test"]["verdict"] for rung in found["ladder"]] == ["not held", "holds"]
    assert found["selected"]["trial"] == 0
