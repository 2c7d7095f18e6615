"""The registry takes a model that holds its target and beats the champion, and gives it back."""

from __future__ import annotations

import contextlib
import io
import json
import math
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import keras
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from occam.search.champions import registry
from occam.search.champions.candidate import Candidate, not_better, spare
from occam.search.champions.comparison import mcnemar
from occam.search.champions.history import champions, show
from occam.search.errors import InputError, OccamError, Refused
from occam.search.held_out import FILE, HeldOut
from occam.search.metrics import direction
from occam.search.metrics import metric as measured
from occam.search.promotion import promote, rollback
from occam.search.report import outcome
from occam.search.runs.searches import ACTIVE, now
from occam.search.runs.store import connect, mlflow, quietly
from occam.search.screen import Screen
from occam.search.tracking import Tracker
from occam.search.trials import FinishedTrial, TrialState

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:The ``noload`` loader strategy is deprecated",  # MLflow's use of SQLAlchemy 2.1
        "ignore:__array__ implementation doesn.t accept a copy keyword",  # Keras on TensorFlow
    ),
]

TRIAL = FinishedTrial(
    number=0,
    state=TrialState.COMPLETE,
    hyperparameters={"units": 4},
    parameter_count=784,
    trainable_parameter_count=784,
    seed=0,
    reached=True,
    score=0.97,
)
Search = Callable[..., Tracker]


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store for all tests of this file, each with its own pipeline."""
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy")
    path = tmp_path_factory.mktemp("model") / "any.keras"
    model.save(path)
    return path


@pytest.fixture
def pipeline(request: pytest.FixtureRequest) -> str:
    """A pipeline that no other test has used."""
    return str(request.node.name).replace("/", "-").replace(":", "-")


@pytest.fixture
def search(uri: str, keras_file: Path, pipeline: str, tmp_path: Path) -> Search:
    """Runs through a finished search: trial 0 is selected, trial 1 never saw the test split."""

    folder = tmp_path

    def run(
        count: int = 784,
        score: float = 0.96,
        *,
        target: float = 0.95,
        metric: str = "accuracy",
        verdict: str = "holds",
        selects: bool = True,
        wrong: int | None = None,
        test_rows: str = "",
    ) -> Tracker:
        tracker = Tracker(uri, pipeline=pipeline, search="any", study=uuid.uuid4().hex)
        known = {"metric": metric, "target": target, "test_rows": test_rows}
        tracker.start(known, data=None)
        trial = replace(TRIAL, parameter_count=count, model_path=str(keras_file))
        for each in (trial, replace(trial, number=1)):
            tracker.log(each)
        if wrong is not None:  # of 100 test rows, the first
            answers = np.where(np.arange(100) < wrong, 1, 0)
            kept = HeldOut.of("rows", np.zeros(100), answers, measured("accuracy"))
            kept.save(folder / FILE)
            tracker.log_file(tracker.run_ids()[0], folder / FILE)
        packed = {"transform": None, "raw": np.zeros((2, 2)), "classes": (), "loss": None}
        tracker.log_model(trial, **packed, classifier=direction(metric).needs_classes)
        test = {"score": score, "correct": 96, "rows": 100, "lower_bound": score - 0.01}
        model = {
            "trial": 0,
            "parameter_count": count,
            "validation": 0.97,
            "run_id": tracker.run_ids().get(0),
            "test": {**test, "opened": 1, "verdict": verdict},
        }
        tracker.finish(
            {
                "pipeline": pipeline,
                "metric": metric,
                "target": target,
                "search_target": target,
                "rows": {"validation": 100},
                "seconds": 1.0,
                "epochs_trained": 1,
                "trials": {"complete": 2, "pruned": 0, "rejected": 0, "fail": 0},
                "selected": model if selects else None,
                "ladder": [],
                "incumbents": [],
                "mlflow": {"experiment_id": tracker.experiment_id, "run_id": tracker.run_id},
            }
        )
        return tracker

    return run


def aliases(uri: str, pipeline: str) -> dict[str, str]:
    found = connect(uri).get_registered_model(pipeline).aliases
    return {alias: str(version) for alias, version in found.items()}


def version(uri: str, pipeline: str, number: str = "1") -> Any:
    return connect(uri).get_model_version(pipeline, number)


def test_a_model_that_holds_becomes_the_champion(uri, pipeline, search):
    tracker = search(verdict="certified")
    promotion = promote(uri, pipeline)
    assert promotion.version == "1"
    assert promotion.text == (
        f"{pipeline} version 1 is the champion: trial 0, 784 parameters, "
        "test accuracy 0.9600, certified 0.95."
    )
    assert aliases(uri, pipeline) == {"champion": "1"}
    assert version(uri, pipeline).tags == {
        "target": "0.95",
        "metric": "accuracy",
        "parameter_count": "784",
        "test_score": "0.96",
        "lower_bound": "0.95",
        "verdict": "certified",
        "search": tracker.run_id,
        "trial": "0",
    }
    with quietly():
        champion = mlflow.pyfunc.load_model(f"models:/{pipeline}@champion")
    assert len(champion.predict(np.zeros((3, 2)))) == 3


def test_without_a_pipeline_the_last_search_of_all_counts(uri, pipeline, search):
    search()
    assert promote(uri, None).text.startswith(pipeline)


def test_promoting_the_champion_again_changes_nothing(uri, pipeline, search):
    search()
    promote(uri, pipeline)
    again = promote(uri, pipeline)
    assert again.text == f"{pipeline} version 1 is the champion already: no new version."
    assert len(connect(uri).search_model_versions(f"name = '{pipeline}'")) == 1


def test_a_model_that_does_not_hold_is_refused(uri, pipeline, search):
    search(score=0.94, verdict="not held")
    with pytest.raises(Refused, match=r"trial 0 has 0.9400 on test data, not accuracy 0.95. --for"):
        promote(uri, pipeline)
    with pytest.raises(mlflow.exceptions.MlflowException, match="not found"):
        version(uri, pipeline)


def test_a_verdict_that_was_deleted_or_edited_makes_no_champion(uri, pipeline, search):
    run_id = search(score=0.94, verdict="not held").run_ids()[0]
    client = connect(uri)
    client.delete_tag(run_id, "verdict")
    with pytest.raises(Refused, match="0.9400 on test data, not accuracy 0.95"):
        promote(uri, pipeline)
    client.set_tag(run_id, "verdict", "certified")
    with pytest.raises(Refused, match="0.9400 on test data, not accuracy 0.95"):
        promote(uri, pipeline)


def test_an_experiment_may_be_given_another_name(uri, pipeline, search):
    tracker = search()
    client = connect(uri)
    client.log_param(tracker.run_id, "pipeline", pipeline)
    client.rename_experiment(tracker.experiment_id, f"{pipeline}/old")
    assert promote(uri, pipeline).text.startswith(f"{pipeline} version 1 is the champion")
    assert promote(uri, f"{pipeline}/old").text.startswith(f"{pipeline} version 1 is the champion")


def test_a_run_that_was_deleted_is_refused(uri, pipeline, search):
    run_id = search().run_ids()[0]
    connect(uri).delete_run(run_id)
    with pytest.raises(InputError, match="was deleted: restore it in MLflow"):
        promote(uri, pipeline)


@pytest.mark.parametrize("made", ["none", '{"version": "1"}'])
def test_what_somebody_has_made_of_the_registrys_tags_stops_nothing(
    made, uri, pipeline, search, capsys
):
    search()
    promote(uri, pipeline)
    client = connect(uri)
    client.set_model_version_tag(pipeline, "1", "parameter_count", "1,000")
    for tag in (registry.HISTORY, registry.STACK):
        client.set_registered_model_tag(pipeline, tag, made)
    show(champions(uri, pipeline), Screen(width=200))
    assert "0.9600" in capsys.readouterr().out
    assert registry.champion(client, pipeline)["parameter_count"] is None
    search(count=500)
    with pytest.raises(Refused, match="the present version has no parameter_count to be compared"):
        promote(uri, pipeline)
    promote(uri, pipeline, force=True)
    assert rollback(uri, pipeline).version == "1"


def test_a_favourite_that_somebody_has_marked_does_not_stop_a_search(uri, pipeline, search):
    tracker = search()
    client = connect(uri)
    favourite = tracker.run_ids()[1]
    client.set_tag(favourite, "selected", "true")
    client.set_tag(tracker.run_id, ACTIVE, "yesterday")
    assert float(now(client)) > 0
    outcome._unmark(client, tracker.experiment_id, tracker.run_id)
    assert "selected" not in client.get_run(favourite).data.tags


def test_a_trial_that_never_saw_the_test_split_is_refused(uri, pipeline, search):
    run_id = search().run_ids().get(1)
    with pytest.raises(Refused, match="trial 1 never saw the test split"):
        promote(uri, pipeline, run_id=run_id)


def test_force_promotes_and_records_who_overrode_what(uri, pipeline, search, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    search(score=0.94, verdict="not held")
    promote(uri, pipeline, force=True)
    tags = version(uri, pipeline).tags
    assert (tags["forced"], tags["forced_by"]) == ("true", "ada")
    assert "0.9400 on test data" in tags["forced_reason"]
    assert aliases(uri, pipeline) == {"champion": "1"}


def test_force_that_overrides_nothing_is_not_recorded(uri, pipeline, search):
    search()
    promote(uri, pipeline, force=True)
    assert "forced" not in version(uri, pipeline).tags


def test_a_search_that_selected_nothing_has_nothing_to_promote(uri, pipeline, search):
    search(selects=False)
    with pytest.raises(Refused, match="selected no model"):
        promote(uri, pipeline, force=True)


CHAMPION = Candidate(
    pipeline="digits",
    run_id="a",
    search="b",
    trial="0",
    metric="accuracy",
    target=0.95,
    parameter_count=784,
    test_score=0.96,
    lower_bound=0.95,
    verdict="holds",
    model_uri="models:/m",
)
MAE = {"metric": "mae", "target": 5.0, "test_score": 4.0}
BETTER = {
    "smaller and as accurate": {"parameter_count": 700},
    "smaller and less accurate": {"parameter_count": 700, "test_score": 0.951},
    "as small and more accurate": {"test_score": 0.97},
    "larger, for a target that the champion misses": {
        "parameter_count": 2000,
        "test_score": 0.985,
        "target": 0.98,
    },
}
WORSE = {
    "as small and as accurate": ({}, "holds this target too with 784 parameters"),
    "larger and more accurate": (
        {"parameter_count": 785, "test_score": 0.99},
        "test accuracy 0.9600; this model has 785 and 0.9900",
    ),
    "smaller, for a lower target": (
        {"parameter_count": 50, "test_score": 0.91, "target": 0.9},
        "test accuracy 0.9100 does not reach the champion's 0.95",
    ),
    "by another metric": ({"metric": "auc"}, "was measured by accuracy, not auc"),
}


@pytest.mark.parametrize("challenger", BETTER.values(), ids=BETTER)
def test_a_better_model_may_replace_the_champion(challenger):
    assert not_better(replace(CHAMPION, **challenger), CHAMPION.tags()) == ""


@pytest.mark.parametrize(("challenger", "objection"), WORSE.values(), ids=WORSE)
def test_a_model_that_is_not_better_may_not(challenger, objection):
    assert objection in not_better(replace(CHAMPION, **challenger), CHAMPION.tags())


def test_what_never_saw_the_test_split_is_said_and_registered_without_a_score():
    unseen = replace(CHAMPION, test_score=math.nan, lower_bound=math.nan, verdict="not opened")
    assert unseen.describe() == "trial 0, 784 parameters, no test score"
    assert not {"test_score", "lower_bound"} & unseen.tags().keys()
    assert "has no test_score to be compared with" in not_better(CHAMPION, unseen.tags())


def test_errors_are_compared_in_their_own_direction():
    champion = replace(CHAMPION, **MAE)
    assert not_better(replace(champion, test_score=3.9), champion.tags()) == ""
    assert not_better(replace(champion, test_score=4.1), champion.tags())
    smaller = replace(champion, parameter_count=5, test_score=5.1, target=6.0)
    assert "5.1000 does not reach the champion's 5" in not_better(smaller, champion.tags())


def right(rows: int) -> np.ndarray:
    """Whether each of 1,000 rows is right: of two models the same ones, as far as both are."""
    return np.arange(1000) < rows


def test_a_smaller_model_may_be_worse_by_what_the_champion_has_to_spare():
    smaller = replace(CHAMPION, parameter_count=700, test_score=0.97)
    champion, worse = replace(CHAMPION, test_score=0.99), mcnemar(right(990), right(970))
    assert worse.is_worse()
    assert spare(smaller, champion.tags()) == pytest.approx(0.04)
    assert not_better(smaller, champion.tags(), worse) == ""
    smaller, champion = (
        replace(each, test_score=each.test_score - 0.01) for each in (smaller, champion)
    )
    objection = not_better(smaller, champion.tags(), mcnemar(right(980), right(960)))
    assert objection.startswith("it is smaller and shown to be worse: on the same 1,000 test rows")
    assert objection.endswith(
        "loses at most 0.0307 with 95 % confidence, where the champion has 0.0300 to spare."
    )
    assert spare(replace(CHAMPION, **MAE), replace(CHAMPION, **MAE).tags()) == 1.0


def test_a_model_of_the_same_size_that_is_shown_to_be_better_may_replace_the_champion():
    better = mcnemar(right(960), right(980))
    assert not_better(replace(CHAMPION, test_score=0.98), CHAMPION.tags(), better) == ""


def test_the_champion_stays_where_the_new_model_is_not_better(uri, pipeline, search):
    search(700)
    promote(uri, pipeline)
    search(784)
    with pytest.raises(Refused, match="holds this target too with 700 parameters"):
        promote(uri, pipeline)
    assert aliases(uri, pipeline) == {"champion": "1"}


def test_a_champion_from_elsewhere_is_not_replaced_unasked(uri, pipeline, search):
    tracker = search()
    client = connect(uri)
    client.create_registered_model(pipeline)
    client.create_model_version(pipeline, client.get_run(tracker.run_id).info.artifact_uri)
    client.set_registered_model_alias(pipeline, "champion", "1")
    with pytest.raises(Refused, match="has no metric, target, test_score, parameter_count to be"):
        promote(uri, pipeline)
    promote(uri, pipeline, force=True)
    assert aliases(uri, pipeline) == {"champion": "2", "previous": "1"}


def test_rollback_goes_back_one_champion_at_a_time(uri, pipeline, search):
    for count in (900, 800, 700):
        search(count)
        promote(uri, pipeline)
    assert aliases(uri, pipeline) == {"champion": "3", "previous": "2"}
    assert "version 2 is the champion again; version 3 stays" in rollback(uri, pipeline).text
    assert aliases(uri, pipeline) == {"champion": "2", "previous": "1"}
    rollback(uri, pipeline)
    assert aliases(uri, pipeline) == {"champion": "1"}
    with pytest.raises(InputError, match="nothing to go back to: version 1 is its first champion"):
        rollback(uri, pipeline)
    said = promote(uri, pipeline, dry_run=True).text
    assert f"version 3 of {pipeline!r} is used again" in said
    promotion = promote(uri, pipeline)
    assert promotion.version == "3", "a version that is registered already is used again"
    assert aliases(uri, pipeline) == {"champion": "3", "previous": "1"}


def test_a_former_challenger_is_no_champion_to_go_back_to(uri, pipeline, search):
    search(900)
    promote(uri, pipeline)
    for count in (800, 700):
        search(count)
        promote(uri, pipeline, alias="challenger")
    assert aliases(uri, pipeline) == {"champion": "1", "challenger": "3"}
    assert "is version 1: **900" in connect(uri).get_registered_model(pipeline).description
    with pytest.raises(InputError, match="version 1 is its first champion"):
        rollback(uri, pipeline)


def test_rollback_goes_back_to_a_champion_that_was_one_twice(uri, pipeline, search):
    first = search(900).run_id
    promote(uri, pipeline)
    search(800)
    promote(uri, pipeline)
    promote(uri, pipeline, run_id=first, force=True)
    assert aliases(uri, pipeline) == {"champion": "1", "previous": "2"}
    assert rollback(uri, pipeline).version == "2"
    assert aliases(uri, pipeline) == {"champion": "2", "previous": "1"}
    assert rollback(uri, pipeline).version == "1"
    with pytest.raises(InputError, match="version 1 is its first champion"):
        rollback(uri, pipeline)


def test_rollback_never_goes_from_a_champion_to_itself(uri, pipeline, search):
    first = search(900).run_id
    promote(uri, pipeline)
    search(800)
    promote(uri, pipeline)
    promote(uri, pipeline, run_id=first, force=True)
    connect(uri).delete_model_version(pipeline, "2")
    with pytest.raises(InputError, match="version 1 is its first champion"):
        rollback(uri, pipeline)
    search(700)
    promote(uri, pipeline)
    assert rollback(uri, pipeline).version == "1"
    assert aliases(uri, pipeline) == {"champion": "1"}


def test_rollback_passes_over_versions_that_were_deleted(uri, pipeline, search):
    for count in (900, 800, 700):
        search(count)
        promote(uri, pipeline)
    connect(uri).delete_model_version(pipeline, "2")
    assert rollback(uri, pipeline).version == "1"


@pytest.mark.parametrize("deleted", [False, True])
def test_rollback_goes_back_to_what_was_replaced_by_hand(uri, pipeline, search, deleted):
    for count in (900, 800):
        search(count)
        promote(uri, pipeline)
    search(700)
    promote(uri, pipeline, alias="challenger")
    client = connect(uri)
    if deleted:
        client.delete_registered_model_alias(pipeline, "champion")
    else:
        client.set_registered_model_alias(pipeline, "champion", "3")
    assert rollback(uri, pipeline).version == "2"
    assert rollback(uri, pipeline).version == "1"
    with pytest.raises(InputError, match="nothing to go back to: version 1 is its first champion"):
        rollback(uri, pipeline)


def test_rollback_goes_back_where_the_champion_was_deleted(uri, pipeline, search):
    for count in (900, 800):
        search(count)
        promote(uri, pipeline)
    connect(uri).delete_model_version(pipeline, "2")
    assert rollback(uri, pipeline).text.endswith("version 1 is the champion again.")
    assert aliases(uri, pipeline)["champion"] == "1"


def test_a_server_that_denies_the_alias_of_what_is_not_registered_takes_it(
    uri, pipeline, search, monkeypatch
):
    """As MLflow's own server with users does."""
    search(900)
    ask = MlflowClient.get_model_version_by_alias

    def denied(client: MlflowClient, name: str, alias: str) -> Any:
        try:
            return ask(client, name, alias)
        except MlflowException as error:
            raise MlflowException("Permission denied", error_code=PERMISSION_DENIED) from error

    monkeypatch.setattr(MlflowClient, "get_model_version_by_alias", denied)
    assert registry.version_at(connect(uri), pipeline, "champion") is None
    connect(uri).create_registered_model(pipeline)
    with pytest.raises(MlflowException, match="Permission denied"):
        registry.version_at(connect(uri), pipeline, "champion")


