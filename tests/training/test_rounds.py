"""A trial that goes on from the weights of an earlier one, as Hyperband asks for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from keras import layers
from occam.search.metrics import metric
from occam.search.pipeline import Data, Pipeline
from occam.search.stopping import Stops
from occam.search.training.fit import _begin_with, fit
from occam.search.training.trial import Task, run_trial
from occam.search.trials import Trial, TrialState

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, 128)
X = RNG.normal(size=(128, 4)).astype("float32") + 1.5 * Y[:, None]
DATA = Data((X, Y), (X, Y), (None, None))


def build(hp) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.003), loss="sparse_categorical_crossentropy")
    return model


class Loop(keras_tuner.HyperModel):
    """Trains itself, and notes with which arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[dict] = []

    def build(self, hp) -> keras.Model:
        return build(hp)

    def fit(self, hp, model, x, y, **kwargs):
        self.given.append({name: kwargs.get(name) for name in ("epochs", "initial_epoch")})
        return model.fit(x, y, **kwargs)


class Short(Loop):
    def fit(self, hp, model, x, y, epochs, callbacks):
        self.given.append({"epochs": epochs})
        return model.fit(x, y, epochs=epochs, callbacks=callbacks, verbose=0)


def task(folder: Path, *, space=build, search_target: float = 0.9999) -> Task:
    pipeline = Pipeline(data=lambda: DATA, space=space, target=0.9, epochs=9, batch_size=64)
    return Task(pipeline=pipeline, search_target=search_target, models=folder / "models")


def trial(number: int = 0, **fields) -> Trial:
    given = {"epochs": 2, "seed": 1, "horizon": 9} | fields
    return Trial(
        number=number,
        hyperparameters={},
        parameter_count=10,
        trainable_parameter_count=10,
        **given,
    )


def later(folder: Path, **fields) -> Trial:
    weights = str(folder / "weights" / "first.weights.h5")
    return trial(1, initial_epoch=2, initial_weights=weights, epochs=1, seed=9, **fields)


def first_round(folder: Path, **fields):
    weights = str(folder / "weights" / "first.weights.h5")
    return run_trial(task(folder, **fields), trial(weights_path=weights), DATA)


def test_a_later_round_begins_where_the_earlier_one_ended(tmp_path):
    earlier = first_round(tmp_path)
    assert earlier.state is TrialState.COMPLETE
    on = run_trial(task(tmp_path), later(tmp_path), DATA)
    last = earlier.history["loss"][-1]
    assert 0.8 * last < on.history["loss"][0] < last
    assert (on.epochs, len(on.history["loss"])) == (1, 1)


def test_the_optimizer_goes_on_with_what_it_had_gathered(tmp_path):
    model, after = build(None), build(None)
    model.fit(X, Y, epochs=2, verbose=0)
    path = str(tmp_path / "a.weights.h5")
    model.save_weights(path)
    _begin_with(path, after, X)
    for one, other in zip(model.optimizer.variables, after.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    assert int(after.optimizer.iterations) == 8


@pytest.mark.parametrize(
    ("kind", "given"),
    [(Loop, {"epochs": 3, "initial_epoch": 2}), (Short, {"epochs": 1})],
)
def test_a_users_own_fit_is_told_how_far_the_training_is(tmp_path, kind, given):
    space = kind()
    first_round(tmp_path, space=space)
    on = run_trial(task(tmp_path, space=space), later(tmp_path), DATA)
    assert space.given[-1] == given
    assert on.epochs == 1


def test_what_reaches_in_a_later_round_is_saved(tmp_path):
    first_round(tmp_path)
    wanted = replace(task(tmp_path), search_target=0.01)
    on = run_trial(wanted, later(tmp_path), DATA)
    assert on.reached
    assert on.epochs == 1
    assert Path(on.model_path).exists()


def test_weights_that_are_gone_are_a_failed_trial(tmp_path):
    on = run_trial(task(tmp_path), later(tmp_path), DATA)
    assert on.state is TrialState.FAIL
    assert "first.weights.h5" in on.error


def test_epochs_before_this_run_count_in_what_is_still_to_come():
    stops = Stops(metric=metric("accuracy"), search_target=0.9, epochs=8)
    later = replace(stops, trained=4)
    assert stops.best_future([0.5]) > later.best_future([0.5])
    assert later.best_future([0.5] * 4) == pytest.approx(0.5)


def test_a_model_that_knows_no_shape_takes_weights_as_well(tmp_path):
    class Net(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.head = layers.Dense(2, activation="softmax")

        def call(self, inputs):
            return self.head(inputs)

    def subclassed(hp) -> keras.Model:
        model = Net()
        model.compile(keras.optimizers.SGD(0.01), loss="sparse_categorical_crossentropy")
        return model

    space = task(tmp_path, space=subclassed).pipeline
    given = {"train": (X, Y), "validation": (X, Y), "seed": 1, "epochs": 2}
    stops = Stops(metric=metric("accuracy"), search_target=0.9999, epochs=9)
    earlier = fit(space, {}, **given, stops=stops)
    earlier.model().save_weights(tmp_path / "a.weights.h5")
    path = str(tmp_path / "a.weights.h5")
    on = fit(space, {}, **given, stops=stops, initial_weights=path, initial_epoch=2)
    assert on.history["loss"][0] < earlier.history["loss"][-1]
