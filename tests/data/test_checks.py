"""What data and labels are refused, and that what can be trained on is let through."""

from __future__ import annotations

import functools
import re
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from occam.search.data.checks import check_data
from occam.search.data.labels import check_classes, check_labels
from occam.search.errors import InputError
from occam.search.metrics import METRICS, metric
from occam.search.pipeline import Data
from occam.spaces.hyperparameters import WeightedLoss

ACCURACY, R2, AUC = metric("accuracy"), metric("r2"), metric("auc")
OWN = metric("numpy:mean")
LABELS = np.array([0, 1, 2, 1])
INPUTS = np.arange(8.0).reshape(4, 2)
TABLE = pd.DataFrame({"age": [1.0, 2.0, 3.0, 4.0], "size": [4, 3, 2, 1]})
MIXED = TABLE.assign(city=["a", "b", "c", "d"])


def data(transform: Any = None, **splits: Any) -> Data:
    good = {name: (INPUTS, LABELS) for name in ("train", "validation", "test")}
    return Data(**{**good, **splits}, transform=transform)


def alike(inputs: Any, labels: Any = LABELS, transform: Any = None) -> Data:
    return Data(*[(inputs, labels)] * 3, transform=transform)


def refused(message: str, given: Data, measured: Any = ACCURACY) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_data(given, measured)
    assert "\n" not in str(caught.value)


def changed(row: int, column: int, value: float) -> np.ndarray:
    inputs = INPUTS.copy()
    inputs[row, column] = value
    return inputs


@pytest.mark.parametrize(
    "inputs",
    [
        INPUTS,
        [INPUTS, np.arange(4)],
        (INPUTS, INPUTS.astype("uint8")),
        {"image": np.zeros((4, 8, 8, 1)), "age": np.ones(4)},
        {"left": [INPUTS, INPUTS], "right": INPUTS},
        TABLE,
        TABLE.assign(seen=pd.array([1, 2, 3, 4], dtype="Int64")),
        TABLE.assign(kind=pd.Categorical([1, 2, 1, 2]), old=[True, False] * 2),
        MIXED[["city"]].assign(kind=pd.Categorical(["x", "y", "y", "x"])),
        {"text": MIXED[["city"]], "numbers": TABLE},
        np.array(["a", "b", "c", "d"]),
        np.array(["a", None, "c", "d"])[[0, 2, 3, 3]],
    ],
    ids=lambda each: type(each).__name__,
)
def test_arrays_tables_and_nests_of_them_are_let_through(inputs):
    check_data(alike(inputs), ACCURACY)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        [0, 1, 2, 1],
        pd.Series([0, 1, 2, 1]),
        np.eye(3)[LABELS],
        np.eye(2)[LABELS % 2] * 0.9 + 0.05,  # smoothed
        np.array(["no", "yes"] * 2),
    ],
)
def test_labels_of_two_classes_or_more_are_let_through(labels):
    check_data(alike(INPUTS, labels), ACCURACY)


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_an_empty_split_is_refused(name):
    empty = (INPUTS[:0], LABELS[:0])
    refused(f"The {name} split is empty", data(**{name: empty}))
    refused(f"The {name} split is empty", data(**{name: (None, None)}))


def test_a_split_that_is_no_pair_is_refused():
    refused(r"The test split must be \(inputs, labels\), received ndarray", data(test=INPUTS))


def test_rows_without_a_label_are_refused():
    refused(
        "validation split has 4 rows of inputs and 3 labels", data(validation=(INPUTS, [0, 1, 2]))
    )
    uneven = {"a": INPUTS, "b": INPUTS[:2]}
    refused("train split has 2 rows of inputs 'b' and 4 labels", alike(uneven))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_inputs_that_are_not_finite_are_refused_with_their_place(value):
    message = r"The test inputs \(columns 1\) have .* in 1 of 4 rows \(row 2\)"
    refused(message, data(test=(changed(2, 1, value), LABELS)))


def test_labels_that_are_not_finite_are_refused():
    refused("train labels have missing", alike(INPUTS, [1.0, np.nan, 2.0, 3.0]), R2)
    refused("train labels have missing", alike(INPUTS, np.array(["a", None, "b", "c"])))


