"""What frozen layers make of the rows is computed once; trials are what they would be without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from occam.search.data.preparation import prepare, without_test
from occam.search.executors.in_process import InProcess, ended
from occam.search.metrics import metric
from occam.search.models import evaluation
from occam.search.models.backbones import parted
from occam.search.models.building import restore
from occam.search.models.configuration import GivenHyperParameters
from occam.search.pipeline import Data, Pipeline
from occam.search.stopping import Stops
from occam.search.training import features
from occam.search.training import fit as trainer
from occam.search.training.features import features_of, without_backbone
from occam.search.training.population.errors import Unsupported
from occam.search.training.population.executor import Population
from occam.search.training.population.templates import member_of
from occam.search.training.rehearsal import rehearse
from occam.search.training.trial import Task, run_trial
from occam.search.trials import Parent, Trial

L = keras.layers
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, 300)
IMAGES = (RNG.normal(size=(300, 6, 6, 1)) + LABELS[:, None, None, None]).astype("float32")
NEVER = Stops(metric=metric("accuracy"), search_target=2.0, epochs=10**30)


def base(scale: float = 1.0) -> keras.Model:
    """A network that somebody else trained."""
    layers = [L.Conv2D(6, 3, activation="relu"), L.BatchNormalization(), L.Flatten()]
    model = keras.Sequential([keras.Input((6, 6, 1)), *layers])
    drawn = np.random.default_rng(1)
    model.set_weights([scale * drawn.uniform(0.1, 1.0, each.shape) for each in model.weights])
    model.trainable = False
    return model


BASES = {"once": base(), "again": base(0.5)}  # made outside: as a user does whose base is large


def head(hp: Any, features: Any, inputs: Any) -> keras.Model:
    hidden = L.Dense(hp.Int("units", 2, 16, default=8), activation="relu")(features)
    hidden = L.Dropout(hp.Choice("dropout", [0.0, 0.3]))(hidden)
    model = keras.Model(inputs, L.Dense(2, activation="softmax")(hidden))
    rate = hp.Float("learning_rate", 1e-4, 1.0, default=0.01)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def space(hp: Any) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    return head(hp, base()(L.Rescaling(0.5)(inputs)), inputs)


def either(hp: Any) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    return head(hp, BASES[hp.Choice("base", [*BASES])](inputs), inputs)


def fine_tuned(hp: Any) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    model = base()
    model.trainable = hp.Boolean("trained")
    return head(hp, model(inputs), inputs)


def trained(hp: Any) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    return head(hp, L.Flatten()(inputs), inputs)


def of_random_weights(hp: Any) -> keras.Model:
    inputs = keras.Input((6, 6, 1))
    return head(hp, L.Flatten()(L.Conv2D(4, 3, trainable=False)(inputs)), inputs)


def data() -> Data:
    parts = slice(100), slice(100, 200), slice(200, 300)
    return Data(*((IMAGES[part], LABELS[part]) for part in parts))


def pipeline(made: Any = space) -> Pipeline:
    return Pipeline(data=data, space=made, target=0.6, epochs=4, batch_size=20, name="frozen")


def fit(made: Any = space, **options: Any) -> trainer.Run:
    train, validation = ((IMAGES[part], LABELS[part]) for part in (slice(100), slice(100, 200)))
    given: dict[str, Any] = {"epochs": 4, "seed": 3, "stops": NEVER} | options
    return trainer.fit(pipeline(made), {}, train=train, validation=validation, **given)


def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have models trained with their backbones."""
    monkeypatch.setattr(trainer, "without_backbone", lambda model, *inputs: (model, inputs))


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(features, "_kept", type(features._kept)())


@pytest.fixture
def computed(monkeypatch) -> list[int]:
    """Rows of which features were computed, each time."""
    found: list[int] = []

    def counting(model: Any, inputs: Any) -> Any:
        found.append(len(keras.tree.flatten(inputs)[0]))
        return evaluation.outputs(model, inputs)

    monkeypatch.setattr(features, "outputs", counting)
    return found


