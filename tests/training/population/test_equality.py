"""A member of a population is the model that it would be alone: every layer, padded or not."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

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
from occam.search.training.population.dataset import Dataset, _numbers
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


def difference(models: Sequence[keras.Model], x: Any, y: np.ndarray, steps: int = STEPS) -> float:
    """Largest between weights trained together, at padded widths, and by Keras alone."""
    members = [lower(model, BATCH) for model in models]
    assert len({member.template for member in members}) == 1
    widths = padded_widths(members)
    dataset = Dataset((x, y), of_rows(x, slice(11)))
    for member in members:
        dataset.check(member)
    program = Program(members[0], widths, dataset, len(members))
    states = []
    for number, member in enumerate(members):
        layout = Layout.of(member, widths)
        own = [value for layer in member.layers for value in layer.get_weights()]
        padded = [place.embed(value) for place, value in zip(layout.places, own, strict=True)]
        states.append(program.state(member, layout, padded, number))
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
    order = np.resize(np.random.default_rng(1).permutation(ROWS), (program.steps, BATCH))
    for _ in range(steps // program.steps):
        stacked, _, predicted = program.advance(
            stacked, np.stack([order] * len(members)), [member.schedule for member in members]
        )
    worst = 0.0
    for number, (model, member) in enumerate(zip(models, members, strict=True)):
        model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the step twice
        for _ in range(steps // program.steps):
            for rows in order:
                model.train_on_batch(of_rows(x, rows), y[rows])
        state = jax.tree.map(lambda leaf, i=number: leaf[i], stacked)
        expected = [value for layer in member.layers for value in layer.get_weights()]
        for own, other in zip(program.weights(member, state), expected, strict=True):
            worst = max(worst, float(np.abs(own - other).max(initial=0)))
        alone = model.predict_on_batch(of_rows(x, slice(11)))
        worst = max(worst, float(np.abs(alone - predicted[number]).max()))
        assert not state["trained"][_padding(program, member)].any(), "padding has moved"
    return worst


def of_rows(x: Any, rows: Any) -> Any:
    return keras.tree.map_structure(lambda leaf: leaf[rows], x)


def _padding(program: Program, member: object) -> np.ndarray:
    places = Layout.of(member, program.widths).places
    inside = [place.embed(np.ones(place.own_shape)) for place in places if place.weight.trainable]
    return np.concatenate([each.ravel() for each in inside]) == 0


IN_BLOCKS = ("convolutions", "stem", "valid and dilated", "transposed", "one dimension")


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


def merging(
    build: Callable[[Any, int], Any], width: int, shape: Sequence[int], optimizer: Any = "adam"
) -> keras.Model:
    source = keras.Input(shape)
    model = keras.Model(source, L.Dense(CLASSES, "softmax")(build(source, width)))
    model.compile(optimizer=optimizer, loss="sparse_categorical_crossentropy")
    return model


def beside_both_directions(x: Any, width: int) -> Any:
    both = L.Bidirectional(L.LSTM(width, return_sequences=True))(x)
    return L.GlobalAveragePooling1D()(L.Add()([L.Dense(2 * width)(x), both]))


def beside_a_concatenation(x: Any, width: int) -> Any:
    two = L.Concatenate()([L.Dense(width, "sigmoid")(x), L.Dense(width)(x)])
    return L.Add()([two, L.Dense(2 * width, "sigmoid")(x)])


def beside_something_flat(x: Any, width: int) -> Any:
    flat = L.Flatten()(L.Dense(width)(x))
    return L.Multiply()([flat, L.Dense(SERIES[0] * width, "sigmoid")(L.Flatten()(x))])


def beside_its_image(x: Any, width: int) -> Any:
    units = L.Dense(6 * width, "sigmoid")(x)
    image = L.Conv2DTranspose(width, 2, activation="relu")(L.Reshape((3, 2, width))(units))
    return L.Concatenate()([units, L.Flatten()(image)])


def of_the_last_inputs(x: Any, width: int) -> Any:
    cut = L.Cropping1D((1, 0))(L.Reshape((ROW[0], 1))(x))
    return L.Dense(width, "relu")(L.Flatten()(cut))


def beside_all_inputs(x: Any, width: int) -> Any:
    whole = L.Reshape((ROW[0], 1))(x)
    first = L.Flatten()(L.Cropping1D((0, 2))(whole))
    return L.Concatenate()([L.Dense(width, "relu")(first), L.Flatten()(whole)])


def of_the_first_twice(x: Any, width: int) -> Any:
    first = L.Flatten()(L.Cropping1D((0, 1))(L.Reshape((ROW[0], 1))(x)))
    return L.Concatenate()([L.Dense(width, "sigmoid")(first), first])


def with_the_input(x: Any, width: int) -> Any:
    return L.Dense(width, "relu")(L.Add()([L.Dense(x.shape[-1])(L.Dense(width)(x)), x]))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "shape", "widths"),
    [
        (beside_both_directions, SERIES, [3]),
        (beside_a_concatenation, ROW, [3]),
        (beside_something_flat, SERIES, [3]),
        (beside_its_image, ROW, [3]),
        (of_the_last_inputs, ROW, [3, 5]),
        (beside_all_inputs, ROW, [3, 5]),
        (of_the_first_twice, ROW, [3, 5]),
        (with_the_input, ROW, [3, 5]),
        (with_the_input, SERIES[1:], [3, 5]),  # a width that would be padded
    ],
)
def test_what_is_used_in_two_places_is_not_padded_in_one(
    build: Callable[[Any, int], Any], shape: Sequence[int], widths: list[int]
) -> None:
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    assert difference([merging(build, w, shape) for w in widths], inputs(shape), y) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("loss", "units", "activation"),
    [
        ("sparse_categorical_crossentropy", CLASSES, "softmax"),
        ("mse", 1, "linear"),
        ("binary_crossentropy", 1, "sigmoid"),
    ],
)
@pytest.mark.parametrize("more", [(), (1,)])
def test_labels_of_images_may_lack_their_channel(
    loss: str, units: int, activation: str, more: tuple[int, ...]
) -> None:
    def model(width: int) -> keras.Model:
        stack = [keras.Input(IMAGE), L.Conv2D(width, 3, padding="same", activation="relu")]
        made = keras.Sequential([*stack, L.Conv2D(units, 1, activation=activation)])
        made.compile(optimizer=keras.optimizers.SGD(0.1), loss=loss)
        return made

    y = np.random.default_rng(2).integers(0, min(units + 1, CLASSES), (ROWS, *IMAGE[:2], *more))
    assert difference([model(3), model(5)], inputs(IMAGE), y, steps=20) < 1e-4


def zeros_first(shape: Sequence[int]) -> np.ndarray:
    """What a network without biases makes equal values of."""
    x = inputs(shape)
    x[:, : shape[0] // 2] = 0
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    "pool",
    [
        lambda: [L.GlobalMaxPooling1D()],
        lambda: [L.MaxPooling1D(3, strides=2), L.Flatten()],
        lambda: [L.MaxPooling1D(3, strides=1, padding="same"), L.Flatten()],
        lambda: [L.MaxPooling1D(2), L.Flatten()],
    ],
)
def test_equally_large_values_share_a_gradient_as_in_keras(
    pool: Callable[[], list[keras.Layer]],
) -> None:
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    models = [
        compiled(
            lambda width: [L.SimpleRNN(width, return_sequences=True), *pool()],
            width,
            SERIES,
            optimizer=keras.optimizers.SGD(0.1),
        )
        for width in (3, 5)
    ]
    assert difference(models, zeros_first(SERIES), y, steps=10) < 1e-4


def wide_and_deep(order: Sequence[str] | None) -> keras.Model:
    """Takes its inputs in this order; None: by their names."""
    given = {name: keras.Input((4,), name=name) for name in ("wide", "deep")}
    branches = [L.Dense(3, "relu")(given["wide"]), L.Dense(4, "tanh")(given["deep"])]
    outputs = L.Dense(CLASSES, "softmax")(L.Concatenate()(branches))
    model = keras.Model([given[name] for name in order] if order else given, outputs)
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return model


NAMED = {"wide": inputs(ROW), "deep": 1 - 3 * inputs(ROW)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "x"),
    [
        (None, NAMED),
        (("wide", "deep"), NAMED),
        (("deep", "wide"), NAMED),
        (("wide", "deep"), {**NAMED, "another": inputs(ROW)}),
        (("wide", "deep"), tuple(NAMED.values())),
    ],
)
def test_inputs_are_found_by_name_or_in_order(order: Sequence[str] | None, x: Any) -> None:
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    assert difference([wide_and_deep(order)], x, y) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "layers", "x"),
    [
        (((4,), "int32"), [L.Rescaling(0.5)], 3 * inputs(ROW)),
        (((4,), "float32"), [], inputs(ROW, vocabulary=9)),
        (((4, 1), "float32"), [L.Conv1D(3, 2), L.Flatten()], inputs(ROW)),
        (((1,), "float32"), [L.Dense(3)], inputs(ROW)[:, 0]),
        (((4,), "float32"), [], inputs(ROW)[..., None]),
        (((5,), "float32"), [L.Embedding(9, 3), L.Flatten()], inputs((5,), vocabulary=9)),
    ],
)
def test_data_is_given_the_type_and_rank_of_an_input(
    source: tuple[Sequence[int], str], layers: list[keras.Layer], x: np.ndarray
) -> None:
    shape, dtype = source
    model = keras.Sequential(
        [keras.Input(shape, dtype=dtype), *layers, L.Dense(CLASSES, "softmax")]
    )
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    assert difference([model], x, y) < 1e-4


def one_layer(loss: str = "sparse_categorical_crossentropy") -> keras.Model:
    return compiled(lambda width: [], 3, ROW, loss=loss)


def of_words() -> keras.Model:
    return compiled(lambda width: [L.Embedding(9, width), L.Flatten()], 3, (5,))


@pytest.mark.parametrize(
    ("make", "x", "labels", "words"),
    [
        (lambda: wide_and_deep(None), {**NAMED, "another": inputs(ROW)}, (), "of other names"),
        (lambda: wide_and_deep(None), tuple(NAMED.values()), (), "data without names"),
        (lambda: wide_and_deep(("wide", "deep")), {"wide": inputs(ROW)}, (), "of other names"),
        (lambda: wide_and_deep(("wide", "deep")), inputs(ROW), (), "2 inputs"),
        (one_layer, {"rows": inputs(ROW)}, (), "of other names"),
        (one_layer, inputs(SERIES), (), "rows of shape"),
        (one_layer, inputs(ROW).astype(str), (), "inputs of type <U"),
        (one_layer, inputs(ROW), (3,), "labels of shape"),
        (lambda: one_layer("categorical_crossentropy"), inputs(ROW), (), "labels of shape"),
        (lambda: one_layer("mse"), inputs(ROW), (1,), "labels of shape"),
        (of_words, inputs((5,), vocabulary=12), (), "an Embedding of 9 words, for 0 to 11"),
        (of_words, inputs((5,), vocabulary=9) - 1, (), "an Embedding of 9 words, for -1 to 7"),
    ],
)
def test_data_that_does_not_match_is_refused(
    make: Callable[[], keras.Model], x: Any, labels: tuple[int, ...], words: str
) -> None:
    dataset = Dataset((x, np.zeros((ROWS, *labels), int)), of_rows(x, slice(11)))
    with pytest.raises(Unsupported, match=words):
        dataset.check(lower(make(), BATCH))


def test_an_embedding_of_what_is_computed_is_refused() -> None:
    model = compiled(lambda width: [L.Flatten(), L.Embedding(9, width), L.Flatten()], 3, (5, 1))
    x = inputs((5, 1), vocabulary=9)
    with pytest.raises(Unsupported, match="an Embedding of what is computed"):
        Dataset((x, np.zeros(ROWS, int)), x).check(lower(model, BATCH))


@pytest.mark.parametrize("forget", [True, False])
def test_an_lstm_begins_with_the_biases_of_its_user(forget: bool) -> None:
    bias = keras.initializers.Constant(3.0)
    make = lambda width: [L.LSTM(width, bias_initializer=bias, unit_forget_bias=forget)]  # noqa: E731
    model = compiled(make, 4, SERIES)
    member = lower(model, BATCH)
    layout = Layout.of(member, padded_widths([member]))
    drawn = layout.own(layout.initial(member, np.random.default_rng(0)))
    assert np.array_equal(drawn[2], model.layers[0].get_weights()[2])


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


class Regularizer(keras.regularizers.Regularizer):
    """Cannot be written down."""

    def __call__(self, x):
        return keras.ops.sum(x**2)


class HeNormal(keras.initializers.Initializer):
    """Called like one of Keras's."""

    def __call__(self, shape, dtype=None, **options):
        return keras.ops.ones(shape, dtype)

    def get_config(self):
        return {}


