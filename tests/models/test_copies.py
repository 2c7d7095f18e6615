"""A Keras model is a space: its copies with fewer units, fewer layers and less dropout."""

from __future__ import annotations

from dataclasses import replace

import keras
import keras_tuner
import numpy as np
import pytest
from architectures import CASES, compiled
from occam.search.errors import InputError
from occam.search.loading import load, own
from occam.search.models.building import as_hypermodel, build
from occam.search.models.configuration import GivenHyperParameters
from occam.search.models.copies import copies_of, model_in
from occam.search.pipeline import Data, Pipeline

L = keras.layers


def convolutional(**options: object) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            L.Conv2D(8, 3, padding="same", activation="relu"),
            L.MaxPooling2D(),
            L.Conv2D(16, 3, use_bias=False),
            L.BatchNormalization(),
            L.ReLU(),
            L.Flatten(),
            L.Dense(12, activation="relu", name="code"),
            L.Dropout(0.4),
            L.Dense(10, activation="softmax"),
        ]
    )
    model.compile(**{"optimizer": "adam", "loss": "sparse_categorical_crossentropy"} | options)
    return model


def residual() -> keras.Model:
    """Two convolutions meet in an addition, one of them by a gate of as many units."""
    inputs = keras.Input((8, 8, 2))
    outer = L.Conv2D(6, 3, padding="same", name="wide")(inputs)
    inner = L.Conv2D(4, 3, padding="same")(outer)
    inner = L.Conv2D(6, 3, padding="same", name="narrow")(L.ReLU()(inner))
    pooled = L.GlobalAveragePooling2D(keepdims=True)(inner)
    gated = L.Multiply()([inner, L.Dense(6, activation="sigmoid", name="gate")(pooled)])
    joined = L.Add()([outer, gated])
    return keras.Model(inputs, L.Dense(3)(L.GlobalMaxPooling2D()(joined)))


def dimensions(model: keras.Model) -> dict[str, dict[str, object]]:
    hp = keras_tuner.HyperParameters()
    copies_of(model)(hp)
    return {each.name: each.get_config() for each in hp.space}


def made(model: keras.Model, **values: object) -> keras.Model:
    return copies_of(model)(GivenHyperParameters(values))


def kinds(model: keras.Model) -> list[str]:
    return [type(layer).__name__ for layer in model.layers if not isinstance(layer, L.InputLayer)]


@pytest.mark.parametrize("case", CASES)
def test_the_default_is_the_model_itself_and_each_width_makes_it_smaller(case):
    shape, layers = CASES[case]
    model = compiled(layers, 5, shape)
    default = made(model)
    assert kinds(default) == kinds(model)
    assert default.count_params() == model.count_params()
    widths = {
        name: config["default"] - (config["step"] or 1)
        for name, config in dimensions(model).items()
        if "max_value" in config and name != "learning_rate"
    }
    assert widths
    for name, value in widths.items():
        narrower = made(model, **{name: value})
        assert narrower.count_params() < model.count_params()
        assert narrower.output_shape == model.output_shape


def test_its_dimensions_are_widths_layers_dropout_and_the_learning_rate():
    found = dimensions(convolutional())
    assert list(found) == [
        *("has_conv2d", "has_conv2d_1", "has_code"),
        *("conv2d_filters", "conv2d_1_filters", "code_units"),
        *("dropout_scale", "learning_rate"),
    ]
    assert found["code_units"].items() >= {"min_value": 1, "max_value": 12, "default": 12}.items()
    rate = {"min_value": 1e-4, "max_value": 0.1, "default": 1e-3, "sampling": "log"}
    assert found["learning_rate"].items() >= rate.items()


def test_layers_that_keras_numbered_are_numbered_as_in_any_process():
    assert list(dimensions(convolutional())) == list(dimensions(convolutional()))


def test_a_layer_is_left_out_with_what_normalizes_and_activates_it():
    model = convolutional()
    smaller = made(model, has_conv2d_1=False, code_units=3, dropout_scale=0.5, learning_rate=0.02)
    assert kinds(smaller) == ["Conv2D", "MaxPooling2D", "Flatten", "Dense", "Dropout", "Dense"]
    assert smaller.get_layer("code").units == 3
    assert smaller.layers[-2].rate == pytest.approx(0.2)
    assert float(smaller.optimizer.learning_rate) == pytest.approx(0.02)
    assert model.get_layer("code").units == 12


def test_layers_that_meet_in_an_addition_change_together():
    model = residual()
    widths = {name for name, each in dimensions(model).items() if "max_value" in each}
    assert widths == {"wide_filters", "conv2d_filters", "learning_rate"}
    copy = made(model, wide_filters=3, conv2d_filters=2)
    assert copy.get_layer("wide").filters == copy.get_layer("narrow").filters == 3