@pytest.mark.parametrize("made", [space, of_random_weights])
def test_a_trial_becomes_what_it_would_become_with_its_backbone(made, monkeypatch):
    run = fit(made)
    whole(monkeypatch)
    expected = fit(made)
    assert run.history.keys() == expected.history.keys()
    for name, values in run.history.items():
        assert values == pytest.approx(expected.history[name], abs=1e-4), name
    weights = zip(run.model().get_weights(), expected.model().get_weights(), strict=True)
    assert all(np.allclose(one, other, atol=1e-4) for one, other in weights)


def test_the_model_is_whole_and_saved_with_the_state_of_its_optimizer(tmp_path):
    run = fit()
    model = run.model()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert np.allclose(loaded.predict_on_batch(IMAGES), model.predict_on_batch(IMAGES), atol=1e-6)
    assert int(loaded.optimizer.iterations) == 4 * 5
    loaded.fit(IMAGES, LABELS, verbose=0)


def test_features_are_computed_once_for_all_trials(computed):
    few = features.CHECKED
    run, other = (without_backbone(space_of(units), IMAGES, IMAGES[:50]) for units in (3, 9))
    assert computed == [few, 300, few, 50, few, 50], "another view of rows is not known to be it"
    assert run[1][0] is other[1][0]


def space_of(units: int, made: Any = space) -> keras.Model:
    return made(GivenHyperParameters({"units": units}))


def test_other_weights_have_other_features():
    one, other = (parted(either_of(name)) for name in BASES)
    assert not np.allclose(features_of(one, IMAGES), features_of(other, IMAGES))


def either_of(name: str) -> keras.Model:
    return either(GivenHyperParameters({"base": name}))


def test_features_that_take_too_much_memory_are_not_kept(monkeypatch, computed):
    monkeypatch.setattr(features, "BYTES", 0)
    model = space_of(3)
    assert without_backbone(model, IMAGES[:, :5]) == (model, (pytest.approx(IMAGES[:, :5]),))
    assert not computed


def test_no_more_features_are_kept_than_fit(monkeypatch):
    parts = [parted(either_of(name)) for name in BASES]
    monkeypatch.setattr(features, "BYTES", 2 * features_of(parts[0], IMAGES).nbytes)
    for rows in (IMAGES, IMAGES[:200], IMAGES[:100]):
        for each in parts:
            features_of(each, rows)
    assert features.FEWEST <= len(features._kept) < 6


def test_dropout_among_frozen_layers_is_off_where_the_user_says_so():
    """Keras's `fit` has it drop all the same, in a functional model."""

    def quiet(hp: Any) -> keras.Model:
        inputs = keras.Input((6, 6, 1))
        frozen = keras.Sequential([keras.Input((6, 6, 1)), base(), L.Dropout(0.5)])
        frozen.trainable = False
        return head(hp, frozen(inputs, training=False), inputs)

    model = quiet(GivenHyperParameters({}))
    trained, (found,) = without_backbone(model, IMAGES)
    assert trained is not model
    assert np.allclose(found, base().predict_on_batch(IMAGES), atol=1e-6)


@pytest.mark.parametrize("executor", [InProcess, Population])
def test_a_search_that_is_over_keeps_no_features(tmp_path, executor):
    searching = executor(*task(tmp_path))
    features_of(parted(space_of(3)), IMAGES)
    searching.shutdown()
    assert not features._kept