def relu(x):
    """Called like one of Keras's."""
    return 2 * keras.ops.relu(x)


def mean_squared_error(labels, predictions):
    """Called like one of Keras's."""
    return 2 * keras.ops.mean((labels - predictions) ** 2, axis=-1)


class MeanSquaredError(keras.losses.MeanSquaredError):
    """Called like the one it is made of."""


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (lambda: L.Lambda(lambda x: x), "Lambda"),
        (lambda: L.Dense(3, kernel_constraint="non_neg"), "kernel_constraint"),
        (lambda: L.Dense(3, activation=lambda x: x), "activation"),
        (lambda: L.Dense(3, activation=relu), "an activation of its own, relu"),
        (lambda: L.LSTM(3, recurrent_activation=relu), "an activation of its own, relu"),
        (lambda: L.Dense(3, activity_regularizer="l2"), "activity_regularizer"),
        (lambda: L.LSTM(3, dropout=0.5), "dropout"),
        (lambda: L.Dense(3, dtype="mixed_float16"), "mixed_float16"),
        (lambda: L.Dense(3, kernel_regularizer="orthogonal_regularizer"), "regularizer"),
        (lambda: L.Dense(3, kernel_regularizer=Regularizer()), "cannot be read"),
        (lambda: L.Dense(3, activation=keras.ops.gelu), "an activation of its own, gelu"),
        (lambda: L.Dense(3, activation=functools.partial(relu)), "cannot be read"),
        (lambda: L.Dense(3, kernel_initializer=HeNormal()), "initializer HeNormal"),
        (lambda: L.Dense(3, kernel_initializer=functools.partial(HeNormal())), "cannot be read"),
        (lambda: L.Dense(3, bias_initializer=keras.initializers.Constant([1.0])), "with an array"),
        (lambda: L.LSTM(3, bias_initializer=HeNormal()), "initializer HeNormal"),
        (lambda: L.LSTM(3, recurrent_activation="softmax"), "gates that are a softmax"),
        (lambda: L.Bidirectional(L.RNN(L.LSTMCell(3))), "layer RNN"),
        (
            lambda: L.Bidirectional(L.LSTM(3, go_backwards=True), backward_layer=L.LSTM(3)),
            "whose first layer goes backwards",
        ),
        (lambda: L.BatchNormalization(epsilon=0.0), "without epsilon"),
        (lambda: L.LayerNormalization(epsilon=0.0), "without epsilon"),
        (lambda: L.Conv1DTranspose(3, 2, dilation_rate=2), "that is dilated"),
        (lambda: L.Conv1DTranspose(3, 2, strides=2, output_padding=1), "output_padding"),
    ],
)
def test_what_has_no_counterpart_is_refused(layer: Callable[[], keras.Layer], words: str) -> None:
    of_series = L.LSTM | L.Bidirectional | L.Conv1DTranspose
    shape = SERIES if isinstance(made := layer(), of_series) else ROW
    with pytest.raises(Unsupported, match=words):
        lower(compiled(lambda width: [made], 3, shape), BATCH)


