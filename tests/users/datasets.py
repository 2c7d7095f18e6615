"""Splits as Keras's `fit` takes them: datasets in batches, one of them shuffled anew each time."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from occam.search.pipeline import Data, Pipeline

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 360)
x = rng.integers(0, 100, (360, 6, 6, 1)) + 100 * y[:, None, None, None]


def scaled(images, labels):
    return tf.cast(images, tf.float32) / 100.0 - 1.0, labels


def data():
    parts = (slice(160), slice(160, 260), slice(260, 360))
    train, validation, test = (
        tf.data.Dataset.from_tensor_slices((x[part], y[part])) for part in parts
    )
    return Data(
        train.shuffle(160).batch(32).map(scaled).prefetch(tf.data.AUTOTUNE),
        validation.batch(32).map(scaled).cache(),
        test.batch(32).map(scaled),
    )


def build_model(hp):
    model = keras.Sequential([keras.Input((6, 6, 1))])
    model.add(layers.Conv2D(hp.Int("filters", 2, 8, default=8), 3, activation="relu"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=data, space=build_model, target=0.8, epochs=12)