class Restless(L.Layer):
    """Does something else in training, though nothing says so."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return inputs + 1.0 if training else inputs


def test_a_backbone_that_does_something_else_in_training_is_trained_with(monkeypatch):
    monkeypatch.setattr(Restless, "__module__", "keras.layers")

    def restless(hp: Any) -> keras.Model:
        inputs = keras.Input((6, 6, 1))
        return head(hp, base()(Restless()(inputs)), inputs)

    model = restless(GivenHyperParameters({}))
    assert parted(model) is not None
    assert without_backbone(model, IMAGES) == (model, (pytest.approx(IMAGES),))


def test_a_training_step_of_its_own_is_given_the_whole_model():
    model = space_of(3)
    model.train_step = lambda batch: {"loss": 0.0}
    assert without_backbone(model, IMAGES)[0] is model


def task(tmp_path: Any, made: Any = space, target: float = 0.6) -> tuple[Task, Data]:
    of = pipeline(made)
    return Task(pipeline=of, search_target=target, models=tmp_path), without_test(prepare(of).data)


def trial(number: int, made: Any = space, **values: Any) -> Trial:
    count = made(GivenHyperParameters(values)).count_params()
    return Trial(
        number=number,
        hyperparameters=values,
        parameter_count=count,
        trainable_parameter_count=count,
        epochs=8,
        seed=number,
    )


def train(population: Population, *trials: Trial) -> dict[int, Any]:
    return {each.number: each for each in ended(population, trials)}


@pytest.mark.slow
def test_heads_train_together_and_are_saved_with_their_backbone(tmp_path, computed):
    searching, rows = task(tmp_path)
    said: list[str] = []
    population = Population(searching, rows, notice=said.append)
    found = train(population, *(trial(n, units=13 - n, learning_rate=0.05) for n in range(4)))
    assert not said
    assert len(population._programs) == 1
    reached = [each for each in found.values() if each.reached]
    assert reached
    for each in reached:
        model = restore(searching.pipeline, each, rows.train[0])
        assert model.count_params() == each.parameter_count
        measured = evaluation.score(model, rows.validation, metric("accuracy"))
        assert measured == pytest.approx(each.history["score"][-1])
        kept = parted(model).backbone.get_weights()
        assert all(map(np.array_equal, kept, parted(space_of(3)).backbone.get_weights()))
    assert computed == [features.CHECKED, 100] * 2


@pytest.mark.slow
def test_heads_of_several_backbones_train_apart(tmp_path):
    searching, rows = task(tmp_path, either, target=2.0)
    said: list[str] = []
    population = Population(searching, rows, notice=said.append)
    trials = [trial(n, either, base=[*BASES][n % 2], units=4) for n in range(4)]
    found = train(population, *trials)
    assert not said
    assert len(population._programs) == 2
    assert not any(each.error for each in found.values())
    alone = Population(searching, rows)
    for each in trials[:2]:
        again = train(alone, replace(each))[each.number]
        assert again.history["score"] == pytest.approx(found[each.number].history["score"])


@pytest.mark.slow
def test_what_is_fine_tuned_is_trained_whole(tmp_path):
    searching, rows = task(tmp_path, fine_tuned)
    said: list[str] = []
    population = Population(searching, rows, notice=said.append)
    found = train(population, *(trial(n, fine_tuned, trained=bool(n)) for n in range(2)))
    assert said == ["Trained one at a time, by fit: models with layer Sequential."]
    assert all(each.error is None for each in found.values())


def test_frozen_weights_that_are_drawn_anew_have_no_population():
    with pytest.raises(Unsupported, match="frozen layers whose weights are drawn at random"):
        member_of(pipeline(of_random_weights), {}, 100)


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False])
def test_a_head_begins_with_units_of_another(tmp_path, together):
    searching, rows = task(tmp_path)
    first = run_trial(searching, trial(0, units=12, learning_rate=0.05), rows)
    assert first.reached
    parent = Parent(
        number=0,
        hyperparameters=first.hyperparameters,
        model_path=first.model_path,
        epochs=first.epochs,
    )
    child = replace(trial(1, units=10, learning_rate=0.05), parent=parent)
    population = Population(searching, rows)
    found = train(population, child)[1] if together else run_trial(searching, child, rows)
    assert found.reason == "reached the search target, begun with units of trial 0"


def test_the_search_says_what_is_computed_once():
    of = pipeline()
    notes = rehearse(of, prepare(of), metric("accuracy")).notes
    said = "Frozen layers in front, 84 parameters: what they make of each row is computed once."
    assert notes == (said,)
    assert not rehearse(pipeline(trained), prepare(of), metric("accuracy")).notes