def without_decay(**excluded: Any) -> keras.Optimizer:
    optimizer = keras.optimizers.AdamW(weight_decay=0.1)
    optimizer.exclude_from_weight_decay(**excluded)
    return optimizer


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": keras.optimizers.Adam(clipnorm=1.0)}, "clipnorm"),
        ({"optimizer": "lion"}, "optimizer Lion"),
        ({"optimizer": keras.optimizers.Adam(WARMUP)}, "schedule CosineDecay"),
        ({"loss": "poisson"}, "loss poisson"),
        ({"loss": lambda y, p: p}, "loss"),
        ({"loss": mean_squared_error}, "a loss of its own, mean_squared_error"),
        ({"loss": MeanSquaredError()}, "a loss of its own, MeanSquaredError"),
        ({"loss": keras.losses.Huber(delta=0.1)}, "loss Huber with delta"),
        ({"loss": keras.losses.MeanSquaredError(dtype="bfloat16")}, "with _dtype"),
        ({"loss": keras.losses.MeanSquaredError(reduction="sum")}, "with reduction"),
        ({"loss": keras.losses.SparseCategoricalCrossentropy(axis=1)}, "with axis"),
        ({"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True)}, "from logits"),
        ({"optimizer": keras.optimizers.Adam(epsilon=0.0)}, "epsilon"),
        ({"optimizer": without_decay(var_names=["bias"])}, "excluded from weight decay"),
        ({"optimizer": without_decay(var_list=[keras.Variable(1.0)])}, "excluded from weight"),
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


def gated(x: Any, width: int) -> Any:
    """Each feature of each step by one number of the whole series."""
    return L.Flatten()(L.Multiply()([L.Dense(6)(x), L.Dense(6)(L.GlobalAveragePooling1D()(x))]))


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda x, width: L.LSTM(width)(x, [L.Dense(width)(x[:, 0])] * 2), "called with options"),
        (lambda x, width: L.Flatten()(x) + 1.0, "an operation outside a layer, Add"),
        (lambda x, width: L.LSTM(width)(L.Masking()(x)), "masks|layer Masking"),
        (lambda x, width: L.Flatten()(L.Dense(3, trainable=False)(x)), "a Dense that is frozen"),
        (lambda x, width: L.Flatten()(L.Dense(3, dtype="float64")(x)), "a Dense in float64"),
        (lambda x, width: L.GlobalAveragePooling1D()(x, x[..., 0] > 0), "called with options"),
        (lambda x, width: L.Flatten()(L.Add()([L.Dense(3)(x), L.Dense(1)(x)])), "different shapes"),
        (gated, "different shapes"),
        (lambda x, width: L.Reshape(())(L.Dense(1)(L.Flatten()(x))), "no feature|shape"),
    ],
)
def test_layers_of_inputs_that_have_no_counterpart_are_refused(
    build: Callable[[Any, int], Any], words: str
) -> None:
    source = keras.Input(SERIES)
    model = keras.Model(source, build(source, 3))
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(Unsupported, match=f"{words}|GetItem"):
        lower(model, BATCH)


