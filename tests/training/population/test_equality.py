"""A member of a population is the model that it would be alone: every layer, padded or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import keras
import numpy as np
import pytest
from architectures import (
    BATCH,
    CASES,
    CLASSES,
    IMAGE,
    ROW,
    ROWS,
    SERIES,
    branched,
    compiled,
    inputs,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from occam.search.training.population import blocks
from occam.search.training.population.dataset import Dataset
from occam.search.training.population.errors import Unsupported
from occam.search.training.population.layout import Layout, padded_widths
from occam.search.training.population.lowering import lower
from occam.search.training.population.program import Program

L = keras.layers
STEPS = 50


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule of the user's own, written as Keras's documentation does."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, step):
        return self.rate / (1 + keras.ops.cast(step, "float32") / 20)

    def get_config(self):
        return {"rate": self.rate}


def difference(models: Sequence[keras.Model], x: np.ndarray, y: np.ndarray) -> float:
    """Largest between weights trained together, at padded widths, and by Keras alone."""
    members = [lower(model, BATCH) for model in models]
    assert len({member.template for member in members}) == 1
    widths = padded_widths(members)
    program = Program(members[0], widths, Dataset((x, y), x[:11]), len(members))
    states = []
    for number, member in enumerate(members):
        layout = Layout.of(member, widths)
        own = [value for layer in member.layers for value in layer.get_weights()]
        padded = [place.embed(value) for place, value in zip(layout.places, own, strict=True)]
        states.append(program.state(member, layout, padded, number))
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    order = np.resize(np.random.default_rng(1).permutation(ROWS), (program.steps, BATCH))
    for _ in range(STEPS // program.steps):
        stacked, _, predicted = program.advance(
            stacked, np.stack([order] * len(members)), [member.schedule for member in members]
        )
    worst = 0.0
    for number, (model, member) in enumerate(zip(models, members, strict=True)):
        for _ in range(STEPS // program.steps):
            for rows in order:
                model.train_on_batch(x[rows], y[rows])
        state = jax.tree.map(lambda leaf, i=number: leaf[i], stacked)
        expected = [value for layer in member.layers for value in layer.get_weights()]
        for own, other in zip(program.weights(member, state), expected, strict=True):
            worst = max(worst, float(np.abs(own - other).max(initial=0)))
        worst = max(worst, float(np.abs(model.predict_on_batch(x[:11]) - predicted[number]).max()))
        assert not state["trained"][_padding(program, member)].any(), "padding has moved"
    return worst


def _padding(program: Program, member: object) -> np.ndarray:
    places = Layout.of(member, program.widths).places
    inside = [place.embed(np.ones(place.own_shape)) for place in places if place.weight.trainable]
    return np.concatenate([each.ravel() for each in inside]) == 0


IN_BLOCKS = ("convolutions", "stem", "valid and dilated", "one dimension")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "in_blocks"),
    [*((name, False) for name in CASES), *((name, True) for name in IN_BLOCKS)],
)
def test_members_of_different_widths_train_as_they_would_alone(
    name: str, in_blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_blocks:  # as arrays of a real search's size are computed on a processor
        monkeypatch.setattr(blocks, "LARGE", 1)
        monkeypatch.setattr(blocks, "FEWEST", 1)
        monkeypatch.setattr(blocks, "PLACES", 2 * BATCH)
    keras.utils.set_random_seed(1)  # Adam makes of a gradient that is zero but for rounding a step
    shape, layers = CASES[name]
    x = inputs(shape, vocabulary=9 if name == "embedding" else 0)
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    # On TensorFlow Adam skips the words that a batch does not have; on JAX and here it does not.
    sgd = name == "embedding"
    optimizers = [keras.optimizers.SGD(0.1) if sgd else keras.optimizers.Adam(0.01)] * 2
    models = [
        compiled(
            layers, width, shape, optimizer=type(optimizer).from_config(optimizer.get_config())
        )
        for width, optimizer in zip((3, 5), optimizers, strict=True)
    ]
    assert difference(models, x, y) < 1e-4


SCHEDULES = keras.optimizers.schedules
WARMUP = SCHEDULES.CosineDecay(0.1, 9, warmup_target=1.0, warmup_steps=5)
OPTIMIZERS: dict[str, Callable[[], keras.Optimizer]] = {
    "sgd": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.8),
    "nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.8, nesterov=True),
    "adam": lambda: keras.optimizers.Adam(0.01, beta_1=0.8, epsilon=1e-5),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "adamax": lambda: keras.optimizers.Adamax(0.01),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, rho=0.8),
    "adagrad": lambda: keras.optimizers.Adagrad(0.1),
    "cosine": lambda: keras.optimizers.Adam(SCHEDULES.CosineDecay(0.02, 30, alpha=0.1)),
    "exponential": lambda: keras.optimizers.SGD(
        SCHEDULES.ExponentialDecay(0.1, 9, 0.7, staircase=True), momentum=0.8, nesterov=True
    ),
    "inverse": lambda: keras.optimizers.AdamW(
        SCHEDULES.InverseTimeDecay(0.02, 10, 0.5), weight_decay=0.1
    ),
    "pieces": lambda: keras.optimizers.RMSprop(
        SCHEDULES.PiecewiseConstantDecay([10, 25], [0.01, 0.005, 0.001])
    ),
    "polynomial": lambda: keras.optimizers.Nadam(SCHEDULES.PolynomialDecay(0.02, 20, power=2.0)),
    "own": lambda: keras.optimizers.Adagrad(Halved(0.1)),
}


@pytest.mark.slow
def test_one_program_trains_members_with_every_optimizer() -> None:
    _, layers = CASES["dense"]
    models = [compiled(layers, 4, ROW, optimizer=make()) for make in OPTIMIZERS.values()]
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    assert difference(models, inputs(ROW), y) < 1e-4


LOSSES = {
    "categorical_crossentropy": "softmax",
    "binary_crossentropy": "sigmoid",
    "mse": "linear",
    "mae": "linear",
    "huber": "linear",
    "sparse_categorical_crossentropy": "softmax",
}


@pytest.mark.slow
@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_is_that_of_keras(loss: str) -> None:
    model = keras.Sequential([keras.Input(ROW), L.Dense(3, "tanh"), L.Dense(3, LOSSES[loss])])
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=loss, loss_weights=0.5)
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    if loss != "sparse_categorical_crossentropy":
        y = np.eye(3, dtype="float32")[y]
    assert difference([model], inputs(ROW), y) < 1e-4


@pytest.mark.slow
def test_logits_are_told_by_the_loss() -> None:
    model = keras.Sequential([keras.Input(ROW), L.Dense(CLASSES)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="sgd", loss=loss)
    member = lower(model, BATCH)
    x, y = inputs(ROW), np.zeros(ROW, int)
    program = Program(member, padded_widths([member]), Dataset((x, y), x), 1)
    stacked = jax.tree.map(lambda leaf: np.stack([leaf]), program.start(member, 0))
    order = np.resize(np.arange(ROWS), (1, program.steps, BATCH)).astype("int32")
    _, _, predicted = program.advance(stacked, order)
    assert np.allclose(predicted.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("combine", [L.Add, L.Multiply, L.Subtract, L.Maximum, L.Average])
def test_branches_that_meet_again(combine: type[keras.Layer]) -> None:
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    assert difference([branched(3, combine), branched(6, combine)], inputs(ROW), y) < 1e-4


@st.composite
def stacks(draw: st.DrawFn) -> Callable[[int], list[keras.Layer]]:
    """Convolutional networks of one to three blocks."""
    blocks = draw(st.integers(1, 3))
    choices = [
        (
            draw(st.sampled_from([L.Conv2D, L.SeparableConv2D])),
            draw(st.integers(0, 4)),
            draw(st.sampled_from([1, 2, 3])),
            draw(st.sampled_from([1, 2])),
            draw(st.sampled_from(["relu", "gelu", "sigmoid", "tanh"])),
            draw(st.booleans()),
        )
        for _ in range(blocks)
    ]
    head = draw(st.sampled_from([L.Flatten, L.GlobalAveragePooling2D]))

    def layers(width: int) -> list[keras.Layer]:
        stack: list[keras.Layer] = []
        for kind, more, kernel, strides, activation, normalized in choices:
            # A bias before a normalization has no gradient but noise, which Adam would enlarge.
            options = {"strides": strides, "padding": "same", "use_bias": not normalized}
            stack.append(kind(width + more, kernel, **options))
            stack += [L.BatchNormalization(momentum=0.9)] if normalized else []
            stack.append(L.Activation(activation))
        return [*stack, head()]

    return layers


@pytest.mark.slow
@settings(max_examples=6, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(layers=stacks(), widths=st.lists(st.integers(1, 6), min_size=2, max_size=3))
def test_random_architectures_train_as_they_would_alone(
    layers: Callable[[int], list[keras.Layer]], widths: list[int]
) -> None:
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    models = [compiled(layers, width, IMAGE) for width in widths]
    assert difference(models, inputs(IMAGE), y) < 1e-4


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: L.Lambda(lambda x: x), "Lambda"),
        (lambda: L.Dense(3, kernel_constraint="non_neg"), "kernel_constraint"),
        (lambda: L.Dense(3, activation=lambda x: x), "activation"),
        (lambda: L.LSTM(3, dropout=0.5), "dropout"),
        (lambda: L.Dense(3, dtype="mixed_float16"), "mixed_float16"),
        (lambda: L.Dense(3, kernel_regularizer="orthogonal_regularizer"), "regularizer"),
    ],
)
def test_what_has_no_counterpart_is_refused(layer: Callable[[], keras.Layer], words: str) -> None:
    shape = SERIES if "dropout" in words else ROW
    with pytest.raises(Unsupported, match=words):
        lower(compiled(lambda width: [layer()], 3, shape), BATCH)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": keras.optimizers.Adam(clipnorm=1.0)}, "clipnorm"),
        ({"optimizer": "lion"}, "optimizer Lion"),
        ({"optimizer": keras.optimizers.Adam(WARMUP)}, "schedule CosineDecay"),
        ({"loss": "poisson"}, "loss poisson"),
        ({"loss": lambda y, p: p}, "loss"),
    ],
)
def test_a_training_that_has_no_counterpart_is_refused(
    options: dict[str, object], words: str
) -> None:
    with pytest.raises(Unsupported, match=words):
        lower(compiled(lambda width: [], 3, ROW, **options), BATCH)


class Own(keras.Sequential):
    """A model of the user's own class."""


def test_subclassed_and_shared_models_are_refused() -> None:
    with pytest.raises(Unsupported, match="class Own"):
        lower(Own([keras.Input(ROW), L.Dense(1)]), BATCH)
    source, shared = keras.Input(ROW), L.Dense(4)
    twice = keras.Model(source, shared(shared(source)))
    twice.compile(optimizer="sgd", loss="mse")
    with pytest.raises(Unsupported, match="called twice"):
        lower(twice, BATCH)
