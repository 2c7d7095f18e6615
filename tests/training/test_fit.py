"""A model is trained as its space says, to the same weights for the same seed."""

from __future__ import annotations

import gc
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import keras
import keras_tuner
import numpy as np
import pytest
from occam.search.metrics import metric
from occam.search.pipeline import Pipeline
from occam.search.stopping import Stop, Stops
from occam.search.training import fit as trainer
from occam.search.training.fit import Run, fit, release
from sklearn.datasets import load_digits

LOSS = "sparse_categorical_crossentropy"
BLOBS = np.random.default_rng(0).normal(size=(40, 3)) + np.repeat(np.eye(4, 3) * 4, 10, axis=0)
SPLIT = (BLOBS, np.repeat(np.arange(4), 10))
NEVER = Stops(metric=metric("accuracy"), search_target=1 - 1e-9, epochs=10**30)


def dense(hp: keras_tuner.HyperParameters) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(hp.Int("units", 2, 64), activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    rate = hp.Float("learning_rate", 1e-4, 1e30, sampling="log", default=1e-2)
    model.compile(optimizer=keras.optimizers.SGD(rate), loss=LOSS, metrics=["accuracy"])
    return model


def images(hp: keras_tuner.HyperParameters) -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Reshape((3, 1)),
            layers.Conv1D(hp.Int("filters", 2, 8), 2, activation="silu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.GaussianNoise(0.1),
            layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss=LOSS)
    return model


class Careful(keras.Model):
    """Has its own training step, which counts how often it was traced or run."""

    def __init__(self) -> None:
        super().__init__()
        self.output_layer, self.calls = keras.layers.Dense(4, activation="softmax"), 0

    def call(self, inputs):
        return self.output_layer(inputs)

    def train_step(self, *arguments):
        self.calls += 1
        return super().train_step(*arguments)


def careful(hp: keras_tuner.HyperParameters) -> keras.Model:
    model = Careful()
    model.compile(loss=LOSS)
    return model


def train(space=dense, hyperparameters=None, *, epochs=3, seed=0, stops=NEVER, **options) -> Run:
    settings = {name: options.pop(name) for name in ("batch_size", "loss") if name in options}
    pipeline = Pipeline(data=lambda: None, space=space, target=0.9, **settings)
    split = options.pop("split", SPLIT)
    return fit(
        pipeline,
        hyperparameters or {},
        train=split,
        validation=split,
        epochs=epochs,
        seed=seed,
        stops=stops,
        **options,
    )


def steps(run: Run) -> int:
    return int(run.model().optimizer.iterations)


def same_weights(run: Run, other: Run) -> bool:
    pairs = zip(run.model().get_weights(), other.model().get_weights(), strict=True)
    return all(np.array_equal(one, two) for one, two in pairs)


class TestTraining:
    def test_every_epoch_leaves_a_score_and_the_models_own_metrics(self):
        run = train(epochs=3)
        assert {name: len(values) for name, values in run.history.items()} == {
            "loss": 3,
            "accuracy": 3,
            "score": 3,
        }
        assert (run.epochs, run.stop) == (3, None)

    def test_it_learns(self):
        run = train(hyperparameters={"units": 32, "learning_rate": 0.2}, epochs=20)
        assert run.history["score"][-1] > 0.9

    @pytest.mark.parametrize(("batch_size", "expected"), [(16, 3), (40, 1), (1000, 1), (1, 40)])
    def test_every_row_is_seen_once_an_epoch(self, batch_size, expected):
        assert steps(train(epochs=2, batch_size=batch_size)) == 2 * expected

    def test_a_batch_size_that_is_searched_goes_before_the_pipelines(self):
        assert steps(train(hyperparameters={"batch_size": 8}, epochs=1, batch_size=32)) == 5

    def test_the_loss_of_an_epoch_is_the_mean_over_rows(self):
        def frozen(hp):
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
            loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
            model.compile(optimizer=keras.optimizers.SGD(0.0), loss=loss)
            return model

        run = train(frozen, epochs=1, batch_size=16)
        expected = run.model().evaluate(*SPLIT, verbose=0)
        assert run.history["loss"] == [pytest.approx(expected, rel=1e-5)]

    @pytest.mark.parametrize("averages", [{}, {"use_ema": True, "ema_momentum": 0.5}])
    def test_the_weights_are_those_of_keras(self, averages):
        """With one batch an epoch, whose order of rows makes no difference."""

        def plain(hp):
            model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "softmax")])
            model.compile(keras.optimizers.Adam(0.1, **averages), loss=LOSS)
            return model

        run = train(plain, epochs=5, batch_size=40, seed=3)
        trainer.seed_everything(3)
        model = plain(keras_tuner.HyperParameters())
        model.fit(*SPLIT, batch_size=40, epochs=5, shuffle=False, verbose=0)
        pairs = zip(run.model().get_weights(), model.get_weights(), strict=True)
        assert all(np.allclose(one, two, atol=1e-5) for one, two in pairs)

    @pytest.mark.skipif(keras.config.backend() == "torch", reason="torch keeps its own state")
    def test_every_step_drops_out_anew(self):
        run = train(epochs=2, batch_size=8)
        drawn = run.model().layers[1].seed_generator.state[1]
        assert int(drawn) == steps(run) == 10

    def test_an_uncompiled_model_gets_the_pipelines_loss_and_the_searched_rate(self):
        def plain(hp):
            rate = hp.Float("learning_rate", 1e-4, 1.0)
            assert rate == 0.25
            softmax = keras.layers.Dense(4, activation="softmax")
            return keras.Sequential([keras.Input((3,)), softmax])

        run = train(plain, {"learning_rate": 0.25}, loss=LOSS, epochs=1)
        assert float(run.model().optimizer.learning_rate) == 0.25

    def test_several_inputs_come_as_a_dictionary(self):
        def joined(hp):
            inputs = {name: keras.Input((3,), name=name) for name in ("left", "right")}
            outputs = keras.layers.Dense(4)(keras.layers.Add()(list(inputs.values())))
            model = keras.Model(inputs, outputs)
            model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            return model

        run = train(joined, split=({"left": BLOBS, "right": BLOBS}, SPLIT[1]))
        assert run.epochs == 3

    def test_a_models_own_training_step_is_used(self):
        assert train(careful).model().calls > 0

    def test_a_model_that_runs_eagerly_does(self):
        def eager(hp):
            model = careful(hp)
            model.compile(loss=LOSS, run_eagerly=True)
            return model

        assert train(eager, epochs=2, batch_size=20).model().calls == 4

    def test_moving_averages_of_the_weights_are_put_in_place(self):
        def averaged(hp):
            model = dense(hp)
            optimizer = keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)
            model.compile(optimizer=optimizer, loss=LOSS)
            return model

        own = train(averaged, epochs=2, batch_size=40)
        plain = train(
            lambda hp: (m := averaged(hp), m.compile(keras.optimizers.SGD(0.1), LOSS))[0],
            epochs=2,
            batch_size=40,
        )
        assert not same_weights(own, plain)

    @pytest.mark.parametrize("scaled", [False, True])
    def test_an_epoch_is_scored_by_the_averages_that_a_run_leaves(self, scaled):
        def averaged(hp):
            model = dense(hp)
            optimizer = keras.optimizers.SGD(0.5, use_ema=True, ema_momentum=0.9)
            whole = keras.optimizers.LossScaleOptimizer(optimizer) if scaled else optimizer
            model.compile(optimizer=whole, loss=LOSS)
            return model

        run = train(averaged, {"units": 32}, epochs=3)
        predicted = run.model().predict(BLOBS, verbose=0).argmax(-1)
        assert run.history["score"][-1] == pytest.approx(np.mean(predicted == SPLIT[1]))
        shorter = train(averaged, {"units": 32}, epochs=2)
        assert run.history["score"][:2] == shorter.history["score"], "the steps are disturbed"