def test_missing_values_in_a_table_are_refused_by_column():
    refused("column 'age' have missing", alike(TABLE.assign(age=[1.0, np.nan, 2.0, np.nan])))
    refused("column 'city' have missing", alike(MIXED.assign(city=["a", None, "c", "d"])))
    seen = pd.array([1, None, 3, 4], dtype="Int64")
    refused("column 'seen' have missing", alike(TABLE.assign(seen=seen)))


def test_text_is_refused_once_it_should_have_been_transformed():
    refused("train inputs are still text after preprocessing: city", alike(MIXED, transform=abs))
    mixed = np.array([[1, "a"]] * 4, dtype=object)
    refused("train inputs are still text after preprocessing: 1, a", alike(mixed, transform=abs))
    numbers = alike(INPUTS.astype(object), transform=abs)
    refused("train inputs are numbers held as objects", numbers)
    check_data(alike(np.array(["good", "bad"] * 2), transform=abs), ACCURACY)


@pytest.mark.parametrize(
    "values",
    [["a", "b", "c", "d"], pd.Categorical(["a", "b"] * 2), pd.date_range("2024", periods=4)],
    ids=["text", "categories", "dates"],
)
def test_a_table_of_more_than_numbers_is_refused_by_its_columns(values):
    message = "Columns 'x' of the train inputs are text or dates: turn them into .* preprocessing="
    refused(message, alike(TABLE.assign(x=values)))
    refused("Columns 'x' of the train inputs 'a' are", alike({"a": TABLE.assign(x=values)}))
    dated = MIXED[["city"]].assign(day=pd.date_range("2024", periods=4))
    refused("Columns 'city', 'day' of the train inputs are text or dates", alike(dated))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (scipy.sparse.csr_matrix(INPUTS), "sparse matrix: make them dense"),
        ([[1.0, 2.0]] * 4, r"inputs are a list: give np.asarray\(...\) of it"),
        (
            list(INPUTS),
            r"The inputs are a list of 4 arrays, .* 4 inputs: give np.asarray\(...\) of it",
        ),
        (tuple(INPUTS), r"The inputs are a tuple of 4 arrays, which stands for 4 inputs"),
        (INPUTS.astype(object), r"train inputs are numbers held as objects: give them as .astype"),
        (TABLE.astype(object), "train inputs, column 'age' are numbers held as objects"),
    ],
)
def test_what_no_trainer_takes_is_refused(inputs, message):
    refused(message, alike(inputs))


def test_labels_that_are_objects_are_refused():
    refused("train labels are numbers held as objects", alike(INPUTS, LABELS.astype(object)))


def test_a_single_class_to_learn_from_is_refused():
    refused("train labels have only one class, 1", data(train=(INPUTS, [1, 1, 1, 1])))
    refused("train labels have only one class", data(train=(INPUTS, np.eye(3)[[1, 1, 1, 1]])))
    refused("train labels have only one value, 2.5", data(train=(INPUTS, [2.5] * 4)), R2)


def test_a_single_class_to_be_tested_on_is_refused_where_the_metric_is_undefined():
    alone = data(test=(INPUTS, [1, 1, 1, 1]))
    check_data(alone, ACCURACY)
    refused("test labels have only one class", alone, AUC)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (np.zeros((4, 3)), r"validation inputs are fractions of shape \(3,\), the train inputs"),
        (INPUTS.astype("uint8"), r"are whole numbers of shape \(2,\), the train inputs fractions"),
        (
            np.array([["a", "b"]] * 4),
            r"inputs are text of shape \(2,\), the train inputs fractions",
        ),
        ({"a": INPUTS}, "Only one of the train and the validation split has inputs"),
        (TABLE, "Only one of the train and the validation split has inputs"),
    ],
)
def test_splits_that_are_unlike_are_refused(other, message):
    refused(message, data(validation=(other, LABELS)))


def test_splits_of_other_precision_or_order_of_whole_numbers_are_alike():
    check_data(data(test=(INPUTS.astype("float32"), LABELS.astype("uint8"))), ACCURACY)
    check_data(data(test=(INPUTS, LABELS.astype(float))), ACCURACY)


