"""What the report draws of the test rows, for each kind of task."""

from __future__ import annotations

import base64

import numpy as np
from occam.search.held_out import HeldOut
from occam.search.metrics import metric
from occam.search.report.layers import layers
from occam.search.report.predictions import predictions

RNG = np.random.default_rng(0)


def test_classes_become_a_confusion_matrix():
    labels, chosen = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 2])
    rows = HeldOut.of("s", labels, np.eye(3)[chosen], metric("accuracy"))
    found = predictions(rows, np.zeros((1, 4)), metric("accuracy"), ("a", "b", "c"))
    assert found == {
        "kind": "classes",
        "names": ["a", "b", "c"],
        "counts": [[1, 1, 0], [0, 1, 0], [0, 0, 1]],
    }


def test_probabilities_of_an_auc_become_one_too():
    rows = HeldOut.of("s", np.array([0, 1]), np.array([[0.9], [0.8]]), metric("auc"))
    found = predictions(rows, np.zeros((1, 4)), metric("auc"), ())
    assert found is not None
    assert found["counts"] == [[0, 1], [0, 1]]


def test_numbers_become_points():
    rows = HeldOut.of("s", np.array([1.0, 2.0]), np.array([[1.5], [2.0]]), metric("mae"))
    found = predictions(rows, np.zeros((1, 4)), metric("mae"), ())
    assert found == {"kind": "numbers", "points": [[1.0, 1.5], [2.0, 2.0]]}
    tiny = HeldOut.of("s", np.array([1e-7, 2e-7]), np.array([[3e-7], [2e-7]]), metric("mae"))
    found = predictions(tiny, np.zeros((1, 4)), metric("mae"), ())
    assert found == {"kind": "numbers", "points": [[1e-7, 3e-7], [2e-7, 2e-7]]}


def test_images_become_a_picture():
    images = RNG.random((10, 784))
    rows = HeldOut.of("s", images, images, metric("mse"))
    found = predictions(rows, images[:1], metric("mse"), ())
    assert found is not None
    assert base64.b64decode(found["png"]).startswith(b"\x89PNG")
    assert found["alt"].startswith("Reconstructions")
    generated = predictions(rows, np.zeros((1, 8)), metric("mse"), ())
    assert generated is not None
    assert generated["alt"].startswith("Generated")


def test_layers_are_listed_with_their_parameters():
    import keras

    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu")])
    model = keras.Sequential([keras.Input((4,)), inner, keras.layers.Dropout(0.5)])
    rows = layers(model)
    assert [(row["type"], row["output"], row["parameters"]) for row in rows] == [
        ("Dense", "3", 15),
        ("Dropout", "3", 0),
    ]
    assert rows[0]["settings"] == "units 3, activation relu"


def test_one_hot_labels_of_an_auc_are_counted_by_the_row():
    labels = np.eye(3)[[0, 1, 2, 2]]
    outputs = np.eye(3)[[0, 1, 2, 1]] * 0.8 + 0.05
    rows = HeldOut.of("s", labels, outputs, metric("auc"))
    found = predictions(rows, np.zeros((1, 4)), metric("auc"), ("cat", "dog", "cow"))
    assert found["counts"] == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]


def test_the_parameters_of_the_layers_add_up():
    import keras

    shared = keras.layers.Dense(4)
    inner = keras.Sequential([keras.Input((4,)), shared])
    inputs = keras.Input((4,))
    model = keras.Model(inputs, inner(shared(inputs)))
    assert sum(row["parameters"] for row in layers(model)) == model.count_params() == 20

    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense, self.scale = keras.layers.Dense(2), self.add_weight(shape=(3,))

        def call(self, inputs):
            return self.dense(inputs) * self.scale[0]

    scaled = Scaled()
    scaled(np.zeros((1, 4)))
    assert [row["parameters"] for row in layers(scaled)] == [10, 3]
