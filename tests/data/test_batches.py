"""Data that comes in batches, as Keras's `fit` takes it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from occam.search.data.batches import comes_in_batches, gathered
from occam.search.data.preparation import prepare
from occam.search.errors import InputError
from occam.search.pipeline import Data, Pipeline, split

X = np.arange(40, dtype="float32").reshape(20, 2)
Y = np.arange(20) % 2


class Batches(keras.utils.PyDataset):
    """Rows in batches, with as many of these as it says."""

    def __init__(self, many: int | None) -> None:
        super().__init__()
        self.many = many

    @property
    def num_batches(self) -> int | None:
        return self.many

    def __getitem__(self, index):
        return X[4 * index : 4 * index + 4], Y[4 * index : 4 * index + 4]


def dataset(*parts, size=6) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices(parts).batch(size)


@pytest.mark.parametrize("batches", [dataset(X, Y), Batches(5)])
def test_batches_become_the_rows_that_they_hold(batches):
    assert comes_in_batches(batches)
    inputs, labels = gathered(batches, ordered=True)
    np.testing.assert_array_equal(inputs, X)
    np.testing.assert_array_equal(labels, Y)
    assert inputs.dtype == np.float32


def test_torch_loads_the_same_rows():
    torch = pytest.importorskip("torch", reason="torch is not installed")
    rows = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    loader = torch.utils.data.DataLoader(rows, batch_size=6, shuffle=True)
    assert comes_in_batches(loader)
    for one, other in zip(gathered(loader), gathered(dataset(X, Y)), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("data", [X, (X, Y), [X, Y], {"x": X}, "text", None, 3])
def test_rows_do_not_come_in_batches(data):
    assert not comes_in_batches(data)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(20)), st.integers(1, 20))
def test_the_order_in_which_rows_are_read_means_nothing(order, size):
    rows = gathered(dataset(X[order], Y[order], size=size))
    for one, other in zip(rows, gathered(dataset(X, Y)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_dataset_that_is_shuffled_anew_is_split_alike():
    shuffled = dataset(X, Y).unbatch().shuffle(20).batch(4)
    for one, other in zip(split(shuffled).test, split(shuffled).test, strict=True):
        np.testing.assert_array_equal(one, other)


def test_inputs_may_be_nested_and_texts():
    names = np.array(["a", "b"] * 10)
    inputs, labels = gathered(dataset({"number": X, "name": names}, Y), ordered=True)
    np.testing.assert_array_equal(inputs["number"], X)
    assert inputs["name"].tolist() == names.tolist()
    np.testing.assert_array_equal(labels, Y)


def test_the_labels_of_one_output_may_have_its_name():
    plain = gathered(dataset(X, Y), ordered=True)
    named = gathered(dataset(X, {"out": Y}), ordered=True)
    np.testing.assert_array_equal(named[1], plain[1])
    for parts in (split(X, {"out": Y}), split(X, [Y])):
        np.testing.assert_array_equal(parts.train[1], split(X, Y).train[1])


def test_splits_of_a_pipeline_may_be_datasets():
    def data() -> Data:
        return Data(dataset(X, Y), (X, Y.tolist()), Batches(5))

    def made(**fields) -> Data:
        pipeline = Pipeline(data=data, space=lambda hp: None, target=0.9, name="toy", **fields)
        return prepare(pipeline).raw

    np.testing.assert_array_equal(made(chronological=True).train[0], X)
    assert sorted(made().train[0][:, 0]) == sorted(X[:, 0])
    assert made().validation[1].shape == (20,)
    assert len(made().test[1]) == 20


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (dataset(X, Y).repeat(), "A dataset never ends: leave out its .repeat()"),
        (Batches(None), "A PyDataset never ends: it needs num_batches"),
        ((pair for pair in [(X, Y)]), "Data cannot be a generator"),
        (dataset(X, Y).unbatch(), "A dataset gives single rows: give it in batches"),
        (dataset(X, Y, Y), r"must be \(inputs, labels\), received 3 parts"),
        (tf.data.Dataset.from_tensor_slices(X).batch(2), "received EagerTensor"),
        (dataset(X, Y).take(0), "A dataset is empty"),
        (dataset(X, {"one": Y, "two": Y}), "There are labels of several outputs"),
        (dataset(X, Y).concatenate(dataset(X[:, :1], Y)), "differ in shape: pad them alike"),
        (dataset(X, Y).map(lambda x, y: (tf.ensure_shape(x, (3, 2)), y)), "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_refused(batches, message):
    with pytest.raises(InputError, match=message):
        gathered(batches)
