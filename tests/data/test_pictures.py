"""The picture of a model: which kind it is, and that its numbers are those of the predictions."""

from __future__ import annotations

import io

import numpy as np
from occam.search.data.pictures import as_png, picture
from occam.search.metrics import metric

RNG = np.random.default_rng(0)


def drawn(inputs, labels, predictions, name="accuracy", classes=()):
    figure = picture(inputs, labels, predictions, metric(name), classes)
    figure.savefig(io.BytesIO())
    return figure


def test_classes_get_a_confusion_matrix_with_their_names():
    labels = np.array([0, 1, 2, 2])
    figure = drawn(labels, labels, np.eye(3)[[0, 1, 2, 0]], classes=("a", "b", "c"))
    axes = figure.axes[0]
    assert [each.get_text() for each in axes.get_xticklabels()] == ["a", "b", "c"]
    drawn_at = {each.get_position(): each.get_text() for each in axes.texts}  # predicted, true
    assert drawn_at == {(0, 0): "1", (1, 1): "1", (2, 2): "1", (0, 2): "1"}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")


def test_names_with_dollar_signs_are_no_formulas():
    labels = np.array([0, 1])
    names = ("$0_$50^", "$50_$100")
    figure = picture(labels, labels, np.eye(2), metric("accuracy"), names)
    assert as_png(figure).startswith(b"\x89PNG")


def test_one_probability_and_tokens_of_sequences_are_classes_too():
    truth = np.array([0, 1, 1, 0])
    figures = (
        drawn(np.zeros((4, 2)), truth, RNG.random((4, 1)), "auc"),
        drawn(np.zeros((4, 3)), RNG.integers(0, 5, (4, 3)), RNG.random((4, 3, 5))),
    )
    for figure, rows in zip(figures, (4, 12), strict=True):
        assert sum(int(each.get_text()) for each in figure.axes[0].texts) == rows
        names = [each.get_text() for each in figure.axes[0].get_xticklabels()]
        assert names == [str(number) for number in range(len(names))] != []


def test_reconstructions_are_below_their_inputs_and_samples_below_real_images():
    images = RNG.random((20, 8, 8, 1))
    for inputs, title in ((images, "reconstructions"), (np.zeros((20, 4)), "generated")):
        figure = drawn(inputs, images.reshape(20, 64), RNG.random((20, 64)), "mse")
        assert figure.axes[8].get_ylabel() == title
    drawn(images[:3], images[:3].reshape(3, 64), RNG.random((3, 64)), "mse")


def test_numbers_are_drawn_against_the_truth():
    truth = RNG.random(50)
    figure = drawn(np.zeros((50, 2)), truth, truth[:, None] + 1, "r2")
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[:, 1], truth + 1)
