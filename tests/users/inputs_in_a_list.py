"""A model of two inputs in a list, as `keras.Model([a, b], ...)` takes them; one layer for both."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = [rng.normal(size=(240, 4)).astype("float32") + 2.0 * y[:, None] for _ in range(2)]


def build_model(hp):
    left, right = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(hp.Int("units", 1, 8), activation="tanh")
    joined = layers.Concatenate()([shared(left), shared(right)])
    model = keras.Model([left, right], layers.Dense(1, activation="sigmoid")(joined))
    model.compile(keras.optimizers.Adam(0.03), loss="binary_crossentropy")
    return model


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=8)
