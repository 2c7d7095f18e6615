"""Generators of images, each trained against a discriminator that is thrown away afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras

from .hyperparameters import Bounds, Build, activation, batch_size, width

if TYPE_CHECKING:
    from keras_tuner import HyperParameters

BATCH_SIZES = (128, 64)
LEARNING_RATE = (1e-4, 1e-2)


def adversarial(
    input_shape: Sequence[int],
    image_shape: Sequence[int],
    *,
    kinds: Sequence[str] = ("convolutional", "dense"),
    units: Bounds = (8, 128),
    filters: Bounds = (2, 32),
    rival_units: Bounds = (32, 256),
    learning_rate: tuple[float, float] = LEARNING_RATE,
    batch_sizes: Sequence[int] = BATCH_SIZES,
) -> Build:
    """A space of generators from noise to images of values 0 to 1, flattened; on TensorFlow alone.

    After Goodfellow and others, "Generative adversarial nets", 2014. The discriminator is not
    deployed, so its weights do not count.

    Args:
        input_shape: (numbers of noise,).
        image_shape: (height, width, channels), height and width divisible by 4.
        units: of the dense kind's hidden layer.
        filters: of the convolutional kind, at a quarter and at half of the image's size.
        rival_units: of the discriminator's hidden layer.
    """

    def build(hp: HyperParameters) -> keras.Model:
        _check_backend()
        batch_size(hp, batch_sizes)
        inputs = keras.Input(tuple(input_shape))
        outputs = inputs
        for layer in _layers(hp, hp.Choice("kind", list(kinds)), image_shape, units, filters):
            outputs = layer(outputs)
        low, high = learning_rate
        rate = float(hp.Float("learning_rate", low, high, sampling="log", default=1e-3))
        rival = Rival(
            model=_discriminator(width(hp, "rival_units", rival_units), outputs.shape[-1]),
            optimizer=keras.optimizers.Adam(rate, beta_1=0.5),
        )
        model = Generator(inputs, outputs)
        model.rival = rival
        model.compile(optimizer=keras.optimizers.Adam(rate, beta_1=0.5), loss="mse")
        return model

    return build


@dataclass(frozen=True, kw_only=True)
class Rival:
    """The discriminator and its optimizer; Keras does not look for weights in a dataclass."""

    model: keras.Model
    optimizer: keras.Optimizer


@keras.saving.register_keras_serializable("occam")
class Generator(keras.Model):  # type: ignore[misc]  # keras is untyped
    """A functional model that learns what its `rival` takes for real."""

    rival: Rival | None = None

    def train_step(self, data: tuple[Any, Any]) -> Mapping[str, Any]:
        """One step of the discriminator and one of the generator, on noise drawn anew.

        Args:
            data: noise, of which the shape alone is used, and as many real images.
        """
        import tensorflow as tf

        if self.rival is None:
            raise ValueError("A generator that was loaded has no rival: build it to train it.")
        judge, (noise, real) = self.rival.model, data
        drawn = tf.random.normal(tf.shape(noise))
        with tf.GradientTape() as tape:
            fake = self(drawn, training=True)
            detection = _loss(0.9, judge(real, training=True))  # one-sided smoothing, Salimans 2016
            detection += _loss(0.0, judge(tf.stop_gradient(fake), training=True))
        weights = judge.trainable_variables
        self.rival.optimizer.apply(tape.gradient(detection, weights), weights)
        with tf.GradientTape() as tape:
            deception = _loss(1.0, judge(self(drawn, training=True), training=True))
        weights = self.trainable_variables
        self.optimizer.apply(tape.gradient(deception, weights), weights)
        return {"loss": deception, "rival_loss": detection}


def _loss(truth: float, logits: Any) -> Any:
    labels = keras.ops.full_like(logits, truth)
    return keras.ops.mean(keras.losses.binary_crossentropy(labels, logits, from_logits=True))


def _layers(
    hp: HyperParameters, kind: str, shape: Sequence[int], units: Bounds, filters: Bounds
) -> list[keras.Layer]:
    height, wide, channels = shape
    function = activation(hp)
    if kind == "dense":
        hidden = keras.layers.Dense(width(hp, "units", units), function)
        return [hidden, keras.layers.Dense(height * wide * channels, "sigmoid")]
    low = (height // 4, wide // 4, width(hp, "filters_0", filters))
    middle = width(hp, "filters_1", filters)
    return [
        keras.layers.Dense(low[0] * low[1] * low[2], function),
        keras.layers.Reshape(low),
        keras.layers.Conv2DTranspose(middle, 4, strides=2, padding="same", activation=function),
        keras.layers.Conv2DTranspose(channels, 4, strides=2, padding="same", activation="sigmoid"),
        keras.layers.Flatten(),
    ]


def _discriminator(units: int, values: int) -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((values,)),
            keras.layers.Dense(units),
            keras.layers.LeakyReLU(0.2),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1),
        ]
    )


def _check_backend() -> None:
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"Adversarial training needs TensorFlow, received the backend "
            f"{keras.backend.backend()!r}: give --backend tensorflow."
        )