def test_rollback_without_a_champion_says_what_to_do(uri):
    connect(uri, create=True)
    with pytest.raises(InputError, match="'nothing' has no champion: run `occam promote nothing`"):
        rollback(uri, "nothing")


def test_an_alias_that_is_not_there_is_said_with_those_that_are(uri, pipeline, search, tmp_path):
    search()
    promote(uri, pipeline, alias="challenger")
    with pytest.raises(InputError, match=r"has no champion, only challenger: run `occam promote"):
        rollback(uri, pipeline)
    promote(uri, pipeline)
    with quietly():
        from occam.search.export.champion import export
    ask = partial(export, uri, formats=(), folder=tmp_path / "out")
    with pytest.raises(InputError, match=r"has no alias 'nosuch', only champion: give one of"):
        ask(pipeline, alias="nosuch")
    with pytest.raises(InputError, match="'nothing' has no champion: run `occam search nothing`"):
        ask("nothing")


def test_another_alias_leaves_the_champion_alone(uri, pipeline, search):
    search(900)
    promote(uri, pipeline)
    search(800)
    promote(uri, pipeline, alias="candidate")
    assert aliases(uri, pipeline) == {"champion": "1", "candidate": "2"}


@pytest.mark.parametrize("alias", ["latest", "v3", "two words", ""])
def test_an_alias_that_mlflow_refuses_is_said_before_anything_is_registered(uri, alias):
    with pytest.raises(InputError, match="cannot be used: give letters, digits"):
        promote(uri, None, alias=alias)


