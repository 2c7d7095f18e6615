"""A space that refuses some of its own configurations while it builds them."""

import keras
import keras_tuner
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


def build_model(hp):
    first, second = hp.Int("first", 4, 32, step=4), hp.Int("second", 4, 32, step=4)
    if second > first:
        raise keras_tuner.errors.FailedTrialError("the second layer must not be wider")
    model = keras.Sequential([keras.Input((4,))])
    model.add(layers.Dense(first, activation="relu"))
    model.add(layers.Dense(second, activation="relu"))
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(keras.optimizers.Adam(0.03), loss="sparse_categorical_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=6)