class TestStopping:
    def test_a_run_ends_when_its_target_is_reached(self):
        stops = Stops(metric=metric("accuracy"), search_target=0.05, epochs=50)
        run = train(epochs=50, stops=stops)
        assert (run.stop, run.epochs) == (Stop.REACHED, 2)

    @pytest.mark.parametrize("space", [dense, careful], ids=["own loop", "model.fit"])
    def test_a_loss_that_is_not_finite_ends_the_run_in_that_epoch(self, space):
        def diverging(hp):
            model = space(hp)
            model.compile(keras.optimizers.SGD(1e30), loss="mse")
            return model

        labels = np.eye(4)[SPLIT[1]] * 1e30
        run = train(diverging, epochs=9, split=(BLOBS * 1e30, labels))
        assert (run.stop, run.epochs) == (Stop.NOT_FINITE, 1)
        assert math.isnan(run.history["score"][-1])

    @pytest.mark.parametrize("space", [dense, careful], ids=["own loop", "model.fit"])
    def test_who_watches_the_epochs_may_end_the_run(self, space):
        seen = []
        run = train(space, epochs=9, on_epoch=lambda *seeing: seen.append(seeing) or len(seen) == 2)
        assert (run.epochs, run.stop) == (2, Stop.OUT_OF_TIME)
        assert seen == [(1, run.history["score"][0]), (2, run.history["score"][1])]

    def test_what_has_reached_in_the_last_epoch_that_there_was_time_for_has_reached(self):
        stops = Stops(metric=metric("accuracy"), search_target=0.05, epochs=50)
        run = train(epochs=50, stops=stops, on_epoch=lambda epochs, score: epochs == 2)
        assert (run.stop, run.epochs) == (Stop.REACHED, 2)