def test_tables_with_other_columns_are_refused():
    given = Data((TABLE, LABELS), (TABLE, LABELS), (TABLE.rename(columns={"age": "Age"}), LABELS))
    refused("Only one of the train and the test split has .*column 'Age'.*column 'age'", given)


def accepted(labels: Any, loss: Any, output_shape: Any, measured: Any = ACCURACY) -> None:
    check_labels(np.asarray(labels), loss, output_shape, measured)


def misfit(message: str, labels: Any, loss: Any, output_shape: Any, measured: Any = ACCURACY):
    with pytest.raises(InputError, match=message) as caught:
        check_labels(labels, loss, output_shape, measured)
    assert "\n" not in str(caught.value)


SPARSE = "sparse_categorical_crossentropy"


class OwnLoss(keras.losses.SparseCategoricalCrossentropy):
    """A user's own."""


@pytest.mark.parametrize(
    "loss",
    [
        SPARSE,
        "SparseCategoricalCrossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, name="mine"),
        functools.partial(keras.losses.sparse_categorical_crossentropy, from_logits=True),
        OwnLoss(),
        [SPARSE],
        {"output": SPARSE},
    ],
)
def test_a_loss_is_known_however_it_is_given(loss):
    accepted([0, 1, 2], loss, (None, 3))
    misfit(
        "Labels must be whole numbers from 0 to 2, .* received 3 in 1 of 3",
        [0, 3, 2],
        loss,
        (None, 3),
    )


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [1, 2, 3],
            r"from 0 to 2, as the model has 3 outputs, received 3 in 1 of 3 rows \(row 2\)",
        ),
        ([-1, 0, 1], "received -1 in 1 of 3 rows"),
        ([0.5, 1.0, 2.0], "received 0.5 in 1 of 3 rows"),
        (np.eye(3), "for one-hot labels use the loss 'categorical_crossentropy'"),
        (np.array(["no", "yes"]), r"Labels must be numbers, received no, yes: .*Pipeline\(classes"),
        (np.array(["no", "yes"], dtype=object), "Labels must be numbers"),
    ],
)
def test_labels_that_are_no_class_numbers_are_refused(labels, message):
    misfit(message, labels, SPARSE, (None, 3))


@given(st.lists(st.integers(-3, 12), min_size=1), st.integers(1, 10))
def test_class_numbers_fit_exactly_where_the_model_has_an_output_for_each(labels, classes):
    fits = all(0 <= label < classes for label in labels)
    for shaped in (np.array(labels), np.array(labels)[:, None], np.array(labels, dtype=float)):
        if fits:
            accepted(shaped, SPARSE, (None, classes))
        else:
            misfit("Labels must be whole numbers", shaped, SPARSE, (None, classes))


def test_a_class_for_each_step_of_a_sequence_is_let_through():
    accepted(np.zeros((4, 7), int), SPARSE, (None, 7, 3))
    accepted(np.zeros((4, 7, 1), int), SPARSE, (None, None, 3))


