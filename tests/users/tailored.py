"""A search space of someone else's, with one hyperparameter fixed and another made narrower."""

import keras
import numpy as np
from keras import layers
from occam.search.pipeline import Pipeline, split

rng = np.random.default_rng(0)
y = rng.integers(0, 2, 240)
x = rng.normal(size=(240, 4)).astype("float32") + 4.0 * y[:, None]


def theirs(hp):
    model = keras.Sequential([keras.Input((4,))])
    model.add(layers.Dense(hp.Int("units", 8, 512, step=8), activation="relu"))
    model.add(layers.Dense(2, activation="softmax"))
    model.compile(
        keras.optimizers.Adam(hp.Choice("learning_rate", [1e-2, 1e-3, 1e-4])),
        loss=hp.Choice("loss", ["sparse_categorical_crossentropy", "mse"]),
    )
    return model


def build_model(hp):
    hp.Fixed("loss", "sparse_categorical_crossentropy")
    hp.Int("units", 8, 24, step=8, default=16)
    hp.Float("learning_rate", 1e-3, 1e-1, sampling="log", default=0.03)
    return theirs(hp)


pipeline = Pipeline(data=lambda: split(x, y), space=build_model, target=0.8, epochs=6)