class TestSeeds:
    @pytest.mark.slow
    @pytest.mark.parametrize("space", [dense, images, careful])
    def test_the_same_seed_gives_the_same_weights_after_other_trials(self, space):
        first = train(space, seed=7, batch_size=8)
        train(images, {"filters": 5}, seed=1)
        keras.random.normal((2,))
        again = train(space, seed=7, batch_size=8)
        assert same_weights(first, again)
        assert first.history == again.history

    def test_another_seed_gives_other_weights(self):
        assert not same_weights(train(seed=1), train(seed=2))


class Tuned(keras_tuner.HyperModel):
    """As in KerasTuner's guide: `fit` chooses hyperparameters of its own."""

    def build(self, hp):
        return dense(hp)

    def fit(self, hp, model, *args, **kwargs):
        return model.fit(
            *args, batch_size=hp.Choice("batch_size", [4, 8]), shuffle=hp.Boolean("mix"), **kwargs
        )


class ByHand(keras_tuner.HyperModel):
    """As in KerasTuner's guide: a training loop of its own, which calls the callbacks."""

    def build(self, hp):
        return dense(hp)

    def fit(self, hp, model, x, y, validation_data, callbacks=None, **kwargs):
        for callback in callbacks:
            callback.set_model(model)
        for epoch in range(2):
            loss = model.train_on_batch(x, y)[0]
            for callback in callbacks:
                callback.on_epoch_end(epoch, logs={"loss": loss})
        return float(loss)


class Deaf(keras_tuner.HyperModel):
    """Does not pass the callbacks on."""

    def __init__(self, returned) -> None:
        super().__init__()
        self.returned = returned

    def build(self, hp):
        return dense(hp)

    def fit(self, hp, model, x, y, validation_data):
        history = model.fit(x, y, epochs=4, verbose=0, validation_data=validation_data)
        return self.returned(history)


class TestAUsersOwnFit:
    def test_it_may_choose_what_it_was_given(self):
        run = train(Tuned(), {"batch_size": 8, "mix": True}, epochs=2)
        assert steps(run) == 2 * 5
        assert set(run.history) == {"accuracy", "loss", "val_accuracy", "val_loss", "score"}

    def test_its_default_applies_where_the_trial_has_no_value(self):
        assert steps(train(Tuned(), epochs=1)) == 10

    def test_a_loop_of_its_own_is_scored_and_may_return_a_number(self):
        run = train(ByHand(), epochs=9)
        assert (run.epochs, len(run.history["score"]), len(run.history["loss"])) == (2, 2, 2)

    @pytest.mark.parametrize(
        ("returned", "epochs"),
        [
            (lambda history: history, 4),
            (lambda history: history.history, 4),
            (lambda history: [{"loss": [1.0]}, history], 4),
            (lambda history: {"rate": [0.1], "loss": [1.0, 2.0, 3.0], "once": [0.2]}, 3),
            (lambda history: {"val_accuracy": 0.5}, 9),
            (lambda history: 0.5, 9),
            (lambda history: None, 9),
        ],
        ids=["History", "dict", "list", "of any length", "dict of numbers", "number", "None"],
    )
    def test_one_that_ignores_callbacks_is_scored_at_its_end(self, returned, epochs):
        run = train(Deaf(returned), epochs=9)
        assert (run.epochs, len(run.history["score"]), run.stop) == (epochs, 1, None)

    @pytest.mark.parametrize(("share", "stop"), [(1.0, Stop.REACHED), (0.0, None)])
    def test_a_model_that_it_puts_back_is_taken_at_what_it_is_worth(self, share, stop):
        class PutsBack(Tuned):
            def fit(self, hp, model, *args, **kwargs):
                history = super().fit(hp, model, *args, **kwargs)
                model.set_weights([share * each for each in model.get_weights()])
                return history

        stops = Stops(metric=metric("accuracy"), search_target=0.9, epochs=99)
        values = {"units": 32, "learning_rate": 0.1, "batch_size": 4}
        run = train(PutsBack(), values, epochs=99, stops=stops)
        assert run.epochs > 2
        assert run.stop is stop
        if stop is None:
            assert run.history["score"][-2:] == [0.25, 0.25]
            assert run.history["score"][-3] > 0.25

    def test_an_error_in_it_is_its_own(self):
        class Wrong(Tuned):
            def fit(self, hp, model, *args, **kwargs):
                raise TypeError("wrong type")

        with pytest.raises(TypeError, match="wrong type"):
            train(Wrong())


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow's own leaks")
class TestMemory:
    @pytest.mark.slow
    @pytest.mark.parametrize("space", [dense, images, careful])
    def test_no_graph_of_a_trial_that_is_over_stays(self, space, monkeypatch):
        monkeypatch.setattr(trainer, "RELEASE_EVERY", 1)
        graphs = []
        for number in range(3):
            train(space, seed=number, epochs=1)
            release()
            gc.collect()
            graphs.append(Counter(type(each).__name__ for each in gc.get_objects())["FuncGraph"])
        assert graphs[0] == graphs[2]

    def test_a_model_still_predicts_and_trains_after_a_release(self, monkeypatch):
        monkeypatch.setattr(trainer, "RELEASE_EVERY", 1)
        run = train(images, epochs=1)
        before = run.model().predict_on_batch(BLOBS)
        release()
        assert np.array_equal(run.model().predict_on_batch(BLOBS), before)
        run.model().fit(*SPLIT, verbose=0)