@pytest.mark.parametrize(
    ("labels", "loss", "outputs", "measured"),
    [
        (LABELS, SPARSE, (6, 6, 3), ACCURACY),
        (LABELS[:, None], SPARSE, (6, 6, 3), ACCURACY),
        (LABELS, SPARSE, (None, 3), ACCURACY),
        (np.eye(3)[LABELS], "categorical_crossentropy", (6, 6, 3), ACCURACY),
        (LABELS // 2, "binary_crossentropy", (6, 6, 1), ACCURACY),
        (LABELS // 2, "binary_crossentropy", (7, 1), AUC),
        (LABELS + 0.5, "mse", (6, 6, 1), R2),
        (LABELS[:, None] + 0.5, "mae", (7, 1), R2),
    ],
)
def test_a_missing_flatten_is_named(labels, loss, outputs, measured):
    message = re.escape(f"outputs have shape {outputs} a row, and there is one label a row: put Fl")
    misfit(message, labels, loss, (None, *outputs), measured)


def test_labels_with_fewer_axes_than_the_outputs_are_refused():
    message = r"outputs have shape \(5, 7, 3\) a row, and there are labels of shape \(7,\) a row"
    misfit(message, np.zeros((4, 7), int), SPARSE, (None, 5, 7, 3))
    steps = np.zeros((4, 7), int)
    misfit("must be one-hot in 3 columns", steps, "categorical_crossentropy", (None, 7, 3))


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", keras.losses.CategoricalCrossentropy()]
)
def test_one_hot_labels_need_a_column_for_each_output(loss):
    accepted(np.eye(3), loss, (None, 3))
    accepted(np.full((4, 3), 1 / 3).round(4), loss, (None, 3))
    misfit("one-hot in 3 columns", np.eye(4), loss, (None, 3))
    for labels in (LABELS, LABELS[:3]):  # of as many rows as there are classes, too
        misfit("whole numbers need 'sparse_categorical_crossentropy'", labels, loss, (None, 3))
    misfit("do not in 2 of 3 rows", np.eye(3)[[0, 0, 0]] * [[1], [2], [0]], loss, (None, 3))


@pytest.mark.parametrize(
    "loss", ["binary_crossentropy", "bce", keras.losses.BinaryFocalCrossentropy()]
)
def test_a_binary_loss_needs_labels_of_0_and_1_and_one_output(loss):
    accepted([0, 1, 1], loss, (None, 1))
    accepted([True, False], loss, (None, 1))
    accepted([[0.0], [1.0]], loss, (None, 1), AUC)
    misfit("Labels must be 0 or 1 with this loss, received 2 in 1 of 4", LABELS, loss, (None, 1))
    misfit("received -1", [-1, 1], loss, (None, 1))
    misfit(r"The model has 2 outputs, .* needs Dense\(1, 'sigmoid'\)", [0, 1], loss, (None, 2))
    misfit(r"Rows of labels have shape \(2,\)", np.eye(2), loss, (None, 1))


@pytest.mark.parametrize("loss", ["mse", "mae", keras.losses.Huber(), lambda y, p: 0.0])
def test_a_regression_needs_as_many_labels_as_outputs(loss):
    accepted([1.5, 2.5], loss, (None, 1), R2)
    accepted(np.ones((4, 3)), loss, (None, 3), R2)
    misfit(
        r"Rows of labels have shape \(\), the model's outputs \(3,\)",
        [1.5, 2.5],
        loss,
        (None, 3),
        R2,
    )
    misfit(r"Rows of labels have shape \(3,\)", np.ones((4, 3)), loss, (None, 1), R2)


@pytest.mark.parametrize("loss", ["mse", "huber", keras.losses.MeanAbsoluteError()])
@pytest.mark.parametrize("name", ["accuracy", "balanced_accuracy", "f1"])
def test_one_output_tells_no_more_than_two_classes(loss, name):
    accepted([0, 1, 1], loss, (None, 1), metric(name))
    accepted([[0.0], [1.0]], loss, (None, 1), metric(name))
    accepted([0, 1, 2], loss, (None, 1), R2)
    message = f"{name} of a model with one output tells 0 from 1, received labels 0, 1, 2: measure"
    misfit(message, LABELS, loss, (None, 1), metric(name))
    misfit(message, np.array([[[0], [1]], [[2], [0]]]), loss, (None, 2, 1), metric(name))


@pytest.mark.parametrize(
    ("loss", "named"),
    [
        ("mse", "mse"),
        ("kl_divergence", "kl_divergence"),
        (keras.losses.CategoricalHinge(), "CategoricalHinge"),
        (keras.losses.categorical_hinge, "categorical_hinge"),
    ],
)
def test_a_loss_of_differences_needs_one_hot_labels(loss, named):
    accepted(np.eye(3)[LABELS], loss, (None, 3))
    accepted(np.zeros((4, 7, 3)), loss, (None, None, 3))
    message = f"Loss '{named}' compares 3 outputs with one-hot labels, received rows of shape "
    misfit(
        message + r"\(\): give keras.utils.to_categorical\(y\), or use 's", LABELS, loss, (None, 3)
    )
    misfit(message, LABELS[:3], loss, (None, 3))
    misfit(message, LABELS[:, None], loss, (None, 3))
    misfit(message, np.zeros((4, 7), int), loss, (None, 7, 3))
    misfit("put Flatten", LABELS, loss, (None, 7, 7, 3))


def test_losses_that_take_whole_numbers_are_let_through():
    accepted(LABELS, keras.losses.Circle(), (None, 3))
    accepted(np.zeros((4, 2), int), "ctc", (None, 7, 3))


@pytest.mark.parametrize(
    ("measured", "classes", "message"),
    [
        (AUC, 2, r"Metric auc ranks rows by one output, .*Dense\(1, 'sigmoid'\).*binary_cross"),
        (AUC, 10, "Metric auc tells two classes apart, but there are 10: give .* or f1"),
        (R2, 10, "Metric r2 measures numbers, but the labels are 10 classes: give accuracy, bal"),
    ],
)
@pytest.mark.parametrize("loss", [SPARSE, WeightedLoss(loss=SPARSE, weights=[1.0] * 10)])
def test_a_metric_that_has_no_use_for_a_probability_a_class_is_refused(
    loss, measured, classes, message
):
    misfit(message, [0, 1, 1], loss, (None, classes), measured)


def test_the_area_under_the_curve_needs_as_many_predictions_as_labels():
    misfit(r"outputs \(2,\)", [0, 1, 1], "mse", (None, 2), AUC)


@pytest.mark.parametrize("measured", METRICS.values(), ids=METRICS)
def test_losses_that_keras_does_not_have_and_models_of_several_outputs_are_let_through(measured):
    accepted([[7.5], [-1]], lambda y, p: 0.0, (None, 1), measured)
    accepted([7, 8], None, (None, 1), measured)
    accepted([7, 8], SPARSE, [(None, 3), (None, 1)], measured)
    accepted([7, 8], SPARSE, {"a": (None, 3)}, measured)


def test_a_metric_of_ones_own_takes_outputs_as_it_likes():
    accepted([1.5, 2.5], lambda y, p: 0.0, (None, 2), OWN)  # a mean and a variance
    misfit(r"Rows of labels have shape \(\)", [1.5, 2.5], "mse", (None, 2), OWN)
    padded = keras.losses.SparseCategoricalCrossentropy(ignore_class=-1)
    accepted([[0, 2, -1], [1, -1, -1]], padded, (None, 3, 3), OWN)
    misfit("received -1 in 1 of 2 rows", [-1, 2], padded, (None, 3))


def test_grey_pixels_may_be_learned_by_a_binary_loss():
    accepted(np.full((4, 3), 0.3), "binary_crossentropy", (None, 3), R2)
    misfit("must be from 0 to 1 with this loss", [[1.5]], "binary_crossentropy", (None, 1), R2)


def test_one_number_a_row_is_one_output():
    accepted([0, 1], "binary_crossentropy", (None,))
    check_classes(("a", "b"), (None,))


@pytest.mark.parametrize("labels", [[0.5, 1.5], [-1.0, 1.0], [[0.5], [1.5]]])
def test_numbers_are_not_measured_as_classes(labels):
    inputs, numbers = np.zeros((4, 2)), np.array(labels * 2)
    split = (inputs, numbers)
    data = Data(split, split, split)
    with pytest.raises(InputError, match="accuracy needs labels of classes, whole numbers"):
        check_data(data, metric("accuracy"))
    check_data(data, metric("mae"))


def test_two_columns_of_one_name_are_refused():
    table = pd.DataFrame(np.zeros((4, 3)), columns=list("aab"))
    refused("The inputs have two columns of one name: a", alike(table))


def test_columns_in_another_order_are_refused():
    labels = np.array([0, 1, 0, 1])
    train = pd.DataFrame({"a": [1.0, 2, 3, 4], "b": [4.0, 3, 2, 1]})
    other = (train[["b", "a"]], labels)
    with pytest.raises(InputError, match="validation inputs come in another order"):
        check_data(Data((train, labels), other, (train, labels)), metric("accuracy"))


@pytest.mark.parametrize(("names", "outputs"), [(("only",), 2), (("a", "b", "c"), 1)])
def test_names_are_as_many_as_classes(names, outputs):
    with pytest.raises(InputError, match="names of classes are given, and the model tells 2 apart"):
        check_classes(names, (None, outputs))
    check_classes(("a", "b"), (None, outputs))