def froze_a_bias(model: keras.Model) -> None:
    model.layers[0].bias.trainable = False


def has_a_constraint(model: keras.Model) -> None:
    model.layers[0].kernel.constraint = keras.constraints.NonNeg()


def has_a_penalty(model: keras.Model) -> None:
    model.layers[0].kernel.regularizer = keras.regularizers.L2(0.1)


def says_a_penalty(model: keras.Model) -> None:
    model.layers[0].kernel_regularizer = keras.regularizers.L2(0.1)  # which Keras does not apply


def has_its_own(name: str, of: Callable[[keras.Model], Any]) -> Callable[[keras.Model], None]:
    return lambda model: setattr(of(model), name, lambda *given, **named: 0.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (froze_a_bias, "a bias that is frozen"),
        (has_a_constraint, "a kernel that is frozen, or not as usual"),
        (has_a_penalty, "a kernel whose penalty was changed"),
        (says_a_penalty, "a kernel whose penalty was changed"),
        (has_its_own("compute_loss", lambda model: model), "a compute_loss of its own"),
        (has_its_own("train_step", lambda model: model), "a train_step of its own"),
        (has_its_own("call", lambda model: model.layers[0]), "a call of its own"),
    ],
)
def test_what_was_changed_after_it_was_built_is_refused(
    change: Callable[[keras.Model], None], words: str
) -> None:
    model = compiled(lambda width: [L.Dense(width)], 3, ROW)
    change(model)
    with pytest.raises(Unsupported, match=words):
        lower(model, BATCH)