def test_a_run_stands_for_the_model_it_selected(uri, pipeline, search):
    first = search(900)
    search(800)
    assert "900 parameters" in promote(uri, None, run_id=first.run_id).text


def test_runs_that_cannot_be_promoted_are_said_in_one_line(uri, pipeline, search):
    tracker = search()
    with pytest.raises(InputError, match="There is no run 'missing' .* results --format csv"):
        promote(uri, None, run_id="missing")
    with pytest.raises(InputError, match="belongs to .*, not to 'other'"):
        promote(uri, "other", run_id=tracker.run_id)
    foreign = connect(uri).create_run(tracker.experiment_id).info.run_id
    with pytest.raises(InputError, match="neither a search nor a trial"):
        promote(uri, None, run_id=foreign)
    unfinished = Tracker(uri, pipeline=pipeline, search="unfinished", study="unfinished").run_id
    with pytest.raises(InputError, match=r"has no search.json: its search has not finished"):
        promote(uri, None, run_id=unfinished)
    with pytest.raises(InputError, match="Trial 1 has no logged model: only trials on the ladder"):
        promote(uri, None, run_id=tracker.run_ids().get(1), force=True)


def test_a_dry_run_says_what_would_change_and_changes_nothing(uri, pipeline, search):
    search(900, wrong=3)
    first = promote(uri, pipeline, dry_run=True).text
    assert "alias champion: nothing -> this version" in first
    assert "previous" not in first
    promote(uri, pipeline)
    search(800, wrong=4)
    promotion = promote(uri, pipeline, dry_run=True)
    assert promotion.version == ""
    assert "alias champion: version 1 -> this version" in promotion.text
    assert "alias previous: -> version 1" in promotion.text
    assert "11 % smaller than the champion, version 1 (900)." in promotion.text
    assert "On the same 100 test rows the champion alone has 1 right" in promotion.text
    assert aliases(uri, pipeline) == {"champion": "1"}
    assert len(connect(uri).search_model_versions(f"name = '{pipeline}'")) == 1
    search(901)
    with pytest.raises(Refused, match="holds this target too with 900 parameters"):
        promote(uri, pipeline, dry_run=True)