ELSEWHERE = """
import json, sys
from occam.search.backend import use_backend
use_backend(sys.argv[1])
import test_fit
print(json.dumps(getattr(test_fit, sys.argv[2])()))
"""


def elsewhere(backend: str, function: str, caches: Path) -> dict[str, object]:
    """What a function of this file returns in a process of its own, on another backend."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).parent),
        "XDG_CACHE_HOME": str(caches),
    }
    environment.pop("KERAS_BACKEND", None)
    command = [sys.executable, "-c", ELSEWHERE, backend, function]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def digits_twice() -> dict[str, object]:
    """Two runs of a digits model: the first of its process, and one after other trials."""
    first = digits_run()
    train(images, seed=3, epochs=1)
    keras.random.normal((2,))
    release()
    second = digits_run()
    return {
        "backend": keras.config.backend(),
        "tensorflow": "tensorflow" in sys.modules,
        "scores": first.history["score"],
        "same": same_weights(first, second) and first.history == second.history,
    }


def digits_run() -> Run:
    inputs, labels = load_digits(return_X_y=True)
    split = (inputs[:600].reshape(-1, 8, 8, 1) / 16, labels[:600])
    return train(convolution, split=split, epochs=8, seed=5)


def convolution(hp: keras_tuner.HyperParameters) -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(8, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Dropout(0.1),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile(optimizer=keras.optimizers.Adam(1e-2), loss=LOSS, metrics=["accuracy"])
    return model


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_digits_train_alike_in_a_fresh_process_and_after_other_trials(backend, tmp_path):
    told = elsewhere(backend, "digits_twice", tmp_path)
    assert told["scores"][-1] > 0.85
    assert told["same"]
    assert told["backend"] == backend
    assert told["tensorflow"] == (backend == "tensorflow")  # 400 MiB that others do without


def averaged_twice() -> dict[str, object]:
    """Runs of one and two epochs by an optimizer that averages; the latter's model is saved."""

    def averaged(hp):
        model = dense(hp)
        model.compile(keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9), LOSS)
        return model

    first, run = (train(averaged, epochs=epochs) for epochs in (1, 2))
    predicted = run.model().predict(BLOBS, verbose=0).argmax(-1)
    with tempfile.TemporaryDirectory() as folder:
        run.model().save(Path(folder) / "model.keras")
    return {
        "scores": run.history["score"],
        "shorter": first.history["score"],
        "kept": float(np.mean(predicted == SPLIT[1])),
    }


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_averages_of_the_weights_are_scored_and_kept_on_every_backend(backend, tmp_path):
    told = elsewhere(backend, "averaged_twice", tmp_path)
    assert told["scores"][:1] == told["shorter"]
    assert told["scores"][-1] == pytest.approx(told["kept"])