def of_blocks() -> keras.Model:
    """Two residual blocks with gates, and one that cannot be left out, as it changes the shape."""
    inputs = keras.Input((8, 8, 2))
    x = L.Conv2D(6, 3, padding="same", name="begin")(inputs)
    for _ in range(2):
        inner = L.Conv2D(4, 3, padding="same", activation="relu")(x)
        inner = L.Conv2D(6, 3, padding="same")(inner)
        gate = L.Dense(6, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(inner))
        x = L.ReLU()(L.Add()([x, L.Multiply()([inner, gate])]))
    halved = L.Conv2D(8, 3, strides=2, name="half")(x) + L.Conv2D(8, 3, strides=2)(x)
    return keras.Model(inputs, L.Dense(3)(L.GlobalMaxPooling2D()(halved)))


def test_a_branch_is_left_out_as_a_whole():
    model = of_blocks()
    blocks = [name for name in dimensions(model) if name.startswith("has_")]
    assert blocks == ["has_add", "has_add_1", "has_multiply", "has_multiply_1"]
    smaller = made(model, has_add=False)
    assert kinds(smaller).count("Conv2D") == 5
    assert (kinds(smaller).count("ReLU"), kinds(smaller).count("Multiply")) == (1, 1)
    ungated = made(model, has_multiply=False)
    assert "Dense" in kinds(ungated)
    assert kinds(ungated).count("Multiply") == 1
    least = made(model, has_add=False, has_add_1=False, begin_filters=3)
    assert kinds(least) == ["Conv2D"] * 3 + ["GlobalMaxPooling2D", "Dense"]
    assert least.output_shape == model.output_shape


def test_what_is_on_a_branch_that_is_left_out_is_no_dimension_then():
    space, hp = copies_of(of_blocks()), GivenHyperParameters({"has_add": False})
    space(hp)
    read = {each.name for each in hp.space}
    assert "has_multiply_1" in read
    assert not read & {"has_multiply", "conv2d_filters", "conv2d_1_filters", "dense_units"}


def test_attention_and_dense_concatenation_are_branches():
    words = keras.Input((6,), dtype="int32")
    x = L.Embedding(9, 8)(words)
    x = L.LayerNormalization()(x + L.MultiHeadAttention(2, 4)(x, x))
    x = L.Concatenate()([x, L.Conv1D(5, 3, padding="same", activation="relu")(x)])
    model = keras.Model(words, L.Dense(2)(L.GlobalAveragePooling1D()(x)))
    assert {name for name in dimensions(model) if name[:4] == "has_"} == {
        "has_add",
        "has_concatenate",
    }
    least = made(model, has_add=False, has_concatenate=False)
    assert kinds(least) == ["Embedding", "GlobalAveragePooling1D", "Dense"]


def test_it_is_compiled_as_the_model_is():
    optimizer = keras.optimizers.AdamW(3e-4, weight_decay=0.05, clipnorm=1.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = made(convolutional(optimizer=optimizer, loss=loss))
    assert type(model.optimizer) is type(optimizer)
    assert model.optimizer.weight_decay == 0.05
    assert model.optimizer.clipnorm == 1.0
    assert float(model.optimizer.learning_rate) == pytest.approx(3e-4)
    assert model.loss.from_logits


def test_a_schedule_begins_at_the_learning_rate_that_is_searched():
    schedule = keras.optimizers.schedules.CosineDecay(0.01, 100)
    model = convolutional(optimizer=keras.optimizers.SGD(schedule, momentum=0.9))
    assert dimensions(model)["learning_rate"]["default"] == 0.01
    found = made(model, learning_rate=0.05).optimizer._learning_rate
    assert type(found) is keras.optimizers.schedules.CosineDecay
    assert found.initial_learning_rate == 0.05
    assert found.decay_steps == 100


def test_what_does_not_train_keeps_its_weights_and_its_width():
    frozen = L.Dense(7, activation="relu", name="frozen")
    adapted = L.Normalization(name="units")
    adapted.adapt(np.arange(20.0, dtype="float32").reshape(4, 5))
    model = keras.Sequential([keras.Input((5,)), adapted, frozen, L.Dense(6), L.Dense(2)])
    frozen.trainable = False
    model.compile("adam", "mse")
    assert set(dimensions(model)) == {"has_dense", "dense_units", "learning_rate"}
    copy = made(model, dense_units=2)
    for name in ("frozen", "units"):
        for one, other in zip(
            copy.get_layer(name).weights, model.get_layer(name).weights, strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_nested_models_lose_units_too():
    inner = keras.Sequential([keras.Input((6,)), L.Dense(8, name="inside"), L.Dense(4)])
    inputs = keras.Input((6,))
    model = keras.Model(inputs, L.Dense(1)(inner(inputs)))
    found = dimensions(model)
    assert "inside_units" in found
    assert made(model, inside_units=2).count_params() < model.count_params()


def test_wrapped_layers_and_attention_lose_units():
    words = keras.Input((9,))
    x = L.Embedding(20, 6)(words)
    x = L.Bidirectional(L.LSTM(5, return_sequences=True, dropout=0.2))(x)
    x = L.MultiHeadAttention(2, 4)(x, x)
    model = keras.Model(words, L.Dense(1)(L.TimeDistributed(L.Dense(3))(x)))
    widths = {
        name: each["default"] for name, each in dimensions(model).items() if "max" in str(each)
    }
    assert widths == {
        **{"embedding_output_dim": 6, "bidirectional_units": 5},
        **{"multi_head_attention_key_dim": 4, "time_distributed_units": 3, "learning_rate": 1e-3},
        **({} if keras.config.backend() == "jax" else {"multi_head_attention_value_dim": 4}),
    }
    copy = made(model, multi_head_attention_key_dim=2)
    (attention,) = (each for each in copy.layers if isinstance(each, L.MultiHeadAttention))
    assert attention.value_dim == (2 if keras.config.backend() == "jax" else 4), "there they meet"


def test_a_model_that_is_not_compiled_is_by_the_pipeline():
    model = keras.Sequential([keras.Input((4,)), L.Dense(5), L.Dense(2, "softmax")])
    task = Pipeline(data=lambda: Data((), (), ()), space=model, target=0.9, name="toy")
    task = replace(task, loss="sparse_categorical_crossentropy")
    copy = build(task, GivenHyperParameters({"learning_rate": 0.03}))
    assert float(copy.optimizer.learning_rate) == pytest.approx(0.03)
    with pytest.raises(InputError, match="returns a model that is not compiled"):
        build(replace(task, loss=None), GivenHyperParameters({}))


def test_a_model_comes_from_a_file(tmp_path):
    convolutional().save(tmp_path / "given.keras")
    found = load(own(pipeline="digits", model=str(tmp_path / "given.keras")))
    assert found.name == "digits"
    assert dimensions(found.space) == dimensions(convolutional())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.keras", None, r"Model file '.*none.keras' does not exist\."),
        ("model.py", b"", r"is not what `model.save` writes: a .keras file\."),
        ("text.keras", b"text", "text.keras' cannot be read: .* else give a build"),
    ],
)
def test_a_file_without_a_model_is_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        model_in(tmp_path / name)