def test_a_smaller_model_that_is_shown_to_be_worse_is_refused(uri, pipeline, search):
    search(900, 0.99, wrong=1)
    promote(uri, pipeline)
    search(800, 0.95, wrong=9)
    with pytest.raises(Refused, match=r"shown to be worse: on the same 100 test rows .* has 8 rig"):
        promote(uri, pipeline)
    promote(uri, pipeline, force=True)
    description = version(uri, pipeline, "2").description
    assert "Promoted by force, though it is smaller and shown to be worse" in description
    assert "McNemar exact" in description


def test_a_model_of_the_same_size_has_to_be_shown_to_be_better(uri, pipeline, search):
    search(900, 0.96, wrong=4)
    promote(uri, pipeline)
    search(900, 0.97, wrong=3)
    with pytest.raises(Refused, match="as small and not shown to be better: on the same 100"):
        promote(uri, pipeline)


def test_the_registry_says_what_each_model_is(uri, pipeline, search):
    search(900)
    promote(uri, pipeline)
    search(800)
    promote(uri, pipeline)
    client = connect(uri)
    model = client.get_registered_model(pipeline)
    assert "is version 2: **800 parameters**, test 0.9600, holds." in model.description
    assert model.tags["parameter_count"] == "800"
    assert version(uri, pipeline, "2").description.startswith("Trial 0, 800 parameters, test")
    rollback(uri, pipeline)
    model = client.get_registered_model(pipeline)
    assert "is version 1: **900 parameters**" in model.description


