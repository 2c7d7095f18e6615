"""Batches of trials through a population: the same records as by `fit`, and models that hold."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from occam.search.data.preparation import prepare, without_test
from occam.search.executors.in_process import ended as all_ended
from occam.search.loading import load
from occam.search.metrics import metric
from occam.search.models.building import restore
from occam.search.models.evaluation import score
from occam.search.pipeline import Pipeline, split
from occam.search.training.population import executor, programs
from occam.search.training.population.errors import Unsupported
from occam.search.training.population.executor import Population
from occam.search.training.population.templates import member_of
from occam.search.training.trial import Task
from occam.search.trials import Trial, TrialState
from tasks import blobs

LAMBDA = (
    "    model.add(keras.layers.Dense(2",
    "    model.add(keras.layers.Lambda(lambda x: x))\n    model.add(keras.layers.Dense(2",
)


def population(tmp_path, *changes, target=0.9, **options):
    pipeline = load(blobs(tmp_path, *changes))
    data = without_test(prepare(pipeline).data)
    task = Task(pipeline=pipeline, search_target=target, models=tmp_path / "models")
    return Population(task, data, **options), pipeline, data


def trial(number: int, units: int, *, epochs: int = 12, rate: float = 0.03) -> Trial:
    return Trial(
        number=number,
        hyperparameters={"layers": 1, "units_0": units, "learning_rate": rate},
        parameter_count=5 * units + 2 * (units + 1),
        trainable_parameter_count=5 * units + 2 * (units + 1),
        epochs=epochs,
        seed=number,
    )


def train(searching: Population, *trials: Trial):
    return {each.number: each for each in all_ended(searching, trials)}


@pytest.mark.slow
def test_what_reached_is_an_ordinary_model_with_the_score_it_was_given(tmp_path):
    searching, pipeline, data = population(tmp_path)
    ended = train(searching, *(trial(n, units) for n, units in enumerate((3, 5, 9, 17))))
    winner = next(each for each in ended.values() if each.reached)
    assert winner.state is TrialState.COMPLETE
    assert winner.epochs == len(winner.history["score"])
    model = restore(pipeline, winner, data.validation[0])
    assert model.count_params() == winner.parameter_count
    measured = score(model, data.validation, metric("accuracy"))
    assert measured == pytest.approx(winner.history["score"][-1])
    assert isinstance(keras.saving.load_model(winner.model_path), keras.Sequential)
    assert all(each.seconds > 0 for each in ended.values() if each.epochs)


@pytest.mark.slow
def test_what_is_not_smaller_than_one_that_reached_is_not_trained_on(tmp_path):
    searching, _, _ = population(tmp_path)
    ended = train(searching, *(trial(n, units) for n, units in enumerate((4, 5, 6, 7))))
    smallest = min(each.parameter_count for each in ended.values() if each.reached)
    later = train(searching, *(trial(n, units) for n, units in enumerate((2, 30, 31, 32))))
    for each in later.values():
        if each.parameter_count >= smallest:
            assert each.state is TrialState.PRUNED
            assert each.epochs == 0
            assert "not smaller" in each.reason
    assert later[0].epochs > 0


@pytest.mark.slow
def test_the_same_batch_gives_the_same_records(tmp_path):
    def records(folder):
        folder.mkdir()
        searching, _, _ = population(folder, target=0.999)
        ended = train(searching, *(trial(n, 3 + n) for n in range(4)))
        return {n: (each.state, each.score, each.epochs) for n, each in ended.items()}

    assert records(tmp_path / "a") == records(tmp_path / "b")


@pytest.mark.slow
def test_one_that_diverges_fails_and_the_others_go_on(tmp_path):
    searching, _, _ = population(tmp_path, ("1e-1, sampling", "1e38, sampling"), target=0.999)
    wild = trial(1, 4, rate=1e38)
    ended = train(searching, trial(0, 4), wild, trial(2, 5), trial(3, 6))
    assert ended[1].state is TrialState.FAIL
    assert "finite" in (ended[1].error or "")
    assert all(ended[n].epochs > 1 for n in (0, 2, 3))


@pytest.mark.slow
def test_models_without_a_counterpart_are_trained_by_fit_which_is_said_once(tmp_path):
    said = []
    searching, _, _ = population(tmp_path, LAMBDA, notice=said.append)
    ended = train(searching, trial(0, 4), trial(1, 6), trial(2, 8))
    assert all(each.score is not None for each in ended.values() if each.epochs)
    assert len(said) == 1
    assert "Lambda" in said[0]


@pytest.mark.slow
def test_a_single_trial_of_its_template_has_a_program_too(tmp_path):
    searching, _, _ = population(tmp_path)
    ended = train(searching, trial(0, 4))
    assert ended[0].score is not None
    assert len(searching._programs) == 1


@pytest.mark.slow
def test_time_that_is_up_ends_all_that_is_under_way(tmp_path):
    searching, _, _ = population(tmp_path, target=0.9999, on_epoch=lambda epochs, score: True)
    ended = train(searching, *(trial(n, 4 + n) for n in range(4)))
    assert len(ended) == 4
    assert all(each.epochs <= 1 and not each.reached for each in ended.values())
    assert any("time" in each.reason for each in ended.values())


@pytest.mark.slow
def test_a_program_is_compiled_once_for_a_template(tmp_path):
    searching, _, _ = population(tmp_path, target=0.9999)
    train(searching, *(trial(n, 5 + n) for n in range(4)))
    train(searching, *(trial(n, 8 - n) for n in range(4)))
    assert len(searching._programs) == 1


@pytest.mark.slow
def test_a_population_that_failed_is_said_once_and_not_tried_again(tmp_path, monkeypatch):
    tried, counts, said = [], [], []
    monkeypatch.setattr(programs, "Program", lambda *given: tried.append(given) or 1 / 0)
    searching, _, _ = population(tmp_path, target=0.9999, notice=said.append)
    for batch in range(2):
        ended = train(searching, *(trial(2 * batch + n, 5 + n) for n in range(2)))
        assert all(each.score is not None for each in ended.values())
        counts.append(len(tried))
    assert counts[0] == counts[1]
    assert said == ["A population failed, fit takes over: ZeroDivisionError: division by zero."]


@pytest.mark.slow
def test_models_that_are_not_what_was_trained_are_trained_by_fit(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(executor, "TOLERANCE", -1.0)
    monkeypatch.setattr(executor, "ROUNDING", -1.0)
    searching, _, _ = population(tmp_path, notice=said.append)
    ended = train(searching, *(trial(n, units) for n, units in enumerate((3, 5, 9, 17))))
    reached = [each for each in ended.values() if each.reached]
    assert reached
    assert not any(each.error for each in ended.values())
    assert all(each.lost_epochs for each in reached)
    assert len(said) == 1
    assert said[0].startswith("A population failed, fit takes over: Different: a model differs by")


@pytest.mark.slow
def test_a_template_of_which_nothing_is_needed_ends_too(tmp_path):
    """The one before it reaches, with a smaller model."""
    searching, _, _ = population(tmp_path, target=0.5)
    deeper = {"layers": 2, "units_0": 9, "units_1": 9, "learning_rate": 0.03}
    large = replace(trial(1, 9), hyperparameters=deeper, parameter_count=200)
    ended = train(searching, trial(0, 4), large)
    assert ended[0].reached
    assert "not smaller" in ended[1].reason


def test_data_that_a_model_would_not_read_alike_is_left_to_fit(tmp_path):
    said = []
    searching, _, data = population(tmp_path, notice=said.append)
    labels = np.eye(2)[data.train[1]]
    searching._data = type(data)((data.train[0], labels), data.validation, data.test)
    assert searching._member(trial(0, 4)) is None
    assert len(said) == 1
    assert said[0].endswith("models with labels of shape (2,), for outputs of shape (2,).")


def with_given_weights(hp):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
    model.compile(loss="sparse_categorical_crossentropy")
    model.set_weights([np.ones((4, 2)), np.zeros(2)])
    return model


def with_an_embedding_matrix(hp):
    words = keras.layers.Embedding(9, 3, weights=[np.ones((9, 3))])
    model = keras.Sequential([keras.Input((4,)), words, keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, "softmax"))
    model.compile(loss="sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("space", [with_given_weights, with_an_embedding_matrix])
def test_weights_that_a_build_has_set_are_not_drawn_anew(space):
    pipeline = Pipeline(data=lambda: None, space=space, target=0.9)
    with pytest.raises(Unsupported, match="weights"):
        member_of(pipeline, {}, 40)


def test_inputs_that_are_no_numbers_are_left_to_fit(tmp_path):
    searching, _, data = population(tmp_path)
    words = np.array([["a"]] * len(data.train[1]))
    searching._data = type(data)((words, data.train[1]), (words, data.validation[1]), data.test)
    assert searching._member(trial(0, 4)) is None


@pytest.mark.slow
def test_a_second_try_loses_nothing_of_its_batch(tmp_path):
    """The loop submits it while the others of its batch are still under way."""
    searching, _, _ = population(tmp_path, target=0.999)
    waiting = [searching.submit(trial(n, 3 + n)) for n in range(4)]
    numbers = {id(future): n for n, future in enumerate(waiting)}
    ended: list[int] = []
    while waiting:
        for future in searching.wait(waiting):
            waiting.remove(future)
            ended.append(numbers[id(future)])
            if len(ended) == 1:
                again = searching.submit(trial(9, 3))
                numbers[id(again)] = 9
                waiting.append(again)
    assert sorted(ended) == [0, 1, 2, 3, 9]


@pytest.mark.slow
def test_rounding_of_large_inputs_is_no_failure(tmp_path):
    rng = np.random.default_rng(0)
    x = (rng.random((1500, 784)) * 255).astype("float32")
    y = ((x - 127.5) @ (rng.normal(size=784) * (np.arange(784) < 60)) > 0).astype(int)

    def space(hp):
        model = keras.Sequential([keras.Input((784,))])
        model.add(keras.layers.Dense(hp.Int("units", 1, 256), "relu"))
        model.add(keras.layers.Dense(2, "softmax"))
        model.compile(keras.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
        return model

    pipeline = Pipeline(data=lambda: split(x, y), space=space, target=0.55, epochs=20)
    data = without_test(prepare(pipeline).data)
    task = Task(pipeline=pipeline, search_target=0.55, models=tmp_path)
    trials = [
        replace(
            trial(n, units, epochs=20),
            hyperparameters={"units": units},
            parameter_count=787 * units + 2,
        )
        for n, units in enumerate((160, 128, 96, 64))
    ]
    ended = train(Population(task, data), *trials)
    assert {each.error for each in ended.values()} == {None}
    for each in ended.values():
        if each.reached:
            model = restore(pipeline, each, data.validation[0])
            assert score(model, data.validation, metric("accuracy")) >= 0.55