def test_inputs_in_half_precision_are_refused() -> None:
    model = keras.Sequential([keras.Input(ROW, dtype="float16"), L.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    with pytest.raises(Unsupported, match="inputs of type float16"):
        lower(model, BATCH)


@pytest.mark.slow
def test_words_in_rows_and_columns_are_embedded_where_they_are() -> None:
    keras.utils.set_random_seed(1)
    x = np.random.default_rng(0).integers(0, 9, (ROWS, 5, 4))
    y = np.random.default_rng(2).integers(0, CLASSES, ROWS)
    models = [
        compiled(
            lambda width: [L.Embedding(9, width), L.Conv2D(width, 2), L.Flatten()],
            width,
            (5, 4),
            optimizer=keras.optimizers.SGD(0.1),
        )
        for width in (3, 5)
    ]
    assert difference(models, x, y) < 1e-4


@pytest.mark.parametrize(
    ("loss", "end"),
    [
        ("sparse_categorical_crossentropy", "sigmoid"),
        ("sparse_categorical_crossentropy", "relu"),
        ("categorical_crossentropy", "sigmoid"),
        ("binary_crossentropy", "softmax"),
    ],
)
def test_ends_that_keras_takes_for_others_are_refused(loss: str, end: str) -> None:
    model = keras.Sequential([keras.Input(ROW), L.Dense(3, end)])
    model.compile("sgd", loss)
    with pytest.raises(Unsupported, match=f"a {end} at their end and the loss {loss}"):
        lower(model, BATCH)


def test_a_model_without_anything_to_train_is_refused() -> None:
    model = keras.Sequential([keras.Input(ROW), L.Softmax()])
    model.compile("sgd", "mse")
    with pytest.raises(Unsupported, match="nothing to train"):
        lower(model, BATCH)


def test_whole_numbers_of_any_size_keep_their_size() -> None:
    large = np.array([5_000_000_000, -7])
    assert _numbers(large).tolist() == [5e9, -7]
    assert _numbers(np.array([3, -7])).dtype == np.int32