def test_a_model_with_a_lambda_is_refused(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.Lambda(lambda x: 2 * x), L.Dense(2)])
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(InputError, match="cannot be read: a lambda cannot be read again"):
        model_in(tmp_path / "lambda.keras")


def test_half_precision_is_searched():
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    layers = [keras.Input((6,)), L.Dense(8, dtype=policy), L.Dense(2, dtype="float32")]
    model = keras.Sequential(layers)
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(3e-3)), "mse")
    copy = made(model, dense_units=3, learning_rate=0.02)
    assert copy.layers[1].compute_dtype == "float16"
    assert float(copy.optimizer.inner_optimizer.learning_rate) == pytest.approx(0.02)


def test_what_does_not_train_remembers_no_copy(tmp_path):
    adapted = L.Normalization()
    adapted.adapt(np.arange(20.0, dtype="float32").reshape(4, 5))
    frozen = keras.Sequential([keras.Input((5,)), L.Dense(4)])
    frozen.trainable = False
    inputs = keras.Input((5,))
    model = keras.Model(inputs, L.Dense(2)(frozen(adapted(inputs)) + 1))
    calls = [len(each._inbound_nodes) for each in model.operations]
    copies = [made(model) for _ in range(3)]
    assert [len(each._inbound_nodes) for each in model.operations] == calls
    assert all(copy.layers[2].weights[0] is frozen.weights[0] for copy in copies)
    rows = np.ones((2, 5), "float32")
    copies[0].save(tmp_path / "copy.keras")
    again = keras.saving.load_model(tmp_path / "copy.keras")
    outputs = (each.predict_on_batch(rows) for each in (again, copies[0]))
    np.testing.assert_allclose(*outputs)


class Unread(L.Layer):
    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.factors = weights

    def call(self, inputs: object) -> object:
        return inputs * self.factors


def test_a_layer_that_cannot_be_made_anew_is_refused():
    layers = [keras.Input((4,)), L.Dense(4), Unread(np.ones(4)), L.Dense(2)]
    message = r"Layer 'unread', a Unread, cannot be made anew: .* Give its class a get_config, or"
    with pytest.raises(InputError, match=message):
        as_hypermodel(keras.Sequential(layers))


def test_a_model_whose_layers_cannot_be_read_is_refused():
    class Own(keras.Model):
        def call(self, inputs: object) -> object:
            return inputs

    with pytest.raises(InputError, match="of a class of its own, Own: only those of Seq"):
        as_hypermodel(Own(name="mine"))
    with pytest.raises(InputError, match="does not know its input shape: begin it with keras.Inp"):
        as_hypermodel(keras.Sequential([L.Dense(3)]))
