"""What holds for every pipeline that comes with Occam, found by its folder."""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any

import cloudpickle
import keras
import keras_tuner
import numpy as np
import pandas as pd
import pytest
from occam.search.counting import count
from occam.search.data.checks import check_data
from occam.search.data.labels import check_labels
from occam.search.errors import InputError
from occam.search.loading import describe, load, names
from occam.search.metrics import metric
from occam.search.models.building import build
from occam.search.models.configuration import GivenHyperParameters
from occam.search.pipeline import Data, Pipeline, Split
from occam.search.trials import TrialState, finish

ENGINES = ("optuna", "keras_tuner")
SPLITS = ("train", "validation", "test")
ON_TENSORFLOW = ("imdb_text", "mnist_gan")
EMBEDDED = {
    *("autoencoder_3d", "breast_cancer", "diabetes", "digits", "housing", "number_sequence"),
    *("rbf", "translation_toy"),
}
MISSING = "Missing data file"
ROWS = 500  # of each split, where so many show enough

every_pipeline = pytest.mark.parametrize("name", names())


@functools.cache
def loaded(name: str) -> tuple[Pipeline, Data]:
    """A pipeline and its data; skips where a data file is missing, and never downloads one."""
    with pytest.MonkeyPatch.context() as patch:
        if "OCCAM_DATA" not in os.environ:
            patch.setenv("OCCAM_DATA", "~/.keras/datasets")
        try:
            pipeline = load(name)
            return pipeline, pipeline.data()
        except InputError as error:
            if not str(error).startswith(MISSING):
                raise
            pytest.skip(str(error))


def some(data: Data) -> Data:
    return Data(*[(x[:ROWS], y[:ROWS]) for x, y in (data.train, data.validation, data.test)])


def same(left: Any, right: Any) -> bool:
    if isinstance(left, pd.DataFrame):
        return left.equals(right)
    return np.array_equal(left, right)


def each_row(inputs: Any) -> set[bytes]:
    if isinstance(inputs, pd.DataFrame):
        return set(map(str, inputs.itertuples(index=False)))
    if inputs.dtype == object:
        return set(inputs)
    return {row.tobytes() for row in np.asarray(inputs)}


@every_pipeline
def test_a_pipeline_says_what_it_is_and_sets_a_target_that_makes_sense(name):
    assert 20 < len(describe(name)) <= 100
    pipeline = load(name)
    metric(pipeline.metric).check_target(pipeline.target)
    assert pipeline.epochs > 1


@every_pipeline
def test_the_data_are_the_same_at_every_call(name):
    pipeline, data = loaded(name)
    again = pipeline.data()
    for split in SPLITS:
        for first, second in zip(getattr(data, split), getattr(again, split), strict=True):
            assert same(first, second)


@every_pipeline
def test_no_row_is_in_two_splits(name):
    _, data = loaded(name)
    rows = [each_row(getattr(data, split)[0]) for split in SPLITS]
    assert len(set.union(*rows)) == sum(map(len, rows))


@every_pipeline
def test_the_splits_have_the_same_mix_of_labels(name):
    pipeline, data = loaded(name)
    train, *others = (np.asarray(getattr(data, split)[1]) for split in SPLITS)
    for labels in others:
        if metric(pipeline.metric).needs_classes:
            expected, received = (np.bincount(each.flat) / each.size for each in (train, labels))
            np.testing.assert_allclose(received, expected, atol=0.05)
        else:
            assert abs(labels.mean() - train.mean()) < 0.15 * train.std()


@every_pipeline
def test_what_is_preprocessed_can_be_trained_on(name):
    pipeline, data = loaded(name)
    prepared = pipeline.preprocessing(data)
    check_data(prepared, metric(pipeline.metric))
    assert prepared.train[0].dtype in ("float32", "int32", object)
    classes = len(np.unique(data.train[1]))
    assert not pipeline.classes or len(pipeline.classes) == classes


@every_pipeline
def test_the_transform_travels_and_does_to_raw_rows_what_preprocessing_did(name):
    pipeline, data = loaded(name)
    prepared = pipeline.preprocessing(some(data))
    travelled = cloudpickle.loads(cloudpickle.dumps(prepared.transform))
    raw, expected = data.test[0][:ROWS], prepared.test[0]
    np.testing.assert_array_equal(travelled(raw), expected)
    np.testing.assert_array_equal(travelled(raw[:1]), expected[:1])


def poisoned(split: Split) -> Split:
    """Rows of another order, and numbers that no statistic survives."""
    inputs, labels = split
    if isinstance(inputs, pd.DataFrame):
        inputs = inputs[::-1].copy()
        numbers = inputs.select_dtypes("number").columns
        return inputs.assign(**{column: inputs[column] * 1000 for column in numbers}), labels
    if inputs.dtype in ("int32", object):  # tokens and texts have no statistics
        return inputs[::-1], labels
    return 1000 * np.asarray(inputs, dtype="float64")[::-1], labels


@every_pipeline
def test_preprocessing_learns_from_the_train_split_alone(name):
    pipeline, data = loaded(name)
    data = some(data)
    strange = Data(data.train, poisoned(data.validation), poisoned(data.test))
    expected = pipeline.preprocessing(data).train[0]
    np.testing.assert_array_equal(pipeline.preprocessing(strange).train[0], expected)


@every_pipeline
def test_the_default_model_fits_the_data_and_trains_a_step(name):
    if name in ON_TENSORFLOW and keras.backend.backend() != "tensorflow":
        pytest.skip("needs TensorFlow")
    pipeline, data = loaded(name)
    inputs, labels = pipeline.preprocessing(some(data)).train
    hp = keras_tuner.HyperParameters()
    model = build(pipeline, hp)
    check_labels(data.train[1], model.loss, model.output_shape, metric(pipeline.metric))
    model.fit(inputs[:64], labels[:64], batch_size=64, epochs=1, verbose=0)
    predicted = model.predict_on_batch(inputs[:64])
    assert predicted.shape == (64, *model.output_shape[1:])
    assert np.isfinite(predicted).all()
    assert np.isfinite(metric(pipeline.metric).measure(labels[:64], predicted))
    assert hp.get("batch_size") > 0


@every_pipeline
def test_a_missing_data_file_is_one_line_that_says_where_to_put_it(name, tmp_path, monkeypatch):
    monkeypatch.setenv("OCCAM_DATA", str(tmp_path))
    said = ""
    try:
        load(name).data()
    except InputError as error:
        said = str(error)
    if name in EMBEDDED:
        assert not said
    else:
        assert said.startswith(MISSING)
        assert str(tmp_path) in said
        assert "OCCAM_DATA" in said
        assert "\n" not in said


@pytest.mark.parametrize("engine", ENGINES)
@every_pipeline
def test_both_engines_propose_size_and_resume(name, engine, tmp_path):
    pipeline, data = loaded(name)
    inputs = pipeline.preprocessing(some(data)).train[0][:4]

    def opened() -> Any:
        return importlib.import_module(f"occam.search.engines.{engine}").Engine(
            pipeline,
            name=name,
            storage=tmp_path / "study.journal",
            sampler="random",
            seed=0,
            metric=metric(pipeline.metric),
            search_target=pipeline.target,
            inputs=inputs,
        )

    searching = opened()
    for trial in searching.ask(3):
        model = build(pipeline, GivenHyperParameters(trial.hyperparameters))
        assert count(model, inputs).total == trial.parameter_count
        searching.tell(finish(trial, TrialState.COMPLETE, score=0.5, projected_score=0.5))
    resumed = opened()
    assert resumed.finished == searching.finished
    assert resumed.ask(1)[0].number == 3