def test_the_history_stays_within_what_mlflows_databases_take(uri, pipeline, search):
    search()
    promote(uri, pipeline)
    for number in range(40):
        event = {"alias": "champion", "version": str(number), "why": "because of this " * 20}
        registry.note(connect(uri), pipeline, event)
    assert len(connect(uri).get_registered_model(pipeline).tags[registry.HISTORY]) <= 5000
    assert registry.history(connect(uri), pipeline)[-1]["version"] == "39"


def test_the_history_of_champions_is_kept_and_shown(uri, pipeline, search, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    search(900)
    promote(uri, pipeline)
    search(800)
    promote(uri, pipeline, alias="challenger")
    assert aliases(uri, pipeline) == {"champion": "1", "challenger": "2"}
    promote(uri, pipeline)
    assert aliases(uri, pipeline) == {"champion": "2", "previous": "1"}
    rollback(uri, pipeline)
    found = champions(uri, pipeline)[0]
    moves = [(each["alias"], each["version"], each["by"]) for each in found.history]
    assert moves == [
        ("champion", "1", "ada"),
        ("challenger", "2", "ada"),
        ("champion", "2", "ada"),
        ("champion", "1", "ada"),
    ]
    screen = Screen(width=200, file=io.StringIO())
    show(champions(uri, pipeline), screen)
    said = screen.file.getvalue()
    assert "rolled back from version 2" in said
    assert "11 % smaller than the champion, version 1 (900)." in said
    assert "Made champion by ada on 20" in version(uri, pipeline, "2").description
    with pytest.raises(InputError, match="'nothing' has no champion"):
        champions(uri, "nothing")


def test_a_challenger_need_not_be_better(uri, pipeline, search):
    search(700)
    promote(uri, pipeline)
    search(800)
    promote(uri, pipeline, alias="challenger")
    assert aliases(uri, pipeline) == {"champion": "1", "challenger": "2"}


def test_a_refusal_is_no_input_error():
    assert issubclass(Refused, OccamError)
    assert not issubclass(Refused, InputError)


def test_two_that_promote_at_once_leave_one_consistent_champion(search, uri, pipeline):
    runs = [search(count=count).run_id for count in (900, 800, 700, 600)]
    start = threading.Barrier(len(runs))

    def promote_one(run_id: str) -> None:
        start.wait()
        with contextlib.suppress(Refused):
            promote(uri, pipeline, run_id=run_id)

    threads = [threading.Thread(target=promote_one, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client = connect(uri)
    champion = client.get_model_version_by_alias(pipeline, "champion")
    assert champion.tags["parameter_count"] == "600"
    versions = client.search_model_versions(f"name = '{pipeline}'")
    assert len({version.run_id for version in versions}) == len(versions)
    history = json.loads(client.get_registered_model(pipeline).tags.get("occam.champions", "[]"))
    sizes = [
        int(client.get_model_version(pipeline, each).tags["parameter_count"]) for each in history
    ]
    assert sizes == sorted(sizes, reverse=True)
    if history:
        previous = client.get_model_version_by_alias(pipeline, "previous")
        assert str(previous.version) == history[-1]


def test_a_metric_of_ones_own_need_not_be_there_to_promote_again(uri, pipeline, search):
    first = search(784, 0.96, metric="not_here:score")
    promote(uri, pipeline)
    second = search(300, 0.96, metric="not_here:score")
    assert promote(uri, pipeline).version == "2"
    assert first.run_id != second.run_id


def test_a_model_whose_files_are_gone_is_not_promoted(uri, pipeline, search):
    search(784, 0.96)
    promote(uri, pipeline)
    tracker = search(300, 0.97)
    run = connect(uri).get_run(tracker.run_ids()[0])
    logged = connect(uri).get_logged_model(run.data.tags["occam.model_uri"].rpartition("/")[2])
    place = Path(url2pathname(urlparse(logged.artifact_location).path))
    place.rename(place.with_name("elsewhere"))
    with pytest.raises(InputError, match="The files of the model of trial 0 are gone"):
        promote(uri, pipeline)
    assert aliases(uri, pipeline)["champion"] == "1"
    place.with_name("elsewhere").rename(place)
    assert promote(uri, pipeline).version == "2"


def test_a_search_is_named_to_promote_as_it_is_to_show(uri, pipeline, search):
    tracker = search(784)
    search(300)
    assert promote(uri, tracker.run_id).version == "1"
    assert version(uri, pipeline).tags["parameter_count"] == "784"


def test_the_test_rows_that_other_searches_have_used_are_counted(uri, pipeline, search):
    search(test_rows="these")
    search(test_rows="others")
    tracker = search(test_rows="these")
    assert tracker.opened_elsewhere("these") == 1
    assert tracker.opened_elsewhere("rows of another kind") == 0
    another = Tracker(uri, pipeline=f"{pipeline} anew", search="any", study=uuid.uuid4().hex)
    assert another.opened_elsewhere("these") == 2


def test_what_stands_in_the_registry_is_what_is_true_of_the_champion(uri, pipeline, search):
    search(verdict="certified")
    promote(uri, pipeline)
    assert "The smallest model known to hold" in described(uri, pipeline)
    search(300, 0.9, verdict="not held")
    promote(uri, pipeline, force=True)
    assert described(uri, pipeline).startswith("What was made champion for **accuracy 0.95**")


def described(uri: str, pipeline: str) -> str:
    return str(connect(uri).get_registered_model(pipeline).description)


def test_the_way_back_is_no_alias_to_promote_to(uri, pipeline, search):
    search()
    with pytest.raises(InputError, match="`occam rollback` goes it"):
        promote(uri, pipeline, alias="previous")


def test_why_the_champion_would_be_the_challenger_too_is_said(uri, pipeline, search):
    search()
    promote(uri, pipeline)
    said = promote(uri, pipeline, alias="challenger", dry_run=True).text
    assert "It is the champion." in said
